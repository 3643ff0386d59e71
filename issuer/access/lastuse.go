package access

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// useEvery is how often the last use of one token is recorded.
	useEvery = time.Minute
	// useQueue is how many wait to be recorded. What finds no room is left out: the token's next use tries again.
	useQueue = 64
	// useTime bounds one write, and useLastWords all those that wait at the end.
	useTime      = 5 * time.Second
	useLastWords = 2 * time.Second
)

type use struct {
	id string
	at time.Time
}

// lastUses records when tokens were used, beside the requests that use them.
type lastUses struct {
	tokens Tokens
	log    *slog.Logger
	queue  chan use
	done   chan struct{} // closed when the recorder has ended
	ctx    context.Context
	giveUp context.CancelFunc

	mu     sync.Mutex
	noted  map[string]time.Time // by id, for useEvery: what the store was told or will be
	closed bool
}

func newLastUses(tokens Tokens, log *slog.Logger) *lastUses {
	l := &lastUses{tokens: tokens, log: log, queue: make(chan use, useQueue), done: make(chan struct{}), noted: map[string]time.Time{}}
	l.ctx, l.giveUp = context.WithCancel(context.Background())
	go l.record()
	return l
}

// note never waits.
func (l *lastUses) note(t model.Token, at time.Time) {
	if recent(t.LastUsed, at) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || recent(l.noted[t.ID], at) {
		return
	}
	maps.DeleteFunc(l.noted, func(_ string, noted time.Time) bool { return !recent(noted, at) })
	select {
	case l.queue <- use{t.ID, at}:
		l.noted[t.ID] = at
	default:
	}
}

// recent says whether a use was recorded for the time at. A time ahead of it is no reason to record nothing for as
// long, as another replica's clock may have been wrong.
func recent(recorded, at time.Time) bool {
	age := at.Sub(recorded)
	return age > -useEvery && age < useEvery
}

func (l *lastUses) record() {
	defer close(l.done)
	for u := range l.queue {
		ctx, cancel := context.WithTimeout(l.ctx, useTime)
		if err := l.tokens.TouchToken(ctx, u.id, u.at); err != nil {
			l.log.Warn("the last use of a token is not recorded", "token", u.id, "error", err)
		}
		cancel()
	}
}

func (l *lastUses) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	timer := time.AfterFunc(useLastWords, l.giveUp)
	<-l.done
	timer.Stop()
	l.giveUp()
}
