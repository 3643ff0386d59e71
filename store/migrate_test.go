package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestMigrationsHaveTheSameNames(t *testing.T) {
	names := map[string][]string{}
	for _, d := range []*dialect{&sqliteDialect, &postgresDialect} {
		files, err := fs.Glob(migrations, "migrations/"+d.name+"/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !regexp.MustCompile(`^\d{4}_[a-z_]+\.sql$`).MatchString(path.Base(f)) {
				t.Errorf("%s: not a migration's name", f)
			}
			names[d.name] = append(names[d.name], path.Base(f))
		}
	}
	if len(names["sqlite"]) == 0 || !slices.Equal(names["sqlite"], names["postgres"]) {
		t.Errorf("migrations differ: %v", names)
	}
}

// The two dialects say the same, but for types and how a table is stored.
func TestMigrationsSayTheSame(t *testing.T) {
	plain := func(d *dialect, name string) string {
		b, err := migrations.ReadFile("migrations/" + d.name + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.NewReplacer("INTEGER", "BIGINT", "BLOB", "BYTEA", " STRICT, WITHOUT ROWID", "", " STRICT", "").Replace(string(b))
		return regexp.MustCompile(`[ \t]+`).ReplaceAllString(s, " ")
	}
	files, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if plain(&sqliteDialect, path.Base(f)) != plain(&postgresDialect, path.Base(f)) {
			t.Errorf("%s says different things", path.Base(f))
		}
	}
}

// What the CHECK constraints list is what model has.
func TestChecksListTheStates(t *testing.T) {
	var b []byte
	for _, name := range []string{"0001_journal", "0003_records", "0004_keeping", "0005_lapse", "0007_denials"} {
		text, err := migrations.ReadFile("migrations/sqlite/" + name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, text...)
	}
	list := func(states []string) string { return "IN ('" + strings.Join(states, "', '") + "')" }
	var final, open []string
	for _, s := range model.States() {
		if s.Final() {
			if s != model.StateSucceeded {
				final = append(final, string(s))
			}
		} else {
			open = append(open, string(s))
		}
	}
	for what, want := range map[string]string{
		"states of an operation":  "CHECK (state " + list(texts(model.States())),
		"states that are open":    "WHERE state " + list(open),
		"states with a failure":   "(failure_code IS NOT NULL) = (state " + list(final),
		"states of an attempt":    "CHECK (state " + list(texts([]model.AttemptState{model.AttemptSigned, model.AttemptAbsent, model.AttemptValidated})),
		"states of a batch":       "CHECK (state " + list(texts([]model.BatchState{model.BatchReceiving, model.BatchReceived})),
		"kinds of an operation":   "CHECK (kind " + list(texts([]model.Kind{model.KindIssue, model.KindRevoke, model.KindFill, model.KindTickets})),
		"kinds of events":         "CHECK (kind " + list(texts(model.EventKinds())),
		"kinds of denials":        "CHECK (kind " + list(texts([]model.DenialKind{model.DeniedSubject, model.DeniedID})),
		"roles":                   "CHECK (role " + list(texts(model.Roles())),
		"states of a request":     "CHECK (state " + list(texts(model.ApplicationStates())),
		"kinds that are asked of": "CHECK ((kind " + list(texts([]model.Kind{model.KindIssue, model.KindRevoke})),
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s: the migration does not say %s", what, want)
		}
	}
}

// The tables hold what the code promises, also against code that does not keep to it.
func TestChecksRefuse(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op, a := h.signed(1)
		done, b := h.signed(2)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(b)}))
		pending := h.create(issue())
		waiting := h.apply(application(1))
		decided := h.decide(rejection(h.apply(application(1)), "x"))
		h.mirrored(10)
		h.endpoints("a")
		h.create(renewal())
		h.move(11, change(model.ChangeCreated, credential(subject()), 11, 0))
		h.dueNow("a", 1)
		for _, c := range []struct {
			sql  string
			args []any
		}{
			{"UPDATE operations SET state = 'unknown' WHERE id = $1", []any{op.ID}},
			{"UPDATE operations SET state = 'failed' WHERE id = $1", []any{op.ID}},                                            // no failure
			{"UPDATE operations SET failure_code = 'x', failure_message = 'y' WHERE id = $1", []any{op.ID}},                   // not failed
			{"UPDATE operations SET kind = 'unknown' WHERE id = $1", []any{op.ID}},                                            //
			{"UPDATE operations SET kind = 'revoke' WHERE id = $1", []any{op.ID}},                                             // with a URI
			{"UPDATE operations SET subject = NULL WHERE id = $1", []any{op.ID}},                                              //
			{"UPDATE operations SET expiration = -1 WHERE id = $1", []any{op.ID}},                                             //
			{"UPDATE operations SET batch_row = 1 WHERE id = $1", []any{op.ID}},                                               // no batch
			{"UPDATE operations SET subject = $2 WHERE id = $1", []any{pending.ID, op.Subject}},                               // one stands
			{"UPDATE attempts SET state = 'validated' WHERE hash = $1", []any{a.Hash}},                                        // no result
			{"UPDATE attempts SET state = 'absent' WHERE hash = $1", []any{b.Hash}},                                           // a result
			{"UPDATE attempts SET sequence = 0 WHERE hash = $1", []any{a.Hash}},                                               //
			{"UPDATE attempts SET replaces = n WHERE hash = $1", []any{a.Hash}},                                               //
			{"UPDATE attempts SET fee = 0 WHERE hash = $1", []any{a.Hash}},                                                    //
			{"UPDATE lanes SET epoch = -1 WHERE issuer = $1", []any{issuerA}},                                                 //
			{"INSERT INTO batches (id, issuer, state, created, updated) VALUES ('x', $1, 'receiving', 0, 0)", []any{issuerA}}, // id
			{"INSERT INTO idempotency_keys (issuer, key, request_hash, created) VALUES ($1, 'k', 'h', 0)", []any{issuerA}},    // whose?
			{"DELETE FROM operations WHERE id = $1", []any{done.ID}},                                                          // it has attempts
			{"UPDATE mirrors SET known = 0 WHERE issuer = $1", []any{issuerA}},                                                // complete
			{"UPDATE credentials SET accepted = 2 WHERE issuer = $1", []any{issuerA}},                                         //
			{"UPDATE credentials SET expiration = 0 WHERE issuer = $1", []any{issuerA}},                                       //
			{"UPDATE credentials SET entry = 'x' WHERE issuer = $1", []any{issuerA}},                                          //
			{"UPDATE renewals SET state = 'unknown' WHERE issuer = $1", []any{issuerA}},                                       //
			{"UPDATE renewals SET deletion = 'x' WHERE issuer = $1", []any{issuerA}},                                          // no operation
			{"UPDATE deliveries SET state = 'delivered' WHERE issuer = $1", []any{issuerA}},                                   //
			{"UPDATE deliveries SET attempts = -1 WHERE issuer = $1", []any{issuerA}},                                         //
			{"UPDATE applications SET state = 'unknown' WHERE id = $1", []any{waiting.ID}},
			{"UPDATE applications SET state = 'approved', decided_by = 'x', decision = 'x', erase = 0 WHERE id = $1", []any{waiting.ID}}, // no operation
			{"UPDATE applications SET state = 'rejected', decided_by = 'x', decision = 'x', erase = 0 WHERE id = $1", []any{waiting.ID}}, // no reason
			{"UPDATE applications SET erase = 0 WHERE id = $1", []any{waiting.ID}},                                                       // not decided on
			{"UPDATE applications SET operation = $2 WHERE id = $1", []any{waiting.ID, op.ID}},                                           //
			{"UPDATE applications SET decided_by = NULL WHERE id = $1", []any{decided.ID}},                                               //
			{"UPDATE applications SET reason = '' WHERE id = $1", []any{decided.ID}},                                                     //
			{"UPDATE applications SET keep = -1 WHERE id = $1", []any{waiting.ID}},                                                       //
			{"UPDATE applications SET decide_by = NULL WHERE id = $1", []any{waiting.ID}},                                                // for ever
			{"UPDATE applications SET state = 'lapsed' WHERE id = $1", []any{waiting.ID}},                                                // by nobody
			{"UPDATE applications SET state = 'withdrawn', reason = NULL, operation = $2 WHERE id = $1", []any{decided.ID, op.ID}},       // an operation
			{"UPDATE events SET kind = 'unknown' WHERE application = $1", []any{waiting.ID}},                                             //
			{"UPDATE events SET seq = 2 WHERE application = $1", []any{waiting.ID}},                                                      // there is one
			{"UPDATE audit SET hash = '' WHERE target = $1", []any{string(waiting.ID)}},                                                  //
			{"INSERT INTO heads (id, event, entry, hash) SELECT 2, 0, 0, hash FROM heads WHERE $1 = $1", []any{"x"}},                     // another head
			{"INSERT INTO tokens (id, name, role, hash, created) VALUES ($1, 'x', 'root', $2, 0)", []any{"x", a.Hash}},                   // role
			{"INSERT INTO spent_nonces (nonce, owner, expires) VALUES ($1, $2, 0)", []any{"n", op.ID}},                                   // no hash
			{"INSERT INTO idempotency_keys (issuer, key, request_hash, operation, application, created) VALUES ($1, 'k', $2, $3, $4, 0)", // whose?
				[]any{issuerA, a.Hash, op.ID, waiting.ID}},
			{"INSERT INTO attempts SELECT * FROM attempts WHERE hash = $1", []any{a.Hash}},
		} {
			for i := range c.args {
				switch v := c.args[i].(type) {
				case model.OperationID:
					c.args[i] = string(v)
				case model.Address:
					c.args[i] = string(v)
				}
			}
			if _, err := h.writeDB.Exec(c.sql, c.args...); err == nil {
				t.Errorf("%s %v: was taken", c.sql, c.args)
			} else if m := strings.ToLower(err.Error()); !strings.Contains(m, "constraint") {
				t.Errorf("%s: %v", c.sql, err)
			}
		}
	})
}

// oldStore opens a database as a program did that knew so many migrations.
func oldStore(t *testing.T, cfg Config, known int) *Store {
	t.Helper()
	old := &Store{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: systemClock{}}
	old.hub = newHub(old)
	var err error
	if cfg.URL != "" {
		_, err = old.openPostgres(t.Context())
	} else {
		err = old.openSQLite(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(migrations, "migrations/"+old.d.name+"/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	first := fstest.MapFS{}
	for _, name := range files[:known] {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first[name] = &fstest.MapFile{Data: text}
	}
	if err := old.migrate(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	return old
}

// A database from before requests lapsed keeps its requests, its keys and its events, and gives what waits some time.
func TestMigrateRequests(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			cfg := d.config(t)
			old := oldStore(t, cfg, 4)
			came, kept := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC), time.Date(2030, 2, 2, 3, 0, 0, 0, time.UTC)
			ids := []model.OperationID{"01JD8Q4Z7T9XW3V5K2M6N8P0RS", "01JD8Q4Z7T9XW3V5K2M6N8P0RT", "01JD8Q4Z7T9XW3V5K2M6N8P0RV"}
			zeros := strings.Repeat("0", 64)
			const fields = "INSERT INTO applications (id, issuer, subject, type, expiration, uri, renew, proven, secret_hash, keep, request_id, created, updated, documents, state, decided_by, decision, reason, erase)"
			for n, rest := range []string{"'waiting', NULL, NULL, NULL, NULL", "'rejected', 'x', 'y', 'z', $2", "'waiting', NULL, NULL, NULL, NULL"} {
				account := issuerA
				if n == 2 {
					account = issuerB // whose house was never kept
				}
				_, err := old.writeDB.Exec(fields+" VALUES ('"+string(ids[n])+"', $1, $1, '61', 7, '62', 1, 1, '"+zeros+"', 1000000, 'r', $2, $2, $3, "+rest+")",
					string(account), came.UnixMicro(), []byte("sealed"))
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, sql := range []string{
				"INSERT INTO mirrors (issuer, known, complete, close_time, updated) VALUES ($1, 1, 7, 7, $2)",
				"INSERT INTO idempotency_keys (issuer, key, request_hash, application, created) VALUES ($1, 'k1', '" + zeros + "', '" + string(ids[0]) + "', $2)",
				"INSERT INTO events (seq, id, time, kind, actor, issuer, subject, type, application) VALUES (1, '01JD8Q4Z7T9XW3V5K2M6N8P0RW', $2, 'request.received', 'applicant', $1, $1, '61', '" + string(ids[0]) + "')",
				"UPDATE heads SET event = CASE WHEN $1 = '' OR $2 < event THEN 0 ELSE 1 END",
			} {
				if _, err := old.writeDB.Exec(sql, string(issuerA), kept.UnixMicro()); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			if err := old.closeDBs(); err != nil {
				t.Fatal(err)
			}
			cfg.PollInterval, cfg.IdempotencyKeep = time.Hour, 1000*time.Hour
			h := newHarness(t, cfg)
			h.clock.now = kept
			if n, err := h.Adopt(h.ctx()); err != nil || n.Requests != 2 {
				t.Errorf("adopted %+v, %v", n, err)
			}
			const bound = 90 * 24 * time.Hour
			for n, want := range []model.Application{
				{State: model.ApplicationWaiting, DecideBy: kept.Add(bound)},
				{State: model.ApplicationRejected, DecideBy: kept.Add(bound), DecidedBy: "x", Reason: "z", Erase: came},
				{State: model.ApplicationWaiting, Issuer: issuerB, DecideBy: came.Add(bound)},
			} {
				if want.Issuer == "" {
					want.Issuer = issuerA
				}
				seven := uint32(7)
				want.ID, want.Subject, want.Type, want.Expiration, want.URI, want.Renew, want.Proven = ids[n], want.Issuer, "a", &seven, "b", true, true
				want.Documents, want.Keep, want.RequestID, want.Created, want.Updated = []byte("sealed"), time.Second, "r", came, came
				if n == 0 {
					want.Key = &model.IdempotencyKey{Key: "k1"}
				}
				got, err := h.Application(h.ctx(), ids[n])
				h.ok(err)
				h.equal(got, want)
			}
			h.equal(h.told(ids[0]), []string{"request.received applicant"})
			if got, err := h.ApplicationByKey(h.ctx(), issuerA, model.IdempotencyKey{Key: "k1"}); err != nil || got.ID != ids[0] {
				t.Errorf("%+v, %v", got, err)
			}
			h.clock.now = kept.Add(bound)
			h.lapse(1)
			h.equal(h.told(ids[0]), []string{"request.received applicant", "request.lapsed janitor"})
		})
	}
}

// A database of the first release keeps what it has.
func TestMigrateRecords(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			cfg := d.config(t)
			old := oldStore(t, cfg, 1)
			now := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC).UnixMicro()
			op, batch := model.OperationID("01JD8Q4Z7T9XW3V5K2M6N8P0RS"), model.OperationID("01JD8Q4Z7T9XW3V5K2M6N8P0RT")
			for _, sql := range []string{
				"INSERT INTO operations (id, issuer, kind, subject, type, priority, state, created, updated) VALUES ('" + string(op) + "', $1, 'revoke', $1, '61', 0, 'pending', $2, $2)",
				"INSERT INTO batches (id, issuer, state, created, updated) VALUES ('" + string(batch) + "', $1, 'receiving', $2, $2)",
				"INSERT INTO idempotency_keys (issuer, key, request_hash, operation, created) VALUES ($1, 'k1', '" + strings.Repeat("0", 64) + "', '" + string(op) + "', $2)",
				"INSERT INTO idempotency_keys (issuer, key, request_hash, batch, created) VALUES ($1, 'k2', '" + strings.Repeat("0", 64) + "', '" + string(batch) + "', $2)",
			} {
				if _, err := old.writeDB.Exec(sql, string(issuerA), now); err != nil {
					t.Fatal(err)
				}
			}
			if err := old.closeDBs(); err != nil {
				t.Fatal(err)
			}
			cfg.PollInterval = time.Hour
			h := newHarness(t, cfg)
			if got, err := h.ByKey(h.ctx(), issuerA, model.IdempotencyKey{Key: "k1"}); err != nil || got.ID != op || got.Actor != "" || got.Key == nil {
				t.Errorf("%+v, %v", got, err)
			}
			if got, replayed, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: &model.IdempotencyKey{Key: "k2"}}); err != nil || !replayed || got.ID != batch {
				t.Errorf("%+v, %t, %v", got, replayed, err)
			}
			h.ok(h.Cancel(h.ctx(), op, model.Failure{}, model.AuditEntry{Actor: "cli:me"}))
			if got := h.chain(h.Store); len(got) != 1 || got[0].Actor != "cli:me" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		with := func(more string) fs.FS {
			files, err := fs.Glob(migrations, "migrations/"+h.d.name+"/*.sql")
			h.ok(err)
			m := fstest.MapFS{"migrations/" + h.d.name + "/9999_more.sql": {Data: []byte(more)}}
			for _, f := range files {
				text, err := migrations.ReadFile(f)
				h.ok(err)
				m[f] = &fstest.MapFile{Data: text}
			}
			return m
		}
		// A fault undoes all of it.
		if err := h.migrate(h.ctx(), with("CREATE TABLE more (x BIGINT); CREATE TABLE more (x BIGINT);")); err == nil || !strings.Contains(err.Error(), "9999_more") {
			t.Errorf("a migration that fails: %v", err)
		}
		// Several processes at once apply it once.
		var wg sync.WaitGroup
		for _, s := range []*Store{h.Store, h.open(), h.open()} {
			wg.Go(func() {
				if err := s.migrate(h.ctx(), with("CREATE TABLE more (x BIGINT); INSERT INTO more (x) VALUES (1);")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var n int
		h.ok(h.readDB.QueryRow("SELECT count(*) FROM more").Scan(&n))
		if n != 1 {
			t.Errorf("applied %d times", n)
		}
		if err := h.migrate(h.ctx(), with("CREATE TABLE more (x BIGINT);")); err == nil || !strings.Contains(err.Error(), "9999_more was changed") {
			t.Errorf("one that was changed: %v", err)
		}
		if _, err := Open(h.ctx(), h.cfg); err == nil || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("opened by an older program: %v", err)
		}
	})
}

// Only the service changes the tables of a database; a command that writes makes those of an empty one.
func TestOnlyTheServiceMigrates(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			cfg := d.config(t)
			as := func(access Access) (*Store, error) {
				cfg := cfg
				cfg.Access = access
				s, err := Open(t.Context(), cfg)
				if err == nil {
					t.Cleanup(func() { _ = s.Close() })
				}
				return s, err
			}
			if _, err := as(AccessRead); err == nil {
				t.Fatal("a database without tables was opened for reading")
			}
			writer, err := as(AccessWrite)
			if err != nil {
				t.Fatal(err)
			}
			applied := func() (out []string) {
				rows, err := writer.writeDB.Query("SELECT name FROM schema_migrations ORDER BY name")
				if err := each(rows, err, func(rows *sql.Rows) error {
					var name string
					err := rows.Scan(&name)
					out = append(out, name)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return out
			}
			all := applied()
			if err := writer.Audit(t.Context(), model.AuditEntry{Actor: "x", Action: "x"}); err != nil {
				t.Fatal(err)
			}
			reader, err := as(AccessRead)
			if err != nil {
				t.Fatal(err)
			}
			if entries, err := reader.AuditEntries(t.Context(), 0, 10); err != nil || len(entries) != 1 {
				t.Fatal(entries, err)
			}
			if err := reader.Audit(t.Context(), model.AuditEntry{Actor: "x", Action: "x"}); err == nil {
				t.Error("a database that was opened for reading was written")
			}
			if _, err := reader.readDB.Exec("DELETE FROM audit"); err == nil {
				t.Error("a connection that reads has written")
			}
			if _, err := writer.writeDB.Exec("DELETE FROM schema_migrations WHERE name = $1", all[len(all)-1]); err != nil {
				t.Fatal(err)
			}
			for _, access := range []Access{AccessRead, AccessWrite} {
				var schema *SchemaError
				if _, err := as(access); !errors.As(err, &schema) || schema.Migration != all[len(all)-1] {
					t.Errorf("access %d of an older database: %v", access, err)
				}
			}
			if left := applied(); len(left) != len(all)-1 {
				t.Errorf("migrations changed to %v", left)
			}
		})
	}
}
