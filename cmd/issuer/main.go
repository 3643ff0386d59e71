// Command issuer is the service: it issues credentials on the XRP Ledger over HTTP, for one issuing account.
//
// It reads the settings, wires the rooms, and serves. With no settings at all it runs on the embedded ledger: that one
// is started in this process, its issuer and a subject to try things with are made and funded, and what to type next
// is printed. On every other network it needs a seed, and checks before it serves that the key fits the account.
//
// Started, it owns five things, and stops them in this order: the HTTP side, which lets requests in progress finish; the
// lane, which waits a moment for what is in flight; the journal, which has all that a next start needs to go on; the
// connection to the node; the embedded ledger. A second interrupt ends the process at once, and loses nothing either.
//
// With the word batch it is a client of a running service, and has it issue the rows of a file; with token, audit and operation it
// works on the journal of a service, running or not; with verify it asks a node about a credential, and needs no service.
//
// Results go to standard output: the banner, or the help text. Log and prompt go to standard error. No seed is ever
// printed, but that of the sandbox's own subject, which is worth nothing and made to be tried.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/term"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/cmd/internal/heap"
)

// console is what the program reads from and writes to, besides ledger and network.
type console struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // as many as are looked at, so that none is missed
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(interrupted)
	}()
	heap.Keep(heap.Spare)
	err := run(ctx, os.Args[1:], ".env", console{os.Stdin, os.Stdout, os.Stderr})
	if err != nil && !errors.Is(err, errNotValid) { // that is an answer, and was given
		_, _ = fmt.Fprintln(os.Stderr, "issuer: "+err.Error())
	}
	os.Exit(exitStatus(err))
}

// interrupted is the exit status after a second signal, as shells give it to what an interrupt ended.
const interrupted = 130

// errUndecided says that a question could not be answered: neither yes nor no.
type errUndecided struct{ error }

func (e errUndecided) Unwrap() error { return e.error }

// errSettings is of settings that show to be wrong only when they are used: another start ends in the same way.
type errSettings struct{ error }

func (e errSettings) Unwrap() error { return e.error }

// wrongSettings marks an error as one of the settings; nil stays nil.
func wrongSettings(err error) error {
	if err == nil {
		return nil
	}
	return errSettings{err}
}

// exitStatus is 2 where the settings are wrong, 3 where a batch is over and some of its rows came to nothing, or where a question
// could not be answered, and 1 where the program failed with right settings, or the answer is no.
func exitStatus(err error) int {
	var faults config.Faults
	var rows errRowsFailed
	var undecided errUndecided
	var settings errSettings
	switch {
	case err == nil:
		return 0
	case errors.As(err, &faults), errors.As(err, &settings):
		return 2
	case errors.As(err, &rows), errors.As(err, &undecided):
		return 3
	}
	return 1
}

// watchTerminal returns what says whether the terminal that the program was started on is gone. Without one it never is.
func watchTerminal(c console) (gone func() bool) {
	var had []*os.File
	for _, end := range []any{c.in, c.out, c.err} {
		if file, ok := end.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			had = append(had, file)
		}
	}
	return func() bool {
		return len(had) > 0 && !slices.ContainsFunc(had, func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) })
	}
}
