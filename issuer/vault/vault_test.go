package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/model"
)

const id model.OperationID = "01JD8Q4Z7T9XW3V5K2M6N8P0RS"

func open(t *testing.T, keys ...vault.Key) *vault.Vault {
	t.Helper()
	v, err := vault.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSealOpen(t *testing.T) {
	v := open(t, vault.NewKey())
	for _, text := range []string{"", "{}", strings.Repeat("passport ", 100_000)} {
		sealed, err := v.Seal(id, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		again, err := v.Seal(id, []byte(text))
		if err != nil || bytes.Equal(sealed, again) {
			t.Errorf("sealed twice the same (%v)", err)
		}
		if len(text) > 10 && bytes.Contains(sealed, []byte("passport")) {
			t.Error("the text can be read")
		}
		got, err := v.Open(id, sealed)
		if err != nil || string(got) != text {
			t.Errorf("opened %d bytes of %d: %v", len(got), len(text), err)
		}
		if got, err := v.Open("01JD8Q4Z7T9XW3V5K2M6N8P0RT", sealed); err == nil {
			t.Errorf("another request opened it: %q", got)
		}
	}
}

// Each byte counts: whatever is changed, cut off or added, nothing is opened.
func TestOpenRefusesChanges(t *testing.T) {
	v := open(t, vault.NewKey())
	sealed, err := v.Seal(id, []byte(`{"reason":"please"}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := v.Open(id, changed); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
		if _, err := v.Open(id, sealed[:i]); err == nil {
			t.Errorf("opened %d bytes of %d", i, len(sealed))
		}
	}
	if _, err := v.Open(id, append(bytes.Clone(sealed), 0)); err == nil {
		t.Error("opened with a byte too many")
	}
}

func TestKeysAreReplaced(t *testing.T) {
	before, after := vault.NewKey(), vault.NewKey()
	sealed, err := open(t, before).Seal(id, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	both := open(t, after, before)
	if text, err := both.Open(id, sealed); err != nil || string(text) != "x" {
		t.Errorf("the old key does not open: %q %v", text, err)
	}
	if _, err := open(t, after).Open(id, sealed); !errors.Is(err, vault.ErrKey) {
		t.Errorf("without its key: %v", err)
	}
	fresh, err := both.Seal(id, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, after).Open(id, fresh); err != nil {
		t.Errorf("the first key did not seal: %v", err)
	}
	secrets := both.Secrets(id)
	if want := append(open(t, after).Secrets(id), open(t, before).Secrets(id)...); !slices.Equal(secrets, want) || secrets[0] == secrets[1] {
		t.Error("secrets do not go by the keys in their order")
	}
	if s := secrets[0]; len(s) != 32 || s == both.Secrets(id[:25] + "T")[0] {
		t.Errorf("secret %q", s)
	}
}

func TestKeysStayHidden(t *testing.T) {
	k := vault.NewKey()
	text := k.Reveal()
	for _, form := range []string{text, strings.TrimRight(text, "="), strings.NewReplacer("+", "-", "/", "_").Replace(text)} {
		read, err := vault.ParseKey(form)
		if err != nil || read != k {
			t.Errorf("ParseKey: %v", err)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k, "vault", open(t, k))
	printed := fmt.Sprintf("%v %+v %#v %s %x %v", k, k, k, k, k, open(t, k)) + log.String()
	if strings.Contains(printed, text[:8]) || !strings.Contains(printed, "[redacted]") {
		t.Errorf("printed %s", printed)
	}
	for _, bad := range []string{"", "AAAA", text + "A", text[1:], strings.Repeat("A", 43) + "=", " " + text, "secret-that-is-short"} {
		if _, err := vault.ParseKey(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("ParseKey(%q): %v", bad, err)
		}
	}
	if _, err := vault.New(); err == nil {
		t.Error("a vault without a key")
	}
}

func FuzzOpen(f *testing.F) {
	v, err := vault.New(vault.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := v.Seal(id, []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(sealed))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, err := v.Open(id, b); err == nil && !bytes.Equal(b, sealed) {
			t.Errorf("opened %x to %q", b, text)
		}
	})
}

// What hashes are made with is of its own for each key, always the same, and nothing else of it.
func TestHashKeys(t *testing.T) {
	one, two := vault.NewKey(), vault.NewKey()
	a, b, both := open(t, one).HashKeys(), open(t, two).HashKeys(), open(t, two, one).HashKeys()
	if len(a) != 1 || !slices.Equal(both, [][vault.KeyLen]byte{b[0], a[0]}) || a[0] == b[0] || a[0] == [vault.KeyLen]byte{} {
		t.Errorf("%d, %d, %d of them", len(a), len(b), len(both))
	}
	raw, err := base64.StdEncoding.DecodeString(one.Reveal())
	if err != nil || bytes.Equal(raw, a[0][:]) {
		t.Errorf("it is the key itself (%v)", err)
	}
}
