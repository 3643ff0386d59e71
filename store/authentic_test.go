package store

import (
	"slices"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// sql changes rows as somebody with write access to the database does.
func (h *harness) sql(statement string, args ...any) {
	h.t.Helper()
	_, err := h.writeDB.ExecContext(h.ctx(), statement, args...)
	h.ok(err)
}

// quarantined checks that the submitter is given the genuine operations alone, and that the forged one is refused for good.
func (h *harness) quarantinedOnly(forged model.OperationID, genuine ...model.OperationID) {
	h.t.Helper()
	before := h.Quarantined()
	entries := func() (n int) {
		h.ok(h.readDB.QueryRow("SELECT count(*) FROM audit WHERE action = $1 AND target = $2", model.ActionQuarantine, string(forged)).Scan(&n))
		return n
	}
	logged := entries()
	pending, err := h.Pending(h.ctx(), issuerA, 100)
	h.ok(err)
	var got []model.OperationID
	for _, op := range pending {
		got = append(got, op.ID)
	}
	if !slices.Equal(got, genuine) {
		h.t.Fatalf("pending are %v, want %v", got, genuine)
	}
	if n := h.Quarantined() - before; n != 1 {
		h.t.Fatalf("%d operations were refused", n)
	}
	var state, code string
	h.ok(h.readDB.QueryRow("SELECT state, failure_code FROM operations WHERE id = $1", string(forged)).Scan(&state, &code))
	h.equal([]string{state, code}, []string{"refused", string(model.CodeNotAuthentic)})
	h.equal(entries()-logged, 1)
}

const forgedID = model.OperationID("01JD8Q4Z7T9XW3V5K2M6N8P0RS")

// An operation that was inserted into the database is refused, also one with fields of no operation and one with the code of
// another row, and the genuine ones go on.
func TestInsertedOperation(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		one := h.create(issue())
		insert := func(typ, mac string) {
			h.sql("INSERT INTO operations (id, issuer, kind, subject, type, priority, state, created, updated, mac)"+
				" VALUES ($1, $2, 'issue', $3, $4, 0, 'pending', $5, $5, $6)", string(forgedID), string(issuerA), string(subject()), typ, h.clock.Now().UnixMicro(), mac)
		}
		insert("4142", "")
		h.quarantinedOnly(forgedID, one.ID)
		h.state(forgedID, model.StateRefused)
		h.sql("DELETE FROM operations WHERE id = $1", string(forgedID))
		insert("4142", h.operationMAC(&one))
		h.quarantinedOnly(forgedID, one.ID)
		h.sql("DELETE FROM operations WHERE id = $1", string(forgedID))
		insert("ZZ", "")
		h.quarantinedOnly(forgedID, one.ID)
	})
}

// A change of any field that decides what is signed makes an operation refused.
func TestChangedOperation(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		batch, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		h.ok(errOf(h.AddRows(h.ctx(), batch.ID, rowsFrom(1, 1))))
		rows, err := h.Pending(h.ctx(), issuerA, 1)
		h.ok(err)
		row := rows[0].ID
		for _, change := range []string{
			"subject = '" + string(subject()) + "'", "type = '4142'", "uri = '6162'", "uri = NULL", "expiration = NULL", "expiration = 900000001",
			"kind = 'revoke', expiration = NULL, uri = NULL", "created = created + 1", "actor = 'x'", "request_id = 'x'", "mac = ''", "mac = 'x'",
		} {
			op := h.create(issue())
			h.sql("UPDATE operations SET "+change+" WHERE id = $1", string(op.ID))
			h.quarantinedOnly(op.ID, row)
		}
		h.sql("UPDATE operations SET batch_row = 7 WHERE id = $1", string(row))
		h.quarantinedOnly(row)
	})
}

func errOf[T any](_ T, err error) error { return err }

// The state of a final operation can be changed, and nothing is signed again for it: its code is gone, and an operation with an
// attempt is not pending whatever its row says. The age of an operation does not count.
func TestRevivedOperation(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		const revive = "UPDATE operations SET state = 'pending', failure_code = NULL, failure_message = NULL"
		done, a := h.signed(1)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		h.forget()
		h.sql(revive+" WHERE id = $1", string(done.ID))
		h.quarantinedOnly(done.ID)
		h.sql("DELETE FROM attempts WHERE operation = $1", string(done.ID))
		h.sql(revive+" WHERE id = $1", string(done.ID))
		h.quarantinedOnly(done.ID)

		dropped := h.create(issue())
		h.ok(h.Cancel(h.ctx(), dropped.ID, model.Failure{}, model.AuditEntry{Actor: "x"}))
		h.forget()
		h.sql(revive+" WHERE id = $1", string(dropped.ID))
		h.quarantinedOnly(dropped.ID)

		copied, b := h.signed(2)
		mac := h.operationMAC(&copied)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(b)}))
		h.forget()
		h.sql(revive+", mac = $2 WHERE id = $1", string(copied.ID), mac)
		h.quarantinedOnly(copied.ID)

		old := h.create(issue()) // a clock that jumps makes nothing unauthentic
		h.clock.advance(10 * 365 * 24 * time.Hour)
		h.equal(h.state(old.ID, model.StatePending).Unauthentic, false)
	})
}

// What was signed for an operation is followed to its end, whatever became of its row, and nothing more is signed for it.
func TestChangedWhileSigned(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, a := h.signed(1)
		h.sql("UPDATE operations SET subject = $2 WHERE id = $1", string(op.ID), string(subject()))
		inFlight, err := h.InFlight(h.ctx(), issuerA)
		h.ok(err)
		if len(inFlight) != 1 || !inFlight[0].Unauthentic || len(inFlight[0].Attempts) != 1 {
			t.Fatalf("%+v", inFlight)
		}
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		h.state(op.ID, model.StateSucceeded)
	})
}

// The second operation of a renewal is authenticated from the start.
func TestChangedRenewal(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for n, change := range []string{"", "subject = '" + string(subject()) + "'", "uri = NULL", "expiration = 1"} {
			op := h.create(renewal())
			if change != "" {
				h.sql("UPDATE renewals SET "+change+" WHERE id = $1", string(op.ID))
			}
			a := attempt(h.deletion().ID, uint32(n+1))
			h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
			h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
			if change != "" {
				h.quarantinedOnly(op.ID)
				continue
			}
			if pending, err := h.Pending(h.ctx(), issuerA, 10); err != nil || len(pending) != 1 || pending[0].ID != op.ID || !pending[0].Renew {
				t.Fatalf("%+v, %v", pending, err)
			}
			h.ok(h.Cancel(h.ctx(), op.ID, model.Failure{}, model.AuditEntry{Actor: "x"}))
		}
		// The deletion is authenticated too, and the renewal ends with it.
		op := h.create(renewal())
		deletion := h.deletion().ID
		h.sql("UPDATE operations SET subject = $2 WHERE id = $1", string(deletion), string(subject()))
		h.quarantinedOnly(deletion)
		h.state(op.ID, model.StateCancelled)
	})
}

// A review request that was changed in the database, or decided on there, leads to no operation.
func TestChangedRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for _, change := range []string{"subject = '" + string(subject()) + "'", "type = '4142'", "uri = NULL", "expiration = 1", "proven = 0", "renew = 0"} {
			stored := h.apply(application(1))
			h.sql("UPDATE applications SET "+change+" WHERE id = $1", string(stored.ID))
			read, err := h.Application(h.ctx(), stored.ID)
			h.ok(err)
			_, err = h.Decide(h.ctx(), approval(read, "x"))
			h.code(err, model.CodeNotAuthentic)
			h.equal(h.decide(rejection(read, "x")).State, model.ApplicationRejected)
		}
		stored := h.apply(application(1))
		h.decide(rejection(stored, "x"))
		h.sql("UPDATE applications SET state = 'waiting', decided_by = NULL, decision = NULL, erase = NULL, reason = NULL WHERE id = $1", string(stored.ID))
		_, err := h.Decide(h.ctx(), approval(stored, "y"))
		h.code(err, model.CodeNotAuthentic)
		h.sql("UPDATE applications SET state = 'approved', operation = $2, decided_by = 'x', decision = 'x', erase = 1 WHERE id = $1", string(stored.ID), string(forgedID))
		if pending, err := h.Pending(h.ctx(), issuerA, 10); len(pending) != 0 || err != nil {
			t.Errorf("%+v, %v", pending, err)
		}
	})
}

// A key is replaced by one in front of it.
func TestJournalKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		first := h.create(issue())
		h.cfg.JournalKeys = [][32]byte{{2}, {1}}
		both := h.open()
		one, _, err := both.Create(h.ctx(), issue())
		h.ok(err)
		if pending, err := both.Pending(h.ctx(), issuerA, 10); err != nil || len(pending) != 2 {
			t.Fatalf("%+v, %v", pending, err)
		}
		h.cfg.JournalKeys = [][32]byte{{2}}
		last := h.open()
		if pending, err := last.Pending(h.ctx(), issuerA, 10); err != nil || len(pending) != 1 || pending[0].ID != one.ID {
			t.Fatalf("%+v, %v", pending, err)
		}
		h.state(first.ID, model.StateRefused)
	})
}

// What a release without codes left open is adopted once: nothing that is inserted later is.
func TestAdopt(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.equal(must(h.Adopt(h.ctx())), Adopted{}) // a database of this release has nothing to adopt
		op, renewed, request := h.create(issue()), h.create(renewal()), h.apply(application(1))
		for _, table := range []string{"operations", "renewals", "applications"} {
			h.sql("UPDATE " + table + " SET mac = ''")
		}
		h.equal(must(h.Adopt(h.ctx())), Adopted{})
		h.sql("UPDATE adoption SET open = 1")
		h.equal(must(h.Adopt(h.ctx())), Adopted{}) // this process has upgraded nothing
		h.upgraded = true
		h.equal(must(h.Adopt(h.ctx())), Adopted{Operations: 2, Renewals: 1, Requests: 1})
		if pending, err := h.Pending(h.ctx(), issuerA, 10); err != nil || len(pending) != 2 || pending[0].ID != op.ID {
			t.Fatalf("%+v, %v", pending, err)
		}
		h.equal(h.state(renewed.ID, model.StatePending).Unauthentic, false)
		h.decide(approval(request, "x"))

		late := h.create(issue())
		h.sql("UPDATE operations SET mac = '' WHERE id = $1", string(late.ID))
		h.sql("UPDATE adoption SET open = 1") // the audit log says that it was done
		h.equal(must(h.Adopt(h.ctx())), Adopted{})
		h.equal(h.state(late.ID, model.StatePending).Unauthentic, true)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
