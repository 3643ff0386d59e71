package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	var number32 json.RawMessage
	if err := scanObject(t.TxJSON, member{"Account", &account}, member{"Sequence", &number32}); err != nil {
		return "", 0, fmt.Errorf("tx_json: %w", err)
	}
	if account == "" {
		return "", 0, errors.New("tx_json has no Account")
	}
	return account, sequence, number(number32, "Sequence", &sequence)
}

// kind returns the transaction's type, and how many tickets it asks for.
func (t *Transaction) kind() (name string, tickets uint32) {
	var count json.RawMessage
	if scanObject(t.TxJSON, member{"TransactionType", &name}, member{"TicketCount", &count}) != nil || number(count, "TicketCount", &tickets) != nil {
		return name, 0
	}
	return name, tickets
}

// usedSlot returns the sequence or ticket that a transaction of account used.
func (t *Transaction) usedSlot(account model.Address) (slot, error) {
	sender, sequence, err := t.sender()
	if err != nil {
		return slot{}, err
	}
	if sender != account {
		return slot{}, errors.New("another account sent it")
	}
	if sequence != 0 {
		return slot{n: sequence}, nil
	}
	var raw json.RawMessage
	s := slot{ticket: true}
	if err := scanObject(t.TxJSON, member{"TicketSequence", &raw}); err != nil {
		return slot{}, err
	}
	return s, number(raw, "TicketSequence", &s.n)
}

// finalResult is how the stream's text for a final success reads on every node.
const finalResult = "The transaction was applied. Only final in a validated ledger."

// Validated returns the final result. networkID is that of the network, for the CTID where the node left it out. The
// body is what `tx` answers, with the engine result beside it.
func (t *Transaction) Validated(networkID uint32) (model.Validated, error) {
	v := model.Validated{Hash: t.Hash, CTID: t.CTID}
	var place json.RawMessage
	var index uint32
	err := errors.Join(
		hash256(t.Hash, "hash"),
		hash256(t.LedgerHash, "ledger_hash"),
		number(t.ledgerIndex, "ledger_index", &v.LedgerIndex),
		scanObject(t.Meta, member{"TransactionIndex", &place}, member{"TransactionResult", &v.EngineResult}),
	)
	if err == nil {
		err = number(place, "TransactionIndex", &index)
	}
	if err != nil {
		return model.Validated{}, fmt.Errorf("transaction in a ledger: %w", err)
	}
	if t.CloseTimeISO == "" {
		return model.Validated{}, errors.New("transaction in a ledger: close_time_iso is missing")
	}
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

// body writes the answer of `tx`. What the stream leaves out of tx_json is put there, and what `tx` has elsewhere is taken
// out. The pieces are JSON already, so that they are only put together.
func (t *Transaction) body(v model.Validated) (json.RawMessage, error) {
	tx, err := t.txJSON()
	if err != nil {
		return nil, fmt.Errorf("transaction in a ledger: tx_json: %w", err)
	}
	b := make([]byte, 0, len(t.Meta)+len(tx)+640)
	text := func(name, value string) {
		b = append(b, name...)
		quoted, _ := json.Marshal(value) // a string always encodes
		b = append(b, quoted...)
	}
	text(`{"close_time_iso":`, t.CloseTimeISO)
	if v.CTID != "" {
		text(`,"ctid":`, v.CTID)
	}
	text(`,"engine_result":`, v.EngineResult)
	b = strconv.AppendInt(append(b, `,"engine_result_code":`...), int64(v.EngineResultCode), 10)
	text(`,"engine_result_message":`, v.EngineResultMessage)
	text(`,"hash":`, t.Hash)
	text(`,"ledger_hash":`, t.LedgerHash)
	b = strconv.AppendUint(append(b, `,"ledger_index":`...), uint64(v.LedgerIndex), 10)
	b = append(append(b, `,"meta":`...), t.Meta...)
	b = append(append(b, `,"tx_json":`...), tx...)
	return append(b, `,"validated":true}`...), nil
}

// jsonSpace is what may stand between the pieces of JSON.
const jsonSpace = " \t\r\n"

func (t *Transaction) txJSON() (json.RawMessage, error) {
	var own struct{ CTID, Hash, LedgerIndex json.RawMessage }
	if err := scanObject(t.TxJSON, member{"ctid", &own.CTID}, member{"hash", &own.Hash}, member{"ledger_index", &own.LedgerIndex}); err != nil {
		return nil, err
	}
	switch {
	case own.CTID == nil && own.Hash == nil && string(own.LedgerIndex) == string(t.ledgerIndex):
		return t.TxJSON, nil
	case own.CTID == nil && own.Hash == nil && own.LedgerIndex == nil:
		// It is an object: its last byte but space is the brace.
		fields := bytes.TrimSuffix(bytes.TrimRight(t.TxJSON, jsonSpace), []byte("}"))
		fields = bytes.TrimRight(fields, jsonSpace)
		if fields[len(fields)-1] != '{' {
			return slices.Concat(fields, json.RawMessage(`,"ledger_index":`), t.ledgerIndex, json.RawMessage(`}`)), nil
		}
	}
	var tx map[string]json.RawMessage
	if err := json.Unmarshal(t.TxJSON, &tx); err != nil {
		return nil, err
	}
	delete(tx, "ctid")
	delete(tx, "hash")
	tx["ledger_index"] = t.ledgerIndex
	return json.Marshal(tx)
}

// ctid names a validated transaction by its place (XLS-37): the ledger, the index in it, and the network. It is empty
// where one of them is too big to be named so.
func ctid(ledger, index, network uint32) string {
	if ledger > 0x0FFF_FFFF || index > 0xFFFF || network > 0xFFFF {
		return ""
	}
	return fmt.Sprintf("C%07X%04X%04X", ledger, index, network)
}
