package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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
	files, err := fs.Glob(from, "migrations/"+s.d.name+"/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(files)
	waited := time.Now().Add(writeLimit)
	for try := 0; ; {
		err := s.migrateOnce(ctx, from, files)
		switch {
		case busy(err) && ctx.Err() == nil && time.Now().Before(waited):
		case err == nil || try >= tries || !transient(err) && !lost(err):
			return err
		default:
			try++
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context, from fs.FS, files []string) error {
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
	for _, file := range files {
		if s.d == &postgresDialect {
			// What earlier ones have put off is checked now: no table can be changed before.
			if _, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"); err != nil {
				return err
			}
		}
		name := strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".sql")
		text, err := fs.ReadFile(from, file)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		checksum := hex.EncodeToString(sum[:])
		before, done := applied[name]
		delete(applied, name)
		switch {
		case done && before == checksum:
			continue
		case done:
			return fmt.Errorf("migration %s was changed after it was applied to this database: use the program that applied it, or a later one", name)
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO schema_migrations (name, checksum, applied) VALUES ($1, $2, $3)", name, checksum, s.now().UnixMicro())
		if err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
		s.log.Info("applied a migration", "name", name)
	}
	for name := range applied {
		return errors.New("the database has been used by a newer version of this program, which applied migration " + name + ": use that version, or a later one")
	}
	return tx.Commit()
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
