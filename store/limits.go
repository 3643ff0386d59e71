package store

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// bounded says whether an operation must stay within limits. What an account issues to itself is accepted at once.
func bounded(op *model.Operation) bool {
	return op.Limits != nil && (op.Limits.PerSubject > 0 || op.Limits.InAll > 0) && op.Kind == model.KindIssue && op.Subject != op.Issuer
}

// lockLimits keeps others who store operations with limits for the same accounts waiting until t ends. It comes before all
// that they and t may both want: keys, nonces, operations.
func (s *Store) lockLimits(t *txn, group []*creation) error {
	issuers := map[model.Address]bool{}
	for _, c := range group {
		if bounded(&c.op) {
			issuers[c.op.Issuer] = true
		}
	}
	if s.d != &postgresDialect { // the one who writes has the lock
		return nil
	}
	for _, issuer := range slices.Sorted(maps.Keys(issuers)) {
		if _, err := t.exec("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", s.hub.channel+" limits "+string(issuer)); err != nil {
			return err
		}
	}
	return nil
}

// tally is how many credentials were not accepted, or may come to be without being so, before a group of operations.
type tally struct {
	subjects map[model.Address]int
	types    map[model.CredentialType]int
	standing map[credentialKey]bool // these are counted already
	most     int                    // what is counted no further

	perSubject, inAll bool // which of them there are limits of
}

// tallies counts for those of a group that have limits.
func (t *txn) tallies(group []*creation) (map[model.Address]*tally, error) {
	out := map[model.Address]*tally{}
	asked := map[model.Address][]*creation{}
	for _, c := range group {
		if bounded(&c.op) {
			asked[c.op.Issuer] = append(asked[c.op.Issuer], c)
		}
	}
	for issuer, cs := range asked {
		y := &tally{subjects: map[model.Address]int{}, types: map[model.CredentialType]int{}, standing: map[credentialKey]bool{}}
		var keys []row
		for _, c := range cs {
			y.subjects[c.op.Subject], y.types[c.op.Type] = 0, 0
			y.perSubject, y.inAll = y.perSubject || c.op.Limits.PerSubject > 0, y.inAll || c.op.Limits.InAll > 0
			y.most = max(y.most, c.op.Limits.PerSubject, c.op.Limits.InAll)
			keys = append(keys, row{string(c.op.Subject), c.op.Type.Hex()})
		}
		y.most += len(group) + 1
		if err := t.count(issuer, y, keys); err != nil {
			return nil, err
		}
		out[issuer] = y
	}
	return out, nil
}

// late begins a query with the credentials that were issued in ledgers which the mirror does not have all of, and that are
// not in it yet: those of which a column is in the rows.
func (t *txn) late(column string) string {
	return "WITH " + lately + " AND o." + column + " IN (SELECT r." + column + " FROM " + t.rows(1, column+" text") + ")) "
}

const lately = "late AS MATERIALIZED (SELECT o.subject, o.type FROM attempts a JOIN operations o ON o.id = a.operation" +
	" WHERE a.issuer = $2 AND a.state = 'validated' AND a.ledger_index > coalesce((SELECT m.complete FROM mirrors m WHERE m.issuer = $2), 0)" +
	" AND o.kind = 'issue' AND o.state = 'succeeded' AND o.subject <> $2 AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.issuer = $2" +
	" AND c.subject = o.subject AND c.type = o.type AND (c.ledger >= a.ledger_index OR c.seen >= a.ledger_index))"

// count fills in a tally. Each credential counts once: as one that stands, as one that is under way, or as both.
func (t *txn) count(issuer model.Address, y *tally, keys []row) error {
	var subjects, types []row
	for subject := range y.subjects {
		subjects = append(subjects, row{string(subject)})
	}
	for typ := range y.types {
		types = append(types, row{typ.Hex()})
	}
	// parts selects a column of what counts, where another is that of a row: no more of each than can matter.
	parts := func(column, by string) string {
		query := ""
		for i, from := range []string{
			"credentials x WHERE x.issuer = $2 AND x.deleted = 0 AND x.accepted = 0",
			"operations x WHERE x.issuer = $2 AND x.kind = 'issue' AND x.state IN ('pending', 'signed') AND x.subject <> $2",
			"renewals x WHERE x.issuer = $2 AND x.state = 'waiting' AND x.subject <> $2",
			"late x WHERE true",
		} {
			if i > 0 {
				query += " UNION "
			}
			query += fmt.Sprintf("SELECT p%d.%s FROM (SELECT x.%s FROM %s AND x.%s = r.%s LIMIT $3) AS p%d", i, column, column, from, by, by, i)
		}
		return t.late(by) + "SELECT r." + by + ", (SELECT count(*) FROM (" + query + ") AS u) FROM "
	}
	for _, q := range []struct {
		query string
		rows  []row
		asked bool
		found func(key string, n int) error
	}{
		{parts("type", "subject") + t.rows(1, "subject text"), subjects, y.perSubject, func(key string, n int) error {
			y.subjects[model.Address(key)] = n
			return nil
		}},
		{parts("subject", "type") + t.rows(1, "type text"), types, y.inAll, func(key string, n int) error {
			typ, err := model.ParseTypeHex(key)
			y.types[typ] = n
			return err
		}},
	} {
		if !q.asked {
			continue
		}
		arg := rowSet(q.rows)
		rows, err := t.query(q.query, arg, string(issuer), y.most)
		err = each(rows, err, func(rows *sql.Rows) error {
			var key string
			var n int
			if err := rows.Scan(&key, &n); err != nil {
				return err
			}
			return q.found(key, n)
		})
		if err != nil {
			return err
		}
	}
	arg := rowSet(keys)
	rows, err := t.query(t.late("subject")+"SELECT r.subject, r.type FROM "+t.rows(1, "subject text", "type text")+
		" WHERE EXISTS (SELECT 1 FROM credentials c WHERE c.issuer = $2 AND c.subject = r.subject AND c.type = r.type AND c.deleted = 0 AND c.accepted = 0)"+
		" OR EXISTS (SELECT 1 FROM late l WHERE l.subject = r.subject AND l.type = r.type)", arg, string(issuer))
	return each(rows, err, func(rows *sql.Rows) error {
		k := credentialKey{issuer: issuer}
		var typ string
		if err := rows.Scan(&k.subject, &typ); err != nil {
			return err
		}
		k.typ, err = model.ParseTypeHex(typ)
		y.standing[k] = true
		return err
	})
}

// withinLimits takes back those of a group, as they came, that are stored and go beyond their limits. Those that were refused
// because of one of them are to be tried again: they are added to gone.
func (t *txn) withinLimits(group []*creation, tallies map[model.Address]*tally, gone map[*creation]bool) error {
	refused := map[model.OperationID]bool{}
	var rows, renewals []string
	for _, c := range group {
		y := tallies[c.op.Issuer]
		if y == nil || !c.inserted || c.op.Kind != model.KindIssue || c.op.Subject == c.op.Issuer {
			continue
		}
		one := 1
		if y.standing[keyOf(&c.op)] {
			one = 0 // it takes the place of what is counted
		}
		if bounded(&c.op) {
			if c.err = y.beyond(&c.op, one); c.err != nil {
				c.id, c.inserted, refused[c.op.ID] = "", false, true
				rows = append(rows, string(c.rowID()))
				if c.op.Renew {
					renewals = append(renewals, string(c.op.ID))
				}
				continue
			}
		}
		y.subjects[c.op.Subject] += one
		y.types[c.op.Type] += one
		y.standing[keyOf(&c.op)] = true
	}
	if len(refused) == 0 {
		return nil
	}
	for _, c := range group {
		if e := standingOf(c.err); e != nil && refused[e.Operation] {
			c.err, gone[c] = nil, true
		}
	}
	if err := t.remove("renewals", "id", renewals); err != nil {
		return err
	}
	return t.remove("operations", "id", rows)
}

// beyond says which limit an operation that adds so many goes beyond; nil where none.
func (y *tally) beyond(op *model.Operation, adds int) error {
	number := func(n int) string {
		if n >= y.most {
			return fmt.Sprintf("%d or more", n)
		}
		return fmt.Sprint(n)
	}
	l := op.Limits
	switch n, all := y.subjects[op.Subject], y.types[op.Type]; {
	case l.PerSubject > 0 && n+adds > l.PerSubject:
		return &model.Error{Code: model.CodeTooManyUnaccepted, Cause: &model.LimitError{Limit: l.PerSubject}, Message: fmt.Sprintf("%s has %s credentials of this issuer that it has not accepted"+
			" or that are under way, and %d at a time are allowed: accept one first", op.Subject, number(n), l.PerSubject)}
	case l.InAll > 0 && all+adds > l.InAll:
		return &model.Error{Code: model.CodeTooManyUnaccepted, Cause: &model.LimitError{InAll: true, Limit: l.InAll}, Message: fmt.Sprintf("%s credentials of type %s are not accepted or under way,"+
			" and %d at a time are allowed: ask again when some were accepted", number(all), op.Type.Text(), l.InAll)}
	}
	return nil
}
