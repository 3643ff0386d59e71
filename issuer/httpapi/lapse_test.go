package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const briefPolicy = "credential: Brief\ndecision: review\nkeep_documents: 1h\ndecide_within: 2d\n"

// TestLapse: a request that nobody decides on says until when it waits, ends, tells its applicant what to do, and
// leaves the place to another one.
func TestLapse(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), under(briefPolicy, reviewedPolicy), on(database))
		asked := w.ask(t, "Idempotency-Key: brief", w.subject, "Brief", `{"passport":"XK-1234567"}`, "")
		id, link := asked.str("id"), asked.str("link")
		if asked.status != http.StatusAccepted || link == "" {
			t.Fatalf("%d %s", asked.status, asked.body)
		}
		until := func(credential string, a answer) time.Time {
			t.Helper()
			at, err := time.Parse(time.RFC3339, a.str("decide_by"))
			if err != nil || a.str("credential") != credential {
				t.Fatalf("%s", a.body)
			}
			return at
		}
		if left := time.Until(until("Brief", w.send(t, get, link, "", ""))); left.Round(10*time.Minute) != 48*time.Hour {
			t.Errorf("there are %s to decide", left)
		}
		other, otherSecret := w.waits(t, w.subject, "Reviewed", "")
		if left := time.Until(until("Reviewed", w.send(t, get, "/request/"+other+"?secret="+otherSecret, "", ""))); left.Round(10*time.Minute) != 90*24*time.Hour {
			t.Errorf("where the policy says nothing there are %s to decide", left)
		}
		if n, err := w.store.LapseApplications(t.Context(), w.issuer, time.Now().Add(49*time.Hour), 10); n != 1 || err != nil {
			t.Fatalf("%d have lapsed, %v", n, err)
		}
		a := w.send(t, get, link, "", "")
		if r := read[shownRequest](t, a); a.status != http.StatusOK || r.State != "lapsed" || r.DecidedBy != "" || r.Reason != "" || r.Operation != nil ||
			!strings.Contains(a.str("message"), "ask again") || strings.Contains(string(a.body), "decide_by") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if b := w.ask(t, "Idempotency-Key: brief", w.subject, "Brief", `{"passport":"XK-1234567"}`, ""); b.status != http.StatusAccepted || b.str("state") != "lapsed" || !strings.Contains(b.str("message"), "ask again") {
			t.Errorf("the same request again: %d %s", b.status, b.body)
		}
		for _, b := range []answer{w.decide(t, d, id, "approve", "", ""), w.decide(t, d, id, "reject", "", `{"reason":"no"}`), w.send(t, http.MethodDelete, link, "", "")} {
			b.holdsItsForm(t)
			if b.status != http.StatusConflict || b.str("error") != "alreadyDecided" || !strings.Contains(b.str("error_message"), "lapsed") {
				t.Errorf("%d %s", b.status, b.body)
			}
		}
		r := w.reviewed(t, d, id)
		kinds, actors := r.history()
		if !slices.Equal(kinds, []string{"request.received", "request.lapsed"}) || !slices.Equal(actors, []string{"applicant", "janitor"}) || r.DecidedBy != "janitor" || r.Erased == "" {
			t.Errorf("%+v", r)
		}
		b := w.as(t, d, "reader", get, "/admin/request?state=lapsed", "", "")
		if list := read[requestList](t, b); b.status != http.StatusOK || len(list.Requests) != 1 || list.Requests[0].ID != id {
			t.Errorf("%d %s", b.status, b.body)
		}
		if entries := w.audited(t, model.ActionLapse); len(entries) != 1 || entries[0].Actor != "janitor" || entries[0].Target != id {
			t.Errorf("%+v", entries)
		}
		w.waits(t, w.subject, "Brief", "") // the place is free
		if got := w.list(t, ""); len(got) != 0 {
			t.Errorf("on the ledger: %+v", got)
		}
	})
}

// TestWithdraw: whoever has its secret takes a request back, nobody else does; its documents go at once.
func TestWithdraw(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), under(briefPolicy), on(database))
		id, secret := w.waits(t, w.subject, "Brief", "")
		target, link := "/request/"+id, "/request/"+id+"?secret="+secret
		for name, tc := range map[string]struct {
			target, headers, body string
			status                int
		}{
			"no secret":         {target, "", "", 404},
			"another secret":    {target + "?secret=" + otherSecret(secret), "", "", 404},
			"a reviewer":        {target, d.header("reviewer"), "", 404},
			"an admin":          {target, d.header("admin"), "", 404},
			"another id":        {"/request/01JD8Q4Z7T9XW3V5K2M6N8P0RS?secret=" + secret, "", "", 404},
			"another parameter": {link + "&reason=x", "", "", 400},
			"a body":            {link, jsonType, `{"reason":"x"}`, 400},
			"another format":    {link, "Content-Type: text/plain", "x", 415},
		} {
			a := w.send(t, http.MethodDelete, tc.target, tc.headers, tc.body)
			a.holdsItsForm(t)
			if a.status != tc.status {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		if r := w.reviewed(t, d, id); r.State != "waiting" || len(r.Documents) < 10 {
			t.Fatalf("%+v", r)
		}
		for range 2 { // again, it is as it was
			a := w.send(t, http.MethodDelete, target, "Authorization: Bearer "+secret+"\nX-Request-Id: the-call", "")
			if r := read[shownRequest](t, a); a.status != http.StatusOK || r.State != "withdrawn" || r.ID != id || !strings.Contains(a.str("message"), "erased") {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		a := w.send(t, get, link, "", "")
		if r := read[shownRequest](t, a); a.status != http.StatusOK || r.State != "withdrawn" || a.str("message") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
		r := w.reviewed(t, d, id)
		kinds, actors := r.history()
		if string(r.Documents) != "null" || r.DecidedBy != "applicant" || !slices.Equal(kinds, []string{"request.received", "request.withdrawn", "request.documents_erased"}) ||
			!slices.Equal(actors, []string{"applicant", "applicant", "applicant"}) {
			t.Errorf("%+v", r)
		}
		if entries := w.audited(t, model.ActionWithdraw); len(entries) != 1 || entries[0].Actor != "applicant" || entries[0].Target != id || entries[0].RequestID != "the-call" {
			t.Errorf("%+v", entries)
		}
		if b := w.decide(t, d, id, "approve", "", ""); b.status != http.StatusConflict || !strings.Contains(b.str("error_message"), "withdrawn") {
			t.Errorf("%d %s", b.status, b.body)
		}
		b := w.as(t, d, "reader", get, "/admin/request?state=withdrawn", "", "")
		if list := read[requestList](t, b); len(list.Requests) != 1 || list.Requests[0].ID != id {
			t.Errorf("%d %s", b.status, b.body)
		}
		// The place is free; and what is decided stays.
		id, secret = w.waits(t, w.subject, "Brief", "")
		if a := w.decide(t, d, id, "reject", "", `{"reason":"no"}`); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := w.send(t, http.MethodDelete, "/request/"+id+"?secret="+secret, "", ""); a.status != http.StatusConflict || a.str("error") != "alreadyDecided" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if strings.Contains(w.log.String(), secret) || strings.Contains(w.log.String(), "XK-1234567") {
			t.Error("the log holds documents, or the secret")
		}
	})
}

// TestWithdrawAndApproveAtOnce: one of the two counts, and only an approval issues.
func TestWithdrawAndApproveAtOnce(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), under(briefPolicy), on(database))
		for range 5 {
			subject := w.newAccount(100 * xrp).Address()
			id, secret := w.waits(t, subject, "Brief", "")
			var both sync.WaitGroup
			var approved, withdrawn answer
			both.Go(func() { approved = w.decide(t, d, id, "approve", "", "") })
			both.Go(func() { withdrawn = w.send(t, http.MethodDelete, "/request/"+id+"?secret="+secret, "", "") })
			both.Wait()
			state := w.reviewed(t, d, id).State
			switch {
			case approved.status == http.StatusOK && withdrawn.status == http.StatusConflict && state == "approved":
			case approved.status == http.StatusConflict && withdrawn.status == http.StatusOK && state == "withdrawn":
			default:
				t.Errorf("approval %d, withdrawal %d, and it is %s", approved.status, withdrawn.status, state)
			}
			issued := slices.ContainsFunc(w.list(t, ""), func(e entry) bool { return e.Subject == string(subject) })
			if issued != (state == "approved") {
				t.Errorf("it is %s, and on the ledger: %t", state, issued)
			}
		}
	})
}

// TestMostWaiting: as many requests of a type wait as its policy allows, whoever asks, and one more when one is over.
func TestMostWaiting(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), under(briefPolicy+"most_waiting: 2\n", reviewedPolicy), on(database))
		var ids []string
		for range 2 {
			id, _ := w.waits(t, w.newAccount(100*xrp).Address(), "Brief", "")
			ids = append(ids, id)
		}
		ask := func() answer { return w.ask(t, "", w.subject, "Brief", `{"passport":"XK-1234567"}`, "") }
		a := ask()
		a.holdsItsForm(t)
		if a.status != http.StatusServiceUnavailable || a.str("error") != "tooManyWaiting" || a.header.Get("Retry-After") != "600" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		w.waits(t, w.subject, "Reviewed", "") // of another type
		if a := w.decide(t, d, ids[0], "reject", "", `{"reason":"no"}`); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := ask(); a.status != http.StatusAccepted {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
