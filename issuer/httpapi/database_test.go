package httpapi_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/xrplissuer/credential-issuer/store"
)

// defaultPostgres is where tests look for a server when DATABASE_URL says nothing.
const defaultPostgres = "postgres://127.0.0.1:5432/test"

// skippedForPostgres counts the tests that this machine could not run.
var skippedForPostgres atomic.Int64

var postgresServer = sync.OnceValues(func() (string, error) {
	address := os.Getenv("DATABASE_URL")
	asked := address != ""
	if !asked {
		address = defaultPostgres
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	switch {
	case err != nil && asked:
		return "", fmt.Errorf("DATABASE_URL is set, and no PostgreSQL answers there: %w", err)
	case err != nil:
		return "", nil
	}
	return address, conn.Close(ctx)
})

// onDatabases runs a test on each kind of journal: an SQLite file, and a PostgreSQL schema of its own.
func onDatabases(t *testing.T, test func(t *testing.T, database store.Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, store.Config{Path: filepath.Join(t.TempDir(), "issuer.db")}) })
	t.Run("postgres", func(t *testing.T) {
		server, err := postgresServer()
		switch {
		case err != nil:
			t.Fatal(err)
		case server == "":
			skippedForPostgres.Add(1)
			t.Skipf("SKIPPED: no PostgreSQL answers at %s, and DATABASE_URL is not set: this was NOT tested", defaultPostgres)
		}
		schema := "httpapi_test_" + strings.ToLower(rand.Text()[:12])
		command(t, server, "CREATE SCHEMA "+schema)
		t.Cleanup(func() { command(t, server, "DROP SCHEMA "+schema+" CASCADE") })
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", schema)
		u.RawQuery = q.Encode()
		test(t, store.Config{URL: u.String()})
	})
}

func command(t *testing.T, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
