package codec

import (
	"crypto/sha256"

	//lint:ignore SA1019 account ids are RIPEMD-160, whatever is advised for new designs
	"golang.org/x/crypto/ripemd160"
)

// AccountID identifies an account.
type AccountID [20]byte

// String is the classic address ("r…").
func (a AccountID) String() string { return encodeToken([]byte{tokenAccountID}, a[:]) }

// IsZero says whether all bits are zero (ACCOUNT_ZERO, which is also how XRP's issuer is written).
func (a AccountID) IsZero() bool { return a == AccountID{} }

// ParseAccountID reads a classic address; false when a character, the checksum, the prefix or the length is wrong.
func ParseAccountID(s string) (AccountID, bool) {
	var buf [maxTokenBytes]byte
	body, ok := decodeToken(s, &buf)
	if !ok || len(body) != 21 || body[0] != tokenAccountID {
		return AccountID{}, false
	}
	return AccountID(body[1:]), true
}

// AccountIDFromPublicKey is the account whose master key is the given 33-byte public key.
func AccountIDFromPublicKey(pub []byte) AccountID {
	sum := sha256.Sum256(pub)
	h := ripemd160.New()
	h.Write(sum[:])
	var a AccountID
	h.Sum(a[:0])
	return a
}

// MarshalText is the text of String, so that JSON shows it.
func (a AccountID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
