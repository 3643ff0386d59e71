package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// process starts the program in a process of its own and returns when it shows its banner.
func process(t *testing.T, args ...string) (cmd *exec.Cmd, out *terminal) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, out = exec.Command(self, args...), newTerminal()
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	for !strings.Contains(out.String(), "Ctrl-C stops") {
		<-out.wrote
	}
	return cmd, out
}

// TestSignals: the first signal stops the program in order, with status 0.
func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd, out := process(t, onSandbox("data")...)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestSecondSignal: with a request in progress the first signal waits, and the second ends the process at once.
func TestSecondSignal(t *testing.T) {
	cmd, out := process(t, onSandbox("data")...)
	s := &service{out: out, log: out}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.field(t, "HTTP"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// A request whose body never comes: that the server asks for it shows that the request is in progress.
	if _, err := io.WriteString(conn, "POST /credential HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q %v", line, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(out.String(), "msg=stopping") {
		<-out.wrote
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != interrupted {
		t.Errorf("ended with %v\n%s", err, out)
	}
}

// TestWrongUse: status 2, and a sentence.
func TestWrongUse(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "--log-level=loud")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.HasPrefix(string(said), "issuer: LOG_LEVEL must be") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestTerminalClosed: a service whose terminal is closed stops, although SIGHUP has it read its files again.
func TestTerminalClosed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, onSandbox("data")...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), asProgram+"=1")
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Skipf("no terminal can be had here: %v", err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	out := newTerminal()
	_, _ = io.WriteString(out, strings.ReplaceAll(until(t, terminal, "Ctrl-C stops"), "\r\n", "\n"))
	s := &service{out: out, log: out}
	if got := s.get(t, "/healthz", ""); got != 200 { // from here on it looks at the signal
		t.Fatal(got)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
