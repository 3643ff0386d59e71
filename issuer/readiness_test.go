package issuer_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

func names(failing []issuer.Failing) []string {
	var all []string
	for _, f := range failing {
		all = append(all, f.Check)
	}
	return all
}

// TestReadiness: issuing depends on this process while it holds the lease, and else on the holder, by what that wrote of itself.
func TestReadiness(t *testing.T) {
	t.Parallel()
	server, client := onLedger(t)
	account, here := funded(t, server).Address(), journal(t)
	var fault atomic.Pointer[string]
	says := func(s string) { fault.Store(&s) }
	says("")
	checks := []issuer.Check{{Name: "submitter", Fault: func() string { return *fault.Load() }}, {Name: "network", Fault: func() string { return "" }}}
	var ahead time.Duration
	i := issuer.New(issuer.Config{Account: account, Ledger: client, Journal: here, Now: func() time.Time { return time.Now().Add(ahead) },
		House: issuer.HouseConfig{Records: here, Holder: "this", Checks: checks}})
	want := func(what string, checks ...string) []issuer.Failing {
		t.Helper()
		r := i.Readiness(t.Context())
		if r.ReadErr != nil || r.Ledger.Index == 0 || !slices.Equal(names(r.Failing), checks) {
			t.Errorf("%s: %+v, want %v", what, r, checks)
		}
		s, err := i.Status(t.Context())
		if err != nil || !slices.Equal(names(s.Failing), checks) {
			t.Errorf("%s: the status has %v, %v", what, s.Failing, err)
		}
		return r.Failing
	}
	want("nobody has taken the lease yet")
	ahead += issuer.TakeoverTime + time.Second
	want("nobody takes the lease", issuer.CheckLease)

	fence, err := here.TakeLane(t.Context(), account, "this", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want("this process has it")
	says("the fee is above the limit")
	if got := want("its submitter is in trouble", "submitter"); got[0].Message != "the fee is above the limit" {
		t.Errorf("%+v", got)
	}
	if err := here.ReleaseLane(t.Context(), fence); err != nil {
		t.Fatal(err)
	}
	want("released just now") // what this process would say of itself is no matter

	renew := func(fence model.Fence, s *store.Store) {
		t.Helper()
		if err := s.RenewLane(t.Context(), fence, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if fence, err = here.TakeLane(t.Context(), account, "another", time.Minute); err != nil {
		t.Fatal(err)
	}
	want("another process has it, and has said nothing")
	here.ReportCondition(func() string { return issuer.Condition(checks) })
	renew(fence, here)
	if got := want("the other process is in trouble", "submitter"); got[0].Message != "the fee is above the limit" {
		t.Errorf("%+v", got)
	}
	says("")
	renew(fence, here)
	want("the trouble is over")
	here.ReportCondition(func() string { return "of a later version" })
	renew(fence, here)
	want("trouble in a form that is not known", "submitter")
}

// TestReadinessOfAccount: an account that cannot carry another credential issues nothing; reading goes on.
func TestReadinessOfAccount(t *testing.T) {
	t.Parallel()
	server, client := onLedger(t)
	here := journal(t)
	poor, err := server.Fund(t.Context(), "", 1_100_000) // the base reserve and less than one increment
	if err != nil {
		t.Fatal(err)
	}
	absent, err := ledger.ParseSeed("sEdSJHS4oiAdz7w2X2ni1gFiqtbJHqE")
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range []model.Address{model.Address(poor.Address), absent.Address()} {
		i := issuer.New(issuer.Config{Account: account, Ledger: client, Journal: here})
		if r := i.Readiness(t.Context()); r.ReadErr != nil || !slices.Equal(names(r.Failing), []string{issuer.CheckAccount}) {
			t.Errorf("%s: %+v", account, r)
		}
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	i := issuer.New(issuer.Config{Account: model.Address(poor.Address), Ledger: client, Journal: here})
	if r := i.Readiness(t.Context()); model.CodeOf(r.ReadErr) != model.CodeStoreUnavailable || !slices.Equal(names(r.Failing), []string{issuer.CheckJournal}) {
		t.Errorf("%+v", r)
	}
}
