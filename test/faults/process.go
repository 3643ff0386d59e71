package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// process is a program of ours that runs.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string // the file that it writes to
	done chan struct{}
	err  error // once done is closed
	// ours says that it was this program that ended it.
	ours atomic.Bool
}

// bareEnvironment is what a program needs of this machine, without any setting that happens to be there.
func bareEnvironment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "USER", "PGUSER", "PGPASSWORD", "PGSSLMODE", "SYSTEMROOT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// startProcess runs a program in a folder, with its output added to a file there.
func startProcess(name, path, dir string, env []string, args ...string) (*process, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = append(bareEnvironment(), env...)
	return launch(name, dir, dir, cmd)
}

// launch runs a command in a folder, with its output added to a file in the folder logs.
func launch(name, dir, logs string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, log: filepath.Join(logs, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// kill ends it at once, without a chance to do anything.
func (p *process) kill() {
	p.ours.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// stop ends it as Ctrl-C does.
func (p *process) stop() error {
	p.ours.Store(true)
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(45 * time.Second):
		p.kill()
		return fmt.Errorf("%s did not end within 45 s of an interrupt", p.name)
	}
	if p.err != nil {
		return fmt.Errorf("%s, interrupted, ended with %w: %s", p.name, p.err, p.said())
	}
	return nil
}

// alive says whether it runs, or is at least there.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// said is the end of what it wrote.
func (p *process) said() string {
	f, err := os.Open(p.log)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Size() > 600 {
		_, _ = f.Seek(-600, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return "… " + string(text)
}

// ports hands out ports of loopback below those that the system gives to outgoing connections: a service that is killed
// and started again must find its own free.
type ports struct {
	mu   sync.Mutex
	next int
}

func newPorts(rng *rand.Rand) *ports { return &ports{next: 15000 + rng.IntN(10000)} }

func (p *ports) address(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 1000 {
		p.next++
		address := fmt.Sprintf("127.0.0.1:%d", p.next)
		if l, err := new(net.ListenConfig).Listen(ctx, "tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("no free port of loopback below %d", p.next)
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
