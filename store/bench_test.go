package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// Each figure is "operations a second". What they stand beside is BenchmarkFlush: how often this machine's disk can
// confirm a write at all, which every commit waits for.

func onBothB(b *testing.B, f func(b *testing.B, h *harness)) {
	for _, d := range drivers {
		b.Run(d.name, func(b *testing.B) { f(b, newHarness(b, d.config(b))) })
	}
}

func perSecond(b *testing.B, n int) {
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(0, "ns/op")
}

// body is as long as a node's answer for a CredentialCreate.
var body = []byte(`{"meta":{"AffectedNodes":"` + strings.Repeat("0123456789abcdef", 130) + `"},"validated":true}`)

func attemptsFor(ids []model.OperationID, sequence *uint32) ([]model.Attempt, []model.Outcome) {
	attempts, outcomes := make([]model.Attempt, len(ids)), make([]model.Outcome, len(ids))
	for i, id := range ids {
		*sequence++
		attempts[i] = attempt(id, *sequence)
		outcomes[i] = success(attempts[i])
		outcomes[i].Result.Body = body
	}
	return attempts, outcomes
}

func benchmarkSign(b *testing.B, n int) {
	onBothB(b, func(b *testing.B, h *harness) {
		ids, fence, sequence := h.prepare(n*b.N), h.take(), uint32(0)
		attempts, _ := attemptsFor(ids, &sequence)
		b.ResetTimer()
		for i := range b.N {
			h.ok(h.Sign(context.Background(), fence, attempts[i*n:(i+1)*n]))
		}
		perSecond(b, n)
	})
}

func BenchmarkSign1(b *testing.B)    { benchmarkSign(b, 1) }
func BenchmarkSign100(b *testing.B)  { benchmarkSign(b, 100) }
func BenchmarkSign1000(b *testing.B) { benchmarkSign(b, 1000) }

func BenchmarkConclude100(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		const n = 100
		ids, fence, sequence := h.prepare(n*b.N), h.take(), uint32(0)
		attempts, outcomes := attemptsFor(ids, &sequence)
		for i := range b.N {
			h.ok(h.Sign(context.Background(), fence, attempts[i*n:(i+1)*n]))
		}
		b.ResetTimer()
		for i := range b.N {
			h.ok(h.Conclude(context.Background(), fence, outcomes[i*n:(i+1)*n]))
		}
		perSecond(b, n)
	})
}

// BenchmarkJournal takes 1,000 operations through all of it: stored (200 callers at once, each waiting for its own to
// be final), looked up, signed by up to 100, concluded by up to 100.
func BenchmarkJournal(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		const n, callers = 1000, 200
		fence, sequence := h.take(), uint32(0)
		wake, stop := h.Watch(issuerA)
		defer stop()
		ctx, cancel := context.WithCancel(context.Background())
		var lane sync.WaitGroup
		lane.Go(func() {
			for {
				ops, err := h.Pending(ctx, issuerA, 100)
				switch {
				case ctx.Err() != nil:
					return
				case err != nil:
					b.Error(err)
					return
				case len(ops) == 0:
					select {
					case <-wake:
					case <-ctx.Done():
						return
					}
					continue
				}
				ids := make([]model.OperationID, len(ops))
				for i, op := range ops {
					ids[i] = op.ID
				}
				attempts, outcomes := attemptsFor(ids, &sequence)
				if err := h.Sign(context.Background(), fence, attempts); err != nil {
					b.Error(err)
					return
				}
				if err := h.Conclude(context.Background(), fence, outcomes); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ResetTimer()
		for range b.N {
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for range n / callers {
						op, _, err := h.Create(ctx, issue())
						if err == nil {
							op, err = h.Wait(ctx, op.ID)
						}
						if err != nil || op.State != model.StateSucceeded {
							b.Error(op.State, err)
						}
					}
				})
			}
			wg.Wait()
		}
		perSecond(b, n)
		b.StopTimer()
		cancel()
		lane.Wait()
	})
}

func BenchmarkCreateAlone(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		b.ResetTimer()
		for range b.N {
			h.createQuietly(issue())
		}
		perSecond(b, 1)
	})
}

func BenchmarkCreate200AtOnce(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		b.ResetTimer()
		for range b.N {
			var wg sync.WaitGroup
			for range 200 {
				wg.Go(func() {
					if _, _, err := h.Create(context.Background(), issue()); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
		}
		perSecond(b, 200)
	})
}

func BenchmarkAddRows1000(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		batch, _, err := h.CreateBatch(context.Background(), model.Batch{Issuer: issuerA})
		h.ok(err)
		b.ResetTimer()
		for i := range b.N {
			if _, err := h.AddRows(context.Background(), batch.ID, rowsFrom(int64(1000*i+1), 1000)); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, 1000)
	})
}

// BenchmarkBatchStatus counts a batch of 10,000 rows.
func BenchmarkBatchStatus(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		ids := h.prepare(10_000)
		first, err := h.Operation(context.Background(), ids[0])
		h.ok(err)
		b.ResetTimer()
		for range b.N {
			st, err := h.Batch(context.Background(), first.Batch)
			if err != nil || st.Open() != 10_000 {
				b.Fatal(st, err)
			}
		}
	})
}

// BenchmarkFlush writes 4 KiB and waits until they are on the disk.
func BenchmarkFlush(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "flush"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	page := make([]byte, 4096)
	b.ResetTimer()
	for range b.N {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flushes/s")
}

// Changes to credentials that a ledger told of, each an event, as an account's own operations made them.
func BenchmarkApplyChanges1000(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		const n = 1000
		ids, fence, sequence := h.prepare(n*b.N), h.take(), uint32(0)
		h.ok(h.BeginListing(context.Background(), issuerA))
		h.ok(second(h.FinishListing(context.Background(), issuerA, 10, ledgerTime(10))))
		progress := make([]model.MirrorProgress, b.N)
		for i := range progress {
			attempts, _ := attemptsFor(ids[i*n:(i+1)*n], &sequence)
			h.ok(h.Sign(context.Background(), fence, attempts))
			ledger := uint32(11 + i)
			progress[i] = model.MirrorProgress{Complete: ledger, CloseTime: ledgerTime(ledger)}
			for j, a := range attempts {
				c := change(model.ChangeCreated, credential(subject()), ledger, uint32(j))
				c.Hash = a.Hash
				progress[i].Changes = append(progress[i].Changes, c)
			}
		}
		b.ResetTimer()
		for _, p := range progress {
			h.ok(h.ApplyChanges(context.Background(), issuerA, p))
		}
		perSecond(b, n)
	})
}

// BenchmarkMirrorStatus asks how many records there are of a million.
func BenchmarkMirrorStatus(b *testing.B) {
	onBothB(b, func(b *testing.B, h *harness) {
		h.ok(h.BeginListing(context.Background(), issuerA))
		h.ok(second(h.FinishListing(context.Background(), issuerA, 10, ledgerTime(10))))
		const fill = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 50000)" +
			" INSERT INTO credentials (issuer, subject, type, expiration, accepted, entry, issued, ledger, place, seen, deleted, told)" +
			" SELECT $1, $2, CAST(10000000 + n AS TEXT), n % 2000 + 1, n % 2, $3, 1, 1, 1, 1, 0, CASE WHEN n % 2000 < 1000 THEN 1 ELSE 0 END FROM r"
		for range 20 { // the database ends what takes long
			_, err := h.writeDB.Exec(fill, string(issuerA), string(subject()), strings.Repeat("A", 64))
			h.ok(err)
		}
		_, err := h.writeDB.Exec("UPDATE mirrors SET close_time = 1000, standing = 1000000, unaccepted = 500000, told = 500000")
		h.ok(err)
		b.ResetTimer()
		for range b.N {
			if st, err := h.MirrorStatus(context.Background(), issuerA); err != nil || st.Standing != 1_000_000 || st.Expired != 500_000 {
				b.Fatalf("%+v, %v", st, err)
			}
		}
	})
}
