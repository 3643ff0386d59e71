package lane

import (
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// A journal of another ledger is not worked on: nothing of it is sent.
func TestJournalOfAnotherLedger(t *testing.T) {
	before := newWorld(t, sandbox.Config{}, 10_000)
	for range 60 {
		before.close()
	}
	s := openStore(t, database(t, "sqlite"))
	before.create(s, 3)
	crashInSign(t, before, s, ledger.Sequences)
	before.create(s, 3) // and what is pending

	w := newWorld(t, sandbox.Config{}, 10_000)
	if _, err := w.node.Fund(t.Context(), string(before.issuer), 1_000_000_000); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.seed, w.issuer = before.seed, before.issuer
	r := w.run(s, s, "", nil)
	eventually(t, "the lane says why it does nothing", func() bool { return strings.Contains(r.Status().Trouble, "another network") })
	if n := w.open(); n != 0 || r.Status().Up {
		t.Errorf("%d transactions were sent, %+v", n, r.Status())
	}
}

func TestLaneIsUsedAsItIsMade(t *testing.T) {
	w := newWorld(t, sandbox.Config{}, 10_000)
	s := openStore(t, database(t, "sqlite"))
	with, client := w.lane(s, "", nil)
	defer client.Close()
	without, client2 := w.lane(nil, "", nil)
	defer client2.Close()
	if _, err := with.Submit(t.Context(), w.operation().Transaction()); model.CodeOf(err) != model.CodeInternal {
		t.Errorf("Submit: %v", err)
	}
	if err := with.Run(t.Context()); err == nil {
		t.Error("a lane with a journal ran without a fence")
	}
	if err := without.Work(t.Context(), model.Fence{Issuer: w.issuer, Epoch: 1}); err == nil {
		t.Error("a lane without a journal worked on it")
	}
	if err := with.Work(t.Context(), model.Fence{Issuer: w.subject, Epoch: 1}); err == nil {
		t.Error("a lane worked under another account's fence")
	}
	r := w.run(s, s, "", nil)
	eventually(t, "the lane is up", func() bool { return r.Status().Up })
	if err := r.Work(t.Context(), model.Fence{Issuer: w.issuer, Epoch: 1}); err == nil {
		t.Error("a lane worked twice at once")
	}
}

// A stop that is clean waits for what is under way, and leaves the rest in the journal.
func TestDrain(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		w.stocked(s, mode)
		r := w.run(s, s, "", withMode(mode))
		ops := w.create(s, 10)
		eventually(t, "all are sent", func() bool { return w.open() == 10 })
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(t.Context()) }()
		eventually(t, "the results are in", func() bool {
			w.close()
			select {
			case err := <-drained:
				if err != nil {
					t.Error(err)
				}
				return true
			case <-time.After(20 * time.Millisecond):
				return false
			}
		})
		w.wantIssued(wantFinal(t, s, ops, time.Second))
		late := w.create(s, 5) // nobody signs them
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if open, err := s.InFlight(t.Context(), w.issuer); err != nil || len(open) != 0 {
			t.Errorf("%d are signed after the lane was drained, %v", len(open), err)
		}
		w.keepClosing(50 * time.Millisecond)
		w.run(s, s, "", withMode(mode))
		w.wantIssued(wantFinal(t, s, append(ops, late...), 30*time.Second))
	})
}
