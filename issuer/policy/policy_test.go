package policy

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestExpiration(t *testing.T) {
	const now = 800_000_000
	at := func(s uint32) *uint32 { return &s }
	for _, tc := range []struct {
		name         string
		v            Validity
		asked        *uint32
		closeTime    uint32
		want         *uint32
		refusedSince string
	}{
		{"nothing said", Validity{}, nil, now, nil, ""},
		{"nothing said, asked", Validity{}, at(5), now, at(5), ""},
		{"default", Validity{Default: day}, nil, now, at(now + 86400), ""},
		{"default does not bound", Validity{Default: day}, at(now + 86401), now, at(now + 86401), ""},
		{"longest is the default", Validity{Longest: 2 * day}, nil, now, at(now + 172800), ""},
		{"both", Validity{Default: day, Longest: 2 * day}, nil, now, at(now + 86400), ""},
		{"the latest", Validity{Default: day, Longest: 2 * day}, at(now + 172800), now, at(now + 172800), ""},
		{"a second later", Validity{Default: day, Longest: 2 * day}, at(now + 172801), now, nil,
			"expiration must not be later than 2025-05-10T06:13:20Z: a credential of this type holds for 2d at most"},
		{"past is the ledger's to say", Validity{Longest: day}, at(1), now, at(1), ""},
		{"at the end of time", Validity{Default: day}, nil, 1<<32 - 10, at(1<<32 - 1), ""},
		{"asked at the end of time", Validity{Longest: day}, at(1<<32 - 1), 1<<32 - 10, at(1<<32 - 1), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := (&Policy{Validity: tc.v}).Expiration(tc.asked, tc.closeTime)
			if tc.refusedSince != "" {
				if model.CodeOf(err) != model.CodeBadRequest || err.(*model.Error).Message != tc.refusedSince {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
				t.Errorf("got %v, %v", got, err)
			}
			if got != nil && got == tc.asked {
				t.Error("the caller's own variable is handed back")
			}
		})
	}
	if d := 30 * time.Minute; after(now, d) != now+1800 {
		t.Error(after(now, d))
	}
}

func TestURI(t *testing.T) {
	none := parsed(t, least)
	if got, err := none.URI("https://example.com", issuer, subject); got != "https://example.com" || err != nil {
		t.Error(got, err)
	}
	if got, err := none.URI("", issuer, subject); got != "" || err != nil {
		t.Error(got, err)
	}
	p := parsed(t, least+"uri: https://example.org/{credential}/{subject}\n")
	if got, err := p.URI("", issuer, subject); got != "https://example.org/Member/"+string(subject) || err != nil {
		t.Error(got, err)
	}
	_, err := p.URI("https://example.org/Member/"+string(subject), issuer, subject)
	if model.CodeOf(err) != model.CodeBadRequest || err.(*model.Error).Message != "uri must be left out: the issuer sets it for credentials of this type" {
		t.Error(err)
	}
}
