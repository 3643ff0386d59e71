package ledger

import (
	"context"
	"time"
)

// Clock is where this package takes its time from: back-off, pings, polling, and how long something has waited. The
// time limits of single calls come from their contexts.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer that sends once on its channel when d has passed.
	NewTimer(d time.Duration) Timer
}

// Timer is a pending wait of a [Clock].
type Timer interface {
	C() <-chan time.Time
	// Stop gives the wait up. It says whether it came before the timer fired.
	Stop() bool
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements [Clock].
func (SystemClock) Now() time.Time { return time.Now() }

// NewTimer implements [Clock].
func (SystemClock) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

type systemTimer struct{ t *time.Timer }

func (s systemTimer) C() <-chan time.Time { return s.t.C }
func (s systemTimer) Stop() bool          { return s.t.Stop() }

// backoff returns how long to wait before try n (from 0): doubling from least up to most, of which a random half is
// taken off, so that many clients of one node do not come back at the same moment.
func backoff(n int, least, most time.Duration, random func() float64) time.Duration {
	d := most
	if n < 32 {
		if grown := least << n; grown > 0 && grown < most {
			d = grown
		}
	}
	return d - time.Duration(random()*float64(d)/2)
}

// sleep waits on a clock, and says whether ctx let it.
func sleep(ctx context.Context, clock Clock, d time.Duration) bool {
	timer := clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}
