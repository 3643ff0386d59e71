package ledger

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
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
		expired := op.lastLedger() < now
		if !expired && op.state != stateLookUp {
			continue
		}
		c := &lookUpCase{op: op, slot: op.slot, expired: expired, first: now, last: op.lastLedger(), hashes: op.hashes()}
		for _, a := range op.attempts {
			c.first = min(c.first, a.first)
		}
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		return
	}
	l.looking = true
	l.job(func(ctx context.Context) func() {
		settled, err := l.investigate(ctx, cases)
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
					l.settle(c, settled)
				}
			}
			l.caughtUp(settled)
		}
	})
}

// lookUpCase is a question to the ledger about one operation, and its answer.
type lookUpCase struct {
	op          *operation
	slot        slot
	hashes      []string
	first, last uint32
	expired     bool

	asked  bool
	failed error // the node did not say
	probe  bool  // asked whether it is there; where it is not, that proves nothing yet
	found  *Transaction
	absent bool
}

// current says whether the answer is still about the operation as it stands. It may have been signed again in the
// meantime, with the same sequence and a higher fee: of that blob nobody has asked. What was found is found all the same.
func (c *lookUpCase) current() bool {
	switch c.op.state {
	case stateFinal, stateStoring, stateWaiting:
		return false
	}
	return c.op.slot == c.slot && (c.found != nil || slices.Equal(c.hashes, c.op.hashes()))
}

// lookUpsAtOnce is how many questions are open at a time.
const lookUpsAtOnce = 8

// investigate answers the cases, and returns the account as it stands in the validated ledger after all of them.
func (l *Lane) investigate(ctx context.Context, cases []*lookUpCase) (AccountInfo, error) {
	settled, err := l.client.AccountInfo(ctx, l.cfg.Account)
	if err != nil {
		return settled, err
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookUpsAtOnce)
	for _, c := range cases {
		switch {
		case c.expired && c.last < settled.LedgerIndex:
		case c.usedUp(settled): // by this ledger, by it or by another
			c.last = min(c.last, settled.LedgerIndex)
			c.first = min(c.first, c.last)
		case c.slot.ticket && !c.expired:
			c.probe = true
			c.last = min(c.last, settled.LedgerIndex)
			c.first = min(c.first, c.last)
		default:
			continue // may still happen
		}
		c.asked = true
		slots <- struct{}{}
		wg.Go(func() {
			c.failed = l.ask(ctx, c)
			<-slots
		})
	}
	wg.Wait()
	failed := 0
	var first error
	for _, c := range cases {
		if c.failed != nil {
			failed++
			first = cmp.Or(first, c.failed)
		}
	}
	if failed > 0 && ctx.Err() == nil {
		l.log.Warn("some transactions cannot be looked up; asking again with the next ledger", "count", failed, "of", len(cases), "error", first)
	}
	l.search(ctx, cases)
	return settled, nil
}

// usedUp says whether a sequence is past on the ledger. Of a ticket that cannot be said.
func (c *lookUpCase) usedUp(settled AccountInfo) bool {
	return !c.slot.ticket && c.slot.n < settled.Sequence
}

// ask looks for a case's blobs by their hashes.
func (l *Lane) ask(ctx context.Context, c *lookUpCase) error {
	c.absent = true
	for _, hash := range c.hashes {
		status, err := l.client.Tx(ctx, hash, c.first, c.last)
		if err != nil {
			return err
		}
		if status.Tx != nil {
			c.found, c.absent = status.Tx, false
			return nil
		}
		c.absent = c.absent && status.Absent && !c.probe
	}
	return nil
}

// search settles what `tx` leaves open: rippled answers it from its cache, for half an hour, with a candidate that no
// ledger took, and says nothing of where it searched. The account's own list of transactions, which is an error unless
// the node holds every ledger of it, tells for sure.
func (l *Lane) search(ctx context.Context, cases []*lookUpCase) {
	first, last := uint32(math.MaxUint32), uint32(0)
	open := map[string]*lookUpCase{}
	for _, c := range cases {
		if c.asked && c.failed == nil && !c.probe && c.found == nil && !c.absent {
			first, last = min(first, c.first), max(last, c.last)
			for _, hash := range c.hashes {
				open[hash] = c
			}
		}
	}
	if len(open) == 0 {
		return
	}
	err := l.client.AccountTx(ctx, l.cfg.Account, first, last, func(t *Transaction) {
		if c := open[t.Hash]; c != nil {
			c.found = t
		}
	})
	if err != nil {
		l.log.Warn("cannot list the account's transactions; asking again with the next ledger", "first", first, "last", last, "error", err)
	}
	for _, c := range open {
		if c.absent = err == nil && c.found == nil; err != nil && c.found == nil {
			c.failed = err
		}
	}
}

// settle moves an operation on by what the ledger says of it.
func (l *Lane) settle(c *lookUpCase, settled AccountInfo) {
	op := c.op
	switch {
	case c.found != nil:
		v, err := c.found.Validated(l.networkID)
		if err != nil {
			l.log.Error("a validated transaction cannot be read", "hash", c.found.Hash, "error", err)
			return
		}
		l.conclude(op, v)
	case c.absent:
		l.absent(c, c.usedUp(settled))
	case (!c.asked || c.probe) && op.state == stateLookUp:
		op.state = stateRetry // its sequence is not used up on the ledger: the same blob may still get there
	}
}

// absent deals with an operation that is on no ledger and never will be as it is signed. lost says that another
// transaction has its sequence.
func (l *Lane) absent(c *lookUpCase, lost bool) {
	op := c.op
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
	case op.own, op.brief:
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
}
