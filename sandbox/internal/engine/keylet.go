package engine

import (
	"crypto/sha512"
	"encoding/binary"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// The keys of ledger entries: SHA-512Half of a two-byte name space and what
// tells the entry from others of its kind (rippled's Indexes.cpp).

func keyOf(space byte, parts ...[]byte) codec.Hash256 {
	var buf [2 + 20 + 20 + maxCredentialTypeLength]byte
	b := append(buf[:0], 0, space)
	for _, p := range parts {
		b = append(b, p...)
	}
	sum := sha512.Sum512(b)
	return codec.Hash256(sum[:32])
}

// Key is the key of an entry of a kind that this package does not hold: SHA-512Half
// of its name space and what tells it from others.
func Key(space byte, parts ...[]byte) codec.Hash256 { return keyOf(space, parts...) }

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// AccountKey is the key of an account's AccountRoot.
func AccountKey(a codec.AccountID) codec.Hash256 { return keyOf('a', a[:]) }

// OwnerDirKey is the key of the first page of an account's owner directory.
func OwnerDirKey(a codec.AccountID) codec.Hash256 { return keyOf('O', a[:]) }

// PageKey is the key of page n of the directory whose first page is root.
func PageKey(root codec.Hash256, n uint64) codec.Hash256 {
	if n == 0 {
		return root
	}
	return keyOf('d', root[:], be64(n))
}

// CredentialKey is the key of a Credential (XLS-70, section 2.1).
func CredentialKey(subject, issuer codec.AccountID, credentialType []byte) codec.Hash256 {
	return keyOf('D', subject[:], issuer[:], credentialType)
}

// TicketKey is the key of an account's Ticket with that sequence.
func TicketKey(a codec.AccountID, sequence uint32) codec.Hash256 {
	return keyOf('T', a[:], be32(sequence))
}

// SignerListKey is the key of an account's SignerList.
func SignerListKey(a codec.AccountID) codec.Hash256 { return keyOf('S', a[:], be32(0)) }

// DepositPreauthKey is the key of owner's preauthorization of an account.
func DepositPreauthKey(owner, authorized codec.AccountID) codec.Hash256 {
	return keyOf('p', owner[:], authorized[:])
}

// DepositPreauthCredentialsKey is the key of owner's preauthorization of those
// who hold all of a set of credentials, which are given sorted
// (SortCredentialKinds). rippled hashes the list as it hashes any vector: the
// elements, then how many there are, in eight bytes.
func DepositPreauthCredentialsKey(owner codec.AccountID, sorted []CredentialKind) codec.Hash256 {
	list := make([]byte, 0, (maxPermissionedDomainCredentials+1)*32)
	for _, k := range sorted {
		h := codec.Sha512Half(k.Issuer[:], k.Type)
		list = append(list, h[:]...)
	}
	return keyOf('P', owner[:], list, be64(uint64(len(sorted))))
}

// DIDKey is the key of an account's DID.
func DIDKey(a codec.AccountID) codec.Hash256 { return keyOf('I', a[:]) }

// PermissionedDomainKey is the key of the PermissionedDomain that an account's
// transaction with that sequence made.
func PermissionedDomainKey(a codec.AccountID, sequence uint32) codec.Hash256 {
	return keyOf('m', a[:], be32(sequence))
}

// FeeKey, AmendmentsKey, NegativeUNLKey and SkipKey are the keys of the entries
// of which a ledger holds one each.
func FeeKey() codec.Hash256         { return keyOf('e') }
func AmendmentsKey() codec.Hash256  { return keyOf('f') }
func NegativeUNLKey() codec.Hash256 { return keyOf('N') }
func SkipKey() codec.Hash256        { return keyOf('s') }

// SkipKeyFor is the key of the LedgerHashes entry that keeps every 256th hash
// of the 65,536 ledgers around seq.
func SkipKeyFor(seq uint32) codec.Hash256 { return keyOf('s', be32(seq>>16)) }
