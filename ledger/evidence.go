package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	binarycodec "github.com/Peersyst/xrpl-go/binary-codec"

	"github.com/xrplissuer/credential-issuer/model"
)

// TransactionEntry reads a transaction from one validated ledger. The node reads the ledger's own tree for it, and not its
// transaction database (rippled: TransactionEntry.cpp). The result is nil where the node does not find it there, or cannot
// read that ledger: neither proves anything.
func (c *Client) TransactionEntry(ctx context.Context, hash string, ledger uint32) (*Transaction, error) {
	var found *Transaction
	err := c.call(ctx, "transaction_entry", map[string]any{"tx_hash": hash, "ledger_index": ledger}, func(raw json.RawMessage) (err error) {
		found, err = decodeTransactionEntry(raw, hash, ledger)
		return err
	})
	var node *NodeError
	if errors.As(err, &node) && !node.Busy() {
		return nil, nil
	}
	return found, err
}

func decodeTransactionEntry(raw json.RawMessage, hash string, ledger uint32) (*Transaction, error) {
	var a txAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, err
	}
	var index uint32
	if err := number(a.LedgerIndex, "ledger_index", &index); err != nil {
		return nil, err
	}
	if a.Hash == "" { // a server that does not repeat it
		a.Hash = hash
	}
	switch {
	case !a.Validated || isNull(a.TxJSON) || isNull(a.Meta):
		return nil, nil
	case a.Hash != hash || index != ledger:
		return nil, fmt.Errorf("it is about transaction %q in ledger %d", excerpt([]byte(a.Hash)), index)
	}
	return a.transaction(), nil
}

// entryState is a credential's ledger entry in one validated ledger.
type entryState struct {
	exists bool
	// key is the entry's index, and hash the last transaction that changed it, in the ledger changed.
	key, hash  string
	changed    uint32
	credential model.Credential
}

// entryAt reads a credential's entry from one validated ledger.
func (c *Client) entryAt(ctx context.Context, subject, issuer model.Address, t model.CredentialType, ledger uint32) (entryState, error) {
	var s entryState
	err := c.call(ctx, "ledger_entry", map[string]any{
		"credential":   map[string]any{"subject": subject, "issuer": issuer, "credential_type": t.Hex()},
		"ledger_index": ledger,
	}, func(raw json.RawMessage) (err error) {
		s, err = decodeEntryState(raw, subject, issuer, t, ledger)
		return err
	})
	var node *NodeError
	if errors.As(err, &node) && node.Code == "entryNotFound" {
		return entryState{}, nil
	}
	return s, err
}

func decodeEntryState(raw json.RawMessage, subject, issuer model.Address, t model.CredentialType, ledger uint32) (s entryState, err error) {
	var a struct {
		LedgerIndex json.RawMessage `json:"ledger_index"`
		Node        struct {
			PreviousTxnID     string
			PreviousTxnLgrSeq json.RawMessage
		} `json:"node"`
	}
	if s.credential, err = decodeCredential(raw, subject, issuer, t); err != nil {
		return s, err
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return s, err
	}
	var index uint32
	if err := number(a.LedgerIndex, "ledger_index", &index); err != nil {
		return s, err
	}
	if index != ledger {
		return s, fmt.Errorf("it is from ledger %d, not %d", index, ledger)
	}
	s.exists, s.key, s.hash = true, s.credential.Index, a.Node.PreviousTxnID
	return s, errors.Join(hash256(s.hash, "PreviousTxnID"), number(a.Node.PreviousTxnLgrSeq, "PreviousTxnLgrSeq", &s.changed))
}

// entryChange says what a transaction did to an entry: created says that it made it, and before and ledger name the
// transaction that had changed it last. found is false where the metadata does not name the entry.
func entryChange(meta json.RawMessage, key string) (created bool, before string, ledger uint32, found bool) {
	type node struct {
		Index             string `json:"LedgerIndex"`
		PreviousTxnID     string
		PreviousTxnLgrSeq json.RawMessage
	}
	var m struct {
		AffectedNodes []struct{ CreatedNode, ModifiedNode *node }
	}
	if json.Unmarshal(meta, &m) != nil {
		return false, "", 0, false
	}
	for _, n := range m.AffectedNodes {
		switch {
		case n.CreatedNode != nil && n.CreatedNode.Index == key:
			return true, "", 0, true
		case n.ModifiedNode != nil && n.ModifiedNode.Index == key:
			err := errors.Join(hash256(n.ModifiedNode.PreviousTxnID, "PreviousTxnID"), number(n.ModifiedNode.PreviousTxnLgrSeq, "PreviousTxnLgrSeq", &ledger))
			return false, n.ModifiedNode.PreviousTxnID, ledger, err == nil
		}
	}
	return false, "", 0, false
}

// reconstructed returns the result of a transaction that succeeded by the evidence of an entry, and that the node does not
// show. Its body has what the blob says, and names the evidence; the metadata and the close time are missing.
func reconstructed(blob, hash string, ledger uint32, evidence string) (model.Validated, error) {
	tx, err := binarycodec.Decode(blob)
	if err != nil {
		return model.Validated{}, fmt.Errorf("transaction %s: %w", hash, err)
	}
	tx["ledger_index"] = ledger
	const result = "tesSUCCESS"
	body, err := json.Marshal(map[string]any{"engine_result": result, "engine_result_code": 0, "engine_result_message": finalResult,
		"evidence": evidence, "hash": hash, "ledger_index": ledger, "tx_json": tx, "validated": true})
	return model.Validated{Hash: hash, LedgerIndex: ledger, EngineResult: result, EngineResultMessage: finalResult, Body: body}, err
}
