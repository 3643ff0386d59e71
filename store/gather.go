package store

import (
	"context"
	"slices"
	"sync"
)

// maxGathered is how many simultaneous calls are done as one.
const maxGathered = 256

// gathering does what simultaneous callers ask for in one go: whoever has the turn takes along all that wait. It needs
// no goroutine of its own.
type gathering[T any] struct {
	mu      sync.Mutex
	waiting []gathered[T]
	turn    chan struct{} // holds one value while somebody has the turn
}

type gathered[T any] struct {
	item T
	done chan struct{} // closed when it was done
}

func newGathering[T any]() gathering[T] { return gathering[T]{turn: make(chan struct{}, 1)} }

// do returns nil when work has been done for item, by this caller or by another, or ctx's cause when it ends first. work
// may be done for it all the same then, and must not end with the context of the caller that runs it.
func (g *gathering[T]) do(ctx context.Context, item T, work func(ctx context.Context, items []T)) error {
	done := make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, gathered[T]{item, done})
	g.mu.Unlock()
	for {
		select {
		case <-done:
			return nil
		case g.turn <- struct{}{}:
			g.run(ctx, work)
			<-g.turn
		case <-ctx.Done():
			select {
			case <-done:
				return nil
			default:
				return context.Cause(ctx)
			}
		}
	}
}

func (g *gathering[T]) run(ctx context.Context, work func(ctx context.Context, items []T)) {
	g.mu.Lock()
	n := min(len(g.waiting), maxGathered)
	taken := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()
	if n == 0 {
		return
	}
	items := make([]T, n)
	for i, w := range taken {
		items[i] = w.item
	}
	work(ctx, items)
	for _, w := range taken {
		close(w.done)
	}
}
