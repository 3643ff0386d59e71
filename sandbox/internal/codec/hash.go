package codec

import (
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"sync"
)

// Hash256 is a 256-bit hash or key.
type Hash256 [32]byte

const upperHex = "0123456789ABCDEF"

func hexString(b []byte) string {
	out := make([]byte, 2*len(b))
	for i, c := range b {
		out[2*i], out[2*i+1] = upperHex[c>>4], upperHex[c&15]
	}
	return string(out)
}

// String is 64 upper-case hex digits.
func (h Hash256) String() string { return hexString(h[:]) }

// IsZero says whether all bits are zero.
func (h Hash256) IsZero() bool { return h == Hash256{} }

// ParseHash256 reads exactly 64 hex digits of any case, or "0", which is zero (base_uint.h, parseHex).
func ParseHash256(s string) (h Hash256, ok bool) {
	if s == "0" {
		return Hash256{}, true
	}
	if len(s) != 64 {
		return Hash256{}, false
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash256{}, false
	}
	return h, true
}

// Prefixes that keep hashes of different kinds of things apart (HashPrefix.h).
var (
	PrefixTxID      = [4]byte{'T', 'X', 'N', 0} // a transaction's id
	PrefixTxSign    = [4]byte{'S', 'T', 'X', 0} // what a single signature signs
	PrefixMultiSign = [4]byte{'S', 'M', 'T', 0} // what each of several signatures signs
	PrefixTxNode    = [4]byte{'S', 'N', 'D', 0} // a transaction with its metadata
	PrefixLeaf      = [4]byte{'M', 'L', 'N', 0} // a ledger entry
	PrefixInner     = [4]byte{'M', 'I', 'N', 0} // an inner node of a tree
	PrefixLedger    = [4]byte{'L', 'W', 'R', 0} // a ledger header
)

// buffers are for bytes that are hashed and then not needed.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

var sha512Pool = sync.Pool{New: func() any { return sha512.New() }}

// Sha512Half is the first 256 bits of SHA-512 over the parts, one after the other.
func Sha512Half(parts ...[]byte) Hash256 {
	if len(parts) == 1 {
		sum := sha512.Sum512(parts[0])
		return Hash256(sum[:32])
	}
	d := sha512Pool.Get().(hash.Hash)
	d.Reset()
	for _, p := range parts {
		d.Write(p)
	}
	var sum [64]byte
	d.Sum(sum[:0])
	sha512Pool.Put(d)
	return Hash256(sum[:32])
}

// MarshalText is the text of String, so that JSON shows it.
func (h Hash256) MarshalText() ([]byte, error) { return []byte(h.String()), nil }
