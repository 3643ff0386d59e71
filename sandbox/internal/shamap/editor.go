package shamap

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
)

// Editor makes changed maps. It is for one goroutine at a time.
type Editor struct {
	same    *Map // what it started from or last returned; nil after a change
	root    *inner
	len     int
	kind    Kind
	hashing *sync.Mutex
	owner   uint64
	changes int // see Map.changes
}

var owners atomic.Uint64

// newOwner returns an owner that no node has yet.
func newOwner() uint64 { return owners.Add(1) }

// Get returns the data under key, and whether there is any. The slice must not
// be changed.
func (e *Editor) Get(key [32]byte) ([]byte, bool) { return e.root.get(&key) }

// Has says whether key is there.
func (e *Editor) Has(key [32]byte) bool { _, ok := e.root.get(&key); return ok }

// Len is the number of keys.
func (e *Editor) Len() int { return e.len }

// Next returns the first key strictly greater than key, with its data.
func (e *Editor) Next(key [32]byte) (k [32]byte, data []byte, ok bool) { return e.root.next(&key) }

// Map returns what the editor holds as a map, in constant time. The editor can
// go on: it copies again what it changes next.
func (e *Editor) Map() *Map {
	if e.same == nil {
		e.same = &Map{root: e.root, len: e.len, kind: e.kind, hashing: e.hashing, changes: e.changes}
		e.owner = newOwner()
	}
	return e.same
}

// Put sets the data under key. The slice belongs to the map from then on: the
// caller must not change it. One with much spare capacity is copied, so that the
// map does not keep it alive.
func (e *Editor) Put(key [32]byte, data []byte) {
	if spare := cap(data) - len(data); spare > 16 && spare > len(data)/8 {
		data = bytes.Clone(data)
	}
	l := &leaf{key: key, data: data}
	root, changed := e.put(e.root, 0, l)
	if changed {
		e.root = root
		e.change()
	}
}

// Delete removes key, and says whether it was there.
func (e *Editor) Delete(key [32]byte) bool {
	n, found := e.delete(e.root, 0, &key)
	if !found {
		return false
	}
	e.len--
	e.change()
	e.root = n.(*inner) // at depth 0 it is never anything else
	return true
}

func (e *Editor) change() {
	e.same = nil
	e.changes++
}

// put returns n with l below it, changed in place where the editor owns it, and
// whether that is a change.
func (e *Editor) put(n *inner, depth int, l *leaf) (*inner, bool) {
	i := nibble(&l.key, depth)
	pos, ok := n.slot(i)
	if !ok {
		e.len++
		return e.insert(n, pos, i, l), true
	}
	switch c := n.kids[pos].(type) {
	case *inner:
		c, changed := e.put(c, depth+1, l)
		if !changed {
			return n, false
		}
		return e.replace(n, pos, c), true
	case *leaf:
		if c.key != l.key {
			e.len++
			return e.replace(n, pos, e.split(c, l, depth+1)), true
		}
		if bytes.Equal(c.data, l.data) {
			return n, false
		}
	}
	return e.replace(n, pos, l), true
}

// split returns the subtree of two leaves that share all nibbles above depth.
func (e *Editor) split(a, b *leaf, depth int) *inner {
	i, j := nibble(&a.key, depth), nibble(&b.key, depth)
	n := &inner{owner: e.owner, used: 1<<i | 1<<j}
	switch {
	case i == j:
		n.kids = []node{e.split(a, b, depth+1)}
	case i < j:
		n.kids = []node{a, b}
	default:
		n.kids = []node{b, a}
	}
	return n
}

// delete returns what stands in n's place without key, and whether key was
// there. Below the root, a node that is left with nothing but one leaf gives
// way to that leaf.
func (e *Editor) delete(n *inner, depth int, key *[32]byte) (node, bool) {
	i := nibble(key, depth)
	pos, ok := n.slot(i)
	if !ok {
		return nil, false
	}
	switch c := n.kids[pos].(type) {
	case *inner:
		left, found := e.delete(c, depth+1, key)
		if !found {
			return nil, false
		}
		if l, ok := left.(*leaf); ok && depth > 0 && len(n.kids) == 1 {
			return l, true
		}
		return e.replace(n, pos, left), true
	case *leaf:
		if c.key != *key {
			return nil, false
		}
	}
	if depth > 0 && len(n.kids) == 2 {
		if l, ok := n.kids[1-pos].(*leaf); ok {
			return l, true
		}
	}
	return e.remove(n, pos, i), true
}

// replace, insert and remove change n in place if the editor owns it, else in a
// copy. A node has no hash while an editor owns it, for only the nodes of a Map
// are hashed; and the hash of any other must not be read here, for a reader may
// be writing it.

func (e *Editor) replace(n *inner, pos int, c node) *inner {
	if n.owner != e.owner {
		n = &inner{owner: e.owner, used: n.used, kids: slices.Clone(n.kids)}
	}
	n.kids[pos] = c
	return n
}

func (e *Editor) insert(n *inner, pos, i int, c node) *inner {
	kids := make([]node, len(n.kids)+1)
	copy(kids, n.kids[:pos])
	kids[pos] = c
	copy(kids[pos+1:], n.kids[pos:])
	return e.with(n, kids, n.used|1<<i)
}

func (e *Editor) remove(n *inner, pos, i int) *inner {
	kids := make([]node, len(n.kids)-1)
	copy(kids, n.kids[:pos])
	copy(kids[pos:], n.kids[pos+1:])
	return e.with(n, kids, n.used&^(1<<i))
}

func (e *Editor) with(n *inner, kids []node, used uint16) *inner {
	if n.owner != e.owner {
		return &inner{owner: e.owner, kids: kids, used: used}
	}
	n.kids, n.used = kids, used
	return n
}
