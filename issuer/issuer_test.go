package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What needs HTTP to be seen is tested in httpapi, on the same ledger.

// onLedger starts an embedded ledger and a client of it.
func onLedger(t *testing.T) (*sandbox.Server, *ledger.Client) {
	t.Helper()
	server, err := sandbox.Start(context.WithoutCancel(t.Context()),
		sandbox.Config{Listen: "127.0.0.1:0", CloseInterval: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	client, err := ledger.New(ledger.Config{URL: server.WebSocketURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return server, client
}

// funded returns the seed of a new account with XRP.
func funded(t *testing.T, server *sandbox.Server) ledger.Seed {
	t.Helper()
	made, err := server.Fund(t.Context(), "", 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := ledger.ParseSeed(made.Seed.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// journal opens a journal of its own, without a lane.
func journal(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "issuer.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// worked opens a journal that a lane works on, until the test ends.
func worked(t *testing.T, client *ledger.Client, seed ledger.Seed) *store.Store {
	t.Helper()
	s := journal(t)
	l, err := ledger.NewLane(client, ledger.LaneConfig{Account: seed.Address(), Seed: seed, LedgerOffset: 60, Journal: s})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.HoldLane(ctx, seed.Address(), "test", 0, l.Work) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the lane ended with %v", err)
		}
	})
	return s
}

func request(t *testing.T, subject model.Address, credential string) model.CredentialRequest {
	t.Helper()
	r, err := model.ParseCredentialRequest(fmt.Appendf(nil, `{"subject":"%s","credential":"%s","documents":{"reason":"please"}}`, subject, credential))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOwnCheck: the documents' check decides before the ledger is asked anything, and its refusal is told as it is.
func TestOwnCheck(t *testing.T) {
	refusal := model.BadRequest("documents.passport", "must be given")
	i := issuer.New(issuer.Config{ // no ledger and no journal: asking them would end the test
		Account: "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
		Check: func(_ context.Context, r model.CredentialRequest) error {
			if _, ok := r.Documents.Field("passport"); !ok {
				return refusal
			}
			return nil
		},
	})
	if _, err := i.Issue(t.Context(), request(t, "rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ", "A"), issuer.Ask{}); !errors.Is(err, refusal) {
		t.Errorf("%v", err)
	}
}

// TestIssuerNotOnLedger: an issuing account that is not on the ledger has issued nothing, and can carry nothing.
func TestIssuerNotOnLedger(t *testing.T) {
	server, client := onLedger(t)
	subject := funded(t, server)
	i := issuer.New(issuer.Config{Account: "rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ", Ledger: client, Journal: journal(t)})
	for c, err := range i.List(t.Context(), model.AnyAcceptance) {
		t.Errorf("the list holds %v, %v", c, err)
	}
	if _, err := i.Issue(t.Context(), request(t, subject.Address(), "A"), issuer.Ask{}); model.CodeOf(err) != model.CodeInsufficientReserve {
		t.Errorf("issue: %v", err)
	}
	if _, err := i.Revoke(t.Context(), model.Revocation{Subject: subject.Address(), Type: "A"}, issuer.Ask{}); model.CodeOf(err) != model.CodeEntryNotFound {
		t.Errorf("revoke: %v", err)
	}
}

// TestOrderOfChecks: where several things are wrong, what is told is what the ledger itself would have told first.
func TestOrderOfChecks(t *testing.T) {
	server, client := onLedger(t)
	i := issuer.New(issuer.Config{Account: "rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ", Ledger: client, Journal: journal(t)})
	past := uint32(1)
	r := request(t, "rGtnKx7veDhV9CgYenkiCV5HMLpgU2BfcQ", "A") // on no ledger, and nor is the issuer
	if _, err := i.Issue(t.Context(), r, issuer.Ask{}); model.CodeOf(err) != model.CodeNoTarget {
		t.Errorf("no subject and no reserve: %v", err)
	}
	r.Expiration = &past
	if _, err := i.Issue(t.Context(), r, issuer.Ask{}); model.CodeOf(err) != model.CodeBadRequest {
		t.Errorf("expiration past, no subject and no reserve: %v", err)
	}
	self := funded(t, server)
	working := worked(t, client, self)
	i = issuer.New(issuer.Config{Account: self.Address(), Ledger: client, Journal: working})
	v, err := i.Issue(t.Context(), request(t, self.Address(), "Self"), issuer.Ask{})
	if err != nil || v.State != model.StateSucceeded || !v.Result.Succeeded() || v.Result.LedgerIndex == 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := i.Issue(t.Context(), request(t, self.Address(), "Self"), issuer.Ask{}); model.CodeOf(err) != model.CodeDuplicate {
		t.Errorf("again: %v", err)
	}
}

// TestLimits: a caller that is gone already begins nothing, and a limit that runs out is the ledger's unavailability.
func TestLimits(t *testing.T) {
	server, client := onLedger(t)
	self := funded(t, server)
	working := worked(t, client, self)
	i := issuer.New(issuer.Config{Account: self.Address(), Ledger: client, Journal: working, ReadLimit: time.Nanosecond})
	if _, err := i.Issue(t.Context(), request(t, self.Address(), "A"), issuer.Ask{}); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("no time to read: %v", err)
	}
	if _, err := i.Ready(t.Context()); model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("no time to be ready: %v", err)
	}
	i = issuer.New(issuer.Config{Account: self.Address(), Ledger: client, Journal: working})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Issue(gone, request(t, self.Address(), "A"), issuer.Ask{}); !errors.Is(err, context.Canceled) {
		t.Errorf("gone already: %v", err)
	}
	account, err := client.Account(t.Context(), self.Address())
	if err != nil || account.OwnerCount != 0 || account.Balance != 1_000_000_000 {
		t.Errorf("something was sent: %+v, %v", account, err)
	}
}

// TestReceivePanics: rows that cannot even be read (a fault of ours, which httpapi survives) leave no goroutine, and no row behind
// those that were taken.
func TestReceivePanics(t *testing.T) {
	server, client := onLedger(t)
	seed, s := funded(t, server), journal(t)
	i := issuer.New(issuer.Config{Account: seed.Address(), Ledger: client, Journal: s})
	r := request(t, funded(t, server).Address(), "A")
	before := goleak.IgnoreCurrent()
	var batch model.Batch
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it did not panic: this test proves nothing")
			}
		}()
		_, _ = i.Receive(t.Context(), issuer.BatchAsk{Actor: "x"}, func(yield func(issuer.Row, error) bool) {
			for n := 1; yield(issuer.Row{Read: func() (model.CredentialRequest, error) {
				if n == 700 {
					panic("a row")
				}
				return r, nil
			}}, nil); n++ {
			}
		}, func(b model.Batch) { batch = b })
	}()
	if err := goleak.Find(before, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener")); err != nil {
		t.Error(err)
	}
	if st, err := s.Batch(t.Context(), batch.ID); err != nil || st.Rows != 500 || st.State != model.BatchReceiving {
		t.Errorf("%+v, %v", st, err)
	}
}
