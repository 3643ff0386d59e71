package shamap

import (
	"bytes"
	"math/bits"
)

// node is *inner or *leaf.
type node interface{ isNode() }

// leaf is one key and its data. It never changes but for hash, so that any
// number of trees and editors can share it.
type leaf struct {
	key  [32]byte
	hash [32]byte // zero: not computed. Only under Map.hashing
	data []byte
}

// inner is a node with up to sixteen branches. It belongs to the editor that
// made it and is frozen when that editor takes a snapshot; from then on only
// hash may be written.
type inner struct {
	hash  [32]byte // zero: not computed. Only under Map.hashing
	owner uint64   // which editor may change it in place; see newOwner
	kids  []node   // those that exist, by branch, without spare capacity
	used  uint16   // bit i: branch i exists
}

func (*leaf) isNode()  {}
func (*inner) isNode() {}

// nibble returns the branch of key at depth, which is below 64: two different
// keys part at one of their nibbles.
func nibble(key *[32]byte, depth int) int {
	b := key[depth>>1]
	if depth&1 == 0 {
		return int(b >> 4)
	}
	return int(b & 0x0F)
}

// slot returns where branch i is in kids, or would be, and whether it exists.
func (n *inner) slot(i int) (pos int, ok bool) {
	bit := uint16(1) << i
	return bits.OnesCount16(n.used & (bit - 1)), n.used&bit != 0
}

func (n *inner) get(key *[32]byte) ([]byte, bool) {
	for depth := 0; ; depth++ {
		pos, ok := n.slot(nibble(key, depth))
		if !ok {
			return nil, false
		}
		switch c := n.kids[pos].(type) {
		case *inner:
			n = c
		case *leaf:
			if c.key != *key {
				return nil, false
			}
			return c.data, true
		}
	}
}

// first returns the leaf with the smallest key below n, nil if there is none.
func (n *inner) first() *leaf {
	for len(n.kids) > 0 {
		switch c := n.kids[0].(type) {
		case *inner:
			n = c
		case *leaf:
			return c
		}
	}
	return nil
}

func (n *inner) next(key *[32]byte) (k [32]byte, data []byte, ok bool) {
	// On the way down along key, above is the last node seen that starts
	// strictly after it.
	var above node
descent:
	for depth := 0; ; depth++ {
		pos, there := n.slot(nibble(key, depth))
		after := pos
		if there {
			after++
		}
		if after < len(n.kids) {
			above = n.kids[after]
		}
		if !there {
			break
		}
		switch c := n.kids[pos].(type) {
		case *inner:
			n = c
		case *leaf:
			if bytes.Compare(c.key[:], key[:]) > 0 {
				above = c
			}
			break descent
		}
	}
	var l *leaf
	switch c := above.(type) {
	case *inner:
		l = c.first()
	case *leaf:
		l = c
	}
	if l == nil {
		return k, nil, false
	}
	return l.key, l.data, true
}

// walk yields all below n, and returns false when yield did.
func (n *inner) walk(yield func([32]byte, []byte) bool) bool {
	for _, c := range n.kids {
		if !walkNode(c, yield) {
			return false
		}
	}
	return true
}

func walkNode(c node, yield func([32]byte, []byte) bool) bool {
	switch c := c.(type) {
	case *inner:
		return c.walk(yield)
	case *leaf:
		return yield(c.key, c.data)
	}
	return true
}

// walkAfter yields all below n that is greater than key, whose nibbles above
// depth are those that lead to n.
func (n *inner) walkAfter(depth int, key *[32]byte, yield func([32]byte, []byte) bool) bool {
	pos, there := n.slot(nibble(key, depth))
	if there {
		switch c := n.kids[pos].(type) {
		case *inner:
			if !c.walkAfter(depth+1, key, yield) {
				return false
			}
		case *leaf:
			if bytes.Compare(c.key[:], key[:]) > 0 && !yield(c.key, c.data) {
				return false
			}
		}
		pos++
	}
	for _, c := range n.kids[pos:] {
		if !walkNode(c, yield) {
			return false
		}
	}
	return true
}
