package access

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func take(t *testing.T, l *Limiter, key string, want bool) time.Duration {
	t.Helper()
	ok, wait := l.Take(key)
	if ok != want || ok != (wait == 0) {
		t.Fatalf("%.40s: %v, wait %v; want %v", key, ok, wait, want)
	}
	return wait
}

func TestLimiter(t *testing.T) {
	clock := newClock()
	l := NewLimiter(Rate{3, time.Minute}, 0, clock.now)
	for range 3 {
		take(t, l, "a", true)
	}
	for range 1000 { // what is refused takes nothing
		if wait := take(t, l, "a", false); wait != 20*time.Second {
			t.Fatalf("wait %v", wait)
		}
	}
	take(t, l, "b", true)
	clock.advance(20*time.Second - time.Millisecond)
	if wait := take(t, l, "a", false); wait != time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	clock.advance(time.Millisecond)
	take(t, l, "a", true)
	take(t, l, "a", false)
	clock.advance(time.Hour) // never more than the count at once
	for range 3 {
		take(t, l, "a", true)
	}
	take(t, l, "a", false)
	clock.advance(-time.Hour) // a clock that is set back gives nothing, and takes nothing
	take(t, l, "a", false)

	off := NewLimiter(Rate{}, 0, nil)
	for range 1000 {
		take(t, off, "a", true)
	}
	if ok, _ := NewLimiter(Rate{1, time.Second}, 0, nil).Take("a"); !ok {
		t.Error("with the machine's clock nothing is allowed")
	}
}

// TestLimiterWaitIsEnough: whoever waits as long as they were told gets through, at any rate.
func TestLimiterWaitIsEnough(t *testing.T) {
	for _, r := range []Rate{{1, time.Second}, {3, time.Second}, {7, time.Minute}, {600, time.Minute}, {999_983, 24 * time.Hour}, {1_000_000, time.Second}, {1, 24 * time.Hour}, {11, 13 * time.Hour}} {
		clock := newClock()
		l := NewLimiter(r, 0, clock.now)
		for range min(r.Count, 1000) - 1 {
			l.Take("a")
		}
		for waits := 0; waits < 200; {
			ok, wait := l.Take("a")
			if ok {
				clock.advance(time.Duration(waits) * 7 * time.Microsecond)
				if r.Count > 1000 {
					waits++
				}
				continue
			}
			waits++
			clock.advance(wait)
			if ok, _ := l.Take("a"); !ok {
				t.Fatalf("%v: refused after a wait of %v", r, wait)
			}
		}
	}
}

// TestFloodGivesNobodyMore: a caller who used up what they have cannot have it forgotten by sending as many others, and
// who has a bucket keeps it through the flood.
func TestFloodGivesNobodyMore(t *testing.T) {
	const keys = 64
	clock := newClock()
	l := NewLimiter(Rate{4, time.Minute}, keys, clock.now)
	for range 4 {
		take(t, l, "attacker", true)
	}
	take(t, l, "bystander", true)
	through := 0
	for i := range 100_000 {
		if ok, _ := l.Take("flood" + strconv.Itoa(i)); ok {
			through++
		}
		if i%1000 == 0 {
			take(t, l, "attacker", false)
		}
	}
	// Each that found a bucket, and what the shared ones hold.
	if most := keys - 2 + keys*4; through > most {
		t.Errorf("%d came through at one instant, more than %d", through, most)
	}
	if len(l.buckets) != keys || len(l.refills) != keys || len(l.shared) != keys {
		t.Errorf("%d buckets, %d in the heap, %d shared", len(l.buckets), len(l.refills), len(l.shared))
	}
	for range 3 {
		take(t, l, "bystander", true)
	}
	take(t, l, "bystander", false)
	for i := range 1000 { // all that is shared is used up
		l.Take("late" + strconv.Itoa(i))
	}
	if _, wait := l.Take("new"); wait <= 0 || wait > time.Minute {
		t.Errorf("a new key, while all is used up, is told to wait %v", wait)
	}

	// As soon as buckets are full again, new keys have their own; and the attacker has what the time gives back.
	clock.advance(15 * time.Second)
	take(t, l, "attacker", true)
	take(t, l, "attacker", false)
	for range 4 {
		take(t, l, "new", true)
	}
	take(t, l, "new", false)
	clock.advance(time.Hour)
	for range keys {
		take(t, l, "one", true)
		clock.advance(15 * time.Second)
	}
	if len(l.buckets) > 2 || len(l.buckets) != len(l.refills) {
		t.Errorf("%d buckets are kept for one key, %d in the heap", len(l.buckets), len(l.refills))
	}
}

// TestLimiterCountsAtOnce: from many sides at once, no more than the count comes through.
func TestLimiterCountsAtOnce(t *testing.T) {
	clock := newClock()
	l := NewLimiter(Rate{50, time.Minute}, 4, clock.now)
	var through atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				if ok, _ := l.Take("a"); ok {
					through.Add(1)
				}
			}
		})
	}
	all.Wait()
	if through.Load() != 50 {
		t.Errorf("%d came through", through.Load())
	}
}

func BenchmarkLimiter(b *testing.B) {
	for _, keys := range []int{1, LimiterKeys, 4 * LimiterKeys} { // one client; all have a bucket; most share
		b.Run(strconv.Itoa(keys), func(b *testing.B) {
			l := NewLimiter(Rate{600, time.Minute}, 0, newClock().now)
			names := make([]string, keys)
			for i := range names {
				names[i] = strconv.Itoa(i)
				l.Take(names[i])
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				l.Take(names[i%keys])
				i++
			}
		})
	}
}
