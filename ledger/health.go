package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// DefaultMaxLedgerAge is the age at which rippled itself stops answering from its validated ledger (rippled: isValidatedOld).
const DefaultMaxLedgerAge = 2 * time.Minute

// headFresh is how long a validated ledger from the stream counts as the latest one. A public network closes one every
// three to five seconds. Past it the node is asked: a silent stream must not hide newer ledgers, or a lost network.
const headFresh = 6 * time.Second

// StaleError reports a validated ledger past [Config.MaxLedgerAge]. The ledger's close time and this machine's clock
// disagree; either can be wrong, so the message names both.
type StaleError struct {
	Ledger model.Ledger
	Now    time.Time
	Max    time.Duration
}

func (e *StaleError) Error() string {
	closed := model.Time(e.Ledger.CloseTime)
	return fmt.Sprintf("its last validated ledger, %d, closed at %s, %v before this machine's clock, %s (limit %v): the node is not in sync, or this clock is wrong",
		e.Ledger.Index, model.FormatTime(e.Ledger.CloseTime), e.Now.Sub(closed).Round(time.Second), e.Now.UTC().Format(time.RFC3339), e.Max)
}

// errAmendmentBlocked says what an amendment-blocked node needs.
const errAmendmentBlocked = "the node is amendment blocked: its version lacks an amendment that the network has enabled, and it follows the network no more; " +
	"upgrade the node, or configure another one"

// AmendmentBlocked says whether err comes from an amendment-blocked node. Retries do not help: an operator must upgrade
// the node or configure another one.
func AmendmentBlocked(err error) bool {
	var node *NodeError
	return errors.As(err, &node) && node.Code == codeAmendmentBlocked
}

// OutOfSync says whether err comes from a node that answers, and is not in sync with its network or too far behind it.
func OutOfSync(err error) bool {
	var node *NodeError
	var stale *StaleError
	return errors.As(err, &stale) || errors.As(err, &node) && (node.Behind() || node.Code == codeAmendmentBlocked)
}

const codeAmendmentBlocked = "amendmentBlocked"

// Health is the latest known condition of a node. [Client.Health] returns it without a request.
type Health struct {
	// State is server_state as the node last reported it, such as "full" or "connected"; "" where it reported none, as Clio.
	State string
	// AmendmentBlocked: the node's version lacks an enabled amendment. It stays so until it reports otherwise.
	AmendmentBlocked bool
	// Ledger is the newest validated ledger that the node has reported, at the time Heard. Index 0: none yet.
	Ledger model.Ledger
	Heard  time.Time
	// Fault says why the node's answers cannot be relied on now; nil where nothing is known against them.
	Fault error
}

// health keeps a node's condition. Clients of the same node share it.
type health struct {
	log *slog.Logger

	mu      sync.Mutex
	ledger  model.Ledger
	heard   time.Time
	state   string
	blocked bool
	warned  bool
	fault   error // of the last question about the validated ledger
}

func newHealth(log *slog.Logger) *health { return &health{log: log} }

// hear takes in a validated ledger. A lower one than before counts only once that one is no longer fresh: another node
// behind the same address may be behind.
func (h *health) hear(l model.Ledger, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.Index >= h.ledger.Index || now.Sub(h.heard) > headFresh {
		h.ledger, h.heard, h.fault = l, now, nil
	}
}

// fresh returns the newest validated ledger, where the node has reported it moments ago.
func (h *health) fresh(now time.Time) (model.Ledger, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger, h.ledger.Index > 0 && !h.blocked && h.fault == nil && now.Sub(h.heard) <= headFresh
}

// failed keeps why the node's validated ledger is not known, or not to be relied on.
func (h *health) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = err
}

// report takes in what the node says of itself, and returns why its answers cannot be relied on.
func (h *health) report(s nodeState, method string) error {
	h.mu.Lock()
	h.state = s.state
	h.mu.Unlock()
	h.block(s.blocked)
	h.warn(s.unsupported)
	switch {
	case s.blocked:
		return &NodeError{Method: method, Code: codeAmendmentBlocked, Message: errAmendmentBlocked}
	case !s.inSync():
		return &NodeError{Method: method, Code: "notSynced", Message: "server_state is " + excerpt([]byte(s.state))}
	}
	return nil
}

// block notes whether the node is amendment blocked, and logs a change.
func (h *health) block(blocked bool) {
	h.mu.Lock()
	changed := h.blocked != blocked
	h.blocked = blocked
	h.mu.Unlock()
	switch {
	case changed && blocked:
		h.log.Error("the node is amendment blocked: upgrade it, or configure another node")
	case changed:
		h.log.Info("the node is not amendment blocked any more")
	}
}

// warn logs once that the node lacks an amendment that is about to be enabled.
func (h *health) warn(unsupported bool) {
	h.mu.Lock()
	changed := h.warned != unsupported
	h.warned = unsupported
	h.mu.Unlock()
	if changed && unsupported {
		h.log.Warn("the node lacks an amendment that is about to be enabled: upgrade it before it becomes amendment blocked")
	}
}

// nodeState is what `server_state` and `server_info` say of a node.
type nodeState struct {
	state       string // "" where it is not reported, as by Clio
	blocked     bool
	unsupported bool // an amendment that the node lacks has reached its majority
}

// inSync says whether the node follows its network (rippled: OperatingMode; only from FULL on does it have its ledgers).
func (s nodeState) inSync() bool {
	switch s.state {
	case "", "full", "validating", "proposing":
		return true
	}
	return false
}

// nodeWarning is one of the warnings in `server_state` and `server_info` (rippled: ErrorCodes.h, warning_code_i).
type nodeWarning struct {
	ID int `json:"id"`
}

const (
	warnUnsupportedMajority = 1001
	warnAmendmentBlocked    = 1002
)

func newNodeState(state string, blocked bool, warnings []nodeWarning) nodeState {
	s := nodeState{state: state, blocked: blocked}
	for _, w := range warnings {
		s.blocked = s.blocked || w.ID == warnAmendmentBlocked
		s.unsupported = s.unsupported || w.ID == warnUnsupportedMajority
	}
	return s
}

// Health returns what is known of the node now. It asks nothing.
func (c *Client) Health() Health {
	h := c.hub.health
	h.mu.Lock()
	out := Health{State: h.state, AmendmentBlocked: h.blocked, Ledger: h.ledger, Heard: h.heard, Fault: h.fault}
	h.mu.Unlock()
	if out.Fault == nil && out.Ledger.Index > 0 {
		if err := c.checkAge(out.Ledger); err != nil {
			out.Fault = err
		}
	}
	return out
}

// checkAge holds a validated ledger to [Config.MaxLedgerAge]. The error is a [StaleError].
func (c *Client) checkAge(l model.Ledger) error {
	now := c.cfg.Clock.Now()
	if c.cfg.MaxLedgerAge > 0 && now.Sub(model.Time(l.CloseTime)) > c.cfg.MaxLedgerAge {
		return &StaleError{l, now, c.cfg.MaxLedgerAge}
	}
	return nil
}

// reported asks for the last validated ledger, once for all who ask at the same moment, and checks its age. It is not proven.
func (c *Client) reported(ctx context.Context) (model.Ledger, error) {
	l, err := c.ledgers.do(ctx, func(ctx context.Context) (model.Ledger, error) {
		return validatedLedger(ctx, c.call, c.hub.health)
	})
	if err == nil {
		err = c.checkAge(l)
	}
	if err != nil && ctx.Err() == nil {
		c.hub.health.failed(err)
	}
	return l, err
}

// askLedger is reported, with the ledger proven.
func (c *Client) askLedger(ctx context.Context) (model.Ledger, error) {
	l, err := c.reported(ctx)
	if err == nil && c.chain != nil {
		err = c.chain.prove(ctx, l)
	}
	if err == nil {
		c.hub.health.hear(l, c.cfg.Clock.Now())
	}
	return l, err
}

// streamed is the client whose stream tells of ledgers.
func (c *Client) streamed() *Client {
	if c.source != nil {
		return c.source
	}
	return c
}

// Recent returns the newest validated ledger that the stream has told of in the last seconds, and asks for the last one where
// there is none. Error: that of [Client.Ledger].
func (c *Client) Recent(ctx context.Context) (model.Ledger, error) {
	if l, ok := c.streamed().hub.health.fresh(c.cfg.Clock.Now()); ok && c.checkAge(l) == nil {
		return l, nil
	}
	return c.Ledger(ctx)
}

// checkCurrent checks that the node's validated ledger is recent, before something is read from it by name. It asks the
// node only where its stream says nothing. Without a maximum age there is nothing to check.
func (c *Client) checkCurrent(ctx context.Context) error {
	if c.cfg.MaxLedgerAge <= 0 {
		return nil
	}
	if l, ok := c.hub.health.fresh(c.cfg.Clock.Now()); ok {
		return c.checkAge(l)
	}
	_, err := c.askLedger(ctx)
	return err
}
