package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const (
	secretPrefix = "whsec_"

	// MinSecret and MaxSecret bound the bytes of a secret (Standard Webhooks, signature scheme).
	MinSecret = 24
	MaxSecret = 64
	// MaxSecrets is how many an endpoint may have: each is one more signature in every request.
	MaxSecrets = 4

	newSecret = 32
	redacted  = "[redacted]"
)

// Secret is a key that an endpoint and this service share, so that it can tell our requests from others'. However it is
// printed, logged or encoded, it shows as [redacted]; only [Secret.Reveal] gives it away. The zero Secret is none.
type Secret struct {
	// key is a function so that nothing that walks a value by reflection comes to see it.
	key func() []byte
}

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	key := make([]byte, newSecret)
	_, _ = rand.Read(key) // never fails: it ends the program rather than return anything else than randomness
	return secretOf(key)
}

func secretOf(key []byte) Secret { return Secret{key: func() []byte { return key }} }

var errSecretForm = fmt.Errorf("must be %s and %d to %d random bytes in base64, such as `echo %s$(openssl rand -base64 %d)` prints",
	secretPrefix, MinSecret, MaxSecret, secretPrefix, newSecret)

// ParseSecret reads a secret: whsec_ and 24 to 64 bytes in padded standard base64. There is one way to write a secret and no
// other is taken. The error reads on from the name of a setting, and repeats nothing of s.
func ParseSecret(s string) (Secret, error) {
	text, ok := strings.CutPrefix(s, secretPrefix)
	if !ok || len(text) > base64.StdEncoding.EncodedLen(MaxSecret) {
		return Secret{}, errSecretForm
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	// The decoder alone would pass over line ends.
	if err != nil || len(key) < MinSecret || len(key) > MaxSecret || strings.ContainsAny(text, "\r\n") {
		return Secret{}, errSecretForm
	}
	if uniform(key) {
		return Secret{}, errSecretForm
	}
	return secretOf(key), nil
}

// uniform finds the keys that stand in templates: the same byte throughout.
func uniform(key []byte) bool {
	for _, b := range key {
		if b != key[0] {
			return false
		}
	}
	return true
}

var (
	errSecretNone  = errors.New("must hold at least one secret: " + errSecretForm.Error())
	errSecretCount = fmt.Errorf("must hold at most %d secrets", MaxSecrets)
	errSecretTwice = errors.New("must hold each secret once")
)

// ParseSecrets reads one secret or several, separated by spaces or commas. While a secret is replaced there are two: the new
// one in front, and the old one until every receiver knows the new one. The error reads on from the name of a setting, and
// repeats nothing of s.
func ParseSecrets(s string) ([]Secret, error) {
	var secrets []Secret
	seen := map[string]bool{}
	for text := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if len(secrets) == MaxSecrets {
			return nil, errSecretCount
		}
		if seen[text] {
			return nil, errSecretTwice
		}
		seen[text] = true
		secret, err := ParseSecret(text)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, errSecretNone
	}
	return secrets, nil
}

// Reveal returns the secret's text, to be handed to the receiver.
func (s Secret) Reveal() string {
	if s.key == nil {
		return ""
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(s.key())
}

// Format redacts, whatever the verb.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue redacts.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
