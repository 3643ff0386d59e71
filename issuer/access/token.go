package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// A token's text is
//
//	xci_<id>_<secret>
//
// in the alphabet a to z and 2 to 7, always of the same length: the id is 10 random bytes, the secret 26 random bytes
// (208 bits) and the CRC-32 of all that stands before it. The checksum keeps nobody out: it tells a typing error from an
// attack, and lets scanners that look for secrets in public places be sure of what they found. Their pattern is
// xci_[a-z2-7]{16}_[a-z2-7]{48}.
const (
	tokenPrefix = "xci_"

	idBytes     = 10
	secretBytes = 26
	sumBytes    = 4

	idLength     = idBytes * 8 / 5
	secretLength = (secretBytes + sumBytes) * 8 / 5
	tokenLength  = len(tokenPrefix) + idLength + 1 + secretLength

	alphabet = "abcdefghijklmnopqrstuvwxyz234567"
)

// MaxTokenName is how many characters the name of a token may have.
const MaxTokenName = 64

var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// TokenText is the whole text of a token, secret included. However it is printed, logged or encoded, it shows as
// [redacted]; only [TokenText.Reveal] gives it away.
type TokenText struct {
	// parts is a function so that nothing that walks a value by reflection comes to see the secret.
	parts func() (id, secret string)
}

const redacted = "[redacted]"

// String implements [fmt.Stringer].
func (TokenText) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (TokenText) GoString() string { return redacted }

// Format implements [fmt.Formatter], for every verb.
func (TokenText) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (TokenText) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (TokenText) LogValue() slog.Value { return slog.StringValue(redacted) }

func newTokenText(id, secret string) TokenText {
	return TokenText{parts: func() (string, string) { return id, secret }}
}

// ID returns the public part, by which a token is found.
func (t TokenText) ID() string {
	if t.parts == nil {
		return ""
	}
	id, _ := t.parts()
	return id
}

// Hash returns SHA-256 over the secret part as it is written: all that is stored of it. The secret is random, so that a
// slow hash would protect nothing more.
func (t TokenText) Hash() [32]byte {
	if t.parts == nil {
		return [32]byte{}
	}
	_, secret := t.parts()
	return sha256.Sum256([]byte(secret))
}

// Reveal returns the text itself, to be shown once to whoever asked for the token.
func (t TokenText) Reveal() string {
	if t.parts == nil {
		return ""
	}
	id, secret := t.parts()
	return tokenPrefix + id + "_" + secret
}

// matches compares the secret with a stored hash, in a time that tells nothing about either.
func (t TokenText) matches(hash [32]byte) bool {
	own := t.Hash()
	return subtle.ConstantTimeCompare(own[:], hash[:]) == 1
}

// Mint makes a token: its text, which exists nowhere else, and what is to be stored of it. Expires is zero for never.
// Error codes: badRequest, for the name, the role or the time.
func Mint(name string, role model.Role, created, expires time.Time) (TokenText, model.Token, error) {
	if err := CheckName(name); err != nil {
		return TokenText{}, model.Token{}, err
	}
	if _, err := model.ParseRole(string(role)); err != nil {
		return TokenText{}, model.Token{}, model.BadRequest("role", err.Error())
	}
	if !expires.IsZero() && !expires.After(created) {
		return TokenText{}, model.Token{}, model.BadRequest("expires", "must be in the future")
	}
	var random [idBytes + secretBytes]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the program rather than return anything else than randomness
	id := encoding.EncodeToString(random[:idBytes])
	sum := checksum(id, random[idBytes:])
	text := newTokenText(id, encoding.EncodeToString(append(random[idBytes:], sum[:]...)))
	return text, model.Token{ID: id, Name: name, Role: role, Hash: text.Hash(), Created: created, Expires: expires}, nil
}

// CheckName says what is wrong with a token's name; the error is a [model.Error] with [model.CodeBadRequest]. It keeps
// names to what can stand in a log line, a shell and a URL, and apart from ids: tokens are revoked by either.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > MaxTokenName:
		return model.BadRequest("name", fmt.Sprintf("must have 1 to %d characters", MaxTokenName))
	case strings.ContainsFunc(name, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("._-@", r) }):
		return model.BadRequest("name", "must be of letters, digits and . _ - @")
	case len(name) == idLength && spelt(name):
		return model.BadRequest("name", fmt.Sprintf("must not look like the id of a token, which has %d characters of a to z and 2 to 7: add a - or a capital letter", idLength))
	}
	return nil
}

// Faults of a token's text. None repeats it.
var (
	errTokenForm     = errors.New("it is no token of this service: it must be xci_, 16 characters, _ and 48 characters")
	errTokenChecksum = errors.New("the token's checksum is wrong: at least one character is mistyped")
)

// ParseToken reads a token's text. It looks at as many characters as a token has, and no more, whatever is given; there is one
// way to write a token and no other is taken. No error repeats any of s.
func ParseToken(s string) (TokenText, error) {
	if len(s) != tokenLength {
		return TokenText{}, errTokenForm
	}
	id, secret := s[len(tokenPrefix):len(tokenPrefix)+idLength], s[tokenLength-secretLength:]
	if s[:len(tokenPrefix)] != tokenPrefix || s[tokenLength-secretLength-1] != '_' || !spelt(id) || !spelt(secret) {
		return TokenText{}, errTokenForm
	}
	raw, err := encoding.DecodeString(secret)
	if err != nil || len(raw) != secretBytes+sumBytes {
		return TokenText{}, errTokenForm
	}
	sum := checksum(id, raw[:secretBytes])
	if subtle.ConstantTimeCompare(sum[:], raw[secretBytes:]) != 1 {
		return TokenText{}, errTokenChecksum
	}
	return newTokenText(strings.Clone(id), strings.Clone(secret)), nil
}

func checksum(id string, secret []byte) (sum [sumBytes]byte) {
	crc := crc32.ChecksumIEEE([]byte(tokenPrefix + id + "_"))
	binary.BigEndian.PutUint32(sum[:], crc32.Update(crc, crc32.IEEETable, secret))
	return sum
}

// spelt says whether all of s is in the alphabet. The decoder alone would pass over line ends.
func spelt(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
