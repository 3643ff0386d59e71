package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const alice = "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"

const please = `"documents":{"reason":"please"}`

func TestParseCredentialRequest(t *testing.T) {
	seconds := func(n uint32) *uint32 { return &n }
	for _, tc := range []struct {
		name, in string
		want     CredentialRequest
	}{
		{"the tutorial's", `{"subject": "` + alice + `", "credential": "TestCredential", "documents": {"reason": "please"}}`,
			CredentialRequest{Subject: alice, Type: "TestCredential"}},
		{"all fields", `{"subject":"` + alice + `","credential":"a","expiration":"2030-01-01T00:00:00Z","uri":"https://example.com",` + please + `}`,
			CredentialRequest{Subject: alice, Type: "a", Expiration: seconds(946771200), URI: "https://example.com"}},
		{"X-address", `{"subject":"XVLhHMPHU98es4dbozjVtdWzVrDjtV5fdx1mHp98tDMoQXb","credential":"a",` + please + `}`,
			CredentialRequest{Subject: alice, Type: "a"}},
		{"escapes", `{"\u0073ubject":"` + alice + `","credential":"\u0061",` + please + `}`,
			CredentialRequest{Subject: alice, Type: "a"}},
		{"space around", " \r\n\t{\"subject\":\"" + alice + `","credential":"a",` + please + "} \n",
			CredentialRequest{Subject: alice, Type: "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseCredentialRequest([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if reason, _ := got.Documents.Field("reason"); string(reason) != `"please"` {
				t.Errorf("documents hold %s as reason", reason)
			}
			got.Documents = Documents{}
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(tc.want)
			if string(g) != string(w) {
				t.Errorf("got %s, want %s", g, w)
			}
		})
	}
}

func TestParseCredentialRequestRefuses(t *testing.T) {
	with := func(fields string) string {
		return `{"subject":"` + alice + `","credential":"a",` + please + fields + `}`
	}
	for _, tc := range []struct{ name, in, want string }{
		{"empty", ``, "the body must be a JSON object; it is empty"},
		{"blank", " \n", "the body must be a JSON object; it is empty"},
		{"null", `null`, "the body must be a JSON object, not null"},
		{"array", `[]`, "the body must be a JSON object, not an array"},
		{"string", `"x"`, "the body must be a JSON object, not a string"},
		{"number", `1`, "the body must be a JSON object, not a number"},
		{"boolean", `true`, "the body must be a JSON object, not a boolean"},
		{"no JSON", `subject=x`, "the body must be one JSON object and nothing else; at byte 1: invalid character 's' looking for beginning of value"},
		{"cut off", `{"subject":`, "the body must be one JSON object and nothing else; at byte 11: unexpected end of JSON input"},
		{"two objects", `{} {}`, "the body must be one JSON object and nothing else; at byte 4: invalid character '{' after top-level value"},
		{"comment", `{} // x`, "the body must be one JSON object and nothing else; at byte 4: invalid character '/' after top-level value"},
		{"byte order mark", "\ufeff{}", "the body must be one JSON object and nothing else; at byte 1: invalid character 'ï' looking for beginning of value"},
		{"control character in a string", "{\"subject\":\"\x1b\"}", `the body must be one JSON object and nothing else; at byte 13: invalid character '\x1b' in string literal`},
		{"no UTF-8", "{\"subject\":\"\xff\"}", "the body must be UTF-8; it holds other bytes"},
		{"half a surrogate pair", `{"subject":"\ud800"}`, `the body must not hold half of a surrogate pair (\ud800 to \udfff alone)`},
		{"half a surrogate pair in documents", with(`,"uri":"a\udc00b"`), `the body must not hold half of a surrogate pair (\ud800 to \udfff alone)`},
		{"nothing given", `{}`, "subject must be given, as a string; credential must be given, as a string; documents must be given: a JSON object that is not empty"},
		{"unknown field", with(`,"admin":true`), `unknown field "admin"; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"name in another case", `{"Subject":"` + alice + `","credential":"a",` + please + `}`, `unknown field "Subject", did you mean subject?; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"Kelvin sign for k", `{"subject":"` + alice + `","credential":"a","do\u212auments":{}}`, `unknown field "do\u212auments"; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"long s for s", `{"\u017fubject":"x"}`, `unknown field "\u017fubject", did you mean subject?; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"unknown with controls", with(`,"\u001b[2J<b>":1`), `unknown field "\x1b[2J<b>"; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"unknown and long", with(`,"` + strings.Repeat("é", 1000) + `":1`), `unknown field "` + strings.Repeat(`\u00e9`, 20) + `"...; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"many unknown", with(`,"h":1,"g":1,"f":1,"e":1,"d":1,"c":1,"b":1`), `unknown field "b"; unknown field "c"; unknown field "d"; unknown field "e"; unknown field "f"; and 2 more; the fields are subject, credential, documents, expiration, uri, renew, proof`},
		{"twice", with(`,"credential":"b"`), `field "credential" must be given once; it is given twice`},
		{"twice, spelt differently", with(`,"\u0063redential":"b"`), `field "credential" must be given once; it is given twice`},
		{"twice, deep down", with(`,"uri":[{"a":{"b":1,"c":[1,{}],"b":2}}]`), `field "uri".[]."a"."b" must be given once; it is given twice`},
		{"twice, in documents", `{"documents":{"reason":"no","reason":"please"}}`, `field "documents"."reason" must be given once; it is given twice`},
		{"too deep", with(`,"uri":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), "the body must not nest deeper than 32 levels"},
		{"far too deep", strings.Repeat(`{"a":`, 100000), "the body must not nest deeper than 32 levels"},
		{"just not too deep", with(`,"uri":` + strings.Repeat("[", 31) + strings.Repeat("]", 31)), "uri must be a string, not an array"},
		{"too many fields", with(`,"uri":[` + strings.Repeat(`{"a":1},`, 10_000-4) + `0]`), "the body must not have more than 10000 fields, at all levels together"},
		{"just not too many fields", with(`,"uri":[` + strings.Repeat(`{"a":1},`, 10_000-5) + `0]`), "uri must be a string, not an array"},
		{"subject null", `{"subject":null,"credential":"a",` + please + `}`, "subject must be a string, not null: leave out what you do not want to set"},
		{"subject a number", `{"subject":1,"credential":"a",` + please + `}`, "subject must be a string, not a number"},
		{"subject empty", `{"subject":"","credential":"a",` + please + `}`, "subject must be an XRP Ledger address, such as rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ; it is empty"},
		{"subject's checksum", `{"subject":"rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpF","credential":"a",` + please + `}`, "subject is not an address: its checksum is wrong, so at least one character is mistyped"},
		{"subject ACCOUNT_ZERO", `{"subject":"rrrrrrrrrrrrrrrrrrrrrhoLvTp","credential":"a",` + please + `}`, "subject must be an account that someone can hold; this is ACCOUNT_ZERO"},
		{"credential a list", `{"subject":"` + alice + `","credential":["a"],` + please + `}`, "credential must be a string, not an array"},
		{"credential empty", `{"subject":"` + alice + `","credential":"",` + please + `}`, "credential must be 1 to 64 of the characters A-Z, a-z, 0-9, underscore, dash and period; it is empty"},
		{"credential long", `{"subject":"` + alice + `","credential":"` + strings.Repeat("a", 65) + `",` + please + `}`, "credential must be 1 to 64 of the characters A-Z, a-z, 0-9, underscore, dash and period; it has 65 bytes"},
		{"credential in hex", `{"subject":"` + alice + `","credential":"(BIN) 00",` + please + `}`, "credential must be 1 to 64 of the characters A-Z, a-z, 0-9, underscore, dash and period"},
		{"documents missing", `{"subject":"` + alice + `","credential":"a"}`, "documents must be given: a JSON object that is not empty"},
		{"documents null", `{"subject":"` + alice + `","credential":"a","documents":null}`, "documents must be an object, not null: leave out what you do not want to set"},
		{"documents a string", `{"subject":"` + alice + `","credential":"a","documents":"please"}`, "documents must be an object, not a string"},
		{"documents empty", `{"subject":"` + alice + `","credential":"a","documents":{ }}`, "documents must be an object that is not empty"},
		{"expiration a number", with(`,"expiration":946771200`), "expiration must be a string, not a number"},
		{"expiration no time", with(`,"expiration":"soon"`), "expiration " + errTimeForm.Error()},
		{"uri an object", with(`,"uri":{}`), "uri must be a string, not an object"},
		{"uri empty", with(`,"uri":""`), "uri must be 1 to 256 of the characters A-Z, a-z, 0-9 and -._~:/?#[]@!$&'()*+,;=%; it is empty"},
		{"uri a boolean", with(`,"uri":true`), "uri must be a string, not a boolean"},
		{"all that is wrong", `{"subject":"x","credential":"","documents":1,"expiration":"","uri":" "}`,
			strings.Join([]string{"subject " + errAddressForm.Error(),
				"credential must be 1 to 64 of the characters A-Z, a-z, 0-9, underscore, dash and period; it is empty",
				"documents must be an object, not a number", "expiration " + errTimeForm.Error(), "uri " + errURIForm.Error()}, "; ")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseCredentialRequest([]byte(tc.in))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, %v", got, err)
			}
			if e.Code != CodeBadRequest || e.Message != tc.want {
				t.Errorf("got %s: %s\nwant %s: %s", e.Code, e.Message, CodeBadRequest, tc.want)
			}
		})
	}
}

func TestParseRevocation(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Revocation
		err      string
	}{
		{"text", `{"subject":"` + alice + `","credential":"TestCredential"}`, Revocation{alice, "TestCredential"}, ""},
		{"bytes", `{"subject":"` + alice + `","credential":"(BIN) 00ff"}`, Revocation{alice, "\x00\xff"}, ""},
		{"other text", `{"subject":"` + alice + `","credential":"a b"}`, Revocation{alice, "a b"}, ""},
		{"64 bytes", `{"subject":"` + alice + `","credential":"(BIN) ` + strings.Repeat("00", 64) + `"}`, Revocation{alice, CredentialType(make([]byte, 64))}, ""},
		{"65 bytes", `{"subject":"` + alice + `","credential":"(BIN) ` + strings.Repeat("00", 65) + `"}`, Revocation{}, "credential must stand for 1 to 64 bytes; it has 65 bytes"},
		{"no bytes", `{"subject":"` + alice + `","credential":"(BIN) "}`, Revocation{}, "credential must stand for 1 to 64 bytes; it is empty"},
		{"empty", `{"subject":"` + alice + `","credential":""}`, Revocation{}, "credential must stand for 1 to 64 bytes; it is empty"},
		{"no hex", `{"subject":"` + alice + `","credential":"(BIN) x"}`, Revocation{}, "credential " + errTypeShow.Error()},
		{"non-ASCII", `{"subject":"` + alice + `","credential":"é"}`, Revocation{}, "credential " + errTypeShow.Error()},
		{"documents are not for it", `{"subject":"` + alice + `","credential":"a",` + please + `}`, Revocation{}, `unknown field "documents"; the fields are subject, credential`},
		{"nothing given", `{}`, Revocation{}, "subject must be given, as a string; credential must be given, as a string"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseRevocation([]byte(tc.in))
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			var e *Error
			switch {
			case err == nil && tc.err == "":
			case !errors.As(err, &e) || e.Code != CodeBadRequest || e.Message != tc.err:
				t.Errorf("got %v, want %s", err, tc.err)
			}
		})
	}
}

func TestDocumentsAreRedacted(t *testing.T) {
	r, err := ParseCredentialRequest([]byte(`{"subject":"` + alice + `","credential":"a","documents":{"reason":"please","passport":"XYZ"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if s := fmt.Sprintf(verb, r.Documents) + fmt.Sprintf(verb, r) + fmt.Sprintf(verb, &r); strings.Contains(s, "passport") ||
			strings.Contains(s, "XYZ") || strings.Contains(s, "70617373") || strings.Contains(s, "[120 ") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if b, _ := json.Marshal(r); strings.Contains(string(b), "XYZ") {
		t.Errorf("marshals as %s", b)
	}
	if s := r.Documents.LogValue().String(); s != redacted {
		t.Errorf("logs as %s", s)
	}
}

// FuzzParseCredentialRequest looks for panics, for requests that are taken and cannot be on the ledger, and for bodies
// that another strict reader would see differently.
func FuzzParseCredentialRequest(f *testing.F) {
	for _, s := range []string{
		`{"subject":"` + alice + `","credential":"a","expiration":"2030-01-01T00:00:00Z","uri":"https://example.com",` + please + `}`,
		`{"subject":"` + alice + `","credential":"a","documents":{"a":[{"b":"\ud83d\ude00"},1e400,null]}}`,
		`{"documents":{"reason":"no","reason":"please"}}`, `[[[[`, `{"a":"\`, `{"a":"\u`, "\xff", `"\ud800\u0041"`, `{}{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = ParseRevocation(body)
		r, err := ParseCredentialRequest(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != CodeBadRequest || e.Message == "" {
				t.Fatalf("refused with %v", err)
			}
			for _, c := range e.Message {
				if c < 0x20 || c == 0x7f {
					t.Fatalf("the message holds control characters: %q", e.Message)
				}
			}
			return
		}
		if _, err := ParseAddress(string(r.Subject)); err != nil || r.Subject.Zero() || r.Subject[0] != 'r' {
			t.Fatalf("subject %q: %v", r.Subject, err)
		}
		if _, err := ParseType(string(r.Type)); err != nil {
			t.Fatalf("type %q: %v", r.Type, err)
		}
		if r.URI != "" {
			if _, err := ParseURI(r.URI); err != nil {
				t.Fatalf("URI %q: %v", r.URI, err)
			}
		}
		var loose map[string]json.RawMessage
		if err := json.Unmarshal(body, &loose); err != nil {
			t.Fatalf("taken, but no JSON: %v", err)
		}
		var typ string
		if err := json.Unmarshal(loose["credential"], &typ); err != nil || typ != string(r.Type) {
			t.Fatalf("another reader sees %q, %v, this one %q", typ, err, r.Type)
		}
	})
}

// What is sealed and opened again is what came, byte for byte, and is read as strictly.
func TestDocumentsOf(t *testing.T) {
	const text = "{ \"b\" : 1.50,\n\t\"a\":\"\\u0041\", \"n\": 12345678901234567890.0 }"
	r, err := ParseCredentialRequest([]byte(`{"subject":"` + alice + `","credential":"a","documents":` + text + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Documents.JSON()); got != text {
		t.Errorf("JSON is %s", got)
	}
	again, err := DocumentsOf([]byte(" " + text + "\n"))
	if err != nil || string(again.JSON()) != text {
		t.Fatalf("%s, %v", again.JSON(), err)
	}
	if raw, ok := again.Field("n"); !ok || string(raw) != "12345678901234567890.0" {
		t.Errorf("n is %s", raw)
	}
	again.JSON()[0] = 'x'
	if string(again.JSON()) != text {
		t.Error("a caller can write into the documents")
	}
	if s := fmt.Sprintf("%v %+v %#v %s", again, r, again, again); strings.Contains(s, "12345") {
		t.Errorf("prints as %s", s)
	}
	if (Documents{}).JSON() != nil {
		t.Error("no documents have JSON")
	}
}

func TestDocumentsOfRefuses(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{``, "documents must be a JSON object; it is empty"},
		{`[]`, "documents must be a JSON object, not an array"},
		{`{}`, "documents must be an object that is not empty"},
		{`{"a":1}{}`, "documents must be one JSON object and nothing else; at byte 8: invalid character '{' after top-level value"},
		{`{"a":1,"a":2}`, `field "a" must be given once; it is given twice`},
		{"{\"a\":\"\xff\"}", "documents must be UTF-8; it holds other bytes"},
		{`{"a":"\ud800"}`, `documents must not hold half of a surrogate pair (\ud800 to \udfff alone)`},
		{`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "documents must not nest deeper than 32 levels"},
	} {
		_, err := DocumentsOf([]byte(tc.in))
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeBadRequest || e.Message != tc.want {
			t.Errorf("%.20s: %v\nwant %s", tc.in, err, tc.want)
		}
	}
}
