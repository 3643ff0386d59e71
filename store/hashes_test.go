package store

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// stored returns all that is kept of requests and rows to compare others with.
func (h *harness) stored() (requests, rows []byte) {
	h.t.Helper()
	found, err := h.readDB.Query("SELECT request_hash FROM idempotency_keys ORDER BY key")
	h.ok(each(found, err, func(r *sql.Rows) error {
		var hash string
		err := r.Scan(&hash)
		raw, _ := hex.DecodeString(hash)
		requests = append(requests, raw...)
		return err
	}))
	found, err = h.readDB.Query("SELECT sums FROM batch_sums ORDER BY batch, first_row")
	h.ok(each(found, err, func(r *sql.Rows) error {
		var sums []byte
		err := r.Scan(&sums)
		rows = append(rows, sums...)
		return err
	}))
	return requests, rows
}

// summed are rows whose sums somebody else could compute.
func summed(n int) []model.BatchRow {
	rows := rowsFrom(1, n)
	for i := range rows {
		rows[i].Sum = model.RowSum{42, byte(i % 2)}
	}
	return rows
}

// What a request or a row looked like cannot be told from what is stored, not even that two of them were the same.
func TestHashesAreKeyed(t *testing.T) {
	key := func(b byte) [32]byte { return [32]byte{b} }
	onBoth(t, func(t *testing.T, h *harness) {
		guess := [32]byte{1, 2, 3}
		var ops []model.Operation
		for _, name := range []string{"a", "b"} {
			op := issue()
			op.Key = &model.IdempotencyKey{Key: name, RequestHash: guess}
			ops = append(ops, h.create(op))
			b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
			h.ok(err)
			_, err = h.AddRows(h.ctx(), b.ID, summed(4))
			h.ok(err)
		}
		requests, rows := h.stored()
		seen := map[string]bool{}
		for part := range slices.Chunk(requests, 32) {
			seen[string(part)] = true
		}
		for part := range slices.Chunk(rows, 16) {
			seen[string(part)] = true
		}
		if len(seen) != 2+8 || bytes.Contains(requests, guess[:]) || bytes.Contains(rows, []byte{42, 0, 0, 0, 0, 0}) || bytes.Contains(rows, []byte{42, 1, 0, 0, 0, 0}) {
			t.Errorf("%d different ones: %x, %x", len(seen), requests, rows)
		}
		if op, err := h.Operation(h.ctx(), ops[0].ID); err != nil || op.Key.Key != "a" || op.Key.RequestHash != [32]byte{} {
			t.Errorf("%+v, %v", op.Key, err)
		}
		// Another process makes them with another key first, and knows this one; one that does not have it refuses what it cannot compare.
		same := func(s *Store, hash [32]byte) error {
			_, err := s.ByKey(h.ctx(), issuerA, model.IdempotencyKey{Key: "a", RequestHash: hash})
			return err
		}
		h.ok(same(h.Store, guess))
		h.cfg.HashKeys = [][32]byte{key(2), key(1)}
		turned := h.open()
		h.ok(same(turned, guess))
		h.code(same(turned, [32]byte{9}), model.CodeKeyReused)
		op := issue()
		op.Key = &model.IdempotencyKey{Key: "c", RequestHash: guess}
		if _, _, err := turned.Create(h.ctx(), op); err != nil {
			t.Fatal(err)
		}
		h.cfg.HashKeys = [][32]byte{key(3)}
		h.code(same(h.open(), guess), model.CodeKeyReused)
		_, err := h.ByKey(h.ctx(), issuerA, *op.Key)
		h.code(err, model.CodeKeyReused)
	}, func(c *Config) { c.HashKeys = [][32]byte{key(1)} })
}

// Without a key there is a secret of the database's own, the same for all processes.
func TestHashesWithoutAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := issue()
		op.Key = &model.IdempotencyKey{Key: "a", RequestHash: [32]byte{1, 2, 3}}
		h.create(op)
		if requests, _ := h.stored(); len(requests) != 32 || bytes.Contains(requests, []byte{1, 2, 3, 0, 0}) {
			t.Errorf("%x", requests)
		}
		_, err := h.open().ByKey(h.ctx(), issuerA, *op.Key)
		h.ok(err)
		h.cfg.HashKeys = [][32]byte{{7}} // is set later
		_, err = h.open().ByKey(h.ctx(), issuerA, *op.Key)
		h.ok(err)
	})
}

// The sums of rows go when a batch has been complete for as long as keys are kept; then nobody is told that other rows are the same.
func TestSumsAreForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var ids []model.OperationID
		rows := summed(3)
		for range 2 {
			b, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA})
			h.ok(err)
			_, err = h.AddRows(h.ctx(), b.ID, rows)
			h.ok(err)
			ids = append(ids, b.ID)
		}
		h.ok(h.SealBatch(h.ctx(), ids[0], 3))
		sweep := func(want int64) {
			t.Helper()
			n, err := h.SweepSums(h.ctx())
			h.ok(err)
			h.equal(n, want)
		}
		h.clock.advance(24 * time.Hour)
		sweep(0)
		_, err := h.AddRows(h.ctx(), ids[0], rows)
		h.ok(err)
		h.clock.advance(time.Microsecond)
		sweep(1)
		sweep(0)
		h.equal(h.count("batch_sums"), 1) // of the one that is gone on with
		_, err = h.AddRows(h.ctx(), ids[0], rows)
		h.code(err, model.CodeWrongState)
		if !strings.Contains(err.Error(), "cannot be compared any more") {
			t.Error(err)
		}
		_, err = h.AddRows(h.ctx(), ids[1], rows)
		h.ok(err)
	})
}

// What an earlier release stored goes on counting, and comes under the key.
func TestMigrateHashes(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			cfg := d.config(t)
			old := oldStore(t, cfg, 6)
			now := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC).UnixMicro()
			batch := model.OperationID("01JD8Q4Z7T9XW3V5K2M6N8P0RT")
			guess, sums := [32]byte{1, 2, 3}, make([]byte, 3*16)
			for n := range 3 {
				sums[n*16], sums[n*16+1] = 42, byte(n%2)
			}
			for _, c := range []struct {
				sql  string
				args []any
			}{
				{"INSERT INTO batches (id, issuer, state, rows, created, updated) VALUES ($1, $2, 'receiving', 3, $3, $3)", []any{string(batch), string(issuerA), now}},
				{"INSERT INTO idempotency_keys (issuer, key, request_hash, batch, created) VALUES ($1, 'k', $2, $3, $4)", []any{string(issuerA), hex.EncodeToString(guess[:]), string(batch), now}},
				{"INSERT INTO batch_sums (batch, first_row, sums) VALUES ($1, 1, $2)", []any{string(batch), sums}},
			} {
				if _, err := old.writeDB.Exec(c.sql, c.args...); err != nil {
					t.Fatal(err)
				}
			}
			if err := old.closeDBs(); err != nil {
				t.Fatal(err)
			}
			cfg.PollInterval, cfg.HashKeys = time.Hour, [][32]byte{{7}}
			h := newHarness(t, cfg)
			same := func() {
				t.Helper()
				b, replayed, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: &model.IdempotencyKey{Key: "k", RequestHash: guess}})
				h.ok(err)
				h.equal([]any{b.ID, replayed}, []any{batch, true})
				_, _, err = h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: &model.IdempotencyKey{Key: "k"}})
				h.code(err, model.CodeKeyReused)
				rows := summed(3)
				_, err = h.AddRows(h.ctx(), batch, rows)
				h.ok(err)
				rows[2].Sum[5] = 1
				_, err = h.AddRows(h.ctx(), batch, rows)
				h.code(err, model.CodeWrongState)
			}
			same()
			for _, want := range []int64{2, 0} {
				n, err := h.KeyHashes(h.ctx())
				h.ok(err)
				h.equal(n, want)
			}
			same()
			requests, rows := h.stored()
			if bytes.Contains(requests, guess[:]) || bytes.Contains(rows, sums[:16]) || len(requests) != 32 || len(rows) != 48 {
				t.Errorf("%x, %x", requests, rows)
			}
		})
	}
}

// With documents goes what tells their request from others; its key stays taken. The reason of a rejection has a time of its own.
func TestNothingOutlivesDocuments(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		var apps []model.Application
		for n, keep := range []time.Duration{0, 1000 * time.Hour, 0, 0} {
			a := application(10)
			a.Keep, a.Key = keep, &model.IdempotencyKey{Key: string(rune('a' + n)), RequestHash: [32]byte{byte(n)}}
			apps = append(apps, h.apply(a))
		}
		keys := func() (out string) {
			t.Helper()
			for n := range apps {
				_, err := h.ApplicationByKey(h.ctx(), issuerA, model.IdempotencyKey{Key: string(rune('a' + n)), RequestHash: [32]byte{byte(n)}})
				if err == nil {
					out += "+"
				} else {
					h.code(err, model.CodeKeyReused)
					out += "-"
				}
			}
			return out
		}
		reasons := func() (out []string) {
			t.Helper()
			for _, a := range apps {
				got, err := h.Application(h.ctx(), a.ID)
				h.ok(err)
				out = append(out, got.Reason)
			}
			return out
		}
		h.decide(rejection(apps[0], "x"))
		h.decide(rejection(apps[1], "x"))
		h.decide(approval(apps[3], "x"))
		said := reasons()
		h.equal(keys(), "++++")
		h.withdraw(apps[2])
		h.equal(keys(), "++-+")
		erase := func(want int) {
			t.Helper()
			n, err := h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 10)
			h.ok(err)
			h.equal(n, want)
		}
		erase(2)
		h.equal(keys(), "-+--")
		h.equal(reasons(), said) // whoever was rejected reads why
		h.clock.advance(30*24*time.Hour - time.Microsecond)
		erase(0)
		h.equal(reasons(), said)
		h.clock.advance(time.Microsecond)
		erase(0)
		h.equal(reasons(), []string{"", said[1], "", ""})
		h.clock.advance(300 * time.Hour)
		erase(1)
		h.equal(reasons(), []string{"", "", "", ""})
		if n := h.count("applications WHERE reason LIKE '%" + said[1] + "%'"); n != 0 || said[1] == "" {
			t.Errorf("%d reasons of %q are there", n, said[1])
		}
	})
}

// A reason is in none of SQLite's files once it is erased.
func TestErasedReasonsLeaveTheFiles(t *testing.T) {
	h := newHarness(t, Config{Path: filepath.Join(t.TempDir(), "issuer.db")})
	said := bytes.Repeat([]byte("a reason of 16 b"), 60)
	for range 20 {
		d := rejection(h.apply(application(10)), "x")
		d.Reason = string(said)
		h.decide(d)
	}
	if traces(t, filepath.Dir(h.cfg.Path), [][]byte{said}) == 0 {
		t.Fatal("nothing is found before: this test proves nothing")
	}
	h.clock.advance(2000 * time.Hour)
	_, err := h.EraseDocuments(h.ctx(), issuerA, h.clock.Now(), 100)
	h.ok(err)
	if n := traces(t, filepath.Dir(h.cfg.Path), [][]byte{said}); n != 0 {
		t.Errorf("%d pieces of reasons are in the files", n)
	}
}
