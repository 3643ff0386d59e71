//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// A terminal that is closed sends SIGHUP too. A service that was started on one would run on, unseen, and keep its port: such a
// hang-up stops it.

// catchHangup keeps a SIGHUP until somebody looks: one that comes while the program starts must not end it.
func catchHangup() (hangup chan os.Signal, release func()) {
	hangup = make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}
