package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// MaxRowsAtOnce is how many rows of a batch are added or listed with one call.
const MaxRowsAtOnce = 1000

// CreateBatch stores a batch without rows. One whose key came before with the same request is not stored: the first
// one's batch is returned as it stands, so that adding goes on with row Rows+1, and replayed is true. Error codes:
// badRequest (the key's form), idempotencyKeyReused, storeUnavailable.
func (s *Store) CreateBatch(ctx context.Context, b model.Batch) (stored model.Batch, replayed bool, err error) {
	if b.Issuer == "" {
		return b, false, misuse("a batch without an issuer")
	}
	if err := checkID(b.ID, b.Key); err != nil {
		return b, false, err
	}
	if b.ID == "" {
		b.ID = s.ids.next(s.now())
	}
	id := b.ID
	err = s.write(ctx, "storing a batch", func(t *txn) error {
		b.ID, replayed = id, false
		b.Actor, b.RequestID = short(b.Actor), short(b.RequestID)
		b.State, b.Rows, b.Created, b.Updated = model.BatchReceiving, 0, t.now, t.now
		if b.Key != nil {
			claims := []keyClaim{{issuer: b.Issuer, key: *b.Key, batch: id}}
			if err := s.claim(t, claims); err != nil {
				return err
			}
			switch c := claims[0]; {
			case c.claimed:
			case !c.found:
				return &model.Error{Code: model.CodeStoreUnavailable, Message: "another request with this Idempotency-Key was withdrawn just now: ask again",
					RetryAfter: retryAfter, Cause: errors.New("a key was taken and gone")}
			case !c.same || c.standingBatch == "":
				return keyReused()
			default:
				b.ID, replayed = c.standingBatch, c.standingBatch != id
				return nil
			}
		}
		_, err := t.exec("INSERT INTO batches (id, issuer, state, rows, created, updated, actor, request_id)"+
			" VALUES ($1, $2, $3, 0, $4, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
			string(id), string(b.Issuer), string(b.State), t.now.UnixMicro(), b.Actor, b.RequestID)
		return err
	})
	if err != nil || !replayed {
		return b, false, err
	}
	st, err := s.Batch(ctx, b.ID)
	return st.Batch, true, err
}

// lockBatch reads a batch and keeps others from changing it.
func (t *txn) lockBatch(id model.OperationID) (model.Batch, error) {
	b := model.Batch{ID: id}
	var cancelled sql.NullInt64
	err := t.tx.QueryRowContext(t.ctx, "SELECT issuer, state, rows, cancelled, actor, request_id FROM batches WHERE id = $1"+t.forUpdate, text(string(id))).
		Scan(&b.Issuer, &b.State, &b.Rows, &cancelled, &b.Actor, &b.RequestID)
	if errors.Is(err, sql.ErrNoRows) {
		return b, noBatch(id)
	}
	b.Cancelled = instant(cancelled)
	return b, err
}

// instant reads a time that may be NULL.
func instant(at sql.NullInt64) time.Time {
	if !at.Valid {
		return time.Time{}
	}
	return time.UnixMicro(at.Int64).UTC()
}

// complete says why a batch takes no more rows.
func complete(b model.Batch) error {
	if !b.Cancelled.IsZero() {
		return wrongState("batch %s was cancelled, with %d rows: send what is left as another batch", b.ID, b.Rows)
	}
	return wrongState("batch %s has all of its %d rows already: send others as another batch", b.ID, b.Rows)
}

// sumSize is how many bytes of batch_sums a row has.
const sumSize = len(model.RowSum{})

// compareRows holds rows that are there already against what was stored. Of a batch that was complete for long enough the sums are gone:
// then nobody can say any more whether they are the same. One that an earlier release began has none, and is not compared while it
// receives.
func (s *Store) compareRows(t *txn, b model.Batch, rows []model.BatchRow) error {
	first, last := rows[0].Row, min(rows[len(rows)-1].Row, b.Rows)
	if first > last {
		return nil
	}
	stored, err := t.query("SELECT first_row, sums, hash_key FROM batch_sums WHERE batch = $1 AND first_row > $2 AND first_row <= $3 ORDER BY first_row",
		string(b.ID), first-MaxRowsAtOnce, last)
	compared := int64(0)
	err = each(stored, err, func(stored *sql.Rows) error {
		var from int64
		var sums []byte
		var name string
		if err := stored.Scan(&from, &sums, &name); err != nil {
			return err
		}
		k, ok := s.hashKey(name)
		if !ok {
			return nil
		}
		for n := max(first, from); n <= last && (n-from+1)*int64(sumSize) <= int64(len(sums)); n++ {
			compared++
			if at := (n - from) * int64(sumSize); model.RowSum(sums[at:at+int64(sumSize)]) != k.row(b.ID, n, rows[n-first].Sum) {
				return wrongState("row %d is not the row %[1]d that batch %s has: a batch is gone on with by sending the same rows again, from the first one on; "+
					"send other rows as another batch", n, b.ID)
			}
		}
		return nil
	})
	if err == nil && compared < last-first+1 && b.State != model.BatchReceiving {
		return wrongState("batch %s has had all of its %d rows for so long that what they were cannot be compared any more: ask what became of them, "+
			"and send other rows as another batch", b.ID, b.Rows)
	}
	return err
}

// AddRows stores rows of a batch: all of them, or none; at most [MaxRowsAtOnce]. Rows that are there already are compared
// by their sums and passed over, so that a sender that is not sure may send them again; what is left must go on from the
// last one without a gap. A row for a subject and type that another operation is open for becomes a rejected one, which
// says so. It returns how many rows the batch has now. Error codes: batchNotFound, badRequest (a gap in the rows),
// wrongState (a row is not the one that is there, or the batch is received), storeUnavailable.
func (s *Store) AddRows(ctx context.Context, id model.OperationID, rows []model.BatchRow) (int64, error) {
	if len(rows) > MaxRowsAtOnce {
		return 0, misuse("%d rows at once", len(rows))
	}
	for i, r := range rows {
		if r.Row < 1 || i > 0 && r.Row != rows[i-1].Row+1 || r.Operation != nil && r.Rejected != nil {
			return 0, misuse("row %d of a batch does not follow, or is both an operation and rejected", r.Row)
		}
	}
	ids := make([]model.OperationID, len(rows)) // the same when the transaction is run again
	for i := range ids {
		ids[i] = s.ids.next(s.now())
	}
	var have int64
	err := s.write(ctx, "storing rows of a batch", func(t *txn) error {
		b, err := t.lockBatch(id)
		if err != nil {
			return err
		}
		have = b.Rows
		if len(rows) == 0 {
			return nil
		}
		if err := s.compareRows(t, b, rows); err != nil || rows[len(rows)-1].Row <= b.Rows {
			return err
		}
		if b.State != model.BatchReceiving {
			return complete(b)
		}
		if rows[0].Row > b.Rows+1 {
			return model.BadRequest("rows", fmt.Sprintf("must go on from row %d", b.Rows+1))
		}
		var group []*creation
		var rejected []row
		hashKey := s.hashKeys[0]
		var sums []byte
		reject := func(n int64, f model.Failure) {
			rejected = append(rejected, row{string(id), n, text(string(f.Code)), text(f.Message), t.now.UnixMicro()})
		}
		for i, r := range rows {
			if r.Row > b.Rows {
				sum := hashKey.row(id, r.Row, r.Sum)
				sums = append(sums, sum[:]...)
			}
			switch {
			case r.Row <= b.Rows:
			case r.Operation == nil && r.Rejected == nil:
				return misuse("row %d of a batch is neither an operation nor rejected", r.Row)
			case r.Rejected != nil:
				f := *r.Rejected
				if f.Code == "" {
					f.Code = model.CodeBadRequest
				}
				reject(r.Row, f)
			default:
				c := &creation{op: *r.Operation}
				c.op.ID, c.op.Issuer, c.op.Key, c.op.Nonce = ids[i], b.Issuer, nil, nil
				if c.op.Actor == "" {
					c.op.Actor, c.op.RequestID = b.Actor, b.RequestID
				}
				c.op.Batch, c.op.Row = id, r.Row
				if c.op.Limits != nil {
					return misuse("row %d of a batch has limits", r.Row)
				}
				if err := checkRequested(c.op); err != nil {
					return fmt.Errorf("row %d: %w", r.Row, err)
				}
				group = append(group, c)
			}
		}
		if err := s.create(t, group); err != nil {
			return err
		}
		for _, c := range group {
			if c.err == nil {
				continue
			}
			var e *model.Error
			if errors.As(c.err, &e) && e.Code == model.CodeInProgress {
				reject(c.op.Row, model.Failure{Code: e.Code, Message: e.Message})
				continue
			}
			return c.err
		}
		if len(rejected) > 0 {
			err := t.insertRows("batch_rejections", rejected, "batch text", "batch_row bigint", "failure_code text", "failure_message text", "created bigint")
			if err != nil {
				return err
			}
		}
		if _, err := t.exec("INSERT INTO batch_sums (batch, first_row, sums, hash_key) VALUES ($1, $2, $3, $4)", string(id), b.Rows+1, sums, hashKey.name); err != nil {
			return err
		}
		if len(group) > 0 {
			b.Actor, b.RequestID = group[0].op.Actor, group[0].op.RequestID
		}
		t.audit(chunkOf(b, group, rejected))
		have = rows[len(rows)-1].Row
		_, err = t.exec("UPDATE batches SET rows = $2, updated = $3 WHERE id = $1", string(id), have, t.now.UnixMicro())
		return err
	})
	return have, err
}

// SealBatch says that all rows of a batch are there, and how many there must be. Error codes: batchNotFound, wrongState
// (another number of rows is there), storeUnavailable.
func (s *Store) SealBatch(ctx context.Context, id model.OperationID, rows int64) error {
	return s.write(ctx, "completing a batch", func(t *txn) error {
		b, err := t.lockBatch(id)
		if err != nil {
			return err
		}
		switch {
		case b.Rows == rows:
		case b.State != model.BatchReceiving:
			return complete(b)
		default:
			return wrongState("batch %s has %d rows, and %d were sent: send all of them again, from the first one on", id, b.Rows, rows)
		}
		_, err = t.exec("UPDATE batches SET state = 'received', updated = $2 WHERE id = $1 AND state = 'receiving'", string(id), t.now.UnixMicro())
		return err
	})
}

// CancelBatch drops those of a batch's rows that are pending, and says how many; of one that is receiving no more rows are
// taken. Rows that are signed go on. Where nothing is left to drop, it changes nothing. No event tells of the rows, unlike of an
// operation that is cancelled by itself: a hundred thousand of them would say what whoever cancels knows. by is who does it: its
// Actor, RequestID and Status. Error codes: batchNotFound, storeUnavailable.
func (s *Store) CancelBatch(ctx context.Context, id model.OperationID, why model.Failure, by model.AuditEntry) (int64, error) {
	o := model.Outcome{State: model.StateCancelled}
	if why.Code != "" {
		o.Failure = &why
	}
	f := failureOf(o)
	var total int64
	for {
		var n int
		err := s.write(ctx, "cancelling a batch", func(t *txn) error {
			b, err := t.lockBatch(id)
			if err != nil {
				return err
			}
			rows, err := t.query("UPDATE operations SET state = 'cancelled', failure_code = $2, failure_message = $3, updated = $4, mac = ''"+
				" WHERE id IN (SELECT id FROM operations WHERE batch = $1 AND state = 'pending' ORDER BY id LIMIT $5"+t.forUpdate+") RETURNING id",
				string(id), text(string(f.Code)), text(f.Message), t.now.UnixMicro(), MaxRowsAtOnce)
			err = each(rows, err, func(rows *sql.Rows) error {
				var op model.OperationID
				err := rows.Scan(&op)
				t.final = append(t.final, op)
				t.concluded[b.Issuer] = true
				return err
			})
			n = len(t.final)
			first := b.Cancelled.IsZero() && (n > 0 || b.State == model.BatchReceiving)
			if err == nil && (n > 0 || first) {
				t.audit(doneBy(by, model.ActionCancelBatch, string(id), cancelled{Operations: n, Code: f.Code}))
			}
			if err == nil && first {
				_, err = t.exec("UPDATE batches SET state = 'received', cancelled = $2, updated = $2 WHERE id = $1", string(id), t.now.UnixMicro())
			}
			return err
		})
		total += int64(n)
		if err != nil || n < MaxRowsAtOnce {
			return total, err
		}
	}
}

// Receiving counts the batches, of any account, whose rows are not all there, and that nothing was added to since before,
// and returns the oldest of them. Error code: storeUnavailable.
func (s *Store) Receiving(ctx context.Context, before time.Time) (n int64, oldest model.OperationID, err error) {
	err = s.readDB.QueryRowContext(ctx, "SELECT count(*), coalesce(min(id), '') FROM batches WHERE state = 'receiving' AND updated < $1", before.UnixMicro()).
		Scan(&n, &oldest)
	return n, oldest, fault("counting batches that are receiving", err)
}

// Batch returns how far a batch has come. Error codes: batchNotFound, storeUnavailable.
func (s *Store) Batch(ctx context.Context, id model.OperationID) (model.BatchStatus, error) {
	st, err := s.batch(ctx, id)
	return st, fault("reading a batch", err)
}

func (s *Store) batch(ctx context.Context, id model.OperationID) (model.BatchStatus, error) {
	st := model.BatchStatus{Batch: model.Batch{ID: id}, Counts: map[model.State]int64{}}
	var created, updated int64
	var cancelled sql.NullInt64
	err := s.readDB.QueryRowContext(ctx, "SELECT issuer, state, rows, created, updated, cancelled, actor, request_id FROM batches WHERE id = $1", text(string(id))).
		Scan(&st.Issuer, &st.State, &st.Rows, &created, &updated, &cancelled, &st.Actor, &st.RequestID)
	if errors.Is(err, sql.ErrNoRows) {
		return st, noBatch(id)
	}
	if err != nil {
		return st, err
	}
	st.Created, st.Updated, st.Cancelled = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC(), instant(cancelled)
	rows, err := s.readDB.QueryContext(ctx, "SELECT state, count(*) FROM operations WHERE batch = $1 GROUP BY state"+
		" UNION ALL SELECT '', count(*) FROM batch_rejections WHERE batch = $1", string(id))
	return st, each(rows, err, func(rows *sql.Rows) error {
		var state model.State
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return err
		}
		if state == "" {
			st.Rejected = n
		} else {
			st.Counts[state] = n
		}
		return nil
	})
}

// BatchRows returns up to limit rows of a batch that come after a row, in their order; failed leaves out all but those
// that came to nothing. At most [MaxRowsAtOnce] are returned. Error codes: batchNotFound, storeUnavailable.
func (s *Store) BatchRows(ctx context.Context, id model.OperationID, after int64, limit int, failed bool) ([]model.RowStatus, error) {
	limit = min(limit, MaxRowsAtOnce)
	if limit <= 0 {
		limit = MaxRowsAtOnce
	}
	var issuer string
	err := s.readDB.QueryRowContext(ctx, "SELECT issuer FROM batches WHERE id = $1", text(string(id))).Scan(&issuer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noBatch(id)
	}
	if err != nil {
		return nil, fault("reading a batch", err)
	}
	only := ""
	if failed {
		only = " AND o.failure_code IS NOT NULL"
	}
	var out []model.RowStatus
	rows, err := s.readDB.QueryContext(ctx, "SELECT * FROM (SELECT o.batch_row AS n, o.id, o.state, o.subject, o.type, a.hash, o.failure_code, o.failure_message"+
		" FROM operations o LEFT JOIN attempts a ON a.operation = o.id AND a.state = 'validated' WHERE o.batch = $1 AND o.batch_row > $2"+only+
		" ORDER BY o.batch_row LIMIT $3) AS stored"+
		" UNION ALL SELECT * FROM (SELECT b.batch_row, '', '', '', '', '', b.failure_code, b.failure_message"+
		" FROM batch_rejections b WHERE b.batch = $1 AND b.batch_row > $2 ORDER BY b.batch_row LIMIT $3) AS rejected ORDER BY n LIMIT $3",
		string(id), after, limit)
	err = each(rows, err, func(rows *sql.Rows) error {
		var r model.RowStatus
		var typ string
		var hash, code, message sql.NullString
		if err := rows.Scan(&r.Row, &r.Operation, &r.State, &r.Subject, &typ, &hash, &code, &message); err != nil {
			return err
		}
		if typ != "" {
			if r.Type, err = model.ParseTypeHex(typ); err != nil {
				return err
			}
		}
		r.Hash = hash.String
		if code.Valid {
			r.Failure = &model.Failure{Code: model.Code(code.String), Message: message.String}
		}
		out = append(out, r)
		return nil
	})
	return out, fault("reading a batch", err)
}
