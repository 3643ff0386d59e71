package model

import (
	"encoding/json"
	"time"
)

// CredentialRecord is what the store knows of a credential of the issuing account, from validated ledgers alone. The
// ledger is the truth: records say what is due and what to tell of, and are never shown as what stands.
type CredentialRecord struct {
	Credential
	// Issued is when the ledger that made it closed, in seconds since the Ripple Epoch; of one that was found standing,
	// when it was found.
	Issued uint32
	// Ledger is the index of the ledger that changed it last.
	Ledger uint32
	// ExpiryTold says that its expiry was told of.
	ExpiryTold bool
}

// ChangeKind is what a validated transaction did to a credential.
type ChangeKind string

// The kinds of changes.
const (
	ChangeCreated  ChangeKind = "created"
	ChangeAccepted ChangeKind = "accepted"
	ChangeDeleted  ChangeKind = "deleted"
)

// CredentialChange is one change to a credential that a validated transaction made.
type CredentialChange struct {
	Kind ChangeKind
	// Credential is as it stood afterwards, or before it was deleted.
	Credential Credential
	// Hash is the transaction's, By its sender, and TransactionIndex its place within the ledger.
	Hash             string
	By               Address
	TransactionIndex uint32
	Ledger           uint32
	// CloseTime is that ledger's, in seconds since the Ripple Epoch.
	CloseTime uint32
}

// Verdict says whether a credential can be relied on, as one validated ledger has it.
type Verdict struct {
	Subject, Issuer Address
	Type            CredentialType
	// Valid: it stands, its subject has accepted it, and the ledger did not close past its expiration.
	Valid bool
	// Reasons say why it is not valid; empty when it is.
	Reasons []Reason
	// Found is the credential, nil where it is absent, and Entry the ledger entry as the node wrote it.
	Found *Credential
	Entry json.RawMessage
	// Others are the issuers of credentials of this type that the subject has from someone else, at most
	// [MaxOtherIssuers]; looked for only where it is absent.
	Others []Address
	// At is the ledger that it was read at.
	At Ledger
	// Age is how long ago that ledger closed, by this machine's clock, never less than 0. It is as of the answer.
	Age time.Duration
}

// MaxOtherIssuers is the most issuers that a [Verdict] names.
const MaxOtherIssuers = 10

// Reason is why a credential cannot be relied on.
type Reason string

// The reasons.
const (
	ReasonAbsent      Reason = "absent"
	ReasonNotAccepted Reason = "notAccepted"
	ReasonExpired     Reason = "expired"
	// ReasonOtherIssuer: absent, and the subject has one of this type from another issuer.
	ReasonOtherIssuer Reason = "otherIssuer"
)
