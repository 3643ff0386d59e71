package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// program is a process of ours under measurement.
type program struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the process, once done is closed

	mu   sync.Mutex
	log  []string // the last lines it wrote
	heap int      // greatest heap that a collection found to live since the last call of peakHeap, in MiB
}

// gcTrace is the line that the Go runtime writes for each collection: the heap when it began, when it ended, and what
// of it was live.
var gcTrace = regexp.MustCompile(`^gc \d+ @.* (\d+)->(\d+)->(\d+) MB`)

// start runs a program of ours with settings in its environment, until stop.
func (b *bench) start(ctx context.Context, name string, env []string, args ...string) (*program, error) {
	p := &program{name: name, cmd: exec.CommandContext(ctx, filepath.Join(b.dir, name), args...), done: make(chan struct{})}
	p.cmd.Dir = b.dir
	p.cmd.Env = append(append(os.Environ(), "GODEBUG=gctrace=1"), env...)
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(r)
	go func() {
		p.err = p.cmd.Wait()
		_ = w.Close()
		close(p.done)
	}()
	return p, nil
}

func (p *program) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		if m := gcTrace.FindStringSubmatch(lines.Text()); m != nil {
			for _, field := range m[3:4] {
				if n, err := strconv.Atoi(field); err == nil {
					p.heap = max(p.heap, n)
				}
			}
		} else if p.log = append(p.log, lines.Text()); len(p.log) > 200 {
			p.log = p.log[100:]
		}
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r)
}

// peakHeap returns the most of the heap that a collection found to live since the last call, in MiB; 0 where there was none.
func (p *program) peakHeap() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	heap := p.heap
	p.heap = 0
	return heap
}

// said is the end of what the program wrote, for errors.
func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log[max(0, len(p.log)-20):], "\n")
}

// ready waits until a request is answered with 200.
func (p *program) ready(ctx context.Context, request func() (*http.Request, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := request()
		if err != nil {
			return err
		}
		resp, err := browser.Do(req.WithContext(ctx))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", resp.Status)
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w\n%s", p.name, p.err, p.said())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the program as Ctrl-C does.
func (p *program) stop() error {
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end within 30 s of an interrupt\n%s", p.name, p.said())
	}
	if p.err != nil {
		return fmt.Errorf("%s ended with %w\n%s", p.name, p.err, p.said())
	}
	return nil
}

// startSandbox runs cmd/sandbox and waits until it answers.
func (b *bench) startSandbox(ctx context.Context, args ...string) (*program, string, error) {
	address, err := programs.FreeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	p, err := b.start(ctx, "sandbox", nil, append([]string{"--listen", address}, args...)...)
	if err != nil {
		return nil, "", err
	}
	err = p.ready(ctx, func() (*http.Request, error) {
		return http.NewRequest(http.MethodPost, "http://"+address, bytes.NewBufferString(`{"method":"ping"}`))
	})
	return p, address, err
}

// startIssuer runs cmd/issuer and waits until it lists.
func (b *bench) startIssuer(ctx context.Context, env ...string) (*program, string, error) {
	address, err := programs.FreeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	env = append(env, "HTTP_LISTEN="+address, "RATE_LIMIT_CLIENT=0", "RATE_LIMIT_SUBJECT=0", "RATE_LIMIT_TOKEN=0")
	if !slices.Contains(env, "XRPL_NETWORK=sandbox") { // there nobody needs one
		if err := b.makeToken(ctx, env); err != nil {
			return nil, "", err
		}
	}
	p, err := b.start(ctx, "issuer", env)
	if err != nil {
		return nil, "", err
	}
	err = p.ready(ctx, func() (*http.Request, error) {
		return http.NewRequest(http.MethodGet, "http://"+address+"/admin/credential?accepted=yes", nil)
	})
	return p, address, err
}

// makeToken has the program make an administrator's token, which the measurements' client sends from then on.
func (b *bench) makeToken(ctx context.Context, env []string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(b.dir, "issuer"), "token", "create", "--name", "bench-"+rand.Text(), "--role", "admin")
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), env...)
	token, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	browser.Transport.(*bearer).token.Store(strings.TrimSpace(string(token)))
	return nil
}

// bearer sends a token along.
type bearer struct {
	http.RoundTripper
	token atomic.Value // string; none where nothing is stored
}

// RoundTrip implements http.RoundTripper. The requests are its own to change: nobody else sees them.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if token, ok := b.token.Load().(string); ok {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return b.RoundTripper.RoundTrip(r)
}

// cpu is the processor time that the program used, once it has ended.
func (p *program) cpu() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// memory returns what the system holds for the process, in MiB, where the system tells (Linux); else 0.
func (p *program) memory() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib / 1024
}
