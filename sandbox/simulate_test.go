package sandbox

import (
	"context"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// What simulate says, and that nothing of it happens.
func TestSimulate(t *testing.T) {
	w := newBoard(t)
	issuer, subject, ghost := w.issuer.id.String(), w.subject.id.String(), w.ghost.id.String()
	open := w.node.Current().State.Hash()
	pay := `{"TransactionType":"Payment","Account":"` + issuer + `","Destination":"` + subject + `","Amount":"5"`
	for _, c := range []struct {
		params string
		path   []string
		want   string
	}{
		{`{"tx_json":` + pay + `}}`, []string{"applied"}, "false"},
		{`{"tx_json":` + pay + `}}`, []string{"ledger_index"}, "7"},
		{`{"tx_json":` + pay + `}}`, []string{"engine_result_message"}, `"The simulated transaction would have been applied."`},
		{`{"tx_json":` + pay + `}}`, []string{"meta", "TransactionResult"}, `"tesSUCCESS"`},
		{`{"tx_json":` + pay + `}}`, []string{"meta", "delivered_amount"}, `"5"`},
		{`{"tx_json":` + pay + `}}`, []string{"tx_json", "Fee"}, `"10"`},
		{`{"tx_json":` + pay + `}}`, []string{"tx_json", "TxnSignature"}, `""`},
		{`{"tx_json":` + pay + `}}`, []string{"tx_json", "hash"}, `"` + w.hashOf(t, pay+`}`) + `"`},
		{`{"tx_json":` + pay + `},"api_version":2}`, []string{"tx_json", "hash"}, `"` + w.hashOf(t, pay+`}`) + `"`},
		{`{"tx_json":` + pay + `,"Flags":1}}`, []string{"engine_result"}, `"temINVALID_FLAG"`},
		{`{"tx_json":` + pay + `,"Flags":1}}`, []string{"meta"}, ""},
		{`{"tx_json":` + pay + `,"Fee":"9"}}`, []string{"engine_result_message"}, `"Can not queue at this time."`},
		{`{"tx_json":` + pay + `},"binary":true}`, []string{"meta"}, ""},
		{`{"tx_json":` + pay + `},"binary":true}`, []string{"tx_json"}, ""},
		{`{"tx_json":` + pay + `,"Signers":[{"Signer":{"Account":"` + ghost + `"}}]}}`, []string{"engine_result"}, `"tefBAD_QUORUM"`},
		{`{"tx_json":` + pay + `,"Signers":[{"Signer":{"Account":"` + ghost + `"}}]}}`, []string{"tx_json", "Fee"}, `"20"`},
		{`{"tx_json":{"TransactionType":"AccountDelete","Account":"` + issuer + `","Destination":"` + subject + `"}}`, []string{"tx_json", "Fee"}, `"200000"`},
		{`{"tx_json":{"TransactionType":"AccountDelete","Account":"` + issuer + `","Destination":"` + subject + `"}}`, []string{"engine_result"}, `"tecTOO_SOON"`},
		{`{"tx_json":` + pay + `,"TicketSequence":1}}`, []string{"engine_result"}, `"tefNO_TICKET"`},
		{`{"tx_json":` + pay + `,"TicketSequence":1}}`, []string{"tx_json", "Sequence"}, `0`},
		{`{"tx_json":{"TransactionType":"NoSuch","Account":"` + issuer + `","Sequence":1,"Fee":"1"}}`, []string{"error_message"}, `"Field 'tx_json.TransactionType' has invalid data."`},
		{`{"tx_json":{"TransactionType":99,"Account":"` + issuer + `","Sequence":1,"Fee":"1"}}`, []string{"error_exception"}, `"Invalid transaction type 99"`},
		{`{"tx_json":{"TransactionType":"Payment","Account":"` + issuer + `","Sequence":1,"Fee":"1"}}`, []string{"error_exception"}, `"Field 'Destination' is required but missing."`},
	} {
		if got := text(w.ask(t, "simulate", c.params), c.path...); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.params, strings.Join(c.path, "."), got, c.want)
		}
	}
	// In hex, both ways: what comes back is what was sent, with what was missing.
	o, err := codec.ParseObject(w.issuer.credential(t, w.subject.id, []byte("new")).Blob)
	if err != nil {
		t.Fatal(err)
	}
	o.Delete(codec.SfTxnSignature)
	r := w.ask(t, "simulate", `{"binary":true,"tx_blob":"`+upperHex(o.Append(nil))+`"}`)
	o.SetBlob(codec.SfTxnSignature, nil)
	if text(r, "tx_blob") != `"`+upperHex(o.Append(nil))+`"` || text(r, "engine_result") != `"tesSUCCESS"` || text(r, "meta_blob") == "" {
		t.Errorf("%v", r)
	}
	if got := w.node.Current().State.Hash(); got != open {
		t.Error("the open ledger changed")
	}
	if l, err := w.Accept(context.Background()); err != nil || l != 7 || w.node.Closed().TxCount() != 0 {
		t.Error("something was kept")
	}

	for _, c := range []struct{ params, code, message string }{
		{`{"binary":1}`, "invalidParams", "Invalid field 'binary'."},
		{`{"secret":"x"}`, "invalidParams", "Invalid field 'secret'."},
		{`{"seed":"x","tx_json":{}}`, "invalidParams", "Invalid field 'seed'."},
		{`{"passphrase":"x"}`, "invalidParams", "Invalid field 'passphrase'."},
		{`{}`, "invalidParams", "Neither `tx_blob` nor `tx_json` included."},
		{`{"tx_blob":"00","tx_json":{}}`, "invalidParams", "Can only include one of `tx_blob` and `tx_json`."},
		{`{"tx_blob":5}`, "invalidParams", "Invalid field 'tx_blob'."},
		{`{"tx_blob":""}`, "invalidParams", "Invalid field 'tx_blob'."},
		{`{"tx_blob":"12"}`, "invalidParams", "Invalid field 'tx_blob'."},
		{`{"tx_json":5}`, "invalidParams", "Invalid field 'tx_json', not object."},
		{`{"tx_json":{}}`, "invalidParams", "Missing field 'tx.TransactionType'."},
		{`{"tx_json":{"TransactionType":"AccountSet"}}`, "invalidParams", "Missing field 'tx.Account'."},
		{`{"tx_json":{"TransactionType":"AccountSet","Account":5}}`, "invalidParams", "Invalid field 'tx.Account'."},
		{`{"tx_json":{"TransactionType":"AccountSet","Account":"x"}}`, "srcActMalformed", "Invalid field 'tx.Account'."},
		{`{"tx_json":{"TransactionType":"AccountSet","Account":"` + ghost + `"}}`, "srcActNotFound", "Source account not found."},
		{`{"tx_json":` + pay + `,"TxnSignature":"AB"}}`, "transactionSigned", "Transaction should not be signed."},
		{`{"tx_json":` + pay + `,"Signers":5}}`, "invalidParams", "Invalid field 'tx.Signers'."},
		{`{"tx_json":` + pay + `,"Signers":[{"Signer":{}},{"Signer":5}]}}`, "invalidParams", "Invalid field 'tx.Signers[1]'."},
		{`{"tx_json":` + pay + `,"Signers":[{"Signer":{"TxnSignature":"AB"}}]}}`, "transactionSigned", "Transaction should not be signed."},
		{`{"tx_json":{"TransactionType":"Batch","Account":"` + issuer + `","RawTransactions":[]}}`, "notImpl", "Not implemented."},
		{`{"tx_json":` + pay + `,"Nonsense":5}}`, "invalidParams", "Field 'tx_json.Nonsense' is unknown."},
		{`{"tx_json":` + pay + `,"Zzz":5,"Aaa":5}}`, "invalidParams", "Field 'tx_json.Aaa' is unknown."},
	} {
		w.refused(t, "simulate", c.params, c.code, c.message)
	}
}

// hashOf is the id of a transaction as simulate fills it in.
func (w *board) hashOf(t *testing.T, txj string) string {
	t.Helper()
	r := w.ask(t, "simulate", `{"binary":true,"tx_json":`+txj+`}`)
	blob, ok := unhex(strings.Trim(text(r, "tx_blob"), `"`))
	if !ok {
		t.Fatal(r)
	}
	tx, err := codec.ParseTx(blob)
	if err != nil {
		t.Fatal(err)
	}
	return tx.ID.String()
}
