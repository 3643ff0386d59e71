package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestSignerListRefusals: every refusal, and which of two goes before the other.
func TestSignerListRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice, bob, carol := w.acct("alice").id, w.acct("bob").id, w.acct("carol").id
	many := func(n int) []weighed {
		list := make([]weighed, n)
		for i := range list {
			list[i] = weighed{codec.AccountID{1, byte(i)}, 1}
		}
		return list
	}
	memo := func(o *codec.Object) {
		o.SetUint(codec.SfSignerQuorum, 1)
		one := codec.NewObject()
		one.SetBlob(codec.SfMemoData, []byte{1})
		o.SetArray(codec.SfSignerEntries, []codec.Element{{Field: codec.SfMemo, Object: one}})
	}
	for _, c := range []struct {
		name   string
		want   TER
		fields func(*codec.Object)
	}{
		{"a quorum without signers", TemMalformed, signerList(1)},
		{"signers without a quorum", TemMalformed, signerList(0, weighed{bob, 1})},
		{"no signers in the list", TemMalformed, signerList(1, []weighed{}...)},
		{"something else in the list", TemMalformed, memo},
		{"33 signers", TemMalformed, signerList(1, many(33)...)},
		{"too many go before one twice", TemMalformed, signerList(1, append(many(32), many(1)...)...)},
		{"one twice", TemBadSigner, signerList(1, weighed{bob, 1}, weighed{carol, 1}, weighed{bob, 1})},
		{"one twice goes before no weight", TemBadSigner, signerList(1, weighed{bob, 0}, weighed{bob, 0})},
		{"no weight", TemBadWeight, signerList(1, weighed{bob, 1}, weighed{carol, 0})},
		{"no weight of oneself", TemBadWeight, signerList(1, weighed{alice, 0})},
		{"oneself", TemBadSigner, signerList(1, weighed{alice, 1})},
		{"oneself goes before too little weight", TemBadSigner, signerList(9, weighed{alice, 1})},
		{"too little weight", TemBadQuorum, signerList(3, weighed{bob, 1}, weighed{carol, 1})},
		{"the fee goes before all", TemBadFee, all(signerList(1), feeOf(-1))},
		{"a flag of other types", TemInvalidFlag, all(signerList(0), uintField(codec.SfFlags, 0x00010000))},
		{"the flag of inner transactions", TemInvalidFlag, all(signerList(0), uintField(codec.SfFlags, tfInnerBatchTxn))},
		{"32 signers", TesSuccess, signerList(32, many(32)...)},
		{"the greatest quorum", TesSuccess, signerList(2*65535, weighed{bob, 65535}, weighed{carol, 65535})},
	} {
		w.Run(c.name, func(t *testing.T) {
			w.TB = t
			w.do("alice", codec.TtSignerListSet, c.want, c.fields)
		})
	}
	w.TB = t
	w.close()
}

// Run makes a subtest of a world's test.
func (w *world) Run(name string, f func(t *testing.T)) { w.TB.(*testing.T).Run(name, f) }

// TestSignerList: what is in the ledger after a list was made, replaced and
// deleted, and the metadata of each.
func TestSignerList(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice, bob, carol, dave := w.acct("alice").id, w.acct("bob").id, w.acct("carol").id, w.acct("dave").id
	key := SignerListKey(alice)
	tag := codec.Hash256{7}
	tagged := func(o *codec.Object) {
		o.Array(codec.SfSignerEntries)[1].Object.SetHash(codec.SfWalletLocator, tag)
	}
	// The transaction's order is not the ledger's.
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(3, weighed{dave, 1}, weighed{bob, 2}, weighed{carol, 3}), tagged)
	w.close()
	o := w.n.Closed().Entry(key)
	if o == nil || o.Uint(codec.SfSignerQuorum) != 3 || o.Uint(codec.SfFlags) != lsfOneOwnerCount || o.Account(codec.SfOwner) != alice ||
		!o.Has(codec.SfSignerListID) || o.Hash(codec.SfPreviousTxnID) != w.last("alice").Tx.ID {
		t.Fatalf("the list: %v", o.JSON())
	}
	weights := map[codec.AccountID]uint64{dave: 1, bob: 2, carol: 3}
	for _, e := range o.Array(codec.SfSignerEntries) {
		id := e.Object.Account(codec.SfAccount)
		if e.Object.Uint(codec.SfSignerWeight) != weights[id] || e.Object.Has(codec.SfWalletLocator) != (id == bob) {
			t.Errorf("signer %s: %v", id, e.Object.JSON())
		}
		delete(weights, id)
	}
	if len(weights) != 0 {
		t.Errorf("without %v", weights)
	}
	if n := w.root("alice").Uint(codec.SfOwnerCount); n != 1 {
		t.Errorf("owns %d", n)
	}
	kind, node := nodeOf(w.last("alice"), key)
	if kind != codec.SfCreatedNode || node.Object(codec.SfNewFields).Uint(codec.SfSignerQuorum) != 3 {
		t.Errorf("created: %v", w.last("alice").Meta.JSON())
	}
	// Defaults are not shown, so neither is the list's number, nor its page.
	if f := node.Object(codec.SfNewFields); f.Has(codec.SfSignerListID) || f.Has(codec.SfOwnerNode) || !f.Has(codec.SfFlags) {
		t.Errorf("created: %v", f.JSON())
	}

	// The list that takes its place is a changed one, which forgets the
	// transaction before; so is the directory that held it alone.
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(1, weighed{bob, 1}))
	w.close()
	kind, node = nodeOf(w.last("alice"), key)
	if prev := node.Object(codec.SfPreviousFields); kind != codec.SfModifiedNode || node.Has(codec.SfPreviousTxnID) ||
		prev.Uint(codec.SfSignerQuorum) != 3 || len(prev.Array(codec.SfSignerEntries)) != 3 || prev.Len() != 2 {
		t.Errorf("replaced: %v", node.JSON())
	}
	kind, node = nodeOf(w.last("alice"), OwnerDirKey(alice))
	if kind != codec.SfModifiedNode || node.Has(codec.SfPreviousTxnID) || node.Has(codec.SfPreviousFields) {
		t.Errorf("replaced, its directory: %v", node.JSON())
	}
	if n := w.root("alice").Uint(codec.SfOwnerCount); n != 1 {
		t.Errorf("owns %d", n)
	}

	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(0))
	w.close()
	if kind, node = nodeOf(w.last("alice"), key); kind != codec.SfDeletedNode || node.Object(codec.SfFinalFields).Uint(codec.SfSignerQuorum) != 1 {
		t.Errorf("deleted: %v", w.last("alice").Meta.JSON())
	}
	if w.n.Closed().Has(key) || w.n.Closed().Has(OwnerDirKey(alice)) || w.root("alice").Uint(codec.SfOwnerCount) != 0 {
		t.Error("something is left")
	}
	// There is nothing to delete, which is no mistake.
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(0))
	w.close()
}

// TestSignerListReserve: one entry's reserve for a list of any length, and the
// list that is replaced makes room for the new one.
func TestSignerListReserve(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(GenesisReserve+GenesisReserveInc-1, "poor")
	w.fund(GenesisReserve+GenesisReserveInc+10, "rich")
	set := signerList(2, weighed{w.acct("bob").id, 1}, weighed{w.acct("carol").id, 1})
	w.do("poor", codec.TtSignerListSet, TecInsufficientReserve, set)
	w.do("rich", codec.TtSignerListSet, TesSuccess, set)
	w.do("rich", codec.TtSignerListSet, TesSuccess, set)
	w.do("rich", codec.TtSignerListSet, TecInsufficientReserve, set)
	w.close()
	// What was refused left the list as it was.
	if !w.n.Closed().Has(SignerListKey(w.acct("rich").id)) || w.root("rich").Uint(codec.SfOwnerCount) != 1 {
		t.Error("a refused replacement deleted the list")
	}
}

// TestLastKey: the means to sign cannot be given up altogether.
func TestLastKey(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob", "carol")
	bob, carol := w.acct("bob"), w.acct("carol")
	byBob := multiSigned(bob)
	disable, enable := uintField(codec.SfSetFlag, asfDisableMaster), uintField(codec.SfClearFlag, asfDisableMaster)
	w.do("alice", codec.TtAccountSet, TecNoAlternativeKey, disable)
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(1, weighed{bob.id, 1}))
	w.do("alice", codec.TtAccountSet, TecNeedMasterKey, disable, byBob)
	w.do("alice", codec.TtAccountSet, TesSuccess, disable)
	w.close()
	w.do("alice", codec.TtAccountSet, TefMasterDisabled)
	w.do("alice", codec.TtSignerListSet, TecNoAlternativeKey, signerList(0), byBob)
	w.do("alice", codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, carol.id), byBob)
	w.do("alice", codec.TtSetRegularKey, TesSuccess, byBob)
	w.do("alice", codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, carol.id), byBob)
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(0), byBob)
	w.do("alice", codec.TtSetRegularKey, TecNoAlternativeKey, signedBy(carol))
	w.do("alice", codec.TtAccountSet, TesSuccess, enable, signedBy(carol))
	w.do("alice", codec.TtSetRegularKey, TesSuccess, signedBy(carol))
	w.close()
}

// TestSignerListBlocks: a list that changes keeps all else of the account out
// of the queue, and waits for nothing.
func TestSignerListBlocks(t *testing.T) {
	w := newWorld(t, Config{Capacity: 5})
	w.fund(100_000_000, "alice", "bob", "carol")
	list := signerList(1, weighed{w.acct("carol").id, 1})
	for range 6 {
		w.do("carol", codec.TtAccountSet, TesSuccess)
	}
	w.do("alice", codec.TtSignerListSet, TerQueued, list)
	w.do("alice", codec.TtAccountSet, TelCanNotQueueBlocked)
	w.do("bob", codec.TtAccountSet, TerQueued)
	w.do("bob", codec.TtSignerListSet, TelCanNotQueueBlocks, list)
	if q := w.n.QueueOf(w.acct("alice").id); len(q) != 1 || !q[0].Blocker {
		t.Errorf("queued: %+v", q)
	}
	w.close()
	w.close()
	if !w.n.Closed().Has(SignerListKey(w.acct("alice").id)) {
		t.Error("the queue kept it")
	}
}
