package store

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// ids gives out operation ids, each greater than the one before in the same process, so that what was asked for first
// is first in line. The zero value is ready.
type ids struct {
	mu   sync.Mutex
	last int64 // milliseconds
	rest [10]byte
}

func (g *ids) next(now time.Time) model.OperationID {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ms := now.UnixMilli(); ms > g.last {
		g.last = ms
		_, _ = rand.Read(g.rest[:]) // never fails
		g.rest[0] &= 0x7f           // room to count on
		return model.NewOperationID(g.last, g.rest)
	}
	// The same millisecond, or a clock that went back: on by a random step, so that nobody can tell the next id from one.
	var step [5]byte
	_, _ = rand.Read(step[:])
	carry := uint(1)
	for i := len(g.rest) - 1; i >= 0; i-- {
		if j := i - (len(g.rest) - len(step)); j >= 0 {
			carry += uint(step[j])
		}
		carry += uint(g.rest[i])
		g.rest[i] = byte(carry)
		carry >>= 8
	}
	return model.NewOperationID(g.last, g.rest)
}
