package ledger

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testIssuer = model.Address("rL8abwBFX3QvvY8jcZLyD6QghamgH48xrU")
	testAlice  = model.Address("rwcFzkQUB4bKUPdyyJV4B59SEmxtNF1mNs")
	testBob    = model.Address("rsLDjwoYo91UUg1b4wS5WveGAKMKKbreqi")
)

// recorded is an answer of a real node.
type recorded struct {
	Name   string          `json:"name"`
	Kind   string          `json:"kind"`
	Answer json.RawMessage `json:"answer"`
}

func readLines[T any](t testing.TB, path string) []T {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []T
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one T
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(all), err)
	}
	return all
}

// result returns the result of a recorded answer.
func result(t testing.TB, name string) json.RawMessage {
	t.Helper()
	for _, r := range readLines[recorded](t, "testdata/answers.jsonl") {
		if r.Name == name {
			var a struct{ Result json.RawMessage }
			if err := json.Unmarshal(r.Answer, &a); err != nil {
				t.Fatal(err)
			}
			return a.Result
		}
	}
	t.Fatalf("no recorded answer %s", name)
	return nil
}

// stubNode misbehaves as a test wants it to, over HTTP and WebSocket. answer gets each request and returns the whole
// text to send back; "" sends nothing.
type stubNode struct {
	*httptest.Server
	answer func(n int, method string, params map[string]any) string
	calls  atomic.Int64

	mu    sync.Mutex
	conns []*websocket.Conn
	open  chan struct{} // receives for each WebSocket that opens
	wg    sync.WaitGroup
}

func newStub(t testing.TB, answer func(n int, method string, params map[string]any) string) *stubNode {
	t.Helper()
	s := &stubNode{answer: answer, open: make(chan struct{}, 64)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.drop()
		s.Close()
		s.wg.Wait()
	})
	return s
}

func (s *stubNode) http() string { return s.URL }
func (s *stubNode) ws() string   { return "ws" + strings.TrimPrefix(s.URL, "http") }

// drop breaks every WebSocket without a word.
func (s *stubNode) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.CloseNow()
	}
	s.conns = nil
}

// send sends a message on every WebSocket.
func (s *stubNode) send(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Write(context.Background(), websocket.MessageText, []byte(text))
	}
}

func (s *stubNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		var req struct {
			Method string           `json:"method"`
			Params []map[string]any `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Params) != 1 {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(s.answer(int(s.calls.Add(1)), req.Method, req.Params[0])))
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	defer c.CloseNow()
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	s.open <- struct{}{}
	for {
		_, data, err := c.Read(context.Background())
		if err != nil {
			return
		}
		var req map[string]any
		if json.Unmarshal(data, &req) != nil {
			return
		}
		method, _ := req["command"].(string)
		if text := s.answer(int(s.calls.Add(1)), method, req); text != "" {
			if c.Write(context.Background(), websocket.MessageText, []byte(text)) != nil {
				return
			}
		}
	}
}

// reply writes an answer as both transports do: with the id where the request had one.
func reply(params map[string]any, result string) string {
	if id, ok := params["id"]; ok {
		return fmt.Sprintf(`{"id":%v,"result":%s,"status":"success","type":"response"}`, id, result)
	}
	return fmt.Sprintf(`{"result":%s}`, strings.TrimSuffix(result, "}")+comma(result)+`"status":"success"}`)
}

func comma(object string) string {
	if strings.TrimSpace(object) == "{}" {
		return ""
	}
	return ","
}

// refuse writes an error answer; fields go beside the error.
func refuse(params map[string]any, code, fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	if id, ok := params["id"]; ok {
		return fmt.Sprintf(`{"id":%v,"error":%q%s,"status":"error","type":"response"}`, id, code, fields)
	}
	return fmt.Sprintf(`{"result":{"error":%q%s,"status":"error"}}`, code, fields)
}

// newClient returns a client whose waits are short.
func newClient(t testing.TB, url string, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{URL: url, CallTimeout: 10 * time.Second, ConnectWait: 5 * time.Second, RetryFor: 2 * time.Second, LagWait: time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, PollInterval: 5 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// bothWays runs a test over HTTP and over WebSocket.
func bothWays(t *testing.T, s *stubNode, change func(*Config), test func(t *testing.T, c *Client)) {
	t.Helper()
	for name, url := range map[string]string{"http": s.http(), "ws": s.ws()} {
		t.Run(name, func(t *testing.T) { test(t, newClient(t, url, change)) })
	}
}

// rawServer runs a TCP server that does with each connection what serve does.
func rawServer(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// fakeClock stands still until a test moves it.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*fakeTimer
	set    chan time.Duration // receives each wait that begins, while there is room
}

type fakeTimer struct {
	clock *fakeClock
	at    time.Time
	c     chan time.Time
	done  bool
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), set: make(chan time.Duration, 1024)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) NewTimer(d time.Duration) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &fakeTimer{clock: c, at: c.now.Add(d), c: make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	select {
	case c.set <- d:
	default:
	}
	return t
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	was := !t.done
	t.done = true
	return was
}

// advance moves the clock and fires what is due.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	kept := c.timers[:0]
	for _, t := range c.timers {
		switch {
		case t.done:
		case !t.at.After(c.now):
			t.done = true
			t.c <- c.now
		default:
			kept = append(kept, t)
		}
	}
	c.timers = kept
}

// awaitWait blocks until something begins to wait for d on the clock.
func (c *fakeClock) awaitWait(t testing.TB, d time.Duration) {
	t.Helper()
	limit := time.After(5 * time.Second)
	for {
		select {
		case got := <-c.set:
			if got == d {
				return
			}
		case <-limit:
			t.Fatalf("nothing waits for %v", d)
		}
	}
}

func wantNodeError(t *testing.T, err error, code string) *NodeError {
	t.Helper()
	var e *NodeError
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want the node's %s", err, code)
	}
	return e
}

func wantAnswerError(t *testing.T, err error, part string) {
	t.Helper()
	var e *AnswerError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), part) {
		t.Fatalf("got %v, want an answer error that says %q", err, part)
	}
}

// acceptKey is the server's half of a WebSocket handshake (RFC 6455, 1.3).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
