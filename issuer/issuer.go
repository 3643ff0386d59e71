// Package issuer is what an issuer of credentials does: it decides on requests, issues, lists and revokes, for one
// issuing account.
//
// It may read the ledger and hand transactions to a lane, through the two interfaces in ports.go. It never signs,
// never talks to a node itself, never reads the clock of this machine (the validated ledger's close time decides),
// and knows nothing of HTTP.
//
// # What a request goes through
//
//	checked form -> documents -> alone for its subject and type -> the ledger's word -> lane -> validated result
//
// Everything that can be known beforehand is asked beforehand, since each final `tec` costs a fee: whether the
// expiration is past, the subject exists, a credential of the kind stands already, and the issuer can carry one more
// entry. Requests for the same subject and type wait for each other, so that of two at the same moment the second
// finds the first one's credential. What other programs do with the same account in between is caught by the
// transaction's own result, and told in the same words.
//
// Once a transaction is on its way a caller that goes away stops nothing; only the wait limit does.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xrplissuer/credential-issuer/model"
)

// Config is what an [Issuer] is made of. Account, Ledger and Lane are needed.
type Config struct {
	// Account is the issuing account.
	Account model.Address
	Ledger  Ledger
	Lane    Submitter
	// Check decides on an applicant's documents; nil is [SaysPlease].
	Check DocumentCheck
	// ReadLimit bounds what is asked of the ledger before a transaction is sent; 0 is 10 s.
	ReadLimit time.Duration
	// WaitLimit bounds the wait for a transaction's final result; 0 is 60 s.
	WaitLimit time.Duration
}

// Issuer issues, lists and revokes for one account. It is safe for simultaneous use and owns no goroutine that
// outlives a call.
type Issuer struct {
	cfg  Config
	keys keyedLock

	mu     sync.Mutex
	self   model.Account // the issuing account, as of ledger selfAt
	selfAt uint32
}

// New returns an issuer. It asks nothing of the ledger.
func New(cfg Config) *Issuer {
	if cfg.Check == nil {
		cfg.Check = SaysPlease
	}
	if cfg.ReadLimit == 0 {
		cfg.ReadLimit = 10 * time.Second
	}
	if cfg.WaitLimit == 0 {
		cfg.WaitLimit = 60 * time.Second
	}
	return &Issuer{cfg: cfg}
}

// Account returns the issuing account.
func (i *Issuer) Account() model.Address { return i.cfg.Account }

// Ready returns the last validated ledger, or why requests cannot be served now.
func (i *Issuer) Ready(ctx context.Context) (model.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	l, err := i.cfg.Ledger.Ledger(ctx)
	return l, unavailable(err)
}

// List yields the credentials that the account has issued, as they stand in one validated ledger. An error ends it.
func (i *Issuer) List(ctx context.Context, which model.Acceptance) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		for c, err := range i.cfg.Ledger.Credentials(ctx, i.cfg.Account, model.Filter{Role: model.Issued, Acceptance: which}) {
			if model.CodeOf(err) == model.CodeAccountNotFound {
				return // an account that is not on the ledger has issued nothing there
			}
			if !yield(c, unavailable(err)) || err != nil {
				return
			}
		}
	}
}

// Issue decides on a request and issues the credential. The result is that of a validated transaction. Error codes:
// badRequest (documents, or an expiration that is past), tecDUPLICATE, tecNO_TARGET, tecEXPIRED,
// tecINSUFFICIENT_RESERVE, other final `tec` results, ledgerUnavailable, notValidated.
func (i *Issuer) Issue(ctx context.Context, r model.CredentialRequest) (model.Validated, error) {
	if err := i.cfg.Check(ctx, r); err != nil {
		return model.Validated{}, err
	}
	unlock, err := i.keys.lock(ctx, credentialKey{r.Subject, r.Type})
	if err != nil {
		return model.Validated{}, unavailable(err)
	}
	defer unlock()
	if err := i.admit(ctx, r); err != nil {
		return model.Validated{}, err
	}
	return i.submit(ctx, r.Create())
}

// Revoke deletes a credential that the account has issued, accepted or not. Error codes: entryNotFound, other final
// `tec` results, ledgerUnavailable, notValidated.
func (i *Issuer) Revoke(ctx context.Context, r model.Revocation) (model.Validated, error) {
	unlock, err := i.keys.lock(ctx, credentialKey{r.Subject, r.Type})
	if err != nil {
		return model.Validated{}, unavailable(err)
	}
	defer unlock()
	if _, err := i.standing(ctx, r.Subject, r.Type); err != nil {
		return model.Validated{}, err
	}
	return i.submit(ctx, model.CredentialDelete{Subject: r.Subject, Type: r.Type})
}

// admit asks the ledger whether a CredentialCreate would succeed, in rippled's order of checks. All that it needs is
// asked for at once, as each answer may be a journey away.
func (i *Issuer) admit(ctx context.Context, r model.CredentialRequest) error {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	var (
		last       model.Ledger
		self       model.Account
		selfErr    error
		subjectErr error
		found      model.Credential
		foundErr   error
	)
	// Absence is an answer. Only a failure to ask is an error of the group, which ends the other calls.
	var group *errgroup.Group
	group, ctx = errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if last, err = i.cfg.Ledger.Ledger(ctx); err != nil {
			return err
		}
		self, selfErr = i.issuingAccount(ctx, last)
		return unlessAbsent(selfErr)
	})
	group.Go(func() error {
		_, subjectErr = i.cfg.Ledger.Account(ctx, r.Subject)
		return unlessAbsent(subjectErr)
	})
	group.Go(func() error {
		found, foundErr = i.cfg.Ledger.Credential(ctx, r.Subject, i.cfg.Account, r.Type)
		return unlessAbsent(foundErr)
	})
	if err := group.Wait(); err != nil {
		return unavailable(err)
	}
	switch {
	case r.Expiration != nil && *r.Expiration < last.CloseTime:
		return model.BadRequest("expiration", fmt.Sprintf("must not be past; the last validated ledger closed at %s",
			model.FormatTime(last.CloseTime)))
	case subjectErr != nil:
		return told(model.CodeNoTarget)
	case foundErr == nil:
		return duplicate(found, last)
	case selfErr != nil || self.Balance < last.Reserve(self.OwnerCount+1):
		return told(model.CodeInsufficientReserve)
	}
	return nil
}

// issuingAccount reads the issuing account once a ledger, however many requests ask.
func (i *Issuer) issuingAccount(ctx context.Context, last model.Ledger) (model.Account, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.selfAt == last.Index && last.Index != 0 {
		return i.self, nil
	}
	self, err := i.cfg.Ledger.Account(ctx, i.cfg.Account)
	if err == nil {
		i.self, i.selfAt = self, last.Index
	}
	return self, err
}

func (i *Issuer) standing(ctx context.Context, subject model.Address, t model.CredentialType) (model.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	c, err := i.cfg.Ledger.Credential(ctx, subject, i.cfg.Account, t)
	if model.CodeOf(err) == model.CodeEntryNotFound {
		return c, told(model.CodeEntryNotFound)
	}
	return c, unavailable(err)
}

// submit hands a transaction to the lane and waits. The caller's going away does not end the wait: the transaction
// may be on its way, and those who wait for the same subject and type need to know how it went.
func (i *Issuer) submit(ctx context.Context, tx model.Transaction) (model.Validated, error) {
	if err := ctx.Err(); err != nil {
		return model.Validated{}, unavailable(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.WaitLimit)
	defer cancel()
	v, err := i.cfg.Lane.Submit(ctx, tx)
	return v, explain(unavailable(err))
}

type credentialKey struct {
	subject model.Address
	typ     model.CredentialType
}

// unlessAbsent drops the errors that are answers: there is no such account, or no such credential.
func unlessAbsent(err error) error {
	switch model.CodeOf(err) {
	case model.CodeAccountNotFound, model.CodeEntryNotFound:
		return nil
	}
	return err
}

// unavailable gives a time limit that ran out its code, where the room below did not.
func unavailable(err error) error {
	if err == nil || model.CodeOf(err) != "" {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &model.Error{Code: model.CodeLedgerUnavailable, Message: words[model.CodeLedgerUnavailable], Cause: err}
	}
	return err
}
