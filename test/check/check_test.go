package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

func fixed(note string, err error) func(context.Context, io.Writer, bool) (string, error) {
	return func(context.Context, io.Writer, bool) (string, error) { return note, err }
}

func TestRunTellsEveryVerdict(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), nil, []step{
		{name: "good", run: fixed("12 files", nil)},
		{name: "bad", run: fixed("", errors.New("two faults"))},
		{name: "absent", run: fixed("", leftOut("no compiler"))},
		{name: "last", run: fixed("", nil)},
	}, &out)
	if err == nil || err.Error() != "1 of 4 steps failed" {
		t.Errorf("err = %v", err)
	}
	_, summary, _ := strings.Cut(out.String(), "== summary\n")
	for _, want := range []string{"ok: 12 files", "FAILED: two faults", "LEFT OUT: no compiler", "last"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary does not say %q:\n%s", want, summary)
		}
	}
}

// Steps that go side by side are printed one after the other, each whole, in their order, and each is counted.
func TestRunSideBySide(t *testing.T) {
	begun := make(chan struct{}, 2)
	first := func(_ context.Context, out io.Writer, _ bool) (string, error) {
		for range 2 { // the two others are under way, and have said something
			<-begun
		}
		_, err := io.WriteString(out, "first speaks last\n")
		return "", err
	}
	other := func(said string, verdict error) func(context.Context, io.Writer, bool) (string, error) {
		return func(_ context.Context, out io.Writer, _ bool) (string, error) {
			_, err := io.WriteString(out, said+"\n")
			begun <- struct{}{}
			return "", errors.Join(err, verdict)
		}
	}
	var out bytes.Buffer
	err := run(t.Context(), nil, []step{
		{name: "first", run: first},
		{name: "second", run: other("a", nil), beside: true},
		{name: "third", run: other("b", errors.New("broken")), beside: true},
		{name: "after", run: other("c", nil)},
	}, &out)
	if err == nil || err.Error() != "1 of 4 steps failed" {
		t.Errorf("err = %v", err)
	}
	want := "== first\nfirst speaks last\n-- first ok\n== second\na\n-- second ok\n== third\nb\n-- third FAILED: broken\n== after\nc\n-- after ok\n== summary\n"
	got := regexp.MustCompile(` +[0-9.]+s  `).ReplaceAllString(out.String(), " ")
	if got = strings.ReplaceAll(got, "\n\n", "\n"); !strings.HasPrefix(got, want) {
		t.Errorf("it prints\n%s\nwant\n%s", got, want)
	}
}

// A run that is ended waits for every step that it has begun.
func TestRunStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var ended atomic.Int32
	waits := func(ctx context.Context, _ io.Writer, _ bool) (string, error) {
		<-ctx.Done()
		ended.Add(1)
		return "", ctx.Err()
	}
	stops := func(context.Context, io.Writer, bool) (string, error) {
		cancel()
		return "", nil
	}
	err := run(ctx, nil, []step{{name: "one", run: waits}, {name: "two", run: stops, beside: true}, {name: "three", run: waits, beside: true}}, io.Discard)
	if err == nil || err.Error() != "stopped during one" || ended.Load() != 2 {
		t.Errorf("err = %v, %d steps ended", err, ended.Load())
	}
}

func TestRunByName(t *testing.T) {
	all := []step{{name: "one", run: fixed("", errors.New("no"))}, {name: "two", run: fixed("", nil)}}
	if err := run(t.Context(), []string{"two"}, all, io.Discard); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"one"}, all, io.Discard); err == nil {
		t.Error("a failing step passed")
	}
	if err := run(t.Context(), []string{"three"}, all, io.Discard); err == nil || !strings.Contains(err.Error(), `"three"; there are: one two`) {
		t.Errorf("err = %v", err)
	}
}

func TestFormatFindsABadFile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.go", "package p\n")
	write(t, "node_modules/x/bad.go", "package  p\n")
	var out bytes.Buffer
	if note, err := format(t.Context(), &out, false); err != nil || note != "1 files" {
		t.Fatalf("%q, %v", note, err)
	}
	write(t, "room/bad.go", "package  p\n")
	if _, err := format(t.Context(), &out, false); err == nil || !strings.Contains(out.String(), filepath.Join("room", "bad.go")) {
		t.Fatalf("err = %v, said %q", err, out.String())
	}
	write(t, "room/bad.go", "package (\n")
	if _, err := format(t.Context(), &out, false); err == nil || !strings.Contains(err.Error(), "bad.go:1") {
		t.Fatalf("err = %v", err)
	}
}

func TestVulncheckIsLeftOutWithoutItsData(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Setenv("GOVULNDB", gone.URL)
	var left leftOut
	if _, err := vulncheck(t.Context(), io.Discard, true); !errors.As(err, &left) || !strings.Contains(err.Error(), "404") {
		t.Errorf("404: err = %v", err)
	}
	gone.Close()
	if _, err := vulncheck(t.Context(), io.Discard, true); !errors.As(err, &left) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: err = %v", err)
	}
}

func TestRaceableSaysWhyNot(t *testing.T) {
	t.Setenv("CC", "no-such-compiler")
	t.Setenv("GOCACHE", t.TempDir())
	err := raceable(t.Context())
	if err == nil {
		t.Skip("this system's race detector needs no C compiler")
	}
	if !strings.Contains(err.Error(), "no-such-compiler") {
		t.Errorf("err = %v", err)
	}
}

func TestJSNeedsNode(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var left leftOut
	if _, err := js(t.Context(), io.Discard, false); !errors.As(err, &left) || err.Error() != "node is not installed" {
		t.Errorf("err = %v", err)
	}
}

func TestNeededNode(t *testing.T) {
	need, err := neededNode("../js/package.json")
	if err != nil || olderThan(need, "18.0.0") {
		t.Errorf("%q, %v", need, err)
	}
	for _, c := range []struct {
		version, need string
		older         bool
	}{
		{"v20.20.2", "20.19.0", false}, {"v20.19.0", "20.19.0", false}, {"v20.18.9", "20.19.0", true},
		{"v18.99.0", "20.19.0", true}, {"v22.0.0", "20.19.0", false},
	} {
		if olderThan(c.version, c.need) != c.older {
			t.Errorf("olderThan(%s, %s) = %v", c.version, c.need, !c.older)
		}
	}
}

func TestNetworkFault(t *testing.T) {
	if got := networkFault("npm error code EAI_AGAIN\nnpm error network request failed"); got != "EAI_AGAIN" {
		t.Errorf("%q", got)
	}
	if got := networkFault("npm error code EUSAGE\nnpm error package.json and package-lock.json are not in sync"); got != "" {
		t.Errorf("a broken lock counts as a network fault: %q", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
