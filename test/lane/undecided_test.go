package lane

import (
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// undecidable stores a signed operation that no node can decide: its sequence was used up long before the ledgers in which
// its transaction could be.
func (w *world) undecidable(s *store.Store) model.Operation {
	w.t.Helper()
	l, client := w.lane(s, "", nil)
	defer client.Close()
	info, err := client.AccountInfo(w.t.Context(), w.issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	seed, err := ledger.ParseSeed(w.seed)
	if err != nil {
		w.t.Fatal(err)
	}
	other := w.operation()
	used, err := seed.Sign(other.Transaction(), ledger.Terms{Account: w.issuer, Sequence: info.Sequence, Fee: 10, LastLedgerSequence: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := client.Submit(w.t.Context(), used); err != nil {
		w.t.Fatal(err)
	}
	for range 40 {
		w.close()
	}
	now, err := client.Ledger(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	op := w.create(s, 1)[0]
	signed, err := seed.Sign(op.Transaction(), ledger.Terms{Account: w.issuer, Sequence: info.Sequence, Fee: 10, LastLedgerSequence: now.Index + 8})
	if err != nil {
		w.t.Fatal(err)
	}
	fence, err := s.TakeLane(w.t.Context(), l.Account(), "test", time.Millisecond)
	if err != nil {
		w.t.Fatal(err)
	}
	err = s.Sign(w.t.Context(), fence, []model.Attempt{{Operation: op.ID, Hash: signed.Hash, Blob: signed.Blob, Sequence: signed.Sequence,
		LastLedgerSequence: signed.LastLedgerSequence, FirstLedger: now.Index, Fee: signed.Fee}})
	if err != nil {
		w.t.Fatal(err)
	}
	for range 10 {
		w.close()
	}
	return op
}

// TestUndecided: an operation that the node cannot decide holds up no others, also those that need tickets, and ends when an
// operator settles it.
func TestUndecided(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		op := w.undecidable(s)
		r := w.run(s, s, "", patient(mode))
		w.keepPace(20*time.Millisecond, r.Lane)
		wantSucceeded(t, wantFinal(t, s, w.create(s, 20), 60*time.Second))
		eventually(t, "it is undecided", func() bool { return r.Status().Undecided == 1 })
		if stored, err := s.Operation(t.Context(), op.ID); err != nil || stored.State != model.StateSigned {
			t.Fatalf("%s, %v", stored.State, err)
		}
		if r.Status().InFlight != 0 || r.Status().Stalled {
			t.Errorf("%+v", r.Status())
		}
		stored, err := s.Operation(t.Context(), op.ID)
		if err != nil {
			t.Fatal(err)
		}
		expired := model.Outcome{Operation: op.ID, State: model.StateExpired, Absent: []string{stored.Attempts[0].Hash}}
		if err := s.Settle(t.Context(), expired, model.AuditEntry{Actor: "cli:test"}, "not on the explorer"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is let go", func() bool { return r.Status().Undecided == 0 })
		again := w.operation()
		again.Type = op.Type
		created, _, err := s.Create(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		wantSucceeded(t, wantFinal(t, s, []model.Operation{created}, 60*time.Second))
		if all := w.onLedger(); len(all) != 22 || all[op.Type] == "" {
			t.Errorf("%d credentials on the ledger, want 22", len(all))
		}
		entries, err := s.AuditEntries(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		settled := 0
		for _, e := range entries {
			if e.Action == model.ActionSettle && e.Target == string(op.ID) && e.Actor == "cli:test" && strings.Contains(string(e.Detail), "not on the explorer") {
				settled++
			}
		}
		if settled != 1 {
			t.Errorf("%d entries in the audit log", settled)
		}
	})
}

func wantSucceeded(t *testing.T, ops []model.Operation) {
	t.Helper()
	for _, op := range ops {
		if op.State != model.StateSucceeded {
			t.Errorf("operation %s is %s: %+v", op.ID, op.State, op.Failure)
		}
	}
}
