package lane

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// issued returns n operations that have issued.
func (w *world) issued(s *store.Store, n int) []model.Operation {
	w.t.Helper()
	r := w.run(s, s, "", nil)
	ops := w.create(s, n)
	eventually(w.t, "they are sent", func() bool { return w.open() == uint32(n) })
	w.close()
	ops = wantFinal(w.t, s, ops, 30*time.Second)
	if err := r.stop(); err != nil {
		w.t.Fatal(err)
	}
	return ops
}

// revoke stores what deletes the credential that an operation has issued.
func (w *world) revoke(s *store.Store, issued model.Operation, actor string) model.Operation {
	w.t.Helper()
	op, _, err := s.Create(w.t.Context(), model.Operation{Issuer: w.issuer, Kind: model.KindRevoke, Subject: issued.Subject, Type: issued.Type, Actor: actor})
	if err != nil {
		w.t.Fatal(err)
	}
	return op
}

// What the keeper asked for a while ago is not signed: the subject may have accepted since. What a person has asked for waits
// for its turn, however long.
func TestRemovalsThatWaitedAreNotSigned(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			clock := &jumpingClock{}
			cfg := database(t, db)
			cfg.Clock = clock
			s := openStore(t, cfg)
			stands := w.issued(s, 4)
			w.keepClosing(50 * time.Millisecond)
			clock.set(-11 * time.Second)
			late := w.revoke(s, stands[0], model.ActorJanitor)
			asked := w.revoke(s, stands[1], "token:nightly")
			clock.set(11 * time.Second) // stored by another machine, whose clock is wrong
			ahead := w.revoke(s, stands[2], model.ActorJanitor)
			clock.set(0)
			w.run(s, s, "", nil)
			ends := wantFinal(t, s, []model.Operation{late, asked, ahead, w.revoke(s, stands[3], model.ActorJanitor)}, 30*time.Second)
			for i, want := range []model.State{model.StateCancelled, model.StateSucceeded, model.StateCancelled, model.StateSucceeded} {
				op := ends[i]
				if op.State != want || want == model.StateCancelled && (len(op.Attempts) != 0 || op.Failure.Code != model.CodeCancelled) {
					t.Errorf("%d: %s, %+v, signed %d times; want %s", i, op.State, op.Failure, len(op.Attempts), want)
				}
			}
			if all := w.onLedger(); len(all) != 2 || all[stands[0].Type] == "" || all[stands[2].Type] == "" {
				t.Errorf("what stands: %v", all)
			}
			// Nothing is in the way of the next try.
			if op := wantFinal(t, s, []model.Operation{w.revoke(s, stands[0], model.ActorJanitor)}, 30*time.Second)[0]; op.State != model.StateSucceeded {
				t.Errorf("asked for again, it is %s: %+v", op.State, op.Failure)
			}
		})
	}
}

// A removal of the keeper's that no ledger took is not signed a second time, and its sequence goes to others.
func TestRemovalsAreSignedOnce(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			s := openStore(t, database(t, "sqlite"))
			stands := w.issued(s, 2)
			w.stocked(s, mode)
			h := &hook{Journal: s}
			h.beforeSign = func(int) error { // it takes too long
				h.set(func(h *hook) { h.beforeSign = nil })
				for range 8 {
					w.close()
				}
				return nil
			}
			ops := []model.Operation{w.revoke(s, stands[0], model.ActorJanitor), w.revoke(s, stands[1], "token:nightly")}
			r := w.run(s, h, "", func(c *ledger.LaneConfig) { c.Mode, c.LedgerOffset = mode, 4 })
			w.keepClosing(50 * time.Millisecond)
			ops = wantFinal(t, s, ops, 30*time.Second)
			if op := ops[0]; op.State != model.StateExpired || len(op.Attempts) != 1 || op.Attempts[0].State != model.AttemptAbsent {
				t.Errorf("the keeper's is %s, %+v, signed %d times", op.State, op.Failure, len(op.Attempts))
			}
			if op := ops[1]; op.State != model.StateSucceeded || len(op.Attempts) != 2 {
				t.Errorf("a person's is %s, %+v, signed %d times", op.State, op.Failure, len(op.Attempts))
			}
			if next := wantFinal(t, s, w.create(s, 3), 30*time.Second); next[2].State != model.StateSucceeded {
				t.Errorf("the next one is %s: %+v", next[2].State, next[2].Failure)
			}
			eventually(t, "nothing is in flight", func() bool { return r.Status().InFlight == 0 })
		})
	}
}

// One that is proved absent, by a process that was to sign it again and was stopped, ends there.
func TestRemovalsEndAtAStart(t *testing.T) {
	w := newWorld(t, sandbox.Config{}, 10_000)
	s := openStore(t, database(t, "sqlite"))
	op := w.revoke(s, w.operation(), model.ActorJanitor)
	fence, err := s.TakeLane(t.Context(), w.issuer, "one", store.MaxLease)
	if err != nil {
		t.Fatal(err)
	}
	var hash [32]byte
	_, _ = rand.Read(hash[:])
	a := model.Attempt{Operation: op.ID, Hash: fmt.Sprintf("%X", hash), Blob: strings.Repeat("12AB", 120), Sequence: 4, LastLedgerSequence: 3, FirstLedger: 2, Fee: 10}
	if err := s.Sign(t.Context(), fence, []model.Attempt{a}); err != nil {
		t.Fatal(err)
	}
	if err := s.Conclude(t.Context(), fence, []model.Outcome{{Operation: op.ID, State: model.StateSigned, Absent: []string{a.Hash}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.ReleaseLane(t.Context(), fence); err != nil {
		t.Fatal(err)
	}
	w.run(s, s, "", nil)
	if op := wantFinal(t, s, []model.Operation{op}, 30*time.Second)[0]; op.State != model.StateExpired || len(op.Attempts) != 1 {
		t.Errorf("it is %s, %+v, signed %d times", op.State, op.Failure, len(op.Attempts))
	}
}
