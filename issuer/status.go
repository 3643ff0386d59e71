package issuer

import (
	"context"

	"github.com/xrplissuer/credential-issuer/model"
)

// Status is how the issuing account stands.
type Status struct {
	// Ledger is the last validated one.
	Ledger model.Ledger
	// Account is the issuing account as of then.
	Account model.Account
	// Room is how many more credentials its XRP suffices for.
	Room int64
}

// Status returns how the issuing account stands. Error codes: actNotFound, ledgerUnavailable.
func (i *Issuer) Status(ctx context.Context) (Status, error) {
	last, err := i.lastLedger(ctx)
	if err != nil {
		return Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	self, err := i.issuingAccount(ctx, last)
	if err != nil {
		return Status{}, unavailable(err)
	}
	return Status{Ledger: last, Account: self, Room: room(self, last)}, nil
}

// room is how many more entries an account's XRP suffices for.
func room(a model.Account, last model.Ledger) int64 {
	free := a.Balance - last.Reserve(a.OwnerCount)
	if free < 0 || last.ReserveIncrement <= 0 {
		return 0
	}
	return free / last.ReserveIncrement
}
