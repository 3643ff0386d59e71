package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// provenTokens is how many tokens are remembered to have held, at least: those that held last.
const provenTokens = 4096

// logins bounds how many tokens that do not hold a client may show. A client that has shown as many is refused unseen,
// at the cost of one hash, but for tokens that held before, wherever they came from: those are looked at all the while,
// so that nobody who shares an address with others is locked out by them in the middle of their work. Whoever shows a
// token for the first time from such an address has to wait.
type logins struct {
	failures *Limiter

	mu sync.Mutex
	// newer and older are hashes of what held. What is in newer alone is kept when that is full, so that memory is
	// bounded.
	newer, older map[[32]byte]bool
}

// newLogins returns nil, which bounds nothing, where the rate is no limit.
func newLogins(r Rate, now func() time.Time) *logins {
	if r.Off() {
		return nil
	}
	return &logins{failures: NewLimiter(r, 0, now), newer: map[[32]byte]bool{}}
}

// attempt has a client's token looked at, unless the client is over its rate. It counts before it is known what comes
// of it, so that no more are ever under way at once, and is given back where the token held, or nobody could tell. Who
// goes away before the answer gets nothing back.
func (l *logins) attempt(client, text string, look func() (model.Principal, error)) (model.Principal, error) {
	if l == nil {
		return look()
	}
	token := sha256.Sum256([]byte(text))
	proven := l.held(token)
	if !proven {
		if ok, wait := l.failures.Take(client); !ok {
			return model.Principal{}, tooManyFailures(wait)
		}
	}
	who, err := look()
	refused := model.CodeOf(err) == model.CodeUnauthorized
	switch {
	case proven && refused: // it was revoked, or has expired: from here on it is one like others
		l.forget(token)
		l.failures.Take(client)
	case !proven && !refused && !errors.Is(err, context.Canceled):
		l.failures.giveBack(client)
	}
	if err == nil || model.CodeOf(err) == model.CodeForbidden {
		l.remember(token)
	}
	return who, err
}

func (l *logins) held(token [32]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newer[token] || l.older[token]
}

func (l *logins) remember(token [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newer[token] {
		return
	}
	if len(l.newer) == provenTokens {
		l.newer, l.older = map[[32]byte]bool{}, l.newer
	}
	l.newer[token] = true
}

func (l *logins) forget(token [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.newer, token)
	delete(l.older, token)
}

func tooManyFailures(wait time.Duration) error {
	return &model.Error{Code: model.CodeTooManyRequests, RetryAfter: max(wait, time.Second),
		Message: "too many tokens that do not hold came from your address: ask again later, with one that does; tokens that held before are taken meanwhile"}
}
