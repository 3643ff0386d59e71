package policy

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want time.Duration
	}{
		{"0s", 0}, {"0d", 0}, {"1s", time.Second}, {"90m", 90 * time.Minute}, {"24h", day}, {"365d", 365 * day},
		{"1d12h", 36 * time.Hour}, {"1d2h3m4s", day + 2*time.Hour + 3*time.Minute + 4*time.Second}, {"00001d", day}, {"36500d", maxDuration},
	} {
		got, err := parseDuration(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("%s: %v, %v", tc.in, got, err)
		}
		if again, err := parseDuration(formatDuration(got)); err != nil || again != got {
			t.Errorf("%s is written as %s", tc.in, formatDuration(got))
		}
	}
	for in, want := range map[string]error{
		"": errDurationForm, "1": errDurationForm, "d": errDurationForm, "1 d": errDurationForm, " 1d": errDurationForm, "1d\n": errDurationForm,
		"-1d": errDurationForm, "+1d": errDurationForm, "1.5d": errDurationForm, "1h1d": errDurationForm, "1d1d": errDurationForm, "1w": errDurationForm,
		"1D": errDurationForm, "1ms": errDurationForm, "١d": errDurationForm, "1e3d": errDurationForm, "9999999999d": errDurationForm,
		"36500d1s": errDurationLong, "999999999d999999999h999999999m999999999s": errDurationLong,
	} {
		if got, err := parseDuration(in); err != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}
