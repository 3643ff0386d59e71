package engine

import (
	"bytes"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// seqProxy is what orders an account's transactions: sequence numbers come
// before tickets, each ascending (rippled's SeqProxy.h).
type seqProxy struct {
	ticket bool
	value  uint32
}

func proxyOf(tx *codec.Tx) seqProxy {
	n, ticket := tx.SeqProxy()
	return seqProxy{ticket: ticket, value: n}
}

func (p seqProxy) compare(q seqProxy) int {
	switch {
	case p == q:
		return 0
	case p.ticket != q.ticket:
		if q.ticket {
			return -1
		}
		return 1
	case p.value < q.value:
		return -1
	}
	return 1
}

// canonicalEntry is a transaction in a canonicalSet, with the salted account
// that it is sorted by.
type canonicalEntry struct {
	account codec.Hash256
	proxy   seqProxy
	tx      *codec.Tx
}

// canonicalSet holds transactions in the order in which a ledger tries them:
// by account, salted so that nobody can choose an account to come first; then
// by sequence or ticket; then by id (rippled's CanonicalTXSet).
type canonicalSet struct {
	salt    codec.Hash256
	entries []canonicalEntry
}

func (s *canonicalSet) accountKey(a codec.AccountID) codec.Hash256 {
	var k codec.Hash256
	copy(k[:], a[:])
	for i := range k {
		k[i] ^= s.salt[i]
	}
	return k
}

func compareEntries(a, b canonicalEntry) int {
	if c := bytes.Compare(a.account[:], b.account[:]); c != 0 {
		return c
	}
	if c := a.proxy.compare(b.proxy); c != 0 {
		return c
	}
	return bytes.Compare(a.tx.ID[:], b.tx.ID[:])
}

func (s *canonicalSet) insert(tx *codec.Tx) {
	e := canonicalEntry{account: s.accountKey(tx.AccountID()), proxy: proxyOf(tx), tx: tx}
	at, found := slices.BinarySearchFunc(s.entries, e, compareEntries)
	if !found {
		s.entries = slices.Insert(s.entries, at, e)
	}
}

// insertAll adds many at once.
func (s *canonicalSet) insertAll(txs []*codec.Tx) {
	for _, tx := range txs {
		s.entries = append(s.entries, canonicalEntry{account: s.accountKey(tx.AccountID()), proxy: proxyOf(tx), tx: tx})
	}
	slices.SortFunc(s.entries, compareEntries)
	s.entries = slices.CompactFunc(s.entries, func(a, b canonicalEntry) bool { return a.tx.ID == b.tx.ID })
}

// popNext takes out the transaction of the same account that tx makes way for:
// the one with the following sequence, or else the lowest ticket.
func (s *canonicalSet) popNext(tx *codec.Tx) *codec.Tx {
	after := canonicalEntry{account: s.accountKey(tx.AccountID()), proxy: proxyOf(tx), tx: &codec.Tx{}}
	at, _ := slices.BinarySearchFunc(s.entries, after, compareEntries)
	if at == len(s.entries) || s.entries[at].account != after.account {
		return nil
	}
	next := s.entries[at]
	if !next.proxy.ticket && next.proxy.value != after.proxy.value+1 {
		return nil
	}
	s.entries = slices.Delete(s.entries, at, at+1)
	return next.tx
}

// Passes over the transactions that could not be applied yet (rippled's
// OpenLedger.h): at most this many, of which so many forgive failures.
const (
	totalPasses = 3
	retryPasses = 1
)

type attempt int

const (
	attemptDone attempt = iota
	attemptFailed
	attemptAgain
)

func tryApply(v *view, tx *codec.Tx, retry bool) attempt {
	var flags applyFlags
	if retry {
		flags = flagRetry
	}
	r, applied := apply(v, tx, flags)
	switch {
	case applied:
		return attemptDone
	case r.IsTef() || r.IsTem() || r.IsTel():
		return attemptFailed
	}
	return attemptAgain
}

// applyPasses tries the set's transactions in passes until nothing changes any
// more: while something does, failures that may pass are tried again, at the
// end they claim their fee. What remains in the set could not be applied.
func (s *canonicalSet) applyPasses(v *view) {
	retry := true
	for pass := range totalPasses {
		changes := 0
		kept := s.entries[:0]
		for _, e := range s.entries {
			switch tryApply(v, e.tx, retry) {
			case attemptDone:
				changes++
			case attemptAgain:
				kept = append(kept, e)
			}
		}
		s.entries = kept
		if changes == 0 && !retry {
			return
		}
		if changes == 0 || pass >= retryPasses {
			retry = false
		}
	}
}
