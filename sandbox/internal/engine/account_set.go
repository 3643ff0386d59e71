package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// AccountSet's flags and bounds (rippled's TxFlags.h, Protocol.h, Quality.h).
const (
	tfRequireDestTag  = 0x00010000
	tfOptionalDestTag = 0x00020000
	tfRequireAuth     = 0x00040000
	tfOptionalAuth    = 0x00080000
	tfDisallowXRP     = 0x00100000
	tfAllowXRP        = 0x00200000
	tfAccountSet      = tfRequireDestTag | tfOptionalDestTag | tfRequireAuth | tfOptionalAuth | tfDisallowXRP | tfAllowXRP

	asfRequireDest                  = 1
	asfRequireAuth                  = 2
	asfDisallowXRP                  = 3
	asfDisableMaster                = 4
	asfAccountTxnID                 = 5
	asfNoFreeze                     = 6
	asfGlobalFreeze                 = 7
	asfDefaultRipple                = 8
	asfDepositAuth                  = 9
	asfAuthorizedNFTokenMinter      = 10
	asfDisallowIncomingNFTokenOffer = 12
	asfDisallowIncomingCheck        = 13
	asfDisallowIncomingPayChan      = 14
	asfDisallowIncomingTrustline    = 15
	asfAllowTrustLineClawback       = 16
	asfAllowTrustLineLocking        = 17

	qualityOne      = 1_000_000_000 // a transfer rate of 1.0
	minTickSize     = 3
	maxTickSize     = 16
	maxDomainLength = 256 // bytes
)

// toggle is a flag of an AccountRoot that AccountSet turns on and off, by a
// number in SetFlag or ClearFlag or by the older transaction flags.
type toggle struct {
	asf           uint64
	tfSet, tfDrop uint32
	lsf           uint64
}

var legacyToggles = []toggle{
	{asfRequireAuth, tfRequireAuth, tfOptionalAuth, lsfRequireAuth},
	{asfRequireDest, tfRequireDestTag, tfOptionalDestTag, lsfRequireDestTag},
	{asfDisallowXRP, tfDisallowXRP, tfAllowXRP, lsfDisallowXRP},
}

var plainToggles = []toggle{
	{asf: asfDefaultRipple, lsf: lsfDefaultRipple},
	{asf: asfDepositAuth, lsf: lsfDepositAuth},
	{asf: asfDisallowIncomingNFTokenOffer, lsf: lsfDisallowIncomingNFTokenOffer},
	{asf: asfDisallowIncomingCheck, lsf: lsfDisallowIncomingCheck},
	{asf: asfDisallowIncomingPayChan, lsf: lsfDisallowIncomingPayChan},
	{asf: asfDisallowIncomingTrustline, lsf: lsfDisallowIncomingTrustline},
	{asf: asfAllowTrustLineLocking, lsf: lsfAllowTrustLineLocking},
}

func (t toggle) sets(tx *codec.Tx) bool {
	return txFlags(tx)&t.tfSet != 0 || tx.Uint(codec.SfSetFlag) == t.asf
}

func (t toggle) clears(tx *codec.Tx) bool {
	return txFlags(tx)&t.tfDrop != 0 || tx.Uint(codec.SfClearFlag) == t.asf
}

var accountSet = transactor{
	flags: func(*codec.Tx) uint32 { return tfAccountSet },
	preflight: func(tx *codec.Tx) TER {
		set, drop := tx.Uint(codec.SfSetFlag), tx.Uint(codec.SfClearFlag)
		if set != 0 && set == drop {
			return TemInvalidFlag
		}
		for _, t := range legacyToggles {
			if t.sets(tx) && t.clears(tx) {
				return TemInvalidFlag
			}
		}
		if tx.Has(codec.SfTransferRate) {
			if r := tx.Uint(codec.SfTransferRate); r != 0 && r < qualityOne || r > 2*qualityOne {
				return TemBadTransferRate
			}
		}
		if tx.Has(codec.SfTickSize) {
			if n := tx.Uint(codec.SfTickSize); n != 0 && (n < minTickSize || n > maxTickSize) {
				return TemBadTickSize
			}
		}
		if k := tx.Object.Blob(codec.SfMessageKey); len(k) > 0 && !isPublicKey(k) {
			return TelBadPublicKey
		}
		if len(tx.Object.Blob(codec.SfDomain)) > maxDomainLength {
			return TelBadDomain
		}
		if set == asfAuthorizedNFTokenMinter && !tx.Has(codec.SfNFTokenMinter) ||
			drop == asfAuthorizedNFTokenMinter && tx.Has(codec.SfNFTokenMinter) {
			return TemMalformed
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, flags applyFlags) TER {
		acct := v.read(AccountKey(tx.AccountID()))
		if acct == nil {
			return TerNoAccount
		}
		has := acct.Uint(codec.SfFlags)
		if legacyToggles[0].sets(tx) && has&lsfRequireAuth == 0 && !v.dirIsEmpty(tx.AccountID()) {
			if flags&flagRetry != 0 {
				return TerOwners
			}
			return TecOwners
		}
		switch tx.Uint(codec.SfSetFlag) {
		case asfAllowTrustLineClawback:
			if has&lsfNoFreeze != 0 {
				return TecNoPermission
			}
			if !v.dirIsEmpty(tx.AccountID()) {
				return TecOwners
			}
		case asfNoFreeze:
			if has&lsfAllowTrustLineClawback != 0 {
				return TecNoPermission
			}
		}
		return TesSuccess
	},
	apply: applyAccountSet,
	consequences: func(tx *codec.Tx) consequences {
		blocking := func(f uint64) bool {
			return f == asfRequireAuth || f == asfDisableMaster || f == asfAccountTxnID
		}
		return consequences{blocker: txFlags(tx)&(tfRequireAuth|tfOptionalAuth) != 0 ||
			blocking(tx.Uint(codec.SfSetFlag)) || blocking(tx.Uint(codec.SfClearFlag))}
	},
}

func applyAccountSet(c *applyContext) TER {
	key := AccountKey(c.account)
	acct := c.peek(key)
	was := acct.Uint(codec.SfFlags)
	flags := was
	set, drop := c.tx.Uint(codec.SfSetFlag), c.tx.Uint(codec.SfClearFlag)
	pub := c.tx.SigningPubKey()
	withMaster := isPublicKey(pub) && codec.AccountIDFromPublicKey(pub) == c.account

	for _, t := range legacyToggles {
		if t.sets(c.tx) {
			flags |= t.lsf
		}
		if t.clears(c.tx) {
			flags &^= t.lsf
		}
	}
	if set == asfDisableMaster && was&lsfDisableMaster == 0 {
		if !withMaster {
			return TecNeedMasterKey
		}
		if !acct.Has(codec.SfRegularKey) && !c.has(SignerListKey(c.account)) {
			return TecNoAlternativeKey
		}
		flags |= lsfDisableMaster
	}
	if drop == asfDisableMaster {
		flags &^= lsfDisableMaster
	}
	for _, t := range plainToggles {
		switch {
		case set == t.asf:
			flags |= t.lsf
		case drop == t.asf:
			flags &^= t.lsf
		}
	}
	if set == asfNoFreeze {
		if !withMaster && was&lsfDisableMaster == 0 {
			return TecNeedMasterKey
		}
		flags |= lsfNoFreeze
	}
	if set == asfGlobalFreeze {
		flags |= lsfGlobalFreeze
	} else if drop == asfGlobalFreeze && flags&lsfNoFreeze == 0 {
		flags &^= lsfGlobalFreeze
	}
	if set == asfAccountTxnID && !acct.Has(codec.SfAccountTxnID) {
		acct.SetHash(codec.SfAccountTxnID, codec.Hash256{})
	}
	if drop == asfAccountTxnID {
		acct.Delete(codec.SfAccountTxnID)
	}

	if c.tx.Has(codec.SfEmailHash) {
		setOrDrop(acct, c.tx.Object, codec.SfEmailHash, c.tx.IsDefault(codec.SfEmailHash))
	}
	if c.tx.Has(codec.SfWalletLocator) {
		setOrDrop(acct, c.tx.Object, codec.SfWalletLocator, c.tx.Hash(codec.SfWalletLocator).IsZero())
	}
	if c.tx.Has(codec.SfMessageKey) {
		setOrDrop(acct, c.tx.Object, codec.SfMessageKey, len(c.tx.Object.Blob(codec.SfMessageKey)) == 0)
	}
	if c.tx.Has(codec.SfDomain) {
		setOrDrop(acct, c.tx.Object, codec.SfDomain, len(c.tx.Object.Blob(codec.SfDomain)) == 0)
	}
	if c.tx.Has(codec.SfTransferRate) {
		r := c.tx.Uint(codec.SfTransferRate)
		setOrDrop(acct, c.tx.Object, codec.SfTransferRate, r == 0 || r == qualityOne)
	}
	if c.tx.Has(codec.SfTickSize) {
		n := c.tx.Uint(codec.SfTickSize)
		setOrDrop(acct, c.tx.Object, codec.SfTickSize, n == 0 || n == maxTickSize)
	}
	if set == asfAuthorizedNFTokenMinter {
		acct.SetAccount(codec.SfNFTokenMinter, c.tx.Account(codec.SfNFTokenMinter))
	}
	if drop == asfAuthorizedNFTokenMinter {
		acct.Delete(codec.SfNFTokenMinter)
	}
	if set == asfAllowTrustLineClawback {
		flags |= lsfAllowTrustLineClawback
	}
	if flags != was {
		acct.SetUint(codec.SfFlags, flags)
	}
	c.update(key)
	return TesSuccess
}

// setOrDrop takes a field over from the transaction; a value that means "none"
// removes it.
func setOrDrop(acct, tx *codec.Object, f *codec.Field, drop bool) {
	if drop {
		acct.Delete(f)
		return
	}
	acct.Copy(f, tx)
}
