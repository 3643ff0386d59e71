package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// These tell this program, started again, that it is the one to be killed, and what to write to.
const (
	crashPath = "STORE_TEST_CRASH_PATH"
	crashURL  = "STORE_TEST_CRASH_URL"
	crashFrom = "STORE_TEST_CRASH_FROM"
	crashWhat = "STORE_TEST_CRASH_WHAT" // "renewals" or else operations
)

// crashChild writes as fast as it can, and says on its standard output what it was told is stored: one line each, when
// the store has returned. It never ends.
func crashChild() {
	err := func() error {
		ctx := context.Background()
		var n uint32
		if _, err := fmt.Sscan(os.Getenv(crashFrom), &n); err != nil {
			return err
		}
		cfg := Config{URL: os.Getenv(crashURL), JournalKeys: [][32]byte{{1}}}
		if cfg.URL == "" {
			cfg.Path = os.Getenv(crashPath)
		}
		s, err := Open(ctx, cfg)
		if err != nil {
			return err
		}
		// The lease is the one before's, which was killed: its lock went with it (SQLite), or it named itself alike.
		holder := "child"
		if s.Driver() == "sqlite" {
			holder = fmt.Sprint("child", os.Getpid())
		}
		fence, err := s.TakeLane(ctx, issuerA, holder, MaxLease)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		say := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
		}
		say("lane %d", fence.Epoch)
		if os.Getenv(crashWhat) == "renewals" {
			return crashRenewals(ctx, s, fence, n, say)
		}
		for {
			var wg sync.WaitGroup
			attempts := make([]model.Attempt, 8)
			errs := make([]error, len(attempts))
			n++
			for i := range attempts {
				wg.Go(func() {
					op := issue()
					op.Subject = model.AddressOf([20]byte{2, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), byte(i)})
					op.Key = &model.IdempotencyKey{Key: fmt.Sprint("key ", n, i)}
					stored, _, err := s.Create(ctx, op)
					if errs[i] = err; err == nil {
						say("created %s", stored.ID)
					}
					attempts[i] = attempt(stored.ID, n*10+uint32(i))
				})
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				return err
			}
			if err := s.Sign(ctx, fence, attempts); err != nil {
				return err
			}
			var outcomes []model.Outcome
			for _, a := range attempts {
				say("signed %s %s", a.Operation, a.Hash)
				outcomes = append(outcomes, success(a))
			}
			if err := s.Conclude(ctx, fence, outcomes[:6]); err != nil {
				return err
			}
			for _, o := range outcomes[:6] {
				say("succeeded %s %s", o.Operation, o.Result.Hash)
			}
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A process that writes is killed at random moments. Whatever it was told is stored is there, and what is there makes
// sense.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for seconds")
	}
	onBoth(t, func(t *testing.T, h *harness) {
		h.clock.now = time.Now() // the clock of the processes that are killed
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		const kills = 12
		var all, last acknowledged
		for round := range kills {
			last = acknowledged{}
			h.killed("operations", (round+1)*100_000, 1+random.IntN(150), time.Duration(random.IntN(3000))*time.Microsecond, func(f []string) {
				last.add(f)
				all.add(f)
			})
			h.checkAcknowledged(last)
		}
		h.checkAcknowledged(all)
		t.Logf("%d kills, seed %d: %d operations were acknowledged as created, %d as signed, %d as succeeded; all are there",
			kills, seed, len(all.created), len(all.signed), len(all.succeeded))
		if len(all.succeeded) == 0 {
			t.Error("nothing was ever finished: this test proves nothing")
		}
	})
}

// killed starts this program again, and kills it some time after so many lines, of which it passes on all.
func (h *harness) killed(what string, from, after int, late time.Duration, line func(words []string)) {
	h.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashPath+"="+orDash(h.cfg.Path), crashURL+"="+h.cfg.URL, fmt.Sprint(crashFrom, "=", from), crashWhat+"="+what)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	h.ok(err)
	h.ok(cmd.Start())
	lines := bufio.NewScanner(stdout)
	killed := false
	for n := 0; lines.Scan(); n++ {
		line(strings.Fields(lines.Text()))
		if n == after {
			time.Sleep(late) // anywhere between two lines
			h.ok(cmd.Process.Kill())
			killed = true
		}
	}
	_ = cmd.Wait()
	if !killed {
		h.t.Fatalf("from %d on the process ended by itself: %s", from, stderr.String())
	}
}

// orDash keeps crashPath from being empty, as it is what tells the child that it is one.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// acknowledged is what processes were told is stored. The values are hashes.
type acknowledged struct{ created, signed, succeeded map[model.OperationID]string }

func (a *acknowledged) add(line []string) {
	if len(line) < 2 {
		return
	}
	for word, m := range map[string]*map[model.OperationID]string{"created": &a.created, "signed": &a.signed, "succeeded": &a.succeeded} {
		if line[0] == word {
			if *m == nil {
				*m = map[model.OperationID]string{}
			}
			(*m)[model.OperationID(line[1])] = line[len(line)-1]
		}
	}
}

func (h *harness) checkAcknowledged(a acknowledged) {
	h.t.Helper()
	s, err := Open(h.ctx(), h.cfg)
	h.ok(err)
	defer func() { h.ok(s.Close()) }()
	for id := range a.created {
		op, err := s.Operation(h.ctx(), id)
		h.ok(err)
		hash, wasSigned := a.signed[id]
		if wasSigned && (len(op.Attempts) != 1 || op.Attempts[0].Hash != hash) {
			h.t.Fatalf("operation %s was signed as %s, and has %+v", id, hash, op.Attempts)
		}
		if hash, done := a.succeeded[id]; done && (op.State != model.StateSucceeded || op.Result == nil || op.Result.Hash != hash) {
			h.t.Fatalf("operation %s succeeded as %s, and is %s", id, hash, op.State)
		}
		if (op.State == model.StatePending) != (len(op.Attempts) == 0) || (op.State == model.StateSucceeded) != (op.Result != nil) {
			h.t.Fatalf("operation %s is %s with %d attempts", id, op.State, len(op.Attempts))
		}
	}
	// Each was decided on once, and the log that says so is whole.
	decided := map[string]int{}
	for _, e := range h.chain(s) {
		decided[string(e.Detail)]++
	}
	if n := h.count("operations"); len(decided) != n || len(h.chain(s)) != n {
		h.t.Fatalf("%d operations are stored, and the audit log names %d", n, len(decided))
	}
	if s.Driver() == "sqlite" {
		var verdict string
		h.ok(s.readDB.QueryRow("PRAGMA integrity_check").Scan(&verdict))
		if verdict != "ok" {
			h.t.Fatalf("the file is damaged: %s", verdict)
		}
	}
}
