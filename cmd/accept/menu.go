package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

// menu writes the numbered list of what can be accepted.
func menu(w io.Writer, p pending) error {
	var b strings.Builder
	b.WriteString("\nAccept a credential?\n    0) No, quit.\n")
	for i, c := range p.open {
		fmt.Fprintf(&b, "    %d) %s\n", i+1, describe(c, p.closeTime))
	}
	if note := p.note(); note != "" {
		b.WriteString(note + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ask shows the menu on w and reads numbers from lines until one fits. No credential and no error means that the user
// wants none: 0, or the end of the input.
func ask(ctx context.Context, w io.Writer, lines func(context.Context) (string, error), p pending) (*model.Credential, error) {
	if err := menu(w, p); err != nil {
		return nil, err
	}
	for {
		if _, err := fmt.Fprintf(w, "Select an option (0-%d): ", len(p.open)); err != nil {
			return nil, err
		}
		line, err := lines(ctx)
		if errors.Is(err, io.EOF) {
			_, err := fmt.Fprintln(w)
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 31)
		switch {
		case err != nil || int(n) > len(p.open):
			if _, err := fmt.Fprintf(w, "That is none of the options: enter a number from 0 to %d.\n", len(p.open)); err != nil {
				return nil, err
			}
		case n == 0:
			return nil, nil
		default:
			return &p.open[n-1], nil
		}
	}
}

// lineReader reads lines from a terminal. A read of a terminal cannot be interrupted in a portable way, so it runs
// beside the caller, and one that is under way when the context ends is left behind: the program ends then too.
type lineReader struct {
	r *bufio.Reader
}

// maxLine bounds what is typed at the menu; all else is none of the options.
const maxLine = 256

func newLineReader(r io.Reader) *lineReader { return &lineReader{bufio.NewReaderSize(r, maxLine)} }

// read returns the next line without its end. The end of the input is io.EOF.
func (l *lineReader) read(ctx context.Context) (string, error) {
	return aside(ctx, func() (string, error) {
		line, err := l.r.ReadSlice('\n')
		text := string(line)
		for errors.Is(err, bufio.ErrBufferFull) { // too long for a choice: read past it
			_, err = l.r.ReadSlice('\n')
			text = "too long"
		}
		if err == io.EOF && text != "" {
			err = nil
		}
		return text, err
	})
}

// aside runs a read that cannot be interrupted, and stops waiting for it when ctx ends.
func aside[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
