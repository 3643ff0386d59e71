package issuer

import (
	"context"
	"sync"
)

// keyedLock lets one caller at a time work on a credential. The zero value is ready.
type keyedLock struct {
	mu   sync.Mutex
	held map[credentialKey]*holder
}

type holder struct {
	token   chan struct{} // holds one value while nobody works
	callers int           // that work or wait; the entry goes when it reaches 0
}

// lock waits until nobody else works on the key, and returns what ends the caller's turn. The error is ctx's.
func (l *keyedLock) lock(ctx context.Context, key credentialKey) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[credentialKey]*holder{}
	}
	h := l.held[key]
	if h == nil {
		h = &holder{token: make(chan struct{}, 1)}
		h.token <- struct{}{}
		l.held[key] = h
	}
	h.callers++
	l.mu.Unlock()

	select {
	case <-h.token:
		return func() {
			h.token <- struct{}{}
			l.leave(key, h)
		}, nil
	case <-ctx.Done():
		l.leave(key, h)
		return nil, ctx.Err()
	}
}

func (l *keyedLock) leave(key credentialKey, h *holder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.callers--; h.callers == 0 {
		delete(l.held, key)
	}
}
