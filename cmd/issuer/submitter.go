package main

import (
	"fmt"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/ledger"
)

// submitterWarnings returns what an operator should look at in the submitter of this process. One that does not submit here
// has none.
func submitterWarnings(status func() ledger.Status) func() []issuer.Warning {
	return func() []issuer.Warning {
		s := status()
		var out []issuer.Warning
		if s.FeeDrops > 0 {
			out = append(out, issuer.Warning{Kind: issuer.FeeAboveLimit, Message: fmt.Sprintf(
				"submission is paused: the XRP Ledger asks %d drops for a transaction, and MAX_FEE_DROPS is %d; wait, or raise it", s.FeeDrops, s.MaxFeeDrops)})
		}
		if s.Stalled {
			out = append(out, issuer.Warning{Kind: issuer.Stalled, Message: s.Trouble})
		}
		if s.Undecided > 0 {
			out = append(out, issuer.Warning{Kind: issuer.Undecided, Message: fmt.Sprintf(
				"%d operations cannot be decided, as the node lacks the history: set XRPL_NETWORK to a node that has it, or use issuer operation settle", s.Undecided)})
		}
		return out
	}
}
