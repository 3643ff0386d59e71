package webhook

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	r, err := Retry{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{5 * time.Second, 20 * time.Second, 80 * time.Second, 320 * time.Second, 1280 * time.Second, 5120 * time.Second, 20480 * time.Second,
		8 * time.Hour, 8 * time.Hour}
	for i, d := range want {
		if got := r.after(i+1, 0.5); got != d {
			t.Errorf("after %d failures: %v, want %v", i+1, got, d)
		}
		if low, high := r.after(i+1, 0), r.after(i+1, 0.999999); low != d*3/4 || high > min(d*5/4, r.Longest) || high < d {
			t.Errorf("after %d failures: %v to %v", i+1, low, high)
		}
	}
	if got := r.after(1<<40, 0.5); got != r.Longest {
		t.Errorf("after very many: %v", got)
	}
	for _, bad := range []Retry{{First: -1}, {First: 1}, {First: time.Hour, Longest: time.Minute}, {For: time.Second}, {Longest: -time.Hour}} {
		if _, err := bad.withDefaults(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	r, _ := Retry{}.withDefaults()
	for _, c := range []struct {
		value string
		want  time.Duration // 0: there is none
		asked time.Duration
	}{
		{"120", 2 * time.Minute, 2 * time.Minute}, {"1", time.Second, 5 * time.Second}, {"86400", 24 * time.Hour, 8 * time.Hour},
		{"4000000000", 1 << 31 * time.Second, 8 * time.Hour}, {"18446744073709551615", 1 << 31 * time.Second, 8 * time.Hour},
		{"0", 0, 0}, {"", 0, 0}, {"-1", 0, 0}, {"1.5", 0, 0}, {"soon", 0, 0}, {"99999999999999999999999", 0, 0},
		{start.Add(time.Hour).Truncate(time.Second).Format("Mon, 02 Jan 2006 15:04:05 GMT"), time.Hour - 678901*time.Microsecond, time.Hour - 678901*time.Microsecond},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0, 0}, {"Fri, 31 Dec 9999 23:59:59 GMT", 1<<63 - 1, 8 * time.Hour},
	} {
		got := parseRetryAfter(c.value, start)
		if got != c.want {
			t.Errorf("%q: %v, want %v", c.value, got, c.want)
		}
		if got > 0 && r.asked(got) != c.asked {
			t.Errorf("%q: %v is waited, want %v", c.value, r.asked(got), c.asked)
		}
	}
}
