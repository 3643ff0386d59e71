package sandbox

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// TestLedgerTimeTracksTheClock: ledgers that close by themselves have the clock's time, and are never before their parents.
func TestLedgerTimeTracksTheClock(t *testing.T) {
	var now atomic.Int64
	now.Store(rippleEpoch + 800_000_003)
	ticks := make(chan time.Time)
	s := startServer(t, Config{Ticks: ticks, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	if at := s.node.Closed().CloseTime; at != 800_000_003 {
		t.Errorf("ledger 2 closed at %d", at)
	}
	for _, c := range []struct {
		after int64
		want  uint32
	}{{4, 800_000_007}, {4, 800_000_011}, {0, 800_000_012}, {1, 800_000_013}, {7, 800_000_019}} {
		now.Add(c.after)
		next := s.hub.nextClose()
		ticks <- time.Time{}
		<-next
		if at := s.node.Closed().CloseTime; at != c.want {
			t.Errorf("ledger %d closed at %d, want %d", s.node.Closed().Seq, at, c.want)
		}
	}
}

// On ledger_accept the close time is rounded, as by a stand-alone xrpld.
func TestAcceptedLedgerTimeIsRounded(t *testing.T) {
	s := startServer(t, Config{Now: func() time.Time { return time.Unix(rippleEpoch+800_000_003, 0) }})
	if _, err := s.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	if first, second := s.node.LedgerBySeq(2).CloseTime, s.node.LedgerBySeq(3).CloseTime; first != 800_000_000 || second != 800_000_001 {
		t.Errorf("%d, %d", first, second)
	}
}

// TestUnsupportedTransactions: the message says that it is this sandbox that lacks the type. The result is a node's.
func TestUnsupportedTransactions(t *testing.T) {
	w := newTown(t)
	for _, c := range []struct {
		kind    codec.TxType
		fields  func(*codec.Object)
		result  string
		message string
	}{
		{codec.TtOfferCancel, func(o *codec.Object) { o.SetUint(codec.SfOfferSequence, 1) }, "temUNKNOWN",
			"The transaction requires logic that is not implemented yet. OfferCancel is not supported by this sandbox."},
		{codec.TtOracleDelete, func(o *codec.Object) { o.SetUint(codec.SfOracleDocumentID, 1) }, "temDISABLED",
			"The transaction requires logic that is currently disabled. OracleDelete is not supported by this sandbox."},
		{codec.TtDelegateSet, func(o *codec.Object) {
			o.SetAccount(codec.SfAuthorize, w.subject.id)
			o.SetArray(codec.SfPermissions, nil)
		}, "temDISABLED", "The transaction requires logic that is currently disabled."},
	} {
		r := w.ask(t, "submit", `{"tx_blob":"`+upperHex(w.issuer.sign(t, c.kind, c.fields).Blob)+`"}`)
		if r["engine_result"] != c.result || r["engine_result_message"] != c.message {
			t.Errorf("%s: %v %v", c.kind, r["engine_result"], r["engine_result_message"])
		}
	}
}
