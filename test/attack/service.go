package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// service is one process of cmd/issuer that is attacked.
type service struct {
	w       *world
	name    string
	dir     string // holds its data and policies
	address string
	issuer  wallet // the zero wallet where the service made it itself
	env     []string
	process *programs.Process
	journal *journal
	roots   *x509.CertPool // nil for plain HTTP
	client  *http.Client   // reuses connections

	tokens map[string]string // by role
	first  memory            // once it had warmed up
	noRSS  error
}

func (s *service) scheme() string {
	if s.roots != nil {
		return "https"
	}
	return "http"
}

func (s *service) dataDir() string  { return filepath.Join(s.dir, "data") }
func (s *service) policies() string { return filepath.Join(s.dir, "policies") }

// newClient returns a client that comes from an address of loopback; "" for the usual one.
func (s *service) newClient(from string) *http.Client {
	t := &http.Transport{
		MaxIdleConnsPerHost: 64, DisableCompression: true, ForceAttemptHTTP2: false,
		DialContext: dialFrom(from),
	}
	if s.roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: s.roots}
	}
	return &http.Client{Transport: t, Timeout: 40 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// manyAddresses says whether loopback has others than 127.0.0.1, so that several clients can be told apart.
const manyAddresses = runtime.GOOS == "linux"

func dialFrom(from string) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 10 * time.Second}
	if from != "" && manyAddresses {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	return d.DialContext
}

// dial opens a connection to the service, with TLS where it has that.
func (s *service) dial(ctx context.Context, from string, protocols ...string) (net.Conn, error) {
	c, err := dialFrom(from)(ctx, "tcp", s.address)
	if err != nil || s.roots == nil {
		return c, err
	}
	t := tls.Client(c, &tls.Config{RootCAs: s.roots, ServerName: "127.0.0.1", NextProtos: protocols})
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return t, nil
}

// start runs it and waits until it answers.
func (s *service) start(ctx context.Context) (err error) {
	if s.process, err = programs.Start(s.name, s.w.issuerProgram, s.dir, s.env); err != nil {
		return err
	}
	s.client = s.newClient("")
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.scheme()+"://"+s.address+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := s.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if ctx.Err() != nil || !s.process.Alive() {
			return fmt.Errorf("%s does not start: %s", s.name, s.process.Said())
		}
		programs.Sleep(ctx, 20*time.Millisecond)
	}
	s.journal, err = openJournal(s.dataDir())
	return err
}

// hangUp has the service read its policies and certificate again, and returns what its log says then.
func (s *service) hangUp(ctx context.Context) (string, error) {
	before, err := os.ReadFile(s.process.Log)
	if err != nil {
		return "", err
	}
	if err := s.process.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		text, err := os.ReadFile(s.process.Log)
		if err != nil {
			return "", err
		}
		said := string(text[len(before):])
		for line := range strings.Lines(said) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, "the policies") {
				return line, nil
			}
		}
		programs.Sleep(ctx, 10*time.Millisecond)
	}
	return "", fmt.Errorf("the log says nothing of the policies after a SIGHUP")
}

// command runs the issuer program's subcommands on this service's data.
func (s *service) command(ctx context.Context, args ...string) (out, said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, s.w.issuerProgram, args...)
	cmd.Env = append(programs.Environment(), "DATA_DIR="+s.dataDir())
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}
