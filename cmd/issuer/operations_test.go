package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// What docs/operations.md says is tried here.

// ask sends a request with a token and a key, either of which may be empty.
func (s *service) ask(t *testing.T, method, path, body, token, key string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.field(t, "HTTP")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Idempotency-Key": key} {
		if value != "" && value != "Bearer " {
			request.Header.Set(name, value)
		}
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func wanted(subject, credential string) string {
	return fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"reason":"please"}}`, subject, credential)
}

// backUp copies an SQLite journal as a backup does, while the service may run.
func backUp(t *testing.T, from, to string) {
	t.Helper()
	db, err := sql.Open("sqlite", journalFile(from))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `VACUUM INTO ?`, journalFile(to)); err != nil {
		t.Fatal(err)
	}
}

// TestRestoredBackup: a journal of before is put back. What stands on the ledger is known again, nothing is issued twice, and
// what only the journal knew is as it was then: tokens that were revoked hold again, which the audit log's noted end shows.
func TestRestoredBackup(t *testing.T) {
	t.Setenv("ISSUER_ACCOUNT_SEED", edSeed)
	node := nodeWith(t, "127.0.0.1:0", edAddress)
	subject, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	data, kept := t.TempDir(), t.TempDir()
	token := makeToken(t, "ann", "admin", "--data-dir="+data)
	at := func(dir string) []string {
		return []string{"--http-listen=127.0.0.1:0", "--xrpl-network=" + node.WebSocketURL(), "--data-dir=" + dir}
	}
	s := boot(t, at(data)...)
	if status, body := s.ask(t, "POST", "/credential", wanted(subject.Address, "Before"), "", "key-before"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	backUp(t, data, kept)
	if status, body := s.ask(t, "POST", "/credential", wanted(subject.Address, "After"), "", "key-after"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := s.ask(t, "DELETE", "/admin/credential", fmt.Sprintf(`{"subject":"%s","credential":"Before"}`, subject.Address), token, ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if _, log, status := command(t, "token", "revoke", "ann", "--data-dir="+data); status != 0 {
		t.Fatal(log)
	}
	if got := s.get(t, "/admin/credential", token); got != 401 {
		t.Fatalf("the token was revoked, and gives %d", got)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	out, _, status := command(t, "audit", "verify", "--data-dir="+data)
	head := headLine.FindString(out)
	if status != 0 || head == "" {
		t.Fatalf("%d %s", status, out)
	}

	s = boot(t, at(kept)...)
	if status, body := s.ask(t, "GET", "/admin/credential", "", token, ""); status != 200 || body != listed(entry(subject.Address, "After", false)) {
		t.Errorf("the list: %d %s", status, body)
	}
	if status, body := s.ask(t, "POST", "/credential", wanted(subject.Address, "After"), "", "key-after"); status != 409 || !strings.Contains(body, "tecDUPLICATE") {
		t.Errorf("asked again with a key that the backup does not know: %d %s", status, body)
	}
	if status, body := s.ask(t, "POST", "/credential", wanted(subject.Address, "Before"), "", "key-before"); status != 201 || !strings.Contains(body, `"ledger_index"`) {
		t.Errorf("asked again with a key that it knows: %d %s", status, body)
	}
	if status, body := s.ask(t, "GET", "/admin/credential", "", token, ""); status != 200 || body != listed(entry(subject.Address, "After", false)) {
		t.Errorf("a key that was answered before issues nothing: %d %s", status, body)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if out, _, status := command(t, "audit", "verify", "--data-dir="+kept, "--head="+head); status != 1 || !strings.Contains(out, "noted") {
		t.Errorf("the noted end: %d %s", status, out)
	}
	if out, _, status := command(t, "audit", "verify", "--data-dir="+kept); status != 0 {
		t.Errorf("in itself it is whole: %d %s", status, out)
	}
}

// TestNewIssuingKey: the regular key is replaced while the service is stopped, and the key before signs no more.
func TestNewIssuingKey(t *testing.T) {
	node := nodeWith(t, "127.0.0.1:0", edAddress)
	var accounts []sandbox.Account // a subject, and two whose keys become the issuer's regular key, one after the other
	for range 3 {
		a, err := node.Fund(t.Context(), "", 1_000_000_000)
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, a)
	}
	setRegularKey := func(to string) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"method": "submit", "params": []any{map[string]any{"secret": edSeed,
			"tx_json": map[string]any{"TransactionType": "SetRegularKey", "Account": edAddress, "RegularKey": to}}}})
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Post(node.URL(), "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil || !strings.Contains(string(text), "tesSUCCESS") {
			t.Fatalf("%s %v", text, err)
		}
		if _, err := node.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	data := t.TempDir()
	args := []string{"--http-listen=127.0.0.1:0", "--xrpl-network=" + node.WebSocketURL(), "--data-dir=" + data, "--issuer-account-address=" + edAddress}
	for n, key := range accounts[1:] {
		setRegularKey(key.Address)
		t.Setenv("ISSUER_ACCOUNT_SEED", key.Seed.Reveal())
		s := boot(t, args...)
		if status, body := s.ask(t, "POST", "/credential", wanted(accounts[0].Address, fmt.Sprintf("Key%d", n)), "", ""); status != 201 {
			t.Errorf("key %d: %d %s", n, status, body)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ISSUER_ACCOUNT_SEED", accounts[1].Seed.Reveal())
	refusedStart(t, []string{"ISSUER_ACCOUNT_SEED: ", "does not sign for " + edAddress}, args...)
}

// TestNewDocumentsKey: with the new key first and the old one behind it, what was sealed before is read; without the old one
// it is not, and the rest of the service goes on.
func TestNewDocumentsKey(t *testing.T) {
	data, policies := t.TempDir(), t.TempDir()
	writePolicy(t, policies, "looked.yaml", reviewPolicy)
	token := makeToken(t, "rita", "reviewer", "--data-dir="+data)
	old, renewed := vault.NewKey().Reveal(), vault.NewKey().Reveal()
	var id string
	for _, tc := range []struct {
		keys string
		read bool
	}{{old, true}, {renewed + "," + old, true}, {renewed, false}} {
		t.Setenv("DOCUMENTS_KEY", tc.keys)
		s := boot(t, append(onSandbox(data), "--policy-dir="+policies)...)
		if id == "" {
			status, body := s.ask(t, "POST", "/credential", wanted(s.field(t, "Subject"), "Looked"), "", "")
			m := regexp.MustCompile(`"id":"(\w{26})"`).FindStringSubmatch(body)
			if status != 202 || m == nil {
				t.Fatalf("%d %s", status, body)
			}
			id = m[1]
		}
		status, body := s.ask(t, "GET", "/admin/request/"+id, "", token, "")
		if read := status == 200 && strings.Contains(body, `"reason":"please"`); read != tc.read || !read && status != 500 {
			t.Errorf("%d %s", status, body)
		}
		if status, body := s.ask(t, "GET", "/admin/request", "", token, ""); status != 200 || !strings.Contains(body, id) {
			t.Errorf("the list: %d %s", status, body)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if tc.read == strings.Contains(s.log.String(), "level=ERROR") {
			t.Errorf("the log, where it reads %t:\n%s", tc.read, s.log)
		}
	}
}

// TestOperationsPage: the page names metrics, settings and words of the log that there are.
func TestOperationsPage(t *testing.T) {
	page := readFile(t, "../../docs/operations.md")
	s := boot(t, onSandbox(t.TempDir())...)
	status, metrics := s.ask(t, "GET", "/metrics", "", "", "")
	if status != 200 {
		t.Fatal(status)
	}
	named := regexp.MustCompile(`\b(?:issuer|http|go|process)_[a-z_]+\b`).FindAllString(page+readFile(t, "../../examples/operations/alerts.yml"), -1)
	for _, name := range named {
		// One that has not happened yet is not among the metrics: its help is in the code.
		if !strings.Contains(metrics, "# TYPE "+strings.TrimSuffix(name, "_bucket")+" ") && !strings.Contains(readFile(t, "metrics.go"), `"`+strings.TrimSuffix(name, "_bucket")+`"`) {
			t.Errorf("%s is no metric", name)
		}
	}
	if len(named) < 20 {
		t.Errorf("metrics: %v", named)
	}
	// Each fault has an alert that exists, and each metric of an alert is in the runbook.
	alerts := readFile(t, "../../examples/operations/alerts.yml")
	_, faults, found := strings.Cut(page, "\n| fault | alert |\n")
	faults, _, _ = strings.Cut(faults, "\n\n")
	rows := strings.Split(faults, "\n")[1:]
	for _, row := range rows {
		named := regexp.MustCompile("`(Issuer[A-Za-z]+)`").FindAllStringSubmatch(row, -1)
		for _, m := range named {
			if !strings.Contains(alerts, "- alert: "+m[1]+"\n") {
				t.Errorf("%s is no alert: %s", m[1], row)
			}
		}
		if len(named) == 0 {
			t.Errorf("a fault without an alert: %s", row)
		}
	}
	if !found || len(rows) < 14 {
		t.Errorf("%d faults have an alert", len(rows))
	}
	for _, metric := range regexp.MustCompile(`\bissuer_[a-z_]+\b`).FindAllString(alerts, -1) {
		if !strings.Contains(page, strings.TrimSuffix(metric, "_bucket")) {
			t.Errorf("the runbook does not have the metric %s of an alert", metric)
		}
	}
	var code strings.Builder
	for _, room := range []string{".", "../../issuer", "../../issuer/access", "../../issuer/httpapi", "../../issuer/webhook", "../../ledger", "../../store"} {
		files, err := filepath.Glob(filepath.Join(room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				code.WriteString(readFile(t, file))
			}
		}
	}
	_, runbook, found := strings.Cut(page, "\n## What the log warns of\n")
	words := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(runbook, -1)
	if !found || len(words) < 10 {
		t.Fatalf("the runbook has %d rows", len(words))
	}
	for _, m := range words {
		if !strings.Contains(code.String(), m[1]) {
			t.Errorf("nothing logs %q", m[1])
		}
	}
	// Errors all have their row: they need somebody.
	for _, m := range regexp.MustCompile(`\.Error(?:Context)?\((?:ctx, )?"([^"]+)"`).FindAllStringSubmatch(code.String(), -1) {
		if !slices.ContainsFunc(words, func(row []string) bool { return strings.HasPrefix(m[1], row[1]) }) {
			t.Errorf("the runbook does not have %q", m[1])
		}
	}
	if unit := readFile(t, "../../examples/operations/credential-issuer.service"); !strings.Contains(unit, "\nLimitCORE=0\n") {
		t.Error("the unit allows core dumps, which hold keys")
	}
	// The unit sets what is a setting.
	for _, m := range regexp.MustCompile(`(?m)^Environment=([A-Z_]+)=`).FindAllStringSubmatch(readFile(t, "../../examples/operations/credential-issuer.service"), -1) {
		if !slices.ContainsFunc(known, func(s config.Setting) bool { return s.Key == m[1] }) {
			t.Errorf("the unit sets %s, which is no setting", m[1])
		}
	}
}
