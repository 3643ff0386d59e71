package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// DefaultLease is how long a lease runs that is not renewed, where nothing else is said: how long an account has no lane
// when its holder is cut off.
const DefaultLease = 5 * time.Second

// MaxLease is how long a lease can be. One that seems to run for longer was given by another clock: it counts for nothing.
const MaxLease = time.Minute

const (
	// laneRetry is how long to wait for a database that is not there before trying to take a lane again.
	laneRetry = 500 * time.Millisecond
	// releaseLimit bounds giving a lane back at the end.
	releaseLimit = 2 * time.Second
)

// errLeaseRanOut says that a lease could not be renewed in time.
var errLeaseRanOut = errors.New("the lease on the lane ran out before it could be renewed")

// TakeLane takes an account's lane for lease, [MaxLease] at most, if nobody holds it, or if its lease has run out, or if holder itself holds
// it. holder names this process, and no other. The epoch rises each time: whoever held it before can write no more. Error
// codes: laneHeld (the cause says by whom, and for how long), storeUnavailable.
func (s *Store) TakeLane(ctx context.Context, issuer model.Address, holder string, lease time.Duration) (model.Fence, error) {
	return s.takeLane(ctx, issuer, holder, lease, true)
}

// takeLane goes by the lease alone unless byLock.
func (s *Store) takeLane(ctx context.Context, issuer model.Address, holder string, lease time.Duration, byLock bool) (model.Fence, error) {
	if holder == "" || issuer == "" || lease <= 0 || lease > MaxLease {
		return model.Fence{}, misuse("taking lane %q for %q, for %s", issuer, holder, lease)
	}
	// On SQLite, whoever has the file's lock knows that no other process lives that took the lane with it.
	free := int64(0)
	hadLock := s.locks.has(issuer)
	if byLock && s.d == &sqliteDialect && s.locks.take(issuer) {
		free = 1
	}
	var f model.Fence
	err := s.write(ctx, "taking the lane", func(t *txn) error {
		if err := s.verify(ctx, t.tx); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO lanes (issuer, holder, epoch, expires) VALUES ($1, '', 0, 0) ON CONFLICT (issuer) DO NOTHING", string(issuer)); err != nil {
			return err
		}
		if err := t.lockLane(issuer); err != nil {
			return err
		}
		f = model.Fence{Issuer: issuer}
		err := t.tx.QueryRowContext(ctx, "UPDATE lanes SET holder = $2, epoch = epoch + 1, condition = '', expires = "+t.dialect.now+" + $3"+
			" WHERE issuer = $1 AND (expires <= "+t.dialect.now+" OR expires > "+t.dialect.now+" + $5 OR holder = $2 OR $4 = 1) RETURNING epoch",
			string(issuer), text(holder), lease.Microseconds(), free, MaxLease.Microseconds()).Scan(&f.Epoch)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var e model.LaneHeldError
		if e.LaneStatus, err = laneStatus(ctx, t.tx, t.dialect, issuer); err != nil {
			return err
		}
		return &model.Error{Code: model.CodeLaneHeld, Message: "another process issues for this account", Cause: &e}
	})
	if err != nil {
		if free == 1 && !hadLock {
			s.locks.release(issuer)
		}
		return model.Fence{}, err
	}
	s.witness.holds(f, holder)
	return f, nil
}

// lockLane waits until nothing is being stored under the lane's epoch: whoever changes that does this first.
func (t *txn) lockLane(issuer model.Address) error {
	var epoch int64
	err := t.tx.QueryRowContext(t.ctx, "SELECT epoch FROM lanes WHERE issuer = $1"+t.forUpdate, string(issuer)).Scan(&epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// ReportCondition has each renewal of the lease store what report says of this process; see [model.LaneStatus]. report answers at once.
func (s *Store) ReportCondition(report func() string) { s.report.Store(&report) }

// condition is what this process says of itself now.
func (s *Store) condition() string {
	if report := s.report.Load(); report != nil {
		return text((*report)())
	}
	return ""
}

// RenewLane has the lease run anew from now, for [MaxLease] at most, and stores the process's condition. Error codes: fenced, storeUnavailable.
func (s *Store) RenewLane(ctx context.Context, f model.Fence, lease time.Duration) error {
	if lease <= 0 || lease > MaxLease {
		return misuse("renewing a lease for %s", lease)
	}
	if s.d == &sqliteDialect {
		s.locks.take(f.Issuer) // where another process had it that is gone now
	}
	err := s.write(ctx, "renewing the lease on the lane", func(t *txn) error {
		if err := s.verify(ctx, t.tx); err != nil {
			return err
		}
		if err := s.checkFence(t, f); err != nil {
			return err
		}
		n, err := t.exec("UPDATE lanes SET expires = "+t.dialect.now+" + $3, condition = $4 WHERE issuer = $1 AND epoch = $2 AND holder <> ''",
			string(f.Issuer), f.Epoch, lease.Microseconds(), s.condition())
		if err != nil || n == 1 {
			return err
		}
		return fencedNow(t, f)
	})
	if model.CodeOf(err) == model.CodeFenced {
		s.locks.release(f.Issuer)
	}
	return err
}

func fencedNow(t *txn, f model.Fence) error {
	st, err := laneStatus(t.ctx, t.tx, t.dialect, f.Issuer)
	if err != nil {
		return err
	}
	return fenced(f, st.Epoch)
}

// ReleaseLane gives the lane back, so that another process can take it at once. It does nothing when another has it
// already. The fence is of no use afterwards: the epoch rises.
func (s *Store) ReleaseLane(ctx context.Context, f model.Fence) error {
	err := s.write(ctx, "giving the lane back", func(t *txn) error {
		if err := t.lockLane(f.Issuer); err != nil {
			return err
		}
		n, err := t.exec("UPDATE lanes SET holder = '', expires = 0, condition = '', epoch = epoch + 1 WHERE issuer = $1 AND epoch = $2", string(f.Issuer), f.Epoch)
		if n == 1 {
			t.lanes[f.Issuer] = true
		}
		return err
	})
	s.locks.release(f.Issuer)
	return err
}

// Lane says who holds an account's lane.
func (s *Store) Lane(ctx context.Context, issuer model.Address) (model.LaneStatus, error) {
	st, err := laneStatus(ctx, s.readDB, s.d, issuer)
	return st, fault("reading who holds the lane", err)
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func laneStatus(ctx context.Context, q queryer, d *dialect, issuer model.Address) (model.LaneStatus, error) {
	var st model.LaneStatus
	var left int64
	err := q.QueryRowContext(ctx, "SELECT holder, epoch, condition, expires - "+d.now+" FROM lanes WHERE issuer = $1", string(issuer)).
		Scan(&st.Holder, &st.Epoch, &st.Condition, &left)
	if errors.Is(err, sql.ErrNoRows) {
		return model.LaneStatus{}, nil
	}
	if st.Holder != "" {
		st.Left = time.Duration(left) * time.Microsecond
	}
	return st, err
}

// HoldLane waits for an account's lane, and runs work while it is held; lease is [DefaultLease] where it is 0. work's
// context ends when ctx does, when another process has taken the lane, or when the lease could not be renewed for its
// whole length; work must return then. After a loss the lane is waited for again, and work is run anew with the next
// fence; so it is when work returns [model.CodeFenced]. HoldLane returns when work returns by itself or because ctx ended,
// with work's error, and gives the lane back; or when ctx ends while it waits, with nil.
func (s *Store) HoldLane(ctx context.Context, issuer model.Address, holder string, lease time.Duration, work func(ctx context.Context, f model.Fence) error) error {
	if lease <= 0 {
		lease = DefaultLease
	}
	var lost time.Time
	for {
		f, until, err := s.awaitLane(ctx, issuer, holder, lease, lost.Add(lease))
		if err != nil || f.Epoch == 0 {
			return err
		}
		s.log.Info("took the lane", "account", issuer, "epoch", f.Epoch)
		err, lostBy := s.workLane(ctx, f, lease, until, work)
		if lostBy == nil && model.CodeOf(err) == model.CodeFenced { // work has heard of it first
			lostBy = err
		}
		if lostBy == nil || ctx.Err() != nil {
			s.giveBack(ctx, f)
			return err
		}
		s.log.Warn("lost the lane", "account", issuer, "epoch", f.Epoch, "error", lostBy)
		// Who has the lane now may have taken it by the lease, without the lock, and gets that when it renews the lease.
		s.locks.release(issuer)
		lost = time.Now()
	}
}

func (s *Store) giveBack(ctx context.Context, f model.Fence) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if err := s.ReleaseLane(ctx, f); err != nil {
		s.log.Warn("the lane could not be given back; its lease runs out by itself", "account", f.Issuer, "error", err)
	}
}

// awaitLane takes the lane once it is free, by the lock on the file only from a certain time on. It returns the moment until which the lease runs at least, by this process's
// monotonic clock; a zero fence when ctx ends; and an error only where waiting helps nothing.
func (s *Store) awaitLane(ctx context.Context, issuer model.Address, holder string, lease time.Duration, lockFrom time.Time) (model.Fence, time.Time, error) {
	wake, stop := s.Watch(issuer)
	defer stop()
	for {
		asked := time.Now()
		f, err := s.takeLane(ctx, issuer, holder, lease, !asked.Before(lockFrom))
		if err == nil {
			return f, asked.Add(lease), nil
		}
		wait := laneRetry
		var held *model.LaneHeldError
		switch {
		case ctx.Err() != nil:
			return model.Fence{}, time.Time{}, nil
		case errors.As(err, &held):
			wait = min(max(held.Left, 0)+10*time.Millisecond, lease)
		case model.CodeOf(err) != model.CodeStoreUnavailable:
			return model.Fence{}, time.Time{}, err
		default:
			s.log.Warn("cannot take the lane", "account", issuer, "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
		case <-s.hub.closed:
			timer.Stop()
			return model.Fence{}, time.Time{}, fault("waiting for the lane", errClosed)
		}
		timer.Stop()
	}
}

// workLane runs work and renews the lease meanwhile. lost is why it was taken away, if it was.
func (s *Store) workLane(ctx context.Context, f model.Fence, lease time.Duration, until time.Time, work func(ctx context.Context, f model.Fence) error) (err, lost error) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	renewed := make(chan error, 1)
	go func() {
		err := s.keepLane(ctx, done, f, lease, until)
		if err != nil {
			cancel(err)
		}
		renewed <- err
	}()
	err = work(ctx, f)
	close(done)
	cancel(nil) // ends a renewal that hangs
	return err, <-renewed
}

// keepLane renews a lease until done or ctx end, and returns nil then, or why it is lost.
func (s *Store) keepLane(ctx context.Context, done <-chan struct{}, f model.Fence, lease time.Duration, until time.Time) error {
	wait := lease / 3
	for {
		timer := time.NewTimer(min(wait, max(time.Until(until), 0)))
		select {
		case <-done:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		asked := time.Now()
		if !asked.Before(until) {
			return errLeaseRanOut
		}
		try, cancel := context.WithDeadline(ctx, until)
		err := s.RenewLane(try, f, lease)
		cancel()
		switch {
		case err == nil:
			until, wait = asked.Add(lease), lease/3
		case model.CodeOf(err) == model.CodeFenced, errors.Is(err, errFileReplaced), errors.Is(err, errRolledBack):
			return err
		case ctx.Err() != nil:
			return nil
		case !time.Now().Before(until):
			return fmt.Errorf("%w: %w", errLeaseRanOut, err)
		default:
			s.log.Warn("cannot renew the lease on the lane", "account", f.Issuer, "left", time.Until(until), "error", err)
			wait = lease / 10
		}
	}
}
