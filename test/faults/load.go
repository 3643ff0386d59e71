package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// slot is one credential: a subject and a type, with all that is asked about it.
type slot struct {
	subject, credential string
	// stands is what must be so at the end, where every client was told how it ended: 1 stands, 0 does not, -1 unknown.
	stands int
	// rivals says that several asked for it at once.
	rivals bool
}

func (s *slot) entry() programs.Entry {
	r := request{subject: s.subject, credential: s.credential}
	return r.entry()
}

// load has clients ask for credentials until there were enough requests and enough is closed.
func (w *world) load(ctx context.Context, rng *rand.Rand, clients, requests int, enough <-chan struct{}) {
	var group sync.WaitGroup
	for range clients {
		c := &caller{w, rand.New(rand.NewPCG(rng.Uint64(), 1))}
		group.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-enough:
					if w.asked() >= requests {
						return
					}
				default:
				}
				c.live(ctx, c.slot())
			}
		})
	}
	group.Wait()
}

// slot is a credential that nobody has asked for yet.
func (c *caller) slot() *slot {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	s := &slot{subject: c.w.subjects[c.rng.IntN(subjects)], credential: fmt.Sprintf("Type-%d", len(c.w.slots)+1)}
	c.w.slots = append(c.w.slots, s)
	return s
}

// live is the life of a credential.
func (c *caller) live(ctx context.Context, s *slot) {
	if c.rng.IntN(25) == 0 { // somebody asks and never comes back
		s.stands = -1
		c.abandon(ctx, s)
		return
	}
	c.issue(ctx, s)
	if c.rng.IntN(5) < 2 {
		c.settle(ctx, s, http.MethodDelete, 0)
		if c.rng.IntN(3) == 0 {
			c.settle(ctx, s, http.MethodPost, 1)
		}
	}
}

func (c *caller) request(s *slot, method string) *request {
	r := &request{method: method, subject: s.subject, credential: s.credential, rivals: s.rivals,
		key: fmt.Sprintf("%s-%016x%016x", method, c.rng.Uint64(), c.rng.Uint64())}
	c.w.keep(r)
	return r
}

// settle asks, with a new key whenever it is told that the last one came to nothing, until it is so.
func (c *caller) settle(ctx context.Context, s *slot, method string, stands int) {
	was := s.stands
	s.stands = -1
	for range 200 {
		r := c.request(s, method)
		if c.rng.IntN(8) == 0 {
			c.twice(ctx, r)
		} else {
			c.ask(ctx, r)
		}
		switch r.ending {
		case done:
			s.stands = stands
			return
		case absent, refused: // asking again is safe
			programs.Sleep(ctx, time.Duration(c.rng.IntN(200))*time.Millisecond)
		case standing, missing:
			// Nobody else has asked for it: whoever issued or revoked it did so without having been asked.
			c.w.count(&c.w.untrue, "%s %s/%s: %s, and nobody else had asked; before it stood: %d", method, s.subject, s.credential, r.said, was)
			return
		default:
			return // ctx ended, or it is counted already
		}
	}
}

// issue has a credential issued, sometimes by several at once.
func (c *caller) issue(ctx context.Context, s *slot) {
	if c.rng.IntN(6) != 0 {
		c.settle(ctx, s, http.MethodPost, 1)
		return
	}
	s.stands, s.rivals = -1, true
	for range 50 {
		all := make([]*request, 2+c.rng.IntN(2))
		var group sync.WaitGroup
		for i := range all {
			all[i] = c.request(s, http.MethodPost)
			rival := &caller{c.w, rand.New(rand.NewPCG(c.rng.Uint64(), 3))}
			group.Go(func() { rival.ask(ctx, all[i]) })
		}
		group.Wait()
		winners, losers, open := 0, 0, 0
		for _, r := range all {
			switch r.ending {
			case done:
				winners++
			case standing:
				losers++
			case undecided:
				open++
			}
		}
		switch {
		case winners > 1:
			c.w.count(&c.w.doubles, "%s/%s was issued to %d of %d rivals", s.subject, s.credential, winners, len(all))
			return
		case winners == 1:
			s.stands = 1
			return
		case open > 0 || ctx.Err() != nil:
			return
		}
		// All were told that it came to nothing, or that another one's is under way which then did: ask again.
	}
}

// abandon sends a request and goes away before its answer.
func (c *caller) abandon(ctx context.Context, s *slot) {
	r := c.request(s, http.MethodPost)
	r.ending = refused // nobody waits for an answer
	trying, cancel := context.WithTimeout(ctx, time.Duration(1+c.rng.IntN(300))*time.Millisecond)
	defer cancel()
	a, err := c.do(trying, r.method, r.path(), r.body(), map[string]string{"Idempotency-Key": r.key})
	if err == nil && a.status == http.StatusCreated {
		r.ending, r.hash = done, a.Hash
		s.stands = 1
	}
}
