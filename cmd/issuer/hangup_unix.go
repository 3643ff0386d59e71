//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A terminal that is closed sends SIGHUP too. A service that was started on one would run on, unseen, and keep its port: such a
// hang-up stops it.

// onHangup calls what is to be done at each SIGHUP, one after the other, until ctx ends; done closes then.
func onHangup(ctx context.Context, act func()) (done <-chan struct{}) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer signal.Stop(hangup)
		for {
			select {
			case <-hangup:
				act()
			case <-ctx.Done():
				return
			}
		}
	}()
	return ended
}
