package access

import (
	"errors"
	"strings"
)

// MaxTokenBytes is how long the token in an Authorization header may be.
const MaxTokenBytes = 8 << 10

// Faults of the header. None repeats it.
var (
	errHeaderNone   = errors.New("there is no Authorization header")
	errHeaderMany   = errors.New("there is more than one Authorization header")
	errHeaderScheme = errors.New("the Authorization header is of another scheme than Bearer")
	errHeaderForm   = errors.New("what follows Bearer is no token")
	errHeaderLong   = errors.New("what follows Bearer is longer than any token may be")
)

const bearerScheme = "bearer"

// bearer reads the values of the Authorization header: one, "Bearer" in any case, spaces, and a token in the characters
// that RFC 6750 (2.1) allows.
func bearer(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", errHeaderNone
	case 1:
	default:
		return "", errHeaderMany
	}
	value := values[0]
	if len(value) <= len(bearerScheme) || !strings.EqualFold(value[:len(bearerScheme)], bearerScheme) || value[len(bearerScheme)] != ' ' {
		return "", errHeaderScheme
	}
	if len(value) > len(bearerScheme)+1+MaxTokenBytes {
		return "", errHeaderLong
	}
	token := strings.TrimLeft(value[len(bearerScheme):], " ")
	body := strings.TrimRight(token, "=")
	if body == "" || strings.ContainsFunc(body, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("-._~+/", r) }) {
		return "", errHeaderForm
	}
	return token, nil
}
