package sandbox

import (
	"fmt"
	"strconv"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// simulate is `simulate` (Simulate.cpp): what an unsigned transaction would do in the open ledger. A transaction that the open
// ledger cannot apply is telCAN_NOT_QUEUE; nothing is kept.
func simulate(c *call) obj {
	p := c.params
	if p.Has("binary") && !p.Get("binary").IsBool() {
		return invalidField("binary")
	}
	for _, secret := range []string{"secret", "seed", "seed_hex", "passphrase"} {
		if p.Has(secret) {
			return invalidField(secret)
		}
	}
	txj, bad := simulatedJSON(p)
	if bad != nil {
		return bad
	}
	if bad := c.fillSimulated(txj); bad != nil {
		return bad
	}
	o, err := objectFromJSON("tx_json", txj)
	if err != nil {
		return rpcErrorText(errInvalidParams, err.Error())
	}
	t, err := c.transaction(o)
	if err != nil {
		return obj{"error": "invalidTransaction", "error_exception": err.Error()}
	}
	if t.Type == codec.TtBatch {
		return rpcError(errNotImpl)
	}
	return c.simulated(t, p.Get("binary").AsBool())
}

func (c *call) simulated(t *codec.Tx, binary bool) obj {
	r := c.node.Simulate(t)
	result := obj{"applied": false, "ledger_index": r.Seq}
	engineResult(result, t, r.Result)
	if r.Result.IsTes() {
		result["engine_result_message"] = "The simulated transaction would have been applied."
	}
	if binary {
		result["tx_blob"] = upperHex(t.Blob)
	} else {
		result["tx_json"] = transactionJSON(t, nil, false, 1)
	}
	switch {
	case r.Meta == nil:
	case binary:
		result["meta_blob"] = upperHex(r.Meta.Append(nil))
	default:
		result["meta"] = metaJSON(&engine.TxRecord{Tx: t, Meta: r.Meta, Result: r.Result, LedgerSeq: r.Seq, CloseTime: c.node.Closed().CloseTime})
	}
	return result
}

// simulatedJSON reads the transaction of a request (getTxJsonFromParams). The value is the caller's to change.
func simulatedJSON(p *rjson.Value) (*rjson.Value, obj) {
	var txj *rjson.Value
	switch {
	case p.Has("tx_blob") && p.Has("tx_json"):
		return nil, rpcErrorText(errInvalidParams, "Can only include one of `tx_blob` and `tx_json`.")
	case p.Has("tx_blob"):
		text := p.Get("tx_blob")
		if !text.IsString() {
			return nil, invalidField("tx_blob")
		}
		blob, ok := unhex(text.AsString())
		if !ok || len(blob) == 0 {
			return nil, invalidField("tx_blob")
		}
		o, err := codec.ParseObject(blob)
		if err != nil {
			return nil, invalidField("tx_blob")
		}
		if txj, err = rjson.Parse(rjson.Append(nil, o.JSON())); err != nil {
			return nil, invalidField("tx_blob")
		}
	case p.Has("tx_json"):
		if !p.Get("tx_json").IsObject() {
			return nil, expectedField("tx_json", "object")
		}
		txj = p.Get("tx_json").Copy()
	default:
		return nil, rpcErrorText(errInvalidParams, "Neither `tx_blob` nor `tx_json` included.")
	}
	for _, f := range []string{"TransactionType", "Account"} {
		if !txj.Has(f) {
			return nil, missingField("tx." + f)
		}
	}
	return txj, nil
}

// fillSimulated fills in the fee, empty signatures and the sequence, where they are missing; there must be no signature
// (autofillTx).
func (c *call) fillSimulated(txj *rjson.Value) obj {
	if !txj.Has("Fee") {
		cost, bad := currentFee(c.node, c.baseFeeOf(txj), feeMultiplier, feeDivisor)
		if bad != nil {
			return bad
		}
		txj.Set("Fee", rjson.NewString(strconv.FormatUint(cost, 10)))
	}
	if bad := fillSignatures(txj); bad != nil {
		return bad
	}
	if txj.Has("Sequence") {
		return nil
	}
	if !txj.Get("Account").IsString() {
		return invalidField("tx.Account")
	}
	id, ok := codec.ParseAccountID(txj.Get("Account").AsString())
	if !ok {
		return rpcErrorText(errSrcActMalformed, "Invalid field 'tx.Account'.")
	}
	seq := uint32(0)
	if !txj.Has("TicketSequence") {
		if !c.node.Current().Has(engine.AccountKey(id)) {
			return rpcError(errSrcActNotFound)
		}
		seq = c.node.NextSequence(id)
	}
	txj.Set("Sequence", rjson.NewInt(int64(seq)))
	return nil
}

// emptyText is what stands for a key or a signature that is not there.
var emptyText = rjson.NewString("")

func fillSignatures(txj *rjson.Value) obj {
	if !txj.Has("SigningPubKey") {
		txj.Set("SigningPubKey", emptyText)
	}
	if txj.Has("Signers") {
		list := txj.Get("Signers")
		if !list.IsArray() {
			return invalidField("tx.Signers")
		}
		for i, e := range list.Elements() {
			one := e.Get("Signer")
			if !e.IsObject() || !e.Has("Signer") || !one.IsObject() {
				return invalidField(fmt.Sprintf("tx.Signers[%d]", i))
			}
			if !one.Has("SigningPubKey") {
				one.Set("SigningPubKey", emptyText)
			}
			if !fillSignature(one) {
				return rpcError(errTxSigned)
			}
		}
	}
	if !fillSignature(txj) {
		return rpcError(errTxSigned)
	}
	return nil
}

// fillSignature puts an empty signature where there is none, and tells whether it is empty.
func fillSignature(o *rjson.Value) bool {
	if !o.Has("TxnSignature") {
		o.Set("TxnSignature", emptyText)
	}
	return o.Get("TxnSignature").Equal(emptyText)
}

// maxSigners is how many may sign one transaction (STTx.h).
const maxSigners = 32

// baseFeeOf is what a transaction costs in a ledger without a rush, in drops; the common base fee where it is not well-formed
// (getTxFee).
func (c *call) baseFeeOf(txj *rjson.Value) uint64 {
	common := uint64(c.node.FeeMetrics().BaseFee)
	txj = txj.Copy()
	for _, f := range []string{"Fee", "Sequence"} {
		if !txj.Has(f) {
			txj.Set(f, rjson.NewString("0"))
		}
	}
	for _, f := range []string{"SigningPubKey", "TxnSignature"} {
		if !txj.Has(f) {
			txj.Set(f, emptyText)
		}
	}
	if txj.Has("Signers") {
		if s := txj.Get("Signers"); !s.IsArray() || s.Len() > maxSigners {
			return common
		}
		for _, e := range txj.Get("Signers").Elements() {
			one := e.Get("Signer")
			if !one.IsObject() {
				return common
			}
			for _, f := range []string{"SigningPubKey", "TxnSignature"} {
				if !one.Has(f) {
					one.Set(f, emptyText)
				}
			}
		}
	}
	o, err := objectFromJSON("tx_json", txj)
	if err != nil {
		return common
	}
	t, err := c.transaction(o)
	if err != nil || t.LocalChecks() != nil {
		return common
	}
	return uint64(max(c.node.BaseFee(t), 0))
}
