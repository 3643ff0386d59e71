package sandbox

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// gated is a town whose issuer wants deposits authorized, has authorized those who hold its credentials 01 and 02, which the
// subject does, and has a DID and a domain, all in ledger 6. Credential 03 is not accepted, 04 of another issuer is, and 05 has
// expired.
type gated struct {
	*town
	other    *testAccount
	domain   codec.Hash256
	domainAt uint32
}

func kindsOf(f *codec.Field, issuer codec.AccountID, types ...string) func(*codec.Object) {
	return func(o *codec.Object) {
		var list []codec.Element
		for _, t := range types {
			inner := codec.NewObject()
			inner.SetAccount(codec.SfIssuer, issuer)
			inner.SetBlob(codec.SfCredentialType, []byte(t))
			list = append(list, codec.Element{Field: codec.SfCredential, Object: inner})
		}
		o.SetArray(f, list)
	}
}

func newGated(t testing.TB) *gated {
	t.Helper()
	w := &gated{town: newTown(t)}
	w.other = newTestAccount(t, w.Server, codec.Ed25519, "other")
	accept := func(issuer codec.AccountID, kind string) {
		w.submit(t, w.subject.sign(t, codec.TtCredentialAccept, func(o *codec.Object) {
			o.SetAccount(codec.SfIssuer, issuer)
			o.SetBlob(codec.SfCredentialType, []byte(kind))
		}))
	}
	w.submit(t, w.other.credential(t, w.subject.id, []byte{4}))
	w.submit(t, w.issuer.sign(t, codec.TtCredentialCreate, func(o *codec.Object) {
		o.SetAccount(codec.SfSubject, w.subject.id)
		o.SetBlob(codec.SfCredentialType, []byte{5})
		o.SetUint(codec.SfExpiration, uint64(w.node.Closed().CloseTime))
	}))
	for _, kind := range []string{"\x01", "\x02", "\x05"} {
		accept(w.issuer.id, kind)
	}
	accept(w.other.id, "\x04")
	w.submit(t, w.issuer.sign(t, codec.TtAccountSet, func(o *codec.Object) { o.SetUint(codec.SfSetFlag, 9) }))
	w.submit(t, w.issuer.sign(t, codec.TtDepositPreauth, kindsOf(codec.SfAuthorizeCredentials, w.issuer.id, "\x02", "\x01")))
	w.submit(t, w.issuer.sign(t, codec.TtDepositPreauth, func(o *codec.Object) { o.SetAccount(codec.SfAuthorize, w.other.id) }))
	w.submit(t, w.issuer.sign(t, codec.TtDIDSet, func(o *codec.Object) { o.SetBlob(codec.SfURI, []byte("did:example:1")) }))
	w.domainAt = w.issuer.next
	w.domain = engine.PermissionedDomainKey(w.issuer.id, w.domainAt)
	w.submit(t, w.issuer.sign(t, codec.TtPermissionedDomainSet, kindsOf(codec.SfAcceptedCredentials, w.issuer.id, "\x02", "\x01")))
	for range 2 { // the second makes 05 expire
		if _, err := w.Accept(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// credentialID is the key of one of the subject's credentials, in quotes.
func (w *gated) credentialID(issuer codec.AccountID, kind byte) string {
	return `"` + engine.CredentialKey(w.subject.id, issuer, []byte{kind}).String() + `"`
}

// DepositAuthorized.cpp: each refusal, in its order, in rippled's words.
func TestDepositAuthorizedRefusals(t *testing.T) {
	w := newGated(t)
	src, dst, nobody := w.subject.id.String(), w.issuer.id.String(), codec.AccountID{7}.String()
	const bad = "badCredentials"
	list := func(credentials string) string {
		return `{"source_account":"` + src + `","destination_account":"` + dst + `","credentials":` + credentials + `}`
	}
	one := w.credentialID(w.issuer.id, 1)
	none := `"` + strings.Repeat("A", 64) + `"`
	for _, c := range []struct {
		params, code, message string
		number                int
	}{
		{`{}`, "invalidParams", "Missing field 'source_account'.", 31},
		{`{"source_account":5}`, "invalidParams", "Invalid field 'source_account', not a string.", 31},
		{`{"source_account":"junk"}`, "actMalformed", "Account malformed.", 35},
		{`{"source_account":"` + src + `"}`, "invalidParams", "Missing field 'destination_account'.", 31},
		{`{"source_account":"` + src + `","destination_account":{}}`, "invalidParams", "Invalid field 'destination_account', not a string.", 31},
		{`{"source_account":"` + src + `","destination_account":""}`, "actMalformed", "Account malformed.", 35},
		{`{"source_account":"` + src + `","destination_account":"` + dst + `","ledger_index":99}`, "lgrNotFound", "ledgerNotFound", 21},
		{`{"source_account":"` + nobody + `","destination_account":"` + nobody + `","credentials":5}`, "srcActNotFound", "Source account not found.", 67},
		{`{"source_account":"` + src + `","destination_account":"` + nobody + `","credentials":5}`, "dstActNotFound", "Destination account not found.", 50},
		{list(`5`), "invalidParams", "Invalid field 'credentials', not is non-empty array of CredentialID(hash256).", 31},
		{list(`null`), "invalidParams", "Invalid field 'credentials', not is non-empty array of CredentialID(hash256).", 31},
		{list(`[]`), "invalidParams", "Invalid field 'credentials', not is non-empty array of CredentialID(hash256).", 31},
		{list(`[5,5,5,5,5,5,5,5,5]`), "invalidParams", "Invalid field 'credentials', not array too long.", 31},
		{list(`[5]`), "invalidParams", "Invalid field 'credentials', not an array of CredentialID(hash256).", 31},
		{list(`["AB"]`), "invalidParams", "Invalid field 'credentials', not an array of CredentialID(hash256).", 31},
		{list(`[` + none + `,5]`), bad, "credentials don't exist", 95},
		{list(`["` + engine.AccountKey(w.issuer.id).String() + `"]`), bad, "credentials don't exist", 95},
		{list(`[` + w.credentialID(w.issuer.id, 3) + `]`), bad, "credentials aren't accepted", 95},
		{list(`[` + w.credentialID(w.issuer.id, 5) + `]`), bad, "credentials are expired", 95},
		{`{"source_account":"` + dst + `","destination_account":"` + dst + `","credentials":[` + one + `]}`, bad, "credentials doesn't belong to the root account", 95},
		{list(`[` + one + `,` + one + `]`), bad, "duplicates in credentials", 95},
	} {
		r := w.ask(t, "deposit_authorized", c.params)
		if text(r, "error") != fmt.Sprintf("%q", c.code) || text(r, "error_message") != fmt.Sprintf("%q", c.message) || text(r, "error_code") != fmt.Sprint(c.number) {
			t.Errorf("%s:\n got %s %s %s\nwant %s %s", c.params, text(r, "error"), text(r, "error_code"), text(r, "error_message"), c.code, c.message)
		}
		// The ledger that was looked at is told with what was found out in it, and not with what was wrong before.
		if found := c.number == 95 || c.number == 67 || c.number == 50; found != (text(r, "ledger_current_index") != "") {
			t.Errorf("%s: %v", c.params, r)
		}
	}
}

func TestDepositAuthorized(t *testing.T) {
	w := newGated(t)
	issuer, subject, other := w.issuer.id.String(), w.subject.id.String(), w.other.id.String()
	one, two, four := w.credentialID(w.issuer.id, 1), w.credentialID(w.issuer.id, 2), w.credentialID(w.other.id, 4)
	for _, c := range []struct{ src, dst, credentials, want string }{
		{subject, issuer, ``, "false"},
		{subject, issuer, `[` + one + `]`, "false"},
		{subject, issuer, `[` + two + `,` + one + `]`, "true"},
		{subject, issuer, `[` + two + `,` + one + `,` + four + `]`, "false"},
		{subject, other, ``, "true"},
		{subject, other, `[` + one + `]`, "true"},
		{other, issuer, ``, "true"},
		{issuer, issuer, ``, "true"},
	} {
		for _, version := range []string{"1", "2"} {
			params := `{"source_account":"` + c.src + `","destination_account":"` + c.dst + `","ledger_index":"validated","api_version":` + version
			if c.credentials != "" {
				params += `,"credentials":` + c.credentials
			}
			r := w.ask(t, "deposit_authorized", params+"}")
			if text(r, "deposit_authorized") != c.want || text(r, "credentials") != c.credentials || text(r, "source_account") != `"`+c.src+`"` ||
				text(r, "destination_account") != `"`+c.dst+`"` || text(r, "validated") != "true" || text(r, "ledger_hash") == "" || len(r) > 8 {
				t.Errorf("%s: %v", params, r)
			}
		}
	}
}

// ledger_entry for what these transactions make, by its parts and by its key, with each mistake; the same in both versions of the
// API, but for what cannot be converted.
func TestLaterEntries(t *testing.T) {
	w := newGated(t)
	issuer, other := w.issuer.id.String(), w.other.id.String()
	kinds := func(list string) string {
		return `"deposit_preauth":{"owner":"` + issuer + `","authorized_credentials":` + list + `}`
	}
	kind := func(n string) string { return `{"issuer":"` + issuer + `","credential_type":"` + n + `"}` }
	domain := func(account, seq string) string {
		return `"permissioned_domain":{"account":` + account + `,"seq":` + seq + `}`
	}
	at := fmt.Sprint(w.domainAt)
	const lost = "malformedAuthorizedCredentials"
	for _, c := range []struct{ params, found, err string }{
		{`"did":"` + issuer + `"`, "DID", ""},
		{`"did":"` + other + `"`, "", "entryNotFound"},
		{`"did":""`, "", "malformedAddress"},
		{`"did":5`, "", "malformedAddress"},
		{`"did":"` + codec.AccountID{}.String() + `"`, "", "malformedAddress"},
		{`"did":"` + engine.DIDKey(w.issuer.id).String() + `"`, "", "malformedAddress"}, // not by its key
		{`"did":{}`, "", "malformedAddress"},
		{`"deposit_preauth":{"owner":"` + issuer + `","authorized":"` + other + `"}`, "DepositPreauth", ""},
		{`"deposit_preauth":{"owner":"` + issuer + `","authorized":"` + other + `","authorized_credentials":[]}`, "", "malformedRequest"},
		{`"deposit_preauth":{"owner":5,"authorized":"` + other + `"}`, "", "malformedOwner"},
		{`"deposit_preauth":{"owner":"` + issuer + `","authorized":5}`, "", "malformedAuthorized"},
		{`"deposit_preauth":"` + engine.DepositPreauthKey(w.issuer.id, w.other.id).String() + `"`, "DepositPreauth", ""},
		{`"deposit_preauth":"` + engine.DIDKey(w.issuer.id).String() + `"`, "", "unexpectedLedgerType"},
		{`"deposit_preauth":"AB"`, "", "malformedRequest"},
		// "0" is a key, that of nothing, and nothing is looked for (base_uint.h, parseHex).
		{`"deposit_preauth":"0"`, "", "entryNotFound"},
		{`"deposit_preauth":0`, "", "malformedRequest"},
		{`"index":"0"`, "", "entryNotFound"},
		{`"index":0`, "", "malformedRequest"},
		{`"index":"00"`, "", "malformedRequest"},
		{`"deposit_preauth":5`, "", "malformedRequest"},
		{kinds(`[` + kind("02") + `,` + kind("01") + `]`), "DepositPreauth", ""},
		{kinds(`[` + kind("1") + `,` + kind("2") + `]`), "DepositPreauth", ""},
		{kinds(`[` + kind("01") + `]`), "", "entryNotFound"},
		{kinds(`{}`), "", "malformedAuthorizedCredentials"},
		{kinds(`[]`), "", lost},
		{kinds(`[5]`), "", lost},
		{kinds(`[{"issuer":"` + issuer + `"}]`), "", lost},
		{kinds(`[{"issuer":"` + issuer + `","credential_type":5}]`), "", lost},
		{kinds(`[{"issuer":"junk","credential_type":"01"}]`), "", lost},
		{kinds(`[{"issuer":"` + codec.AccountID{}.String() + `","credential_type":"01"}]`), "", lost},
		{kinds(`[` + kind("") + `]`), "", lost},
		{kinds(`[` + kind("xy") + `]`), "", lost},
		{kinds(`[` + kind(strings.Repeat("01", 65)) + `]`), "", lost},
		{kinds(`[` + kind("01") + `,` + kind("1") + `]`), "", lost},
		{kinds(`[` + strings.Repeat(kind("01")+",", 8) + kind("02") + `]`), "", lost},
		{domain(`"`+issuer+`"`, at), "PermissionedDomain", ""},
		{domain(`"`+issuer+`"`, "1"), "", "entryNotFound"},
		{`"permissioned_domain":"` + w.domain.String() + `"`, "PermissionedDomain", ""},
		{`"permissioned_domain":"` + engine.DIDKey(w.issuer.id).String() + `"`, "", "unexpectedLedgerType"},
		{`"permissioned_domain":"NotAHexString"`, "", "malformedRequest"},
		{`"permissioned_domain":10`, "", "malformedRequest"},
		{`"permissioned_domain":{"seq":` + at + `}`, "", "malformedRequest"},
		{domain(`1`, at), "", "malformedAddress"},
		{domain(`{}`, at), "", "malformedAddress"},
		{domain(`""`, at), "", "malformedAddress"},
		{domain(`""`, `"12g"`), "", "malformedAddress"},
		{domain(`"`+issuer+`"`, `"12g"`), "", "malformedRequest"},
		{domain(`"`+issuer+`"`, `-1`), "", "malformedRequest"},
		{domain(`"`+issuer+`"`, `true`), "", "malformedRequest"},
	} {
		for i, version := range []string{"1", "2"} {
			r := w.ask(t, "ledger_entry", `{`+c.params+`,"ledger_index":"validated","api_version":`+version+`}`)
			want := c.err
			if both := strings.Split(c.err, "|"); len(both) == 2 {
				want = both[i]
			}
			if strings.Trim(text(r, "error"), `"`) != want || strings.Trim(text(r, "node", "LedgerEntryType"), `"`) != c.found {
				t.Errorf("%s, version %s: %v, want %s%s", c.params, version, r, c.found, want)
			}
		}
	}
}

// Lists by type, for each type that these transactions make.
func TestLaterTypes(t *testing.T) {
	w := newGated(t)
	for name, count := range map[string]int{"did": 1, "deposit_preauth": 2, "permissioned_domain": 1} {
		for method, list := range map[string]string{"account_objects": "account_objects", "ledger_data": "state"} {
			r := w.ask(t, method, `{"account":"`+w.issuer.id.String()+`","type":"`+name+`","ledger_index":"validated"}`)
			if got, _ := r[list].([]any); len(got) != count {
				t.Errorf("%s of type %s: %v", method, name, r)
			}
		}
	}
	r := w.ask(t, "account_objects", `{"account":"`+w.issuer.id.String()+`","type":"permissioned_domain"}`)
	const want = `[{"Credential":{"CredentialType":"01","Issuer":"%s"}},{"Credential":{"CredentialType":"02","Issuer":"%[1]s"}}]`
	if got := text(r["account_objects"].([]any)[0].(map[string]any), "AcceptedCredentials"); got != fmt.Sprintf(want, w.issuer.id) {
		t.Error(got)
	}
}
