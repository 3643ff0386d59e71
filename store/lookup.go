package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/xrplissuer/credential-issuer/model"
)

// ByKey returns the operation that an idempotency key stands for, with its attempts. Error codes: operationNotFound (the
// key never came before, or is no longer kept), idempotencyKeyReused (it came with another request, or for a batch or for
// a request that a person decides on),
// storeUnavailable.
func (s *Store) ByKey(ctx context.Context, issuer model.Address, key model.IdempotencyKey) (model.Operation, error) {
	owner, err := s.keyOwner(ctx, issuer, key, "coalesce(operation, renewal)",
		&model.Error{Code: model.CodeOperationNotFound, Message: "no request came with this Idempotency-Key"})
	if err != nil {
		return model.Operation{}, err
	}
	return s.Operation(ctx, model.OperationID(owner))
}

// keyOwner returns what a key stands for, where that is in the column; none is the error where the key is not kept.
func (s *Store) keyOwner(ctx context.Context, issuer model.Address, key model.IdempotencyKey, column string, none error) (string, error) {
	if err := checkID("", &key); err != nil {
		return "", err
	}
	var hash, name string
	var owner sql.NullString
	err := s.readDB.QueryRowContext(ctx, "SELECT request_hash, hash_key, "+column+" FROM idempotency_keys WHERE issuer = $1 AND key = $2"+
		" AND (created >= $3 OR NOT ("+keyOver+"))", string(issuer), key.Key, s.keyCutoff(s.now())).Scan(&hash, &name, &owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", none
	case err != nil:
		return "", fault("looking for an idempotency key", err)
	case !owner.Valid || !s.sameRequest(issuer, key, hash, name):
		return "", keyReused()
	}
	return owner.String, nil
}

// Standing returns the operation for an issuer, subject and type that is not final, with its attempts; while what is renewed
// is being deleted, the one that will issue. Error codes:
// operationNotFound, storeUnavailable.
func (s *Store) Standing(ctx context.Context, issuer, subject model.Address, t model.CredentialType) (model.Operation, error) {
	ops, err := s.operations(ctx, true, "o.issuer = $1 AND o.subject = $2 AND o.type = $3 AND o.state IN ('pending', 'signed')",
		string(issuer), string(subject), t.Hex())
	if err == nil && len(ops) == 1 && ops[0].Kind == model.KindRevoke {
		var renewals []model.Operation
		if renewals, err = s.renewals(ctx, "n.deletion = $1", string(ops[0].ID)); len(renewals) == 1 {
			ops = renewals
		}
	}
	return one(ops, err, "looking for what is under way",
		&model.Error{Code: model.CodeOperationNotFound, Message: "nothing is under way for this subject and credential"})
}
