package engine

import (
	"fmt"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// crowded is a world whose open ledger is past its soft limit of two: it holds
// so many transactions, and asks for more than the base fee.
func crowded(t *testing.T, count int) *world {
	w := newWorld(t, Config{Capacity: 2})
	w.fund(100_000_000, "rich", "alice") // no more than the limit, which else would grow
	w.fund(100_000_000, "bob")
	for range count {
		w.do("rich", codec.TtAccountSet, TesSuccess, feeOf(10_000_000))
	}
	return w
}

func TestOpenLedgerCost(t *testing.T) {
	w := newWorld(t, Config{Capacity: 2})
	w.fund(100_000_000, "rich")
	limit := w.n.FeeMetrics().TxPerLedger
	if limit != 2 {
		t.Fatalf("the limit is %d", limit)
	}
	for i := range uint64(6) {
		want := uint64(10)
		if i > 2 {
			want = minEscalation * i * i / 4 * 10 / 256
		}
		m := w.n.FeeMetrics()
		r := w.do("rich", codec.TtAccountSet, TemInvalidFlag, uintField(codec.SfFlags, 1), feeOf(int64(want)))
		if r.OpenLedgerCost != want || m.TxInLedger != int(i) || m.OpenLevel != want*256/10 {
			t.Errorf("with %d in it the ledger asks %d, %+v; want %d", i, r.OpenLedgerCost, m, want)
		}
		if want > 10 {
			w.do("rich", codec.TtAccountSet, TerQueued, feeOf(int64(want-1)))
			if q := w.n.Queue(); len(q) != 1 || q[0].FeeLevel != (want-1)*256/10 || q[0].Retries != 10 || q[0].HasLastResult {
				t.Errorf("the queue holds %+v", q)
			}
			// What replaces it in the ledger takes its place in the queue too.
			w.acct("rich").next--
			mustSubmit(t, w.n, w.acct("rich").tx(t, codec.TtAccountSet, feeOf(int64(want))), TesSuccess)
			if len(w.n.Queue()) != 0 {
				t.Error("the queue still holds it")
			}
			continue
		}
		w.do("rich", codec.TtAccountSet, TesSuccess)
	}
	w.close()
	if m := w.n.FeeMetrics(); m.TxPerLedger != 7 || m.QueueMax != 2000 { // 6 and a fifth
		t.Errorf("the next limit is %d, the queue's %d", m.TxPerLedger, m.QueueMax)
	}
	w.close()
}

func TestQueueRefusals(t *testing.T) {
	w := crowded(t, 3)
	last := uint64(w.n.Current().Seq)
	at := func(o uint32) func(*codec.Object) {
		return uintField(codec.SfSequence, uint64(w.n.NextSequence(w.acct("alice").id)+o))
	}
	w.do("alice", codec.TtAccountSet, TelCanNotQueue, uintField(codec.SfLastLedgerSequence, last+1))
	w.do("alice", codec.TtAccountSet, TelCanNotQueue, hashField(codec.SfPreviousTxnID, codec.Hash256{1}))
	w.do("alice", codec.TtAccountSet, TerPreSeq, at(1))
	w.do("alice", codec.TtAccountSet, TelInsufFeeP, feeOf(9))
	alice := w.acct("alice")
	alice.next = w.n.NextSequence(alice.id)
	if r := w.n.Submit(alice.tx(t, codec.TtAccountSet, nil), true); r.Result != TelCanNotQueue || r.Kept {
		t.Errorf("fail_hard: %+v", r)
	}

	// A blocker alone, and nothing with it.
	if r := w.do("alice", codec.TtAccountSet, TerQueued, uintField(codec.SfSetFlag, asfRequireAuth), uintField(codec.SfLastLedgerSequence, last+2)); !r.Queued || !r.Kept || !r.Broadcast || r.Applied ||
		r.SequenceAvailable != r.SequenceNext+1 {
		t.Errorf("%+v", r)
	}
	w.do("alice", codec.TtAccountSet, TelCanNotQueueBlocked)
	w.do("alice", codec.TtSetRegularKey, TelCanNotQueueBlocks)
	first := uintField(codec.SfSequence, uint64(w.n.NextSequence(alice.id)-1))
	// To take its place costs a quarter more.
	w.do("alice", codec.TtAccountSet, TelCanNotQueueFee, first, feeOf(12))
	w.do("alice", codec.TtSetRegularKey, TelCanNotQueueFee, first, feeOf(0))
	w.do("alice", codec.TtAccountSet, TerQueued, first, feeOf(13))
	w.do("alice", codec.TtAccountSet, TelCanNotQueueBlocks, uintField(codec.SfClearFlag, asfDisableMaster))
	w.do("alice", codec.TtAccountSet, TelCanNotQueue, at(1))
	w.do("alice", codec.TtAccountSet, TefPastSeq, uintField(codec.SfSequence, 1))
	for i := 1; i < 10; i++ {
		w.do("alice", codec.TtAccountSet, TerQueued)
	}
	w.do("alice", codec.TtAccountSet, TelCanNotQueueFull)
	w.do("alice", codec.TtAccountSet, TerQueued, first, feeOf(20)) // in place of another
	if q := w.n.QueueOf(alice.id); len(q) != 10 || q[0].Fee != 20 || q[9].Seq != q[0].Seq+9 {
		t.Errorf("%d queued", len(q))
	}
	checkNode(t, w.n)
	for range 8 {
		w.close()
	}
	if len(w.n.Queue()) != 0 {
		t.Errorf("%d are still queued", len(w.n.Queue()))
	}
}

// TestQueueSpending: what is queued must leave the account able to pay for all
// of it.
func TestQueueSpending(t *testing.T) {
	w := crowded(t, 9) // 128,000 × 81 / 4 / 25.6: about 101,000 drops
	fee := feeOf(100_000)
	for range 9 {
		w.do("alice", codec.TtPayment, TerQueued, pay(w.acct("bob").id, 1_000_000), fee)
	}
	// 900,000 in flight; with another 100,000 it would be the base reserve.
	w.do("alice", codec.TtAccountSet, TerQueued, fee)
	// In the middle it counts with those behind it: 1,000,000 is too much.
	w.do("alice", codec.TtAccountSet, TelCanNotQueueBalance, uintField(codec.SfSequence, uint64(w.n.NextSequence(w.acct("alice").id)-5)), feeOf(200_000-1))
	checkNode(t, w.n)

}

// TestQueueCleared: one that pays for all before it takes them along.
func TestQueueCleared(t *testing.T) {
	w := crowded(t, 3)
	for range 3 {
		w.do("alice", codec.TtAccountSet, TerQueued)
	}
	w.do("bob", codec.TtAccountSet, TerQueued)
	// Places 3 to 6: 128,000 × (9 + 16 + 25 + 36) / 4 in levels, 107,500 drops
	// together; 30 of them are there.
	w.do("alice", codec.TtAccountSet, TerQueued, feeOf(107_469))
	last := uintField(codec.SfSequence, uint64(w.n.NextSequence(w.acct("alice").id)-1))
	if r := w.do("alice", codec.TtAccountSet, TelCanNotQueueFee, last, feeOf(107_470)); r.Applied {
		t.Error("a quarter more was not asked for")
	}
	w.do("alice", codec.TtAccountSet, TesSuccess, last, feeOf(140_000))
	if got := w.n.Current().TxCount(); got != 7 {
		t.Errorf("%d in the open ledger", got)
	}
	if len(w.n.QueueOf(w.acct("alice").id)) != 0 || len(w.n.Queue()) != 1 {
		t.Errorf("left in the queue: %d", len(w.n.Queue()))
	}
	if l := w.close(); l.TxCount() != 7 {
		t.Errorf("%d in the closed ledger", l.TxCount())
	}
}

// TestQueueOrder: what pays more goes first, an account's sequences in their
// order, its tickets as they pay; past their last ledger they are dropped.
func TestQueueOrder(t *testing.T) {
	w := crowded(t, 0)
	w.do("bob", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 3))
	w.close()
	for range 3 {
		w.do("rich", codec.TtAccountSet, TesSuccess, feeOf(10_000_000))
	}
	first := uint32(w.root("bob").Uint(codec.SfSequence)) - 3
	w.do("bob", codec.TtAccountSet, TerQueued, byTicket(first+2), feeOf(11))
	w.do("bob", codec.TtAccountSet, TerQueued, byTicket(first), feeOf(14))
	w.do("bob", codec.TtAccountSet, TerQueued, byTicket(first+1), feeOf(13))
	w.do("bob", codec.TtAccountSet, TefNoTicket, byTicket(first-1), feeOf(10))
	w.do("bob", codec.TtAccountSet, TerPreTicket, byTicket(first+3), feeOf(10))
	w.do("alice", codec.TtAccountSet, TerQueued, feeOf(10))
	w.do("alice", codec.TtAccountSet, TerQueued, feeOf(100))
	w.do("bob", codec.TtAccountSet, TerQueued, uintField(codec.SfLastLedgerSequence, uint64(w.n.Current().Seq)+2))
	if got := fmt.Sprint(fees(w.n.QueueOf(w.acct("bob").id)), fees(w.n.Queue())[:4]); got != "[10 14 13 11] [100 14 13 11]" {
		t.Errorf("the queue is %s", got)
	}
	limit := w.n.FeeMetrics().TxPerLedger
	w.close()
	// alice's 100 wait for her 10.
	want := []int64{14, 13, 11}
	var got []int64
	for _, tx := range w.n.open.list {
		got = append(got, tx.Fee())
	}
	if len(got) != w.n.FeeMetrics().TxPerLedger+1 || fmt.Sprint(got[:3]) != fmt.Sprint(want) {
		t.Errorf("limit was %d: the open ledger has %v", limit, got)
	}
	for range 5 {
		w.close()
	}
	if len(w.n.Queue()) != 0 {
		t.Errorf("%d left", len(w.n.Queue()))
	}
}

func fees(queue []QueuedTx) (out []int64) {
	for _, q := range queue {
		out = append(out, q.Fee)
	}
	return out
}

// TestQueueExpires: a queued transaction whose last ledger closes is dropped,
// and the gap that it leaves stops what is behind it until it is filled.
func TestQueueExpires(t *testing.T) {
	w := crowded(t, 3)
	open := uint64(w.n.Current().Seq)
	alice := w.acct("alice")
	gap := w.n.NextSequence(alice.id)
	w.do("alice", codec.TtAccountSet, TerQueued, uintField(codec.SfLastLedgerSequence, open+2))
	w.do("alice", codec.TtAccountSet, TerQueued)
	for range queuePerAccount {
		w.do("bob", codec.TtAccountSet, TerQueued, feeOf(11)) // before hers, three ledgers of them
	}
	w.close()
	w.close()
	if q := w.n.QueueOf(alice.id); len(q) != 2 || q[0].HasLastResult {
		t.Fatalf("before its last ledger: %+v", q)
	}
	w.close()
	if q := w.n.QueueOf(alice.id); len(q) != 1 || q[0].Seq != gap+1 || q[0].LastResult != TerPreSeq || q[0].Retries != 9 {
		t.Fatalf("past its last ledger: %+v", q)
	}
	if got := w.n.NextSequence(alice.id); got != gap {
		t.Errorf("the next sequence is %d, the gap %d", got, gap)
	}
	w.do("alice", codec.TtAccountSet, TesSuccess)
	w.close()
	w.close()
	if got := w.root("alice").Uint(codec.SfSequence); got != uint64(gap)+2 || len(w.n.Queue()) != 0 {
		t.Errorf("sequence %d, %d queued", got, len(w.n.Queue()))
	}
}

// TestQueueRetries: what fails when its turn comes is tried ten times more.
func TestQueueRetries(t *testing.T) {
	w := crowded(t, 0)
	w.do("alice", codec.TtTicketCreate, TesSuccess, uintField(codec.SfTicketCount, 1))
	w.close()
	ticket := uint32(w.root("alice").Uint(codec.SfSequence)) - 1
	for range 3 {
		w.do("rich", codec.TtAccountSet, TesSuccess, feeOf(10_000_000))
	}
	w.do("alice", codec.TtAccountSet, TerQueued)
	// With a ticket she spends all but nothing at once.
	w.do("alice", codec.TtAccountSet, TesSuccess, byTicket(ticket), feeOf(w.root("alice").Drops(codec.SfBalance)))
	for i := range 11 {
		w.close()
		q := w.n.QueueOf(w.acct("alice").id)
		if len(q) != 1 || !q[0].HasLastResult || q[0].LastResult != TerInsufFeeB || q[0].Retries != 9-i {
			if i == 10 && len(q) == 0 {
				return
			}
			t.Fatalf("after %d closes: %+v", i+1, q)
		}
	}
	t.Error("still queued")
}

// TestQueueFull: with no room left, what pays more takes the place of what
// pays least.
func TestQueueFull(t *testing.T) {
	w := crowded(t, 3)
	limit := w.n.FeeMetrics().QueueMax
	if limit != 2000 {
		t.Fatalf("the queue takes %d", limit)
	}
	w.close()
	w.n.queue.expected = 100_000 // room for those who fill it
	names := make([]string, limit/queuePerAccount)
	for i := range names {
		names[i] = fmt.Sprintf("q%d", i)
		mustSubmit(t, w.n, w.g.tx(t, codec.TtPayment, func(o *codec.Object) {
			pay(w.acct(names[i]).id, 10_000_000)(o)
			o.SetDrops(codec.SfFee, 100_000_000)
		}), TesSuccess)
	}
	w.close()
	w.n.queue.expected, w.n.queue.maxSize = 2, limit // the rush is long past
	for range 3 {
		w.do("rich", codec.TtAccountSet, TesSuccess, feeOf(10_000_000))
	}
	for i := range limit {
		w.do(names[i%len(names)], codec.TtAccountSet, TerQueued, feeOf(int64(11+i%len(names)%5)))
	}
	checkNode(t, w.n)
	cheapest := w.n.Queue()[limit-1]
	if m := w.n.FeeMetrics(); m.QueueSize != limit || m.MinLevel != cheapest.FeeLevel+1 || cheapest.Fee != 11 {
		t.Errorf("%+v", m)
	}
	w.do("alice", codec.TtAccountSet, TelCanNotQueueFull, feeOf(11))
	w.do("alice", codec.TtAccountSet, TerQueued, feeOf(12))
	if m := w.n.FeeMetrics(); m.QueueSize != limit {
		t.Errorf("%d queued", m.QueueSize)
	}
	if q := w.n.QueueOf(cheapest.Tx.AccountID()); len(q) != queuePerAccount-1 || q[len(q)-1].Seq != q[0].Seq+queuePerAccount-2 {
		t.Errorf("the cheapest account has %d", len(q))
	}
	checkNode(t, w.n)
}
