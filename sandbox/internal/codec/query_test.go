package codec

import (
	"bytes"
	"strings"
	"testing"
)

func TestIsDefault(t *testing.T) {
	for in, want := range map[string]bool{
		"":                   true,
		"2200000000":         true,
		"2200000001":         false,
		"340000000000000000": true,
		"684000000000000000": true,
		"68400000000000000A": false,
		"68" + issuedHex("8000000000000000", usd): false,
		"7500":                              true,
		"750100":                            false, // a byte of zero is a value
		"8100":                              true,
		"8114" + strings.Repeat("00", 20):   false,
		"51" + strings.Repeat("00", 32):     true,
		"031300":                            true,
		"031320" + strings.Repeat("00", 32): false,
		"E7E1":                              true,
		"E72200000000E1":                    false,
		"F9F1":                              true,
		"F9EAE1F1":                          false,
		"0318" + strings.Repeat("00", 20):   true,
	} {
		o, err := ParseObject(fields(t, in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		f := SfFlags
		if o.Len() == 1 {
			f = o.Fields()[0]
		}
		if got := o.IsDefault(f); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestAmountQueries(t *testing.T) {
	token := strings.Repeat("AB", 24)
	amount := func(in string) *Object {
		o, err := ParseObject(fields(t, "61"+in))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for in, want := range map[string]int{
		"4000000000000000": 0, "4000000000000001": 1, "0000000000000001": -1,
		issuedHex("8000000000000000", usd): 0, issuedHex("D4838D7EA4C68000", usd): 1, issuedHex("94838D7EA4C68000", usd): -1,
		"600000000000000000" + token: 0, "600000000000000001" + token: 1, "200000000000000001" + token: -1,
	} {
		if got := amount(in).AmountSign(SfAmount); got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
	if NewObject().AmountSign(SfAmount) != 0 {
		t.Error("the sign of nothing")
	}

	kinds := []string{"4000000000000001", issuedHex("D4838D7EA4C68000", usd), "60" + "0000000000000001" + token}
	for i, a := range kinds {
		for j, b := range kinds {
			o := amount(a)
			o.SetBlob(SfSendMax, amount(b).Blob(SfAmount))
			if got := o.SameCurrency(SfAmount, SfSendMax); got != (i == j) {
				t.Errorf("%s and %s: %v", a, b, got)
			}
		}
	}
	spelt := issuedHex("D4838D7EA4C68000", "0000000000000000000000005852500000000000")
	if !amount(spelt).IsBadCurrency(SfAmount) || amount(kinds[1]).IsBadCurrency(SfAmount) || amount(kinds[0]).IsBadCurrency(SfAmount) {
		t.Error("IsBadCurrency")
	}
}

func TestSplitVL(t *testing.T) {
	value, rest, err := SplitVL(append(AppendVL(nil, make([]byte, 500)), 1, 2))
	if err != nil || len(value) != 500 || !bytes.Equal(rest, []byte{1, 2}) {
		t.Errorf("%d bytes, then %X: %v", len(value), rest, err)
	}
	for _, in := range []string{"", "01", "C1", "C100", "FF", "F10000"} {
		if _, _, err := SplitVL(fields(t, in)); err == nil {
			t.Errorf("%s is read", in)
		}
	}
}
