package codec

import (
	"bytes"
	"testing"
)

// To a release a later one's fields and types are what no release has: in a transaction, in an object within one, by name.
func TestRelease(t *testing.T) {
	tx := func(kind TxType, fields func(*Object)) []byte {
		o := NewObject()
		o.SetUint(SfTransactionType, uint64(kind))
		o.SetAccount(SfAccount, AccountID{1})
		o.SetUint(SfSequence, 1)
		o.SetDrops(SfFee, 10)
		o.SetBlob(SfSigningPubKey, nil)
		fields(o)
		return o.Append(nil)
	}
	within := func(f *Field) func(*Object) {
		return func(o *Object) {
			memo := NewObject()
			memo.SetHash(f, Hash256{1})
			o.SetArray(SfMemos, []Element{{SfMemo, memo}})
		}
	}
	// An amount of multi-purpose tokens is to the earlier one an amount of XRP, with more fields after it; alone, one of too much XRP.
	paid := func(amount []byte) []byte {
		return tx(TtPayment, func(o *Object) {
			o.SetAccount(SfDestination, AccountID{2})
			o.SetBlob(SfAmount, amount)
		})
	}
	mpt := MPTAmount(5, [24]byte{1})
	for _, c := range []struct {
		blob           []byte
		earlier, later string // errors
	}{
		{tx(TtAccountSet, func(*Object) {}), "", ""},
		{tx(TtAccountSet, func(o *Object) { o.SetHash(SfDomainID, Hash256{1}) }), "Unknown field", "Field 'DomainID' found in disallowed location."},
		{tx(TtAccountSet, within(SfDomainID)), "Unknown field", ""},
		{tx(TtAccountSet, within(SfLedgerHash)), "", ""},
		{tx(TtAccountSet, func(o *Object) {
			o.SetArray(SfMemos, []Element{{SfMemo, NewObject()}})
			o.SetArray(SfAcceptedCredentials, nil)
		}),
			"Unknown field", "Field 'AcceptedCredentials' found in disallowed location."},
		{paid(mpt), "gFID: uncommon type out of range 1", ""},
		{tx(TtAccountSet, func(o *Object) { o.SetAccount(SfHolder, AccountID{1}) }), "Unknown field", "Field 'Holder' found in disallowed location."},
		{tx(TtMPTokenIssuanceCreate, func(*Object) {}), "Invalid transaction type 54", ""},
		{tx(TtAMMClawback, func(*Object) {}), "Invalid transaction type 31", "Field 'Holder' is required but missing."},
		{tx(TtPermissionedDomainSet, func(*Object) {}), "Invalid transaction type 62", "Field 'AcceptedCredentials' is required but missing."},
		{tx(TtPermissionedDomainDelete, func(o *Object) { o.SetHash(SfDomainID, Hash256{1}) }), "Unknown field", ""},
	} {
		for known, want := range map[Release]string{Release230: c.earlier, Release240: c.later} {
			got := ""
			if _, err := known.ParseTx(c.blob); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("release %d, %X: %q, want %q", known, c.blob, got, want)
			}
		}
		if len(c.earlier) > 3 && c.earlier[:4] == "gFID" {
			continue
		}
		_, err := Release230.ParseObject(c.blob)
		if _, later := ParseObject(c.blob); (err != nil) != (c.earlier == "Unknown field") || later != nil {
			t.Errorf("%X: %v, %v", c.blob, err, later)
		}
	}
	word := []byte{0x61, 0x60, 0, 0, 0, 0, 0, 0, 7}
	if o, err := Release230.ParseObject(word); err != nil || o.Drops(SfAmount) != 1<<61+7 || o.AmountSign(SfAmount) != 1 || !bytes.Equal(o.Append(nil), word) {
		t.Errorf("%v %v", o, err)
	}
	if o, err := Release240.ParseObject(word); err == nil {
		t.Errorf("%v", o)
	}
	for _, c := range []struct {
		what  string
		knows func(Release) bool
		since Release
	}{
		{"DomainID", func(r Release) bool { return r.Knows(SfDomainID) }, Release240},
		{"Subject", func(r Release) bool { return r.Knows(SfSubject) }, Release230},
		{"no field", func(r Release) bool { return r.Knows(nil) }, Latest + 1},
		{"PermissionedDomainSet", func(r Release) bool { return r.KnowsTx(TtPermissionedDomainSet) }, Release240},
		{"DIDSet", func(r Release) bool { return r.KnowsTx(TtDIDSet) }, Release230},
		{"NFTokenModify", func(r Release) bool { return r.KnowsTx(TtNFTokenModify) }, Release240},
		{"no type", func(r Release) bool { return r.KnowsTx(999) }, Latest + 1},
		{"PermissionedDomain", func(r Release) bool { return r.KnowsEntry(LtPermissionedDomain) }, Release240},
		{"DID", func(r Release) bool { return r.KnowsEntry(LtDID) }, Release230},
		{"Holder", func(r Release) bool { return r.Knows(SfHolder) }, Release240},
		{"MPTokenAuthorize", func(r Release) bool { return r.KnowsTx(TtMPTokenAuthorize) }, Release240},
		{"MPToken", func(r Release) bool { return r.KnowsEntry(LtMPToken) }, Release240},
		{"tecLOCKED", func(r Release) bool { return r.ResultCodes()["tecLOCKED"] != 0 }, Release240},
		{"temBAD_TRANSFER_FEE", func(r Release) bool { return r.ResultCodes()["temBAD_TRANSFER_FEE"] != 0 }, Release240},
		{"Number", func(r Release) bool { return r.SerializedTypes()["Number"] == 9 }, Release240},
		{"Hash192", func(r Release) bool {
			return r.SerializedTypes()["Hash192"] == 21 && r.SerializedTypes()["UInt192"] == 0
		}, Release240},
		{"no kind", func(r Release) bool { return r.KnowsEntry(999) }, Latest + 1},
	} {
		for r := range Latest + 1 {
			if c.knows(r) != (r >= c.since) {
				t.Errorf("release %d knows %s: %v", r, c.what, c.knows(r))
			}
		}
	}
	if n, m := len(Release230.TxTypes()), len(Latest.TxTypes()); m != n+8 {
		t.Errorf("%d and %d transaction types", n, m)
	}
	if n, m := len(Release230.LedgerEntryTypes()), len(Latest.LedgerEntryTypes()); m != n+3 {
		t.Errorf("%d and %d kinds of entries", n, m)
	}
}
