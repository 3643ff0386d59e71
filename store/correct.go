package store

import (
	"context"

	"github.com/xrplissuer/credential-issuer/model"
)

// Correct changes records of an account to their state in a validated ledger, which closed at closeTime (in seconds since the
// Ripple Epoch): found as listed there, absent as deleted by then. A record that is unknown or known from a later ledger stays.
// Each difference is an event with "found": true, as in a listing. corrected is the number of differences. Error codes:
// wrongState (no full listing yet), storeUnavailable.
func (s *Store) Correct(ctx context.Context, issuer model.Address, ledger, closeTime uint32, found []model.ListedCredential, absent []model.Credential) (corrected int, err error) {
	for _, c := range found {
		if c.Issuer != issuer {
			return 0, misuse("a credential of %s is corrected as %s's", c.Issuer, issuer)
		}
	}
	err = s.write(ctx, "correcting records of credentials", func(t *txn) error {
		corrected = 0
		m, err := t.lockMirror(issuer)
		switch {
		case err != nil:
			return err
		case !m.known:
			return wrongState("the credentials of %s were not listed to the end", issuer)
		}
		present, err := t.recorded(m, found)
		if err != nil {
			return err
		}
		differed, err := t.addListed(m, present, ledger, closeTime)
		if err != nil {
			return err
		}
		gone, err := t.correctAbsent(m, absent, ledger, closeTime)
		corrected = differed + gone
		return err
	})
	return corrected, err
}

// recorded returns those of found that have a record. A credential without one may have been deleted since.
func (t *txn) recorded(m mirror, found []model.ListedCredential) ([]model.ListedCredential, error) {
	keys := make([]credentialKey, len(found))
	for i, c := range found {
		keys[i] = credentialKey{m.issuer, c.Subject, c.Type}
	}
	known, err := t.records(m.issuer, keys)
	if err != nil {
		return nil, err
	}
	var present []model.ListedCredential
	for i, c := range found {
		if r := known[keys[i]]; r != nil && !r.deleted {
			present = append(present, c)
		}
	}
	return present, nil
}

// correctAbsent marks records as deleted.
func (t *txn) correctAbsent(m mirror, absent []model.Credential, ledger, closeTime uint32) (corrected int, err error) {
	keys := make([]credentialKey, len(absent))
	for i, c := range absent {
		keys[i] = credentialKey{m.issuer, c.Subject, c.Type}
	}
	known, err := t.records(m.issuer, keys)
	if err != nil {
		return 0, err
	}
	var gone []*record
	for _, key := range keys {
		r := known[key]
		if r == nil || r.deleted || r.Ledger > ledger || r.seen >= ledger {
			continue
		}
		r.deleted, r.Ledger, r.place = true, ledger, maxPlace
		t.tellFound(m, model.EventGone, r.Credential, ledger, closeTime)
		gone = append(gone, r)
	}
	return len(gone), t.storeRecords(gone)
}
