package sandbox

import (
	"net/http"
	"testing"
	"time"
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
