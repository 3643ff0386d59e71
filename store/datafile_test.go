package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// damages are the ways in which an SQLite database's files leave their path under a running process.
var damages = map[string]func(t *testing.T, path string){
	"all removed":    func(t *testing.T, path string) { away(t, path, "", "-wal", "-shm") },
	"file removed":   func(t *testing.T, path string) { away(t, path, "") },
	"log removed":    func(t *testing.T, path string) { away(t, path, "-wal") },
	"index removed":  func(t *testing.T, path string) { away(t, path, "-shm") },
	"file replaced":  func(t *testing.T, path string) { away(t, path, ""); put(t, path) },
	"all replaced":   func(t *testing.T, path string) { away(t, path, "", "-wal", "-shm"); put(t, path) },
	"folder renamed": func(t *testing.T, path string) { rename(t, filepath.Dir(path), filepath.Dir(path)+".away") },
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func away(t *testing.T, path string, suffixes ...string) {
	t.Helper()
	for _, suffix := range suffixes {
		rename(t, path+suffix, path+suffix+".away")
	}
}

// put puts another database, which is whole, at a path.
func put(t *testing.T, path string) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other.db")
	s, err := Open(t.Context(), Config{Path: other})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	rename(t, other, path)
}

// back undoes a damage.
func back(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if _, err := os.Stat(path + suffix + ".away"); err == nil {
			rename(t, path+suffix+".away", path+suffix)
		}
	}
	if _, err := os.Stat(filepath.Dir(path) + ".away"); err == nil {
		rename(t, filepath.Dir(path)+".away", filepath.Dir(path))
	}
}

// A process whose database file is gone answers nothing, signs nothing, acknowledges nothing, and gives up the lane; so does one
// that waits for the lane. With the same file back at its path it continues.
func TestFileRemovedOrReplaced(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data", "issuer.db")
			h := newHarness(t, Config{Path: path, PollInterval: time.Hour})
			logged := &lockedBuffer{}
			h.cfg.Logger = slog.New(slog.NewTextHandler(logged, nil))
			holder, standby := h.open(), h.open()
			op := h.create(issue())

			ctx, cancel := context.WithCancel(h.ctx())
			working, lost := make(chan model.Fence, 2), make(chan struct{}, 2)
			var held sync.WaitGroup
			for s, who := range map[*Store]string{holder: "holder", standby: "standby"} {
				held.Go(func() {
					err := s.HoldLane(ctx, issuerA, who, 600*time.Millisecond, func(ctx context.Context, f model.Fence) error {
						working <- f
						<-ctx.Done()
						lost <- struct{}{}
						return ctx.Err()
					})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
			}
			defer held.Wait()
			defer cancel()
			fence := await(t, working, "nobody has the lane")

			damage(t, path)
			await(t, lost, "the lane is held without the file")
			for _, s := range []*Store{holder, standby} {
				h.code(s.Ping(h.ctx()), model.CodeStoreUnavailable)
				_, _, err := s.Create(h.ctx(), issue())
				h.code(err, model.CodeStoreUnavailable)
				h.code(s.Sign(h.ctx(), fence, []model.Attempt{attempt(op.ID, 1)}), model.CodeStoreUnavailable)
				_, err = s.Operation(h.ctx(), op.ID)
				h.code(err, model.CodeStoreUnavailable)
				_, err = s.RevokeToken(h.ctx(), "bob", model.AuditEntry{Actor: "x", Action: "token.revoke"})
				h.code(err, model.CodeStoreUnavailable)
				_, err = s.AuditEntries(h.ctx(), 0, 1)
				h.code(err, model.CodeStoreUnavailable)
			}
			if n := strings.Count(logged.String(), "level=ERROR msg=\"the database file was removed or replaced"); n != 2 {
				t.Errorf("two processes log it %d times:\n%s", n, logged)
			}
			select {
			case f := <-working:
				t.Fatalf("the lane was taken again, with %v", f)
			default:
			}

			if strings.HasSuffix(name, "replaced") {
				return // what is at the path now is another one's
			}
			back(t, path)
			await(t, working, "the lane is not taken again")
			h.ok(holder.Ping(h.ctx()))
			h.create(issue())
		})
	}
}

// await receives, or fails.
func await[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal(what)
		panic("unreachable")
	}
}

// A commit that goes into a file without a name is no success.
func TestFileRemovedDuringACommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "issuer.db")
	h := newHarness(t, Config{Path: path})
	h.create(issue())
	err := h.write(h.ctx(), "writing", func(*txn) error {
		away(t, path, "", "-wal", "-shm")
		return nil
	})
	h.code(err, model.CodeStoreUnavailable)
	if !errors.Is(err, errFileReplaced) {
		t.Error(err)
	}
}
