package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sessionSettings are what a connection needs, unless DATABASE_URL says otherwise. They are set with SET and not as startup
// parameters: poolers refuse those that they do not know (pgbouncer.org/config, ignore_startup_parameters).
var sessionSettings = [][2]string{
	// What a replica that was cut off in a transaction has locked is free again within seconds, and nobody waits
	// for it for longer than that.
	{"idle_in_transaction_session_timeout", "5000"},
	{"lock_timeout", "8000"},
	{"statement_timeout", "30000"},
}

// keepaliveSettings let the server notice within seconds that a client's machine is gone. Behind a pooler the client is the pooler.
var keepaliveSettings = [][2]string{
	{"tcp_keepalives_idle", "5"},
	{"tcp_keepalives_interval", "2"},
	{"tcp_keepalives_count", "3"},
}

// takeSettings removes from a configuration the startup parameters that are set with SET, and returns the statements that set
// them: for a session, and for a transaction.
func takeSettings(cfg *pgx.ConnConfig, readOnly bool) (session, transaction string) {
	set := func(settings [][2]string, local bool) (calls []string) {
		for _, s := range settings {
			value := s[1]
			if given, ok := cfg.RuntimeParams[s[0]]; ok {
				value = given
			}
			calls = append(calls, fmt.Sprintf("set_config('%s', '%s', %t)", s[0], strings.ReplaceAll(value, "'", "''"), local))
		}
		return calls
	}
	// A commit is on disk when it returns.
	const durable = "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', %t) END"
	both := append(set(sessionSettings, false), set(keepaliveSettings, false)...)
	both = append(both, fmt.Sprintf(durable, false))
	if readOnly {
		both = append(both, "set_config('default_transaction_read_only', 'on', false)")
	}
	session = "SELECT " + strings.Join(both, ", ")
	transaction = "SELECT " + strings.Join(append(set(sessionSettings, true), fmt.Sprintf(durable, true)), ", ")
	for _, s := range append(sessionSettings, keepaliveSettings...) {
		delete(cfg.RuntimeParams, s[0])
	}
	return session, transaction
}

// server is what the first connection finds out.
type server struct {
	schema, version, fsync string
	// pooled says that a connection pooler is in between: the process that answers is not the one that the connection was
	// announced for. A session may then be another one with each transaction.
	pooled bool
}

// lookAt asks the server what it is.
func lookAt(ctx context.Context, cfg *pgx.ConnConfig) (found server, err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return found, fault("opening the database", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	var pid uint32
	var path string
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('search_path'), coalesce(current_schema(), ''), current_setting('server_version'),"+
		" current_setting('fsync')", pgx.QueryExecModeExec).Scan(&pid, &path, &found.schema, &found.version, &found.fsync)
	if err != nil {
		return found, fault("opening the database", err)
	}
	found.pooled = pid != conn.PgConn().PID()
	if given := cfg.RuntimeParams["search_path"]; found.pooled && given != "" && given != path {
		return found, errors.New("DATABASE_URL has a search_path, which the connection pooler ignores: take it out, and set it with ALTER ROLE … IN DATABASE … SET search_path")
	}
	return found, nil
}

// usePooler has statements work on any session: without a name, in one round trip each.
func usePooler(cfg *pgx.ConnConfig, address string) {
	if strings.Contains(address, "default_query_exec_mode=") {
		return
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
}

// poolerHint adds what to do about an error that only a connection pooler causes.
func poolerHint(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case pg.Code == "42P05" || pg.Code == "26000": // duplicate_prepared_statement, invalid_sql_statement_name
		return fmt.Errorf("%w: a connection pooler gives each transaction another session, without its prepared statements: "+
			"add default_query_exec_mode=exec to DATABASE_URL, or use the pooler's session mode", err)
	case pg.Code == "08P01" && strings.Contains(pg.Message, "startup parameter"): // protocol_violation
		return fmt.Errorf("%w: a connection pooler refuses an option of DATABASE_URL: take it out, and set it with ALTER ROLE … SET, "+
			"or add it to the pooler's ignore_startup_parameters", err)
	}
	return err
}

// errNoNotifications says that a pooler does not pass notifications on.
var errNoNotifications = errors.New("the connection pooler gives each transaction another session")

// canListen says whether a connection through a pooler has a session of its own. A pooler in transaction mode hands the session
// that was used last to whoever comes next.
func (s *Store) canListen(ctx context.Context, conn *pgx.Conn) error {
	for range 5 {
		var own, other uint32
		if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&own); err != nil {
			return err
		}
		if err := s.readDB.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&other); err != nil {
			return err
		}
		if own == other {
			return errNoNotifications
		}
	}
	return nil
}

// hearOneself has this process notified by itself, and says whether it hears that.
func (s *Store) hearOneself(ctx context.Context, conn *pgx.Conn) error {
	if _, err := s.readDB.ExecContext(ctx, "SELECT pg_notify($1, $2)", s.hub.channel, s.hub.self); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, listenProbe)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(wait)
		switch {
		case err == nil && n.Payload == s.hub.self:
			return nil
		case err == nil:
			s.hub.heard(n.Payload)
		case wait.Err() != nil && ctx.Err() == nil:
			return errNoNotifications
		default:
			return err
		}
	}
}
