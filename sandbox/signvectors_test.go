package sandbox

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The four requests that read tx_json, each given the same: what rippled's own test of them (JSONRPC_test.cpp) expects, with its
// accounts, secrets and signatures. "" is no error.
func TestSigningOfOneRequest(t *testing.T) {
	const (
		rHb9    = `rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh` // masterpassphrase
		rnUy    = `rnUy2SHTrB9DubsPmkJZUXTf5FcNDGrYEA` // a
		rPcN    = `rPcNzota6B8YBokhYtcTNqQVCngtbnWfux` // c
		noSeq   = "Missing field 'tx_json.Sequence'."
		multi   = "Already multisigned."
		noKey   = "Missing field 'tx_json.SigningPubKey'."
		badKey  = "Secret does not match account."
		noList  = "Missing field 'tx_json.Signers'."
		noFee   = "Missing field 'tx_json.Fee'."
		single  = "Already single-signed."
		noSeed  = "Disallowed seed."
		badSig  = "Invalid signature."
		badSign = "Signing of transaction is malformed."
		noPath  = "Field 'build_path' not allowed in this context."

		by = `"Signers":[{"Signer":{"Account":"` + rHb9 + `","SigningPubKey":"0330E7FC9D56BB25D6893BA3F317AE5BCF33B3291BD63DB32654A313222F7FD020",` +
			`"TxnSignature":"304502210080EB23E78A841DDC5E3A4F10DE6EAF052207D6B519BF8954467ADB221B3F349002202CA458E8D4E4DE7176D27A91628545E7B295A5DFC8ADF0B5CD3E279B6FA02998"}}]`
	)
	same := func(text string) [4]string { return [4]string{text, text, text, text} }
	// a payment of rHb9's, and one of rnUy's
	first := `"TransactionType":"Payment","Account":"` + rHb9 + `","Amount":"1000000000","Destination":"` + rnUy + `"`
	second := `"TransactionType":"Payment","Account":"` + rnUy + `","Amount":"1000000000","Destination":"` + rHb9 + `"`
	master := `"account":"` + rHb9 + `","secret":"masterpassphrase"`
	without := func(members, name string) string {
		at := strings.Index(members, `,"`+name+`"`)
		end := strings.IndexByte(members[at+1:], ',')
		if end < 0 {
			return members[:at]
		}
		return members[:at] + members[at+1+end:]
	}
	for _, c := range []struct {
		what, params, tx string
		want             [4]string // sign, submit, sign_for, submit_multisigned
	}{
		{"no destination", master, without(first, "Destination"), [4]string{"Missing field 'tx_json.Destination'.", "Missing field 'tx_json.Destination'.", noSeq, noSeq}},
		{"paths of XRP", master + `,"build_path":1`, first, [4]string{"Cannot build XRP to XRP paths.", "Cannot build XRP to XRP paths.", noSeq, noSeq}},
		{"an empty secret", `"account":"` + rHb9 + `","secret":""`, first, [4]string{"Invalid field 'secret'.", "Invalid field 'secret'.", noSeq, noSeq}},
		{"a type that there is not", master, strings.Replace(first, `"Payment"`, `"tt"`, 1),
			[4]string{"Field 'tx_json.TransactionType' has invalid data.", "Field 'tx_json.TransactionType' has invalid data.", noSeq, noSeq}},
		{"a type as a number", master, strings.Replace(first, `"Payment"`, `0`, 1), [4]string{"", "", noSeq, noSeq}},
		{"offline without a fee", master + `,"offline":1`, first + `,"Sequence":0`, [4]string{noFee, noFee, noFee, noKey}},
		{"offline", master + `,"offline":1`, first + `,"Sequence":0,"Fee":10`,
			[4]string{"", "", "A Signer may not be the transaction's Account (" + rHb9 + ").", noKey}},
		{"offline with paths", master + `,"offline":1,"build_path":1`, first + `,"Sequence":0,"Fee":10`, [4]string{noPath, noPath, noPath, noKey}},
		{"flags that are none", master, first + `,"Flags":"NotGoodFlags"`,
			[4]string{"Field 'tx_json.Flags' has invalid data.", "Field 'tx_json.Flags' has invalid data.", noSeq, noSeq}},
		{"signed by one more", `"account":"` + rPcN + `","secret":"a"`, second + `,"Fee":"50","Sequence":0,"SigningPubKey":"",` + by, [4]string{multi, multi, badKey, ""}},
		{"no signers yet", master, second + `,"Fee":50,"Sequence":0,"SigningPubKey":""`, [4]string{badKey, badKey, "", noList}},
		{"no signers yet, offline", master + `,"offline":1`, second + `,"Fee":50,"Sequence":0,"SigningPubKey":""`, [4]string{"", "", "", noList}},
		{"a broken seed", `"account":"` + rHb9 + `","key_type":"ed25519","seed":"sh1yJfwoi98zCygwjUzuHmJDeVKd","offline":1`,
			second + `,"Fee":50,"Sequence":0,"SigningPubKey":""`, [4]string{noSeed, noSeed, noSeed, noList}},
		{"no account", master, without(second, "Account") + `,"Fee":50,"Sequence":0,"SigningPubKey":""`, same("Missing field 'tx_json.Account'.")},
		{"no amount", master, without(second, "Amount") + `,"Fee":50,"Sequence":0,"SigningPubKey":""`, same("Missing field 'tx_json.Amount'.")},
		{"nothing but a greatest amount", master, strings.Replace(without(second, "Destination"), "Amount", "DeliverMax", 1) + `,"Fee":50,"Sequence":0,"SigningPubKey":""`,
			same("Missing field 'tx_json.Destination'.")},
		{"no fee", master, second + `,"Sequence":0,"SigningPubKey":""`, [4]string{badKey, badKey, noFee, noFee}},
		{"no sequence", master, second + `,"Fee":50,"SigningPubKey":""`, [4]string{badKey, badKey, noSeq, noSeq}},
		{"no key", master, second + `,"Fee":50,"Sequence":0`, [4]string{badKey, badKey, "", noKey}},
		{"one for oneself", `"account":"` + rnUy + `","secret":"a"`, second + `,"Fee":50,"Sequence":0`,
			[4]string{"", "", "A Signer may not be the transaction's Account (" + rnUy + ").", noKey}},
		{"the same one", master, second + `,"Fee":"50","Sequence":0,"SigningPubKey":"",` + by,
			[4]string{multi, multi, "Duplicate Signers:Signer:Account entries (" + rHb9 + ") are not allowed.", ""}},
		{"another one", `"account":"` + rPcN + `","secret":"c"`, second + `,"Fee":"50","Sequence":0,"SigningPubKey":"",` + by, [4]string{multi, multi, "", ""}},
		{"beside a broken one", `"account":"` + rPcN + `","secret":"c"`,
			second + `,"Fee":"50","Sequence":0,"SigningPubKey":"",` + strings.Replace(by, "8954467ADB", "8954467ACB", 1), [4]string{multi, multi, badSig, badSig}},
		{"a key of its own", master, second + `,"Fee":50,"Sequence":0,"SigningPubKey":"1"`,
			[4]string{badKey, badKey, "When multi-signing 'tx_json.SigningPubKey' must be empty.", "When multi-signing 'tx_json.SigningPubKey' must be empty."}},
		{"a signature of its own", `"account":"` + rPcN + `","secret":"c"`, second + `,"Fee":"50","Sequence":0,"SigningPubKey":"","TxnSignature":"00",` + by,
			[4]string{multi, multi, single, badSign}},
	} {
		s := startServer(t, Config{}) // each from a ledger of its own, as in rippled's test
		w := &town{Server: s, client: &http.Client{Timeout: 20 * time.Second}}
		t.Cleanup(w.client.CloseIdleConnections)
		if _, err := s.Fund(context.Background(), rnUy, 1_000_000_000); err != nil {
			t.Fatal(err)
		}
		for i, method := range []string{"sign", "submit", "sign_for", "submit_multisigned"} {
			r := w.ask(t, method, "{"+c.params+`,"tx_json":{`+c.tx+"}}")
			if got := strings.Trim(text(r, "error_message"), `"`); got != c.want[i] || (c.want[i] == "") != (text(r, "status") == `"success"`) {
				t.Errorf("%s, %s: %q, want %q\n%v", c.what, method, got, c.want[i], r)
			}
		}
	}
}
