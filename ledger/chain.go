package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// ProofConfig bounds the ledgers that a [Client] accepts as validated. A ledger is proven when its header has the hash that the
// node announced, its hashes lead back to the last proven ledger, and its index and close time are plausible.
//
// A node that makes up whole headers passes the hashes: they carry no signature. The bounds limit the index that it reaches, and
// a second node contradicts it.
type ProofConfig struct {
	// Interval is the least time between two ledgers, on average over more than a few hundred; 0: no bound, for a ledger that
	// closes on command.
	Interval time.Duration
	// Ahead is by how much a close time may be past this machine's clock; 0: no bound, as the close times of a ledger that
	// closes more than once a second run ahead of any clock (rippled: LedgerTiming.h, effCloseTime).
	Ahead time.Duration
}

const (
	// proofBurst is how many ledgers may come at once, whatever the interval: as many as a ledger lists the hashes of.
	proofBurst = model.FlagInterval
	// proofWalk is the most parents that are read one by one. Past it the list of hashes in the ledger decides.
	proofWalk = 8
	// provenKept is how many proven ledgers are remembered.
	provenKept = 1024
)

// UnprovenError is a ledger that a node calls validated, and that is not accepted.
type UnprovenError struct {
	Index uint32
	// Reason says what does not fit.
	Reason string
	// Contradiction says that the node's answers contradict each other or the ledgers that are proven. Without it the node is
	// behind, or shows too little at the moment.
	Contradiction bool
	Cause         error
}

func (e *UnprovenError) Error() string {
	s := fmt.Sprintf("ledger %d is not proven: %s", e.Index, e.Reason)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *UnprovenError) Unwrap() error { return e.Cause }

// Contradicts says whether an error is a node's contradiction.
func Contradicts(err error) bool {
	var e *UnprovenError
	return errors.As(err, &e) && e.Contradiction
}

// ledgerChain is the proven part of a node's ledger.
type ledgerChain struct {
	client *Client
	cfg    ProofConfig
	clock  Clock
	turn   chan struct{} // holds one value while a ledger is being proven

	contradictions, unproven atomic.Uint64

	mu     sync.Mutex
	last   model.Ledger  // the newest proven one; the zero Ledger before the first
	at     time.Time     // when it was proven, by this machine's clock
	credit time.Duration // at most 0: the time that the ledgers of a burst were ahead of the clock then
	flag   model.Ledger  // a flag ledger of the same history, which every later ledger lists
	proven map[uint32]model.Ledger
}

func newChain(c *Client, cfg ProofConfig) *ledgerChain {
	return &ledgerChain{client: c, cfg: cfg, clock: c.cfg.Clock, turn: make(chan struct{}, 1), proven: map[uint32]model.Ledger{}}
}

// Trust sets what is known of the ledger from before: the client accepts no ledger that contradicts it. Without it, the first
// ledger that the node shows is trusted.
func (c *Client) Trust(known model.Network) {
	if c.chain != nil {
		c.chain.trust(known)
	}
}

// Proven returns the newest proven ledger; the zero Ledger where there is none.
func (c *Client) Proven() model.Ledger {
	if c.chain == nil {
		return model.Ledger{}
	}
	c.chain.mu.Lock()
	defer c.chain.mu.Unlock()
	return c.chain.last
}

// Faults counts how often the node has contradicted itself or the proven ledgers, and how often its line was given up as it did
// not show enough to prove a ledger.
func (c *Client) Faults() (contradictions, unproven uint64) {
	if c.chain == nil {
		return 0, 0
	}
	return c.chain.contradictions.Load(), c.chain.unproven.Load()
}

func (c *ledgerChain) trust(known model.Network) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.Index == 0 {
		c.last, c.at, c.flag = known.Last, known.Seen, known.Flag
		c.proven[known.Last.Index] = known.Last
	}
}

// prove returns nil where l is a ledger of the proven history, and advances that to it. Else the error is an [UnprovenError], or
// the node does not answer.
func (c *ledgerChain) prove(ctx context.Context, l model.Ledger) error {
	if known, err := c.known(l); known {
		return c.count(err)
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	known, err := c.known(l)
	if !known {
		err = c.extend(ctx, l)
	}
	return c.count(err)
}

func (c *ledgerChain) count(err error) error {
	if Contradicts(err) {
		c.contradictions.Add(1)
	}
	return err
}

// known compares l with the ledgers that are proven already.
func (c *ledgerChain) known(l model.Ledger) (known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, known := c.proven[l.Index]
	if known && (p.Hash != l.Hash || p.CloseTime != l.CloseTime) {
		err = &UnprovenError{Index: l.Index, Contradiction: true,
			Reason: fmt.Sprintf("it is %s of %s, and was %s of %s", l.Hash, model.FormatTime(l.CloseTime), p.Hash, model.FormatTime(p.CloseTime))}
	}
	return known, err
}

// announced reads the header of a ledger that the node announced: it must be as announced.
func (c *Client) announced(ctx context.Context, l model.Ledger) (header, error) {
	h, err := c.headerOf(ctx, l.Index, l.Hash)
	switch {
	case missing(err):
		return h, &UnprovenError{Index: l.Index, Reason: "the node does not show its header", Cause: err}
	case isAnswerError(err):
		return h, &UnprovenError{Index: l.Index, Contradiction: true, Reason: "its header does not have its hash", Cause: err}
	case err != nil:
		return h, err
	case h.Index != l.Index || h.CloseTime != l.CloseTime:
		return h, &UnprovenError{Index: l.Index, Contradiction: true, Reason: fmt.Sprintf("it was announced as closed at %s, and its header is that of ledger %d of %s",
			model.FormatTime(l.CloseTime), h.Index, model.FormatTime(h.CloseTime))}
	}
	return h, nil
}

// extend proves a ledger by its header and its link to the last proven one. The turn is the caller's.
func (c *ledgerChain) extend(ctx context.Context, l model.Ledger) error {
	h, err := c.client.announced(ctx, l)
	if err != nil {
		return err
	}
	c.mu.Lock()
	last, flag, since := c.last, c.flag, c.credit+max(c.clock.Now().Sub(c.at), 0)
	c.mu.Unlock()
	if err := c.plausible(h, last, since); err != nil {
		return err
	}
	if last.Index != 0 {
		if err := c.linked(ctx, h, last, flag); err != nil {
			return err
		}
	}
	c.accept(h.Ledger)
	return nil
}

// plausible bounds a ledger's index and close time by those of the last proven one, and by the time since, as it has passed here.
func (c *ledgerChain) plausible(h header, last model.Ledger, since time.Duration) error {
	now := c.clock.Now()
	implausible := func(format string, args ...any) error {
		return &UnprovenError{Index: h.Index, Contradiction: true, Reason: fmt.Sprintf(format, args...)}
	}
	if closed := model.Time(h.CloseTime); c.cfg.Ahead > 0 && closed.Sub(now) > c.cfg.Ahead {
		return implausible("it closed at %s, and this machine's clock says %s", model.FormatTime(h.CloseTime), now.UTC().Format(time.RFC3339))
	}
	if h.Index <= last.Index || last.Index == 0 {
		return nil
	}
	// Each ledger closes at least a second after its parent (rippled: LedgerTiming.h, effCloseTime).
	more := h.Index - last.Index
	if h.CloseTime <= last.CloseTime || h.CloseTime-last.CloseTime < more {
		return implausible("it closed at %s, and ledger %d at %s", model.FormatTime(h.CloseTime), last.Index, model.FormatTime(last.CloseTime))
	}
	if c.cfg.Interval > 0 && time.Duration(more) > proofBurst+since/c.cfg.Interval {
		return implausible("ledger %d was the last one %v ago", last.Index, since.Round(time.Second))
	}
	return nil
}

// linked says whether a header and the last proven ledger are of one history.
func (c *ledgerChain) linked(ctx context.Context, h header, last, flag model.Ledger) error {
	newer, older, marks := h.Ledger, last, []model.Ledger{last, flag}
	if h.Index < last.Index {
		newer, older, marks = last, h.Ledger, []model.Ledger{h.Ledger}
	} else if reached, err := c.walk(ctx, h, last); reached || err != nil {
		return err
	}
	differs := func(index uint32, hash, want string) error {
		return &UnprovenError{Index: h.Index, Contradiction: true,
			Reason: fmt.Sprintf("it follows a ledger %d with the hash %s, and the hash of that is %s", index, hash, want)}
	}
	shown := false
	for _, l := range marks {
		if l.Index == 0 || l.Index >= newer.Index {
			continue
		}
		hash, found, err := c.client.hashIn(ctx, newer, l.Index)
		if err == nil && !found && l.Index == older.Index { // out of its lists
			hash, found, err = c.client.hashOf(ctx, l.Index)
		}
		switch {
		case err != nil && !isAnswerError(err):
			return err
		case err != nil:
			return &UnprovenError{Index: h.Index, Contradiction: true, Reason: "the node's list of hashes is unusable", Cause: err}
		case found && hash != l.Hash:
			return differs(l.Index, hash, l.Hash)
		}
		shown = shown || found
	}
	near := newer.Index-older.Index <= model.FlagInterval // a ledger lists its last ones, and all flag ledgers
	if !shown && (near || flag.Index != 0 || h.Index < last.Index) {
		return &UnprovenError{Index: h.Index, Reason: fmt.Sprintf("the node shows no hashes between it and ledger %d", last.Index)}
	}
	return nil
}

// walk follows the hashes of parents from a header to the last proven ledger, where that is near.
func (c *ledgerChain) walk(ctx context.Context, h header, last model.Ledger) (reached bool, err error) {
	if h.Index-last.Index > proofWalk {
		return false, nil
	}
	from := h
	var between []model.Ledger
	for h.Index > last.Index+1 {
		parent, err := c.client.headerOf(ctx, h.Index-1, h.parent)
		switch {
		case missing(err):
			return false, nil // the list of hashes may show it
		case err != nil && !isAnswerError(err):
			return false, err
		case err != nil || parent.Index+1 != h.Index:
			return false, &UnprovenError{Index: from.Index, Contradiction: true, Reason: fmt.Sprintf("the parent of ledger %d is not shown as it is", h.Index), Cause: err}
		}
		h = parent
		between = append(between, h.Ledger)
	}
	if h.parent != last.Hash {
		return false, &UnprovenError{Index: from.Index, Contradiction: true,
			Reason: fmt.Sprintf("it follows a ledger %d with the hash %s, and the hash of that is %s", last.Index, h.parent, last.Hash)}
	}
	for i := range between {
		c.accept(between[len(between)-1-i])
	}
	return true, nil
}

// accept adds a ledger to those that are proven.
func (c *ledgerChain) accept(l model.Ledger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proven[l.Index] = l
	if l.Index <= c.last.Index {
		return
	}
	if len(c.proven) > 2*provenKept {
		maps.DeleteFunc(c.proven, func(index uint32, _ model.Ledger) bool { return index+provenKept <= l.Index })
	}
	now := c.clock.Now()
	if c.last.Index != 0 {
		used := time.Duration(l.Index-c.last.Index) * c.cfg.Interval
		c.credit = min(max(c.credit+max(now.Sub(c.at), 0)-used, -proofBurst*c.cfg.Interval), 0)
	}
	c.last, c.at = l, now
	if l.Index%model.FlagInterval == 0 {
		c.flag = l
	}
}

// reached says whether the proven ledger has come to an index that an answer states: nothing is concluded from a later one.
func (c *Client) reached(ctx context.Context, index uint32) error {
	if c.chain == nil || index <= c.Proven().Index {
		return nil
	}
	l, err := c.Ledger(ctx) // the answer may be ahead of the stream
	if err == nil && index > l.Index {
		err = c.chain.count(&UnprovenError{Index: index, Contradiction: index-l.Index > farAhead, // less is a server behind another one
			Reason: fmt.Sprintf("the node answers from it, and its last validated ledger is %d", l.Index)})
	}
	return err
}

// missing says of an error that the node does not have a ledger, or not yet.
func missing(err error) bool {
	var node *NodeError
	return errors.As(err, &node) && (node.Code == "lgrNotFound" || node.Code == "lgrNotValidated")
}

func isAnswerError(err error) bool {
	var answer *AnswerError
	return errors.As(err, &answer)
}

// hashIn returns the hash of an older ledger from the lists that a ledger holds: of the last 256, and of all flag ledgers.
func (c *Client) hashIn(ctx context.Context, l model.Ledger, index uint32) (hash string, found bool, err error) {
	var entries []string
	if l.Index-index <= model.FlagInterval {
		entries = append(entries, skipKey())
	}
	if index%model.FlagInterval == 0 {
		entries = append(entries, skipKey(index>>16))
	}
	for _, key := range entries {
		err := c.callAt(ctx, l.Index, "ledger_entry", map[string]any{"index": key, "ledger_hash": l.Hash},
			func(raw json.RawMessage) error { hash, err = decodeHashes(raw, key, index); return err })
		var node *NodeError
		switch {
		case errors.As(err, &node) && node.Code == "entryNotFound", missing(err):
		case err != nil:
			return "", false, err
		case hash != "":
			return hash, true, nil
		}
	}
	return "", false, nil
}

// hashOf returns the hash of a ledger from the node's history, with its header verified.
func (c *Client) hashOf(ctx context.Context, index uint32) (hash string, found bool, err error) {
	var h header
	err = c.call(ctx, "ledger", map[string]any{"ledger_index": index}, func(raw json.RawMessage) (err error) {
		h, err = decodeHeader(raw)
		return err
	})
	switch {
	case missing(err):
		return "", false, nil
	case err != nil:
		return "", false, err
	case h.Index != index:
		return "", false, &AnswerError{Method: "ledger", Reason: fmt.Sprintf("it is about ledger %d, not %d", h.Index, index)}
	}
	return h.Hash, true, nil
}
