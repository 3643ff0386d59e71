package sandbox

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// stream is one of the streams that a connection may subscribe to.
type stream uint8

const (
	streamLedger stream = iota
	streamTransactions
	streamProposed // transactions_proposed
	streamServer
	streamBookChanges
	// Those below have no messages here: nothing of the kind happens on a node that stands alone.
	streamManifests
	streamValidations
	streamPeerStatus
	streamConsensus
)

var streamNames = map[string]stream{
	"ledger":                streamLedger,
	"transactions":          streamTransactions,
	"transactions_proposed": streamProposed,
	"rt_transactions":       streamProposed,
	"server":                streamServer,
	"book_changes":          streamBookChanges,
	"manifests":             streamManifests,
	"validations":           streamValidations,
	"peer_status":           streamPeerStatus,
	"consensus":             streamConsensus,
}

// maxSubscribed is the most accounts that one connection may follow.
const maxSubscribed = 100_000

// hub knows who subscribed to what, and tells them what happens. It is the engine's observer: the engine's calls only put what
// happened into a queue; one goroutine, which run is, makes messages of it and puts them into the connections' own queues. It
// never waits for a connection, so the queue is emptied as fast as messages can be made.
type hub struct {
	node func() *engine.Node
	gate func() bool // waits until streams may go on, false when the server ends; nil: they always may

	mu       sync.Mutex
	conns    map[*wsConn]*subscriptions
	accounts map[codec.AccountID]map[*wsConn]uint64 // final transactions; from which event on
	proposed map[codec.AccountID]map[*wsConn]uint64 // these and proposed ones; from which event on
	lastFees *feeSummary                            // of the last serverStatus

	epoch atomic.Uint64 // restarts of the node: what happened before one is not told after it

	queueMu sync.Mutex
	queue   []event
	pushed  uint64 // events that ever were in queue
	wake    chan struct{}
	closed  chan struct{} // closed and made anew by each ledger that closes
}

// subscriptions are what one connection follows. It is told what happens after it subscribed, even where something that happened
// before is still in the hub's queue.
type subscriptions struct {
	streams            map[stream]uint64 // from which event on
	version            int               // of the last subscribe
	accounts, proposed map[codec.AccountID]struct{}
}

// event is one thing that happened; which fields are set says what.
type event struct {
	nth uint64 // how many there were before it

	tx     *codec.Tx // proposed
	result engine.TER
	seq    uint32

	ledger  *engine.Ledger // closed
	records []*engine.TxRecord
	quiet   bool // nobody is told

	fees *feeSummary

	epoch uint64 // the hub's, at that time
}

// feeSummary is what a serverStatus tells; another one is sent when it changes.
type feeSummary struct {
	base                     int64
	open, minimum, reference uint64
}

func newHub() *hub {
	return &hub{
		conns:    map[*wsConn]*subscriptions{},
		accounts: map[codec.AccountID]map[*wsConn]uint64{},
		proposed: map[codec.AccountID]map[*wsConn]uint64{},
		wake:     make(chan struct{}, 1),
		closed:   make(chan struct{}),
	}
}

func (h *hub) push(e event) {
	e.epoch = h.epoch.Load()
	h.queueMu.Lock()
	e.nth = h.pushed
	h.pushed++
	h.queue = append(h.queue, e)
	h.queueMu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// next is the number of the next event.
func (h *hub) next() uint64 {
	h.queueMu.Lock()
	defer h.queueMu.Unlock()
	return h.pushed
}

// Proposed implements engine.Observer.
func (h *hub) Proposed(t *codec.Tx, r engine.TER, seq uint32) {
	h.push(event{tx: t, result: r, seq: seq})
}

// LedgerClosed implements engine.Observer.
func (h *hub) LedgerClosed(l *engine.Ledger, records []*engine.TxRecord) {
	h.push(event{ledger: l, records: records})
}

// FeeChanged implements engine.Observer.
func (h *hub) FeeChanged(m engine.FeeMetrics) {
	h.push(event{fees: &feeSummary{m.BaseFee, m.OpenLevel, m.MinLevel, m.ReferenceLevel}})
}

// run sends until done is closed.
func (h *hub) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-h.wake:
		}
		if h.gate != nil && !h.gate() {
			return
		}
		h.queueMu.Lock()
		events := h.queue
		h.queue = nil
		h.queueMu.Unlock()
		for _, e := range events {
			h.tell(e)
		}
	}
}

// nextClose is closed when the next ledger has closed.
func (h *hub) nextClose() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

func (h *hub) tell(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gone := e.epoch != h.epoch.Load()
	switch {
	case gone && e.ledger == nil:
	case e.tx != nil:
		h.tellProposed(e)
	case e.ledger != nil:
		if !gone && !e.quiet {
			h.tellClosed(e)
		}
		close(h.closed)
		h.closed = make(chan struct{})
	case e.fees != nil:
		h.tellFees(e)
	}
}

// each calls f for every connection that followed the stream when the event happened.
func (h *hub) each(e event, s stream, f func(*wsConn, *subscriptions)) {
	for c, sub := range h.conns {
		if sub.follows(e, s) {
			f(c, sub)
		}
	}
}

// follows tells whether somebody followed one of the streams when the event happened.
func (h *hub) follows(e event, streams ...stream) bool {
	for _, sub := range h.conns {
		for _, s := range streams {
			if sub.follows(e, s) {
				return true
			}
		}
	}
	return false
}

func (sub *subscriptions) follows(e event, s stream) bool {
	since, ok := sub.streams[s]
	return ok && e.nth >= since
}

// toldOf calls f once for each connection that followed one of the accounts when the event happened.
func toldOf(e event, accounts []codec.AccountID, f func(*wsConn), followers ...map[codec.AccountID]map[*wsConn]uint64) {
	told := map[*wsConn]bool{}
	for _, a := range accounts {
		for _, all := range followers {
			for c, since := range all[a] {
				if !told[c] && e.nth >= since {
					told[c] = true
					f(c)
				}
			}
		}
	}
}

// texts makes a message once for each version of the API that somebody wants it in.
func texts(make func(version int) obj) func(version int) []byte {
	var made [apiLast + 1][]byte
	return func(version int) []byte {
		if made[version] == nil {
			made[version] = rjson.Append(nil, make(version))
		}
		return made[version]
	}
}

func (h *hub) tellFees(e event) {
	f := e.fees
	if !h.follows(e, streamServer) || h.lastFees != nil && *h.lastFees == *f {
		return
	}
	h.lastFees = f
	text := rjson.Append(nil, obj{
		"type": "serverStatus", "server_status": "full", "base_fee": f.base,
		"load_base": loadBase, "load_factor_server": loadBase,
		"load_factor":                clip32(max(loadBase, mulDiv(f.open, loadBase, f.reference))),
		"load_factor_fee_escalation": clip32(f.open),
		"load_factor_fee_queue":      clip32(f.minimum),
		"load_factor_fee_reference":  clip32(f.reference),
	})
	h.each(e, streamServer, func(c *wsConn, _ *subscriptions) { c.push(text) })
}

func (h *hub) tellProposed(e event) {
	if len(h.proposed) == 0 && !h.follows(e, streamProposed) {
		return
	}
	text := texts(func(version int) obj { return proposedJSON(e, version) })
	h.each(e, streamProposed, func(c *wsConn, sub *subscriptions) { c.push(text(sub.version)) })
	toldOf(e, mentioned(e.tx), func(c *wsConn) { c.push(text(h.conns[c].version)) }, h.proposed)
}

func proposedJSON(e event, version int) obj {
	o := obj{"type": "transaction", "validated": false, "status": "proposed", "ledger_current_index": e.seq}
	streamTx(o, e.tx, e.result, e.tx.JSON(), version)
	return o
}

// streamTx puts a transaction and its result into a message (NetworkOPs::transJson).
func streamTx(o obj, t *codec.Tx, r engine.TER, j obj, version int) {
	engineResult(o, t, r)
	insertDeliverMax(j, t.Type, version)
	if version > 1 {
		o["tx_json"], o["hash"] = j, t.ID.String()
	} else {
		j["hash"] = t.ID.String()
		o["transaction"] = j
	}
}

func closedTxJSON(l *engine.Ledger, r *engine.TxRecord, version int) obj {
	j := r.Tx.JSON()
	j["date"] = l.CloseTime
	o := obj{
		"type": "transaction", "validated": true, "status": "closed",
		"ledger_index": l.Seq, "ledger_hash": l.Hash.String(), "close_time_iso": isoTime(l.CloseTime),
		"meta": metaJSON(r),
	}
	if ctid, ok := encodeCTID(l.Seq, r.Index, networkID); ok {
		o["ctid"] = ctid
	}
	streamTx(o, r.Tx, r.Result, j, version)
	return o
}

func (h *hub) tellClosed(e event) {
	l := e.ledger
	if h.follows(e, streamLedger) {
		fees := l.Fees()
		text := rjson.Append(nil, obj{
			"type": "ledgerClosed", "ledger_index": l.Seq, "ledger_hash": l.Hash.String(), "ledger_time": l.CloseTime,
			"fee_base": fees.Base, "network_id": networkID, "reserve_base": fees.Reserve, "reserve_inc": fees.ReserveInc,
			"txn_count": len(e.records), "validated_ledgers": h.completeAt(l.Seq),
		})
		h.each(e, streamLedger, func(c *wsConn, _ *subscriptions) { c.push(text) })
	}
	if h.follows(e, streamBookChanges) {
		text := rjson.Append(nil, bookChangesOf(l.Header, true))
		h.each(e, streamBookChanges, func(c *wsConn, _ *subscriptions) { c.push(text) })
	}
	if !h.follows(e, streamTransactions, streamProposed) && len(h.accounts) == 0 && len(h.proposed) == 0 {
		return
	}
	for _, r := range e.records {
		text := texts(func(version int) obj { return closedTxJSON(l, r, version) })
		for _, s := range []stream{streamTransactions, streamProposed} { // who follows both is told twice, as by rippled
			h.each(e, s, func(c *wsConn, sub *subscriptions) { c.push(text(sub.version)) })
		}
		if len(h.accounts) > 0 || len(h.proposed) > 0 {
			toldOf(e, r.Affected(), func(c *wsConn) { c.push(text(h.conns[c].version)) }, h.proposed, h.accounts)
		}
	}
}

// completeAt is complete_ledgers as it was when a ledger closed.
func (h *hub) completeAt(seq uint32) string {
	first, _ := h.node().Range()
	return ledgerRange(min(first, seq), seq)
}

// mentioned are the accounts that a transaction's own fields name, each once: those of account fields, and the issuers of amounts
// (STTx::getMentionedAccounts).
func mentioned(t *codec.Tx) []codec.AccountID {
	var all []codec.AccountID
	for _, f := range t.Fields() {
		var a codec.AccountID
		switch f.Type {
		case codec.TypeAccountID:
			a = t.Account(f)
		case codec.TypeAmount: // the issuer ends an amount that is not XRP
			if b := t.Object.Blob(f); len(b) > len(a) {
				a = codec.AccountID(b[len(b)-len(a):])
			}
		}
		if !a.IsZero() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// of gives a connection's subscriptions, made where it has none. The hub's lock is held.
func (h *hub) of(c *wsConn) *subscriptions {
	sub := h.conns[c]
	if sub == nil {
		sub = &subscriptions{
			version: apiFirst, streams: map[stream]uint64{},
			accounts: map[codec.AccountID]struct{}{}, proposed: map[codec.AccountID]struct{}{},
		}
		h.conns[c] = sub
	}
	return sub
}

func (h *hub) setVersion(c *wsConn, version int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(c).version = version
}

func (h *hub) subscribe(c *wsConn, s stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if sub := h.of(c); !has(sub.streams, s) {
		sub.streams[s] = h.next()
	}
}

func (h *hub) unsubscribe(c *wsConn, s stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.of(c).streams, s)
}

func (h *hub) follow(c *wsConn, ids []codec.AccountID, proposed bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub := h.of(c)
	if len(sub.accounts)+len(sub.proposed)+len(ids) > maxSubscribed {
		return false
	}
	mine, all := sub.accounts, h.accounts
	if proposed {
		mine, all = sub.proposed, h.proposed
	}
	next := h.next()
	for _, a := range ids {
		mine[a] = struct{}{}
		if all[a] == nil {
			all[a] = map[*wsConn]uint64{}
		}
		if !has(all[a], c) {
			all[a][c] = next
		}
	}
	return true
}

func (h *hub) unfollow(c *wsConn, ids []codec.AccountID, proposed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub := h.of(c)
	mine, all := sub.accounts, h.accounts
	if proposed {
		mine, all = sub.proposed, h.proposed
	}
	for _, a := range ids {
		delete(mine, a)
		drop(all, a, c)
	}
}

func has[K comparable, V any](m map[K]V, k K) bool { _, ok := m[k]; return ok }

func drop(all map[codec.AccountID]map[*wsConn]uint64, a codec.AccountID, c *wsConn) {
	delete(all[a], c)
	if len(all[a]) == 0 {
		delete(all, a)
	}
}

// forget removes all that a connection follows, when it ends.
func (h *hub) forget(c *wsConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub := h.conns[c]
	if sub == nil {
		return
	}
	for a := range sub.accounts {
		drop(h.accounts, a, c)
	}
	for a := range sub.proposed {
		drop(h.proposed, a, c)
	}
	delete(h.conns, c)
}
