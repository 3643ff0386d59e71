package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/issuer/webhook"
)

// acceptProgram builds the holder's program.
func acceptProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accept")
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../accept").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return path
}

// applicant is who holds the sandbox's subject, at a terminal of their own.
type applicant struct {
	t       *testing.T
	program string
	env     []string
}

// run runs the holder's program to its end.
func (a applicant) run(args ...string) (out, log string, status int) {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), a.program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = a.t.TempDir(), append(os.Environ(), a.env...), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		a.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// TestReview is the walk through review with two terminals, with the policies and documents of the examples: asked with a
// proof, seen and decided by a reviewer with a token, followed, accepted, and verified.
func TestReview(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	reviewer, reader := makeToken(t, "rita", "reviewer", "--data-dir="+dir), makeToken(t, "eve", "reader", "--data-dir="+dir)
	s := boot(t, append(onSandbox(dir), "--policy-dir="+filepath.Join(examples, "policies"), "--log-level=debug")...)
	url, issuing, subject := s.field(t, "HTTP"), s.field(t, "Issuer"), s.field(t, "Subject")
	sandbox := regexp.MustCompile(`SANDBOX_LISTEN=(\S+)`).FindStringSubmatch(s.out.String())[1]
	alice := applicant{t, acceptProgram(t), []string{"SUBJECT_ACCOUNT_SEED=" + s.field(t, "Seed"), "ISSUER_URL=" + url, "SANDBOX_LISTEN=" + sandbox}}
	papers := filepath.Join(examples, "documents", "accredited.json")
	admin := func(method, path, body, token string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		var text bytes.Buffer
		if _, err := text.ReadFrom(response.Body); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, text.String()
	}
	ask := func() (id, link string) {
		t.Helper()
		out, log, status := alice.run("prove", "--issuer", issuing, "--credential", "Accredited", "--documents", papers)
		m := regexp.MustCompile(`^'Accredited' waits for a person to decide on it\.\n    request  (\w{26})\n    link     (http://\S+)\n$`).FindStringSubmatch(out)
		if status != 0 || m == nil || !strings.Contains(log, "I hold the key of "+subject) {
			t.Fatalf("%d %s%s", status, out, log)
		}
		return m[1], m[2]
	}

	id, link := ask()
	if out, _, status := alice.run("follow", "--once", link); status != 0 || out != "'Accredited' waits for a person to decide on it.\n" {
		t.Errorf("%d %s", status, out)
	}
	// What waits is seen by those who may.
	if status, body := admin("GET", "/admin/request?state=waiting", "", reader); status != 200 || !strings.Contains(body, id) || strings.Contains(body, "Alice") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := admin("GET", "/admin/request/"+id, "", reader); status != http.StatusForbidden {
		t.Errorf("a reader sees documents: %d", status)
	}
	if status, body := admin("GET", "/admin/request/"+id, "", reviewer); status != 200 || !strings.Contains(body, `"name": "Alice Example"`) && !strings.Contains(body, `"name":"Alice Example"`) || !strings.Contains(body, `"proven":true`) {
		t.Errorf("%d %s", status, body)
	}
	// Rejected, with a reason.
	type ended struct {
		out, log string
		status   int
	}
	follow := func(link string) chan ended {
		done := make(chan ended, 1)
		go func() {
			out, log, status := alice.run("follow", link)
			done <- ended{out, log, status}
		}()
		return done
	}
	following := follow(link)
	if status, body := admin("POST", "/admin/request/"+id+"/reject", `{"reason": "the net worth is not shown"}`, reviewer); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if e := <-following; e.status != 1 || e.out != "'Accredited' was rejected.\n    reason   the net worth is not shown\n" || !strings.Contains(e.log, "accept: the request was rejected\n") {
		t.Errorf("%+v", e)
	}
	// Approved, by two at once.
	id, link = ask()
	following = follow(link)
	var both sync.WaitGroup
	var statuses [2]int
	for i := range statuses {
		both.Go(func() { statuses[i], _ = admin("POST", "/admin/request/"+id+"/approve", "", reviewer) })
	}
	both.Wait()
	if statuses != [2]int{200, 409} && statuses != [2]int{409, 200} {
		t.Errorf("two decisions: %v", statuses)
	}
	if e := <-following; e.status != 0 || !strings.HasPrefix(e.out, "Issued 'Accredited' to "+subject+".\n    result  tesSUCCESS") || !strings.Contains(e.log, "accept --credential Accredited --issuer "+issuing) {
		t.Errorf("%+v", e)
	}
	verify := func() (string, int) {
		out, _, status := command(t, "verify", issuing, subject, "Accredited", "--sandbox-listen="+sandbox)
		return out, status
	}
	if out, status := verify(); status != 1 || !strings.Contains(out, "its subject has not accepted it") {
		t.Errorf("%d %s", status, out)
	}
	if out, log, status := alice.run("--credential", "Accredited", "--issuer", issuing); status != 0 {
		t.Errorf("%d %s%s", status, out, log)
	}
	if out, status := verify(); status != 0 {
		t.Errorf("%d %s", status, out)
	}
	if status, body := paste(t, []string{"", "", "", "", url + "/credential/self/" + subject + "/Accredited"}); status != 200 || !strings.HasPrefix(string(body), `{"valid":true,`) {
		t.Errorf("%d %s", status, body)
	}
	// At once where no person is needed; and with a proof that was printed, which works once.
	if out, log, status := alice.run("prove", "--issuer", issuing, "--json", "--credential", "Member", "--documents", filepath.Join(examples, "documents", "member.json")); status != 0 || !strings.Contains(out, `"engine_result":"tesSUCCESS"`) {
		t.Errorf("%d %s%s", status, out, log)
	}
	proven, _, status := alice.run("prove", "--issuer", issuing, "--print", "--credential", "Accredited", "--documents", papers)
	if status != 0 || !json.Valid([]byte(proven)) {
		t.Fatalf("%d %s", status, proven)
	}
	if _, log, status := alice.run("prove", "--issuer", issuing, "--credential", "Accredited", "--documents", filepath.Join(examples, "documents", "member.json")); status != 1 || !strings.Contains(log, "documents") || !strings.Contains(log, "badRequest") {
		t.Errorf("documents of another type: %d %s", status, log)
	}
	if got, _ := paste(t, []string{"", "Content-Type: application/json", "POST", proven, url + "/credential"}); got != http.StatusConflict { // it stands already, so that the proof is not spent
		t.Errorf("asked again: %d", got)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	// What is confidential is neither in the log nor, as it stands, in the database.
	database := ""
	for _, name := range []string{"issuer.db", "issuer.db-wal"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		database += string(text)
	}
	for what, text := range map[string]string{"a document": "Alice Example", "the link's secret": link[strings.Index(link, "secret=")+7:], "the reviewer's token": reviewer[21:]} {
		if strings.Contains(s.log.String(), text) || strings.Contains(database, text) {
			t.Errorf("%s is in the log or in the database", what)
		}
	}
	out, _, status := command(t, "audit", "export", "--data-dir="+dir)
	for _, want := range []string{`"actor":"token:rita","action":"request.reject"`, `"actor":"token:rita","action":"request.approve"`, `"actor":"token:eve","action":"call","target":"GET /admin/request/`} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("%s is not in the audit log", want)
		}
	}
}

// TestRequestLapses: the service itself ends a request that nobody decides on in the time that its policy gives; its
// applicant, who follows it, is told, and so are webhooks, metrics and the status. Another one is withdrawn.
func TestRequestLapses(t *testing.T) {
	dir, hook := t.TempDir(), newReceiver(t)
	writePolicy(t, dir, "looked.yaml", reviewPolicy+"decide_within: 3s\n")
	writePolicy(t, dir, "slow.yaml", strings.Replace(reviewPolicy, "Looked", "Slow", 1))
	t.Setenv("WEBHOOK_SECRET", webhook.NewSecret().Reveal())
	s := boot(t, append(onSandbox(t.TempDir()), "--policy-dir="+dir, "--webhook-urls="+hook.URL, "--webhook-allow-private=true")...)
	s.subscribed(t, 1)
	url := s.field(t, "HTTP")
	alice := applicant{t, acceptProgram(t), []string{"ISSUER_URL=" + url}}
	ask := func(credential string) (link string) {
		t.Helper()
		body := `{"subject":"` + s.field(t, "Subject") + `","credential":"` + credential + `","documents":{"name":"Alice Example"}}`
		status, answer := paste(t, []string{"", "Content-Type: application/json", "POST", body, url + "/credential"})
		var r struct{ Link string }
		if err := json.Unmarshal(answer, &r); err != nil || status != http.StatusAccepted {
			t.Fatalf("%d %s", status, answer)
		}
		return url + r.Link
	}
	link := ask("Looked")
	if out, log, status := alice.run("follow", link); status != 1 || !strings.HasPrefix(out, "'Looked' has lapsed.\n    nobody decided on it in time") || !strings.Contains(log, "the request has lapsed") {
		t.Errorf("%d %s%s", status, out, log)
	}
	hook.await(t, "Looked", "request.received applicant", "request.lapsed janitor")
	ask("Looked") // the place is free
	link = ask("Slow")
	if status, answer := paste(t, []string{"", "", "DELETE", "", link}); status != http.StatusOK || !strings.Contains(string(answer), `"state":"withdrawn"`) {
		t.Errorf("%d %s", status, answer)
	}
	if out, _, status := alice.run("follow", link); status != 1 || !strings.HasPrefix(out, "'Slow' was withdrawn.\n") {
		t.Errorf("%d %s", status, out)
	}
	hook.await(t, "Slow", "request.received applicant", "request.withdrawn applicant", "request.documents_erased applicant")
	_, metrics := paste(t, []string{"", "", "", "", url + "/metrics"})
	for _, line := range []string{`issuer_keeper_actions_total{action="lapsed"} `, `issuer_requests_overdue `} {
		if !strings.Contains(string(metrics), line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
	if _, status := paste(t, []string{"", "", "", "", url + "/admin/status"}); !strings.Contains(string(status), `"requests_to_lapse":`) || !regexp.MustCompile(`"lapsed":{"count":[12],`).Match(status) {
		t.Errorf("%s", status)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
