package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// A server that has closed no ledger reports no consensus time (NetworkOPs.cpp, Consensus.h).
func TestLastClose(t *testing.T) {
	s := startServer(t, Config{})
	c := &town{Server: s, client: &http.Client{Timeout: 20 * time.Second}}
	want := func(seconds, milliseconds string) {
		t.Helper()
		if got := text(c.ask(t, "server_info", `{}`), "info", "last_close", "converge_time_s"); got != seconds {
			t.Errorf("server_info has %s, want %s", got, seconds)
		}
		if got := text(c.ask(t, "server_state", `{}`), "state", "last_close", "converge_time"); got != milliseconds {
			t.Errorf("server_state has %s, want %s", got, milliseconds)
		}
	}
	want("0", "0")
	if _, err := s.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("0.1", "100")
}

// A veto of an unknown amendment makes it known: unsupported, not enabled, and vetoed until the vote is taken back
// (Feature.cpp, AmendmentTable.cpp). Other votes change nothing.
func TestFeatureVetoOfUnknown(t *testing.T) {
	w := newTown(t)
	id := strings.Repeat("AB", 32)
	known := len(w.ask(t, "feature", `{}`)["features"].(map[string]any))
	for i, k := range []struct{ params, want string }{
		{`"feature":"` + id + `","vetoed":false`, ""},
		{`"feature":"` + strings.ToLower(id) + `","vetoed":true`, `{"enabled":false,"supported":false,"vetoed":true}`},
		{`"feature":"` + id + `"`, `{"enabled":false,"supported":false,"vetoed":true}`},
		{`"feature":"` + id + `","vetoed":0`, `{"enabled":false,"supported":false,"vetoed":false}`},
		{`"feature":"` + id + `","vetoed":"x"`, `{"enabled":false,"supported":false,"vetoed":true}`},
		{`"feature":"Nonsense","vetoed":true`, ""},
	} {
		r := w.ask(t, "feature", "{"+k.params+"}")
		if got := text(r, id); got != k.want || k.want == "" && r["error"] != "badFeature" {
			t.Errorf("%d: %v, want %s", i, r, k.want)
		}
	}
	all := w.ask(t, "feature", `{}`)["features"].(map[string]any)
	if len(all) != known+1 || text(all, id) != `{"enabled":false,"supported":false,"vetoed":true}` {
		t.Errorf("%d features, before %d; %s", len(all), known, text(all, id))
	}
	for range maxUnknownAmendments + 1 {
		id := codec.Sha512Half([]byte(fmt.Sprint(len(w.votes.vetoed)))).String()
		w.ask(t, "feature", `{"feature":"`+id+`","vetoed":true}`)
	}
	if n := len(w.votes.vetoed); n != maxUnknownAmendments {
		t.Errorf("%d unknown amendments are remembered", n)
	}
}

// After the close that follows a flag ledger, what is not enabled has the result of the last vote, in which nobody took part
// (RCLConsensus.cpp, onClose; AmendmentTable.cpp, injectJson).
func TestFeatureAfterVote(t *testing.T) {
	w := newTown(t)
	retired, enabled := codec.Sha512Half([]byte("MultiSign")).String(), codec.Sha512Half([]byte("Credentials")).String()
	check := func(want string) {
		t.Helper()
		r := w.ask(t, "feature", `{"feature":"MultiSign"}`)
		if got := text(r, retired); got != want {
			t.Errorf("in ledger %d: %s, want %s", w.node.Closed().Seq, got, want)
		}
		all := w.ask(t, "feature", `{}`)
		if got := text(all, "features", retired); got != want {
			t.Errorf("in ledger %d: %s among all, want %s", w.node.Closed().Seq, got, want)
		}
		if got := text(all, "features", enabled); got != `{"enabled":true,"name":"Credentials","supported":true}` {
			t.Error(got)
		}
	}
	for w.node.Closed().Seq < 256 {
		if _, err := w.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check(`{"enabled":false,"name":"MultiSign","supported":true,"vetoed":"Obsolete"}`)
	if _, err := w.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(`{"count":0,"enabled":false,"name":"MultiSign","supported":true,"threshold":1,"validations":0,"vetoed":"Obsolete"}`)
}
