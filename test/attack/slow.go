package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// idleConnections is how many are opened at once, where this machine has room for as many, and connectionCost what each
// may hold of the service's memory, in KiB.
const (
	idleConnections = 10_000
	connectionCost  = 16
)

var slow = []attack{
	{name: "half-closed connections", on: onPlain, run: halfClosed},
	{name: "slow heads, a byte a second", on: onTLS, run: slowHeads},
	{name: "slow bodies, a byte a second", on: onTLS, long: true, run: slowBodies},
	// The last one of its service: what that held for connections it gives back in its own time.
	{name: "idle connections, thousands", on: onPlain, grows: usualGrowth + idleConnections*connectionCost>>10, run: idle},
}

// hold opens connections, as many at a time, and returns those that were had.
func (r *round) hold(ctx context.Context, n int, first string) []net.Conn {
	var mu sync.Mutex
	var all []net.Conn
	var failed atomic.Int64
	atOnce(64, n, func(int) {
		c, err := r.dial(ctx, r.from)
		if err != nil {
			failed.Add(1)
			return
		}
		_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.WriteString(c, first); err != nil {
			failed.Add(1)
			_ = c.Close()
			return
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, c)
	})
	if failed.Load() > 0 {
		r.note("%d of %d connections were not to be had", failed.Load(), n)
	}
	return all
}

func drop(all []net.Conn) {
	for _, c := range all {
		_ = c.Close()
	}
}

// idle opens connections that say nothing, and others that were answered once, and goes on being served on another one.
func idle(ctx context.Context, r *round) error {
	n := min(r.many(idleConnections), fileLimit()-500)
	all := r.hold(ctx, n/2, "")
	all = append(all, r.hold(ctx, n/2, "GET /operations/none HTTP/1.1\r\nHost: localhost\r\n\r\n")...)
	defer func() { drop(all) }()
	r.mu.Lock()
	r.requests += len(all)
	r.answers["held"] += len(all)
	r.mu.Unlock()
	for range 5 {
		took, err := r.good(ctx, r.newClient(elsewhere))
		if err != nil {
			return fmt.Errorf("a good request while %d connections are open: %w", len(all), err)
		}
		if took > goodTime {
			r.fault("a good request takes %v while %d connections are open", took, len(all))
		}
	}
	return nil
}

// halfClosed says that nothing more comes, in the middle of things, and waits.
func halfClosed(ctx context.Context, r *round) error {
	atOnce(32, r.many(500), func(i int) {
		c, err := r.dial(ctx, r.from)
		if err != nil {
			r.fault("%v", err)
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		said := []string{"", "GET /admin/status HTTP/1.1\r\n", "POST /credential HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "POST /credential HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"}[i%4]
		_, err = io.WriteString(c, said)
		if tcp, ok := c.(*net.TCPConn); ok {
			err = errors.Join(err, tcp.CloseWrite())
		}
		if err != nil {
			r.fault("%v", err)
			return
		}
		for _, a := range r.readAll(c, "half a request") {
			r.expect("half a request", a, nil, http.StatusBadRequest)
		}
	})
	return nil
}

// drip sends a byte a second on each connection until it is closed, and returns how long the last one was open.
func (r *round) drip(ctx context.Context, all []net.Conn, limit time.Duration) time.Duration {
	began := time.Now()
	var longest atomic.Int64
	var group sync.WaitGroup
	for _, c := range all {
		group.Go(func() {
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				for _, a := range r.readAll(c, "slow") {
					r.expect("slow", a, nil, http.StatusRequestTimeout, http.StatusBadRequest)
				}
			}()
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for time.Since(began) < limit && ctx.Err() == nil {
				select {
				case <-closed:
					longest.Store(max(longest.Load(), int64(time.Since(began))))
					return
				case <-tick.C:
					_, _ = io.WriteString(c, "x") // closed will tell
				}
			}
			r.fault("a connection is open after %v", limit)
			_ = c.Close()
			<-closed
		})
	}
	// Others are served meanwhile.
	if _, err := r.good(ctx, r.newClient(elsewhere)); err != nil {
		r.fault("while %d are slow: %v", len(all), err)
	}
	group.Wait()
	return time.Duration(longest.Load())
}

// Time that a head, and a head with its body, may take to arrive, and what a closing connection may lag behind that.
const (
	headTime, bodyTime = 10 * time.Second, 20 * time.Second
	lag                = 8 * time.Second
)

func slowHeads(ctx context.Context, r *round) error {
	all := r.hold(ctx, r.many(400), "GET /admin/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	defer func() { drop(all) }()
	r.note("%d of them, the last one closed after %.1fs", len(all), r.drip(ctx, all, headTime+lag).Seconds())
	return nil
}

func slowBodies(ctx context.Context, r *round) error {
	r.from = "127.0.0.30" // whose rate is not used up
	const head = "POST /challenge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	all := r.hold(ctx, 200, head+"Content-Length: 1000\r\n\r\n")
	all = append(all, r.hold(ctx, 200, "DELETE /admin/credential HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+r.tokens["admin"]+"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")...)
	all = append(all, r.hold(ctx, 50, "POST /admin/credential/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+r.tokens["admin"]+"\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n")...)
	defer func() { drop(all) }()
	r.note("%d of them, the last one closed after %.1fs", len(all), r.drip(ctx, all, bodyTime+lag).Seconds())
	return nil
}
