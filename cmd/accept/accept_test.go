package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func these(cs ...model.Credential) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		for _, c := range cs {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func TestPick(t *testing.T) {
	other := model.Address("rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe")
	a, b := cred("T"), cred("T")
	b.Issuer = other
	done, late := cred("T"), cred("T")
	done.Accepted = true
	late.Expiration = 5
	o := options{credential: "T", account: me}

	for _, c := range []struct {
		name   string
		all    []model.Credential
		want   *model.Credential
		status int
		says   []string
	}{
		{"the only one", []model.Credential{cred("U"), a}, &a, 0, nil},
		{"two issuers", []model.Credential{a, b}, nil, 2, []string{"--issuer", string(issuer), string(other)}},
		{"two issuers, one expired", []model.Credential{late, b}, &b, 0, nil},
		{"accepted already", []model.Credential{done, late}, &done, 0, nil},
		{"expired", []model.Credential{late}, nil, 1, []string{"expired 2000-01-01T00:00:05Z"}},
		{"none", []model.Credential{cred("U")}, nil, 1, []string{"no 'T' waits for " + string(me)}},
		{"twenty issuers", slices.Repeat([]model.Credential{a, b}, 10), nil, 2, []string{"and others"}},
	} {
		got, err := pick(o, 6, these(c.all...))
		if exitStatus(err) != c.status || c.want != nil && got != *c.want {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		for _, s := range c.says {
			if !strings.Contains(fmt.Sprint(err), s) {
				t.Errorf("%s: %q is not in %v", c.name, s, err)
			}
		}
	}
	gone := errors.New("the node is gone")
	if _, err := pick(o, 6, seq(1, func(int) model.Credential { return a }, gone)); !errors.Is(err, gone) {
		t.Errorf("half a list passes for a whole one: %v", err)
	}
}

func TestPrintList(t *testing.T) {
	late := cred("Late")
	late.Expiration = 5
	var out bytes.Buffer
	if err := printList(&out, false, me, 6, these(cred("T"), late)); err != nil {
		t.Fatal(err)
	}
	want := "'T' issued by " + string(issuer) + "\n'Late' issued by " + string(issuer) + ", EXPIRED 2000-01-01T00:00:05Z\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	if err := printList(&out, false, me, 6, these()); err != nil || !strings.Contains(out.String(), "No credential") {
		t.Errorf("%q, %v", out.String(), err)
	}
	for n := range 3 {
		out.Reset()
		if err := printList(&out, true, me, 6, seq(n, func(int) model.Credential { return late }, nil)); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Credentials []listed `json:"credentials"`
		}
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.Credentials == nil || len(doc.Credentials) != n {
			t.Errorf("%d: %s, %v", n, out.String(), err)
		}
	}
}
