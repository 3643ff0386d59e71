package model

import "encoding/json"

// Transaction is what a lane is asked to bring onto the ledger: one of [CredentialCreate], [CredentialAccept] and
// [CredentialDelete]. Account, sequence, fee and signature are the lane's.
type Transaction interface {
	// TransactionType is the name that the ledger knows it by.
	TransactionType() string
}

// CredentialCreate issues a credential.
type CredentialCreate struct {
	Subject Address
	Type    CredentialType
	// Expiration is in seconds since the Ripple Epoch; nil for none.
	Expiration *uint32
	// URI is raw bytes; empty for none.
	URI string
}

// CredentialAccept accepts a credential as its subject.
type CredentialAccept struct {
	Issuer Address
	Type   CredentialType
}

// CredentialDelete revokes a credential as its issuer, or gives it up as its subject. Subject and Issuer may each be
// empty, for the account that sends it; not both.
type CredentialDelete struct {
	Subject, Issuer Address
	Type            CredentialType
}

// TransactionType implements [Transaction].
func (CredentialCreate) TransactionType() string { return "CredentialCreate" }

// TransactionType implements [Transaction].
func (CredentialAccept) TransactionType() string { return "CredentialAccept" }

// TransactionType implements [Transaction].
func (CredentialDelete) TransactionType() string { return "CredentialDelete" }

// Validated is a transaction's final result, read from a validated ledger. Nothing provisional is ever put in one.
type Validated struct {
	Hash, CTID          string
	LedgerIndex         uint32
	EngineResult        string
	EngineResultCode    int
	EngineResultMessage string
	// Body is the node's `tx` answer in API version 2, one JSON object, with the three engine_result fields added.
	Body json.RawMessage
}

// Succeeded says whether the transaction did what it was sent for. A `tec` result stands in a ledger too, and cost
// its fee, but did nothing else.
func (v Validated) Succeeded() bool { return v.EngineResult == "tesSUCCESS" }

// Ledger is what there is to know of a validated ledger before asking for its entries.
type Ledger struct {
	Index uint32
	Hash  string
	// CloseTime is in seconds since the Ripple Epoch.
	CloseTime uint32
	// What transactions and entries cost in it, in drops.
	BaseFee, ReserveBase, ReserveIncrement int64
}

// Reserve returns the drops that an account with that many entries must hold in this ledger.
func (l Ledger) Reserve(ownerCount uint32) int64 {
	return l.ReserveBase + int64(ownerCount)*l.ReserveIncrement
}

// Account is an account as it stands in a validated ledger.
type Account struct {
	Address Address
	// Balance is in drops, the reserve included.
	Balance    int64
	OwnerCount uint32
	Sequence   uint32
}
