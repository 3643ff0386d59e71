package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestStateTable: what changes over an entry's life within one transaction
// comes to.
func TestStateTable(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	key, fresh := AccountKey(w.acct("alice").id), codec.Hash256{1}
	entry := func() *codec.Object {
		o := newEntry(codec.LtTicket)
		o.SetAccount(codec.SfAccount, w.acct("alice").id)
		o.SetUint(codec.SfOwnerNode, 0)
		o.SetUint(codec.SfTicketSequence, 1)
		o.SetHash(codec.SfPreviousTxnID, codec.Hash256{})
		o.SetUint(codec.SfPreviousTxnLgrSeq, 0)
		return o
	}
	tx := w.acct("alice").tx(t, codec.TtAccountSet, nil)
	for _, c := range []struct {
		name  string
		do    func(s *stateTable)
		size  int          // changes counted
		nodes int          // of the metadata
		kind  *codec.Field // of the one node that matters
		at    codec.Hash256
	}{
		{"read", func(s *stateTable) { s.peek(key) }, 0, 0, nil, key},
		{"said to be changed", func(s *stateTable) { s.peek(key); s.update(key) }, 1, 0, nil, key},
		{"changed", func(s *stateTable) { s.peek(key).SetUint(codec.SfFlags, 1); s.update(key) }, 1, 1, codec.SfModifiedNode, key},
		{"made and removed", func(s *stateTable) { s.insert(fresh, entry()); s.erase(fresh) }, 0, 0, nil, fresh},
		{"made", func(s *stateTable) { s.insert(fresh, entry()) }, 1, 2, codec.SfCreatedNode, fresh},
		{"removed", func(s *stateTable) { s.peek(key); s.erase(key) }, 1, 1, codec.SfDeletedNode, key},
		{"removed and made anew", func(s *stateTable) {
			o := s.peek(key)
			s.erase(key)
			if s.peek(key) != nil || s.has(key) {
				t.Error("removed, and still there")
			}
			o = o.Clone()
			o.SetUint(codec.SfFlags, 2)
			s.insert(key, o)
		}, 1, 1, codec.SfModifiedNode, key},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newView(w.n.Closed(), false)
			before := v.state.Map().Hash()
			s := newStateTable(v)
			c.do(s)
			if s.size() != c.size {
				t.Errorf("%d changes", s.size())
			}
			s.write(tx, TesSuccess)
			r := v.records[0]
			if n := len(r.Meta.Array(codec.SfAffectedNodes)); n != c.nodes {
				t.Errorf("%d nodes", n)
			}
			kind, _ := nodeOf(r, c.at)
			if kind != c.kind {
				t.Errorf("the node is a %v", kind)
			}
			if (v.state.Map().Hash() != before) != (c.nodes > 0) {
				t.Error("state and metadata do not agree")
			}
		})
	}
}

// TestThreading: an entry's maker and its owners point to the transaction that
// made it; an account that changes in no other way is named, no more.
func TestThreading(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice := w.acct("alice")
	made := w.root("alice").Hash(codec.SfPreviousTxnID)
	w.do("alice", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 1))
	w.close()
	r := w.last("alice")
	_, node := nodeOf(r, AccountKey(alice.id))
	if node.Hash(codec.SfPreviousTxnID) != made || node.Uint(codec.SfPreviousTxnLgrSeq) != uint64(w.n.Closed().Seq)-1 {
		t.Error("the account's node does not name the transaction before")
	}
	for _, key := range []codec.Hash256{AccountKey(alice.id), OwnerDirKey(alice.id), TicketKey(alice.id, alice.next)} {
		o := w.n.Closed().Entry(key)
		if o.Hash(codec.SfPreviousTxnID) != r.Tx.ID || o.Uint(codec.SfPreviousTxnLgrSeq) != uint64(w.n.Closed().Seq) {
			t.Errorf("entry %s does not name the transaction", key)
		}
	}
	// By threading alone.
	v := newView(w.n.Closed(), false)
	s := newStateTable(v)
	ticket := TicketKey(alice.id, alice.next)
	s.peek(ticket)
	s.erase(ticket)
	tx := w.g.tx(t, codec.TtAccountSet, nil)
	s.write(tx, TesSuccess)
	kind, node := nodeOf(v.records[0], AccountKey(alice.id))
	if kind != codec.SfModifiedNode || node.Has(codec.SfFinalFields) || node.Has(codec.SfPreviousFields) || node.Hash(codec.SfPreviousTxnID) != r.Tx.ID {
		t.Error("the owner's node holds more than the transaction before")
	}
	if v.read(AccountKey(alice.id)).Hash(codec.SfPreviousTxnID) != tx.ID {
		t.Error("the owner does not name the transaction")
	}
}
