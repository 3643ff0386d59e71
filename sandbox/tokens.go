package sandbox

import (
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// Public clients send these requests without being asked for tokens: xrpl.js reads trust lines for every balance. No supported
// transaction creates tokens, offers, payment channels or NFTs, so every list is empty. The pages of three of the lists count the
// account's other entries.

// accountOrIdent reads "account", or "ident" in its place, where both must be text.
func (c *call) accountOrIdent() (string, obj) {
	for _, field := range []string{"account", "ident"} {
		if !c.params.Has(field) {
			continue
		}
		v := c.params.Get(field)
		if !v.IsString() {
			return "", invalidField(field)
		}
		return v.AsString(), nil
	}
	return "", missingField("account")
}

// ownerOf finds an account by its address, in the ledger that the request names. With bare, the answer to a malformed address
// does not name the ledger.
func (c *call) ownerOf(address string, bare bool, result obj) (*engine.Ledger, codec.AccountID, obj) {
	l, st := c.lookupLedger(result)
	if st != nil {
		return nil, codec.AccountID{}, st.inject(result)
	}
	id, ok := codec.ParseAccountID(address)
	switch {
	case !ok && bare:
		return nil, id, rpcError(errActMalformed)
	case !ok:
		return nil, id, inject(result, errActMalformed)
	case !l.Has(engine.AccountKey(id)):
		return nil, id, rpcError(errActNotFound)
	}
	return l, id, nil
}

// accountText reads "account", which must be text.
func (c *call) accountText() (string, obj) {
	if !c.params.Has("account") {
		return "", missingField("account")
	}
	v := c.params.Get("account")
	if !v.IsString() {
		return "", invalidField("account")
	}
	return v.AsString(), nil
}

// emptyList is a request for one kind of entry of an account.
type emptyList struct {
	lists []string // the empty members of the answer
	ident bool     // the account may be named by "ident", and the answer does not name it
	limit uint32   // the standard page; 0: the request has no pages
	other string   // the member of the request that names a second account; "": none
	// parsesFirst reads the account before the ledger. A malformed address then has no ledger in its answer.
	parsesFirst bool
	// bare leaves the ledger out of the answer to a malformed address.
	bare      bool
	badMarker obj  // the answer to a marker that cannot be read
	owned     bool // pages count the entries of the account's owner directory
}

func (k emptyList) answer(c *call) obj {
	read := c.accountText
	if k.ident {
		read = c.accountOrIdent
	}
	address, bad := read()
	if bad != nil {
		return bad
	}
	if _, ok := codec.ParseAccountID(address); !ok && k.parsesFirst {
		return rpcError(errActMalformed)
	}
	result := obj{}
	l, id, bad := c.ownerOf(address, k.bare, result)
	if bad != nil {
		return bad
	}
	if bad := k.checkOther(c, result); bad != nil {
		return bad
	}
	if bad := k.page(c, l, id, result); bad != nil {
		return bad
	}
	if !k.ident {
		result["account"] = id.String()
	}
	for _, list := range k.lists {
		result[list] = []any{}
	}
	return result
}

func (k emptyList) checkOther(c *call, result obj) obj {
	if k.other == "" || !c.params.Has(k.other) {
		return nil
	}
	v := c.params.Get(k.other)
	if k.bare && !v.IsString() {
		return invalidField(k.other)
	}
	if text := v.AsString(); text != "" {
		if _, ok := codec.ParseAccountID(text); !ok {
			if k.bare {
				return rpcError(errActMalformed)
			}
			return inject(result, errActMalformed)
		}
	}
	return nil
}

// page reads "limit" and "marker" and puts the next marker into the answer. NFTs have pages of their own, of which there are none:
// no marker of theirs is valid.
func (k emptyList) page(c *call, l *engine.Ledger, id codec.AccountID, result obj) obj {
	if k.limit == 0 {
		return nil
	}
	limit, bad := c.readLimit(k.limit)
	if bad != nil {
		return bad
	}
	var from pageMarker
	if c.params.Has("marker") {
		v := c.params.Get("marker")
		if !v.IsString() {
			return expectedField("marker", "string")
		}
		var ok bool
		if from, ok = parsePageMarker(v.AsString()); !ok || !k.owned {
			return k.badMarker
		}
		if e := l.Entry(from.entry); e == nil || !relatedTo(from.entry, e, id) {
			return rpcError(errInvalidParams)
		}
	}
	next, ok := nextOwned(l, id, from, int(limit))
	if !ok {
		return rpcError(errInvalidParams)
	}
	if next != nil && k.owned {
		result["limit"] = limit
		result["marker"] = next.String()
	}
	return nil
}

// gatewayBalances is `gateway_balances` (GatewayBalances.cpp). Before version 2 it does not ask whether there is such an account.
func gatewayBalances(c *call) obj {
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	field := "account"
	if !c.params.Has(field) {
		if field = "ident"; !c.params.Has(field) {
			return missingField("account")
		}
	}
	id, ok := codec.ParseAccountID(c.params.Get(field).AsString())
	if !ok {
		return rpcError(errActMalformed)
	}
	result["account"] = id.String()
	if c.version > 1 && !l.Has(engine.AccountKey(id)) {
		return inject(result, errActNotFound)
	}
	if !validHotWallets(c.params.Get("hotwallet")) {
		if c.version > 1 {
			return inject(result, errInvalidParams)
		}
		return inject(result, errInvalidHotWallet)
	}
	return result
}

// validHotWallets tells whether a value is an address, a list of them, or null.
func validHotWallets(v *rjson.Value) bool {
	isAddress := func(v *rjson.Value) bool {
		_, ok := codec.ParseAccountID(stringOf(v))
		return ok
	}
	if v.IsArray() || v.IsNull() {
		return !slices.ContainsFunc(v.Elements(), func(e *rjson.Value) bool { return !isAddress(e) })
	}
	return isAddress(v)
}

// Advice of `noripple_check`, in rippled's words.
const (
	defaultRippleOfUser = "You appear to have set your default ripple flag even though you are not a gateway. This is not " +
		"recommended unless you are experimenting"
	defaultRippleMissing = "You should immediately set your default ripple flag"
)

const (
	flagDefaultRipple = 0x00800000
	asfDefaultRipple  = 8
)

// noRippleCheck is `noripple_check` (NoRippleCheck.cpp). Without trust lines the account's own flag is all there is to check.
func noRippleCheck(c *call) obj {
	p := c.params
	for _, f := range []string{"account", "role"} {
		if !p.Has(f) {
			return missingField(f)
		}
	}
	address, bad := c.accountText()
	if bad != nil {
		return bad
	}
	role := p.Get("role").AsString()
	if role != "gateway" && role != "user" {
		return invalidField("role")
	}
	if _, bad := c.readLimit(300); bad != nil {
		return bad
	}
	if c.version > 1 && p.Has("transactions") && !p.Get("transactions").IsBool() {
		return invalidField("transactions")
	}
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	txs, wanted := []any{}, p.Get("transactions").AsBool()
	if wanted {
		result["transactions"] = txs
	}
	id, ok := codec.ParseAccountID(address)
	if !ok {
		return inject(result, errActMalformed)
	}
	root := l.Entry(engine.AccountKey(id))
	if root == nil {
		return rpcError(errActNotFound)
	}
	problems := []any{}
	ripples := root.Uint(codec.SfFlags)&flagDefaultRipple != 0
	switch {
	case ripples && role == "user":
		problems = append(problems, defaultRippleOfUser)
	case !ripples && role == "gateway":
		problems = append(problems, defaultRippleMissing)
		if wanted {
			result["transactions"] = append(txs, obj{
				"TransactionType": "AccountSet", "SetFlag": asfDefaultRipple, "Account": id.String(),
				"Sequence": root.Uint(codec.SfSequence), "Fee": l.Fees().Base,
			})
		}
	}
	result["problems"] = problems
	return result
}

// bookOffers is `book_offers` (BookOffers.cpp).
func bookOffers(c *call) obj {
	p := c.params
	result := obj{}
	if _, st := c.lookupLedger(result); st != nil {
		return st.inject(result)
	}
	sides := []bookSide{
		{name: "taker_pays", badCurrency: errSrcCurMalformed, badIssuer: errSrcIsrMalformed},
		{name: "taker_gets", badCurrency: errDstAmtMalformed, badIssuer: errDstIsrMalformed},
	}
	for _, step := range []func(*bookSide, *call) obj{(*bookSide).present, (*bookSide).shaped, (*bookSide).named, (*bookSide).currency, (*bookSide).issuer} {
		for i := range sides {
			if bad := step(&sides[i], c); bad != nil {
				return bad
			}
		}
	}
	if p.Has("taker") {
		taker := p.Get("taker")
		if !taker.IsString() {
			return expectedField("taker", "string")
		}
		if _, ok := codec.ParseAccountID(taker.AsString()); !ok {
			return invalidField("taker")
		}
	}
	if p.Has("domain") {
		if _, ok := codec.ParseHash256(stringOf(p.Get("domain"))); !ok {
			return rpcErrorText(errDomainMalformed, "Unable to parse domain.")
		}
	}
	if sides[0].is == sides[1].is {
		return rpcError(errBadMarket)
	}
	if _, bad := c.readLimit(60); bad != nil {
		return bad
	}
	result["offers"] = []any{}
	return result
}

// bookSide is what one side of an order book is made of. Each of its checks is made of both sides before the next.
type bookSide struct {
	name                   string
	badCurrency, badIssuer errorCode
	is                     issue
}

func (s *bookSide) present(c *call) obj {
	if !c.params.Has(s.name) {
		return missingField(s.name)
	}
	return nil
}

func (s *bookSide) shaped(c *call) obj {
	if v := c.params.Get(s.name); !v.IsObject() && !v.IsNull() {
		return expectedField(s.name, "object")
	}
	return nil
}

func (s *bookSide) named(c *call) obj {
	field := s.name + ".currency"
	switch v := c.params.Get(s.name); {
	case !v.Has("currency"):
		return missingField(field)
	case !v.Get("currency").IsString():
		return expectedField(field, "string")
	}
	return nil
}

func (s *bookSide) currency(c *call) obj {
	var ok bool
	if s.is.currency, ok = parseCurrency(c.params.Get(s.name).Get("currency").AsString()); !ok {
		return rpcErrorText(s.badCurrency, "Invalid field '"+s.name+".currency', bad currency.")
	}
	return nil
}

func (s *bookSide) issuer(c *call) obj {
	v, field := c.params.Get(s.name), s.name+".issuer"
	if v.Has("issuer") {
		if !v.Get("issuer").IsString() {
			return expectedField(field, "string")
		}
		var ok bool
		if s.is.issuer, ok = parseIssuer(v.Get("issuer").AsString()); !ok {
			return rpcErrorText(s.badIssuer, "Invalid field '"+field+"', bad issuer.")
		}
		if s.is.issuer == noAccount {
			return rpcErrorText(s.badIssuer, "Invalid field '"+field+"', bad issuer account one.")
		}
	}
	switch isXRP := s.is.currency == [20]byte{}; {
	case isXRP && !s.is.issuer.IsZero():
		return rpcErrorText(s.badIssuer, "Unneeded field '"+field+"' for XRP currency specification.")
	case !isXRP && s.is.issuer.IsZero():
		return rpcErrorText(s.badIssuer, "Invalid field '"+field+"', expected non-XRP issuer.")
	}
	return nil
}

// parseIssuer reads an issuer as an address, as 40 hex digits, or as "0", which is none (to_issuer).
func parseIssuer(s string) (codec.AccountID, bool) {
	if s == "0" {
		return codec.AccountID{}, true
	}
	if b, ok := unhex(s); ok && len(s) == 40 {
		return codec.AccountID(b), true
	}
	return codec.ParseAccountID(s)
}

func bookChangesOf(h engine.Header, validated bool) obj {
	return obj{"type": "bookChanges", "validated": validated, "ledger_index": h.Seq, "ledger_hash": h.Hash.String(), "ledger_time": h.CloseTime, "changes": []any{}}
}

// ownerInfo is `owner_info` (OwnerInfo.cpp): an account's offers and trust lines, in the closed ledger and in the open one.
func ownerInfo(c *call) obj {
	field := "account"
	if !c.params.Has(field) {
		if field = "ident"; !c.params.Has(field) {
			return missingField("account")
		}
	}
	one := func() obj { return obj{} }
	if _, ok := codec.ParseAccountID(c.params.Get(field).AsString()); !ok {
		one = func() obj { return rpcError(errActMalformed) }
	}
	return obj{"accepted": one(), "current": one()}
}
