package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// nonceMargin is how long after its time a nonce is still kept, so that a replica whose clock is behind by less takes none
// that another one has forgotten.
const nonceMargin = time.Hour

func nonceHash(n *model.SpentNonce) string {
	sum := sha256.Sum256([]byte(n.Nonce))
	return hex.EncodeToString(sum[:])
}

func proofRefused(why string) error {
	return &model.Error{Code: model.CodeProofRefused, Cause: errors.New(why),
		Message: "the challenge that was signed has been used before, or its time is over: ask for a new one and sign that"}
}

// nonceClaim is a nonce that something wants to use up.
type nonceClaim struct {
	owner model.OperationID
	nonce *model.SpentNonce
	err   error // it cannot
}

// spend uses up nonces, or says in each claim why it cannot.
func (t *txn) spend(claims []*nonceClaim) error {
	byOwner := make(map[model.OperationID]*nonceClaim, len(claims))
	var rows []row
	for _, c := range claims {
		c.err = proofRefused("its nonce was used before")
		byOwner[c.owner] = c
		if !c.nonce.Expires.After(t.now) {
			c.err = proofRefused("its nonce is past its time")
			continue
		}
		rows = append(rows, row{nonceHash(c.nonce), string(c.owner), c.nonce.Expires.UnixMicro()})
	}
	left := len(claims)
	own := func(rows *sql.Rows) error {
		var owner model.OperationID
		if err := rows.Scan(&owner); err != nil {
			return err
		}
		if c := byOwner[owner]; c != nil {
			c.err = nil
			left--
		}
		return nil
	}
	if len(rows) > 0 {
		answer, err := t.query("INSERT INTO spent_nonces (nonce, owner, expires) SELECT nonce, owner, expires FROM "+
			t.rows(1, "nonce text", "owner text", "expires bigint")+" WHERE true ORDER BY nonce, owner ON CONFLICT (nonce) DO NOTHING RETURNING owner", rowSet(rows))
		if err := each(answer, err, own); err != nil {
			return err
		}
	}
	if left == 0 {
		return nil
	}
	// Its own, should it be there: the confirmation of a commit was lost, and the transaction is run again.
	hashes := make([]string, len(claims))
	for i, c := range claims {
		hashes[i] = nonceHash(c.nonce)
	}
	list, err := t.list(hashes)
	if err != nil {
		return err
	}
	answer, err := t.query("SELECT owner FROM spent_nonces WHERE "+t.in("nonce", 1), list)
	return each(answer, err, own)
}

// spendAll uses up the nonces of operations. It returns those that may go on.
func (t *txn) spendAll(group []*creation) ([]*creation, error) {
	var claims []*nonceClaim
	byOwner := map[model.OperationID]*nonceClaim{}
	for _, c := range group {
		if c.op.Nonce != nil {
			n := &nonceClaim{owner: c.op.ID, nonce: c.op.Nonce}
			claims, byOwner[c.op.ID] = append(claims, n), n
		}
	}
	if len(claims) == 0 {
		return group, nil
	}
	if err := t.spend(claims); err != nil {
		return nil, err
	}
	var out []*creation
	for _, c := range group {
		if n := byOwner[c.op.ID]; n != nil {
			c.err, c.spent = n.err, n.err == nil
		}
		if c.err == nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// SweepNonces forgets nonces whose time has been over for an hour, and says how many. The store does it by itself now and
// then.
func (s *Store) SweepNonces(ctx context.Context) (int64, error) {
	return s.inChunks(ctx, "removing old nonces", func(t *txn, limit int) (int64, error) {
		return t.exec("DELETE FROM spent_nonces WHERE nonce IN (SELECT nonce FROM spent_nonces WHERE expires < $1 ORDER BY expires LIMIT $2)",
			t.now.Add(-nonceMargin).UnixMicro(), limit)
	})
}

// inChunks does something to many rows, a thousand in a transaction, so that nobody waits long for it.
func (s *Store) inChunks(ctx context.Context, doing string, f func(t *txn, limit int) (int64, error)) (int64, error) {
	const chunk = 1000
	var total int64
	for {
		var n int64
		err := s.write(ctx, doing, func(t *txn) (err error) {
			n, err = f(t, chunk)
			return err
		})
		total += n
		if err != nil || n < chunk {
			return total, err
		}
	}
}
