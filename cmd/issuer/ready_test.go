package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// line forwards connections to a node until it is cut.
type line struct {
	ln     net.Listener
	target string
	mu     sync.Mutex
	conns  []net.Conn
	all    sync.WaitGroup
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{ln: ln, target: target}
	l.all.Go(l.serve)
	t.Cleanup(l.cut)
	return l
}

func (l *line) serve() {
	for {
		near, err := l.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, near, far)
		l.mu.Unlock()
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			l.all.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}
}

// cut ends all connections, and refuses new ones.
func (l *line) cut() {
	_ = l.ln.Close()
	l.mu.Lock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.all.Wait()
}

// TestReadyOfReplicas: while the replica with the lease has no node, nothing is issued, and every replica says so; the other one
// still verifies.
func TestReadyOfReplicas(t *testing.T) {
	node, made := sharedWorld(t)
	through := newLine(t, strings.TrimPrefix(node.WebSocketURL(), "ws://"))
	ready := func(s *service, query string) (int, string) {
		status, body := paste(t, []string{"", "", "", "", s.field(t, "HTTP") + "/readyz" + query})
		return status, string(body)
	}
	until := func(s *service, status int, part string) {
		t.Helper()
		for limit := time.Now().Add(30 * time.Second); ; {
			got, body := ready(s, "")
			if got == status && strings.Contains(body, part) {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%d %s, want %d with %s", got, body, status, part)
			}
		}
	}
	holder := boot(t, "--http-listen=127.0.0.1:0", "--xrpl-network=ws://"+through.ln.Addr().String(), "--data-dir="+t.TempDir())
	until(holder, http.StatusOK, `"status":"ok"`)
	issue := `{"subject":"` + made.Address + `","credential":"First","documents":{"reason":"please"}}`
	if status, body := paste(t, []string{"", "Content-Type: application/json", "POST", issue, holder.field(t, "HTTP") + "/credential"}); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body) // it has the lease
	}
	other := boot(t, "--http-listen=127.0.0.1:0", "--xrpl-network="+node.WebSocketURL(), "--data-dir="+t.TempDir())
	until(other, http.StatusOK, `"status":"ok"`)

	through.cut()
	until(holder, http.StatusServiceUnavailable, `"check":"node"`)
	until(other, http.StatusServiceUnavailable, `"check":"submitter"`)
	if status, body := ready(other, "?check=read"); status != http.StatusOK || !strings.Contains(body, `"check":"submitter"`) {
		t.Errorf("reading: %d %s", status, body)
	}
	if err := holder.stop(); err != nil {
		t.Error(err)
	}
	until(other, http.StatusOK, `"status":"ok"`) // it takes over
}
