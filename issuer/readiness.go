package issuer

import (
	"context"
	"encoding/json"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// TakeoverTime is how long no process may hold the submission lease before that counts as a failure: the longest that another
// process needs to take it.
const TakeoverTime = 6 * time.Second

// Check is one condition of the process that holds the submission lease, without which nothing is issued.
type Check struct {
	// Name is stable, for programs.
	Name string
	// Fault says why the check fails; empty if it passes. It answers at once, and its text holds no secret.
	Fault func() string
}

// Failing is a check that fails.
type Failing struct {
	Check   string `json:"check"`
	Message string `json:"message"`
}

// The names of the checks of this package; those of [HouseConfig.Checks] come in addition.
const (
	CheckNode    = "node"
	CheckJournal = "journal"
	CheckLease   = "lease"
	CheckAccount = "account"
)

// Bounds of what a process writes of itself into the journal.
const maxChecks, maxCheckMessage = 10, 300

// FailingOf returns those of the checks that fail now.
func FailingOf(checks []Check) []Failing {
	var failing []Failing
	for _, c := range checks {
		if why := c.Fault(); why != "" && len(failing) < maxChecks {
			failing = append(failing, Failing{c.Name, why[:min(len(why), maxCheckMessage)]})
		}
	}
	return failing
}

// Condition is [FailingOf] as the lease holder writes it into the journal, for other processes to read; empty if no check fails.
func Condition(checks []Check) string {
	failing := FailingOf(checks)
	if len(failing) == 0 {
		return ""
	}
	text, err := json.Marshal(failing)
	if err != nil {
		return ""
	}
	return string(text)
}

// conditionOf reads a [Condition].
func conditionOf(text string) []Failing {
	if text == "" {
		return nil
	}
	var failing []Failing
	if err := json.Unmarshal([]byte(text), &failing); err != nil || len(failing) > maxChecks {
		return []Failing{{"submitter", "the process with the submission lease reports trouble that this version cannot read"}}
	}
	return failing
}

// Readiness says what the service can do now.
type Readiness struct {
	// Ledger is the last validated one, if ReadErr is nil.
	Ledger model.Ledger
	// ReadErr says why nothing can be read: ledgerUnavailable or storeUnavailable.
	ReadErr error
	// Failing are the checks that fail. Without any, credentials can be issued.
	Failing []Failing
}

// Readiness reports whether credentials can be read and issued. Issuing depends on this process if it holds the submission
// lease, and otherwise on the holder, whose condition is in the journal.
func (i *Issuer) Readiness(ctx context.Context) Readiness {
	l, err := i.Ready(ctx)
	r := Readiness{Ledger: l, ReadErr: err}
	switch {
	case model.CodeOf(err) == model.CodeStoreUnavailable:
		r.Failing = append(r.Failing, Failing{CheckJournal, "the database cannot be used"})
	case err != nil:
		r.Failing = append(r.Failing, Failing{CheckNode, "the XRP Ledger node does not answer, or is behind"})
	default:
		ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
		defer cancel()
		r.Failing = append(i.accountFailing(ctx, l), i.submissionFailing(ctx)...)
	}
	return r
}

// accountFailing says why the issuing account can carry no further credential.
func (i *Issuer) accountFailing(ctx context.Context, last model.Ledger) []Failing {
	self, err := i.issuingAccount(ctx, last)
	switch {
	case model.CodeOf(err) == model.CodeAccountNotFound:
		return []Failing{{CheckAccount, "the issuing account is not on the ledger: fund it"}}
	case err != nil:
		return []Failing{{CheckNode, "the node does not return the issuing account"}}
	case self.Balance < last.Reserve(self.OwnerCount+1):
		return []Failing{{CheckAccount, "the issuing account's XRP does not cover the reserve of another credential: fund it"}}
	}
	return nil
}

// submissionFailing says why no process submits transactions.
func (i *Issuer) submissionFailing(ctx context.Context) []Failing {
	if i.cfg.House.Records == nil {
		return nil
	}
	lane, err := i.cfg.House.Records.Lane(ctx, i.cfg.Account)
	switch {
	case err != nil:
		return []Failing{{CheckJournal, "the database cannot be used"}}
	case i.unheldFor(lane) > TakeoverTime:
		return []Failing{{CheckLease, "no process holds the submission lease: start one, or look into its log"}}
	case lane.Holder == i.cfg.House.Holder:
		return FailingOf(i.cfg.House.Checks)
	case lane.Left > 0:
		return conditionOf(lane.Condition)
	}
	return nil
}

// unheldFor is how long no process has held the lease, as far as this one has seen.
func (i *Issuer) unheldFor(lane model.LaneStatus) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.cfg.Now()
	switch {
	case lane.Holder != "" && lane.Left > 0:
		i.unheld = time.Time{}
		return 0
	case i.unheld.IsZero():
		i.unheld = now.Add(min(lane.Left, 0))
	}
	return now.Sub(i.unheld)
}
