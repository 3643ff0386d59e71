package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Review requests that ended without a credential cost rows and entries of the audit log, and whoever makes and withdraws them
// makes many. So they are limited for each subject and client, and removed after a time.

// Bounds of how long closed review requests are kept. Limits count those of up to a day.
const (
	withdrawnKeep = 24 * time.Hour
	requestKeep   = 30 * 24 * time.Hour
)

// clientHash stands for a client in a review request: it shows no address.
func (s *Store) clientHash(issuer model.Address, client string) string {
	if client == "" {
		return ""
	}
	return hex.EncodeToString(s.hashKeys[0].sum("client", string(issuer), client)[:16])
}

// checkClosed refuses a review request where as many as may have ended without a credential lately. Those with a proof of the
// subject's key are counted apart from those without: nobody else can use up the subject's own.
func (s *Store) checkClosed(t *txn, a *model.Application) error {
	if err := t.checkClosedBy(a.Closed.PerSubject, "subject", "subject = $4 AND proven = $5", string(a.Issuer), string(a.Subject), bit(a.Proven)); err != nil || a.Client == "" {
		return err
	}
	return t.checkClosedBy(a.Closed.PerClient, "client", "client = $4", string(a.Issuer), s.clientHash(a.Issuer, a.Client))
}

func (t *txn) checkClosedBy(l model.ClosedLimit, who, condition string, args ...any) error {
	if l.Count <= 0 || l.Within <= 0 {
		return nil
	}
	// The one that has to be forgotten before there is room again.
	var closed int64
	err := t.tx.QueryRowContext(t.ctx, "SELECT closed FROM applications WHERE issuer = $3 AND closed > $1 AND "+condition+" ORDER BY closed DESC LIMIT 1 OFFSET $2",
		append([]any{t.now.Add(-l.Within).UnixMicro(), l.Count - 1}, args...)...).Scan(&closed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return &model.Error{Code: model.CodeTooManyRequests, RetryAfter: max(time.UnixMicro(closed).Add(l.Within).Sub(t.now), time.Second),
		Message: "too many review requests of this " + who + " were withdrawn, rejected or lapsed lately: ask again later"}
}

// SweepApplications removes review requests that ended without a credential, with their history and their idempotency keys, and
// says how many: withdrawn ones after a day, lapsed ones after [Config.RequestKeep], rejected ones then too, but not before their
// reason is erased. One with documents, or with an event that a webhook is still to be told of, is kept. The entries of the
// audit log remain. The store does it by itself now and then. Error code: storeUnavailable.
func (s *Store) SweepApplications(ctx context.Context) (int64, error) {
	return s.inChunks(ctx, "removing closed requests", func(t *txn, limit int) (int64, error) {
		var ids []string
		keep := t.now.Add(-s.cfg.RequestKeep).UnixMicro()
		rows, err := t.query("SELECT a.id FROM applications a WHERE a.closed < $1 AND (a.state = 'withdrawn' OR a.closed < $2)"+
			" AND a.documents IS NULL AND (a.state <> 'rejected' OR a.reason = '"+erasedReason+"') AND NOT EXISTS (SELECT 1 FROM events e"+
			" JOIN endpoints p ON p.issuer = e.issuer LEFT JOIN deliveries d ON d.issuer = p.issuer AND d.endpoint = p.endpoint AND d.seq = e.seq AND d.state = 'open'"+
			" WHERE e.application = a.id AND (p.made < e.seq OR d.seq IS NOT NULL)) ORDER BY a.closed, a.id LIMIT $3",
			t.now.Add(-withdrawnKeep).UnixMicro(), keep, limit)
		err = each(rows, err, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		for _, from := range []struct{ table, column string }{{"idempotency_keys", "application"}, {"events", "application"}, {"applications", "id"}} {
			if err := t.remove(from.table, from.column, ids); err != nil {
				return 0, err
			}
		}
		return int64(len(ids)), nil
	})
}
