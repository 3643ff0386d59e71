// Command check runs the project's checks and tests, one after the other, and says of each how long it took. `make test`
// runs all of them; a name runs one:
//
//	go run ./test/check            # all
//	go run ./test/check vet race   # these two
//
// What a machine cannot run (no C compiler for the race detector, no Node.js, no way to the vulnerability data base) is
// left out with its reason, in the place where it would have run and again in the summary; nothing is left out silently.
// So are tests that skip themselves: without PostgreSQL each of those that want one is told by name and counted in the
// summary. Where DATABASE_URL names a server, one that does not answer fails them instead.
// Every step runs even when one before it failed, so that one run tells all faults.
//
// It must be run in the root of the module. It writes to bin/ and test/js/node_modules and nowhere else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], steps(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(1)
	}
}

// A step is one check. Its run prints what the tool prints to out and returns a note for the summary. An error that is
// a leftOut says that this machine cannot run the step; any other one fails the whole.
type step struct {
	name string
	run  func(ctx context.Context, out io.Writer, alone bool) (note string, err error)
}

// leftOut is why a step did not run.
type leftOut string

func (l leftOut) Error() string { return string(l) }

// run runs the named steps of all, or all of them, and prints a summary.
func run(ctx context.Context, names []string, all []step, out io.Writer) error {
	chosen, err := choose(names, all)
	if err != nil {
		return err
	}
	var summary []string
	failed := 0
	started := time.Now()
	for _, s := range chosen {
		fmt.Fprintf(out, "== %s\n", s.name)
		begun := time.Now()
		note, err := s.run(ctx, out, len(names) > 0)
		took := time.Since(begun).Round(100 * time.Millisecond)
		var left leftOut
		verdict := "ok"
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("stopped during %s", s.name)
		case errors.As(err, &left):
			verdict, note = "LEFT OUT", string(left)
		case err != nil:
			verdict, note = "FAILED", err.Error()
			failed++
		}
		if note != "" {
			note = ": " + note
		}
		line := fmt.Sprintf("%-12s %6.1fs  %s%s", s.name, took.Seconds(), verdict, note)
		fmt.Fprintf(out, "-- %s\n\n", line)
		summary = append(summary, line)
	}
	if len(chosen) > 1 {
		fmt.Fprintln(out, "== summary")
		for _, line := range summary {
			fmt.Fprintln(out, line)
		}
		fmt.Fprintf(out, "%-12s %6.1fs\n", "all", time.Since(started).Seconds())
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d steps failed", failed, len(chosen))
	}
	return nil
}

func choose(names []string, all []step) ([]step, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []step
	for _, name := range names {
		found := false
		for _, s := range all {
			if s.name == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			known := ""
			for _, s := range all {
				known += " " + s.name
			}
			return nil, fmt.Errorf("no step is called %q; there are:%s", name, known)
		}
	}
	return chosen, nil
}
