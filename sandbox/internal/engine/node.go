package engine

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/shamap"
)

// Bounds of what a Node remembers of transactions that are in no ledger.
const (
	seenFor     = 5 * time.Minute  // what was malformed, or broadcast, counts so (rippled's HashRouter)
	knownFor    = 30 * time.Minute // what was submitted can be looked up (TransactionMaster)
	relayAgain  = 30 * time.Second // a transaction counts as broadcast anew
	maxSeen     = 1 << 16
	maxKept     = 1 << 14 // transactions held, and submitted here, for coming ledgers
	historyKept = 2048    // closed ledgers whose state stays readable, by default
	rippleEpoch = 946684800
)

// ErrCloseTime refuses a close time that is not after the last ledger's.
var ErrCloseTime = errors.New("the close time must be after that of the last closed ledger")

// Config says how a Node is made.
type Config struct {
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// GenesisCloseTime is ledger 2's close time, seconds since the Ripple
	// Epoch; from the clock when nil.
	GenesisCloseTime *uint32
	// TrackClock gives ledgers the clock's time as their close time. Otherwise it
	// is rounded to the resolution, as by a stand-alone xrpld. Either way it is
	// after the parent's, so ledgers that close more than once a second run ahead
	// of the clock.
	TrackClock bool
	// Capacity is the soft limit of transactions a ledger, past which the
	// open ledger's cost rises; 1000 when zero.
	Capacity int
	// History is how many closed ledgers stay readable; 2048 when zero.
	// Transactions and headers of older ones stay.
	History int
	// Commit, when set, is given each closed ledger (for Replay) before
	// anybody can see it. Its error leaves the ledger open, with all that was
	// in it and all that was held for it, and what was held may be in it now.
	Commit func(payload []byte) error
}

// Observer hears what happens, in order. Its methods run under the Node's
// lock: they must return at once and not call the Node.
type Observer interface {
	// Proposed is a transaction that got into the open ledger.
	Proposed(tx *codec.Tx, result TER, openSeq uint32)
	// LedgerClosed is a new closed (and so validated) ledger, and its
	// transactions by index.
	LedgerClosed(l *Ledger, records []*TxRecord)
	// FeeChanged says that the open ledger's cost may have changed.
	FeeChanged(m FeeMetrics)
}

// SubmitResult is what became of a submitted transaction for now.
type SubmitResult struct {
	Result    TER
	Applied   bool // it is in the open ledger
	Broadcast bool // other nodes would have been told
	Queued    bool
	Kept      bool // it will be tried again
	// Rejected: it was found malformed before and was not tried again; the
	// fields below are not set.
	Rejected          bool
	ValidatedSeq      uint32
	OpenLedgerCost    uint64 // drops
	SequenceNext      uint32 // of its account in the open ledger; 0 without account
	SequenceAvailable uint32 // the first that nothing in the queue uses
	InLedger          uint32 // the closed ledger that it stands in already; 0 for none
}

type seenTx struct {
	tx      *codec.Tx // nil once it is in a closed ledger
	bad     bool
	held    bool // it was held once without being submitted here
	at      time.Time
	relayed time.Time
}

type txRef struct {
	id  codec.Hash256
	seq uint32
	pos uint32
}

// Node is a stand-alone ledger: a chain of closed ledgers and an open one.
type Node struct {
	cfg Config

	mu       sync.RWMutex
	open     *view
	snap     *Ledger // of open; nil when it changed since
	closed   *Ledger
	ledgers  map[uint32]*Ledger // all closed ones; State is nil for those past History
	byHash   map[codec.Hash256]uint32
	first    uint32 // oldest ledger with its state
	queue    *txQueue
	held     canonicalSet
	local    localTxs
	seen     map[codec.Hash256]*seenTx
	seenIDs  []codec.Hash256 // of seen, as they came
	txLedger map[codec.Hash256]uint32
	byAcct   map[codec.AccountID][]txRef
	observer Observer

	withheld   map[codec.Hash256]uint32 // by transaction: the first ledger that may take it
	avoidClose uint32                   // a close time that was given to a ledger that is gone
}

// New starts a ledger as rippled's `-a --start` does: ledger 1 is the genesis
// ledger, 2 is closed, 3 is open.
func New(cfg Config) (*Node, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Capacity == 0 {
		cfg.Capacity = 1000
	}
	if cfg.History == 0 {
		cfg.History = historyKept
	}
	if cfg.Capacity < 1 || cfg.Capacity > 1_000_000 || cfg.History < 1 {
		return nil, fmt.Errorf("capacity must be from 1 to 1000000 and history at least 1, not %d and %d", cfg.Capacity, cfg.History)
	}
	n := &Node{
		cfg: cfg, ledgers: map[uint32]*Ledger{}, byHash: map[codec.Hash256]uint32{},
		queue: newTxQueue(cfg.Capacity), seen: map[codec.Hash256]*seenTx{},
		txLedger: map[codec.Hash256]uint32{}, byAcct: map[codec.AccountID][]txRef{}, first: 1,
	}
	n.store(genesis(), nil)
	at := n.clockTime()
	if cfg.GenesisCloseTime != nil {
		at = *cfg.GenesisCloseTime
	}
	n.store(build(n.closed, at, nil), nil)
	n.open = newView(n.closed, true)
	return n, nil
}

// clockTime is a close time by the clock.
func (n *Node) clockTime() uint32 {
	if n.cfg.TrackClock {
		return n.rippleNow()
	}
	return roundCloseTime(n.rippleNow())
}

func (n *Node) rippleNow() uint32 {
	return uint32(max(n.cfg.Now().Unix()-rippleEpoch, 0))
}

// build makes the ledger after parent; fill puts its transactions in.
func build(parent *Ledger, closeTime uint32, fill func(v *view)) *Ledger {
	l, _ := buildRecords(parent, closeTime, fill)
	return l
}

func buildRecords(parent *Ledger, closeTime uint32, fill func(v *view)) (*Ledger, []*TxRecord) {
	v := newView(parent, false)
	if fill != nil {
		fill(v)
	}
	updateSkipList(v.state, v.seq, parent.Hash)
	l := &Ledger{
		Header: Header{
			Seq: v.seq, Drops: v.drops, ParentHash: parent.Hash, ParentCloseTime: parent.CloseTime,
			CloseTime: closeTime, Resolution: closeResolution,
		},
		State: v.state.Map(), txs: v.metas.Map(),
	}
	l.seal()
	for _, r := range v.records {
		r.LedgerHash, r.CloseTime = l.Hash, closeTime
	}
	return l, v.records
}

// store makes a closed ledger the last one.
func (n *Node) store(l *Ledger, records []*TxRecord) {
	n.closed = l
	n.ledgers[l.Seq] = l
	n.byHash[l.Hash] = l.Seq
	for _, r := range records {
		n.txLedger[r.Tx.ID] = l.Seq
		for _, a := range r.Affected() {
			n.byAcct[a] = append(n.byAcct[a], txRef{id: r.Tx.ID, seq: l.Seq, pos: r.Index})
		}
	}
	for l.Seq-n.first >= uint32(n.cfg.History) {
		old := *n.ledgers[n.first]
		old.State = nil
		n.ledgers[n.first] = &old
		n.first++
	}
}

// Affected are the accounts that a transaction's metadata names in what it
// left behind, each once (rippled's TxMeta::getAffectedAccounts).
func (r *TxRecord) Affected() []codec.AccountID {
	var out []codec.AccountID
	for _, e := range r.Meta.Array(codec.SfAffectedNodes) {
		inner := e.Object.Object(codec.SfFinalFields)
		if e.Field == codec.SfCreatedNode {
			inner = e.Object.Object(codec.SfNewFields)
		}
		if inner == nil {
			continue
		}
		for _, f := range inner.Fields() {
			if f.Type != codec.TypeAccountID {
				continue
			}
			if a := inner.Account(f); !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// Observe sets the one observer; nil for none.
func (n *Node) Observe(o Observer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.observer = o
}

// Closed is the last closed ledger; stand-alone, that is the validated one.
func (n *Node) Closed() *Ledger {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.closed
}

// Current is the open ledger as it is now.
func (n *Node) Current() *Ledger {
	n.mu.RLock()
	snap := n.snap
	n.mu.RUnlock()
	if snap != nil {
		return snap
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.snap == nil {
		n.snap = n.open.snapshot()
	}
	return n.snap
}

// LedgerBySeq gives a closed ledger; nil when there is none, or when its state
// is kept no longer.
func (n *Node) LedgerBySeq(seq uint32) *Ledger {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.readable(seq)
}

// LedgerByHash is LedgerBySeq by hash.
func (n *Node) LedgerByHash(h codec.Hash256) *Ledger {
	n.mu.RLock()
	defer n.mu.RUnlock()
	seq, ok := n.byHash[h]
	if !ok {
		return nil
	}
	return n.readable(seq)
}

func (n *Node) readable(seq uint32) *Ledger {
	l := n.ledgers[seq]
	if l == nil || l.State == nil {
		return nil
	}
	return l
}

// Range tells the closed ledgers that are readable. Like rippled's
// complete_ledgers it leaves ledger 1 out, which is readable all the same.
func (n *Node) Range() (first, last uint32) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return max(n.first, 2), n.closed.Seq
}

// Lookup finds a transaction: rec when it is in a closed ledger, else known
// when it was submitted a while ago and is in none.
func (n *Node) Lookup(id codec.Hash256) (rec *TxRecord, known *codec.Tx) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if seq, ok := n.txLedger[id]; ok {
		return n.ledgers[seq].Tx(id), nil
	}
	if s := n.seen[id]; s != nil {
		return nil, s.tx
	}
	return nil, nil
}

// LedgersWithTxs counts the closed ledgers from first to last that hold at
// least one transaction.
func (n *Node) LedgersWithTxs(first, last uint32) int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	count := 0
	for seq := max(first, 1); seq <= last && seq <= n.closed.Seq; seq++ {
		if l := n.ledgers[seq]; l != nil && l.txs.Len() > 0 {
			count++
		}
	}
	return count
}

// AccountTxs are the transactions that affected an account in the ledgers from
// first to last: newest first unless forward.
func (n *Node) AccountTxs(a codec.AccountID, first, last uint32, forward bool) iter.Seq[*TxRecord] {
	return func(yield func(*TxRecord) bool) {
		n.mu.RLock()
		refs := n.byAcct[a]
		refs = refs[:len(refs):len(refs)] // entries are never changed, only added
		n.mu.RUnlock()
		lo, _ := slices.BinarySearchFunc(refs, first, func(r txRef, s uint32) int { return int(int64(r.seq) - int64(s)) })
		hi, _ := slices.BinarySearchFunc(refs, uint64(last)+1, func(r txRef, s uint64) int { return int(int64(r.seq) - int64(s)) })
		for i := range max(hi-lo, 0) {
			r := refs[hi-1-i]
			if forward {
				r = refs[lo+i]
			}
			n.mu.RLock()
			l := n.ledgers[r.seq]
			n.mu.RUnlock()
			if l == nil {
				continue // gone in a Restart
			}
			if rec := l.Tx(r.id); rec != nil && !yield(rec) {
				return
			}
		}
	}
}

// FeeMetrics are the present figures of the queue and of the open ledger's cost.
func (n *Node) FeeMetrics() FeeMetrics {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.queue.metrics(n.open)
}

// QueueOf is an account's part of the queue: sequences first, then tickets.
func (n *Node) QueueOf(a codec.AccountID) []QueuedTx {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.queue.ofAccount(a)
}

// Queue is the whole queue, what pays most first.
func (n *Node) Queue() []QueuedTx {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.queue.all()
}

// NextSequence is the first sequence of an account that neither the open
// ledger nor the queue has used; 0 when there is no such account.
func (n *Node) NextSequence(a codec.AccountID) uint32 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.queue.nextQueuable(n.open.read(AccountKey(a)))
}

// Submit tries a transaction on the open ledger. Its signature must have been
// checked. With failHard it is neither kept nor queued when it fails.
func (n *Node) Submit(tx *codec.Tx, failHard bool) SubmitResult {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.submit(tx, failHard)
}

func (n *Node) submit(tx *codec.Tx, failHard bool) SubmitResult {
	now := n.cfg.Now()
	s := n.see(tx, now)
	if s.bad {
		return SubmitResult{Result: TemBadSignature, Rejected: true}
	}
	batch := [1]submission{{seen: s, local: true, failHard: failHard}}
	n.processHeld(n.process(batch[:], now), now)
	return batch[0].res
}

// see remembers a transaction, in the place of the oldest when there are too
// many.
func (n *Node) see(tx *codec.Tx, now time.Time) *seenTx {
	s := n.seen[tx.ID]
	if s == nil {
		for len(n.seenIDs) >= maxSeen {
			delete(n.seen, n.seenIDs[0])
			n.seenIDs = n.seenIDs[1:]
		}
		s = &seenTx{at: now}
		n.seen[tx.ID] = s
		n.seenIDs = append(n.seenIDs, tx.ID)
	}
	if now.Sub(s.at) > seenFor {
		s.bad, s.held, s.relayed = false, false, time.Time{}
	}
	s.tx, s.at = tx, now
	return s
}

// submission is a transaction to be tried on the open ledger, and the result.
type submission struct {
	seen     *seenTx
	local    bool // submitted here, and for the first time
	failHard bool
	res      SubmitResult
}

// process is NetworkOPs::apply: all transactions of the batch are tried before
// any is told or held. next are the held transactions whose turn has come.
func (n *Node) process(batch []submission, now time.Time) (next []*codec.Tx) {
	changed := false
	for i := range batch {
		e := &batch[i]
		var flags applyFlags
		if e.failHard {
			flags = flagFailHard
		}
		e.res = SubmitResult{ValidatedSeq: n.closed.Seq}
		e.res.Result, e.res.Applied = n.queue.apply(n.open, e.seen.tx, flags)
		changed = changed || e.res.Applied
	}
	if changed {
		n.snap = nil
		if n.observer != nil {
			n.observer.FeeChanged(n.queue.metrics(n.open))
		}
	}
	for i := range batch {
		next = append(next, n.settle(&batch[i], now)...)
	}
	return next
}

// settle tells of a transaction that was tried, and holds it where it may
// succeed later. next are the held transactions whose turn has come.
func (n *Node) settle(e *submission, now time.Time) (next []*codec.Tx) {
	tx, r := e.seen.tx, e.res.Result
	if e.res.Applied && n.observer != nil {
		n.observer.Proposed(tx, r, n.open.seq)
	}
	switch {
	case r == TesSuccess:
		next = n.popHeld(tx)
	case r == TefPastSeq:
	case r == TerQueued:
		n.hold(tx)
		e.res.Queued, e.res.Kept = true, true
	case r.IsTer(), r.IsTel(), r.IsTef():
		if !e.failHard && (e.local || n.lastsBriefly(tx) || e.seen.holdOnce()) {
			n.hold(tx)
			e.res.Kept = true
		}
	case r.IsTem():
		e.seen.bad = true
	}
	hard := e.failHard && r != TesSuccess
	if e.local && !hard && len(n.local.list) < maxKept {
		n.local.add(n.open.seq, tx)
		e.res.Kept = true
	}
	if (e.res.Applied || e.res.Queued) && !hard {
		e.res.Broadcast = e.seen.relay(now)
	}
	e.res.OpenLedgerCost, e.res.SequenceNext, e.res.SequenceAvailable = n.queue.requiredFeeAndSeq(n.open, tx)
	e.res.InLedger = n.txLedger[tx.ID]
	return next
}

// processHeld tries held transactions, and those of their accounts that they
// make way for, until none is left.
func (n *Node) processHeld(txs []*codec.Tx, now time.Time) {
	for len(txs) > 0 {
		batch := make([]submission, len(txs))
		for i, tx := range txs {
			batch[i].seen = n.see(tx, now)
		}
		txs = n.process(batch, now)
	}
}

// retryHeld tries all held transactions before the open ledger closes
// (LedgerMaster::applyHeldTransactions). Those that fail may be held once more.
func (n *Node) retryHeld(now time.Time) {
	held := n.held.entries
	n.held = canonicalSet{salt: n.open.parentHash}
	txs := make([]*codec.Tx, 0, len(held))
	for _, e := range held {
		if !n.see(e.tx, now).bad {
			txs = append(txs, e.tx)
		}
	}
	n.processHeld(txs, now)
}

// maxPopped is how many held transactions one success makes way for (Tuning.h).
const maxPopped = 10

// popHeld takes the transactions that follow tx out of the held ones. One that
// is past maxPopped is no longer held either, as with rippled.
func (n *Node) popHeld(tx *codec.Tx) (next []*codec.Tx) {
	for t := n.held.popNext(tx); t != nil && len(next) < maxPopped; t = n.held.popNext(tx) {
		next = append(next, t)
	}
	return next
}

// lastsBriefly tells whether a transaction expires within the ledgers for which
// transactions that were submitted here are kept.
func (n *Node) lastsBriefly(tx *codec.Tx) bool {
	return tx.Has(codec.SfLastLedgerSequence) && uint32(tx.Uint(codec.SfLastLedgerSequence))-n.open.seq <= localHoldLedgers
}

// holdOnce tells whether a transaction may be held although it was not
// submitted here: once.
func (s *seenTx) holdOnce() bool {
	first := !s.held
	s.held = true
	return first
}

// relay tells whether the transaction would be sent to other nodes now.
func (s *seenTx) relay(now time.Time) bool {
	if !s.relayed.IsZero() && now.Sub(s.relayed) < relayAgain {
		return false
	}
	s.relayed = now
	return true
}

func (n *Node) hold(tx *codec.Tx) {
	if len(n.held.entries) < maxKept {
		n.held.insert(tx)
	}
}

// Close closes the open ledger, as `ledger_accept` does, and opens the next.
// The close time is in seconds since the Ripple Epoch; nil takes the clock's,
// rounded as rippled does.
func (n *Node) Close(closeTime *uint32) (*Ledger, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.nextCloseTime()
	if closeTime != nil {
		if at = *closeTime; at <= n.closed.CloseTime {
			return nil, ErrCloseTime
		}
	}
	now := n.cfg.Now()

	held := n.held
	n.retryHeld(now)

	proposal, proposed := n.proposal(), shamap.New(shamap.TxSetMap).Edit()
	for _, tx := range proposal {
		proposed.Put(tx.ID, tx.Blob)
	}
	retries := canonicalSet{salt: proposed.Map().Hash()}
	retries.insertAll(proposal)
	var levels []uint64
	l, records := buildRecords(n.closed, at, func(v *view) {
		retries.applyPasses(v)
		levels = levelsPaid(v)
	})
	if n.cfg.Commit != nil {
		if err := n.cfg.Commit(encodeClosed(l, records)); err != nil {
			n.held = held
			return nil, fmt.Errorf("storing closed ledger %d: %w", l.Seq, err)
		}
	}
	n.queue.ledgerClosed(l.Seq, levels)
	last := n.open
	n.store(l, records)
	n.avoidClose = 0
	n.openNext(last, &retries, now)
	n.local.sweep(l)
	n.forget(now, records)
	n.sweepWithheld()
	if n.observer != nil {
		n.observer.LedgerClosed(l, records)
		n.observer.FeeChanged(n.queue.metrics(n.open))
	}
	return l, nil
}

// openNext starts the open ledger on the last closed one: with what the
// previous open ledger held and the closed one does not, what the queue lets
// go, and what was submitted here (OpenLedger::accept).
func (n *Node) openNext(last *view, retries *canonicalSet, now time.Time) {
	n.open, n.snap = newView(n.closed, true), nil
	for _, tx := range sortedByID(last.list) {
		if n.closed.txs.Has(tx.ID) {
			continue
		}
		if tryApply(n.open, tx, true) == attemptAgain {
			retries.insert(tx)
		}
	}
	retries.applyPasses(n.open)
	n.queue.accept(n.open)
	for _, e := range n.local.set() {
		n.queue.apply(n.open, e.tx, 0)
	}
	for _, tx := range n.open.list {
		if s := n.seen[tx.ID]; s != nil {
			s.relay(now)
		}
	}
}

// forget drops the memory of transactions that nobody asked for in a while, and
// of the content of those that a ledger holds.
func (n *Node) forget(now time.Time, records []*TxRecord) {
	for _, r := range records {
		if s := n.seen[r.Tx.ID]; s != nil {
			s.tx = nil
		}
	}
	n.seenIDs = slices.DeleteFunc(n.seenIDs, func(id codec.Hash256) bool {
		if now.Sub(n.seen[id].at) <= knownFor {
			return false
		}
		delete(n.seen, id)
		return true
	})
}
