//go:build !unix

package main

import "os"

// catchHangup returns what never comes where there is no SIGHUP: start the program anew instead.
func catchHangup() (hangup chan os.Signal, release func()) { return nil, func() {} }
