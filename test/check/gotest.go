package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// goTest runs `go test` with arguments, prints what that would print, and returns what was skipped. By itself `go test`
// keeps the output of a package that passes to itself, and with it that half of its tests did not run.
func goTest(ctx context.Context, out io.Writer, env []string, args ...string) (skips, error) {
	events := &testEvents{out: out, pending: map[[2]string]string{}, skipped: skips{}}
	cmd := command(ctx, events, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Env = env
	err := cmd.Run()
	events.flush()
	return events.skipped, err
}

// skips are the tests that did not run: names by package and reason.
type skips map[skip][]string

type skip struct{ pkg, reason string }

func (s skips) count() (n int) {
	for _, names := range s {
		n += len(names)
	}
	return n
}

// note says it in a line of the summary.
func (s skips) note() string {
	if len(s) == 0 {
		return "no test skipped"
	}
	missed := 0
	for k, names := range s {
		if strings.Contains(k.reason, "PostgreSQL") {
			missed += len(names)
		}
	}
	return fmt.Sprintf("%d tests SKIPPED, named above, %d of them for want of PostgreSQL", s.count(), missed)
}

// print says which, and why.
func (s skips) print(out io.Writer) {
	if len(s) == 0 {
		return
	}
	fmt.Fprintf(out, "\n*** SKIPPED: %d tests did NOT run:\n", s.count())
	for _, k := range slices.SortedFunc(maps.Keys(s), func(a, b skip) int { return strings.Compare(a.pkg+" "+a.reason, b.pkg+" "+b.reason) }) {
		fmt.Fprintf(out, "  %s, %d: %s\n", k.pkg, len(s[k]), k.reason)
		for _, name := range slices.Sorted(slices.Values(s[k])) {
			fmt.Fprintf(out, "      %s\n", name)
		}
	}
}

// testEvents turns what `go test -json` writes back into text. Of a test that passes it says nothing.
type testEvents struct {
	out     io.Writer
	rest    []byte               // of a line that is not there as a whole
	pending map[[2]string]string // what a test has said, by package and name
	skipped skips
}

// testEvent is described in `go doc test2json`, and the build's kind in `go help buildjson`.
type testEvent struct{ Action, Package, Test, Output string }

// Write takes in what the command writes.
func (e *testEvents) Write(b []byte) (int, error) {
	e.rest = append(e.rest, b...)
	for {
		line, rest, whole := bytes.Cut(e.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		var event testEvent
		if json.Unmarshal(line, &event) != nil || event.Action == "" {
			fmt.Fprintf(e.out, "%s\n", line) // no event: as it is
		} else {
			e.take(event)
		}
		e.rest = rest
	}
}

// flush prints what is left when the command has ended.
func (e *testEvents) flush() {
	_, _ = e.out.Write(e.rest)
	e.rest = nil
}

func (e *testEvents) take(event testEvent) {
	key := [2]string{event.Package, event.Test}
	switch event.Action {
	case "build-output":
		_, _ = io.WriteString(e.out, event.Output)
	case "output":
		if event.Test != "" {
			e.pending[key] += event.Output
		} else if event.Output != "PASS\n" && event.Output != "FAIL\n" {
			_, _ = io.WriteString(e.out, event.Output)
		}
	case "skip":
		if event.Test != "" {
			s := skip{event.Package, skipReason(e.pending[key])}
			e.skipped[s] = append(e.skipped[s], event.Test)
		}
		delete(e.pending, key)
	case "pass":
		delete(e.pending, key)
	case "fail":
		for of, said := range e.pending {
			// With the package's end comes what was said by tests that had none, such as one that the time limit ended.
			if of == key || event.Test == "" && of[0] == event.Package {
				_, _ = io.WriteString(e.out, said)
				delete(e.pending, of)
			}
		}
	}
}

var saidAt = regexp.MustCompile(`(?m)^ +\S+\.go:\d+: (.*)$`)

// skipReason is what a test said when it was skipped.
func skipReason(said string) string {
	all := saidAt.FindAllStringSubmatch(said, -1)
	if len(all) == 0 {
		return "it does not say why"
	}
	return strings.TrimPrefix(all[len(all)-1][1], "SKIPPED: ")
}
