package main

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/store"
)

// TestNodeKeyStaysSecret: providers of nodes put an API key into the address. It is in nothing that the service prints, logs,
// answers or stores, whether it starts or not; and a journal of an earlier release that holds it loses it.
func TestNodeKeyStaysSecret(t *testing.T) {
	const key = "CANARYKEY0123456789"
	t.Setenv("ISSUER_ACCOUNT_SEED", edSeed)
	node, dir := nodeWith(t, "127.0.0.1:0", edAddress), t.TempDir()
	file := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(file, []byte("ws://u:"+key+"@"+node.Addr()+"/v1/"+key+"/?apikey="+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--http-listen=127.0.0.1:0", "--xrpl-network-file=" + file, "--data-dir=" + dir, "--log-level=debug"}
	clean := func(what, text string) {
		t.Helper()
		if i := strings.Index(text, key); i >= 0 {
			t.Errorf("%s has the key: %q", what, text[max(0, i-100):min(len(text), i+50)])
		}
	}
	running := boot(t, args...)
	if status := running.request(t, edAddress, "Keyed"); status != http.StatusCreated {
		t.Fatal(status)
	}
	for _, path := range []string{"/admin/status", "/metrics", "/readyz", "/admin/credential"} {
		_, answer := paste(t, []string{"", "", "GET", "", running.field(t, "HTTP") + path})
		clean(path, string(answer))
	}
	if err := running.stop(); err != nil {
		t.Fatal(err)
	}
	clean("the banner", running.out.String())
	clean("the log", running.log.String())

	journal, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "issuer.db")})
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := journal.Network(t.Context())
	if err != nil || n.Name != "ws://"+node.Addr() {
		t.Errorf("%+v, %v", n, err)
	}
	n.Name = "ws://" + node.Addr() + "/v1/" + key // as an earlier release stored it
	if err := journal.SeeNetwork(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	if err := boot(t, args...).stop(); err != nil {
		t.Fatal(err)
	}
	inFiles(t, dir, clean)

	if err := node.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	nodeWith(t, node.Addr(), edAddress) // another ledger: the error names the journal's and the node's
	out, log := newTerminal(), newTerminal()
	err = run(t.Context(), args, noFile(t), console{strings.NewReader(""), out, log})
	if err == nil || !strings.Contains(err.Error(), "shows another ledger") {
		t.Fatalf("%v\n%s", err, log)
	}
	clean("the error", err.Error())
	clean("the log", log.String())
	verdict, said, _ := command(t, "verify", edAddress, edAddress, "Keyed", "--xrpl-network=ws://127.0.0.1:1/"+key)
	clean("issuer verify", verdict+said)
}

// inFiles looks into every file of a folder.
func inFiles(t *testing.T, dir string, clean func(what, text string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		clean(path, string(text))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
