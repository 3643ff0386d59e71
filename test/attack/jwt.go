package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"net/http"
	"strings"
	"time"
)

var jwts = []attack{
	{name: "JWT forged", on: onPlain, run: forgedJWTs},
	{name: "JWT of unknown keys, a flood", on: onPlain, run: unknownKeys},
	{name: "JWT while its provider is silent", on: onTLS, may: []int{http.StatusServiceUnavailable}, run: silentProvider},
}

func hs(h func() hash.Hash, key []byte, header, claims string) string {
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	mac := hmac.New(h, key)
	_, _ = mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

// with returns claims that differ in one; nil leaves it out.
func with(claims map[string]any, name string, value any) string {
	c := map[string]any{}
	for k, v := range claims {
		c[k] = v
	}
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return text(c)
}

func forgedJWTs(ctx context.Context, r *round) error {
	p := r.w.provider
	claims := p.claims("admin")
	good := text(claims)
	const rs, es = `{"alg":"RS256","kid":"rsa","typ":"JWT"}`, `{"alg":"ES256","kid":"ec"}`
	// First that a good one is let in, as far as its role goes: else refusing is no art.
	for name, jwt := range map[string]string{"RS256": rs256(p.rsa, rs, text(p.claims("reader"))), "ES256": p.es256(es, text(p.claims("reader")))} {
		r.w.keep("a JWT", jwt[strings.LastIndexByte(jwt, '.')+1:][:40], false)
		a, err := r.send(ctx, http.MethodGet, "/admin/status", "", bearer(jwt))
		r.expect("a good one, "+name, a, err, http.StatusOK)
		a, err = r.send(ctx, http.MethodGet, "/admin/audit", "", bearer(jwt))
		r.expect("a reader's, for the audit log", a, err, http.StatusForbidden)
	}
	der, err := x509.MarshalPKIXPublicKey(&p.rsa.PublicKey)
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&p.rsa.PublicKey)})
	jwk := func() map[string]any {
		return map[string]any{"kty": "RSA", "n": b64(p.other.N.Bytes()), "e": b64(big.NewInt(int64(p.other.E)).Bytes()), "alg": "RS256", "use": "sig"}
	}
	trap := "http://" + r.w.trap.address()
	now := time.Now().Unix()
	valid := rs256(p.rsa, rs, good)
	parts := strings.Split(valid, ".")
	forged := map[string]string{
		"none":                    b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + b64([]byte(good)) + ".",
		"none, with a signature":  b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(good)) + "." + parts[2],
		"None":                    b64([]byte(`{"alg":"None"}`)) + "." + b64([]byte(good)) + ".",
		"nOnE":                    b64([]byte(`{"alg":"nOnE","kid":"rsa"}`)) + "." + b64([]byte(good)) + ".AA",
		"no alg":                  rs256(p.rsa, `{"kid":"rsa"}`, good),
		"alg empty":               rs256(p.rsa, `{"alg":"","kid":"rsa"}`, good),
		"alg null":                rs256(p.rsa, `{"alg":null,"kid":"rsa"}`, good),
		"alg a list":              rs256(p.rsa, `{"alg":["RS256","none"],"kid":"rsa"}`, good),
		"alg twice":               rs256(p.rsa, `{"alg":"none","alg":"RS256","kid":"rsa"}`, good),
		"Alg":                     rs256(p.rsa, `{"Alg":"RS256","kid":"rsa"}`, good),
		"ALG none beside alg":     rs256(p.other, `{"alg":"RS256","ALG":"none","kid":"rsa"}`, good),
		"rs256":                   rs256(p.rsa, `{"alg":"rs256","kid":"rsa"}`, good),
		"no signature":            parts[0] + "." + parts[1] + ".",
		"two parts":               parts[0] + "." + parts[1],
		"four parts":              valid + ".AA",
		"JWE's five parts":        valid + "." + parts[1] + "." + parts[2],
		"signature cut":           valid[:len(valid)-4],
		"signature of another":    parts[0] + "." + parts[1] + "." + strings.Split(rs256(p.rsa, rs, text(p.claims("reader"))), ".")[2],
		"claims of another":       parts[0] + "." + b64([]byte(with(claims, "sub", "root"))) + "." + parts[2],
		"padded base64":           parts[0] + "=." + parts[1] + "." + parts[2],
		"base64 with +/":          base64.RawStdEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"rsa","x":"???>>>"}`)) + "." + parts[1] + "." + parts[2],
		"HS256, the public key":   hs(sha256.New, public, `{"alg":"HS256","kid":"rsa"}`, good),
		"HS256, PKCS 1":           hs(sha256.New, pkcs1, `{"alg":"HS256","kid":"rsa"}`, good),
		"HS256, DER":              hs(sha256.New, der, `{"alg":"HS256","kid":"rsa"}`, good),
		"HS256, the modulus":      hs(sha256.New, p.rsa.N.Bytes(), `{"alg":"HS256","kid":"rsa"}`, good),
		"HS512, the public key":   hs(sha512.New, public, `{"alg":"HS512","kid":"rsa"}`, good),
		"HS256, no key":           hs(sha256.New, nil, `{"alg":"HS256"}`, good),
		"RS256 under the EC key":  rs256(p.rsa, `{"alg":"RS256","kid":"ec"}`, good),
		"ES256 under the RSA key": p.es256(`{"alg":"ES256","kid":"rsa"}`, good),
		"PS256 over RS256":        rs256(p.rsa, `{"alg":"PS256","kid":"rsa"}`, good),
		"RS512 over RS256":        rs256(p.rsa, `{"alg":"RS512","kid":"rsa"}`, good),
		"ES256 of zeros":          b64([]byte(es)) + "." + b64([]byte(good)) + "." + b64(make([]byte, 64)),
		"another's key":           rs256(p.other, rs, good),
		"jwk":                     rs256(p.other, text(map[string]any{"alg": "RS256", "jwk": jwk()}), good),
		"jwk, known kid":          rs256(p.other, text(map[string]any{"alg": "RS256", "kid": "rsa", "jwk": jwk()}), good),
		"jku":                     rs256(p.other, text(map[string]any{"alg": "RS256", "kid": "mine", "jku": trap + "/keys"}), good),
		"jku beside the issuer":   rs256(p.other, text(map[string]any{"alg": "RS256", "jku": p.issuer + "@" + r.w.trap.address() + "/keys"}), good),
		"x5u":                     rs256(p.other, text(map[string]any{"alg": "RS256", "x5u": trap + "/chain.pem"}), good),
		"x5c":                     rs256(p.other, text(map[string]any{"alg": "RS256", "x5c": []string{base64.StdEncoding.EncodeToString(der)}}), good),
		"x5t":                     rs256(p.other, text(map[string]any{"alg": "RS256", "x5t": "AAAA", "kid": "rsa"}), good),
		"kid a path":              rs256(p.other, `{"alg":"RS256","kid":"../../../../dev/null"}`, good),
		"kid of an empty file":    hs(sha256.New, nil, `{"alg":"HS256","kid":"/dev/null"}`, good),
		"kid SQL":                 rs256(p.other, `{"alg":"RS256","kid":"x' UNION SELECT 'AA'; --"}`, good),
		"kid a command":           rs256(p.other, `{"alg":"RS256","kid":"|curl `+trap+`"}`, good),
		"kid a URL":               rs256(p.other, `{"alg":"RS256","kid":"`+trap+`/key"}`, good),
		"kid a number":            rs256(p.rsa, `{"alg":"RS256","kid":1}`, good),
		"kid 7 KB":                rs256(p.other, `{"alg":"RS256","kid":"`+strings.Repeat("k", 4000)+`"}`, good),
		"crit":                    rs256(p.rsa, `{"alg":"RS256","kid":"rsa","crit":["exp"]}`, good),
		"b64 false":               rs256(p.rsa, `{"alg":"RS256","kid":"rsa","b64":false}`, good),
		"zip":                     rs256(p.other, `{"alg":"RS256","kid":"rsa","zip":"DEF"}`, good),
		"another typ":             rs256(p.rsa, `{"alg":"RS256","kid":"rsa","typ":"secevent+jwt"}`, good),
		"header no object":        rs256(p.rsa, `["RS256"]`, good),
		"header nested deep":      rs256(p.rsa, `{"alg":"RS256","kid":"rsa","x":`+strings.Repeat(`[`, 1500)+strings.Repeat(`]`, 1500)+`}`, good[:1]),
		"claims no object":        rs256(p.rsa, rs, `"admin"`),
		"claims a list":           rs256(p.rsa, rs, `[`+good+`]`),
		"claims nested deep":      rs256(p.rsa, rs, strings.Repeat(`{"a":`, 700)+`1`+strings.Repeat(`}`, 700)),
		"claims with a tail":      rs256(p.rsa, rs, good+good),
		"claims empty":            rs256(p.rsa, rs, ``),
		"sub twice":               rs256(p.rsa, rs, strings.Replace(good, `{`, `{"sub":"first",`, 1)),
		"exp twice":               rs256(p.rsa, rs, strings.Replace(good, `{`, `{"exp":1,`, 1)),
		"expired":                 rs256(p.rsa, rs, with(claims, "exp", now-60)),
		"exp 0":                   rs256(p.rsa, rs, with(claims, "exp", 0)),
		"exp negative":            rs256(p.rsa, rs, with(claims, "exp", -1)),
		"exp 1e400":               rs256(p.rsa, rs, with(claims, "exp", json.RawMessage("1e400"))),
		"exp a text":              rs256(p.rsa, rs, with(claims, "exp", "never")),
		"no exp":                  rs256(p.rsa, rs, with(claims, "exp", nil)),
		"not yet":                 rs256(p.rsa, rs, with(claims, "nbf", now+600)),
		"issued tomorrow":         rs256(p.rsa, rs, with(claims, "iat", now+86400)),
		"another issuer":          rs256(p.rsa, rs, with(claims, "iss", "https://evil.example")),
		"issuer with a slash":     rs256(p.rsa, rs, with(claims, "iss", p.issuer+"/")),
		"issuer a list":           rs256(p.rsa, rs, with(claims, "iss", []string{p.issuer})),
		"no issuer":               rs256(p.rsa, rs, with(claims, "iss", nil)),
		"another audience":        rs256(p.rsa, rs, with(claims, "aud", "another-service")),
		"audience in capitals":    rs256(p.rsa, rs, with(claims, "aud", strings.ToUpper(audience))),
		"no audience":             rs256(p.rsa, rs, with(claims, "aud", nil)),
		"audience empty":          rs256(p.rsa, rs, with(claims, "aud", []string{})),
		"no subject":              rs256(p.rsa, rs, with(claims, "sub", nil)),
		"subject 300 letters":     rs256(p.rsa, rs, with(claims, "sub", strings.Repeat("s", 300))),
		"bound to a key":          rs256(p.rsa, rs, with(claims, "cnf", map[string]any{"jkt": "x"})),
		"a logout token":          rs256(p.rsa, rs, with(claims, "events", map[string]any{})),
		"9 KB":                    rs256(p.rsa, rs, with(claims, "x", strings.Repeat("x", 9000))),
		"dots":                    strings.Repeat(".", 8000),
		"base64 of nothing":       "e30.e30.e30",
	}
	for name, jwt := range forged {
		for _, call := range [][2]string{{http.MethodGet, "/admin/audit"}, {http.MethodPost, "/admin/credential/batch"}} {
			r.refuse(ctx, name, []int{http.StatusUnauthorized, http.StatusRequestHeaderFieldsTooLarge, http.StatusBadRequest}, call[0], call[1], "", bearer(jwt))
		}
	}
	for name, value := range map[string]any{"no role": nil, "an unknown role": []string{"root"}, "role an object": map[string]any{"admin": true}, "Admin": "Admin", "roles in one text": "reader admin", "role 1": 1} {
		r.refuse(ctx, name, []int{http.StatusForbidden}, http.MethodGet, "/admin/status", "", bearer(rs256(p.rsa, rs, with(claims, "roles", value))))
	}
	return nil
}

// fetchEvery is how often, at most, keys are read anew; a reading is two requests.
const fetchEvery = 10 * time.Second

func unknownKeys(ctx context.Context, r *round) error {
	p := r.w.provider
	began, before := time.Now(), p.asked.Load()
	atOnce(16, r.many(2000), func(i int) {
		jwt := rs256(p.other, fmt.Sprintf(`{"alg":"RS256","kid":"unknown-%d"}`, i), text(p.claims("admin")))
		a, err := r.send(ctx, http.MethodGet, "/admin/status", "", bearer(jwt))
		r.expect("an unknown key", a, err, http.StatusUnauthorized)
	})
	asked, most := p.asked.Load()-before, 2*(int64(time.Since(began)/fetchEvery)+1)
	if asked > most {
		r.fault("the provider was asked %d times in %v", asked, time.Since(began))
	}
	r.note("the provider was asked %d times", asked)
	return nil
}

// silentProvider shows JWTs to a service whose provider does not answer: who they are of cannot be known.
func silentProvider(ctx context.Context, r *round) error {
	p := r.w.provider
	jwt := rs256(p.rsa, `{"alg":"RS256","kid":"rsa"}`, text(p.claims("admin")))
	for range r.many(50) {
		r.refuse(ctx, "a JWT", []int{http.StatusServiceUnavailable}, http.MethodGet, "/admin/status", "", bearer(jwt))
		r.refuse(ctx, "none", []int{http.StatusUnauthorized}, http.MethodGet, "/admin/status", "", bearer(b64([]byte(`{"alg":"none"}`))+".e30."))
	}
	a, err := r.send(ctx, http.MethodGet, "/admin/status", "", bearer(r.tokens["reader"]))
	r.expect("a token of our own meanwhile", a, err, http.StatusOK)
	return nil
}
