package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
)

// Seeds that are in public, and the addresses of their accounts.
const (
	secpSeed    = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb"
	secpAddress = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
	edSeed      = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"
	edAddress   = "rG31cLyErnqeVj2eomEjBZtq7PYaupGYzL"
)

func noFile(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), ".env") }

func TestDefaults(t *testing.T) {
	s, _, err := readSettings(nil, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		network:    config.Network{Name: "sandbox", Node: "ws://127.0.0.1:5005"},
		httpListen: "127.0.0.1:8080", dataDir: "./data", sandboxListen: "127.0.0.1:5005", closeInterval: time.Second,
		maxFeeDrops: 5000, waitLimit: time.Minute, stopLimit: 30 * time.Second, logLevel: slog.LevelInfo,
	}
	if !equal(s, want) || s.warnings != nil {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

// equal compares settings that have no seed.
func equal(a, b settings) bool {
	return a.network == b.network && a.httpListen == b.httpListen && a.dataDir == b.dataDir && a.sandboxListen == b.sandboxListen &&
		a.closeInterval == b.closeInterval && a.maxFeeDrops == b.maxFeeDrops && a.waitLimit == b.waitLimit && a.stopLimit == b.stopLimit &&
		a.logLevel == b.logLevel && a.logJSON == b.logJSON && a.account == b.account && a.seed == nil && b.seed == nil
}

func TestSeeds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(file, []byte(edSeed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, seed, file, address, want, account string }{
		{"secp256k1", secpSeed, "", "", secpAddress, ""},
		{"ed25519", edSeed, "", "", edAddress, ""},
		{"from a file", "", file, "", edAddress, ""},
		{"both, the same", edSeed, file, "", edAddress, ""},
		{"regular key", edSeed, "", secpAddress, edAddress, secpAddress},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("ISSUER_ACCOUNT_SEED", tc.seed)
			t.Setenv("ISSUER_ACCOUNT_SEED_FILE", tc.file)
			t.Setenv("ISSUER_ACCOUNT_ADDRESS", tc.address)
			s, _, err := readSettings([]string{"--xrpl-network=testnet"}, noFile(t))
			if err != nil {
				t.Fatal(err)
			}
			if s.seed == nil || string(s.seed.Address()) != tc.want || string(s.account) != tc.account {
				t.Errorf("seed of %v, account %q", s.seed.Address(), s.account)
			}
		})
	}
}

// TestFaults: all that is wrong is told at once, each thing by the name of its setting.
func TestFaults(t *testing.T) {
	open := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(open, []byte(edSeed), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		env  map[string]string
		args []string
		want []string // each must be in the message
	}{
		{"all of them", nil, []string{"--xrpl-network=moon", "--http-listen=here", "--sandbox-close-interval=fast", "--max-fee-drops=9",
			"--wait-limit=0s", "--idempotency-keep=1s", "--issuer-submit-mode=both", "--http-stop-limit=-1s", "--log-level=loud", "--log-format=xml", "--data-dir=", "--issuer-account-address=r", "--nonsense"},
			[]string{"XRPL_NETWORK must be", "HTTP_LISTEN must be", "SANDBOX_CLOSE_INTERVAL must be", "MAX_FEE_DROPS must be", "- WAIT_LIMIT must be", "IDEMPOTENCY_KEEP must be", "ISSUER_SUBMIT_MODE must be",
				"HTTP_STOP_LIMIT must be", "LOG_LEVEL must be", "LOG_FORMAT must be", "DATA_DIR must name", "ISSUER_ACCOUNT_ADDRESS must be", "unknown flag: --nonsense"}},
		{"database", map[string]string{"DATABASE_URL": "mysql://u:hush@h/db"}, nil, []string{"DATABASE_URL must be"}},
		{"database with an @ in its password", map[string]string{"DATABASE_URL": "postgres://u:p@hush@h/db"}, nil, []string{"DATABASE_URL has", "percent-encoded"}},
		{"database by flag", nil, []string{"--database-url=postgres://h/db"}, []string{"unknown flag: --database-url"}},
		{"port", nil, []string{"--sandbox-listen=127.0.0.1:99999"}, []string{"SANDBOX_LISTEN must be"}},
		{"words", nil, []string{"start"}, []string{"there is no such command"}},
		{"seed by flag", nil, []string{"--issuer-account-seed=" + edSeed}, []string{"unknown flag: --issuer-account-seed"}},
		{"seed that others can read", map[string]string{"ISSUER_ACCOUNT_SEED_FILE": open}, nil, []string{"ISSUER_ACCOUNT_SEED_FILE: ", "chmod 600"}},
		{"seed file that is not there", map[string]string{"ISSUER_ACCOUNT_SEED_FILE": open + "x"}, nil, []string{"ISSUER_ACCOUNT_SEED_FILE: ", "no such file"}},
		{"two seeds", map[string]string{"ISSUER_ACCOUNT_SEED": secpSeed, "ISSUER_ACCOUNT_SEED_FILE": open}, nil, []string{"ISSUER_ACCOUNT_SEED_FILE: "}},
		{"address without a seed", map[string]string{"ISSUER_ACCOUNT_ADDRESS": secpAddress}, nil, []string{"ISSUER_ACCOUNT_ADDRESS needs a seed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			_, _, err := readSettings(tc.args, noFile(t))
			var faults config.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("a password is shown: %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if exitStatus(err) != 2 {
				t.Errorf("exit status %d", exitStatus(err))
			}
		})
	}
}

// TestSecretsStaySecret: wherever a seed is put, right or wrong, nothing that the program says repeats it.
func TestSecretsStaySecret(t *testing.T) {
	broken := "sEdTM1uX8pu2do5XvTnutH6HsouMaM3" // wrong checksum
	words := "abandon abandon ability able about above absent absorb abstract absurd abuse access"
	for _, secret := range []string{edSeed, secpSeed, broken, "sEdTM1uX8pu2do5XvTnutH6Hsou", words, strings.Repeat("a1", 32), "-" + edSeed, "é" + edSeed} {
		for name, put := range map[string]func(t *testing.T) (args []string, dotenv string){
			"environment": func(t *testing.T) ([]string, string) { t.Setenv("ISSUER_ACCOUNT_SEED", secret); return nil, noFile(t) },
			"file": func(t *testing.T) ([]string, string) {
				path := filepath.Join(t.TempDir(), "seed")
				if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
					t.Fatal(err)
				}
				return []string{"--issuer-account-seed-file", path}, noFile(t)
			},
			".env": func(t *testing.T) ([]string, string) {
				path := noFile(t)
				if err := os.WriteFile(path, []byte("ISSUER_ACCOUNT_SEED="+secret+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return nil, path
			},
			".env, in a broken line": func(t *testing.T) ([]string, string) {
				path := noFile(t)
				if err := os.WriteFile(path, []byte("ISSUER_ACCOUNT_SEED "+secret+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return nil, path
			},
			".env, under another name": func(t *testing.T) ([]string, string) {
				path := noFile(t)
				if err := os.WriteFile(path, []byte("ISSUER_SEED="+secret+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return nil, path
			},
			"argument": func(t *testing.T) ([]string, string) { return []string{secret}, noFile(t) },
			"flag":     func(t *testing.T) ([]string, string) { return []string{"--issuer-account-seed=" + secret}, noFile(t) },
			"address":  func(t *testing.T) ([]string, string) { return []string{"--issuer-account-address", secret}, noFile(t) },
			"network": func(t *testing.T) ([]string, string) {
				return []string{"--xrpl-network", "ws://" + secret + "@127.0.0.1:1"}, noFile(t)
			},
		} {
			t.Run(name, func(t *testing.T) {
				args, dotenv := put(t)
				if !slices.Contains(args, "--xrpl-network") {
					args = append(args, "--xrpl-network=ws://127.0.0.1:1") // nobody answers there
				}
				args = append(args, "--http-listen=127.0.0.1:0", "--log-level=debug")
				var out, log bytes.Buffer
				// The settings are read, the log is made, and the start fails or is stopped before a node is found.
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				err := run(ctx, args, dotenv, console{strings.NewReader(secret + "\n"), &out, &log})
				said := out.String() + log.String()
				if err != nil {
					said += err.Error()
				}
				if said == "" {
					t.Error("the program says nothing at all")
				}
				for _, piece := range []string{secret, secret[len(secret)/2:], strings.TrimPrefix(strings.TrimPrefix(secret, "-"), "é")[:12]} {
					if strings.Contains(said, piece) || strings.Contains(strings.ToLower(said), strings.ToLower(piece)) {
						t.Fatalf("the program repeats %q: %s", piece, said)
					}
				}
			})
		}
	}
}

func TestHelp(t *testing.T) {
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, noFile(t), console{strings.NewReader(""), &out, &log}); err != nil || log.Len() > 0 {
		t.Fatalf("%v %s", err, log.String())
	}
	for _, s := range known {
		if !s.Secret && !strings.Contains(out.String(), "--"+s.Flag()+" ") {
			t.Errorf("--%s is not in the help", s.Flag())
		}
		if s.Secret && strings.Contains(out.String(), "--"+s.Flag()+" ") {
			t.Errorf("--%s is in the help, as a flag for a secret", s.Flag())
		}
	}
}

// TestNoSeed: elsewhere than on the sandbox, without a seed and without a terminal to ask on, the program says what is
// missing, and does not wait.
func TestNoSeed(t *testing.T) {
	var out, log bytes.Buffer
	err := run(t.Context(), []string{"--xrpl-network=devnet"}, noFile(t), console{strings.NewReader("sEd...\n"), &out, &log})
	if err == nil || !strings.Contains(err.Error(), "ISSUER_ACCOUNT_SEED is not set") || exitStatus(err) != 2 {
		t.Errorf("%v", err)
	}
}

// TestSettingsWarn: what deserves a look, and stops nothing.
func TestSettingsWarn(t *testing.T) {
	for name, tc := range map[string]struct {
		args, env []string
		want      string
	}{
		"everybody is granted everything": {[]string{"--xrpl-network=testnet"}, nil, "POLICY_DIR is not set: whoever reaches the service"},
		"not on the sandbox":              {nil, nil, ""},
		"not with policies":               {[]string{"--xrpl-network=testnet", "--policy-dir=x"}, nil, ""},
		"a secret for nothing":            {nil, []string{"WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "WEBHOOK_SECRET is set and WEBHOOK_URLS is not"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.env != nil {
				t.Setenv(tc.env[0], tc.env[1])
			}
			s, _, err := readSettings(tc.args, noFile(t))
			if err != nil || len(s.warnings) > 1 || !strings.Contains(strings.Join(s.warnings, "\n"), tc.want) || tc.want == "" && s.warnings != nil {
				t.Errorf("%q, %v", s.warnings, err)
			}
		})
	}
}
