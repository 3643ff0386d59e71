package engine

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// prepared gives a node with a rich issuer and signed CredentialCreates to
// submit, of so many different types to one subject.
func prepared(b *testing.B, count int) (*Node, []*codec.Tx) {
	b.Helper()
	n, _ := newTestNode(b, Config{Capacity: 1_000_000})
	g, issuer, subject := genesisSigner(b), named("issuer", codec.Ed25519), named("alice", codec.Ed25519)
	fund(b, n, g, 1_000_000_000_000_000, issuer, subject)
	txs := make([]*codec.Tx, count)
	for i := range txs {
		txs[i] = issuer.tx(b, codec.TtCredentialCreate, createFor(subject.id, fmt.Sprintf("T%d", i)))
	}
	return n, txs
}

// BenchmarkSubmit is the engine's part of a submission: no signature check.
func BenchmarkSubmit(b *testing.B) {
	n, txs := prepared(b, b.N)
	b.ResetTimer()
	for _, tx := range txs {
		if r := n.Submit(tx, false); r.Result != TesSuccess {
			b.Fatal(r.Result)
		}
	}
}

// BenchmarkClose1000 closes a ledger of a thousand CredentialCreates.
func BenchmarkClose1000(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		n, txs := prepared(b, 1000)
		for _, tx := range txs {
			n.Submit(tx, false)
		}
		runtime.GC()
		b.StartTimer()
		if l := mustClose(b, n); l.TxCount() != 1000 {
			b.Fatalf("%d transactions in the ledger", l.TxCount())
		}
	}
}
