package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/xrplissuer/credential-issuer/model"
)

// counted counts how often the library matches a text.
type countedRegexp struct {
	*regexp.Regexp
	count *int
}

func (c countedRegexp) MatchString(s string) bool {
	*c.count++
	return c.Regexp.MatchString(s)
}

// randomSchema makes one whose every part has a pattern, so that each check of a text by it can be counted. What is applied
// to the same value refers to definitions behind its own alone, as others would be loops.
func randomSchema(r *rand.Rand, depth, behind int) map[string]any {
	s := map[string]any{"pattern": "x"}
	ref := func(i int) any { return map[string]any{"$ref": fmt.Sprintf("#/$defs/d%d", i)} }
	same := func() any {
		switch {
		case depth == 0 && behind == 3:
			return map[string]any{"pattern": "y"}
		case behind < 3 && (depth == 0 || r.IntN(3) == 0):
			return ref(behind + 1 + r.IntN(3-behind))
		}
		return randomSchema(r, max(depth-1, 0), behind)
	}
	one := func() any {
		switch k := r.IntN(5); {
		case k == 0:
			return ref(r.IntN(4))
		case depth == 0 || k == 1:
			return map[string]any{"pattern": "y"}
		}
		return randomSchema(r, depth-1, behind)
	}
	for range 1 + r.IntN(2) {
		switch r.IntN(14) {
		case 0:
			s["allOf"] = []any{same(), same()}
		case 1:
			s["anyOf"] = []any{same(), same()}
		case 2:
			s["oneOf"] = []any{same(), same()}
		case 3:
			s["not"] = same()
		case 4:
			s["if"], s["then"], s["else"] = same(), same(), same()
		case 5, 6:
			s["properties"] = map[string]any{"a": one(), "b": one()}
		case 7:
			s["patternProperties"] = map[string]any{"a": one(), "[ab]": one()}
		case 8:
			s["additionalProperties"] = one()
		case 9:
			s["unevaluatedProperties"] = one()
		case 10:
			s["items"], s["prefixItems"] = one(), []any{one()}
		case 11:
			s["contains"] = one()
		case 12:
			s["unevaluatedItems"] = one()
		case 13:
			s["dependentSchemas"] = map[string]any{"a": same()}
		}
	}
	return s
}

func randomDocument(r *rand.Rand, depth int) any {
	switch k := r.IntN(5); {
	case depth == 0 || k == 0:
		return []string{"x", "y"}[r.IntN(2)]
	case k < 3:
		object := map[string]any{}
		for _, name := range []string{"a", "b", "c"} {
			if r.IntN(3) > 0 {
				object[name] = randomDocument(r, depth-1)
			}
		}
		return object
	default:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = randomDocument(r, depth-1)
		}
		return list
	}
}

// What is computed beforehand bounds what the library really does: for random schemas, with references from everywhere to
// everywhere, and random documents, it never matches more texts than the limits allow for.
func TestLimitsBoundTheLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	usable, checked, nearest := 0, 0, 0.0
	for range 200 {
		top := randomSchema(r, 2, -1)
		defs := map[string]any{}
		for i := range 4 {
			defs[fmt.Sprintf("d%d", i)] = randomSchema(r, 1, i)
		}
		top["$defs"] = defs
		text, err := yaml.Marshal(top)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		s := (&file{faults: &Faults{}}).schema(doc.Content[0])
		if s == nil {
			continue // a loop, or too many ways
		}
		usable++
		matched := 0
		c := jsonschema.NewCompiler()
		c.UseLoader(noLoader{})
		c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
			re, err := regexp.Compile(pattern)
			return countedRegexp{re, &matched}, err
		})
		if err := c.AddResource(schemaURL, any(top)); err != nil {
			t.Fatal(err)
		}
		compiled, err := c.Compile(schemaURL)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			document := randomDocument(r, 6)
			var sizes [model.MaxJSONDepth + 1]size
			measure(document, 0, &sizes)
			allowed := 0.0
			for depth, size := range sizes {
				allowed += size.values * s.limits[depth].evaluations
			}
			// Names are matched too: each by the patterns for names, of which a schema has two at most.
			names := 0.0
			for depth, size := range sizes {
				names += size.bytes * s.limits[depth].evaluations * 2
			}
			matched = 0
			_ = compiled.Validate(document)
			if float64(matched) > allowed+names {
				js, _ := json.Marshal(document)
				t.Fatalf("%d matches, and %v + %v are allowed for:\n%s\n%s", matched, allowed, names, text, js)
			}
			if allowed > 20 {
				checked++
				nearest = max(nearest, float64(matched)/allowed)
			}
		}
	}
	t.Logf("%d schemas, %d documents, nearest to its limit %.2f", usable, checked, nearest)
	if usable < 50 || checked < 500 || nearest < 0.3 {
		t.Errorf("the test says little: %d schemas, %d documents, nearest %.2f", usable, checked, nearest)
	}
}
