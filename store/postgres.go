package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// CheckURL says what is wrong with the form of a PostgreSQL URL; its error reads on from the name of a setting, and repeats
// nothing of the URL. With an @ or a / in it that is not percent-encoded, a password reaches into what is taken for the
// host or the database: its end would be looked up in the DNS, and stand in errors.
func CheckURL(address string) error {
	scheme, rest, _ := strings.Cut(address, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return errors.New("must be PostgreSQL's: postgres://user:password@host:port/database")
	}
	authority, rest, _ := strings.Cut(rest, "/")
	user, hosts, found := strings.Cut(authority, "@") // as libpq does, for which ? and # may stand in a password
	if !found {
		user, hosts = "", authority
	}
	where, query, _ := strings.Cut(hosts+"/"+rest, "?")
	_, wrongUser := url.PathUnescape(user)
	options, wrongOptions := url.ParseQuery(query)
	names := slices.Collect(maps.Keys(options))
	if wrongUser != nil || wrongOptions != nil || strings.Contains(where+strings.Join(names, ""), "@") {
		return errors.New("has a character in its user, password, database or options that must be percent-encoded: @ as %40, / as %2F, % as %25")
	}
	return nil
}

// openPostgres opens the pool, and returns what is to listen in the background.
func (s *Store) openPostgres(ctx context.Context) (func(context.Context), error) {
	s.d = &postgresDialect
	if err := CheckURL(s.cfg.URL); err != nil {
		return nil, fmt.Errorf("DATABASE_URL %w", err)
	}
	cfg, err := pgx.ParseConfig(s.cfg.URL)
	if err != nil { // which repeats the URL; its cause does not
		return nil, fmt.Errorf("DATABASE_URL must be a PostgreSQL connection string such as postgres://user@host:5432/database: %w",
			cmp.Or(errors.Unwrap(err), errURL))
	}
	session, transaction := takeSettings(cfg, s.cfg.Access == AccessRead)
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "credential-issuer"
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	found, err := lookAt(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if s.pooled = found.pooled; s.pooled {
		usePooler(cfg, s.cfg.URL)
		s.settings = transaction
		s.log.Info("a connection pooler is in front of the database")
	}
	s.openPool(cfg, session)
	if found.schema == "" {
		return nil, errors.New("DATABASE_URL leads to no schema: its search_path names none that exists")
	}
	if found.fsync == "off" {
		s.log.Warn("the PostgreSQL server runs with fsync=off: what it has confirmed may be lost when its machine fails")
	}
	if s.cfg.Access == AccessService {
		s.checkReplication(ctx)
	}
	// Channels are the database's, and each schema is a world of its own.
	sum := sha256.Sum256([]byte(found.schema))
	s.hub.channel = "credential_issuer_" + hex.EncodeToString(sum[:8])
	s.log.Debug("opened PostgreSQL", "version", found.version, "schema", found.schema, "pooled", found.pooled)
	return func(ctx context.Context) { s.listen(ctx, cfg) }, nil
}

// checkReplication warns of a server that confirms transactions before any standby has them.
func (s *Store) checkReplication(ctx context.Context) {
	var standbys int
	var names, commit string
	// Of a role that may not see them, the rows have no state.
	err := s.readDB.QueryRowContext(ctx, "SELECT count(*), current_setting('synchronous_standby_names'), current_setting('synchronous_commit')"+
		" FROM pg_stat_replication WHERE coalesce(state, 'streaming') = 'streaming'").Scan(&standbys, &names, &commit)
	if err != nil {
		s.log.Debug("cannot see whether the database is replicated", "error", err)
		return
	}
	if standbys > 0 && (names == "" || commit == "local" || commit == "off") {
		s.log.Warn("the PostgreSQL server does not wait for its standbys; a failover can lose confirmed transactions",
			"standbys", standbys, "synchronous_standby_names", names, "synchronous_commit", commit)
	}
}

// openPool makes the pool of connections; session is a statement for each new one.
func (s *Store) openPool(cfg *pgx.ConnConfig, session string) {
	s.writeDB = stdlib.OpenDB(*cfg,
		stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
			s.witness.connected()
			if s.pooled {
				return nil // the session may be another one at once
			}
			_, err := c.Exec(ctx, session)
			return err
		}),
		// A connection that has rested is asked whether it still works before it is trusted with a transaction.
		stdlib.OptionShouldPing(func(_ context.Context, p stdlib.ShouldPingParams) bool {
			return p.IdleDuration > 200*time.Millisecond
		}))
	s.readDB = s.writeDB
	conns := s.cfg.MaxConns
	if conns <= 0 {
		conns = 10
	}
	s.writeDB.SetMaxOpenConns(conns)
	s.writeDB.SetMaxIdleConns(conns)
	s.writeDB.SetConnMaxIdleTime(5 * time.Minute)
}

// errURL is all that is told of some URLs.
var errURL = errors.New("its host, its port or an option cannot be read")

const (
	// listenCheck is how often the listening connection is asked whether it still works.
	listenCheck      = 10 * time.Second
	listenMinBackoff = 100 * time.Millisecond
	listenMaxBackoff = 5 * time.Second
	// listenProbe bounds how long a notification through a pooler may take.
	listenProbe = 2 * time.Second
)

// listen hears what other processes commit, until ctx ends.
func (s *Store) listen(ctx context.Context, cfg *pgx.ConnConfig) {
	backoff := listenMinBackoff
	for ctx.Err() == nil {
		heard, err := s.listenOnce(ctx, cfg)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errNoNotifications) {
			s.log.Warn("the connection pooler passes no notifications on; results of other processes are found by polling",
				"interval", s.cfg.PollInterval, "error", err)
			return
		}
		if heard {
			backoff = listenMinBackoff
		}
		s.log.Warn("not hearing of other processes for a moment; listening anew", "error", err, "wait", backoff)
		timer := time.NewTimer(backoff - rand.N(backoff/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		backoff = min(2*backoff, listenMaxBackoff)
	}
}

// listenOnce listens on one connection until it breaks. heard says that it worked for a while.
func (s *Store) listenOnce(ctx context.Context, cfg *pgx.ConnConfig) (heard bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if s.pooled {
		if err := s.canListen(ctx, conn); err != nil {
			return false, err
		}
	}
	if _, err := conn.Exec(ctx, "LISTEN "+s.hub.channel); err != nil {
		return false, err
	}
	if s.pooled {
		if err := s.hearOneself(ctx, conn); err != nil {
			return false, err
		}
	}
	s.hub.wakeAll() // whatever was said before was missed
	s.hub.listening.Store(true)
	defer s.hub.listening.Store(false)
	for {
		wait, cancel := context.WithTimeout(ctx, listenCheck)
		n, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil:
			s.hub.heard(n.Payload)
		case ctx.Err() != nil:
			return true, ctx.Err()
		case wait.Err() != nil && !conn.IsClosed():
			ping, cancel := context.WithTimeout(ctx, listenCheck/2)
			err := conn.Ping(ping)
			cancel()
			if err != nil {
				return true, err
			}
		default:
			return true, err
		}
	}
}

// maxNotified is how many ids fit into one notification, whose limit is 8,000 bytes.
const maxNotified = 250

// tellOthers notifies other processes of what t commits, when it does. It is part of the transaction.
func (s *Store) tellOthers(t *txn) error {
	if s.d != &postgresDialect {
		return nil
	}
	messages := s.hub.messages(t)
	if len(messages) == 0 {
		return nil
	}
	_, err := t.exec("SELECT pg_notify($1, m) FROM unnest($2::text[]) AS m", s.hub.channel, messages)
	return err
}

// Listening says whether this process hears of what others commit at once. It is always so on SQLite, where there is
// nobody else to hear of.
func (s *Store) Listening() bool { return s.d == &sqliteDialect || s.hub.listening.Load() }
