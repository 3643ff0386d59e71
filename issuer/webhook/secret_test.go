package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/test/logs"
)

func secretText(n int) string {
	key := make([]byte, n)
	for i := range key {
		key[i] = byte(i * 7)
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

func TestParseSecret(t *testing.T) {
	for n := MinSecret; n <= MaxSecret; n++ {
		text := secretText(n)
		s, err := ParseSecret(text)
		if err != nil || s.Reveal() != text || len(s.key()) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	good := secretText(32)
	for _, bad := range []string{
		"", "whsec_", good[len(secretPrefix):], "WHSEC_" + good[len(secretPrefix):], "whsk_" + good[len(secretPrefix):],
		secretText(MinSecret - 1), secretText(MaxSecret + 1), secretText(1 << 20), strings.TrimRight(good, "="), good + "=", good + "\n", good + " ",
		" " + good, good[:20] + "\n" + good[20:], good[:20] + "-" + good[21:], good[:20] + "_" + good[21:], good[:20] + "\xff" + good[21:],
		good[:len(good)-2] + "B=", // bits beyond the last byte
		secretPrefix + strings.Repeat("A", 43) + "=", secretPrefix + strings.Repeat("/", 32),
	} {
		s, err := ParseSecret(bad)
		if err == nil || s.key != nil {
			t.Errorf("%.80q is taken for a secret", bad)
		} else if len(bad) > len(secretPrefix) && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats %.80q", bad)
		}
	}
}

func TestParseSecrets(t *testing.T) {
	one, two := NewSecret().Reveal(), NewSecret().Reveal()
	for _, text := range []string{one + " " + two, " " + one + ",\t" + two + ", "} {
		got, err := ParseSecrets(text)
		if err != nil || len(got) != 2 || got[0].Reveal() != one || got[1].Reveal() != two {
			t.Errorf("%d secrets: %v", len(got), err)
		}
	}
	var many []string
	for range MaxSecrets + 1 {
		many = append(many, NewSecret().Reveal())
	}
	if got, err := ParseSecrets(strings.Join(many[:MaxSecrets], ",")); err != nil || len(got) != MaxSecrets {
		t.Errorf("%d secrets: %v", len(got), err)
	}
	for _, bad := range []string{"", " , ", one + " " + one, one + " x", strings.Join(many, " ")} {
		if _, err := ParseSecrets(bad); err == nil || strings.Contains(err.Error(), one) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	s := NewSecret()
	hidden := []string{s.Reveal()[len(secretPrefix):], fmt.Sprintf("%x", s.key()), fmt.Sprintf("%d", s.key())}
	var log logs.Lines
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "within", struct{ S Secret }{s})
	encoded, err := json.Marshal(map[string]any{"a": s, "b": []Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %x %q %d %v %+v", s, s, s, s, s, s, s, &s, struct{ s Secret }{s})
	for _, h := range hidden {
		if strings.Contains(printed, h) {
			t.Errorf("printed: %s", printed)
		}
	}
	if !strings.Contains(printed, redacted) {
		t.Error("nothing shows that something is left out")
	}
	if (Secret{}).Reveal() != "" {
		t.Error("the zero secret is one")
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	f.Add(secretText(64))
	f.Add("whsec_")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err != nil {
			if s.key != nil {
				t.Error("an error, and a secret")
			}
			return
		}
		if s.Reveal() != text {
			t.Errorf("%q is taken for %q: there is more than one way to write a secret", text, s.Reveal())
		}
		if n := len(s.key()); n < MinSecret || n > MaxSecret {
			t.Errorf("%d bytes", n)
		}
	})
}
