package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// fields joins hex, ignoring blanks.
func fields(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// The fields of a small payment, to take away from and add to.
const (
	hexPayment     = "120000"
	hexSequence    = "2400000001"
	hexAmount      = "614000000000000001"
	hexFee         = "68400000000000000A"
	hexKey         = "7300"
	hexAccount     = "8114B5F762798A53D543A014CAF8B297CFF8F2F937E8"
	hexDestination = "8314D8F1C60981C6F7DB8DECAEFE4203E810B7C7338E"
	hexSmall       = hexPayment + hexSequence + hexAmount + hexFee + hexKey + hexAccount + hexDestination
)

func TestParseTxRefusals(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	// Eleven objects within each other: TransactionMetaData (E2) in itself.
	deep := func(n int) string { return strings.Repeat("E2", n) + strings.Repeat("E1", n) }
	// Arrays of one Memo (EA) that hold an array of memos (F9) …
	deepArrays := func(n int) string { return strings.Repeat("F9EA", n) + strings.Repeat("E1F1", n) }
	issued := func(word string) string {
		return "61" + word + zeros(12) + "555344" + zeros(5) + "B5F762798A53D543A014CAF8B297CFF8F2F937E8"
	}
	withoutAmount := hexPayment + hexSequence + hexFee + hexKey + hexAccount + hexDestination
	for name, c := range map[string]struct{ hex, want string }{
		"good":                            {hexSmall, ""},
		"good in any order":               {hexDestination + hexAccount + hexKey + hexFee + hexAmount + hexSequence + hexPayment, ""},
		"empty":                           {"", "Transaction length invalid"},
		"31 bytes":                        {hexSmall[:62], "Transaction length invalid"},
		"too long":                        {hexSmall + zeros(MaxTxSize), "Transaction length invalid"},
		"object terminator":               {hexSmall + "E1", "Transaction contains an object terminator"},
		"object terminator, then garbage": {hexSmall + "E1FFFFFF", "Transaction contains an object terminator"},
		"array terminator":                {hexSmall + "F1", "Illegal end-of-array marker in object"},
		"trailing zero":                   {hexSmall + "00", "invalid SerialIter get8"},
		"trailing zeros":                  {hexSmall + "000000", "gFID: uncommon type out of range 0"},
		"uncommon type that is common":    {hexSmall + "000F10", "gFID: uncommon type out of range 15"},
		"uncommon number that is common":  {hexSmall + "200F", "gFID: uncommon name out of range 15"},
		"a field of ledger entries":       {hexSmall + "2F00000000", "Field 'LastUpdateTime' found in disallowed location."},
		"unknown field of a known type":   {hexSmall + "1A0000", "Unknown field"},
		"short mantissa":                  {hexSmall + "9100000000", "invalid SerialIter geti64"},
		"short exponent":                  {hexSmall + "91" + zeros(11), "invalid SerialIter geti32"},
		"unknown type":                    {hexSmall + "B100000000", "Unknown field"},
		"unknown uncommon type":           {hexSmall + "01FF", "Unknown field"},
		"duplicate":                       {hexSmall + hexSequence, "Duplicate field detected"},
		"duplicate, another value":        {hexSmall + "2400000002", "Duplicate field detected"},
		"cut in a UInt8":                  {hexSmall + "0010" + "10", "invalid SerialIter get8"},
		"cut in a UInt16":                 {hexSmall + "1400", "invalid SerialIter get16"},
		"cut in a UInt32":                 {hexSmall + "22000000", "invalid SerialIter get32"},
		"cut in a UInt64":                 {hexSmall + "3100000000000000", "invalid SerialIter get64"},
		"cut in an amount":                {hexSmall + "6940000000000000", "invalid SerialIter get64"},
		"cut in a hash":                   {hexSmall + "51" + zeros(31), "invalid SerialIter getBitString"},
		"cut in a blob":                   {hexSmall + "7D0201", "invalid SerialIter getRaw"},
		"cut in a length":                 {hexSmall + "7DC1", "invalid SerialIter get8"},
		"cut in a long length":            {hexSmall + "7DF100", "invalid SerialIter get8"},
		"length of 255":                   {hexSmall + "7DFF", "b1>254"},
		"cut in hashes":                   {hexSmall + "031320" + zeros(31), "invalid SerialIter getSlice"},
		"half a hash":                     {hexSmall + "031310" + zeros(16), "Bad serialization for STVector256: 16"},
		"no TransactionType":              {hexSmall[6:], "Field not found: TransactionType"},
		"no such TransactionType":         {"12FFFF" + hexSmall[6:], "Invalid transaction type 65535"},
		"retired TransactionType":         {"120006" + hexSmall[6:], "Invalid transaction type 6"},
		"no Amount":                       {withoutAmount, "Field 'Amount' is required but missing."},
		"no Destination and no Amount":    {hexPayment + hexSequence + hexFee + hexKey + hexAccount, "Field 'Destination' is required but missing."},
		"no SigningPubKey":                {hexPayment + hexSequence + hexAmount + hexFee + hexAccount + hexDestination, "Field 'SigningPubKey' is required but missing."},
		"no Account":                      {hexPayment + hexSequence + hexAmount + hexFee + hexKey + hexDestination, "Field 'Account' is required but missing."},
		"a field of other types":          {hexSmall + "2B00000001", "Field 'TransferRate' found in disallowed location."},
		"two, in sending order":           {hexSmall + "2D00000001" + "2C00000001", "Field 'OwnerCount' found in disallowed location."},
		"account of 0 bytes":              {hexPayment + hexSequence + hexAmount + hexFee + hexKey + "8100" + hexDestination, ""},
		"account of 19 bytes":             {hexPayment + hexSequence + hexAmount + hexFee + hexKey + "8113" + zeros(19) + hexDestination, "Invalid STAccount size"},
		"account of 21 bytes":             {hexPayment + hexSequence + hexAmount + hexFee + hexKey + "8115" + zeros(21) + hexDestination, "Invalid STAccount size"},
		"negative zero XRP":               {"610000000000000000" + withoutAmount, "negative zero is not canonical"},
		"negative XRP":                    {"610000000000000001" + withoutAmount, ""},
		"issued":                          {issued("D4838D7EA4C68000") + withoutAmount, ""},
		"issued zero":                     {issued("8000000000000000") + withoutAmount, ""},
		"issued zero, not canonical":      {issued("C000000000000000") + withoutAmount, "invalid currency value"},
		"issued, mantissa too small":      {issued("D4800000000000FF") + withoutAmount, "invalid currency value"},
		"issued, mantissa too large":      {issued("D4A386F26FC10000") + withoutAmount, "invalid currency value"},
		"issued, exponent too small":      {issued("C0038D7EA4C68000") + withoutAmount, "invalid currency value"},
		"issued, exponent too large":      {issued("EC838D7EA4C68000") + withoutAmount, "invalid currency value"},
		"issued XRP":                      {"61D4838D7EA4C68000" + zeros(20) + "B5F762798A53D543A014CAF8B297CFF8F2F937E8" + withoutAmount, "invalid native currency"},
		"issued by nobody":                {"61D4838D7EA4C68000" + zeros(19) + "02" + zeros(20) + withoutAmount, "invalid native account"},
		"no paths":                        {hexSmall + "011200", "empty path"},
		"empty path after another":        {hexSmall + "0112" + "30" + zeros(19) + "01" + zeros(19) + "01" + "FF00", "empty path"},
		"bad path element":                {hexSmall + "011202", "bad path element"},
		"path that never ends":            {hexSmall + "0112" + "10" + zeros(19) + "01", "invalid SerialIter get8"},
		"path element without anything":   {hexSmall + "0112" + "01" + zeros(20) + "00", "bad path element"},
		"objects as deep as they may be":  {hexSmall + deep(10), "Field 'TransactionMetaData' found in disallowed location."},
		"objects too deep":                {hexSmall + deep(11), "Maximum nesting depth of STVar exceeded"},
		"very deep":                       {hexSmall + strings.Repeat("E2", 500000), "Maximum nesting depth of STVar exceeded"},
		"arrays as deep as they may be":   {hexSmall + deepArrays(5), ""},
		"arrays too deep":                 {hexSmall + deepArrays(6), "Maximum nesting depth of STVar exceeded"},
		"array that ends as an object":    {hexSmall + "F9E1", "Illegal terminator in array"},
		"array of unknown":                {hexSmall + "F91A", "Unknown field"},
		"array of integers":               {hexSmall + "F92400000001", "Non-object in array"},
		"array without end":               {hexSmall + "F9EA7D0101", ""},
		"signer without a key":            {hexSmall + "F3E010" + hexAccount + "E1F1", "Field 'SigningPubKey' is required but missing."},
		"memo with a duplicate":           {hexSmall + "F9EA7D01017D0101E1F1", "Duplicate field detected"},
	} {
		t.Run(name, func(t *testing.T) {
			blob := fields(t, c.hex)
			tx, err := ParseTx(blob)
			if c.want != "" {
				var refusal Refusal
				if !errors.As(err, &refusal) || err.Error() != c.want {
					t.Fatalf("got %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseTx(tx.Blob)
			if err != nil || again.ID != tx.ID || !tx.Same(again.Object) {
				t.Fatalf("parsed again: %v", err)
			}
		})
	}
}

func TestParseTxSorts(t *testing.T) {
	want := fields(t, hexSmall)
	tx, err := ParseTx(fields(t, hexDestination, hexAccount, hexKey, hexFee, hexAmount, hexSequence, hexPayment))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(tx.Blob, want) {
		t.Errorf("got  %X\nwant %X", tx.Blob, want)
	}
	sorted, err := ParseTx(want)
	if err != nil || sorted.ID != tx.ID {
		t.Errorf("another id: %v", err)
	}
}

// What lacks end markers gets them; what names the zero account in a path loses it, as in rippled.
func TestParseTxCanonicalizes(t *testing.T) {
	for in, want := range map[string]string{
		hexSmall + "F9EA7D0101": hexSmall + "F9EA7D0101E1F1",
		hexSmall + "0112" + "31" + strings.Repeat("00", 20) + strings.Repeat("11", 20) + strings.Repeat("00", 20) + "00": hexSmall + "0112" + "10" + strings.Repeat("11", 20) + "00",
	} {
		tx, err := ParseTx(fields(t, in))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(tx.Blob, fields(t, want)) {
			t.Errorf("got  %X\nwant %s", tx.Blob, want)
		}
	}
}

// The longest transaction that is made of nothing but the smallest objects costs a bounded amount of memory.
func TestParseTxMemory(t *testing.T) {
	for name, unit := range map[string]string{"empty objects": "EAE1", "small objects": "EA7D00E1", "duplicates": "7D00"} {
		head := hexSmall
		if name != "duplicates" {
			head += "F9"
		}
		blob := append(fields(t, head), bytes.Repeat(fields(t, unit), (MaxTxSize-len(head)/2)/(len(unit)/2))...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseTx(blob)
		runtime.ReadMemStats(&after)
		if cost := (after.TotalAlloc - before.TotalAlloc) / uint64(len(blob)); cost > 80 {
			t.Errorf("%s: %d bytes of memory for each byte", name, cost)
		}
		if (name == "duplicates") != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseObjectBounds(t *testing.T) {
	if _, err := ParseObject(make([]byte, MaxObjectSize+1)); err != errTooLarge {
		t.Error(err)
	}
	if _, err := ParseObject([]byte{objectEnd}); err != errObjectTerminator {
		t.Error(err)
	}
	o, err := ParseObject(nil)
	if err != nil || o.Len() != 0 {
		t.Error(o, err)
	}
}

func TestParseEntry(t *testing.T) {
	_, _, entries := vectorBlobs(t)
	kinds := map[LedgerEntryType]bool{}
	for _, b := range entries {
		o, kind, err := ParseEntry(b)
		if err != nil {
			t.Fatalf("%X: %v", b, err)
		}
		kinds[kind] = true
		if kind.String() != o.JSON()["LedgerEntryType"] {
			t.Error(kind)
		}
	}
	if len(kinds) < 4 {
		t.Errorf("only %v", kinds)
	}
	for in, want := range map[string]string{
		"":                                "invalid ledger entry type",
		"110000":                          "invalid ledger entry type",
		"110054":                          "Field 'Account' is required but missing.",
		"11006622":                        "invalid SerialIter get32",
		"1100662200000000" + "2400000001": "Field 'Sequence' found in disallowed location.",
	} {
		if _, _, err := ParseEntry(fields(t, in)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func TestFieldIDs(t *testing.T) {
	for f, want := range map[*Field]string{
		SfTransactionType: "12", SfFlags: "22", SfTickSize: "001010", SfHookOn: "3010", SfCloseResolution: "0110",
		SfSigner: "E010", SfMajorities: "F010", SfPaths: "0112", SfAssetPrice: "3017", SfBookDirectory: "5010",
	} {
		if got := fmt.Sprintf("%X", f.header[:f.hlen]); got != want {
			t.Errorf("%s: %s, want %s", f, got, want)
		}
	}
	for _, f := range AllFields() {
		if FieldByName(f.Name) != f || FieldByCode(f.Type, f.Nth) != f {
			t.Errorf("%s is not found", f)
		}
		r := reader{b: f.header[:f.hlen]}
		if kind, nth, err := r.fieldID(); err != nil || Type(kind) != f.Type || nth != f.Nth || r.pos != int(f.hlen) {
			t.Errorf("%s reads as %d %d %v", f, kind, nth, err)
		}
	}
	if FieldByName("Nothing") != nil || FieldByCode(99, 1) != nil || FieldByCode(TypeUInt8, -1) != nil || FieldByCode(TypeUInt8, 1000) != nil {
		t.Error("found what is not there")
	}
	if len(AllFields()) != len(fieldsByName) {
		t.Error("a name stands for two fields")
	}
}

// Every template names each field once, and every type is found by its name.
func TestTemplates(t *testing.T) {
	check := func(name string, template []TemplateField) {
		seen := map[*Field]bool{}
		for _, e := range template {
			if seen[e.Field] {
				t.Errorf("%s has %s twice", name, e.Field)
			}
			seen[e.Field] = true
		}
	}
	for kind := range txFormats {
		check(kind.String(), kind.Template())
		if got, ok := TxTypeByName(kind.String()); !ok || got != kind {
			t.Errorf("%s is %d", kind, got)
		}
	}
	for kind := range entryFormats {
		check(kind.String(), kind.Template())
		if got, ok := LedgerEntryTypeByName(kind.String()); !ok || got != kind {
			t.Errorf("%s is %d", kind, got)
		}
	}
	for f, template := range innerFormats {
		check(f.Name, template)
	}
	if TxType(6).Template() != nil || TxType(6).String() != "6" || LedgerEntryType(1).String() != "1" {
		t.Error("types that are not there")
	}
	if !LtCredential.Allows(SfPreviousTxnID) || LtLedgerHashes.Allows(SfPreviousTxnID) || !LtTicket.Allows(SfFlags) || LedgerEntryType(1).Allows(SfFlags) {
		t.Error("Allows")
	}
}

// TestCheckInner: objects of some fields have a template; objects of others may carry anything.
func TestCheckInner(t *testing.T) {
	whole := NewObject()
	whole.SetAccount(SfAccount, AccountID{1})
	whole.SetUint(SfSignerWeight, 1)
	if err := whole.CheckInner(SfSignerEntry); err != nil {
		t.Error(err)
	}
	if got := errorText(whole.CheckInner(SfSigner)); got != "Field 'SigningPubKey' is required but missing." {
		t.Errorf("%q", got)
	}
	whole.SetUint(SfSequence, 1)
	if got := errorText(whole.CheckInner(SfSignerEntry)); got != "Field 'Sequence' found in disallowed location." {
		t.Errorf("%q", got)
	}
	if err := whole.CheckInner(SfMemo); err != nil {
		t.Error(err)
	}
}
