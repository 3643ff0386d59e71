package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// networkLook is how often the newest ledger that was seen is kept.
const networkLook = time.Minute

// networkGuard keeps a journal to the ledger that it was begun for: operations of one ledger must not be finished on
// another. It looks at the node at the start, whenever the line was lost, and now and then.
type networkGuard struct {
	client *ledger.Client
	store  *store.Store
	name   string // what the network is called in the settings
	place  string // where the journal is, without a password
	begin  string // how to have another journal

	witnesses *ledger.Witnesses // nil: none
	id        *uint32           // the network's id, where it is a public one
	log       *slog.Logger

	mu      sync.Mutex
	settled chan struct{} // closed while the node's ledger is known to be the journal's

	seen model.Ledger // the newest one told of while it was; run's alone
}

func newNetworkGuard(client *ledger.Client, s *store.Store, cfg settings, log *slog.Logger) *networkGuard {
	g := &networkGuard{client: client, store: s, name: cfg.network.Name, log: log, settled: make(chan struct{}),
		place: filepath.Join(cfg.dataDir, "issuer.db"), begin: "another DATA_DIR"}
	if id, named := config.NetworkIDs[g.name]; named {
		g.id = &id
	}
	if cfg.databaseURL != "" {
		g.place, g.begin = "DATABASE_URL", "another database in DATABASE_URL"
	}
	return g
}

// look compares the node's ledger with what the journal knows of its own, binds a new journal, and keeps what was seen. A
// ledger that is another is an [ledger.OtherNetworkError], with words for whoever set it up.
func (g *networkGuard) look(ctx context.Context) error {
	known, bound, err := g.store.Network(ctx)
	renamed := ""
	if node := config.Address(known.Name); node.Keyed() && node.String() != "" {
		renamed = node.String() // an earlier release stored the whole address
		known.Name = renamed
	}
	if err == nil && !bound {
		if known, err = g.client.Network(ctx); err == nil {
			known.Name = g.name
			err = g.unlikeOthers(ctx, known)
		}
		if err == nil {
			known, err = g.store.BindNetwork(ctx, known)
		}
	}
	if err != nil {
		return err
	}
	g.client.Trust(known) // what was proven before, at an earlier start
	if g.seen.Index > known.Last.Index {
		known.Last = g.seen
	}
	now, err := g.client.SameNetwork(ctx, known)
	if err != nil {
		return g.explain(known, err)
	}
	now.Name = renamed
	if err := g.store.SeeNetwork(ctx, now); err != nil {
		g.log.Debug("the newest ledger could not be kept", "error", err)
	}
	return nil
}

// unlikeOthers compares the node with the nodes of XRPL_NODES, and with what is known of public networks.
func (g *networkGuard) unlikeOthers(ctx context.Context, known model.Network) error {
	var other *ledger.OtherNetworkError
	if g.id != nil {
		if err := g.client.CheckNamed(ctx, *g.id); errors.As(err, &other) {
			return wrongSettings(fmt.Errorf("XRPL_NETWORK: the node at %s is not of %s: %w. Set the address of a node of that network", g.client.Node(), g.name, other))
		} else if err != nil {
			return err
		}
	}
	if err := g.witnesses.SameNetwork(ctx, known); err != nil {
		return wrongSettings(fmt.Errorf("XRPL_NODES: the nodes show different ledgers: %w. Set nodes of one network", err))
	}
	return nil
}

// explain says what the journal belongs to, and what to do about a node that shows something else.
func (g *networkGuard) explain(known model.Network, err error) error {
	var other *ledger.OtherNetworkError
	seen := fmt.Sprintf("%s (ledger %d of %s was its newest)", known.Name, known.Last.Index, model.FormatTime(known.Last.CloseTime))
	switch {
	case errors.As(err, &other):
		return wrongSettings(fmt.Errorf("XRPL_NETWORK: the journal in %s belongs to %s, and the node at %s shows another ledger: %w. Set XRPL_NETWORK back, "+
			"or set %s for this ledger. Where the same network was begun anew, as Devnet is now and then, and a sandbox whose files were removed, "+
			"nothing that the journal has in progress can happen any more: move the journal away, or use %[5]s", g.place, seen, g.client.Node(), other, g.begin))
	case ledger.Behind(err):
		return fmt.Errorf("XRPL_NETWORK: the journal in %s belongs to %s, and the node at %s has not come as far: wait until it has caught up, and start again. "+
			"Where the network was begun anew, move the journal away, or use %s (%w)", g.place, seen, g.client.Node(), g.begin, err)
	}
	return err
}

// start looks until the node answers, within [nodeWait]. Where certain is set, a ledger that is behind is another one: the
// embedded ledger has nobody to catch up with.
func (g *networkGuard) start(ctx context.Context, certain bool) error {
	look := func(ctx context.Context) error {
		err := g.look(ctx)
		if err == nil {
			var known model.Network
			if known, _, err = g.store.Network(ctx); err == nil {
				err = g.unlikeOthers(ctx, known)
			}
		}
		return err
	}
	err := askNode(ctx, g.client, g.log, look, func(err error) bool {
		var other *ledger.OtherNetworkError
		return errors.As(err, &other) || certain && ledger.Behind(err) || model.CodeOf(err) != model.CodeLedgerUnavailable
	})
	switch {
	case err == nil:
		g.settle()
	case certain && ledger.Behind(err):
		return wrongSettings(err)
	}
	return err
}

func (g *networkGuard) isSettled() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.settled:
		return true
	default:
		return false
	}
}

func (g *networkGuard) settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.settled:
	default:
		close(g.settled)
	}
}

func (g *networkGuard) unsettle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.settled:
		g.settled = make(chan struct{})
	default:
	}
}

// wait returns once the node's ledger is known to be the journal's. Where ctx ends first, the error is
// [model.CodeStoreUnavailable]: nothing was stored.
func (g *networkGuard) wait(ctx context.Context) error {
	g.mu.Lock()
	settled := g.settled
	g.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return &model.Error{Code: model.CodeStoreUnavailable, Message: "it is not known yet which ledger the node shows", Cause: ctx.Err()}
	}
}

// hear takes in what the node tells of by itself, and says whether it has to be looked at again.
func (g *networkGuard) hear(events []ledger.Event) (changed bool) {
	for _, e := range events {
		switch e.Kind {
		case ledger.EventUp, ledger.EventDown:
			g.unsettle()
			changed = true
		case ledger.EventLedger:
			if !changed && g.isSettled() && e.Ledger.Index > g.seen.Index {
				g.seen = model.Ledger{Index: e.Ledger.Index, Hash: e.Ledger.Hash, CloseTime: e.Ledger.CloseTime}
			}
		}
	}
	return changed
}

// keep looks at the node a last time, so that the newest ledger is kept, where it answers at once. What the stream has told of
// is not kept as it is: one wrong message would have every later start take the node's ledger for another one.
func (g *networkGuard) keep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if g.seen.Index > 0 {
		if err := g.look(ctx); err != nil {
			g.log.Debug("the newest ledger could not be kept", "error", err)
		}
	}
}

// run guards until ctx ends. From the moment when the line is lost until the ledger behind it is known to be the same, nothing is
// signed or concluded. A node that shows another ledger may lie, or be a wrong one behind a balancer: it ends nothing. The next
// start refuses it.
func (g *networkGuard) run(ctx context.Context) error {
	watcher := g.client.Watch()
	defer watcher.Stop()
	keep := time.NewTicker(networkLook)
	defer keep.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	var told time.Time
	for {
		select {
		case <-ctx.Done():
			g.keep(ctx)
			return nil
		case <-watcher.Ready():
			if !g.hear(watcher.Take()) {
				continue
			}
		case <-keep.C:
		case <-retry.C:
		}
		err := g.look(ctx)
		var other *ledger.OtherNetworkError
		switch {
		case err == nil:
			g.settle()
			told = time.Time{}
		case errors.As(err, &other):
			g.unsettle()
			if time.Since(told) >= networkLook {
				g.log.Error("the node shows another ledger than the journal's; nothing is signed until it shows that one again", "error", err)
				told = time.Now()
			}
			retry.Reset(time.Second)
		case ctx.Err() == nil: // a node that is behind too: what it is shows when it has caught up
			g.log.Debug("cannot see which ledger the node shows; asking again", "error", err)
			retry.Reset(time.Second)
		}
	}
}

// networkID returns the network id that the journal is bound to. It is the same in all replicas, and is read once.
func networkID(s *store.Store) func(context.Context) (uint32, error) {
	var known atomic.Pointer[uint32]
	return func(ctx context.Context) (uint32, error) {
		if id := known.Load(); id != nil {
			return *id, nil
		}
		n, bound, err := s.Network(ctx)
		if err == nil && !bound {
			err = &model.Error{Code: model.CodeLedgerUnavailable, Message: "the network is not known yet: ask again later"}
		}
		if err != nil {
			return 0, err
		}
		known.Store(&n.ID)
		return n.ID, nil
	}
}
