package store

import (
	"context"
	"database/sql"

	"github.com/xrplissuer/credential-issuer/model"
)

// BeginListing says that all of an account's credentials are about to be listed anew, as they stand in one validated ledger:
// at the first use, or when what happened meanwhile can no longer be read. One that was broken off is begun again, and nothing
// of it has to be undone: each credential carries the ledger that it was last found in. Error code: storeUnavailable.
func (s *Store) BeginListing(ctx context.Context, issuer model.Address) error {
	return s.write(ctx, "beginning to list credentials", func(t *txn) error {
		_, err := t.exec("INSERT INTO mirrors (issuer, known, complete, close_time, updated) VALUES ($1, 0, 0, 0, $2) ON CONFLICT (issuer) DO NOTHING",
			string(issuer), t.now.UnixMicro())
		return err
	})
}

// AddListed takes in credentials that stand in a ledger, in any order and in any number of calls. One that is unknown is added,
// as issued at closeTime (in seconds since the Ripple Epoch, like all such times). At the very first listing nothing is told
// of; at a later one, what is another than its record says is, as far as that shows, with "found": true and no transaction. One
// that was issued anew on the same terms shows by the ledger that changed it last, and its time starts anew. corrected is the number
// of records that differed from the ledger; the very first listing corrects nothing.
// Error codes: wrongState (no listing was begun, or the records have come past the ledger), storeUnavailable.
func (s *Store) AddListed(ctx context.Context, issuer model.Address, credentials []model.ListedCredential, ledger, closeTime uint32) (corrected int, err error) {
	for _, c := range credentials {
		if c.Issuer != issuer {
			return 0, misuse("a credential of %s is listed as %s's", c.Issuer, issuer)
		}
	}
	for len(credentials) > 0 {
		chunk := credentials[:min(len(credentials), maxChanges)]
		credentials = credentials[len(chunk):]
		var differed int
		err := s.write(ctx, "storing listed credentials", func(t *txn) error {
			m, err := t.lockListing(issuer, ledger)
			if err != nil {
				return err
			}
			differed, err = t.addListed(m, chunk, ledger, closeTime)
			return err
		})
		if err != nil {
			return corrected, err
		}
		corrected += differed
	}
	return corrected, nil
}

// lockListing is lockMirror for what stands in a ledger.
func (t *txn) lockListing(issuer model.Address, ledger uint32) (mirror, error) {
	m, err := t.lockMirror(issuer)
	if err == nil && ledger < m.complete {
		err = wrongState("the records of %s are of ledger %d already, and %d is before that", issuer, m.complete, ledger)
	}
	return m, err
}

// addListed takes in one chunk. It returns how many records differed, where there was a full listing before.
func (t *txn) addListed(m mirror, credentials []model.ListedCredential, ledger, closeTime uint32) (differed int, err error) {
	keys := make([]credentialKey, len(credentials))
	for i, c := range credentials {
		keys[i] = credentialKey{m.issuer, c.Subject, c.Type}
	}
	known, err := t.records(m.issuer, keys)
	if err != nil {
		return 0, err
	}
	changed := map[credentialKey]*record{}
	for i, c := range credentials {
		before := known[keys[i]]
		if before != nil && (before.Ledger > ledger || before.seen >= ledger) {
			continue // it is known later than this ledger, or was listed from it
		}
		r := &record{CredentialRecord: model.CredentialRecord{Credential: c.Credential, Issued: closeTime, Ledger: ledger}, seen: ledger, place: maxPlace}
		switch {
		case before == nil || before.deleted:
			r.ExpiryTold = !m.known && c.Expired(closeTime) // that is no news
			t.tellFound(m, model.EventIssued, c.Credential, ledger, closeTime)
		case before.Expiration != c.Expiration || before.URI != c.URI || before.Accepted && !c.Accepted || before.Accepted == c.Accepted && c.Changed > before.Ledger:
			t.tellFound(m, model.EventGone, before.Credential, ledger, closeTime)
			t.tellFound(m, model.EventIssued, c.Credential, ledger, closeTime)
			before = nil
		case before.Accepted == c.Accepted:
			r = before
			r.seen = ledger
		default:
			r.Issued, r.ExpiryTold = before.Issued, before.ExpiryTold
		}
		if m.known && r != before {
			differed++
		}
		if c.Accepted && (before == nil || before.deleted || !before.Accepted) {
			t.tellFound(m, model.EventAccepted, c.Credential, ledger, closeTime)
		}
		known[keys[i]], changed[keys[i]] = r, r
	}
	list := make([]*record, 0, len(changed))
	for _, r := range changed {
		list = append(list, r)
	}
	return differed, t.storeRecords(list)
}

// maxPlace comes after every transaction of a ledger.
const maxPlace = 1<<32 - 1

func (t *txn) tellFound(m mirror, kind model.EventKind, c model.Credential, ledger, closeTime uint32) {
	if !m.known {
		return
	}
	h := happened{LedgerIndex: ledger, CloseTime: model.FormatTime(closeTime), Found: true}
	if kind != model.EventGone {
		h = h.expiring(c)
	}
	t.tell(model.Event{Kind: kind, Actor: model.ActorLedger, Issuer: m.issuer, Subject: c.Subject, Type: c.Type, Data: object(h)})
}

// FinishListing says that all which stands in a ledger was listed. What was not among it is gone, and told of as deleted, but
// for the very first listing; who deleted it cannot be said. The records are complete with this ledger then. corrected is as
// [Store.AddListed]'s, and so are the error codes.
func (s *Store) FinishListing(ctx context.Context, issuer model.Address, ledger, closeTime uint32) (corrected int, err error) {
	var after credentialKey
	for done := false; !done; {
		next, differed := after, 0
		err := s.write(ctx, "removing records of credentials that are gone", func(t *txn) error {
			m, err := t.lockListing(issuer, ledger)
			if err != nil {
				return err
			}
			gone, err := t.unlisted(issuer, ledger, after)
			if err != nil {
				return err
			}
			if done = len(gone) < maxChanges; done {
				if err = t.moveMirror(m, ledger, closeTime); err == nil {
					_, err = t.exec("UPDATE mirrors SET reconciled = $2 WHERE issuer = $1", string(issuer), int64(ledger))
				}
			}
			if err != nil || len(gone) == 0 {
				return err
			}
			rows := make([]row, len(gone))
			var by counts
			for i, r := range gone {
				by.add(r, -1)
				t.tellFound(m, model.EventGone, r.Credential, ledger, closeTime)
				rows[i] = row{string(r.Subject), r.Type.Hex()}
			}
			if err := t.recount(issuer, by); err != nil {
				return err
			}
			_, err = t.exec("DELETE FROM credentials WHERE issuer = $2 AND (subject, type) IN (SELECT subject, type FROM "+
				t.rows(1, "subject text", "type text")+")", rowSet(rows), string(issuer))
			next = gone[len(gone)-1].key()
			if m.known {
				differed = len(gone)
			}
			return err
		})
		if err != nil {
			return corrected, err
		}
		after, corrected = next, corrected+differed
	}
	return corrected, nil
}

// unlisted returns records of what a listing of a ledger did not find, behind one.
func (t *txn) unlisted(issuer model.Address, ledger uint32, after credentialKey) ([]*record, error) {
	var gone []*record
	rows, err := t.query(selectRecords+"WHERE c.issuer = $1 AND (c.subject, c.type) > ($2, $3) AND c.deleted = 0 AND c.seen < $4 AND c.ledger <= $4"+
		" ORDER BY c.subject, c.type LIMIT $5", string(issuer), string(after.subject), after.typ.Hex(), int64(ledger), maxChanges)
	return gone, each(rows, err, func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		gone = append(gone, r)
		return err
	})
}
