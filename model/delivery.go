package model

import "time"

// Delivery is an event that one endpoint of a webhook is to be told of.
type Delivery struct {
	Event Event
	// Attempts is how many to tell it have failed, and First when the first of them began; zero while there is none.
	Attempts int
	First    time.Time
}

// DeliveryState is what an attempt to tell an endpoint of an event has made of it.
type DeliveryState string

// The states of a delivery.
const (
	// DeliveryDone is final: the endpoint has taken it.
	DeliveryDone DeliveryState = "delivered"
	// DeliveryPostponed: the attempt failed, and there will be another one.
	DeliveryPostponed DeliveryState = "postponed"
	// DeliveryGivenUp is final: the attempt failed, and was the last.
	DeliveryGivenUp DeliveryState = "givenUp"
)

// DeliveryOutcome is what came of an attempt to tell an endpoint of an event.
type DeliveryOutcome struct {
	// Seq is the event's.
	Seq   int64
	State DeliveryState
	// At is when the attempt was over.
	At time.Time
	// Attempts is how many have failed so far, this one included, and First when the first of them began; zero where none
	// has.
	Attempts int
	First    time.Time
	// Next is when the next attempt is due, of a delivery that is postponed; zero otherwise.
	Next time.Time
	// Failure says, for the operator, why the attempt failed; empty where it did not. It is short printable text without
	// anything secret.
	Failure string
}

// Subscription is what an endpoint of a webhook is told of.
type Subscription struct {
	// Endpoint is by what it is known.
	Endpoint string
	// Kinds are those of the events; none is all of them.
	Kinds []EventKind
}

// Backlog is what an endpoint is still to be told of.
type Backlog struct {
	Endpoint string
	// Waiting is how many events that is, and GivenUp how many it was not told of and will not be.
	Waiting, GivenUp int64
	// Failing is since when the oldest of those that were tried has failed; zero where none has.
	Failing time.Time
}
