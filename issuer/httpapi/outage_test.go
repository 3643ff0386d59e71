package httpapi_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/store"
)

// wire stands between the service and its database, and can be cut.
type wire struct {
	t      *testing.T
	target string
	ln     net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, target: target, ln: ln, conns: map[net.Conn]bool{}}
	w.wg.Go(w.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		w.set(true)
		w.wg.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		near, err := w.ln.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		cut := w.cut
		w.mu.Unlock()
		far, err := net.Dial("tcp", w.target)
		if err != nil || cut {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			continue
		}
		w.mu.Lock()
		w.conns[near], w.conns[far] = true, true
		w.mu.Unlock()
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			w.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
	}
}

// set cuts the wire, with all that is on it, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			_ = c.Close()
		}
		clear(w.conns)
	}
}

// TestDatabaseComesBack: while the database is out of reach requests are refused and nothing is signed; afterwards the
// service goes on by itself, also with what was under way.
func TestDatabaseComesBack(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		if database.URL == "" {
			t.Skip("a file has no wire to cut")
		}
		u, err := url.Parse(database.URL)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(u.Host, ":") {
			u.Host += ":5432"
		}
		cable := newWire(t, u.Host)
		u.Host = cable.ln.Addr().String()
		database.URL = u.String()
		w := newWorld(t, on(database), onTick)
		before := w.account()
		started := w.send(t, post, "/credential", jsonType+"\nPrefer: respond-async\nIdempotency-Key: k", w.body("Started"))
		if started.status != http.StatusAccepted {
			t.Fatalf("%d %s", started.status, started.body)
		}
		cable.set(true)
		for range 3 {
			a := w.request(t, w.subject, "Refused", "")
			a.holdsItsForm(t)
			if a.status != http.StatusServiceUnavailable || a.str("error") != "storeUnavailable" || a.header.Get("Retry-After") == "" {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		}
		cable.set(false)
		defer w.keepTicking()()
		if a := w.send(t, post, "/credential", jsonType+"\nIdempotency-Key: k", w.body("Started")); a.status != http.StatusCreated || a.header.Get("Location") != started.header.Get("Location") {
			t.Errorf("what was under way: %d %v %s", a.status, a.header, a.body)
		}
		w.issue(w.subject, "Refused")
		if after := w.account(); after.OwnerCount != before.OwnerCount+2 {
			t.Errorf("the issuer was %+v and is %+v", before, after)
		}
	})
}
