package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// operation is one transaction on its way. Its states and who moves it on are in the package documentation.
type operation struct {
	tx    model.Transaction
	ctx   context.Context // the caller's; looked at only before anything is signed
	since time.Time
	own   bool // made by the lane itself; nobody waits for it

	done   chan struct{} // closed when result and err are set
	result model.Validated
	err    error

	mu      sync.Mutex
	begun   bool // signed, and perhaps sent: it may happen
	left    bool // its caller has gone
	pending model.Pending

	// Owned by the lane.
	state    state
	sequence uint32
	attempts []*attempt // signed with that sequence, the newest last; at most one can apply
	signings int
	lost     int
	last     Submission // what the node said last
	unheard  bool       // in stateRetry: the node did not answer, which says nothing of what it made of it
}

type state int

const (
	stateWaiting state = iota // nothing is signed
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
	first  uint32 // the ledger that was validated when it was first sent
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
