//go:build !unix

package main

import "context"

// onHangup does nothing where there is no SIGHUP: start the program anew instead.
func onHangup(ctx context.Context, _ func()) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
	}()
	return ended
}
