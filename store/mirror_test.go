package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

// ledgerTime is when a ledger of these tests closes.
func ledgerTime(ledger uint32) uint32 { return 900_000_000 + 4*ledger }

func credential(subject model.Address) model.Credential {
	return model.Credential{Issuer: issuerA, Subject: subject, Type: "driver\xff\x00licence", URI: "ipfs://\x01", Expiration: 900_100_000,
		Index: strings.Repeat("AB", 32)}
}

func change(kind model.ChangeKind, c model.Credential, ledger, place uint32) model.CredentialChange {
	c.Accepted = c.Accepted || kind == model.ChangeAccepted
	by := issuerA
	if kind == model.ChangeAccepted {
		by = c.Subject
	}
	return model.CredentialChange{Kind: kind, Credential: c, Hash: hash(), By: by, TransactionIndex: place, Ledger: ledger, CloseTime: ledgerTime(ledger)}
}

// mirrored makes an account's records complete with a ledger that has nothing.
func (h *harness) mirrored(ledger uint32) {
	h.t.Helper()
	h.ok(h.BeginListing(h.ctx(), issuerA))
	h.ok(second(h.FinishListing(h.ctx(), issuerA, ledger, ledgerTime(ledger))))
}

// second drops a result that a test does not look at.
func second(_ int, err error) error { return err }

func (h *harness) move(complete uint32, changes ...model.CredentialChange) {
	h.t.Helper()
	h.ok(h.ApplyChanges(h.ctx(), issuerA, model.MirrorProgress{Complete: complete, CloseTime: ledgerTime(complete + 1), Changes: changes}))
}

// told returns the account's events behind one.
func (h *harness) eventsAfter(after int64) []model.Event {
	h.t.Helper()
	events, err := h.Events(h.ctx(), issuerA, after, 0)
	h.ok(err)
	return events
}

// kinds returns what was told of since the last call: the kinds and subjects.
func (h *harness) kinds(after *int64) []string {
	h.t.Helper()
	var out []string
	for _, e := range h.eventsAfter(*after) {
		*after = e.Seq
		out = append(out, string(e.Kind)+" "+string(e.Subject))
	}
	return out
}

func (h *harness) equal(got, want any) {
	h.t.Helper()
	if !reflect.DeepEqual(got, want) {
		h.t.Fatalf("got\n%+v, want\n%+v", got, want)
	}
}

func (h *harness) mirrorCounts(standing, unaccepted, expired int64) {
	h.t.Helper()
	st, err := h.MirrorStatus(h.ctx(), issuerA)
	h.ok(err)
	if st.Standing != standing || st.Unaccepted != unaccepted || st.Expired != expired {
		h.t.Fatalf("%d stand, %d unaccepted, %d expired; want %d, %d, %d", st.Standing, st.Unaccepted, st.Expired, standing, unaccepted, expired)
	}
}

func TestMirrorFollows(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		if complete, known, err := h.Mirror(h.ctx(), issuerA); complete != 0 || known || err != nil {
			t.Fatalf("before anything: %d, %t, %v", complete, known, err)
		}
		h.code(h.ApplyChanges(h.ctx(), issuerA, model.MirrorProgress{Complete: 5}), model.CodeWrongState)
		h.mirrored(10)
		h.move(10)
		if complete, known, err := h.Mirror(h.ctx(), issuerA); complete != 10 || !known || err != nil {
			t.Fatalf("after listing: %d, %t, %v", complete, known, err)
		}
		x, y, own := credential(subject()), credential(subject()), credential(issuerA)
		own.Accepted = true
		var seq int64
		created, accepted := change(model.ChangeCreated, x, 12, 1), change(model.ChangeAccepted, x, 13, 0)
		// Out of order, and beyond what is complete.
		h.move(11, accepted, change(model.ChangeCreated, own, 12, 3), created, change(model.ChangeCreated, y, 12, 2))
		h.equal(h.kinds(&seq), []string{"credential.issued " + string(x.Subject), "credential.issued " + string(y.Subject),
			"credential.issued " + string(issuerA), "credential.accepted " + string(issuerA), "credential.accepted " + string(x.Subject)})
		h.mirrorCounts(3, 1, 0)

		// The same again, and what is older, is no news.
		h.move(11, created, accepted)
		h.move(12, created)
		h.equal(h.kinds(&seq), []string(nil))

		// It is deleted and made again; the tombstone keeps what came before from coming back.
		gone, withdrawn := change(model.ChangeDeleted, y, 14, 0), change(model.ChangeDeleted, x, 14, 1)
		gone.By = y.Subject
		h.move(13, gone, withdrawn)
		h.equal(h.kinds(&seq), []string{"credential.deleted " + string(y.Subject), "credential.revoked " + string(x.Subject)})
		h.mirrorCounts(1, 0, 0)
		h.equal(h.count("credentials"), 3)
		h.move(13, change(model.ChangeCreated, y, 12, 2), gone, withdrawn)
		h.equal(h.kinds(&seq), []string(nil))
		h.move(14)
		h.equal(h.count("credentials"), 1)
		h.move(14, gone, withdrawn, created) // all of that is complete
		h.equal(h.kinds(&seq), []string(nil))
		h.move(13) // never back
		if complete, _, err := h.Mirror(h.ctx(), issuerA); complete != 14 || err != nil {
			t.Fatal(complete, err)
		}
		h.move(15, change(model.ChangeCreated, y, 15, 0))
		h.equal(h.kinds(&seq), []string{"credential.issued " + string(y.Subject)})

		st, err := h.MirrorStatus(h.ctx(), issuerA)
		h.ok(err)
		h.equal(st, model.MirrorStatus{Known: true, Complete: 15, CloseTime: ledgerTime(16), Standing: 2, Unaccepted: 1})

		// Another account's are others.
		theirs := change(model.ChangeCreated, y, 15, 0)
		theirs.Credential.Issuer = issuerB
		h.code(h.ApplyChanges(h.ctx(), issuerA, model.MirrorProgress{Changes: []model.CredentialChange{theirs}}), model.CodeInternal)
	})
}

// What is told says what did it: the operation, also before it is over, and the request that it was for.
func TestMirrorTellsWhose(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		app := h.apply(application(100))
		decided, err := h.Decide(h.ctx(), approval(app, "reviewer"))
		h.ok(err)
		a := attempt(decided.Operation, 1)
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
		c := change(model.ChangeCreated, credential(app.Subject), 11, 4)
		c.Credential.Type, c.Hash = app.Type, a.Hash
		other := change(model.ChangeDeleted, credential(subject()), 11, 5)
		other.By = other.Credential.Subject
		seq := h.eventsAfter(0)[len(h.eventsAfter(0))-1].Seq
		h.move(11, c, other)
		events := h.eventsAfter(seq)
		if len(events) != 2 {
			t.Fatalf("events %+v", events)
		}
		e := events[0]
		if e.Kind != model.EventIssued || e.Operation != decided.Operation || e.Application != app.ID || e.Actor != "reviewer" || !e.Time.Equal(h.clock.Now()) {
			t.Errorf("told %+v", e)
		}
		var data map[string]any
		h.ok(json.Unmarshal(e.Data, &data))
		h.equal(data, map[string]any{"by": string(issuerA), "hash": a.Hash, "ledger_index": 11.0, "close_time_iso": model.FormatTime(ledgerTime(11)),
			"expiration": model.FormatTime(900_100_000)})
		e = events[1]
		if e.Kind != model.EventGone || e.Operation != "" || e.Application != "" || e.Actor != model.ActorLedger {
			t.Errorf("told %+v", e)
		}
		data = nil
		h.ok(json.Unmarshal(e.Data, &data))
		h.equal(data, map[string]any{"by": string(other.By), "hash": other.Hash, "ledger_index": 11.0, "close_time_iso": model.FormatTime(ledgerTime(11))})
	})
}

// More than one transaction takes: all of it, once, also when it was stored to the middle before.
func TestMirrorInChunks(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		var changes []model.CredentialChange
		for i := range uint32(2*maxChanges + 10) {
			changes = append(changes, change(model.ChangeCreated, credential(subject()), 11+i/100, i%100))
		}
		h.move(10, changes[:maxChanges+1]...)
		h.move(100, changes...)
		h.mirrorCounts(int64(len(changes)), int64(len(changes)), 0)
		if n := h.count("events"); n != len(changes) {
			t.Errorf("%d events", n)
		}
	})
}

// listed is as of the ledger that made each of them, of which nothing is said.
func listed(credentials ...model.Credential) []model.ListedCredential {
	var out []model.ListedCredential
	for _, c := range credentials {
		out = append(out, model.ListedCredential{Credential: c})
	}
	return out
}

// Where history is missing in which a credential was deleted and issued anew, on the same terms, its time starts anew, and it is told
// of: the ledger that changed it last is behind that of the record.
func TestListingOfReissued(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		var seq int64
		same, again, accepted, now := credential(subject()), credential(subject()), credential(subject()), credential(subject())
		accepted.Accepted = true
		var changes []model.CredentialChange
		for n, c := range []model.Credential{same, again, accepted, now} {
			changes = append(changes, change(model.ChangeCreated, c, 11, uint32(n)))
		}
		h.move(12, append(changes, change(model.ChangeAccepted, accepted, 12, 0))...)
		h.kinds(&seq)
		now.Accepted = true // after it was issued anew, or not: its time does not matter any more
		list := []model.ListedCredential{{Credential: same, Changed: 11}, {Credential: again, Changed: 25}, {Credential: accepted, Changed: 26}, {Credential: now, Changed: 27}}
		h.ok(h.BeginListing(h.ctx(), issuerA))
		for range 2 { // an answer is lost
			h.ok(second(h.AddListed(h.ctx(), issuerA, list, 30, ledgerTime(30))))
		}
		h.ok(second(h.FinishListing(h.ctx(), issuerA, 30, ledgerTime(30))))
		h.equal(h.kinds(&seq), []string{"credential.deleted " + string(again.Subject), "credential.issued " + string(again.Subject),
			"credential.deleted " + string(accepted.Subject), "credential.issued " + string(accepted.Subject),
			"credential.accepted " + string(accepted.Subject), "credential.accepted " + string(now.Subject)})
		due := func(before uint32) (out []model.Address) {
			t.Helper()
			found, err := h.Unaccepted(h.ctx(), issuerA, same.Type, before, model.CredentialRecord{}, 10)
			h.ok(err)
			for _, r := range found {
				out = append(out, r.Subject)
				if r.Subject == again.Subject {
					h.equal([]uint32{r.Issued, r.Ledger}, []uint32{ledgerTime(30), 30})
				}
			}
			return out
		}
		h.equal(due(ledgerTime(30)), []model.Address{same.Subject})
		h.equal(due(ledgerTime(30)+1), []model.Address{same.Subject, again.Subject})
		h.mirrorCounts(4, 2, 0)
	})
}

func TestListing(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var seq int64
		old, expired, extra := credential(subject()), credential(subject()), credential(subject())
		old.Accepted, expired.Expiration = true, 5
		h.code(second(h.AddListed(h.ctx(), issuerA, listed(old), 20, ledgerTime(20))), model.CodeWrongState)
		h.code(second(h.FinishListing(h.ctx(), issuerA, 20, ledgerTime(20))), model.CodeWrongState)

		// The first one is broken off in the middle; the second finds another ledger. Nobody is told of what is old.
		h.ok(h.BeginListing(h.ctx(), issuerA))
		h.ok(second(h.AddListed(h.ctx(), issuerA, listed(old, extra), 20, ledgerTime(20))))
		if _, known, err := h.Mirror(h.ctx(), issuerA); known || err != nil {
			t.Fatal(known, err)
		}
		h.code(h.ApplyChanges(h.ctx(), issuerA, model.MirrorProgress{Complete: 20}), model.CodeWrongState)
		h.ok(h.BeginListing(h.ctx(), issuerA))
		h.ok(second(h.AddListed(h.ctx(), issuerA, listed(old), 21, ledgerTime(21))))
		h.ok(second(h.AddListed(h.ctx(), issuerA, listed(expired), 21, ledgerTime(21))))
		h.ok(second(h.FinishListing(h.ctx(), issuerA, 21, ledgerTime(21))))
		h.mirrorCounts(2, 1, 1)
		n, err := h.TellExpired(h.ctx(), issuerA, ledgerTime(21), 0)
		h.equal([]any{n, err, h.kinds(&seq)}, []any{0, nil, []string(nil)})
		h.move(21, change(model.ChangeCreated, old, 21, 7)) // listed with all of its ledger
		h.equal(h.kinds(&seq), []string(nil))

		// History is missing. What shows is told of.
		renewed, accepted, fresh, own := credential(subject()), credential(subject()), credential(subject()), credential(subject())
		h.move(25, change(model.ChangeCreated, renewed, 22, 0), change(model.ChangeCreated, accepted, 22, 1), change(model.ChangeDeleted, fresh, 24, 0))
		h.kinds(&seq)
		renewed.Expiration++
		accepted.Accepted, own.Accepted = true, true
		later := change(model.ChangeCreated, credential(subject()), 31, 0)
		h.move(25, later) // from another process, meanwhile
		h.kinds(&seq)
		h.ok(h.BeginListing(h.ctx(), issuerA))
		for _, want := range []int{4, 0} { // an answer is lost
			corrected, err := h.AddListed(h.ctx(), issuerA, listed(renewed, accepted, fresh, own, expired), 30, ledgerTime(30))
			h.equal([]any{corrected, err}, []any{want, nil})
		}
		h.equal(h.kinds(&seq), []string{"credential.deleted " + string(renewed.Subject), "credential.issued " + string(renewed.Subject),
			"credential.accepted " + string(accepted.Subject), "credential.issued " + string(fresh.Subject),
			"credential.issued " + string(own.Subject), "credential.accepted " + string(own.Subject)})
		var data map[string]any
		h.ok(json.Unmarshal(h.eventsAfter(seq - 1)[0].Data, &data))
		h.equal(data, map[string]any{"ledger_index": 30.0, "close_time_iso": model.FormatTime(ledgerTime(30)), "found": true,
			"expiration": model.FormatTime(own.Expiration)})
		for _, want := range []int{1, 0} {
			corrected, err := h.FinishListing(h.ctx(), issuerA, 30, ledgerTime(30))
			h.equal([]any{corrected, err}, []any{want, nil})
		}
		h.equal(h.kinds(&seq), []string{"credential.deleted " + string(old.Subject)})
		h.mirrorCounts(6, 4, 1)
		if complete, _, err := h.Mirror(h.ctx(), issuerA); complete != 30 || err != nil {
			t.Fatal(complete, err)
		}
		// A listing of an older ledger would bring back what is gone.
		h.code(second(h.AddListed(h.ctx(), issuerA, listed(old), 29, ledgerTime(29))), model.CodeWrongState)
		h.code(second(h.FinishListing(h.ctx(), issuerA, 29, ledgerTime(29))), model.CodeWrongState)
	})
}

func TestListingOfMany(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var all []model.Credential
		for range 2*maxChanges + 3 {
			all = append(all, credential(subject()))
		}
		h.ok(h.BeginListing(h.ctx(), issuerA))
		h.ok(second(h.AddListed(h.ctx(), issuerA, listed(all...), 20, ledgerTime(20))))
		h.ok(second(h.FinishListing(h.ctx(), issuerA, 20, ledgerTime(20))))
		h.mirrorCounts(int64(len(all)), int64(len(all)), 0)
		h.ok(second(h.AddListed(h.ctx(), issuerA, listed(all[0]), 30, ledgerTime(30))))
		h.ok(second(h.FinishListing(h.ctx(), issuerA, 30, ledgerTime(30))))
		h.mirrorCounts(1, 1, 0)
		if n := h.count("events"); n != len(all)-1 {
			t.Errorf("%d events", n)
		}
	})
}

func TestDue(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		var changes []model.CredentialChange
		var all []model.Credential
		for i := range uint32(5) {
			c := credential(subject())
			c.Expiration = 900_000_100 + i/2
			if i == 4 {
				c.Type, c.Expiration = "b", 0
			}
			all = append(all, c)
			changes = append(changes, change(model.ChangeCreated, c, 11+i/2, i))
		}
		h.move(15, append(changes, change(model.ChangeAccepted, all[0], 14, 0))...)
		subjects := func(records []model.CredentialRecord, err error) []model.Address {
			t.Helper()
			h.ok(err)
			var out []model.Address
			for _, r := range records {
				out = append(out, r.Subject)
			}
			return out
		}
		none := model.CredentialRecord{}
		h.equal(subjects(h.Unaccepted(h.ctx(), issuerA, all[0].Type, ledgerTime(12), none, 0)), []model.Address{all[1].Subject})
		page, err := h.Unaccepted(h.ctx(), issuerA, all[0].Type, ledgerTime(100), none, 2)
		h.ok(err)
		rest := subjects(h.Unaccepted(h.ctx(), issuerA, all[0].Type, ledgerTime(100), page[1], 2))
		got := append(subjects(page, nil), rest...)
		h.equal(got[:1], []model.Address{all[1].Subject})
		slices.Sort(got)
		want := []model.Address{all[1].Subject, all[2].Subject, all[3].Subject}
		slices.Sort(want)
		h.equal(got, want)
		h.equal(page[0], model.CredentialRecord{Credential: all[1], Issued: ledgerTime(11), Ledger: 11})
		h.equal(subjects(h.Unaccepted(h.ctx(), issuerA, "b", ledgerTime(100), none, 0)), []model.Address{all[4].Subject})

		for _, typ := range []model.CredentialType{"", all[0].Type} {
			h.equal(len(subjects(h.Expired(h.ctx(), issuerA, typ, 900_000_100, none, 0))), 0)
			h.equal(len(subjects(h.Expired(h.ctx(), issuerA, typ, 900_000_101, none, 0))), 2)
			var got []model.Address
			after := none
			for {
				page, err := h.Expired(h.ctx(), issuerA, typ, 1<<32-1, after, 1)
				h.ok(err)
				if len(page) == 0 {
					break
				}
				after = page[0]
				got = append(got, after.Subject)
			}
			if len(got) != 4 || len(slices.Compact(got)) != 4 {
				t.Errorf("of type %q page by page: %v", typ, got)
			}
		}
		h.equal(len(subjects(h.Expired(h.ctx(), issuerA, "b", 1<<32-1, none, 0))), 0)

		seq := h.eventsAfter(0)[len(h.eventsAfter(0))-1].Seq
		for i, want := range []int{0, 1, 1, 0} { // in its last second it still holds
			n, err := h.TellExpired(h.ctx(), issuerA, 900_000_100+uint32(min(i, 1)), 1)
			if n != want || err != nil {
				t.Fatalf("round %d told of %d: %v", i, n, err)
			}
		}
		events := h.eventsAfter(seq)
		h.equal(len(events), 2)
		for _, e := range events {
			if e.Kind != model.EventExpired || e.Actor != model.ActorLedger || !strings.Contains(string(e.Data), `"accepted":`+fmt.Sprint(e.Subject == all[0].Subject)) {
				t.Errorf("told %+v", e)
			}
		}
		// One that is made anew expires anew.
		again := all[0]
		again.Expiration = 900_000_200
		h.move(20, change(model.ChangeDeleted, all[0], 17, 0), change(model.ChangeCreated, again, 18, 0))
		n, err := h.TellExpired(h.ctx(), issuerA, 900_000_201, 10)
		h.equal([]any{n, err}, []any{3, nil})
		h.equal(h.count("credentials"), 5)
	})
}

// What is asked again and again must not read all there is.
func TestRecordsAreIndexed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for index, query := range map[string]string{
			"credentials_unaccepted":    selectRecords + "WHERE c.issuer = 'a' AND c.type = 'b' AND c.deleted = 0 AND c.accepted = 0 AND c.issued < 3 AND (c.issued, c.subject) > (1, 'x') ORDER BY c.issued, c.subject LIMIT 10",
			"credentials_expiring":      selectRecords + "WHERE c.issuer = 'a' AND c.deleted = 0 AND c.expiration IS NOT NULL AND c.expiration < 7 AND (c.expiration, c.subject, c.type) > (1, 'x', 'y') ORDER BY c.expiration, c.subject, c.type LIMIT 10",
			"credentials_expiring_type": selectRecords + "WHERE c.issuer = 'a' AND c.deleted = 0 AND c.expiration IS NOT NULL AND c.expiration < 7 AND c.type = 'y' AND (c.type, c.expiration, c.subject) > ('y', 1, 'x') ORDER BY c.expiration, c.subject LIMIT 10",
			"credentials_untold":        selectRecords + "WHERE c.issuer = 'a' AND c.deleted = 0 AND c.told = 0 AND c.expiration IS NOT NULL AND c.expiration < 7 ORDER BY c.expiration, c.subject, c.type LIMIT 10",
			"credentials_deleted":       "DELETE FROM credentials WHERE issuer = 'a' AND deleted = 1 AND ledger <= 7",
		} {
			h.plan(index, query)
		}
		h.plan("credentials_untold", selectStatus+"'a'")
	})
}

// Records that are older than the counts are counted when the tables are brought up to date.
func TestOlderRecordsAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		accepted := credential(subject())
		accepted.Accepted = true
		h.move(11, change(model.ChangeCreated, credential(subject()), 11, 0), change(model.ChangeCreated, credential(subject()), 11, 1),
			change(model.ChangeCreated, accepted, 11, 2))
		text, err := migrations.ReadFile("migrations/" + h.Driver() + "/0008_counts.sql")
		h.ok(err)
		_, update, found := strings.Cut(string(text), "\nUPDATE ")
		if !found {
			t.Fatal("the migration counts nothing")
		}
		_, err = h.writeDB.Exec("UPDATE mirrors SET standing = 0, unaccepted = 0, told = 0")
		h.ok(err)
		_, err = h.writeDB.Exec("UPDATE " + update)
		h.ok(err)
		st, err := h.MirrorStatus(h.ctx(), issuerA)
		h.ok(err)
		h.equal([]int64{st.Standing, st.Unaccepted}, []int64{3, 2})
	})
}
