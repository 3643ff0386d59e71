package access

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

// settle waits for a reading that is under way.
func settle(a *Authenticator) {
	a.provider.mu.Lock()
	busy := a.provider.busy
	a.provider.mu.Unlock()
	if busy != nil {
		<-busy
	}
}

func TestKeysRotate(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	old := func() string { return sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(nil)) }
	fresh := func() string { return sign(t, jose.RS256, "rsa2", "rsa2", nil, p.claims(nil)) }
	wantPrincipal(t, a, old(), alice)

	p.change(func() { p.keys = []map[string]any{publicJWK(t, "rsa2", "rsa2")} })
	_, err := a.Authenticate(t.Context(), "", bear(fresh()))
	wantRefused(t, err, "none of the identity provider's keys") // the provider was asked a moment ago
	if n := p.readings(); n != 1 {
		t.Errorf("read %d times", n)
	}
	p.clock.advance(fetchEvery)
	wantPrincipal(t, a, fresh(), alice)
	if n := p.readings(); n != 2 {
		t.Errorf("read %d times", n)
	}
	_, err = a.Authenticate(t.Context(), "", bear(old()))
	wantRefused(t, err, "none of the identity provider's keys")

	// Another key under the same kid, which providers should not do.
	p.change(func() { p.keys = []map[string]any{publicJWK(t, "rsa2", "rsa")} })
	p.clock.advance(fetchEvery)
	wantPrincipal(t, a, sign(t, jose.RS256, "rsa2", "rsa", nil, p.claims(nil)), alice)

	// And its address and algorithms may change as well.
	p.change(func() {
		p.keys = []map[string]any{publicJWK(t, "ec", "p256")}
		p.configuration["id_token_signing_alg_values_supported"] = []string{"ES256"}
	})
	p.clock.advance(fetchEvery)
	wantPrincipal(t, a, sign(t, jose.ES256, "ec", "p256", nil, p.claims(nil)), alice)
}

// TestGarbageDoesNotHammerTheProvider: whatever callers send, and however much of it, the provider is asked at its pace.
func TestGarbageDoesNotHammerTheProvider(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	good := sign(t, jose.ES256, "p256", "p256", nil, p.claims(map[string]any{"exp": start.Add(time.Hour).Unix()}))
	wantPrincipal(t, a, good, alice)
	garbage := make([]string, 50)
	for i := range garbage {
		garbage[i] = sign(t, jose.ES256, strings.Repeat("k", i), "p256", nil, p.claims(map[string]any{"exp": 1}))
		garbage[i] = garbage[i][:len(garbage[i])-8] + "AAAAAAAA"
	}
	for round := range 3 {
		var all sync.WaitGroup
		for _, text := range garbage {
			all.Go(func() {
				_, err := a.Authenticate(t.Context(), "", bear(text))
				if model.CodeOf(err) != model.CodeUnauthorized {
					t.Errorf("%v", err)
				}
			})
		}
		all.Go(func() { wantPrincipal(t, a, good, alice) })
		all.Wait()
		if n := p.readings(); n != 1+round {
			t.Errorf("round %d: the keys were read %d times", round, n)
		}
		p.clock.advance(fetchEvery)
	}
}

func TestProviderDownAtTheStart(t *testing.T) {
	p := newIDP(t)
	p.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "secret words of the provider")
	}
	var log logs.Lines
	store := newShelf()
	a := newAuthenticator(t, Config{Tokens: store, OIDC: p.config(), Now: p.clock.now, Logger: log.Logger()})
	good := sign(t, jose.EdDSA, "ed", "ed", nil, p.claims(nil))
	settle(a)
	for range 10 {
		_, err := a.Authenticate(t.Context(), "", bear(good))
		wantUnavailable(t, err, "502")
		if e := err.(*model.Error); e.RetryAfter != fetchRetry {
			t.Errorf("retry after %v", e.RetryAfter)
		}
	}
	p.mu.Lock()
	if n := p.asked[wellKnown]; n != 1 {
		t.Errorf("asked %d times", n)
	}
	p.mu.Unlock()
	// What cannot be a JWT of theirs needs no provider to be refused, and our own tokens none to be let in.
	_, err := a.Authenticate(t.Context(), "", bear("nonsense"))
	wantRefused(t, err, "neither")
	if got, err := a.Authenticate(t.Context(), "", bear(store.put(t, "own", model.RoleAdmin, nil))); err != nil || got.Actor != "token:own" {
		t.Errorf("%+v, %v", got, err)
	}
	p.change(func() { p.answer = nil })
	p.clock.advance(fetchRetry)
	wantPrincipal(t, a, good, alice)
	if got := log.String(); !strings.Contains(got, "cannot be read") || !strings.Contains(got, "are read") || strings.Contains(got, "secret words") {
		t.Errorf("log: %s", got)
	}
}

// TestProviderGoesDown: keys that were read are believed for a day, and a token of a key that is not known is neither
// believed nor refused.
func TestProviderGoesDown(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	token := func() string { return sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(nil)) }
	wantPrincipal(t, a, token(), alice)
	p.change(func() { p.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) } })
	p.clock.advance(keysFresh)
	wantPrincipal(t, a, token(), alice) // and has them read anew, beside it
	settle(a)
	_, err := a.Authenticate(t.Context(), "", bear(sign(t, jose.RS256, "rsa2", "rsa2", nil, p.claims(nil))))
	wantUnavailable(t, err, "404")
	p.clock.advance(keysLast - keysFresh - 1)
	wantPrincipal(t, a, token(), alice)
	settle(a)
	p.clock.advance(fetchRetry)
	_, err = a.Authenticate(t.Context(), "", bear(token()))
	wantUnavailable(t, err, "404")
	p.change(func() { p.answer = nil })
	p.clock.advance(fetchRetry)
	wantPrincipal(t, a, token(), alice)
}

// TestWithdrawnKey: a key that the provider no longer names is not believed for longer than keys stay fresh.
func TestWithdrawnKey(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	token := func() string { return sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(nil)) }
	wantPrincipal(t, a, token(), alice)
	p.change(func() { p.keys = []map[string]any{publicJWK(t, "rsa2", "rsa2")} })
	p.clock.advance(keysFresh - 1)
	wantPrincipal(t, a, token(), alice)
	p.clock.advance(1)
	_, _ = a.Authenticate(t.Context(), "", bear(token())) // the last time, or already not
	settle(a)
	_, err := a.Authenticate(t.Context(), "", bear(token()))
	wantRefused(t, err, "none of the identity provider's keys")
}

func TestProviderSlow(t *testing.T) {
	p := newIDP(t)
	asked := make(chan struct{}, 10)
	release := make(chan struct{})
	p.answer = func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	t.Cleanup(func() { close(release) })
	good := sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(nil))

	// The caller goes away, and is not waited for.
	a := p.authenticator(t)
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Authenticate(ctx, "", bear(good))
	wantUnavailable(t, err, "canceled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// The service stops, and who waits is told so.
	waiting := make(chan error, 1)
	go func() {
		_, err := a.Authenticate(context.Background(), "", bear(good))
		waiting <- err
	}()
	a.Close()
	wantUnavailable(t, <-waiting, "not read")
	_, err = a.Authenticate(t.Context(), "", bear(good))
	wantUnavailable(t, err, "not read")

	// The provider takes longer than it may.
	cfg := p.config()
	cfg.Timeout = 20 * time.Millisecond
	a = newAuthenticator(t, Config{Tokens: newShelf(), OIDC: cfg, Now: p.clock.now})
	_, err = a.Authenticate(t.Context(), "", bear(good))
	wantUnavailable(t, err, "deadline")
}

// TestProviderAnswers are answers that no provider should give: nobody is let in by them, nothing is followed, and the
// log tells what to look at.
func TestProviderAnswers(t *testing.T) {
	var elsewhere atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(trap.Close)
	var sent atomic.Int64
	for name, c := range map[string]struct {
		change func(t *testing.T, p *idp)
		cause  string
	}{
		"endless": {func(_ *testing.T, p *idp) {
			p.answer = func(w http.ResponseWriter, _ *http.Request) {
				for text := strings.Repeat(" ", 64<<10); ; {
					n, err := io.WriteString(w, text)
					if sent.Add(int64(n)); err != nil || sent.Load() > 1<<30 {
						return
					}
				}
			}
		}, "more than"},
		"endless headers": {func(_ *testing.T, p *idp) {
			p.answer = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }
		}, "header"},
		"sends on elsewhere": {func(_ *testing.T, p *idp) {
			p.answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, trap.URL, http.StatusFound) }
		}, "302"},
		"sends on to itself": {func(_ *testing.T, p *idp) {
			p.answer = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusPermanentRedirect)
			}
		}, "308"},
		"keys sent on": {func(_ *testing.T, p *idp) {
			p.configuration["jwks_uri"] = p.server.URL + "/elsewhere"
			p.answer = nil
		}, "404"},
		"no JSON": {func(_ *testing.T, p *idp) {
			p.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }
		}, "JSON"},
		"nothing": {func(_ *testing.T, p *idp) { p.answer = func(http.ResponseWriter, *http.Request) {} }, "JSON"},
		"another issuer": {func(_ *testing.T, p *idp) {
			p.configuration["issuer"] = p.server.URL + "/" + strings.Repeat("x", 1000)
		}, "calls itself"},
		"no issuer":      {func(_ *testing.T, p *idp) { delete(p.configuration, "issuer") }, "calls itself"},
		"keys nowhere":   {func(_ *testing.T, p *idp) { delete(p.configuration, "jwks_uri") }, "jwks_uri"},
		"keys in a file": {func(_ *testing.T, p *idp) { p.configuration["jwks_uri"] = "file:///etc/passwd" }, "jwks_uri"},
		"keys over http": {func(_ *testing.T, p *idp) { p.configuration["jwks_uri"] = "http://id.example/keys" }, "https"},
		"keys far away":  {func(_ *testing.T, p *idp) { p.configuration["jwks_uri"] = "https://x/" + strings.Repeat("x", 3000) }, "at most"},
		"only shared keys": {func(_ *testing.T, p *idp) {
			p.configuration["id_token_signing_alg_values_supported"] = []string{"HS256", "none"}
		}, "no algorithm"},
		"no algorithms":     {func(_ *testing.T, p *idp) { p.configuration["id_token_signing_alg_values_supported"] = []string{} }, "no algorithm"},
		"no keys":           {func(_ *testing.T, p *idp) { p.keys = nil }, "none of its 0 keys"},
		"a weak key":        {func(t *testing.T, p *idp) { p.keys = []map[string]any{publicJWK(t, "rsa", "weak")} }, "none of its 1 keys"},
		"a flood of keys":   {func(_ *testing.T, p *idp) { p.keys = make([]map[string]any, maxKeys+1) }, "33 keys"},
		"keys of no object": {func(_ *testing.T, p *idp) { p.configuration["jwks_uri"] = p.server.URL + wellKnown }, "none of its 0 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t)
			c.change(t, p)
			a := p.authenticator(t)
			_, err := a.Authenticate(t.Context(), "", bear(sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(nil))))
			wantUnavailable(t, err, c.cause)
			if len(err.Error()) > 600 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if sent.Load() > 64<<20 {
		t.Errorf("%d bytes taken of an endless answer", sent.Load())
	}
}

func TestProviderOverTLS(t *testing.T) {
	p := serveIDP(t, func(handler http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // who does not trust it hangs up
		server.StartTLS()
		return server
	})
	good := sign(t, jose.ES384, "p384", "p384", nil, p.claims(nil))
	cfg := p.config()
	_, err := newAuthenticator(t, Config{Tokens: newShelf(), OIDC: cfg, Now: p.clock.now}).Authenticate(t.Context(), "", bear(good))
	wantUnavailable(t, err, "certificate")
	cfg.RootCAs = certificates(p.server)
	wantPrincipal(t, newAuthenticator(t, Config{Tokens: newShelf(), OIDC: cfg, Now: p.clock.now}), good, alice)
	// An issuer with TLS has its keys behind TLS, also on loopback.
	p.change(func() { p.configuration["jwks_uri"] = "http://127.0.0.1:1/keys" })
	_, err = newAuthenticator(t, Config{Tokens: newShelf(), OIDC: cfg, Now: p.clock.now}).Authenticate(t.Context(), "", bear(good))
	wantUnavailable(t, err, "must be https")
}

func TestOIDCSettings(t *testing.T) {
	good := OIDC{Issuer: "https://id.example", Audience: "a", RoleClaim: "roles", Roles: map[string]model.Role{"x": model.RoleAdmin}}
	for name, change := range map[string]func(*OIDC){
		"must be a URL":         func(c *OIDC) { c.Issuer = "" },
		"such as https":         func(c *OIDC) { c.Issuer = "id.example" },
		"must be https":         func(c *OIDC) { c.Issuer = "ftp://id.example" },
		"http is for loopback":  func(c *OIDC) { c.Issuer = "http://id.example" },
		"is for loopback alone": func(c *OIDC) { c.Issuer = "http://127.0.0.1.example" },
		"a password":            func(c *OIDC) { c.Issuer = "https://me:pass@id.example" },
		"a fragment":            func(c *OIDC) { c.Issuer = "https://id.example/#" },
		"no query":              func(c *OIDC) { c.Issuer = "https://id.example/?" },
		"audience":              func(c *OIDC) { c.Audience = "" },
		"claim":                 func(c *OIDC) { c.RoleClaim = "" },
		"at least one":          func(c *OIDC) { c.Roles = nil },
		"must be admin":         func(c *OIDC) { c.Roles = map[string]model.Role{"x": "owner"} },
		"must not be empty":     func(c *OIDC) { c.Roles = map[string]model.Role{"": model.RoleAdmin} },
	} {
		cfg := good
		change(&cfg)
		a, err := New(Config{Tokens: newShelf(), OIDC: &cfg})
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, issuer := range []string{"https://id.example/realms/x", "https://id.example/", "http://localhost:1", "http://127.8.9.1:1", "http://[::1]:1", "https://id.example:8443"} {
		if _, err := newClient(issuer, nil); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no store, and no error")
	}
}
