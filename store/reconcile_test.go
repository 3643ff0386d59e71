package store

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// differences reconciles the whole log, and returns what was reported.
func (h *harness) differences() (faults []string) {
	h.t.Helper()
	r := h.Reconcile(func(fault string) { faults = append(faults, fault) })
	var after int64
	more := func() error {
		for {
			page, err := h.AuditEntries(h.ctx(), after, 7)
			if err != nil || len(page) == 0 {
				return err
			}
			if err := r.Entries(h.ctx(), page); err != nil {
				return err
			}
			after = page[len(page)-1].Seq
		}
	}
	h.ok(more())
	h.ok(r.Finish(h.ctx(), more))
	return faults
}

// What the service has stored agrees with the audit log. Each change of it, and each row that the service did not store, is
// named.
func TestReconcile(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		done, a := h.signed(1)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		renewed := h.create(renewal())
		approved, rejected, waiting, withdrawn := h.apply(application(1)), h.apply(application(1)), h.apply(application(1)), h.apply(application(1))
		again := approval(approved, "x")
		again.Operation.Renew = true
		h.decide(again)
		h.decide(rejection(rejected, "x"))
		h.withdraw(withdrawn)
		late := application(1)
		late.DecideBy = h.clock.Now()
		late = h.apply(late)
		h.lapse(1)
		batch, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Actor: "token:b"})
		h.ok(err)
		rows := rowsFrom(1, 5)
		rows[3].Operation, rows[3].Rejected = nil, &model.Failure{Code: "badRequest", Message: "why\x00"}
		h.ok(errOf(h.AddRows(h.ctx(), batch.ID, rows)))
		h.ok(errOf(h.AddRows(h.ctx(), batch.ID, rowsFrom(6, 2))))
		by := model.AuditEntry{Actor: "cli"}
		h.ok(h.CreateToken(h.ctx(), model.Token{ID: "t1", Name: "one", Role: model.RoleReader, Hash: [32]byte{1}, Expires: h.clock.Now().Add(time.Hour)}, by))
		h.ok(h.CreateToken(h.ctx(), model.Token{ID: "t2", Name: "two", Role: model.RoleReader, Hash: [32]byte{2}}, by))
		h.ok(errOf(h.RevokeToken(h.ctx(), "t2", by)))
		if faults := h.differences(); len(faults) > 0 {
			t.Fatalf("nothing was changed: %q", faults)
		}

		var row string
		h.ok(h.readDB.QueryRow("SELECT id FROM operations WHERE batch = $1 AND batch_row = 2", string(batch.ID)).Scan(&row))
		insert := "INSERT INTO operations (id, issuer, kind, subject, type, priority, state, created, updated) SELECT '" + string(forgedID) +
			"', issuer, 'revoke', subject, '4142', 0, 'pending', created, updated FROM operations WHERE id = '" + string(done.ID) + "'"
		token := "INSERT INTO tokens (id, name, role, hash, created) SELECT 't3', 'three', 'admin', hash, created FROM tokens WHERE id = 't1'"
		for _, tc := range []struct{ change, back, want string }{
			{insert, "DELETE FROM operations WHERE id = '" + string(forgedID) + "'", "operation " + string(forgedID) + " has no entry"},
			{"UPDATE operations SET subject = '" + string(subject()) + "' WHERE id = '" + string(done.ID) + "'", "", "operation " + string(done.ID) + " is not the one"},
			{"UPDATE operations SET uri = NULL WHERE id = '" + string(done.ID) + "'", "", "operation " + string(done.ID) + " is not the one"},
			{"UPDATE operations SET expiration = 1 WHERE id = '" + string(done.ID) + "'", "", "operation " + string(done.ID) + " is not the one"},
			{"UPDATE operations SET actor = 'y' WHERE id = '" + string(done.ID) + "'", "", "operation " + string(done.ID) + " is not the one"},
			{"UPDATE renewals SET expiration = 1 WHERE id = '" + string(renewed.ID) + "'", "", "operation " + string(renewed.ID) + " is not the one"},
			{"UPDATE operations SET type = '4142' WHERE id = '" + row + "'", "", "rows 1 to 5 of batch " + string(batch.ID)},
			{"UPDATE applications SET subject = '" + string(subject()) + "' WHERE id = '" + string(waiting.ID) + "'", "", "request " + string(waiting.ID) + " is not the one"},
			{"UPDATE applications SET decided_by = 'y' WHERE id = '" + string(rejected.ID) + "'", "", "request " + string(rejected.ID) + " is rejected by y"},
			{"UPDATE applications SET state = 'waiting', decided_by = NULL, decision = NULL, erase = NULL, reason = NULL WHERE id = '" + string(rejected.ID) + "'", "", "request " + string(rejected.ID) + " is waiting"},
			{"UPDATE applications SET state = 'approved', operation = '" + string(done.ID) + "', reason = NULL WHERE id = '" + string(rejected.ID) + "'", "", "request " + string(rejected.ID) + " is approved"},
			{token, "DELETE FROM tokens WHERE id = 't3'", "token t3 (three) has no entry"},
			{"UPDATE tokens SET role = 'admin' WHERE id = 't1'", "", "token t1 (one) is not the one"},
			{"UPDATE tokens SET expires = NULL WHERE id = 't1'", "", "token t1 (one) is not the one"},
			{"UPDATE tokens SET revoked = NULL WHERE id = 't2'", "", "token t2 (two) was revoked"},
		} {
			for _, table := range []string{"operations", "renewals", "applications", "tokens"} {
				if strings.HasPrefix(tc.change, "UPDATE "+table) {
					h.sql("CREATE TABLE kept AS SELECT * FROM " + table)
				}
			}
			h.sql(tc.change)
			if faults := h.differences(); len(faults) != 1 || !strings.HasPrefix(faults[0], tc.want) {
				t.Errorf("%s: %q", tc.change, faults)
			}
			h.undo(tc.change, tc.back)
		}
		if faults := h.differences(); len(faults) > 0 {
			t.Errorf("all is as it was: %q", faults)
		}
		h.sql("DELETE FROM operations WHERE id = '" + row + "'")
		h.sql("DELETE FROM renewals WHERE id = '" + string(renewed.ID) + "'")
		faults := h.differences()
		if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, "operation "+string(renewed.ID)+" of entry") }) || len(faults) != 2 {
			t.Errorf("%q", faults)
		}
	})
}

// undo takes a change back, by a statement or by the copy of the table.
func (h *harness) undo(change, back string) {
	h.t.Helper()
	if back != "" {
		h.sql(back)
		return
	}
	table := strings.Fields(change)[1]
	rows, err := h.readDB.QueryContext(h.ctx(), "SELECT * FROM kept WHERE '"+table+"' <> '' LIMIT 1")
	h.ok(err)
	columns, err := rows.Columns()
	h.ok(err)
	h.ok(rows.Close())
	var set []string
	for _, c := range columns {
		if c != "id" {
			set = append(set, c+" = k."+c)
		}
	}
	h.sql("UPDATE " + table + " SET " + strings.Join(set, ", ") + " FROM kept k WHERE k.id = " + table + ".id")
	h.sql("DROP TABLE kept")
}
