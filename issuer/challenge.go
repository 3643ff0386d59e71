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
	nonceMAC    = 16
	nonceLen    = 8 + nonceRandom + nonceMAC
)

// Challenge returns what a subject signs to show that they hold its key. Nothing is stored: the nonce carries its own end and
// a MAC over the subject, so that asking for many costs nothing; what is stored is that one was used. Error code:
// storeUnavailable.
func (i *Issuer) Challenge(ctx context.Context, subject model.Address) (model.Challenge, error) {
	secret, err := i.cfg.Journal.Secret(ctx, challengeSecret)
	if err != nil {
		return model.Challenge{}, err
	}
	expires := i.cfg.Now().Add(ChallengeTime).Truncate(time.Second)
	nonce := make([]byte, 8+nonceRandom, nonceLen)
	binary.BigEndian.PutUint64(nonce, uint64(expires.Unix()))
	_, _ = rand.Read(nonce[8:])
	nonce = append(nonce, i.nonceMAC(secret, subject, nonce)...)
	return i.challenge(subject, base64.RawURLEncoding.EncodeToString(nonce), expires), nil
}

func (i *Issuer) challenge(subject model.Address, nonce string, expires time.Time) model.Challenge {
	return model.Challenge{Issuer: i.cfg.Account, Subject: subject, Nonce: nonce, Expires: expires.UTC()}
}

func (i *Issuer) nonceMAC(secret [32]byte, subject model.Address, head []byte) []byte {
	mac := hmac.New(sha256.New, secret[:])
	_, _ = fmt.Fprintf(mac, "challenge 1 %s %s ", i.cfg.Account, subject) // addresses have no spaces
	_, _ = mac.Write(head)
	return mac.Sum(nil)[:nonceMAC]
}

// prove checks that whoever asked holds the subject's key, and returns the nonce that is to be spent with what they asked
// for. Error codes: proofRefused, ledgerUnavailable, storeUnavailable.
func (i *Issuer) prove(ctx context.Context, subject model.Address, p model.Proof) (*model.SpentNonce, error) {
	secret, err := i.cfg.Journal.Secret(ctx, challengeSecret)
	if err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.Nonce)
	if err != nil || len(raw) != nonceLen || !hmac.Equal(raw[8+nonceRandom:], i.nonceMAC(secret, subject, raw[:8+nonceRandom])) {
		return nil, refusedProof("the nonce must be that of a challenge for this subject", err)
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(raw)), 0)
	if now := i.cfg.Now(); !now.Before(expires) {
		return nil, refusedProof("the challenge expired at "+expires.UTC().Format(time.RFC3339), nil)
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	message := i.challenge(subject, p.Nonce, expires).Message()
	if err := i.cfg.Ledger.CheckProof(ctx, subject, p.PublicKey, p.Signature, []byte(message)); err != nil {
		return nil, unavailable(err)
	}
	return &model.SpentNonce{Nonce: p.Nonce, Expires: expires}, nil
}

func refusedProof(why string, cause error) error {
	if cause == nil {
		cause = errors.New(why)
	}
	return &model.Error{Code: model.CodeProofRefused, Message: "the proof does not hold: " + why + "; ask for a new challenge", Cause: cause}
}
