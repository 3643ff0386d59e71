package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// defaultPostgres is where the server is looked for unless DATABASE_URL says.
const defaultPostgres = "postgres://127.0.0.1:5432/test"

// postgresSchema makes a schema of its own in PostgreSQL and returns its DATABASE_URL. drop removes it.
func postgresSchema(ctx context.Context, name string) (address string, drop func() error, err error) {
	u, err := url.Parse(cmp.Or(os.Getenv("DATABASE_URL"), defaultPostgres))
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("DATABASE_URL must be an address: postgres://user@host:port/database")
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", nil, err
	}
	return u.String(), func() error {
		db, err := sql.Open("pgx", u.String())
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // also after Ctrl-C
		defer cancel()
		_, err = db.ExecContext(ctx, "DROP SCHEMA "+name+" CASCADE")
		return err
	}, nil
}
