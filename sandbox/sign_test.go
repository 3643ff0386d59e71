package sandbox

import (
	"crypto/sha512"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// What a secret is taken for (Seed.cpp, parseGenericSeed): no other token is a passphrase.
func TestGenericSeed(t *testing.T) {
	zero := make(codec.Seed, 16)
	pub, _ := codec.DeriveKeypair(zero, codec.Secp256k1)
	passphrase := func(s string) codec.Seed { h := sha512.Sum512([]byte(s)); return h[:16] }
	for _, c := range []struct {
		what, secret string
		want         codec.Seed // nil for none
	}{
		{"nothing", "", nil},
		{"zero", "0", zero},
		{"hex", "00000000000000000000000000000000", zero},
		{"hex that is too short", "000000000000000000000000000000", passphrase("000000000000000000000000000000")},
		{"base58", codec.EncodeSeed(zero, codec.Secp256k1), zero},
		{"an account", GenesisAddress, nil},
		{"a node's public key", codec.EncodeNodePublic(pub), nil},
		{"an account's public key", codec.EncodeAccountPublic(pub), nil},
		{"no public key", codec.EncodeAccountPublic(make([]byte, 33)), passphrase(codec.EncodeAccountPublic(make([]byte, 33)))},
		{"words", "masterpassphrase", passphrase("masterpassphrase")},
	} {
		seed, ok := genericSeed(c.secret)
		if ok != (c.want != nil) || string(seed) != string(c.want) {
			t.Errorf("%s: %x %v, want %x", c.what, []byte(seed), ok, []byte(c.want))
		}
	}
	for text, ok := range map[string]bool{"0": true, "00": false, "00000000000000000000000000000000": true, "": false} {
		if _, got := hexSeed(text); got != ok {
			t.Errorf("hex %q: %v", text, got)
		}
	}
}

// A family of keys that there is not is refused alike in all versions: signing reads its keys as version 1 does
// (TransactionSign.cpp calls keypairForSignature without a version).
func TestSignKeyType(t *testing.T) {
	w := newTown(t)
	for _, version := range []string{"", `,"api_version":1`, `,"api_version":2`} {
		w.refused(t, "sign", `{"seed":"x","key_type":"rsa","tx_json":{}`+version+`}`, "invalidParams", "Invalid field 'key_type'.")
		w.refused(t, "sign", `{"seed":"x","key_type":5,"tx_json":{}`+version+`}`, "invalidParams", "Invalid field 'key_type', not string.")
	}
}
