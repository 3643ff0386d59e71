package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/xrplissuer/credential-issuer/model"
)

// witnessed is how many commits of each kind a process remembers. A database that loses transactions loses the last ones, and
// commits at the same moment return in any order: the last one is among these.
const witnessed = 32

// witness is what a process knows of the database's last transactions, outside of the database. A failover to a standby that
// lacks them, or a restored copy, shows by it (postgresql.org/docs/current/warm-standby.html: asynchronous replication).
type witness struct {
	identityQuery string // an expression; '' where nothing can be known

	mu         sync.Mutex
	generation int64 // 0: not begun
	identity   string
	head       head
	signed     []string // hashes of attempts, the newest last
	concluded  []string // operations that are final
	holders    map[model.Fence]string
	verified   uint64 // connections that were made before the last verification
	connects   uint64
}

// head is the last entry of the audit log.
type head struct {
	entry int64
	hash  string
}

// String is the form that `issuer audit verify --head` takes.
func (h head) String() string { return fmt.Sprintf("%d:%s", h.entry, strings.ToUpper(h.hash)) }

// rollbackError says that the database is an older state of itself.
type rollbackError struct {
	cause      string
	proven     bool
	generation int64 // that the database has
	identity   string
}

func (e *rollbackError) Error() string { return "the database was rolled back: " + e.cause }

// errRolledBack matches a [rollbackError].
var errRolledBack = errors.New("the database was rolled back")

// Is makes errors.Is(err, errRolledBack) true.
func (e *rollbackError) Is(target error) bool { return target == errRolledBack }

// note remembers what a transaction has committed.
func (w *witness) note(t *txn) {
	if t.signedLast == "" && len(t.final) == 0 && t.head.entry == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.signedLast != "" {
		w.signed = lastOf(append(w.signed, t.signedLast))
	}
	if len(t.final) > 0 {
		w.concluded = lastOf(append(w.concluded, string(t.final[len(t.final)-1])))
	}
	if t.head.entry > w.head.entry {
		w.head = t.head
	}
}

func lastOf(s []string) []string {
	if len(s) > witnessed {
		return slices.Clone(s[len(s)-witnessed:])
	}
	return s
}

// reset begins anew with a database as it is.
func (w *witness) reset(generation int64, identity string, h head) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.generation, w.identity, w.head = generation, identity, h
	w.signed, w.concluded = nil, nil
}

// lastSigned returns some of the newest attempts that this process has journalled.
func (w *witness) lastSigned() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.signed[max(0, len(w.signed)-4):])
}

// connected counts a new connection: a failover ends all connections before.
func (w *witness) connected() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connects++
}

// due says whether there are connections that were not looked at.
func (w *witness) due() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.generation > 0 && w.verified < w.connects
}

// holds remembers by whom a lane was taken.
func (w *witness) holds(f model.Fence, holder string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holders == nil {
		w.holders = map[model.Fence]string{}
	}
	for other := range w.holders {
		if other.Issuer == f.Issuer {
			delete(w.holders, other)
		}
	}
	w.holders[f] = holder
}

// checkHolder compares a lane's row with a fence. After a rollback another process may have been given the same epoch.
func (w *witness) checkHolder(f model.Fence, epoch int64, holder string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	remembered, ours := w.holders[f]
	switch {
	case ours && epoch < f.Epoch && w.generation > 0:
		return &rollbackError{cause: fmt.Sprintf("the lease of %s has epoch %d, and this process took epoch %d", f.Issuer, epoch, f.Epoch), proven: true,
			generation: w.generation, identity: w.identity}
	case epoch != f.Epoch || epoch == 0 || ours && holder != text(remembered):
		return fenced(f, epoch)
	}
	return nil
}

// queries is a database or a transaction.
type queries interface {
	queryer
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// verify compares the database with what this process knows of it. The error is a [rollbackError] where transactions are missing.
// A rollback that another process has found before is taken over.
func (s *Store) verify(ctx context.Context, q queries) error {
	w := &s.witness
	w.mu.Lock()
	if w.generation == 0 {
		w.mu.Unlock()
		return nil
	}
	connects, generation, identity, known := w.connects, w.generation, w.identity, w.head
	signed, concluded := append([]string{}, w.signed...), append([]string{}, w.concluded...)
	w.mu.Unlock()

	hashes, err := s.d.list(signed)
	if err != nil {
		return err
	}
	ids, err := s.d.list(concluded)
	if err != nil {
		return err
	}
	var now struct {
		generation, attempts, open int64
		identity, hash             string
		head                       head
	}
	err = q.QueryRowContext(ctx, "SELECT l.generation, "+w.identityQuery+", coalesce((SELECT hash FROM audit WHERE seq = $1), ''), h.entry, h.hash,"+
		" (SELECT count(*) FROM attempts WHERE "+s.d.in("hash", 2)+"),"+
		" (SELECT count(*) FROM operations WHERE "+s.d.in("id", 3)+" AND state IN ('pending', 'signed')) FROM lineage l JOIN heads h ON h.id = 1 WHERE l.id = 1",
		known.entry, hashes, ids).Scan(&now.generation, &now.identity, &now.hash, &now.head.entry, &now.head.hash, &now.attempts, &now.open)
	if err != nil {
		return err
	}
	if now.generation > generation {
		w.reset(now.generation, now.identity, now.head)
		return nil
	}
	found := &rollbackError{generation: now.generation, identity: now.identity, proven: true}
	switch {
	case now.generation < generation:
		found.cause = fmt.Sprintf("its generation is %d, and was %d", now.generation, generation)
	case known.entry > 0 && now.hash != known.hash:
		found.cause = fmt.Sprintf("entry %s of the audit log is missing", known)
	case int(now.attempts) < len(signed):
		found.cause = "a transaction that this process has journalled is missing"
	case now.open > 0:
		found.cause = "an operation that this process has concluded is open"
	case now.identity != identity:
		found.cause, found.proven = fmt.Sprintf("the server was %s and is %s: a failover, or a restored copy", identity, now.identity), false
	default:
		w.mu.Lock()
		w.verified = max(w.verified, connects)
		if now.head.entry > w.head.entry {
			w.head = now.head
		}
		w.mu.Unlock()
		return nil
	}
	return found
}

// postgresIdentity are expressions for what a failover or a restored copy changes: the cluster, the database and the timeline;
// the second one is for roles that may not read the control file.
var postgresIdentity = []string{
	"(SELECT system_identifier FROM pg_control_system())::text || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())::text ||" +
		" '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
	"(SELECT oid FROM pg_database WHERE datname = current_database())::text",
}

// beginWitness reads the database as it is, and compares it with what earlier processes have noted: the identity in the database,
// and the head of the audit log in a file.
func (s *Store) beginWitness(ctx context.Context) error {
	w := &s.witness
	w.identityQuery = "''"
	if s.d == &postgresDialect {
		for _, expression := range postgresIdentity {
			var identity string
			err := s.readDB.QueryRowContext(ctx, "SELECT "+expression).Scan(&identity)
			if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "42501" { // insufficient_privilege
				continue
			}
			if err != nil {
				return fault("reading which server it is", err)
			}
			w.identityQuery = expression
			break
		}
	}
	var generation int64
	var stored, identity string
	var now head
	err := s.readDB.QueryRowContext(ctx, "SELECT l.generation, l.identity, "+w.identityQuery+", h.entry, h.hash FROM lineage l JOIN heads h ON h.id = 1 WHERE l.id = 1").
		Scan(&generation, &stored, &identity, &now.entry, &now.hash)
	if err != nil {
		return fault("reading the database's history", err)
	}
	w.reset(generation, identity, now)
	noted, err := s.readHead()
	if err != nil {
		s.log.Warn("the audit head cannot be read; it is written again", "file", s.cfg.HeadFile, "error", err)
	}
	if noted.entry > 0 {
		w.mu.Lock()
		w.head = noted
		w.mu.Unlock()
	}
	err = s.verify(ctx, s.readDB)
	if err == nil && stored != identity {
		err = &rollbackError{generation: generation, identity: identity, cause: fmt.Sprintf("the server was %s and is %s: a failover, or a restored copy", stored, identity)}
		if stored == "" {
			return s.write(ctx, "noting which server it is", func(t *txn) error {
				_, err := t.exec("UPDATE lineage SET identity = $1 WHERE id = 1 AND identity = ''", identity)
				return err
			})
		}
	}
	return s.handleRollback(ctx, err)
}
