package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// CredentialRequest is an applicant's request for a credential, its form checked.
type CredentialRequest struct {
	Subject   Address
	Type      CredentialType
	Documents Documents
	// Expiration is in seconds since the Ripple Epoch; nil for none. Whether it is past is the ledger's to say.
	Expiration *uint32
	// URI is empty for none.
	URI string
	// Renew asks to replace one that has expired or soon will.
	Renew bool
	// Proof is nil for none.
	Proof *Proof
	// Digest is the request's [RequestDigest] if it has a proof.
	Digest string
}

// Create returns the transaction that grants the request.
func (r CredentialRequest) Create() CredentialCreate {
	return CredentialCreate{Subject: r.Subject, Type: r.Type, Expiration: r.Expiration, URI: r.URI}
}

// Revocation names a credential that is to be taken back.
type Revocation struct {
	Subject Address
	Type    CredentialType
}

// Documents is what an applicant hands in for a decision: a JSON object that is not empty. It is confidential: it
// prints as "[redacted]" and is never written to the ledger or to a log.
type Documents struct {
	raw    json.RawMessage
	fields object
}

// DocumentsOf reads documents that stand alone, such as those that were sealed and are opened again: one JSON object
// that is not empty, as strictly as [ParseCredentialRequest] reads it. The error is an [*Error] with [CodeBadRequest].
func DocumentsOf(raw []byte) (Documents, error) {
	o, err := parseAnyObject(fieldDocuments, raw)
	if err != nil {
		return Documents{}, err
	}
	if len(o) == 0 {
		return Documents{}, errDocumentsEmpty
	}
	return Documents{raw: bytes.Clone(bytes.TrimSpace(raw)), fields: o}, nil
}

var errDocumentsEmpty = BadRequest(fieldDocuments, "must be an object that is not empty")

// JSON returns the documents byte for byte as they came, without what stood around them; nil for the zero Documents.
// It is confidential as they are, and prints.
func (d Documents) JSON() json.RawMessage { return bytes.Clone(d.raw) }

// Field returns a top-level field as JSON text. The name is matched exactly.
func (d Documents) Field(name string) (json.RawMessage, bool) {
	raw, ok := d.fields[name]
	return raw, ok
}

// Format redacts, whatever the verb.
func (Documents) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

const redacted = "[redacted]"

// LogValue redacts.
func (Documents) LogValue() slog.Value { return slog.StringValue(redacted) }

// The names of the fields in requests.
const (
	fieldSubject    = "subject"
	fieldCredential = "credential"
	fieldDocuments  = "documents"
	fieldExpiration = "expiration"
	fieldURI        = "uri"
	fieldRenew      = "renew"
	fieldProof      = "proof"
)

const theBody = "the body"

// ParseCredentialRequest reads the JSON of a request and checks its form. The error is an [*Error] with
// [CodeBadRequest]; its message names each field that is wrong and what it must be.
func ParseCredentialRequest(body []byte) (CredentialRequest, error) {
	o, err := parseObject(theBody, body, fieldSubject, fieldCredential, fieldDocuments, fieldExpiration, fieldURI, fieldRenew, fieldProof)
	if err != nil {
		return CredentialRequest{}, err
	}
	var r CredentialRequest
	var faults faults
	r.Subject = required(&faults, o, fieldSubject, parseSubject)
	r.Type = required(&faults, o, fieldCredential, ParseType)
	r.Documents = parseDocuments(&faults, o)
	if seconds, present := optional(&faults, o, fieldExpiration, ParseTime); present {
		r.Expiration = &seconds
	}
	r.URI, _ = optional(&faults, o, fieldURI, ParseURI)
	r.Renew = parseRenew(&faults, o)
	if r.Proof = parseProof(&faults, o); r.Proof != nil {
		if r.Digest, err = RequestDigest(body); err != nil {
			faults.add(err)
		}
	}
	if err := faults.err(); err != nil {
		return CredentialRequest{}, err
	}
	return r, nil
}

// ParseRevocation reads the JSON of a revocation and checks its form. The error is as [ParseCredentialRequest]'s.
func ParseRevocation(body []byte) (Revocation, error) {
	o, err := parseObject(theBody, body, fieldSubject, fieldCredential)
	if err != nil {
		return Revocation{}, err
	}
	var r Revocation
	var faults faults
	r.Subject = required(&faults, o, fieldSubject, parseSubject)
	r.Type = required(&faults, o, fieldCredential, ParseShownType)
	if err := faults.err(); err != nil {
		return Revocation{}, err
	}
	return r, nil
}

var errSubjectZero = errors.New("must be an account that someone can hold; this is ACCOUNT_ZERO")

func parseSubject(s string) (Address, error) {
	a, err := ParseAddress(s)
	if err == nil && a.Zero() {
		return "", errSubjectZero // rippled refuses it: temMALFORMED
	}
	return a, err
}

func parseDocuments(faults *faults, o object) Documents {
	raw, ok := o[fieldDocuments]
	if !ok {
		faults.add(BadRequest(fieldDocuments, "must be given: a JSON object that is not empty"))
		return Documents{}
	}
	if err := wantKind(fieldDocuments, raw, "an object"); err != nil {
		faults.add(err)
		return Documents{}
	}
	d := Documents{raw: raw}
	if err := json.Unmarshal(raw, &d.fields); err != nil {
		faults.add(BadRequest(fieldDocuments, "must be an object"))
	} else if len(d.fields) == 0 {
		faults.add(errDocumentsEmpty)
	}
	return d
}

func parseRenew(faults *faults, o object) bool {
	raw, ok := o[fieldRenew]
	if !ok {
		return false
	}
	var renew bool
	if kind := kindOf(raw); kind != "a boolean" || json.Unmarshal(raw, &renew) != nil {
		faults.add(BadRequest(fieldRenew, "must be true or false"))
	}
	return renew
}

// faults collects what is wrong with a request, so that its sender hears of all of it at once.
type faults []string

func (f *faults) add(err error) {
	var e *Error
	if errors.As(err, &e) {
		*f = append(*f, e.Message)
	} else {
		*f = append(*f, err.Error())
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: CodeBadRequest, Message: strings.Join(f, "; ")}
}

func required[T any](faults *faults, o object, name string, parse func(string) (T, error)) T {
	if _, ok := o[name]; !ok {
		faults.add(BadRequest(name, "must be given, as a string"))
		var zero T
		return zero
	}
	value, _ := optional(faults, o, name, parse)
	return value
}

func optional[T any](faults *faults, o object, name string, parse func(string) (T, error)) (value T, present bool) {
	s, present, err := o.str(name)
	if err != nil {
		faults.add(err)
		return value, false
	}
	if !present {
		return value, false
	}
	if value, err = parse(s); err != nil {
		faults.add(fmt.Errorf("%s %w", name, err))
		return value, false
	}
	return value, true
}
