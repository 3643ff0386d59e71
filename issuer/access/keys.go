package access

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that a provider may sign with: asymmetric ones, so that a public key can never be taken for a
// shared secret. Which of them are accepted is for the provider to name.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Bounds of RSA keys. Below the first they can be broken, and beyond the second a signature takes long to check.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// signs says whether a public key is of the kind that an algorithm signs with, its curve included.
func signs(key any, algorithm jose.SignatureAlgorithm) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch algorithm {
		case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512:
			return true
		}
	case *ecdsa.PublicKey:
		switch algorithm {
		case jose.ES256:
			return key.Curve == elliptic.P256()
		case jose.ES384:
			return key.Curve == elliptic.P384()
		case jose.ES512:
			return key.Curve == elliptic.P521()
		}
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	}
	return false
}

var errNoKey = errors.New("no public key that signs JWTs")

// readKey reads one key of a provider's set. An error says that it is of no use here: sets also hold keys for encryption,
// and of kinds that are not known here, and these are passed over as RFC 7517 (5) says.
func readKey(text []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil {
		return key, err
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key, errNoKey
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return key, errNoKey
	}
	if key.Use != "" && key.Use != "sig" || !key.Valid() {
		return key, errNoKey
	}
	return key, nil
}
