package ledger

import (
	"context"
	"fmt"

	"github.com/xrplissuer/credential-issuer/model"
)

// jumpTries is how often in a row, about a second apart, an account's unexplained sequence stops the lane. Past it the node's history
// is taken to lack the transactions: the sequence decides what is signed next, and a wrong one expires.
const jumpTries = 60

// jumped says whether the account's sequence is ahead of all that the lane has handed out and that nobody else's transactions
// account for: each sequence is used by a transaction of the account, so a ledger without it is another one.
func (c *Client) jumped(ctx context.Context, account model.Address, before AccountInfo, next uint32, now AccountInfo) error {
	if c.chain == nil || before.LedgerIndex == 0 || now.Sequence <= max(next, before.Sequence) || now.LedgerIndex <= before.LedgerIndex {
		return nil
	}
	used := uint32(0) // the sequence after the last one that a transaction used
	err := c.AccountTx(ctx, account, before.LedgerIndex+1, now.LedgerIndex, func(t *Transaction) {
		by, sequence, err := t.sender()
		if err != nil || by != account {
			return
		}
		after := sequence + 1
		switch kind, tickets := t.kind(); kind {
		case "TicketCreate":
			after += tickets
		case "AccountDelete":
			after = now.Sequence // an account that comes into being again begins with the ledger's index
		}
		used = max(used, after)
	})
	switch {
	case isHeld(err) || outOfRange(err):
		return nil // the node does not hold these ledgers
	case err != nil:
		return err
	case used < now.Sequence:
		return c.chain.count(&UnprovenError{Index: now.LedgerIndex, Contradiction: true, Reason: fmt.Sprintf(
			"the account's Sequence is %d in it, was %d in ledger %d, and the account's transactions end with %d", now.Sequence, before.Sequence, before.LedgerIndex, used)})
	}
	return nil
}
