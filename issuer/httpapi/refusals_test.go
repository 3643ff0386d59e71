package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
)

const (
	post, get, del = http.MethodPost, http.MethodGet, http.MethodDelete
	jsonType       = "Content-Type: application/json"
	absent         = "rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ" // the tutorial's subject, which is on no ledger here
)

// TestRefusals goes through what is wrong with requests, over a socket and with a real ledger below, and holds that
// none of it costs a fee: the issuer's balance and sequence are the same before and after.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	alice := w.subject
	w.issue(alice, "Standing")
	ok := func(fields string) string {
		return `{"subject":"` + string(alice) + `","credential":"New","documents":{"reason":"please"}` + fields + `}`
	}
	with := func(credential string) string {
		return `{"subject":"` + string(alice) + `","credential":"` + credential + `","documents":{"reason":"please"}}`
	}
	of := func(subject string) string {
		return `{"subject":"` + subject + `","credential":"New","documents":{"reason":"please"}}`
	}
	revoke := func(credential string) string {
		return `{"subject":"` + string(alice) + `","credential":"` + credential + `"}`
	}
	const credential, admin = "/credential", "/admin/credential"

	before := w.account()
	for _, tc := range []struct {
		name, method, path, headers, body string
		status                            int
		code, message                     string // the message must hold this
	}{
		// The body.
		{"empty body", post, credential, jsonType, "", 400, "badRequest", "the body must be a JSON object; it is empty"},
		{"no JSON", post, credential, jsonType, "subject=x", 400, "badRequest", "at byte 1"},
		{"null", post, credential, jsonType, "null", 400, "badRequest", "not null"},
		{"array", post, credential, jsonType, "[" + ok("") + "]", 400, "badRequest", "not an array"},
		{"two objects", post, credential, jsonType, ok("") + ok(""), 400, "badRequest", "nothing else"},
		{"cut off", post, credential, jsonType, ok("")[:40], 400, "badRequest", "unexpected end"},
		{"no UTF-8", post, credential, jsonType, ok(`,"uri":"` + "\xff" + `"`), 400, "badRequest", "UTF-8"},
		{"half a surrogate pair", post, credential, jsonType, ok(`,"uri":"\ud800"`), 400, "badRequest", "surrogate"},
		{"deep nesting", post, credential, jsonType, ok(`,"uri":` + strings.Repeat("[", 40) + strings.Repeat("]", 40)), 400, "badRequest", "32 levels"},
		{"very deep nesting", post, credential, jsonType, strings.Repeat(`{"a":`, 200_000), 400, "badRequest", "32 levels"},
		{"unknown field", post, credential, jsonType, ok(`,"issuer":"r"`), 400, "badRequest", `unknown field "issuer"`},
		{"field in another case", post, credential, jsonType, ok(`,"URI":"a"`), 400, "badRequest", "did you mean uri?"},
		{"second value", post, credential, jsonType, ok(`,"credential":"Other"`), 400, "badRequest", `field "credential" must be given once`},
		{"second value, deep down", post, credential, jsonType, strings.Replace(ok(""), `"please"`, `"no","reason":"please"`, 1), 400, "badRequest", `"documents"."reason" must be given once`},
		{"control characters in a string", post, credential, jsonType, with("a\x1b[2J"), 400, "badRequest", `invalid character '\x1b'`},
		// Subject.
		{"subject missing", post, credential, jsonType, `{"credential":"New","documents":{"reason":"please"}}`, 400, "badRequest", "subject must be given"},
		{"subject empty", post, credential, jsonType, of(""), 400, "badRequest", "subject must be an XRP Ledger address"},
		{"subject's checksum", post, credential, jsonType, of(absent[:33] + "R"), 400, "badRequest", "checksum is wrong"},
		{"subject too long", post, credential, jsonType, of(strings.Repeat("r", 1000)), 400, "badRequest", "subject must be"},
		{"subject a number", post, credential, jsonType, strings.Replace(of(""), `""`, "1", 1), 400, "badRequest", "subject must be a string, not a number"},
		{"subject null", post, credential, jsonType, strings.Replace(of(""), `""`, "null", 1), 400, "badRequest", "subject must be a string, not null"},
		{"subject markup", post, credential, jsonType, of("<script>"), 400, "badRequest", "subject must be"},
		{"subject with a tag", post, credential, jsonType, of("XVLhHMPHU98es4dbozjVtdWzVrDjtV8xvjGQTYPiAx6gwDC"), 400, "badRequest", "tag"},
		{"subject ACCOUNT_ZERO", post, credential, jsonType, of("rrrrrrrrrrrrrrrrrrrrrhoLvTp"), 400, "badRequest", "ACCOUNT_ZERO"},
		{"subject a secret", post, credential, jsonType, of("sEdTM1uX8pu2do5XvTnutH6HsouMaM2"), 400, "badRequest", "this is a secret"},
		// Credential.
		{"credential missing", post, credential, jsonType, `{"subject":"` + string(alice) + `","documents":{"reason":"please"}}`, 400, "badRequest", "credential must be given"},
		{"credential empty", post, credential, jsonType, with(""), 400, "badRequest", "credential must be 1 to 64"},
		{"credential of 65", post, credential, jsonType, with(strings.Repeat("a", 65)), 400, "badRequest", "it has 65 bytes"},
		{"credential markup", post, credential, jsonType, with("<b>"), 400, "badRequest", "credential must be 1 to 64"},
		{"credential with controls", post, credential, jsonType, with(`a\u0000`), 400, "badRequest", "credential must be 1 to 64"},
		{"credential in another alphabet", post, credential, jsonType, with("Ärzte"), 400, "badRequest", "credential must be 1 to 64"},
		{"credential in hex", post, credential, jsonType, with("(BIN) 00"), 400, "badRequest", "credential must be 1 to 64"},
		{"credential a list", post, credential, jsonType, strings.Replace(with("x"), `"x"`, `["x"]`, 1), 400, "badRequest", "not an array"},
		// Documents.
		{"documents missing", post, credential, jsonType, `{"subject":"` + string(alice) + `","credential":"New"}`, 400, "badRequest", "documents must be given"},
		{"documents empty", post, credential, jsonType, strings.Replace(ok(""), `{"reason":"please"}`, `{}`, 1), 400, "badRequest", "not empty"},
		{"documents a string", post, credential, jsonType, strings.Replace(ok(""), `{"reason":"please"}`, `"please"`, 1), 400, "badRequest", "documents must be an object"},
		{"documents without please", post, credential, jsonType, strings.Replace(ok(""), "please", "now", 1), 400, "badRequest", "documents.reason must be"},
		// Expiration.
		{"expiration no time", post, credential, jsonType, ok(`,"expiration":"soon"`), 400, "badRequest", "expiration must be a date"},
		{"expiration without offset", post, credential, jsonType, ok(`,"expiration":"2100-01-01T00:00:00"`), 400, "badRequest", "expiration must be a date"},
		{"expiration with parts of a second", post, credential, jsonType, ok(`,"expiration":"2100-01-01T00:00:00.5Z"`), 400, "badRequest", "whole seconds"},
		{"expiration beyond the field", post, credential, jsonType, ok(`,"expiration":"2136-02-07T06:28:16Z"`), 400, "badRequest", "2136-02-07T06:28:15Z"},
		{"expiration a number", post, credential, jsonType, ok(`,"expiration":1`), 400, "badRequest", "expiration must be a string"},
		{"expiration past", post, credential, jsonType, ok(`,"expiration":"2000-01-01T00:00:00Z"`), 400, "badRequest", "expiration must not be past"},
		// URI.
		{"uri empty", post, credential, jsonType, ok(`,"uri":""`), 400, "badRequest", "uri must be 1 to 256"},
		{"uri of 257", post, credential, jsonType, ok(`,"uri":"` + strings.Repeat("a", 257) + `"`), 400, "badRequest", "it has 257 bytes"},
		{"uri markup", post, credential, jsonType, ok(`,"uri":"<b>"`), 400, "badRequest", "uri must be 1 to 256"},
		{"uri with a line break", post, credential, jsonType, ok(`,"uri":"a\r\nb"`), 400, "badRequest", "uri must be 1 to 256"},
		// What only the ledger knows.
		{"subject is on no ledger", post, credential, jsonType, of(absent), 422, "tecNO_TARGET", "fund it"},
		{"stands already", post, credential, jsonType, with("Standing"), 409, "tecDUPLICATE", "not accepted yet"},
		// Revocation.
		{"revoke what is not there", del, admin, jsonType, revoke("Nothing"), 404, "entryNotFound", "no such credential"},
		{"revoke another case", del, admin, jsonType, revoke("standing"), 404, "entryNotFound", "no such credential"},
		{"revoke bytes that are not there", del, admin, jsonType, revoke("(BIN) 00FF"), 404, "entryNotFound", "no such credential"},
		{"revoke of nobody", del, admin, jsonType, `{"subject":"` + absent + `","credential":"Standing"}`, 404, "entryNotFound", "no such credential"},
		{"revoke 65 bytes", del, admin, jsonType, revoke("(BIN) " + strings.Repeat("00", 65)), 400, "badRequest", "1 to 64 bytes"},
		{"revoke no bytes", del, admin, jsonType, revoke("(BIN) "), 400, "badRequest", "1 to 64 bytes"},
		{"revoke odd hex", del, admin, jsonType, revoke("(BIN) 0"), 400, "badRequest", "credential must be a credential type"},
		{"revoke with documents", del, admin, jsonType, with("Standing"), 400, "badRequest", `unknown field "documents"`},
		{"revoke by query", del, admin + "?subject=" + string(alice), jsonType, revoke("Standing"), 400, "badRequest", "the query must be empty"},
		{"revoke without a body", del, admin, "", "", 415, "unsupportedMediaType", "application/json"},
		// The list.
		{"accepted unknown", get, admin + "?accepted=maybe", "", "", 400, "badRequest", "accepted must be yes, no or both"},
		{"accepted empty", get, admin + "?accepted=", "", "", 400, "badRequest", "accepted must be yes, no or both"},
		{"accepted twice", get, admin + "?accepted=yes&accepted=yes", "", "", 400, "badRequest", "given 2 times"},
		{"other parameter", get, admin + "?limit=1", "", "", 400, "badRequest", "nothing but accepted"},
		{"parameter in another case", get, admin + "?Accepted=yes", "", "", 400, "badRequest", "nothing but accepted"},
		{"broken query", get, admin + "?accepted=%zz", "", "", 400, "badRequest", "percent-encoded"},
		{"semicolon in the query", get, admin + "?accepted=yes;no", "", "", 400, "badRequest", "percent-encoded"},
		// What HTTP refuses.
		{"no media type", post, credential, "", ok(""), 415, "unsupportedMediaType", "application/json"},
		{"form", post, credential, "Content-Type: application/x-www-form-urlencoded", ok(""), 415, "unsupportedMediaType", "application/json"},
		{"text", post, credential, "Content-Type: text/plain", ok(""), 415, "unsupportedMediaType", "application/json"},
		{"other JSON", post, credential, "Content-Type: application/json-seq", ok(""), 415, "unsupportedMediaType", "application/json"},
		{"other charset", post, credential, "Content-Type: application/json; charset=utf-16", ok(""), 415, "unsupportedMediaType", "application/json"},
		{"broken media type", post, credential, "Content-Type: application/json; charset", ok(""), 415, "unsupportedMediaType", "application/json"},
		{"two media types", post, credential, jsonType + "\n" + jsonType, ok(""), 415, "unsupportedMediaType", "application/json"},
		{"compressed", post, credential, jsonType + "\nContent-Encoding: gzip", ok(""), 415, "unsupportedMediaType", "Content-Encoding"},
		{"a byte too long", post, credential, jsonType, ok("") + strings.Repeat(" ", httpapi.MaxBodyBytes+1-len(ok(""))), 413, "bodyTooLarge", "1048576"},
		{"far too long, in chunks", post, credential, jsonType + "\nTransfer-Encoding: chunked", strings.Repeat(" ", 3*httpapi.MaxBodyBytes), 413, "bodyTooLarge", "1048576"},
		{"query on a request", post, credential + "?dry=1", jsonType, ok(""), 400, "badRequest", "the query must be empty"},
		{"unknown path", get, "/", "", "", 404, "notFound", "nothing at this path"},
		{"slash behind", get, admin + "/", "", "", 404, "notFound", "nothing at this path"},
		{"other case", get, "/Admin/credential", "", "", 404, "notFound", "nothing at this path"},
		{"escaped slash", get, "/admin%2Fcredential", "", "", 404, "notFound", "nothing at this path"},
		{"dots", get, "/x/../admin/credential", "", "", 404, "notFound", "nothing at this path"},
		{"GET a request", get, credential, "", "", 405, "methodNotAllowed", "Allow"},
		{"PUT a request", http.MethodPut, credential, jsonType, ok(""), 405, "methodNotAllowed", "Allow"},
		{"POST to the list", post, admin, jsonType, ok(""), 405, "methodNotAllowed", "Allow"},
		{"PATCH the list", http.MethodPatch, admin, jsonType, "{}", 405, "methodNotAllowed", "Allow"},
		{"TRACE", http.MethodTrace, credential, "", "", 405, "methodNotAllowed", "Allow"},
		{"a method of its own", "BREW", credential, "", "", 405, "methodNotAllowed", "Allow"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := w.send(t, tc.method, tc.path, tc.headers, tc.body)
			if a.status != tc.status || a.str("error") != tc.code || !strings.Contains(a.str("error_message"), tc.message) {
				t.Errorf("got %d %s\nwant %d %s with %q", a.status, a.body, tc.status, tc.code, tc.message)
			}
			a.holdsItsForm(t)
			if tc.status == http.StatusMethodNotAllowed && a.header.Get("Allow") == "" {
				t.Error("405 without an Allow header")
			}
		})
	}
	if after := w.account(); after != before {
		t.Errorf("refusals cost something: the issuer was %+v and is %+v", before, after)
	}
}

// TestJustGood holds the other side of the bounds: what is as large as it may be is taken.
func TestJustGood(t *testing.T) {
	w := newWorld(t)
	whole := func(fields string) string {
		return `{"subject":"` + string(w.subject) + `","documents":{"reason":"please"},` + fields + `}`
	}
	long := strings.Repeat("a", 64)
	padded := whole(`"credential":"padded"`)
	for _, tc := range []struct{ name, headers, body string }{
		{"longest credential", jsonType, whole(`"credential":"` + long + `"`)},
		{"longest uri", jsonType, whole(`"credential":"uri","uri":"` + strings.Repeat("%", 256) + `"`)},
		{"last expiration", jsonType, whole(`"credential":"expiration","expiration":"2136-02-07T06:28:15Z"`)},
		{"longest body", jsonType, padded + strings.Repeat(" ", httpapi.MaxBodyBytes-len(padded))},
		{"charset", "Content-Type: application/JSON; Charset=UTF-8", whole(`"credential":"charset"`)},
		{"identity", jsonType + "\nContent-Encoding: identity", whole(`"credential":"identity"`)},
		{"chunks", jsonType + "\nTransfer-Encoding: chunked", whole(`"credential":"chunks"`)},
		{"all characters", jsonType, whole(`"credential":"_.-"`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if a := w.send(t, post, "/credential", tc.headers, tc.body); a.status != http.StatusCreated {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}
