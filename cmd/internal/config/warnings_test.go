package config

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// warned reads a .env file and returns what is said of it, with FILE in the place of its path.
func warned(t *testing.T, text string, mode os.FileMode) (*Values, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	c, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Pick("HTTP_LISTEN", "IDEMPOTENCY_KEEP"), nil, path)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Warnings()
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], path, "FILE")
	}
	return c, got
}

func TestWarnings(t *testing.T) {
	const seed = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"
	t.Setenv("WARNED_HOME", "/home/me")
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		want       []string
	}{
		{"nothing to say", "HTTP_LISTEN=127.0.0.1:1\nISSUER_ACCOUNT_SEED=" + seed + "\n", 0o600, nil},
		{"no secret in it", "HTTP_LISTEN=127.0.0.1:1\nISSUER_ACCOUNT_SEED=\n", 0o644, nil},
		{"typing error", "HTTP_LISTN=127.0.0.1:1\nAAA=" + seed + "\nISSUER_SEED=" + seed + "\n", 0o644, []string{
			"FILE sets AAA, which no program knows",
			"FILE sets HTTP_LISTN, which no program knows: is HTTP_LISTEN meant?",
			"FILE sets ISSUER_SEED, which no program knows: is ISSUER_ACCOUNT_SEED meant?"}},
		{"others can read a seed", "SUBJECT_ACCOUNT_SEED=" + seed + "\n", 0o640,
			[]string{"FILE holds a secret and others can read it (mode 0640): chmod 600 FILE"}},
		{"cut off at a #", "\ufeff# all of them\r\nDATABASE_URL=postgres://me:wo#rd@db/x\r\n", 0o600,
			[]string{"FILE, line 2: what follows the # is left out as a comment: put the value into single quotes to have it whole"}},
		{"a variable that is none", "export DATABASE_URL = postgres://me:wo$RD@db/x\n", 0o600,
			[]string{"FILE, line 1: its $ stands for a variable that is not set: put the value into single quotes to have it as it stands"}},
		{"meant so", "DATA_DIR=$WARNED_HOME/x # mine\nPOLICY_DIR=${DATA_DIR}/p\nDATABASE_URL='postgres://me:w$R#d@db/x'\nWEBHOOK_SECRET=a\\$B\n", 0o600, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, got := warned(t, tc.text, tc.mode); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	c, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), Pick("HTTP_LISTEN"), nil, filepath.Join(t.TempDir(), "none"))
	if err != nil || c.Warnings() != nil {
		t.Errorf("without a file: %v, %v", c.Warnings(), err)
	}
}

// A setting that is misspelled in the environment is told; the variables of other programs are not.
func TestMisspelledEnvironment(t *testing.T) {
	for _, name := range []string{"SSL_CERT_FILE", "HTTP_PROXY", "LOG_FILE", "DATA", "DATABASE", "XRPL_X", "LEVEL"} {
		t.Setenv(name, "x")
	}
	t.Setenv("WEBHOOK_URL", "https://hush@hook.example")
	t.Setenv("LOG_LEVELS", "") // as good as not set
	_, got := warned(t, "", 0o600)
	if want := []string{"the environment sets WEBHOOK_URL, which no program knows: is WEBHOOK_URLS meant?"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Where a setting is missing, the misspelled one is told beside it.
func TestMisspelledBesideFaults(t *testing.T) {
	c, _ := warned(t, "WEBHOOK_SECERT=whsec_hush\n", 0o600)
	if err := c.Err(); err != nil {
		t.Fatalf("alone it is no fault: %v", err)
	}
	c.Fault("WEBHOOK_SECRET", "must be set")
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "is WEBHOOK_SECRET meant?") || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
	var said bytes.Buffer
	if err := c.Warn(&said, "accept"); err != nil || !strings.HasPrefix(said.String(), "accept: ") || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("%q, %v", said.String(), err)
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"verify", "verfy", 1}, {"verify", "verfiy", 2}, {"token", "tokens", 1}, {"abc", "xyz", 3}} {
		if got := Distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q and %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := Distance(tc.b, tc.a); got != tc.want {
			t.Errorf("%q and %q: %d, want %d", tc.b, tc.a, got, tc.want)
		}
	}
}

// Bounds are told without the parts that are zero, and with an example that is within them.
func TestDurationFault(t *testing.T) {
	for _, tc := range []struct {
		least, most time.Duration
		want        string
	}{
		{time.Minute, 365 * 24 * time.Hour, "such as 10m or 24h, from 1m to 8760h"},
		{0, time.Hour, "such as 1s or 250ms, from 0s to 1h"},
		{time.Second, 1230 * time.Second, "such as 30s or 10m, from 1s to 20m30s"},
	} {
		c, _ := warned(t, "IDEMPOTENCY_KEEP=1\n", 0o600)
		c.Duration("IDEMPOTENCY_KEEP", tc.least, tc.most)
		if err := c.Err(); err == nil || !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
}
