package model

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestShownJSON(t *testing.T) {
	for _, c := range [][2]string{
		{``, ``},
		{`{"a":"b <>&"}` + "\n", `{"a":"b <>&"}` + "\n"},
		{"{\"\u00e9\":\"\u65e5\U0001F600\"}", "{\"\u00e9\":\"\u65e5\U0001F600\"}"},
		{"\"\x7f\u009b2J\u0085\"", `"\u007f\u009b2J\u0085"`},
		{"\"\u202egnp\u2066\u200f\u061c\"", `"\u202egnp\u2066\u200f\u061c"`},
		{"\"a\u200bb\ufeff\u2028\"", `"a\u200bb\ufeff\u2028"`},
		{"\"\U000E0041\U0010FFFF\"", `"\udb40\udc41\udbff\udfff"`},
		{"\"\xff\ufffd\"", "\"\\ufffd\ufffd\""},
	} {
		if got := string(ShownJSON([]byte(c[0]))); got != c[1] {
			t.Errorf("%q: %s, want %s", c[0], got, c[1])
		}
	}
}

func FuzzShownJSON(f *testing.F) {
	for _, s := range []string{"", "a", "\u202e", "\x7f\u009b", "\U000E0041", "\xff", `\`, "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		shown := ShownJSON(text)
		if strings.ContainsFunc(string(shown), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", text, shown)
		}
		var want, got map[string]string
		if json.Unmarshal(text, &want) != nil || json.Unmarshal(shown, &got) != nil || len(got) != 1 {
			t.Fatalf("%q became %q", text, shown)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%q became %q", text, shown)
			}
		}
	})
}
