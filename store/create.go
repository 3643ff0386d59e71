package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// rounds is how often what stood in the way and was gone when it was looked at is tried again.
const rounds = 5

type creation struct {
	ctx context.Context
	op  model.Operation
	// deletion is what a renewal stores first.
	deletion model.OperationID

	id       model.OperationID // the operation that the caller gets
	replayed bool              // it was there before
	inserted bool              // by this transaction
	claimed  bool              // its key is its own
	spent    bool              // and so is its nonce
	err      error
}

// Create stores an operation as pending. One whose key came before with the same request is not stored: the first one's
// operation is returned as it stands, and replayed is true. A caller that goes away before its turn leaves nothing
// behind; one that goes away later may have stored its operation. Error codes: badRequest (the key's form), inProgress
// (another operation for the subject and type is open; the cause says which), idempotencyKeyReused, proofRefused (the
// nonce was used before, or is past its time), tooManyUnaccepted (its Limits), storeUnavailable.
//
// One that renews is stored as the operation that deletes what stands, for the same actor. Itself it is stored once that one
// is concluded: as pending where it succeeded or nothing stood, or else as cancelled, with a failure that has its code. Until
// then it can be read and waited for all the same, as pending, and no other operation for the credential is taken.
//
// Limits are looked at last, and exactly: of many at the same moment, in any two processes, no more are stored than there is
// room for. What counts is each credential that the account's records have as not accepted, each for which an operation is
// open, and each that was issued in a ledger which the records do not have yet.
func (s *Store) Create(ctx context.Context, op model.Operation) (stored model.Operation, replayed bool, err error) {
	if err := checkRequested(op); err != nil {
		return model.Operation{}, false, err
	}
	if op.Batch != "" || op.Row != 0 {
		return model.Operation{}, false, misuse("rows of a batch are stored by AddRows")
	}
	c := &creation{ctx: ctx, op: op}
	if err := s.creates.do(ctx, c, s.createAll); err != nil {
		return model.Operation{}, false, fault("storing an operation", err)
	}
	switch {
	case c.err != nil:
		return model.Operation{}, false, c.err
	case c.replayed:
		stored, err = s.Operation(ctx, c.id)
		return stored, true, err
	}
	return c.op, false, nil
}

// createAll stores the operations of callers that are still there. The context of the one that runs it does not end it,
// as others' operations are in there.
func (s *Store) createAll(ctx context.Context, taken []*creation) {
	var group []*creation
	for _, c := range taken {
		if c.ctx.Err() != nil {
			c.err = fault("storing an operation", context.Cause(c.ctx))
			continue
		}
		if c.op.Renew {
			c.deletion = s.ids.next(s.now())
		}
		if c.op.ID == "" {
			c.op.ID = s.ids.next(s.now())
		}
		group = append(group, c)
	}
	if len(group) == 0 {
		return
	}
	err := s.write(context.WithoutCancel(ctx), "storing operations", func(t *txn) error {
		if err := s.create(t, group); err != nil {
			return err
		}
		for _, c := range group {
			if c.inserted {
				t.audit(decided(&c.op, c.deletion))
			}
		}
		s.hub.remember(group)
		return nil
	})
	if err != nil {
		s.hub.forget(group)
		for _, c := range group {
			c.err = err
		}
	}
}

type credentialKey struct {
	issuer  model.Address
	subject model.Address
	typ     model.CredentialType
}

func keyOf(op *model.Operation) credentialKey { return credentialKey{op.Issuer, op.Subject, op.Type} }

func (k credentialKey) compare(l credentialKey) int {
	return cmp.Or(cmp.Compare(k.issuer, l.issuer), cmp.Compare(k.subject, l.subject), cmp.Compare(k.typ, l.typ))
}

// create stores each of the group, or says in it why not; the error is one of the whole transaction. Everything is
// written in the order of its keys, so that two processes that do the same do not lock each other out.
func (s *Store) create(t *txn, group []*creation) error {
	for _, c := range group {
		c.id, c.replayed, c.inserted, c.claimed, c.spent, c.err = "", false, false, false, false, nil
		c.op.Actor, c.op.RequestID = short(c.op.Actor), short(c.op.RequestID)
		c.op.State, c.op.Created, c.op.Updated = model.StatePending, t.now, t.now
		c.op.Attempts, c.op.Result, c.op.Failure = nil, nil, nil
	}
	if err := s.lockLimits(t, group); err != nil {
		return err
	}
	open := group
	for range rounds {
		var err error
		if open, err = s.createRound(t, open); err != nil || len(open) == 0 {
			return err
		}
	}
	for _, c := range open {
		c.err = &model.Error{Code: model.CodeStoreUnavailable, RetryAfter: retryAfter,
			Message: "operations for this subject and credential follow each other too fast; nothing was stored",
			Cause:   errors.New("what stood in the way was gone each time that it was looked at")}
	}
	return nil
}

// createRound returns what is to be tried again.
func (s *Store) createRound(t *txn, group []*creation) (again []*creation, err error) {
	// Of those in the group that carry the same key, the first one speaks for all.
	type keyID struct {
		issuer model.Address
		key    string
	}
	first := map[keyID]*creation{}
	var keyed, speakers []*creation
	followers := map[*creation][]*creation{}
	for _, c := range group {
		if c.op.Key == nil {
			speakers = append(speakers, c)
			continue
		}
		k := keyID{c.op.Issuer, c.op.Key.Key}
		switch f := first[k]; {
		case f == nil:
			first[k] = c
			keyed, speakers = append(keyed, c), append(speakers, c)
		case f.op.Key.RequestHash != c.op.Key.RequestHash:
			c.err = keyReused()
		default:
			followers[f] = append(followers[f], c)
		}
	}
	retry, err := s.claimKeys(t, keyed)
	if err != nil {
		return nil, err
	}
	var insert []*creation
	for _, c := range speakers {
		if c.err == nil && !c.replayed && !retry[c] {
			insert = append(insert, c)
		}
	}
	if insert, err = t.spendAll(insert); err != nil {
		return nil, err
	}
	gone, err := s.insertWithin(t, insert)
	if err != nil {
		return nil, err
	}
	if err := t.giveBack(speakers, gone); err != nil {
		return nil, err
	}
	for _, c := range speakers {
		if retry[c] || gone[c] {
			again = append(again, c)
			again = append(again, followers[c]...)
			continue
		}
		for _, f := range followers[c] {
			f.id, f.replayed, f.err = c.id, true, c.err
		}
	}
	return again, nil
}

// claimKeys stores the keys of those that carry one. It marks as replayed or refused the ones whose keys came before,
// and returns those whose key was taken by one that is gone.
func (s *Store) claimKeys(t *txn, keyed []*creation) (retry map[*creation]bool, err error) {
	if len(keyed) == 0 {
		return nil, nil
	}
	slices.SortFunc(keyed, func(a, b *creation) int {
		return cmp.Or(cmp.Compare(a.op.Issuer, b.op.Issuer), cmp.Compare(a.op.Key.Key, b.op.Key.Key))
	})
	claims := make([]keyClaim, len(keyed))
	for i, c := range keyed {
		claims[i] = keyClaim{issuer: c.op.Issuer, key: *c.op.Key, operation: c.op.ID}
		if c.op.Renew {
			claims[i].operation, claims[i].renewal = "", c.op.ID
		}
	}
	if err := s.claim(t, claims); err != nil {
		return nil, err
	}
	retry = map[*creation]bool{}
	for i, c := range keyed {
		switch k := claims[i]; {
		case k.claimed:
			c.claimed = true
		case !k.found:
			retry[c] = true
		case !k.same || k.standing == "":
			c.err = keyReused()
		default:
			c.replayed = k.standing != c.op.ID // its own: the confirmation of a commit was lost
			if c.replayed {
				c.id = k.standing
			}
		}
	}
	return retry, nil
}

// keyClaim is a key that something wants, and what came of it.
type keyClaim struct {
	issuer                        model.Address
	key                           model.IdempotencyKey
	operation, batch, application model.OperationID // one of them
	renewal                       model.OperationID // or an operation that is stored later

	claimed bool // it has it now
	found   bool // another has it
	same    bool // with the same request
	// What has it.
	standing, standingBatch, standingApplication model.OperationID
}

// claim stores keys, after forgetting those of the same name that are past their time.
func (s *Store) claim(t *txn, claims []keyClaim) error {
	rows, hashKey := make([]row, len(claims)), s.hashKeys[0]
	for i, c := range claims {
		rows[i] = row{string(c.issuer), c.key.Key, hashKey.request(c.issuer, c.key), nullable(string(c.operation)),
			nullable(string(c.batch)), nullable(string(c.application)), nullable(string(c.renewal)), t.now.UnixMicro(), hashKey.name}
	}
	arg := rowSet(rows)
	columns := []string{"issuer text", "key text", "request_hash text", "operation text", "batch text", "application text", "renewal text", "created bigint", "hash_key text"}
	_, err := t.exec("DELETE FROM idempotency_keys WHERE created < $2 AND EXISTS (SELECT 1 FROM "+t.rows(1, columns...)+
		" WHERE r.issuer = idempotency_keys.issuer AND r.key = idempotency_keys.key) AND "+keyOver, arg, s.keyCutoff(t.now))
	if err != nil {
		return err
	}
	byKey := map[[2]string]*keyClaim{}
	for i := range claims {
		byKey[[2]string{string(claims[i].issuer), claims[i].key.Key}] = &claims[i]
	}
	found, err := t.query("INSERT INTO idempotency_keys (issuer, key, request_hash, operation, batch, application, renewal, created, hash_key)"+
		" SELECT issuer, key, request_hash, operation, batch, application, renewal, created, hash_key FROM "+t.rows(1, columns...)+
		" WHERE true ORDER BY issuer, key ON CONFLICT (issuer, key) DO NOTHING RETURNING issuer, key", arg)
	claimed := 0
	err = each(found, err, func(rows *sql.Rows) error {
		var k [2]string
		if err := rows.Scan(&k[0], &k[1]); err != nil {
			return err
		}
		byKey[k].claimed = true
		claimed++
		return nil
	})
	if err != nil || claimed == len(claims) {
		return err
	}
	found, err = t.query("SELECT k.issuer, k.key, k.request_hash, k.hash_key, coalesce(k.operation, k.renewal, ''), coalesce(k.batch, ''), coalesce(k.application, '')"+
		" FROM idempotency_keys k JOIN "+
		t.rows(1, columns...)+" ON r.issuer = k.issuer AND r.key = k.key", arg)
	return each(found, err, func(rows *sql.Rows) error {
		var k [2]string
		var hash, name string
		var op, batch, application model.OperationID
		if err := rows.Scan(&k[0], &k[1], &hash, &name, &op, &batch, &application); err != nil {
			return err
		}
		if c := byKey[k]; !c.claimed {
			c.found, c.same, c.standing, c.standingBatch, c.standingApplication = true, s.sameRequest(c.issuer, c.key, hash, name), op, batch, application
		}
		return nil
	})
}

// operationColumns are what [Store.operationRow] makes.
var operationColumns = []string{"id text", "issuer text", "kind text", "subject text", "type text", "expiration bigint", "uri text",
	"tickets bigint", "batch text", "batch_row bigint", "priority bigint", "state text", "created bigint", "actor text", "request_id text", "mac text"}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// operationRow is a row to insert, with its MAC.
func (s *Store) operationRow(op *model.Operation, state model.State, now time.Time) row {
	op.Created = now
	return append(operationRow(op, state, now), s.operationMAC(op))
}

func operationRow(op *model.Operation, state model.State, now time.Time) row {
	r := row{string(op.ID), string(op.Issuer), string(op.Kind), nullable(string(op.Subject)), nullable(op.Type.Hex()), nil,
		nullable(upperHex([]byte(op.URI))), nil, nullable(string(op.Batch)), nil, 0, string(state), now.UnixMicro(), op.Actor, op.RequestID}
	if op.Expiration != nil {
		r[5] = int64(*op.Expiration)
	}
	if op.Tickets != 0 {
		r[7] = int64(op.Tickets)
	}
	if op.Batch != "" {
		r[9], r[10] = op.Row, 1
	}
	return r
}

const insertOperations = "INSERT INTO operations (id, issuer, kind, subject, type, expiration, uri, tickets, batch, batch_row, priority, state, created, updated, actor, request_id, mac)" +
	" SELECT id, issuer, kind, subject, type, expiration, uri, tickets, batch, batch_row, priority, state, created, created, actor, request_id, mac FROM "

// rowID is the id of what is stored at once.
func (c *creation) rowID() model.OperationID {
	if c.op.Renew {
		return c.deletion
	}
	return c.op.ID
}

func (s *Store) creationRow(c *creation, now time.Time) row {
	op := c.op
	if op.Renew {
		op.ID, op.Kind, op.Expiration, op.URI, op.Renew = c.deletion, model.KindRevoke, nil, "", false
	}
	return s.operationRow(&op, model.StatePending, now)
}

// insertWithin is insertPending within the limits of those that have some.
func (s *Store) insertWithin(t *txn, group []*creation) (gone map[*creation]bool, err error) {
	tallies, err := t.tallies(group)
	if err != nil {
		return nil, err
	}
	asCame := slices.Clone(group)
	if gone, err = s.insertPending(t, group); err != nil {
		return nil, err
	}
	if err := s.insertRenewals(t, group); err != nil || len(tallies) == 0 {
		return gone, err
	}
	if gone == nil {
		gone = map[*creation]bool{}
	}
	return gone, t.withinLimits(asCame, tallies, gone)
}

// insertPending stores operations, and says in each why not. It returns those for which something stood in the way
// that was gone when it was looked at.
func (s *Store) insertPending(t *txn, group []*creation) (gone map[*creation]bool, err error) {
	if len(group) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(group, func(a, b *creation) int { return keyOf(&a.op).compare(keyOf(&b.op)) })
	byID := map[model.OperationID]*creation{}
	rows := make([]row, len(group))
	for i, c := range group {
		byID[c.rowID()] = c
		rows[i] = s.creationRow(c, t.now)
	}
	arg := rowSet(rows)
	inserted := map[model.OperationID]bool{}
	answer, err := t.query(insertOperations+t.rows(1, operationColumns...)+" WHERE true ORDER BY issuer, subject, type, id"+
		" ON CONFLICT DO NOTHING RETURNING id", arg)
	err = each(answer, err, func(rows *sql.Rows) error {
		var id model.OperationID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		inserted[id] = true
		byID[id].id, byID[id].inserted = byID[id].op.ID, true
		t.pending[byID[id].op.Issuer] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	blocked := map[credentialKey][]*creation{}
	for _, c := range group {
		if !inserted[c.rowID()] {
			blocked[keyOf(&c.op)] = append(blocked[keyOf(&c.op)], c)
		}
	}
	if len(blocked) == 0 {
		return nil, nil
	}
	gone = map[*creation]bool{}
	rows = rows[:0]
	for k, cs := range blocked {
		for _, c := range cs {
			gone[c] = true
			rows = append(rows, row{string(k.issuer), string(k.subject), k.typ.Hex(), string(c.rowID())})
		}
	}
	arg = rowSet(rows)
	// Its own, should it be there: the confirmation of a commit was lost, and the transaction is run again.
	columns := []string{"issuer text", "subject text", "type text", "id text"}
	// A renewal goes by what it issues.
	fields := "SELECT o.issuer, o.subject, o.type, coalesce(n.id, o.id), CASE WHEN n.id IS NULL THEN o.kind ELSE 'issue' END," +
		" CASE WHEN n.id IS NULL THEN o.state ELSE 'pending' END FROM operations o JOIN "
	const renewal = " LEFT JOIN renewals n ON n.deletion = o.id"
	found, err := t.query(fields+t.rows(1, columns...)+" ON o.id = r.id"+renewal+" UNION ALL "+fields+t.rows(1, columns...)+
		" ON o.issuer = r.issuer AND o.subject = r.subject AND o.type = r.type"+renewal+" WHERE o.state IN ('pending', 'signed')", arg)
	err = each(found, err, func(rows *sql.Rows) error {
		var k credentialKey
		var typ string
		var e model.StandingError
		if err := rows.Scan(&k.issuer, &k.subject, &typ, &e.Operation, &e.Kind, &e.State); err != nil {
			return err
		}
		if k.typ, err = model.ParseTypeHex(typ); err != nil {
			return err
		}
		for _, c := range blocked[k] {
			switch {
			case c.op.ID == e.Operation:
				c.id, c.err = e.Operation, nil
			case c.id == "" && (e.State == model.StatePending || e.State == model.StateSigned):
				c.err = standing(&e)
			default:
				continue
			}
			delete(gone, c)
		}
		return nil
	})
	return gone, err
}

// giveBack frees the keys and nonces of those that are not stored.
func (t *txn) giveBack(group []*creation, gone map[*creation]bool) error {
	var keys, renewals, nonces []string
	for _, c := range group {
		if c.replayed || c.err == nil && !gone[c] {
			continue
		}
		switch {
		case c.claimed && c.op.Renew:
			renewals = append(renewals, string(c.op.ID))
		case c.claimed:
			keys = append(keys, string(c.op.ID))
		}
		if c.spent {
			nonces = append(nonces, nonceHash(c.op.Nonce))
		}
		c.claimed, c.spent = false, false
	}
	for _, back := range []struct {
		table, column string
		values        []string
	}{{"idempotency_keys", "operation", keys}, {"idempotency_keys", "renewal", renewals}, {"spent_nonces", "nonce", nonces}} {
		if err := t.remove(back.table, back.column, back.values); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the rows of a table whose column has one of the values.
func (t *txn) remove(table, column string, values []string) error {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	list, err := t.list(values)
	if err == nil {
		_, err = t.exec("DELETE FROM "+table+" WHERE "+t.in(column, 1), list)
	}
	return err
}

// checkRequested refuses what the tables would refuse, and what would not come out as it went in.
func checkRequested(op model.Operation) error {
	switch {
	case !op.Kind.Requested():
		return misuse("an operation of kind %q cannot be asked for", op.Kind)
	case op.Issuer == "" || op.Subject == "":
		return misuse("an operation needs an issuer and a subject")
	case op.Type == "" || len(op.Type) > model.MaxTypeLen || len(op.URI) > model.MaxURILen:
		return misuse("an operation's type has %d bytes, its URI %d", len(op.Type), len(op.URI))
	case op.Kind == model.KindRevoke && (op.Expiration != nil || op.URI != ""):
		return misuse("a revocation has neither expiration nor URI")
	case op.Renew && (op.Kind != model.KindIssue || op.Batch != ""):
		return misuse("only an operation that issues can renew, and none of a batch")
	case op.Tickets != 0:
		return misuse("only the lane asks for tickets")
	}
	return checkID(op.ID, op.Key)
}

func checkID(id model.OperationID, key *model.IdempotencyKey) error {
	if id != "" {
		if parsed, err := model.ParseOperationID(string(id)); err != nil || parsed != id {
			return misuse("%q is no operation id", id)
		}
	}
	if key != nil {
		if err := model.CheckIdempotencyKey(key.Key); err != nil {
			return model.BadRequest("Idempotency-Key", err.Error())
		}
	}
	return nil
}

// keyOver holds for keys whose operation or batch is over, or whose request is decided on, as far as is stored.
const keyOver = "NOT EXISTS (SELECT 1 FROM operations o WHERE o.id = idempotency_keys.operation AND o.state IN ('pending', 'signed'))" +
	" AND NOT EXISTS (SELECT 1 FROM renewals n WHERE n.id = idempotency_keys.renewal AND n.state = 'waiting')" +
	" AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.id = idempotency_keys.batch AND b.state = 'receiving')" +
	" AND NOT EXISTS (SELECT 1 FROM applications a WHERE a.id = idempotency_keys.application AND a.state = 'waiting')"

func (s *Store) keyCutoff(now time.Time) int64 { return now.Add(-s.cfg.IdempotencyKeep).UnixMicro() }

// SweepKeys forgets idempotency keys that are older than [Config.IdempotencyKeep], but for those of operations that are
// still open and requests that wait, and says how many. The store does it by itself now and then.
func (s *Store) SweepKeys(ctx context.Context) (int64, error) {
	return s.inChunks(ctx, "removing old idempotency keys", func(t *txn, limit int) (int64, error) {
		return t.exec("DELETE FROM idempotency_keys WHERE (issuer, key) IN (SELECT issuer, key FROM idempotency_keys WHERE created < $1 AND "+
			keyOver+" ORDER BY created LIMIT $2)", s.keyCutoff(t.now), limit)
	})
}
