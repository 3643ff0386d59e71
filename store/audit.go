package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// maxPage is how many entries or events are read with one call.
const maxPage = 1000

func page(limit int) int {
	if limit <= 0 {
		return maxPage
	}
	return min(limit, maxPage)
}

// Audit adds entries to the audit log, in this order: all of them, or none. What the store itself does it writes entries
// of by itself; see [model.ActionIssue] and those beside it. This is the one function that is not done once when it is
// called again, or when a connection breaks at its end: an entry may be there twice rather than not at all. Error code:
// storeUnavailable.
func (s *Store) Audit(ctx context.Context, entries ...model.AuditEntry) error {
	for _, e := range entries {
		if e.Actor == "" {
			return misuse("an audit entry %q without an actor", e.Action)
		}
		if err := checkEntry(e); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return s.write(ctx, "writing to the audit log", func(t *txn) error {
		for _, e := range entries {
			t.audit(e)
		}
		return nil
	})
}

// AuditEntries returns up to limit entries behind one, in their order, as they are stored: whether the hashes are right is
// for the caller to see. At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) AuditEntries(ctx context.Context, after int64, limit int) ([]model.AuditEntry, error) {
	var out []model.AuditEntry
	rows, err := s.query(ctx, "SELECT seq, time, actor, action, target, status, request_id, detail, previous, hash"+
		" FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2", after, page(limit))
	err = each(rows, err, func(rows *sql.Rows) error {
		var e model.AuditEntry
		var at int64
		var detail sql.NullString
		var previous, hash string
		err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Target, &e.Status, &e.RequestID, &detail, &previous, &hash)
		if err != nil {
			return err
		}
		e.Time = time.UnixMicro(at).UTC()
		if detail.Valid {
			e.Detail = json.RawMessage(detail.String)
		}
		// What is no hash is none that fits: whoever checks the chain finds it, and names the entry.
		e.Previous, _ = parseHash(previous)
		e.Hash, _ = parseHash(hash)
		out = append(out, e)
		return nil
	})
	return out, fault("reading the audit log", err)
}

// AuditHead returns the last entry's number and hash, as they were noted when it was written; 0 and zeros before the first
// one. An entry that is missing at the end shows by it. Error code: storeUnavailable.
func (s *Store) AuditHead(ctx context.Context) (seq int64, hash [32]byte, err error) {
	var stored string
	if err = s.readDB.QueryRowContext(ctx, "SELECT entry, hash FROM heads WHERE id = 1").Scan(&seq, &stored); err == nil {
		hash, err = parseHash(stored)
	}
	return seq, hash, fault("reading the head of the audit log", err)
}

// asked is the detail of what was asked for.
type asked struct {
	Operation  model.OperationID `json:"operation,omitempty"`
	Expiration *uint32           `json:"expiration,omitempty"`
	URI        string            `json:"uri,omitempty"`
	Proven     bool              `json:"proven,omitempty"`
	// Deletion is of what is renewed.
	Deletion model.OperationID `json:"deletion,omitempty"`
}

func targetOf(subject model.Address, t model.CredentialType) string {
	return string(subject) + "/" + t.Text()
}

// decided is the entry of an operation that was asked for, and of the one that deletes what it renews; empty for none.
func decided(op *model.Operation, deletion model.OperationID) model.AuditEntry {
	action := model.ActionIssue
	if op.Kind == model.KindRevoke {
		action = model.ActionRevoke
	}
	return model.AuditEntry{Actor: op.Actor, Action: action, Target: targetOf(op.Subject, op.Type), RequestID: op.RequestID,
		Detail: object(asked{Operation: op.ID, Expiration: op.Expiration, URI: upperHex([]byte(op.URI)), Proven: op.Nonce != nil, Deletion: deletion})}
}

// chunk is what an entry says of rows of a batch.
type chunk struct {
	FirstRow   int64 `json:"first_row"`
	LastRow    int64 `json:"last_row"`
	Operations int   `json:"operations"`
	Rejected   int   `json:"rejected"`
	// SHA256 is of the rows in their order, one JSON array and a line feed each, as the tables have them: row, operation,
	// kind, subject, type in hex, expiration or null, URI in hex or null; of a rejected one row, code, message.
	SHA256 string `json:"sha256"`
}

// chunkOf makes the entry of rows that were stored: the operations in group that have no error, and the rejected ones.
func chunkOf(b model.Batch, group []*creation, rejected []row) model.AuditEntry {
	e := model.AuditEntry{Actor: b.Actor, Action: model.ActionRows, Target: string(b.ID), RequestID: b.RequestID}
	byRow := make(map[int64]row, len(group)+len(rejected))
	var d chunk
	add := func(n int64, r row) {
		byRow[n] = r
		if d.FirstRow == 0 || n < d.FirstRow {
			d.FirstRow = n
		}
		d.LastRow = max(d.LastRow, n)
	}
	for _, c := range group {
		if c.err == nil {
			r := operationRow(&c.op, c.op.State, c.op.Created)
			add(c.op.Row, row{c.op.Row, r[0], r[2], r[3], r[4], r[5], r[6]})
			d.Operations++
		}
	}
	for _, r := range rejected {
		add(r[1].(int64), row{r[1], r[2], r[3]})
	}
	d.Rejected = len(rejected)
	h := sha256.New()
	for n := d.FirstRow; n <= d.LastRow; n++ {
		_, _ = h.Write(append(object(byRow[n]), '\n'))
	}
	d.SHA256 = hex.EncodeToString(h.Sum(nil))
	e.Detail = object(d)
	return e
}

// cancelled is the detail of what was dropped.
type cancelled struct {
	Operations int        `json:"operations,omitempty"`
	Code       model.Code `json:"code"`
}

// doneBy is the entry of what a caller of the store did: by has its Actor, RequestID and Status.
func doneBy(by model.AuditEntry, action, target string, detail any) model.AuditEntry {
	return model.AuditEntry{Actor: by.Actor, Action: action, Target: target, Status: by.Status, RequestID: by.RequestID, Detail: object(detail)}
}
