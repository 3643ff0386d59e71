package policy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestFaultsOfSchemas(t *testing.T) {
	const formats = "date, date-time, duration, email, hostname, ipv4, ipv6, json-pointer, relative-json-pointer, time, uri, uri-reference, uri-template or uuid"
	for _, tc := range []struct {
		name, schema string
		want         []string
	}{
		{"text", `"x"`, []string{"4: documents must be a JSON Schema: a mapping, true or false, not text"}},
		{"list", `[]`, []string{"4: documents must be a JSON Schema: a mapping, true or false, not a list"}},
		{"keyword", "requird: [a]", []string{"4: documents must not have the keyword requird; did you mean required?"}},
		{"keyword in another case", "minlength: 1", []string{"4: documents must not have the keyword minlength; did you mean minLength?"}},
		{"own keyword", "x-mine: 1", []string{"4: documents must not have the keyword x-mine"}},
		{"keyword with controls", `"\e[2J": 1`, []string{`4: documents must not have the keyword "\x1b[2J"`}},
		{"keyword deep down", "properties:\n  a:\n    items: {nullable: true}", []string{"6: documents.properties.a.items must not have the keyword nullable"}},
		{"of other drafts", "definitions: {}\nadditionalItems: false\ndependencies: {}\n$recursiveRef: \"#\"", []string{
			"4: documents must not have the keyword definitions: it is called $defs in 2020-12",
			"5: documents must not have the keyword additionalItems: it is items beside prefixItems in 2020-12",
			"6: documents must not have the keyword dependencies: it is dependentRequired and dependentSchemas in 2020-12",
			"7: documents must not have the keyword $recursiveRef: use $ref"}},
		{"not checked", "contentEncoding: base64\npropertyNames: {maxLength: 3}\n$vocabulary: {}\n$dynamicRef: \"#a\"\n$dynamicAnchor: a", []string{
			"4: documents must not have the keyword contentEncoding: it would not be checked",
			"5: documents must not have the keyword propertyNames: use patternProperties and additionalProperties: false",
			"6: documents must not have the keyword $vocabulary: leave it out: the vocabulary is that of 2020-12",
			"7: documents must not have the keyword $dynamicRef: use $ref",
			"8: documents must not have the keyword $dynamicAnchor: use $anchor or $defs"}},
		{"another draft", `$schema: "http://json-schema.org/draft-07/schema#"`, []string{"4: documents.$schema must be https://json-schema.org/draft/2020-12/schema, or be left out"}},
		{"own metaschema", `$schema: "http://127.0.0.1/x"`, []string{"4: documents.$schema must be https://json-schema.org/draft/2020-12/schema, or be left out"}},
		{"$id within", "properties: {a: {$id: \"http://x/\"}}", []string{"4: documents.properties.a.$id must be left out, but at the top: references are resolved in the whole schema"}},
		{"format", "format: e-mail", []string{"4: documents.format must be one of the formats that are checked: " + formats}},
		{"format of patterns", "format: regex", []string{"4: documents.format must be one of the formats that are checked: " + formats}},
		{"pattern", `pattern: "^(?=a)b$"`, []string{`4: documents.pattern must be a pattern that Go's regexp (RE2) can compile; "^(?=a)b$" has a fault: invalid or unsupported Perl syntax`}},
		{"pattern with controls", `pattern: "\e[2J("`, []string{`4: documents.pattern must be a pattern that Go's regexp (RE2) can compile; "\x1b[2J(" has a fault: missing closing ]`}},
		{"back-reference", `patternProperties: {'(a)\1': true}`, []string{`4: documents.patternProperties must be a pattern that Go's regexp (RE2) can compile; "(a)\\1" has a fault: invalid escape sequence`}},
		{"large pattern", `pattern: "^[a-z]{1,999}[a-z]{1,999}[a-z]{1,999}$"`, []string{`4: documents.pattern must be a smaller pattern: it is compiled to 5995 steps, and all patterns of one schema may have 4096 (repeats such as {1,1000} are written out)`}},
		{"patterns for names, together", `patternProperties: {"^[a-z]{1,999}$": true, "^[A-Z]{1,999}$": true, "^[0-9]{1,999}$": true}`, []string{`4: documents.patternProperties must be a smaller pattern: it is compiled to 2001 steps, and all patterns of one schema may have 4096 (repeats such as {1,1000} are written out)`}},
		{"long pattern", "pattern: " + strings.Repeat("a", 1001), []string{"4: documents.pattern must be a pattern of at most 1000 bytes"}},
		{"pattern bomb", `pattern: "((a{100}){100}){100}"`, []string{`4: documents.pattern must be a pattern that Go's regexp (RE2) can compile; "((a{100}){100}){100}" has a fault: invalid repeat count`}},
		{"then alone", "then: true\nelse: false\nminContains: 1", []string{
			"4: documents must have if where it has then, which checks nothing otherwise", "4: documents must have if where it has else, which checks nothing otherwise",
			"4: documents must have contains where it has minContains, which checks nothing otherwise"}},
		{"numbers", "enum: [010, 0x1f, 1_000, .5, 1., .inf, .nan, +1, 0o17]", strings.Split(strings.Repeat("4: documents.enum[%] must be a number as JSON writes it, or text in quotes\n", 9), "\n")[:9]},
		{"large numbers", "maximum: 1e1000\nminimum: 1e-1000\nconst: 1" + strings.Repeat("0", 64), []string{
			"4: documents.maximum must be a number of at most 64 characters, with an exponent from -999 to 999",
			"5: documents.minimum must be a number of at most 64 characters, with an exponent from -999 to 999",
			"6: documents.const must be a number of at most 64 characters, with an exponent from -999 to 999"}},
		{"counts", "maxLength: 1000000001\nminItems: 99999999999999999999", []string{
			"4: documents.maxLength must be a whole number from 0 to 1000000000", "5: documents.minItems must be a whole number from 0 to 1000000000"}},
		{"booleans of other YAMLs", "uniqueItems: True", []string{"4: documents.uniqueItems must be true, false, null, a number or text, as JSON writes them"}},
		{"a name twice", "properties:\n  a: true\n  a: false", []string{"6: documents.properties must have a once; it stands in line 5 already"}},
		{"a name that is a number", "properties: {1: true}", []string{"4: documents.properties must have names that are text: put quotes around what reads as a number"}},
		{"wrong kinds", "properties:\n  a: {type: strin, minLength: -1}\nrequired: a\nallOf: []\ntype: [string, string]\nenum: x\nmultipleOf: 0\n$anchor: \"1a\"", []string{
			`5: documents.properties.a.minLength must be 0 or more`,
			`5: documents.properties.a.type must be "array", "boolean", "integer", "null", "number", "object" or "string"`,
			"6: documents.required must be an array, not a string", "7: documents.allOf must have at least 1 item, not 0",
			"8: documents.type must not hold anything twice; [0] and [1] are equal",
			"9: documents.enum must be an array, not a string", "10: documents.multipleOf must be more than 0",
			`11: documents.$anchor must match the pattern "^[A-Za-z_][-A-Za-z0-9._]*$"`}},
		{"wrong kinds of schemas", "properties: [a]\nallOf: {a: true}\nnot: 1\nitems: null\n$defs: 1", []string{
			"4: documents.properties must be an object, not an array", "5: documents.allOf must be an array, not an object",
			"6: documents.not must be a JSON Schema: a mapping, true or false, not a number", "7: documents.items must be a JSON Schema: a mapping, true or false, not nothing",
			"8: documents.$defs must be an object, not a number"}},
		{"anchor twice", "$anchor: a\nproperties: {b: {$anchor: a}}", []string{"5: documents.properties.b.$anchor must be another name: there is one such anchor already"}},
		{"reference to nothing", "properties:\n  a/b~c: {$ref: \"#/$defs/\\e\"}", []string{`5: documents.properties."a/b~c".$ref must point to a schema in this schema, such as #/$defs/address; there is none at "#/$defs/\x1b"`}},
		{"reference to an anchor that is not there", `$ref: "#a"`, []string{`4: documents.$ref must point to a schema in this schema, such as #/$defs/address; there is none at "#a"`}},
		{"reference to what is no schema", "$ref: \"#/required\"\nrequired: [a]", []string{`4: documents.$ref must point to a schema in this schema, such as #/$defs/address; there is none at "#/required"`}},
		{"reference into an unknown place", `$ref: "#/properties/%zz"`, []string{`4: documents.$ref must point to a schema in this schema, such as #/$defs/address; there is none at "#/properties/%zz"`}},
		{"references elsewhere", "allOf:\n- $ref: http://127.0.0.1/\n- $ref: file:///etc/passwd\n- $ref: other.yaml#/a\n- $ref: https://json-schema.org/draft/2020-12/schema\n- $ref: \"\"", []string{
			"5: documents.allOf.0.$ref must begin with #: it can only point into this schema, and nothing is ever loaded",
			"6: documents.allOf.1.$ref must begin with #: it can only point into this schema, and nothing is ever loaded",
			"7: documents.allOf.2.$ref must begin with #: it can only point into this schema, and nothing is ever loaded",
			"8: documents.allOf.3.$ref must begin with #: it can only point into this schema, and nothing is ever loaded",
			"9: documents.allOf.4.$ref must begin with #: it can only point into this schema, and nothing is ever loaded"}},
		{"reference that is no text", "$ref: 1", []string{"4: documents.$ref must be a string, not a number"}},
		{"to itself", `$ref: "#"`, []string{"4: documents must not lead back to itself through $ref, allOf, anyOf, oneOf, not, if, then, else or dependentSchemas alone"}},
		{"in a circle", "$ref: \"#/$defs/a\"\n$defs:\n  a: {anyOf: [{type: string}, {$ref: \"#/$defs/b\"}]}\n  b: {not: {$ref: \"#/$defs/a\"}}", []string{
			"6: documents.$defs.a must not lead back to itself through $ref, allOf, anyOf, oneOf, not, if, then, else or dependentSchemas alone"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i, w := range tc.want {
				tc.want[i] = strings.Replace(w, "%]", fmt.Sprintf("%d]", i), 1)
			}
			equal(t, faultsOf(t, schemaText(tc.schema)), tc.want...)
		})
	}
}

// Bombs are refused when they are read, in little time.
func TestSchemaBombs(t *testing.T) {
	chain := func(n int, link string) string { // definitions, each of which applies the next one twice
		var b strings.Builder
		b.WriteString("$ref: \"#/$defs/a0\"\n$defs:\n")
		for i := range n {
			fmt.Fprintf(&b, "  a%d: {%s}\n", i, strings.ReplaceAll(link, "NEXT", fmt.Sprintf(`{$ref: "#/$defs/a%d"}`, i+1)))
		}
		fmt.Fprintf(&b, "  a%d: {type: string}\n", n)
		return b.String()
	}
	simpler := func(depth int, times string) string {
		return fmt.Sprintf("4: documents must be a simpler schema: a value %d levels deep may take %s comparisons of its items; allowed are 256, 4096 and 256", depth, times)
	}
	for _, tc := range []struct{ name, schema, want string }{
		{"allOf", chain(100, "allOf: [NEXT, NEXT]"), simpler(0, "over 1000000000 checks, 0 steps of patterns for each byte, and 0")},
		{"anyOf", chain(30, "anyOf: [NEXT, NEXT]"), simpler(0, "over 1000000000 checks, 0 steps of patterns for each byte, and 0")},
		{"oneOf", chain(20, "oneOf: [NEXT, NEXT]"), simpler(0, "4194302 checks, 0 steps of patterns for each byte, and 0")},
		{"if", chain(100, "if: NEXT, then: NEXT, else: NEXT"), simpler(0, "over 1000000000 checks, 0 steps of patterns for each byte, and 0")},
		{"not and dependentSchemas", chain(100, "not: NEXT, dependentSchemas: {x: NEXT}"), simpler(0, "over 1000000000 checks, 0 steps of patterns for each byte, and 0")},
		{"through fields", "$ref: \"#/$defs/n\"\n$defs: {n: {type: object, patternProperties: {x: {$ref: \"#/$defs/n\"}, y: {$ref: \"#/$defs/n\"}}}}", simpler(8, "512 checks, 1536 steps of patterns for each byte, and 0")},
		{"through named fields", "properties: {xy: {$ref: \"#\"}}\npatternProperties: {x: {$ref: \"#\"}}", simpler(8, "512 checks, 768 steps of patterns for each byte, and 0")},
		{"through fields not evaluated", "properties: {x: {$ref: \"#\"}}\nunevaluatedProperties: {$ref: \"#\"}", simpler(8, "512 checks, 0 steps of patterns for each byte, and 0")},
		{"through items", "items: {$ref: \"#\"}\ncontains: {$ref: \"#\"}", simpler(8, "512 checks, 0 steps of patterns for each byte, and 0")},
		{"through positions", "prefixItems: [{$ref: \"#\"}]\nunevaluatedItems: {$ref: \"#\"}", simpler(8, "512 checks, 0 steps of patterns for each byte, and 0")},
		{"many alternatives", "anyOf: [" + strings.Repeat("{type: string},", 300) + "]", simpler(0, "301 checks, 0 steps of patterns for each byte, and 0")},
		{"long list of values", "enum: [" + strings.Repeat("1,", 3000) + "]", simpler(0, "376 checks, 0 steps of patterns for each byte, and 0")},
		{"patterns", "allOf: [" + strings.Repeat("{pattern: '^[a-z]{1,500}$'},", 5) + "]", simpler(0, "6 checks, 5015 steps of patterns for each byte, and 0")},
		{"many schemas", "$defs: {" + func() string {
			var b strings.Builder
			for i := range 500 {
				fmt.Fprintf(&b, "a%d: true,", i)
			}
			return b.String()
		}() + "}", "4: documents must not hold more than 500 schemas"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start := time.Now()
			equal(t, faultsOf(t, schemaText(tc.schema)), tc.want)
			t.Log(time.Since(start))
		})
	}
}

// What looks alike and is harmless goes through.
func TestSchemasThatAreNoBombs(t *testing.T) {
	var chain, wide strings.Builder
	for i := range 200 {
		fmt.Fprintf(&chain, "  a%d: {allOf: [{$ref: \"#/$defs/a%d\"}]}\n", i, i+1)
	}
	for i := range 400 {
		fmt.Fprintf(&wide, "  a%d: {type: string, pattern: '^[a-z]{1,100}$'}\n", i)
	}
	for name, schema := range map[string]string{
		"a tree":                 "properties: {left: {$ref: \"#\"}, right: {$ref: \"#\"}, leaves: {items: {$ref: \"#\"}}}",
		"a tree with a base":     "$ref: \"#/$defs/node\"\n$defs:\n  base: {properties: {all: {items: {$ref: \"#/$defs/node\"}}}}\n  node: {allOf: [{$ref: \"#/$defs/base\"}, {properties: {child: {$ref: \"#/$defs/node\"}}}]}",
		"many fields":            "properties:\n" + wide.String(),
		"a short chain":          "$ref: \"#/$defs/a80\"\n$defs:\n" + chain.String() + "  a200: {type: object}",
		"by anchor":              "$ref: \"#b\"\n$defs: {a: {$anchor: b, type: object}}",
		"with its own name":      "$id: https://example.org/schema\n$schema: https://json-schema.org/draft/2020-12/schema\nproperties: {a: {$ref: \"#/$defs/b\"}}\n$defs: {b: true}",
		"escapes in a reference": "$ref: \"#/$defs/a~1b~0c%20d\"\n$defs: {a/b~c d: {type: object}}",
		"true":                   "true",
		"dates without quotes":   "properties: {a: {enum: [2020-01-01, 2021-01-01]}}",
	} {
		t.Run(name, func(t *testing.T) {
			p := parsed(t, schemaText(schema))
			if err := p.CheckDocuments(t.Context(), documents(t, `{"x":{"y":[1]}}`)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Nothing that a policy or documents name is ever asked for: not a server that listens, not a file that is there.
func TestNothingIsLoaded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_ = conn.Close()
		}
	}()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "other.json"), `{"type":"object"}`)
	t.Chdir(dir)
	server := "http://" + listener.Addr().String() + "/schema.json"
	for _, url := range []string{server, server + "#/a", "//" + listener.Addr().String(), "file://" + dir + "/other.json", dir + "/other.json", "other.json", "./other.json#", "documents#"} {
		for _, schema := range []string{"$ref: \"URL\"", "$schema: \"URL\"", "properties: {a: {$id: \"URL\", $ref: \"#/x\"}}", "$id: \"URL\"\n$ref: other.json",
			"$dynamicRef: \"URL\"", "$vocabulary: {\"URL\": true}", "$defs: {a: {$schema: \"URL\", $id: \"URL\"}}"} {
			if got := faultsOf(t, schemaText(strings.ReplaceAll(schema, "URL", url))); len(got) == 0 {
				t.Errorf("%s with %s has no fault", schema, url)
			}
		}
		// A schema may have an address as its name. It stays a name, and so do addresses in documents.
		p := parsed(t, schemaText("$id: \""+url+"\"\n$ref: \"#/$defs/a\"\n$defs: {a: {properties: {b: {format: uri-reference, type: string}}}}"))
		if err := p.CheckDocuments(t.Context(), documents(t, `{"b":"`+url+`","$ref":"`+url+`","$schema":"`+url+`"}`)); err != nil {
			t.Error(err)
		}
	}
	// The library's own way to what is elsewhere is closed too, were a reference ever to get so far.
	for _, ref := range []string{server, "file://" + dir + "/other.json", "other.json"} {
		if _, err := compile(map[string]any{"$ref": ref}); err == nil || !strings.Contains(err.Error(), errNoLoad.Error()) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other.json")); err != nil {
		t.Error(err)
	}
	_ = listener.Close()
	<-done
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}
