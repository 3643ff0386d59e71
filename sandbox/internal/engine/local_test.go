package engine

import (
	"strings"
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
// long as it is remembered, or its LastLedgerSequence lets.
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
		{"in its last ledger, as it is still held", 4, 4, true},
		{"past its last ledger", 4, 5, false},
		{"the last ledger there can be: held once", 1<<32 - 1, 1, true},
		{"the same later: forgotten, as the sum of it and one is nothing", 1<<32 - 1, 2, false},
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

// TestHeldAgain: a transaction that fails when the ledger closes is held once
// more, or for as long as its LastLedgerSequence is at most five ledgers ahead.
// Held, it enters the open ledger right behind what fills its gap; otherwise a
// ledger later (NetworkOPs::apply).
func TestHeldAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		last   uint64 // LastLedgerSequence, from the open ledger's on; 0 for none
		closes int    // after which its gap is filled
		held   bool   // it follows at once
	}{
		{"at once", 0, 0, true},
		{"after one close", 0, 1, true},
		{"after two", 0, 2, false},
		{"soon to expire", 4, 3, true},
		{"in time", 20, 1, true},
		{"too late", 20, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.fund(100_000_000, "alice")
			alice := w.acct("alice")
			alice.next++
			early := alice.tx(t, codec.TtAccountSet, func(o *codec.Object) {
				if c.last != 0 {
					o.SetUint(codec.SfLastLedgerSequence, c.last+uint64(w.n.Current().Seq))
				}
			})
			mustSubmit(t, w.n, early, TerPreSeq)
			for range c.closes {
				w.close()
			}
			w.do("alice", codec.TtAccountSet, TesSuccess)
			if got := w.n.Current().TxCount(); got == 2 != c.held {
				t.Errorf("%d in the open ledger", got)
			}
		})
	}
}

// TestHeldFailures: what fails for the state of the ledger is tried once more
// before the ledger closes, but for a sequence that is past; streams are told.
func TestHeldFailures(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice", "bob")
	alice, key := w.acct("alice"), w.acct("key")
	next := alice.next
	mustSubmit(t, w.n, alice.tx(t, codec.TtAccountSet, signedBy(key)), TefBadAuth)
	late := w.acct("bob").tx(t, codec.TtAccountSet, func(o *codec.Object) { o.SetUint(codec.SfSequence, 1) })
	mustSubmit(t, w.n, late, TefPastSeq)
	if len(w.n.held.entries) != 1 {
		t.Fatalf("%d are held", len(w.n.held.entries))
	}
	// The key is allowed by a transaction with a ticket, so that the sequence of
	// the refused one stays free.
	alice.next = next
	w.do("alice", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 1))
	ticket := alice.next
	again := alice.withKeyOf(key)
	again.next = ticket + 1
	mustSubmit(t, w.n, again.tx(t, codec.TtAccountSet, nil), TefBadAuth)
	mustSubmit(t, w.n, alice.tx(t, codec.TtSetRegularKey, all(byTicket(ticket), acctField(codec.SfRegularKey, key.id))), TesSuccess)
	var r recorder
	w.n.Observe(&r)
	w.close() // in the closed ledger tickets come last, and the key with them
	if len(r.events) < 2 || !strings.HasPrefix(r.events[1], "proposed AccountSet tesSUCCESS") {
		t.Errorf("told of %v", r.events)
	}
}
