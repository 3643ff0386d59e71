package ledger

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// lookUp asks the ledger about what has run out of ledgers, and about what seems to have lost its sequence.
func (l *Lane) lookUp() {
	if l.looking {
		return
	}
	now := l.validated.Index
	var cases []*lookUpCase
	for _, op := range l.ordered() {
		if op.state == stateStoring {
			continue
		}
		if op.lastLedger() < now || op.state == stateLookUp {
			cases = append(cases, caseOf(op))
		}
	}
	cases = append(cases, l.undecidedDue()...)
	if len(cases) == 0 {
		return
	}
	l.looking = true
	before, known := l.account, l.next
	l.job(func(ctx context.Context) func() {
		settled, err := l.decider().investigate(ctx, cases)
		if err == nil {
			err = l.client.jumped(ctx, l.cfg.Account, before, known, settled)
		}
		return func() {
			l.looking = false
			if err != nil {
				if ctx.Err() == nil {
					l.log.Warn("cannot look up what became of transactions", "count", len(cases), "error", err)
				}
				return // asked again with the next ledger
			}
			for _, c := range cases {
				if c.failed != nil {
					continue // asked again with the next ledger
				}
				if c.current() {
					l.settle(c)
				}
			}
			l.caughtUp(settled)
		}
	})
}

func (l *Lane) decider() decider { return decider{l.client, l.cfg.Account, l.log} }

// caseOf asks what became of an operation.
func caseOf(op *operation) *lookUpCase {
	c := &lookUpCase{op: op, tx: op.tx, own: op.own, slot: op.slot, first: math.MaxUint32, last: op.lastLedger(), hashes: op.hashes(), blobs: map[string]string{}}
	for _, a := range op.attempts {
		c.first = min(c.first, a.first)
		c.blobs[a.Hash] = a.Blob
	}
	return c
}

// current says whether the answer is still about the operation as it stands. It may have been signed again in the
// meantime, with the same sequence and a higher fee: of that blob nobody has asked. What was found is found all the same.
func (c *lookUpCase) current() bool {
	switch c.op.state {
	case stateFinal, stateStoring, stateWaiting:
		return false
	}
	return c.op.slot == c.slot && (c.found != nil || c.proved != nil || slices.Equal(c.hashes, c.op.hashes()))
}

// settle moves an operation on by what the ledger says of it. Of what a look-up finds, here alone an operation is declared
// validated or absent.
func (l *Lane) settle(c *lookUpCase) {
	op := c.op
	if c.hole && c.decided() {
		l.tally.holes.Add(1)
	}
	switch {
	case c.found != nil:
		v, err := c.found.Validated(l.networkID)
		if err != nil {
			l.log.Error("a validated transaction cannot be read", "hash", c.found.Hash, "error", err)
			return
		}
		l.conclude(op, v)
	case c.proved != nil:
		if _, is := op.tx.(ticketCreate); is { // which of its tickets are left, the ledger knows
			l.stock.readAt, l.stock.due = max(l.stock.readAt, c.proved.LedgerIndex), true
		}
		l.conclude(op, *c.proved)
	case c.absent:
		l.absent(c)
	case c.undecided():
		l.setAside(op)
	case !c.used && op.state == stateLookUp:
		op.state = stateRetry // its sequence is not used up on the ledger: the same blob may still get there
	}
}

// absent deals with an operation that is on no ledger and never will be as it is signed. Where its sequence or ticket is
// used, another transaction has it.
func (l *Lane) absent(c *lookUpCase) {
	op, lost := c.op, c.used
	op.absent = c.hashes
	refused, hash, last := op.state == stateRefused, op.newest().Hash, op.lastLedger()
	unsent := true
	for _, a := range op.attempts {
		unsent = unsent && a.sends == 0
	}
	l.remove(op)
	e := &model.Error{Code: model.CodeNotValidated,
		Message: fmt.Sprintf("the transaction is on no ledger, and its LastLedgerSequence, %d, is past: asking again is safe", last)}
	if op.last.EngineResult != "" {
		e.Cause = fmt.Errorf("transaction %s: the node said %s: %s", hash, op.last.EngineResult, op.last.EngineResultMessage)
	}
	if lost {
		op.lost++
	}
	if lost || unsent { // not its fault
		op.signings--
	}
	free := func() {
		if !lost {
			l.release(op.slot)
		}
	}
	op.mu.Lock()
	left := op.left
	if !left {
		op.begun, op.pending = false, model.Pending{}
	}
	op.mu.Unlock()
	switch {
	case op.own, op.brief, op.closed:
	case left: // who was told "up to that ledger" must be able to rely on it
	case refused:
		e.Message = "the node refused the transaction, and no ledger has it: " + op.last.EngineResult
	case op.signings >= l.cfg.Signings || op.lost >= maxLost:
	default:
		l.log.Info("signing a transaction anew", "hash", hash, "slot", op.slot, "lost", lost, "result", op.last.EngineResult)
		l.mu.Lock()
		l.unbegun++
		l.mu.Unlock()
		op.state = stateWaiting
		l.absentStored(op, func() {
			free()
			op.attempts, op.absent, op.since = nil, nil, l.again(op)
			l.requeue(op)
		})
		return
	}
	op.mu.Lock()
	op.begun = true // was counted out when it was signed
	op.mu.Unlock()
	l.end(op, model.StateExpired, nil, e, free)
}

// again is from when an operation waits that is signed anew.
func (l *Lane) again(op *operation) time.Time {
	if l.cfg.Journal != nil {
		return op.since // when it was asked for
	}
	return l.clock.Now()
}

// requeue puts an operation before those that were never signed, behind those that came to be signed anew with it.
func (l *Lane) requeue(op *operation) {
	i := 0
	for i < len(l.waiting) && l.waiting[i].rank() == 0 {
		i++
	}
	l.waiting = slices.Insert(l.waiting, i, op)
}

// caughtUp compares the lane's count with the ledger's.
func (l *Lane) caughtUp(settled AccountInfo) {
	l.free = slices.DeleteFunc(l.free, func(s uint32) bool { return s < settled.Sequence })
	if settled.Sequence > l.next {
		l.log.Warn("the account's sequence is ahead of the lane: another process sends from it", "next", l.next, "ledger", settled.Sequence)
		l.next = settled.Sequence
	}
	l.closeGap(settled)
}
