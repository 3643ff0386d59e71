// Package issuer is what an issuer of credentials does: it decides on requests, has people decide on them, issues, lists,
// revokes, and says whether credentials hold, for one issuing account, one request at a time or many in a batch.
//
// It may read the ledger, keep operations and requests in a journal, and seal documents, through the interfaces in ports.go,
// and go by policies. It never signs a transaction, never talks to a node or a database itself, and knows nothing of HTTP and
// nothing of who its callers are but the name that stands in the audit log. What is past is the validated ledger's to say
// (its close time); this machine's clock counts for four things alone: the end of a challenge, how old a ledger is, when
// requests lapse that nobody decides on, and when documents are erased.
//
// # What a request goes through
//
//	its key -> checked form -> policy: documents, validity, URI -> proof -> what is under way -> the ledger's word
//	                                                                           |-> journal -> (the lane) -> its end
//	                                                                           '-> waits for a person -> approved: journal
//
// A request becomes an operation when it is stored in the journal, and nothing is signed before that. Who signs it, sends
// it and concludes it from the ledger is the lane, which works on the journal alone and may be in another process: this
// package stores operations and waits for their ends.
//
// A request that carries an idempotency key is looked up first: where it came before, the first one's operation is waited
// for, whatever the checks would say now.
//
// Everything that can be known beforehand is asked beforehand, since each final `tec` costs a fee: whether the
// expiration is past, the subject exists, a credential of the kind stands already, and the issuer can carry one more
// entry. Where an operation for the same subject and type is under way, its end is waited for before the ledger is asked,
// so that of two requests at the same moment the second finds the first one's credential. The journal holds at most one
// such operation, also where several processes share it. The rows of a batch are looked up in the same way, some hundred
// at a time, and rejected in the same words: they are held to their policies but for proof and review, as whoever sends a
// batch vouches for it. A row that cannot be looked into now is not rejected; the batch ends there, to be sent again. What
// other programs do with the same account in between is caught by the transaction's own result, and told in the same words.
//
// A caller that goes away stops nothing that is stored. When the wait limit runs out, the caller gets the operation as it
// stands and can ask for it again.
//
// # Proof
//
// A challenge ([Issuer.Challenge]) is not stored: its nonce carries its own end and a MAC, by a secret that all replicas share, over
// issuer, subject, type, renewal and the digest of the request. The signed message names the same, so that a proof for one request
// is worthless for every other; it can be no transaction. The key must be the subject's
// master key, unless that is disabled, or its regular key, in a validated ledger; a signer list cannot prove. The nonce is used
// up in the transaction that stores what it was answered for, and by nothing that is refused.
//
// # Review
//
// What a person decides on is stored as it is to be issued: expiration and URI are those of the day on which it was asked
// for, and one whose expiration has passed by its approval is told of and goes on waiting, to be rejected. Documents are sealed
// before they are stored, and opened for [Issuer.Application] alone. Its applicant follows a request with a secret that is
// derived from the key of the documents, so that the same request again gets the same answer; of the secret there is a hash
// in the journal.
//
// Documents are due to be erased when the policy's time after the latest decision is over, whatever became of an
// approval's operation by then: that a person has looked at them is what approving again, should it have come to
// nothing, goes by. A request that nobody decides on lapses when its policy's time is over, so that it does not keep
// its documents and the place for its subject and type for ever; the time is that of the day on which it was asked for.
// Its applicant can withdraw it as long as it waits, and then its documents are erased at once.
//
// # Verification
//
// [Issuer.Verify] answers from one validated ledger, which it names, for anybody's credentials. What a ledger says is
// remembered until the next one.
//
// # Keeping house
//
// A [Keeper] runs in the process that has the lane. It has the journal's records follow what validated ledgers do to
// the account's credentials, whoever does it, and works off what is due by them: it tells of expiries, withdraws what
// stayed unaccepted for longer than its policy allows, and deletes what expired longer ago than that allows. It also
// ends requests that nobody decided on in time, and erases documents. What has no policy is left alone. Records say
// only what to look at: before a credential is removed, the ledger is asked whether it stands as the record has it, and
// a request for the same credential goes first. The ledger has no deletion on condition, so what happens between that
// look and the ledger of the removal is not seen: a subject that accepts in these moments may still lose the credential.
// They are bounded: the journal is asked within seconds of the look, and the lane signs within seconds of that, once,
// for a few ledgers, or not at all. What came to nothing so is looked at again later.
package issuer

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xrplissuer/credential-issuer/model"
)

// Config is what an [Issuer] is made of. Account, Ledger and Journal are needed.
type Config struct {
	// Account is the issuing account.
	Account model.Address
	Ledger  Ledger
	Journal Journal
	// Verification is the ledger that verifications read, over a connection of its own; nil is Ledger.
	Verification Ledger
	// Index is the credential index: it answers lists, and is compared with the ledger before a limit refuses a request. nil
	// has lists read from the ledger.
	Index CredentialIndex
	// Policies say what is offered and on what terms. Without them every type is, and Check decides on documents.
	Policies Policies
	// Check decides on an applicant's documents; nil is [SaysPlease].
	Check DocumentCheck
	// NetworkID returns the network id of the ledger, which challenges name; nil is 0. Error code: storeUnavailable.
	NetworkID func(context.Context) (uint32, error)
	// Confirm returns nil where a second node shows the same credential in the same ledger; nil where one node is trusted. Error
	// code: ledgerUnavailable.
	Confirm func(ctx context.Context, at model.Ledger, found model.Credential) error
	// Vault seals the documents of requests that a person decides on; needed where a policy asks for that.
	Vault Vault
	// Closed bounds the review requests that end without a credential.
	Closed model.ClosedLimits
	// House is what [Issuer.Status] tells of besides the account.
	House HouseConfig
	// ReadLimit bounds what is asked of the ledger before an operation is stored; 0 is 10 s.
	ReadLimit time.Duration
	// WaitLimit bounds the wait for an operation's end; 0 is 60 s.
	WaitLimit time.Duration
	// Now is this machine's clock, for challenges and for the age of ledgers; time.Now by default. What is past on the ledger
	// is the ledger's to say.
	Now func() time.Time
}

// Issuer issues, lists and revokes for one account. It is safe for simultaneous use and owns no goroutine that
// outlives a call.
type Issuer struct {
	cfg  Config
	keys keyedLock
	// lists holds a value for each list that the index answers.
	lists chan struct{}
	// limits are those comparisons that limits have brought about.
	limits limitChecks
	// verdicts are those of the last validated ledger.
	verdicts verdicts
	// looks holds a value for each verification that reads the ledger.
	looks chan struct{}
	// released ends when nobody is to wait any more.
	released context.Context
	release  context.CancelFunc

	mu     sync.Mutex
	self   model.Account // the issuing account, as of ledger selfAt
	selfAt uint32
	unheld time.Time // since when no process was seen with the submission lease; zero if one holds it
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
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Verification == nil {
		cfg.Verification = cfg.Ledger
	}
	i := &Issuer{cfg: cfg, lists: make(chan struct{}, listsAtOnce), looks: make(chan struct{}, looksAtOnce)}
	i.released, i.release = context.WithCancel(context.Background())
	return i
}

// Account returns the issuing account.
func (i *Issuer) Account() model.Address { return i.cfg.Account }

// Release has everybody who waits for an operation's end answered at once, with the operation as it stands, and everybody
// who would wait from now on. What is under way goes on.
func (i *Issuer) Release() { i.release() }

// Ready returns the last validated ledger, or why nothing can be read now; see [Issuer.Readiness] for issuing.
func (i *Issuer) Ready(ctx context.Context) (model.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	l, err := i.cfg.Ledger.Ledger(ctx)
	if err != nil {
		return model.Ledger{}, unavailable(err)
	}
	return l, i.cfg.Journal.Ping(ctx)
}

// credentialTerms are what the ledger is asked about before a credential is issued.
type credentialTerms struct {
	subject     model.Address
	typ         model.CredentialType
	expiration  *uint32 // in seconds since the Ripple Epoch; nil for none
	renew       bool
	renewWithin uint32 // how long before its expiration one that stands may be replaced, in seconds
	vouched     bool   // the subject has proved that they ask for it, or a person decides
}

// look is what the ledger says of a CredentialCreate that is to be sent. Absence is an answer, and an error of the part
// that is absent.
type look struct {
	last       model.Ledger
	self       model.Account
	selfErr    error
	subjectErr error
	found      model.Credential
	foundErr   error
}

// verdict says why the transaction would fail, in rippled's order of checks, or that it would not; replaces says that a
// credential that stands has to be deleted first, as is asked.
func (l look) verdict(t credentialTerms) (replaces bool, err error) {
	entries := l.self.OwnerCount + 1
	switch {
	case t.expiration != nil && *t.expiration < l.last.CloseTime:
		return false, model.BadRequest("expiration", "must not be past; the last validated ledger closed at "+model.FormatTime(l.last.CloseTime))
	case l.subjectErr != nil:
		return false, told(model.CodeNoTarget)
	case l.foundErr == nil && !t.renew:
		return false, duplicate(l.found, l.last)
	case l.foundErr == nil && !renewable(l.found, l.last, t.renewWithin):
		return false, tooEarly(l.found, t.renewWithin)
	case l.foundErr == nil && !t.vouched && l.found.Accepted && !l.found.Expired(l.last.CloseTime):
		// It holds, and would not any more until its subject accepts the new one: that is not for anybody to bring about.
		return false, model.BadRequest("proof", "must be given to renew a credential that its subject has accepted and that has not expired: "+
			"ask POST /challenge for what to sign with the subject's key")
	case l.foundErr == nil:
		replaces = true
		if !l.found.Accepted || l.found.Subject == l.found.Issuer {
			entries-- // its reserve comes back
		}
	}
	if l.selfErr != nil || l.self.Balance < l.last.Reserve(entries) {
		return false, told(model.CodeInsufficientReserve)
	}
	return replaces, nil
}

// renewable says whether one that stands has expired, or will within that many seconds.
func renewable(c model.Credential, last model.Ledger, within uint32) bool {
	return c.HasExpiration() && uint64(last.CloseTime)+uint64(within) >= uint64(c.Expiration)
}

// admit asks the ledger whether a CredentialCreate would succeed; see [look.verdict]. All that it needs is asked for at once,
// as each answer may be a journey away.
func (i *Issuer) admit(ctx context.Context, t credentialTerms) (replaces bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	var l look
	// Only a failure to ask is an error of the group, which ends the other calls.
	var group *errgroup.Group
	group, ctx = errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if l.last, err = i.cfg.Ledger.Ledger(ctx); err != nil {
			return err
		}
		l.self, l.selfErr = i.issuingAccount(ctx, l.last)
		return unlessAbsent(l.selfErr)
	})
	group.Go(func() error {
		_, l.subjectErr = i.cfg.Ledger.Account(ctx, t.subject)
		return unlessAbsent(l.subjectErr)
	})
	group.Go(func() error {
		l.found, l.foundErr = i.cfg.Ledger.Credential(ctx, t.subject, i.cfg.Account, t.typ)
		return unlessAbsent(l.foundErr)
	})
	if err := group.Wait(); err != nil {
		return false, unavailable(err)
	}
	return l.verdict(t)
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

// revocable asks the ledger whether a CredentialDelete would succeed.
func (i *Issuer) revocable(ctx context.Context, r model.Revocation) error {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.ReadLimit)
	defer cancel()
	_, err := i.cfg.Ledger.Credential(ctx, r.Subject, i.cfg.Account, r.Type)
	if model.CodeOf(err) == model.CodeEntryNotFound {
		return told(model.CodeEntryNotFound)
	}
	return unavailable(err)
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
