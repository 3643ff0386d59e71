package issuer

import (
	"context"
	"iter"

	"github.com/xrplissuer/credential-issuer/model"
)

// Ledger is what an issuer reads. Every answer comes from a validated ledger. Where no node answers in time, or the
// node is behind, the error is a [model.Error] with [model.CodeLedgerUnavailable].
type Ledger interface {
	// Ledger returns the last validated ledger.
	Ledger(ctx context.Context) (model.Ledger, error)
	// Account returns an account; [model.CodeAccountNotFound] where there is none.
	Account(ctx context.Context, a model.Address) (model.Account, error)
	// Credential returns one credential; [model.CodeEntryNotFound] where there is none.
	Credential(ctx context.Context, subject, issuer model.Address, t model.CredentialType) (model.Credential, error)
	// Credentials yields those among account's entries that pass the filter, all from one ledger, a page in memory at
	// a time. An error ends the sequence.
	Credentials(ctx context.Context, account model.Address, f model.Filter) iter.Seq2[model.Credential, error]
}

// Submitter brings a transaction onto the ledger. It returns the final result of a transaction that stands in a
// validated ledger and succeeded; a final `tec…` is a [model.Error] with that code and the transaction in Tx.
// Otherwise the error is [model.CodeLedgerUnavailable] (with Pending, where the transaction may still happen) or
// [model.CodeNotValidated].
type Submitter interface {
	Submit(ctx context.Context, tx model.Transaction) (model.Validated, error)
}
