package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// post posts a body and gives status and text.
func post(t testing.TB, client *http.Client, url string, body io.Reader, header ...string) (int, string) {
	t.Helper()
	return send(t, client, http.MethodPost, url, body, header...)
}

func send(t testing.TB, client *http.Client, method, url string, body io.Reader, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	a, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// The forms of a request, and what rippled says of those that are none (ServerHandler.cpp).
func TestHTTPForms(t *testing.T) {
	w := newTown(t)
	const pong = `{"result":{"role":"admin","status":"success"}}` + "\n"
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"method":"ping"}`, 200, pong},
		{`{"method":"ping","params":null}`, 200, pong},
		{`{"method":"ping","params":[]}`, 200, pong},
		{`{"method":"ping","params":{}}`, 200, pong},
		{`{"method":"ping","params":""}`, 200, pong},
		{`{"method":"ping","params":[null]}`, 200, pong},
		{`{"method":"ping","params":[{}],"id":1}`, 200, pong},
		{` /* a comment */ {"method":"ping"} and more`, 200, pong},
		{`{"method":"ping","params":[{"id":[1],"jsonrpc":"2.0"}]}`, 200, `{"id":[1],"jsonrpc":"2.0","result":{"role":"admin","status":"success"}}` + "\n"},
		{`{"method":"ping","params":[{},{}]}`, 400, "params unparsable"},
		{`{"method":"ping","params":[5]}`, 400, "params unparsable"},
		{`{"method":"ping","params":5}`, 400, "params unparsable"},
		{`{"method":"ping","params":{"a":1}}`, 400, "params unparsable"},
		{`{"method":null}`, 400, "Null method"},
		{`{"params":[{}]}`, 400, "Null method"},
		{`{"method":""}`, 400, "method is empty"},
		{`{"method":["ping"]}`, 400, "method is not string"},
		{`null`, 400, "Unable to parse request: "},
		{`[]`, 400, "Unable to parse request: "},
		{`[{"method":"ping"}]`, 400, "Unable to parse request: "},
		{`{"method":"ping","method":"ping"}`, 400, "Unable to parse request: * Line 1, Column 18\n  Key 'method' appears twice.\n"},
		{`{"method":"ping","params":[{"api_version":3}]}`, 400, "invalid_API_version"},
		{`{"method":"ping","params":[{"api_version":0}]}`, 400, "invalid_API_version"},
		{`{"method":"ping","params":[{"api_version":"2"}]}`, 400, "invalid_API_version"},
		{`{"method":"ping","params":[{"api_version":2.0}]}`, 400, "invalid_API_version"},
		{`{"method":"ping","params":[{"api_version":2}]}`, 200, pong},
		{`{"method":"ping","params":[{"ripplerpc":2}]}`, 400, "ripplerpc is not a string"},
		{`{"method":"ping","params":[{"ripplerpc":"2.0"}]}`, 200, `{"result":{"role":"admin","status":"success"},"ripplerpc":"2.0"}` + "\n"},
		{`{"method":"x","params":[{"ripplerpc":"2.0"}]}`, 200,
			`{"error":{"code":32,"error":"unknownCmd","error_code":32,"message":"Unknown method.","status":"error"},"ripplerpc":"2.0"}` + "\n"},
		{`{"method":"x","params":[{"ripplerpc":"3.0"}]}`, 405,
			`{"error":{"code":32,"error":"unknownCmd","error_code":32,"message":"Unknown method.","status":"error"},"ripplerpc":"3.0"}` + "\n"},
		{`{"method":"ledger_entry","params":[{"ripplerpc":"2.0"}]}`, 200, // an error without a code
			`{"error":{"code":null,"error":"unknownOption","error_code":null,"ledger_current_index":6,"message":null,"status":"error","validated":false},"ripplerpc":"2.0"}` + "\n"},
		{`{"method":"batch"}`, 400, "Malformed batch request"},
		{`{"method":"batch","params":[]}`, 200, "[]\n"},
		{`{"method":"batch","params":[{"method":"ping"},5,{},{"method":"ping","api_version":9}]}`, 200,
			`[{"result":{"role":"admin","status":"success"}},` +
				`{"error":{"error":{"code":-32601,"message":"Method not found"}},"request":5},` +
				`{"error":{"error":{"code":-32601,"message":"Null method"}}},` +
				`{"error":{"error":{"code":-32606,"message":"invalid_API_version"}},"request":{"api_version":9,"method":"ping"}}]` + "\n"},
	} {
		status, got := post(t, w.client, w.URL(), strings.NewReader(c.body))
		if status != c.status || got != c.want+"\r\n" {
			t.Errorf("%s:\n got %d %q\nwant %d %q", c.body, status, got, c.status, c.want+"\r\n")
		}
	}
}

// A request has at most 1,000,000 bytes and 25 levels; more costs nothing but the reading.
func TestHTTPSize(t *testing.T) {
	w := newTown(t)
	fits := append([]byte(`{"method":"ping"}`), bytes.Repeat([]byte(" "), maxRequest-17)...)
	for _, c := range []struct {
		name   string
		body   io.Reader
		status int
		want   string
	}{
		{"as long as allowed", bytes.NewReader(fits), 200, `"status":"success"`},
		{"the same, of unknown length", io.MultiReader(bytes.NewReader(fits)), 200, `"status":"success"`},
		{"one byte more", bytes.NewReader(append(fits, ' ')), 400, "Unable to parse request: \r\n"},
		{"the same, of unknown length", io.MultiReader(bytes.NewReader(append(fits, ' '))), 400, "Unable to parse request: \r\n"},
		{"deep", strings.NewReader(strings.Repeat("[", 900_000)), 400, "maximum nesting depth exceeded"},
		{"deep objects", strings.NewReader(strings.Repeat(`{"a":`, 190_000)), 400, "maximum nesting depth exceeded"},
		{"many values", strings.NewReader("[" + strings.Repeat("7,", 499_000) + "7]"), 400, "Unable to parse request: \r\n"},
	} {
		status, got := post(t, w.client, w.URL(), c.body)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %d %.200q, want %d %q", c.name, status, got, c.status, c.want)
		}
	}
}

// Web pages of other origins get nothing; programs, and pages of this machine, do.
func TestHTTPOrigin(t *testing.T) {
	w := newTown(t)
	_, port, err := net.SplitHostPort(w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"", "", 200},
		{"localhost:" + port, "", 200},
		{"[::1]:" + port, "", 200},
		{"rebound.example:" + port, "", 403},
		{"", "http://localhost:3000", 200},
		{"", "http://127.0.0.1:3000", 200},
		{"", "http://app.localhost", 200},
		{"", "https://evil.example", 403},
		{"", "http://localhost.evil.example", 403},
		{"", "null", 403},
		{"", "http://", 403},
	} {
		header := []string{"Content-Type", "text/plain"}
		if c.host != "" {
			header = append(header, "Host", c.host)
		}
		if c.origin != "" {
			header = append(header, "Origin", c.origin)
		}
		for _, path := range []string{"/", "/accounts"} {
			body := `{"method":"ping","destination":"junk"}`
			want := c.status
			if path == "/accounts" && want == 200 {
				want = 400 // it got as far as the destination
			}
			if status, text := post(t, w.client, w.URL()+path, strings.NewReader(body), header...); status != want {
				t.Errorf("host %q, origin %q, %s: %d %s", c.host, c.origin, path, status, text)
			}
		}
	}
}

func TestHTTPPages(t *testing.T) {
	w := newTown(t)
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/", 200, w.URL() + "/accounts"},
		{"HEAD", "/", 200, ""},
		{"GET", "/nowhere", 404, "Nothing here."},
		{"PUT", "/", 405, "Send requests as POST."},
		{"DELETE", "/", 405, "Send requests as POST."},
		{"GET", "/accounts", 405, "The faucet takes POST."},
		{"OPTIONS", "/", 204, ""},
	} {
		status, text := send(t, w.client, c.method, w.URL()+c.path, nil)
		if status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %q", c.method, c.path, status, text)
		}
	}
}

// dialRaw connects without a protocol.
func dialRaw(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // it may be closed
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// A client that does not finish what it began is cut off.
func TestHTTPSlowClients(t *testing.T) {
	lim := standardLimits
	lim.headerTime, lim.requestTime, lim.idleTime = 50*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	s := startLimited(t, Config{}, lim)
	for name, begin := range map[string]string{
		"nothing":       "",
		"half a header": "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le",
		"half a body":   "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"method\"",
		"half a chunk":  "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"method\"",
		"half a faucet": "POST /accounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
	} {
		c := dialRaw(t, s)
		write(t, c, begin)
		if _, err := io.Copy(io.Discard, c); err != nil { // ends when the server closes
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Headers are bounded.
func TestHTTPHeaderSize(t *testing.T) {
	s := startServer(t, Config{})
	c := dialRaw(t, s)
	write(t, c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", standardLimits.header+8<<10)+"\r\n\r\n")
	text, err := io.ReadAll(c)
	if !strings.HasPrefix(string(text), "HTTP/1.1 431 ") {
		t.Errorf("got %.60q, %v", text, err)
	}
}

// No more connections are served at a time than there may be; the next waits for one to end.
func TestHTTPConnections(t *testing.T) {
	lim := standardLimits
	lim.conns = 2
	s := startLimited(t, Config{}, lim)
	const request = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
	first, second, third := dialRaw(t, s), dialRaw(t, s), dialRaw(t, s)
	one := make([]byte, 1)
	for _, c := range []net.Conn{first, second} {
		write(t, c, request)
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
	}
	write(t, third, request)
	if err := third.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(third, one); err == nil {
		t.Error("a third connection was served beside two")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := third.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(third, one); err != nil {
		t.Error("the third connection was not served after one had ended:", err)
	}
}

// The bytes of large requests that are being read at a time are bounded; the next waits, and small ones do not.
func TestHTTPReading(t *testing.T) {
	lim := standardLimits
	lim.large = maxRequest
	s := startLimited(t, Config{}, lim)
	slow, next, small := dialRaw(t, s), dialRaw(t, s), dialRaw(t, s)
	write(t, slow, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n{%s", maxRequest, strings.Repeat(" ", lim.small+1)))
	for s.large.TryAcquire(1) { // until it is being read
		s.large.Release(1)
		time.Sleep(time.Millisecond)
	}
	request := func(size int) string {
		body := `{"method":"ping"}` + strings.Repeat(" ", size-17)
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	one := make([]byte, 1)
	write(t, small, request(lim.small))
	if _, err := io.ReadFull(small, one); err != nil {
		t.Error("a small request was not read beside a large one:", err)
	}
	write(t, next, request(lim.small+1000))
	if err := next.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(next, one); err == nil {
		t.Error("a request was read although there was no room for it")
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	if err := next.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(next, one); err != nil {
		t.Error("the request was not read when there was room again:", err)
	}
}

// A request that has room, and is cut off, gives it back; and bodies arrive whole, however they are cut.
func TestReadBody(t *testing.T) {
	lim := standardLimits
	lim.small, lim.large = 100, 300
	s := startLimited(t, Config{}, lim)
	for _, size := range []int{0, 1, 99, 100, 101, 102, 150, 299, 300, 301, 302, 5000} {
		want := bytes.Repeat([]byte("x"), size)
		for _, r := range []io.Reader{bytes.NewReader(want), iotest.OneByteReader(bytes.NewReader(want)), iotest.DataErrReader(bytes.NewReader(want))} {
			got, done, err := s.readBody(context.Background(), r, 300)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != min(size, 301) && (size <= 301 || len(got) < 301) {
				t.Errorf("%d bytes of %d", len(got), size)
			}
			if !bytes.HasPrefix(want, got) {
				t.Errorf("other bytes than were sent, of %d", size)
			}
			done()
		}
		broken := iotest.TimeoutReader(iotest.HalfReader(io.MultiReader(bytes.NewReader(want), bytes.NewReader(want))))
		if _, _, err := s.readBody(context.Background(), broken, 300); err == nil && size > 0 && 2*size <= 300 {
			t.Errorf("%d: an interrupted body was taken", size)
		}
	}
	if !s.large.TryAcquire(lim.large) {
		t.Error("room was not given back")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.readBody(ctx, strings.NewReader(strings.Repeat("x", 200)), 300); err == nil {
		t.Error("there was no room, and nobody waits")
	}
	s.large.Release(lim.large)
}

// A server that cannot begin says why.
func TestStartRefusals(t *testing.T) {
	s := startServer(t, Config{})
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Listen: s.Addr()}, "address already in use"},
		{Config{Listen: "nonsense"}, "missing port"},
		{Config{Listen: "127.0.0.1:0", CloseInterval: -1}, "the close interval"},
		{Config{Listen: "127.0.0.1:0", LedgerCapacity: -1}, "the ledger capacity"},
	} {
		if _, err := Start(context.Background(), c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
