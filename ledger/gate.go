package ledger

import (
	"context"
	"errors"
	"sync"

	"github.com/xrplissuer/credential-issuer/model"
)

// gate lets watchers hear of a ledger once it is proven, and of its transactions after it. What a link tells of waits in the
// gate meanwhile, so that the link's reader never does. One goroutine, run, owns the order.
type gate struct {
	hub   *hub
	chain *ledgerChain
	link  interface{ restart(error) }

	mu    sync.Mutex
	queue []gated
	bytes int // of the transactions in queue
	lost  bool
	epoch int  // counts the lines that were lost
	open  bool // the watchers have heard EventUp since
	wake  chan struct{}
}

// gated is an event that waits, for all watchers or, an EventUp, for those that have heard none.
type gated struct {
	Event
	all bool
}

// maxGated bounds the transactions that wait for the proof of their ledger, in bytes of their metadata and fields.
const maxGated = 16 << 20

func newGate(h *hub, c *ledgerChain) *gate {
	return &gate{hub: h, chain: c, wake: make(chan struct{}, 1)}
}

func (g *gate) put(e gated) {
	g.mu.Lock()
	size := e.size()
	switch {
	case g.lost && e.Kind == EventTx:
	case e.Kind == EventTx && g.bytes+size > maxGated:
		g.lost = true
		g.queue = append(g.queue, gated{Event: Event{Kind: EventGap}})
	case len(g.queue) >= maxWatched && e.Kind == EventLedger: // the newest is what counts: the history has the rest
		g.queue, g.bytes = []gated{{Event: Event{Kind: EventGap}}, e}, 0
	default:
		g.bytes += size
		g.queue = append(g.queue, e)
	}
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (e gated) size() int {
	if e.Tx == nil {
		return 0
	}
	return len(e.Tx.Meta) + len(e.Tx.TxJSON)
}

// down tells of a lost line at once. What waits was told of on that line.
func (g *gate) down(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.close()
	g.hub.tell(Event{Kind: EventDown, Err: err})
}

// close forgets what waits. mu is held.
func (g *gate) close() {
	g.queue, g.bytes, g.lost, g.open = nil, 0, false, false
	g.epoch++
}

// run takes what waits, in order, until ctx ends.
func (g *gate) run(ctx context.Context) {
	for {
		g.mu.Lock()
		if len(g.queue) == 0 {
			g.queue, g.lost = nil, false
			g.mu.Unlock()
			select {
			case <-g.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		e, epoch := g.queue[0], g.epoch
		g.queue = g.queue[1:]
		g.bytes -= e.size()
		g.mu.Unlock()
		var err error
		if e.Kind == EventUp || e.Kind == EventLedger {
			err = g.prove(ctx, e.Ledger)
		}
		if ctx.Err() != nil {
			return
		}
		if !g.pass(e, epoch, err) {
			g.link.restart(err)
		}
	}
}

// proofTries is how often the header of a ledger is asked for: a server behind a balancer may have it a moment later.
const proofTries = 6

func (g *gate) prove(ctx context.Context, l model.Ledger) error {
	cfg := g.chain.client.cfg
	for try := 0; ; try++ {
		err := g.chain.prove(ctx, l)
		var unproven *UnprovenError
		if err == nil || try+1 == proofTries || !errors.As(err, &unproven) || unproven.Contradiction {
			return err
		}
		timer := g.chain.clock.NewTimer(backoff(try, cfg.MinBackoff, cfg.MaxBackoff, cfg.Rand))
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// pass hands an event on, unless its line was lost meanwhile. Where a ledger is not proven, false says to give the line up.
func (g *gate) pass(e gated, epoch int, err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.epoch != epoch:
	case err != nil:
		g.close()
		if !Contradicts(err) {
			g.chain.unproven.Add(1)
		}
		g.chain.client.cfg.Logger.Warn("the node's ledger is not proven; connecting again", "ledger", e.Ledger.Index, "contradiction", Contradicts(err), "error", err)
		g.hub.tell(Event{Kind: EventDown, Err: err})
		return false
	case e.Kind == EventUp:
		g.open = true
		g.hub.tellUp(e.Ledger, e.all)
	case g.open:
		g.hub.tell(e.Event)
	}
	return true
}
