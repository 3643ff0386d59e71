package model

import (
	"encoding/json"
	"time"
)

// EventKind says what an event tells of. The names are those that webhooks carry as their type.
type EventKind string

// The kinds of events.
const (
	// EventRequested: a request that a person decides on was stored.
	EventRequested EventKind = "request.received"
	// EventApproved and EventRejected: it was decided on.
	EventApproved EventKind = "request.approved"
	EventRejected EventKind = "request.rejected"
	// EventLapsed: nobody decided on it in its time. EventWithdrawn: its applicant took it back before anybody had.
	EventLapsed    EventKind = "request.lapsed"
	EventWithdrawn EventKind = "request.withdrawn"
	// EventErased: the documents of a request were erased.
	EventErased EventKind = "request.documents_erased"
	// EventIssued, EventRevoked: a validated ledger holds what was asked for, or what another program of the account did.
	EventIssued  EventKind = "credential.issued"
	EventRevoked EventKind = "credential.revoked"
	// EventFailed: an operation that somebody asked for came to nothing.
	EventFailed EventKind = "credential.failed"
	// EventAccepted: its subject accepted it.
	EventAccepted EventKind = "credential.accepted"
	// EventExpired: a validated ledger closed past its expiration.
	EventExpired EventKind = "credential.expired"
	// EventGone: it was deleted by someone else than the issuer: its subject, or whoever found it expired.
	EventGone EventKind = "credential.deleted"
)

// EventKinds lists all of them.
func EventKinds() []EventKind {
	return []EventKind{EventRequested, EventApproved, EventRejected, EventLapsed, EventWithdrawn, EventErased, EventIssued,
		EventRevoked, EventFailed, EventAccepted, EventExpired, EventGone}
}

// Event is one change of state, stored in the transaction that makes it.
type Event struct {
	// Seq orders events as they were committed, without gaps, and is given by the store, as ID and Time are where they
	// are empty.
	Seq  int64
	ID   OperationID
	Time time.Time

	Kind EventKind
	// Actor is who did it: a [Principal]'s Actor, "applicant", "policy" (an automatic decision), "janitor", "ledger".
	Actor   string
	Issuer  Address
	Subject Address
	Type    CredentialType
	// Application and Operation are empty where there is none.
	Application OperationID
	Operation   OperationID
	// Data is one JSON object with what else there is to say, nothing secret and nothing of documents; nil for nothing.
	Data json.RawMessage
}

// The actors that are not callers.
const (
	ActorApplicant = "applicant"
	ActorPolicy    = "policy"
	ActorJanitor   = "janitor"
	ActorLedger    = "ledger"
	// ActorService is the service itself.
	ActorService = "service"
	// ActorSandbox is everybody, on a sandbox without tokens.
	ActorSandbox = "sandbox"
)
