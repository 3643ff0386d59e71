package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// maxPreauthCredentials is how many credentials one preauthorization names
// (rippled's Protocol.h).
const maxPreauthCredentials = 8

// depositPreauth lets an account, or whoever holds all of a set of credentials,
// pay the sender although it wants deposits authorized, or takes that back
// (DepositPreauth.cpp).
var depositPreauth = transactor{
	preflight: func(tx *codec.Tx) TER {
		given := 0
		for _, f := range []*codec.Field{codec.SfAuthorize, codec.SfUnauthorize, codec.SfAuthorizeCredentials, codec.SfUnauthorizeCredentials} {
			if tx.Has(f) {
				given++
			}
		}
		switch {
		case given != 1:
			return TemMalformed
		case tx.Has(codec.SfAuthorize) && tx.Account(codec.SfAuthorize).IsZero(),
			tx.Has(codec.SfUnauthorize) && tx.Account(codec.SfUnauthorize).IsZero():
			return TemInvalidAccountID
		case tx.Has(codec.SfAuthorize) && tx.Account(codec.SfAuthorize) == tx.AccountID():
			return TemCannotPreauthSelf
		case tx.Has(codec.SfAuthorizeCredentials):
			return checkKinds(tx.Array(codec.SfAuthorizeCredentials), maxPreauthCredentials)
		case tx.Has(codec.SfUnauthorizeCredentials):
			return checkKinds(tx.Array(codec.SfUnauthorizeCredentials), maxPreauthCredentials)
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		switch there := v.has(preauthKey(tx)); {
		case tx.Has(codec.SfUnauthorize), tx.Has(codec.SfUnauthorizeCredentials):
			if !there {
				return TecNoEntry
			}
			return TesSuccess
		case tx.Has(codec.SfAuthorize):
			if !v.has(AccountKey(tx.Account(codec.SfAuthorize))) {
				return TecNoTarget
			}
			fallthrough
		default:
			for _, k := range credentialKinds(tx.Object, codec.SfAuthorizeCredentials) {
				if !v.has(AccountKey(k.Issuer)) {
					return TecNoIssuer
				}
			}
			if there {
				return TecDuplicate
			}
			return TesSuccess
		}
	},
	apply: func(c *applyContext) TER {
		key := preauthKey(c.tx)
		if c.tx.Has(codec.SfUnauthorize) || c.tx.Has(codec.SfUnauthorizeCredentials) {
			o := c.peek(key)
			if o == nil {
				return TecNoEntry
			}
			return c.deleteOwned(key, o, false)
		}
		acct := c.peek(AccountKey(c.account))
		if c.priorBalance < c.base.fees.accountReserve(uint32(acct.Uint(codec.SfOwnerCount))+1) {
			return TecInsufficientReserve
		}
		o := newEntry(codec.LtDepositPreauth)
		o.SetAccount(codec.SfAccount, c.account)
		if c.tx.Has(codec.SfAuthorize) {
			o.SetAccount(codec.SfAuthorize, c.tx.Account(codec.SfAuthorize))
		} else {
			setCredentialKinds(o, codec.SfAuthorizeCredentials, credentialKinds(c.tx.Object, codec.SfAuthorizeCredentials))
		}
		return c.own(acct, key, o)
	},
}

// preauthKey is the key of the entry that a DepositPreauth makes or deletes.
func preauthKey(tx *codec.Tx) codec.Hash256 {
	for _, f := range []*codec.Field{codec.SfAuthorize, codec.SfUnauthorize} {
		if tx.Has(f) {
			return DepositPreauthKey(tx.AccountID(), tx.Account(f))
		}
	}
	f := codec.SfAuthorizeCredentials
	if !tx.Has(f) {
		f = codec.SfUnauthorizeCredentials
	}
	sorted, _ := SortCredentialKinds(credentialKinds(tx.Object, f))
	return DepositPreauthCredentialsKey(tx.AccountID(), sorted)
}
