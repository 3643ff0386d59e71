package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// audience is what the identity provider of this run calls the service.
const audience = "credential-issuer"

// provider is an identity provider on loopback, with keys of this run.
type provider struct {
	issuer string
	rsa    *rsa.PrivateKey
	other  *rsa.PrivateKey // of an attacker
	ec     *ecdsa.PrivateKey
	asked  atomic.Int64
	server *http.Server
}

func newProvider(ctx context.Context) (*provider, error) {
	p := &provider{}
	var err error
	if p.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if p.other, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if p.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.issuer = "http://" + l.Addr().String()
	point, err := p.ec.PublicKey.Bytes() // 04, then both coordinates
	if err != nil {
		return nil, err
	}
	keys := map[string]any{"keys": []any{
		map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": b64(p.rsa.N.Bytes()), "e": b64(big.NewInt(int64(p.rsa.E)).Bytes())},
		map[string]any{"kty": "EC", "use": "sig", "alg": "ES256", "kid": "ec", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
	}}
	mux := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			p.asked.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", answer(map[string]any{"issuer": p.issuer, "jwks_uri": p.issuer + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"}}))
	mux.HandleFunc("/keys", answer(keys))
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// claims are those of a JWT that holds, and gives its bearer a role.
func (p *provider) claims(role string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": p.issuer, "aud": audience, "sub": "attack-run", "iat": now, "exp": now + 600, "roles": []string{role}}
}

// rs256 signs a header and claims, whatever they say.
func rs256(key *rsa.PrivateKey, header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // never, with a key of 2048 bits
	}
	return input + "." + b64(signature)
}

func (p *provider) es256(header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, p.ec, sum[:])
	if err != nil {
		panic(err)
	}
	var raw [64]byte
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return input + "." + b64(raw[:])
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%T is no JSON: %v", v, err)) // maps and texts of this program
	}
	return string(b)
}

// trap is a listener that nobody has any reason to contact.
type trap struct {
	listener  net.Listener
	contacted atomic.Int64
}

func newTrap(ctx context.Context, address string) (*trap, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	t := &trap{listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.contacted.Add(1)
			_ = c.Close()
		}
	}()
	return t, nil
}

func (t *trap) address() string { return t.listener.Addr().String() }

// receiver takes webhooks, and sends whoever comes on to the trap.
type receiver struct {
	url   string
	taken atomic.Int64
}

func newReceiver(ctx context.Context, to *trap) (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + l.Addr().String() + "/hook"}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := r.taken.Add(1)
		http.Redirect(w, req, "http://"+to.address()+"/internal", []int{301, 302, 303, 307, 308}[n%5])
	})}
	go func() { _ = server.Serve(l) }()
	return r, nil
}
