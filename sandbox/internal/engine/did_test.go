package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func text(f *codec.Field, s string) func(*codec.Object) { return blobField(f, []byte(s)) }

func TestDIDRefusals(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(20_000_000, "alice", "bob")
	w.fund(GenesisReserve+GenesisReserveInc+9, "poor") // less than the reserve once the fee is paid
	w.do("alice", codec.TtDIDSet, TesSuccess, text(codec.SfURI, "u"), text(codec.SfData, "d"))
	w.close()
	long := string(make([]byte, maxDIDLength+1))
	flag := uintField(codec.SfFlags, 1)
	uri, document, data := codec.SfURI, codec.SfDIDDocument, codec.SfData
	for _, c := range []struct {
		name, who string
		kind      codec.TxType
		want      TER
		fields    func(*codec.Object)
	}{
		{"a flag goes before a bad fee", "alice", codec.TtDIDSet, TemInvalidFlag, all(flag, feeOf(-1))},
		{"a bad fee goes before no field", "alice", codec.TtDIDSet, TemBadFee, feeOf(-1)},
		{"no field", "alice", codec.TtDIDSet, TemEmptyDID, all()},
		{"three empty fields", "alice", codec.TtDIDSet, TemEmptyDID, all(text(uri, ""), text(document, ""), text(data, ""))},
		{"too long a URI", "alice", codec.TtDIDSet, TemMalformed, text(uri, long)},
		{"too long a document", "alice", codec.TtDIDSet, TemMalformed, text(document, long)},
		{"too long data", "alice", codec.TtDIDSet, TemMalformed, all(text(uri, ""), text(data, long))},
		{"nothing would be left", "alice", codec.TtDIDSet, TecEmptyDID, all(text(uri, ""), text(data, ""))},
		{"nothing to begin with", "bob", codec.TtDIDSet, TecEmptyDID, all(text(uri, ""), text(data, ""))},
		{"nothing goes before poor", "poor", codec.TtDIDSet, TecEmptyDID, text(uri, "")},
		{"poor", "poor", codec.TtDIDSet, TecInsufficientReserve, text(uri, "u")},
		{"delete: a flag goes before a bad fee", "alice", codec.TtDIDDelete, TemInvalidFlag, all(flag, feeOf(-1))},
		{"delete: none", "bob", codec.TtDIDDelete, TecNoEntry, all()},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, w, c.who, c.kind, c.want, c.fields) })
	}
}

func TestDIDLife(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(GenesisReserve+GenesisReserveInc+10, "alice")
	alice := w.acct("alice").id
	key := DIDKey(alice)
	full := string(make([]byte, maxDIDLength))
	w.do("alice", codec.TtDIDSet, TesSuccess, text(codec.SfURI, full), text(codec.SfDIDDocument, ""))
	w.close()
	field, node := nodeOf(w.last("alice"), key)
	if n := node.Object(codec.SfNewFields); field != codec.SfCreatedNode || n.Account(codec.SfAccount) != alice || n.Has(codec.SfDIDDocument) || n.Len() != 2 {
		t.Error("metadata of the creation")
	}
	if o := w.root("alice"); o.Uint(codec.SfOwnerCount) != 1 {
		t.Error("no reserve for it")
	}

	// Changed: one field more, one less. The reserve is not asked for again.
	w.do("alice", codec.TtDIDSet, TesSuccess, text(codec.SfURI, ""), text(codec.SfData, "d"))
	w.close()
	field, node = nodeOf(w.last("alice"), key)
	if field != codec.SfModifiedNode || !node.Object(codec.SfPreviousFields).Has(codec.SfURI) || node.Object(codec.SfPreviousFields).Len() != 1 ||
		string(node.Object(codec.SfFinalFields).Blob(codec.SfData)) != "d" || node.Object(codec.SfFinalFields).Has(codec.SfURI) {
		t.Errorf("metadata of the change: %v", node.JSON())
	}
	// Set to what it is: the entry is left alone.
	w.do("alice", codec.TtDIDSet, TesSuccess, text(codec.SfData, "d"))
	w.close()
	if field, _ := nodeOf(w.last("alice"), key); field != nil {
		t.Error("an entry that did not change is in the metadata")
	}

	w.do("alice", codec.TtDIDDelete, TesSuccess)
	w.close()
	field, node = nodeOf(w.last("alice"), key)
	if field != codec.SfDeletedNode || string(node.Object(codec.SfFinalFields).Blob(codec.SfData)) != "d" {
		t.Error("metadata of the deletion")
	}
	// The directory's page stays, empty.
	page := w.n.Closed().Entry(OwnerDirKey(alice))
	if w.n.Closed().Has(key) || w.root("alice").Uint(codec.SfOwnerCount) != 0 || page == nil || len(page.Hashes(codec.SfIndexes)) != 0 {
		t.Error("what is left of it")
	}
	w.do("alice", codec.TtDIDDelete, TecNoEntry)
	w.close()
}
