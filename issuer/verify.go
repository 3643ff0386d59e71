package issuer

import (
	"context"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Verify says whether a credential can be relied on, by one validated ledger: that ledger's close time decides what has
// expired, not this machine's clock. issuer is the account that vouches for it; empty is this one. It is asked of the ledger
// once per validated ledger, however many want to know. Error code: ledgerUnavailable.
func (i *Issuer) Verify(ctx context.Context, subject, issuer model.Address, t model.CredentialType) (model.Verdict, error) {
	if issuer == "" {
		issuer = i.cfg.Account
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	last, err := i.cfg.Ledger.Ledger(ctx)
	if err != nil {
		return model.Verdict{}, unavailable(err)
	}
	key := verdictKey{subject, issuer, t}
	v, known := i.verdicts.get(last.Hash, key)
	if !known {
		if v, err = i.look(ctx, last, key); err != nil {
			return model.Verdict{}, unavailable(err)
		}
		i.verdicts.put(last.Hash, key, v)
	}
	v.Age = max(i.cfg.Now().Sub(model.Time(last.CloseTime)), 0).Truncate(time.Second)
	return v, nil
}

func (i *Issuer) look(ctx context.Context, at model.Ledger, key verdictKey) (model.Verdict, error) {
	v := model.Verdict{Subject: key.subject, Issuer: key.issuer, Type: key.typ, At: at}
	c, entry, err := i.cfg.Ledger.CredentialAt(ctx, at, key.subject, key.issuer, key.typ)
	switch {
	case model.CodeOf(err) == model.CodeEntryNotFound:
		v.Reasons = []model.Reason{model.ReasonAbsent}
		if v.Others, err = i.cfg.Ledger.OtherIssuers(ctx, at, key.subject, key.issuer, key.typ); err != nil {
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
	return v, nil
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
	known  map[verdictKey]model.Verdict
}

func (v *verdicts) get(ledger string, key verdictKey) (model.Verdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ledger != ledger {
		return model.Verdict{}, false
	}
	found, ok := v.known[key]
	return found, ok
}

func (v *verdicts) put(ledger string, key verdictKey, verdict model.Verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ledger != ledger {
		v.ledger, v.known = ledger, map[verdictKey]model.Verdict{}
	}
	if len(v.known) < maxVerdicts {
		v.known[key] = verdict
	}
}
