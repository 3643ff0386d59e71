package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRenewalOfAnAccepted: whoever knows what documents to hand in can ask for anybody. A credential that its subject
// has accepted, and that holds, would hold no more until they accept the new one: that only they can ask for, or a
// reviewer decides.
func TestRenewalOfAnAccepted(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(
		"credential: Soon\ndecision: automatic\ndocuments: true\nvalidity: {longest: 10d}\nrenew_within: 9d\n",
		"credential: Seen\ndecision: review\nkeep_documents: 1h\nvalidity: {longest: 10d}\nrenew_within: 9d\n"))
	expires := func(days int) string {
		return `,"expiration":"` + time.Now().Add(time.Duration(days)*24*time.Hour).UTC().Format(time.RFC3339) + `"`
	}
	if a := w.ask(t, "", w.subject, "Soon", `{"x":1}`, expires(7)); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// Before it is accepted nothing is lost.
	if a := w.ask(t, "", w.subject, "Soon", `{"x":1}`, expires(8)+`,"renew":true`); a.status != http.StatusCreated {
		t.Errorf("unaccepted: %d %s", a.status, a.body)
	}
	w.accept("Soon")
	accepted := func(credential string) bool {
		t.Helper()
		for _, e := range w.list(t, "?accepted=yes") {
			if e.Credential == credential {
				return true
			}
		}
		return false
	}
	a := w.ask(t, "", w.subject, "Soon", `{"x":1}`, expires(9)+`,"renew":true`)
	a.holdsItsForm(t)
	if a.status != http.StatusBadRequest || !strings.Contains(a.str("error_message"), "proof must be given") || !strings.Contains(a.str("error_message"), "POST /challenge") {
		t.Errorf("by anybody: %d %s", a.status, a.body)
	}
	if !accepted("Soon") {
		t.Error("it was taken from its subject")
	}
	renewed := expires(9) + `,"renew":true`
	if a := w.ask(t, "", w.subject, "Soon", `{"x":1}`, renewed+proof(t, w.challenge(t, w.subject, "Soon", `{"x":1}`, renewed), w.subjectSeed)); a.status != http.StatusCreated {
		t.Errorf("by its subject: %d %s", a.status, a.body)
	}

	// Where a person decides, they do.
	id, _ := w.waits(t, w.subject, "Seen", expires(7))
	if a := w.decide(t, d, id, "approve", "", ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.accept("Seen")
	id, _ = w.waits(t, w.subject, "Seen", expires(9)+`,"renew":true`)
	if !accepted("Seen") {
		t.Error("it was taken from its subject before anybody decided")
	}
	if a := w.decide(t, d, id, "approve", "", ""); a.status != http.StatusOK || accepted("Seen") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
