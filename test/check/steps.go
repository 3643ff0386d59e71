package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// probeTime bounds every question of the kind "is it there": an answer that takes longer counts as no.
const probeTime = 5 * time.Second

// jsFolder holds the test with the JavaScript client: package.json, its lock and the script.
const jsFolder = "test/js"

// steps are all checks, the fast ones first. Those that mostly wait for ledgers to close go beside another: the JavaScript
// client, with its own waiting, beside the tests, and the attack run beside the fault test.
func steps() []step {
	return []step{
		{name: "format", run: format},
		{name: "vet", run: tool("go", "vet", "./...")},
		{name: "staticcheck", run: tool("go", "tool", "staticcheck", "./...")},
		{name: "arrows", run: tool("go", "tool", "depguard", "./...")},
		{name: "vulncheck", run: vulncheck},
		{name: "tests", run: tests},
		{name: "js", run: js, beside: true},
		{name: "vectors", run: vectors},
		{name: "faults", run: faults},
		{name: "attack", run: attack, beside: true},
	}
}

// command prepares a command that writes to out and gets an interrupt, and then a few seconds, when ctx ends.
func command(ctx context.Context, out io.Writer, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// tool is a step that is one command, with nothing to decide.
func tool(name string, args ...string) func(context.Context, io.Writer, bool) (string, error) {
	return func(ctx context.Context, out io.Writer, _ bool) (string, error) {
		return "", command(ctx, out, name, args...).Run()
	}
}

// format fails where gofmt -s would change a file.
func format(ctx context.Context, out io.Writer, _ bool) (string, error) {
	files, err := goFiles(".")
	if err != nil {
		return "", err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	gofmt := filepath.Join(strings.TrimSpace(string(root)), "bin", "gofmt")
	if _, err := os.Stat(gofmt); err != nil {
		gofmt = "gofmt" // some systems keep it apart from GOROOT
	}
	var list bytes.Buffer
	cmd := command(ctx, &list, gofmt, append([]string{"-s", "-l"}, files...)...)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("gofmt: %w\n%s", err, list.String())
	}
	if list.Len() > 0 {
		_, _ = list.WriteTo(out)
		return "", errors.New("gofmt -s -w on the files above")
	}
	return fmt.Sprintf("%d files", len(files)), nil
}

// goFiles lists the module's own Go files below root.
func goFiles(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// vulncheck looks for known vulnerabilities that the code can reach. The data base grows without a change here, so what
// it finds fails this step when it is asked for by name; among all the others it is shown, and the commit of last year
// still builds and passes.
func vulncheck(ctx context.Context, out io.Writer, alone bool) (string, error) {
	base := cmp.Or(os.Getenv("GOVULNDB"), "https://vuln.go.dev")
	if err := reachable(ctx, base+"/index/db.json"); err != nil {
		return "", leftOut(fmt.Sprintf("the vulnerability data base cannot be had: %v", err))
	}
	var said bytes.Buffer
	err := command(ctx, io.MultiWriter(out, &said), "go", "tool", "govulncheck", "-db", base, "./...").Run()
	if err != nil && strings.Contains(said.String(), "fetching vulnerabilities") {
		return "", leftOut("the vulnerability data base cannot be had: " + lastLine(said.String()))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 { // govulncheck's status for "found some"
		if alone {
			return "", errors.New("known vulnerabilities can be reached, see above")
		}
		return "FOUND known vulnerabilities that the code can reach, see above; `make vulncheck` fails on them", nil
	}
	return "", err
}

// reachable says why address cannot be read within probeTime; nil when it can, or when it is no HTTP address.
func reachable(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return nil
}

// longest are the packages whose tests take longest. They are begun first, so that none of them is left over at the end for
// one core while the others have nothing to do.
var longest = []string{"./test/lane", "./store", "./issuer/httpapi", "./cmd/issuer", "./ledger"}

// leastAtOnce is how many packages' tests run at a time at least: much of their time they wait, for ledgers to close and
// for journals to be written.
const leastAtOnce = 3

// unwatched are packages that the race detector leaves alone. They are SQLite, translated from C, which keeps all that it
// works on in memory of its own, outside of Go's heap: the detector looks at no access there, so that to ask it each time
// finds nothing and is two thirds of what tests on SQLite would cost. The driver around them, which hands memory of Go's to
// them, is watched as everything else.
var unwatched = []string{"modernc.org/sqlite/lib", "modernc.org/libc/...", "modernc.org/memory"}

// watched are the arguments that have the race detector watch all but those.
func watched() []string {
	args := []string{"-race"}
	for _, path := range unwatched {
		args = append(args, "-gcflags="+path+"=-race=false")
	}
	return args
}

// tests runs all Go tests, with the race detector where it can be had: on most systems it needs cgo and a C compiler,
// which nothing else here does. Those that were skipped, such as for want of PostgreSQL, are told by name. The few checks
// of `go vet` that `go test` repeats are left to the step of that name.
func tests(ctx context.Context, out io.Writer, _ bool) (string, error) {
	args := []string{"-timeout", "15m", "-vet", "off", "-p", strconv.Itoa(max(leastAtOnce, runtime.GOMAXPROCS(0)))}
	note := "race detector on"
	env := os.Environ()
	if err := raceable(ctx); err != nil {
		note = fmt.Sprintf("WITHOUT the race detector: %v", err)
		fmt.Fprintln(out, note)
	} else {
		args = append(args, watched()...)
		env = append(env, "CGO_ENABLED=1")
	}
	skipped, err := goTest(ctx, out, env, slices.Concat(args, longest, []string{"./..."})...)
	skipped.print(out)
	if err != nil {
		return "", err
	}
	return note + "; " + skipped.note(), nil
}

// faults runs the short form of the fault test, which tells by itself what this machine cannot do.
func faults(ctx context.Context, out io.Writer, _ bool) (string, error) {
	var said bytes.Buffer
	err := command(ctx, io.MultiWriter(out, &said), "go", "run", "./test/faults", "--short").Run()
	return skippedRows(said.String()), err
}

// attack runs the short form of the attack run, which tells by itself what this machine cannot do.
func attack(ctx context.Context, out io.Writer, _ bool) (string, error) {
	var said bytes.Buffer
	err := command(ctx, io.MultiWriter(out, &said), "go", "run", "./test/attack", "--short").Run()
	return skippedRows(said.String()), err
}

// skippedRows is what the fault test, or the attack run, says of what it left out, for the summary.
func skippedRows(said string) string {
	for line := range strings.Lines(said) {
		if n, is := strings.CutPrefix(line, "SKIPPED: "); is {
			count, _, _ := strings.Cut(n, ",")
			return count + " SKIPPED, see above"
		}
	}
	return "none skipped"
}

// vectors replays the recorded answers of a real node once more, without the race detector, to show for each file how
// many of its answers agree: a passing test keeps that to itself.
func vectors(ctx context.Context, out io.Writer, _ bool) (string, error) {
	var said bytes.Buffer
	err := command(ctx, &said, "go", "test", "-count=1", "-v", "-run", "^TestVectors$", "./sandbox").Run()
	files := 0
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, " answers") && !strings.HasPrefix(line, " ") {
			files++
		}
		if err != nil || !strings.HasPrefix(strings.TrimSpace(line), "===") && !strings.HasPrefix(strings.TrimSpace(line), "---") {
			_, _ = io.WriteString(out, line)
		}
	}
	if err == nil && files == 0 {
		err = errors.New("no file of answers was replayed")
	}
	return fmt.Sprintf("%d files", files), err
}

// raceable builds an empty program with the race detector and says why that does not work.
func raceable(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "race")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := command(ctx, &said, "go", "build", "-race", "-o", filepath.Join(dir, "main"), file)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if err := cmd.Run(); err != nil {
		return errors.New(lastLine(said.String()))
	}
	return nil
}

// js runs the test with the public JavaScript client where Node.js is installed.
func js(ctx context.Context, out io.Writer, _ bool) (string, error) {
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			return "", leftOut(name + " is not installed")
		}
	}
	need, err := neededNode(filepath.Join(jsFolder, "package.json"))
	if err != nil {
		return "", err
	}
	said, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("node --version: %w", err)
	}
	version := strings.TrimSpace(string(said))
	if olderThan(version, need) {
		return "", leftOut(fmt.Sprintf("node is %s and the client needs %s", version, need))
	}
	if err := npmInstall(ctx, out); err != nil {
		return "", err
	}
	return "node " + version, command(ctx, out, "node", filepath.Join(jsFolder, "client.mjs")).Run()
}

// npmInstall brings node_modules to what the lock says. It does nothing when that was done before, so that a machine
// without a network can run the test again.
func npmInstall(ctx context.Context, out io.Writer) error {
	lock, err := os.ReadFile(filepath.Join(jsFolder, "package-lock.json"))
	if err != nil {
		return err
	}
	stamp := filepath.Join(jsFolder, "node_modules", ".installed-lock.json")
	if done, err := os.ReadFile(stamp); err == nil && bytes.Equal(done, lock) {
		return nil
	}
	var said bytes.Buffer
	cmd := command(ctx, &said, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=30000")
	cmd.Dir = jsFolder
	if err := cmd.Run(); err != nil {
		if code := networkFault(said.String()); code != "" {
			return leftOut("npm cannot reach its registry (" + code + ")")
		}
		_, _ = said.WriteTo(out)
		return fmt.Errorf("npm ci: %w", err)
	}
	return os.WriteFile(stamp, lock, 0o600)
}

// networkFault is the code by which npm says that it could not reach the registry, or "" when it failed otherwise.
func networkFault(said string) string {
	for _, code := range []string{"ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"} {
		if strings.Contains(said, code) {
			return code
		}
	}
	return ""
}

// neededNode reads the lowest Node.js version from a package.json that says ">=X.Y.Z".
func neededNode(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var p struct {
		Engines struct{ Node string }
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	need, ok := strings.CutPrefix(p.Engines.Node, ">=")
	if !ok {
		return "", fmt.Errorf("%s: engines.node is %q; it must be >= and a version", path, p.Engines.Node)
	}
	return need, nil
}

// olderThan compares versions of the form v1.2.3.
func olderThan(version, need string) bool {
	var a, b [3]int
	_, _ = fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d.%d", &a[0], &a[1], &a[2])
	_, _ = fmt.Sscanf(strings.TrimPrefix(need, "v"), "%d.%d.%d", &b[0], &b[1], &b[2])
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// lastLine is the last line of text that is not empty.
func lastLine(text string) string {
	last := "it said nothing"
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return last
}
