// Package lane tests the lane and the journal together: the embedded ledger over a socket, SQLite on disk, and PostgreSQL
// where there is one.
package lane

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

// A store is a lane's journal as it is.
var _ ledger.Journal = (*store.Store)(nil)

func TestMain(m *testing.M) {
	if os.Getenv(childStore) != "" {
		os.Exit(child())
	}
	code := m.Run()
	postgres.Summary(os.Stderr, "the lane on its journal")
	if code == 0 {
		// The driver says goodbye to a connection in the background, for 15 s at most.
		if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose.func1")); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func logger() *slog.Logger {
	if os.Getenv("LANE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// databases are what the tests run on.
var databases = []string{"sqlite", "postgres"}

// database returns the configuration of an empty one.
func database(t testing.TB, kind string) store.Config {
	t.Helper()
	cfg := store.Config{JournalKeys: [][32]byte{{1}}, PollInterval: 200 * time.Millisecond, Logger: logger()}
	if kind == "sqlite" {
		cfg.Path = filepath.Join(t.TempDir(), "journal.db")
		return cfg
	}
	cfg.URL = postgres.Schema(t)
	return cfg
}

func openStore(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// world is a ledger with an issuer and a subject.
type world struct {
	t       testing.TB
	node    *sandbox.Server
	seed    string
	issuer  model.Address
	subject model.Address
	kinds   atomic.Int64
}

func newWorld(t testing.TB, cfg sandbox.Config, xrp int64) *world {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	cfg.Logger = slog.New(slog.DiscardHandler)
	node, err := sandbox.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, node: node}
	issuer, err := node.Fund(t.Context(), "", xrp*1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	w.seed, w.issuer, w.subject = issuer.Seed.Reveal(), model.Address(issuer.Address), model.Address(subject.Address)
	w.close()
	return w
}

func (w *world) close() {
	w.t.Helper()
	if _, err := w.node.Accept(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// keepClosing closes ledgers until the test ends, each some time after the one before has closed: a machine that is busy
// closes fewer.
func (w *world) keepClosing(every time.Duration) {
	w.t.Helper()
	w.keepPace(every, nil)
}

// keepPace closes ledgers as keepClosing does, and none before a lane has heard of the one before: what a lane asks for by
// what it knows can be told only where it had the time to know it, as on a network it has seconds.
func (w *world) keepPace(every time.Duration, l *ledger.Lane) {
	w.t.Helper()
	stop := make(chan struct{})
	var closed uint32 // the last one
	var wg sync.WaitGroup
	wg.Go(func() {
		pause := time.NewTimer(every)
		defer pause.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pause.C:
				if l == nil || l.Status().Validated.Index >= closed {
					index, err := w.node.Accept(context.Background())
					if err != nil {
						w.t.Log(err) // it may be restarting
					}
					closed = index
				}
				pause.Reset(every)
			}
		}
	})
	w.t.Cleanup(func() { close(stop); wg.Wait() })
}

// operation is the next one to be issued.
func (w *world) operation() model.Operation {
	return model.Operation{Issuer: w.issuer, Kind: model.KindIssue, Subject: w.subject,
		Type: model.CredentialType(fmt.Sprintf("T%d", w.kinds.Add(1)))}
}

// create stores n operations, many at a time.
func (w *world) create(s *store.Store, n int) []model.Operation {
	w.t.Helper()
	ops := make([]model.Operation, n)
	var wg sync.WaitGroup
	for i := range ops {
		op := w.operation()
		wg.Go(func() {
			stored, _, err := s.Create(context.Background(), op)
			if err != nil {
				w.t.Error(err)
			}
			ops[i] = stored
		})
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return ops
}

// lane makes one; close its client in the end.
func (w *world) lane(j ledger.Journal, url string, change func(*ledger.LaneConfig)) (*ledger.Lane, *ledger.Client) {
	w.t.Helper()
	if url == "" {
		url = w.node.WebSocketURL()
	}
	client, err := ledger.New(ledger.Config{URL: url, CallTimeout: 2 * time.Second, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Logger: logger()})
	if err != nil {
		w.t.Fatal(err)
	}
	seed, err := ledger.ParseSeed(w.seed)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := ledger.LaneConfig{Account: w.issuer, Seed: seed, LedgerOffset: 25, Signings: 20, Journal: j}
	if change != nil {
		change(&cfg)
	}
	l, err := ledger.NewLane(client, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return l, client
}

// runner is a lane that works, as a process of its own would.
type runner struct {
	*ledger.Lane
	cancel func()
	stop   func() error // ends it, and says how it ended
}

// run has a lane work while it holds the account's lane.
func (w *world) run(s *store.Store, j ledger.Journal, url string, change func(*ledger.LaneConfig)) *runner {
	w.t.Helper()
	l, client := w.lane(j, url, change)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.HoldLane(ctx, w.issuer, rand.Text(), 2*time.Second, l.Work) }()
	r := &runner{Lane: l, cancel: cancel, stop: sync.OnceValue(func() error {
		cancel()
		err := <-done
		client.Close()
		return err
	})}
	w.t.Cleanup(func() { _ = r.stop() })
	return r
}

// wantFinal waits for the ends of operations.
func wantFinal(t testing.TB, s *store.Store, ops []model.Operation, limit time.Duration) []model.Operation {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out := make([]model.Operation, len(ops))
	for i, op := range ops {
		var err error
		if out[i], err = s.Wait(ctx, op.ID); err != nil {
			t.Fatalf("operation %d of %d, %s, is %s: %v", i+1, len(ops), op.ID, out[i].State, err)
		}
	}
	return out
}

// wantIssued says that all have succeeded, and that the ledger holds exactly one credential for each, and no other.
func (w *world) wantIssued(ops []model.Operation) {
	w.t.Helper()
	all := w.onLedger()
	for _, op := range ops {
		if op.State != model.StateSucceeded || op.Result == nil || !op.Result.Succeeded() {
			w.t.Errorf("operation %s (%s) is %s: %+v", op.ID, op.Type, op.State, op.Failure)
		}
		if all[op.Type] == "" {
			w.t.Errorf("credential %s is not on the ledger", op.Type)
		}
		validated := 0
		for _, a := range op.Attempts {
			switch a.State {
			case model.AttemptValidated:
				validated++
			case model.AttemptSigned:
				w.t.Errorf("operation %s: transaction %s is not settled", op.ID, a.Hash)
			}
		}
		if validated != 1 {
			w.t.Errorf("operation %s has %d validated transactions", op.ID, validated)
		}
	}
	if len(all) != len(ops) {
		w.t.Errorf("%d credentials on the ledger, want %d", len(all), len(ops))
	}
}

// onLedger returns the credentials that the issuer has given.
func (w *world) onLedger() map[model.CredentialType]string {
	w.t.Helper()
	c, err := ledger.New(ledger.Config{URL: w.node.URL()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	all := map[model.CredentialType]string{}
	for found, err := range c.Credentials(context.Background(), w.issuer, model.Filter{Side: model.Issued}) {
		if err != nil {
			w.t.Fatal(err)
		}
		if all[found.Type] != "" {
			w.t.Errorf("credential %s stands twice", found.Type)
		}
		all[found.Type] = found.Index
	}
	return all
}

// hook is a journal that tells of what it does, and can be told to fail.
type hook struct {
	ledger.Journal
	mu sync.Mutex
	// Each is called around what its name says; an error is returned in place of the journal's.
	beforeSign, afterSign, beforeConclude, afterConclude func(n int) error
}

func call(f func(int) error, n int) error {
	if f == nil {
		return nil
	}
	return f(n)
}

func (h *hook) set(f func(h *hook)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
}

func (h *hook) get() (a, b, c, d func(int) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.beforeSign, h.afterSign, h.beforeConclude, h.afterConclude
}

func (h *hook) Sign(ctx context.Context, f model.Fence, as []model.Attempt) error {
	before, after, _, _ := h.get()
	if err := call(before, len(as)); err != nil {
		return err
	}
	if err := h.Journal.Sign(ctx, f, as); err != nil {
		return err
	}
	return call(after, len(as))
}

func (h *hook) SignOwn(ctx context.Context, f model.Fence, ops []model.Operation, as []model.Attempt) ([]model.OperationID, error) {
	before, after, _, _ := h.get()
	if err := call(before, len(as)); err != nil {
		return nil, err
	}
	ids, err := h.Journal.SignOwn(ctx, f, ops, as)
	if err != nil {
		return nil, err
	}
	return ids, call(after, len(as))
}

func (h *hook) Conclude(ctx context.Context, f model.Fence, os []model.Outcome) error {
	_, _, before, after := h.get()
	if err := call(before, len(os)); err != nil {
		return err
	}
	if err := h.Journal.Conclude(ctx, f, os); err != nil {
		return err
	}
	return call(after, len(os))
}

// errGone is what a journal says that is not there.
var errGone = &model.Error{Code: model.CodeStoreUnavailable, Message: "gone"}

// stopAt returns a hook in which a lane can be stopped dead: what it has done until then stays, and it does nothing more.
// reached receives when the lane is there; release lets go of it, once it is stopped.
func stopAt() (at func(int) error, reached <-chan struct{}, release func()) {
	there, gone := make(chan struct{}), make(chan struct{})
	var once sync.Once
	return func(int) error {
		once.Do(func() { close(there) })
		<-gone
		return errGone
	}, there, sync.OnceFunc(func() { close(gone) })
}

// crash stops a lane that is held by a hook.
func (r *runner) crash(t testing.TB, release func()) {
	t.Helper()
	r.cancel()
	release()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// open is how many transactions the open ledger holds.
func (w *world) open() uint32 {
	w.t.Helper()
	c, err := ledger.New(ledger.Config{URL: w.node.URL()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	fee, err := c.Fee(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return fee.Current + fee.Queued
}

// eventually asks again until ok says yes. It is for what nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tryOpen is as open, and -1 while nothing answers.
func (w *world) tryOpen() int {
	c, err := ledger.New(ledger.Config{URL: w.node.URL(), RetryFor: time.Millisecond})
	if err != nil {
		return -1
	}
	defer c.Close()
	fee, err := c.Fee(context.Background())
	if err != nil {
		return -1
	}
	return int(fee.Current + fee.Queued)
}
