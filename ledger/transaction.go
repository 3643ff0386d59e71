package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/Peersyst/xrpl-go/binary-codec/definitions"

	"github.com/xrplissuer/credential-issuer/model"
)

// Transaction is a transaction in a validated ledger, as a node tells of it in `tx`, in `account_tx`, or by its stream.
// Its pieces are as they came; [Transaction.Validated] checks them.
type Transaction struct {
	Hash, CTID          string
	LedgerHash          string
	CloseTimeISO        string
	EngineResult        string // the stream only
	EngineResultMessage string // the stream only
	// TxJSON is the transaction and Meta what it did, both JSON objects of API version 2.
	TxJSON, Meta json.RawMessage

	ledgerIndex, engineResultCode json.RawMessage
}

func (f *frame) transaction() *Transaction {
	return &Transaction{
		Hash: f.Hash, CTID: f.CTID, LedgerHash: f.LedgerHash, CloseTimeISO: f.CloseTimeISO,
		EngineResult: f.EngineResult, EngineResultMessage: f.EngineResultMessage,
		TxJSON: f.TxJSON, Meta: f.Meta, ledgerIndex: f.LedgerIndex, engineResultCode: f.EngineResultCode,
	}
}

// txAnswer is a transaction as `tx` and `account_tx` write it.
type txAnswer struct {
	Hash         string          `json:"hash"`
	CTID         string          `json:"ctid"`
	LedgerIndex  json.RawMessage `json:"ledger_index"`
	LedgerHash   string          `json:"ledger_hash"`
	CloseTimeISO string          `json:"close_time_iso"`
	Meta         json.RawMessage `json:"meta"`
	TxJSON       json.RawMessage `json:"tx_json"`
	Validated    bool            `json:"validated"`
}

func (a *txAnswer) transaction() *Transaction {
	return &Transaction{
		Hash: a.Hash, CTID: a.CTID, LedgerHash: a.LedgerHash, CloseTimeISO: a.CloseTimeISO,
		TxJSON: a.TxJSON, Meta: a.Meta, ledgerIndex: a.LedgerIndex,
	}
}

// sender returns who sent the transaction and with which sequence (0 with a ticket).
func (t *Transaction) sender() (account model.Address, sequence uint32, err error) {
	var tx struct {
		Account  model.Address
		Sequence json.RawMessage
	}
	if err := decodeObject(t.TxJSON, &tx); err != nil {
		return "", 0, fmt.Errorf("tx_json: %w", err)
	}
	if tx.Account == "" {
		return "", 0, errors.New("tx_json has no Account")
	}
	return tx.Account, sequence, number(tx.Sequence, "Sequence", &sequence)
}

// finalResult is how the stream's text for a final success reads on every node.
const finalResult = "The transaction was applied. Only final in a validated ledger."

// Validated returns the final result. networkID is that of the network, for the CTID where the node left it out. The
// body is what `tx` answers, with the engine result beside it.
func (t *Transaction) Validated(networkID uint32) (model.Validated, error) {
	v := model.Validated{Hash: t.Hash, CTID: t.CTID}
	var meta struct {
		TransactionIndex  json.RawMessage
		TransactionResult string
	}
	var index uint32
	err := errors.Join(
		hash256(t.Hash, "hash"),
		hash256(t.LedgerHash, "ledger_hash"),
		number(t.ledgerIndex, "ledger_index", &v.LedgerIndex),
		decodeObject(t.Meta, &meta),
	)
	if err == nil {
		err = number(meta.TransactionIndex, "TransactionIndex", &index)
	}
	if err != nil {
		return model.Validated{}, fmt.Errorf("transaction in a ledger: %w", err)
	}
	if t.CloseTimeISO == "" {
		return model.Validated{}, errors.New("transaction in a ledger: close_time_iso is missing")
	}
	v.EngineResult = meta.TransactionResult
	code, known := definitions.Get().TransactionResults[v.EngineResult]
	if n, err := strconv.ParseInt(string(t.engineResultCode), 10, 32); err == nil {
		code, known = int32(n), true
	}
	switch {
	case t.EngineResult != "" && t.EngineResult != v.EngineResult:
		return model.Validated{}, fmt.Errorf("transaction in a ledger: its result is %s in one place and %s in another",
			excerpt([]byte(t.EngineResult)), excerpt([]byte(v.EngineResult)))
	case !known || code != 0 && (code < 100 || code > 255):
		return model.Validated{}, fmt.Errorf("transaction in a ledger: %q is no final result", excerpt([]byte(v.EngineResult)))
	}
	v.EngineResultCode = int(code)
	v.EngineResultMessage = t.EngineResultMessage
	if v.EngineResultMessage == "" {
		v.EngineResultMessage = finalResult
		if code != 0 {
			v.EngineResultMessage = "Claimed the fee and did nothing else: " + v.EngineResult + "."
		}
	}
	if v.CTID == "" {
		v.CTID = ctid(v.LedgerIndex, index, networkID)
	}
	v.Body, err = t.body(v)
	return v, err
}

// body writes the answer of `tx`. What the stream leaves out of tx_json is put there.
func (t *Transaction) body(v model.Validated) (json.RawMessage, error) {
	var tx map[string]json.RawMessage
	if err := decodeObject(t.TxJSON, &tx); err != nil {
		return nil, fmt.Errorf("transaction in a ledger: tx_json: %w", err)
	}
	delete(tx, "ctid")
	delete(tx, "hash")
	tx["ledger_index"] = t.ledgerIndex
	all := struct {
		CloseTimeISO        string                     `json:"close_time_iso"`
		CTID                string                     `json:"ctid,omitempty"`
		EngineResult        string                     `json:"engine_result"`
		EngineResultCode    int                        `json:"engine_result_code"`
		EngineResultMessage string                     `json:"engine_result_message"`
		Hash                string                     `json:"hash"`
		LedgerHash          string                     `json:"ledger_hash"`
		LedgerIndex         uint32                     `json:"ledger_index"`
		Meta                json.RawMessage            `json:"meta"`
		TxJSON              map[string]json.RawMessage `json:"tx_json"`
		Validated           bool                       `json:"validated"`
	}{
		t.CloseTimeISO, v.CTID, v.EngineResult, v.EngineResultCode, v.EngineResultMessage,
		t.Hash, t.LedgerHash, v.LedgerIndex, t.Meta, tx, true,
	}
	return json.Marshal(all)
}

// ctid names a validated transaction by its place (XLS-37): the ledger, the index in it, and the network. It is empty
// where one of them is too big to be named so.
func ctid(ledger, index, network uint32) string {
	if ledger > 0x0FFF_FFFF || index > 0xFFFF || network > 0xFFFF {
		return ""
	}
	return fmt.Sprintf("C%07X%04X%04X", ledger, index, network)
}
