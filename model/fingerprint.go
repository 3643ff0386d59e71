package model

import (
	"crypto/sha256"
	"encoding/binary"
)

// Fingerprint identifies a set of credentials, whatever their order: two sets with equal fingerprints are equal. The zero value
// is the empty set. Fingerprints are comparable with ==.
type Fingerprint struct {
	// Credentials is the size of the set.
	Credentials int64

	high, low uint64 // sums of 64 bits of each credential's SHA-256
}

// Add adds a credential to the set: its subject, its type, and everything its issuer or its subject can change.
func (f *Fingerprint) Add(c Credential) {
	b := make([]byte, 0, 256)
	for _, field := range []string{string(c.Subject), string(c.Type), c.URI} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	b = binary.BigEndian.AppendUint32(b, c.Expiration)
	if c.Accepted {
		b = append(b, 1)
	}
	sum := sha256.Sum256(b)
	f.Credentials++
	f.high += binary.BigEndian.Uint64(sum[:8])
	f.low += binary.BigEndian.Uint64(sum[8:16])
}
