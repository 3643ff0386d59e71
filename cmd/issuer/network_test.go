package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// refusedStart runs the program, which must not start, and returns what it says.
func refusedStart(t *testing.T, want []string, args ...string) {
	t.Helper()
	out, log := newTerminal(), newTerminal()
	err := run(t.Context(), args, noFile(t), console{strings.NewReader(""), out, log})
	if err == nil || exitStatus(err) != 2 || out.String() != "" {
		t.Fatalf("%v\n%s%s", err, out, log)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

func (s *service) request(t *testing.T, subject, credential string) int {
	t.Helper()
	body := fmt.Sprintf(`{"subject":"%s","credential":"%s","documents":{"reason":"please"}}`, subject, credential)
	status, answer := paste(t, []string{"", "Content-Type: application/json", "POST", body, s.field(t, "HTTP") + "/credential"})
	if status != http.StatusCreated {
		t.Logf("%s: %d %s", credential, status, answer)
	}
	return status
}

// TestSandboxRemoved: the embedded ledger's files are removed and its journal is left. The new ledger is told from the one that
// the journal is of, and nothing is done on it; without the journal it is taken.
func TestSandboxRemoved(t *testing.T) {
	dir := t.TempDir()
	first := boot(t, onSandbox(dir)...)
	if status := first.request(t, first.field(t, "Subject"), "Before"); status != http.StatusCreated {
		t.Fatal(status)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	again := boot(t, onSandbox(dir)...) // its own ledger, grown older
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "sandbox")); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir, "issuer.db")
	refusedStart(t, []string{"XRPL_NETWORK: the journal in " + journal + " belongs to sandbox (ledger ", "another DATA_DIR", "move the journal away"}, onSandbox(dir)...)
	if _, err := os.Stat(filepath.Join(dir, "sandbox", "issuer.seed")); !os.IsNotExist(err) {
		t.Errorf("accounts were made on the new ledger: %v", err)
	}
	for _, name := range []string{journal, journal + "-wal", journal + "-shm"} {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	s := boot(t, onSandbox(dir)...)
	if status := s.request(t, s.field(t, "Subject"), "After"); status != http.StatusCreated {
		t.Error(status)
	}
}

// nodeWith starts a ledger, with an issuing account of the seed funded on it.
func nodeWith(t *testing.T, listen, account string) *sandbox.Server {
	t.Helper()
	node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: listen, CloseInterval: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close(context.Background()) })
	for _, a := range []string{"", account} { // to an account of its own first: else two ledgers of the same moment are the same
		if _, err := node.Fund(t.Context(), a, 1_000_000_000); err != nil {
			t.Fatal(err)
		}
	}
	return node
}

// TestJournalOfAnotherNode: the same seed and the same journal, on SQLite and on PostgreSQL, at another node of the same ledger
// and at one of another; and a journal of which it is not known yet what it belongs to.
func TestJournalOfAnotherNode(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			place := "issuer.db"
			if database == "postgres" {
				t.Setenv("DATABASE_URL", postgresSchema(t))
				place = "the journal in DATABASE_URL"
			}
			t.Setenv("ISSUER_ACCOUNT_SEED", edSeed)
			here, there := nodeWith(t, "127.0.0.1:0", edAddress), nodeWith(t, "127.0.0.1:0", edAddress)
			dir := t.TempDir()
			at := func(url string) []string {
				return []string{"--http-listen=127.0.0.1:0", "--xrpl-network=" + url, "--data-dir=" + dir}
			}
			for _, url := range []string{here.WebSocketURL(), here.URL()} { // two ways to the same ledger
				s := boot(t, at(url)...)
				if status := s.request(t, edAddress, "Way"+strings.SplitN(url, ":", 2)[0]); status != http.StatusCreated {
					t.Fatal(status)
				}
				if err := s.stop(); err != nil {
					t.Fatal(err)
				}
			}
			refusedStart(t, []string{place, "belongs to " + here.WebSocketURL(), "the node at " + there.WebSocketURL() + " shows another ledger: ", "Devnet"},
				at(there.WebSocketURL())...)
			boot(t, at(here.URL())...)
		})
	}
}

// TestNodeReplaced: another ledger comes up at the node's address while the service runs. Nothing is issued there, and what was
// pending is neither sent nor settled; the service goes on as soon as its own ledger is back, and a start at the other is refused.
func TestNodeReplaced(t *testing.T) {
	t.Setenv("ISSUER_ACCOUNT_SEED", edSeed)
	files := t.TempDir()
	own := func(listen string) *sandbox.Server {
		node, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{Listen: listen, DataDir: files, CloseInterval: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return node
	}
	node := own("127.0.0.1:0")
	if _, err := node.Fund(t.Context(), edAddress, 1_000_000_000); err != nil {
		t.Fatal(err)
	}
	settings := []string{"--http-listen=127.0.0.1:0", "--xrpl-network=" + node.WebSocketURL(), "--data-dir=" + t.TempDir(), "--wait-limit=2s", "--rate-limit-client=0", "--rate-limit-subject=0"}
	s := boot(t, settings...)
	if status := s.request(t, edAddress, "First"); status != http.StatusCreated {
		t.Fatal(status)
	}
	if err := node.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	other := nodeWith(t, node.Addr(), edAddress)
	for !strings.Contains(s.log.String(), "the node shows another ledger than the journal's") {
		<-s.log.wrote
	}
	if status := s.request(t, edAddress, "Second"); status < http.StatusInternalServerError {
		t.Errorf("on another ledger: %d", status)
	}
	if err := other.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	node = own(node.Addr())
	for n := 0; s.request(t, edAddress, fmt.Sprintf("Third%d", n)) != http.StatusCreated; n++ { // each waits
		if n == 30 {
			t.Fatalf("it does not go on:\n%s", s.log)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if err := node.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	nodeWith(t, node.Addr(), edAddress)
	refusedStart(t, []string{"shows another ledger"}, settings...)
}

// TestJournalKeepsWhatWasLookedAt: what the stream tells of is not kept unseen. One wrong message before the end does not have
// the next start take the node's ledger for another one; a true one is kept.
func TestJournalKeepsWhatWasLookedAt(t *testing.T) {
	node := nodeWith(t, "127.0.0.1:0", edAddress)
	journal, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "issuer.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = journal.Close() }()
	client, err := ledger.New(ledger.Config{URL: node.WebSocketURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	guard := func() *networkGuard {
		return newNetworkGuard(client, journal, settings{}, slog.New(slog.DiscardHandler))
	}
	for _, ahead := range []uint32{1, 200} {
		g := guard()
		if err := g.start(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		last, err := client.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g.hear([]ledger.Event{{Kind: ledger.EventLedger, Ledger: model.Ledger{Index: last.Index + ahead, Hash: strings.Repeat("A", 64), CloseTime: last.CloseTime}}})
		g.keep(t.Context())
	}
	g := guard()
	if err := g.start(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	last, err := client.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.hear([]ledger.Event{{Kind: ledger.EventLedger, Ledger: last}})
	g.keep(t.Context())
	if kept, _, err := journal.Network(t.Context()); err != nil || kept.Last.Index < last.Index {
		t.Errorf("kept ledger %d of %d, %v", kept.Last.Index, last.Index, err)
	}
}

// TestSecondNode: with another node of the same ledger the service issues and verifies; with one of another ledger, or one that
// does not answer, it does not start or concludes nothing.
func TestSecondNode(t *testing.T) {
	t.Setenv("ISSUER_ACCOUNT_SEED", edSeed)
	here, there := nodeWith(t, "127.0.0.1:0", edAddress), nodeWith(t, "127.0.0.1:0", edAddress)
	args := []string{"--http-listen=127.0.0.1:0", "--xrpl-network=" + here.WebSocketURL(), "--data-dir=" + t.TempDir(), "--wait-limit=2s"}
	t.Setenv("XRPL_NODES", there.URL())
	refusedStart(t, []string{"XRPL_NODES: the nodes show different ledgers", there.URL()}, args...)
	t.Setenv("XRPL_NODES", "http://127.0.0.1:1, "+here.URL())
	s := boot(t, args...)
	if status := s.request(t, edAddress, "Confirmed"); status != http.StatusCreated {
		t.Errorf("%d\n%s", status, s.log)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XRPL_NODES", "http://127.0.0.1:1")
	s = boot(t, args...)
	if status := s.request(t, edAddress, "Unconfirmed"); status != http.StatusAccepted {
		t.Errorf("%d\n%s", status, s.log)
	}
	if !strings.Contains(s.log.String(), "no second node confirms") {
		t.Errorf("nothing of it in the log:\n%s", s.log)
	}
}

// TestNodesInSettings: addresses that cannot be are refused without being repeated, and plain ones of other machines are warned of.
func TestNodesInSettings(t *testing.T) {
	t.Setenv("ISSUER_ACCOUNT_SEED", edSeed)
	for value, refused := range map[string]bool{"": false, "wss://a.example/key": false, "ws://a.example , http://127.0.0.1:5005": false, "ftp://a.example/key": true, "wss://a.example,b/key": true} {
		t.Setenv("XRPL_NODES", value)
		s, _, err := readSettings([]string{"--xrpl-network=wss://b.example"}, noFile(t))
		if (err != nil) != refused || err != nil && strings.Contains(err.Error(), "key") && strings.Contains(err.Error(), "example/key") {
			t.Errorf("%s: %v", value, err)
		}
		plain := 0
		for _, w := range s.warnings {
			if strings.Contains(w, "is not encrypted") {
				plain++
			}
		}
		if want := strings.Count(value, "ws://a"); !refused && plain != want {
			t.Errorf("%s: %d warnings of %d", value, plain, want)
		}
	}
}
