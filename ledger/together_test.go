package ledger

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Those who come while a question is under way share the next one, and no answer is older than the wish for it.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTogether[time.Time]()
		var asked atomic.Int64
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				came := time.Now()
				at, err := g.do(t.Context(), func(context.Context) (time.Time, error) {
					asked.Add(1)
					at := time.Now()
					time.Sleep(100 * time.Millisecond)
					return at, nil
				})
				if err != nil || at.Before(came) {
					t.Errorf("who came at %v is told of %v (%v)", came, at, err)
				}
				if waited := time.Since(came); waited > 200*time.Millisecond {
					t.Errorf("it took %v", waited)
				}
			})
		}
		all.Wait()
		if n := asked.Load(); n > 5 {
			t.Errorf("it was asked %d times", n)
		}
	})
}

// Who asks for all and goes away takes nobody along; an error that is the node's is everybody's.
func TestTogetherWhoAsksGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTogether[int]()
		slow := func(ctx context.Context) (int, error) {
			select {
			case <-time.After(time.Second):
				return 7, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		var all sync.WaitGroup
		for range 3 { // one asks, two share the next question, and one of these asks it
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			all.Go(func() { _, _ = g.do(ctx, slow) })
		}
		synctest.Wait()
		for range 5 {
			all.Go(func() {
				if n, err := g.do(t.Context(), slow); n != 7 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			})
		}
		all.Wait()
		fault := errors.New("fault")
		if _, err := g.do(t.Context(), func(context.Context) (int, error) { return 0, fault }); !errors.Is(err, fault) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() { _, _ = g.do(t.Context(), slow) })
		synctest.Wait()
		all.Go(func() {
			if _, err := g.do(ctx, slow); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
	})
}
