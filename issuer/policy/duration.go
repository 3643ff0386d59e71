package policy

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// maxDuration is the most that a policy may ask for: about a hundred years.
const maxDuration = 36_500 * day

var (
	errDurationForm = errors.New("must be a duration in days, hours, minutes and seconds, such as 365d, 36h or 1d12h")
	errDurationLong = errors.New("must not be longer than 36500d")
	errDurationZero = errors.New("must be longer than nothing")
)

// Nine digits are more than any duration allowed, and overflow nothing when all four parts have them.
var durationForm = regexp.MustCompile(`^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$`)

// parseDuration reads whole seconds. The error reads on from the name of a field.
func parseDuration(s string) (time.Duration, error) {
	parts := durationForm.FindStringSubmatch(s)
	if parts == nil || s == "" {
		return 0, errDurationForm
	}
	var seconds int64
	for i, unit := range []time.Duration{day, time.Hour, time.Minute, time.Second} {
		if n, err := strconv.ParseInt(parts[i+1], 10, 64); err == nil {
			seconds += n * int64(unit/time.Second)
		}
	}
	if seconds > int64(maxDuration/time.Second) {
		return 0, errDurationLong
	}
	return time.Duration(seconds) * time.Second, nil
}

// formatDuration writes what [parseDuration] reads.
func formatDuration(d time.Duration) string {
	s := ""
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.unit; n > 0 {
			s += strconv.FormatInt(int64(n), 10) + u.name
			d -= n * u.unit
		}
	}
	if s == "" {
		return "0s"
	}
	return s
}
