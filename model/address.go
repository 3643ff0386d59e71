package model

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/big"
	"strings"
)

// Address is an account's classic address ("r…"), its checksum right. The empty Address is no account.
type Address string

// AccountIDLen is the number of bytes of an account's identifier, which an address spells.
const AccountIDLen = 20

const (
	base58Alphabet = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
	checksumLen    = 4
	classicLen     = 1 + AccountIDLen + checksumLen         // type prefix, account, checksum
	xAddressLen    = 2 + AccountIDLen + 1 + 8 + checksumLen // prefix, account, flag, tag, checksum
	// maxAddressText is more than the longest spelling of either form, and small enough that decoding costs nothing.
	maxAddressText = 64
)

// Address faults. Their text follows the name of the field that is wrong.
var (
	errAddressEmpty    = errors.New("must be an XRP Ledger address, such as rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ; it is empty")
	errAddressForm     = errors.New("must be an XRP Ledger classic address, which begins with r, or an X-address without a tag")
	errAddressChecksum = errors.New("is not an address: its checksum is wrong, so at least one character is mistyped")
	errAddressTag      = errors.New("must not carry a destination tag: use the classic address, or the X-address without a tag")
	errAddressSeed     = errors.New("must be an address, and this is a secret: treat it as public from now on, and replace it")
)

// ParseAddress returns the classic address that s spells: s itself, or the one inside an X-address that has no
// destination tag (XLS-5, of the main network or of a test network). The error reads on from the name of a field.
// It never repeats s, which might be a secret that was put in the wrong place.
func ParseAddress(s string) (Address, error) {
	if s == "" {
		return "", errAddressEmpty
	}
	if len(s) > maxAddressText {
		return "", errAddressForm
	}
	payload, err := decodeBase58Check(s)
	if err != nil {
		if s[0] == 'r' || s[0] == 'X' || s[0] == 'T' {
			return "", err
		}
		return "", errAddressForm
	}
	switch {
	case len(payload) == classicLen-checksumLen && payload[0] == 0:
		return Address(s), nil
	case len(payload) == xAddressLen-checksumLen &&
		(bytes.HasPrefix(payload, []byte{0x05, 0x44}) || bytes.HasPrefix(payload, []byte{0x04, 0x93})):
		account, flag, tag := payload[2:22], payload[22], payload[23:]
		if flag != 0 {
			return "", errAddressTag
		}
		if !bytes.Equal(tag, make([]byte, 8)) {
			return "", errAddressForm
		}
		return AddressOf([AccountIDLen]byte(account)), nil
	case payload[0] == 0x21 && len(payload) == 17, bytes.HasPrefix(payload, []byte{0x01, 0xE1, 0x4B}) && len(payload) == 19:
		return "", errAddressSeed
	}
	return "", errAddressForm
}

// AddressOf spells an account's identifier as a classic address.
func AddressOf(id [AccountIDLen]byte) Address {
	return Address(encodeBase58Check(append([]byte{0}, id[:]...)))
}

// ID returns the account's identifier. The address must have come from [ParseAddress] or [AddressOf].
func (a Address) ID() [AccountIDLen]byte {
	payload, err := decodeBase58Check(string(a))
	if err != nil || len(payload) != 1+AccountIDLen {
		return [AccountIDLen]byte{}
	}
	return [AccountIDLen]byte(payload[1:])
}

// Zero says whether this is ACCOUNT_ZERO, which nobody holds the key of and which transactions may not name.
func (a Address) Zero() bool { return a.ID() == [AccountIDLen]byte{} }

func (a Address) String() string { return string(a) }

func decodeBase58Check(s string) ([]byte, error) {
	n, radix := new(big.Int), big.NewInt(58)
	for i := range len(s) {
		digit := strings.IndexByte(base58Alphabet, s[i])
		if digit < 0 {
			return nil, errAddressForm
		}
		n.Add(n.Mul(n, radix), big.NewInt(int64(digit)))
	}
	zeros := len(s) - len(strings.TrimLeft(s, base58Alphabet[:1]))
	b := append(make([]byte, zeros), n.Bytes()...)
	if len(b) <= checksumLen {
		return nil, errAddressForm
	}
	payload, sum := b[:len(b)-checksumLen], b[len(b)-checksumLen:]
	if want := checksum(payload); !bytes.Equal(sum, want[:]) {
		return nil, errAddressChecksum
	}
	return payload, nil
}

func encodeBase58Check(payload []byte) string {
	sum := checksum(payload)
	b := append(bytes.Clone(payload), sum[:]...)
	n, radix, digit := new(big.Int).SetBytes(b), big.NewInt(58), new(big.Int)
	var out []byte
	for n.Sign() > 0 {
		n.DivMod(n, radix, digit)
		out = append(out, base58Alphabet[digit.Int64()])
	}
	for i := 0; i < len(b) && b[i] == 0; i++ {
		out = append(out, base58Alphabet[0])
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

func checksum(payload []byte) [checksumLen]byte {
	first := sha256.Sum256(payload)
	second := sha256.Sum256(first[:])
	return [checksumLen]byte(second[:])
}
