package main

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// skipped is why a row cannot run on this machine.
type skipped string

func (s skipped) Error() string { return string(s) }

const (
	storeUnavailable = "503 storeUnavailable"
	// outageTime is how long an outage lasts at least: longer than the lane's lease.
	outageTime = 6 * time.Second
)

// mount lays a small disk over a folder.
func (w *world) mount(ctx context.Context, dir string, mib int) error {
	said, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0700", mib), "faults", dir).CombinedOutput()
	if err != nil {
		return skipped(fmt.Sprintf("a small disk cannot be mounted here: %v %s", err, said))
	}
	w.cleanups = append(w.cleanups, func() {
		if said, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			w.fault("umount: %v %s", err, said)
		}
	})
	return nil
}

// outage makes the journal useless a few times, has new clients come until some of them have heard of it, and makes it
// good again. While it lasts nothing can be stored, and so nothing may be signed: the verdict finds what was.
func outage(times int, begin, end func(ctx context.Context, w *world) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		var comers sync.WaitGroup
		defer comers.Wait()
		unready := 0
		for range times {
			programs.Sleep(ctx, time.Duration(1000+w.rng.IntN(1500))*time.Millisecond)
			heard, began := w.hears(storeUnavailable), time.Now()
			if err := begin(ctx, w); err != nil {
				return err
			}
			told := false
			for ctx.Err() == nil && (w.hears(storeUnavailable) < heard+5 || time.Since(began) < outageTime) {
				// Those who were there before may all wait for the end of what is stored: new ones must come.
				comer := &caller{w, rand.New(rand.NewPCG(w.rng.Uint64(), 5))}
				comers.Go(func() { comer.issue(ctx, comer.slot()) })
				told = told || w.replicas[0].status(ctx, "/readyz") == http.StatusServiceUnavailable
				programs.Sleep(ctx, 200*time.Millisecond)
			}
			if err := end(context.WithoutCancel(ctx), w); err != nil {
				return err
			}
			if ctx.Err() != nil {
				w.fault("no client was answered %s while the database could not be written", storeUnavailable)
				return nil
			}
			w.did(1)
			if told {
				unready++
			}
			// It has to go on by itself: some more must be done before the next one.
			for before := w.hears("201"); ctx.Err() == nil && w.hears("201") < before+5; {
				programs.Sleep(ctx, 50*time.Millisecond)
			}
		}
		w.note("%d answers %s; /readyz was 503 in %d of %d outages", w.hears(storeUnavailable), storeUnavailable, unready, times)
		return nil
	}
}

// fullDisk fills the disk that the journal is on up to the last byte.
func fullDisk(times int) func(context.Context, *world) error {
	return outage(times, func(ctx context.Context, w *world) error {
		f, err := os.Create(w.ballast)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		block := make([]byte, 64<<10)
		_, _ = crand.Read(block)
		for len(block) > 0 && ctx.Err() == nil {
			_, err := f.Write(block)
			switch {
			case errors.Is(err, syscall.ENOSPC):
				block = block[:len(block)/2]
			case err != nil:
				return err
			}
		}
		return nil
	}, func(ctx context.Context, w *world) error {
		if err := os.Remove(w.ballast); err != nil || w.server == nil || w.server.process.Alive() {
			return err
		}
		w.note("PostgreSQL had ended for want of room, and was started again")
		return w.server.start(ctx)
	})
}

// goneDatabase has the database go away and come back.
func goneDatabase(times int) func(context.Context, *world) error {
	return outage(times,
		func(_ context.Context, w *world) error { w.replicas[0].proxy.cut(true); return nil },
		func(_ context.Context, w *world) error { w.replicas[0].proxy.mend(); return nil })
}

// cutConnections cuts all connections to the database, again and again; new ones are taken at once.
func cutConnections(times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		for range times {
			programs.Sleep(ctx, time.Duration(100+w.rng.IntN(1200))*time.Millisecond)
			w.replicas[0].proxy.cut(false)
			w.did(1)
		}
		return nil
	}
}
