package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// benchSize is how many transactions one run has.
const benchSize = 5000

// BenchmarkSustained compares credentials a second, from the first Submit to the last validation on a ledger that
// closes every second, with the same number signed beforehand and submitted raw over one connection.
func BenchmarkSustained(b *testing.B) {
	b.Run("lane", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			node := startSandbox(b, sandbox.Config{CloseInterval: time.Second})
			fund(b, node, 100_000, testIssuer, testAlice)
			lane, client := startLane(b, node.WebSocketURL(), nil, nil)
			awaitLane(b, lane, "the lane is up", isUp)
			first := nextLedger(b, client)
			b.StartTimer()
			began := time.Now()
			failed, perLedger := 0, map[uint32]int{}
			for o := range collect(submitAll(context.Background(), lane, benchSize), benchSize) {
				perLedger[o.v.LedgerIndex]++
				if o.err != nil {
					failed++
				}
			}
			took := time.Since(began)
			b.ReportMetric(benchSize/took.Seconds(), "tx/s")
			b.ReportMetric(float64(validatedNow(b, client)-first), "ledgers")
			b.ReportMetric(float64(failed), "failed")
			b.ReportMetric(0, "ns/op")
			b.Log("transactions by ledger: ", perLedger)
		}
	})
	b.Run("raw", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			node := startSandbox(b, sandbox.Config{CloseInterval: time.Second})
			fund(b, node, 100_000, testIssuer, testAlice)
			client := newClient(b, node.WebSocketURL(), func(c *Config) { c.RetryFor = time.Second })
			info, err := client.AccountInfo(b.Context(), testIssuer)
			if err != nil {
				b.Fatal(err)
			}
			seed, _ := vectorSeed(b, "issuer", "ed25519")
			var blobs []json.RawMessage
			for i := range benchSize {
				signed, err := seed.Sign(create(i), Terms{Account: testIssuer, Sequence: info.Sequence + uint32(i), Fee: 10, LastLedgerSequence: math.MaxUint32})
				if err != nil {
					b.Fatal(err)
				}
				blobs = append(blobs, submitParams(signed.Blob))
			}
			first := nextLedger(b, client)
			b.StartTimer()
			began := time.Now()
			results := rawSubmit(b, client, blobs, info.Sequence)
			took := time.Since(began)
			b.ReportMetric(benchSize/took.Seconds(), "tx/s")
			b.ReportMetric(float64(validatedNow(b, client)-first), "ledgers")
			b.ReportMetric(0, "ns/op")
			b.Log(results)
		}
	})
}

// rawSubmit sends blobs in order, a hundred in flight, and when the ledger is full waits for the next and goes on where
// it stopped. It returns when all are validated.
func rawSubmit(b *testing.B, c *Client, blobs []json.RawMessage, first uint32) map[string]int {
	results := map[string]int{}
	w := c.Watch(testIssuer)
	defer w.Stop()
	done, sent := 0, 0
	var mu sync.Mutex
	window := make(chan struct{}, 100)
	full := -1
	for done < len(blobs) {
		mu.Lock()
		stop := full
		mu.Unlock()
		if sent < len(blobs) && stop < 0 {
			i := sent
			window <- struct{}{}
			sent++
			c.link.post(context.Background(), "submit", blobs[i], func(raw json.RawMessage, err error) {
				<-window
				var s struct {
					EngineResult string `json:"engine_result"`
				}
				_ = json.Unmarshal(raw, &s)
				mu.Lock()
				results[s.EngineResult]++
				switch s.EngineResult {
				case "tesSUCCESS", "terQUEUED", "tefPAST_SEQ", "tefALREADY":
				default:
					if full < 0 {
						full = i
					}
				}
				mu.Unlock()
			})
		} else {
			<-w.Ready()
		}
		for _, e := range w.Take() {
			switch e.Kind {
			case EventTx:
				done++
			case EventLedger:
				for len(window) > 0 {
					runtime.Gosched()
				}
				mu.Lock()
				if full >= 0 {
					sent, full = full, -1
				}
				mu.Unlock()
			}
		}
	}
	return results
}

// nextLedger waits until a ledger has just closed, so that runs begin alike.
func nextLedger(b *testing.B, c *Client) uint32 {
	w := c.Watch()
	defer w.Stop()
	for {
		<-w.Ready()
		for _, e := range w.Take() {
			if e.Kind == EventLedger {
				return e.Ledger.Index
			}
		}
	}
}

func validatedNow(b *testing.B, c *Client) uint32 {
	l, err := c.Ledger(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return l.Index
}

func collect(outcomes <-chan outcome, n int) func(func(outcome) bool) {
	return func(yield func(outcome) bool) {
		for range n {
			if !yield(<-outcomes) {
				return
			}
		}
	}
}

// BenchmarkSimultaneous tells how long 50 and 200 that come at the same moment take on a ledger that closes every
// second, and how many closes.
func BenchmarkSimultaneous(b *testing.B) {
	for _, n := range []int{50, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			node := startSandbox(b, sandbox.Config{CloseInterval: time.Second})
			fund(b, node, 100_000, testIssuer, testAlice)
			lane, client := startLane(b, node.WebSocketURL(), nil, nil)
			awaitLane(b, lane, "the lane is up", isUp)
			var waits []time.Duration
			var mu sync.Mutex
			closes, failed, run := uint32(0), 0, 0
			for b.Loop() {
				first := validatedNow(b, client)
				var wg sync.WaitGroup
				last := first
				began := time.Now()
				for i := range n {
					wg.Go(func() {
						v, err := lane.Submit(context.Background(), model.CredentialCreate{Subject: testAlice, Type: model.CredentialType(fmt.Sprintf("R%d_%d", run, i))})
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							failed++
							return
						}
						waits = append(waits, time.Since(began))
						last = max(last, v.LedgerIndex)
					})
				}
				wg.Wait()
				closes = max(closes, last-first)
				run++
			}
			slices.Sort(waits)
			b.ReportMetric(float64(failed), "failed")
			b.ReportMetric(float64(closes), "closes-most")
			b.ReportMetric(waits[len(waits)/2].Seconds()*1000, "ms-median")
			b.ReportMetric(waits[len(waits)-1].Seconds()*1000, "ms-slowest")
			b.ReportMetric(0, "ns/op")
		})
	}
}
