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
	if err := ensureFile(s.cfg.Path); err != nil {
		return fmt.Errorf("making the database's file: %w", err)
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
	if s.writeDB, err = s.file.open(sqliteName(s.cfg.Path, append(writing, "journal_mode(WAL)"), true)); err != nil {
		return err
	}
	s.writeDB.SetMaxOpenConns(1)
	s.writeDB.SetConnMaxIdleTime(0)
	opening, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	for {
		err := s.writeDB.PingContext(opening)
		if err == nil {
			break
		}
		if opening.Err() != nil || !busy(err) {
			return fault("opening the database "+s.cfg.Path, err)
		}
	}
	if s.readDB, err = s.file.open(sqliteName(s.cfg.Path, append(reading, "query_only(1)"), false)); err != nil {
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

// open makes a pool of connections that are checked against the file.
func (f *dataFile) open(name string) (*sql.DB, error) {
	plain, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	registered := plain.Driver()
	return sql.OpenDB(&fileConnector{file: f, driver: registered, name: name}), plain.Close()
}

func sqliteName(path string, pragmas []string, writes bool) string {
	q := url.Values{"_pragma": pragmas}
	if writes {
		q.Set("_txlock", "immediate") // wait for the turn at the start, where waiting is all that can happen
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}
