package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// databaseFiles are the suffixes of an SQLite database's files.
var databaseFiles = []string{"", "-wal", "-shm"}

// removedFile moves the database's files away under the running service, and back: meanwhile nothing may be acknowledged or signed.
func removedFile(times int) func(context.Context, *world) error {
	move := func(from, to string) func(context.Context, *world) error {
		return func(_ context.Context, w *world) error {
			file := filepath.Join(w.dir, "data", "issuer.db")
			var faults []error
			for _, suffix := range databaseFiles {
				faults = append(faults, os.Rename(file+suffix+from, file+suffix+to))
			}
			return errors.Join(faults...)
		}
	}
	return outage(times, move("", ".away"), move(".away", ""))
}

// failover replaces the database by a copy of a moment before, as a standby is that did not receive the last transactions. All that
// is lost is what became of a batch's rows: each of them must still be issued once, and have its transaction.
func failover(rows int) func(context.Context, *world) error {
	return batchDuring(rows, func(ctx context.Context, w *world) error {
		count := func(what string) (n int) {
			err := w.journal.db.QueryRowContext(ctx, "SELECT count(*) FROM operations WHERE "+what).Scan(&n)
			if err != nil {
				return -1
			}
			return n
		}
		until := func(what string, ok func() bool) error {
			for !ok() {
				if ctx.Err() != nil {
					return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
				}
				programs.Sleep(ctx, 20*time.Millisecond)
			}
			return nil
		}
		if err := until("rows are stored", func() bool { return count("true") > 0 }); err != nil {
			return err
		}
		w.toLedger(func(p *proxy) { p.cut(true) }) // nothing more is signed
		if err := until("all rows are stored", func() bool { return count("kind = 'issue'") == rows }); err != nil {
			return err
		}
		began := time.Now()
		if err := w.server.copy(ctx); err != nil {
			return err
		}
		pending := count("state = 'pending'")
		w.toLedger(func(p *proxy) { p.mend() })
		if err := until("all rows are issued", func() bool { return count("state IN ('pending', 'signed')") == 0 }); err != nil {
			return err
		}
		if err := w.server.failOver(ctx); err != nil {
			return err
		}
		lost := time.Now()
		err := until("the service has recovered", func() bool {
			var open, all int
			err := w.journal.db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE recovered IS NULL), count(*) FROM rollbacks").Scan(&open, &all)
			return err == nil && open == 0 && all > 0
		})
		if err != nil {
			return err
		}
		if pending > 0 {
			w.did(1)
		}
		w.note("%d of %d rows were pending in the copy, which took %.1f s; recovered %.1f s after the failover", pending, rows,
			lost.Sub(began).Seconds(), time.Since(lost).Seconds())
		return nil
	})
}

// toLedger does something with each way from a service to the ledger.
func (w *world) toLedger(do func(*proxy)) {
	for _, p := range w.proxies {
		if p.target == w.node.Address {
			do(p)
		}
	}
}

func (s *server) standby() string { return filepath.Join(s.dir, "standby") }

// copy makes a base backup, which is what a standby is that receives nothing more.
func (s *server) copy(ctx context.Context) error {
	program, err := s.backupProgram()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "-D", s.standby(), "-d", s.url(), "-c", "fast", "-X", "stream", "--no-sync")
	cmd.Dir, cmd.Env = s.dir, append(programs.Environment(), "LC_ALL=C")
	s.as.run(cmd)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w %.300s", err, said)
	}
	return nil
}

// backupProgram finds pg_basebackup, which may be apart from the server's programs.
func (s *server) backupProgram() (string, error) {
	initdb, err := filepath.EvalSymlinks(filepath.Join(s.bin, "initdb"))
	if err != nil {
		return "", err
	}
	for _, place := range []string{filepath.Join(s.bin, "pg_basebackup"), filepath.Join(filepath.Dir(initdb), "pg_basebackup"), "pg_basebackup"} {
		if program, err := exec.LookPath(place); err == nil {
			return program, nil
		}
	}
	return "", skipped("pg_basebackup is not installed")
}

// failOver ends the server at once, and starts the copy in its place.
func (s *server) failOver(ctx context.Context) error {
	s.process.Kill()
	if err := errors.Join(os.Rename(s.data(), s.data()+".lost"), os.Rename(s.standby(), s.data())); err != nil {
		return err
	}
	return s.start(ctx)
}
