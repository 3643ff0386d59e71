package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Retry says when what failed is tried again, and for how long. Zero fields are the defaults.
type Retry struct {
	// First is how long it takes until the second attempt: 5 s.
	First time.Duration
	// Longest is the most that lies between two attempts: 8 h.
	Longest time.Duration
	// For is how long after the first attempt one is made again: 3 days.
	For time.Duration
}

const (
	// growth is by which factor the time between attempts grows.
	growth = 4
	// spread is by which part of itself that time is shorter or longer by chance, so that what failed at once does not come
	// back at once.
	spread = 0.25
	// longestPause is the most that lies between two attempts to reach an endpoint that is down.
	longestPause = 5 * time.Minute
)

func (r Retry) withDefaults() (Retry, error) {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&r.First, 5 * time.Second}, {&r.Longest, 8 * time.Hour}, {&r.For, 72 * time.Hour}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if r.First < time.Millisecond || r.Longest < r.First || r.For < r.First {
		return Retry{}, errors.New("webhook: Retry.First must be at least 1ms, and Longest and For no less than it")
	}
	return r, nil
}

// after returns how long to wait after so many failures; chance is in [0, 1).
func (r Retry) after(failures int, chance float64) time.Duration {
	d := r.First
	for i := 1; i < failures && d < r.Longest; i++ {
		d *= growth
	}
	d = min(d, r.Longest)
	return min(d+time.Duration(float64(d)*spread*(2*chance-1)), r.Longest)
}

// asked bounds what an endpoint asks for by Retry-After.
func (r Retry) asked(d time.Duration) time.Duration { return min(max(d, r.First), r.Longest) }

// parseRetryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or a date. It is 0 where there is none that
// can be read.
func parseRetryAfter(value string, now time.Time) time.Duration {
	const most = 1 << 31 // 68 years; within what a time.Duration holds
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, most)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
