package engine

import (
	"math"
	"math/bits"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// The transaction queue and the open ledger's cost, as rippled's TxQ has them.
// Fees are compared as levels: 256 is the cost of the transaction at rest. Up
// to a soft limit of transactions the open ledger asks that much; past it the
// cost rises with the square of their number, and what pays less is queued.
const (
	baseLevel            = 256
	minEscalation        = baseLevel * 500
	queueLedgers         = 20   // ledgers' worth of transactions that the queue holds
	queueSizeMin         = 2000 // transactions that it holds at least
	queuePerAccount      = 10
	queueRetries         = 10
	queueMinBuffer       = 2  // ledgers that a queued transaction must have left
	retrySequencePercent = 25 // more that a replacement must pay
	growPercent          = 20 // a ledger past its limit raises the next one's by so much
	sequenceBoundSquares = 1 << 21
)

// QueuedTx is a transaction in the queue, as account_info and ledger show it.
type QueuedTx struct {
	Tx             *codec.Tx
	Seq            uint32 // sequence, or the ticket's
	Ticket         bool
	FeeLevel       uint64
	LastValid      uint32 // LastLedgerSequence; 0 for none
	Fee            int64  // drops
	PotentialSpend int64  // drops, without the fee
	Blocker        bool   // it blocks those behind it
	Retries        int    // tries left
	LastResult     TER    // of its last try
	HasLastResult  bool
}

// FeeMetrics are the figures of the queue and the open ledger's cost.
type FeeMetrics struct {
	BaseFee        int64 // drops
	TxInLedger     int   // transactions in the open ledger
	TxPerLedger    int   // its soft limit
	QueueSize      int
	QueueMax       int    // 0 before the first ledger has closed
	ReferenceLevel uint64 // 256: the cost at rest
	MinLevel       uint64 // to get into the queue
	MedianLevel    uint64 // by which the cost escalates
	OpenLevel      uint64 // to get into the open ledger
	CurrentSeq     uint32 // of the open ledger
}

type queued struct {
	tx         *codec.Tx
	account    codec.AccountID
	proxy      seqProxy
	level      uint64
	lastValid  uint64 // LastLedgerSequence; 0 for none
	flags      applyFlags
	cons       consequences
	retries    int
	lastResult TER
	tried      bool
}

type accountQueue struct {
	txs                       []*queued // by proxy
	retryPenalty, dropPenalty bool
}

func (a *accountQueue) search(p seqProxy) (int, bool) {
	return slices.BinarySearchFunc(a.txs, p, func(q *queued, p seqProxy) int { return q.proxy.compare(p) })
}

type txQueue struct {
	minimum      uint64 // soft limit that ledgers start from
	target       uint64
	expected     uint64   // present soft limit
	escalation   uint64   // multiplier of the cost, as a level
	recentCounts []uint64 // of the last ledgers past the limit, at most queueLedgers
	maxSize      int
	parentHash   codec.Hash256
	byFee        []*queued // best first
	byAccount    map[codec.AccountID]*accountQueue
}

func newTxQueue(capacity int) *txQueue {
	c := uint64(capacity)
	return &txQueue{
		minimum: c, target: c, expected: c, escalation: minEscalation,
		byAccount: map[codec.AccountID]*accountQueue{},
	}
}

// mulDiv is a*b/c in full width; not ok when it does not fit.
func mulDiv(a, b, c uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64, false
	}
	q, _ := bits.Div64(hi, lo, c)
	return q, true
}

func mulDivMax(a, b, c uint64) uint64 { q, _ := mulDiv(a, b, c); return q }

// levelPaid is the level that a transaction's fee comes to. Where the base fee
// is zero, both are raised by the ordinary one.
func levelPaid(v *view, tx *codec.Tx) uint64 {
	base, paid := baseFee(v, tx), tx.Fee()
	if base <= 0 {
		mod := defaultBaseFee(v, tx)
		if mod == 0 {
			mod = 1
		}
		base, paid = base+mod, paid+mod
	}
	if paid <= 0 || base <= 0 {
		return 0
	}
	return mulDivMax(uint64(paid), baseLevel, uint64(base))
}

// levelsPaid are the levels of a ledger's transactions, as what they cost in its
// final state.
func levelsPaid(v *view) []uint64 {
	levels := make([]uint64, len(v.list))
	for i, tx := range v.list {
		levels[i] = levelPaid(v, tx)
	}
	return levels
}

// requiredLevel is what the open ledger asks at this moment.
func (q *txQueue) requiredLevel(v *view) uint64 {
	current := uint64(v.txCount())
	if current <= q.expected {
		return baseLevel
	}
	return mulDivMax(q.escalation, current*current, q.expected*q.expected)
}

// requiredForSeries is what n transactions together must pay to get into the
// open ledger one after the other.
func (q *txQueue) requiredForSeries(v *view, n int) (uint64, bool) {
	current := uint64(v.txCount())
	last := current + uint64(n) - 1
	if last >= sequenceBoundSquares {
		return 0, false
	}
	squares := func(x uint64) uint64 { return x * (x + 1) * (2*x + 1) / 6 }
	return mulDiv(q.escalation, squares(last)-squares(current-1), q.expected*q.expected)
}

func (q *txQueue) less(a, b *queued) bool {
	if a.level != b.level {
		return a.level > b.level
	}
	for i := range a.tx.ID {
		if x, y := a.tx.ID[i]^q.parentHash[i], b.tx.ID[i]^q.parentHash[i]; x != y {
			return x < y
		}
	}
	return false
}

func (q *txQueue) insertByFee(e *queued) {
	at, _ := slices.BinarySearchFunc(q.byFee, e, func(a, b *queued) int {
		if q.less(a, b) {
			return -1
		}
		return 1
	})
	q.byFee = slices.Insert(q.byFee, at, e)
}

// remove takes an entry out of both orders; its account's queue may stay empty.
func (q *txQueue) remove(e *queued) {
	if at := slices.Index(q.byFee, e); at >= 0 {
		q.byFee = slices.Delete(q.byFee, at, at+1)
	}
	if a := q.byAccount[e.account]; a != nil {
		if at, ok := a.search(e.proxy); ok {
			a.txs = slices.Delete(a.txs, at, at+1)
		}
	}
}

func (q *txQueue) isFull(percent int) bool {
	return q.maxSize > 0 && len(q.byFee) >= q.maxSize*percent/100
}

// nextQueuable is the first sequence of the account that nothing in the queue
// uses; 0 when there is no such account.
func (q *txQueue) nextQueuable(acct *codec.Object) uint32 {
	if acct == nil {
		return 0
	}
	next := uint32(acct.Uint(codec.SfSequence))
	a := q.byAccount[acct.Account(codec.SfAccount)]
	if a == nil {
		return next
	}
	at, found := a.search(seqProxy{value: next})
	if !found {
		return next
	}
	attempt := seqProxy{value: next + a.txs[at].cons.sequences}
	for _, e := range a.txs[at+1:] {
		if attempt.compare(e.proxy) < 0 {
			break
		}
		attempt = seqProxy{ticket: e.proxy.ticket, value: e.proxy.value + e.cons.sequences}
	}
	return attempt.value
}

// canBeHeld tells whether the account may have one more transaction queued.
func (q *txQueue) canBeHeld(v *view, tx *codec.Tx, flags applyFlags, acct *codec.Object, replaces bool) TER {
	if tx.Has(codec.SfPreviousTxnID) || tx.Has(codec.SfAccountTxnID) || flags&flagFailHard != 0 {
		return TelCanNotQueue
	}
	if tx.Has(codec.SfLastLedgerSequence) && tx.Uint(codec.SfLastLedgerSequence) < uint64(v.seq)+queueMinBuffer {
		return TelCanNotQueue
	}
	a := q.byAccount[tx.AccountID()]
	if a == nil || replaces || len(a.txs) < queuePerAccount {
		return TesSuccess
	}
	p := proxyOf(tx)
	if p.ticket {
		return TelCanNotQueueFull
	}
	next := seqProxy{value: q.nextQueuable(acct)}
	if p != next {
		return TelCanNotQueueFull
	}
	// Past the limit only what fills a gap in front of others is let in.
	at, found := a.search(next)
	if found {
		at++
	}
	if at < len(a.txs) && !a.txs[at].proxy.ticket {
		return TesSuccess
	}
	return TelCanNotQueueFull
}

// apply puts a transaction into the open ledger when its fee is high enough,
// else into the queue (TxQ::apply).
func (q *txQueue) apply(v *view, tx *codec.Tx, flags applyFlags) (TER, bool) {
	if r := preflight(tx, flags); r != TesSuccess {
		return r, false
	}
	if r, applied, done := q.applyDirectly(v, tx, flags); done {
		return r, applied
	}
	account := tx.AccountID()
	acct := v.read(AccountKey(account))
	if acct == nil {
		return TerNoAccount, false
	}
	next := seqProxy{value: uint32(acct.Uint(codec.SfSequence))}
	p := proxyOf(tx)
	if p.ticket && !v.has(TicketKey(account, p.value)) {
		if p.value < next.value {
			return TefNoTicket, false
		}
		return TerPreTicket, false
	}

	aq := q.byAccount[account]
	var pending []*queued // the account's queued transactions that may still apply
	if aq != nil {
		at, _ := aq.search(next)
		pending = aq.txs[at:]
	}
	cons := consequencesOf(tx)
	if cons.blocker && (len(pending) > 1 || len(pending) == 1 && pending[0].proxy != p) {
		return TelCanNotQueueBlocks, false
	}
	var replaced *queued
	if aq != nil {
		if at, ok := aq.search(p); ok {
			replaced = aq.txs[at]
		}
	}
	paid, required := levelPaid(v, tx), q.requiredLevel(v)
	if len(pending) > 0 {
		if len(pending) == 1 && pending[0].cons.blocker && pending[0].proxy != p {
			return TelCanNotQueueBlocked, false
		}
		if replaced != nil && paid <= mulDivMax(replaced.level, 100+retrySequencePercent, 100) {
			return TelCanNotQueueFee, false
		}
	}

	trial := v
	multi := false
	if len(pending) == 0 {
		if !p.ticket {
			if next.compare(p) > 0 {
				return TefPastSeq, false
			}
			if next.compare(p) < 0 {
				return TerPreSeq, false
			}
		}
	} else {
		if next.compare(p) > 0 {
			return TefPastSeq, false
		}
		if len(pending) > 1 || replaced == nil {
			if r := q.canBeHeld(v, tx, flags, acct, replaced != nil); r != TesSuccess {
				return r, false
			}
			var r TER
			if trial, r = q.trialView(v, tx, acct, aq, pending, replaced, cons); r != TesSuccess {
				return r, false
			}
			multi = true
		}
	}
	if r := preclaim(trial, tx, flags); !likelyToClaimFee(r, flags) {
		return r, false
	}

	if !p.ticket && multi && pending[0].retries == queueRetries && paid > required && required > baseLevel {
		if r, ok := q.clearAccount(v, tx, p, pending, paid, flags); ok {
			return r, true
		}
	}
	if !multi {
		if r := q.canBeHeld(v, tx, flags, acct, replaced != nil); r != TesSuccess {
			return r, false
		}
	}
	if replaced == nil && q.isFull(100) && !q.makeRoom(account, paid) {
		return TelCanNotQueueFull, false
	}
	if replaced != nil {
		q.remove(replaced)
	}
	if aq == nil {
		aq = &accountQueue{}
		q.byAccount[account] = aq
	}
	e := &queued{
		tx: tx, account: account, proxy: p, level: paid, flags: flags &^ flagRetry, cons: cons,
		retries: queueRetries, lastValid: tx.Uint(codec.SfLastLedgerSequence),
	}
	at, _ := aq.search(p)
	aq.txs = slices.Insert(aq.txs, at, e)
	q.insertByFee(e)
	return TerQueued, false
}

// applyDirectly tries the open ledger first, when the transaction is its
// account's next and pays what the ledger asks.
func (q *txQueue) applyDirectly(v *view, tx *codec.Tx, flags applyFlags) (r TER, applied, done bool) {
	acct := v.read(AccountKey(tx.AccountID()))
	if acct == nil {
		return 0, false, false
	}
	p := proxyOf(tx)
	if !p.ticket && uint64(p.value) != acct.Uint(codec.SfSequence) {
		return 0, false, false
	}
	if levelPaid(v, tx) < q.requiredLevel(v) {
		return 0, false, false
	}
	r, applied = applyPreflighted(v, tx, flags)
	if applied {
		if aq := q.byAccount[tx.AccountID()]; aq != nil {
			if at, ok := aq.search(p); ok {
				q.remove(aq.txs[at])
			}
		}
	}
	return r, applied, true
}

// trialView is the open ledger as it would be for this transaction once those
// queued before it are through: their fees and spending gone, the sequence
// where it must be.
func (q *txQueue) trialView(v *view, tx *codec.Tx, acct *codec.Object, aq *accountQueue, pending []*queued, replaced *queued, cons consequences) (*view, TER) {
	p := proxyOf(tx)
	next := seqProxy{value: uint32(acct.Uint(codec.SfSequence))}
	at, _ := aq.search(p)
	prev := aq.txs[max(at-1, 0)]
	if p.compare(prev.proxy) < 0 {
		if !p.ticket {
			if p.compare(next) < 0 {
				return nil, TefPastSeq
			}
			if p.compare(next) > 0 {
				return nil, TerPreSeq
			}
		}
	} else if replaced == nil && !p.ticket && q.nextQueuable(acct) != p.value {
		return nil, TelCanNotQueue
	}
	var spend, fees int64
	for i, e := range pending {
		switch {
		case e.proxy != p:
			fees += e.tx.Fee()
			spend += e.cons.spend
		case i < len(pending)-1:
			fees += tx.Fee()
			spend += cons.spend
		}
	}
	balance := acct.Drops(codec.SfBalance)
	reserve := v.fees.Reserve
	if fees >= balance || reserve > 10*v.fees.Base && fees >= reserve {
		return nil, TelCanNotQueueBalance
	}
	trial := v.fork()
	key := AccountKey(tx.AccountID())
	bumped := trial.read(key)
	bumped.SetDrops(codec.SfBalance, balance-fees-min(balance-min(balance, reserve), spend))
	if p.ticket {
		bumped.SetUint(codec.SfSequence, uint64(q.nextQueuable(acct)))
	} else {
		bumped.SetUint(codec.SfSequence, uint64(p.value))
	}
	trial.state.Put(key, bumped.Append(nil))
	return trial, TesSuccess
}

// clearAccount lets a transaction that pays enough for all of its account's
// queued ones take them into the open ledger with it.
func (q *txQueue) clearAccount(v *view, tx *codec.Tx, p seqProxy, pending []*queued, paid uint64, flags applyFlags) (TER, bool) {
	var before []*queued
	for _, e := range pending {
		if e.proxy.compare(p) < 0 {
			before = append(before, e)
		}
	}
	required, ok := q.requiredForSeries(v, len(before)+1)
	if !ok {
		return TelInsufFeeP, false
	}
	total := paid
	for _, e := range before {
		total += e.level
	}
	if total < required {
		return TelInsufFeeP, false
	}
	trial := v.fork()
	for _, e := range before {
		r, applied := applyPreflighted(trial, e.tx, e.flags)
		e.retries--
		e.lastResult, e.tried = r, true
		if !applied && r != TefNoTicket {
			return r, false
		}
	}
	r, applied := applyPreflighted(trial, tx, flags)
	if !applied {
		return r, false
	}
	for _, e := range before {
		q.remove(e)
	}
	if aq := q.byAccount[tx.AccountID()]; aq != nil {
		if at, found := aq.search(p); found {
			q.remove(aq.txs[at])
		}
	}
	v.adopt(trial)
	return r, true
}

// makeRoom drops the last transaction of the account that pays least on
// average, when this one pays more.
func (q *txQueue) makeRoom(account codec.AccountID, paid uint64) bool {
	at := len(q.byFee) - 1
	for at >= 0 && q.byFee[at].account == account {
		at--
	}
	if at < 0 {
		return false
	}
	last := q.byFee[at]
	theirs := q.byAccount[last.account].txs
	effective := last.level
	if last.level <= paid && len(theirs) > 1 {
		n := uint64(len(theirs))
		var whole, rest uint64
		for _, e := range theirs {
			whole += e.level / n
			rest += e.level % n
		}
		effective = whole + rest/n
	}
	if paid <= effective {
		return false
	}
	q.remove(theirs[len(theirs)-1])
	return true
}

// ledgerClosed adjusts the soft limit to what the closed ledger held and drops
// what has expired (TxQ::processClosedLedger). levels are those paid in it.
func (q *txQueue) ledgerClosed(seq uint32, levels []uint64) {
	slices.Sort(levels)
	size := uint64(len(levels))
	if size > q.expected || size > q.target {
		q.recentCounts = append(q.recentCounts, mulDivMax(size, 100+growPercent, 100))
		if len(q.recentCounts) > queueLedgers {
			q.recentCounts = q.recentCounts[1:]
		}
		most := slices.Max(q.recentCounts)
		if most < q.expected {
			most = (q.expected*9 + most) / 10
		}
		q.expected = most
	}
	if size == 0 {
		q.escalation = minEscalation
	} else {
		q.escalation = max((levels[size/2]+levels[(size-1)/2]+1)/2, minEscalation)
	}
	q.maxSize = max(int(q.expected)*queueLedgers, queueSizeMin)

	for _, e := range slices.Clone(q.byFee) {
		if e.lastValid != 0 && e.lastValid <= uint64(seq) {
			q.byAccount[e.account].dropPenalty = true
			q.remove(e)
		}
	}
	for a, aq := range q.byAccount {
		if len(aq.txs) == 0 {
			delete(q.byAccount, a)
		}
	}
}

// accept moves what pays enough from the queue into a new open ledger
// (TxQ::accept).
func (q *txQueue) accept(v *view) {
	at := 0
	for at < len(q.byFee) {
		e := q.byFee[at]
		aq := q.byAccount[e.account]
		if !e.proxy.ticket && e.proxy.compare(aq.txs[0].proxy) > 0 {
			at++
			continue
		}
		if e.level < q.requiredLevel(v) {
			break
		}
		r, applied := applyPreflighted(v, e.tx, e.flags)
		switch {
		case applied:
			at = q.removeAndAdvance(at)
		case r.IsTef() || r.IsTem() || e.retries <= 0:
			if e.retries <= 0 {
				aq.retryPenalty = true
			} else {
				aq.dropPenalty = true
			}
			at = q.removeAndAdvance(at)
		default:
			if aq.retryPenalty && e.retries > 2 {
				e.retries = 1
			} else {
				e.retries--
			}
			e.lastResult, e.tried = r, true
			if aq.dropPenalty && len(aq.txs) > 1 && q.isFull(95) {
				if e.proxy.ticket {
					at = q.removeAndAdvance(at)
					continue
				}
				if last := aq.txs[len(aq.txs)-1]; last != e {
					lastAt := slices.Index(q.byFee, last)
					q.remove(last)
					if lastAt < at {
						at--
					}
				}
			}
			at++
		}
	}
	q.parentHash = v.parentHash
	slices.SortStableFunc(q.byFee, func(a, b *queued) int {
		if q.less(a, b) {
			return -1
		}
		if q.less(b, a) {
			return 1
		}
		return 0
	})
}

// removeAndAdvance removes the entry at a position of byFee and tells where to
// go on: with the account's next transaction when that was passed over, being
// worth more than what follows.
func (q *txQueue) removeAndAdvance(at int) int {
	e := q.byFee[at]
	aq := q.byAccount[e.account]
	i, _ := aq.search(e.proxy)
	var next *queued
	if i+1 < len(aq.txs) {
		next = aq.txs[i+1]
	}
	useNext := next != nil && (at+1 == len(q.byFee) || q.less(next, q.byFee[at+1]))
	q.remove(e)
	if useNext {
		return slices.Index(q.byFee, next)
	}
	return at
}

func (q *txQueue) metrics(v *view) FeeMetrics {
	m := FeeMetrics{
		BaseFee: v.fees.Base, TxInLedger: v.txCount(), TxPerLedger: int(q.expected),
		QueueSize: len(q.byFee), QueueMax: q.maxSize, ReferenceLevel: baseLevel, MinLevel: baseLevel,
		MedianLevel: q.escalation, OpenLevel: q.requiredLevel(v), CurrentSeq: v.seq,
	}
	if q.isFull(100) {
		m.MinLevel = q.byFee[len(q.byFee)-1].level + 1
	}
	return m
}

// requiredFeeAndSeq is what submit tells about the account: the cost of this
// transaction in the open ledger in drops, the account's next sequence, and
// the first that nothing in the queue uses.
func (q *txQueue) requiredFeeAndSeq(v *view, tx *codec.Tx) (fee uint64, next, available uint32) {
	acct := v.read(AccountKey(tx.AccountID()))
	if acct != nil {
		next = uint32(acct.Uint(codec.SfSequence))
	}
	fee, ok := mulDiv(q.requiredLevel(v), uint64(max(baseFee(v, tx), 0)), baseLevel)
	if !ok {
		fee = math.MaxInt64
	}
	return fee, next, q.nextQueuable(acct)
}

func (q *txQueue) ofAccount(a codec.AccountID) []QueuedTx {
	aq := q.byAccount[a]
	if aq == nil {
		return nil
	}
	out := make([]QueuedTx, len(aq.txs))
	for i, e := range aq.txs {
		out[i] = e.describe()
	}
	return out
}

func (q *txQueue) all() []QueuedTx {
	out := make([]QueuedTx, len(q.byFee))
	for i, e := range q.byFee {
		out[i] = e.describe()
	}
	return out
}

func (e *queued) describe() QueuedTx {
	return QueuedTx{
		Tx: e.tx, Seq: e.proxy.value, Ticket: e.proxy.ticket, FeeLevel: e.level, LastValid: uint32(e.lastValid),
		Fee: e.tx.Fee(), PotentialSpend: e.cons.spend, Blocker: e.cons.blocker,
		Retries: e.retries, LastResult: e.lastResult, HasLastResult: e.tried,
	}
}
