package lane

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// benchSize is how many operations one run has.
const benchSize = 5000

// ready has a lane work on an empty journal of a ledger that closes every second.
func ready(b *testing.B, db string, mode ledger.Mode) (*world, *store.Store) {
	b.Helper()
	w := newWorld(b, sandbox.Config{CloseInterval: time.Second}, 100_000)
	s := openStore(b, database(b, db))
	r := w.run(s, s, "", func(c *ledger.LaneConfig) { c.Mode, c.LedgerOffset, c.Signings = mode, 0, 0 })
	eventually(b, "the lane is up", func() bool {
		st := r.Status()
		return st.Up && (mode == ledger.Sequences || st.Tickets > 0 && st.InFlight == 0)
	})
	return w, s
}

// BenchmarkSustained tells how many credentials a second come out of many that are pending, from the first that is stored
// to the last that is concluded, on a ledger that closes every second. Beside it: the lane without a journal. The raw
// submitter is in package ledger's benchmark of the same name.
func BenchmarkSustained(b *testing.B) {
	for _, db := range databases {
		for _, mode := range modes {
			b.Run(db+"/"+mode.String(), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					w, s := ready(b, db, mode)
					first := w.validated()
					b.StartTimer()
					began := time.Now()
					batch, _, err := s.CreateBatch(context.Background(), model.Batch{Issuer: w.issuer})
					if err != nil {
						b.Fatal(err)
					}
					for i := 0; i < benchSize; i += 500 {
						rows := make([]model.BatchRow, 500)
						for k := range rows {
							op := w.operation()
							rows[k] = model.BatchRow{Row: int64(i + k + 1), Operation: &op}
						}
						if _, err := s.AddRows(context.Background(), batch.ID, rows); err != nil {
							b.Fatal(err)
						}
					}
					if err := s.SealBatch(context.Background(), batch.ID, benchSize); err != nil {
						b.Fatal(err)
					}
					for {
						st, err := s.Batch(context.Background(), batch.ID)
						if err != nil {
							b.Fatal(err)
						}
						if st.Finished() {
							if st.Failed() > 0 {
								b.Errorf("%d failed", st.Failed())
							}
							break
						}
						time.Sleep(20 * time.Millisecond)
					}
					took := time.Since(began)
					b.ReportMetric(benchSize/took.Seconds(), "tx/s")
					b.ReportMetric(float64(w.validated()-first), "ledgers")
					b.ReportMetric(0, "ns/op")
				}
			})
		}
	}
}

// BenchmarkSimultaneous tells how long 200 that come at the same moment take, each stored and waited for by itself, on a
// ledger that closes every second, and in how many closes the last of them is final.
func BenchmarkSimultaneous(b *testing.B) {
	const n = 200
	for _, db := range databases {
		for _, mode := range modes {
			b.Run(db+"/"+mode.String(), func(b *testing.B) {
				w, s := ready(b, db, mode)
				var waits []time.Duration
				closes := uint32(0)
				for b.Loop() {
					first, last := w.validated(), uint32(0)
					var mu sync.Mutex
					var wg sync.WaitGroup
					began := time.Now()
					for range n {
						op := w.operation()
						wg.Go(func() {
							stored, _, err := s.Create(context.Background(), op)
							if err == nil {
								stored, err = s.Wait(context.Background(), stored.ID)
							}
							if err != nil || stored.State != model.StateSucceeded {
								b.Errorf("%s: %v", stored.State, err)
								return
							}
							mu.Lock()
							defer mu.Unlock()
							waits = append(waits, time.Since(began))
							last = max(last, stored.Result.LedgerIndex)
						})
					}
					wg.Wait()
					closes = max(closes, last-first)
				}
				if len(waits) == 0 {
					return
				}
				slices.Sort(waits)
				b.ReportMetric(float64(closes), "closes-most")
				b.ReportMetric(waits[len(waits)/2].Seconds()*1000, "ms-median")
				b.ReportMetric(waits[len(waits)-1].Seconds()*1000, "ms-slowest")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// validated is the last validated ledger's index.
func (w *world) validated() uint32 {
	w.t.Helper()
	c, err := ledger.New(ledger.Config{URL: w.node.URL()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	l, err := c.Ledger(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return min(l.Index, math.MaxInt32)
}
