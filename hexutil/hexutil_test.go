package hexutil_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/hexutil"
)

func TestDisplay(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"text", "5465737443726564656E7469616C", "TestCredential"},
		{"lower case hex", "546573745f43726564", "Test_Cred"},
		{"empty", "", ""},
		{"first printable byte", "20", " "},
		{"last printable byte", "7E", "~"},
		{"byte before the printable", "1F", "(BIN) 1F"},
		{"delete", "7F", "(BIN) 7F"},
		{"zero", "00", "(BIN) 00"},
		{"new line at the end", "41420A", "(BIN) 41420A"},
		{"terminal escape", "1B5B324A", "(BIN) 1B5B324A"},
		{"UTF-8 is not ASCII", "C3A9", "(BIN) C3A9"},
		{"right-to-left override", "E280AE", "(BIN) E280AE"},
		{"case of the hex stays", "dEadBeef", "(BIN) dEadBeef"},
		{"markup is text", "3C623E", "<b>"},
		{"text that looks like ours", hexutil.Encode("(BIN) 00"), "(BIN) 2842494E29203030"},
		{"prefix without the space is text", hexutil.Encode("(BIN)"), "(BIN)"},
		{"odd length", "414", "(BIN) 414"},
		{"no hex", "xyz", "(BIN) xyz"},
		{"no hex, with controls", "\x1b[2Jé\n", "(BIN) ?[2J???"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := hexutil.Display(tc.in); got != tc.want {
				t.Errorf("Display(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestUndisplay(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		err            error
	}{
		{"text", "TestCredential", "TestCredential", nil},
		{"upper", "(BIN) C3A9", "é", nil},
		{"lower", "(BIN) c3a9", "é", nil},
		{"printable bytes too", "(BIN) 41", "A", nil},
		{"no bytes", "(BIN) ", "", nil},
		{"prefix without the space", "(BIN)", "(BIN)", nil},
		{"odd", "(BIN) 123", "", hexutil.ErrBinary},
		{"no hex", "(BIN) zz", "", hexutil.ErrBinary},
		{"two spaces", "(BIN)  41", "", hexutil.ErrBinary},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := hexutil.Undisplay(tc.in)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("Undisplay(%q) = %q, %v, want %q, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
}

// FuzzRoundTrip holds Display and Undisplay against each other for any bytes and any case of their hex.
func FuzzRoundTrip(f *testing.F) {
	for _, s := range []string{"", "TestCredential", "\x00", "(BIN) 00", "(BIN) ", "\x1b[31m", "é", strings.Repeat("\xff", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		shown := hexutil.DisplayRaw(raw)
		if other := hexutil.Display(hexutil.Encode(raw)); other != shown {
			t.Fatalf("Display gives %q, DisplayRaw %q", other, shown)
		}
		for _, s := range []string{shown, hexutil.Display(hex.EncodeToString([]byte(raw)))} {
			if !hexutil.Printable(s) {
				t.Fatalf("%q is shown as %q", raw, s)
			}
			if back, err := hexutil.Undisplay(s); err != nil || back != raw {
				t.Fatalf("%q is shown as %q and reads back as %q, %v", raw, s, back, err)
			}
		}
		// As if the bytes themselves were what a broken node sent as hex.
		if s := hexutil.Display(raw); !hexutil.Printable(s) {
			t.Fatalf("%q is shown as %q", raw, s)
		}
	})
}
