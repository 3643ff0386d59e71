package lane

import (
	"context"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// A lane whose fence is gone sends nothing more, not even what it had signed a moment before, and says so at once.
func TestFencedLaneSendsNothing(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		w.stocked(s, mode)
		fence, err := s.TakeLane(t.Context(), w.issuer, "one", store.MaxLease)
		if err != nil {
			t.Fatal(err)
		}
		lane, client := w.lane(s, "", withMode(mode))
		defer client.Close()
		done := make(chan error, 1)
		go func() { done <- lane.Work(t.Context(), fence) }()
		eventually(t, "the lane is up", func() bool { return lane.Status().Up })
		first := w.create(s, 5)
		eventually(t, "they are sent", func() bool { return w.open() == 5 })
		// The same name: as a process that was started again, and which the one before does not know of.
		second, err := s.TakeLane(t.Context(), w.issuer, "one", store.MaxLease)
		if err != nil {
			t.Fatal(err)
		}
		more := w.create(s, 20)
		if err := <-done; model.CodeOf(err) != model.CodeFenced {
			t.Fatalf("it ended with %v", err)
		}
		if n := w.open(); n != 5 {
			t.Errorf("%d transactions were sent, and 5 before the lane was lost", n)
		}
		// Whoever has it now goes on with both.
		other, client2 := w.lane(s, "", withMode(mode))
		defer client2.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- other.Work(ctx, second) }()
		w.keepClosing(50 * time.Millisecond)
		w.wantIssued(wantFinal(t, s, append(first, more...), 30*time.Second))
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A lane that is told to end while its journal is being written sends nothing of it.
func TestEndedLaneSendsNothing(t *testing.T) {
	w := newWorld(t, sandbox.Config{}, 10_000)
	s := openStore(t, database(t, "sqlite"))
	var r *runner
	ready := make(chan struct{})
	j := &hook{Journal: s, afterSign: func(int) error { <-ready; r.cancel(); return nil }}
	r = w.run(s, j, "", nil)
	close(ready)
	ops := w.create(s, 10)
	eventually(t, "something is signed", func() bool {
		in, err := s.InFlight(t.Context(), w.issuer)
		return err == nil && len(in) > 0
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if n := w.open(); n != 0 {
		t.Errorf("%d transactions were sent by a lane that had been told to end", n)
	}
	w.keepClosing(50 * time.Millisecond)
	w.run(s, s, "", nil)
	w.wantIssued(wantFinal(t, s, ops, 30*time.Second))
}

// Of several instances one has the lane. When it goes another goes on within seconds, also when it goes without a word;
// what it did in between is neither lost nor doubled.
func TestTakeover(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			cfg := database(t, "postgres")
			w.keepClosing(100 * time.Millisecond)
			type instance struct {
				s *store.Store
				r *runner
			}
			instances := make([]*instance, 3)
			start := func(i int) {
				in := &instance{s: openStore(t, cfg)}
				in.r = w.run(in.s, in.s, "", withMode(mode))
				instances[i] = in
			}
			for i := range instances {
				start(i)
			}
			front := openStore(t, cfg) // another instance, that never gets the lane
			working := func() (which []int) {
				for i, in := range instances {
					if in.r.Stats().Working {
						which = append(which, i)
					}
				}
				return which
			}
			var ops []model.Operation
			var left, cut []time.Duration
			for round := range 4 {
				eventually(t, "one of them has the lane", func() bool { return len(working()) == 1 })
				i := working()[0]
				ops = append(ops, w.create(front, 20)...)
				holder := instances[i]
				began := time.Now()
				took := &left
				if round%2 == 0 {
					if err := holder.r.stop(); err != nil {
						t.Fatal(err)
					}
				} else { // it lives, and has what it has in flight, but not the database
					took = &cut
					if err := holder.s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				more := w.create(front, 5) // while nobody has it
				wantFinal(t, front, more, 30*time.Second)
				*took = append(*took, time.Since(began))
				ops = append(ops, more...)
				_ = holder.r.stop()
				start(i)
			}
			t.Logf("until there are results again, on ledgers of 100 ms: after a stop %v, cut off with a lease of 2 s %v", left, cut)
			w.wantIssued(wantFinal(t, front, ops, 60*time.Second))
		})
	}
}

// A lane that was lost is waited for and taken again.
func TestLostLaneIsTakenAgain(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			s := openStore(t, database(t, db))
			lane, client := w.lane(s, "", nil)
			defer client.Close()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.HoldLane(ctx, w.issuer, "one", 2*time.Second, lane.Work) }()
			eventually(t, "the lane is up", func() bool { return lane.Status().Up })
			w.keepClosing(50 * time.Millisecond)
			var ops []model.Operation
			for range 3 {
				if _, err := s.TakeLane(t.Context(), w.issuer, "one", 300*time.Millisecond); err != nil {
					t.Fatal(err)
				}
				ops = append(ops, w.create(s, 10)...)
				wantFinal(t, s, ops, 20*time.Second)
			}
			w.wantIssued(wantFinal(t, s, ops, 20*time.Second))
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A node that is asked, and tells nothing by itself, does as well.
func TestOverHTTP(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			s := openStore(t, database(t, "sqlite"))
			w.stocked(s, mode)
			ops := w.create(s, 20)
			crashInSign(t, w, s, mode)
			w.keepClosing(100 * time.Millisecond)
			w.run(s, s, w.node.URL(), withMode(mode))
			ops = append(ops, w.create(s, 50)...)
			w.wantIssued(wantFinal(t, s, ops, 60*time.Second))
		})
	}
}
