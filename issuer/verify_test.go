package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/xrplissuer/credential-issuer/model"
)

// streamedLedger has a newest ledger that its stream told of, and a last one that it is asked for.
type streamedLedger struct {
	ledgerBelow
	recent, last model.Ledger
	asked        int            // for the last one
	looks        map[string]int // of a credential, by ledger
	accepted     map[string]bool
	missing      map[string]bool // ledgers that the node lacks
}

func (l *streamedLedger) Recent(context.Context) (model.Ledger, error) { return l.recent, nil }

func (l *streamedLedger) Ledger(context.Context) (model.Ledger, error) {
	l.asked++
	return l.last, nil
}

func (l *streamedLedger) CredentialAt(_ context.Context, at model.Ledger, subject, issuer model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error) {
	l.looks[at.Hash]++
	if l.missing[at.Hash] {
		return model.Credential{}, nil, &model.Error{Code: model.CodeLedgerUnavailable, Cause: errors.New("lgrNotFound")}
	}
	return model.Credential{Subject: subject, Issuer: issuer, Type: t, Accepted: l.accepted[at.Hash]}, json.RawMessage(`{}`), nil
}

// A valid credential takes one request of the newest ledger on the stream. Anything else is looked up in the last one.
func TestVerifyTakesTheLedgerFromTheStream(t *testing.T) {
	t.Parallel()
	five, six := model.Ledger{Index: 5, Hash: "5"}, model.Ledger{Index: 6, Hash: "6"}
	for _, tc := range []struct {
		name              string
		last              model.Ledger
		accepted, missing map[string]bool
		valid             bool
		at                uint32
		asked             int
		looks             string
	}{
		{"valid", six, map[string]bool{"5": true, "6": true}, nil, true, 5, 0, "map[5:1]"},
		{"accepted since", six, map[string]bool{"6": true}, nil, true, 6, 1, "map[5:1 6:1]"},
		{"not accepted", six, nil, nil, false, 6, 1, "map[5:1 6:1]"},
		{"not accepted, no newer ledger", five, nil, nil, false, 5, 1, "map[5:1]"},
		{"no such ledger", six, map[string]bool{"6": true}, map[string]bool{"5": true}, true, 6, 1, "map[5:1 6:1]"},
	} {
		l := &streamedLedger{recent: five, last: tc.last, looks: map[string]int{}, accepted: tc.accepted, missing: tc.missing}
		v, err := New(Config{Account: keptAccount, Ledger: l}).Verify(t.Context(), keptAccount, "", "A")
		if err != nil || v.Valid != tc.valid || v.At.Index != tc.at || l.asked != tc.asked || fmt.Sprint(l.looks) != tc.looks {
			t.Errorf("%s: %+v, %v; asked %d, looks %v", tc.name, v, err, l.asked, l.looks)
		}
	}
	l := &streamedLedger{recent: five, last: five, looks: map[string]int{}, missing: map[string]bool{"5": true}}
	if _, err := New(Config{Account: keptAccount, Ledger: l}).Verify(t.Context(), keptAccount, "", "A"); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("a ledger that the node lacks: %v", err)
	}
}

// heldLedger answers about a credential when it is released.
type heldLedger struct {
	ledgerBelow
	release chan struct{}
	looking atomic.Int64
}

func (*heldLedger) Recent(context.Context) (model.Ledger, error) {
	return model.Ledger{Index: 5, Hash: "5"}, nil
}

func (l *heldLedger) CredentialAt(_ context.Context, _ model.Ledger, subject, issuer model.Address, t model.CredentialType) (model.Credential, json.RawMessage, error) {
	l.looking.Add(1)
	<-l.release
	return model.Credential{Subject: subject, Issuer: issuer, Type: t, Accepted: true}, json.RawMessage(`{}`), nil
}

// However many verify, a bounded number of them reads the ledger.
func TestVerificationsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &heldLedger{release: make(chan struct{})}
		i := New(Config{Account: keptAccount, Ledger: l})
		const n = 3 * looksAtOnce
		verdicts := make(chan model.Verdict, n)
		for k := range n {
			go func() {
				v, err := i.Verify(t.Context(), keptAccount, "", model.CredentialType(fmt.Sprint(k)))
				if err != nil {
					t.Error(err)
				}
				verdicts <- v
			}()
		}
		synctest.Wait()
		if got := l.looking.Load(); got != looksAtOnce {
			t.Errorf("%d at once, want %d", got, looksAtOnce)
		}
		close(l.release)
		for range n {
			if v := <-verdicts; !v.Valid {
				t.Errorf("%+v", v)
			}
		}
	})
}
