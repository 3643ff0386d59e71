package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// maxDue is how many deliveries are returned or settled with one call.
	maxDue = 256
	// maxMade is how many deliveries are made of events in one transaction.
	maxMade = 1000
	// maxEndpointLen is how many bytes an endpoint's ID may have.
	maxEndpointLen = 64
)

// An endpoint's deliveries are made of the account's events when it has fewer than are asked for, from where it has come to:
// whoever commits an event writes nothing for those who are to be told of it. What was delivered is removed, so that what an
// endpoint still has to be told of is all that is looked through.

// SetEndpoints says which endpoints an account's events are sent to, all of them, and which kinds of events. One that
// is new is told of the events that are committed from here on. One that is there already goes on where it is; what it
// was not told of yet goes by the kinds that it is to be told of now, and what those leave out is forgotten. One that
// is not named any more is forgotten with all that it was not told of, and returned in ended. Error code:
// storeUnavailable.
func (s *Store) SetEndpoints(ctx context.Context, issuer model.Address, subscriptions []model.Subscription) (ended []string, err error) {
	kinds := map[string]string{}
	for _, sub := range subscriptions {
		e := sub.Endpoint
		if _, twice := kinds[e]; twice || e == "" || len(e) > maxEndpointLen || text(e) != e {
			return nil, misuse("endpoint %q has no id of 1 to %d bytes, or is named twice", e, maxEndpointLen)
		}
		for _, k := range sub.Kinds {
			if !slices.Contains(model.EventKinds(), k) {
				return nil, misuse("endpoint %q is to be told of events of the kind %q", e, k)
			}
		}
		kinds[e] = kindList(sub.Kinds)
	}
	err = s.write(ctx, "storing which webhooks there are", func(t *txn) error {
		ended = nil
		known := map[string]string{}
		rows, err := t.query("SELECT endpoint, kinds FROM endpoints WHERE issuer = $1 ORDER BY endpoint"+t.forUpdate, string(issuer))
		err = each(rows, err, func(rows *sql.Rows) error {
			var e, before string
			err := rows.Scan(&e, &before)
			known[e] = before
			if _, named := kinds[e]; !named {
				ended = append(ended, e)
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(ended) > 0 {
			list, err := t.list(ended)
			if err != nil {
				return err
			}
			for _, table := range []string{"endpoints", "deliveries"} {
				if _, err := t.exec("DELETE FROM "+table+" WHERE issuer = $2 AND "+t.in("endpoint", 1), list, string(issuer)); err != nil {
					return err
				}
			}
		}
		for _, e := range slices.Sorted(maps.Keys(kinds)) {
			before, there := known[e]
			var err error
			switch {
			case !there:
				_, err = t.exec("INSERT INTO endpoints (issuer, endpoint, made, created, kinds) SELECT $1, $2, event, $3, $4 FROM heads WHERE id = 1"+
					" ON CONFLICT (issuer, endpoint) DO NOTHING", string(issuer), e, t.now.UnixMicro(), kinds[e])
			case before != kinds[e]:
				err = t.setKinds(issuer, e, kinds[e])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ended, err
}

// kindList is how the kinds that an endpoint is told of are stored.
func kindList(kinds []model.EventKind) string {
	if len(kinds) == 0 {
		return ""
	}
	var all []string
	for _, k := range kinds {
		all = append(all, string(k))
	}
	slices.Sort(all)
	return " " + strings.Join(slices.Compact(all), " ") + " "
}

// wanted says whether the event e is of a kind that the endpoint p is told of.
const wanted = "(p.kinds = '' OR p.kinds LIKE '% ' || e.kind || ' %')"

// setKinds changes what an endpoint is told of, and forgets what it is not told of any more.
func (t *txn) setKinds(issuer model.Address, endpoint, kinds string) error {
	if _, err := t.exec("UPDATE endpoints SET kinds = $3 WHERE issuer = $1 AND endpoint = $2", string(issuer), endpoint, kinds); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM deliveries WHERE issuer = $1 AND endpoint = $2 AND state = 'open' AND seq IN (SELECT e.seq FROM deliveries d"+
		" JOIN events e ON e.seq = d.seq JOIN endpoints p ON p.issuer = d.issuer AND p.endpoint = d.endpoint"+
		" WHERE d.issuer = $1 AND d.endpoint = $2 AND d.state = 'open' AND NOT "+wanted+")", string(issuer), endpoint)
	return err
}

// DueDeliveries returns up to limit, 1 to 256, of what an endpoint can be told at a time, in the order of the events: of each
// credential the oldest event that it was not told of, and none where that one is postponed to later than now, or tells of a
// credential and has an operation that is not final. The same are returned until they are settled. Error code:
// storeUnavailable.
func (s *Store) DueDeliveries(ctx context.Context, issuer model.Address, endpoint string, now time.Time, limit int) ([]model.Delivery, error) {
	if limit < 1 || limit > maxDue {
		return nil, misuse("%d deliveries are asked for", limit)
	}
	for {
		due, err := s.due(ctx, issuer, endpoint, now, limit)
		if err != nil || len(due) == limit {
			return due, err
		}
		made, err := s.makeDeliveries(ctx, issuer, endpoint)
		if err != nil || !made {
			return due, err
		}
	}
}

// due reads what [Store.DueDeliveries] returns of the deliveries that were made.
func (s *Store) due(ctx context.Context, issuer model.Address, endpoint string, now time.Time, limit int) ([]model.Delivery, error) {
	var out []model.Delivery
	rows, err := s.readDB.QueryContext(ctx, "SELECT "+eventFields+", d.attempts, d.first FROM deliveries d JOIN events e ON e.seq = d.seq"+
		" WHERE d.issuer = $1 AND d.endpoint = $2 AND d.state = 'open' AND d.next <= $3"+
		" AND NOT EXISTS (SELECT 1 FROM deliveries b WHERE b.issuer = d.issuer AND b.endpoint = d.endpoint AND b.subject = d.subject"+
		" AND b.type = d.type AND b.state = 'open' AND b.seq < d.seq)"+
		" AND (d.held IS NULL OR EXISTS (SELECT 1 FROM operations o WHERE o.id = d.held AND o.state NOT IN ('pending', 'signed')))"+
		" ORDER BY d.seq LIMIT $4", string(issuer), endpoint, now.UnixMicro(), limit)
	err = each(rows, err, func(rows *sql.Rows) error {
		var d model.Delivery
		var first int64
		var err error
		d.Event, err = scanEvent(rows, &d.Attempts, &first)
		if first != 0 {
			d.First = time.UnixMicro(first).UTC()
		}
		out = append(out, d)
		return err
	})
	return out, fault("reading what webhooks are to be told of", err)
}

// makeDeliveries makes deliveries of the next events, as far as the endpoint is to be told of them, and says whether
// there were any events.
func (s *Store) makeDeliveries(ctx context.Context, issuer model.Address, endpoint string) (bool, error) {
	var waiting bool
	err := s.readDB.QueryRowContext(ctx, "SELECT CASE WHEN EXISTS (SELECT 1 FROM endpoints p JOIN events e ON e.issuer = p.issuer AND e.seq > p.made"+
		" WHERE p.issuer = $1 AND p.endpoint = $2) THEN true ELSE false END", string(issuer), endpoint).Scan(&waiting)
	if err != nil || !waiting {
		return false, fault("looking for events that webhooks are to be told of", err)
	}
	moved := false
	err = s.write(ctx, "storing what webhooks are to be told of", func(t *txn) error {
		moved = false
		var made int64
		found := false
		rows, err := t.query("SELECT made FROM endpoints WHERE issuer = $1 AND endpoint = $2"+t.forUpdate, string(issuer), endpoint)
		err = each(rows, err, func(rows *sql.Rows) error {
			found = true
			return rows.Scan(&made)
		})
		if err != nil || !found {
			return err
		}
		// One look at the events for both statements: more may be committed between them.
		var last int64
		err = t.tx.QueryRowContext(t.ctx, "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM events WHERE issuer = $1 AND seq > $2 ORDER BY seq LIMIT $3) AS e",
			string(issuer), made, maxMade).Scan(&last)
		if err != nil || last == 0 {
			return err
		}
		_, err = t.exec("INSERT INTO deliveries (issuer, endpoint, seq, subject, type, held, state, attempts, first, next, failure, updated)"+
			" SELECT e.issuer, p.endpoint, e.seq, e.subject, e.type, CASE WHEN e.kind LIKE 'credential.%' THEN e.operation END, 'open', 0, 0, 0, '', $3"+
			" FROM endpoints p JOIN events e ON e.issuer = p.issuer AND e.seq > $4 AND e.seq <= $5"+
			" WHERE p.issuer = $1 AND p.endpoint = $2 AND "+wanted, string(issuer), endpoint, t.now.UnixMicro(), made, last)
		if err == nil {
			_, err = t.exec("UPDATE endpoints SET made = $3 WHERE issuer = $1 AND endpoint = $2", string(issuer), endpoint, last)
		}
		moved = err == nil
		return err
	})
	return moved, err
}

// SettleDeliveries stores what came of attempts to tell an endpoint of up to 256 different events: all of it, or nothing. What
// is not open any more is passed over. Error code: storeUnavailable.
func (s *Store) SettleDeliveries(ctx context.Context, issuer model.Address, endpoint string, outcomes []model.DeliveryOutcome) error {
	if len(outcomes) > maxDue {
		return misuse("%d deliveries are settled at once", len(outcomes))
	}
	var done []int64
	var rows []row
	seen := map[int64]bool{}
	for _, o := range outcomes {
		if seen[o.Seq] {
			return misuse("the delivery of event %d is settled twice", o.Seq)
		}
		seen[o.Seq] = true
		state, next := "open", o.Next.UnixMicro()
		switch o.State {
		case model.DeliveryDone:
			done = append(done, o.Seq)
			continue
		case model.DeliveryGivenUp:
			state, next = "givenUp", 0
		case model.DeliveryPostponed:
		default:
			return misuse("the delivery of event %d cannot become %q", o.Seq, o.State)
		}
		first := int64(0)
		if !o.First.IsZero() {
			first = o.First.UnixMicro()
		}
		rows = append(rows, row{o.Seq, state, o.Attempts, first, next, short(o.Failure), o.At.UnixMicro()})
	}
	return s.write(ctx, "storing what webhooks were told of", func(t *txn) error {
		if len(done) > 0 {
			list, err := t.list(done)
			if err != nil {
				return err
			}
			if _, err := t.exec("DELETE FROM deliveries WHERE issuer = $2 AND endpoint = $3 AND state = 'open' AND "+t.in("seq", 1),
				list, string(issuer), endpoint); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			return nil
		}
		arg := rowSet(rows)
		_, err := t.exec("UPDATE deliveries SET state = r.state, attempts = r.attempts, first = r.first, next = r.next, failure = r.failure, updated = r.updated FROM "+
			t.rows(1, "seq bigint", "state text", "attempts bigint", "first bigint", "next bigint", "failure text", "updated bigint")+
			" WHERE deliveries.issuer = $2 AND deliveries.endpoint = $3 AND deliveries.seq = r.seq AND deliveries.state = 'open'", arg, string(issuer), endpoint)
		return err
	})
}

// WatchEvents returns a channel that holds a signal when there may be something new to tell an account's webhooks of: events,
// or operations that became final. It also holds one from time to time for nothing. stop ends it.
func (s *Store) WatchEvents(issuer model.Address) (wake <-chan struct{}, stop func()) {
	return register(s.hub, s.hub.tellers, issuer)
}

// SweepEvents forgets events that are older than [Config.EventKeep], but for those of requests that a person decides on, and
// those that an endpoint is still to be told of; and deliveries that were given up that long ago. It says how many. The store
// does it by itself now and then.
func (s *Store) SweepEvents(ctx context.Context) (int64, error) {
	cutoff := func(t *txn) int64 { return t.now.Add(-s.cfg.EventKeep).UnixMicro() }
	over, err := s.inChunks(ctx, "removing deliveries that were given up", func(t *txn, limit int) (int64, error) {
		return t.exec("DELETE FROM deliveries WHERE (issuer, endpoint, state, seq) IN (SELECT issuer, endpoint, state, seq FROM deliveries"+
			" WHERE state = 'givenUp' AND updated < $1 ORDER BY updated LIMIT $2)", cutoff(t), limit)
	})
	if err != nil {
		return over, err
	}
	n, err := s.inChunks(ctx, "removing old events", func(t *txn, limit int) (int64, error) {
		return t.exec("DELETE FROM events WHERE seq IN (SELECT e.seq FROM events e WHERE e.application IS NULL AND e.time < $1 AND NOT EXISTS"+
			" (SELECT 1 FROM endpoints p LEFT JOIN deliveries d ON d.issuer = p.issuer AND d.endpoint = p.endpoint AND d.seq = e.seq AND d.state = 'open'"+
			" WHERE p.issuer = e.issuer AND (p.made < e.seq OR d.seq IS NOT NULL)) ORDER BY e.time LIMIT $2)", cutoff(t), limit)
	})
	return over + n, err
}
