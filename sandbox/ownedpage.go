package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// pageMarker is the last entry of a page of `account_lines`, `account_offers` or `account_channels`, and the page of the owner
// directory that has it. The zero value is the start of the directory.
type pageMarker struct {
	entry codec.Hash256
	page  uint64
}

func (m pageMarker) String() string { return m.entry.String() + "," + strconv.FormatUint(m.page, 10) }

// parsePageMarker reads a marker: 64 hex digits, a comma, and a decimal number. What follows a second comma is ignored
// (AccountLines.cpp). A negative number wraps around, as boost::lexical_cast has it.
func parsePageMarker(s string) (m pageMarker, ok bool) {
	key, rest, _ := strings.Cut(s, ",")
	if m.entry, ok = codec.ParseHash256(key); !ok {
		return m, false
	}
	number, _, _ := strings.Cut(rest, ",")
	negative := strings.HasPrefix(number, "-")
	if negative || strings.HasPrefix(number, "+") {
		number = number[1:]
	}
	var err error
	if m.page, err = strconv.ParseUint(number, 10, 64); err != nil {
		return m, false
	}
	if negative {
		m.page = -m.page
	}
	return m, true
}

// relatedTo tells whether an entry is an account's, by the entry's own fields (RPCHelpers.cpp, isRelatedToAccount). Credentials and
// domains have no Account field and are never related.
func relatedTo(key codec.Hash256, e *codec.Object, id codec.AccountID) bool {
	if e.Has(codec.SfAccount) {
		return e.Account(codec.SfAccount) == id || e.Has(codec.SfDestination) && e.Account(codec.SfDestination) == id
	}
	return entryType(e) == codec.LtSignerList && key == engine.SignerListKey(id)
}

// nextOwned counts the entries of an account's owner directory after a marker. It gives the marker of the entry that fills the
// page, nil where no entry follows that one. It is not ok where the directory lacks the marker's entry (DirectoryHelpers.cpp,
// forEachItemAfter).
func nextOwned(l *engine.Ledger, id codec.AccountID, from pageMarker, limit int) (next *pageMarker, ok bool) {
	root := engine.OwnerDirKey(id)
	at := root
	found := from.entry.IsZero()
	if !found {
		hint := engine.PageKey(root, from.page)
		if page := l.Entry(hint); page != nil && slices.Contains(page.Hashes(codec.SfIndexes), from.entry) {
			at = hint
		}
	}
	count := 0
	for {
		page := l.Entry(at)
		if page == nil {
			return nil, found
		}
		for _, key := range page.Hashes(codec.SfIndexes) {
			if !found {
				found = key == from.entry
				continue
			}
			switch count++; count {
			case limit:
				next = &pageMarker{entry: key, page: l.Entry(key).Uint(codec.SfOwnerNode)}
			case limit + 1:
				return next, true
			}
		}
		after := page.Uint(codec.SfIndexNext)
		if after == 0 {
			return nil, found
		}
		at = engine.PageKey(root, after)
	}
}
