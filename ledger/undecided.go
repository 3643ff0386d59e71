package ledger

import (
	"context"

	"github.com/xrplissuer/credential-issuer/model"
)

// undecidedFirst is how many ledgers pass before an undecided operation is looked up again, and UndecidedLookUp the most
// that pass before any further time.
const undecidedFirst, UndecidedLookUp = 8, 64

// setAside keeps an operation that no later ledger can change, and that the node cannot decide: its sequence or ticket is
// used up, and the history that would show by which transaction is not held. It stays signed, and holds up nobody: other
// operations are signed and sent. It is looked up again at intervals, as the node may get its history back, and an operator
// can settle it in the journal.
func (l *Lane) setAside(op *operation) {
	if l.undecided[op] == nil {
		l.log.Error("an operation cannot be decided: the node lacks the history; another node may have it, or settle it by hand",
			"operation", op.id, "hash", op.newest().Hash, "slot", op.slot, "last_ledger", op.lastLedger())
		l.undecided[op] = &undecided{pause: undecidedFirst}
		if l.inFlight[op.slot] == op {
			delete(l.inFlight, op.slot)
		}
	}
	u := l.undecided[op]
	u.next = l.validated.Index + u.pause
	u.pause = min(2*u.pause, UndecidedLookUp)
}

// undecided is when an operation that was set aside is looked up again.
type undecided struct{ next, pause uint32 }

// undecidedDue returns the questions about operations that were set aside, and whose time has come.
func (l *Lane) undecidedDue() []*lookUpCase {
	var cases []*lookUpCase
	for op, u := range l.undecided {
		if u.next <= l.validated.Index {
			cases = append(cases, caseOf(op))
		}
	}
	if len(cases) > 0 {
		l.dropSettled()
	}
	return cases
}

// dropSettled lets go of what was set aside and is final in the journal by now: an operator has settled it.
func (l *Lane) dropSettled() {
	if l.cfg.Journal == nil {
		return
	}
	l.job(func(ctx context.Context) func() {
		ops, err := l.cfg.Journal.InFlight(ctx, l.cfg.Account)
		return func() {
			if err != nil {
				return // asked again with the next look-up
			}
			open := make(map[model.OperationID]bool, len(ops))
			for _, o := range ops {
				open[o.ID] = true
			}
			for op := range l.undecided {
				if !open[op.id] {
					l.log.Info("an operation that could not be decided is settled", "operation", op.id)
					l.remove(op)
					op.state = stateFinal
					l.forget(op)
				}
			}
		}
	})
}
