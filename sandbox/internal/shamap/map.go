// Package shamap is the Merkle radix tree of an XRPL ledger: the map from
// 32-byte keys to serialized entries whose root hash stands in the ledger
// header.
//
// Its shape and hashes are those of rippled's SHAMap. An inner node has sixteen
// branches, chosen by the key's nibble at the node's depth, most significant
// first. A leaf stands at the shallowest depth where it is alone, so the shape
// depends on the keys alone and never on the order of changes. The root is
// always an inner node, also above a single leaf, and an empty map has the zero
// hash.
//
// A Map never changes. An Editor makes the next one from it: it copies the nodes
// on the path to a change once, and from then on works in place, until Map takes
// a snapshot. Maps made from one another share all nodes that are equal, the
// hashes already computed included: hashing costs in proportion to what changed
// since.
//
// The package knows keys and bytes. It never reads what is in an entry, and
// knows nothing of files, clocks or ledgers.
package shamap

import (
	"iter"
	"sync"
	"sync/atomic"
)

// Kind says what the leaves of a map are, which decides how they are hashed.
type Kind uint8

const (
	// StateMap holds ledger entries. A leaf's hash is of MLN, data, key.
	StateMap Kind = iota
	// TxSetMap holds transactions without metadata. A leaf's hash is of TXN,
	// data: the transaction's id, which is the key as well.
	TxSetMap
	// TxMetaMap holds transactions with their metadata. A leaf's hash is of SND,
	// data, key.
	TxMetaMap
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case StateMap:
		return "state"
	case TxSetMap:
		return "transaction set"
	case TxMetaMap:
		return "transactions with metadata"
	}
	return "unknown kind of map"
}

// Map is an immutable map from keys to data. Any number of goroutines may use
// one at the same time, also while an Editor goes on from it. Slices it returns
// are its own and must not be changed.
type Map struct {
	root *inner
	len  int
	kind Kind

	// hashing is held while hashes are written into nodes, and shared by all
	// maps that can share nodes.
	hashing *sync.Mutex
	// changes is how many edits came since a map that had been hashed when its
	// editor began: an upper bound of the unhashed leaves.
	changes int
	sum     atomic.Pointer[[32]byte]
}

// New returns an empty map.
func New(k Kind) *Map {
	return &Map{root: &inner{}, kind: k, hashing: new(sync.Mutex)}
}

// Get returns the data under key, and whether there is any.
func (m *Map) Get(key [32]byte) ([]byte, bool) { return m.root.get(&key) }

// Has says whether key is in the map.
func (m *Map) Has(key [32]byte) bool { _, ok := m.root.get(&key); return ok }

// Len is the number of keys.
func (m *Map) Len() int { return m.len }

// Next returns the first key strictly greater than key, with its data.
func (m *Map) Next(key [32]byte) (k [32]byte, data []byte, ok bool) { return m.root.next(&key) }

// From yields keys strictly greater than key with their data, ascending.
func (m *Map) From(key [32]byte) iter.Seq2[[32]byte, []byte] {
	return func(yield func([32]byte, []byte) bool) { m.root.walkAfter(0, &key, yield) }
}

// All yields every key with its data, ascending.
func (m *Map) All() iter.Seq2[[32]byte, []byte] {
	return func(yield func([32]byte, []byte) bool) { m.root.walk(yield) }
}

// Edit returns an editor that starts from this map. The map stays as it is.
func (m *Map) Edit() *Editor {
	e := &Editor{same: m, root: m.root, len: m.len, kind: m.kind, hashing: m.hashing, owner: newOwner()}
	if m.sum.Load() == nil {
		e.changes = m.changes
	}
	return e
}
