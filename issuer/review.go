package issuer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/xrplissuer/credential-issuer/model"
)

// Submitted is a request that waits for a person, as its applicant gets it.
type Submitted struct {
	model.Application
	// Secret is what the applicant follows it with. It is told only in answer to the request itself.
	Secret string
}

// errNoVault is for the log: its reader can set a key.
var errNoVault = errors.New("requests that a person decides on cannot be kept without a key for their documents: set DOCUMENTS_KEY")

// submit stores a request for a person to decide on.
func (i *Issuer) submit(ctx context.Context, r model.CredentialRequest, a Ask, t terms) (*Submitted, error) {
	if i.cfg.Vault == nil {
		return nil, errNoVault
	}
	id := model.NewRequestID(i.cfg.Now())
	sealed, err := i.cfg.Vault.Seal(id, r.Documents.JSON())
	if err != nil {
		return nil, err
	}
	secret := i.cfg.Vault.Secrets(id)[0]
	stored, replayed, err := i.cfg.Journal.CreateApplication(ctx, model.Application{
		ID: id, Issuer: i.cfg.Account, Subject: r.Subject, Type: r.Type, Expiration: t.expiration, URI: t.uri, Renew: r.Renew,
		Proven: t.nonce != nil, Nonce: t.nonce, SecretHash: sha256.Sum256([]byte(secret)), Documents: sealed, Key: a.Key,
		Keep: t.keep, DecideBy: i.cfg.Now().Add(t.decide), MostWaiting: t.waiting, MostWaitingBytes: t.waitingBytes, Client: a.Client, Closed: i.cfg.Closed, RequestID: a.RequestID,
	})
	if err != nil {
		return nil, err
	}
	if replayed {
		return i.submitted(stored), nil
	}
	return &Submitted{stored, secret}, nil
}

// submitted is what the applicant of an earlier request with the same key is answered: the same as then. The secret is left
// out where it was made with a key that is gone.
func (i *Issuer) submitted(stored model.Application) *Submitted {
	s := &Submitted{Application: stored}
	if i.cfg.Vault == nil {
		return s
	}
	for _, secret := range i.cfg.Vault.Secrets(stored.ID) {
		if fits(secret, stored) {
			s.Secret = secret
		}
	}
	return s
}

func fits(secret string, a model.Application) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(sum[:], a.SecretHash[:]) == 1
}

// Review is a request that a person decides on, with what became of it.
type Review struct {
	model.Application
	// Operation is the latest one that an approval has made; nil where there is none.
	Operation *model.Operation
	// Documents are opened for reviewers; nil for others, and once they are erased.
	Documents json.RawMessage
	// Events are its history, in order; for reviewers.
	Events []model.Event
}

// Followed returns a request for whoever knows its secret. Error codes: requestNotFound, also where the secret is another
// one; storeUnavailable.
func (i *Issuer) Followed(ctx context.Context, id model.OperationID, secret string) (Review, error) {
	a, err := i.own(ctx, id, secret)
	if err != nil {
		return Review{}, err
	}
	return i.review(ctx, a)
}

// Withdraw ends a request that nobody has decided on, for whoever knows its secret. One that was withdrawn stays so.
// Error codes: those of [Issuer.Followed]; alreadyDecided.
func (i *Issuer) Withdraw(ctx context.Context, id model.OperationID, secret string, a Ask) (Review, error) {
	if _, err := i.own(ctx, id, secret); err != nil {
		return Review{}, err
	}
	app, err := i.cfg.Journal.Withdraw(ctx, model.Withdrawal{Application: id, RequestID: a.RequestID})
	return Review{Application: app}, err
}

// own returns a request for whoever knows its secret.
func (i *Issuer) own(ctx context.Context, id model.OperationID, secret string) (model.Application, error) {
	a, err := i.cfg.Journal.ApplicationWithoutDocuments(ctx, id)
	switch {
	case model.CodeOf(err) == model.CodeRequestNotFound:
		fits(secret, a) // takes as long as one that is there
		return model.Application{}, &model.Error{Code: model.CodeRequestNotFound}
	case err != nil:
		return model.Application{}, err
	case !fits(secret, a) || a.Issuer != i.cfg.Account:
		return model.Application{}, &model.Error{Code: model.CodeRequestNotFound}
	}
	return a, nil
}

func (i *Issuer) review(ctx context.Context, a model.Application) (Review, error) {
	r := Review{Application: a}
	if a.Operation == "" {
		return r, nil
	}
	op, err := i.cfg.Journal.Operation(ctx, a.Operation)
	r.Operation = &op
	return r, err
}

// Applications returns up to limit requests behind one, in the order in which they came, without their documents; with a
// state, only those. Error code: storeUnavailable.
func (i *Issuer) Applications(ctx context.Context, state model.ApplicationState, after model.OperationID, limit int) ([]model.Application, error) {
	return i.cfg.Journal.Applications(ctx, i.cfg.Account, state, after, limit)
}

// Application returns a request with its documents and its history. Error codes: requestNotFound, storeUnavailable.
func (i *Issuer) Application(ctx context.Context, id model.OperationID) (Review, error) {
	a, err := i.application(ctx, id, i.cfg.Journal.Application)
	if err != nil {
		return Review{}, err
	}
	r, err := i.review(ctx, a)
	if err != nil {
		return Review{}, err
	}
	if r.Events, err = i.cfg.Journal.ApplicationEvents(ctx, id); err != nil {
		return Review{}, err
	}
	if len(a.Documents) > 0 {
		if i.cfg.Vault == nil {
			return Review{}, fmt.Errorf("opening the documents of request %s: %w", id, errNoVault)
		}
		if r.Documents, err = i.cfg.Vault.Open(id, a.Documents); err != nil {
			return Review{}, fmt.Errorf("request %s: %w", id, err)
		}
	}
	return r, nil
}

// application reads one of this account.
func (i *Issuer) application(ctx context.Context, id model.OperationID, read func(context.Context, model.OperationID) (model.Application, error)) (model.Application, error) {
	a, err := read(ctx, id)
	if err == nil && a.Issuer != i.cfg.Account {
		err = &model.Error{Code: model.CodeRequestNotFound}
	}
	return a, err
}

// Approve decides for a request, stores the operation that issues the credential, and waits for its end as [Issuer.Issue]
// does. What the operation came to is in the review, and no error of this. Error codes: requestNotFound, alreadyDecided,
// inProgress, those of a request that the ledger would refuse now (the request goes on waiting), ledgerUnavailable,
// storeUnavailable.
func (i *Issuer) Approve(ctx context.Context, id model.OperationID, a Ask) (Review, error) {
	app, err := i.application(ctx, id, i.cfg.Journal.ApplicationWithoutDocuments)
	if err != nil {
		return Review{}, err
	}
	if app.State != model.ApplicationWaiting && !(app.State == model.ApplicationApproved && again(app.OperationState)) {
		return Review{}, decided(app.State)
	}
	p, err := i.policy(app.Type)
	if err != nil {
		p = nil // it was offered when it was asked for
	}
	op := model.Operation{Issuer: i.cfg.Account, Kind: model.KindIssue, Subject: app.Subject, Type: app.Type, Expiration: app.Expiration,
		URI: app.URI, Actor: a.Actor, RequestID: a.RequestID, Limits: limits(p)}
	unlock, err := i.keys.lock(ctx, credentialKey{app.Subject, app.Type})
	if err != nil {
		return Review{}, unavailable(err)
	}
	op.Renew, err = i.admit(ctx, credentialTerms{app.Subject, app.Type, app.Expiration, app.Renew, renewWithin(p), true})
	switch {
	case model.CodeOf(err) == model.CodeBadRequest: // there is nothing wrong with this request, but with the one that waits
		err = &model.Error{Code: model.CodeExpired, Cause: err, Message: "the expiration that was asked for is past: reject the request, so that its " +
			"applicant can ask again"}
	case err == nil:
		err = i.underLimits(ctx, op, func() (err error) {
			app, err = i.cfg.Journal.Decide(ctx, model.Decision{Application: id, Actor: a.Actor, Approve: true, Operation: &op, RequestID: a.RequestID})
			return err
		})
	}
	unlock()
	if err != nil {
		return Review{}, err
	}
	r, err := i.review(ctx, app)
	if err != nil || r.Operation == nil {
		return r, err
	}
	waiting, cancel := i.waiting(ctx, a.Wait)
	defer cancel()
	ended, err := i.await(ctx, waiting, *r.Operation)
	r.Operation, r.OperationState = &ended, ended.State
	if ctx.Err() != nil {
		return r, err
	}
	return r, nil
}

// Reject decides against a request. Error codes: requestNotFound, alreadyDecided, storeUnavailable.
func (i *Issuer) Reject(ctx context.Context, id model.OperationID, reason string, a Ask) (Review, error) {
	if _, err := i.application(ctx, id, i.cfg.Journal.ApplicationWithoutDocuments); err != nil {
		return Review{}, err
	}
	app, err := i.cfg.Journal.Decide(ctx, model.Decision{Application: id, Actor: a.Actor, Reason: reason, RequestID: a.RequestID})
	return Review{Application: app}, err
}

// again says whether a request whose operation came to that may be decided on again.
func again(s model.State) bool { return s.Final() && s != model.StateSucceeded }

func decided(s model.ApplicationState) error {
	return &model.Error{Code: model.CodeDecided, Message: "the request has been decided on already: it is " + string(s)}
}
