package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func crashRenewal(n uint32) model.Operation {
	op := renewal()
	op.Subject = model.AddressOf([20]byte{3, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	op.Key = &model.IdempotencyKey{Key: fmt.Sprint("renewal ", n), RequestHash: [32]byte{byte(n)}}
	return op
}

// crashChanges is what ledger n did: more than one transaction takes.
func crashChanges(n uint32) model.MirrorProgress {
	p := model.MirrorProgress{Complete: n, CloseTime: ledgerTime(n)}
	for i := range uint32(maxChanges + 5) {
		c := credential(model.AddressOf([20]byte{4, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), byte(i >> 8), byte(i)}))
		p.Changes = append(p.Changes, change(model.ChangeCreated, c, n, i))
	}
	return p
}

// crashRenewals does renewals, one after the other, and now and then takes in what a ledger did.
func crashRenewals(ctx context.Context, s *Store, fence model.Fence, n uint32, say func(string, ...any)) error {
	for {
		n++
		if n%8 == 0 {
			complete, _, err := s.Mirror(ctx, issuerA)
			if err != nil {
				return err
			}
			say("applying %d", complete+1)
			if err := s.ApplyChanges(ctx, issuerA, crashChanges(complete+1)); err != nil {
				return err
			}
		}
		say("asking %d", n)
		stored, _, err := s.Create(ctx, crashRenewal(n))
		if err != nil {
			return err
		}
		say("asked %d %s", n, stored.ID)
		if err := finishPending(ctx, s, fence, 2*n, say); err != nil {
			return err
		}
	}
}

// finishPending signs and concludes what is pending, until nothing is.
func finishPending(ctx context.Context, s *Store, fence model.Fence, sequence uint32, say func(string, ...any)) error {
	for {
		pending, err := s.Pending(ctx, issuerA, 1)
		if err != nil || len(pending) == 0 {
			return err
		}
		a := attempt(pending[0].ID, sequence)
		sequence++
		if err := s.Sign(ctx, fence, []model.Attempt{a}); err != nil {
			return err
		}
		say("signed %s", a.Operation)
		if err := s.Conclude(ctx, fence, []model.Outcome{success(a)}); err != nil {
			return err
		}
		say("succeeded %s", a.Operation)
	}
}

// A process that renews is killed at random moments, between any two steps or in the middle of one. Whoever goes on comes to
// the same end: each renewal that was asked for has one deletion and one issue, in this order, and each change was told of once.
func TestRenewalsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for seconds")
	}
	onBoth(t, func(t *testing.T, h *harness) {
		h.clock.now = time.Now() // the clock of the processes that are killed
		h.mirrored(10)
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		const kills = 12
		asking, asked := map[uint32]bool{}, map[uint32]model.OperationID{}
		quiet := func(string, ...any) {}
		halfway := 0
		for round := range uint32(kills) {
			from := (round + 1) * 100_000
			h.killed("renewals", int(from), 1+random.IntN(60), time.Duration(random.IntN(8000))*time.Microsecond, func(words []string) {
				var n uint32
				if len(words) > 1 {
					_, _ = fmt.Sscan(words[1], &n)
				}
				switch words[0] {
				case "asking":
					asking[n] = true
				case "asked":
					asked[n] = model.OperationID(words[2])
				}
			})
			for n, id := range asked {
				op, err := h.Operation(h.ctx(), id)
				h.ok(err)
				if op.Subject != crashRenewal(n).Subject || op.Kind != model.KindIssue || !op.Renew {
					t.Fatalf("seed %d: renewal %d is %+v", seed, n, op)
				}
				if !op.State.Final() {
					halfway++
				}
			}
			// Another process goes on.
			s := h.open()
			holder := "child"
			if s.Driver() == "sqlite" {
				holder = fmt.Sprint("parent", round)
			}
			fence, err := s.TakeLane(h.ctx(), issuerA, holder, MaxLease)
			h.ok(err)
			inFlight, err := s.InFlight(h.ctx(), issuerA)
			h.ok(err)
			for _, op := range inFlight {
				h.ok(s.Conclude(h.ctx(), fence, []model.Outcome{success(op.Attempts[len(op.Attempts)-1])}))
			}
			h.ok(finishPending(h.ctx(), s, fence, from+90_000, quiet))
			complete, _, err := s.Mirror(h.ctx(), issuerA)
			h.ok(err)
			h.ok(s.ApplyChanges(h.ctx(), issuerA, crashChanges(complete+1)))
			h.ok(s.Close())
		}
		for n := range asking {
			// By its key, as the table has it: the process that was killed had another clock.
			var id model.OperationID
			err := h.readDB.QueryRow("SELECT operation FROM idempotency_keys WHERE key = $1", crashRenewal(n).Key.Key).Scan(&id)
			if errors.Is(err, sql.ErrNoRows) && asked[n] == "" {
				continue
			}
			h.ok(err)
			op, err := h.Operation(h.ctx(), id)
			h.ok(err)
			if op.State != model.StateSucceeded || asked[n] != "" && asked[n] != op.ID {
				t.Errorf("seed %d: renewal %d is %s, %s; it was stored as %s", seed, n, op.ID, op.State, asked[n])
			}
			var ops, deletions int
			h.ok(h.readDB.QueryRow("SELECT count(*), count(CASE WHEN kind = 'revoke' AND state = 'succeeded' THEN 1 END) FROM operations WHERE subject = $1",
				string(op.Subject)).Scan(&ops, &deletions))
			if ops != 2 || deletions != 1 {
				t.Errorf("seed %d: renewal %d has %d operations, %d of them deletions", seed, n, ops, deletions)
			}
		}
		if entries, ops := len(h.chain(h.Store)), h.count("operations"); 2*entries != ops {
			t.Errorf("seed %d: %d operations, and %d were asked for", seed, ops, entries)
		}
		complete, _, err := h.Mirror(h.ctx(), issuerA)
		h.ok(err)
		if want := int(complete-10) * (maxChanges + 5); h.count("credentials") != want || h.count("events") != want {
			t.Errorf("seed %d: %d records, %d events, want %d", seed, h.count("credentials"), h.count("events"), want)
		}
		t.Logf("seed %d: %d renewals were asked for, %d were found halfway after a kill, %d ledgers applied", seed, len(asked), halfway, complete-10)
		if halfway == 0 {
			t.Error("no kill ever came between two steps: this test proves nothing")
		}
	})
}
