package ledger

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// answering has a proxy answer requests of a command itself.
func answering(p *proxy, command, answer string) {
	id := regexp.MustCompile(`"id":(\d+)`)
	p.filter(func(data []byte) []byte {
		if !strings.Contains(string(data), `"command":"`+command+`"`) {
			return data
		}
		p.answer(`{"type":"response",` + answer + `,` + string(id.Find(data)) + `}`)
		return nil
	}, nil)
}

const nothingFound = `"status":"error","error":"txnNotFound","searched_all":true`

// TestWitnesses: what one node says counts where a second one says the same. Where it says otherwise, or nothing, it does not.
func TestWitnesses(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer, testAlice)
	lane, c := startLane(t, node.WebSocketURL(), nil, nil)
	done := submitAll(t.Context(), lane, 1)
	awaitOpen(t, c, 1)
	accept(t, node)
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	p := newProxy(t, node.WebSocketURL())
	witness := newClient(t, p.ws(), nil)
	w := NewWitnesses([]*Client{witness}, slog.New(slog.DiscardHandler))
	seed, _ := vectorSeed(t, "issuer", "ed25519")
	next := lane.Status().NextSequence
	unsent, err := seed.Sign(create(7), Terms{Account: lane.Account(), Fee: 10, Sequence: next, LastLedgerSequence: r.v.LedgerIndex + 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		accept(t, node)
	}
	attempts := func(_ context.Context, id model.OperationID) ([]model.Attempt, error) {
		if id == "sent" {
			return []model.Attempt{{Hash: r.v.Hash, Sequence: next - 1, FirstLedger: r.v.LedgerIndex - 1, LastLedgerSequence: r.v.LedgerIndex + 1}}, nil
		}
		return []model.Attempt{{Hash: unsent.Hash, Sequence: next, FirstLedger: r.v.LedgerIndex - 1, LastLedgerSequence: r.v.LedgerIndex + 1}}, nil
	}
	validated := model.Outcome{Operation: "sent", State: model.StateSucceeded, Result: &r.v}
	absent := model.Outcome{Operation: "unsent", State: model.StateExpired, Absent: []string{unsent.Hash}}
	confirm := func(what string, disagrees, confirmed bool, outcomes ...model.Outcome) {
		t.Helper()
		before := w.Disagreements()
		err := w.ConfirmOutcomes(t.Context(), lane.Account(), outcomes, attempts)
		var other *DisagreementError
		if (err == nil) != confirmed || !confirmed && model.CodeOf(err) != model.CodeLedgerUnavailable || errors.As(err, &other) != disagrees {
			t.Errorf("%s: %v", what, err)
		}
		if (w.Disagreements() > before) != disagrees {
			t.Errorf("%s: %d disagreements", what, w.Disagreements()-before)
		}
	}
	confirm("both are so", false, true, validated, absent, model.Outcome{Operation: "cancelled", State: model.StateCancelled})
	confirm("it is validated", true, false, model.Outcome{Operation: "sent", State: model.StateExpired, Absent: []string{r.v.Hash}})
	wrong := r.v
	wrong.EngineResult = "tecDUPLICATE"
	confirm("another result", true, false, model.Outcome{Operation: "sent", State: model.StateFailed, Result: &wrong})
	made := r.v
	made.Hash = unsent.Hash
	confirm("it is on no ledger", true, false, model.Outcome{Operation: "unsent", State: model.StateSucceeded, Result: &made})
	answering(p, "tx", nothingFound)
	confirm("the second node has nothing", true, false, validated)
	answering(p, "tx", `"status":"error","error":"internal"`)
	confirm("the second node cannot tell", false, false, validated)
	p.filter(nil, nil)

	at, err := c.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := c.CredentialAt(t.Context(), at, testAlice, lane.Account(), create(0).Type)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ConfirmValid(t.Context(), at, found); err != nil {
		t.Error(err)
	}
	other := found
	other.Accepted = !found.Accepted
	for what, lie := range map[string]func() error{
		"another credential": func() error { return w.ConfirmValid(t.Context(), at, other) },
		"none": func() error {
			answering(p, "ledger_entry", `"status":"error","error":"entryNotFound"`)
			return w.ConfirmValid(t.Context(), at, found)
		},
	} {
		var disagrees *DisagreementError
		if err := lie(); model.CodeOf(err) != model.CodeLedgerUnavailable || !errors.As(err, &disagrees) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := (*Witnesses)(nil).ConfirmOutcomes(t.Context(), lane.Account(), []model.Outcome{validated}, attempts); err != nil {
		t.Error(err)
	}
}

// TestNamedNetworks: a public network is told by its id, and by the oldest ledger of Mainnet, where a node shows them.
func TestNamedNetworks(t *testing.T) {
	t.Parallel()
	var id, ledger string
	s := newStub(t, func(_ int, method string, p map[string]any) string {
		switch {
		case method == "server_info":
			return reply(p, `{"info":{"complete_ledgers":"2-9","server_state":"full"`+id+`}}`)
		case ledger == "":
			return refuse(p, "lgrNotFound", "")
		}
		return reply(p, ledger)
	})
	c := newClient(t, s.ws(), nil)
	another := strings.NewReplacer("4109C6F2", "83A56B35", "410325670", "410325671").Replace(mainnetHeader)
	for _, tt := range []struct {
		name, id, ledger string
		network          uint32
		refused          bool
	}{
		{"Mainnet", "", "", 0, false},
		{"Mainnet with history", `,"network_id":0`, mainnetHeader, 0, false},
		{"Testnet as Mainnet", `,"network_id":1`, "", 0, true},
		{"Testnet", `,"network_id":1`, "", 1, false},
		{"Testnet without an id", "", "", 1, false},
		{"Devnet as Testnet", `,"network_id":2`, "", 1, true},
		{"Mainnet as Testnet", "", mainnetHeader, 1, true},
		{"an answer that is none", "", another, 0, false},
	} {
		id, ledger = tt.id, strings.ReplaceAll(tt.ledger, "\n", "")
		if err := c.CheckNamed(t.Context(), tt.network); isOther(err) != tt.refused || !tt.refused && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
