package sandbox

import (
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// What a field's JSON makes of it, and the words of what cannot be read: STParsedJSON.cpp (parseLeaf), base_uint.h (parseHex) and
// LexicalCast.h of rippled.
func TestFieldFromJSON(t *testing.T) {
	const (
		badType, badData = "has bad type.", "has invalid data."
		outOfRange       = "is out of range."
	)
	zero := codec.Hash256{}.String()
	const addr = "rrrrrrrrrrrrrrrrrrrrBZbvji"
	for _, c := range []struct {
		field, json string
		want        string // the field's JSON, or what is wrong
	}{
		// Of eight bits: what is no number is of a bad type, unless it names a result.
		{"TickSize", `5`, `5`},
		{"TickSize", `"255"`, `255`},
		{"TickSize", `256`, outOfRange},
		{"TickSize", `-1`, outOfRange},
		{"TickSize", `3000000000`, outOfRange},
		{"TickSize", `"256"`, badData},
		{"TickSize", `""`, badData},
		{"TickSize", `"5x"`, badData},
		{"TickSize", `"x5"`, badType},
		{"TickSize", `"+5"`, badType},
		{"TickSize", `"tecNO_ENTRY"`, badType},
		{"TickSize", `true`, badType},
		{"TickSize", `1.5`, badType},
		{"TransactionResult", `"tecNO_ENTRY"`, `"tecNO_ENTRY"`},
		{"TransactionResult", `"tesSUCCESS"`, `"tesSUCCESS"`},
		{"TransactionResult", `"temMALFORMED"`, outOfRange},
		{"TransactionResult", `"tecNO_SUCH"`, outOfRange},
		// Of 16 and 32 bits: a number that is too large is bad data.
		{"SignerWeight", `65535`, `65535`},
		{"SignerWeight", `65536`, badData},
		{"SignerWeight", `-1`, badData},
		{"SignerWeight", `3000000000`, badData},
		{"SignerWeight", `"65536"`, badData},
		{"SignerWeight", `"+5"`, badData},
		{"SignerWeight", `"x"`, badData},
		{"SignerWeight", `null`, badType},
		{"TransactionType", `"3"`, `"AccountSet"`},
		{"TransactionType", `"+3"`, badData},
		{"TransactionType", `"accountset"`, badData},
		{"LedgerEntryType", `"Credential"`, `"Credential"`},
		{"Flags", `4294967295`, `4294967295`},
		{"Flags", `"+5"`, `5`},
		{"Flags", `-1`, badData},
		{"Flags", `"4294967296"`, badData},
		{"Flags", `false`, badType},
		{"OwnerNode", `"ff"`, `"ff"`},
		{"OwnerNode", `-1`, badData},
		{"OwnerNode", `"0x1"`, badData},
		// "0" is a hash, and an account, of zeros.
		{"AccountTxnID", `"0"`, `"` + zero + `"`},
		{"AccountTxnID", `""`, `"` + zero + `"`},
		{"AccountTxnID", `"00"`, badData},
		{"EmailHash", `"0"`, `"` + zero[:32] + `"`},
		{"Destination", `"0"`, `"rrrrrrrrrrrrrrrrrrrrrhoLvTp"`},
		{"Destination", `""`, badData},
		{"Destination", `0`, badType},
		// An array of hashes: nothing is an empty one, and each element is read as a string.
		{"CredentialIDs", `null`, `[]`},
		{"CredentialIDs", `["0",0]`, `["` + zero + `","` + zero + `"]`},
		{"CredentialIDs", `[null]`, badData},
		{"CredentialIDs", `[[]]`, badData},
		{"CredentialIDs", `"0"`, "must be a JSON array."},
		{"Fee", `"x"`, badData},
		// Paths (parseLeaf, STI_PATHSET).
		{"Paths", `5`, "must be a JSON array."},
		{"Paths", `[[{"account":"` + addr + `"},{"currency":"USD","issuer":"` + addr + `"}],[{"currency":"XRP"}]]`,
			`[[{"account":"` + addr + `","type":1},{"currency":"USD","issuer":"` + addr + `","type":48}],[{"currency":"XRP","type":16}]]`},
		{"Paths", `[[{"currency":"` + zero[:39] + `1","issuer":"` + strings.Repeat("0", 39) + `1"}]]`, `[[{"currency":"1","issuer":"` + addr + `","type":48}]]`},
		{"Paths", `[[{"account":"","currency":"0","issuer":"0"}]]`, `[[{"currency":"XRP","type":16}]]`},
	} {
		v, err := rjson.Parse([]byte(`{"` + c.field + `":` + c.json + `}`))
		if err != nil {
			t.Fatal(err)
		}
		o, err := objectFromJSON("tx_json", v)
		got := ""
		if err != nil {
			got = err.Error()
			if got == "Field 'tx_json."+c.field+"' "+c.want {
				continue
			}
		} else {
			got = string(rjson.Append(nil, o.JSON()))
		}
		if got != `{"`+c.field+`":`+c.want+`}` {
			t.Errorf("%s %s: %s, want %s", c.field, c.json, got, c.want)
		}
	}
}

// What is wrong within paths is told with its place.
func TestPathsFromJSON(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                      "Field 'Paths' may not be explicitly set to default.",
		`null`:                    "Field 'Paths' may not be explicitly set to default.",
		`[5]`:                     "Field 'tx_json.Paths[0]' must be a JSON array.",
		`[[],{}]`:                 "Field 'tx_json.Paths[1]' must be a JSON array.",
		`[[5]]`:                   "Field 'tx_json.Paths[0][0]' is not a JSON object.",
		`[[{}]]`:                  "Field 'tx_json.Paths[0][0]' has invalid data.",
		`[[{"account":""}]]`:      "Field 'tx_json.Paths[0][0]' has invalid data.",
		`[[{"account":5}]]`:       "Field 'tx_json.Paths[0][0].account' must be a string.",
		`[[{"account":"junk"}]]`:  "Field 'tx_json.Paths[0][0].account' has invalid data.",
		`[[{"currency":["X"]}]]`:  "Field 'tx_json.Paths[0][0].currency' must be a string.",
		`[[{"currency":"junk"}]]`: "Field 'tx_json.Paths[0][0].currency' has invalid data.",
		`[[{"issuer":true}]]`:     "Field 'tx_json.Paths[0][0].issuer' must be a string.",
		`[[{"issuer":"junk"}]]`:   "Field 'tx_json.Paths[0][0].issuer' has invalid data.",
	} {
		v, err := rjson.Parse([]byte(`{"Paths":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := objectFromJSON("tx_json", v); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// The forms in which an amount of tokens may be given, and what becomes of its digits (STAmount.cpp, Number.cpp, IOUAmount.cpp).
func TestTokensFromJSON(t *testing.T) {
	const addr, issuance = "rrrrrrrrrrrrrrrrrrrrBZbvji", "00000001ABABABABABABABABABABABABABABABABABABABAB"
	usd := func(value string) string { return `{"currency":"USD","issuer":"` + addr + `","value":` + value + `}` }
	mpt := func(value string) string { return `{"mpt_issuance_id":"` + issuance + `","value":` + value + `}` }
	is := func(shown string) string { return usd(`"` + shown + `"`) }
	const none = ""
	for _, c := range []struct{ json, want string }{
		{usd(`"1"`), is("1")}, {usd(`1`), is("1")}, {usd(`-5`), is("-5")}, {usd(`"1.50"`), is("1.5")}, {usd(`"-0.25"`), is("-0.25")},
		{usd(`"0"`), is("0")}, {usd(`"-0"`), is("0")}, {usd(`"0.000"`), is("0")}, {usd(`"1e3"`), is("1000")}, {usd(`"+1.5E-3"`), is("0.0015")},
		{`"1/USD/` + addr + `"`, is("1")}, {`["1.5","USD","` + addr + `"]`, is("1.5")},
		{`{"currency":"USD","issuer":"` + strings.Repeat("0", 39) + `1","value":"1"}`, is("1")},
		{`{"currency":"` + strings.Repeat("0", 24) + `5553440000000000","issuer":"` + addr + `","value":"1"}`, is("1")},
		// Sixteen digits; a half goes to the even, and a carry is one digit more.
		{usd(`"1234567890123456789"`), is("1234567890123457e3")}, {usd(`"10000000000000005"`), is("1000000000000000e1")},
		{usd(`"10000000000000015"`), is("1000000000000002e1")}, {usd(`"10000000000000025"`), is("1000000000000002e1")},
		{usd(`"10000000000000025.1"`), is("1000000000000003e1")}, {usd(`"99999999999999995"`), is("1000000000000000e2")},
		{usd(`"99999999999999994"`), is("9999999999999999e1")},
		{usd(`"18446744073709551615"`), is("-1")}, {usd(`"18446744073709551616"`), none},
		// The ends of what there is: below it is nothing, above it is refused.
		{usd(`"9999999999999999e80"`), is("9999999999999999e80")}, {usd(`"9999999999999999e81"`), none}, {usd(`"1e96"`), none},
		{usd(`"1e-81"`), is("1000000000000000e-96")}, {usd(`"1e-82"`), is("0")}, {usd(`"1e-99999"`), is("0")}, {usd(`"1e9999999999"`), none},
		{usd(`"` + strings.Repeat("1", 33) + `"`), none}, {usd(`"0.` + strings.Repeat("0", 32) + `"`), is("0")}, {usd(`"0.` + strings.Repeat("0", 30) + `5"`), is("5000000000000000e-46")},
		{usd(`""`), none}, {usd(`".5"`), none}, {usd(`"01"`), none}, {usd(`null`), none}, {usd(`1.5`), none}, {usd(`3000000000`), none},
		{`{"currency":"USD","value":"1"}`, none}, {`{"currency":"USD","issuer":"junk","value":"1"}`, none}, {`{"currency":"USD","issuer":5,"value":"1"}`, none},
		{`{"currency":"USD","issuer":"0","value":"1"}`, none}, {`{"currency":"USDX","issuer":"` + addr + `","value":"1"}`, none},
		{`{"currency":"XRP","value":"1"}`, none}, {`{"issuer":"` + addr + `","value":"1"}`, none}, {`{"currency":5,"value":"1"}`, none},
		{`"1/USD"`, none}, {`["1","USD"]`, none}, {`[3000000000,"USD","` + addr + `"]`, none},
		// Multi-purpose tokens have no fractions.
		{mpt(`"5"`), mpt(`"5"`)}, {mpt(`"-5"`), mpt(`"-5"`)}, {mpt(`7`), mpt(`"7"`)}, {mpt(`"15e-1"`), none}, {mpt(`"1.5e1"`), mpt(`"15"`)},
		{mpt(`"9223372036854775807"`), mpt(`"9223372036854775807"`)}, {mpt(`"9223372036854775808"`), none}, {mpt(`"1e19"`), none}, {mpt(`"1.0"`), none},
		{`{"mpt_issuance_id":"AB","value":"1"}`, none}, {`{"mpt_issuance_id":"` + issuance + `","issuer":"` + addr + `","value":"1"}`, none},
		{`{"mpt_issuance_id":"","value":"1"}`, none},
	} {
		v, err := rjson.Parse([]byte(`{"SendMax":` + c.json + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got := none
		if o, err := objectFromJSON("tx_json", v); err == nil {
			got = string(rjson.Append(nil, o.JSON()["SendMax"]))
			back, err := codec.ParseObject(o.Append(nil))
			if err != nil || string(rjson.Append(nil, back.JSON()["SendMax"])) != got {
				t.Errorf("%s: %v, read again %v, %v", c.json, got, back, err)
			}
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.json, got, c.want)
		}
	}
}

// The forms in which an amount of XRP may be given (STAmount.cpp: amountFromJson, canonicalize; STNumber.cpp: partsFromString).
func TestDropsFromJSON(t *testing.T) {
	for _, c := range []struct {
		json string
		want int64 // drops; bad for none
	}{
		{`10`, 10}, {`-10`, -10}, {`3000000000`, 3000000000},
		{`"10"`, 10}, {`"+10"`, 10}, {`"-10"`, -10}, {`"0"`, 0}, {`"-0"`, 0},
		{`"010"`, bad}, {`"00"`, bad}, {`""`, bad}, {`"x"`, bad}, {`"1_0"`, bad}, {`"0x10"`, bad},
		{`"1.0"`, bad}, {`"1."`, bad}, {`".5"`, bad},
		{`"1e3"`, 1000}, {`"1E+3"`, 1000}, {`"10e-1"`, bad}, {`"0e-1"`, bad}, {`"0.0"`, bad}, {`"1e-30"`, bad},
		{`"1.0e1"`, 10}, {`"-2.50e2"`, -250}, {`"1.25e1"`, bad}, {`"0.00e5"`, 0},
		{`"9223372036854775808"`, bad}, {`"18446744073709551615"`, bad},
		{`"0e99"`, 0}, {`"1e17"`, maxDrops}, {`"1e18"`, bad}, {`"2e17"`, bad}, {`"1e9999999999"`, bad}, {`"1e"`, bad},
		{`"100000000000000000"`, maxDrops}, {`"100000000000000001"`, bad}, {`"-100000000000000001"`, bad}, {`"99999999999999999999"`, bad},
		// With a currency, and an issuer that is not looked at.
		{`"10/XRP"`, 10}, {`"10 "`, 10}, {`"10,,x"`, 10}, {`"10/USD"`, bad}, {`"10/XRP/x/y"`, bad}, {`" 10"`, bad},
		{`[10]`, 10}, {`["10","XRP"]`, 10}, {`["10","",5,6]`, 10}, {`["10",5]`, 10}, {`[]`, 0}, {`["10","USD"]`, bad}, {`[3000000000]`, bad}, {`[[]]`, bad},
		{`{}`, bad}, {`null`, bad}, {`true`, bad}, {`1.5`, bad},
	} {
		v, err := rjson.Parse([]byte(`{"a":` + c.json + `}`))
		if err != nil {
			t.Fatal(err)
		}
		a, ok := parseAmount(v.Get("a"))
		n := a.drops
		if !ok || a.token != nil {
			n = bad
		}
		if n != c.want {
			t.Errorf("%s: %d, want %d", c.json, n, c.want)
		}
	}
}

// bad stands for what is no amount.
const bad = -1 << 62
