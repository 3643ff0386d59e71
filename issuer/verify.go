package issuer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// looksAtOnce bounds the verifications that read the ledger at the same time. The others wait, at most [Config.ReadLimit].
const looksAtOnce = 32

// Verify says whether a credential can be relied on, by one validated ledger: that ledger's close time decides what has
// expired, not this machine's clock. issuer is the account that vouches for it; empty is this one. The ledger is the newest one
// that the node has reported. A credential that is not valid there is looked up again in the last validated ledger, so that
// one that was just accepted is valid at once. A ledger is asked once for a credential, however many want to know.
// Error code: ledgerUnavailable.
func (i *Issuer) Verify(ctx context.Context, subject, issuer model.Address, t model.CredentialType) (model.Verdict, error) {
	if issuer == "" {
		issuer = i.cfg.Account
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	key := verdictKey{subject, issuer, t}
	recent, err := i.cfg.Verification.Recent(ctx)
	if err != nil {
		return model.Verdict{}, unavailable(err)
	}
	v, err := i.verdict(ctx, recent, key)
	if err == nil && v.Valid {
		return v, nil
	}
	last, lastErr := i.cfg.Verification.Ledger(ctx)
	switch {
	case lastErr != nil:
		return model.Verdict{}, unavailable(lastErr)
	case last.Index > recent.Index:
		v, err = i.verdict(ctx, last, key)
	}
	if err != nil {
		return model.Verdict{}, unavailable(err)
	}
	return v, nil
}

func (i *Issuer) verdict(ctx context.Context, at model.Ledger, key verdictKey) (model.Verdict, error) {
	v, err := i.verdicts.of(ctx, at.Hash, key, func() (model.Verdict, error) { return i.look(ctx, at, key) })
	v.Age = max(i.cfg.Now().Sub(model.Time(at.CloseTime)), 0).Truncate(time.Second)
	return v, err
}

func (i *Issuer) look(ctx context.Context, at model.Ledger, key verdictKey) (model.Verdict, error) {
	select {
	case i.looks <- struct{}{}:
		defer func() { <-i.looks }()
	case <-ctx.Done():
		return model.Verdict{}, context.Cause(ctx)
	}
	v := model.Verdict{Subject: key.subject, Issuer: key.issuer, Type: key.typ, At: at}
	c, entry, err := i.cfg.Verification.CredentialAt(ctx, at, key.subject, key.issuer, key.typ)
	switch {
	case model.CodeOf(err) == model.CodeEntryNotFound:
		v.Reasons = []model.Reason{model.ReasonAbsent}
		if v.Others, err = i.cfg.Verification.OtherIssuers(ctx, at, key.subject, key.issuer, key.typ); err != nil {
			return v, err
		}
		if len(v.Others) > 0 {
			v.Reasons = append(v.Reasons, model.ReasonOtherIssuer)
		}
		return v, nil
	case err != nil:
		return v, err
	}
	v.Found, v.Entry = &c, entry
	if !c.Accepted {
		v.Reasons = append(v.Reasons, model.ReasonNotAccepted)
	}
	if c.Expired(at.CloseTime) {
		v.Reasons = append(v.Reasons, model.ReasonExpired)
	}
	v.Valid = len(v.Reasons) == 0
	if v.Valid && i.cfg.Confirm != nil {
		err = i.cfg.Confirm(ctx, at, c)
	}
	return v, err
}

type verdictKey struct {
	subject, issuer model.Address
	typ             model.CredentialType
}

// maxVerdicts bounds what is remembered of a ledger. What is beyond is asked for each time.
const maxVerdicts = 10_000

// verdicts remembers what one ledger says, and forgets it with the next one.
type verdicts struct {
	mu     sync.Mutex
	ledger string // hash
	known  map[verdictKey]*question
}

// question is one to the ledger. verdict and err are set when done is closed.
type question struct {
	done    chan struct{}
	verdict model.Verdict
	err     error
}

// of returns what a ledger says, asking it where nobody has. Who waits for another's question hears of its failure, unless
// the other has merely gone away.
func (v *verdicts) of(ctx context.Context, ledger string, key verdictKey, ask func() (model.Verdict, error)) (model.Verdict, error) {
	for {
		a, first := v.begin(ledger, key)
		switch {
		case a == nil:
			return ask()
		case first:
			v.answer(ledger, key, a, ask)
			return a.verdict, a.err
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			return model.Verdict{}, ctx.Err()
		}
		if !errors.Is(a.err, context.Canceled) {
			return a.verdict, a.err
		}
	}
}

// begin returns the question about a credential, and whether it is the caller's to ask; nil where there are too many.
func (v *verdicts) begin(ledger string, key verdictKey) (a *question, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ledger != ledger {
		v.ledger, v.known = ledger, map[verdictKey]*question{}
	}
	if a = v.known[key]; a != nil {
		return a, false
	}
	if len(v.known) >= maxVerdicts {
		return nil, false
	}
	a = &question{done: make(chan struct{})}
	v.known[key] = a
	return a, true
}

// answer asks, and lets those know who wait. A failure is not remembered.
func (v *verdicts) answer(ledger string, key verdictKey, a *question, ask func() (model.Verdict, error)) {
	a.err = errors.New("looking up a credential broke off") // should ask panic
	defer func() {
		v.mu.Lock()
		if a.err != nil && v.ledger == ledger && v.known[key] == a {
			delete(v.known, key)
		}
		v.mu.Unlock()
		close(a.done)
	}()
	a.verdict, a.err = ask()
}
