package httpapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
)

func TestPreferences(t *testing.T) {
	for _, tc := range []struct {
		lines   []string
		limit   time.Duration
		applied string
	}{
		{nil, 0, ""},
		{[]string{"respond-async"}, issuer.NoWait, "respond-async"},
		{[]string{"Respond-Async"}, issuer.NoWait, "respond-async"},
		{[]string{"respond-async, wait=10"}, 10 * time.Second, "respond-async, wait=10"},
		{[]string{"respond-async", "wait=10"}, 10 * time.Second, "respond-async, wait=10"},
		{[]string{`wait = "7" ; x=y , return=minimal`}, 7 * time.Second, "wait=7"},
		{[]string{"wait=60"}, time.Minute, "wait=60"},
		{[]string{"wait=61, respond-async"}, time.Minute, "respond-async, wait=60"},
		{[]string{"wait=2147483647"}, time.Minute, "wait=60"},
		{[]string{"wait=0"}, issuer.NoWait, "wait=0"},
		{[]string{"wait=5, wait=9"}, 5 * time.Second, "wait=5"},
		{[]string{"wait=-1"}, 0, ""},
		{[]string{"wait=soon"}, 0, ""},
		{[]string{"wait=99999999999999999999"}, 0, ""},
		{[]string{"handling=strict, ,;,=,return=representation"}, 0, ""},
		{[]string{`respond-async=""`}, issuer.NoWait, "respond-async"},
		{[]string{"respond-async=no"}, 0, ""},
	} {
		p := preferences(http.Header{"Prefer": tc.lines}, time.Minute)
		if p.limit() != tc.limit || p.applied() != tc.applied {
			t.Errorf("%q: %v %q, want %v %q", tc.lines, p.limit(), p.applied(), tc.limit, tc.applied)
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ a, b string }{
		{`{"a":1,"b":[true,null]}`, " { \"b\" : [ true , null ], \"a\":1 }\n"},
		{`{"a":"\u0041"}`, `{"a":"A"}`},
		{`{"a":1.50}`, `{ "a": 1.50 }`},
	} {
		if x, y := string(canonical([]byte(tc.a))), string(canonical([]byte(tc.b))); x != y {
			t.Errorf("%s and %s are different: %s, %s", tc.a, tc.b, x, y)
		}
	}
	for _, tc := range []struct{ a, b string }{
		{`{"a":1}`, `{"a":"1"}`}, {`{"a":1}`, `{"a":1}x`}, {`{"a":1}`, `{"a":1}{"a":1}`}, {``, `null`}, {`{"a":9007199254740993}`, `{"a":9007199254740992}`}, {`{`, `{{`},
	} {
		if x, y := string(canonical([]byte(tc.a))), string(canonical([]byte(tc.b))); x == y {
			t.Errorf("%s and %s are the same: %s", tc.a, tc.b, x)
		}
	}
}
