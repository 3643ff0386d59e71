package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// chain reads the whole audit log and checks it as anybody can.
func (h *harness) chain(s *Store) []model.AuditEntry {
	h.t.Helper()
	var all []model.AuditEntry
	var previous [32]byte
	for {
		part, err := s.AuditEntries(h.ctx(), int64(len(all)), 2+3*len(all))
		h.ok(err)
		if len(part) == 0 {
			break
		}
		for _, e := range part {
			all = append(all, e)
			if e.Seq != int64(len(all)) || e.Previous != previous || e.Hash != e.Sum() {
				h.t.Fatalf("entry %d of the audit log does not follow: %+v", len(all), e)
			}
			previous = e.Hash
		}
	}
	if seq, hash, err := s.AuditHead(h.ctx()); err != nil || seq != int64(len(all)) || hash != previous {
		h.t.Fatalf("the head is at %d, and there are %d entries: %v", seq, len(all), err)
	}
	return all
}

// said is what an entry says, without what the store adds.
func said(e model.AuditEntry) model.AuditEntry {
	return model.AuditEntry{Actor: e.Actor, Action: e.Action, Target: e.Target, Status: e.Status, RequestID: e.RequestID, Detail: e.Detail}
}

func TestAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if got := h.chain(h.Store); len(got) != 0 {
			t.Errorf("at first there is %+v", got)
		}
		h.ok(h.Audit(h.ctx()))
		odd := model.AuditEntry{Actor: "token:ü\x00\xff", Action: "GET /admin/x", Target: strings.Repeat("é", maxShort+1), Status: 403, RequestID: "r 'q'",
			Detail: json.RawMessage(`{"a":"\u0000 <&> \u2028 ü", "n":1.0}`)}
		plain := model.AuditEntry{Actor: "cli:me", Action: "x"}
		h.clock.advance(1234567 * time.Nanosecond)
		h.ok(h.Audit(h.ctx(), odd, plain))
		got := h.chain(h.open())
		want := odd
		want.Actor, want.Target = "token:ü\uFFFD\uFFFD", strings.Repeat("é", maxShort)+"…"
		if len(got) != 2 || !reflect.DeepEqual(said(got[0]), want) || !reflect.DeepEqual(said(got[1]), plain) {
			t.Errorf("stored %+v", got)
		}
		if at := h.clock.Now().Truncate(time.Microsecond); !got[0].Time.Equal(at) {
			t.Errorf("it happened at %s, and the entry says %s", at, got[0].Time)
		}
		for name, bad := range map[string]model.AuditEntry{
			"no actor":     {Action: "x"},
			"no action":    {Actor: "x"},
			"status":       {Actor: "x", Action: "x", Status: 1000},
			"no object":    {Actor: "x", Action: "x", Detail: json.RawMessage(`[]`)},
			"no JSON":      {Actor: "x", Action: "x", Detail: json.RawMessage(`{`)},
			"two objects":  {Actor: "x", Action: "x", Detail: json.RawMessage(`{}{}`)},
			"no UTF-8":     {Actor: "x", Action: "x", Detail: json.RawMessage("{\"a\":\"\xff\"}")},
			"a long thing": {Actor: "x", Action: "x", Detail: json.RawMessage(`{"a":"` + strings.Repeat("a", maxDetail) + `"}`)},
		} {
			if err := h.Audit(h.ctx(), plain, bad); model.CodeOf(err) != model.CodeInternal {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := h.chain(h.Store); len(got) != 2 {
			t.Errorf("what was refused left %d entries", len(got)-2)
		}
		// What was changed shows, wherever it was.
		for _, change := range []string{"hash = 'x' || substr(hash, 2)", "previous = 'x' || substr(previous, 2)", "actor = actor || ' '", "time = time + 1", "detail = '{}'"} {
			tx, err := h.writeDB.Begin()
			h.ok(err)
			var seq int64
			h.ok(tx.QueryRow("UPDATE audit SET " + change + " WHERE seq = 1 RETURNING seq").Scan(&seq))
			h.ok(tx.Commit())
			page, err := h.AuditEntries(h.ctx(), 0, 1)
			h.ok(err)
			if e := page[0]; e.Hash == e.Sum() && e.Previous == [32]byte{} {
				t.Errorf("%s: it does not show", change)
			}
		}
	})
}

// Every decision leaves its entry, and what was not done none.
func TestDecisionsAreAudited(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		by := model.AuditEntry{Actor: "token:admin", RequestID: "r9", Status: 200, Action: "not this", Target: "nor this"}
		op := issue()
		op.Actor, op.RequestID = "policy", "r1"
		op.Key = &model.IdempotencyKey{Key: "k"}
		first := h.create(op)
		if read := h.state(first.ID, model.StatePending); read.Actor != "policy" || read.RequestID != "r1" {
			t.Errorf("asked for by %q in %q", read.Actor, read.RequestID)
		}
		_, replayed, err := h.Create(h.ctx(), op) // the same once more
		h.ok(err)
		if !replayed {
			t.Error("not replayed")
		}
		op.Key = nil
		_, _, err = h.Create(h.ctx(), op) // refused
		h.code(err, model.CodeInProgress)
		revoke := model.Operation{Issuer: issuerA, Kind: model.KindRevoke, Subject: subject(), Type: "Member", Actor: "token:admin"}
		second := h.create(revoke)
		h.ok(h.Cancel(h.ctx(), second.ID, model.Failure{}, by))
		h.ok(h.Cancel(h.ctx(), second.ID, model.Failure{}, by))

		b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Actor: "token:batch", RequestID: "r2"})
		h.ok(err)
		rows := rowsFrom(1, 3)
		rows[0] = model.BatchRow{Row: 1, Rejected: &model.Failure{Message: "bad"}}
		rows[2].Operation.Subject = first.Subject // stands in the way
		rows[2].Operation.Actor, rows[2].Operation.RequestID = "token:other", "r3"
		for range 2 {
			_, err = h.AddRows(h.ctx(), b.ID, rows)
			h.ok(err)
		}
		_, err = h.AddRows(h.ctx(), b.ID, []model.BatchRow{{Row: 4, Rejected: &model.Failure{Message: "bad too"}}})
		h.ok(err)
		if st, err := h.Batch(h.ctx(), b.ID); err != nil || st.Actor != "token:batch" || st.RequestID != "r2" {
			t.Errorf("%+v, %v", st, err)
		}
		row2 := h.operationOfRow(b.ID, 2)
		if read := h.state(row2, model.StatePending); read.Actor != "token:batch" || read.RequestID != "r2" {
			t.Errorf("a row was asked for by %q in %q", read.Actor, read.RequestID)
		}
		for range 2 {
			_, err = h.CancelBatch(h.ctx(), b.ID, model.Failure{Code: "stopped"}, by)
			h.ok(err)
		}
		// What the lane makes itself is nobody's decision.
		_, err = h.SignOwn(h.ctx(), h.take(), []model.Operation{{Kind: model.KindFill}}, []model.Attempt{attempt("", 1)})
		h.ok(err)

		r2, err := h.Operation(h.ctx(), row2)
		h.ok(err)
		failed, err := h.BatchRows(h.ctx(), b.ID, 0, 0, true)
		h.ok(err)
		sum := func(lines ...string) string {
			return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, "\n")+"\n")))
		}
		quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
		rowsSum := sum(`[1,"badRequest","bad"]`,
			fmt.Sprintf(`[2,%q,"issue",%q,%q,900000000,%q]`, row2, r2.Subject, r2.Type.Hex(), upperHex([]byte(r2.URI))),
			fmt.Sprintf(`[3,"inProgress",%s]`, quote(failed[len(failed)-2].Failure.Message)))
		shown := string(first.Subject) + "/" + first.Type.Text()
		want := []model.AuditEntry{
			{Actor: "policy", Action: "credential.issue", Target: shown, RequestID: "r1",
				Detail: json.RawMessage(`{"operation":"` + string(first.ID) + `","expiration":900000000,"uri":"697066733A2F2F01"}`)},
			{Actor: "token:admin", Action: "credential.revoke", Target: string(second.Subject) + "/Member", Detail: json.RawMessage(`{"operation":"` + string(second.ID) + `"}`)},
			{Actor: "token:admin", Action: "operation.cancel", Target: string(second.ID), Status: 200, RequestID: "r9", Detail: json.RawMessage(`{"code":"cancelled"}`)},
			{Actor: "token:batch", Action: "batch.rows", Target: string(b.ID), RequestID: "r2",
				Detail: json.RawMessage(`{"first_row":1,"last_row":3,"operations":1,"rejected":2,"sha256":"` + rowsSum + `"}`)},
			{Actor: "token:batch", Action: "batch.rows", Target: string(b.ID), RequestID: "r2",
				Detail: json.RawMessage(`{"first_row":4,"last_row":4,"operations":0,"rejected":1,"sha256":"` + sum(`[4,"badRequest","bad too"]`) + `"}`)},
			{Actor: "token:admin", Action: "batch.cancel", Target: string(b.ID), Status: 200, RequestID: "r9", Detail: json.RawMessage(`{"operations":1,"code":"stopped"}`)},
		}
		got := h.chain(h.Store)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !reflect.DeepEqual(said(got[i]), want[i]) {
				t.Fatalf("entry %d:\n%s\nwant\n%s", i+1, show(got, i), show(want, i))
			}
		}
	})
}

func show(entries []model.AuditEntry, i int) string {
	if i >= len(entries) {
		return "none"
	}
	e := said(entries[i])
	return fmt.Sprintf("%+v %s", e, e.Detail)
}

// Many writers in two processes, events and entries crosswise: both logs are without gaps, and whoever reads on by Seq
// misses none.
func TestLogsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const writers, each = 8, 12
		done := make(chan struct{})
		var reader, wg sync.WaitGroup
		var followed []int64
		reader.Go(func() {
			for last := false; ; {
				select {
				case <-done:
					last = true // and once more
				default:
				}
				after := int64(0)
				if len(followed) > 0 {
					after = followed[len(followed)-1]
				}
				events, err := stores[1].Events(context.Background(), issuerA, after, 5)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range events {
					followed = append(followed, e.Seq)
				}
				if last && len(events) == 0 {
					return
				}
			}
		})
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					err := stores[w%2].write(context.Background(), "testing", func(t *txn) error {
						for j := range w%3 + 1 {
							t.tell(model.Event{Kind: model.EventAccepted, Issuer: issuerA, Subject: subject(), Type: "a", Data: json.RawMessage(fmt.Sprintf(`{"w":%d,"i":%d,"j":%d}`, w, i, j))})
						}
						t.audit(model.AuditEntry{Actor: fmt.Sprint(w), Action: "x", Target: fmt.Sprint(i)})
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					if _, _, err := stores[i%2].Create(context.Background(), issue()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		close(done)
		reader.Wait()
		if got := h.chain(h.Store); len(got) != 2*writers*each {
			t.Errorf("%d entries, want %d", len(got), 2*writers*each)
		}
		var want []int64
		for w := range writers {
			for range each * (w%3 + 1) {
				want = append(want, int64(len(want)+1))
			}
		}
		if !slices.Equal(followed, want) {
			t.Errorf("whoever followed saw %v, want 1 to %d", followed, len(want))
		}
	})
}

// What is not committed leaves no number; many are written at once.
func TestLogsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		event := model.Event{Kind: model.EventFailed, Actor: "ledger", Issuer: issuerA, Subject: subject(), Type: "\x00\xff", Application: "01JD8Q4Z7T9XW3V5K2M6N8P0RS",
			Operation: "01JD8Q4Z7T9XW3V5K2M6N8P0RT", Data: json.RawMessage(`{"code":"<x>"}`)}
		add := func(n int, change func(*model.Event), err error) error {
			return h.write(h.ctx(), "testing", func(t *txn) error {
				for range n {
					e := event
					if change != nil {
						change(&e)
					}
					t.tell(e)
					t.audit(model.AuditEntry{Action: "x"})
				}
				return err
			})
		}
		h.ok(add(1, nil, nil))
		for name, change := range map[string]func(*model.Event){
			"kind":        func(e *model.Event) { e.Kind = "other" },
			"data":        func(e *model.Event) { e.Data = json.RawMessage("1") },
			"subject":     func(e *model.Event) { e.Subject = "" },
			"type":        func(e *model.Event) { e.Type = "" },
			"application": func(e *model.Event) { e.Application = "x" },
		} {
			if err := add(3, change, nil); model.CodeOf(err) != model.CodeInternal {
				t.Errorf("%s: %v", name, err)
			}
		}
		h.code(add(3, nil, wrongState("no")), model.CodeWrongState)
		h.ok(add(2500, nil, nil))
		if got := h.chain(h.Store); len(got) != 2501 {
			t.Errorf("%d entries", len(got))
		}
		events, err := h.Events(h.ctx(), issuerA, 0, 0)
		h.ok(err)
		want := event
		want.Seq, want.ID, want.Time = 1, events[0].ID, h.clock.Now()
		if len(events) != 1000 || !reflect.DeepEqual(events[0], want) || events[0].ID == events[1].ID || events[0].ID == "" {
			t.Errorf("%d events, the first %+v", len(events), events[0])
		}
		if events, err = h.Events(h.ctx(), issuerA, 2499, 10); err != nil || len(events) != 2 || events[1].Seq != 2501 {
			t.Errorf("the last ones: %+v, %v", events, err)
		}
		if events, err = h.Events(h.ctx(), issuerB, 0, 0); err != nil || len(events) != 0 {
			t.Errorf("another account's: %+v, %v", events, err)
		}
		if events, err = h.ApplicationEvents(h.ctx(), event.Application); err != nil || len(events) != 2501 {
			t.Errorf("the request's: %d, %v", len(events), err)
		}
		if events, err = h.ApplicationEvents(h.ctx(), "\x00"); err != nil || len(events) != 0 {
			t.Errorf("no request's: %d, %v", len(events), err)
		}
	})
}

// Reading goes by an index, whatever there is.
func TestLogsAreIndexed(t *testing.T) {
	h := newHarness(t, drivers[0].config(t))
	for _, q := range []string{
		"SELECT seq FROM events WHERE issuer = 'x' AND seq > 1 ORDER BY seq LIMIT 5",
		"SELECT seq FROM events WHERE issuer = 'x' AND subject = 'y' AND type = 'z' AND seq > 1 ORDER BY seq LIMIT 5",
		"SELECT seq FROM events WHERE application = 'x' ORDER BY seq",
		"SELECT seq FROM audit WHERE seq > 5 ORDER BY seq LIMIT 5",
	} {
		rows, err := h.readDB.Query("EXPLAIN QUERY PLAN " + q)
		h.ok(each(rows, err, func(rows *sql.Rows) error {
			var id, parent, unused int
			var plan string
			err := rows.Scan(&id, &parent, &unused, &plan)
			if !strings.HasPrefix(plan, "SEARCH") {
				t.Errorf("%s: %s", q, plan)
			}
			return err
		}))
	}
}
