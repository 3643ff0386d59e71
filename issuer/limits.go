package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xrplissuer/credential-issuer/model"
)

// CredentialIndex is the credential index as requests use it. Where it cannot be used now the error is
// [model.CodeStoreUnavailable].
type CredentialIndex interface {
	// Mirror returns the ledger of the index; known is false while it has no full listing.
	Mirror(ctx context.Context, issuer model.Address) (complete uint32, known bool, err error)
	// Indexed reads the index as it stands in one ledger; begin receives that ledger first. reconciled is false where the index
	// was never equal to a listing, or differed from the last one.
	Indexed(ctx context.Context, issuer model.Address, which model.Acceptance, begin func(complete uint32, reconciled bool) error, each func(model.Credential) error) error
	// Unaccepted and UnacceptedOf return up to limit unaccepted credentials of a type or of a subject, behind one.
	Unaccepted(ctx context.Context, issuer model.Address, t model.CredentialType, issuedBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error)
	UnacceptedOf(ctx context.Context, issuer, subject model.Address, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error)
	// Correct changes records to the state of a ledger, and says how many differed.
	Correct(ctx context.Context, issuer model.Address, ledger, closeTime uint32, found []model.ListedCredential, absent []model.Credential) (corrected int, err error)
}

const (
	// checkedAtOnce is how many records of a limit are compared with one ledger. More of them take turns, ledger by ledger.
	checkedAtOnce = 64
	// indexWait is how long a request waits for the index to reach the last validated ledger, and indexPoll how often it looks.
	// The index reads a ledger within a round trip of its validation.
	indexWait, indexPoll = 2 * time.Second, 50 * time.Millisecond
)

// limitChecks remembers what was compared, so that refused requests cost no more than one comparison for each limit and ledger.
type limitChecks struct {
	turns keyedLock

	mu     sync.Mutex
	ledger uint32
	done   map[credentialKey]bool                   // in ledger
	behind map[credentialKey]model.CredentialRecord // the last record of a part; absent at the beginning
}

// underLimits stores an operation. Where a limit refuses it, the records that the limit counts are compared with the ledger
// first: the index may lack an acceptance or a deletion. Then store runs once more, and its answer counts.
func (i *Issuer) underLimits(ctx context.Context, op model.Operation, store func() error) error {
	err := store()
	var limit *model.LimitError
	if i.cfg.Index == nil || !errors.As(err, &limit) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	key := credentialKey{subject: op.Subject}
	if limit.InAll {
		key = credentialKey{typ: op.Type}
	}
	unlock, lockErr := i.limits.turns.lock(ctx, key)
	if lockErr != nil {
		return unavailable(lockErr)
	}
	defer unlock()
	if err := i.checkLimit(ctx, key); err != nil {
		return unavailable(err)
	}
	return store()
}

// checkLimit compares the records that a limit counts with the last validated ledger, once for each ledger, and corrects them.
func (i *Issuer) checkLimit(ctx context.Context, key credentialKey) error {
	last, err := i.cfg.Ledger.Ledger(ctx)
	if err != nil {
		return err
	}
	after, due := i.limits.begin(key, last.Index)
	if !due {
		return nil
	}
	if err := i.awaitIndex(ctx, last.Index); err != nil {
		return err
	}
	page, err := i.counted(ctx, key, after)
	if err != nil {
		return err
	}
	if err := i.correct(ctx, last, page); err != nil {
		return err
	}
	i.limits.end(key, last.Index, page)
	return nil
}

// begin says where a comparison begins; due is false where it was made by this ledger.
func (l *limitChecks) begin(key credentialKey, ledger uint32) (after model.CredentialRecord, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ledger != ledger {
		l.ledger, l.done = ledger, map[credentialKey]bool{}
	}
	return l.behind[key], !l.done[key]
}

func (l *limitChecks) end(key credentialKey, ledger uint32, page []model.CredentialRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ledger == ledger {
		l.done[key] = true
	}
	if l.behind == nil {
		l.behind = map[credentialKey]model.CredentialRecord{}
	}
	if delete(l.behind, key); len(page) == checkedAtOnce {
		l.behind[key] = page[len(page)-1]
	}
}

// awaitIndex waits until the index has reached a ledger, but not for long: an index that is behind is corrected as it is.
func (i *Issuer) awaitIndex(ctx context.Context, ledger uint32) error {
	limit := time.NewTimer(indexWait)
	defer limit.Stop()
	for {
		complete, known, err := i.cfg.Index.Mirror(ctx, i.cfg.Account)
		if err != nil || known && complete >= ledger {
			return err
		}
		next := time.NewTimer(indexPoll)
		select {
		case <-next.C:
		case <-limit.C:
			next.Stop()
			return nil
		case <-ctx.Done():
			next.Stop()
			return ctx.Err()
		}
	}
}

// counted returns the next records that a limit counts.
func (i *Issuer) counted(ctx context.Context, key credentialKey, after model.CredentialRecord) ([]model.CredentialRecord, error) {
	if key.typ != "" {
		return i.cfg.Index.Unaccepted(ctx, i.cfg.Account, key.typ, math.MaxUint32, after, checkedAtOnce)
	}
	return i.cfg.Index.UnacceptedOf(ctx, i.cfg.Account, key.subject, after, checkedAtOnce)
}

// correct compares records with a ledger, and has those corrected that differ.
func (i *Issuer) correct(ctx context.Context, at model.Ledger, page []model.CredentialRecord) error {
	found, present := make([]model.ListedCredential, len(page)), make([]bool, len(page))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for n, r := range page {
		if r.Ledger > at.Index {
			continue // later than this ledger
		}
		group.Go(func() (err error) {
			found[n], err = i.listedAt(asking, at, r.Subject, r.Type)
			present[n] = err == nil
			return unlessAbsent(err)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var other []model.ListedCredential
	var absent []model.Credential
	for n, r := range page {
		switch {
		case r.Ledger > at.Index:
		case !present[n]:
			absent = append(absent, r.Credential)
		case found[n].Accepted || found[n].Changed > r.Ledger:
			other = append(other, found[n])
		}
	}
	if len(other)+len(absent) == 0 {
		return nil
	}
	corrected, err := i.cfg.Index.Correct(ctx, i.cfg.Account, at.Index, at.CloseTime, other, absent)
	if k := i.cfg.House.Keeper; k != nil {
		k.corrected(at.Index, corrected)
	}
	return err
}

// listedAt reads one credential with the ledger that changed it last.
func (i *Issuer) listedAt(ctx context.Context, at model.Ledger, subject model.Address, t model.CredentialType) (model.ListedCredential, error) {
	found, entry, err := i.cfg.Ledger.CredentialAt(ctx, at, subject, i.cfg.Account, t)
	if err != nil {
		return model.ListedCredential{}, err
	}
	var changed struct{ PreviousTxnLgrSeq uint32 }
	if err := json.Unmarshal(entry, &changed); err != nil {
		return model.ListedCredential{}, fmt.Errorf("the ledger entry of %s/%s: %w", subject, t.Text(), err)
	}
	return model.ListedCredential{Credential: found, Changed: changed.PreviousTxnLgrSeq}, nil
}
