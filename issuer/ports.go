package issuer

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/xrplissuer/credential-issuer/model"
)

// Ledger is what an issuer reads. Every answer comes from a validated ledger. Where no node answers in time, or the
// node is behind, the error is a [model.Error] with [model.CodeLedgerUnavailable].
type Ledger interface {
	// Ledger returns the last validated ledger, as the node has it no earlier than when it is asked for.
	Ledger(ctx context.Context) (model.Ledger, error)
	// Recent returns the newest validated ledger that the node reported moments ago, without a request where there is one.
	Recent(ctx context.Context) (model.Ledger, error)
	// Account returns an account; [model.CodeAccountNotFound] where there is none.
	Account(ctx context.Context, a model.Address) (model.Account, error)
	// Credential returns one credential; [model.CodeEntryNotFound] where there is none.
	Credential(ctx context.Context, subject, issuer model.Address, t model.CredentialType) (model.Credential, error)
	// Credentials yields those among account's entries that pass the filter, all from one ledger, a page in memory at
	// a time. An error ends the sequence.
	Credentials(ctx context.Context, account model.Address, f model.Filter) iter.Seq2[model.Credential, error]
	// CredentialAt returns one credential and its ledger entry, as they stand in a validated ledger;
	// [model.CodeEntryNotFound] where there is none.
	CredentialAt(ctx context.Context, at model.Ledger, subject, issuer model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error)
	// OtherIssuers returns up to [model.MaxOtherIssuers] accounts besides one that a subject has credentials of a type from,
	// as far as one page of its entries shows.
	OtherIssuers(ctx context.Context, at model.Ledger, subject, besides model.Address, t model.CredentialType) ([]model.Address, error)
	// CheckProof says whether a signature over a message is by a key that may sign for an account in the last validated
	// ledger; [model.CodeProofRefused] where it is not.
	CheckProof(ctx context.Context, account model.Address, publicKey, signature string, message []byte) error
}

// Vault keeps documents from those who read the database.
type Vault interface {
	Seal(id model.OperationID, documents []byte) (model.SealedDocuments, error)
	Open(id model.OperationID, sealed model.SealedDocuments) ([]byte, error)
	// Secrets are what the applicant of a request follows it with, one for each key, the first one for new requests: always the
	// same for a request and a key, and not to be guessed.
	Secrets(id model.OperationID) []string
}

// Journal keeps operations, durable on return. Where it cannot be used now the error is a [model.Error] with
// [model.CodeStoreUnavailable]; then what was to be stored may or may not be.
type Journal interface {
	// Create stores an operation as pending. Where its key came before with the same request, the first one's operation
	// is returned, and replayed is true. Error codes: [model.CodeInProgress] (the cause is a [*model.StandingError]),
	// [model.CodeKeyReused].
	Create(ctx context.Context, op model.Operation) (stored model.Operation, replayed bool, err error)
	// Operation returns an operation; [model.CodeOperationNotFound] where there is none. Of its key it has no hash of the request.
	Operation(ctx context.Context, id model.OperationID) (model.Operation, error)
	// ByKey returns the operation of an earlier request with the same key; [model.CodeOperationNotFound] where there is
	// none, [model.CodeKeyReused] where that was another request.
	ByKey(ctx context.Context, issuer model.Address, key model.IdempotencyKey) (model.Operation, error)
	// Standing returns the operation for a credential that is not final; [model.CodeOperationNotFound] where there is
	// none.
	Standing(ctx context.Context, issuer, subject model.Address, t model.CredentialType) (model.Operation, error)
	// Wait returns an operation once it is final. When ctx ends first it is returned as it was last read, with an error.
	Wait(ctx context.Context, id model.OperationID) (model.Operation, error)
	// Ping says whether the journal can be used now.
	Ping(ctx context.Context) error

	// CreateBatch stores a batch without rows. Where its key came before, the first one's batch is returned as it stands,
	// and replayed is true. Error code: [model.CodeKeyReused].
	CreateBatch(ctx context.Context, b model.Batch) (stored model.Batch, replayed bool, err error)
	// AddRows stores rows that go on from those that are there, and returns how many there are then. Rows that are there
	// already are compared by their sums and passed over. Error codes: [model.CodeBatchNotFound], [model.CodeWrongState] (a
	// row is not the one that is there, or all rows are).
	AddRows(ctx context.Context, id model.OperationID, rows []model.BatchRow) (int64, error)
	// SealBatch says that all rows are there, and how many that is; [model.CodeWrongState] where it is another number.
	SealBatch(ctx context.Context, id model.OperationID, rows int64) error
	// CancelBatch drops those of a batch's rows that are pending, and says how many; one that is receiving takes no more. by
	// is who does it, for the audit log.
	CancelBatch(ctx context.Context, id model.OperationID, why model.Failure, by model.AuditEntry) (int64, error)
	// Batch returns how far a batch has come; [model.CodeBatchNotFound] where there is none.
	Batch(ctx context.Context, id model.OperationID) (model.BatchStatus, error)
	// BatchRows returns up to limit of a batch's rows behind a row, in their order; with failed, only those that came to
	// nothing.
	BatchRows(ctx context.Context, id model.OperationID, after int64, limit int, failed bool) ([]model.RowStatus, error)

	// Secret returns random bytes of a name, the same for all who share the journal.
	Secret(ctx context.Context, name string) ([32]byte, error)

	// CreateApplication stores a request that a person decides on. Where its key came before with the same request, the
	// first one is returned, and replayed is true. Error codes: [model.CodeInProgress] (another one for the subject and type
	// waits), [model.CodeKeyReused], [model.CodeProofRefused] (the nonce was used before).
	CreateApplication(ctx context.Context, a model.Application) (stored model.Application, replayed bool, err error)
	// Application returns one; [model.CodeRequestNotFound] where there is none. ApplicationWithoutDocuments leaves
	// those out.
	Application(ctx context.Context, id model.OperationID) (model.Application, error)
	ApplicationWithoutDocuments(ctx context.Context, id model.OperationID) (model.Application, error)
	// ApplicationByKey returns that of an earlier request with the same key; [model.CodeRequestNotFound] where there is
	// none, [model.CodeKeyReused] where that was another request.
	ApplicationByKey(ctx context.Context, issuer model.Address, key model.IdempotencyKey) (model.Application, error)
	// Applications returns up to limit of an account's behind one, oldest first, without documents; state narrows it where it
	// is not empty.
	Applications(ctx context.Context, issuer model.Address, state model.ApplicationState, after model.OperationID, limit int) ([]model.Application, error)
	// ApplicationEvents returns the history of one.
	ApplicationEvents(ctx context.Context, id model.OperationID) ([]model.Event, error)
	// Decide stores a reviewer's word, and of an approval the operation. Error codes: [model.CodeRequestNotFound],
	// [model.CodeDecided], [model.CodeInProgress].
	Decide(ctx context.Context, d model.Decision) (model.Application, error)
	// Withdraw stores an applicant's word that they do not want it any more. Error codes: [model.CodeRequestNotFound],
	// [model.CodeDecided].
	Withdraw(ctx context.Context, w model.Withdrawal) (model.Application, error)
}
