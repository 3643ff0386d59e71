package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// historyWindow is how many ledgers of an account's history are read at a time. A follower that is days behind holds one window
// in memory, and keeps its progress when it is stopped.
const historyWindow = 512

// Follow reports what validated ledgers behind after do to the credentials of an issuer, ledger by ledger. Every change comes
// from `account_tx`: the stream of ledgers only says when to ask, because a node can drop `transaction` messages of an open
// subscription without a trace. A ledger is complete once `account_tx` has answered for it. While the node does not answer, or
// is behind its own earlier ledgers, Follow waits. It ends with ctx, with apply's error, or with [model.CodeHistoryMissing]
// when transactions cannot explain the changes any more: the node lacks the ledgers, or its answers are unusable. The caller then
// lists the credentials again ([Client.CredentialsAt]).
func (c *Client) Follow(ctx context.Context, issuer model.Address, after uint32, apply func(context.Context, model.MirrorProgress) error) error {
	w := c.Watch()
	defer w.Stop()
	f := follower{client: c, issuer: issuer, complete: after}
	for {
		if err := f.wait(ctx, w); err != nil {
			return err
		}
		p, err := f.step(ctx, w.Take())
		if err != nil {
			return err
		}
		if p.Complete > f.told || p.CloseTime > f.toldTime {
			if err := apply(ctx, p); err != nil {
				return err
			}
			f.told, f.toldTime = max(f.told, p.Complete), max(f.toldTime, p.CloseTime)
		}
	}
}

// follower is the state of one Follow.
type follower struct {
	client   *Client
	issuer   model.Address
	complete uint32       // all changes up to this ledger are reported
	newest   model.Ledger // the last ledger of the stream
	stuck    int          // failures of account_tx in a row
	unusable int          // those of them with an unusable answer
	told     uint32
	toldTime uint32
}

// wait ends when there is something to do.
func (f *follower) wait(ctx context.Context, w *Watcher) error {
	if f.behind() && f.stuck == 0 {
		return ctx.Err() // the next window
	}
	var again <-chan time.Time
	if f.stuck > 0 {
		cfg := f.client.cfg
		timer := cfg.Clock.NewTimer(backoff(f.stuck-1, cfg.PollInterval, max(cfg.PollInterval, cfg.MaxBackoff), cfg.Rand))
		defer timer.Stop()
		again = timer.C()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.Ready():
	case <-again:
	}
	return nil
}

// behind says whether the stream has shown ledgers without a report.
func (f *follower) behind() bool { return f.newest.Index > f.complete }

// lagPatience is the number of failures in a row before a warning when the node searches fewer ledgers than it has announced:
// Clio and load balancers catch up within a ledger interval.
const lagPatience = 5

// mostUnusable is the number of unusable answers for the same first ledger before Follow gives up on the history: a node that
// lacks a transaction, or contradicts itself about one, repeats its answer.
const mostUnusable = 3

// patience is the number of failures in a row before a warning.
func (f *follower) patience(err error) int {
	switch {
	case outOfRange(err):
		return lagPatience
	case unusable(err):
		return mostUnusable + 1 // Follow ends first
	}
	return 1
}

// failed notes a failure of account_tx. The error is [model.CodeHistoryMissing] when another request promises nothing.
func (f *follower) failed(err error) error {
	f.stuck++
	if unusable(err) {
		f.unusable++
	}
	if f.unusable == mostUnusable {
		return &model.Error{Code: model.CodeHistoryMissing, Message: fmt.Sprintf(
			"the node's history of the account behind ledger %d was unusable %d times", f.complete, f.unusable), Cause: err}
	}
	if f.stuck == f.patience(err) {
		f.client.cfg.Logger.Warn("the account's history cannot be read; asking again until it can", "error", err)
	}
	return nil
}

// step notes the newest ledger and reads the changes up to it, at most one window.
func (f *follower) step(ctx context.Context, events []Event) (model.MirrorProgress, error) {
	for _, e := range events {
		if e.Kind == EventUp || e.Kind == EventLedger {
			f.newest = e.Ledger
		}
	}
	var p model.MirrorProgress
	if f.behind() {
		changes, to, err := f.history(ctx)
		switch {
		case err == nil:
			p.Changes, f.complete, f.stuck, f.unusable = changes, to, 0, 0
		case model.CodeOf(err) == model.CodeHistoryMissing || ctx.Err() != nil:
			return p, err
		default:
			if err := f.failed(err); err != nil {
				return p, err
			}
		}
	}
	p.Complete, p.Newest, p.CloseTime = f.complete, f.newest.Index, f.newest.CloseTime
	if f.newest.Index == f.complete {
		p.Hash = f.newest.Hash
	}
	return p, nil
}

// history reads what happened behind complete, in no more than a window, and says up to which ledger that is.
func (f *follower) history(ctx context.Context) (changes []model.CredentialChange, to uint32, err error) {
	to = min(f.newest.Index, f.complete+historyWindow)
	changes, err = f.read(ctx, to)
	for errors.Is(err, errTooLong) && to > f.complete+1 { // fewer ledgers at a time
		to = f.complete + (to-f.complete)/2
		changes, err = f.read(ctx, to)
	}
	if !outOfRange(err) {
		return changes, to, err
	}
	// Either the node has forgotten, or what it searches lags behind what it shows as validated.
	first, last, rangeErr := f.client.heldRange(ctx, f.issuer)
	switch {
	case rangeErr != nil:
		return nil, 0, rangeErr
	case first > f.complete+1:
		return nil, 0, &model.Error{Code: model.CodeHistoryMissing, Message: fmt.Sprintf(
			"the node holds ledgers from %d on, and what happened behind ledger %d was missed", first, f.complete), Cause: err}
	case last <= f.complete:
		return nil, 0, err
	}
	to = min(to, last)
	changes, err = f.read(ctx, to)
	return changes, to, err
}

// read returns the changes behind complete, up to a ledger.
func (f *follower) read(ctx context.Context, to uint32) ([]model.CredentialChange, error) {
	var all []model.CredentialChange
	var wrong error
	err := f.client.AccountTx(ctx, f.issuer, f.complete+1, to, func(t *Transaction) {
		changes, err := changesOf(t, f.issuer)
		if err != nil && wrong == nil {
			wrong = fmt.Errorf("transaction %s: %w", t.Hash, err)
		}
		all = append(all, changes...)
	})
	var node *NodeError
	switch {
	case errors.As(err, &node) && node.Code == "actNotFound": // an account that is not there yet has no history
		return nil, nil
	case err != nil:
		return nil, err
	case wrong != nil: // asking again helps nothing
		return nil, &model.Error{Code: model.CodeHistoryMissing, Message: "a transaction of the account's history cannot be read", Cause: wrong}
	}
	return all, nil
}

// outOfRange says whether a node does not have all the ledgers that its history was asked for.
func outOfRange(err error) bool {
	var node *NodeError
	if errors.As(err, &node) {
		switch node.Code {
		case "lgrIdxMalformed", "invalidLgrRange", "lgrIdxsInvalid", "lgrNotFound":
			return true
		}
	}
	var held *heldError
	return errors.As(err, &held)
}

// unusable says whether the node has answered, and the same request is likely to get the same answer: it contradicts itself, or
// the node cannot read its own data (rippled: ErrorCodes.h, rpcINTERNAL and rpcDB_DESERIALIZATION).
func unusable(err error) bool {
	if outOfRange(err) {
		return false
	}
	var node *NodeError
	if errors.As(err, &node) {
		return node.Code == "internal" || node.Code == "dbDeserialization"
	}
	var answer *AnswerError
	return errors.As(err, &answer)
}

// heldError says which ledgers a node holds, where they are not all that were asked for.
type heldError struct{ from, to, first, last uint32 }

func (e *heldError) Error() string {
	return fmt.Sprintf("the node holds ledgers %d to %d, and %d to %d were asked for", e.from, e.to, e.first, e.last)
}

// affected is one entry of a transaction's metadata, as far as it is looked at.
type affected struct {
	kind                                   model.ChangeKind
	entryType, index                       string
	newFields, finalFields, previousFields json.RawMessage
}

// affectedKinds are the names under which metadata has its entries.
var affectedKinds = map[string]model.ChangeKind{"CreatedNode": model.ChangeCreated, "ModifiedNode": model.ChangeAccepted, "DeletedNode": model.ChangeDeleted}

// decodeAffected reads an entry; its kind is empty where it is none of those.
func decodeAffected(raw json.RawMessage) (n affected, err error) {
	err = eachMember(raw, func(name []byte, value json.RawMessage) error {
		kind, known := affectedKinds[string(name)]
		if !known || isNull(value) {
			return nil
		}
		n = affected{kind: kind}
		return scanObject(value, member{"LedgerEntryType", &n.entryType}, member{"LedgerIndex", &n.index},
			member{"NewFields", &n.newFields}, member{"FinalFields", &n.finalFields}, member{"PreviousFields", &n.previousFields})
	})
	return n, err
}

// credentialMark is in the metadata of each transaction that touches a credential.
var credentialMark = []byte(`"Credential"`)

// changesOf returns what a validated transaction did to credentials that an account has issued.
func changesOf(t *Transaction, issuer model.Address) ([]model.CredentialChange, error) {
	if !bytes.Contains(t.Meta, credentialMark) {
		return nil, nil
	}
	var nodes, place json.RawMessage
	err := scanObject(t.Meta, member{"AffectedNodes", &nodes}, member{"TransactionIndex", &place})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	common := model.CredentialChange{Hash: t.Hash}
	if common.By, _, err = t.sender(); err != nil {
		return nil, err
	}
	if common.CloseTime, err = model.ParseTime(t.CloseTimeISO); err != nil {
		return nil, fmt.Errorf("close_time_iso %w", err)
	}
	if err := errors.Join(number(t.ledgerIndex, "ledger_index", &common.Ledger), number(place, "TransactionIndex", &common.TransactionIndex)); err != nil {
		return nil, err
	}
	var changes []model.CredentialChange
	if isNull(nodes) {
		return nil, nil
	}
	err = eachElement(nodes, func(raw json.RawMessage) error {
		n, err := decodeAffected(raw)
		switch {
		case err != nil:
			return fmt.Errorf("metadata: %w", err)
		case n.kind == "" || n.entryType != "Credential":
			return nil
		}
		change := common
		change.Kind = n.kind
		if change.Credential, err = n.credential(issuer); err != nil {
			return err
		}
		switch {
		case change.Credential.Issuer != issuer:
		case n.kind == model.ChangeAccepted && !n.becameAccepted(): // its place in a directory, or what threads its history
		default:
			changes = append(changes, change)
		}
		return nil
	})
	return changes, err
}

// credential reads an entry that is one.
func (n *affected) credential(issuer model.Address) (model.Credential, error) {
	fields := n.finalFields
	if n.kind == model.ChangeCreated {
		fields = n.newFields
	}
	// An entry's flags are left out where they are 0, as in what a CredentialCreate makes.
	entry := credentialEntry{LedgerEntryType: n.entryType, Index: n.index, Flags: json.RawMessage("0")}
	err := scanObject(fields, member{"Subject", &entry.Subject}, member{"Issuer", &entry.Issuer}, member{"CredentialType", &entry.CredentialType},
		member{"URI", &entry.URI}, member{"Expiration", &entry.Expiration}, member{"Flags", &entry.Flags})
	if err != nil {
		return model.Credential{}, fmt.Errorf("a credential of the metadata: %w", err)
	}
	return entry.credential(issuer)
}

// becameAccepted says whether a change set lsfAccepted.
func (n *affected) becameAccepted() bool {
	after, known := acceptedIn(n.finalFields)
	before, changed := acceptedIn(n.previousFields)
	return known && after && changed && !before
}

// acceptedIn says whether fields have lsfAccepted; known is false where they have no flags.
func acceptedIn(fields json.RawMessage) (accepted, known bool) {
	var raw json.RawMessage
	var flags uint32
	if isNull(fields) || scanObject(fields, member{"Flags", &raw}) != nil || number(raw, "Flags", &flags) != nil {
		return false, false
	}
	return flags&lsfAccepted != 0, true
}
