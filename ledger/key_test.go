package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// sendFields signs any transaction and closes the ledger with it.
func sendFields(t *testing.T, node *sandbox.Server, c *Client, seed Seed, fields map[string]any) {
	t.Helper()
	account := model.Address(fields["Account"].(string))
	info, err := c.accountInfo(t.Context(), account, currentIndex)
	if err != nil {
		t.Fatal(err)
	}
	fields["Sequence"], fields["Fee"], fields["SigningPubKey"] = info.Sequence, "10", seed.PublicKey()
	blob, hash := signFields(t, fields, seed)
	s, err := c.Submit(t.Context(), Signed{Blob: blob, Hash: hash})
	if err != nil || s.EngineResult != "tesSUCCESS" {
		t.Fatalf("%v: %+v, %v", fields, s, err)
	}
	accept(t, node)
}

func TestCheckKey(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 100, testIssuer)
	issuer, _ := vectorSeed(t, "issuer", "ed25519")
	alice, _ := vectorSeed(t, "alice", "ed25519")
	bob, _ := vectorSeed(t, "bob", "secp256k1")
	c := newClient(t, node.URL(), nil)
	check := func(name string, account model.Address, seed Seed, want ...string) {
		t.Helper()
		err := CheckKey(t.Context(), c, account, seed)
		if len(want) == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		var e *KeyError
		if !errors.As(err, &e) || e.Account != account {
			t.Errorf("%s: got %v", name, err)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
	check("its own key", testIssuer, issuer)
	check("no seed", testIssuer, Seed{}, "no seed")
	check("not on the ledger", testAlice, alice, "not on the ledger", "send it XRP", "1 XRP", string(testAlice))
	check("another's key, no regular key", testIssuer, alice, string(testAlice), "no regular key", "SetRegularKey")

	sendFields(t, node, c, issuer, map[string]any{"TransactionType": "SetRegularKey", "Account": string(testIssuer), "RegularKey": string(testBob)})
	check("the regular key", testIssuer, bob)
	check("its own key beside a regular key", testIssuer, issuer)
	check("another's key", testIssuer, alice, "regular key, "+string(testBob), "master key, "+string(testIssuer))

	const asfDisableMaster = 4
	sendFields(t, node, c, issuer, map[string]any{"TransactionType": "AccountSet", "Account": string(testIssuer), "SetFlag": uint32(asfDisableMaster)})
	check("its own key, disabled", testIssuer, issuer, "disabled", "regular key, "+string(testBob), string(testIssuer)+" as the account's address")
	check("the regular key of a disabled master", testIssuer, bob)
	check("another's key, master disabled", testIssuer, alice, "regular key, "+string(testBob))
	if err := CheckKey(t.Context(), c, testIssuer, alice); strings.Contains(err.Error(), "master key, ") {
		t.Errorf("advises a disabled key: %v", err)
	}

	// A lane signs with the regular key for the account.
	lane, err := NewLane(c, LaneConfig{Account: testIssuer, Seed: bob})
	if err != nil {
		t.Fatal(err)
	}
	fund(t, node, 100, testAlice)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	outcomes := submitAll(t.Context(), lane, 1)
	awaitOpen(t, c, 1)
	accept(t, node)
	o := <-outcomes
	cancel()
	if err := <-done; err != nil || o.err != nil {
		t.Fatalf("%v, %v", err, o.err)
	}
	var body struct {
		Tx struct {
			Account       model.Address
			SigningPubKey string
		} `json:"tx_json"`
	}
	if err := json.Unmarshal(o.v.Body, &body); err != nil || body.Tx.Account != testIssuer || body.Tx.SigningPubKey != bob.PublicKey() {
		t.Errorf("sent by %+v (%v)", body.Tx, err)
	}
}

func TestCheckKeyOnOtherNodes(t *testing.T) {
	issuer, _ := vectorSeed(t, "issuer", "ed25519")
	account := func(balance string, flags int, regular string) string {
		return `{"account_data":{"Account":"` + string(testIssuer) + `","Balance":"` + balance + `","Flags":` + strconv.Itoa(flags) +
			`,"OwnerCount":0,"Sequence":5` + regular + `},"ledger_index":7,"ledger_hash":"` + testHash + `","validated":true}`
	}
	feature := func(enabled bool) string {
		return `{"` + testHash + `":{"name":"Credentials","enabled":` + strconv.FormatBool(enabled) + `,"supported":true}}`
	}
	tests := []struct {
		name, account, feature, refusal string
		want                            string // "" is all well
		code                            model.Code
	}{
		{"all well", account("1000000", 0, ""), feature(true), "", "", ""},
		{"no money for a fee", account("9", 0, ""), feature(true), "", "9 drops", ""},
		{"disabled, with nothing else", account("1000000", 0x100000, ""), feature(true), "", "signer list", ""},
		{"no credentials there", account("1000000", 0, ""), feature(false), "", "does not know credentials", ""},
		{"too old for credentials", account("1000000", 0, ""), "", "badFeature", "does not know credentials", ""},
		{"a node that does not tell", account("1000000", 0, ""), "", "noPermission", "", ""},
		{"a node without the command", account("1000000", 0, ""), "", "unknownCmd", "", ""},
		{"a node that tells of something else", account("1000000", 0, ""), `{"features":{}}`, "", "", ""},
		{"a node that makes no sense", `{}`, feature(true), "", "", model.CodeLedgerUnavailable},
	}
	for _, tt := range tests {
		s := newStub(t, func(_ int, method string, params map[string]any) string {
			switch {
			case method == "account_info":
				return reply(params, tt.account)
			case method == "fee":
				return reply(params, feeResult)
			case method == "feature" && tt.refusal != "":
				return refuse(params, tt.refusal, "")
			}
			return reply(params, tt.feature)
		})
		bothWays(t, s, nil, func(t *testing.T, c *Client) {
			err := CheckKey(t.Context(), c, testIssuer, issuer)
			var e *KeyError
			switch {
			case tt.code != "":
				if model.CodeOf(err) != tt.code {
					t.Errorf("%s: %v", tt.name, err)
				}
			case tt.want == "":
				if err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			case !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want):
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		})
	}
}

func TestXRP(t *testing.T) {
	for drops, want := range map[int64]string{0: "0", 1: "0.000001", 200_000: "0.2", 1_000_000: "1", 10_500_000: "10.5"} {
		if got := xrp(drops); got != want {
			t.Errorf("xrp(%d) = %s, want %s", drops, got, want)
		}
	}
}

// A seed of the form of one key type, for an account whose key is of the other one, is recognised.
func TestSeedOfTheOtherKeyType(t *testing.T) {
	t.Parallel()
	node := startSandbox(t, sandbox.Config{})
	c := newClient(t, node.URL(), nil)
	for name, want := range map[string]string{"alice": "s… without Ed", "bob": "sEd…"} {
		seed, _ := vectorSeed(t, name, map[string]string{"alice": "ed25519", "bob": "secp256k1"}[name])
		other := seed.keys().other
		if other == "" || other == seed.Address() {
			t.Fatalf("%s: the other address is %q", name, other)
		}
		fund(t, node, 100, other)
		for _, account := range []model.Address{seed.Address(), other} {
			err := CheckKey(t.Context(), c, account, seed)
			var e *KeyError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), string(other)) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SetRegularKey") {
				t.Errorf("%s for %s: %v", name, account, err)
			}
		}
	}
}
