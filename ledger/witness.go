package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Witnesses are other nodes of the same network. What one node says is final only when one of them says the same. The nil
// Witnesses confirm everything: then one node is trusted.
type Witnesses struct {
	nodes []*Client
	log   *slog.Logger

	disagreements atomic.Uint64
}

// NewWitnesses returns the witnesses that nodes are, in the order in which they are asked. They stay the caller's to close. Without
// any, it is nil.
func NewWitnesses(nodes []*Client, log *slog.Logger) *Witnesses {
	if len(nodes) == 0 {
		return nil
	}
	return &Witnesses{nodes: nodes, log: log}
}

// Disagreements counts how often a witness has said otherwise.
func (w *Witnesses) Disagreements() uint64 {
	if w == nil {
		return 0
	}
	return w.disagreements.Load()
}

// DisagreementError says that two nodes of one network contradict each other. Neither is believed.
type DisagreementError struct{ Node, Reason string }

func (e *DisagreementError) Error() string {
	return "the node at " + e.Node + " disagrees: " + e.Reason
}

// errLags is a witness that has not come as far as what it is asked about.
var errLags = errors.New("it has not come as far")

const (
	// witnessTries and witnessWait bound how long a witness is waited for that lags.
	witnessTries = 6
	witnessWait  = time.Second
)

// ask has one witness confirm something: the first that can tell. Where none can, or one disagrees, the error is a [model.Error]
// with the code.
func (w *Witnesses) ask(ctx context.Context, code model.Code, what string, confirm func(context.Context, *Client) error) error {
	var cannot error
	for _, node := range w.nodes {
		err := node.awaiting(ctx, func(err error) bool { return errors.Is(err, errLags) }, func() error { return confirm(ctx, node) })
		var other *DisagreementError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &other):
			w.disagreements.Add(1)
			w.log.Error("nodes disagree; nothing is concluded", "about", what, "node", node.Node(), "error", err)
			return &model.Error{Code: code, Message: "two XRP Ledger nodes disagree; the result is undetermined", Cause: err, RetryAfter: retryAfter}
		}
		cannot = errors.Join(cannot, fmt.Errorf("%s: %w", node.Node(), err))
	}
	if ctx.Err() == nil {
		w.log.Warn("no second node confirms; nothing is concluded", "about", what, "error", cannot)
	}
	return &model.Error{Code: code, Message: "no second XRP Ledger node confirms the result at the moment; it is undetermined", Cause: cannot, RetryAfter: retryAfter}
}

// awaiting asks again for a while where an error says that the node lags.
func (c *Client) awaiting(ctx context.Context, lags func(error) bool, ask func() error) error {
	err := ask()
	for try := 1; err != nil && lags(err) && try < witnessTries; try++ {
		timer := c.cfg.Clock.NewTimer(witnessWait)
		select {
		case <-timer.C():
			err = ask()
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
	return err
}

// confirmedAtOnce is how many questions to witnesses are open at a time.
const confirmedAtOnce = 16

// ConfirmOutcomes returns nil where a witness confirms that the outcomes' transactions are in the validated ledgers that they name,
// with their results, and that the absent ones are in none. attempts returns what was signed for an operation. Error code:
// [model.CodeLedgerUnavailable]; nothing may be stored then.
func (w *Witnesses) ConfirmOutcomes(ctx context.Context, account model.Address, outcomes []model.Outcome,
	attempts func(context.Context, model.OperationID) ([]model.Attempt, error)) error {
	if w == nil {
		return nil
	}
	errs := make([]error, len(outcomes))
	slots := make(chan struct{}, confirmedAtOnce)
	var wg sync.WaitGroup
	for i, o := range outcomes {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = w.confirmOutcome(ctx, account, o, attempts)
			<-slots
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Witnesses) confirmOutcome(ctx context.Context, account model.Address, o model.Outcome,
	attempts func(context.Context, model.OperationID) ([]model.Attempt, error)) error {
	if o.Result != nil {
		return w.ask(ctx, model.CodeLedgerUnavailable, "transaction "+o.Result.Hash, func(ctx context.Context, c *Client) error { return c.confirmValidated(ctx, *o.Result) })
	}
	if len(o.Absent) == 0 {
		return nil
	}
	signed, err := attempts(ctx, o.Operation)
	if err != nil {
		return err
	}
	for _, hash := range o.Absent {
		for _, a := range signed {
			if a.Hash != hash {
				continue
			}
			err := w.ask(ctx, model.CodeLedgerUnavailable, "transaction "+hash, func(ctx context.Context, c *Client) error { return c.confirmAbsent(ctx, account, a) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// confirmValidated looks for a transaction in its ledger.
func (c *Client) confirmValidated(ctx context.Context, v model.Validated) error {
	if err := c.asFarAs(ctx, v.LedgerIndex); err != nil {
		return err
	}
	status, err := c.Tx(ctx, v.Hash, v.LedgerIndex, v.LedgerIndex)
	switch {
	case err != nil:
		return err
	case status.Tx == nil && status.Absent:
		return &DisagreementError{c.Node(), fmt.Sprintf("it has no transaction %s in ledger %d", v.Hash, v.LedgerIndex)}
	case status.Tx == nil:
		return errLags // or it lacks the ledger
	}
	var index uint32
	var result string
	if err := errors.Join(number(status.Tx.ledgerIndex, "ledger_index", &index), scanObject(status.Tx.Meta, member{"TransactionResult", &result})); err != nil {
		return err
	}
	if index != v.LedgerIndex || result != v.EngineResult {
		return &DisagreementError{c.Node(), fmt.Sprintf("it has transaction %s in ledger %d as %s, not in ledger %d as %s", v.Hash, index, excerpt([]byte(result)), v.LedgerIndex, v.EngineResult)}
	}
	return nil
}

// confirmAbsent looks for a transaction in all ledgers that can have it. Its sequence, unused after them, proves it absent too.
func (c *Client) confirmAbsent(ctx context.Context, account model.Address, a model.Attempt) error {
	info, err := c.AccountInfo(ctx, account)
	switch {
	case err != nil:
		return err
	case a.Ticket == 0 && info.Sequence > a.Sequence: // used by this or by another one
	case info.LedgerIndex <= a.LastLedgerSequence:
		return errLags
	}
	status, err := c.Tx(ctx, a.Hash, min(a.FirstLedger, info.LedgerIndex), min(a.LastLedgerSequence, info.LedgerIndex))
	switch {
	case err != nil:
		return err
	case status.Tx != nil:
		return &DisagreementError{c.Node(), "it has transaction " + a.Hash + " in a validated ledger"}
	case !status.Absent && (a.Ticket != 0 || info.Sequence > a.Sequence):
		return errors.New("it has not searched all ledgers that can have transaction " + a.Hash)
	}
	return nil
}

// asFarAs says whether the node has come to a ledger.
func (c *Client) asFarAs(ctx context.Context, index uint32) error {
	l, err := c.Ledger(ctx)
	if err == nil && l.Index < index {
		err = errLags
	}
	return err
}

// ConfirmValid returns nil where a witness shows the same credential in the same ledger. Error code:
// [model.CodeLedgerUnavailable], where the verification is undetermined.
func (w *Witnesses) ConfirmValid(ctx context.Context, at model.Ledger, found model.Credential) error {
	if w == nil {
		return nil
	}
	return w.ask(ctx, model.CodeLedgerUnavailable, "credential "+found.Index, func(ctx context.Context, c *Client) error {
		if err := c.asFarAs(ctx, at.Index); err != nil {
			return err
		}
		shown, _, err := c.CredentialAt(ctx, at, found.Subject, found.Issuer, found.Type)
		switch {
		case model.CodeOf(err) == model.CodeEntryNotFound || model.CodeOf(err) == model.CodeAccountNotFound:
			return &DisagreementError{c.Node(), fmt.Sprintf("it has no such credential in ledger %d", at.Index)}
		case missing(err):
			return errLags
		case err != nil:
			return err
		case shown != found:
			return &DisagreementError{c.Node(), fmt.Sprintf("the credential is another in its ledger %d", at.Index)}
		}
		return nil
	})
}

// SameNetwork compares the witnesses with what is known of the network. The error is an [OtherNetworkError] for the first that
// shows another one. A witness that does not answer, or is behind, is no error.
func (w *Witnesses) SameNetwork(ctx context.Context, known model.Network) error {
	if w == nil {
		return nil
	}
	for _, node := range w.nodes {
		err := node.awaiting(ctx, Behind, func() error { _, err := node.SameNetwork(ctx, known); return err })
		var other *OtherNetworkError
		switch {
		case errors.As(err, &other):
			return fmt.Errorf("%s: %w", node.Node(), err)
		case err != nil:
			w.log.Warn("a second node does not show its ledger", "node", node.Node(), "error", err)
		}
	}
	return nil
}

// mainnetFirst is the oldest ledger of Mainnet that exists (index 32570; its header is in the public history, and in chain_test.go).
var mainnetFirst = model.Ledger{Index: 32570, Hash: "4109C6F2045FC7EFF4CDE8F9905D19C28820D86304080FF886B299F0206E42B5"}

// CheckNamed says whether a node can be of a public network: by the network id, where it states one, and by the oldest ledger of
// Mainnet, where it holds that index. The error is an [OtherNetworkError], or the node does not answer.
func (c *Client) CheckNamed(ctx context.Context, id uint32) error {
	const doing = "reading which network it is"
	info, err := c.ServerInfo(ctx)
	if err != nil {
		return unavailable(doing, err)
	}
	if info.NetworkID != id && (id == 0 || info.NetworkID != 0) { // an old node states none
		return &OtherNetworkError{fmt.Sprintf("its network id is %d, not %d", info.NetworkID, id)}
	}
	hash, found, err := c.hashOf(ctx, mainnetFirst.Index)
	switch {
	case isAnswerError(err) || isRefusal(err):
		return nil // it does not show it
	case err != nil:
		return unavailable(doing, err)
	case found && (hash == mainnetFirst.Hash) != (id == 0):
		return &OtherNetworkError{fmt.Sprintf("the hash of its ledger %d is %s", mainnetFirst.Index, hash)}
	}
	return nil
}
