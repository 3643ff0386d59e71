package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestObjectFields(t *testing.T) {
	o := NewObject()
	var h Hash256
	h[0] = 0xAB
	a := AccountID{1, 2, 3}
	o.SetAccount(SfAccount, a)
	o.SetBlob(SfURI, []byte{1})
	o.SetDrops(SfFee, 10)
	o.SetDrops(SfBalance, -3)
	o.SetHash(SfLedgerHash, h)
	o.SetHashes(SfHashes, []Hash256{h, {}})
	o.SetUint(SfIndexNext, 1<<63)
	o.SetUint(SfSequence, 1<<32+5)
	o.SetUint(SfTransactionType, 1<<16+3)
	o.SetUint(SfTickSize, 1<<8+7)
	inner := NewObject()
	inner.SetUint(SfFlags, 9)
	o.SetObject(SfFinalFields, inner)
	o.SetArray(SfMemos, []Element{{SfMemo, inner.Clone()}})

	if o.Account(SfAccount) != a || o.Drops(SfFee) != 10 || o.Drops(SfBalance) != -3 || o.Hash(SfLedgerHash) != h ||
		o.Uint(SfIndexNext) != 1<<63 || o.Uint(SfSequence) != 5 || o.Uint(SfTransactionType) != 3 || o.Uint(SfTickSize) != 7 ||
		!bytes.Equal(o.Blob(SfURI), []byte{1}) || !reflect.DeepEqual(o.Hashes(SfHashes), []Hash256{h, {}}) {
		t.Errorf("%v", o.JSON())
	}
	if o.Object(SfFinalFields).Uint(SfFlags) != 9 || len(o.Array(SfMemos)) != 1 || o.Len() != 12 {
		t.Errorf("%v", o.JSON())
	}
	for i, f := range o.Fields() {
		if i > 0 && o.Fields()[i-1].Code() >= f.Code() {
			t.Errorf("%s stands wrong", f)
		}
		if !o.Has(f) {
			t.Errorf("%s is not there", f)
		}
	}
	parsed, err := ParseObject(o.Append(nil))
	if err != nil || !parsed.Same(o) {
		t.Errorf("parsed: %v %v", err, parsed.JSON())
	}

	// What is absent, or of another type, reads as nothing.
	empty := NewObject()
	for _, o := range []*Object{empty, o} {
		if o.Uint(SfFlags) != 0 || o.Uint(SfMemos) != 0 || o.Uint(SfFee) != 0 || !o.Hash(SfParentHash).IsZero() || !o.Account(SfOwner).IsZero() ||
			o.Blob(SfDomain) != nil || o.Drops(SfAmount) != 0 || o.IsXRP(SfAmount) || o.Hashes(SfIndexes) != nil ||
			o.Object(SfNewFields) != nil || o.Array(SfSigners) != nil || o.Has(SfFlags) || o.Hashes(SfURI) != nil || o.Drops(SfURI) != 0 {
			t.Errorf("%v", o.JSON())
		}
	}
	if !o.IsXRP(SfFee) {
		t.Error("IsXRP")
	}

	o.Delete(SfURI)
	o.Delete(SfURI)
	if o.Has(SfURI) || o.Len() != 11 || !o.Has(SfTickSize) {
		t.Errorf("%v", o.Fields())
	}
	// Another kind of value leaves nothing of the one before.
	issued := bytes.Repeat([]byte{0xFF}, issuedSize)
	o.SetBlob(SfFee, issued)
	if o.IsXRP(SfFee) || o.Drops(SfFee) != 0 {
		t.Error("issued amount is XRP")
	}
	o.SetDrops(SfFee, 10)
	if !o.Equal(SfFee, parsed) {
		t.Error("the fee differs")
	}
}

func TestObjectSharesNothing(t *testing.T) {
	_, metas, _ := vectorBlobs(t)
	o, err := ParseObject(metas[0])
	if err != nil {
		t.Fatal(err)
	}
	before := o.Append(nil)
	c := o.Clone()
	if !c.Same(o) {
		t.Fatal("the clone differs")
	}
	var change func(o *Object)
	change = func(o *Object) {
		for i := range o.fields {
			for _, e := range o.fields[i].list {
				change(e.Object)
			}
		}
		o.SetUint(SfSequence, 4711)
		o.SetHash(SfLedgerIndex, Hash256{1})
		o.Delete(SfAccount)
		o.SetBlob(SfURI, []byte("x"))
	}
	change(c)
	if !bytes.Equal(o.Append(nil), before) || c.Same(o) {
		t.Error("the original changed")
	}

	b := []byte("abc")
	o.SetBlob(SfURI, b)
	b[0] = 'x'
	if string(o.Blob(SfURI)) != "abc" {
		t.Error("SetBlob keeps its argument")
	}

	d := NewObject()
	d.Copy(SfAffectedNodes, o)
	if !d.Equal(SfAffectedNodes, o) {
		t.Error("Copy")
	}
	change(d.Array(SfAffectedNodes)[0].Object)
	if d.Equal(SfAffectedNodes, o) {
		t.Error("Copy shares")
	}
	d.Copy(SfAffectedNodes, NewObject())
	if d.Has(SfAffectedNodes) || d.Equal(SfAffectedNodes, o) || o.Equal(SfAffectedNodes, d) || !d.Equal(SfFlags, o) {
		t.Error("Copy of nothing")
	}
}

func TestAppendSigning(t *testing.T) {
	tx, err := ParseTx(sampleTx(t, Ed25519))
	if err != nil {
		t.Fatal(err)
	}
	o := tx.Clone()
	o.Delete(SfTxnSignature)
	if !bytes.Equal(tx.AppendSigning(nil), o.Append(nil)) {
		t.Error("the signature is signed")
	}
}

func TestAppendVL(t *testing.T) {
	for n, head := range map[int]string{0: "00", 1: "01", 192: "C0", 193: "C100", 12480: "F0FF", 12481: "F10000", MaxBlob: "FED417"} {
		b := AppendVL([]byte{9}, make([]byte, n))
		if got := hexString(b[1 : len(b)-n]); got != head {
			t.Errorf("%d: %s, want %s", n, got, head)
		}
		r := reader{b: b[1:]}
		if got, err := r.length(); err != nil || got != n {
			t.Errorf("%d reads as %d %v", n, got, err)
		}
	}
	if got := len(AppendVL(nil, make([]byte, MaxBlob+5))); got != 3+MaxBlob {
		t.Errorf("%d bytes", got)
	}
}

func issuedHex(word, currency string) string {
	return word + currency + "B5F762798A53D543A014CAF8B297CFF8F2F937E8"
}

const usd = "0000000000000000000000005553440000000000"

// The texts are STAmount::getText's for the same words.
func TestAmountJSON(t *testing.T) {
	const genesis = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
	issued := func(value, currency string) map[string]any {
		return map[string]any{"value": value, "currency": currency, "issuer": genesis}
	}
	word := func(mantissa uint64, exponent int, negative bool) string {
		w := uint64(exponent+97)<<54 | amountIssued | mantissa
		if !negative {
			w |= amountPositive
		}
		var b [8]byte
		for i := range b {
			b[i] = byte(w >> (56 - 8*i))
		}
		return hexString(b[:])
	}
	for in, want := range map[string]any{
		"4000000000000000":                                                        "0",
		"400000000000000A":                                                        "10",
		"000000000000000A":                                                        "-10",
		"5FFFFFFFFFFFFFFF":                                                        "2305843009213693951",
		"416345785D8A0000":                                                        "100000000000000000",
		issuedHex("8000000000000000", usd):                                        issued("0", "USD"),
		issuedHex("D4838D7EA4C68000", usd):                                        issued("1", "USD"),
		issuedHex("94838D7EA4C68000", usd):                                        issued("-1", "USD"),
		issuedHex(word(1234567890123456, -15, false), usd):                        issued("1.234567890123456", "USD"),
		issuedHex(word(1234567890123456, -16, false), usd):                        issued("0.1234567890123456", "USD"),
		issuedHex(word(1000000000000000, -25, false), usd):                        issued("0.0000000001", "USD"),
		issuedHex(word(1234567890123456, -25, true), usd):                         issued("-0.0000000001234567890123456", "USD"),
		issuedHex(word(1000000000000000, -26, false), usd):                        issued("1000000000000000e-26", "USD"),
		issuedHex(word(1234567890123456, -5, false), usd):                         issued("12345678901.23456", "USD"),
		issuedHex(word(1000000000000000, -5, false), usd):                         issued("10000000000", "USD"),
		issuedHex(word(1000000000000000, -4, false), usd):                         issued("1000000000000000e-4", "USD"),
		issuedHex(word(1000000000000000, 0, false), usd):                          issued("1000000000000000", "USD"),
		issuedHex(word(9999999999999999, 80, true), usd):                          issued("-9999999999999999e80", "USD"),
		issuedHex(word(1000000000000000, -96, false), usd):                        issued("1000000000000000e-96", "USD"),
		issuedHex("D4838D7EA4C68000", strings.Repeat("0", 24)+"5852500000000000"): issued("1", "0000000000000000000000005852500000000000"),
		issuedHex("D4838D7EA4C68000", strings.Repeat("0", 39)+"1"):                issued("1", "1"),
		issuedHex("D4838D7EA4C68000", strings.Repeat("0", 24)+"2F53440000000000"): issued("1", "0000000000000000000000002F53440000000000"),
		issuedHex("D4838D7EA4C68000", strings.Repeat("0", 24)+"3C3E240000000000"): issued("1", "<>$"),
		issuedHex("D4838D7EA4C68000", "015841551A748AD2C1F76FF6ECB0CCCD00000000"): issued("1", "015841551A748AD2C1F76FF6ECB0CCCD00000000"),
		"60" + "0000000000000064" + strings.Repeat("AB", 24):                      map[string]any{"value": "100", "mpt_issuance_id": strings.Repeat("AB", 24)},
		"20" + "7FFFFFFFFFFFFFFF" + strings.Repeat("AB", 24):                      map[string]any{"value": "-9223372036854775807", "mpt_issuance_id": strings.Repeat("AB", 24)},
		"20" + "0000000000000000" + strings.Repeat("AB", 24):                      map[string]any{"value": "0", "mpt_issuance_id": strings.Repeat("AB", 24)},
	} {
		b := append([]byte{0x61}, fields(t, in)...)
		o, err := ParseObject(b)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := o.JSON()["Amount"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
		if got := o.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("%s: serialized %X", in, got)
		}
	}
	// Bits that a token's amount has no use for are dropped.
	o, err := ParseObject(fields(t, "61", "7F", "0000000000000064", strings.Repeat("AB", 24)))
	if err != nil {
		t.Fatal(err)
	}
	if got := hexString(o.Append(nil)); got != "6160"+"0000000000000064"+strings.Repeat("AB", 24) {
		t.Error(got)
	}
}

func TestDrops(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 10, 100_000_000_000_000_000, -100_000_000_000_000_000} {
		o := NewObject()
		o.SetDrops(SfBalance, n)
		p, err := ParseObject(o.Append(nil))
		if err != nil || p.Drops(SfBalance) != n || !p.IsXRP(SfBalance) {
			t.Errorf("%d: %v, %v", n, p, err)
		}
	}
}

func TestJSON(t *testing.T) {
	const (
		usdIssue = usd + "B5F762798A53D543A014CAF8B297CFF8F2F937E8"
		xrp      = "0000000000000000000000000000000000000000"
		account  = "B5F762798A53D543A014CAF8B297CFF8F2F937E8"
	)
	for in, want := range map[string]string{
		"110081":                            `{"LedgerEntryType":"Credential"}`,
		"110001":                            `{"LedgerEntryType":1}`,
		"12003A":                            `{"TransactionType":"CredentialCreate"}`,
		"12FFFF":                            `{"TransactionType":65535}`,
		"031000":                            `{"TransactionResult":"tesSUCCESS"}`,
		"031095":                            `{"TransactionResult":"tecDUPLICATE"}`,
		"031099":                            `{"TransactionResult":153}`,
		"2200000000":                        `{"Flags":0}`,
		"22FFFFFFFF":                        `{"Flags":4294967295}`,
		"34000000000000000A":                `{"OwnerNode":"a"}`,
		"340000000000000000":                `{"OwnerNode":"0"}`,
		"34FFFFFFFFFFFFFFFF":                `{"OwnerNode":"ffffffffffffffff"}`,
		"301A000000000000000A":              `{"MPTAmount":"10"}`,
		"41" + strings.Repeat("AB", 16):     `{"EmailHash":"` + strings.Repeat("AB", 16) + `"}`,
		"0111" + xrp:                        `{"TakerPaysCurrency":"` + xrp + `"}`,
		"0115" + strings.Repeat("0C", 24):   `{"MPTokenIssuanceID":"` + strings.Repeat("0C", 24) + `"}`,
		"7500":                              `{"URI":""}`,
		"750161":                            `{"URI":"61"}`,
		"8100":                              `{"Account":""}`,
		"8114" + xrp:                        `{"Account":"rrrrrrrrrrrrrrrrrrrrrhoLvTp"}`,
		"8114" + xrp[:39] + "1":             `{"Account":"rrrrrrrrrrrrrrrrrrrrBZbvji"}`,
		"031300":                            `{"Amendments":[]}`,
		"031320" + strings.Repeat("0D", 32): `{"Amendments":["` + strings.Repeat("0D", 32) + `"]}`,
		"011A" + usd:                        `{"BaseAsset":"USD"}`,
		"0318" + xrp:                        `{"Asset":{"currency":"XRP"}}`,
		"0318" + usdIssue:                   `{"Asset":{"currency":"USD","issuer":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"}}`,
		"0119" + "14" + account + xrp + "00" + usdIssue: `{"XChainBridge":{"LockingChainDoor":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","LockingChainIssue":{"currency":"XRP"},
			"IssuingChainDoor":"","IssuingChainIssue":{"currency":"USD","issuer":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"}}}`,
		"0112" + "01" + account + "30" + usdIssue + "FF" + "10" + xrp + "00": `{"Paths":[[{"type":1,"account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"},
			{"type":48,"currency":"USD","issuer":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"}],[{"type":16,"currency":"XRP"}]]}`,
		"E7E1":                         `{"FinalFields":{}}`,
		"E72200000001E1":               `{"FinalFields":{"Flags":1}}`,
		"F9F1":                         `{"Memos":[]}`,
		"F9EA7D0101E1F1":               `{"Memos":[{"Memo":{"MemoData":"01"}}]}`,
		"F8E51100612200000000E1E3E1F1": `{"AffectedNodes":[{"ModifiedNode":{"LedgerEntryType":"AccountRoot","Flags":0}},{"CreatedNode":{}}]}`,
	} {
		o, err := ParseObject(fields(t, in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var wanted any
		d := json.NewDecoder(strings.NewReader(want))
		d.UseNumber()
		if err := d.Decode(&wanted); err != nil {
			t.Fatal(err)
		}
		if got := plain(t, o.JSON()); !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: %v, want %v", in, got, wanted)
		}
		if got := o.Append(nil); !bytes.Equal(got, fields(t, in)) {
			t.Errorf("%s: serialized %X", in, got)
		}
	}
}

// Values that were set to bytes of no use still render, to something.
func TestJSONOfMisuse(t *testing.T) {
	o := NewObject()
	for _, f := range AllFields() {
		switch f.Type {
		case TypeObject:
			o.fields = append(o.fields, value{field: f})
		case TypeArray:
			o.SetArray(f, nil)
		default:
			o.SetBlob(f, []byte{0x31, 0x14, 3})
		}
	}
	sortFields(o.fields)
	if _, err := json.Marshal(o.JSON()); err != nil {
		t.Error(err)
	}
	o.Clone().Append(nil)
}

func TestHashes(t *testing.T) {
	// SHA-512 of nothing, and of "abc" in parts (FIPS 180-2).
	if got := Sha512Half().String(); got != "CF83E1357EEFB8BDF1542850D66D8007D620E4050B5715DC83F4A921D36CE9CE" {
		t.Error(got)
	}
	const abc = "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A"
	for _, parts := range [][][]byte{{[]byte("abc")}, {[]byte("a"), []byte("bc")}, {nil, []byte("ab"), []byte("c")}} {
		if got := Sha512Half(parts...).String(); got != abc {
			t.Error(got)
		}
	}
	h, ok := ParseHash256(strings.ToLower(abc))
	if !ok || h.String() != abc || h.IsZero() {
		t.Error(h, ok)
	}
	for _, bad := range []string{"", abc[:63], abc + "0", abc[:63] + "G", abc[:62] + " A", "0x" + abc[2:]} {
		if _, ok := ParseHash256(bad); ok {
			t.Error(bad)
		}
	}
	if got, err := json.Marshal(map[string]any{"h": h, "a": AccountID{}}); err != nil || string(got) != `{"a":"rrrrrrrrrrrrrrrrrrrrrhoLvTp","h":"`+abc+`"}` {
		t.Errorf("%s %v", got, err)
	}
	if got := hex.EncodeToString(PrefixTxSign[:]); got != "53545800" {
		t.Error(got)
	}
}
