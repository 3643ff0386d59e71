package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestMultiSignedCost: each signature costs the base fee once more.
func TestMultiSignedCost(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	signers := multiSigned(w.acct("a"), w.acct("b"))
	if r := w.do("alice", codec.TtAccountSet, TefNotMultiSigning, feeOf(29), signers); r.OpenLedgerCost != 30 {
		t.Errorf("costs %d", r.OpenLedgerCost)
	}
	if r := w.do("alice", codec.TtSetRegularKey, TefNotMultiSigning, feeOf(0), signers); r.OpenLedgerCost != 30 {
		t.Errorf("a key reset costs %d", r.OpenLedgerCost)
	}
	if r := w.do("alice", codec.TtAccountDelete, TefNotMultiSigning, acctField(codec.SfDestination, w.g.id), signers); r.OpenLedgerCost != GenesisReserveInc {
		t.Errorf("a deletion costs %d", r.OpenLedgerCost)
	}
}

// TestMultiSign: who may sign together, with which keys, and what they must
// weigh. "ghost" and "shade" are addresses without an account.
func TestMultiSign(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "master", "regular", "locked", "other")
	key, stranger := w.acct("key"), w.acct("stranger")
	master, regular, locked, ghost := w.acct("master"), w.acct("regular"), w.acct("locked"), w.acct("ghost")
	for _, who := range []string{"regular", "locked"} {
		w.do(who, codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, key.id))
	}
	w.do("locked", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfDisableMaster))
	w.do("alice", codec.TtSignerListSet, TesSuccess, signerList(5,
		weighed{master.id, 2}, weighed{regular.id, 2}, weighed{locked.id, 3}, weighed{ghost.id, 4}))
	w.close()

	for _, c := range []struct {
		name    string
		want    TER
		signers []*signer
	}{
		{"enough", TesSuccess, []*signer{master, ghost}},
		{"all", TesSuccess, []*signer{master, regular, locked.withKeyOf(key), ghost}},
		{"just enough, with a regular key", TesSuccess, []*signer{regular.withKeyOf(key), locked.withKeyOf(key)}},
		{"too few", TefBadQuorum, []*signer{master, regular}},
		{"one too few", TefBadQuorum, []*signer{ghost}},
		{"one who is not in the list", TefBadSignature, []*signer{master, ghost, stranger}},
		{"one who is not, though it is an account", TefBadSignature, []*signer{w.acct("other")}},
		{"another's key", TefBadSignature, []*signer{master.withKeyOf(stranger), ghost}},
		{"another's key, where there is a regular one", TefBadSignature, []*signer{regular.withKeyOf(stranger), ghost}},
		{"another's key for an address without account", TefBadSignature, []*signer{ghost.withKeyOf(key), locked.withKeyOf(key)}},
		{"a disabled master key", TefMasterDisabled, []*signer{locked, ghost}},
		{"the master key beside a regular one", TesSuccess, []*signer{regular, ghost}},
	} {
		w.Run(c.name, func(t *testing.T) {
			w.TB = t
			w.do("alice", codec.TtAccountSet, c.want, multiSigned(c.signers...))
		})
	}
	w.TB = t

	// The key is looked at before who has it: nothing that is no key gets far.
	bad := func(o *codec.Object) {
		o.Array(codec.SfSigners)[0].Object.SetBlob(codec.SfSigningPubKey, []byte{4, 5, 6})
	}
	w.do("alice", codec.TtAccountSet, TefBadSignature, multiSigned(ghost), bad)

	// The signatures are checked after the sequence and the last ledger, and before the fee.
	w.do("alice", codec.TtAccountSet, TefMaxLedger, uintField(codec.SfLastLedgerSequence, 1), multiSigned(stranger))
	w.do("alice", codec.TtAccountSet, TefBadSignature, feeOf(19), multiSigned(stranger))
	w.do("alice", codec.TtAccountSet, TelInsufFeeP, feeOf(29), multiSigned(master, ghost))
	w.do("stranger", codec.TtAccountSet, TerNoAccount, multiSigned(ghost))

	// And before what the type asks for.
	w.do("alice", codec.TtPayment, TefBadQuorum, pay(w.acct("nobody").id, 1), multiSigned(ghost))
	w.do("alice", codec.TtPayment, TecNoDstInsufXRP, pay(w.acct("nobody").id, 1), multiSigned(master, ghost))
	l := w.close()
	if l.TxCount() != 5 {
		t.Errorf("%d in the ledger", l.TxCount())
	}
	// Each type may be signed so; nobody but the account is changed by it.
	for kind, fields := range map[codec.TxType]func(*codec.Object){
		codec.TtCredentialCreate: createFor(master.id, "by several"),
		codec.TtTicketCreate:     uintField(codec.SfTicketCount, 1),
		codec.TtPayment:          pay(master.id, 5),
	} {
		w.do("alice", kind, TesSuccess, fields, multiSigned(master, ghost))
		w.close()
		if r := w.last("alice"); !r.Result.IsTes() || r.Tx.Fee() != 30 {
			t.Errorf("%s: %s, fee %d", kind, r.Result, r.Tx.Fee())
		}
	}
}
