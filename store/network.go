package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Network returns the network that what is stored belongs to; bound is false where it was never said. Error code:
// storeUnavailable.
func (s *Store) Network(ctx context.Context) (n model.Network, bound bool, err error) {
	n, bound, err = readNetwork(ctx, s.readDB)
	return n, bound, fault("reading which network the journal belongs to", err)
}

// BindNetwork says which network what is stored belongs to, from now on and for all who use the database. The first word
// counts: what is stored is returned, which the caller has to compare with what it sees. Error code: storeUnavailable.
func (s *Store) BindNetwork(ctx context.Context, n model.Network) (stored model.Network, err error) {
	err = s.write(ctx, "storing which network the journal belongs to", func(t *txn) error {
		var flagIndex, flagHash any
		if n.Flag.Index != 0 {
			flagIndex, flagHash = int64(n.Flag.Index), n.Flag.Hash
		}
		_, err := t.exec("INSERT INTO network (id, name, network_id, first_index, first_hash, first_close_time, flag_index, flag_hash,"+
			" last_index, last_hash, last_close_time, bound, updated) VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)"+
			" ON CONFLICT (id) DO NOTHING",
			text(n.Name), int64(n.ID), int64(n.First.Index), n.First.Hash, int64(n.First.CloseTime), flagIndex, flagHash,
			int64(n.Last.Index), n.Last.Hash, int64(n.Last.CloseTime), t.now.UnixMicro())
		if err != nil {
			return err
		}
		var bound bool
		if stored, bound, err = readNetwork(t.ctx, t.tx); err == nil && !bound {
			err = errors.New("the network's row is gone")
		}
		return err
	})
	return stored, err
}

// SeeNetwork keeps the newest validated ledger that was seen of the network, and its first flag ledger to be known. A
// ledger that is older than the one kept, or a second flag ledger, changes nothing. A Name replaces the one kept. Error code: storeUnavailable.
func (s *Store) SeeNetwork(ctx context.Context, n model.Network) error {
	return s.write(ctx, "storing the newest ledger seen", func(t *txn) error {
		_, err := t.exec("UPDATE network SET last_index = $1, last_hash = $2, last_close_time = $3, updated = $4 WHERE id = 1 AND last_index < $1",
			int64(n.Last.Index), n.Last.Hash, int64(n.Last.CloseTime), t.now.UnixMicro())
		if err == nil && n.Name != "" {
			_, err = t.exec("UPDATE network SET name = $1 WHERE id = 1 AND name <> $1", n.Name)
		}
		if err == nil && n.Flag.Index != 0 {
			_, err = t.exec("UPDATE network SET flag_index = $1, flag_hash = $2 WHERE id = 1 AND flag_index IS NULL", int64(n.Flag.Index), n.Flag.Hash)
		}
		return err
	})
}

func readNetwork(ctx context.Context, q queryer) (n model.Network, bound bool, err error) {
	var at, seen int64
	var flagIndex sql.NullInt64
	var flagHash sql.NullString
	err = q.QueryRowContext(ctx, "SELECT name, network_id, first_index, first_hash, first_close_time, flag_index, flag_hash,"+
		" last_index, last_hash, last_close_time, bound, updated FROM network WHERE id = 1").
		Scan(&n.Name, &n.ID, &n.First.Index, &n.First.Hash, &n.First.CloseTime, &flagIndex, &flagHash,
			&n.Last.Index, &n.Last.Hash, &n.Last.CloseTime, &at, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return model.Network{}, false, nil
	}
	n.Flag = model.Ledger{Index: uint32(flagIndex.Int64), Hash: flagHash.String}
	n.Bound, n.Seen = time.UnixMicro(at).UTC(), time.UnixMicro(seen).UTC()
	return n, err == nil, err
}
