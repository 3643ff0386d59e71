package main

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is a writer that a test can read while another goroutine writes, and wait for.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder
	written chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	select {
	case s.written <- struct{}{}:
	default:
	}
	return n, err
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestWaitingOnATerminal(t *testing.T) {
	s := &screen{written: make(chan struct{}, 10)}
	var mu sync.Mutex
	at := time.Unix(1000, 0)
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	ticks := make(chan time.Time)
	w := startWaiting(s, func() int { return 80 }, "Waiting for validation", now, ticks)
	<-s.written
	for _, d := range []time.Duration{time.Second, 9 * time.Second} {
		mu.Lock()
		at = at.Add(d)
		mu.Unlock()
		ticks <- at
		<-s.written
	}
	w.end("Validated")
	want := "\rWaiting for validation... 0s\rWaiting for validation... 1s\rWaiting for validation... 10s\rValidated after 10.0s        \n"
	if got := s.String(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// In a narrow terminal the line is cut, as one that goes on in the next row cannot be drawn over.
func TestWaitingNarrow(t *testing.T) {
	s := &screen{written: make(chan struct{}, 10)}
	columns := 30
	w := startWaiting(s, func() int { return columns }, "Waiting for validation of 12 credentials", func() time.Time { return time.Unix(0, 0) }, nil)
	columns = 12 // made narrower meanwhile
	w.end("Validated")
	if got, want := s.String(), "\rWaiting for validation of 12 \rValidated a\n"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestWaitingElsewhere(t *testing.T) {
	s := &screen{written: make(chan struct{}, 10)}
	ticks := make(chan time.Time)
	w := startWaiting(s, nil, "Waiting for validation", func() time.Time { return time.Unix(0, 0) }, ticks)
	ticks <- time.Time{}
	w.end("Validated")
	if got := s.String(); got != "Waiting for validation\nValidated after 0.0s\n" {
		t.Errorf("%q", got)
	}
}
