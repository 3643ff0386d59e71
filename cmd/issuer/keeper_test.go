package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is a webhook's other side.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	deaf  bool // it takes nothing
	ids   map[string]bool
	told  []toldEvent
	moved chan struct{}
}

type toldEvent struct {
	Type string
	Data struct {
		Subject, Credential, Actor string
		LedgerIndex                uint32 `json:"ledger_index"`
	}
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{ids: map[string]bool{}, moved: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		var e toldEvent
		if r.deaf || err != nil || json.Unmarshal(body, &e) != nil || req.Header.Get("webhook-signature") == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if id := req.Header.Get("webhook-id"); !r.ids[id] {
			r.ids[id] = true
			r.told = append(r.told, e)
		}
		select {
		case r.moved <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// of are the kinds of what was told of a credential, in the order in which it came.
func (r *receiver) of(credential string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.told {
		if e.Data.Credential == credential {
			out = append(out, strings.TrimPrefix(e.Type, "credential.")+" "+e.Data.Actor)
		}
	}
	return out
}

func (r *receiver) await(t *testing.T, credential string, want ...string) {
	t.Helper()
	limit := time.After(60 * time.Second)
	for !slices.Equal(r.of(credential), want) {
		select {
		case <-r.moved:
		case <-limit:
			t.Fatalf("of %s it was told %q, want %q", credential, r.of(credential), want)
		}
	}
}

// house is a node whose ledgers close when the test says so, an account to issue from, and policies.
type house struct {
	t      *testing.T
	node   *sandbox.Server
	issuer sandbox.Account
	policy string // folder
	data   string // folder
	hook   *receiver
	mu     sync.Mutex
	early  time.Duration // how far the ledger's clock is ahead
}

func newHouse(t *testing.T, policies ...string) *house {
	t.Helper()
	h := &house{t: t, policy: t.TempDir(), data: t.TempDir(), hook: newReceiver(t)}
	for n, text := range policies {
		if err := os.WriteFile(filepath.Join(h.policy, fmt.Sprintf("%d.yaml", n)), []byte(text+"decision: automatic\ndocuments: {type: object}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.node, err = sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time {
			h.mu.Lock()
			defer h.mu.Unlock()
			return time.Now().Add(h.early)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.node.Close(context.Background()) })
	h.issuer = h.account()
	h.close()
	t.Setenv("ISSUER_ACCOUNT_SEED", h.issuer.Seed.Reveal())
	t.Setenv("WEBHOOK_SECRET", webhookSecret)
	return h
}

func (h *house) account() sandbox.Account {
	h.t.Helper()
	made, err := h.node.Fund(h.t.Context(), "", 1_000_000_000)
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

func (h *house) close() uint32 {
	h.t.Helper()
	index, err := h.node.Accept(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return index
}

// later sets the ledger's clock forward.
func (h *house) later(d time.Duration) {
	h.mu.Lock()
	h.early += d
	h.mu.Unlock()
}

// beat closes ledgers until end is called.
func (h *house) beat() (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		pace := time.NewTicker(40 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-pace.C:
				if _, err := h.node.Accept(context.Background()); err != nil {
					return
				}
			case <-stop:
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-done
	})
}

func (h *house) boot() *service {
	h.t.Helper()
	end := h.beat()
	defer end()
	return boot(h.t, "--http-listen=127.0.0.1:0", "--xrpl-network="+h.node.WebSocketURL(), "--data-dir="+h.data, "--policy-dir="+h.policy,
		"--webhook-urls="+h.hook.URL+"/some-secret-path", "--webhook-allow-private=true")
}

// submit puts a transaction into the open ledger.
func (h *house) submit(by sandbox.Account, fields string) {
	h.t.Helper()
	body := fmt.Sprintf(`{"method":"submit","params":[{"secret":%q,"tx_json":{"Account":%q,%s}}]}`, by.Seed.Reveal(), by.Address, fields)
	_, answer := paste(h.t, []string{"", "Content-Type: application/json", "POST", body, h.node.URL()})
	if !strings.Contains(string(answer), `"tesSUCCESS"`) {
		h.t.Fatalf("%s: %s", fields, answer)
	}
}

func (h *house) accept(by sandbox.Account, credential string) {
	h.t.Helper()
	h.submit(by, fmt.Sprintf(`"TransactionType":"CredentialAccept","Issuer":%q,"CredentialType":"%X"`, h.issuer.Address, credential))
}

func (h *house) ask(s *service, subject sandbox.Account, credential, more string) (int, string) {
	h.t.Helper()
	status, body := paste(h.t, []string{"", "Content-Type: application/json", "POST",
		fmt.Sprintf(`{"subject":%q,"credential":%q,"documents":{"name":"n"}%s}`, subject.Address, credential, more), s.field(h.t, "HTTP") + "/credential"})
	return status, string(body)
}

func (h *house) issue(s *service, subject sandbox.Account, credential, more string) {
	h.t.Helper()
	end := h.beat()
	defer end()
	if status, body := h.ask(s, subject, credential, more); status != http.StatusCreated {
		h.t.Fatalf("%s: %d %s", credential, status, body)
	}
}

// admin makes a token and asks with it.
func (h *house) admin(s *service, path string) string {
	h.t.Helper()
	token := h.token()
	_, body := paste(h.t, []string{"", "Authorization: Bearer " + token, "GET", "", s.field(h.t, "HTTP") + path})
	return string(body)
}

func (h *house) token() string {
	h.t.Helper()
	out := newTerminal()
	err := run(h.t.Context(), []string{"token", "create", "--name", fmt.Sprint("t", time.Now().UnixNano()), "--role", "reader", "--data-dir", h.data}, noFile(h.t),
		console{strings.NewReader(""), out, newTerminal()})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, word := range strings.Fields(out.String()) {
		if strings.HasPrefix(word, "xci_") {
			return word
		}
	}
	h.t.Fatalf("no token in %q", out)
	return ""
}

func (h *house) owned() uint32 {
	h.t.Helper()
	_, body := paste(h.t, []string{"", "Content-Type: application/json", "POST",
		fmt.Sprintf(`{"method":"account_info","params":[{"account":%q,"ledger_index":"validated"}]}`, h.issuer.Address), h.node.URL()})
	var a struct {
		Result struct {
			Data struct{ OwnerCount uint32 } `json:"account_data"`
		}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		h.t.Fatal(err)
	}
	return a.Result.Data.OwnerCount
}

// TestKeeperKeepsHouse: what nobody accepted is withdrawn, what has expired is deleted, and the reserve is back; each step is told
// of in order, and the status and the metrics say what was done.
func TestKeeperKeepsHouse(t *testing.T) {
	h := newHouse(t, "credential: Quick\nunaccepted: {withdraw_after: 1h}\n",
		"credential: Short\nvalidity: {default: 2h}\ndelete_expired_after: 30m\n",
		"credential: Kept\nvalidity: {default: 2h}\n")
	subject := h.account()
	h.close()
	s := h.boot()
	before := h.owned()
	for _, credential := range []string{"Quick", "Short", "Kept"} {
		h.issue(s, subject, credential, "")
	}
	h.accept(subject, "Short")
	h.close()
	h.hook.await(t, "Short", "issued policy", "accepted ledger")
	if n := h.owned(); n != before+2 {
		t.Errorf("it owns %d, and owned %d", n, before)
	}
	h.later(61 * time.Minute)
	end := h.beat()
	h.hook.await(t, "Quick", "issued policy", "revoked janitor")
	end()
	h.later(61 * time.Minute)
	end = h.beat()
	h.hook.await(t, "Short", "issued policy", "accepted ledger", "expired ledger")
	h.hook.await(t, "Kept", "issued policy", "expired ledger")
	end()
	h.later(31 * time.Minute)
	end = h.beat()
	h.hook.await(t, "Short", "issued policy", "accepted ledger", "expired ledger", "revoked janitor")
	defer end()
	if n := h.owned(); n != before+1 { // the one that no policy has deleted
		t.Errorf("it owns %d, and owned %d", n, before)
	}

	var status struct {
		Warnings []any
		Lane     struct {
			Here bool `json:"this_process"`
		}
		Records struct {
			Known                         bool
			Standing, Unaccepted, Expired int64
		}
		Due    map[string]int64
		Keeper struct {
			Working bool
			Done    map[string]struct {
				Count int64
				Last  string
			}
		}
		Webhooks []struct {
			Address            string
			Waiting, Delivered int64
		}
	}
	var text string
	limit := time.Now().Add(30 * time.Second)
	for { // the deletion is counted when the next ledger closes
		text = h.admin(s, "/admin/status")
		if err := json.Unmarshal([]byte(text), &status); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if status.Keeper.Done["deleted"].Count == 1 && len(status.Webhooks) == 1 && status.Webhooks[0].Delivered == 8 && status.Webhooks[0].Waiting == 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("status %s", text)
		}
	}
	if !status.Lane.Here || !status.Keeper.Working || status.Keeper.Done["withdrawn"].Count != 1 || status.Keeper.Done["told"].Count != 2 || status.Keeper.Done["told"].Last == "" ||
		!status.Records.Known || status.Records.Standing != 1 || status.Records.Unaccepted != 1 || status.Records.Expired != 1 || len(status.Warnings) != 0 ||
		status.Due["credentials_to_withdraw"] != 0 || status.Due["credentials_to_delete"] != 0 || status.Webhooks[0].Address != h.hook.URL {
		t.Errorf("status %s", text)
	}
	if strings.Contains(text, "secret-path") || strings.Contains(s.log.String(), "secret-path") {
		t.Error("the webhook's address is shown")
	}
	metrics := h.admin(s, "/metrics")
	for _, line := range []string{`issuer_keeper_actions_total{action="withdrawn"} 1`, `issuer_keeper_actions_total{action="deleted"} 1`,
		`issuer_credentials{which="standing"} 1`, `issuer_requests_waiting 0`, `result="delivered",webhook="url-`, `issuer_webhook_backlog{webhook="url-`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

// TestKeeperTellsOfAcceptanceAtOnce: no further ledger has to close for it.
func TestKeeperTellsOfAcceptanceAtOnce(t *testing.T) {
	h := newHouse(t, "credential: A\n")
	subject := h.account()
	h.close()
	s := h.boot()
	h.issue(s, subject, "A", "")
	h.hook.await(t, "A", "issued policy")
	h.accept(subject, "A")
	index := h.close()
	h.hook.await(t, "A", "issued policy", "accepted ledger")
	if at := h.hook.told[1].Data.LedgerIndex; at != index {
		t.Errorf("it was told of in ledger %d, and was in %d", at, index)
	}
}

// TestKeeperRestart: whatever happens while the service is stopped, or while nobody takes its events, is told of in order.
func TestKeeperRestart(t *testing.T) {
	h := newHouse(t, "credential: A\n", "credential: B\n")
	subject := h.account()
	h.close()
	s := h.boot()
	h.hook.mu.Lock()
	h.hook.deaf = true
	h.hook.mu.Unlock()
	h.issue(s, subject, "A", "")
	h.issue(s, subject, "B", "")
	h.accept(subject, "A")
	h.close()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	h.accept(subject, "B")
	h.close()
	h.submit(subject, fmt.Sprintf(`"TransactionType":"CredentialDelete","Issuer":%q,"CredentialType":"41"`, h.issuer.Address))
	h.close()
	h.hook.mu.Lock()
	h.hook.deaf = false
	h.hook.mu.Unlock()
	h.boot()
	end := h.beat()
	defer end()
	h.hook.await(t, "A", "issued policy", "accepted ledger", "deleted ledger")
	h.hook.await(t, "B", "issued policy", "accepted ledger")
}

// TestRenewal: too early is refused with when it is not; then it is one operation, also when the service is stopped between the
// deletion and the issuing.
func TestRenewal(t *testing.T) {
	h := newHouse(t, "credential: Year\nvalidity: {default: 10h}\nrenew_within: 1h\n")
	subject := h.account()
	h.close()
	s := h.boot()
	h.issue(s, subject, "Year", "")
	if status, body := h.ask(s, subject, "Year", `,"renew":true`); status != http.StatusConflict || !strings.Contains(body, "tecDUPLICATE") || !strings.Contains(body, "may be renewed from") {
		t.Errorf("too early: %d %s", status, body)
	}
	h.later(9*time.Hour + 10*time.Minute) // soon expiring
	h.close()
	h.issue(s, subject, "Year", `,"renew":true`)
	want := []string{"issued policy", "revoked policy", "issued policy"}
	h.hook.await(t, "Year", want...)
	h.later(11 * time.Hour) // expired
	h.close()
	want = append(want, "expired ledger")
	h.hook.await(t, "Year", want...)

	// The deletion is under way when the service stops, and in a ledger when it starts again.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.field(t, "HTTP")+"/credential",
		strings.NewReader(fmt.Sprintf(`{"subject":%q,"credential":"Year","documents":{"name":"n"},"renew":true}`, subject.Address)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Prefer", "respond-async")
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	location := response.Header.Get("Location")
	if _ = response.Body.Close(); response.StatusCode != http.StatusAccepted || location == "" {
		t.Fatalf("%d, Location %q", response.StatusCode, location)
	}
	for !h.openLedgerHasOne() {
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	h.close()
	s = h.boot()
	end := h.beat()
	defer end()
	h.hook.await(t, "Year", append(want, "revoked policy", "issued policy")...)
	if status, body := paste(t, []string{"", "", "GET", "", s.field(t, "HTTP") + location}); status != http.StatusOK || !strings.Contains(string(body), `"succeeded"`) {
		t.Errorf("the operation: %d %s", status, body)
	}
	if n := h.owned(); n != 1 {
		t.Errorf("%d stand", n)
	}
}

// openLedgerHasOne says whether a transaction waits for the next ledger.
func (h *house) openLedgerHasOne() bool {
	h.t.Helper()
	_, body := paste(h.t, []string{"", "Content-Type: application/json", "POST", `{"method":"fee"}`, h.node.URL()})
	return strings.Contains(string(body), `"current_ledger_size":"1"`)
}

// TestLimitsOfUnaccepted: of many requests at once exactly as many are granted as may stay unaccepted.
func TestLimitsOfUnaccepted(t *testing.T) {
	h := newHouse(t, "credential: Few\nunaccepted: {in_all: 7}\n")
	subjects := make([]sandbox.Account, 50)
	for n := range subjects {
		subjects[n] = h.account()
		if n%10 == 9 {
			h.close()
		}
	}
	s := h.boot()
	end := h.beat()
	defer end()
	granted := make([]bool, len(subjects))
	var wg sync.WaitGroup
	for n := range subjects {
		wg.Go(func() {
			switch status, body := h.ask(s, subjects[n], "Few", ""); {
			case status == http.StatusCreated:
				granted[n] = true
			case status != http.StatusConflict || !strings.Contains(body, "tooManyUnaccepted"):
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	var first, refused []sandbox.Account
	for n, ok := range granted {
		if ok {
			first = append(first, subjects[n])
		} else {
			refused = append(refused, subjects[n])
		}
	}
	if len(first) != 7 || h.owned() != 7 {
		t.Fatalf("%d were granted, and %d stand", len(first), h.owned())
	}
	h.accept(first[0], "Few")
	limit := time.Now().Add(30 * time.Second)
	for { // once it is known that it was accepted
		if status, _ := h.ask(s, refused[0], "Few", ""); status == http.StatusCreated {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the next one is not granted")
		}
	}
	if status, body := h.ask(s, refused[1], "Few", ""); status != http.StatusConflict {
		t.Errorf("one too many: %d %s", status, body)
	}
}

// TestLimitsAskTheLedger: an index that lacks acceptances and deletions refuses nobody. It is corrected before a limit counts.
func TestLimitsAskTheLedger(t *testing.T) {
	h := newHouse(t, "credential: One\nunaccepted: {per_subject: 1}\n", "credential: Two\nunaccepted: {per_subject: 1}\n", "credential: Few\nunaccepted: {in_all: 2}\n")
	alice, bob, carol, dora := h.account(), h.account(), h.account(), h.account()
	h.close()
	s := h.boot()
	end := h.beat()
	defer end()
	ask := func(subject sandbox.Account, credential string, want int) {
		t.Helper()
		if status, body := h.ask(s, subject, credential, ""); status != want {
			t.Fatalf("%s: %d %s, want %d", credential, status, body, want)
		}
	}
	ask(alice, "One", http.StatusCreated)
	h.accept(alice, "One")
	ask(bob, "Few", http.StatusCreated)
	h.accept(bob, "Few")
	h.hook.await(t, "Few", "issued policy", "accepted ledger")
	ask(carol, "Few", http.StatusCreated)
	h.hook.await(t, "One", "issued policy", "accepted ledger")
	h.hook.await(t, "Few", "issued policy", "accepted ledger", "issued policy")
	ask(dora, "Few", http.StatusCreated)
	ask(alice, "Few", http.StatusConflict) // the ledger says the same

	// As if the messages of two acceptances had been lost, and of a deletion.
	db, err := sql.Open("sqlite", journalFile(h.data)+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE; UPDATE credentials SET accepted = 0;"+
		"INSERT INTO credentials SELECT issuer, subject, '46616B65', expiration, uri, 0, entry, issued, ledger, place, seen, deleted, told FROM credentials"+
		" WHERE subject = '"+alice.Address+"'; UPDATE mirrors SET standing = standing + 1, unaccepted = standing + 1; COMMIT")
	if err != nil {
		t.Fatal(err)
	}
	ask(alice, "Two", http.StatusCreated)
	h.hook.await(t, "Fake", "deleted ledger")
	h.hook.await(t, "One", "issued policy", "accepted ledger", "accepted ledger")
	h.submit(dora, fmt.Sprintf(`"TransactionType":"CredentialDelete","Issuer":%q,"CredentialType":"%X"`, h.issuer.Address, "Few"))
	h.hook.await(t, "Few", "issued policy", "accepted ledger", "issued policy", "issued policy", "deleted ledger")
	ask(alice, "Few", http.StatusCreated) // carol's counts, and bob's does not
	ask(dora, "Few", http.StatusConflict)
	if n := strings.Count(s.log.String(), "the credential index was corrected"); n != 2 {
		t.Errorf("corrected %d times:\n%s", n, s.log.String())
	}
}

// TestListFollowsTheLedger: a list has what was issued, accepted and deleted by then, and nothing that others issue to the account.
// It is what the ledger itself lists.
func TestListFollowsTheLedger(t *testing.T) {
	h := newHouse(t, "credential: One\n", "credential: Two\n")
	alice, other := h.account(), h.account()
	h.close()
	h.submit(other, fmt.Sprintf(`"TransactionType":"CredentialCreate","Subject":%q,"CredentialType":"4F6E65"`, h.issuer.Address))
	s := h.boot()
	end := h.beat()
	defer end()
	list := func(want ...string) {
		t.Helper()
		var got struct {
			Credentials []struct {
				Subject, Credential string
				Accepted            bool
			}
		}
		if body := h.admin(s, "/admin/credential"); json.Unmarshal([]byte(body), &got) != nil || got.Credentials == nil {
			t.Fatalf("listed %s", body)
		}
		var found []string
		for _, c := range got.Credentials {
			if c.Subject != alice.Address {
				t.Errorf("listed one of %s", c.Subject)
			}
			found = append(found, fmt.Sprintf("%s %t", c.Credential, c.Accepted))
		}
		if slices.Sort(found); !slices.Equal(found, want) {
			t.Fatalf("listed %q, want %q", found, want)
		}
	}
	list()
	h.issue(s, alice, "One", "")
	list("One false") // at once
	h.issue(s, alice, "Two", "")
	list("One false", "Two false")
	h.accept(alice, "Two")
	h.hook.await(t, "Two", "issued policy", "accepted ledger")
	list("One false", "Two true")
	h.submit(alice, fmt.Sprintf(`"TransactionType":"CredentialDelete","Issuer":%q,"CredentialType":"%X"`, h.issuer.Address, "One"))
	h.hook.await(t, "One", "issued policy", "deleted ledger")
	list("Two true")
}

// TestListsAreNotInflated: what others issue to the account is more pages of its directory, and no list reads them.
func TestListsAreNotInflated(t *testing.T) {
	h := newHouse(t, "credential: One\n")
	alice, other := h.account(), h.account()
	h.close()
	for n := range 450 { // beyond a page
		h.submit(other, fmt.Sprintf(`"TransactionType":"CredentialCreate","Subject":%q,"CredentialType":"%X"`, h.issuer.Address, fmt.Sprint("Junk", n)))
		if n%100 == 99 {
			h.close()
		}
	}
	h.close()
	to, err := url.Parse(h.node.URL())
	if err != nil {
		t.Fatal(err)
	}
	var pages atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(to)
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if bytes.Contains(body, []byte(`"account_objects"`)) {
			pages.Add(1)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		forward.ServeHTTP(w, r)
	}))
	defer counting.Close()
	end := h.beat()
	s := boot(t, "--http-listen=127.0.0.1:0", "--xrpl-network="+counting.URL, "--data-dir="+h.data, "--policy-dir="+h.policy)
	h.issue(s, alice, "One", "")
	end()
	token := h.token()
	list := func() {
		t.Helper()
		want := fmt.Sprintf(`{"credentials":[{"subject":%q,"credential":"One","accepted":false}]}`, alice.Address)
		if status, body := s.ask(t, http.MethodGet, "/admin/credential", "", token, ""); status != http.StatusOK || strings.TrimSpace(body) != want {
			t.Fatalf("%d %.300s", status, body)
		}
	}
	for limit := time.Now().Add(60 * time.Second); ; { // until the index has the last ledger
		before := pages.Load()
		if list(); pages.Load() == before {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("lists are read from the ledger")
		}
	}
	before := pages.Load()
	for range 10 {
		list()
	}
	if n := pages.Load() - before; n != 0 {
		t.Errorf("10 lists read %d pages of the ledger", n)
	}
}
