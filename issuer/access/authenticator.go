package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Tokens is where tokens are stored. Errors carry the codes of [model.Error].
type Tokens interface {
	// Token returns a token by its id, revoked and expired ones too. Error codes: tokenNotFound, storeUnavailable.
	Token(ctx context.Context, id string) (model.Token, error)
	// TouchToken records that a token was used.
	TouchToken(ctx context.Context, id string, at time.Time) error
	// Denied says whether the JWTs of a subject (sub) are denied, or the one with an id (jti), which is empty for none.
	Denied(ctx context.Context, subject, id string) (bool, error)
	// AnyTokens says whether a token was ever made, revoked and expired ones included.
	AnyTokens(ctx context.Context) (bool, error)
}

// Config is what an [Authenticator] is made of. Tokens is needed.
type Config struct {
	Tokens Tokens
	// OIDC is the organisation's identity provider; nil for none.
	OIDC *OIDC
	// Open lets everybody in as [model.ActorSandbox], an admin, for as long as no token was ever made and no identity
	// provider is configured. It is for the embedded ledger alone.
	Open bool
	// Failures is how many tokens that do not hold a client may show; no limit by default.
	Failures Rate
	Now      func() time.Time // time.Now by default
	Logger   *slog.Logger     // none by default
}

// Authenticator says who a request comes from.
type Authenticator struct {
	tokens   Tokens
	provider *provider // nil without one
	uses     *lastUses
	logins   *logins // nil where there is no limit
	now      func() time.Time
	// closed is set for good once a token is known to have been made; without [Config.Open] it is from the start.
	closed atomic.Bool
}

// New returns an Authenticator, and begins to read the identity provider's keys where there is one; it does not wait for
// them. Its errors are of the settings, and say what to change.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Tokens == nil {
		return nil, errors.New("access: Config.Tokens is needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{tokens: cfg.Tokens, now: cfg.Now, logins: newLogins(cfg.Failures, cfg.Now)}
	a.closed.Store(!cfg.Open || cfg.OIDC != nil)
	if cfg.OIDC != nil {
		p, err := newProvider(*cfg.OIDC, cfg.Now, cfg.Logger)
		if err != nil {
			return nil, fmt.Errorf("identity provider: %w", err)
		}
		p.start()
		a.provider = p
	}
	a.uses = newLastUses(cfg.Tokens, cfg.Logger)
	return a, nil
}

// Close ends what runs in the background, after it had a moment to record the last uses that are not stored yet.
// Nobody may authenticate any more.
func (a *Authenticator) Close() {
	a.uses.close()
	if a.provider != nil {
		a.provider.close()
	}
}

// Open says whether everybody is let in as an admin, which [Config.Open] allows while there are no tokens. The error is
// the store's.
func (a *Authenticator) Open(ctx context.Context) (bool, error) {
	if a.closed.Load() {
		return false, nil
	}
	made, err := a.tokens.AnyTokens(ctx)
	if err != nil {
		return false, fmt.Errorf("look whether there are tokens: %w", err)
	}
	if made {
		a.closed.Store(true)
	}
	return !made, nil
}

// Authenticate says who a request of a client ([ClientKey]) with these values of the Authorization header comes from.
//
// Error codes: tooManyRequests, where the client has shown as many tokens that do not hold as [Config.Failures] allows,
// and this one has not held before; unauthorized, with one message whatever the reason, which is in the cause;
// forbidden, for somebody whom the identity provider vouches for and who has no role here, with their Actor in the
// Principal beside it; accessUnavailable, where the identity provider does not answer; storeUnavailable and what else
// the store says.
func (a *Authenticator) Authenticate(ctx context.Context, client string, authorization []string) (model.Principal, error) {
	open, err := a.Open(ctx)
	switch {
	case err != nil:
		return model.Principal{}, err
	case open:
		return model.Principal{Actor: model.ActorSandbox, Role: model.RoleAdmin}, nil
	}
	text, err := bearer(authorization)
	if err != nil {
		return model.Principal{}, unauthorized(err)
	}
	return a.logins.attempt(client, text, func() (model.Principal, error) { return a.holder(ctx, text) })
}

// holder says whose a token is.
func (a *Authenticator) holder(ctx context.Context, text string) (model.Principal, error) {
	if a.provider != nil && !strings.HasPrefix(text, tokenPrefix) { // no JWT begins like this: its first byte is a brace
		return a.byJWT(ctx, text)
	}
	return a.byToken(ctx, text)
}

// byJWT asks, of each JWT that holds, whether it is denied: what is denied is so at once, on every replica.
func (a *Authenticator) byJWT(ctx context.Context, text string) (model.Principal, error) {
	who, claims, err := a.provider.authenticate(ctx, text)
	if err != nil && model.CodeOf(err) != model.CodeForbidden {
		return who, err
	}
	switch denied, lookErr := a.tokens.Denied(ctx, claims.Subject, claims.ID); {
	case lookErr != nil:
		return model.Principal{}, fmt.Errorf("look whether a JWT is denied: %w", lookErr)
	case denied:
		return model.Principal{}, unauthorized(errJWTDenied)
	}
	return who, err
}

// byToken does the same work for a token that is not known as for one that is.
func (a *Authenticator) byToken(ctx context.Context, text string) (model.Principal, error) {
	given, err := ParseToken(text)
	if err != nil {
		return model.Principal{}, unauthorized(err)
	}
	stored, err := a.tokens.Token(ctx, given.ID())
	known := err == nil
	if !known {
		if model.CodeOf(err) != model.CodeTokenNotFound {
			return model.Principal{}, fmt.Errorf("look up a token: %w", err)
		}
		stored = model.Token{}
	}
	now, same := a.now(), given.matches(stored.Hash)
	switch {
	case !known:
		return model.Principal{}, unauthorized(fmt.Errorf("there is no token with the id %s", given.ID()))
	case !same:
		return model.Principal{}, unauthorized(fmt.Errorf("the secret is not that of the token %s", given.ID()))
	case stored.Unauthentic:
		return model.Principal{}, unauthorized(fmt.Errorf("the token %s is not the one of its entry in the audit log", given.ID()))
	case !stored.Revoked.IsZero():
		return model.Principal{}, unauthorized(fmt.Errorf("the token %s was revoked", given.ID()))
	case !stored.Holds(now):
		return model.Principal{}, unauthorized(fmt.Errorf("the token %s has expired", given.ID()))
	}
	a.uses.note(stored, now)
	return model.Principal{Actor: "token:" + stored.Name, Role: stored.Role}, nil
}

// refusal is what everybody is told who is not let in.
const refusal = "this needs a token that holds: send the header Authorization: Bearer, and the token"

func unauthorized(cause error) error {
	return &model.Error{Code: model.CodeUnauthorized, Message: refusal, Cause: cause}
}
