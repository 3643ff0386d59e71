//go:build unix

package main

import (
	"os"
	"syscall"
)

// pause stops a process without its knowing, resume has it go on.
func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
