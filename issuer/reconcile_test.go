package issuer

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/model"
)

// closes has ledgers close until holds is true. Each ledger is taken in before the next one closes.
func (k *kept) closes(what string, holds func() bool) {
	k.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		done := holds() // without mu: the keeper reads the clock with its own mutex held
		k.mu.Lock()
		k.last.Index++
		k.last.CloseTime++
		p := model.MirrorProgress{Complete: k.last.Index, Newest: k.last.Index, Hash: fmt.Sprint("hash of ", k.last.Index), CloseTime: k.last.CloseTime}
		k.mu.Unlock()
		if done {
			return
		}
		select {
		case k.progress <- p:
		case <-limit:
			k.t.Fatalf("never %s:\n%s", what, k.log)
		}
	}
}

func (k *kept) pass(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

func TestKeeperReconciles(t *testing.T) {
	defer goleak.VerifyNone(t)
	k := newKept(t)
	k.known, k.complete = true, 90
	for n := range 3 {
		key := k.stand(n, "B", 1)
		k.index = append(k.index, k.entries[key].Credential)
	}
	h := k.house(func(c *KeeperConfig) { c.Reconcile = 10 * time.Minute })
	stop := k.running(h)
	count := func(a KeeperAction) uint64 { return h.Status().Done[a].N }

	// It begins with the keeper, and is due again after the interval.
	k.closes("reconciled", func() bool { return count(ActionReconciled) == 1 })
	k.pass(9 * time.Minute)
	ledgers := 0
	k.closes("some ledgers", func() bool { ledgers++; return ledgers > 5 })
	if n := count(ActionReconciled); n != 1 {
		t.Errorf("%d comparisons within an interval", n)
	}
	k.pass(time.Minute)
	k.closes("reconciled again", func() bool { return count(ActionReconciled) == 2 })
	if n := k.did("BeginListing"); n != 0 || k.log.Count("level=WARN") != 0 {
		t.Errorf("%d listings of an index that is right:\n%s", n, k.log)
	}

	// A node that does not list is asked again after a minute; meanwhile the index goes on.
	k.mu.Lock()
	k.fails["CredentialsAt"] = &model.Error{Code: model.CodeLedgerUnavailable}
	k.now = k.now.Add(time.Hour)
	k.mu.Unlock()
	k.closes("a warning", func() bool { return k.log.Count("cannot be compared with the ledger") == 1 })
	k.mu.Lock()
	clear(k.fails)
	k.now = k.now.Add(time.Minute)
	k.mu.Unlock()
	k.closes("reconciled after a failure", func() bool { return count(ActionReconciled) == 3 })

	// A difference is corrected by a new listing.
	k.mu.Lock()
	k.index[1].Accepted = true
	k.differences = 1
	k.now = k.now.Add(time.Hour)
	k.mu.Unlock()
	k.closes("corrected", func() bool { return count(ActionCorrected) == 1 })
	if n := k.did("Reconciled 0"); n != 1 {
		t.Errorf("the index was called different %d times", n)
	}
	if k.log.Count("level=WARN msg=\"the credential index differs from the ledger") != 1 ||
		k.log.Count("level=WARN msg=\"the credential index was corrected\"") != 1 || k.log.Count("differences=1") != 1 {
		t.Errorf("the log has\n%s", k.log)
	}
	k.mu.Lock()
	k.index[1].Accepted = false
	k.mu.Unlock()
	k.pass(10 * time.Minute)
	k.closes("reconciled after a correction", func() bool { return count(ActionReconciled) == 4 })

	// Each start of the keeper compares, as what happened meanwhile is unknown.
	stop()
	stop = k.running(h)
	k.closes("reconciled after a start", func() bool { return count(ActionReconciled) == 5 })
	stop()
}

// Every difference counts, whatever it is.
func TestKeeperFindsEachDifference(t *testing.T) {
	for name, change := range map[string]func(k *kept){
		"accepted on the ledger": func(k *kept) { k.index[0].Accepted = !k.index[0].Accepted },
		"another expiration":     func(k *kept) { k.index[0].Expiration++ },
		"another URI":            func(k *kept) { k.index[0].URI = "x" },
		"missing from the index": func(k *kept) { k.index = k.index[1:] },
		"not on the ledger": func(k *kept) {
			k.index = append(k.index, model.Credential{Subject: "another", Issuer: keptAccount, Type: "B"})
		},
		"one for another of its kind": func(k *kept) { k.index[0].Subject = "another" },
		"an account without entries": func(k *kept) {
			k.fails["CredentialsAt"] = &model.Error{Code: model.CodeAccountNotFound}
			clear(k.entries)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKept(t)
			k.known, k.complete, k.differences = true, 90, 1
			for n := range 2 {
				key := k.stand(n, "B", 1)
				k.index = append(k.index, k.entries[key].Credential)
			}
			change(k)
			h := k.house(nil)
			stop := k.running(h)
			k.closes("corrected", func() bool { return h.Status().Done[ActionCorrected].N == 1 })
			stop()
		})
	}
}

// An index that cannot be read ends no more than the Follow, which begins again.
func TestKeeperReadsTheIndexAgain(t *testing.T) {
	k := newKept(t)
	k.known, k.complete = true, 90
	k.fails["Indexed"] = errors.New("broken")
	h := k.house(func(c *KeeperConfig) {
		c.After = func(time.Duration) <-chan time.Time { return time.After(time.Millisecond) }
	})
	stop := k.running(h)
	k.closes("a failure", func() bool { return k.log.Count("do not follow the ledger; trying again") > 0 })
	k.mu.Lock()
	clear(k.fails)
	k.mu.Unlock()
	k.closes("reconciled", func() bool { return h.Status().Done[ActionReconciled].N == 1 })
	stop()
}

// TestKeeperReindexes: an index past the proven ledger is taken back and listed again. One that is a little ahead of a node that
// lags is left as it is.
func TestKeeperReindexes(t *testing.T) {
	defer goleak.VerifyNone(t)
	for ahead, want := range map[uint32]uint64{10_000_000: 1, mostAhead: 0} {
		k := newKept(t)
		k.known, k.complete = true, k.last.Index+ahead
		h := k.house(nil)
		stop := k.running(h)
		k.closes("followed", func() bool { return h.Status().Done[ActionReindexed].N == want })
		k.closes("another ledger", func() bool { return true })
		stop()
		k.mu.Lock()
		if complete := k.complete; want == 1 && complete > k.last.Index {
			t.Errorf("the index is at %d, the ledger at %d", complete, k.last.Index)
		}
		k.mu.Unlock()
	}
}

// TestKeeperFindsIndexAhead: an index past the newest ledger is noticed while the keeper follows, whether it was so at the start
// or is moved later, and is listed again once.
func TestKeeperFindsIndexAhead(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, test := range map[string]struct {
		start, later uint32 // ledgers ahead
		most         int    // ledgers until it is noticed
	}{
		"far ahead later":      {0, 10_000_000, 2},
		"a little ahead later": {0, 100, aheadLedgers + 2},
		"ahead at the start":   {100, 0, aheadLedgers + 2},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKept(t)
			k.known, k.complete = true, k.last.Index+test.start
			h := k.house(nil)
			k.running(h)
			reindexed := func() bool { return h.Status().Done[ActionReindexed].N == 1 }
			if test.later > 0 {
				k.closes("followed", func() bool { return h.Status().Done[ActionReconciled].N == 1 })
				k.mu.Lock()
				k.complete = k.last.Index + test.later
				k.mu.Unlock()
			}
			ledgers := -1
			k.closes("listed again", func() bool { ledgers++; return reindexed() })
			if ledgers > test.most {
				t.Errorf("noticed after %d ledgers", ledgers)
			}
			for range 2 * aheadLedgers {
				k.closes("another ledger", func() bool { return true })
			}
			if n := k.log.Count("level=ERROR msg=\"the credential index is past the proven ledger; listing the credentials again\""); n != 1 || !reindexed() {
				t.Errorf("%d reports\n%s", n, k.log)
			}
		})
	}
}

func TestLag(t *testing.T) {
	for _, test := range []struct{ complete, validated, want uint32 }{
		{90, 100, 10}, {100, 100, 0}, {100 + aheadLedgers, 100, 0}, {101 + aheadLedgers, 100, aheadLedgers + 1}, {10_000_100, 100, 10_000_000},
	} {
		if got := lag(test.complete, test.validated); got != test.want {
			t.Errorf("index %d, ledger %d: %d, want %d", test.complete, test.validated, got, test.want)
		}
	}
}
