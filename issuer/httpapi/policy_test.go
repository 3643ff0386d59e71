package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/issuer/policy"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

const (
	timedPolicy = `credential: Timed
decision: automatic
documents: true
validity: {default: 2d, longest: 10d}
`
	linkedPolicy = `credential: Linked
decision: automatic
documents: true
uri: "https://example.org/{subject}/{credential}"
`
)

// TestPolicies: what is offered, on what terms, and what is said to whoever asks for something else.
func TestPolicies(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(memberPolicy, timedPolicy, linkedPolicy, provenPolicy, reviewedPolicy))
	before := w.account()
	for name, tc := range map[string]struct {
		credential, documents, more string
		parts                       []string // of the message
	}{
		"a type without a policy":      {"Nothing", `{"reason":"please"}`, "", []string{"credential", "Member", "Timed", "Linked", "Proven", "Reviewed"}},
		"a type in another case":       {"member", memberDocuments, "", []string{"credential", "Member"}},
		"documents all wrong":          {"Member", `{"name":"","age":"x"}`, "", []string{"documents.name", "documents.age"}},
		"documents that lack all":      {"Member", `{"reason":"please"}`, "", []string{"name", "age"}},
		"one too young":                {"Member", `{"name":"Jo","age":17}`, "", []string{"documents.age", "18"}},
		"a number beyond all bounds":   {"Member", `{"name":"Jo","age":1e400000}`, "", []string{"documents.age"}},
		"a uri that the policy gives":  {"Linked", `{"x":1}`, `,"uri":"https://example.org/mine"`, []string{"uri must be left out"}},
		"longer than is allowed":       {"Timed", `{"x":1}`, `,"expiration":"` + time.Now().Add(11*24*time.Hour).UTC().Format(time.RFC3339) + `"`, []string{"expiration must not be later than", "10d"}},
		"past":                         {"Timed", `{"x":1}`, `,"expiration":"2001-01-01T00:00:00Z"`, []string{"expiration must not be past"}},
		"without the proof":            {"Proven", `{"x":1}`, "", []string{"proof must be given", "POST /challenge"}},
		"proof of no form":             {"Proven", `{"x":1}`, `,"proof":{}`, []string{"proof.nonce", "proof.public_key", "proof.signature"}},
		"proof with a field too many":  {"Proven", `{"x":1}`, `,"proof":{"nonce":"a","public_key":"` + strings.Repeat("ED", 33) + `","signature":"00","issuer":"r"}`, []string{`unknown field "issuer"`}},
		"proof of no form, not needed": {"Member", memberDocuments, `,"proof":"yes"`, []string{"proof must be a JSON object"}},
	} {
		a := w.ask(t, "", w.subject, tc.credential, tc.documents, tc.more)
		a.holdsItsForm(t)
		if a.status != http.StatusBadRequest || a.str("error") != "badRequest" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		for _, part := range tc.parts {
			if !strings.Contains(a.str("error_message"), part) {
				t.Errorf("%s: %q does not say %q", name, a.str("error_message"), part)
			}
		}
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: the issuer was %+v and is %+v", before, after)
	}

	last, err := w.client.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := time.Now().Add(9 * 24 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	for _, tc := range []struct{ credential, documents, more, uri, expiration string }{
		{"Member", memberDocuments, "", "", ""},
		{"Timed", `{"x":1}`, "", "", "default"},
		{"Linked", `{"x":1}`, "", "https://example.org/" + string(w.subject) + "/Linked", ""},
	} {
		if a := w.ask(t, "", w.subject, tc.credential, tc.documents, tc.more); a.status != http.StatusCreated {
			t.Errorf("%s: %d %s", tc.credential, a.status, a.body)
		}
		for _, e := range w.list(t, "") {
			switch {
			case e.Credential != tc.credential:
			case e.URI != tc.uri:
				t.Errorf("%+v, want %+v", e, tc)
			case tc.expiration == "default":
				// Two days from the close of the ledger that was the last one when it was asked for.
				at, err := time.Parse(time.RFC3339, e.Expiration)
				if since := at.Sub(model.Time(last.CloseTime).Add(48 * time.Hour)); err != nil || since < 0 || since > time.Minute {
					t.Errorf("it expires at %s, and the ledger closed at %s", e.Expiration, model.FormatTime(last.CloseTime))
				}
			case e.Expiration != tc.expiration:
				t.Errorf("%+v, want %+v", e, tc)
			}
		}
	}
	if a := w.revoke(t, w.subject, "Timed"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask(t, "", w.subject, "Timed", `{"x":1}`, `,"expiration":"`+own+`"`); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, e := range w.list(t, "") {
		if e.Credential == "Timed" && e.Expiration != own {
			t.Errorf("asked for %s, it is %s", own, e.Expiration)
		}
	}
	// Automatic decisions are the policy's.
	for _, e := range w.audited(t, model.ActionIssue) {
		if e.Actor != model.ActorPolicy || strings.Contains(string(e.Detail), "Jo") {
			t.Errorf("%+v", e)
		}
	}
}

// TestBatchUnderPolicies: whoever sends a batch vouches for its rows, which are held to their policies all the same. The ledger is
// asked for its close time once for many of them.
func TestBatchUnderPolicies(t *testing.T) {
	d := &door{}
	var ledgers atomic.Int64
	w := newWorld(t, guarded(d), under(memberPolicy, timedPolicy, linkedPolicy, provenPolicy, reviewedPolicy), func(c *worldConfig) {
		c.directLane = true
		c.node = func(ledgerURL string) string {
			return proxy(t, ledgerURL, func(method string, _ int, _ http.ResponseWriter) bool {
				if method == "server_state" {
					ledgers.Add(1)
				}
				return false
			})
		}
	})
	row := func(credential, documents, more string) string {
		return fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":%s%s}`+"\n", w.subject, credential, documents, more)
	}
	body := row("Member", memberDocuments, "") + // 1
		row("Member", `{"name":"Jo","age":7}`, "") + // 2: too young
		row("Nothing", `{"x":1}`, "") + // 3: not offered
		row("Linked", `{"x":1}`, `,"uri":"https://example.org"`) + // 4: not theirs to say
		row("Linked", `{"x":1}`, "") + // 5
		row("Proven", `{"x":1}`, "") + // 6: whoever sends it vouches for it
		row("Reviewed", `{"x":1}`, "") + // 7: and decides on it
		row("Timed", `{"x":1}`, `,"renew":true`) + // 8
		row("Timed", `{"x":1}`, `,"proof":{"nonce":"a","public_key":"`+strings.Repeat("ED", 33)+`","signature":"00"}`) // 9
	for range 300 {
		body += row("Timed", `{"x":1}`, "") // 10 is issued, the others are its duplicates
	}
	before := ledgers.Load()
	a := w.as(t, d, "admin", post, "/admin/credential/batch", "Content-Type: application/x-ndjson", body)
	if a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if n := ledgers.Load() - before; n > 20 {
		t.Errorf("the ledger was asked for %d times", n)
	}
	var b struct {
		Finished bool
		Counts   map[string]int64
		Failures []struct {
			Row     int64
			Error   string
			Message string `json:"error_message"`
		}
	}
	for deadline := time.Now().Add(20 * time.Second); !b.Finished && time.Now().Before(deadline); {
		page := w.as(t, d, "reader", get, a.header.Get("Location")+"?limit=8", "", "")
		if err := json.Unmarshal(page.body, &b); err != nil {
			t.Fatal(err)
		}
	}
	if b.Counts["succeeded"] != 5 {
		t.Errorf("%+v", b)
	}
	for _, want := range []struct {
		row  int64
		part string
	}{{2, "documents.age"}, {3, "Member"}, {4, "uri must be left out"}, {8, "renew"}, {9, "proof"}} {
		found := false
		for _, f := range b.Failures {
			found = found || f.Row == want.row && f.Error == "badRequest" && strings.Contains(f.Message, want.part)
		}
		if !found {
			t.Errorf("row %d: %+v", want.row, b.Failures)
		}
	}
}

// TestBatchWhileTheLedgerIsAway: a row that cannot be looked into is not decided on: the batch ends, and goes on when it is sent again.
func TestBatchWhileTheLedgerIsAway(t *testing.T) {
	d := &door{}
	var away atomic.Bool
	var asked atomic.Int64
	w := newWorld(t, guarded(d), under(timedPolicy), func(c *worldConfig) {
		c.directLane = true
		c.client = func(l *ledger.Config) { l.RetryFor = 50 * time.Millisecond }
		c.node = func(ledgerURL string) string {
			return proxy(t, ledgerURL, func(method string, _ int, w http.ResponseWriter) bool {
				if method != "server_state" || !away.Load() || asked.Add(1) == 1 { // the first look is before any row
					return false
				}
				_, _ = io.WriteString(w, "garbage")
				return true
			})
		}
	})
	row := fmt.Sprintf(`{"subject":"%s","credential":"Timed","documents":{"x":1}}`+"\n", w.subject)
	away.Store(true)
	a := w.as(t, d, "admin", post, "/admin/credential/batch", "Content-Type: application/x-ndjson", row)
	a.holdsItsForm(t)
	place := a.header.Get("Location")
	if a.status != http.StatusServiceUnavailable || a.str("error") != "ledgerUnavailable" || place == "" || !strings.Contains(a.str("error_message"), "?batch=") {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	away.Store(false)
	a = w.as(t, d, "admin", post, "/admin/credential/batch?batch="+strings.TrimPrefix(place, "/admin/batch/"), "Content-Type: application/x-ndjson", row)
	if a.status != http.StatusAccepted || string(a.fields["rows"]) != "1" || strings.Contains(string(a.fields["counts"]), `"rejected":1`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestPoliciesOfTheMoment: policies that are read again hold for the next request, and what waits stays what it was.
func TestPoliciesOfTheMoment(t *testing.T) {
	d := &door{}
	var policies atomic.Pointer[issuer.Policies]
	set := func(texts ...string) {
		p := issuer.Policies(newPolicies(t, texts...))
		policies.Store(&p)
	}
	set(reviewedPolicy)
	w := newWorld(t, guarded(d), under(reviewedPolicy), func(c *worldConfig) {
		c.furnish = append(c.furnish, func(_ *world, i *issuer.Config, _ *httpapi.Config) { i.Policies = current{&policies} })
	})
	id, _ := w.waits(t, w.subject, "Reviewed", "")
	set(strings.Replace(memberPolicy, "Member", "Reviewed", 1), memberPolicy)
	if a := w.ask(t, "", w.subject, "Member", memberDocuments, ""); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	set(memberPolicy) // its type is offered no more
	if a := w.ask(t, "", w.subject, "Reviewed", memberDocuments, ""); a.status != http.StatusBadRequest {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.decide(t, d, id, "approve", "", ""); a.status != http.StatusOK || a.str("state") != "approved" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// current are the policies that a test holds at the moment.
type current struct {
	at *atomic.Pointer[issuer.Policies]
}

func (c current) Current() *policy.Set { return (*c.at.Load()).Current() }
