package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/xrplissuer/credential-issuer/model"
)

// What came with an idempotency key, and each row of a batch, is told from others by a hash. What it is made of holds documents,
// and those can be guessed: so the hashes that callers hand in are stored under a key ([Config.HashKeys]), together with what they
// belong to, so that the same documents look different in each place.

// hashKey is one that stored hashes are made with. Its name stands beside them; that of hashes from before there were keys is empty.
type hashKey struct {
	name string
	key  [32]byte
}

// ownHashKey names the secret that stands in where no key is configured.
const ownHashKey = "stored hashes"

// loadHashKeys has hashes made with the first of the configured keys, or the store's own where there is none. All are compared with.
func (s *Store) loadHashKeys(ctx context.Context) error {
	if s.cfg.Access == AccessRead {
		return nil // what is read needs none
	}
	own, err := s.Secret(ctx, ownHashKey)
	if err != nil {
		return err
	}
	for _, key := range append(append([][32]byte(nil), s.cfg.HashKeys...), own) {
		k := hashKey{key: key}
		k.name = hex.EncodeToString(k.sum("name")[:8])
		s.hashKeys = append(s.hashKeys, k)
	}
	return nil
}

// sum is a MAC of parts, each with its length.
func (k hashKey) sum(parts ...string) []byte {
	mac := hmac.New(sha256.New, k.key[:])
	for _, p := range parts {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		_, _ = io.WriteString(mac, p)
	}
	return mac.Sum(nil)
}

// request is what is stored of a request's hash.
func (k hashKey) request(issuer model.Address, key model.IdempotencyKey) string {
	return k.requestOf(string(issuer), key.Key, hex.EncodeToString(key.RequestHash[:]))
}

func (k hashKey) requestOf(issuer, key, hash string) string {
	if k.name == "" {
		return hash
	}
	return hex.EncodeToString(k.sum("request", issuer, key, hash))
}

// row is what is stored of a row's sum.
func (k hashKey) row(batch model.OperationID, n int64, sum model.RowSum) model.RowSum {
	if k.name == "" {
		return sum
	}
	return model.RowSum(k.sum("row", string(batch), fmt.Sprint(n), string(sum[:]))[:len(sum)])
}

// hashKey returns the key of a name; ok is false where it is none of ours, or not any more.
func (s *Store) hashKey(name string) (k hashKey, ok bool) {
	if name == "" {
		return hashKey{}, true
	}
	for _, k := range s.hashKeys {
		if k.name == name {
			return k, true
		}
	}
	return hashKey{}, false
}

// sameRequest says whether a stored hash is that of a request.
func (s *Store) sameRequest(issuer model.Address, key model.IdempotencyKey, hash, name string) bool {
	k, ok := s.hashKey(name)
	return ok && subtle.ConstantTimeCompare([]byte(hash), []byte(k.request(issuer, key))) == 1
}

// KeyHashes puts the hashes that an earlier release has stored as they came under the key, and says how many idempotency keys and
// groups of rows those were. Error code: storeUnavailable.
func (s *Store) KeyHashes(ctx context.Context) (int64, error) {
	k := s.hashKeys[0]
	requests, err := s.inChunks(ctx, "putting hashes of requests under a key", func(t *txn, limit int) (int64, error) {
		var found [][3]string
		rows, err := t.query("SELECT issuer, key, request_hash FROM idempotency_keys WHERE hash_key = '' ORDER BY issuer, key LIMIT $1"+t.forUpdate, limit)
		err = each(rows, err, func(rows *sql.Rows) error {
			var f [3]string
			err := rows.Scan(&f[0], &f[1], &f[2])
			found = append(found, f)
			return err
		})
		for _, f := range found {
			if err == nil {
				_, err = t.exec("UPDATE idempotency_keys SET request_hash = $3, hash_key = $4 WHERE issuer = $1 AND key = $2",
					f[0], f[1], k.requestOf(f[0], f[1], f[2]), k.name)
			}
		}
		return int64(len(found)), err
	})
	if err != nil {
		return requests, err
	}
	groups, err := s.inChunks(ctx, "putting sums of rows under a key", func(t *txn, limit int) (int64, error) {
		type group struct {
			batch model.OperationID
			first int64
			sums  []byte
		}
		var found []group
		rows, err := t.query("SELECT batch, first_row, sums FROM batch_sums WHERE hash_key = '' ORDER BY batch, first_row LIMIT $1"+t.forUpdate, limit)
		err = each(rows, err, func(rows *sql.Rows) error {
			var g group
			err := rows.Scan(&g.batch, &g.first, &g.sums)
			found = append(found, g)
			return err
		})
		for _, g := range found {
			for at := 0; at < len(g.sums); at += sumSize {
				sum := k.row(g.batch, g.first+int64(at/sumSize), model.RowSum(g.sums[at:at+sumSize]))
				copy(g.sums[at:], sum[:])
			}
			if err == nil {
				_, err = t.exec("UPDATE batch_sums SET sums = $3, hash_key = $4 WHERE batch = $1 AND first_row = $2", string(g.batch), g.first, g.sums, k.name)
			}
		}
		return int64(len(found)), err
	})
	if requests+groups > 0 {
		s.scrubbed.Store(false)
	}
	return requests + groups, err
}

// SweepSums forgets the sums of rows of batches that were complete, or cancelled, longer than [Config.IdempotencyKeep] ago, and says
// how many groups of rows those were of. The store does it by itself now and then.
func (s *Store) SweepSums(ctx context.Context) (int64, error) {
	n, err := s.inChunks(ctx, "removing old sums of rows", func(t *txn, limit int) (int64, error) {
		return t.exec("DELETE FROM batch_sums WHERE (batch, first_row) IN (SELECT m.batch, m.first_row FROM batch_sums m JOIN batches b ON b.id = m.batch"+
			" WHERE b.state = 'received' AND b.updated < $1 ORDER BY m.batch, m.first_row LIMIT $2)", s.keyCutoff(t.now), limit)
	})
	if n > 0 {
		s.scrubbed.Store(false)
	}
	return n, err
}
