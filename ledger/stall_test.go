package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

// rewrite changes the result of a node's answers that have a member.
func rewrite(member string, change func(result map[string]any)) func([]byte) []byte {
	return func(data []byte) []byte {
		if !strings.Contains(string(data), member) {
			return data
		}
		var a map[string]any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if decoder.Decode(&a) != nil {
			return data
		}
		if result, ok := a["result"].(map[string]any); ok {
			change(result)
		}
		out, _ := json.Marshal(a)
		return out
	}
}

// openAhead has the open ledger count a number of transactions that are never validated, while on is set.
func openAhead(n int64, on *atomic.Bool) func([]byte) []byte {
	return rewrite(`"ledger_current_index"`, func(result map[string]any) {
		if data, ok := result["account_data"].(map[string]any); ok && on.Load() {
			sequence, _ := data["Sequence"].(json.Number).Int64()
			data["Sequence"] = sequence + n
		}
	})
}

// TestLaneFillsGap: another program's transactions were in the open ledger when the lane started or came back, and are never validated.
func TestLaneFillsGap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		mode  Mode
		ahead int64
		later bool // the line comes back to it
	}{
		{"at a start", Sequences, 1, false},
		{"several", Sequences, 5, false},
		{"when the line comes back", Sequences, 2, true},
		{"more than can be", Sequences, 1_000_000_000, false},
		{"before the tickets", Tickets, 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			p := newProxy(t, node.WebSocketURL())
			var ahead atomic.Bool
			p.filter(nil, openAhead(tt.ahead, &ahead))
			ahead.Store(!tt.later)
			log := &logs.Lines{}
			lane, _ := startLane(t, p.ws(), nil, func(c *LaneConfig) { patient(c); c.Mode, c.Tickets, c.Logger = tt.mode, 20, log.Logger() })
			awaitLane(t, lane, "the lane is up", isUp)
			const n = 5
			if tt.later {
				ahead.Store(true)
				p.cut()
				awaitLane(t, lane, "the line is down", func(s Status) bool { return !s.Up })
				awaitLane(t, lane, "the lane is up", isUp)
			}
			outcomes := submitAll(t.Context(), lane, n)
			keepClosing(t, node, 20*time.Millisecond)
			wantAll(t, node, outcomes, n)
			filled, bogus := log.Count("filling a sequence gap"), log.Count("a sequence that cannot be")
			if huge := tt.ahead > 1000; huge && (filled != 0 || bogus == 0) || !huge && filled != 1 {
				t.Errorf("%d gaps filled, %d sequences ignored:\n%s", filled, bogus, log)
			}
		})
	}
}

// TestLaneGapOfALaggingNode: an account of an older ledger, or one that another program moves on, is no gap.
func TestLaneGapOfALaggingNode(t *testing.T) {
	t.Parallel()
	lane := idleLane(t, LaneConfig{})
	lane.next = 12
	lane.inFlight[slot{n: 10}], lane.inFlight[slot{n: 11}] = &operation{}, &operation{}
	account := func(sequence, ledger uint32) AccountInfo {
		return AccountInfo{Account: model.Account{Sequence: sequence}, LedgerIndex: ledger}
	}
	want := func(what string, n int) {
		t.Helper()
		if len(lane.free) != n {
			t.Errorf("%s: free are %v, want %d", what, lane.free, n)
		}
	}
	lane.progress.used = 100
	for range 3 {
		lane.closeGap(account(7, 99))
	}
	want("older than the last transaction", 0)
	lane.closeGap(account(7, 101))
	lane.closeGap(account(8, 103))
	lane.closeGap(account(9, 105))
	want("moved on by another", 0)
	lane.closeGap(account(10, 107))
	lane.closeGap(account(10, 109))
	want("no gap", 0)
	lane.closeGap(account(8, 110))
	lane.closeGap(account(8, 111))
	want("not for long", 0)
	lane.closeGap(account(8, 112))
	want("for long", 2)
	lane.closeGap(account(8, 115))
	want("being filled", 2)
}

// TestLaneStalls: a lane of which nothing is validated says so, with the cause, and logs it once.
func TestLaneStalls(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	log := &logs.Lines{}
	lane, _ := startLane(t, p.ws(), nil, func(c *LaneConfig) { c.LedgerOffset, c.Signings, c.Logger = 4, 1000, log.Logger() })
	awaitLane(t, lane, "the lane is up", isUp)
	for range 20 { // without work there is no stall
		accept(t, node)
	}
	if s := lane.Status(); s.Stalled || s.Trouble != "" {
		t.Errorf("idle: %+v", s)
	}
	p.filter(func(data []byte) []byte {
		if isSubmit(data) {
			p.answer(fakeSubmit(t, data, "tesSUCCESS"))
			return nil
		}
		return data
	}, nil)
	const n = 3
	outcomes := submitAll(t.Context(), lane, n)
	awaitLane(t, lane, "it has begun", hasBegun)
	keepClosing(t, node, 20*time.Millisecond)
	awaitLane(t, lane, "it is stalled", func(s Status) bool { return s.Stalled })
	if s := lane.Status(); !strings.Contains(s.Trouble, "XRPL_NETWORK") || !strings.Contains(s.Trouble, "nothing was validated for") || !lane.Stats().Stalled {
		t.Errorf("%+v", s)
	}
	p.filter(nil, nil)
	wantAll(t, node, outcomes, n)
	awaitLane(t, lane, "it is not stalled", func(s Status) bool { return !s.Stalled && s.Trouble == "" })
	if log.Count("nothing is validated while work is pending") != 1 || log.Count("transactions are validated again") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// TestLaneFeesAboveLimit: one warning when the node asks more than the limit, one line when it does not any more, and the
// status has both values meanwhile.
func TestLaneFeesAboveLimit(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	p := newProxy(t, node.WebSocketURL())
	log := &logs.Lines{}
	lane, _ := startLane(t, p.ws(), nil, func(c *LaneConfig) { patient(c); c.MaxWait, c.Logger = time.Minute, log.Logger() })
	awaitLane(t, lane, "the lane is up", isUp)
	var asked atomic.Int64
	asked.Store(5000)
	p.filter(func(data []byte) []byte {
		if isSubmit(data) && asked.Load() > 1000 {
			p.answer(fakeSubmit(t, data, "telINSUF_FEE_P"))
			return nil
		}
		return data
	}, rewrite(`"expected_ledger_size"`, func(result map[string]any) {
		result["drops"].(map[string]any)["open_ledger_fee"] = fmt.Sprint(asked.Load())
	}))
	outcomes := submitAll(t.Context(), lane, 4)
	keepClosing(t, node, 20*time.Millisecond)
	awaitLane(t, lane, "fees are above the limit", func(s Status) bool { return s.FeeDrops == 5000 && s.MaxFeeDrops == 1000 })
	awaitLane(t, lane, "it is stalled by fees", func(s Status) bool { return s.Stalled })
	if s := lane.Status(); !strings.Contains(s.Trouble, "5000 drops") || !strings.Contains(s.Trouble, "limit of 1000") || !lane.Stats().FeeOver {
		t.Errorf("%+v", s)
	}
	asked.Store(10)
	collect(outcomes, 4)
	awaitLane(t, lane, "fees are within the limit", func(s Status) bool { return s.FeeDrops == 0 && s.Trouble == "" })
	if log.Count("submission paused: fee above limit") != 1 || log.Count("submission resumed: fee within limit") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// TestLaneLearnsNetworkID: a network id that the node did not name at the start is asked for again, and blobs without it are
// signed again with the same sequence.
func TestLaneLearnsNetworkID(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{"telREQUIRES_NETWORK_ID", "telWRONG_NETWORK"} {
		t.Run(refusal, func(t *testing.T) {
			t.Parallel()
			const id = 21338
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			p := newProxy(t, node.WebSocketURL())
			var known atomic.Bool
			var signed []uint32
			var mu sync.Mutex
			p.filter(func(data []byte) []byte {
				var req struct {
					Blob string `json:"tx_blob"`
				}
				if !isSubmit(data) || json.Unmarshal(data, &req) != nil {
					return data
				}
				mu.Lock()
				signed = append(signed, networkOf(req.Blob))
				mu.Unlock()
				if networkOf(req.Blob) == id {
					p.answer(fakeSubmit(t, data, "tesSUCCESS"))
				} else {
					p.answer(fakeSubmit(t, data, refusal))
				}
				return nil
			}, rewrite(`"build_version"`, func(result map[string]any) {
				if info, ok := result["info"].(map[string]any); ok && known.Load() {
					info["network_id"] = id
				}
			}))
			lane, _ := startLane(t, p.ws(), nil, nil)
			awaitLane(t, lane, "the lane is up", isUp)
			next := lane.Status().NextSequence
			known.Store(true)
			submitAll(t.Context(), lane, 1)
			awaitLane(t, lane, "it is signed again", func(Status) bool {
				mu.Lock()
				defer mu.Unlock()
				return len(signed) == 2
			})
			mu.Lock()
			defer mu.Unlock()
			if signed[0] != 0 || signed[1] != id || lane.Status().NextSequence != next+1 {
				t.Errorf("signed for networks %v, next sequence %d after %d", signed, lane.Status().NextSequence, next)
			}
		})
	}
}

// TestNetworkOf reads the field back from what is signed.
func TestNetworkOf(t *testing.T) {
	t.Parallel()
	seed, _ := vectorSeed(t, "issuer", "ed25519")
	for _, id := range []uint32{0, 2, 1024, 1025, 21338, 4_000_000_000} {
		signed, err := seed.Sign(create(1), Terms{Account: testIssuer, Sequence: 7, Fee: 10, LastLedgerSequence: 9, NetworkID: id})
		if err != nil {
			t.Fatal(err)
		}
		want := id
		if id <= maxLegacyNetworkID {
			want = 0
		}
		if got := networkOf(signed.Blob); got != want {
			t.Errorf("network %d: the blob has %d", id, got)
		}
	}
}
