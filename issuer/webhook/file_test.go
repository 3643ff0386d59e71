package webhook

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// some is a secret in the text of a file.
func some() string { return NewSecret().Reveal() }

func TestParseFile(t *testing.T) {
	one, two := some(), some()
	got, err := ParseFile([]byte("- name: a\n  url: https://a.example/x\n  secret: "+one+"\n  events: [credential.issued, request.*, credential.issued]\n"+
		"- {url: 'http://10.0.0.1/y?key=z', secret: ["+one+", "+two+"]}\n"), true)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	want := []model.EventKind{model.EventIssued, model.EventApproved, model.EventErased, model.EventLapsed, model.EventRequested, model.EventRejected, model.EventWithdrawn}
	slices.Sort(want)
	if e := got[0]; e.ID() != "a" || e.Address() != "https://a.example" || !slices.Equal(e.Kinds(), want) || len(e.secrets) != 1 || e.secrets[0].Reveal() != one {
		t.Errorf("%v %v", e, e.Kinds())
	}
	alone, err := NewEndpoint("", "http://10.0.0.1/y?key=z", true, NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	if e := got[1]; e.ID() != alone.ID() || e.Kinds() != nil || len(e.secrets) != 2 || e.secrets[1].Reveal() != two {
		t.Errorf("%v", e)
	}
	if got, err := ParseFile([]byte("[]"), false); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	for _, k := range model.EventKinds() { // each kind by its name, and one of the two families
		if got := kindsOf(string(k)); !slices.Equal(got, []model.EventKind{k}) {
			t.Errorf("%s: %v", k, got)
		}
	}
	if n := len(kindsOf("request.*")) + len(kindsOf("credential.*")); n != len(model.EventKinds()) {
		t.Errorf("%d of %d kinds are in a family", n, len(model.EventKinds()))
	}
}

// All that is wrong is told at once, by line, and nothing of what stands there.
func TestParseFileFaults(t *testing.T) {
	secret := some()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":     {"", []string{"must be a list of webhooks; it is empty"}},
		"a comment": {"# nothing\n", []string{"must be a list of webhooks; it is empty"}},
		"null":      {"~", []string{"line 1: must be a list"}},
		"a mapping": {"hush: hush", []string{"line 1: must be a list"}},
		"no YAML":   {"- url: https://x\n hush: [", []string{"must be YAML: what is wrong stands in line "}},
		"a tab":     {"- url: x\n\tsecret: hush", []string{"must be YAML"}},
		"two":       {"[]\n---\n[]", []string{"line 2: must be one YAML document"}},
		"a text":    {"- hush", []string{"line 1: each webhook must have the fields url and secret"}},
		"aliases":   {"- &hush {url: https://x.example, secret: " + secret + "}\n- *hush", []string{"line 2: each webhook must have the fields"}},
		"too many":  {strings.Repeat("- x\n", MaxEndpoints+1), []string{"line 33: at most 32 webhooks may be"}},
		"too long":  {strings.Repeat("#", MaxFileBytes+1), []string{"must have at most 262144 bytes"}},
		"no fields": {"- {}", []string{"line 1: each webhook must have a secret", "line 1: each webhook must have a url"}},
		"merge":     {"- <<: {url: hush}\n", []string{"line 1: there are no other fields", "line 1: each webhook must have a secret", "line 1: each webhook must have a url"}},
		"all of them": {"- name: HUSH\n  url: https://me:hush@x.example\n  secret: [whsec_hush, " + secret + ", " + secret + "]\n  events: [hush.hush, 1, credential*]\n  hush: hush\n- url: [hush]\n  url: x\n  secret: []\n  events: []\n- url: https://127.0.0.1/hush\n  secret: {hush: 1}\n  events:\n",
			[]string{"line 5: there are no other fields", "line 1: must have a name", "line 3: secret must be whsec_", "line 3: secret must hold each secret once", "line 4: events must be of the kinds request.received,",
				"line 4: events must be text", "line 4: events must be of the kinds", "line 2: url must be a URL without a user",
				"line 7: url must stand once", "line 8: secret must not be an empty list", "line 6: url must be text", "line 9: events must not be an empty list",
				"line 11: secret must be text", "line 12: events must be text", "line 10: url must be elsewhere"}},
		"five secrets":           {"- {url: https://x.example, secret: [" + strings.Join([]string{some(), some(), some(), some(), some()}, ",") + "]}", []string{"line 1: secret must hold at most 4"}},
		"a secret of a template": {"- {url: https://x.example, secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}", []string{"line 1: secret must be whsec_ and"}},
		"http":                   {"- {url: 'http://x.example/hush', secret: " + secret + "}", []string{"line 1: url must be https"}},
		"an address twice":       {"- {name: a, url: https://x.example/hush, secret: " + secret + "}\n- {name: b, url: https://x.example/hush, secret: " + secret + "}", []string{"line 2: each webhook must have a name and an address of its own; the one in line 1 has the same"}},
		"a name twice":           {"- {name: a, url: https://x.example, secret: " + secret + "}\n\n- {name: a, url: https://y.example, secret: " + secret + "}", []string{"line 3: each webhook must have a name"}},
	} {
		got, err := ParseFile([]byte(c.text), false)
		var faults Faults
		if !errors.As(err, &faults) || got != nil || len(faults) != len(c.want) {
			t.Errorf("%s: %v, %d faults, want %d:\n%v", name, got, len(faults), len(c.want), err)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(faults[i], want) {
				t.Errorf("%s: %q, want %q", name, faults[i], want)
			}
		}
		if text := strings.ToLower(err.Error()); strings.Contains(text, "hush") || strings.Contains(text, strings.ToLower(secret[6:])) {
			t.Errorf("%s: it repeats what stands there: %v", name, err)
		}
	}
}

// The example says what there is to say, and is of no use before it has secrets of its own.
func TestExampleFile(t *testing.T) {
	text, err := os.ReadFile("../../examples/webhooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	placeholders := regexp.MustCompile(`whsec_[A-Z]{42}[A-Z]=`)
	if n := len(placeholders.FindAll(text, -1)); n != 3 {
		t.Errorf("it has %d secrets", n)
	}
	if _, err := ParseFile(text, false); err == nil {
		t.Error("it is taken with the secrets of the example")
	}
	got, err := ParseFile(placeholders.ReplaceAllFunc(text, func([]byte) []byte { return []byte(some()) }), false)
	if err != nil || len(got) != 2 || got[0].ID() != "compliance" || len(got[0].Kinds()) != 7 || len(got[1].secrets) != 2 || len(got[1].Kinds()) != 3 {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParseFile(f *testing.F) {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, text := range []string{"", "[]", "- {url: https://x.example, secret: " + secret + ", events: [request.*]}", "- &a [*a]", "- url: |\n    x\n", "? [a]\n: b", "- {1: 2}", "\xff", "- !!binary aGk="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseFile([]byte(text), true)
		if err != nil && (got != nil || strings.Contains(err.Error(), secret)) {
			t.Errorf("%v, %v", got, err)
		}
		for i, e := range got {
			if e.ID() == "" || e.Address() == "" || len(e.secrets) == 0 || strings.Contains(fmt.Sprint(e), secret) {
				t.Errorf("%v", e)
			}
			for _, other := range got[:i] {
				if e.Same(other) {
					t.Errorf("%v twice", e)
				}
			}
		}
	})
}
