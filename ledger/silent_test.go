package ledger

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/test/logs"
)

// silentNode validates a ledger for each time that it is asked for it, and its stream tells nothing, or what a test sends.
type silentNode struct {
	*stubNode
	index atomic.Int64
	polls atomic.Int64
	step  int64
}

func newSilentNode(t *testing.T) *silentNode {
	n := &silentNode{step: 1}
	n.index.Store(5)
	n.stubNode = newStub(t, func(_ int, method string, params map[string]any) string {
		switch method {
		case "subscribe":
			return reply(params, closedText(int(n.index.Load())))
		case "server_state":
			n.polls.Add(1)
			return reply(params, stateResult(int(n.index.Add(n.step))))
		}
		return refuse(params, "unknownCmd", "")
	})
	return n
}

// A stream that falls silent while the node goes on: watchers get the ledgers that the node is asked for, and the
// subscription is made over a new connection. A stream that stays silent is connected to less and less often.
func TestSilentStream(t *testing.T) {
	t.Parallel()
	n := newSilentNode(t)
	var log logs.Lines
	c := newClient(t, n.ws(), func(c *Config) {
		c.StreamCheck, c.Logger = 5*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil))
	})
	w := c.Watch(testAlice)
	defer w.Stop()
	events := reader{w: w}
	events.next(t, EventUp)
	for _, looks := range []int{leastPatience, 2 * leastPatience, 4 * leastPatience} {
		for range looks {
			if e := events.next(t, EventLedger); !e.Polled {
				t.Errorf("%+v is of the stream", e)
			}
		}
		if e := events.next(t, EventDown); !strings.Contains(e.Err.Error(), "its stream ends with ledger") {
			t.Errorf("%v", e.Err)
		}
		events.next(t, EventUp)
	}
	if got := strings.Count(log.String(), "the node's streams are silent; subscribing over a new connection"); got != 3 || c.Silences() != 3 {
		t.Errorf("%d lines, %d silences:\n%s", got, c.Silences(), log.String())
	}
}

// A stream that repeats old ledgers is silent too, and its messages are not passed on.
func TestStreamThatRepeatsAnOldLedger(t *testing.T) {
	t.Parallel()
	n := newSilentNode(t)
	c := newClient(t, n.ws(), func(c *Config) { c.StreamCheck = 5 * time.Millisecond })
	w := c.Watch(testAlice)
	defer w.Stop()
	events := reader{w: w}
	last := events.next(t, EventUp).Ledger.Index
	old := strings.TrimSuffix(closedText(4), "}") + `,"type":"ledgerClosed"}`
	for range leastPatience {
		n.send(old)
		e := events.next(t, EventLedger)
		if !e.Polled || e.Ledger.Index <= last {
			t.Errorf("%+v after ledger %d", e, last)
		}
		last = e.Ledger.Index
	}
	events.next(t, EventDown)
}

// While the stream tells, the node is not asked. Where neither goes on, as on a ledger that closes on command, nothing is
// connected to again. Where the node does not say which ledger it has validated, nothing is signed.
func TestStreamChecks(t *testing.T) {
	t.Parallel()
	n := newSilentNode(t)
	n.step = 0
	clock := newFakeClock()
	// Without pings: they time out where the clock advances before their answer.
	c := newClient(t, n.ws(), func(c *Config) { c.Clock, c.StreamCheck, c.PingInterval = clock, 4*time.Second, 24*time.Hour })
	w := c.Watch(testAlice)
	defer w.Stop()
	events := reader{w: w}
	events.next(t, EventUp)
	for index := 6; index < 9; index++ {
		clock.awaitWait(t, 4*time.Second) // the look before is over
		n.send(strings.TrimSuffix(closedText(index), "}") + `,"type":"ledgerClosed"}`)
		if e := events.next(t, EventLedger); e.Polled {
			t.Errorf("%+v", e)
		}
		clock.advance(4 * time.Second)
	}
	clock.awaitWait(t, 4*time.Second)
	if got := n.polls.Load(); got != 0 {
		t.Errorf("a node whose stream tells was asked %d times", got)
	}
	n.index.Store(8)
	for look := int64(1); look < 4; look++ {
		clock.advance(4 * time.Second)
		clock.awaitWait(t, 4*time.Second)
		if got := n.polls.Load(); got != look {
			t.Errorf("look %d: the node was asked %d times", look, got)
		}
	}
	if c.silent() {
		t.Error("a node that shows the same ledger counts as silent")
	}
	clock.advance(3 * time.Second)
	if c.silent() {
		t.Error("3 s without a word count as silence")
	}
	clock.advance(4 * time.Second)
	if !c.silent() && n.polls.Load() == 3 {
		t.Error("7 s without a word do not count as silence")
	}
	if len(n.open) != 1 || c.Silences() != 0 {
		t.Errorf("%d connections, %d silences", len(n.open), c.Silences())
	}
}

// An HTTP node whose validated ledger stands while its other answers are from newer ledgers: nothing is signed on it.
func TestHTTPNodeThatDoesNotAdvance(t *testing.T) {
	t.Parallel()
	var log logs.Lines
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		if method == "server_state" {
			return reply(params, stateResult(5))
		}
		return refuse(params, "unknownCmd", "")
	})
	c := newClient(t, s.http(), func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	w := c.Watch(testIssuer)
	defer w.Stop()
	events := reader{w: w}
	events.next(t, EventUp)
	if c.silent() {
		t.Error("silent before anything contradicts")
	}
	for _, index := range []uint32{6, 5 + maxLag, 5 + farAhead + 1} { // a few apart as nodes behind one address are; too far to prove anything
		if c.hub.saw(index); c.silent() {
			t.Errorf("silent by an answer from ledger %d", index)
		}
	}
	if c.hub.saw(5 + maxLag + 1); !c.silent() {
		t.Error("not silent")
	}
	await(t, func() bool { return strings.Contains(log.String(), "does not advance; nothing is signed on it") })
}

// await waits until something holds.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come about")
		}
	}
}

// reader takes a watcher's events one by one.
type reader struct {
	w      *Watcher
	events []Event
}

// next returns the next event, which must be of a kind; 0 is any.
func (r *reader) next(t *testing.T, kind EventKind) Event {
	t.Helper()
	limit := time.After(10 * time.Second)
	for len(r.events) == 0 {
		select {
		case <-r.w.Ready():
			r.events = r.w.Take()
		case <-limit:
			t.Fatalf("no event of kind %d", kind)
		}
	}
	e := r.events[0]
	r.events = r.events[1:]
	if kind != 0 && e.Kind != kind {
		t.Fatalf("%+v is not of kind %d", e, kind)
	}
	return e
}
