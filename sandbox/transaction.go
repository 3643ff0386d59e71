package sandbox

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// rippleEpoch is 2000-01-01T00:00:00Z, from which ledgers count seconds.
const rippleEpoch = 946684800

func ledgerTime(t uint32) time.Time { return time.Unix(rippleEpoch+int64(t), 0).UTC() }

func isoTime(t uint32) string { return ledgerTime(t).Format("2006-01-02T15:04:05Z") }

func humanTime(t uint32) string { return ledgerTime(t).Format("2006-Jan-02 15:04:05.000000000 UTC") }

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// networkID is the network that the ledger belongs to; transactions must not name it (it is not above 1024).
const networkID = 0

// encodeCTID is a transaction's concise id, of its ledger, its index there and the network (CTID.h, XLS-15); not ok where one of
// them is too great for it.
func encodeCTID(seq, index, network uint32) (string, bool) {
	if index > 0xFFFF || network >= 0xFFFF || seq >= 0x0FFFFFFF {
		return "", false
	}
	return fmt.Sprintf("%016X", 0xC0000000_00000000|uint64(seq)<<32|uint64(index)<<16|uint64(network)), true
}

func decodeCTID(s string) (seq, index, network uint32, ok bool) {
	if len(s) != 16 {
		return 0, 0, 0, false
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || n>>60 != 0xC {
		return 0, 0, 0, false
	}
	return uint32(n>>32) & 0x0FFFFFFF, uint32(n>>16) & 0xFFFF, uint32(n) & 0xFFFF, true
}

// insertDeliverMax adds the name that a payment's amount has beside, and since version 2 instead of, "Amount".
func insertDeliverMax(o obj, t codec.TxType, version int) {
	a, ok := o["Amount"]
	if !ok || t != codec.TtPayment {
		return
	}
	o["DeliverMax"] = a
	if version > 1 {
		delete(o, "Amount")
	}
}

// The first ledger, or the first second, from which the absence of DeliveredAmount says that all of Amount was delivered
// (DeliveredAmount.cpp).
const (
	deliveredSinceLedger = 4594095
	deliveredSinceTime   = 446000000
)

// metaJSON is a transaction's metadata, with what it delivered.
func metaJSON(r *engine.TxRecord) obj {
	o := r.Meta.JSON()
	switch r.Tx.Type {
	case codec.TtPayment, codec.TtCheckCash, codec.TtAccountDelete:
	default:
		return o
	}
	if !r.Result.IsTes() {
		return o
	}
	if d, ok := o["DeliveredAmount"]; ok {
		o["delivered_amount"] = d
		return o
	}
	if !r.Tx.Has(codec.SfAmount) {
		o["delivered_amount"] = "unavailable"
		return o
	}
	if r.LedgerSeq < deliveredSinceLedger && r.CloseTime <= deliveredSinceTime {
		o["delivered_amount"] = "unavailable"
		return o
	}
	if r.Tx.IsXRP(codec.SfAmount) {
		o["delivered_amount"] = strconv.FormatInt(r.Tx.Drops(codec.SfAmount), 10)
	} else {
		o["delivered_amount"] = r.Tx.JSON()["Amount"]
	}
	return o
}

// transactionJSON is a transaction as Transaction::getJson shows it: with its hash in version 1, and with the ledger that it is in;
// in is nil for none.
func transactionJSON(t *codec.Tx, in *engine.TxRecord, date bool, version int) obj {
	o := t.JSON()
	if version == 1 {
		o["hash"] = t.ID.String()
	}
	if in == nil {
		return o
	}
	if version == 1 {
		o["inLedger"] = in.LedgerSeq
	}
	o["ledger_index"] = in.LedgerSeq
	if date {
		o["date"] = in.CloseTime
	}
	if ctid, ok := encodeCTID(in.LedgerSeq, in.Index, networkID); ok {
		o["ctid"] = ctid
	}
	return o
}

// asUInt is AsUInt without the panic.
func asUInt(v *rjson.Value) (n uint32, ok bool) {
	defer func() {
		if e := recover(); e != nil {
			if _, is := e.(rjson.ConversionError); !is {
				panic(e)
			}
			n, ok = 0, false
		}
	}()
	return v.AsUInt(), true
}

// maxTxRange is the widest range of ledgers that `tx` searches.
const maxTxRange = 1000

// tx is `tx` (Tx.cpp).
func tx(c *call) obj {
	p := c.params
	var id codec.Hash256
	byCTID := false
	var ctidSeq, ctidIndex uint32
	switch {
	case p.Has("transaction") && p.Has("ctid"):
		return rpcError(errInvalidParams)
	case p.Has("transaction"):
		var ok bool
		if id, ok = codec.ParseHash256(p.Get("transaction").AsString()); !ok {
			return rpcError(errNotImpl)
		}
	case p.Has("ctid"):
		seq, index, network, ok := decodeCTID(p.Get("ctid").AsString())
		if !ok {
			return rpcError(errInvalidParams)
		}
		if network != networkID {
			return rpcErrorText(errWrongNetwork, fmt.Sprintf(
				"Wrong network. You should submit this request to a node running on NetworkID: %d", network))
		}
		byCTID, ctidSeq, ctidIndex = true, seq, index
	default:
		return rpcError(errInvalidParams)
	}
	binary := p.Get("binary").AsBool()

	ranged := p.Has("min_ledger") && p.Has("max_ledger")
	var first, last uint32
	if ranged {
		var ok1, ok2 bool
		first, ok1 = asUInt(p.Get("min_ledger"))
		last, ok2 = asUInt(p.Get("max_ledger"))
		if !ok1 || !ok2 || last < first {
			return rpcError(errInvalidLgrRange)
		}
		if last-first > maxTxRange {
			return rpcError(errExcessiveLgrRange)
		}
	}
	if byCTID {
		r := recordAt(c.node, ctidSeq, ctidIndex)
		if r == nil {
			return rpcError(errTxnNotFound)
		}
		id = r.Tx.ID
	}
	r, known := c.node.Lookup(id)
	if r == nil && known == nil {
		result := obj{}
		if ranged {
			// rippled finds out whether it holds all ledgers of the range by counting those in its table of transactions
			// (Node.cpp, getTransaction): an empty one in the range makes it false.
			result["searched_all"] = uint64(c.node.LedgersWithTxs(first, last)) == uint64(last)-uint64(first)+1
		}
		return inject(result, errTxnNotFound)
	}
	return c.txAnswer(r, known, binary)
}

func recordAt(n *engine.Node, seq, index uint32) *engine.TxRecord {
	l := n.LedgerBySeq(seq)
	if l == nil {
		return nil
	}
	for r := range l.Txs() {
		if r.Index == index {
			return r
		}
	}
	return nil
}

func (c *call) txAnswer(r *engine.TxRecord, t *codec.Tx, binary bool) obj {
	var seq, closeTime uint32
	if r != nil {
		t, seq, closeTime = r.Tx, r.LedgerSeq, r.CloseTime
	}
	result := obj{}
	switch {
	case c.version > 1:
		if binary {
			result["tx_blob"] = upperHex(t.Blob)
		} else {
			o := transactionJSON(t, r, true, c.version)
			insertDeliverMax(o, t.Type, c.version)
			result["tx_json"] = o
		}
		result["hash"] = t.ID.String()
		if r != nil {
			result["ledger_hash"] = r.LedgerHash.String()
			result["ledger_index"] = seq
			result["close_time_iso"] = isoTime(closeTime)
		}
	case binary:
		result = obj{"tx": upperHex(t.Blob), "hash": t.ID.String()}
		if seq != 0 {
			result["inLedger"], result["ledger_index"], result["date"] = seq, seq, closeTime
		}
	default:
		result = transactionJSON(t, r, true, c.version)
		insertDeliverMax(result, t.Type, c.version)
	}
	if r != nil {
		switch {
		case !binary:
			result["meta"] = metaJSON(r)
		case c.version > 1:
			result["meta_blob"] = upperHex(r.MetaBlob)
		default:
			result["meta"] = upperHex(r.MetaBlob)
		}
		if ctid, ok := encodeCTID(seq, r.Index, networkID); ok {
			result["ctid"] = ctid
		}
	}
	result["validated"] = r != nil
	return result
}

// transactionEntry is `transaction_entry` (TransactionEntry.cpp): a transaction in the closed ledger that the request names. Its
// errors have no code and no message.
func transactionEntry(c *call) obj {
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	if !c.params.Has("tx_hash") {
		result["error"] = "fieldNotFoundTransaction"
		return result
	}
	if l.Open {
		result["error"] = "notYetImplemented"
		return result
	}
	id, ok := codec.ParseHash256(c.params.Get("tx_hash").AsString())
	if !ok {
		result["error"] = "malformedRequest"
		return result
	}
	r := l.Tx(id)
	if r == nil {
		result["error"] = "transactionNotFound"
		return result
	}
	t := transactionJSON(r.Tx, nil, false, c.version)
	insertDeliverMax(t, r.Tx.Type, c.version)
	result["tx_json"] = t
	if c.version == 1 {
		result["metadata"] = r.Meta.JSON()
		return result
	}
	result["meta"] = r.Meta.JSON()
	result["hash"] = id.String()
	result["close_time_iso"] = isoTime(l.CloseTime)
	return result
}

// historyPage is how many transactions `tx_history` gives.
const historyPage = 20

// txHistory is `tx_history` (TxHistory.cpp, and Node.cpp), which version 1 alone has: the newest transactions but for the first
// few. rippled leaves the order within a ledger to its database, which gives the last one first.
func txHistory(c *call) obj {
	if !c.params.Has("start") {
		return rpcError(errInvalidParams)
	}
	start := c.params.Get("start").AsUInt()
	var txs []any
	skip := uint64(start)
	first, last := c.node.Range()
	for seq := last; seq >= first && len(txs) < historyPage; seq-- {
		l := c.node.LedgerBySeq(seq)
		if l == nil {
			continue
		}
		if n := uint64(l.TxCount()); n <= skip {
			skip -= n
			continue
		}
		records := slices.SortedFunc(l.Txs(), func(a, b *engine.TxRecord) int { return int(b.Index) - int(a.Index) })
		for _, r := range records[skip:] {
			if len(txs) == historyPage {
				break
			}
			t := transactionJSON(r.Tx, r, false, c.version)
			delete(t, "ctid") // its database does not say where in the ledger it is
			insertDeliverMax(t, r.Tx.Type, c.version)
			txs = append(txs, t)
		}
		skip = 0
	}
	result := obj{"index": start, "txs": nil}
	if txs != nil {
		result["txs"] = txs
	}
	return result
}

// accountTxPage is how many transactions `account_tx` gives where it is not told.
const accountTxPage = 200

// accountTx is `account_tx` (AccountTx.cpp, and Node.cpp for its pages).
func accountTx(c *call) obj {
	p := c.params
	for _, f := range []string{"binary", "forward"} {
		if c.version > 1 && p.Has(f) && !p.Get(f).IsBool() {
			return invalidField(f)
		}
	}
	limit, bad := c.readLimit(accountTxPage)
	if bad != nil {
		return bad
	}
	binary, forward := p.Get("binary").AsBool(), p.Get("forward").AsBool()
	address, bad := c.accountText()
	if bad != nil {
		return bad
	}
	id, ok := codec.ParseAccountID(address)
	if !ok {
		return rpcError(errActMalformed)
	}
	lowest, highest, st := c.accountTxRange()
	if st != nil && st.early {
		return st.inject(obj{})
	}
	var from *[2]uint32
	if p.Has("marker") {
		m := p.Get("marker")
		seq, index := m.Get("ledger"), m.Get("seq")
		if !m.Has("ledger") || !m.Has("seq") || !seq.ConvertibleToUInt() || !index.ConvertibleToUInt() {
			return rpcErrorText(errInvalidParams,
				"invalid marker. Provide ledger index via ledger field, and transaction sequence number via seq field")
		}
		from = &[2]uint32{seq.AsUInt(), index.AsUInt()}
	}
	if st != nil {
		return st.inject(obj{})
	}

	most := min(limit, maxTxPage)
	lo, hi := lowest, highest
	if from != nil { // its ledger is looked at even outside the range
		if forward {
			lo, hi = from[0], max(hi, from[0])
		} else {
			lo, hi = min(lo, from[0]), from[0]
		}
	}
	result := obj{
		"validated": true, "limit": limit, "account": address,
		"ledger_index_min": lowest, "ledger_index_max": highest,
	}
	txs := []any{}
	searching := from != nil
	for r := range c.node.AccountTxs(id, lo, hi, forward) {
		if searching {
			if r.LedgerSeq != from[0] || r.Index != from[1] {
				if r.LedgerSeq != from[0] {
					break // past its ledger: the marker names no transaction of the account
				}
				continue
			}
			searching = false
		}
		if uint32(len(txs)) == most {
			result["marker"] = obj{"ledger": r.LedgerSeq, "seq": r.Index}
			break
		}
		txs = append(txs, shown(c.accountTxJSON(r, binary)))
	}
	result["transactions"] = txs
	return result
}

func (c *call) accountTxJSON(r *engine.TxRecord, binary bool) obj {
	if binary {
		o := obj{"tx_blob": upperHex(r.Tx.Blob), "ledger_index": r.LedgerSeq, "validated": true}
		if c.version > 1 {
			o["meta_blob"] = upperHex(r.MetaBlob)
		} else {
			o["meta"] = upperHex(r.MetaBlob)
		}
		return o
	}
	t := transactionJSON(r.Tx, r, true, c.version)
	insertDeliverMax(t, r.Tx.Type, c.version)
	o := obj{"validated": true, "meta": metaJSON(r)}
	if c.version == 1 {
		o["tx"] = t
		return o
	}
	o["tx_json"] = t
	o["hash"] = r.Tx.ID.String()
	o["ledger_index"] = r.LedgerSeq
	o["ledger_hash"] = r.LedgerHash.String()
	o["close_time_iso"] = isoTime(r.CloseTime)
	return o
}

// rangeStatus is an error of the ledgers that `account_tx` is asked for. Early ones come before a bad marker's.
type rangeStatus struct {
	status
	early bool
}

// accountTxRange finds the range of ledgers that `account_tx` is asked for (parseLedgerArgs, getLedgerRange).
func (c *call) accountTxRange() (lowest, highest uint32, st *rangeStatus) {
	p := c.params
	first, last := c.node.Range()
	early := func(text string) (uint32, uint32, *rangeStatus) {
		return 0, 0, &rangeStatus{status{errInvalidParams, text}, true}
	}
	late := func(code errorCode) (uint32, uint32, *rangeStatus) {
		return 0, 0, &rangeStatus{status{code: code}, false}
	}
	ranged := p.Has("ledger_index_min") || p.Has("ledger_index_max")
	if c.version > 1 && ranged && (p.Has("ledger_hash") || p.Has("ledger_index")) {
		return early("invalidParams")
	}
	var l *engine.Ledger
	var notFound *status
	switch {
	case ranged:
		lo, hi := uint32(0), uint32(1<<32-1)
		if v := p.Get("ledger_index_min"); p.Has("ledger_index_min") && v.AsInt() >= 0 {
			lo = v.AsUInt()
		}
		if v := p.Get("ledger_index_max"); p.Has("ledger_index_max") && v.AsInt() >= 0 {
			hi = v.AsUInt()
		}
		if c.version > 1 && (hi > last && hi != 1<<32-1 || lo < first && lo != 0) {
			return late(errLgrIdxMalformed)
		}
		lowest, highest = max(first, lo), min(last, hi)
		if highest < lowest {
			if c.version == 1 {
				return late(errLgrIdxsInvalid)
			}
			return late(errInvalidLgrRange)
		}
		return lowest, highest, nil
	case p.Has("ledger_hash"):
		h := p.Get("ledger_hash")
		if !h.IsString() {
			return early("ledgerHashNotString")
		}
		hash, ok := codec.ParseHash256(h.AsString())
		if !ok {
			return early("ledgerHashMalformed")
		}
		l, notFound = c.ledgerByHash(hash)
	case p.Has("ledger_index"):
		v := p.Get("ledger_index")
		if v.IsNumeric() {
			l, notFound = c.ledgerBySeq(v.AsUInt())
			break
		}
		switch v.AsString() {
		case "current", "":
			l = c.node.Current()
		case "closed", "validated":
			l = c.node.Closed()
		default:
			return early("ledger_index string malformed")
		}
	default:
		return first, last, nil
	}
	if notFound != nil {
		return 0, 0, &rangeStatus{*notFound, false}
	}
	if l.Open || l.Seq > last || l.Seq < first {
		return late(errLgrNotValidated)
	}
	return l.Seq, l.Seq, nil
}
