package access

import (
	"container/heap"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// LimiterKeys is how many keys a [Limiter] tells apart by default: some 15 MB when all are in use.
	LimiterKeys = 1 << 16
	// limiterShared is how many buckets there are for keys beyond that.
	limiterShared = 1 << 10
)

// Limiter allows each key a [Rate], with a token bucket for each. Its memory is bounded, and no flood of other keys gives
// a key more than its rate:
//
// A bucket that is full again is as good as none, and is the only kind that is ever forgotten. While every one of them is in
// use, keys without a bucket of their own share a fixed number of buckets, by a hash that nobody outside can compute: a flood
// of new keys then uses up what new keys get, and leaves alone those that have a bucket. A key that moves from a shared bucket to
// one of its own has at most one Count more.
type Limiter struct {
	limit rate.Limit
	burst int
	keys  int
	now   func() time.Time
	seed  maphash.Seed

	mu      sync.Mutex
	buckets map[uint64]*bucket
	refills refills
	shared  []*rate.Limiter // made when they are first needed
}

// bucket is what is left to one key.
type bucket struct {
	*rate.Limiter
	key   uint64
	full  time.Time // when it is full again
	index int       // in refills
}

// NewLimiter returns a limiter of at most so many keys; 0 is [LimiterKeys]. Now is the clock, time.Now by default. It
// returns nil, which allows everything, where the rate is no limit.
func NewLimiter(r Rate, keys int, now func() time.Time) *Limiter {
	if r.Off() {
		return nil
	}
	if keys <= 0 {
		keys = LimiterKeys
	}
	if now == nil {
		now = time.Now
	}
	return &Limiter{
		limit: rate.Limit(float64(r.Count) / r.Per.Seconds()), burst: r.Count, keys: keys, now: now,
		seed: maphash.MakeSeed(), buckets: map[uint64]*bucket{},
	}
}

// Take says whether a key may do it once more, and takes that from its bucket. Where it may not, nothing is taken, and
// retryAfter is when it may, if nobody else takes from the same bucket.
func (l *Limiter) Take(key string) (ok bool, retryAfter time.Duration) {
	if l == nil {
		return true, 0
	}
	// Keys are kept as their hash: they cost the same, however long they are.
	hash := maphash.String(l.seed, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.forget(now)
	own := l.own(hash, now)
	if own == nil {
		return l.take(l.common(hash), now)
	}
	ok, retryAfter = l.take(own.Limiter, now)
	own.full = now.Add(l.duration(float64(l.burst) - own.TokensAt(now)))
	heap.Fix(&l.refills, own.index)
	return ok, retryAfter
}

// giveBack undoes a Take that was allowed, where the bucket is still in use.
func (l *Limiter) giveBack(key string) {
	hash := maphash.String(l.seed, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	own := l.buckets[hash]
	if own == nil {
		if l.shared != nil {
			l.common(hash).AllowN(now, -1) // the rate has no other way; what is more than a full bucket counts for nothing
		}
		return
	}
	own.AllowN(now, -1)
	own.full = now.Add(l.duration(float64(l.burst) - own.TokensAt(now)))
	heap.Fix(&l.refills, own.index)
}

// forget gives up buckets that are full again: two for each one that may be made, so that memory goes down after a flood.
func (l *Limiter) forget(now time.Time) {
	for range 2 {
		if len(l.refills) == 0 || l.refills[0].full.After(now) {
			return
		}
		delete(l.buckets, heap.Pop(&l.refills).(*bucket).key)
	}
}

// own returns a key's own bucket, or nil where it has none and can be given none.
func (l *Limiter) own(hash uint64, now time.Time) *bucket {
	b := l.buckets[hash]
	if b == nil && len(l.buckets) < l.keys {
		b = &bucket{Limiter: rate.NewLimiter(l.limit, l.burst), key: hash, full: now}
		l.buckets[hash] = b
		heap.Push(&l.refills, b)
	}
	return b
}

func (l *Limiter) common(hash uint64) *rate.Limiter {
	if l.shared == nil {
		l.shared = make([]*rate.Limiter, min(limiterShared, l.keys))
		for i := range l.shared {
			l.shared[i] = rate.NewLimiter(l.limit, l.burst)
		}
	}
	return l.shared[hash%uint64(len(l.shared))]
}

func (l *Limiter) take(b *rate.Limiter, now time.Time) (ok bool, retryAfter time.Duration) {
	if b.AllowN(now, 1) {
		return true, 0
	}
	return false, l.duration(1 - b.TokensAt(now))
}

// duration is how long it takes until there are so many tokens more, in whole milliseconds and at least one.
func (l *Limiter) duration(tokens float64) time.Duration {
	return time.Duration(max(1, math.Ceil(tokens/float64(l.limit)*1000))) * time.Millisecond
}

// refills is a heap of the buckets, by when they are full again.
type refills []*bucket

func (r refills) Len() int           { return len(r) }
func (r refills) Less(i, j int) bool { return r[i].full.Before(r[j].full) }
func (r refills) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].index, r[j].index = i, j
}
func (r *refills) Push(x any) {
	b := x.(*bucket)
	b.index = len(*r)
	*r = append(*r, b)
}
func (r *refills) Pop() any {
	last := len(*r) - 1
	b := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return b
}
