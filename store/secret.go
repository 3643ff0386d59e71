package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/xrplissuer/credential-issuer/model"
)

// Secret returns 32 random bytes that all replicas of an issuer share, by a name of 1 to 100 bytes. They are made at the
// first asking. Whoever reads the database reads them: they are for what is worth nothing without more, such as the nonces
// of challenges. Error code: storeUnavailable.
func (s *Store) Secret(ctx context.Context, name string) (secret [32]byte, err error) {
	if model.CheckIdempotencyKey(name) != nil || len(name) > 100 {
		return secret, misuse("a secret named %q", name)
	}
	const find = "SELECT value FROM secrets WHERE name = $1"
	parse := func(value string) (err error) {
		if secret, err = parseHash(value); err != nil {
			return fmt.Errorf("secret %s has another form than it was written in", name) // and is not shown
		}
		return nil
	}
	var value string
	if s.readDB.QueryRowContext(ctx, find, name).Scan(&value) == nil {
		return secret, fault("reading a secret", parse(value))
	}
	var fresh [32]byte
	_, _ = rand.Read(fresh[:]) // never fails
	err = s.write(ctx, "making a secret", func(t *txn) error {
		if _, err := t.exec("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, hex.EncodeToString(fresh[:])); err != nil {
			return err
		}
		if err := t.tx.QueryRowContext(t.ctx, find, name).Scan(&value); err != nil {
			return err
		}
		return parse(value)
	})
	return secret, err
}
