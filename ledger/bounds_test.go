package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// What waits for a watcher is bounded in bytes, however few and big the transactions are; it hears of the gap once.
func TestWatcherBoundInBytes(t *testing.T) {
	t.Parallel()
	h := newHub(SystemClock{})
	w := &Watcher{accounts: []model.Address{testIssuer}, hub: h, ready: make(chan struct{}, 1)}
	h.add(w)
	for _, size := range []int{1 << 10, 1 << 20, maxWatchedBytes + 1} {
		for range 3 * maxWatchedBytes / size {
			h.transaction(&Transaction{Meta: make([]byte, size)})
			if w.bytes > maxWatchedBytes {
				t.Fatalf("%d bytes wait", w.bytes)
			}
		}
		h.transaction(&Transaction{Meta: make([]byte, size)})
		h.ledger(model.Ledger{Index: 7}, false)
		gaps, held := 0, 0
		events := w.Take()
		for _, e := range events {
			switch e.Kind {
			case EventGap:
				gaps++
			case EventTx:
				held += e.Tx.size()
			}
		}
		if gaps != 1 || held > maxWatchedBytes || events[len(events)-1].Kind != EventLedger {
			t.Errorf("of %d bytes each: %d gaps, %d bytes, %d events", size, gaps, held, len(events))
		}
	}
	h.transaction(&Transaction{Meta: make([]byte, 10)})
	if e := w.Take(); len(e) != 1 || e[0].Kind != EventTx || w.bytes != 0 {
		t.Errorf("after a gap: %+v, %d bytes", e, w.bytes)
	}
}

// A node that sends more than it was asked for, in whatever messages, loses its connection, and is connected to after waits
// that grow.
func TestFloodEndsTheConnection(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 4<<20)
	for name, text := range map[string]string{
		"transactions":       fmt.Sprintf(`{"type":"transaction","validated":true,"hash":%q,"ledger_index":5,"tx_json":{},"meta":{"x":"%s"}}`, testHash, big),
		"unvalidated ones":   fmt.Sprintf(`{"type":"transaction","meta":{"x":"%s"}}`, big),
		"another stream":     fmt.Sprintf(`{"type":"serverStatus","x":"%s"}`, big),
		"late answers":       fmt.Sprintf(`{"id":1,"type":"response","status":"success","result":{"x":"%s"}}`, big),
		"limits of a no one": fmt.Sprintf(`{"error":"slowDown","x":"%s"}`, big),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, func(_ int, method string, params map[string]any) string { return reply(params, closedText(5)) })
			clock := newFakeClock()
			c := newClient(t, s.ws(), func(c *Config) { c.Clock, c.Rand = clock, func() float64 { return 0 } })
			w := c.Watch(testAlice)
			defer w.Stop()
			events := reader{w: w}
			events.next(t, EventUp)
			for range maxUnasked>>22 + 1 {
				s.send(text)
			}
			for {
				e := events.next(t, 0)
				if e.Kind == EventTx || e.Kind == EventGap {
					continue
				}
				var flood *floodError
				if e.Kind != EventDown || !errors.As(e.Err, &flood) {
					t.Fatalf("%+v", e)
				}
				break
			}
		})
	}
}

// Lists end, however their pages go on: with markers that are new each time, or with more bytes than may be held.
func TestListsEnd(t *testing.T) {
	t.Parallel()
	var guard markerGuard
	pages := 0
	for guard.check([]byte(fmt.Sprint(pages))) == nil {
		pages++
	}
	if pages != maxListPages-1 {
		t.Errorf("a list ends after %d pages", pages)
	}
	fill := strings.Repeat("x", 7<<20)
	s := newStub(t, func(n int, method string, params map[string]any) string {
		if method == "account_objects" {
			var tickets []string
			for i := range 100 {
				tickets = append(tickets, fmt.Sprintf(`{"LedgerEntryType":"Ticket","Account":%q,"TicketSequence":%d}`, testIssuer, 100*n+i))
			}
			return reply(params, fmt.Sprintf(`{"account":%q,"account_objects":[%s],"ledger_index":7,"ledger_hash":%q,"validated":true,"marker":"m%d"}`,
				testIssuer, strings.Join(tickets, ","), testHash, n))
		}
		return reply(params, fmt.Sprintf(`{"account":%q,"ledger_index_min":2,"ledger_index_max":9,"transactions":[],"marker":"m%d","x":"%s"}`, testIssuer, n, fill))
	})
	bothWays(t, s, nil, func(t *testing.T, c *Client) {
		s.calls.Store(0)
		err := c.AccountTx(t.Context(), testIssuer, 2, 9, func(*Transaction) {})
		if wantAnswerError(t, err, "more than 64 MiB"); !errors.Is(err, errTooLong) || s.calls.Load() != 10 {
			t.Errorf("%v after %d pages", err, s.calls.Load())
		}
		s.calls.Store(0)
		_, _, err = c.tickets(t.Context(), testIssuer)
		if wantAnswerError(t, err, "more than the 250 tickets"); s.calls.Load() != 3 {
			t.Errorf("%v after %d pages", err, s.calls.Load())
		}
	})
}

// An engine result that is none is no answer, so that what an operation keeps of it is small.
func TestEngineResultIsBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]bool{1: true, maxEngineResult: true, maxEngineResult + 1: false, 8 << 20: false} {
		_, err := decodeSubmit(fmt.Appendf(nil, `{"engine_result":"%s","hash":%q}`, strings.Repeat("x", size), testHash), testHash)
		if (err == nil) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	now := time.Now()
	var u unasked
	if u.add(now, maxUnasked) != nil || u.add(now, 1) == nil || u.add(now.Add(2*unaskedWindow), maxUnasked) != nil {
		t.Error("the window is not what it is said to be")
	}
}
