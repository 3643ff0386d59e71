package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

// TestNodeOutOfReach: whatever is wrong with the node, every call that needs it is a 503 that says when to come back,
// nothing else is, and a list never passes for an empty one.
func TestNodeOutOfReach(t *testing.T) {
	says := func(status int, body string) func(*testing.T) string {
		return func(t *testing.T) string {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}))
			t.Cleanup(s.Close)
			return s.URL
		}
	}
	for name, node := range map[string]func(*testing.T) string{
		"down": func(t *testing.T) string {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := ln.Addr().String()
			if err := ln.Close(); err != nil {
				t.Fatal(err)
			}
			return "ws://" + address
		},
		"slow": func(t *testing.T) string {
			release := make(chan struct{})
			s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
			t.Cleanup(s.Close)
			t.Cleanup(func() { close(release) })
			return s.URL
		},
		"silent": func(t *testing.T) string { // takes connections and says nothing
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
			return "ws://" + ln.Addr().String()
		},
		"empty object":      says(200, `{}`),
		"null":              says(200, `null`),
		"empty result":      says(200, `{"result":{}}`),
		"success of nobody": says(200, `{"result":{"status":"success","validated":true}}`),
		"page of a proxy":   says(200, `<html><body>It works!</body></html>`),
		"no body":           says(200, ``),
		"cut off":           says(200, `{"result":{"status":"succ`),
		"internal error":    says(500, `oops`),
		"too many requests": says(429, `slow down`),
		"behind":            says(200, `{"result":{"error":"noNetwork","error_code":17,"error_message":"Not synced to the network.","status":"error"}}`),
		"too busy":          says(200, `{"result":{"error":"tooBusy","error_code":9,"error_message":"The server is too busy.","status":"error"}}`),
		"more than is read": says(200, `{"result":"`+strings.Repeat("a", 1<<20)+`"}`),
		"an old ledger": func(t *testing.T) string {
			return "" // the embedded one, below
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *worldConfig) {
				c.node = func(own string) string {
					if url := node(t); url != "" {
						return url
					}
					return own
				}
				if name == "an old ledger" {
					c.now = func() time.Time { return time.Now().Add(-time.Hour) }
				}
				c.client = func(l *ledger.Config) {
					l.CallTimeout, l.RetryFor, l.ConnectWait, l.DialTimeout = 300*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond
					l.MaxAnswer = 64 << 10
					if name == "an old ledger" {
						l.MaxLedgerAge = time.Minute
					}
				}
			})
			before := w.account()
			calls := []struct{ method, path, headers, body string }{
				{post, "/credential", jsonType, fmt.Sprintf(`{"subject":"%s","credential":"New","documents":{"reason":"please"}}`, w.subject)},
				{del, "/admin/credential", jsonType, fmt.Sprintf(`{"subject":"%s","credential":"New"}`, w.subject)},
				{get, "/admin/credential", "", ""},
				{get, "/readyz", "", ""},
			}
			if name == "an old ledger" {
				calls = slices.Delete(calls, 1, 3) // what an old ledger says of entries is said all the same
			}
			for _, call := range calls {
				a := w.send(t, call.method, call.path, call.headers, call.body)
				a.holdsItsForm(t)
				if a.status != http.StatusServiceUnavailable || a.str("error") != "ledgerUnavailable" || a.header.Get("Retry-After") == "" || a.fields["pending"] != nil {
					t.Errorf("%s %s: %d, Retry-After %q: %s", call.method, call.path, a.status, a.header.Get("Retry-After"), a.body)
				}
			}
			if a := w.send(t, get, "/healthz", "", ""); a.status != http.StatusOK {
				t.Errorf("healthz: %d %s", a.status, a.body)
			}
			// What is wrong with a request is said without the ledger.
			if a := w.request(t, "r", "New", ""); a.status != http.StatusBadRequest {
				t.Errorf("a wrong request: %d %s", a.status, a.body)
			}
			if after := w.account(); after != before {
				t.Errorf("the issuer was %+v and is %+v", before, after)
			}
		})
	}
}

// TestReserve: an issuer that cannot carry one more credential says so before it pays for a refusal.
func TestReserve(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) { c.balance = 1_200_100 }) // 1 XRP, 0.2 XRP for an entry, and fees
	w.issue(w.subject, "First")
	before := w.account()
	a := w.request(t, w.subject, "Second", "")
	a.holdsItsForm(t)
	if a.status != http.StatusServiceUnavailable || a.str("error") != "tecINSUFFICIENT_RESERVE" || a.header.Get("Retry-After") != "" ||
		!strings.Contains(a.str("error_message"), "operator") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: the issuer was %+v and is %+v", before, after)
	}
	w.accept("First") // the reserve is the subject's now
	w.issue(w.subject, "Second")
}

// inBetween lets something happen between the checks and the transaction.
type inBetween struct {
	issuer.Journal
	once *sync.Once
	do   func()
}

func (b inBetween) Create(ctx context.Context, op model.Operation) (model.Operation, bool, error) {
	b.once.Do(b.do)
	return b.Journal.Create(ctx, op)
}

// TestRaces: what others do between the checks and the transaction is caught by its result, which is told in the same
// words, with the fields of the transaction that failed.
func TestRaces(t *testing.T) {
	var ahead atomic.Int64 // how far the ledger's clock is ahead
	for _, tc := range []struct {
		name    string
		balance int64
		do      func(*world) // in between
		ask     func(*world) answer
		status  int
		code    string
		result  string
	}{
		{"issued by another program", 1000 * xrp,
			func(w *world) { w.submit(model.CredentialCreate{Subject: w.subject, Type: "Raced"}) },
			func(w *world) answer { return w.request(t, w.subject, "Raced", "") }, 409, "tecDUPLICATE", "tecDUPLICATE"},
		{"reserve used up", 1_200_100,
			func(w *world) { w.submit(model.CredentialCreate{Subject: w.subject, Type: "Other"}) },
			func(w *world) answer { return w.request(t, w.subject, "Raced", "") }, 503, "tecINSUFFICIENT_RESERVE", "tecINSUFFICIENT_RESERVE"},
		{"deleted by its subject", 1000 * xrp,
			func(w *world) { w.submitAs(w.subjectLane, model.CredentialDelete{Issuer: w.issuer, Type: "Raced"}) },
			func(w *world) answer {
				w.submit(model.CredentialCreate{Subject: w.subject, Type: "Raced"})
				return w.revoke(t, w.subject, "Raced")
			}, 404, "entryNotFound", "tecNO_ENTRY"},
		{"expired", 1000 * xrp,
			func(w *world) {
				ahead.Store(int64(2 * time.Hour))
				w.closeAfter(time.Now().Add(time.Hour))
			},
			func(w *world) answer {
				return w.request(t, w.subject, "Raced", `,"expiration":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"`)
			}, 422, "tecEXPIRED", "tecEXPIRED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ahead.Store(0)
			w := newWorld(t, func(c *worldConfig) {
				c.balance = tc.balance
				c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
				c.journal = func(w *world) issuer.Journal {
					return inBetween{w.store, &sync.Once{}, func() { tc.do(w) }}
				}
			})
			a := tc.ask(w)
			a.holdsItsForm(t)
			if a.status != tc.status || a.str("error") != tc.code || a.str("engine_result") != tc.result || len(a.str("hash")) != 64 ||
				string(a.fields["validated"]) != "true" || a.fields["tx_json"] == nil || a.fields["meta"] == nil {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// closeAfter waits for a validated ledger that closed after an instant.
func (w *world) closeAfter(at time.Time) {
	watcher := w.client.Watch()
	defer watcher.Stop()
	for {
		l, err := w.client.Ledger(w.t.Context())
		if err != nil {
			w.t.Error(err)
			return
		}
		if model.Time(l.CloseTime).After(at) {
			return
		}
		select {
		case <-watcher.Ready():
			watcher.Take()
		case <-w.t.Context().Done():
			return
		}
	}
}

// TestPast: what is past by the ledger's clock is refused, whatever this machine's clock says, and costs nothing.
func TestPast(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) {
		c.now = func() time.Time { return time.Now().Add(24 * time.Hour) }
	})
	w.closeAfter(time.Now().Add(23 * time.Hour))
	before := w.account()
	soon := `,"expiration":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`
	if a := w.request(t, w.subject, "Past", soon); a.status != http.StatusBadRequest || !strings.Contains(a.str("error_message"), "expiration must not be past") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: the issuer was %+v and is %+v", before, after)
	}
}

// TestExpiredStillStands: an expired credential blocks a new one of its kind until it is revoked.
func TestExpiredStillStands(t *testing.T) {
	var ahead atomic.Int64
	w := newWorld(t, func(c *worldConfig) {
		c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	expiration := time.Now().Add(time.Hour)
	if a := w.request(t, w.subject, "Short", `,"expiration":"`+expiration.UTC().Format(time.RFC3339)+`"`); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ahead.Store(int64(2 * time.Hour))
	w.closeAfter(expiration.Add(time.Second))
	if a := w.request(t, w.subject, "Short", ""); a.status != http.StatusConflict || !strings.Contains(a.str("error_message"), "expired since") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.revoke(t, w.subject, "Short"); a.status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	w.issue(w.subject, "Short")
}

// TestWaitLimit: past the wait limit the answer is the operation, which can be followed to its end. Asked for meanwhile it
// is not done a second time, and when it is done the ledger's word is what counts.
func TestWaitLimit(t *testing.T) {
	w := newWorld(t, onTick, func(c *worldConfig) {
		c.issuer = func(i *issuer.Config) { i.WaitLimit = 200 * time.Millisecond }
	})
	a := w.request(t, w.subject, "Late", "")
	if a.status != http.StatusAccepted || a.header.Get("Location") != "/operations/"+a.str("id") || a.header.Get("Retry-After") == "" || a.header.Get("Preference-Applied") != "" {
		t.Fatalf("%d %v: %s", a.status, a.header, a.body)
	}
	if got := w.list(t, ""); len(got) != 0 {
		t.Errorf("what is provisional is shown: %+v", got)
	}
	// Asked again before the ledger has decided, it is not done a second time.
	again := w.request(t, w.subject, "Late", "")
	again.holdsItsForm(t)
	if again.status != http.StatusConflict || again.str("error") != "tecDUPLICATE" || !strings.Contains(again.str("error_message"), a.str("id")) {
		t.Errorf("again, too early: %d %s", again.status, again.body)
	}
	if b := w.revoke(t, w.subject, "Late"); b.status != http.StatusNotFound && (b.status != http.StatusConflict || b.str("error") != "inProgress") {
		t.Errorf("revoked too early: %d %s", b.status, b.body)
	}
	end := w.keepTicking()
	o := w.follow(t, a.header.Get("Location"))
	end()
	if o.State != "succeeded" || o.Status != http.StatusCreated || o.Result == nil || o.Error != nil {
		t.Errorf("%+v", o)
	}
	if got, want := w.list(t, ""), []entry{{Subject: string(w.subject), Credential: "Late"}}; !slices.Equal(got, want) {
		t.Errorf("list: %+v, want %+v", got, want)
	}
	if a := w.request(t, w.subject, "Late", ""); a.status != http.StatusConflict || !strings.Contains(a.str("error_message"), "not accepted yet") {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	// And so for its revocation.
	before := w.account()
	revoked := w.revoke(t, w.subject, "Late")
	if revoked.status != http.StatusAccepted {
		t.Errorf("revoke: %d %s", revoked.status, revoked.body)
	}
	if a := w.revoke(t, w.subject, "Late"); a.status != http.StatusConflict || a.str("error") != "inProgress" {
		t.Errorf("revoke again, too early: %d %s", a.status, a.body)
	}
	defer w.keepTicking()()
	if o := w.follow(t, revoked.header.Get("Location")); o.State != "succeeded" || o.Status != http.StatusOK {
		t.Errorf("%+v", o)
	}
	if a := w.revoke(t, w.subject, "Late"); a.status != http.StatusNotFound {
		t.Errorf("revoke again: %d %s", a.status, a.body)
	}
	if after := w.account(); after.Sequence != before.Sequence+1 {
		t.Errorf("%d transactions were paid for", after.Sequence-before.Sequence)
	}
}

// TestCallerGoesAway: what has begun goes on.
func TestCallerGoesAway(t *testing.T) {
	begun := make(chan struct{})
	w := newWorld(t, onTick, func(c *worldConfig) {
		c.journal = func(w *world) issuer.Journal { return inBetween{w.store, &sync.Once{}, func() { close(begun) }} }
	})
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"subject":"%s","credential":"Alone","documents":{"reason":"please"}}`, w.subject)
	if _, err := fmt.Fprintf(conn, "POST /credential HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n%s", jsonType, len(body), body); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	// Another caller for the same waits its turn, and finds what the first one began.
	again := make(chan answer, 1)
	go func() { again <- w.request(t, w.subject, "Alone", "") }()
	endTicks := w.keepTicking()
	defer endTicks()
	if a := <-again; a.status != http.StatusConflict {
		t.Errorf("the second caller: %d %s", a.status, a.body)
	}
	if a := w.account(); a.OwnerCount != 1 {
		t.Errorf("the issuer is %+v", a)
	}
}

// TestNotValidated: a transaction that no ledger took and none can take any more is a 504, and costs nothing.
func TestNotValidated(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) {
		c.closeInterval, c.ledgerOffset, c.signings = 50*time.Millisecond, 4, 1
		c.node = func(ledgerURL string) string {
			return proxy(t, ledgerURL, func(method string, _ int, w http.ResponseWriter) bool {
				if method == "submit" {
					panic(http.ErrAbortHandler) // the node never sees it, and the service cannot know
				}
				return false
			})
		}
	})
	before := w.account()
	a := w.request(t, w.subject, "Lost", "")
	a.holdsItsForm(t)
	if a.status != http.StatusGatewayTimeout || a.str("error") != "notValidated" || a.fields["pending"] != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: the issuer was %+v and is %+v", before, after)
	}
}

// proxy stands between the service and its node, over HTTP. answer may take a call over; count counts the calls of
// that method, from 1.
func proxy(t *testing.T, ledgerURL string, answer func(method string, count int, w http.ResponseWriter) bool) string {
	t.Helper()
	target, err := url.Parse(strings.Replace(ledgerURL, "ws://", "http://", 1))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	var mu sync.Mutex
	counts := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var call struct{ Method string }
		if err := errors.Join(err, json.Unmarshal(body, &call)); err != nil {
			t.Errorf("the service asks %q: %v", body, err)
		}
		mu.Lock()
		counts[call.Method]++
		count := counts[call.Method]
		mu.Unlock()
		if !answer(call.Method, count, w) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		s.Close()
		transport.CloseIdleConnections()
	})
	return s.URL
}

// TestLongList: more than a page of credentials, read from one ledger and sent while it is read. Where the node fails
// in between, nobody takes a part for the whole.
func TestLongList(t *testing.T) {
	const count = 900                // three pages
	var pages, failFrom atomic.Int64 // asked for so far; the one from which on the node answers garbage
	failFrom.Store(1000)
	w := newWorld(t, func(c *worldConfig) {
		c.directLane, c.closeInterval = true, time.Second
		c.node = func(ledgerURL string) string {
			return proxy(t, ledgerURL, func(method string, count int, w http.ResponseWriter) bool {
				if method != "account_objects" {
					return false
				}
				pages.Store(int64(count))
				if int64(count) < failFrom.Load() {
					return false
				}
				_, _ = io.WriteString(w, "garbage")
				return true
			})
		}
		c.client = func(l *ledger.Config) { l.RetryFor = 100 * time.Millisecond }
	})
	var wg sync.WaitGroup
	for n := range count {
		wg.Go(func() {
			w.submit(model.CredentialCreate{Subject: w.subject, Type: model.CredentialType(fmt.Sprintf("Type%d", n))})
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, e := range w.list(t, "") {
		seen[e.Credential] = true
	}
	if len(seen) != count {
		t.Errorf("%d different ones in the list, want %d", len(seen), count)
	}

	failFrom.Store(pages.Load() + 2) // the second page of the next list
	response, err := http.Get(w.url + "/admin/credential")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	part, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || err == nil || json.Valid(part) {
		t.Errorf("a part of the list passes for the whole: %d, %d bytes, %v", response.StatusCode, len(part), err)
	}
}
