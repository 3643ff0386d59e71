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
		{codec.TtEscrowCancel, TemUnknown, all(acctField(codec.SfOwner, w.g.id), uintField(codec.SfOfferSequence, 1))},
		{codec.TtTrustSet, TemUnknown, nil},
		{codec.TtOracleDelete, TemDisabled, uintField(codec.SfOracleDocumentID, 1)},
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
