package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// shownRequest is a request as the interface shows it.
type shownRequest struct {
	ID, State, Subject, Credential, Expiration, URI, Link, Reason string
	Created, Updated                                              string
	Proven, Renew                                                 bool
	DecidedBy                                                     string `json:"decided_by"`
	OperationID                                                   string `json:"operation_id"`
	Operation                                                     *struct {
		ID, State string
		Final     bool
		Status    int
		Result    *struct {
			Validated    bool
			EngineResult string `json:"engine_result"`
		}
		Error *struct{ Error string }
	}
	Erased    string `json:"documents_erased"`
	Documents json.RawMessage
	Events    []struct{ Time, Event, Actor string }
}

func (r shownRequest) history() (kinds, actors []string) {
	for _, e := range r.Events {
		kinds, actors = append(kinds, e.Event), append(actors, e.Actor)
	}
	return kinds, actors
}

func read[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

// reviewed returns a request as a reviewer sees it.
func (w *world) reviewed(t *testing.T, d *door, id string) shownRequest {
	t.Helper()
	a := w.as(t, d, "reviewer", get, "/admin/request/"+id, "", "")
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return read[shownRequest](t, a)
}

func (w *world) decide(t *testing.T, d *door, id, decision, headers, body string) answer {
	t.Helper()
	if body != "" {
		headers += "\n" + jsonType
	}
	return w.as(t, d, "reviewer", post, "/admin/request/"+id+"/"+decision, headers, body)
}

// TestReview is the whole walk: asked for, followed, looked at, approved, on the ledger, and its documents erased.
func TestReview(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), under(memberPolicy, reviewedPolicy), on(database))
		expiration := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
		id, secret := w.waits(t, w.subject, "Reviewed", `,"uri":"https://example.org/x","expiration":"`+expiration+`"`)
		if got := w.list(t, ""); len(got) != 0 {
			t.Errorf("nobody has decided, and it is on the ledger: %+v", got)
		}

		// Its applicant follows it, and nobody else does.
		link := "/request/" + id + "?secret=" + secret
		a := w.send(t, get, link, "", "")
		if r := read[shownRequest](t, a); a.status != http.StatusOK || r.State != "waiting" || r.ID != id || r.Subject != string(w.subject) || r.Credential != "Reviewed" ||
			r.Expiration != expiration || r.URI != "https://example.org/x" || r.Link != "" || r.Operation != nil || r.Events != nil || r.Documents != nil || r.Created == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
		for _, header := range []string{"Authorization: Bearer " + secret, "Authorization: bearer  " + secret} {
			if b := w.send(t, get, "/request/"+id, header, ""); b.status != http.StatusOK || string(b.body) != string(a.body) {
				t.Errorf("%s: %d %s", header[:22], b.status, b.body)
			}
		}
		if b := w.send(t, get, strings.ToLower("/request/"+id)+"?secret="+secret, "", ""); b.status != http.StatusOK {
			t.Errorf("id in lower case: %d", b.status)
		}
		if b := w.send(t, http.MethodHead, link, "", ""); b.status != http.StatusOK || len(b.body) != 0 {
			t.Errorf("HEAD: %d %s", b.status, b.body)
		}
		var refusal string
		for name, target := range map[string]string{
			"no secret": "/request/" + id, "empty": "/request/" + id + "?secret=", "another": "/request/" + id + "?secret=" + otherSecret(secret),
			"lower case": "/request/" + id + "?secret=" + strings.ToLower(secret), "cut": link[:len(link)-1], "longer": link + "A", "too long": link + strings.Repeat("A", 200),
			"its hash": "/request/" + id + "?secret=" + strings.Repeat("0", 64), "another id": "/request/01JD8Q4Z7T9XW3V5K2M6N8P0RS?secret=" + secret, "no id": "/request/x?secret=" + secret,
		} {
			b := w.send(t, get, target, "", "")
			b.holdsItsForm(t)
			if refusal == "" {
				refusal = b.str("error_message")
			}
			if b.status != http.StatusNotFound || b.str("error") != "requestNotFound" || b.str("error_message") != refusal {
				t.Errorf("%s: %d %s", name, b.status, b.body)
			}
		}
		for _, query := range []string{"?secret=" + secret + "&secret=" + secret, "?key=" + secret} {
			if b := w.send(t, get, "/request/"+id+query, "", ""); b.status != http.StatusBadRequest {
				t.Errorf("%s: %d", query, b.status)
			}
		}
		if b := w.send(t, get, "/request/"+id, "Authorization: Basic "+secret, ""); b.status != http.StatusNotFound {
			t.Errorf("another scheme: %d", b.status)
		}

		// Reviewers see the documents, readers see that it waits.
		r := w.reviewed(t, d, id)
		if string(r.Documents) != `{"passport":"XK-1234567"}` || r.Erased != "" || r.DecidedBy != "" || r.State != "waiting" {
			t.Errorf("%+v", r)
		}
		for _, target := range []string{"/admin/request", "/admin/request?state=waiting"} {
			b := w.as(t, d, "reader", get, target, "", "")
			if list := read[requestList](t, b); b.status != http.StatusOK || len(list.Requests) != 1 || list.Requests[0].ID != id || list.Requests[0].Documents != nil ||
				strings.Contains(string(b.body), "XK-") || strings.Contains(string(b.body), secret) || list.Next != "" {
				t.Errorf("%s: %d %s", target, b.status, b.body)
			}
		}

		// Approved, it is issued; who approves waits for that.
		a = w.decide(t, d, id, "approve", "X-Request-Id: the-call", "")
		r = read[shownRequest](t, a)
		if a.status != http.StatusOK || r.State != "approved" || r.DecidedBy != "token:reviewer" || r.Operation == nil || r.Operation.State != "succeeded" || !r.Operation.Final ||
			r.Operation.Status != http.StatusCreated || r.Operation.Result == nil || !r.Operation.Result.Validated || a.header.Get("Location") != "/operations/"+r.Operation.ID ||
			a.header.Get("Retry-After") != "" || r.Documents != nil {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		if got, want := w.list(t, ""), []entry{{Subject: string(w.subject), Credential: "Reviewed", URI: "https://example.org/x", Expiration: expiration}}; !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		operation := r.Operation.ID
		a = w.send(t, get, link, "", "")
		if r := read[shownRequest](t, a); r.State != "approved" || r.Operation == nil || r.Operation.ID != operation || r.Operation.State != "succeeded" || r.DecidedBy != "" || r.Events != nil ||
			strings.Contains(string(a.body), "token:reviewer") {
			t.Errorf("its applicant sees %s", a.body)
		}
		if b := w.send(t, get, "/operations/"+operation, "", ""); b.status != http.StatusOK || b.str("state") != "succeeded" {
			t.Errorf("%d %s", b.status, b.body)
		}

		// What is decided stays so.
		for _, b := range []answer{w.decide(t, d, id, "approve", "", ""), w.decide(t, d, id, "reject", "", `{"reason":"no"}`), w.decide(t, d, id, "approve", "", "{}")} {
			b.holdsItsForm(t)
			if b.status != http.StatusConflict || b.str("error") != "alreadyDecided" || !strings.Contains(b.str("error_message"), "approved") || strings.Contains(string(b.body), "token:") {
				t.Errorf("%d %s", b.status, b.body)
			}
		}

		// Its history, with times and actors, in order.
		r = w.reviewed(t, d, id)
		if kinds, actors := r.history(); !slices.Equal(kinds, []string{"request.received", "request.approved"}) || !slices.Equal(actors, []string{"applicant", "token:reviewer"}) ||
			!slices.IsSortedFunc(r.Events, func(a, b struct{ Time, Event, Actor string }) int { return strings.Compare(a.Time, b.Time) }) {
			t.Errorf("%+v", r.Events)
		}
		if at, err := time.Parse(time.RFC3339, r.Erased); err != nil || time.Until(at).Round(10*time.Minute) != time.Hour {
			t.Errorf("documents are erased at %s", r.Erased)
		}
		for action, want := range map[string]string{model.ActionRequest: "applicant", model.ActionApprove: "token:reviewer"} {
			entries := w.audited(t, action)
			if len(entries) != 1 || entries[0].Actor != want || entries[0].Target != id || strings.Contains(string(entries[0].Detail), "XK-") ||
				action == model.ActionApprove && entries[0].RequestID != "the-call" {
				t.Errorf("%s: %+v", action, entries)
			}
		}

		// After their time documents are gone, for reviewers too.
		if n, err := w.store.EraseDocuments(t.Context(), w.issuer, time.Now().Add(2*time.Hour), 10); err != nil || n != 1 {
			t.Fatalf("erased %d, %v", n, err)
		}
		r = w.reviewed(t, d, id)
		if kinds, _ := r.history(); string(r.Documents) != "null" || !slices.Contains(kinds, "request.documents_erased") {
			t.Errorf("%s, %v", r.Documents, kinds)
		}
		if strings.Contains(w.log.String(), "XK-1234567") || strings.Contains(w.log.String(), secret) {
			t.Error("the log holds documents, or the secret")
		}
	})
}

type requestList struct {
	Requests []shownRequest
	Next     string
}

func otherSecret(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// TestRequestPages: oldest first, a page at a time, by state.
func TestRequestPages(t *testing.T) {
	d := &door{}
	policies := make([]string, 7)
	for n := range policies {
		policies[n] = fmt.Sprintf("credential: R%d\ndecision: review\nkeep_documents: 0s\n", n)
	}
	w := newWorld(t, guarded(d), under(policies...))
	var ids []string
	for n := range policies {
		id, _ := w.waits(t, w.subject, fmt.Sprintf("R%d", n), "")
		ids = append(ids, id)
	}
	for _, n := range []int{1, 4} {
		if a := w.decide(t, d, ids[n], "reject", "", `{"reason":"no"}`); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := w.decide(t, d, ids[6], "approve", "", ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for query, want := range map[string][]string{
		"":               ids,
		"state=waiting":  {ids[0], ids[2], ids[3], ids[5]},
		"state=rejected": {ids[1], ids[4]},
		"state=approved": {ids[6]},
	} {
		for _, limit := range []int{1, 2, 3, 100} {
			var got []string
			after := ""
			for range 10 {
				a := w.as(t, d, "reader", get, fmt.Sprintf("/admin/request?%s&limit=%d%s", query, limit, after), "", "")
				list := read[requestList](t, a)
				if a.status != http.StatusOK || len(list.Requests) > limit {
					t.Fatalf("%d %s", a.status, a.body)
				}
				for _, r := range list.Requests {
					got = append(got, r.ID)
				}
				if list.Next == "" {
					break
				}
				after = "&after=" + list.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %v, want %v", query, limit, got, want)
			}
		}
	}
	for _, query := range []string{"state=open", "state=", "limit=0", "limit=1001", "limit=-1", "limit=1e3", "after=x", "after=", "state=waiting&state=waiting", "documents=yes"} {
		if a := w.as(t, d, "reader", get, "/admin/request?"+query, "", ""); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	for _, target := range []string{"/admin/request/x", "/admin/request/01JD8Q4Z7T9XW3V5K2M6N8P0RS"} {
		for _, a := range []answer{w.as(t, d, "reviewer", get, target, "", ""), w.as(t, d, "reviewer", post, target+"/approve", "", ""),
			w.as(t, d, "reviewer", post, target+"/reject", jsonType, `{"reason":"no"}`)} {
			if a.status != http.StatusNotFound || a.str("error") != "requestNotFound" {
				t.Errorf("%s: %d %s", target, a.status, a.body)
			}
		}
	}
}

// TestReject: a reason is needed, the applicant sees it, and may ask again.
func TestReject(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(reviewedPolicy))
	id, secret := w.waits(t, w.subject, "Reviewed", "")
	if a := w.ask(t, "", w.subject, "Reviewed", `{"passport":"again"}`, ""); a.status != http.StatusConflict || a.str("error") != "inProgress" || strings.Contains(string(a.body), id) {
		t.Errorf("asked for twice: %d %s", a.status, a.body)
	}
	for name, tc := range map[string]struct {
		headers, body string
		status        int
	}{
		"nothing":        {"", "", 400},
		"empty":          {jsonType, "{}", 400},
		"no reason":      {jsonType, `{"reason":""}`, 400},
		"blank":          {jsonType, `{"reason":" \n"}`, 400},
		"too long":       {jsonType, `{"reason":"` + strings.Repeat("é", model.MaxReasonLen+1) + `"}`, 400},
		"controls":       {jsonType, `{"reason":"\u001b[2J"}`, 400},
		"a number":       {jsonType, `{"reason":1}`, 400},
		"another field":  {jsonType, `{"reason":"x","operation":"y"}`, 400},
		"another format": {"Content-Type: text/plain", "no", 415},
	} {
		if a := w.as(t, d, "reviewer", post, "/admin/request/"+id+"/reject", tc.headers, tc.body); a.status != tc.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for name, tc := range map[string]struct {
		headers, body string
		status        int
	}{
		"with a reason": {jsonType, `{"reason":"x"}`, 400}, "a list": {jsonType, `[]`, 400}, "without a type": {"", "{}", 415},
	} {
		if a := w.as(t, d, "reviewer", post, "/admin/request/"+id+"/approve", tc.headers, tc.body); a.status != tc.status {
			t.Errorf("approve %s: %d %s", name, a.status, a.body)
		}
	}
	for _, query := range []string{"?force=yes", "?reason=no"} {
		if a := w.as(t, d, "reviewer", post, "/admin/request/"+id+"/approve"+query, "", ""); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	if r := w.reviewed(t, d, id); r.State != "waiting" || len(r.Events) != 1 {
		t.Errorf("it is %s already: %+v", r.State, r.Events)
	}
	before := w.account()
	reason := "the picture is <b>blurred</b>\n" + strings.Repeat("é", 900)
	text, err := json.Marshal(map[string]string{"reason": reason})
	if err != nil {
		t.Fatal(err)
	}
	a := w.decide(t, d, id, "reject", "", string(text))
	if r := read[shownRequest](t, a); a.status != http.StatusOK || r.State != "rejected" || r.Reason != reason || r.Operation != nil || a.header.Get("Location") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = w.send(t, get, "/request/"+id+"?secret="+secret, "", "")
	if r := read[shownRequest](t, a); r.State != "rejected" || r.Reason != reason || strings.ContainsAny(string(a.body), "<>") {
		t.Errorf("%s", a.body)
	}
	for _, b := range []answer{w.decide(t, d, id, "approve", "", ""), w.decide(t, d, id, "reject", "", `{"reason":"other"}`)} {
		if b.status != http.StatusConflict || b.str("error") != "alreadyDecided" || !strings.Contains(b.str("error_message"), "rejected") {
			t.Errorf("%d %s", b.status, b.body)
		}
	}
	if again, _ := w.waits(t, w.subject, "Reviewed", ""); again == id {
		t.Error("the same request again")
	}
	// In the end the reason is erased, and its applicant is told so.
	if n, err := w.store.EraseDocuments(t.Context(), w.issuer, time.Now().Add(31*24*time.Hour), 10); err != nil || n != 1 {
		t.Fatalf("erased %d, %v", n, err)
	}
	a = w.send(t, get, "/request/"+id+"?secret="+secret, "", "")
	if r := read[shownRequest](t, a); r.State != "rejected" || r.Reason != "" || !strings.Contains(a.str("message"), "the reason was erased") {
		t.Errorf("%s", a.body)
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: %+v, %+v", before, after)
	}
}

// TestOneDecision: of many words at the same moment, in two processes, the first counts.
func TestOneDecision(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), under(reviewedPolicy), on(database))
		second := openStore(t, w.storeConfig)
		other := serve(t, httpapi.Config{Issuer: issuer.New(issuer.Config{Account: w.issuer, Ledger: w.client, Journal: second}), Audit: second})
		first := strings.TrimPrefix(w.url, "http://")
		for round := range 3 {
			id, _ := w.waits(t, w.subject, "Reviewed", "")
			answers := make([]answer, 12)
			var wg sync.WaitGroup
			for n := range answers {
				wg.Go(func() {
					address := []string{first, other.address}[n%2]
					decision, body := "approve", ""
					if n%3 == 0 {
						decision, body = "reject", `{"reason":"no"}`
					}
					answers[n] = exchange(t, address, post, "/admin/request/"+id+"/"+decision, jsonType+"\n"+d.header("reviewer"), body+strings.Repeat(" ", n+1))
				})
			}
			wg.Wait()
			var won []answer
			for _, a := range answers {
				switch a.status {
				case http.StatusOK:
					won = append(won, a)
				case http.StatusConflict: // decided on, or its credential stands by now
				default:
					t.Errorf("%d %s", a.status, a.body)
				}
			}
			r := w.reviewed(t, d, id)
			if len(won) != 1 || won[0].str("state") != r.State || len(r.Events) != 2 {
				t.Fatalf("round %d: %d were told that theirs counts; it is %s, %+v", round, len(won), r.State, r.Events)
			}
			if r.State == "approved" {
				if r.Operation == nil || r.Operation.State != "succeeded" {
					t.Fatalf("%+v", r.Operation)
				}
				if a := w.revoke(t, w.subject, "Reviewed"); a.status != http.StatusOK {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
		}
		if n := len(w.audited(t, model.ActionApprove)) + len(w.audited(t, model.ActionReject)); n != 3 {
			t.Errorf("%d decisions are in the audit log", n)
		}
	})
}

// meanwhile lets something happen between an approval's checks and its storing.
type meanwhile struct {
	issuer.Journal
	do *atomic.Pointer[func()]
}

func (m meanwhile) Decide(ctx context.Context, d model.Decision) (model.Application, error) {
	if do := m.do.Swap(nil); do != nil {
		(*do)()
	}
	return m.Journal.Decide(ctx, d)
}

// TestApprovalsKeepLimits: a person's word locks no more of the issuer's XRP than the policy lets. What is beyond waits.
func TestApprovalsKeepLimits(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(reviewedPolicy+"unaccepted: {in_all: 1}\n"))
	first, _ := w.waits(t, w.subject, "Reviewed", "")
	second, _ := w.waits(t, w.funded(t, edSeed).Address(), "Reviewed", "")
	if a := w.decide(t, d, first, "approve", "", ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.decide(t, d, second, "approve", "", ""); a.status != http.StatusConflict || a.str("error") != "tooManyUnaccepted" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if r := w.reviewed(t, d, second); r.State != "waiting" || len(r.Events) != 1 {
		t.Errorf("%s, %+v", r.State, r.Events)
	}
}

// TestApprovalThatComesToNothing: what the ledger refuses is told, and can be decided on again, either way.
func TestApprovalThatComesToNothing(t *testing.T) {
	d := &door{}
	var do atomic.Pointer[func()]
	w := newWorld(t, guarded(d), under(reviewedPolicy), func(c *worldConfig) {
		c.journal = func(w *world) issuer.Journal { return meanwhile{w.store, &do} }
	})
	issuing := func() { w.submit(model.CredentialCreate{Subject: w.subject, Type: "Reviewed"}) }
	revoke := func() {
		t.Helper()
		if a := w.revoke(t, w.subject, "Reviewed"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	fail := func(id string) {
		t.Helper()
		do.Store(&issuing)
		a := w.decide(t, d, id, "approve", "", "")
		r := read[shownRequest](t, a)
		if a.status != http.StatusOK || r.State != "approved" || r.Operation == nil || r.Operation.State != "failed" || r.Operation.Status != http.StatusConflict ||
			r.Operation.Error == nil || r.Operation.Error.Error != "tecDUPLICATE" || r.Operation.Result != nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	id, secret := w.waits(t, w.subject, "Reviewed", "")
	fail(id)
	if r := read[shownRequest](t, w.send(t, get, "/request/"+id+"?secret="+secret, "", "")); r.State != "approved" || r.Operation == nil || r.Operation.Error == nil {
		t.Errorf("its applicant is not told: %+v", r)
	}
	if a := w.decide(t, d, id, "approve", "", ""); a.status != http.StatusConflict || a.str("error") != "tecDUPLICATE" {
		t.Errorf("while the other stands: %d %s", a.status, a.body)
	}
	revoke()
	a := w.decide(t, d, id, "approve", "", "")
	if r := read[shownRequest](t, a); a.status != http.StatusOK || r.Operation == nil || r.Operation.State != "succeeded" {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	r := w.reviewed(t, d, id)
	if kinds, _ := r.history(); !slices.Equal(kinds, []string{"request.received", "request.approved", "credential.failed", "request.approved"}) || string(r.Documents) == "null" {
		t.Errorf("%v, documents %s", kinds, r.Documents)
	}
	revoke()

	id, _ = w.waits(t, w.subject, "Reviewed", "")
	fail(id)
	if a := w.decide(t, d, id, "reject", "", `{"reason":"another program has issued it"}`); a.status != http.StatusOK || a.str("state") != "rejected" {
		t.Errorf("rejected after all: %d %s", a.status, a.body)
	}
	if a := w.decide(t, d, id, "approve", "", ""); a.status != http.StatusConflict || a.str("error") != "alreadyDecided" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestApproveWithoutWaiting: with Prefer: respond-async the answer is the operation under way, which can be followed.
func TestApproveWithoutWaiting(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(reviewedPolicy), onTick, func(c *worldConfig) {
		c.issuer = func(i *issuer.Config) { i.WaitLimit = 30 * time.Second }
	})
	id, secret := w.waits(t, w.subject, "Reviewed", "")
	a := w.decide(t, d, id, "approve", "Prefer: respond-async", "")
	r := read[shownRequest](t, a)
	if a.status != http.StatusAccepted || a.header.Get("Preference-Applied") != "respond-async" || a.header.Get("Retry-After") == "" || r.State != "approved" ||
		r.Operation == nil || r.Operation.Final || r.Operation.Result != nil || a.header.Get("Location") != "/operations/"+r.Operation.ID {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	if r := read[shownRequest](t, w.send(t, get, "/request/"+id+"?secret="+secret, "", "")); r.State != "approved" || r.Operation == nil || r.Operation.Final {
		t.Errorf("provisional is shown as final: %+v", r.Operation)
	}
	for _, b := range []answer{w.decide(t, d, id, "approve", "", ""), w.decide(t, d, id, "reject", "", `{"reason":"no"}`)} {
		if b.status != http.StatusConflict || b.str("error") != "alreadyDecided" {
			t.Errorf("while it is under way: %d %s", b.status, b.body)
		}
	}
	end := w.keepTicking()
	o := w.follow(t, a.header.Get("Location"))
	end()
	if o.State != "succeeded" {
		t.Errorf("%+v", o)
	}
	if r := w.reviewed(t, d, id); r.Operation == nil || r.Operation.State != "succeeded" {
		t.Errorf("%+v", r.Operation)
	}
}

// TestOvertaken: what the ledger would refuse by now is not stored, costs nothing, and goes on waiting.
func TestOvertaken(t *testing.T) {
	d := &door{}
	var ahead atomic.Int64
	w := newWorld(t, guarded(d), under(reviewedPolicy, strings.Replace(reviewedPolicy, "Reviewed", "Short", 1)), func(c *worldConfig) {
		c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	standing, _ := w.waits(t, w.subject, "Reviewed", "")
	w.submit(model.CredentialCreate{Subject: w.subject, Type: "Reviewed"})
	expiration := time.Now().Add(time.Hour)
	expired, secret := w.waits(t, w.subject, "Short", `,"expiration":"`+expiration.UTC().Format(time.RFC3339)+`"`)
	ahead.Store(int64(2 * time.Hour))
	w.closeAfter(expiration.Add(time.Second))
	before := w.account()
	for id, want := range map[string]struct {
		status     int
		code, part string
	}{standing: {http.StatusConflict, "tecDUPLICATE", "not accepted yet"}, expired: {http.StatusUnprocessableEntity, "tecEXPIRED", "reject the request"}} {
		a := w.decide(t, d, id, "approve", "", "")
		a.holdsItsForm(t)
		if a.status != want.status || a.str("error") != want.code || !strings.Contains(a.str("error_message"), want.part) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if r := w.reviewed(t, d, id); r.State != "waiting" || len(r.Events) != 1 {
			t.Errorf("it is %s: %+v", r.State, r.Events)
		}
		if a := w.decide(t, d, id, "reject", "", `{"reason":"too late"}`); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: %+v, %+v", before, after)
	}
	if r := read[shownRequest](t, w.send(t, get, "/request/"+expired+"?secret="+secret, "", "")); r.Reason != "too late" {
		t.Errorf("%+v", r)
	}
	// And what would be refused from the first does not wait for a person.
	for name, a := range map[string]answer{
		"stands":     w.ask(t, "", w.subject, "Reviewed", `{"x":1}`, ""),
		"no account": w.ask(t, "", absent, "Short", `{"x":1}`, ""),
		"past":       w.ask(t, "", w.subject, "Short", `{"x":1}`, `,"expiration":"2001-01-01T00:00:00Z"`),
	} {
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestRequestAgain: the same request with its key is answered as the first one, link and all, for as long as the key of its
// secret is there.
func TestRequestAgain(t *testing.T) {
	d := &door{}
	old, fresh := vault.NewKey(), vault.NewKey()
	w := newWorld(t, guarded(d), under(reviewedPolicy), func(c *worldConfig) {
		c.furnish = append(c.furnish, func(w *world, i *issuer.Config, _ *httpapi.Config) { i.Vault = newVault(w.t, old) })
	})
	const documents = `{"passport":"XK-1"}`
	const key = "Idempotency-Key: k-1"
	first := w.ask(t, key, w.subject, "Reviewed", documents, "")
	if first.status != http.StatusAccepted || first.header.Get("Idempotent-Replayed") != "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	id, link := first.str("id"), first.str("link")
	same := func(what string, a answer, wantLink string) {
		t.Helper()
		if a.status != http.StatusAccepted || a.header.Get("Idempotent-Replayed") != "true" || a.str("id") != id || a.str("link") != wantLink ||
			a.header.Get("Location") != "/request/"+id || strings.Contains(string(a.body), "passport") {
			t.Errorf("%s: %d %v %s", what, a.status, a.header, a.body)
		}
	}
	same("again", w.ask(t, key, w.subject, "Reviewed", documents, ""), link)
	same("written in another way", w.send(t, post, "/credential", jsonType+"\n"+key, fmt.Sprintf(`{"documents":{"passport": "XK-1"},"credential":"Reviewed","subject":"%s"}`, w.subject)), link)
	for what, a := range map[string]answer{
		"other documents": w.ask(t, key, w.subject, "Reviewed", `{"passport":"XK-2"}`, ""),
		"another route":   w.as(t, d, "admin", del, "/admin/credential", jsonType+"\n"+key, fmt.Sprintf(`{"subject":"%s","credential":"Reviewed"}`, w.subject)),
	} {
		if a.status != http.StatusUnprocessableEntity || a.str("error") != "idempotencyKeyReused" || strings.Contains(string(a.body), id) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if a := w.ask(t, "Idempotency-Key: k-2", w.subject, "Reviewed", documents, ""); a.status != http.StatusConflict || a.str("error") != "inProgress" {
		t.Errorf("another key: %d %s", a.status, a.body)
	}
	// The same store behind services with other keys.
	with := func(keys ...vault.Key) answer {
		t.Helper()
		s := serve(t, httpapi.Config{Access: newAuthenticator(w, doorOf(d)), Issuer: issuer.New(issuer.Config{Account: w.issuer, Ledger: w.client, Journal: w.store,
			Policies: newPolicies(t, reviewedPolicy), Vault: newVault(t, keys...)})})
		r := exchange(t, s.address, get, "/admin/request/"+id, d.header("reviewer"), "")
		if slices.Contains(keys, old) != (r.status == http.StatusOK && strings.Contains(string(r.body), "XK-1")) {
			t.Errorf("documents with %d keys: %d %s", len(keys), r.status, r.body)
		}
		if r.status != http.StatusOK && (r.status != http.StatusInternalServerError || r.str("error") != "internal" || strings.Contains(string(r.body), "key")) {
			t.Errorf("%d %s", r.status, r.body)
		}
		if r.status != http.StatusOK && !strings.Contains(s.log.String(), "sealed with another key") {
			t.Errorf("the log does not say why: %s", s.log)
		}
		return exchange(t, s.address, post, "/credential", jsonType+"\n"+key, fmt.Sprintf(`{"subject":"%s","credential":"Reviewed","documents":%s}`, w.subject, documents))
	}
	same("with a new key in front", with(fresh, old), link)
	same("without the old key", with(fresh), "")
	if a := w.decide(t, d, id, "reject", "", `{"reason":"no"}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a := w.ask(t, key, w.subject, "Reviewed", documents, "")
	same("once it is decided", a, link)
	if a.str("state") != "rejected" || a.str("reason") != "no" {
		t.Errorf("%s", a.body)
	}
	if n := len(w.audited(t, model.ActionRequest)); n != 1 {
		t.Errorf("%d requests were stored", n)
	}
}

// TestManyAtOnceWithOneKey: they are one request.
func TestManyAtOnceWithOneKey(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(reviewedPolicy))
	answers := make([]answer, 10)
	var wg sync.WaitGroup
	for n := range answers {
		wg.Go(func() { answers[n] = w.ask(t, "Idempotency-Key: one", w.subject, "Reviewed", `{"x":1}`, "") })
	}
	wg.Wait()
	for _, a := range answers {
		if a.status != http.StatusAccepted || a.str("id") != answers[0].str("id") || a.str("link") == "" || a.str("link") != answers[0].str("link") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestDocumentsCannotBeRead: the database holds neither documents, nor what opens them, nor the secrets that were given out.
func TestDocumentsCannotBeRead(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		key := vault.NewKey()
		w := newWorld(t, guarded(d), under(reviewedPolicy), func(c *worldConfig) {
			c.database = database
			c.furnish = append(c.furnish, func(w *world, i *issuer.Config, _ *httpapi.Config) { i.Vault = newVault(w.t, key) })
		})
		id, secret := w.waits(t, w.subject, "Reviewed", `,"uri":"https://example.org/readable"`)
		w.decide(t, d, id, "reject", "", `{"reason":"no"}`)
		raw, err := base64.StdEncoding.DecodeString(key.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		stored := everyByte(t, w.storeConfig)
		has := func(text string) bool {
			return strings.Contains(stored, text) || strings.Contains(strings.ToLower(stored), hex.EncodeToString([]byte(text))) ||
				strings.Contains(stored, base64.StdEncoding.EncodeToString([]byte(text)))
		}
		for what, text := range map[string]string{"documents": "XK-1234567", "a name of a field": `passport`, "the key": key.Reveal(), "the key's bytes": string(raw), "the secret": secret,
			"a token": d.tokens["reviewer"][21:]} {
			if has(text) {
				t.Errorf("the database holds %s", what)
			}
		}
		if !has(id) || !has("https://example.org/readable") || !has("token:reviewer") {
			t.Error("what was read is not the database")
		}
		sealed, err := w.store.Application(t.Context(), model.OperationID(id))
		if err != nil || len(sealed.Documents) == 0 || !has(string(sealed.Documents)) {
			t.Fatalf("the sealed documents are not found: %v", err)
		}
		if n, err := w.store.EraseDocuments(t.Context(), w.issuer, time.Now().Add(2*time.Hour), 10); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if stored = everyByte(t, w.storeConfig); has(string(sealed.Documents)) {
			t.Error("erased documents are still there, sealed")
		}
	})
}

// everyByte is what whoever gets hold of the database reads: SQLite's files as they are, PostgreSQL's rows as text.
func everyByte(t *testing.T, cfg store.Config) string {
	t.Helper()
	var all strings.Builder
	if cfg.Path != "" {
		files, err := filepath.Glob(cfg.Path + "*")
		if err != nil || len(files) == 0 {
			t.Fatalf("%v, %v", files, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 5 {
		t.Fatalf("%v, %v", tables, err)
	}
	for _, table := range tables {
		rows, err := conn.Query(ctx, "SELECT r::text FROM "+pgx.Identifier{table}.Sanitize()+" r")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(strings.Join(lines, "\n"))
	}
	return all.String()
}

// TestWithoutAKey: documents that could not be sealed are not taken, and the log says what to set. What has come before is
// decided on without them.
func TestWithoutAKey(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(reviewedPolicy))
	id, _ := w.waits(t, w.subject, "Reviewed", "")
	s := serve(t, httpapi.Config{Access: newAuthenticator(w, doorOf(d)), Issuer: issuer.New(issuer.Config{Account: w.issuer, Ledger: w.client, Journal: w.store,
		Policies: newPolicies(t, reviewedPolicy, strings.Replace(reviewedPolicy, "Reviewed", "Other", 1))})})
	for _, a := range []answer{
		exchange(t, s.address, post, "/credential", jsonType, fmt.Sprintf(`{"subject":"%s","credential":"Other","documents":{"passport":"XK-9"}}`, w.subject)),
		exchange(t, s.address, get, "/admin/request/"+id, d.header("reviewer"), ""),
	} {
		a.holdsItsForm(t)
		lines := s.log.requests(t)
		if cause := fmt.Sprint(lines[len(lines)-1]["cause"]); a.status != http.StatusInternalServerError || a.str("error") != "internal" ||
			strings.Contains(string(a.body), "DOCUMENTS_KEY") || !strings.Contains(cause, "DOCUMENTS_KEY") || strings.Contains(cause, "panic") {
			t.Errorf("%d %s: %s", a.status, a.body, cause)
		}
	}
	if a := exchange(t, s.address, get, "/admin/request", d.header("reader"), ""); a.status != http.StatusOK || len(read[requestList](t, a).Requests) != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := exchange(t, s.address, post, "/admin/request/"+id+"/approve", d.header("reviewer"), ""); a.status != http.StatusOK || a.str("state") != "approved" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if strings.Contains(s.log.String(), "XK-9") {
		t.Error("the log holds documents")
	}
}
