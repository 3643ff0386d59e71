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

// ErrHistory says that the node does not hold all the ledgers that a follower missed: what happened in them cannot be told
// from transactions any more, and what stands has to be listed anew.
var ErrHistory = errors.New("the node does not hold the ledgers that were missed")

// Progress is what [Client.Follow] learned.
type Progress struct {
	// Complete is the last ledger all of whose changes were told of, with this progress.
	Complete uint32
	// CloseTime is when the newest validated ledger closed, in seconds since the Ripple Epoch; 0 where it is not known yet.
	CloseTime uint32
	// Changes are in the order of the ledger. One that was told of before may be told of again.
	Changes []model.CredentialChange
}

// Follow tells of all that validated ledgers behind after do to the credentials that an account has issued, as soon as the
// node tells of it: over WebSocket in the moment in which its ledger is validated. What the stream leaves out, while a line
// was down or a reader slow, is read from the account's history; as long as the node does not answer, Follow waits. It ends
// with ctx, with apply's error, or with [ErrHistory].
func (c *Client) Follow(ctx context.Context, issuer model.Address, after uint32, apply func(context.Context, Progress) error) error {
	w := c.Watch(issuer)
	defer w.Stop()
	f := follower{client: c, issuer: issuer, complete: after, gap: true}
	for {
		var again <-chan time.Time
		if f.stuck {
			timer := c.cfg.Clock.NewTimer(c.cfg.PollInterval)
			defer timer.Stop()
			again = timer.C()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.Ready():
		case <-again:
		}
		p, err := f.step(ctx, w.Take())
		if err != nil {
			return err
		}
		if p.Complete > f.told || p.CloseTime > f.toldTime || len(p.Changes) > 0 {
			if err := apply(ctx, p); err != nil {
				return err
			}
			f.told, f.toldTime = p.Complete, p.CloseTime
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
	stuck    bool         // the history could not be read; it is asked for again soon
	told     uint32
	toldTime uint32
}

// step takes in what the node has told. A ledger is complete when the next one comes, as its transactions come behind it.
func (f *follower) step(ctx context.Context, events []Event) (Progress, error) {
	var p Progress
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
	f.stuck = false
	if f.gap && f.newest.Index > 0 {
		missed, err := f.history(ctx)
		switch {
		case err == nil:
			// What the stream told of before the gap was found is in the history too.
			p.Changes = missed
			f.complete, f.gap = max(f.complete, f.newest.Index), false
		case errors.Is(err, ErrHistory) || ctx.Err() != nil:
			return p, err
		default:
			f.client.cfg.Logger.Debug("the account's history cannot be read; asking again", "error", err)
			f.stuck, p.Changes = true, nil
		}
	}
	p.Complete, p.CloseTime = f.complete, f.newest.CloseTime
	return p, nil
}

// history reads what happened behind complete.
func (f *follower) history(ctx context.Context) ([]model.CredentialChange, error) {
	if f.newest.Index <= f.complete {
		return nil, nil
	}
	var all []model.CredentialChange
	var wrong error
	err := f.client.AccountTx(ctx, f.issuer, f.complete+1, f.newest.Index, func(t *Transaction) {
		changes, err := changesOf(t, f.issuer)
		if err != nil && wrong == nil {
			wrong = fmt.Errorf("transaction %s: %w", t.Hash, err)
		}
		all = append(all, changes...)
	})
	if err == nil && wrong == nil {
		return all, nil
	}
	if err == nil {
		err = wrong
	}
	var node *NodeError
	if errors.As(err, &node) && node.Code == "actNotFound" { // an account that is not there yet has no history
		return nil, nil
	}
	var answer *AnswerError
	var held *heldError
	if errors.As(err, &node) && (node.Code == "lgrIdxsInvalid" || node.Code == "lgrNotFound" || node.Code == "lgrIdxMalformed") ||
		errors.As(err, &answer) && errors.As(err, &held) && held.from > f.complete+1 {
		return nil, fmt.Errorf("%w: behind ledger %d (%w)", ErrHistory, f.complete, err)
	}
	return nil, err
}

// heldError says which ledgers a node holds, where they are not all that were asked for.
type heldError struct{ from, to, first, last uint32 }

func (e *heldError) Error() string {
	return fmt.Sprintf("the node holds ledgers %d to %d, and %d to %d were asked for", e.from, e.to, e.first, e.last)
}

// affected is one entry of a transaction's metadata, as far as it is looked at.
type affected struct {
	LedgerEntryType string
	LedgerIndex     string
	NewFields       json.RawMessage
	FinalFields     json.RawMessage
	PreviousFields  json.RawMessage
}

// credentialMark is in the metadata of each transaction that touches a credential.
var credentialMark = []byte(`"Credential"`)

// changesOf returns what a validated transaction did to credentials that an account has issued.
func changesOf(t *Transaction, issuer model.Address) ([]model.CredentialChange, error) {
	if !bytes.Contains(t.Meta, credentialMark) {
		return nil, nil
	}
	var meta struct {
		AffectedNodes []struct {
			CreatedNode, ModifiedNode, DeletedNode *affected
		}
		TransactionIndex json.RawMessage
	}
	if err := decodeObject(t.Meta, &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	common := model.CredentialChange{Hash: t.Hash}
	var err error
	if common.By, _, err = t.sender(); err != nil {
		return nil, err
	}
	if common.CloseTime, err = model.ParseTime(t.CloseTimeISO); err != nil {
		return nil, fmt.Errorf("close_time_iso %w", err)
	}
	if err := errors.Join(number(t.ledgerIndex, "ledger_index", &common.Ledger), number(meta.TransactionIndex, "TransactionIndex", &common.TransactionIndex)); err != nil {
		return nil, err
	}
	var changes []model.CredentialChange
	for _, n := range meta.AffectedNodes {
		change := common
		var node *affected
		var fields json.RawMessage
		switch {
		case n.CreatedNode != nil:
			node, fields, change.Kind = n.CreatedNode, n.CreatedNode.NewFields, model.ChangeCreated
		case n.ModifiedNode != nil:
			node, fields, change.Kind = n.ModifiedNode, n.ModifiedNode.FinalFields, model.ChangeAccepted
		case n.DeletedNode != nil:
			node, fields, change.Kind = n.DeletedNode, n.DeletedNode.FinalFields, model.ChangeDeleted
		default:
			continue
		}
		if node.LedgerEntryType != "Credential" {
			continue
		}
		// An entry's flags are left out where they are 0, as in what a CredentialCreate makes.
		entry := credentialEntry{Flags: json.RawMessage("0")}
		if err := decodeObject(fields, &entry); err != nil {
			return nil, fmt.Errorf("a credential of the metadata: %w", err)
		}
		entry.LedgerEntryType, entry.Index = node.LedgerEntryType, node.LedgerIndex
		if change.Credential, err = entry.credential(issuer); err != nil {
			return nil, err
		}
		if change.Credential.Issuer != issuer {
			continue
		}
		if change.Kind == model.ChangeAccepted && !becameAccepted(node) {
			continue // its place in a directory, or what threads its history
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// becameAccepted says whether a change set lsfAccepted.
func becameAccepted(n *affected) bool {
	var before, after struct{ Flags *uint32 }
	if json.Unmarshal(n.FinalFields, &after) != nil || after.Flags == nil || *after.Flags&lsfAccepted == 0 {
		return false
	}
	if len(n.PreviousFields) > 0 && json.Unmarshal(n.PreviousFields, &before) != nil {
		return false
	}
	return before.Flags != nil && *before.Flags&lsfAccepted == 0
}
