// Package postgres gives tests schemas of their own in a real PostgreSQL: the one that DATABASE_URL names, or the one that
// answers at Default. A test that wants one where none answers is skipped and says so, and the package's summary counts it;
// where DATABASE_URL names a server that does not answer, the test fails.
package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Default is where a server is looked for when DATABASE_URL says nothing.
const Default = "postgres://127.0.0.1:5432/test"

const (
	probeTime   = 5 * time.Second  // until a server that says nothing counts as none
	commandTime = 20 * time.Second // of one command
)

// named is DATABASE_URL as it was when the program began: tests set it to other things.
var named = os.Getenv("DATABASE_URL")

// Address is where the server is looked for.
func Address() string { return cmp.Or(named, Default) }

// fault says why there is no PostgreSQL to work on; nil where there is one.
var fault = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, Address())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
})

// skipped counts the tests that this machine could not run.
var skipped atomic.Int64

// Schema returns the address of a schema that belongs to this test alone, and is gone when the test has ended. The schema's
// name is also the application_name of the connections to that address.
func Schema(t testing.TB) string {
	t.Helper()
	switch err := fault(); {
	case err != nil && named != "":
		t.Fatalf("DATABASE_URL is set, and no PostgreSQL answers there: %v", err)
	case err != nil:
		skipped.Add(1)
		t.Skipf("SKIPPED: no PostgreSQL answers at %s, and DATABASE_URL is not set: this was NOT tested", Default)
	}
	name := "test_" + strings.ToLower(rand.Text()[:16])
	Exec(t, Address(), "CREATE SCHEMA "+name)
	t.Cleanup(func() { Exec(t, Address(), "DROP SCHEMA "+name+" CASCADE") })
	return With(t, Address(), "search_path", name, "application_name", name)
}

// With returns an address with more parameters: names, each followed by its value.
func With(t testing.TB, address string, parameters ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for i := 0; i < len(parameters); i += 2 {
		q.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec runs one command on a connection of its own.
func Exec(t testing.TB, address, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Cut ends all connections to the address of a schema, as an administrator of the server can.
func Cut(t testing.TB, schema string) {
	t.Helper()
	u, err := url.Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	Exec(t, Address(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", u.Query().Get("application_name"))
}

// Summary tells in the end, loudly, how many tests of what did not run for want of a server.
func Summary(out io.Writer, what string) {
	if n := skipped.Load(); n > 0 {
		_, _ = fmt.Fprintf(out, "\n*** SKIPPED: %d tests of %s did NOT run, because no PostgreSQL answers at %s. Set DATABASE_URL to run them. ***\n\n", n, what, Default)
	}
}
