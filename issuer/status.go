package issuer

import (
	"context"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Status is how the issuing account stands. What is not known, as an [Issuer] was made without it, is nil.
type Status struct {
	// Ledger is the last validated one.
	Ledger model.Ledger
	// Account is the issuing account as of then.
	Account model.Account
	// Room is how many more credentials its XRP suffices for.
	Room int64
	// Warnings say what its XRP is too little for, and what keeps its operations from being validated.
	Warnings []Warning

	// Failing are the checks that fail, as [Issuer.Readiness] has them.
	Failing []Failing

	// House is what the journal says, the same to all processes that share it.
	House *House
	// Keeper is what this process has done as the keeper of the house.
	Keeper *KeeperStatus
	// Webhooks are those that this process would send to, and what it has sent.
	Webhooks []WebhookStatus
}

// House is what the journal says of the account.
type House struct {
	// Lane says which process issues for the account, and Here that it is this one.
	Lane model.LaneStatus
	Here bool
	// Records is how far the records of credentials have come, and Lag how many validated ledgers they are behind. For records
	// past the validated ledger by more than 5 ledgers, which no ledger explains, Lag is that distance.
	Records model.MirrorStatus
	Lag     uint32
	Due     Due
}

// Due is what waits to be done.
type Due struct {
	// Withdraw and Delete are credentials that policies have removed, Erase requests whose documents are to be erased,
	// Decide requests that wait for a person, and Lapse those of them that have waited too long.
	Withdraw, Delete, Erase, Decide, Lapse int64
}

// WebhookStatus is how sending to a webhook goes. Nothing in it is secret.
type WebhookStatus struct {
	// ID names it, Address is its scheme and host, and Kinds those of the events that it is told of; none for all.
	ID, Address string
	Kinds       []model.EventKind
	// Waiting is how many events it is still to be told of, GivenUp how many it never will be, and Failing since when the
	// oldest one is tried in vain; zero where none is.
	Waiting, GivenUp int64
	Failing          time.Time
	// Delivered counts the events that this process has delivered, and Failed the attempts that failed.
	Delivered, Failed uint64
	// Failure says why the last one did; empty where none has.
	Failure string
}

// HouseRecords is what [Issuer.Status] reads of the journal.
type HouseRecords interface {
	Lane(ctx context.Context, issuer model.Address) (model.LaneStatus, error)
	MirrorStatus(ctx context.Context, issuer model.Address) (model.MirrorStatus, error)
	CountDue(ctx context.Context, issuer model.Address, t model.CredentialType, issuedBefore, expiredBefore uint32) (unaccepted, expired int64, err error)
	CountRequests(ctx context.Context, issuer model.Address, now time.Time) (model.RequestCounts, error)
	Backlogs(ctx context.Context, issuer model.Address) ([]model.Backlog, error)
}

// HouseConfig is what [Issuer.Status] tells of besides the account. The zero value is nothing.
type HouseConfig struct {
	// Records is the journal; nil leaves out what it says.
	Records HouseRecords
	// Holder is how this process is called that may have the lane.
	Holder string
	Keeper *Keeper
	// Checks are those of this process that issuing depends on while it holds the lease.
	Checks []Check
	// Webhooks returns those that this process would send to, without what the journal knows of them; nil for none.
	Webhooks func() []WebhookStatus
	Funds    Funds
	// Submitter returns the warnings of this process's submitter; nil for none.
	Submitter func() []Warning
}

// Status returns how the issuing account stands. Any process can be asked. Error codes: actNotFound, ledgerUnavailable,
// storeUnavailable.
func (i *Issuer) Status(ctx context.Context) (Status, error) {
	last, err := i.lastLedger(ctx)
	if err != nil {
		return Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	self, err := i.issuingAccount(ctx, last)
	if err != nil {
		return Status{}, unavailable(err)
	}
	s := Status{Ledger: last, Account: self, Room: room(self, last), Warnings: i.cfg.House.Funds.Shortages(self, last)}
	if k := i.cfg.House.Keeper; k != nil {
		status := k.Status()
		s.Keeper = &status
	}
	if i.cfg.House.Submitter != nil {
		s.Warnings = append(s.Warnings, i.cfg.House.Submitter()...)
	}
	if i.cfg.House.Webhooks != nil {
		s.Webhooks = i.cfg.House.Webhooks()
	}
	if i.cfg.House.Records != nil {
		err = i.house(ctx, &s)
	}
	s.Failing = append(i.accountFailing(ctx, last), i.submissionFailing(ctx)...)
	return s, err
}

// house reads what the journal says.
func (i *Issuer) house(ctx context.Context, s *Status) (err error) {
	h, records := &House{}, i.cfg.House.Records
	if h.Lane, err = records.Lane(ctx, i.cfg.Account); err != nil {
		return err
	}
	h.Here = h.Lane.Holder != "" && h.Lane.Holder == i.cfg.House.Holder
	if h.Records, err = records.MirrorStatus(ctx, i.cfg.Account); err != nil {
		return err
	}
	h.Lag = lag(h.Records.Complete, s.Ledger.Index)
	requests, err := records.CountRequests(ctx, i.cfg.Account, i.cfg.Now())
	if err != nil {
		return err
	}
	h.Due.Decide, h.Due.Lapse, h.Due.Erase = requests.Waiting, requests.Overdue, requests.Erasable
	before := map[model.CredentialType][2]uint32{} // nothing was issued or has expired before 0
	for n, action := range []KeeperAction{ActionWithdrawn, ActionDeleted} {
		for _, d := range dueBy(i.cfg.Policies, action, h.Records.CloseTime) {
			b := before[d.typ]
			b[n] = d.before
			before[d.typ] = b
		}
	}
	for t, b := range before {
		unaccepted, expired, err := records.CountDue(ctx, i.cfg.Account, t, b[0], b[1])
		if err != nil {
			return err
		}
		h.Due.Withdraw += unaccepted
		h.Due.Delete += expired
	}
	backlogs, err := records.Backlogs(ctx, i.cfg.Account)
	if err != nil {
		return err
	}
	s.House = h
	for n := range s.Webhooks {
		w := &s.Webhooks[n]
		for _, b := range backlogs {
			if b.Endpoint == w.ID {
				w.Waiting, w.GivenUp, w.Failing = b.Waiting, b.GivenUp, b.Failing
			}
		}
	}
	return nil
}

// lag is the distance of the records to the validated ledger. They may be a few ledgers past one that was read before.
func lag(complete, validated uint32) uint32 {
	switch {
	case complete <= validated:
		return validated - complete
	case complete-validated > aheadLedgers:
		return complete - validated
	}
	return 0
}

// room is how many more entries an account's XRP suffices for.
func room(a model.Account, last model.Ledger) int64 {
	free := a.Balance - last.Reserve(a.OwnerCount)
	if free < 0 || last.ReserveIncrement <= 0 {
		return 0
	}
	return free / last.ReserveIncrement
}
