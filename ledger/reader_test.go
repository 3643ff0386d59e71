package ledger

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// A reader takes the ledger from the stream of its client, and its calls from a connection of its own: one that does not answer
// leaves the other alone.
func TestReader(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	node := newStub(t, func(_ int, method string, params map[string]any) string {
		switch method {
		case "subscribe":
			return reply(params, closedText(5))
		case "server_state":
			asked.Add(1)
			return reply(params, stateResult(6))
		case "ledger_entry":
			return "" // no answer
		}
		return refuse(params, "unknownCmd", "")
	})
	c := newClient(t, node.ws(), nil)
	r := c.Reader()
	defer r.Close()
	w := c.Watch()
	defer w.Stop()
	events := reader{w: w}
	events.next(t, EventUp)

	if l, err := r.Recent(t.Context()); err != nil || l.Index != 5 || asked.Load() != 0 {
		t.Fatalf("ledger %d, %v, after %d requests", l.Index, err, asked.Load())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _, err := r.CredentialAt(ctx, model.Ledger{Index: 5, Hash: testHash}, testAlice, testIssuer, "A")
	if model.CodeOf(err) != model.CodeLedgerUnavailable {
		t.Errorf("a request without an answer: %v", err)
	}
	if l, err := c.Ledger(t.Context()); err != nil || l.Index != 6 {
		t.Errorf("the client: ledger %d, %v", l.Index, err)
	}
	node.mu.Lock()
	connections := len(node.conns)
	node.mu.Unlock()
	if connections != 2 {
		t.Errorf("%d connections", connections)
	}

	before := asked.Load()
	c.hub.health.mu.Lock()
	c.hub.health.heard = time.Now().Add(-headFresh - time.Second)
	c.hub.health.mu.Unlock()
	if l, err := r.Recent(t.Context()); err != nil || l.Index != 6 || asked.Load() != before+1 {
		t.Errorf("ledger %d, %v, after %d requests: the stream has told of none for a while", l.Index, err, asked.Load()-before)
	}
	r.Close()
	if _, err := r.Ledger(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed reader: %v", err)
	}
	if _, err := c.Ledger(t.Context()); err != nil {
		t.Errorf("the client of a closed reader: %v", err)
	}
}
