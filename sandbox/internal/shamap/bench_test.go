package shamap

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

// entrySize is about what a credential takes.
const entrySize = 200

// numberedKey returns the i-th of a fixed series of evenly spread keys.
func numberedKey(i int) [32]byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	return half(b[:])
}

func numberedData(i int) []byte {
	data := make([]byte, entrySize)
	binary.BigEndian.PutUint64(data, uint64(i))
	return data
}

// grown returns a hashed map of the first n numbered keys, one for all
// benchmarks.
var grown = func() func(n int) *Map {
	var mu sync.Mutex
	maps := map[int]*Map{}
	return func(n int) *Map {
		mu.Lock()
		defer mu.Unlock()
		if maps[n] == nil {
			e := New(StateMap).Edit()
			for i := range n {
				e.Put(numberedKey(i), numberedData(i))
			}
			maps[n] = e.Map()
			maps[n].Hash()
		}
		return maps[n]
	}
}()

var sizes = []int{100_000, 1_000_000}

func forSizes(b *testing.B, f func(b *testing.B, m *Map, n int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("leaves=%d", n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("needs half a gigabyte")
			}
			f(b, grown(n), n)
		})
	}
}

func BenchmarkGet(b *testing.B) {
	forSizes(b, func(b *testing.B, m *Map, n int) {
		keys := someKeys(n)
		for i := 0; b.Loop(); i++ {
			if !m.Has(keys[i%len(keys)]) {
				b.Fatal("key missing")
			}
		}
	})
}

// BenchmarkPut replaces entries, in batches of 1,000 to a snapshot as a ledger
// does.
func BenchmarkPut(b *testing.B) {
	forSizes(b, func(b *testing.B, m *Map, n int) {
		keys := someKeys(n)
		e := m.Edit()
		for i := 0; b.Loop(); i++ {
			e.Put(keys[i%len(keys)], numberedData(-i))
			if i%1000 == 999 {
				e = m.Edit()
			}
		}
	})
}

// BenchmarkHashAfter1000 hashes a map in which 1,000 of n entries changed.
func BenchmarkHashAfter1000(b *testing.B) {
	for _, procs := range []int{1, 2} {
		b.Run(fmt.Sprintf("procs=%d", procs), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			forSizes(b, func(b *testing.B, m *Map, n int) {
				keys := someKeys(n)
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					e := m.Edit()
					for j := range 1000 {
						e.Put(keys[(i*1000+j)%len(keys)], numberedData(-i-1))
					}
					changed := e.Map()
					b.StartTimer()
					changed.Hash()
				}
			})
		})
	}
}

// BenchmarkCloseWith1000 is what closing a ledger asks of the tree: from one
// hashed map to the next over 1,000 changes, all included.
func BenchmarkCloseWith1000(b *testing.B) {
	forSizes(b, func(b *testing.B, m *Map, n int) {
		keys := someKeys(n)
		for i := 0; b.Loop(); i++ {
			e := m.Edit()
			for j := range 1000 {
				e.Put(keys[(i*1000+j)%len(keys)], numberedData(-i-1))
			}
			m = e.Map()
			m.Hash()
		}
	})
}

// BenchmarkHashAll hashes every node, as at a start from entries alone.
func BenchmarkHashAll(b *testing.B) {
	for _, procs := range []int{1, 2} {
		b.Run(fmt.Sprintf("procs=%d", procs), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for b.Loop() {
				b.StopTimer()
				e := New(StateMap).Edit()
				for i := range 100_000 {
					e.Put(numberedKey(i), numberedData(i))
				}
				m := e.Map()
				b.StartTimer()
				m.Hash()
			}
		})
	}
}

// BenchmarkMemory builds a map and reports the heap it holds for each leaf, the
// entry's own bytes included.
func BenchmarkMemory(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("leaves=%d", n), func(b *testing.B) {
			var perLeaf float64
			for b.Loop() {
				before := heap()
				e := New(StateMap).Edit()
				for i := range n {
					e.Put(numberedKey(i), numberedData(i))
				}
				m := e.Map()
				m.Hash()
				perLeaf = float64(heap()-before) / float64(n)
				runtime.KeepAlive(m)
			}
			b.ReportMetric(perLeaf, "B/leaf")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func someKeys(n int) [][32]byte {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([][32]byte, 50_000)
	for i := range keys {
		keys[i] = numberedKey(r.IntN(n))
	}
	return keys
}
