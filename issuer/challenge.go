package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// ChallengeTime is how long a challenge can be answered.
	ChallengeTime = 5 * time.Minute
	// challengeSecret names the secret that nonces are made with; all replicas share it.
	challengeSecret = "challenges"

	nonceRandom = 16
	nonceMACLen = 16
	nonceLen    = 8 + nonceRandom + nonceMACLen
)

// Challenge returns what the subject of a request signs to consent to it; c names subject, type, renewal and the request's digest.
// Nothing is stored: the nonce carries its own end and a MAC over these, so that asking for many costs nothing; what is stored is
// that one was used. Error code: storeUnavailable.
func (i *Issuer) Challenge(ctx context.Context, c model.Challenge) (model.Challenge, error) {
	secret, err := i.cfg.Journal.Secret(ctx, challengeSecret)
	if err != nil {
		return model.Challenge{}, err
	}
	if c.Network, err = i.networkID(ctx); err != nil {
		return model.Challenge{}, err
	}
	c.Issuer, c.Expires = i.cfg.Account, i.cfg.Now().Add(ChallengeTime).Truncate(time.Second).UTC()
	nonce := make([]byte, 8+nonceRandom, nonceLen)
	binary.BigEndian.PutUint64(nonce, uint64(c.Expires.Unix()))
	_, _ = rand.Read(nonce[8:])
	nonce = append(nonce, nonceMAC(secret, c, nonce)...)
	c.Nonce = base64.RawURLEncoding.EncodeToString(nonce)
	return c, nil
}

// networkID is that of the ledger that credentials are issued on.
func (i *Issuer) networkID(ctx context.Context) (uint32, error) {
	if i.cfg.NetworkID == nil {
		return 0, nil
	}
	return i.cfg.NetworkID(ctx)
}

// nonceMAC binds a nonce to everything that its challenge names.
func nonceMAC(secret [32]byte, c model.Challenge, head []byte) []byte {
	mac := hmac.New(sha256.New, secret[:])
	_, _ = fmt.Fprintf(mac, "challenge 2 %s %s %d %x %t %s ", c.Issuer, c.Subject, c.Network, string(c.Type), c.Renew, c.Request) // no part has spaces
	_, _ = mac.Write(head)
	return mac.Sum(nil)[:nonceMACLen]
}

// prove checks that the holder of the subject's key consented to exactly this request, and returns the nonce to be spent with it.
// The signed message is derived from the request itself, so that a proof for another request is never valid. Error codes:
// proofRefused, ledgerUnavailable, storeUnavailable.
func (i *Issuer) prove(ctx context.Context, r model.CredentialRequest) (*model.SpentNonce, error) {
	secret, err := i.cfg.Journal.Secret(ctx, challengeSecret)
	if err != nil {
		return nil, err
	}
	network, err := i.networkID(ctx)
	if err != nil {
		return nil, err
	}
	p := r.Proof
	c := model.Challenge{Issuer: i.cfg.Account, Subject: r.Subject, Network: network, Type: r.Type, Renew: r.Renew, Request: r.Digest, Nonce: p.Nonce}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.Nonce)
	if err != nil || len(raw) != nonceLen || !hmac.Equal(raw[8+nonceRandom:], nonceMAC(secret, c, raw[:8+nonceRandom])) {
		return nil, refusedProof("the nonce must be that of a challenge for this subject and this request, "+
			"unchanged (subject, credential, renew, and the request_hash of everything but the proof)", err)
	}
	c.Expires = time.Unix(int64(binary.BigEndian.Uint64(raw)), 0).UTC()
	if now := i.cfg.Now(); !now.Before(c.Expires) {
		return nil, refusedProof("the challenge expired at "+c.Expires.Format(time.RFC3339), nil)
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	if err := i.cfg.Ledger.CheckProof(ctx, r.Subject, p.PublicKey, p.Signature, []byte(c.Message())); err != nil {
		return nil, unavailable(err)
	}
	return &model.SpentNonce{Nonce: p.Nonce, Expires: c.Expires}, nil
}

func refusedProof(why string, cause error) error {
	if cause == nil {
		cause = errors.New(why)
	}
	return &model.Error{Code: model.CodeProofRefused, Message: "the proof does not hold: " + why + "; ask for a new challenge", Cause: cause}
}
