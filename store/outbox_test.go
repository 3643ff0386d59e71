package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// dueNow returns the numbers of the events that an endpoint can be told of.
func (h *harness) dueNow(endpoint string, limit int) []int64 {
	h.t.Helper()
	due, err := h.DueDeliveries(h.ctx(), issuerA, endpoint, h.clock.Now(), limit)
	h.ok(err)
	var out []int64
	for _, d := range due {
		out = append(out, d.Event.Seq)
	}
	return out
}

func (h *harness) settle(endpoint string, state model.DeliveryState, seqs ...int64) {
	h.t.Helper()
	var outcomes []model.DeliveryOutcome
	for _, seq := range seqs {
		o := model.DeliveryOutcome{Seq: seq, State: state, At: h.clock.Now()}
		if state != model.DeliveryDone {
			o.Attempts, o.First, o.Failure = 1, h.clock.Now(), "it answers 500"
		}
		if state == model.DeliveryPostponed {
			o.Next = h.clock.Now().Add(time.Minute)
		}
		outcomes = append(outcomes, o)
	}
	h.ok(h.SettleDeliveries(h.ctx(), issuerA, endpoint, outcomes))
}

func (h *harness) endpoints(ids ...string) []string {
	h.t.Helper()
	ended, err := h.SetEndpoints(h.ctx(), issuerA, subscriptions(ids...))
	h.ok(err)
	return ended
}

// subscriptions are of endpoints that are told of everything.
func subscriptions(ids ...string) (all []model.Subscription) {
	for _, id := range ids {
		all = append(all, model.Subscription{Endpoint: id})
	}
	return all
}

// Of each endpoint the kinds of events that it is told of.
func TestOutboxKinds(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		set := func(kinds ...model.EventKind) {
			t.Helper()
			ended, err := h.SetEndpoints(h.ctx(), issuerA, []model.Subscription{{Endpoint: "all"}, {Endpoint: "some", Kinds: kinds}})
			h.ok(err)
			h.equal(ended, []string(nil))
		}
		waiting := func() (n []int64) {
			t.Helper()
			all, err := h.Backlogs(h.ctx(), issuerA)
			h.ok(err)
			for _, b := range all {
				n = append(n, b.Waiting)
			}
			return n
		}
		set(model.EventAccepted, model.EventErased, model.EventAccepted)
		x := credential(subject())
		h.move(11, change(model.ChangeCreated, x, 11, 0), change(model.ChangeAccepted, x, 11, 1), change(model.ChangeDeleted, x, 11, 2))
		h.equal(waiting(), []int64{3, 1})
		h.equal(h.dueNow("all", 10), []int64{1})
		h.equal(h.dueNow("some", 10), []int64{2}) // and what comes before of the same credential is not in its way
		h.equal(waiting(), []int64{3, 1})
		h.settle("some", model.DeliveryPostponed, 2)

		// More than one look at the events, none of which is wanted, does not end before those that are.
		for n := range maxMade + 10 {
			h.move(uint32(12+n), change(model.ChangeCreated, credential(subject()), uint32(12+n), 0))
		}
		y := credential(subject())
		at := uint32(12 + maxMade + 10)
		h.move(at, change(model.ChangeCreated, y, at, 0), change(model.ChangeAccepted, y, at, 1))
		accepted := int64(3 + maxMade + 10 + 2)
		h.equal(waiting()[1], int64(2))
		h.equal(h.dueNow("some", 10), []int64{accepted})

		// What it was not told of yet goes by what it is to be told of now; what it was looked at for stays so.
		set(model.EventAccepted)
		h.equal(h.dueNow("some", 10), []int64{accepted})
		set(model.EventIssued)
		h.equal(h.dueNow("some", 10), []int64(nil))
		h.equal(waiting()[1], int64(0))
		h.settle("some", model.DeliveryDone, accepted) // one that was under way meanwhile
		at++
		z := credential(subject())
		h.move(at, change(model.ChangeCreated, z, at, 0), change(model.ChangeAccepted, z, at, 1))
		set()
		h.equal(h.open().dueOf(t, "some"), []int64{accepted + 1})
		if _, err := h.SetEndpoints(h.ctx(), issuerA, []model.Subscription{{Endpoint: "some", Kinds: []model.EventKind{"credential.*"}}}); model.CodeOf(err) != model.CodeInternal {
			t.Errorf("a kind that there is not: %v", err)
		}
	})
}

// dueOf is what an endpoint can be told of, as another process sees it.
func (s *Store) dueOf(t *testing.T, endpoint string) (out []int64) {
	t.Helper()
	due, err := s.DueDeliveries(t.Context(), issuerA, endpoint, s.now(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		out = append(out, d.Event.Seq)
	}
	return out
}

func TestOutbox(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		x, y := credential(subject()), credential(subject())
		h.move(11, change(model.ChangeCreated, x, 11, 0)) // 1: before anybody is subscribed
		h.equal(h.dueNow("a", 10), []int64(nil))
		h.equal(h.endpoints("b", "a"), []string(nil))
		h.equal(h.dueNow("a", 10), []int64(nil))
		h.move(12, change(model.ChangeAccepted, x, 12, 0), change(model.ChangeCreated, y, 12, 1), change(model.ChangeDeleted, x, 12, 2))
		h.endpoints("a", "b", "c") // the ones that are there stay as they are
		// Of each credential one, the oldest; the same until it is settled, also in another process.
		for range 2 {
			h.equal(h.dueNow("a", 10), []int64{2, 3})
		}
		other := h.open()
		due, err := other.DueDeliveries(h.ctx(), issuerA, "a", h.clock.Now(), 1)
		h.ok(err)
		events := h.eventsAfter(0)
		h.equal(due, []model.Delivery{{Event: events[1]}})
		h.equal(h.dueNow("c", 10), []int64(nil))

		// What fails is tried again at its time, and holds back what is behind it.
		h.settle("a", model.DeliveryPostponed, 2)
		h.settle("a", model.DeliveryDone, 3)
		h.settle("a", model.DeliveryDone, 3, 99)
		h.equal(h.dueNow("a", 10), []int64(nil))
		first := h.clock.Now()
		h.clock.advance(time.Minute)
		due, err = h.DueDeliveries(h.ctx(), issuerA, "a", h.clock.Now(), 10)
		h.ok(err)
		h.equal(due, []model.Delivery{{Event: events[1], Attempts: 1, First: first}})
		h.settle("a", model.DeliveryGivenUp, 2)
		h.equal(h.dueNow("a", 10), []int64{4})
		h.settle("a", model.DeliveryPostponed, 2) // settled for good
		h.settle("a", model.DeliveryDone, 4)
		h.equal(h.dueNow("a", 10), []int64(nil))
		h.equal(h.dueNow("b", 10), []int64{2, 3})

		// One that is not named any more is forgotten, and new when it is named again.
		h.equal(h.endpoints("a"), []string{"b", "c"})
		h.equal(h.dueNow("b", 10), []int64(nil))
		h.endpoints("a", "b")
		h.equal(h.dueNow("b", 10), []int64(nil))
		h.move(13, change(model.ChangeCreated, x, 13, 0))
		h.equal(h.dueNow("b", 10), []int64{5})
		h.equal(h.endpoints(), []string{"a", "b"})

		for _, bad := range [][]string{{""}, {"a", "a"}, {"\x00"}} {
			_, err := h.SetEndpoints(h.ctx(), issuerA, subscriptions(bad...))
			h.code(err, model.CodeInternal)
		}
		for _, limit := range []int{0, maxDue + 1} {
			_, err := h.DueDeliveries(h.ctx(), issuerA, "a", h.clock.Now(), limit)
			h.code(err, model.CodeInternal)
		}
		h.code(h.SettleDeliveries(h.ctx(), issuerA, "a", []model.DeliveryOutcome{{Seq: 1}}), model.CodeInternal)
		h.code(h.SettleDeliveries(h.ctx(), issuerA, "a", make([]model.DeliveryOutcome, maxDue+1)), model.CodeInternal)
		twice := model.DeliveryOutcome{Seq: 1, State: model.DeliveryDone}
		h.code(h.SettleDeliveries(h.ctx(), issuerA, "a", []model.DeliveryOutcome{twice, twice}), model.CodeInternal)
	})
}

// Nobody is told of what cannot be read yet.
func TestOutboxHoldsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		h.endpoints("a")
		op, a := h.signed(1)
		c := change(model.ChangeCreated, credential(op.Subject), 11, 0)
		c.Hash = a.Hash
		h.move(11, c, change(model.ChangeAccepted, c.Credential, 11, 1), change(model.ChangeCreated, credential(subject()), 11, 2))
		h.equal(h.dueNow("a", 10), []int64{3})
		wake, stop := h.WatchEvents(issuerA)
		defer stop()
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		<-wake
		h.equal(h.dueNow("a", 10), []int64{1, 3})

		// A request's event is of the request, whatever its operation does. A renewal that is not stored yet is not final.
		app := h.apply(application(10))
		d := approval(app, "reviewer")
		d.Operation.Renew = true
		decided := h.decide(d)
		h.settle("a", model.DeliveryDone, 1, 3)
		h.equal(h.dueNow("a", 10), []int64{2, 4})
		h.settle("a", model.DeliveryDone, 4)
		h.equal(h.dueNow("a", 10), []int64{2, 5})
		if e := h.eventsAfter(4)[0]; e.Kind != model.EventApproved || e.Operation != decided.Operation {
			t.Errorf("event 5 is %+v", e)
		}
		h.settle("a", model.DeliveryDone, 2, 5)
		h.ok(h.Cancel(h.ctx(), decided.Operation, model.Failure{}, model.AuditEntry{}))
		h.equal(h.dueNow("a", 10), []int64{6}) // it failed
	})
}

// Both ways of hearing: in the same process, and (PostgreSQL) in another one.
func TestOutboxWakes(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		others := h.Store
		if h.Driver() == "postgres" {
			others = h.open()
			eventually(t, "nobody listens", func() bool { return h.Listening() && others.Listening() })
		}
		for i, s := range []*Store{h.Store, others} {
			wake, stop := s.WatchEvents(issuerA)
			h.move(11+uint32(i), change(model.ChangeCreated, credential(subject()), 11+uint32(i), 0))
			select {
			case <-wake:
			case <-h.ctx().Done():
				t.Fatal("nobody was woken")
			}
			stop()
		}
	})
}

func TestOutboxOfMany(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		h.endpoints("a")
		const n = 2*maxMade + 7
		var changes []model.CredentialChange
		for i := range uint32(n) {
			changes = append(changes, change(model.ChangeCreated, credential(subject()), 11, i))
		}
		h.move(11, changes...)
		next := int64(1)
		for {
			due := h.dueNow("a", maxDue)
			for _, seq := range due {
				if seq != next {
					t.Fatalf("event %d comes after %d", seq, next-1)
				}
				next++
			}
			if len(due) == 0 {
				break
			}
			h.settle("a", model.DeliveryDone, due...)
		}
		h.equal([]any{next, h.count("deliveries")}, []any{int64(n + 1), 0})
	})
}

func TestSweepEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		h.endpoints("a")
		h.apply(application(10))
		for i := range uint32(3) {
			h.move(11+i, change(model.ChangeCreated, credential(subject()), 11+i, 0))
		}
		h.clock.advance(31 * 24 * time.Hour)
		sweep := func(want int64) {
			t.Helper()
			n, err := h.SweepEvents(h.ctx())
			h.equal([]any{n, err}, []any{want, nil})
		}
		sweep(0) // its deliveries were not made
		h.dueNow("a", 10)
		sweep(0)
		h.settle("a", model.DeliveryDone, 1, 2)
		h.settle("a", model.DeliveryGivenUp, 3)
		sweep(2)
		h.equal(h.dueNow("a", 10), []int64{4})
		h.clock.advance(31 * 24 * time.Hour)
		sweep(1) // what was given up
		h.settle("a", model.DeliveryDone, 4)
		sweep(1)
		events := h.eventsAfter(0)
		if len(events) != 1 || events[0].Kind != model.EventRequested {
			t.Errorf("left are %+v", events)
		}
		h.move(20, change(model.ChangeCreated, credential(subject()), 20, 0))
		h.equal(h.eventsAfter(1)[0].Seq, int64(5))
		sweep(0)
	})
}

func TestOutboxIsIndexed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		key := "PRIMARY KEY (issuer=? AND endpoint=? AND state=?)"
		if h.Driver() == "postgres" {
			key = "deliveries_pkey"
		}
		for index, query := range map[string]string{
			key:                     "SELECT d.seq FROM deliveries d WHERE d.issuer = 'a' AND d.endpoint = 'b' AND d.state = 'open' AND d.next <= 7 ORDER BY d.seq LIMIT 3",
			"deliveries_credential": "SELECT 1 FROM deliveries b WHERE b.issuer = 'a' AND b.endpoint = 'b' AND b.subject = 'c' AND b.type = 'd' AND b.state = 'open' AND b.seq < 7",
			"deliveries_over":       "SELECT issuer, endpoint, seq FROM deliveries WHERE state = 'givenUp' AND updated < 7 ORDER BY updated LIMIT 3",
			"events_time":           "SELECT e.seq FROM events e WHERE e.application IS NULL AND e.time < 7 ORDER BY e.time LIMIT 3",
		} {
			h.plan(index, query)
		}
	})
}

func TestOperationsThatFailAreToldOf(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		ok, a := h.signed(1)
		failed, b := h.signed(2)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a), {Operation: failed.ID, State: model.StateFailed, Result: validated(b.Hash, "tecDUPLICATE")}}))
		events := h.eventsAfter(0)
		if len(events) != 1 || events[0].Kind != model.EventFailed || events[0].Operation != failed.ID || events[0].Subject != failed.Subject {
			t.Fatalf("told %+v; %s succeeded", events, ok.ID)
		}
		h.equal(string(events[0].Data), fmt.Sprintf(`{"kind":"issue","code":"tecDUPLICATE","message":"as %s said","hash":"%s","ledger_index":1003}`, "\uFFFD", b.Hash))
		// What a lane makes for itself is nobody's business, and the rows of a batch that is cancelled are one decision.
		fill := attempt("", 9)
		ids, err := h.SignOwn(h.ctx(), h.fence, []model.Operation{{Kind: model.KindFill}}, []model.Attempt{fill})
		h.ok(err)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{{Operation: ids[0], State: model.StateExpired, Absent: []string{fill.Hash}}}))
		batch, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		row := issue()
		_, err = h.AddRows(h.ctx(), batch.ID, []model.BatchRow{{Row: 1, Operation: &row}})
		h.ok(err)
		_, err = h.CancelBatch(h.ctx(), batch.ID, model.Failure{}, model.AuditEntry{})
		h.ok(err)
		h.equal(h.count("events"), 1)
		// What the keeper did not remove, it looks at again.
		var outcomes []model.Outcome
		for range 2 {
			removal := issue()
			removal.Kind, removal.Expiration, removal.URI, removal.Actor = model.KindRevoke, nil, "", model.ActorJanitor
			outcomes = append(outcomes, model.Outcome{Operation: h.create(removal).ID, State: model.StateCancelled})
		}
		expired := attempt(outcomes[1].Operation, 10)
		outcomes[1].State, outcomes[1].Absent = model.StateExpired, []string{expired.Hash}
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{expired}))
		h.ok(h.Conclude(h.ctx(), h.fence, outcomes))
		h.equal(h.count("events"), 1)
	})
}
