package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// A step back is stored among the closed ledgers, so that Replay takes it too:
//
//	version (1) ‖ seq (4) ‖ hash (32)
//
// are those of the ledger that becomes the last one again.
const (
	stepBackVersion = 2
	stepBackSize    = 1 + 4 + 32
)

// ErrTooFarBack refuses a step back to a ledger that is not readable any more,
// or to one before ledger 2.
var ErrTooFarBack = errors.New("there is no state of so old a ledger")

// Restart does to the Node what the end of rippled's process does to it: the
// open ledger, the queue and all memory of transactions in no ledger are gone.
// With back > 0 so are the last closed ledgers, as many as it says: the last one
// before them is the last again, and what follows it will have other hashes than
// those had. It is the one way in which a closed ledger is not final. The
// observer is told nothing. It gives the last closed ledger; an error leaves
// everything as before.
func (n *Node) Restart(back int) (*Ledger, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if back < 0 {
		return nil, fmt.Errorf("a restart cannot go back %d ledgers", back)
	}
	if back > 0 {
		if int64(n.closed.Seq)-int64(back) < 2 || n.readable(n.closed.Seq-uint32(back)) == nil {
			return nil, fmt.Errorf("going back %d ledgers from ledger %d: %w", back, n.closed.Seq, ErrTooFarBack)
		}
		to := n.ledgers[n.closed.Seq-uint32(back)]
		if n.cfg.Commit != nil {
			b := binary.BigEndian.AppendUint32([]byte{stepBackVersion}, to.Seq)
			if err := n.cfg.Commit(append(b, to.Hash[:]...)); err != nil {
				return nil, fmt.Errorf("storing the step back to ledger %d: %w", to.Seq, err)
			}
		}
		n.stepBack(to)
	}
	n.queue = newTxQueue(n.cfg.Capacity)
	n.held, n.local = canonicalSet{}, localTxs{}
	clear(n.seen)
	n.seenIDs = nil
	clear(n.withheld)
	n.open, n.snap = newView(n.closed, true), nil
	return n.closed, nil
}

// stepBack makes an earlier ledger the last one.
func (n *Node) stepBack(to *Ledger) {
	n.avoidClose = n.ledgers[to.Seq+1].CloseTime
	for seq := n.closed.Seq; seq > to.Seq; seq-- {
		l := n.ledgers[seq]
		for r := range l.Txs() {
			delete(n.txLedger, r.Tx.ID)
			for _, a := range r.Affected() {
				refs := n.byAcct[a]
				at, _ := slices.BinarySearchFunc(refs, to.Seq+1, func(r txRef, s uint32) int { return int(int64(r.seq) - int64(s)) })
				if at == 0 {
					delete(n.byAcct, a)
				} else {
					n.byAcct[a] = refs[:at:at] // readers may hold the rest
				}
			}
		}
		delete(n.ledgers, seq)
		delete(n.byHash, l.Hash)
	}
	n.closed = to
}

// replayStepBack is Replay of a step back.
func (n *Node) replayStepBack(payload []byte) error {
	if len(payload) != stepBackSize {
		return errors.New("not a stored step back")
	}
	seq, hash := binary.BigEndian.Uint32(payload[1:]), codec.Hash256(payload[5:])
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.readable(seq)
	if to == nil || seq < 2 || seq >= n.closed.Seq || to.Hash != hash {
		return fmt.Errorf("the stored step back is to ledger %d with hash %s, which was not before ledger %d", seq, hash, n.closed.Seq)
	}
	n.stepBack(to)
	n.queue = newTxQueue(n.cfg.Capacity)
	n.open, n.snap = newView(to, true), nil
	return nil
}

// nextCloseTime is the next ledger's close time by the clock. The ledger after
// a step back gets another one than the ledger whose place it takes.
func (n *Node) nextCloseTime() uint32 {
	at := max(n.clockTime(), n.closed.CloseTime+1) // LedgerTiming.h, effCloseTime
	if at == n.avoidClose {
		at++
	}
	return at
}
