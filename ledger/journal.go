package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Journal keeps operations and what was signed for them. What one of its functions has stored is durable when it
// returns, and each can be called again with the same arguments. Where it cannot be used now, the error is a
// [model.Error] with [model.CodeStoreUnavailable]; what was to be stored may or may not be then. Where another process
// has taken the lane, it is [model.CodeFenced], and nothing was stored.
type Journal interface {
	// InFlight returns an account's operations that are signed and not final, with their attempts, oldest first.
	InFlight(ctx context.Context, issuer model.Address) ([]model.Operation, error)
	// Pending returns up to limit of those that nothing is signed for, in the order in which they are to be.
	Pending(ctx context.Context, issuer model.Address, limit int) ([]model.Operation, error)
	// Watch returns a channel that holds a signal when there may be more of them.
	Watch(issuer model.Address) (wake <-chan struct{}, stop func())
	// Sign stores blobs, all or none: [model.CodeWrongState] where one of them must not be sent, as its operation is
	// final, or has a blob with another sequence or ticket that is not absent.
	Sign(ctx context.Context, fence model.Fence, attempts []model.Attempt) error
	// SignOwn stores operations that the lane makes itself together with their first blobs, and returns their ids. Blobs
	// that are stored already are left as they are.
	SignOwn(ctx context.Context, fence model.Fence, ops []model.Operation, attempts []model.Attempt) ([]model.OperationID, error)
	// Conclude stores what validated ledgers say, all or nothing.
	Conclude(ctx context.Context, fence model.Fence, outcomes []model.Outcome) error
}

const (
	// signChunk and concludeChunk are the most that one commit stores. While one is under way, the next is gathered.
	signChunk, concludeChunk = 256, 512
	// feedWindow is how many operations wait in memory; the others wait in the journal.
	feedWindow = 1024
	// journalRetry and journalMaxRetry bound the waits between attempts to write a journal that fails.
	journalRetry, journalMaxRetry = 100 * time.Millisecond, 2 * time.Second
)

// laneBook is what a lane knows of its journal.
type laneBook struct {
	fence  model.Fence
	fenced error // another process has the lane: nothing more may be sent
	// trouble is why the journal cannot be written now.
	trouble error

	wake    <-chan struct{}
	due     bool // there may be more to read
	late    bool // a while has passed
	wait    bool // until a while has passed: it failed
	gaps    bool // sequences that nothing holds are to be found
	feeding bool
	reload  bool                             // read again what is in flight
	known   map[model.OperationID]*operation // all that the lane has in hand
	gone    map[model.OperationID]bool       // what went out of its hand while the journal was being read

	unsaved    []*operation // each with a fresh attempt
	saving     bool
	endings    []ending
	concluding bool
}

// signing is a blob on its way into the journal.
type signing struct {
	op      *operation
	attempt model.Attempt
	own     *model.Operation // with the lane's own, which has no id yet
}

// ending is an outcome on its way into the journal.
type ending struct {
	op      *operation
	outcome model.Outcome
	then    []func()
}

// Work brings the journal's operations onto the ledger, until ctx ends or another process takes the lane. First it finishes
// what is in progress there: what a validated ledger holds is concluded, what still can apply is sent again, the very same
// blob, and what is proved absent is signed anew. Then it takes what is pending, in its order, as it comes.
//
// fence is the right to do so: everything that is signed is stored under it before it is sent. When ctx ends, nothing more
// is sent, and Work returns nil. It is [model.CodeFenced] as soon as the journal says that another process has the lane.
// Work may be called again afterwards, but not twice at once.
func (l *Lane) Work(ctx context.Context, fence model.Fence) error {
	j := l.cfg.Journal
	if j == nil {
		return errors.New("a lane without a journal is run, it does not work under a fence")
	}
	if fence.Issuer != l.cfg.Account {
		return errors.New("the fence is of another account's lane")
	}
	if err := l.begins(); err != nil {
		return err
	}
	wake, stop := j.Watch(l.cfg.Account)
	defer stop()
	return l.run(ctx, func(ctx context.Context) bool {
		l.book = laneBook{fence: fence, wake: wake, due: true, gaps: true, known: map[model.OperationID]*operation{}}
		for try := 0; ; try++ {
			ops, err := j.InFlight(ctx, l.cfg.Account)
			if err == nil {
				l.adopt(ops)
				return true
			}
			if ctx.Err() != nil {
				return false
			}
			l.log.Warn("cannot read from the journal what is in progress; trying again", "error", err)
			l.book.trouble = err
			l.publish()
			if !l.pause(ctx, try) {
				return false
			}
		}
	})
}

// pause waits before a journal that failed is tried again; false when ctx ends first.
func (l *Lane) pause(ctx context.Context, try int) bool {
	timer := l.clock.NewTimer(backoff(try, journalRetry, journalMaxRetry, l.client.cfg.Rand))
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// adopt takes in operations that are in progress, and that nobody in this process has in hand.
func (l *Lane) adopt(ops []model.Operation) {
	resumed := 0
	for i := range ops {
		if ops[i].Unauthentic && ops[i].State == model.StateSigned && l.book.known[ops[i].ID] == nil {
			l.log.Error("an operation in the database is not authentic: nothing more is signed for it", "operation", ops[i].ID)
		}
		o := &ops[i]
		if o.State != model.StateSigned || l.book.known[o.ID] != nil {
			continue
		}
		op := l.take(o)
		op.begun = true
		for _, a := range o.Attempts {
			if a.Replaces == 0 {
				op.signings++
			}
			if a.State != model.AttemptSigned {
				continue
			}
			op.slot = slotOf(a.Sequence, a.Ticket)
			l.stored(op, &attempt{
				Signed: Signed{Blob: a.Blob, Hash: a.Hash, Sequence: a.Sequence, Ticket: a.Ticket, Fee: a.Fee, LastLedgerSequence: a.LastLedgerSequence},
				first:  a.FirstLedger, sentIn: a.FirstLedger, sends: 1, answer: true, giveUp: func() {},
			})
			if l.covered == 0 || a.FirstLedger < l.covered {
				l.covered = a.FirstLedger
			}
		}
		resumed++
		l.mu.Lock()
		l.accepted++
		l.mu.Unlock()
		if len(op.attempts) == 0 { // all of them absent: it stopped just before it was signed anew
			if op.own || op.brief || op.closed {
				l.end(op, model.StateExpired, nil, &model.Error{Code: model.CodeNotValidated, Message: "it is not needed any more"})
				continue
			}
			op.begun = false
			l.mu.Lock()
			l.unbegun++
			l.mu.Unlock()
			l.requeue(op)
			continue
		}
		op.state = stateRetry
		op.pending = model.Pending{Hash: op.newest().Hash, Sequence: op.slot.n, LastLedgerSequence: op.lastLedger()}
		l.inFlight[op.slot] = op
		if op.slot.ticket {
			l.stock.tickets = slices.DeleteFunc(l.stock.tickets, func(n uint32) bool { return n == op.slot.n })
			continue
		}
		l.next = max(l.next, op.slot.n+1)
		if tc, is := op.tx.(ticketCreate); is {
			l.stock.refill = op
			l.next = max(l.next, op.slot.n+1+tc.count)
		}
	}
	if resumed > 0 {
		l.log.Info("finishing what is in progress", "operations", resumed)
	}
	if resumed > 0 && l.synced { // not at a start: what they say of themselves is all that is known
		l.synced = false
		l.sync()
	}
}

// take makes an operation of one in the journal.
func (l *Lane) take(o *model.Operation) *operation {
	op := &operation{id: o.ID, kind: o.Kind, batch: o.Batch != "", tx: o.Transaction(), ctx: context.Background(), since: o.Created, own: !o.Kind.Requested(),
		brief: o.Actor == model.ActorJanitor, closed: o.Unauthentic}
	switch o.Kind {
	case model.KindFill:
		op.tx = noop{}
	case model.KindTickets:
		op.tx = ticketCreate{o.Tickets}
	}
	l.book.known[o.ID] = op
	return op
}

// forget lets an operation go.
func (l *Lane) forget(op *operation) {
	delete(l.book.known, op.id)
	if l.book.gone != nil {
		l.book.gone[op.id] = true
	}
	op.mu.Lock()
	begun := op.begun
	op.mu.Unlock()
	l.over(begun)
}

// keepBooks reads and writes the journal, as far as there is something to.
func (l *Lane) keepBooks() {
	if l.cfg.Journal == nil {
		return
	}
	l.mu.Lock()
	stopping := l.stopping
	l.mu.Unlock()
	if stopping { // what is not under way waits for whoever comes next
		for _, op := range l.waiting {
			l.forget(op)
		}
		l.waiting = nil
	} else {
		l.feed()
	}
	l.save()
	l.saveEndings()
}

// feed reads more of what is pending.
func (l *Lane) feed() {
	b := &l.book
	if b.late {
		b.wait = false
	}
	if b.feeding || b.wait || !b.due && !b.reload {
		return
	}
	limit := len(l.waiting) + len(b.unsaved) + signChunk + feedWindow
	if len(l.waiting) >= feedWindow/2 {
		if !b.late {
			return
		}
		// Now and then it looks for what comes before rows of batches. What is being signed stands first there.
		first := 0
		for _, op := range l.waiting {
			if !op.batch {
				first++
			}
		}
		limit = first + len(b.unsaved) + 2*signChunk
	}
	b.late = false
	reload := b.reload
	b.feeding, b.due, b.reload, b.gone = true, false, false, map[model.OperationID]bool{}
	l.job(func(ctx context.Context) func() {
		var inFlight []model.Operation
		pending, err := l.cfg.Journal.Pending(ctx, l.cfg.Account, limit)
		if err == nil && reload {
			inFlight, err = l.cfg.Journal.InFlight(ctx, l.cfg.Account)
		}
		return func() {
			gone := b.gone
			b.feeding, b.gone = false, nil
			if err != nil {
				if ctx.Err() == nil {
					l.log.Warn("cannot read from the journal what is pending", "error", err)
				}
				b.due, b.reload, b.wait = true, reload, true
				return
			}
			added := false
			for i := range pending {
				if o := &pending[i]; b.known[o.ID] == nil && !gone[o.ID] && !o.Unauthentic {
					l.waiting = append(l.waiting, l.take(o))
					added = true
					l.mu.Lock()
					l.accepted++
					l.unbegun++
					l.mu.Unlock()
				}
			}
			if added {
				slices.SortStableFunc(l.waiting, func(a, b *operation) int { return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.id, b.id)) })
			}
			b.due = b.due || len(pending) == limit
			inFlight = slices.DeleteFunc(inFlight, func(o model.Operation) bool { return gone[o.ID] })
			if len(inFlight) > 0 {
				l.adopt(inFlight)
			}
		}
	})
}

// mayStore says whether something more may be signed: it must be stored soon.
func (l *Lane) mayStore() bool {
	b := &l.book
	return l.cfg.Journal == nil || b.trouble == nil && len(b.unsaved) < signChunk && len(b.endings) < 2*l.cfg.MaxInFlight
}

// journal has a blob stored, and sent afterwards. Without a journal it is sent at once.
func (l *Lane) journal(op *operation, a *attempt) {
	l.room--
	op.state = stateStoring
	if l.cfg.Journal == nil {
		l.stored(op, a)
		l.send(op)
		return
	}
	op.fresh = a
	l.book.unsaved = append(l.book.unsaved, op)
}

// save stores what is signed, many in one commit, and sends it then.
func (l *Lane) save() {
	b := &l.book
	if b.saving || len(b.unsaved) == 0 {
		return
	}
	n := min(len(b.unsaved), signChunk)
	var batch []*signing
	for _, op := range b.unsaved[:n] {
		if op.state != stateStoring { // decided by an older blob in the meantime
			op.fresh = nil
			continue
		}
		a := op.fresh
		s := &signing{op: op, attempt: model.Attempt{Operation: op.id, Hash: a.Hash, Blob: a.Blob, Sequence: a.Sequence, Ticket: a.Ticket,
			LastLedgerSequence: a.LastLedgerSequence, FirstLedger: a.first, Fee: a.Fee}}
		if op.id == "" {
			s.own = &model.Operation{Kind: op.kind}
			if tc, is := op.tx.(ticketCreate); is {
				s.own.Tickets = tc.count
			}
		}
		batch = append(batch, s)
	}
	b.unsaved = slices.Delete(b.unsaved, 0, n)
	if len(batch) == 0 {
		return
	}
	b.saving = true
	bad := map[*signing]error{}
	l.write("what was signed", func(ctx context.Context) error {
		clear(bad)
		return halve(batch, bad, func(part []*signing) error { return l.signPart(ctx, part) })
	}, func() {
		b.saving = false
		for _, s := range batch {
			l.saved(s, bad[s])
		}
	})
}

// signPart stores some blobs in one commit, or in two where the lane's own are among them.
func (l *Lane) signPart(ctx context.Context, part []*signing) error {
	var asked []model.Attempt
	var ops []model.Operation
	var own []model.Attempt
	var ownSignings []*signing
	for _, s := range part {
		if s.own == nil {
			asked = append(asked, s.attempt)
			continue
		}
		ops, own, ownSignings = append(ops, *s.own), append(own, s.attempt), append(ownSignings, s)
	}
	if len(asked) > 0 {
		if err := l.cfg.Journal.Sign(ctx, l.book.fence, asked); err != nil {
			return err
		}
	}
	if len(own) == 0 {
		return nil
	}
	ids, err := l.cfg.Journal.SignOwn(ctx, l.book.fence, ops, own)
	if err != nil {
		return err
	}
	if len(ids) != len(own) {
		return errors.New("the journal gave another number of ids than it was asked for")
	}
	for i, s := range ownSignings {
		s.attempt.Operation = ids[i]
	}
	return nil
}

// saved goes on with a blob that is stored, or that must not be sent.
func (l *Lane) saved(s *signing, refused error) {
	op, a := s.op, s.op.fresh
	op.fresh = nil
	if op.id == "" && refused == nil {
		op.id = s.attempt.Operation
		l.book.known[op.id] = op
	}
	if op.state != stateStoring {
		return
	}
	if refused != nil {
		l.unsigned(op, refused)
		return
	}
	l.stored(op, a)
	switch {
	case a.LastLedgerSequence <= l.validated.Index: // storing it took too long
		op.state = stateLookUp
		l.lookUp()
	case l.hold && op.slot.ticket || !l.up || !l.synced:
		op.state = stateRetry // with the next ledger, or when the line is back
		a.sentIn = l.validated.Index
	default:
		l.send(op)
	}
}

// unsigned deals with a blob that the journal does not take, so that it must not be sent.
func (l *Lane) unsigned(op *operation, err error) {
	if len(op.attempts) > 0 { // one that was to pay more: the older ones may still apply
		op.state = stateRetry
		l.log.Error("the journal does not take a transaction that pays more", "operation", op.id, "error", err)
		return
	}
	if model.CodeOf(err) == model.CodeWrongState {
		l.log.Info("an operation is not to be signed any more", "operation", op.id, "cause", err)
	} else {
		l.log.Error("the journal does not take what was signed", "operation", op.id, "error", err)
	}
	l.remove(op)
	op.state = stateFinal
	if _, is := op.tx.(ticketCreate); is {
		l.ticketsEnded(op, nil)
	}
	l.release(op.slot)
	l.forget(op)
	l.book.reload, l.book.wait = true, true // should it be in progress after all, the journal says so
}

// store has an operation's end stored.
func (l *Lane) store(op *operation, state model.State, v *model.Validated, e *model.Error, then []func()) {
	if op.id == "" { // the lane's own, of which nothing was stored
		for _, f := range then {
			f()
		}
		l.forget(op)
		return
	}
	o := model.Outcome{Operation: op.id, State: state, Result: v}
	if state == model.StateExpired {
		o.Absent = op.absent
	}
	if e != nil {
		o.Failure = &model.Failure{Code: e.Code, Message: e.Message}
	}
	then = append(then, func() {
		l.counted(state)
		l.forget(op)
	})
	l.ending(op, o, then)
}

// absentStored has it stored that an operation's blobs are absent, and does then what follows.
func (l *Lane) absentStored(op *operation, then func()) {
	if l.cfg.Journal == nil {
		then()
		return
	}
	l.ending(op, model.Outcome{Operation: op.id, State: model.StateSigned, Absent: op.absent}, []func(){then})
}

func (l *Lane) ending(op *operation, o model.Outcome, then []func()) {
	if len(op.attempts) > 0 {
		l.limbo[op.slot] = true
	}
	l.book.endings = append(l.book.endings, ending{op, o, then})
}

// saveEndings stores outcomes, many in one commit.
func (l *Lane) saveEndings() {
	b := &l.book
	if b.concluding || len(b.endings) == 0 {
		return
	}
	n := min(len(b.endings), concludeChunk)
	batch := make([]*ending, n)
	for i := range batch {
		e := b.endings[i]
		batch[i] = &e
	}
	b.endings = slices.Delete(b.endings, 0, n)
	b.concluding = true
	bad := map[*ending]error{}
	l.write("results", func(ctx context.Context) error {
		clear(bad)
		return halve(batch, bad, func(part []*ending) error {
			outcomes := make([]model.Outcome, len(part))
			for i, e := range part {
				outcomes[i] = e.outcome
			}
			return l.cfg.Journal.Conclude(ctx, b.fence, outcomes)
		})
	}, func() {
		b.concluding = false
		for _, e := range batch {
			if err := bad[e]; err != nil {
				l.log.Error("the journal does not take a result", "operation", e.op.id, "state", e.outcome.State, "error", err)
			}
			delete(l.limbo, e.op.slot)
			for _, f := range e.then {
				f()
			}
		}
	})
}

// stops says of an error of the journal that it is of all that was to be stored, and not of a part of it.
func stops(err error) bool {
	code := model.CodeOf(err)
	return code == model.CodeStoreUnavailable || code == model.CodeFenced || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// halve stores a batch in one commit. Where something in it is not taken, it finds out what, by halves, and stores the
// rest.
func halve[T comparable](batch []T, bad map[T]error, store func([]T) error) error {
	err := store(batch)
	switch {
	case err == nil || stops(err):
		return err
	case len(batch) == 1:
		bad[batch[0]] = err
		return nil
	}
	half := len(batch) / 2
	if err := halve(batch[:half], bad, store); err != nil {
		return err
	}
	return halve(batch[half:], bad, store)
}

const (
	cannotWrite   = "the journal cannot be written"
	cannotConfirm = "outcomes are not confirmed by a second node"
)

// warning is the log message for an error of the journal.
func (laneBook) warning(err error) string {
	if model.CodeOf(err) == model.CodeLedgerUnavailable {
		return cannotConfirm + "; nothing new is signed until they are"
	}
	return cannotWrite + "; nothing new is signed until it can"
}

// message says why nothing new is signed, for a status.
func (b *laneBook) message() string {
	if model.CodeOf(b.trouble) == model.CodeLedgerUnavailable {
		return cannotConfirm + " at the moment: nothing new is signed until they are"
	}
	return cannotWrite + " at the moment: nothing new is signed until it can"
}

// write has something stored beside the lane, for as long as it takes, and done called by the lane then; unless another
// process has the lane, which ends it.
func (l *Lane) write(what string, store func(ctx context.Context) error, done func()) {
	l.job(func(ctx context.Context) func() {
		for try := 0; ; try++ {
			err := store(ctx)
			switch {
			case err == nil:
				return func() {
					if l.book.trouble != nil {
						l.log.Info("the journal can be written again")
						l.book.trouble = nil
					}
					done()
				}
			case ctx.Err() != nil:
				return func() {}
			case model.CodeOf(err) == model.CodeFenced:
				return func() { l.book.fenced = err }
			}
			l.post(func() {
				if l.book.trouble == nil {
					l.log.Warn(l.book.warning(err), "what", what, "error", err)
				}
				l.book.trouble = err
			})
			if !l.pause(ctx, try) {
				return func() {}
			}
		}
	})
}
