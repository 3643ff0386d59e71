package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// attack is one kind of misuse of one service.
type attack struct {
	name string
	// long leaves it out of the short form.
	long bool
	// on chooses the service that it is for.
	on func(*world) *service
	// grows is by how much the service's memory may exceed what it held at the beginning, in MiB; 0 is [usualGrowth].
	grows int64
	// may are the statuses from 500 on that it may be answered with: what the service says when it has no room.
	may []int
	run func(ctx context.Context, r *round) error
}

// usualGrowth is how far above its first measure, in MiB, a service's memory may come in any attack: what
// a few hundred requests hold at a time, some of it twice, until garbage is collected.
const usualGrowth = 128

// leftGrowth is how far, in MiB, it may come above what an attack before has left it with.
const leftGrowth = 16

// skipped is why an attack could not be run here.
type skipped string

func (s skipped) Error() string { return string(s) }

// round is an attack while it is run.
type round struct {
	*service
	attack attack
	short  bool
	from   string // the address of loopback that it comes from; empty for the usual one

	mu       sync.Mutex
	requests int
	answers  map[string]int
	granted  int // credentials that the round asked for rightly
	waiting  int // requests for a person to decide on, likewise
	faults   []string
	hidden   int
	notes    []string
}

const mostFaults = 6

// patience is how long an answer may take on a connection of its own.
const patience = 10 * 1e9

// fault says what must not be.
func (r *round) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) >= mostFaults {
		r.hidden++
		return
	}
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *round) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// grant counts what was asked for rightly.
func (r *round) grant(credentials, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.granted += credentials
	r.waiting += requests
}

func (r *round) heard(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.answers[what]++
}

// many is a number, or a fifth of it in the short form.
func (r *round) many(n int) int {
	if r.short {
		return max(1, n/5)
	}
	return n
}

// reply is what a request was answered.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// code is the error's code in an answer.
func (a reply) code() string {
	var e struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(a.body, &e) // not all answers are errors
	return e.Error
}

func (a reply) String() string { return fmt.Sprintf("%d %.200s", a.status, bytes.TrimSpace(a.body)) }

// header is one line of a request's head.
type header struct{ name, value string }

func bearer(token string) header { return header{"Authorization", "Bearer " + token} }

// send sends a request with the service's usual client.
func (r *round) send(ctx context.Context, method, path, body string, headers ...header) (reply, error) {
	return r.sendBy(ctx, r.client, method, path, body, headers...)
}

// sendBy sends a request, and looks at the answer as [round.inspect] does.
func (r *round) sendBy(ctx context.Context, client *http.Client, method, path, body string, headers ...header) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.scheme()+"://"+r.address+path, strings.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("%s %.100q: %w", method, path, err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		if h.name == "Host" {
			req.Host = h.value
		} else {
			req.Header[http.CanonicalHeaderKey(h.name)] = append(req.Header.Values(h.name), h.value)
		}
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		r.heard("none")
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		r.heard("part")
		return reply{}, err
	}
	a := reply{resp.StatusCode, resp.Header, text, time.Since(began)}
	r.inspect(method+" "+path, a)
	return a, nil
}

// inspect counts an answer, and looks for what must be in none.
func (r *round) inspect(what string, a reply) {
	r.heard(fmt.Sprint(a.status))
	if a.status >= 500 {
		allowed := false
		for _, s := range r.attack.may {
			allowed = allowed || s == a.status
		}
		if !allowed {
			r.fault("%.120q is answered %s", what, a)
		}
	}
	if at := unprintable(bytes.TrimSuffix(a.body, []byte("\n")), strings.HasPrefix(a.header.Get("Content-Type"), "application/json")); at >= 0 {
		r.fault("%.120q: the answer holds %q raw", what, around(a.body, at))
	}
	for name, values := range a.header {
		for _, v := range values {
			if strings.ContainsFunc(name+v, func(r rune) bool { return r < ' ' || r > '~' }) {
				r.fault("%.120q: the header %s holds %.80q", what, name, v)
			}
		}
	}
	for _, name := range r.w.leaks(a.body, a.status >= 400) {
		r.fault("%.120q: the answer %d holds %s", what, a.status, name)
	}
}

func around(b []byte, at int) []byte { return b[max(0, at-20):min(len(b), at+20)] }

// refuse sends a request that must be answered with one of the statuses, and with no other.
func (r *round) refuse(ctx context.Context, what string, statuses []int, method, path, body string, headers ...header) reply {
	a, err := r.send(ctx, method, path, body, headers...)
	r.expect(what, a, err, statuses...)
	return a
}

func (r *round) expect(what string, a reply, err error, statuses ...int) {
	if err != nil {
		r.fault("%s: %v", what, err)
		return
	}
	for _, s := range statuses {
		if a.status == s {
			return
		}
	}
	r.fault("%s: answered %s, want %v", what, a, statuses)
}

// raw writes bytes to a new connection and returns all answers on it, until it is closed or patience is over.
func (r *round) raw(ctx context.Context, patience time.Duration, pieces ...string) ([]reply, error) {
	c, err := r.dial(ctx, r.from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	go func() {
		for _, p := range pieces {
			if _, err := io.WriteString(c, p); err != nil {
				return // the service has heard enough
			}
		}
	}()
	return r.readAll(c, pieces[0]), nil
}

// readAll reads answers until there are no more. What says what was asked, as it was written.
func (r *round) readAll(c net.Conn, what string) []reply {
	var all []reply
	asked := &http.Request{Method: http.MethodGet}
	if strings.HasPrefix(what, "HEAD ") {
		asked.Method = http.MethodHead // its answer has no body, whatever its head says
	}
	in := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(in, asked)
		if err != nil {
			if len(all) == 0 {
				var late net.Error
				if errors.As(err, &late) && late.Timeout() {
					r.heard("none")
				} else {
					r.heard("closed")
				}
			}
			return all
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
		_ = resp.Body.Close()
		if err != nil {
			r.heard("part")
			return all
		}
		a := reply{status: resp.StatusCode, header: resp.Header, body: text}
		r.inspect(what, a)
		all = append(all, a)
	}
}

// atOnce runs tasks side by side, so many at a time.
func atOnce(most, n int, task func(i int)) {
	slots := make(chan struct{}, most)
	var group sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			task(i)
		})
	}
	group.Wait()
}
