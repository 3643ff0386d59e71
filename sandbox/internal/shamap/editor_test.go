package shamap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// FuzzEditor takes its input as a series of operations and holds every snapshot
// equal to a rebuild from scratch.
func FuzzEditor(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0x12, 1, 0, 0x13, 2, 6, 0, 0, 3, 0x12, 0, 6, 0, 0})
	f.Add([]byte{0, 0, 0, 8, 0, 0, 16, 0, 0, 24, 0, 0, 3, 0, 0, 11, 0, 0, 7, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		type version struct {
			m *Map
			n naive
		}
		n, e := naive{}, New(StateMap).Edit()
		versions := []version{{e.Map(), naive{}}}
		for range min(len(ops)/3, 400) {
			// The key is one byte, repeated up to a place that the operation's
			// upper bits choose, so that some share nearly all nibbles.
			var k [32]byte
			k[min(int(ops[0]>>3), 31)] = ops[1]
			switch ops[0] % 8 {
			case 0, 1, 2:
				n[k] = []byte{ops[2]}
				e.Put(k, n[k])
			case 3, 4, 5:
				_, had := n[k]
				delete(n, k)
				if e.Delete(k) != had {
					t.Fatalf("Delete(%X): want %v", k, had)
				}
			case 6:
				if len(versions) == 20 {
					versions = versions[10:]
				}
				versions = append(versions, version{e.Map(), n.clone()})
				if ops[1]%2 == 0 {
					versions[len(versions)-1].m.Hash()
				}
			case 7:
				v := versions[int(ops[1])%len(versions)]
				e, n = v.m.Edit(), v.n.clone()
			}
			ops = ops[3:]
		}
		for _, v := range append(versions, version{e.Map(), n}) {
			v.n.check(t, v.m)
		}
	})
}

// TestReadersWhileEditing has readers hash and walk snapshots while the editor
// that made them goes on, and a second editor works from each of them. Run with
// the race detector.
func TestReadersWhileEditing(t *testing.T) {
	type version struct {
		m    *Map
		n    naive
		hash [32]byte
	}
	const readers = 4
	var wg sync.WaitGroup
	feeds := make([]chan version, readers)
	for i := range feeds {
		feeds[i] = make(chan version, 8)
		wg.Go(func() {
			for v := range feeds[i] {
				if got := v.m.Hash(); got != v.hash {
					t.Errorf("hash of %d keys: got %X, want %X", len(v.n), got, v.hash)
				}
				seen := 0
				for k, data := range v.m.All() {
					if !bytes.Equal(v.n[k], data) {
						t.Errorf("key %X: got %X, want %X", k, data, v.n[k])
					}
					seen++
				}
				if seen != len(v.n) || v.m.Len() != seen {
					t.Errorf("%d keys, Len %d, want %d", seen, v.m.Len(), len(v.n))
				}
				own := v.m.Edit()
				for k := range v.n {
					own.Put(k, []byte("of this reader alone"))
					if int(k[0])%2 == i%2 {
						own.Delete(k)
					}
				}
				own.Map().Hash()
			}
		})
	}
	r := rand.New(rand.NewPCG(7, 7))
	n, e := naive{}, New(StateMap).Edit()
	for range 40 {
		for range 150 { // more than parallelFrom
			k := clustered(r)
			if _, ok := n[k]; ok && r.IntN(2) == 0 {
				delete(n, k)
				e.Delete(k)
				continue
			}
			n[k] = value(r)
			e.Put(k, n[k])
		}
		v := version{e.Map(), n.clone(), n.hash(StateMap)}
		for _, feed := range feeds {
			feed <- v
		}
	}
	for _, feed := range feeds {
		close(feed)
	}
	wg.Wait()
}

// unhashed counts the nodes that the next Hash has to compute.
func unhashed(n node) (count int) {
	switch n := n.(type) {
	case *leaf:
		if n.hash == zero {
			return 1
		}
	case *inner:
		if n.hash == zero {
			count++
			for _, c := range n.kids {
				count += unhashed(c)
			}
		}
	}
	return count
}

// pathLength counts the nodes from the root to key's leaf, both included.
func pathLength(m *Map, key [32]byte) int {
	n := m.root
	for depth := 0; ; depth++ {
		pos, ok := n.slot(nibble(&key, depth))
		if !ok {
			return depth + 1
		}
		c, ok := n.kids[pos].(*inner)
		if !ok {
			return depth + 2
		}
		n = c
	}
}

func TestOnlyWhatChangedIsHashed(t *testing.T) {
	e := New(StateMap).Edit()
	for i := range 5000 {
		e.Put(numberedKey(i), numberedData(i))
	}
	m := e.Map()
	m.Hash()
	if got := unhashed(m.root); got != 0 {
		t.Fatalf("%d nodes without a hash after Hash", got)
	}

	e.Put(numberedKey(77), []byte("changed"))
	changed := e.Map()
	if got, want := unhashed(changed.root), pathLength(m, numberedKey(77)); got != want {
		t.Errorf("one change leaves %d nodes to hash, want %d", got, want)
	}
	if got := unhashed(m.root); got != 0 {
		t.Errorf("an edit took %d hashes from the map before it", got)
	}
	changed.Hash()

	e.Put(numberedKey(77), []byte("changed"))
	if e.Map() != changed {
		t.Error("putting what is there already made a new map")
	}
	e.Delete(key(1, 2, 3))
	if e.Map() != changed {
		t.Error("deleting what is not there made a new map")
	}

	// Back to the old content: another tree, the same hash.
	e.Put(numberedKey(77), numberedData(77))
	if back := e.Map(); back == m || back.Hash() != m.Hash() {
		t.Errorf("the same content again: got %X, want %X", back.Hash(), m.Hash())
	}
}

// TestInPlace has an editor copy a path once between two snapshots.
func TestInPlace(t *testing.T) {
	m := grown(10_000)
	e := m.Edit()
	e.Put(numberedKey(1), []byte{0})
	root := e.root
	for i := range 100 {
		e.Put(numberedKey(i), []byte{1})
	}
	if e.root != root {
		t.Error("the root was copied again before a snapshot")
	}
	snapshot := e.Map()
	e.Put(numberedKey(1), []byte{2})
	if e.root == snapshot.root {
		t.Error("the root of a snapshot was changed in place")
	}
}

func TestPutKeepsNoSlack(t *testing.T) {
	for _, test := range []struct {
		len, cap int
		copied   bool
	}{{200, 200, false}, {200, 216, false}, {200, 512, true}, {0, 4096, true}, {1, 2, false}} {
		t.Run(fmt.Sprintf("%d of %d", test.len, test.cap), func(t *testing.T) {
			data := make([]byte, test.len, test.cap)
			e := New(StateMap).Edit()
			e.Put(key(1), data)
			got, _ := e.Get(key(1))
			if len(got) != test.len || cap(got) > test.len+max(16, test.len/8) {
				t.Errorf("kept %d of %d bytes", len(got), cap(got))
			}
			if copied := cap(got) != test.cap; copied != test.copied {
				t.Errorf("copied: %v, want %v", copied, test.copied)
			}
		})
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	m := grown(10_000)
	i := 0
	if got := testing.AllocsPerRun(1000, func() {
		k := numberedKeys[i%len(numberedKeys)]
		m.Get(k)
		m.Has(k)
		m.Next(k)
		m.Hash()
		i++
	}); got != 0 {
		t.Errorf("%v allocations for Get, Has, Next and Hash", got)
	}
}

var numberedKeys = func() (keys [100][32]byte) {
	for i := range keys {
		keys[i] = numberedKey(i)
	}
	return keys
}()
