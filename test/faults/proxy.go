package main

import (
	"context"
	"io"
	"net"
	"sync"
)

// proxy lies between a service and its database, and can cut them off from each other.
type proxy struct {
	listener net.Listener
	target   string
	tasks    sync.WaitGroup

	mu   sync.Mutex
	down bool
	open map[net.Conn]struct{}
}

func startProxy(ctx context.Context, target string) (*proxy, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, open: map[net.Conn]struct{}{}}
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
			p.end(near)
			continue
		}
		pipe := func(to, from net.Conn) {
			_, _ = io.Copy(to, from) // that it ends is all there is to know
			p.end(near)
			p.end(far)
		}
		p.tasks.Go(func() { pipe(far, near) })
		p.tasks.Go(func() { pipe(near, far) })
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
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
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
