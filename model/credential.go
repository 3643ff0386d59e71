package model

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/xrplissuer/credential-issuer/hexutil"
)

// Bounds of a credential's fields on the ledger (XLS-70; rippled's maxCredentialTypeLength and maxCredentialURILength).
const (
	MaxTypeLen = 64
	MaxURILen  = 256
)

// CredentialType is what a credential attests: its raw bytes, 1 to 64 of them. On the ledger any bytes may stand.
type CredentialType string

// Hex returns the type as transactions carry it.
func (t CredentialType) Hex() string { return hexutil.Encode(string(t)) }

// Text returns the type as it is shown to people; see [hexutil.Display]. [ParseShownType] reads it back.
func (t CredentialType) Text() string { return hexutil.DisplayRaw(string(t)) }

// String is Text, so that no format verb puts raw bytes into a log.
func (t CredentialType) String() string { return t.Text() }

// Type faults. Their text follows the name of the field that is wrong.
var (
	errTypeForm = errors.New("must be 1 to 64 of the characters A-Z, a-z, 0-9, underscore, dash and period")
	errTypeLen  = errors.New("must stand for 1 to 64 bytes")
	errTypeShow = errors.New("must be a credential type as the list shows it: printable ASCII, or (BIN) and the hex of its bytes")
)

// ParseType reads a type that is to be issued: ^[A-Za-z0-9_.-]{1,64}$. The error reads on from the name of a field.
func ParseType(s string) (CredentialType, error) {
	if s == "" || len(s) > MaxTypeLen {
		return "", lengthFault(errTypeForm, len(s))
	}
	if !only(s, typeAlphabet) {
		return "", errTypeForm
	}
	return CredentialType(s), nil
}

// ParseShownType reads a type that stands on the ledger, in the form that lists show: what [ParseType] takes, any
// other printable ASCII, or "(BIN) " and hex; 1 to 64 bytes. The error reads on from the name of a field.
func ParseShownType(s string) (CredentialType, error) {
	if t, err := ParseType(s); err == nil {
		return t, nil
	}
	raw, err := hexutil.Undisplay(s)
	if err != nil {
		return "", errTypeShow
	}
	binary := strings.HasPrefix(s, hexutil.BinaryPrefix)
	if !binary && !hexutil.Printable(s) {
		return "", errTypeShow
	}
	if raw == "" || len(raw) > MaxTypeLen {
		return "", lengthFault(errTypeLen, len(raw))
	}
	return CredentialType(raw), nil
}

// ParseTypeHex reads a type in the form of the ledger: hex of 1 to 64 bytes.
func ParseTypeHex(s string) (CredentialType, error) {
	raw, err := hex.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("credential type is no hex: %w", err)
	}
	if len(raw) == 0 || len(raw) > MaxTypeLen {
		return "", fmt.Errorf("credential type has %d bytes, and 1 to %d are allowed", len(raw), MaxTypeLen)
	}
	return CredentialType(raw), nil
}

// URI faults. Their text follows the name of the field that is wrong.
var errURIForm = errors.New("must be 1 to 256 of the characters A-Z, a-z, 0-9 and -._~:/?#[]@!$&'()*+,;=%")

// ParseURI checks a URI that is to be issued: length and characters, not whether it leads anywhere. The error reads on
// from the name of a field.
func ParseURI(s string) (string, error) {
	if s == "" || len(s) > MaxURILen {
		return "", lengthFault(errURIForm, len(s))
	}
	if !only(s, uriAlphabet) {
		return "", errURIForm
	}
	return s, nil
}

// ParseURIHex reads a URI in the form of the ledger: hex of 1 to 256 bytes, of any kind.
func ParseURIHex(s string) (string, error) {
	raw, err := hex.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("URI is no hex: %w", err)
	}
	if len(raw) == 0 || len(raw) > MaxURILen {
		return "", fmt.Errorf("URI has %d bytes, and 1 to %d are allowed", len(raw), MaxURILen)
	}
	return string(raw), nil
}

const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	typeAlphabet = alphanumeric + "_.-"
	uriAlphabet  = alphanumeric + "-._~:/?#[]@!$&'()*+,;=%"
)

func only(s, alphabet string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

func lengthFault(rule error, n int) error {
	if n == 0 {
		return fmt.Errorf("%w; it is empty", rule)
	}
	return fmt.Errorf("%w; it has %d bytes", rule, n)
}

// Credential is one that stands on the ledger.
type Credential struct {
	Subject, Issuer Address
	Type            CredentialType
	// URI holds raw bytes, of any kind; empty where there is none (the ledger holds no empty ones).
	URI string
	// Expiration is in seconds since the Ripple Epoch; 0 where there is none (no ledger closed that early, so none
	// that expires then can have been made).
	Expiration uint32
	// Accepted says whether the subject has accepted it. One that expired may still be accepted.
	Accepted bool
	// Index is the key of the ledger entry, 64 hex digits.
	Index string
}

// ListedCredential is a credential as one validated ledger has it.
type ListedCredential struct {
	Credential
	// Changed is the index of the ledger that made it, or in which it was accepted; 0 where that is not known.
	Changed uint32
}

// HasExpiration says whether the credential ever expires.
func (c Credential) HasExpiration() bool { return c.Expiration != 0 }

// Expired says whether it is past its expiration in a ledger that closed at closeTime, in seconds since the Ripple
// Epoch. In its last second a credential still holds (rippled: checkExpired).
func (c Credential) Expired(closeTime uint32) bool {
	return c.HasExpiration() && closeTime > c.Expiration
}

// Side says on which side of its credentials an account is looked at.
type Side int

// The sides of a credential. Both hold for one that an account issued to itself.
const (
	AnySide Side = iota
	Issued       // the account is the issuer
	About        // the account is the subject
)

// Acceptance narrows a look-up by whether the subject has accepted.
type Acceptance int

// What a look-up may ask of a credential's acceptance.
const (
	AnyAcceptance Acceptance = iota
	Accepted
	Unaccepted
)

// Filter narrows a look-up of an account's credentials. The zero Filter takes all of them.
type Filter struct {
	Side       Side
	Acceptance Acceptance
}

// Match says whether c, found among account's entries, passes.
func (f Filter) Match(account Address, c Credential) bool {
	switch {
	case f.Side == Issued && c.Issuer != account,
		f.Side == About && c.Subject != account,
		f.Acceptance == Accepted && !c.Accepted,
		f.Acceptance == Unaccepted && c.Accepted:
		return false
	}
	return true
}
