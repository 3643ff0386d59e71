package codec

import (
	"encoding/json"
	"testing"
)

// sampleTx signs a CredentialCreate, the transaction this exists for.
func sampleTx(tb testing.TB, kt KeyType) []byte {
	tb.Helper()
	pub, priv := DeriveKeypair(seedOf("bench"), kt)
	subject, _ := DeriveKeypair(seedOf("subject"), kt)
	o := NewObject()
	o.SetUint(SfTransactionType, uint64(TtCredentialCreate))
	o.SetUint(SfSequence, 7)
	o.SetUint(SfLastLedgerSequence, 30)
	o.SetUint(SfExpiration, 900000000)
	o.SetDrops(SfFee, 10)
	o.SetBlob(SfSigningPubKey, pub)
	o.SetAccount(SfAccount, AccountIDFromPublicKey(pub))
	o.SetAccount(SfSubject, AccountIDFromPublicKey(subject))
	o.SetBlob(SfCredentialType, []byte("KYC"))
	o.SetBlob(SfURI, []byte("https://issuer.example/credentials/1"))
	o.SetBlob(SfTxnSignature, Sign(priv, pub, SigningData(o)))
	return o.Append(nil)
}

func families(b *testing.B, f func(b *testing.B, blob []byte)) {
	for _, kt := range []KeyType{Secp256k1, Ed25519} {
		b.Run(kt.String(), func(b *testing.B) { f(b, sampleTx(b, kt)) })
	}
}

func BenchmarkParseTx(b *testing.B) {
	families(b, func(b *testing.B, blob []byte) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseTx(blob); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckSignature(b *testing.B) {
	families(b, func(b *testing.B, blob []byte) {
		tx, err := ParseTx(blob)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := tx.CheckSignature(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSubmit is all that a submission costs here: parse, local checks, signature.
func BenchmarkSubmit(b *testing.B) {
	families(b, func(b *testing.B, blob []byte) {
		b.ReportAllocs()
		for b.Loop() {
			tx, err := ParseTx(blob)
			if err == nil {
				err = tx.LocalChecks()
			}
			if err == nil {
				err = tx.CheckSignature()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchObjects are a transaction, an account and a directory page with metadata's depth.
func benchObjects(b *testing.B, f func(b *testing.B, o *Object)) {
	_, metas, entries := vectorBlobs(b)
	for name, blob := range map[string][]byte{"tx": sampleTx(b, Ed25519), "entry": entries[0], "meta": metas[0]} {
		o, err := ParseObject(blob)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(blob)))
			f(b, o)
		})
	}
}

func BenchmarkObjectAppend(b *testing.B) {
	buf := make([]byte, 0, 1<<16)
	benchObjects(b, func(b *testing.B, o *Object) {
		for b.Loop() {
			buf = o.Append(buf[:0])
		}
	})
}

func BenchmarkObjectParse(b *testing.B) {
	benchObjects(b, func(b *testing.B, o *Object) {
		blob := o.Append(nil)
		for b.Loop() {
			if _, err := ParseObject(blob); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkClone(b *testing.B) {
	benchObjects(b, func(b *testing.B, o *Object) {
		for b.Loop() {
			o.Clone()
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	benchObjects(b, func(b *testing.B, o *Object) {
		for b.Loop() {
			o.JSON()
		}
	})
}

func BenchmarkMarshalJSON(b *testing.B) {
	benchObjects(b, func(b *testing.B, o *Object) {
		for b.Loop() {
			if _, err := json.Marshal(o.JSON()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAccountID(b *testing.B) {
	pub, _ := DeriveKeypair(seedOf("bench"), Ed25519)
	id := AccountIDFromPublicKey(pub)
	text := id.String()
	b.Run("String", func(b *testing.B) {
		for b.Loop() {
			_ = id.String()
		}
	})
	b.Run("Parse", func(b *testing.B) {
		for b.Loop() {
			if _, ok := ParseAccountID(text); !ok {
				b.Fatal(text)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, kt := range []KeyType{Secp256k1, Ed25519} {
		b.Run(kt.String(), func(b *testing.B) {
			pub, priv := DeriveKeypair(seedOf("bench"), kt)
			for b.Loop() {
				Sign(priv, pub, []byte("message"))
			}
		})
	}
}
