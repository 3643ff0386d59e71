package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/Peersyst/xrpl-go/keypairs"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/xrplissuer/credential-issuer/model"
)

// SignMessage signs text that is no transaction, as the XRP Ledger's keys sign: Ed25519 over the bytes, ECDSA on secp256k1
// over their SHA-512Half. The signature is hex. A message that a node could take for a transaction, or for anything else that
// is signed on the ledger, is refused: those begin with four bytes that end in a zero (rippled: HashPrefix.h).
func (s Seed) SignMessage(message []byte) (string, error) {
	if s.Zero() {
		return "", errors.New("signing: there is no seed")
	}
	if err := checkMessage(message); err != nil {
		return "", err
	}
	signature, err := s.keys().sign(message)
	if err != nil {
		return "", err
	}
	return upperHex(signature), nil
}

func checkMessage(message []byte) error {
	if len(message) < 4 || message[3] == 0 {
		return errors.New("this is no message that can be told from what is signed on the ledger")
	}
	return nil
}

// VerifyMessage checks a signature, in hex, over a message, and returns the address that belongs to the public key, in hex.
func VerifyMessage(message []byte, publicKey, signature string) (model.Address, error) {
	if err := checkMessage(message); err != nil {
		return "", err
	}
	key, keyErr := hex.DecodeString(publicKey)
	sig, sigErr := hex.DecodeString(signature)
	if keyErr != nil || sigErr != nil || len(key) != 33 {
		return "", errors.New("the public key or the signature is not of the right form")
	}
	if key[0] == 0xED {
		if len(sig) != ed25519.SignatureSize || !ed25519.Verify(ed25519.PublicKey(key[1:]), message, sig) {
			return "", errors.New("the signature does not fit")
		}
	} else {
		pub, err := secp256k1.ParsePubKey(key)
		if err != nil {
			return "", errors.New("the public key is no point of the curve")
		}
		parsed, err := ecdsa.ParseDERSignature(sig)
		if err != nil {
			return "", errors.New("the signature is not of the right form")
		}
		// Of the two forms of a signature only the canonical one counts, as on the ledger (RequireFullyCanonicalSig).
		s := parsed.S()
		hash := sha512.Sum512(message)
		if s.IsOverHalfOrder() || !parsed.Verify(hash[:32], pub) {
			return "", errors.New("the signature does not fit")
		}
	}
	address, err := keypairs.DeriveClassicAddress(publicKey)
	if err != nil {
		return "", fmt.Errorf("the public key has no address: %w", err)
	}
	return model.Address(address), nil
}

// CheckProof says whether a signature over a message is by a key that may sign for an account in the last validated ledger:
// its master key, unless that is disabled, or its regular key. Error codes: proofRefused; tecNO_TARGET where there is no such
// account, so that only its subject can be told to fund it; ledgerUnavailable.
func (c *Client) CheckProof(ctx context.Context, account model.Address, publicKey, signature string, message []byte) error {
	signer, err := VerifyMessage(message, publicKey, signature)
	if err != nil {
		return &model.Error{Code: model.CodeProofRefused, Cause: err,
			Message: "the proof does not hold: the signature is not one of this key over the challenge's message"}
	}
	info, err := AccountInfo{}, c.checkCurrent(ctx)
	if err == nil {
		info, err = c.AccountInfo(ctx, account)
	}
	switch {
	case err != nil:
		err = c.accountError("reading the subject's account", account, err)
		if model.CodeOf(err) == model.CodeAccountNotFound {
			return &model.Error{Code: model.CodeNoTarget, Message: "the subject's account is not on the ledger yet: fund it, then ask again", Cause: err}
		}
		return err
	case signer == account && !info.MasterDisabled(), info.RegularKey != "" && signer == info.RegularKey:
		return nil
	}
	return &model.Error{Code: model.CodeProofRefused, Cause: fmt.Errorf("signed by the key of %s", signer),
		Message: "the proof does not hold: the key may not sign for " + string(account) + "; sign with its master key, or with its regular key"}
}
