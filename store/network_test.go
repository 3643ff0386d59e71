package store

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/xrplissuer/credential-issuer/model"
)

func ledgerAt(index uint32) model.Ledger {
	return model.Ledger{Index: index, Hash: hash(), CloseTime: 800000000 + 4*index}
}

func TestNetwork(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if _, bound, err := h.Network(h.ctx()); bound || err != nil {
			t.Errorf("a new journal: %t, %v", bound, err)
		}
		h.ok(h.SeeNetwork(h.ctx(), model.Network{Last: ledgerAt(9)})) // of nothing: nothing
		first := ledgerAt(7)
		n := model.Network{Name: "ws://127.0.0.1:5005 \x00", ID: 4294967295, First: first, Last: first}
		stored, err := h.BindNetwork(h.ctx(), n)
		h.ok(err)
		n.Name, n.Bound, n.Seen = "ws://127.0.0.1:5005 \uFFFD", h.clock.Now(), h.clock.Now()
		if stored != n {
			t.Errorf("%+v, want %+v", stored, n)
		}
		other := model.Network{Name: "other", First: ledgerAt(300), Last: ledgerAt(300), Flag: model.Ledger{Index: 256, Hash: hash()}}
		if stored, err = h.BindNetwork(h.ctx(), other); err != nil || stored != n {
			t.Errorf("a second one: %+v, %v", stored, err)
		}
		n.Last = ledgerAt(600)
		h.ok(h.SeeNetwork(h.ctx(), n))
		h.ok(h.SeeNetwork(h.ctx(), model.Network{Last: ledgerAt(599)}))
		h.ok(h.SeeNetwork(h.ctx(), model.Network{Last: model.Ledger{Index: 600, Hash: hash()}}))
		n.Flag = model.Ledger{Index: 512, Hash: hash()}
		h.ok(h.SeeNetwork(h.ctx(), n))
		h.ok(h.SeeNetwork(h.ctx(), model.Network{Last: n.Last, Flag: model.Ledger{Index: 256, Hash: hash()}}))
		stored, bound, err := h.open().Network(h.ctx())
		if err != nil || !bound || stored != n {
			t.Errorf("%+v, want %+v, %v", stored, n, err)
		}
	})
}

// Of several processes that use a new journal for different networks at the same moment, one binds it, and all hear
// whose it is.
func TestNetworkIsBoundOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var got [3]model.Network
		var wg sync.WaitGroup
		for i, s := range []*Store{h.Store, h.open(), h.open()} {
			wg.Go(func() {
				l := ledgerAt(uint32(i + 1))
				var err error
				if got[i], err = s.BindNetwork(h.ctx(), model.Network{Name: strings.Repeat("x", i+1), First: l, Last: l}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got[0].First.Index == 0 || got[0] != got[1] || got[1] != got[2] {
			t.Errorf("%+v", got)
		}
	})
}

// A journal of the release before, with work in it, goes on: its tables are brought up to date, its batches have no sums
// and take what they are sent, and its network is bound when it is first used.
func TestJournalOfTheReleaseBefore(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			cfg := d.config(t)
			old := &harness{t: t, cfg: cfg}
			file := "migrations/" + d.name + "/0001_journal.sql"
			one, err := migrations.ReadFile(file)
			old.ok(err)
			s := &Store{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: systemClock{}}
			s.hub = newHub(s)
			if cfg.URL != "" {
				_, err = s.openPostgres(old.ctx())
			} else {
				err = s.openSQLite(old.ctx())
			}
			old.ok(err)
			old.ok(s.migrate(old.ctx(), fstest.MapFS{file: {Data: one}}))
			batch, op := model.OperationID("01JD8Q4Z7T9XW3V5K2M6N8P0RS"), model.OperationID("01JD8Q4Z7T9XW3V5K2M6N8P0RT")
			for _, statement := range []string{
				"INSERT INTO batches (id, issuer, state, rows, created, updated) VALUES ('" + string(batch) + "', '" + string(issuerA) + "', 'receiving', 1, 1, 1)",
				"INSERT INTO operations (id, issuer, kind, subject, type, batch, batch_row, priority, state, created, updated) VALUES ('" + string(op) + "', '" +
					string(issuerA) + "', 'issue', '" + string(subject()) + "', '4142', '" + string(batch) + "', 1, 1, 'pending', 1, 1)",
			} {
				_, err := s.writeDB.Exec(statement)
				old.ok(err)
			}
			old.ok(s.closeDBs())

			h := newHarness(t, cfg)
			if _, bound, err := h.Network(h.ctx()); bound || err != nil {
				t.Errorf("bound %t, %v", bound, err)
			}
			l := ledgerAt(5000)
			if n, err := h.BindNetwork(h.ctx(), model.Network{Name: "devnet", ID: 2, First: l, Last: l}); err != nil || n.First != l {
				t.Errorf("%+v, %v", n, err)
			}
			h.state(op, model.StatePending)
			if n, err := h.AddRows(h.ctx(), batch, rowsFrom(1, 3)); n != 3 || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
			h.ok(h.SealBatch(h.ctx(), batch, 3))
			if st, err := h.Batch(h.ctx(), batch); err != nil || st.Counts[model.StatePending] != 3 || !st.Cancelled.IsZero() {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
}
