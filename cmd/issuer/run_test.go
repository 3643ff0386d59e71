package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/test/postgres"
)

// asProgram makes the test binary be the program, for what needs a process of its own.
const asProgram = "ISSUER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	// What the machine has set is for one test, and not for the services of the others.
	if err := os.Unsetenv("DATABASE_URL"); err != nil {
		panic(err)
	}
	// The driver says goodbye to a connection in the background, for 15 s at most.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose.func1"))
}

// terminal is what a program writes, for a test to read while it runs.
type terminal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // receives after a write
}

func newTerminal() *terminal { return &terminal{wrote: make(chan struct{}, 1)} }

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *terminal) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// service is the program, running.
type service struct {
	out, log *terminal
	stop     func() error // as an interrupt does; returns what run returned
}

// boot runs the program until it shows its banner.
func boot(t *testing.T, args ...string) *service {
	t.Helper()
	s := &service{out: newTerminal(), log: newTerminal()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx, args, noFile(t), console{strings.NewReader(""), s.out, s.log}) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("the program ended with: %v", err)
		}
	})
	for !strings.Contains(s.out.String(), "Ctrl-C stops") {
		select {
		case err := <-done:
			done <- err
			t.Fatalf("the program ended with: %v\n%s", err, s.log)
		case <-s.out.wrote:
		}
	}
	return s
}

// onSandbox are the arguments for a service on ports of its own, with its data in dir.
func onSandbox(dir string) []string {
	return []string{"--http-listen=127.0.0.1:0", "--sandbox-listen=127.0.0.1:0", "--sandbox-close-interval=200ms", "--data-dir=" + dir}
}

var (
	curlLine   = regexp.MustCompile(`(?m)^curl (?:-H "([^"]*)" )?(?:-X (\w+) )?(?:-d '([^']*)' )?(http://\S+)$`)
	acceptLine = regexp.MustCompile(`(?m)^SUBJECT_ACCOUNT_SEED=(\S+) SANDBOX_LISTEN=(\S+) go run ./cmd/accept$`)
)

// printed are the commands that a banner tells to paste.
type printed struct {
	request, list, revoke []string // as curlLine takes them apart
	seed, sandbox         string
}

func (s *service) printed(t *testing.T) printed {
	t.Helper()
	curls, accept := curlLine.FindAllStringSubmatch(s.out.String(), -1), acceptLine.FindStringSubmatch(s.out.String())
	if len(curls) != 3 || accept == nil {
		t.Fatalf("%d curl lines, accept %q in:\n%s", len(curls), accept, s.out)
	}
	return printed{request: curls[0], list: curls[1], revoke: curls[2], seed: accept[1], sandbox: accept[2]}
}

// field returns what the banner says behind a name.
func (s *service) field(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + name + ` +(\S+)`).FindStringSubmatch(s.out.String())
	if m == nil {
		t.Fatalf("no %s in:\n%s", name, s.out)
	}
	return m[1]
}

// paste does what curl does with a printed line.
func paste(t *testing.T, line []string) (status int, body []byte) {
	t.Helper()
	method := line[2]
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(t.Context(), method, line[4], strings.NewReader(line[3]))
	if err != nil {
		t.Fatal(err)
	}
	if name, value, ok := strings.Cut(line[1], ": "); ok {
		request.Header.Set(name, value)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// accept does what the printed accept command does: it accepts, with the printed seed, at the printed address.
func (p printed) accept(t *testing.T, issuer string, credential model.CredentialType) {
	t.Helper()
	seed, err := ledger.ParseSeed(p.seed)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ledger.New(ledger.Config{URL: "ws://" + p.sandbox})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	lane, err := ledger.NewLane(client, ledger.LaneConfig{Account: seed.Address(), Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	if _, err := lane.Submit(t.Context(), model.CredentialAccept{Issuer: model.Address(issuer), Type: credential}); err != nil {
		t.Fatal(err)
	}
}

// listed is what the list must be, to the byte.
func listed(entries ...string) string {
	return `{"credentials":[` + strings.Join(entries, ",") + "]}\n"
}

func entry(subject, credential string, accepted bool) string {
	return fmt.Sprintf(`{"subject":"%s","credential":"%s","accepted":%t}`, subject, credential, accepted)
}

// TestTutorial boots the program, does what its banner tells to do, in that order, stops it, starts it again, finds
// everything there, and does what the new banner tells.
func TestTutorial(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := boot(t, onSandbox(dir)...)
	lines, issuer, subject := first.printed(t), first.field(t, "Issuer"), first.field(t, "Subject")
	if seed, err := ledger.ParseSeed(first.field(t, "Seed")); err != nil || string(seed.Address()) != subject || lines.seed != first.field(t, "Seed") {
		t.Errorf("the seed shown is not the subject's: %v", err)
	}
	if url := first.field(t, "HTTP"); !strings.HasPrefix(lines.list[4], url+"/") {
		t.Errorf("HTTP %s, list %s", url, lines.list[4])
	}
	if got := first.field(t, "Network"); got != "sandbox" {
		t.Errorf("Network %s", got)
	}

	if status, body := paste(t, lines.request); status != http.StatusCreated || !json.Valid(body) {
		t.Fatalf("request: %d %s", status, body)
	}
	if status, body := paste(t, lines.list); status != http.StatusOK || string(body) != listed(entry(subject, "TestCredential", false)) {
		t.Errorf("list: %d %s", status, body)
	}
	lines.accept(t, issuer, "TestCredential")
	if _, body := paste(t, lines.list); string(body) != listed(entry(subject, "TestCredential", true)) {
		t.Errorf("list after accepting: %s", body)
	}
	if err := first.stop(); err != nil {
		t.Fatalf("stopped with %v\n%s", err, first.log)
	}
	if _, err := net.Dial("tcp", lines.sandbox); err == nil {
		t.Error("the embedded ledger is still there")
	}

	second := boot(t, onSandbox(dir)...)
	if a, b := second.field(t, "Issuer"), second.field(t, "Subject"); a != issuer || b != subject {
		t.Errorf("after a restart the issuer is %s, was %s; the subject %s, was %s", a, issuer, b, subject)
	}
	again := second.printed(t)
	if _, body := paste(t, again.list); string(body) != listed(entry(subject, "TestCredential", true)) {
		t.Errorf("list after a restart: %s", body)
	}
	// The printed lines work although the first credential stands.
	if status, body := paste(t, again.request); status != http.StatusCreated {
		t.Errorf("request after a restart: %d %s", status, body)
	}
	again.accept(t, issuer, "TestCredential2")
	if status, body := paste(t, again.revoke); status != http.StatusOK {
		t.Errorf("revoke after a restart: %d %s", status, body)
	}
	// And so do the first one's, at the new address.
	old := lines.revoke
	old[4] = again.revoke[4]
	if status, body := paste(t, old); status != http.StatusOK {
		t.Errorf("revoke the first one: %d %s", status, body)
	}
	if _, body := paste(t, again.list); string(body) != listed() {
		t.Errorf("list at the end: %s", body)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}

	// What the program keeps is for its owner alone, and the issuer's seed is nowhere else.
	secret, err := os.ReadFile(filepath.Join(dir, "sandbox", "issuer.seed"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*service{first, second} {
		if said := s.out.String() + s.log.String(); strings.Contains(said, strings.TrimSpace(string(secret))) {
			t.Error("the issuer's seed is shown")
		}
		if strings.Contains(s.log.String(), lines.seed) {
			t.Error("the subject's seed is in the log")
		}
	}
	for _, name := range []string{"issuer.seed", "subject.seed"} {
		info, err := os.Stat(filepath.Join(dir, "sandbox", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestOnCommand: with an interval of 0 ledgers close on ledger_accept alone, and the service comes up all the same.
func TestOnCommand(t *testing.T) {
	s := boot(t, append(onSandbox(t.TempDir()), "--sandbox-close-interval=0s")...)
	lines := s.printed(t)
	type result struct {
		status int
		body   []byte
	}
	answered := make(chan result, 1)
	go func() {
		status, body := paste(t, lines.request)
		answered <- result{status, body}
	}()
	accepts := time.NewTicker(50 * time.Millisecond)
	defer accepts.Stop()
	for {
		select {
		case r := <-answered:
			if r.status != http.StatusCreated {
				t.Errorf("%d %s", r.status, r.body)
			}
			return
		case <-accepts.C:
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+lines.sandbox, strings.NewReader(`{"method":"ledger_accept"}`))
			if err != nil {
				t.Fatal(err)
			}
			request.Close = true
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
		}
	}
}

// TestOtherNode: the service against a node of its own address, with a seed, and with a regular key.
func TestOtherNode(t *testing.T) {
	node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: "127.0.0.1:0", CloseInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close(context.Background()) })
	subject, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{node.URL(), node.WebSocketURL()} {
		t.Run(scheme, func(t *testing.T) {
			made, err := node.Fund(t.Context(), "", 1_000_000_000)
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("ISSUER_ACCOUNT_SEED", made.Seed.Reveal())
			s := boot(t, "--http-listen=127.0.0.1:0", "--xrpl-network="+scheme, "--data-dir="+filepath.Join(t.TempDir(), "none"))
			if got := s.field(t, "Issuer"); got != made.Address {
				t.Errorf("Issuer %s, want %s", got, made.Address)
			}
			if strings.Contains(s.out.String(), made.Seed.Reveal()) || strings.Contains(s.out.String(), "  Seed ") {
				t.Errorf("a seed is shown:\n%s", s.out)
			}
			address := s.field(t, "HTTP")
			body := fmt.Sprintf(`{"subject":"%s","credential":"Elsewhere","documents":{"reason":"please"}}`, subject.Address)
			if status, answer := paste(t, []string{"", "Content-Type: application/json", "POST", body, address + "/credential"}); status != http.StatusCreated {
				t.Errorf("%d %s", status, answer)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFailedStarts: what keeps the program from starting is told in a sentence that says what to do, and nothing is
// left running.
func TestFailedStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: "127.0.0.1:0", CloseInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.Close(context.Background()) }()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.MkdirAll(filepath.Join(damaged, "sandbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "sandbox", "issuer.seed"), []byte("sEdBroken"), 0o600); err != nil {
		t.Fatal(err)
	}
	torn := t.TempDir()
	if err := os.MkdirAll(filepath.Join(torn, "sandbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(torn, "sandbox", "ledger.journal"), []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	boot(t, onSandbox(used)...)
	open := t.TempDir()
	if err := os.MkdirAll(filepath.Join(open, "sandbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(open, "sandbox", "issuer.seed"), []byte(edSeed), 0o644); err != nil {
		t.Fatal(err)
	}
	where, change := auditLog(t, 1)
	change(`INSERT INTO schema_migrations SELECT '9999_later', checksum, applied FROM schema_migrations LIMIT 1`)
	newer, damagedJournal := strings.TrimPrefix(where, "--data-dir="), t.TempDir()
	if err := os.WriteFile(journalFile(damagedJournal), []byte(strings.Repeat("not a database ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	const failed, wrong = 1, 2
	for _, tc := range []struct {
		name, seed string
		args       []string
		want       []string
	}{
		{"HTTP port taken", "", []string{"--http-listen=" + taken.Addr().String()}, []string{"HTTP_LISTEN: " + taken.Addr().String() + " is taken", "set HTTP_LISTEN"}},
		{"ledger's port taken", "", []string{"--sandbox-listen=" + taken.Addr().String()}, []string{"SANDBOX_LISTEN: " + taken.Addr().String() + " is taken", "set SANDBOX_LISTEN"}},
		{"address of another machine", "", []string{"--http-listen=192.0.2.1:80"}, []string{"HTTP_LISTEN: cannot listen on 192.0.2.1:80", "set HTTP_LISTEN"}},
		{"data folder is a file", "", []string{"--data-dir=" + file}, []string{"DATA_DIR: ", "set DATA_DIR"}},
		{"data folder in use", "", []string{"--data-dir=" + used}, []string{"the embedded ledger in " + used + " does not start", "in use by another process"}},
		{"ledger damaged", "", []string{"--data-dir=" + torn}, []string{"the embedded ledger in " + torn + " does not start", "is not a journal"}},
		{"wallet damaged", "", []string{"--data-dir=" + damaged}, []string{"issuer.seed"}},
		{"wallet that others can read", "", []string{"--data-dir=" + open}, []string{"issuer.seed", "chmod 600"}},
		{"journal of a newer version", "", []string{"--data-dir=" + newer}, []string{"the journal in " + journalFile(newer) + " cannot be used", "newer version of this program", "9999_later"}},
		{"journal damaged", "", []string{"--data-dir=" + damagedJournal}, []string{"the journal in " + journalFile(damagedJournal) + " cannot be used", "not a database"}},
		{"setting: no policies there", "", []string{"--policy-dir=" + damaged + "/none"}, []string{"POLICY_DIR: ", "no such file"}},
		{"setting: the provider's address", "", []string{"--oidc-issuer=idp.example", "--oidc-audience=us"}, []string{"OIDC_ISSUER, OIDC_AUDIENCE and OIDC_ROLE_CLAIM: ", "must be a URL"}},
		{"account not on the ledger", edSeed, []string{"--xrpl-network=" + node.WebSocketURL()}, []string{"ISSUER_ACCOUNT_SEED: ", edAddress, "is not on the ledger"}},
		{"another's key", edSeed, []string{"--xrpl-network=" + node.WebSocketURL(), "--issuer-account-address=" + secpAddress}, []string{"ISSUER_ACCOUNT_SEED: ", "does not sign for"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("ISSUER_ACCOUNT_SEED", tc.seed)
			out, log := newTerminal(), newTerminal()
			err := run(t.Context(), append(onSandbox(t.TempDir()), tc.args...), noFile(t), console{strings.NewReader(""), out, log})
			status := failed
			if tc.seed != "" || strings.Contains(tc.name, "setting") || strings.Contains(tc.name, "version") {
				status = wrong
			}
			if err == nil || exitStatus(err) != status || out.String() != "" {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "refused what should have been right") {
				t.Errorf("told as a caller would be: %v", err)
			}
			if tc.seed != "" && strings.Contains(err.Error()+log.String(), tc.seed) {
				t.Error("the seed is shown")
			}
		})
	}
}

// TestPostgres: with DATABASE_URL the journal is there and not in a file; what one service has begun another goes on with;
// and the password is nowhere.
func TestPostgres(t *testing.T) {
	database := postgresSchema(t)
	t.Setenv("DATABASE_URL", database)
	dir := t.TempDir()
	var answers [2]string
	for n := range answers {
		s := boot(t, append(onSandbox(dir), "--log-level=debug")...)
		body := fmt.Sprintf(`{"subject":"%s","credential":"Keyed","documents":{"reason":"please"}}`, s.field(t, "Subject"))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.field(t, "HTTP")+"/credential", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"k"}}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusCreated {
			t.Errorf("%d %s %v", response.StatusCode, text, err)
		}
		answers[n] = string(text)
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if strings.Contains(s.log.String()+s.out.String(), "hush-hush") {
			t.Error("the password is shown")
		}
	}
	if answers[0] != answers[1] {
		t.Errorf("after a restart: %s, was %s", answers[1], answers[0])
	}
	if _, err := os.Stat(filepath.Join(dir, "issuer.db")); !os.IsNotExist(err) {
		t.Errorf("there is a file too: %v", err)
	}
}

// postgresSchema returns the address of a schema that belongs to this test alone, with a password that must not be shown.
func postgresSchema(t *testing.T) string {
	t.Helper()
	return postgres.With(t, postgres.Schema(t), "password", "hush-hush")
}

// sharedWorld sets up a PostgreSQL database, a ledger and a funded issuer for services that share them.
func sharedWorld(t *testing.T) (*sandbox.Server, sandbox.Account) {
	t.Helper()
	t.Setenv("DATABASE_URL", postgresSchema(t))
	node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: "127.0.0.1:0", CloseInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close(context.Background()) })
	made, err := node.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ISSUER_ACCOUNT_SEED", made.Seed.Reveal())
	return node, made
}

// TestReplicas: two services for one issuer on one database. Either takes requests, and when the one that issues stops, the
// other does.
func TestReplicas(t *testing.T) {
	node, made := sharedWorld(t)
	var replicas [2]*service
	for n := range replicas {
		replicas[n] = boot(t, "--http-listen=127.0.0.1:0", "--xrpl-network="+node.WebSocketURL(), "--data-dir="+t.TempDir())
	}
	issue := func(s *service, credential string) {
		t.Helper()
		body := fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"reason":"please"}}`, made.Address, credential)
		if status, answer := paste(t, []string{"", "Content-Type: application/json", "POST", body, s.field(t, "HTTP") + "/credential"}); status != http.StatusCreated {
			t.Errorf("%s: %d %s", credential, status, answer)
		}
	}
	reader := makeToken(t, "prometheus", "reader")
	held := func(s *service) bool {
		_, body := paste(t, []string{"", "Authorization: Bearer " + reader, "", "", s.field(t, "HTTP") + "/metrics"})
		return strings.Contains(string(body), "\nissuer_lane_held 1\n")
	}
	issue(replicas[0], "First")
	issue(replicas[1], "Second")
	holder := 0
	if held(replicas[1]) {
		holder = 1
	}
	if held(replicas[1-holder]) {
		t.Error("both have the lane")
	}
	if err := replicas[holder].stop(); err != nil {
		t.Error(err)
	}
	issue(replicas[1-holder], "Third")
	if !held(replicas[1-holder]) {
		t.Error("nobody has the lane")
	}
}
