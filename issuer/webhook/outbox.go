package webhook

import (
	"context"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Outbox keeps which events each endpoint is still to be told of. Endpoints are known by [Endpoint.ID]. Of an account's
// outbox there is one user at a time, but for moments in which another process takes over.
//
// An endpoint has a delivery for each event of the account with a Seq behind the one at which it was subscribed. A
// delivery is open until it is settled for good, as delivered or given up. All of it survives a restart.
//
// Errors carry the codes of [model.Error]; after any error the same call may be made again.
type Outbox interface {
	// SetEndpoints says which endpoints an account has: all that it has from now on, and of which kinds of events each
	// is told.
	//
	// One that is new is subscribed at the head: it has deliveries for the events that are committed after this call
	// has returned, and for none that was committed before it was made. One that is subscribed already stays as it is,
	// with all that is open and of a kind that it is still told of; a kind that it was not told of before counts from
	// here on, or from an event that the outbox has not looked at for it. One that is not named any more is forgotten,
	// with all that is open for it; ended names those, and should it be named again one day, it is new. At most
	// [MaxEndpoints] are named, each once; none is a list too.
	SetEndpoints(ctx context.Context, issuer model.Address, endpoints []model.Subscription) (ended []string, err error)

	// DueDeliveries returns up to limit of the deliveries that an endpoint can be sent at a time, in the order of Event.Seq.
	//
	// Of each credential (Issuer, Subject and Type of an event) that is at most one: the open delivery with the lowest Seq.
	// That one is left out, and with it all later ones of its credential, while
	//   - it is postponed to a Next later than now, or
	//   - its event's Kind begins with "credential." and its event's Operation is not in a final state, so that whoever is
	//     told can read what they were told of.
	//
	// The deliveries have Attempts and First of the outcome that was settled last, zero where none was. It is the caller's
	// to know what it has under way: the same deliveries are returned until they are settled. An endpoint that is not
	// subscribed has none. Limit is 1 to [MaxDue].
	DueDeliveries(ctx context.Context, issuer model.Address, endpoint string, now time.Time, limit int) ([]model.Delivery, error)

	// SettleDeliveries stores what came of attempts, in one transaction. Outcomes are of different events, at most [MaxDue].
	// When it has returned nil, all of them are stored, and hold for every later call of DueDeliveries: one that is settled
	// for good is not returned any more, and the next one of its credential is open to be; one that is postponed is
	// returned again once its Next is not later than now. An outcome of a delivery that does not exist, or is settled for
	// good already, is passed over.
	SettleDeliveries(ctx context.Context, issuer model.Address, endpoint string, outcomes []model.DeliveryOutcome) error
}

const (
	// MaxEndpoints is how many endpoints an account may have.
	MaxEndpoints = 32
	// MaxDue is the most deliveries that an [Outbox] is asked for, or told the outcome of, in one call.
	MaxDue = 256
)
