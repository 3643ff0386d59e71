package ledger

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Stats are a lane's figures since it was made, for metrics.
type Stats struct {
	// Resubmissions counts blobs that were handed to the node again, Resignings operations that were signed anew with
	// another sequence or ticket, and Reprices those signed anew with a higher fee.
	Resubmissions, Resignings, Reprices uint64
	// Succeeded, Failed, Expired and Refused count operations by how they ended, the lane's own among them.
	Succeeded, Failed, Expired, Refused uint64
	// Refusals counts submissions that the node refused for good, provisionally. HistoryHoles counts operations whose transaction
	// the node did not show, and that the credential's ledger entry decided.
	Refusals, HistoryHoles uint64
	// GapsFilled counts gaps that other programs left in the account's sequences, and NetworkRefusals submissions that the node
	// refused for their network id.
	GapsFilled, NetworkRefusals uint64
	// FeeDrops is what validated transactions have paid, in drops.
	FeeDrops uint64
	// Validation is how long transactions took from being asked for to the validated ledger, as it was heard of.
	Validation Durations
	// Waiting are not signed yet, as far as they are read from the journal; InFlight are signed and not validated;
	// Tickets are in stock; Undecided are those of [Status].
	Waiting, InFlight, Tickets, Undecided int
	// Working says whether this process has the lane, and Up whether the node answers too.
	Working, Up bool
	// Stalled is that of [Status], and FeeOver says that the node asks more than the limit.
	Stalled, FeeOver bool
	// LedgerAge is how long ago the last validated ledger closed; less than 0 while none is known.
	LedgerAge time.Duration
	// ReserveLeft is how many more entries the account's balance can carry, and BalanceDrops what it holds, both as of a
	// few ledgers ago; less than 0 while that is not known.
	ReserveLeft, BalanceDrops int64
	// NodeLimited counts requests that the node refused past its limit; see [Client.Limited].
	NodeLimited uint64
	// StreamSilences counts how often the node's streams fell silent on an open connection; see [Client.Silences].
	StreamSilences uint64
}

// Durations is a cumulative histogram.
type Durations struct {
	// Count is how many there were, and Sum how long they took together.
	Count uint64
	Sum   time.Duration
	// Within counts, for each of [DurationBounds], those that took no longer.
	Within []uint64
}

// DurationBounds are the upper bounds that [Durations] counts by.
func DurationBounds() []time.Duration { return slices.Clone(durationBounds) }

var durationBounds = []time.Duration{
	500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second, 7500 * time.Millisecond,
	10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// tally counts, from the lane's goroutine, for others to read.
type tally struct {
	resubmissions, resignings, reprices, fees atomic.Uint64
	succeeded, failed, expired, refused       atomic.Uint64
	refusals, holes, gaps, networkRefusals    atomic.Uint64
	mu                                        sync.Mutex
	validation                                Durations
	balance, reserveLeft                      int64
	accountKnown                              bool
}

// Stats returns the lane's figures.
func (l *Lane) Stats() Stats {
	st := l.Status()
	t := &l.tally
	s := Stats{
		Resubmissions: t.resubmissions.Load(), Resignings: t.resignings.Load(), Reprices: t.reprices.Load(), FeeDrops: t.fees.Load(),
		Succeeded: t.succeeded.Load(), Failed: t.failed.Load(), Expired: t.expired.Load(), Refused: t.refused.Load(),
		Waiting: st.Waiting, InFlight: st.InFlight, Tickets: st.Tickets, Undecided: st.Undecided, Up: st.Up,
		Refusals: t.refusals.Load(), HistoryHoles: t.holes.Load(), NodeLimited: l.client.Limited(), StreamSilences: l.client.Silences(),
		GapsFilled: t.gaps.Load(), NetworkRefusals: t.networkRefusals.Load(), Stalled: st.Stalled, FeeOver: st.FeeDrops > 0,
		LedgerAge: -1, ReserveLeft: -1, BalanceDrops: -1,
	}
	if st.Validated.CloseTime > 0 {
		s.LedgerAge = max(0, l.clock.Now().Sub(model.Time(st.Validated.CloseTime)))
	}
	l.mu.Lock()
	s.Working = l.working
	l.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Validation = t.validation
	s.Validation.Within = slices.Clone(t.validation.Within)
	if s.Validation.Within == nil {
		s.Validation.Within = make([]uint64, len(durationBounds))
	}
	if t.accountKnown {
		s.ReserveLeft, s.BalanceDrops = t.reserveLeft, t.balance
	}
	return s
}

// counted notes how an operation ended.
func (l *Lane) counted(state model.State) {
	switch state {
	case model.StateSucceeded:
		l.tally.succeeded.Add(1)
	case model.StateFailed:
		l.tally.failed.Add(1)
	case model.StateExpired:
		l.tally.expired.Add(1)
	case model.StateRefused:
		l.tally.refused.Add(1)
	}
}

// validatedNow notes that an operation's transaction is in a validated ledger.
func (l *Lane) validatedNow(op *operation, v model.Validated) {
	for _, a := range op.attempts {
		if a.Hash == v.Hash {
			l.tally.fees.Add(uint64(a.Fee))
		}
	}
	if op.slot.ticket {
		l.ticketSpent(op.slot.n, v.LedgerIndex)
	}
	if !op.own {
		l.tally.took(max(0, l.clock.Now().Sub(op.since)))
	}
}

func (t *tally) took(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.validation.Within == nil {
		t.validation.Within = make([]uint64, len(durationBounds))
	}
	t.validation.Count++
	t.validation.Sum += d
	for i, bound := range durationBounds {
		if d <= bound {
			t.validation.Within[i]++
		}
	}
}

// account notes what the account holds.
func (t *tally) account(balance, reserveLeft int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.balance, t.reserveLeft, t.accountKnown = balance, reserveLeft, true
}
