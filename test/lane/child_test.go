package lane

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// What a child, a process with a lane and nothing else, is told in its environment.
const (
	childStore = "LANE_TEST_CHILD"
	childURL   = "LANE_TEST_URL"
	childNode  = "LANE_TEST_NODE"
	childSeed  = "LANE_TEST_SEED"
	childMode  = "LANE_TEST_MODE"
)

// child has a lane work until it is killed.
func child() int {
	err := func() error {
		s, err := store.Open(context.Background(), store.Config{JournalKeys: [][32]byte{{1}}, Path: os.Getenv(childStore), URL: os.Getenv(childURL), PollInterval: 100 * time.Millisecond, Logger: logger()})
		if err != nil {
			return err
		}
		client, err := ledger.New(ledger.Config{URL: os.Getenv(childNode), CallTimeout: 2 * time.Second, MinBackoff: 20 * time.Millisecond, Logger: logger()})
		if err != nil {
			return err
		}
		seed, err := ledger.ParseSeed(os.Getenv(childSeed))
		if err != nil {
			return err
		}
		mode, err := ledger.ParseMode(os.Getenv(childMode))
		if err != nil {
			return err
		}
		lane, err := ledger.NewLane(client, ledger.LaneConfig{Account: seed.Address(), Seed: seed, LedgerOffset: 25, Signings: 20, Mode: mode, Journal: s})
		if err != nil {
			return err
		}
		return s.HoldLane(context.Background(), seed.Address(), fmt.Sprint("child ", os.Getpid()), 400*time.Millisecond, lane.Work)
	}()
	fmt.Fprintln(os.Stderr, "child:", err)
	return 1
}

// startChild starts one. kill ends it with SIGKILL and waits for its end.
func (w *world) startChild(cfg store.Config, mode ledger.Mode) (kill func()) {
	w.t.Helper()
	path := cfg.Path
	if path == "" {
		path = "-"
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childStore+"="+path, childURL+"="+cfg.URL, childNode+"="+w.node.WebSocketURL(), childSeed+"="+w.seed, childMode+"="+mode.String())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	w.t.Cleanup(kill)
	return kill
}

// faultSeed is what a run's chances come from. LANE_FAULT_SEED repeats them.
func faultSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LANE_FAULT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("LANE_FAULT_SEED=%d", seed)
	return seed
}

// A process with a lane is killed at random moments, again and again: each operation ends final, once.
func TestKilled(t *testing.T) {
	kills, per := 6, 25
	if s := os.Getenv("LANE_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	each(t, func(t *testing.T, db string, mode ledger.Mode) {
		seed := faultSeed(t)
		random := rand.New(rand.NewPCG(seed, seed))
		w := newWorld(t, sandbox.Config{}, 10_000)
		cfg := database(t, db)
		s := openStore(t, cfg)
		w.keepClosing(50 * time.Millisecond)
		var ops []model.Operation
		busy, inFlight := 0, 0
		for round := range kills {
			kill := w.startChild(cfg, mode)
			ops = append(ops, w.create(s, per)...)
			// Mostly while it works on them.
			time.Sleep(time.Duration(100+random.IntN(700)) * time.Millisecond)
			ops = append(ops, w.create(s, per)...)
			most := 150
			if round%2 == 0 { // surely in the midst of it
				most = 40
				eventually(t, "something is in flight", func() bool {
					left, err := s.InFlight(t.Context(), w.issuer)
					return err == nil && len(left) > 0
				})
			}
			time.Sleep(time.Duration(random.IntN(most)) * time.Millisecond)
			kill()
			left, err := s.InFlight(t.Context(), w.issuer)
			if err != nil {
				t.Fatal(err)
			}
			inFlight += len(left)
			if len(left) > 0 {
				busy++
			}
		}
		w.startChild(cfg, mode)
		ops = wantFinal(t, s, ops, 90*time.Second)
		w.wantIssued(ops)
		again := 0
		for _, op := range ops {
			again += len(op.Attempts) - 1
		}
		t.Logf("%d operations, %d kills, %d of them with something in flight, %d operations in all; %d signed anew", len(ops), kills, busy, inFlight, again)
		if busy == 0 {
			t.Error("no kill hit anything in flight: the test shows nothing")
		}
	})
}
