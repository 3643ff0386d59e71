package httpapi_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/issuer/policy"
	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/model"
)

// door asks callers who they are: the real thing, with the world's store and an identity provider on loopback.
type door struct {
	idp    *idp
	tokens map[string]string // by name
}

// header is the Authorization header of a caller: a token by its name, or a JWT as it stands.
func (d *door) header(caller string) string {
	if caller == "" {
		return ""
	}
	if text, ok := d.tokens[caller]; ok {
		caller = text
	}
	return "Authorization: Bearer " + caller
}

// later is the clock of doors: the store takes no token that has expired already.
func later() time.Time { return time.Now().Add(2 * time.Hour) }

// guarded has the world ask who callers are. It begins with a token for each role, named like it, and with one that has
// expired and one that was revoked.
func guarded(d *door) func(*worldConfig) {
	return func(c *worldConfig) {
		c.furnish = append(c.furnish, func(w *world, _ *issuer.Config, api *httpapi.Config) {
			d.idp, d.tokens = newIDP(w.t), map[string]string{}
			for _, role := range model.Roles() {
				d.make(w, string(role), role, time.Now(), time.Time{})
			}
			d.make(w, "expired", model.RoleAdmin, time.Now(), time.Now().Add(time.Hour))
			d.make(w, "revoked", model.RoleAdmin, time.Now(), time.Time{})
			if _, err := w.store.RevokeToken(w.t.Context(), "revoked", model.AuditEntry{Actor: "cli:test"}); err != nil {
				w.t.Fatal(err)
			}
			api.Audit, w.operator = w.store, d.header("admin")
			api.Access = newAuthenticator(w, doorOf(d))
		})
	}
}

// doorOf is what a door goes by.
func doorOf(d *door) access.Config {
	return access.Config{Now: later, OIDC: &access.OIDC{Issuer: d.idp.server.URL, Audience: audience, RoleClaim: "roles",
		Roles: map[string]model.Role{"boss": model.RoleAdmin, "clerk": model.RoleReviewer, "guest": model.RoleReader}}}
}

func (d *door) make(w *world, name string, role model.Role, created, expires time.Time) {
	w.t.Helper()
	text, token, err := access.Mint(name, role, created, expires)
	if err == nil {
		err = w.store.CreateToken(w.t.Context(), token, model.AuditEntry{Actor: "cli:test"})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	d.tokens[name] = text.Reveal()
}

func newAuthenticator(w *world, cfg access.Config) *access.Authenticator {
	w.t.Helper()
	cfg.Tokens, cfg.Logger = w.store, w.log.logger()
	a, err := access.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(a.Close)
	return a
}

// as sends a request as a caller of the door.
func (w *world) as(t *testing.T, d *door, caller, method, target, headers, body string) answer {
	t.Helper()
	return w.send(t, method, target, headers+"\n"+d.header(caller), body)
}

const audience = "credential-issuer"

// idp is an identity provider on loopback, with one Ed25519 key.
type idp struct {
	server  *httptest.Server
	private ed25519.PrivateKey
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{private: private}
	mux := http.NewServeMux()
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	serve := func(path string, document any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(document); err != nil {
				t.Errorf("the identity provider: %v", err)
			}
		})
	}
	serve("/.well-known/openid-configuration", map[string]any{"issuer": p.server.URL, "jwks_uri": p.server.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"EdDSA"}})
	serve("/keys", map[string]any{"keys": []any{map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig",
		"x": base64.RawURLEncoding.EncodeToString(public)}}})
	return p
}

// jwt makes a token of someone with a role, with changes to its claims.
func (p *idp) jwt(t *testing.T, role string, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": p.server.URL, "aud": audience, "sub": role + "@example.org", "iat": later().Unix(),
		"exp": later().Add(time.Hour).Unix(), "roles": []string{role}}
	maps.Copy(claims, changes)
	return p.sign(t, p.private, claims)
}

func (p *idp) sign(t *testing.T, key ed25519.PrivateKey, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	input := part(map[string]any{"alg": "EdDSA", "kid": "1", "typ": "JWT"}) + "." + part(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(input)))
}

// The policies that most tests here go by.
const (
	memberPolicy = `credential: Member
decision: automatic
documents: {type: object, required: [name, age], properties: {name: {type: string, minLength: 1}, age: {type: integer, minimum: 18}}}
`
	provenPolicy = `credential: Proven
decision: automatic
documents: true
proof: required
`
	reviewedPolicy = `credential: Reviewed
decision: review
keep_documents: 1h
`
	memberDocuments = `{"name":"Jo","age":18}`
)

// under has the world go by policies, with a key for documents.
func under(policies ...string) func(*worldConfig) {
	return func(c *worldConfig) {
		c.furnish = append(c.furnish, func(w *world, i *issuer.Config, _ *httpapi.Config) {
			i.Policies = newPolicies(w.t, policies...)
			i.Vault = newVault(w.t, vault.NewKey())
		})
	}
}

func newPolicies(t *testing.T, texts ...string) *policy.Holder {
	t.Helper()
	dir := t.TempDir()
	for n, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", n)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := policy.NewHolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newVault(t *testing.T, keys ...vault.Key) *vault.Vault {
	t.Helper()
	v, err := vault.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ask asks for a credential with documents, and more fields.
func (w *world) ask(t *testing.T, headers string, subject model.Address, credential, documents, more string) answer {
	t.Helper()
	return w.send(t, post, "/credential", jsonType+"\n"+headers, fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":%s%s}`, subject, credential, documents, more))
}

// waits asks for a credential that a person decides on, and returns the request's id and secret.
func (w *world) waits(t *testing.T, subject model.Address, credential, more string) (id, secret string) {
	t.Helper()
	a := w.ask(t, "", subject, credential, `{"passport":"XK-1234567"}`, more)
	if a.status != http.StatusAccepted || a.str("state") != "waiting" || a.header.Get("Location") != "/request/"+a.str("id") {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	link := a.str("link")
	prefix := "/request/" + a.str("id") + "?secret="
	if len(link) != len(prefix)+32 || link[:len(prefix)] != prefix {
		t.Fatalf("link %q", link)
	}
	return a.str("id"), link[len(prefix):]
}
