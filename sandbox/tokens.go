package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// This file answers the requests about tokens, offers, payment channels and NFTs. No transaction of this ledger makes any, so that
// what they list is empty; their mistakes and their pages are rippled's all the same.

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

// owner is an account whose directory a request lists, in a ledger.
type owner struct {
	id     codec.AccountID
	ledger *engine.Ledger
}

// ownerOf finds an account by its address, in the ledger that the request names. A malformed address is told beside the ledger.
func (c *call) ownerOf(address string, result obj) (owner, obj) {
	l, st := c.lookupLedger(result)
	if st != nil {
		return owner{}, st.inject(result)
	}
	id, ok := codec.ParseAccountID(address)
	if !ok {
		return owner{}, inject(result, errActMalformed)
	}
	if !l.Has(engine.AccountKey(id)) {
		return owner{}, rpcError(errActNotFound)
	}
	return owner{id, l}, nil
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

// pageStart is where a page of an owner directory begins: after an entry, looked for from page hint on.
type pageStart struct {
	after codec.Hash256
	hint  uint64
}

// markerAfter reads a marker of the form "key,page". The error for one that has not this form is the request's own; one that names
// no entry of the account is invalidParams in all of them.
func (c *call) markerAfter(o owner, malformed obj) (pageStart, obj) {
	if !c.params.Has("marker") {
		return pageStart{}, nil
	}
	v := c.params.Get("marker")
	if !v.IsString() {
		return pageStart{}, expectedField("marker", "string")
	}
	parts := strings.SplitN(v.AsString(), ",", 3)
	if len(parts) < 2 {
		return pageStart{}, malformed
	}
	after, ok := codec.ParseHash256(parts[0])
	if !ok {
		return pageStart{}, malformed
	}
	hint, ok := pageNumber(parts[1])
	if !ok {
		return pageStart{}, malformed
	}
	if e := o.ledger.Entry(after); e == nil || !relatedTo(after, e, o.id) {
		return pageStart{}, rpcError(errInvalidParams)
	}
	return pageStart{after, hint}, nil
}

// pageNumber reads a number as C++'s lexical casts read an unsigned one: a sign may stand before it, and a negative one wraps.
func pageNumber(s string) (uint64, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	if digits == "" || digits[0] < '0' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil
}

// relatedTo tells whether a marker may name an entry (RPCHelpers.cpp, isRelatedToAccount). Credentials are not among those it may
// name: who asks for the page after one is refused by rippled too.
func relatedTo(key codec.Hash256, e *codec.Object, id codec.AccountID) bool {
	switch {
	case e.Has(codec.SfAccount):
		return e.Account(codec.SfAccount) == id
	case entryType(e) == codec.LtSignerList:
		return key == engine.SignerListKey(id)
	}
	return false
}

// ownedPage walks limit entries of an account's owner directory, and puts a marker into the answer if there are more. None of them
// is of the kinds that are asked for here. It tells false for a marker whose entry the directory does not have
// (View.cpp, forEachItemAfter).
func ownedPage(o owner, from pageStart, limit uint32, result obj) bool {
	root, page := engine.OwnerDirKey(o.id), uint64(0)
	pageAt := func(n uint64) *codec.Object { return o.ledger.Entry(engine.PageKey(root, n)) }
	found := from.after.IsZero()
	if !found {
		if d := pageAt(from.hint); d != nil && slices.Contains(d.Hashes(codec.SfIndexes), from.after) {
			page = from.hint
		}
	}
	var last codec.Hash256
	seen := uint32(0)
	for {
		d := pageAt(page)
		if d == nil {
			return found
		}
		for _, key := range d.Hashes(codec.SfIndexes) {
			if !found {
				found = key == from.after
				continue
			}
			if seen++; seen == limit {
				last = key
			}
			if seen > limit {
				if limit > 0 {
					result["limit"] = limit
					result["marker"] = last.String() + "," + strconv.FormatUint(o.ledger.Entry(last).Uint(codec.SfOwnerNode), 10)
				}
				return true
			}
		}
		if page = d.Uint(codec.SfIndexNext); page == 0 {
			return found
		}
	}
}

// readPageLimit reads "limit" where 0 is a page without entries.
func (c *call) readPageLimit(standard uint32) (uint32, obj) {
	if v := c.params.Get("limit"); (v.IsInt() || v.IsUInt()) && v.Equal(rjson.NewInt(0)) {
		return 0, nil
	}
	return c.readLimit(standard)
}

// listing is a request for one kind of what an account has.
type listing struct {
	list      string // the answer's member
	other     string // the request's member that names another account; "": none
	apart     bool   // a malformed address is told without the ledger
	badMarker obj
}

func (k listing) answer(c *call) obj {
	address, bad := c.accountText()
	if bad != nil {
		return bad
	}
	result := obj{}
	malformed := func() obj {
		if k.apart {
			return rpcError(errActMalformed)
		}
		return inject(result, errActMalformed)
	}
	o, bad := c.ownerOf(address, result)
	if bad != nil {
		if bad["error_code"] == int(errActMalformed) {
			return malformed()
		}
		return bad
	}
	if k.other != "" && c.params.Has(k.other) {
		if text := c.params.Get(k.other).AsString(); text != "" {
			if _, ok := codec.ParseAccountID(text); !ok {
				return malformed()
			}
		}
	}
	limit, bad := c.readPageLimit(200)
	if bad != nil {
		return bad
	}
	from, bad := c.markerAfter(o, k.badMarker)
	if bad != nil {
		return bad
	}
	if !ownedPage(o, from, limit, result) {
		return rpcError(errInvalidParams)
	}
	result["account"] = o.id.String()
	result[k.list] = []any{}
	return result
}

// accountLines is `account_lines` (AccountLines.cpp).
func accountLines(c *call) obj {
	return listing{list: "lines", other: "peer", badMarker: rpcError(errInvalidParams)}.answer(c)
}

// accountOffers is `account_offers` (AccountOffers.cpp).
func accountOffers(c *call) obj {
	return listing{list: "offers", badMarker: invalidField("marker")}.answer(c)
}

// accountChannels is `account_channels` (AccountChannels.cpp).
func accountChannels(c *call) obj {
	return listing{list: "channels", other: "destination_account", apart: true, badMarker: rpcError(errInvalidParams)}.answer(c)
}

// accountCurrencies is `account_currencies` (AccountCurrenciesHandler.cpp): what an account could send and receive over trust lines.
func accountCurrencies(c *call) obj {
	address, bad := c.accountOrIdent()
	if bad != nil {
		return bad
	}
	result := obj{}
	if _, bad := c.ownerOf(address, result); bad != nil {
		return bad
	}
	result["send_currencies"], result["receive_currencies"] = []any{}, []any{}
	return result
}

// accountNFTs is `account_nfts` (AccountObjects.cpp). Its marker names a token, and there is none.
func accountNFTs(c *call) obj {
	address, bad := c.accountText()
	if bad != nil {
		return bad
	}
	if _, ok := codec.ParseAccountID(address); !ok {
		return rpcError(errActMalformed)
	}
	result := obj{}
	o, bad := c.ownerOf(address, result)
	if bad != nil {
		return bad
	}
	if _, bad := c.readLimit(100); bad != nil {
		return bad
	}
	if c.params.Has("marker") {
		if !c.params.Get("marker").IsString() {
			return expectedField("marker", "string")
		}
		return invalidField("marker")
	}
	result["account"], result["account_nfts"] = o.id.String(), []any{}
	return result
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

// nftOffers are `nft_buy_offers` and `nft_sell_offers` (NFTOffers.cpp): no token has any.
func nftOffers(c *call) obj {
	if !c.params.Has("nft_id") {
		return missingField("nft_id")
	}
	if _, ok := codec.ParseHash256(c.params.Get("nft_id").AsString()); !ok {
		return invalidField("nft_id")
	}
	if _, bad := c.readLimit(250); bad != nil {
		return bad
	}
	result := obj{}
	if _, st := c.lookupLedger(result); st != nil {
		return st.inject(result)
	}
	return rpcError(errObjectNotFound)
}

// bookChanges is `book_changes` (BookOffers.cpp, BookChanges.h): nothing is traded here.
func bookChanges(c *call) obj {
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	return bookChangesOf(c.shownHeader(l), !l.Open)
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
