package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/model"
)

// Decide stores a reviewer's word on a request that waits, also beyond its time for as long as it has not lapsed, or on
// one that was approved and whose operation is final and did not succeed. An approval stores its operation, to which
// [Store.Create]'s rules apply; documents are erased when their time after the decision is over. Of several words at
// once the first counts. The same one again (the same actor, call and verdict) changes nothing, and returns the request
// as it stands, which is always without its documents. Error codes: requestNotFound, alreadyDecided (the message says
// what it is now, and not by whom), inProgress (another operation for the subject and type is open), tooManyUnaccepted
// (the operation's Limits), notAuthentic (the database changed the request), badRequest (the reason's length), storeUnavailable.
func (s *Store) Decide(ctx context.Context, d model.Decision) (model.Application, error) {
	d.Actor, d.RequestID, d.Reason = short(d.Actor), short(d.RequestID), text(d.Reason)
	if err := checkDecision(d); err != nil {
		return model.Application{}, err
	}
	call := d.RequestID
	if call == "" {
		call = string(s.ids.next(s.now())) // the same when the transaction is run again
	}
	deletion, id := s.ids.next(s.now()), s.ids.next(s.now())
	var decided model.Application
	err := s.write(ctx, "deciding on a request", func(t *txn) error {
		a, err := s.decidable(t, d.Application, call, d)
		if err != nil || a.repeated {
			decided = a.Application
			return err
		}
		state := model.ApplicationRejected
		if d.Approve {
			if a.Unauthentic {
				return errNotAuthentic(a.ID)
			}
			state = model.ApplicationApproved
			if a.Operation, err = s.approve(t, &a.Application, id, deletion, d); err != nil {
				return err
			}
		}
		a.State, a.DecidedBy, a.Reason, a.Updated, a.Erase = state, d.Actor, d.Reason, t.now, t.now.Add(a.Keep)
		if err := t.storeVerdict(a.Application, call); err != nil {
			return err
		}
		kind, action, detail := model.EventRejected, model.ActionReject, verdict{}
		if d.Approve {
			kind, action, detail.Operation = model.EventApproved, model.ActionApprove, a.Operation
		} else {
			// What is said to an applicant may be about them, and nothing is ever taken out of the log.
			detail.Reason = hex.EncodeToString(s.hashKeys[0].sum("reason", string(a.ID), d.Reason))
		}
		detail.Subject, detail.Type = a.Subject, a.Type.Text()
		t.tell(t.eventOf(&a.Application, kind, d.Actor))
		t.audit(model.AuditEntry{Actor: d.Actor, Action: action, Target: string(a.ID), RequestID: d.RequestID, Detail: object(detail)})
		found, err := s.applications(t.query, false, "a.id = $1", string(a.ID))
		decided, err = oneApplication(found, err)
		return err
	})
	if err != nil {
		return model.Application{}, err
	}
	return decided, nil
}

// storeVerdict stores what became of an application, and which call said so.
func (t *txn) storeVerdict(a model.Application, call string) error {
	var closed any // without a credential
	if a.State != model.ApplicationApproved {
		closed = a.Updated.UnixMicro()
	}
	_, err := t.exec("UPDATE applications SET state = $2, operation = $3, decided_by = $4, decision = $5, reason = $6, erase = $7, updated = $8,"+
		" mac = CASE WHEN $2 = 'approved' THEN mac ELSE '' END, closed = $9 WHERE id = $1",
		string(a.ID), string(a.State), nullable(string(a.Operation)), a.DecidedBy, call, nullable(a.Reason), a.Erase.UnixMicro(), a.Updated.UnixMicro(), closed)
	return err
}

// verdict is the detail of a decision.
type verdict struct {
	Subject   model.Address     `json:"subject"`
	Type      string            `json:"type"`
	Operation model.OperationID `json:"operation,omitempty"`
	Reason    string            `json:"reason_hmac,omitempty"`
}

func checkDecision(d model.Decision) error {
	n := utf8.RuneCountInString(d.Reason)
	switch {
	case d.Actor == "":
		return misuse("a decision by nobody")
	case d.Approve && (d.Operation == nil || d.Operation.Kind != model.KindIssue || d.Operation.Key != nil || d.Operation.Nonce != nil || d.Operation.Batch != ""):
		return misuse("an approval needs an operation that issues, and is asked for by nothing else")
	case d.Approve && d.Reason != "" || !d.Approve && d.Operation != nil:
		return misuse("a decision that is both an approval and a rejection")
	case d.Approve:
		return checkRequested(*d.Operation)
	case n == 0 || n > model.MaxReasonLen:
		return model.BadRequest("reason", fmt.Sprintf("must be 1 to %d characters that say why", model.MaxReasonLen))
	}
	return nil
}

// deciding is an application that somebody has a word on.
type deciding struct {
	model.Application
	repeated bool // this very word was said before
}

// lockApplication reads an application, keeps others from changing it, and returns the call that decided on it; empty
// for none.
func (s *Store) lockApplication(t *txn, id model.OperationID) (a model.Application, call string, err error) {
	// On its own, as an outer join cannot be locked.
	rows, err := t.query("SELECT coalesce(decision, '') FROM applications WHERE id = $1"+t.forUpdate, text(string(id)))
	if err = each(rows, err, func(rows *sql.Rows) error { return rows.Scan(&call) }); err != nil {
		return a, "", err
	}
	a, err = oneApplication(s.applications(t.query, false, "a.id = $1", text(string(id))))
	return a, call, err
}

// decidable locks an application, and says whether it can be decided on.
func (s *Store) decidable(t *txn, id model.OperationID, call string, d model.Decision) (deciding, error) {
	a, before, err := s.lockApplication(t, id)
	if err != nil {
		return deciding{}, err
	}
	approved := a.State == model.ApplicationApproved
	switch {
	case a.State == model.ApplicationWaiting:
	case before == call && a.DecidedBy == d.Actor && approved == d.Approve && a.Reason == d.Reason:
		return deciding{a, true}, nil
	case approved && a.OperationState.Final() && a.OperationState != model.StateSucceeded:
	default:
		return deciding{}, alreadyDecided(a)
	}
	return deciding{a, false}, nil
}

// alreadyDecided says what became of an application, and not by whom.
func alreadyDecided(a model.Application) error {
	how := "the request has been decided on already: it is " + string(a.State)
	switch a.State {
	case model.ApplicationApproved:
		how += ", and its operation " + string(a.Operation)
		if a.OperationState.Final() && a.OperationState != model.StateSucceeded {
			how += " came to nothing: a reviewer may approve it again, or reject it"
		} else {
			how += " is under way or has succeeded"
		}
	case model.ApplicationLapsed:
		how = "the request has lapsed: nobody decided on it in its time, and its applicant can ask again"
	case model.ApplicationWithdrawn:
		how = "the request was withdrawn by its applicant, who can ask again"
	}
	return &model.Error{Code: model.CodeDecided, Message: how}
}

// approve stores the operation of an approval.
func (s *Store) approve(t *txn, a *model.Application, id, deletion model.OperationID, d model.Decision) (model.OperationID, error) {
	op := *d.Operation
	if op.Issuer != a.Issuer || op.Subject != a.Subject || op.Type != a.Type {
		return "", misuse("request %s is for another credential than its approval", a.ID)
	}
	op.ID, op.Actor, op.RequestID = id, d.Actor, d.RequestID
	c := &creation{ctx: t.ctx, op: op}
	if op.Renew {
		c.deletion = deletion
	}
	if err := s.create(t, []*creation{c}); err != nil {
		return "", err
	}
	return id, c.err
}
