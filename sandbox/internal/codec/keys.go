package codec

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// KeyType is a family of keys.
type KeyType int

// The families of keys. The zero value is none.
const (
	Secp256k1 KeyType = iota + 1
	Ed25519
)

// String is the family's name as in JSON.
func (k KeyType) String() string {
	switch k {
	case Secp256k1:
		return "secp256k1"
	case Ed25519:
		return "ed25519"
	}
	return "unknown"
}

const redacted = "[redacted]"

// Seed is the 16 bytes a key pair is derived from. It prints as [redacted].
type Seed []byte

// PrivateKey is the 32 bytes that sign. It prints as [redacted].
type PrivateKey []byte

// Format writes [redacted] for every verb.
func (Seed) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// String is [redacted].
func (Seed) String() string { return redacted }

// LogValue is [redacted].
func (Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives [redacted].
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format writes [redacted] for every verb.
func (PrivateKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// String is [redacted].
func (PrivateKey) String() string { return redacted }

// LogValue is [redacted].
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives [redacted].
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ErrSeed is of a text that is no seed. It does not repeat the text.
var ErrSeed = errors.New("not a seed: a base58 seed begins with s (secp256k1) or sEd (Ed25519) and carries a checksum")

// SeedFromString reads a seed and the family its prefix names: "s…" is secp256k1, "sEd…" Ed25519.
func SeedFromString(s string) (Seed, KeyType, error) {
	var buf [maxTokenBytes]byte
	body, ok := decodeToken(s, &buf)
	switch {
	case ok && len(body) == 17 && body[0] == tokenFamilySeed:
		return append(Seed{}, body[1:]...), Secp256k1, nil
	case ok && len(body) == 19 && [3]byte(body) == seedEd25519:
		return append(Seed{}, body[3:]...), Ed25519, nil
	}
	return nil, 0, ErrSeed
}

// EncodeSeed writes a seed with the prefix of the family. This is the secret itself.
func EncodeSeed(seed Seed, kt KeyType) string {
	if kt == Ed25519 {
		return encodeToken(seedEd25519[:], seed)
	}
	return encodeToken([]byte{tokenFamilySeed}, seed)
}

// DeriveKeypair gives the first key pair of a 16-byte seed: a 33-byte public key (0xED before an Ed25519 one) and
// the private key.
func DeriveKeypair(seed Seed, kt KeyType) (pub []byte, priv PrivateKey) {
	if kt == Ed25519 {
		h := Sha512Half(seed)
		key := ed25519.NewKeyFromSeed(h[:])
		return append([]byte{0xED}, key[ed25519.SeedSize:]...), h[:]
	}
	// The account's key is the family's root key, moved by a hash of the root's public key and the account's
	// number, which is 0 here.
	root := scalarFromSeed(seed)
	rootPub := secp256k1.NewPrivateKey(root).PubKey().SerializeCompressed()
	child := scalarFromSeed(append(rootPub, 0, 0, 0, 0))
	root.Add(child)
	key := secp256k1.NewPrivateKey(root)
	return key.PubKey().SerializeCompressed(), key.Serialize()
}

// scalarFromSeed is the first hash of the seed and a counter that is a number from 1 below the group's order.
func scalarFromSeed(seed []byte) *secp256k1.ModNScalar {
	for i := uint32(0); ; i++ {
		h := Sha512Half(seed, binary.BigEndian.AppendUint32(nil, i))
		var k secp256k1.ModNScalar
		if !k.SetByteSlice(h[:]) && !k.IsZero() {
			return &k
		}
	}
}

// Sign signs msg (SigningData) with the private key of pub: DER for secp256k1, 64 bytes for Ed25519. It gives nil
// for a key that is none.
func Sign(priv PrivateKey, pub, msg []byte) []byte {
	kind, ok := PublicKeyType(pub)
	if !ok || len(priv) != 32 {
		return nil
	}
	if kind == Ed25519 {
		return ed25519.Sign(ed25519.NewKeyFromSeed(priv), msg)
	}
	h := Sha512Half(msg)
	return ecdsa.Sign(secp256k1.PrivKeyFromBytes(priv), h[:]).Serialize()
}

// EncodeNodePublic writes a node's 33-byte public key ("n9…").
func EncodeNodePublic(pub []byte) string { return encodeToken([]byte{tokenNodePublic}, pub) }

// EncodeAccountPublic writes an account's 33-byte public key ("aB…").
func EncodeAccountPublic(pub []byte) string { return encodeToken([]byte{tokenAccountPublic}, pub) }

// IsKeyToken tells whether a text is a public or a private key of a node or an account in base58.
func IsKeyToken(s string) bool {
	var buf [maxTokenBytes]byte
	body, ok := decodeToken(s, &buf)
	if !ok {
		return false
	}
	switch key := body[1:]; body[0] {
	case tokenNodePublic, tokenAccountPublic:
		_, ok = PublicKeyType(key)
		return ok
	case tokenNodePrivate, tokenAccountSecret:
		return len(key) == 32
	}
	return false
}
