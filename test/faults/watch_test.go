package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A blob and its hash: SHA-512Half over the prefix and the bytes, made with another program.
const (
	someBlob = "1200002200000000"
	someHash = "6FD307E0EA196DE7BC6A20ABE9FFA7D279019B47167A70A914D31BB00693F071"
)

// fakeWatch knows one blob, stored under epoch 2, and who holds the lane.
func fakeWatch(hash string, lane tenure) (*watch, *world) {
	w := &world{}
	w.watch = newWatch(w)
	w.watch.look = func(_ context.Context, hashes []string) (map[string]int64, tenure, error) {
		if hashes[0] == hash {
			return map[string]int64{hash: 2}, lane, nil
		}
		return nil, lane, nil
	}
	return w.watch, w
}

func TestSubmission(t *testing.T) {
	for _, message := range []string{
		`{"id":1,"command":"submit","tx_blob":"` + someBlob + `","api_version":2}`,
		`{"method":"submit","params":[{"api_version":2,"tx_blob":"` + someBlob + `"}]}`,
	} {
		if got, is, err := submission([]byte(message)); got != someHash || !is || err != nil {
			t.Errorf("%s: %s %t %v", message, got, is, err)
		}
	}
	for message, bad := range map[string]bool{
		`{"id":1,"command":"tx","transaction":"AA"}`: false, `{"method":"fee","params":[{}]}`: false,
		`{"command":"submit"}`: true, `{"command":"submit","tx_blob":"XY"}`: true, `{"method":"submit","params":[]}`: true, `{}`: true, `nonsense`: true,
	} {
		if _, is, err := submission([]byte(message)); is || (err != nil) != bad {
			t.Errorf("%s: %t, %v", message, is, err)
		}
	}
}

// What was not stored when it was sent is counted, and so is what breaks the fence.
func TestWatchCounts(t *testing.T) {
	submit := []byte(`{"command":"submit","tx_blob":"` + someBlob + `"}`)
	history := func(epochs ...int64) map[string]*operation {
		o := &operation{}
		for _, e := range epochs {
			o.attempts = append(o.attempts, attempt{epoch: e})
		}
		return map[string]*operation{"op": o}
	}
	for _, c := range []struct {
		name       string
		play       func(h *watch)
		sent, late int
		stray      int
	}{
		{"stored, and sent by the holder", func(h *watch) { h.submitted("7", submit) }, 1, 0, 0},
		{"sent, and not stored", func(h *watch) { h.submitted("7", bytes.Replace(submit, []byte("12"), []byte("13"), 1)) }, 1, 0, 1},
		{"sent by one that never held the lane", func(h *watch) { h.submitted("8", submit) }, 1, 1, 1},
		{"sent by one that held it before the blob was signed", func(h *watch) {
			h.saw(tenure{"host/8/x", 1})
			h.submitted("8", submit)
		}, 1, 1, 1},
		{"sent late, by the one that signed it", func(h *watch) {
			h.saw(tenure{"host/8/x", 2})
			h.look = func(context.Context, []string) (map[string]int64, tenure, error) {
				return map[string]int64{someHash: 2}, tenure{"host/7/x", 3}, nil
			}
			h.submitted("8", submit)
		}, 1, 1, 0},
		{"sent by the successor", func(h *watch) {
			h.saw(tenure{"host/8/x", 3})
			h.submitted("8", submit)
		}, 1, 1, 0},
		{"stored under an epoch that was over", func(h *watch) { h.frozen[3] = 1 }, 0, 0, 1},
		{"stored while it lasted", func(h *watch) { h.frozen[3] = 2 }, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, w := fakeWatch(someHash, tenure{"host/7/x", 2})
			c.play(h)
			h.judge(history(1, 2, 3))
			if h.sent != c.sent || h.late != c.late || w.stray != c.stray || w.failures != 0 {
				t.Errorf("%d sent, %d late, %d stray, %d other faults: %q", h.sent, h.late, w.stray, w.failures, w.examples)
			}
		})
	}
}

// Every byte goes through as it came, each request is seen, over both of the ledger's transports, and a request is held
// while it is looked at.
func TestPass(t *testing.T) {
	var mu sync.Mutex
	var heard, seen []string
	hear := func(to *[]string, what []byte) {
		mu.Lock()
		defer mu.Unlock()
		*to = append(*to, string(what))
	}
	node := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			body, _ := io.ReadAll(r.Body)
			hear(&heard, body)
			return
		}
		conn, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		conn.SetReadLimit(mostMessage)
		for {
			_, message, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			hear(&heard, message)
			if conn.Write(r.Context(), websocket.MessageText, message) != nil {
				return
			}
		}
	}))
	defer node.Close()
	p, err := startProxy(t.Context(), node.Listener.Addr().String(), func(to io.Writer, from io.Reader) {
		err := pass(to, from, func(message []byte) {
			mu.Lock()
			if len(heard) != len(seen) {
				t.Error("something went on before it was looked at")
			}
			mu.Unlock()
			hear(&seen, message)
		})
		if !over(err) {
			t.Error(err)
		}
	}, copyAll)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()

	var want []string
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, size := range []int{1, 100, 70_000} {
		body := strings.Repeat("a", size)
		want = append(want, body)
		resp, err := client.Post("http://"+p.address(), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+p.address(), nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(mostMessage)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 125, 126, 65_535, 65_536, 300_000} {
		body := strings.Repeat(string(rune('a'+rng.IntN(20))), size)
		want = append(want, body)
		out, err := conn.Writer(ctx, websocket.MessageText) // may send it in several frames
		if err != nil {
			t.Fatal(err)
		}
		for half := range 2 {
			if _, err := io.WriteString(out, body[half*size/2:(half+1)*size/2]); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if _, back, err := conn.Read(ctx); err != nil || string(back) != body {
			t.Fatalf("%d bytes came back as %d: %v", size, len(back), err)
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	for name, got := range map[string][]string{"seen": seen, "heard": heard} {
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %d messages, want %d", name, len(got), len(want))
		}
	}
}

// What is no request that can be followed is told, and not passed over.
func TestPassRefuses(t *testing.T) {
	const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	for _, said := range []string{
		"nonsense\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		upgrade + "\xc1\x80abcd",                                 // compressed
		upgrade + "\x81\x05hello",                                // not masked
		upgrade + "\x81\xff\x00\x00\x00\xff\xff\xff\xff\xffabcd", // too long
	} {
		if err := pass(io.Discard, strings.NewReader(said), func([]byte) {}); over(err) {
			t.Errorf("%q is passed on: %v", said, err)
		}
	}
	if err := pass(io.Discard, strings.NewReader(upgrade+"\x81\x85abcdhe"), func([]byte) {}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a frame: %v", err)
	}
}
