package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashPath) != "" {
		crashChild()
		return
	}
	code := m.Run()
	postgres.Summary(os.Stderr, "package store")
	if code == 0 {
		// The driver says goodbye to a connection in the background, for 15 s at most.
		if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose.func1")); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// drivers are the databases that the conformance suite runs on. Each makes the configuration of an empty one.
var drivers = []struct {
	name   string
	config func(t testing.TB) Config
}{
	{"sqlite", func(t testing.TB) Config { return Config{Path: filepath.Join(t.TempDir(), "issuer ?#%.db")} }},
	{"postgres", func(t testing.TB) Config { return Config{URL: postgres.Schema(t)} }},
}

// onBoth runs a test on both databases. Nothing is found by polling, unless change says so.
func onBoth(t *testing.T, f func(t *testing.T, h *harness), change ...func(*Config)) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			cfg := d.config(t)
			cfg.PollInterval = time.Hour
			for _, c := range change {
				c(&cfg)
			}
			f(t, newHarness(t, cfg))
		})
	}
}

// fakeClock is moved by the test.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// eventually asks again until ok says yes. It is for what nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// harness is a store and what it takes to make work for it.
type harness struct {
	*Store
	t     testing.TB
	cfg   Config
	clock *fakeClock
	fence model.Fence
}

const issuerA, issuerB = model.Address("rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ"), model.Address("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh")

func newHarness(t testing.TB, cfg Config) *harness {
	t.Helper()
	cfg.JournalKeys = [][32]byte{{1}}
	h := &harness{t: t, cfg: cfg, clock: &fakeClock{now: time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC)}}
	h.cfg.Clock = h.clock
	h.Store = h.open()
	t.Cleanup(h.checkCounts)
	return h
}

// checkCounts compares what mirrors count with their records: whatever a test has done, they agree.
func (h *harness) checkCounts() {
	var wrong int
	err := h.readDB.QueryRow("SELECT count(*) FROM mirrors m WHERE m.standing <> (SELECT count(*) FROM credentials c WHERE c.issuer = m.issuer AND c.deleted = 0)" +
		" OR m.unaccepted <> (SELECT count(*) FROM credentials c WHERE c.issuer = m.issuer AND c.deleted = 0 AND c.accepted = 0)" +
		" OR m.told <> (SELECT count(*) FROM credentials c WHERE c.issuer = m.issuer AND c.deleted = 0 AND c.told = 1)").Scan(&wrong)
	if err == nil && wrong > 0 { // else the test has made an end of the database
		h.t.Errorf("%d mirrors count other than their records", wrong)
	}
}

// open opens the database once more, as another process would.
func (h *harness) open() *Store {
	h.t.Helper()
	s, err := Open(h.ctx(), h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return s
}

// ctx ends long before a test that hangs does.
func (h *harness) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	h.t.Cleanup(cancel)
	return ctx
}

// take makes the harness the lane's holder.
func (h *harness) take() model.Fence {
	h.t.Helper()
	if h.fence.Epoch == 0 {
		f, err := h.TakeLane(h.ctx(), issuerA, "harness", MaxLease)
		if err != nil {
			h.t.Fatal(err)
		}
		h.fence = f
	}
	return h.fence
}

var counter atomic.Uint32

// subject returns an address that no other call returns.
func subject() model.Address {
	n := counter.Add(1)
	return model.AddressOf([20]byte{1, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func issue() model.Operation {
	expiration := uint32(900000000)
	return model.Operation{Issuer: issuerA, Kind: model.KindIssue, Subject: subject(), Type: "driver\xff\x00licence",
		Expiration: &expiration, URI: "ipfs://\x01"}
}

func (h *harness) create(op model.Operation) model.Operation {
	h.t.Helper()
	stored, replayed, err := h.Create(h.ctx(), op)
	if err != nil || replayed {
		h.t.Fatalf("create: replayed %t, %v", replayed, err)
	}
	return stored
}

// attempt makes a blob for an operation.
func attempt(op model.OperationID, sequence uint32) model.Attempt {
	return model.Attempt{Operation: op, Hash: hash(), Blob: strings.Repeat("12AB", 120), Sequence: sequence,
		LastLedgerSequence: 1008, FirstLedger: 1000, Fee: 10}
}

func hash() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%X", b)
}

func validated(hash, result string) *model.Validated {
	return &model.Validated{Hash: hash, CTID: "C000000100010000", LedgerIndex: 1003, EngineResult: result, EngineResultCode: 100,
		EngineResultMessage: "as \x00 said", Body: []byte(`{"hash":"` + hash + `","odd":"\u0000 \ud800","n":1.0}`)}
}

func success(a model.Attempt) model.Outcome {
	return model.Outcome{Operation: a.Operation, State: model.StateSucceeded, Result: validated(a.Hash, "tesSUCCESS")}
}

// signed creates an operation and signs it.
func (h *harness) signed(sequence uint32) (model.Operation, model.Attempt) {
	h.t.Helper()
	op := h.create(issue())
	a := attempt(op.ID, sequence)
	h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
	return op, a
}

func (h *harness) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) code(err error, want model.Code) {
	h.t.Helper()
	if got := model.CodeOf(err); got != want || err == nil {
		h.t.Fatalf("the code is %q, want %q: %v", got, want, err)
	}
}

func (h *harness) state(id model.OperationID, want model.State) model.Operation {
	h.t.Helper()
	op, err := h.Operation(h.ctx(), id)
	h.ok(err)
	if op.State != want {
		h.t.Fatalf("operation %s is %s, want %s", id, op.State, want)
	}
	return op
}

// createQuietly is create without a context that lives as long as the test.
func (h *harness) createQuietly(op model.Operation) model.OperationID {
	h.t.Helper()
	stored, _, err := h.Create(context.Background(), op)
	h.ok(err)
	return stored.ID
}

// prepare stores n operations without waiting for each.
func (h *harness) prepare(n int) []model.OperationID {
	h.t.Helper()
	batch, _, err := h.CreateBatch(context.Background(), model.Batch{Issuer: issuerA})
	h.ok(err)
	for i := 0; i < n; i += MaxRowsAtOnce {
		if _, err := h.AddRows(context.Background(), batch.ID, rowsFrom(int64(i+1), min(MaxRowsAtOnce, n-i))); err != nil {
			h.t.Fatal(err)
		}
	}
	ops, err := h.Pending(context.Background(), issuerA, n)
	h.ok(err)
	ids := make([]model.OperationID, len(ops))
	for i, op := range ops {
		ids[i] = op.ID
	}
	return ids
}

// plan checks that a query goes by an index, and sorts nothing.
func (h *harness) plan(index, query string) {
	h.t.Helper()
	tx, err := h.writeDB.BeginTx(h.ctx(), nil)
	h.ok(err)
	defer func() { _ = tx.Rollback() }()
	explain, width := "EXPLAIN QUERY PLAN ", 4
	if h.Driver() == "postgres" {
		explain, width = "EXPLAIN ", 1
		// Of tables with nothing in them it reads all, and sorts: it must be able to do without.
		for _, off := range []string{"enable_seqscan", "enable_sort", "enable_bitmapscan"} {
			_, err := tx.Exec("SET LOCAL " + off + " = off")
			h.ok(err)
		}
	}
	rows, err := tx.Query(explain + query)
	var plan []string
	h.ok(each(rows, err, func(rows *sql.Rows) error {
		values := make([]any, width)
		for i := range values {
			values[i] = new(any)
		}
		err := rows.Scan(values...)
		plan = append(plan, fmt.Sprint(*values[width-1].(*any)))
		return err
	}))
	whole := strings.Join(plan, "\n")
	if !strings.Contains(whole, index) || strings.Contains(whole, "B-TREE") || strings.Contains(whole, "Sort ") || strings.Contains(whole, "SCAN ") {
		h.t.Errorf("%s\ndoes not go by %s alone:\n%s", query, index, whole)
	}
}
