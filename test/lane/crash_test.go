package lane

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// stocked lets a lane in tickets mode get its tickets, so that what follows is about operations.
func (w *world) stocked(s *store.Store, mode ledger.Mode) {
	w.t.Helper()
	if mode != ledger.Tickets || 2*w.tickets() > 250 {
		return
	}
	r := w.run(s, s, "", patient(mode))
	eventually(w.t, "a TicketCreate is sent", func() bool { return w.open() > 0 })
	w.close()
	eventually(w.t, "the result is stored", func() bool {
		ops, err := s.InFlight(w.t.Context(), w.issuer)
		return err == nil && len(ops) == 0 && r.Status().Tickets > 0
	})
	if err := r.stop(); err != nil {
		w.t.Fatal(err)
	}
}

// outlast closes ledgers until whatever a patient lane has signed until now has expired.
func (w *world) outlast() {
	w.t.Helper()
	for range patience + 5 {
		w.close()
	}
}

// Wherever a lane stops dead, the next one finishes what it began: each operation has one credential.
func TestCrash(t *testing.T) {
	const n = 30
	tests := []struct {
		name string
		// crash has a lane begin with ops and stops it dead, and returns what the ledger does meanwhile.
		crash func(t *testing.T, w *world, s *store.Store, mode ledger.Mode)
		// attempts is how many blobs each operation has in the end at most, and at least.
		least, most int
	}{
		{"pending", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {}, 1, 1},
		{"signed and stored, not sent", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashInSign(t, w, s, mode)
		}, 1, 1},
		{"signed and stored, not sent, and expired", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashInSign(t, w, s, mode)
			w.outlast()
		}, 1, 2},
		{"sent", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashSent(t, w, s, mode)
		}, 1, 1},
		{"sent and validated, not heard of", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashSent(t, w, s, mode)
			w.close()
		}, 1, 1},
		{"sent and validated, and out of reach for long", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashSent(t, w, s, mode)
			w.outlast()
		}, 1, 1},
		{"sent and lost", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashSent(t, w, s, mode)
			if err := w.node.Trigger(sandbox.Restart, sandbox.Rule{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the node is back, without its open ledger", func() bool { return w.tryOpen() == 0 })
		}, 1, 1},
		{"sent, lost and expired", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			crashSent(t, w, s, mode)
			if err := w.node.Trigger(sandbox.Restart, sandbox.Rule{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the node is back, without its open ledger", func() bool { return w.tryOpen() == 0 })
			w.outlast()
		}, 2, 2},
		{"validated, not concluded", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			at, reached, release := stopAt()
			r := w.run(s, &hook{Journal: s, beforeConclude: at}, "", patient(mode))
			eventually(t, "all are sent", func() bool { return w.open() == n })
			w.close()
			<-reached
			r.crash(t, release)
		}, 1, 1},
		{"concluded, not heard of", func(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
			at, reached, release := stopAt()
			r := w.run(s, &hook{Journal: s, afterConclude: at}, "", patient(mode))
			eventually(t, "all are sent", func() bool { return w.open() == n })
			w.close()
			<-reached
			r.crash(t, release)
		}, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, db string, mode ledger.Mode) {
				w := newWorld(t, sandbox.Config{Weather: &sandbox.Weather{}}, 10_000)
				cfg := database(t, db)
				s := openStore(t, cfg)
				w.stocked(s, mode)
				ops := w.create(s, n)
				tt.crash(t, w, s, mode)
				// As another process would.
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openStore(t, cfg)
				r := w.run(s, s, "", patient(mode))
				w.keepPace(50*time.Millisecond, r.Lane)
				ops = wantFinal(t, s, ops, 60*time.Second)
				w.wantIssued(ops)
				for _, op := range ops {
					if k := len(op.Attempts); k < tt.least || k > tt.most {
						t.Errorf("operation %s was signed %d times, want %d to %d", op.ID, k, tt.least, tt.most)
					}
				}
			})
		})
	}
}

func crashInSign(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
	t.Helper()
	at, reached, release := stopAt()
	r := w.run(s, &hook{Journal: s, afterSign: at}, "", patient(mode))
	<-reached
	r.crash(t, release)
	if k := w.open(); k != 0 {
		t.Fatalf("%d transactions were sent before the journal had said that they are stored", k)
	}
	ops, err := s.InFlight(t.Context(), w.issuer)
	if err != nil || len(ops) == 0 {
		t.Fatalf("%d operations are stored as signed, %v", len(ops), err)
	}
}

func crashSent(t *testing.T, w *world, s *store.Store, mode ledger.Mode) {
	t.Helper()
	r := w.run(s, s, "", patient(mode))
	eventually(t, "all are sent", func() bool { return w.open() == 30 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// A crash loses and doubles nothing of what fails either: the ledger's word is told in the same way.
func TestCrashThenRefused(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		w.stocked(s, mode)
		op := w.operation()
		op.Subject = "rrrrrrrrrrrrrrrrrrrrBZbvji" // ACCOUNT_ONE: well formed, and on no ledger
		stored, _, err := s.Create(t.Context(), op)
		if err != nil {
			t.Fatal(err)
		}
		crashInSign(t, w, s, mode)
		w.keepClosing(50 * time.Millisecond)
		w.run(s, s, "", patient(mode))
		ended := wantFinal(t, s, []model.Operation{stored}, 30*time.Second)[0]
		if ended.State != model.StateFailed || ended.Failure == nil || ended.Failure.Code != model.CodeNoTarget || ended.Result == nil || len(ended.Attempts) != 1 {
			t.Errorf("got %s, %+v", ended.State, ended.Failure)
		}
	})
}
