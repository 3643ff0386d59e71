package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// reasonKeep is how long the reason of a rejection is kept at least: its applicant is to read it, also where documents go at once.
const reasonKeep = 30 * 24 * time.Hour

// erasedReason stands where a reason was.
const erasedReason = "(erased)"

// erasedHash stands where the hash of a request was: no request has it.
var erasedHash = strings.Repeat("0", 64)

// forgetRequests forgets what requests looked like that a person decided on. Their keys stay taken for their time: whatever comes
// with one of them is another request.
func (t *txn) forgetRequests(ids ...string) error {
	list, err := t.list(ids)
	if err == nil {
		_, err = t.exec("UPDATE idempotency_keys SET request_hash = $2, hash_key = $3 WHERE "+t.in("application", 1), list, erasedHash, "erased")
	}
	return err
}

// eraseReasons erases reasons of rejections whose time is over, and says how many.
func (s *Store) eraseReasons(t *txn, issuer model.Address, now time.Time, limit int) (int, error) {
	n, err := t.exec("UPDATE applications SET reason = $1, updated = $2 WHERE id IN (SELECT id FROM applications WHERE issuer = $3 AND erase <= $4"+
		" AND erase - keep <= $5 AND state = 'rejected' AND reason <> '"+erasedReason+"' ORDER BY erase, id LIMIT $6"+t.forUpdate+")",
		erasedReason, t.now.UnixMicro(), string(issuer), now.UnixMicro(), now.Add(-reasonKeep).UnixMicro(), page(limit))
	return int(n), err
}

// EraseDocuments erases the documents of up to limit of an account's requests whose time is over, the longest overdue
// first, and says how many. With them goes the hash of the request that an idempotency key has. It also erases as many reasons of
// rejections, 30 days after the decision and not before the documents. It can be called again at once when it has erased limit of them. On SQLite their bytes are
// overwritten, and the write-ahead log is emptied of them; where somebody reads for so long that it cannot be, it is tried
// again with the next call, also one that finds nothing to erase. On PostgreSQL they cannot be read any more by whoever
// asks the database, while dead rows keep the bytes until a vacuum has passed and the pages are written over, and archived
// write-ahead logs and backups for as long as they are kept: only without its key is what is sealed gone there. Error code:
// storeUnavailable.
func (s *Store) EraseDocuments(ctx context.Context, issuer model.Address, now time.Time, limit int) (int, error) {
	var n, reasons int
	err := s.write(ctx, "erasing documents", func(t *txn) error {
		var due []model.Application
		var ids []string
		rows, err := t.query("SELECT id, subject, type FROM applications WHERE issuer = $1 AND erase <= $2 AND documents IS NOT NULL"+
			" ORDER BY erase, id LIMIT $3"+t.forUpdate, string(issuer), now.UnixMicro(), page(limit))
		err = each(rows, err, func(rows *sql.Rows) error {
			a := model.Application{Issuer: issuer}
			var typ string
			if err := rows.Scan(&a.ID, &a.Subject, &typ); err != nil {
				return err
			}
			var err error
			a.Type, err = model.ParseTypeHex(typ)
			due, ids = append(due, a), append(ids, string(a.ID))
			return err
		})
		if err == nil {
			reasons, err = s.eraseReasons(t, issuer, now, limit)
		}
		if n = len(due); err != nil || n == 0 {
			return err
		}
		list, err := t.list(ids)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE applications SET documents = NULL, updated = $2 WHERE "+t.in("id", 1), list, t.now.UnixMicro()); err != nil {
			return err
		}
		if err := t.forgetRequests(ids...); err != nil {
			return err
		}
		for i := range due {
			t.tell(t.eventOf(&due[i], model.EventErased, model.ActorJanitor))
			t.audit(model.AuditEntry{Actor: model.ActorJanitor, Action: model.ActionErase, Target: ids[i]})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if n+reasons > 0 {
		s.scrubbed.Store(false)
	}
	return n, s.scrub(ctx)
}

// scrubTries is how often readers are waited for, each time for as long as the connection that writes waits: 100 ms.
const scrubTries = 5

// scrub empties SQLite's write-ahead log of what was erased. What a process before this one erased may still be in there,
// so each does it once.
func (s *Store) scrub(ctx context.Context) error {
	if s.d != &sqliteDialect || s.scrubbed.Load() {
		return nil
	}
	s.scrubbed.Store(true) // what is erased from here on unsays it
	for range scrubTries {
		var held, pages, moved int
		err := s.writeDB.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&held, &pages, &moved)
		switch {
		case err == nil && held == 0:
			return nil
		case err != nil && !busy(err):
			s.scrubbed.Store(false)
			return fault("emptying the write-ahead log", err)
		}
	}
	s.scrubbed.Store(false)
	s.log.Warn("documents are erased, and the write-ahead log still has their sealed bytes, as somebody reads the database all the time; it is tried again")
	return nil
}
