package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

const audience = "credential-issuer"

// keyring is made once: RSA keys take long.
var keyring = sync.OnceValue(func() map[string]crypto.Signer {
	ring := map[string]crypto.Signer{}
	for _, kid := range []string{"rsa", "rsa2", "stranger"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		ring[kid] = key
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	ring["weak"] = weak
	for kid, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		ring[kid] = key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	ring["ed"] = ed
	return ring
})

// idp is an identity provider on loopback.
type idp struct {
	server *httptest.Server
	clock  *clock

	mu            sync.Mutex
	configuration map[string]any
	keys          []map[string]any
	answer        http.HandlerFunc // where it is set, it answers in place of both documents
	asked         map[string]int   // by path
}

// newIDP serves a discovery document and a set of all kinds of keys over plain HTTP.
func newIDP(t testing.TB) *idp {
	t.Helper()
	return serveIDP(t, httptest.NewServer)
}

func serveIDP(t testing.TB, serve func(http.Handler) *httptest.Server) *idp {
	t.Helper()
	p := &idp{clock: newClock(), asked: map[string]int{}}
	p.server = serve(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	p.configuration = map[string]any{
		"issuer":   p.server.URL,
		"jwks_uri": p.server.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
			"ES256", "ES384", "ES512", "EdDSA", "ES256K"},
		"end_session_endpoint": "x",
	}
	for _, kid := range []string{"rsa", "p256", "p384", "p521", "ed"} {
		p.keys = append(p.keys, publicJWK(t, kid, kid))
	}
	return p
}

func publicJWK(t testing.TB, kid, name string) map[string]any {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: keyring()[name].Public(), KeyID: kid, Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	var key map[string]any
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *idp) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	answer := p.answer
	var document any
	switch r.URL.Path {
	case wellKnown:
		document = p.configuration
	case "/keys":
		document = map[string]any{"keys": p.keys}
	}
	text, err := json.Marshal(document)
	p.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case err != nil || document == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	}
}

// change is made while nobody asks.
func (p *idp) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// readings is how often the keys were asked for.
func (p *idp) readings() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked["/keys"]
}

func (p *idp) config() *OIDC {
	return &OIDC{
		Issuer: p.server.URL, Audience: audience, RoleClaim: "realm_access.roles",
		Roles: map[string]model.Role{"boss": model.RoleAdmin, "clerk": model.RoleReviewer, "guest": model.RoleReader},
	}
}

func (p *idp) authenticator(t testing.TB) *Authenticator {
	t.Helper()
	return newAuthenticator(t, Config{Tokens: newShelf(), OIDC: p.config(), Now: p.clock.now})
}

// claims are those of a good token, with changes; a nil takes one away.
func (p *idp) claims(changes map[string]any) map[string]any {
	now := p.clock.now()
	claims := map[string]any{
		"iss": p.server.URL, "aud": audience, "sub": "alice", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(),
		"realm_access": map[string]any{"roles": []string{"clerk", "offline_access"}},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// sign makes a JWT as a provider would.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, kid, key string, header map[string]any, claims any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: keyring()[key]}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, ok := claims.(string)
	if !ok {
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		payload = string(text)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// forge puts a token together from any header and a signature over it.
func forge(t *testing.T, header string, claims any, signature func(input []byte) []byte) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature([]byte(input)))
}

// rs256 signs with the provider's own RSA key, so that only the header can be wrong.
func rs256(t *testing.T) func([]byte) []byte {
	return func(input []byte) []byte {
		h := crypto.SHA256.New()
		_, _ = h.Write(input)
		signature, err := keyring()["rsa"].Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
}

func bear(text string) []string { return []string{"Bearer " + text} }

// certificates are those of a server of httptest.
func certificates(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

func wantPrincipal(t *testing.T, a *Authenticator, text string, want model.Principal) {
	t.Helper()
	if got, err := a.Authenticate(t.Context(), "", bear(text)); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func wantUnavailable(t *testing.T, err error, cause string) {
	t.Helper()
	if model.CodeOf(err) != model.CodeAccessUnavailable || !strings.Contains(err.Error(), cause) {
		t.Errorf("error %v, want accessUnavailable (%s)", err, cause)
		return
	}
	if e := err.(*model.Error); e.RetryAfter <= 0 || strings.Contains(e.Message, cause) {
		t.Errorf("%+v", e)
	}
}

var alice = model.Principal{Actor: "jwt:alice", Role: model.RoleReviewer}
