package issuer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// MaxBatchRows is how many rows a batch may have.
	MaxBatchRows = 1_000_000
	// rowsAtOnce is how many of them are held in memory and stored in one commit.
	rowsAtOnce = 500
)

// BatchAsk says which batch rows are for.
type BatchAsk struct {
	// Key is the caller's idempotency key; nil for none. One that came before goes on with that batch.
	Key *model.IdempotencyKey
	// Batch is one that was begun before; empty for a new one.
	Batch model.OperationID
	// Actor is who sends it, for the audit log, and RequestID names the call there.
	Actor, RequestID string
}

// Row is one row of a batch on its way in.
type Row struct {
	// Sum tells its text from that of others.
	Sum model.RowSum
	// Read reads it; the error says what is wrong with it. It may be called until the next row is asked for.
	Read func() (model.CredentialRequest, error)
}

// Receive stores a batch of requests for credentials. rows yields all rows of it, from the first one on; those that are
// stored already are compared and passed over, so that a batch that broke off is completed by sending it again, and one
// with other rows is refused. An error from rows ends it; what is stored until then stays, and is worked on. begun is
// called with the batch before its first row is stored.
//
// A row goes through the same checks as a request, and what they find wrong is stored as the row's failure: it costs
// nothing. The ledger is asked about some hundred rows at a time, while those before are being stored. As many rows as
// that are held in memory, however many there are.
//
// Error codes: badRequest (no rows, or too many), batchNotFound, wrongState (the batch has other rows or another number of
// them, or was cancelled), idempotencyKeyReused, ledgerUnavailable, storeUnavailable.
func (i *Issuer) Receive(ctx context.Context, a BatchAsk, rows iter.Seq2[Row, error], begun func(model.Batch)) (model.BatchStatus, error) {
	if _, err := i.lastLedger(ctx); err != nil {
		return model.BatchStatus{}, err
	}
	var (
		batch model.Batch
		in    *intake
		n     int64
		chunk []model.BatchRow
		flaw  error // what ends it
		last  = i.ledgerOnce()
	)
	for row, err := range rows {
		if err != nil {
			flaw = err
			break
		}
		if n == 0 {
			if batch, err = i.batchFor(ctx, a); err != nil {
				return model.BatchStatus{}, err
			}
			begun(batch)
			in = i.takeIn(ctx, batch)
			defer func() { _ = in.end() }() // also where a row panics
		}
		if n++; n > MaxBatchRows {
			flaw = model.BadRequest("a batch", fmt.Sprintf(
				"must not have more than %d rows: those are stored, send the rest as another batch", MaxBatchRows))
			break
		}
		r := model.BatchRow{Row: n}
		if n > batch.Rows {
			if r, flaw = i.batchRow(ctx, a, n, row, last); flaw != nil {
				break
			}
		}
		r.Sum = row.Sum
		if chunk = append(chunk, r); len(chunk) == rowsAtOnce {
			taken := in.take(chunk)
			chunk, last = nil, i.ledgerOnce()
			if !taken {
				break
			}
		}
	}
	if in != nil {
		if len(chunk) > 0 {
			in.take(chunk)
		}
		if err := in.end(); err != nil {
			return model.BatchStatus{}, errors.Join(err, flaw)
		}
	}
	switch {
	case flaw != nil:
		return model.BatchStatus{}, flaw
	case n == 0:
		return model.BatchStatus{}, model.BadRequest("a batch", "must have at least one row")
	}
	if err := i.cfg.Journal.SealBatch(ctx, batch.ID, n); err != nil {
		return model.BatchStatus{}, err
	}
	return i.cfg.Journal.Batch(ctx, batch.ID)
}

func (i *Issuer) lastLedger(ctx context.Context) (model.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	l, err := i.cfg.Ledger.Ledger(ctx)
	return l, unavailable(err)
}

// batchFor returns the batch that rows are for, a new one where none is named.
func (i *Issuer) batchFor(ctx context.Context, a BatchAsk) (model.Batch, error) {
	if a.Batch == "" {
		b, _, err := i.cfg.Journal.CreateBatch(ctx, model.Batch{Issuer: i.cfg.Account, Key: a.Key, Actor: a.Actor, RequestID: a.RequestID})
		return b, err
	}
	status, err := i.batch(ctx, a.Batch)
	return status.Batch, err
}

func (i *Issuer) batch(ctx context.Context, id model.OperationID) (model.BatchStatus, error) {
	status, err := i.cfg.Journal.Batch(ctx, id)
	if err == nil && status.Issuer != i.cfg.Account {
		return model.BatchStatus{}, &model.Error{Code: model.CodeBatchNotFound, Message: fmt.Sprintf("there is no batch %s", id)}
	}
	return status, err
}

// ledgerOnce returns a function that asks for the validated ledger when it is first called, and again after a failure.
func (i *Issuer) ledgerOnce() func(context.Context) (model.Ledger, error) {
	var last model.Ledger
	return func(ctx context.Context) (_ model.Ledger, err error) {
		if last.Index == 0 {
			last, err = i.lastLedger(ctx)
		}
		return last, err
	}
}

// batchRow decides on a row, as far as that goes without its credential's place on the ledger. The error is none of the row:
// what could not be looked into now is not decided on.
func (i *Issuer) batchRow(ctx context.Context, a BatchAsk, n int64, row Row, last func(context.Context) (model.Ledger, error)) (model.BatchRow, error) {
	r, err := row.Read()
	if err != nil {
		return rejected(model.BatchRow{Row: n}, err), nil
	}
	var t terms
	switch {
	case r.Renew:
		err = model.BadRequest("renew", "must be left out of a batch: renew one credential at a time")
	case r.Proof != nil:
		err = model.BadRequest("proof", "must be left out of a batch: whoever sends one vouches for its rows")
	default:
		t, err = i.granted(ctx, r, last)
	}
	switch {
	case model.CodeOf(err) == model.CodeBadRequest:
		return rejected(model.BatchRow{Row: n}, err), nil
	case err != nil:
		return model.BatchRow{}, err
	}
	return model.BatchRow{Row: n, Operation: &model.Operation{Issuer: i.cfg.Account, Kind: model.KindIssue,
		Subject: r.Subject, Type: r.Type, Expiration: t.expiration, URI: t.uri, Actor: a.Actor, RequestID: a.RequestID}}, nil
}

// rejected is a row that never becomes an operation, for a reason that is told as it would be of a request.
func rejected(r model.BatchRow, err error) model.BatchRow {
	f := model.Failure{Code: model.CodeBadRequest, Message: "the row could not be decided on"}
	var e *model.Error
	if errors.As(err, &e) && e.Message != "" {
		f = model.Failure{Code: e.Code, Message: e.Message}
	}
	return model.BatchRow{Row: r.Row, Sum: r.Sum, Rejected: &f}
}

// Batch returns how far a batch has come, and up to limit of the rows behind one that came to nothing. Error codes:
// batchNotFound, storeUnavailable.
func (i *Issuer) Batch(ctx context.Context, id model.OperationID, after int64, limit int) (model.BatchStatus, []model.RowStatus, error) {
	status, err := i.batch(ctx, id)
	if err != nil {
		return model.BatchStatus{}, nil, err
	}
	failed, err := i.cfg.Journal.BatchRows(ctx, id, after, limit, true)
	for n := range failed {
		if f := failed[n].Failure; f != nil && failed[n].Operation != "" { // the others are told in our words already
			if text, ok := words[f.Code]; ok && f.Code.Final() {
				f.Message = text
			}
		}
	}
	return status, failed, err
}

// CancelBatch drops the rows of a batch that nothing is signed for yet, and says how many those were, and how the batch
// stands then. One whose rows were not all there takes no more. Those that are signed go on to their end. Doing it again
// changes nothing. Error codes: batchNotFound, storeUnavailable.
func (i *Issuer) CancelBatch(ctx context.Context, id model.OperationID, by model.AuditEntry) (int64, model.BatchStatus, error) {
	status, err := i.batch(ctx, id)
	if err != nil {
		return 0, status, err
	}
	// What was begun is done, also when whoever asked for it has gone away.
	n, err := i.cfg.Journal.CancelBatch(context.WithoutCancel(ctx), id, model.Failure{Code: model.CodeCancelled,
		Message: "the batch was cancelled before anything was signed for this row"}, by)
	if err != nil {
		return n, status, err
	}
	status, err = i.batch(ctx, id)
	return n, status, err
}
