package heap

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live, spare uint64
		want        int
	}{
		{0, 64 * mib, 1600}, // the runtime's least heap times this is what is spared
		{mib, 64 * mib, 1600},
		{8 * mib, 64 * mib, 800},
		{32 * mib, 64 * mib, 200},
		{64 * mib, 64 * mib, 100},
		{1 << 40, 64 * mib, 100}, // never more seldom than usual
		{math.MaxUint64, 64 * mib, 100},
		{mib, 0, 100},
	} {
		if got := percent(c.live, c.spare); got != c.want {
			t.Errorf("%d MiB live, %d MiB to spare: %d %%, want %d", c.live/mib, c.spare/mib, got, c.want)
		}
	}
}

// gogc is the percentage that the collector goes by now.
func gogc() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// await has the collector run until its percentage is as it should be.
func await(t *testing.T, want string, ok func(percent uint64) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(gogc()); runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("it collects after %d %%, want %s", gogc(), want)
		}
	}
}

// It follows what lives, and leaves the collector as it was once it is stopped.
func TestKeep(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Cleanup(func() { debug.SetGCPercent(usual) })
	debug.SetGCPercent(usual)
	stop := Keep(Spare)
	await(t, "more while little lives", func(p uint64) bool { return p > usual })
	live := make([]byte, 2*Spare)
	await(t, "the usual while much lives", func(p uint64) bool { return p == usual })
	runtime.KeepAlive(live)
	await(t, "more when it is gone", func(p uint64) bool { return p > usual })
	stop()
	runtime.GC()
	runtime.GC()
	if p := gogc(); p != usual {
		t.Errorf("it collects after %d %% once it is stopped, want %d", p, usual)
	}
}

// Whoever sets GOGC knows better.
func TestKeepLeavesGOGC(t *testing.T) {
	t.Setenv("GOGC", "50")
	t.Cleanup(func() { debug.SetGCPercent(usual) })
	debug.SetGCPercent(50)
	Keep(Spare)()
	if got := debug.SetGCPercent(50); got != 50 {
		t.Errorf("GOGC is %d, want the 50 that were set", got)
	}
}
