package store

import (
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func rowsFrom(first int64, n int) []model.BatchRow {
	rows := make([]model.BatchRow, n)
	for i := range rows {
		op := issue()
		rows[i] = model.BatchRow{Row: first + int64(i), Operation: &op}
	}
	return rows
}

func TestBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		key := &model.IdempotencyKey{Key: "upload", RequestHash: [32]byte{9}}
		b, replayed, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: key})
		h.ok(err)
		if replayed || b.State != model.BatchReceiving || b.Rows != 0 || b.Created != h.clock.Now() {
			t.Errorf("%+v", b)
		}
		rows := rowsFrom(1, 10)
		rows[2] = model.BatchRow{Row: 3, Rejected: &model.Failure{Code: model.CodeBadRequest, Message: "subject \x00 must be …"}}
		rows[3].Operation.Kind, rows[3].Operation.Expiration, rows[3].Operation.URI = model.KindRevoke, nil, ""
		twin := *rows[0].Operation
		rows[4].Operation = &twin // the same subject and type as the first row
		standing := h.create(issue())
		rows[5].Operation.Subject = standing.Subject
		n, err := h.AddRows(h.ctx(), b.ID, rows)
		h.ok(err)
		if n != 10 {
			t.Errorf("%d rows", n)
		}
		first := h.operationOfRow(b.ID, 1)

		// The sender is not sure, begins anew from its key, sends some again, and goes on.
		again, replayed, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: key})
		h.ok(err)
		if !replayed || again.ID != b.ID || again.Rows != 10 {
			t.Errorf("%+v", again)
		}
		_, _, err = h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: &model.IdempotencyKey{Key: "upload"}})
		h.code(err, model.CodeKeyReused)
		taken := issue()
		taken.Key = key
		_, _, err = h.Create(h.ctx(), taken)
		h.code(err, model.CodeKeyReused)
		n, err = h.AddRows(h.ctx(), b.ID, rows)
		if n != 10 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		more := append(rows[8:], rowsFrom(11, 2)...)
		n, err = h.AddRows(h.ctx(), b.ID, more)
		if n != 12 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		if got := h.operationOfRow(b.ID, 1); got != first {
			t.Errorf("the first row was %s and is %s", first, got)
		}
		_, err = h.AddRows(h.ctx(), b.ID, rowsFrom(14, 1))
		h.code(err, model.CodeBadRequest)
		for _, bad := range [][]model.BatchRow{{{Row: 13}}, {rows[0], rows[2]}, rowsFrom(0, 1), rowsFrom(13, MaxRowsAtOnce+1)} {
			_, err = h.AddRows(h.ctx(), b.ID, bad)
			h.code(err, model.CodeInternal)
		}
		h.code(h.SealBatch(h.ctx(), b.ID, 11), model.CodeWrongState)
		h.ok(h.SealBatch(h.ctx(), b.ID, 12))
		h.ok(h.SealBatch(h.ctx(), b.ID, 12))
		_, err = h.AddRows(h.ctx(), b.ID, rowsFrom(13, 1))
		h.code(err, model.CodeWrongState)
		n, err = h.AddRows(h.ctx(), b.ID, more)
		if n != 12 || err != nil {
			t.Errorf("what is there already, after the end: %d, %v", n, err)
		}

		// The lane does its work.
		ops, err := h.Pending(h.ctx(), issuerA, 100)
		h.ok(err)
		var attempts []model.Attempt
		ops = slices.DeleteFunc(ops, func(op model.Operation) bool { return op.Batch != b.ID })
		for i, op := range ops {
			if i > 0 && op.Row <= ops[i-1].Row {
				t.Errorf("row %d before row %d", ops[i-1].Row, op.Row)
			}
			attempts = append(attempts, attempt(op.ID, uint32(i+1)))
		}
		h.ok(h.Sign(h.ctx(), h.take(), attempts[:4]))
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(attempts[0]), success(attempts[1]),
			{Operation: attempts[2].Operation, State: model.StateFailed, Result: validated(attempts[2].Hash, "tecNO_TARGET")},
			{Operation: attempts[3].Operation, State: model.StateExpired, Absent: []string{attempts[3].Hash}}}))
		st, err := h.Batch(h.ctx(), b.ID)
		h.ok(err)
		want := map[model.State]int64{model.StatePending: 5, model.StateSucceeded: 2, model.StateFailed: 1, model.StateExpired: 1}
		if !reflect.DeepEqual(st.Counts, want) || st.Rejected != 3 || st.Finished() || st.Open() != 5 || st.Failed() != 5 || st.State != model.BatchReceived || st.Rows != 12 {
			t.Errorf("%+v", st)
		}
		h.ok(h.Sign(h.ctx(), h.fence, attempts[4:5]))
		if n, err := h.CancelBatch(h.ctx(), b.ID, model.Failure{Code: "stopped", Message: "by its sender"}, model.AuditEntry{}); n != 4 || err != nil {
			t.Errorf("%d cancelled, %v", n, err)
		}
		if n, err := h.CancelBatch(h.ctx(), b.ID, model.Failure{}, model.AuditEntry{}); n != 0 || err != nil {
			t.Errorf("%d cancelled, %v", n, err)
		}
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(attempts[4])}))
		if st, err = h.Batch(h.ctx(), b.ID); err != nil || !st.Finished() || st.Counts[model.StateSucceeded] != 3 || st.Counts[model.StateCancelled] != 4 {
			t.Errorf("%+v, %v", st, err)
		}

		all, err := h.BatchRows(h.ctx(), b.ID, 0, 0, false)
		h.ok(err)
		var lines []string
		for _, r := range all {
			code := model.Code("-")
			if r.Failure != nil {
				code = r.Failure.Code
			}
			lines = append(lines, fmt.Sprintf("%d %s %s %t", r.Row, r.State, code, r.Hash != ""))
		}
		if got, want := strings.Join(lines, "\n"), strings.TrimSpace(`
1 succeeded - true
2 succeeded - true
3  badRequest false
4 failed tecNO_TARGET true
5  inProgress false
6  inProgress false
7 expired notValidated false
8 succeeded - true
9 cancelled stopped false
10 cancelled stopped false
11 cancelled stopped false
12 cancelled stopped false`); got != want {
			t.Errorf("rows\n%s\nwant\n%s", got, want)
		}
		if !strings.Contains(all[4].Failure.Message, string(first)) || !strings.Contains(all[5].Failure.Message, string(standing.ID)) ||
			all[0].Subject != rows[0].Operation.Subject || all[0].Type != rows[0].Operation.Type || all[0].Operation != first || all[0].Hash != attempts[0].Hash {
			t.Errorf("%+v", all)
		}
		var failed []int64
		for after := int64(0); ; {
			page, err := h.BatchRows(h.ctx(), b.ID, after, 2, true)
			h.ok(err)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				failed = append(failed, r.Row)
			}
			after = page[len(page)-1].Row
		}
		if !slices.Equal(failed, []int64{3, 4, 5, 6, 7, 9, 10, 11, 12}) {
			t.Errorf("failed rows %v", failed)
		}
	})
}

func (h *harness) operationOfRow(batch model.OperationID, n int64) model.OperationID {
	h.t.Helper()
	rows, err := h.BatchRows(h.ctx(), batch, n-1, 1, false)
	h.ok(err)
	if len(rows) != 1 || rows[0].Row != n {
		h.t.Fatalf("row %d: %+v", n, rows)
	}
	return rows[0].Operation
}

func TestNoBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for _, id := range []model.OperationID{"", "x\x00", "01JD8Q4Z7T9XW3V5K2M6N8P0RS"} {
			_, err := h.Batch(h.ctx(), id)
			h.code(err, model.CodeBatchNotFound)
			_, err = h.BatchRows(h.ctx(), id, 0, 10, false)
			h.code(err, model.CodeBatchNotFound)
			_, err = h.AddRows(h.ctx(), id, rowsFrom(1, 1))
			h.code(err, model.CodeBatchNotFound)
			h.code(h.SealBatch(h.ctx(), id, 0), model.CodeBatchNotFound)
			_, err = h.CancelBatch(h.ctx(), id, model.Failure{}, model.AuditEntry{})
			h.code(err, model.CodeBatchNotFound)
		}
	})
}

// Two senders of one batch do not store a row twice, whoever comes first.
func TestBatchOfTwoSenders(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		rows := rowsFrom(1, 200)
		var wg sync.WaitGroup
		for _, s := range []*Store{h.Store, h.open()} {
			wg.Go(func() {
				for i := 0; i < len(rows); i += 20 {
					if _, err := s.AddRows(h.ctx(), b.ID, rows[i:i+20]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		h.ok(h.SealBatch(h.ctx(), b.ID, 200))
		st, err := h.Batch(h.ctx(), b.ID)
		if err != nil || st.Counts[model.StatePending] != 200 || st.Rejected != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// Batches of the same rows, in one order and in the other, do not lock each other out.
func TestBatchesCross(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		rows := rowsFrom(1, 80)
		var wg sync.WaitGroup
		for i, s := range []*Store{h.Store, h.open(), h.Store, h.open()} {
			b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
			h.ok(err)
			mine := slices.Clone(rows)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			for j := range mine {
				mine[j].Row = int64(j + 1)
			}
			wg.Go(func() {
				for j := 0; j < len(mine); j += 20 {
					if _, err := s.AddRows(h.ctx(), b.ID, mine[j:j+20]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if d, err := h.Depth(h.ctx(), issuerA); d != (Depth{Pending: 80}) || err != nil {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestBatchKeyIsKeptWhileItReceives(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b := model.Batch{Issuer: issuerA, Key: &model.IdempotencyKey{Key: "k"}}
		first, _, err := h.CreateBatch(h.ctx(), b)
		h.ok(err)
		h.clock.advance(48 * time.Hour)
		_, err = h.SweepKeys(h.ctx())
		h.ok(err)
		again, replayed, err := h.CreateBatch(h.ctx(), b)
		if err != nil || !replayed || again.ID != first.ID {
			t.Errorf("%+v, %t, %v", again, replayed, err)
		}
		h.ok(h.SealBatch(h.ctx(), first.ID, 0))
		again, replayed, err = h.CreateBatch(h.ctx(), b)
		if err != nil || replayed || again.ID == first.ID {
			t.Errorf("%+v, %t, %v", again, replayed, err)
		}
	})
}

// A batch that is sent again is held against what was stored, row by row and across the chunks in which it came; one with
// another row changes nothing.
func TestBatchRowsAreCompared(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		rows := rowsFrom(1, 25)
		rows[11] = model.BatchRow{Row: 12, Rejected: &model.Failure{Code: model.CodeBadRequest, Message: "x"}}
		for i := range rows {
			rows[i].Sum = model.RowSum{byte(i), 1}
		}
		for _, c := range [][2]int{{0, 10}, {10, 11}, {8, 20}} { // the third goes over what is there
			_, err := h.AddRows(h.ctx(), b.ID, rows[c[0]:c[1]])
			h.ok(err)
		}
		only := make([]model.BatchRow, 20) // to be compared, and nothing else
		for i := range only {
			only[i] = model.BatchRow{Row: int64(i + 1), Sum: rows[i].Sum}
		}
		for _, c := range [][2]int{{0, 20}, {5, 15}, {19, 20}, {10, 11}} {
			if n, err := h.AddRows(h.ctx(), b.ID, only[c[0]:c[1]]); n != 20 || err != nil {
				t.Errorf("rows %d to %d: %d, %v", c[0]+1, c[1], n, err)
			}
		}
		for _, wrong := range []int{0, 9, 10, 11, 19} {
			others := slices.Clone(rows)
			others[wrong].Sum[15] = 7
			_, err := h.AddRows(h.ctx(), b.ID, others)
			h.code(err, model.CodeWrongState)
			if want := fmt.Sprintf("row %d is not the row %[1]d that batch %s has", wrong+1, b.ID); !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if st, err := h.Batch(h.ctx(), b.ID); err != nil || st.Rows != 20 || st.Counts[model.StatePending] != 19 {
			t.Errorf("%+v, %v", st, err)
		}
		_, err = h.AddRows(h.ctx(), b.ID, []model.BatchRow{{Row: 21}}) // new, and neither one thing nor the other
		h.code(err, model.CodeInternal)
	})
}

// A batch that is cancelled while it receives takes no more rows, says so, and stays as it is when that is done again.
func TestBatchCancelledWhileItReceives(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		const rows = MaxRowsAtOnce + 200 // more than one commit drops
		for i := 0; i < rows; i += 600 {
			_, err = h.AddRows(h.ctx(), b.ID, rowsFrom(int64(i+1), 600))
			h.ok(err)
		}
		h.clock.advance(2 * time.Hour)
		if n, oldest, err := h.Receiving(h.ctx(), h.clock.Now().Add(-time.Hour)); n != 1 || oldest != b.ID || err != nil {
			t.Errorf("%d are receiving, %s, %v", n, oldest, err)
		}
		if n, _, err := h.Receiving(h.ctx(), h.clock.Now().Add(-3*time.Hour)); n != 0 || err != nil {
			t.Errorf("%d are receiving, %v", n, err)
		}
		at := h.clock.Now()
		if n, err := h.CancelBatch(h.ctx(), b.ID, model.Failure{}, model.AuditEntry{Actor: "test"}); n != rows || err != nil {
			t.Errorf("%d cancelled, %v", n, err)
		}
		h.clock.advance(time.Minute)
		if n, err := h.CancelBatch(h.ctx(), b.ID, model.Failure{}, model.AuditEntry{}); n != 0 || err != nil {
			t.Errorf("%d cancelled again, %v", n, err)
		}
		st, err := h.Batch(h.ctx(), b.ID)
		if err != nil || st.State != model.BatchReceived || !st.Finished() || st.Cancelled != at || st.Updated != at || st.Counts[model.StateCancelled] != rows {
			t.Errorf("%+v, %v", st, err)
		}
		if n, _, err := h.Receiving(h.ctx(), h.clock.Now()); n != 0 || err != nil {
			t.Errorf("%d are receiving, %v", n, err)
		}
		_, err = h.AddRows(h.ctx(), b.ID, rowsFrom(rows+1, 1))
		h.code(err, model.CodeWrongState)
		if !strings.Contains(err.Error(), "was cancelled, with 1200 rows") {
			t.Error(err)
		}
		h.code(h.SealBatch(h.ctx(), b.ID, rows+1), model.CodeWrongState)
		h.ok(h.SealBatch(h.ctx(), b.ID, rows))

		// One that is finished is not cancelled any more.
		done, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
		h.ok(err)
		h.ok(h.SealBatch(h.ctx(), done.ID, 0))
		if n, err := h.CancelBatch(h.ctx(), done.ID, model.Failure{}, model.AuditEntry{}); n != 0 || err != nil {
			t.Errorf("%d cancelled, %v", n, err)
		}
		if st, err := h.Batch(h.ctx(), done.ID); err != nil || !st.Cancelled.IsZero() {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// What is read often does not go through operations that are over, which nobody removes.
func TestIndexes(t *testing.T) {
	h := newHarness(t, Config{Path: t.TempDir() + "/issuer.db", PollInterval: time.Hour})
	h.prepare(300)
	for query, args := range map[string][]any{
		"SELECT state, count(*) FROM operations WHERE batch = $1 GROUP BY state":                                                                         {"x"},
		"SELECT o.batch_row, o.id FROM operations o WHERE o.batch = $1 AND o.batch_row > $2 AND o.failure_code IS NOT NULL ORDER BY o.batch_row LIMIT 3": {"x", 0},
		"SELECT id FROM operations WHERE batch = $1 AND state = 'pending' ORDER BY id LIMIT 3":                                                           {"x"},
		"SELECT o.id FROM operations o WHERE o.issuer = $1 AND o.state = 'signed' ORDER BY o.id":                                                         {"x"},
		"SELECT o.id FROM operations o WHERE o.issuer = $1 AND o.state = 'pending' ORDER BY o.priority, o.id LIMIT 3":                                    {"x"},
		"SELECT count(*) FROM operations WHERE issuer = $1 AND state = 'pending'":                                                                        {"x"},
		"SELECT count(*), coalesce(min(id), '') FROM batches WHERE state = 'receiving' AND updated < $1":                                                 {1},
		"SELECT first_row, sums FROM batch_sums WHERE batch = $1 AND first_row > $2 AND first_row <= $3 ORDER BY first_row":                              {"x", 0, 1},
	} {
		rows, err := h.readDB.Query("EXPLAIN QUERY PLAN "+query, args...)
		var plan []string
		h.ok(each(rows, err, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		}))
		if text := strings.Join(plan, "; "); len(plan) == 0 || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s:\n%s", query, text)
		}
	}
}
