package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// refusal returns what the sender of documents is told; "" where they are right.
func refusal(t testing.TB, p *Policy, text string) string {
	t.Helper()
	err := p.CheckDocuments(t.Context(), documents(t, text))
	if err == nil {
		return ""
	}
	var e *model.Error
	if !errors.As(err, &e) || e.Code != model.CodeBadRequest || e.Cause != nil {
		t.Fatalf("%v", err)
	}
	return e.Message
}

// Every keyword says what the field must be, and repeats no value.
func TestCheckDocuments(t *testing.T) {
	for _, tc := range []struct{ name, schema, documents, want string }{
		{"type", "properties: {a: {type: string}}", `{"a":1}`, "documents.a must be a string, not a number"},
		{"types", "properties: {a: {type: [string, object, 'null']}}", `{"a":[]}`, "documents.a must be null, a string or an object, not an array"},
		{"integer", "properties: {a: {type: integer}}", `{"a":1.5}`, "documents.a must be an integer, not a number"},
		{"integer with a point", "properties: {a: {type: integer}}", `{"a":10.0e-1}`, ""},
		{"large integer", "properties: {a: {type: integer, maximum: 12345678901234567890}}", `{"a":12345678901234567890}`, ""},
		{"one more", "properties: {a: {type: integer, maximum: 12345678901234567890}}", `{"a":12345678901234567891}`, "documents.a must be 12345678901234567890 or less"},
		{"exact decimals", "properties: {a: {multipleOf: 0.1, minimum: 0.3}}", `{"a":0.3}`, ""},
		{"minimum", "properties: {a: {minimum: 18}}", `{"a":17}`, "documents.a must be 18 or more"},
		{"exclusiveMinimum", "properties: {a: {exclusiveMinimum: 1.5}}", `{"a":1.5}`, "documents.a must be more than 1.5"},
		{"exclusiveMaximum", "properties: {a: {exclusiveMaximum: 1e3}}", `{"a":1000}`, "documents.a must be less than 1000"},
		{"multipleOf", "properties: {a: {multipleOf: 5}}", `{"a":7}`, "documents.a must be a multiple of 5"},
		{"const", "properties: {a: {const: 'yes'}}", `{"a":"no"}`, `documents.a must be "yes"`},
		{"const, a number", "properties: {a: {const: 1.0}}", `{"a":1}`, ""},
		{"const, an object", "properties: {a: {const: {b: 1}}}", `{"a":{"b":2}}`, "documents.a must be a certain object"},
		{"enum", "properties: {a: {enum: [x, 1, true, null, [1], {}]}}", `{"a":"secret"}`, `documents.a must be "x", 1, true, null, a certain array or a certain object`},
		{"enum, long", "properties: {a: {enum: [a, b, c, d, e, f, g, h, i, j, k, l]}}", `{"a":"secret"}`, `documents.a must be "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" or one of 2 others`},
		{"enum with controls", `properties: {a: {enum: ["\e[2J<b>"]}}`, `{"a":"secret"}`, `documents.a must be "\x1b[2J<b>"`},
		{"minLength", "properties: {a: {minLength: 2}}", `{"a":"é"}`, "documents.a must have at least 2 characters, not 1"},
		{"maxLength", "properties: {a: {maxLength: 1}}", `{"a":"secret"}`, "documents.a must have at most 1 character, not 6"},
		{"pattern", "properties: {a: {pattern: '^[A-Z]{2}$'}}", `{"a":"secret"}`, `documents.a must match the pattern "^[A-Z]{2}$"`},
		{"pattern with controls", `properties: {a: {pattern: "^\e[2J]$"}}`, `{"a":"secret"}`, `documents.a must match the pattern "^\x1b[2J]$"`},
		{"date", "properties: {a: {format: date}}", `{"a":"2030-13-01"}`, "documents.a must be a date, such as 2030-12-31"},
		{"date-time", "properties: {a: {format: date-time}}", `{"a":"2030-12-01"}`, "documents.a must be a date and time with Z or an offset, such as 2030-12-31T00:00:00Z"},
		{"time", "properties: {a: {format: time}}", `{"a":"noon"}`, "documents.a must be a time with Z or an offset, such as 23:59:59Z"},
		{"duration", "properties: {a: {format: duration}}", `{"a":"1y"}`, "documents.a must be a duration, such as P1Y6M (ISO 8601)"},
		{"email", "properties: {a: {format: email}}", `{"a":"secret"}`, "documents.a must be an email address"},
		{"hostname", "properties: {a: {format: hostname}}", `{"a":"se cret"}`, "documents.a must be a host name"},
		{"ipv4", "properties: {a: {format: ipv4}}", `{"a":"1.2.3.256"}`, "documents.a must be an IPv4 address"},
		{"ipv6", "properties: {a: {format: ipv6}}", `{"a":"1.2.3.4"}`, "documents.a must be an IPv6 address"},
		{"uri", "properties: {a: {format: uri}}", `{"a":"/secret"}`, "documents.a must be a URI with its scheme, such as https://example.org/a"},
		{"uri-reference", "properties: {a: {format: uri-reference}}", `{"a":"\\secret"}`, "documents.a must be a URI, or a reference relative to one"},
		{"uri-template", "properties: {a: {format: uri-template}}", `{"a":"{"}`, "documents.a must be a URI template"},
		{"uuid", "properties: {a: {format: uuid}}", `{"a":"secret"}`, "documents.a must be a UUID"},
		{"json-pointer", "properties: {a: {format: json-pointer}}", `{"a":"secret"}`, "documents.a must be a JSON pointer"},
		{"relative-json-pointer", "properties: {a: {format: relative-json-pointer}}", `{"a":"secret"}`, "documents.a must be a relative JSON pointer"},
		{"required", "required: [a, b c, d]", `{"d":1}`, `documents.a must be given; documents."b c" must be given`},
		{"required deep down", "properties: {a: {items: {required: [b]}}}", `{"a":[{"b":1},{}]}`, "documents.a[1].b must be given"},
		{"dependentRequired", "dependentRequired: {a: [b]}", `{"a":1}`, "documents.b must be given where a is"},
		{"dependentSchemas", "dependentSchemas: {a: {required: [b]}}", `{"a":1}`, "documents.b must be given"},
		{"additionalProperties", "properties: {a: true}\nadditionalProperties: false", `{"a":1,"c":1,"b":1}`, "documents.b must be left out: there is no such field; documents.c must be left out: there is no such field"},
		{"name with controls", "additionalProperties: false", "{\"\\u001b[2J<script>\":1}", `documents."\x1b[2J<script>" must be left out: there is no such field`},
		{"long name", "additionalProperties: false", `{"` + strings.Repeat("é", 1000) + `":1}`, `documents."` + strings.Repeat(`\u00e9`, 20) + `"... must be left out: there is no such field`},
		{"unevaluatedProperties", "allOf: [{properties: {a: true}}]\nunevaluatedProperties: false", `{"a":1,"b":1}`, "documents.b must be left out"},
		{"patternProperties", "patternProperties: {'^n_': {type: number}}", `{"n_a":"secret","b":"x"}`, "documents.n_a must be a number, not a string"},
		{"minProperties", "minProperties: 2", `{"a":1}`, "documents must have at least 2 fields, not 1"},
		{"maxProperties", "maxProperties: 1", `{"a":1,"b":1}`, "documents must have at most 1 field, not 2"},
		{"items", "properties: {a: {prefixItems: [{type: string}], items: {type: number}}}", `{"a":[1,1,"secret"]}`, "documents.a[0] must be a string, not a number; documents.a[2] must be a number, not a string"},
		{"minItems", "properties: {a: {minItems: 1}}", `{"a":[]}`, "documents.a must have at least 1 item, not 0"},
		{"maxItems", "properties: {a: {maxItems: 1}}", `{"a":[1,2]}`, "documents.a must have at most 1 item, not 2"},
		{"uniqueItems", "properties: {a: {uniqueItems: true}}", `{"a":[1,2,1.0]}`, "documents.a must not hold anything twice; [0] and [2] are equal"},
		{"contains", "properties: {a: {contains: {const: 1}}}", `{"a":[2,"secret"]}`, "documents.a must have an item of the form that the policy asks for; it has none"},
		{"minContains", "properties: {a: {contains: {const: 1}, minContains: 2}}", `{"a":[1]}`, "documents.a must have at least 2 items of the form that the policy asks for, not 1"},
		{"maxContains", "properties: {a: {contains: {const: 1}, maxContains: 1}}", `{"a":[1,1]}`, "documents.a must have at most 1 item of the form that the policy bounds, not 2"},
		{"unevaluatedItems", "properties: {a: {prefixItems: [true], unevaluatedItems: false}}", `{"a":[1,"secret"]}`, "documents.a[1] must be left out"},
		{"not", "properties: {a: {not: {const: secret}}}", `{"a":"secret"}`, "documents.a must not be what the policy rules out"},
		{"if", "if: {properties: {a: {const: x}}}\nthen: {required: [b]}\nelse: {required: [c]}", `{"a":"x"}`, "documents.b must be given"},
		{"else", "if: {properties: {a: {const: x}}}\nthen: {required: [b]}\nelse: {required: [c]}", `{"a":"y"}`, "documents.c must be given"},
		{"anyOf of kinds", "properties: {a: {anyOf: [{type: string}, {type: 'null'}, {const: true}]}}", `{"a":1}`, "documents.a must be a string, null or true, not a number"},
		{"anyOf of kinds, one near", "properties: {a: {anyOf: [{type: string, maxLength: 2}, {type: 'null'}]}}", `{"a":"secret"}`, "documents.a must have at most 2 characters, not 6"},
		{"oneOf, none", "oneOf: [{required: [a, b]}, {required: [c]}]", `{"x":1}`, "documents.c must be given, in the nearest of the 2 forms allowed"},
		{"oneOf, two", "oneOf: [{required: [a]}, {required: [b]}, {required: [c]}]", `{"b":1,"c":1}`, "documents must have exactly one of the forms allowed; it has the 2nd and the 3rd"},
		{"reference", "$ref: \"#/$defs/x\"\n$defs: {x: {allOf: [{required: [a]}, {$ref: \"#/$defs/y\"}]}, y: {required: [b]}}", `{"x":1}`, "documents.a must be given; documents.b must be given"},
		{"false", "properties: {a: false}", `{"a":1}`, "documents.a must be left out"},
		{"nothing is right", "false", `{"a":1}`, "documents must be left out"},
		{"position or name", "properties: {a: {additionalProperties: {type: string}}}", `{"a":{"0":1}}`, "documents.a.0 must be a string, not a number"},
		{"order of positions", "properties: {a: {items: {type: string}}}", `{"a":["","",1,"","","","","","","",1]}`, "documents.a[2] must be a string, not a number; documents.a[10] must be a string, not a number"},
		{"many", "additionalProperties: {type: string}", `{"l":1,"k":1,"j":1,"i":1,"h":1,"g":1,"f":1,"e":1,"d":1,"c":1,"b":1,"a":1}`,
			strings.ReplaceAll("documents.a@; documents.b@; documents.c@; documents.d@; documents.e@; documents.f@; documents.g@; documents.h@; documents.i@; documents.j@; and more", "@", " must be a string, not a number")},
		{"said once", "allOf: [{required: [a]}, {required: [a]}]", `{"b":1}`, "documents.a must be given"},
		{"number with a large exponent", "properties: {a: {minimum: 1}}", `{"a":1e1000}`, "documents.a must be a number of at most 64 characters, with an exponent from -999 to 999"},
		{"number whose exponent is larger than memory", "properties: {b: true}", `{"a":[0,{"b":1e999999999}]}`, "documents.a[1].b must be a number of at most 64 characters, with an exponent from -999 to 999"},
		{"long number", "true", `{"a":` + strings.Repeat("1", 65) + `}`, "documents.a must be a number of at most 64 characters, with an exponent from -999 to 999"},
		{"the largest number", "properties: {a: {type: integer, multipleOf: 1e999, minimum: 1e-999}}", `{"a":-1E+999}`, "documents.a must be 1e-999 or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := parsed(t, schemaText(tc.schema))
			for range 5 { // the library goes through fields in any order
				got := refusal(t, p, tc.documents)
				if got != tc.want {
					t.Fatalf("got  %s\nwant %s", got, tc.want)
				}
				if strings.Contains(got, "secret") {
					t.Fatalf("a value is repeated: %s", got)
				}
			}
		})
	}
}

func TestCheckDocumentsWithoutSchema(t *testing.T) {
	p := parsed(t, "credential: A\ndecision: review\nkeep_documents: 0s\n")
	if err := p.CheckDocuments(t.Context(), documents(t, `{"a":1}`)); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.CheckDocuments(ctx, documents(t, `{"a":1}`)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := parsed(t, least).CheckDocuments(t.Context(), model.Documents{}); model.CodeOf(err) != model.CodeBadRequest {
		t.Error(err)
	}
}

// Documents are checked only as far as the schema's cost allows: just within the bounds they are, and beyond them refused
// before the library sees them.
func TestCheckDocumentsWithinBounds(t *testing.T) {
	list := func(n int, item string) string {
		return `{"a":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
	}
	nested := `"` + strings.Repeat("x", 10) + `"`
	for _, tc := range []struct{ name, schema, within, beyond, want string }{
		{"values", "true", list(MaxValues-2, "1"), list(MaxValues-1, "1"), "documents must be smaller: they must not have more than 32768 fields and items, at all levels together"},
		{"checks", "properties: {a: {items: {anyOf: [{type: number},{type: string}]}}}", list(10_000, "1"), list(11_000, "1"), "documents must be smaller: they hold 1.1 times as many fields and items as can be checked"},
		{"text", "properties: {a: {items: {pattern: '^([a-z]x?){1,100}$'}}}", list(1, `"`+strings.Repeat("x", 25_000)+`"`), list(1, `"`+strings.Repeat("x", 30_000)+`"`), "documents must be smaller: they hold 1.1 times as much text as can be checked"},
		{"comparisons", "properties: {a: {uniqueItems: true}}", list(89, "["+nested+",1,2]"), list(90, "["+nested+",1,2]"), "documents must have shorter lists: they take 1.1 times as many comparisons as can be made"},
		{"plain items are cheap to compare", "properties: {a: {uniqueItems: true}}", list(15_000, "1"), list(33_000, "1"), "documents must be smaller: they must not have more than 32768 fields and items, at all levels together"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := parsed(t, schemaText(tc.schema))
			if got := refusal(t, p, tc.within); strings.Contains(got, "smaller") || strings.Contains(got, "shorter") {
				t.Errorf("within: %s", got)
			}
			if got := refusal(t, p, tc.beyond); got != tc.want {
				t.Errorf("beyond: %s", got)
			}
		})
	}
}

// What the library is made to allocate stays small, whatever is sent.
func TestCheckDocumentsMemory(t *testing.T) {
	var deep strings.Builder
	deep.WriteString(strings.Repeat(`{"c":`, 28) + `{"v":[`)
	deep.WriteString(strings.Repeat("1,", 12_000) + "1]}" + strings.Repeat("}", 28))
	for _, tc := range []struct{ name, schema, documents string }{
		{"deep", "$ref: \"#/$defs/n\"\n$defs: {n: {properties: {c: {$ref: \"#/$defs/n\"}, v: {items: {type: string}}}}}", deep.String()},
		{"alternatives", "properties: {a: {items: {anyOf: [" + strings.Repeat("{type: string},", 100) + "]}}}", `{"a":[` + strings.Repeat("1,", 250) + `1]}`},
		{"flat", "properties: {a: {items: {type: string}}}", `{"a":[` + strings.Repeat("1,", 25_000) + `1]}`},
		{"whole body", "properties: {a: {items: {type: string}}}", `{"a":[` + strings.Repeat("1,", 500_000) + `1]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, d := parsed(t, schemaText(tc.schema)), documents(t, tc.documents)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := p.CheckDocuments(t.Context(), d)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("no fault")
			}
			if refused := strings.Contains(err.Error(), "smaller"); refused != (tc.name == "whole body") {
				t.Errorf("the library was left out, or was not: %.200s", err)
			}
			const most = 100 << 20
			if n := after.TotalAlloc - before.TotalAlloc; n > most {
				t.Errorf("allocated %d MiB", n>>20)
			}
			if len(err.Error()) > 5000 {
				t.Errorf("told in %d bytes", len(err.Error()))
			}
		})
	}
}

// Values with equal hashes, which strangers can make many of, are told apart all the same.
func TestUniqueItemsWithEqualHashes(t *testing.T) {
	p := parsed(t, schemaText("properties: {a: {uniqueItems: true}}"))
	var b strings.Builder
	for i := range 40 {
		// The library hashes "x" and "y" in a list as it does "x\x04y".
		fmt.Fprintf(&b, `["k","%s","l%s"],`, strings.Repeat(`\u0004`, i), strings.Repeat(`\u0004`, 40-i))
	}
	if got := refusal(t, p, `{"a":[`+b.String()+`1]}`); got != "" {
		t.Error(got)
	}
}

// The example policies are what the README shows: they load, and say what they say.
func TestExamples(t *testing.T) {
	set, err := Load("../../examples/policies")
	if err != nil {
		t.Fatal(err)
	}
	member, ok := set.For("Member")
	if !ok || member.Decision != Automatic || !member.ProofRequired {
		t.Fatalf("%+v", member)
	}
	if got := refusal(t, member, `{"name":"Alice","email":"alice@example.org","since":"2020-02-29"}`); got != "" {
		t.Error(got)
	}
	if got := refusal(t, member, `{"name":"","mail":"alice@example.org","since":"2021-02-29"}`); got != "documents.email must be given; documents.mail must be left out: there is no such field; documents.name must have at least 1 character, not 0; documents.since must be a date, such as 2030-12-31" {
		t.Error(got)
	}
	if got, err := member.URI("", issuer, subject); got != "https://example.org/members/"+string(subject) || err != nil {
		t.Error(got, err)
	}
	accredited, ok := set.For("Accredited")
	if !ok || accredited.Decision != Review || accredited.KeepDocuments != 30*day {
		t.Fatalf("%+v", accredited)
	}
	if got := refusal(t, accredited, `{"name":"Bob","country":"CH","investor":{"born":"1990-01-01","net_worth_usd":1000000.01}}`); got != "" {
		t.Error(got)
	}
	if got := refusal(t, accredited, `{"name":"Bob","country":"CH","investor":{"registration":"CHE-1","assets_usd":5000000,"owners":[{"name":"Bob","share":100}]}}`); got != "" {
		t.Error(got)
	}
	if got := refusal(t, accredited, `{"name":"Bob","country":"ch","investor":{"born":"1990-01-01","net_worth_usd":999999}}`); got != `documents.country must match the pattern "^[A-Z]{2}$"; documents.investor.net_worth_usd must be 1000000 or more, in the nearest of the 2 forms allowed` {
		t.Error(got)
	}
}
