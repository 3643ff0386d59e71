package lane

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

var modes = []ledger.Mode{ledger.Sequences, ledger.Tickets}

func withMode(m ledger.Mode) func(*ledger.LaneConfig) {
	return func(c *ledger.LaneConfig) { c.Mode = m }
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
