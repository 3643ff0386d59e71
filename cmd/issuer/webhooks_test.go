package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/webhook"
)

// hooksFile writes WEBHOOKS_FILE.
func hooksFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// subscribed waits until the journal has so many webhooks: they are told of what happens from then on.
func (s *service) subscribed(t *testing.T, webhooks int) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); ; {
		_, metrics := paste(t, []string{"", "", "", "", s.field(t, "HTTP") + "/metrics"})
		if bytes.Count(metrics, []byte("\nissuer_webhook_backlog{")) == webhooks {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("there are not %d webhooks in the journal: %s", webhooks, metrics)
		}
	}
}

// TestWebhooksFile: beside WEBHOOK_URLS, each webhook of the file has its own secret and its own kinds of events;
// SIGHUP has the file read again, and one that is wrong changes nothing.
func TestWebhooksFile(t *testing.T) {
	all, some, later := newReceiver(t), newReceiver(t), newReceiver(t)
	policies, path := t.TempDir(), filepath.Join(t.TempDir(), "hooks.yaml")
	writePolicy(t, policies, "looked.yaml", reviewPolicy)
	secret := webhook.NewSecret().Reveal()
	of := func(name string, r *receiver, events string) string {
		return fmt.Sprintf("- name: %s\n  url: %s/hidden-path\n  secret: %s\n  events: %s\n", name, r.URL, secret, events)
	}
	hooksFile(t, path, of("some", some, "[request.withdrawn]"))
	t.Setenv("WEBHOOK_SECRET", webhook.NewSecret().Reveal())
	s := boot(t, append(onSandbox(t.TempDir()), "--policy-dir="+policies, "--webhook-urls="+all.URL, "--webhooks-file="+path, "--webhook-allow-private=true")...)
	s.subscribed(t, 2)
	withdrawn := func() {
		t.Helper()
		body := `{"subject":"` + s.field(t, "Subject") + `","credential":"Looked","documents":{"a":1}}`
		_, answer := paste(t, []string{"", "Content-Type: application/json", "POST", body, s.field(t, "HTTP") + "/credential"})
		_, link, _ := strings.Cut(string(answer), `"link":"`)
		link, _, _ = strings.Cut(link, `"`)
		if status, answer := paste(t, []string{"", "", "DELETE", "", s.field(t, "HTTP") + link}); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	whole := []string{"request.received applicant", "request.withdrawn applicant", "request.documents_erased applicant"}
	withdrawn()
	all.await(t, "Looked", whole...)
	some.await(t, "Looked", whole[1])

	// Read again: one that is told of something else, and one more.
	hooksFile(t, path, of("some", some, "[request.received]")+of("later", later, "[request.*]"))
	s.hangup(t, "read the webhooks again")
	s.subscribed(t, 3)
	_, status := paste(t, []string{"", "", "", "", s.field(t, "HTTP") + "/admin/status"})
	for _, want := range []string{`"id":"some","address":"` + some.URL + `","events":["request.received"]`, `"id":"later"`} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %s in %s", want, status)
		}
	}
	withdrawn()
	all.await(t, "Looked", append(append([]string{}, whole...), whole...)...)
	some.await(t, "Looked", whole[1], whole[0])

	hooksFile(t, path, of("some", some, "[nonsense]"))
	s.hangup(t, "the webhooks were not read again; those before stay")
	withdrawn()
	some.await(t, "Looked", whole[1], whole[0], whole[0])
	if log := s.log.String(); !strings.Contains(log, "line 4: events must be of the kinds") || strings.Contains(log, "hidden-path") || strings.Contains(log, secret) {
		t.Errorf("%s", log)
	}
}

// TestWebhooksFileFaults: all that is wrong with it keeps the service from starting, and is told at once, beside what
// else is wrong.
func TestWebhooksFileFaults(t *testing.T) {
	path, secret := filepath.Join(t.TempDir(), "hooks.yaml"), webhook.NewSecret().Reveal()
	t.Setenv("WEBHOOK_URLS", "https://hooks.example/hush")
	t.Setenv("WEBHOOK_SECRET", webhook.NewSecret().Reveal())
	t.Setenv("WEBHOOKS_FILE", path)
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		want []string
	}{
		"several":                 {"- url: hush\n- {url: https://x.example, secret: hush}\n", 0o600, []string{"- WEBHOOKS_FILE: line 1: each webhook must have a secret", "- WEBHOOKS_FILE: line 1: url must be a URL", "- WEBHOOKS_FILE: line 2: secret must be", "- RESERVE_WARNING must be"}},
		"read by others":          {"[]", 0o644, []string{"- WEBHOOKS_FILE: ", "chmod 600"}},
		"one that is there twice": {"- {name: again, url: https://hooks.example/hush, secret: " + secret + "}", 0o600, []string{"- WEBHOOKS_FILE: must not have a webhook that WEBHOOK_URLS has too, which again (https://hooks.example) is"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("RESERVE_WARNING", "-1")
			hooksFile(t, path, tc.text)
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			_, log, status := command(t)
			if status != 2 || strings.Contains(log, "hush") || strings.Contains(log, secret) {
				t.Errorf("%d %s", status, log)
			}
			for _, want := range tc.want {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not in %s", want, log)
				}
			}
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, log, status := command(t); status != 2 || !strings.Contains(log, "WEBHOOKS_FILE: ") || !strings.Contains(log, "no such file") {
		t.Errorf("%d %s", status, log)
	}
}
