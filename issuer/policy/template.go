package policy

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// uriTemplate is an RFC 6570 template of level 1: text, and variables in braces, whose values are percent-encoded.
type uriTemplate []templatePart

type templatePart struct{ text, variable string }

// The variables of a template.
const (
	variableSubject    = "subject"
	variableIssuer     = "issuer"
	variableCredential = "credential"
)

// Addresses have 25 to 35 characters, all of them letters and digits, and begin with r.
const longestAddress = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"

var (
	errTemplateForm  = errors.New(`must have variables as {subject}, {issuer} or {credential}, and no other braces`)
	errTemplateChars = errors.New("must consist of the characters A-Z, a-z, 0-9 and -._~:/?#[]@!$&'()*+,;=%, and variables in braces")
	errTemplateLong  = fmt.Errorf("must give at most %d characters with the longest addresses", model.MaxURILen)
	errTemplateURI   = errors.New("must give a URI with its scheme, such as https://example.org/{subject}")
)

// parseTemplate reads a template for a type whose URIs are right for every issuer and subject: addresses differ only in
// letters and digits behind their first one, so if the longest gives a URI that can be read, all do. The error reads on
// from the name of a field.
func parseTemplate(s string, typ model.CredentialType) (uriTemplate, error) {
	var t uriTemplate
	for rest := s; rest != ""; {
		text, inner, found := strings.Cut(rest, "{")
		if strings.Contains(text, "}") {
			return nil, errTemplateForm
		}
		part := templatePart{text: text}
		rest = ""
		if found {
			var closed bool
			if part.variable, rest, closed = strings.Cut(inner, "}"); !closed {
				return nil, errTemplateForm
			}
			switch part.variable {
			case variableSubject, variableIssuer, variableCredential:
			default:
				return nil, errTemplateForm
			}
		}
		t = append(t, part)
	}
	longest := t.expand(longestAddress, longestAddress, typ)
	if len(longest) > model.MaxURILen {
		return nil, fmt.Errorf("%w; they give %d", errTemplateLong, len(longest))
	}
	if _, err := model.ParseURI(longest); err != nil {
		return nil, errTemplateChars
	}
	if u, err := url.Parse(longest); err != nil || !u.IsAbs() {
		return nil, errTemplateURI
	}
	return t, nil
}

func (t uriTemplate) expand(issuer, subject model.Address, typ model.CredentialType) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.text)
		switch p.variable {
		case variableSubject:
			encode(&b, string(subject))
		case variableIssuer:
			encode(&b, string(issuer))
		case variableCredential:
			encode(&b, string(typ))
		}
	}
	return b.String()
}

// encode writes a variable's value as RFC 6570, 3.2.1 has it: all but unreserved characters (RFC 3986, 2.3) are
// percent-encoded.
func encode(b *strings.Builder, value string) {
	for i := range len(value) {
		if c := value[i]; plain(value[i:i+1], "-._~") {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}
