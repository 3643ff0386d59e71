package webhook

import "time"

// Clock is what time it is, and what wakes at a time. Tests set it.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f, in a goroutine of its own, when d has passed. Stop prevents that where it has not begun.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// systemClock is the machine's.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	timer := time.AfterFunc(d, f)
	return func() { timer.Stop() }
}
