package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// logging has a store log into what it returns.
func logging(cfg *Config) *lockedBuffer {
	logged := &lockedBuffer{}
	cfg.Logger = slog.New(slog.NewTextHandler(logged, nil))
	return logged
}

// lose changes the database as if the last transactions were lost.
func (h *harness) lose(statements ...string) {
	h.t.Helper()
	for _, statement := range statements {
		_, err := h.writeDB.Exec(statement)
		h.ok(err)
	}
}

// forget has the process forget its last transactions, for a test that changes them: else it takes the database for rolled back.
func (h *harness) forget() {
	w := &h.witness
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signed, w.concluded = nil, nil
}

// loseEntry loses the last entry of the audit log.
func (h *harness) loseEntry() {
	h.t.Helper()
	h.lose("UPDATE heads SET hash = (SELECT previous FROM audit WHERE seq = heads.entry), entry = entry - 1",
		"DELETE FROM audit WHERE seq > (SELECT entry FROM heads)")
}

// rolledBack is what must hold once a rollback was found: every lease is over, and a recovery is due.
func (h *harness) rolledBack(proven int64) {
	h.t.Helper()
	if n, err := h.OpenRollbacks(h.ctx()); err != nil || n != proven {
		h.t.Errorf("%d rollbacks are not acknowledged, want %d: %v", n, proven, err)
	}
	if _, due, err := h.Recovery(h.ctx()); err != nil || !due {
		h.t.Errorf("a recovery is due: %t, %v", due, err)
	}
	if h.fence.Epoch != 0 {
		if st, err := h.Lane(h.ctx(), issuerA); err != nil || st.Epoch <= h.fence.Epoch || st.Holder != "" {
			h.t.Errorf("the lease is %+v: %v", st, err)
		}
		h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(h.create(issue()).ID, 99)}), model.CodeFenced)
	}
}

// Each kind of lost transaction is found before anything is signed on what is left, and at the next renewal.
func TestLostTransactions(t *testing.T) {
	for name, lose := range map[string]func(h *harness, a model.Attempt){
		"signed": func(h *harness, a model.Attempt) {
			h.lose("DELETE FROM attempts WHERE hash = '"+a.Hash+"'", "UPDATE operations SET state = 'pending' WHERE id = '"+string(a.Operation)+"'")
		},
		"concluded": func(h *harness, a model.Attempt) {
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
			h.lose("UPDATE operations SET state = 'signed' WHERE id = '" + string(a.Operation) + "'")
		},
		"audited":    func(h *harness, _ model.Attempt) { h.loseEntry() },
		"the lease":  func(h *harness, _ model.Attempt) { h.lose("UPDATE lanes SET epoch = epoch - 1") },
		"generation": func(h *harness, _ model.Attempt) { h.lose("UPDATE lineage SET generation = 1") },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h *harness) {
				h.mirrored(10)
				logged := logging(&h.cfg)
				h.Store = h.open()
				if name == "generation" {
					h.ok(h.handleRollback(h.ctx(), &rollbackError{cause: "an earlier one", generation: 1, identity: h.witness.identity}))
				}
				next := h.create(issue())
				_, a := h.signed(1)
				lose(h, a)
				if name == "signed" {
					h.code(h.Sign(h.ctx(), h.fence, []model.Attempt{attempt(next.ID, 2)}), model.CodeStoreUnavailable)
				} else {
					h.code(h.RenewLane(h.ctx(), h.fence, MaxLease), model.CodeStoreUnavailable)
				}
				h.rolledBack(1)
				if n := strings.Count(logged.String(), "level=ERROR msg=\"the database lost committed transactions"); n != 1 {
					t.Errorf("it is logged %d times:\n%s", n, logged)
				}
				// Once is enough: it goes on.
				f, err := h.TakeLane(h.ctx(), issuerA, "again", MaxLease)
				h.ok(err)
				h.ok(h.Sign(h.ctx(), f, []model.Attempt{attempt(next.ID, 2)}))
				r, _, err := h.Recovery(h.ctx())
				h.ok(err)
				h.ok(h.FinishRecovery(h.ctx(), f, r))
				if _, due, err := h.Recovery(h.ctx()); err != nil || due {
					t.Errorf("the recovery is due again: %t, %v", due, err)
				}
			})
		})
	}
}

// A process without the lane finds it too, by itself, and tells the others through the database.
func TestLostTransactionsOnStandby(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		other := h.open()
		h.create(issue())
		eventually(t, "the other process knows of no entry", func() bool {
			other.witness.mu.Lock()
			defer other.witness.mu.Unlock()
			return other.witness.head.entry > 0
		})
		fence := h.take()
		h.loseEntry()
		eventually(t, "nobody finds it", func() bool {
			n, err := other.OpenRollbacks(h.ctx())
			return err == nil && n == 1
		})
		h.code(h.RenewLane(h.ctx(), fence, MaxLease), model.CodeFenced)
		h.rolledBack(1)
	})
}

// After a rollback another process can have been given the same epoch.
func TestSameEpochOfAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := h.create(issue())
		fence := h.take()
		h.lose("UPDATE lanes SET holder = 'another'")
		h.code(h.Sign(h.ctx(), fence, []model.Attempt{attempt(op.ID, 1)}), model.CodeFenced)
		h.code(h.RenewLane(h.ctx(), fence, MaxLease), model.CodeFenced)
	})
}

// The newest audit entry is kept outside the database, and an older database shows by it at the next start.
func TestHeadFile(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			cfg := d.config(t)
			cfg.HeadFile = filepath.Join(t.TempDir(), "audit-head")
			h := newHarness(t, cfg)
			noted := func() string {
				b, err := os.ReadFile(cfg.HeadFile)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				return string(b)
			}
			h.create(issue())
			seq, hash, err := h.AuditHead(h.ctx())
			h.ok(err)
			want := head{seq, upperHex(hash[:])}.String() + "\n"
			eventually(t, "the head is not written", func() bool { return noted() == want })
			h.create(issue())
			h.ok(h.Close()) // and written at the end
			if noted() == want {
				t.Error("the last entry is not noted")
			}

			logged := logging(&h.cfg)
			h.Store = h.open() // as it was
			if n, err := h.OpenRollbacks(h.ctx()); err != nil || n != 0 {
				t.Fatal(n, err)
			}
			h.loseEntry()
			before := noted()
			h.ok(os.WriteFile(cfg.HeadFile, []byte("not a head"), 0o600))
			damaged := h.open()
			if !strings.Contains(logged.String(), "the audit head cannot be read") {
				t.Error(logged)
			}
			h.ok(damaged.Close())
			h.ok(h.Close())

			h.ok(os.WriteFile(cfg.HeadFile, []byte(before), 0o600))
			h.Store = h.open()
			h.rolledBack(int64(strings.Count(logged.String(), "level=ERROR")))
			if !strings.Contains(logged.String(), strings.TrimSpace(before)) {
				t.Errorf("the log does not name the entry %s:\n%s", before, logged)
			}
			n, err := h.AcknowledgeRollbacks(h.ctx(), model.AuditEntry{Actor: "me", Action: "audit.restored"})
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			if n, err := h.OpenRollbacks(h.ctx()); err != nil || n != 0 {
				t.Fatal(n, err)
			}
			h.ok(h.Close())
			h.Store = h.open()
			if n, err := h.OpenRollbacks(h.ctx()); err != nil || n != 0 {
				t.Error(n, err)
			}
		})
	}
}

// Another server, or a copy of the database, is noticed although nothing is missing.
func TestAnotherServer(t *testing.T) {
	h := newHarness(t, drivers[1].config(t))
	h.mirrored(10)
	logged := logging(&h.cfg)
	h.lose("UPDATE lineage SET identity = 'another'")
	h.Store = h.open()
	h.rolledBack(0)
	if !strings.Contains(logged.String(), "level=WARN msg=\"the database was replaced") {
		t.Error(logged)
	}
	ops, err := h.Unjournalled(h.ctx(), []string{hash()})
	if err != nil || len(ops) != 1 {
		t.Error(ops, err)
	}
}
