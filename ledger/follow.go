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

// historyWindow is how many ledgers of an account's history are read at a time. What was missed is told of in pieces of that
// size, so that a follower that is behind by days holds little of it, and does not begin anew when it is stopped meanwhile.
const historyWindow = 512

// Follow tells of all that validated ledgers behind after do to the credentials that an account has issued, as soon as the
// node tells of it: over WebSocket in the moment in which its ledger is validated. What the stream leaves out, while a line
// was down or a reader slow, is read from the account's history; as long as the node does not answer, or is behind what it
// showed before, Follow waits. It ends with ctx, with apply's error, or with [model.CodeHistoryMissing] where what happened
// cannot be read from transactions any more: the node does not hold their ledgers, or what it has of them is no use. Then
// what stands has to be listed anew ([Client.CredentialsAt]).
func (c *Client) Follow(ctx context.Context, issuer model.Address, after uint32, apply func(context.Context, model.MirrorProgress) error) error {
	w := c.Watch(issuer)
	defer w.Stop()
	f := follower{client: c, issuer: issuer, complete: after, gap: true}
	for {
		if err := f.wait(ctx, w); err != nil {
			return err
		}
		p, err := f.step(ctx, w.Take())
		if err != nil {
			return err
		}
		if p.Complete > f.told || p.CloseTime > f.toldTime || len(p.Changes) > 0 {
			if err := apply(ctx, p); err != nil {
				return err
			}
			f.told, f.toldTime = max(f.told, p.Complete), max(f.toldTime, p.CloseTime)
		}
	}
}

// follower is where a Follow stands.
type follower struct {
	client   *Client
	issuer   model.Address
	complete uint32       // all of this ledger, and of those before it, is known
	newest   model.Ledger // the last one that the node told of
	gap      bool         // between complete and newest something may be missing
	more     bool         // a window of the history was read, and there is another one
	stuck    int          // how often in a row the history could not be read; it is asked for again soon
	told     uint32
	toldTime uint32
}

// wait ends when there is something to do.
func (f *follower) wait(ctx context.Context, w *Watcher) error {
	if f.more {
		return ctx.Err()
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

// step takes in what the node has told. A ledger is complete when the next one comes, as its transactions come behind it.
func (f *follower) step(ctx context.Context, events []Event) (model.MirrorProgress, error) {
	var p model.MirrorProgress
	for _, e := range events {
		switch e.Kind {
		case EventUp:
			f.newest, f.gap = e.Ledger, true
		case EventGap:
			f.gap = true
		case EventLedger:
			switch {
			case !f.client.Streams() || e.Ledger.Index != f.newest.Index+1:
				f.gap = true
			case !f.gap:
				f.complete = f.newest.Index
			}
			f.newest = e.Ledger
		case EventTx:
			if f.gap {
				continue // the history has it
			}
			changes, err := changesOf(e.Tx, f.issuer)
			if err != nil {
				f.client.cfg.Logger.Warn("a transaction of the stream cannot be read; the history is asked", "hash", e.Tx.Hash, "error", err)
				f.gap = true
				continue
			}
			p.Changes = append(p.Changes, changes...)
		}
	}
	f.more = false
	if err := f.fill(ctx, &p); err != nil {
		return p, err
	}
	p.Complete, p.CloseTime = f.complete, f.newest.CloseTime
	return p, nil
}

// fill reads what is missing, where anything may be.
func (f *follower) fill(ctx context.Context, p *model.MirrorProgress) error {
	switch {
	case !f.gap || f.newest.Index == 0:
		return nil
	case f.newest.Index < f.complete:
		// The node has less than was told of, as one does that was started again and catches up. Its ledgers are the same
		// again; once it is past them, the history has what follows.
		p.Changes = nil
		return nil
	case f.newest.Index == f.complete:
		f.gap, f.stuck, p.Changes = false, 0, nil
		return nil
	}
	// What the stream told of before the gap was found is in the history too.
	missed, to, err := f.history(ctx)
	switch {
	case err == nil:
		p.Changes, f.complete = missed, to
		f.gap = to < f.newest.Index
		f.stuck, f.more = 0, f.gap
	case model.CodeOf(err) == model.CodeHistoryMissing || ctx.Err() != nil:
		return err
	default:
		if f.stuck++; f.stuck == 1 {
			f.client.cfg.Logger.Warn("the account's history cannot be read; asking again until it can", "error", err)
		}
		p.Changes = nil
	}
	return nil
}

// history reads what happened behind complete, in no more than a window, and says up to which ledger that is.
func (f *follower) history(ctx context.Context) (changes []model.CredentialChange, to uint32, err error) {
	to = min(f.newest.Index, f.complete+historyWindow)
	if changes, err = f.read(ctx, to); !outOfRange(err) {
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
