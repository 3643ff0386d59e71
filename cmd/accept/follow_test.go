package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseLink(t *testing.T) {
	const at = "/request/" + requestID + "?secret=" + aSecret
	for text, want := range map[string]string{
		at:                                    "http://base" + at,
		"http://127.0.0.1:8080" + at:          "http://127.0.0.1:8080" + at,
		" https://issuer.example" + at + "\n": "https://issuer.example" + at,
		"https://x.example/a/request/b" + at:  "https://x.example/a/request/b" + at,
		"https://x.example/a%2Fb" + at:        "https://x.example/a%2Fb" + at,
		strings.ToLower("/request/"+requestID) + "?secret=" + aSecret: "http://base" + at,
	} {
		if l, err := parseLink(text, "http://base"); err != nil || l.String() != want {
			t.Errorf("%q: %s, %v", text, l, err)
		}
	}
	for _, bad := range []string{"", "x", "/request/", "/request/" + requestID, "/request/" + requestID + "?secret=", "/request/1?secret=a", "ftp://x" + at, "http://me:hush@x" + at,
		at + "#x", "/other" + at, "http:" + at, "/request/" + requestID + "?secret=a%0d%0aX:y", "/request/" + requestID + "/?secret=a", "://" + at, "/operations/" + requestID + "?secret=a"} {
		if l, err := parseLink(bad, "http://base"); err == nil {
			t.Errorf("%q is taken: %s", bad, l)
		}
	}
}

// TestFollow: each end that a request can come to, for people and for programs.
func TestFollow(t *testing.T) {
	const path = "/request/" + requestID
	approved := `{"state":"approved","credential":"Member","operation":`
	for name, tc := range map[string]struct {
		answers []string
		once    bool
		status  int
		want    []string // of what people are shown
		out     string   // what it begins with
	}{
		"issued":                {[]string{`200 ` + approved + `{"id":"X","final":true,"status":201,"result":` + issuedTx + `}}`}, false, 0, []string{"tesSUCCESS", "accept --credential Member"}, "Issued 'Member'"},
		"rejected":              {[]string{`200 {"state":"rejected","credential":"Member","reason":"the passport's\nexpiry ist überschritten \u001b[2J\u202e"}`}, false, 1, []string{"the request was rejected"}, "'Member' was rejected.\n    reason   the passport's expiry ist überschritten ?[2J?\n"},
		"lapsed":                {[]string{`200 {"state":"waiting"}`, `200 {"state":"lapsed","credential":"Member","message":"nobody decided\u001b in time: ask again"}`}, false, 1, []string{"Ended after", "the request has lapsed"}, "'Member' has lapsed.\n    nobody decided? in time: ask again\n"},
		"withdrawn, once":       {[]string{`200 {"state":"withdrawn","credential":"Member","message":"you have withdrawn it"}`}, true, 1, []string{"the request was withdrawn"}, "'Member' was withdrawn.\n    you have withdrawn it\n"},
		"approved for nothing":  {[]string{`200 ` + approved + `{"id":"X","final":true,"status":422,"error":{"error":"tecEXPIRED","error_message":"too late","request_id":"R"}}}`}, false, 1, []string{"too late (tecEXPIRED, request R)", "may approve it again"}, ""},
		"waiting, once":         {[]string{`200 {"state":"waiting","credential":"Mem'ber"}`}, true, 0, nil, "'Mem\\'ber' waits for a person to decide on it.\n"},
		"on its way, once":      {[]string{`200 ` + approved + `{"id":"X","final":false}}`}, true, 0, nil, "'Member' was approved, and is on its way to the ledger.\n"},
		"no such request":       {[]string{`404 {"error":"requestNotFound","error_message":"there is no such request"}`}, false, 1, []string{"there is no such request (requestNotFound)"}, ""},
		"no service":            {[]string{`200 {}`}, false, 1, []string{"is not the service"}, ""},
		"after a look or three": {[]string{`200 {"state":"waiting"}`, "hang up", `429 {"error":"tooManyRequests","error_message":"slow"}`, `503 <html>`, `200 ` + approved + `{"id":"X","final":false}}`, `200 ` + approved + `{"id":"X","final":true,"result":` + issuedTx + `}}`}, false, 0, []string{"Waiting for a decision\nDecided after"}, "Issued 'Member'"},
		"gone while it waits":   {[]string{`200 {"state":"waiting"}`, `404 {"error":"requestNotFound","error_message":"there is no such request"}`}, false, 1, []string{"Ended after", "there is no such request"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, asJSON := range []bool{false, true} {
				c := newCounter(t, map[string][]string{"GET " + path: tc.answers})
				s := newService(c.url)
				defer s.close()
				var pauses []time.Duration
				s.pause = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
				at, err := parseLink(path+"?secret="+aSecret, c.url)
				if err != nil {
					t.Fatal(err)
				}
				var out, errs bytes.Buffer
				err = forPrograms(asJSON, &out, s.follow(t.Context(), at, followed{json: asJSON, once: tc.once}, &out, &errs))
				got := said{out.String(), errs.String(), err}
				if asJSON {
					if got.want(t, tc.status); strings.Count(got.out, "\n") != 1 || !strings.HasPrefix(got.out, "{") {
						t.Errorf("%s", got.out)
					}
				} else if got.want(t, tc.status, tc.want...); !strings.HasPrefix(got.out, tc.out) || tc.out == "" && got.out != "" {
					t.Errorf("%s", got.out)
				}
				for _, asked := range c.got {
					if asked.query != "" || asked.header.Get("Authorization") != "Bearer "+aSecret {
						t.Errorf("the secret is not where it belongs: %+v", asked)
					}
				}
				for i := range pauses {
					if pauses[i] < firstPoll || pauses[i] > mostPoll {
						t.Errorf("pauses %v", pauses)
					}
				}
			}
		})
	}
}

// TestFollowCommand: the link from the command line and from standard input, and what is wrong with it.
func TestFollowCommand(t *testing.T) {
	const path = "/request/" + requestID
	c := newCounter(t, map[string][]string{"GET " + path: {`200 {"state":"waiting","credential":"Member"}`}})
	for _, args := range [][]string{{"--once", path + "?secret=" + aSecret, "--issuer-url", c.url}, {"--once", c.url + path + "?secret=" + aSecret}, {"--once", "-"}} {
		command(t, c.url+path+"?secret="+aSecret+"\n", append([]string{"follow"}, args...)...).want(t, 0, "'Member' waits for a person")
	}
	for _, args := range [][]string{nil, {"a", "b"}, {"http://x/"}, {"-"}, {"--nonsense", "x"}} {
		command(t, "", append([]string{"follow"}, args...)...).want(t, 2)
	}
	// An interrupt ends the wait, and not the request.
	ctx, interrupt := context.WithCancelCause(t.Context())
	s := newService(c.url)
	defer s.close()
	s.pause = func(ctx context.Context, _ time.Duration) error {
		interrupt(errors.New("interrupted"))
		return context.Cause(ctx)
	}
	at, err := parseLink(path+"?secret="+aSecret, c.url)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := s.follow(ctx, at, followed{}, &out, &errs); exitStatus(err) != 1 || !strings.Contains(fmt.Sprint(err), "the same link follows it again") || !strings.Contains(errs.String(), "Stopped after") {
		t.Errorf("%v %s", err, errs.String())
	}
	// Nor is a service that stays away asked for ever.
	down := newCounter(t, map[string][]string{"GET " + path: {`200 {"state":"waiting"}`, `503 {"error":"storeUnavailable","error_message":"later"}`}})
	s = newService(down.url)
	defer s.close()
	s.pause = func(context.Context, time.Duration) error { return nil }
	at.base = down.url
	if err := s.follow(t.Context(), at, followed{}, &out, &errs); err == nil || !strings.Contains(err.Error(), "later") || len(down.got) != mostDown+2 {
		t.Errorf("%v after %d", err, len(down.got))
	}
}
