package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
)

// csvFile writes a batch of n rows, with what wrong says in the place of some.
func csvFile(t *testing.T, subject string, n int, wrong map[int]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("subject,credential,expiration,uri,reason\n")
	for row := 1; row <= n; row++ {
		line, ok := wrong[row]
		if !ok {
			line = fmt.Sprintf("%s,Row%d,,,please", subject, row)
		}
		b.WriteString(line + "\n")
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// batchCommand runs issuer batch.
func batchCommand(t *testing.T, stdin string, args ...string) (out, log string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err = run(t.Context(), append([]string{"batch"}, args...), noFile(t), console{strings.NewReader(stdin), &stdout, &stderr})
	return stdout.String(), stderr.String(), err
}

func (s *service) rowsIssued(t *testing.T) int {
	t.Helper()
	_, body := paste(t, []string{"", "", "", "", s.field(t, "HTTP") + "/admin/credential"})
	return strings.Count(string(body), `"credential":"Row`)
}

// TestBatch: the rows of a file are issued, those that are wrong are told with their numbers, and doing it once more with
// the batch's id does nothing twice.
func TestBatch(t *testing.T) {
	s := boot(t, onSandbox(t.TempDir())...)
	subject, url := s.field(t, "Subject"), "--issuer-url="+s.field(t, "HTTP")
	path := csvFile(t, subject, 300, map[int]string{
		7: subject + ",Row7,,,no", 8: "rNobody,Row8,,,please", 250: subject + ",\"Row250,,,please", 251: `"`,
		300: "rrrrrrrrrrrrrrrrrrrrBZbvji,Row300,,,please",
	})
	out, log, err := batchCommand(t, "", url, path)
	var rows errRowsFailed
	if !errors.As(err, &rows) || exitStatus(err) != 3 {
		t.Fatalf("%v\n%s%s", err, out, log)
	}
	for _, want := range []string{"row,subject,credential,error,message\n", "\n7,,,badRequest,\"documents.reason must be", "\n8,,,badRequest,", "\n250,,,badRequest,"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	m := regexp.MustCompile(`Batch (\w{26}): (\d+) of 299 rows issued, (\d+) came to nothing`).FindStringSubmatch(log)
	if m == nil || m[2] != "295" || m[3] != "4" || strings.ContainsAny(log, "\r\x1b") {
		t.Fatalf("%q:\n%s", m, log)
	}
	if got := s.rowsIssued(t); got != 295 {
		t.Errorf("%d stand on the ledger", got)
	}
	again, log, err := batchCommand(t, "", url, "--quiet", "--batch="+m[1], path)
	if exitStatus(err) != 3 || again != out || strings.Count(log, "\n") != 1 {
		t.Errorf("again: %v\n%s%s", err, again, log)
	}
	if got := s.rowsIssued(t); got != 295 {
		t.Errorf("again: %d stand on the ledger", got)
	}
	// From standard input, with nothing wrong in it.
	line := fmt.Sprintf(`{"subject":"%s","credential":"RowX","documents":{"reason":"please"}}`, subject)
	if out, log, err := batchCommand(t, line, url, "--format=ndjson", "--key=mine", "-"); err != nil || out != "" || !strings.Contains(log, "1 of 1 rows issued") {
		t.Errorf("from standard input: %v\n%s%s", err, out, log)
	}
	if out, _, err := batchCommand(t, line, url, "--format=ndjson", "--key=mine", "-"); err != nil || out != "" {
		t.Errorf("again with the key: %v\n%s", err, out)
	}
	if got := s.rowsIssued(t); got != 296 {
		t.Errorf("at the end: %d stand on the ledger", got)
	}
}

// TestBatchInterrupted: an interrupt ends the command and not the batch, and what to type next works, also when the service
// was started anew.
func TestBatchInterrupted(t *testing.T) {
	dir := t.TempDir()
	first := boot(t, onSandbox(dir)...)
	path := csvFile(t, first.field(t, "Subject"), 400, nil)
	ctx, cancel := context.WithCancel(t.Context())
	log := newTerminal()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"batch", "--issuer-url=" + first.field(t, "HTTP"), path}, noFile(t), console{strings.NewReader(""), io.Discard, log})
	}()
	for !strings.Contains(log.String(), "of 400 rows") {
		select {
		case <-log.wrote:
		case err := <-done:
			t.Fatalf("%v\n%s", err, log)
		}
	}
	cancel()
	err := <-done
	if err == nil { // it was faster
		t.Skip("the batch was over before it could be interrupted")
	}
	m := regexp.MustCompile(`issuer batch --batch (\w{26}) (\S+)$`).FindStringSubmatch(err.Error())
	if exitStatus(err) != 1 || m == nil || m[2] != path {
		t.Fatalf("%v", err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := boot(t, onSandbox(dir)...)
	if _, log, err := batchCommand(t, "", "--issuer-url="+second.field(t, "HTTP"), "--batch", m[1], m[2]); err != nil || !strings.Contains(log, "400 of 400 rows issued") {
		t.Errorf("%v\n%s", err, log)
	}
	if got := second.rowsIssued(t); got != 400 {
		t.Errorf("%d stand on the ledger", got)
	}
}

// TestBatchProgress: on a terminal there is a bar, drawn over itself.
func TestBatchProgress(t *testing.T) {
	s := boot(t, onSandbox(t.TempDir())...)
	path := csvFile(t, s.field(t, "Subject"), 20, nil)
	ours, theirs := terminalPair(t)
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"batch", "--issuer-url", s.field(t, "HTTP"), path}, noFile(t), console{strings.NewReader(""), io.Discard, theirs})
	}()
	shown := until(t, ours, "20 of 20 rows issued")
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"\r\x1b[K[", "of 20 rows (", "a second, remaining: ", "] 20 of 20 rows (100 %), 0 failed"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %q", want, shown)
		}
	}
}

// TestBatchProgressFits: what is drawn over itself stays within one row, however narrow the terminal is.
func TestBatchProgressFits(t *testing.T) {
	const line = "5 of 10 rows (50 %), 0 failed, 1.0 a second, remaining: 5s"
	for columns, want := range map[int]string{
		0:   "[############............] " + line,
		200: "[############............] " + line,
		80:  "[#########.........] " + line,
		66:  line,
		30:  line[:29],
		1:   "",
	} {
		if got := fitted(withBar(line, .5, columns), columns); got != want || columns > 0 && len(got) >= columns {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

// TestBatchWrongUse: what is wrong with the command line is told at once, and what the service refuses too.
func TestBatchWrongUse(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "needs one FILE"}, {[]string{"a.csv", "b.csv"}, "needs one FILE"}, {[]string{"rows"}, "--format is needed"}, {[]string{"-"}, "--format is needed"},
		{[]string{"--format=xml", "a"}, "--format must be"}, {[]string{"--batch=1", "--key=2", "a.csv"}, "give one of them"},
		{[]string{"--cancel=1", "a.csv"}, "--cancel needs"}, {[]string{"--cancel="}, "--cancel needs"}, {[]string{"--cancel=1", "--key=2"}, "--cancel needs"},
		{[]string{"--issuer-url=ftp://x", "a.csv"}, "ISSUER_URL must be"}, {[]string{"--nonsense", "a.csv"}, "unknown flag: --nonsense"},
	} {
		_, _, err := batchCommand(t, "", tc.args...)
		var faults config.Faults
		if !errors.As(err, &faults) || exitStatus(err) != 2 || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v", tc.args, err)
		}
	}
	if out, _, err := batchCommand(t, "", "--help"); err != nil || !strings.Contains(out, "issuer batch FILE.csv") || !strings.Contains(out, "--issuer-url") {
		t.Errorf("%v\n%s", err, out)
	}
	s := boot(t, onSandbox(t.TempDir())...)
	url := "--issuer-url=" + s.field(t, "HTTP")
	// Nothing was sent, so that there is nothing to go on with either.
	for file, want := range map[string]string{filepath.Join(t.TempDir(), "none.csv"): "no such file", t.TempDir(): "is a folder"} {
		if _, _, err := batchCommand(t, "", url, "--format=csv", file); exitStatus(err) != 2 || !strings.HasPrefix(err.Error(), "FILE: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "To go on") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, _, err := batchCommand(t, "nothing\n", url, "--format=csv", "-"); exitStatus(err) != 1 || !strings.Contains(err.Error(), "badRequest") || strings.Contains(err.Error(), "o go on") {
		t.Errorf("a file that is refused whole: %v", err)
	}
	if _, _, err := batchCommand(t, "", "--issuer-url=http://127.0.0.1:1", "--cancel=01JD8Q4Z7T9XW3V5K2M6N8P0RS"); exitStatus(err) != 1 || !strings.Contains(err.Error(), "Is the service running? ISSUER_URL says where it is") || strings.Contains(err.Error(), "Delete") {
		t.Errorf("nobody there: %v", err)
	}
	line := fmt.Sprintf(`{"subject":"%s","credential":"RowC","documents":{"reason":"please"}}`, s.field(t, "Subject"))
	_, log, err := batchCommand(t, line, url, "--format=ndjson", "-")
	m := regexp.MustCompile(`Batch (\w{26}): 1 of 1 rows issued`).FindStringSubmatch(log)
	if err != nil || m == nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if out, log, err := batchCommand(t, "", url, "--cancel="+m[1]); err != nil || out != "" || !strings.Contains(log, "0 rows dropped now, 0 in all; 1 issued, 0 still on their way, 0 came to nothing") {
		t.Errorf("cancelled when it was over: %v\n%s", err, log)
	}
	if _, _, err := batchCommand(t, strings.Replace(line, "RowC", "RowD", 1), url, "--format=ndjson", "--batch="+m[1], "-"); exitStatus(err) != 1 || !strings.Contains(err.Error(), "row 1 is not the row 1") {
		t.Errorf("another file: %v", err)
	}
	if _, _, err := batchCommand(t, "", url, "--cancel=01JD8Q4Z7T9XW3V5K2M6N8P0RS"); exitStatus(err) != 1 || !strings.Contains(err.Error(), "batchNotFound") {
		t.Errorf("cancel none: %v", err)
	}
	for args, want := range map[string]string{"--batch=01JD8Q4Z7T9XW3V5K2M6N8P0RS": "batchNotFound", "--batch=1": "badRequest"} {
		if _, _, err := batchCommand(t, "subject,credential\na,b\n", url, "--format=csv", args, "-"); exitStatus(err) != 1 || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "o go on") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestCell: what comes from a file's rows can do nothing on a terminal or in a spreadsheet.
func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "": "", "a,b": `"a,b"`, `a"b`: `"a""b"`, "=1+1": `"'=1+1"`, "a\nb\x1b[2J\u009b": "a b [2J ", "-x": `"'-x"`,
	} {
		if got := cell(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestBatchToken: a service that has tokens wants one with the role admin, and what is missing is told with what to do.
func TestBatchToken(t *testing.T) {
	dir := t.TempDir()
	reader, admin := makeToken(t, "eve", "reader", "--data-dir="+dir), makeToken(t, "nightly", "admin", "--data-dir="+dir)
	s := boot(t, onSandbox(dir)...)
	const make = "set ISSUER_TOKEN to what issuer token create --name NAME --role admin prints"
	for i, tc := range []struct {
		name, token string
		status      int
		want        []string
	}{
		{"none", "", 1, []string{"unauthorized", make}},
		{"a reader's", reader, 1, []string{"needs the role admin, and the token has the role reader", "forbidden", make}},
		{"another's", "xci_aaaaaaaaaaaaaaaa_" + strings.Repeat("a", 48), 1, []string{"ISSUER_TOKEN is set, and is no token of this service", make}},
		{"two lines", "xci_aaa\nxci_bbbbbbb", 2, []string{"ISSUER_TOKEN must be a token"}},
		{"an admin's", admin, 0, []string{"1 of 1 rows issued"}},
		{"with a space", " " + admin + " ", 0, []string{"1 of 1 rows issued"}},
	} {
		t.Setenv("ISSUER_TOKEN", tc.token)
		line := fmt.Sprintf(`{"subject":"%s","credential":"RowT%d","documents":{"reason":"please"}}`, s.field(t, "Subject"), i)
		out, log, err := batchCommand(t, line, "--issuer-url="+s.field(t, "HTTP"), "--format=ndjson", "-")
		if err != nil {
			log += err.Error()
		}
		if exitStatus(err) != tc.status || tc.token != "" && strings.Contains(out+log, strings.TrimSpace(tc.token)[8:]) {
			t.Errorf("%s: %v\n%s%s", tc.name, err, out, log)
		}
		for _, want := range tc.want {
			if !strings.Contains(log, want) {
				t.Errorf("%s: %q is not in %s", tc.name, want, log)
			}
		}
	}
	t.Setenv("ISSUER_TOKEN", reader)
	if _, _, err := batchCommand(t, "", "--issuer-url="+s.field(t, "HTTP"), "--cancel=01JD8Q4Z7T9XW3V5K2M6N8P0RS"); err == nil || !strings.Contains(err.Error(), make) {
		t.Errorf("cancel: %v", err)
	}
}
