package issuer

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// listsAtOnce is how many lists the index answers at a time, as each occupies a connection to the database until its end.
	// More are read from the ledger.
	listsAtOnce = 2
	// listTime is the most that a list may occupy it. A client that reads a long list more slowly than that does not get its end.
	listTime = 2 * time.Minute
	// listLag is the most ledgers by which the index may be behind for a list to wait for it.
	listLag = 2
)

// errNotIndexed: the index does not answer a list, and the ledger does.
var errNotIndexed = errors.New("the credential index is behind the ledger, or was never equal to it")

// errListEnded: whoever reads a list wants no more of it.
var errListEnded = errors.New("the list is not read to its end")

// List yields the credentials that the account has issued, as they stand in one validated ledger, which is the last one or later. An
// error ends it. The credential index answers, which no outsider can fill, when it has reached the last validated ledger and was
// equal to the ledger in the last comparison. Otherwise the ledger does. The order has no meaning.
func (i *Issuer) List(ctx context.Context, which model.Acceptance) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		err := i.listIndexed(ctx, which, yield)
		switch {
		case errors.Is(err, errNotIndexed):
			i.listLedger(ctx, which, yield)
		case err != nil && !errors.Is(err, errListEnded):
			yield(model.Credential{}, err)
		}
	}
}

// listIndexed reads a list from the index. Where that cannot begin, the error is errNotIndexed.
func (i *Issuer) listIndexed(ctx context.Context, which model.Acceptance, yield func(model.Credential, error) bool) error {
	if i.cfg.Index == nil {
		return errNotIndexed
	}
	select {
	case i.lists <- struct{}{}:
		defer func() { <-i.lists }()
	default:
		return errNotIndexed
	}
	last, err := i.lastLedger(ctx)
	if err != nil {
		return errNotIndexed // the ledger's error is the list's
	}
	complete, _, err := i.cfg.Index.Mirror(ctx, i.cfg.Account)
	if err != nil || lag(complete, last.Index) > listLag || i.awaitIndex(ctx, last.Index) != nil {
		return errNotIndexed
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	begun := false
	err = i.cfg.Index.Indexed(ctx, i.cfg.Account, which, func(complete uint32, reconciled bool) error {
		if begun = reconciled && complete >= last.Index; !begun {
			return errNotIndexed
		}
		return nil
	}, func(c model.Credential) error {
		if !yield(c, nil) {
			return errListEnded
		}
		return nil
	})
	if err != nil && !begun {
		return errNotIndexed
	}
	return err
}

// listLedger reads a list from the ledger, which pages through everything in the account's directory.
func (i *Issuer) listLedger(ctx context.Context, which model.Acceptance, yield func(model.Credential, error) bool) {
	for c, err := range i.cfg.Ledger.Credentials(ctx, i.cfg.Account, model.Filter{Side: model.Issued, Acceptance: which}) {
		if model.CodeOf(err) == model.CodeAccountNotFound {
			return // an account that is not on the ledger has issued nothing there
		}
		if !yield(c, unavailable(err)) || err != nil {
			return
		}
	}
}
