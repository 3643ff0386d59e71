package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestJWTHolds(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	for _, c := range []struct {
		algorithm jose.SignatureAlgorithm
		key       string
	}{
		{jose.RS256, "rsa"}, {jose.RS384, "rsa"}, {jose.RS512, "rsa"}, {jose.PS256, "rsa"}, {jose.PS384, "rsa"}, {jose.PS512, "rsa"},
		{jose.ES256, "p256"}, {jose.ES384, "p384"}, {jose.ES512, "p521"}, {jose.EdDSA, "ed"},
	} {
		for _, kid := range []string{c.key, ""} {
			wantPrincipal(t, a, sign(t, c.algorithm, kid, c.key, nil, p.claims(nil)), alice)
		}
	}
	now := p.clock.now()
	for name, changes := range map[string]map[string]any{
		"a list of audiences":     {"aud": []string{"other", audience}},
		"a list of one":           {"aud": []string{audience}},
		"just expired":            {"exp": now.Add(-Leeway).Unix()},
		"about to begin":          {"nbf": now.Add(Leeway).Unix(), "iat": now.Add(Leeway).Unix()},
		"a fraction of a second":  {"exp": float64(now.Unix()) + 10.5},
		"no iat":                  {"iat": nil},
		"claims nobody looks at":  {"email": "x@example.org", "azp": "other", "ISS": "x", "Exp": 1, "nonce": "n"},
		"more roles than matters": {"realm_access": map[string]any{"roles": []any{"x", "guest", 7, "clerk"}}},
	} {
		if got, err := a.Authenticate(t.Context(), "", bear(sign(t, jose.ES256, "p256", "p256", nil, p.claims(changes)))); err != nil || got != alice {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, kind := range []string{"JWT", "jwt", "at+jwt", "application/at+JWT"} {
		wantPrincipal(t, a, sign(t, jose.RS256, "rsa", "rsa", map[string]any{"typ": kind}, p.claims(nil)), alice)
	}
	wantPrincipal(t, a, sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(map[string]any{"sub": "<script>", "realm_access": map[string]any{"roles": "boss"}})),
		model.Principal{Actor: "jwt:%3Cscript%3E", Role: model.RoleAdmin})
	if n := p.readings(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
}

func TestJWTForbidden(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	for name, access := range map[string]any{
		"none": nil, "no role of ours": map[string]any{"roles": []string{"admin", "reader"}}, "of another form": "boss",
	} {
		got, err := a.Authenticate(t.Context(), "", bear(sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(map[string]any{"realm_access": access}))))
		if model.CodeOf(err) != model.CodeForbidden || got != (model.Principal{Actor: "jwt:alice"}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// One that is denied is refused as any other, also one of somebody without a role; and where nobody can tell, nobody is
// let in.
func TestJWTDenied(t *testing.T) {
	p := newIDP(t)
	tokens := newShelf()
	a := newAuthenticator(t, Config{Tokens: tokens, OIDC: p.config(), Now: p.clock.now})
	ask := func(changes map[string]any) error {
		t.Helper()
		_, err := a.Authenticate(t.Context(), "", bear(sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(changes))))
		return err
	}
	if err := ask(map[string]any{"jti": "x"}); err != nil {
		t.Error(err)
	}
	tokens.denied = map[string]bool{"jti:x": true, "subject:bob": true}
	wantRefused(t, ask(map[string]any{"jti": "x"}), "denied")
	wantRefused(t, ask(map[string]any{"sub": "bob", "realm_access": nil}), "denied")
	for name, changes := range map[string]map[string]any{"another id": {"jti": "y"}, "none": {}, "an id like the subject": {"jti": "bob"}, "a subject like the id": {"sub": "x"}} {
		if err := ask(changes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tokens.fail(&model.Error{Code: model.CodeStoreUnavailable})
	if err := ask(map[string]any{"jti": "y"}); model.CodeOf(err) != model.CodeStoreUnavailable {
		t.Error(err)
	}
}

func TestJWTClaimsRefused(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	now := p.clock.now()
	raw := func(s string) string { return strings.ReplaceAll(s, "ISSUER", p.server.URL) }
	for name, c := range map[string]struct {
		claims any
		cause  string
	}{
		"expired":                {p.claims(map[string]any{"exp": now.Add(-Leeway - time.Second).Unix()}), "expired"},
		"expired long ago":       {p.claims(map[string]any{"exp": -1e15}), "expired"},
		"no exp":                 {p.claims(map[string]any{"exp": nil}), "never expires"},
		"exp null":               {raw(`{"iss":"ISSUER","aud":"credential-issuer","sub":"alice","exp":null}`), "never expires"},
		"exp a text":             {p.claims(map[string]any{"exp": "4102444800"}), "claims"},
		"exp beyond all time":    {raw(`{"iss":"ISSUER","aud":"credential-issuer","sub":"alice","exp":1e300}`), "claims"},
		"not yet":                {p.claims(map[string]any{"nbf": now.Add(Leeway + time.Second).Unix()}), "not hold yet"},
		"from the future":        {p.claims(map[string]any{"iat": now.Add(Leeway + time.Second).Unix()}), "not hold yet"},
		"wrong issuer":           {p.claims(map[string]any{"iss": p.server.URL + "/"}), "issuer"},
		"no issuer":              {p.claims(map[string]any{"iss": nil}), "issuer"},
		"issuer a list":          {p.claims(map[string]any{"iss": []string{p.server.URL}}), "claims"},
		"issuer in capitals":     {raw(`{"ISS":"ISSUER","aud":"credential-issuer","sub":"alice","exp":4102444800}`), "issuer"},
		"wrong audience":         {p.claims(map[string]any{"aud": "other"}), "audience"},
		"wrong audiences":        {p.claims(map[string]any{"aud": []string{"other", audience + "2"}}), "audience"},
		"no audience":            {p.claims(map[string]any{"aud": nil}), "audience"},
		"empty audience":         {p.claims(map[string]any{"aud": []string{}}), "audience"},
		"audience as azp":        {p.claims(map[string]any{"aud": "other", "azp": audience, "client_id": audience}), "audience"},
		"audience of numbers":    {p.claims(map[string]any{"aud": []any{audience, 7}}), "claims"},
		"no subject":             {p.claims(map[string]any{"sub": nil}), "subject"},
		"empty subject":          {p.claims(map[string]any{"sub": ""}), "subject"},
		"subject a number":       {p.claims(map[string]any{"sub": 7}), "claims"},
		"subject too long":       {p.claims(map[string]any{"sub": strings.Repeat("s", 256)}), "subject"},
		"a key bound to it":      {p.claims(map[string]any{"cnf": map[string]any{"jkt": "x"}}), "bound to a key"},
		"a logout token":         {p.claims(map[string]any{"events": map[string]any{}}), "event"},
		"a claim twice":          {raw(`{"iss":"ISSUER","aud":"other","aud":"credential-issuer","sub":"alice","exp":4102444800}`), "claims"},
		"the role claim twice":   {raw(`{"iss":"ISSUER","aud":"credential-issuer","sub":"alice","exp":4102444800,"realm_access":{"roles":"guest","roles":"boss"}}`), "claims"},
		"claims in a list":       {`[]`, "claims"},
		"null":                   {`null`, "claims"},
		"nothing":                {``, "claims"},
		"something behind":       {raw(`{"iss":"ISSUER","aud":"credential-issuer","sub":"alice","exp":4102444800}{}`), "claims"},
		"a text that is no JSON": {`{"iss":`, "claims"},
		"deep":                   {strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500), "issuer"},
	} {
		got, err := a.Authenticate(t.Context(), "", bear(sign(t, jose.RS256, "rsa", "rsa", nil, c.claims)))
		t.Run(name, func(t *testing.T) { wantRefused(t, err, c.cause) })
		if got != (model.Principal{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if n := p.readings(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
}

// TestJWTAttacks are tokens that only somebody makes who has no key of the provider's, or that the provider never made for us.
func TestJWTAttacks(t *testing.T) {
	p := newIDP(t)
	a := p.authenticator(t)
	good := sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(nil))
	wantPrincipal(t, a, good, alice)
	parts := strings.Split(good, ".")
	elsewhere := 0
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(trap.Close)

	hs := func(secret []byte) func([]byte) []byte {
		return func(input []byte) []byte {
			mac := hmac.New(sha256.New, secret)
			_, _ = mac.Write(input)
			return mac.Sum(nil)
		}
	}
	der, err := x509.MarshalPKIXPublicKey(keyring()["rsa"].Public())
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	asJWK, err := json.Marshal(publicJWK(t, "rsa", "rsa"))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := json.Marshal(publicJWK(t, "rsa", "stranger"))
	if err != nil {
		t.Fatal(err)
	}
	nothing := func([]byte) []byte { return nil }
	claims := p.claims(nil)
	for name, c := range map[string]struct{ text, cause string }{
		"none":                          {forge(t, `{"alg":"none","kid":"rsa"}`, claims, nothing), "algorithm"},
		"none, in other letters":        {forge(t, `{"alg":"nOnE","kid":"rsa"}`, claims, nothing), "algorithm"},
		"none, with a signature":        {forge(t, `{"alg":"none","kid":"rsa"}`, claims, rs256(t)), "algorithm"},
		"no algorithm":                  {forge(t, `{"kid":"rsa"}`, claims, rs256(t)), "algorithm"},
		"HS256 with the public key":     {forge(t, `{"alg":"HS256","kid":"rsa"}`, claims, hs(asPEM)), "algorithm"},
		"HS256 with its DER":            {forge(t, `{"alg":"HS256","kid":"rsa"}`, claims, hs(der)), "algorithm"},
		"HS256 with its JWK":            {forge(t, `{"alg":"HS256","kid":"rsa"}`, claims, hs(asJWK)), "algorithm"},
		"HS256 with nothing":            {forge(t, `{"alg":"HS256","kid":"rsa"}`, claims, hs(nil)), "algorithm"},
		"rs256 in small letters":        {forge(t, `{"alg":"rs256","kid":"rsa"}`, claims, rs256(t)), "algorithm"},
		"ES256K":                        {forge(t, `{"alg":"ES256K","kid":"p256"}`, claims, rs256(t)), "algorithm"},
		"two algorithms":                {forge(t, `{"alg":"RS256","alg":"none","kid":"rsa"}`, claims, rs256(t)), "twice"},
		"ALG in capitals":               {forge(t, `{"ALG":"RS256","kid":"rsa"}`, claims, rs256(t)), "algorithm"},
		"algorithm a list":              {forge(t, `{"alg":["RS256"],"kid":"rsa"}`, claims, rs256(t)), "header"},
		"header a list":                 {forge(t, `[]`, claims, rs256(t)), "header"},
		"header null":                   {forge(t, `null`, claims, rs256(t)), "header"},
		"header empty":                  {forge(t, ``, claims, rs256(t)), "header"},
		"kid a number":                  {forge(t, `{"alg":"RS256","kid":7}`, claims, rs256(t)), "header"},
		"kid twice":                     {forge(t, `{"alg":"RS256","kid":"rsa","kid":"p256"}`, claims, rs256(t)), "twice"},
		"critical":                      {forge(t, `{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}`, claims, rs256(t)), "crit"},
		"critical, understood":          {forge(t, `{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":true}`, claims, rs256(t)), "crit"},
		"critical, empty":               {forge(t, `{"alg":"RS256","kid":"rsa","crit":[]}`, claims, rs256(t)), "crit"},
		"critical, null":                {forge(t, `{"alg":"RS256","kid":"rsa","crit":null}`, claims, rs256(t)), "crit"},
		"not in base64":                 {forge(t, `{"alg":"RS256","kid":"rsa","b64":false}`, claims, rs256(t)), "crit"},
		"a logout token":                {forge(t, `{"alg":"RS256","kid":"rsa","typ":"logout+jwt"}`, claims, rs256(t)), "type"},
		"a DPoP proof":                  {forge(t, `{"alg":"RS256","kid":"rsa","typ":"dpop+jwt"}`, claims, rs256(t)), "type"},
		"a type of no kind":             {forge(t, `{"alg":"RS256","kid":"rsa","typ":7}`, claims, rs256(t)), "header"},
		"a key of its own":              {sign(t, jose.RS256, "", "stranger", map[string]any{"jwk": json.RawMessage(stranger)}, claims), "none of the identity provider's keys"},
		"a key of its own, under a kid": {sign(t, jose.RS256, "rsa", "stranger", map[string]any{"jwk": json.RawMessage(stranger)}, claims), "none of the identity provider's keys"},
		"a private key in it":           {forge(t, `{"alg":"RS256","kid":"rsa","jwk":{"kty":"oct","k":"AAAA"}}`, claims, rs256(t)), ""},
		"jku":                           {sign(t, jose.RS256, "k", "stranger", map[string]any{"jku": trap.URL}, claims), "none of the identity provider's keys"},
		"x5u":                           {sign(t, jose.RS256, "k", "stranger", map[string]any{"x5u": trap.URL}, claims), "none of the identity provider's keys"},
		"kid a path":                    {sign(t, jose.RS256, "../../../../dev/null", "stranger", nil, claims), "none of the identity provider's keys"},
		"kid a URL":                     {sign(t, jose.RS256, trap.URL, "stranger", nil, claims), "none of the identity provider's keys"},
		"kid an SQL":                    {sign(t, jose.RS256, "' UNION SELECT 'x", "stranger", nil, claims), "none of the identity provider's keys"},
		"kid of 4 KiB":                  {sign(t, jose.RS256, strings.Repeat("k", 4096), "stranger", nil, claims), "none of the identity provider's keys"},
		"another's key":                 {sign(t, jose.RS256, "rsa", "stranger", nil, claims), "none of the identity provider's keys"},
		"another's key, no kid":         {sign(t, jose.RS256, "", "stranger", nil, claims), "none of the identity provider's keys"},
		"the kid of another kind":       {sign(t, jose.ES256, "rsa", "p256", nil, claims), "none of the identity provider's keys"},
		"the kid of another curve":      {sign(t, jose.ES256, "p384", "p256", nil, claims), "none of the identity provider's keys"},
		"RS256 said to be PS256":        {forge(t, `{"alg":"PS256","kid":"rsa"}`, claims, rs256(t)), "none of the identity provider's keys"},
		"RS256 said to be RS512":        {forge(t, `{"alg":"RS512","kid":"rsa"}`, claims, rs256(t)), "none of the identity provider's keys"},
		"RS256 said to be EdDSA":        {forge(t, `{"alg":"EdDSA","kid":"rsa"}`, claims, rs256(t)), "none of the identity provider's keys"},
		"zeros for ES256":               {forge(t, `{"alg":"ES256","kid":"p256"}`, claims, func([]byte) []byte { return make([]byte, 64) }), "none of the identity provider's keys"},
		"no signature":                  {parts[0] + "." + parts[1] + ".", "none of the identity provider's keys"},
		"half a signature":              {parts[0] + "." + parts[1] + "." + parts[2][:100], "none of the identity provider's keys"},
		"other claims":                  {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"boss"}`)) + "." + parts[2], "none of the identity provider's keys"},
		"two parts":                     {parts[0] + "." + parts[1], "neither"},
		"four parts":                    {good + ".", "neither"},
		"five parts, as encrypted ones": {good + ".a.b", "neither"},
		"dots":                          {"a.b.c", "neither"},
		"padded":                        {parts[0] + "=." + parts[1] + "." + parts[2], ""},
		"no JWT":                        {"nonsense", "neither"},
		"too long":                      {sign(t, jose.RS256, "rsa", "rsa", nil, p.claims(map[string]any{"pad": strings.Repeat("x", MaxTokenBytes)})), "longer"},
		"a header of JSON that is huge": {forge(t, `{"alg":"RS256","kid":"rsa","x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)+`}`, claims, nothing), ""},
	} {
		got, err := a.Authenticate(t.Context(), "", bear(c.text))
		t.Run(name, func(t *testing.T) { wantRefused(t, err, c.cause) })
		if got != (model.Principal{}) {
			t.Errorf("%s: %+v", name, got)
		}
		if err != nil && len(c.text) > 40 && strings.Contains(err.Error(), c.text[len(c.text)-40:]) {
			t.Errorf("%s: the error holds the token", name)
		}
	}
	if elsewhere != 0 {
		t.Errorf("%d requests to where a token said that its key is", elsewhere)
	}
	if n := p.readings(); n > 1 {
		t.Errorf("the keys were read %d times", n)
	}
	// What a header says beside what counts is passed over where the signature is the provider's.
	wantPrincipal(t, a, sign(t, jose.RS256, "rsa", "rsa", map[string]any{"jku": trap.URL, "x5t": "x"}, claims), alice)
}

// TestJWTOfAnAlgorithmNotNamed: the provider says with what it signs, and nothing else is taken.
func TestJWTOfAnAlgorithmNotNamed(t *testing.T) {
	for _, c := range []struct {
		named any
		want  map[jose.SignatureAlgorithm]bool
	}{
		{[]string{"ES256", "HS256", "none"}, map[jose.SignatureAlgorithm]bool{jose.ES256: true}},
		{nil, map[jose.SignatureAlgorithm]bool{jose.RS256: true}}, // OpenID Connect Discovery (3): RS256 must be supported
	} {
		p := newIDP(t)
		p.configuration["id_token_signing_alg_values_supported"] = c.named
		a := p.authenticator(t)
		for algorithm, key := range map[jose.SignatureAlgorithm]string{jose.RS256: "rsa", jose.PS256: "rsa", jose.ES256: "p256", jose.EdDSA: "ed"} {
			got, err := a.Authenticate(t.Context(), "", bear(sign(t, algorithm, key, key, nil, p.claims(nil))))
			if c.want[algorithm] != (err == nil && got == alice) {
				t.Errorf("%v: %s: %+v, %v", c.named, algorithm, got, err)
			}
		}
	}
}

// TestJWTKeysThatDoNotSign: keys for encryption, weak ones, secret ones and unknown kinds are passed over, and the set
// is of use all the same.
func TestJWTKeysThatDoNotSign(t *testing.T) {
	p := newIDP(t)
	encrypts := publicJWK(t, "rsa", "rsa")
	encrypts["use"] = "enc"
	narrow := publicJWK(t, "narrow", "rsa")
	narrow["alg"] = "RS512"
	broken := publicJWK(t, "broken", "rsa")
	broken["n"] = 7
	p.keys = []map[string]any{
		encrypts, narrow, broken, publicJWK(t, "weak", "weak"), {"kty": "oct", "kid": "hs", "k": "AAAA"}, {"kty": "OKP", "crv": "Ed448", "x": "AA"}, {}, {"kty": "new"},
		publicJWK(t, "p256", "p256"),
	}
	a := p.authenticator(t)
	wantPrincipal(t, a, sign(t, jose.ES256, "p256", "p256", nil, p.claims(nil)), alice)
	wantPrincipal(t, a, sign(t, jose.RS512, "narrow", "rsa", nil, p.claims(nil)), alice)
	for _, c := range []struct {
		algorithm jose.SignatureAlgorithm
		kid, key  string
	}{{jose.RS256, "rsa", "rsa"}, {jose.RS256, "narrow", "rsa"}, {jose.RS256, "weak", "weak"}, {jose.RS256, "broken", "rsa"}} {
		_, err := a.Authenticate(t.Context(), "", bear(sign(t, c.algorithm, c.kid, c.key, nil, p.claims(nil))))
		wantRefused(t, err, "none of the identity provider's keys")
	}
}

func FuzzJWT(f *testing.F) {
	p := &provider{issuer: "https://id.example", audience: audience, now: func() time.Time { return start }}
	for _, header := range []string{`{"alg":"RS256"}`, `{"alg":"none"}`, `{"alg":"ES256","kid":"k","typ":"at+jwt"}`, `{"alg":"RS256","crit":["a"]}`, `{"alg":"RS256","alg":"RS256"}`, `[]`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(header))+".e30.AA", `{"iss":"https://id.example","aud":"credential-issuer","sub":"a","exp":4102444800}`)
	}
	f.Add("a.b.c", `{"aud":["a"],"exp":1e99}`)
	f.Fuzz(func(t *testing.T, text, payload string) {
		if head, err := readJWTHeader(text); err == nil {
			if strings.HasPrefix(string(head.Algorithm), "HS") || strings.EqualFold(string(head.Algorithm), "none") || head.Critical != nil {
				t.Errorf("%q: %+v", text, head)
			}
			if signed, err := jose.ParseSignedCompact(text, algorithms); err == nil && signed.Signatures[0].Header.Algorithm != string(head.Algorithm) {
				t.Errorf("%q is %s to us and %s to the library", text, head.Algorithm, signed.Signatures[0].Header.Algorithm)
			}
		}
		claims, err := p.check([]byte(payload))
		if err != nil {
			return
		}
		if claims.Expiry == nil || claims.Expiry.Time().Add(Leeway).Before(start) || claims.Issuer != p.issuer || !claims.Audience.Contains(audience) {
			t.Errorf("%q: %+v", payload, claims)
		}
		if actor, err := actorOf(claims.Subject); err == nil && (len(actor) > maxActor || strings.ContainsFunc(actor, func(r rune) bool { return r <= ' ' || r > '~' })) {
			t.Errorf("actor %q", actor)
		}
	})
}

// TestSigns: the library holds keys and algorithms apart as well; this does not rest on it.
func TestSigns(t *testing.T) {
	families := map[string]string{"rsa": "RS256 RS384 RS512 PS256 PS384 PS512", "p256": "ES256", "p384": "ES384", "p521": "ES512", "ed": "EdDSA"}
	for name, family := range families {
		for _, algorithm := range append([]jose.SignatureAlgorithm{jose.HS256, "none", ""}, algorithms...) {
			want := algorithm != "" && strings.Contains(family, string(algorithm))
			if signs(keyring()[name].Public(), algorithm) != want {
				t.Errorf("a key of %s, and %s: want %v", name, algorithm, want)
			}
		}
	}
	if signs([]byte("secret"), jose.HS256) || signs(keyring()["rsa"], jose.RS256) {
		t.Error("a secret key is taken for a public one")
	}
}
