package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// LaneConfig says for whom a lane works, and within which bounds. Account and Seed are needed.
type LaneConfig struct {
	// Account is the one that sends and pays.
	Account model.Address
	// Seed is that of the account's master key or of its regular key; [CheckKey] tells beforehand whether it fits.
	Seed Seed
	// MaxFeeDrops is the most that one transaction may pay, in drops; 1,000 by default, a hundred times the usual cost.
	// While the node asks for more, the lane waits.
	MaxFeeDrops int64
	// LedgerOffset is how many ledgers past the last validated one a transaction may still get into; 8 by default,
	// 4 at least. The documented value is 4, which is 16 s on a public network; but on a ledger that closes every
	// second it would leave 4 s, too little for a machine that is busy for a moment. And a full node takes only
	// those into its queue that have two ledgers left after the open one, which itself can be two ahead of the
	// validated one. 8 leaves room for both, and lets a caller know within half a minute that nothing came of it.
	LedgerOffset uint32
	// MaxInFlight bounds the transactions that are sent and not yet validated; 3,000 by default. Whatever it is, no
	// more are sent for a ledger than the node says fit into it at the usual cost; on a network that others use too,
	// a lower bound leaves them room.
	MaxInFlight int
	// MaxWaiting bounds the transactions that wait to be signed; 5,000 by default. Past it, Submit refuses.
	MaxWaiting int
	// MaxWait is how long a transaction may wait to be signed before it is refused; 20 s by default.
	MaxWait time.Duration
	// Signings is how often one transaction may be signed, each time with another sequence, after it was proved absent
	// under the one before; 3 by default.
	Signings int

	Logger *slog.Logger // the client's by default
}

func (c LaneConfig) withDefaults(client *Client) LaneConfig {
	if c.MaxFeeDrops <= 0 {
		c.MaxFeeDrops = 1000
	}
	if c.LedgerOffset == 0 {
		c.LedgerOffset = 8
	}
	c.LedgerOffset = max(c.LedgerOffset, 4)
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = 3000
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = 5000
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 20 * time.Second
	}
	if c.Signings <= 0 {
		c.Signings = 3
	}
	if c.Logger == nil {
		c.Logger = client.cfg.Logger
	}
	return c
}

const (
	// laneTick is how often the lane looks at what time alone changes.
	laneTick = time.Second
	// failFast is how long the node may be out of reach before Submit refuses at once.
	failFast = 3 * time.Second
	// resendAfter is how many ledgers a transaction that the node has taken may stay out of them before it is sent
	// again: a network may put it off for one or two.
	resendAfter = 3
	// maxLost is how often a transaction may lose its sequence to another sender before the lane gives up.
	maxLost = 10
)

// Lane brings the transactions of one account onto the ledger, in order and many at a time. The package
// documentation says how. Its goroutine is Run, which owns all of the state below the mark.
type Lane struct {
	client *Client
	cfg    LaneConfig
	log    *slog.Logger
	clock  Clock

	mu       sync.Mutex
	inbox    []func()
	incoming []*operation
	accepted int // operations that Submit has taken in and that are not over
	unbegun  int // of these, the ones that are not signed
	refuse   string
	status   Status
	idle     chan struct{} // closed when stopping and accepted is 0
	stopping bool
	ready    chan struct{}

	published func() // called after each change of status; for tests

	// Owned by Run from here on.
	ctx       context.Context
	jobs      sync.WaitGroup
	watcher   *Watcher
	up        bool // subscribed, or answering
	downSince time.Time
	synced    bool // next, fees and coverage are known since the line came up
	syncing   bool
	validated model.Ledger
	covered   uint32 // every result of the account up to this ledger has been seen
	filling   bool
	looking   bool
	pricing   bool
	networkID uint32
	identity  bool // networkID is known
	next      uint32
	free      []uint32 // sequences below next that no transaction holds, ascending
	waiting   []*operation
	inFlight  map[uint32]*operation // by sequence
	byHash    map[string]*operation
	fee       Fee
	askedAt   uint32 // the validated ledger when fee was last asked for
	openCost  int64  // what gets into the open ledger, as last heard
	room      int    // how many more fit into the open ledger at that cost, as far as is known here
	hold      bool   // the ledger is full: nothing new until the next one is priced
	holdAt    uint32 // validated ledger when hold was set
	resumeAt  time.Time
	trouble   string // why nothing moves, for callers
}

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

// Status is how a lane stands.
type Status struct {
	// Up says that the node answers and the lane works.
	Up bool
	// Trouble says why nothing moves; empty when all is well.
	Trouble string
	// Waiting are not signed yet; InFlight are signed and not validated.
	Waiting, InFlight int
	// Validated is the last validated ledger that was heard of.
	Validated model.Ledger
	// NextSequence is what the next transaction gets.
	NextSequence uint32
}

// NewLane returns a lane that works once Run is called. There must be no other for the account, in any process: two
// would take each other's sequences, which each notices and mends, at the cost of time.
func NewLane(client *Client, cfg LaneConfig) (*Lane, error) {
	if cfg.Account == "" || cfg.Seed.Zero() {
		return nil, errors.New("a lane needs an account and the seed of its key")
	}
	cfg = cfg.withDefaults(client)
	return &Lane{
		client:   client,
		cfg:      cfg,
		log:      cfg.Logger.With("account", cfg.Account),
		clock:    client.cfg.Clock,
		ready:    make(chan struct{}, 1),
		idle:     make(chan struct{}),
		inFlight: map[uint32]*operation{},
		byHash:   map[string]*operation{},
	}, nil
}

// Account returns whose lane this is.
func (l *Lane) Account() model.Address { return l.cfg.Account }

// Status returns how the lane stands.
func (l *Lane) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Submit brings tx onto the ledger and returns its final result, which must be tesSUCCESS. A final `tec` is a
// [model.Error] with that code and the transaction. It is [model.CodeLedgerUnavailable] when the ledger cannot be
// reached, or when ctx ends; Pending then says what may still happen, and without it nothing was sent. It is
// [model.CodeNotValidated] when no ledger took it, and none can any more.
//
// When ctx ends, what is signed goes on all the same; what is not is dropped.
func (l *Lane) Submit(ctx context.Context, tx model.Transaction) (model.Validated, error) {
	if _, err := content(tx); err != nil {
		var known *model.Error
		if errors.As(err, &known) {
			return model.Validated{}, err
		}
		return model.Validated{}, &model.Error{Code: model.CodeInternal, Message: "the transaction cannot be made", Cause: err}
	}
	op := &operation{tx: tx, ctx: ctx, since: l.clock.Now(), done: make(chan struct{})}
	if err := l.accept(op); err != nil {
		return model.Validated{}, err
	}
	select {
	case <-op.done:
		return op.result, op.err
	case <-ctx.Done():
	}
	op.mu.Lock()
	op.left = true
	begun, pending := op.begun, op.pending
	op.mu.Unlock()
	select {
	case <-op.done: // it became final at the same moment: better than not to know
		return op.result, op.err
	default:
	}
	e := &model.Error{Code: model.CodeLedgerUnavailable, Cause: context.Cause(ctx), RetryAfter: retryAfter,
		Message: "the transaction's turn did not come in time; nothing was sent"}
	if begun {
		e.Pending = &pending
		e.Message = fmt.Sprintf("the transaction was sent and is not validated yet; it may be up to ledger %d", pending.LastLedgerSequence)
	}
	return model.Validated{}, e
}

func (l *Lane) accept(op *operation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &model.Error{Code: model.CodeLedgerUnavailable, RetryAfter: retryAfter}
	switch {
	case l.stopping:
		e.Message, e.Cause = "the service is stopping; nothing was sent", ErrClosed
		return e
	case l.refuse != "":
		e.Message = l.refuse + "; nothing was sent"
		return e
	case l.unbegun >= l.cfg.MaxWaiting:
		e.Message = fmt.Sprintf("%d transactions wait already; nothing was sent", l.unbegun)
		return e
	}
	l.accepted++
	l.unbegun++
	l.incoming = append(l.incoming, op)
	l.signal()
	return nil
}

// Drain stops taking transactions in and waits until those taken in are final, or ctx ends. Run must be running, and be
// ended afterwards.
func (l *Lane) Drain(ctx context.Context) error {
	l.mu.Lock()
	if !l.stopping {
		l.stopping = true
		if l.accepted == 0 {
			close(l.idle)
		}
	}
	left := l.accepted
	l.mu.Unlock()
	select {
	case <-l.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("finishing %d transactions in flight: %w", left, context.Cause(ctx))
	}
}

// over counts an operation out. begun says whether it was.
func (l *Lane) over(begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted--
	if !begun {
		l.unbegun--
	}
	if l.stopping && l.accepted == 0 {
		select {
		case <-l.idle:
		default:
			close(l.idle)
		}
	}
}

// post has f run by Run's goroutine. It never blocks; what is posted is bounded by what is in flight.
func (l *Lane) post(f func()) {
	l.mu.Lock()
	l.inbox = append(l.inbox, f)
	l.mu.Unlock()
	l.signal()
}

func (l *Lane) signal() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// job runs work beside the lane, as it asks the node; what it returns is run by the lane.
func (l *Lane) job(work func(ctx context.Context) func()) {
	l.jobs.Go(func() { l.post(work(l.ctx)) })
}

// Run works until ctx ends, and returns nil then. Whatever is not final at that time is told so to its callers. It may
// be called once.
func (l *Lane) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	l.ctx = ctx
	l.downSince = l.clock.Now()
	l.watcher = l.client.Watch(l.cfg.Account)
	defer func() {
		l.abandon()
		cancel()
		l.watcher.Stop()
		l.jobs.Wait()
	}()
	timer := l.clock.NewTimer(laneTick)
	defer func() { timer.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.watcher.Ready():
		case <-l.ready:
		case <-timer.C():
			timer = l.clock.NewTimer(laneTick)
			l.tick()
		}
		for _, e := range l.watcher.Take() {
			l.event(e)
		}
		l.mu.Lock()
		inbox, incoming := l.inbox, l.incoming
		l.inbox, l.incoming = nil, nil
		l.mu.Unlock()
		for _, f := range inbox {
			f()
		}
		l.waiting = append(l.waiting, incoming...)
		l.pump()
		l.publish()
		if l.published != nil {
			l.published()
		}
	}
}

// abandon tells every caller how its transaction stands when the lane ends.
func (l *Lane) abandon() {
	l.mu.Lock()
	l.stopping = true
	incoming := l.incoming
	l.incoming = nil
	l.mu.Unlock()
	for _, op := range slices.Concat(l.waiting, incoming) {
		l.fail(op, &model.Error{Code: model.CodeLedgerUnavailable, Message: "the service is stopping; nothing was sent",
			Cause: ErrClosed, RetryAfter: retryAfter})
	}
	for _, op := range l.ordered() {
		l.remove(op)
		op.mu.Lock()
		pending := op.pending
		op.mu.Unlock()
		l.fail(op, &model.Error{Code: model.CodeLedgerUnavailable, Cause: ErrClosed, RetryAfter: retryAfter, Pending: &pending,
			Message: fmt.Sprintf("the service is stopping; the transaction was sent and may be validated up to ledger %d", pending.LastLedgerSequence)})
	}
	l.waiting = nil
}

// publish lets others see how the lane stands.
func (l *Lane) publish() {
	trouble, refuse := l.trouble, ""
	switch {
	case !l.up:
		trouble = "the XRP Ledger node does not answer at the moment"
		if l.clock.Now().Sub(l.downSince) > failFast {
			refuse = trouble
		}
	case l.behind():
		trouble = "the XRP Ledger node is behind its network"
		refuse = trouble
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = refuse
	l.status = Status{Up: l.up && l.synced, Trouble: trouble, Waiting: len(l.waiting), InFlight: len(l.inFlight),
		Validated: l.validated, NextSequence: l.next}
}

func (l *Lane) event(e Event) {
	switch e.Kind {
	case EventUp:
		l.cameUp(e.Ledger)
	case EventDown:
		if l.up || l.downSince.IsZero() {
			l.downSince = l.clock.Now()
		}
		l.up, l.synced = false, false
	case EventLedger:
		l.ledger(e.Ledger)
	case EventTx:
		l.transaction(e.Tx)
	case EventGap:
		l.log.Warn("the ledger stream was faster than the lane; reading what was missed")
		for _, op := range l.inFlight {
			for _, a := range op.attempts {
				l.covered = min(l.covered, a.first)
			}
		}
		l.fill(l.validated.Index)
	}
}

// cameUp begins anew with a connection: what the node told in between was missed, and what was sent may be lost.
func (l *Lane) cameUp(led model.Ledger) {
	l.up, l.synced = true, false
	if led.Index < l.validated.Index {
		l.log.Warn("the node's validated ledger is older than the one seen before", "ledger", led.Index, "seen", l.validated.Index)
		if led.Index+uint32(resendAfter) < l.validated.Index { // not just a node that lags: another ledger
			l.covered = 0
		}
	}
	l.validated = led
	for _, op := range l.inFlight {
		if a := op.newest(); !a.answer && op.state == stateSent {
			a.giveUp()
			op.state = stateRetry
		}
	}
	l.sync()
}

// sync learns what must be known before anything is sent.
func (l *Lane) sync() {
	if l.syncing || !l.up {
		return
	}
	l.syncing = true
	identity, inFlight, covered := l.identity, len(l.inFlight), l.covered
	if inFlight == 0 || covered == 0 {
		covered = l.validated.Index
	}
	l.job(func(ctx context.Context) func() {
		var info ServerInfo
		var open, settled AccountInfo
		var fee Fee
		var found []*Transaction
		err := func() (err error) {
			if !identity {
				if info, err = l.client.ServerInfo(ctx); err != nil {
					return err
				}
			}
			if settled, err = l.client.accountInfo(ctx, l.cfg.Account, validatedIndex); err != nil {
				return err
			}
			if open, err = l.client.accountInfo(ctx, l.cfg.Account, currentIndex); err != nil {
				return err
			}
			if fee, err = l.client.Fee(ctx); err != nil {
				return err
			}
			if inFlight > 0 && covered < settled.LedgerIndex {
				return l.client.AccountTx(ctx, l.cfg.Account, covered+1, settled.LedgerIndex, func(t *Transaction) { found = append(found, t) })
			}
			return nil
		}()
		return func() {
			l.syncing = false
			if err != nil {
				l.trouble = "the XRP Ledger node does not say how the account stands"
				var node *NodeError
				if errors.As(err, &node) && node.Code == "actNotFound" {
					l.trouble = "the account " + string(l.cfg.Account) + " is not on the ledger: it must be funded first"
				}
				if ctx.Err() == nil {
					l.log.Warn("cannot begin to submit", "error", err)
				}
				return // tried again by tick
			}
			if !identity {
				l.networkID, l.identity = info.NetworkID, true
			}
			for _, t := range found {
				l.transaction(t)
			}
			l.covered = max(l.covered, settled.LedgerIndex)
			if len(l.inFlight) == 0 {
				l.covered = max(l.covered, l.validated.Index)
			}
			next := max(open.Sequence, settled.Sequence)
			if len(l.inFlight) > 0 || settled.LedgerIndex < l.validated.Index {
				next = max(next, l.next)
			} else {
				l.free = nil
			}
			l.next = next
			l.priced(fee, l.validated.Index)
			l.synced = true
			for _, op := range l.ordered() { // before anything new, as sequences must arrive in order
				switch op.state {
				case stateTaken, stateQueued, stateRetry, stateRefused:
					if op.newest().LastLedgerSequence > l.validated.Index {
						l.send(op)
					}
				}
			}
		}
	})
}

// ledger notes that a ledger was validated.
func (l *Lane) ledger(led model.Ledger) {
	if led.Index <= l.validated.Index {
		return
	}
	l.validated = led
	complete := led.Index - 1 // its own transactions are told after it
	if !l.client.Streams() {
		complete = led.Index // nothing is told: they must be asked for
	}
	switch {
	case len(l.inFlight) == 0:
		l.covered = max(l.covered, complete)
	case l.client.Streams() && l.covered+1 >= complete:
		l.covered = max(l.covered, complete)
	default:
		l.fill(complete)
	}
	if !l.synced {
		return
	}
	if len(l.inFlight)+len(l.waiting) > 0 {
		l.reprice()
	}
	l.resend()
	l.lookUp()
}

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

// fill reads the account's transactions from the ledgers that were missed, up to last.
func (l *Lane) fill(last uint32) {
	if l.filling || last == 0 || l.covered >= last {
		return
	}
	first := l.covered + 1
	if l.covered == 0 {
		first = last
	}
	l.filling = true
	l.job(func(ctx context.Context) func() {
		var found []*Transaction
		err := l.client.AccountTx(ctx, l.cfg.Account, first, last, func(t *Transaction) { found = append(found, t) })
		return func() {
			l.filling = false
			if err != nil { // asked again with the next ledger; and what expires is looked up one by one
				if ctx.Err() == nil {
					l.log.Warn("cannot read the ledgers that were missed", "first", first, "last", last, "error", err)
				}
				return
			}
			for _, t := range found {
				l.transaction(t)
			}
			l.covered = max(l.covered, last)
			if !l.client.Streams() && l.covered < l.validated.Index && len(l.inFlight) > 0 {
				l.fill(l.validated.Index)
			}
		}
	})
}

// transaction takes in a transaction of the account that stands in a validated ledger.
func (l *Lane) transaction(t *Transaction) {
	op := l.byHash[t.Hash]
	if op == nil {
		l.foreign(t)
		return
	}
	v, err := t.Validated(l.networkID)
	if err != nil {
		l.log.Error("a validated transaction cannot be read; looking it up", "hash", t.Hash, "error", err)
		op.state = stateLookUp
		return
	}
	l.conclude(op, v)
}

// foreign notices a transaction of the account that this lane did not send.
func (l *Lane) foreign(t *Transaction) {
	account, sequence, err := t.sender()
	if err != nil || account != l.cfg.Account || sequence == math.MaxUint32 {
		return
	}
	if op := l.inFlight[sequence]; op != nil {
		op.state = stateLookUp
	}
	if sequence < l.next {
		return
	}
	l.log.Warn("another process sends from this account, and takes sequences that the lane hands out", "hash", t.Hash, "sequence", sequence)
	l.next = sequence + 1
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

func (op *operation) newest() *attempt { return op.attempts[len(op.attempts)-1] }

// lastLedger is the last ledger that any of the operation's blobs can get into.
func (op *operation) lastLedger() uint32 {
	var last uint32
	for _, a := range op.attempts {
		last = max(last, a.LastLedgerSequence)
	}
	return last
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

// lookUp asks the ledger about what has run out of ledgers, and about what seems to have lost its sequence.
func (l *Lane) lookUp() {
	if l.looking {
		return
	}
	now := l.validated.Index
	var cases []*lookUpCase
	for _, op := range l.ordered() {
		expired := op.lastLedger() < now
		if !expired && op.state != stateLookUp {
			continue
		}
		c := &lookUpCase{op: op, sequence: op.sequence, expired: expired, first: now, last: op.lastLedger()}
		for _, a := range op.attempts {
			c.hashes = append(c.hashes, a.Hash)
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
				if c.op.state != stateFinal && c.op.sequence == c.sequence {
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
	sequence    uint32
	hashes      []string
	first, last uint32
	expired     bool

	asked  bool
	found  *Transaction
	absent bool
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
	errs := make([]error, len(cases))
	for i, c := range cases {
		switch {
		case c.expired && c.last < settled.LedgerIndex:
		case c.sequence < settled.Sequence: // used up by this ledger, by it or by another
			c.last = min(c.last, settled.LedgerIndex)
			c.first = min(c.first, c.last)
		default:
			continue // may still happen
		}
		c.asked = true
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = l.ask(ctx, c)
			<-slots
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return settled, err
	}
	return settled, l.search(ctx, cases)
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
		c.absent = c.absent && status.Absent
	}
	return nil
}

// search settles what `tx` leaves open: rippled answers it from its cache, for half an hour, with a candidate that no
// ledger took, and says nothing of where it searched. The account's own list of transactions, which is an error unless
// the node holds every ledger of it, tells for sure.
func (l *Lane) search(ctx context.Context, cases []*lookUpCase) error {
	first, last := uint32(math.MaxUint32), uint32(0)
	open := map[string]*lookUpCase{}
	for _, c := range cases {
		if c.asked && c.found == nil && !c.absent {
			first, last = min(first, c.first), max(last, c.last)
			for _, hash := range c.hashes {
				open[hash] = c
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	err := l.client.AccountTx(ctx, l.cfg.Account, first, last, func(t *Transaction) {
		if c := open[t.Hash]; c != nil {
			c.found = t
		}
	})
	if err != nil {
		return err
	}
	for _, c := range open {
		c.absent = c.found == nil
	}
	return nil
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
		l.absent(op, c.sequence < settled.Sequence)
	case !c.asked && op.state == stateLookUp:
		op.state = stateRetry // its sequence is not used up on the ledger: the same blob may still get there
	}
}

// absent deals with an operation that is on no ledger and never will be as it is signed. lost says that another
// transaction has its sequence.
func (l *Lane) absent(op *operation, lost bool) {
	refused, hash, last := op.state == stateRefused, op.newest().Hash, op.lastLedger()
	l.remove(op)
	if !lost {
		l.release(op.sequence)
	}
	e := &model.Error{Code: model.CodeNotValidated,
		Message: fmt.Sprintf("the transaction is on no ledger, and its LastLedgerSequence, %d, is past: asking again is safe", last)}
	if op.last.EngineResult != "" {
		e.Cause = fmt.Errorf("transaction %s: the node said %s: %s", hash, op.last.EngineResult, op.last.EngineResultMessage)
	}
	if lost {
		op.lost++
		op.signings-- // not its fault
	}
	op.mu.Lock()
	left := op.left
	if !left {
		op.begun, op.pending = false, model.Pending{}
	}
	op.mu.Unlock()
	switch {
	case op.own, left: // who was told "up to that ledger" must be able to rely on it
	case refused:
		e.Message = "the node refused the transaction, and no ledger has it: " + op.last.EngineResult
	case op.signings >= l.cfg.Signings || op.lost >= maxLost:
	default:
		l.log.Info("signing a transaction anew", "hash", hash, "sequence", op.sequence, "lost", lost, "result", op.last.EngineResult)
		l.mu.Lock()
		l.unbegun++
		l.mu.Unlock()
		op.state, op.attempts, op.since = stateWaiting, nil, l.clock.Now()
		l.requeue(op)
		return
	}
	op.mu.Lock()
	op.begun = true // was counted out when it was signed
	op.mu.Unlock()
	l.fail(op, e)
}

// requeue puts an operation before those that were never signed, behind those that came to be signed anew with it.
func (l *Lane) requeue(op *operation) {
	i := 0
	for i < len(l.waiting) && l.waiting[i].signings+l.waiting[i].lost > 0 {
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

// conclude ends an operation with its final result.
func (l *Lane) conclude(op *operation, v model.Validated) {
	l.remove(op)
	if v.Succeeded() {
		op.result = v
		l.finish(op)
		return
	}
	l.fail(op, &model.Error{Code: model.Code(v.EngineResult), Message: refusalText(v.EngineResult), Tx: &v})
}

func (l *Lane) fail(op *operation, e *model.Error) {
	op.err = e
	l.finish(op)
}

func (l *Lane) finish(op *operation) {
	op.state = stateFinal
	op.mu.Lock()
	begun := op.begun
	op.mu.Unlock()
	close(op.done)
	l.over(begun)
}

// remove takes an operation out of what is in flight.
func (l *Lane) remove(op *operation) {
	if l.inFlight[op.sequence] == op {
		delete(l.inFlight, op.sequence)
	}
	for _, a := range op.attempts {
		a.giveUp()
		delete(l.byHash, a.Hash)
	}
}

// ordered returns what is in flight by ascending sequence.
func (l *Lane) ordered() []*operation {
	ops := make([]*operation, 0, len(l.inFlight))
	for _, op := range l.inFlight {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b *operation) int {
		if a.sequence < b.sequence {
			return -1
		}
		return 1
	})
	return ops
}

// tick looks at what time alone changes.
func (l *Lane) tick() {
	now := l.clock.Now()
	if l.up && !l.synced {
		l.sync()
	}
	if limit := l.client.cfg.CallTimeout; l.up {
		for _, op := range l.ordered() {
			if a := op.newest(); op.state == stateSent && !a.answer && now.Sub(a.sentAt) > limit {
				a.giveUp()
			}
		}
	}
	if l.synced {
		if len(l.waiting) > 0 && !l.mayBegin() {
			l.reprice()
		}
		if l.up && !now.Before(l.resumeAt) { // what the node did answer waits for the next ledger
			for _, op := range l.ordered() {
				if op.state == stateRetry && op.unheard && op.newest().LastLedgerSequence > l.validated.Index {
					l.send(op)
				}
			}
		}
	}
	kept := l.waiting[:0:0]
	for _, op := range l.waiting {
		op.mu.Lock()
		left := op.left
		op.mu.Unlock()
		switch {
		case left:
			l.dropped(op)
		case now.Sub(op.since) > l.cfg.MaxWait:
			e := &model.Error{Code: model.CodeLedgerUnavailable, RetryAfter: retryAfter,
				Message: "the transaction's turn did not come in time; nothing was sent that could still happen"}
			if why := l.Status().Trouble; why != "" {
				e.Message = why + "; nothing was sent that could still happen"
			}
			l.fail(op, e)
		default:
			kept = append(kept, op)
		}
	}
	l.waiting = kept
}
