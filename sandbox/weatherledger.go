package sandbox

import (
	"errors"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// shownNode is what requests are answered from: the ledger, or what a node that is behind knows of it.
func (s *Server) shownNode() *engine.Node {
	if s.weather != nil {
		if n := s.weather.shown.Load(); n != nil {
			return n
		}
	}
	return s.node
}

// since is when the server last started.
func (s *Server) since() time.Time {
	if s.weather != nil {
		s.weather.mu.Lock()
		defer s.weather.mu.Unlock()
		if !s.weather.started.IsZero() {
			return s.weather.started
		}
	}
	return s.started
}

// relay stands between the ledger and the hub, and keeps back what is not to be told, or not yet.
type relay struct {
	hub *hub

	mu     sync.Mutex
	behind bool
	held   []event // ledgers that closed meanwhile
	gap    int     // ledgers that nobody is told of
}

// Proposed implements engine.Observer.
func (r *relay) Proposed(t *codec.Tx, res engine.TER, seq uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.behind {
		r.hub.Proposed(t, res, seq)
	}
}

// LedgerClosed implements engine.Observer.
func (r *relay) LedgerClosed(l *engine.Ledger, records []*engine.TxRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := event{ledger: l, records: records}
	switch quiet := (event{ledger: l, quiet: true}); {
	case r.gap > 0:
		r.gap--
		r.hub.push(quiet)
	case r.behind:
		r.hub.push(quiet)
		r.held = append(r.held, e)
	default:
		r.hub.push(e)
	}
}

// FeeChanged implements engine.Observer.
func (r *relay) FeeChanged(m engine.FeeMetrics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.behind {
		r.hub.FeeChanged(m)
	}
}

func (r *relay) fallBehind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behind = true
}

// catchUp tells of what was kept back, unless nobody is there to be told.
func (r *relay) catchUp(tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tell {
		for _, e := range r.held {
			r.hub.push(e)
		}
	}
	r.behind, r.held = false, nil
}

func (r *relay) skip(ledgers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gap += ledgers
}

func (r *relay) noGap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gap = 0
}

// closeLedger closes a ledger in this weather. Where none closes it gives the last one.
func (w *weather) closeLedger(at *uint32) (*engine.Ledger, error) {
	w.closing.Lock()
	defer w.closing.Unlock()
	node := w.srv.node
	if w.stalled > 0 {
		w.stalled--
		return node.Closed(), nil
	}
	if r, _, ok := w.happens(Stall, false); ok {
		w.stalled = r.ledgers() - 1
		return node.Closed(), nil
	}
	if w.shown.Load() != nil && w.unseen == 0 {
		w.catchUp()
	}
	if r, _, ok := w.happens(Behind, w.shown.Load() != nil); ok {
		w.fallBehind(r.ledgers())
	}
	if r, _, ok := w.happens(Gap, false); ok {
		w.relay.skip(r.ledgers())
	}
	l, err := node.Close(at)
	if err != nil {
		return nil, err
	}
	if w.unseen > 0 {
		w.unseen--
	}
	if r, x, ok := w.happens(Freeze, false); ok {
		w.freeze(r.span(x))
	}
	r, x, again := w.happens(Restart, false)
	if rb, y, back := w.happens(Rollback, again); back {
		// No further than there are ledgers.
		err = w.restart(min(rb.ledgers(), int(l.Seq)-2), rb.span(y), nil)
	} else if again {
		err = w.restart(0, r.span(x), nil)
	}
	if err != nil {
		// The ledger that was closed stays so.
		w.srv.log.Error("the node could not be restarted; it goes on", "cause", err)
		err = nil
	}
	return l, err
}

// strike makes what happens to ledgers happen now.
func (w *weather) strike(f Fault, r Rule, spared *line) error {
	w.closing.Lock()
	defer w.closing.Unlock()
	w.mu.Lock()
	x := lot(w.spec.Seed, f, 1, w.state(f).next)
	w.mu.Unlock()
	var err error
	switch f {
	case Gap:
		w.relay.skip(r.ledgers())
	case Stall:
		w.stalled += r.ledgers()
	case Behind:
		if w.shown.Load() != nil {
			return errors.New("weather: the node is behind already")
		}
		w.fallBehind(r.ledgers())
	case Freeze:
		w.freeze(r.span(x))
	case Restart:
		err = w.restart(0, r.span(x), spared)
	case Rollback:
		err = w.restart(r.ledgers(), r.span(x), spared)
	}
	if err == nil {
		w.mu.Lock()
		w.count(f).Occasions++
		w.count(f).Done++
		w.mu.Unlock()
	}
	return err
}

func (w *weather) freeze(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until := w.now().Add(d); until.After(w.frozen) {
		w.frozen = until
	}
}

// fallBehind lets requests see a copy of the ledger from now on.
func (w *weather) fallBehind(ledgers int) {
	w.relay.fallBehind()
	f := w.srv.node.Fork()
	f.Observe(proposedOnly{w.srv.hub})
	w.unseen = ledgers
	w.shown.Store(f)
}

// proposedOnly tells the hub what goes into the open ledger of a node that is behind.
type proposedOnly struct{ *hub }

// LedgerClosed implements engine.Observer. Such a node closes no ledger.
func (proposedOnly) LedgerClosed(*engine.Ledger, []*engine.TxRecord) {}

// catchUp lets requests see the ledger again. What the node was given meanwhile, and had not passed on, it tries again now.
func (w *weather) catchUp() {
	f := w.shown.Swap(nil)
	f.Observe(nil)
	w.relay.catchUp(true)
	for _, t := range f.Pending() {
		w.srv.node.SubmitMissing(t, false, w.misses)
	}
}

// restart ends the node and starts it, back ledgers earlier.
func (w *weather) restart(back int, down time.Duration, spared *line) error {
	if _, err := w.srv.node.Restart(back); err != nil {
		return err
	}
	now := w.now()
	w.mu.Lock()
	w.epoch++
	w.frozen, w.started = time.Time{}, now
	w.mu.Unlock()
	if f := w.shown.Swap(nil); f != nil {
		f.Observe(nil)
	}
	w.stalled, w.unseen = 0, 0
	w.relay.catchUp(false)
	w.relay.noGap()
	w.srv.hub.restart()
	w.srv.checked.forget()
	w.lines.endAll(spared, now.Add(down))
	return nil
}

// restart forgets what nobody was told of yet, and who subscribed to what.
func (h *hub) restart() {
	h.epoch.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.conns)
	clear(h.accounts)
	clear(h.proposed)
	h.lastFees = nil
}

// forget forgets what was found out about transactions.
func (k *txChecks) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.entries)
	k.order, k.next = k.order[:0], 0
}
