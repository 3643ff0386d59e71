package engine

import (
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestHeld: what comes too early waits, and goes in with what it waited for.
func TestHeld(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice := w.acct("alice")
	txs := make([]*codec.Tx, 4)
	for i := range txs {
		txs[i] = alice.tx(t, codec.TtAccountSet, nil)
	}
	for _, i := range []int{1, 3, 2} {
		if r := mustSubmit(t, w.n, txs[i], TerPreSeq); !r.Kept || r.Applied || r.Broadcast || r.SequenceAvailable != r.SequenceNext {
			t.Errorf("%d: %+v", i, r)
		}
	}
	// The gap is filled: all follow in the same ledger.
	mustSubmit(t, w.n, txs[0], TesSuccess)
	if got := w.n.Current().TxCount(); got != 4 {
		t.Errorf("%d in the open ledger", got)
	}
	if l := w.close(); l.TxCount() != 4 {
		t.Errorf("%d in the closed ledger", l.TxCount())
	}

	// An account that is not there yet.
	bob := w.acct("bob")
	bob.next = w.n.Current().Seq // of an account that is made in the open ledger
	early := bob.tx(t, codec.TtAccountSet, nil)
	mustSubmit(t, w.n, early, TerNoAccount)
	w.do("alice", codec.TtPayment, TesSuccess, pay(bob.id, 5_000_000))
	if l := w.close(); l.TxCount() != 2 || l.Tx(early.ID) == nil {
		t.Errorf("%d in the ledger", l.TxCount())
	}

	// Tickets that come before they are made, and a sequence behind them.
	next := w.n.NextSequence(alice.id)
	ticket := alice.tx(t, codec.TtAccountSet, byTicket(next+2))
	mustSubmit(t, w.n, ticket, TerPreTicket)
	w.do("alice", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 2))
	if l := w.close(); l.TxCount() != 2 {
		t.Errorf("%d in the ledger", l.TxCount())
	}
}

// TestFailHard: nothing that fails is kept.
func TestFailHard(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice := w.acct("alice")
	alice.next++
	early := alice.tx(t, codec.TtAccountSet, nil)
	if r := w.n.Submit(early, true); r.Result != TerPreSeq || r.Kept {
		t.Errorf("%+v", r)
	}
	alice.next -= 2
	claim := alice.tx(t, codec.TtAccountSet, uintField(codec.SfSetFlag, asfDisableMaster))
	if r := w.n.Submit(claim, true); r.Result != TecNoAlternativeKey || r.Applied || r.Kept || r.Broadcast {
		t.Errorf("%+v", r)
	}
	alice.next--
	if r := w.n.Submit(alice.tx(t, codec.TtAccountSet, nil), true); r.Result != TesSuccess || !r.Applied || !r.Kept || !r.Broadcast {
		t.Errorf("%+v", r)
	}
	if l := w.close(); l.TxCount() != 1 {
		t.Errorf("%d in the ledger", l.TxCount())
	}
}

// TestLocalHold: what was submitted here is tried again after each close for as
// long as it is remembered, or its LastLedgerSequence lets. Alone it is tried
// only then: what fills its gap is a ledger ahead.
func TestLocalHold(t *testing.T) {
	for _, c := range []struct {
		name   string
		last   uint64 // LastLedgerSequence, from the open ledger's on; 0 for none
		closes int    // after which its gap is filled
		want   bool   // it goes in
	}{
		{"at once", 0, 0, true},
		{"in the fifth ledger after", 0, 5, true},
		{"in the sixth, before it is forgotten", 0, 6, true},
		{"in the seventh", 0, 7, false},
		{"its last ledger", 4, 3, true},
		{"past its last ledger", 4, 4, false},
		{"the last ledger there can be: forgotten, as the sum of it and one is nothing", 1<<32 - 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.fund(100_000_000, "alice")
			alice := w.acct("alice")
			alice.next++
			early := alice.tx(t, codec.TtAccountSet, func(o *codec.Object) {
				if c.last != 0 {
					o.SetUint(codec.SfLastLedgerSequence, min(c.last+uint64(w.n.Current().Seq), 1<<32-1))
				}
			})
			mustSubmit(t, w.n, early, TerPreSeq)
			for range c.closes {
				w.close()
				if len(w.n.held.entries) != 0 {
					// Held again by nobody: local transactions are only tried.
					t.Fatal("still held")
				}
			}
			w.do("alice", codec.TtAccountSet, TesSuccess)
			w.close()
			w.close()
			if rec, _ := w.n.Lookup(early.ID); (rec != nil) != c.want {
				t.Errorf("in a ledger: %v", rec != nil)
			}
			for range localHoldLedgers {
				w.close()
			}
			if len(w.n.local.list) != 0 {
				t.Errorf("%d are still remembered", len(w.n.local.list))
			}
		})
	}
}
