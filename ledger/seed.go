package ledger

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	addresscodec "github.com/Peersyst/xrpl-go/address-codec"
	"github.com/Peersyst/xrpl-go/address-codec/interfaces"
	"github.com/Peersyst/xrpl-go/keypairs"
	"github.com/Peersyst/xrpl-go/pkg/crypto"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// Seed is the secret that an account's key pair is derived from. However it is printed, logged or encoded, it shows as
// [redacted]; only this package can use it. The zero Seed is none.
type Seed struct {
	// keys is a function so that nothing that walks a value by reflection comes to see the key.
	keys func() keyPair
}

type keyPair struct {
	private, public string // hex, with the family's prefix
	address         model.Address
	other           model.Address // of the other key type's key from the same bytes; empty where there is none
	// ed25519 is the expanded key where that is the family: the library expands it anew for each signature, which takes
	// longer than the signature.
	ed25519 ed25519.PrivateKey
}

// ed25519Prefix begins the keys of that family in hex.
const ed25519Prefix = "ED"

// sign signs a message.
func (k keyPair) sign(message []byte) ([]byte, error) {
	if k.ed25519 != nil {
		return ed25519.Sign(k.ed25519, message), nil
	}
	text, err := keypairs.Sign(string(message), k.private)
	if err != nil {
		return nil, errors.New("the key does not sign")
	}
	signature, err := hex.DecodeString(text)
	if err != nil {
		return nil, errors.New("the signature is no hex")
	}
	return signature, nil
}

const redacted = "[redacted]"

// String implements [fmt.Stringer].
func (Seed) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Seed) GoString() string { return redacted }

// Format implements [fmt.Formatter], for every verb.
func (Seed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// Seed faults. None repeats what was given.
var (
	errSeedEmpty    = errors.New("the seed is empty: it is a text that begins with s, such as the faucet gives with a new account")
	errSeedAddress  = errors.New("this is an address, not a seed: a seed begins with s")
	errSeedPublic   = errors.New("this is a public key, not a seed: a seed begins with s")
	errSeedHex      = errors.New("this is hex: give the seed in its base58 form, which begins with s")
	errSeedWords    = errors.New("these are words: give the seed in its base58 form, which begins with s, as mnemonics differ between wallets")
	errSeedChecksum = errors.New("the seed's checksum is wrong: at least one character is mistyped or missing")
	errSeedForm     = errors.New("this is no seed: it begins with s, then has 28 to 30 letters and digits without 0, O, I and l")
)

// ParseSeed reads a seed in its base58 form: "s…" for secp256k1, "sEd…" for ed25519. Spaces around it are taken off,
// as they come with copying. No error repeats any of s.
func ParseSeed(s string) (Seed, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return Seed{}, errSeedEmpty
	case len(s) > 512:
		return Seed{}, errSeedForm
	case strings.ContainsAny(s, " \t"):
		return Seed{}, errSeedWords
	case !hexutil.Printable(s): // the library's base58 panics on bytes beyond ASCII
		return Seed{}, errSeedForm
	}
	if _, err := model.ParseAddress(s); err == nil {
		return Seed{}, errSeedAddress
	}
	if _, _, err := addresscodec.DecodeSeed(s); err != nil {
		_, hexErr := hex.DecodeString(s)
		switch {
		case hexErr == nil && len(s) >= 32:
			return Seed{}, errSeedHex
		case s[0] == 'r' || s[0] == 'X' || s[0] == 'T':
			return Seed{}, errSeedAddress
		case s[0] == 'a' || s[0] == 'n':
			return Seed{}, errSeedPublic
		case s[0] == 's' && len(s) >= 20 && len(s) <= 40:
			return Seed{}, errSeedChecksum
		}
		return Seed{}, errSeedForm
	}
	private, public, err := keypairs.DeriveKeypair(s, false)
	if err != nil {
		return Seed{}, errSeedForm // the library's text might say more than it should
	}
	address, err := keypairs.DeriveClassicAddress(public)
	if err != nil {
		return Seed{}, errSeedForm
	}
	pair := keyPair{private: private, public: public, address: model.Address(address), other: otherAddress(s)}
	if raw, ok := strings.CutPrefix(strings.ToUpper(private), ed25519Prefix); ok && strings.HasPrefix(public, ed25519Prefix) {
		seed, err := hex.DecodeString(raw)
		if err != nil || len(seed) != ed25519.SeedSize {
			return Seed{}, errSeedForm
		}
		pair.ed25519 = ed25519.NewKeyFromSeed(seed)
	}
	return Seed{keys: func() keyPair { return pair }}, nil
}

// otherAddress returns the address of the other key type's key from a seed's bytes. Some wallets take a seed of the form s…
// for an ed25519 key.
func otherAddress(s string) model.Address {
	entropy, family, err := addresscodec.DecodeSeed(s)
	if err != nil {
		return ""
	}
	var to interfaces.CryptoImplementation = crypto.ED25519()
	if family == to {
		to = crypto.SECP256K1()
	}
	text, err := addresscodec.EncodeSeed(entropy, to)
	if err != nil {
		return ""
	}
	_, public, err := keypairs.DeriveKeypair(text, false)
	if err != nil {
		return ""
	}
	address, err := keypairs.DeriveClassicAddress(public)
	if err != nil {
		return ""
	}
	return model.Address(address)
}

// keyTypes names the key type of the seed, and the other one.
func (s Seed) keyTypes() (own, other string) {
	if strings.HasPrefix(s.PublicKey(), ed25519Prefix) {
		return "ed25519", "secp256k1"
	}
	return "secp256k1", "ed25519"
}

// Zero says whether there is no seed.
func (s Seed) Zero() bool { return s.keys == nil }

// Address returns the address of the account whose master key this is.
func (s Seed) Address() model.Address {
	if s.Zero() {
		return ""
	}
	return s.keys().address
}

// Derive returns a secret for another use than signing, by HKDF-SHA256 (RFC 5869): the same for the same seed and use. It reveals
// neither the seed nor the secret of another use. The zero Seed has none: the result is zero.
func (s Seed) Derive(use string) (secret [32]byte) {
	if s.Zero() {
		return secret
	}
	b, err := hkdf.Key(sha256.New, []byte(s.keys().private), nil, "credential issuer seed 1: "+use, len(secret))
	if err != nil {
		panic(err) // it fails only for lengths beyond what the hash can give
	}
	return [32]byte(b)
}

// PublicKey returns the public key in hex, as transactions carry it.
func (s Seed) PublicKey() string {
	if s.Zero() {
		return ""
	}
	return s.keys().public
}
