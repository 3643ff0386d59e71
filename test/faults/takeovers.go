package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// leaseTime is how long the holder of a lane may be away before another one takes it, and then some.
const leaseTime = 5 * time.Second

// killed ends the holder at once, and starts another in its place.
func killed(_ context.Context, _ *world, r *replica) error {
	r.kill()
	return nil
}

// stopped has the holder stand still for longer than its lease, and go on without knowing.
func stopped(_ context.Context, _ *world, r *replica) error { return pause(r.current().Cmd.Process) }

// cutOff takes the database from the holder for longer than its lease. It still reaches the ledger.
func cutOff(_ context.Context, _ *world, r *replica) error {
	r.proxy.cut(true)
	return nil
}

// overtaken has the holder's lease end before its time, as a database's clock that jumps ahead does, until another one has
// taken the lane. The holder lacks nothing, works on, and learns of it by its fence alone.
func overtaken(ctx context.Context, w *world, _ *replica) error {
	_, held, err := w.journal.holder(ctx)
	for err == nil && ctx.Err() == nil {
		if _, err = w.journal.db.ExecContext(ctx, "UPDATE lanes SET expires = 0 WHERE epoch = $1", held); err != nil {
			break
		}
		programs.Sleep(ctx, 5*time.Millisecond)
		var epoch int64
		if _, epoch, err = w.journal.holder(ctx); epoch != held {
			break
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// back undoes what was done to a replica.
func back(r *replica) error {
	if r.proxy != nil {
		r.proxy.mend()
	}
	p := r.current()
	select {
	case <-p.Done:
		return r.start()
	default:
		_ = resume(p.Cmd.Process) // where it was not stopped this changes nothing
		return nil
	}
}

// takeovers sends the lane's holder away, again and again, and waits each time until another one has the lane.
func takeovers(times int, away func(context.Context, *world, *replica) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		var took []time.Duration
		defer func() {
			if len(took) > 0 {
				median, slowest := spread(took)
				w.note("takeover: median %.1f s, slowest %.1f s", median.Seconds(), slowest.Seconds())
			}
		}()
		for range times {
			programs.Sleep(ctx, time.Duration(500+w.rng.IntN(2000))*time.Millisecond)
			holder, epoch, err := w.holder(ctx)
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			began := time.Now()
			if err := away(ctx, w, holder); err != nil {
				return err
			}
			w.did(1)
			// Until another one has it; then a moment more, in which only the new one may work.
			for ctx.Err() == nil {
				name, now, err := w.journal.holder(ctx)
				if err == nil && now > epoch && name != "" {
					took = append(took, time.Since(began))
					break
				}
				programs.Sleep(ctx, 20*time.Millisecond)
			}
			if rest := leaseTime + time.Second - time.Since(began); rest > 0 && w.row.replicas > 0 && holder.current().Alive() {
				programs.Sleep(ctx, rest) // so that the one that comes back comes late
			}
			programs.Sleep(ctx, time.Duration(w.rng.IntN(800))*time.Millisecond)
			if err := back(holder); err != nil {
				return err
			}
		}
		return nil
	}
}

// holder waits until a replica that runs holds the lane, and says which one.
func (w *world) holder(ctx context.Context) (*replica, int64, error) {
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	last := "nobody"
	for {
		name, epoch, err := w.journal.holder(waiting)
		if err == nil && name != "" {
			last = name
			for _, r := range w.replicas {
				if r.names(name) && r.current().Alive() {
					return r, epoch, nil
				}
			}
		}
		if waiting.Err() != nil {
			return nil, 0, errors.Join(fmt.Errorf("no replica that runs holds the lane: it is held by %s", last), err)
		}
		programs.Sleep(waiting, 20*time.Millisecond)
	}
}
