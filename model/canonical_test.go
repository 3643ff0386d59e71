package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
)

// TestCanonicalJSON has the examples of RFC 8785, 3.2.2 to 3.2.4 and appendix B.
func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`{"numbers": [333333333.333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`: `{"literals":[null,true,false],"numbers":[333333333.333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`:                                                                                               "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`[0,-0,-0.0,0e999,1e21,1e20,1e-7,1e-6,9007199254740992,-9007199254740992,100,1.0,"<&>\u2028"]`:                                                                              "[0,0,0,0,1e+21,100000000000000000000,1e-7,0.000001,9007199254740992,-9007199254740992,100,1,\"<&>\u2028\"]",
	} {
		decoder := json.NewDecoder(bytes.NewReader([]byte(given)))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if got, err := appendCanonical(nil, value); err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
}

// TestRequestDigest: it is the same for the same request however it is written, and differs for every other.
func TestRequestDigest(t *testing.T) {
	t.Parallel()
	const body = `{"subject":"r","documents":{"a":1.5,"b":"x"},"renew":true}`
	sum := sha256.Sum256([]byte(`{"documents":{"a":1.5,"b":"x"},"renew":true,"subject":"r"}`))
	want := hex.EncodeToString(sum[:])
	for _, same := range []string{body, `{ "renew":true, "documents":{"b":"\u0078","a":15e-1}, "subject":"r" }`,
		`{"proof":{"nonce":"n"},"subject":"r","documents":{"a":1.50,"b":"x"},"renew":true}`} {
		if got, err := RequestDigest([]byte(same)); got != want || err != nil {
			t.Errorf("%s: %s, %v", same, got, err)
		}
	}
	for _, other := range []string{`{"subject":"r","documents":{"a":1.5,"b":"x"},"renew":false}`, `{"subject":"r","documents":{"a":1.5,"b":"x"}}`,
		`{"subject":"r","documents":{"a":1.5,"b":"y"},"renew":true}`, `{"subject":"r","documents":{"a":"1.5","b":"x"},"renew":true}`,
		`{"subject":"r","documents":{"a":1.5,"b":"x","proof":1},"renew":true}`} {
		if got, err := RequestDigest([]byte(other)); got == want || err != nil {
			t.Errorf("%s: %s, %v", other, got, err)
		}
	}
	if _, err := RequestDigest([]byte(`{"a":[0` + strings.Repeat(",0", maxDigestParts+1) + `]}`)); CodeOf(err) != CodeBadRequest {
		t.Errorf("too many elements: %v", err)
	}
	if _, err := RequestDigest([]byte(`{"a":"` + strings.Repeat(",", maxDigestParts+1) + `"}`)); err != nil {
		t.Errorf("commas in a string: %v", err)
	}
	for _, rounded := range []string{`9007199254740993`, `1.0000000000000001`, `1e400`, `1e-400`, `12345678901234567890`} {
		if _, err := RequestDigest([]byte(`{"a":` + rounded + `}`)); CodeOf(err) != CodeBadRequest {
			t.Errorf("%s: %v", rounded, err)
		}
	}
}
