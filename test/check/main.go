// Command check runs the project's checks and tests, in their order, and says of each how long it took. `make test` runs
// all of them; a name runs one:
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
	"sync"
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
	// beside says that it begins together with the step before it: mostly they wait.
	beside bool
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
	for rest := chosen; len(rest) > 0; {
		together := 1
		for together < len(rest) && rest[together].beside {
			together++
		}
		begun := begin(ctx, rest[:together], len(names) > 0)
		for _, r := range begun {
			fmt.Fprintf(out, "== %s\n", r.step.name)
			r.said.show(out)
			<-r.done
			if ctx.Err() != nil {
				for _, r := range begun {
					<-r.done
				}
				return fmt.Errorf("stopped during %s", r.step.name)
			}
			line, ok := r.line()
			if !ok {
				failed++
			}
			fmt.Fprintf(out, "-- %s\n\n", line)
			summary = append(summary, line)
		}
		rest = rest[together:]
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

// running is a step that has begun.
type running struct {
	step step
	said held
	done chan struct{}
	// Once it is done:
	took time.Duration
	note string
	err  error
}

// begin begins steps, all at once. The output of each is held back until it is shown.
func begin(ctx context.Context, steps []step, alone bool) []*running {
	all := make([]*running, len(steps))
	for i, s := range steps {
		r := &running{step: s, done: make(chan struct{})}
		all[i] = r
		go func() {
			defer close(r.done)
			began := time.Now()
			r.note, r.err = s.run(ctx, &r.said, alone)
			r.took = time.Since(began)
		}()
	}
	return all
}

// line is what the summary says of a step that is done; ok is false where it failed.
func (r *running) line() (line string, ok bool) {
	var left leftOut
	verdict, note, ok := "ok", r.note, true
	switch {
	case errors.As(r.err, &left):
		verdict, note = "LEFT OUT", string(left)
	case r.err != nil:
		verdict, note, ok = "FAILED", r.err.Error(), false
	}
	if note != "" {
		note = ": " + note
	}
	return fmt.Sprintf("%-12s %6.1fs  %s%s", r.step.name, r.took.Seconds(), verdict, note), ok
}

// held keeps what is written to it until it is shown, so that what two steps say at once stays apart.
type held struct {
	mu   sync.Mutex
	kept []byte
	out  io.Writer // nil until then
}

// Write implements io.Writer.
func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.out != nil {
		return h.out.Write(b)
	}
	h.kept = append(h.kept, b...)
	return len(b), nil
}

// show writes what was kept, and from then on everything, to out.
func (h *held) show(out io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = out.Write(h.kept)
	h.kept, h.out = nil, out
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
