package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

// Two hundred at once are in the next ledger, all of them, and each answer is what `tx` says.
func TestLaneSimultaneous(t *testing.T) {
	for _, way := range []string{"ws", "http"} {
		t.Run(way, func(t *testing.T) {
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			url := node.WebSocketURL()
			if way == "http" {
				url = node.URL()
			}
			lane, client := startLane(t, url, nil, nil)
			const n = 200
			outcomes := submitAll(t.Context(), lane, n)
			awaitOpen(t, client, n)
			index := accept(t, node)
			for range n {
				o := <-outcomes
				if o.err != nil {
					t.Fatalf("%d: %v", o.n, o.err)
				}
				if o.v.LedgerIndex != index || !o.v.Succeeded() {
					t.Errorf("%d: %s in ledger %d, want %d", o.n, o.v.EngineResult, o.v.LedgerIndex, index)
				}
				if o.n%20 == 0 {
					wantSameAsTx(t, client, o.v)
				}
			}
			if all := onLedger(t, node.URL()); len(all) != n {
				t.Errorf("%d credentials on the ledger, want %d", len(all), n)
			}
			if s := lane.Status(); !s.Up || s.Trouble != "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// wantSameAsTx compares a result with what the node answers to `tx`.
func wantSameAsTx(t *testing.T, c *Client, v model.Validated) {
	t.Helper()
	var want, got map[string]any
	err := c.call(t.Context(), "tx", map[string]any{"transaction": v.Hash}, func(raw json.RawMessage) error { return json.Unmarshal(raw, &want) })
	if err != nil {
		t.Fatal(err)
	}
	delete(want, "status") // of the answer over HTTP, not of the transaction
	if tx, ok := want["tx_json"].(map[string]any); ok {
		delete(tx, "ctid") // xrpld 3.2.0 repeats it there, but not in the stream
	}
	want["engine_result"], want["engine_result_code"], want["engine_result_message"] = v.EngineResult, float64(v.EngineResultCode), v.EngineResultMessage
	if err := json.Unmarshal(v.Body, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		a, _ := json.Marshal(want)
		t.Errorf("result\n%s\ntx\n%s", v.Body, a)
	}
}

// patient makes a lane that bears with ledgers that close dozens of times a second, on a machine that is busy.
func patient(c *LaneConfig) { c.LedgerOffset, c.Signings = 25, 20 }

// keepClosing closes ledgers, one after another, until the test ends.
func keepClosing(t *testing.T, node *sandbox.Server, every time.Duration) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		pause := time.NewTimer(every) // after each close: a machine that is busy closes fewer
		defer pause.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pause.C:
				if _, err := node.Accept(context.Background()); err != nil {
					t.Error(err)
					return
				}
				pause.Reset(every)
			}
		}
	})
	t.Cleanup(func() { close(stop); wg.Wait() })
}

// wantAll waits for all outcomes; each must be a success, and stand on the ledger once.
func wantAll(t *testing.T, node *sandbox.Server, outcomes <-chan outcome, n int) {
	t.Helper()
	hashes := map[string]bool{}
	for o := range collect(outcomes, n) {
		if o.err != nil {
			t.Errorf("%d: %v", o.n, o.err)
			continue
		}
		if hashes[o.v.Hash] {
			t.Errorf("%d: the transaction %s was another's already", o.n, o.v.Hash)
		}
		hashes[o.v.Hash] = true
	}
	all := onLedger(t, node.URL())
	for i := range n {
		if !all[create(i).Type] {
			t.Errorf("credential %d is not on the ledger", i)
		}
	}
	if len(all) != n {
		t.Errorf("%d credentials on the ledger, want %d", len(all), n)
	}
}

// However the line and the node behave, each transaction happens once.
func TestLaneFaults(t *testing.T) {
	const n = 60
	tests := []struct {
		name string
		// fault begins it, and may return what is to be done once the submissions are on their way.
		fault func(p *proxy) func(t *testing.T, node *sandbox.Server)
	}{
		{"answers to submissions are lost", func(p *proxy) func(*testing.T, *sandbox.Server) {
			p.filter(nil, func(data []byte) []byte {
				if isSubmitAnswer(data) {
					return nil
				}
				return data
			})
			return nil
		}},
		{"the line drops in the middle, after the node took them", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(nil, func(data []byte) []byte {
				if isSubmitAnswer(data) && seen.Add(1) == n/2 {
					go p.cut()
				}
				return data
			})
			return nil
		}},
		{"the line drops in the middle, before the node took them", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(func(data []byte) []byte {
				if isSubmit(data) {
					if k := seen.Add(1); k >= n/2 && k < n/2+5 {
						go p.cut()
						return nil
					}
				}
				return data
			}, nil)
			return nil
		}},
		{"the line drops again and again", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(nil, func(data []byte) []byte {
				if seen.Add(1)%40 == 0 {
					go p.cut()
				}
				return data
			})
			return nil
		}},
		{"one submission never arrives", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(func(data []byte) []byte {
				if isSubmit(data) && seen.Add(1) == 5 {
					return nil
				}
				return data
			}, nil)
			return nil
		}},
		{"results are not told", func(p *proxy) func(*testing.T, *sandbox.Server) {
			p.filter(nil, func(data []byte) []byte {
				if isTransaction(data) {
					return nil
				}
				return data
			})
			return nil
		}},
		{"some ledgers are not told", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(nil, func(data []byte) []byte {
				if isTransaction(data) || strings.Contains(string(data), "ledgerClosed") && seen.Add(1)%3 != 0 {
					return nil
				}
				return data
			})
			return nil
		}},
		{"no submission arrives for some ledgers", func(p *proxy) func(*testing.T, *sandbox.Server) {
			p.filter(func(data []byte) []byte {
				if isSubmit(data) {
					return nil
				}
				return data
			}, nil)
			return func(t *testing.T, node *sandbox.Server) {
				for range 30 { // past LastLedgerSequence: all must be proved absent and signed anew
					accept(t, node)
				}
				p.filter(nil, nil)
			}
		}},
		{"the node is busy", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(nil, func(data []byte) []byte {
				if isSubmitAnswer(data) && seen.Add(1)%7 == 0 {
					var f struct{ ID int }
					_ = json.Unmarshal(data, &f)
					return fmt.Appendf(nil, `{"id":%d,"error":"slowDown","status":"error","type":"response"}`, f.ID)
				}
				return data
			})
			return nil
		}},
		{"answers make no sense", func(p *proxy) func(*testing.T, *sandbox.Server) {
			var seen atomic.Int64
			p.filter(nil, func(data []byte) []byte {
				if isSubmitAnswer(data) && seen.Add(1)%11 == 0 {
					return []byte(`{}`)
				}
				return data
			})
			return nil
		}},
		{"answers to submissions are of other transactions", func(p *proxy) func(*testing.T, *sandbox.Server) {
			p.filter(nil, func(data []byte) []byte {
				if isSubmitAnswer(data) {
					return []byte(strings.ReplaceAll(string(data), `"hash":"`, `"hash":"0`))
				}
				return data
			})
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			p := newProxy(t, node.WebSocketURL())
			lane, _ := startLane(t, p.ws(), func(c *Config) { c.CallTimeout = 300 * time.Millisecond },
				patient)
			awaitLane(t, lane, "the lane is up", isUp)
			then := tt.fault(p)
			outcomes := submitAll(t.Context(), lane, n)
			awaitLane(t, lane, "the lane has begun", hasBegun)
			if then != nil {
				then(t, node)
			}
			keepClosing(t, node, 20*time.Millisecond)
			wantAll(t, node, outcomes, n)
		})
	}
}

// When the ledger is full the lane slows down, and nothing fails.
func TestLaneFullLedger(t *testing.T) {
	for _, ceiling := range []int64{0, 1_000_000} {
		t.Run(fmt.Sprint("ceiling ", ceiling), func(t *testing.T) {
			const n = 100
			node := startSandbox(t, sandbox.Config{LedgerCapacity: 8})
			fund(t, node, 100_000, testIssuer, testAlice)
			lane, _ := startLane(t, node.WebSocketURL(), nil, func(c *LaneConfig) { patient(c); c.MaxFeeDrops = ceiling })
			outcomes := submitAll(t.Context(), lane, n)
			awaitLane(t, lane, "the lane has begun", hasBegun)
			keepClosing(t, node, 20*time.Millisecond)
			wantAll(t, node, outcomes, n)
		})
	}
}

// Others fill the ledger: the lane's transactions are queued or refused for now, and still all happen.
func TestLaneCrowded(t *testing.T) {
	const n = 30
	node := startSandbox(t, sandbox.Config{LedgerCapacity: 8})
	fund(t, node, 100_000, testIssuer, testAlice, testBob)
	lane, client := startLane(t, node.WebSocketURL(), nil, patient)
	awaitLane(t, lane, "the lane is up", isUp)
	bob, _ := vectorSeed(t, "bob", "secp256k1")
	info, err := client.AccountInfo(t.Context(), testBob)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]bool{}
	for i := range 15 {
		signed, err := bob.Sign(noop{}, Terms{Account: testBob, Sequence: info.Sequence + uint32(i), Fee: 10, LastLedgerSequence: 1000})
		if err != nil {
			t.Fatal(err)
		}
		s, err := client.Submit(t.Context(), signed)
		if err != nil {
			t.Fatal(err)
		}
		results[s.EngineResult] = true
	}
	if !results["terQUEUED"] {
		t.Fatalf("the ledger is not full: %v", results)
	}
	outcomes := submitAll(t.Context(), lane, n)
	awaitLane(t, lane, "the lane has begun", hasBegun)
	keepClosing(t, node, 20*time.Millisecond)
	wantAll(t, node, outcomes, n)
}

// Another process sends from the same account: the lane loses sequences to it, notices, and all happens all the same.
func TestLaneSharedAccount(t *testing.T) {
	const n = 40
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	lane, _ := startLane(t, p.ws(), nil, patient)
	awaitLane(t, lane, "the lane is up", isUp)
	other := newClient(t, node.WebSocketURL(), nil)
	seed, _ := vectorSeed(t, "issuer", "ed25519")
	take := func() {
		info, err := other.accountInfo(t.Context(), testIssuer, currentIndex)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := seed.Sign(noop{}, Terms{Account: testIssuer, Sequence: info.Sequence, Fee: 10, LastLedgerSequence: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := other.Submit(t.Context(), signed); err != nil || s.EngineResult != "tesSUCCESS" {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	take() // in the open ledger: the lane cannot know of it
	take()
	outcomes := submitAll(t.Context(), lane, n)
	awaitOpen(t, other, n)
	take()
	keepClosing(t, node, 20*time.Millisecond)
	wantAll(t, node, outcomes, n)
	awaitLane(t, lane, "nothing is in flight", func(s Status) bool { return s.InFlight == 0 })
	take() // and while it is idle
	outcomes = submitAll(t.Context(), lane, 1)
	if o := <-outcomes; model.CodeOf(o.err) != model.CodeDuplicate {
		t.Errorf("got %v", o.err)
	}
}

// A final refusal is an error with its code, and the transaction that cost its fee.
func TestLaneRefusals(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	lane, client := startLane(t, node.WebSocketURL(), nil, nil)
	keepClosing(t, node, 20*time.Millisecond)
	past := uint32(1)
	if _, err := lane.Submit(t.Context(), create(0)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		tx   model.Transaction
		want model.Code
	}{
		{"twice", create(0), model.CodeDuplicate},
		{"no such account", model.CredentialCreate{Subject: testBob, Type: "X"}, model.CodeNoTarget},
		{"expired", model.CredentialCreate{Subject: testAlice, Type: "X", Expiration: &past}, model.CodeExpired},
		{"nothing to delete", model.CredentialDelete{Subject: testAlice, Type: "none"}, model.CodeNoEntry},
		{"nothing to accept", model.CredentialAccept{Issuer: testAlice, Type: "none"}, model.CodeNoEntry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lane.Submit(t.Context(), tt.tx)
			var e *model.Error
			if !errors.As(err, &e) || e.Code != tt.want || e.Tx == nil || e.Message == "" || e.Pending != nil {
				t.Fatalf("got %+v, want %s with the transaction", err, tt.want)
			}
			wantSameAsTx(t, client, *e.Tx)
		})
	}
	for name, tx := range map[string]model.Transaction{"no type": model.CredentialCreate{Subject: testAlice}, "no subject": model.CredentialCreate{Type: "X"}} {
		if _, err := lane.Submit(t.Context(), tx); model.CodeOf(err) != model.CodeBadRequest && model.CodeOf(err) != model.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := lane.Submit(t.Context(), model.CredentialDelete{Subject: testAlice, Type: create(0).Type}); err != nil {
		t.Errorf("deleting what stands: %v", err)
	}
}

// A transaction that no ledger took is told so only when that is proved, with its last ledger past.
func TestLaneNotValidated(t *testing.T) {
	const offset = 50                          // ledgers, at 20 ms each: time enough to be sent on a busy machine
	for _, keep := range []bool{false, true} { // whether the node keeps it as a candidate, which it then answers `tx` with
		t.Run(fmt.Sprint("candidate ", keep), func(t *testing.T) {
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			p := newProxy(t, node.WebSocketURL())
			lane, client := startLane(t, p.ws(), nil, func(c *LaneConfig) { c.Signings = 1; c.LedgerOffset = offset })
			awaitLane(t, lane, "the lane is up", isUp)
			p.filter(func(data []byte) []byte {
				if isSubmit(data) {
					return nil
				}
				return data
			}, nil)
			outcomes := submitAll(t.Context(), lane, 1)
			awaitLane(t, lane, "it is in flight", func(s Status) bool { return s.InFlight == 1 })
			if keep { // sent with a sequence that is not its turn, the node keeps it and cannot apply it
				seed, _ := vectorSeed(t, "issuer", "ed25519")
				status := lane.Status()
				signed, err := seed.Sign(create(0), Terms{Account: testIssuer, Sequence: status.NextSequence - 1, Fee: 10, LastLedgerSequence: status.Validated.Index + offset})
				if err != nil {
					t.Fatal(err)
				}
				other, err := seed.Sign(noop{}, Terms{Account: testIssuer, Sequence: status.NextSequence - 1, Fee: 20, LastLedgerSequence: status.Validated.Index + offset})
				if err != nil {
					t.Fatal(err)
				}
				direct := newClient(t, node.WebSocketURL(), nil)
				for _, s := range []Signed{other, signed} {
					if _, err := direct.Submit(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
			}
			for range offset {
				accept(t, node)
			}
			if s := lane.Status(); s.InFlight != 1 {
				t.Fatalf("given up before its last ledger was past: %+v", s)
			}
			keepClosing(t, node, 20*time.Millisecond)
			o := <-outcomes
			if model.CodeOf(o.err) != model.CodeNotValidated {
				if keep && o.err == nil { // it lost its sequence to the other, and was signed anew: not a failure of its own
					return
				}
				t.Fatalf("got %v", o.err)
			}
			p.filter(nil, nil)
			if v, err := lane.Submit(t.Context(), create(0)); err != nil || !v.Succeeded() {
				t.Errorf("asking again: %+v, %v", v, err)
			}
			_ = client
		})
	}
}

// A caller that goes away stops nothing that is sent, and is told what may still happen.
func TestLaneCallerLeaves(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	lane, client := startLane(t, node.WebSocketURL(), nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := submitAll(ctx, lane, 3)
	awaitOpen(t, client, 3)
	cancel()
	for o := range collect(outcomes, 3) {
		var e *model.Error
		if !errors.As(o.err, &e) || e.Code != model.CodeLedgerUnavailable || e.Pending == nil || e.Pending.Sequence == 0 ||
			e.Pending.LastLedgerSequence == 0 || len(e.Pending.Hash) != 64 || e.RetryAfter == 0 || !errors.Is(o.err, context.Canceled) {
			t.Errorf("got %+v", o.err)
		}
	}
	accept(t, node)
	awaitLane(t, lane, "all are final", func(s Status) bool { return s.InFlight == 0 })
	if all := onLedger(t, node.URL()); len(all) != 3 {
		t.Errorf("%d credentials on the ledger, want 3", len(all))
	}
}

// Before anything is sent, a caller that goes away takes its transaction along.
func TestLaneCallerLeavesBefore(t *testing.T) {
	s := newStub(t, func(int, string, map[string]any) string { return "" })
	lane, _ := startLane(t, s.ws(), nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := lane.Submit(ctx, create(0))
	var e *model.Error
	if !errors.As(err, &e) || e.Code != model.CodeLedgerUnavailable || e.Pending != nil || !strings.Contains(e.Message, "nothing was sent") {
		t.Errorf("got %+v", err)
	}
}

func TestLaneWaitingIsBounded(t *testing.T) {
	s := newStub(t, func(int, string, map[string]any) string { return "" })
	lane, _ := startLane(t, s.ws(), nil, func(c *LaneConfig) { c.MaxWaiting = 5 })
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := submitAll(ctx, lane, 8)
	for range 3 {
		o := <-outcomes
		var e *model.Error
		if !errors.As(o.err, &e) || e.Code != model.CodeLedgerUnavailable || e.RetryAfter == 0 || !strings.Contains(e.Message, "wait already") {
			t.Errorf("got %+v", o.err)
		}
	}
	cancel()
	for range 5 {
		<-outcomes
	}
}

// A stop that is clean finishes what is in flight; one that is not tells what may still happen.
func TestLaneStops(t *testing.T) {
	t.Run("clean", func(t *testing.T) {
		node := startSandbox(t, sandbox.Config{})
		fund(t, node, 1000, testIssuer, testAlice)
		lane, client := startLane(t, node.WebSocketURL(), nil, nil)
		outcomes := submitAll(t.Context(), lane, 10)
		awaitOpen(t, client, 10)
		drained := make(chan error, 1)
		go func() { drained <- lane.Drain(context.Background()) }()
		for { // until Drain has begun
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := lane.Submit(ctx, create(99)); errors.Is(err, ErrClosed) {
				break
			}
		}
		select {
		case err := <-drained:
			t.Fatalf("drained while transactions are in flight: %v", err)
		default:
		}
		accept(t, node)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		for o := range collect(outcomes, 10) {
			if o.err != nil {
				t.Errorf("%d: %v", o.n, o.err)
			}
		}
		if err := lane.Drain(t.Context()); err != nil {
			t.Errorf("draining twice: %v", err)
		}
	})
	t.Run("not in time", func(t *testing.T) {
		node := startSandbox(t, sandbox.Config{})
		fund(t, node, 1000, testIssuer, testAlice)
		client := newClient(t, node.WebSocketURL(), nil)
		seed, _ := vectorSeed(t, "issuer", "ed25519")
		lane, err := NewLane(client, LaneConfig{Account: testIssuer, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- lane.Run(ctx) }()
		outcomes := submitAll(t.Context(), lane, 10)
		awaitOpen(t, client, 10)
		short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer stop()
		if err := lane.Drain(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for o := range collect(outcomes, 10) {
			var e *model.Error
			if !errors.As(o.err, &e) || e.Code != model.CodeLedgerUnavailable || e.Pending == nil {
				t.Errorf("got %+v", o.err)
			}
		}
		if _, err := lane.Submit(t.Context(), create(0)); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// While the node asks for more than the ceiling, nothing is sent, and after a while callers are told why.
func TestLaneFeeCeiling(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	var submitted atomic.Int64
	p.filter(func(data []byte) []byte {
		if isSubmit(data) {
			submitted.Add(1)
		}
		return data
	}, func(data []byte) []byte {
		return []byte(strings.ReplaceAll(string(data), `"open_ledger_fee":"10"`, `"open_ledger_fee":"2000"`))
	})
	clock := newFakeClock()
	lane, _ := startLane(t, p.ws(), func(c *Config) { c.Clock, c.StreamCheck = clock, time.Hour }, nil)
	awaitLane(t, lane, "the lane is up", isUp)
	outcomes := submitAll(t.Context(), lane, 1)
	awaitLane(t, lane, "it waits", func(s Status) bool { return s.Waiting == 1 })
	for range 21 {
		clock.awaitWait(t, laneTick)
		clock.advance(laneTick)
	}
	o := <-outcomes
	var e *model.Error
	if !errors.As(o.err, &e) || e.Code != model.CodeLedgerUnavailable || e.Pending != nil ||
		!strings.Contains(e.Message, "2000 drops") || !strings.Contains(e.Message, "limit of 1000") {
		t.Errorf("got %+v", o.err)
	}
	if submitted.Load() != 0 {
		t.Error("something was sent all the same")
	}
}

// Without a node, callers are refused at once, and not kept until their patience ends.
func TestLaneNodeDown(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	clock := newFakeClock()
	lane, _ := startLane(t, p.ws(), func(c *Config) { c.Clock = clock }, nil)
	awaitLane(t, lane, "the lane is up", isUp)
	p.Server.Listener.Close()
	p.cut()
	awaitLane(t, lane, "the lane is down", func(s Status) bool { return !s.Up })
	for range 5 {
		clock.awaitWait(t, laneTick)
		clock.advance(laneTick)
	}
	awaitLane(t, lane, "it refuses", func(Status) bool {
		lane.mu.Lock()
		defer lane.mu.Unlock()
		return lane.refuse != ""
	})
	_, err := lane.Submit(t.Context(), create(0))
	var e *model.Error
	if !errors.As(err, &e) || e.Code != model.CodeLedgerUnavailable || e.RetryAfter == 0 || e.Pending != nil {
		t.Errorf("got %+v", err)
	}
}

// TestLaneRandomFaults drops, delays and falsifies messages at random, and cuts the line, for hundreds of transactions.
// What was told must be what the ledger holds. LEDGER_FAULT_SEED repeats a run.
func TestLaneRandomFaults(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LEDGER_FAULT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("LEDGER_FAULT_SEED=%d", seed)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed))
	chance := func(one int) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(one) == 0
	}
	const n = 300
	node := startSandbox(t, sandbox.Config{LedgerCapacity: 40})
	fund(t, node, 10_000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	lane, _ := startLane(t, p.ws(), func(c *Config) { c.CallTimeout = 300 * time.Millisecond }, patient)
	awaitLane(t, lane, "the lane is up", isUp)
	p.filter(func(data []byte) []byte {
		switch {
		case chance(150):
			go p.cut()
		case isSubmit(data) && chance(20):
			return nil
		case chance(100):
			return nil
		}
		return data
	}, func(data []byte) []byte {
		switch {
		case chance(300):
			go p.cut()
		case isSubmitAnswer(data) && chance(20):
			return nil
		case isTransaction(data) && chance(10):
			return nil
		case chance(300):
			return []byte("{}")
		case chance(100):
			return nil
		}
		return data
	})
	outcomes := make(chan outcome, n)
	for i := range n {
		go func() {
			ctx := t.Context()
			if i%10 == 0 { // some callers are not patient
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			v, err := lane.Submit(ctx, create(i))
			outcomes <- outcome{i, v, err}
		}()
	}
	keepClosing(t, node, 30*time.Millisecond)
	counts := map[string]int{}
	mustStand, mustNot := map[model.CredentialType]bool{}, map[model.CredentialType]bool{}
	for o := range collect(outcomes, n) {
		var e *model.Error
		switch {
		case o.err == nil:
			counts["done"]++
			mustStand[create(o.n).Type] = true
		case errors.As(o.err, &e) && e.Pending != nil:
			counts["pending"]++ // may or may not
		case errors.As(o.err, &e) && (e.Code == model.CodeNotValidated || e.Code == model.CodeLedgerUnavailable):
			counts[string(e.Code)]++
			mustNot[create(o.n).Type] = true
		default:
			t.Errorf("%d: %v", o.n, o.err)
		}
	}
	t.Log(counts)
	p.filter(nil, nil)
	awaitLane(t, lane, "nothing is in flight", func(s Status) bool { return s.InFlight == 0 && s.Waiting == 0 })
	all := onLedger(t, node.URL())
	for which := range mustStand {
		if !all[which] {
			t.Errorf("%s was told to be done and is not on the ledger", which)
		}
	}
	for which := range mustNot {
		if all[which] {
			t.Errorf("%s was told not to be and is on the ledger", which)
		}
	}
	if counts["done"] < n/2 {
		t.Errorf("only %d of %d were done", counts["done"], n)
	}
}

// What a node makes of single submissions: nothing that fails holds up or doubles the others.
func TestLaneSingleResults(t *testing.T) {
	const n, third = 10, 3
	tests := []struct {
		name   string
		result string // what the node says of the third; it does not get it
		times  int64  // how often
		want   model.Code
	}{
		{"malformed", "temMALFORMED", 1000, model.CodeNotValidated},
		{"a wrong key", "tefBAD_AUTH", 1000, model.CodeNotValidated},
		{"switched off", "temDISABLED", 1000, model.CodeNotValidated},
		{"another network", "telWRONG_NETWORK", 1000, model.CodeNotValidated},
		{"past, which is not so", "tefPAST_SEQ", 2, ""},
		{"too late, which is not so", "tefMAX_LEDGER", 2, ""},
		{"no room", "telCAN_NOT_QUEUE_FULL", 2, ""},
		{"no money", "telCAN_NOT_QUEUE_BALANCE", 1, ""},
		{"too cheap", "telINSUF_FEE_P", 1, ""},
		{"too cheap for the queue", "telCAN_NOT_QUEUE_FEE", 1, ""},
		{"not its turn", "terPRE_SEQ", 2, ""},
		{"taken, and forgotten", "tesSUCCESS", 1, ""},
		{"a failure that is not final", "tecDUPLICATE", 1, ""},
		{"queued, and forgotten", "terQUEUED", 1, ""},
		{"a result from the future", "tefNEW", 1, model.CodeNotValidated},
		{"a class from the future", "xyzNEW", 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			p := newProxy(t, node.WebSocketURL())
			lane, _ := startLane(t, p.ws(), nil, func(c *LaneConfig) { c.LedgerOffset, c.Signings = 8, 20 })
			awaitLane(t, lane, "the lane is up", isUp)
			kind := create(third).Type.Hex()
			var told atomic.Int64
			begun := make(chan struct{})
			p.filter(func(data []byte) []byte {
				if isSubmit(data) && strings.Contains(string(data), "701F"+fmt.Sprintf("%02X", len(kind)/2)+kind) {
					times := told.Add(1)
					if times > tt.times {
						return data
					}
					p.answer(fakeSubmit(t, data, tt.result))
					if times == 1 {
						close(begun)
					}
					return nil
				}
				return data
			}, nil)
			outcomes := submitAll(t.Context(), lane, n)
			awaitLane(t, lane, "the lane has begun", hasBegun)
			select {
			case <-begun: // before any ledger closes, so that none of them expires first
			case <-time.After(30 * time.Second):
				t.Fatal("the node is not asked about the third")
			}
			keepClosing(t, node, 20*time.Millisecond)
			for o := range collect(outcomes, n) {
				want := model.Code("")
				if o.n == third {
					want = tt.want
				}
				if model.CodeOf(o.err) != want {
					t.Errorf("%d: got %v, want %q", o.n, o.err, want)
				}
			}
			awaitLane(t, lane, "nothing is in flight", func(s Status) bool { return s.InFlight == 0 && s.Waiting == 0 })
			all := onLedger(t, node.URL())
			if wanted := tt.want == ""; all[create(third).Type] != wanted {
				t.Errorf("on the ledger %v, want %v", !wanted, wanted)
			}
			if _, err := lane.Submit(t.Context(), create(n)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A node that answers `fee` with less than it takes gets the rest: the same sequence, signed again.
func TestLaneRaisesFee(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	p.filter(nil, func(data []byte) []byte {
		return []byte(strings.NewReplacer(`"base_fee":"10"`, `"base_fee":"1"`, `"open_ledger_fee":"10"`, `"open_ledger_fee":"1"`,
			`"open_ledger_cost":"10"`, `"open_ledger_cost":"1"`).Replace(string(data)))
	})
	lane, _ := startLane(t, p.ws(), nil, patient)
	awaitLane(t, lane, "the lane is up", isUp)
	outcomes := submitAll(t.Context(), lane, 5)
	awaitLane(t, lane, "the lane has begun", hasBegun)
	keepClosing(t, node, 20*time.Millisecond)
	wantAll(t, node, outcomes, 5)
}

// A blob that is signed while the ledger is being asked about an older one is not taken for absent with it.
func TestLaneRaisesFeeDuringLookUp(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	lane, client := startLane(t, p.ws(), nil, func(c *LaneConfig) { c.LedgerOffset = 4 })
	awaitLane(t, lane, "the lane is up", isUp)
	var mu sync.Mutex
	watch := false
	slow := true // nothing gets to the node, until the look-up is on its way
	var submitted []byte
	asked, passed := make(chan map[string]any, 1), make(chan struct{}, 8)
	p.filter(func(data []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case isSubmit(data) && slow:
			submitted = bytes.Clone(data)
			return nil
		case isSubmit(data):
			select {
			case passed <- struct{}{}:
			default:
			}
		case slow && watch && strings.Contains(string(data), `"command":"account_info"`):
			slow = false
			var req map[string]any
			if err := json.Unmarshal(data, &req); err != nil {
				t.Error(err)
			}
			asked <- req
			return nil
		}
		return data
	}, nil)
	outcomes := submitAll(t.Context(), lane, 1)
	awaitLane(t, lane, "it is in flight", hasBegun)
	mu.Lock()
	watch = true
	mu.Unlock()
	for range 6 {
		index := accept(t, node)
		awaitLane(t, lane, "the ledger is heard of", func(s Status) bool { return s.Validated.Index >= index })
	}
	lookUp := <-asked
	var unused json.RawMessage // the account before the second blob
	err := client.call(t.Context(), "account_info", map[string]any{"account": testIssuer, "ledger_index": validatedIndex},
		func(raw json.RawMessage) error { unused = bytes.Clone(raw); return nil })
	if err != nil {
		t.Fatal(err)
	}
	p.answer(fakeSubmit(t, submitted, "telINSUF_FEE_P")) // late: it is signed again
	<-passed
	awaitOpen(t, client, 1)
	p.answer(reply(lookUp, string(unused))) // true of the first blob
	keepClosing(t, node, 100*time.Millisecond)
	if o := <-outcomes; o.err != nil {
		t.Errorf("its own transaction made the credential, and its caller is told: %v", o.err)
	}
}

// One message of the stream that tells of a ledger far ahead leaves the lane as it was, and what it signs bounded.
func TestLaneLedgerFarAhead(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	lane, _ := startLane(t, p.ws(), nil, patient)
	awaitLane(t, lane, "the lane is up", isUp)
	p.answer(strings.TrimSuffix(closedText(4_000_000_000), "}") + `,"type":"ledgerClosed"}`)
	awaitLane(t, lane, "the line is begun anew", func(s Status) bool { return !s.Up })
	awaitLane(t, lane, "the lane is up", isUp)
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := submitAll(ctx, lane, 1)
	awaitLane(t, lane, "it is in flight", hasBegun)
	cancel()
	var e *model.Error
	if o := <-outcomes; !errors.As(o.err, &e) || e.Pending == nil || e.Pending.LastLedgerSequence > lane.Status().Validated.Index+25 {
		t.Errorf("%+v", o.err)
	}
	keepClosing(t, node, 20*time.Millisecond)
	awaitLane(t, lane, "it is final", func(s Status) bool { return s.InFlight == 0 })
}

// A line on which nothing is told for longer than that is gone on with, and what was missed is read.
func TestLaneMissesManyLedgers(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	lane, client := startLane(t, p.ws(), nil, func(c *LaneConfig) { c.LedgerOffset = 2 * farAhead })
	awaitLane(t, lane, "the lane is up", isUp)
	outcomes := submitAll(t.Context(), lane, 3)
	awaitOpen(t, client, 3)
	var quiet atomic.Bool
	quiet.Store(true)
	p.filter(nil, func(data []byte) []byte {
		if quiet.Load() && (isTransaction(data) || strings.Contains(string(data), `"ledgerClosed"`)) {
			return nil
		}
		return data
	})
	for range farAhead + 10 {
		accept(t, node)
	}
	quiet.Store(false)
	keepClosing(t, node, 20*time.Millisecond)
	wantAll(t, node, outcomes, 3)
	awaitLane(t, lane, "the lane is up", isUp)
}

// A stream that loses transactions delays their results by few ledgers, long before they would be looked up as expired, and whoever
// reads the log hears of it.
func TestLaneFindsLostResults(t *testing.T) {
	for _, mode := range []Mode{Sequences, Tickets} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			p := newProxy(t, node.WebSocketURL())
			var out logs.Lines
			lane, client := startLane(t, p.ws(), func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&out, nil)) }, func(c *LaneConfig) {
				c.LedgerOffset, c.Mode = 500, mode
				c.Logger = slog.New(slog.NewTextHandler(&out, nil))
			})
			awaitLane(t, lane, "the lane is up", isUp)
			p.filter(nil, func(data []byte) []byte {
				if isTransaction(data) {
					return nil
				}
				return data
			})
			outcomes := submitAll(t.Context(), lane, 3)
			keepClosing(t, node, 20*time.Millisecond)
			wantAll(t, node, outcomes, 3)
			last, err := client.Ledger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if last.Index > 400 {
				t.Errorf("it took until ledger %d", last.Index)
			}
			if out.Count("left out transactions") == 0 {
				t.Errorf("the log has\n%s", &out)
			}
		})
	}
}

// What was signed twice, for more ledgers together than a node searches at a time, is looked up all the same.
func TestLaneLooksUpManyLedgers(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	lane, _ := startLane(t, p.ws(), nil, func(c *LaneConfig) { c.LedgerOffset, c.Signings = 1000, 1 })
	awaitLane(t, lane, "the lane is up", isUp)
	submitted := make(chan []byte, 64)
	p.filter(func(data []byte) []byte {
		if isSubmit(data) {
			select {
			case submitted <- bytes.Clone(data):
			default:
			}
			return nil
		}
		return data
	}, nil)
	outcomes := submitAll(t.Context(), lane, 1)
	first := <-submitted
	index := accept(t, node)
	awaitLane(t, lane, "the ledger is heard of", func(s Status) bool { return s.Validated.Index >= index })
	p.answer(fakeSubmit(t, first, "telINSUF_FEE_P"))
	<-submitted
	for range 1010 {
		accept(t, node)
	}
	keepClosing(t, node, 20*time.Millisecond)
	if o := <-outcomes; model.CodeOf(o.err) != model.CodeNotValidated {
		t.Errorf("got %v", o.err)
	}
}

// What is stored as absent is what was looked up, and nothing else.
func TestLaneStoresAbsentWhatWasAskedAbout(t *testing.T) {
	for _, own := range []bool{false, true} { // which is signed anew, and which ends
		lane := idleLane(t, LaneConfig{Journal: closedJournal{}})
		op := &operation{id: "op", tx: create(0), own: own, slot: slot{n: 7}, state: stateSent}
		for _, hash := range []string{"A", "B"} {
			lane.stored(op, &attempt{Signed: Signed{Hash: hash, LastLedgerSequence: 9}, sends: 1, giveUp: func() {}})
		}
		lane.absent(&lookUpCase{op: op, slot: op.slot, hashes: []string{"A"}})
		if e := lane.book.endings; len(e) != 1 || !slices.Equal(e[0].outcome.Absent, []string{"A"}) {
			t.Errorf("own %v: stored %+v", own, e)
		}
	}
}

// What the account holds may be read from the ledger before the TicketCreate's own result is heard of, or from a ledger
// before it: either way each new ticket stands in stock once.
func TestTicketsStandInStockOnce(t *testing.T) {
	made := model.Validated{EngineResult: "tesSUCCESS", LedgerIndex: 101}
	begun := func() (*Lane, *operation) {
		lane := idleLane(t, LaneConfig{Mode: Tickets})
		lane.validated.Index = 101
		// As one whose answer was lost, or that was queued, or in flight at a start.
		op := &operation{kind: model.KindTickets, tx: ticketCreate{3}, slot: slot{n: 10}, own: true}
		lane.stock.refill = op
		return lane, op
	}
	check := func(what string, lane *Lane, want ...uint32) {
		t.Helper()
		if !slices.Equal(lane.stock.tickets, want) {
			t.Errorf("%s: in stock are %v, want %v", what, lane.stock.tickets, want)
		}
	}

	lane, op := begun()
	lane.tookStock([]uint32{11, 12, 13}, 101)
	lane.stock.tickets = lane.stock.tickets[1:] // one is used at once
	lane.ticketsEnded(op, &made)
	check("read from the ledger that made them", lane, 12, 13)

	lane, op = begun()
	lane.tookStock([]uint32{11, 12, 13}, 101)
	lane.inFlight[slot{11, true}], lane.stock.tickets = &operation{}, lane.stock.tickets[1:]
	lane.ticketsTaken(op, op.tx.(ticketCreate)) // an answer that is slower than the ledger
	check("read before the node answered", lane, 12, 13)

	lane, op = begun()
	lane.tookStock([]uint32{8}, 100)
	lane.ticketsEnded(op, &made)
	check("read from the ledger before", lane, 8, 11, 12, 13)

	lane, op = begun()
	lane.tookStock(nil, 99)
	lane.ticketsEnded(op, &made)
	lane.tookStock(nil, 100)
	check("an older ledger's come late", lane, 11, 12, 13)
	if lane.stock.due {
		t.Error("a node that lags is asked again at once")
	}
	lane.synced = true
	lane.ledger(model.Ledger{Index: 102}, true)
	if !lane.stock.due {
		t.Error("it is not asked again")
	}
	lane.stock.due = false
	lane.tookStock([]uint32{9, 11, 12, 13}, 102)
	check("a later ledger's", lane, 9, 11, 12, 13)
}

// A ticket with which something is in progress by the journal is in stock no more.
func TestTicketsInProgressLeaveTheStock(t *testing.T) {
	lane := idleLane(t, LaneConfig{Mode: Tickets, Journal: closedJournal{}})
	lane.book.known = map[model.OperationID]*operation{}
	lane.stock.tickets = []uint32{11, 12, 13}
	lane.adopt([]model.Operation{{ID: "op", Kind: model.KindIssue, State: model.StateSigned, Subject: testAlice, Type: "T",
		Attempts: []model.Attempt{{Operation: "op", State: model.AttemptSigned, Hash: "A", Ticket: 12, LastLedgerSequence: 9}}}})
	if !slices.Equal(lane.stock.tickets, []uint32{11, 13}) || lane.inFlight[slot{12, true}] == nil {
		t.Errorf("in stock are %v", lane.stock.tickets)
	}
}

// Over HTTP, too, each transaction happens once.
func TestLaneHTTPFaults(t *testing.T) {
	const n = 40
	tests := []struct {
		name  string
		fault func(n int64, body []byte, w http.ResponseWriter) bool
		keep  func(n int64, body []byte) bool
	}{
		{"answers are lost", func(int64, []byte, http.ResponseWriter) bool { return false },
			func(n int64, body []byte) bool { return n%5 != 0 }},
		{"the node is busy", func(n int64, _ []byte, w http.ResponseWriter) bool {
			if n%6 == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n%6 == 0
		}, func(int64, []byte) bool { return true }},
		{"some answers make no sense", func(n int64, _ []byte, w http.ResponseWriter) bool {
			if n%7 == 0 {
				fmt.Fprint(w, "{}")
			}
			return n%7 == 0
		}, func(int64, []byte) bool { return true }},
		{"requests are lost", func(n int64, _ []byte, w http.ResponseWriter) bool {
			if n%5 == 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, func(int64, []byte) bool { return true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			url := httpProxy(t, node.URL(), tt.fault, tt.keep)
			lane, _ := startLane(t, url, nil, patient)
			outcomes := submitAll(t.Context(), lane, n)
			awaitLane(t, lane, "the lane has begun", hasBegun)
			keepClosing(t, node, 50*time.Millisecond)
			wantAll(t, node, outcomes, n)
		})
	}
}

// A node that comes back with another ledger, a younger one, is worked with as it is.
func TestLaneFreshLedger(t *testing.T) {
	first, err := sandbox.Start(context.Background(), sandbox.Config{Listen: "127.0.0.1:0", Logger: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	fund(t, first, 1000, testIssuer, testAlice)
	lane, client := startLane(t, first.WebSocketURL(), nil, nil)
	outcomes := submitAll(t.Context(), lane, 3)
	awaitOpen(t, client, 3)
	var old uint32
	for range 20 {
		old = accept(t, first)
	}
	for o := range collect(outcomes, 3) {
		if o.err != nil {
			t.Fatal(o.err)
		}
	}
	awaitLane(t, lane, "all is heard", func(s Status) bool { return s.Validated.Index >= old-1 })
	if err := first.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	awaitLane(t, lane, "the lane is down", func(s Status) bool { return !s.Up })
	second, err := sandbox.Start(context.Background(), sandbox.Config{Listen: first.Addr(), Logger: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(context.Background())
	fund(t, second, 1000, testIssuer, testAlice)
	awaitLane(t, lane, "the lane is up", isUp)
	outcomes = submitAll(t.Context(), lane, 3)
	awaitOpen(t, client, 3)
	accept(t, second)
	for o := range collect(outcomes, 3) {
		if o.err != nil || o.v.LedgerIndex >= old {
			t.Errorf("%d: in ledger %d after %d, %v", o.n, o.v.LedgerIndex, old, o.err)
		}
	}
}
