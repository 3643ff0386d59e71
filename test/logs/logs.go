// Package logs collects what is logged, for tests that read it while it is written.
package logs

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Lines are what was written. The zero value is empty and ready, and may be written and read by many at once.
type Lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written until now.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count is how often text was written.
func (l *Lines) Count(text string) int { return strings.Count(l.String(), text) }

// Logger writes to l, from the debug level on.
func (l *Lines) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
