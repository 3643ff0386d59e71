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

// TestHangupWhileStarting: a reload that comes while the service still waits for its node does not end it.
func TestHangupWhileStarting(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, out := exec.Command(self, "--http-listen=127.0.0.1:0", "--data-dir="+t.TempDir(), "--xrpl-network=http://127.0.0.1:1"), newTerminal()
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), asProgram+"=1", "ISSUER_ACCOUNT_SEED="+edSeed)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(out.String(), "the node does not answer as it must") {
		<-out.wrote
	}
	for _, signal := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil { // by SIGTERM it stops in order; by SIGHUP it would have been killed
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWrongUse: status 2, and a sentence; and help for those who ask for it.
func TestWrongUse(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args   string
		status int
		want   string
	}{
		{"--log-level=loud", 2, "issuer: LOG_LEVEL must be"},
		{"verfy", 2, "issuer: there is no such command: is verify meant? There are audit, batch, operation, token, verify"},
		{"--log-level=info token", 2, "issuer: token must be the first word"},
		{edSeed, 2, "issuer: there is no such command: there are"},
		{"--version", 0, "issuer "},
		{"version", 0, "issuer "},
		{"help", 0, "issuer issues credentials"},
		{"help verify", 0, "issuer verify asks"},
		{"help token", 0, "issuer token makes"},
	} {
		cmd := exec.Command(self, strings.Fields(tc.args)...)
		cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), asProgram+"=1")
		said, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != tc.status || !strings.HasPrefix(string(said), tc.want) || strings.Contains(string(said), edSeed) {
			t.Errorf("%s: %v: %s", tc.args, err, said)
		}
	}
}

// TestCommandsWarn: a command tells of a misspelled setting, as the service does in its log, and goes on.
func TestCommandsWarn(t *testing.T) {
	t.Setenv("DATABASE_URI", "postgres://me:hush@db/x")
	where, _ := auditLog(t, 1)
	for _, args := range [][]string{{"token", "list", where}, {"audit", "verify", where}, {"batch", "--cancel=x", "--issuer-url=http://127.0.0.1:1"},
		{"verify", edAddress, edAddress, "X", "--xrpl-network=http://127.0.0.1:1"}} {
		if _, log, _ := command(t, args...); strings.Count(log, "issuer: the environment sets DATABASE_URI, which no program knows: is DATABASE_URL meant?\n") != 1 || strings.Contains(log, "hush") {
			t.Errorf("%q: %s", args, log)
		}
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
