package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestFreeKeyReset: an account may set its key once for nothing, and again
// after it was paid.
func TestFreeKeyReset(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "alice", "bob")
	key := w.acct("rkey")
	set := acctField(codec.SfRegularKey, key.id)
	r := w.do("alice", codec.TtSetRegularKey, TesSuccess, set, feeOf(0))
	if r.OpenLedgerCost != 10 { // what it would cost now
		t.Errorf("the next costs %d", r.OpenLedgerCost)
	}
	w.do("alice", codec.TtSetRegularKey, TelInsufFeeP, set, feeOf(0), uintField(codec.SfLastLedgerSequence, uint64(w.n.Current().Seq)))
	w.close()
	if o := w.root("alice"); o.Uint(codec.SfFlags) != lsfPasswordSpent || o.Account(codec.SfRegularKey) != key.id || o.Drops(codec.SfBalance) != 10_000_000 {
		t.Error("the key was not set for nothing")
	}
	w.do("bob", codec.TtPayment, TesSuccess, pay(w.acct("alice").id, 1))
	w.close()
	if o := w.root("alice"); o.Uint(codec.SfFlags) != 0 {
		t.Error("being paid did not arm it again")
	}
	// Not with the regular key, and what is not free has its fee.
	r = w.do("alice", codec.TtSetRegularKey, TelInsufFeeP, set, signedBy(key), feeOf(0))
	if r.OpenLedgerCost != 10 {
		t.Errorf("with the regular key it costs %d", r.OpenLedgerCost)
	}
	if r = w.do("alice", codec.TtSetRegularKey, TemBadRegKey, acctField(codec.SfRegularKey, w.acct("alice").id), feeOf(0)); r.OpenLedgerCost != 0 {
		t.Errorf("with the master key it costs %d", r.OpenLedgerCost)
	}
	w.do("alice", codec.TtSetRegularKey, TemInvalidFlag, uintField(codec.SfFlags, 1))
	// Who pays although it is free has used it up too.
	w.do("alice", codec.TtSetRegularKey, TesSuccess)
	w.close()
	if o := w.root("alice"); o.Uint(codec.SfFlags) != lsfPasswordSpent || o.Has(codec.SfRegularKey) {
		t.Error("the key was not removed")
	}
}

// TestDisabledMaster: without its master key an account is its regular key's,
// which may not go.
func TestDisabledMaster(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "alice")
	key, other := w.acct("rkey"), w.acct("other")
	w.do("alice", codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, key.id))
	w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDisableMaster))
	w.do("alice", codec.TtAccountSet, TefMasterDisabled)
	w.do("alice", codec.TtAccountSet, TefBadAuth, signedBy(other))
	w.close()
	w.do("alice", codec.TtSetRegularKey, TefMasterDisabled, feeOf(10))
	w.do("alice", codec.TtSetRegularKey, TecNoAlternativeKey, signedBy(key))
	w.do("alice", codec.TtAccountSet, TesSuccess, signedBy(key), uintField(codec.SfSetFlag, asfNoFreeze))
	w.do("alice", codec.TtAccountSet, TesSuccess, signedBy(key), uintField(codec.SfSetFlag, asfDisableMaster)) // it is so already
	w.do("alice", codec.TtSetRegularKey, TesSuccess, signedBy(key), acctField(codec.SfRegularKey, other.id))
	w.do("alice", codec.TtAccountSet, TefBadAuth, signedBy(key))
	w.do("alice", codec.TtAccountSet, TesSuccess, signedBy(other), uintField(codec.SfClearFlag, asfDisableMaster))
	w.close()
	w.do("alice", codec.TtSetRegularKey, TesSuccess)
	w.close()
	if o := w.root("alice"); o.Has(codec.SfRegularKey) || o.Uint(codec.SfFlags) != lsfNoFreeze|lsfPasswordSpent {
		t.Errorf("flags %08X", o.Uint(codec.SfFlags))
	}
	// A key that became a master key's own account again is refused at the door;
	// one that stood as the regular key signs even so.
	w.do("alice", codec.TtSetRegularKey, TemBadRegKey, acctField(codec.SfRegularKey, w.acct("alice").id))
}
