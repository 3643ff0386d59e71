package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// headInterval is the time between two looks at the database's history, and two writes of the audit head.
	headInterval = time.Second
	// epochGap is added to the epochs of all leases after a rollback: none that was given in the lost transactions is given again.
	epochGap = 1000
	// ledgerMargin is how many ledgers before the newest one that the database knows a lost operation is looked for: it may have been
	// moved on between a rollback and its detection.
	ledgerMargin = 100
)

// handleRollback deals with a [rollbackError], and passes other errors on. All leases end, and open operations and
// the credential index are to be compared with the ledger ([Store.Recovery]).
func (s *Store) handleRollback(ctx context.Context, err error) error {
	var found *rollbackError
	if !errors.As(err, &found) {
		return err
	}
	s.handling.Lock()
	defer s.handling.Unlock()
	s.witness.mu.Lock()
	generation := max(found.generation, s.witness.generation) + 1
	s.witness.mu.Unlock()
	first := false
	var now head
	err = s.tryWrite(ctx, func(t *txn) error {
		n, err := t.exec("UPDATE lineage SET generation = $1, identity = $2 WHERE id = 1 AND generation = $3", generation, found.identity, found.generation)
		if first = n == 1; err != nil || !first {
			if err == nil {
				err = t.tx.QueryRowContext(ctx, "SELECT generation FROM lineage WHERE id = 1").Scan(&generation)
			}
			return err
		}
		if err := t.recordRollback(generation, found); err != nil {
			return err
		}
		return t.tx.QueryRowContext(ctx, "SELECT entry, hash FROM heads WHERE id = 1").Scan(&now.entry, &now.hash)
	})
	if err != nil {
		return err
	}
	s.witness.reset(generation, found.identity, now)
	switch {
	case !first: // another process has done it, and logged it
	case found.proven:
		s.log.Error("the database lost committed transactions; revoked tokens may be valid again: see Failover in docs/operations.md",
			"cause", found.cause, "generation", generation)
	default:
		s.log.Warn("the database was replaced; open operations are compared with the ledger", "cause", found.cause, "generation", generation)
	}
	return nil
}

// recordRollback stores what follows from a rollback.
func (t *txn) recordRollback(generation int64, found *rollbackError) error {
	var ledger int64
	err := t.tx.QueryRowContext(t.ctx, "SELECT coalesce(min(i), 0) FROM (SELECT last_index AS i FROM network UNION ALL"+
		" SELECT complete AS i FROM mirrors WHERE known = 1 AND complete > 0) AS ledgers").Scan(&ledger)
	if err != nil {
		return err
	}
	var acknowledged any
	if !found.proven {
		acknowledged = t.now.UnixMicro()
	}
	_, err = t.exec("INSERT INTO rollbacks (generation, detected, cause, proven, first_ledger, acknowledged) VALUES ($1, $2, $3, $4, $5, $6)",
		generation, t.now.UnixMicro(), short(found.cause), bit(found.proven), max(ledger-ledgerMargin, 1), acknowledged)
	if err == nil {
		_, err = t.exec("UPDATE lanes SET holder = '', expires = 0, epoch = epoch + $1", epochGap)
	}
	return err
}

// Recovery is what an account's lane does before it signs anything.
type Recovery struct {
	// Generation names it for [Store.FinishRecovery].
	Generation int64
	// FirstLedger is the first one in which a lost transaction can be.
	FirstLedger uint32
	// Detected is when the rollback was found: older operations may have a lost transaction.
	Detected time.Time
}

// Recovery returns what is to be recovered after rollbacks; due is false where nothing is. Error code: storeUnavailable.
func (s *Store) Recovery(ctx context.Context) (r Recovery, due bool, err error) {
	var generation, first, at sql.NullInt64
	err = s.readDB.QueryRowContext(ctx, "SELECT max(generation), min(first_ledger), max(detected) FROM rollbacks WHERE recovered IS NULL").Scan(&generation, &first, &at)
	if err != nil || !generation.Valid {
		return r, false, fault("reading whether the database was rolled back", err)
	}
	return Recovery{generation.Int64, uint32(first.Int64), time.UnixMicro(at.Int64).UTC()}, true, nil
}

// FinishRecovery says that open operations are what the ledger says. Error codes: fenced, storeUnavailable.
func (s *Store) FinishRecovery(ctx context.Context, fence model.Fence, r Recovery) error {
	return s.write(ctx, "finishing the recovery after a rollback", func(t *txn) error {
		if err := s.checkFence(t, fence); err != nil {
			return err
		}
		_, err := t.exec("UPDATE rollbacks SET recovered = $1 WHERE generation <= $2 AND recovered IS NULL", t.now.UnixMicro(), r.Generation)
		return err
	})
}

// Unjournalled returns those of transaction hashes that no operation has. Error code: storeUnavailable.
func (s *Store) Unjournalled(ctx context.Context, hashes []string) (map[string]bool, error) {
	unknown := map[string]bool{}
	for _, hash := range hashes {
		unknown[hash] = true
	}
	list, err := s.d.list(hashes)
	if err != nil || len(hashes) == 0 {
		return unknown, err
	}
	rows, err := s.readDB.QueryContext(ctx, "SELECT hash FROM attempts WHERE "+s.d.in("hash", 1), list)
	return unknown, fault("looking for transactions", each(rows, err, func(rows *sql.Rows) error {
		var hash string
		err := rows.Scan(&hash)
		delete(unknown, hash)
		return err
	}))
}

// OpenOperation returns the pending or signed operation for a credential, with its attempts; found is false where there is none.
// Error code: storeUnavailable.
func (s *Store) OpenOperation(ctx context.Context, issuer, subject model.Address, t model.CredentialType) (op model.Operation, found bool, err error) {
	ops, err := s.operations(ctx, true, "o.issuer = $1 AND o.subject = $2 AND o.type = $3 AND o.state IN ('pending', 'signed')", string(issuer), string(subject), t.Hex())
	if err != nil || len(ops) == 0 {
		return op, false, fault("reading the open operation for a credential", err)
	}
	return ops[0], true, nil
}

// OpenRollbacks says how many times transactions were lost that nobody has acknowledged. Error code: storeUnavailable.
func (s *Store) OpenRollbacks(ctx context.Context) (n int64, err error) {
	err = s.readDB.QueryRowContext(ctx, "SELECT count(*) FROM rollbacks WHERE acknowledged IS NULL").Scan(&n)
	return n, fault("reading whether the database was rolled back", err)
}

// AcknowledgeRollbacks says that somebody has dealt with lost transactions, or that a copy was restored on purpose, and returns how
// many times that was. by is who says so. Error code: storeUnavailable.
func (s *Store) AcknowledgeRollbacks(ctx context.Context, by model.AuditEntry) (n int64, err error) {
	err = s.write(ctx, "acknowledging a rollback", func(t *txn) error {
		n, err = t.exec("UPDATE rollbacks SET acknowledged = $1 WHERE acknowledged IS NULL", t.now.UnixMicro())
		if err == nil && n > 0 {
			t.audit(by)
		}
		return err
	})
	return n, err
}

// watchHistory verifies the database every [headInterval], also in a process without the lane, and keeps the audit head in its file.
func (s *Store) watchHistory(ctx context.Context) {
	ticker := time.NewTicker(headInterval)
	defer ticker.Stop()
	var kept keptHead
	for {
		s.keepHead(&kept)
		select {
		case <-ctx.Done():
			s.keepHead(&kept)
			return
		case <-ticker.C:
		}
		look, cancel := context.WithTimeout(ctx, readLimit)
		err := s.handleRollback(look, s.verify(look, s.readDB))
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Debug("the database's history cannot be verified", "error", err)
		}
	}
}

// keptHead is what the file has, and whether the last attempt to write it failed.
type keptHead struct {
	head
	failed bool
}

// keepHead writes the newest audit head that this process knows, where it changed.
func (s *Store) keepHead(kept *keptHead) {
	s.witness.mu.Lock()
	now := s.witness.head
	s.witness.mu.Unlock()
	if s.cfg.HeadFile == "" || now == kept.head || now.entry == 0 {
		return
	}
	if err := replaceFile(s.cfg.HeadFile, []byte(now.String()+"\n")); err != nil {
		if !kept.failed {
			s.log.Warn("the audit head cannot be written; a rollback while the service is stopped is not noticed", "file", s.cfg.HeadFile, "error", err)
		}
		kept.failed = true
		return
	}
	*kept = keptHead{head: now}
}

// readHead reads the audit head of an earlier process; the zero one where there is none.
func (s *Store) readHead() (head, error) {
	if s.cfg.HeadFile == "" {
		return head{}, nil
	}
	b, err := os.ReadFile(s.cfg.HeadFile)
	if errors.Is(err, os.ErrNotExist) {
		return head{}, nil
	}
	if err != nil {
		return head{}, err
	}
	entry, hash, _ := strings.Cut(string(bytes.TrimSpace(b)), ":")
	n, err := strconv.ParseInt(entry, 10, 64)
	if _, wrong := parseHash(strings.ToLower(hash)); err != nil || n < 1 || wrong != nil {
		return head{}, fmt.Errorf("it must be an entry's number and hash, SEQ:HASH, and has %d bytes of something else", len(b))
	}
	return head{n, strings.ToLower(hash)}, nil
}

// replaceFile puts content at a path so that a crash leaves the old or the new one.
func replaceFile(path string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
