package ledger

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// EventKind says what an [Event] tells of.
type EventKind int

// What watchers hear of.
const (
	// EventUp: the node answers, and is subscribed to (again). Ledger is its last validated one. Whatever happened
	// between the last event before and this one was missed.
	EventUp EventKind = iota + 1
	// EventDown: the line to the node is lost; Err says why. It is being mended.
	EventDown
	// EventLedger: Ledger was validated. A node that is asked, not subscribed to, may have validated others in between.
	EventLedger
	// EventTx: Tx stands in a validated ledger. Over WebSocket only, and after that ledger's EventLedger.
	EventTx
	// EventGap: the watcher was too slow, and transactions were dropped.
	EventGap
)

// Event is what a node tells of by itself.
type Event struct {
	Kind   EventKind
	Ledger model.Ledger
	// Polled says that the node was asked for Ledger, as its stream does not tell: transactions up to it were missed.
	Polled bool
	Tx     *Transaction
	Err    error
}

// maxWatched bounds the events that wait for one watcher, besides [maxWatchedBytes]. A full ledger of 1,000 transactions that all concern one account
// needs a quarter of it.
const maxWatched = 4096

// Watcher receives what a node tells of ledgers and of the transactions of some accounts. What arrives is only
// enqueued: a slow watcher stops nobody, and loses transactions with an [EventGap] in their place.
type Watcher struct {
	accounts []model.Address
	hub      *hub
	link     link
	fresh    bool // has not heard EventUp yet; the hub's mutex guards it

	mu     sync.Mutex
	events []Event
	bytes  int // of the transactions in events
	gap    bool
	ready  chan struct{}
}

// Watch subscribes to validated ledgers and to the transactions of accounts, until Stop. Without accounts the watcher receives no
// transactions. The first event is EventUp,
// or EventDown while there is no connection.
func (c *Client) Watch(accounts ...model.Address) *Watcher {
	w := &Watcher{accounts: accounts, hub: c.hub, link: c.link, fresh: true, ready: make(chan struct{}, 1)}
	c.hub.add(w)
	c.link.rewatch()
	return w
}

// Ready receives when there is something to take.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Take returns what has arrived since the last call, in order.
func (w *Watcher) Take() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events, w.bytes, w.gap = nil, 0, false
	return events
}

// Stop ends the subscription.
func (w *Watcher) Stop() {
	w.hub.remove(w)
	w.link.rewatch()
}

func (w *Watcher) put(e Event) {
	size := 0
	if e.Kind == EventTx {
		size = e.Tx.size()
	}
	w.mu.Lock()
	if (len(w.events) >= maxWatched || w.bytes+size > maxWatchedBytes) && !w.gap {
		w.events = slices.DeleteFunc(w.events, func(e Event) bool { return e.Kind == EventTx })
		w.events = append(w.events, Event{Kind: EventGap})
		w.gap, w.bytes = true, 0
	}
	switch {
	case w.gap && e.Kind == EventTx: // until taken: what follows a gap is filled along with it
	case len(w.events) >= 2*maxWatched: // ledgers alone: hours of nobody taking; the newest is what counts
		w.events = append(w.events[:0:0], Event{Kind: EventGap}, e)
		w.bytes = size
	default:
		w.bytes += size
		w.events = append(w.events, e)
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// farAhead is by how many ledgers one that is told of may be ahead of the last one: a quarter of an hour of a public network,
// and more than a node skips that has lost its network for a moment. Past it the node is asked anew which ledger it has
// validated, as after a line was lost: one wrong message must not bound what is signed by a ledger that no network reaches.
const farAhead uint32 = 256

// checkAhead says whether a ledger is too far ahead of the last one to be taken as it is told of; last is 0 for none.
func checkAhead(index, last uint32) error {
	if last == 0 || index <= last || index-last <= farAhead {
		return nil
	}
	return &AnswerError{Method: "the ledger stream", Reason: fmt.Sprintf("it tells of ledger %d after ledger %d; asking anew which one is validated", index, last)}
}

// hub hands what a link hears to the watchers, through a gate where ledgers are to be proven.
type hub struct {
	gate   *gate // nil: none
	health *health
	clock  Clock

	mu       sync.Mutex
	watchers []*Watcher

	heard    atomic.Int64  // when the node last showed its validated ledger, in ns of Unix time
	told     atomic.Uint32 // the newest ledger that watchers were told of since the line came up, proven where that is asked for
	silences atomic.Uint64 // how often a silent stream ended a session
	seen     atomic.Uint32 // the newest one that any answer showed since then
}

func newHub(clock Clock) *hub {
	return &hub{health: newHealth(slog.New(slog.DiscardHandler)), clock: clock}
}

// confirm notes that the node has just shown which ledger it has validated.
func (h *hub) confirm() { h.heard.Store(h.clock.Now().UnixNano()) }

// silentFor returns how long ago that was.
func (h *hub) silentFor() time.Duration {
	return time.Duration(h.clock.Now().UnixNano() - h.heard.Load())
}

// maxLag is by how many ledgers an answer may be ahead of what watchers were told. Nodes behind one address differ by a few.
const maxLag = 4

// saw takes in that an answer was from a validated ledger. One that is far ahead proves nothing.
func (h *hub) saw(index uint32) {
	if told := h.told.Load(); index > told && index-told <= farAhead && index > h.seen.Load() {
		h.seen.Store(index)
	}
}

// lags says whether answers are from ledgers well past the one that watchers were told of.
func (h *hub) lags() bool { return h.seen.Load() > h.told.Load()+maxLag }

func (h *hub) add(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = append(h.watchers, w)
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = slices.DeleteFunc(h.watchers, func(o *Watcher) bool { return o == w })
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = nil
}

func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers) > 0
}

// accounts returns all that are watched, each once.
func (h *hub) accounts() []model.Address {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []model.Address
	for _, w := range h.watchers {
		all = append(all, w.accounts...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// up tells of a subscription: all watchers after a line was down, else only those that have not heard yet.
func (h *hub) up(l model.Ledger, all bool) {
	if h.gate != nil {
		h.gate.put(gated{Event{Kind: EventUp, Ledger: l}, all})
		return
	}
	h.tellUp(l, all)
}

func (h *hub) tellUp(l model.Ledger, all bool) {
	h.health.hear(l, h.clock.Now())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.confirm()
	if all {
		h.told.Store(l.Index)
		h.seen.Store(l.Index)
	}
	for _, w := range h.watchers {
		if all || w.fresh {
			w.fresh = false
			w.put(Event{Kind: EventUp, Ledger: l})
		}
	}
}

func (h *hub) down(err error) {
	if h.gate != nil {
		h.gate.down(err)
		return
	}
	h.tell(Event{Kind: EventDown, Err: err})
}

func (h *hub) ledger(l model.Ledger, polled bool) {
	h.event(Event{Kind: EventLedger, Ledger: l, Polled: polled})
}

func (h *hub) transaction(t *Transaction) { h.event(Event{Kind: EventTx, Tx: t}) }

func (h *hub) event(e Event) {
	if h.gate != nil {
		h.gate.put(gated{Event: e})
		return
	}
	h.tell(e)
}

func (h *hub) tell(e Event) {
	if e.Kind == EventLedger {
		h.health.hear(e.Ledger, h.clock.Now())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Kind == EventLedger {
		h.confirm()
		h.told.Store(max(h.told.Load(), e.Ledger.Index))
	}
	for _, w := range h.watchers {
		if e.Kind != EventTx || len(w.accounts) > 0 {
			w.put(e)
		}
	}
}
