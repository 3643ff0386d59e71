package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/test/logs"
)

// limits are forms in which nodes and gateways refuse a request past a limit; %ID is the request's id over WebSocket.
var limits = map[string]string{
	"Clio":                    `{"error":"tooBusy","error_code":9,"error_message":"The server is too busy to help you now.","status":"error","type":"response"}`,
	"rippled":                 `{"error":"slowDown","error_code":10,"status":"error","type":"response"}`,
	"QuickNode":               `{"jsonrpc":"2.0","error":{"code":-32007,"message":"15/second request limit reached"},"id":null}`,
	"EIP-1474":                `{"jsonrpc":"2.0","error":{"code":-32005,"message":"daily usage"},"id":null}`,
	"-32029":                  `{"jsonrpc":"2.0","error":{"code":-32029,"message":"x"}}`,
	"429 in the object":       `{"error":{"code":429,"message":"x"}}`,
	"429 as a text":           `{"error":{"code":"429"}}`,
	"a number":                `{"error":429}`,
	"a name and no code":      `{"error":{"code":"RATE_LIMITED"}}`,
	"a message alone":         `{"error":{"code":-32000,"message":"Too Many Requests"}}`,
	"a text":                  `{"error":"rate limit exceeded"}`,
	"a message and no error":  `{"message":"API rate limit exceeded"}`,
	"slowDown, and an object": `{"error":{"code":10,"message":"slowDown"},"status":"error"}`,
	"no JSON":                 `Too Many Requests`,
	"with the id":             `{"id":%ID,"error":{"code":-32005,"message":"limit"}}`,
	"slowDown with the id":    `{"id":%ID,"error":"slowDown","status":"error","type":"response"}`,
	"another id":              `{"id":4711,"jsonrpc":"2.0","error":{"code":-32005,"message":"limit"}}`,
	"a text for an id":        `{"id":"x","jsonrpc":"2.0","error":{"code":-32005,"message":"limit"}}`,
}

// A refusal past a limit, in whatever form, is answered by asking again within the caller's time, over the same connection.
// It is logged once, not for each request.
func TestLimitsAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, text := range limits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, func(n int, _ string, params map[string]any) string {
				if n%3 != 0 {
					return withID(text, params)
				}
				return reply(params, feeResult)
			})
			for _, url := range []string{s.http(), s.ws()} {
				var log logs.Lines
				c := newClient(t, url, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				for range 3 {
					if _, err := c.Fee(t.Context()); err != nil {
						t.Fatalf("%s: %v", url, err)
					}
				}
				if n := strings.Count(log.String(), "the node limits requests; backing off"); n != 1 || strings.Contains(log.String(), "no connection") {
					t.Errorf("%d lines in the log:\n%s", n, log.String())
				}
				if got := c.Limited(); got != 6 {
					t.Errorf("%d refusals were counted, want 6", got)
				}
			}
			if n := len(s.open); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// One of many requests is refused without a word on which: all are answered in the end, those that were not refused by their
// first answer, over one connection.
func TestUnnamedRefusalAmongMany(t *testing.T) {
	t.Parallel()
	const burst = 4
	asked := map[any]int{}
	var mu sync.Mutex
	s := newStub(t, func(n int, _ string, params map[string]any) string {
		mu.Lock()
		defer mu.Unlock()
		asked[params["id"]]++
		if n%burst == 0 {
			return limits["Clio"]
		}
		return reply(params, feeResult)
	})
	c := newClient(t, s.ws(), func(c *Config) { c.MinBackoff = 10 * time.Millisecond })
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := c.Fee(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(s.open); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A submission that may have been refused is one of which nobody knows whether the node has it.
func TestUnnamedRefusalOfASubmission(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(int, string, map[string]any) string { return limits["Clio"] })
	c := newClient(t, s.ws(), nil)
	_, err := c.Submit(t.Context(), Signed{Blob: "00", Hash: testHash})
	var lost *ConnectionError
	if !errors.As(err, &lost) || !lost.Sent || !isBusy(err) {
		t.Errorf("got %v, want a submission whose outcome is unknown", err)
	}
}

// A subscription that the node refuses past a limit is asked for again over the same line.
func TestSubscriptionIsLimited(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Clio", "slowDown with the id", "QuickNode"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, func(n int, _ string, params map[string]any) string {
				if n < 4 {
					return withID(limits[name], params)
				}
				return reply(params, closedText(7))
			})
			w := newClient(t, s.ws(), nil).Watch(testAlice)
			defer w.Stop()
			<-w.Ready()
			if e := w.Take(); len(e) != 1 || e[0].Kind != EventUp || e[0].Ledger.Index != 7 {
				t.Errorf("got %+v", e)
			}
			if n := len(s.open); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// rippled warns a client before it refuses: the next request waits a moment.
func TestLoadWarning(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		text := reply(params, feeResult)
		return strings.TrimSuffix(text, "}") + `,"warning":"load"}`
	})
	clock := newFakeClock()
	c := newClient(t, s.ws(), func(c *Config) { c.Clock, c.MinBackoff, c.RetryFor = clock, 6*time.Second, time.Minute })
	if _, err := c.Fee(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Fee(context.Background())
		done <- err
	}()
	clock.awaitWait(t, 3*time.Second)
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	clock.advance(3 * time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A handshake that is refused past a limit is tried again when the server says, and its callers are told of the limit.
func TestHandshakeIsLimited(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", clock.Now().Add(17*time.Second).Format(http.TimeFormat))
		http.Error(w, "wait", http.StatusTooManyRequests)
	}))
	t.Cleanup(s.Close)
	c := newClient(t, "ws"+strings.TrimPrefix(s.URL, "http"), func(c *Config) { c.Clock = clock })
	clock.awaitWait(t, 17*time.Second)
	if _, err := c.Fee(t.Context()); !isBusy(err) {
		t.Errorf("got %v", err)
	}
}

// An error object that is no limit is the node's refusal, not an answer that makes no sense.
func TestErrorObjects(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		`{"id":%ID,"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"}}`: codeUnknownCmd,
		`{"id":%ID,"jsonrpc":"2.0","error":{"code":-32000,"message":"no"}}`:               "-32000",
		`{"id":%ID,"error":{"code":"forbidden","message":"no"}}`:                          "forbidden",
	} {
		s := newStub(t, func(_ int, _ string, params map[string]any) string { return withID(text, params) })
		bothWays(t, s, nil, func(t *testing.T, c *Client) {
			_, err := c.Fee(t.Context())
			wantNodeError(t, err, code)
		})
	}
}

// withID writes the request's id, null where it has none as over HTTP, into a text.
func withID(text string, params map[string]any) string {
	id := "null"
	if given, ok := params["id"]; ok {
		id = fmt.Sprint(given)
	}
	return strings.ReplaceAll(text, "%ID", id)
}
