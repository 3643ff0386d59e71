package ledger

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox"
)

// TestHeaderByIndex: a server that does not find a ledger by its hash is asked by its index, and the hash decides.
func TestHeaderByIndex(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer)
	direct := newClient(t, node.URL(), nil)
	last, err := direct.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, node.WebSocketURL())
	byHash := blindTo(t, p, "ledger_hash")
	h, err := newClient(t, p.ws(), func(c *Config) { c.LagWait = time.Hour }).headerOf(t.Context(), last.Index, last.Hash)
	if err != nil || h.Hash != last.Hash || h.Index != last.Index {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := newClient(t, p.ws(), nil).headerOf(t.Context(), last.Index-1, last.Hash); !missing(err) {
		t.Errorf("the ledger of another hash: %v", err)
	}
	if byHash() < 2 {
		t.Errorf("asked %d times by the hash", byHash())
	}
}

// blindTo has a proxy answer requests for `ledger` with a parameter as a node that does not have it. asked counts them.
func blindTo(t *testing.T, p *proxy, parameter string) (asked func() int64) {
	t.Helper()
	var n atomic.Int64
	p.filter(func(data []byte) []byte {
		var req map[string]any
		if err := json.Unmarshal(data, &req); err != nil {
			t.Error(err)
		}
		if req["command"] != "ledger" || req[parameter] == nil {
			return data
		}
		n.Add(1)
		p.answer(refuse(req, "lgrNotFound", ""))
		return nil
	}, nil)
	return n.Load
}
