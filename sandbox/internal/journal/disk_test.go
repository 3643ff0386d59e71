package journal

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// disk is a file on a disk that loses power, runs full and fails. What was
// written since the last Sync survives a crash in any part.
type disk struct {
	mu     sync.Mutex
	data   []byte  // what is read back
	synced []byte  // what is on disk for certain
	wrote  []write // since then
	room   int     // the size it can grow to; 0: any

	fullSyncs                                   int // so many Syncs find the disk full
	failWrite, failTruncate, failSync, failRead error
}

type write struct {
	offset int64
	data   []byte
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failRead != nil {
		return 0, d.failRead
	}
	if off >= int64(len(d.data)) {
		return 0, io.EOF
	}
	n := copy(p, d.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failWrite != nil {
		return 0, d.failWrite
	}
	n := len(p)
	if d.room > 0 {
		n = max(0, min(n, d.room-int(off)))
	}
	d.data = put(d.data, off, p[:n])
	d.wrote = append(d.wrote, write{off, append([]byte(nil), p[:n]...)})
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func put(data []byte, off int64, p []byte) []byte {
	if grow := int(off) + len(p) - len(data); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[off:], p)
	return data
}

// Truncate is on disk at once here.
func (d *disk) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failTruncate != nil {
		return d.failTruncate
	}
	d.data = d.data[:size:size]
	d.synced = d.synced[:min(len(d.synced), int(size))]
	kept := d.wrote[:0]
	for _, w := range d.wrote {
		if w.offset+int64(len(w.data)) <= size {
			kept = append(kept, w)
		}
	}
	d.wrote = kept
	return nil
}

func (d *disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failSync != nil {
		return d.failSync
	}
	if d.fullSyncs > 0 {
		d.fullSyncs--
		return syscall.ENOSPC
	}
	d.synced = append([]byte(nil), d.data...)
	d.wrote = nil
	return nil
}

func (d *disk) Close() error               { return nil }
func (d *disk) Stat() (fs.FileInfo, error) { return d, nil }
func (d *disk) Name() string               { return "disk" }
func (d *disk) Size() int64                { return int64(len(d.data)) }
func (d *disk) Mode() fs.FileMode          { return 0o600 }
func (d *disk) ModTime() time.Time         { return time.Time{} }
func (d *disk) IsDir() bool                { return false }
func (d *disk) Sys() any                   { return nil }

// crash returns the disk as a loss of power could leave it: what was synced, and
// of each later write any of its sectors, with zeros or nothing for the others.
func (d *disk) crash(r *rand.Rand) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	const sector = 16 // small, for many to be in a record
	data := append([]byte(nil), d.synced...)
	share := r.IntN(5) // of 4
	for _, w := range d.wrote {
		for len(w.data) > 0 {
			n := min(sector-int(w.offset%sector), len(w.data))
			if r.IntN(4) < share {
				data = put(data, w.offset, w.data[:n])
			}
			w.offset, w.data = w.offset+int64(n), w.data[n:]
		}
	}
	return &disk{data: data, synced: append([]byte(nil), data...)}
}

// fail has every Sync return err from now on.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failSync = err
}

// openOn opens the journal on a disk.
func openOn(t *testing.T, d *disk, opts Options) *Journal {
	t.Helper()
	j, err := open("disk", opts, d)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

var _ file = (*os.File)(nil)
