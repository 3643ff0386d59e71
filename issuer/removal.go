package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/policy"
	"github.com/xrplissuer/credential-issuer/model"
)

// KeeperAction is something that a keeper does.
type KeeperAction string

// The actions of a keeper, as they are counted.
const (
	// ActionWithdrawn: a credential that stayed unaccepted for too long was deleted.
	ActionWithdrawn KeeperAction = "withdrawn"
	// ActionDeleted: a credential that had expired was deleted.
	ActionDeleted KeeperAction = "deleted"
	// ActionLapsed: a request ended that nobody had decided on in its time.
	ActionLapsed KeeperAction = "lapsed"
	// ActionErased: a request's documents were erased.
	ActionErased KeeperAction = "erased"
	// ActionTold: a credential's expiry was told of.
	ActionTold KeeperAction = "told"
	// ActionReconciled: a comparison found the credential index equal to the ledger.
	ActionReconciled KeeperAction = "reconciled"
	// ActionCorrected: a record of the credential index differed from the ledger and was corrected.
	ActionCorrected KeeperAction = "corrected"
	// ActionReindexed: the credential index was past the proven ledger, and was listed again.
	ActionReindexed KeeperAction = "reindexed"
)

// KeeperActions lists all of them.
func KeeperActions() []KeeperAction {
	return []KeeperAction{ActionWithdrawn, ActionDeleted, ActionLapsed, ActionErased, ActionTold, ActionReconciled, ActionCorrected, ActionReindexed}
}

// KeeperCount is how often something was done, and when last.
type KeeperCount struct {
	N    uint64
	Last time.Time // zero for never
}

// KeeperStatus is what a keeper did since it was made.
type KeeperStatus struct {
	// Working says that it keeps house: this process has the account's lane.
	Working bool
	// Since is when it was made.
	Since time.Time
	Done  map[KeeperAction]KeeperCount
	// UnderWay is how many removals are not final.
	UnderWay int
	// Fault says what does not work now; empty for nothing.
	Fault string
}

// Status returns what the keeper did. It may be called from any goroutine.
func (k *Keeper) Status() KeeperStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.UnderWay = len(k.under)
	s.Done = map[KeeperAction]KeeperCount{}
	for _, a := range KeeperActions() {
		s.Done[a] = k.status.Done[a]
	}
	return s
}

func (k *Keeper) note(change func(*KeeperStatus)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.status)
}

func (k *Keeper) count(a KeeperAction, n int) {
	if n == 0 {
		return
	}
	now := k.cfg.Now()
	k.note(func(s *KeeperStatus) {
		if s.Done == nil {
			s.Done = map[KeeperAction]KeeperCount{}
		}
		s.Done[a] = KeeperCount{s.Done[a].N + uint64(n), now}
	})
}

// removalKey names one making of a credential: one that is made anew is another.
type removalKey struct {
	credentialKey
	issued uint32
}

// removal is an operation of the keeper that is not known to be final.
type removal struct {
	action KeeperAction
	key    removalKey
}

// trial is a removal that came to nothing.
type trial struct {
	failures int
	rest     time.Time
}

// due is what a policy has removed of its type, at a ledger's close time.
type due struct {
	action KeeperAction
	typ    model.CredentialType
	before uint32 // issued, or expired, before that
}

// dueBy returns what policies have removed, of one kind.
func dueBy(p Policies, action KeeperAction, closeTime uint32) []due {
	if p == nil {
		return nil
	}
	var out []due
	set := p.Current()
	for _, typ := range set.Types() {
		rule, ok := set.For(typ)
		if !ok {
			continue
		}
		if after, ok := removedAfter(rule, action); ok && int64(closeTime) > after {
			out = append(out, due{action, typ, uint32(int64(closeTime) - after)})
		}
	}
	return out
}

// removedAfter is how many seconds after it was issued, or has expired, a policy has a credential removed.
func removedAfter(p *policy.Policy, action KeeperAction) (int64, bool) {
	switch {
	case action == ActionWithdrawn && p.Unaccepted.WithdrawAfter > 0:
		return int64(p.Unaccepted.WithdrawAfter / time.Second), true
	case action == ActionDeleted && p.DeleteExpiredAfter != nil:
		return int64(*p.DeleteExpiredAfter / time.Second), true
	}
	return math.MaxInt64, false
}

// stands says whether a credential, as it is on the ledger, is still one to remove.
func (d due) stands(c model.Credential) bool {
	if d.action == ActionWithdrawn {
		return !c.Accepted
	}
	return c.HasExpiration() && c.Expiration < d.before
}

func (d due) page(ctx context.Context, r Records, issuer model.Address, after model.CredentialRecord) ([]model.CredentialRecord, error) {
	if d.action == ActionWithdrawn {
		return r.Unaccepted(ctx, issuer, d.typ, d.before, after, dueAtOnce)
	}
	return r.Expired(ctx, issuer, d.typ, d.before, after, dueAtOnce)
}

func (k *Keeper) withdraw(ctx context.Context, closeTime uint32) error {
	return k.remove(ctx, dueBy(k.cfg.Policies, ActionWithdrawn, closeTime))
}

func (k *Keeper) deleteExpired(ctx context.Context, closeTime uint32) error {
	return k.remove(ctx, dueBy(k.cfg.Policies, ActionDeleted, closeTime))
}

// remove begins to remove what is due, as far as there is room for it.
func (k *Keeper) remove(ctx context.Context, all []due) error {
	for _, d := range all {
		var after model.CredentialRecord
		for range duePages {
			if !k.hasRoom() {
				return nil
			}
			page, err := d.page(ctx, k.cfg.Records, k.cfg.Account, after)
			if err != nil {
				return err
			}
			for _, r := range page {
				if !k.hasRoom() {
					return nil
				}
				if err := k.removeOne(ctx, d, r); err != nil {
					return err
				}
			}
			if len(page) < dueAtOnce {
				break
			}
			after = page[len(page)-1]
		}
	}
	return nil
}

func (k *Keeper) hasRoom() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.under) < keptAtOnce
}

// removeOne asks the journal to delete a credential, unless somebody else works on it, or the ledger says otherwise than the
// record: then that is behind, and is looked at again once it has followed.
func (k *Keeper) removeOne(ctx context.Context, d due, r model.CredentialRecord) error {
	key := removalKey{credentialKey{r.Subject, r.Type}, r.Issued}
	k.mu.Lock()
	t, tried := k.tried[key]
	k.mu.Unlock()
	if tried && k.cfg.Now().Before(t.rest) {
		return nil
	}
	switch _, err := k.cfg.Records.Standing(ctx, k.cfg.Account, r.Subject, r.Type); {
	case err == nil:
		return nil // a request comes first
	case model.CodeOf(err) != model.CodeOperationNotFound:
		return err
	}
	// Only now: a request may have replaced it since it was last asked which ledger is the last one.
	looked := k.cfg.Now()
	last, err := k.cfg.Ledger.Ledger(ctx)
	if err != nil || last.Index < r.Ledger { // by a node that is behind what the record knows nothing can be told
		return err
	}
	found, entry, err := k.cfg.Ledger.CredentialAt(ctx, last, r.Subject, k.cfg.Account, r.Type)
	switch {
	case model.CodeOf(err) == model.CodeEntryNotFound:
		return nil
	case err != nil:
		return err
	}
	var changed struct{ PreviousTxnLgrSeq uint32 }
	if err := json.Unmarshal(entry, &changed); err != nil {
		return fmt.Errorf("the ledger entry of %s/%s: %w", r.Subject, r.Type.Text(), err)
	}
	if changed.PreviousTxnLgrSeq > r.Ledger || !d.stands(found) {
		return nil
	}
	if k.cfg.Now().Sub(looked) > removeSoon {
		return nil // looked at again with the next ledger
	}
	op, _, err := k.cfg.Records.Create(ctx, model.Operation{Issuer: k.cfg.Account, Kind: model.KindRevoke, Subject: r.Subject, Type: r.Type,
		Actor: model.ActorJanitor})
	switch {
	case model.CodeOf(err) == model.CodeInProgress:
		return nil
	case err != nil:
		return err
	}
	k.mu.Lock()
	k.under[op.ID] = removal{d.action, key}
	k.mu.Unlock()
	k.cfg.Logger.Info("removing a credential", "why", d.action, "subject", r.Subject, "credential", r.Type.Text(), "operation", op.ID)
	return nil
}

// settle looks at what became of removals.
func (k *Keeper) settle(ctx context.Context, _ uint32) error {
	k.mu.Lock()
	under := make(map[model.OperationID]removal, len(k.under))
	for id, r := range k.under {
		under[id] = r
	}
	now := k.cfg.Now()
	for key, t := range k.tried {
		if now.Sub(t.rest) > 2*removeMaxRetry {
			delete(k.tried, key) // it is due no more, or its turn comes anew
		}
	}
	k.mu.Unlock()
	for id, r := range under {
		op, err := k.cfg.Records.Operation(ctx, id)
		switch {
		case err != nil:
			return err
		case !op.State.Final():
			continue
		case op.State == model.StateSucceeded:
			k.count(r.action, 1)
		case op.Failure != nil && op.Failure.Code == model.CodeNoEntry: // somebody else did it first
		default:
			k.rest(r.key, op)
		}
		k.mu.Lock()
		delete(k.under, id)
		if op.State == model.StateSucceeded {
			delete(k.tried, r.key)
		}
		k.mu.Unlock()
	}
	return nil
}

// rest has a credential whose removal came to nothing left alone for a while.
func (k *Keeper) rest(key removalKey, op model.Operation) {
	k.mu.Lock()
	t := k.tried[key]
	t.failures++
	wait := doubled(removeRetry, removeMaxRetry, t.failures)
	t.rest = k.cfg.Now().Add(wait)
	k.tried[key] = t
	k.mu.Unlock()
	level := slog.LevelWarn
	if op.State == model.StateCancelled { // its turn did not come in time: nothing went wrong
		level = slog.LevelInfo
	}
	k.cfg.Logger.Log(context.Background(), level, "a credential was not removed; looking at it again", "operation", op.ID, "state", op.State,
		"error", op.Err(), "retry_in", wait)
}
