package engine

import (
	"math"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// maxWithheld is how many transactions are kept out of ledgers at a time.
const maxWithheld = 1 << 14

// SubmitMissing is Submit of a transaction that may miss its ledgers, as when a
// network agrees on ledgers without it. When it succeeds on the open ledger, or
// is queued, and was not submitted before, misses is asked how many of the
// ledgers that close next it stays out of, 0 for all; not ok is for none. In
// the open ledger it stands as ever, and those of its account that follow it
// wait with it. misses runs under the Node's lock.
//
// No rule is set aside by it: a ledger without a transaction is a ledger. Past
// its LastLedgerSequence the transaction expires as any other; one without
// stays in the open ledger.
func (n *Node) SubmitMissing(tx *codec.Tx, failHard bool, misses func() (ledgers uint32, ok bool)) SubmitResult {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, closed := n.txLedger[tx.ID]
	first := !closed && n.seen[tx.ID] == nil
	res := n.submit(tx, failHard)
	if !first || len(n.withheld) >= maxWithheld || res.Result != TesSuccess && res.Result != TerQueued {
		return res
	}
	if ledgers, ok := misses(); ok {
		if n.withheld == nil {
			n.withheld = map[codec.Hash256]uint32{}
		}
		until := uint32(math.MaxUint32)
		if ledgers > 0 {
			until = n.open.seq + ledgers
		}
		n.withheld[tx.ID] = until
	}
	return res
}

// proposal is the open ledger's transactions that the next closed one is to
// take.
func (n *Node) proposal() []*codec.Tx {
	if len(n.withheld) == 0 {
		return n.open.list
	}
	var out []*codec.Tx
	for _, tx := range n.open.list {
		if n.open.seq >= n.withheld[tx.ID] {
			out = append(out, tx)
		}
	}
	return out
}

// sweepWithheld forgets those whose time has come, and those that are nowhere
// any more.
func (n *Node) sweepWithheld() {
	for id, until := range n.withheld {
		if n.open.seq >= until || n.seen[id] == nil && !n.open.txExists(id) {
			delete(n.withheld, id)
		}
	}
}
