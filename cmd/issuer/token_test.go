package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox"
)

// command runs one of the program's commands, and returns its exit status too.
func command(t *testing.T, args ...string) (out, log string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, noFile(t), console{strings.NewReader(""), &stdout, &stderr})
	log = stderr.String()
	if err != nil {
		log += "issuer: " + err.Error() + "\n"
	}
	return stdout.String(), log, exitStatus(err)
}

var tokenLine = regexp.MustCompile(`^xci_[a-z2-7]{16}_[a-z2-7]{48}\n$`)

// makeToken makes a token in a journal, and returns its text.
func makeToken(t *testing.T, name, role string, where ...string) string {
	t.Helper()
	out, log, status := command(t, append([]string{"token", "create", "--name", name, "--role", role}, where...)...)
	if status != 0 || !tokenLine.MatchString(out) || strings.Contains(log, strings.TrimSpace(out)) {
		t.Fatalf("%d: %q, %s", status, out, log)
	}
	return strings.TrimSpace(out)
}

// get asks for a path of the service, with a token where one is given, and returns the status.
func (s *service) get(t *testing.T, path, token string) int {
	t.Helper()
	header := ""
	if token != "" {
		header = "Authorization: Bearer " + token
	}
	status, _ := paste(t, []string{"", header, "", "", s.field(t, "HTTP") + path})
	return status
}

func TestToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	where := "--data-dir=" + dir
	for _, args := range [][]string{{"token", "list"}, {"token", "revoke", "x"}, {"audit", "verify"}, {"audit", "export"}} {
		out, log, status := command(t, append(args, where)...)
		if want := map[string]int{"token": 1, "audit": 3}[args[0]]; status != want || out != "" || !strings.Contains(log, "there is no journal at "+dir+"/issuer.db: set DATA_DIR") {
			t.Errorf("%v without a journal: %d %s%s", args, status, out, log)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	out, log, status := command(t, "token", "create", "--name", "nightly", "--role", "admin", "--expires", "90d", where)
	if status != 0 || !tokenLine.MatchString(out) {
		t.Fatalf("%d %q %s", status, out, log)
	}
	for _, want := range []string{"made " + dir + "/issuer.db", "shown only now", "Role admin", "holds until " + time.Now().Add(90*24*time.Hour).UTC().Format(time.DateOnly), "issuer token revoke nightly"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in %s", want, log)
		}
	}
	first := strings.TrimSpace(out)
	if _, log, status := command(t, "token", "create", "--name", "nightly", "--role", "reader", where); status != 1 || !strings.Contains(log, "nightly") || strings.Contains(log, "made ") {
		t.Errorf("the same name again: %d %s", status, log)
	}
	second := makeToken(t, "rita@desk-2", "reviewer", where)

	list := func() (all []map[string]any) {
		t.Helper()
		out, log, status := command(t, "token", "list", "--json", where)
		if status != 0 || log != "" {
			t.Fatalf("%d %s", status, log)
		}
		for line := range strings.Lines(out) {
			var one map[string]any
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		return all
	}
	all := list()
	if len(all) != 2 || all[0]["name"] != "nightly" || all[0]["role"] != "admin" || all[0]["holds"] != true || all[0]["id"] != first[4:20] || all[0]["expires"] == nil ||
		all[1]["expires"] != nil || all[1]["last_used"] != nil || all[1]["revoked"] != nil || len(all[0]) != 6 {
		t.Errorf("%v", all)
	}
	for _, which := range []string{"nightly", second[4:20]} { // by name, and by id
		if out, log, status := command(t, "token", "revoke", which, where); status != 0 || out != "" || !strings.Contains(log, "Revoked ") {
			t.Errorf("%d %s%s", status, out, log)
		}
	}
	if _, log, status := command(t, "token", "revoke", "nobody", where); status != 1 || !strings.Contains(log, "no such token") {
		t.Errorf("%d %s", status, log)
	}
	if all = list(); all[0]["holds"] != false || all[0]["revoked"] == nil || all[1]["holds"] != false {
		t.Errorf("%v", all)
	}
	third := makeToken(t, "nightly", "reader", where) // the name is free again
	out, _, status = command(t, "token", "list", where)
	if lines := strings.Split(out, "\n"); status != 0 || len(lines) != 5 || !strings.HasPrefix(lines[0], "NAME ") || strings.Count(out, "revoked "+time.Now().UTC().Format(time.DateOnly)) != 2 ||
		!strings.Contains(lines[3], "reader") || !strings.Contains(lines[3], "never") {
		t.Errorf("%s", out)
	}
	// What is kept is no token, and neither is what is told of it.
	exported, _, _ := command(t, "audit", "export", where)
	stored, err := os.ReadFile(filepath.Join(dir, "issuer.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{first, second, third} {
		if secret := token[21:]; strings.Contains(out+exported, secret) || bytes.Contains(stored, []byte(secret)) {
			t.Error("a secret is kept or shown")
		}
	}
	if n := strings.Count(exported, `"token.create"`); n != 3 || strings.Count(exported, `"token.revoke"`) != 2 || !strings.Contains(exported, `"actor":"cli:`) {
		t.Errorf("%s", exported)
	}
}

func TestTokenWrongUse(t *testing.T) {
	where := "--data-dir=" + filepath.Join(t.TempDir(), "none")
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"followed by create, list, revoke, deny or allow"}},
		{[]string{"make"}, []string{"followed by create, list, revoke, deny or allow"}},
		{[]string{"create"}, []string{"--name must have", "--role must be"}},
		{[]string{"create", "--name", "a b", "--role", "owner", "--expires", "soon", "more"}, []string{"--name must be", "--role must be", "--expires must be", "1 words too many"}},
		{[]string{"create", "--name", strings.Repeat("a", 65), "--role", "admin"}, []string{"--name must have"}},
		{[]string{"create", "--name", "aaaabbbbccccdddd", "--role", "admin"}, []string{"--name must not look like the id"}},
		{[]string{"deny"}, []string{"one of --subject and --jti"}},
		{[]string{"deny", "--subject", "a", "--jti", "b", "--expires", "never", "c"}, []string{"one of --subject and --jti", "--expires must be", "1 words too many"}},
		{[]string{"allow", "--jti", ""}, []string{"one of --subject and --jti"}},
		{[]string{"allow", "--jti", "a", "--expires", "1h"}, []string{"unknown flag: --expires"}},
		{[]string{"list", "more"}, []string{"1 words too many"}},
		{[]string{"list", "--nonsense"}, []string{"unknown flag: --nonsense"}},
		{[]string{"revoke"}, []string{"needs the NAME"}},
		{[]string{"revoke", "a", "b"}, []string{"1 words too many"}},
		{[]string{"list", "--data-dir="}, []string{"DATA_DIR must name"}},
	} {
		_, log, status := command(t, append([]string{"token"}, append(append([]string{}, tc.args...), where)...)...)
		if len(tc.args) > 1 && tc.args[1] == "--data-dir=" {
			_, log, status = command(t, append([]string{"token"}, tc.args...)...)
		}
		if status != 2 {
			t.Errorf("%q: %d %s", tc.args, status, log)
		}
		for _, want := range tc.want {
			if !strings.Contains(log, want) {
				t.Errorf("%q: %q is not in %s", tc.args, want, log)
			}
		}
	}
	t.Setenv("DATABASE_URL", "mysql://me:hush@x/y")
	if _, log, status := command(t, "token", "list"); status != 2 || !strings.Contains(log, "DATABASE_URL must be") || strings.Contains(log, "hush") {
		t.Errorf("%d %s", status, log)
	}
	for _, of := range []string{"token", "audit", "verify", "batch", "operation"} {
		if out, log, status := command(t, of, "--help"); status != 0 || log != "" || !strings.Contains(out, "issuer "+of+" ") || !strings.Contains(out, "Exit status") {
			t.Errorf("%s: %d %s%s", of, status, out, log)
		}
	}
}

func TestExpires(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"12h": now.Add(12 * time.Hour), "90d": now.Add(90 * 24 * time.Hour), "1m30s": now.Add(90 * time.Second), "3650d": now.Add(mostExpires),
		"2030-12-31T00:00:00Z": time.Date(2030, 12, 31, 0, 0, 0, 0, time.UTC), "2030-12-31T00:00:00+01:00": time.Date(2030, 12, 30, 23, 0, 0, 0, time.UTC),
	} {
		if got, err := parseExpires(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "0", "0d", "-1d", "-5m", "0s", "1.5d", "3651d", "99999999d", "d", "1 d", "2026-03-04T05:06:07Z", "2020-01-01T00:00:00Z", "2030-12-31", "2037-12-31T00:00:00Z", "never", "1y"} {
		if got, err := parseExpires(bad, now); err == nil {
			t.Errorf("%q is taken: %v", bad, got)
		}
	}
}

// TestTokensWhileServing: a service without tokens is open, and the first token that is made beside it closes it at once; one
// that is revoked is worth nothing at once. In a file and in PostgreSQL.
func TestTokensWhileServing(t *testing.T) {
	for _, where := range []string{"SQLite", "PostgreSQL"} {
		t.Run(where, func(t *testing.T) {
			dir := t.TempDir()
			if where == "PostgreSQL" {
				t.Setenv("DATABASE_URL", postgresSchema(t))
			}
			s := boot(t, onSandbox(dir)...)
			if !strings.Contains(s.out.String(), "  Access   open: on the sandbox") || strings.Contains(s.out.String(), "Bearer") {
				t.Errorf("%s", s.out)
			}
			if got := s.get(t, "/admin/credential", ""); got != http.StatusOK {
				t.Errorf("open: %d", got)
			}
			reader := makeToken(t, "eve", "reader", "--data-dir="+dir)
			for token, want := range map[string]int{"": http.StatusUnauthorized, reader: http.StatusOK, reader + "a": http.StatusUnauthorized} {
				if got := s.get(t, "/admin/credential", token); got != want {
					t.Errorf("token of %d characters: %d, want %d", len(token), got, want)
				}
			}
			if got := s.get(t, "/admin/audit", reader); got != http.StatusForbidden {
				t.Errorf("a reader reads the audit log: %d", got)
			}
			if got := s.get(t, "/metrics", ""); got != http.StatusUnauthorized {
				t.Errorf("metrics: %d", got)
			}
			if _, log, status := command(t, "token", "revoke", "eve", "--data-dir="+dir); status != 0 {
				t.Fatal(log)
			}
			if got := s.get(t, "/admin/credential", reader); got != http.StatusUnauthorized {
				t.Errorf("revoked: %d", got)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			if strings.Contains(s.log.String()+s.out.String(), reader[21:]) {
				t.Error("the token is shown")
			}
			if out, _, _ := command(t, "token", "list", "--data-dir="+dir); strings.Contains(out, "never") {
				t.Errorf("it was used:\n%s", out)
			}
			// A revoked token is a token that was made: the service stays closed.
			again := boot(t, onSandbox(dir)...)
			if got := again.get(t, "/admin/credential", ""); got != http.StatusUnauthorized || !strings.Contains(again.out.String(), `curl -H "Authorization: Bearer TOKEN" http`) ||
				!strings.Contains(again.out.String(), "  Access   /admin needs a token") {
				t.Errorf("%d\n%s", got, again.out)
			}
		})
	}
}

// TestTokenDeny: denials are made, shown and taken back, and are in the audit log.
func TestTokenDeny(t *testing.T) {
	where := "--data-dir=" + t.TempDir()
	if _, log, status := command(t, "token", "deny", "--subject", "alice", where); status != 1 || !strings.Contains(log, "there is no journal") {
		t.Errorf("%d %s", status, log)
	}
	makeToken(t, "rita", "reviewer", where)
	for _, args := range [][]string{{"deny", "--subject", "alice <script>"}, {"deny", "--jti", "id-1", "--expires", "12h"}} {
		if out, log, status := command(t, append(append([]string{"token"}, args...), where)...); status != 0 || out != "" || !strings.Contains(log, "Denied until 20") {
			t.Errorf("%v: %d %s%s", args, status, out, log)
		}
	}
	out, _, status := command(t, "token", "list", where)
	if status != 0 || !regexp.MustCompile(`(?m)^subject +"alice <script>" +20`).MatchString(out) || !regexp.MustCompile(`(?m)^jti +"id-1" +20`).MatchString(out) || !strings.Contains(out, "rita") {
		t.Errorf("%d %s", status, out)
	}
	out, _, _ = command(t, "token", "list", "--json", where)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || !json.Valid([]byte(lines[2])) || !strings.Contains(lines[1]+lines[2], `"denied":"jti"`) {
		t.Errorf("%s", out)
	}
	if _, log, status := command(t, "token", "allow", "--jti", "id-1", where); status != 0 || log != "Allowed again.\n" {
		t.Errorf("%d %s", status, log)
	}
	if _, log, status := command(t, "token", "allow", "--jti", "id-1", where); status != 1 || !strings.Contains(log, "nothing such is denied") {
		t.Errorf("%d %s", status, log)
	}
	if out, _, _ := command(t, "token", "list", where); strings.Contains(out, "id-1") {
		t.Errorf("%s", out)
	}
	if _, log, status := command(t, "token", "deny", "--jti", strings.Repeat("a", 256), where); status != 1 || !strings.Contains(log, "1 to 255 characters") {
		t.Errorf("%d %s", status, log)
	}
	out, _, _ = command(t, "audit", "export", where)
	for _, want := range []string{`"action":"token.deny","target":"subject:alice \u003cscript\u003e"`, `"action":"token.deny","target":"jti:id-1"`, `"action":"token.allow","target":"jti:id-1"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}

// TestOtherNetworksAreClosed: without any token the administrators' side is nobody's, on every network but the sandbox.
func TestOtherNetworksAreClosed(t *testing.T) {
	node := startNode(t)
	made, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ISSUER_ACCOUNT_SEED", made.Seed.Reveal())
	dir := t.TempDir()
	s := boot(t, "--http-listen=127.0.0.1:0", "--xrpl-network="+node.WebSocketURL(), "--data-dir="+dir)
	if !strings.Contains(s.out.String(), "  Access   /admin needs a token") {
		t.Errorf("%s", s.out)
	}
	for _, path := range []string{"/admin/credential", "/admin/request", "/admin/status", "/admin/audit", "/metrics"} {
		if got := s.get(t, path, ""); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got)
		}
	}
	if got := s.get(t, "/healthz", ""); got != http.StatusOK {
		t.Errorf("healthz: %d", got)
	}
	if got := s.get(t, "/admin/audit", makeToken(t, "me", "admin", "--data-dir="+dir)); got != http.StatusOK {
		t.Errorf("with a token: %d", got)
	}
}

// startNode starts a ledger that is no part of the service.
func startNode(t *testing.T) *sandbox.Server {
	t.Helper()
	node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: "127.0.0.1:0", CloseInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close(context.Background()) })
	return node
}
