package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

const (
	// serverStart bounds how long PostgreSQL may take until it answers, the recovery after a crash included.
	serverStart = 40 * time.Second
	// serverPlaces are where systems keep a server's programs that are not on PATH.
	debianPlaces, redHatPlaces = "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"
)

// server is a PostgreSQL of this program's own, which it can let crash. It has fsync on, as one that matters has.
type server struct {
	bin     string // the folder of its programs
	dir     string
	address string
	logs    string
	as      *account // nil for the user of this program
	process *programs.Process
}

// findServer finds the programs of a PostgreSQL server, and who may run them: the newest of those that are installed.
func findServer() (bin string, as *account, err error) {
	var places []string
	if path, err := exec.LookPath("initdb"); err == nil {
		places = append(places, filepath.Dir(path))
	}
	for _, pattern := range []string{debianPlaces, redHatPlaces} {
		found, _ := filepath.Glob(pattern) // of a pattern that is right
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
		places = append(places, found...)
	}
	for _, place := range places {
		if _, err := exec.LookPath(filepath.Join(place, "postgres")); err != nil {
			continue
		}
		if _, err := exec.LookPath(filepath.Join(place, "initdb")); err == nil {
			as, err = unprivileged()
			return place, as, err
		}
	}
	return "", nil, fmt.Errorf("initdb and postgres are neither on PATH nor in %s or %s", debianPlaces, redHatPlaces)
}

// version is the number in a folder's name.
func version(path string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(filepath.Dir(path)), "pgsql-")) // 0 where there is none
	return n
}

// startServer makes a cluster, on a small disk where the row has one, and starts its server.
func (w *world) startServer(ctx context.Context) error {
	address, err := w.run.ports.address(ctx)
	if err != nil {
		return err
	}
	s := &server{bin: w.run.serverBin, as: w.run.serverAs, address: address, logs: w.dir}
	// Not below the run's folder, which is for the eyes of its owner alone.
	if s.dir, err = os.MkdirTemp("", "faults-postgres"); err != nil {
		return err
	}
	w.cleanups = append(w.cleanups, func() {
		if err := os.RemoveAll(s.dir); err != nil {
			w.fault("removing the server's folder: %v", err)
		}
	})
	if w.row.disk > 0 {
		if err := w.mount(ctx, s.dir, w.row.disk); err != nil {
			return err
		}
		w.ballast = filepath.Join(s.dir, "ballast")
	}
	if err := s.as.own(s.dir); err != nil {
		return err
	}
	making := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres", "--auth=trust", "--wal-segsize=1", "--no-sync")
	making.Dir, making.Env = s.dir, append(programs.Environment(), "LC_ALL=C")
	s.as.run(making)
	if said, err := making.CombinedOutput(); err != nil {
		return skipped(fmt.Sprintf("a PostgreSQL server of its own cannot be made here: %v %.300s", err, said))
	}
	w.server = s
	w.cleanups = append(w.cleanups, s.stop)
	return s.start(ctx)
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }
func (s *server) url() string {
	return "postgres://postgres@" + s.address + "/postgres?sslmode=disable"
}

// start starts the server, and waits until it answers. What is left of one that was killed may keep it from starting for
// a moment.
func (s *server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, serverStart)
	defer cancel()
	_, port, _ := strings.Cut(s.address, ":")
	for {
		cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-h", "127.0.0.1", "-p", port, "-k", "",
			"-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_commit=on", "-c", "restart_after_crash=on",
			"-c", "max_connections=60", "-c", "shared_buffers=16MB", "-c", "min_wal_size=2MB", "-c", "max_wal_size=8MB")
		cmd.Env = append(programs.Environment(), "LC_ALL=C")
		s.as.run(cmd)
		var err error
		if s.process, err = programs.Launch("postgres", s.dir, s.logs, cmd); err != nil {
			return err
		}
		for s.process.Alive() && ctx.Err() == nil {
			if err = s.answers(ctx); err == nil {
				return nil
			}
			programs.Sleep(ctx, 20*time.Millisecond)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL does not start: %w %s", errors.Join(ctx.Err(), err), s.process.Said())
		}
		programs.Sleep(ctx, 100*time.Millisecond)
	}
}

// answers says why the server cannot be used, or that it keeps less than it should.
func (s *server) answers(ctx context.Context) error {
	db, err := sql.Open("pgx", s.url())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := db.QueryRowContext(ctx, "SHOW "+setting).Scan(&value); err != nil {
			return err
		}
		if value != "on" {
			return fmt.Errorf("%s is %s", setting, value)
		}
	}
	return nil
}

// stop ends the server for good, in an orderly way where it can.
func (s *server) stop() {
	if s.process == nil || !s.process.Alive() {
		return
	}
	s.process.Ours.Store(true)
	_ = s.process.Cmd.Process.Signal(os.Interrupt) // a fast shutdown
	select {
	case <-s.process.Done:
	case <-time.After(20 * time.Second):
		s.process.Kill()
	}
}

// crashKinds are the ways in which a server crashes. None of them lets it write anything first.
var crashKinds = []struct {
	name  string
	crash func(ctx context.Context, w *world) error
}{
	{"stopped at once", func(ctx context.Context, w *world) error {
		if err := w.server.process.Cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			return err
		}
		select {
		case <-w.server.process.Done:
		case <-time.After(20 * time.Second):
			return errors.New("PostgreSQL does not end at SIGQUIT")
		}
		programs.Sleep(ctx, time.Duration(w.rng.IntN(1500))*time.Millisecond)
		return w.server.start(ctx)
	}},
	{"killed", func(ctx context.Context, w *world) error {
		w.server.process.Kill()
		programs.Sleep(ctx, time.Duration(w.rng.IntN(1500))*time.Millisecond)
		return w.server.start(ctx)
	}},
	// The server then ends all sessions, as what they share may be broken, and recovers by itself.
	{"one of its processes killed", func(ctx context.Context, w *world) error {
		var pid int
		err := w.journal.db.QueryRowContext(ctx, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"+
			" ORDER BY query_start DESC LIMIT 1").Scan(&pid)
		if err != nil {
			return err
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			return err
		}
		return p.Kill()
	}},
}

// crashes lets the server crash, again and again, and waits each time until the service goes on by itself.
func crashes(times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		var back []time.Duration
		for i := range times {
			programs.Sleep(ctx, time.Duration(300+w.rng.IntN(1500))*time.Millisecond)
			if ctx.Err() != nil {
				return nil
			}
			before, began := w.hears("201"), time.Now()
			kind := crashKinds[i%len(crashKinds)]
			if err := kind.crash(ctx, w); err != nil {
				return fmt.Errorf("PostgreSQL, %s: %w", kind.name, err)
			}
			w.did(1)
			for ctx.Err() == nil && w.hears("201") < before+5 {
				programs.Sleep(ctx, 20*time.Millisecond)
			}
			back = append(back, time.Since(began))
		}
		if len(back) > 0 {
			median, slowest := spread(back)
			w.note("PostgreSQL crashed, fsync on; until 5 more were issued: median %.1f s, slowest %.1f s", median.Seconds(), slowest.Seconds())
		}
		return nil
	}
}
