package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// DefaultReconcile is the time between two comparisons of the credential index with the ledger.
const DefaultReconcile = time.Hour

// errDiffers ends a Follow whose index differs from the ledger.
var errDiffers = errors.New("the credential index differs from the ledger")

// comparison compares the credential index with a listing of the ledger, at the same ledger, while the index goes on. It keeps two
// fingerprints in memory, however long the listing is. Its methods belong to the goroutine of one Follow.
type comparison struct {
	keeper *Keeper
	result chan compared // nil while no listing runs
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// compared is the outcome of a listing.
type compared struct {
	at            uint32
	index, ledger model.Fingerprint
	err           error
}

// step begins a comparison when one is due, or takes the outcome of the one that runs. The error is errDiffers, or that of
// reading the index.
func (c *comparison) step(ctx context.Context, p model.MirrorProgress) error {
	if c.result != nil {
		select {
		case r := <-c.result:
			c.stop()
			return c.judge(ctx, r)
		default:
			return nil
		}
	}
	if p.Hash == "" || c.keeper.cfg.Now().Before(c.keeper.compareAt) {
		return nil
	}
	r := compared{at: p.Complete}
	var complete uint32
	err := c.keeper.cfg.Records.Indexed(ctx, c.keeper.cfg.Account, model.AnyAcceptance,
		func(at uint32, _ bool) error { complete = at; return nil },
		func(found model.Credential) error { r.index.Add(found); return nil })
	if err != nil || complete != p.Complete {
		return err
	}
	ctx, c.cancel = context.WithCancel(ctx)
	c.result = make(chan compared, 1)
	result := c.result
	c.done.Go(func() {
		r.ledger, r.err = c.keeper.listed(ctx, model.Ledger{Index: p.Complete, Hash: p.Hash, CloseTime: p.CloseTime})
		result <- r
	})
	return nil
}

// stop ends a listing that runs.
func (c *comparison) stop() {
	if c.cancel != nil {
		c.cancel()
	}
	c.done.Wait()
	c.result, c.cancel = nil, nil
}

// judge ends a comparison. The error is errDiffers, or that of the records.
func (c *comparison) judge(ctx context.Context, r compared) error {
	k := c.keeper
	switch {
	case r.err != nil:
		k.compareAt = k.cfg.Now().Add(keptMaxRetry)
		k.cfg.Logger.Warn("the credential index cannot be compared with the ledger; trying again", "ledger", r.at, "error", r.err, "retry_in", keptMaxRetry)
		return nil
	case r.index != r.ledger:
		if err := k.cfg.Records.Reconciled(ctx, k.cfg.Account, 0); err != nil {
			return err
		}
		return fmt.Errorf("%w: in ledger %d the index has %d credentials, and the node lists %d", errDiffers, r.at, r.index.Credentials, r.ledger.Credentials)
	}
	if err := k.cfg.Records.Reconciled(ctx, k.cfg.Account, r.at); err != nil {
		return err
	}
	k.compareAt = k.cfg.Now().Add(k.cfg.Reconcile)
	k.count(ActionReconciled, 1)
	return nil
}

// listed is the fingerprint of the credentials in a ledger.
func (k *Keeper) listed(ctx context.Context, at model.Ledger) (f model.Fingerprint, err error) {
	for c, err := range k.cfg.Ledger.CredentialsAt(ctx, at, k.cfg.Account, model.Filter{Side: model.Issued}) {
		switch {
		case model.CodeOf(err) == model.CodeAccountNotFound:
			return f, nil
		case err != nil:
			return f, err
		}
		f.Add(c.Credential)
	}
	return f, nil
}
