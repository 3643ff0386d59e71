package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

// journal is a service's database, read with SQL of this program's own.
type journal struct{ db *sql.DB }

func openJournal(dataDir string) (*journal, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dataDir, "issuer.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	return &journal{db}, nil
}

// books is what a journal holds.
type books struct{ operations, open, requests, entries int }

func (j *journal) read(ctx context.Context) (books, error) {
	var b books
	err := j.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM operations WHERE kind IN ('issue', 'revoke')),
		(SELECT count(*) FROM operations WHERE state IN ('pending', 'signed')), (SELECT count(*) FROM applications), (SELECT count(*) FROM audit)`).
		Scan(&b.operations, &b.open, &b.requests, &b.entries)
	if err != nil {
		return b, fmt.Errorf("reading the journal: %w", err)
	}
	return b, nil
}
