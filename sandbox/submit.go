package sandbox

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// signingDeprecated is what rippled says whenever it is asked to sign.
const signingDeprecated = "Signing support in the 'submit' command has been deprecated and will be removed in a future version " +
	"of the server. Please migrate to a standalone signing tool."

// submit is `submit` (Submit.cpp).
func submit(c *call) obj {
	p := c.params
	failHard, bad := c.failHard()
	if !p.Has("tx_blob") {
		if bad != nil {
			return bad
		}
		result := c.signAndSubmit(failHard)
		result["deprecated"] = signingDeprecated
		return result
	}
	blob, ok := unhex(p.Get("tx_blob").AsString())
	if !ok || len(blob) == 0 {
		return rpcError(errInvalidParams)
	}
	t, err := codec.ParseTx(blob)
	if err != nil {
		return obj{"error": "invalidTransaction", "error_exception": err.Error()}
	}
	if reason := c.srv.checked.validity(t); reason != "" {
		return obj{"error": "invalidTransaction", "error_exception": "fails local checks: " + reason}
	}
	if bad != nil {
		return bad
	}
	r := c.submitTx(t, failHard)
	result := obj{
		"tx_json":  transactionJSON(t, c.recordOf(t, r), false, 1),
		"tx_blob":  upperHex(t.Blob),
		"accepted": r.Applied || r.Broadcast || r.Queued || r.Kept,
		"applied":  r.Applied, "broadcast": r.Broadcast, "queued": r.Queued, "kept": r.Kept,
	}
	engineResult(result, t, r.Result)
	if !r.Rejected {
		result["account_sequence_next"] = r.SequenceNext
		result["account_sequence_available"] = r.SequenceAvailable
		result["open_ledger_cost"] = strconv.FormatUint(r.OpenLedgerCost, 10)
		result["validated_ledger_index"] = r.ValidatedSeq
	}
	return result
}

func engineResult(o obj, t *codec.Tx, r engine.TER) {
	o["engine_result"] = r.String()
	o["engine_result_code"] = int(r)
	o["engine_result_message"] = r.Message()
	if !engine.Supported(t.Type) {
		o["engine_result_message"] = fmt.Sprintf("%s %s is not supported by this sandbox.", r.Message(), t.Type)
	}
}

// recordOf is the record of a submitted transaction that is in a closed ledger already; nil where it is in none.
func (c *call) recordOf(t *codec.Tx, r engine.SubmitResult) *engine.TxRecord {
	if r.InLedger == 0 {
		return nil
	}
	in, _ := c.node.Lookup(t.ID)
	return in
}

// failHard reads "fail_hard", which must be a boolean (Submit.cpp).
func (c *call) failHard() (bool, obj) {
	v := c.params.Get("fail_hard")
	if c.params.Has("fail_hard") && !v.IsBool() {
		return false, expectedField("fail_hard", "boolean")
	}
	return v.AsBool(), nil
}

// txChecks remembers what was found out about transactions by their id, which covers all their bytes: a signature is verified
// once, and what failed is told in rippled's other words when it comes again (HashRouter, apply.cpp). It holds at most
// maxChecked, each for checkedFor after it was last asked for.
type txChecks struct {
	mu      sync.Mutex
	now     func() time.Time
	entries map[codec.Hash256]*checkedTx
	order   []codec.Hash256 // a ring of what entries holds, oldest at next
	next    int
}

type checkedTx struct {
	flags uint8
	seen  time.Time
}

const (
	txSigGood = 1 << iota
	txSigBad
	txLocalGood
	txLocalBad

	maxChecked = 1 << 16
	checkedFor = 300 * time.Second
)

func newTxChecks(now func() time.Time) *txChecks {
	return &txChecks{now: now, entries: map[codec.Hash256]*checkedTx{}}
}

func (k *txChecks) flags(id codec.Hash256) uint8 {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.entries[id]
	if e == nil {
		return 0
	}
	now := k.now()
	if now.Sub(e.seen) > checkedFor {
		e.flags = 0
	}
	e.seen = now
	return e.flags
}

func (k *txChecks) mark(id codec.Hash256, flag uint8) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entries[id]; e != nil {
		e.flags |= flag
		return
	}
	if len(k.order) < maxChecked {
		k.order = append(k.order, id)
	} else {
		delete(k.entries, k.order[k.next])
		k.order[k.next] = id
		k.next = (k.next + 1) % maxChecked
	}
	k.entries[id] = &checkedTx{flag, k.now()}
}

// validity checks what needs no ledger: the signature, then the rest; "" when all is well (checkValidity).
func (k *txChecks) validity(t *codec.Tx) string {
	flags := k.flags(t.ID)
	switch {
	case flags&txSigBad != 0:
		return "Transaction has bad signature."
	case flags&txSigGood == 0:
		if err := t.CheckSignature(); err != nil {
			k.mark(t.ID, txSigBad)
			return err.Error()
		}
	}
	switch {
	case flags&txLocalBad != 0:
		return "Local checks failed."
	case flags&txLocalGood == 0:
		if err := t.LocalChecks(); err != nil {
			k.mark(t.ID, txSigGood|txLocalBad)
			return err.Error()
		}
		k.mark(t.ID, txSigGood|txLocalGood)
	}
	return ""
}
