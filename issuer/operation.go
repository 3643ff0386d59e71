package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Ask says how a caller wants to be answered.
type Ask struct {
	// Actor is who asks, for the audit log, and RequestID names the call there.
	Actor, RequestID string
	// Key is the caller's idempotency key; nil for none.
	Key *model.IdempotencyKey
	// Client is the address that the request came from; empty where that is not known.
	Client string
	// Wait is how long to wait for the operation's end: 0 is [Config.WaitLimit], which is also the most; less than 0,
	// such as [NoWait], is not at all.
	Wait time.Duration
	// Proven is called once a request's proof is verified, before anything is stored. Its error ends the request. nil for none.
	Proven func(*model.SpentNonce) error
}

// NoWait has an operation returned as soon as it is stored.
const NoWait time.Duration = -1

// Reply is what came of a request for a credential: an operation, or a request that waits for a person.
type Reply struct {
	model.Operation
	// Submitted is nil where it became an operation.
	Submitted *Submitted
}

// Repeated returns what came of an earlier request with the same key, once its operation is over or the wait is; found is
// false where there was none. It is asked before anything else about a request is looked at. The error is that of the
// request, where it failed. Error codes: those of the first request, idempotencyKeyReused, storeUnavailable.
func (i *Issuer) Repeated(ctx context.Context, a Ask) (reply Reply, found bool, err error) {
	if a.Key == nil {
		return Reply{}, false, nil
	}
	op, err := i.cfg.Journal.ByKey(ctx, i.cfg.Account, *a.Key)
	switch {
	case model.CodeOf(err) == model.CodeOperationNotFound:
		return Reply{}, false, nil
	case model.CodeOf(err) == model.CodeKeyReused: // or it stands for a request that a person decides on
		app, appErr := i.cfg.Journal.ApplicationByKey(ctx, i.cfg.Account, *a.Key)
		if appErr != nil {
			return Reply{}, false, appErr
		}
		return Reply{Submitted: i.submitted(app)}, true, nil
	case err != nil:
		return Reply{}, false, err
	}
	waiting, cancel := i.waiting(ctx, a.Wait)
	defer cancel()
	op, err = i.await(ctx, waiting, op)
	return Reply{Operation: op}, true, err
}

// Issue decides on a request by the policy of its type, stores the operation that issues the credential, and waits for its
// end; or stores the request for a person to decide on, where the policy says so. Without an error the operation has
// succeeded, with the validated transaction in its Result, or the wait was over before its end. Where the operation itself
// failed it is returned beside the error. Error codes: badRequest (documents, proof, URI or expiration are not what they must
// be), proofRefused, tooManyUnaccepted, tecDUPLICATE, tecNO_TARGET, tecEXPIRED, tecINSUFFICIENT_RESERVE, other final `tec`
// results, inProgress, idempotencyKeyReused, ledgerUnavailable, storeUnavailable, notValidated, refused.
func (i *Issuer) Issue(ctx context.Context, r model.CredentialRequest, a Ask) (Reply, error) {
	t, err := i.settle(ctx, r, a.Proven)
	if err != nil {
		return Reply{}, err
	}
	asked := credentialTerms{r.Subject, r.Type, t.expiration, r.Renew, t.renewWithin, t.review || t.nonce != nil}
	if t.review {
		// What the ledger would refuse anyway need not wait for a person.
		if _, err := i.admit(ctx, asked); err != nil {
			return Reply{}, err
		}
		submitted, err := i.submit(ctx, r, a, t)
		return Reply{Submitted: submitted}, err
	}
	op := model.Operation{Issuer: i.cfg.Account, Kind: model.KindIssue, Subject: r.Subject, Type: r.Type, Expiration: t.expiration, URI: t.uri,
		Key: a.Key, Actor: model.ActorPolicy, RequestID: a.RequestID, Nonce: t.nonce, Limits: t.limits}
	op, err = i.run(ctx, op, a.Wait, func(ctx context.Context, op *model.Operation) (err error) {
		op.Renew, err = i.admit(ctx, asked)
		return err
	})
	return Reply{Operation: op}, err
}

// Revoke stores the operation that deletes a credential of the account, accepted or not, and waits for its end, as
// [Issuer.Issue] does. Error codes: entryNotFound, other final `tec` results, inProgress, idempotencyKeyReused,
// ledgerUnavailable, storeUnavailable, notValidated, refused.
func (i *Issuer) Revoke(ctx context.Context, r model.Revocation, a Ask) (Reply, error) {
	op := model.Operation{Issuer: i.cfg.Account, Kind: model.KindRevoke, Subject: r.Subject, Type: r.Type, Key: a.Key,
		Actor: a.Actor, RequestID: a.RequestID}
	op, err := i.run(ctx, op, a.Wait, func(ctx context.Context, _ *model.Operation) error { return i.revocable(ctx, r) })
	return Reply{Operation: op}, err
}

// Operation returns an operation, once it is over or the wait is. The error is of finding it, not of its end: that is
// [Outcome]. Error codes: operationNotFound, storeUnavailable.
func (i *Issuer) Operation(ctx context.Context, id model.OperationID, wait time.Duration) (model.Operation, error) {
	op, err := i.cfg.Journal.Operation(ctx, id)
	if err != nil {
		return model.Operation{}, err
	}
	if op.Issuer != i.cfg.Account || !op.Kind.Requested() {
		return model.Operation{}, &model.Error{Code: model.CodeOperationNotFound, Message: fmt.Sprintf("there is no operation %s", id)}
	}
	waiting, cancel := i.waiting(ctx, wait)
	defer cancel()
	op, err = i.await(ctx, waiting, op)
	if ctx.Err() != nil {
		return op, err
	}
	return op, nil
}

// Outcome returns what whoever asked for an operation is told of its end: nil where it succeeded or is not over.
func Outcome(op model.Operation) error {
	if !op.State.Final() {
		return nil
	}
	return explain(op.Err(), op.Key != nil)
}

// waiting returns a context that lasts as long as a caller waits.
func (i *Issuer) waiting(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	switch {
	case wait < 0:
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, cancel
	case wait == 0 || wait > i.cfg.WaitLimit:
		wait = i.cfg.WaitLimit
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	stop := context.AfterFunc(i.released, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// await returns an operation once it is final, with its error where it failed, or as it stands when waiting ends. The
// error is ctx's where the caller has gone away.
func (i *Issuer) await(ctx, waiting context.Context, op model.Operation) (model.Operation, error) {
	if !op.State.Final() && waiting.Err() == nil {
		// What cannot be read is stored all the same: its caller gets it as it was last seen.
		if read, err := i.cfg.Journal.Wait(waiting, op.ID); err == nil || read.ID == op.ID && read.State != "" {
			op = read
		}
		if err := ctx.Err(); err != nil && !op.State.Final() {
			return op, err
		}
	}
	return op, Outcome(op)
}

// check asks the ledger whether an operation would succeed, and puts into it what follows from the answer.
type check func(context.Context, *model.Operation) error

// run brings an operation into the journal and waits for its end. Where another for the same credential is under way, its
// end comes first, and then check is asked anew.
func (i *Issuer) run(ctx context.Context, op model.Operation, wait time.Duration, check check) (model.Operation, error) {
	waiting, cancel := i.waiting(ctx, wait)
	defer cancel()
	for {
		stored, ours, err := i.begin(ctx, op, check)
		switch {
		case err != nil:
			return model.Operation{}, err
		case ours:
			return i.await(ctx, waiting, stored)
		}
		if waiting.Err() == nil {
			var read model.Operation
			if read, err = i.cfg.Journal.Wait(waiting, stored.ID); err == nil {
				continue
			}
			if read.ID == stored.ID {
				stored = read
			}
		}
		switch {
		case ctx.Err() != nil:
			return model.Operation{}, ctx.Err()
		case waiting.Err() != nil:
			return model.Operation{}, underWay(op.Kind, stored)
		}
		return model.Operation{}, err
	}
}

// begin returns the operation that a request is to wait for: its own, or that of an earlier request with the same key
// (ours), or the one that stands in its way. Within a process it goes through this for one request at a time for each
// credential, so that what began before is seen, and between the look and the storing nothing else begins.
func (i *Issuer) begin(ctx context.Context, op model.Operation, check check) (stored model.Operation, ours bool, err error) {
	unlock, err := i.keys.lock(ctx, credentialKey{op.Subject, op.Type})
	if err != nil {
		return model.Operation{}, false, unavailable(err)
	}
	defer unlock()
	stored, err = i.cfg.Journal.Standing(ctx, op.Issuer, op.Subject, op.Type)
	switch {
	case err == nil:
		if op.Key != nil && stored.Key != nil && stored.Key.Key == op.Key.Key {
			stored, err = i.cfg.Journal.ByKey(ctx, op.Issuer, *op.Key) // which compares the requests
			return stored, err == nil, err
		}
		return stored, false, nil
	case model.CodeOf(err) != model.CodeOperationNotFound:
		return model.Operation{}, false, err
	}
	if err := check(ctx, &op); err != nil {
		// The request may have come before since its key was looked up; then it is the first one's end that counts.
		if op.Key != nil {
			if first, kerr := i.cfg.Journal.ByKey(ctx, op.Issuer, *op.Key); kerr == nil {
				return first, true, nil
			}
		}
		return model.Operation{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return model.Operation{}, false, err
	}
	err = i.underLimits(ctx, op, func() (err error) {
		stored, _, err = i.cfg.Journal.Create(ctx, op)
		return err
	})
	var standing *model.StandingError
	if errors.As(err, &standing) { // of another process
		stored, err = i.cfg.Journal.Operation(ctx, standing.Operation)
		return stored, false, err
	}
	return stored, err == nil, err
}

// underWay says what stands in the way of a request whose wait is over.
func underWay(kind model.Kind, standing model.Operation) error {
	e := &model.Error{Code: model.CodeInProgress, Cause: &model.StandingError{Operation: standing.ID, Kind: standing.Kind, State: standing.State},
		Pending: standing.Pending()}
	what := "issues"
	if standing.Kind == model.KindRevoke {
		what = "revokes"
	}
	e.Message = fmt.Sprintf("operation %s, which %s this credential, is under way: follow it at /operations/%[1]s, and ask again when it is over",
		standing.ID, what)
	if kind == model.KindIssue && standing.Kind == model.KindIssue {
		e.Code = model.CodeDuplicate
	}
	return e
}
