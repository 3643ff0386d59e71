package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/xrplissuer/credential-issuer/model"
)

// lsfAccepted marks a credential that its subject has accepted (XLS-70).
const lsfAccepted = 0x0001_0000

// credentialPage is how many entries are asked for at a time: the most that nodes grant.
const credentialPage = 400

// credentialEntry is a Credential ledger entry as nodes write it.
type credentialEntry struct {
	LedgerEntryType string
	Subject, Issuer string
	CredentialType  string
	URI             string
	Expiration      json.RawMessage
	Flags           json.RawMessage
	Index           string `json:"index"`
	// PreviousTxnLgrSeq is the ledger of the last transaction that changed it.
	PreviousTxnLgrSeq json.RawMessage
}

// credential reads the entry. known is an address that need not be checked again where it stands in one.
func (e *credentialEntry) credential(known model.Address) (model.Credential, error) {
	address := func(s string) (model.Address, error) {
		if s == string(known) {
			return known, nil
		}
		return model.ParseAddress(s)
	}
	if e.LedgerEntryType != "Credential" {
		return model.Credential{}, fmt.Errorf("it is no Credential: %q", excerpt([]byte(e.LedgerEntryType)))
	}
	c := model.Credential{Index: e.Index}
	var flags uint32
	var subjectErr, issuerErr, typeErr, uriErr, expirationErr error
	c.Subject, subjectErr = address(e.Subject)
	c.Issuer, issuerErr = address(e.Issuer)
	c.Type, typeErr = model.ParseTypeHex(e.CredentialType)
	if e.URI != "" {
		c.URI, uriErr = model.ParseURIHex(e.URI)
	}
	if len(e.Expiration) > 0 {
		expirationErr = number(e.Expiration, "Expiration", &c.Expiration)
	}
	err := errors.Join(subjectErr, issuerErr, typeErr, uriErr, expirationErr,
		number(e.Flags, "Flags", &flags), hash256(e.Index, "index"))
	if err != nil {
		return model.Credential{}, fmt.Errorf("credential entry: %w", err)
	}
	c.Accepted = flags&lsfAccepted != 0
	return c, nil
}

// listed is credential with the ledger that changed it last.
func (e *credentialEntry) listed(known model.Address) (l model.ListedCredential, err error) {
	if l.Credential, err = e.credential(known); err == nil && len(e.PreviousTxnLgrSeq) > 0 {
		err = number(e.PreviousTxnLgrSeq, "PreviousTxnLgrSeq", &l.Changed)
	}
	return l, err
}

// Credential returns one credential as it stands in the last validated ledger. Where there is none, the error is a
// [model.Error] with [model.CodeEntryNotFound]; where no node answers, with [model.CodeLedgerUnavailable].
func (c *Client) Credential(ctx context.Context, subject, issuer model.Address, t model.CredentialType) (model.Credential, error) {
	if err := c.checkCurrent(ctx); err != nil {
		return model.Credential{}, unavailable("looking up a credential", err)
	}
	var found model.Credential
	err := c.call(ctx, "ledger_entry", map[string]any{
		"credential":   map[string]any{"subject": subject, "issuer": issuer, "credential_type": t.Hex()},
		"ledger_index": validatedIndex,
	}, func(raw json.RawMessage) (err error) {
		found, err = decodeCredential(raw, subject, issuer, t)
		return err
	})
	var node *NodeError
	if errors.As(err, &node) && node.Code == "entryNotFound" {
		return model.Credential{}, &model.Error{Code: model.CodeEntryNotFound,
			Message: fmt.Sprintf("no credential %s of %s for %s stands on the ledger", t.Text(), issuer, subject), Cause: err}
	}
	if err != nil {
		return model.Credential{}, unavailable("looking up a credential", err)
	}
	return found, nil
}

func decodeCredential(raw json.RawMessage, subject, issuer model.Address, t model.CredentialType) (model.Credential, error) {
	var a struct {
		Index     string           `json:"index"`
		Node      *credentialEntry `json:"node"`
		Validated bool             `json:"validated"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return model.Credential{}, err
	}
	if a.Node == nil {
		return model.Credential{}, errors.New("node is missing")
	}
	if !a.Validated {
		return model.Credential{}, errors.New("it is not from a validated ledger")
	}
	if a.Node.Index == "" {
		a.Node.Index = a.Index
	}
	c, err := a.Node.credential(issuer)
	if err != nil {
		return model.Credential{}, err
	}
	if c.Subject != subject || c.Issuer != issuer || c.Type != t {
		return model.Credential{}, errors.New("it is about another credential")
	}
	return c, nil
}

// Credentials yields those of account's credentials that pass the filter, both those that it issued and those about
// it, in the order of its owner directory, all as they stand in the ledger that was validated when the first was asked
// for. One page is in memory at a time, however long the list is. An error, a [model.Error], ends the sequence.
func (c *Client) Credentials(ctx context.Context, account model.Address, f model.Filter) iter.Seq2[model.Credential, error] {
	return func(yield func(model.Credential, error) bool) {
		for found, err := range c.credentials(ctx, nil, account, f) {
			if !yield(found.Credential, err) {
				return
			}
		}
	}
}

// CredentialsAt is [Client.Credentials] as they stand in one validated ledger, with the ledgers that changed them last. Where the
// node does not have it any more, the error is [model.CodeLedgerUnavailable].
func (c *Client) CredentialsAt(ctx context.Context, at model.Ledger, account model.Address, f model.Filter) iter.Seq2[model.ListedCredential, error] {
	return c.credentials(ctx, &at, account, f)
}

func (c *Client) credentials(ctx context.Context, at *model.Ledger, account model.Address, f model.Filter) iter.Seq2[model.ListedCredential, error] {
	return func(yield func(model.ListedCredential, error) bool) {
		const doing = "listing credentials"
		params := map[string]any{"account": account, "type": "credential", "ledger_index": validatedIndex, "limit": credentialPage}
		var page credentialsAnswer
		var pinned pin
		if at != nil {
			pinned = pin{at.Index, at.Hash}
			params["ledger_index"] = at.Index
		} else if err := c.checkCurrent(ctx); err != nil {
			yield(model.ListedCredential{}, unavailable(doing, err))
			return
		}
		guard := markerGuard{}
		for {
			err := c.callAt(ctx, pinned.index, "account_objects", params, func(raw json.RawMessage) error {
				return decodeCredentials(raw, account, &pinned, &page)
			})
			if err != nil {
				yield(model.ListedCredential{}, c.accountError(doing, account, err))
				return
			}
			for i := range page.Entries {
				found, err := page.Entries[i].listed(account)
				if err != nil {
					yield(model.ListedCredential{}, unavailable(doing, &AnswerError{Method: "account_objects", Reason: "unusable", Cause: err}))
					return
				}
				if found.Issuer != account && found.Subject != account {
					yield(model.ListedCredential{}, unavailable(doing, &AnswerError{Method: "account_objects", Reason: "an entry is of other accounts"}))
					return
				}
				if f.Match(account, found.Credential) && !yield(found, nil) {
					return
				}
			}
			if isNull(page.Marker) {
				return
			}
			if err := guard.check(page.Marker); err != nil {
				yield(model.ListedCredential{}, unavailable(doing, &AnswerError{Method: "account_objects", Reason: "unusable", Cause: err}))
				return
			}
			params["marker"] = page.Marker
			params["ledger_index"] = pinned.index
		}
	}
}

// objectsPage is one page of `account_objects`, whose entries are read as E.
type objectsPage[E any] struct {
	Account     model.Address   `json:"account"`
	Entries     []E             `json:"account_objects"`
	Marker      json.RawMessage `json:"marker"`
	LedgerIndex json.RawMessage `json:"ledger_index"`
	LedgerHash  string          `json:"ledger_hash"`
	Validated   bool            `json:"validated"`
}

// pin is the ledger that all pages of a list come from.
type pin struct {
	index uint32
	hash  string
}

// check holds a page to what was asked for, an account's list in one validated ledger, and returns that ledger.
func (p *objectsPage[E]) check(account model.Address, pinned pin) (at pin, err error) {
	if err := errors.Join(number(p.LedgerIndex, "ledger_index", &at.index), hash256(p.LedgerHash, "ledger_hash")); err != nil {
		return at, err
	}
	at.hash = p.LedgerHash
	switch {
	case p.Account != account:
		return at, fmt.Errorf("it is about another account, %q", excerpt([]byte(p.Account)))
	case p.Entries == nil:
		return at, errors.New("account_objects is missing")
	case !p.Validated:
		return at, errors.New("it is not from a validated ledger")
	case pinned.index != 0 && at != pinned:
		return at, fmt.Errorf("a page is from ledger %d %.8s, and the list from %d %.8s", at.index, at.hash, pinned.index, pinned.hash)
	}
	return at, nil
}

type credentialsAnswer = objectsPage[credentialEntry]

func decodeCredentials(raw json.RawMessage, account model.Address, pinned *pin, page *credentialsAnswer) error {
	clear(page.Entries) // a page is decoded over the last one, whose fields must not show through
	*page = credentialsAnswer{Entries: page.Entries[:0]}
	if err := json.Unmarshal(raw, page); err != nil {
		return err
	}
	at, err := page.check(account, *pinned)
	if err != nil {
		return err
	}
	if len(page.Entries) > credentialPage {
		return fmt.Errorf("it holds %d entries, and %d were asked for", len(page.Entries), credentialPage)
	}
	*pinned = at
	return nil
}

// maxMarker bounds what is carried from one page to the next.
const maxMarker = 4096

// markerGuard finds out when a node's pages go round in a circle. It keeps one marker, and a newer one each time the
// number of pages has doubled (Brent's algorithm), so that its memory does not grow with the list. Markers that are new each
// time end with [maxListPages].
type markerGuard struct {
	pages        int
	kept         []byte
	steps, limit int
}

func (g *markerGuard) check(marker json.RawMessage) error {
	if len(marker) > maxMarker {
		return fmt.Errorf("its marker has %d bytes", len(marker))
	}
	if g.pages++; g.pages >= maxListPages {
		return fmt.Errorf("it has more than %d pages", maxListPages)
	}
	if g.kept != nil && bytes.Equal(g.kept, marker) {
		return errors.New("its markers repeat: the list would never end")
	}
	if g.steps == g.limit {
		g.kept, g.steps, g.limit = bytes.Clone(marker), 0, max(1, 2*g.limit)
	}
	g.steps++
	return nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
