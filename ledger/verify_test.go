package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	addresscodec "github.com/Peersyst/xrpl-go/address-codec"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// A ledger is asked about by its hash, and what it says stays what it said.
func TestCredentialAt(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 100, testIssuer, testAlice, testBob)
	issuer, _ := vectorSeed(t, "issuer", "ed25519")
	bob, _ := vectorSeed(t, "bob", "secp256k1")
	alice, _ := vectorSeed(t, "alice", "ed25519")
	c := newClient(t, node.URL(), nil)
	ledger := func() model.Ledger {
		t.Helper()
		l, err := c.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	const typ = model.CredentialType("A/\x00\xff")
	before := ledger()
	expires := before.CloseTime + 1000
	sendAll(t, node, c, testIssuer, issuer, model.CredentialCreate{Subject: testAlice, Type: typ, Expiration: &expires, URI: "u"})
	issued := ledger()
	sendAll(t, node, c, testAlice, alice, model.CredentialAccept{Issuer: testIssuer, Type: typ})
	accepted := ledger()

	if _, _, err := c.CredentialAt(t.Context(), before, testAlice, testIssuer, typ); model.CodeOf(err) != model.CodeEntryNotFound {
		t.Errorf("before it was issued: %v", err)
	}
	for at, isAccepted := range map[model.Ledger]bool{issued: false, accepted: true} {
		got, entry, err := c.CredentialAt(t.Context(), at, testAlice, testIssuer, typ)
		want := model.Credential{Index: got.Index, Subject: testAlice, Issuer: testIssuer, Type: typ, Accepted: isAccepted, URI: "u", Expiration: expires}
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		var raw struct{ LedgerEntryType, CredentialType string }
		if err := json.Unmarshal(entry, &raw); err != nil || raw.LedgerEntryType != "Credential" || raw.CredentialType != typ.Hex() {
			t.Errorf("the entry is %s, %v", entry, err)
		}
	}
	for name, look := range map[string]struct {
		subject, issuer model.Address
		typ             model.CredentialType
	}{"another issuer": {testAlice, testBob, typ}, "another subject": {testBob, testIssuer, typ}, "another type": {testAlice, testIssuer, "A"},
		"no such accounts": {"rrrrrrrrrrrrrrrrrrrrBZbvji", "rrrrrrrrrrrrrrrrrrrn5RM1rHd", typ}} {
		if _, _, err := c.CredentialAt(t.Context(), accepted, look.subject, look.issuer, look.typ); model.CodeOf(err) != model.CodeEntryNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := accepted
	gone.Hash = strings.Repeat("A", 64)
	if _, _, err := c.CredentialAt(t.Context(), gone, testAlice, testIssuer, typ); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("a ledger that the node does not have: %v", err)
	}
	if _, err := c.OtherIssuers(t.Context(), gone, testAlice, testIssuer, typ); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("others in a ledger that the node does not have: %v", err)
	}

	// Others: those who issued this type to this subject, and nobody else.
	sendAll(t, node, c, testBob, bob,
		model.CredentialCreate{Subject: testAlice, Type: typ}, model.CredentialCreate{Subject: testAlice, Type: "Other"},
		model.CredentialCreate{Subject: testIssuer, Type: typ}, model.CredentialCreate{Subject: testBob, Type: typ})
	sendAll(t, node, c, testAlice, alice, model.CredentialCreate{Subject: testBob, Type: typ})
	now := ledger()
	for name, tc := range map[string]struct {
		at               model.Ledger
		subject, besides model.Address
		want             []model.Address
	}{
		"one other":           {now, testAlice, testIssuer, []model.Address{testBob}},
		"besides that one":    {now, testAlice, testBob, []model.Address{testIssuer}},
		"before that":         {accepted, testAlice, testIssuer, nil},
		"issued and received": {now, testBob, testIssuer, []model.Address{testAlice, testBob}},
		"no account":          {now, "rrrrrrrrrrrrrrrrrrrrBZbvji", testIssuer, nil},
	} {
		got, err := c.OtherIssuers(t.Context(), tc.at, tc.subject, tc.besides, typ)
		slices.Sort(got)
		slices.Sort(tc.want)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, tc.want)
		}
	}
}

// An answer counts only as one of the ledger that was asked about.
func TestCredentialAtRefuses(t *testing.T) {
	at := model.Ledger{Index: 7, Hash: testHash}
	const wanted = model.CredentialType("\x00\x00\x00\x01")
	good := fmt.Sprintf(`{"index":"%064X","ledger_index":7,"ledger_hash":%q,"validated":true,"node":%s}`, 1, testHash, entryJSON(1))
	tests := map[string]string{
		"another ledger":     strings.Replace(good, testHash, strings.Repeat("A", 64), 1),
		"no ledger":          strings.Replace(good, `"ledger_hash"`, `"ledger"`, 1),
		"not validated":      strings.Replace(good, `"validated":true`, `"validated":false`, 1),
		"says nothing of it": strings.Replace(good, `"validated":true,`, ``, 1),
		"another credential": strings.Replace(good, entryJSON(1), entryJSON(2), 1),
		"another subject":    strings.Replace(good, string(testAlice), string(testBob), 1),
		"another kind":       strings.Replace(good, `"Credential"`, `"AccountRoot"`, 1),
		"no entry":           strings.Replace(good, `"node"`, `"nodes"`, 1),
		"nothing":            `{}`,
	}
	answer := ""
	asked := make(chan map[string]any, 100)
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		asked <- params
		return reply(params, answer)
	})
	c := newClient(t, s.http(), nil)
	for name, text := range tests {
		answer = text
		_, entry, err := c.CredentialAt(t.Context(), at, testAlice, testIssuer, wanted)
		var e *AnswerError
		if model.CodeOf(err) != model.CodeLedgerUnavailable || !errors.As(err, &e) || entry != nil {
			t.Errorf("%s: %s, %v", name, entry, err)
		}
	}
	answer = good
	if got, _, err := c.CredentialAt(t.Context(), at, testAlice, testIssuer, wanted); err != nil || got.Type != wanted {
		t.Errorf("got %+v, %v", got, err)
	}
	for len(asked) > 0 {
		if params := <-asked; params["ledger_hash"] != testHash || params["ledger_index"] != nil {
			t.Errorf("it asked about %v", params)
		}
	}

	page := pageJSON(7, testHash, "", entryJSON(1))
	for name, text := range map[string]string{
		"another ledger":  strings.Replace(page, testHash, strings.Repeat("A", 64), 1),
		"another index":   strings.Replace(page, `"ledger_index":7`, `"ledger_index":8`, 1),
		"not validated":   strings.Replace(page, `"validated":true`, `"validated":false`, 1),
		"another account": page, // it is the issuer's
	} {
		answer = text
		if others, err := c.OtherIssuers(t.Context(), at, testBob, testIssuer, wanted); model.CodeOf(err) != model.CodeLedgerUnavailable {
			t.Errorf("others, %s: %v, %v", name, others, err)
		}
	}
}

// Anyone can fill a subject's list: of many issuers some are named, from one page.
func TestOtherIssuersIsBounded(t *testing.T) {
	entries := make([]string, 2*model.MaxOtherIssuers)
	for i := range entries {
		id := make([]byte, 20)
		id[19] = byte(i + 1)
		other, err := addresscodec.EncodeAccountIDToClassicAddress(id)
		if err != nil {
			t.Fatal(err)
		}
		entries[i] = strings.Replace(entryJSON(1), string(testIssuer), other, 1)
	}
	var calls atomic.Int64
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		calls.Add(1)
		return reply(params, strings.Replace(pageJSON(7, testHash, `"more"`, entries...), `"account":"`+string(testIssuer)+`"`, `"account":"`+string(testAlice)+`"`, 1))
	})
	c := newClient(t, s.http(), nil)
	others, err := c.OtherIssuers(t.Context(), model.Ledger{Index: 7, Hash: testHash}, testAlice, testIssuer, "\x00\x00\x00\x01")
	slices.Sort(others)
	if err != nil || len(slices.Compact(others)) != model.MaxOtherIssuers || calls.Load() != 1 {
		t.Errorf("%d others after %d calls, %v", len(others), calls.Load(), err)
	}
}
