package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// submitting has a journal's operations submitted until stop.
func submitting(t *testing.T, st *store.Store, client *ledger.Client, seed ledger.Seed) (stop func()) {
	t.Helper()
	l, err := ledger.NewLane(client, ledger.LaneConfig{Account: seed.Address(), Seed: seed, LedgerOffset: ledger.DefaultLedgerOffset, Journal: st})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- st.HoldLane(ctx, seed.Address(), "test", 0, func(ctx context.Context, f model.Fence) error {
			r := recovery{account: f.Issuer, offset: ledger.DefaultLedgerOffset, client: client, store: st, log: slog.New(slog.DiscardHandler)}
			return errors.Join(r.run(ctx, f), l.Work(ctx, f))
		})
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A database is put back to a moment with pending operations, which were then done, and some undone again. None is done twice, and
// each has its result.
func TestRecoveryAfterRollback(t *testing.T) {
	t.Parallel()
	node := nodeWith(t, "127.0.0.1:0", edAddress)
	seed, err := ledger.ParseSeed(edSeed)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ledger.New(ledger.Config{URL: node.WebSocketURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	made, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	subject := model.Address(made.Address)
	dir, kept := t.TempDir(), t.TempDir()
	open := func(dir string) *store.Store {
		st, err := store.Open(t.Context(), store.Config{Path: journalFile(dir), HeadFile: filepath.Join(kept, "head"), PollInterval: 50 * time.Millisecond,
			JournalKeys: [][32]byte{{1}}})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	asked := func(st *store.Store, kind model.Kind, typ model.CredentialType, renew bool) model.OperationID {
		op, _, err := st.Create(t.Context(), model.Operation{Issuer: seed.Address(), Kind: kind, Subject: subject, Type: typ, Renew: renew})
		if err != nil {
			t.Fatal(err)
		}
		return op.ID
	}
	await := func(st *store.Store, ids ...model.OperationID) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, id := range ids {
			if op, err := st.Wait(ctx, id); err != nil || op.State != model.StateSucceeded || op.Result == nil {
				t.Fatalf("%s %s is %s: %v", op.Kind, op.Type, op.State, err)
			}
		}
	}

	st := open(dir)
	network, err := client.Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.BindNetwork(t.Context(), network); err != nil {
		t.Fatal(err)
	}
	stop := submitting(t, st, client, seed)
	await(st, asked(st, model.KindIssue, "Iron", false), asked(st, model.KindIssue, "Steel", false))
	stop()
	gold, iron, steel := asked(st, model.KindIssue, "Gold", false), asked(st, model.KindRevoke, "Iron", false), asked(st, model.KindIssue, "Steel", true)
	backUp(t, dir, kept) // what the standby has
	stop = submitting(t, st, client, seed)
	await(st, gold, iron, steel)
	await(st, asked(st, model.KindRevoke, "Gold", false), asked(st, model.KindIssue, "Iron", false))
	stop()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	stand := func() (out map[model.CredentialType]uint32) {
		out = map[model.CredentialType]uint32{}
		at, err := client.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range client.CredentialsAt(t.Context(), at, seed.Address(), model.Filter{Side: model.Issued}) {
			if err != nil {
				t.Fatal(err)
			}
			out[c.Type] = c.Changed
		}
		return out
	}
	before := stand()

	st = open(kept)
	defer func() { _ = st.Close() }()
	if n, err := st.OpenRollbacks(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d rollbacks: %v", n, err)
	}
	stop = submitting(t, st, client, seed)
	await(st, gold, iron, steel)
	later := asked(st, model.KindIssue, "Later", false) // and it goes on
	await(st, later)
	stop()
	after := stand()
	if _, there := after["Gold"]; there || len(after) != len(before)+1 || after["Iron"] != before["Iron"] || after["Steel"] != before["Steel"] {
		t.Errorf("what stands went from %v to %v", before, after)
	}
	if ops, err := st.Open(t.Context(), seed.Address()); err != nil || len(ops) != 0 {
		t.Errorf("%d operations are open: %v", len(ops), err)
	}
	if _, due, err := st.Recovery(t.Context()); err != nil || due {
		t.Errorf("the recovery is due: %t, %v", due, err)
	}
}

// Without the ledgers since the rollback, what was pending ends unsigned.
func TestRecoveryWithoutHistory(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Config{Path: journalFile(t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	fence, err := st.TakeLane(t.Context(), model.Address(edAddress), "test", store.DefaultLease)
	if err != nil {
		t.Fatal(err)
	}
	create := func(typ model.CredentialType) model.OperationID {
		op, _, err := st.Create(t.Context(), model.Operation{Issuer: model.Address(edAddress), Kind: model.KindIssue, Subject: model.Address(secpAddress), Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		return op.ID
	}
	old := create("Old")
	what := store.Recovery{Generation: 2, Detected: time.Now()}
	fresh := create("Fresh")
	r := recovery{account: fence.Issuer, store: st, log: slog.New(slog.DiscardHandler)}
	if err := r.endPending(t.Context(), fence, what); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[model.OperationID]model.State{old: model.StateRefused, fresh: model.StatePending} {
		if op, err := st.Operation(t.Context(), id); err != nil || op.State != want {
			t.Errorf("%s is %s, want %s: %v", op.Type, op.State, want, err)
		}
	}
}

// Somebody acknowledges an older journal, and a journal that is gone is not replaced by an empty one.
func TestAuditRestored(t *testing.T) {
	where, change := auditLog(t, 3)
	dir := strings.TrimPrefix(where, "--data-dir=")
	out, _, _ := command(t, "audit", "verify", where)
	if err := os.WriteFile(headFile(dir), []byte(headLine.FindString(out)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	change("UPDATE heads SET hash = (SELECT previous FROM audit WHERE seq = 3), entry = 2", "DELETE FROM audit WHERE seq = 3")
	st, err := store.Open(t.Context(), store.Config{Path: journalFile(dir), HeadFile: headFile(dir)}) // as the service does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	if _, log, status := command(t, "audit", "restored", where); status != 0 || !strings.Contains(log, "Acknowledged: 1.") {
		t.Errorf("%d %s", status, log)
	}
	if n, err := st.OpenRollbacks(t.Context()); err != nil || n != 0 {
		t.Errorf("%d are open: %v", n, err)
	}
	if out, _, status := command(t, "audit", "export", where); status != 0 || !strings.Contains(out, `"audit.restored"`) {
		t.Errorf("%d %s", status, out)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(journalFile(dir)); err != nil {
		t.Fatal(err)
	}
	if out, log, status := command(t, "token", "create", "--name=x", "--role=admin", where); status != 1 || out != "" || !strings.Contains(log, "is gone") {
		t.Errorf("%d %s%s", status, out, log)
	}
}
