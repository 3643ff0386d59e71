package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	me     = model.Address("rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ")
	issuer = model.Address("rJ6XzCCSapCaWZxExArkcBWLgJvT6bXCbV")
)

func cred(t model.CredentialType) model.Credential {
	return model.Credential{Subject: me, Issuer: issuer, Type: t}
}

// TestMenu holds the menu equal to the tutorial's.
func TestMenu(t *testing.T) {
	p := pending{account: me, open: []model.Credential{cred("TestCredential"), cred("AnotherTestCredential")}}
	var w bytes.Buffer
	chosen, err := ask(t.Context(), &w, newLineReader(strings.NewReader("1\n")).read, p)
	if err != nil || chosen == nil || chosen.Type != "TestCredential" {
		t.Fatalf("%v, %v", chosen, err)
	}
	want := `
Accept a credential?
    0) No, quit.
    1) 'TestCredential' issued by rJ6XzCCSapCaWZxExArkcBWLgJvT6bXCbV
    2) 'AnotherTestCredential' issued by rJ6XzCCSapCaWZxExArkcBWLgJvT6bXCbV
Select an option (0-2): `
	if w.String() != want {
		t.Errorf("the menu is\n%s\nand not\n%s", w.String(), want)
	}
}

func TestAsk(t *testing.T) {
	p := pending{open: []model.Credential{cred("A"), cred("B")}}
	for _, c := range []struct {
		typed string
		want  model.CredentialType // empty: none
		again int
	}{
		{"2\n", "B", 0},
		{" 1 \n", "A", 0},
		{"01\n", "A", 0},
		{"1", "A", 0}, // the input ends without a line's end
		{"0\n", "", 0},
		{"", "", 0},
		{"\n", "", 1},
		{"3\n0\n", "", 1},
		{"-1\n+1\n1.0\nA\n99999999999999999999\n\x1b[A\n2\n", "B", 6},
		{strings.Repeat("1", 5000) + "\n2\n", "B", 1},
	} {
		var w bytes.Buffer
		chosen, err := ask(t.Context(), &w, newLineReader(strings.NewReader(c.typed)).read, p)
		var got model.CredentialType
		if chosen != nil {
			got = chosen.Type
		}
		if err != nil || got != c.want {
			t.Errorf("%q: chose %q, %v; want %q", c.typed, got, err, c.want)
		}
		if n := strings.Count(w.String(), "none of the options"); n != c.again {
			t.Errorf("%q: asked again %d times, want %d", c.typed, n, c.again)
		}
	}
}

// TestAskStops: a context that ends is not kept waiting by a terminal that nobody types on.
func TestAskStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	typed := make(chan struct{})
	defer close(typed)
	reading := make(chan struct{})
	lines := func(ctx context.Context) (string, error) {
		return aside(ctx, func() (string, error) { close(reading); <-typed; return "", nil })
	}
	go func() { <-reading; cancel(cause) }()
	if _, err := ask(ctx, &bytes.Buffer{}, lines, pending{}); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

func TestDescribe(t *testing.T) {
	exp := cred("Passport")
	exp.Expiration = 1000
	uri := cred("Passport")
	uri.URI = "https://a.example/\x1b[2J"
	for _, c := range []struct {
		c    model.Credential
		at   uint32
		want string
	}{
		{exp, 1000, "'Passport' issued by " + string(issuer) + ", expires 2000-01-01T00:16:40Z"},
		{exp, 1001, "'Passport' issued by " + string(issuer) + ", EXPIRED 2000-01-01T00:16:40Z"},
		{uri, 0, "'Passport' issued by " + string(issuer) + ", (BIN) 68747470733A2F2F612E6578616D706C652F1B5B324A"},
		{cred("\x1b]0;x\a"), 0, "'(BIN) 1B5D303B7807' issued by " + string(issuer)},
		// A type that spells another issuer stays inside its quotes.
		{cred("KYC' issued by rBank"), 0, `'KYC\' issued by rBank' issued by ` + string(issuer)},
		{cred(`KYC\' issued`), 0, `'KYC\\\' issued' issued by ` + string(issuer)},
	} {
		if got := describe(c.c, c.at); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

func seq(n int, each func(i int) model.Credential, last error) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		for i := range n {
			if !yield(each(i), nil) {
				return
			}
		}
		if last != nil {
			yield(model.Credential{}, last)
		}
	}
}

func TestCollect(t *testing.T) {
	each := func(i int) model.Credential {
		c := cred(model.CredentialType(fmt.Sprint("T", i)))
		if i%2 == 0 {
			c.Expiration = 5
		}
		return c
	}
	p, err := collect(me, 6, seq(5, each, nil))
	if err != nil || len(p.open) != 2 || p.expired != 3 || p.more {
		t.Errorf("%+v, %v", p, err)
	}
	if note := p.note(); note != "3 expired credentials are not offered: accepting them would only delete them." {
		t.Errorf("%q", note)
	}
	read := 0
	p, err = collect(me, 6, seq(100*mostOffered, func(i int) model.Credential { read++; return cred("T") }, nil))
	if err != nil || len(p.open) != mostOffered || !p.more || read != mostOffered+1 {
		t.Errorf("%d open, more %v, read %d, %v", len(p.open), p.more, read, err)
	}
	gone := errors.New("the node is gone")
	if _, err := collect(me, 6, seq(5, each, gone)); !errors.Is(err, gone) {
		t.Errorf("half a list passes for a whole one: %v", err)
	}
}
