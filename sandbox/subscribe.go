package sandbox

import (
	"crypto/rand"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// subscribe is `subscribe` (Subscribe.cpp). What comes before a mistake in a request is subscribed to, as by rippled. A server
// that calls back (url) is refused: this one makes no connections of its own.
func subscribe(c *call) obj {
	p := c.params
	if c.conn == nil && !p.Has("url") {
		return rpcError(errInvalidParams)
	}
	if p.Has("url") {
		return rpcErrorText(errNotSupported, "Subscriptions by url are not supported. Use a WebSocket.")
	}
	hub, result := c.srv.hub, obj{}
	hub.setVersion(c.conn, c.version)
	if p.Has("streams") {
		if !p.Get("streams").IsArray() {
			return rpcError(errInvalidParams)
		}
		for _, v := range p.Get("streams").Elements() {
			s, ok := streamNames[stringOf(v)]
			if !ok {
				return rpcError(errStreamMalformed)
			}
			hub.subscribe(c.conn, s)
			switch s {
			case streamLedger:
				c.describeLedger(result)
			case streamServer:
				if bad := c.describeServer(result); bad != nil {
					return bad
				}
			}
		}
	}
	if bad := c.accountLists(func(ids []codec.AccountID, proposed bool) obj {
		if !hub.follow(c.conn, ids, proposed) {
			return rpcErrorText(errSlowDown, "Too many accounts for one connection.")
		}
		return nil
	}); bad != nil {
		return bad
	}
	if p.Has("account_history_tx_stream") {
		if bad := c.historyAccount(); bad != nil {
			return bad
		}
		return rpcError(errNotEnabled)
	}
	if bad := c.books(func(book *rjson.Value) obj { return subscribeBook(book, result) }); bad != nil {
		return bad
	}
	return result
}

// unsubscribe is `unsubscribe` (Unsubscribe.cpp).
func unsubscribe(c *call) obj {
	p := c.params
	if c.conn == nil && !p.Has("url") {
		return rpcError(errInvalidParams)
	}
	if p.Has("url") {
		return obj{} // there is no such subscription
	}
	hub := c.srv.hub
	if p.Has("streams") {
		if !p.Get("streams").IsArray() {
			return rpcError(errInvalidParams)
		}
		for _, v := range p.Get("streams").Elements() {
			s, ok := streamNames[stringOf(v)]
			if !ok || s == streamBookChanges { // which this release of rippled has forgotten here
				return rpcError(errStreamMalformed)
			}
			hub.unsubscribe(c.conn, s)
		}
	}
	if bad := c.accountLists(func(ids []codec.AccountID, proposed bool) obj {
		hub.unfollow(c.conn, ids, proposed)
		return nil
	}); bad != nil {
		return bad
	}
	if p.Has("account_history_tx_stream") {
		if bad := c.historyAccount(); bad != nil {
			return bad
		}
		if h := p.Get("account_history_tx_stream"); h.Has("stop_history_tx_only") && !h.Get("stop_history_tx_only").IsBool() {
			return rpcError(errInvalidParams)
		}
	}
	if bad := c.books(checkBookDomain); bad != nil {
		return bad
	}
	return obj{}
}

// historyAccount checks the account whose history is asked for.
func (c *call) historyAccount() obj {
	if _, ok := codec.ParseAccountID(stringOf(c.params.Get("account_history_tx_stream").Get("account"))); !ok {
		return rpcError(errInvalidParams)
	}
	return nil
}

func (c *call) describeLedger(result obj) {
	l := c.node.Closed()
	fees := l.Fees()
	result["ledger_index"] = l.Seq
	result["ledger_hash"] = l.Hash.String()
	result["network_id"] = networkID
	result["ledger_time"] = l.CloseTime
	result["fee_base"] = fees.Base
	result["reserve_base"] = fees.Reserve
	result["reserve_inc"] = fees.ReserveInc
	result["validated_ledgers"] = completeLedgers(c.node)
}

func (c *call) describeServer(result obj) obj {
	var b codec.Hash256
	if _, err := rand.Read(b[:]); err != nil {
		return rpcError(errInternal)
	}
	result["stand_alone"] = true
	result["random"] = b.String()
	result["server_status"] = "full"
	result["load_base"] = loadBase
	result["load_factor"] = loadBase
	result["hostid"] = c.srv.id.host
	result["pubkey_node"] = c.srv.id.node
	return nil
}

// accountLists reads the two lists of accounts that a request may have.
func (c *call) accountLists(f func(ids []codec.AccountID, proposed bool) obj) obj {
	name := "accounts_proposed"
	if !c.params.Has(name) {
		name = "rt_accounts"
	}
	for _, l := range []struct {
		name     string
		proposed bool
	}{{name, true}, {"accounts", false}} {
		if !c.params.Has(l.name) {
			continue
		}
		v := c.params.Get(l.name)
		if !v.IsArray() {
			return rpcError(errInvalidParams)
		}
		ids := make([]codec.AccountID, 0, v.Len())
		for _, e := range v.Elements() {
			id, ok := codec.ParseAccountID(stringOf(e))
			if !ok {
				return rpcError(errActMalformed)
			}
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			return rpcError(errActMalformed)
		}
		if bad := f(ids, l.proposed); bad != nil {
			return bad
		}
	}
	return nil
}

// books checks the order books that a request names, and calls f for each. No offers exist on this ledger.
func (c *call) books(f func(book *rjson.Value) obj) obj {
	if !c.params.Has("books") {
		return nil
	}
	v := c.params.Get("books")
	if !v.IsArray() {
		return rpcError(errInvalidParams)
	}
	for _, b := range v.Elements() {
		pays, gets := b.Get("taker_pays"), b.Get("taker_gets")
		if !b.Has("taker_pays") || !b.Has("taker_gets") || !pays.IsObject() && !pays.IsNull() || !gets.IsObject() && !gets.IsNull() {
			return rpcError(errInvalidParams)
		}
		in, bad := readIssue(pays, errSrcCurMalformed, errSrcIsrMalformed)
		if bad != 0 {
			return rpcError(bad)
		}
		out, bad := readIssue(gets, errDstAmtMalformed, errDstIsrMalformed)
		if bad != 0 {
			return rpcError(bad)
		}
		if in == out {
			return rpcError(errBadMarket)
		}
		if bad := f(b); bad != nil {
			return bad
		}
	}
	return nil
}

// checkBookDomain checks the domain of an order book.
func checkBookDomain(book *rjson.Value) obj {
	if book.Has("domain") {
		if _, ok := parsedHash(book.Get("domain")); !ok {
			return rpcError(errDomainMalformed)
		}
	}
	return nil
}

// subscribeBook checks the taker and the domain of an order book, and puts the offers into the answer where a snapshot is wanted.
func subscribeBook(book *rjson.Value, result obj) obj {
	if book.Has("taker") {
		if _, ok := codec.ParseAccountID(stringOf(book.Get("taker"))); !ok {
			return rpcError(errActMalformed)
		}
	}
	if bad := checkBookDomain(book); bad != nil {
		return bad
	}
	switch {
	case !book.Get("snapshot").AsBool() && !book.Get("state_now").AsBool():
	case book.Get("both").AsBool() || book.Get("both_sides").AsBool():
		result["bids"], result["asks"] = []any{}, []any{}
	default:
		result["offers"] = []any{}
	}
	return nil
}

// issue is a currency and who issues it; both are zero for XRP.
type issue struct {
	currency [20]byte
	issuer   codec.AccountID
}

// noAccount is an issuer that rippled uses to say that there is none.
var noAccount = codec.AccountID{19: 1}

func readIssue(v *rjson.Value, badCurrency, badIssuer errorCode) (is issue, bad errorCode) {
	if !v.Has("currency") {
		return is, badCurrency
	}
	var ok bool
	if is.currency, ok = parseCurrency(v.Get("currency").AsString()); !ok {
		return is, badCurrency
	}
	if v.Has("issuer") {
		if is.issuer, ok = parseIssuer(stringOf(v.Get("issuer"))); !ok {
			return is, badIssuer
		}
	}
	if (is.currency == [20]byte{}) != is.issuer.IsZero() || is.issuer == noAccount {
		return is, badIssuer
	}
	return is, 0
}
