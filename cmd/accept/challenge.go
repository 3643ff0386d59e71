package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
)

// challenge asks for what is to be signed for a request. want has its subject, type, renewal and digest; its Issuer is the only one
// accepted, or empty for any.
func (s *service) challenge(ctx context.Context, want model.Challenge) (model.Challenge, error) {
	body, err := json.Marshal(struct {
		Subject    model.Address        `json:"subject"`
		Credential model.CredentialType `json:"credential"`
		Renew      bool                 `json:"renew,omitempty"`
		Request    string               `json:"request_hash"`
	}{want.Subject, want.Type, want.Renew, want.Request})
	if err != nil {
		return model.Challenge{}, err
	}
	a, err := s.ask(ctx, http.MethodPost, "/challenge", nil, body, 0)
	if err != nil {
		return model.Challenge{}, err
	}
	c, err := readChallenge(a.body, want)
	if err != nil {
		return c, &model.Error{Code: codeOddChallenge, Cause: err,
			Message: fmt.Sprintf("nothing was signed: the challenge of %s is not for this request of %s (%v)", s.url, want.Subject, err)}
	}
	return c, nil
}

// readChallenge takes issuer, network, nonce and expiry from a challenge and composes the message itself: what is signed is always the text of
// [model.Challenge] about the request that this program sends.
func readChallenge(body []byte, want model.Challenge) (model.Challenge, error) {
	var a struct {
		Subject, Issuer, Nonce, Message, Expires string
		Network                                  uint32 `json:"network_id"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return model.Challenge{}, errors.New("it is not of the form of one")
	}
	c := want
	c.Network = a.Network
	if a.Subject != string(want.Subject) {
		return c, errors.New("it is for another account")
	}
	var err error
	if c.Issuer, err = model.ParseAddress(a.Issuer); err != nil {
		return c, fmt.Errorf("its issuer %w", err)
	}
	if want.Issuer != "" && c.Issuer != want.Issuer {
		return c, fmt.Errorf("it is for a credential of %s, and --issuer is %s", c.Issuer, want.Issuer)
	}
	if c.Nonce, err = model.ParseNonce(a.Nonce); err != nil {
		return c, fmt.Errorf("its nonce %w", err)
	}
	if c.Expires, err = time.Parse(time.RFC3339, a.Expires); err != nil {
		return c, errors.New("its expiry is no time")
	}
	if a.Message != c.Message() {
		return c, errors.New("its message is another one than this request and its fields make")
	}
	return c, nil
}

// proof is a [model.Proof] as requests carry it.
type proof struct {
	Nonce     string `json:"nonce"`
	PublicKey string `json:"public_key"`
	Signature string `json:"signature"`
}

// prove signs a challenge.
func prove(c model.Challenge, seed ledger.Seed) (proof, error) {
	signature, err := seed.SignMessage([]byte(c.Message()))
	return proof{c.Nonce, seed.PublicKey(), signature}, err
}
