package sandbox

import (
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
	} {
		v, err := rjson.Parse([]byte(`{"` + c.field + `":` + c.json + `}`))
		if err != nil {
			t.Fatal(err)
		}
		o, err := objectFromJSON(codec.Latest, "tx_json", v)
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

// The forms in which an amount of XRP may be given (STAmount.cpp: amountFromJson, amountFromString, canonicalize).
func TestDropsFromJSON(t *testing.T) {
	for _, c := range []struct {
		json string
		want int64 // drops; bad for none
	}{
		{`10`, 10}, {`-10`, -10}, {`3000000000`, 3000000000},
		{`"10"`, 10}, {`"+10"`, 10}, {`"-10"`, -10}, {`"0"`, 0}, {`"-0"`, 0},
		{`"010"`, bad}, {`"00"`, bad}, {`""`, bad}, {`"x"`, bad}, {`"1_0"`, bad}, {`"0x10"`, bad},
		{`"1.0"`, bad}, {`"1."`, bad}, {`".5"`, bad},
		{`"1e3"`, 1000}, {`"1E+3"`, 1000}, {`"10e-1"`, 1}, {`"15e-1"`, 2}, {`"25e-1"`, 2}, {`"-25e-1"`, -2}, {`"26e-1"`, 3}, {`"1e-30"`, 0},
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
		n, ok := parseDrops(v.Get("a"))
		if !ok {
			n = bad
		}
		if n != c.want {
			t.Errorf("%s: %d, want %d", c.json, n, c.want)
		}
	}
}

// bad stands for what is no amount.
const bad = -1 << 62
