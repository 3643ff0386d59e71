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

		// A comparison that differs, and one that is equal again.
		for _, ledger := range []uint32{0, 12} {
			h.ok(h.Reconciled(h.ctx(), issuerA, ledger))
			if _, reconciled, all := h.indexed(model.AnyAcceptance); reconciled != (ledger > 0) || len(all) != 2 {
				t.Errorf("after a comparison with ledger %d: %t, %d", ledger, reconciled, len(all))
			}
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

func TestCorrect(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		correct := func(want int, ledger uint32, found []model.ListedCredential, absent ...model.Credential) {
			t.Helper()
			for _, want := range []int{want, 0} { // an answer is lost
				corrected, err := h.Correct(h.ctx(), issuerA, ledger, ledgerTime(ledger), found, absent)
				h.equal([]any{corrected, err}, []any{want, nil})
			}
		}
		open := credential(subject())
		_, err := h.Correct(h.ctx(), issuerA, 9, ledgerTime(9), nil, []model.Credential{open})
		h.code(err, model.CodeWrongState)
		h.mirrored(10)
		var seq int64
		accepted, gone, anew, later := credential(subject()), credential(subject()), credential(subject()), credential(subject())
		h.move(20, change(model.ChangeCreated, open, 11, 0), change(model.ChangeCreated, accepted, 11, 1), change(model.ChangeCreated, gone, 11, 2),
			change(model.ChangeCreated, anew, 11, 3), change(model.ChangeCreated, later, 20, 0))
		h.kinds(&seq)
		h.mirrorCounts(5, 5, 0)
		accepted.Accepted = true
		correct(3, 19, []model.ListedCredential{{Credential: open, Changed: 11}, {Credential: accepted, Changed: 15}, {Credential: anew, Changed: 16}}, gone, later)
		h.equal(h.kinds(&seq), []string{"credential.accepted " + string(accepted.Subject),
			"credential.deleted " + string(anew.Subject), "credential.issued " + string(anew.Subject), "credential.deleted " + string(gone.Subject)})
		h.mirrorCounts(4, 3, 0)
		limits, err := h.UnacceptedOf(h.ctx(), issuerA, open.Subject, model.CredentialRecord{}, 5)
		h.ok(err)
		h.equal(len(limits), 1)
		limits, err = h.UnacceptedOf(h.ctx(), issuerA, open.Subject, limits[0], 5)
		h.ok(err)
		h.equal(len(limits), 0)

		// What history tells later of those ledgers is no news; what came after them is.
		h.move(22, change(model.ChangeAccepted, accepted, 15, 0), change(model.ChangeDeleted, gone, 18, 0), change(model.ChangeDeleted, accepted, 22, 0),
			change(model.ChangeCreated, gone, 22, 1))
		h.equal(h.kinds(&seq), []string{"credential.revoked " + string(accepted.Subject), "credential.issued " + string(gone.Subject)})

		// A credential without a record may have been deleted since; one of another issuer is a mistake.
		correct(0, 21, []model.ListedCredential{{Credential: accepted, Changed: 15}}, credential(subject()))
		other := open
		other.Issuer = issuerB
		if _, err := h.Correct(h.ctx(), issuerA, 30, ledgerTime(30), []model.ListedCredential{{Credential: other}}, nil); err == nil {
			t.Error("a credential of another issuer is taken")
		}
		// Ahead of the index.
		correct(1, 25, nil, later)
		h.move(26, change(model.ChangeAccepted, later, 23, 0), change(model.ChangeDeleted, later, 24, 0))
		h.equal(h.kinds(&seq), []string{"credential.deleted " + string(later.Subject)})
		h.mirrorCounts(3, 3, 0)
	})
}

// TestRewind: an index that claims ledgers that were never proven goes back, and a listing then decides on every record.
func TestRewind(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.code(h.Rewind(h.ctx(), issuerA, 10, ledgerTime(10)), model.CodeWrongState)
		h.mirrored(10)
		kept, lost, made := credential(subject()), credential(subject()), credential(subject())
		h.move(11, change(model.ChangeCreated, kept, 11, 0), change(model.ChangeCreated, lost, 11, 1))
		h.move(10_000_000, change(model.ChangeCreated, made, 9_000_000, 0), change(model.ChangeDeleted, lost, 9_000_001, 0))
		h.code(second(h.FinishListing(h.ctx(), issuerA, 20, ledgerTime(20))), model.CodeWrongState)

		h.ok(h.Rewind(h.ctx(), issuerA, 10_000_001, ledgerTime(20))) // not past it: nothing
		if complete, _, _ := h.indexed(model.AnyAcceptance); complete != 10_000_000 {
			t.Fatal(complete)
		}
		h.ok(h.Rewind(h.ctx(), issuerA, 20, ledgerTime(20)))
		h.ok(h.BeginListing(h.ctx(), issuerA))
		h.ok(second(h.AddListed(h.ctx(), issuerA, listed(kept, lost), 20, ledgerTime(20))))
		h.ok(second(h.FinishListing(h.ctx(), issuerA, 20, ledgerTime(20))))
		both := []model.Credential{kept, lost}
		slices.SortFunc(both, func(a, b model.Credential) int { return strings.Compare(string(a.Subject), string(b.Subject)) })
		complete, known, all := h.indexed(model.AnyAcceptance)
		if complete != 20 || !known {
			t.Error(complete, known)
		}
		h.equal(all, both)
		h.move(21, change(model.ChangeDeleted, kept, 21, 0))
		if _, _, all := h.indexed(model.AnyAcceptance); len(all) != 1 {
			t.Error(all)
		}
	})
}
