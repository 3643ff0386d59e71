package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

func TestConfigBounds(t *testing.T) {
	for _, c := range []Config{{Capacity: -1}, {Capacity: 1_000_001}, {History: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestCloseTimes(t *testing.T) {
	at := uint32(848_000_003)
	clock := &testClock{t: time.Unix(rippleEpoch+848_000_011, 0)}
	n, err := New(Config{Now: clock.now, GenesisCloseTime: &at})
	if err != nil {
		t.Fatal(err)
	}
	if n.Closed().CloseTime != at || n.Closed().Seq != 2 {
		t.Errorf("ledger %d at %d", n.Closed().Seq, n.Closed().CloseTime)
	}
	for _, want := range []uint32{848_000_010, 848_000_011, 848_000_012} {
		if l := mustClose(t, n); l.CloseTime != want {
			t.Errorf("closed at %d, want %d", l.CloseTime, want)
		}
	}
	clock.t = clock.t.Add(4 * time.Second) // half of ten rounds up
	if l := mustClose(t, n); l.CloseTime != 848_000_020 || l.ParentCloseTime != 848_000_012 {
		t.Errorf("closed at %d after %d", l.CloseTime, l.ParentCloseTime)
	}
	for _, bad := range []uint32{0, 848_000_019, 848_000_020} {
		if _, err := n.Close(&bad); !errors.Is(err, ErrCloseTime) {
			t.Errorf("close time %d: %v", bad, err)
		}
	}
}

// TestSkipLists: the last 256 hashes, and every 256th in a list of its own.
func TestSkipLists(t *testing.T) {
	n, _ := newTestNode(t, Config{})
	for n.Closed().Seq < 770 {
		mustClose(t, n)
	}
	short := n.Closed().Entry(SkipKey())
	hashes := short.Hashes(codec.SfHashes)
	if len(hashes) != 256 || short.Uint(codec.SfLastLedgerSequence) != 769 {
		t.Fatalf("%d hashes up to %d", len(hashes), short.Uint(codec.SfLastLedgerSequence))
	}
	for i, h := range hashes {
		if n.LedgerBySeq(uint32(514+i)).Hash != h {
			t.Fatalf("hash %d is not that of ledger %d", i, 514+i)
		}
	}
	long := n.Closed().Entry(SkipKeyFor(768))
	if got := fmt.Sprint(long.Hashes(codec.SfHashes)); got != fmt.Sprint([]codec.Hash256{n.LedgerBySeq(256).Hash, n.LedgerBySeq(512).Hash, n.LedgerBySeq(768).Hash}) ||
		long.Uint(codec.SfLastLedgerSequence) != 768 {
		t.Errorf("long list %s", got)
	}
	if n.LedgerBySeq(256).Has(SkipKeyFor(0)) || !n.LedgerBySeq(257).Has(SkipKeyFor(0)) {
		t.Error("the long list starts in ledger 257")
	}
	checkLedger(t, n.Closed())
}

func TestHistory(t *testing.T) {
	w := newWorld(t, Config{History: 3})
	w.fund(100_000_000, "alice")
	paid := w.n.Closed().Seq
	hash := w.n.Closed().Hash
	for range 5 {
		w.close()
	}
	first, last := w.n.Range()
	if first != last-2 || last != w.n.Closed().Seq {
		t.Errorf("ledgers %d to %d", first, last)
	}
	for seq := uint32(1); seq <= last+1; seq++ {
		if got := w.n.LedgerBySeq(seq) != nil; got != (seq >= first && seq <= last) {
			t.Errorf("ledger %d: %v", seq, got)
		}
	}
	if w.n.LedgerByHash(hash) != nil || w.n.LedgerByHash(w.n.Closed().Hash) == nil {
		t.Error("by hash")
	}
	// Transactions stay.
	count := 0
	for r := range w.n.AccountTxs(w.acct("alice").id, 0, last, false) {
		count++
		if r.LedgerSeq != paid || r.LedgerHash != hash {
			t.Errorf("in ledger %d", r.LedgerSeq)
		}
	}
	if count != 1 || w.n.LedgersWithTxs(0, last+10) != 1 {
		t.Errorf("%d transactions", count)
	}
}

// TestKnown: what was submitted is known until it is in a ledger, and what was
// malformed is not tried again.
func TestKnown(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice := w.acct("alice")
	bad := alice.tx(t, codec.TtAccountSet, uintField(codec.SfFlags, 1))
	alice.next--
	good := alice.tx(t, codec.TtAccountSet, nil)
	if rec, known := w.n.Lookup(good.ID); rec != nil || known != nil {
		t.Error("known before it was submitted")
	}
	if r := w.n.Submit(bad, false); r.Result != TemInvalidFlag || r.Rejected || !r.Kept || r.ValidatedSeq == 0 {
		t.Errorf("%+v", r)
	}
	if r := w.n.Submit(bad, false); r.Result != TemBadSignature || !r.Rejected || r.Kept {
		t.Errorf("%+v", r)
	}
	if r := w.n.Submit(good, false); !r.Broadcast || r.InLedger != 0 {
		t.Errorf("%+v", r)
	}
	if r := w.n.Submit(good, false); r.Result != TefPastSeq || r.Broadcast || r.Applied || !r.Kept {
		t.Errorf("again: %+v", r)
	}
	if rec, known := w.n.Lookup(good.ID); rec != nil || known == nil {
		t.Error("not known")
	}
	w.close()
	if rec, known := w.n.Lookup(good.ID); rec == nil || known != nil || rec.Result != TesSuccess {
		t.Error("not found in its ledger")
	}
	if r := w.n.Submit(good, false); r.Result != TefPastSeq || r.InLedger != w.n.Closed().Seq {
		t.Errorf("once closed: %+v", r)
	}
	// After a while it is forgotten that it was bad, and then that it was.
	w.closeAfter(seenFor + time.Second)
	if _, known := w.n.Lookup(bad.ID); known == nil {
		t.Error("not known any more")
	}
	if r := w.n.Submit(bad, false); r.Result != TemInvalidFlag || r.Rejected {
		t.Errorf("%+v", r)
	}
	w.closeAfter(knownFor + time.Second)
	if _, known := w.n.Lookup(bad.ID); known != nil {
		t.Error("still known")
	}
}

// TestCommitFails: a ledger that cannot be stored is not closed; what was there
// is there still.
func TestCommitFails(t *testing.T) {
	full := errors.New("disk full")
	var fail error
	commits := 0
	w := newWorld(t, Config{Commit: func([]byte) error { commits++; return fail }})
	w.fund(100_000_000, "alice")
	alice := w.acct("alice")
	first := alice.tx(t, codec.TtAccountSet, nil)
	alice.next++
	early := alice.tx(t, codec.TtAccountSet, nil)
	mustSubmit(t, w.n, first, TesSuccess)
	mustSubmit(t, w.n, early, TerPreSeq)
	bob := w.acct("bob")
	bob.next = w.n.Current().Seq
	orphan := bob.tx(t, codec.TtAccountSet, nil)
	mustSubmit(t, w.n, orphan, TerNoAccount)

	before, held := w.n.Closed(), len(w.n.held.entries)
	metrics := w.n.FeeMetrics()
	w.clock.t = w.clock.t.Add(time.Minute)
	fail = full
	for range 3 {
		if _, err := w.n.Close(nil); !errors.Is(err, full) {
			t.Fatalf("closed: %v", err)
		}
	}
	checkNode(t, w.n)
	if w.n.Closed() != before || w.n.Current().TxCount() != 1 || len(w.n.held.entries) != held || w.n.FeeMetrics() != metrics {
		t.Errorf("closed %d, %d open, %d held, %+v", w.n.Closed().Seq, w.n.Current().TxCount(), len(w.n.held.entries), w.n.FeeMetrics())
	}
	if rec, known := w.n.Lookup(first.ID); rec != nil || known == nil {
		t.Error("the transaction is in a ledger")
	}
	fail = nil
	if l := w.close(); l.Seq != before.Seq+1 || l.TxCount() != 1 {
		t.Errorf("ledger %d with %d", l.Seq, l.TxCount())
	}
	if commits != int(w.n.Closed().Seq)-2+3 {
		t.Errorf("%d commits for ledger %d", commits, w.n.Closed().Seq)
	}
}

type recorder struct{ events []string }

func (r *recorder) Proposed(tx *codec.Tx, result TER, seq uint32) {
	r.events = append(r.events, fmt.Sprintf("proposed %s %s %d", tx.Type, result, seq))
}

func (r *recorder) LedgerClosed(l *Ledger, records []*TxRecord) {
	for i, rec := range records {
		if rec.Index != uint32(i) || rec.LedgerHash != l.Hash || rec.Meta == nil {
			r.events = append(r.events, "a record is wrong")
		}
	}
	r.events = append(r.events, fmt.Sprintf("closed %d %d", l.Seq, len(records)))
}

func (r *recorder) FeeChanged(m FeeMetrics) {
	r.events = append(r.events, fmt.Sprintf("fee %d %d", m.TxInLedger, m.CurrentSeq))
}

func TestObserver(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	var r recorder
	w.n.Observe(&r)
	w.do("alice", codec.TtAccountSet, TesSuccess)
	w.do("alice", codec.TtAccountSet, TelInsufFeeP, feeOf(1))
	w.do("alice", codec.TtAccountSet, TecNoAlternativeKey, uintField(codec.SfSetFlag, asfDisableMaster))
	w.close()
	want := "[fee 1 4 proposed AccountSet tesSUCCESS 4 fee 2 4 proposed AccountSet tecNO_ALTERNATIVE_KEY 4 closed 4 2 fee 0 5]"
	if got := fmt.Sprint(r.events); got != want {
		t.Errorf("heard\n %s, want\n %s", got, want)
	}
	w.n.Observe(nil)
	w.close()
	if len(r.events) != 6 {
		t.Error("heard more after it was gone")
	}
}

// TestBounds: what a node remembers of transactions in no ledger is bounded.
func TestBounds(t *testing.T) {
	w := newWorld(t, Config{})
	w.fund(100_000_000, "alice")
	alice := w.acct("alice")
	early := alice.tx(t, codec.TtAccountSet, uintField(codec.SfSequence, 1000))
	other := func(i int) *codec.Tx { // the same under another id
		tx := *early
		binary.BigEndian.PutUint32(tx.ID[:], uint32(i))
		return &tx
	}
	now := w.clock.now()
	for i := range maxSeen + 100 {
		w.n.see(other(i), now)
	}
	for i := range maxKept + 100 {
		w.n.hold(other(i))
		w.n.local.add(w.n.Current().Seq, other(i))
	}
	w.n.local.list = w.n.local.list[:maxKept]
	if _, known := w.n.Lookup(other(99).ID); known != nil {
		t.Error("the oldest is known still")
	}
	if _, known := w.n.Lookup(other(100).ID); known == nil {
		t.Error("one that there is room for is not known")
	}
	if r := w.n.Submit(early, false); r.Result != TerPreSeq {
		t.Error(r.Result)
	}
	if len(w.n.seen) != maxSeen || len(w.n.seenIDs) != maxSeen || len(w.n.local.list) != maxKept || len(w.n.held.entries) != maxKept {
		t.Errorf("%d seen, %d of them in order, %d local, %d held", len(w.n.seen), len(w.n.seenIDs), len(w.n.local.list), len(w.n.held.entries))
	}
	w.n.local.list = w.n.local.list[:10]
	for range localHoldLedgers + 2 {
		mustClose(t, w.n)
	}
	if len(w.n.local.list) != 0 || len(w.n.held.entries) != 0 {
		t.Errorf("in the end %d local, %d held", len(w.n.local.list), len(w.n.held.entries))
	}
}

// TestConcurrent: readers and submitters at once; the race detector looks on.
func TestConcurrent(t *testing.T) {
	w := newRandomWalk(t, 99, Config{Capacity: 8, History: 4})
	w.run(60)
	sent := w.sent
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				a := w.accounts[i].id
				closed, open := w.n.Closed(), w.n.Current()
				for range closed.Txs() {
				}
				for range open.Txs() {
				}
				if e := open.Entry(AccountKey(a)); e != nil {
					e.SetUint(codec.SfSequence, 0) // the reader's own
				}
				_ = closed.State.Hash()
				for range w.n.AccountTxs(a, 0, ^uint32(0), i%2 == 0) {
				}
				w.n.FeeMetrics()
				w.n.QueueOf(a)
				w.n.Queue()
				w.n.NextSequence(a)
				w.n.Lookup(sent[i].ID)
				w.n.LedgerByHash(closed.Hash)
				first, last := w.n.Range()
				w.n.LedgersWithTxs(first, last)
			}
		})
	}
	w.run(300)
	close(done)
	readers.Wait()
}
