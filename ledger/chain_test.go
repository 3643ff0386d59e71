package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// mainnetHeader is the header of the oldest ledger of Mainnet that exists, from its public history.
const mainnetHeader = `{"ledger_index":32570,"ledger_hash":"4109C6F2045FC7EFF4CDE8F9905D19C28820D86304080FF886B299F0206E42B5","validated":true,"ledger":{
	"ledger_index":"32570","total_coins":"99999999999996320","parent_hash":"60A01EBF11537D8394EA1235253293508BDA7131D5F8710EFE9413AA129653A2",
	"transaction_hash":"0000000000000000000000000000000000000000000000000000000000000000",
	"account_hash":"3806AF8F22037DE598D30D38C8861FADF391171D26F7DE34ACFA038996EA6BEB",
	"parent_close_time":410325660,"close_time":410325670,"close_time_resolution":10,"close_flags":0}}`

// TestHeader: the hash of a real ledger is that of its header, and no other header has it.
func TestHeader(t *testing.T) {
	t.Parallel()
	h, err := decodeHeader(json.RawMessage(mainnetHeader))
	if err != nil || h.Index != 32570 || h.CloseTime != 410325670 || !strings.HasPrefix(h.parent, "60A01EBF") {
		t.Fatalf("%+v, %v", h, err)
	}
	for from, to := range map[string]string{
		`"ledger_index":32570`:       `"ledger_index":32571`,
		`"ledger_index":"32570"`:     `"ledger_index":"32571"`,
		`99999999999996320`:          `99999999999996321`,
		`60A01EBF`:                   `60A01EBE`,
		`"00000000`:                  `"10000000`,
		`3806AF8F`:                   `3806AF8E`,
		`410325660`:                  `410325661`,
		`"close_time":410325670`:     `"close_time":410325671`,
		`resolution":10`:             `resolution":266`,
		`"close_flags":0`:            `"close_flags":1`,
		`"account_hash":"3806AF8F22`: `"account_hash":"`,
		`"validated":true`:           `"validated":false`,
		`"4109C6F2`:                  `"4109C6F3`,
	} {
		raw := strings.Replace(mainnetHeader, from, to, 1)
		if h, err := decodeHeader(json.RawMessage(raw)); raw == mainnetHeader || err == nil {
			t.Errorf("%s: %+v", to, h)
		}
	}
}

func proving(c *Config) { c.Proof = &ProofConfig{} }

// awaitLedger waits until a watcher has heard of a ledger, and fails where it hears of a later one.
func awaitLedger(t *testing.T, w *Watcher, index uint32) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case <-w.Ready():
			for _, e := range w.Take() {
				switch {
				case e.Ledger.Index > index:
					t.Fatalf("ledger %d was accepted", e.Ledger.Index)
				case e.Ledger.Index == index:
					return
				}
			}
		case <-limit:
			t.Fatalf("nothing of ledger %d", index)
		}
	}
}

// TestProof: watchers hear of each ledger of an honest node, in order and before its transactions, with one request for each.
func TestProof(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer)
	p := newProxy(t, node.WebSocketURL())
	var headers atomic.Int64
	p.filter(func(data []byte) []byte {
		if strings.Contains(string(data), `"command":"ledger"`) {
			headers.Add(1)
		}
		return data
	}, nil)
	for _, url := range []string{node.URL(), p.ws()} {
		c := newClient(t, url, proving)
		w := c.Watch(testIssuer)
		up := wantEvent(t, w, EventUp)
		if mark(up.Ledger) != c.Proven() {
			t.Errorf("up with %+v, proven is %+v", up.Ledger, c.Proven())
		}
		headers.Store(0)
		for range 5 {
			if _, err := node.Fund(t.Context(), string(testIssuer), 1_000_000); err != nil {
				t.Fatal(err)
			}
			awaitLedger(t, w, accept(t, node))
		}
		if n := headers.Load(); url == p.ws() && n > 10 { // Fund closes ledgers too
			t.Errorf("%d headers", n)
		}
		if e := wantEventAfter(t, node, w); url == p.ws() && e.Tx == nil {
			t.Error("no transaction")
		}
		w.Stop()
		if con, un := c.Faults(); con+un != 0 {
			t.Errorf("%d contradictions, %d unproven", con, un)
		}
	}
}

// wantEventAfter has something happen, and returns the transaction that is heard of, or over HTTP the ledger.
func wantEventAfter(t *testing.T, node *sandbox.Server, w *Watcher) Event {
	t.Helper()
	if _, err := node.Fund(t.Context(), string(testIssuer), 1_000_000); err != nil {
		t.Fatal(err)
	}
	accept(t, node)
	if w.link.streams() {
		return wantEvent(t, w, EventTx)
	}
	return wantEvent(t, w, EventLedger)
}

// TestProofAcrossGaps: after ledgers that were missed, few or many, the newest is proven by its parents, by the list of the last
// hashes, or by a flag ledger; and what is known from before counts at the start.
func TestProofAcrossGaps(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer)
	c := newClient(t, node.WebSocketURL(), proving)
	for _, gap := range []int{1, 2, proofWalk, proofWalk + 1, 200, 300, 600} {
		for range gap {
			accept(t, node)
		}
		l, err := c.Ledger(t.Context())
		if err != nil || c.Proven().Index != l.Index {
			t.Fatalf("%d: %+v, proven %+v, %v", gap, l, c.Proven(), err)
		}
	}
	known := c.mustNetwork(t)
	for range 300 {
		accept(t, node)
	}
	for name, change := range map[string]func(*model.Network){
		"":      func(*model.Network) {},
		"last":  func(n *model.Network) { n.Last.Hash = testHash },
		"flag":  func(n *model.Network) { n.Flag.Hash = testHash },
		"later": func(n *model.Network) { n.Last.CloseTime += 10_000 },
	} {
		known := known
		change(&known)
		d := newClient(t, node.WebSocketURL(), proving)
		d.Trust(known)
		if _, err := d.Ledger(t.Context()); Contradicts(err) != (name != "") || (err != nil) != (name != "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

var (
	indexes    = regexp.MustCompile(`"(ledger_index|seq)":(\d+)`)
	closeTimes = regexp.MustCompile(`"(ledger_time|close_time)":(\d+)`)
	hashes     = regexp.MustCompile(`"(ledger_hash|hash)":"[0-9A-F]{64}"`)
)

// shifted adds to the numbers that an expression finds.
func shifted(find *regexp.Regexp, by int) func([]byte) []byte {
	return func(data []byte) []byte {
		return find.ReplaceAllFunc(data, func(m []byte) []byte {
			parts := find.FindSubmatch(m)
			n, _ := strconv.Atoi(string(parts[2]))
			return fmt.Appendf(nil, `"%s":%d`, parts[1], n+by)
		})
	}
}

// TestLies: whatever a node says of its validated ledger that its header does not show, or that does not follow the ledgers
// before, no watcher hears of; it is counted, and all goes on as soon as the node is honest.
func TestLies(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func([]byte) []byte{
		"an index far ahead":        shifted(indexes, 3_000_000_000),
		"an index somewhat ahead":   shifted(indexes, 5),
		"an index behind":           shifted(indexes, -1),
		"a later close time":        shifted(closeTimes, 1000),
		"an earlier close time":     shifted(closeTimes, -3),
		"a hash that no ledger has": func(b []byte) []byte { return hashes.ReplaceAll(b, []byte(`"$1":"`+testHash+`"`)) },
		"an index and a close time": func(b []byte) []byte { return shifted(closeTimes, 3)(shifted(indexes, 3_000_000_000)(b)) },
		"ledgers that are not there": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"parent_hash":"`, `"parent_hash":"0`, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer)
			p := newProxy(t, node.WebSocketURL())
			c := newClient(t, p.ws(), proving)
			w := c.Watch()
			defer w.Stop()
			known := c.mustNetwork(t)
			c.Trust(known)
			wantEvent(t, w, EventUp)
			p.filter(nil, lie)
			accept(t, node)
			truly := accept(t, node)
			wantEvent(t, w, EventDown)
			if got := c.Proven(); got.Index >= truly {
				t.Errorf("ledger %d is proven", got.Index)
			}
			if l, err := c.Ledger(t.Context()); err == nil {
				t.Errorf("%+v", l)
			}
			if now, err := c.SameNetwork(t.Context(), known); err == nil {
				t.Errorf("%+v", now)
			}
			p.filter(nil, nil)
			if e := wantEvent(t, w, EventUp); e.Ledger.Index != truly {
				t.Errorf("up with %+v", e.Ledger)
			}
			if now, err := c.SameNetwork(t.Context(), known); err != nil || now.Last.Index != truly {
				t.Errorf("%+v, %v", now, err)
			}
		})
	}
}

// TestNoHashes: a node that shows no hashes between its ledger and the last proven one is not accepted, and is no liar.
func TestNoHashes(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer)
	p := newProxy(t, node.WebSocketURL())
	c := newClient(t, p.ws(), proving)
	c.Trust(c.mustNetwork(t))
	for range 20 {
		accept(t, node)
	}
	id := regexp.MustCompile(`"id":(\d+)`)
	p.filter(func(data []byte) []byte {
		s, code := string(data), ""
		switch {
		case strings.Contains(s, `"command":"ledger_entry"`):
			code = "entryNotFound"
		case strings.Contains(s, `"command":"ledger"`) && strings.Contains(s, `"ledger_index"`):
			code = "lgrNotFound"
		default:
			return data
		}
		p.answer(`{"type":"response","status":"error","error":"` + code + `",` + string(id.Find(data)) + `}`)
		return nil
	}, nil)
	_, err := c.Ledger(t.Context())
	var unproven *UnprovenError
	if !errors.As(err, &unproven) || unproven.Contradiction {
		t.Fatalf("%v", err)
	}
	p.filter(nil, nil)
	if _, err := c.Ledger(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestPlausible: an index and a close time are bounded by the time that has passed, also over many small steps.
func TestPlausible(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	c := newChain(&Client{cfg: Config{Clock: clock}}, ProofConfig{Interval: 2 * time.Second, Ahead: 5 * time.Minute})
	start := uint32(clock.Now().Unix() - 946684800)
	c.trust(model.Network{Last: model.Ledger{Index: 1000, CloseTime: start - 10_000}, Seen: clock.Now()})
	step := func(index, closeTime uint32, want bool) {
		t.Helper()
		h := header{Ledger: model.Ledger{Index: index, Hash: testHash, CloseTime: closeTime}}
		err := c.plausible(h, c.last, c.credit+clock.Now().Sub(c.at))
		if (err == nil) != want || err != nil && !Contradicts(err) {
			t.Errorf("ledger %d of %d: %v", index, closeTime-start, err)
		}
		if err == nil {
			c.accept(h.Ledger)
		}
	}
	step(1001, start+301, false)             // ahead of the clock
	step(1001, start-10_000, false)          // no later than the one before
	step(1010, start-9_991, false)           // less than a second for each
	step(1000+proofBurst+1, start, false)    // more than a burst
	step(1000+proofBurst, start-5000, true)  // a burst
	step(1001+proofBurst, start-4990, false) // and no more
	clock.advance(10 * time.Second)
	step(1006+proofBurst, start-4000, false)
	step(1005+proofBurst, start-4000, true)
	clock.advance(time.Hour)
	step(1006+proofBurst, start, true)
	step(1006+2*proofBurst, start+300, true)
}

// TestAnswerFromALaterLedger: nothing is concluded from an account that is read from a ledger past the proven one.
func TestAnswerFromALaterLedger(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer)
	p := newProxy(t, node.WebSocketURL())
	c := newClient(t, p.ws(), proving)
	if a, err := c.AccountInfo(t.Context(), testIssuer); err != nil || a.LedgerIndex != c.Proven().Index {
		t.Fatalf("%+v, proven %+v, %v", a, c.Proven(), err)
	}
	accept(t, node)
	if a, err := c.AccountInfo(t.Context(), testIssuer); err != nil || a.LedgerIndex != c.Proven().Index {
		t.Fatalf("%+v, proven %+v, %v", a, c.Proven(), err)
	}
	for by, contradicts := range map[int]bool{1: false, 3_000_000_000: true} {
		p.filter(nil, func(data []byte) []byte {
			if strings.Contains(string(data), `"account_data"`) {
				return shifted(indexes, by)(data)
			}
			return data
		})
		a, err := c.AccountInfo(t.Context(), testIssuer)
		if err == nil || Contradicts(err) != contradicts {
			t.Errorf("%d ahead: %+v, %v", by, a, err)
		}
	}
}

// TestSequenceJump: an account's Sequence rises by its transactions alone. One that no transaction explains is another ledger's.
func TestSequenceJump(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{CloseInterval: 50 * time.Millisecond})
	p := newProxy(t, node.WebSocketURL())
	fund(t, node, 1000, testIssuer, testAlice)
	lane, c := startLane(t, p.ws(), proving, nil)
	if r := <-submitAll(t.Context(), lane, 1); r.err != nil {
		t.Fatal(r.err)
	}
	awaitLane(t, lane, "up", isUp)
	truly, err := c.AccountInfo(t.Context(), lane.Account())
	if err != nil {
		t.Fatal(err)
	}
	sequence := regexp.MustCompile(`("Account":"` + string(lane.Account()) + `".*?)"(Sequence)":(\d+)`)
	p.filter(nil, func(data []byte) []byte {
		if !strings.Contains(string(data), `"account_data"`) {
			return data
		}
		return sequence.ReplaceAllFunc(data, func(m []byte) []byte {
			parts := sequence.FindSubmatch(m)
			n, _ := strconv.Atoi(string(parts[3]))
			return fmt.Appendf(nil, `%s"Sequence":%d`, parts[1], n+4)
		})
	})
	p.cut()
	awaitLane(t, lane, "contradicted", func(s Status) bool {
		contradictions, _ := c.Faults()
		return contradictions > 0 && !s.Up
	})
	if s := lane.Status(); s.NextSequence > truly.Sequence {
		t.Errorf("it goes on with %d, and the account is at %d", s.NextSequence, truly.Sequence)
	}
	p.filter(nil, nil)
	if v, err := lane.Submit(t.Context(), create(1)); err != nil || !v.Succeeded() {
		t.Errorf("%+v, %v", v, err)
	}
}
