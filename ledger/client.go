package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Config says how to talk to a node. Only URL is needed.
type Config struct {
	// URL is the node's address: http://, https://, ws:// or wss://. A WebSocket is the better choice for a lane:
	// it keeps many submissions in flight and hears of each ledger as it is validated.
	URL string
	// CallTimeout limits one request to the node, from asking to its answer; 10 s by default.
	CallTimeout time.Duration
	// RetryFor limits how long one call asks again when the node is too busy; 20 s by default. The caller's context
	// may end it before.
	RetryFor time.Duration
	// DialTimeout limits one attempt to connect; 5 s by default.
	DialTimeout time.Duration
	// ConnectWait is how long a call waits for a connection that is down at the moment; 3 s by default.
	ConnectWait time.Duration
	// PingInterval is how often a WebSocket is checked, and PingTimeout how long the node has to answer; 10 s and 5 s
	// by default. A line that has gone silent is noticed within their sum.
	PingInterval, PingTimeout time.Duration
	// PollInterval is how often an HTTP node is asked for its validated ledger while someone watches; 500 ms by
	// default.
	PollInterval time.Duration
	// StreamCheck is how long the ledger stream of a WebSocket may tell nothing before the node is asked for its validated
	// ledger; 4 s by default, about one close of a public network. Half of it later nothing is signed on the last ledger.
	StreamCheck time.Duration
	// MinBackoff and MaxBackoff bound the waits between attempts, which double and are shortened at random; 250 ms
	// and 15 s by default. Attempts to reconnect never end by themselves.
	MinBackoff, MaxBackoff time.Duration
	// MaxAnswer is the biggest answer that is read, in bytes; 8 MiB by default. A page of 400 credentials with the
	// longest types and URIs has less than 0.6 MB.
	MaxAnswer int64
	// MaxConns bounds the connections to an HTTP node; 16 by default. Idle ones are kept for the next call.
	MaxConns int
	// LagWait is how long a server may take to have a recent ledger that it lacks, before that is an error; 5 s by default,
	// about one interval of a public network.
	LagWait time.Duration
	// MaxLedgerAge is the highest age of the last validated ledger, by this machine's clock. An older one is an error:
	// nothing is read from it. 0, the default, is no limit, for ledgers that close on command alone.
	MaxLedgerAge time.Duration
	// Proof has ledgers proven before they are accepted, at the cost of one request for each; nil, the default, accepts what
	// the node says.
	Proof *ProofConfig

	Clock  Clock          // the machine's by default
	Rand   func() float64 // in [0,1), for jitter; math/rand/v2 by default
	Logger *slog.Logger   // none by default
}

// String shows the scheme and the host of the node's address. The rest may hold a key.
func (c Config) String() string {
	if to, err := parseTarget(c.URL); err == nil {
		return "node " + to.host
	}
	return "node"
}

// GoString is [Config.String], so that no verb prints the address.
func (c Config) GoString() string { return c.String() }

// LogValue is [Config.String], so that no log holds the address.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.CallTimeout, 10*time.Second)
	set(&c.RetryFor, 20*time.Second)
	set(&c.DialTimeout, 5*time.Second)
	set(&c.ConnectWait, 3*time.Second)
	set(&c.PingInterval, 10*time.Second)
	set(&c.PingTimeout, 5*time.Second)
	set(&c.PollInterval, 500*time.Millisecond)
	set(&c.StreamCheck, 4*time.Second)
	set(&c.MinBackoff, 250*time.Millisecond)
	set(&c.MaxBackoff, 15*time.Second)
	set(&c.LagWait, lagWait)
	if c.MaxAnswer <= 0 {
		c.MaxAnswer = 8 << 20
	}
	if c.MaxConns <= 0 {
		c.MaxConns = 16
	}
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Client talks to one XRPL node. All its methods may be called from any goroutine.
type Client struct {
	cfg  Config
	link link
	hub  *hub
	host string
	to   *target
	pace *pacer
	// ledgers asks for the last validated ledger, once for all who ask at the same moment.
	ledgers together[model.Ledger]

	source *Client // of a [Client.Reader]: the client whose stream tells of ledgers; else nil

	chain    *ledgerChain // nil where ledgers are not proven
	endProof context.CancelFunc
	proof    sync.WaitGroup
}

// link is a way to the node: HTTP or WebSocket.
type link interface {
	// call sends a request and waits for its result. params is a JSON object.
	call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)
	// post sends a request behind all those posted before it, and does not wait: done is called once, by whatever
	// goroutine and perhaps before post returns, and must only enqueue. giveUp has it called soon, with a
	// [ConnectionError], if it was not yet.
	post(ctx context.Context, method string, params json.RawMessage, done func(json.RawMessage, error)) (giveUp func())
	// streams says whether the node tells of ledgers and transactions by itself.
	streams() bool
	// rewatch is called when a watcher came or went.
	rewatch()
	// restart gives the line up, as what the node says on it cannot be true, and begins again after a while.
	restart(why error)
	close()
}

// New returns a client for the node at cfg.URL. It does not wait for a connection: the node may come up later. Close
// must be called in the end.
func New(cfg Config) (*Client, error) {
	to, err := parseTarget(cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	cfg.URL = "" // from here on the address is in to alone
	cfg.Logger = cfg.Logger.With("node", to.host)
	c := &Client{cfg: cfg, host: to.host, to: to, hub: newHub(cfg.Clock), pace: newPacer(cfg), ledgers: newTogether[model.Ledger]()}
	c.hub.health = newHealth(cfg.Logger)
	if cfg.Proof != nil {
		c.chain = newChain(c, *cfg.Proof)
		c.hub.gate = newGate(c.hub, c.chain)
	}
	c.dial()
	if g := c.hub.gate; g != nil {
		g.link = c.link
		var ctx context.Context
		ctx, c.endProof = context.WithCancel(context.Background())
		c.proof.Go(func() { g.run(ctx) })
	}
	return c, nil
}

func (c *Client) dial() {
	switch c.to.scheme {
	case "http", "https":
		c.link = newHTTPLink(c.cfg, c.to, c.hub, c.pace)
	default:
		c.link = newWSLink(c.cfg, c.to, c.hub, c.pace)
	}
}

// Reader returns a client of the same node with a connection of its own, so that reads do not delay what c submits. It shares
// the proven ledgers of c, its stream, and the pauses that the node asks for. It is for calls only, and must be closed before c.
func (c *Client) Reader() *Client {
	r := &Client{cfg: c.cfg, host: c.host, to: c.to, hub: newHub(c.cfg.Clock), pace: c.pace, ledgers: newTogether[model.Ledger](), source: c, chain: c.chain}
	r.cfg.Logger = c.cfg.Logger.With("connection", "reads")
	r.dial()
	return r
}

// Node returns the node's address without path, query or password, which may be secret.
func (c *Client) Node() string { return c.host }

// Streams says whether the node tells of ledgers and transactions by itself, as over WebSocket. Over HTTP it is asked
// every [Config.PollInterval].
func (c *Client) Streams() bool { return c.link.streams() }

// Close ends all calls, connections and goroutines of the client, and waits for them.
func (c *Client) Close() {
	if c.endProof != nil {
		c.endProof()
	}
	c.link.close()
	c.proof.Wait()
	c.hub.close()
}

// call asks the node for something that may be asked twice, and reads the answer with decode. It waits and asks again
// when the node is busy or the line drops.
func (c *Client) call(ctx context.Context, method string, params map[string]any, decode func(json.RawMessage) error) error {
	body, err := encodeParams(params)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	began := c.cfg.Clock.Now()
	if err := c.paused(ctx); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	var before error // why it is asked again
	for try := 0; ; try++ {
		raw, err := c.callOnce(ctx, method, body)
		if err == nil {
			if err := decode(raw); err != nil {
				return c.to.hide(&AnswerError{Method: method, Reason: "unusable", Cause: err})
			}
			return nil
		}
		switch cause := context.Cause(ctx); {
		case before == nil || cause == nil:
		case errors.Is(err, cause):
			return fmt.Errorf("%w, then %w", before, err)
		default: // the node's answer came as the time ran out
			return fmt.Errorf("%w, then %w", err, cause)
		}
		if AmendmentBlocked(err) {
			c.hub.health.block(true)
		}
		before = err
		wait, again := c.again(err, try)
		if !again || c.cfg.Clock.Now().Add(wait).Sub(began) > c.cfg.RetryFor {
			return err
		}
		c.cfg.Logger.DebugContext(ctx, "asking the node again", "method", method, "wait", wait, "error", err)
		if !sleep(ctx, c.cfg.Clock, wait) {
			return fmt.Errorf("%w, then %w", err, context.Cause(ctx))
		}
	}
}

// paused waits while the node is to be left alone. An error says that this takes longer than the call may.
func (c *Client) paused(ctx context.Context) error {
	left, why := c.pace.left()
	switch {
	case left == 0:
		return nil
	case left > c.cfg.RetryFor:
		return why
	case !sleep(ctx, c.cfg.Clock, left):
		return fmt.Errorf("%w, then %w", why, context.Cause(ctx))
	}
	return nil
}

// busyWaits bounds the wait for a busy node, in MinBackoffs: limits count by the second, and a caller has few of them.
const busyWaits = 8

// maxLineDrops is how often a request is asked again because the line dropped while it was asked.
const maxLineDrops = 2

func (c *Client) again(err error, try int) (time.Duration, bool) {
	wait := backoff(try, c.cfg.MinBackoff, c.cfg.MaxBackoff, c.cfg.Rand)
	var node *NodeError
	if errors.As(err, &node) && node.Busy() {
		left, _ := c.pace.left()
		return max(min(wait, busyWaits*c.cfg.MinBackoff), left, node.RetryAfter), true
	}
	var lost *ConnectionError
	if errors.As(err, &lost) && lost.Sent && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return wait, try < maxLineDrops
	}
	return 0, false
}

func (c *Client) callOnce(ctx context.Context, method string, body json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	return c.link.call(ctx, method, body)
}

// encodeParams makes the JSON object of a request, its API version included.
func encodeParams(params map[string]any) (json.RawMessage, error) {
	all := make(map[string]any, len(params)+1)
	for k, v := range params {
		all[k] = v
	}
	all["api_version"] = apiVersion
	return json.Marshal(all)
}

// Limited returns how many requests the node has refused past its limit, or warned of, since the client was made.
func (c *Client) Limited() uint64 { return c.pace.refused() }

// Silences returns how often the streams of the node fell silent on an open connection since the client was made.
func (c *Client) Silences() uint64 { return c.hub.silences.Load() }

// silent says whether it is not known any more which ledger the node has validated: it has not shown one for a while, or
// other answers are from well past it. What is signed on such a ledger may be expired already.
func (c *Client) silent() bool {
	return c.hub.silentFor() > c.cfg.StreamCheck+c.cfg.StreamCheck/2 || c.hub.lags()
}
