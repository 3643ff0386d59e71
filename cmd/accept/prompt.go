package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// askSeed asks for the seed on a terminal that does not show what is typed. However it ends, the terminal shows what
// is typed again: an interrupt comes in the middle of the read, which cannot be ended from outside.
func askSeed(ctx context.Context, w io.Writer, in *os.File) (string, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking for the seed: %w", err)
	}
	if _, err := fmt.Fprint(w, "Subject account seed: "); err != nil {
		return "", err
	}
	typed, err := aside(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	_, _ = fmt.Fprintln(w) // the line's end was not shown either
	if rerr := term.Restore(fd, before); err == nil && rerr != nil {
		err = rerr
	}
	switch {
	case ctx.Err() != nil:
		return "", errInterrupted
	case err != nil:
		return "", fmt.Errorf("asking for the seed: %w", err)
	}
	return string(typed), nil
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// errDeclined is the end of a request that the user did not confirm.
var errDeclined = errors.New("declined: nothing was signed or sent")

// confirm asks a question on a terminal. Everything but y or yes declines.
func confirm(ctx context.Context, w io.Writer, in *os.File, question string) error {
	if _, err := fmt.Fprint(w, question); err != nil {
		return err
	}
	line, err := newLineReader(in).read(ctx)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read the confirmation: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}
