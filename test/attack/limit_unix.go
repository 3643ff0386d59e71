//go:build unix

package main

import "syscall"

// fileLimit is how many files this process, and those that it starts, may have open.
func fileLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 1000
	}
	return int(min(l.Cur, 1<<20))
}
