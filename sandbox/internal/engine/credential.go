package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// The three transactions of XLS-70 (rippled's Credentials.cpp,
// CredentialHelpers.cpp).
const (
	maxCredentialTypeLength = 64  // bytes
	maxCredentialURILength  = 256 // bytes
	maxCredentialIDs        = 8   // CredentialIDs of one transaction
)

func badCredentialType(tx *codec.Tx) bool {
	n := len(tx.Object.Blob(codec.SfCredentialType))
	return n == 0 || n > maxCredentialTypeLength
}

func isExpired(o *codec.Object, parentCloseTime uint32) bool {
	return o.Has(codec.SfExpiration) && uint64(parentCloseTime) > o.Uint(codec.SfExpiration)
}

var credentialCreate = transactor{
	preflight: func(tx *codec.Tx) TER {
		if tx.Account(codec.SfSubject).IsZero() {
			return TemMalformed
		}
		if tx.Has(codec.SfURI) {
			if n := len(tx.Object.Blob(codec.SfURI)); n == 0 || n > maxCredentialURILength {
				return TemMalformed
			}
		}
		if badCredentialType(tx) {
			return TemMalformed
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		subject := tx.Account(codec.SfSubject)
		if !v.has(AccountKey(subject)) {
			return TecNoTarget
		}
		if v.has(CredentialKey(subject, tx.AccountID(), tx.Object.Blob(codec.SfCredentialType))) {
			return TecDuplicate
		}
		return TesSuccess
	},
	apply: func(c *applyContext) TER {
		subject := c.tx.Account(codec.SfSubject)
		credentialType := c.tx.Object.Blob(codec.SfCredentialType)
		key := CredentialKey(subject, c.account, credentialType)
		if isExpired(c.tx.Object, c.base.parentCloseTime) {
			return TecExpired
		}
		acct := c.peek(AccountKey(c.account))
		if c.priorBalance < c.base.fees.accountReserve(uint32(acct.Uint(codec.SfOwnerCount))+1) {
			return TecInsufficientReserve
		}
		o := newEntry(codec.LtCredential)
		o.SetAccount(codec.SfSubject, subject)
		o.SetAccount(codec.SfIssuer, c.account)
		o.SetBlob(codec.SfCredentialType, credentialType)
		o.SetHash(codec.SfPreviousTxnID, codec.Hash256{})
		o.SetUint(codec.SfPreviousTxnLgrSeq, 0)
		if c.tx.Has(codec.SfExpiration) {
			o.SetUint(codec.SfExpiration, c.tx.Uint(codec.SfExpiration))
		}
		if c.tx.Has(codec.SfURI) {
			o.SetBlob(codec.SfURI, c.tx.Object.Blob(codec.SfURI))
		}
		page, ok := c.dirInsert(c.account, key)
		if !ok {
			return TecDirFull
		}
		o.SetUint(codec.SfIssuerNode, page)
		c.adjustOwnerCount(c.account, acct, 1)
		if subject == c.account {
			o.SetUint(codec.SfFlags, lsfAccepted)
		} else {
			if page, ok = c.dirInsert(subject, key); !ok {
				return TecDirFull
			}
			o.SetUint(codec.SfSubjectNode, page)
		}
		c.insert(key, o)
		return TesSuccess
	},
}

var credentialAccept = transactor{
	preflight: func(tx *codec.Tx) TER {
		if tx.Account(codec.SfIssuer).IsZero() {
			return TemInvalidAccountID
		}
		if badCredentialType(tx) {
			return TemMalformed
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		issuer := tx.Account(codec.SfIssuer)
		if !v.has(AccountKey(issuer)) {
			return TecNoIssuer
		}
		o := v.read(CredentialKey(tx.AccountID(), issuer, tx.Object.Blob(codec.SfCredentialType)))
		if o == nil {
			return TecNoEntry
		}
		if o.Uint(codec.SfFlags)&lsfAccepted != 0 {
			return TecDuplicate
		}
		return TesSuccess
	},
	apply: func(c *applyContext) TER {
		issuer := c.tx.Account(codec.SfIssuer)
		subjectAcct, issuerAcct := c.peek(AccountKey(c.account)), c.peek(AccountKey(issuer))
		if issuerAcct == nil {
			return TefInternal
		}
		if c.priorBalance < c.base.fees.accountReserve(uint32(subjectAcct.Uint(codec.SfOwnerCount))+1) {
			return TecInsufficientReserve
		}
		key := CredentialKey(c.account, issuer, c.tx.Object.Blob(codec.SfCredentialType))
		o := c.peek(key)
		if isExpired(o, c.base.parentCloseTime) {
			if r := c.deleteCredential(key, o); r != TesSuccess {
				return r
			}
			return TecExpired
		}
		o.SetUint(codec.SfFlags, lsfAccepted)
		c.update(key)
		c.adjustOwnerCount(issuer, issuerAcct, -1)
		c.adjustOwnerCount(c.account, subjectAcct, 1)
		return TesSuccess
	},
}

// deletedParties are the subject and the issuer that a CredentialDelete means:
// the one that it leaves out is its sender.
func deletedParties(tx *codec.Tx) (subject, issuer codec.AccountID) {
	subject, issuer = tx.AccountID(), tx.AccountID()
	if tx.Has(codec.SfSubject) {
		subject = tx.Account(codec.SfSubject)
	}
	if tx.Has(codec.SfIssuer) {
		issuer = tx.Account(codec.SfIssuer)
	}
	return subject, issuer
}

var credentialDelete = transactor{
	preflight: func(tx *codec.Tx) TER {
		if !tx.Has(codec.SfSubject) && !tx.Has(codec.SfIssuer) {
			return TemMalformed
		}
		if tx.Has(codec.SfSubject) && tx.Account(codec.SfSubject).IsZero() ||
			tx.Has(codec.SfIssuer) && tx.Account(codec.SfIssuer).IsZero() {
			return TemInvalidAccountID
		}
		if badCredentialType(tx) {
			return TemMalformed
		}
		return TesSuccess
	},
	preclaim: func(v *view, tx *codec.Tx, _ applyFlags) TER {
		subject, issuer := deletedParties(tx)
		if !v.has(CredentialKey(subject, issuer, tx.Object.Blob(codec.SfCredentialType))) {
			return TecNoEntry
		}
		return TesSuccess
	},
	apply: func(c *applyContext) TER {
		subject, issuer := deletedParties(c.tx)
		key := CredentialKey(subject, issuer, c.tx.Object.Blob(codec.SfCredentialType))
		o := c.peek(key)
		if o == nil {
			return TefInternal
		}
		if subject != c.account && issuer != c.account && !isExpired(o, c.base.parentCloseTime) {
			return TecNoPermission
		}
		return c.deleteCredential(key, o)
	},
}

// deleteCredential takes a credential off both directories and out of the
// reserve of the one who carried it.
func (c *applyContext) deleteCredential(key codec.Hash256, o *codec.Object) TER {
	issuer, subject := o.Account(codec.SfIssuer), o.Account(codec.SfSubject)
	accepted := o.Uint(codec.SfFlags)&lsfAccepted != 0
	unlink := func(a codec.AccountID, node *codec.Field, carries bool) TER {
		acct := c.peek(AccountKey(a))
		if acct == nil {
			return TecInternal
		}
		if !c.dirRemove(a, o.Uint(node), key, false) {
			return TefBadLedger
		}
		if carries {
			c.adjustOwnerCount(a, acct, -1)
		}
		return TesSuccess
	}
	if r := unlink(issuer, codec.SfIssuerNode, !accepted || subject == issuer); r != TesSuccess {
		return r
	}
	if subject != issuer {
		if r := unlink(subject, codec.SfSubjectNode, accepted); r != TesSuccess {
			return r
		}
	}
	c.erase(key)
	return TesSuccess
}

// checkCredentialIDs are the checks on a transaction's CredentialIDs by
// themselves: one to eight, none twice.
func checkCredentialIDs(tx *codec.Tx) TER {
	if !tx.Has(codec.SfCredentialIDs) {
		return TesSuccess
	}
	ids := tx.Hashes(codec.SfCredentialIDs)
	if len(ids) == 0 || len(ids) > maxCredentialIDs {
		return TemMalformed
	}
	seen := make(map[codec.Hash256]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			return TemMalformed
		}
		seen[id] = true
	}
	return TesSuccess
}

// checkCredentialsHeld tells whether the credentials that a transaction names
// are its sender's and accepted.
func checkCredentialsHeld(v *view, tx *codec.Tx) TER {
	for _, id := range tx.Hashes(codec.SfCredentialIDs) {
		o := v.read(id)
		if o == nil || codec.LedgerEntryType(o.Uint(codec.SfLedgerEntryType)) != codec.LtCredential {
			return TecBadCredentials
		}
		if o.Account(codec.SfSubject) != tx.AccountID() || o.Uint(codec.SfFlags)&lsfAccepted == 0 {
			return TecBadCredentials
		}
	}
	return TesSuccess
}
