package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// waiting shows that the program waits for a ledger to validate what it sent, and for how long it has. On a terminal
// it rewrites one line every second; elsewhere it writes one line at the start and one at the end.
type waiting struct {
	w io.Writer
	// columns is how wide the terminal is now, 0 where that is not known; nil where there is no terminal.
	columns func() int
	what    string
	now     func() time.Time
	ticks   <-chan time.Time // nil: none

	started time.Time
	width   int
	stop    chan struct{}
	done    chan struct{}
}

// newLine begins to show, by this machine's clock.
func newLine(w io.Writer, what string) *waiting {
	return startWaiting(w, columnsOf(w), what, time.Now, time.Tick(time.Second))
}

// columnsOf returns what says how wide a terminal is; nil for what is none.
func columnsOf(w io.Writer) func() int {
	if !isTerminal(w) {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(w.(*os.File).Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}

// startWaiting begins to show; the caller must call end. what is a few words: "Waiting for validation".
func startWaiting(w io.Writer, columns func() int, what string, now func() time.Time, ticks <-chan time.Time) *waiting {
	s := &waiting{w: w, columns: columns, what: what, now: now, ticks: ticks,
		started: now(), stop: make(chan struct{}), done: make(chan struct{})}
	if columns != nil {
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
			if s.columns != nil {
				s.show()
			}
		}
	}
}

func (s *waiting) show() {
	s.put(fmt.Sprintf("%s... %ds", s.what, int(s.now().Sub(s.started).Seconds())))
}

// put replaces the line. What was longer before is covered with spaces. What has no room in one row is cut: it could not be
// replaced.
func (s *waiting) put(line string) {
	if room := s.columns(); room > 0 {
		line = line[:min(len(line), room-1)]
		s.width = min(s.width, room-1)
	}
	pad := max(0, s.width-len(line))
	_, _ = fmt.Fprintf(s.w, "\r%s%s", line, strings.Repeat(" ", pad))
	s.width = len(line)
}

// end stops showing and leaves a line that says how it ended and how long it took.
func (s *waiting) end(how string) {
	close(s.stop)
	<-s.done
	line := fmt.Sprintf("%s after %.1fs", how, s.now().Sub(s.started).Seconds())
	if s.columns != nil {
		s.put(line)
		_, _ = fmt.Fprintln(s.w)
		return
	}
	_, _ = fmt.Fprintln(s.w, line)
}
