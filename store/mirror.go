package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/xrplissuer/credential-issuer/model"
)

// maxChanges is how many changes, listed credentials or removals are stored in one transaction.
const maxChanges = 1000

// mirror is how far an account's records have come.
type mirror struct {
	issuer   model.Address
	known    bool
	complete uint32
}

// Mirror returns the last ledger all of whose changes an account's records have. known is false where what stands was never
// listed to its end: then it is to be ([Store.BeginListing]). Error code: storeUnavailable.
func (s *Store) Mirror(ctx context.Context, issuer model.Address) (complete uint32, known bool, err error) {
	err = s.readDB.QueryRowContext(ctx, "SELECT complete, CASE known WHEN 1 THEN true ELSE false END FROM mirrors WHERE issuer = $1", string(issuer)).
		Scan(&complete, &known)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return complete, known, fault("reading how far the records of credentials have come", err)
}

// lockMirror reads an account's mirror, and keeps others from writing to it: whoever writes records does this first.
func (t *txn) lockMirror(issuer model.Address) (mirror, error) {
	m := mirror{issuer: issuer}
	var known int
	err := t.tx.QueryRowContext(t.ctx, "SELECT known, complete FROM mirrors WHERE issuer = $1"+t.forUpdate, string(issuer)).Scan(&known, &m.complete)
	if errors.Is(err, sql.ErrNoRows) {
		return m, wrongState("the credentials of %s were never listed", text(string(issuer)))
	}
	m.known = known == 1
	return m, err
}

// record is a credential as it is stored.
type record struct {
	model.CredentialRecord
	place   uint32 // of the transaction that changed it last, in Ledger
	seen    uint32 // the ledger of the last listing that found it
	deleted bool
}

func (r *record) key() credentialKey { return credentialKey{r.Issuer, r.Subject, r.Type} }

// recordColumns are what [record.row] makes.
var recordColumns = []string{"issuer text", "subject text", "type text", "expiration bigint", "uri text", "accepted bigint", "entry text",
	"issued bigint", "ledger bigint", "place bigint", "seen bigint", "deleted bigint", "told bigint"}

func (r *record) row() row {
	out := row{string(r.Issuer), string(r.Subject), r.Type.Hex(), nil, nullable(upperHex([]byte(r.URI))), bit(r.Accepted), r.Index,
		r.Issued, r.Ledger, r.place, r.seen, bit(r.deleted), bit(r.ExpiryTold)}
	if r.HasExpiration() {
		out[3] = r.Expiration
	}
	return out
}

// selectRecords is followed by a condition on c. scanRecord reads it.
const selectRecords = "SELECT " + recordFields + " FROM credentials c "

const recordFields = "c.issuer, c.subject, c.type, coalesce(c.expiration, 0), coalesce(c.uri, ''), c.accepted, c.entry, c.issued," +
	" c.ledger, c.place, c.seen, c.deleted, c.told"

func scanRecord(rows *sql.Rows) (*record, error) {
	r := &record{}
	var typ, uri string
	var accepted, deleted, told int
	err := rows.Scan(&r.Issuer, &r.Subject, &typ, &r.Expiration, &uri, &accepted, &r.Index, &r.Issued, &r.Ledger, &r.place, &r.seen, &deleted, &told)
	if err != nil {
		return nil, err
	}
	r.Accepted, r.deleted, r.ExpiryTold = accepted == 1, deleted == 1, told == 1
	if r.Type, err = model.ParseTypeHex(typ); err == nil && uri != "" {
		r.URI, err = model.ParseURIHex(uri)
	}
	if err != nil {
		return nil, fmt.Errorf("the record of %s/%s: %w", r.Subject, typ, err)
	}
	return r, nil
}

// records reads those of an account's credentials that there are records of.
func (t *txn) records(issuer model.Address, keys []credentialKey) (map[credentialKey]*record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	rows := make([]row, len(keys))
	for i, k := range keys {
		rows[i] = row{string(k.subject), k.typ.Hex()}
	}
	arg := rowSet(rows)
	found := make(map[credentialKey]*record, len(keys))
	// A cross join, as SQLite would go through all of the account's credentials, and through the rows for each of them.
	answer, err := t.query("SELECT "+recordFields+" FROM "+t.rows(1, "subject text", "type text")+
		" CROSS JOIN credentials c WHERE c.issuer = $2 AND c.subject = r.subject AND c.type = r.type", arg, string(issuer))
	return found, each(answer, err, func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		if err == nil {
			found[r.key()] = r
		}
		return err
	})
}

// counts is what a mirror counts of its account's records: those that stand, and of these the ones that are not accepted, and
// the ones whose expiry was told of.
type counts struct{ standing, unaccepted, told int64 }

func (c *counts) add(r *record, n int64) {
	if r.deleted {
		return
	}
	c.standing += n
	if !r.Accepted {
		c.unaccepted += n
	}
	if r.ExpiryTold {
		c.told += n
	}
}

// recount adds to what an account's mirror counts. It is locked.
func (t *txn) recount(issuer model.Address, by counts) error {
	if by == (counts{}) {
		return nil
	}
	_, err := t.exec("UPDATE mirrors SET standing = standing + $2, unaccepted = unaccepted + $3, told = told + $4 WHERE issuer = $1",
		string(issuer), by.standing, by.unaccepted, by.told)
	return err
}

// storeRecords writes records of one account, in place of those that there are. Its mirror is locked.
func (t *txn) storeRecords(records []*record) error {
	if len(records) == 0 {
		return nil
	}
	slices.SortFunc(records, func(a, b *record) int { return a.key().compare(b.key()) })
	rows, keys := make([]row, len(records)), make([]credentialKey, len(records))
	var by counts
	for i, r := range records {
		rows[i], keys[i] = r.row(), r.key()
		by.add(r, 1)
	}
	replaced, err := t.records(records[0].Issuer, keys)
	if err != nil {
		return err
	}
	for _, r := range replaced {
		by.add(r, -1)
	}
	if err := t.recount(records[0].Issuer, by); err != nil {
		return err
	}
	arg := rowSet(rows)
	const columns = "issuer, subject, type, expiration, uri, accepted, entry, issued, ledger, place, seen, deleted, told"
	_, err = t.exec("INSERT INTO credentials ("+columns+") SELECT "+columns+" FROM "+t.rows(1, recordColumns...)+" WHERE true"+
		" ON CONFLICT (issuer, subject, type) DO UPDATE SET expiration = excluded.expiration, uri = excluded.uri, accepted = excluded.accepted,"+
		" entry = excluded.entry, issued = excluded.issued, ledger = excluded.ledger, place = excluded.place, seen = excluded.seen,"+
		" deleted = excluded.deleted, told = excluded.told", arg)
	return err
}

// ApplyChanges takes in what validated ledgers have done to an account's credentials: records follow, and each change is an
// event, in the order of the ledger. A change is news when it is later in the ledger than what its record has, and in no ledger
// that was complete before; another one changes nothing and tells nothing. Events name the operation whose transaction it was,
// with that one's actor and the request it was for, also while the operation is not final. Long progress is stored in several
// transactions, and counts as complete with the last of them: after an error, or a crash, the same can be said again. Error
// codes: wrongState (what stands was never listed), storeUnavailable.
func (s *Store) ApplyChanges(ctx context.Context, issuer model.Address, p model.MirrorProgress) error {
	changes := slices.Clone(p.Changes)
	slices.SortStableFunc(changes, func(a, b model.CredentialChange) int {
		return cmp.Or(cmp.Compare(a.Ledger, b.Ledger), cmp.Compare(a.TransactionIndex, b.TransactionIndex))
	})
	for _, c := range changes {
		if c.Credential.Issuer != issuer {
			return misuse("a change to a credential of %s is told of as %s's", c.Credential.Issuer, issuer)
		}
	}
	for {
		chunk := changes[:min(len(changes), maxChanges)]
		changes = changes[len(chunk):]
		last := len(changes) == 0
		err := s.write(ctx, "storing changes to credentials", func(t *txn) error {
			m, err := t.lockMirror(issuer)
			switch {
			case err != nil:
				return err
			case !m.known:
				return wrongState("the credentials of %s were not listed to the end", issuer)
			}
			if err := t.applyChanges(m, chunk); err != nil || !last {
				return err
			}
			return t.moveMirror(m, p.Complete, p.CloseTime)
		})
		if err != nil || last {
			return err
		}
	}
}

// moveMirror says that a mirror has all of a ledger, and forgets what was deleted up to then.
func (t *txn) moveMirror(m mirror, complete, closeTime uint32) error {
	_, err := t.exec("UPDATE mirrors SET known = 1, complete = CASE WHEN complete < $2 THEN $2 ELSE complete END,"+
		" close_time = CASE WHEN close_time < $3 THEN $3 ELSE close_time END, updated = $4 WHERE issuer = $1",
		string(m.issuer), int64(complete), int64(closeTime), t.now.UnixMicro())
	if err == nil && (complete > m.complete || !m.known) {
		_, err = t.exec("DELETE FROM credentials WHERE issuer = $1 AND deleted = 1 AND ledger <= $2", string(m.issuer), int64(complete))
	}
	return err
}

func (t *txn) applyChanges(m mirror, changes []model.CredentialChange) error {
	changes = slices.DeleteFunc(slices.Clone(changes), func(c model.CredentialChange) bool { return c.Ledger <= m.complete })
	if len(changes) == 0 {
		return nil
	}
	keys := make([]credentialKey, len(changes))
	for i, c := range changes {
		keys[i] = credentialKey{m.issuer, c.Credential.Subject, c.Credential.Type}
	}
	records, err := t.records(m.issuer, keys)
	if err != nil {
		return err
	}
	var news []model.CredentialChange
	changed := map[credentialKey]*record{}
	for i, c := range changes {
		r := records[keys[i]]
		if r != nil && (c.Ledger <= r.seen || c.Ledger < r.Ledger || c.Ledger == r.Ledger && c.TransactionIndex <= r.place) {
			continue
		}
		if r == nil || c.Kind == model.ChangeCreated || r.deleted {
			r = &record{CredentialRecord: model.CredentialRecord{Issued: c.CloseTime}}
			records[keys[i]] = r
		}
		r.Credential, r.Ledger, r.place, r.deleted = c.Credential, c.Ledger, c.TransactionIndex, c.Kind == model.ChangeDeleted
		changed[keys[i]] = r
		news = append(news, c)
	}
	if err := t.tellChanges(m.issuer, news); err != nil {
		return err
	}
	list := make([]*record, 0, len(changed))
	for _, r := range changed {
		list = append(list, r)
	}
	return t.storeRecords(list)
}

// happened is the data of an event that a ledger tells of. Found says that nobody saw it happen: what stands was listed, and
// was another than before.
type happened struct {
	By          model.Address `json:"by,omitempty"`
	Hash        string        `json:"hash,omitempty"`
	LedgerIndex uint32        `json:"ledger_index"`
	CloseTime   string        `json:"close_time_iso"`
	Expiration  string        `json:"expiration,omitempty"`
	Found       bool          `json:"found,omitempty"`
}

func (h happened) expiring(c model.Credential) happened {
	if c.HasExpiration() {
		h.Expiration = model.FormatTime(c.Expiration)
	}
	return h
}

// origin is what a transaction was made for.
type origin struct {
	operation, application model.OperationID
	actor                  string
}

// origins finds the operations that transactions were signed for. The deletion of a renewal is for the request that the renewal
// is for.
func (t *txn) origins(hashes []string) (map[string]origin, error) {
	list, err := t.list(hashes)
	if err != nil {
		return nil, err
	}
	found := map[string]origin{}
	rows, err := t.query("SELECT a.hash, o.id, o.actor, coalesce(p.id, '') FROM attempts a JOIN operations o ON o.id = a.operation"+
		" LEFT JOIN renewals n ON n.deletion = o.id LEFT JOIN applications p ON p.operation = coalesce(n.id, o.id) WHERE "+t.in("a.hash", 1), list)
	return found, each(rows, err, func(rows *sql.Rows) error {
		var hash string
		var o origin
		if err := rows.Scan(&hash, &o.operation, &o.actor, &o.application); err != nil {
			return err
		}
		found[hash] = o
		return nil
	})
}

// tellChanges adds the events of changes, in their order.
func (t *txn) tellChanges(issuer model.Address, changes []model.CredentialChange) error {
	if len(changes) == 0 {
		return nil
	}
	hashes := make([]string, len(changes))
	for i, c := range changes {
		hashes[i] = c.Hash
	}
	origins, err := t.origins(hashes)
	if err != nil {
		return err
	}
	for _, c := range changes {
		o, ours := origins[c.Hash]
		if !ours {
			o.actor = model.ActorLedger
		}
		h := happened{By: c.By, Hash: c.Hash, LedgerIndex: c.Ledger, CloseTime: model.FormatTime(c.CloseTime)}
		tell := func(kind model.EventKind, h happened) {
			t.tell(model.Event{Kind: kind, Actor: o.actor, Issuer: issuer, Subject: c.Credential.Subject, Type: c.Credential.Type,
				Application: o.application, Operation: o.operation, Data: object(h)})
		}
		switch {
		case c.Kind == model.ChangeCreated:
			tell(model.EventIssued, h.expiring(c.Credential))
			if c.Credential.Accepted { // issued to oneself
				tell(model.EventAccepted, h.expiring(c.Credential))
			}
		case c.Kind == model.ChangeAccepted:
			tell(model.EventAccepted, h.expiring(c.Credential))
		case c.Kind == model.ChangeDeleted && c.By == issuer:
			tell(model.EventRevoked, h)
		case c.Kind == model.ChangeDeleted:
			tell(model.EventGone, h)
		default:
			return misuse("a change of kind %q", c.Kind)
		}
	}
	return nil
}
