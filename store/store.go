package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Clock tells the time that rows are stamped with. The lease runs by the database's own.
type Clock interface{ Now() time.Time }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// Access says what a program does with a database.
type Access int

// Only the service changes the tables of a database: a command of another version leaves those of a running service alone.
const (
	AccessService Access = iota // reads and writes, migrates, works in the background
	AccessWrite                 // reads and writes; makes the tables of a new database, and changes no others
	AccessRead                  // reads
)

// Config says where the data is. One of URL and Path is needed.
type Config struct {
	// URL is PostgreSQL's: postgres://user:password@host:port/database?…, or its key=value form. It wins over Path. It
	// may hold a password, and is never logged.
	URL string
	// Path is the file of an SQLite database. It is made where it is missing, with its folder, readable to its owner
	// alone. It must be on a local disk: write-ahead logs need shared memory.
	Path string
	// IdempotencyKeep is how long callers' keys are kept; 24 h by default.
	IdempotencyKeep time.Duration
	// HashKeys are what hashes of requests and of rows are stored under, so that whoever reads the database cannot confirm a guess of
	// what came: the first one for new ones, all to compare with. Without any, a secret of the database itself stands in, which
	// keeps guesses only from those who read a part of it.
	HashKeys [][32]byte
	// JournalKeys authenticate operations and review requests: the first one makes MACs, all verify them. A store for a
	// submitter needs one; without any, every row counts as authentic.
	JournalKeys [][32]byte
	// EventKeep is how long events are kept that are of no request; 30 days by default.
	EventKeep time.Duration
	// RequestKeep is how long review requests are kept that ended without a credential; 30 days by default. Withdrawn ones are
	// kept for a day.
	RequestKeep time.Duration
	// PollInterval is how often what somebody waits for is read again, in case that a notification was lost; 2 s by
	// default.
	PollInterval time.Duration
	// MaxConns bounds the connections: to PostgreSQL 10 by default, and one more that listens; of SQLite the readers, 4
	// by default, beside the one that writes.
	MaxConns int
	// Access is AccessService by default.
	Access Access
	// HeadFile is where the service keeps the newest entry of the audit log outside the database, as SEQ:HASH; empty for nowhere.
	HeadFile string

	Clock  Clock        // the machine's by default
	Logger *slog.Logger // none by default
}

// Format keeps the URL out of logs, whatever the verb.
func (Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[redacted]") }

// LogValue keeps the URL out of logs.
func (Config) LogValue() slog.Value { return slog.StringValue("[redacted]") }

const (
	// writeLimit bounds one transaction, waiting for its turn included.
	writeLimit = 15 * time.Second
	// tries is how often a transaction is run that a broken connection or a deadlock ends.
	tries = 4
	// probeSize is how many bytes [Store.Ping] writes, after a write that failed.
	probeSize = 64 << 10
	// keySweep is how often old idempotency keys are looked for, and batches that nobody has completed; staleBatch is how
	// long nothing was added to one of those.
	keySweep   = 10 * time.Minute
	staleBatch = time.Hour
)

// Store is an open database. It is safe for simultaneous use.
type Store struct {
	cfg   Config
	d     *dialect
	log   *slog.Logger
	clock Clock
	// write and read are the same pool on PostgreSQL. On SQLite write has one connection.
	writeDB, readDB *sql.DB

	ids     ids
	hub     *hub
	creates gathering[*creation]
	reads   gathering[*reading]
	locks   laneLocks
	file    *dataFile // nil on PostgreSQL

	witness  witness
	handling sync.Mutex // of a rollback, one at a time
	pooled   bool       // a connection pooler is in front of PostgreSQL
	settings string     // a statement at the start of each transaction that writes; empty for none

	prepared prepared  // for readDB
	hashKeys []hashKey // the first one for new hashes
	// journalKeys make and verify MACs; none where operations are only read.
	journalKeys []hashKey
	// upgraded says that this process has added the MACs to a database of an earlier release.
	upgraded    bool
	quarantined atomic.Uint64

	report atomic.Pointer[func() string] // what this process says of itself; nil for nothing

	failing atomic.Bool // the last write failed for want of the database
	// scrubbed says that the write-ahead log holds no documents that were erased.
	scrubbed atomic.Bool

	stop  context.CancelFunc
	tasks sync.WaitGroup
	end   sync.Once
}

// Open opens the database. The service brings its tables up to date; for other kinds of [Access], tables of another version are a
// [SchemaError]. The error is [model.CodeStoreUnavailable] when it cannot be
// reached or used now, and another when it never will be as it is configured. ctx is for opening alone.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Clock == nil {
		cfg.Clock = systemClock{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.IdempotencyKeep <= 0 {
		cfg.IdempotencyKeep = 24 * time.Hour
	}
	if cfg.RequestKeep <= 0 {
		cfg.RequestKeep = requestKeep
	}
	if cfg.EventKeep <= 0 {
		cfg.EventKeep = 30 * 24 * time.Hour
	}
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = 2 * time.Second
	}
	s := &Store{cfg: cfg, journalKeys: journalKeys(cfg.JournalKeys), log: cfg.Logger, clock: cfg.Clock, creates: newGathering[*creation](), reads: newGathering[*reading]()}
	s.hub = newHub(s)
	var listen func(context.Context)
	var err error
	switch {
	case cfg.URL != "":
		listen, err = s.openPostgres(ctx)
	case cfg.Path != "":
		err = s.openSQLite(ctx)
	default:
		return nil, errors.New("a store needs the URL of a PostgreSQL database or the path of an SQLite one")
	}
	if err == nil {
		err = s.matchSchema(ctx, migrations)
	}
	if err != nil {
		s.closeDBs()
		return nil, err
	}
	if err := s.loadHashKeys(ctx); err != nil {
		s.closeDBs()
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	if cfg.Access != AccessService {
		return s, nil
	}
	if err := s.beginWitness(ctx); err != nil {
		stop()
		s.closeDBs()
		return nil, err
	}
	ctx = background
	s.tasks.Go(func() { s.watchHistory(ctx) })
	s.tasks.Go(func() { s.hub.poll(ctx) })
	s.tasks.Go(func() { s.sweep(ctx) })
	if listen != nil {
		s.tasks.Go(func() { listen(ctx) })
	}
	return s, nil
}

// matchSchema brings the tables up to date where that is allowed, and else compares them.
func (s *Store) matchSchema(ctx context.Context, from fs.FS) error {
	if s.cfg.Access == AccessRead {
		return fault("reading the version of the database's tables", s.checkSchema(ctx, from))
	}
	return fault("bringing the database's tables up to date", s.migrate(ctx, from))
}

// Driver says which database it is: "sqlite" or "postgres".
func (s *Store) Driver() string { return s.d.name }

// Close ends what goes on in the background, and closes the database. Whoever still waits is told that it is closed.
// Leases are not given back: who holds one does that first.
func (s *Store) Close() error {
	var err error
	s.end.Do(func() {
		s.stop()
		s.hub.close()
		s.tasks.Wait()
		s.locks.closeAll()
		if err = s.closeDBs(); lost(err) {
			err = nil // what is gone need not be closed
		}
	})
	return err
}

func (s *Store) closeDBs() error {
	err := s.prepared.close()
	if s.readDB != nil && s.readDB != s.writeDB {
		err = errors.Join(err, s.readDB.Close())
	}
	if s.writeDB != nil {
		err = errors.Join(err, s.writeDB.Close())
	}
	return err
}

// Ping says whether the database works: whether it can be read, and, after a write that failed, whether it can be
// written again.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.readDB.QueryRowContext(ctx, "SELECT count(*) FROM probe").Scan(&one); err != nil {
		return fault("reading from the database", err)
	}
	if !s.failing.Load() {
		return nil
	}
	// A little always fits somewhere: ask for the room that work takes. What failing says of it stands until it fits.
	ballast := make([]byte, probeSize)
	_, _ = rand.Read(ballast) // never fails; and cannot be compressed
	for _, b := range [][]byte{ballast, nil} {
		err := s.write(ctx, "writing to the database", func(t *txn) error {
			_, err := t.exec("UPDATE probe SET at = $1, ballast = $2 WHERE id = 1", s.now().UnixMicro(), b)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) now() time.Time { return s.clock.Now().UTC().Truncate(time.Microsecond) }

// txn is a transaction that writes.
type txn struct {
	*dialect
	ctx context.Context
	tx  *sql.Tx
	now time.Time // one for all of it
	// What is added to the two logs at its end.
	events  []model.Event
	audited []model.AuditEntry
	// What others are told once it is committed.
	final   []model.OperationID
	ends    map[model.OperationID]*end // of some of them
	pending map[model.Address]bool
	lanes   map[model.Address]bool
	// concluded are accounts with operations that became final.
	concluded map[model.Address]bool
	// What this process remembers of it.
	signedLast string
	head       head
}

func (t *txn) exec(query string, args ...any) (int64, error) {
	query, args, err := t.expand(query, args)
	if err != nil {
		return 0, err
	}
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *txn) query(query string, args ...any) (*sql.Rows, error) {
	query, args, err := t.expand(query, args)
	if err != nil {
		return nil, err
	}
	return t.tx.QueryContext(t.ctx, query, args...)
}

// each runs a query and scans every row with f.
func each(rows *sql.Rows, err error, f func(rows *sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs f in a transaction, and again when a connection or a deadlock ends it: f must start anew each time. The
// error is a [model.Error].
func (s *Store) write(ctx context.Context, doing string, f func(t *txn) error) error {
	if s.cfg.Access == AccessRead {
		return misuse("%s, in a database that was opened for reading", doing)
	}
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	var err error
	for try := 0; try < tries; {
		if err = s.tryWrite(ctx, s.verified(f)); err == nil {
			s.failing.Store(false)
			return nil
		}
		if errors.Is(err, errRolledBack) {
			if handled := s.handleRollback(ctx, err); handled != nil {
				err = errors.Join(err, handled)
			}
			return unreadable(err)
		}
		if ctx.Err() == nil && busy(err) {
			continue // it has waited for a moment, and the context says for how many
		}
		if ctx.Err() != nil || !lost(err) && !transient(err) {
			break
		}
		try++
		s.log.Debug("a transaction is run again", "doing", doing, "try", try, "error", err)
	}
	err = fault(doing, err)
	if model.CodeOf(err) == model.CodeStoreUnavailable && !errors.Is(err, context.Canceled) {
		s.failing.Store(true)
	}
	return err
}

func (s *Store) tryWrite(ctx context.Context, f func(t *txn) error) error {
	tx, err := s.writeDB.BeginTx(ctx, s.txOptions())
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing once it is committed
	if s.settings != "" {
		if _, err := tx.ExecContext(ctx, s.settings); err != nil {
			return err
		}
	}
	t := &txn{dialect: s.d, ctx: ctx, tx: tx, now: s.now(), pending: map[model.Address]bool{}, lanes: map[model.Address]bool{},
		concluded: map[model.Address]bool{}}
	if err := f(t); err != nil {
		return err
	}
	if err := s.tellOthers(t); err != nil {
		return err
	}
	if err := s.appendLogs(t); err != nil { // the last of all: it locks what every other transaction waits for
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if err := s.checkFile(); err != nil { // it is gone, and what was committed with it
		return err
	}
	s.witness.note(t)
	s.hub.committed(t)
	return nil
}

// verified has f follow a look at the database's history where connections are new.
func (s *Store) verified(f func(t *txn) error) func(t *txn) error {
	if !s.witness.due() {
		return f
	}
	return func(t *txn) error {
		if err := s.verify(t.ctx, t.tx); err != nil {
			return err
		}
		return f(t)
	}
}

// checkFile says whether an SQLite database's file is still the one at its path.
func (s *Store) checkFile() error {
	if s.file == nil {
		return nil
	}
	return s.file.check()
}

func (s *Store) txOptions() *sql.TxOptions {
	if s.d == &postgresDialect {
		// Each statement sees what was committed before it, whatever the server's default: the look-ups after a
		// conflict rely on it.
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

// sweep forgets old keys, sums of rows, nonces, events and denials, and tells of batches that were not completed.
func (s *Store) sweep(ctx context.Context) {
	ticker := time.NewTicker(keySweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if n, oldest, err := s.Receiving(ctx, s.now().Add(-staleBatch)); err == nil && n > 0 {
			s.log.Warn("batches wait for the rest of their rows: send them again, or cancel them", "count", n, "oldest", oldest)
		}
		for what, sweep := range map[string]func(context.Context) (int64, error){"idempotency keys": s.SweepKeys, "sums of rows": s.SweepSums, "nonces": s.SweepNonces, "events": s.SweepEvents, "denials": s.SweepDenials, "closed requests": s.SweepApplications} {
			n, err := sweep(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				s.log.Warn("what is old could not be removed", "what", what, "error", err)
			case n > 0:
				s.log.Debug("removed what is old", "what", what, "count", n)
			}
		}
	}
}

// ensureFile makes an SQLite database's file and folder, for its owner's eyes alone, so that both survive a crash.
func ensureFile(path string) error {
	dir := "."
	if i := strings.LastIndexByte(path, os.PathSeparator); i > 0 {
		dir = path[:i]
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // some systems cannot, and lose nothing by it
	return d.Close()
}
