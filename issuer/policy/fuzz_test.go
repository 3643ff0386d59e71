package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/model"
)

func seeds(f *testing.F) []string {
	f.Helper()
	list := []string{full, least}
	examples, err := filepath.Glob("../../examples/policies/*.yaml")
	if err != nil || len(examples) == 0 {
		f.Fatal("no examples", err)
	}
	for _, name := range examples {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, string(text))
	}
	return list
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// Whatever stands in a file, reading it ends, with faults that can be shown or with a policy that can be used.
func FuzzLoad(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	for _, schema := range []string{
		"$ref: \"#\"", "items: {$ref: \"#\"}\ncontains: {$ref: \"#\"}", "enum: [1e1000, 010, .inf, 2020-01-01]", "$anchor: a\n$ref: \"#a\"",
		"patternProperties: {'(': true, '': {$id: x}}", "$schema: x\n$vocabulary: {a: true}", "allOf: {}\nnot: []\ntype: 1", "properties: {\"~/%\": {$ref: \"#/properties/~0~1%25\"}}",
	} {
		f.Add(schemaText(schema))
	}
	f.Add("a: &a [*a]\n")
	f.Add("- !!binary x\n? {a: b}\n: <<\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > MaxFileBytes {
			return
		}
		faults := &Faults{Dir: "d"}
		p := (&file{name: "a.yaml", faults: faults}).policy([]byte(text))
		if err := faults.err(); err != nil {
			for line := range strings.Lines(err.Error()) {
				if line = strings.TrimSuffix(line, "\n"); !printable(line) {
					t.Fatalf("a fault that cannot be shown: %q", line)
				}
			}
			for _, fault := range faults.List {
				if fault.Line < 0 || fault.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+strings.Count(text, "\u0085")+strings.Count(text, "\u2028")+strings.Count(text, "\u2029")+1 {
					t.Fatalf("%v: there is no such line", fault)
				}
			}
			return
		}
		if p.Type == "" || p.Decision != Automatic && p.Decision != Review || p.Validity.Default > p.Validity.Longest && p.Validity.Longest != 0 {
			t.Fatalf("%+v", p)
		}
		if _, err := model.ParseType(string(p.Type)); err != nil {
			t.Fatal(err)
		}
		if uri, err := p.URI("", issuer, subject); err != nil {
			t.Fatal(err)
		} else if p.HasURI() {
			if _, err := model.ParseURI(uri); err != nil {
				t.Fatalf("%s: %v", uri, err)
			}
		}
		if _, err := p.Expiration(nil, 800_000_000); err != nil {
			t.Fatal(err)
		}
		if err := p.CheckDocuments(t.Context(), documents(t, `{"name":"a","a":[1,"b",{"c":null}],"n":1e999}`)); err != nil && model.CodeOf(err) != model.CodeBadRequest {
			t.Fatal(err)
		}
	})
}

// Whatever documents are, checking them ends, the same way each time, in words that can be shown.
func FuzzCheckDocuments(f *testing.F) {
	const all = `
type: object
properties:
  name: {type: string, minLength: 1, maxLength: 20, pattern: "^[A-Z]"}
  n: {type: integer, minimum: 1, multipleOf: 0.5}
  at: {anyOf: [{type: string, format: date}, {type: string, format: date-time}, {type: "null"}]}
  mail: {format: email}
  at_home: {format: hostname, oneOf: [{format: ipv4}, {format: ipv6}, {format: uri}, {format: uuid}, {format: uri-template}]}
  other: {format: duration, not: {format: json-pointer}}
  list: {uniqueItems: true, contains: {type: number}, items: {enum: [1, a, [1], {b: 2}, null]}, maxItems: 30}
  tree: {$ref: "#"}
patternProperties: {"^x_": {if: {type: string}, then: {format: time}, else: {const: {a: [1]}}}}
dependentRequired: {n: [name]}
unevaluatedProperties: {type: object, additionalProperties: false, minProperties: 1}
required: [name]
`
	p := parsed(f, schemaText(all))
	for _, s := range []string{
		`{"name":"A"}`, `{"n":1e999,"list":[1,1.0,"a",[1],{"b":2}]}`, `{"tree":{"tree":{"name":1}},"at":"2030-01-01"}`, `{"x_":"12:00:00Z","x_b":{"a":[1]},"y":{"z":1}}`,
		`{"mail":"a@b","at_home":"1.2.3.4","other":"P1Y","n":-0.5e-10}`, `{"\u001b[2J<b>":{"\u2028":1}}`, `{"n":1e1000000000}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := model.DocumentsOf([]byte(text))
		if err != nil {
			return
		}
		first := p.CheckDocuments(t.Context(), d)
		if first == nil {
			return
		}
		if model.CodeOf(first) != model.CodeBadRequest || !printable(first.Error()) || !utf8.ValidString(first.Error()) {
			t.Fatalf("%q", first.Error())
		}
		if again := p.CheckDocuments(t.Context(), d); again == nil || again.Error() != first.Error() {
			t.Fatalf("first %v, then %v", first, again)
		}
	})
}
