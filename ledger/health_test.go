package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

// stateOf is an answer to server_state of a node in a state; more is added to it.
func stateOf(state string, index int, more string) string {
	return strings.Replace(stateResult(index), `{"state":{`, fmt.Sprintf(`{"state":{"server_state":%q,%s`, state, more), 1)
}

// A node that is not in sync with its network says so, and nothing is concluded from it, however young its last ledger is.
func TestNodeNotInSync(t *testing.T) {
	t.Parallel()
	for state, inSync := range map[string]bool{"disconnected": false, "connected": false, "syncing": false, "tracking": false, "new": false,
		"full": true, "validating": true, "proposing": true, "": true} {
		s := newStub(t, func(_ int, _ string, params map[string]any) string { return reply(params, stateOf(state, 7, "")) })
		bothWays(t, s, nil, func(t *testing.T, c *Client) {
			l, err := c.Ledger(t.Context())
			switch {
			case inSync && (err != nil || l.Index != 7 || c.Health().Fault != nil):
				t.Errorf("%s: %+v, %v, %+v", state, l, err, c.Health())
			case !inSync && (model.CodeOf(err) != model.CodeLedgerUnavailable || !strings.Contains(err.Error(), "not in sync") || c.Health().Fault == nil):
				t.Errorf("%s: %+v, %v, %+v", state, l, err, c.Health())
			}
			if c.Health().State != state {
				t.Errorf("the health has state %q, want %q", c.Health().State, state)
			}
		})
	}
}

// The same of a server without server_state.
func TestNodeNotInSyncByServerInfo(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		if method == "server_state" {
			return refuse(params, "unknownCmd", "")
		}
		return reply(params, `{"info":{"complete_ledgers":"2-7","server_state":"connected"}}`)
	})
	_, err := newClient(t, s.http(), nil).Ledger(t.Context())
	if model.CodeOf(err) != model.CodeLedgerUnavailable || !strings.Contains(err.Error(), "connected") {
		t.Errorf("got %v", err)
	}
}

// Over HTTP a watcher hears that a node lost its network.
func TestPollNotInSync(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	s := newStub(t, func(_ int, _ string, params map[string]any) string {
		if lost.Load() {
			return reply(params, stateOf("connected", 7, ""))
		}
		return reply(params, stateOf("full", 7, ""))
	})
	w := newClient(t, s.http(), nil).Watch()
	defer w.Stop()
	wantEvent(t, w, EventUp)
	lost.Store(true)
	if e := wantEvent(t, w, EventDown); !strings.Contains(e.Err.Error(), "connected") {
		t.Errorf("down: %v", e.Err)
	}
}

// Nothing is read from a ledger that is too old, on any path; the error has both clocks.
func TestNothingIsReadFromAnOldLedger(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(_ int, method string, params map[string]any) string {
		if method == "server_state" {
			return reply(params, stateOf("full", 7, ""))
		}
		t.Errorf("%s is asked", method)
		return refuse(params, "internal", "")
	})
	clock := newFakeClock()
	clock.now = model.Time(848597007).Add(time.Hour)
	c := newClient(t, s.http(), func(c *Config) { c.Clock, c.MaxLedgerAge = clock, 2*time.Minute })
	seed, _ := vectorSeed(t, "alice", "ed25519")
	message := []byte("a message to sign")
	signature, err := seed.SignMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"ledger":     func() error { _, err := c.Ledger(t.Context()); return err },
		"account":    func() error { _, err := c.Account(t.Context(), testAlice); return err },
		"credential": func() error { _, err := c.Credential(t.Context(), testAlice, testIssuer, "A"); return err },
		"proof":      func() error { return c.CheckProof(t.Context(), testAlice, seed.PublicKey(), signature, message) },
		"list": func() (err error) {
			for _, err = range c.Credentials(t.Context(), testIssuer, model.Filter{}) {
			}
			return err
		},
	} {
		err := read()
		var stale *StaleError
		var e *model.Error
		if model.CodeOf(err) != model.CodeLedgerUnavailable || !errors.As(err, &stale) || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range []string{model.FormatTime(848597007), clock.now.Format(time.RFC3339), "1h0m0s", "2m0s", "clock"} {
			if !strings.Contains(e.Message, part) {
				t.Errorf("%s: %q does not say %q", name, e.Message, part)
			}
		}
	}
}

// An amendment-blocked node is an error in the log, once, and no "try again shortly", however it says so.
func TestAmendmentBlocked(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(method string, params map[string]any) string{
		"by the state": func(_ string, params map[string]any) string {
			return reply(params, stateOf("connected", 7, `"amendment_blocked":true,`))
		},
		"by a warning": func(_ string, params map[string]any) string {
			return reply(params, stateOf("full", 7, `"warnings":[{"id":1002,"message":"This server is amendment blocked"}],`))
		},
		"by its refusal": func(_ string, params map[string]any) string { return refuse(params, "amendmentBlocked", "") },
		"without a ledger": func(_ string, params map[string]any) string {
			return reply(params, `{"state":{"server_state":"connected","amendment_blocked":true}}`)
		},
	} {
		s := newStub(t, func(_ int, method string, params map[string]any) string { return answer(method, params) })
		var log logs.Lines
		bothWays(t, s, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }, func(t *testing.T, c *Client) {
			before := strings.Count(log.String(), "level=ERROR")
			for range 2 {
				_, err := c.Ledger(t.Context())
				var e *model.Error
				if !AmendmentBlocked(err) || !errors.As(err, &e) || strings.Contains(e.Message, "shortly") || !strings.Contains(e.Message, "configure another") {
					t.Errorf("%s: %v", name, err)
				}
			}
			if h := c.Health(); !h.AmendmentBlocked || h.Fault == nil {
				t.Errorf("%s: %+v", name, h)
			}
			if n := strings.Count(log.String(), "level=ERROR") - before; n != 1 {
				t.Errorf("%s: %d errors in the log:\n%s", name, n, log.String())
			}
		})
	}
}

// A node that is upgraded in time is warned of and works; one that was blocked works once it says so.
func TestAmendmentBlockedNoMore(t *testing.T) {
	t.Parallel()
	more := `"amendment_blocked":true,`
	s := newStub(t, func(_ int, _ string, params map[string]any) string { return reply(params, stateOf("full", 7, more)) })
	var log logs.Lines
	c := newClient(t, s.http(), func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	if _, err := c.Ledger(t.Context()); !AmendmentBlocked(err) {
		t.Errorf("got %v", err)
	}
	more = `"warnings":[{"id":1001}],`
	if l, err := c.Ledger(t.Context()); err != nil || l.Index != 7 || c.Health().AmendmentBlocked || c.Health().Fault != nil {
		t.Errorf("%+v, %v, %+v", l, err, c.Health())
	}
	if text := log.String(); !strings.Contains(text, "not amendment blocked any more") || !strings.Contains(text, "about to be enabled") {
		t.Errorf("the log has %s", text)
	}
}
