package engine

import (
	"bytes"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// checkSigner tells whether those who signed may sign for the account
// (Transactor::checkSign). That the signatures themselves are right is checked
// at the door. A simulated transaction has none; without Signers and
// SigningPubKey its signer is not checked.
func checkSigner(v *view, tx *codec.Tx, acct *codec.Object, flags applyFlags) TER {
	key := tx.SigningPubKey()
	dry := flags&flagDryRun != 0
	switch {
	case dry && len(key) == 0 && !tx.Has(codec.SfSigners):
		return TesSuccess
	case tx.Has(codec.SfSigners):
		return checkMultiSign(v, tx)
	case !isPublicKey(key):
		return TefBadAuth
	}
	return checkSingleSign(acct, tx.AccountID(), codec.AccountIDFromPublicKey(key))
}

// checkSingleSign: an account's signer is its regular key, or its master key
// while that is enabled.
func checkSingleSign(acct *codec.Object, account, signer codec.AccountID) TER {
	switch {
	case acct.Has(codec.SfRegularKey) && acct.Account(codec.SfRegularKey) == signer:
		return TesSuccess
	case signer != account:
		return TefBadAuth
	case acct.Uint(codec.SfFlags)&lsfDisableMaster != 0:
		return TefMasterDisabled
	}
	return TesSuccess
}

// checkMultiSign holds a transaction's Signers to the account's signer list:
// each must be in it and sign with a key of their own, and together they must
// weigh as much as its quorum. Both lists are in the order of the accounts.
func checkMultiSign(v *view, tx *codec.Tx) TER {
	list := v.read(SignerListKey(tx.AccountID()))
	if list == nil {
		return TefNotMultiSigning
	}
	entries := list.Array(codec.SfSignerEntries)
	var weight uint64
	at := 0
	for _, s := range tx.Array(codec.SfSigners) {
		id := s.Object.Account(codec.SfAccount)
		for compareAccounts(entries[at].Object.Account(codec.SfAccount), id) < 0 {
			if at++; at == len(entries) {
				return TefBadSignature
			}
		}
		entry := entries[at].Object
		if entry.Account(codec.SfAccount) != id {
			return TefBadSignature
		}
		if r := checkOneOfSigners(v, id, s.Object.Blob(codec.SfSigningPubKey)); r != TesSuccess {
			return r
		}
		weight += entry.Uint(codec.SfSignerWeight)
	}
	if weight < list.Uint(codec.SfSignerQuorum) {
		return TefBadQuorum
	}
	return TesSuccess
}

// checkOneOfSigners tells whether a key may sign for a signer: for an account
// of the ledger its master key while that is enabled, or its regular key; for
// one that is not in the ledger the key that its address is made of. Only a
// simulation has no key, and stands for the signer's own.
func checkOneOfSigners(v *view, id codec.AccountID, key []byte) TER {
	if len(key) > 0 && !isPublicKey(key) {
		return TefBadSignature
	}
	acct := v.read(AccountKey(id))
	if len(key) == 0 || codec.AccountIDFromPublicKey(key) == id {
		if acct != nil && acct.Uint(codec.SfFlags)&lsfDisableMaster != 0 {
			return TefMasterDisabled
		}
		return TesSuccess
	}
	if acct == nil || !acct.Has(codec.SfRegularKey) || acct.Account(codec.SfRegularKey) != codec.AccountIDFromPublicKey(key) {
		return TefBadSignature
	}
	return TesSuccess
}

func compareAccounts(a, b codec.AccountID) int { return bytes.Compare(a[:], b[:]) }
