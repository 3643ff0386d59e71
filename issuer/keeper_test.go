package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/issuer/policy"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

const keptAccount = model.Address("rL8abwBFX3QvvY8jcZLyD6QghamgH48xrU")

// kept is a keeper's surroundings: a ledger and records that do as a test says. What is not set is empty.
type kept struct {
	t   *testing.T
	log *logs.Lines

	mu         sync.Mutex
	now        time.Time
	last       model.Ledger
	self       model.Account
	entries    map[credentialKey]entryAt // on the ledger
	before     map[credentialKey]entryAt // and before those were changed
	meanwhile  func(credentialKey)       // happens before Standing answers; nil for nothing
	unaccepted []model.CredentialRecord
	expired    []model.CredentialRecord
	standing   map[credentialKey]bool
	ops        map[model.OperationID]model.Operation
	ends       func(model.Operation) model.Operation // what becomes of operations; nil leaves them pending
	erasable   int
	overdue    int // requests that nobody decided on
	fails      map[string]error
	complete   uint32
	known      bool
	index      []model.Credential // what Indexed yields
	// differences is how many records the next listing corrects.
	differences int
	listed      []model.ListedCredential
	calls       []string
	another     chan struct{} // closed at the next call; nil while nobody waits for it
	applied     []model.MirrorProgress
	progress    chan model.MirrorProgress
	missing     int           // how often Follow finds that history is missing
	slow        time.Duration // how long a look at the ledger takes
}

type entryAt struct {
	model.Credential
	changed uint32
}

func newKept(t *testing.T) *kept {
	return &kept{t: t, log: &logs.Lines{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		last: model.Ledger{Index: 100, Hash: "H", CloseTime: 10_000, BaseFee: 10, ReserveBase: 1_000_000, ReserveIncrement: 200_000},
		self: model.Account{Address: keptAccount, Balance: 1_000_000_000}, entries: map[credentialKey]entryAt{}, standing: map[credentialKey]bool{},
		ops: map[model.OperationID]model.Operation{}, fails: map[string]error{}, progress: make(chan model.MirrorProgress)}
}

func (k *kept) called(what string) error {
	k.calls = append(k.calls, what)
	if k.another != nil {
		close(k.another)
		k.another = nil
	}
	return k.fails[what]
}

func (k *kept) did(what string) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.calls {
		if c == what {
			n++
		}
	}
	return n
}

func (k *kept) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *kept) Ledger(context.Context) (model.Ledger, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, k.called("Ledger")
}

func (k *kept) Account(context.Context, model.Address) (model.Account, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.self, k.called("Account")
}

func (k *kept) CredentialAt(_ context.Context, at model.Ledger, subject, _ model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.entries[credentialKey{subject, t}]
	if ok && e.changed > at.Index {
		e, ok = k.before[credentialKey{subject, t}]
	}
	k.now = k.now.Add(k.slow)
	if !ok {
		return model.Credential{}, nil, &model.Error{Code: model.CodeEntryNotFound}
	}
	return e.Credential, json.RawMessage(fmt.Sprintf(`{"PreviousTxnLgrSeq":%d}`, e.changed)), k.called("CredentialAt")
}

func (k *kept) CredentialsAt(context.Context, model.Ledger, model.Address, model.Filter) iter.Seq2[model.ListedCredential, error] {
	return func(yield func(model.ListedCredential, error) bool) {
		k.mu.Lock()
		entries, err := k.entries, k.called("CredentialsAt")
		k.mu.Unlock()
		for _, e := range entries {
			if !yield(model.ListedCredential{Credential: e.Credential, Changed: e.changed}, nil) {
				return
			}
		}
		if err != nil {
			yield(model.ListedCredential{}, err)
		}
	}
}

func (k *kept) Follow(ctx context.Context, _ model.Address, after uint32, apply func(context.Context, model.MirrorProgress) error) error {
	k.mu.Lock()
	err := k.called(fmt.Sprintf("Follow %d", after))
	if k.missing > 0 {
		k.missing--
		err = &model.Error{Code: model.CodeHistoryMissing}
	}
	k.mu.Unlock()
	for err == nil {
		select {
		case p := <-k.progress:
			err = apply(ctx, p)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return err
}

func (k *kept) Mirror(context.Context, model.Address) (uint32, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.complete, k.known, k.called("Mirror")
}

func (k *kept) BeginListing(context.Context, model.Address) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listed = nil
	return k.called("BeginListing")
}

func (k *kept) AddListed(_ context.Context, _ model.Address, credentials []model.ListedCredential, ledger, _ uint32) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ledger != k.last.Index || len(credentials) > listedAtOnce {
		k.t.Errorf("%d of ledger %d", len(credentials), ledger)
	}
	k.listed = append(k.listed, credentials...)
	return 0, k.called("AddListed")
}

func (k *kept) Rewind(_ context.Context, _ model.Address, ledger, _ uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.complete = min(k.complete, ledger)
	return k.called("Rewind")
}

func (k *kept) FinishListing(_ context.Context, _ model.Address, ledger, _ uint32) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.complete, k.known = ledger, true
	differences := k.differences
	k.differences = 0
	return differences, k.called("FinishListing")
}

func (k *kept) Indexed(_ context.Context, _ model.Address, _ model.Acceptance, begin func(uint32, bool) error, each func(model.Credential) error) error {
	k.mu.Lock()
	index, complete, err := slices.Clone(k.index), k.complete, k.called("Indexed")
	k.mu.Unlock()
	if err == nil {
		err = begin(complete, true)
	}
	for _, c := range index {
		if err == nil {
			err = each(c)
		}
	}
	return err
}

func (k *kept) Reconciled(_ context.Context, _ model.Address, ledger uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.called(fmt.Sprintf("Reconciled %d", ledger))
}

func (k *kept) ApplyChanges(_ context.Context, _ model.Address, p model.MirrorProgress) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.applied = append(k.applied, p)
	if p.Hash != "" { // the tests of comparisons have one
		k.complete = max(k.complete, p.Complete)
	}
	return k.called("ApplyChanges")
}

func (k *kept) TellExpired(_ context.Context, _ model.Address, closeTime uint32, _ int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return 2, k.called(fmt.Sprintf("TellExpired %d", closeTime))
}

func page(records []model.CredentialRecord, before func(model.CredentialRecord) bool, after model.CredentialRecord, limit int) []model.CredentialRecord {
	var out []model.CredentialRecord
	past := after.Subject == ""
	for _, r := range records {
		if past && before(r) && len(out) < limit {
			out = append(out, r)
		}
		past = past || r == after
	}
	return out
}

func (k *kept) Unaccepted(_ context.Context, _ model.Address, t model.CredentialType, issuedBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return page(k.unaccepted, func(r model.CredentialRecord) bool { return r.Type == t && r.Issued < issuedBefore }, after, limit), k.called("Unaccepted")
}

func (k *kept) Expired(_ context.Context, _ model.Address, t model.CredentialType, expiredBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return page(k.expired, func(r model.CredentialRecord) bool { return r.Type == t && r.Expiration < expiredBefore }, after, limit), k.called("Expired")
}

func (k *kept) LapseApplications(_ context.Context, _ model.Address, now time.Time, limit int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !now.Equal(k.now) || limit != keptAtOnce {
		k.t.Errorf("what is overdue by %s, up to %d", now, limit)
	}
	n := min(limit, k.overdue)
	k.overdue -= n
	return n, k.called("LapseApplications")
}

func (k *kept) EraseDocuments(_ context.Context, _ model.Address, now time.Time, limit int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !now.Equal(k.now) {
		k.t.Errorf("erasing as of %v", now)
	}
	n := min(k.erasable, limit)
	k.erasable -= n
	return n, k.called("EraseDocuments")
}

func (k *kept) Standing(_ context.Context, _, subject model.Address, t model.CredentialType) (model.Operation, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.meanwhile != nil {
		k.meanwhile(credentialKey{subject, t})
	}
	if k.standing[credentialKey{subject, t}] {
		return model.Operation{}, nil
	}
	return model.Operation{}, &model.Error{Code: model.CodeOperationNotFound}
}

func (k *kept) Create(_ context.Context, op model.Operation) (model.Operation, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if op.Kind != model.KindRevoke || op.Actor != model.ActorJanitor || op.Issuer != keptAccount {
		k.t.Errorf("created %+v", op)
	}
	op.ID, op.State = model.OperationID(fmt.Sprint("op", len(k.ops))), model.StatePending
	k.ops[op.ID] = op
	k.standing[credentialKey{op.Subject, op.Type}] = true
	return op, false, k.called("Create " + string(op.Subject))
}

func (k *kept) Operation(_ context.Context, id model.OperationID) (model.Operation, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if op := k.ops[id]; k.ends != nil {
		op = k.ends(op)
		k.ops[id] = op
		delete(k.standing, credentialKey{op.Subject, op.Type})
		if op.State == model.StateSucceeded {
			delete(k.entries, credentialKey{op.Subject, op.Type})
		}
	}
	return k.ops[id], k.called("Operation")
}

func subjectOf(n int) model.Address { return model.Address(fmt.Sprintf("subject%04d", n)) }

// stand puts an unaccepted credential onto the ledger and into the records.
func (k *kept) stand(n int, typ model.CredentialType, issued uint32) credentialKey {
	c := model.Credential{Subject: subjectOf(n), Issuer: keptAccount, Type: typ}
	k.entries[credentialKey{c.Subject, typ}] = entryAt{c, 50}
	k.unaccepted = append(k.unaccepted, model.CredentialRecord{Credential: c, Issued: issued, Ledger: 50})
	return credentialKey{c.Subject, typ}
}

type setOf struct{ *policy.Set }

func (s setOf) Current() *policy.Set { return s.Set }

// house returns a keeper by whose policy A is withdrawn after 1,000 s and deleted 100 s after it has expired, and B neither.
func (k *kept) house(change func(*KeeperConfig)) *Keeper {
	k.t.Helper()
	dir := k.t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "credential: A\ndecision: automatic\ndocuments: {type: object}\nunaccepted: {withdraw_after: 1000s}\ndelete_expired_after: 100s\n",
		"b.yaml": "credential: B\ndecision: automatic\ndocuments: {type: object}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
	set, err := policy.Load(dir)
	if err != nil {
		k.t.Fatal(err)
	}
	cfg := KeeperConfig{Account: keptAccount, Ledger: k, Records: k, Policies: setOf{set}, Now: k.Now, Logger: slog.New(slog.NewTextHandler(k.log, nil))}
	if change != nil {
		change(&cfg)
	}
	return NewKeeper(cfg)
}

func TestKeeperWithdraws(t *testing.T) {
	k := newKept(t)
	due := k.stand(1, "A", 8_999)
	k.stand(2, "A", 9_000)         // not yet: exactly its time
	k.stand(3, "B", 1)             // no policy has it removed
	asked := k.stand(4, "A", 1)    // a request works on it
	accepted := k.stand(5, "A", 1) // by the ledger it was accepted
	anew := k.stand(6, "A", 1)     // by the ledger it was made anew since
	gone := k.stand(7, "A", 1)     // by the ledger it is gone
	k.standing[asked] = true
	e := k.entries[accepted]
	e.Accepted, e.changed = true, 60
	k.entries[accepted] = e
	e = k.entries[anew]
	e.changed = 51
	k.entries[anew] = e
	delete(k.entries, gone)
	h := k.house(nil)
	for range 2 { // and once only
		if err := h.withdraw(t.Context(), 10_000); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.ops) != 1 || k.ops["op0"].Subject != due.subject {
		t.Fatalf("removes %+v", k.ops)
	}
	k.ends = func(op model.Operation) model.Operation { op.State = model.StateSucceeded; return op }
	if err := h.settle(t.Context(), 10_000); err != nil {
		t.Fatal(err)
	}
	if s := h.Status(); s.UnderWay != 0 || s.Done[ActionWithdrawn] != (KeeperCount{1, k.now}) || s.Done[ActionDeleted] != (KeeperCount{}) {
		t.Errorf("status %+v", s)
	}
	// Nothing has a policy.
	none := k.house(func(c *KeeperConfig) { c.Policies = nil })
	if err := errors.Join(none.withdraw(t.Context(), 1<<32-1), none.deleteExpired(t.Context(), 1<<32-1)); err != nil || len(k.ops) != 1 {
		t.Errorf("without policies: %v, %+v", err, k.ops)
	}
	// Before anything can be due.
	if err := h.withdraw(t.Context(), 1000); err != nil || len(k.ops) != 1 {
		t.Errorf("too early: %v, %+v", err, k.ops)
	}
}

// While the keeper looks at what is due, one credential after the other, a request renews one of them, from its beginning to its end:
// what is new stays. Nor does a node that is behind the records have anything removed.
func TestKeeperLeavesTheRenewed(t *testing.T) {
	k := newKept(t)
	put := func(n int, ledger uint32) credentialKey {
		c := model.Credential{Subject: subjectOf(n), Issuer: keptAccount, Type: "A", Expiration: 5_000, Accepted: true}
		key := credentialKey{c.Subject, "A"}
		k.entries[key] = entryAt{c, ledger}
		k.expired = append(k.expired, model.CredentialRecord{Credential: c, Ledger: ledger})
		return key
	}
	put(1, 50)
	renewed := put(2, 50)
	ahead := put(3, 500)
	k.before = map[credentialKey]entryAt{ahead: k.entries[ahead]}
	k.meanwhile = func(key credentialKey) {
		if key != renewed || k.last.Index > 100 {
			return
		}
		k.before[key] = k.entries[key]
		e := k.entries[key]
		e.Accepted, e.Expiration, e.changed = false, 900_000, 102
		k.entries[key] = e
		k.last.Index = 102
	}
	if err := k.house(nil).deleteExpired(t.Context(), 10_000); err != nil {
		t.Fatal(err)
	}
	if len(k.ops) != 1 || k.ops["op0"].Subject != subjectOf(1) {
		t.Errorf("removes %+v", k.ops)
	}
}

func TestKeeperDeletesExpired(t *testing.T) {
	k := newKept(t)
	put := func(n int, typ model.CredentialType, expiration uint32) {
		c := model.Credential{Subject: subjectOf(n), Issuer: keptAccount, Type: typ, Expiration: expiration, Accepted: true}
		k.entries[credentialKey{c.Subject, typ}] = entryAt{c, 50}
		k.expired = append(k.expired, model.CredentialRecord{Credential: c, Ledger: 50})
	}
	put(1, "A", 9_899)
	put(2, "A", 9_900)
	put(3, "B", 1)
	h := k.house(nil)
	if err := h.deleteExpired(t.Context(), 10_000); err != nil {
		t.Fatal(err)
	}
	if len(k.ops) != 1 || k.ops["op0"].Subject != subjectOf(1) {
		t.Errorf("removes %+v", k.ops)
	}
}

// A look at the ledger that is old says nothing of what holds now: nothing is removed by it.
func TestKeeperRemovesByWhatItHasJustSeen(t *testing.T) {
	k := newKept(t)
	for n := range 4 {
		k.stand(n, "A", 1)
	}
	h := k.house(nil)
	k.slow = removeSoon + time.Second // as where the process was stopped in between
	if err := h.withdraw(t.Context(), 10_000); err != nil || len(k.ops) != 0 {
		t.Errorf("removes %+v, %v", k.ops, err)
	}
	k.slow = removeSoon / 2
	if err := h.withdraw(t.Context(), 10_000); err != nil || len(k.ops) != 4 {
		t.Errorf("removes %+v, %v", k.ops, err)
	}
}

// A removal whose turn did not come in time is no fault: nobody is warned, and it rests as others do.
func TestKeeperIsNotWarnedOfLateRemovals(t *testing.T) {
	k := newKept(t)
	k.stand(1, "A", 1)
	k.ends = func(op model.Operation) model.Operation {
		op.State, op.Failure = model.StateCancelled, &model.Failure{Code: model.CodeCancelled}
		return op
	}
	h := k.house(nil)
	for n := range 2 {
		if err := errors.Join(h.withdraw(t.Context(), 10_000), h.settle(t.Context(), 10_000)); err != nil {
			t.Fatal(err)
		}
		if len(k.ops) != n+1 || k.log.Count("level=WARN") != 0 || k.log.Count("looking at it again") != n+1 || h.Status().UnderWay != 0 {
			t.Errorf("%d removals:\n%s", len(k.ops), k.log)
		}
		k.now = k.now.Add(removeRetry)
	}
}

// No more are under way than may be, whatever is due, and those that others work on stand in nobody's way.
func TestKeeperIsBounded(t *testing.T) {
	k := newKept(t)
	const n = 1000
	for i := range n {
		key := k.stand(i, "A", uint32(1+i))
		k.standing[key] = i < 500
	}
	h := k.house(nil)
	k.last.CloseTime = 20_000
	finished := 0
	for range 2 * n / keptAtOnce {
		if err := h.withdraw(t.Context(), 20_000); err != nil {
			t.Fatal(err)
		}
		open := len(k.ops) - finished
		if open > keptAtOnce {
			t.Fatalf("%d are under way", open)
		}
		k.ends = func(op model.Operation) model.Operation { op.State = model.StateSucceeded; return op }
		if err := h.settle(t.Context(), 20_000); err != nil {
			t.Fatal(err)
		}
		finished = len(k.ops)
	}
	if done := h.Status().Done[ActionWithdrawn].N; done != 500 || len(k.ops) != 500 {
		t.Errorf("%d withdrawn with %d operations", done, len(k.ops))
	}
}

// Each removal that comes to nothing may have cost a fee: the next try waits, longer and longer.
func TestKeeperRestsAfterFailures(t *testing.T) {
	k := newKept(t)
	k.stand(1, "A", 1)
	k.ends = func(op model.Operation) model.Operation {
		op.State, op.Failure = model.StateExpired, &model.Failure{Code: model.CodeNotApplied}
		return op
	}
	h := k.house(nil)
	for n, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		for range 3 {
			if err := errors.Join(h.withdraw(t.Context(), 10_000), h.settle(t.Context(), 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		if len(k.ops) != n+1 {
			t.Fatalf("%d tries, want %d", len(k.ops), n+1)
		}
		k.now = k.now.Add(wait - time.Second)
		if _ = h.withdraw(t.Context(), 10_000); len(k.ops) != n+1 {
			t.Fatalf("tried again before %v", wait)
		}
		k.now = k.now.Add(time.Second)
	}
	if got := doubled(removeRetry, removeMaxRetry, 1000); got != removeMaxRetry {
		t.Errorf("waits %v in the end", got)
	}
}

// A shortage is told of once each time it comes about, and once when it is over.
func TestKeeperWarnsOncePerCrossing(t *testing.T) {
	k := newKept(t)
	h := k.house(func(c *KeeperConfig) { c.Funds = Funds{Room: 20, Balance: 500_000} })
	for _, step := range []struct {
		balance            int64
		low, again, atFees int
	}{
		{5_000_000, 0, 0, 0},                       // room for exactly 20
		{4_999_999, 1, 0, 0}, {4_800_000, 1, 0, 0}, // 19 and 18
		{5_000_000, 1, 0, 0}, {4_999_999, 1, 0, 0}, // about the line
		{5_400_000, 1, 1, 0}, {4_000_000, 2, 1, 0}, // 22 is enough again
		{499_999, 2, 1, 1}, {0, 2, 1, 1}, {9_000_000, 2, 3, 1},
	} {
		k.self.Balance = step.balance
		if err := h.watchFunds(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if low, again, fees := k.log.Count("shortage=reserve"), k.log.Count("suffices again"), k.log.Count("level=WARN msg=\"the issuing account has"); fees != step.atFees ||
			again != step.again || k.log.Count("more credentials: fund it") != step.low {
			t.Errorf("at %d: %d/%d warnings, %d of fees, %d over:\n%s", step.balance, low, step.low, fees, again, k.log)
		}
	}
	k.fails["Account"] = &model.Error{Code: model.CodeAccountNotFound}
	k.self = model.Account{}
	if err := h.watchFunds(t.Context(), 0); err != nil {
		t.Errorf("an account that is gone: %v", err)
	}
}

// running runs a keeper until the test ends.
func (k *kept) running(h *Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(k.t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	k.t.Cleanup(stop)
	return stop
}

func (k *kept) await(what string) {
	k.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		k.mu.Lock()
		calls := slices.Clone(k.calls)
		if k.another == nil {
			k.another = make(chan struct{})
		}
		another := k.another
		k.mu.Unlock()
		if slices.Contains(calls, what) {
			return
		}
		select {
		case <-another:
		case <-limit:
			k.t.Fatalf("no %s in %q", what, calls)
		}
	}
}

// What fails keeps nothing else from being done, and is not asked for again at once.
func TestKeeperGoesOn(t *testing.T) {
	defer goleak.VerifyNone(t)
	k := newKept(t)
	k.known, k.complete, k.erasable, k.overdue = true, 90, 120, 60
	k.stand(1, "A", 1)
	broken := &model.Error{Code: model.CodeStoreUnavailable}
	k.fails["EraseDocuments"], k.fails["Unaccepted"], k.fails["TellExpired 10000"] = broken, broken, broken
	h := k.house(nil)
	stop := k.running(h)
	k.progress <- model.MirrorProgress{Complete: 99, CloseTime: 10_000}
	k.await("TellExpired 10000")
	k.await("Expired")
	k.progress <- model.MirrorProgress{Complete: 100, CloseTime: 10_001}
	k.progress <- model.MirrorProgress{Complete: 101, CloseTime: 10_002}
	if n := k.did("EraseDocuments"); n > 2 {
		t.Errorf("asked %d times", n)
	}
	if !h.Status().Working {
		t.Error("it does not work")
	}
	// Time passes, and it works again.
	k.mu.Lock()
	clear(k.fails)
	k.now = k.now.Add(time.Hour)
	k.mu.Unlock()
	k.progress <- model.MirrorProgress{Complete: 102, CloseTime: 10_003}
	k.await("TellExpired 10003")
	k.await("Create " + string(subjectOf(1)))
	k.progress <- model.MirrorProgress{Complete: 103, CloseTime: 10_004}
	k.await("TellExpired 10004")
	stop()
	if s := h.Status(); s.Working || s.Done[ActionErased].N < 50 || s.Done[ActionLapsed].N != 60 || s.Done[ActionTold].N < 2 || s.UnderWay != 1 {
		t.Errorf("status %+v", s)
	}
	// Here or elsewhere, it goes on.
	k.ends = func(op model.Operation) model.Operation { op.State = model.StateSucceeded; return op }
	stop = k.running(h)
	k.progress <- model.MirrorProgress{Complete: 104, CloseTime: 10_005}
	k.await("TellExpired 10005")
	k.progress <- model.MirrorProgress{Complete: 105, CloseTime: 10_006}
	k.await("TellExpired 10006") // the round before is over
	stop()
	if s := h.Status(); s.Done[ActionWithdrawn].N != 1 || s.UnderWay != 0 {
		t.Errorf("status %+v", s)
	}
}

// What stands is listed first where nothing is known, and again where history is missing.
func TestKeeperLists(t *testing.T) {
	defer goleak.VerifyNone(t)
	k := newKept(t)
	for n := range listedAtOnce + 1 {
		k.stand(n, "B", 1)
	}
	stop := k.running(k.house(nil))
	k.progress <- model.MirrorProgress{Complete: 101, CloseTime: 10_000}
	stop()
	if n := len(k.listed); n != listedAtOnce+1 || k.did("BeginListing") != 1 || k.did("FinishListing") != 1 || k.did("AddListed") != 2 || k.did("Follow 100") != 1 {
		t.Errorf("listed %d: %q", n, k.calls)
	}
	k.calls, k.missing, k.last.Index = nil, 1, 500
	stop = k.running(k.house(nil))
	k.progress <- model.MirrorProgress{Complete: 501, CloseTime: 10_000}
	stop()
	if k.did("Follow 100") != 1 || k.did("BeginListing") != 1 || k.did("Follow 500") != 1 {
		t.Errorf("%q", k.calls)
	}

	// A list that breaks off is not finished, and is begun again after a while.
	k.calls, k.known, k.fails["CredentialsAt"] = nil, false, &model.Error{Code: model.CodeLedgerUnavailable}
	again := make(chan time.Time)
	stop = k.running(k.house(func(c *KeeperConfig) {
		c.After = func(d time.Duration) <-chan time.Time {
			if d == keptRound { // the house's own
				return nil
			}
			return again
		}
	}))
	k.await("CredentialsAt")
	k.mu.Lock()
	clear(k.fails)
	k.mu.Unlock()
	again <- k.now
	k.progress <- model.MirrorProgress{Complete: 501, CloseTime: 10_000}
	stop()
	if k.did("BeginListing") != 2 || k.did("FinishListing") != 1 || k.log.Count("do not follow the ledger") != 1 {
		t.Errorf("%q\n%s", k.calls, k.log)
	}
}

// A listing that fails where history is missing is tried again, though nothing was followed meanwhile.
func TestKeeperListsAfterFailure(t *testing.T) {
	defer goleak.VerifyNone(t)
	k := newKept(t)
	k.known, k.complete, k.missing, k.differences = true, 90, 2, 3
	k.fails["BeginListing"] = &model.Error{Code: model.CodeStoreUnavailable}
	again := make(chan time.Time)
	h := k.house(func(c *KeeperConfig) {
		c.After = func(d time.Duration) <-chan time.Time {
			if d == keptRound { // the house's own
				return nil
			}
			return again
		}
	})
	stop := k.running(h)
	k.await("BeginListing")
	k.mu.Lock()
	clear(k.fails)
	k.mu.Unlock()
	again <- k.now
	k.await("FinishListing")
	k.await("Follow 100")
	stop()
	if n := h.Status().Done[ActionCorrected].N; n != 3 {
		t.Errorf("%d corrections", n)
	}
}
