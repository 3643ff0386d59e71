package ledger

import (
	"cmp"
	"context"
	"fmt"
	"math"
)

const (
	// gapAfter is for how many ledgers no sequence in flight may be validated before the account is compared with them, and
	// gapPatience for how many the same gap must be seen before it is filled: the transaction that left it may still get there.
	gapAfter, gapPatience = 3, 2
	// stallSlack is how many ledgers past the LastLedgerSequence of new work pass before the submitter counts as stalled.
	stallSlack = 4
)

// progress is what a lane knows of the pace of its account.
type progress struct {
	any       uint32 // the validated ledger since which work is pending and nothing of the account was validated
	sequences uint32 // the same of transactions with a sequence in flight
	used      uint32 // the last ledger that is known to have a transaction of the account

	asking        bool
	gap, gapSince uint32 // the validated account's Sequence that nothing in use reaches down to, and the ledger that showed it first
	stalled       bool
	logged        bool // the stall
}

// made notes that a transaction of the lane was validated.
func (p *progress) made(s slot, ledger, now uint32) {
	p.any, p.used, p.gap = now, max(p.used, ledger), 0
	if !s.ticket {
		p.sequences = now
	}
}

// paced notes a validated ledger, and looks into a stall.
func (l *Lane) paced() {
	p, now := &l.progress, l.validated.Index
	if p.any == 0 || len(l.inFlight)+len(l.waiting) == 0 {
		p.any = now
	}
	_, inFlight := l.lowestInFlight()
	if p.sequences == 0 || !inFlight {
		p.sequences = now
	}
	if l.synced && inFlight && now >= p.sequences+gapAfter {
		l.seekGap()
	}
	l.watchStall()
}

// missed keeps ledgers that passed while the node was away from counting as a stall.
func (p *progress) missed(n uint32) {
	p.any, p.sequences = p.any+n, p.sequences+n
}

// lowestInFlight returns the lowest sequence in flight.
func (l *Lane) lowestInFlight() (lowest uint32, any bool) {
	lowest = math.MaxUint32
	for s := range l.inFlight {
		if !s.ticket {
			lowest, any = min(lowest, s.n), true
		}
	}
	return lowest, any
}

// seekGap compares the validated account with what is in flight.
func (l *Lane) seekGap() {
	if l.progress.asking || l.looking {
		return // a look-up reads the account too
	}
	l.progress.asking = true
	l.job(func(ctx context.Context) func() {
		settled, err := l.client.AccountInfo(ctx, l.cfg.Account)
		return func() {
			l.progress.asking = false
			if err == nil {
				l.closeGap(settled)
			}
		}
	})
}

// closeGap frees the sequences from the validated account's Sequence up to the lowest one in use, where that gap lasts.
// Another program's transaction was in the node's open ledger when the lane counted from there, and never validated. All
// sequences above the gap wait until it is filled.
func (l *Lane) closeGap(settled AccountInfo) {
	p := &l.progress
	lowest, any := l.lowestInFlight()
	for s := range l.limbo {
		if !s.ticket {
			lowest = min(lowest, s.n)
		}
	}
	if len(l.free) > 0 {
		lowest = min(lowest, l.free[0])
	}
	if !any || settled.Sequence >= lowest || settled.LedgerIndex < p.used {
		p.gap = 0
		return
	}
	if p.gap != settled.Sequence {
		p.gap, p.gapSince = settled.Sequence, settled.LedgerIndex
	}
	if settled.LedgerIndex < p.gapSince+gapPatience || lowest-settled.Sequence > l.maxGap() {
		return
	}
	l.log.Warn("filling a sequence gap: another program's transaction was not validated", "first", settled.Sequence, "last", lowest-1, "ledger", settled.LedgerIndex)
	for n := settled.Sequence; n < lowest; n++ {
		l.release(slot{n: n})
	}
	p.gap = 0
	l.tally.gaps.Add(1)
}

// maxGap is how far the open ledger's Sequence may be past the validated one: more than fits into the ledgers in between
// is the word of a node that is wrong.
func (l *Lane) maxGap() uint32 { return uint32(2*l.cfg.MaxInFlight + 2*maxTickets) }

// stalledFor is for how many ledgers nothing was validated while work is pending.
func (l *Lane) stalledFor() uint32 {
	if len(l.inFlight)+len(l.waiting) == 0 || l.validated.Index < l.progress.any {
		return 0
	}
	return l.validated.Index - l.progress.any
}

// watchStall notes the beginning and the end of a stall, and logs both. One for fees above the limit is logged as such.
func (l *Lane) watchStall() {
	p := &l.progress
	p.stalled = l.stalledFor() > l.cfg.LedgerOffset+stallSlack
	switch {
	case p.stalled && !p.logged && l.feeOver == 0:
		p.logged = true
		l.log.Error("nothing is validated while work is pending", "ledgers", l.stalledFor(), "in_flight", len(l.inFlight), "waiting", len(l.waiting), "cause", l.stallCause())
	case !p.stalled && p.logged:
		p.logged = false
		l.log.Info("transactions are validated again", "ledger", l.validated.Index)
	}
}

// stallCause names why nothing is validated, and what to do.
func (l *Lane) stallCause() string {
	n, pending := l.stalledFor(), len(l.inFlight)+len(l.waiting)
	what := fmt.Sprintf("nothing was validated for %d ledgers while %d transactions are pending: ", n, pending)
	var first *operation
	for _, op := range l.inFlight {
		if len(op.attempts) > 0 && (first == nil || op.slot.compare(first.slot) < 0) {
			first = op
		}
	}
	switch {
	case l.feeOver > 0:
		return what + l.feeTrouble()
	case l.progress.gap > 0:
		return what + fmt.Sprintf("sequence %d of the account is unused, and the next ones wait for it; another program may send from this account", l.progress.gap)
	case first == nil && l.hold:
		return what + "the ledger is full; raise MAX_FEE_DROPS, or wait"
	case first == nil:
		return what + "nothing can be signed; the log says why"
	case first.state == stateRefused:
		return what + fmt.Sprintf("the node refuses them with %s; check the account's key, or set XRPL_NETWORK to another node", first.last.EngineResult)
	case first.last.EngineResult == "":
		return what + "the node does not answer submissions; set XRPL_NETWORK to another node"
	}
	return what + fmt.Sprintf("the node answers %s and no ledger has them; check its connection to the network, or set XRPL_NETWORK to another node", first.last.EngineResult)
}

// feeAsked notes what the node asks for a transaction, in drops, and logs where that passes the limit and where it ends.
func (l *Lane) feeAsked(cost int64) {
	before := l.feeOver
	if l.feeOver = 0; cost > l.cfg.MaxFeeDrops {
		l.feeOver = cost
	}
	switch {
	case before == 0 && l.feeOver > 0:
		l.log.Warn("submission paused: fee above limit", "fee_drops", cost, "max_fee_drops", l.cfg.MaxFeeDrops)
	case before > 0 && l.feeOver == 0:
		l.log.Info("submission resumed: fee within limit", "fee_drops", cost, "max_fee_drops", l.cfg.MaxFeeDrops)
	}
}

// feeTrouble says what the node asks and what the limit is; empty while that is within it.
func (l *Lane) feeTrouble() string {
	if l.feeOver == 0 {
		return ""
	}
	return fmt.Sprintf("the XRP Ledger asks %d drops for a transaction, above the limit of %d: wait, or raise MAX_FEE_DROPS", l.feeOver, l.cfg.MaxFeeDrops)
}

// stallTrouble is the trouble of a lane whose node answers.
func (l *Lane) stallTrouble() string {
	if l.progress.stalled {
		return cmp.Or(l.feeTrouble(), l.stallCause())
	}
	return l.feeTrouble()
}
