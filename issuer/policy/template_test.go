package policy

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestTemplate(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.org/": "https://example.org/",
		"https://example.org/{subject}/{credential}?by={issuer}#x": "https://example.org/" + string(subject) + "/A.b-1?by=" + string(issuer) + "#x",
		"{credential}:{subject}":                                   "A.b-1:" + string(subject),
		"ipfs://{subject}{subject}":                                "ipfs://" + string(subject) + string(subject),
		"https://{subject}.example.org":                            "https://" + string(subject) + ".example.org",
	} {
		tmpl, err := parseTemplate(in, "A.b-1")
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if got := tmpl.expand(issuer, subject, "A.b-1"); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestTemplateRefuses(t *testing.T) {
	const typ = "abcdefghij"
	longest := "https://example.org/{subject}/{credential}?" // 43 with its variables, which are 35 + 10 instead of 9 + 12
	longest += strings.Repeat("x", model.MaxURILen-len(longest)-35-10+9+12)
	if _, err := parseTemplate(longest, typ); err != nil {
		t.Errorf("the longest: %v", err)
	}
	for in, want := range map[string]string{
		"":                                     errTemplateChars.Error(),
		longest + "x":                          errTemplateLong.Error() + "; they give 257",
		"https://example.org/{":                errTemplateForm.Error(),
		"https://example.org/}":                errTemplateForm.Error(),
		"https://example.org/{}":               errTemplateForm.Error(),
		"https://example.org/{Subject}":        errTemplateForm.Error(),
		"https://example.org/{+subject}":       errTemplateForm.Error(),
		"https://example.org/{subject,issuer}": errTemplateForm.Error(),
		"https://example.org/{subject:3}":      errTemplateForm.Error(),
		"https://example.org/{{subject}}":      errTemplateForm.Error(),
		"https://example.org/{documents.name}": errTemplateForm.Error(),
		"https://example.org/ {subject}":       errTemplateChars.Error(),
		"https://example.org/<b>":              errTemplateChars.Error(),
		"https://example.org/\x1b[2J":          errTemplateChars.Error(),
		"https://example.org/é":                errTemplateChars.Error(),
		"{subject}":                            errTemplateURI.Error(),
		"/members/{subject}":                   errTemplateURI.Error(),
		"https://example.org:{subject}/":       errTemplateURI.Error(),
		"https://[{subject}]/":                 errTemplateURI.Error(),
		"https://example.org/%{subject}":       errTemplateURI.Error(),
		"https://example.org/%zz":              errTemplateURI.Error(),
		"1http://example.org/":                 errTemplateURI.Error(),
	} {
		if tmpl, err := parseTemplate(in, typ); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v", in, tmpl, err)
		}
	}
}

func TestEncode(t *testing.T) {
	var b strings.Builder
	encode(&b, "aZ09-._~ /%é\x00{}")
	if b.String() != "aZ09-._~%20%2F%25%C3%A9%00%7B%7D" {
		t.Error(b.String())
	}
}

// What is checked with the longest address holds for all: random ones, of every length, through templates that pass.
func TestTemplateHoldsForAllAddresses(t *testing.T) {
	const alphabet = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
	address := func() model.Address {
		b := []byte("r")
		for range 24 + rand.IntN(11) {
			b = append(b, alphabet[rand.IntN(len(alphabet))])
		}
		return model.Address(b)
	}
	pieces := []string{"https://", "a", "/", "{subject}", "{issuer}", "{credential}", "%", "%2", "%41", ":", "@", "?", "#", "[", "]", "."}
	passed := 0
	for range 20_000 {
		in := "https://"
		for range rand.IntN(8) {
			in += pieces[rand.IntN(len(pieces))]
		}
		tmpl, err := parseTemplate(in, "Z9")
		if err != nil {
			continue
		}
		passed++
		got := tmpl.expand(address(), address(), "Z9")
		if _, err := model.ParseURI(got); err != nil {
			t.Fatalf("%s gives %s: %v", in, got, err)
		}
		if u, err := url.Parse(got); err != nil || !u.IsAbs() {
			t.Fatalf("%s gives %s: %v", in, got, err)
		}
	}
	if passed < 1000 {
		t.Errorf("only %d templates were of use", passed)
	}
}
