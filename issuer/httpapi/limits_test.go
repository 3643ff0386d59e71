package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

// line is a connection of a test's own.
type line struct {
	net.Conn
	in *bufio.Reader
}

func connect(t *testing.T, address string) line {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return line{c, bufio.NewReader(c)}
}

func (l line) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatal(err)
	}
}

// status reads one answer; 0 where the connection was closed.
func (l line) status(t *testing.T) (int, http.Header) {
	t.Helper()
	resp, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.Close { // net/http has taken the header out
		resp.Header.Set("Connection", "close")
	}
	return resp.StatusCode, resp.Header
}

const getHealth = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

// TestConnectionsAreBounded: where one more comes than there may be, the oldest that waits for nothing is closed, and never one
// whose request is under way.
func TestConnectionsAreBounded(t *testing.T) {
	const most = 8
	begun, release := make(chan struct{}), make(chan struct{})
	issue := func(context.Context) (model.Validated, error) {
		close(begun)
		<-release
		return model.Validated{Body: []byte(`{}`)}, nil
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}, MaxConnections: most})
	busy := connect(t, s.address)
	busy.say(t, fmt.Sprintf("POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(goodRequest), goodRequest))
	<-begun
	first := connect(t, s.address) // says nothing
	half := connect(t, s.address)
	half.say(t, "POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{") // and no more
	for range 5 * most {
		c := connect(t, s.address)
		c.say(t, getHealth)
		if status, _ := c.status(t); status != http.StatusOK {
			t.Fatalf("one more is answered %d", status)
		}
	}
	for name, c := range map[string]line{"one that says nothing": first, "one that says half of something": half} {
		if status, _ := c.status(t); status != 0 {
			t.Errorf("%s is answered %d, and was to be closed", name, status)
		}
	}
	close(release)
	if status, _ := busy.status(t); status != http.StatusCreated {
		t.Errorf("the one whose request was under way is answered %d", status)
	}
}

// TestNoRoomForConnections: where all are at work, it is the new one that goes.
func TestNoRoomForConnections(t *testing.T) {
	const most = 3
	var begun sync.WaitGroup
	begun.Add(most)
	release := make(chan struct{})
	issue := func(context.Context) (model.Validated, error) {
		begun.Done()
		<-release
		return model.Validated{Body: []byte(`{}`)}, nil
	}
	s := serve(t, httpapi.Config{Issuer: scripted{issue: issue}, MaxConnections: most})
	var all []line
	for range most {
		c := connect(t, s.address)
		c.say(t, fmt.Sprintf("POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(goodRequest), goodRequest))
		all = append(all, c)
	}
	begun.Wait()
	if status, _ := connect(t, s.address).status(t); status != 0 {
		t.Errorf("the new one is answered %d", status)
	}
	close(release)
	for _, c := range all {
		if status, _ := c.status(t); status != http.StatusCreated {
			t.Errorf("one at work is answered %d", status)
		}
		c.say(t, getHealth) // and may go on
		if status, _ := c.status(t); status != http.StatusOK {
			t.Errorf("one that was at work is answered %d then", status)
		}
	}
}

// TestBodiesAreBounded: large bodies that are sent and held back leave no room for more of them, and all the room that small
// ones need; when they are over there is room again.
func TestBodiesAreBounded(t *testing.T) {
	s := serve(t, httpapi.Config{Issuer: scripted{issue: func(context.Context) (model.Validated, error) { return model.Validated{Body: []byte(`{}`)}, nil }}})
	large := strings.Replace(goodRequest, `"passport"`, `"x":"`+strings.Repeat("x", 900_000)+`","passport"`, 1)
	head := fmt.Sprintf("POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(large))
	var held []line
	refused := 0
	for range 60 {
		c := connect(t, s.address)
		c.say(t, head+large[:len(large)-1])
		held = append(held, c)
	}
	for !strings.Contains(s.log.String(), `"busy"`) {
		if a := exchange(t, s.address, get, "/healthz", "", ""); a.status != http.StatusOK {
			t.Fatal(a.status)
		}
	}
	if a := exchange(t, s.address, post, "/credential", jsonType, goodRequest); a.status != http.StatusCreated {
		t.Errorf("a small one meanwhile: %d %s", a.status, a.body)
	}
	for _, c := range held {
		_, _ = io.WriteString(c, large[len(large)-1:]) // those that were refused are closed
		switch status, header := c.status(t); status {
		case http.StatusCreated:
		case http.StatusServiceUnavailable:
			if refused++; header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		case 0:
			refused++ // its end came after its answer, which the system drops then
		default:
			t.Errorf("a large one is answered %d", status)
		}
	}
	if refused < 20 || refused > 50 {
		t.Errorf("%d of %d large ones were refused", refused, len(held))
	}
	if a := exchange(t, s.address, post, "/credential", jsonType, large); a.status != http.StatusCreated {
		t.Errorf("a large one afterwards: %d %s", a.status, a.body)
	}
}

// TestOneLengthOnly: what comes behind a request that says twice how long it is, is no request.
func TestOneLengthOnly(t *testing.T) {
	s := serve(t, httpapi.Config{Issuer: scripted{issue: func(context.Context) (model.Validated, error) { return model.Validated{Body: []byte(`{}`)}, nil }}})
	for name, head := range map[string]string{
		"both":             "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
		"behind a bare LF": "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n",
		"chunks alone":     "Transfer-Encoding: chunked\r\n", // nobody can tell it from the first one
	} {
		c := connect(t, s.address)
		c.say(t, "POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+head+"\r\n"+fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(goodRequest), goodRequest)+getHealth)
		if status, header := c.status(t); status != http.StatusCreated || header.Get("Connection") != "close" {
			t.Errorf("%s: %d, Connection: %q", name, status, header.Get("Connection"))
		}
		if status, _ := c.status(t); status != 0 {
			t.Errorf("%s: what comes behind is answered %d", name, status)
		}
	}
}

// TestNothingThatATerminalActsOn: whatever a room below has to say, no answer holds what moves a cursor or turns the direction
// of writing.
func TestNothingThatATerminalActsOn(t *testing.T) {
	words := "\x1b[2J\x7f\u009b2J\u202egnp\u2066\u200f<b>\U000E0041"
	s := serve(t, httpapi.Config{Issuer: scripted{issue: func(context.Context) (model.Validated, error) {
		return model.Validated{}, &model.Error{Code: model.CodeBadRequest, Message: words, Tx: &model.Validated{Body: []byte(`{"Memo":"` + "\u009b2J\u202e" + `"}`)}}
	}}})
	a := exchange(t, s.address, post, "/credential", jsonType, goodRequest)
	a.holdsItsForm(t)
	if a.str("error_message") != words {
		t.Errorf("it says %q", a.str("error_message"))
	}
	if bytes.ContainsFunc(bytes.TrimSpace(a.body), func(r rune) bool { return !unicode.IsPrint(r) || r == '<' }) {
		t.Errorf("it holds what a terminal acts on: %q", a.body)
	}
}
