package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

const (
	// deleteSeqDelta is by how much the ledger must be ahead of an account's
	// sequence before the account can be deleted: were it made again, its old
	// transactions could not be.
	deleteSeqDelta = 255

	maxDeletableEntries = 1000 // that go with an account (rippled's Protocol.h)
)

// deletable says how entries are deleted along with the account that holds
// them; all other kinds are obligations, with which it stays.
var deletable = map[codec.LedgerEntryType]func(c *applyContext, key codec.Hash256, o *codec.Object) TER{
	codec.LtSignerList: func(c *applyContext, key codec.Hash256, o *codec.Object) TER { return c.deleteOwned(key, o, false) },
	codec.LtTicket: func(c *applyContext, key codec.Hash256, _ *codec.Object) TER {
		return c.deleteTicketAt(c.peek(AccountKey(c.account)), key)
	},
	codec.LtCredential: func(c *applyContext, key codec.Hash256, o *codec.Object) TER { return c.deleteCredential(key, o) },
	codec.LtDepositPreauth: func(c *applyContext, key codec.Hash256, o *codec.Object) TER {
		return c.deleteOwned(key, o, false)
	},
	codec.LtDID: func(c *applyContext, key codec.Hash256, o *codec.Object) TER { return c.deleteOwned(key, o, true) },
}

// accountDelete deletes an account and what it holds, credentials of others
// about it and by it included, and sends its XRP to another account (rippled's
// DeleteAccount.cpp).
var accountDelete = transactor{
	preflight: func(tx *codec.Tx) TER {
		if tx.Account(codec.SfDestination) == tx.AccountID() {
			return TemDstIsSrc
		}
		return checkCredentialIDs(tx)
	},
	preclaim:     preclaimAccountDelete,
	apply:        applyAccountDelete,
	consequences: func(*codec.Tx) consequences { return consequences{blocker: true} },
	baseFee:      func(v *view, _ *codec.Tx) int64 { return v.fees.ReserveInc },
}

func preclaimAccountDelete(v *view, tx *codec.Tx, _ applyFlags) TER {
	dstID := tx.Account(codec.SfDestination)
	dst := v.read(AccountKey(dstID))
	switch {
	case dst == nil:
		return TecNoDst
	case dst.Uint(codec.SfFlags)&lsfRequireDestTag != 0 && !tx.Has(codec.SfDestinationTag):
		return TecDstTagNeeded
	}
	if r := checkCredentialsHeld(v, tx); r != TesSuccess {
		return r
	}
	// With credentials the deposit is checked when it is made, since those that
	// have expired are deleted then.
	if !tx.Has(codec.SfCredentialIDs) && dst.Uint(codec.SfFlags)&lsfDepositAuth != 0 &&
		!v.has(DepositPreauthKey(dstID, tx.AccountID())) {
		return TecNoPermission
	}
	acct := v.read(AccountKey(tx.AccountID()))
	if uint32(acct.Uint(codec.SfSequence))+deleteSeqDelta > v.seq {
		return TecTooSoon
	}
	return v.deletableEntries(tx.AccountID())
}

// deletableEntries tells whether all that an account holds can be deleted with
// it: the first entry, in the order of its directory, that cannot be, or is one
// too many, decides.
func (v *view) deletableEntries(owner codec.AccountID) TER {
	rootKey := OwnerDirKey(owner)
	count := 0
	for page := v.read(rootKey); page != nil; {
		for _, key := range page.Hashes(codec.SfIndexes) {
			raw, ok := v.state.Get(key)
			if !ok {
				return TefBadLedger
			}
			if deletable[rawEntryType(raw)] == nil {
				return TecHasObligations
			}
			if count++; count > maxDeletableEntries {
				return TefTooBig
			}
		}
		next := page.Uint(codec.SfIndexNext)
		if next == 0 {
			break
		}
		page = v.read(PageKey(rootKey, next))
	}
	return TesSuccess
}

// rawEntryType is the type of a serialized entry: its first field.
func rawEntryType(raw []byte) codec.LedgerEntryType {
	return codec.LedgerEntryType(raw[1])<<8 | codec.LedgerEntryType(raw[2])
}

func applyAccountDelete(c *applyContext) TER {
	srcKey, dstID := AccountKey(c.account), c.tx.Account(codec.SfDestination)
	src, dst := c.peek(srcKey), c.peek(AccountKey(dstID))
	if dst == nil {
		return TefBadLedger
	}
	if c.tx.Has(codec.SfCredentialIDs) {
		if r := c.checkDeposit(dstID, dst); r != TesSuccess {
			return r
		}
	}
	if r := c.deleteHoldings(); r != TesSuccess {
		return r
	}
	left := src.Drops(codec.SfBalance)
	dst.SetDrops(codec.SfBalance, dst.Drops(codec.SfBalance)+left)
	src.SetDrops(codec.SfBalance, 0)
	c.delivered = &left
	// What tickets and some others leave behind is a first page without entries.
	if rootKey := OwnerDirKey(c.account); c.peek(rootKey) != nil && !c.emptyDirDelete(rootKey) {
		return TecHasObligations
	}
	if f := dst.Uint(codec.SfFlags); left > 0 && f&lsfPasswordSpent != 0 {
		dst.SetUint(codec.SfFlags, f&^lsfPasswordSpent)
	}
	c.update(AccountKey(dstID))
	c.erase(srcKey)
	return TesSuccess
}

// deleteHoldings deletes all entries of the sender's directory, in its order
// (View.cpp, cleanupOnAccountDelete).
func (c *applyContext) deleteHoldings() TER {
	rootKey := OwnerDirKey(c.account)
	for page := c.peek(rootKey); page != nil; {
		// A page that was emptied is gone, but still knows what follows it.
		if indexes := page.Hashes(codec.SfIndexes); len(indexes) > 0 {
			o := c.peek(indexes[0])
			if o == nil {
				return TefBadLedger
			}
			remove := deletable[codec.LedgerEntryType(o.Uint(codec.SfLedgerEntryType))]
			if remove == nil {
				return TecHasObligations
			}
			if r := remove(c, indexes[0], o); r != TesSuccess {
				return r
			}
			continue
		}
		next := page.Uint(codec.SfIndexNext)
		if next == 0 {
			break
		}
		page = c.peek(PageKey(rootKey, next))
	}
	return TesSuccess
}

// emptyDirDelete deletes the one page that is left of an empty directory
// (ApplyView::emptyDirDelete).
func (s *stateTable) emptyDirDelete(rootKey codec.Hash256) bool {
	root := s.peek(rootKey)
	if len(root.Hashes(codec.SfIndexes)) > 0 || root.Uint(codec.SfIndexNext) != 0 {
		return false
	}
	s.erase(rootKey)
	return true
}
