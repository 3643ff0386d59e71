package access

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// OIDC is an identity provider whose JWTs are believed: ID tokens, and access tokens that are JWTs.
type OIDC struct {
	// Issuer is the provider's issuer identifier, exactly as it stands in its tokens. What there is to know is read at
	// Issuer + "/.well-known/openid-configuration" (OpenID Connect Discovery 1.0). It is https, or http on loopback.
	Issuer string
	// Audience must be in a token's aud claim: this service, as the provider knows it.
	Audience string
	// RoleClaim is where a token says which roles its holder has: roles, realm_access.roles, a name that is a URL, or a
	// JSON Pointer. The claim is a text or a list of texts.
	RoleClaim string
	// Roles says which of the provider's roles stand for which of ours; see [ParseRoles]. The strongest wins.
	Roles map[string]model.Role
	// RootCAs are who may vouch for the provider's certificate; the system's by default.
	RootCAs *x509.CertPool
	// Timeout is how long reading the provider's two documents may take; 5 s by default.
	Timeout time.Duration
}

// How long keys are believed, and how often the provider is asked for them. What a caller sends, whatever it is, has it asked
// no more often.
const (
	// keysFresh is after how long the keys are read anew, beside the requests that use those that there are: a key that the
	// provider has withdrawn is believed that long.
	keysFresh = 15 * time.Minute
	// keysLast is how long they are believed while the provider does not answer.
	keysLast = 24 * time.Hour
	// fetchEvery is how long it is at least from one reading to the next, and fetchRetry from one that failed.
	fetchEvery = 10 * time.Second
	fetchRetry = 5 * time.Second
	// fetchTimeout is the default of [OIDC.Timeout].
	fetchTimeout = 5 * time.Second
)

// keySet is what was read of the provider, at one time. It never changes.
type keySet struct {
	keys       []jose.JSONWebKey
	algorithms []jose.SignatureAlgorithm
	read       time.Time
}

// provider holds the keys of an identity provider, and reads them when there is a reason to: at the start, when they are
// old, and when a token is signed by none of them, as happens when keys are rotated.
type provider struct {
	issuer, audience string
	roles            map[string]model.Role
	roleClaim        claimPath
	timeout          time.Duration
	client           *client
	now              func() time.Time
	log              *slog.Logger

	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	reading sync.WaitGroup

	mu     sync.Mutex
	set    *keySet       // nil until the provider first answered
	next   time.Time     // no reading begins before
	busy   chan struct{} // closed at the end of the reading that is under way; nil while none is
	failed error         // why the last reading failed; nil where it did not
}

func newProvider(cfg OIDC, now func() time.Time, log *slog.Logger) (*provider, error) {
	p := &provider{issuer: cfg.Issuer, audience: cfg.Audience, timeout: cfg.Timeout, now: now, log: log.With("identity_provider", cfg.Issuer)}
	var err error
	if p.client, err = newClient(cfg.Issuer, cfg.RootCAs); err != nil {
		return nil, err
	}
	if p.roleClaim, err = parseClaimPath(cfg.RoleClaim); err != nil {
		return nil, err
	}
	if p.roles, err = checkRoles(cfg.Roles); err != nil {
		return nil, err
	}
	if p.audience == "" {
		return nil, errors.New("the audience must be set to what the provider calls this service: tokens made for others would be believed")
	}
	if p.timeout <= 0 {
		p.timeout = fetchTimeout
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// start begins to read the keys. A provider that is down shows in the log, and holds up nothing.
func (p *provider) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetch()
}

// close ends a reading that is under way, and waits for it.
func (p *provider) close() {
	p.mu.Lock()
	p.cancel() // and no reading begins after it
	p.mu.Unlock()
	p.reading.Wait()
}

// fetch has the keys read, where that may be now, and returns what is closed at its end: nil where no reading is under way.
// The caller holds mu.
func (p *provider) fetch() <-chan struct{} {
	if p.busy != nil {
		return p.busy
	}
	if p.ctx.Err() != nil || p.now().Before(p.next) {
		return nil
	}
	done := make(chan struct{})
	p.busy = done
	p.reading.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
		defer cancel()
		set, err := p.client.read(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		defer close(done)
		now := p.now()
		p.busy = nil
		switch {
		case err == nil:
			if p.set == nil || p.failed != nil {
				p.log.Info("the identity provider's keys are read", "keys", len(set.keys), "algorithms", set.algorithms)
			}
			set.read = now
			p.set, p.failed, p.next = set, nil, now.Add(fetchEvery)
		case p.ctx.Err() == nil:
			p.log.Warn("the identity provider's keys cannot be read", "error", err)
			p.failed, p.next = err, now.Add(fetchRetry)
		}
	})
	return done
}

// current returns keys that can be believed now. It waits only while there are none.
func (p *provider) current(ctx context.Context) (*keySet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set, now := p.set, p.now()
	if set != nil && now.Sub(set.read) < keysLast {
		if now.Sub(set.read) >= keysFresh {
			p.fetch()
		}
		return set, nil
	}
	return p.another(ctx, set)
}

// newer returns keys that were read after old was, or old where the provider was asked too lately to be asked again.
func (p *provider) newer(ctx context.Context, old *keySet) (*keySet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set == old && p.busy == nil && p.failed == nil && p.now().Before(p.next) {
		return old, nil
	}
	return p.another(ctx, old)
}

// another returns keys that are not old, read now where that may be. The caller holds mu, which is given up while it
// waits.
func (p *provider) another(ctx context.Context, old *keySet) (*keySet, error) {
	if p.set != old {
		return p.set, nil
	}
	if done := p.fetch(); done != nil {
		p.mu.Unlock()
		var err error
		select {
		case <-done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.mu.Lock()
		if err != nil {
			return nil, p.unavailable(err)
		}
	}
	if p.set == old {
		return nil, p.unavailable(p.failed)
	}
	return p.set, nil
}

// unavailable says that nobody can tell now who the caller is. The caller holds mu.
func (p *provider) unavailable(cause error) error {
	if cause == nil {
		cause = errors.New("its keys are not read yet")
	}
	return &model.Error{
		Code:       model.CodeAccessUnavailable,
		Message:    "who you are cannot be checked now, as the identity provider does not answer: ask again later",
		Cause:      fmt.Errorf("identity provider: %w", cause),
		RetryAfter: max(p.next.Sub(p.now()), time.Second),
	}
}

// fitting returns the keys that a signature can be of.
func (s *keySet) fitting(kid string, algorithm jose.SignatureAlgorithm) []any {
	var fit []any
	if !slices.Contains(s.algorithms, algorithm) {
		return nil
	}
	for _, key := range s.keys {
		if (kid == "" || key.KeyID == kid) && (key.Algorithm == "" || key.Algorithm == string(algorithm)) && signs(key.Key, algorithm) {
			fit = append(fit, key.Key)
		}
	}
	return fit
}
