package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

var table = []Setting{
	{Key: "XRPL_NETWORK", Default: "sandbox", Usage: "network"},
	{Key: "XRPL_NETWORK_FILE", Usage: "file with the address"},
	{Key: "SANDBOX_LISTEN", Default: "127.0.0.1:5005", Usage: "embedded ledger"},
	{Key: "SANDBOX_CLOSE_INTERVAL", Default: "1s", Usage: "close interval"},
	{Key: "MAX_FEE_DROPS", Default: "1000", Usage: "ceiling"},
	{Key: "SUBJECT_ACCOUNT_SEED", Usage: "seed", Secret: true},
}

const secret = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2"

func read(t *testing.T, dotenv string, args ...string) *Values {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	if dotenv != "" {
		if err := os.WriteFile(path, []byte(dotenv), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), table, args, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPrecedence(t *testing.T) {
	const key = "SANDBOX_CLOSE_INTERVAL"
	get := func(dotenv string, args ...string) time.Duration {
		t.Helper()
		c := read(t, dotenv, args...)
		d := c.Duration(key, 0, time.Hour)
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if got := get(""); got != time.Second {
		t.Errorf("default: %v", got)
	}
	if got := get(key + "=2s\n"); got != 2*time.Second {
		t.Errorf(".env over default: %v", got)
	}
	t.Setenv(key, "3s")
	if got := get(key + "=2s\n"); got != 3*time.Second {
		t.Errorf("environment over .env: %v", got)
	}
	if got := get(key+"=2s\n", "--sandbox-close-interval", "4s"); got != 4*time.Second {
		t.Errorf("flag over environment: %v", got)
	}
	if got := get(key+"=2s\n", "--sandbox-close-interval=1s"); got != time.Second {
		t.Errorf("a flag that repeats the default: %v", got)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	c := read(t, "XRPL_NETWORK=ftp://x\nMAX_FEE_DROPS=many\n", "--sandbox-close-interval=soon", "--nonsense")
	c.Network()
	c.Duration("SANDBOX_CLOSE_INTERVAL", 0, time.Hour)
	c.Int("MAX_FEE_DROPS", 10, 1_000_000)
	err := c.Err()
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"unknown flag: --nonsense", "XRPL_NETWORK must be", "SANDBOX_CLOSE_INTERVAL must be", "MAX_FEE_DROPS must be"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestHelpIsNoFault(t *testing.T) {
	if _, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), table, []string{"--help"}, ""); !errors.Is(err, pflag.ErrHelp) {
		t.Fatalf("%v", err)
	}
}

func TestSecretsStayOut(t *testing.T) {
	c := read(t, "SUBJECT_ACCOUNT_SEED="+secret+"\n")
	if got := c.String("SUBJECT_ACCOUNT_SEED"); got != secret {
		t.Errorf("%q", got)
	}
	c = read(t, "", "--subject-account-seed="+secret)
	if err := c.Err(); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a seed on the command line: %v", err)
	}
	for _, arg := range []string{"-" + secret, "--" + secret, "---" + secret, "--=" + secret} {
		if err := read(t, "", arg).Err(); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("a seed as a flag: %v", err)
		}
	}
	for _, line := range []string{secret, "SUBJECT ACCOUNT " + secret, "# seed\n\n" + secret + "\n"} {
		c := read(t, "XRPL_NETWORK=devnet\n"+line+"\n")
		err := c.Err()
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "KEY=value") {
			t.Errorf("%q: %v", line, err)
		}
	}
	if err := read(t, "XRPL_NETWORK=devnet\n"+secret+"\n").Err(); !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}

func TestNetwork(t *testing.T) {
	for _, c := range []struct{ value, name, node string }{
		{"sandbox", "sandbox", "ws://127.0.0.1:5005"},
		{" Devnet ", "devnet", "wss://s.devnet.rippletest.net:51233"},
		{"http://127.0.0.1:1234", "http://127.0.0.1:1234", "http://127.0.0.1:1234"},
		{"wss://me:word@node.example/x", "wss://node.example", "wss://me:word@node.example/x"},
	} {
		v := read(t, "", "--xrpl-network", c.value)
		n := v.Network()
		if err := v.Err(); err != nil || n.Name != c.name || n.Node.URL() != c.node {
			t.Errorf("%s: %+v, %v", c.value, n, err)
		}
	}
	key := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(key, []byte("wss://node.example/v1/APIKEY0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := read(t, "", "--xrpl-network-file", key)
	n := v.Network()
	if v.Err() != nil || n.Name != "wss://node.example" || n.Node.URL() != "wss://node.example/v1/APIKEY0" || !n.Node.Keyed() {
		t.Errorf("%+v, %v", n, v.Err())
	}
	if text := fmt.Sprintf("%v %+v %#v", n, n, n); strings.Contains(text, "APIKEY0") {
		t.Errorf("%s", text)
	}
	if text, err := json.Marshal(n); err != nil || strings.Contains(string(text), "APIKEY0") {
		t.Errorf("%s, %v", text, err)
	}
	v = read(t, "", "--xrpl-network-file", key, "--xrpl-network", "devnet")
	if v.Network(); v.Err() == nil || !strings.Contains(v.Err().Error(), "set one of them") {
		t.Errorf("both settings: %v", v.Err())
	}
	for _, value := range []string{"", "mainet", "node.example", "ftp://node.example", "ws://", "http:x", "ws://a b"} {
		v := read(t, "", "--xrpl-network", value)
		v.Network()
		if v.Err() == nil {
			t.Errorf("%q is taken for a network", value)
		}
	}
	for listen, node := range map[string]string{":6006": "ws://127.0.0.1:6006", "0.0.0.0:6006": "ws://127.0.0.1:6006", "[::]:6006": "ws://127.0.0.1:6006", "localhost:6006": "ws://localhost:6006"} {
		v := read(t, "", "--sandbox-listen", listen)
		if n := v.Network(); n.Node.URL() != node || v.Err() != nil {
			t.Errorf("%s: %+v, %v", listen, n, v.Err())
		}
	}
}

func TestHostPort(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "127.0.0.1:+80"} {
		v := read(t, "", "--sandbox-listen", bad)
		v.HostPort("SANDBOX_LISTEN")
		if v.Err() == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(secret+"\n", 0o600)
	if got, err := SecretFile(path); err != nil || got != secret {
		t.Errorf("%q, %v", got, err)
	}
	write(secret, 0o644)
	if _, err := SecretFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
	write("\n", 0o600)
	if _, err := SecretFile(path); err == nil {
		t.Error("an empty file is taken")
	}
	write(strings.Repeat("s", maxSecretFile+1), 0o600)
	if _, err := SecretFile(path); err == nil || strings.Contains(err.Error(), "ssss") {
		t.Errorf("too long: %v", err)
	}
	if _, err := SecretFile(filepath.Dir(path)); err == nil {
		t.Error("a folder is taken")
	}
}

// A file of root's, as systemd and Kubernetes hand secrets over, may be its group's too, and nobody else's.
func TestExposed(t *testing.T) {
	for _, tc := range []struct {
		mode            os.FileMode
		own, handedOver bool
	}{
		{0o600, false, false}, {0o400, false, false}, {0o440, true, false}, {0o640, true, false}, {0o444, true, true}, {0o644, true, true},
		{0o660, true, true}, {0o450, true, true}, {0o604, true, true},
	} {
		if own, given := exposed(tc.mode, false), exposed(tc.mode, true); own != tc.own || given != tc.handedOver {
			t.Errorf("%04o: %t, and handed over %t", tc.mode, own, given)
		}
	}
}

func TestService(t *testing.T) {
	settings := Pick("HTTP_LISTEN", "ISSUER_URL")
	service := func(args ...string) (string, error) {
		t.Helper()
		c, err := Read(pflag.NewFlagSet("test", pflag.ContinueOnError), settings, args, filepath.Join(t.TempDir(), "none"))
		if err != nil {
			t.Fatal(err)
		}
		return c.Service(), c.Err()
	}
	for arg, want := range map[string]string{
		"--http-listen=0.0.0.0:8081": "http://127.0.0.1:8081", "--http-listen=[::1]:1": "http://[::1]:1", "--issuer-url=https://issuer.example/": "https://issuer.example",
		"--issuer-url=https://issuer.example/creds": "https://issuer.example/creds", "--issuer-url=": "http://127.0.0.1:8080",
	} {
		if got, err := service(arg); err != nil || got != want {
			t.Errorf("%s: %s, %v", arg, got, err)
		}
	}
	for _, bad := range []string{"ftp://x", "issuer.example", "http://", "https://me:hush@x", "https://x?a=b", "https://x#a", "http://a b"} {
		if _, err := service("--issuer-url=" + bad); err == nil || !strings.Contains(err.Error(), "ISSUER_URL must be") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for url, want := range map[string]bool{
		"http://127.0.0.1:8080": false, "http://localhost:1": false, "http://[::1]:1": false, "https://issuer.example": false, "http://issuer.example": true, "http://10.0.0.1": true, "http://localhost.example": true,
	} {
		if got := OpenToOthers(url); got != want {
			t.Errorf("%s: %t", url, got)
		}
	}
}
