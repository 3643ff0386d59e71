package model

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Proof is an applicant's word that they hold the subject's key: a signature over [Challenge.Message].
type Proof struct {
	// Nonce is of the challenge.
	Nonce string
	// PublicKey is the subject's master or regular key, 33 bytes in hex; Signature is over the message, in hex, as the
	// XRP Ledger signs: Ed25519 over the bytes, or ECDSA on secp256k1 over their SHA-512Half, in DER, fully canonical.
	PublicKey, Signature string
}

// Challenge is what is to be signed as a [Proof]: consent to one request, and to nothing else.
type Challenge struct {
	Issuer, Subject Address
	// Network is the network id of the ledger that the credential is for; 0 on mainnet, and where nodes name none.
	Network uint32
	Type    CredentialType
	// Renew says that the request replaces an existing credential.
	Renew bool
	// Request is the request's digest; see [RequestDigest].
	Request string
	Nonce   string
	Expires time.Time // whole seconds
}

// SpentNonce is the nonce of a challenge that was answered. It is stored, as a hash, with what it was answered for, so that
// it works once.
type SpentNonce struct {
	Nonce   string
	Expires time.Time
}

// Message is the text whose bytes are signed. Its first line separates it from transactions and from every other signed message.
// Wallets show it to people, so that it names the credential and what happens to an existing one.
func (c Challenge) Message() string {
	renewal := "no"
	if c.Renew {
		renewal = "yes, it replaces the credential that I have"
	}
	return strings.Join([]string{
		"Credential request",
		"I hold the key of " + string(c.Subject),
		"and ask " + string(c.Issuer) + " for this credential, and no other.",
		"Network ID: " + strconv.FormatUint(uint64(c.Network), 10),
		"Credential: " + string(c.Type),
		"Renewal: " + renewal,
		"Request (SHA-256): " + c.Request,
		"Nonce: " + c.Nonce,
		"Valid until: " + c.Expires.UTC().Format(time.RFC3339),
	}, "\n")
}

// Bounds of a proof's fields.
const (
	MaxNonceLen     = 200
	publicKeyLen    = 66
	maxSignatureLen = 160
)

var (
	errNonceForm     = errors.New("must be the nonce of a challenge, as it was given")
	errPublicKey     = errors.New("must be a public key in hex: 66 digits, which begin with ED, 02 or 03")
	errSignatureForm = errors.New("must be a signature in hex")
)

const upperHex = "0123456789ABCDEF"

// ParseNonce reads a challenge's nonce: nothing that could be more than one word of a message. The error reads on from the
// name of a field.
func ParseNonce(s string) (string, error) {
	if s == "" || len(s) > MaxNonceLen || !only(s, alphanumeric+"_-.") {
		return "", errNonceForm
	}
	return s, nil
}

func parsePublicKey(s string) (string, error) {
	s = strings.ToUpper(s)
	if len(s) != publicKeyLen || !only(s, upperHex) || s[:2] != "ED" && s[:2] != "02" && s[:2] != "03" {
		return "", errPublicKey
	}
	return s, nil
}

func parseSignature(s string) (string, error) {
	s = strings.ToUpper(s)
	if s == "" || len(s) > maxSignatureLen || len(s)%2 != 0 || !only(s, upperHex) {
		return "", errSignatureForm
	}
	return s, nil
}

// The names of a proof's fields.
const (
	fieldNonce     = "nonce"
	fieldPublicKey = "public_key"
	fieldSignature = "signature"
)

func parseProof(faults *faults, o object) *Proof {
	raw, ok := o[fieldProof]
	if !ok {
		return nil
	}
	inner, err := parseObject(fieldProof, raw, fieldNonce, fieldPublicKey, fieldSignature)
	if err != nil {
		faults.add(err)
		return nil
	}
	var p Proof
	var own faultsOf
	p.Nonce = own.required(inner, fieldNonce, ParseNonce)
	p.PublicKey = own.required(inner, fieldPublicKey, parsePublicKey)
	p.Signature = own.required(inner, fieldSignature, parseSignature)
	for _, f := range own.faults {
		*faults = append(*faults, fieldProof+"."+f)
	}
	return &p
}

// faultsOf collects the faults of an object within a request.
type faultsOf struct{ faults faults }

func (f *faultsOf) required(o object, name string, parse func(string) (string, error)) string {
	return required(&f.faults, o, name, parse)
}

const fieldRequestHash = "request_hash"

var errRequestHash = errors.New("must be the SHA-256 of the request without its proof, in canonical JSON (RFC 8785): 64 hex digits")

func parseRequestHash(s string) (string, error) {
	if len(s) != 64 || !only(strings.ToUpper(s), upperHex) {
		return "", errRequestHash
	}
	return strings.ToLower(s), nil
}

// ParseChallengeRequest reads the JSON of a request for a challenge, {"subject", "credential", "renew"?, "request_hash"}. Issuer,
// Nonce and Expires of the result are zero. The error is as [ParseCredentialRequest]'s.
func ParseChallengeRequest(body []byte) (Challenge, error) {
	o, err := parseObject(theBody, body, fieldSubject, fieldCredential, fieldRenew, fieldRequestHash)
	if err != nil {
		return Challenge{}, err
	}
	var c Challenge
	var faults faults
	c.Subject = required(&faults, o, fieldSubject, parseSubject)
	c.Type = required(&faults, o, fieldCredential, ParseType)
	c.Renew = parseRenew(&faults, o)
	c.Request = required(&faults, o, fieldRequestHash, parseRequestHash)
	return c, faults.err()
}

// ParseEmpty reads a body that has nothing to say: none, or an object without fields. The error is as
// [ParseCredentialRequest]'s.
func ParseEmpty(body []byte) error {
	switch strings.Join(strings.Fields(string(body)), "") {
	case "", "{}":
		return nil
	}
	return BadRequest(theBody, "must be empty")
}

// ParseReason reads the JSON of a rejection, {"reason": …}. The error is as [ParseCredentialRequest]'s.
func ParseReason(body []byte) (string, error) {
	o, err := parseObject(theBody, body, fieldReason)
	if err != nil {
		return "", err
	}
	var faults faults
	reason := required(&faults, o, fieldReason, parseReason)
	return reason, faults.err()
}

const fieldReason = "reason"

func parseReason(s string) (string, error) {
	n := 0
	for _, r := range s {
		n++
		if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 {
			return "", errors.New("must be text without control characters")
		}
	}
	if strings.TrimSpace(s) == "" || n > MaxReasonLen {
		return "", fmt.Errorf("must be 1 to %d characters that say why", MaxReasonLen)
	}
	return s, nil
}
