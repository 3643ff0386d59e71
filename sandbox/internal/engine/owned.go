package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// own adds an entry of the sender's to the ledger: with its page of the owner
// directory, and as one more to hold a reserve for. The reserve has been
// checked; acct is the sender's root.
func (c *applyContext) own(acct *codec.Object, key codec.Hash256, o *codec.Object) TER {
	o.SetHash(codec.SfPreviousTxnID, codec.Hash256{})
	o.SetUint(codec.SfPreviousTxnLgrSeq, 0)
	page, ok := c.dirInsert(c.account, key)
	if !ok {
		return TecDirFull
	}
	o.SetUint(codec.SfOwnerNode, page)
	c.insert(key, o)
	c.adjustOwnerCount(c.account, acct, 1)
	return TesSuccess
}

// deleteOwned deletes an entry that counts as one of the sender's: off the
// directory, whose first page stays when it is left empty and keepRoot is set,
// and out of the reserve.
func (c *applyContext) deleteOwned(key codec.Hash256, o *codec.Object, keepRoot bool) TER {
	if !c.dirRemove(c.account, o.Uint(codec.SfOwnerNode), key, keepRoot) {
		return TefBadLedger
	}
	c.adjustOwnerCount(c.account, c.peek(AccountKey(c.account)), -1)
	c.erase(key)
	return TesSuccess
}

// coversOneMore tells whether what an account holds now, with the fee paid,
// covers the reserve for one entry more.
func (c *applyContext) coversOneMore(acct *codec.Object) bool {
	return acct.Drops(codec.SfBalance) >= c.base.fees.accountReserve(uint32(acct.Uint(codec.SfOwnerCount))+1)
}
