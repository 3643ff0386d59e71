package store

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// lapse ends what is overdue, which is to be so many.
func (h *harness) lapse(want int) {
	h.t.Helper()
	if n, err := h.LapseApplications(h.ctx(), issuerA, h.clock.Now(), 1000); n != want || err != nil {
		h.t.Errorf("%d have lapsed, want %d: %v", n, want, err)
	}
}

func (h *harness) withdraw(a model.Application) model.Application {
	h.t.Helper()
	ended, err := h.Withdraw(h.ctx(), model.Withdrawal{Application: a.ID, RequestID: "r9"})
	h.ok(err)
	return ended
}

func TestLapse(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.plan("applications_decide", "SELECT id FROM applications WHERE issuer = 'x' AND state = 'waiting' AND decide_by <= 5 ORDER BY decide_by, id LIMIT 7")
		start := h.clock.Now()
		var apps []model.Application
		for n := range 4 {
			a := application(100)
			a.DecideBy = start.Add(time.Duration(4-n) * time.Hour)
			apps = append(apps, h.apply(a))
		}
		theirs := application(10)
		theirs.Issuer, theirs.DecideBy = issuerB, start
		theirs = h.apply(theirs)
		h.decide(approval(apps[2], "alice")) // in time
		h.clock.advance(time.Hour - time.Microsecond)
		h.lapse(0)
		h.clock.advance(time.Microsecond)
		h.lapse(1)
		h.lapse(0)
		h.clock.advance(100 * time.Hour)
		late := h.decide(approval(apps[1], "alice")) // it has not lapsed yet: a word counts
		h.equal(late.State, model.ApplicationApproved)
		h.lapse(1)
		h.lapse(0)
		for n, want := range []model.ApplicationState{model.ApplicationLapsed, model.ApplicationApproved, model.ApplicationApproved, model.ApplicationLapsed} {
			got, err := h.Application(h.ctx(), apps[n].ID)
			h.ok(err)
			h.equal(got.State, want)
		}
		other, err := h.Application(h.ctx(), theirs.ID)
		h.ok(err)
		h.equal(other.State, model.ApplicationWaiting)

		// All of it is told and written down, and nobody decides any more.
		got, err := h.Application(h.ctx(), apps[3].ID)
		h.ok(err)
		want := apps[3]
		want.State, want.DecidedBy, want.Updated = model.ApplicationLapsed, "janitor", start.Add(time.Hour)
		want.Erase, want.Documents = start.Add(time.Hour+want.Keep), got.Documents
		h.equal(got, want)
		h.equal(len(got.Documents), 100)
		h.equal(h.told(got.ID), []string{"request.received applicant", "request.lapsed janitor"})
		log := h.chain(h.Store)
		e := log[len(log)-1]
		h.equal([]string{e.Actor, e.Action, e.Target, string(e.Detail)}, []string{"janitor", "request.lapse", string(apps[0].ID),
			fmt.Sprintf(`{"subject":%q,"type":%q}`, apps[0].Subject, apps[0].Type.Text())})
		_, err = h.Decide(h.ctx(), approval(got, "bob"))
		h.code(err, model.CodeDecided)
		_, err = h.Decide(h.ctx(), rejection(got, "bob"))
		h.code(err, model.CodeDecided)
		_, err = h.Withdraw(h.ctx(), model.Withdrawal{Application: got.ID})
		h.code(err, model.CodeDecided)

		// Its place is free, and its documents have their time.
		next := application(10)
		next.Subject = got.Subject
		h.apply(next)
		n, err := h.EraseDocuments(h.ctx(), issuerA, got.Erase.Add(-time.Microsecond), 10) // of the one that was approved first
		h.equal([]any{n, err, h.told(got.ID)}, []any{1, nil, []string{"request.received applicant", "request.lapsed janitor"}})
		n, err = h.EraseDocuments(h.ctx(), issuerA, got.Erase, 10)
		h.equal([]any{n, err}, []any{1, nil})
		h.equal(h.told(got.ID), []string{"request.received applicant", "request.lapsed janitor", "request.documents_erased janitor"})
	})
}

// A few at a time, the longest overdue first.
func TestLapsePages(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var ids []model.OperationID
		for n := range 5 {
			a := application(10)
			a.DecideBy = h.clock.Now().Add(-time.Duration(n) * time.Hour)
			ids = append([]model.OperationID{h.apply(a).ID}, ids...)
		}
		for at := 0; at < 5; at += 2 {
			n, err := h.LapseApplications(h.ctx(), issuerA, h.clock.Now(), 2)
			h.equal([]any{n, err}, []any{min(2, 5-at), nil})
			for k, id := range ids {
				a, err := h.Application(h.ctx(), id)
				h.ok(err)
				h.equal(a.State == model.ApplicationLapsed, k < at+2)
			}
		}
	})
}

func TestWithdraw(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a := application(100)
		a.Key = &model.IdempotencyKey{Key: "k"}
		stored := h.apply(a)
		h.clock.advance(time.Minute)
		got := h.withdraw(stored)
		want := stored
		want.State, want.DecidedBy, want.Updated, want.Erase = model.ApplicationWithdrawn, "applicant", h.clock.Now(), h.clock.Now()
		h.equal(got, want)
		read, err := h.Application(h.ctx(), stored.ID) // its documents are gone with it
		h.ok(err)
		h.equal(read, want)
		h.clock.advance(time.Minute)
		h.equal(h.withdraw(stored), want) // again: nothing more happens
		h.equal(h.told(stored.ID), []string{"request.received applicant", "request.withdrawn applicant", "request.documents_erased applicant"})
		var log []string
		for _, e := range h.chain(h.Store)[1:] {
			log = append(log, fmt.Sprint(e.Actor, " ", e.Action, " ", e.Target, " ", e.RequestID, " ", string(e.Detail)))
		}
		h.equal(log, []string{
			fmt.Sprintf(`applicant request.withdraw %s r9 {"subject":%q,"type":%q}`, stored.ID, stored.Subject, stored.Type.Text()),
			fmt.Sprintf(`applicant request.erase %s r9 `, stored.ID),
		})
		for _, d := range []model.Decision{approval(stored, "x"), rejection(stored, "x")} {
			_, err := h.Decide(h.ctx(), d)
			h.code(err, model.CodeDecided)
		}
		h.equal(h.count("operations"), 0)
		next := application(10) // the place is free
		next.Subject = stored.Subject
		next = h.apply(next)

		// What is decided cannot be withdrawn, nor what is not there; documents that were none are not told of.
		h.decide(rejection(next, "x"))
		_, err = h.Withdraw(h.ctx(), model.Withdrawal{Application: next.ID})
		h.code(err, model.CodeDecided)
		for _, id := range []model.OperationID{"", "\x00", "01JD8Q4Z7T9XW3V5K2M6N8P0RS"} {
			_, err = h.Withdraw(h.ctx(), model.Withdrawal{Application: id})
			h.code(err, model.CodeRequestNotFound)
		}
		none := h.apply(application(0))
		h.withdraw(none)
		h.equal(h.told(none.ID), []string{"request.received applicant", "request.withdrawn applicant"})
	})
}

// A decision, a withdrawal and the end of a request's time at the same moment, in two processes: one of them counts.
func TestDecideLapseWithdrawAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const requests = 24
		var apps []model.Application
		for range requests {
			a := application(100)
			a.DecideBy = h.clock.Now()
			apps = append(apps, h.apply(a))
		}
		ends := map[model.OperationID][]model.ApplicationState{}
		var mu sync.Mutex
		end := func(a model.Application, err error) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ends[a.ID] = append(ends[a.ID], a.State)
			case model.CodeOf(err) != model.CodeDecided:
				t.Error(err)
			}
		}
		lapsed := 0
		var wg sync.WaitGroup
		for n, a := range apps {
			wg.Go(func() { end(stores[n%2].Decide(h.ctx(), approval(a, "alice"))) })
			wg.Go(func() { end(stores[(n+1)%2].Decide(h.ctx(), rejection(a, "bob"))) })
			wg.Go(func() { end(stores[n%2].Withdraw(h.ctx(), model.Withdrawal{Application: a.ID})) })
			if n%4 != 0 {
				continue
			}
			wg.Go(func() {
				got, err := stores[n/4%2].LapseApplications(h.ctx(), issuerA, h.clock.Now(), 3)
				mu.Lock()
				defer mu.Unlock()
				if lapsed += got; err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		approved, withdrawn := 0, 0
		for _, a := range apps {
			got, err := h.Application(h.ctx(), a.ID)
			h.ok(err)
			switch got.State {
			case model.ApplicationLapsed:
				lapsed--
				h.equal(len(ends[a.ID]), 0)
			case model.ApplicationApproved, model.ApplicationRejected, model.ApplicationWithdrawn:
				h.equal(ends[a.ID], []model.ApplicationState{got.State})
			default:
				t.Errorf("%s is %s", a.ID, got.State)
			}
			told := 2
			switch got.State {
			case model.ApplicationApproved:
				approved++
			case model.ApplicationWithdrawn:
				withdrawn++
				told++
			}
			h.equal(len(h.told(a.ID)), told)
		}
		if lapsed != 0 || h.count("operations") != approved || len(h.chain(h.Store)) != 2*requests+withdrawn {
			t.Errorf("%d more were told to have lapsed; %d operations of %d approvals", lapsed, h.count("operations"), approved)
		}
	})
}

// What is withdrawn is in none of SQLite's files any more.
func TestWithdrawnLeavesTheFiles(t *testing.T) {
	h := newHarness(t, Config{Path: filepath.Join(t.TempDir(), "issuer.db")})
	dir := filepath.Dir(h.cfg.Path)
	var documents [][]byte
	var apps []model.Application
	for n := range 20 {
		a := application([]int{500, 4100, 20_000}[n%3])
		documents = append(documents, bytes.Clone(a.Documents))
		apps = append(apps, h.apply(a))
	}
	if n := traces(t, dir, documents); n < 1000 {
		t.Fatalf("only %d pieces are found before: this test proves nothing", n)
	}
	for _, a := range apps {
		h.withdraw(a)
	}
	if n := traces(t, dir, documents); n != 0 {
		t.Errorf("%d pieces of documents are in the files", n)
	}
}
