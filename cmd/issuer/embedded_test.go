package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMoveAside: data of an earlier ledger is kept whole in a directory of its own.
func TestMoveAside(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"sandbox/ledger.journal": "ledger", "sandbox/issuer.seed": "seed", "issuer.db": "journal", "issuer.db-wal": "log", "other": "stays",
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 12, 1, 2, 3, 4, 0, time.UTC)
	moved, err := moveAside(dir, at)
	if err != nil || moved != filepath.Join(dir, "sandbox-before-20261201T020304") {
		t.Fatal(moved, err)
	}
	for name, content := range files {
		where := moved
		if name == "other" {
			where = dir
		}
		if got, err := os.ReadFile(filepath.Join(where, name)); err != nil || string(got) != content {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "sandbox")); !os.IsNotExist(err) {
		t.Error("the sandbox's directory is still there")
	}
	if _, err := moveAside(dir, at); err == nil {
		t.Error("moved into a directory that exists")
	}
}

// TestSandboxOfAnEarlierRelease: the service starts on a fresh ledger, keeps the old data, and names its directory.
func TestSandboxOfAnEarlierRelease(t *testing.T) {
	old, err := os.ReadFile(filepath.Join("testdata", "ledger-before-3.2.0.journal"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sandbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sandbox", "ledger.journal"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	s := boot(t, onSandbox(dir)...)
	moved, err := filepath.Glob(filepath.Join(dir, "sandbox-before-*"))
	if err != nil || len(moved) != 1 {
		t.Fatal(moved, err)
	}
	if kept, err := os.ReadFile(filepath.Join(moved[0], "sandbox", "ledger.journal")); err != nil || !bytes.Equal(kept, old) {
		t.Errorf("the old ledger: %d bytes, %v", len(kept), err)
	}
	if log := s.log.String(); !strings.Contains(log, "sandbox data of an earlier release moved aside") || !strings.Contains(log, moved[0]) {
		t.Error(log)
	}
}
