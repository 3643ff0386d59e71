package access

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/xrplissuer/credential-issuer/model"
)

// Leeway is how far this machine's clock and the provider's may be apart: a JWT is believed that long after it expired,
// and that long before it begins to hold.
const Leeway = 30 * time.Second

// Faults of a JWT. They name what is wrong in our own words: until its signature holds, a token is what anybody wrote.
var (
	errJWTForm      = errors.New("it is neither a token of this service nor a JWT of three parts in base64url")
	errJWTHeader    = errors.New("the JWT's header is no JSON object with an alg, names something twice, or has a field of the wrong kind")
	errJWTAlgorithm = errors.New("the JWT is signed with an algorithm that is never accepted")
	errJWTCritical  = errors.New("the JWT's header names extensions that must be understood (crit)")
	errJWTType      = errors.New("the JWT is of another type (typ) than JWT or at+jwt")
	errJWTKey       = errors.New("the JWT is signed by none of the identity provider's keys, with an algorithm that it names")
	errJWTClaims    = errors.New("the JWT's claims are no JSON object, name something twice, or have a field of the wrong kind")
	errJWTIssuer    = errors.New("the JWT is of another issuer")
	errJWTAudience  = errors.New("the JWT is made for another audience")
	errJWTEndless   = errors.New("the JWT never expires (no exp)")
	errJWTExpired   = errors.New("the JWT has expired")
	errJWTEarly     = errors.New("the JWT does not hold yet (nbf, iat)")
	errJWTBound     = errors.New("the JWT is bound to a key (cnf), and is not to be used as a bearer token")
	errJWTDenied    = errors.New("the JWT is denied: by its subject, or its id (issuer token deny)")
	errJWTEvent     = errors.New("the JWT tells of an event, and is not to be used as a bearer token")
)

// jwtHeader is what is looked at of a header. What else one can hold (jwk, jku, x5u, x5c) would say which key to
// believe, and is never asked.
type jwtHeader struct {
	Algorithm jose.SignatureAlgorithm `json:"alg"`
	KeyID     string                  `json:"kid"`
	Type      string                  `json:"typ"`
	Critical  json.RawMessage         `json:"crit"`
	Base64    json.RawMessage         `json:"b64"`
}

// jwtClaims are the registered claims, and those that say that a token is for something else.
type jwtClaims struct {
	jwt.Claims
	Confirmation json.RawMessage `json:"cnf"`    // RFC 7800
	Events       json.RawMessage `json:"events"` // RFC 8417; logout tokens have it too
}

// authenticate says whom a JWT is about, and which role they have, with its claims where it holds.
func (p *provider) authenticate(ctx context.Context, text string) (who model.Principal, claims jwtClaims, err error) {
	head, err := readJWTHeader(text)
	if err != nil {
		return who, claims, unauthorized(err)
	}
	payload, err := p.verify(ctx, head, text)
	if err != nil {
		return who, claims, err
	}
	if claims, err = p.check(payload); err != nil {
		return who, claims, unauthorized(err)
	}
	actor, err := actorOf(claims.Subject)
	if err != nil {
		return who, claims, unauthorized(err)
	}
	var all map[string]any
	if err := json.Unmarshal(payload, &all); err != nil {
		return who, claims, unauthorized(errJWTClaims)
	}
	role := p.roleClaim.strongest(all, p.roles)
	if role == "" {
		return model.Principal{Actor: actor}, claims, &model.Error{Code: model.CodeForbidden, Cause: errors.New("the identity provider gives them no role that stands for one here")}
	}
	return model.Principal{Actor: actor, Role: role}, claims, nil
}

// readJWTHeader looks at what stands before the signature is checked. The decoder of JSON here, unlike the standard
// library's, tells names apart by their case and takes no name twice.
func readJWTHeader(text string) (jwtHeader, error) {
	first, _, _ := strings.Cut(text, ".")
	if strings.Count(text, ".") != 2 {
		return jwtHeader{}, errJWTForm
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil {
		return jwtHeader{}, errJWTForm
	}
	var head jwtHeader
	if err := json.Unmarshal(raw, &head); err != nil || !bytes.HasPrefix(raw, []byte("{")) {
		return jwtHeader{}, errJWTHeader
	}
	switch {
	case !slices.Contains(algorithms, head.Algorithm):
		return jwtHeader{}, errJWTAlgorithm
	case head.Critical != nil || head.Base64 != nil:
		return jwtHeader{}, errJWTCritical
	}
	switch kind := strings.ToLower(head.Type); strings.TrimPrefix(kind, "application/") {
	case "", "jwt", "at+jwt": // at+jwt: RFC 9068
	default:
		return jwtHeader{}, errJWTType
	}
	return head, nil
}

// verify returns what a JWT says, once its signature is one of the provider's. Where it is of none of the keys that are
// known, they are read anew, as far as that may be now.
func (p *provider) verify(ctx context.Context, head jwtHeader, text string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return nil, unauthorized(errJWTForm)
	}
	set, err := p.current(ctx)
	if err != nil {
		return nil, err
	}
	for range 2 {
		for _, key := range set.fitting(head.KeyID, head.Algorithm) {
			if payload, err := signed.Verify(key); err == nil {
				return payload, nil
			}
		}
		newer, err := p.newer(ctx, set)
		if err != nil {
			return nil, err
		}
		if newer == set {
			break
		}
		set = newer
	}
	return nil, unauthorized(errJWTKey)
}

// check reads the claims of a JWT whose signature holds.
func (p *provider) check(payload []byte) (jwtClaims, error) {
	var claims jwtClaims
	if err := json.Unmarshal(payload, &claims); err != nil || !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) {
		return claims, errJWTClaims
	}
	switch err := claims.ValidateWithLeeway(jwt.Expected{Issuer: p.issuer, AnyAudience: jwt.Audience{p.audience}, Time: p.now()}, Leeway); {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return claims, errJWTIssuer
	case errors.Is(err, jwt.ErrInvalidAudience):
		return claims, errJWTAudience
	case errors.Is(err, jwt.ErrExpired):
		return claims, errJWTExpired
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return claims, errJWTEarly
	case err != nil:
		return claims, err
	case claims.Expiry == nil:
		return claims, errJWTEndless
	case claims.Confirmation != nil:
		return claims, errJWTBound
	case claims.Events != nil:
		return claims, errJWTEvent
	}
	return claims, nil
}
