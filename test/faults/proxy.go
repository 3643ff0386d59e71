package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// proxy lies between a service and its database or its ledger, passes on every byte, and can cut them off from each other.
type proxy struct {
	listener net.Listener
	target   string
	// forward passes on what one side says to the other, until the connection ends.
	forward func(to io.Writer, from io.Reader)
	// answer passes on what the target says.
	answer func(to io.Writer, from io.Reader)
	tasks  sync.WaitGroup

	mu   sync.Mutex
	down bool
	open map[net.Conn]struct{}
}

// copyAll is what a proxy does that looks at nothing.
func copyAll(to io.Writer, from io.Reader) { _, _ = io.Copy(to, from) } // that it ends is all there is to know

// startProxy starts a proxy to a target. forward is for what is said to the target, and answer for what it says.
func startProxy(ctx context.Context, target string, forward, answer func(to io.Writer, from io.Reader)) (*proxy, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, forward: forward, answer: answer, open: map[net.Conn]struct{}{}}
	p.tasks.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.keep(near) {
			continue
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(far) {
			reset(near)
			p.end(near)
			continue
		}
		pipe := func(to, from net.Conn, forward func(io.Writer, io.Reader)) {
			end := &lastWord{Reader: from}
			forward(to, end)
			if errors.Is(end.err, syscall.ECONNRESET) {
				reset(to) // as it would have come without us
			}
			p.end(near)
			p.end(far)
		}
		p.tasks.Go(func() { pipe(far, near, p.forward) })
		p.tasks.Go(func() { pipe(near, far, p.answer) })
	}
}

// lastWord remembers how a connection ended.
type lastWord struct {
	io.Reader
	err error
}

func (l *lastWord) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if err != nil {
		l.err = err
	}
	return n, err
}

// reset has a connection end with a reset (TCP RST) when it is closed.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
}

// keep takes a connection in, or ends it where there is to be none.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		_ = c.Close()
		return false
	}
	p.open[c] = struct{}{}
	return true
}

func (p *proxy) end(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = c.Close()
	delete(p.open, c)
}

// cut ends all connections; with stay, no other is taken until mend.
func (p *proxy) cut(stay bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = stay
	for c := range p.open {
		reset(c)
		_ = c.Close()
	}
	clear(p.open)
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.cut(true)
	p.tasks.Wait()
}
