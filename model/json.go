package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxJSONDepth is how deep objects and arrays may nest in what callers send.
const MaxJSONDepth = 32

// MaxJSONNames is how many fields, at all levels together, what callers send may have. Each takes memory while the body
// is checked, many times what it takes in the body.
const MaxJSONNames = 10_000

// maxNameShown bounds how much of a caller's own field name an error repeats.
const maxNameShown = 40

// object is a JSON object read strictly. encoding/json takes field names in any case, the last of several values for
// one name, broken UTF-8, and broken surrogate pairs; each of these lets one reader of a body see another request
// than the next one sees, so each is refused here.
type object map[string]json.RawMessage

// parseObject reads body, which must be exactly one JSON object with no field besides allowed. what is how an error
// calls it, such as "the body".
func parseObject(what string, body []byte, allowed ...string) (object, error) {
	o, err := parseAnyObject(what, body)
	if err != nil {
		return nil, err
	}
	var faults []string
	for name := range o {
		if !slices.Contains(allowed, name) {
			faults = append(faults, unknownField(name, allowed))
		}
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		const most = 5
		if len(faults) > most {
			faults = append(faults[:most], fmt.Sprintf("and %d more", len(faults)-most))
		}
		return nil, &Error{Code: CodeBadRequest, Message: fmt.Sprintf("%s; the fields are %s",
			strings.Join(faults, "; "), strings.Join(allowed, ", "))}
	}
	return o, nil
}

// parseAnyObject reads body, which must be exactly one JSON object, of any fields.
func parseAnyObject(what string, body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, BadRequest(what, "must be a JSON object; it is empty")
	}
	if !utf8.Valid(body) {
		return nil, BadRequest(what, "must be UTF-8; it holds other bytes")
	}
	if err := checkDepth(what, body); err != nil {
		return nil, err
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, BadRequest(what, fmt.Sprintf("must be one JSON object and nothing else; at byte %d: %v", syntax.Offset, syntax))
		}
		return nil, BadRequest(what, "must be one JSON object and nothing else")
	}
	if kind := kindOf(whole); kind != "an object" {
		return nil, BadRequest(what, "must be a JSON object, not "+kind)
	}
	if err := checkNames(what, body); err != nil {
		return nil, err
	}
	var o object
	if err := json.Unmarshal(whole, &o); err != nil {
		return nil, BadRequest(what, "must be a JSON object")
	}
	return o, nil
}

func unknownField(name string, allowed []string) string {
	s := "unknown field " + quoteName(name)
	for _, a := range allowed {
		if strings.EqualFold(a, name) {
			s += ", did you mean " + a + "?"
		}
	}
	return s
}

// checkDepth counts brackets outside strings before any parser recurses into them. It need not understand the rest.
func checkDepth(what string, body []byte) error {
	depth, quoted, escaped := 0, false, false
	for _, b := range body {
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			if depth++; depth > MaxJSONDepth {
				return BadRequest(what, fmt.Sprintf("must not nest deeper than %d levels", MaxJSONDepth))
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}

// checkNames walks a valid JSON text and refuses too many names, a name that stands twice in one object, at any level,
// and strings whose \u escapes are half of a surrogate pair.
func checkNames(what string, body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	count := 0
	type frame struct {
		names map[string]bool // nil in an array
		name  string          // the field whose value comes next; "" where a name does
		value bool            // a value comes next
	}
	var stack []frame
	path := func(last string) string {
		var parts []string
		for _, f := range stack[:len(stack)-1] {
			if f.names != nil {
				parts = append(parts, quoteName(f.name))
			} else {
				parts = append(parts, "[]")
			}
		}
		return strings.Join(append(parts, quoteName(last)), ".")
	}
	for {
		start := dec.InputOffset()
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return BadRequest(what, "must be one JSON object and nothing else")
		}
		text, isText := token.(string)
		if isText && loneSurrogate(body[start:dec.InputOffset()]) {
			return BadRequest(what, `must not hold half of a surrogate pair (\ud800 to \udfff alone)`)
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			if n := len(stack); n > 0 {
				stack[n-1].value = false
			}
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil && !stack[n-1].value {
			if stack[n-1].names[text] {
				return BadRequest("field "+path(text), "must be given once; it is given twice")
			}
			if count++; count > MaxJSONNames {
				return BadRequest(what, fmt.Sprintf("must not have more than %d fields, at all levels together", MaxJSONNames))
			}
			stack[n-1].names[text] = true
			stack[n-1].name, stack[n-1].value = text, true
			continue
		}
		switch delim, _ := token.(json.Delim); delim {
		case '{':
			stack = append(stack, frame{names: map[string]bool{}})
		case '[':
			stack = append(stack, frame{})
		default:
			if n := len(stack); n > 0 {
				stack[n-1].value = false
			}
		}
	}
}

// loneSurrogate looks for it in the source text of a JSON string that is known to be valid.
func loneSurrogate(source []byte) bool {
	half := func(s []byte) (rune, bool) {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
		return rune(n), err == nil && 0xD800 <= n && n <= 0xDFFF
	}
	for i := 0; i < len(source); i++ {
		if source[i] != '\\' {
			continue
		}
		first, ok := half(source[i:])
		if !ok {
			i++ // the escaped character, which may itself be a backslash
			continue
		}
		second, ok := half(source[i+6:])
		if first >= 0xDC00 || !ok || second < 0xDC00 {
			return true
		}
		i += 11
	}
	return false
}

// str reads a string field. present is false where the field was left out.
func (o object) str(name string) (s string, present bool, err error) {
	raw, ok := o[name]
	if !ok {
		return "", false, nil
	}
	if err := wantKind(name, raw, "a string"); err != nil {
		return "", false, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false, BadRequest(name, "must be a string")
	}
	return s, true, nil
}

func wantKind(name string, raw json.RawMessage, want string) error {
	kind := kindOf(raw)
	switch kind {
	case want:
		return nil
	case "null":
		return BadRequest(name, "must be "+want+", not null: leave out what you do not want to set")
	}
	return BadRequest(name, "must be "+want+", not "+kind)
}

func kindOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// quoteName shows a caller's own word in an error, in printable ASCII and not much of it.
func quoteName(s string) string {
	if len(s) > maxNameShown {
		return strconv.QuoteToASCII(strings.ToValidUTF8(s[:maxNameShown], "")) + "..."
	}
	return strconv.QuoteToASCII(s)
}
