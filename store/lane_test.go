package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// expire lets a lane's lease run out.
func (h *harness) expire() {
	h.t.Helper()
	_, err := h.writeDB.Exec("UPDATE lanes SET expires = " + h.d.now)
	h.ok(err)
}

// TestLaneCondition: what a process says of itself is stored with each renewal, and ends with its lease.
func TestLaneCondition(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		other := h.open()
		want := func(condition string) {
			t.Helper()
			if st, err := other.Lane(h.ctx(), issuerA); st.Condition != condition || err != nil {
				t.Errorf("%+v, %v, want %q", st, err, condition)
			}
		}
		f, err := h.TakeLane(h.ctx(), issuerA, "a", MaxLease)
		h.ok(err)
		says := "the fee is \x00 above the limit"
		h.ReportCondition(func() string { return says })
		want("")
		h.ok(h.RenewLane(h.ctx(), f, MaxLease))
		want("the fee is \ufffd above the limit")
		says = ""
		h.ok(h.RenewLane(h.ctx(), f, MaxLease))
		want("")
		says = "trouble"
		h.ok(h.RenewLane(h.ctx(), f, MaxLease))
		h.expire()
		second, err := other.TakeLane(h.ctx(), issuerA, "b", MaxLease)
		h.ok(err)
		want("")
		h.code(h.RenewLane(h.ctx(), f, MaxLease), model.CodeFenced)
		want("")
		other.ReportCondition(func() string { return "trouble" })
		h.ok(other.RenewLane(h.ctx(), second, MaxLease))
		want("trouble")
		h.ok(other.ReleaseLane(h.ctx(), second))
		want("")
	})
}

func TestLane(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if st, err := h.Lane(h.ctx(), issuerA); st != (model.LaneStatus{}) || err != nil {
			t.Errorf("before anybody: %+v, %v", st, err)
		}
		h.code(h.Sign(h.ctx(), model.Fence{Issuer: issuerA}, []model.Attempt{attempt(h.create(issue()).ID, 1)}), model.CodeFenced)

		a, b := h.Store, h.open()
		first, err := a.TakeLane(h.ctx(), issuerA, "a", MaxLease)
		h.ok(err)
		_, err = b.TakeLane(h.ctx(), issuerA, "b", MaxLease)
		h.code(err, model.CodeLaneHeld)
		var held *model.LaneHeldError
		if !errors.As(err, &held) || held.Holder != "a" || held.Epoch != first.Epoch || held.Left < MaxLease-10*time.Second || held.Left > MaxLease {
			t.Errorf("held: %v", err)
		}
		other, err := b.TakeLane(h.ctx(), issuerB, "b", MaxLease) // each account has its own
		h.ok(err)
		h.ok(b.ReleaseLane(h.ctx(), other))
		h.ok(a.RenewLane(h.ctx(), first, MaxLease))
		if st, err := b.Lane(h.ctx(), issuerA); st.Holder != "a" || st.Left > MaxLease || err != nil {
			t.Errorf("%+v, %v", st, err)
		}

		// Its lease runs out. Nobody else has taken it, so that it can still renew.
		h.expire()
		h.ok(a.RenewLane(h.ctx(), first, MaxLease))
		op := h.create(issue())
		x := attempt(op.ID, 1)
		h.ok(a.Sign(h.ctx(), first, []model.Attempt{x}))

		h.expire()
		second, err := b.TakeLane(h.ctx(), issuerA, "b", MaxLease)
		h.ok(err)
		if second.Epoch <= first.Epoch {
			t.Errorf("epochs %d, then %d", first.Epoch, second.Epoch)
		}
		h.code(a.RenewLane(h.ctx(), first, MaxLease), model.CodeFenced)
		h.code(a.Sign(h.ctx(), first, []model.Attempt{attempt(h.create(issue()).ID, 2)}), model.CodeFenced)
		h.code(a.Conclude(h.ctx(), first, []model.Outcome{success(x)}), model.CodeFenced)
		h.state(op.ID, model.StateSigned)
		h.ok(a.ReleaseLane(h.ctx(), first)) // does nothing
		h.ok(b.Conclude(h.ctx(), second, []model.Outcome{success(x)}))
		h.state(op.ID, model.StateSucceeded)

		// Given back, it is free at once, and of no use any more to whoever had it.
		h.ok(b.ReleaseLane(h.ctx(), second))
		h.code(b.RenewLane(h.ctx(), second, MaxLease), model.CodeFenced)
		h.code(b.Sign(h.ctx(), second, []model.Attempt{attempt(h.create(issue()).ID, 2)}), model.CodeFenced)
		third, err := a.TakeLane(h.ctx(), issuerA, "a", MaxLease)
		h.ok(err)
		// The same process takes it anew, as it may not know that it has it.
		fourth, err := a.TakeLane(h.ctx(), issuerA, "a", MaxLease)
		h.ok(err)
		h.code(a.RenewLane(h.ctx(), third, MaxLease), model.CodeFenced)
		h.ok(a.RenewLane(h.ctx(), fourth, MaxLease))
	})
}

// While one signs as fast as it can the lane is taken away: what it signed before is there to be read, and it signs
// nothing after.
func TestFence(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		fence, b := h.take(), h.open()
		rounds := 20
		if h.Driver() == "sqlite" {
			rounds = 3 // SQLite lets a second process wait long while the first one never rests
		}
		sequence := uint32(1)
		for range rounds {
			var wg sync.WaitGroup
			begun := make(chan struct{})
			var acknowledged int
			wg.Go(func() {
				for i := 0; ; i++ {
					if i == 3 {
						close(begun)
					}
					err := h.Sign(context.Background(), fence, []model.Attempt{attempt(h.createQuietly(issue()), sequence)})
					if model.CodeOf(err) == model.CodeFenced {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					sequence++
					acknowledged++
				}
			})
			<-begun
			h.expire()
			var taken model.Fence
			eventually(t, "the lane is not to be had", func() (ok bool) {
				var err error
				taken, err = b.TakeLane(h.ctx(), issuerA, "b", MaxLease)
				return err == nil
			})
			seen, err := b.InFlight(h.ctx(), issuerA)
			h.ok(err)
			wg.Wait()
			if len(seen) != acknowledged {
				t.Fatalf("%d were seen when the lane was taken, and %d are signed", len(seen), acknowledged)
			}
			var outcomes []model.Outcome
			for _, op := range seen {
				outcomes = append(outcomes, success(op.Attempts[0]))
			}
			h.ok(b.Conclude(h.ctx(), taken, outcomes))
			h.ok(b.ReleaseLane(h.ctx(), taken))
			fence, err = h.TakeLane(h.ctx(), issuerA, "harness", MaxLease)
			h.ok(err)
		}
	})
}

// holding is a process that holds the lane whenever it can.
type holding struct {
	fences chan model.Fence // each that its work got
	lost   chan error       // why its work's context ended
	end    context.CancelFunc
	done   chan error
}

func hold(s *Store, name string, lease time.Duration) *holding {
	ctx, cancel := context.WithCancel(context.Background())
	h := &holding{fences: make(chan model.Fence, 100), lost: make(chan error, 100), end: cancel, done: make(chan error, 1)}
	go func() {
		h.done <- s.HoldLane(ctx, issuerA, name, lease, func(ctx context.Context, f model.Fence) error {
			h.fences <- f
			<-ctx.Done()
			h.lost <- context.Cause(ctx)
			return errors.New("work ended")
		})
	}()
	return h
}

func TestHoldLane(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b := h.open()
		eventually(t, "nobody listens", func() bool { return b.Listening() && h.Listening() })
		const lease = 2 * time.Second
		one := hold(h.Store, "one", lease)
		f := <-one.fences
		two := hold(b, "two", lease)

		// It ends, and the next one takes over.
		one.end()
		if err := <-one.done; err == nil || err.Error() != "work ended" {
			t.Errorf("it returned %v, want its work's error", err)
		}
		g := <-two.fences
		if g.Epoch <= f.Epoch {
			t.Errorf("epoch %d after %d", g.Epoch, f.Epoch)
		}

		// It loses the lane to another, notices, and waits for it again.
		<-two.lostTo(h)
		if err := <-two.lost; model.CodeOf(err) != model.CodeFenced {
			t.Errorf("lost for %v", err)
		}
		h.ok(h.ReleaseLane(h.ctx(), h.fence))
		<-two.fences
		two.end()
		<-two.done
		if st, err := h.Lane(h.ctx(), issuerA); st.Holder != "" || err != nil {
			t.Errorf("it was not given back: %+v, %v", st, err)
		}

		// Work that ends by itself gives it back too; and one that only waits ends in peace.
		blocker, err := h.TakeLane(h.ctx(), issuerA, "blocker", MaxLease)
		h.ok(err)
		ctx, cancel := context.WithCancel(h.ctx())
		waiting := make(chan error, 1)
		go func() { waiting <- b.HoldLane(ctx, issuerA, "x", lease, nil) }()
		cancel()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		h.ok(h.ReleaseLane(h.ctx(), blocker))
		failure := errors.New("by itself")
		err = b.HoldLane(h.ctx(), issuerA, "x", lease, func(context.Context, model.Fence) error { return failure })
		if !errors.Is(err, failure) {
			t.Error(err)
		}
		if st, err := h.Lane(h.ctx(), issuerA); st.Holder != "" || err != nil {
			t.Errorf("it was not given back: %+v, %v", st, err)
		}
	}, func(c *Config) {
		if c.Path != "" {
			c.PollInterval = 20 * time.Millisecond
		}
	})
}

// A holder that was stopped for longer than its lease, and comes to itself, does not take the lane back from whoever has it by
// the lease, though nobody else has the lock on the file yet.
func TestHoldLaneAfterALongStop(t *testing.T) {
	const lease = 300 * time.Millisecond
	take := func(h *harness, b *Store) (f model.Fence) {
		eventually(h.t, "the lane is not to be had", func() bool {
			h.expire()
			var err error
			f, err = b.TakeLane(h.ctx(), issuerA, "b", MaxLease)
			return err == nil
		})
		return f
	}
	for _, tt := range []struct {
		name  string
		lease time.Duration
		// lose has b take the lane from the one that holds it, which has lost it when it hears from heard, or tells by lost.
		lose func(h *harness, b *Store, heard chan<- error, lost <-chan error) model.Fence
	}{
		{"its work hears of it", MaxLease, func(h *harness, b *Store, heard chan<- error, _ <-chan error) model.Fence {
			f := take(h, b)
			heard <- h.Sign(h.ctx(), model.Fence{Issuer: issuerA, Epoch: f.Epoch - 1}, []model.Attempt{attempt(h.createQuietly(issue()), 1)})
			return f
		}},
		{"its renewal hears of it", lease, func(h *harness, b *Store, _ chan<- error, lost <-chan error) model.Fence {
			f := take(h, b)
			h.code(<-lost, model.CodeFenced)
			return f
		}},
		{"its lease has run out", lease, func(h *harness, b *Store, _ chan<- error, lost <-chan error) model.Fence {
			tx, err := b.writeDB.BeginTx(h.ctx(), nil) // it cannot be renewed
			h.ok(err)
			err = <-lost
			h.equal(errors.Is(err, errLeaseRanOut), true)
			f := model.Fence{Issuer: issuerA}
			h.ok(tx.QueryRowContext(h.ctx(), "UPDATE lanes SET holder = 'b', epoch = epoch + 1, expires = "+h.d.now+" + 60000000 RETURNING epoch").Scan(&f.Epoch))
			h.ok(tx.Commit())
			return f
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, Config{Path: filepath.Join(t.TempDir(), "journal.db"), PollInterval: 20 * time.Millisecond})
			b := h.open()
			ctx, cancel := context.WithCancel(h.ctx())
			fences, heard, lost, done := make(chan model.Fence, 10), make(chan error), make(chan error, 10), make(chan error, 1)
			go func() {
				done <- h.HoldLane(ctx, issuerA, "a", tt.lease, func(ctx context.Context, f model.Fence) error {
					fences <- f
					select {
					case err := <-heard:
						return err
					case <-ctx.Done():
						lost <- context.Cause(ctx)
						return nil
					}
				})
			}()
			first := <-fences
			f := tt.lose(h, b, heard, lost)
			if f.Epoch <= first.Epoch {
				t.Fatalf("epoch %d after %d", f.Epoch, first.Epoch)
			}
			time.Sleep(lease / 3) // until it is renewed for the first time
			for range 5 {
				h.ok(b.RenewLane(h.ctx(), f, MaxLease))
				h.create(issue()) // which wakes who waits for the lane
				time.Sleep(lease / 3)
			}
			if len(fences) > 0 {
				t.Error("it took the lane from a holder whose lease runs")
			}
			h.ok(b.ReleaseLane(h.ctx(), f))
			if again := <-fences; again.Epoch <= f.Epoch {
				t.Errorf("epoch %d after %d", again.Epoch, f.Epoch)
			}
			cancel()
			h.ok(<-done)
		})
	}
}

// A database whose clock goes back, as where a standby takes over whose clock is behind, does not leave an account without a
// lane: no lease runs for longer than the longest.
func TestLaneWhenTheClockGoesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b := h.open()
		first, err := h.TakeLane(h.ctx(), issuerA, "a", MaxLease)
		h.ok(err)
		back := func(by string) {
			_, err := h.writeDB.Exec("UPDATE lanes SET expires = expires + " + by)
			h.ok(err)
		}
		back("0")
		_, err = b.TakeLane(h.ctx(), issuerA, "b", time.Second)
		h.code(err, model.CodeLaneHeld)
		back("3600000000") // by an hour
		second, err := b.TakeLane(h.ctx(), issuerA, "b", time.Second)
		h.ok(err)
		if second.Epoch <= first.Epoch {
			t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
		}
		h.code(h.RenewLane(h.ctx(), first, MaxLease), model.CodeFenced)
		// Whoever holds it goes on: each renewal is by the clock as it is.
		back("3600000000")
		h.ok(b.RenewLane(h.ctx(), second, time.Second))
		if st, err := b.Lane(h.ctx(), issuerA); err != nil || st.Left > time.Second {
			t.Errorf("%+v, %v", st, err)
		}
		// No lease can be mistaken for one of another clock.
		_, err = b.TakeLane(h.ctx(), issuerA, "b", MaxLease+1)
		h.code(err, model.CodeInternal)
		h.code(b.RenewLane(h.ctx(), second, MaxLease+1), model.CodeInternal)
	})
}

// lostTo has the harness take the lane away from who holds it.
func (*holding) lostTo(h *harness) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		eventually(h.t, "the lane is not to be had", func() bool {
			h.expire()
			f, err := h.TakeLane(h.ctx(), issuerA, "thief", MaxLease)
			h.fence = f
			return err == nil
		})
	}()
	return done
}

// Whoever holds the lane renews its lease also while something is being stored under it, for however long: a lease that could
// not be renewed because of the work that it is for would run out under load. A taking, and a giving back, wait for that work.
func TestLeaseIsRenewedDuringWork(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if h.Driver() == "sqlite" {
			return // one transaction at a time, for everybody
		}
		f, other := h.take(), h.open()
		under := func(while func()) {
			h.ok(h.write(h.ctx(), "working", func(t *txn) error {
				err := h.checkFence(t, f)
				if err == nil {
					while()
				}
				return err
			}))
		}
		under(func() {
			ctx, cancel := context.WithTimeout(h.ctx(), 2*time.Second)
			defer cancel()
			if err := other.RenewLane(ctx, f, MaxLease); err != nil {
				t.Errorf("the lease is not renewed while work goes on: %v", err)
			}
		})
		for what, end := range map[string]func(ctx context.Context) error{
			"taken": func(ctx context.Context) error {
				_, err := other.TakeLane(ctx, issuerA, "harness", MaxLease)
				return err
			},
			"given back": func(ctx context.Context) error { return other.ReleaseLane(ctx, f) },
		} {
			var ended chan error
			under(func() {
				_ = other.RenewLane(h.ctx(), f, MaxLease) // a row that was changed meanwhile is held all the same
				ended = make(chan error, 1)
				go func() { ended <- end(h.ctx()) }()
				select {
				case err := <-ended:
					t.Errorf("the lane is %s while work goes on (%v)", what, err)
					ended <- err
				case <-time.After(200 * time.Millisecond):
				}
			})
			h.ok(<-ended)
			h.code(h.Sign(h.ctx(), f, []model.Attempt{attempt(h.create(issue()).ID, 1)}), model.CodeFenced)
			h.fence = model.Fence{}
			f = h.take()
		}
	})
}
