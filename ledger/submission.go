package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// resend sends again, in order, what the node may have lost or did not take yet.
func (l *Lane) resend() {
	if !l.up || l.clock.Now().Before(l.resumeAt) {
		return
	}
	now := l.validated.Index
	for _, op := range l.ordered() {
		a := op.newest()
		if a.LastLedgerSequence <= now {
			continue
		}
		if op.state == stateRetry && a.sentIn < now ||
			op.state == stateSent && !a.answer && a.sentIn+1 < now || // the answer is lost, or slower than two ledgers
			op.state == stateTaken && a.sentIn+resendAfter <= now {
			l.send(op)
		}
	}
}

// reprice asks what transactions cost at the moment.
func (l *Lane) reprice() {
	if l.pricing {
		return
	}
	l.pricing = true
	at := l.validated.Index
	l.askedAt = at
	l.job(func(ctx context.Context) func() {
		fee, err := l.client.Fee(ctx)
		return func() {
			l.pricing = false
			if err != nil {
				if ctx.Err() == nil {
					l.log.Warn("the node does not say what transactions cost", "error", err)
				}
				return
			}
			l.priced(fee, at)
		}
	})
}

// priced takes in a cost that was asked for when ledger at was validated.
func (l *Lane) priced(fee Fee, at uint32) {
	l.fee, l.openCost, l.askedAt = fee, fee.OpenLedger, max(l.askedAt, at)
	// The soft limit is passed by one before the cost rises (rippled: TxQ::FeeMetrics::scaleFeeLevel). What is sent and
	// not answered may be in it already.
	l.room = int(min(fee.Expected, math.MaxInt32)) + 1 - int(min(fee.Current, math.MaxInt32))
	for _, op := range l.inFlight {
		if op.state == stateSent {
			l.room--
		}
	}
	if l.hold && at > l.holdAt {
		l.hold = false
	}
	if cost := max(fee.Base, fee.OpenLedger); cost > l.cfg.MaxFeeDrops {
		l.trouble = fmt.Sprintf("the XRP Ledger asks %d drops for a transaction, over the ceiling of %d", cost, l.cfg.MaxFeeDrops)
	} else {
		l.trouble = ""
	}
}

// price returns what a new transaction pays: what gets it into the open ledger at once. ok is false while that is over
// the ceiling.
func (l *Lane) price() (drops int64, ok bool) {
	cost := max(l.fee.Base, l.openCost, 1)
	return cost, cost <= l.cfg.MaxFeeDrops
}

// full notes that the node has no room: nothing new until the next ledger is priced.
func (l *Lane) full() {
	if !l.hold {
		l.log.Debug("the ledger is full; waiting for the next one", "in_flight", len(l.inFlight), "open_ledger_cost", l.openCost)
	}
	l.hold, l.holdAt = true, l.validated.Index
}

// pump signs and sends what may go.
func (l *Lane) pump() {
	if !l.up || !l.synced {
		return
	}
	if len(l.waiting) > 0 && l.askedAt < l.validated.Index {
		l.reprice() // nobody asked while there was nothing to do
	}
	l.fillGap()
	for len(l.waiting) > 0 && l.mayBegin() {
		op := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.begin(op)
	}
	if len(l.waiting) == 0 {
		l.waiting = nil
	}
}

// behind says whether the node's last validated ledger is too old to build on.
func (l *Lane) behind() bool { return l.client.checkAge(l.validated) != nil }

func (l *Lane) mayBegin() bool {
	_, ok := l.price()
	return ok && !l.hold && !l.behind() && l.room > 0 && len(l.inFlight) < l.cfg.MaxInFlight && !l.clock.Now().Before(l.resumeAt)
}

// fillGap puts something into a sequence that nothing holds while others wait behind it: the next transaction, or one
// that does nothing. The bounds that hold for new work do not hold for this, as nothing moves without it.
func (l *Lane) fillGap() {
	l.trimFree()
	for len(l.free) > 0 {
		if _, ok := l.price(); !ok {
			return
		}
		if len(l.waiting) > 0 {
			op := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.begin(op)
		} else {
			l.log.Info("using up a sequence that nothing is left for", "sequence", l.free[0])
			op := &operation{tx: noop{}, ctx: context.Background(), own: true, done: make(chan struct{}), since: l.clock.Now()}
			l.mu.Lock()
			l.accepted++
			l.unbegun++
			l.mu.Unlock()
			l.begin(op)
		}
		l.trimFree()
	}
}

// trimFree takes back the free sequences that nothing waits behind.
func (l *Lane) trimFree() {
	for n := len(l.free); n > 0 && l.free[n-1] == l.next-1; n = len(l.free) {
		l.free, l.next = l.free[:n-1], l.next-1
	}
}

func (l *Lane) release(sequence uint32) {
	i, found := slices.BinarySearch(l.free, sequence)
	if !found && sequence < l.next {
		l.free = slices.Insert(l.free, i, sequence)
	}
}

// begin gives an operation a sequence, signs it and sends it; unless its caller has gone.
func (l *Lane) begin(op *operation) {
	op.mu.Lock()
	gone := op.left || op.ctx.Err() != nil && !op.own
	op.mu.Unlock()
	if gone {
		l.dropped(op)
		return
	}
	fee, _ := l.price()
	op.sequence = l.next
	if len(l.free) > 0 {
		op.sequence, l.free = l.free[0], l.free[1:]
	} else {
		l.next++
	}
	if err := l.sign(op, fee); err != nil {
		l.release(op.sequence)
		if errors.Is(err, errLeft) {
			l.dropped(op)
			return
		}
		l.fail(op, &model.Error{Code: model.CodeInternal, Message: "the transaction cannot be signed", Cause: err})
		return
	}
	op.signings++
	l.inFlight[op.sequence] = op
	l.send(op)
}

// errLeft says that a caller has gone before anything of its operation was sent.
var errLeft = errors.New("the caller has gone")

// dropped ends an operation that nobody waits for and of which nothing was sent.
func (l *Lane) dropped(op *operation) {
	l.fail(op, &model.Error{Code: model.CodeLedgerUnavailable, Message: "the transaction's turn did not come in time; nothing was sent",
		Cause: errLeft, RetryAfter: retryAfter})
}

// sign makes a blob with the operation's sequence, to be sent next. A journal would store it here.
func (l *Lane) sign(op *operation, fee int64) error {
	signed, err := l.cfg.Seed.Sign(op.tx, Terms{
		Account:            l.cfg.Account,
		Sequence:           op.sequence,
		Fee:                fee,
		LastLedgerSequence: l.validated.Index + l.cfg.LedgerOffset,
		NetworkID:          l.networkID,
	})
	if err != nil {
		return err
	}
	op.mu.Lock()
	begun := op.begun
	if op.left && !begun { // it was told that nothing was sent, and that stays true
		op.mu.Unlock()
		return errLeft
	}
	op.attempts = append(op.attempts, &attempt{Signed: signed, first: l.validated.Index, giveUp: func() {}})
	op.begun = true
	op.pending = model.Pending{Hash: signed.Hash, Sequence: signed.Sequence, LastLedgerSequence: op.lastLedger()}
	op.mu.Unlock()
	l.byHash[signed.Hash] = op
	if !begun {
		l.mu.Lock()
		l.unbegun--
		l.mu.Unlock()
	}
	return nil
}

// send hands the newest blob to the node, behind all that was sent before.
func (l *Lane) send(op *operation) {
	a := op.newest()
	a.giveUp()
	a.sends++
	l.room--
	a.sentIn, a.sentAt, a.answer = l.validated.Index, l.clock.Now(), false
	if op.state != stateRefused {
		op.state = stateSent
	}
	send := a.sends
	a.giveUp = l.client.link.post(l.ctx, "submit", submitParams(a.Blob), func(raw json.RawMessage, err error) {
		l.post(func() {
			if op.state == stateFinal || a.sends != send || op.sequence != a.Sequence {
				return // decided, or sent again, in the meantime
			}
			a.answer = true
			var s Submission
			if err == nil {
				s, err = decodeSubmit(raw, a.Hash)
			}
			if err != nil {
				l.unanswered(op, err)
				return
			}
			l.answered(op, a, s)
		})
	})
}

// unanswered deals with a submission whose outcome is not known, or that the node refused to look at.
func (l *Lane) unanswered(op *operation, err error) {
	op.state, op.unheard = stateRetry, true
	var node *NodeError
	var lost *ConnectionError
	switch {
	case errors.As(err, &node) && node.Busy():
		l.resumeAt = l.clock.Now().Add(max(node.RetryAfter, laneTick))
		l.log.Warn("the node is too busy; slowing down", "error", err)
	case errors.As(err, &node) && node.Code == "invalidTransaction" && op.newest().sends == 1 && len(op.attempts) == 1:
		l.discard(op, node.Error())
	case errors.As(err, &lost) && (errors.Is(err, context.Canceled) || !l.up):
		// given up, or the line is down, which is told once for all
	default:
		l.log.Warn("a submission got no usable answer; it is sent again while it can apply", "hash", op.newest().Hash, "error", err)
	}
}

// answered does what [actionFor] says.
func (l *Lane) answered(op *operation, a *attempt, s Submission) {
	op.last, op.unheard = s, false
	if s.OpenLedgerCost > 0 {
		l.openCost = s.OpenLedgerCost
		if l.openCost > a.Fee && !l.hold {
			if _, ok := l.price(); !ok {
				l.full()
			}
		}
	}
	next := actionFor(s.EngineResult)
	if next == actReprice && a.sends > 1 && s.EngineResult == "telCAN_NOT_QUEUE_FEE" {
		next = actQueued // the node holds this very blob already, and takes no other in its place for the same fee
	}
	switch next {
	case actAwait:
		op.state = stateTaken
	case actQueued:
		op.state = stateQueued
		l.full()
	case actSlow:
		op.state = stateRetry
		l.full()
	case actReprice:
		op.state = stateRetry
		l.raise(op, a)
	case actLookUp:
		op.state = stateLookUp
	case actRefused:
		op.state = stateRefused
		l.log.Error("the node refuses a transaction", "hash", a.Hash, "result", s.EngineResult, "message", s.EngineResultMessage)
	case actDiscard:
		if len(op.attempts) > 1 || a.sends > 1 { // what was sent before might still be somewhere
			op.state = stateRefused
			return
		}
		l.discard(op, s.EngineResult+": "+s.EngineResultMessage)
	case actResend:
		op.state = stateRetry
	default:
		l.log.Error("the node gives a result that is not known here", "hash", a.Hash, "result", s.EngineResult)
		op.state = stateRetry
	}
}

// raise signs an operation again with the same sequence and a higher fee.
func (l *Lane) raise(op *operation, a *attempt) {
	fee := max(a.Fee+a.Fee/4+1, l.fee.Base, l.openCost) // rippled replaces what is queued only for a quarter more
	if fee > l.cfg.MaxFeeDrops || len(op.attempts) >= 8 {
		l.full()
		return
	}
	if err := l.sign(op, fee); err != nil {
		l.log.Error("a transaction cannot be signed with a higher fee", "hash", a.Hash, "error", err)
		return
	}
	l.send(op)
}

// discard ends an operation that no ledger can ever take.
func (l *Lane) discard(op *operation, why string) {
	l.remove(op)
	l.release(op.sequence)
	l.fail(op, &model.Error{Code: model.CodeInternal, Message: "the node does not take the transaction, so nothing was sent to the ledger",
		Cause: errors.New(why)})
}
