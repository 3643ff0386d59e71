package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// callLapse stands for the call that decided on a request where there was none.
const callLapse = "lapse"

// LapseApplications ends up to limit of an account's requests that still wait past their DecideBy, the longest overdue
// first, and says how many. Their documents are erased as those of a rejected one: when their time is over, from now
// on. Of a decision, a withdrawal and this at the same moment the first counts. Error code: storeUnavailable.
func (s *Store) LapseApplications(ctx context.Context, issuer model.Address, now time.Time, limit int) (int, error) {
	var n int
	err := s.write(ctx, "ending requests that nobody decided on", func(t *txn) error {
		var ids []string
		rows, err := t.query("SELECT id FROM applications WHERE issuer = $1 AND state = 'waiting' AND decide_by <= $2"+
			" ORDER BY decide_by, id LIMIT $3"+t.forUpdate, string(issuer), now.UnixMicro(), page(limit))
		err = each(rows, err, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		list, err := t.list(ids)
		if err != nil {
			return err
		}
		due, err := s.applications(t.query, false, t.in("a.id", 1)+" ORDER BY a.decide_by, a.id", list)
		if err != nil {
			return err
		}
		for i := range due {
			a := &due[i]
			a.State, a.DecidedBy, a.Updated, a.Erase = model.ApplicationLapsed, model.ActorJanitor, t.now, t.now.Add(a.Keep)
			if err := t.storeVerdict(*a, callLapse); err != nil {
				return err
			}
			t.tell(t.eventOf(a, model.EventLapsed, a.DecidedBy))
			t.audit(model.AuditEntry{Actor: a.DecidedBy, Action: model.ActionLapse, Target: string(a.ID),
				Detail: object(verdict{Subject: a.Subject, Type: a.Type.Text()})})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Withdraw ends a request that waits, by its applicant's word, and erases its documents with it, as
// [Store.EraseDocuments] does. One that was withdrawn before is returned as it stands, always without its documents.
// Error codes: requestNotFound, alreadyDecided (the message says what it is now), storeUnavailable.
func (s *Store) Withdraw(ctx context.Context, w model.Withdrawal) (model.Application, error) {
	w.RequestID = short(w.RequestID)
	call := w.RequestID
	if call == "" {
		call = string(s.ids.next(s.now()))
	}
	var ended model.Application
	erased := false
	err := s.write(ctx, "withdrawing a request", func(t *txn) error {
		a, _, err := s.lockApplication(t, w.Application)
		switch {
		case err != nil:
			return err
		case a.State == model.ApplicationWithdrawn:
			ended, erased = a, false
			return nil
		case a.State != model.ApplicationWaiting:
			return alreadyDecided(a)
		}
		a.State, a.DecidedBy, a.Updated, a.Erase = model.ApplicationWithdrawn, model.ActorApplicant, t.now, t.now
		if err := t.storeVerdict(a, call); err != nil {
			return err
		}
		n, err := t.exec("UPDATE applications SET documents = NULL WHERE id = $1 AND documents IS NOT NULL", string(a.ID))
		if err == nil {
			err = t.forgetRequests(string(a.ID))
		}
		if err != nil {
			return err
		}
		t.tell(t.eventOf(&a, model.EventWithdrawn, a.DecidedBy))
		t.audit(model.AuditEntry{Actor: a.DecidedBy, Action: model.ActionWithdraw, Target: string(a.ID), RequestID: w.RequestID,
			Detail: object(verdict{Subject: a.Subject, Type: a.Type.Text()})})
		if ended, erased = a, n == 1; erased {
			t.tell(t.eventOf(&a, model.EventErased, a.DecidedBy))
			t.audit(model.AuditEntry{Actor: a.DecidedBy, Action: model.ActionErase, Target: string(a.ID), RequestID: w.RequestID})
		}
		return nil
	})
	if err != nil {
		return model.Application{}, err
	}
	if erased {
		s.scrubbed.Store(false)
		if err := s.scrub(ctx); err != nil { // it is withdrawn, and the next call that erases tries again
			s.log.Warn("documents are erased, and the write-ahead log still has their sealed bytes; it is tried again", "error", err)
		}
	}
	return ended, nil
}
