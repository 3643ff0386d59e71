package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// selectOperations is followed by a condition on o. scanOperation reads it.
const selectOperations = "SELECT o.id, o.issuer, o.kind, o.subject, o.type, o.expiration, o.uri, o.tickets, o.batch, o.batch_row, o.state," +
	" o.failure_code, o.failure_message, o.created, o.updated, o.actor, o.request_id," +
	" CASE WHEN n.id IS NULL THEN 0 ELSE 1 END, k.key, o.mac," +
	// A row is signed or final once it has an attempt. A subquery that returns one value is never hashed over all attempts.
	" CASE WHEN o.state = 'pending' AND (SELECT a.n FROM attempts a WHERE a.operation = o.id LIMIT 1) IS NOT NULL THEN 1 ELSE 0 END" +
	" FROM operations o LEFT JOIN idempotency_keys k ON k.operation = o.id LEFT JOIN renewals n ON n.id = o.id WHERE "

// scanOperation reads an operation. One that is open and not authentic, or has fields that no operation can have, is marked, so
// that it does not keep others from being read.
func (s *Store) scanOperation(rows *sql.Rows) (model.Operation, error) {
	op, mac, begun, err := scanRow(rows)
	if op.ID == "" || op.State.Final() {
		return op, err
	}
	if len(s.journalKeys) > 0 {
		op.Unauthentic = err != nil || begun || !s.authenticOperation(&op, mac)
		return op, nil
	}
	return op, err
}

func scanRow(rows *sql.Rows) (_ model.Operation, mac string, begun bool, err error) {
	var op model.Operation
	var subject, typ, uri, batch, code, message, key sql.NullString
	var expiration, tickets, row sql.NullInt64
	var created, updated int64
	var renew, attempted int
	err = rows.Scan(&op.ID, &op.Issuer, &op.Kind, &subject, &typ, &expiration, &uri, &tickets, &batch, &row, &op.State,
		&code, &message, &created, &updated, &op.Actor, &op.RequestID, &renew, &key, &mac, &attempted)
	if err != nil {
		return model.Operation{}, "", false, err
	}
	op.Subject, op.Batch, op.Row = model.Address(subject.String), model.OperationID(batch.String), row.Int64
	op.Tickets, op.Renew = uint32(tickets.Int64), renew == 1
	op.Created, op.Updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if typ.Valid {
		if op.Type, err = model.ParseTypeHex(typ.String); err != nil {
			return op, mac, attempted == 1, err
		}
	}
	if uri.Valid {
		if op.URI, err = model.ParseURIHex(uri.String); err != nil {
			return op, mac, attempted == 1, err
		}
	}
	if expiration.Valid {
		e := uint32(expiration.Int64)
		op.Expiration = &e
	}
	if code.Valid {
		op.Failure = &model.Failure{Code: model.Code(code.String), Message: message.String}
	}
	op.Key = storedKey(key)
	return op, mac, attempted == 1, nil
}

// storedKey is a key as it was stored, without the hash of its request, which nobody gets back; nil where there is none.
func storedKey(key sql.NullString) *model.IdempotencyKey {
	if !key.Valid {
		return nil
	}
	return &model.IdempotencyKey{Key: key.String}
}

// selectAttempts is followed by a condition on a. scanAttempt reads it.
const selectAttempts = "SELECT a.operation, a.n, a.hash, a.blob, a.sequence, a.ticket, a.last_ledger_sequence, a.first_ledger, a.fee," +
	" a.replaces, a.epoch, a.state, a.compact_id, a.ledger_index, a.result, a.result_code, a.result_message, a.body FROM attempts a WHERE "

func scanAttempt(rows *sql.Rows) (model.Attempt, *model.Validated, error) {
	var a model.Attempt
	var blob, body []byte
	var ctid, result, message sql.NullString
	var index, code sql.NullInt64
	err := rows.Scan(&a.Operation, &a.N, &a.Hash, &blob, &a.Sequence, &a.Ticket, &a.LastLedgerSequence, &a.FirstLedger, &a.Fee,
		&a.Replaces, &a.Epoch, &a.State, &ctid, &index, &result, &code, &message, &body)
	if err != nil {
		return a, nil, err
	}
	a.Blob = upperHex(blob)
	if a.State != model.AttemptValidated {
		return a, nil, nil
	}
	return a, &model.Validated{Hash: a.Hash, CTID: ctid.String, LedgerIndex: uint32(index.Int64), EngineResult: result.String,
		EngineResultCode: int(code.Int64), EngineResultMessage: message.String, Body: body}, nil
}

// operations runs a query of selectOperations, and adds their attempts where asked to.
func (s *Store) operations(ctx context.Context, attempts bool, condition string, args ...any) ([]model.Operation, error) {
	var ops []model.Operation
	rows, err := s.query(ctx, selectOperations+condition, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		op, err := s.scanOperation(rows)
		ops = append(ops, op)
		return err
	})
	if err != nil || !attempts || len(ops) == 0 {
		return ops, err
	}
	at := make(map[model.OperationID]int, len(ops))
	var begun []string
	for i, op := range ops {
		if op.State != model.StatePending && op.State != model.StateCancelled {
			at[op.ID] = i
			begun = append(begun, string(op.ID))
		}
	}
	if len(begun) == 0 {
		return ops, nil
	}
	list, err := s.d.list(begun)
	if err != nil {
		return nil, err
	}
	rows, err = s.query(ctx, selectAttempts+s.d.in("a.operation", 1)+" ORDER BY a.operation, a.n", list)
	err = each(rows, err, func(rows *sql.Rows) error {
		a, result, err := scanAttempt(rows)
		if err != nil {
			return err
		}
		op := &ops[at[a.Operation]]
		op.Attempts = append(op.Attempts, a)
		if result != nil && op.State.Final() { // one that was read a moment before it became final stays as it was read
			op.Result = result
		}
		return nil
	})
	return ops, err
}

// Operation returns an operation with its attempts; one that renews and is not stored yet as pending. Error codes: operationNotFound, storeUnavailable.
func (s *Store) Operation(ctx context.Context, id model.OperationID) (model.Operation, error) {
	ops, err := s.operations(ctx, true, "o.id = $1", text(string(id)))
	if err == nil && len(ops) == 0 {
		ops, err = s.byID(ctx, []string{text(string(id))})
	}
	return one(ops, err, "reading operation "+text(string(id)), noOperation(id))
}

// ByHash returns the operation that a transaction was signed for, with its attempts. Error codes: operationNotFound,
// storeUnavailable.
func (s *Store) ByHash(ctx context.Context, hash string) (model.Operation, error) {
	hash = strings.ToUpper(text(hash))
	ops, err := s.operations(ctx, true, "o.id = (SELECT a.operation FROM attempts a WHERE a.hash = $1)", hash)
	return one(ops, err, "reading the operation of a transaction",
		&model.Error{Code: model.CodeOperationNotFound, Message: "no operation has this transaction"})
}

func one(ops []model.Operation, err error, doing string, none error) (model.Operation, error) {
	switch {
	case err != nil:
		return model.Operation{}, fault(doing, err)
	case len(ops) == 0:
		return model.Operation{}, none
	}
	return ops[0], nil
}

// Open returns all operations of an account that are not final, with their attempts, oldest first. There may be very
// many; a lane does better with [Store.InFlight] and [Store.Pending].
func (s *Store) Open(ctx context.Context, issuer model.Address) ([]model.Operation, error) {
	ops, err := s.operations(ctx, true, "o.issuer = $1 AND o.state IN ('pending', 'signed') ORDER BY o.id", string(issuer))
	return ops, fault("reading what is open", err)
}

// InFlight returns an account's operations that are signed and not final, with their attempts, oldest first: what a
// lane finishes before it begins anything. A lane bounds how many there can be. Nothing more may be signed for one that is
// Unauthentic: what was signed for it before is followed to its end.
func (s *Store) InFlight(ctx context.Context, issuer model.Address) ([]model.Operation, error) {
	ops, err := s.operations(ctx, true, "o.issuer = $1 AND o.state = 'signed' ORDER BY o.id", string(issuer))
	return ops, fault("reading what is signed", err)
}

// Pending returns up to limit of an account's operations that nothing is signed for, in the order in which they are to
// be: first those that somebody waits for, then the rows of batches; the oldest first. One that is not authentic is not returned:
// it becomes refused, with [model.CodeNotAuthentic].
func (s *Store) Pending(ctx context.Context, issuer model.Address, limit int) ([]model.Operation, error) {
	if limit <= 0 {
		return nil, nil
	}
	for {
		ops, err := s.operations(ctx, false, "o.issuer = $1 AND o.state = 'pending' ORDER BY o.priority, o.id LIMIT $2", string(issuer), limit)
		if err != nil {
			return nil, fault("reading what is pending", err)
		}
		var forged []model.Operation
		authentic := ops[:0]
		for _, op := range ops {
			if op.Unauthentic {
				forged = append(forged, op)
			} else {
				authentic = append(authentic, op)
			}
		}
		if len(forged) == 0 {
			return authentic, nil
		}
		if err := s.quarantine(ctx, forged); err != nil {
			return nil, err
		}
	}
}

// Depth is how much of an account's work is open.
type Depth struct{ Pending, Signed int64 }

// Depth counts an account's open operations.
func (s *Store) Depth(ctx context.Context, issuer model.Address) (Depth, error) {
	var d Depth
	err := s.readDB.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM operations WHERE issuer = $1 AND state = 'pending'),"+
		" (SELECT count(*) FROM operations WHERE issuer = $1 AND state = 'signed')", string(issuer)).Scan(&d.Pending, &d.Signed)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return d, fault("counting what is open", err)
}
