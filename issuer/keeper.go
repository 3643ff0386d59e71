package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// KeptLedger is what a [Keeper] reads of the ledger. Errors are those of [Ledger].
type KeptLedger interface {
	// Ledger returns the last validated ledger.
	Ledger(ctx context.Context) (model.Ledger, error)
	// Account returns an account; [model.CodeAccountNotFound] where there is none.
	Account(ctx context.Context, a model.Address) (model.Account, error)
	// CredentialAt returns one credential and its ledger entry; [model.CodeEntryNotFound] where there is none.
	CredentialAt(ctx context.Context, at model.Ledger, subject, issuer model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error)
	// CredentialsAt yields those of an account's entries that pass the filter, as they stand in one ledger.
	CredentialsAt(ctx context.Context, at model.Ledger, account model.Address, f model.Filter) iter.Seq2[model.ListedCredential, error]
	// Follow tells of what validated ledgers behind after do to the credentials that an account has issued, until ctx or
	// apply end it, or with [model.CodeHistoryMissing].
	Follow(ctx context.Context, issuer model.Address, after uint32, apply func(context.Context, model.MirrorProgress) error) error
}

// Index is the credential index of an account: the state of its credentials as of one validated ledger. Errors are those of
// [Records].
type Index interface {
	// Mirror returns the last ledger that the records have all of; known is false where what stands was never listed.
	Mirror(ctx context.Context, issuer model.Address) (complete uint32, known bool, err error)
	// BeginListing, AddListed and FinishListing take in all that stands in one ledger.
	BeginListing(ctx context.Context, issuer model.Address) error
	// corrected is the number of records that differed from an earlier listing.
	AddListed(ctx context.Context, issuer model.Address, credentials []model.ListedCredential, ledger, closeTime uint32) (corrected int, err error)
	FinishListing(ctx context.Context, issuer model.Address, ledger, closeTime uint32) (corrected int, err error)
	// Rewind takes an index back that is past a ledger; a listing of it must follow.
	Rewind(ctx context.Context, issuer model.Address, ledger, closeTime uint32) error
	// ApplyChanges takes in what later ledgers did. What is known already changes nothing.
	ApplyChanges(ctx context.Context, issuer model.Address, p model.MirrorProgress) error
	// Indexed reads the index as it stands in one ledger; begin receives that ledger first.
	Indexed(ctx context.Context, issuer model.Address, which model.Acceptance, begin func(complete uint32, reconciled bool) error, each func(model.Credential) error) error
	// Reconciled notes that a comparison found the index equal to a ledger; 0 that it differs.
	Reconciled(ctx context.Context, issuer model.Address, ledger uint32) error
}

// Records keeps what validated ledgers have told of an account's credentials, durable on return. Where it cannot be used now
// the error is [model.CodeStoreUnavailable], and the same can be said again.
type Records interface {
	Index

	// TellExpired tells of up to limit that have expired, each once, and says how many.
	TellExpired(ctx context.Context, issuer model.Address, closeTime uint32, limit int) (int, error)
	// Unaccepted and Expired return up to limit behind one, the oldest first.
	Unaccepted(ctx context.Context, issuer model.Address, t model.CredentialType, issuedBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error)
	Expired(ctx context.Context, issuer model.Address, t model.CredentialType, expiredBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error)
	// LapseApplications ends up to limit requests that nobody has decided on in their time, and says how many.
	LapseApplications(ctx context.Context, issuer model.Address, now time.Time, limit int) (int, error)
	// EraseDocuments erases those of up to limit requests whose time is over, and says of how many.
	EraseDocuments(ctx context.Context, issuer model.Address, now time.Time, limit int) (int, error)

	// Standing, Create and Operation are those of [Journal].
	Standing(ctx context.Context, issuer, subject model.Address, t model.CredentialType) (model.Operation, error)
	Create(ctx context.Context, op model.Operation) (stored model.Operation, replayed bool, err error)
	Operation(ctx context.Context, id model.OperationID) (model.Operation, error)
}

// Bounds of what a keeper does at a time.
const (
	// keptAtOnce is how many removals may be under way, and how many expiries or documents are worked off in one go.
	keptAtOnce = 50
	// dueAtOnce is how many records of what is due are read at a time, and duePages how often, for one ledger: those at the
	// front may all be for others to work on.
	dueAtOnce, duePages = 200, 10
	// listedAtOnce is how many listed credentials are stored at a time.
	listedAtOnce = 400
	// keptRetry and keptMaxRetry bound the waits after something that failed. They double.
	keptRetry, keptMaxRetry = time.Second, time.Minute
	// removeRetry and removeMaxRetry are those after a removal that came to nothing: each may have cost a fee.
	removeRetry, removeMaxRetry = time.Minute, time.Hour
	// removeSoon is how old a look at the ledger may be when the journal is asked for a removal by it. The lane bounds the rest
	// of the way: it signs what the keeper asks for within seconds, once, or not at all.
	removeSoon = 5 * time.Second
	// keptRound is how often the keeper looks at what is due where no ledger closes: documents have their time all the same.
	keptRound = 30 * time.Second
)

// KeeperConfig is what a [Keeper] is made of. Account, Ledger and Records are needed.
type KeeperConfig struct {
	// Account is the issuing account.
	Account model.Address
	Ledger  KeptLedger
	Records Records
	// Policies say what is withdrawn and deleted, and when; without them nothing is.
	Policies Policies
	// Funds say when the account's XRP is short.
	Funds Funds
	// Reconcile is the time between two comparisons of the credential index with the ledger; 0 is [DefaultReconcile]. The first
	// one begins with Run.
	Reconcile time.Duration
	// Now is this machine's clock, for documents and waits, and After its timer. What has expired on the ledger is the
	// ledger's to say.
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time
	Logger *slog.Logger // none by default
}

// Keeper keeps house for an account: it has the records follow the ledger, tells of expiries, withdraws what its policy
// lets nobody leave unaccepted for so long, deletes what has expired long enough ago, ends requests that nobody decided
// on in time, erases documents whose time is over, and warns when the account's XRP runs short. What it removes it asks
// the journal for, as anybody does, and the lane does it. One at a time is to run for an account: beside its lane, in
// the process that holds it.
type Keeper struct {
	cfg  KeeperConfig
	turn chan struct{} // holds one value while Run is under way
	tick chan struct{} // receives when a ledger has closed

	mu        sync.Mutex
	closeTime uint32 // of the newest ledger that the records know of
	status    KeeperStatus
	under     map[model.OperationID]removal
	tried     map[removalKey]trial

	low map[Shortage]bool // what was warned of; keepHouse's

	compareAt time.Time // when the next comparison is due; keepRecords'
}

// NewKeeper returns a keeper, which does nothing before [Keeper.Run].
func NewKeeper(cfg KeeperConfig) *Keeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.Reconcile == 0 {
		cfg.Reconcile = DefaultReconcile
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, turn: make(chan struct{}, 1), tick: make(chan struct{}, 1), under: map[model.OperationID]removal{},
		tried: map[removalKey]trial{}, low: map[Shortage]bool{}, status: KeeperStatus{Since: cfg.Now()}}
}

// Run keeps house until ctx ends. Nothing else ends it: what fails is in the log, is tried again after a while, and does not
// keep the rest from being done. All of it goes on where it was when Run is called again, here or in another process.
func (k *Keeper) Run(ctx context.Context) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return
	}
	k.note(func(s *KeeperStatus) { s.Working = true })
	defer k.note(func(s *KeeperStatus) { s.Working = false })
	var both sync.WaitGroup
	both.Go(func() { k.keepRecords(ctx) })
	both.Go(func() { k.keepHouse(ctx) })
	both.Wait()
}

// pause waits; it is false when ctx has ended.
func (k *Keeper) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-k.cfg.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// doubled is how long to wait after so many failures in a row.
func doubled(least, most time.Duration, failures int) time.Duration {
	return min(least<<min(max(failures-1, 0), 20), most)
}

// keepRecords has the records follow the ledger.
func (k *Keeper) keepRecords(ctx context.Context) {
	k.compareAt = k.cfg.Now()
	for failures := 0; ctx.Err() == nil; {
		moved := false
		err := k.follow(ctx, &moved)
		if moved {
			failures = 0
		}
		switch {
		case ctx.Err() != nil:
			return
		case model.CodeOf(err) == model.CodeHistoryMissing:
			k.cfg.Logger.Warn("what happened to credentials meanwhile cannot be read any more: what stands is listed anew", "error", err)
			if err = k.list(ctx); err == nil {
				continue
			}
		case errors.Is(err, errDiffers):
			k.cfg.Logger.Warn("the credential index differs from the ledger; correcting it", "error", err)
			if err = k.list(ctx); err == nil {
				continue
			}
		case errors.Is(err, errAhead):
			if err = k.reindex(ctx, 0); err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		failures++
		wait := doubled(keptRetry, keptMaxRetry, failures)
		k.cfg.Logger.Warn("the records of credentials do not follow the ledger; trying again", "error", err, "retry_in", wait)
		k.note(func(s *KeeperStatus) { s.Fault = "the records of credentials do not follow the ledger" })
		if !k.pause(ctx, wait) {
			return
		}
	}
}

func (k *Keeper) follow(ctx context.Context, moved *bool) error {
	_, known, err := k.cfg.Records.Mirror(ctx, k.cfg.Account)
	if err == nil && !known {
		err = k.list(ctx)
	}
	if err == nil {
		err = k.reindex(ctx, mostAhead)
	}
	if err != nil {
		return err
	}
	complete, _, err := k.cfg.Records.Mirror(ctx, k.cfg.Account)
	if err != nil {
		return err
	}
	ahead := 0
	comparison := comparison{keeper: k}
	defer comparison.stop()
	return k.cfg.Ledger.Follow(ctx, k.cfg.Account, complete, func(ctx context.Context, p model.MirrorProgress) error {
		if err := k.cfg.Records.ApplyChanges(ctx, k.cfg.Account, p); err != nil {
			return err
		}
		*moved = true
		k.note(func(s *KeeperStatus) { s.Fault = "" })
		k.mu.Lock()
		k.closeTime = max(k.closeTime, p.CloseTime)
		k.mu.Unlock()
		select {
		case k.tick <- struct{}{}:
		default:
		}
		if err := k.checkAhead(ctx, p, &ahead); err != nil {
			return err
		}
		return comparison.step(ctx, p)
	})
}

const (
	// mostAhead is by how many ledgers the index may be past the node's: that may lag for a while after a start.
	mostAhead = 256
	// aheadLedgers is how many ledgers may close in a row while the index is past them, and by how many ledgers the index may be
	// past the validated ledger without a sign in [House].
	aheadLedgers = 5
)

// errAhead ends a Follow whose index is past the newest validated ledger.
var errAhead = errors.New("the credential index is past the proven ledger")

// checkAhead compares the stored index with the newest validated ledger. ahead counts the ledgers in a row that the index was past.
// The error is errAhead, or that of the records.
func (k *Keeper) checkAhead(ctx context.Context, p model.MirrorProgress, ahead *int) error {
	complete, _, err := k.cfg.Records.Mirror(ctx, k.cfg.Account)
	if err != nil {
		return err
	}
	if p.Newest == 0 || complete <= p.Newest {
		*ahead = 0
		return nil
	}
	if *ahead++; *ahead > aheadLedgers || complete-p.Newest > mostAhead {
		return errAhead
	}
	return nil
}

// reindex lists the credentials again where the index is past the proven ledger by more than most ledgers, which no honest node
// leads to.
func (k *Keeper) reindex(ctx context.Context, most uint32) error {
	complete, _, err := k.cfg.Records.Mirror(ctx, k.cfg.Account)
	if err != nil {
		return err
	}
	at, err := k.cfg.Ledger.Ledger(ctx)
	if err != nil || complete <= at.Index || complete-at.Index <= most {
		return err
	}
	k.cfg.Logger.Error("the credential index is past the proven ledger; listing the credentials again", "index", complete, "ledger", at.Index)
	if err := k.cfg.Records.Rewind(ctx, k.cfg.Account, at.Index, at.CloseTime); err != nil {
		return err
	}
	k.count(ActionReindexed, 1)
	k.compareAt = k.cfg.Now() // corrects the index if the listing fails
	return k.list(ctx)
}

// list takes in all that stands in the last validated ledger, and corrects what differs.
func (k *Keeper) list(ctx context.Context) error {
	at, err := k.cfg.Ledger.Ledger(ctx)
	if err != nil {
		return err
	}
	if err := k.cfg.Records.BeginListing(ctx, k.cfg.Account); err != nil {
		return err
	}
	var some []model.ListedCredential
	n, corrected := 0, 0
	add := func() error {
		differed, err := k.cfg.Records.AddListed(ctx, k.cfg.Account, some, at.Index, at.CloseTime)
		n, corrected, some = n+len(some), corrected+differed, some[:0]
		return err
	}
	for c, err := range k.cfg.Ledger.CredentialsAt(ctx, at, k.cfg.Account, model.Filter{Side: model.Issued}) {
		if model.CodeOf(err) == model.CodeAccountNotFound {
			break // an account that is not on the ledger has issued nothing there
		}
		if err != nil {
			return err
		}
		if some = append(some, c); len(some) == listedAtOnce {
			if err := add(); err != nil {
				return err
			}
		}
	}
	if len(some) > 0 {
		if err := add(); err != nil {
			return err
		}
	}
	gone, err := k.cfg.Records.FinishListing(ctx, k.cfg.Account, at.Index, at.CloseTime)
	if err != nil {
		return err
	}
	k.compareAt = k.cfg.Now().Add(k.cfg.Reconcile) // this was one
	k.cfg.Logger.Info("listed the credentials that stand", "ledger", at.Index, "credentials", n)
	k.corrected(at.Index, corrected+gone)
	return nil
}

// corrected reports corrections of the credential index.
func (k *Keeper) corrected(ledger uint32, differences int) {
	if differences == 0 {
		return
	}
	k.count(ActionCorrected, differences)
	k.cfg.Logger.Warn("the credential index was corrected", "ledger", ledger, "differences", differences)
}

// chore is one thing that the keeper does each time a ledger closes. One that fails rests for a while.
type chore struct {
	what     string
	do       func(ctx context.Context, closeTime uint32) error
	failures int
	rest     time.Time
}

// keepHouse does what is due each time a ledger closes, and now and then without.
func (k *Keeper) keepHouse(ctx context.Context) {
	chores := []*chore{
		{what: "telling of expired credentials", do: k.tellExpired},
		{what: "ending requests that nobody decided on", do: k.lapse},
		{what: "erasing documents", do: k.erase},
		{what: "looking after removals", do: k.settle},
		{what: "withdrawing unaccepted credentials", do: k.withdraw},
		{what: "deleting expired credentials", do: k.deleteExpired},
		{what: "looking at the account's funds", do: k.watchFunds},
	}
	for {
		k.mu.Lock()
		closeTime := k.closeTime
		k.mu.Unlock()
		for _, c := range chores {
			k.do(ctx, c, closeTime)
		}
		select {
		case <-ctx.Done():
			return
		case <-k.tick:
		case <-k.cfg.After(keptRound):
		}
	}
}

func (k *Keeper) do(ctx context.Context, c *chore, closeTime uint32) {
	if ctx.Err() != nil || k.cfg.Now().Before(c.rest) {
		return
	}
	err := c.do(ctx, closeTime)
	switch {
	case err == nil:
		c.failures = 0
	case ctx.Err() == nil:
		c.failures++
		wait := doubled(keptRetry, keptMaxRetry, c.failures)
		c.rest = k.cfg.Now().Add(wait)
		k.cfg.Logger.Warn(c.what+" did not work; trying again", "error", err, "retry_in", wait)
	}
}

func (k *Keeper) tellExpired(ctx context.Context, closeTime uint32) error {
	if closeTime == 0 {
		return nil
	}
	n, err := k.cfg.Records.TellExpired(ctx, k.cfg.Account, closeTime, keptAtOnce)
	k.count(ActionTold, n)
	return err
}

func (k *Keeper) lapse(ctx context.Context, _ uint32) error {
	n, err := k.cfg.Records.LapseApplications(ctx, k.cfg.Account, k.cfg.Now(), keptAtOnce)
	if k.count(ActionLapsed, n); n > 0 {
		k.cfg.Logger.Warn("requests have lapsed: nobody decided on them in the time that their policies give", "requests", n)
	}
	return err
}

func (k *Keeper) erase(ctx context.Context, _ uint32) error {
	n, err := k.cfg.Records.EraseDocuments(ctx, k.cfg.Account, k.cfg.Now(), keptAtOnce)
	k.count(ActionErased, n)
	return err
}

func (k *Keeper) watchFunds(ctx context.Context, _ uint32) error {
	last, err := k.cfg.Ledger.Ledger(ctx)
	if err != nil {
		return err
	}
	self, err := k.cfg.Ledger.Account(ctx, k.cfg.Account)
	if unlessAbsent(err) != nil {
		return err
	}
	now := k.cfg.Funds.shortages(self, last, k.low)
	for _, s := range now {
		if !k.low[s.Kind] {
			k.cfg.Logger.Warn(s.Message, "shortage", s.Kind, "balance_drops", self.Balance, "room_for_credentials", room(self, last))
		}
	}
	before := k.low
	k.low = map[Shortage]bool{}
	for _, s := range now {
		k.low[s.Kind] = true
	}
	for s := range before {
		if !k.low[s] {
			k.cfg.Logger.Info("the account's XRP suffices again", "shortage", s, "balance_drops", self.Balance, "room_for_credentials", room(self, last))
		}
	}
	return nil
}
