package config

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/spf13/pflag"
)

// written is a text in the encodings that editors and shells write.
func written(text string) map[string][]byte {
	wide := func(order binary.AppendByteOrder, mark bool) (out []byte) {
		if mark {
			out = order.AppendUint16(out, 0xFEFF)
		}
		for _, unit := range utf16.Encode([]rune(text)) {
			out = order.AppendUint16(out, unit)
		}
		return out
	}
	return map[string][]byte{
		"UTF-8": []byte(text), "UTF-8 with a mark": []byte("\ufeff" + text),
		"UTF-16 LE with a mark": wide(binary.LittleEndian, true), "UTF-16 BE with a mark": wide(binary.BigEndian, true),
		"UTF-16 LE": wide(binary.LittleEndian, false), "UTF-16 BE": wide(binary.BigEndian, false),
	}
}

// TestSecretFileEncodings: a secret is read from a file in any of them, and so is .env.
func TestSecretFileEncodings(t *testing.T) {
	t.Parallel()
	const secret = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"
	for name, raw := range written(secret + "\r\n") {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := SecretFile(path); got != secret || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, raw := range written("# a comment\r\nISSUER_ACCOUNT_SEED=" + secret + "\r\nLOG_LEVEL=warn\r\n") {
		path := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Pick("ISSUER_ACCOUNT_SEED", "LOG_LEVEL"), nil, path)
		if err != nil {
			t.Fatal(err)
		}
		if got, level := v.String("ISSUER_ACCOUNT_SEED"), v.String("LOG_LEVEL"); got != secret || level != "warn" || v.Err() != nil {
			t.Errorf("%s: %q, %q, %v", name, got, level, v.Err())
		}
	}
}

// TestTextUnchanged: bytes that are no text of another encoding stay as they are.
func TestTextUnchanged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "\x00", "ab", "a\x00b", "é", "\xff\xfe\xff", "\x00\x00", "\xff"} {
		if got := Text([]byte(text)); got != text {
			t.Errorf("%q: %q", text, got)
		}
	}
}
