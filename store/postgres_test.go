package store

import (
	"context"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// A URL with something in it that should have been encoded is refused before anything is looked up, and nothing of its
// password is told.
func TestPasswordIsNotTold(t *testing.T) {
	for address, part := range map[string]string{
		"postgres://user:p@hush@127.0.0.1:1/db":              "percent-encoded",
		"postgres://user:p@x:hush@127.0.0.1:1/db":            "percent-encoded",
		"postgres://user:p@hush%zz@127.0.0.1:1/db":           "percent-encoded",
		"postgres://user:hush%zz@127.0.0.1:1/db":             "percent-encoded",
		"postgresql://user:12/hush@127.0.0.1:1/db":           "percent-encoded",
		"postgres://user:12/34?hush@127.0.0.1:1/db":          "percent-encoded",
		"postgres://user@127.0.0.1:1/db?password=hush%zz":    "percent-encoded",
		"postgres://user:hush@127.0.0.1:1/db?sslmode=no":     "sslmode is invalid",
		"postgres://127.0.0.1:1/db?password=hush&sslmode=no": "sslmode is invalid",
		"postgres://user:hush@127.0.0.1:wrong/db":            "its port",
		"postgre://user:hush@127.0.0.1:1/db":                 "must be PostgreSQL's",
		"host=127.0.0.1 port=1 user=user password=hush":      "must be PostgreSQL's",
	} {
		_, err := Open(t.Context(), Config{URL: address})
		if err == nil || strings.Contains(err.Error(), "hush") || !strings.HasPrefix(err.Error(), "DATABASE_URL ") || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", address, err)
		}
	}
	// One that is written as it should be is used.
	for _, address := range []string{"postgres://user:p%40hush@127.0.0.1:1/db", "postgres://user:12?#hush@127.0.0.1:1/db",
		"postgresql://127.0.0.1:1,[::1]:1/db?user=a@b&password=p@hush", "postgres:///db?host=127.0.0.1&port=1"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Open(ctx, Config{URL: address})
		cancel()
		if model.CodeOf(err) != model.CodeStoreUnavailable || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
