package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// Somebody who can write to the database tries to have something issued.
var rows = []attack{
	{name: "operation inserted into the database", on: onPlain, run: insertedOperation},
	{name: "token changed in the database", on: onPlain, run: insertedToken},
	{name: "operation changed in the database", on: onPlain, run: changedOperation},
}

// writable opens a service's database for changes.
func (r *round) writable() (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+filepath.Join(r.dataDir(), "issuer.db")+"?_pragma=busy_timeout(10000)")
}

const insertedID = "01JD8Q4Z7T9XW3V5K2M6N8P0RS"

// insertedOperation stores a pending operation without the service, which must refuse it.
func insertedOperation(ctx context.Context, r *round) error {
	db, err := r.writable()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	who, err := newWallet(ed25519Seed)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO operations (id, issuer, kind, subject, type, priority, state, created, updated, actor)
		VALUES (?, ?, 'issue', ?, '4D656D626572', 0, 'pending', unixepoch() * 1000000, unixepoch() * 1000000, 'policy')`, insertedID, r.issuer.address, who.address)
	if err != nil {
		return err
	}
	return r.refusedRow(ctx, db, insertedID, true)
}

// changedOperation makes operations that have ended pending again, for the same and for another subject.
func changedOperation(ctx context.Context, r *round) error {
	db, err := r.writable()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, change := range []string{"", ", subject = 'rrrrrrrrrrrrrrrrrrrrBZbvji'"} {
		if _, err := r.good(ctx, r.client); err != nil {
			return err
		}
		var id string
		err := db.QueryRowContext(ctx, "SELECT id FROM operations WHERE kind = 'issue' AND state = 'succeeded' ORDER BY id DESC LIMIT 1").Scan(&id)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, "UPDATE operations SET state = 'pending'"+change+" WHERE id = ?", id); err != nil {
			return err
		}
		if err := r.refusedRow(ctx, db, id, false); err != nil {
			return err
		}
	}
	return nil
}

// refusedRow awaits that the service refuses an operation. It finds the row with the next one that it is asked for.
func (r *round) refusedRow(ctx context.Context, db *sql.DB, id string, remove bool) error {
	if _, err := r.good(ctx, r.client); err != nil {
		return fmt.Errorf("a good request behind the row: %w", err)
	}
	quiet, cancel := context.WithTimeout(ctx, goodTime)
	defer cancel()
	for {
		var state, code string
		if err := db.QueryRowContext(quiet, "SELECT state, coalesce(failure_code, '') FROM operations WHERE id = ?", id).Scan(&state, &code); err != nil {
			return err
		}
		if state != "pending" {
			r.answers[state+" "+code]++
			if state != "refused" || code != "notAuthentic" {
				r.fault("the operation became %s %s", state, code)
			}
			break
		}
		programs.Sleep(quiet, 20*time.Millisecond)
	}
	if remove {
		_, err := db.ExecContext(ctx, "DELETE FROM operations WHERE id = ?", id)
		return err
	}
	return nil
}

// insiders have a token.
var insiders = []attack{
	{name: "reads of an administrator, a flood", on: onPlain, run: readFlood, long: true},
}

// tokenRate is how often a caller of the administrators' side may ask in a minute, as it is set where nothing is.
const tokenRate = 6000

// readFlood reads with a token of its own as fast as it can: the audit log does not grow with it, and the rate holds.
func readFlood(ctx context.Context, r *round) error {
	out, said, err := r.command(ctx, "token", "create", "--name", "flood", "--role", "reader")
	if err != nil {
		return fmt.Errorf("issuer token create: %w %s", err, said)
	}
	before, err := r.journal.read(ctx)
	if err != nil {
		return err
	}
	token := bearer(strings.TrimSpace(out))
	var passed atomic.Int64
	began := time.Now()
	atOnce(16, tokenRate+2000, func(int) {
		a, err := r.send(ctx, http.MethodGet, "/admin/request?limit=1", "", token)
		r.expect("a read", a, err, http.StatusOK, http.StatusTooManyRequests)
		switch {
		case a.status == http.StatusOK:
			passed.Add(1)
		case a.header.Get("Retry-After") == "":
			r.fault("429 without Retry-After")
		}
	})
	if most := tokenRate + int64(time.Since(began).Seconds()*tokenRate/60) + 1; passed.Load() > most {
		r.fault("%d reads passed the rate of %d a minute", passed.Load(), tokenRate)
	}
	after, err := r.journal.read(ctx)
	if err != nil {
		return err
	}
	r.note("%d entries of the audit log for %d reads", after.entries-before.entries, tokenRate+2000)
	if most := 10 + int(time.Since(began).Minutes()*2); after.entries-before.entries > most {
		r.fault("%d entries were added to the audit log", after.entries-before.entries)
	}
	_, said, err = r.command(ctx, "token", "revoke", "flood")
	if err != nil {
		return fmt.Errorf("issuer token revoke: %w %s", err, said)
	}
	return nil
}

// insertedToken makes a token in the database, whose secret is known, and asks with it.
func insertedToken(ctx context.Context, r *round) error {
	out, said, err := r.command(ctx, "token", "create", "--name", "genuine", "--role", "reader")
	if err != nil {
		return fmt.Errorf("issuer token create: %w %s", err, said)
	}
	token := strings.TrimSpace(out)
	db, err := r.writable()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	a, err := r.send(ctx, http.MethodGet, "/admin/status", "", bearer(token))
	r.expect("the token as it was made", a, err, http.StatusOK)
	if _, err := db.ExecContext(ctx, "UPDATE tokens SET role = 'admin' WHERE name = 'genuine'"); err != nil {
		return err
	}
	r.refuse(ctx, "a token that was changed", []int{http.StatusUnauthorized}, http.MethodGet, "/admin/audit", "", bearer(token))
	if _, err := db.ExecContext(ctx, "UPDATE tokens SET role = 'reader', name = 'renamed' WHERE name = 'genuine'"); err != nil {
		return err
	}
	r.refuse(ctx, "a token without an entry", []int{http.StatusUnauthorized}, http.MethodGet, "/admin/audit", "", bearer(token))
	_, err = db.ExecContext(ctx, "DELETE FROM tokens WHERE name = 'renamed'")
	return err
}
