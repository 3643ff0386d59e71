package engine

import (
	"errors"
	"slices"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func txsOf(n *Node, a codec.AccountID) (ids []codec.Hash256) {
	for r := range n.AccountTxs(a, 1, 1<<31, true) {
		ids = append(ids, r.Tx.ID)
	}
	return ids
}

func TestSubmitMissing(t *testing.T) {
	n, _ := newTestNode(t, Config{})
	g, issuer, subject := genesisSigner(t), named("issuer", codec.Ed25519), named("subject", codec.Ed25519)
	fund(t, n, g, 1_000_000_000, issuer, subject)
	miss := func(ledgers uint32) func() (uint32, bool) { return func() (uint32, bool) { return ledgers, true } }

	first := issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, "one"))
	second := issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, "two"))
	if r := n.SubmitMissing(first, false, miss(2)); r.Result != TesSuccess || !r.Applied {
		t.Fatal(r)
	}
	mustSubmit(t, n, second, TesSuccess)
	for i := range 2 {
		if l := mustClose(t, n); l.TxCount() != 0 {
			t.Fatalf("ledger %d has %d transactions", l.Seq, l.TxCount())
		}
		if rec, known := n.Lookup(first.ID); rec != nil || known == nil || n.Current().TxCount() != 2 {
			t.Fatalf("after %d closes: %v, %v, %d in the open ledger", i+1, rec, known, n.Current().TxCount())
		}
		// Sending it again changes nothing.
		r := n.SubmitMissing(first, false, func() (uint32, bool) { t.Error("asked again"); return 0, true })
		if r.Result != TefPastSeq && r.Result != TefAlready {
			t.Fatal(r.Result)
		}
	}
	if l := mustClose(t, n); l.Tx(first.ID) == nil || l.Tx(second.ID) == nil {
		t.Fatalf("ledger %d has %d transactions", l.Seq, l.TxCount())
	}
	if len(n.withheld) != 0 {
		t.Error(n.withheld)
	}

	// For good: it expires, and its sequence is free again.
	never := issuer.tx(t, codec.TtCredentialCreate, func(o *codec.Object) {
		createFor(subject.id, "three")(o)
		o.SetUint(codec.SfLastLedgerSequence, uint64(n.Closed().Seq)+3)
	})
	if r := n.SubmitMissing(never, false, miss(0)); r.Result != TesSuccess {
		t.Fatal(r)
	}
	for range 5 {
		mustClose(t, n)
	}
	if rec, _ := n.Lookup(never.ID); rec != nil || n.Current().TxCount() != 0 {
		t.Fatal(rec, n.Current().TxCount())
	}
	issuer.next--
	mustSubmit(t, n, issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, "four")), TesSuccess)
	if l := mustClose(t, n); l.TxCount() != 1 {
		t.Fatal(l.TxCount())
	}
}

func TestRestartKeepsWhatIsClosed(t *testing.T) {
	n, _ := newTestNode(t, Config{Capacity: 1})
	g, issuer, subject := genesisSigner(t), named("issuer", codec.Ed25519), named("subject", codec.Ed25519)
	fund(t, n, g, 1_000_000_000, issuer, subject)
	closed := n.Closed()
	for i := range 8 { // past the capacity they are queued
		n.Submit(issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, string(rune('a'+i)))), false)
	}
	if m := n.FeeMetrics(); m.QueueSize == 0 || m.TxInLedger == 0 {
		t.Fatal(m)
	}
	l, err := n.Restart(0)
	if err != nil || l != closed || n.Closed() != closed {
		t.Fatal(l, err)
	}
	if m := n.FeeMetrics(); m.QueueSize != 0 || m.TxInLedger != 0 || n.Current().Seq != closed.Seq+1 {
		t.Fatal(m)
	}
	if l := mustClose(t, n); l.TxCount() != 0 || l.ParentHash != closed.Hash {
		t.Fatal(l.TxCount())
	}
}

func TestRestartFurtherBack(t *testing.T) {
	var stored [][]byte
	cfg := Config{Commit: func(b []byte) error { stored = append(stored, slices.Clone(b)); return nil }}
	n, clock := newTestNode(t, cfg)
	g, issuer, subject := genesisSigner(t), named("issuer", codec.Ed25519), named("subject", codec.Ed25519)
	fund(t, n, g, 1_000_000_000, issuer, subject)
	stay := issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, "stays"))
	mustSubmit(t, n, stay, TesSuccess)
	base := mustClose(t, n)
	before := txsOf(n, issuer.id)

	var gone []*codec.Tx
	var shown []*Ledger
	for i := range 3 {
		tx := issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, string(rune('a'+i))))
		mustSubmit(t, n, tx, TesSuccess)
		gone, shown = append(gone, tx), append(shown, mustClose(t, n))
	}
	if _, err := n.Restart(len(shown) + 100); !errors.Is(err, ErrTooFarBack) || n.Closed() != shown[2] {
		t.Fatal(err)
	}
	if l, err := n.Restart(3); err != nil || l != base || n.Closed() != base {
		t.Fatal(l, err)
	}
	if rec, _ := n.Lookup(stay.ID); rec == nil {
		t.Error("what was closed earlier is gone too")
	}
	if got := txsOf(n, issuer.id); !slices.Equal(got, before) {
		t.Errorf("%d transactions, not %d", len(got), len(before))
	}
	for i, tx := range gone {
		if rec, known := n.Lookup(tx.ID); rec != nil || known != nil {
			t.Error("a transaction of a ledger that is gone is known")
		}
		if n.LedgerByHash(shown[i].Hash) != nil || n.LedgerBySeq(shown[i].Seq) != nil {
			t.Error("a ledger that is gone is shown")
		}
	}
	if first, last := n.Range(); first != 2 || last != base.Seq {
		t.Error(first, last)
	}
	// The same transactions at the same time give other ledgers.
	for i, tx := range gone {
		mustSubmit(t, n, tx, TesSuccess)
		if l := mustClose(t, n); l.Seq != shown[i].Seq || l.Hash == shown[i].Hash || l.Tx(tx.ID) == nil {
			t.Errorf("ledger %d %s", l.Seq, l.Hash)
		}
	}
	// The stored form comes to the same.
	at := uint32(0)
	genesisTime := n.LedgerBySeq(2).CloseTime
	m, err := New(Config{Now: clock.now, GenesisCloseTime: &genesisTime})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range stored {
		if err := m.Replay(b); err != nil {
			t.Fatalf("record %d: %v", at, err)
		}
		at++
	}
	if m.Closed().Hash != n.Closed().Hash || !slices.Equal(txsOf(m, issuer.id), txsOf(n, issuer.id)) {
		t.Error("replayed, it is another ledger")
	}
	// A step back that cannot be stored is not taken.
	n.cfg.Commit = func([]byte) error { return errors.New("disk full") }
	last := n.Closed()
	if _, err := n.Restart(1); err == nil || n.Closed() != last {
		t.Error(err)
	}
}

func TestReplayRefusesAWrongStepBack(t *testing.T) {
	for name, payload := range map[string][]byte{
		"short":       {stepBackVersion, 0, 0},
		"to nowhere":  append([]byte{stepBackVersion, 0, 0, 0, 9}, make([]byte, 32)...),
		"to the last": append([]byte{stepBackVersion, 0, 0, 0, 2}, make([]byte, 32)...),
	} {
		n, _ := newTestNode(t, Config{})
		if err := n.Replay(payload); err == nil {
			t.Error(name)
		}
	}
}

func TestFork(t *testing.T) {
	n, _ := newTestNode(t, Config{Capacity: 1})
	g, issuer, subject := genesisSigner(t), named("issuer", codec.Ed25519), named("subject", codec.Ed25519)
	fund(t, n, g, 1_000_000_000, issuer, subject)
	for i := range 6 {
		n.Submit(issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, string(rune('a'+i)))), false)
	}
	f := n.Fork()
	if f.Closed() != n.Closed() || f.FeeMetrics() != n.FeeMetrics() || len(f.QueueOf(issuer.id)) != len(n.QueueOf(issuer.id)) ||
		len(f.Pending()) != len(n.Pending()) {
		t.Fatal("a fork begins as something else")
	}
	seq, queued := f.Closed().Seq, len(f.Queue())
	for range 3 {
		mustClose(t, n)
	}
	if f.Closed().Seq != seq || len(f.Queue()) != queued || len(n.Queue()) == queued || len(txsOf(f, issuer.id)) == len(txsOf(n, issuer.id)) {
		t.Error("the fork went along")
	}
	mine := issuer.tx(t, codec.TtCredentialCreate, createFor(subject.id, "mine"))
	f.Submit(mine, false)
	if _, known := n.Lookup(mine.ID); known != nil {
		t.Error("the origin knows what the fork was given")
	}
}
