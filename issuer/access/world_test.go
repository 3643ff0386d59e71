package access

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is moved by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// shelf keeps tokens in memory, by the contract of [Tokens].
type shelf struct {
	mu      sync.Mutex
	tokens  map[string]model.Token
	failing error
	denied  map[string]bool
	asked   int           // calls of AnyTokens
	touched chan use      // one for each TouchToken that succeeded
	hold    chan struct{} // where it is set, TouchToken waits until it is closed
}

func newShelf() *shelf {
	return &shelf{tokens: map[string]model.Token{}, touched: make(chan use, 1000)}
}

func (s *shelf) Token(_ context.Context, id string) (model.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil {
		return model.Token{}, s.failing
	}
	t, ok := s.tokens[id]
	if !ok {
		return model.Token{}, &model.Error{Code: model.CodeTokenNotFound}
	}
	return t, nil
}

func (s *shelf) TouchToken(ctx context.Context, id string, at time.Time) error {
	s.mu.Lock()
	hold, failing := s.hold, s.failing
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if failing != nil {
		return failing
	}
	s.mu.Lock()
	if t, ok := s.tokens[id]; ok {
		t.LastUsed = at
		s.tokens[id] = t
	}
	s.mu.Unlock()
	s.touched <- use{id, at}
	return nil
}

func (s *shelf) Denied(_ context.Context, subject, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.denied["subject:"+subject] || s.denied["jti:"+id], s.failing
}

func (s *shelf) AnyTokens(context.Context) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return len(s.tokens) > 0, s.failing
}

// questions is how often it was asked whether there are tokens.
func (s *shelf) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = err
}

// put stores a new token and returns its text.
func (s *shelf) put(t testing.TB, name string, role model.Role, change func(*model.Token)) string {
	t.Helper()
	text, token, err := Mint(name, role, start, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token.ID] = token
	return text.Reveal()
}

func newAuthenticator(t testing.TB, cfg Config) *Authenticator {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// wantRefused checks that an error is the one refusal that everybody gets, and that its cause, for the log, has the words.
func wantRefused(t *testing.T, err error, cause string) {
	t.Helper()
	var e *model.Error
	if model.CodeOf(err) != model.CodeUnauthorized {
		t.Errorf("error %v, want unauthorized (%s)", err, cause)
		return
	}
	e = err.(*model.Error)
	if e.Message != refusal || e.RetryAfter != 0 {
		t.Errorf("the refusal is %q, %v: it tells more than others do", e.Message, e.RetryAfter)
	}
	if e.Cause == nil || !strings.Contains(e.Cause.Error(), cause) {
		t.Errorf("cause %v, want %q", e.Cause, cause)
	}
}

// touchFails is a shelf that records no last use.
type touchFails struct{ *shelf }

func (touchFails) TouchToken(context.Context, string, time.Time) error {
	return &model.Error{Code: model.CodeStoreUnavailable}
}
