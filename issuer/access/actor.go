package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// Bounds of who a JWT is about.
const (
	// maxSubject is the most that OpenID Connect Core (2) allows a subject identifier to have.
	maxSubject = 255
	// maxActor is how long the name made of it may be; what would be longer is cut, and told apart by a hash.
	maxActor = 128
)

var errSubject = errors.New("its subject (sub) is missing, or longer than 255 bytes")

// actorOf makes an actor of the subject of a JWT. It can stand in any log line or table: what is not plain ASCII, and
// what has a meaning in markup or a shell, is escaped as in URLs. Two subjects never have one actor.
func actorOf(subject string) (string, error) {
	if subject == "" || len(subject) > maxSubject {
		return "", errSubject
	}
	var b strings.Builder
	b.WriteString("jwt:")
	for i := range len(subject) {
		if c := subject[i]; alphanumeric(rune(c)) || strings.IndexByte("-._@|:/+=", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	actor := b.String()
	if len(actor) > maxActor {
		sum := sha256.Sum256([]byte(subject))
		tail := "~" + hex.EncodeToString(sum[:16]) // ~ is never in an actor that was not cut
		actor = actor[:maxActor-len(tail)] + tail
	}
	return actor, nil
}
