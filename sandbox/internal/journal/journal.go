// Package journal is an append-only file of records, for a program that rebuilds
// its state from them when it starts again.
//
// Under SyncEach, the default, a record is on disk when Append returns, and an
// append that fails leaves no trace. After a crash, Replay drops what an
// interrupted write left at the end of the file and says so; a record that is
// damaged although it once was on disk is an error, because going on without it,
// or from the records behind it, would rebuild a state that never was.
//
// What tells the two apart: every record's header has a checksum of its own and
// says how much of the file was known to be on disk when it was written. Where
// an unreadable record is followed by a header that vouches for that part of
// the file, it was damaged. Where none is, it is the end of what was written. A
// damage to the very last record looks like an interrupted write, and is dropped
// as one.
//
// The file is locked while it is open: one process has it.
//
// The package never looks into a payload. It touches its one file and, when it
// creates it, that file's directory.
package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// MaxPayload is the largest payload of a record, in bytes.
const MaxPayload = 256 << 20

// Sync says when an appended record is forced to disk.
type Sync int

const (
	// SyncEach forces each record to disk before Append returns.
	SyncEach Sync = iota
	// SyncInterval forces records to disk at the latest Options.Interval after
	// they were appended, and in Close. A crash of the machine can lose that
	// much.
	SyncInterval
	// SyncNever leaves it to the operating system, but for what is there at a
	// Replay. Damage to anything later cannot be told from an interrupted write.
	SyncNever
)

// Options are how a journal is kept. The zero value is the safest.
type Options struct {
	Sync Sync
	// Interval is for SyncInterval alone, and positive there.
	Interval time.Duration
}

var (
	// ErrLocked is returned by Open when another process, or this one, has the
	// file open.
	ErrLocked = errors.New("in use by another process")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("closed")
)

// Dropped tells what Replay cut off the end of the file.
type Dropped struct {
	Record int   // the number that the first record dropped had, from 1; 0 if it was the file's own header
	Offset int64 // where the cut is, in bytes
	Bytes  int64 // how much was behind it
	Reason string
}

// String is a sentence for a log.
func (d *Dropped) String() string {
	if d.Record == 0 {
		return fmt.Sprintf("dropped the file's incomplete beginning of %d bytes: %s", d.Bytes, d.Reason)
	}
	return fmt.Sprintf("dropped %d bytes of an interrupted write, from record %d at byte %d: %s", d.Bytes, d.Record, d.Offset, d.Reason)
}

// DamageError is returned by Replay for a record that was on disk and is not
// readable any more.
type DamageError struct {
	Path   string
	Record int   // from 1
	Offset int64 // where the record begins, in bytes
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("journal %s: record %d, at byte %d, is damaged: %s. This is not an interrupted write: the record had been written to the end. "+
		"Restore the file from a copy; or, to go on from the %d records before it and lose all later ones, cut the file there (truncate -s %d %[1]s); or move it away to begin anew",
		e.Path, e.Record, e.Offset, e.Reason, e.Record-1, e.Offset)
}

// file is what the journal needs of *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	path string
	opts Options
	f    file

	mu       sync.Mutex
	salt     [saltSize]byte
	created  bool     // Open wrote the file's header
	torn     *Dropped // what Open found of an incomplete file header
	replayed bool
	end      int64 // where the next record goes
	records  int
	durable  int64 // everything before it is on disk
	buf      []byte
	broken   error // why nothing more can be appended
	closed   bool

	// The goroutine of SyncInterval.
	unsynced chan struct{} // holds one when there is something to sync
	done     chan struct{}
	syncer   sync.WaitGroup
}

// Open opens the journal at path, or creates it in a directory that exists. It
// fails with ErrLocked if the journal is open already. Replay comes next, also
// for a new one.
func Open(path string, opts Options) (*Journal, error) {
	switch opts.Sync {
	case SyncEach, SyncNever:
	case SyncInterval:
		if opts.Interval <= 0 {
			return nil, fmt.Errorf("journal %s: the sync interval must be positive, not %v", path, opts.Interval)
		}
	default:
		return nil, fmt.Errorf("journal %s: no such sync option: %d", path, opts.Sync)
	}
	f, err := openLocked(path)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("journal %s: %w; stop that one first, or use another path", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j, err := open(path, opts, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	if j.created && opts.Sync != SyncNever {
		if err := syncDir(filepath.Dir(path)); err != nil {
			j.Close()
			return nil, fmt.Errorf("create journal %s: %w", path, err)
		}
	}
	return j, nil
}

// open is Open from a locked file on, without its name. It leaves f open when it
// fails.
func open(path string, opts Options, f file) (*Journal, error) {
	j := &Journal{path: path, opts: opts, f: f}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("journal %s: not a regular file", path)
	}
	head := make([]byte, min(info.Size(), fileHeaderSize))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("journal %s: read its header: %w", path, err)
	}
	j.salt, err = parseFileHeader(head)
	if errors.Is(err, errIncompleteHeader) {
		// A record is written only after the header is on disk.
		if info.Size() > fileHeaderSize {
			err = errDamagedHeader
		} else {
			if len(head) > 0 {
				j.torn = &Dropped{Bytes: int64(len(head)), Reason: "its creation was interrupted"}
			}
			err = j.create()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	if opts.Sync == SyncInterval {
		j.unsynced, j.done = make(chan struct{}, 1), make(chan struct{})
		j.syncer.Go(j.syncLater)
	}
	return j, nil
}

// create writes the header of a new file.
func (j *Journal) create() error {
	var head []byte
	head, j.salt = newFileHeader()
	if err := j.f.Truncate(0); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if _, err := j.f.WriteAt(head, 0); err != nil {
		return fmt.Errorf("create: write the header: %w", err)
	}
	j.created = true
	if j.opts.Sync == SyncNever {
		return nil
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	return nil
}

// syncDir forces a directory's entries, a new file's name among them, to disk, on
// systems that have a call for it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Append adds a record. When it returns nil, the record is stored as
// Options.Sync says. When it returns an error, the record is not in the journal,
// and the next Append can succeed, a full disk having been given room, unless
// the error says that the file must be opened again.
func (j *Journal) Append(payload []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return fmt.Errorf("append to journal %s: %w", j.path, ErrClosed)
	case !j.replayed:
		return fmt.Errorf("append to journal %s: its records have not been replayed", j.path)
	case j.broken != nil:
		return fmt.Errorf("append to journal %s: it must be opened again after an earlier failure: %w", j.path, j.broken)
	case len(payload) > MaxPayload:
		return fmt.Errorf("append to journal %s: %d bytes are more than a record can hold (%d)", j.path, len(payload), MaxPayload)
	}
	j.buf = appendRecord(j.buf[:0], &j.salt, j.end, j.durable, j.opts.Sync == SyncEach, payload)
	_, err := j.f.WriteAt(j.buf, j.end)
	if err == nil && j.opts.Sync == SyncEach {
		err = j.f.Sync()
	}
	if err != nil {
		return j.takeBack(err)
	}
	j.end += int64(len(j.buf))
	j.records++
	if cap(j.buf) > 4<<20 {
		j.buf = nil
	}
	switch j.opts.Sync {
	case SyncEach:
		j.durable = j.end
	case SyncInterval:
		select {
		case j.unsynced <- struct{}{}:
		default:
		}
	}
	return nil
}

// takeBack cuts off what a failed append wrote, for cause.
func (j *Journal) takeBack(cause error) error {
	err := j.f.Truncate(j.end)
	if err == nil && j.opts.Sync == SyncEach {
		err = j.f.Sync()
	}
	if err != nil {
		j.broken = fmt.Errorf("%w (and its beginning could not be taken back: %w)", cause, err)
		return fmt.Errorf("append to journal %s: record %d: %w; it must be opened again", j.path, j.records+1, j.broken)
	}
	return fmt.Errorf("append to journal %s: record %d was not stored: %w", j.path, j.records+1, cause)
}

// syncLater owns the syncing of SyncInterval until done is closed.
func (j *Journal) syncLater() {
	for {
		select {
		case <-j.done:
			return
		case <-j.unsynced:
		}
		timer := time.NewTimer(j.opts.Interval)
		select {
		case <-j.done:
			timer.Stop()
			return // Close syncs
		case <-timer.C:
		}
		j.syncNow()
	}
}

// syncNow forces what is appended to disk, without keeping Append waiting. A
// failure leaves unknown which of the records are stored, so that nothing may be
// added behind them.
func (j *Journal) syncNow() error {
	j.mu.Lock()
	end, broken := j.end, j.broken
	j.mu.Unlock()
	if broken != nil {
		return broken
	}
	err := j.f.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.broken = err
		return err
	}
	j.durable = max(j.durable, end)
	return nil
}

// Close gives the file back, under SyncInterval with all of it on disk. A second
// call returns ErrClosed.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return fmt.Errorf("close journal %s: %w", j.path, ErrClosed)
	}
	j.closed = true
	j.mu.Unlock()
	var err error
	if j.opts.Sync == SyncInterval {
		close(j.done)
		j.syncer.Wait()
		if j.replayed {
			err = j.syncNow()
		}
	}
	if err = errors.Join(err, j.f.Close()); err != nil {
		return fmt.Errorf("close journal %s: %w", j.path, err)
	}
	return nil
}
