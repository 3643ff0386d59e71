package engine

import (
	"bytes"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func TestAccountSetRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "owner", "keyed", "frozen")
	// owner owns something; keyed has a regular key; frozen gave up freezing.
	w.do("owner", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 1))
	w.do("keyed", codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, w.acct("key").id))
	w.do("frozen", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfNoFreeze))
	w.close()
	set := func(n uint64) func(*codec.Object) { return uintField(codec.SfSetFlag, n) }
	drop := func(n uint64) func(*codec.Object) { return uintField(codec.SfClearFlag, n) }
	flags := func(n uint64) func(*codec.Object) { return uintField(codec.SfFlags, n) }
	for _, c := range []struct {
		name, who string
		want      TER
		fields    func(*codec.Object)
	}{
		{"an unknown flag", "alice", TemInvalidFlag, flags(1)},
		{"set and clear the same", "alice", TemInvalidFlag, all(set(7), drop(7))},
		{"set by flag, clear by number", "alice", TemInvalidFlag, all(flags(tfRequireAuth), drop(asfRequireAuth))},
		{"two flags against each other", "alice", TemInvalidFlag, flags(tfDisallowXRP | tfAllowXRP)},
		{"destination tags wanted and not", "alice", TemInvalidFlag, all(set(asfRequireDest), flags(tfOptionalDestTag))},
		{"a transfer rate below 1", "alice", TemBadTransferRate, uintField(codec.SfTransferRate, qualityOne-1)},
		{"a transfer rate above 2", "alice", TemBadTransferRate, uintField(codec.SfTransferRate, 2*qualityOne+1)},
		{"a tick size of 2", "alice", TemBadTickSize, uintField(codec.SfTickSize, 2)},
		{"a tick size of 17", "alice", TemBadTickSize, uintField(codec.SfTickSize, 17)},
		{"a message key of a wrong kind", "alice", TelBadPublicKey, blobField(codec.SfMessageKey, bytes.Repeat([]byte{4}, 33))},
		{"a message key too short", "alice", TelBadPublicKey, blobField(codec.SfMessageKey, []byte{2})},
		{"a domain of 257 bytes", "alice", TelBadDomain, blobField(codec.SfDomain, make([]byte, 257))},
		{"a minter to set, and none named", "alice", TemMalformed, set(asfAuthorizedNFTokenMinter)},
		{"a minter to clear, and one named", "alice", TemMalformed, all(drop(asfAuthorizedNFTokenMinter), acctField(codec.SfNFTokenMinter, w.acct("owner").id))},
		{"authorization wanted by one who owns", "owner", TecOwners, set(asfRequireAuth)},
		{"the same by flag", "owner", TecOwners, flags(tfRequireAuth)},
		{"clawback by one who owns", "owner", TecOwners, set(asfAllowTrustLineClawback)},
		{"clawback after giving up freezing", "frozen", TecNoPermission, set(asfAllowTrustLineClawback)},
		{"no master key without another", "alice", TecNoAlternativeKey, set(asfDisableMaster)},
		{"no master key, signed by another", "keyed", TecNeedMasterKey, all(set(asfDisableMaster), signedBy(w.acct("key")))},
		{"no freeze, signed by another", "keyed", TecNeedMasterKey, all(set(asfNoFreeze), signedBy(w.acct("key")))},
		{"signed by a stranger", "alice", TefBadAuth, signedBy(w.acct("key"))},
		{"signed by what is no key", "alice", TemBadSignature, blobField(codec.SfSigningPubKey, []byte{1, 2, 3})},
		{"signed by several, without a list of them", "alice", TefNotMultiSigning, func(o *codec.Object) {
			o.SetBlob(codec.SfSigningPubKey, nil)
			o.SetDrops(codec.SfFee, 20)
			s := codec.NewObject()
			s.SetAccount(codec.SfAccount, w.acct("key").id)
			s.SetBlob(codec.SfSigningPubKey, w.acct("key").pub)
			s.SetBlob(codec.SfTxnSignature, []byte{1})
			o.SetArray(codec.SfSigners, []codec.Element{{Field: codec.SfSigner, Object: s}})
		}},
		{"a network's id", "alice", TelNetworkIDMakesTxNonCanonical, uintField(codec.SfNetworkID, 1)},
		{"too late", "alice", TefMaxLedger, uintField(codec.SfLastLedgerSequence, 3)},
		{"never in time", "alice", TefMaxLedger, uintField(codec.SfLastLedgerSequence, 0)},
		{"after another transaction", "alice", TefWrongPrior, hashField(codec.SfAccountTxnID, codec.Hash256{1})},
		{"the fee too low", "alice", TelInsufFeeP, feeOf(9)},
		{"sequence 0", "alice", TefPastSeq, uintField(codec.SfSequence, 0)},
		{"sequence and ticket", "alice", TemSeqAndTicket, uintField(codec.SfTicketSequence, 1)},
		{"a ticket and a transaction before", "alice", TemInvalid, all(byTicket(1), hashField(codec.SfAccountTxnID, codec.Hash256{1}))},
		{"a ticket that never was", "alice", TefNoTicket, byTicket(1)},
		{"a ticket to come", "alice", TerPreTicket, byTicket(1000)},
		{"wrong flags go before the network's id", "alice", TelNetworkIDMakesTxNonCanonical, all(flags(1), uintField(codec.SfNetworkID, 1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.TB = t
			r := w.do(c.who, codec.TtAccountSet, c.want, c.fields)
			if r.Applied != c.want.IsTec() {
				t.Errorf("applied: %v", r.Applied)
			}
			w.close()
			if n := w.n.Closed().TxCount(); n != 0 != c.want.IsTec() {
				t.Errorf("%d transactions in the ledger", n)
			}
		})
	}
}

// TestAccountSetFlags turns each flag on and off.
func TestAccountSetFlags(t *testing.T) {
	for _, c := range []struct {
		asf  uint64
		lsf  uint64
		keep bool // cannot be turned off
	}{
		{asf: asfRequireDest, lsf: lsfRequireDestTag},
		{asf: asfRequireAuth, lsf: lsfRequireAuth},
		{asf: asfDisallowXRP, lsf: lsfDisallowXRP},
		{asf: asfNoFreeze, lsf: lsfNoFreeze, keep: true},
		{asf: asfGlobalFreeze, lsf: lsfGlobalFreeze},
		{asf: asfDefaultRipple, lsf: lsfDefaultRipple},
		{asf: asfDepositAuth, lsf: lsfDepositAuth},
		{asf: asfDisallowIncomingNFTokenOffer, lsf: lsfDisallowIncomingNFTokenOffer},
		{asf: asfDisallowIncomingCheck, lsf: lsfDisallowIncomingCheck},
		{asf: asfDisallowIncomingPayChan, lsf: lsfDisallowIncomingPayChan},
		{asf: asfDisallowIncomingTrustline, lsf: lsfDisallowIncomingTrustline},
		{asf: asfAllowTrustLineClawback, lsf: lsfAllowTrustLineClawback, keep: true},
		{asf: asfAllowTrustLineLocking, lsf: lsfAllowTrustLineLocking},
		{asf: 99},
	} {
		w := newWorld(t, Config{})
		w.fund(10_000_000, "alice")
		w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, c.asf))
		w.close()
		if got := w.root("alice").Uint(codec.SfFlags); got != c.lsf {
			t.Errorf("flag %d set: %08X", c.asf, got)
		}
		w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfClearFlag, c.asf))
		w.close()
		want := uint64(0)
		if c.keep {
			want = c.lsf
		}
		if got := w.root("alice").Uint(codec.SfFlags); got != want {
			t.Errorf("flag %d cleared: %08X", c.asf, got)
		}
	}

	w := newWorld(t, Config{})
	w.fund(10_000_000, "alice")
	for _, f := range []uint64{tfRequireDestTag, tfRequireAuth, tfDisallowXRP, tfOptionalDestTag, tfOptionalAuth, tfAllowXRP} {
		w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfFlags, f))
		w.close()
		if f == tfDisallowXRP && w.root("alice").Uint(codec.SfFlags) != lsfRequireDestTag|lsfRequireAuth|lsfDisallowXRP {
			t.Errorf("set by the older flags: %08X", w.root("alice").Uint(codec.SfFlags))
		}
	}
	if got := w.root("alice").Uint(codec.SfFlags); got != 0 {
		t.Errorf("cleared by the older flags: %08X", got)
	}
	// Who gave up freezing may freeze everything, and not take that back.
	w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfNoFreeze), uintField(codec.SfClearFlag, asfGlobalFreeze))
	w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfGlobalFreeze))
	w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfClearFlag, asfGlobalFreeze))
	w.close()
	if got := w.root("alice").Uint(codec.SfFlags); got != lsfNoFreeze|lsfGlobalFreeze {
		t.Errorf("frozen for good: %08X", got)
	}
}

// TestAccountSetFields sets each field, and removes it with the value that
// means none.
func TestAccountSetFields(t *testing.T) {
	key := append([]byte{0xED}, make([]byte, 32)...)
	hash := codec.Hash256{7}
	minter := codec.AccountID{9}
	for _, c := range []struct {
		field     *codec.Field
		set, drop func(*codec.Object)
	}{
		{codec.SfDomain, blobField(codec.SfDomain, []byte("a.b")), blobField(codec.SfDomain, nil)},
		{codec.SfEmailHash, blobField(codec.SfEmailHash, hash[:16]), blobField(codec.SfEmailHash, make([]byte, 16))},
		{codec.SfWalletLocator, hashField(codec.SfWalletLocator, hash), hashField(codec.SfWalletLocator, codec.Hash256{})},
		{codec.SfMessageKey, blobField(codec.SfMessageKey, key), blobField(codec.SfMessageKey, nil)},
		{codec.SfTransferRate, uintField(codec.SfTransferRate, 2*qualityOne), uintField(codec.SfTransferRate, 0)},
		{codec.SfTransferRate, uintField(codec.SfTransferRate, qualityOne+1), uintField(codec.SfTransferRate, qualityOne)},
		{codec.SfTickSize, uintField(codec.SfTickSize, 3), uintField(codec.SfTickSize, 0)},
		{codec.SfTickSize, uintField(codec.SfTickSize, 15), uintField(codec.SfTickSize, 16)},
		{codec.SfNFTokenMinter, all(uintField(codec.SfSetFlag, asfAuthorizedNFTokenMinter), acctField(codec.SfNFTokenMinter, minter)), uintField(codec.SfClearFlag, asfAuthorizedNFTokenMinter)},
	} {
		t.Run(c.field.Name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.fund(10_000_000, "ralice")
			root := AccountKey(w.acct("ralice").id)
			want := codec.NewObject()
			c.set(want)
			w.do("ralice", codec.TtAccountSet, TesSuccess, c.set)
			w.close()
			if !w.root("ralice").Equal(c.field, want) {
				t.Error("not set")
			}
			_, node := nodeOf(w.last("ralice"), root)
			if prev := node.Object(codec.SfPreviousFields); prev == nil || prev.Has(c.field) || !node.Object(codec.SfFinalFields).Has(c.field) {
				t.Error("metadata of setting it")
			}
			w.do("ralice", codec.TtAccountSet, TesSuccess, c.drop)
			w.close()
			if w.root("ralice").Has(c.field) {
				t.Error("not removed")
			}
			_, node = nodeOf(w.last("ralice"), root)
			if prev := node.Object(codec.SfPreviousFields); prev == nil || !prev.Equal(c.field, want) || node.Object(codec.SfFinalFields).Has(c.field) {
				t.Error("metadata of removing it")
			}
			// Removing what is not there is no error.
			w.do("ralice", codec.TtAccountSet, TesSuccess, c.drop)
			w.close()
		})
	}
}

// TestAccountTxnID: once an account keeps its last transaction's id, others can
// be tied to it; a failed one does not count.
func TestAccountTxnID(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(10_000_000, "alice")
	w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfSetFlag, asfAccountTxnID))
	w.close()
	if o := w.root("alice"); !o.Has(codec.SfAccountTxnID) || !o.Hash(codec.SfAccountTxnID).IsZero() {
		t.Error("the field is not there, or not zero")
	}
	w.do("alice", codec.TtAccountSet, TesSuccess)
	w.close()
	first := w.last("alice").Tx.ID
	if w.root("alice").Hash(codec.SfAccountTxnID) != first {
		t.Error("the id was not kept")
	}
	w.do("alice", codec.TtAccountSet, TecNoAlternativeKey, uintField(codec.SfSetFlag, asfDisableMaster))
	w.close()
	if w.root("alice").Hash(codec.SfAccountTxnID) != first {
		t.Error("a failed transaction's id was kept")
	}
	w.do("alice", codec.TtAccountSet, TesSuccess, hashField(codec.SfAccountTxnID, first))
	w.do("alice", codec.TtAccountSet, TefWrongPrior, hashField(codec.SfAccountTxnID, first))
	w.do("alice", codec.TtAccountSet, TesSuccess, uintField(codec.SfClearFlag, asfAccountTxnID))
	w.close()
	if w.root("alice").Has(codec.SfAccountTxnID) {
		t.Error("the field is still there")
	}
}
