package ledger

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// slot is what a transaction takes its turn with: a sequence, or a ticket. It can be used once.
type slot struct {
	n      uint32
	ticket bool
}

func slotOf(sequence, ticket uint32) slot {
	if ticket != 0 {
		return slot{ticket, true}
	}
	return slot{sequence, false}
}

// compare orders slots as they are sent: sequences first, as a ticket may have to be made by one of them.
func (s slot) compare(o slot) int {
	switch {
	case s.ticket == o.ticket:
		return cmp.Compare(s.n, o.n)
	case s.ticket:
		return 1
	}
	return -1
}

func (s slot) String() string {
	if s.ticket {
		return fmt.Sprintf("ticket %d", s.n)
	}
	return fmt.Sprintf("sequence %d", s.n)
}

// operation is one transaction on its way. Its states and who moves it on are in the package documentation.
type operation struct {
	// id and kind are those in the journal; id is empty where there is none, and for what the lane makes itself until it
	// is stored.
	id    model.OperationID
	kind  model.Kind
	batch bool // a row of a batch: it comes after what somebody waits for

	tx    model.Transaction
	ctx   context.Context // the caller's; looked at only before anything is signed
	since time.Time       // when it was asked for; without a journal, when it was last put to wait
	own   bool            // made by the lane itself; nobody waits for it
	brief bool            // the keeper's: what it was asked for on holds for a moment only

	// closed says that nothing more may be signed: its row in the journal is not authentic.
	closed bool

	done   chan struct{} // closed when result and err are set; nil for what came from a journal
	result model.Validated
	err    error

	mu      sync.Mutex
	begun   bool // signed, and perhaps sent: it may happen
	left    bool // its caller has gone
	pending model.Pending

	// Owned by the lane.
	state    state
	slot     slot
	attempts []*attempt // signed with that slot and journalled, the newest last; at most one can apply
	fresh    *attempt   // signed, and being journalled
	absent   []string   // the hashes that were looked up and are on no ledger
	signings int
	lost     int
	last     Submission // what the node said last
	unheard  bool       // in stateRetry: the node did not answer, which says nothing of what it made of it
}

// briefly is how long an operation of the keeper's may wait for its turn: two or three ledgers of a public network. A lane
// that works signs it with the first of them. Later the subject may have accepted what is to be withdrawn: then nothing is
// signed, and the keeper, which looks at the ledger before it asks, asks again where there still is something to remove.
const briefly = 10 * time.Second

// late says whether an operation is not to be signed any more. One that is stored as of a time to come was so by another
// clock, which says nothing.
func (op *operation) late(now time.Time) bool { return op.brief && now.Sub(op.since).Abs() > briefly }

type state int

const (
	stateWaiting state = iota // nothing is signed
	stateStoring              // signed, and being journalled: nothing of it is sent
	stateSent                 // the node has not answered yet
	stateTaken                // the node has taken it; the ledger is to decide
	stateQueued               // the node has queued it
	stateRetry                // to be sent again
	stateLookUp               // to be looked up on the ledger
	stateRefused              // refused for good by this node; fails when no ledger can take it any more
	stateFinal
)

// attempt is a signed blob.
type attempt struct {
	Signed
	first  uint32 // the ledger that was validated when it was signed
	sentIn uint32 // and when it was last sent
	sentAt time.Time
	sends  int
	answer bool // the node has answered the last send
	giveUp func()
}

func (op *operation) newest() *attempt { return op.attempts[len(op.attempts)-1] }

// lastLedger is the last ledger that any of the operation's blobs can get into.
func (op *operation) lastLedger() uint32 {
	var last uint32
	for _, a := range op.attempts {
		last = max(last, a.LastLedgerSequence)
	}
	return last
}

func (op *operation) hashes() []string {
	hashes := make([]string, len(op.attempts))
	for i, a := range op.attempts {
		hashes[i] = a.Hash
	}
	return hashes
}

// rank orders what waits: what is signed anew, then what somebody waits for, then rows of batches.
func (op *operation) rank() int {
	switch {
	case op.signings+op.lost > 0:
		return 0
	case !op.batch:
		return 1
	}
	return 2
}
