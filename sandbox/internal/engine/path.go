package engine

import (
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// Payments of tokens, on a ledger without trust lines and offers: nothing can
// flow, but which of its results a payment has depends on how its paths are
// made (rippled's PaySteps.cpp and the steps beside it). A path is turned into
// steps, which end at the first one that would need a trust line.

const (
	maxPaths      = 6 // of one payment
	maxPathLength = 8 // steps of one path
)

// issue is what an amount is of: a currency, and who issues it. Both are zero
// for XRP.
type issue struct {
	currency [20]byte
	account  codec.AccountID
}

func (i issue) isXRP() bool { return i.currency == [20]byte{} }

func (i issue) consistent() bool { return i.isXRP() == i.account.IsZero() }

// noAccount is an account that stands for none.
var noAccount = codec.AccountID{19: 1}

func issueOf(tx *codec.Tx, amount *codec.Field) (i issue) {
	if raw := tx.Object.Blob(amount); len(raw) == issuedAmountSize {
		copy(i.currency[:], raw[8:28])
		copy(i.account[:], raw[28:])
	}
	return i
}

// pathNode is an element of a path: an account to go through, or a currency or
// an issuer to change to.
type pathNode struct {
	kind byte
	issue
}

func (n pathNode) has(bit byte) bool { return n.kind&bit != 0 }
func (n pathNode) isAccount() bool   { return n.has(codec.PathAccount) }

// readPaths reads a serialized path set, which the codec has found well-formed.
func readPaths(set []byte) [][]pathNode {
	var paths [][]pathNode
	var path []pathNode
	for i := 0; i < len(set); {
		kind := set[i]
		i++
		if kind == codec.PathBoundary || kind == codec.PathEnd {
			paths, path = append(paths, path), nil
			continue
		}
		n := pathNode{kind: kind}
		for _, part := range []struct {
			bit  byte
			into []byte
		}{{codec.PathAccount, n.account[:]}, {codec.PathCurrency, n.currency[:]}, {codec.PathIssuer, n.account[:]}} {
			if n.has(part.bit) {
				copy(part.into, set[i:i+20])
				i += 20
			}
		}
		path = append(path, n)
	}
	return paths
}

// tooManyPaths bounds what the open ledger takes.
func tooManyPaths(set []byte) bool {
	paths := readPaths(set)
	return len(paths) > maxPaths || slices.ContainsFunc(paths, func(p []pathNode) bool { return len(p) > maxPathLength })
}

// checkPathNode refuses what no element may be.
func checkPathNode(n pathNode) TER {
	switch {
	case n.kind == 0,
		n.isAccount() && n.kind != codec.PathAccount,
		n.kind == codec.PathCurrency|codec.PathIssuer && !n.consistent(),
		n.has(codec.PathAccount|codec.PathIssuer) && n.account == noAccount:
		return TemBadPath
	}
	return TesSuccess
}

// findNoPath is the result of a payment of tokens (Payment.cpp, RippleCalc.cpp,
// PaySteps.cpp): no path can deliver anything, and what it fails with is that
// of the paths it may take.
func (c *applyContext) findNoPath() TER {
	paths := readPaths(c.tx.Object.Blob(codec.SfPaths))
	flags := txFlags(c.tx)
	failed := TesSuccess
	some := false // there is a path that could deliver, were there offers on it
	try := func(path []pathNode) TER {
		r := c.strand(path)
		if r == TesSuccess {
			some = true
		} else {
			failed = r
		}
		return r
	}
	if flags&tfNoRippleDirect == 0 {
		if r := try(nil); r.IsTem() {
			return r
		}
	} else if len(paths) == 0 {
		return TemRippleEmpty
	}
	for _, p := range paths {
		if r := try(p); r.IsTem() {
			return r
		}
	}
	switch {
	case some && flags&tfPartialPayment == 0:
		return TecPathPartial
	case !some && failed.IsTec():
		return failed
	}
	return TecPathDry // as what is to be tried again becomes, once its fee is claimed
}

// strand is a path on its way to become steps.
type strand struct {
	c           *applyContext
	cur         issue // what is held at this point of the path
	steps       int
	fromXRP     bool // it begins with XRP of its sender
	toXRP       bool // it ends with XRP for its destination
	bookOutputs map[issue]bool
}

// strand turns a path into steps (toStrand): success when all of them could be.
// A tem is a path that cannot be; a ter is one that needs a trust line, or an
// account that is not there.
func (c *applyContext) strand(path []pathNode) TER {
	src, dst := c.account, c.tx.Account(codec.SfDestination)
	deliver := issueOf(c.tx, codec.SfAmount)
	sendMax := issue{deliver.currency, src}
	if c.tx.Has(codec.SfSendMax) {
		sendMax = issueOf(c.tx, codec.SfSendMax)
	}
	for _, a := range []codec.AccountID{sendMax.account, src, dst, deliver.account} {
		if a == noAccount {
			return TemBadPath
		}
	}
	for _, n := range path {
		if r := checkPathNode(n); r != TesSuccess {
			return r
		}
	}
	s := &strand{c: c, bookOutputs: map[issue]bool{}}
	if !sendMax.isXRP() {
		s.cur = issue{sendMax.currency, src}
	}
	return s.build(normalPath(path, src, dst, sendMax, deliver))
}

// normalPath is a path with what goes without saying: its sender, the issuer of
// what is spent, what is delivered, its issuer, and the destination.
func normalPath(path []pathNode, src, dst codec.AccountID, sendMax, deliver issue) []pathNode {
	account := func(a codec.AccountID) pathNode { return pathNode{codec.PathAccount, issue{account: a}} }
	nodes := []pathNode{{codec.PathAccount | codec.PathCurrency | codec.PathIssuer, issue{sendMax.currency, src}}}
	if sendMax.account != src && (len(path) == 0 || !path[0].isAccount() || path[0].account != sendMax.account) {
		nodes = append(nodes, account(sendMax.account))
	}
	nodes = append(nodes, path...)
	last := nodes[0]
	for _, n := range nodes {
		if n.has(codec.PathCurrency) {
			last = n
		}
	}
	if last.currency != deliver.currency {
		nodes = append(nodes, pathNode{codec.PathCurrency | codec.PathIssuer, deliver})
	}
	at := func(a codec.AccountID) bool {
		n := nodes[len(nodes)-1]
		return n.isAccount() && n.account == a
	}
	if !at(deliver.account) && dst != deliver.account {
		nodes = append(nodes, account(deliver.account))
	}
	if !at(dst) {
		nodes = append(nodes, account(dst))
	}
	return nodes
}

// build makes the steps between each two neighbours.
func (s *strand) build(nodes []pathNode) TER {
	for i := range len(nodes) - 1 {
		cur, next, last := nodes[i], nodes[i+1], i == len(nodes)-2
		if cur.has(codec.PathAccount | codec.PathIssuer) {
			s.cur.account = cur.account
		}
		if cur.has(codec.PathCurrency) {
			if s.cur.currency = cur.currency; s.cur.isXRP() {
				s.cur.account = codec.AccountID{}
			}
		}
		make := s.step
		if !cur.isAccount() && next.isAccount() {
			make = s.afterBook
		}
		if r := make(cur, next, last); r != TesSuccess {
			return r
		}
	}
	return TesSuccess
}

// afterBook goes from what a book gave to an account.
func (s *strand) afterBook(_, to pathNode, _ bool) TER {
	switch {
	case s.cur.account == to.account, to.account.IsZero():
		return TesSuccess
	case s.cur.isXRP(): // which has no issuer to go through
		return TemBadPath
	}
	return s.direct(s.cur.account, to.account)
}

// step makes the step from one element to the next (toStep).
func (s *strand) step(from, to pathNode, last bool) TER {
	switch {
	case s.steps == 0 && from.isAccount() && from.has(codec.PathCurrency) && from.isXRP():
		return s.endpoint(from.account, &s.fromXRP)
	case last && from.kind == codec.PathAccount && from.account.IsZero() && to.isAccount():
		if a := s.c.peek(AccountKey(to.account)); a != nil && a.Uint(codec.SfFlags)&lsfGlobalFreeze != 0 {
			return TerNoLine
		}
		return s.endpoint(to.account, &s.toXRP)
	case from.isAccount() && to.isAccount():
		return s.direct(from.account, to.account)
	}
	out := s.cur
	if to.has(codec.PathCurrency) {
		out.currency = to.currency
	}
	if to.has(codec.PathIssuer) {
		out.account = to.account
	}
	if out.isXRP() {
		if s.cur.isXRP() {
			return TemBadPath
		}
		out = issue{}
	}
	return s.book(out)
}

// endpoint is XRP of the sender or for the destination, each once
// (XRPEndpointStep.cpp).
func (s *strand) endpoint(a codec.AccountID, seen *bool) TER {
	if !s.c.has(AccountKey(a)) {
		return TerNoAccount
	}
	if *seen {
		return TemBadPathLoop
	}
	*seen = true
	s.steps++
	return TesSuccess
}

// direct is a step over a trust line, of which there is none (DirectStep.cpp).
func (s *strand) direct(from, to codec.AccountID) TER {
	switch {
	case from.IsZero(), to.IsZero(), from == to:
		return TemBadPath
	case !s.c.has(AccountKey(from)):
		return TerNoAccount
	}
	return TerNoLine
}

// book is a step through an order book (BookStep.cpp). No two of a path give
// the same, and none gives the XRP that the path began with.
func (s *strand) book(out issue) TER {
	switch {
	case s.cur == out, !s.cur.consistent(), !out.consistent():
		return TemBadPath
	case s.bookOutputs[out], out.isXRP() && s.fromXRP:
		return TemBadPathLoop
	}
	s.bookOutputs[out] = true
	for _, i := range []issue{s.cur, out} {
		if !i.isXRP() && !s.c.has(AccountKey(i.account)) {
			return TecNoIssuer
		}
	}
	s.steps++
	return TesSuccess
}
