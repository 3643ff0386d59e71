package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

type ledgerBelow = Ledger

// indexWorld is a ledger and a credential index. All entries of the ledger that are not gone are unaccepted, as in the index.
type indexWorld struct {
	ledgerBelow // what a test does not expect panics

	mu        sync.Mutex
	last      model.Ledger
	lastErr   error
	complete  uint32
	known     bool
	advances  bool                     // each look at the index finds it one ledger further
	records   []model.CredentialRecord // unaccepted, in order
	gone      map[credentialKey]bool   // from the ledger
	accepted  map[credentialKey]bool   // on the ledger
	reissued  map[credentialKey]bool   // later than the record
	asked     map[credentialKey]int    // of the ledger
	corrected []string                 // each correction
	indexErr  error                    // of Indexed, at once
	brokenErr error                    // of Indexed, at its end
}

func newIndexWorld() *indexWorld {
	return &indexWorld{last: model.Ledger{Index: 100, Hash: "H", CloseTime: 1000}, complete: 100, known: true, gone: map[credentialKey]bool{},
		accepted: map[credentialKey]bool{}, reissued: map[credentialKey]bool{}, asked: map[credentialKey]int{}}
}

func (w *indexWorld) add(subject model.Address, t model.CredentialType) credentialKey {
	w.records = append(w.records, model.CredentialRecord{Ledger: 50, Credential: model.Credential{Subject: subject, Issuer: keptAccount, Type: t}})
	return credentialKey{subject, t}
}

func (w *indexWorld) Ledger(context.Context) (model.Ledger, error) { return w.last, w.lastErr }
func (w *indexWorld) Recent(context.Context) (model.Ledger, error) { return w.last, w.lastErr }

func (w *indexWorld) CredentialAt(_ context.Context, at model.Ledger, subject, issuer model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := credentialKey{subject, t}
	w.asked[key]++
	if at != w.last {
		return model.Credential{}, nil, fmt.Errorf("asked about %v", at)
	}
	if w.gone[key] {
		return model.Credential{}, nil, &model.Error{Code: model.CodeEntryNotFound}
	}
	changed := 50
	if w.reissued[key] {
		changed = 60
	}
	return model.Credential{Subject: subject, Issuer: issuer, Type: t, Accepted: w.accepted[key]}, json.RawMessage(fmt.Sprintf(`{"PreviousTxnLgrSeq":%d}`, changed)), nil
}

func (w *indexWorld) Mirror(context.Context, model.Address) (uint32, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	complete := w.complete
	if w.advances {
		w.complete++
	}
	return complete, w.known, nil
}

func (w *indexWorld) page(holds func(model.CredentialRecord) bool, after model.CredentialRecord, limit int) (out []model.CredentialRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	past := after.Subject == ""
	for _, r := range w.records {
		if past && holds(r) && len(out) < limit {
			out = append(out, r)
		}
		past = past || r == after
	}
	return out
}

func (w *indexWorld) Unaccepted(_ context.Context, _ model.Address, t model.CredentialType, before uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	return w.page(func(r model.CredentialRecord) bool { return r.Type == t && r.Issued < before }, after, limit), nil
}

func (w *indexWorld) UnacceptedOf(_ context.Context, _, subject model.Address, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	return w.page(func(r model.CredentialRecord) bool { return r.Subject == subject }, after, limit), nil
}

func (w *indexWorld) Correct(_ context.Context, _ model.Address, ledger, closeTime uint32, found []model.ListedCredential, absent []model.Credential) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ledger != w.last.Index || closeTime != w.last.CloseTime {
		return 0, fmt.Errorf("corrected as of %d, %d", ledger, closeTime)
	}
	for _, c := range found {
		w.corrected = append(w.corrected, fmt.Sprintf("found %s %s %t@%d", c.Subject, c.Type, c.Accepted, c.Changed))
	}
	for _, c := range absent {
		w.corrected = append(w.corrected, fmt.Sprintf("absent %s %s", c.Subject, c.Type))
	}
	return len(found) + len(absent), nil
}

func (w *indexWorld) Indexed(_ context.Context, _ model.Address, which model.Acceptance, begin func(uint32, bool) error, each func(model.Credential) error) error {
	if w.indexErr != nil {
		return w.indexErr
	}
	w.mu.Lock()
	complete := w.complete
	w.mu.Unlock()
	err := begin(complete, w.known)
	for _, r := range w.records {
		if err == nil && (model.Filter{Side: model.Issued, Acceptance: which}).Match(keptAccount, r.Credential) {
			err = each(r.Credential)
		}
	}
	if err == nil {
		err = w.brokenErr
	}
	return err
}

// Credentials lists one credential, of the type that says where it is from.
func (w *indexWorld) Credentials(context.Context, model.Address, model.Filter) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		if w.lastErr != nil {
			yield(model.Credential{}, w.lastErr)
			return
		}
		yield(model.Credential{Type: "FromTheLedger"}, nil)
	}
}

func (w *indexWorld) issuer() *Issuer {
	return New(Config{Account: keptAccount, Ledger: w, Index: w, Now: func() time.Time { return time.Unix(0, 0) }})
}

// refusing is a store that a limit refuses; it counts.
func refusing(n *int, inAll bool) func() error {
	return func() error {
		*n++
		return &model.Error{Code: model.CodeTooManyUnaccepted, Cause: &model.LimitError{InAll: inAll, Limit: 1}}
	}
}

func TestLimitComparesFirst(t *testing.T) {
	t.Parallel()
	w := newIndexWorld()
	w.add("alice", "Right")
	w.accepted[w.add("alice", "Accepted")] = true
	w.gone[w.add("alice", "Gone")] = true
	w.reissued[w.add("alice", "Reissued")] = true
	other := w.add("bob", "Right")
	later := w.add("alice", "Later")
	w.records[len(w.records)-1].Ledger = 101
	i := w.issuer()
	op := model.Operation{Subject: "alice", Type: "New"}
	stores := 0
	if err := i.underLimits(t.Context(), op, refusing(&stores, false)); model.CodeOf(err) != model.CodeTooManyUnaccepted || stores != 2 {
		t.Errorf("stored %d times: %v", stores, err)
	}
	want := []string{"found alice Accepted true@50", "found alice Reissued false@60", "absent alice Gone"}
	if fmt.Sprint(w.corrected) != fmt.Sprint(want) {
		t.Errorf("corrected %q, want %q", w.corrected, want)
	}
	if w.asked[other] != 0 || w.asked[later] != 0 {
		t.Errorf("asked about %v", w.asked)
	}
	// The same ledger is asked once, whatever is refused. The next one is asked again.
	for range 10 {
		if err := i.underLimits(t.Context(), op, refusing(&stores, false)); model.CodeOf(err) != model.CodeTooManyUnaccepted {
			t.Error(err)
		}
	}
	if n := w.asked[credentialKey{"alice", "Right"}]; n != 1 {
		t.Errorf("asked %d times of one ledger", n)
	}
	w.last.Index, w.complete = 101, 101
	if err := i.underLimits(t.Context(), op, func() error { return nil }); err != nil || w.asked[later] != 0 {
		t.Errorf("what is stored is compared: %v", err)
	}
	_ = i.underLimits(t.Context(), op, refusing(&stores, false))
	if n := w.asked[credentialKey{"alice", "Right"}]; n != 2 || w.asked[later] != 1 {
		t.Errorf("asked %v", w.asked)
	}
	// Other errors are none of its business.
	wrong := errors.New("wrong")
	if err := i.underLimits(t.Context(), op, func() error { return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
}

// A limit of a type counts more records than one ledger is asked about: they take turns.
func TestLimitOfTypeTakesTurns(t *testing.T) {
	t.Parallel()
	w := newIndexWorld()
	const n = 2*checkedAtOnce + 5
	for s := range n {
		w.add(subjectOf(s), "Few")
	}
	w.add("alice", "Other")
	i := w.issuer()
	stores := 0
	for ledger := range uint32(3) {
		w.last.Index, w.complete = 100+ledger, 100+ledger
		_ = i.underLimits(t.Context(), model.Operation{Subject: "alice", Type: "Few"}, refusing(&stores, true))
		if want := min(n, int(ledger+1)*checkedAtOnce); len(w.asked) != want {
			t.Errorf("ledger %d: asked about %d, want %d", ledger, len(w.asked), want)
		}
	}
	w.last.Index, w.complete = 103, 103
	_ = i.underLimits(t.Context(), model.Operation{Subject: "alice", Type: "Few"}, refusing(&stores, true))
	if w.asked[credentialKey{subjectOf(0), "Few"}] != 2 || w.asked[credentialKey{subjectOf(checkedAtOnce), "Few"}] != 1 {
		t.Error("the turns do not begin again")
	}
}

// An index that is a ledger behind is waited for; a ledger that does not answer refuses nobody.
func TestLimitWaitsForTheIndex(t *testing.T) {
	t.Parallel()
	w := newIndexWorld()
	w.complete, w.advances = 98, true
	i := w.issuer()
	stores := 0
	err := i.underLimits(t.Context(), model.Operation{Subject: "alice", Type: "New"}, func() error {
		if stores++; w.complete > 100 {
			return nil
		}
		return &model.Error{Code: model.CodeTooManyUnaccepted, Cause: &model.LimitError{Limit: 1}}
	})
	if err != nil || stores != 2 {
		t.Errorf("stored %d times: %v", stores, err)
	}
	w.lastErr = &model.Error{Code: model.CodeLedgerUnavailable}
	if err := i.underLimits(t.Context(), model.Operation{Subject: "alice"}, refusing(&stores, false)); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Error(err)
	}
	w.lastErr, w.advances, w.complete, w.last.Index = nil, false, 99, 200
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.underLimits(ctx, model.Operation{Subject: "alice"}, refusing(&stores, false)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
