package engine

import (
	"bytes"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

const (
	tfNoRippleDirect = 0x00010000
	tfPartialPayment = 0x00020000
	tfLimitQuality   = 0x00040000

	// Sizes of amounts that are not XRP.
	issuedAmountSize = 48
	mptAmountSize    = codec.MPTAmountSize
)

// payment moves XRP. Payments of issued currencies pass the same checks and
// then find no path, since this ledger keeps no trust lines and no offers.
// Payments of multi-purpose tokens find no issuance.
var payment = transactor{
	flags: func(tx *codec.Tx) uint32 {
		if isMPT(tx, codec.SfAmount) {
			return tfPartialPayment
		}
		return tfNoRippleDirect | tfPartialPayment | tfLimitQuality
	},
	preflight: preflightPayment,
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		xrp := tx.IsXRP(codec.SfAmount)
		dst := v.read(AccountKey(tx.Account(codec.SfDestination)))
		switch {
		case dst == nil && !xrp:
			return TecNoDst
		case dst == nil && v.open && txFlags(tx)&tfPartialPayment != 0:
			return TelNoDstPartial
		case dst == nil && tx.Drops(codec.SfAmount) < v.fees.accountReserve(0):
			return TecNoDstInsufXRP
		case dst != nil && dst.Uint(codec.SfFlags)&lsfRequireDestTag != 0 && !tx.Has(codec.SfDestinationTag):
			return TecDstTagNeeded
		}
		if v.open && tooManyPaths(tx.Object.Blob(codec.SfPaths)) {
			return TelBadPathCount
		}
		if r := checkCredentialsHeld(v, tx); r != TesSuccess {
			return r
		}
		if tx.Has(codec.SfDomainID) {
			domain := tx.Hash(codec.SfDomainID)
			if !v.inDomain(tx.AccountID(), domain) || !v.inDomain(tx.Account(codec.SfDestination), domain) {
				return TecNoPermission
			}
		}
		return TesSuccess
	},
	apply: applyPayment,
	consequences: func(tx *codec.Tx) consequences {
		amount := codec.SfAmount
		if tx.Has(codec.SfSendMax) {
			amount = codec.SfSendMax
		}
		if !tx.IsXRP(amount) {
			return consequences{}
		}
		return consequences{spend: tx.Drops(amount)}
	},
}

func preflightPayment(tx *codec.Tx) TER {
	flags := txFlags(tx)
	hasMax, hasPaths := tx.Has(codec.SfSendMax), tx.Has(codec.SfPaths)
	mpt := isMPT(tx, codec.SfAmount)
	if mpt && hasPaths || tx.Has(codec.SfDomainID) && tx.Hash(codec.SfDomainID).IsZero() {
		return TemMalformed
	}
	dstXRP := tx.IsXRP(codec.SfAmount)
	srcXRP := dstXRP
	if hasMax {
		srcXRP = tx.IsXRP(codec.SfSendMax)
		if mpt && !sameIssuance(tx) || !mpt && isMPT(tx, codec.SfSendMax) {
			return TemMalformed
		}
	}
	xrpDirect := srcXRP && dstXRP
	if dstXRP && !isLegalDrops(tx.Drops(codec.SfAmount)) || hasMax && srcXRP && !isLegalDrops(tx.Drops(codec.SfSendMax)) {
		return TemBadAmount
	}
	dst := tx.Account(codec.SfDestination)
	if dst.IsZero() {
		return TemDstNeeded
	}
	if hasMax && tx.AmountSign(codec.SfSendMax) <= 0 || tx.AmountSign(codec.SfAmount) <= 0 {
		return TemBadAmount
	}
	if tx.IsBadCurrency(codec.SfAmount) || hasMax && tx.IsBadCurrency(codec.SfSendMax) {
		return TemBadCurrency
	}
	sameToken := xrpDirect || !hasMax || tx.SameCurrency(codec.SfAmount, codec.SfSendMax)
	if dst == tx.AccountID() && sameToken && !hasPaths {
		return TemRedundant
	}
	if xrpDirect {
		switch {
		case hasMax:
			return TemBadSendXRPMax
		case hasPaths:
			return TemBadSendXRPPaths
		case flags&tfPartialPayment != 0:
			return TemBadSendXRPPartial
		case flags&tfLimitQuality != 0:
			return TemBadSendXRPLimit
		case flags&tfNoRippleDirect != 0:
			return TemBadSendXRPNoDirect
		}
	}
	if tx.Has(codec.SfDeliverMin) && (flags&tfPartialPayment == 0 || !isDeliverMin(tx)) {
		return TemBadAmount
	}
	return checkCredentialIDs(tx)
}

// isDeliverMin tells whether DeliverMin is of Amount's kind, above nothing and
// not above Amount.
func isDeliverMin(tx *codec.Tx) bool {
	least, amount := tx.Object.Blob(codec.SfDeliverMin), tx.Object.Blob(codec.SfAmount)
	if tx.AmountSign(codec.SfDeliverMin) <= 0 || len(least) != len(amount) {
		return false
	}
	if len(amount) == 0 { // XRP
		return tx.Drops(codec.SfDeliverMin) <= tx.Drops(codec.SfAmount)
	}
	// Above nothing, and in canonical form, the values stand in the order of
	// their first eight bytes: exponent, then mantissa. Currency and issuer follow.
	return bytes.Equal(least[8:], amount[8:]) && bytes.Compare(least[:8], amount[:8]) <= 0
}

// sameIssuance tells whether Amount and SendMax are of one issuance.
func sameIssuance(tx *codec.Tx) bool {
	const value = 9 // bytes before the issuance
	return isMPT(tx, codec.SfSendMax) && bytes.Equal(tx.Object.Blob(codec.SfAmount)[value:], tx.Object.Blob(codec.SfSendMax)[value:])
}

func isMPT(tx *codec.Tx, amount *codec.Field) bool {
	return len(tx.Object.Blob(amount)) == mptAmountSize
}

func applyPayment(c *applyContext) TER {
	dstID := c.tx.Account(codec.SfDestination)
	dstKey := AccountKey(dstID)
	dst := c.peek(dstKey)
	if dst == nil {
		dst = newAccountRoot(dstID, c.base.seq)
		c.insert(dstKey, dst)
	} else {
		c.update(dstKey)
	}
	if isMPT(c.tx, codec.SfAmount) {
		return TecObjectNotFound // requireAuth, of an issuance that does not exist
	}
	if !c.tx.IsXRP(codec.SfAmount) || c.tx.Has(codec.SfSendMax) || c.tx.Has(codec.SfPaths) {
		if r := c.checkDeposit(dstID, dst); r != TesSuccess {
			return r
		}
		return c.findNoPath()
	}
	amount := c.tx.Drops(codec.SfAmount)
	srcKey := AccountKey(c.account)
	src := c.peek(srcKey)
	reserve := c.base.fees.accountReserve(uint32(src.Uint(codec.SfOwnerCount)))
	if c.priorBalance < amount+max(reserve, c.tx.Fee()) {
		return TecUnfundedPayment
	}
	// An account that wants deposits authorized still takes what lifts it to
	// the reserve, so that it cannot lock itself out.
	if amount > c.base.fees.Reserve || dst.Drops(codec.SfBalance) > c.base.fees.Reserve {
		if r := c.checkDeposit(dstID, dst); r != TesSuccess {
			return r
		}
	}
	src.SetDrops(codec.SfBalance, src.Drops(codec.SfBalance)-amount)
	c.update(srcKey)
	dst.SetDrops(codec.SfBalance, dst.Drops(codec.SfBalance)+amount)
	// Being paid makes the free key reset available again.
	if f := dst.Uint(codec.SfFlags); f&lsfPasswordSpent != 0 {
		dst.SetUint(codec.SfFlags, f&^lsfPasswordSpent)
	}
	return TesSuccess
}

// checkDeposit deletes the expired ones of the credentials that the transaction
// names, with which it fails; then it tells whether a destination that wants
// deposits authorized has preauthorized the sender, or the credentials, all of
// them together (CredentialHelpers.cpp, verifyDepositPreauth).
func (c *applyContext) checkDeposit(dstID codec.AccountID, dst *codec.Object) TER {
	expired := false
	for _, id := range c.tx.Hashes(codec.SfCredentialIDs) {
		if o := c.peek(id); o != nil && isExpired(o, c.base.parentCloseTime) {
			if r := c.deleteCredential(id, o); r != TesSuccess {
				return r
			}
			expired = true
		}
	}
	switch {
	case expired:
		return TecExpired
	case dst.Uint(codec.SfFlags)&lsfDepositAuth == 0 || dstID == c.account || c.has(DepositPreauthKey(dstID, c.account)):
		return TesSuccess
	}
	if !c.tx.Has(codec.SfCredentialIDs) {
		return TecNoPermission
	}
	kinds := make([]CredentialKind, 0, maxCredentialIDs)
	for _, id := range c.tx.Hashes(codec.SfCredentialIDs) {
		o := c.peek(id)
		if o == nil {
			return TefInternal
		}
		kinds = append(kinds, CredentialKind{Issuer: o.Account(codec.SfIssuer), Type: o.Blob(codec.SfCredentialType)})
	}
	sorted, unique := SortCredentialKinds(kinds)
	if !unique {
		return TefInternal
	}
	if !c.has(DepositPreauthCredentialsKey(dstID, sorted)) {
		return TecNoPermission
	}
	return TesSuccess
}
