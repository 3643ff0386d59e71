package ledger

import (
	"context"
	"encoding/json"
	"errors"
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
		if op.state == stateStoring {
			continue
		}
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
	stale := l.cfg.Mode == Tickets || at >= l.account.LedgerIndex+accountEvery
	if l.networkID == 0 && at >= l.networkAskedAt+networkEvery {
		l.learnNetwork()
	}
	l.job(func(ctx context.Context) func() {
		fee, err := l.client.Fee(ctx)
		var account AccountInfo
		if err == nil && stale {
			account, err = l.client.AccountInfo(ctx, l.cfg.Account)
		}
		return func() {
			l.pricing = false
			if account.LedgerIndex > l.account.LedgerIndex {
				l.account = account
			}
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
	l.room = l.roomBeside(fee.Current)
	if l.hold && at > l.holdAt {
		l.hold = false
	}
	l.feeAsked(max(fee.Base, fee.OpenLedger))
}

// expectRoom is what the lane goes by from the moment that a ledger is validated until the node says what the next one
// costs: an open ledger that is new, and in which only what the node has not taken yet may stand. The answers to the
// first submissions tell if that is wrong. Not after the node had no room: then what it queued comes first.
func (l *Lane) expectRoom() {
	if !l.hold && l.openCost > 0 {
		l.room, l.openCost = l.roomBeside(0), l.fee.Base
	}
}

// roomBeside returns how many more fit into an open ledger of so many at the usual cost. Its soft limit is passed by one
// before the cost rises (rippled: TxQ::FeeMetrics::scaleFeeLevel). What the node has not answered may be in it already.
func (l *Lane) roomBeside(current uint32) int {
	room := int(min(l.fee.Expected, math.MaxInt32)) + 1 - int(min(current, math.MaxInt32))
	for _, op := range l.inFlight {
		if op.state != stateTaken && op.state != stateRefused {
			room--
		}
	}
	return room
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
	if !l.behind() {
		l.fillGap()
		l.refill()
	}
	for len(l.waiting) > 0 && l.mayBegin() && l.hasSlot() {
		op := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.begin(op)
	}
	if len(l.waiting) == 0 {
		l.waiting = nil
	}
}

// behind says whether the node's last validated ledger is too old to build on.
func (l *Lane) behind() bool { return l.client.checkAge(l.validated) != nil || l.client.silent() }

func (l *Lane) mayBegin() bool {
	_, ok := l.price()
	return ok && !l.hold && !l.behind() && l.room > 0 && len(l.inFlight) < l.cfg.MaxInFlight && !l.clock.Now().Before(l.resumeAt) && l.mayStore()
}

// fillGap puts something into a sequence that nothing holds while others wait behind it: the next transaction, or one
// that does nothing. The bounds that hold for new work do not hold for this, as nothing moves without it.
func (l *Lane) fillGap() {
	l.trimFree()
	for len(l.free) > 0 && l.mayStore() && (l.stock.refill == nil || l.free[0] < l.stock.refill.slot.n) {
		if _, ok := l.price(); !ok {
			return
		}
		if len(l.waiting) > 0 && l.cfg.Mode == Sequences {
			op := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.begin(op)
		} else {
			l.log.Info("using up a sequence that nothing is left for", "sequence", l.free[0])
			l.begin(l.ownOperation(model.KindFill, noop{}))
		}
		l.trimFree()
	}
}

// ownOperation makes one that the lane needs for itself.
func (l *Lane) ownOperation(kind model.Kind, tx model.Transaction) *operation {
	op := &operation{kind: kind, tx: tx, ctx: context.Background(), own: true, done: make(chan struct{}), since: l.clock.Now()}
	l.mu.Lock()
	l.accepted++
	l.unbegun++
	l.mu.Unlock()
	return op
}

// trimFree takes back the free sequences that nothing waits behind.
func (l *Lane) trimFree() {
	for n := len(l.free); n > 0 && l.free[n-1] == l.next-1; n = len(l.free) {
		l.free, l.next = l.free[:n-1], l.next-1
	}
}

// release gives back what an absent transaction took its turn with.
func (l *Lane) release(s slot) {
	if s.ticket {
		l.stock.due = true // whether it still is there, the ledger knows
		return
	}
	i, found := slices.BinarySearch(l.free, s.n)
	if !found && s.n < l.next {
		l.free = slices.Insert(l.free, i, s.n)
	}
}

// findFree finds the sequences that nothing holds, from first up, after a start: those between that were signed for and
// are absent.
func (l *Lane) findFree(first uint32) {
	gaps := l.book.gaps
	l.book.gaps = false
	if !gaps || l.stock.refill != nil || l.next-first > uint32(2*l.cfg.MaxInFlight) {
		return
	}
	for n := first; n < l.next; n++ {
		if s := (slot{n: n}); l.inFlight[s] == nil && !l.limbo[s] {
			l.release(s)
		}
	}
}

// begin gives an operation a sequence or a ticket, signs it, and sends it once it is journalled; unless its caller has
// gone.
func (l *Lane) begin(op *operation) {
	op.mu.Lock()
	gone := op.left || op.ctx.Err() != nil && !op.own
	op.mu.Unlock()
	if gone {
		l.dropped(op)
		return
	}
	if op.late(l.clock.Now()) {
		l.end(op, model.StateCancelled, nil, &model.Error{Code: model.CodeCancelled,
			Message: "its turn did not come in time, and what it was asked for on may have changed: nothing was signed"})
		return
	}
	fee, _ := l.price()
	op.slot = l.allot(op)
	signed, err := l.sign(op, fee)
	if err != nil {
		l.release(op.slot)
		if errors.Is(err, errLeft) {
			l.dropped(op)
			return
		}
		l.log.Error("a transaction cannot be signed", "operation", op.id, "error", err)
		code := model.CodeInternal
		if l.cfg.Journal != nil {
			code = model.CodeRefused
		}
		l.fail(op, &model.Error{Code: code, Message: "the transaction cannot be signed", Cause: err})
		return
	}
	if op.signings++; op.signings > 1 {
		l.tally.resignings.Add(1)
	}
	l.inFlight[op.slot] = op
	l.journal(op, signed)
}

// allot takes the next ticket or sequence.
func (l *Lane) allot(op *operation) slot {
	if !op.own && l.cfg.Mode == Tickets && len(l.stock.tickets) > 0 {
		n := l.stock.tickets[0]
		l.stock.tickets = l.stock.tickets[1:]
		return slot{n, true}
	}
	if len(l.free) > 0 {
		n := l.free[0]
		l.free = l.free[1:]
		return slot{n: n}
	}
	l.next++
	return slot{n: l.next - 1}
}

// errLeft says that a caller has gone before anything of its operation was sent.
var errLeft = errors.New("the caller has gone")

// dropped ends an operation that nobody waits for and of which nothing was sent. It cannot happen with a journal.
func (l *Lane) dropped(op *operation) {
	l.fail(op, &model.Error{Code: model.CodeLedgerUnavailable, Message: "the transaction's turn did not come in time; nothing was sent",
		Cause: errLeft, RetryAfter: retryAfter})
}

// sign makes a blob with the operation's sequence or ticket.
func (l *Lane) sign(op *operation, fee int64) (*attempt, error) {
	terms := Terms{Account: l.cfg.Account, Fee: fee, LastLedgerSequence: l.validated.Index + l.cfg.LedgerOffset, NetworkID: l.networkID}
	if op.slot.ticket {
		terms.Ticket = op.slot.n
	} else {
		terms.Sequence = op.slot.n
	}
	signed, err := l.cfg.Seed.Sign(op.tx, terms)
	if err != nil {
		return nil, err
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	begun := op.begun
	if op.left && !begun { // it was told that nothing was sent, and that stays true
		return nil, errLeft
	}
	op.begun = true
	op.pending = model.Pending{Hash: signed.Hash, Sequence: signed.Sequence, LastLedgerSequence: max(op.lastLedger(), signed.LastLedgerSequence)}
	if !begun {
		l.mu.Lock()
		l.unbegun--
		l.mu.Unlock()
	}
	return &attempt{Signed: signed, first: l.validated.Index, giveUp: func() {}}, nil
}

// stored takes a blob in that is journalled. From here on it may be sent.
func (l *Lane) stored(op *operation, a *attempt) {
	op.attempts = append(op.attempts, a)
	l.byHash[a.Hash] = op
}

// send hands the newest blob to the node, behind all that was sent before.
func (l *Lane) send(op *operation) {
	if l.ctx.Err() != nil || l.book.fenced != nil {
		return
	}
	a := op.newest()
	a.giveUp()
	if a.sends++; a.sends > 1 {
		l.tally.resubmissions.Add(1)
	}
	if op.state != stateStoring { // for which there was room when it was signed
		l.room--
	}
	a.sentIn, a.sentAt, a.answer = l.validated.Index, l.clock.Now(), false
	if op.state != stateRefused {
		op.state = stateSent
	}
	send, ctx := a.sends, l.ctx
	a.giveUp = l.client.link.post(ctx, methodSubmit, submitParams(a.Blob), func(raw json.RawMessage, err error) {
		var s Submission
		if err == nil { // here, so that what waits for the lane holds no answers
			s, err = decodeSubmit(raw, a.Hash)
		}
		l.post(func() {
			if l.ctx != ctx || op.state == stateFinal || op.state == stateWaiting || a.sends != send || !slices.Contains(op.attempts, a) {
				return // decided, or sent again, in the meantime
			}
			a.answer = true
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
	if op.state == stateStoring {
		return // it is being signed with a higher fee, and sent again
	}
	op.state, op.unheard = stateRetry, true
	var node *NodeError
	var lost *ConnectionError
	switch {
	case errors.As(err, &node) && node.Busy():
		l.resumeAt = l.clock.Now().Add(max(node.RetryAfter, laneTick))
		l.log.Debug("the node is too busy; slowing down", "error", err) // the client warns once
	case errors.As(err, &node) && node.Code == "invalidTransaction":
		l.refused(op, Submission{EngineResult: node.Code, EngineResultMessage: node.Message})
	case errors.As(err, &lost) && (errors.Is(err, context.Canceled) || !l.up):
		// given up, or the line is down, which is told once for all
	default:
		l.log.Warn("a submission got no usable answer; it is sent again while it can apply", "hash", op.newest().Hash, "error", err)
	}
}

// answered does what [actionFor] says.
func (l *Lane) answered(op *operation, a *attempt, s Submission) {
	if op.state == stateStoring {
		return // as above
	}
	op.last, op.unheard = s, false
	if s.OpenLedgerCost > 0 {
		l.openCost = s.OpenLedgerCost // over the ceiling, nothing new goes until the next ledger
	}
	next := actionFor(s.EngineResult)
	if next == actReprice && a.sends > 1 && s.EngineResult == "telCAN_NOT_QUEUE_FEE" {
		next = actQueued // the node holds this very blob already, and takes no other in its place for the same fee
	}
	switch next {
	case actAwait:
		op.state = stateTaken
		if tc, is := op.tx.(ticketCreate); is && s.EngineResult == "tesSUCCESS" {
			l.ticketsTaken(op, tc)
		}
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
		l.refused(op, s)
	case actNetwork:
		l.wrongNetwork(op)
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
	if fee > l.cfg.MaxFeeDrops || len(op.attempts) >= maxAttempts {
		l.full()
		return
	}
	if l.replace(op, fee) {
		l.tally.reprices.Add(1)
	}
}

// maxAttempts is how many blobs an operation may have with one sequence or ticket.
const maxAttempts = 8

// replace signs an operation again with the same sequence or ticket. Only one of its blobs can be validated.
func (l *Lane) replace(op *operation, fee int64) bool {
	if !l.mayStore() || l.behind() || op.late(l.clock.Now()) || op.closed {
		return false // the next ledger's answer says the same
	}
	signed, err := l.sign(op, fee)
	if err != nil {
		l.log.Error("a transaction cannot be signed again with the same sequence", "hash", op.newest().Hash, "error", err)
		return false
	}
	l.journal(op, signed)
	return true
}

// refused notes that the node does not take an operation. It was sent, so that the ledger decides when its
// LastLedgerSequence is past.
func (l *Lane) refused(op *operation, s Submission) {
	op.state, op.last, op.unheard = stateRefused, s, false
	l.tally.refusals.Add(1)
	l.log.Error("the node refuses a transaction; the ledger is asked when its LastLedgerSequence is past", "operation", op.id, "hash", op.newest().Hash,
		"result", s.EngineResult, "message", s.EngineResultMessage, "last_ledger", op.lastLedger())
}
