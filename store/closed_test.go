package store

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const day = 24 * time.Hour

// closing is a request of a subject and a client with limits of 3 and 5.
func closing(subject model.Address, client string) model.Application {
	a := application(10)
	a.Subject, a.Client = subject, client
	a.Closed = model.ClosedLimits{PerSubject: model.ClosedLimit{Count: 3, Within: day}, PerClient: model.ClosedLimit{Count: 5, Within: day}}
	return a
}

// refused stores a request, which must be refused for a time.
func (h *harness) refused(a model.Application, retry time.Duration) {
	h.t.Helper()
	_, _, err := h.CreateApplication(h.ctx(), a)
	h.code(err, model.CodeTooManyRequests)
	var e *model.Error
	if asError(err, &e); e.RetryAfter != retry {
		h.t.Fatalf("retry after %s, want %s", e.RetryAfter, retry)
	}
}

func asError(err error, e **model.Error) { *e, _ = err.(*model.Error) }

// Requests that end without a credential are limited for each subject, whichever way they end, and for each client, whatever
// the subjects. What a stranger does without a proof takes nothing from the subject.
func TestClosedLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.plan("applications_closed_subject", "SELECT closed FROM applications WHERE issuer = 'x' AND closed > 5 AND subject = 'y' AND proven = 1 ORDER BY closed DESC LIMIT 1 OFFSET 2")
		h.plan("applications_closed_client", "SELECT closed FROM applications WHERE issuer = 'x' AND closed > 5 AND client = 'y' ORDER BY closed DESC LIMIT 1 OFFSET 2")
		who := subject()
		h.withdraw(h.apply(closing(who, "10.0.0.1")))
		h.clock.advance(time.Hour)
		h.decide(rejection(h.apply(closing(who, "10.0.0.1")), "x"))
		h.clock.advance(time.Hour)
		a := closing(who, "10.0.0.1")
		a.DecideBy = h.clock.Now()
		h.apply(a)
		h.lapse(1)
		h.refused(closing(who, "10.0.0.2"), 22*time.Hour)
		stranger := closing(who, "10.0.0.3")
		stranger.Proven = false
		h.withdraw(h.apply(stranger)) // counted by itself
		h.refused(closing(who, "10.0.0.2"), 22*time.Hour)

		h.withdraw(h.apply(closing(subject(), "10.0.0.1")))
		h.withdraw(h.apply(closing(subject(), "10.0.0.1")))
		h.refused(closing(subject(), "10.0.0.1"), 22*time.Hour)
		unlimited := application(10)
		unlimited.Subject, unlimited.Client = who, "10.0.0.1"
		h.withdraw(h.apply(unlimited))

		// One that waits, or is approved, counts nothing; and a day later there is room again.
		h.clock.advance(day)
		h.decide(approval(h.apply(closing(who, "10.0.0.1")), "x"))
		var hash string
		h.ok(h.readDB.QueryRow("SELECT max(client) FROM applications").Scan(&hash))
		if len(hash) != 32 {
			t.Errorf("a client is stored as %q", hash)
		}
	})
}

// Requests that ended without a credential are removed after their time, with their events and keys; and no others.
func TestSweepApplications(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		key := application(10)
		key.Key = &model.IdempotencyKey{Key: "k", RequestHash: [32]byte{7}}
		withdrawn, lapsed := h.apply(key), application(10)
		lapsed.DecideBy = h.clock.Now()
		lapsed = h.apply(lapsed)
		rejected, approved, waiting := h.apply(application(10)), h.apply(application(10)), h.apply(application(10))
		h.withdraw(withdrawn)
		h.lapse(1)
		h.decide(rejection(rejected, "x"))
		h.decide(approval(approved, "x"))
		entries := len(h.chain(h.Store))
		left := func(want ...model.Application) {
			t.Helper()
			found, err := h.Applications(h.ctx(), issuerA, "", "", 100)
			h.ok(err)
			var got, ids []model.OperationID
			for _, a := range found {
				got = append(got, a.ID)
			}
			for _, a := range want {
				ids = append(ids, a.ID)
			}
			h.equal(got, ids)
		}
		sweep := func(want int64) {
			t.Helper()
			n, err := h.SweepApplications(h.ctx())
			h.ok(err)
			h.equal(n, want)
		}
		h.clock.advance(day)
		sweep(0)
		h.clock.advance(time.Microsecond)
		sweep(1)
		left(lapsed, rejected, approved, waiting)
		if events, err := h.ApplicationEvents(h.ctx(), withdrawn.ID); len(events) != 0 || err != nil {
			t.Errorf("%+v, %v", events, err)
		}
		key.Subject = subject()
		h.withdraw(h.apply(key)) // its key is free
		h.clock.advance(29 * day)
		sweep(1) // that one
		sweep(0) // documents are there
		_, err := h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 100)
		h.ok(err)
		sweep(2)
		left(approved, waiting)
		if n := len(h.chain(h.Store)); n < entries {
			t.Errorf("%d entries of the audit log were %d", n, entries)
		}
	})
}

// A request whose events a webhook is still to be told of is kept until it is.
func TestSweepKeepsWhatIsToBeTold(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.endpoints("a")
		h.withdraw(h.apply(application(10)))
		h.clock.advance(2 * day)
		if n, err := h.SweepApplications(h.ctx()); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		h.endpoints()
		if n, err := h.SweepApplications(h.ctx()); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}
