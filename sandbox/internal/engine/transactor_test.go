package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestUnsupported: types that are not carried out, by what a node without their
// amendment says.
func TestUnsupported(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	for _, c := range []struct {
		kind   codec.TxType
		want   TER
		fields func(*codec.Object)
	}{
		{codec.TtOfferCancel, TemUnknown, uintField(codec.SfOfferSequence, 1)},
		{codec.TtSignerListSet, TemUnknown, uintField(codec.SfSignerQuorum, 0)},
		{codec.TtTrustSet, TemUnknown, nil},
		{codec.TtOracleDelete, TemDisabled, uintField(codec.SfOracleDocumentID, 1)},
		{codec.TtAccountDelete, TemDisabled, acctField(codec.SfDestination, w.g.id)},
	} {
		fields := []func(*codec.Object){}
		if c.fields != nil {
			fields = append(fields, c.fields)
		}
		r := w.do("alice", c.kind, c.want, fields...)
		if r.Applied || r.Broadcast || r.Queued || r.OpenLedgerCost != 10 {
			t.Errorf("%s: %+v", c.kind, r)
		}
	}
	if l := w.close(); l.TxCount() != 0 {
		t.Errorf("%d in the ledger", l.TxCount())
	}
}

// TestMultiSignedCost: each signature costs the base fee once more.
func TestMultiSignedCost(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	signers := func(o *codec.Object) {
		o.SetBlob(codec.SfSigningPubKey, nil)
		var list []codec.Element
		for _, who := range []string{"a", "b"} {
			s := codec.NewObject()
			s.SetAccount(codec.SfAccount, w.acct(who).id)
			s.SetBlob(codec.SfSigningPubKey, w.acct(who).pub)
			s.SetBlob(codec.SfTxnSignature, []byte{1})
			list = append(list, codec.Element{Field: codec.SfSigner, Object: s})
		}
		o.SetArray(codec.SfSigners, list)
	}
	if r := w.do("alice", codec.TtAccountSet, TelInsufFeeP, signers, feeOf(29)); r.OpenLedgerCost != 30 {
		t.Errorf("costs %d", r.OpenLedgerCost)
	}
	w.do("alice", codec.TtAccountSet, TefNotMultiSigning, signers, feeOf(30))
	if r := w.do("alice", codec.TtSetRegularKey, TelInsufFeeP, signers, feeOf(0)); r.OpenLedgerCost != 30 {
		t.Errorf("a key reset costs %d", r.OpenLedgerCost)
	}
}
