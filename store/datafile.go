package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/xrplissuer/credential-issuer/model"
)

// errFileReplaced is the cause of every failure after an SQLite database's files were removed or replaced.
var errFileReplaced = errors.New("the database file was removed or replaced while it is open: " +
	"stop every process of the service, restore the file, then start again")

// sidecars are the suffixes of an SQLite database's files. Each of them exists for as long as one connection is open.
var sidecars = [...]string{"", "-wal", "-shm"}

// dataFile compares the files that the connections to an SQLite database have open with those at its path. A process on a
// file without a name answers and commits as usual, and all of it is lost with its last connection (sqlite.org/howtocorrupt.html, 2.4).
type dataFile struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	conns int
	// files are those of sidecars at the first connection.
	files atomic.Pointer[[len(sidecars)]os.FileInfo]
	// told says that the log has the present mismatch.
	told atomic.Bool
}

// check returns an error with the cause errFileReplaced where a file at the path is not the open one. It costs three stat
// calls.
func (f *dataFile) check() error {
	files := f.files.Load()
	if files == nil {
		return nil
	}
	for i, suffix := range sidecars {
		now, err := os.Stat(f.path + suffix)
		if err == nil && os.SameFile(files[i], now) {
			continue
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return unreadable(err)
		}
		if !f.told.Swap(true) {
			f.log.Error("the database file was removed or replaced; nothing is answered or signed until it is restored and the service is started again",
				"file", f.path+suffix)
		}
		return unreadable(fmt.Errorf("%s: %w", f.path+suffix, errFileReplaced))
	}
	if f.told.Swap(false) {
		f.log.Warn("the database file is back at its path; the service continues", "file", f.path)
	}
	return nil
}

func unreadable(cause error) error {
	return &model.Error{Code: model.CodeStoreUnavailable, Message: "the database is not available at the moment", Cause: cause, RetryAfter: retryAfter}
}

// remember takes the files at the path for the open ones. The first connection has just opened them.
func (f *dataFile) remember(before os.FileInfo) error {
	var files [len(sidecars)]os.FileInfo
	for i, suffix := range sidecars {
		var err error
		if files[i], err = os.Stat(f.path + suffix); err != nil {
			return err
		}
	}
	if !os.SameFile(before, files[0]) {
		return errFileReplaced
	}
	f.files.Store(&files)
	return nil
}

// fileConnector opens connections to an SQLite database, and checks its files before each use of one.
type fileConnector struct {
	file   *dataFile
	driver driver.Driver
	name   string
}

// Driver implements [driver.Connector].
func (c *fileConnector) Driver() driver.Driver { return c.driver }

// Connect implements [driver.Connector].
func (c *fileConnector) Connect(ctx context.Context) (driver.Conn, error) {
	f := c.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns > 0 {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	before, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	opened, err := c.driver.Open(c.name)
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the SQLite driver's connection is a %T", opened), opened.Close())
	}
	if f.conns == 0 {
		err = openSidecars(ctx, conn)
		if err == nil {
			err = f.remember(before)
		}
	} else {
		err = f.check()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	f.conns++
	return &fileConn{conn, f}, nil
}

// openSidecars has a connection open the write-ahead log and its index: the first read does.
func openSidecars(ctx context.Context, conn driver.QueryerContext) error {
	rows, err := conn.QueryContext(ctx, "SELECT count(*) FROM sqlite_master", nil)
	if err != nil {
		return err
	}
	dest := make([]driver.Value, 1)
	return errors.Join(rows.Next(dest), rows.Close())
}

// sqliteConn is what the driver's connections implement.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// fileConn is a connection that does nothing while the files are not those at the path. It stays open then: the open files
// are all that is left of the data.
type fileConn struct {
	sqliteConn
	file *dataFile
}

// BeginTx implements [driver.ConnBeginTx].
func (c *fileConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.file.check(); err != nil {
		return nil, err
	}
	return c.sqliteConn.BeginTx(ctx, opts)
}

// QueryContext implements [driver.QueryerContext].
func (c *fileConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.file.check(); err != nil {
		return nil, err
	}
	return c.sqliteConn.QueryContext(ctx, query, args)
}

// Ping implements [driver.Pinger].
func (c *fileConn) Ping(ctx context.Context) error {
	if err := c.file.check(); err != nil {
		return err
	}
	return c.sqliteConn.Ping(ctx)
}

// Close implements [driver.Conn].
func (c *fileConn) Close() error {
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	c.file.conns--
	if c.file.conns == 0 {
		c.file.files.Store(nil) // the sidecars end with the last connection
	}
	return c.sqliteConn.Close()
}
