package sandbox

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// line is a client's connection that bad weather can break. It lies between the socket and everything else.
type line struct {
	net.Conn
	number uint64 // in the order of their coming, from 1
	sent   atomic.Uint64
	lines  *lines

	muted atomic.Bool
	mu    sync.Mutex
	armed bool
	left  int // bytes that are sent yet, when armed
}

// end ends the connection, at once where it is reset.
func (l *line) end(reset bool) {
	if t, ok := l.Conn.(*net.TCPConn); ok && reset {
		_ = t.SetLinger(0) // else it ends the other way
	}
	_ = l.Conn.Close() // it may have ended already
}

// cutAfter lets that many bytes through, and ends the connection in place of the next one.
func (l *line) cutAfter(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.left = true, n
}

// Write implements net.Conn.
func (l *line) Write(b []byte) (int, error) {
	if l.muted.Load() {
		return len(b), nil
	}
	l.mu.Lock()
	if !l.armed {
		l.mu.Unlock()
		return l.Conn.Write(b)
	}
	n := min(l.left, len(b))
	l.left -= n
	l.mu.Unlock()
	m, err := l.Conn.Write(b[:n])
	if n < len(b) {
		l.end(false)
		if err == nil {
			err = net.ErrClosed
		}
	}
	return m, err
}

// Read implements net.Conn. What comes through a muted line is gone.
func (l *line) Read(b []byte) (int, error) {
	for {
		n, err := l.Conn.Read(b)
		if err != nil || !l.muted.Load() {
			return n, err
		}
	}
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.lines.forget(l)
	return l.Conn.Close()
}

// lines are all connections.
type lines struct {
	w    *weather
	mu   sync.Mutex
	last uint64
	open map[*line]struct{}
	down time.Time // until when connections are refused
}

func (ls *lines) forget(l *line) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.open, l)
}

// endAll ends every connection but the spared one, and refuses others until a time.
func (ls *lines) endAll(spared *line, until time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.down = until
	for l := range ls.open {
		if l != spared {
			l.end(false)
		}
	}
}

// weatherListener makes lines of connections.
type weatherListener struct {
	net.Listener
	lines *lines
}

func (wl *weatherListener) Accept() (net.Conn, error) {
	for {
		c, err := wl.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ls := wl.lines
		l := &line{Conn: c, lines: ls}
		now := ls.w.now()
		ls.mu.Lock()
		down := now.Before(ls.down)
		if !down {
			ls.last++
			l.number = ls.last
			ls.open[l] = struct{}{}
		}
		ls.mu.Unlock()
		if !down {
			return l, nil
		}
		l.end(true)
	}
}

type (
	lineKey struct{}
	connKey struct{}
)

// withLine lets requests know the connection, and the line, that they came through.
func withLine(ctx context.Context, c net.Conn) context.Context {
	ctx = context.WithValue(ctx, connKey{}, c)
	if b, ok := c.(*boundedConn); ok {
		if l, ok := b.Conn.(*line); ok {
			return context.WithValue(ctx, lineKey{}, l)
		}
	}
	return ctx
}

// lineOf is the line of a request; nil on a server without weather.
func lineOf(r *http.Request) *line {
	l, _ := r.Context().Value(lineKey{}).(*line)
	return l
}

// loses tells whether the next message of a stream to this line is lost.
func (l *line) loses() bool {
	if l == nil {
		return false
	}
	return l.lines.w.happensOn(LoseMessage, l.number, l.sent.Add(1))
}
