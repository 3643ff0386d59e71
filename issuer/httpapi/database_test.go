package httpapi_test

import (
	"path/filepath"
	"testing"

	"github.com/xrplissuer/credential-issuer/store"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

// onDatabases runs a test on each kind of journal: an SQLite file, and a PostgreSQL schema of its own.
func onDatabases(t *testing.T, test func(t *testing.T, database store.Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, store.Config{Path: filepath.Join(t.TempDir(), "issuer.db")}) })
	t.Run("postgres", func(t *testing.T) { test(t, store.Config{URL: postgres.Schema(t)}) })
}
