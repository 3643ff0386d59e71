package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/xrplissuer/credential-issuer/model"
)

// retryAfter is what a caller is told to wait while the database is out of reach.
const retryAfter = 2 * time.Second

// errClosed says that the store was closed.
var errClosed = errors.New("the store is closed")

// fault makes of err what the store returns, with what was being done. It leaves a [model.Error] as it is.
func fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*model.Error)(nil); errors.As(err, &known) {
		return err
	}
	cause := fmt.Errorf("%s: %w", doing, poolerHint(err))
	if unavailable(err) {
		return &model.Error{Code: model.CodeStoreUnavailable, Cause: cause, RetryAfter: retryAfter,
			Message: "the database is not available at the moment"}
	}
	return &model.Error{Code: model.CodeInternal, Cause: cause, Message: "the database refused what should have been right"}
}

// unavailable says whether err is the database's state and not the statement's fault.
func unavailable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return transient(pg) || lost(err) || pgUnavailable[pg.Code] || pgUnavailable[pg.Code[:min(2, len(pg.Code))]]
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return sqliteUnavailable[lite.Code()&0xff]
	}
	return lost(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, errClosed) || strings.Contains(err.Error(), "sql: database is closed")
}

// pgUnavailable are SQLSTATEs, or their classes, that pass without a change to the statement.
var pgUnavailable = map[string]bool{
	"53":    true, // insufficient resources: disk full, out of memory, too many connections
	"55P03": true, // lock_timeout
	"57014": true, // statement_timeout
	"58":    true, // I/O errors of the server
	"25006": true, // read-only: a standby, or a full server that an operator closed for writing
	"55000": true, // a standby asked for what only a primary knows
	"25P03": true, // idle_in_transaction_session_timeout
	"25P04": true, // transaction_timeout
	"42P05": true, // a prepared statement that is there already, or is not there: of another session, behind a pooler
	"26000": true,
}

var sqliteUnavailable = map[int]bool{
	sqlitelib.SQLITE_BUSY:      true,
	sqlitelib.SQLITE_LOCKED:    true,
	sqlitelib.SQLITE_NOMEM:     true,
	sqlitelib.SQLITE_READONLY:  true,
	sqlitelib.SQLITE_INTERRUPT: true, // its context ended
	sqlitelib.SQLITE_IOERR:     true,
	sqlitelib.SQLITE_FULL:      true,
	sqlitelib.SQLITE_CANTOPEN:  true,
	sqlitelib.SQLITE_PROTOCOL:  true,
}

// transient says whether the same transaction may well succeed when it is run again at once.
func transient(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// busy says whether another process is writing to an SQLite database.
func busy(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && (lite.Code()&0xff == sqlitelib.SQLITE_BUSY || lite.Code()&0xff == sqlitelib.SQLITE_LOCKED)
}

// lost says whether the connection is the trouble: others may work.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "57P05": // shut down, crashed, starting up, idle for too long
			return true
		}
		return strings.HasPrefix(pg.Code, "08")
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // its caller's time is over; the connection went with it
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// misuse is a fault of the room that called.
func misuse(format string, args ...any) error {
	return &model.Error{Code: model.CodeInternal, Message: "the service asked its database for something that makes no sense",
		Cause: fmt.Errorf(format, args...)}
}

func wrongState(format string, args ...any) error {
	return &model.Error{Code: model.CodeWrongState, Message: fmt.Sprintf(format, args...)}
}

func noOperation(id model.OperationID) error {
	return &model.Error{Code: model.CodeOperationNotFound, Message: fmt.Sprintf("there is no operation %s", text(string(id)))}
}

func noBatch(id model.OperationID) error {
	return &model.Error{Code: model.CodeBatchNotFound, Message: fmt.Sprintf("there is no batch %s", text(string(id)))}
}

func fenced(f model.Fence, epoch int64) error {
	return &model.Error{Code: model.CodeFenced, Message: "another process issues for this account now",
		Cause: fmt.Errorf("lane %s: epoch is %d, not %d", f.Issuer, epoch, f.Epoch)}
}

func standing(e *model.StandingError) error {
	return &model.Error{Code: model.CodeInProgress, Cause: e,
		Message: fmt.Sprintf("operation %s for this subject and credential is under way (%s, %s): wait for it", e.Operation, e.Kind, e.State)}
}

// standingOf returns which operation stood in the way; nil where err is something else.
func standingOf(err error) *model.StandingError {
	var e *model.StandingError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func keyReused() error {
	return &model.Error{Code: model.CodeKeyReused,
		Message: "this Idempotency-Key came before with another request: use a new key for a new request"}
}
