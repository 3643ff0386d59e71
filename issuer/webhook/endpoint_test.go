package webhook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/test/logs"
)

func TestNewEndpoint(t *testing.T) {
	secret := NewSecret()
	long := "https://example.org/" + strings.Repeat("a", maxURL)
	for _, c := range []struct {
		address       string
		public, local string // words of the refusal where private addresses are not allowed, and where they are; "" where it is taken
	}{
		{"https://example.org", "", ""},
		{"https://example.org:8443/hook?key=1", "", ""},
		{"https://example.org:1/", "", ""},
		{"https://8.8.8.8/", "", ""},
		{"https://[2606:4700::1111]/", "", ""},
		{"https://xn--bcher-kva.example/", "", ""},
		{"http://example.org/", "https", ""},
		{"http://8.8.8.8/", "https", "https alone"},
		{"http://127.0.0.1:9/", "https", ""},
		{"https://127.0.0.1/", "private network", ""},
		{"https://[::1]/", "private network", ""},
		{"https://[::ffff:127.0.0.1]/", "private network", ""},
		{"https://[::ffff:8.8.8.8]/", "", ""},
		{"https://10.1.2.3/", "private network", ""},
		{"https://localhost/", "this machine", ""},
		{"https://A.LocalHost./", "this machine", ""},
		{"https://169.254.169.254/latest/meta-data", "no event", "no event"},
		{"https://[fe80::1%25eth0]/", "no event", "no event"},
		{"https://0.0.0.0/", "no event", "no event"},
		{"https://user@example.org/", "user", "user"},
		{"https://user:secret@example.org/", "user", "user"},
		{"https://@example.org/", "user", "user"},
		{"https://example.org/#", "fragment", "fragment"},
		{"https://example.org/#a", "fragment", "fragment"},
		{"https://example.org:0/", "port", "port"},
		{"https://example.org:/", "port", "port"},
		{"https://example.org:65536/", "port", "port"},
		{"https://example.org:x/", "URL", "URL"},
		{"https:///hook", "URL", "URL"},
		{"https://:443/", "URL", "URL"},
		{"https:example.org", "URL", "URL"},
		{"example.org/hook", "URL", "URL"},
		{"/hook", "URL", "URL"},
		{"", "URL", "URL"},
		{"ftp://example.org/", "https", "https"},
		{"file:///etc/passwd", "URL", "URL"},
		{"gopher://example.org/", "https", "https"},
		{"https://example.org/a b", "URL", "URL"},
		{"https://example.org/\r\nX: y", "URL", "URL"},
		{"https://ex\u0430mple.org/", "URL", "URL"},
		{"https://example.org/\u202e", "URL", "URL"},
		{long, "characters", "characters"},
	} {
		for private, want := range map[bool]string{false: c.public, true: c.local} {
			e, err := NewEndpoint("", c.address, private, secret)
			switch {
			case want == "" && err != nil:
				t.Errorf("%.60q, private %v: %v", c.address, private, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%.60q, private %v: %v, want %q", c.address, private, err, want)
			case err != nil && (strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "meta-data")):
				t.Errorf("the error repeats the address: %v", err)
			case err == nil && (len(e.ID()) != len(hashedID)+16 || !strings.HasPrefix(e.ID(), hashedID)):
				t.Errorf("%.60q: ID %s", c.address, e.ID())
			}
		}
	}
}

func TestEndpointNames(t *testing.T) {
	secret := NewSecret()
	make := func(name, address string, secrets ...Secret) (Endpoint, error) {
		return NewEndpoint(name, address, false, secrets...)
	}
	for _, name := range []string{"a", "crm", "a.b-c_9", strings.Repeat("a", maxName)} {
		if e, err := make(name, "https://example.org/1", secret); err != nil || e.ID() != name {
			t.Errorf("%q: %s %v", name, e.ID(), err)
		}
	}
	for _, name := range []string{"A", "a b", "a/b", "é", "a\n", "url-a", strings.Repeat("a", maxName+1)} {
		if _, err := make(name, "https://example.org/1", secret); err == nil || !strings.Contains(err.Error(), "name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Without a name, the address says which it is, and whatever the secrets are.
	one, _ := make("", "https://example.org/1", secret)
	same, _ := make("", "https://example.org/1", NewSecret())
	other, _ := make("", "https://example.org/2", secret)
	if one.ID() != same.ID() || one.ID() == other.ID() {
		t.Errorf("IDs %s, %s, %s", one.ID(), same.ID(), other.ID())
	}
	if one.ID() != "url-vbpddig525jqh4hr" {
		t.Errorf("the ID %s is not what it was: endpoints would lose their place", one.ID())
	}
	many := []Secret{secret, secret, secret, secret, secret}
	for _, secrets := range [][]Secret{nil, {{}}, {secret, {}}, many} {
		if _, err := make("a", "https://example.org/1", secrets...); err == nil || !strings.Contains(err.Error(), "secret") {
			t.Errorf("%d secrets: %v", len(secrets), err)
		}
	}
}

func TestEndpointIsNotPrinted(t *testing.T) {
	secret := NewSecret()
	e, err := NewEndpoint("crm", "https://example.org:8443/hidden/path?key=hidden", false, secret)
	if err != nil {
		t.Fatal(err)
	}
	var log logs.Lines
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "endpoint", e)
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %x %q %d %v %+v", e, e, e, e, e, e, e, &e, struct{ e Endpoint }{e})
	if strings.Contains(printed, "hidden") || strings.Contains(printed, secret.Reveal()[len(secretPrefix):]) {
		t.Errorf("printed: %s", printed)
	}
	if strings.Count(printed, "crm (https://example.org:8443)") < 8 {
		t.Errorf("it cannot be told which it is: %s", printed)
	}
}
