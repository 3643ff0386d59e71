package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Events returns up to limit of an account's events behind one, in the order in which they were committed: once one can be
// read, none with a lower Seq is added any more. At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) Events(ctx context.Context, issuer model.Address, after int64, limit int) ([]model.Event, error) {
	return s.events(ctx, "issuer = $1 AND seq > $2 ORDER BY seq LIMIT $3", string(issuer), after, page(limit))
}

// ApplicationEvents returns all events of a request that a person decides on, in the order in which they were committed;
// none where there is no such request. Error code: storeUnavailable.
func (s *Store) ApplicationEvents(ctx context.Context, id model.OperationID) ([]model.Event, error) {
	return s.events(ctx, "application = $1 ORDER BY seq", text(string(id)))
}

func (s *Store) events(ctx context.Context, condition string, args ...any) ([]model.Event, error) {
	var out []model.Event
	rows, err := s.query(ctx, "SELECT seq, id, time, kind, actor, issuer, subject, type, coalesce(application, ''), coalesce(operation, ''), data"+
		" FROM events WHERE "+condition, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var e model.Event
		var at int64
		var typ string
		var data sql.NullString
		err := rows.Scan(&e.Seq, &e.ID, &at, &e.Kind, &e.Actor, &e.Issuer, &e.Subject, &typ, &e.Application, &e.Operation, &data)
		if err != nil {
			return err
		}
		e.Time = time.UnixMicro(at).UTC()
		if data.Valid {
			e.Data = json.RawMessage(data.String)
		}
		if e.Type, err = model.ParseTypeHex(typ); err != nil {
			return err
		}
		out = append(out, e)
		return nil
	})
	return out, fault("reading events", err)
}
