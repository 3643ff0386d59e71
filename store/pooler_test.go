package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

// throughPgBouncer starts a PgBouncer in a pool mode in front of an empty database, and returns the address.
func throughPgBouncer(t *testing.T, mode string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Skip("SKIPPED: pgbouncer is not installed: connection poolers were NOT tested (apt-get install pgbouncer)")
		}
	}
	_ = postgres.Schema(t) // skips where there is no server
	server, err := url.Parse(postgres.Address())
	if err != nil {
		t.Fatal(err)
	}
	name := "pooled_" + strings.ToLower(rand.Text()[:12])
	postgres.Exec(t, postgres.Address(), "CREATE DATABASE "+name)
	t.Cleanup(func() { postgres.Exec(t, postgres.Address(), "DROP DATABASE "+name+" WITH (FORCE)") })
	config, err := pgconn.ParseConfig(postgres.Address())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pgbouncer") // which another user can read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n%s = host=%s port=%d user=%s dbname=%[1]s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %[5]d\n"+
		"unix_socket_dir =\nauth_type = any\npool_mode = %[6]s\ndefault_pool_size = 20\n", name, config.Host, config.Port, config.User, port, mode)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil { //nolint:gosec // the test server trusts everyone
		t.Fatal(err)
	}
	args := []string{file}
	if os.Getuid() == 0 {
		args = []string{"-u", "nobody", file}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	said := &lockedBuffer{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said)
		}
	})
	eventually(t, "PgBouncer does not listen", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	server.Host, server.Path = fmt.Sprintf("127.0.0.1:%d", port), "/"+name
	server.RawQuery = url.Values{"sslmode": {"disable"}}.Encode()
	return server.String()
}

// Behind PgBouncer everything works with no more than DATABASE_URL, in both of its modes.
func TestPgBouncer(t *testing.T) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, Config{URL: throughPgBouncer(t, mode), PollInterval: 50 * time.Millisecond})
			if !h.pooled {
				t.Error("the pooler was not found")
			}
			other := h.open()
			if mode == "session" {
				eventually(t, "notifications are not heard", func() bool { return h.Listening() && other.Listening() })
			}

			// Many at once, so that sessions change hands; the other process does the work.
			fence := h.take()
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					op, _, err := h.Create(h.ctx(), issue())
					if err != nil {
						t.Error(err)
						return
					}
					a := attempt(op.ID, uint32(i+1))
					if err := errors.Join(other.Sign(h.ctx(), fence, []model.Attempt{a}), other.Conclude(h.ctx(), fence, []model.Outcome{success(a)})); err != nil {
						t.Error(err)
					}
					if done, err := h.Wait(h.ctx(), op.ID); err != nil || done.State != model.StateSucceeded {
						t.Error(done.State, err)
					}
				})
			}
			all.Wait()
			h.ok(h.RenewLane(h.ctx(), fence, DefaultLease))
			h.ok(h.Ping(h.ctx()))
			h.chain(h.Store)

			// A transaction has the settings, whatever session it gets.
			h.ok(h.write(h.ctx(), "reading the settings", func(tx *txn) error {
				var lock, idle, statement string
				err := tx.tx.QueryRowContext(tx.ctx, "SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),"+
					" current_setting('statement_timeout')").Scan(&lock, &idle, &statement)
				if lock != "8s" || idle != "5s" || statement != "30s" {
					t.Errorf("lock_timeout is %s, idle_in_transaction_session_timeout %s, statement_timeout %s", lock, idle, statement)
				}
				return err
			}))
		})
	}
}

// What a pooler does not take is told together with what to do about it.
func TestPgBouncerFaults(t *testing.T) {
	t.Parallel()
	address := throughPgBouncer(t, "transaction")
	_, err := Open(t.Context(), Config{URL: postgres.With(t, address, "search_path", "elsewhere")})
	if err == nil || !strings.Contains(fmt.Sprint(errors.Unwrap(err)), "ignore_startup_parameters") {
		t.Errorf("an option that it refuses: %v", err)
	}
	// Told to prepare statements all the same, it cannot work for long.
	h := newHarness(t, Config{URL: postgres.With(t, address, "default_query_exec_mode", "cache_statement"), PollInterval: time.Hour})
	var mu sync.Mutex
	var faults []error
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 10 {
				if _, err := h.Tokens(h.ctx()); err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if len(faults) == 0 {
		t.Fatal("statements that another session has were found")
	}
	for _, err := range faults {
		if model.CodeOf(err) != model.CodeStoreUnavailable || !strings.Contains(fmt.Sprint(errors.Unwrap(err)), "default_query_exec_mode=exec") {
			t.Fatal(err)
		}
	}
}
