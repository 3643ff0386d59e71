package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// A renewal is two operations: one that deletes what stands, which is stored at once, and one that issues. The second has its
// id from the start, and everybody who asks for it is shown it as pending; it is stored in the transaction that concludes the
// first one, so that no other operation for the credential gets in between.

// selectRenewals shows renewals that wait as the operations that they will be, and is followed by a condition on n.
// scanOperation reads it.
const selectRenewals = "SELECT n.id, n.issuer, 'issue', n.subject, n.type, n.expiration, n.uri, NULL, NULL, NULL, 'pending'," +
	" NULL, NULL, n.created, n.created, n.actor, n.request_id, 1, k.key, n.mac, 0" +
	" FROM renewals n LEFT JOIN idempotency_keys k ON k.renewal = n.id WHERE n.state = 'waiting' AND "

func (s *Store) renewals(ctx context.Context, condition string, args ...any) ([]model.Operation, error) {
	var ops []model.Operation
	rows, err := s.query(ctx, selectRenewals+condition, args...)
	return ops, each(rows, err, func(rows *sql.Rows) error {
		op, err := s.scanOperation(rows)
		ops = append(ops, op)
		return err
	})
}

// byID returns operations with their attempts, and renewals that wait, in any order; what is unknown is left out.
func (s *Store) byID(ctx context.Context, ids []string) ([]model.Operation, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	list, err := s.d.list(ids)
	if err != nil {
		return nil, err
	}
	found, err := s.operations(ctx, true, s.d.in("o.id", 1), list)
	if err != nil || len(found) == len(ids) {
		return found, err
	}
	waiting, err := s.renewals(ctx, s.d.in("n.id", 1), list)
	if found = append(found, waiting...); err != nil || len(found) == len(ids) {
		return found, err
	}
	// What is neither may have become the one between the two looks.
	missing := slices.DeleteFunc(ids, func(id string) bool {
		return slices.ContainsFunc(found, func(op model.Operation) bool { return string(op.ID) == id })
	})
	if list, err = s.d.list(missing); err != nil {
		return nil, err
	}
	late, err := s.operations(ctx, true, s.d.in("o.id", 1), list)
	return append(found, late...), err
}

// insertRenewals stores what those of a group that renew will issue, beside the operations that delete.
func (s *Store) insertRenewals(t *txn, group []*creation) error {
	var rows []row
	for _, c := range group {
		if c.inserted && c.op.Renew {
			r := operationRow(&c.op, model.StatePending, t.now)
			rows = append(rows, row{r[0], string(c.deletion), r[1], r[3], r[4], r[5], r[6], "waiting", c.op.Actor, c.op.RequestID, t.now.UnixMicro(), s.operationMAC(&c.op)})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return t.insertRows("renewals", rows, "id text", "deletion text", "issuer text", "subject text", "type text", "expiration bigint", "uri text",
		"state text", "actor text", "request_id text", "created bigint", "mac text")
}

// renew stores the second operations of renewals whose first ones are concluded, and returns the first ones, with what became
// of the second. Where nothing stands any more it goes on, as pending; otherwise it is cancelled, as nothing was signed for it.
func (t *txn) renew(concluded []row, issuer model.Address) (map[model.OperationID]*model.OperationID, error) {
	if len(concluded) == 0 {
		return nil, nil
	}
	byDeletion := map[string]row{}
	var ids []string
	for _, r := range concluded {
		ids = append(ids, r[0].(string))
		byDeletion[r[0].(string)] = r
	}
	list, err := t.list(ids)
	if err != nil {
		return nil, err
	}
	ended := map[model.OperationID]*model.OperationID{}
	var rows []row
	var renewed []string
	found, err := t.query("SELECT id, deletion FROM renewals WHERE state = 'waiting' AND "+t.in("deletion", 1)+" ORDER BY id", list)
	err = each(found, err, func(found *sql.Rows) error {
		var id model.OperationID
		var deletion string
		if err := found.Scan(&id, &deletion); err != nil {
			return err
		}
		renewed = append(renewed, string(id))
		r := byDeletion[deletion]
		if r[1] == string(model.StateSucceeded) || r[1] == string(model.StateFailed) && r[2] == string(model.CodeNoEntry) {
			rows = append(rows, row{string(id), string(model.StatePending), nil, nil})
			ended[model.OperationID(deletion)] = nil
			t.pending[issuer] = true
			return nil
		}
		rows = append(rows, row{string(id), string(model.StateCancelled), r[2],
			"the credential that stands was not deleted, and so none was issued in its place: " + r[3].(string)})
		ended[model.OperationID(deletion)] = &id
		t.final = append(t.final, id)
		return nil
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	arg := rowSet(rows)
	_, err = t.exec("INSERT INTO operations (id, issuer, kind, subject, type, expiration, uri, priority, state, failure_code, failure_message,"+
		" created, updated, actor, request_id, mac) SELECT n.id, n.issuer, 'issue', n.subject, n.type, n.expiration, n.uri, 0, r.state, r.code, r.message,"+
		" n.created, $2, n.actor, n.request_id, CASE WHEN r.state = 'pending' THEN n.mac ELSE '' END FROM "+t.rows(1, "id text", "state text", "code text", "message text")+
		" CROSS JOIN renewals n WHERE n.id = r.id", arg, t.now.UnixMicro())
	if err != nil {
		return nil, err
	}
	if list, err = t.list(renewed); err != nil {
		return nil, err
	}
	if _, err := t.exec("UPDATE renewals SET state = 'over', mac = '' WHERE "+t.in("id", 1), list); err != nil {
		return nil, err
	}
	_, err = t.exec("UPDATE idempotency_keys SET operation = renewal, renewal = NULL WHERE "+t.in("renewal", 1), list)
	return ended, err
}

// lockCancelled reads and locks the operation to cancel for another to be: of a renewal that waits it is the one that deletes.
func (t *txn) lockCancelled(id model.OperationID) (model.OperationID, *entry, error) {
	target := id
	err := t.tx.QueryRowContext(t.ctx, "SELECT deletion FROM renewals WHERE id = $1 AND state = 'waiting'", text(string(id))).Scan(&target)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", nil, err
	}
	found, err := t.entries([]model.OperationID{target})
	if err == nil && target != id && found[target].state.Final() { // it was concluded just now, and the other one is stored
		target = id
		found, err = t.entries([]model.OperationID{target})
	}
	if err != nil {
		return "", nil, err
	}
	if target != id && found[target].state == model.StateSigned {
		return "", nil, wrongState("operation %s is under way: the deletion of what it renews, %s, is signed", id, target)
	}
	return target, found[target], nil
}
