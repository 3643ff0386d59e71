package engine

import (
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// maxSigners is how many a signer list may have (STTx.h, with
// ExpandedSignerList).
const maxSigners = 32

// signerListSet makes, replaces or, with a quorum of 0, deletes the list of
// the accounts that sign for an account together (SignerListSet.cpp).
var signerListSet = transactor{
	preflight: func(tx *codec.Tx) TER {
		quorum, hasEntries := tx.Uint(codec.SfSignerQuorum), tx.Has(codec.SfSignerEntries)
		switch {
		case quorum == 0 && !hasEntries:
			return TesSuccess
		case quorum == 0 || !hasEntries:
			return TemMalformed
		}
		return checkSignerEntries(tx, quorum)
	},
	apply: func(c *applyContext) TER {
		if c.tx.Uint(codec.SfSignerQuorum) == 0 {
			return c.destroySignerList()
		}
		return c.replaceSignerList()
	},
	consequences: func(*codec.Tx) consequences { return consequences{blocker: true} },
}

// sortedSigners are a transaction's SignerEntries by account.
func sortedSigners(tx *codec.Tx) []codec.Element {
	sorted := slices.Clone(tx.Array(codec.SfSignerEntries))
	slices.SortStableFunc(sorted, func(a, b codec.Element) int {
		return compareAccounts(a.Object.Account(codec.SfAccount), b.Object.Account(codec.SfAccount))
	})
	return sorted
}

// checkSignerEntries: one to 32 signers, none twice and none the account
// itself, each with a weight, and together with enough of it for the quorum.
// They need not exist.
func checkSignerEntries(tx *codec.Tx, quorum uint64) TER {
	signers := sortedSigners(tx)
	for _, s := range signers {
		if s.Field != codec.SfSignerEntry {
			return TemMalformed
		}
	}
	if len(signers) < 1 || len(signers) > maxSigners {
		return TemMalformed
	}
	for i := 1; i < len(signers); i++ {
		if signers[i-1].Object.Account(codec.SfAccount) == signers[i].Object.Account(codec.SfAccount) {
			return TemBadSigner
		}
	}
	var total uint64
	for _, s := range signers {
		weight := s.Object.Uint(codec.SfSignerWeight)
		if weight == 0 {
			return TemBadWeight
		}
		total += weight
		if s.Object.Account(codec.SfAccount) == tx.AccountID() {
			return TemBadSigner
		}
	}
	if total < quorum {
		return TemBadQuorum
	}
	return TesSuccess
}

// replaceSignerList deletes the list that there is, which may make room in the
// reserve, and then makes the new one.
func (c *applyContext) replaceSignerList() TER {
	if r := c.deleteSignerList(); r != TesSuccess {
		return r
	}
	acct := c.peek(AccountKey(c.account))
	if c.priorBalance < c.base.fees.accountReserve(uint32(acct.Uint(codec.SfOwnerCount))+1) {
		return TecInsufficientReserve
	}
	key := SignerListKey(c.account)
	o := newEntry(codec.LtSignerList)
	o.SetUint(codec.SfFlags, lsfOneOwnerCount)
	o.SetAccount(codec.SfOwner, c.account)
	o.SetUint(codec.SfSignerQuorum, c.tx.Uint(codec.SfSignerQuorum))
	o.SetUint(codec.SfSignerListID, 0)
	signers := sortedSigners(c.tx)
	for i, s := range signers {
		entry := codec.NewObject()
		entry.SetAccount(codec.SfAccount, s.Object.Account(codec.SfAccount))
		entry.SetUint(codec.SfSignerWeight, s.Object.Uint(codec.SfSignerWeight))
		entry.Copy(codec.SfWalletLocator, s.Object)
		signers[i] = codec.Element{Field: codec.SfSignerEntry, Object: entry}
	}
	o.SetArray(codec.SfSignerEntries, signers)
	return c.own(acct, key, o)
}

// destroySignerList deletes the list, unless nobody could sign any more. That
// there is none is a success too.
func (c *applyContext) destroySignerList() TER {
	acct := c.peek(AccountKey(c.account))
	if acct.Uint(codec.SfFlags)&lsfDisableMaster != 0 && !acct.Has(codec.SfRegularKey) {
		return TecNoAlternativeKey
	}
	return c.deleteSignerList()
}

func (c *applyContext) deleteSignerList() TER {
	key := SignerListKey(c.account)
	o := c.peek(key)
	if o == nil {
		return TesSuccess
	}
	return c.deleteOwned(key, o, false)
}
