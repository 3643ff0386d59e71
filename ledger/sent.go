package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/xrplissuer/credential-issuer/model"
)

// Sent is a validated transaction with which an account issued or revoked a credential.
type Sent struct {
	Kind    model.Kind // issue or revoke
	Subject model.Address
	Type    model.CredentialType
	// Signed is the transaction as it was submitted. Its blob is empty where it has fields that this program never signs.
	Signed Signed
	Result model.Validated
}

// SentCredentials returns the transactions with which an account issued or revoked credentials in a range of ledgers, in their
// order. networkID is the network's, for CTIDs. The error is that of a node without all of the range, too.
func (c *Client) SentCredentials(ctx context.Context, account model.Address, first, last, networkID uint32) ([]Sent, error) {
	var out []Sent
	var wrong error
	err := c.AccountTx(ctx, account, first, last, func(t *Transaction) {
		s, ok, err := sentCredential(t, account, networkID)
		switch {
		case err != nil && wrong == nil:
			wrong = fmt.Errorf("transaction %s: %w", t.Hash, err)
		case ok:
			out = append(out, s)
		}
	})
	if err == nil {
		err = wrong
	}
	return out, err
}

// sentFields are the members of tx_json that [content] is made of (XLS-70).
type sentFields struct {
	TransactionType, CredentialType, URI, Fee, SigningPubKey, TxnSignature string
	Account, Subject, Issuer                                               model.Address
	Sequence, TicketSequence, LastLedgerSequence, NetworkID                uint32
	Expiration                                                             *uint32
}

// sentCredential reads a transaction; ok is false for one that is about something else.
func sentCredential(t *Transaction, account model.Address, networkID uint32) (s Sent, ok bool, err error) {
	var f sentFields
	if err := json.Unmarshal(t.TxJSON, &f); err != nil {
		return s, false, err
	}
	if f.Account != account || f.TransactionType != "CredentialCreate" && f.TransactionType != "CredentialDelete" ||
		f.Issuer != "" && f.Issuer != account {
		return s, false, nil
	}
	s = Sent{Kind: model.KindIssue, Subject: f.Subject}
	if f.TransactionType == "CredentialDelete" {
		s.Kind = model.KindRevoke
	}
	if s.Type, err = model.ParseTypeHex(f.CredentialType); err != nil {
		return s, false, err
	}
	if s.Result, err = t.Validated(networkID); err != nil {
		return s, false, err
	}
	s.Signed = Signed{Hash: t.Hash, Sequence: f.Sequence, Ticket: f.TicketSequence, LastLedgerSequence: f.LastLedgerSequence}
	if s.Signed.Fee, err = strconv.ParseInt(f.Fee, 10, 64); err != nil {
		return s, false, fmt.Errorf("its Fee: %w", err)
	}
	s.Signed.Blob = f.blob(t.Hash, s)
	return s, true, nil
}

// blob serializes a transaction again; it is empty where that has another hash.
func (f *sentFields) blob(hash string, s Sent) string {
	var tx model.Transaction = model.CredentialDelete{Subject: f.Subject, Issuer: f.Issuer, Type: s.Type}
	if s.Kind == model.KindIssue {
		uri, err := hex.DecodeString(f.URI)
		if err != nil {
			return ""
		}
		tx = model.CredentialCreate{Subject: f.Subject, Type: s.Type, URI: string(uri), Expiration: f.Expiration}
	}
	c, err := contentOf(tx)
	if err != nil {
		return ""
	}
	account, err := idOf(f.Account)
	if err != nil {
		return ""
	}
	publicKey, wrongKey := hex.DecodeString(f.SigningPubKey)
	signature, wrongSignature := hex.DecodeString(f.TxnSignature)
	if wrongKey != nil || wrongSignature != nil {
		return ""
	}
	blob := c.serialize(nil, account, Terms{Sequence: s.Signed.Sequence, Ticket: s.Signed.Ticket, Fee: s.Signed.Fee,
		LastLedgerSequence: s.Signed.LastLedgerSequence, NetworkID: f.NetworkID}, publicKey, signature)
	if transactionHash(blob) != hash {
		return ""
	}
	return upperHex(blob)
}
