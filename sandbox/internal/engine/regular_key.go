package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// keyResetIsFree tells whether this SetRegularKey is the one that an account
// may send for nothing, signed with its master key (SetRegularKey.cpp).
func keyResetIsFree(v *view, tx *codec.Tx) bool {
	key := tx.SigningPubKey()
	if !isPublicKey(key) || codec.AccountIDFromPublicKey(key) != tx.AccountID() {
		return false
	}
	acct := v.read(AccountKey(tx.AccountID()))
	return acct != nil && acct.Uint(codec.SfFlags)&lsfPasswordSpent == 0
}

var setRegularKey = transactor{
	preflight: func(tx *codec.Tx) TER {
		if tx.Has(codec.SfRegularKey) && tx.Account(codec.SfRegularKey) == tx.AccountID() {
			return TemBadRegKey
		}
		return TesSuccess
	},
	apply: func(c *applyContext) TER {
		key := AccountKey(c.account)
		acct := c.peek(key)
		if keyResetIsFree(c.base, c.tx) {
			acct.SetUint(codec.SfFlags, acct.Uint(codec.SfFlags)|lsfPasswordSpent)
		}
		if c.tx.Has(codec.SfRegularKey) {
			acct.SetAccount(codec.SfRegularKey, c.tx.Account(codec.SfRegularKey))
		} else {
			if acct.Uint(codec.SfFlags)&lsfDisableMaster != 0 && !c.has(SignerListKey(c.account)) {
				return TecNoAlternativeKey
			}
			acct.Delete(codec.SfRegularKey)
		}
		c.update(key)
		return TesSuccess
	},
	consequences: func(*codec.Tx) consequences { return consequences{blocker: true} },
	baseFee: func(v *view, tx *codec.Tx) int64 {
		if keyResetIsFree(v, tx) {
			return 0
		}
		return defaultBaseFee(v, tx)
	},
}
