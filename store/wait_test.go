package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

type waited struct {
	op  model.Operation
	err error
}

// wait waits in the background, and returns once the operation has been read and is waited for, or is final.
func wait(ctx context.Context, s *Store, id model.OperationID) <-chan waited {
	out := make(chan waited, 1)
	go func() {
		op, err := s.Wait(ctx, id)
		out <- waited{op, err}
	}()
	for signalled := false; len(out) == 0; time.Sleep(time.Millisecond) {
		s.hub.mu.Lock()
		mine := s.hub.waiters[id]
		if !signalled {
			signal(mine)
			signalled = len(mine) > 0
			s.hub.mu.Unlock()
			continue
		}
		taken := true
		for ch := range mine {
			taken = taken && len(ch) == 0
		}
		s.hub.mu.Unlock()
		if taken {
			break
		}
	}
	return out
}

func TestWait(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, a := h.signed(1)
		dropped := h.create(issue())
		one, two, three := wait(h.ctx(), h.Store, op.ID), wait(h.ctx(), h.Store, op.ID), wait(h.ctx(), h.Store, dropped.ID)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		h.ok(h.Cancel(h.ctx(), dropped.ID, model.Failure{}, model.AuditEntry{}))
		for _, ch := range []<-chan waited{one, two} {
			if w := <-ch; w.err != nil || w.op.State != model.StateSucceeded || w.op.Result == nil {
				t.Errorf("waited for %+v, %v", w.op, w.err)
			}
		}
		if w := <-three; w.err != nil || w.op.State != model.StateCancelled {
			t.Errorf("waited for %+v, %v", w.op, w.err)
		}
		if w := <-wait(h.ctx(), h.Store, op.ID); w.err != nil || w.op.State != model.StateSucceeded {
			t.Errorf("one that was final: %+v, %v", w.op, w.err)
		}
		h.hub.mu.Lock()
		defer h.hub.mu.Unlock()
		if n := len(h.hub.waiters); n != 0 {
			t.Errorf("%d waiters are left", n)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, a := h.signed(1)
		ctx, cancel := context.WithCancel(h.ctx())
		ch := wait(ctx, h.Store, op.ID)
		cancel()
		w := <-ch
		if !errors.Is(w.err, context.Canceled) || w.op.State != model.StateSigned || w.op.Pending().Hash != a.Hash {
			t.Errorf("%+v, %v", w.op, w.err)
		}
	})
}

// Who stops waiting is told how things stand then, and not how they stood when the wait began.
func TestWaitTellsHowThingsStand(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.take()
		op := h.create(issue())
		ctx, cancel := context.WithCancel(h.ctx())
		out := make(chan waited, 1)
		go func() {
			op, err := h.Wait(ctx, op.ID)
			out <- waited{op, err}
		}()
		eventually(t, "nobody waits", func() bool { return h.waitersOf(op.ID) == 1 })
		a := attempt(op.ID, 1)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{a}))
		cancel()
		w := <-out
		if !errors.Is(w.err, context.Canceled) || w.op.State != model.StateSigned || w.op.Pending() == nil || w.op.Pending().Hash != a.Hash {
			t.Errorf("%+v, %v", w.op, w.err)
		}
	})
}

// What this process has stored, its end included, is not read again by who waits for it, and is the same as what is stored.
func TestWaitWithoutReading(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.take()
		eventually(t, "it does not listen", h.Listening) // which forgets what was remembered before
		for n, end := range []func(a model.Attempt) model.Outcome{success, func(a model.Attempt) model.Outcome {
			return model.Outcome{Operation: a.Operation, State: model.StateFailed, Result: validated(a.Hash, "tecDUPLICATE")}
		}, func(a model.Attempt) model.Outcome {
			return model.Outcome{Operation: a.Operation, State: model.StateRefused, Failure: &model.Failure{Code: "x", Message: "NUL \x00 and \xff"}}
		}} {
			before, during := h.create(issue()), h.create(issue())
			a, b := attempt(before.ID, uint32(2*n+1)), attempt(during.ID, uint32(2*n+2))
			h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{a, b}))
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{end(a)})) // before anybody waits for it
			if h.remembered(before.ID) || !h.remembered(during.ID) {
				t.Errorf("of the two operations, the one that is over is remembered, or the other one is not")
			}
			out := make(chan waited, 1)
			go func() {
				op, err := h.Wait(h.ctx(), during.ID)
				out <- waited{op, err}
			}()
			eventually(t, "nobody waits", func() bool { return h.waitersOf(during.ID) == 1 })
			if h.remembered(during.ID) {
				t.Error("what is waited for is remembered still")
			}
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{end(b)}))
			w := <-out
			h.ok(w.err)
			stored, err := h.Operation(h.ctx(), during.ID)
			h.ok(err)
			stored.Key, w.op.Key = nil, nil
			if got, want := fmt.Sprintf("%+v %+v %+v", w.op, w.op.Result, w.op.Failure), fmt.Sprintf("%+v %+v %+v", stored, stored.Result, stored.Failure); scrub(got) != scrub(want) {
				t.Errorf("waited for\n%s, stored is\n%s", got, want)
			}
			got, err := h.Wait(h.ctx(), before.ID)
			if err != nil || got.State != stored.State {
				t.Errorf("one that was over: %+v, %v", got, err)
			}
		}
		h.hub.mu.Lock()
		defer h.hub.mu.Unlock()
		if len(h.hub.waiters)+len(h.hub.ends)+len(h.hub.fresh) != 0 {
			t.Errorf("left: %d waiters, %d ends, %d operations", len(h.hub.waiters), len(h.hub.ends), len(h.hub.fresh))
		}
	})
}

// scrub takes addresses in memory out of a print.
func scrub(s string) string { return regexp.MustCompile("0x[0-9a-f]+").ReplaceAllString(s, "") }

func (h *harness) waitersOf(id model.OperationID) int {
	h.hub.mu.Lock()
	defer h.hub.mu.Unlock()
	return len(h.hub.waiters[id])
}

func (h *harness) remembered(id model.OperationID) bool {
	h.hub.mu.Lock()
	defer h.hub.mu.Unlock()
	_, is := h.hub.fresh[id]
	return is
}

// What is remembered is bounded, and forgotten when something may have been said that nobody heard.
func TestRememberedIsBounded(t *testing.T) {
	h := newHub(nil)
	for range maxFresh + 5 {
		h.remember([]*creation{{op: model.Operation{ID: (&ids{}).next(time.Now())}, inserted: true}})
	}
	if len(h.fresh) != maxFresh {
		t.Errorf("%d are remembered, want %d", len(h.fresh), maxFresh)
	}
	h.wakeAll()
	if len(h.fresh) != 0 {
		t.Errorf("%d are remembered after a silence", len(h.fresh))
	}
	c := &creation{op: model.Operation{ID: "one"}, inserted: true}
	h.remember([]*creation{c})
	h.forget([]*creation{c})
	if h.remember([]*creation{{op: model.Operation{ID: "two"}}}); len(h.fresh) != 0 {
		t.Errorf("what is not stored is remembered: %v", h.fresh)
	}
}

// Another process on the same SQLite database is not heard: what was stored a while ago is read by who comes to wait for it.
func TestRememberedForAMoment(t *testing.T) {
	h := newHub(nil)
	h.remember([]*creation{{op: model.Operation{ID: "now"}, inserted: true}, {op: model.Operation{ID: "before"}, inserted: true}})
	old := h.fresh["before"]
	old.at = old.at.Add(-freshFor)
	h.fresh["before"] = old
	for id, want := range map[model.OperationID]bool{"now": true, "before": false} {
		_, fresh, stop := h.await(id)
		stop()
		if (fresh != nil) != want {
			t.Errorf("%s: %v", id, fresh)
		}
	}
}

func TestWaitEndsWithTheStore(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, _ := h.signed(1)
		s := h.open()
		ch := wait(h.ctx(), s, op.ID)
		h.ok(s.Close())
		w := <-ch
		h.code(w.err, model.CodeStoreUnavailable)
		h.ok(s.Close())
		_, err := s.Operation(h.ctx(), op.ID)
		h.code(err, model.CodeStoreUnavailable)
		_, _, err = s.Create(h.ctx(), issue())
		h.code(err, model.CodeStoreUnavailable)
	})
}

// What another process concludes is heard of: through LISTEN/NOTIFY on PostgreSQL, where nothing is polled for here.
func TestWaitForAnotherProcess(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		other := h.open()
		eventually(t, "nobody listens", other.Listening)
		const n = 600 // more than one notification holds
		var outcomes []model.Outcome
		var attempts []model.Attempt
		var chans []<-chan waited
		for i, op := range h.prepare(n) {
			a := attempt(op, uint32(i+1))
			attempts = append(attempts, a)
			outcomes = append(outcomes, success(a))
		}
		h.ok(h.Sign(h.ctx(), h.take(), attempts))
		for i := 0; i < n; i += 50 {
			chans = append(chans, wait(h.ctx(), other, attempts[i].Operation))
		}
		h.ok(h.Conclude(h.ctx(), h.fence, outcomes))
		for _, ch := range chans {
			if w := <-ch; w.err != nil || w.op.State != model.StateSucceeded {
				t.Errorf("%s: %v", w.op.State, w.err)
			}
		}
	}, func(c *Config) {
		if c.Path != "" {
			c.PollInterval = 20 * time.Millisecond
		}
	})
}

func TestWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		other := h.open()
		eventually(t, "nobody listens", func() bool { return other.Listening() && h.Listening() })
		drain := func(ch <-chan struct{}) {
			for len(ch) > 0 {
				<-ch
			}
		}
		own, stopOwn := h.Watch(issuerA)
		theirs, stopTheirs := other.Watch(issuerA)
		elsewhere, stopElsewhere := h.Watch(issuerB)
		defer stopElsewhere()
		drain(own)
		drain(theirs)
		drain(elsewhere)
		h.create(issue())
		<-own
		if h.Driver() == "postgres" {
			<-theirs
		}
		f, err := h.TakeLane(h.ctx(), issuerA, "x", MaxLease)
		h.ok(err)
		h.ok(h.ReleaseLane(h.ctx(), f))
		<-own
		if h.Driver() == "postgres" {
			<-theirs
		}
		if len(elsewhere) != 0 {
			t.Error("another account's watcher was woken")
		}
		stopOwn()
		stopTheirs()
		h.create(issue())
		if len(own) != 0 {
			t.Error("woken after its end")
		}
	})
}

func TestHeardIgnoresNonsense(t *testing.T) {
	h := newHarness(t, drivers[0].config(t))
	ch, stop := h.Watch(issuerA)
	defer stop()
	for _, m := range []string{"", " ", "x", "x f", "x w", h.hub.self + " w " + string(issuerA), "x y " + string(issuerA), strings.Repeat("x ", 5000)} {
		h.hub.heard(m)
	}
	if len(ch) != 0 {
		t.Error("woken by nonsense")
	}
	h.hub.heard("x w " + string(issuerA))
	if len(ch) != 1 {
		t.Error("not woken")
	}
}

// Many callers, many lanes' worth of calls, all at once: every operation ends once, and everybody hears of it.
func TestManyAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		other := h.open()
		stores := []*Store{h.Store, other}
		fence := h.take()
		const callers = 150
		ctx, cancel := context.WithCancel(h.ctx())
		var lane, wg sync.WaitGroup
		lane.Go(func() {
			wake, stop := h.Watch(issuerA)
			defer stop()
			sequence := uint32(1)
			for ctx.Err() == nil {
				ops, err := h.Pending(ctx, issuerA, 100)
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				if len(ops) == 0 {
					select {
					case <-wake:
					case <-ctx.Done():
					}
					continue
				}
				var attempts []model.Attempt
				var outcomes []model.Outcome
				for _, op := range ops {
					a := attempt(op.ID, sequence)
					sequence++
					attempts, outcomes = append(attempts, a), append(outcomes, success(a))
				}
				if err := errors.Join(h.Sign(h.ctx(), fence, attempts), h.Conclude(h.ctx(), fence, outcomes)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for i := range callers {
			wg.Go(func() {
				s := stores[i%2]
				op, _, err := s.Create(ctx, issue())
				if err == nil {
					op, err = s.Wait(ctx, op.ID)
				}
				if err != nil || op.State != model.StateSucceeded {
					t.Errorf("%s: %v", op.State, err)
				}
			})
		}
		wg.Wait()
		cancel()
		lane.Wait()
		var n, sequences int
		h.ok(h.readDB.QueryRow("SELECT count(*), count(DISTINCT sequence) FROM attempts WHERE state = 'validated'").Scan(&n, &sequences))
		if n != callers || sequences != callers {
			t.Errorf("%d validated, %d sequences: %s", n, sequences, fmt.Sprint(callers))
		}
	}, func(c *Config) { c.PollInterval = 50 * time.Millisecond })
}
