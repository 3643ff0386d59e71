package model

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Codes of requests that a person decides on, and of proofs.
const (
	// CodeRequestNotFound: there is no such request, or the secret is another one.
	CodeRequestNotFound Code = "requestNotFound"
	// CodeDecided: the request has been decided on already.
	CodeDecided Code = "alreadyDecided"
	// CodeTooManyUnaccepted: the subject, or all subjects together, have as many unaccepted credentials as the policy
	// allows.
	CodeTooManyUnaccepted Code = "tooManyUnaccepted"
	// CodeTooManyWaiting: as many requests of the type wait for a person as its policy allows.
	CodeTooManyWaiting Code = "tooManyWaiting"
	// CodeProofRefused: the proof that the applicant holds the subject's key does not hold: it is forged, for another
	// subject, past its time, or was used before.
	CodeProofRefused Code = "proofRefused"
)

// ApplicationState is how far a request that a person decides on has come.
type ApplicationState string

// The states of an application, and who moves each one on.
const (
	// ApplicationWaiting: a reviewer moves it on, or its applicant, or time.
	ApplicationWaiting ApplicationState = "waiting"
	// ApplicationApproved: its operation is stored; what became of the credential is the operation's to say. Where that
	// came to nothing, a reviewer may approve it again, or reject it.
	ApplicationApproved ApplicationState = "approved"
	// ApplicationRejected is final.
	ApplicationRejected ApplicationState = "rejected"
	// ApplicationLapsed is final: nobody decided on it in its time.
	ApplicationLapsed ApplicationState = "lapsed"
	// ApplicationWithdrawn is final: its applicant took it back before anybody had decided.
	ApplicationWithdrawn ApplicationState = "withdrawn"
)

// ApplicationStates lists all of them.
func ApplicationStates() []ApplicationState {
	return []ApplicationState{ApplicationWaiting, ApplicationApproved, ApplicationRejected, ApplicationLapsed, ApplicationWithdrawn}
}

// Application is a request for a credential that a person decides on.
type Application struct {
	// ID is given by the store where it is empty.
	ID      OperationID
	Issuer  Address
	Subject Address
	Type    CredentialType
	// Expiration is in seconds since the Ripple Epoch; nil for none. URI is raw bytes; empty for none. Both as they are
	// to be issued.
	Expiration *uint32
	URI        string
	// Renew says that one which stands is to be replaced.
	Renew bool
	// Proven says that the applicant has proved to hold the subject's key.
	Proven bool
	// SecretHash is SHA-256 of what the applicant follows the request with.
	SecretHash [32]byte
	// Documents are sealed: see [SealedDocuments]. Nil once they are erased.
	Documents SealedDocuments
	// Key is the caller's idempotency key; nil for none.
	Key *IdempotencyKey
	// RequestID is of the call, for the audit log.
	RequestID string
	// Nonce is of the challenge that was answered for it; nil for none, and in what is read.
	Nonce *SpentNonce
	// Keep is how long documents are kept after a decision, and after one that never came. Of a request that its
	// applicant withdraws they are not kept.
	Keep time.Duration
	// MostWaiting is how many requests for the type may wait at once, this one included; 0 for no bound.
	MostWaiting int
	// MostWaitingBytes is how many bytes their sealed documents may be together, this one's included; 0 for no bound.
	MostWaitingBytes int64
	// Client is the address that it came from, for Closed; empty where that is not known. It is kept as a hash, and not read back.
	Client string
	// Closed bounds how many requests may end without a credential in a time for this one to be stored; it is not read back.
	Closed ClosedLimits
	// DecideBy is when it lapses, where it still waits then.
	DecideBy time.Time

	// What follows is set by the store.

	State ApplicationState
	// Unauthentic says of a request that can be approved that its row has no valid MAC: it can only be rejected.
	Unauthentic bool
	// Operation is the latest one that an approval has made; empty where there is none. Its State goes along.
	Operation      OperationID
	OperationState State
	// DecidedBy is the actor of the latest decision ([ActorJanitor] where it has lapsed, [ActorApplicant] where it was
	// withdrawn), and Reason what was said of a rejection; empty once it is erased.
	DecidedBy, Reason string
	// Erase is when documents are erased; zero while it is undecided.
	Erase            time.Time
	Created, Updated time.Time
}

// ClosedLimit bounds how many review requests may end without a credential (withdrawn, rejected or lapsed) within a time; 0 for
// no bound.
type ClosedLimit struct {
	Count  int
	Within time.Duration
}

// ClosedLimits bound those of a subject and of a client.
type ClosedLimits struct{ PerSubject, PerClient ClosedLimit }

// SealedDocuments are an applicant's documents, encrypted with a key that is not in the database.
type SealedDocuments []byte

// Format redacts, whatever the verb.
func (SealedDocuments) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue redacts.
func (SealedDocuments) LogValue() slog.Value { return slog.StringValue(redacted) }

// Decision is a reviewer's word on an application.
type Decision struct {
	Application OperationID
	Actor       string
	// Approve says which it is. Operation is what it asks for then; the store gives it its ID, and it gets no key.
	Approve   bool
	Operation *Operation
	// Reason is what a rejection says to the applicant: 1 to [MaxReasonLen] characters.
	Reason string
	// RequestID is of the call, for the audit log. The same word of the same actor in the same call is one decision,
	// however often it is said.
	RequestID string
}

// Withdrawal is an applicant's word that they do not want what they asked for any more.
type Withdrawal struct {
	Application OperationID
	// RequestID is of the call, for the audit log.
	RequestID string
}

// RequestCounts says how many requests of an account there are to be looked after.
type RequestCounts struct {
	// Waiting wait for a person. Of those, Overdue are past their time, and about to lapse.
	Waiting, Overdue int64
	// Erasable have documents whose time is over.
	Erasable int64
}

// MaxReasonLen is the most characters that a rejection's reason may have.
const MaxReasonLen = 1000
