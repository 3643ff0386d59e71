package sandbox

import (
	"strings"
	"testing"
)

// Payments of tokens are read, signed and tried as rippled does, and fail for want of a path (TransactionSign.cpp, Payment.cpp).
func TestSignTokens(t *testing.T) {
	w := newTown(t)
	issuer, subject := w.issuer.id.String(), w.subject.id.String()
	token := func(code string, by string) string {
		return `{"currency":"` + code + `","issuer":"` + by + `","value":"1.5"}`
	}
	pay := func(fields string) string {
		return `{"TransactionType":"Payment","Account":"` + GenesisAddress + `","Destination":"` + issuer + `",` + fields + `}`
	}
	request := func(more, tx string) string { return `{"secret":"masterpassphrase",` + more + `"tx_json":` + tx + `}` }
	mpt := `{"mpt_issuance_id":"` + strings.Repeat("A", 48) + `","value":"1"}`
	for _, c := range []struct{ more, fields, want string }{
		{``, `"Amount":` + token("USD", issuer), "tecPATH_DRY"},
		{``, `"DeliverMax":` + token("USD", issuer), "tecPATH_DRY"},
		{`"build_path":true,`, `"Amount":` + token("USD", issuer), "tecPATH_DRY"},
		{``, `"SendMax":"100","Amount":` + token("USD", issuer), "tecPATH_PARTIAL"},
		{``, `"SendMax":"100","Amount":` + token("USD", subject) + `,"Paths":[[{"currency":"EUR","issuer":"` + subject + `"}]]`, "tecPATH_DRY"},
		{``, `"SendMax":"100","Amount":` + token("USD", subject) + `,"Paths":[[{"account":"` + subject + `"}]]`, "temBAD_PATH"},
		{``, `"Flags":65536,"Amount":` + token("USD", issuer), "temRIPPLE_EMPTY"},
		{``, `"SendMax":` + token("USD", issuer) + `,"Amount":"7"`, "tecPATH_DRY"},
		{``, `"Amount":` + mpt, "tecOBJECT_NOT_FOUND"},
		{``, `"Fee":` + token("USD", issuer) + `,"Amount":"7"`, "temBAD_FEE"},
	} {
		if r := w.ask(t, "submit", request(c.more, pay(c.fields))); r["engine_result"] != c.want {
			t.Errorf("submit %s%s: %v", c.more, c.fields, r)
		}
		if strings.Contains(c.more, "build_path") {
			continue
		}
		if r := w.ask(t, "simulate", `{"tx_json":`+pay(c.fields)+`}`); r["engine_result"] != c.want && !strings.Contains(c.fields, "DeliverMax") {
			t.Errorf("simulate %s: %v", c.fields, r)
		}
	}
	for _, c := range []struct{ more, fields, code, message string }{
		{``, `"Amount":{"currency":"USD","value":"1"}`, "invalidParams", "Invalid field 'tx_json.Amount'."},
		{``, `"Amount":"7","SendMax":{"currency":"XRP","value":"1"}`, "invalidParams", "Field 'tx_json.SendMax' has invalid data."},
		{``, `"Amount":"7","Paths":[[]]`, "internal", "Unable to sterilize transaction."},
		{``, `"Amount":"7","Paths":[]`, "invalidParams", "Field 'Paths' may not be explicitly set to default."},
		{`"build_path":true,`, `"Amount":` + mpt, "invalidParams", "Field 'build_path' not allowed in this context."},
		{`"build_path":true,`, `"Amount":` + token("USD", issuer) + `,"SendMax":"x"`, "invalidParams", "Invalid field 'tx_json.SendMax'."},
		{`"build_path":true,`, `"Amount":"7","SendMax":"8"`, "invalidParams", "Cannot build XRP to XRP paths."},
		{`"build_path":true,`, `"Amount":` + token("USD", issuer) + `,"Paths":5`, "invalidParams", "Cannot specify both 'tx_json.Paths' and 'build_path'"},
		{`"build_path":true,"offline":true,`, `"Sequence":1,"Fee":"10","Amount":` + token("USD", issuer), "invalidParams", "Field 'build_path' not allowed in this context."},
	} {
		r := w.ask(t, "sign", request(c.more, pay(c.fields)))
		if r["error"] != c.code || r["error_message"] != c.message {
			t.Errorf("sign %s%s: %v %v", c.more, c.fields, r["error"], r["error_message"])
		}
	}
	// A fee in tokens cannot be compared with nothing.
	r := w.ask(t, "submit_multisigned", `{"tx_json":`+pay(`"Sequence":1,"SigningPubKey":"","Amount":"7","Signers":[],"Fee":`+token("USD", issuer))+`}`)
	if r["error"] != "internal" {
		t.Error(r)
	}
}
