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

// challenge asks for what is to be signed. issuer is who must be asking; empty for anyone.
func (s *service) challenge(ctx context.Context, subject, issuer model.Address) (model.Challenge, error) {
	body, err := json.Marshal(map[string]any{"subject": subject})
	if err != nil {
		return model.Challenge{}, err
	}
	a, err := s.ask(ctx, http.MethodPost, "/challenge", nil, body, 0)
	if err != nil {
		return model.Challenge{}, err
	}
	c, err := readChallenge(a.body, subject, issuer)
	if err != nil {
		return c, &model.Error{Code: codeOddChallenge, Cause: err,
			Message: fmt.Sprintf("nothing was signed: what %s wants signed is no challenge for %s (%v)", s.url, subject, err)}
	}
	return c, nil
}

// readChallenge takes a challenge apart and puts its message together anew: what is signed is never what somebody else
// chose freely, but always the text of [model.Challenge], about this account.
func readChallenge(body []byte, subject, issuer model.Address) (model.Challenge, error) {
	var a struct{ Subject, Issuer, Nonce, Message, Expires string }
	if err := json.Unmarshal(body, &a); err != nil {
		return model.Challenge{}, errors.New("it is not of the form of one")
	}
	c := model.Challenge{Subject: subject}
	if a.Subject != string(subject) {
		return c, errors.New("it is for another account")
	}
	var err error
	if c.Issuer, err = model.ParseAddress(a.Issuer); err != nil {
		return c, fmt.Errorf("its issuer %w", err)
	}
	if issuer != "" && c.Issuer != issuer {
		return c, fmt.Errorf("it is for a credential of %s, and --issuer is %s", c.Issuer, issuer)
	}
	if c.Nonce, err = model.ParseNonce(a.Nonce); err != nil {
		return c, fmt.Errorf("its nonce %w", err)
	}
	if c.Expires, err = time.Parse(time.RFC3339, a.Expires); err != nil {
		return c, errors.New("its expiry is no time")
	}
	if a.Message != c.Message() {
		return c, errors.New("its message is another one than its fields make")
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
