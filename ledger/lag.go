package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// lagWait is how long a server may take to have a validated ledger that is known already: about one interval of a public
// network. Clio answers from a database that follows the rippled behind it, and nodes behind one address differ by a ledger.
const lagWait = 5 * time.Second

// leastLagWait and mostLagWait bound the pauses between attempts, which double.
const leastLagWait, mostLagWait = 100 * time.Millisecond, 800 * time.Millisecond

// notYet says whether a server refuses a request as it does not have a ledger, which it may be about to have.
func notYet(err error) bool {
	var node *NodeError
	if errors.As(err, &node) {
		switch node.Code {
		case "lgrNotFound", "ledgerNotFound", "lgrIdxMalformed", "lgrIdxsInvalid", "invalidLgrRange", "lgrNotValidated", "ledgerIndexesInvalid":
			return true
		}
	}
	var held *heldError
	return errors.As(err, &held) && held.from <= held.first
}

// callAt asks about the ledger of an index, which is validated. Where the ledger is recent and the server does not have it,
// it is asked again within [Config.LagWait]. Index 0 is not known, and counts as recent.
func (c *Client) callAt(ctx context.Context, index uint32, method string, params map[string]any, decode func(json.RawMessage) error) error {
	return c.askAt(ctx, index, func() error { return c.call(ctx, method, params, decode) })
}

// askAt is callAt for a question that takes several requests.
func (c *Client) askAt(ctx context.Context, index uint32, ask func() error) error {
	began := c.cfg.Clock.Now()
	for wait := leastLagWait; ; wait = min(2*wait, mostLagWait) {
		err := ask()
		if err == nil || !notYet(err) || !c.recent(index) || c.cfg.Clock.Now().Add(wait).Sub(began) > c.cfg.LagWait {
			return err
		}
		if !sleep(ctx, c.cfg.Clock, wait) {
			return err
		}
	}
}

// recentLedgers is by how many ledgers one may be behind the newest known and still be missing only for the moment.
const recentLedgers = 16

// recent says whether a ledger is among the newest. Where nothing is known of the newest, it may be.
func (c *Client) recent(index uint32) bool {
	newest := c.streamed().Health().Ledger.Index
	return newest == 0 || index == 0 || index+recentLedgers >= newest
}
