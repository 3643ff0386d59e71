package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func mint(t *testing.T) (TokenText, model.Token) {
	t.Helper()
	text, token, err := Mint("nightly", model.RoleReviewer, start, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return text, token
}

func TestMint(t *testing.T) {
	form := regexp.MustCompile(`^xci_([a-z2-7]{16})_([a-z2-7]{48})$`)
	seen := map[string]bool{}
	for range 200 {
		text, token := mint(t)
		parts := form.FindStringSubmatch(text.Reveal())
		if parts == nil {
			t.Fatalf("a token of another form than scanners are told: %d characters", len(text.Reveal()))
		}
		if token.ID != parts[1] || text.ID() != parts[1] || token.Hash != sha256.Sum256([]byte(parts[2])) {
			t.Fatalf("what is stored is not of the text: %+v", token)
		}
		if token.Name != "nightly" || token.Role != model.RoleReviewer || !token.Created.Equal(start) || !token.Expires.Equal(start.Add(time.Hour)) || !token.Holds(start) {
			t.Fatalf("%+v", token)
		}
		if seen[parts[1]] || seen[parts[2]] {
			t.Fatal("the same token twice")
		}
		seen[parts[1]], seen[parts[2]] = true, true
		again, err := ParseToken(text.Reveal())
		if err != nil || again.ID() != text.ID() || !again.matches(token.Hash) || again.Reveal() != text.Reveal() {
			t.Fatalf("it does not read as what was written: %v", err)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		role    model.Role
		expires time.Time
		want    string
	}{
		{"", model.RoleAdmin, time.Time{}, "name"},
		{strings.Repeat("n", MaxTokenName+1), model.RoleAdmin, time.Time{}, "name"},
		{"two words", model.RoleAdmin, time.Time{}, "name"},
		{"línea", model.RoleAdmin, time.Time{}, "name"},
		{"a\nb", model.RoleAdmin, time.Time{}, "name"},
		{"a/b", model.RoleAdmin, time.Time{}, "name"},
		{"\xff", model.RoleAdmin, time.Time{}, "name"},
		{"abcdefghijklmn27", model.RoleAdmin, time.Time{}, "id"},
		{"n", "owner", time.Time{}, "role"},
		{"n", "", time.Time{}, "role"},
		{"n", model.RoleAdmin, start, "expires"},
		{"n", model.RoleAdmin, start.Add(-time.Hour), "expires"},
	} {
		if _, _, err := Mint(c.name, c.role, start, c.expires); model.CodeOf(err) != model.CodeBadRequest || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %q, %v: %v", c.name, c.role, c.expires, err)
		}
	}
	for _, name := range []string{"n", strings.Repeat("n", MaxTokenName), "ci.deploy_1-b@example.org", "abcdefghijklmn2-", "Abcdefghijklmn27", "abcdefghijklmn2"} {
		if _, _, err := Mint(name, model.RoleReader, start, time.Time{}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParseToken(t *testing.T) {
	text, _ := mint(t)
	good := text.Reveal()
	put := func(at int, c byte) string { return good[:at] + string(c) + good[at+1:] }
	for _, bad := range []string{
		"", "xci_", good[:len(good)-1], good + "a", " " + good, good + " ", strings.ToUpper(good), "XCI" + good[3:], "yci" + good[3:],
		put(20, '-'), put(5, '1'), put(30, '\n'), put(30, '='), put(30, 0), put(68, 0xff), strings.Repeat("a", len(good)), strings.Repeat("x", 1<<20),
	} {
		if got, err := ParseToken(bad); err == nil {
			t.Errorf("%.80q is taken for a token", bad)
		} else if got.parts != nil || len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%.80q: %v", bad, err)
		}
	}
	// No single mistyped character passes, wherever it is.
	for at := range len(good) {
		for _, c := range []byte("ab27_") {
			if good[at] == c {
				continue
			}
			if _, err := ParseToken(put(at, c)); err == nil {
				t.Errorf("a token with another character at %d is taken", at)
			}
		}
	}
}

// TestTokenTextIsNotPrinted prints it in every way that comes to mind.
func TestTokenTextIsNotPrinted(t *testing.T) {
	text, _ := mint(t)
	secret := text.Reveal()[21:]
	var logged bytes.Buffer
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&logged, nil)), slog.New(slog.NewJSONHandler(&logged, nil))} {
		log.Info("token", "text", text, "in", struct{ T TokenText }{text}, "at", &text)
	}
	encoded, err := json.Marshal(map[string]any{"text": text, "at": &text})
	if err != nil {
		t.Fatal(err)
	}
	all := logged.String() + string(encoded) + text.String() + text.GoString()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		all += fmt.Sprintf(verb, text) + fmt.Sprintf(verb, &text) + fmt.Sprintf(verb, []TokenText{text}) + fmt.Sprintf(verb, struct{ a TokenText }{text})
	}
	for _, part := range []string{secret, secret[:12], fmt.Sprintf("%x", secret[:6]), fmt.Sprintf("%X", secret[:6])} {
		if strings.Contains(all, part) {
			t.Errorf("the secret shows: %s", all)
		}
	}
	if !strings.Contains(all, redacted) {
		t.Error("nothing shows that something is left out")
	}
	if none := (TokenText{}); none.ID() != "" || none.Reveal() != "" || none.matches([32]byte{1}) {
		t.Error("the zero text is a token")
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("xci_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Add("")
	text, _, err := Mint("n", model.RoleReader, start, time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text.Reveal())
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseToken(s)
		if err != nil {
			if got.parts != nil {
				t.Error("an error, and a token")
			}
			return
		}
		if got.Reveal() != s {
			t.Errorf("%q is taken for %q: there is more than one way to write a token", s, got.Reveal())
		}
	})
}
