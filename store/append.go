package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// maxShort is how many characters of an actor, an action, a target or a call's id are kept; what is longer ends in "…".
	maxShort = 1000
	// maxDetail bounds an entry's detail and an event's data, in bytes.
	maxDetail = 64 << 10
)

// short makes s storable in a log.
func short(s string) string {
	if s = text(s); utf8.RuneCountInString(s) <= maxShort {
		return s
	}
	return string([]rune(s)[:maxShort]) + "…"
}

// tell adds an event to what t commits.
func (t *txn) tell(e model.Event) { t.events = append(t.events, e) }

// audit adds an entry of the audit log to what t commits.
func (t *txn) audit(e model.AuditEntry) { t.audited = append(t.audited, e) }

// appendLogs writes t's events and entries of the audit log, and numbers them. From here on t holds the row that everybody
// does who appends: nothing but the commit may follow, and no statement here may wait for another row. So numbers follow
// the order of the commits, and nobody can be locked out crosswise.
func (s *Store) appendLogs(t *txn) error {
	if len(t.events) == 0 && len(t.audited) == 0 {
		return nil
	}
	var event, entry int64
	var hash string
	err := t.tx.QueryRowContext(t.ctx, "SELECT event, entry, hash FROM heads WHERE id = 1"+t.forUpdate).Scan(&event, &entry, &hash)
	if err != nil {
		return err
	}
	if err := s.appendEvents(t, event); err != nil {
		return err
	}
	if hash, err = t.appendEntries(entry, hash); err != nil {
		return err
	}
	if len(t.audited) > 0 {
		t.head = head{entry + int64(len(t.audited)), hash}
	}
	_, err = t.exec("UPDATE heads SET event = $1, entry = $2, hash = $3 WHERE id = 1",
		event+int64(len(t.events)), entry+int64(len(t.audited)), hash)
	return err
}

func (s *Store) appendEvents(t *txn, last int64) error {
	if len(t.events) == 0 {
		return nil
	}
	rows := make([]row, len(t.events))
	for i := range t.events {
		e := &t.events[i]
		if err := checkObject(e.Data); err != nil {
			return misuse("the data of an event %q: %w", e.Kind, err)
		}
		if e.ID == "" {
			e.ID = s.ids.next(t.now)
		}
		if e.Time.IsZero() {
			e.Time = t.now
		}
		e.Seq = last + 1 + int64(i)
		rows[i] = row{e.Seq, string(e.ID), e.Time.UnixMicro(), string(e.Kind), short(e.Actor), string(e.Issuer), string(e.Subject), e.Type.Hex(),
			nullable(string(e.Application)), nullable(string(e.Operation)), nullable(string(e.Data))}
	}
	return t.insertRows("events", rows, "seq bigint", "id text", "time bigint", "kind text", "actor text", "issuer text", "subject text", "type text",
		"application text", "operation text", "data text")
}

func (t *txn) appendEntries(last int64, hash string) (string, error) {
	if len(t.audited) == 0 {
		return hash, nil
	}
	previous, err := parseHash(hash)
	if err != nil {
		return "", fmt.Errorf("the head of the audit log: %w", err)
	}
	rows := make([]row, len(t.audited))
	for i := range t.audited {
		e := &t.audited[i]
		if err := checkEntry(*e); err != nil {
			return "", err
		}
		e.Seq, e.Time, e.Previous = last+1+int64(i), t.now, previous
		e.Actor, e.Action, e.Target, e.RequestID = short(e.Actor), short(e.Action), short(e.Target), short(e.RequestID)
		e.Hash = e.Sum()
		hash = hex.EncodeToString(e.Hash[:])
		rows[i] = row{e.Seq, e.Time.UnixMicro(), e.Actor, e.Action, e.Target, e.Status, e.RequestID, nullable(string(e.Detail)),
			hex.EncodeToString(previous[:]), hash}
		previous = e.Hash
	}
	return hash, t.insertRows("audit", rows, "seq bigint", "time bigint", "actor text", "action text", "target text", "status bigint",
		"request_id text", "detail text", "previous text", "hash text")
}

func checkEntry(e model.AuditEntry) error {
	if e.Action == "" || e.Status < 0 || e.Status > 999 {
		return misuse("an audit entry has action %q and status %d", e.Action, e.Status)
	}
	if err := checkObject(e.Detail); err != nil {
		return misuse("the detail of an audit entry %q: %w", e.Action, err)
	}
	return nil
}

// checkObject refuses what is not one JSON object that comes back byte for byte.
func checkObject(b json.RawMessage) error {
	switch {
	case len(b) == 0:
		return nil
	case len(b) > maxDetail:
		return fmt.Errorf("it has %d bytes, and %d are allowed", len(b), maxDetail)
	case !utf8.Valid(b) || !bytes.HasPrefix(b, []byte("{")) || !json.Valid(b):
		return fmt.Errorf("it is no JSON object")
	}
	return nil
}

// object makes a detail of a value that has no fault in it.
func object(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of this package that cannot be written
	}
	return b
}

func parseHash(s string) (hash [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(hash) {
		return hash, fmt.Errorf("%q is no SHA-256", text(s))
	}
	return [32]byte(b), nil
}
