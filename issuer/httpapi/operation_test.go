package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// operation is what GET /operations/{id} tells.
type operation struct {
	ID, Kind, State, Subject, Credential string
	Final                                bool
	Batch                                string
	Row                                  int64
	Status                               int
	Result                               map[string]json.RawMessage
	Error                                map[string]json.RawMessage
	Pending                              map[string]json.RawMessage
}

// follow asks for an operation until it is over.
func (w *world) follow(t *testing.T, location string) operation {
	t.Helper()
	for {
		a := w.send(t, get, location, "Prefer: wait=5", "")
		var o operation
		if err := json.Unmarshal(a.body, &o); err != nil || a.status != http.StatusOK || a.header.Get("Preference-Applied") != "wait=5" {
			t.Fatalf("%s: %d %v %s", location, a.status, a.header, a.body)
		}
		if o.Final {
			return o
		}
	}
}

// on puts the world's journal into a database.
func on(database store.Config) func(*worldConfig) {
	return func(c *worldConfig) { c.database = database }
}

// secondService is the service once more, on the same journal: what a restart or another replica is.
func (w *world) secondService(t *testing.T) *world {
	t.Helper()
	again := *w
	again.store = openStore(t, w.storeConfig)
	s := serve(t, httpapi.Config{
		Issuer: issuer.New(issuer.Config{Account: w.issuer, Ledger: w.client, Journal: again.store}), Logger: w.log.logger(),
	})
	again.url = "http://" + s.address
	return &again
}

// keyed asks for a credential with an idempotency key.
func (w *world) keyed(t *testing.T, key, body string) answer {
	t.Helper()
	return w.send(t, post, "/credential", jsonType+"\nIdempotency-Key: "+key, body)
}

func (w *world) body(credential string) string {
	return fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"reason":"please","n":1.50}}`, w.subject, credential)
}

// TestIdempotency: a request that comes again with its key gets the first one's answer, whatever has happened since, in
// the same process or another; with another body it is refused; and nothing is paid for twice.
func TestIdempotency(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		w := newWorld(t, on(database))
		before := w.account()
		first := w.keyed(t, "one", w.body("A"))
		if first.status != http.StatusCreated || first.header.Get("Idempotent-Replayed") != "" {
			t.Fatalf("%d %s", first.status, first.body)
		}
		same := func(what string, a answer) {
			t.Helper()
			if a.status != first.status || string(a.body) != string(first.body) || a.header.Get("Idempotent-Replayed") != "true" ||
				a.header.Get("Location") != first.header.Get("Location") {
				t.Errorf("%s: %d %v %s", what, a.status, a.header, a.body)
			}
		}
		same("again", w.keyed(t, "one", w.body("A")))
		same("written in another way", w.keyed(t, "one", fmt.Sprintf(
			"{ \"documents\": {\"n\": 1.50, \"reason\": \"pl\\u0065ase\"},\n\"credential\": \"A\", \"subject\": \"%s\" }", w.subject)))
		for what, body := range map[string]string{
			"another type": w.body("B"), "other documents": strings.Replace(w.body("A"), "1.50", "1.5", 1), "not even valid": `{"subject":`, "nothing": ``,
		} {
			a := w.keyed(t, "one", body)
			a.holdsItsForm(t)
			if a.status != http.StatusUnprocessableEntity || a.str("error") != "idempotencyKeyReused" {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		if a := w.send(t, del, "/admin/credential", jsonType+"\nIdempotency-Key: one", w.body("A")); a.status != http.StatusUnprocessableEntity {
			t.Errorf("another method: %d %s", a.status, a.body)
		}
		if a := w.keyed(t, "two", w.body("A")); a.status != http.StatusConflict || a.str("error") != "tecDUPLICATE" {
			t.Errorf("another key: %d %s", a.status, a.body)
		}
		// What was refused before it was stored leaves its key free.
		if a := w.keyed(t, "two", w.body("B")); a.status != http.StatusCreated {
			t.Errorf("a key that came to nothing: %d %s", a.status, a.body)
		}
		revocation := fmt.Sprintf(`{"subject":"%s","credential":"A"}`, w.subject)
		revoked := w.send(t, del, "/admin/credential", jsonType+"\nIdempotency-Key: three", revocation)
		if revoked.status != http.StatusOK {
			t.Errorf("revoke: %d %s", revoked.status, revoked.body)
		}
		if a := w.send(t, del, "/admin/credential", jsonType+"\nIdempotency-Key: three", revocation); a.status != http.StatusOK || string(a.body) != string(revoked.body) {
			t.Errorf("revoke again: %d %s", a.status, a.body)
		}
		same("after it was revoked", w.keyed(t, "one", w.body("A")))
		restarted := w.secondService(t)
		same("after a restart", restarted.keyed(t, "one", w.body("A")))
		if a := restarted.keyed(t, "one", w.body("B")); a.status != http.StatusUnprocessableEntity {
			t.Errorf("another body after a restart: %d %s", a.status, a.body)
		}
		if after := w.account(); after.Sequence != before.Sequence+3 {
			t.Errorf("%d transactions were paid for, want 3", after.Sequence-before.Sequence)
		}
	})
}

// TestIdempotencyKeyForm: 1 to 255 printable ASCII characters, once.
func TestIdempotencyKeyForm(t *testing.T) {
	w := newWorld(t)
	for name, header := range map[string]string{
		"empty": "Idempotency-Key: ", "too long": "Idempotency-Key: " + strings.Repeat("k", 256), "not ASCII": "Idempotency-Key: é",
		"twice": "Idempotency-Key: a\nIdempotency-Key: a", "control": "Idempotency-Key: a\tb",
	} {
		a := w.send(t, post, "/credential", jsonType+"\n"+header, w.body("A"))
		if a.status != http.StatusBadRequest || !strings.Contains(a.str("error_message"), "Idempotency-Key must be") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.keyed(t, strings.Repeat("~", 255), w.body("A")); a.status != http.StatusCreated {
		t.Errorf("the longest: %d %s", a.status, a.body)
	}
}

// TestAsync: a caller that does not want to wait gets the operation, and follows it to what it would have been told.
func TestAsync(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		w := newWorld(t, on(database), onTick)
		before := w.account()
		async := jsonType + "\nPrefer: respond-async\nIdempotency-Key: k"
		a := w.send(t, post, "/credential", async, w.body("A"))
		if a.status != http.StatusAccepted || a.header.Get("Preference-Applied") != "respond-async" || a.header.Get("Location") != "/operations/"+a.str("id") ||
			a.header.Get("Retry-After") != "1" || a.str("kind") != "issue" || a.str("state") == "succeeded" || string(a.fields["final"]) != "false" || a.fields["result"] != nil {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		again := w.send(t, post, "/credential", async, w.body("A"))
		if again.status != http.StatusAccepted || again.str("id") != a.str("id") || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("again: %d %s", again.status, again.body)
		}
		standing := w.send(t, post, "/credential", jsonType+"\nPrefer: respond-async", w.body("A"))
		if standing.status != http.StatusConflict || standing.str("error") != "tecDUPLICATE" || !strings.Contains(standing.str("error_message"), a.str("id")) {
			t.Errorf("without the key: %d %s", standing.status, standing.body)
		}
		waited := make(chan answer, 1)
		go func() {
			waited <- w.send(t, post, "/credential", jsonType+"\nPrefer: respond-async, wait=30\nIdempotency-Key: k", w.body("A"))
		}()
		end := w.keepTicking()
		o := w.follow(t, a.header.Get("Location"))
		if o.State != "succeeded" || o.Status != http.StatusCreated || o.Kind != "issue" || o.Credential != "A" || o.Subject != string(w.subject) {
			t.Errorf("%+v", o)
		}
		v := <-waited
		end()
		if v.status != http.StatusCreated || v.header.Get("Preference-Applied") != "" || string(v.fields["hash"]) != string(o.Result["hash"]) {
			t.Errorf("waited: %d %v %s", v.status, v.header, v.body)
		}
		v.isTransaction(t, "CredentialCreate")
		if after := w.account(); after.Sequence != before.Sequence+1 {
			t.Errorf("%d transactions were paid for", after.Sequence-before.Sequence)
		}
		for _, id := range []string{"01JD8Q4Z7T9XW3V5K2M6N8P0RS", "x", strings.Repeat("Z", 26), "%00"} {
			if a := w.send(t, get, "/operations/"+id, "", ""); a.status != http.StatusNotFound || a.str("error") != "operationNotFound" {
				t.Errorf("%s: %d %s", id, a.status, a.body)
			}
		}
		if a := w.send(t, get, strings.ToLower(a.header.Get("Location")), "", ""); a.status != http.StatusOK {
			t.Errorf("an id in lower case: %d %s", a.status, a.body)
		}
	})
}

// TestAsyncFailure: the end of an operation that fails is told as it would have been to whoever waited.
func TestAsyncFailure(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) {
		c.journal = func(w *world) issuer.Journal {
			return inBetween{w.store, &sync.Once{}, func() { w.submit(model.CredentialCreate{Subject: w.subject, Type: "A"}) }}
		}
	})
	a := w.send(t, post, "/credential", jsonType+"\nPrefer: respond-async\nIdempotency-Key: k", w.body("A"))
	if a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	o := w.follow(t, a.header.Get("Location"))
	replay := w.keyed(t, "k", w.body("A"))
	if o.State != "failed" || o.Status != http.StatusConflict || o.Result != nil || string(o.Error["error"]) != `"tecDUPLICATE"` ||
		replay.status != o.Status || string(o.Error["error_message"]) != string(replay.fields["error_message"]) || string(o.Error["hash"]) != string(replay.fields["hash"]) {
		t.Errorf("%+v\n%s", o, replay.body)
	}
}

// TestManyAtOnce: 200 requests at once are all issued.
func TestManyAtOnce(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		const count = 200
		w := newWorld(t, on(database), func(c *worldConfig) { c.closeInterval = 500 * time.Millisecond })
		before := w.account()
		ledgers := make([]string, count)
		var wg sync.WaitGroup
		for n := range count {
			wg.Go(func() {
				a := w.request(t, w.subject, fmt.Sprintf("C%d", n), "")
				if a.status != http.StatusCreated {
					t.Errorf("request %d: %d %s", n, a.status, a.body)
				}
				ledgers[n] = string(a.fields["ledger_index"])
			})
		}
		wg.Wait()
		if after := w.account(); after.Sequence != before.Sequence+count || after.OwnerCount != before.OwnerCount+count {
			t.Errorf("the issuer was %+v and is %+v", before, after)
		}
		slices.Sort(ledgers)
		t.Logf("%d requests took %d ledgers", count, len(slices.Compact(ledgers)))
	})
}

// TestSameAtOnceInTwoProcesses: two services share a journal; of one request many times at once, in both, one credential is
// made and one fee paid. Those that carry the first one's key get its result, the others hear that it stands.
func TestSameAtOnceInTwoProcesses(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		w := newWorld(t, on(database))
		services := []*world{w, w.secondService(t)}
		for _, keyed := range []bool{false, true} {
			before := w.account()
			const count = 12
			answers := make([]answer, count)
			var wg sync.WaitGroup
			for n := range count {
				wg.Go(func() {
					if s := services[n%2]; keyed {
						answers[n] = s.keyed(t, "same", s.body("Keyed"))
					} else {
						answers[n] = s.request(t, s.subject, "Unkeyed", "")
					}
				})
			}
			wg.Wait()
			statuses := map[int]int{}
			hashes := map[string]bool{}
			for _, a := range answers {
				statuses[a.status]++
				hashes[a.str("hash")] = true
			}
			want := map[int]int{201: 1, 409: count - 1}
			if keyed {
				want = map[int]int{201: count}
			}
			if fmt.Sprint(statuses) != fmt.Sprint(want) || keyed && len(hashes) != 1 {
				t.Errorf("keyed %t: %v, want %v; hashes %v", keyed, statuses, want, hashes)
			}
			if after := w.account(); after.Sequence != before.Sequence+1 || after.OwnerCount != before.OwnerCount+1 {
				t.Errorf("keyed %t: %d transactions were paid for, %d credentials made", keyed, after.Sequence-before.Sequence, after.OwnerCount-before.OwnerCount)
			}
		}
	})
}

// TestStoreGone: without its journal the service says so and signs nothing; what needs no journal goes on.
func TestStoreGone(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		w := newWorld(t, on(database))
		w.issue(w.subject, "Before")
		before := w.account()
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		for _, call := range []struct{ method, path, headers, body string }{
			{post, "/credential", jsonType, w.body("A")},
			{post, "/credential", jsonType + "\nIdempotency-Key: k", w.body("A")},
			{post, "/credential", jsonType + "\nPrefer: respond-async", w.body("A")},
			{del, "/admin/credential", jsonType, fmt.Sprintf(`{"subject":"%s","credential":"Before"}`, w.subject)},
			{get, "/operations/01JD8Q4Z7T9XW3V5K2M6N8P0RS", "", ""},
			{post, "/admin/credential/batch", "Content-Type: application/x-ndjson", w.body("A")},
			{get, "/admin/batch/01JD8Q4Z7T9XW3V5K2M6N8P0RS", "", ""},
			{get, "/readyz", "", ""},
		} {
			a := w.send(t, call.method, call.path, call.headers, call.body)
			a.holdsItsForm(t)
			if a.status != http.StatusServiceUnavailable || a.str("error") != "storeUnavailable" || a.header.Get("Retry-After") == "" ||
				strings.Contains(a.str("error_message"), "sql") {
				t.Errorf("%s %s: %d %v %s", call.method, call.path, a.status, a.header, a.body)
			}
		}
		if got := w.list(t, ""); len(got) != 1 {
			t.Errorf("the list: %v", got)
		}
		w.tickTwice()
		if after := w.account(); after != before {
			t.Errorf("something was signed: %+v, was %+v", after, before)
		}
	})
}

// tickTwice waits for two more ledgers.
func (w *world) tickTwice() {
	l, err := w.client.Ledger(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	watcher := w.client.Watch()
	defer watcher.Stop()
	for until := l.Index + 2; l.Index < until; {
		<-watcher.Ready()
		watcher.Take()
		if l, err = w.client.Ledger(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestReleased: a service that is told to stop answers those who wait with the operation, and the next one goes on with it.
func TestReleased(t *testing.T) {
	w := newWorld(t, onTick)
	i := issuer.New(issuer.Config{Account: w.issuer, Ledger: w.client, Journal: w.store})
	s := serve(t, httpapi.Config{Issuer: i, Logger: w.log.logger(), StopTime: 50 * time.Millisecond, GiveUp: i.Release})
	stopping := *w
	stopping.url = "http://" + s.address
	answered := make(chan answer, 1)
	go func() { answered <- stopping.keyed(t, "k", w.body("A")) }()
	for { // until it is stored
		if _, err := w.store.Standing(t.Context(), w.issuer, w.subject, "A"); err == nil {
			break
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	a := <-answered
	if a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	defer w.keepTicking()()
	if b := w.keyed(t, "k", w.body("A")); b.status != http.StatusCreated || b.header.Get("Location") != a.header.Get("Location") {
		t.Errorf("%d %v %s", b.status, b.header, b.body)
	}
}

// TestPreferenceApplied: who would wait for longer than the service does is told the wait that was applied.
func TestPreferenceApplied(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) {
		c.noLane = true
		c.issuer = func(i *issuer.Config) { i.WaitLimit = time.Second }
		c.api = func(a *httpapi.Config) { a.WaitLimit = time.Second }
	})
	a := w.send(t, post, "/credential", jsonType+"\nPrefer: wait=100", w.body("A"))
	if a.status != http.StatusAccepted || a.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a = w.send(t, get, a.header.Get("Location"), "Prefer: wait=100", ""); a.status != http.StatusOK || a.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}
