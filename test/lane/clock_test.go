package lane

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// jumpingClock is the machine's clock, set wrong by as much as a test wants. What it waits for comes when it should: the
// clock that waits go by does not jump.
type jumpingClock struct {
	ledger.SystemClock
	wrong atomic.Int64
}

func (c *jumpingClock) Now() time.Time {
	// Without its monotonic part, so that differences jump too: harder than what a machine does.
	return time.Now().Round(0).Add(time.Duration(c.wrong.Load()))
}

func (c *jumpingClock) set(wrong time.Duration) { c.wrong.Store(int64(wrong)) }

// A clock that jumps, forwards and backwards, while work is under way, neither doubles nor loses anything. While it is so
// far ahead that the node seems to be behind, nothing new is signed; when it is right again, work goes on by itself.
func TestClockJumps(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		clock := &jumpingClock{}
		w := newWorld(t, sandbox.Config{}, 10_000)
		cfg := database(t, db)
		cfg.Clock = clock
		s := openStore(t, cfg)
		client, err := ledger.New(ledger.Config{URL: w.node.WebSocketURL(), Clock: clock, MaxLedgerAge: 10 * time.Minute, Logger: logger()})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		seed, err := ledger.ParseSeed(w.seed)
		if err != nil {
			t.Fatal(err)
		}
		lane, err := ledger.NewLane(client, ledger.LaneConfig{Account: w.issuer, Seed: seed, LedgerOffset: 25, Signings: 20, Journal: s, Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		w.keepClosing(50 * time.Millisecond)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.HoldLane(ctx, w.issuer, rand.Text(), 2*time.Second, lane.Work) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()

		keyed := w.operation()
		keyed.Key = &model.IdempotencyKey{Key: "once"}
		first, replayed, err := s.Create(t.Context(), keyed)
		if err != nil || replayed {
			t.Fatal(replayed, err)
		}
		all := append(w.create(s, 40), first)
		for _, wrong := range []time.Duration{-time.Hour, 5 * time.Minute, -30 * 24 * time.Hour, 0, 9 * time.Minute, -time.Second} {
			clock.set(wrong)
			all = append(all, w.create(s, 20)...)
			again, replayed, err := s.Create(t.Context(), keyed)
			if err != nil || !replayed || again.ID != first.ID {
				t.Errorf("with a clock that is wrong by %s, a repeated key is answered with %s (%t), %v; want %s", wrong, again.ID, replayed, err, first.ID)
			}
		}
		wantFinal(t, s, all, 60*time.Second)

		clock.set(24 * time.Hour)
		if _, err := client.Ledger(t.Context()); model.CodeOf(err) != model.CodeLedgerUnavailable {
			t.Errorf("with a clock a day ahead, the ledger is said to be usable: %v", err)
		}
		late := w.create(s, 20)
		for range 5 { // the ledger itself goes on
			w.close()
		}
		for _, op := range late {
			if op, err := s.Operation(t.Context(), op.ID); err != nil || op.State != model.StatePending {
				t.Errorf("operation %s is %s while the node seems to be a day behind (%v)", op.ID, op.State, err)
			}
		}
		clock.set(0)
		all = append(all, late...)
		w.wantIssued(wantFinal(t, s, all, 60*time.Second))
	})
}
