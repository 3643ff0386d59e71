package sandbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// Who subscribes is told of what happens from then on, however late the hub comes to it; of what happened before by the answer to
// the request alone. Subscribing again changes nothing.
func TestSubscribedSince(t *testing.T) {
	w := newTown(t)
	l := w.node.Closed()
	pay, err := codec.ParseTx(w.issuer.sign(t, codec.TtPayment, func(o *codec.Object) {
		o.SetAccount(codec.SfDestination, w.subject.id)
		o.SetDrops(codec.SfAmount, 5)
	}).Blob)
	if err != nil {
		t.Fatal(err)
	}
	record := &engine.TxRecord{Tx: pay, Meta: codec.NewObject()}
	happen := func(h *hub) {
		h.FeeChanged(w.node.FeeMetrics())
		h.Proposed(pay, engine.TesSuccess, l.Seq+1)
		h.LedgerClosed(l, []*engine.TxRecord{record})
	}
	for name, c := range map[string]struct {
		subscribe func(*hub, *wsConn)
		want      string // types of messages
	}{
		"ledger":   {func(h *hub, c *wsConn) { h.subscribe(c, streamLedger) }, "ledgerClosed"},
		"books":    {func(h *hub, c *wsConn) { h.subscribe(c, streamBookChanges) }, "bookChanges"},
		"server":   {func(h *hub, c *wsConn) { h.subscribe(c, streamServer) }, "serverStatus"},
		"closed":   {func(h *hub, c *wsConn) { h.subscribe(c, streamTransactions) }, "transaction"},
		"proposed": {func(h *hub, c *wsConn) { h.subscribe(c, streamProposed) }, "transaction transaction"},
		"account":  {func(h *hub, c *wsConn) { h.follow(c, []codec.AccountID{w.issuer.id}, true) }, "transaction"},
	} {
		h := newHub()
		h.node = func() *engine.Node { return w.node }
		conn := &wsConn{lim: &w.lim, wake: make(chan struct{}, 1)}
		happen(h)
		c.subscribe(h, conn)
		tell := func() (types []string) {
			for _, e := range h.queue {
				h.tell(e)
			}
			h.queue = nil
			for _, text := range conn.queue {
				_, after, _ := strings.Cut(string(text), `"type":"`)
				kind, _, _ := strings.Cut(after, `"`)
				types = append(types, kind)
			}
			conn.queue = nil
			return types
		}
		if got := tell(); len(got) != 0 {
			t.Errorf("%s: told %v of before it subscribed", name, got)
		}
		happen(h)
		c.subscribe(h, conn)
		if got := strings.Join(tell(), " "); got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
	}
}

// The accounts that a transaction names are its own account fields and the issuers of its amounts (STTx::getMentionedAccounts).
func TestMentioned(t *testing.T) {
	w := newTown(t)
	issued, ok := codec.IssuedAmount(1, 0, [20]byte{12: 'U', 13: 'S', 14: 'D'}, codec.AccountID{7})
	if !ok {
		t.Fatal("no amount")
	}
	issuance := [24]byte{3: 1}
	copy(issuance[4:], slices.Repeat([]byte{8}, 20))
	tx := w.issuer.sign(t, codec.TtPayment, func(o *codec.Object) {
		o.SetAccount(codec.SfDestination, w.subject.id)
		o.SetBlob(codec.SfAmount, issued)
		o.SetBlob(codec.SfSendMax, codec.MPTAmount(5, issuance))
	})
	want := []codec.AccountID{w.issuer.id, w.subject.id, {7}, codec.AccountID(issuance[4:])}
	got := mentioned(tx)
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for _, a := range want {
		if !slices.Contains(got, a) {
			t.Errorf("%s is missing from %v", a, got)
		}
	}
}
