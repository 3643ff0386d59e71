package store

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestCountDue(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		x, y, z := credential(subject()), credential(subject()), credential(subject())
		x.Expiration, y.Expiration, z.Type = 900_000_100, 900_000_200, "other"
		h.move(15, change(model.ChangeCreated, x, 11, 0), change(model.ChangeCreated, y, 12, 0), change(model.ChangeCreated, z, 12, 1), change(model.ChangeAccepted, x, 13, 0))
		for _, c := range []struct {
			issuedBefore, expiredBefore uint32
			unaccepted, expired         int64
		}{{0, 0, 0, 0}, {ledgerTime(12), 900_000_100, 0, 0}, {ledgerTime(13), 900_000_101, 1, 1}, {ledgerTime(13), 1<<32 - 1, 1, 2}} {
			unaccepted, expired, err := h.CountDue(h.ctx(), issuerA, x.Type, c.issuedBefore, c.expiredBefore)
			h.equal([]any{unaccepted, expired, err}, []any{c.unaccepted, c.expired, nil})
		}
	})
}

func TestCountRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		count := func(at time.Time) []int64 {
			t.Helper()
			n, err := h.CountRequests(h.ctx(), issuerA, at)
			h.ok(err)
			return []int64{n.Waiting, n.Overdue, n.Erasable}
		}
		now := h.clock.Now()
		h.equal(count(now), []int64{0, 0, 0})
		a := application(100)
		a.Keep = time.Hour
		one := h.apply(a)
		b := application(100)
		b.DecideBy = now.Add(10 * time.Hour)
		h.apply(b)
		h.equal(count(now.Add(10*time.Hour-time.Microsecond)), []int64{2, 0, 0})
		h.equal(count(now.Add(10*time.Hour)), []int64{2, 1, 0})
		h.decide(rejection(one, "x"))
		h.equal(count(now), []int64{1, 0, 0})
		h.equal(count(now.Add(2*time.Hour)), []int64{1, 0, 1})
		n, err := h.EraseDocuments(h.ctx(), issuerA, now.Add(2*time.Hour), 10)
		h.equal([]any{n, err}, []any{1, nil})
		h.equal(count(now.Add(2*time.Hour)), []int64{1, 0, 0})
	})
}

func TestBacklogs(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		h.endpoints("a", "b")
		backlogs := func() []model.Backlog {
			t.Helper()
			all, err := h.Backlogs(h.ctx(), issuerA)
			h.ok(err)
			return all
		}
		h.equal(backlogs(), []model.Backlog{{Endpoint: "a"}, {Endpoint: "b"}})
		h.move(11, change(model.ChangeCreated, credential(subject()), 11, 0), change(model.ChangeCreated, credential(subject()), 11, 1))
		h.equal(backlogs(), []model.Backlog{{Endpoint: "a", Waiting: 2}, {Endpoint: "b", Waiting: 2}})
		due := h.dueNow("a", 10) // which makes deliveries of them
		h.equal(backlogs()[0], model.Backlog{Endpoint: "a", Waiting: 2})
		h.settle("a", model.DeliveryPostponed, due[0])
		h.settle("a", model.DeliveryDone, due[1])
		h.equal(backlogs()[0], model.Backlog{Endpoint: "a", Waiting: 1, Failing: h.clock.Now().Truncate(time.Microsecond).UTC()})
		h.settle("a", model.DeliveryGivenUp, due[0])
		h.equal(backlogs()[0], model.Backlog{Endpoint: "a", GivenUp: 1})
		if all, err := h.Backlogs(h.ctx(), issuerB); len(all) != 0 || err != nil {
			t.Errorf("of another account: %+v, %v", all, err)
		}
	})
}
