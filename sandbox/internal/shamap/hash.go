package shamap

import (
	"crypto/sha512"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"
)

// Hash prefixes, as HashPrefix in rippled: three letters and a zero byte.
var (
	prefixInner  = [4]byte{'M', 'I', 'N', 0}
	prefixLeaf   = [4]byte{'M', 'L', 'N', 0}
	prefixTxID   = [4]byte{'T', 'X', 'N', 0}
	prefixTxNode = [4]byte{'S', 'N', 'D', 0}
)

// parallelFrom is how many changed leaves make it worth starting goroutines.
const parallelFrom = 64

// Hash returns the root hash, zero for an empty map. Only nodes that no relative
// of this map has hashed yet are hashed, and the result is kept. Maps made from
// one another wait for each other's first Hash; after that it is a load.
func (m *Map) Hash() [32]byte {
	if sum := m.sum.Load(); sum != nil {
		return *sum
	}
	m.hashing.Lock()
	defer m.hashing.Unlock()
	if m.root.hash == zero {
		if m.changes >= parallelFrom {
			m.hashBranches()
		}
		newHasher(m.kind).inner(m.root)
	}
	sum := m.root.hash
	m.sum.Store(&sum)
	return sum
}

// hashBranches hashes all below the root, on as many processors as there are.
func (m *Map) hashBranches() {
	var todo []*inner
	for _, c := range m.root.kids {
		if n, ok := c.(*inner); ok && n.hash == zero {
			todo = append(todo, n)
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(todo))
	if workers < 2 {
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			h := newHasher(m.kind)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(todo) {
					return
				}
				h.inner(todo[i])
			}
		})
	}
	wg.Wait()
}

var zero [32]byte

// hasher hashes the nodes of one subtree, for one goroutine.
type hasher struct {
	kind   Kind
	sha    hash.Hash
	sum    [sha512.Size]byte
	prefix [4]byte
}

func newHasher(k Kind) *hasher { return &hasher{kind: k, sha: sha512.New()} }

// inner computes the hash of n, and of all below it that has none.
func (h *hasher) inner(n *inner) {
	if len(n.kids) == 0 {
		return // only an empty root
	}
	for _, c := range n.kids {
		switch c := c.(type) {
		case *inner:
			if c.hash == zero {
				h.inner(c)
			}
		case *leaf:
			if c.hash == zero {
				h.leaf(c)
			}
		}
	}
	h.begin(prefixInner)
	pos := 0
	for i := range 16 {
		if n.used&(1<<i) == 0 {
			h.sha.Write(zero[:])
			continue
		}
		switch c := n.kids[pos].(type) {
		case *inner:
			h.sha.Write(c.hash[:])
		case *leaf:
			h.sha.Write(c.hash[:])
		}
		pos++
	}
	h.end(&n.hash)
}

func (h *hasher) leaf(l *leaf) {
	switch h.kind {
	case TxSetMap:
		h.begin(prefixTxID)
		h.sha.Write(l.data)
	case TxMetaMap:
		h.begin(prefixTxNode)
		h.sha.Write(l.data)
		h.sha.Write(l.key[:])
	default:
		h.begin(prefixLeaf)
		h.sha.Write(l.data)
		h.sha.Write(l.key[:])
	}
	h.end(&l.hash)
}

func (h *hasher) begin(prefix [4]byte) {
	h.prefix = prefix
	h.sha.Reset()
	h.sha.Write(h.prefix[:])
}

// end stores SHA-512Half: the first half of the digest.
func (h *hasher) end(to *[32]byte) {
	h.sha.Sum(h.sum[:0])
	copy(to[:], h.sum[:])
}
