package main

import (
	"context"
	"os"
)

// onHangup calls what is to be done at each SIGHUP, one after the other, until ctx ends; done closes then.
func onHangup(ctx context.Context, hangup chan os.Signal, act func()) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
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
