package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"
	"golang.org/x/term"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an embedded ledger that closes by itself, with accounts on it.
type world struct {
	t      *testing.T
	server *sandbox.Server
	client *ledger.Client

	mu    sync.Mutex
	ahead time.Duration // of the ledger's clock, before this machine's
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	w.server, err = sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{
		Listen: "127.0.0.1:0", CloseInterval: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return time.Now().Add(w.ahead)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.client, err = ledger.New(ledger.Config{URL: w.server.WebSocketURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.client.Close()
		if err := w.server.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return w
}

// wallet is an account that the faucet made.
type wallet struct {
	text string
	seed ledger.Seed
}

func (w wallet) address() model.Address { return w.seed.Address() }

// fund makes an account and waits until it is on a validated ledger.
func (w *world) fund() wallet {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.server.URL()+"/accounts", strings.NewReader("{}"))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var made struct {
		Seed    string `json:"seed"`
		Account struct {
			Secret string `json:"secret"`
		} `json:"account"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil {
		w.t.Fatal(err)
	}
	text := made.Seed
	if text == "" {
		text = made.Account.Secret
	}
	seed, err := ledger.ParseSeed(text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.await(func() bool {
		_, err := w.client.Account(w.t.Context(), seed.Address())
		return err == nil
	})
	return wallet{text, seed}
}

// await waits, ledger by ledger, until a condition holds.
func (w *world) await(holds func() bool) {
	w.t.Helper()
	watcher := w.client.Watch()
	defer watcher.Stop()
	late := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-watcher.Ready():
			watcher.Take()
		case <-late:
			w.t.Fatal("it did not come true within 10 s")
		}
	}
}

// send brings transactions of one account onto the ledger.
func (w *world) send(from wallet, txs ...model.Transaction) {
	w.t.Helper()
	lane, err := ledger.NewLane(w.client, ledger.LaneConfig{Account: from.address(), Seed: from.seed, LedgerOffset: 30})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = lane.Run(ctx) })
	defer running.Wait()
	defer stop()
	for _, tx := range txs {
		if _, err := lane.Submit(ctx, tx); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) issue(from, to wallet, types ...model.CredentialType) {
	w.t.Helper()
	var txs []model.Transaction
	for _, t := range types {
		txs = append(txs, model.CredentialCreate{Subject: to.address(), Type: t})
	}
	w.send(from, txs...)
}

func (w *world) accepted(subject, issuer wallet, t model.CredentialType) bool {
	w.t.Helper()
	c, err := w.client.Credential(w.t.Context(), subject.address(), issuer.address(), t)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Accepted
}

// said is what a run of the program came to.
type said struct {
	out, errs string
	err       error
}

// accept runs the program without a terminal.
func (w *world) accept(as wallet, args ...string) said {
	w.t.Helper()
	w.t.Setenv("SUBJECT_ACCOUNT_SEED", as.text)
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = nothing.Close() }()
	var out, errs bytes.Buffer
	err = run(w.t.Context(), append([]string{"--sandbox-listen", w.server.Addr()}, args...), "", nothing, &out, &errs)
	s := said{out.String(), errs.String(), err}
	if strings.Contains(s.out+s.errs+told(errors.Join(err, errors.New(""))), as.text) {
		w.t.Error("the seed is shown")
	}
	return s
}

// want checks the exit status, and that texts stand somewhere in what was printed.
func (s said) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	all := s.out + s.errs
	if s.err != nil {
		all += told(s.err)
	}
	if got := exitStatus(s.err); got != status {
		t.Errorf("exit status %d, want %d: %s", got, status, all)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("%q is not in %s", text, all)
		}
	}
}

func TestAcceptWithoutATerminal(t *testing.T) {
	w := newWorld(t)
	bank, school, me, stranger := w.fund(), w.fund(), w.fund(), w.fund()

	w.accept(me).want(t, 2, "--credential", "--all", "--list")
	w.accept(me, "--list").want(t, 0, "No credential is waiting for "+string(me.address()))
	w.accept(me, "--all").want(t, 0, "Nothing to do")
	w.accept(me, "--credential", "KYC").want(t, 1, "no 'KYC' waits")

	w.issue(bank, me, "KYC", "Both", "\x1b[2J")
	w.issue(school, me, "Both", "Degree")
	w.issue(me, stranger, "MyOwn") // issued by the account, not about it

	list := w.accept(me, "--list")
	list.want(t, 0, "'KYC' issued by "+string(bank.address()), "'Degree' issued by "+string(school.address()), "'(BIN) 1B5B324A' issued by ")
	if n := strings.Count(list.out, "\n"); n != 5 || strings.Contains(list.out, "MyOwn") {
		t.Errorf("the list has %d lines:\n%s", n, list.out)
	}
	var doc struct{ Credentials []listed }
	if err := json.Unmarshal([]byte(w.accept(me, "--list", "--json").out), &doc); err != nil || len(doc.Credentials) != 5 {
		t.Errorf("%d credentials, %v", len(doc.Credentials), err)
	}

	w.accept(me, "--credential", "Both").want(t, 2, "--issuer", string(bank.address()), string(school.address()))
	if w.accepted(me, bank, "Both") || w.accepted(me, school, "Both") {
		t.Error("one of two was accepted without being named")
	}
	w.accept(me, "--credential", "Both", "--issuer", string(school.address())).want(t, 0, "tesSUCCESS", "Waiting for validation\n", "Validated after")
	if w.accepted(me, bank, "Both") || !w.accepted(me, school, "Both") {
		t.Error("the wrong one was accepted")
	}
	w.accept(me, "--credential", "Both", "--issuer", string(school.address())).want(t, 0, "accepted already")

	one := w.accept(me, "--credential", "KYC", "--json")
	one.want(t, 0)
	var tx struct {
		Hash, CTID string
		Validated  bool
		Result     string `json:"engine_result"`
		Ledger     uint32 `json:"ledger_index"`
		Tx         struct{ TransactionType, Account, Issuer, CredentialType string }
		TxJSON     struct{ TransactionType, Account, Issuer, CredentialType string } `json:"tx_json"`
	}
	if err := json.Unmarshal([]byte(one.out), &tx); err != nil || !tx.Validated || tx.Result != "tesSUCCESS" || len(tx.Hash) != 64 ||
		tx.TxJSON.TransactionType != "CredentialAccept" || tx.TxJSON.CredentialType != "4B5943" || tx.TxJSON.Account != string(me.address()) {
		t.Errorf("%v: %s", err, one.out)
	}

	all := w.accept(me, "--all", "--json")
	all.want(t, 0, "Waiting for validation of 3 credentials")
	if n := strings.Count(all.out, "\n"); n != 3 {
		t.Errorf("%d lines: %s", n, all.out)
	}
	if !w.accepted(me, bank, "\x1b[2J") || !w.accepted(me, bank, "Both") || !w.accepted(me, school, "Degree") {
		t.Error("not all were accepted")
	}
	w.accept(me, "--list").want(t, 0, "No credential is waiting")
}

// TestExpired: the ledger's clock decides, and an expired credential costs its subject nothing.
func TestExpired(t *testing.T) {
	w := newWorld(t)
	bank, me := w.fund(), w.fund()
	now, err := w.client.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	soon := now.CloseTime + 1000
	w.send(bank, model.CredentialCreate{Subject: me.address(), Type: "Late", Expiration: &soon})
	w.issue(bank, me, "Open")
	w.accept(me, "--list").want(t, 0, "'Late' issued by "+string(bank.address())+", expires ")

	w.mu.Lock()
	w.ahead = 2 * time.Hour
	w.mu.Unlock()
	w.await(func() bool {
		l, err := w.client.Ledger(t.Context())
		return err == nil && l.CloseTime > soon
	})
	before, err := w.client.Account(t.Context(), me.address())
	if err != nil {
		t.Fatal(err)
	}
	w.accept(me, "--list").want(t, 0, "'Late' issued by "+string(bank.address())+", EXPIRED ")
	w.accept(me, "--credential", "Late").want(t, 1, "expired", "only delete it")
	w.accept(me, "--credential", "Late", "--json").want(t, 1, `"error":"tecEXPIRED"`)
	after, err := w.client.Account(t.Context(), me.address())
	if err != nil || after.Balance != before.Balance {
		t.Errorf("it cost %d drops, %v", before.Balance-after.Balance, err)
	}
	w.accept(me, "--all").want(t, 0, "1 expired credential is not offered", "'Open'", "tesSUCCESS")
}

func TestFailures(t *testing.T) {
	w := newWorld(t)
	me := w.fund()
	nobody, err := ledger.ParseSeed(seedText)
	if err != nil {
		t.Fatal(err)
	}
	w.accept(wallet{seedText, nobody}, "--list").want(t, 1, string(nobody.Address()))
	w.accept(wallet{"sEdTM1uX8pu2do5XvTnutH6HsouMaM3", nobody}, "--list").want(t, 2, "SUBJECT_ACCOUNT_SEED: the seed's checksum is wrong")
	w.accept(me, "--list", "--xrpl-network", w.server.URL()).want(t, 0, "No credential") // over HTTP too
	w.accept(me, "--list", "--xrpl-network", "ws://127.0.0.1:1").want(t, 3, "(ws://127.0.0.1:1: ", "connection refused", "XRPL_NETWORK says which one is asked")
	w.accept(me, "--list", "--json", "--xrpl-network", "ws://127.0.0.1:1").want(t, 3, `"error":"ledgerUnavailable"`)
	w.accept(me, "--list", "--xrpl-network", "sandbox", "--sandbox-listen", "127.0.0.1:1").want(t, 3, "Is the service running?")

	bank := w.fund()
	w.issue(bank, me, "KYC")
	// A key that does not fit is found out before anything is sent.
	w.accept(bank, "--credential", "KYC", "--subject-account-address", string(me.address())).want(t, 1, string(me.address()))
	if w.accepted(me, bank, "KYC") {
		t.Error("accepted with a foreign key")
	}
}

// TestInterrupted: an interrupt is told as what it is, and what may still happen is told all the same.
func TestInterrupted(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	down := &model.Error{Code: model.CodeLedgerUnavailable, Message: "no answer"}
	sent := &model.Error{Code: model.CodeLedgerUnavailable, Message: "sent", Pending: &model.Pending{Hash: "AB"}}
	full := errors.New("the disk is full")
	for _, tc := range []struct {
		ctx       context.Context
		err, want error
	}{{ended, down, errInterrupted}, {ended, context.Canceled, errInterrupted}, {ended, sent, sent}, {ended, full, full}, {ended, nil, nil}, {t.Context(), down, down}} {
		if got := interrupted(tc.ctx, tc.err); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
		}
	}
	// The program, at a node that never answers.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() {
		c, err := silent.Accept()
		interrupt()
		if err == nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	t.Setenv("SUBJECT_ACCOUNT_SEED", seedText)
	if err := run(ctx, []string{"--list", "--xrpl-network=http://" + silent.Addr().String()}, "", nil, io.Discard, io.Discard); !errors.Is(err, errInterrupted) {
		t.Errorf("%v", err)
	}
}

// TestSeedFile: the seed comes from a file that only its owner may read, or from .env.
func TestSeedFile(t *testing.T) {
	w := newWorld(t)
	me := w.fund()
	dir := t.TempDir()
	path := filepath.Join(dir, "seed")
	if err := os.WriteFile(path, []byte(me.text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("SUBJECT_ACCOUNT_SEED="+me.text+"\nXRPL_NETWORK="+w.server.WebSocketURL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--list", "--sandbox-listen", w.server.Addr(), "--subject-account-seed-file", path}, "", nil, &out, io.Discard); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"--list"}, filepath.Join(dir, ".env"), nil, &out, io.Discard); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), string(me.address())); n != 2 {
		t.Errorf("%q", out.String())
	}
}

// terminal is one that a test types on.
type terminal struct {
	t       *testing.T
	ours    *os.File // the keyboard and screen
	theirs  *os.File // what the program has for standard input and error
	reading sync.WaitGroup

	mu   sync.Mutex
	text string
	more chan struct{}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Skipf("this system gives no pseudo-terminal: %v", err)
	}
	s := &terminal{t: t, ours: ours, theirs: theirs, more: make(chan struct{}, 1)}
	s.reading.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := ours.Read(buf)
			s.mu.Lock()
			s.text += string(buf[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_, _ = ours.WriteString("\n\x04") // ends a read that the program left behind: closing alone does not
		_ = theirs.Close()
		_ = ours.Close()
		s.reading.Wait()
	})
	return s
}

func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// shows waits until a text is on the screen.
func (s *terminal) shows(text string) {
	s.t.Helper()
	late := time.After(10 * time.Second)
	for !strings.Contains(s.screen(), text) {
		select {
		case <-s.more:
		case <-late:
			s.t.Fatalf("%q does not appear on the screen:\n%s", text, s.screen())
		}
	}
}

func (s *terminal) types(text string) {
	s.t.Helper()
	if _, err := s.ours.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *terminal) state() term.State {
	s.t.Helper()
	state, err := term.GetState(int(s.theirs.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	return *state
}

// TestAcceptOnATerminal types what the tutorial's reader types.
func TestAcceptOnATerminal(t *testing.T) {
	w := newWorld(t)
	bank, me := w.fund(), w.fund()
	w.issue(bank, me, "TestCredential", "AnotherTestCredential")
	s := newTerminal(t)
	before := s.state()

	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), []string{"--sandbox-listen", w.server.Addr()}, "", s.theirs, &out, s.theirs)
	}()
	s.shows("Subject account seed: ")
	for s.state() == before { // the read turns the echo off just after the prompt
		runtime.Gosched()
	}
	s.types(me.text + "\n")
	s.shows("\r\nAccept a credential?\r\n    0) No, quit.\r\n    1) 'AnotherTestCredential' issued by " + string(bank.address()) +
		"\r\n    2) 'TestCredential' issued by " + string(bank.address()) + "\r\nSelect an option (0-2): ")
	s.types("3\n")
	s.shows("enter a number from 0 to 2.\r\nSelect an option (0-2): ")
	s.types("2\n")
	s.shows("\rWaiting for validation... 0s")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s.shows("\rValidated after ")
	if strings.Contains(s.screen(), me.text) {
		t.Error("the seed is on the screen")
	}
	for _, want := range []string{`"TransactionType": "CredentialAccept"`, "Accepted 'TestCredential' issued by " + string(bank.address()), "tesSUCCESS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
	if !w.accepted(me, bank, "TestCredential") || w.accepted(me, bank, "AnotherTestCredential") {
		t.Error("the wrong one was accepted")
	}
	if s.state() != before {
		t.Error("the terminal is not as it was")
	}
}

// TestQuit: 0 and the end of the input accept nothing and are no failure.
func TestQuit(t *testing.T) {
	w := newWorld(t)
	bank, me := w.fund(), w.fund()
	w.issue(bank, me, "TestCredential")
	t.Setenv("SUBJECT_ACCOUNT_SEED", me.text)
	for _, typed := range []string{"0\n", "\x04"} {
		s := newTerminal(t)
		ended := make(chan error, 1)
		go func() {
			ended <- run(t.Context(), []string{"--sandbox-listen", w.server.Addr()}, "", s.theirs, io.Discard, s.theirs)
		}()
		s.shows("Select an option (0-1): ")
		s.types(typed)
		if err := <-ended; err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
	if w.accepted(me, bank, "TestCredential") {
		t.Error("accepted without being asked to")
	}
}

// TestInterruptAtThePrompt: a terminal on which the seed was being typed shows again what is typed.
func TestInterruptAtThePrompt(t *testing.T) {
	s := newTerminal(t)
	before := s.state()
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, nil, "", s.theirs, io.Discard, s.theirs) }()
	s.shows("Subject account seed: ")
	for s.state() == before { // the read turns the echo off just after the prompt
		select {
		case err := <-ended:
			t.Fatalf("ended before it was interrupted: %v", err)
		default:
		}
	}
	interrupt()
	if err := <-ended; exitStatus(err) != 1 || !errors.Is(err, errInterrupted) {
		t.Errorf("%v", err)
	}
	if s.state() != before {
		t.Error("the terminal still hides what is typed")
	}
	s.types("\n") // lets the read that was left behind end
}

// TestAcceptedOrder: results are printed in the order of the list, however they came in.
func TestAcceptedOrder(t *testing.T) {
	w := newWorld(t)
	bank, me := w.fund(), w.fund()
	types := []model.CredentialType{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"}
	w.issue(bank, me, types...)
	out := w.accept(me, "--all").out
	var at []int
	for _, typ := range types {
		at = append(at, strings.Index(out, "Accepted '"+string(typ)+"'"))
	}
	if !slices.IsSorted(at) || at[0] < 0 {
		t.Errorf("%v", at)
	}
}
