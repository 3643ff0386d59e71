package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// What is wrong with requests about tokens, offers, channels and single transactions, from rippled's source, file by file.
func TestTokenRefusals(t *testing.T) {
	w := newTown(t)
	issuer, subject := w.issuer.id.String(), w.subject.id.String()
	const nobody = "rsLDjwoYo91UUg1b4wS5WveGAKMKKbreqi"
	no := strings.Repeat("A", 64)
	with := func(account, more string) string { return `{"account":"` + account + `"` + more + `}` }
	usd := `{"currency":"USD","issuer":"` + issuer + `"}`
	book := func(pays, gets, more string) string {
		return `{"taker_pays":` + pays + `,"taker_gets":` + gets + more + `}`
	}
	const xrp = `{"currency":"XRP"}`
	const one = "rrrrrrrrrrrrrrrrrrrrBZbvji"
	type refusal struct{ method, params, code, message string }
	cases := []refusal{
		// AccountLines.cpp
		{"account_lines", with(issuer, `,"peer":"junk"`), "actMalformed", "Account malformed."},
		{"account_lines", with(issuer, `,"peer":{"a":1}`), "internal", "Internal error."},
		{"account_lines", with(issuer, `,"marker":"x,0"`), "invalidParams", "Invalid parameters."},
		{"account_lines", with(issuer, `,"marker":"`+no+`,0"`), "invalidParams", "Invalid parameters."},
		// AccountOffers.cpp
		{"account_offers", with(issuer, `,"marker":"x,0"`), "invalidParams", "Invalid field 'marker'."},
		// AccountChannels.cpp
		{"account_channels", with(issuer, `,"destination_account":"junk"`), "actMalformed", "Account malformed."},
		{"account_channels", with(issuer, `,"destination_account":5`), "invalidParams", "Invalid field 'destination_account'."},
		{"account_channels", with(issuer, `,"marker":"x"`), "invalidParams", "Invalid parameters."},
		// AccountCurrenciesHandler.cpp
		{"account_currencies", `{"ident":5}`, "invalidParams", "Invalid field 'ident'."},
		{"account_currencies", `{"ident":"junk"}`, "actMalformed", "Account malformed."},
		// AccountObjects.cpp, doAccountNFTs
		{"account_nfts", with(issuer, `,"marker":"AB"`), "invalidParams", "Invalid field 'marker'."},
		{"account_nfts", with(issuer, `,"marker":"`+no+`"`), "invalidParams", "Invalid field 'marker'."},
		{"account_nfts", with("junk", `,"ledger_index":99`), "actMalformed", "Account malformed."},
		// GatewayBalances.cpp: the ledger comes first
		{"gateway_balances", `{}`, "invalidParams", "Missing field 'account'."},
		{"gateway_balances", `{"ledger_index":99}`, "lgrNotFound", "ledgerNotFound"},
		{"gateway_balances", with("junk", ``), "actMalformed", "Account malformed."},
		{"gateway_balances", with(issuer, `,"hotwallet":5`), "invalidHotWallet", "Invalid hotwallet."},
		{"gateway_balances", with(issuer, `,"hotwallet":["`+subject+`","junk"]`), "invalidHotWallet", "Invalid hotwallet."},
		{"gateway_balances", with(issuer, `,"hotwallet":"junk","api_version":2`), "invalidParams", "Invalid parameters."},
		{"gateway_balances", with(nobody, `,"api_version":2`), "actNotFound", "Account not found."},
		// NoRippleCheck.cpp
		{"noripple_check", `{}`, "invalidParams", "Missing field 'account'."},
		{"noripple_check", `{"account":5}`, "invalidParams", "Missing field 'role'."},
		{"noripple_check", `{"account":5,"role":"x"}`, "invalidParams", "Invalid field 'account'."},
		{"noripple_check", with("junk", `,"role":"x"`), "invalidParams", "Invalid field 'role'."},
		{"noripple_check", with("junk", `,"role":"user","limit":-1`), "invalidParams", "Invalid field 'limit', not unsigned integer."},
		{"noripple_check", with("junk", `,"role":"user","transactions":1,"api_version":2`), "invalidParams", "Invalid field 'transactions'."},
		{"noripple_check", with("junk", `,"role":"user","ledger_index":99`), "lgrNotFound", "ledgerNotFound"},
		{"noripple_check", with("junk", `,"role":"user"`), "actMalformed", "Account malformed."},
		{"noripple_check", with(nobody, `,"role":"user"`), "actNotFound", "Account not found."},
		// BookOffers.cpp
		{"book_offers", `{"ledger_index":99}`, "lgrNotFound", "ledgerNotFound"},
		{"book_offers", `{}`, "invalidParams", "Missing field 'taker_pays'."},
		{"book_offers", `{"taker_pays":5}`, "invalidParams", "Missing field 'taker_gets'."},
		{"book_offers", book(`5`, `5`, ``), "invalidParams", "Invalid field 'taker_pays', not object."},
		{"book_offers", book(`null`, `5`, ``), "invalidParams", "Invalid field 'taker_gets', not object."},
		{"book_offers", book(`null`, `{}`, ``), "invalidParams", "Missing field 'taker_pays.currency'."},
		{"book_offers", book(`{"currency":5}`, `{}`, ``), "invalidParams", "Invalid field 'taker_pays.currency', not string."},
		{"book_offers", book(`{"currency":"junk"}`, `{}`, ``), "invalidParams", "Missing field 'taker_gets.currency'."},
		{"book_offers", book(`{"currency":"junk"}`, xrp, ``), "srcCurMalformed", "Invalid field 'taker_pays.currency', bad currency."},
		{"book_offers", book(xrp, `{"currency":"junk"}`, ``), "dstAmtMalformed", "Invalid field 'taker_gets.currency', bad currency."},
		{"book_offers", book(`{"currency":"USD","issuer":5}`, usd, ``), "invalidParams", "Invalid field 'taker_pays.issuer', not string."},
		{"book_offers", book(`{"currency":"USD","issuer":"junk"}`, usd, ``), "srcIsrMalformed", "Invalid field 'taker_pays.issuer', bad issuer."},
		{"book_offers", book(usd, `{"currency":"USD","issuer":"`+one+`"}`, ``), "dstIsrMalformed",
			"Invalid field 'taker_gets.issuer', bad issuer account one."},
		{"book_offers", book(`{"currency":"XRP","issuer":"`+issuer+`"}`, usd, ``), "srcIsrMalformed",
			"Unneeded field 'taker_pays.issuer' for XRP currency specification."},
		{"book_offers", book(xrp, `{"currency":"USD"}`, ``), "dstIsrMalformed", "Invalid field 'taker_gets.issuer', expected non-XRP issuer."},
		{"book_offers", book(xrp, `{"currency":"USD","issuer":"0"}`, ``), "dstIsrMalformed", "Invalid field 'taker_gets.issuer', expected non-XRP issuer."},
		{"book_offers", book(xrp, usd, `,"taker":5`), "invalidParams", "Invalid field 'taker', not string."},
		{"book_offers", book(xrp, usd, `,"taker":"junk"`), "invalidParams", "Invalid field 'taker'."},
		{"book_offers", book(usd, usd, `,"domain":5`), "domainMalformed", "Unable to parse domain."},
		{"book_offers", book(usd, usd, `,"domain":"AB"`), "domainMalformed", "Unable to parse domain."},
		{"book_offers", book(usd, usd, `,"limit":"1"`), "badMarket", "No such market."},
		{"book_offers", book(xrp, usd, `,"limit":"1"`), "invalidParams", "Invalid field 'limit', not unsigned integer."},
		// OwnerInfo.cpp
		{"owner_info", `{}`, "invalidParams", "Missing field 'account'."},
		// TransactionEntry.cpp: neither code nor message
		{"transaction_entry", `{"ledger_index":99}`, "lgrNotFound", "ledgerNotFound"},
		{"transaction_entry", `{}`, "fieldNotFoundTransaction", ""},
		{"transaction_entry", `{"tx_hash":"AB"}`, "notYetImplemented", ""},
		{"transaction_entry", `{"tx_hash":"AB","ledger_index":"validated"}`, "malformedRequest", ""},
		{"transaction_entry", `{"tx_hash":"` + no + `","ledger_index":"validated"}`, "transactionNotFound", ""},
		{"transaction_entry", `{"tx_hash":"` + w.tickets.ID.String() + `","ledger_index":4}`, "transactionNotFound", ""},
		// TxHistory.cpp, Handler.cpp: version 1 alone has these two
		{"tx_history", `{}`, "invalidParams", "Invalid parameters."},
		{"tx_history", `{"start":-1}`, "internal", "Internal error."},
		{"tx_history", `{"start":0,"api_version":2}`, "unknownCmd", "Unknown method."},
		{"ledger_header", `{"api_version":2}`, "unknownCmd", "Unknown method."},
		{"ledger_header", `{"ledger_index":99}`, "lgrNotFound", "ledgerNotFound"},
	}
	for _, m := range []string{"account_lines", "account_offers", "account_channels", "account_currencies", "account_nfts"} {
		cases = append(cases,
			refusal{m, `{}`, "invalidParams", "Missing field 'account'."},
			refusal{m, `{"account":5,"ledger_index":99}`, "invalidParams", "Invalid field 'account'."},
			refusal{m, with(issuer, `,"ledger_index":99`), "lgrNotFound", "ledgerNotFound"},
			refusal{m, with("junk", ``), "actMalformed", "Account malformed."},
			refusal{m, with(nobody, ``), "actNotFound", "Account not found."})
		if m != "account_currencies" {
			cases = append(cases,
				refusal{m, with(issuer, `,"limit":0`), "invalidParams", "Invalid field 'limit'."},
				refusal{m, with(issuer, `,"limit":-1`), "invalidParams", "Invalid field 'limit', not unsigned integer."},
				refusal{m, with(issuer, `,"marker":5`), "invalidParams", "Invalid field 'marker', not string."})
		}
	}
	for _, k := range cases {
		r := w.ask(t, k.method, k.params)
		message, _ := r["error_message"].(string)
		if r["error"] != k.code || message != k.message {
			t.Errorf("%s %s: %v %q, want %s %q", k.method, k.params, r["error"], message, k.code, k.message)
		}
	}
	// A malformed address is told beside the ledger by all but two.
	for m, beside := range map[string]bool{
		"account_lines": true, "account_offers": true, "account_currencies": true, "account_channels": false, "account_nfts": false,
	} {
		if _, has := w.ask(t, m, with("junk", ``))["ledger_current_index"]; has != beside {
			t.Errorf("%s tells the ledger with a malformed address: %v", m, has)
		}
	}
}

// What there is to answer where there are no tokens, offers and channels.
func TestNoTokens(t *testing.T) {
	w := newTown(t)
	issuer := w.issuer.id.String()
	hash := w.node.Closed().Hash.String()
	closed := `"ledger_hash":"` + hash + `","ledger_index":5,`
	for _, k := range []struct{ method, params, want string }{
		{"account_lines", `"ignore_default":true,"peer":"` + w.subject.id.String() + `"`, `{"account":"` + issuer + `",` + closed + `"lines":[],"status":"success","validated":true}`},
		{"account_offers", ``, `{"account":"` + issuer + `",` + closed + `"offers":[],"status":"success","validated":true}`},
		{"account_channels", `"destination_account":""`, `{"account":"` + issuer + `","channels":[],` + closed + `"status":"success","validated":true}`},
		{"account_currencies", ``, `{` + closed + `"receive_currencies":[],"send_currencies":[],"status":"success","validated":true}`},
		{"account_nfts", ``, `{"account":"` + issuer + `","account_nfts":[],` + closed + `"status":"success","validated":true}`},
		{"gateway_balances", `"hotwallet":null`, `{"account":"` + issuer + `",` + closed + `"status":"success","validated":true}`},
		{"gateway_balances", `"hotwallet":["` + w.subject.id.String() + `"]`, `{"account":"` + issuer + `",` + closed + `"status":"success","validated":true}`},
		{"noripple_check", `"role":"user","transactions":true`, `{` + closed + `"problems":[],"status":"success","transactions":[],"validated":true}`},
		{"noripple_check", `"role":"gateway"`, `{` + closed + `"problems":["` + defaultRippleMissing + `"],"status":"success","validated":true}`},
		{"book_offers", `"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + strings.Repeat("AB", 20) + `"},"marker":"any"`,
			`{` + closed + `"offers":[],"status":"success","validated":true}`},
		{"owner_info", ``, `{"accepted":{},"current":{},"status":"success"}`},
		{"version", ``, `{"status":"success","version":{"first":"1.0.0","good":"1.0.0","last":"1.0.0"}}`},
		{"version", `"api_version":2`, `{"status":"success","version":{"first":1,"last":2}}`},
	} {
		params := `{"account":"` + issuer + `","ledger_index":"validated"`
		if k.params != "" {
			params += "," + k.params
		}
		if got := text(w.ask(t, k.method, params+"}")); got != k.want {
			t.Errorf("%s {%s}\n got %s\nwant %s", k.method, k.params, got, k.want)
		}
	}
	if got := text(w.ask(t, "owner_info", `{"ident":"junk"}`), "current", "error"); got != `"actMalformed"` {
		t.Error(got)
	}
}

// The limit of account_lines, account_offers and account_channels counts every entry of the owner directory (AccountLines.cpp,
// AccountOffers.cpp, AccountChannels.cpp). The marker is the key of the last counted entry and the number of its page.
func TestEmptyListPages(t *testing.T) {
	w := newTown(t)
	issuer := w.issuer.id.String()
	w.submit(t, w.issuer.sign(t, codec.TtSignerListSet, func(o *codec.Object) {
		entry := codec.NewObject()
		entry.SetAccount(codec.SfAccount, w.subject.id)
		entry.SetUint(codec.SfSignerWeight, 1)
		o.SetUint(codec.SfSignerQuorum, 1)
		o.SetArray(codec.SfSignerEntries, []codec.Element{{Field: codec.SfSignerEntry, Object: entry}})
	}))
	owned := w.ask(t, "account_objects", `{"account":"`+issuer+`"}`)["account_objects"].([]any)
	if len(owned) != 6 {
		t.Fatal(owned)
	}
	for _, method := range []string{"account_lines", "account_offers", "account_channels"} {
		for i, e := range owned {
			entry := e.(map[string]any)
			marker := entry["index"].(string) + ",0"
			first := w.ask(t, method, fmt.Sprintf(`{"account":%q,"limit":%d}`, issuer, i+1))
			if last := i+1 == len(owned); last && (first["marker"] != nil || first["limit"] != nil) ||
				!last && (first["marker"] != marker || text(first, "limit") != strconv.Itoa(i+1)) {
				t.Errorf("%s with limit %d: %v", method, i+1, first)
			}
			rest := w.ask(t, method, fmt.Sprintf(`{"account":%q,"limit":2,"marker":%q}`, issuer, marker))
			switch {
			case entry["LedgerEntryType"] == "Credential": // it has no Account, and is taken for another account's entry
				if rest["error"] != "invalidParams" || rest["error_message"] != "Invalid parameters." {
					t.Errorf("%s from a credential: %v", method, rest)
				}
			case i+3 < len(owned):
				if want := owned[i+2].(map[string]any)["index"].(string) + ",0"; rest["marker"] != want {
					t.Errorf("%s from entry %d: %v, want the marker %s", method, i, rest, want)
				}
			case rest["error"] != nil || rest["marker"] != nil:
				t.Errorf("%s from entry %d: %v", method, i, rest)
			}
		}
	}
	ticket := engine.TicketKey(w.issuer.id, uint32(w.tickets.Uint(codec.SfSequence))+1).String()
	root := engine.AccountKey(w.issuer.id).String()
	for _, k := range []struct{ method, marker, message string }{
		{"account_lines", ticket + ",9", ""}, // a page without the entry: the search starts at the first page
		{"account_lines", ticket + ",-1,more", ""},
		{"account_lines", ticket, "Invalid parameters."},
		{"account_lines", ticket + ",", "Invalid parameters."},
		{"account_lines", ticket + ",x", "Invalid parameters."},
		{"account_lines", root + ",0", "Invalid parameters."},
		{"account_channels", "", "Invalid parameters."},
		{"account_offers", ticket, "Invalid field 'marker'."},
		{"account_offers", ticket + ", 0", "Invalid field 'marker'."},
		{"account_offers", root + ",0", "Invalid parameters."},
		{"account_offers", "0,0", "Invalid parameters."},
	} {
		r := w.ask(t, k.method, fmt.Sprintf(`{"account":%q,"marker":%q}`, issuer, k.marker))
		if message, _ := r["error_message"].(string); message != k.message {
			t.Errorf("%s from %q: %v, want %q", k.method, k.marker, r, k.message)
		}
	}
}

// An account that lets others ripple through it is told so, and what to send is told to one that should.
func TestNoRippleCheckAdvises(t *testing.T) {
	w := newTown(t)
	issuer := w.issuer.id.String()
	r := w.ask(t, "noripple_check", `{"account":"`+issuer+`","role":"gateway","transactions":true}`)
	want := `[{"Account":"` + issuer + `","Fee":10,"Sequence":` + text(w.ask(t, "account_info", `{"account":"`+issuer+`"}`), "account_data", "Sequence") +
		`,"SetFlag":8,"TransactionType":"AccountSet"}]`
	if got := text(r, "transactions"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.submit(t, w.issuer.sign(t, codec.TtAccountSet, func(o *codec.Object) { o.SetUint(codec.SfSetFlag, asfDefaultRipple) }))
	for role, want := range map[string]string{"gateway": `[]`, "user": `["` + defaultRippleOfUser + `"]`} {
		if got := text(w.ask(t, "noripple_check", `{"account":"`+issuer+`","role":"`+role+`"}`), "problems"); got != want {
			t.Errorf("%s: %s", role, got)
		}
	}
}

// A single transaction, in the two forms of the versions.
func TestTransactionEntry(t *testing.T) {
	w := newTown(t)
	id := w.tickets.ID.String()
	one := w.ask(t, "tx", `{"transaction":"`+id+`"}`)
	v1 := w.ask(t, "transaction_entry", `{"tx_hash":"`+id+`","ledger_index":"validated"}`)
	if text(v1, "metadata") != text(one, "meta") || text(v1, "tx_json", "hash") != `"`+id+`"` || text(v1, "ledger_index") != "5" {
		t.Error(v1)
	}
	v2 := w.ask(t, "transaction_entry", `{"tx_hash":"`+id+`","ledger_index":5,"api_version":2}`)
	want := w.ask(t, "tx", `{"transaction":"`+id+`","api_version":2}`)
	for _, f := range []string{"meta", "hash", "close_time_iso", "ledger_hash", "ledger_index"} {
		if text(v2, f) != text(want, f) {
			t.Errorf("%s: %s", f, text(v2, f))
		}
	}
	if text(v2, "tx_json", "hash") != "" || text(v2, "tx_json", "TicketCount") != "2" {
		t.Error(v2)
	}
}

func TestLedgerHeader(t *testing.T) {
	w := newTown(t)
	for _, ledger := range []string{"5", `"current"`} {
		r := w.ask(t, "ledger_header", `{"ledger_index":`+ledger+`}`)
		plain := w.ask(t, "ledger", `{"ledger_index":`+ledger+`}`)
		if text(r, "ledger") != text(plain, "ledger") || len(text(r, "ledger_data")) != 2*118+2 {
			t.Error(r)
		}
	}
	raw := w.ask(t, "ledger", `{"ledger_index":5,"binary":true}`)
	if got := text(w.ask(t, "ledger_header", `{"ledger_index":5}`), "ledger_data"); got != text(raw, "ledger", "ledger_data") {
		t.Error(got)
	}
}

// The newest transactions come first, twenty at a time, over as many ledgers as it takes.
func TestTxHistory(t *testing.T) {
	w := newTown(t)
	var all []string // as an explorer would gather them: newest ledger first, last transaction first
	for seq := uint32(5); seq >= 2; seq-- {
		records := map[uint32]string{}
		for r := range w.node.LedgerBySeq(seq).Txs() {
			records[r.Index] = r.Tx.ID.String()
		}
		for i := len(records); i > 0; i-- {
			all = append(all, records[uint32(i-1)])
		}
	}
	for _, start := range []int{0, 1, 3, len(all) - 1} {
		r := w.ask(t, "tx_history", `{"start":`+text(map[string]any{"n": start}, "n")+`}`)
		txs := r["txs"].([]any)
		if len(txs) != min(len(all)-start, historyPage) {
			t.Fatal(start, len(txs), len(all))
		}
		for i, e := range txs {
			if e.(map[string]any)["hash"] != all[start+i] {
				t.Errorf("%d+%d: %v, want %s", start, i, e, all[start+i])
			}
		}
	}
	if got := text(w.ask(t, "tx_history", `{"start":10000}`)); got != `{"index":10000,"status":"success","txs":null}` {
		t.Error(got)
	}
	for range historyPage {
		w.submit(t, w.subject.sign(t, codec.TtAccountSet, func(*codec.Object) {}))
	}
	if _, err := w.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	for start, ledger := range map[string]string{"0": "6", "19": "6", "20": "5"} {
		r := w.ask(t, "tx_history", `{"start":`+start+`}`)
		txs := r["txs"].([]any)
		if got := text(txs[0].(map[string]any), "inLedger"); got != ledger || start == "0" && len(txs) != historyPage {
			t.Errorf("from %s: %d from ledger %s on", start, len(txs), got)
		}
	}
}
