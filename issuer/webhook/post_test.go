package webhook

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// send posts, and gives up long before the test does.
func send(t *testing.T, p *poster) *failure {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.post(ctx, "id", time.Now, []byte("{}"))
}

// wire serves raw connections: what an endpoint may do that a server of net/http does not.
func wire(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer func() { _ = conn.Close() }(); serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	return listener.Addr().String()
}

// swallow reads until the client goes away.
func swallow(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// answer reads a request's head and answers with raw bytes.
func answer(text string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if line == "\r\n" {
				break
			}
		}
		_, _ = io.WriteString(conn, text)
		if strings.HasSuffix(text, "!") {
			return
		}
		swallow(conn)
	}
}

// TestAnswers has what an endpoint may do, and what is made of it.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
	}{
		"200":           {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		"204":           {"HTTP/1.1 204 No Content\r\n\r\n", ""},
		"299":           {"HTTP/1.1 299 X\r\nContent-Length: 0\r\n\r\n", ""},
		"early hints":   {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		"huge body":     {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + strings.Repeat("x", 100<<10), ""},
		"cut body":      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok!", ""},
		"300":           {"HTTP/1.1 300 X\r\nContent-Length: 0\r\n\r\n", "it answers 300 and sends on"},
		"400":           {"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n", "it answers 400"},
		"599":           {"HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n", "it answers 599"},
		"huge header":   {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "HTTP that can be read"},
		"many headers":  {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n", "HTTP that can be read"},
		"endless hints": {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10_000), "HTTP that can be read"},
		"no HTTP":       {"SSH-2.0-OpenSSH_9.9 hidden\r\n\r\n", "HTTP that can be read"},
		"control":       {"HTTP/1.1 2\x1b[2J00 hidden\r\n\r\n", "HTTP that can be read"},
		"nothing":       {"!", "HTTP that can be read"},
		"switching":     {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "it answers 101"},
	} {
		t.Run(name, func(t *testing.T) {
			address := wire(t, answer(c.text))
			p := newTestPoster(t, Config{}, "http://"+address+"/hidden", true)
			f := send(t, p)
			switch {
			case c.want == "" && f != nil:
				t.Errorf("%+v", f)
			case c.want != "" && (f == nil || !strings.Contains(f.text, c.want)):
				t.Errorf("%+v, want %q", f, c.want)
			case f != nil && (strings.Contains(f.text, "hidden") || len(f.text) > maxFailure):
				t.Errorf("it repeats what was answered, or the address: %q", f.text)
			}
		})
	}
}

// TestConnections: endpoints that cannot be talked to, and why, in words that hold nothing of the path.
func TestConnections(t *testing.T) {
	trusted := newReceiver(t, newClock(), true, nil)
	_, port, _ := net.SplitHostPort(trusted.Listener.Addr().String())
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	old := wire(t, func(conn net.Conn) {
		server := tls.Server(conn, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10, Certificates: trusted.TLS.Certificates}) //nolint:gosec
		_ = server.Handshake()
	})
	for name, c := range map[string]struct {
		address, want string
		trust         bool
	}{
		"trusted":           {trusted.URL, "", true},
		"not trusted":       {trusted.URL, "its certificate is not to be trusted", false},
		"another name":      {"https://localhost:" + port, "its certificate is not to be trusted", true},
		"plain text":        {"https://" + wire(t, func(c net.Conn) { _, _ = io.WriteString(c, "hello, this is no TLS\r\n"); swallow(c) }), "it does not answer in TLS", true},
		"old TLS":           {"https://" + old, "TLS", true},
		"HTTP to an https":  {"http://" + trusted.Listener.Addr().String(), "it answers 400", true},
		"nobody":            {"http://" + closed.Addr().String(), "it takes no connections", true},
		"ends right away":   {"http://" + wire(t, func(net.Conn) {}), "it ended the connection without an answer", true},
		"ends in handshake": {"https://" + wire(t, func(net.Conn) {}), "it ended the connection without an answer", true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{}
			if c.trust {
				cfg.RootCAs = trusted.pool()
			}
			p := newTestPoster(t, cfg, c.address+"/hidden", true)
			f := send(t, p)
			switch {
			case c.want == "" && f != nil:
				t.Errorf("%+v", f)
			case c.want != "" && (f == nil || !strings.Contains(f.text, c.want)):
				t.Errorf("%+v, want %q", f, c.want)
			case f != nil && strings.Contains(f.text, "hidden"):
				t.Errorf("it repeats the address: %q", f.text)
			}
		})
	}
}

// TestHanging has endpoints that keep a call waiting, each at another point, and the clock pass the time that one may take.
func TestHanging(t *testing.T) {
	head := func(conn net.Conn) {
		_, _ = bufio.NewReader(conn).ReadString('\n')
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Half: a hea")
		swallow(conn)
	}
	for name, c := range map[string]struct {
		address string
		taken   bool
	}{
		"before TLS":     {"https://" + wire(t, swallow), false},
		"before answer":  {"http://" + wire(t, swallow), false},
		"within headers": {"http://" + wire(t, head), false},
		"within body":    {"http://" + wire(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newEndpoint(t, "a", c.address))
			_, stop := w.run()
			w.add("rA")
			// The alarm of an attempt is the one that is 15 s away. Time passes until the attempt is over, as it may begin only
			// while it does.
			var got []model.DeliveryOutcome
			w.outbox.await(t, "the attempt to begin", func() bool { return w.outbox.asked > 0 })
			eventually(t, "the attempt to end", func() bool {
				w.clock.advance(100 * time.Millisecond)
				w.outbox.mu.Lock()
				defer w.outbox.mu.Unlock()
				got = w.outbox.outcomes["a"]
				return len(got) > 0
			})
			stop()
			if c.taken != (got[0].State == model.DeliveryDone) || !c.taken && got[0].Failure != "it did not answer in time" {
				t.Errorf("outcome %+v", got[0])
			}
			if took := got[0].At.Sub(start); took < 15*time.Second {
				t.Errorf("it was waited for %v", took)
			}
		})
	}
}

// TestRedirects: none is followed, to wherever it leads.
func TestRedirects(t *testing.T) {
	c := newClock()
	inside := newReceiver(t, c, false, nil)
	for _, code := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		r := newReceiver(t, c, false, func(w http.ResponseWriter, r *http.Request, _ call, _ int) {
			w.Header().Set("Location", inside.URL)
			w.Header().Set("Set-Cookie", "a=b")
			w.WriteHeader(code)
		})
		p := newTestPoster(t, Config{}, r.URL, true)
		for range 2 {
			f := send(t, p)
			if f == nil || f.text != fmt.Sprintf("it answers %d and sends on to another place, which is not followed: set the address that it is at", code) {
				t.Errorf("%d: %+v", code, f)
			}
		}
		calls := r.all()
		if len(calls) != 2 || calls[1].header.Get("Cookie") != "" {
			t.Errorf("%d: calls %+v", code, calls)
		}
	}
	if n := len(inside.all()); n > 0 {
		t.Errorf("%d calls were sent on", n)
	}
}

// TestConnectionsAreUsedAgain: short answers leave the connection as it is, and long ones are not read to keep it.
func TestConnectionsAreUsedAgain(t *testing.T) {
	for name, c := range map[string]struct{ size, want int }{"short": {maxAnswer - 1, 1}, "long": {1 << 20, 5}} {
		t.Run(name, func(t *testing.T) {
			connections := map[string]bool{}
			r := newReceiver(t, newClock(), false, func(w http.ResponseWriter, r *http.Request, _ call, _ int) {
				connections[r.RemoteAddr] = true // one call at a time
				_, _ = io.WriteString(w, strings.Repeat("x", c.size))
			})
			p := newTestPoster(t, Config{}, r.URL, true)
			for range 5 {
				if f := send(t, p); f != nil {
					t.Fatal(f.text)
				}
			}
			if len(connections) != c.want {
				t.Errorf("%d connections, want %d", len(connections), c.want)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	got := printable("a\x00\x1b[2J\u202e\xffb" + strings.Repeat("z", 2*maxFailure))
	if len(got) != maxFailure || !strings.HasPrefix(got, "a??[2J??b") {
		t.Errorf("%q", got)
	}
}
