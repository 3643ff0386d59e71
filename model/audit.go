package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// AuditEntry is one line of the audit log: a decision, or a call of the administrators' side. Each holds the hash of the
// one before, so that one which is changed, removed or put elsewhere shows.
type AuditEntry struct {
	// Seq counts from 1, without gaps. Seq, Time, Previous and Hash are given by the store.
	Seq  int64
	Time time.Time
	// Actor is a [Principal]'s, or one of the actors that are not callers; "cli:USER" for who runs the program.
	Actor string
	// Action is what was done, such as "credential.revoke"; Target what it was done to, such as "rSubject/Member".
	Action, Target string
	// Status is the HTTP status of a call; 0 where there was none.
	Status int
	// RequestID is of the call; empty where there was none.
	RequestID string
	// Detail is one JSON object, nothing secret and nothing of documents; nil for nothing.
	Detail json.RawMessage
	// Previous is the Hash of the entry before; zeros for the first one.
	Previous, Hash [32]byte
}

// The actions that the store itself writes entries of, each in the transaction that does it. A time in a Detail is in
// seconds since the Ripple Epoch where it is an expiration, and RFC 3339 otherwise; a URI is in hex.
const (
	// ActionIssue and ActionRevoke: an operation was stored, other than by a batch or a decision. The target is the
	// subject, a slash, and the type as [CredentialType.Text].
	ActionIssue  = "credential.issue"
	ActionRevoke = "credential.revoke"
	// ActionCancel: an operation was dropped. The target is its id.
	ActionCancel = "operation.cancel"
	// ActionSettle: an operator ended an operation that no node can decide. The target is its id.
	ActionSettle = "operation.settle"
	// ActionQuarantine: an operation in the database was not authentic, and was refused. The target is its id.
	ActionQuarantine = "operation.quarantine"
	// ActionAdopt: operations and requests of a release without MACs were given one. It is there at most once.
	ActionAdopt = "journal.adopt"
	// ActionRows and ActionCancelBatch: rows of a batch were stored, or dropped. The target is the batch's id.
	ActionRows        = "batch.rows"
	ActionCancelBatch = "batch.cancel"
	// ActionRequest, ActionApprove, ActionReject, ActionLapse, ActionWithdraw, ActionErase: what became of a request.
	// The target is its id.
	ActionRequest  = "request.create"
	ActionApprove  = "request.approve"
	ActionReject   = "request.reject"
	ActionLapse    = "request.lapse"
	ActionWithdraw = "request.withdraw"
	ActionErase    = "request.erase"
	// ActionTokenCreate and ActionTokenRevoke: the target is the token's name.
	ActionTokenCreate = "token.create"
	ActionTokenRevoke = "token.revoke"
	// ActionTokenDeny and ActionTokenAllow: the target is the kind of a [Denial], a colon, and its value.
	ActionTokenDeny  = "token.deny"
	ActionTokenAllow = "token.allow"
)

// Sum returns the hash of an entry: SHA-256 over its fields, each with its length before it, so that nothing can be moved
// from one field into the next. The time counts in microseconds, which is what stores keep.
func (e AuditEntry) Sum() [32]byte {
	h := sha256.New()
	put := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = h.Write(n[:])
		_, _ = h.Write(b)
	}
	number := func(n int64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		put(b[:])
	}
	put([]byte("audit entry 1"))
	put(e.Previous[:])
	number(e.Seq)
	number(e.Time.UnixMicro())
	for _, s := range []string{e.Actor, e.Action, e.Target, e.RequestID} {
		put([]byte(s))
	}
	number(int64(e.Status))
	put(e.Detail)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// MarshalJSON writes an entry as it is shown and exported, with all that [AuditEntry.Sum] is made of: the time in UTC, in
// microseconds, and hashes in hex.
func (e AuditEntry) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Seq       int64           `json:"seq"`
		Time      string          `json:"time"`
		Actor     string          `json:"actor"`
		Action    string          `json:"action"`
		Target    string          `json:"target,omitempty"`
		Status    int             `json:"status,omitempty"`
		RequestID string          `json:"request_id,omitempty"`
		Detail    json.RawMessage `json:"detail,omitempty"`
		Previous  string          `json:"previous"`
		Hash      string          `json:"hash"`
	}{e.Seq, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), e.Actor, e.Action, e.Target, e.Status, e.RequestID, e.Detail,
		hashText(e.Previous), hashText(e.Hash)})
}

// HashText is the hash as it is shown: 64 upper-case hex digits.
func (e AuditEntry) HashText() string { return hashText(e.Hash) }

func hashText(sum [32]byte) string { return strings.ToUpper(hex.EncodeToString(sum[:])) }
