package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// DefaultLedgerOffset is the usual [LaneConfig.LedgerOffset].
const DefaultLedgerOffset = 8

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
	// Signings is how often one transaction may be signed, each time with another sequence or ticket, after it was proved
	// absent under the one before; 3 by default, and 10 with a journal, where nobody has to stand by.
	Signings int
	// Mode says what transactions take their turn with.
	Mode Mode
	// Tickets is how many tickets are kept in stock in [Tickets] mode, 1 to 250, the most that an account may hold and
	// the default. Each locks an owner reserve, which the account gets back when it is used; never more are asked for than
	// the account's balance can carry.
	Tickets int
	// Journal keeps what is asked for and what was signed, so that a crash loses and doubles nothing. With it, the lane
	// works by [Lane.Work] on the journal's operations; without it, by [Lane.Run] on what [Lane.Submit] is given.
	Journal Journal

	Logger *slog.Logger // the client's by default
}

func (c LaneConfig) withDefaults(client *Client) LaneConfig {
	if c.MaxFeeDrops <= 0 {
		c.MaxFeeDrops = 1000
	}
	if c.LedgerOffset == 0 {
		c.LedgerOffset = DefaultLedgerOffset
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
		if c.Journal != nil {
			c.Signings = 10
		}
	}
	if c.Tickets <= 0 || c.Tickets > maxTickets {
		c.Tickets = maxTickets
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
// documentation says how. Its goroutine is Run's or Work's, which owns all that is in laneWork.
type Lane struct {
	client *Client
	cfg    LaneConfig
	log    *slog.Logger
	clock  Clock
	tally  tally

	mu       sync.Mutex
	inbox    []func()
	incoming []*operation
	accepted int // operations that were taken in and are not over
	unbegun  int // of these, the ones that are not signed
	refuse   string
	status   Status
	idle     chan struct{} // closed when stopping and accepted is 0
	stopping bool
	working  bool
	ready    chan struct{}

	published func() // called after each change of status; for tests

	laneWork
}

// laneWork is what one Run or Work knows. It begins empty.
type laneWork struct {
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
	rereadAt  uint32 // when coverage was last taken back
	rereading bool   // the next read of the history is for what the stream may have left out
	looking   bool
	pricing   bool
	networkID uint32
	identity  bool // the node was asked for networkID; 0 is what it says where it names none
	// networkAskedAt is the ledger that was validated then, and identifying says that it is being asked.
	networkAskedAt uint32
	identifying    bool
	account        AccountInfo
	jumps          int // how often in a row the node contradicted itself while the lane synced
	next           uint32
	free           []uint32 // sequences below next that no transaction holds, ascending
	waiting        []*operation
	inFlight       map[slot]*operation
	limbo          map[slot]bool // of operations that are over, or absent, as soon as the journal says so
	byHash         map[string]*operation
	undecided      map[*operation]*undecided // no longer in flight: see setAside
	fee            Fee
	askedAt        uint32 // the validated ledger when fee was last asked for
	openCost       int64  // what gets into the open ledger, as last heard
	room           int    // how many more fit into the open ledger at that cost, as far as is known here
	hold           bool   // the ledger is full: nothing new until the next one is priced
	holdAt         uint32 // validated ledger when hold was set
	resumeAt       time.Time
	trouble        string // why nothing moves, for callers
	feeOver        int64  // what the node asks, in drops, while that is above the limit
	progress       progress

	book  laneBook  // with a journal
	stock laneStock // of tickets
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
	// Tickets are in stock, unused. It is 0 where none are kept.
	Tickets int
	// Stalled says that nothing of the account was validated for several ledgers while work is pending. Trouble names the
	// cause and what to do.
	Stalled bool
	// FeeDrops is what the node asks for a transaction while that is above the limit, MaxFeeDrops; 0 otherwise.
	FeeDrops, MaxFeeDrops int64
	// Undecided are operations that the node cannot decide: it lacks the history. They hold up no others.
	Undecided int
}

// NewLane returns a lane that works once Run is called, or Work where it has a journal. Without one there must be no other
// for the account, in any process: two would take each other's sequences, which each notices and mends, at the cost of time.
func NewLane(client *Client, cfg LaneConfig) (*Lane, error) {
	if cfg.Account == "" || cfg.Seed.Zero() {
		return nil, errors.New("a lane needs an account and the seed of its key")
	}
	cfg = cfg.withDefaults(client)
	return &Lane{
		client: client,
		cfg:    cfg,
		log:    cfg.Logger.With("account", cfg.Account),
		clock:  client.cfg.Clock,
		ready:  make(chan struct{}, 1),
		idle:   make(chan struct{}),
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
//
// A lane with a journal takes nothing in this way.
func (l *Lane) Submit(ctx context.Context, tx model.Transaction) (model.Validated, error) {
	if l.cfg.Journal != nil {
		return model.Validated{}, &model.Error{Code: model.CodeInternal, Message: "what this lane is to do is stored in its journal"}
	}
	if _, err := contentOf(tx); err != nil {
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
		l.drained()
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
	l.drained()
}

// drained tells Drain that nothing is left. mu is held.
func (l *Lane) drained() {
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

// Run works on what [Lane.Submit] is given until ctx ends, and returns nil then. Whatever is not final at that time is told so to its callers. It may
// be called once, and not with a journal.
func (l *Lane) Run(ctx context.Context) error {
	if l.cfg.Journal != nil {
		return errors.New("a lane with a journal works under a fence")
	}
	if err := l.begins(); err != nil {
		return err
	}
	return l.run(ctx, nil)
}

// errWorking says that a lane was started twice.
var errWorking = errors.New("the lane works already")

func (l *Lane) begins() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.working {
		return errWorking
	}
	l.working = true
	return nil
}

// run is the lane's goroutine. begin is done first.
func (l *Lane) run(ctx context.Context, begin func(ctx context.Context) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	l.laneWork = laneWork{ctx: ctx, inFlight: map[slot]*operation{}, limbo: map[slot]bool{}, byHash: map[string]*operation{}, undecided: map[*operation]*undecided{}}
	l.downSince = l.clock.Now()
	l.watcher = l.client.Watch(l.cfg.Account)
	defer func() {
		l.abandon()
		cancel()
		l.watcher.Stop()
		l.jobs.Wait()
		l.mu.Lock()
		l.inbox = nil // what came too late: there is nobody who could do it
		l.status = Status{Trouble: "the lane does not work here", Validated: l.validated}
		l.mu.Unlock()
	}()
	if begin != nil && !begin(ctx) {
		return nil
	}
	timer := l.clock.NewTimer(laneTick)
	defer func() { timer.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.watcher.Ready():
		case <-l.ready:
		case <-l.book.wake:
			l.book.due = true
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
			if l.book.fenced != nil {
				return l.book.fenced
			}
		}
		if ctx.Err() != nil { // before anything more is signed
			return nil
		}
		l.waiting = append(l.waiting, incoming...)
		l.pump()
		l.keepBooks()
		l.publish()
		if l.published != nil {
			l.published()
		}
	}
}

// abandon tells every caller how its transaction stands when the lane ends. What a journal holds goes on from there.
func (l *Lane) abandon() {
	l.mu.Lock()
	l.stopping = l.stopping || l.cfg.Journal == nil
	incoming := l.incoming
	l.incoming = nil
	l.mu.Unlock()
	ordered := slices.AppendSeq(l.ordered(), maps.Keys(l.undecided))
	for _, op := range ordered {
		for _, a := range op.attempts {
			a.giveUp()
		}
	}
	if l.cfg.Journal != nil {
		l.mu.Lock()
		l.accepted, l.unbegun, l.working = 0, 0, false
		l.drained()
		l.mu.Unlock()
		return
	}
	for _, op := range slices.Concat(l.waiting, incoming) {
		l.fail(op, &model.Error{Code: model.CodeLedgerUnavailable, Message: "the service is stopping; nothing was sent",
			Cause: ErrClosed, RetryAfter: retryAfter})
	}
	for _, op := range ordered {
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
	case l.book.trouble != nil:
		trouble = l.book.message()
	case trouble == "":
		trouble = l.stallTrouble()
	}
	if l.account.LedgerIndex > 0 {
		l.tally.account(l.account.Balance, l.canHold())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = refuse
	l.status = Status{Up: l.up && l.synced, Trouble: trouble, Waiting: len(l.waiting), InFlight: len(l.inFlight),
		Validated: l.validated, NextSequence: l.next, Tickets: len(l.stock.tickets), Undecided: len(l.undecided),
		Stalled: l.progress.stalled, FeeDrops: l.feeOver, MaxFeeDrops: l.cfg.MaxFeeDrops}
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
		l.ledger(e.Ledger, l.client.Streams() && !e.Polled)
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
	if l.validated.Index > 0 && led.Index > l.validated.Index {
		l.progress.missed(led.Index - l.validated.Index)
	}
	if led.Index < l.validated.Index {
		l.progress = progress{}
		l.log.Warn("the node's validated ledger is older than the one seen before", "ledger", led.Index, "seen", l.validated.Index)
		if led.Index+uint32(resendAfter) < l.validated.Index { // not just a node that lags: another ledger
			l.covered = 0
			l.stock.madeIn, l.stock.readAt = 0, 0
		}
		l.hold, l.holdAt, l.askedAt = false, 0, 0 // counted in ledgers that are still to come
	}
	l.validated = led
	for _, op := range l.inFlight {
		if op.state == stateSent && !op.newest().answer {
			op.newest().giveUp()
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
	identity, inFlight, covered := l.identity && l.networkID != 0, len(l.inFlight), l.covered
	if inFlight == 0 || covered == 0 {
		covered = l.validated.Index
	}
	before, known := l.account, l.next
	if l.jumps >= jumpTries {
		l.log.Error("the account's sequence jumped without transactions, and the node repeats it; going on from there", "sequence", known)
		before = AccountInfo{}
	}
	gap := false // the node does not hold the ledgers that were missed
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
			if err = l.client.jumped(ctx, l.cfg.Account, before, known, settled); err != nil {
				return err
			}
			if open, err = l.client.accountInfo(ctx, l.cfg.Account, currentIndex); err != nil {
				return err
			}
			if fee, err = l.client.Fee(ctx); err != nil {
				return err
			}
			if inFlight > 0 && covered < settled.LedgerIndex {
				err = l.client.AccountTx(ctx, l.cfg.Account, covered+1, settled.LedgerIndex, func(t *Transaction) { found = append(found, t) })
				var lost *ConnectionError
				if gap = err != nil && ctx.Err() == nil && !errors.As(err, &lost); gap {
					l.log.Warn("cannot read the ledgers that were missed; looking up one by one", "first", covered+1, "last", settled.LedgerIndex, "error", err)
					err = nil
				}
			}
			return err
		}()
		return func() {
			l.syncing = false
			if err != nil {
				l.trouble = "the XRP Ledger node does not say how the account stands"
				var node *NodeError
				if errors.As(err, &node) && node.Code == "actNotFound" {
					l.trouble = "the account " + string(l.cfg.Account) + " is not on the ledger: it must be funded first"
				}
				if Contradicts(err) {
					l.jumps++
				}
				if ctx.Err() == nil {
					l.log.Warn("cannot begin to submit", "error", err)
				}
				return // tried again by tick
			}
			if first := l.youngest(); l.cfg.Journal != nil && first > settled.LedgerIndex+l.cfg.LedgerOffset {
				l.trouble = fmt.Sprintf("the XRP Ledger node's last ledger is %d, and what is in progress was signed after ledger %d: the node is far behind, "+
					"or it is another network or a ledger that was begun anew, which the journal does not belong to", settled.LedgerIndex, first)
				l.log.Error("nothing is sent", "cause", l.trouble)
				return // looked at again by tick
			}
			l.trouble, l.jumps = "", 0
			if !identity {
				l.networkLearned(info.NetworkID)
				l.identity = true
			}
			for _, t := range found {
				l.transaction(t)
			}
			l.covered = max(l.covered, settled.LedgerIndex)
			if len(l.inFlight) == 0 {
				l.covered = max(l.covered, l.validated.Index)
			}
			l.account = settled
			if open.Sequence > settled.Sequence+l.maxGap() {
				l.log.Warn("the node's open ledger has a sequence that cannot be; counting from the validated one", "open", open.Sequence, "validated", settled.Sequence)
				open.Sequence = settled.Sequence
			}
			next := max(open.Sequence, settled.Sequence)
			if len(l.inFlight)+len(l.limbo) > 0 || settled.LedgerIndex < l.validated.Index {
				next = max(next, l.next)
			} else {
				l.free = nil
			}
			l.next = next
			l.findFree(max(open.Sequence, settled.Sequence))
			l.priced(fee, l.validated.Index)
			l.synced = true
			l.stock.due = true
			for _, op := range l.ordered() { // before anything new, as sequences must arrive in order
				switch op.state {
				case stateTaken, stateQueued, stateRetry, stateRefused:
					if op.newest().LastLedgerSequence <= l.validated.Index {
						continue
					}
					if gap && op.newest().first < settled.LedgerIndex {
						op.state = stateLookUp
						continue
					}
					l.send(op)
				}
			}
			l.lookUp()
		}
	})
}

// youngest is the last ledger that was validated when something in flight was signed.
func (l *Lane) youngest() uint32 {
	var first uint32
	for _, op := range l.inFlight {
		for _, a := range op.attempts {
			first = max(first, a.first)
		}
	}
	return first
}

// ledger notes that a ledger was validated. streamed says that the stream told of it, and tells of its transactions after it.
func (l *Lane) ledger(led model.Ledger, streamed bool) {
	if led.Index <= l.validated.Index {
		return
	}
	l.validated = led
	complete := led.Index - 1 // its own transactions are told after it
	if !streamed {
		complete = led.Index // nothing is told: they must be asked for
	}
	if streamed {
		l.reread(led.Index)
	}
	switch {
	case len(l.inFlight) == 0:
		l.covered = max(l.covered, complete)
	case streamed && l.covered+1 >= complete:
		l.covered = max(l.covered, complete)
	default:
		l.fill(complete)
	}
	defer l.paced()
	if !l.synced {
		return
	}
	l.stock.ripe = false
	l.stock.due, l.stock.stale = l.stock.due || l.stock.stale, false
	l.expectRoom()
	if len(l.inFlight)+len(l.waiting) > 0 || l.cfg.Mode == Tickets && l.account.LedgerIndex < l.stock.changed {
		l.reprice()
	}
	l.resend()
	l.lookUp()
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
			l.reportLost(found)
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
	if op := l.inFlight[slot{n: sequence}]; op != nil && op.state != stateStoring {
		op.state = stateLookUp
	}
	if sequence < l.next {
		return
	}
	l.log.Warn("another process sends from this account, and takes sequences that the lane hands out", "hash", t.Hash, "sequence", sequence)
	l.next = sequence + 1
}

// conclude ends an operation with its final result.
func (l *Lane) conclude(op *operation, v model.Validated) {
	l.remove(op)
	l.stock.changed = max(l.stock.changed, v.LedgerIndex)
	l.progress.made(op.slot, v.LedgerIndex, l.validated.Index)
	l.watchStall()
	l.validatedNow(op, v)
	if v.Succeeded() {
		l.end(op, model.StateSucceeded, &v, nil)
		return
	}
	l.end(op, model.StateFailed, &v, &model.Error{Code: model.Code(v.EngineResult), Message: refusalText(v.EngineResult), Tx: &v})
}

// fail ends an operation of which nothing was sent that could still happen, without a journal.
func (l *Lane) fail(op *operation, e *model.Error) { l.end(op, model.StateRefused, nil, e) }

// end ends an operation: its caller is told, or the journal. then is done when that is done.
func (l *Lane) end(op *operation, state model.State, v *model.Validated, e *model.Error, then ...func()) {
	op.state = stateFinal
	if _, is := op.tx.(ticketCreate); is {
		l.ticketsEnded(op, v)
	}
	if l.cfg.Journal != nil {
		l.store(op, state, v, e, then)
		return
	}
	l.counted(state)
	if v != nil {
		op.result = *v
	}
	if e != nil {
		op.err = e
	}
	op.mu.Lock()
	begun := op.begun
	op.mu.Unlock()
	close(op.done)
	l.over(begun)
	for _, f := range then {
		f()
	}
}

// remove takes an operation out of what is in flight.
func (l *Lane) remove(op *operation) {
	if l.inFlight[op.slot] == op {
		delete(l.inFlight, op.slot)
	}
	delete(l.undecided, op)
	for _, a := range op.attempts {
		a.giveUp()
		delete(l.byHash, a.Hash)
	}
}

// ordered returns what is in flight in the order in which it is sent.
func (l *Lane) ordered() []*operation {
	ops := make([]*operation, 0, len(l.inFlight))
	for _, op := range l.inFlight {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b *operation) int { return a.slot.compare(b.slot) })
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
			if op.state != stateSent {
				continue
			}
			if a := op.newest(); !a.answer && now.Sub(a.sentAt) > limit {
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
	l.stock.ripe = true
	if l.cfg.Journal != nil {
		l.book.late = true
		return // what waits there can wait
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
