package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"

	"github.com/xrplissuer/credential-issuer/ledger"
)

// wallet is an account whose keys this program knows, and can misuse.
type wallet struct {
	address, text, public string
	seed                  ledger.Seed
	ed25519               ed25519.PrivateKey // nil where the key is on secp256k1
}

// Kinds of seeds, by what stands before their 16 bytes (rippled: tokens.h; the longer prefix is the field's convention
// for Ed25519).
var (
	secp256k1Seed = []byte{0x21}
	ed25519Seed   = []byte{0x01, 0xE1, 0x4B}
)

func newWallet(kind []byte) (wallet, error) {
	entropy := make([]byte, 16)
	_, _ = rand.Read(entropy)
	text := base58(append(append([]byte(nil), kind...), entropy...))
	seed, err := ledger.ParseSeed(text)
	if err != nil {
		return wallet{}, err
	}
	w := wallet{address: string(seed.Address()), text: text, public: seed.PublicKey(), seed: seed}
	if len(kind) > 1 {
		sum := sha512.Sum512(entropy)
		w.ed25519 = ed25519.NewKeyFromSeed(sum[:32])
	}
	return w, nil
}

// sign signs as the XRP Ledger's keys sign messages.
func (w wallet) sign(message string) string {
	s, err := w.seed.SignMessage([]byte(message))
	if err != nil {
		panic(err) // a challenge can always be signed
	}
	return s
}

const alphabet58 = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"

// base58 writes bytes and their checksum as the ledger does.
func base58(payload []byte) string {
	first := sha256.Sum256(payload)
	second := sha256.Sum256(first[:])
	n := new(big.Int).SetBytes(append(payload, second[:4]...))
	var out []byte
	for mod, base := new(big.Int), big.NewInt(58); n.Sign() > 0; {
		n.DivMod(n, base, mod)
		out = append([]byte{alphabet58[mod.Int64()]}, out...)
	}
	return string(out)
}
