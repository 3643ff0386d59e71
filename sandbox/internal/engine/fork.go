package engine

import (
	"maps"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// Fork is a Node that knows what this one does, and from there goes its own
// way: what is submitted to one of them is not known to the other. It stores
// nothing and has no observer. It costs a copy of the indexes of transactions
// and ledgers; ledgers themselves are shared.
func (n *Node) Fork() *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := &Node{
		cfg: n.cfg, closed: n.closed, first: n.first, avoidClose: n.avoidClose,
		open: n.open.copy(), queue: n.queue.copy(),
		ledgers: maps.Clone(n.ledgers), byHash: maps.Clone(n.byHash), txLedger: maps.Clone(n.txLedger),
		byAcct:  make(map[codec.AccountID][]txRef, len(n.byAcct)),
		held:    canonicalSet{salt: n.held.salt, entries: slices.Clone(n.held.entries)},
		local:   localTxs{slices.Clone(n.local.list)},
		seenIDs: slices.Clone(n.seenIDs),
		seen:    make(map[codec.Hash256]*seenTx, len(n.seen)),
	}
	f.cfg.Commit = nil
	for a, refs := range n.byAcct {
		f.byAcct[a] = slices.Clip(refs)
	}
	for id, s := range n.seen {
		c := *s
		f.seen[id] = &c
	}
	return f
}

// Pending are the transactions that were submitted to the Node and that it
// would try again, in the order in which they came.
func (n *Node) Pending() []*codec.Tx {
	n.mu.RLock()
	defer n.mu.RUnlock()
	out := make([]*codec.Tx, len(n.local.list))
	for i, t := range n.local.list {
		out[i] = t.tx
	}
	return out
}

// copy is an open view that shares nothing that changes.
func (v *view) copy() *view {
	c := *v
	c.state = v.state.Map().Edit()
	c.txs = maps.Clone(v.txs)
	c.list = slices.Clone(v.list)
	return &c
}

func (q *txQueue) copy() *txQueue {
	c := *q
	c.recentCounts = slices.Clone(q.recentCounts)
	c.byFee = make([]*queued, len(q.byFee))
	copies := make(map[*queued]*queued, len(q.byFee))
	for i, e := range q.byFee {
		d := *e
		c.byFee[i], copies[e] = &d, &d
	}
	c.byAccount = make(map[codec.AccountID]*accountQueue, len(q.byAccount))
	for a, aq := range q.byAccount {
		d := *aq
		d.txs = make([]*queued, len(aq.txs))
		for i, e := range aq.txs {
			d.txs[i] = copies[e]
		}
		c.byAccount[a] = &d
	}
	return &c
}
