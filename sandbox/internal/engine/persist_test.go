package engine

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestReplayRefuses: a stored ledger that was changed in any byte is not taken.
func TestReplayRefuses(t *testing.T) {
	var stored [][]byte
	at := uint32(848_000_000)
	w := newWorld(t, Config{GenesisCloseTime: &at, Commit: func(p []byte) error { stored = append(stored, p); return nil }})
	w.fund(100_000_000, "alice", "rbob")
	w.do("alice", codec.TtCredentialCreate, TesSuccess, createFor(w.acct("rbob").id, "KYC"))
	w.do("rbob", codec.TtAccountSet, TecNoAlternativeKey, uintField(codec.SfSetFlag, asfDisableMaster))
	w.close()
	fresh := func() *Node {
		n, err := New(Config{GenesisCloseTime: &at})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range stored[0] {
		p := append([]byte(nil), stored[0]...)
		p[i] ^= 1
		n := fresh()
		if err := n.Replay(p); err == nil {
			t.Fatalf("taken with byte %d changed", i)
		}
	}
	for _, cut := range []int{0, 1, payloadHeader - 1, payloadHeader, payloadHeader + 10, len(stored[0]) - 1} {
		if err := fresh().Replay(stored[0][:cut]); err == nil {
			t.Errorf("taken with %d bytes", cut)
		}
	}
	if err := fresh().Replay(append(append([]byte(nil), stored[0]...), 0)); err == nil {
		t.Error("taken with more at its end")
	}
	if err := fresh().Replay(stored[1]); err == nil {
		t.Error("taken out of order")
	}
	early := append([]byte(nil), stored[0]...)
	binary.BigEndian.PutUint32(early[5:], at)
	if err := fresh().Replay(early); !errors.Is(err, ErrCloseTime) {
		t.Errorf("before its parent: %v", err)
	}
	n := fresh()
	for _, p := range stored {
		if err := n.Replay(p); err != nil {
			t.Fatal(err)
		}
		checkNode(t, n)
	}
	if err := n.Replay(stored[1]); err == nil {
		t.Error("taken twice")
	}
	if n.Closed().Hash != w.n.Closed().Hash {
		t.Error("came out as another ledger")
	}
}

// TestReplayLevels: fee levels are those of the ledger's final state, where a
// key reset that cost something may have become free again: the queue's figures
// come out the same.
func TestReplayLevels(t *testing.T) {
	var stored [][]byte
	at := uint32(848_000_000)
	w := newWorld(t, Config{GenesisCloseTime: &at, Commit: func(p []byte) error { stored = append(stored, p); return nil }})
	w.fund(100_000_000, "alice", "bob")
	rearmed := false
	for range 20 { // until the canonical order has alice paid after her reset
		w.do("alice", codec.TtSetRegularKey, TesSuccess, acctField(codec.SfRegularKey, codec.AccountID{1}), feeOf(50_000))
		w.do("bob", codec.TtPayment, TesSuccess, pay(w.acct("alice").id, 1), feeOf(50_000))
		w.close()
		rearmed = rearmed || w.root("alice").Uint(codec.SfFlags) == 0
		n, err := New(Config{GenesisCloseTime: &at})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range stored {
			if err := n.Replay(p); err != nil {
				t.Fatal(err)
			}
		}
		got, want := n.queue, w.n.queue
		if got.escalation != want.escalation || got.expected != want.expected || got.maxSize != want.maxSize {
			t.Fatalf("replayed %+v, lived %+v", n.FeeMetrics(), w.n.FeeMetrics())
		}
		if rearmed {
			return
		}
	}
	t.Error("alice was never paid last")
}
