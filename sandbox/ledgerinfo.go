package sandbox

import (
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// fill says what a ledger's JSON shows (LedgerFill).
type fill struct {
	full, transactions, accounts, expand, binary, queue bool
}

// maxDump is the most entries, or whole transactions, that `ledger` shows at once. rippled shows all there are to an
// administrator; past this bound the answer is "tooBusy", and other requests have pages.
const maxDump = 10_000

// ledger is `ledger` (LedgerHandler.cpp).
func ledger(c *call) obj {
	p := c.params
	result := obj{}
	f, bad := c.readFill()
	if bad != nil {
		return bad
	}
	if p.Has("type") {
		result["warnings"] = []any{obj{"id": warnFieldsDeprecated, "message": typeDeprecated}}
	}
	if !p.Has("ledger") && !p.Has("ledger_hash") && !p.Has("ledger_index") {
		closed, open := c.node.Closed(), c.node.Current()
		result["closed"] = obj{"ledger": c.ledgerJSON(closed, fill{})}
		result["open"] = obj{"ledger": c.ledgerJSON(open, fill{})}
	} else {
		l, st := c.lookupLedger(result)
		if st != nil {
			return st.inject(obj{})
		}
		if (f.full || f.accounts) && l.State.Len() > maxDump {
			return rpcErrorText(errTooBusy, "This ledger has more entries than are shown at once. Use ledger_data, which has pages.")
		}
		if (f.full || f.transactions && f.expand) && l.TxCount() > maxDump {
			return rpcErrorText(errTooBusy, "This ledger has more transactions than are shown at once. Use tx for each.")
		}
		if f.queue && !l.Open {
			return rpcError(errInvalidParams)
		}
		result["ledger"] = c.ledgerJSON(l, f)
		if queued := c.node.Queue; f.queue {
			if q := queued(); len(q) > 0 {
				result["queue_data"] = c.queueJSON(q, f)
			}
		}
	}
	return result
}

// warnFieldsDeprecated is the id of the warning for deprecated fields of a request (ErrorCodes.h).
const warnFieldsDeprecated = 2004

const typeDeprecated = "Some fields from your request are deprecated. Please check the documentation at " +
	"https://xrpl.org/docs/references/http-websocket-apis/ and update your request. Field `type` is deprecated."

// readFill reads what `ledger` is to show. Each member must be a boolean.
func (c *call) readFill() (f fill, bad obj) {
	var ownerFunds bool // of offers, which this ledger does not hold
	for _, m := range []struct {
		name string
		into *bool
	}{
		{"full", &f.full}, {"transactions", &f.transactions}, {"accounts", &f.accounts}, {"expand", &f.expand},
		{"binary", &f.binary}, {"owner_funds", &ownerFunds}, {"queue", &f.queue},
	} {
		v := c.params.Get(m.name)
		if c.params.Has(m.name) && !v.IsBool() {
			return f, rpcError(errInvalidParams)
		}
		*m.into = v.AsBool()
	}
	return f, nil
}

// ledgerJSON is a ledger's header and what else is asked for (LedgerToJson.cpp).
func (c *call) ledgerJSON(l *engine.Ledger, f fill) obj {
	h := c.shownHeader(l)
	o := obj{}
	if f.binary {
		o["closed"] = !l.Open
		if !l.Open {
			o["ledger_data"] = upperHex(h.AppendRaw(nil))
		}
	} else {
		c.headerJSON(o, &h, l.Open, f.full)
	}
	if f.full || f.transactions {
		o["transactions"] = c.ledgerTxs(l, f)
	}
	if f.full || f.accounts {
		o["accountState"] = ledgerState(l, f)
	}
	return o
}

// shownHeader is a ledger's header as rippled shows it: of an open ledger, what is not known before it closes is still its
// parent's.
func (c *call) shownHeader(l *engine.Ledger) engine.Header {
	if !l.Open {
		return l.Header
	}
	parent := c.node.LedgerByHash(l.ParentHash)
	if parent == nil {
		return l.Header
	}
	h := parent.Header
	h.Seq, h.ParentHash, h.ParentCloseTime = l.Seq, parent.Hash, parent.CloseTime
	return h
}

func (c *call) headerJSON(o obj, h *engine.Header, open, full bool) {
	o["parent_hash"] = h.ParentHash.String()
	if c.version > 1 {
		o["ledger_index"] = h.Seq
	} else {
		o["ledger_index"] = strconv.FormatUint(uint64(h.Seq), 10)
	}
	if !open {
		o["closed"] = true
	} else if !full {
		o["closed"] = false
		return
	}
	o["ledger_hash"] = h.Hash.String()
	o["transaction_hash"] = h.TxHash.String()
	o["account_hash"] = h.StateHash.String()
	o["total_coins"] = strconv.FormatUint(h.Drops, 10)
	o["close_flags"] = h.CloseFlags
	o["parent_close_time"] = h.ParentCloseTime
	o["close_time"] = h.CloseTime
	o["close_time_resolution"] = h.Resolution
	if h.CloseTime != 0 {
		o["close_time_human"] = humanTime(h.CloseTime)
		if h.CloseFlags&1 != 0 {
			o["close_time_estimated"] = true
		}
		o["close_time_iso"] = isoTime(h.CloseTime)
	}
}

func (c *call) ledgerTxs(l *engine.Ledger, f fill) []any {
	txs := []any{}
	for r := range l.Txs() {
		t := c.ledgerTx(l, r, f)
		if o, ok := t.(obj); ok {
			t = shown(o)
		}
		txs = append(txs, t)
	}
	return txs
}

// ledgerTx is a transaction in a ledger's list (fillJsonTx).
func (c *call) ledgerTx(l *engine.Ledger, r *engine.TxRecord, f fill) any {
	t := r.Tx
	if !f.expand && !f.full {
		return t.ID.String()
	}
	o := obj{}
	switch {
	case f.binary:
		o["tx_blob"] = upperHex(t.Blob)
		meta := "meta"
		if c.version > 1 {
			o["hash"] = t.ID.String()
			meta = "meta_blob"
		}
		if r.Meta != nil {
			o[meta] = upperHex(r.MetaBlob)
		}
	case c.version > 1:
		j := t.JSON()
		insertDeliverMax(j, t.Type, c.version)
		o["tx_json"] = j
		o["hash"] = t.ID.String()
		if r.Meta != nil {
			o["meta"] = ledgerMeta(r)
		}
		if !l.Open {
			o["ledger_hash"] = l.Hash.String()
			o["ledger_index"] = l.Seq
			o["close_time_iso"] = isoTime(l.CloseTime)
		}
		o["validated"] = !l.Open
	default:
		o = t.JSON()
		o["hash"] = t.ID.String()
		insertDeliverMax(o, t.Type, c.version)
		if r.Meta != nil {
			o["metaData"] = ledgerMeta(r)
		}
	}
	return o
}

// ledgerMeta is metadata in a ledger's list: what was delivered is told of payments and cashed checks alone.
func ledgerMeta(r *engine.TxRecord) obj {
	if r.Tx.Type == codec.TtAccountDelete {
		return r.Meta.JSON()
	}
	return metaJSON(r)
}

func ledgerState(l *engine.Ledger, f fill) []any {
	entries := []any{}
	for k, raw := range l.State.All() {
		key := codec.Hash256(k)
		e := l.Entry(key)
		switch {
		case f.binary:
			entries = append(entries, shown(obj{"hash": key.String(), "tx_blob": upperHex(raw)}))
		case f.expand || f.full:
			entries = append(entries, shown(entryJSON(key, e)))
		default:
			entries = append(entries, key.String())
		}
	}
	return entries
}

func (c *call) queueJSON(queue []engine.QueuedTx, f fill) []any {
	open := c.node.Current()
	all := make([]any, 0, len(queue))
	for _, q := range queue {
		o := queuedJSON(q)
		o["account"] = q.Tx.AccountID().String()
		o["retries_remaining"] = q.Retries
		o["preflight_result"] = engine.TesSuccess.String()
		if q.HasLastResult {
			o["last_result"] = q.LastResult.String()
		}
		t := c.ledgerTx(open, &engine.TxRecord{Tx: q.Tx}, f)
		switch m, ok := t.(obj); {
		case c.version == 1:
			o["tx"] = t
		case ok:
			maps.Copy(o, m)
		default:
			o["hash"] = t
		}
		all = append(all, o)
	}
	return all
}

// ledgerHeader is `ledger_header` (LedgerHeader.cpp), which version 1 alone has.
func ledgerHeader(c *call) obj {
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	h := c.shownHeader(l)
	result["ledger_data"] = upperHex(h.AppendRaw(nil))
	result["ledger"] = c.ledgerJSON(l, fill{})
	return result
}

// ledgerClosed is `ledger_closed`.
func ledgerClosed(c *call) obj {
	l := c.node.Closed()
	return obj{"ledger_index": l.Seq, "ledger_hash": l.Hash.String()}
}

// ledgerCurrent is `ledger_current`.
func ledgerCurrent(c *call) obj { return obj{"ledger_current_index": c.node.Current().Seq} }

// ledgerAccept is `ledger_accept`: it closes the open ledger. An extension of ours, for replays: close_time, the close time that
// the ledger gets, in seconds since 2000-01-01T00:00:00Z, later than its parent's.
func ledgerAccept(c *call) obj {
	var at *uint32
	if c.params.Has("close_time") {
		v := c.params.Get("close_time")
		if !v.IsUInt() && (!v.IsInt() || v.AsInt() < 0) {
			return expectedField("close_time", "unsigned integer")
		}
		t := v.AsUInt()
		at = &t
	}
	if _, err := c.srv.closeLedger(at); err != nil {
		if errors.Is(err, engine.ErrCloseTime) {
			return rpcErrorText(errInvalidParams, "Invalid field 'close_time', not after the last ledger's close time.")
		}
		c.srv.log.Error("the ledger could not be closed", "cause", err)
		return rpcError(errInternal)
	}
	return obj{"ledger_current_index": c.node.Current().Seq}
}

// How many entries a page of `ledger_data` has where the request does not say (Tuning.h).
const (
	pageJSON   = 256
	pageBinary = 2048
)

// ledgerData is `ledger_data` (LedgerData.cpp).
func ledgerData(c *call) obj {
	p := c.params
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	var from codec.Hash256
	if p.Has("marker") {
		m := p.Get("marker")
		var ok bool
		if m.IsString() {
			from, ok = codec.ParseHash256(m.AsString())
		}
		if !ok {
			return expectedField("marker", "valid")
		}
	}
	if p.Has("binary") && !p.Get("binary").IsBool() {
		return expectedField("binary", "boolean")
	}
	binary := p.Get("binary").AsBool()
	limit := -1
	if p.Has("limit") {
		if !p.Get("limit").IsIntegral() {
			return expectedField("limit", "integer")
		}
		limit = int(p.Get("limit").AsInt())
	}
	if limit < 0 {
		if limit = pageJSON; binary {
			limit = pageBinary
		}
	}
	limit = min(limit, maxPage)
	h := c.shownHeader(l)
	result["ledger_hash"] = h.Hash.String()
	result["ledger_index"] = h.Seq
	if !p.Has("marker") {
		result["ledger"] = c.ledgerJSON(l, fill{binary: binary})
	}
	want, st := c.chooseEntryType()
	if st != nil {
		return st.inject(obj{})
	}
	state := []any{}
	for k, raw := range l.State.From(from) {
		key := codec.Hash256(k)
		if limit <= 0 {
			result["marker"] = before(key).String()
			break
		}
		limit--
		if want != anyEntry && rawEntryType(raw) != want {
			continue
		}
		if binary {
			state = append(state, shown(obj{"data": upperHex(raw), "index": key.String()}))
		} else {
			state = append(state, shown(entryJSON(key, l.Entry(key))))
		}
	}
	result["state"] = state
	return result
}

// rawEntryType is the type of a serialized entry: its first field.
func rawEntryType(raw []byte) codec.LedgerEntryType {
	if len(raw) < 3 {
		return anyEntry
	}
	return codec.LedgerEntryType(raw[1])<<8 | codec.LedgerEntryType(raw[2])
}

// before is the key that comes before another.
func before(k codec.Hash256) codec.Hash256 {
	for i := len(k) - 1; i >= 0; i-- {
		k[i]--
		if k[i] != 0xFF {
			break
		}
	}
	return k
}

// unhex reads hex digits as rippled's strUnHex does: an odd number of them has a zero before it.
func unhex(s string) ([]byte, bool) {
	out := make([]byte, 0, (len(s)+1)/2)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	for i := 0; i < len(s); i += 2 {
		hi, lo := hexDigit(s[i]), hexDigit(s[i+1])
		if hi > 15 || lo > 15 {
			return nil, false
		}
		out = append(out, hi<<4|lo)
	}
	return out, true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}

// parseCurrency reads a currency: three characters, 40 hex digits, or XRP (all zero); "" is XRP too (to_currency).
func parseCurrency(s string) (cur [20]byte, ok bool) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789?!@#$%^&*<>(){}[]|"
	if s == "" || s == "XRP" {
		return cur, true
	}
	if len(s) == 3 {
		for i := range 3 {
			if strings.IndexByte(allowed, s[i]) < 0 {
				return cur, false
			}
		}
		copy(cur[12:], s)
		return cur, true
	}
	b, ok := unhex(s)
	if !ok || len(s) != 40 {
		return cur, false
	}
	copy(cur[:], b)
	return cur, true
}

// parseIssue reads a currency and, but for XRP, its issuer (issueFromJson).
func parseIssue(v *rjson.Value) (is issue, ok bool) {
	if !v.IsObject() || v.Has("mpt_issuance_id") || !v.Get("currency").IsString() {
		return is, false
	}
	if is.currency, ok = parseCurrency(v.Get("currency").AsString()); !ok || is.currency == badCurrency || is.currency == noCurrency {
		return is, false
	}
	if is.currency == [20]byte{} {
		return is, v.Get("issuer").IsNull()
	}
	is.issuer, ok = codec.ParseAccountID(stringOf(v.Get("issuer")))
	return is, ok && !is.issuer.IsZero() && is.issuer != noAccount
}

// badCurrency spells XRP and noCurrency is the number one: neither is a currency (UintTypes.cpp).
var (
	badCurrency = [20]byte{12: 'X', 13: 'R', 14: 'P'}
	noCurrency  = [20]byte{19: 1}
)

func stringOf(v *rjson.Value) string {
	if v.IsString() {
		return v.AsString()
	}
	return ""
}

// isHash192 tells whether a text is 48 hex digits, or "0" for none.
func isHash192(s string) bool {
	_, ok := unhex(s)
	return s == "0" || ok && len(s) == 48
}
