package lane

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// While the journal cannot be written nothing is sent, and the lane says why; once it can, the work goes on by itself.
func TestJournalGoesAway(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		w.stocked(s, mode)
		var away atomic.Bool
		var tried atomic.Int64
		fail := func(int) error {
			if away.Load() {
				tried.Add(1)
				return errGone
			}
			return nil
		}
		r := w.run(s, &hook{Journal: s, beforeSign: fail, beforeConclude: fail}, "", withMode(mode))
		eventually(t, "the lane is up", func() bool { return r.Status().Up })
		ops := w.create(s, 10)
		eventually(t, "they are sent", func() bool { return w.open() == 10 })
		away.Store(true)
		ops = append(ops, w.create(s, 50)...)
		eventually(t, "the lane has noticed", func() bool { return tried.Load() > 2 && r.Status().Trouble != "" })
		if n := w.open(); n != 10 {
			t.Errorf("%d transactions were sent, and 10 are journalled", n)
		}
		for range 40 { // results that cannot be stored, and blobs that expire before they are stored
			w.close()
		}
		if n := len(w.onLedger()); n != 10 {
			t.Errorf("%d credentials on the ledger, and 10 were journalled", n)
		}
		away.Store(false)
		w.keepClosing(50 * time.Millisecond)
		w.wantIssued(wantFinal(t, s, ops, 60*time.Second))
		eventually(t, "all is well again", func() bool { return r.Status().Trouble == "" && r.Status().InFlight == 0 })
	})
}

// A commit whose confirmation is lost is made again, and is then the same one.
func TestJournalAnswersAreLost(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		var n atomic.Int64
		lose := func(int) error {
			if n.Add(1)%2 == 1 {
				return errGone
			}
			return nil
		}
		w.run(s, &hook{Journal: s, afterSign: lose, afterConclude: lose}, "", patient(mode))
		w.keepClosing(50 * time.Millisecond)
		ops := wantFinal(t, s, w.create(s, 60), 60*time.Second)
		w.wantIssued(ops)
		for _, op := range ops {
			if len(op.Attempts) != 1 {
				t.Errorf("operation %s was signed %d times", op.ID, len(op.Attempts))
			}
		}
	})
}

// An operation that is cancelled in the moment in which it is signed is not sent, and holds up nobody.
func TestCancelledWhileSigned(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		w.stocked(s, mode)
		ops := w.create(s, 30)
		var cancelled atomic.Int64
		h := &hook{Journal: s}
		h.beforeSign = func(int) error {
			for i, op := range ops {
				if i%7 == 3 && s.Cancel(t.Context(), op.ID, model.Failure{}, model.AuditEntry{}) == nil {
					cancelled.Add(1)
				}
			}
			h.set(func(h *hook) { h.beforeSign = nil })
			return nil
		}
		r := w.run(s, h, "", withMode(mode))
		w.keepClosing(50 * time.Millisecond)
		ops = wantFinal(t, s, ops, 60*time.Second)
		var issued []model.Operation
		for i, op := range ops {
			if i%7 == 3 {
				if op.State != model.StateCancelled || len(op.Attempts) != 0 {
					t.Errorf("operation %d is %s, with %d attempts", i, op.State, len(op.Attempts))
				}
				continue
			}
			issued = append(issued, op)
		}
		w.wantIssued(issued)
		if cancelled.Load() == 0 {
			t.Error("none was cancelled in time: the test shows nothing")
		}
		eventually(t, "nothing is in flight", func() bool { return r.Status().InFlight == 0 && r.Status().Waiting == 0 })
	})
}
