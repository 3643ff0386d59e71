package ledger

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// Two hundred at once are in the next ledger, all of them, and each answer is what `tx` says.
func TestLaneSimultaneous(t *testing.T) {
	for _, way := range []string{"ws", "http"} {
		t.Run(way, func(t *testing.T) {
			node := startSandbox(t, sandbox.Config{})
			fund(t, node, 1000, testIssuer, testAlice)
			url := node.WebSocketURL()
			if way == "http" {
				url = node.URL()
			}
			lane, client := startLane(t, url, nil, nil)
			const n = 200
			outcomes := submitAll(t.Context(), lane, n)
			awaitOpen(t, client, n)
			index := accept(t, node)
			for range n {
				o := <-outcomes
				if o.err != nil {
					t.Fatalf("%d: %v", o.n, o.err)
				}
				if o.v.LedgerIndex != index || !o.v.Succeeded() {
					t.Errorf("%d: %s in ledger %d, want %d", o.n, o.v.EngineResult, o.v.LedgerIndex, index)
				}
				if o.n%20 == 0 {
					wantSameAsTx(t, client, o.v)
				}
			}
			if all := onLedger(t, node.URL()); len(all) != n {
				t.Errorf("%d credentials on the ledger, want %d", len(all), n)
			}
			if s := lane.Status(); !s.Up || s.Trouble != "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// wantSameAsTx compares a result with what the node answers to `tx`.
func wantSameAsTx(t *testing.T, c *Client, v model.Validated) {
	t.Helper()
	var want, got map[string]any
	err := c.call(t.Context(), "tx", map[string]any{"transaction": v.Hash}, func(raw json.RawMessage) error { return json.Unmarshal(raw, &want) })
	if err != nil {
		t.Fatal(err)
	}
	delete(want, "status") // of the answer over HTTP, not of the transaction
	want["engine_result"], want["engine_result_code"], want["engine_result_message"] = v.EngineResult, float64(v.EngineResultCode), v.EngineResultMessage
	if err := json.Unmarshal(v.Body, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		a, _ := json.Marshal(want)
		t.Errorf("result\n%s\ntx\n%s", v.Body, a)
	}
}

var _ = context.Background
