package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// migrations holds a folder per dialect, with files of the same names. They are applied in the order of their names. A
// file that was released is never changed: what comes later is a new file.
//
//go:embed migrations
var migrations embed.FS

// migrationLock is the key of the advisory lock that keeps replicas from migrating at once.
const migrationLock = 0x63726564656e7469 // "credenti"

// migrate applies what is missing.
func (s *Store) migrate(ctx context.Context, from fs.FS) error {
	files, err := migrationFiles(from, s.d)
	if err != nil {
		return err
	}
	waited := time.Now().Add(writeLimit)
	for try := 0; ; {
		err := s.migrateOnce(ctx, files)
		switch {
		case busy(err) && ctx.Err() == nil && time.Now().Before(waited):
		case err == nil || try >= tries || !transient(err) && !lost(err):
			return err
		default:
			try++
		}
	}
}

// SchemaError says that a database's tables are not those of this program, and were left as they are.
type SchemaError struct {
	// Migration is one that only one of the two has, or that differs; empty where the database has no tables at all.
	Migration string
	reason    string
}

// Error states the problem and the fix.
func (e *SchemaError) Error() string { return e.reason }

func olderSchema(migration string) error {
	return &SchemaError{migration, "the database has the tables of an earlier version and lacks migration " + migration +
		": start the service of this version once, which applies it, or use the program of the service's version"}
}

func newerSchema(migration string) error {
	return &SchemaError{migration, "the database has been used by a newer version of this program, which applied migration " + migration +
		": use that version, or a later one"}
}

func changedSchema(migration string) error {
	return &SchemaError{migration, "migration " + migration + " was changed after it was applied to this database: use the program that applied it, or a later one"}
}

var errNoTables = &SchemaError{"", "the database holds no journal yet: start the service once, or set DATA_DIR or DATABASE_URL to the service's own"}

// checkSchema compares the applied migrations with the program's, and changes nothing.
func (s *Store) checkSchema(ctx context.Context, from fs.FS) error {
	tx, err := s.readDB.BeginTx(ctx, s.txOptions())
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var made bool
	if err := tx.QueryRowContext(ctx, s.d.hasTable).Scan(&made); err != nil {
		return err
	}
	if !made {
		return errNoTables
	}
	applied, err := appliedMigrations(ctx, tx)
	if err != nil {
		return err
	}
	files, err := migrationFiles(from, s.d)
	if err != nil {
		return err
	}
	missing, err := missingMigrations(files, applied)
	if err == nil && len(missing) > 0 {
		err = olderSchema(missing[0].name)
	}
	return err
}

// migration is one file.
type migration struct{ name, text, checksum string }

// migrationFiles reads a dialect's migrations, in order.
func migrationFiles(from fs.FS, d *dialect) ([]migration, error) {
	files, err := fs.Glob(from, "migrations/"+d.name+"/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	out := make([]migration, len(files))
	for i, file := range files {
		text, err := fs.ReadFile(from, file)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		out[i] = migration{strings.TrimSuffix(path.Base(file), ".sql"), string(text), hex.EncodeToString(sum[:])}
	}
	return out, nil
}

// missingMigrations returns those that are not applied. The error is a [SchemaError] where an applied one is unknown or differs.
func missingMigrations(files []migration, applied map[string]string) (missing []migration, err error) {
	unknown := maps.Clone(applied)
	for _, m := range files {
		before, done := applied[m.name]
		delete(unknown, m.name)
		switch {
		case !done:
			missing = append(missing, m)
		case before != m.checksum:
			return nil, changedSchema(m.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		return nil, newerSchema(name)
	}
	return missing, nil
}

func (s *Store) migrateOnce(ctx context.Context, files []migration) error {
	tx, err := s.writeDB.BeginTx(ctx, s.txOptions())
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if s.d == &postgresDialect {
		if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, applied BIGINT NOT NULL)")
	if err != nil {
		return err
	}
	applied, err := appliedMigrations(ctx, tx)
	if err != nil {
		return err
	}
	missing, err := missingMigrations(files, applied)
	if err != nil {
		return err
	}
	if s.cfg.Access == AccessWrite && len(applied) > 0 && len(missing) > 0 {
		return olderSchema(missing[0].name)
	}
	for _, m := range missing {
		if s.d == &postgresDialect {
			// What earlier ones have put off is checked now: no table can be changed before.
			if _, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, m.text); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO schema_migrations (name, checksum, applied) VALUES ($1, $2, $3)", m.name, m.checksum, s.now().UnixMicro())
		if err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		s.log.Info("applied a migration", "name", m.name)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.upgraded = len(applied) > 0 && slices.ContainsFunc(missing, func(m migration) bool { return m.name == authenticMigration })
	return nil
}

func appliedMigrations(ctx context.Context, tx *sql.Tx) (map[string]string, error) {
	applied := map[string]string{}
	rows, err := tx.QueryContext(ctx, "SELECT name, checksum FROM schema_migrations")
	return applied, each(rows, err, func(rows *sql.Rows) error {
		var name, checksum string
		if err := rows.Scan(&name, &checksum); err != nil {
			return err
		}
		applied[name] = checksum
		return nil
	})
}
