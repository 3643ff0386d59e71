package httpapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/test/postgres"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Summary(os.Stderr, "package httpapi")
	if code == 0 {
		// The driver says goodbye to a connection in the background, for 15 s at most.
		if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn.(*PgConn).asyncClose.func1")); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// answer is an HTTP answer, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	fields map[string]json.RawMessage
	err    error // of reading the body
}

func (a answer) str(name string) string {
	var s string
	_ = json.Unmarshal(a.fields[name], &s) // "" is what a test compares with
	return s
}

// holdsItsForm checks what every error has in common.
func (a answer) holdsItsForm(t *testing.T) {
	t.Helper()
	if id := a.str("request_id"); id == "" || id != a.header.Get("X-Request-Id") {
		t.Errorf("request_id %q, header %q", id, a.header.Get("X-Request-Id"))
	}
	if a.str("error_message") == "" {
		t.Error("no error_message")
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, b := range a.body[:len(a.body)-1] {
		if b < 0x20 || b == 0x7f || b == '<' || b == '>' {
			t.Errorf("the answer holds %q: %q", b, a.body)
			break
		}
	}
}

// exchange writes a request to a connection of its own, as it is given, and reads one answer. headers are lines.
// It is a client that does what none would do by itself.
func exchange(t *testing.T, address, method, target, headers, body string) answer {
	t.Helper()
	return exchangeAs(t, address, address, method, target, headers, body)
}

// exchangeAs does that with a Host of the test's own.
func exchangeAs(t *testing.T, address, host, method, target, headers, body string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, target, host)
	lines := strings.Split(headers, "\n")
	for _, line := range lines {
		if line != "" {
			head += line + "\r\n"
		}
	}
	if slices.Contains(lines, "Transfer-Encoding: chunked") {
		half := len(body) / 2
		body = fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half, body[:half], len(body)-half, body[half:])
	} else if body != "" || method == post {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(conn, head+"\r\n"+body) // a server may answer and leave before it has read all
	}()
	defer func() { _ = conn.Close(); <-written }()
	request, err := http.NewRequest(method, "http://"+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	a.body, a.err = io.ReadAll(response.Body)
	_ = json.Unmarshal(a.body, &a.fields) // nil is what a test sees
	return a
}

// send does that with the world's service, and holds the answer to docs/openapi.yaml.
func (w *world) send(t *testing.T, method, target, headers, body string) answer {
	t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	a := exchange(t, u.Host, method, target, headers, body)
	a.isDescribed(t, method, target, headers, body)
	return a
}

// request asks for a credential in good form.
func (w *world) request(t *testing.T, subject any, credential, more string) answer {
	t.Helper()
	return w.send(t, post, "/credential", jsonType,
		fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"reason":"please"}%s}`, subject, credential, more))
}

// revoke asks for a revocation in good form.
func (w *world) revoke(t *testing.T, subject any, credential string) answer {
	t.Helper()
	return w.send(t, del, "/admin/credential", jsonType+"\n"+w.operator, fmt.Sprintf(`{"subject":"%s","credential":"%s"}`, subject, credential))
}

// issue issues a credential that a test needs, and ends the test where that fails.
func (w *world) issue(subject any, credential string) {
	w.t.Helper()
	if a := w.request(w.t, subject, credential, ""); a.status != http.StatusCreated {
		w.t.Fatalf("issuing %s: %d %s", credential, a.status, a.body)
	}
}

type entry struct {
	Subject, Credential string
	Accepted            bool
	URI, Expiration     string
}

// list reads the list.
func (w *world) list(t *testing.T, query string) []entry {
	t.Helper()
	a := w.send(t, get, "/admin/credential"+query, w.operator, "")
	var list struct{ Credentials []entry }
	if err := errors.Join(a.err, json.Unmarshal(a.body, &list)); a.status != http.StatusOK || err != nil || list.Credentials == nil {
		t.Fatalf("list: %d %s %v", a.status, a.body, err)
	}
	return list.Credentials
}
