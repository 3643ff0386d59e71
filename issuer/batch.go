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
}

// Row reads one row of a batch. The error says what is wrong with it.
type Row func() (model.CredentialRequest, error)

// Receive stores a batch of requests for credentials. rows yields all rows of it, from the first one on; those that are
// stored already are passed over, so that a batch that broke off is completed by sending it again. An error from rows ends
// it; what is stored until then stays, and is worked on. begun is called with the batch before its first row is stored.
//
// A row goes through the same checks of its form, documents and expiration as a request. What it finds wrong is stored as
// the row's failure. The ledger is not asked about each row: that subjects exist, that nothing of the kind stands yet and
// that the reserve suffices shows in the transactions' results.
//
// Error codes: badRequest (no rows, or too many), batchNotFound, wrongState (the batch has another number of rows),
// idempotencyKeyReused, ledgerUnavailable, storeUnavailable.
func (i *Issuer) Receive(ctx context.Context, a BatchAsk, rows iter.Seq2[Row, error], begun func(model.Batch)) (model.BatchStatus, error) {
	last, err := i.lastLedger(ctx)
	if err != nil {
		return model.BatchStatus{}, err
	}
	var (
		batch model.Batch
		n     int64
		chunk []model.BatchRow
	)
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		// What has arrived is stored, also when its sender has gone away.
		_, err := i.cfg.Journal.AddRows(context.WithoutCancel(ctx), batch.ID, chunk)
		chunk = chunk[:0]
		return err
	}
	for row, err := range rows {
		if err != nil {
			return model.BatchStatus{}, errors.Join(err, flush())
		}
		if n == 0 {
			if batch, err = i.batchFor(ctx, a); err != nil {
				return model.BatchStatus{}, err
			}
			begun(batch)
		}
		if n++; n > MaxBatchRows {
			return model.BatchStatus{}, errors.Join(model.BadRequest("a batch", fmt.Sprintf(
				"must not have more than %d rows: those are stored, send the rest as another batch", MaxBatchRows)), flush())
		}
		if n <= batch.Rows {
			continue
		}
		chunk = append(chunk, i.batchRow(ctx, n, row, last))
		if len(chunk) == rowsAtOnce {
			if err := flush(); err != nil {
				return model.BatchStatus{}, err
			}
		}
	}
	if err := flush(); err != nil {
		return model.BatchStatus{}, err
	}
	if n == 0 {
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
		b, _, err := i.cfg.Journal.CreateBatch(ctx, model.Batch{Issuer: i.cfg.Account, Key: a.Key})
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

// batchRow decides on a row.
func (i *Issuer) batchRow(ctx context.Context, n int64, row Row, last model.Ledger) model.BatchRow {
	r, err := row()
	if err == nil {
		err = i.cfg.Check(ctx, r)
	}
	if err == nil {
		err = notPast(r, last)
	}
	if err != nil {
		f := model.Failure{Code: model.CodeBadRequest, Message: "the row could not be decided on"}
		var e *model.Error
		if errors.As(err, &e) && e.Message != "" {
			f = model.Failure{Code: e.Code, Message: e.Message}
		}
		return model.BatchRow{Row: n, Rejected: &f}
	}
	return model.BatchRow{Row: n, Operation: &model.Operation{Issuer: i.cfg.Account, Kind: model.KindIssue,
		Subject: r.Subject, Type: r.Type, Expiration: r.Expiration, URI: r.URI}}
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
		if f := failed[n].Failure; f != nil {
			if text, ok := words[f.Code]; ok && f.Code.Final() {
				f.Message = text
			}
		}
	}
	return status, failed, err
}

// notPast refuses an expiration that is past by the ledger's clock.
func notPast(r model.CredentialRequest, last model.Ledger) error {
	if r.Expiration == nil || *r.Expiration >= last.CloseTime {
		return nil
	}
	return model.BadRequest("expiration", "must not be past; the last validated ledger closed at "+model.FormatTime(last.CloseTime))
}
