package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"

	"github.com/xrplissuer/credential-issuer/model"
)

// ByKey returns the operation that an idempotency key stands for, with its attempts. Error codes: operationNotFound (the
// key never came before, or is no longer kept), idempotencyKeyReused (it came with another request, or for a batch or for
// a request that a person decides on),
// storeUnavailable.
func (s *Store) ByKey(ctx context.Context, issuer model.Address, key model.IdempotencyKey) (model.Operation, error) {
	if err := checkID("", &key); err != nil {
		return model.Operation{}, err
	}
	var hash string
	var op sql.NullString
	err := s.readDB.QueryRowContext(ctx, "SELECT request_hash, operation FROM idempotency_keys WHERE issuer = $1 AND key = $2"+
		" AND (created >= $3 OR NOT ("+keyOver+"))", string(issuer), key.Key, s.keyCutoff(s.now())).Scan(&hash, &op)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return model.Operation{}, &model.Error{Code: model.CodeOperationNotFound, Message: "no request came with this Idempotency-Key"}
	case err != nil:
		return model.Operation{}, fault("looking for an idempotency key", err)
	case !op.Valid || hash != hex.EncodeToString(key.RequestHash[:]):
		return model.Operation{}, keyReused()
	}
	return s.Operation(ctx, model.OperationID(op.String))
}

// Standing returns the operation for an issuer, subject and type that is not final, with its attempts. Error codes:
// operationNotFound, storeUnavailable.
func (s *Store) Standing(ctx context.Context, issuer, subject model.Address, t model.CredentialType) (model.Operation, error) {
	ops, err := s.operations(ctx, true, "o.issuer = $1 AND o.subject = $2 AND o.type = $3 AND o.state IN ('pending', 'signed')",
		string(issuer), string(subject), t.Hex())
	return one(ops, err, "looking for what is under way",
		&model.Error{Code: model.CodeOperationNotFound, Message: "nothing is under way for this subject and credential"})
}
