package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// auditLog makes a journal with n entries in its audit log, and a way to change it behind the program's back.
func auditLog(t *testing.T, n int) (where string, change func(statements ...string)) {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Config{Path: journalFile(dir), Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	var entries []model.AuditEntry
	for i := range n {
		entries = append(entries, model.AuditEntry{Actor: "token:me", Action: "call", Target: fmt.Sprintf("GET /admin/%d", i+1), Status: 200, RequestID: "R", Detail: json.RawMessage(`{"n":1}`)})
	}
	if err := st.Audit(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return "--data-dir=" + dir, func(statements ...string) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(dir, "issuer.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		for _, s := range statements {
			result, err := db.ExecContext(context.WithoutCancel(t.Context()), s)
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			if rows, err := result.RowsAffected(); err != nil || rows == 0 {
				t.Fatalf("%s changed nothing: %v", s, err)
			}
		}
	}
}

var headLine = regexp.MustCompile(`(?m)^(\d+:[0-9A-F]{64})$`)

func TestAuditWhole(t *testing.T) {
	where, _ := auditLog(t, 0)
	if out, log, status := command(t, "audit", "verify", where); status != 0 || out != "The audit log is empty.\n" {
		t.Errorf("%d %s%s", status, out, log)
	}
	if out, _, status := command(t, "audit", "export", where); status != 0 || out != "" {
		t.Errorf("%d %s", status, out)
	}
	where, _ = auditLog(t, auditPage+3) // more than is read at a time
	out, log, status := command(t, "audit", "verify", where)
	head := headLine.FindString(out)
	if status != 0 || log != "" || !strings.HasPrefix(out, "1003 entries, all whole") || !strings.HasPrefix(head, "1003:") {
		t.Fatalf("%d %s%s", status, out, log)
	}
	exported, _, status := command(t, "audit", "export", where)
	lines := strings.Split(strings.TrimSuffix(exported, "\n"), "\n")
	if status != 0 || len(lines) != auditPage+3 {
		t.Fatalf("%d, %d lines", status, len(lines))
	}
	var last struct{ Hash string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || head != "1003:"+last.Hash {
		t.Errorf("%s, %s, %v", head, lines[len(lines)-1], err)
	}
	// Whoever noted the head finds it again, once there is more too.
	makeToken(t, "later", "reader", where)
	for _, noted := range []string{head, strings.ToLower(head)} {
		if out, log, status := command(t, "audit", "verify", "--head", noted, where); status != 0 || !strings.HasPrefix(out, "1004 entries") {
			t.Errorf("%d %s%s", status, out, log)
		}
	}
}

// TestAuditFaults: what was changed in the database, and what verify says of it.
func TestAuditFaults(t *testing.T) {
	const swap = "UPDATE audit SET seq = 1000 WHERE seq = 2;UPDATE audit SET seq = 2 WHERE seq = 3;UPDATE audit SET seq = 3 WHERE seq = 1000"
	// The chain after a change, put right by somebody who knows how: only the head tells.
	for name, tc := range map[string]struct {
		change string
		want   []string // all that is said, line by line
	}{
		"target changed":        {"UPDATE audit SET target = 'GET /admin/x' WHERE seq = 3", []string{"entry 3 was changed: call GET /admin/x by token:me at "}},
		"actor changed":         {"UPDATE audit SET actor = 'token:you' WHERE seq = 1", []string{"entry 1 was changed: call GET /admin/1 by token:you at "}},
		"time changed":          {"UPDATE audit SET time = time + 1 WHERE seq = 5", []string{"entry 5 was changed"}},
		"status changed":        {"UPDATE audit SET status = 403 WHERE seq = 2", []string{"entry 2 was changed"}},
		"detail changed":        {"UPDATE audit SET detail = '{\"n\":2}' WHERE seq = 2", []string{"entry 2 was changed"}},
		"detail taken away":     {"UPDATE audit SET detail = NULL WHERE seq = 2", []string{"entry 2 was changed"}},
		"request changed":       {"UPDATE audit SET request_id = '' WHERE seq = 2", []string{"entry 2 was changed"}},
		"hash changed":          {"UPDATE audit SET hash = replace(hash, substr(hash, 1, 4), '0000') WHERE seq = 2", []string{"entry 2 was changed", "entry 3 does not follow entry 2"}},
		"first removed":         {"DELETE FROM audit WHERE seq = 1", []string{"entry 1 is missing"}},
		"one removed":           {"DELETE FROM audit WHERE seq = 3", []string{"entry 3 is missing"}},
		"two removed":           {"DELETE FROM audit WHERE seq IN (3, 4)", []string{"entries 3 to 4 are missing"}},
		"removed and closed up": {"DELETE FROM audit WHERE seq = 2;UPDATE audit SET seq = seq + 1000 WHERE seq > 2;UPDATE audit SET seq = seq - 1001 WHERE seq > 1000", []string{"entry 2 does not follow entry 1", "entry 2 was changed", "entry 3 was changed", "entry 4 was changed", "entry 5 is missing: the end was cut off"}},
		"first one cut away":    {"DELETE FROM audit WHERE seq = 1;UPDATE audit SET seq = seq + 1000;UPDATE audit SET seq = seq - 1001", []string{"entry 1 was not the first one", "entry 1 was changed", "entry 2 was changed", "entry 3 was changed", "entry 4 was changed", "entry 5 is missing: the end was cut off"}},
		"two change places":     {swap, []string{"entry 2 does not follow entry 1", "entry 2 was changed", "entry 3 does not follow entry 2", "entry 3 was changed", "entry 4 does not follow entry 3"}},
		"end cut off":           {"DELETE FROM audit WHERE seq = 5", []string{"entry 5 is missing: the end was cut off"}},
		"more cut off":          {"DELETE FROM audit WHERE seq > 2", []string{"entries 3 to 5 are missing: the end was cut off"}},
		"all removed":           {"DELETE FROM audit", []string{"entries 1 to 5 are missing: the end was cut off"}},
		"head set back":         {"UPDATE heads SET entry = 4", []string{"entry 4 is not the one that was written as the last one", "entries behind 4 were not written by the service"}},
		"head of another":       {"UPDATE heads SET hash = (SELECT hash FROM audit WHERE seq = 1)", []string{"entry 5 is not the one that was written as the last one"}},
	} {
		t.Run(name, func(t *testing.T) {
			where, change := auditLog(t, 5)
			change(strings.Split(tc.change, ";")...)
			out, log, status := command(t, "audit", "verify", where)
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if status != 1 || !strings.Contains(log, fmt.Sprintf("the audit log is not whole, or the database does not agree with it: faults: %d\n", len(tc.want))) || len(lines) != len(tc.want) {
				t.Fatalf("%d\n%s%s", status, out, log)
			}
			for i := range lines {
				if !strings.HasPrefix(lines[i], tc.want[i]) {
					t.Errorf("line %d is %q, want %q", i+1, lines[i], tc.want[i])
				}
			}
			if exported, _, status := command(t, "audit", "export", where); status != 0 || exported == "" && name != "all removed" {
				t.Errorf("export: %d", status) // shows what there is
			}
		})
	}
}

// TestAuditNoted: an end that was cut off by somebody who put the head back too shows against what was noted.
func TestAuditNoted(t *testing.T) {
	where, change := auditLog(t, 5)
	out, _, _ := command(t, "audit", "verify", where)
	head := headLine.FindString(out)
	change("DELETE FROM audit WHERE seq = 5", "UPDATE heads SET entry = 4, hash = (SELECT hash FROM audit WHERE seq = 4)")
	if out, _, status := command(t, "audit", "verify", where); status != 0 || !strings.HasPrefix(out, "4 entries") {
		t.Errorf("%d %s", status, out)
	}
	if out, _, status := command(t, "audit", "verify", "--head="+head, where); status != 1 || out != "entry 5, which was noted, is missing\n" {
		t.Errorf("%d %s", status, out)
	}
	makeToken(t, "in-its-place", "reader", where)
	if out, _, status := command(t, "audit", "verify", "--head="+head, where); status != 1 || out != "entry 5 is not the one that was noted\n" {
		t.Errorf("%d %s", status, out)
	}
	for _, bad := range []string{"x", "5", "5:", "0:" + head[2:], "-1:" + head[2:], "5:" + head[3:], "5:" + strings.Repeat("G", 64)} {
		if _, log, status := command(t, "audit", "verify", "--head="+bad, where); status != 2 || !strings.Contains(log, "--head must be") {
			t.Errorf("%q: %d %s", bad, status, log)
		}
	}
	for _, args := range [][]string{nil, {"check"}, {"verify", "more"}, {"export", "--head=x"}, {"verify", "--nonsense"}} {
		if _, log, status := command(t, append(append([]string{"audit"}, args...), where)...); status != 2 {
			t.Errorf("%q: %d %s", args, status, log)
		}
	}
}

// TestAuditOfPostgres: the commands read the log of a service with DATABASE_URL, while that runs.
func TestAuditOfPostgres(t *testing.T) {
	t.Setenv("DATABASE_URL", postgresSchema(t))
	s := boot(t, onSandbox(t.TempDir())...)
	if got := s.get(t, "/admin/credential", ""); got != 200 {
		t.Fatal(got)
	}
	out, log, status := command(t, "audit", "verify")
	if status != 0 || !headLine.MatchString(out) {
		t.Errorf("%d %s%s", status, out, log)
	}
	if out, _, status := command(t, "audit", "export"); status != 0 || !strings.Contains(out, `"actor":"sandbox","action":"call","target":"GET /admin/credential","status":200`) {
		t.Errorf("%d %s", status, out)
	}
	t.Setenv("DATABASE_URL", "postgres://me:hush-hush@127.0.0.1:1/x")
	if _, log, status := command(t, "audit", "verify"); status != 3 || strings.Contains(log, "hush-hush") {
		t.Errorf("%d %s", status, log)
	}
}
