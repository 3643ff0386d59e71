package issuer

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/xrplissuer/credential-issuer/model"
)

// lookUpsAtOnce bounds what is asked of the ledger at the same time for the rows of one batch: enough to hide the journey
// to the node, and few enough to leave the line to others.
const lookUpsAtOnce = 64

// intake takes the rows of a batch in, in their order: while some are stored, the ledger is asked about the next.
type intake struct {
	issuer *Issuer
	ctx    context.Context // does not end with the sender: what has arrived is stored
	chunks chan []model.BatchRow
	last   sync.Once     // closes chunks
	done   chan struct{} // closed when err is final
	err    error
	asking error
}

// takeIn begins to store rows of a batch. [intake.end] must be called.
func (i *Issuer) takeIn(ctx context.Context, b model.Batch) *intake {
	in := &intake{issuer: i, ctx: context.WithoutCancel(ctx), chunks: make(chan []model.BatchRow), done: make(chan struct{})}
	go func() {
		defer close(in.done)
		for rows := range in.chunks {
			if _, in.err = i.cfg.Journal.AddRows(in.ctx, b.ID, rows); in.err != nil {
				return
			}
		}
	}()
	return in
}

// take asks the ledger about rows, and hands them on to be stored. It is false where no more are wanted.
func (in *intake) take(rows []model.BatchRow) bool {
	if in.asking = in.issuer.lookUp(in.ctx, rows); in.asking != nil {
		return false
	}
	select {
	case in.chunks <- rows:
		return true
	case <-in.done:
		return false
	}
}

// end waits until what was taken is stored, and returns what went wrong. It may be called again.
func (in *intake) end() error {
	in.last.Do(func() { close(in.chunks) })
	<-in.done
	if in.err != nil {
		return in.err
	}
	return in.asking
}

// lookUp rejects those among rows whose transaction would fail, by the last validated ledger.
func (i *Issuer) lookUp(ctx context.Context, rows []model.BatchRow) error {
	looks := make([]look, len(rows))
	subjects := map[model.Address]*error{} // nil: it is on the ledger
	for n := range rows {
		if op := rows[n].Operation; op != nil {
			subjects[op.Subject] = new(error)
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	last, err := i.lastLedger(ctx)
	if err != nil {
		return err
	}
	self, selfErr := i.asking(ctx, func(ctx context.Context) (model.Account, error) { return i.issuingAccount(ctx, last) })
	if err := unlessAbsent(selfErr); err != nil {
		return unavailable(err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookUpsAtOnce)
	for subject, to := range subjects {
		group.Go(func() error {
			_, *to = i.asking(ctx, func(ctx context.Context) (model.Account, error) { return i.cfg.Ledger.Account(ctx, subject) })
			return unlessAbsent(*to)
		})
	}
	for n := range rows {
		op := rows[n].Operation
		if op == nil {
			continue
		}
		looks[n] = look{last: last, self: self, selfErr: selfErr}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
			defer cancel()
			looks[n].found, looks[n].foundErr = i.cfg.Ledger.Credential(ctx, op.Subject, i.cfg.Account, op.Type)
			return unlessAbsent(looks[n].foundErr)
		})
	}
	if err := group.Wait(); err != nil {
		return unavailable(err)
	}
	for n := range rows {
		if op := rows[n].Operation; op != nil {
			looks[n].subjectErr = *subjects[op.Subject]
			if _, err := looks[n].verdict(credentialTerms{expiration: op.Expiration}); err != nil {
				rows[n] = rejected(rows[n], err)
			}
		}
	}
	return nil
}

// asking bounds one question about an account.
func (i *Issuer) asking(ctx context.Context, ask func(context.Context) (model.Account, error)) (model.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	return ask(ctx)
}
