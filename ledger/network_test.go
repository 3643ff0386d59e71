package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

func (c *Client) mustNetwork(t *testing.T) model.Network {
	t.Helper()
	n, err := c.Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func isOther(err error) bool {
	var other *OtherNetworkError
	return errors.As(err, &other)
}

// TestNetwork: one sandbox stays the same through all that it does, also for a journal that knew it when it was young; another
// is told apart, whatever its age; over both ways to a node.
func TestNetwork(t *testing.T) {
	first, second := startSandbox(t, sandbox.Config{}), startSandbox(t, sandbox.Config{})
	fund(t, first, 1000, testIssuer, testAlice)
	fund(t, second, 1000, testBob)
	for _, url := range []func(*sandbox.Server) string{(*sandbox.Server).URL, (*sandbox.Server).WebSocketURL} {
		c, d := newClient(t, url(first), nil), newClient(t, url(second), nil)
		same := func(known model.Network) model.Network {
			t.Helper()
			now, err := c.SameNetwork(t.Context(), known)
			if err != nil || now.First != known.First {
				t.Fatalf("%+v, known %+v, %v", now, known, err)
			}
			if _, err := d.SameNetwork(t.Context(), known); !isOther(err) {
				t.Fatalf("the other one: %v", err)
			}
			return now
		}
		young := c.mustNetwork(t)
		if young.ID != 0 || young.First != young.Last || young.Last.Hash == "" || young.Last.CloseTime == 0 || young.Last.BaseFee != 0 {
			t.Errorf("%+v", young)
		}
		same(young)
		for range 3 {
			accept(t, first)
			accept(t, second)
		}
		now := same(young)
		if now.Last.Index != young.Last.Index+3 {
			t.Errorf("%+v", now)
		}
		same(now)
		for range 2 * model.FlagInterval { // out of the list of the last ones
			accept(t, first)
			accept(t, second)
		}
		old := same(now)
		if old.Flag.Index == 0 || old.Flag.Index%model.FlagInterval != 0 || old.Flag.Index >= old.Last.Index {
			t.Errorf("%+v", old)
		}
		if again := same(old); again.Flag != old.Flag {
			t.Errorf("the flag ledger was %+v and is %+v", old.Flag, again.Flag)
		}
	}
}

// TestNetworkBegunAnew: a ledger that is younger than what was seen is another one where its ledgers or its close time say so,
// and behind where they do not.
func TestNetworkBegunAnew(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 1000, testIssuer)
	for range 8 {
		accept(t, node)
	}
	c := newClient(t, node.WebSocketURL(), nil)
	now := c.mustNetwork(t)
	// What was seen of another ledger: longer, with an earlier close time.
	seen := now
	seen.Last = model.Ledger{Index: now.Last.Index + 50, Hash: testHash, CloseTime: now.Last.CloseTime}
	if _, err := c.SameNetwork(t.Context(), seen); !isOther(err) || !strings.Contains(err.Error(), "closed at") {
		t.Errorf("it is shorter and not older: %v", err)
	}
	// Longer and later, but its first ledger is not this one's.
	seen.Last.CloseTime += 500
	seen.First = model.Ledger{Index: 2, Hash: testHash, CloseTime: 5}
	if _, err := c.SameNetwork(t.Context(), seen); !isOther(err) || !strings.Contains(err.Error(), testHash) {
		t.Errorf("ledger 2 is another: %v", err)
	}
	// All that this node shows fits: it may have to catch up.
	seen.First = now.First
	if _, err := c.SameNetwork(t.Context(), seen); model.CodeOf(err) != model.CodeLedgerUnavailable || isOther(err) || !Behind(err) {
		t.Errorf("behind: %v", err)
	}
	// Shorter than what is there, with a later close time.
	seen.Last = model.Ledger{Index: now.Last.Index - 1, Hash: testHash, CloseTime: now.Last.CloseTime}
	if _, err := c.SameNetwork(t.Context(), seen); !isOther(err) {
		t.Errorf("an earlier ledger that closed later: %v", err)
	}
	for id, refused := range map[uint32]bool{0: false, 2: false} { // the sandbox says none
		known := now
		known.ID = id
		if _, err := c.SameNetwork(t.Context(), known); isOther(err) != refused {
			t.Errorf("network id %d: %v", id, err)
		}
	}
}

// publicNode answers as a node of a public network with little history: it has the last ledgers, and what every ledger has.
func publicNode(t *testing.T, networkID string, last uint32, flags map[uint32]string, entry func(params map[string]any) string) *stubNode {
	return newStub(t, func(_ int, method string, p map[string]any) string {
		switch method {
		case "server_info":
			return reply(p, `{"info":{"complete_ledgers":"`+fmt.Sprintf("%d-%d", last-20, last)+`","server_state":"full"`+networkID+`}}`)
		case "server_state":
			return reply(p, fmt.Sprintf(`{"state":{"validated_ledger":{"seq":%d,"hash":"%s","close_time":%d,"base_fee":10,"reserve_base":1000000,"reserve_inc":200000}}}`,
				last, strings.Repeat("A", 64), last*4))
		case "ledger":
			return refuse(p, "lgrNotFound", "")
		case "ledger_entry":
			if entry != nil {
				if text := entry(p); text != "" {
					return text
				}
			}
			key, _ := p["index"].(string)
			for index, hash := range flags {
				if key == skipKey(index>>16) {
					return reply(p, fmt.Sprintf(`{"index":"%s","validated":true,"node":{"LedgerEntryType":"LedgerHashes","LastLedgerSequence":%d,"Hashes":["%s"]}}`, key, index, hash))
				}
			}
			return refuse(p, "entryNotFound", "")
		}
		t.Errorf("asked for %s", method)
		return refuse(p, "unknownCmd", "")
	})
}

// TestNetworkOfAPublicNode: a node with little history is never refused for it, and the flag ledger tells a network from another
// where the node shows nothing else, and where it does not name its network.
func TestNetworkOfAPublicNode(t *testing.T) {
	const flag = 5_000_192 &^ (model.FlagInterval - 1)
	ours, theirs := strings.Repeat("1", 64), strings.Repeat("2", 64)
	known := model.Network{ID: 1, First: model.Ledger{Index: 5_000_000, Hash: testHash, CloseTime: 20_000_000},
		Flag: model.Ledger{Index: flag, Hash: ours}, Last: model.Ledger{Index: 5_100_000, Hash: testHash, CloseTime: 20_400_000}}
	for _, tc := range []struct {
		name, id string
		flags    map[uint32]string
		other    string
	}{
		{"the same", `,"network_id":1`, map[uint32]string{flag: ours}, ""},
		{"it does not say which network", "", map[uint32]string{flag: ours}, ""},
		{"it shows nothing that old", `,"network_id":1`, nil, ""},
		{"another network", `,"network_id":2`, map[uint32]string{flag: ours}, "its network id is 2, and was 1"},
		{"another, without a name", "", map[uint32]string{flag: theirs}, fmt.Sprintf("its ledger %d is %s, and was %s", flag, theirs, ours)},
		{"begun anew, and longer now", `,"network_id":1`, map[uint32]string{flag: theirs}, fmt.Sprintf("its ledger %d is ", flag)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClient(t, publicNode(t, tc.id, 5_200_000, tc.flags, nil).ws(), nil)
			now, err := c.SameNetwork(context.Background(), known)
			switch {
			case tc.other != "":
				if !isOther(err) || !strings.Contains(err.Error(), tc.other) {
					t.Errorf("%v, want %s", err, tc.other)
				}
			case err != nil || now.Flag != known.Flag || now.First != known.First || now.Last.Index != 5_200_000:
				t.Errorf("%+v, %v", now, err)
			}
		})
	}
}

// TestNetworkNonsense: what makes no sense proves nothing.
func TestNetworkNonsense(t *testing.T) {
	const flag = 5_000_192 &^ (model.FlagInterval - 1)
	known := model.Network{First: model.Ledger{Index: 5_000_000, Hash: testHash, CloseTime: 20_000_000},
		Flag: model.Ledger{Index: flag, Hash: testHash}, Last: model.Ledger{Index: 5_100_000, Hash: testHash, CloseTime: 20_400_000}}
	for name, node := range map[string]string{
		"not validated":   `{"index":"%s","validated":false,"node":{"LedgerEntryType":"LedgerHashes","LastLedgerSequence":%d,"Hashes":["%s"]}}`,
		"another entry":   `{"index":"%s","validated":true,"node":{"LedgerEntryType":"AccountRoot","LastLedgerSequence":%d,"Hashes":["%s"]}}`,
		"no last ledger":  `{"index":"%s","validated":true,"node":{"LedgerEntryType":"LedgerHashes","Last":%d,"Hashes":["%s"]}}`,
		"no hash":         `{"index":"%s","validated":true,"node":{"LedgerEntryType":"LedgerHashes","LastLedgerSequence":%d,"Hashes":["%s x"]}}`,
		"the wrong entry": `{"index":"x%s","validated":true,"node":{"LedgerEntryType":"LedgerHashes","LastLedgerSequence":%d,"Hashes":["%s"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, publicNode(t, "", 5_200_000, nil, func(p map[string]any) string {
				return reply(p, fmt.Sprintf(node, p["index"], flag, strings.Repeat("2", 64)))
			}).ws(), nil)
			if _, err := c.SameNetwork(context.Background(), known); model.CodeOf(err) != model.CodeLedgerUnavailable || isOther(err) || Behind(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestSkipKey: the keys are those of the public documentation (LedgerHashes) and of rippled.
func TestSkipKey(t *testing.T) {
	if got := skipKey(); got != "B4979A36CDC7F3D3D5C31A4EAE2AC7D7209DDA877588B9AFC66799692AB0D66B" {
		t.Error(got)
	}
}
