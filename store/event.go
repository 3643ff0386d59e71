package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Events returns up to limit of an account's events behind one, in the order in which they were committed: once one can be
// read, none with a lower Seq is added any more. Those of no request are forgotten after [Config.EventKeep]. At most 1,000 are returned. Error code: storeUnavailable.
func (s *Store) Events(ctx context.Context, issuer model.Address, after int64, limit int) ([]model.Event, error) {
	return s.events(ctx, "issuer = $1 AND seq > $2 ORDER BY seq LIMIT $3", string(issuer), after, page(limit))
}

// ApplicationEvents returns all events of a request that a person decides on, in the order in which they were committed;
// none where there is no such request. Error code: storeUnavailable.
func (s *Store) ApplicationEvents(ctx context.Context, id model.OperationID) ([]model.Event, error) {
	return s.events(ctx, "application = $1 ORDER BY seq", text(string(id)))
}

// eventFields are of e. scanEvent reads them.
const eventFields = "e.seq, e.id, e.time, e.kind, e.actor, e.issuer, e.subject, e.type, coalesce(e.application, ''), coalesce(e.operation, ''), e.data"

// scanEvent reads an event, and what follows it.
func scanEvent(rows *sql.Rows, rest ...any) (model.Event, error) {
	var e model.Event
	var at int64
	var typ string
	var data sql.NullString
	err := rows.Scan(append([]any{&e.Seq, &e.ID, &at, &e.Kind, &e.Actor, &e.Issuer, &e.Subject, &typ, &e.Application, &e.Operation, &data}, rest...)...)
	if err != nil {
		return e, err
	}
	e.Time = time.UnixMicro(at).UTC()
	if data.Valid {
		e.Data = json.RawMessage(data.String)
	}
	e.Type, err = model.ParseTypeHex(typ)
	return e, err
}

func (s *Store) events(ctx context.Context, condition string, args ...any) ([]model.Event, error) {
	var out []model.Event
	rows, err := s.query(ctx, "SELECT "+eventFields+" FROM events e WHERE "+condition, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		e, err := scanEvent(rows)
		out = append(out, e)
		return err
	})
	return out, fault("reading events", err)
}
