package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
)

// DefaultConnections is how many connections are open at once where [Config.MaxConnections] does not say. Each takes some
// 20 KB of memory, with TLS some 60 KB, and a file of the process.
const DefaultConnections = 8192

// connections is a listener that bounds how many of its connections are open. Where one more comes, it closes the oldest of the
// address that has the most of them, and of these only such as have no request that was received and is not answered: whoever
// opens connections by the thousand pays for it with their own. Where there are none to close, the new one is.
type connections struct {
	net.Listener
	most int

	mu    sync.Mutex
	last  uint64 // number of the one that was opened last
	count int
	open  map[string]map[*connection]bool // by the other side's address, without the port
}

// connection is one of them.
type connection struct {
	net.Conn
	of      *connections
	from    string
	number  uint64
	working int // requests that were received and are not answered; of.mu guards it
}

func limit(ln net.Listener, most int) *connections {
	return &connections{Listener: ln, most: max(most, 1), open: map[string]map[*connection]bool{}}
}

// Accept implements net.Listener.
func (l *connections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		mine, closing := l.admit(c)
		for _, old := range closing {
			_ = old.Conn.Close()
		}
		if mine != nil {
			return mine, nil
		}
		_ = c.Close()
	}
}

// admit takes a connection in, and says which ones are to be closed for it. It returns nil where there is no room.
func (l *connections) admit(c net.Conn) (*connection, []*connection) {
	from := c.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(from); err == nil {
		from = host
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var closing []*connection
	if l.count >= l.most {
		closing = l.superfluous()
		for _, old := range closing {
			l.forget(old)
		}
		if len(closing) == 0 {
			return nil, nil
		}
	}
	l.last++
	l.count++
	mine := &connection{Conn: c, of: l, from: from, number: l.last}
	if l.open[from] == nil {
		l.open[from] = map[*connection]bool{}
	}
	l.open[from][mine] = true
	return mine, closing
}

// superfluous chooses some at a time, so that a flood is not looked through for each connection in it.
func (l *connections) superfluous() []*connection {
	var most map[*connection]bool
	for _, of := range l.open {
		if len(of) > len(most) {
			most = of
		}
	}
	var idle []*connection
	for c := range most {
		if c.working == 0 {
			idle = append(idle, c)
		}
	}
	slices.SortFunc(idle, func(a, b *connection) int { return cmp.Compare(a.number, b.number) })
	return idle[:min(len(idle), l.most/64+1)]
}

// forget drops a connection from the count. The caller holds mu.
func (l *connections) forget(c *connection) {
	if !l.open[c.from][c] {
		return
	}
	l.count--
	if delete(l.open[c.from], c); len(l.open[c.from]) == 0 {
		delete(l.open, c.from)
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	c.of.forget(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets net/http have the other side read an answer to its end before the connection is closed.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *connection) work(n int) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.working += n
}

type connectionKey struct{}

// onConnection has the requests of a connection know it.
func onConnection(ctx context.Context, c net.Conn) context.Context {
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	if mine, ok := c.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, mine)
	}
	return ctx
}

// received says that all of a request is there, so that its connection is not closed for another's sake.
func (s *state) received() {
	if s.connection != nil && !s.working {
		s.working = true
		s.connection.work(1)
	}
}

// answered ends that.
func (s *state) answered() {
	if s.working {
		s.connection.work(-1)
	}
}
