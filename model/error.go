package model

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code names what went wrong, for programs. Besides the codes below, the engine result of a transaction that failed
// for good (any `tec…`) is a code too.
type Code string

// The codes that are not engine results, and the engine results that rooms ask about by name.
const (
	// CodeBadRequest: the caller's words are wrong; the message names the field and what it must be.
	CodeBadRequest Code = "badRequest"
	// CodeEntryNotFound: no such credential stands on the ledger.
	CodeEntryNotFound Code = "entryNotFound"
	// CodeAccountNotFound: no such account stands on the ledger.
	CodeAccountNotFound Code = "actNotFound"
	// CodeLedgerUnavailable: no node answers, or it is behind. Pending says what may still happen, if anything.
	CodeLedgerUnavailable Code = "ledgerUnavailable"
	// CodeHistoryMissing: the node does not hold ledgers that were missed, or what it has of them cannot be read, so that what
	// happened in them cannot be told from transactions any more.
	CodeHistoryMissing Code = "historyMissing"
	// CodeNotValidated: the transaction's LastLedgerSequence passed and it is on no ledger. Asking again is safe.
	CodeNotValidated Code = "notValidated"
	// CodeInternal: a fault of ours. The cause is for the log.
	CodeInternal Code = "internal"

	CodeDuplicate           Code = "tecDUPLICATE"
	CodeNoTarget            Code = "tecNO_TARGET"
	CodeNoEntry             Code = "tecNO_ENTRY"
	CodeExpired             Code = "tecEXPIRED"
	CodeInsufficientReserve Code = "tecINSUFFICIENT_RESERVE"
)

// Final says whether the code is the final result of a transaction that stands in a ledger and cost its fee.
func (c Code) Final() bool { return strings.HasPrefix(string(c), "tec") }

// Error is what rooms tell each other, and in the end the caller, when something did not work.
type Error struct {
	Code Code
	// Message is for the caller: what was wrong, and what to change. It holds no cause and no secret.
	Message string
	// Cause is for the log.
	Cause error
	// Tx is the transaction that failed, where one did.
	Tx *Validated
	// Pending is the transaction whose result is not known yet, where there is one.
	Pending *Pending
	// RetryAfter is how long a caller does well to wait; 0 says nothing.
	RetryAfter time.Duration
}

// Pending is a transaction that was sent and that no validated ledger has decided yet. It can only still happen in
// ledgers up to LastLedgerSequence.
type Pending struct {
	Hash               string
	Sequence           uint32
	LastLedgerSequence uint32
}

// Error implements error with all there is, for logs. Callers are shown Code and Message.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Pending != nil {
		s += fmt.Sprintf(" (transaction %s may be validated up to ledger %d)", e.Pending.Hash, e.Pending.LastLedgerSequence)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// BadRequest says that a field of a request is wrong. The rest reads on from the field's name: "must be …".
func BadRequest(field, rest string) *Error {
	return &Error{Code: CodeBadRequest, Message: field + " " + rest}
}

// CodeOf returns the code of the [*Error] in err's chain, or "" where there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
