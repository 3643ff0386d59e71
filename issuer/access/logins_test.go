package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// counted counts how often a token is looked up.
type counted struct {
	*shelf
	looked atomic.Int64
}

func (c *counted) Token(ctx context.Context, id string) (model.Token, error) {
	c.looked.Add(1)
	if err := ctx.Err(); err != nil {
		return model.Token{}, err
	}
	return c.shelf.Token(ctx, id)
}

// wrong is a token that nobody made.
func wrong(t testing.TB, n int) []string {
	t.Helper()
	return bear(newShelf().put(t, fmt.Sprint("n", n), model.RoleAdmin, nil))
}

func wantTooMany(t *testing.T, err error) {
	t.Helper()
	var e *model.Error
	if !errors.As(err, &e) || e.Code != model.CodeTooManyRequests || e.RetryAfter < time.Second || e.RetryAfter > time.Minute || e.Message == refusal {
		t.Errorf("%v", err)
	}
}

// Beyond the rate nothing is looked up for a client, but for what held before; and others are not touched by it.
func TestFailedLoginsAreBounded(t *testing.T) {
	c, tokens := newClock(), &counted{shelf: newShelf()}
	mine, yours, fresh := bear(tokens.put(t, "mine", model.RoleAdmin, nil)), bear(tokens.put(t, "yours", model.RoleReader, nil)), bear(tokens.put(t, "fresh", model.RoleReader, nil))
	a := newAuthenticator(t, Config{Tokens: tokens, Now: c.now, Failures: Rate{Count: 5, Per: time.Minute}})
	ask := func(client string, header []string) error {
		t.Helper()
		_, err := a.Authenticate(t.Context(), client, header)
		return err
	}
	for range 20 { // what holds counts nowhere
		if err := errors.Join(ask("a", mine), ask("b", yours)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		wantRefused(t, ask("a", wrong(t, n)), "there is no token")
	}
	before := tokens.looked.Load()
	for n := range 50 {
		wantTooMany(t, ask("a", wrong(t, 10+n)))
		wantTooMany(t, ask("a", []string{"Bearer x.y.z"}))
	}
	wantTooMany(t, ask("a", fresh)) // right, and nobody can know that without looking
	if n := tokens.looked.Load() - before; n != 0 {
		t.Errorf("%d tokens were looked up beyond the rate", n)
	}
	for range 20 { // in the middle of their work, behind the same proxy
		if err := errors.Join(ask("a", mine), ask("a", yours)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask("b", fresh); err != nil { // from elsewhere
		t.Error(err)
	}
	if err := ask("a", fresh); err != nil { // and now it is known to hold
		t.Error(err)
	}
	wantRefused(t, ask("b", wrong(t, 100)), "there is no token")

	// No token at all costs nothing, and counts nowhere.
	for range 20 {
		wantRefused(t, ask("c", nil), "there is no Authorization header")
		wantRefused(t, ask("c", []string{"Basic eDp5"}), "another scheme")
	}
	wantRefused(t, ask("c", wrong(t, 101)), "there is no token")

	// One more when its time has come.
	c.advance(12 * time.Second)
	wantRefused(t, ask("a", wrong(t, 102)), "there is no token")
	wantTooMany(t, ask("a", wrong(t, 103)))
	// One that held, and holds no more, is refused once as what it is, and is then one like others.
	tokens.mu.Lock()
	for id, token := range tokens.tokens {
		if token.Name == "yours" {
			token.Revoked = start
			tokens.tokens[id] = token
		}
	}
	tokens.mu.Unlock()
	wantRefused(t, ask("a", yours), "revoked")
	wantTooMany(t, ask("a", yours))
}

// Nobody loses an attempt because the store or the provider did not answer; who goes away before the answer does.
func TestFailedLoginsOfNobodysFault(t *testing.T) {
	tokens := &counted{shelf: newShelf()}
	mine := bear(tokens.put(t, "mine", model.RoleAdmin, nil))
	a := newAuthenticator(t, Config{Tokens: tokens, Now: newClock().now, Failures: Rate{Count: 3, Per: time.Minute}})
	tokens.fail(&model.Error{Code: model.CodeStoreUnavailable})
	for range 10 {
		if _, err := a.Authenticate(t.Context(), "a", mine); model.CodeOf(err) != model.CodeStoreUnavailable {
			t.Fatal(err)
		}
	}
	tokens.fail(nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	for n := range 10 {
		_, err := a.Authenticate(gone, "a", wrong(t, n))
		if n < 3 && !errors.Is(err, context.Canceled) {
			t.Error(err)
		} else if n >= 3 {
			wantTooMany(t, err)
		}
	}
	if n := tokens.looked.Load(); n != 13 {
		t.Errorf("%d tokens were looked up", n)
	}
}

// Many at the same moment: no more than the rate are looked up, and every right one is let in.
func TestFailedLoginsAtOnce(t *testing.T) {
	tokens := &counted{shelf: newShelf()}
	mine := bear(tokens.put(t, "mine", model.RoleAdmin, nil))
	a := newAuthenticator(t, Config{Tokens: tokens, Now: newClock().now, Failures: Rate{Count: 7, Per: time.Minute}})
	if _, err := a.Authenticate(t.Context(), "a", mine); err != nil {
		t.Fatal(err)
	}
	var refused, tooMany atomic.Int64
	var all sync.WaitGroup
	for n := range 200 {
		guess := wrong(t, n)
		all.Go(func() {
			switch _, err := a.Authenticate(t.Context(), "a", guess); model.CodeOf(err) {
			case model.CodeUnauthorized:
				refused.Add(1)
			case model.CodeTooManyRequests:
				tooMany.Add(1)
			default:
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := a.Authenticate(t.Context(), "a", mine); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refused.Load() != 7 || tooMany.Load() != 193 || tokens.looked.Load() != 7+201 {
		t.Errorf("%d were refused, %d were too many, %d looked up", refused.Load(), tooMany.Load(), tokens.looked.Load())
	}
}

// What is remembered to have held is bounded, and what held last is in it.
func TestLoginsRememberSoMany(t *testing.T) {
	l := newLogins(Rate{Count: 1, Per: time.Minute}, newClock().now)
	hold := func() (model.Principal, error) { return model.Principal{Actor: "x"}, nil }
	for n := range 5 * provenTokens {
		for _, text := range []string{fmt.Sprint(n), "always"} {
			if _, err := l.attempt("a", text, hold); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(l.newer) > provenTokens || len(l.older) > provenTokens {
		t.Errorf("%d and %d", len(l.newer), len(l.older))
	}
	refuse := func() (model.Principal, error) { return model.Principal{}, unauthorized(errHeaderForm) }
	if _, err := l.attempt("a", "forged", refuse); model.CodeOf(err) != model.CodeUnauthorized {
		t.Error(err)
	}
	for _, text := range []string{"always", fmt.Sprint(5*provenTokens - 1), fmt.Sprint(4*provenTokens + 10)} {
		if _, err := l.attempt("a", text, hold); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err := l.attempt("a", "0", hold) // long forgotten
	wantTooMany(t, err)
}
