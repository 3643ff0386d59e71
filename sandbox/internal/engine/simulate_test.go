package engine

import (
	"bytes"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// unsigned makes a transaction as a simulation gets it.
func (w *world) unsigned(who string, kind codec.TxType, fields ...func(*codec.Object)) *codec.Tx {
	w.Helper()
	a := w.acct(who)
	o := codec.NewObject()
	o.SetUint(codec.SfTransactionType, uint64(kind))
	o.SetAccount(codec.SfAccount, a.id)
	o.SetUint(codec.SfSequence, uint64(w.n.NextSequence(a.id)))
	o.SetDrops(codec.SfFee, 10)
	o.SetBlob(codec.SfSigningPubKey, nil)
	all(fields...)(o)
	tx, err := codec.NewTx(o)
	if err != nil {
		w.Fatal(err)
	}
	return tx
}

// TestSimulate: what a simulation says is what then happens, and it changes
// nothing itself.
func TestSimulate(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob", "carol")
	bob := w.acct("bob")
	w.do("carol", codec.TtAccountSet, TesSuccess)
	open, metrics := w.n.Current(), w.n.FeeMetrics()
	res := w.n.Simulate(w.unsigned("alice", codec.TtPayment, pay(bob.id, 7)))
	if res.Result != TesSuccess || res.Meta == nil || res.Seq != open.Seq {
		t.Fatalf("%+v", res)
	}
	if now := w.n.Current(); now.State.Hash() != open.State.Hash() || now.TxCount() != open.TxCount() || w.n.FeeMetrics() != metrics {
		t.Error("the simulation changed the ledger")
	}
	w.do("alice", codec.TtPayment, TesSuccess, pay(bob.id, 7))
	w.close()
	// But for the transaction's hash, which its signature changes, and its place.
	real := w.last("alice").Meta.Clone()
	real.SetUint(codec.SfTransactionIndex, res.Meta.Uint(codec.SfTransactionIndex))
	if res.Meta.Uint(codec.SfTransactionIndex) != 1 {
		t.Errorf("index %d", res.Meta.Uint(codec.SfTransactionIndex))
	}
	for _, m := range []*codec.Object{real, res.Meta} {
		for _, e := range m.Array(codec.SfAffectedNodes) {
			e.Object.Delete(codec.SfPreviousTxnID)
			e.Object.Delete(codec.SfPreviousTxnLgrSeq)
		}
	}
	if !bytes.Equal(real.Append(nil), res.Meta.Append(nil)) {
		t.Errorf("simulated %v\nhappened %v", res.Meta.JSON(), real.JSON())
	}
}

// TestSimulateRefusals: who signs is who would, and what claims a fee has
// metadata.
func TestSimulateRefusals(t *testing.T) {
	w := newWorld(t, Config{Capacity: 5})
	w.fund(100_000_000, "alice", "bob", "locked")
	bob, ghost := w.acct("bob"), w.acct("ghost")
	w.do("locked", codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, bob.id))
	w.do("locked", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDisableMaster))
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(2, weighed{bob.id, 1}, weighed{ghost.id, 1}))
	w.close()
	by := func(signers ...*signer) func(*codec.Object) {
		return func(o *codec.Object) {
			multiSigned(signers...)(o)
			for _, e := range o.Array(codec.SfSigners) {
				e.Object.SetBlob(codec.SfSigningPubKey, nil)
				e.Object.SetBlob(codec.SfTxnSignature, nil)
			}
		}
	}
	for _, c := range []struct {
		name, who string
		want      TER
		fields    func(*codec.Object)
		meta      bool
	}{
		{"nothing signs", "alice", TesSuccess, all(), true},
		{"the master key", "alice", TesSuccess, signedBy(w.acct("alice")), true},
		{"a stranger's key", "alice", TefBadAuth, signedBy(ghost), false},
		{"not a key", "alice", TemBadSignature, blobField(codec.SfSigningPubKey, []byte{1}), false},
		{"a disabled master key, not named", "locked", TesSuccess, all(), true},
		{"a disabled master key", "locked", TefMasterDisabled, signedBy(w.acct("locked")), false},
		{"the regular key", "locked", TesSuccess, signedBy(bob), true},
		{"several", "alice", TesSuccess, by(bob, ghost), true},
		{"too few", "alice", TefBadQuorum, by(bob), false},
		{"a stranger among them", "alice", TefBadSignature, by(bob, w.acct("stranger")), false},
		{"several and one", "alice", TemInvalid, all(by(bob, ghost), signedBy(w.acct("alice"))), false},
		{"no list", "bob", TefNotMultiSigning, by(ghost), false},
		{"too little for several", "alice", TelCanNotQueue, all(by(bob, ghost), feeOf(29)), false},
		{"later", "alice", TelCanNotQueue, uintField(codec.SfSequence, 9999), false},
		{"a malformed one", "alice", TemInvalidFlag, uintField(codec.SfFlags, 1), false},
	} {
		w.Run(c.name, func(t *testing.T) {
			w.TB = t
			res := w.n.Simulate(w.unsigned(c.who, codec.TtAccountSet, c.fields))
			if res.Result != c.want || (res.Meta != nil) != c.meta {
				t.Errorf("%s, %v", res.Result, res.Meta)
			}
		})
	}
	w.TB = t
	res := w.n.Simulate(w.unsigned("alice", codec.TtPayment, pay(w.acct("nobody").id, 1)))
	if res.Result != TecNoDstInsufXRP || TER(res.Meta.Uint(codec.SfTransactionResult)) != TecNoDstInsufXRP {
		t.Errorf("%+v", res)
	}
	if res := w.n.Simulate(w.unsigned("stranger", codec.TtAccountSet)); res.Result != TelCanNotQueue {
		t.Errorf("without an account: %s", res.Result)
	}

	// In a full ledger it would be queued, and is not.
	for range 6 {
		w.do("bob", codec.TtAccountSet, TesSuccess)
	}
	w.do("alice", codec.TtTicketCreate, TerQueued, uintField(codec.SfTicketCount, 1))
	before := w.n.Queue()
	for range 2 {
		if res := w.n.Simulate(w.unsigned("alice", codec.TtAccountSet)); res.Result != TelCanNotQueue || res.Meta != nil {
			t.Errorf("full: %+v", res)
		}
		if res := w.n.Simulate(w.unsigned("locked", codec.TtAccountSet, signedBy(bob), feeOf(5_000_000))); res.Result != TesSuccess || res.Meta == nil {
			t.Errorf("full, and paid for: %s", res.Result)
		}
		// What would pay for the queued before it cannot take them along.
		if res := w.n.Simulate(w.unsigned("alice", codec.TtAccountSet, feeOf(50_000_000))); res.Result != TelCanNotQueue || res.Meta != nil {
			t.Errorf("full, and paid for those before: %+v", res)
		}
	}
	if after := w.n.Queue(); len(after) != len(before) || after[0] != before[0] {
		t.Errorf("the queue changed: %+v, was %+v", after, before)
	}
	w.close()
}
