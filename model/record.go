package model

import (
	"encoding/json"
	"time"

	"github.com/xrplissuer/credential-issuer/hexutil"
)

// CredentialRecord is what the store knows of a credential of the issuing account, from validated ledgers alone. The
// ledger is the truth: records say what is due and what events to send. They answer lists while they equal the ledger.
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

// MirrorProgress is a step of the credential index: the changes of some validated ledgers.
type MirrorProgress struct {
	// Complete is the last ledger with all of its changes reported, this progress included, and Hash its hash; empty while it
	// is not the newest ledger.
	Complete uint32
	Hash     string
	// Newest is the newest validated ledger; 0 where it is not known yet.
	Newest uint32
	// CloseTime is when the newest validated ledger closed, in seconds since the Ripple Epoch; 0 where it is not known yet.
	CloseTime uint32
	// Changes are in ledgers up to Complete. Earlier progress may have reported some of them.
	Changes []CredentialChange
}

// MirrorStatus is how many credentials of an account its records have.
type MirrorStatus struct {
	// Known says that all which stood was listed once; before that, the counts are of what was listed so far.
	Known bool
	// Complete is the last ledger that the records have all of, and CloseTime when the newest ledger that was told of
	// closed, in seconds since the Ripple Epoch.
	Complete, CloseTime uint32
	// Standing are all that stand. Of those, Unaccepted were not accepted, and Expired are past their expiration at CloseTime;
	// one can be both.
	Standing, Unaccepted, Expired int64
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

// MarshalJSON writes a verdict as callers are shown it: text of the ledger's bytes, times in UTC, the ledger's age in
// seconds.
func (v Verdict) MarshalJSON() ([]byte, error) {
	shown := struct {
		Valid        bool            `json:"valid"`
		Reasons      []Reason        `json:"reasons,omitempty"`
		Issuer       Address         `json:"issuer"`
		Subject      Address         `json:"subject"`
		Credential   string          `json:"credential"`
		Accepted     *bool           `json:"accepted,omitempty"`
		URI          string          `json:"uri,omitempty"`
		Expiration   string          `json:"expiration,omitempty"`
		OtherIssuers []Address       `json:"other_issuers,omitempty"`
		Entry        json.RawMessage `json:"entry,omitempty"`
		LedgerIndex  uint32          `json:"ledger_index"`
		LedgerHash   string          `json:"ledger_hash"`
		CloseTime    string          `json:"close_time_iso"`
		LedgerAge    int64           `json:"ledger_age"`
	}{Valid: v.Valid, Reasons: v.Reasons, Issuer: v.Issuer, Subject: v.Subject, Credential: v.Type.Text(), OtherIssuers: v.Others, Entry: v.Entry,
		LedgerIndex: v.At.Index, LedgerHash: v.At.Hash, CloseTime: FormatTime(v.At.CloseTime), LedgerAge: int64(v.Age.Seconds())}
	if c := v.Found; c != nil {
		shown.Accepted = &c.Accepted
		if c.URI != "" {
			shown.URI = hexutil.DisplayRaw(c.URI)
		}
		if c.HasExpiration() {
			shown.Expiration = FormatTime(c.Expiration)
		}
	}
	return json.Marshal(shown)
}
