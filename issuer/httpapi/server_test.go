package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

// scripted is an issuer that does what a real one on a real ledger cannot be made to do at will: fail in ways that
// nobody foresaw, and wait for a test. Everything else is tested on a real one.
type scripted struct {
	httpapi.Issuer // what is not below is not in these tests, and panics
	issue          func(context.Context) (model.Validated, error)
	list           iter.Seq2[model.Credential, error]
}

func (s scripted) Repeated(context.Context, issuer.Ask) (issuer.Reply, bool, error) {
	return issuer.Reply{}, false, nil
}

func (s scripted) Issue(ctx context.Context, _ model.CredentialRequest, _ issuer.Ask) (issuer.Reply, error) {
	v, err := s.issue(ctx)
	if err != nil {
		return issuer.Reply{}, err
	}
	return issuer.Reply{Operation: model.Operation{ID: "01JD8Q4Z7T9XW3V5K2M6N8P0RS", Kind: model.KindIssue, State: model.StateSucceeded, Result: &v}}, nil
}

func (s scripted) List(context.Context, model.Acceptance) iter.Seq2[model.Credential, error] {
	return s.list
}

// everybody is let in as an admin.
type everybody struct{}

func (everybody) Authenticate(context.Context, string, []string) (model.Principal, error) {
	return model.Principal{Actor: "test", Role: model.RoleAdmin}, nil
}

// logBuffer is a log that a test reads.
type logBuffer struct{ logs.Lines }

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(httpapi.LogHandler(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

// requests returns the lines that tell of requests.
func (l *logBuffer) requests(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["msg"] == "request" {
			lines = append(lines, fields)
		}
	}
	return lines
}

// server is an API on a socket of its own, stopped at the end of the test or before.
type server struct {
	address string
	log     *logBuffer
	stop    func() error // returns what Serve returned
}

func serve(t *testing.T, cfg httpapi.Config) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: ln.Addr().String(), log: &logBuffer{}}
	if cfg.Logger == nil {
		cfg.Logger = s.log.logger()
	}
	if cfg.Access == nil {
		cfg.Access = everybody{} // who may do what is tested by itself
	}
	api := httpapi.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, ln) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

const goodRequest = `{"subject":"` + absent + `","credential":"New","documents":{"reason":"please","passport":"XK-SECRET"}}`

// TestUnknownErrors: what has no code is a bare 500; its cause is in the log under the same id, and nowhere else. The
// service goes on.
func TestUnknownErrors(t *testing.T) {
	for name, issue := range map[string]func(context.Context) (model.Validated, error){
		"error": func(context.Context) (model.Validated, error) { return model.Validated{}, errors.New("disk on fire") },
		"panic": func(context.Context) (model.Validated, error) { panic("disk on fire") },
		"code without place": func(context.Context) (model.Validated, error) {
			return model.Validated{}, &model.Error{Code: "made up", Message: "disk on fire"}
		},
		"code internal": func(context.Context) (model.Validated, error) {
			return model.Validated{}, &model.Error{Code: model.CodeInternal, Message: "disk on fire"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}})
			for range 2 {
				a := exchange(t, s.address, post, "/credential", jsonType, goodRequest)
				a.holdsItsForm(t)
				if a.status != http.StatusInternalServerError || a.str("error") != "internal" || bytes.Contains(a.body, []byte("fire")) {
					t.Errorf("%d %s", a.status, a.body)
				}
				lines := s.log.requests(t)
				last := lines[len(lines)-1]
				if last["request_id"] != a.str("request_id") || !strings.Contains(fmt.Sprint(last["cause"]), "disk on fire") || last["level"] != "ERROR" {
					t.Errorf("logged: %v", last)
				}
			}
		})
	}
}

// TestOutcomes holds the error table: what a code becomes, and what comes with it.
func TestOutcomes(t *testing.T) {
	failed := &model.Validated{Hash: "F00D", EngineResult: "tecX", Body: json.RawMessage(`{"hash":"F00D","error":"not this one","validated":true}`)}
	for _, tc := range []struct {
		err        model.Error
		status     int
		code       string
		retryAfter string
		has        string
	}{
		{model.Error{Code: model.CodeBadRequest, Message: "x"}, 400, "badRequest", "", `"error_message":"x"`},
		{model.Error{Code: model.CodeEntryNotFound}, 404, "entryNotFound", "", ""},
		{model.Error{Code: model.CodeDuplicate}, 409, "tecDUPLICATE", "", ""},
		{model.Error{Code: model.CodeDuplicate, Tx: failed}, 409, "tecDUPLICATE", "", `"hash":"F00D","validated":true}`},
		{model.Error{Code: model.CodeNoTarget}, 422, "tecNO_TARGET", "", ""},
		{model.Error{Code: model.CodeExpired, Tx: failed}, 422, "tecEXPIRED", "", `"hash":"F00D"`},
		{model.Error{Code: model.CodeInsufficientReserve}, 503, "tecINSUFFICIENT_RESERVE", "", ""},
		{model.Error{Code: model.CodeLedgerUnavailable}, 503, "ledgerUnavailable", "5", ""},
		{model.Error{Code: model.CodeLedgerUnavailable, RetryAfter: 1500 * time.Millisecond}, 503, "ledgerUnavailable", "2", ""},
		{model.Error{Code: model.CodeLedgerUnavailable, Pending: &model.Pending{Hash: "F00D", Sequence: 7, LastLedgerSequence: 9}},
			503, "ledgerUnavailable", "5", `"pending":{"hash":"F00D","sequence":7,"last_ledger_sequence":9}`},
		{model.Error{Code: model.CodeAccessUnavailable}, 503, "accessUnavailable", "5", ""},
		{model.Error{Code: model.CodeStoreUnavailable, Message: "disk full at /secret"}, 503, "storeUnavailable", "5", `"error_message":"the service cannot store`},
		{model.Error{Code: model.CodeTooManyRequests, RetryAfter: 1}, 429, "tooManyRequests", "1", ""},
		{model.Error{Code: model.CodeUnauthorized}, 401, "unauthorized", "", ""},
		{model.Error{Code: model.CodeForbidden}, 403, "forbidden", "", ""},
		{model.Error{Code: model.CodeProofRefused}, 403, "proofRefused", "", ""},
		{model.Error{Code: model.CodeRequestNotFound}, 404, "requestNotFound", "", ""},
		{model.Error{Code: model.CodeDecided}, 409, "alreadyDecided", "", ""},
		{model.Error{Code: model.CodeTooManyUnaccepted}, 409, "tooManyUnaccepted", "", ""},
		{model.Error{Code: model.CodeNotValidated}, 504, "notValidated", "", ""},
		{model.Error{Code: "tecDIR_FULL", Tx: failed}, 400, "tecDIR_FULL", "", `"hash":"F00D"`},
		{model.Error{Code: "tecNO_PERMISSION"}, 400, "tecNO_PERMISSION", "", ""},
		{model.Error{Code: "tecX", Tx: &model.Validated{Body: json.RawMessage(`broken`)}}, 400, "tecX", "", ""},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			issue := func(context.Context) (model.Validated, error) {
				return model.Validated{}, fmt.Errorf("wrapped: %w", &tc.err)
			}
			s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}})
			a := exchange(t, s.address, post, "/credential", jsonType, goodRequest)
			a.holdsItsForm(t)
			if a.status != tc.status || a.str("error") != tc.code || a.header.Get("Retry-After") != tc.retryAfter ||
				!strings.Contains(string(a.body), tc.has) || strings.Contains(string(a.body), "not this one") || !json.Valid(a.body) {
				t.Errorf("%d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body)
			}
		})
	}
}

func credentials(n int, end error) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		for i := range n {
			if !yield(model.Credential{Subject: absent, Type: model.CredentialType(fmt.Sprintf("Type%d", i))}, nil) {
				return
			}
		}
		if end != nil {
			yield(model.Credential{}, end)
		}
	}
}

// TestListThatFails: before its first word it is an error like any other; later the connection is given up, so that
// nobody takes a part for the whole.
func TestListThatFails(t *testing.T) {
	down := &model.Error{Code: model.CodeLedgerUnavailable, Cause: errors.New("line dropped")}
	t.Run("at once", func(t *testing.T) {
		s := serve(t, httpapi.Config{Issuer: scripted{list: credentials(0, down)}})
		a := exchange(t, s.address, get, "/admin/credential", "", "")
		a.holdsItsForm(t)
		if a.status != http.StatusServiceUnavailable || a.str("error") != "ledgerUnavailable" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	for _, count := range []int{1, 10_000} { // before and after the first piece was sent
		t.Run(fmt.Sprint("after ", count), func(t *testing.T) {
			s := serve(t, httpapi.Config{Issuer: scripted{list: credentials(count, down)}})
			response, err := http.Get("http://" + s.address + "/admin/credential")
			if err == nil {
				defer func() { _ = response.Body.Close() }()
				if response.StatusCode == http.StatusOK {
					_, err = io.ReadAll(response.Body)
				} else {
					err = fmt.Errorf("status %d", response.StatusCode)
				}
			}
			if err == nil {
				t.Error("a part of the list passes for the whole")
			}
			http.DefaultClient.CloseIdleConnections()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			lines := s.log.requests(t)
			if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["cause"]), "line dropped") {
				t.Errorf("logged: %v", lines)
			}
		})
	}
	t.Run("not at all", func(t *testing.T) {
		s := serve(t, httpapi.Config{Issuer: scripted{list: credentials(10_000, nil)}})
		a := exchange(t, s.address, get, "/admin/credential", "", "")
		var list struct{ Credentials []entry }
		if err := errors.Join(a.err, json.Unmarshal(a.body, &list)); err != nil || len(list.Credentials) != 10_000 {
			t.Errorf("%d credentials, %v", len(list.Credentials), err)
		}
	})
}

// TestSlowClients: who sends or takes nothing does not hold a connection.
func TestSlowClients(t *testing.T) {
	const short = 100 * time.Millisecond
	for _, tc := range []struct{ name, sent, got string }{
		{"head", "POST /credential HTTP/1.1\r\nHost: x\r\n", ""},
		{"body", "POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "HTTP/1.1 408 "},
		{"body that nobody reads", "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", "HTTP/1.1 200 "},
		{"next request", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, httpapi.Config{Issuer: scripted{}, HeaderTime: short, BodyTime: short, IdleTime: short})
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, tc.sent); err != nil {
				t.Fatal(err)
			}
			// The server ends the connection by itself: reading to the end comes back.
			all, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(all), tc.got) || tc.got == "" && len(all) > 0 {
				t.Errorf("got %q, %v", all, err)
			}
		})
	}
	t.Run("answer", func(t *testing.T) {
		ended := make(chan struct{})
		endless := func(yield func(model.Credential, error) bool) {
			defer close(ended)
			for yield(model.Credential{Subject: absent, Type: "Endless"}, nil) {
			}
		}
		s := serve(t, httpapi.Config{Issuer: scripted{list: endless}, WriteTime: short})
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /admin/credential HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-ended // without a reader at the other end
	})
}

// TestLargeHead: the head of a request is bounded.
func TestLargeHead(t *testing.T) {
	s := serve(t, httpapi.Config{Issuer: scripted{}})
	for _, headers := range []string{
		"X: " + strings.Repeat("a", 2*httpapi.MaxHeaderBytes),
		strings.Repeat("X: a\n", httpapi.MaxHeaderBytes),
	} {
		if a := exchange(t, s.address, get, "/healthz", headers, ""); a.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := exchange(t, s.address, get, "/"+strings.Repeat("a", 2*httpapi.MaxHeaderBytes), "", ""); a.status < 400 || a.status >= 500 {
		t.Errorf("long path: %d", a.status)
	}
}

// TestWaitOutlivesBodyTime: the time limit for a body is not one for the answer.
func TestWaitOutlivesBodyTime(t *testing.T) {
	issue := func(ctx context.Context) (model.Validated, error) {
		select {
		case <-ctx.Done():
			return model.Validated{}, ctx.Err()
		case <-time.After(300 * time.Millisecond):
			return model.Validated{Body: json.RawMessage(`{}`)}, nil
		}
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}, HeaderTime: 50 * time.Millisecond, BodyTime: 100 * time.Millisecond})
	if a := exchange(t, s.address, post, "/credential", jsonType, goodRequest); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestStop: a request in progress is finished, and no new one is taken.
func TestStop(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	issue := func(ctx context.Context) (model.Validated, error) {
		close(begun)
		select {
		case <-finish:
			return model.Validated{Body: json.RawMessage(`{}`)}, nil
		case <-ctx.Done():
			return model.Validated{}, ctx.Err()
		}
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}})
	answered := make(chan answer, 1)
	go func() { answered <- exchange(t, s.address, post, "/credential", jsonType, goodRequest) }()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	for { // until the listener is closed, which is the first thing that a stop does
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-stopped:
		t.Errorf("stopped with a request in progress: %v", err)
	default:
	}
	close(finish)
	if a := <-answered; a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestStopGivesUp: when the time to stop is over, what is in progress is answered with what is known.
func TestStopGivesUp(t *testing.T) {
	begun, giveUp := make(chan struct{}), make(chan struct{})
	issue := func(context.Context) (model.Validated, error) {
		close(begun)
		<-giveUp
		return model.Validated{}, &model.Error{Code: model.CodeLedgerUnavailable, Pending: &model.Pending{Hash: "F00D"}}
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}, StopTime: time.Millisecond, GiveUp: func() { close(giveUp) }})
	answered := make(chan answer, 1)
	go func() { answered <- exchange(t, s.address, post, "/credential", jsonType, goodRequest) }()
	<-begun
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if a := <-answered; a.status != http.StatusServiceUnavailable || a.fields["pending"] == nil {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestClientGoesAway: nobody is left to answer, and the log says so.
func TestClientGoesAway(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	issue := func(ctx context.Context) (model.Validated, error) {
		defer close(ended)
		close(begun)
		<-ctx.Done()
		return model.Validated{}, fmt.Errorf("reading: %w", ctx.Err())
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}})
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST /credential HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n%s", jsonType, len(goodRequest), goodRequest); err != nil {
		t.Fatal(err)
	}
	<-begun
	_ = conn.Close()
	<-ended
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if lines := s.log.requests(t); len(lines) != 1 || lines[0]["status"] != 499.0 {
		t.Errorf("logged: %v", lines)
	}
}

// TestLog: one line a request with what an operator asks for, nothing that was handed in, and no line that a client
// can forge.
func TestLog(t *testing.T) {
	issue := func(ctx context.Context) (model.Validated, error) {
		return model.Validated{Hash: "F00D", LedgerIndex: 7, EngineResult: "tesSUCCESS", Body: json.RawMessage(`{}`)}, nil
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}})
	a := exchange(t, s.address, post, "/credential", jsonType+"\nUser-Agent: tester\nAuthorization: Bearer XK-SECRET\nCookie: XK-SECRET", goodRequest)
	exchange(t, s.address, get, "/nowhere%0A{\"msg\":\"forged\"}?XK-SECRET", "User-Agent: "+strings.Repeat("a", 1000), "")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	lines := s.log.requests(t)
	if len(lines) != 2 || strings.Count(s.log.String(), "\n") != 3 { // the third says that it stops
		t.Fatalf("logged: %s", s.log)
	}
	for name, want := range map[string]any{
		"level": "INFO", "request_id": a.header.Get("X-Request-Id"), "method": "POST", "path": "/credential", "status": 201.0, "agent": "tester",
		"subject": absent, "credential": "New", "hash": "F00D", "ledger_index": 7.0, "engine_result": "tesSUCCESS",
	} {
		if lines[0][name] != want {
			t.Errorf("%s: %v, want %v", name, lines[0][name], want)
		}
	}
	if took, _ := lines[0]["took"].(float64); took <= 0 || lines[0]["remote"] == nil {
		t.Errorf("took %v, remote %v", lines[0]["took"], lines[0]["remote"])
	}
	if lines[1]["error"] != "notFound" || len(fmt.Sprint(lines[1]["agent"])) > 300 {
		t.Errorf("logged: %v", lines[1])
	}
	if strings.Contains(s.log.String(), "SECRET") {
		t.Errorf("the log holds what was handed in: %s", s.log)
	}
}

// TestLogHandler: what other rooms log on behalf of a request carries its id.
func TestLogHandler(t *testing.T) {
	var buf logBuffer
	log := buf.logger()
	issue := func(ctx context.Context) (model.Validated, error) {
		log.With("room", "lane").WithGroup("g").InfoContext(ctx, "signed")
		return model.Validated{Body: json.RawMessage(`{}`)}, nil
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}, Logger: log})
	a := exchange(t, s.address, post, "/credential", jsonType, goodRequest)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	id := a.header.Get("X-Request-Id")
	if n := strings.Count(buf.String(), id); n != 2 { // once in either line
		t.Errorf("the id stands %d times in: %s", n, buf.String())
	}
	log.Info("outside of a request")
	if lines := strings.Split(strings.TrimSpace(buf.String()), "\n"); strings.Contains(lines[2], "request_id") {
		t.Errorf("an id from nowhere: %s", lines[2])
	}
}

// TestKeepAlive: one connection serves request after request, refused ones too.
func TestKeepAlive(t *testing.T) {
	s := serve(t, httpapi.Config{Issuer: scripted{}})
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for n := range 20 {
		if _, err := fmt.Fprintf(conn, "POST /credential HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 2\r\n\r\n{}", jsonType); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusBadRequest {
			t.Fatalf("request %d: %d, %v", n, response.StatusCode, err)
		}
	}
}
