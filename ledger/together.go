package ledger

import (
	"context"
	"sync"
)

// together asks one question for all who have it at the same moment. Nobody gets an answer to a question that was asked before
// they came: who comes while one is under way waits for the next.
type together[T any] struct {
	mu   sync.Mutex
	next *round[T]
	turn chan struct{} // holds one value while a question is under way
}

// round is one asking. Its fields are set when done is closed.
type round[T any] struct {
	done   chan struct{}
	answer T
	err    error
	gone   bool // who asked went away before the answer came
}

func newTogether[T any]() together[T] { return together[T]{turn: make(chan struct{}, 1)} }

// do returns what ask returns, to this caller or to another one that asked after this one came. The caller that asks does so
// with its own context; where that ends before the answer comes, another one asks anew.
func (g *together[T]) do(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	for {
		g.mu.Lock()
		if g.next == nil {
			g.next = &round[T]{done: make(chan struct{})}
		}
		r := g.next
		g.mu.Unlock()
		select {
		case <-r.done:
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		case g.turn <- struct{}{}:
			g.mu.Lock()
			mine := g.next == r // else it has been asked since
			if mine {
				g.next = nil
			}
			g.mu.Unlock()
			if mine {
				r.answer, r.err = ask(ctx)
				r.gone = r.err != nil && ctx.Err() != nil
				close(r.done)
			}
			<-g.turn
			if mine {
				return r.answer, r.err
			}
			<-r.done
		}
		if !r.gone {
			return r.answer, r.err
		}
	}
}
