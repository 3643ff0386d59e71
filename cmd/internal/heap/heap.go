// Package heap has the garbage collector run less often while a program is small. It knows nothing of what the program does.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Spare is how much a program may allocate between two collections however little of it lives, in bytes. The runtime
// collects when the heap has doubled: of a service that keeps 4 MiB and uses up 100 MiB a second while it is busy, that is
// 25 times a second, which took an eighth of its processor time. What it costs is at most this much memory.
const Spare = 64 << 20

const (
	// usual is the runtime's own: to collect when the heap has grown by as much again as lives.
	usual = 100
	// runtimeLeast is the heap that the runtime does not collect below, per usual percent.
	runtimeLeast = 4 << 20
)

// Keep has the collector wait until as much again as lives was allocated, as usual, but at least spare bytes, until stop is
// called. Where the environment sets GOGC, that stands, and nothing is changed.
func Keep(spare uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	k := &keeper{spare: spare}
	k.adjust()
	return k.stop
}

// keeper sets the percentage anew after each collection, as it knows no other measure.
type keeper struct {
	spare uint64

	mu      sync.Mutex
	stopped bool
}

// collected becomes garbage at once, so that its end tells of a collection.
type collected struct{ _ [32]byte }

func (k *keeper) adjust() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	// What the percentage is of: what lives, and what is looked through for it.
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	var live uint64
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			live += s.Value.Uint64()
		}
	}
	debug.SetGCPercent(percent(live, k.spare))
	runtime.AddCleanup(new(collected), func(k *keeper) { k.adjust() }, k)
}

func (k *keeper) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	debug.SetGCPercent(usual)
}

// percent returns the growth, in percent of what lives, that comes to spare bytes, and never less than usual.
func percent(live, spare uint64) int {
	most := usual * max(spare, runtimeLeast) / runtimeLeast
	return int(max(usual, min(most, usual*spare/max(live, 1))))
}
