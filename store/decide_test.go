package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

func approval(a model.Application, actor string) model.Decision {
	return model.Decision{Application: a.ID, Actor: actor, Approve: true,
		Operation: &model.Operation{Issuer: a.Issuer, Kind: model.KindIssue, Subject: a.Subject, Type: a.Type, Expiration: a.Expiration, URI: a.URI}}
}

func rejection(a model.Application, actor string) model.Decision {
	return model.Decision{Application: a.ID, Actor: actor, Reason: "too ü blurred\n"}
}

func (h *harness) decide(d model.Decision) model.Application {
	h.t.Helper()
	a, err := h.Decide(h.ctx(), d)
	h.ok(err)
	return a
}

func TestDecide(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		one, two := h.apply(application(10)), h.apply(application(10))
		wake, stop := h.Watch(issuerA)
		defer stop()
		h.clock.advance(time.Minute)
		yes := approval(one, "token:alice")
		yes.RequestID = "r7"
		got := h.decide(yes)
		want := one
		want.State, want.Operation, want.OperationState, want.DecidedBy = model.ApplicationApproved, got.Operation, model.StatePending, "token:alice"
		want.Updated, want.Erase = h.clock.Now(), h.clock.Now().Add(one.Keep)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("approved\n%+v, want\n%+v", got, want)
		}
		select {
		case <-wake:
		default:
			t.Error("the lane is not told of it")
		}
		op := h.state(got.Operation, model.StatePending)
		if op.Actor != "token:alice" || op.RequestID != "r7" || op.Subject != one.Subject || *op.Expiration != *one.Expiration || op.URI != one.URI {
			t.Errorf("%+v", op)
		}
		no := rejection(two, "token:bob")
		got = h.decide(no)
		want = two
		want.State, want.Reason, want.DecidedBy, want.Updated, want.Erase = model.ApplicationRejected, no.Reason, "token:bob", h.clock.Now(), h.clock.Now().Add(two.Keep)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rejected\n%+v, want\n%+v", got, want)
		}

		// The same call again is no second decision; everything else is refused, and says nothing of who decided.
		h.clock.advance(time.Minute)
		if again := h.decide(yes); again.Operation != op.ID || again.Updated == h.clock.Now() {
			t.Errorf("again: %+v", again)
		}
		otherCall, otherActor, otherWord := yes, yes, rejection(one, "token:alice")
		otherCall.RequestID, otherActor.Actor, otherWord.RequestID = "r8", "token:bob", "r7"
		for _, d := range []model.Decision{otherCall, otherActor, otherWord, no, approval(two, "token:alice"), rejection(two, "token:alice")} {
			_, err := h.Decide(h.ctx(), d)
			h.code(err, model.CodeDecided)
			for _, actor := range []string{"alice", "bob"} {
				if strings.Contains(err.Error(), actor) {
					t.Errorf("it says who: %v", err)
				}
			}
		}
		if got := h.told(one.ID); !slices.Equal(got, []string{"request.received applicant", "request.approved token:alice " + string(op.ID)}) {
			t.Errorf("told %v", got)
		}
		if got := h.told(two.ID); !slices.Equal(got, []string{"request.received applicant", "request.rejected token:bob"}) {
			t.Errorf("told %v", got)
		}
		var log []string
		for _, e := range h.chain(h.Store)[2:] {
			log = append(log, fmt.Sprint(e.Actor, " ", e.Action, " ", e.Target, " ", e.RequestID, " ", string(e.Detail)))
		}
		typ := one.Type.Text()
		if want := []string{
			fmt.Sprintf(`token:alice request.approve %s r7 {"subject":%q,"type":%q,"operation":%q}`, one.ID, one.Subject, typ, op.ID),
			fmt.Sprintf(`token:bob request.reject %s  {"subject":%q,"type":%q,"reason_hmac":"%x"}`, two.ID, two.Subject, typ, h.hashKeys[0].sum("reason", string(two.ID), no.Reason)),
		}; !slices.Equal(log, want) {
			t.Errorf("the log says %v, want %v", log, want)
		}
		for _, id := range []model.OperationID{"", "\x00", "01JD8Q4Z7T9XW3V5K2M6N8P0RS"} {
			d := no
			d.Application = id
			_, err := h.Decide(h.ctx(), d)
			h.code(err, model.CodeRequestNotFound)
		}
	})
}

func TestDecideRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a := h.apply(application(10))
		for name, c := range map[string]struct {
			d      model.Decision
			change func(*model.Decision)
			code   model.Code
		}{
			"nobody":            {approval(a, ""), nil, model.CodeInternal},
			"no operation":      {approval(a, "x"), func(d *model.Decision) { d.Operation = nil }, model.CodeInternal},
			"revocation":        {approval(a, "x"), func(d *model.Decision) { d.Operation.Kind = model.KindRevoke }, model.CodeInternal},
			"key":               {approval(a, "x"), func(d *model.Decision) { d.Operation.Key = &model.IdempotencyKey{Key: "k"} }, model.CodeInternal},
			"nonce":             {approval(a, "x"), func(d *model.Decision) { d.Operation.Nonce = h.nonce("n") }, model.CodeInternal},
			"other subject":     {approval(a, "x"), func(d *model.Decision) { d.Operation.Subject = subject() }, model.CodeInternal},
			"other type":        {approval(a, "x"), func(d *model.Decision) { d.Operation.Type = "other" }, model.CodeInternal},
			"other issuer":      {approval(a, "x"), func(d *model.Decision) { d.Operation.Issuer = issuerB }, model.CodeInternal},
			"both":              {rejection(a, "x"), func(d *model.Decision) { d.Operation = approval(a, "x").Operation }, model.CodeInternal},
			"approval, reason":  {approval(a, "x"), func(d *model.Decision) { d.Reason = "why" }, model.CodeInternal},
			"no reason":         {rejection(a, "x"), func(d *model.Decision) { d.Reason = "" }, model.CodeBadRequest},
			"long reason":       {rejection(a, "x"), func(d *model.Decision) { d.Reason = strings.Repeat("é", model.MaxReasonLen+1) }, model.CodeBadRequest},
			"the longest there": {rejection(a, "x"), func(d *model.Decision) { d.Reason = strings.Repeat("é", model.MaxReasonLen) }, ""},
		} {
			if c.code == "" {
				continue
			}
			if c.change != nil {
				c.change(&c.d)
			}
			if _, err := h.Decide(h.ctx(), c.d); model.CodeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := h.Application(h.ctx(), a.ID); err != nil || got.State != model.ApplicationWaiting {
			t.Errorf("%+v, %v", got, err)
		}
		long := rejection(a, "x")
		long.Reason = strings.Repeat("é", model.MaxReasonLen)
		if got := h.decide(long); got.Reason != long.Reason {
			t.Error("the longest reason does not come back")
		}
	})
}

// What an approval led to came to nothing: it can be decided on again, and a documents' time begins anew.
func TestDecideAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a := h.apply(application(10))
		standing := model.Operation{Issuer: issuerA, Kind: model.KindRevoke, Subject: a.Subject, Type: a.Type}
		standing = h.create(standing)
		_, err := h.Decide(h.ctx(), approval(a, "alice")) // something else is under way
		h.code(err, model.CodeInProgress)
		if got, err := h.Application(h.ctx(), a.ID); err != nil || got.State != model.ApplicationWaiting || len(h.told(a.ID)) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		h.ok(h.Cancel(h.ctx(), standing.ID, model.Failure{}, byCLI))
		first := h.decide(approval(a, "alice"))
		blob := attempt(first.Operation, 1)
		for _, step := range []func(){
			func() {}, func() { h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{blob})) },
		} {
			step()
			_, err = h.Decide(h.ctx(), approval(a, "bob"))
			h.code(err, model.CodeDecided)
			_, err = h.Decide(h.ctx(), rejection(a, "bob"))
			h.code(err, model.CodeDecided)
		}
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: first.Operation, State: model.StateFailed, Result: validated(blob.Hash, "tecNO_TARGET")}}))
		h.clock.advance(time.Hour)
		second := h.decide(approval(a, "bob"))
		if second.Operation == first.Operation || second.OperationState != model.StatePending || second.DecidedBy != "bob" || second.Erase != h.clock.Now().Add(a.Keep) {
			t.Errorf("%+v", second)
		}
		h.ok(h.Cancel(h.ctx(), second.Operation, model.Failure{}, byCLI))
		third := h.decide(rejection(a, "carol"))
		if third.State != model.ApplicationRejected || third.Operation != second.Operation || third.OperationState != model.StateCancelled {
			t.Errorf("%+v", third)
		}
		_, err = h.Decide(h.ctx(), approval(a, "dave"))
		h.code(err, model.CodeDecided)
		want := []string{"request.received applicant", "request.approved alice " + string(first.Operation),
			"credential.failed alice " + string(first.Operation), "request.approved bob " + string(second.Operation),
			"credential.failed bob " + string(second.Operation), "request.rejected carol " + string(second.Operation)}
		if got := h.told(a.ID); !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		// Another one may ask now; one that succeeded stays.
		b := application(10)
		b.Subject = a.Subject
		b = h.apply(b)
		blob = attempt(h.decide(approval(b, "alice")).Operation, 2)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{blob}))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(blob)}))
		_, err = h.Decide(h.ctx(), rejection(b, "bob"))
		h.code(err, model.CodeDecided)
		if got, err := h.Application(h.ctx(), b.ID); err != nil || got.OperationState != model.StateSucceeded {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Several reviewers at the same moment, in two processes: one decides.
func TestDecideAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const requests, reviewers = 6, 8
		var apps []model.Application
		for range requests {
			apps = append(apps, h.apply(application(1000)))
		}
		var mu sync.Mutex
		decided := map[model.OperationID]string{}
		var wg sync.WaitGroup
		for _, a := range apps {
			for r := range reviewers {
				wg.Go(func() {
					d := rejection(a, fmt.Sprint("reviewer", r))
					if r%2 == 0 {
						d = approval(a, d.Actor)
					}
					_, err := stores[r/2%2].Decide(h.ctx(), d)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && decided[a.ID] == "":
						decided[a.ID] = d.Actor
					case err == nil:
						t.Errorf("%s and %s have both decided", decided[a.ID], d.Actor)
					case model.CodeOf(err) != model.CodeDecided:
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		approved := 0
		for _, a := range apps {
			got, err := h.Application(h.ctx(), a.ID)
			h.ok(err)
			if got.DecidedBy != decided[a.ID] || len(h.told(a.ID)) != 2 {
				t.Errorf("%+v, told %v, and %q was told that it decided", got, h.told(a.ID), decided[a.ID])
			}
			if got.State == model.ApplicationApproved {
				approved++
			}
		}
		if n := h.count("operations"); n != approved || len(h.chain(h.Store)) != 2*requests {
			t.Errorf("%d operations of %d approvals", n, approved)
		}
	})
}

// The server ends every connection, again and again, while many apply and decide: each is done once, and its caller is
// told so.
func TestDecideWhileConnectionsEnd(t *testing.T) {
	address := postgres.Schema(t)
	h := newHarness(t, Config{URL: address, PollInterval: time.Hour})
	done := make(chan struct{})
	var killer, wg sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(40 * time.Millisecond):
				postgres.Cut(t, address)
			}
		}
	})
	insist := func(f func() error) {
		for {
			err := f()
			if model.CodeOf(err) == model.CodeStoreUnavailable {
				continue
			}
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
	const workers, each = 6, 12
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				a := application(2000)
				a.ID, a.Nonce = h.ids.next(h.now()), h.nonce(fmt.Sprint(w, "/", i))
				insist(func() error { _, _, err := h.CreateApplication(h.ctx(), a); return err })
				d := rejection(a, "alice")
				if i%2 == 0 {
					d = approval(a, "alice")
				}
				d.RequestID = fmt.Sprint("r", w, "/", i)
				insist(func() error { _, err := h.Decide(h.ctx(), d); return err })
			}
		})
	}
	wg.Wait()
	close(done)
	killer.Wait()
	eventually(t, "it cannot be read", func() bool { return h.Ping(h.ctx()) == nil })
	if a, o, e := h.count("applications"), h.count("operations"), h.count("events"); a != workers*each || o != a/2 || e != 2*a || len(h.chain(h.Store)) != 2*a {
		t.Errorf("%d requests, %d operations, %d events, %d entries", a, o, e, len(h.chain(h.Store)))
	}
}
