package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/model"
)

// maxDenied is how many characters the subject or the id of a JWT may have that is denied.
const maxDenied = 255

// Deny has JWTs refused until a time, from the moment at which it has returned, by all who share the journal. One that
// is denied already is from now on until that time. Its Created is given here. by is who does it: its Actor, RequestID
// and Status. Error codes: badRequest (the value, or a time that is over), storeUnavailable.
func (s *Store) Deny(ctx context.Context, d model.Denial, by model.AuditEntry) error {
	if d.Kind != model.DeniedSubject && d.Kind != model.DeniedID {
		return misuse("a denial of the kind %q", d.Kind)
	}
	if n := utf8.RuneCountInString(d.Value); n == 0 || n > maxDenied || text(d.Value) != d.Value {
		return model.BadRequest(string(d.Kind), fmt.Sprintf("must be 1 to %d characters of text", maxDenied))
	}
	return s.write(ctx, "denying a JWT", func(t *txn) error {
		if !d.Expires.After(t.now) {
			return model.BadRequest("expires", "must be a time that is not over")
		}
		_, err := t.exec("INSERT INTO denials (kind, value, created, expires) VALUES ($1, $2, $3, $4)"+
			" ON CONFLICT (kind, value) DO UPDATE SET created = excluded.created, expires = excluded.expires",
			string(d.Kind), d.Value, t.now.UnixMicro(), d.Expires.UnixMicro())
		t.audit(doneBy(by, model.ActionTokenDeny, string(d.Kind)+":"+d.Value, denied{Expires: shownTime(d.Expires)}))
		return err
	})
}

// denied is the detail of a denial.
type denied struct {
	Expires string `json:"expires,omitempty"`
}

// Allow ends a denial. by is who does it. Error codes: tokenNotFound (nothing such is denied), storeUnavailable.
func (s *Store) Allow(ctx context.Context, kind model.DenialKind, value string, by model.AuditEntry) error {
	return s.write(ctx, "allowing a JWT", func(t *txn) error {
		n, err := t.exec("DELETE FROM denials WHERE kind = $1 AND value = $2 AND expires > $3", string(kind), text(value), t.now.UnixMicro())
		switch {
		case err != nil:
			return err
		case n == 0:
			return &model.Error{Code: model.CodeTokenNotFound, Message: "nothing such is denied"}
		}
		t.audit(doneBy(by, model.ActionTokenAllow, string(kind)+":"+text(value), denied{}))
		return nil
	})
}

// Denied says whether the JWTs of a subject are denied, or the one with an id, which is empty for none. Error code:
// storeUnavailable.
func (s *Store) Denied(ctx context.Context, subject, id string) (bool, error) {
	var one int
	err := s.readDB.QueryRowContext(ctx, "SELECT 1 FROM denials WHERE (kind = 'subject' AND value = $1 OR kind = 'jti' AND value = $2) AND expires > $3 LIMIT 1",
		text(subject), text(id), s.now().UnixMicro()).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, fault("looking whether a JWT is denied", err)
}

// Denials returns those that are not over, the oldest first. Error code: storeUnavailable.
func (s *Store) Denials(ctx context.Context) ([]model.Denial, error) {
	var out []model.Denial
	rows, err := s.query(ctx, "SELECT kind, value, created, expires FROM denials WHERE expires > $1 ORDER BY created, kind, value", s.now().UnixMicro())
	err = each(rows, err, func(rows *sql.Rows) error {
		var d model.Denial
		var created, expires int64
		err := rows.Scan(&d.Kind, &d.Value, &created, &expires)
		d.Created, d.Expires = time.UnixMicro(created).UTC(), time.UnixMicro(expires).UTC()
		out = append(out, d)
		return err
	})
	return out, fault("reading what is denied", err)
}

// SweepDenials forgets denials that are over, and says how many. The store does it by itself now and then.
func (s *Store) SweepDenials(ctx context.Context) (int64, error) {
	return s.inChunks(ctx, "removing denials that are over", func(t *txn, limit int) (int64, error) {
		return t.exec("DELETE FROM denials WHERE (kind, value) IN (SELECT kind, value FROM denials WHERE expires <= $1 LIMIT $2)", t.now.UnixMicro(), limit)
	})
}
