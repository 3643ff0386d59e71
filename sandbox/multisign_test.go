package sandbox

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// board is a town whose issuer has a signer list: the subject and an address without account, of which both are needed.
type board struct {
	*town
	ghost       *testAccount
	ghostSecret string
}

func newBoard(t testing.TB) *board {
	t.Helper()
	w := &board{town: newTown(t), ghostSecret: codec.EncodeSeed(make(codec.Seed, 16), codec.Ed25519)}
	pub, priv := codec.DeriveKeypair(make(codec.Seed, 16), codec.Ed25519)
	w.ghost = &testAccount{id: codec.AccountIDFromPublicKey(pub), pub: pub, priv: priv}
	w.submit(t, w.issuer.sign(t, codec.TtSignerListSet, func(o *codec.Object) {
		o.SetUint(codec.SfSignerQuorum, 2)
		var list []codec.Element
		for _, a := range []*testAccount{w.subject, w.ghost} {
			e := codec.NewObject()
			e.SetAccount(codec.SfAccount, a.id)
			e.SetUint(codec.SfSignerWeight, 1)
			list = append(list, codec.Element{Field: codec.SfSignerEntry, Object: e})
		}
		o.SetArray(codec.SfSignerEntries, list)
	}))
	if _, err := w.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

// tx is an AccountSet of the issuer in JSON, to be signed by several; more is members of its own.
func (w *board) tx(more string) string {
	return fmt.Sprintf(`{"TransactionType":"AccountSet","Account":%q,"Sequence":%d,"Fee":"30","SigningPubKey":""%s}`, w.issuer.id, w.issuer.next, more)
}

// signed gives tx_json as the answer of sign_for shows it.
func signed(t testing.TB, r map[string]any) string {
	t.Helper()
	txj := text(r, "tx_json")
	if text(r, "status") != `"success"` || txj == "" {
		t.Fatalf("%v", r)
	}
	return txj
}

// Two who sign with sign_for, one after the other, and submit_multisigned.
func TestMultiSigned(t *testing.T) {
	w := newBoard(t)
	subjectSecret := fmt.Sprintf("%X", seedOf("subject"))
	first := w.ask(t, "sign_for", `{"account":"`+w.ghost.id.String()+`","secret":"`+w.ghostSecret+`","tx_json":`+w.tx("")+`}`)
	if text(first, "engine_result") != "" || text(first, "deprecated") == "" || text(first, "tx_json", "hash") == "" || text(first, "tx_blob") == "" {
		t.Errorf("%v", first)
	}
	one := signed(t, first)
	// One signature of two makes a transaction that its ledger refuses.
	r := w.ask(t, "submit_multisigned", `{"tx_json":`+one+`}`)
	if text(r, "engine_result") != `"tefBAD_QUORUM"` || text(r, "tx_json", "hash") != text(first, "tx_json", "hash") {
		t.Errorf("%v", r)
	}
	both := w.ask(t, "sign_for", `{"account":"`+w.subject.id.String()+`","key_type":"secp256k1","seed_hex":"`+subjectSecret+`","tx_json":`+one+`}`)
	// The order of the signers is the ledger's, not that in which they signed.
	list := both["tx_json"].(map[string]any)["Signers"].([]any)
	if len(list) != 2 {
		t.Fatalf("%v", list)
	}
	for _, version := range []string{"", `,"api_version":2`} {
		r = w.ask(t, "submit_multisigned", `{"tx_json":`+signed(t, both)+version+`}`)
		want := `"tesSUCCESS"`
		if version != "" {
			want = `"tefALREADY"`
			if text(r, "hash") != text(both, "tx_json", "hash") || text(r, "tx_json", "hash") != "" {
				t.Errorf("version 2: %v", r)
			}
		}
		if text(r, "engine_result") != want && !(version != "" && text(r, "engine_result") == `"tefPAST_SEQ"`) {
			t.Errorf("%v", r)
		}
	}
	// The other way round, and by submit.
	if r := w.ask(t, "submit", `{"tx_blob":`+text(both, "tx_blob")+`}`); text(r, "tx_json", "hash") != text(both, "tx_json", "hash") {
		t.Errorf("%v", r)
	}
	if _, err := w.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	found := w.ask(t, "tx", `{"transaction":`+text(both, "tx_json", "hash")+`}`)
	if text(found, "validated") != "true" || text(found, "SigningPubKey") != `""` || text(found, "Fee") != `"30"` {
		t.Errorf("%v", found)
	}

	// account_info shows the list, in each version in its place; so do account_objects, ledger_data and ledger_entry.
	issuer := w.issuer.id.String()
	key := engine.SignerListKey(w.issuer.id).String()
	for params, path := range map[string][]string{
		`"signer_lists":true`:                   {"account_data", "signer_lists"},
		`"signer_lists":true,"api_version":2`:   {"signer_lists"},
		`"signer_lists":false,"api_version":2`:  nil,
		`"signer_lists":"anything"`:             {"account_data", "signer_lists"},
		`"signer_lists":true,"strict":true`:     {"account_data", "signer_lists"},
		`"signer_lists":0,"api_version":1`:      nil,
		`"signer_lists":"","ledger_index":"10"`: nil,
	} {
		r := w.ask(t, "account_info", `{"account":"`+issuer+`",`+params+`}`)
		both := text(r, "account_data", "signer_lists") + text(r, "signer_lists")
		if path == nil && both != "" || path != nil && (both == "" || !strings.Contains(text(r, path...), `"index":"`+key+`"`)) {
			t.Errorf("%s: %s", params, both)
		}
	}
	if r := w.ask(t, "account_info", `{"account":"`+w.subject.id.String()+`","signer_lists":true}`); text(r, "account_data", "signer_lists") != "[]" {
		t.Errorf("nobody's list: %v", r)
	}
	for _, c := range []struct {
		method, params string
		path           []string
	}{
		{"account_objects", `{"account":"` + issuer + `","type":"signer_list"}`, []string{"account_objects"}},
		{"ledger_data", `{"ledger_index":"validated","type":"signer_list"}`, []string{"state"}},
		{"ledger_entry", `{"index":"` + key + `"}`, []string{"node"}},
	} {
		if got := text(w.ask(t, c.method, c.params), c.path...); !strings.Contains(got, `"LedgerEntryType":"SignerList"`) ||
			!strings.Contains(got, `"SignerWeight":1`) || strings.Count(got, `"index"`) != 1 {
			t.Errorf("%s: %s", c.method, got)
		}
	}
}

func seedOf(name string) []byte { h := codec.Sha512Half([]byte(name)); return h[:16] }

// What rippled answers to signing requests that are wrong, in its order: from TransactionSign.cpp and STParsedJSON.cpp.
func TestMultiSignedRefusals(t *testing.T) {
	w := newBoard(t)
	issuer, subject, ghost := w.issuer.id.String(), w.subject.id.String(), w.ghost.id.String()
	nobody := "rrrrrrrrrrrrrrrrrrrrrhoLvTp"
	key := strings.Repeat("02", 33)
	signer := func(account string) string {
		return `{"Signer":{"Account":"` + account + `","SigningPubKey":"` + key + `","TxnSignature":"AB"}}`
	}
	signers := func(list ...string) string { return `,"Signers":[` + strings.Join(list, ",") + `]` }
	as := func(account, secret, txj string) string {
		return `{"account":"` + account + `","secret":"` + secret + `","tx_json":` + txj + `}`
	}
	plain := func(members string) string {
		return `{"TransactionType":"AccountSet","Account":"` + issuer + `"` + members + `}`
	}
	for _, c := range []struct{ method, params, code, message string }{
		{"sign_for", `{}`, "invalidParams", "Missing field 'account'."},
		{"sign_for", `{"account":[1]}`, "internal", "Internal error."},
		{"sign_for", `{"account":"junk"}`, "srcActMalformed", "Invalid field 'account'."},
		{"sign_for", `{"account":"` + ghost + `"}`, "invalidParams", "Missing field 'tx_json'."},
		{"sign_for", `{"account":"` + ghost + `","tx_json":5}`, "invalidParams", "Invalid field 'tx_json', not object."},
		{"sign_for", `{"account":"` + ghost + `","tx_json":{}}`, "invalidParams", "Missing field 'tx_json.Sequence'."},
		{"sign_for", `{"account":"` + ghost + `","tx_json":{"Sequence":1,"SigningPubKey":"02"}}`, "invalidParams", "When multi-signing 'tx_json.SigningPubKey' must be empty."},
		{"sign_for", `{"account":"` + ghost + `","tx_json":{"Sequence":1}}`, "invalidParams", "Missing field 'secret'."},
		{"sign_for", as(ghost, w.ghostSecret, `{"Sequence":1}`), "invalidParams", "Missing field 'tx_json.TransactionType'."},
		{"sign_for", as(ghost, w.ghostSecret, `{"Sequence":1,"TransactionType":"AccountSet"}`), "srcActMissing", "Missing field 'tx_json.Account'."},
		{"sign_for", as(ghost, w.ghostSecret, `{"Sequence":1,"TransactionType":"AccountSet","Account":"`+nobody+`"}`), "srcActNotFound", "Source account not found."},
		{"sign_for", as(ghost, w.ghostSecret, plain(`,"Sequence":1`)), "invalidParams", "Missing field 'tx_json.Fee'."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(`,"TxnSignature":""`)), "alreadySingleSig", "Already single-signed."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(`,"Nonsense":1`)), "invalidParams", "Field 'tx_json.Nonsense' is unknown."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(`,"SubjectNode":"1"`)), "invalidParams", "Field 'SubjectNode' found in disallowed location."},
		{"sign_for", as(ghost, w.ghostSecret, `{"TransactionType":99,"Account":"`+issuer+`","Sequence":1,"Fee":"30"}`), "internal", "Exception occurred constructing serialized transaction"},
		{"sign_for", as(ghost, "masterpassphrase", w.tx("")), "badSecret", "Secret does not match account."},
		{"sign_for", as(subject, w.ghostSecret, w.tx("")), "badSecret", "Secret does not match account."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(signers(signer(ghost)))), "invalidParams", "Duplicate Signers:Signer:Account entries (" + ghost + ") are not allowed."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(signers(signer(issuer)))), "invalidParams", "A Signer may not be the transaction's Account (" + issuer + ")."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(signers(signer(subject)))), "internal", "Invalid signature."},
		{"sign_for", as(ghost, w.ghostSecret, w.tx(signers(`{"Memo":{}}`))), "internal", "Internal error."},
		{"sign_for", `{"account":"` + ghost + `","secret":"` + w.ghostSecret + `","build_path":true,"tx_json":{"TransactionType":"Payment","Account":"` + issuer +
			`","Destination":"` + subject + `","Amount":"1","Sequence":1,"Fee":"30"}}`, "invalidParams", "Field 'build_path' not allowed in this context."},

		{"submit_multisigned", `{}`, "invalidParams", "Missing field 'tx_json'."},
		{"submit_multisigned", `{"fail_hard":"x"}`, "invalidParams", "Missing field 'tx_json'."}, // any value is a boolean here
		{"submit_multisigned", `{"signature_target":"CounterpartySignature","tx_json":` + strings.Replace(w.tx(`,"TxnSignature":"AB"`), `"SigningPubKey":""`, `"SigningPubKey":"AB"`, 1) + `}`,
			"invalidParams", "Invalid  SigningPubKey field.  Field must be empty when multi-signing."},
		{"submit_multisigned", `{"tx_json":"x"}`, "invalidParams", "Invalid field 'tx_json', not object."},
		{"submit_multisigned", `{"tx_json":{}}`, "invalidParams", "Missing field 'tx_json.Sequence'."},
		{"submit_multisigned", `{"tx_json":{"Sequence":1}}`, "invalidParams", "Missing field 'tx_json.SigningPubKey'."},
		{"submit_multisigned", `{"tx_json":{"Sequence":1,"SigningPubKey":"00"}}`, "invalidParams", "When multi-signing 'tx_json.SigningPubKey' must be empty."},
		{"submit_multisigned", `{"tx_json":{"Sequence":1,"SigningPubKey":""}}`, "invalidParams", "Missing field 'tx_json.TransactionType'."},
		{"submit_multisigned", `{"tx_json":{"Sequence":1,"SigningPubKey":"","TransactionType":"AccountSet","Account":"x"}}`, "srcActMalformed", "Invalid field 'tx_json.Account'."},
		{"submit_multisigned", `{"tx_json":{"Sequence":1,"SigningPubKey":"","TransactionType":"AccountSet","Account":"` + nobody + `"}}`, "srcActNotFound", "Source account not found."},
		{"submit_multisigned", `{"tx_json":` + plain(`,"Sequence":1,"SigningPubKey":""`) + `}`, "invalidParams", "Missing field 'tx_json.Fee'."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":5`) + `}`, "invalidParams", "Field 'tx_json.Signers' is not a JSON array."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[5]`) + `}`, "invalidParams", "Field 'tx_json.Signers[0]' must be an object with a single key/object value."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"A":{},"B":{}}]`) + `}`, "invalidParams", "Field 'tx_json.Signers[0]' must be an object with a single key/object value."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"Nonsense":{}}]`) + `}`, "invalidParams", "Field 'tx_json.Signers.Nonsense' is unknown."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"Account":{}}]`) + `}`, "invalidParams",
			"Item 'tx_json.Signers.[0].AccountField type: 8 ' at index 0 is not an object.  Arrays may only contain objects."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"hash":{}}]`) + `}`, "invalidParams",
			"Item 'tx_json.Signers.[0].hashField type: 5 ' at index 0 is not an object.  Arrays may only contain objects."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"Metadata":{}}]`) + `}`, "invalidParams",
			"Item 'tx_json.Signers.[0].MetadataField type: 10004 ' at index 0 is not an object.  Arrays may only contain objects."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"index":"0"}]`) + `}`, "invalidParams",
			"Error at 'tx_json.Signers.[0].index'. Field 'tx_json.Signers.[0].index' is not a JSON object."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"Signer":5}]`) + `}`, "invalidParams",
			"Error at 'tx_json.Signers.[0].Signer'. Field 'tx_json.Signers.[0].Signer' is not a JSON object."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"Signer":{"Nonsense":5}}]`) + `}`, "invalidParams",
			"Error at 'tx_json.Signers.[0].Signer'. Field 'tx_json.Signers.[0].Signer.Nonsense' is unknown."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Signers":[{"Signer":{"Account":"`+ghost+`"}}]`) + `}`, "invalidParams",
			"Error at 'tx_json.Signers.[0].Signer'. Object 'Signer' contents did not meet requirements for that type."},
		{"submit_multisigned", `{"tx_json":{"TransactionType":99,"Account":"` + issuer + `","Sequence":1,"Fee":"30","SigningPubKey":""}}`, "internal",
			"Exception while serializing transaction: Invalid transaction type 99"},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"NFTokenMinter":"`+nobody+`","Memos":[{"Memo":{"URI":"AB"}}]`) + `}`, "invalidParams",
			"A memo may contain only MemoType, MemoData or MemoFormat fields."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"TxnSignature":"AB"`) + `}`, "signingMalformed", "Signing of transaction is malformed."},
		{"submit_multisigned", `{"tx_json":` + strings.Replace(w.tx(""), `"30"`, `"0"`, 1) + `}`, "invalidParams", "Invalid Fee field.  Fees must be greater than zero."},
		{"submit_multisigned", `{"tx_json":` + w.tx("") + `}`, "invalidParams", "Missing field 'tx_json.Signers'."},
		{"submit_multisigned", `{"tx_json":` + w.tx(signers()) + `}`, "invalidParams", "tx_json.Signers array may not be empty."},
		{"submit_multisigned", `{"tx_json":` + w.tx(signers(signer(ghost), `{"Memo":{"MemoData":"AB"}}`)) + `}`, "invalidParams", "Signers array may only contain Signer entries."},
		{"submit_multisigned", `{"tx_json":` + w.tx(signers(signer(ghost), signer(ghost))) + `}`, "invalidParams", "Duplicate Signers:Signer:Account entries (" + ghost + ") are not allowed."},
		{"submit_multisigned", `{"tx_json":` + w.tx(signers(signer(issuer))) + `}`, "invalidParams", "A Signer may not be the transaction's Account (" + issuer + ")."},
		{"submit_multisigned", `{"tx_json":` + w.tx(signers(signer(ghost))) + `}`, "internal", "Invalid signature."},

		{"submit_multisigned", `{"tx_json":` + w.tx(`,"hash":"AB"`) + `}`, "invalidParams", "Field 'tx_json.hash' has invalid data."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"hash":5`) + `}`, "invalidParams", "Field 'tx_json.hash' has bad type."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Metadata":"AB"`) + `}`, "invalidParams", "Field 'tx_json.Metadata' has bad type."},
		{"submit_multisigned", `{"tx_json":` + w.tx(`,"Transaction":"AB"`) + `}`, "invalidParams", "Field 'tx_json.Transaction' is not a JSON object."},

		{"sign", `{"tx_json":{}}`, "invalidParams", "Missing field 'secret'."},
		{"sign", `{"secret":"masterpassphrase","tx_json":` + w.tx(`,"Signers":[]`) + `}`, "alreadyMultisig", "Already multisigned."},
	} {
		w.refused(t, c.method, c.params, c.code, c.message)
	}
}

// refused asks what must be refused, with a code and a text.
func (w *town) refused(t *testing.T, method, params, code, message string) {
	t.Helper()
	r := w.ask(t, method, params)
	if text(r, "error") != fmt.Sprintf("%q", code) || text(r, "error_message") != fmt.Sprintf("%q", message) || text(r, "error_code") == "" {
		t.Errorf("%s %s:\n got %s %s\nwant %q %q", method, params, text(r, "error"), text(r, "error_message"), code, message)
	}
	if deprecated := text(r, "deprecated") != ""; deprecated != strings.HasPrefix(method, "sign") && code != "internal" {
		t.Errorf("%s %s: deprecated is %v", method, params, deprecated)
	}
}

// sign makes what submit takes, and adds no flags.
func TestSign(t *testing.T) {
	w := newTown(t)
	r := w.ask(t, "sign", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"AccountSet","Account":"`+GenesisAddress+`"}}`)
	if text(r, "tx_json", "Flags") != "" || text(r, "engine_result") != "" || !strings.Contains(text(r, "deprecated"), "This command") {
		t.Errorf("%v", r)
	}
	sent := w.ask(t, "submit", `{"tx_blob":`+text(r, "tx_blob")+`}`)
	if text(sent, "engine_result") != `"tesSUCCESS"` || text(sent, "tx_json", "hash") != text(r, "tx_json", "hash") {
		t.Errorf("%v", sent)
	}
	r = w.ask(t, "sign", `{"secret":"masterpassphrase","api_version":2,"tx_json":{"TransactionType":"AccountSet","Account":"`+GenesisAddress+`","Flags":0}}`)
	if text(r, "tx_json", "Flags") != "0" || text(r, "hash") == "" || text(r, "tx_json", "hash") != "" {
		t.Errorf("version 2: %v", r)
	}
}
