package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// ports hands out ports of loopback below those that the system gives to outgoing connections: a service that is killed
// and started again must find its own free.
type ports struct {
	mu   sync.Mutex
	next int
}

func newPorts(rng *rand.Rand) *ports { return &ports{next: 15000 + rng.IntN(10000)} }

func (p *ports) address(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 1000 {
		p.next++
		address := fmt.Sprintf("127.0.0.1:%d", p.next)
		if l, err := new(net.ListenConfig).Listen(ctx, "tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("no free port of loopback below %d", p.next)
}
