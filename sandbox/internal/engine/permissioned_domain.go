package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// maxPermissionedDomainCredentials is how many credentials a domain accepts
// (rippled's Protocol.h).
const maxPermissionedDomainCredentials = 10

// permissionedDomainSet makes a domain (XLS-80), or, with DomainID, gives one of
// the sender's another list of credentials (PermissionedDomainSet.cpp).
var permissionedDomainSet = transactor{
	preflight: func(tx *codec.Tx) TER {
		r := checkKinds(tx.Array(codec.SfAcceptedCredentials), maxPermissionedDomainCredentials)
		if r != TesSuccess {
			return r
		}
		if tx.Has(codec.SfDomainID) && tx.Hash(codec.SfDomainID).IsZero() {
			return TemMalformed
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		for _, k := range credentialKinds(tx.Object, codec.SfAcceptedCredentials) {
			if !v.has(AccountKey(k.Issuer)) {
				return TecNoIssuer
			}
		}
		if !tx.Has(codec.SfDomainID) {
			return TesSuccess
		}
		return ownsDomain(v, tx)
	},
	apply: func(c *applyContext) TER {
		kinds := credentialKinds(c.tx.Object, codec.SfAcceptedCredentials)
		if c.tx.Has(codec.SfDomainID) {
			key := c.tx.Hash(codec.SfDomainID)
			o := c.peek(key)
			if o == nil {
				return TefInternal
			}
			setCredentialKinds(o, codec.SfAcceptedCredentials, kinds)
			c.update(key)
			return TesSuccess
		}
		acct := c.peek(AccountKey(c.account))
		if !c.coversOneMore(acct) {
			return TecInsufficientReserve
		}
		sequence, _ := c.tx.SeqProxy() // of the ticket, where there is one (fixCleanup3_1_3)
		key := PermissionedDomainKey(c.account, sequence)
		o := newEntry(codec.LtPermissionedDomain)
		o.SetAccount(codec.SfOwner, c.account)
		o.SetUint(codec.SfSequence, uint64(sequence))
		setCredentialKinds(o, codec.SfAcceptedCredentials, kinds)
		return c.own(acct, key, o)
	},
}

var permissionedDomainDelete = transactor{
	preflight: func(tx *codec.Tx) TER {
		if tx.Hash(codec.SfDomainID).IsZero() {
			return TemMalformed
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER { return ownsDomain(v, tx) },
	apply: func(c *applyContext) TER {
		key := c.tx.Hash(codec.SfDomainID)
		o := c.peek(key)
		if o == nil {
			return TefInternal
		}
		return c.deleteOwned(key, o, true)
	},
}

// ownsDomain tells whether the domain that a transaction names is its sender's.
func ownsDomain(v *view, tx *codec.Tx) TER {
	o := v.read(tx.Hash(codec.SfDomainID))
	if o == nil || codec.LedgerEntryType(o.Uint(codec.SfLedgerEntryType)) != codec.LtPermissionedDomain {
		return TecNoEntry
	}
	if o.Account(codec.SfOwner) != tx.AccountID() {
		return TecNoPermission
	}
	return TesSuccess
}

// inDomain tells whether an account is in a domain: its owner, or the subject of
// an accepted credential that the domain accepts and that has not expired
// (PermissionedDEXHelpers.cpp).
func (v *view) inDomain(account codec.AccountID, domain codec.Hash256) bool {
	o := v.read(domain)
	if o == nil || codec.LedgerEntryType(o.Uint(codec.SfLedgerEntryType)) != codec.LtPermissionedDomain {
		return false
	}
	if o.Account(codec.SfOwner) == account {
		return true
	}
	for _, k := range credentialKinds(o, codec.SfAcceptedCredentials) {
		c := v.read(CredentialKey(account, k.Issuer, k.Type))
		if c != nil && c.Uint(codec.SfFlags)&lsfAccepted != 0 && !isExpired(c, v.parentCloseTime) {
			return true
		}
	}
	return false
}
