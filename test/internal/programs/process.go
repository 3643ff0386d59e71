package programs

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"
)

// stopTime is how long a program may take to end by itself once it is interrupted.
const stopTime = 45 * time.Second

// Build builds programs of the module, such as ./cmd/issuer, into a folder: with no settings of its own, so that what `go vet` and
// the checks have compiled is not compiled again.
func Build(ctx context.Context, dir string, packages ...string) error {
	build := exec.CommandContext(ctx, "go", append([]string{"build", "-o", dir + string(filepath.Separator)}, packages...)...)
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs: %w\n%s", err, said)
	}
	return nil
}

// Process is a program that runs, with its output in a file.
type Process struct {
	Name string
	Cmd  *exec.Cmd
	Log  string        // the file that it writes to
	Done chan struct{} // closed when it has ended
	Err  error         // how it ended, once Done is closed
	// Ours says that it was ended from here.
	Ours atomic.Bool
}

// Environment is what a program needs of this machine, without any setting that happens to be there.
func Environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "USER", "PGUSER", "PGPASSWORD", "PGSSLMODE", "SYSTEMROOT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Start runs a program in a folder with Environment and env, its output added to a file there that is called by name.
func Start(name, path, dir string, env []string, args ...string) (*Process, error) {
	cmd := exec.Command(path, args...)
	cmd.Env = append(Environment(), env...)
	return Launch(name, dir, dir, cmd)
}

// Launch runs a command in a folder, with its output added to a file in the folder logs.
func Launch(name, dir, logs string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{Name: name, Cmd: cmd, Log: filepath.Join(logs, name+".log"), Done: make(chan struct{})}
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.Err = cmd.Wait()
		close(p.Done)
	}()
	return p, nil
}

// Kill ends it at once, without a chance to do anything, and waits for its end.
func (p *Process) Kill() {
	p.Ours.Store(true)
	_ = p.Cmd.Process.Kill() // it may have ended already
	<-p.Done
}

// Stop ends it as Ctrl-C does, and kills what does not end. A program that has ended before, or ends with a status that is
// not 0, is an error.
func (p *Process) Stop() error {
	if !p.Alive() {
		return fmt.Errorf("%s ended by itself: %v %s", p.Name, p.Err, p.Said())
	}
	p.Ours.Store(true)
	_ = p.Cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.Done:
	case <-time.After(stopTime):
		p.Kill()
		return fmt.Errorf("%s did not end within %v of an interrupt", p.Name, stopTime)
	}
	if p.Err != nil {
		return fmt.Errorf("%s, interrupted, ended with %w: %s", p.Name, p.Err, p.Said())
	}
	return nil
}

// Alive says whether it runs, or is at least there.
func (p *Process) Alive() bool {
	select {
	case <-p.Done:
		return false
	default:
		return true
	}
}

// Said is the end of what it wrote.
func (p *Process) Said() string {
	text, _ := os.ReadFile(p.Log)
	return "… " + string(text[max(0, len(text)-800):])
}

// FreeAddress is an address of loopback with a port that was free a moment ago.
func FreeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Sleep waits, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
