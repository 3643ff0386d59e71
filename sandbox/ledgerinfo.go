package sandbox

import (
	"errors"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// fill says what a ledger's JSON shows (LedgerFill).
type fill struct {
	full, transactions, accounts, expand, binary, queue bool
	entries                                             codec.LedgerEntryType
}

// maxDump is the most entries, or whole transactions, that `ledger` shows at once. rippled shows all there are to an
// administrator; past this bound the answer is "tooBusy", and other requests have pages.
const maxDump = 10_000

// ledger is `ledger` (LedgerHandler.cpp).
func ledger(c *call) obj {
	p := c.params
	result := obj{}
	if !p.Has("ledger") && !p.Has("ledger_hash") && !p.Has("ledger_index") {
		closed, open := c.node.Closed(), c.node.Current()
		result["closed"] = obj{"ledger": c.ledgerJSON(closed, fill{})}
		result["open"] = obj{"ledger": c.ledgerJSON(open, fill{})}
	} else {
		l, st := c.lookupLedger(result)
		if st != nil {
			return st.inject(obj{})
		}
		f := fill{
			full:         p.Get("full").AsBool(),
			transactions: p.Get("transactions").AsBool(),
			accounts:     p.Get("accounts").AsBool(),
			expand:       p.Get("expand").AsBool(),
			binary:       p.Get("binary").AsBool(),
			queue:        p.Get("queue").AsBool(),
		}
		if f.entries, st = c.chooseEntryType(); st != nil {
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
		if f.entries != anyEntry && entryType(e) != f.entries {
			continue
		}
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
		if m, ok := t.(obj); ok && c.version > 1 {
			for k, v := range m {
				o[k] = v
			}
		} else {
			o["tx"] = t
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

// notHeld stands for the key of an entry of a kind that this ledger never holds. Nothing is found there.
var notHeld = codec.Sha512Half([]byte("an entry of a kind that this ledger does not hold"))

// entryParser reads the key of an entry from what a request says of it. An error is one of rippled's words.
type entryParser struct {
	field string
	kind  codec.LedgerEntryType
	parse func(c *call, v *rjson.Value) (key codec.Hash256, err string)
}

const (
	malformedRequest = "malformedRequest"
	malformedAddress = "malformedAddress"
	malformedOwner   = "malformedOwner"

	malformedCredentials = "malformedAuthorizedCredentials"
)

// entryParsers are in the order in which rippled looks for them; the first that a request has decides (LedgerEntry.cpp). The
// kinds that this ledger does not hold are read too, for their mistakes.
var entryParsers = []entryParser{
	{"index", anyEntry, byIndex},
	{"account_root", codec.LtAccountRoot, func(_ *call, v *rjson.Value) (codec.Hash256, string) {
		return byAccount(v, engine.AccountKey)
	}},
	{"check", codec.LtCheck, byIndex},
	{"deposit_preauth", codec.LtDepositPreauth, depositPreauthEntry},
	{"directory", codec.LtDirectoryNode, directoryEntry},
	{"escrow", codec.LtEscrow, func(_ *call, v *rjson.Value) (codec.Hash256, string) {
		return bySequence(v, "owner", "seq", malformedOwner, nil)
	}},
	{"offer", codec.LtOffer, func(_ *call, v *rjson.Value) (codec.Hash256, string) {
		return bySequence(v, "account", "seq", malformedAddress, nil)
	}},
	{"payment_channel", codec.LtPayChannel, byIndex},
	{"ripple_state", codec.LtRippleState, rippleStateEntry},
	{"ticket", codec.LtTicket, func(_ *call, v *rjson.Value) (codec.Hash256, string) {
		return bySequence(v, "account", "ticket_seq", malformedAddress, engine.TicketKey)
	}},
	{"nft_page", codec.LtNFTokenPage, func(c *call, v *rjson.Value) (codec.Hash256, string) {
		if !v.IsString() {
			return codec.Hash256{}, malformedRequest
		}
		return byIndex(c, v)
	}},
	{"amm", codec.LtAMM, func(c *call, v *rjson.Value) (codec.Hash256, string) {
		if !v.IsObject() {
			return byIndex(c, v)
		}
		if !validIssue(v.Get("asset")) || !validIssue(v.Get("asset2")) {
			return codec.Hash256{}, malformedRequest
		}
		return notHeld, ""
	}},
	{"bridge", codec.LtBridge, func(c *call, v *rjson.Value) (codec.Hash256, string) {
		door := c.params.Get("bridge_account")
		if id, ok := codec.ParseAccountID(stringOf(door)); !ok || id.IsZero() || !v.IsObject() {
			return codec.Hash256{}, malformedRequest
		}
		if key, bad := bridgeEntry(v, ""); bad != "" {
			return key, bad
		}
		if d := stringOf(door); d != stringOf(v.Get("LockingChainDoor")) && d != stringOf(v.Get("IssuingChainDoor")) {
			return codec.Hash256{}, malformedRequest
		}
		return notHeld, ""
	}},
	{"xchain_owned_claim_id", codec.LtXChainOwnedClaimID, func(c *call, v *rjson.Value) (codec.Hash256, string) {
		if v.IsString() {
			return byIndex(c, v)
		}
		return bridgeEntry(v, "xchain_owned_claim_id")
	}},
	{"xchain_owned_create_account_claim_id", codec.LtXChainOwnedCreateAccountClaimID, func(c *call, v *rjson.Value) (codec.Hash256, string) {
		if v.IsString() {
			return byIndex(c, v)
		}
		return bridgeEntry(v, "xchain_owned_create_account_claim_id")
	}},
	{"did", codec.LtDID, func(_ *call, v *rjson.Value) (codec.Hash256, string) {
		return byAccount(v, engine.DIDKey)
	}},
	{"oracle", codec.LtOracle, oracleEntry},
	{"credential", codec.LtCredential, credentialEntry},
	{"mpt_issuance", codec.LtMPTokenIssuance, func(_ *call, v *rjson.Value) (codec.Hash256, string) {
		if !isHash192(stringOf(v)) {
			return codec.Hash256{}, malformedRequest
		}
		return notHeld, ""
	}},
	{"mptoken", codec.LtMPToken, mptokenEntry},
	{"permissioned_domain", codec.LtPermissionedDomain, permissionedDomainEntry},
}

// ledgerEntry is `ledger_entry` (LedgerEntry.cpp). Its errors have no code and no message.
func ledgerEntry(c *call) (result obj) {
	result = obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	// Since version 2 what cannot be converted is a mistake of the request; before it the server's.
	if c.version > 1 {
		defer func() {
			if e := recover(); e != nil {
				if _, ok := e.(rjson.ConversionError); !ok {
					panic(e)
				}
				result["error"] = "invalidParams"
			}
		}()
	}
	key, kind, bad := c.parseEntry()
	if bad != "" {
		result["error"] = bad
		return result
	}
	if key.IsZero() {
		return result
	}
	e := l.Entry(key)
	switch {
	case e == nil:
		result["error"] = "entryNotFound"
	case kind != anyEntry && kind != entryType(e):
		result["error"] = "unexpectedLedgerType"
	case c.params.Get("binary").AsBool():
		result["node_binary"] = upperHex(e.Append(nil))
		result["index"] = key.String()
	default:
		result["node"] = entryJSON(key, e)
		result["index"] = key.String()
	}
	return result
}

func (c *call) parseEntry() (codec.Hash256, codec.LedgerEntryType, string) {
	for _, p := range entryParsers {
		if c.params.Has(p.field) {
			key, bad := p.parse(c, c.params.Get(p.field))
			return key, p.kind, bad
		}
	}
	if ps := c.params.Get("params"); ps.IsArray() && ps.Len() == 1 && ps.At(0).IsString() {
		key, bad := byIndex(c, ps.At(0))
		return key, anyEntry, bad
	}
	if c.version > 1 {
		return codec.Hash256{}, anyEntry, "invalidParams"
	}
	return codec.Hash256{}, anyEntry, "unknownOption"
}

func stringOf(v *rjson.Value) string {
	if v.IsString() {
		return v.AsString()
	}
	return ""
}

func byIndex(_ *call, v *rjson.Value) (codec.Hash256, string) {
	if k, ok := codec.ParseHash256(v.AsString()); ok {
		return k, ""
	}
	return codec.Hash256{}, malformedRequest
}

func byAccount(v *rjson.Value, key func(codec.AccountID) codec.Hash256) (codec.Hash256, string) {
	id, ok := codec.ParseAccountID(v.AsString())
	if !ok || id.IsZero() {
		return codec.Hash256{}, malformedAddress
	}
	return key(id), ""
}

// bySequence reads a key from an account and a number, or from the key itself.
func bySequence(v *rjson.Value, account, number, badAccount string, key func(codec.AccountID, uint32) codec.Hash256) (codec.Hash256, string) {
	if !v.IsObject() {
		return byIndex(nil, v)
	}
	if !v.Has(account) || !v.Get(number).IsIntegral() {
		return codec.Hash256{}, malformedRequest
	}
	id, ok := codec.ParseAccountID(v.Get(account).AsString())
	if !ok {
		return codec.Hash256{}, badAccount
	}
	n := v.Get(number).AsUInt()
	if key == nil {
		return notHeld, ""
	}
	return key(id, n), ""
}

func credentialEntry(c *call, v *rjson.Value) (codec.Hash256, string) {
	if v.IsString() {
		return byIndex(c, v)
	}
	for _, f := range []string{"subject", "issuer", "credential_type"} {
		if !v.Get(f).IsString() {
			return codec.Hash256{}, malformedRequest
		}
	}
	subject, ok1 := codec.ParseAccountID(v.Get("subject").AsString())
	issuer, ok2 := codec.ParseAccountID(v.Get("issuer").AsString())
	kind, ok3 := unhex(v.Get("credential_type").AsString())
	if !ok1 || !ok2 || !ok3 || subject.IsZero() || issuer.IsZero() || len(kind) == 0 {
		return codec.Hash256{}, malformedRequest
	}
	return engine.CredentialKey(subject, issuer, kind), ""
}

func directoryEntry(c *call, v *rjson.Value) (codec.Hash256, string) {
	if v.IsNull() {
		return codec.Hash256{}, malformedRequest
	}
	if !v.IsObject() {
		return byIndex(c, v)
	}
	if v.Has("sub_index") && !v.Get("sub_index").IsIntegral() {
		return codec.Hash256{}, malformedRequest
	}
	page := uint64(v.Get("sub_index").AsUInt())
	switch {
	case v.Has("dir_root"):
		if v.Has("owner") {
			return codec.Hash256{}, malformedRequest
		}
		root, ok := codec.ParseHash256(v.Get("dir_root").AsString())
		if !ok {
			return codec.Hash256{}, malformedRequest
		}
		return engine.PageKey(root, page), ""
	case v.Has("owner"):
		id, ok := codec.ParseAccountID(v.Get("owner").AsString())
		if !ok {
			return codec.Hash256{}, malformedAddress
		}
		return engine.PageKey(engine.OwnerDirKey(id), page), ""
	}
	return codec.Hash256{}, malformedRequest
}

// maxAuthorized is the most credentials that one preauthorization names.
const maxAuthorized = 8

func depositPreauthEntry(c *call, v *rjson.Value) (codec.Hash256, string) {
	if !v.IsObject() {
		if !v.IsString() {
			return codec.Hash256{}, malformedRequest
		}
		return byIndex(c, v)
	}
	account, credentials := v.Get("authorized"), v.Get("authorized_credentials")
	if !v.Get("owner").IsString() || v.Has("authorized") == v.Has("authorized_credentials") ||
		v.Has("authorized") && !account.IsString() || v.Has("authorized_credentials") && !credentials.IsArray() {
		return codec.Hash256{}, malformedRequest
	}
	owner, ok := codec.ParseAccountID(v.Get("owner").AsString())
	if !ok {
		return codec.Hash256{}, malformedOwner
	}
	if v.Has("authorized") {
		id, ok := codec.ParseAccountID(account.AsString())
		if !ok {
			return codec.Hash256{}, "malformedAuthorized"
		}
		return engine.DepositPreauthKey(owner, id), ""
	}
	if n := credentials.Len(); n == 0 || n > maxAuthorized {
		return codec.Hash256{}, malformedCredentials
	}
	kinds := make([]engine.CredentialKind, 0, maxAuthorized)
	for _, e := range credentials.Elements() {
		issuer, ok1 := codec.ParseAccountID(stringOf(e.Get("issuer")))
		kind, ok2 := unhex(stringOf(e.Get("credential_type")))
		if !ok1 || issuer.IsZero() || !ok2 || len(kind) == 0 || len(kind) > 64 {
			return codec.Hash256{}, malformedCredentials
		}
		kinds = append(kinds, engine.CredentialKind{Issuer: issuer, Type: kind})
	}
	sorted, unique := engine.SortCredentialKinds(kinds)
	if !unique {
		return codec.Hash256{}, malformedCredentials
	}
	return engine.DepositPreauthCredentialsKey(owner, sorted), ""
}

// permissionedDomainEntry is rippled 2.4.0's: a domain by its owner and the sequence of the transaction that made it.
func permissionedDomainEntry(c *call, v *rjson.Value) (codec.Hash256, string) {
	if v.IsString() {
		return byIndex(c, v)
	}
	if !v.IsObject() {
		return codec.Hash256{}, malformedRequest
	}
	if !v.Get("account").IsString() {
		return codec.Hash256{}, malformedAddress
	}
	seq := v.Get("seq")
	if !seq.IsUInt() && (!seq.IsInt() || seq.AsInt() < 0) {
		return codec.Hash256{}, malformedRequest
	}
	id, ok := codec.ParseAccountID(v.Get("account").AsString())
	if !ok {
		return codec.Hash256{}, malformedAddress
	}
	return engine.PermissionedDomainKey(id, seq.AsUInt()), ""
}

func rippleStateEntry(_ *call, v *rjson.Value) (codec.Hash256, string) {
	ends := v.Get("accounts")
	if !v.IsObject() || !v.Has("currency") || ends.Len() != 2 || !ends.At(0).IsString() || !ends.At(1).IsString() ||
		ends.At(0).AsString() == ends.At(1).AsString() {
		return codec.Hash256{}, malformedRequest
	}
	_, ok1 := codec.ParseAccountID(ends.At(0).AsString())
	_, ok2 := codec.ParseAccountID(ends.At(1).AsString())
	if !ok1 || !ok2 {
		return codec.Hash256{}, malformedAddress
	}
	if _, ok := parseCurrency(v.Get("currency").AsString()); !ok {
		return codec.Hash256{}, "malformedCurrency"
	}
	return notHeld, ""
}

// bridgeEntry reads a bridge's four parts and, where number names one, the number of a claim on it.
func bridgeEntry(v *rjson.Value, number string) (codec.Hash256, string) {
	if !v.IsObject() || !v.Get("IssuingChainDoor").IsString() || !v.Get("LockingChainDoor").IsString() ||
		!v.Has("IssuingChainIssue") || !v.Has("LockingChainIssue") || number != "" && !v.Has(number) {
		return codec.Hash256{}, malformedRequest
	}
	_, ok1 := codec.ParseAccountID(v.Get("LockingChainDoor").AsString())
	_, ok2 := codec.ParseAccountID(v.Get("IssuingChainDoor").AsString())
	if !ok1 || !ok2 || !validIssue(v.Get("LockingChainIssue")) || !validIssue(v.Get("IssuingChainIssue")) {
		return codec.Hash256{}, malformedRequest
	}
	return notHeld, ""
}

func oracleEntry(c *call, v *rjson.Value) (codec.Hash256, string) {
	if !v.IsObject() {
		return byIndex(c, v)
	}
	if !v.Has("oracle_document_id") || !v.Has("account") {
		return codec.Hash256{}, malformedRequest
	}
	id, ok := codec.ParseAccountID(v.Get("account").AsString())
	if !ok || id.IsZero() {
		return codec.Hash256{}, malformedAddress
	}
	doc := v.Get("oracle_document_id")
	switch {
	case doc.IsUInt(), doc.IsInt() && doc.AsInt() >= 0:
	case doc.IsString():
		if _, ok := rjson.ParseUint32(doc.AsString()); ok {
			break
		}
		fallthrough
	default:
		return codec.Hash256{}, "malformedDocumentID"
	}
	return notHeld, ""
}

func mptokenEntry(c *call, v *rjson.Value) (codec.Hash256, string) {
	if !v.IsObject() {
		return byIndex(c, v)
	}
	if !v.Has("mpt_issuance_id") || !v.Has("account") || !isHash192(v.Get("mpt_issuance_id").AsString()) {
		return codec.Hash256{}, malformedRequest
	}
	return byAccount(v.Get("account"), func(codec.AccountID) codec.Hash256 { return notHeld })
}

// isHash192 tells whether a text is 48 hex digits, or "0" for none.
func isHash192(s string) bool {
	_, ok := unhex(s)
	return s == "0" || ok && len(s) == 48
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

// validIssue tells whether a value names a currency and, but for XRP, its issuer (issueFromJson).
func validIssue(v *rjson.Value) bool {
	if !v.IsObject() || !v.Get("currency").IsString() {
		return false
	}
	cur, ok := parseCurrency(v.Get("currency").AsString())
	if !ok {
		return false
	}
	if cur == [20]byte{} {
		return v.Get("issuer").IsNull()
	}
	_, ok = codec.ParseAccountID(stringOf(v.Get("issuer")))
	return ok
}
