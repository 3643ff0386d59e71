package store

import (
	"context"
	"database/sql"

	"github.com/xrplissuer/credential-issuer/model"
)

// selectIndexed reads one state of an account's index: a single statement sees a single state. An account without credentials
// has one row, whose subject is empty. The condition of a filter follows the first part.
const selectIndexed = "SELECT CASE WHEN m.known = 1 AND m.reconciled > 0 THEN 1 ELSE 0 END, m.complete, coalesce(c.subject, ''), coalesce(c.type, ''), coalesce(c.expiration, 0), coalesce(c.uri, '')," +
	" coalesce(c.accepted, 0), coalesce(c.entry, '') FROM mirrors m LEFT JOIN credentials c ON c.issuer = m.issuer AND c.deleted = 0"

const whereIndexed = " WHERE m.issuer = $1 ORDER BY c.subject, c.type"

// acceptanceFilters narrow [selectIndexed].
var acceptanceFilters = map[model.Acceptance]string{model.Accepted: " AND c.accepted = 1", model.Unaccepted: " AND c.accepted = 0"}

// Indexed reads the credential index of an account as it stands in one ledger, in the order of subjects and types. begin
// receives that ledger first; reconciled is false while the index has no full listing, or differed in the last comparison with the
// ledger ([Store.Reconciled]). An error of begin or of each ends the read and
// is returned. The read occupies a connection until it ends, so each must not wait for long. Error code: storeUnavailable.
func (s *Store) Indexed(ctx context.Context, issuer model.Address, which model.Acceptance, begin func(complete uint32, reconciled bool) error,
	each func(model.Credential) error) error {
	rows, err := s.readDB.QueryContext(ctx, selectIndexed+acceptanceFilters[which]+whereIndexed, string(issuer))
	if err != nil {
		return fault("reading the credential index", err)
	}
	defer func() { _ = rows.Close() }()
	begun := false
	for rows.Next() {
		complete, reconciled, c, err := scanIndexed(rows, issuer)
		if err != nil {
			return fault("reading the credential index", err)
		}
		if !begun {
			begun = true
			if err := begin(complete, reconciled); err != nil {
				return err
			}
		}
		if c.Subject == "" {
			continue
		}
		if err := each(c); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fault("reading the credential index", err)
	}
	if !begun {
		return begin(0, false)
	}
	return nil
}

func scanIndexed(rows *sql.Rows, issuer model.Address) (complete uint32, reconciled bool, c model.Credential, err error) {
	var typ, uri string
	var accepted, equal int
	c.Issuer = issuer
	if err = rows.Scan(&equal, &complete, &c.Subject, &typ, &c.Expiration, &uri, &accepted, &c.Index); err != nil {
		return 0, false, c, err
	}
	reconciled, c.Accepted = equal == 1, accepted == 1
	if c.Subject == "" {
		return complete, reconciled, c, nil
	}
	if c.Type, err = model.ParseTypeHex(typ); err == nil && uri != "" {
		c.URI, err = model.ParseURIHex(uri)
	}
	return complete, reconciled, c, err
}

// Reconciled notes that a comparison found the index of an account equal to a listing of a ledger; ledger is 0 when it differs.
// Error code: storeUnavailable.
func (s *Store) Reconciled(ctx context.Context, issuer model.Address, ledger uint32) error {
	return s.write(ctx, "noting a comparison with the ledger", func(t *txn) error {
		_, err := t.exec("UPDATE mirrors SET reconciled = $2 WHERE issuer = $1", string(issuer), int64(ledger))
		return err
	})
}

// Rewind takes the credential index of an account back to a ledger, where it claims to be past it: no proven ledger has such an
// index. A listing of that ledger must follow, which then decides on every record. closeTime is the ledger's. An index that is not
// past the ledger is left as it is. Error codes: wrongState (nothing was ever listed), storeUnavailable.
func (s *Store) Rewind(ctx context.Context, issuer model.Address, ledger, closeTime uint32) error {
	return s.write(ctx, "taking the credential index back", func(t *txn) error {
		m, err := t.lockMirror(issuer)
		if err != nil || m.complete <= ledger {
			return err
		}
		for _, change := range []struct {
			statement string
			to        uint32
		}{
			{"UPDATE mirrors SET complete = $2 WHERE issuer = $1", ledger},
			{"UPDATE mirrors SET close_time = $2 WHERE issuer = $1", closeTime},
			{"DELETE FROM credentials WHERE issuer = $1 AND deleted = 1 AND ledger > $2", ledger},
			{"UPDATE credentials SET place = 0, ledger = $2 WHERE issuer = $1 AND ledger > $2", ledger},
			{"UPDATE credentials SET seen = 0 WHERE issuer = $1 AND seen >= $2", ledger},
			{"UPDATE credentials SET issued = $2 WHERE issuer = $1 AND issued > $2", closeTime},
		} {
			if _, err := t.exec(change.statement, string(issuer), int64(change.to)); err != nil {
				return err
			}
		}
		return nil
	})
}
