//go:build !unix

package main

// fileLimit is how many files this process, and those that it starts, may have open.
func fileLimit() int { return 1000 }
