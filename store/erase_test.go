package store

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestEraseDocuments(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var apps []model.Application
		for i := range 5 {
			a := application(100)
			a.Keep = time.Duration(i) * time.Hour
			apps = append(apps, h.apply(a))
		}
		theirs := application(10)
		theirs.Issuer, theirs.Keep = issuerB, 0
		theirs = h.apply(theirs)
		h.decide(rejection(theirs, "x"))
		none := application(0) // has no documents
		none.Keep = 0
		h.decide(rejection(h.apply(none), "x"))
		for i, a := range apps[:4] { // the last one waits
			if i%2 == 0 {
				h.decide(rejection(a, "x"))
			} else {
				h.decide(approval(a, "x"))
			}
		}
		erase := func(want int, limit int) {
			t.Helper()
			if n, err := h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), limit); n != want || err != nil {
				t.Errorf("%d were erased, want %d: %v", n, want, err)
			}
		}
		has := func() (out []bool) {
			for _, a := range apps {
				got, err := h.Application(h.ctx(), a.ID)
				h.ok(err)
				out = append(out, got.Documents != nil)
			}
			return out
		}
		erase(1, 10) // kept for no time
		erase(0, 10)
		h.clock.advance(time.Hour - time.Microsecond)
		erase(0, 10)
		if got := has(); !slices.Equal(got, []bool{false, true, true, true, true}) {
			t.Errorf("before its time: %v", got)
		}
		h.clock.advance(2*time.Hour + time.Microsecond)
		erase(2, 2)
		erase(1, 2)
		erase(0, 2)
		h.clock.advance(1000 * time.Hour)
		erase(0, 10)
		if got := has(); !slices.Equal(got, []bool{false, false, false, false, true}) {
			t.Errorf("in the end: %v", got)
		}
		if got, err := h.Application(h.ctx(), theirs.ID); err != nil || len(got.Documents) != 10 {
			t.Errorf("another account's: %+v, %v", got, err)
		}
		got, err := h.Application(h.ctx(), apps[1].ID)
		h.ok(err)
		if want := []string{"request.received applicant", "request.approved x " + string(got.Operation), "request.documents_erased janitor"}; !slices.Equal(h.told(apps[1].ID), want) {
			t.Errorf("told %v", h.told(apps[1].ID))
		}
		log := h.chain(h.Store)
		if e := log[len(log)-1]; e.Action != "request.erase" || e.Actor != "janitor" || e.Target != string(apps[3].ID) {
			t.Errorf("%+v", e)
		}
	})
}

// Two that erase at the same moment, and reviewers beside them: each is erased once.
func TestEraseAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		stores := []*Store{h.Store, h.open()}
		const requests = 40
		for range requests {
			a := application(100)
			a.Keep = 0
			h.decide(rejection(h.apply(a), "x"))
		}
		var mu sync.Mutex
		var total int
		var wg sync.WaitGroup
		for _, s := range append(stores, stores...) {
			wg.Go(func() {
				for {
					n, err := s.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 7)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					total += n
					mu.Unlock()
					if n == 0 {
						return
					}
				}
			})
			wg.Go(func() { h.decide(rejection(h.apply(application(100)), "x")) })
		}
		wg.Wait()
		if total != requests || h.count("events") != 3*requests+8 || len(h.chain(h.Store)) != 3*requests+8 {
			t.Errorf("%d were erased, %d events", total, h.count("events"))
		}
	})
}

// traces counts the pieces of documents that are somewhere in the folder.
func traces(t *testing.T, dir string, documents [][]byte) (found int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	pieces := map[[16]byte]bool{}
	for _, d := range documents {
		for i := 0; i+16 <= len(d); i += 16 {
			pieces[[16]byte(d[i:])] = true
		}
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+16 <= len(text); i++ {
			if pieces[[16]byte(text[i:])] {
				found++
			}
		}
	}
	return found
}

// What is erased is in none of SQLite's files any more, whatever its size was, and however the tables grew around it.
func TestErasedLeavesTheFiles(t *testing.T) {
	h := newHarness(t, Config{Path: filepath.Join(t.TempDir(), "issuer.db")})
	dir := filepath.Dir(h.cfg.Path)
	var documents [][]byte
	var apps []model.Application
	for i := range 120 {
		a := application([]int{16, 500, 3000, 4100, 20_000, 150_000}[i%6])
		a.Keep = time.Duration(i%2) * time.Hour
		documents = append(documents, bytes.Clone(a.Documents))
		apps = append(apps, h.apply(a))
		if i%3 == 0 { // some are decided on while others come
			h.decide(rejection(apps[i/2], "x"))
			apps[i/2] = h.apply(application(10))
		}
	}
	if n := traces(t, dir, documents); n < 40_000 {
		t.Fatalf("only %d pieces are found before anything is erased: this test proves nothing", n)
	}
	for _, a := range apps {
		if got, err := h.Application(h.ctx(), a.ID); err == nil && got.State == model.ApplicationWaiting {
			h.decide(rejection(a, "x"))
		}
	}
	h.clock.advance(48 * time.Hour)
	reader, err := h.readDB.Begin() // somebody reads what is there now
	h.ok(err)
	var n int
	h.ok(reader.QueryRow("SELECT count(*) FROM applications").Scan(&n))
	erased := 0
	for {
		n, err := h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 100)
		h.ok(err)
		erased += n
		if n == 0 {
			break
		}
	}
	if erased != n {
		t.Errorf("%d of %d were erased", erased, n)
	}
	if traces(t, dir, documents) == 0 {
		t.Error("nothing is left although somebody reads: this test does not see what it is there for")
	}
	h.ok(reader.Rollback())
	// The next one does what that reader was in the way of, although nothing is due.
	if n, err := h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 100); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n := traces(t, dir, documents); n != 0 {
		t.Errorf("%d pieces of documents are in the files", n)
	}
}
