package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// sendAll signs transactions of one account, submits them in order and closes the ledger.
func sendAll(t testing.TB, node *sandbox.Server, c *Client, account model.Address, seed Seed, txs ...model.Transaction) {
	t.Helper()
	info, err := c.accountInfo(t.Context(), account, currentIndex)
	if err != nil {
		t.Fatal(err)
	}
	for i, tx := range txs {
		signed, err := seed.Sign(tx, Terms{Account: account, Sequence: info.Sequence + uint32(i), Fee: 10, LastLedgerSequence: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := c.Submit(t.Context(), signed); err != nil || s.EngineResult != "tesSUCCESS" {
			t.Fatalf("%d: %+v, %v", i, s, err)
		}
	}
	accept(t, node)
}

func TestCredentialsOnSandbox(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 10_000, testIssuer, testAlice, testBob)
	issuer, _ := vectorSeed(t, "issuer", "ed25519")
	alice, _ := vectorSeed(t, "alice", "ed25519")
	bob, _ := vectorSeed(t, "bob", "secp256k1")
	direct := newClient(t, node.WebSocketURL(), nil)
	expiration := uint32(4_000_000_000)
	const many = 900 // three pages
	var txs []model.Transaction
	for i := range many {
		txs = append(txs, create(i))
	}
	sendAll(t, node, direct, testIssuer, issuer, txs...)
	sendAll(t, node, direct, testIssuer, issuer,
		model.CredentialCreate{Subject: testBob, Type: "\x00\xff", URI: "\x01\x02", Expiration: &expiration},
		model.CredentialCreate{Subject: testIssuer, Type: "self"})
	sendAll(t, node, direct, testBob, bob, model.CredentialCreate{Subject: testIssuer, Type: "about the issuer"})
	sendAll(t, node, direct, testAlice, alice, model.CredentialAccept{Issuer: testIssuer, Type: create(5).Type})

	for name, url := range map[string]string{"http": node.URL(), "ws": node.WebSocketURL()} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, url, nil)
			count := func(account model.Address, f model.Filter) (n int) {
				t.Helper()
				seen := map[string]bool{}
				for found, err := range c.Credentials(t.Context(), account, f) {
					if err != nil {
						t.Fatal(err)
					}
					if seen[found.Index] || !f.Match(account, found) {
						t.Errorf("%+v, or twice", found)
					}
					seen[found.Index] = true
					n++
				}
				return n
			}
			tests := []struct {
				account model.Address
				filter  model.Filter
				want    int
			}{
				{testIssuer, model.Filter{}, many + 3},
				{testIssuer, model.Filter{Side: model.Issued}, many + 2},
				{testIssuer, model.Filter{Side: model.About}, 2},
				{testIssuer, model.Filter{Side: model.Issued, Acceptance: model.Accepted}, 2},
				{testIssuer, model.Filter{Side: model.Issued, Acceptance: model.Unaccepted}, many},
				{testAlice, model.Filter{Side: model.About, Acceptance: model.Accepted}, 1},
				{testAlice, model.Filter{Side: model.Issued}, 0},
				{testBob, model.Filter{}, 2},
			}
			for _, tt := range tests {
				if got := count(tt.account, tt.filter); got != tt.want {
					t.Errorf("%s %+v: %d, want %d", tt.account, tt.filter, got, tt.want)
				}
			}
			for range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
				break // a reader that has enough
			}
			got, err := c.Credential(t.Context(), testBob, testIssuer, "\x00\xff")
			if err != nil || got.URI != "\x01\x02" || got.Expiration != expiration || got.Accepted || len(got.Index) != 64 {
				t.Errorf("got %+v, %v", got, err)
			}
			if got, err := c.Credential(t.Context(), testAlice, testIssuer, create(5).Type); err != nil || !got.Accepted || got.HasExpiration() {
				t.Errorf("got %+v, %v", got, err)
			}
			if _, err := c.Credential(t.Context(), testAlice, testIssuer, "none"); model.CodeOf(err) != model.CodeEntryNotFound {
				t.Errorf("got %v", err)
			}
			nobody := model.AddressOf([model.AccountIDLen]byte{1})
			for _, err := range c.Credentials(t.Context(), nobody, model.Filter{}) {
				if model.CodeOf(err) != model.CodeAccountNotFound {
					t.Errorf("got %v", err)
				}
			}
			if _, err := c.Account(t.Context(), nobody); model.CodeOf(err) != model.CodeAccountNotFound {
				t.Errorf("got %v", err)
			}
			if a, err := c.Account(t.Context(), testIssuer); err != nil || a.OwnerCount < many || a.Balance == 0 || a.Sequence == 0 {
				t.Errorf("got %+v, %v", a, err)
			}
			if l, err := c.Ledger(t.Context()); err != nil || l.Index == 0 || l.CloseTime == 0 || l.ReserveIncrement != 200_000 {
				t.Errorf("got %+v, %v", l, err)
			}
			if enabled, known, err := c.Feature(t.Context(), amendment); err != nil || !known || !enabled {
				t.Errorf("feature: %v, %v, %v", enabled, known, err)
			}
			if info, err := c.ServerInfo(t.Context()); err != nil || info.Validated.BaseFee != 10 {
				t.Errorf("got %+v, %v", info, err)
			}
		})
	}
}

// A list is of one ledger, even when others close while it is read.
func TestCredentialsArePinned(t *testing.T) {
	node := startSandbox(t, sandbox.Config{})
	fund(t, node, 10_000, testIssuer, testAlice)
	issuer, _ := vectorSeed(t, "issuer", "ed25519")
	c := newClient(t, node.WebSocketURL(), nil)
	var txs, gone []model.Transaction
	for i := range 850 {
		txs = append(txs, create(i))
		gone = append(gone, model.CredentialDelete{Subject: testAlice, Type: create(i).Type})
	}
	sendAll(t, node, c, testIssuer, issuer, txs...)
	n := 0
	for _, err := range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			sendAll(t, node, c, testIssuer, issuer, gone...)
		}
	}
	if n != 850 {
		t.Errorf("%d of 850, though the first came from a ledger with all of them", n)
	}
	for found := range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
		t.Fatalf("still there: %+v", found)
	}
}

// entryJSON is a ledger entry as nodes write it.
func entryJSON(i int) string {
	return fmt.Sprintf(`{"LedgerEntryType":"Credential","Flags":0,"Issuer":%q,"Subject":%q,"CredentialType":"%08X","IssuerNode":"0","index":"%064X"}`, testIssuer, testAlice, i, i)
}

func pageJSON(ledger int, hash, marker string, entries ...string) string {
	if marker != "" {
		marker = `,"marker":` + marker
	}
	return fmt.Sprintf(`{"account":%q,"account_objects":[%s],"ledger_index":%d,"ledger_hash":%q,"validated":true%s}`,
		testIssuer, strings.Join(entries, ","), ledger, hash, marker)
}

// Pages may be short and empty; only a missing marker ends a list.
func TestCredentialsShortPages(t *testing.T) {
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		marker, _ := params["marker"].(string)
		switch marker {
		case "":
			if params["ledger_index"] != "validated" || params["type"] != "credential" || params["limit"] != float64(400) {
				return refuse(params, "invalidParams", "")
			}
			return reply(params, pageJSON(7, testHash, `"a"`))
		case "a":
			return reply(params, pageJSON(7, testHash, `"b"`, entryJSON(1)))
		case "b":
			return reply(params, pageJSON(7, testHash, `"c"`))
		case "c":
			if params["ledger_index"] != float64(7) {
				return refuse(params, "invalidParams", "")
			}
			return reply(params, pageJSON(7, testHash, "", entryJSON(2), entryJSON(3)))
		}
		return refuse(params, "invalidParams", "")
	})
	bothWays(t, s, nil, func(t *testing.T, c *Client) {
		var got []string
		for found, err := range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, found.Type.Hex())
		}
		if !slices.Equal(got, []string{"00000001", "00000002", "00000003"}) {
			t.Errorf("got %v", got)
		}
	})
}

// A list that cannot be right ends with an error, and not before what was right is told.
func TestCredentialsRefuses(t *testing.T) {
	other := strings.Repeat("A", 64)
	replace := func(old, with string) string { return strings.Replace(entryJSON(2), old, with, 1) }
	tests := []struct {
		name string
		// second is the second page; "" makes every page name the same marker.
		second func(n int, params map[string]any) string
		part   string
	}{
		{"the same marker for ever", func(n int, p map[string]any) string { return reply(p, pageJSON(7, testHash, `"m"`)) }, "repeat"},
		{"markers in a circle", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, strconv.Quote(strconv.Itoa(n%7))))
		}, "repeat"},
		{"a marker without end", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, `"`+strings.Repeat("x", 5000)+`"`))
		}, "5002 bytes"},
		{"another ledger", func(n int, p map[string]any) string { return reply(p, pageJSON(8, testHash, "")) }, "from ledger 8"},
		{"another ledger of that index", func(n int, p map[string]any) string { return reply(p, pageJSON(7, other, "")) }, "AAAAAAAA"},
		{"not validated", func(n int, p map[string]any) string {
			return reply(p, strings.Replace(pageJSON(7, testHash, ""), `"validated":true`, `"validated":false`, 1))
		}, "not from a validated"},
		{"another account", func(n int, p map[string]any) string {
			return reply(p, strings.Replace(pageJSON(7, testHash, ""), string(testIssuer), string(testBob), 1))
		}, "another account"},
		{"no list", func(n int, p map[string]any) string {
			return reply(p, strings.Replace(pageJSON(7, testHash, ""), `[]`, `null`, 1))
		}, "missing"},
		{"no ledger", func(n int, p map[string]any) string {
			return reply(p, strings.Replace(pageJSON(7, testHash, ""), `"ledger_index":7`, `"ledger_index":"7"`, 1))
		}, "ledger_index"},
		{"more than was asked for", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", slices.Repeat([]string{entryJSON(1)}, 401)...))
		}, "401 entries"},
		{"an entry of others", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", strings.Replace(entryJSON(2), string(testIssuer), string(testBob), 1)))
		}, "other accounts"},
		{"another kind of entry", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", replace(`"Credential"`, `"Ticket"`)))
		}, "no Credential"},
		{"a type that is no hex", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", replace(`"00000002"`, `"\u001b[2J"`)))
		}, "no hex"},
		{"no flags", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", replace(`"Flags":0,`, ``)))
		}, "Flags"},
		{"flags with a dot", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", replace(`"Flags":0,`, `"Flags":65536.0,`)))
		}, "Flags"},
		{"a subject that is none", func(n int, p map[string]any) string {
			return reply(p, pageJSON(7, testHash, "", replace(string(testAlice), "rNobody")))
		}, "not an address"},
		{"the ledger is gone", func(n int, p map[string]any) string { return refuse(p, "lgrNotFound", "") }, "lgrNotFound"},
		{"nothing", func(n int, p map[string]any) string { return reply(p, "{}") }, "missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStub(t, func(n int, _ string, params map[string]any) string {
				if params["marker"] == nil {
					return reply(params, pageJSON(7, testHash, `"m"`, entryJSON(1)))
				}
				return tt.second(n, params)
			})
			c := newClient(t, s.http(), nil)
			told := 0
			var last error
			for _, err := range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
				if last = err; err == nil {
					told++
				}
			}
			if told != 1 || model.CodeOf(last) != model.CodeLedgerUnavailable || !strings.Contains(last.Error(), tt.part) {
				t.Errorf("%d told, then %v; want %q", told, last, tt.part)
			}
			if n := s.calls.Load(); n > 40 {
				t.Errorf("%d requests until it ended", n)
			}
		})
	}
}

// A page's fields must not show through from the page before.
func TestPagesDoNotMix(t *testing.T) {
	var pinned pin
	var page credentialsAnswer
	first := pageJSON(7, testHash, `"m"`, strings.Replace(entryJSON(1), `"Flags":0`, `"Flags":65536,"URI":"41","Expiration":5`, 1))
	if err := decodeCredentials(json.RawMessage(first), testIssuer, &pinned, &page); err != nil {
		t.Fatal(err)
	}
	if c, err := page.Entries[0].credential(testIssuer); err != nil || c.URI != "A" || c.Expiration != 5 || !c.Accepted {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := decodeCredentials(json.RawMessage(pageJSON(7, testHash, "", entryJSON(2))), testIssuer, &pinned, &page); err != nil {
		t.Fatal(err)
	}
	if c, err := page.Entries[0].credential(testIssuer); err != nil || c.URI != "" || c.Expiration != 0 || c.Accepted || page.Marker != nil {
		t.Errorf("%+v, %v, marker %s", c, err, page.Marker)
	}
}

func TestCredentialRefuses(t *testing.T) {
	good := func(entry string) string {
		return fmt.Sprintf(`{"index":"%064X","ledger_index":7,"ledger_hash":%q,"validated":true,"node":%s}`, 1, testHash, entry)
	}
	tests := map[string]string{
		"nothing":            `{}`,
		"null":               `{"node":null,"validated":true}`,
		"another credential": good(entryJSON(2)),
		"another subject":    good(strings.Replace(entryJSON(1), string(testAlice), string(testBob), 1)),
		"not validated":      strings.Replace(good(entryJSON(1)), `"validated":true`, `"validated":false`, 1),
		"another kind":       good(strings.Replace(entryJSON(1), "Credential", "AccountRoot", 1)),
	}
	answer := ""
	s := newStub(t, func(_ int, _ string, params map[string]any) string { return reply(params, answer) })
	c := newClient(t, s.http(), nil)
	const wanted = model.CredentialType("\x00\x00\x00\x01")
	for name, text := range tests {
		answer = text
		_, err := c.Credential(t.Context(), testAlice, testIssuer, wanted)
		var e *AnswerError
		if model.CodeOf(err) != model.CodeLedgerUnavailable || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer = good(entryJSON(1))
	if got, err := c.Credential(t.Context(), testAlice, testIssuer, wanted); err != nil || got.Type != wanted {
		t.Errorf("got %+v, %v", got, err)
	}
}

// BenchmarkCredentials lists what a node of no cost answers: the client's own time and memory for a list.
func BenchmarkCredentials(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			entries := make([]string, credentialPage)
			for i := range entries {
				entries[i] = entryJSON(i)
			}
			s := newStub(b, func(_ int, _ string, params map[string]any) string {
				at := 0
				if m, ok := params["marker"].(string); ok {
					at, _ = strconv.Atoi(m)
				}
				marker := ""
				if at+credentialPage < n {
					marker = strconv.Quote(strconv.Itoa(at + credentialPage))
				}
				return reply(params, pageJSON(7, testHash, marker, entries...))
			})
			c := newClient(b, s.http(), nil)
			b.ReportAllocs()
			for b.Loop() {
				got := 0
				for _, err := range c.Credentials(b.Context(), testIssuer, model.Filter{}) {
					if err != nil {
						b.Fatal(err)
					}
					got++
				}
				if got != n {
					b.Fatalf("%d of %d", got, n)
				}
			}
		})
	}
}
