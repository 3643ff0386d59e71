// Package vault keeps applicants' documents from everybody who reads the database: it seals them with a key that is not in
// there, and opens them for whoever the issuer lets.
//
// It may use model and cryptography. It reads no file and no setting, stores nothing, and decides nothing about who may see
// what. Keys are handed in and never come out again, but for what [Vault.HashKeys] derives from them: a [Vault] and a [Key] print as "[redacted]".
//
// A sealed text is a version, the first bytes of the key's name, a nonce, and the documents encrypted with
// XChaCha20-Poly1305. The request's id is authenticated along with them, so that the documents of one request cannot be put
// into another one's place. The first key seals; the others only open, so that a key can be replaced: put the new one in
// front, and take the old one out once the documents that it sealed are erased.
package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/xrplissuer/credential-issuer/model"
)

// KeyLen is how many bytes a key has.
const KeyLen = chacha20poly1305.KeySize

const (
	version  = 1
	nameLen  = 8
	overhead = 1 + nameLen + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	redacted = "[redacted]"
)

// Key is a secret that documents are sealed with.
type Key struct{ bytes [KeyLen]byte }

// NewKey makes a key.
func NewKey() Key {
	var k Key
	_, _ = rand.Read(k.bytes[:]) // never fails: the program ends where there is no randomness
	return k
}

var errKeyForm = fmt.Errorf("must be %d random bytes in base64, as `openssl rand -base64 %d` prints them", KeyLen, KeyLen)

// ParseKey reads a key in base64. The error reads on from the name of a setting, and repeats nothing of the key.
func ParseKey(s string) (Key, error) {
	var k Key
	for _, form := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		b, err := form.Strict().DecodeString(s)
		if err == nil && len(b) == KeyLen && !bytes.Equal(b, k.bytes[:]) {
			copy(k.bytes[:], b)
			return k, nil
		}
	}
	return Key{}, errKeyForm
}

// Reveal returns the key in base64, for the file that it is kept in.
func (k Key) Reveal() string { return base64.StdEncoding.EncodeToString(k.bytes[:]) }

// Format redacts, whatever the verb.
func (Key) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue redacts.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Derive returns a secret for a use outside this package, by HKDF-SHA256 (RFC 5869). It reveals neither the key nor the secret of
// another use.
func (k Key) Derive(use string) [KeyLen]byte {
	b, err := hkdf.Key(sha256.New, k.bytes[:], nil, "credential issuer key 1: "+use, KeyLen)
	if err != nil {
		panic(err) // it fails only for lengths beyond what the hash can give
	}
	return [KeyLen]byte(b)
}

// Vault seals and opens. It is safe for simultaneous use.
type Vault struct{ rings []ring }

// ring is what is derived from a key, a key of its own for each use.
type ring struct {
	name    [nameLen]byte
	sealing []byte
	secrets []byte
	hashing []byte
}

// New returns a vault that seals with the first key, and opens with all.
func New(keys ...Key) (*Vault, error) {
	if len(keys) == 0 {
		return nil, errors.New("a vault needs a key")
	}
	v := &Vault{}
	for _, k := range keys {
		derive := func(use string) []byte {
			// It fails only for lengths beyond what the hash can give.
			b, err := hkdf.Key(sha256.New, k.bytes[:], nil, "credential issuer vault 1: "+use, sha256.Size)
			if err != nil {
				panic(err)
			}
			return b
		}
		r := ring{sealing: derive("documents"), secrets: derive("secrets of requests"), hashing: derive("stored hashes")}
		copy(r.name[:], derive("name"))
		v.rings = append(v.rings, r)
	}
	return v, nil
}

// Format redacts, whatever the verb.
func (*Vault) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// Seal encrypts the documents of a request.
func (v *Vault) Seal(id model.OperationID, documents []byte) (model.SealedDocuments, error) {
	r := v.rings[0]
	aead, err := chacha20poly1305.NewX(r.sealing)
	if err != nil {
		return nil, fmt.Errorf("sealing documents: %w", err)
	}
	out := make([]byte, 1+nameLen+chacha20poly1305.NonceSizeX, len(documents)+overhead)
	out[0] = version
	copy(out[1:], r.name[:])
	nonce := out[1+nameLen:]
	_, _ = rand.Read(nonce)
	return aead.Seal(out, nonce, documents, []byte(id)), nil
}

// ErrKey says that documents were sealed with a key that the vault does not have.
var ErrKey = errors.New("the documents were sealed with another key")

// Open decrypts the documents of a request. The error is [ErrKey] where the key is missing, and another one where the text
// is not what was sealed for this request.
func (v *Vault) Open(id model.OperationID, sealed model.SealedDocuments) ([]byte, error) {
	if len(sealed) < overhead || sealed[0] != version {
		return nil, errors.New("opening documents: they are no sealed text of a form that is known")
	}
	for _, r := range v.rings {
		if !bytes.Equal(r.name[:], sealed[1:1+nameLen]) {
			continue
		}
		aead, err := chacha20poly1305.NewX(r.sealing)
		if err != nil {
			return nil, fmt.Errorf("opening documents: %w", err)
		}
		rest := sealed[1+nameLen:]
		text, err := aead.Open(nil, rest[:chacha20poly1305.NonceSizeX], rest[chacha20poly1305.NonceSizeX:], []byte(id))
		if err != nil {
			return nil, errors.New("opening documents: they were changed, or belong to another request")
		}
		return text, nil
	}
	return nil, ErrKey
}

// HashKeys returns what hashes are to be made with that are stored beside documents and outlive them, by each key in their order: of a
// guess of the documents nobody can tell without the key whether it is right.
func (v *Vault) HashKeys() [][KeyLen]byte {
	all := make([][KeyLen]byte, len(v.rings))
	for n, r := range v.rings {
		all[n] = [KeyLen]byte(r.hashing)
	}
	return all
}

var secretForm = base32.StdEncoding.WithPadding(base32.NoPadding)

// Secrets returns what an applicant follows a request with, by each key in their order: the same each time, and known to nobody
// without the key. New requests get the first. 32 characters, 160 bits.
func (v *Vault) Secrets(id model.OperationID) []string {
	all := make([]string, len(v.rings))
	for n, r := range v.rings {
		all[n] = r.secret(id)
	}
	return all
}

func (r ring) secret(id model.OperationID) string {
	mac := hmac.New(sha256.New, r.secrets)
	_, _ = io.WriteString(mac, string(id))
	return secretForm.EncodeToString(mac.Sum(nil)[:20])
}
