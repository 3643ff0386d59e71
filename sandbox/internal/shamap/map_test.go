package shamap

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// key returns a key that begins with the given bytes and is zero after them.
func key(b ...byte) (k [32]byte) {
	copy(k[:], b)
	return k
}

// last returns the key that is zero but for its last byte.
func last(b byte) (k [32]byte) {
	k[31] = b
	return k
}

func TestShapes(t *testing.T) {
	tests := map[string][][32]byte{
		"empty":                            {},
		"one leaf":                         {key(0x12)},
		"zero key":                         {key()},
		"different first nibbles":          {key(0x12), key(0x22)},
		"same first nibble":                {key(0x12), key(0x13)},
		"three below one branch":           {key(0x12), key(0x13), key(0x12, 0x01)},
		"parting at the last nibble":       {last(0), last(1)},
		"parting at the last but one":      {last(0x00), last(0x10)},
		"a chain and a leaf on its way":    {last(0), last(1), key(0, 0, 0, 1)},
		"all branches of the root":         sixteen(func(b byte) [32]byte { return key(b << 4) }),
		"all branches of the deepest node": sixteen(last),
	}
	for name, keys := range tests {
		for _, kind := range []Kind{StateMap, TxSetMap, TxMetaMap} {
			t.Run(fmt.Sprintf("%s/%s", name, kind), func(t *testing.T) {
				e, n := New(kind).Edit(), naive{}
				n.check(t, e.Map())
				for i, k := range keys {
					n[k] = []byte{byte(i), byte(i), 3}
					e.Put(k, n[k])
					n.check(t, e.Map())
				}
				for _, k := range keys {
					if !e.Delete(k) {
						t.Fatalf("Delete(%X) found nothing", k)
					}
					delete(n, k)
					n.check(t, e.Map())
				}
				if e.Map().Hash() != [32]byte{} {
					t.Fatal("emptied map has a hash")
				}
			})
		}
	}
}

func sixteen(f func(byte) [32]byte) (keys [][32]byte) {
	for i := range byte(16) {
		keys = append(keys, f(i))
	}
	return keys
}

// TestStepByStep keeps a map up through random changes and snapshots, and
// compares each snapshot with a rebuild from scratch, when it is taken and after
// everything that came later.
func TestStepByStep(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		type version struct {
			m *Map
			n naive
		}
		n, e := naive{}, New(Kind(seed%3)).Edit()
		versions := []version{{e.Map(), n.clone()}}
		for range 600 {
			k := clustered(r)
			switch r.IntN(10) {
			case 0, 1, 2, 3, 4:
				n[k] = value(r)
				e.Put(k, n[k])
			case 5, 6, 7:
				if len(n) > 0 && r.IntN(3) > 0 {
					k = n.keys()[r.IntN(len(n))]
				}
				_, had := n[k]
				delete(n, k)
				if e.Delete(k) != had {
					t.Fatalf("Delete(%X): want %v", k, had)
				}
			case 8:
				v := version{e.Map(), n.clone()}
				if r.IntN(2) == 0 {
					v.n.check(t, v.m)
				}
				versions = append(versions, v)
			case 9:
				if r.IntN(4) == 0 { // go on from an older version
					v := versions[r.IntN(len(versions))]
					e, n = v.m.Edit(), v.n.clone()
				}
			}
			if e.Len() != len(n) {
				t.Fatalf("Len: got %d, want %d", e.Len(), len(n))
			}
			want, ok := n[k]
			if got, has := e.Get(k); has != ok || string(got) != string(want) || e.Has(k) != ok {
				t.Fatalf("Get(%X): got %X, %v, want %X, %v", k, got, has, want, ok)
			}
		}
		for _, v := range versions {
			v.n.check(t, v.m)
		}
	}
}

// clustered returns a key of which a few share long beginnings.
func clustered(r *rand.Rand) (k [32]byte) {
	depth := []int{1, 1, 1, 2, 2, 16, 31, 32}[r.IntN(8)]
	for i := range depth {
		if i == depth-1 {
			k[i] = byte(r.IntN(256))
		} else {
			k[i] = byte(r.IntN(2))
		}
	}
	return k
}

func value(r *rand.Rand) []byte {
	v := make([]byte, r.IntN(300))
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}
