//go:build !unix

package main

import (
	"errors"
	"os"
)

var errNoPause = errors.New("this system cannot stop a process and have it go on")

func pause(*os.Process) error  { return errNoPause }
func resume(*os.Process) error { return errNoPause }
