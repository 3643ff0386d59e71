package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// openSQLite opens one connection that writes and a few that read. The pragmas are in the connection string, so that no
// connection can be without them.
func (s *Store) openSQLite(ctx context.Context) error {
	s.d = &sqliteDialect
	s.locks.prefix = s.cfg.Path
	if s.cfg.Access != AccessRead {
		if err := ensureFile(s.cfg.Path); err != nil {
			return fmt.Errorf("making the database's file: %w", err)
		}
	}
	common := []string{
		"foreign_keys(1)",
		"synchronous(FULL)", // a commit is on disk when it returns
		"fullfsync(1)",      // and on macOS too
		"checkpoint_fullfsync(1)",
		"cache_size(-16384)", // KiB
		"secure_delete(1)",   // what is deleted is overwritten
	}
	// Another process may write, such as a command line. Waiting for it here does not end with a context: what writes
	// waits for short and asks again.
	writing := append([]string{"busy_timeout(100)"}, common...)
	reading := append([]string{"busy_timeout(5000)"}, common...)
	s.file = &dataFile{path: s.cfg.Path, log: s.log}
	var err error
	if s.cfg.Access != AccessRead {
		if err := s.openSQLiteWriter(ctx, append(writing, "journal_mode(WAL)")); err != nil {
			return err
		}
	}
	if s.readDB, err = s.file.open(s.readName(append(reading, "query_only(1)"))); err != nil {
		return err
	}
	readers := s.cfg.MaxConns
	if readers <= 0 {
		readers = 4
	}
	s.readDB.SetMaxOpenConns(readers)
	s.readDB.SetMaxIdleConns(readers)
	return nil
}

// openSQLiteWriter opens the connection that writes, and waits for another process that has locked the file.
func (s *Store) openSQLiteWriter(ctx context.Context, pragmas []string) (err error) {
	// Wait for the turn at the start, where waiting is all that can happen.
	if s.writeDB, err = s.file.open(sqliteName(s.cfg.Path, pragmas, "_txlock", "immediate")); err != nil {
		return err
	}
	s.writeDB.SetMaxOpenConns(1)
	s.writeDB.SetConnMaxIdleTime(0)
	opening, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	for {
		err := s.writeDB.PingContext(opening)
		if err == nil {
			return nil
		}
		if opening.Err() != nil || !busy(err) {
			return fault("opening the database "+s.cfg.Path, err)
		}
	}
}

// readName is the name of the database for connections that read.
func (s *Store) readName(pragmas []string) string {
	mode := "rw"
	if s.cfg.Access == AccessRead {
		mode = "ro"
	}
	return sqliteName(s.cfg.Path, pragmas, "mode", mode)
}

// open makes a pool of connections that are checked against the file.
func (f *dataFile) open(name string) (*sql.DB, error) {
	plain, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	registered := plain.Driver()
	return sql.OpenDB(&fileConnector{file: f, driver: registered, name: name}), plain.Close()
}

func sqliteName(path string, pragmas []string, option, value string) string {
	q := url.Values{"_pragma": pragmas, option: {value}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}
