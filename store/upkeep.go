package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// CountDue counts an account's credentials of a type that [Store.Unaccepted] and [Store.Expired] would return, page by page.
// Error code: storeUnavailable.
func (s *Store) CountDue(ctx context.Context, issuer model.Address, t model.CredentialType, issuedBefore, expiredBefore uint32) (unaccepted, expired int64, err error) {
	err = s.readDB.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM credentials c WHERE c.issuer = $1 AND c.type = $2 AND c.deleted = 0 AND c.accepted = 0 AND c.issued < $3),"+
		" (SELECT count(*) FROM credentials c WHERE c.issuer = $1 AND c.type = $2 AND c.deleted = 0 AND c.expiration IS NOT NULL AND c.expiration < $4)",
		string(issuer), t.Hex(), int64(issuedBefore), int64(expiredBefore)).Scan(&unaccepted, &expired)
	return unaccepted, expired, fault("counting credentials that are due", err)
}

// CountRequests counts an account's requests, as of a time. Error code: storeUnavailable.
func (s *Store) CountRequests(ctx context.Context, issuer model.Address, now time.Time) (model.RequestCounts, error) {
	var n model.RequestCounts
	err := s.readDB.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM applications WHERE issuer = $1 AND state = 'waiting'),"+
		" (SELECT count(*) FROM applications WHERE issuer = $1 AND state = 'waiting' AND decide_by <= $2),"+
		" (SELECT count(*) FROM applications WHERE issuer = $1 AND erase <= $2 AND documents IS NOT NULL)",
		string(issuer), now.UnixMicro()).Scan(&n.Waiting, &n.Overdue, &n.Erasable)
	return n, fault("counting requests", err)
}

// Backlogs says what each endpoint of an account is still to be told of, in the order of their ids. Error code:
// storeUnavailable.
func (s *Store) Backlogs(ctx context.Context, issuer model.Address) ([]model.Backlog, error) {
	var out []model.Backlog
	rows, err := s.query(ctx, "SELECT p.endpoint, (SELECT count(*) FROM events e WHERE e.issuer = p.issuer AND e.seq > p.made AND "+wanted+"),"+
		" (SELECT count(*) FROM deliveries d WHERE d.issuer = p.issuer AND d.endpoint = p.endpoint AND d.state = 'open'),"+
		" (SELECT count(*) FROM deliveries d WHERE d.issuer = p.issuer AND d.endpoint = p.endpoint AND d.state = 'givenUp'),"+
		" (SELECT min(d.first) FROM deliveries d WHERE d.issuer = p.issuer AND d.endpoint = p.endpoint AND d.state = 'open' AND d.first > 0)"+
		" FROM endpoints p WHERE p.issuer = $1 ORDER BY p.endpoint", string(issuer))
	err = each(rows, err, func(rows *sql.Rows) error {
		var b model.Backlog
		var unmade int64
		var first sql.NullInt64
		err := rows.Scan(&b.Endpoint, &unmade, &b.Waiting, &b.GivenUp, &first)
		b.Waiting += unmade
		b.Failing = instant(first)
		out = append(out, b)
		return err
	})
	return out, fault("counting what webhooks are to be told of", err)
}
