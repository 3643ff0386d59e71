package main

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// mostOffered bounds the menu, and what --all takes in one go. Anyone can issue to an account, and nobody reads more.
const mostOffered = 1000

// pending are the credentials that wait for the account, as one validated ledger has them.
type pending struct {
	account   model.Address
	closeTime uint32             // of that ledger, in seconds since the Ripple Epoch
	open      []model.Credential // can be accepted
	expired   int                // how many others have expired
	more      bool               // there are more than mostOffered
}

// collect keeps what can be accepted, at most mostOffered, by type and issuer: the ledger's own order is that of hashes.
func collect(account model.Address, closeTime uint32, all iter.Seq2[model.Credential, error]) (pending, error) {
	p := pending{account: account, closeTime: closeTime}
	for c, err := range all {
		if err != nil {
			return pending{}, err
		}
		if c.Expired(closeTime) {
			p.expired++
			continue
		}
		if p.more = len(p.open) == mostOffered; p.more {
			break
		}
		p.open = append(p.open, c)
	}
	slices.SortFunc(p.open, func(a, b model.Credential) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Issuer, b.Issuer))
	})
	return p, nil
}

// note says what the menu leaves out, or "".
func (p pending) note() string {
	var parts []string
	switch {
	case p.expired == 1:
		parts = append(parts, "1 expired credential is not offered: accepting it would only delete it.")
	case p.expired > 1:
		parts = append(parts, fmt.Sprintf("%d expired credentials are not offered: accepting them would only delete them.", p.expired))
	}
	if p.more {
		parts = append(parts, fmt.Sprintf("There are more than %d; --list shows all, --credential and --issuer name any.", mostOffered))
	}
	return strings.Join(parts, "\n")
}

// describe is one credential on a line: its type in quotes, its issuer, and its expiration and URI where it has them.
func describe(c model.Credential, closeTime uint32) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s issued by %s", quote(c.Type), c.Issuer)
	switch {
	case c.Expired(closeTime):
		fmt.Fprintf(&b, ", EXPIRED %s", model.FormatTime(c.Expiration))
	case c.HasExpiration():
		fmt.Fprintf(&b, ", expires %s", model.FormatTime(c.Expiration))
	}
	if c.URI != "" {
		fmt.Fprintf(&b, ", %s", hexutil.DisplayRaw(c.URI))
	}
	return b.String()
}

// quote puts a type into single quotes. A type may hold a quote itself, and so spell the issuer that its real one wants
// to be taken for: that one is escaped, as no issuer's address is.
func quote(t model.CredentialType) string { return quoteText(t.Text()) }

// quoteText is quote of a type that somebody else has written as text already.
func quoteText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(printable(text)) + "'"
}
