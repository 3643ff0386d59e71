package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// What is made of a body while it is looked into takes several times its size, and all bodies together may have 32 MiB.
var bodies = []attack{
	{name: "JSON bombs and riddles", on: onPlain, grows: usualGrowth + 256, may: []int{http.StatusServiceUnavailable}, run: jsonBombs},
	{name: "documents at the bounds", on: onPlain, run: atBounds},
}

func jsonBombs(ctx context.Context, r *round) error {
	who, other, err := r.w.take()
	if err != nil {
		return err
	}
	defer func() { r.w.subjects <- who; r.w.subjects <- other }()
	within := func(documents string) string {
		return fmt.Sprintf(`{"subject":%q,"credential":"Member","documents":%s}`, who.address, documents)
	}
	nested := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	var names strings.Builder
	for i := range 60_000 {
		_, _ = fmt.Fprintf(&names, `"%d":0,`, i)
	}
	bombs := map[string]string{
		"nested 33 deep":           within(`{"name":` + nested("[", "]", 33) + `}`),
		"nested 100000 deep":       within(`{"name":` + nested("[", "]", 100_000) + `}`),
		"objects 50000 deep":       within(`{"name":` + nested(`{"a":`, "}", 50_000) + `}`),
		"opened and never closed":  strings.Repeat("[", 1_000_000),
		"brackets in a text":       within(`{"name":"` + strings.Repeat("[{", 300_000) + `"}`),
		"60000 names":              within(`{` + names.String() + `"name":"x"}`),
		"500000 elements":          within(`{"name":[` + strings.Repeat("0,", 500_000) + `0]}`),
		"1e400":                    within(`{"name":"x","email":"a@example.org","age":1e400}`),
		"1e1000000000":             within(`{"name":"x","email":"a@example.org","age":1e1000000000}`),
		"-1e-999999999":            within(`{"name":"x","email":"a@example.org","age":-1e-999999999}`),
		"a number of 1 MB":         within(`{"name":"x","email":"a@example.org","age":` + strings.Repeat("9", 1_000_000) + `}`),
		"digits behind the point":  within(`{"name":"x","email":"a@example.org","age":18.` + strings.Repeat("0", 900_000) + `1}`),
		"expiration 1e400":         fmt.Sprintf(`{"subject":%q,"credential":"Member","documents":{"name":"x"},"expiration":1e400}`, who.address),
		"a text of 1 MB":           within(`{"name":"` + strings.Repeat("x", 1_000_000) + `"}`),
		"a million escapes":        within(`{"name":"` + strings.Repeat(`\u0041`, 170_000) + `"}`),
		"a field twice":            within(`{"name":"x","name":"y","email":"a@example.org"}`),
		"subject twice":            fmt.Sprintf(`{"subject":%q,"subject":%q,"credential":"Member","documents":{"name":"x"}}`, other.address, who.address),
		"documents twice":          fmt.Sprintf(`{"subject":%q,"credential":"Member","documents":{"name":"x"},"documents":{"name":"y"}}`, who.address),
		"a field in other letters": fmt.Sprintf(`{"Subject":%q,"credential":"Member","documents":{"name":"x"}}`, who.address),
		"an escaped name, twice":   within(`{"name":"x","n\u0061me":"y","email":"a@example.org"}`),
		"half a surrogate":         within(`{"name":"\ud800","email":"a@example.org"}`),
		"the other half":           within(`{"name":"\udc00x","email":"a@example.org"}`),
		"surrogates turned":        within(`{"name":"\udc00\ud800","email":"a@example.org"}`),
		"half a surrogate a name":  within(`{"\ud800":"x"}`),
		"a byte order mark":        "\ufeff" + within(`{"name":"x"}`),
		"a NUL in front":           "\x00" + within(`{"name":"x"}`),
		"a NUL behind":             within(`{"name":"x"}`) + "\x00",
		"a NUL within":             within("{\"name\":\"a\x00b\"}"),
		"a NUL escaped":            within(`{"name":"a\u0000b"}`),
		"broken UTF-8":             within("{\"name\":\"\xff\xfe\xc0\xaf\"}"),
		"surrogates in UTF-8":      within("{\"name\":\"\xed\xa0\x80\"}"),
		"UTF-16":                   "\xff\xfe{\x00}\x00",
		"two objects":              within(`{"name":"x"}`) + within(`{"name":"x"}`),
		"a comment":                within(`{"name":"x"/* */}`),
		"a comma behind":           within(`{"name":"x",}`),
		"NaN":                      within(`{"name":"x","age":NaN}`),
		"Infinity":                 within(`{"name":"x","age":-Infinity}`),
		"0123":                     within(`{"name":"x","age":0123}`),
		"quotes of another kind":   within(`{'name':'x'}`),
		"__proto__":                within(`{"__proto__":{"name":"x"},"constructor":{"prototype":{}}}`),
		"a list":                   `[]`,
		"null":                     `null`,
		"a text":                   `"x"`,
		"documents null":           within(`null`),
		"documents empty":          within(`{}`),
		"documents a list":         within(`[{"name":"x"}]`),
		"space":                    strings.Repeat(" ", 1_000_000),
		"subject an object":        `{"subject":{"$gt":""},"credential":"Member","documents":{"name":"x"}}`,
		"subject the issuer":       fmt.Sprintf(`{"subject":%q,"credential":"Member","documents":{"name":"x","email":"a@example.org"}}`, r.issuer.address),
		"subject zero":             `{"subject":"rrrrrrrrrrrrrrrrrrrrrhoLvTp","credential":"Member","documents":{"name":"x","email":"a@example.org"}}`,
		"credential in hex":        fmt.Sprintf(`{"subject":%q,"credential":"4D656D626572","documents":{"name":"x","email":"a@example.org"}}`, who.address),
		"credential with a NUL":    fmt.Sprintf(`{"subject":%q,"credential":"Member\u0000","documents":{"name":"x","email":"a@example.org"}}`, who.address),
		"credential in capitals":   fmt.Sprintf(`{"subject":%q,"credential":"MEMBER","documents":{"name":"x","email":"a@example.org"}}`, who.address),
		"credential like another":  fmt.Sprintf(`{"subject":%q,"credential":"М`+"ember"+`","documents":{"name":"x","email":"a@example.org"}}`, who.address),
		"credential with a space":  fmt.Sprintf(`{"subject":%q,"credential":"Member ","documents":{"name":"x","email":"a@example.org"}}`, who.address),
	}
	rounds := 1
	if !r.short {
		rounds = 3
	}
	all := make([]string, 0, len(bombs))
	for name := range bombs {
		all = append(all, name)
	}
	atOnce(64, len(all)*rounds, func(i int) {
		name := all[i%len(all)]
		for _, path := range []string{"/credential", "/challenge"} {
			a, err := r.send(ctx, http.MethodPost, path, bombs[name], header{"Idempotency-Key", fmt.Sprint("bomb", i, path)})
			r.expect(name, a, err, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable)
		}
		a, err := r.send(ctx, http.MethodDelete, "/admin/credential", bombs[name], bearer(r.tokens["admin"]))
		r.expect(name, a, err, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable)
		a, err = r.send(ctx, http.MethodPost, "/admin/request/00000000000000000000000000/reject", bombs[name], bearer(r.tokens["reviewer"]))
		r.expect(name, a, err, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable)
	})
	for _, media := range []string{"text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json, text/html", "text/json", "application/xml", "application/json;" + strings.Repeat("a=b;", 2000)} {
		req := within(`{"name":"x"}`)
		a, err := r.sendAs(ctx, media, req)
		r.expect(media[:min(len(media), 40)], a, err, http.StatusUnsupportedMediaType)
	}
	return nil
}

// sendAs sends a body under another media type.
func (r *round) sendAs(ctx context.Context, media, body string) (reply, error) {
	answers, err := r.raw(ctx, patience, fmt.Sprintf("POST /credential HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", media, len(body), body))
	if err != nil || len(answers) == 0 {
		return reply{}, fmt.Errorf("no answer: %w", err)
	}
	return answers[0], nil
}

// atBounds hands in documents just within and just beyond what the policy's schema allows. Those within are refused for
// want of a proof, and so is no credential issued either way.
func atBounds(ctx context.Context, r *round) error {
	who, other, err := r.w.take()
	if err != nil {
		return err
	}
	r.w.subjects <- other
	// Each is a subject that the ledger does not know: nothing limits those together.
	ask := func(documents string) (reply, error) {
		w, err := newWallet(ed25519Seed)
		if err != nil {
			return reply{}, err
		}
		return r.send(ctx, http.MethodPost, "/credential", fmt.Sprintf(`{"subject":%q,"credential":"Member","documents":%s}`, w.address, documents))
	}
	document := func(name, more string) string {
		return fmt.Sprintf(`{"name":"%s","email":"a@example.org"%s}`, name, more)
	}
	for name, documents := range map[string]string{
		"200 letters":             document(strings.Repeat("x", 200), ""),
		"200 letters of 4 bytes":  document(strings.Repeat("\U0001F600", 200), ""),
		"200 letters as escapes":  document(strings.Repeat(`\ud83d\ude00`, 200), ""),
		"18":                      document("x", `,"age":18`),
		"18 in other words":       document("x", `,"age":1.8e1`),
		"150":                     document("x", `,"age":150.0`),
		"10 tags":                 document("x", `,"tags":["a","aa","aaa","aaaa","aaaaa","aaaaaa","aaaaaaa","aaaaaaaa","aaaaaaaaa","aaaaaaaaaa"]`),
		"a long one of a pattern": document("x", `,"tags":["`+strings.Repeat("a", 5000)+`"]`),
	} {
		a, err := ask(documents)
		r.expect(name, a, err, http.StatusBadRequest)
		if !strings.Contains(string(a.body), "proof") || strings.Contains(string(a.body), "documents") {
			r.fault("%s, within the bounds: %s", name, a)
		}
	}
	for name, documents := range map[string]string{
		"201 letters":             document(strings.Repeat("x", 201), ""),
		"no letter":               document("", ""),
		"17":                      document("x", `,"age":17`),
		"17.9999999999999999999":  document("x", `,"age":17.9999999999999999999`),
		"18.0000000000000000001":  document("x", `,"age":18.0000000000000000001`),
		"150.00000000000000001":   document("x", `,"age":150.00000000000000001`),
		"2^64 + 20":               document("x", `,"age":18446744073709551636`),
		"a text for a number":     document("x", `,"age":"18"`),
		"true for a number":       document("x", `,"age":true`),
		"11 tags":                 document("x", `,"tags":["a","aa","aaa","aaaa","aaaaa","aaaaaa","aaaaaaa","aaaaaaaa","aaaaaaaaa","aaaaaaaaaa","aaaaaaaaaaa"]`),
		"a tag twice":             document("x", `,"tags":["a","\u0061"]`),
		"a pattern's end":         document("x", `,"tags":["a\n"]`),
		"a pattern that explodes": document("x", `,"tags":["`+strings.Repeat("a", 50_000)+`b"]`),
		"a field more":            document("x", `,"admin":true`),
		"another field more":      document("x", `,"Name":"y"`),
		"no email":                `{"name":"x"}`,
		"an email that is none":   `{"name":"x","email":"a@b@c"}`,
		"an email of two lines":   `{"name":"x","email":"a@example.org\nBcc: b@example.org"}`,
		"an email of 500 KB":      `{"name":"x","email":"` + strings.Repeat("a", 500_000) + `@example.org"}`,
	} {
		a, err := ask(documents)
		r.expect(name, a, err, http.StatusBadRequest)
		if !strings.Contains(string(a.body), "documents") {
			r.fault("%s, beyond the bounds: %s", name, a)
		}
	}
	r.w.subjects <- who
	return nil
}
