package ledger

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const feeResult = `{"current_ledger_size":"0","current_queue_size":"0","drops":{"base_fee":"10","open_ledger_fee":"10"},"expected_ledger_size":"1000"}`

const testHash = "6849D23D9C4ACD7E323D0760EF9E447B38C4CCA74BAAA7F52338163FF7CA3B83"

func stateResult(index int) string {
	return fmt.Sprintf(`{"state":{"validated_ledger":{"base_fee":10,"close_time":%d,"hash":%q,"reserve_base":1000000,"reserve_inc":200000,"seq":%d}}}`, 848597000+index, testHash, index)
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "localhost:5005", "ftp://node", "http://", "ws:///path", "http://no de\x00/secret-key", "javascript:1"} {
		if c, err := New(Config{URL: url}); err == nil {
			c.Close()
			t.Errorf("New(%q) works", url)
		} else if strings.Contains(err.Error(), "secret-key") {
			t.Errorf("the error repeats a URL that may be secret: %v", err)
		}
	}
}

func TestGoodAnswer(t *testing.T) {
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		if method != "fee" || params["api_version"] != float64(2) {
			return refuse(params, "unknownCmd", "")
		}
		return reply(params, feeResult)
	})
	bothWays(t, s, nil, func(t *testing.T, c *Client) {
		fee, err := c.Fee(t.Context())
		if err != nil || fee.Base != 10 || fee.Expected != 1000 {
			t.Errorf("got %+v, %v", fee, err)
		}
		if strings.Contains(c.Node(), "?") {
			t.Errorf("Node() = %s", c.Node())
		}
	})
}

// An answer that is none is an error, never a zero.
func TestBadAnswers(t *testing.T) {
	long := strings.Repeat("x", 3000)
	tests := []struct {
		name string
		// answer returns the text for a request; over WebSocket with its id.
		answer func(params map[string]any) string
		http   string // part of the error over HTTP; "" is not tried
		ws     string // part of the error over WebSocket; "" is not tried
	}{
		{"nothing", func(map[string]any) string { return "" }, "no JSON object", ""},
		{"an empty object", func(map[string]any) string { return "{}" }, "no result", "no type"},
		{"null", func(map[string]any) string { return "null" }, "no JSON object", "cannot be read"},
		{"garbage", func(map[string]any) string { return "<html>\x1b[31m" }, "no JSON object", "cannot be read"},
		{"half an object", func(map[string]any) string { return `{"result":{"status":"succ` }, "no JSON object", "cannot be read"},
		{"two objects", func(map[string]any) string { return `{"result":{}}{"result":{}}` }, "no JSON object", "cannot be read"},
		{"a null result", func(p map[string]any) string { return reply2(p, "null", "success") }, "no result", "no result"},
		{"an array", func(p map[string]any) string { return reply2(p, "[]", "success") }, "no result", "no result"},
		{"an empty result", func(p map[string]any) string { return reply(p, "{}") }, "base_fee is missing", "base_fee is missing"},
		{"no status", func(p map[string]any) string { return reply2(p, feeResult, "") }, "no status", "no status"},
		{"an error without a name", func(p map[string]any) string { return reply2(p, feeResult, "error") }, "without a name", "without a name"},
		{"a foreign id", func(p map[string]any) string {
			return `{"id":4711,"result":` + feeResult + `,"status":"success","type":"response"}`
		}, "", "never asked"},
		{"a text for an id", func(p map[string]any) string {
			return `{"id":"1","result":` + feeResult + `,"status":"success","type":"response"}`
		}, "", "never asked"},
		{"no id", func(p map[string]any) string {
			return `{"result":` + feeResult + `,"status":"success","type":"response"}`
		}, "", "never asked"},
		{"a number for a text", func(p map[string]any) string { return reply(p, strings.Replace(feeResult, `"10"`, `10`, 1)) }, "unusable", "unusable"},
		{"a fraction", func(p map[string]any) string { return reply(p, strings.Replace(feeResult, `"10"`, `"7.9"`, 1)) }, "no amount of drops", "no amount of drops"},
		{"a number that is too big", func(p map[string]any) string {
			return reply(p, strings.Replace(feeResult, `"1000"`, `"4294967297"`, 1))
		}, "no count", "no count"},
		{"a negative one", func(p map[string]any) string { return reply(p, strings.Replace(feeResult, `"10"`, `"-10"`, 1)) }, "no amount of drops", "no amount of drops"},
		{"too much", func(p map[string]any) string { return reply(p, `{"x":"`+long+`"}`) }, "longer than 2000 bytes", "read limited"},
		{"the node's own complaint", func(map[string]any) string { return `{"error":"jsonInvalid","type":"error","value":"x"}` }, "jsonInvalid", "could not read"},
	}
	for _, tt := range tests {
		s := newStub(t, func(_ int, _ string, params map[string]any) string { return tt.answer(params) })
		small := func(c *Config) { c.MaxAnswer = 2000; c.RetryFor = time.Nanosecond }
		if tt.http != "" {
			t.Run(tt.name+"/http", func(t *testing.T) {
				fee, err := newClient(t, s.http(), small).Fee(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.http) {
					t.Errorf("got %+v, %v; want %q", fee, err, tt.http)
				}
				if strings.ContainsRune(fmt.Sprint(err), '\x1b') {
					t.Error("control characters in an error")
				}
			})
		}
		if tt.ws != "" {
			t.Run(tt.name+"/ws", func(t *testing.T) {
				fee, err := newClient(t, s.ws(), small).Fee(t.Context())
				if err == nil || !strings.Contains(err.Error(), tt.ws) {
					t.Errorf("got %+v, %v; want %q", fee, err, tt.ws)
				}
			})
		}
	}
}

// reply2 writes any result and status, right or wrong.
func reply2(params map[string]any, result, status string) string {
	if id, ok := params["id"]; ok {
		return fmt.Sprintf(`{"id":%v,"result":%s,"status":%q,"type":"response"}`, id, result, status)
	}
	if strings.HasPrefix(result, "{") {
		result = strings.TrimSuffix(result, "}") + fmt.Sprintf(`,"status":%q}`, status)
	}
	return fmt.Sprintf(`{"result":%s}`, result)
}

func TestNodeDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	for _, scheme := range []string{"http", "ws"} {
		t.Run(scheme, func(t *testing.T) {
			c := newClient(t, scheme+"://"+addr+"/secret-key", func(c *Config) { c.ConnectWait = 50 * time.Millisecond })
			_, err := c.Ledger(t.Context())
			if model.CodeOf(err) != model.CodeLedgerUnavailable {
				t.Fatalf("got %v", err)
			}
			var lost *ConnectionError
			if !errors.As(err, &lost) || lost.Sent || strings.Contains(err.Error(), "secret-key") {
				t.Errorf("got %v, sent %v", err, lost.Sent)
			}
			_, err = c.Submit(t.Context(), Signed{Blob: "00", Hash: testHash})
			if !errors.As(err, &lost) || lost.Sent {
				t.Errorf("a submission to nobody: %v", err)
			}
		})
	}
}

func TestNodeSlow(t *testing.T) {
	s := newStub(t, func(int, string, map[string]any) string { return "" })
	stop := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(stop); slow.Close() })
	for name, url := range map[string]string{"http": slow.URL, "ws": s.ws()} {
		t.Run(name+", its own limit", func(t *testing.T) {
			c := newClient(t, url, func(c *Config) { c.CallTimeout = 50 * time.Millisecond })
			_, err := c.Fee(t.Context())
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			var lost *ConnectionError
			if _, err = c.Submit(t.Context(), Signed{Blob: "00"}); !errors.As(err, &lost) || !lost.Sent || !strings.Contains(err.Error(), "not known") {
				t.Errorf("a submission without an answer: %v", err)
			}
		})
		t.Run(name+", the caller's", func(t *testing.T) {
			c := newClient(t, url, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := c.Ledger(ctx); model.CodeOf(err) != model.CodeLedgerUnavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBusyNodeIsAskedAgain(t *testing.T) {
	const refusals = 3
	s := newStub(t, nil)
	s.answer = func(_ int, _ string, params map[string]any) string {
		if params["ledger_index"] != nil {
			return refuse(params, "tooBusy", `"error_code":9`)
		}
		if s.calls.Load()%(refusals+1) != 0 {
			return refuse(params, "slowDown", `"error_code":10,"error_message":"You are placing too much load on the server."`)
		}
		return reply(params, feeResult)
	}
	bothWays(t, s, nil, func(t *testing.T, c *Client) {
		s.calls.Store(0)
		if _, err := c.Fee(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.calls.Load(); n != refusals+1 {
			t.Errorf("%d requests, want %d", n, refusals+1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.AccountInfo(ctx, testIssuer)
		wantNodeError(t, err, "tooBusy")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's limit too", err)
		}
	})
}

// The waits between attempts double, are cut at random, and end with RetryFor.
func TestBackoffUsesTheClock(t *testing.T) {
	s := newStub(t, func(_ int, _ string, params map[string]any) string { return refuse(params, "slowDown", "") })
	clock := newFakeClock()
	c := newClient(t, s.http(), func(c *Config) {
		c.Clock, c.Rand = clock, func() float64 { return 0.5 }
		c.MinBackoff, c.MaxBackoff, c.RetryFor = time.Second, 8*time.Second, 15*time.Second
	})
	done := make(chan error, 1)
	go func() {
		_, err := c.Fee(context.Background())
		done <- err
	}()
	for _, wait := range []time.Duration{750, 1500, 3000, 6000} { // 6 s more would be past 15 s
		wait *= time.Millisecond
		clock.awaitWait(t, wait)
		clock.advance(wait)
	}
	wantNodeError(t, <-done, "slowDown")
	if n := s.calls.Load(); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
}

func TestHTTPStatus(t *testing.T) {
	tests := []struct {
		name   string
		status int
		after  string
		busy   time.Duration // -1: not busy
	}{
		{"too many requests", 429, "7", 7 * time.Second},
		{"overloaded", 503, "", 0},
		{"overloaded for a year", 503, "31536000", maxRetryAfter},
		{"overloaded, nonsense", 503, "soon", 0},
		{"forbidden", 403, "", -1},
		{"an error", 500, "", -1},
		{"moved", 302, "", -1},
		{"bad request", 400, "", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hits := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hits++
				w.Header().Set("Retry-After", tt.after)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				fmt.Fprint(w, "Server\x1b[2J is overloaded\r\n", strings.Repeat("x", 1000))
			}))
			defer s.Close()
			c := newClient(t, s.URL, func(c *Config) { c.RetryFor = time.Nanosecond })
			_, err := c.Fee(t.Context())
			if tt.busy < 0 {
				wantAnswerError(t, err, fmt.Sprint(tt.status))
			} else if e := wantNodeError(t, err, "slowDown"); e.RetryAfter != tt.busy {
				t.Errorf("retry after %v, want %v", e.RetryAfter, tt.busy)
			}
			if hits != 1 || strings.ContainsRune(err.Error(), '\x1b') || len(err.Error()) > 400 {
				t.Errorf("%d requests, error of %d bytes", hits, len(err.Error()))
			}
		})
	}
}

// Connections are kept: many calls at once must not open one each.
func TestHTTPKeepsConnections(t *testing.T) {
	var mu sync.Mutex
	opened := 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, reply(map[string]any{}, feeResult))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(t, s.URL, func(c *Config) { c.MaxConns = 4 })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				if _, err := c.Fee(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if opened > 4 {
		t.Errorf("%d connections for 400 calls, want at most 4", opened)
	}
}

// Whatever a server does at the level of bytes, a call ends with an error.
func TestBrokenServers(t *testing.T) {
	upgrade := func(c net.Conn) bool { // completes a WebSocket handshake by hand
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return false
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptKey(req.Header.Get("Sec-WebSocket-Key")))
		return true
	}
	tests := []struct {
		name, scheme string
		serve        func(net.Conn)
	}{
		{"closes at once", "http", func(c net.Conn) { c.Close() }},
		{"closes after the request", "http", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); c.Close() }},
		{"speaks another protocol", "http", func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH\r\n"); c.Close() }},
		{"breaks off", "http", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"result\":")
			c.Close()
		}},
		{"stalls in the middle", "http", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"result\":")
			_, _ = io.Copy(io.Discard, c)
		}},
		{"never ends", "http", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := fmt.Fprint(c, strings.Repeat(" ", 4096)); err != nil {
					return
				}
			}
		}},
		{"never ends its headers", "http", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := fmt.Fprintf(c, "X: %s\r\n", strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		}},
		{"refuses the upgrade", "ws", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			fmt.Fprint(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		}},
		{"closes after the upgrade", "ws", func(c net.Conn) { upgrade(c); c.Close() }},
		{"sends no frames", "ws", func(c net.Conn) { upgrade(c); fmt.Fprint(c, strings.Repeat("\xff", 200)) }},
		{"half-closes", "ws", func(c net.Conn) {
			upgrade(c)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		}},
		{"stalls after the upgrade", "ws", func(c net.Conn) { upgrade(c); _, _ = io.Copy(io.Discard, c) }},
		{"never answers the upgrade", "ws", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := rawServer(t, tt.serve)
			c := newClient(t, tt.scheme+"://"+addr, func(c *Config) {
				c.CallTimeout, c.ConnectWait, c.DialTimeout, c.RetryFor = 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
				c.PingInterval, c.PingTimeout = 20*time.Millisecond, 20*time.Millisecond
			})
			if fee, err := c.Fee(t.Context()); err == nil {
				t.Errorf("got %+v", fee)
			}
			if _, err := c.Ledger(t.Context()); model.CodeOf(err) != model.CodeLedgerUnavailable {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A WebSocket that drops fails what waits on it at once, is opened again, and is subscribed to as before.
func TestReconnect(t *testing.T) {
	hang := make(chan struct{}, 8)
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		switch method {
		case "subscribe":
			if accounts := params["accounts"].([]any); len(accounts) != 1 || accounts[0] != string(testIssuer) {
				return refuse(params, "invalidParams", "")
			}
			return reply(params, `{"fee_base":10,"ledger_hash":"`+testHash+`","ledger_index":7,"ledger_time":848597134,"reserve_base":1000000,"reserve_inc":200000}`)
		case "submit":
			hang <- struct{}{}
			return ""
		}
		return reply(params, feeResult)
	})
	c := newClient(t, s.ws(), func(c *Config) { c.CallTimeout = time.Minute })
	w := c.Watch(testIssuer)
	defer w.Stop()
	wantEvent(t, w, EventUp)
	for round := range 6 { // well past any budget of attempts
		lost := make(chan error, 1)
		go func() {
			_, err := c.Submit(context.Background(), Signed{Blob: "00", Hash: testHash})
			lost <- err
		}()
		<-hang
		s.drop()
		var e *ConnectionError
		if err := <-lost; !errors.As(err, &e) || !e.Sent {
			t.Fatalf("round %d: got %v", round, err)
		}
		wantEvent(t, w, EventDown)
		if up := wantEvent(t, w, EventUp); up.Ledger.Index != 7 || up.Ledger.ReserveIncrement != 200000 {
			t.Errorf("round %d: %+v", round, up.Ledger)
		}
		if _, err := c.Fee(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// A line that was of use is opened again after the shortest wait, however soon it drops and however often; one that
// drops without having been of use, after waits that double.
func TestReconnectBackoff(t *testing.T) {
	const subscribed = `{"fee_base":10,"ledger_hash":"` + testHash + `","ledger_index":7,"ledger_time":848597134,"reserve_base":1000000,"reserve_inc":200000}`
	for _, c := range []struct {
		name   string
		answer func(method string, params map[string]any) string
		use    func(t *testing.T, s *stubNode, c *Client) // of each connection, before it drops
		waits  []int                                      // seconds
	}{
		{"answers requests", func(_ string, params map[string]any) string { return reply(params, feeResult) }, func(t *testing.T, _ *stubNode, c *Client) {
			if _, err := c.Fee(t.Context()); err != nil {
				t.Error(err)
			}
		}, []int{1, 1, 1, 1, 1, 1}},
		{"tells of ledgers", func(_ string, params map[string]any) string { return reply(params, subscribed) }, func(t *testing.T, s *stubNode, c *Client) {
			w := c.Watch()
			defer w.Stop()
			wantEvent(t, w, EventUp)
			s.send(`{"type":"ledgerClosed",` + strings.Replace(subscribed[1:], `"ledger_index":7`, `"ledger_index":8`, 1))
			wantEvent(t, w, EventLedger)
		}, []int{1, 1, 1, 1}},
		{"drops at once", nil, nil, []int{1, 2, 4, 8, 8}},
		{"answers its subscription alone", func(_ string, params map[string]any) string { return reply(params, subscribed) }, func(t *testing.T, _ *stubNode, c *Client) {
			w := c.Watch()
			defer w.Stop()
			wantEvent(t, w, EventUp)
		}, []int{1, 2, 4, 8, 8}},
		{"refuses requests", func(_ string, params map[string]any) string { return refuse(params, "noNetwork", "") }, func(t *testing.T, _ *stubNode, c *Client) {
			_, err := c.Fee(t.Context())
			wantNodeError(t, err, "noNetwork")
		}, []int{1, 2, 4, 8, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStub(t, func(_ int, method string, params map[string]any) string { return c.answer(method, params) })
			clock := newFakeClock()
			client := newClient(t, s.ws(), func(c *Config) {
				c.Clock, c.Rand = clock, func() float64 { return 0 }
				c.MinBackoff, c.MaxBackoff = time.Second, 8*time.Second
				c.CallTimeout, c.ConnectWait, c.PingInterval, c.StreamCheck = time.Minute, time.Minute, time.Minute, time.Minute
			})
			for round, seconds := range c.waits {
				<-s.open
				if c.use != nil {
					c.use(t, s, client)
				}
				s.drop()
				want := time.Duration(seconds) * time.Second
				for {
					if got := <-clock.set; got >= time.Minute { // another wait, not the one to reconnect
						continue
					} else if got != want {
						t.Fatalf("connection %d: %v until the next one, want %v", round+1, got, want)
					}
					break
				}
				clock.advance(want)
			}
		})
	}
}

func wantEvent(t *testing.T, w *Watcher, kind EventKind) Event {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case <-w.Ready():
			for _, e := range w.Take() {
				if e.Kind == kind {
					return e
				}
			}
		case <-limit:
			t.Fatalf("no event of kind %d", kind)
		}
	}
}

// A line that has gone silent is noticed by the ping, and nothing else.
func TestSilence(t *testing.T) {
	const submission = 10_000 // bytes, more than all that comes before it
	silent := make(chan struct{}, 2)
	addr := rawServer(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(req.Header.Get("Sec-WebSocket-Key")))
		silent <- struct{}{}
		_, _ = io.CopyN(io.Discard, c, submission)
		silent <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
	})
	clock := newFakeClock()
	c := newClient(t, "ws://"+addr, func(c *Config) {
		c.Clock, c.PingInterval, c.PingTimeout, c.CallTimeout = clock, time.Minute, 20*time.Millisecond, time.Minute
	})
	<-silent
	lost := make(chan error, 1)
	go func() {
		_, err := c.Submit(context.Background(), Signed{Blob: strings.Repeat("00", submission), Hash: testHash})
		lost <- err
	}()
	clock.awaitWait(t, time.Minute)
	<-silent
	select {
	case err := <-lost:
		t.Fatalf("ended before the ping was due: %v", err)
	default:
	}
	clock.advance(time.Minute)
	if err := <-lost; err == nil || !strings.Contains(err.Error(), "ping") {
		t.Errorf("got %v", err)
	}
}

// A node that takes connections and no subscription is no node to rely on: it is tried again.
func TestSubscriptionRefused(t *testing.T) {
	tries := 0
	var mu sync.Mutex
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			return refuse(params, "noNetwork", `"error_message":"Not synced to the network."`)
		}
		if tries == 2 {
			return reply(params, `{}`)
		}
		return reply(params, `{"fee_base":10,"ledger_hash":"`+testHash+`","ledger_index":7,"ledger_time":848597134,"reserve_base":1000000,"reserve_inc":200000}`)
	})
	w := newClient(t, s.ws(), nil).Watch()
	defer w.Stop()
	wantEvent(t, w, EventUp)
	mu.Lock()
	defer mu.Unlock()
	if tries < 3 {
		t.Errorf("%d subscriptions, want 3", tries)
	}
}

// An answer that comes after its caller has gone is ignored; one to nobody is not.
func TestLateAnswer(t *testing.T) {
	s := newStub(t, nil)
	first := make(chan string, 1)
	s.answer = func(n int, _ string, params map[string]any) string {
		if n == 1 {
			first <- reply(params, feeResult)
			return ""
		}
		return reply(params, feeResult)
	}
	c := newClient(t, s.ws(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Fee(ctx)
		done <- err
	}()
	late := <-first
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.send(late)
	if _, err := c.Fee(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.open) != 1 {
		t.Errorf("%d connections were opened, want 1", len(s.open))
	}
}

// Over HTTP the stream of validated ledgers is asked for, while someone watches.
func TestPolling(t *testing.T) {
	var mu sync.Mutex
	index, broken := 5, false
	set := func(i int, b bool) {
		mu.Lock()
		defer mu.Unlock()
		index, broken = i, b
	}
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			return "{}"
		}
		return reply(params, stateResult(index))
	})
	c := newClient(t, s.http(), nil)
	w := c.Watch()
	if up := wantEvent(t, w, EventUp); up.Ledger.Index != 5 {
		t.Errorf("up at %d", up.Ledger.Index)
	}
	set(6, false)
	if e := wantEvent(t, w, EventLedger); e.Ledger.Index != 6 {
		t.Errorf("ledger %d", e.Ledger.Index)
	}
	second := c.Watch()
	defer second.Stop()
	wantEvent(t, second, EventUp)
	set(6, true)
	wantEvent(t, w, EventDown)
	set(9, false)
	if up := wantEvent(t, w, EventUp); up.Ledger.Index != 9 {
		t.Errorf("up again at %d", up.Ledger.Index)
	}
	for _, e := range w.Take() {
		if e.Kind == EventUp {
			t.Error("told twice that the node is up")
		}
	}
	w.Stop()
	if c.Streams() {
		t.Error("an HTTP node does not stream")
	}
}

// A transaction is looked for in pieces that a node takes, and is absent only where all of them were searched.
func TestTxInManyLedgers(t *testing.T) {
	hash := strings.Repeat("AB", 32)
	for _, tt := range []struct {
		name        string
		first, last uint32
		unsearched  string // the piece that the node does not hold
		want        []string
		absent      bool
	}{
		{"one ledger", 7, 7, "", []string{"7-7"}, true},
		{"as many as a node takes", 7, 1007, "", []string{"7-1007"}, true},
		{"one more", 7, 1008, "", []string{"7-1007", "1008-1008"}, true},
		{"many", 1, 3500, "", []string{"1-1001", "1002-2002", "2003-3003", "3004-3500"}, true},
		{"not all of which are held", 1, 3500, "1002-2002", []string{"1-1001", "1002-2002", "2003-3003", "3004-3500"}, false},
		{"the last there can be", math.MaxUint32 - 1, math.MaxUint32, "", []string{"4294967294-4294967295"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			s := newStub(t, func(_ int, _ string, params map[string]any) string {
				asked = append(asked, fmt.Sprintf("%.0f-%.0f", params["min_ledger"], params["max_ledger"]))
				return refuse(params, "txnNotFound", fmt.Sprintf(`"searched_all":%t`, asked[len(asked)-1] != tt.unsearched))
			})
			status, err := newClient(t, s.http(), nil).Tx(t.Context(), hash, tt.first, tt.last)
			if err != nil || status.Tx != nil || status.Absent != tt.absent || !slices.Equal(asked, tt.want) {
				t.Errorf("%+v, %v; asked %q, want %q", status, err, asked, tt.want)
			}
		})
	}
}

// A history that lists a transaction as not validated contradicts itself, and proves nothing.
func TestHistoryListsWhatIsValidated(t *testing.T) {
	for _, entry := range []string{
		`{"hash":"AB","ledger_index":5,"validated":false,"tx_json":{},"meta":{}}`,
		`{"hash":"AB","ledger_index":5,"tx_json":{},"meta":{}}`,
	} {
		s := newStub(t, func(_ int, _ string, params map[string]any) string {
			return reply(params, fmt.Sprintf(`{"account":%q,"ledger_index_min":1,"ledger_index_max":10,"transactions":[%s]}`, testIssuer, entry))
		})
		bothWays(t, s, nil, func(t *testing.T, c *Client) {
			wantAnswerError(t, c.AccountTx(t.Context(), testIssuer, 2, 9, func(*Transaction) { t.Error("it is told of") }), "not validated")
		})
	}
}

// A ledger that is far ahead of the last one is not believed as it is told of: the node is asked anew which one it has
// validated. Where that is so, as after hours without its network, all goes on there.
func TestLedgerFarAhead(t *testing.T) {
	var mu sync.Mutex
	index, once := 5, 0 // once is what is answered a single time
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		mu.Lock()
		defer mu.Unlock()
		if method == "subscribe" {
			return reply(params, closedText(index))
		}
		answer := cmp.Or(once, index)
		once = 0
		return reply(params, stateResult(answer))
	})
	set := func(validated, told int) {
		mu.Lock()
		defer mu.Unlock()
		index, once = validated, told
	}
	far := 5 + int(farAhead) + 1
	for _, tt := range []struct {
		name, url string
		// tell has the node tell of a ledger, and have validated another one.
		tell func(told, validated int)
	}{
		{"ws", s.ws(), func(told, validated int) {
			set(validated, 0)
			s.send(strings.TrimSuffix(closedText(told), "}") + `,"type":"ledgerClosed"}`)
		}},
		{"http", s.http(), func(told, validated int) { set(validated, told) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set(5, 0)
			w := newClient(t, tt.url, nil).Watch()
			defer w.Stop()
			wantEvent(t, w, EventUp)
			for _, step := range []struct {
				told, validated int
				want            []EventKind
			}{
				{far - 1, far - 1, []EventKind{EventLedger}},
				{4_000_000_000, far, []EventKind{EventDown, EventUp}},
				{far + 1, far + 1, []EventKind{EventLedger}},
				{2 * far, 2 * far, []EventKind{EventDown, EventUp}}, // truly
				{2*far + 1, 2*far + 1, []EventKind{EventLedger}},
			} {
				tt.tell(step.told, step.validated)
				for _, kind := range step.want {
					if e := wantEvent(t, w, kind); kind != EventDown && e.Ledger.Index != uint32(step.validated) {
						t.Errorf("told of %d with %d validated: event %d of ledger %d", step.told, step.validated, kind, e.Ledger.Index)
					}
				}
			}
		})
	}
}

// closedText is what a node tells of a validated ledger, but for its type.
func closedText(index int) string {
	return fmt.Sprintf(`{"fee_base":10,"ledger_hash":"%064X","ledger_index":%d,"ledger_time":800000000,"reserve_base":1000000,"reserve_inc":200000}`, index, index)
}

// A slow watcher stops nobody, and hears that it missed something.
func TestWatcherBound(t *testing.T) {
	h := newHub(SystemClock{})
	w := &Watcher{accounts: []model.Address{testIssuer}, hub: h, fresh: true, ready: make(chan struct{}, 1)}
	h.add(w)
	h.up(model.Ledger{Index: 1}, true)
	for i := range 3 * maxWatched {
		h.transaction(&Transaction{})
		if i%100 == 0 {
			h.ledger(model.Ledger{Index: uint32(i)}, false)
		}
	}
	events := w.Take()
	if len(events) > maxWatched {
		t.Errorf("%d events are kept, bound %d", len(events), maxWatched)
	}
	gaps, ups := 0, 0
	for _, e := range events {
		switch e.Kind {
		case EventGap:
			gaps++
		case EventUp:
			ups++
		case EventTx:
			t.Fatal("a transaction beside a gap")
		}
	}
	if gaps != 1 || ups != 1 || events[len(events)-1].Kind != EventLedger {
		t.Errorf("%d gaps, %d ups, last %v", gaps, ups, events[len(events)-1].Kind)
	}
	h.transaction(&Transaction{})
	if events := w.Take(); len(events) != 1 || events[0].Kind != EventTx {
		t.Errorf("after the gap: %v", events)
	}
	for i := range 10 * maxWatched {
		h.ledger(model.Ledger{Index: uint32(i)}, false)
	}
	if events := w.Take(); len(events) > 2*maxWatched || events[len(events)-1].Ledger.Index != 10*maxWatched-1 {
		t.Errorf("%d ledgers are kept", len(events))
	}
}

func TestCloseEndsCalls(t *testing.T) {
	asked := make(chan struct{}, 2)
	s := newStub(t, func(int, string, map[string]any) string { asked <- struct{}{}; return "" })
	c, err := New(Config{URL: s.ws(), CallTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Fee(context.Background())
		done <- err
	}()
	<-asked
	c.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Fee(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	h, err := New(Config{URL: s.http()})
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	if _, err := h.Fee(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
}

// A server that does not know server_state is asked for the same in other ways.
func TestLedgerWithoutServerState(t *testing.T) {
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		switch method {
		case "server_info":
			return reply(params, `{"info":{"complete_ledgers":"2-7","server_state":"full","validated_ledger":{"base_fee_xrp":1e-05,"hash":"`+testHash+`","reserve_base_xrp":1,"reserve_inc_xrp":0.2,"seq":7}}}`)
		case "ledger":
			if params["ledger_index"] == "validated" {
				return reply(params, `{"ledger":{"close_time":848597134},"ledger_hash":"`+testHash+`","ledger_index":7,"validated":true}`)
			}
		}
		return refuse(params, "unknownCmd", "")
	})
	bothWays(t, s, nil, func(t *testing.T, c *Client) {
		got, err := c.Ledger(t.Context())
		want := model.Ledger{Index: 7, Hash: testHash, CloseTime: 848597134, BaseFee: 10, ReserveBase: 1_000_000, ReserveIncrement: 200_000}
		if err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	w := newClient(t, s.http(), nil).Watch()
	defer w.Stop()
	if up := wantEvent(t, w, EventUp); up.Ledger.Index != 7 {
		t.Errorf("up at %+v", up.Ledger)
	}
}

// A node whose last validated ledger is old is behind, where that is asked for.
func TestLedgerAge(t *testing.T) {
	s := newStub(t, func(_ int, _ string, params map[string]any) string { return reply(params, stateResult(7)) })
	closed := model.Time(848597007)
	clock := newFakeClock()
	c := newClient(t, s.http(), func(c *Config) { c.Clock, c.MaxLedgerAge = clock, time.Minute })
	for age, want := range map[time.Duration]model.Code{0: "", time.Minute: "", time.Minute + time.Second: model.CodeLedgerUnavailable} {
		clock.mu.Lock()
		clock.now = closed.Add(age)
		clock.mu.Unlock()
		_, err := c.Ledger(t.Context())
		if model.CodeOf(err) != want {
			t.Errorf("at %v: %v, want %q", age, err, want)
		}
		var e *model.Error
		if errors.As(err, &e) && !strings.Contains(e.Message, "behind") {
			t.Errorf("at %v: %s", age, e.Message)
		}
	}
}

// What nobody watches any more is not left subscribed to.
func TestUnsubscribe(t *testing.T) {
	gone := make(chan map[string]any, 8)
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		switch method {
		case "unsubscribe":
			gone <- params
			return reply(params, `{}`)
		case "subscribe":
			return reply(params, `{"fee_base":10,"ledger_hash":"`+testHash+`","ledger_index":7,"ledger_time":848597134,"reserve_base":1000000,"reserve_inc":200000}`)
		}
		return refuse(params, "unknownCmd", "")
	})
	c := newClient(t, s.ws(), nil)
	first, second := c.Watch(testIssuer, testAlice), c.Watch(testIssuer)
	wantEvent(t, first, EventUp)
	wantEvent(t, second, EventUp)
	first.Stop()
	if p := <-gone; fmt.Sprint(p["accounts"]) != fmt.Sprint([]any{string(testAlice)}) || p["streams"] != nil {
		t.Errorf("unsubscribed from %v", p)
	}
	second.Stop()
	if p := <-gone; fmt.Sprint(p["accounts"]) != fmt.Sprint([]any{string(testIssuer)}) || fmt.Sprint(p["streams"]) != "[ledger]" {
		t.Errorf("unsubscribed from %v", p)
	}
}
