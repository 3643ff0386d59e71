package ledger

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// A server that is about to have a ledger is asked again: a verification, a list of several pages and an account's history are
// neither refused nor cut short.
func TestServerLags(t *testing.T) {
	t.Parallel()
	at := model.Ledger{Index: 7, Hash: testHash}
	entry := fmt.Sprintf(`{"index":"%064X","ledger_index":7,"ledger_hash":%q,"validated":true,"node":%s}`, 1, testHash, entryJSON(1))
	history := fmt.Sprintf(`{"account":%q,"ledger_index_min":7,"ledger_index_max":%%d,"transactions":[]}`, testIssuer)
	for _, code := range []string{"lgrNotFound", "ledgerNotFound", "lgrIdxMalformed", "lgrIdxsInvalid"} {
		var calls atomic.Int64
		s := newStub(t, func(_ int, method string, params map[string]any) string {
			_, second := params["marker"]
			pinned := params["ledger_hash"] != nil || second || method == "account_tx"
			if pinned && calls.Add(1)%3 != 0 {
				return refuse(params, code, "")
			}
			switch {
			case method == "ledger_entry":
				return reply(params, entry)
			case method == "account_tx":
				return reply(params, fmt.Sprintf(history, 9))
			case second:
				return reply(params, pageJSON(7, testHash, "", entryJSON(2)))
			}
			return reply(params, pageJSON(7, testHash, `"more"`, entryJSON(1)))
		})
		bothWays(t, s, func(c *Config) { c.LagWait = 5 * time.Second }, func(t *testing.T, c *Client) {
			if got, _, err := c.CredentialAt(t.Context(), at, testAlice, testIssuer, "\x00\x00\x00\x01"); err != nil || got.Subject != testAlice {
				t.Errorf("%s: %+v, %v", code, got, err)
			}
			n := 0
			for _, err := range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
				if n++; err != nil {
					t.Errorf("%s: the list: %v", code, err)
				}
			}
			if n != 2 {
				t.Errorf("%s: the list has %d credentials, want 2", code, n)
			}
			if err := c.AccountTx(t.Context(), testIssuer, 7, 9, func(*Transaction) {}); err != nil {
				t.Errorf("%s: the history: %v", code, err)
			}
		})
	}
}

// A history that ends before the ledger asked for grows; one that begins behind it does not.
func TestHistoryLags(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	first := 7
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		return reply(params, fmt.Sprintf(`{"account":%q,"ledger_index_min":%d,"ledger_index_max":%d,"transactions":[]}`, testIssuer, first, 6+calls.Add(1)))
	})
	c := newClient(t, s.http(), func(c *Config) { c.LagWait = 5 * time.Second })
	if err := c.AccountTx(t.Context(), testIssuer, 7, 9, func(*Transaction) {}); err != nil || calls.Load() != 3 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	calls.Store(0)
	first = 8
	if err := c.AccountTx(t.Context(), testIssuer, 7, 9, func(*Transaction) {}); err == nil || !strings.Contains(err.Error(), "holds ledgers 8") || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// An old ledger that a server lacks is not waited for.
func TestOldLedgerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		if method == "server_state" {
			return reply(params, stateResult(1000))
		}
		calls.Add(1)
		return refuse(params, "lgrNotFound", "")
	})
	c := newClient(t, s.http(), func(c *Config) { c.LagWait = time.Hour })
	if _, err := c.Ledger(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, err := c.CredentialAt(t.Context(), model.Ledger{Index: 900, Hash: testHash}, testAlice, testIssuer, "A")
	if model.CodeOf(err) != model.CodeLedgerUnavailable || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}
