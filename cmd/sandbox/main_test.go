package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// greeted collects what run prints, and says when the greeting is there.
type greeted struct {
	bytes.Buffer
	ready chan string
}

func (g *greeted) Write(b []byte) (int, error) {
	n, err := g.Buffer.Write(b)
	if g.ready != nil {
		g.ready <- g.String()
		g.ready = nil
	}
	return n, err
}

// runs starts the program and gives its greeting; the returned function stops it, as a signal does, and gives what run returned.
func runs(t *testing.T, args ...string) (greeting string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &greeted{ready: make(chan string, 1)}
	ready := out.ready
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, out, io.Discard) }()
	select {
	case greeting = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("it ended: %v", err)
	case <-time.After(20 * time.Second):
		cancel()
		t.Fatal("it did not start")
	}
	return greeting, func() error {
		cancel()
		return <-ended
	}
}

func ask(t *testing.T, url, method, params string) map[string]any {
	t.Helper()
	r, err := http.Post(url, "application/json", strings.NewReader(`{"method":"`+method+`","params":[{`+params+`}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Result map[string]any `json:"result"`
	}
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return a.Result
}

func addressIn(t *testing.T, greeting string) string {
	t.Helper()
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(greeting)
	if url == "" {
		t.Fatalf("no address in %q", greeting)
	}
	return url
}

// The program as the README starts it: in memory, closing on ledger_accept, with the genesis close time that it is told.
func TestRun(t *testing.T) {
	greeting, stop := runs(t, "--listen", "127.0.0.1:0", "--close-interval", "0s", "--genesis-close-time", "849398400", "--ledger-capacity", "8")
	url := addressIn(t, greeting)
	for _, want := range []string{"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "snoPBrXtMeMyMHUVTgbuqAfg1SUTb", "curl -X POST " + url + "/accounts", "ws://", "memory", "ledger_accept"} {
		if !strings.Contains(greeting, want) {
			t.Errorf("the greeting lacks %q:\n%s", want, greeting)
		}
	}
	if hash := ask(t, url, "ledger_closed", "")["ledger_hash"]; hash != "BCBA02B2FF8452328F1A80D16F969D8A1043912A02AE120139FD46B13E4ABE12" {
		t.Errorf("ledger 2 is %v, and not the one that a real node made at that time", hash)
	}
	if size := ask(t, url, "fee", "")["expected_ledger_size"]; size != "8" {
		t.Errorf("capacity %v", size)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What closed before the program was stopped is there when it runs again.
func TestRunAgain(t *testing.T) {
	dir := t.TempDir()
	var before any
	for i := range 2 {
		greeting, stop := runs(t, "--listen", "127.0.0.1:0", "--close-interval", "1h", "--data-dir", dir)
		url := addressIn(t, greeting)
		if !strings.Contains(greeting, dir) {
			t.Errorf("the greeting does not say where the ledger is kept:\n%s", greeting)
		}
		if i == 0 {
			ask(t, url, "ledger_accept", "")
			before = ask(t, url, "ledger_closed", "")["ledger_hash"]
		} else if after := ask(t, url, "ledger_closed", "")["ledger_hash"]; after != before {
			t.Errorf("%v became %v", before, after)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestWrongUse(t *testing.T) {
	for _, c := range []struct {
		args  []string
		usage bool
		want  string
	}{
		{[]string{"--nonsense"}, true, "unknown flag"},
		{[]string{"--close-interval", "soon"}, true, "invalid argument"},
		{[]string{"--genesis-close-time", "-1"}, true, "invalid argument"},
		{[]string{"--ledger-capacity", "0"}, true, "must be at least 1"},
		{[]string{"start"}, true, "takes no arguments"},
		{[]string{"--close-interval", "-1s", "--listen", "127.0.0.1:0"}, false, "close interval"},
		{[]string{"--listen", "127.0.0.1:nonsense"}, false, "listening on"},
	} {
		var out, errs bytes.Buffer
		err := run(context.Background(), c.args, &out, &errs)
		if err == nil || errors.Is(err, errUsage) != c.usage || !strings.Contains(errs.String()+err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%v: %v, %q", c.args, err, errs.String())
		}
	}
	// What was asked for is a result, to be read with a pager.
	for arg, want := range map[string]string{"--help": "--genesis-close-time", "-h": "--genesis-close-time", "--version": "sandbox "} {
		var out, errs bytes.Buffer
		if err := run(context.Background(), []string{arg}, &out, &errs); err != nil || !strings.Contains(out.String(), want) || errs.Len() > 0 {
			t.Errorf("%s: %v, %q, %q", arg, err, out.String(), errs.String())
		}
	}
}
