package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const (
	// recoveryPoll is the time between two looks at the newest ledger, and between two attempts.
	recoveryPoll = 500 * time.Millisecond
	// recoveryMargin is how far the newest ledger that a lost transaction was signed against may be ahead of what the node says now.
	recoveryMargin = 2
	// historyTries is how often the account's history is asked for before open operations end without it.
	historyTries = 10
	// openAtOnce is how many pending operations are read then, and endedAtOnce how many end with one commit.
	openAtOnce, endedAtOnce = 100_000, 500
)

// lostRecord is what is told of an operation whose own transaction may be lost.
const lostRecord = "the database lost its last transactions, and what became of this request is not certain: look at the credential, and request it again if it is still wanted"

// recovery compares the open operations of a database that was rolled back with the ledger, before anything is signed for them:
// what the lost transactions say was signed, and perhaps revoked since, is signed only once.
type recovery struct {
	account model.Address
	offset  uint32 // ledgers that a transaction may miss before it expires
	client  *ledger.Client
	store   *store.Store
	log     *slog.Logger

	horizon  uint32 // once this ledger is validated, no lost transaction can be any more
	failures int    // of reading the history
}

// run returns when nothing is due, when ctx ends, or when another process has the lane.
func (r *recovery) run(ctx context.Context, fence model.Fence) error {
	told := false
	for {
		what, due, err := r.store.Recovery(ctx)
		if err == nil && !due {
			return nil
		}
		if err == nil {
			if !told {
				told = true
				r.log.Warn("comparing open operations with the ledger before anything is signed", "first_ledger", what.FirstLedger)
			}
			err = r.step(ctx, fence, what)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case model.CodeOf(err) == model.CodeFenced:
			return err
		case err != nil:
			r.log.Warn("cannot compare open operations with the ledger; trying again", "error", err)
		}
		if !pause(ctx, recoveryPoll) {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// step does nothing until lost transactions have expired, and then settles the operations they were signed for.
func (r *recovery) step(ctx context.Context, fence model.Fence, what store.Recovery) error {
	now, err := r.client.Ledger(ctx)
	if err != nil {
		return err
	}
	if r.horizon == 0 {
		r.horizon = now.Index + r.offset + recoveryMargin
	}
	if now.Index < r.horizon {
		return nil
	}
	network, _, err := r.store.Network(ctx)
	if err != nil {
		return err
	}
	// Before the network's first ledger there is nothing to read.
	first := min(max(what.FirstLedger, network.First.Index), now.Index)
	sent, err := r.client.SentCredentials(ctx, r.account, first, now.Index, network.ID)
	if err != nil {
		if r.failures++; r.failures < historyTries || ctx.Err() != nil {
			return err
		}
		r.log.Error("the node lacks the ledgers since the rollback; pending operations end unsigned", "first_ledger", first, "error", err)
		if err := r.endPending(ctx, fence, what); err != nil {
			return err
		}
		return r.store.FinishRecovery(ctx, fence, what)
	}
	settled, err := r.settle(ctx, fence, what, sent)
	if err != nil {
		return err
	}
	if err := r.store.FinishRecovery(ctx, fence, what); err != nil {
		return err
	}
	r.log.Info("open operations are compared with the ledger", "transactions", len(sent), "settled", settled)
	return nil
}

// settle gives lost transactions back to their operations, in the order of the ledger: a renewal goes on with its second
// operation after the first.
func (r *recovery) settle(ctx context.Context, fence model.Fence, what store.Recovery, sent []ledger.Sent) (n int, err error) {
	hashes, validated := make([]string, len(sent)), make(map[string]bool, len(sent))
	for i := range sent {
		hashes[i] = sent[i].Signed.Hash
		validated[hashes[i]] = true
	}
	lost, err := r.store.Unjournalled(ctx, hashes)
	if err != nil {
		return 0, err
	}
	for _, s := range sent {
		if !lost[s.Signed.Hash] {
			continue
		}
		op, found, err := r.store.OpenOperation(ctx, r.account, s.Subject, s.Type)
		if err != nil {
			return n, err
		}
		if !found || op.Created.After(what.Detected) && !op.Renew {
			continue
		}
		done, err := r.settleOne(ctx, fence, op, s, validated)
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

// settleOne concludes an operation by a transaction that the database does not have. One with a validated transaction of its own
// is left to the submitter.
func (r *recovery) settleOne(ctx context.Context, fence model.Fence, op model.Operation, s ledger.Sent, validated map[string]bool) (bool, error) {
	var expired, other []string // other has another sequence or ticket, which its absence has to free
	for _, a := range op.Attempts {
		if validated[a.Hash] {
			return false, nil
		}
		if a.State != model.AttemptSigned {
			continue
		}
		expired = append(expired, a.Hash) // and the history does not have it
		if a.Sequence != s.Signed.Sequence || a.Ticket != s.Signed.Ticket {
			other = append(other, a.Hash)
		}
	}
	conclude := func(o model.Outcome) error {
		o.Operation = op.ID
		return r.store.Conclude(ctx, fence, []model.Outcome{o})
	}
	if op.Kind != s.Kind || s.Signed.Blob == "" {
		failure := &model.Failure{Code: model.CodeRefused, Message: lostRecord}
		r.log.Warn("an operation ends as a later transaction for its credential is on the ledger", "operation", op.ID, "hash", s.Signed.Hash)
		if op.State == model.StatePending {
			return true, conclude(model.Outcome{State: model.StateRefused, Failure: failure})
		}
		return true, conclude(model.Outcome{State: model.StateExpired, Absent: expired, Failure: failure})
	}
	if len(other) > 0 {
		if err := conclude(model.Outcome{State: model.StateSigned, Absent: other}); err != nil {
			return false, err
		}
	}
	err := r.store.Sign(ctx, fence, []model.Attempt{{Operation: op.ID, Hash: s.Signed.Hash, Blob: s.Signed.Blob, Sequence: s.Signed.Sequence,
		Ticket: s.Signed.Ticket, LastLedgerSequence: s.Signed.LastLedgerSequence, FirstLedger: s.Result.LedgerIndex, Fee: s.Signed.Fee}})
	if err != nil {
		return false, err
	}
	state := model.StateFailed
	if s.Result.Succeeded() {
		state = model.StateSucceeded
	}
	r.log.Warn("an operation's lost transaction is on the ledger", "operation", op.ID, "hash", s.Signed.Hash, "state", state)
	return true, conclude(model.Outcome{State: state, Result: &s.Result})
}

// endPending ends the operations that were pending before a rollback was found.
func (r *recovery) endPending(ctx context.Context, fence model.Fence, what store.Recovery) error {
	ops, err := r.store.Pending(ctx, r.account, openAtOnce)
	if err != nil {
		return err
	}
	var outcomes []model.Outcome
	for _, op := range ops {
		if !op.Created.After(what.Detected) {
			outcomes = append(outcomes, model.Outcome{Operation: op.ID, State: model.StateRefused,
				Failure: &model.Failure{Code: model.CodeRefused, Message: lostRecord}})
		}
	}
	for len(outcomes) > 0 {
		chunk := outcomes[:min(len(outcomes), endedAtOnce)]
		outcomes = outcomes[len(chunk):]
		if err := r.store.Conclude(ctx, fence, chunk); err != nil {
			return err
		}
	}
	return nil
}
