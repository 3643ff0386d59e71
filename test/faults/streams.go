package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// deafness drops the `transaction` messages of a node's stream on their way to the service. Ledgers and answers pass.
type deafness struct {
	on      atomic.Bool
	dropped atomic.Int64
}

// pass copies what a node says on one connection: an HTTP head, and frames behind it (RFC 6455, section 5.2), which no server of
// ours fragments or compresses.
func (d *deafness) pass(to io.Writer, from io.Reader) {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if _, err := to.Write(line); err != nil {
			return
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	for {
		frame, err := readFrame(in)
		if err != nil {
			return
		}
		if d.on.Load() && bytes.Contains(frame, []byte(`"type":"transaction"`)) {
			d.dropped.Add(1)
			continue
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// readFrame reads one frame of a server, which masks nothing.
func readFrame(in *bufio.Reader) ([]byte, error) {
	head := make([]byte, 2, 10)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	size := uint64(head[1] & 0x7f)
	if wide := map[uint64]int{126: 2, 127: 8}[size]; wide > 0 {
		head = head[:2+wide]
		if _, err := io.ReadFull(in, head[2:]); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(append(make([]byte, 8-wide, 8), head[2:]...))
	}
	if size > 64<<20 {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	frame := append(head, make([]byte, size)...)
	_, err := io.ReadFull(in, frame[len(head):])
	return frame, err
}

// deaf has the stream lose all transactions of the account until enough was asked.
func deaf(ctx context.Context, w *world) error {
	w.deafness.on.Store(true)
	defer w.deafness.on.Store(false)
	for ctx.Err() == nil && (w.asked() < w.row.requests || int(w.deafness.dropped.Load()) < w.row.least) {
		programs.Sleep(ctx, 100*time.Millisecond)
	}
	w.did(int(w.deafness.dropped.Load()))
	return nil
}

// indexTime is how long the credential index may need to equal the ledger, once nothing happens any more.
const indexTime = 30 * time.Second

// compareIndex waits until the credential index of the journal has what the ledger lists.
func (w *world) compareIndex(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	var missing, surplus int
	var err error
	for ctx.Err() == nil {
		var list map[programs.Entry]int
		var index map[programs.Entry]bool
		if list, err = w.node.Credentials(ctx, w.issuer.Address); err == nil {
			index, err = w.journal.index(ctx)
		}
		if err == nil {
			surplus, missing = 0, 0
			for e := range index {
				if list[e] == 0 {
					surplus++
				}
			}
			for e := range list {
				if !index[e] {
					missing++
				}
			}
			if surplus+missing == 0 {
				return
			}
		}
		programs.Sleep(ctx, 100*time.Millisecond)
	}
	w.fault("the credential index lacks %d credentials of the ledger, and has %d that do not stand there (%v)", missing, surplus, err)
}
