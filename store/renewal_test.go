package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func renewal() model.Operation {
	op := issue()
	op.Renew, op.Actor, op.RequestID = true, "token:a", "r1"
	return op
}

// deletion returns the one operation that is pending.
func (h *harness) deletion() model.Operation {
	h.t.Helper()
	pending, err := h.Pending(h.ctx(), issuerA, 10)
	h.ok(err)
	if len(pending) != 1 || pending[0].Kind != model.KindRevoke {
		h.t.Fatalf("pending %+v", pending)
	}
	return pending[0]
}

func TestRenewal(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := renewal()
		op.Key = &model.IdempotencyKey{Key: "k", RequestHash: [32]byte{7}}
		stored := h.create(op)
		op.ID, op.State, op.Created, op.Updated = stored.ID, model.StatePending, h.clock.Now(), h.clock.Now()
		h.equal(stored, op)

		// Everybody knows it as it will be, and nobody gets the hash of its request back.
		same, key := op, *op.Key
		same.ID = ""
		op.Key = &model.IdempotencyKey{Key: key.Key}
		h.equal(h.state(op.ID, model.StatePending), op)
		again, replayed, err := h.Create(h.ctx(), same)
		h.ok(err)
		h.equal([]any{again, replayed}, []any{op, true})
		read, err := h.ByKey(h.ctx(), issuerA, key)
		h.ok(err)
		h.equal(read, op)
		if read, err = h.Standing(h.ctx(), issuerA, op.Subject, op.Type); err != nil {
			t.Fatal(err)
		}
		h.equal(read, op)
		other := op
		other.Key = &model.IdempotencyKey{Key: "k", RequestHash: [32]byte{8}}
		_, _, err = h.Create(h.ctx(), other)
		h.code(err, model.CodeKeyReused)
		other.Key, other.ID = nil, ""
		_, _, err = h.Create(h.ctx(), other)
		h.code(err, model.CodeInProgress)
		var standing *model.StandingError
		if !errors.As(err, &standing) || *standing != (model.StandingError{Operation: op.ID, Kind: model.KindIssue, State: model.StatePending}) {
			t.Errorf("%v", err)
		}
		h.clock.advance(48 * time.Hour) // its key is kept for as long as it is open
		if n, err := h.SweepKeys(h.ctx()); n != 0 || err != nil {
			t.Fatal(n, err)
		}

		deletion := h.deletion()
		if deletion.Subject != op.Subject || deletion.Type != op.Type || deletion.Actor != "token:a" || deletion.RequestID != "r1" || deletion.Key != nil ||
			deletion.Renew || deletion.Expiration != nil || deletion.URI != "" {
			t.Errorf("the deletion is %+v", deletion)
		}
		waiting := make(chan model.Operation, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			got, err := h.Wait(h.ctx(), op.ID)
			if err != nil {
				t.Error(err)
			}
			waiting <- got
		})
		a := attempt(deletion.ID, 1)
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
		h.equal(h.state(op.ID, model.StatePending).Attempts, []model.Attempt(nil))
		h.code(h.Cancel(h.ctx(), op.ID, model.Failure{}, model.AuditEntry{}), model.CodeWrongState)
		wake, stop := h.Watch(issuerA)
		defer stop()
		for range 2 { // an answer is lost
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		}
		<-wake
		issuing := h.state(op.ID, model.StatePending)
		op.Updated = h.clock.Now()
		h.equal(issuing, op)
		_, _, err = h.Create(h.ctx(), other)
		h.code(err, model.CodeInProgress)
		b := attempt(op.ID, 2)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{b}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(b)}))
		wg.Wait()
		if got := <-waiting; got.State != model.StateSucceeded || !got.Renew {
			t.Errorf("waited for %+v", got)
		}
		if n, err := h.SweepKeys(h.ctx()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		// One decision, and nothing failed.
		entries := h.chain(h.Store)
		if len(entries) != 1 || !strings.Contains(string(entries[0].Detail), string(deletion.ID)) {
			t.Errorf("audited %+v", entries)
		}
		h.equal(h.count("events"), 0)
	})
}

// However the deletion ends, the renewal does too.
func TestRenewalEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for name, c := range map[string]struct {
			outcome func(a model.Attempt) model.Outcome
			state   model.State
			code    model.Code
		}{
			"nothing stood": {func(a model.Attempt) model.Outcome {
				return model.Outcome{State: model.StateFailed, Result: validated(a.Hash, "tecNO_ENTRY")}
			}, model.StatePending, ""},
			"failed": {func(a model.Attempt) model.Outcome {
				return model.Outcome{State: model.StateFailed, Result: validated(a.Hash, "tecNO_PERMISSION")}
			}, model.StateCancelled, "tecNO_PERMISSION"},
			"expired": {func(a model.Attempt) model.Outcome {
				return model.Outcome{State: model.StateExpired, Absent: []string{a.Hash}}
			}, model.StateCancelled, model.CodeNotApplied},
			"refused": {func(model.Attempt) model.Outcome {
				return model.Outcome{State: model.StateRefused, Failure: &model.Failure{Code: "temX", Message: "the node says so"}}
			}, model.StateCancelled, "temX"},
		} {
			seq := int64(h.count("events"))
			op := h.create(renewal())
			a := attempt(h.deletion().ID, counter.Add(1))
			h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
			o := c.outcome(a)
			o.Operation = a.Operation
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{o}))
			read := h.state(op.ID, c.state)
			events := h.eventsAfter(seq)
			if c.state == model.StatePending {
				if len(events) != 0 {
					t.Errorf("%s: told %+v", name, events)
				}
				h.ok(h.Cancel(h.ctx(), op.ID, model.Failure{}, model.AuditEntry{})) // it is like any other now
				h.state(op.ID, model.StateCancelled)
				continue
			}
			if read.Failure == nil || read.Failure.Code != c.code || !strings.Contains(read.Failure.Message, "was not deleted") {
				t.Errorf("%s: failure %+v", name, read.Failure)
			}
			var data failed
			if len(events) != 1 || events[0].Kind != model.EventFailed || events[0].Operation != op.ID || events[0].Actor != "token:a" ||
				json.Unmarshal(events[0].Data, &data) != nil || data.Kind != model.KindIssue || data.Code != string(c.code) {
				t.Errorf("%s: told %+v", name, events)
			}
			got, err := h.Wait(h.ctx(), op.ID)
			h.ok(err)
			h.equal(got.State, model.StateCancelled)
		}
	})
}

func TestRenewalCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for _, byDeletion := range []bool{false, true} {
			op := h.create(renewal())
			deletion := h.deletion()
			id := op.ID
			if byDeletion {
				id = deletion.ID
			}
			for range 2 {
				h.ok(h.Cancel(h.ctx(), id, model.Failure{}, model.AuditEntry{Actor: "a"}))
			}
			h.state(deletion.ID, model.StateCancelled)
			if read := h.state(op.ID, model.StateCancelled); read.Failure.Code != model.CodeCancelled {
				t.Errorf("failure %+v", read.Failure)
			}
			same := op
			same.ID = ""
			h.ok(h.Cancel(h.ctx(), h.create(same).ID, model.Failure{}, model.AuditEntry{Actor: "a"}))
		}
	})
}

func TestRenewalOfARequest(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		app := h.apply(application(10))
		d := approval(app, "reviewer")
		d.Operation.Renew = true
		decided := h.decide(d)
		if decided.OperationState != model.StatePending {
			t.Errorf("its operation is %q", decided.OperationState)
		}
		_, err := h.Decide(h.ctx(), rejection(app, "other"))
		h.code(err, model.CodeDecided)
		// The deletion is told of as the request's.
		a := attempt(h.deletion().ID, 1)
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
		seq := int64(h.count("events"))
		gone := change(model.ChangeDeleted, credential(app.Subject), 11, 0)
		gone.Hash = a.Hash
		h.move(11, gone)
		if e := h.eventsAfter(seq)[0]; e.Kind != model.EventRevoked || e.Application != app.ID || e.Operation != a.Operation || e.Actor != "reviewer" {
			t.Errorf("told %+v", e)
		}
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: a.Operation, State: model.StateExpired, Absent: []string{a.Hash}}}))
		read, err := h.Application(h.ctx(), app.ID)
		h.ok(err)
		h.equal(read.OperationState, model.StateCancelled)
		again := approval(app, "reviewer")
		again.RequestID, again.Operation.Renew = "2", true
		if second := h.decide(again); second.Operation == decided.Operation {
			t.Error("the second approval has the first one's operation")
		}

		// Limits hold for a decision too.
		full := h.apply(application(10))
		d = approval(full, "reviewer")
		d.Operation.Limits = &model.UnacceptedLimits{InAll: 1}
		_, err = h.Decide(h.ctx(), d)
		h.code(err, model.CodeTooManyUnaccepted)
		read, err = h.Application(h.ctx(), full.ID)
		h.ok(err)
		h.equal(read.State, model.ApplicationWaiting)
	})
}

func TestRenewalRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := renewal()
		op.Kind, op.Expiration, op.URI = model.KindRevoke, nil, ""
		_, _, err := h.Create(h.ctx(), op)
		h.code(err, model.CodeInternal)
		b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		row := renewal()
		_, err = h.AddRows(h.ctx(), b.ID, []model.BatchRow{{Row: 1, Operation: &row}})
		h.code(err, model.CodeInternal)
		bounded := limited(1, 1)
		_, err = h.AddRows(h.ctx(), b.ID, []model.BatchRow{{Row: 1, Operation: &bounded}})
		h.code(err, model.CodeInternal)
	})
}

// Between the deletion's end and the other operation's beginning nobody gets in, and whoever looks finds it.
func TestRenewalAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		ctx, cancel := context.WithCancel(h.ctx())
		defer cancel()
		for n := range uint32(12) {
			op := h.create(renewal())
			other := op
			other.ID, other.Renew = "", false
			a := attempt(h.deletion().ID, 2*n+1)
			h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
			var wg sync.WaitGroup
			over := make(chan struct{})
			for i := range 4 {
				s := stores[i%2]
				wg.Go(func() {
					for {
						if _, _, err := s.Create(ctx, other); standingOf(err) == nil || standingOf(err).Operation != op.ID {
							t.Errorf("got in between: %v", err)
						}
						if read, err := s.Operation(ctx, op.ID); err != nil || read.State != model.StatePending {
							t.Errorf("read %s, %v", read.State, err)
						}
						if read, err := s.Standing(ctx, issuerA, op.Subject, op.Type); err != nil || read.ID != op.ID && read.ID != a.Operation {
							t.Errorf("standing %s, %v", read.ID, err)
						}
						select {
						case <-over:
							return
						default:
						}
					}
				})
			}
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
			close(over)
			wg.Wait()
			b := attempt(op.ID, 2*n+2)
			h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{b}))
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(b)}))
		}
	})
}
