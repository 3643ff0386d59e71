package main

import (
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
)

func TestSubmitterWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status ledger.Status
		kind   issuer.Shortage
		parts  []string
	}{
		{ledger.Status{Up: true, MaxFeeDrops: 1000}, "", nil},
		{ledger.Status{Trouble: "the lane does not work here"}, "", nil},
		{ledger.Status{Up: true, FeeDrops: 5000, MaxFeeDrops: 1000}, issuer.FeeAboveLimit, []string{"5000 drops", "MAX_FEE_DROPS is 1000"}},
		{ledger.Status{Up: true, Stalled: true, Trouble: "nothing was validated"}, issuer.Stalled, []string{"nothing was validated"}},
		{ledger.Status{Up: true, Undecided: 2}, issuer.Undecided, []string{"2 operations", "issuer operation settle"}},
	} {
		got := submitterWarnings(func() ledger.Status { return tt.status })()
		if tt.kind == "" {
			if len(got) > 0 {
				t.Errorf("%+v: %v", tt.status, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Kind != tt.kind {
			t.Errorf("%+v: %v", tt.status, got)
			continue
		}
		for _, part := range tt.parts {
			if !strings.Contains(got[0].Message, part) {
				t.Errorf("%q does not say %q", got[0].Message, part)
			}
		}
	}
}
