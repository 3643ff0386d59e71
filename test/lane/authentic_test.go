package lane

import (
	"context"
	"database/sql"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// An operation that was signed and whose row was changed afterwards is followed to its end. It is absent, and is not signed
// again.
func TestChangedRowIsNotSignedAgain(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t, sandbox.Config{}, 10_000)
			cfg := database(t, "sqlite")
			s := openStore(t, cfg)
			w.stocked(s, mode)
			op := w.create(s, 1)[0]
			at, reached, release := stopAt()
			r := w.run(s, &hook{Journal: s, afterSign: at}, "", func(c *ledger.LaneConfig) { c.Mode = mode })
			<-reached
			r.crash(t, release) // nothing was sent
			db, err := sql.Open("sqlite", "file:"+cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.Exec("UPDATE operations SET type = '666F72676564' WHERE id = ?", string(op.ID))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			in, err := s.InFlight(t.Context(), w.issuer)
			if err != nil || len(in) != 1 {
				t.Fatalf("%+v, %v", in, err)
			}
			for l := uint32(0); l <= in[0].Attempts[0].LastLedgerSequence; { // its blob can get into no ledger any more
				closed, err := w.node.Accept(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				l = closed
			}
			w.keepClosing(50 * time.Millisecond)
			w.run(s, s, "", func(c *ledger.LaneConfig) { c.Mode = mode })
			ended := wantFinal(t, s, []model.Operation{op}, 30*time.Second)[0]
			if ended.State == model.StateSucceeded || len(ended.Attempts) != 1 || len(w.onLedger()) != 0 {
				t.Errorf("it is %s after %d attempts, and %v are on the ledger", ended.State, len(ended.Attempts), w.onLedger())
			}
		})
	}
}
