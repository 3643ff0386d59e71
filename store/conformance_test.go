package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestCreateAndRead(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := issue()
		op.Key = &model.IdempotencyKey{Key: "a key with ümlaut and 'quotes'", RequestHash: [32]byte{1, 2, 255}}
		stored := h.create(op)
		op.ID, op.State = stored.ID, model.StatePending
		op.Created, op.Updated = h.clock.Now(), h.clock.Now()
		if !reflect.DeepEqual(stored, op) {
			t.Errorf("stored\n%+v, want\n%+v", stored, op)
		}
		op.Key = &model.IdempotencyKey{Key: op.Key.Key} // nobody gets its hash back
		if read := h.state(op.ID, model.StatePending); !reflect.DeepEqual(read, op) {
			t.Errorf("read\n%+v, want\n%+v", read, op)
		}
		if _, err := model.ParseOperationID(string(op.ID)); err != nil {
			t.Error(err)
		}

		plain := h.create(model.Operation{Issuer: issuerA, Kind: model.KindRevoke, Subject: subject(), Type: "a"})
		if read := h.state(plain.ID, model.StatePending); !reflect.DeepEqual(read, plain) {
			t.Errorf("read\n%+v, want\n%+v", read, plain)
		}
		zero := uint32(0)
		early := issue()
		early.Expiration = &zero
		early = h.create(early)
		if read := h.state(early.ID, model.StatePending); read.Expiration == nil || *read.Expiration != 0 {
			t.Errorf("an expiration of 0 came back as %v", read.Expiration)
		}

		for _, id := range []model.OperationID{"", "x", "01JD8Q4Z7T9XW3V5K2M6N8P0RS", "' OR 1=1 --", "\x00"} {
			_, err := h.Operation(h.ctx(), id)
			h.code(err, model.CodeOperationNotFound)
			_, err = h.Wait(h.ctx(), id)
			h.code(err, model.CodeOperationNotFound)
		}
		_, err := h.ByHash(h.ctx(), "\x00")
		h.code(err, model.CodeOperationNotFound)
	})
}

func TestCreateRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for name, change := range map[string]func(*model.Operation){
			"kind of the lane":     func(o *model.Operation) { o.Kind = model.KindFill },
			"unknown kind":         func(o *model.Operation) { o.Kind = "x" },
			"no issuer":            func(o *model.Operation) { o.Issuer = "" },
			"no subject":           func(o *model.Operation) { o.Subject = "" },
			"no type":              func(o *model.Operation) { o.Type = "" },
			"long type":            func(o *model.Operation) { o.Type = model.CredentialType(strings.Repeat("a", 65)) },
			"long uri":             func(o *model.Operation) { o.URI = strings.Repeat("a", 257) },
			"revocation with uri":  func(o *model.Operation) { o.Kind = model.KindRevoke },
			"tickets":              func(o *model.Operation) { o.Tickets = 1 },
			"row":                  func(o *model.Operation) { o.Row = 1 },
			"id of another form":   func(o *model.Operation) { o.ID = "abc" },
			"issuer that is short": func(o *model.Operation) { o.Issuer = "r" },
		} {
			op := issue()
			change(&op)
			_, _, err := h.Create(h.ctx(), op)
			if err == nil {
				t.Errorf("%s: taken", name)
				continue
			}
			h.code(err, model.CodeInternal)
		}
		for _, key := range []string{"", strings.Repeat("k", 256), "a\x00", "a\nb", "\xff", "\u0085"} {
			op := issue()
			op.Key = &model.IdempotencyKey{Key: key}
			_, _, err := h.Create(h.ctx(), op)
			h.code(err, model.CodeBadRequest)
		}
		op := issue()
		op.Key = &model.IdempotencyKey{Key: strings.Repeat("k", 255)}
		h.create(op)
	})
}

func TestIdempotencyKey(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := issue()
		op.Key = &model.IdempotencyKey{Key: "k", RequestHash: [32]byte{1}}
		first := h.create(op)

		again, replayed, err := h.Create(h.ctx(), op)
		h.ok(err)
		if !replayed || again.ID != first.ID {
			t.Errorf("the same request gave operation %s (replayed %t), want %s", again.ID, replayed, first.ID)
		}
		other := issue()
		other.Key = &model.IdempotencyKey{Key: "k", RequestHash: [32]byte{2}}
		_, _, err = h.Create(h.ctx(), other)
		h.code(err, model.CodeKeyReused)

		// Another account's key is another key.
		theirs := op
		theirs.Issuer = issuerB
		h.create(theirs)

		// The result is the first one's, also for one that opens the database anew.
		a := attempt(first.ID, 1)
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		again, replayed, err = h.open().Create(h.ctx(), op)
		h.ok(err)
		if !replayed || again.State != model.StateSucceeded || again.Result == nil || again.Result.Hash != a.Hash {
			t.Errorf("after its end the request gave %+v", again)
		}

		// A request that was refused leaves its key free.
		standing := h.create(issue())
		same := issue()
		same.Subject, same.Key = standing.Subject, &model.IdempotencyKey{Key: "free", RequestHash: [32]byte{3}}
		_, _, err = h.Create(h.ctx(), same)
		h.code(err, model.CodeInProgress)
		reuse := issue()
		reuse.Key = &model.IdempotencyKey{Key: "free", RequestHash: [32]byte{4}}
		h.create(reuse)
	})
}

func TestSweepKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		keyed := func(key string) model.Operation {
			op := issue()
			op.Key = &model.IdempotencyKey{Key: key}
			return op
		}
		done, open := keyed("done"), keyed("open")
		first := h.create(done)
		h.create(open)
		h.ok(h.Cancel(h.ctx(), first.ID, model.Failure{}, model.AuditEntry{}))

		h.clock.advance(24 * time.Hour)
		if n, err := h.SweepKeys(h.ctx()); n != 0 || err != nil {
			t.Errorf("in their last moment %d keys went: %v", n, err)
		}
		if _, replayed, err := h.Create(h.ctx(), done); !replayed || err != nil {
			t.Errorf("in its last moment a key was not known: %v", err)
		}
		h.clock.advance(time.Microsecond)
		// Not swept yet, and over all the same.
		second, replayed, err := h.Create(h.ctx(), done)
		if replayed || err != nil || second.ID == first.ID {
			t.Errorf("a key that is over gave %s, replayed %t, %v", second.ID, replayed, err)
		}
		if _, replayed, err := h.Create(h.ctx(), open); !replayed || err != nil {
			t.Errorf("the key of an open operation was forgotten: %v", err)
		}
		h.ok(h.Cancel(h.ctx(), second.ID, model.Failure{}, model.AuditEntry{}))
		h.clock.advance(25 * time.Hour)
		if n, err := h.SweepKeys(h.ctx()); n != 1 || err != nil {
			t.Errorf("%d keys went, want the one whose operation is over: %v", n, err)
		}
		if op := h.state(second.ID, model.StateCancelled); op.Key != nil {
			t.Errorf("its key is still there: %+v", op.Key)
		}
	})
}

func TestOneStandingOperation(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, a := h.signed(1)
		for _, kind := range []model.Kind{model.KindIssue, model.KindRevoke} {
			_, _, err := h.Create(h.ctx(), model.Operation{Issuer: issuerA, Kind: kind, Subject: op.Subject, Type: op.Type})
			h.code(err, model.CodeInProgress)
			var e *model.StandingError
			if !errors.As(err, &e) || *e != (model.StandingError{Operation: op.ID, Kind: model.KindIssue, State: model.StateSigned}) {
				t.Errorf("%s: %v", kind, err)
			}
		}
		for _, change := range []func(*model.Operation){
			func(o *model.Operation) { o.Issuer = issuerB }, func(o *model.Operation) { o.Subject = subject() },
			func(o *model.Operation) { o.Type = "driver\xff\x00licencf" },
		} {
			other := issue()
			other.Subject = op.Subject
			change(&other)
			h.create(other)
		}
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		h.create(model.Operation{Issuer: issuerA, Kind: model.KindRevoke, Subject: op.Subject, Type: op.Type})
	})
}

// Many at the same moment, in two processes: one is stored, and all others hear which.
func TestCreateAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const kinds, each = 8, 25
		ops := make([]model.Operation, kinds)
		for i := range ops {
			ops[i] = issue()
			if i%2 == 0 {
				ops[i].Key = &model.IdempotencyKey{Key: fmt.Sprint("key", i), RequestHash: [32]byte{byte(i)}}
			}
		}
		var mu sync.Mutex
		created := make([][]model.OperationID, kinds)
		named := make([][]model.OperationID, kinds)
		var wg sync.WaitGroup
		for i := range kinds {
			for j := range each {
				wg.Go(func() {
					got, replayed, err := stores[j%2].Create(h.ctx(), ops[i])
					var standing *model.StandingError
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && !replayed:
						created[i] = append(created[i], got.ID)
					case err == nil && ops[i].Key != nil:
						named[i] = append(named[i], got.ID)
					case errors.As(err, &standing) && ops[i].Key == nil:
						named[i] = append(named[i], standing.Operation)
					default:
						t.Errorf("replayed %t: %v", replayed, err)
					}
				})
			}
		}
		wg.Wait()
		for i := range kinds {
			if len(created[i]) != 1 || len(named[i]) != each-1 {
				t.Fatalf("%d were created, %d named", len(created[i]), len(named[i]))
			}
			for _, id := range named[i] {
				if id != created[i][0] {
					t.Errorf("%s was named, and %s stands", id, created[i][0])
				}
			}
		}
		if d, err := h.Depth(h.ctx(), issuerA); d != (Depth{Pending: kinds}) || err != nil {
			t.Errorf("depth %+v, %v", d, err)
		}
	})
}

func TestCreateIgnoresThoseWhoLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		ctx, cancel := context.WithCancel(h.ctx())
		cancel()
		_, _, err := h.Create(ctx, issue())
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		h.creates.turn <- struct{}{} // somebody else has the turn
		ctx, cancel = context.WithCancel(h.ctx())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := h.Create(ctx, issue()); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		cancel()
		wg.Wait()
		<-h.creates.turn
		h.create(issue())
		if d, err := h.Depth(h.ctx(), issuerA); d != (Depth{Pending: 1}) || err != nil {
			t.Errorf("depth %+v, %v", d, err)
		}
	})
}

func TestSignAndConclude(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := h.create(issue())
		a := attempt(op.ID, 7)
		h.clock.advance(time.Second)
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
		read := h.state(op.ID, model.StateSigned)
		want := a
		want.N, want.State, want.Epoch = 1, model.AttemptSigned, h.fence.Epoch
		if !reflect.DeepEqual(read.Attempts, []model.Attempt{want}) || read.Updated != h.clock.Now() || read.Created == read.Updated {
			t.Errorf("read %+v, want its attempt to be %+v", read, want)
		}
		if p := read.Pending(); p == nil || *p != (model.Pending{Hash: a.Hash, Sequence: 7, LastLedgerSequence: 1008}) {
			t.Errorf("pending %+v", p)
		}
		// The answer got lost: the same again changes nothing.
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{a}))

		o := success(a)
		h.clock.advance(time.Second)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{o}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{o}))
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{a}))
		for _, hash := range []string{a.Hash, strings.ToLower(a.Hash)} {
			read, err := h.ByHash(h.ctx(), hash)
			h.ok(err)
			want.State = model.AttemptValidated
			result := *o.Result
			result.EngineResultMessage = "as \uFFFD said"
			if read.ID != op.ID || !reflect.DeepEqual(read.Result, &result) || read.Failure != nil ||
				!reflect.DeepEqual(read.Attempts, []model.Attempt{want}) || read.Err() != nil {
				t.Errorf("read %+v\nresult %+v, want\n%+v", read, read.Result, result)
			}
		}
		// Final is final.
		for _, o := range []model.Outcome{
			{Operation: op.ID, State: model.StateFailed, Result: validated(a.Hash, "tecDUPLICATE")},
			{Operation: op.ID, State: model.StateExpired, Absent: []string{a.Hash}},
			{Operation: op.ID, State: model.StateRefused},
			{Operation: op.ID, State: model.StateSigned, Absent: []string{a.Hash}},
		} {
			h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{o}), model.CodeWrongState)
		}
		h.code(h.Cancel(h.ctx(), op.ID, model.Failure{}, model.AuditEntry{}), model.CodeWrongState)
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(op.ID, 8)}), model.CodeWrongState)
		h.state(op.ID, model.StateSucceeded)
	})
}

func TestEveryEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		failed, a := h.signed(1)
		expired, b := h.signed(2)
		refused, _ := h.signed(3)
		refusedEarly, cancelled, later := h.create(issue()), h.create(issue()), h.create(issue())
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{
			{Operation: failed.ID, State: model.StateFailed, Result: validated(a.Hash, "tecDUPLICATE")},
			{Operation: expired.ID, State: model.StateExpired, Absent: []string{b.Hash}},
			{Operation: refused.ID, State: model.StateRefused, Failure: &model.Failure{Code: "temMALFORMED", Message: "the \x00node"}},
			{Operation: refusedEarly.ID, State: model.StateRefused},
			{Operation: cancelled.ID, State: model.StateCancelled},
		}))
		h.ok(h.Cancel(h.ctx(), later.ID, model.Failure{Code: "tooLate", Message: "its turn did not come"}, model.AuditEntry{}))
		h.ok(h.Cancel(h.ctx(), later.ID, model.Failure{}, model.AuditEntry{}))
		for _, c := range []struct {
			op       model.Operation
			state    model.State
			failure  model.Failure
			attempts []model.AttemptState
		}{
			{failed, model.StateFailed, model.Failure{Code: "tecDUPLICATE", Message: "as \uFFFD said"}, []model.AttemptState{model.AttemptValidated}},
			{expired, model.StateExpired, model.Failure{Code: model.CodeNotValidated}, []model.AttemptState{model.AttemptAbsent}},
			{refused, model.StateRefused, model.Failure{Code: "temMALFORMED", Message: "the \uFFFDnode"}, []model.AttemptState{model.AttemptAbsent}},
			{refusedEarly, model.StateRefused, model.Failure{Code: model.CodeRefused}, nil},
			{cancelled, model.StateCancelled, model.Failure{Code: model.CodeCancelled}, nil},
			{later, model.StateCancelled, model.Failure{Code: "tooLate", Message: "its turn did not come"}, nil},
		} {
			op := h.state(c.op.ID, c.state)
			var states []model.AttemptState
			for _, a := range op.Attempts {
				states = append(states, a.State)
			}
			if op.Failure == nil || op.Failure.Code != c.failure.Code || c.failure.Message != "" && op.Failure.Message != c.failure.Message ||
				op.Failure.Message == "" || !slices.Equal(states, c.attempts) || model.CodeOf(op.Err()) != c.failure.Code {
				t.Errorf("%s: failure %+v, attempts %v, error %v", c.state, op.Failure, states, op.Err())
			}
		}
		if open, err := h.Open(h.ctx(), issuerA); len(open) != 0 || err != nil {
			t.Errorf("%d are open: %v", len(open), err)
		}
	})
}

func TestSignAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, first := h.signed(5)
		other, _ := h.signed(6)

		// Another sequence only once all before are absent.
		anew := attempt(op.ID, 9)
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{anew}), model.CodeWrongState)

		// The same sequence for a higher fee is a replacement.
		dearer := attempt(op.ID, 5)
		dearer.Fee, dearer.LastLedgerSequence = 13, 1012
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{dearer}))
		read := h.state(op.ID, model.StateSigned)
		if n := len(read.Attempts); n != 2 || read.Attempts[0].Replaces != 0 || read.Attempts[1].Replaces != 1 || read.Attempts[1].N != 2 {
			t.Fatalf("attempts %+v", read.Attempts)
		}
		if p := read.Pending(); p.Hash != dearer.Hash {
			t.Errorf("pending %+v", p)
		}

		// One of two absent is not enough, neither to sign anew nor to expire.
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: op.ID, State: model.StateSigned, Absent: []string{first.Hash}}}))
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{anew}), model.CodeWrongState)
		h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: op.ID, State: model.StateExpired}}), model.CodeWrongState)

		// No other operation gets the sequence meanwhile, also not within one call.
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(h.create(issue()).ID, 5)}), model.CodeWrongState)
		x, y := h.create(issue()), h.create(issue())
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(x.ID, 77), attempt(y.ID, 77)}), model.CodeWrongState)
		h.state(x.ID, model.StatePending)

		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: op.ID, State: model.StateSigned, Absent: []string{dearer.Hash}}}))
		h.state(op.ID, model.StateSigned)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{anew, attempt(x.ID, 5)}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(anew)}))
		read = h.state(op.ID, model.StateSucceeded)
		states := []model.AttemptState{read.Attempts[0].State, read.Attempts[1].State, read.Attempts[2].State}
		if !slices.Equal(states, []model.AttemptState{model.AttemptAbsent, model.AttemptAbsent, model.AttemptValidated}) || read.Attempts[2].Replaces != 0 {
			t.Errorf("attempts %+v", read.Attempts)
		}

		// A validated blob settles those that share its sequence.
		dearer = attempt(other.ID, 6)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{dearer}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(dearer)}))
		if read = h.state(other.ID, model.StateSucceeded); read.Attempts[0].State != model.AttemptAbsent {
			t.Errorf("attempts %+v", read.Attempts)
		}

		// What was thought absent and is validated after all is believed.
		late, a := h.signed(20)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: late.ID, State: model.StateSigned, Absent: []string{a.Hash}}}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		h.state(late.ID, model.StateSucceeded)
	})
}

func TestTickets(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, sequenced := h.create(issue()), h.create(issue())
		ticket := func(op model.OperationID, n uint32) model.Attempt {
			a := attempt(op, 0)
			a.Ticket = n
			return a
		}
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{ticket(op.ID, 11), attempt(sequenced.ID, 11)})) // two kinds of numbers
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{ticket(op.ID, 12)}), model.CodeWrongState)
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(op.ID, 12)}), model.CodeWrongState)
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{ticket(h.create(issue()).ID, 11)}), model.CodeWrongState)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{ticket(op.ID, 11)}))
		if read := h.state(op.ID, model.StateSigned); len(read.Attempts) != 2 || read.Attempts[1].Replaces != 1 || read.Attempts[1].Ticket != 11 {
			t.Errorf("attempts %+v", read.Attempts)
		}
	})
}

func TestSignOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		ops := []model.Operation{{Kind: model.KindFill}, {Kind: model.KindTickets, Tickets: 100}}
		attempts := []model.Attempt{attempt("", 1), attempt("", 2)}
		ids, err := h.SignOwn(h.ctx(), h.take(), ops, attempts)
		h.ok(err)
		again, err := h.SignOwn(h.ctx(), h.fence, ops, attempts)
		h.ok(err)
		if !slices.Equal(ids, again) || len(ids) != 2 {
			t.Errorf("%v, then %v", ids, again)
		}
		inFlight, err := h.InFlight(h.ctx(), issuerA)
		h.ok(err)
		if len(inFlight) != 2 || inFlight[1].Tickets != 100 || inFlight[0].Kind != model.KindFill || len(inFlight[1].Attempts) != 1 ||
			inFlight[0].Transaction() != nil {
			t.Errorf("in flight %+v", inFlight)
		}
		attempts[0].Operation = ids[0]
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(attempts[0])}))
		h.state(ids[0], model.StateSucceeded)
		for _, bad := range []model.Operation{{Kind: model.KindTickets}, {Kind: model.KindFill, Tickets: 1}, {Kind: model.KindIssue}, {Kind: model.KindFill, Type: "a"}} {
			_, err := h.SignOwn(h.ctx(), h.fence, []model.Operation{bad}, []model.Attempt{attempt("", 9)})
			h.code(err, model.CodeInternal)
		}
		_, err = h.SignOwn(h.ctx(), model.Fence{Issuer: issuerA, Epoch: h.fence.Epoch - 1}, ops, []model.Attempt{attempt("", 3), attempt("", 4)})
		h.code(err, model.CodeFenced)
	})
}

// All of a call or nothing of it.
func TestAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a, b, gone := h.create(issue()), h.create(issue()), h.create(issue())
		h.ok(h.Cancel(h.ctx(), gone.ID, model.Failure{}, model.AuditEntry{}))
		err := h.Sign(h.ctx(), h.take(), []model.Attempt{attempt(a.ID, 1), attempt(b.ID, 2), attempt(gone.ID, 3)})
		h.code(err, model.CodeWrongState)
		if !strings.Contains(err.Error(), string(gone.ID)) {
			t.Errorf("the error does not say which: %v", err)
		}
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(a.ID, 1), attempt("01JD8Q4Z7T9XW3V5K2M6N8P0RS", 2)}), model.CodeOperationNotFound)
		h.state(a.ID, model.StatePending)

		x, y := attempt(a.ID, 1), attempt(b.ID, 2)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{x, y}))
		h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(x), {Operation: b.ID, State: model.StateExpired}}), model.CodeWrongState)
		h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(x), success(model.Attempt{Operation: b.ID, Hash: x.Hash})}), model.CodeWrongState)
		h.state(a.ID, model.StateSigned)

		// A blob belongs to one operation.
		stolen := attempt(h.create(issue()).ID, 9)
		stolen.Hash = x.Hash
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{stolen}), model.CodeWrongState)

		// Another account's operation is not this lane's.
		theirs := issue()
		theirs.Issuer = issuerB
		theirs = h.create(theirs)
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(theirs.ID, 9)}), model.CodeWrongState)
		h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: theirs.ID, State: model.StateRefused}}), model.CodeWrongState)
	})
}

func TestSignRefusesNonsense(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := h.create(issue())
		for name, change := range map[string]func(*model.Attempt){
			"no operation":      func(a *model.Attempt) { a.Operation = "" },
			"short hash":        func(a *model.Attempt) { a.Hash = a.Hash[2:] },
			"lower-case hash":   func(a *model.Attempt) { a.Hash = strings.ToLower(strings.Repeat("AB", 32)) },
			"hash no hex":       func(a *model.Attempt) { a.Hash = strings.Repeat("G", 64) },
			"odd blob":          func(a *model.Attempt) { a.Blob += "A" },
			"blob no hex":       func(a *model.Attempt) { a.Blob = strings.Repeat("zz", 50) },
			"short blob":        func(a *model.Attempt) { a.Blob = "12" },
			"long blob":         func(a *model.Attempt) { a.Blob = strings.Repeat("12", maxBlob+1) },
			"no sequence":       func(a *model.Attempt) { a.Sequence = 0 },
			"both":              func(a *model.Attempt) { a.Ticket = 1 },
			"no last ledger":    func(a *model.Attempt) { a.LastLedgerSequence = 0 },
			"last before first": func(a *model.Attempt) { a.FirstLedger = a.LastLedgerSequence + 1 },
			"no fee":            func(a *model.Attempt) { a.Fee = 0 },
		} {
			a := attempt(op.ID, 1)
			change(&a)
			if err := h.Sign(h.ctx(), h.take(), []model.Attempt{a}); model.CodeOf(err) != model.CodeInternal {
				t.Errorf("%s: %v", name, err)
			}
		}
		big := attempt(op.ID, 1)
		big.Blob, big.Sequence, big.LastLedgerSequence, big.Fee = strings.Repeat("12", maxBlob), 1<<32-1, 1<<32-1, 1e17
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{big}))
		if read := h.state(op.ID, model.StateSigned); read.Attempts[0].Blob != big.Blob || read.Attempts[0].Sequence != big.Sequence || read.Attempts[0].Fee != big.Fee {
			t.Error("the largest values do not come back")
		}
		for name, o := range map[string]model.Outcome{
			"back to pending":          {Operation: op.ID, State: model.StatePending},
			"no state":                 {Operation: op.ID},
			"success without a result": {Operation: op.ID, State: model.StateSucceeded},
			"success with a tec":       {Operation: op.ID, State: model.StateSucceeded, Result: validated(big.Hash, "tecDUPLICATE")},
			"failure with success":     {Operation: op.ID, State: model.StateFailed, Result: validated(big.Hash, "tesSUCCESS")},
			"failure that is no tec":   {Operation: op.ID, State: model.StateFailed, Result: validated(big.Hash, "tefPAST_SEQ")},
			"expiry with a result":     {Operation: op.ID, State: model.StateExpired, Result: validated(big.Hash, "tesSUCCESS")},
			"result without a ledger":  {Operation: op.ID, State: model.StateSucceeded, Result: &model.Validated{Hash: big.Hash, EngineResult: "tesSUCCESS", Body: []byte("{}")}},
			"success that failed":      {Operation: op.ID, State: model.StateSucceeded, Result: validated(big.Hash, "tesSUCCESS"), Failure: &model.Failure{Code: "x"}},
		} {
			if err := h.Conclude(h.ctx(), h.fence, []model.Outcome{o}); model.CodeOf(err) != model.CodeInternal {
				t.Errorf("%s: %v", name, err)
			}
		}
		o := success(big)
		h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{o, o}), model.CodeInternal)
		pending := h.create(issue())
		for _, state := range []model.State{model.StateExpired, model.StateSigned} {
			h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: pending.ID, State: state}}), model.CodeWrongState)
		}
		h.code(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: op.ID, State: model.StateCancelled}}), model.CodeWrongState)
	})
}

func TestOpenInFlightPending(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		row, row2 := issue(), issue()
		_, err = h.AddRows(h.ctx(), b.ID, []model.BatchRow{{Row: 1, Operation: &row}, {Row: 2, Operation: &row2}})
		h.ok(err)
		first, _ := h.signed(1)
		second, third := h.create(issue()), h.create(issue())
		theirs := issue()
		theirs.Issuer = issuerB
		h.create(theirs)

		order := func(ops []model.Operation, err error) []model.OperationID {
			t.Helper()
			h.ok(err)
			var ids []model.OperationID
			for _, op := range ops {
				ids = append(ids, op.ID)
			}
			return ids
		}
		pending := order(h.Pending(h.ctx(), issuerA, 10))
		if len(pending) != 4 || pending[0] != second.ID || pending[1] != third.ID {
			t.Errorf("pending %v: those that somebody waits for come first", pending)
		}
		if got := order(h.Pending(h.ctx(), issuerA, 3)); !slices.Equal(got, pending[:3]) {
			t.Errorf("three of them: %v", got)
		}
		if got := order(h.Pending(h.ctx(), issuerA, 0)); len(got) != 0 {
			t.Errorf("none of them: %v", got)
		}
		if got := order(h.InFlight(h.ctx(), issuerA)); !slices.Equal(got, []model.OperationID{first.ID}) {
			t.Errorf("in flight %v", got)
		}
		open, err := h.Open(h.ctx(), issuerA)
		if got := order(open, err); len(got) != 5 || !slices.IsSorted(got) || open[2].ID != first.ID || len(open[2].Attempts) != 1 {
			t.Errorf("open %v", got)
		}
		if d, err := h.Depth(h.ctx(), issuerA); d != (Depth{Pending: 4, Signed: 1}) || err != nil {
			t.Errorf("depth %+v, %v", d, err)
		}
	})
}

func TestIDsAscend(t *testing.T) {
	clock := &fakeClock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	var g ids
	var all []model.OperationID
	for i := range 5000 {
		switch i {
		case 2000:
			clock.advance(time.Second)
		case 3000:
			clock.advance(-time.Hour) // the machine's clock is set back
		}
		all = append(all, g.next(clock.Now()))
	}
	if !slices.IsSorted(all) || len(slices.Compact(all)) != 5000 {
		t.Error("ids do not ascend")
	}
}
