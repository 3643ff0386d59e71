package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// replica is one service process, and the next one after it ended.
type replica struct {
	w       *world
	name    string
	address string
	program string
	env     []string
	clock   *clock // nil where it is the machine's
	proxy   *proxy // to its database; nil where there is none

	mu      sync.Mutex
	process *programs.Process
	closed  bool
	watches sync.WaitGroup
}

func (r *replica) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	p, err := programs.Start(r.name, r.program, r.w.dir, r.env)
	if err != nil {
		return err
	}
	r.process = p
	r.watches.Go(func() {
		<-p.Done
		if p.Ours.Load() {
			return
		}
		r.w.fault("the service ended by itself: %v %s", p.Err, p.Said())
		time.Sleep(300 * time.Millisecond) // as something that keeps services alive would
		if err := r.start(); err != nil {
			r.w.fault("the service cannot be started again: %v", err)
		}
	})
	return nil
}

func (r *replica) current() *programs.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

// tell passes on what the service says to the ledger, on one connection, under the eyes of the watch. The process that has
// opened it is the one that is there when it begins: nothing is submitted before the ledger's first answer came through.
func (r *replica) tell(to io.Writer, from io.Reader) {
	pid := ""
	if p := r.current(); p != nil {
		pid = strconv.Itoa(p.Cmd.Process.Pid)
	}
	err := pass(to, from, func(message []byte) {
		r.w.watch.submitted(pid, message)
		if r.w.blind.Load() {
			withoutHistory(message)
		}
	})
	if !over(err) {
		r.w.fault("what %s says to the ledger cannot be followed: %v", r.name, err)
	}
}

// kill ends the process at once. Somebody has to start it again.
func (r *replica) kill() { r.current().Kill() }

// end stops it for good, and waits for what belongs to it.
func (r *replica) end(kindly bool) error {
	r.mu.Lock()
	p := r.process
	r.closed = true
	r.mu.Unlock()
	var err error
	if p != nil {
		if kindly {
			err = p.Stop()
		} else {
			p.Kill()
		}
	}
	r.watches.Wait()
	return err
}

// ready waits until the service answers.
func (r *replica) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if r.status(ctx, "/healthz") == http.StatusOK {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s is not ready: %w %s", r.name, ctx.Err(), r.current().Said())
		}
		programs.Sleep(ctx, 20*time.Millisecond)
	}
}

// names says whether a lane's holder of that name is this replica.
func (r *replica) names(holder string) bool {
	p := r.current()
	return p != nil && isProcess(holder, strconv.Itoa(p.Cmd.Process.Pid))
}

// status is what GET of a path is answered with; 0 where there is no answer.
func (r *replica) status(ctx context.Context, path string) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.address+path, nil)
	if err != nil {
		return 0
	}
	resp, err := r.w.client.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}
