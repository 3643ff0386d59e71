package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	binarycodec "github.com/Peersyst/xrpl-go/binary-codec"
	"github.com/Peersyst/xrpl-go/binary-codec/definitions"

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

// Reconstruct returns a transaction's final result where no node shows it: what the blob says, with the ledger and the engine
// result that the evidence names. The metadata and the close time are missing.
func Reconstruct(blob, hash string, ledger uint32, result, evidence string) (model.Validated, error) {
	code, known := definitions.Get().TransactionResults[result]
	if !known || !model.Code(result).Final() && result != "tesSUCCESS" {
		return model.Validated{}, fmt.Errorf("%q is no final result", excerpt([]byte(result)))
	}
	tx, err := binarycodec.Decode(blob)
	if err != nil {
		return model.Validated{}, fmt.Errorf("transaction %s: %w", hash, err)
	}
	v := model.Validated{Hash: hash, LedgerIndex: ledger, EngineResult: result, EngineResultCode: int(code), EngineResultMessage: finalResult}
	if code != 0 {
		v.EngineResultMessage = "Claimed the fee and did nothing else: " + result + "."
	}
	tx["ledger_index"] = ledger
	v.Body, err = json.Marshal(map[string]any{"engine_result": result, "engine_result_code": code, "engine_result_message": v.EngineResultMessage,
		"evidence": evidence, "hash": hash, "ledger_index": ledger, "tx_json": tx, "validated": true})
	return v, err
}

// Decision is what validated ledgers say of an operation's signed blobs.
type Decision struct {
	// At is the validated ledger that was asked, First the one that was validated when the first blob was signed, and Last
	// the last that can take any of them.
	At, First, Last uint32
	// Open says that a later ledger can still take one of them.
	Open bool
	// Evidence names what decides the operation; empty where it is undecided.
	Evidence string
}

// Decide asks the node what became of a signed operation, by the same rules as the submitter. The error is a [model.Error]
// with [model.CodeLedgerUnavailable] where the node does not answer.
func (c *Client) Decide(ctx context.Context, o model.Operation) (Decision, error) {
	op := &operation{id: o.ID, tx: o.Transaction(), own: !o.Kind.Requested()}
	for _, a := range o.Attempts {
		if a.State == model.AttemptSigned {
			op.slot = slotOf(a.Sequence, a.Ticket)
			op.attempts = append(op.attempts, &attempt{first: a.FirstLedger, Signed: Signed{Blob: a.Blob, Hash: a.Hash, LastLedgerSequence: a.LastLedgerSequence}})
		}
	}
	if len(op.attempts) == 0 {
		return Decision{Evidence: "nothing of it can be in a ledger"}, nil
	}
	question := caseOf(op)
	d := Decision{First: question.first, Last: question.last}
	settled, err := (decider{c, o.Issuer, c.cfg.Logger}).investigate(ctx, []*lookUpCase{question})
	if err == nil {
		err = question.failed
	}
	if err != nil {
		return d, unavailable("deciding an operation", err)
	}
	d.At, d.Open = settled.LedgerIndex, !question.past && !question.decided()
	switch {
	case question.found != nil:
		d.Evidence = "transaction " + question.found.Hash + " is in a validated ledger"
	case question.decided():
		d.Evidence = question.evidence
	}
	return d, nil
}
