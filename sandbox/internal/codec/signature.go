package codec

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// maxSigners is how many may sign together (with the ExpandedSignerList amendment).
const maxSigners = 32

const (
	errSignature         Refusal = "Invalid signature."
	errBothSigned        Refusal = "Cannot both single- and multi-sign."
	errEmptyKey          Refusal = "Empty SigningPubKey."
	errSignersSize       Refusal = "Invalid Signers array size."
	errMultisigner       Refusal = "Invalid multisigner."
	errDuplicateSigners  Refusal = "Duplicate Signers not allowed."
	errUnsortedSigners   Refusal = "Unsorted Signers array."
	errSignatureCheck    Refusal = "Internal signature check failure."
	errSecp256k1Unparsed Refusal = "signature is not canonical"
)

// CheckSignature verifies the transaction's signature, or its signers' (STTx::checkSign); the error's text is
// rippled's reason. Whether a key may sign for the account is for the ledger to say.
func (t *Tx) CheckSignature() error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if len(t.SigningPubKey()) == 0 {
		return t.checkMultiSign(buf)
	}
	if t.Has(SfSigners) {
		return errBothSigned
	}
	msg := t.AppendSigning(append((*buf)[:0], PrefixTxSign[:]...))
	*buf = msg[:0]
	if !Verify(t.SigningPubKey(), msg, t.Object.Blob(SfTxnSignature)) {
		return errSignature
	}
	return nil
}

func (t *Tx) checkMultiSign(buf *[]byte) error {
	if !t.Has(SfSigners) {
		return errEmptyKey
	}
	if t.Has(SfTxnSignature) {
		return errBothSigned
	}
	signers := t.Array(SfSigners)
	if len(signers) < 1 || len(signers) > maxSigners {
		return errSignersSize
	}
	msg := t.AppendSigning(append((*buf)[:0], PrefixMultiSign[:]...))
	*buf = msg[:0]
	body := len(msg)
	self := t.AccountID() // or the delegate, who pays the fee
	if t.Has(SfDelegate) {
		self = t.Account(SfDelegate)
	}
	var last AccountID
	for _, s := range signers {
		// Only what is named Signer is sure to have an account.
		if !s.Object.Has(SfAccount) {
			return errSignatureCheck
		}
		id := s.Object.Account(SfAccount)
		if id == self {
			return errMultisigner
		}
		switch c := bytes.Compare(last[:], id[:]); {
		case c == 0:
			return errDuplicateSigners
		case c > 0:
			return errUnsortedSigners
		}
		last = id
		msg = append(msg[:body], id[:]...)
		if !Verify(s.Object.Blob(SfSigningPubKey), msg, s.Object.Blob(SfTxnSignature)) {
			return Refusal("Invalid signature on account " + id.String() + ".")
		}
	}
	return nil
}

// SigningData is what a single signature of the transaction signs.
func SigningData(o *Object) []byte {
	return o.AppendSigning(append(make([]byte, 0, 512), PrefixTxSign[:]...))
}

// MultiSigningData is what the signature of one of several signers signs.
func MultiSigningData(o *Object, signer AccountID) []byte {
	return append(o.AppendSigning(append(make([]byte, 0, 512), PrefixMultiSign[:]...)), signer[:]...)
}

// PublicKeyType says of what kind a public key is, by its 33 bytes' first; false when it is of none.
func PublicKeyType(pub []byte) (KeyType, bool) {
	if len(pub) == 33 {
		switch pub[0] {
		case 0xED:
			return Ed25519, true
		case 2, 3:
			return Secp256k1, true
		}
	}
	return 0, false
}

// Verify says whether sig is pub's signature of msg, in the one form that is allowed: for secp256k1 strict DER with
// the lower of both S (of SHA-512Half of msg), for Ed25519 an S below the group's order.
func Verify(pub, msg, sig []byte) bool {
	kind, ok := PublicKeyType(pub)
	if !ok {
		return false
	}
	if kind == Ed25519 {
		// The library refuses an S that is not below the order, and a wrong length.
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(pub[1:], msg, sig)
	}
	s, err := parseCanonical(sig)
	if err != nil {
		return false
	}
	key, err := secp256k1.ParsePubKey(pub)
	if err != nil {
		return false
	}
	sum := sha512.Sum512(msg)
	return s.Verify(sum[:32], key)
}

// parseCanonical reads a DER signature, strictly: no padding, nothing after it, R and S in range and not zero, and S
// not above half the order.
func parseCanonical(sig []byte) (*ecdsa.Signature, error) {
	if len(sig) < 8 || len(sig) > 72 || sig[0] != 0x30 || int(sig[1]) != len(sig)-2 {
		return nil, errSecp256k1Unparsed
	}
	var r, s secp256k1.ModNScalar
	rest := sig[2:]
	for _, n := range [...]*secp256k1.ModNScalar{&r, &s} {
		if len(rest) < 3 || rest[0] != 2 {
			return nil, errSecp256k1Unparsed
		}
		size := int(rest[1])
		rest = rest[2:]
		if size < 1 || size > 33 || size > len(rest) {
			return nil, errSecp256k1Unparsed
		}
		digits := rest[:size]
		rest = rest[size:]
		if digits[0]&0x80 != 0 || digits[0] == 0 && (size == 1 || digits[1]&0x80 == 0) {
			return nil, errSecp256k1Unparsed
		}
		if digits[0] == 0 {
			digits = digits[1:]
		}
		if len(digits) > 32 || n.SetByteSlice(digits) || n.IsZero() {
			return nil, errSecp256k1Unparsed
		}
	}
	if len(rest) != 0 || s.IsOverHalfOrder() {
		return nil, errSecp256k1Unparsed
	}
	return ecdsa.NewSignature(&r, &s), nil
}
