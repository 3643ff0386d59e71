package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/xrplissuer/credential-issuer/model"
)

// TellExpired tells of up to limit of an account's credentials that a validated ledger, which closed at closeTime, is past the
// expiration of: of each once, the longest expired first. It says how many; where that is limit there may be more. Those that
// had expired before the account's credentials were ever listed are not told of. Error codes: wrongState (what stands was
// never listed), storeUnavailable.
func (s *Store) TellExpired(ctx context.Context, issuer model.Address, closeTime uint32, limit int) (int, error) {
	var n int
	err := s.write(ctx, "telling of expired credentials", func(t *txn) error {
		if _, err := t.lockMirror(issuer); err != nil {
			return err
		}
		var due []*record
		rows, err := t.query(selectRecords+"WHERE c.issuer = $1 AND c.deleted = 0 AND c.told = 0 AND c.expiration IS NOT NULL AND c.expiration < $2"+
			" ORDER BY c.expiration, c.subject, c.type LIMIT $3", string(issuer), int64(closeTime), page(limit))
		err = each(rows, err, func(rows *sql.Rows) error {
			r, err := scanRecord(rows)
			due = append(due, r)
			return err
		})
		if n = len(due); err != nil || n == 0 {
			return err
		}
		for _, r := range due {
			r.ExpiryTold = true
			t.tell(model.Event{Kind: model.EventExpired, Actor: model.ActorLedger, Issuer: issuer, Subject: r.Subject, Type: r.Type,
				Data: object(expired{Expiration: model.FormatTime(r.Expiration), Accepted: r.Accepted})})
		}
		return t.storeRecords(due)
	})
	return n, err
}

// expired is the data of an event that tells of an expiry.
type expired struct {
	Expiration string `json:"expiration"`
	Accepted   bool   `json:"accepted"`
}

// Unaccepted returns up to limit of an account's credentials of a type that were issued before a time (in seconds since the
// Ripple Epoch) and not accepted, in the order in which they were issued. after is the last one of the page before, or zero.
// At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) Unaccepted(ctx context.Context, issuer model.Address, t model.CredentialType, issuedBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	return s.dueRecords(ctx, "WHERE c.issuer = $1 AND c.type = $2 AND c.deleted = 0 AND c.accepted = 0 AND c.issued < $3"+
		" AND (c.issued, c.subject) > ($4, $5) ORDER BY c.issued, c.subject LIMIT $6",
		string(issuer), t.Hex(), int64(issuedBefore), int64(after.Issued), string(after.Subject), page(limit))
}

// UnacceptedOf returns up to limit unaccepted credentials of one subject, by type. after is the last one of the page before, or
// zero. At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) UnacceptedOf(ctx context.Context, issuer, subject model.Address, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	return s.dueRecords(ctx, "WHERE c.issuer = $1 AND c.subject = $2 AND c.type > $3 AND c.deleted = 0 AND c.accepted = 0 ORDER BY c.type LIMIT $4",
		string(issuer), string(subject), after.Type.Hex(), page(limit))
}

// Expired returns up to limit of an account's credentials whose expiration is before a time (in seconds since the Ripple
// Epoch), of one type or of all where it is empty, the longest expired first. after is the last one of the page before, or
// zero. At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) Expired(ctx context.Context, issuer model.Address, t model.CredentialType, expiredBefore uint32, after model.CredentialRecord, limit int) ([]model.CredentialRecord, error) {
	const due = "WHERE c.issuer = $1 AND c.deleted = 0 AND c.expiration IS NOT NULL AND c.expiration < $2"
	args := []any{string(issuer), int64(expiredBefore), int64(after.Expiration), string(after.Subject), after.Type.Hex(), page(limit)}
	if t == "" {
		return s.dueRecords(ctx, due+" AND (c.expiration, c.subject, c.type) > ($3, $4, $5) ORDER BY c.expiration, c.subject, c.type LIMIT $6", args...)
	}
	args[4] = t.Hex()
	return s.dueRecords(ctx, due+" AND c.type = $5 AND (c.type, c.expiration, c.subject) > ($5, $3, $4) ORDER BY c.expiration, c.subject LIMIT $6", args...)
}

func (s *Store) dueRecords(ctx context.Context, condition string, args ...any) ([]model.CredentialRecord, error) {
	var out []model.CredentialRecord
	rows, err := s.readDB.QueryContext(ctx, selectRecords+condition, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		if err == nil {
			out = append(out, r.CredentialRecord)
		}
		return err
	})
	return out, fault("reading records of credentials", err)
}

// selectStatus reads what a mirror counts. What has expired and was not told of yet is little.
const selectStatus = "SELECT m.known, m.complete, m.close_time, m.standing, m.unaccepted, m.told + (SELECT count(*) FROM credentials c" +
	" WHERE c.issuer = m.issuer AND c.deleted = 0 AND c.told = 0 AND c.expiration IS NOT NULL AND c.expiration < m.close_time)" +
	" FROM mirrors m WHERE m.issuer = "

// MirrorStatus says how many records an account has. It goes through none of them but those whose expiry is still to be told
// of. Error code: storeUnavailable.
func (s *Store) MirrorStatus(ctx context.Context, issuer model.Address) (model.MirrorStatus, error) {
	var st model.MirrorStatus
	var known int
	err := s.readDB.QueryRowContext(ctx, selectStatus+"$1", string(issuer)).
		Scan(&known, &st.Complete, &st.CloseTime, &st.Standing, &st.Unaccepted, &st.Expired)
	if errors.Is(err, sql.ErrNoRows) {
		return st, nil
	}
	st.Known = known == 1
	return st, fault("counting records of credentials", err)
}
