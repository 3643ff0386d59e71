package store

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// indexed reads the whole index.
func (h *harness) indexed(which model.Acceptance) (complete uint32, known bool, all []model.Credential) {
	h.t.Helper()
	begun := 0
	h.ok(h.Indexed(h.ctx(), issuerA, which, func(c uint32, k bool) error {
		begun++
		complete, known = c, k
		return nil
	}, func(c model.Credential) error {
		all = append(all, c)
		return nil
	}))
	h.equal(begun, 1)
	return complete, known, all
}

func TestIndexed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if complete, known, all := h.indexed(model.AnyAcceptance); complete != 0 || known || len(all) != 0 {
			t.Fatal(complete, known, all)
		}
		h.mirrored(10)
		if complete, known, all := h.indexed(model.AnyAcceptance); complete != 10 || !known || len(all) != 0 {
			t.Fatal(complete, known, all)
		}
		open, accepted, gone := credential(subject()), credential(subject()), credential(subject())
		h.move(12, change(model.ChangeCreated, open, 11, 0), change(model.ChangeCreated, accepted, 11, 1), change(model.ChangeCreated, gone, 11, 2),
			change(model.ChangeAccepted, accepted, 12, 0), change(model.ChangeDeleted, gone, 12, 1))
		accepted.Accepted = true
		both := []model.Credential{open, accepted}
		slices.SortFunc(both, func(a, b model.Credential) int { return strings.Compare(string(a.Subject), string(b.Subject)) })
		for which, want := range map[model.Acceptance][]model.Credential{model.AnyAcceptance: both, model.Accepted: {accepted}, model.Unaccepted: {open}} {
			complete, known, all := h.indexed(which)
			if complete != 12 || !known {
				t.Error(complete, known)
			}
			h.equal(all, want)
		}

		// The callbacks end it.
		wrong := errors.New("wrong")
		never := func(model.Credential) error { t.Error("read on"); return nil }
		if err := h.Indexed(h.ctx(), issuerA, model.AnyAcceptance, func(uint32, bool) error { return wrong }, never); !errors.Is(err, wrong) {
			t.Error(err)
		}
		n := 0
		err := h.Indexed(h.ctx(), issuerA, model.AnyAcceptance, func(uint32, bool) error { return nil }, func(model.Credential) error { n++; return wrong })
		if !errors.Is(err, wrong) || n != 1 {
			t.Error(n, err)
		}
	})
}

// A read of the index sees one state, however long it takes.
func TestIndexedIsOneState(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		var all []model.CredentialChange
		for n := range 500 {
			all = append(all, change(model.ChangeCreated, credential(subject()), 11, uint32(n)))
		}
		h.move(11, all...)
		n := 0
		h.ok(h.Indexed(h.ctx(), issuerA, model.AnyAcceptance, func(complete uint32, _ bool) error { h.equal(complete, uint32(11)); return nil }, func(c model.Credential) error {
			if n++; n == 1 {
				var gone []model.CredentialChange
				for _, a := range all {
					gone = append(gone, change(model.ChangeDeleted, a.Credential, 12, a.TransactionIndex))
				}
				h.move(12, gone...)
			}
			return nil
		}))
		h.equal(n, len(all))
		if complete, _, left := h.indexed(model.AnyAcceptance); complete != 12 || len(left) != 0 {
			t.Error(complete, len(left))
		}
	})
}

// The index is read in the order of its key: nothing is sorted before the first row.
func TestIndexedSortsNothing(t *testing.T) {
	h := newHarness(t, Config{Path: t.TempDir() + "/issuer.db", PollInterval: time.Hour})
	rows, err := h.readDB.Query("EXPLAIN QUERY PLAN "+selectIndexed+whereIndexed, string(issuerA))
	h.ok(each(rows, err, func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		if strings.Contains(detail, "TEMP B-TREE") {
			t.Error(detail)
		}
		return err
	}))
}
