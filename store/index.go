package store

import (
	"context"
	"database/sql"

	"github.com/xrplissuer/credential-issuer/model"
)

// selectIndexed reads one state of an account's index: a single statement sees a single state. An account without credentials
// has one row, whose subject is empty. The condition of a filter follows the first part.
const selectIndexed = "SELECT m.known, m.complete, coalesce(c.subject, ''), coalesce(c.type, ''), coalesce(c.expiration, 0), coalesce(c.uri, '')," +
	" coalesce(c.accepted, 0), coalesce(c.entry, '') FROM mirrors m LEFT JOIN credentials c ON c.issuer = m.issuer AND c.deleted = 0"

const whereIndexed = " WHERE m.issuer = $1 ORDER BY c.subject, c.type"

// acceptanceFilters narrow [selectIndexed].
var acceptanceFilters = map[model.Acceptance]string{model.Accepted: " AND c.accepted = 1", model.Unaccepted: " AND c.accepted = 0"}

// Indexed reads the credential index of an account as it stands in one ledger, in the order of subjects and types. begin
// receives that ledger first; known is false while the index has no full listing. An error of begin or of each ends the read and
// is returned. The read occupies a connection until it ends, so each must not wait for long. Error code: storeUnavailable.
func (s *Store) Indexed(ctx context.Context, issuer model.Address, which model.Acceptance, begin func(complete uint32, known bool) error,
	each func(model.Credential) error) error {
	rows, err := s.readDB.QueryContext(ctx, selectIndexed+acceptanceFilters[which]+whereIndexed, string(issuer))
	if err != nil {
		return fault("reading the credential index", err)
	}
	defer func() { _ = rows.Close() }()
	begun := false
	for rows.Next() {
		complete, known, c, err := scanIndexed(rows, issuer)
		if err != nil {
			return fault("reading the credential index", err)
		}
		if !begun {
			begun = true
			if err := begin(complete, known); err != nil {
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

func scanIndexed(rows *sql.Rows, issuer model.Address) (complete uint32, known bool, c model.Credential, err error) {
	var typ, uri string
	var accepted, listed int
	c.Issuer = issuer
	if err = rows.Scan(&listed, &complete, &c.Subject, &typ, &c.Expiration, &uri, &accepted, &c.Index); err != nil {
		return 0, false, c, err
	}
	known, c.Accepted = listed == 1, accepted == 1
	if c.Subject == "" {
		return complete, known, c, nil
	}
	if c.Type, err = model.ParseTypeHex(typ); err == nil && uri != "" {
		c.URI, err = model.ParseURIHex(uri)
	}
	return complete, known, c, err
}
