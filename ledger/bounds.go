package ledger

import (
	"errors"
	"fmt"
	"time"
)

// What a node can make this process hold is bounded in bytes, and what it can make it ask for in pages. A node that goes past
// a bound is no node that works: a watcher gets a gap, a list ends with an error, a connection ends.
const (
	// maxWatchedBytes bounds the transactions that wait for one watcher. A full ledger of 1,000 transactions has less than
	// half of it.
	maxWatchedBytes = 8 << 20
	// maxUnasked bounds the messages of one connection within [unaskedWindow] that answer no request, in bytes: ten times
	// what a network of 1,000 transactions a second tells of an account that all of them are about.
	maxUnasked    = 32 << 20
	unaskedWindow = time.Second
	// maxListPages bounds the pages of one list: 10 million entries of 400 a page.
	maxListPages = 25_000
	// maxHistoryBytes bounds the pages of one `account_tx` list, which callers may hold as a whole.
	maxHistoryBytes = 64 << 20
	// maxEngineResult bounds the name of an engine result, in bytes; the longest in rippled has 41.
	maxEngineResult = 64
)

// errTooLong is the cause where a list has more bytes than may be held. A shorter range of ledgers may have fewer.
var errTooLong = errors.New("the list is too long")

// floodError ends a connection over which too much comes that was not asked for.
type floodError struct{ bytes int }

func (e *floodError) Error() string {
	return fmt.Sprintf("the node floods the connection: %d MiB within %v that answer no request", e.bytes>>20, unaskedWindow)
}

// unasked counts the bytes of messages that answer no request. It belongs to the goroutine that reads.
type unasked struct {
	since time.Time
	bytes int
}

func (u *unasked) add(now time.Time, n int) error {
	if now.Sub(u.since) > unaskedWindow {
		u.since, u.bytes = now, 0
	}
	if u.bytes += n; u.bytes > maxUnasked {
		return &floodError{u.bytes}
	}
	return nil
}

// size is how many bytes a transaction of the stream holds.
func (t *Transaction) size() int { return len(t.Meta) + len(t.TxJSON) + transactionOverhead }

// transactionOverhead is what a transaction holds beside its metadata and fields, roughly.
const transactionOverhead = 512
