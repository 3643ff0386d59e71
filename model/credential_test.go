package model

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/hexutil"
)

func TestParseType(t *testing.T) {
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	for _, tc := range []struct {
		name, in  string
		ok, shown bool // taken for issuing; taken in the form that lists show
	}{
		{"one character", "a", true, true},
		{"64 characters, all kinds", all, true, true},
		{"period", "v1.2", true, true},
		{"65 characters", all + "x", false, false},
		{"empty", "", false, false},
		{"space", "Test Credential", false, true},
		{"markup", "<b>", false, true},
		{"non-ASCII letter", "Ärzte", false, false},
		{"new line behind", "Test\n", false, false},
		{"zero byte", "Te\x00st", false, false},
		{"delete", "Te\x7fst", false, false},
		{"binary, one byte", "(BIN) 00", false, true},
		{"binary, lower case", "(BIN) c3a9", false, true},
		{"binary, 64 bytes", "(BIN) " + strings.Repeat("FF", 64), false, true},
		{"binary, 65 bytes", "(BIN) " + strings.Repeat("FF", 65), false, false},
		{"binary, no bytes", "(BIN) ", false, false},
		{"binary, odd", "(BIN) 0", false, false},
		{"binary, no hex", "(BIN) zz", false, false},
		{"very long", strings.Repeat("a", 1<<20), false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			typ, err := ParseType(tc.in)
			if (err == nil) != tc.ok || tc.ok && string(typ) != tc.in {
				t.Errorf("ParseType: %v, %v", typ, err)
			}
			shown, err := ParseShownType(tc.in)
			if (err == nil) != tc.shown {
				t.Errorf("ParseShownType: %v, %v", shown, err)
			}
		})
	}
}

func TestParseURI(t *testing.T) {
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"
	for _, tc := range []struct {
		name, in string
		ok       bool
	}{
		{"all that is allowed", all, true},
		{"one character", "a", true},
		{"256 characters", strings.Repeat("a", 256), true},
		{"257 characters", strings.Repeat("a", 257), false},
		{"empty", "", false},
		{"space", "https://example.com/a b", false},
		{"quote", `https://example.com/"`, false},
		{"angle bracket", "https://example.com/<b>", false},
		{"backslash", `C:\`, false},
		{"braces", "{}", false},
		{"caret", "^", false},
		{"bar", "|", false},
		{"backtick", "`", false},
		{"non-ASCII", "https://exämple.com", false},
		{"control", "a\r\nSet-Cookie: b", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := ParseURI(tc.in); (err == nil) != tc.ok || tc.ok && got != tc.in {
				t.Errorf("ParseURI: %q, %v", got, err)
			}
		})
	}
	for b := range 256 {
		want := b < 0x80 && strings.IndexByte(all, byte(b)) >= 0
		if _, err := ParseURI(string([]byte{byte(b)})); (err == nil) != want {
			t.Errorf("byte %#02x: %v, want it taken: %t", b, err, want)
		}
	}
}

func TestExpired(t *testing.T) {
	for _, tc := range []struct {
		expiration, closeTime uint32
		want                  bool
	}{
		{0, 1<<32 - 1, false},
		{100, 99, false},
		{100, 100, false},
		{100, 101, true},
	} {
		if got := (Credential{Expiration: tc.expiration}).Expired(tc.closeTime); got != tc.want {
			t.Errorf("expiration %d, closed at %d: expired %t, want %t", tc.expiration, tc.closeTime, got, tc.want)
		}
	}
}

func TestFilter(t *testing.T) {
	const me, other = Address("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"), Address("rrrrrrrrrrrrrrrrrrrrBZbvji")
	issued := Credential{Issuer: me, Subject: other}
	about := Credential{Issuer: other, Subject: me, Accepted: true}
	self := Credential{Issuer: me, Subject: me, Accepted: true}
	for _, tc := range []struct {
		filter Filter
		want   string // of issued, about, self
	}{
		{Filter{}, "true true true"},
		{Filter{Side: Issued}, "true false true"},
		{Filter{Side: About}, "false true true"},
		{Filter{Acceptance: Accepted}, "false true true"},
		{Filter{Acceptance: Unaccepted}, "true false false"},
		{Filter{Side: Issued, Acceptance: Accepted}, "false false true"},
		{Filter{Side: About, Acceptance: Unaccepted}, "false false false"},
	} {
		got := fmt.Sprint(tc.filter.Match(me, issued), tc.filter.Match(me, about), tc.filter.Match(me, self))
		if got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.filter, got, tc.want)
		}
	}
}

func TestParseHexBounds(t *testing.T) {
	for _, tc := range []struct {
		name  string
		parse func(string) error
		most  int
	}{
		{"type", func(s string) error { _, err := ParseTypeHex(s); return err }, MaxTypeLen},
		{"URI", func(s string) error { _, err := ParseURIHex(s); return err }, MaxURILen},
	} {
		for in, ok := range map[string]bool{
			"": false, "0": false, "0g": false, "00": true, "ff": true,
			strings.Repeat("AB", tc.most):   true,
			strings.Repeat("AB", tc.most+1): false,
		} {
			if err := tc.parse(in); (err == nil) != ok {
				t.Errorf("%s of %d digits: %v, want it taken: %t", tc.name, len(in), err, ok)
			}
		}
	}
}

// FuzzType holds the three forms of a credential type against each other: raw, as the ledger has it, as lists show it.
func FuzzType(f *testing.F) {
	for _, s := range []string{"TestCredential", "\x00", "(BIN) 00", "(BIN) ", "a b", "é", strings.Repeat("\xff", 64), strings.Repeat("a", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		typ, err := ParseTypeHex(hexutil.Encode(raw))
		if ok := 1 <= len(raw) && len(raw) <= MaxTypeLen; (err == nil) != ok {
			t.Fatalf("%d bytes: %v", len(raw), err)
		}
		if err != nil {
			return
		}
		if string(typ) != raw || typ.Hex() != hexutil.Encode(raw) {
			t.Fatalf("%q comes back as %q, %s", raw, string(typ), typ.Hex())
		}
		if back, err := ParseShownType(typ.Text()); err != nil || back != typ {
			t.Fatalf("%q is shown as %q, which reads as %q, %v", raw, typ.Text(), string(back), err)
		}
		if issued, err := ParseType(raw); err == nil && (issued != typ || issued.Text() != raw) {
			t.Fatalf("%q is taken for issuing and shown as %q", raw, issued.Text())
		}
	})
}

func TestErrorText(t *testing.T) {
	e := &Error{Code: CodeLedgerUnavailable, Message: "no node answers", Cause: errors.New("refused"),
		Pending: &Pending{Hash: "ABC", LastLedgerSequence: 7}}
	wrapped := fmt.Errorf("issuing: %w", e)
	if got := CodeOf(wrapped); got != CodeLedgerUnavailable {
		t.Errorf("CodeOf = %q", got)
	}
	if !errors.Is(wrapped, e.Cause) {
		t.Error("the cause is not in the chain")
	}
	const want = "ledgerUnavailable: no node answers (transaction ABC may be validated up to ledger 7): refused"
	if e.Error() != want {
		t.Errorf("Error() = %q, want %q", e.Error(), want)
	}
	if CodeOf(errors.New("x")) != "" || CodeOf(nil) != "" {
		t.Error("a foreign error has a code")
	}
}
