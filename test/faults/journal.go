package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

const defaultPostgres = "postgres://127.0.0.1:5432/test"

func postgresURL() string { return cmp.Or(os.Getenv("DATABASE_URL"), defaultPostgres) }

// postgresFault says why there is no PostgreSQL to work on.
func postgresFault(ctx context.Context) error {
	db, err := sql.Open("pgx", postgresURL())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

// journal is a service's database, read with SQL of this program's own.
type journal struct {
	db     *sql.DB
	schema string // PostgreSQL's; empty on SQLite
	url    *url.URL
}

// newSchema makes a schema of its own in the PostgreSQL at an address.
func newSchema(ctx context.Context, server, name string) (*journal, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("DATABASE_URL must be an address: postgres://user@host:port/database")
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(3)
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA "+name); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &journal{db, name, u}, nil
}

// openSQLite opens a service's file, which need not be there yet. The service may be running: readers do not disturb it.
func openSQLite(dataDir string) (*journal, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dataDir, "issuer.db")+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &journal{db: db}, nil
}

// through is the database's address by way of a proxy.
func (j *journal) through(address string) string {
	u := *j.url
	u.Host = address
	return u.String()
}

// target is where the database itself listens.
func (j *journal) target() string {
	if j.url.Port() == "" {
		return net.JoinHostPort(j.url.Hostname(), "5432")
	}
	return j.url.Host
}

func (j *journal) close() {
	if j.schema != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, _ = j.db.ExecContext(ctx, "DROP SCHEMA "+j.schema+" CASCADE") // it is no harm when it stays
	}
	_ = j.db.Close()
}

// operation is a row of the journal, with its blobs.
type operation struct {
	id, kind, state string
	entry           programs.Entry
	key             string // the caller's; "" for none
	attempts        []attempt
}

type attempt struct {
	hash, state string
	last        uint32
	epoch       int64 // of the lane, when it was stored
}

func final(state string) bool { return state != "pending" && state != "signed" }

// open counts the operations that are not final.
func (j *journal) open(ctx context.Context) (n int, err error) {
	err = j.db.QueryRowContext(ctx, "SELECT count(*) FROM operations WHERE state IN ('pending', 'signed')").Scan(&n)
	return n, err
}

// index reads the credential index.
func (j *journal) index(ctx context.Context) (map[programs.Entry]bool, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT subject, type FROM credentials WHERE deleted = 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := map[programs.Entry]bool{}
	for rows.Next() {
		var e programs.Entry
		if err := rows.Scan(&e.Subject, &e.Type); err != nil {
			return nil, err
		}
		all[e] = true
	}
	return all, rows.Err()
}

// holder tells who holds the lane, and its epoch.
func (j *journal) holder(ctx context.Context) (name string, epoch int64, err error) {
	err = j.db.QueryRowContext(ctx, "SELECT holder, epoch FROM lanes").Scan(&name, &epoch)
	return name, epoch, err
}

// before tells the lane's epoch, and how many blobs are stored under an earlier one: both of the same moment.
func (j *journal) before(ctx context.Context) (epoch int64, blobs int, err error) {
	err = j.db.QueryRowContext(ctx, "SELECT l.epoch, (SELECT count(*) FROM attempts a WHERE a.epoch < l.epoch) FROM lanes l").Scan(&epoch, &blobs)
	return epoch, blobs, err
}

// look finds which of some blobs are stored, and under which epoch, and who holds the lane: all of the same moment.
func (j *journal) look(ctx context.Context, hashes []string) (found map[string]int64, lane tenure, err error) {
	marks := make([]string, len(hashes))
	args := make([]any, len(hashes))
	for i, hash := range hashes {
		marks[i], args[i] = fmt.Sprintf("$%d", i+1), hash
	}
	rows, err := j.db.QueryContext(ctx, "SELECT coalesce(l.holder, ''), coalesce(l.epoch, 0), coalesce(a.hash, ''), coalesce(a.epoch, 0)"+
		" FROM (SELECT 1 AS one) o LEFT JOIN lanes l ON true LEFT JOIN attempts a ON a.hash IN ("+strings.Join(marks, ", ")+")", args...)
	if err != nil {
		return nil, tenure{}, err
	}
	defer func() { _ = rows.Close() }()
	found = map[string]int64{}
	for rows.Next() {
		var hash string
		var epoch int64
		if err := rows.Scan(&lane.holder, &lane.epoch, &hash, &epoch); err != nil {
			return nil, tenure{}, err
		}
		if hash != "" {
			found[strings.ToUpper(hash)] = epoch
		}
	}
	return found, lane, rows.Err()
}

// read returns all operations, by id.
func (j *journal) read(ctx context.Context) (map[string]*operation, error) {
	all := map[string]*operation{}
	rows, err := j.db.QueryContext(ctx, "SELECT o.id, o.kind, o.state, coalesce(o.subject, ''), coalesce(o.type, ''), coalesce(k.key, '')"+
		" FROM operations o LEFT JOIN idempotency_keys k ON k.operation = o.id")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var o operation
		if err := rows.Scan(&o.id, &o.kind, &o.state, &o.entry.Subject, &o.entry.Type, &o.key); err != nil {
			return nil, err
		}
		all[o.id] = &o
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	blobs, err := j.db.QueryContext(ctx, "SELECT operation, hash, state, last_ledger_sequence, epoch FROM attempts ORDER BY operation, n")
	if err != nil {
		return nil, err
	}
	defer func() { _ = blobs.Close() }()
	for blobs.Next() {
		var id string
		var a attempt
		if err := blobs.Scan(&id, &a.hash, &a.state, &a.last, &a.epoch); err != nil {
			return nil, err
		}
		o := all[id]
		if o == nil {
			return nil, fmt.Errorf("blob %s is of operation %s, which is not there", a.hash, id)
		}
		a.hash = strings.ToUpper(a.hash)
		o.attempts = append(o.attempts, a)
	}
	return all, blobs.Err()
}
