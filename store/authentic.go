package store

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"encoding/hex"
	"strconv"

	"github.com/xrplissuer/credential-issuer/model"
)

// Write access to the database is not the right to issue. Each operation, renewal and review request carries a MAC over every
// field that decides what is signed, under a key outside the database ([Config.JournalKeys]). A row without a valid MAC is never
// signed. The MAC of a final row is erased, so that a change of its state alone does not make it valid again.

// authenticMigration adds the MACs. What was open before it has none.
const authenticMigration = "0012_authentic"

func journalKeys(keys [][32]byte) []hashKey {
	out := make([]hashKey, len(keys))
	for i, k := range keys {
		out[i] = hashKey{key: k}
	}
	return out
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// optional distinguishes a missing number from 0.
func optional(n *uint32) string {
	if n == nil {
		return ""
	}
	return number(int64(*n))
}

func flag(b bool) string { return number(int64(bit(b))) }

// operation is the MAC of an operation, version 1: every field that decides what is signed, and for whom.
func (k hashKey) operation(op *model.Operation) string {
	return hex.EncodeToString(k.sum("credential issuer operation 1", string(op.ID), string(op.Issuer), string(op.Kind), string(op.Subject), string(op.Type),
		optional(op.Expiration), op.URI, number(int64(op.Tickets)), string(op.Batch), number(op.Row), flag(op.Renew), op.Actor, op.RequestID,
		number(op.Created.UnixMicro())))
}

// application is the MAC of a review request, version 1: every field of the operation that an approval creates.
func (k hashKey) application(a *model.Application) string {
	return hex.EncodeToString(k.sum("credential issuer review request 1", string(a.ID), string(a.Issuer), string(a.Subject), string(a.Type),
		optional(a.Expiration), a.URI, flag(a.Renew), flag(a.Proven), a.RequestID, number(a.Created.UnixMicro())))
}

// operationMAC is the MAC of an operation to store; empty without a key.
func (s *Store) operationMAC(op *model.Operation) string {
	if len(s.journalKeys) == 0 {
		return ""
	}
	return s.journalKeys[0].operation(op)
}

func (s *Store) applicationMAC(a *model.Application) string {
	if len(s.journalKeys) == 0 {
		return ""
	}
	return s.journalKeys[0].application(a)
}

// authenticOperation reports whether an open operation may be signed: its MAC is valid. Its age does not count, as a clock that
// jumps makes every operation old. Without keys every operation is authentic: such a store is not one that a submitter works on.
func (s *Store) authenticOperation(op *model.Operation, mac string) bool {
	if len(s.journalKeys) == 0 {
		return true
	}
	return s.validMAC(mac, func(k hashKey) string { return k.operation(op) })
}

func (s *Store) authenticApplication(a *model.Application, mac string) bool {
	return len(s.journalKeys) == 0 || s.validMAC(mac, func(k hashKey) string { return k.application(a) })
}

func (s *Store) validMAC(mac string, of func(hashKey) string) bool {
	for _, k := range s.journalKeys {
		if hmac.Equal([]byte(mac), []byte(of(k))) {
			return true
		}
	}
	return false
}

// Quarantined returns how many operations this process has refused to sign because their rows were not authentic.
func (s *Store) Quarantined() uint64 { return s.quarantined.Load() }

// quarantine ends pending operations that are not authentic, so that nothing is signed for them and nothing waits behind them.
func (s *Store) quarantine(ctx context.Context, forged []model.Operation) error {
	err := s.write(ctx, "ending operations that are not authentic", func(t *txn) error {
		var ids []string
		for i := range forged {
			ids = append(ids, string(forged[i].ID))
		}
		list, err := t.list(ids)
		if err != nil {
			return err
		}
		message := "the operation in the database is not the one that the service stored: nothing was signed; request it again"
		rows, err := t.query("UPDATE operations SET state = 'refused', failure_code = $2, failure_message = $3, updated = $4, mac = ''"+
			" WHERE state = 'pending' AND "+t.in("id", 1)+" RETURNING id, issuer, kind", list, string(model.CodeNotAuthentic), message, t.now.UnixMicro())
		ended := map[model.Address][]row{}
		err = each(rows, err, func(rows *sql.Rows) error {
			var id, issuer, kind string
			if err := rows.Scan(&id, &issuer, &kind); err != nil {
				return err
			}
			account := model.Address(issuer)
			t.final = append(t.final, model.OperationID(id))
			t.concluded[account] = true
			t.audit(model.AuditEntry{Actor: model.ActorService, Action: model.ActionQuarantine, Target: id, Detail: object(cancelled{Code: model.CodeNotAuthentic})})
			if model.Kind(kind) == model.KindRevoke {
				ended[account] = append(ended[account], row{id, string(model.StateRefused), string(model.CodeNotAuthentic), message})
			}
			return nil
		})
		for account, deletions := range ended {
			if err == nil {
				_, err = t.renew(deletions, account)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	s.quarantined.Add(uint64(len(forged)))
	for i := range forged {
		s.log.Error("an operation in the database is not authentic: it was not signed", "operation", forged[i].ID)
	}
	return nil
}

// errNotAuthentic refuses the approval of a changed review request.
func errNotAuthentic(id model.OperationID) error {
	return &model.Error{Code: model.CodeNotAuthentic,
		Message: "request " + string(id) + " was changed in the database after the service stored it: reject it; its applicant can ask again"}
}

// Adopted counts what [Store.Adopt] has given a MAC.
type Adopted struct {
	Operations int64 `json:"operations"`
	Renewals   int64 `json:"renewals"`
	Requests   int64 `json:"requests"`
}

// Adopt gives a MAC to what an earlier release, which had none, left open, and says how much that was. It does so once in the
// life of a database: it trusts the rows as they are at that moment. It does so only where this process has just upgraded the
// database, whatever the table adoption says: who can write to the database must not bring an adoption about. A later call, and
// one after the audit log has an entry of an adoption, changes nothing. Error code: storeUnavailable.
func (s *Store) Adopt(ctx context.Context) (Adopted, error) {
	var n Adopted
	if len(s.journalKeys) == 0 {
		return n, misuse("an adoption without a journal key")
	}
	if !s.upgraded {
		return n, nil
	}
	var open int
	if err := s.readDB.QueryRowContext(ctx, "SELECT open FROM adoption WHERE id = 1").Scan(&open); err != nil || open == 0 {
		return n, fault("looking for operations without a MAC", err)
	}
	for more := true; more; {
		var step Adopted
		err := s.write(ctx, "giving operations a MAC", func(t *txn) (err error) {
			step = Adopted{}
			more, err = s.adopt(t, &step, n)
			return err
		})
		if err != nil {
			return n, err
		}
		n.Operations, n.Renewals, n.Requests = n.Operations+step.Operations, n.Renewals+step.Renewals, n.Requests+step.Requests
	}
	return n, nil
}

// adoptedAtOnce is how many rows of a table get their MAC in one transaction.
const adoptedAtOnce = 5000

// adopt gives a MAC to some rows, and says whether there may be more. The last call closes the adoption.
func (s *Store) adopt(t *txn, n *Adopted, before Adopted) (more bool, err error) {
	var open, adoptions int
	// Of two processes the second one waits here.
	if err := t.tx.QueryRowContext(t.ctx, "SELECT open FROM adoption WHERE id = 1"+t.forUpdate).Scan(&open); err != nil || open == 0 {
		return false, err
	}
	if err := t.tx.QueryRowContext(t.ctx, "SELECT count(*) FROM audit WHERE action = $1", model.ActionAdopt).Scan(&adoptions); err != nil {
		return false, err
	}
	if adoptions == 0 {
		if n.Operations, err = s.adoptOperations(t, "operations", selectOperations+"o.state IN ('pending', 'signed') AND o.mac = '' LIMIT $1"); err != nil {
			return false, err
		}
		if n.Renewals, err = s.adoptOperations(t, "renewals", selectRenewals+"n.mac = '' LIMIT $1"); err != nil {
			return false, err
		}
		if n.Requests, err = s.adoptApplications(t); err != nil || *n != (Adopted{}) {
			return true, err
		}
		t.audit(model.AuditEntry{Actor: model.ActorService, Action: model.ActionAdopt, Detail: object(before)})
	}
	_, err = t.exec("UPDATE adoption SET open = 0 WHERE id = 1")
	return false, err
}

func (s *Store) adoptOperations(t *txn, table, query string) (int64, error) {
	var out []row
	rows, err := t.query(query, adoptedAtOnce)
	err = each(rows, err, func(rows *sql.Rows) error {
		op, err := s.scanOperation(rows)
		out = append(out, row{string(op.ID), s.operationMAC(&op)})
		return err
	})
	if err != nil {
		return 0, err
	}
	return int64(len(out)), t.storeMACs(table, out)
}

func (s *Store) adoptApplications(t *txn) (int64, error) {
	found, err := s.applications(t.query, false, "a.state IN ('waiting', 'approved') AND a.mac = '' LIMIT $1", adoptedAtOnce)
	if err != nil {
		return 0, err
	}
	out := make([]row, len(found))
	for i := range found {
		out[i] = row{string(found[i].ID), s.applicationMAC(&found[i])}
	}
	return int64(len(out)), t.storeMACs("applications", out)
}

func (t *txn) storeMACs(table string, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := t.exec("UPDATE "+table+" SET mac = r.mac FROM "+t.rows(1, "id text", "mac text")+" WHERE "+table+".id = r.id", rowSet(rows))
	return err
}
