package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is a ledger with an issuer, a subject, three credentials (types 01, 02, 03) and two tickets, all in ledger 5; what is
// validated is 5, open is 6.
type town struct {
	*Server
	client          *http.Client
	issuer, subject *testAccount
	credentials     []*codec.Tx
	tickets         *codec.Tx
}

func newTown(t testing.TB) *town {
	t.Helper()
	at := uint32(800_000_000)
	s := startServer(t, Config{GenesisCloseTime: &at})
	w := &town{Server: s, client: &http.Client{Timeout: 20 * time.Second}}
	t.Cleanup(w.client.CloseIdleConnections)
	w.issuer = newTestAccount(t, s, codec.Ed25519, "issuer")
	w.subject = newTestAccount(t, s, codec.Secp256k1, "subject")
	for i := range 3 {
		c := w.issuer.credential(t, w.subject.id, []byte{byte(i + 1)})
		w.credentials = append(w.credentials, c)
		w.submit(t, c)
	}
	w.tickets = w.issuer.sign(t, codec.TtTicketCreate, func(o *codec.Object) { o.SetUint(codec.SfTicketCount, 2) })
	w.submit(t, w.tickets)
	w.issuer.next += 2 // the tickets took them
	if seq, err := s.Accept(context.Background()); err != nil || seq != 5 {
		t.Fatal(seq, err)
	}
	return w
}

func (w *town) submit(t testing.TB, tx *codec.Tx) {
	t.Helper()
	if r := w.node.Submit(tx, false); !r.Result.IsTes() {
		t.Fatal(r.Result)
	}
}

// ask posts a request, and gives the members of its result.
func (w *town) ask(t testing.TB, method, params string) map[string]any {
	t.Helper()
	got := postRaw(t, w.client, w.Server, fmt.Appendf(nil, `{"method":%q,"params":[%s]}`, method, params))
	r, ok := got.(map[string]any)["result"].(map[string]any)
	if !ok {
		t.Fatalf("%s %s: %v", method, params, got)
	}
	return r
}

// text is a member as JSON: "" when there is none.
func text(o map[string]any, path ...string) string {
	var v any = o
	for _, k := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		if v, ok = m[k]; !ok {
			return ""
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// What rippled answers to requests that are wrong, beyond what is recorded: from its source, file by file.
func TestRefusals(t *testing.T) {
	w := newTown(t)
	issuer, subject := w.issuer.id.String(), w.subject.id.String()
	hash5 := w.node.Closed().Hash.String()
	id := w.credentials[0].ID.String()
	for _, c := range []struct{ method, params, code, message string }{
		// RPCHelpers.cpp, ledgerFromRequest
		{"account_info", `{"account":"` + issuer + `","ledger_index":-1}`, "invalidParams", "Invalid field 'ledger_index', not string or number."},
		{"account_info", `{"account":"` + issuer + `","ledger_index":"-1"}`, "invalidParams", "Invalid field 'ledger_index', not string or number."},
		{"account_info", `{"account":"` + issuer + `","ledger_index":"7"}`, "lgrNotFound", "ledgerNotFound"},
		{"account_info", `{"account":"` + issuer + `","ledger_index":2.5}`, "invalidParams", "Invalid field 'ledger_index', not string or number."},
		{"account_info", `{"account":"` + issuer + `","ledger_index":{"a":1}}`, "invalidParams", "Invalid field 'ledger_index', not string or number."},
		{"account_info", `{"account":"` + issuer + `","ledger_hash":5}`, "invalidParams", "Invalid field 'ledger_hash', not hex string."},
		{"account_info", `{"account":"` + issuer + `","ledger_hash":"` + strings.Repeat("A", 64) + `"}`, "lgrNotFound", "ledgerNotFound"},
		{"account_info", `{"account":"` + issuer + `","ledger":"` + strings.Repeat("A", 63) + `"}`, "invalidParams", "Invalid field 'ledger', not string or number."},
		{"account_info", `{"account":"` + issuer + `","ledger":"nonsense"}`, "invalidParams", "Invalid field 'ledger', not string or number."},
		// AccountInfo.cpp
		{"account_info", `{"ident":5}`, "invalidParams", "Invalid field 'ident'."},
		{"account_info", `{"account":"` + issuer + `","queue":true,"ledger_index":"validated"}`, "invalidParams", "Invalid parameters."},
		{"account_info", `{"account":"` + issuer + `","signer_lists":"x","api_version":2}`, "invalidParams", "Invalid parameters."},
		// AccountObjects.cpp
		{"account_objects", `{"account":5}`, "invalidParams", "Invalid field 'account'."},
		{"account_objects", `{"account":"` + issuer + `","type":5}`, "invalidParams", "Invalid field 'type', not string."},
		{"account_objects", `{"account":"` + issuer + `","type":"hashes"}`, "invalidParams", "Invalid field 'type'."},
		{"account_objects", `{"account":"` + issuer + `","limit":"10"}`, "invalidParams", "Invalid field 'limit', not unsigned integer."},
		{"account_objects", `{"account":"` + issuer + `","limit":1.5}`, "invalidParams", "Invalid field 'limit', not unsigned integer."},
		{"account_objects", `{"account":"` + issuer + `","marker":5}`, "invalidParams", "Invalid field 'marker', not string."},
		{"account_objects", `{"account":"` + issuer + `","marker":"` + hash5 + `,` + hash5 + `"}`, "invalidParams", "Invalid field 'marker'."},
		{"account_objects", `{"account":"` + issuer + `","marker":"` + engine.OwnerDirKey(w.issuer.id).String() + `,` + hash5 + `"}`,
			"invalidParams", "Invalid field 'marker'."},
		// AccountTx.cpp
		{"account_tx", `{}`, "invalidParams", "Missing field 'account'."},
		{"account_tx", `{"account":5}`, "invalidParams", "Invalid field 'account'."},
		{"account_tx", `{"account":{}}`, "invalidParams", "Invalid field 'account'."},
		{"account_tx", `{"account":null}`, "invalidParams", "Invalid field 'account'."},
		{"account_tx", `{"account":5,"limit":0}`, "invalidParams", "Invalid field 'limit'."},
		{"account_tx", `{"account":"` + issuer + `","marker":{"ledger":3.5,"seq":0}}`, "invalidParams",
			"invalid marker. Provide ledger index via ledger field, and transaction sequence number via seq field"},
		{"ledger_entry", `{"directory":{"owner":"` + issuer + `","sub_index":0.5}}`, "malformedRequest", "Invalid field 'sub_index', not number."},
		{"account_tx", `{"account":"` + issuer + `","limit":-1}`, "invalidParams", "Invalid field 'limit', not unsigned integer."},
		{"account_tx", `{"account":"` + issuer + `","binary":1,"api_version":2}`, "invalidParams", "Invalid field 'binary'."},
		{"account_tx", `{"account":"` + issuer + `","ledger_index_min":5,"ledger_index_max":3}`, "lgrIdxsInvalid", "Ledger indexes invalid."},
		{"account_tx", `{"account":"` + issuer + `","ledger_index_min":5,"ledger_index_max":3,"api_version":2}`, "invalidLgrRange", "Ledger range is invalid."},
		{"account_tx", `{"account":"` + issuer + `","ledger_index_max":9,"api_version":2}`, "lgrIdxMalformed", "Ledger index malformed."},
		{"account_tx", `{"account":"` + issuer + `","ledger_index_max":4,"ledger_index":3,"api_version":2}`, "invalidParams", "invalidParams"},
		{"account_tx", `{"account":"` + issuer + `","ledger_index":"nonsense"}`, "invalidParams", "ledger_index string malformed"},
		{"account_tx", `{"account":"` + issuer + `","ledger_index":"current"}`, "lgrNotValidated", "Ledger not validated."},
		{"account_tx", `{"account":"` + issuer + `","ledger_index":1}`, "lgrNotValidated", "Ledger not validated."},
		{"account_tx", `{"account":"` + issuer + `","ledger_index":9}`, "lgrNotFound", "ledgerNotFound"},
		{"account_tx", `{"account":"` + issuer + `","ledger_hash":"AB"}`, "invalidParams", "ledgerHashMalformed"},
		{"account_tx", `{"account":"` + issuer + `","marker":{"ledger":5}}`, "invalidParams",
			"invalid marker. Provide ledger index via ledger field, and transaction sequence number via seq field"},
		// LedgerHandler.cpp
		{"ledger", `{"ledger_index":"validated","queue":true}`, "invalidParams", "Invalid parameters."},
		// LedgerData.cpp
		{"ledger_data", `{"marker":5}`, "invalidParams", "Invalid field 'marker', not valid."},
		{"ledger_data", `{"marker":"AB"}`, "invalidParams", "Invalid field 'marker', not valid."},
		{"ledger_data", `{"limit":"5"}`, "invalidParams", "Invalid field 'limit', not integer."},
		{"ledger_data", `{"type":"nonsense"}`, "invalidParams", "Invalid field 'type'."},
		// LedgerEntry.cpp: neither code nor message
		{"ledger_entry", `{"api_version":2}`, "invalidParams", "No ledger_entry params provided."},
		{"ledger_entry", `{"index":5}`, "malformedRequest", "Invalid field 'index', not hex string."},
		{"ledger_entry", `{"index":{"a":1}}`, "malformedRequest", "Invalid field 'index', not hex string."},
		{"ledger_entry", `{"index":{"a":1},"api_version":2}`, "malformedRequest", "Invalid field 'index', not hex string."},
		{"ledger_entry", `{"params":["AB"]}`, "unknownOption", ""},
		{"ledger_entry", `{"account_root":"junk"}`, "malformedAddress", "Invalid field 'account_root', not AccountID."},
		{"ledger_entry", `{"account_root":"rrrrrrrrrrrrrrrrrrrrrhoLvTp"}`, "malformedAddress", "Invalid field 'account_root', not AccountID."},
		{"ledger_entry", `{"check":"AB"}`, "malformedRequest", "Invalid field 'check', not hex string."},
		{"ledger_entry", `{"check":"` + engine.AccountKey(w.issuer.id).String() + `"}`, "unexpectedLedgerType", "Unexpected ledger type."},
		{"ledger_entry", `{"directory":null}`, "malformedRequest", "Invalid field 'directory', not hex string or object."},
		{"ledger_entry", `{"directory":{}}`, "malformedRequest", "Must have exactly one of `owner` and `dir_root` fields."},
		{"ledger_entry", `{"directory":{"owner":"` + issuer + `","sub_index":"1"}}`, "malformedRequest", "Invalid field 'sub_index', not number."},
		{"ledger_entry", `{"directory":{"owner":"junk"}}`, "malformedAddress", "Invalid field 'owner', not AccountID."},
		{"ledger_entry", `{"directory":{"owner":"` + issuer + `","dir_root":"` + hash5 + `"}}`, "malformedRequest", "Must have exactly one of `owner` and `dir_root` fields."},
		{"ledger_entry", `{"directory":{"owner":"` + issuer + `","sub_index":7}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"ticket":{"account":"` + issuer + `"}}`, "malformedRequest", "Missing field 'ticket_seq'."},
		{"ledger_entry", `{"ticket":{"account":"junk","ticket_seq":1}}`, "malformedAddress", "Invalid field 'account', not AccountID."},
		{"ledger_entry", `{"ticket":{"account":"` + issuer + `","ticket_seq":1}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"ticket":{"account":"` + issuer + `","ticket_seq":-1},"api_version":2}`, "malformedRequest", "Invalid field 'ticket_seq', not number."},
		{"ledger_entry", `{"offer":{"account":"` + issuer + `","seq":1}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"offer":{"account":"junk","seq":1}}`, "malformedAddress", "Invalid field 'account', not AccountID."},
		{"ledger_entry", `{"escrow":{"owner":"junk","seq":1}}`, "malformedOwner", "Invalid field 'owner', not AccountID."},
		{"ledger_entry", `{"deposit_preauth":{"owner":"` + issuer + `"}}`, "malformedRequest", "Must have exactly one of `authorized` and `authorized_credentials`."},
		{"ledger_entry", `{"deposit_preauth":{"owner":"junk","authorized":"` + subject + `"}}`, "malformedOwner", "Invalid field 'owner', not AccountID."},
		{"ledger_entry", `{"deposit_preauth":{"owner":"` + issuer + `","authorized":"junk"}}`, "malformedAuthorized", "Invalid field 'authorized', not AccountID."},
		{"ledger_entry", `{"deposit_preauth":{"owner":"` + issuer + `","authorized":"` + subject + `"}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"deposit_preauth":{"owner":"` + issuer + `","authorized_credentials":[]}}`, "malformedAuthorizedCredentials", "Invalid field 'authorized_credentials', array empty."},
		{"ledger_entry", `{"ripple_state":{"currency":"USD","accounts":["` + issuer + `","` + issuer + `"]}}`, "malformedRequest", "Cannot have a trustline to self."},
		{"ledger_entry", `{"ripple_state":{"currency":"USDX","accounts":["` + issuer + `","` + subject + `"]}}`, "malformedCurrency", "Invalid field 'currency', not Currency."},
		{"ledger_entry", `{"ripple_state":{"currency":"USD","accounts":["` + issuer + `","` + subject + `"]}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"did":"junk"}`, "malformedAddress", "Invalid field 'did', not AccountID."},
		{"ledger_entry", `{"did":"` + issuer + `"}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"oracle":{"account":"` + issuer + `","oracle_document_id":"x"}}`, "malformedDocumentID", "Invalid field 'oracle_document_id', not number."},
		{"ledger_entry", `{"oracle":{"account":"` + issuer + `","oracle_document_id":"7"}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"amm":{"asset":{"currency":"XRP"},"asset2":{"currency":"USD"}}}`, "malformedRequest", "Invalid field 'asset2', not Asset."},
		{"ledger_entry", `{"amm":{"asset":{"currency":"XRP"},"asset2":{"currency":"USD","issuer":"` + issuer + `"}}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"nft_page":5}`, "malformedRequest", "Invalid field 'nft_page', not hex string."},
		{"ledger_entry", `{"payment_channel":"AB"}`, "malformedRequest", "Invalid field 'payment_channel', not hex string."},
		{"ledger_entry", `{"bridge":{},"bridge_account":"` + issuer + `"}`, "malformedRequest", "Missing field 'LockingChainDoor'."},
		{"ledger_entry", `{"xchain_owned_claim_id":5}`, "malformedRequest", "Invalid field 'xchain_owned_claim_id', not hex string or object."},
		{"ledger_entry", `{"mpt_issuance":5}`, "malformedMPTokenIssuance", "Invalid field 'mpt_issuance', not Hash192."},
		{"ledger_entry", `{"mpt_issuance":"` + strings.Repeat("A", 47) + `"}`, "malformedMPTokenIssuance", "Invalid field 'mpt_issuance', not Hash192."},
		{"ledger_entry", `{"mpt_issuance":"` + strings.Repeat("A", 48) + `"}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"mptoken":"AB"}`, "malformedRequest", "Invalid field 'mptoken', not hex string or object."},
		{"ledger_entry", `{"mptoken":"` + strings.Repeat("A", 64) + `"}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"mptoken":{"account":"` + issuer + `"}}`, "malformedRequest", "Missing field 'mpt_issuance_id'."},
		{"ledger_entry", `{"mptoken":{"account":"junk","mpt_issuance_id":"AB"}}`, "malformedMPTIssuanceID", "Invalid field 'mpt_issuance_id', not Hash192."},
		{"ledger_entry", `{"mptoken":{"account":"junk","mpt_issuance_id":"` + strings.Repeat("A", 48) + `"}}`, "malformedAccount", "Invalid field 'account', not AccountID."},
		{"ledger_entry", `{"mptoken":{"account":"rrrrrrrrrrrrrrrrrrrrrhoLvTp","mpt_issuance_id":"0"}}`, "malformedAccount", "Invalid field 'account', not AccountID."},
		{"ledger_entry", `{"mptoken":{"account":"` + issuer + `","mpt_issuance_id":"` + strings.Repeat("A", 48) + `"}}`, "entryNotFound", "Entry not found."},
		{"ledger_entry", `{"mptoken":{"account":"` + issuer + `","mpt_issuance_id":["A"]}}`, "malformedMPTIssuanceID", "Invalid field 'mpt_issuance_id', not Hash192."},
		// Tx.cpp
		{"tx", `{"transaction":"` + id + `","ctid":"C000000500000000"}`, "invalidParams", "Invalid parameters."},
		{"tx", `{"ctid":"C00000050000000"}`, "invalidParams", "Invalid parameters."},
		{"tx", `{"ctid":"D000000500000000"}`, "invalidParams", "Invalid parameters."},
		{"tx", `{"ctid":"C000000500000001"}`, "wrongNetwork", "Wrong network. You should submit this request to a node running on NetworkID: 1"},
		{"tx", `{"ctid":"C000000500090000"}`, "txnNotFound", "Transaction not found."},
		{"tx", `{"ctid":"C000000900000000"}`, "txnNotFound", "Transaction not found."},
		{"tx", `{"transaction":"` + hash5 + `","min_ledger":5,"max_ledger":3}`, "invalidLgrRange", "Ledger range is invalid."},
		{"tx", `{"transaction":"` + hash5 + `","min_ledger":-1,"max_ledger":3}`, "invalidLgrRange", "Ledger range is invalid."},
		{"tx", `{"transaction":"` + hash5 + `","min_ledger":1,"max_ledger":1002}`, "excessiveLgrRange", "Ledger range exceeds 1000."},
		{"tx", `{"transaction":[1]}`, "internal", "Internal error."},
		// Submit.cpp, TransactionSign.cpp
		{"submit", `{"tx_blob":[1]}`, "internal", "Internal error."},
		{"submit", `{"tx_blob":""}`, "invalidParams", "Invalid parameters."},
		{"submit", `{"secret":"x","seed":"y"}`, "invalidParams", "Exactly one of the following must be specified: passphrase, secret, seed or seed_hex"},
		{"submit", `{"secret":"x","key_type":"ed25519"}`, "invalidParams", "The secret field is not allowed if key_type is used."},
		{"submit", `{"seed":"x","key_type":"rsa"}`, "invalidParams", "Invalid field 'key_type'."},
		{"submit", `{"seed":"x","key_type":"rsa","api_version":2}`, "invalidParams", "Invalid field 'key_type'."},
		{"submit", `{"seed":"x","key_type":"secp256k1"}`, "badSeed", "Disallowed seed."},
		{"submit", `{"secret":5}`, "invalidParams", "Invalid field 'secret', not string."},
		{"submit", `{"secret":"` + issuer + `"}`, "badSeed", "Invalid field 'secret'."},
		{"submit", `{"secret":"masterpassphrase"}`, "invalidParams", "Missing field 'tx_json'."},
		{"submit", `{"secret":"masterpassphrase","tx_json":5}`, "invalidParams", "Invalid field 'tx_json', not object."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{}}`, "invalidParams", "Missing field 'tx_json.TransactionType'."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"AccountSet"}}`, "srcActMissing", "Missing field 'tx_json.Account'."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"AccountSet","Account":"junk"}}`, "srcActMalformed", "Invalid field 'tx_json.Account'."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"AccountSet","Account":"rrrrrrrrrrrrrrrrrrrrrhoLvTp"}}`, "srcActNotFound", "Source account not found."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"AccountSet","Account":"` + issuer + `"}}`, "badSecret", "Secret does not match account."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"AccountSet","Account":"` + GenesisAddress + `","Nonsense":1}}`, "invalidParams", "Field 'tx_json.Nonsense' is unknown."},
		{"submit", `{"secret":"masterpassphrase","tx_json":{"TransactionType":"Payment","Account":"` + GenesisAddress + `"}}`, "invalidParams", "Missing field 'tx_json.Amount'."},
		{"submit", `{"secret":"masterpassphrase","offline":true,"tx_json":{"TransactionType":"AccountSet","Account":"` + GenesisAddress + `"}}`, "invalidParams", "Missing field 'tx_json.Sequence'."},
		// others
		{"subscribe", `{"streams":["ledger"]}`, "invalidParams", "Invalid parameters."},
		{"subscribe", `{"url":"http://127.0.0.1:1/"}`, "notSupported", "Subscriptions by url are not supported. Use a WebSocket."},
		{"unsubscribe", `{}`, "invalidParams", "Invalid parameters."},
		// Feature1.cpp
		{"feature", `{"feature":"nonsense"}`, "badFeature", "Feature unknown or invalid."},
		{"feature", `{"feature":1}`, "invalidParams", "Invalid parameters."},
		{"feature", `{"feature":null}`, "invalidParams", "Invalid parameters."},
		{"wallet_propose", `{}`, "unknownCmd", "Unknown method."},
		{"ping", `{"command":"x","method":"y"}`, "unknownCmd", "Unknown method."},
		{"ledger_accept", `{"close_time":"now"}`, "invalidParams", "Invalid field 'close_time', not unsigned integer."},
		{"ledger_accept", `{"close_time":-1}`, "invalidParams", "Invalid field 'close_time', not unsigned integer."},
		{"ledger_accept", `{"close_time":5}`, "invalidParams", "Invalid field 'close_time', not after the last ledger's close time."},
	} {
		r := w.ask(t, c.method, c.params)
		message := ""
		if c.message != "" {
			message = fmt.Sprintf("%q", c.message)
		}
		if text(r, "error") != fmt.Sprintf("%q", c.code) || text(r, "error_message") != message || text(r, "status") != `"error"` {
			t.Errorf("%s %s:\n got %s %s\nwant %q %s", c.method, c.params, text(r, "error"), text(r, "error_message"), c.code, message)
		}
		if c.message != "" && text(r, "error_code") == "" {
			t.Errorf("%s %s: no error_code", c.method, c.params)
		}
	}
	if seq := w.node.Closed().Seq; seq != 5 {
		t.Errorf("a refused request closed a ledger: %d", seq)
	}
}

// What is in the answers to requests that are right, beyond what is recorded.
func TestAnswers(t *testing.T) {
	w := newTown(t)
	issuer, subject := w.issuer.id.String(), w.subject.id.String()
	closed := w.node.Closed()
	id := w.credentials[0].ID.String()
	first := recordAt(w.node, 5, 0)
	ctid := "C000000500000000"
	for _, c := range []struct {
		method, params string
		path           []string
		want           string // "" for absent
	}{
		{"account_info", `{"account":"` + issuer + `","ledger_index":"5"}`, []string{"ledger_index"}, "5"},
		{"account_info", `{"account":"` + issuer + `","ledger_index":6}`, []string{"ledger_current_index"}, "6"},
		{"account_info", `{"account":"` + issuer + `","ledger":"closed"}`, []string{"validated"}, "true"},
		{"account_info", `{"account":"` + issuer + `","ledger":"` + closed.Hash.String() + `"}`, []string{"ledger_index"}, "5"},
		{"account_info", `{"account":"` + issuer + `","ledger_hash":"` + strings.ToLower(closed.Hash.String()) + `"}`, []string{"ledger_index"}, "5"},
		{"account_info", `{"ident":"` + issuer + `"}`, []string{"account_data", "Account"}, `"` + issuer + `"`},
		{"account_info", `{"account":"` + issuer + `","signer_lists":true}`, []string{"account_data", "signer_lists"}, "[]"},
		{"account_info", `{"account":"` + issuer + `","signer_lists":true,"api_version":2}`, []string{"signer_lists"}, "[]"},
		{"account_info", `{"account":"` + issuer + `","queue":true}`, []string{"queue_data"}, `{"txn_count":0}`},
		{"account_objects", `{"account":"` + issuer + `","type":"ticket","limit":1}`, []string{"limit"}, "1"},
		{"account_objects", `{"account":"` + subject + `","deletion_blockers_only":true}`, []string{"account_objects"}, "[]"},
		{"account_objects", `{"account":"` + GenesisAddress + `"}`, []string{"account_objects"}, "[]"},
		{"account_tx", `{"account":"` + issuer + `","limit":2}`, []string{"marker"}, `{"ledger":5,"seq":1}`},
		{"account_tx", `{"account":"` + issuer + `","limit":2}`, []string{"limit"}, "2"},
		{"account_tx", `{"account":"` + issuer + `","limit":1,"forward":true,"marker":{"ledger":5,"seq":1}}`, []string{"marker"}, `{"ledger":5,"seq":2}`},
		{"account_tx", `{"account":"` + issuer + `","marker":{"ledger":5,"seq":77}}`, []string{"transactions"}, "[]"},
		{"account_tx", `{"account":"` + issuer + `","ledger_index":3,"forward":true}`, []string{"ledger_index_max"}, "3"},
		{"account_tx", `{"account":"` + issuer + `","ledger_index_min":-1,"ledger_index_max":4}`, []string{"ledger_index_min"}, "2"},
		{"ledger", `{}`, []string{"open", "ledger", "ledger_index"}, `"6"`},
		{"ledger", `{}`, []string{"closed", "ledger", "ledger_hash"}, `"` + closed.Hash.String() + `"`},
		{"ledger", `{"api_version":2}`, []string{"closed", "ledger", "ledger_index"}, "5"},
		{"ledger", `{"ledger_index":"validated","binary":true}`, []string{"ledger", "ledger_data"}, `"` + upperHex(closed.AppendRaw(nil)) + `"`},
		{"ledger", `{"ledger_index":"current","full":true}`, []string{"ledger", "ledger_hash"}, `"` + closed.Hash.String() + `"`},
		{"ledger", `{"ledger_index":"current","queue":true}`, []string{"queue_data"}, ""},
		{"ledger", `{"ledger_index":"validated","type":"ticket"}`, []string{"warnings"}, `[{"id":2004,"message":"` + typeDeprecated + `"}]`},
		{"ledger_data", `{"ledger_index":"validated","limit":0}`, []string{"state"}, "[]"},
		{"ledger_data", `{"ledger_index":"current"}`, []string{"ledger_hash"}, `"` + closed.Hash.String() + `"`},
		{"ledger_data", `{"ledger_index":"validated","marker":"` + strings.Repeat("F", 64) + `"}`, []string{"ledger"}, ""},
		{"ledger_entry", `{"index":"` + strings.Repeat("0", 64) + `"}`, []string{"error"}, `"entryNotFound"`},
		{"ledger_entry", `{"account":"` + issuer + `"}`, []string{"node", "Account"}, `"` + issuer + `"`},
		{"ledger_entry", `{"directory":{"owner":"` + issuer + `"}}`, []string{"node", "Owner"}, `"` + issuer + `"`},
		{"ledger_entry", `{"directory":"` + engine.OwnerDirKey(w.issuer.id).String() + `"}`, []string{"node", "LedgerEntryType"}, `"DirectoryNode"`},
		{"ledger_entry", `{"ticket":{"account":"` + issuer + `","ticket_seq":` + fmt.Sprint(w.tickets.Uint(codec.SfSequence)+1) + `}}`,
			[]string{"node", "LedgerEntryType"}, `"Ticket"`},
		{"ledger_entry", `{"credential":{"subject":"` + subject + `","issuer":"` + issuer + `","credential_type":"1"}}`, []string{"node", "CredentialType"}, `"01"`},
		{"ledger_entry", `{"credential":{"subject":"` + subject + `","issuer":"` + issuer + `","credential_type":"01"},"binary":true}`, []string{"node"}, ""},
		{"tx", `{"ctid":"` + ctid + `"}`, []string{"hash"}, `"` + first.Tx.ID.String() + `"`},
		{"tx", `{"ctid":"` + strings.ToLower(ctid) + `"}`, []string{"ctid"}, `"` + ctid + `"`},
		{"tx", `{"transaction":"` + strings.ToLower(id) + `"}`, []string{"hash"}, `"` + id + `"`},
		{"tx", `{"transaction":"` + id + `","min_ledger":900,"max_ledger":901}`, []string{"validated"}, "true"},
		{"tx", `{"transaction":"` + id + `","binary":true,"api_version":2}`, []string{"tx_blob"}, `"` + upperHex(w.credentials[0].Blob) + `"`},
		{"tx", `{"transaction":"` + id + `","api_version":2}`, []string{"tx_json", "hash"}, ""},
		{"tx", `{"transaction":"` + id + `","api_version":2}`, []string{"close_time_iso"}, `"` + isoTime(closed.CloseTime) + `"`},
		{"tx", `{"transaction":"` + closed.Hash.String() + `","min_ledger":3,"max_ledger":5}`, []string{"searched_all"}, "true"},
		{"tx", `{"transaction":"` + closed.Hash.String() + `","min_ledger":2,"max_ledger":5}`, []string{"searched_all"}, "false"}, // 2 is empty
		{"tx", `{"transaction":"` + closed.Hash.String() + `"}`, []string{"searched_all"}, ""},
		{"feature", `{"feature":"Credentials"}`, []string{codec.Sha512Half([]byte("Credentials")).String(), "enabled"}, "true"},
		{"feature", `{"feature":"` + codec.Sha512Half([]byte("MultiSign")).String() + `","vetoed":true}`, []string{codec.Sha512Half([]byte("MultiSign")).String(), "vetoed"}, `"Obsolete"`},
		{"feature", `{"feature":"` + strings.Repeat("A", 64) + `"}`, []string{"error"}, `"badFeature"`},
		{"server_info", `{"counters":true}`, []string{"info", "counters", "rpc", "feature", "errored"}, `"1"`},
		{"server_state", `{}`, []string{"state", "validated_ledger", "base_fee"}, "10"},
		{"fee", `{}`, []string{"ledger_current_index"}, "6"},
	} {
		r := w.ask(t, c.method, c.params)
		if got := text(r, c.path...); got != c.want {
			t.Errorf("%s %s: %s is %s, want %s", c.method, c.params, strings.Join(c.path, "."), got, c.want)
		}
	}
}

// A queued transaction that is not expanded is shown by its id: in "tx" before version 2, in "hash" since then (LedgerToJson.cpp).
func TestQueueData(t *testing.T) {
	s := startServer(t, Config{LedgerCapacity: 1})
	w := &town{Server: s, client: &http.Client{Timeout: 20 * time.Second}}
	t.Cleanup(w.client.CloseIdleConnections)
	a := newTestAccount(t, s, codec.Ed25519, "queuing")
	var queued *codec.Tx
	for range 4 {
		tx := a.sign(t, codec.TtAccountSet, func(*codec.Object) {})
		if w.node.Submit(tx, false).Queued {
			queued = tx
			break
		}
	}
	if queued == nil {
		t.Fatal("nothing is queued")
	}
	id := `"` + queued.ID.String() + `"`
	for _, k := range []struct{ params, tx, hash string }{
		{`"api_version":1`, id, ""},
		{`"api_version":2`, "", id},
		{`"api_version":2,"expand":true`, "", id},
	} {
		r := w.ask(t, "ledger", `{"ledger_index":"current","queue":true,`+k.params+`}`)
		first := r["queue_data"].([]any)[0].(map[string]any)
		if text(first, "tx") != k.tx || text(first, "hash") != k.hash {
			t.Errorf("%s: %v", k.params, first)
		}
	}
}

// Pages put together are the whole, for each request that has pages, whatever the limit.
func TestPages(t *testing.T) {
	w := newTown(t)
	issuer := w.issuer.id.String()
	for _, c := range []struct{ method, params, list string }{
		{"account_objects", `"account":"` + issuer + `","ledger_index":"validated"`, "account_objects"},
		{"account_objects", `"account":"` + issuer + `","type":"ticket","ledger_index":"validated"`, "account_objects"},
		{"ledger_data", `"ledger_index":"validated"`, "state"},
		{"ledger_data", `"ledger_index":"validated","binary":true`, "state"},
		{"ledger_data", `"ledger_index":"validated","type":"credential"`, "state"},
		{"account_tx", `"account":"` + issuer + `"`, "transactions"},
		{"account_tx", `"account":"` + issuer + `","forward":true,"binary":true`, "transactions"},
	} {
		whole := w.ask(t, c.method, "{"+c.params+"}")
		if text(whole, "marker") != "" || len(whole[c.list].([]any)) < 2 {
			t.Fatalf("%s %s: %v", c.method, c.params, whole)
		}
		for limit := 1; limit <= 4; limit++ {
			var all []any
			marker := ""
			for pages := 0; ; pages++ {
				r := w.ask(t, c.method, fmt.Sprintf(`{%s,"limit":%d%s}`, c.params, limit, marker))
				list, ok := r[c.list].([]any)
				if !ok || len(list) > limit || pages > 100 {
					t.Fatalf("%s %s, limit %d: %v", c.method, c.params, limit, r)
				}
				all = append(all, list...)
				m := text(r, "marker")
				if m == "" {
					break
				}
				marker = `,"marker":` + m
			}
			if got, want := text(map[string]any{"l": all}, "l"), text(whole, c.list); got != want {
				t.Errorf("%s %s, limit %d:\n got %s\nwant %s", c.method, c.params, limit, got, want)
			}
		}
	}
}

// submit signs, with each form of secret, and fills in what is missing.
func TestSignAndSubmit(t *testing.T) {
	w := newTown(t)
	for _, secret := range []string{
		`"secret":"masterpassphrase"`, `"secret":"` + GenesisSeed + `"`, `"secret":"DEDCE9CE67B451D852FD4E846FCDE31C"`,
		`"key_type":"secp256k1","passphrase":"masterpassphrase"`, `"key_type":"secp256k1","seed":"` + GenesisSeed + `"`,
		`"key_type":"secp256k1","seed_hex":"DEDCE9CE67B451D852FD4E846FCDE31C"`,
	} {
		r := w.ask(t, "submit", `{`+secret+`,"tx_json":{"TransactionType":"Payment","Account":"`+GenesisAddress+`","Destination":"`+
			w.issuer.id.String()+`","DeliverMax":"5","Memos":[{"Memo":{"MemoData":"AB"}}]}}`)
		if text(r, "engine_result") != `"tesSUCCESS"` || text(r, "tx_json", "Fee") != `"10"` || text(r, "deprecated") == "" ||
			text(r, "tx_json", "DeliverMax") != `"5"` {
			t.Errorf("%s: %v", secret, r)
		}
	}
	// The secret is not repeated where the request is.
	r := w.ask(t, "submit", `{"secret":"masterpassphrase","tx_json":{}}`)
	if text(r, "request", "secret") != `"<masked>"` {
		t.Error(r["request"])
	}
}

// What fails before it reaches a ledger is told in other words the second time, as rippled does.
func TestSubmitAgain(t *testing.T) {
	w := newTown(t)
	blob := append([]byte(nil), w.issuer.credential(t, w.subject.id, []byte("x")).Blob...)
	o, err := codec.ParseObject(blob)
	if err != nil {
		t.Fatal(err)
	}
	signature := append([]byte(nil), o.Blob(codec.SfTxnSignature)...)
	signature[5] ^= 1
	o.SetBlob(codec.SfTxnSignature, signature)
	bad := upperHex(o.Append(nil))
	for _, want := range []string{"fails local checks: Invalid signature.", "fails local checks: Transaction has bad signature."} {
		if r := w.ask(t, "submit", `{"tx_blob":"`+bad+`"}`); text(r, "error_exception") != fmt.Sprintf("%q", want) {
			t.Errorf("got %v, want %s", r, want)
		}
	}
}
