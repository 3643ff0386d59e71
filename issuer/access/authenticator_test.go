package access

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

func TestTokensAuthenticate(t *testing.T) {
	store, clock := newShelf(), newClock()
	a := newAuthenticator(t, Config{Tokens: store, Now: clock.now})
	admin := store.put(t, "boss", model.RoleAdmin, nil)
	reader := store.put(t, "graphs", model.RoleReader, nil)
	lasting := store.put(t, "soon", model.RoleReviewer, func(t *model.Token) { t.Expires = start.Add(time.Second) })
	expired := store.put(t, "late", model.RoleAdmin, func(t *model.Token) { t.Expires = start })
	revoked := store.put(t, "gone", model.RoleAdmin, func(t *model.Token) { t.Revoked = start.Add(-time.Hour) })
	unknown, _ := mint(t)
	other, _ := mint(t)
	// A true checksum over the id of one token and the secret of another.
	id, secret := admin[4:20], other.Reveal()[21:]
	raw, err := encoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	sum := checksum(id, raw[:secretBytes])
	forged := tokenPrefix + id + "_" + encoding.EncodeToString(append(raw[:secretBytes:secretBytes], sum[:]...))

	for _, c := range []struct {
		header string
		want   model.Principal
	}{
		{"Bearer " + admin, model.Principal{Actor: "token:boss", Role: model.RoleAdmin}},
		{"bearer  " + reader, model.Principal{Actor: "token:graphs", Role: model.RoleReader}},
		{"Bearer " + lasting, model.Principal{Actor: "token:soon", Role: model.RoleReviewer}},
	} {
		if got, err := a.Authenticate(t.Context(), "", []string{c.header}); err != nil || got != c.want {
			t.Errorf("%+v, %v; want %+v", got, err, c.want)
		}
	}
	for _, c := range []struct {
		header string
		cause  string
	}{
		{"", "scheme"},
		{"Basic " + admin, "scheme"},
		{"Bearer " + expired, "expired"},
		{"Bearer " + revoked, "revoked"},
		{"Bearer " + unknown.Reveal(), "no token with the id"},
		{"Bearer " + forged, "not that of the token"},
		{"Bearer " + admin[:60] + "zzzzzzzzz", "checksum"},
		{"Bearer " + admin[:60], "no token of this service"},
		{"Bearer eyJhbGciOiJub25lIn0.e30.", "no token of this service"},
	} {
		got, err := a.Authenticate(t.Context(), "", []string{c.header})
		wantRefused(t, err, c.cause)
		if got != (model.Principal{}) {
			t.Errorf("%s: %+v", c.cause, got)
		}
		if text := strings.TrimPrefix(c.header, "Bearer "); len(text) > 30 && strings.Contains(err.Error(), text[21:]) {
			t.Errorf("%s: the error holds the secret", c.cause)
		}
	}
	for _, values := range [][]string{nil, {"Bearer " + admin, "Bearer " + admin}} {
		_, err := a.Authenticate(t.Context(), "", values)
		wantRefused(t, err, "Authorization header")
	}

	clock.advance(time.Second)
	_, err = a.Authenticate(t.Context(), "", []string{"Bearer " + lasting})
	wantRefused(t, err, "expired")
}

// TestStoreFails: who cannot be looked up is neither let in nor told that their token does not hold.
func TestStoreFails(t *testing.T) {
	store := newShelf()
	text := store.put(t, "n", model.RoleAdmin, nil)
	down := &model.Error{Code: model.CodeStoreUnavailable}
	store.fail(down)
	for _, open := range []bool{false, true} {
		a := newAuthenticator(t, Config{Tokens: store, Open: open})
		if got, err := a.Authenticate(t.Context(), "", []string{"Bearer " + text}); !errors.Is(err, down) || model.CodeOf(err) != model.CodeStoreUnavailable || got.Role != "" {
			t.Errorf("open %v: %+v, %v", open, got, err)
		}
	}
}

func TestOpen(t *testing.T) {
	sandbox := model.Principal{Actor: model.ActorSandbox, Role: model.RoleAdmin}
	store := newShelf()
	shut := newAuthenticator(t, Config{Tokens: store})
	_, err := shut.Authenticate(t.Context(), "", nil)
	wantRefused(t, err, "no Authorization")
	if store.questions() != 0 {
		t.Error("the store is asked whether there are tokens, though nothing is open")
	}

	a := newAuthenticator(t, Config{Tokens: store, Open: true})
	for _, header := range [][]string{nil, {"Bearer nonsense"}, {"a", "b"}} {
		if got, err := a.Authenticate(t.Context(), "", header); err != nil || got != sandbox {
			t.Errorf("%q: %+v, %v", header, got, err)
		}
	}
	if open, err := a.Open(t.Context()); !open || err != nil {
		t.Errorf("%v, %v", open, err)
	}

	// The first token closes it, also where another process made it, and for good.
	text := store.put(t, "first", model.RoleReader, nil)
	_, err = a.Authenticate(t.Context(), "", nil)
	wantRefused(t, err, "no Authorization")
	if got, err := a.Authenticate(t.Context(), "", []string{"Bearer " + text}); err != nil || got.Role != model.RoleReader {
		t.Errorf("%+v, %v", got, err)
	}
	asked := store.questions()
	store.mu.Lock()
	clear(store.tokens)
	store.mu.Unlock()
	if open, err := a.Open(t.Context()); open || err != nil {
		t.Errorf("open again: %v, %v", open, err)
	}
	_, err = a.Authenticate(t.Context(), "", nil)
	wantRefused(t, err, "no Authorization")
	if store.questions() != asked {
		t.Error("the store is asked again, though what it said cannot change")
	}
}

// TestOpenWithAnIdentityProvider: where one is configured, nobody is let in without being known.
func TestOpenWithAnIdentityProvider(t *testing.T) {
	w := newIDP(t)
	a := newAuthenticator(t, Config{Tokens: newShelf(), Open: true, OIDC: w.config(), Now: w.clock.now})
	_, err := a.Authenticate(t.Context(), "", nil)
	wantRefused(t, err, "no Authorization")
}

func TestLastUse(t *testing.T) {
	store, clock := newShelf(), newClock()
	a := newAuthenticator(t, Config{Tokens: store, Now: clock.now})
	header := []string{"Bearer " + store.put(t, "n", model.RoleAdmin, nil)}
	other := []string{"Bearer " + store.put(t, "other", model.RoleAdmin, nil)}
	use := func(header []string) {
		t.Helper()
		if _, err := a.Authenticate(t.Context(), "", header); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		use(header)
	}
	if got := <-store.touched; !got.at.Equal(start) {
		t.Errorf("%+v", got)
	}
	use(other)
	<-store.touched
	clock.advance(useEvery - 1)
	use(header)
	clock.advance(1)
	use(header)
	if got := <-store.touched; !got.at.Equal(start.Add(useEvery)) {
		t.Errorf("recorded at %v: the minute between is not kept", got.at)
	}
	if a.uses.mu.Lock(); len(a.uses.noted) != 1 {
		t.Errorf("%d tokens are remembered, though one was used in this minute", len(a.uses.noted))
	}
	a.uses.mu.Unlock()

	// What the store says counts as well: another replica may have recorded it.
	clock.advance(useEvery)
	store.mu.Lock()
	for id, token := range store.tokens {
		token.LastUsed = clock.now()
		store.tokens[id] = token
	}
	store.mu.Unlock()
	use(header)
	a.Close()
	if len(store.touched) != 0 {
		t.Errorf("%d uses recorded too much", len(store.touched))
	}
}

// TestLastUseHoldsUpNothing: while the store does not record, everybody is let in all the same, and at the end there is a
// bounded wait.
func TestLastUseHoldsUpNothing(t *testing.T) {
	store, clock := newShelf(), newClock()
	store.hold = make(chan struct{})
	var log logs.Lines
	a := newAuthenticator(t, Config{Tokens: store, Now: clock.now, Logger: log.Logger()})
	var headers []string
	for range 2 * useQueue {
		headers = append(headers, "Bearer "+store.put(t, "n", model.RoleReader, nil))
	}
	var all sync.WaitGroup
	for _, header := range headers {
		all.Go(func() {
			for range 3 {
				if _, err := a.Authenticate(t.Context(), "", []string{header}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	close(store.hold)
	a.Close() // records what waits, then ends
	if n := len(store.touched); n < useQueue || n > useQueue+1 {
		t.Errorf("%d uses recorded; %d can wait", n, useQueue)
	}
	a.Close() // once more is no harm

	// A store that fails is told of in the log, without any secret.
	store.touched = make(chan use, 1)
	failing := newAuthenticator(t, Config{Tokens: touchFails{store}, Now: clock.now, Logger: log.Logger()})
	if _, err := failing.Authenticate(t.Context(), "", []string{headers[0]}); err != nil && model.CodeOf(err) != "" {
		t.Error(err)
	}
	clock.advance(2 * useEvery)
	if _, err := failing.Authenticate(t.Context(), "", []string{headers[0]}); err != nil {
		t.Error(err)
	}
	failing.Close()
	if got := log.String(); !strings.Contains(got, "not recorded") || strings.Contains(got, headers[0][28:]) {
		t.Errorf("log: %s", got)
	}
}

// BenchmarkAuthenticate is what it costs to know who calls, the store's own time left out.
func BenchmarkAuthenticate(b *testing.B) {
	p, store := newIDP(b), newShelf()
	a := newAuthenticator(b, Config{Tokens: store, OIDC: p.config(), Now: p.clock.now})
	for name, text := range map[string]string{
		"token": store.put(b, "n", model.RoleReader, func(t *model.Token) { t.LastUsed = start }),
		"RS256": sign(b, jose.RS256, "rsa", "rsa", nil, p.claims(nil)),
		"ES256": sign(b, jose.ES256, "p256", "p256", nil, p.claims(nil)),
		"EdDSA": sign(b, jose.EdDSA, "ed", "ed", nil, p.claims(nil)),
		// What a stranger can make the service do: a signature that is checked and does not hold.
		"forged": sign(b, jose.RS256, "rsa", "stranger", nil, p.claims(nil)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), "", bear(text)); (err == nil) == (name == "forged") {
					b.Fatal(err)
				}
			}
		})
	}
}
