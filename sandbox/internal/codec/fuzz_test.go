package codec

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// checkObject is what holds of everything that was parsed.
func checkObject(t *testing.T, o *Object, size int) {
	t.Helper()
	checkOrder(t, o)
	out := o.Append(nil)
	if len(out) > size+2*maxDepth {
		t.Fatalf("%d bytes became %d", size, len(out))
	}
	again, err := ParseObject(out)
	if err != nil {
		t.Fatalf("%X: %v", out, err)
	}
	if !again.Same(o) || !bytes.Equal(again.Append(nil), out) {
		t.Fatalf("%X reads as another object", out)
	}
	if !o.Clone().Same(o) {
		t.Fatal("the clone differs")
	}
	if len(o.AppendSigning(nil)) > len(out) {
		t.Fatal("more is signed than there is")
	}
	if _, err := json.Marshal(o.JSON()); err != nil {
		t.Fatal(err)
	}
}

func checkOrder(t *testing.T, o *Object) {
	t.Helper()
	var last uint32
	for i := range o.fields {
		v := &o.fields[i]
		if v.field.code <= last {
			t.Fatalf("%s stands wrong", v.field)
		}
		last = v.field.code
		for _, e := range v.list {
			checkOrder(t, e.Object)
		}
	}
}

func FuzzParseObject(f *testing.F) {
	txs, metas, entries := vectorBlobs(f)
	for _, list := range [][][]byte{txs, metas, entries} {
		for _, b := range list {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseObject(b)
		if (o == nil) == (err == nil) {
			t.Fatal(o, err)
		}
		if err == nil {
			checkObject(t, o, len(b))
		}
		if entry, kind, err := ParseEntry(b); err == nil && (!entry.Same(o) || LedgerEntryType(entry.Uint(SfLedgerEntryType)) != kind) {
			t.Fatal("the entry differs")
		}
	})
}

func FuzzParseTx(f *testing.F) {
	txs, _, _ := vectorBlobs(f)
	for _, b := range txs {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tx, err := ParseTx(b)
		if (tx == nil) == (err == nil) {
			t.Fatal(tx, err)
		}
		if err != nil {
			return
		}
		checkObject(t, tx.Object, len(b))
		if !bytes.Equal(tx.Blob, tx.Append(nil)) || tx.ID != Sha512Half(PrefixTxID[:], tx.Blob) {
			t.Fatal("blob or id")
		}
		again, err := ParseTx(tx.Blob)
		if len(tx.Blob) <= MaxTxSize && (err != nil || again.ID != tx.ID) {
			t.Fatal(err)
		}
		_ = tx.LocalChecks()
		_ = tx.CheckSignature()
		tx.SeqProxy()
		for _, e := range tx.Type.Template() {
			if e.Presence == Required && !tx.Has(e.Field) {
				t.Fatalf("%s is missing", e.Field)
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "rrrrrrrrrrrrrrrrrrrrBZbvji", "snoPBrXtMeMyMHUVTgbuqAfg1SUTb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseAccountID(s); ok && id.String() != s {
			t.Fatalf("%q is %s", s, id)
		}
		var id AccountID
		copy(id[:], s)
		if got, ok := ParseAccountID(id.String()); !ok || got != id {
			t.Fatalf("%X reads as %X", id, got)
		}
	})
}

func FuzzSeed(f *testing.F) {
	for _, s := range []string{"", "snoPBrXtMeMyMHUVTgbuqAfg1SUTb", "sEdSKaCy2JT7JaM7v95H9SxkhP9wS2r", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if seed, kt, err := SeedFromString(s); err == nil && (len(seed) != 16 || EncodeSeed(seed, kt) != s) {
			t.Fatalf("%q reads as another", s)
		}
		seed := make(Seed, 16)
		copy(seed, s)
		for _, kt := range []KeyType{Secp256k1, Ed25519} {
			if got, kind, err := SeedFromString(EncodeSeed(seed, kt)); err != nil || kind != kt || !bytes.Equal(got, seed) {
				t.Fatalf("%s: %v %v", kt, kind, err)
			}
		}
	})
}

// A signature that is taken is the one form of its two numbers.
func FuzzSignature(f *testing.F) {
	pub, priv := DeriveKeypair(seedOf("fuzz"), Secp256k1)
	edPub, edPriv := DeriveKeypair(seedOf("fuzz"), Ed25519)
	msg := []byte("message")
	f.Add(pub, Sign(priv, pub, msg))
	f.Add(edPub, Sign(edPriv, edPub, msg))
	f.Fuzz(func(t *testing.T, key, sig []byte) {
		if s, err := parseCanonical(sig); err == nil {
			if !bytes.Equal(s.Serialize(), sig) {
				t.Fatalf("%X is %X", sig, s.Serialize())
			}
			if _, err := ecdsa.ParseDERSignature(sig); err != nil {
				t.Fatalf("%X: %v", sig, err)
			}
		}
		if Verify(key, msg, sig) {
			if _, ok := PublicKeyType(key); !ok {
				t.Fatalf("%X is no key", key)
			}
		}
	})
}
