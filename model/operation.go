package model

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Codes of what is kept: operations, batches and the lane's lease. A caller may ask again after CodeStoreUnavailable.
const (
	// CodeStoreUnavailable: the database is gone, full or locked. What was asked for may or may not have been stored;
	// every function that writes may be called again with the same arguments.
	CodeStoreUnavailable Code = "storeUnavailable"
	// CodeInProgress: an operation for this subject and type is not final yet, and the cause is a [*StandingError]; or a
	// request for them waits for a decision.
	CodeInProgress Code = "inProgress"
	// CodeKeyReused: the idempotency key came before, with another request.
	CodeKeyReused Code = "idempotencyKeyReused"
	// CodeOperationNotFound: there is no such operation.
	CodeOperationNotFound Code = "operationNotFound"
	// CodeBatchNotFound: there is no such batch.
	CodeBatchNotFound Code = "batchNotFound"
	// CodeWrongState: the operation, attempt or batch is in a state that does not allow this. Nothing was changed.
	CodeWrongState Code = "wrongState"
	// CodeFenced: another process has taken the lane since. Nothing was changed, and nothing more may be signed.
	CodeFenced Code = "fenced"
	// CodeLaneHeld: another process holds the lane. The cause is a [*LaneHeldError].
	CodeLaneHeld Code = "laneHeld"

	// CodeNotApplied is the failure of an operation that expired: no ledger took it and none can any more.
	CodeNotApplied = CodeNotValidated
	// CodeCancelled is the failure of an operation that was dropped before anything was signed.
	CodeCancelled Code = "cancelled"
	// CodeNotAuthentic is the failure of an operation whose row in the database is not the one that the service stored.
	CodeNotAuthentic Code = "notAuthentic"
	// CodeRefused is the failure of an operation that no ledger can ever take.
	CodeRefused Code = "refused"
)

// OperationID identifies an operation or a batch: 26 characters of Crockford's base 32, the first ten of them the time
// in milliseconds, so that they sort by age (the layout of a ULID).
type OperationID string

const (
	idLen      = 26
	idAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

var errIDForm = errors.New("must be an id as it was given out: 26 characters, such as 01JD8Q4Z7T9XW3V5K2M6N8P0RS")

// ParseOperationID reads an id as callers send it, in any case. The error reads on from the name of a field.
func ParseOperationID(s string) (OperationID, error) {
	if len(s) != idLen {
		return "", errIDForm
	}
	s = strings.ToUpper(s)
	if !only(s, idAlphabet) || s[0] > '7' { // 128 bits: the first character holds three
		return "", errIDForm
	}
	return OperationID(s), nil
}

// NewOperationID spells an id of a time, in milliseconds since 1970, and ten bytes that set it apart from others of the
// same millisecond.
func NewOperationID(milliseconds int64, rest [10]byte) OperationID {
	var b [16]byte
	for i := range 6 {
		b[i] = byte(milliseconds >> (40 - 8*i))
	}
	copy(b[6:], rest[:])
	var out [idLen]byte
	// 130 bits of text hold 128: the first character has two zero bits in front.
	var acc, bits uint32 = 0, 2
	n := 0
	for _, c := range b {
		acc, bits = acc<<8|uint32(c), bits+8
		for bits >= 5 {
			bits -= 5
			out[n] = idAlphabet[acc>>bits&31]
			n++
		}
	}
	return OperationID(out[:])
}

// Time returns when an id was made, to the millisecond; the zero time where it is none.
func (id OperationID) Time() time.Time {
	if len(id) != idLen {
		return time.Time{}
	}
	var ms int64
	for i := range 10 {
		n := strings.IndexByte(idAlphabet, id[i])
		if n < 0 {
			return time.Time{}
		}
		ms = ms<<5 | int64(n)
	}
	return time.UnixMilli(ms)
}

// Kind is what an operation is there for.
type Kind string

// The kinds of operations. The last two are made by the lane itself, and nobody waits for them.
const (
	// KindIssue is a CredentialCreate.
	KindIssue Kind = "issue"
	// KindRevoke is a CredentialDelete.
	KindRevoke Kind = "revoke"
	// KindFill is an AccountSet that changes nothing: it uses up a sequence that others wait behind.
	KindFill Kind = "fill"
	// KindTickets is a TicketCreate.
	KindTickets Kind = "tickets"
)

// Requested says whether the kind is one that callers ask for.
func (k Kind) Requested() bool { return k == KindIssue || k == KindRevoke }

// State is how far an operation has come. It only ever moves downwards in this list; a final state never changes.
type State string

// The states of an operation, and who moves each one on.
const (
	// StatePending: stored, and nothing is signed. The lane moves it on to signed or refused; whoever asked for it may
	// move it to cancelled.
	StatePending State = "pending"
	// StateSigned: at least one signed blob is journalled and may be on its way. The lane moves it on, by what
	// validated ledgers say. It stays here while it is proved absent and signed anew.
	StateSigned State = "signed"

	// StateSucceeded is final: a blob is in a validated ledger with tesSUCCESS.
	StateSucceeded State = "succeeded"
	// StateFailed is final: a blob is in a validated ledger with a `tec` result.
	StateFailed State = "failed"
	// StateExpired is final: every blob is proved absent, none can get into a ledger any more, and it is not signed again.
	StateExpired State = "expired"
	// StateRefused is final: no ledger can ever take it, and no blob of it can be anywhere.
	StateRefused State = "refused"
	// StateCancelled is final: dropped while pending, so that nothing was signed.
	StateCancelled State = "cancelled"
)

// States lists all of them, in the order in which they can follow each other.
func States() []State {
	return []State{StatePending, StateSigned, StateSucceeded, StateFailed, StateExpired, StateRefused, StateCancelled}
}

// Final says whether the state never changes again.
func (s State) Final() bool {
	switch s {
	case StateSucceeded, StateFailed, StateExpired, StateRefused, StateCancelled:
		return true
	}
	return false
}

// Operation is one thing that the ledger is to be asked for, from the moment it is stored.
type Operation struct {
	// ID is given by the store where it is empty.
	ID OperationID
	// Issuer is the account that sends and pays.
	Issuer Address
	Kind   Kind
	// Subject and Type name the credential; empty in the kinds that the lane makes itself.
	Subject Address
	Type    CredentialType
	// Expiration is in seconds since the Ripple Epoch; nil for none. Only for KindIssue.
	Expiration *uint32
	// URI is raw bytes; empty for none. Only for KindIssue.
	URI string
	// Tickets is how many tickets a KindTickets asks for.
	Tickets uint32
	// Key is the caller's idempotency key, nil where there was none or where it is no longer kept.
	Key *IdempotencyKey
	// Batch and Row say which row of which batch asked for it; empty and 0 where none did. Rows count from 1.
	Batch OperationID
	Row   int64
	// Actor is who asked for it or decided it, and RequestID the call that it came with, for the audit log.
	Actor, RequestID string
	// Nonce is used up when it is stored; nil for none. It is not read back.
	Nonce *SpentNonce
	// Renew says that a credential that stands is to be deleted first, as part of it. Only for KindIssue.
	Renew bool
	// Limits are what it must stay within to be stored; nil for none. They are not read back.
	Limits *UnacceptedLimits

	// What follows is set by the store.

	State State
	// Unauthentic says of an open operation that its row has no valid MAC: nothing may be signed for it.
	Unauthentic bool
	// Attempts are its signed blobs, in the order of signing. Look-ups of many leave them out where they say so.
	Attempts []Attempt
	// Result is the validated transaction of one that succeeded or failed.
	Result *Validated
	// Failure says why, in every final state but succeeded.
	Failure *Failure
	// Created and Updated are by the clock of the process that wrote it, in microseconds.
	Created, Updated time.Time
}

// UnacceptedLimits bound how many credentials of an issuer may stand or be under way without having been accepted, the one
// that is asked for included; 0 for no bound.
type UnacceptedLimits struct {
	// PerSubject counts those of its subject, of any type; InAll those of its type, of any subject.
	PerSubject, InAll int
}

// Transaction returns what the operation asks of the ledger, or nil for the kinds that the lane makes itself.
func (o Operation) Transaction() Transaction {
	switch o.Kind {
	case KindIssue:
		return CredentialCreate{Subject: o.Subject, Type: o.Type, Expiration: o.Expiration, URI: o.URI}
	case KindRevoke:
		return CredentialDelete{Subject: o.Subject, Type: o.Type}
	}
	return nil
}

// Err returns what a caller who waited for the operation is to be told, or nil when it succeeded. An operation that is
// not final yet is [CodeLedgerUnavailable] with what may still happen.
func (o Operation) Err() error {
	switch {
	case o.State == StateSucceeded:
		return nil
	case o.State.Final():
		e := &Error{Code: CodeInternal, Tx: o.Result}
		if o.Failure != nil {
			e.Code, e.Message = o.Failure.Code, o.Failure.Message
		}
		return e
	}
	return &Error{Code: CodeLedgerUnavailable, Message: "the operation is under way and not final yet", Pending: o.Pending()}
}

// Pending returns what may still happen of an operation that is not final: the blob that can get into the latest
// ledger. It is nil where nothing can.
func (o Operation) Pending() *Pending {
	var p *Pending
	for _, a := range o.Attempts {
		if a.State == AttemptSigned && (p == nil || a.LastLedgerSequence >= p.LastLedgerSequence) {
			p = &Pending{Hash: a.Hash, Sequence: a.Sequence, LastLedgerSequence: a.LastLedgerSequence}
		}
	}
	return p
}

// IdempotencyKey is a caller's name for a request, so that asking again is not asking twice.
type IdempotencyKey struct {
	// Key is 1 to 255 bytes of UTF-8, without control characters. It is kept per issuing account.
	Key string
	// RequestHash is of the method, the path and the canonical body (SHA-256): the same key with another hash is
	// refused.
	RequestHash [32]byte
}

// MaxKeyLen is the most bytes that an idempotency key may have.
const MaxKeyLen = 255

var errKeyForm = fmt.Errorf("must be 1 to %d bytes of text without control characters", MaxKeyLen)

// CheckIdempotencyKey says what is wrong with a key. The error reads on from the name of a field.
func CheckIdempotencyKey(s string) error {
	if s == "" || len(s) > MaxKeyLen || strings.ToValidUTF8(s, "") != s {
		return errKeyForm
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return errKeyForm
		}
	}
	return nil
}

// Failure is why an operation or a batch's row came to nothing.
type Failure struct {
	Code Code
	// Message is for the caller.
	Message string
}

// AttemptState is what is known of a signed blob.
type AttemptState string

// The states of an attempt. The lane moves it on from signed, by what validated ledgers say.
const (
	// AttemptSigned: it may be on its way, or in a ledger that is not known yet.
	AttemptSigned AttemptState = "signed"
	// AttemptAbsent is final: it is on no ledger, and none can take it any more.
	AttemptAbsent AttemptState = "absent"
	// AttemptValidated is final: it is in a validated ledger.
	AttemptValidated AttemptState = "validated"
)

// Attempt is one signed blob of an operation. Nothing is sent that is not stored as one.
type Attempt struct {
	Operation OperationID
	// N counts an operation's attempts from 1. It is given by the store.
	N int
	// Hash is the transaction's identity on the ledger: 64 upper-case hex digits.
	Hash string
	// Blob is the serialized transaction, in hex.
	Blob string
	// Sequence or Ticket is set, never both.
	Sequence, Ticket uint32
	// LastLedgerSequence is the last ledger that it can get into, FirstLedger the last validated one when it was
	// signed: it can only be in one between them.
	LastLedgerSequence, FirstLedger uint32
	// Fee is in drops.
	Fee int64
	// Replaces is the N of the attempt whose sequence or ticket it shares, of which it is a copy that pays more; 0
	// where it shares none. At most one of those that share it gets into a ledger. It is given by the store.
	Replaces int
	// Epoch is that of the lease under which it was signed. It is given by the store.
	Epoch int64
	State AttemptState
}

// Outcome is what a lane has learned of an operation from validated ledgers.
type Outcome struct {
	Operation OperationID
	// State is what the operation becomes: a final one, or StateSigned where it stays open and only its blobs in Absent
	// are settled.
	State State
	// Absent are the hashes of blobs that are proved to be on no ledger and that none can take any more. Those that
	// share the sequence or ticket of a validated one need not be named.
	Absent []string
	// Result is the validated transaction, for succeeded and failed; its Hash is that of an attempt.
	Result *Validated
	// Failure is for every final state but succeeded. Where it is nil the code is the engine result, or the one that
	// belongs to the state.
	Failure *Failure
}

// Fence is the right to write for an issuing account's lane. It ends when another process takes the lane, which
// raises the epoch.
type Fence struct {
	Issuer Address
	Epoch  int64
}

// LaneStatus is how an account's lane is held.
type LaneStatus struct {
	// Holder names the process; empty when nobody has ever held it, or when it was given back.
	Holder string
	Epoch  int64
	// Left is how long the lease still runs by the database's clock; 0 or less when it has run out.
	Left time.Duration
	// Condition is what the holder wrote of itself at the last renewal; empty if all is well.
	Condition string
}

// StandingError says which operation stands in the way of another for the same subject and type.
type StandingError struct {
	Operation OperationID
	Kind      Kind
	State     State
}

func (e *StandingError) Error() string {
	return fmt.Sprintf("operation %s (%s) is %s", e.Operation, e.Kind, e.State)
}

// LimitError is the cause of a [CodeTooManyUnaccepted]: which of the [UnacceptedLimits] refuses the operation.
type LimitError struct {
	// InAll: the limit of a type; else that of a subject.
	InAll bool
	Limit int
}

func (e *LimitError) Error() string {
	if e.InAll {
		return fmt.Sprintf("the type has reached its limit of %d unaccepted credentials", e.Limit)
	}
	return fmt.Sprintf("the subject has reached its limit of %d unaccepted credentials", e.Limit)
}

// LaneHeldError says who holds a lane.
type LaneHeldError struct{ LaneStatus }

func (e *LaneHeldError) Error() string {
	return fmt.Sprintf("held by %s for another %s", e.Holder, e.Left.Round(time.Millisecond))
}

// BatchState says whether a batch's rows are all there.
type BatchState string

// The states of a batch.
const (
	// BatchReceiving: rows are still being added; whoever sends them moves it on.
	BatchReceiving BatchState = "receiving"
	// BatchReceived is final: all rows are there. It is finished once none of them is open.
	BatchReceived BatchState = "received"
)

// Batch is many operations that were asked for at once.
type Batch struct {
	// ID is given by the store where it is empty.
	ID     OperationID
	Issuer Address
	// Key is the caller's idempotency key; nil for none.
	Key *IdempotencyKey
	// Actor is who asked for it, and RequestID the call's, for rows that do not say.
	Actor, RequestID string

	// What follows is set by the store.

	State BatchState
	// Rows is how many rows are stored. Adding goes on with row Rows+1.
	Rows             int64
	Created, Updated time.Time
	// Cancelled is when what was left of it was dropped; the zero time where nothing was.
	Cancelled time.Time
}

// BatchStatus is how far a batch has come.
type BatchStatus struct {
	Batch
	// Counts are its operations by state.
	Counts map[State]int64
	// Rejected counts the rows that never became an operation.
	Rejected int64
}

// Open counts the rows that are not final.
func (s BatchStatus) Open() int64 { return s.Counts[StatePending] + s.Counts[StateSigned] }

// Finished says whether all rows are there and final.
func (s BatchStatus) Finished() bool { return s.State == BatchReceived && s.Open() == 0 }

// Failed counts the rows that came to nothing.
func (s BatchStatus) Failed() int64 {
	return s.Rejected + s.Counts[StateFailed] + s.Counts[StateExpired] + s.Counts[StateRefused] + s.Counts[StateCancelled]
}

// RowSum tells a row of a batch from others by its text: the first half of a SHA-256.
type RowSum [16]byte

// BatchRow is one row of a batch, on its way in: either an operation or the reason why it is none; or neither, for one that
// was stored before and is only compared.
type BatchRow struct {
	// Row counts from 1.
	Row int64
	// Sum is kept beside it, and compared when the row comes again.
	Sum RowSum
	// Operation is what the row asks for; its Issuer, Batch and Row are set by the store. Nil when Rejected is set.
	Operation *Operation
	// Rejected says what is wrong with the row.
	Rejected *Failure
}

// RowStatus is one row of a batch as it stands.
type RowStatus struct {
	Row int64
	// Operation, State, Subject, Type and Hash are empty for a row that never became an operation. Hash is that of the
	// validated transaction, where there is one.
	Operation OperationID
	State     State
	Subject   Address
	Type      CredentialType
	Hash      string
	// Failure says why a row came to nothing; nil where it did not.
	Failure *Failure
}

// NewRequestID makes an id of a time, for what has to have one before it is stored.
func NewRequestID(at time.Time) OperationID {
	var rest [10]byte
	_, _ = rand.Read(rest[:])
	return NewOperationID(at.UnixMilli(), rest)
}
