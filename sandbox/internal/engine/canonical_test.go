package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func TestCanonicalOrder(t *testing.T) {
	a, b := named("a", codec.Ed25519), named("b", codec.Ed25519)
	if compareHashes(CredentialKey(a.id, a.id, nil), CredentialKey(b.id, b.id, nil)) == 0 {
		t.Fatal("the same account twice")
	}
	if slices.Compare(a.id[:], b.id[:]) > 0 {
		a, b = b, a
	}
	seq := func(s *signer, n uint64, fee int64) *codec.Tx {
		return s.tx(t, codec.TtAccountSet, all(uintField(codec.SfSequence, n), feeOf(fee)))
	}
	ticket := func(s *signer, n uint32) *codec.Tx { return s.tx(t, codec.TtAccountSet, byTicket(n)) }
	txs := map[string]*codec.Tx{
		"a5": seq(a, 5, 10), "a6": seq(a, 6, 10), "a6'": seq(a, 6, 11), "aT2": ticket(a, 2), "aT9": ticket(a, 9),
		"b1": seq(b, 1, 10), "bT1": ticket(b, 1),
	}
	name := func(tx *codec.Tx) string {
		for n, x := range txs {
			if tx != nil && x.ID == tx.ID {
				return n
			}
		}
		return "none"
	}
	sixes := []string{"a6", "a6'"}
	if compareHashes(txs["a6"].ID, txs["a6'"].ID) > 0 {
		slices.Reverse(sixes)
	}
	as := append(append([]string{"a5"}, sixes...), "aT2", "aT9")
	bs := []string{"b1", "bT1"}
	var flip codec.Hash256 // a salt that has b come first
	for i := range flip {
		flip[i] = 0xFF
	}
	for salt, want := range map[codec.Hash256][]string{{}: append(slices.Clone(as), bs...), flip: append(slices.Clone(bs), as...)} {
		one, many := canonicalSet{salt: salt}, canonicalSet{salt: salt}
		var list []*codec.Tx
		for _, tx := range txs { // in any order, each twice
			one.insert(tx)
			one.insert(tx)
			list = append(list, tx, tx)
		}
		many.insertAll(list)
		for _, s := range []canonicalSet{one, many} {
			var got []string
			for _, e := range s.entries {
				got = append(got, name(e.tx))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("order %v, want %v", got, want)
			}
		}
		// What a transaction makes way for. While it is held itself, nothing.
		if got := name(one.popNext(txs["a5"])); got != "none" {
			t.Errorf("after a5, which is held, comes %s", got)
		}
		one.entries = slices.DeleteFunc(one.entries, func(e canonicalEntry) bool { return e.tx == txs["a5"] })
		for _, c := range []struct{ after, want string }{
			{"a5", sixes[0]}, // the next sequence
			{"a6", "none"},   // another of its own sequence is first
			{"aT2", "aT2"},   // tickets from this one on
			{"b1", "none"},
			{"bT1", "bT1"},
			{"bT1", "none"},
			{"a5", sixes[1]},
			{"a5", "aT9"}, // with no sequence left, the lowest ticket
			{"a5", "none"},
		} {
			if got := name(one.popNext(txs[c.after])); got != c.want {
				t.Errorf("after %s comes %s, want %s", c.after, got, c.want)
			}
		}
	}
}
