package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// waiting shows that the program waits for a ledger to validate what it sent, and for how long it has. On a terminal
// it rewrites one line every second; elsewhere it writes one line at the start and one at the end.
type waiting struct {
	w        io.Writer
	terminal bool
	what     string
	now      func() time.Time
	ticks    <-chan time.Time // nil: none

	started time.Time
	width   int
	stop    chan struct{}
	done    chan struct{}
}

// newLine begins to show, by this machine's clock.
func newLine(w io.Writer, what string) *waiting {
	return startWaiting(w, isTerminal(w), what, time.Now, time.Tick(time.Second))
}

// startWaiting begins to show; the caller must call end. what is a few words: "Waiting for validation".
func startWaiting(w io.Writer, terminal bool, what string, now func() time.Time, ticks <-chan time.Time) *waiting {
	s := &waiting{w: w, terminal: terminal, what: what, now: now, ticks: ticks,
		started: now(), stop: make(chan struct{}), done: make(chan struct{})}
	if terminal {
		s.show()
	} else {
		_, _ = fmt.Fprintf(w, "%s\n", what)
	}
	go s.run()
	return s
}

func (s *waiting) run() {
	defer close(s.done)
	for {
		select {
		case <-s.stop:
			return
		case <-s.ticks:
			if s.terminal {
				s.show()
			}
		}
	}
}

func (s *waiting) show() {
	s.put(fmt.Sprintf("%s... %ds", s.what, int(s.now().Sub(s.started).Seconds())))
}

// put replaces the line. What was longer before is covered with spaces.
func (s *waiting) put(line string) {
	pad := max(0, s.width-len(line))
	_, _ = fmt.Fprintf(s.w, "\r%s%s", line, strings.Repeat(" ", pad))
	s.width = len(line)
}

// end stops showing and leaves a line that says how it ended and how long it took.
func (s *waiting) end(how string) {
	close(s.stop)
	<-s.done
	line := fmt.Sprintf("%s after %.1fs", how, s.now().Sub(s.started).Seconds())
	if s.terminal {
		s.put(line)
		_, _ = fmt.Fprintln(s.w)
		return
	}
	_, _ = fmt.Fprintln(s.w, line)
}
