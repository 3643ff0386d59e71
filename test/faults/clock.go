package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// A machine's clock cannot be set wrong for one process alone, and the service has no setting for it, nor should it. So
// the rows with a clock that jumps run the service built from the same sources with another package time: the compiler is
// handed (go build -overlay) a time.Now that adds what stands in a file that this program writes. All code in the process
// sees it, the libraries' included; the monotonic clock stays as it is, as it does when a machine's clock is set.

// clockVariable names the file, to a service built that way.
const clockVariable = "FAULTS_CLOCK"

// wrongTime is added to package time. The file holds the seconds by which the clock is wrong, in this machine's own byte
// order, and is mapped: reading it is reading memory, and a jump is there at once.
const wrongTime = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var wrongBy = func() *int64 {
	path, ok := syscall.Getenv("` + clockVariable + `")
	if !ok {
		return new(int64)
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&b[0]))
}()

func Now() Time {
	t := rightNow()
	t.addSec(atomic.LoadInt64(wrongBy))
	return t
}
`

// buildJumping builds the service with a clock that can be set wrong.
func (r *run) buildJumping(ctx context.Context) (program string, err error) {
	if runtime.GOOS != "linux" {
		return "", errors.New("a clock that jumps is made the way of Linux")
	}
	goRoot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	sources := filepath.Join(strings.TrimSpace(string(goRoot)), "src", "time")
	text, err := os.ReadFile(filepath.Join(sources, "time.go"))
	if err != nil {
		return "", err
	}
	const now = "\nfunc Now() Time {\n"
	if strings.Count(string(text), now) != 1 {
		return "", errors.New("this Go's package time is not one that its clock can be replaced in")
	}
	dir := filepath.Join(r.dir, "clock")
	overlay := filepath.Join(dir, "overlay.json")
	renamed, added := filepath.Join(dir, "time.go"), filepath.Join(dir, "wrong.go")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(sources, "time.go"): renamed, filepath.Join(sources, "wrong.go"): added,
	}})
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for path, content := range map[string]string{
		overlay: string(list), added: wrongTime, renamed: strings.Replace(string(text), now, "\nfunc rightNow() Time {\n", 1),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	program = filepath.Join(dir, "issuer")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-overlay", overlay, "-o", program, "./cmd/issuer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the service with a clock that jumps: %w\n%s", err, said)
	}
	return program, nil
}

// clock is one service's clock.
type clock struct{ path string }

func newClock(path string) (*clock, error) {
	c := &clock{path}
	return c, c.set(0)
}

// set has the clock be wrong from now on.
func (c *clock) set(by time.Duration) error {
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(by/time.Second))), 0)
	return errors.Join(err, f.Close())
}

// jumpSizes are how far a clock is off. Between the farthest two is less than the 24 hours that callers' keys are kept.
var jumpSizes = []time.Duration{time.Second, time.Minute, 15 * time.Minute, time.Hour, 10 * time.Hour}

// jumps sets the clocks wrong, forwards and backwards, again and again: of several replicas each its own, so that they
// disagree, and PostgreSQL's too, which leases run by. What moves with that is the end of the lease alone, so moving it
// the other way is the same.
func jumps(times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		least, most := time.Duration(0), time.Duration(0)
		for range times {
			programs.Sleep(ctx, time.Duration(100+w.rng.IntN(700))*time.Millisecond)
			if ctx.Err() != nil {
				return nil
			}
			by := jumpSizes[w.rng.IntN(len(jumpSizes))]
			if w.rng.IntN(2) == 0 {
				by = -by
			}
			least, most = min(least, by), max(most, by)
			who := w.rng.IntN(len(w.replicas) + 1)
			var err error
			switch {
			case who < len(w.replicas):
				if err = w.replicas[who].clock.set(by); err == nil {
					err = w.replicas[who].isWrong(ctx, by)
				}
			case w.row.database == postgres:
				_, err = w.journal.db.ExecContext(ctx, "UPDATE lanes SET expires = expires - $1", by.Microseconds())
			default:
				err = w.replicas[0].clock.set(0)
			}
			if err != nil && ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			w.did(1)
		}
		w.note("clocks were wrong by %v to %v; the lane was taken %d times", least, most, w.watch.takings())
		return nil
	}
}

// isWrong makes sure that the service's clock is off by as much, by the date of an answer: else nothing was shown.
func (r *replica) isWrong(ctx context.Context, by time.Duration) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+"/healthz", nil)
	if err != nil {
		return err
	}
	asked := time.Now()
	resp, err := r.w.client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return err
	}
	// A date has no fractions, and the answer may have taken a while.
	if off := date.Sub(asked.Add(by)); off < -2*time.Second || off > time.Since(asked)+2*time.Second {
		return fmt.Errorf("the clock of %s was set wrong by %v, and is off by %v besides", r.name, by, off)
	}
	return nil
}
