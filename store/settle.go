package store

import (
	"context"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// settled is the detail of [model.ActionSettle].
type settled struct {
	State  model.State `json:"state"`
	Hash   string      `json:"hash,omitempty"`
	Ledger uint32      `json:"ledger_index,omitempty"`
	Result string      `json:"result,omitempty"`
	Reason string      `json:"reason"`
}

// Settle stores the end of a signed operation by the word of an operator, for one that no node can decide, with an entry of
// the audit log in the same transaction. It needs no fence: whoever submits hears of it with the next look-up, and stores
// nothing more for a final operation. Of by, Actor is set; the reason is what the operator has seen. Error codes:
// operationNotFound, wrongState (it is pending or final, the result is not one of its transactions, or it becomes expired
// and Absent leaves one out), storeUnavailable.
func (s *Store) Settle(ctx context.Context, o model.Outcome, by model.AuditEntry, reason string) error {
	if err := checkOutcome(o); err != nil {
		return err
	}
	if !slices.Contains([]model.State{model.StateSucceeded, model.StateFailed, model.StateExpired}, o.State) || by.Actor == "" || reason == "" {
		return misuse("operation %s cannot be settled as %s by %q for %q", o.Operation, o.State, by.Actor, reason)
	}
	detail := settled{State: o.State, Reason: short(reason)}
	if o.Result != nil {
		detail.Hash, detail.Ledger, detail.Result = o.Result.Hash, o.Result.LedgerIndex, o.Result.EngineResult
	}
	by.Action, by.Target, by.Detail = model.ActionSettle, string(o.Operation), object(detail)
	if err := checkEntry(by); err != nil {
		return err
	}
	return s.write(ctx, "settling an operation", func(t *txn) error {
		found, err := t.entries([]model.OperationID{o.Operation})
		if err != nil {
			return err
		}
		e := found[o.Operation]
		if e.state != model.StateSigned {
			return wrongState("operation %s is %s: only a signed one is settled", o.Operation, e.state)
		}
		var c conclusion
		if err := c.add(o, e); err != nil {
			return err
		}
		t.audit(by)
		return c.store(t, e.issuer)
	})
}
