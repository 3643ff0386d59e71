package shamap

import (
	"bytes"
	"crypto/sha512"
	"slices"
	"testing"
)

// naive is a map kept the dullest way, and the tree's definition read literally:
// what the Map must agree with.
type naive map[[32]byte][]byte

func (n naive) clone() naive {
	c := make(naive, len(n))
	for k, v := range n {
		c[k] = v
	}
	return c
}

func (n naive) keys() [][32]byte {
	keys := make([][32]byte, 0, len(n))
	for k := range n {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

func half(parts ...[]byte) (h [32]byte) {
	sum := sha512.Sum512(bytes.Join(parts, nil))
	copy(h[:], sum[:])
	return h
}

func (n naive) hash(kind Kind) [32]byte {
	if len(n) == 0 {
		return [32]byte{}
	}
	return n.innerHash(kind, n.keys(), 0)
}

// innerHash hashes the inner node above keys, which are sorted and share all
// nibbles above depth.
func (n naive) innerHash(kind Kind, keys [][32]byte, depth int) [32]byte {
	node := []byte("MIN\x00")
	for branch := range 16 {
		below := 0
		for below < len(keys) && hexDigit(keys[below], depth) == branch {
			below++
		}
		var h [32]byte
		switch below {
		case 0:
		case 1:
			h = n.leafHash(kind, keys[0])
		default:
			h = n.innerHash(kind, keys[:below], depth+1)
		}
		node, keys = append(node, h[:]...), keys[below:]
	}
	return half(node)
}

func hexDigit(k [32]byte, i int) int {
	digit := int(k[i/2])
	if i%2 == 0 {
		return digit / 16
	}
	return digit % 16
}

func (n naive) leafHash(kind Kind, key [32]byte) [32]byte {
	switch kind {
	case StateMap:
		return half([]byte("MLN\x00"), n[key], key[:])
	case TxMetaMap:
		return half([]byte("SND\x00"), n[key], key[:])
	case TxSetMap:
		return half([]byte("TXN\x00"), n[key])
	}
	panic("no such kind")
}

// check fails unless m holds exactly what n does, in order, under n's hash, and
// is well formed.
func (n naive) check(t *testing.T, m *Map) {
	t.Helper()
	n.checkContent(t, m)
	checkShape(t, m.root, nil, true)
	if got, want := m.Hash(), n.hash(m.kind); got != want {
		t.Fatalf("hash of %d keys: got %X, want %X", len(n), got, want)
	}
}

// checkContent is check without the hash.
func (n naive) checkContent(t *testing.T, m *Map) {
	t.Helper()
	if m.Len() != len(n) {
		t.Fatalf("Len: got %d, want %d", m.Len(), len(n))
	}
	keys := n.keys()
	i := 0
	for k, v := range m.All() {
		if i == len(keys) || k != keys[i] || !bytes.Equal(v, n[k]) {
			t.Fatalf("All: entry %d of %d is %X: %X", i, len(keys), k, v)
		}
		i++
	}
	if i != len(keys) {
		t.Fatalf("All: %d entries of %d", i, len(keys))
	}
	for _, k := range keys {
		if v, ok := m.Get(k); !ok || !bytes.Equal(v, n[k]) || !m.Has(k) {
			t.Fatalf("Get(%X): %X, %v", k, v, ok)
		}
	}
	// Next agrees with the sorted keys from each key and from between them.
	var zero [32]byte
	for _, from := range append([][32]byte{zero}, keys...) {
		for _, k := range [][32]byte{from, before(from), after(from)} {
			want := keys[countUpTo(keys, k):]
			got, v, ok := m.Next(k)
			if ok != (len(want) > 0) || ok && (got != want[0] || !bytes.Equal(v, n[got])) {
				t.Fatalf("Next(%X): got %X, %v, want the first of %d", k, got, ok, len(want))
			}
			i := 0
			for got := range m.From(k) {
				if i == len(want) || got != want[i] {
					t.Fatalf("From(%X): entry %d of %d is %X", k, i, len(want), got)
				}
				if i++; i == 3 {
					break
				}
			}
			if i != min(3, len(want)) {
				t.Fatalf("From(%X): %d entries of %d", k, i, len(want))
			}
		}
	}
}

func countUpTo(keys [][32]byte, k [32]byte) int {
	i, found := slices.BinarySearchFunc(keys, k, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	if found {
		i++
	}
	return i
}

// before and after are the neighbours of a key, around the ends too.
func before(k [32]byte) [32]byte {
	for i := 31; i >= 0; i-- {
		k[i]--
		if k[i] != 0xFF {
			break
		}
	}
	return k
}

func after(k [32]byte) [32]byte {
	for i := 31; i >= 0; i-- {
		k[i]++
		if k[i] != 0 {
			break
		}
	}
	return k
}

// checkShape fails unless every leaf stands at the shallowest depth where it is
// alone, on the branches of its key.
func checkShape(t *testing.T, n *inner, path []int, root bool) (leaves int) {
	t.Helper()
	pos := 0
	for i := range 16 {
		if n.used&(1<<i) == 0 {
			continue
		}
		here := append(slices.Clone(path), i)
		switch c := n.kids[pos].(type) {
		case *leaf:
			for depth, branch := range here {
				if nibble(&c.key, depth) != branch {
					t.Fatalf("leaf %X stands at %v", c.key, here)
				}
			}
			leaves++
		case *inner:
			leaves += checkShape(t, c, here, false)
		default:
			t.Fatalf("branch %v is %T", here, c)
		}
		pos++
	}
	if pos != len(n.kids) {
		t.Fatalf("inner node %v has %d children for %d branches", path, len(n.kids), pos)
	}
	if !root && leaves < 2 {
		t.Fatalf("inner node %v has %d leaves below it", path, leaves)
	}
	return leaves
}
