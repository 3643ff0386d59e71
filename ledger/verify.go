package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// CredentialAt returns one credential and its ledger entry, as the node wrote it, as they stand in a validated ledger. Where
// there is none, the error is [model.CodeEntryNotFound]; where no node answers, or it does not have that ledger,
// [model.CodeLedgerUnavailable].
func (c *Client) CredentialAt(ctx context.Context, at model.Ledger, subject, issuer model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error) {
	var found model.Credential
	var entry json.RawMessage
	err := c.callAt(ctx, at.Index, "ledger_entry", map[string]any{
		"credential":  map[string]any{"subject": subject, "issuer": issuer, "credential_type": t.Hex()},
		"ledger_hash": at.Hash,
	}, func(raw json.RawMessage) (err error) {
		if err = fromLedger(raw, at); err != nil {
			return err
		}
		var a struct {
			Node json.RawMessage `json:"node"`
		}
		if err = json.Unmarshal(raw, &a); err != nil {
			return err
		}
		entry = a.Node
		found, err = decodeCredential(raw, subject, issuer, t)
		return err
	})
	var node *NodeError
	if errors.As(err, &node) && node.Code == "entryNotFound" {
		return model.Credential{}, nil, &model.Error{Code: model.CodeEntryNotFound, Cause: err}
	}
	if err != nil {
		return model.Credential{}, nil, unavailable("looking up a credential", err)
	}
	return found, entry, nil
}

// fromLedger holds an answer to the ledger that was asked about.
func fromLedger(raw json.RawMessage, at model.Ledger) error {
	var a struct {
		LedgerHash string `json:"ledger_hash"`
		Validated  bool   `json:"validated"`
	}
	switch err := json.Unmarshal(raw, &a); {
	case err != nil:
		return err
	case !a.Validated:
		return errors.New("it is not from a validated ledger")
	case !strings.EqualFold(a.LedgerHash, at.Hash):
		return fmt.Errorf("it is from ledger %.8s, and %.8s was asked about", a.LedgerHash, at.Hash)
	}
	return nil
}

// OtherIssuers returns up to [model.MaxOtherIssuers] accounts besides one that a subject has credentials of a type from, in
// a validated ledger. Anyone can fill a subject's list with entries, so one page of it is looked at and no more. A subject
// that is not on the ledger has none. Error code: ledgerUnavailable.
func (c *Client) OtherIssuers(ctx context.Context, at model.Ledger, subject, besides model.Address, t model.CredentialType) ([]model.Address, error) {
	var page credentialsAnswer
	pinned := pin{at.Index, at.Hash}
	params := map[string]any{"account": subject, "type": "credential", "ledger_hash": at.Hash, "limit": credentialPage}
	err := c.callAt(ctx, at.Index, "account_objects", params, func(raw json.RawMessage) error { return decodeCredentials(raw, subject, &pinned, &page) })
	var node *NodeError
	if errors.As(err, &node) && node.Code == "actNotFound" {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("listing credentials", err)
	}
	var others []model.Address
	for i := range page.Entries {
		found, err := page.Entries[i].credential(subject)
		if err != nil {
			return nil, unavailable("listing credentials", &AnswerError{Method: "account_objects", Reason: "unusable", Cause: err})
		}
		if found.Subject == subject && found.Issuer != besides && found.Type == t && len(others) < model.MaxOtherIssuers {
			others = append(others, found.Issuer)
		}
	}
	return others, nil
}
