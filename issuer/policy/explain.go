package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// finding is one thing that is wrong with a value.
type finding struct {
	location []string // names and positions, from the top
	rest     string   // reads on from the place: "must be …"
}

// place writes the location in whole, behind whole's name: ".address.lines[2]".
func (f finding) place(whole any) string {
	var b strings.Builder
	for _, token := range f.location {
		switch holder := whole.(type) {
		case []any:
			b.WriteString("[" + token + "]")
			whole = nil
			if n, err := strconv.Atoi(token); err == nil && 0 <= n && n < len(holder) {
				whole = holder[n]
			}
		case map[string]any:
			b.WriteString("." + shownName(token))
			whole = holder[token]
		default:
			b.WriteString("." + shownName(token))
		}
	}
	return b.String()
}

// compare orders by location, positions by number, and then by words.
func (f finding) compare(o finding) int {
	byToken := slices.CompareFunc(f.location, o.location, func(a, b string) int {
		switch x, y := digits(a), digits(b); {
		case x && !y:
			return -1
		case y && !x:
			return 1
		case x && len(a) != len(b):
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	if byToken != 0 {
		return byToken
	}
	return strings.Compare(f.rest, o.rest)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// findings says in our words, without a value of what was validated, what the library found in err and in its causes.
func findings(err *jsonschema.ValidationError) []finding {
	here := func(format string, args ...any) []finding {
		return []finding{{location: err.InstanceLocation, rest: fmt.Sprintf(format, args...)}}
	}
	below := func(names []string, rest string) []finding {
		var list []finding
		for _, name := range names {
			list = append(list, finding{location: append(slices.Clone(err.InstanceLocation), name), rest: rest})
		}
		return list
	}
	switch k := err.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		var list []finding
		for _, cause := range err.Causes {
			list = append(list, findings(cause)...)
		}
		return list
	case *kind.AnyOf:
		return nearest(err)
	case *kind.OneOf:
		if len(k.Subschemas) > 1 {
			return here("must have exactly one of the forms allowed; it has the %s and the %s", ordinal(k.Subschemas[0]), ordinal(k.Subschemas[1]))
		}
		return nearest(err)
	case *kind.Not:
		return here("must not be what the policy rules out")
	case *kind.FalseSchema:
		return here("must be left out")
	case *kind.Type:
		return here("must be %s, not %s", listed(articles(k.Want), "or"), article(k.Got))
	case *kind.Enum:
		return here("must be %s", oneOf(k.Want))
	case *kind.Const:
		return here("must be %s", oneOf([]any{k.Want}))
	case *kind.Format:
		if words, known := formats[k.Want]; known {
			return here("must be %s", words)
		}
		return here("must be of the format %s", quote(k.Want))
	case *kind.Pattern:
		return here("must match the pattern %s", quoteUpTo(k.Want, maxPatternShown))
	case *kind.Required:
		return below(k.Missing, "must be given")
	case *kind.DependentRequired:
		return below(k.Missing, "must be given where "+shownName(k.Prop)+" is")
	case *kind.AdditionalProperties:
		return below(k.Properties, "must be left out: there is no such field")
	case *kind.MinProperties:
		return here("must have at least %s, not %d", counted(k.Want, "field"), k.Got)
	case *kind.MaxProperties:
		return here("must have at most %s, not %d", counted(k.Want, "field"), k.Got)
	case *kind.MinItems:
		return here("must have at least %s, not %d", counted(k.Want, "item"), k.Got)
	case *kind.MaxItems:
		return here("must have at most %s, not %d", counted(k.Want, "item"), k.Got)
	case *kind.UniqueItems:
		return here("must not hold anything twice; [%d] and [%d] are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.Contains:
		return here("must have an item of the form that the policy asks for; it has none")
	case *kind.MinContains:
		return here("must have at least %s of the form that the policy asks for, not %d", counted(k.Want, "item"), len(k.Got))
	case *kind.MaxContains:
		return here("must have at most %s of the form that the policy bounds, not %d", counted(k.Want, "item"), len(k.Got))
	case *kind.MinLength:
		return here("must have at least %s, not %d", counted(k.Want, "character"), k.Got)
	case *kind.MaxLength:
		return here("must have at most %s, not %d", counted(k.Want, "character"), k.Got)
	case *kind.Minimum:
		return here("must be %s or more", number(k.Want))
	case *kind.Maximum:
		return here("must be %s or less", number(k.Want))
	case *kind.ExclusiveMinimum:
		return here("must be more than %s", number(k.Want))
	case *kind.ExclusiveMaximum:
		return here("must be less than %s", number(k.Want))
	case *kind.MultipleOf:
		return here("must be a multiple of %s", number(k.Want))
	}
	return here("must be as the policy asks for")
}

// nearest explains why a value has none of several forms: by what it could be at all, if all forms are of another kind,
// and else by the form that it comes nearest to, which is the one with the fewest faults.
func nearest(err *jsonschema.ValidationError) []finding {
	var kinds, values []string
	var best []finding
	got, near := "", 0
	for _, cause := range err.Causes {
		end := leaf(cause)
		if len(end.InstanceLocation) == len(err.InstanceLocation) {
			switch k := end.ErrorKind.(type) {
			case *kind.Type:
				kinds, got = append(kinds, articles(k.Want)...), k.Got
				continue
			case *kind.Enum:
				if is, other := otherKind(k.Got, k.Want); other {
					values, got = append(values, oneOf(k.Want)), is
					continue
				}
			case *kind.Const:
				if is, other := otherKind(k.Got, []any{k.Want}); other {
					values, got = append(values, oneOf([]any{k.Want})), is
					continue
				}
			}
		}
		near++
		if found := findings(cause); best == nil || len(found) < len(best) {
			best = found
		}
	}
	if near == 0 && got != "" {
		slices.Sort(kinds)
		forms := append(slices.Compact(kinds), values...)
		return []finding{{location: err.InstanceLocation, rest: fmt.Sprintf("must be %s, not %s", listed(forms, "or"), article(got))}}
	}
	if near > 1 {
		for i := range best {
			best[i].rest += fmt.Sprintf(", in the nearest of the %d forms allowed", near)
		}
	}
	return best
}

// otherKind says of which kind a value is, and whether none of those wanted is.
func otherKind(got any, want []any) (string, bool) {
	is := jsonKind(got)
	return is, !slices.ContainsFunc(want, func(w any) bool { return jsonKind(w) == is })
}

func jsonKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// leaf goes down through what only repeats its one cause.
func leaf(err *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(err.Causes) == 1 {
		switch err.ErrorKind.(type) {
		case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
			err = err.Causes[0]
			continue
		}
		break
	}
	return err
}

func article(kind string) string {
	switch kind {
	case "null":
		return kind
	case "array", "integer", "object":
		return "an " + kind
	}
	return "a " + kind
}

func articles(kinds []string) []string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = article(k)
	}
	return list
}

// maxValuesShown is how many of the values that a policy allows are listed.
const maxValuesShown = 10

// oneOf lists values that a policy allows.
func oneOf(values []any) string {
	var words []string
	for _, v := range values {
		if len(words) == maxValuesShown {
			words = append(words, fmt.Sprintf("one of %d others", len(values)-maxValuesShown))
			break
		}
		switch v := v.(type) {
		case string:
			words = append(words, quote(v))
		case nil:
			words = append(words, "null")
		case bool:
			words = append(words, strconv.FormatBool(v))
		case json.Number:
			words = append(words, v.String())
		case []any:
			words = append(words, "a certain array")
		default:
			words = append(words, "a certain object")
		}
	}
	if len(words) == 0 {
		return "left out: no value is allowed"
	}
	return listed(words, "or")
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// number writes a policy's own number shortly.
func number(r *big.Rat) string {
	if r.IsInt() && len(r.Num().String()) <= maxWordShown {
		return r.Num().String()
	}
	f, _ := r.Float64()
	if f == 0 || math.IsInf(f, 0) {
		return new(big.Float).SetRat(r).Text('g', 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func ordinal(i int) string {
	n := i + 1
	switch {
	case n%100/10 == 1:
	case n%10 == 1:
		return strconv.Itoa(n) + "st"
	case n%10 == 2:
		return strconv.Itoa(n) + "nd"
	case n%10 == 3:
		return strconv.Itoa(n) + "rd"
	}
	return strconv.Itoa(n) + "th"
}
