package lane

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

var modes = []ledger.Mode{ledger.Sequences, ledger.Tickets}

func withMode(m ledger.Mode) func(*ledger.LaneConfig) {
	return func(c *ledger.LaneConfig) { c.Mode = m }
}

// patience is how many ledgers a patient lane's transactions have, so that none expires because the machine is busy.
const patience = 100

// patient is for tests that count how often something was signed, or what was asked for.
func patient(m ledger.Mode) func(*ledger.LaneConfig) {
	return func(c *ledger.LaneConfig) { c.Mode, c.LedgerOffset = m, patience }
}

// each runs a test on every database and in both modes.
func each(t *testing.T, f func(t *testing.T, db string, mode ledger.Mode)) {
	for _, db := range databases {
		for _, mode := range modes {
			t.Run(db+"/"+mode.String(), func(t *testing.T) { f(t, db, mode) })
		}
	}
}

// What is stored as pending, before or after the lane has begun, is issued, each once.
func TestIssuesWhatIsPending(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		ops := w.create(s, 40)
		w.keepClosing(100 * time.Millisecond)
		w.run(s, s, "", withMode(mode))
		ops = append(ops, w.create(s, 300)...)
		w.wantIssued(wantFinal(t, s, ops, 60*time.Second))
	})
}

// What was issued is revoked, and issued anew, in the order in which it is asked for.
func TestRevokes(t *testing.T) {
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		w := newWorld(t, sandbox.Config{}, 10_000)
		s := openStore(t, database(t, db))
		w.keepClosing(50 * time.Millisecond)
		w.run(s, s, "", withMode(mode))
		ops := wantFinal(t, s, w.create(s, 5), 30*time.Second)
		for _, kind := range []model.Kind{model.KindRevoke, model.KindIssue} {
			var next []model.Operation
			for _, op := range ops {
				stored, _, err := s.Create(t.Context(), model.Operation{Issuer: w.issuer, Kind: kind, Subject: op.Subject, Type: op.Type})
				if err != nil {
					t.Fatal(err)
				}
				next = append(next, stored)
			}
			next = wantFinal(t, s, next, 30*time.Second)
			for _, op := range next {
				if op.State != model.StateSucceeded {
					t.Errorf("%s: %s, %+v", kind, op.State, op.Failure)
				}
			}
			if kind == model.KindRevoke {
				if all := w.onLedger(); len(all) != 0 {
					t.Errorf("%d credentials are left", len(all))
				}
				continue
			}
			w.wantIssued(next)
		}
	})
}
