package store

import (
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func (h *harness) nonce(s string) *model.SpentNonce {
	return &model.SpentNonce{Nonce: s, Expires: h.clock.Now().Add(5 * time.Minute)}
}

func (h *harness) count(table string) int {
	h.t.Helper()
	var n int
	h.ok(h.readDB.QueryRow("SELECT count(*) FROM " + table).Scan(&n))
	return n
}

func TestNonceWorksOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := issue()
		op.Nonce, op.Key = h.nonce("n1"), &model.IdempotencyKey{Key: "k"}
		first := h.create(op)
		again, replayed, err := h.Create(h.ctx(), op) // the same request is no second use
		h.ok(err)
		if !replayed || again.ID != first.ID {
			t.Errorf("%+v, %t", again, replayed)
		}
		other := issue()
		other.Nonce, other.Key = h.nonce("n1"), &model.IdempotencyKey{Key: "k2"}
		_, _, err = h.Create(h.ctx(), other)
		h.code(err, model.CodeProofRefused)
		// Nothing of it was stored: neither the operation nor its key.
		other.Nonce = h.nonce("n2")
		stored := h.create(other)

		// One that is refused for another reason does not use it up.
		standing := issue()
		standing.Subject, standing.Nonce = stored.Subject, h.nonce("n3")
		_, _, err = h.Create(h.ctx(), standing)
		h.code(err, model.CodeInProgress)
		third := issue()
		third.Nonce = h.nonce("n3")
		h.create(third)

		late := issue()
		late.Nonce = &model.SpentNonce{Nonce: "n4", Expires: h.clock.Now()}
		_, _, err = h.Create(h.ctx(), late)
		h.code(err, model.CodeProofRefused)

		// It is kept for longer than any clock that is right within an hour could take it.
		h.clock.advance(5*time.Minute + nonceMargin)
		if n, err := h.SweepNonces(h.ctx()); n != 0 || err != nil {
			t.Errorf("%d went early, %v", n, err)
		}
		h.clock.advance(time.Microsecond)
		if n, err := h.SweepNonces(h.ctx()); n != 3 || err != nil {
			t.Errorf("%d went, %v", n, err)
		}
		if h.count("operations") != 3 || h.count("idempotency_keys") != 2 || h.count("spent_nonces") != 0 || len(h.chain(h.Store)) != 3 {
			t.Error("something else is stored than was taken")
		}
	})
}

// Many answers to one challenge at the same moment, in two processes: one is taken.
func TestNonceAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		var mu sync.Mutex
		taken := map[string]int{}
		var wg sync.WaitGroup
		for i := range 60 {
			nonce := []string{"a", "b", "c"}[i%3]
			op := issue()
			op.Nonce = h.nonce(nonce)
			wg.Go(func() {
				_, _, err := stores[i/3%2].Create(h.ctx(), op)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					taken[nonce]++
				case model.CodeOf(err) != model.CodeProofRefused:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if taken["a"] != 1 || taken["b"] != 1 || taken["c"] != 1 || h.count("operations") != 3 || h.count("spent_nonces") != 3 {
			t.Errorf("taken %v", taken)
		}
	})
}

// The confirmation of a commit is lost and the transaction is run again: what it finds is its own.
func TestNonceOfItsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := issue()
		op.ID, op.Nonce, op.Key = h.ids.next(h.now()), h.nonce("n"), &model.IdempotencyKey{Key: "k"}
		for range 2 {
			stored, _, err := h.Create(h.ctx(), op)
			h.ok(err)
			if stored.ID != op.ID {
				t.Errorf("%+v", stored)
			}
			h.clock.advance(10 * time.Minute) // past its time, and its own all the same
		}
		if n := len(h.chain(h.Store)); n != 1 {
			t.Errorf("%d entries of it", n)
		}
	})
}
