package issuer

import (
	"context"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/policy"
	"github.com/xrplissuer/credential-issuer/model"
)

// Policies are what the organisation has laid down, by credential type. They may change between two calls.
type Policies interface {
	Current() *policy.Set
}

// defaultRenewWithin is how long before its expiration a credential may be renewed, where no policy says.
const defaultRenewWithin = 30 * 24 * time.Hour

// terms are what a request is granted on, once it has been looked into.
type terms struct {
	expiration *uint32 // in seconds since the Ripple Epoch; nil for none
	uri        string
	proof      bool              // one is required
	nonce      *model.SpentNonce // nil where nothing was proved
	review     bool              // a person decides
	keep       time.Duration     // how long documents are kept after a decision
	decide     time.Duration     // how long a person has for one
	waiting    int               // how many requests may wait for one
	// waitingBytes is how much their documents may be together, sealed.
	waitingBytes int64
	limits       *model.UnacceptedLimits
	// renewWithin is how long before its expiration one that stands may be replaced, in seconds.
	renewWithin uint32
}

// settle looks into all of a request that needs no look at the credential's place on the ledger: documents, validity, URI
// and proof, by the policy of its type. proven is as [Ask.Proven]. Error codes: badRequest, proofRefused, ledgerUnavailable,
// storeUnavailable, and those of proven.
func (i *Issuer) settle(ctx context.Context, r model.CredentialRequest, proven func(*model.SpentNonce) error) (terms, error) {
	t, err := i.granted(ctx, r, i.lastLedger)
	if err != nil {
		return t, err
	}
	if t.proof && r.Proof == nil {
		return t, model.BadRequest("proof", "must be given for "+r.Type.Text()+": ask POST /challenge for what to sign with the subject's key")
	}
	if r.Proof == nil {
		return t, nil
	}
	if t.nonce, err = i.prove(ctx, r); err == nil && proven != nil {
		err = proven(t.nonce)
	}
	return t, err
}

// granted looks into documents, validity and URI, all by one state of the policies. last is asked for the validated ledger where
// the validity counts from its close. Error codes: badRequest, ledgerUnavailable.
func (i *Issuer) granted(ctx context.Context, r model.CredentialRequest, last func(context.Context) (model.Ledger, error)) (terms, error) {
	t := terms{expiration: r.Expiration, uri: r.URI}
	p, err := i.policy(r.Type)
	if err != nil {
		return t, err
	}
	t.renewWithin, t.limits = renewWithin(p), limits(p)
	if p == nil {
		return t, i.cfg.Check(ctx, r)
	}
	if err := p.CheckDocuments(ctx, r.Documents); err != nil {
		return t, err
	}
	var closed model.Ledger
	if p.Validity != (policy.Validity{}) {
		if closed, err = last(ctx); err != nil {
			return t, err
		}
	}
	if t.expiration, err = p.Expiration(r.Expiration, closed.CloseTime); err != nil {
		return t, err
	}
	if t.uri, err = p.URI(r.URI, i.cfg.Account, r.Subject); err != nil {
		return t, err
	}
	t.proof, t.review = p.ProofRequired, p.Decision == policy.Review
	t.keep, t.decide, t.waiting, t.waitingBytes = p.KeepDocuments, p.DecideWithin, p.MostWaiting, p.MostWaitingBytes
	return t, nil
}

// policy returns the policy of a type: nil where there are no policies at all, an error where the type has none.
func (i *Issuer) policy(t model.CredentialType) (*policy.Policy, error) {
	if i.cfg.Policies == nil {
		return nil, nil
	}
	return i.cfg.Policies.Current().Require(t)
}

// renewWithin is how long before its expiration a credential may be renewed, in seconds; p is nil for none.
func renewWithin(p *policy.Policy) uint32 {
	within := defaultRenewWithin
	if p != nil {
		within = p.RenewWithin
	}
	return uint32(within / time.Second)
}

// limits are what a policy allows to be unaccepted; p is nil for none.
func limits(p *policy.Policy) *model.UnacceptedLimits {
	if p == nil || p.Unaccepted.PerSubject == 0 && p.Unaccepted.InAll == 0 {
		return nil
	}
	return &model.UnacceptedLimits{PerSubject: p.Unaccepted.PerSubject, InAll: p.Unaccepted.InAll}
}
