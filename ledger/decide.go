package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/xrplissuer/credential-issuer/model"
)

// decider answers what became of transactions, by validated ledgers alone. Its rules, in this order:
//
//  1. A sequence that the validated account has not reached, or a ticket that it still holds, is unused. Past its
//     LastLedgerSequence such a transaction is absent. No history is needed.
//  2. A sequence or ticket that is used up was used by one transaction. That one decides: it is ours, or ours is absent.
//  3. Where the node does not show that transaction, its history has a hole, whatever searched_all says. The credential's
//     ledger entry decides: PreviousTxnID and the metadata of the transactions before it name the one that made the entry.
//  4. Otherwise nothing is decided.
type decider struct {
	client  *Client
	account model.Address
	log     *slog.Logger
}

// lookUpCase is a question to the ledger about one operation, and its answer.
type lookUpCase struct {
	op          *operation // nil outside a lane
	tx          model.Transaction
	own         bool
	slot        slot
	hashes      []string
	blobs       map[string]string // by hash
	first, last uint32

	at     uint32 // the validated ledger that decides
	used   bool   // the sequence or ticket is used up
	past   bool   // no later ledger can take it
	failed error  // the node did not say
	hole   bool   // the node does not show the transaction that used it

	// The answer. At most one is set; none says that nothing is decided.
	found    *Transaction     // in a validated ledger
	proved   *model.Validated // in a validated ledger by its effect; the node does not show it
	absent   bool             // in none, and none can take it; or used without effect
	evidence string           // of proved, or of absent
}

// decided says whether there is an answer.
func (c *lookUpCase) decided() bool { return c.found != nil || c.proved != nil || c.absent }

// undecided says that no later ledger can change the answer, and that the node cannot give it.
func (c *lookUpCase) undecided() bool {
	return c.failed == nil && c.past && c.used && !c.decided()
}

// lookUpsAtOnce is how many questions are open at a time.
const lookUpsAtOnce = 8

// investigate answers the cases, and returns the account as of the validated ledger that they are decided by.
func (d decider) investigate(ctx context.Context, cases []*lookUpCase) (AccountInfo, error) {
	settled, err := d.client.AccountInfo(ctx, d.account)
	if err != nil {
		return settled, err
	}
	tickets, err := d.heldTickets(ctx, cases, settled.LedgerIndex)
	if err != nil {
		return settled, err
	}
	var used []*lookUpCase
	for _, c := range cases {
		if c.at = settled.LedgerIndex; c.slot.ticket {
			c.at = tickets.at
		}
		c.classify(settled, tickets)
		if c.used {
			c.last = min(c.last, c.at)
			c.first = min(c.first, c.last)
			used = append(used, c)
		}
	}
	d.each(used, func(c *lookUpCase) { c.failed = d.byHash(ctx, c) })
	d.byAccount(ctx, used)
	d.each(used, func(c *lookUpCase) {
		if c.failed == nil && !c.decided() {
			c.failed = d.byEntry(ctx, c)
		}
	})
	d.report(ctx, used)
	return settled, nil
}

// classify applies the first rule.
func (c *lookUpCase) classify(settled AccountInfo, tickets heldTickets) {
	c.past = c.last < settled.LedgerIndex // which is no later than that of the tickets
	c.used = c.slot.n < settled.Sequence  // of a higher number no TicketCreate is validated either
	if c.slot.ticket && tickets.held[c.slot.n] {
		c.used = false
	}
	if !c.used && c.past {
		c.absent, c.evidence = true, fmt.Sprintf("%v is unused in validated ledger %d", c.slot, settled.LedgerIndex)
	}
}

// heldTickets are the account's tickets in a validated ledger.
type heldTickets struct {
	held map[uint32]bool
	at   uint32
}

// heldTickets reads the account's tickets where a case has one, from a ledger no older than atLeast.
func (d decider) heldTickets(ctx context.Context, cases []*lookUpCase, atLeast uint32) (heldTickets, error) {
	h := heldTickets{held: map[uint32]bool{}}
	if !slices.ContainsFunc(cases, func(c *lookUpCase) bool { return c.slot.ticket }) {
		return h, nil
	}
	all, at, err := d.client.tickets(ctx, d.account)
	for _, n := range all {
		h.held[n] = true
	}
	if h.at = at; err == nil && at < atLeast {
		err = &AnswerError{Method: "account_objects", Reason: fmt.Sprintf("it is from ledger %d, and ledger %d is validated", at, atLeast)}
	}
	return h, err
}

// each calls f for the cases, a few at a time.
func (d decider) each(cases []*lookUpCase, f func(*lookUpCase)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookUpsAtOnce)
	for _, c := range cases {
		slots <- struct{}{}
		wg.Go(func() {
			f(c)
			<-slots
		})
	}
	wg.Wait()
}

// byHash asks for a case's blobs by their hashes. What is not found proves nothing.
func (d decider) byHash(ctx context.Context, c *lookUpCase) error {
	for _, hash := range c.hashes {
		status, err := d.client.Tx(ctx, hash, c.first, c.last)
		if err != nil && !isRefusal(err) {
			return err
		}
		if err == nil && status.Tx != nil {
			c.found = status.Tx
			return nil
		}
	}
	return nil
}

// isRefusal says that the node answered, and that it does not have what it was asked for.
func isRefusal(err error) bool {
	var node *NodeError
	var answer *AnswerError
	return errors.As(err, &node) && !node.Busy() || errors.As(err, &answer)
}

// consumedBefore is for how many ledgers before the signing the transaction is searched that used a sequence: the signer
// may not have known of the last ones.
const consumedBefore = 16

// byAccount lists the account's own transactions, and finds those that used the sequences and tickets of the cases. A list
// needs not be complete for that.
func (d decider) byAccount(ctx context.Context, cases []*lookUpCase) {
	var open []*lookUpCase
	for _, c := range cases {
		if c.failed == nil && !c.decided() {
			open = append(open, c)
		}
	}
	slices.SortFunc(open, func(a, b *lookUpCase) int { return cmp.Compare(a.first, b.first) })
	for len(open) > 0 {
		first, last, n := open[0].first-min(open[0].first-1, consumedBefore), open[0].last, 1
		for n < len(open) && open[n].first <= last+consumedBefore {
			last = max(last, open[n].last)
			n++
		}
		if err := d.list(ctx, open[:n], first, last); err != nil {
			for _, c := range open[:n] {
				if !c.decided() && !isRefusal(err) && !isHeld(err) {
					c.failed = err
				}
			}
		}
		open = open[n:]
	}
}

func isHeld(err error) bool {
	var held *heldError
	return errors.As(err, &held)
}

// list reads the account's transactions from first to last, as far as the node holds these ledgers.
func (d decider) list(ctx context.Context, cases []*lookUpCase, first, last uint32) error {
	bySlot := make(map[slot]*lookUpCase, len(cases))
	for _, c := range cases {
		bySlot[c.slot] = c
	}
	match := func(t *Transaction) {
		if s, err := t.usedSlot(d.account); err == nil {
			if c := bySlot[s]; c != nil {
				c.consumedBy(t)
			}
			if c := bySlot[slot{s.n, true}]; c != nil && !s.ticket {
				c.consumedBy(t) // its number was a sequence, and never a ticket
			}
		}
	}
	err := d.client.AccountTx(ctx, d.account, first, last, match)
	if err == nil || !isRefusal(err) && !isHeld(err) {
		return err
	}
	from, to, heldErr := d.client.heldRange(ctx, d.account)
	if heldErr != nil || max(first, from) > min(last, to) || from <= first && to >= last {
		return err
	}
	return d.client.AccountTx(ctx, d.account, max(first, from), min(last, to), match)
}

// consumedBy notes the transaction that used the case's sequence or ticket.
func (c *lookUpCase) consumedBy(t *Transaction) {
	if slices.Contains(c.hashes, t.Hash) {
		c.found = t
	} else if c.found == nil {
		c.absent, c.evidence = true, "another transaction used "+c.slot.String()+": "+t.Hash
	}
}

// byEntry decides a used sequence or ticket whose transaction the node does not show.
func (d decider) byEntry(ctx context.Context, c *lookUpCase) error {
	c.hole = true
	if c.own {
		return d.byUse(ctx, c)
	}
	subject, typ, creates := credentialOf(c.tx)
	entry, err := d.client.entryAt(ctx, subject, d.account, typ, c.at)
	if err != nil {
		return err
	}
	var origin origin
	if entry.exists {
		if origin, err = d.byThread(ctx, c, entry, creates); err != nil || c.decided() {
			return err
		}
	}
	if err := d.byLedger(ctx, c); err != nil || c.decided() || !c.past {
		return err
	}
	switch hash := c.hashes[len(c.hashes)-1]; {
	case origin == originBefore:
		c.absent, c.evidence = true, fmt.Sprintf("the credential exists since before ledger %d", c.first+1)
	case origin == originAnother:
	case !creates && !entry.exists:
		return c.prove(hash, c.last, fmt.Sprintf("%v is used up, and the credential does not exist in validated ledger %d", c.slot, c.at))
	case creates && entry.exists && sameContent(c.tx, entry.credential):
		return c.prove(hash, min(c.last, entry.changed), fmt.Sprintf("%v is used up, and the credential has this content in validated ledger %d", c.slot, c.at))
	}
	return nil
}

// byUse decides what the submitter made for itself, which changes no credential. Nothing depends on whose transaction used
// the sequence: what it made is read from the ledger.
func (d decider) byUse(ctx context.Context, c *lookUpCase) error {
	if err := d.byLedger(ctx, c); err != nil || c.decided() || !c.past {
		return err
	}
	return c.prove(c.hashes[len(c.hashes)-1], c.last, fmt.Sprintf("%v is used up in validated ledger %d", c.slot, c.at))
}

// credentialOf returns the credential that a transaction creates or deletes.
func credentialOf(tx model.Transaction) (subject model.Address, t model.CredentialType, creates bool) {
	switch tx := tx.(type) {
	case model.CredentialCreate:
		return tx.Subject, tx.Type, true
	case model.CredentialDelete:
		return tx.Subject, tx.Type, false
	}
	return "", "", false
}

func sameContent(tx model.Transaction, c model.Credential) bool {
	create, ok := tx.(model.CredentialCreate)
	var expiration uint32
	if ok && create.Expiration != nil {
		expiration = *create.Expiration
	}
	return ok && create.URI == c.URI && expiration == c.Expiration
}

// maxThread is how many changes of an entry are followed back. A credential has two: it is created, and accepted.
const maxThread = 4

// origin is where an entry comes from that is not a case's own.
type origin int

const (
	originUnknown origin = iota
	originBefore         // it existed when the transaction was signed
	originAnother        // another transaction created it since
)

// byThread follows an entry's changes back to the transaction that created it, and decides the case where that is its own.
func (d decider) byThread(ctx context.Context, c *lookUpCase, entry entryState, creates bool) (origin, error) {
	hash, ledger := entry.hash, entry.changed
	for range maxThread {
		if ledger <= c.first {
			return originBefore, nil
		}
		t, err := d.client.TransactionEntry(ctx, hash, ledger)
		if err != nil {
			return originUnknown, err
		}
		switch ours := creates && slices.Contains(c.hashes, hash); {
		case ours && t != nil:
			c.found, c.evidence = t, "PreviousTxnID of the credential's entry, and transaction_entry"
			return originUnknown, nil
		case ours:
			return originUnknown, c.prove(hash, ledger, "PreviousTxnID of the credential's entry")
		case t == nil:
			return originUnknown, nil
		}
		created, before, in, found := entryChange(t.Meta, entry.key)
		switch {
		case created:
			return originAnother, nil
		case !found:
			return originUnknown, nil
		}
		hash, ledger = before, in
	}
	return originUnknown, nil
}

// maxEntryReads bounds how many ledgers are read for one case.
const maxEntryReads = 128

// byLedger asks each ledger that could have taken one of the blobs for it.
func (d decider) byLedger(ctx context.Context, c *lookUpCase) error {
	reads := 0
	for ledger := c.first; ledger <= c.last; ledger++ {
		for _, hash := range c.hashes {
			if reads++; reads > maxEntryReads {
				return nil
			}
			t, err := d.client.TransactionEntry(ctx, hash, ledger)
			if err != nil && !isRefusal(err) {
				return err
			}
			if t != nil {
				c.found, c.evidence = t, "transaction_entry"
				return nil
			}
		}
	}
	return nil
}

// prove notes that a blob succeeded, by its effect.
func (c *lookUpCase) prove(hash string, ledger uint32, evidence string) error {
	v, err := Reconstruct(c.blobs[hash], hash, ledger, "tesSUCCESS", evidence)
	if err == nil {
		c.proved, c.evidence = &v, evidence
	}
	return err
}

// report logs what the node could not say.
func (d decider) report(ctx context.Context, cases []*lookUpCase) {
	failed := 0
	var first error
	for _, c := range cases {
		if c.failed != nil {
			failed++
			first = cmp.Or(first, c.failed)
		}
		if c.hole && c.decided() {
			d.log.Warn("the node's history lacks a transaction; the ledger entry decided", "slot", c.slot, "hashes", c.hashes, "evidence", c.evidence)
		}
	}
	if failed > 0 && ctx.Err() == nil {
		d.log.Warn("some transactions cannot be looked up; asking again with the next ledger", "count", failed, "of", len(cases), "error", first)
	}
}
