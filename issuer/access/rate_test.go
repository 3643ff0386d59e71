package access

import (
	"strings"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for s, want := range map[string]Rate{
		"0": {}, " 600/1m ": {600, time.Minute}, "5/1h": {5, time.Hour}, "1/1s": {1, time.Second}, "1000000/24h": {1_000_000, 24 * time.Hour},
		"10/1m30s": {10, 90 * time.Second},
	} {
		got, err := ParseRate(s)
		if err != nil || got != want || got.Off() != (want == Rate{}) {
			t.Errorf("%q: %v, %v", s, got, err)
			continue
		}
		if again, err := ParseRate(got.String()); err != nil || again != want {
			t.Errorf("%q is written as %q: %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "600", "600/", "/1m", "600/1", "0/1m", "00", "-1/1m", "+1/1m", "1.5/1m", "600/0s", "600/999ms", "600/24h1s", "1000001/1m", "600/-1m", "600/1m/1m", "x/1m", "600/m", strings.Repeat("9", 100) + "/1m"} {
		if got, err := ParseRate(bad); err == nil || !strings.HasPrefix(err.Error(), "must be") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}
