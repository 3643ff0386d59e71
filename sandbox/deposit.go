package sandbox

import (
	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// depositAuthorized is `deposit_authorized` (DepositAuthorized.cpp): whether one account may pay another, with the credentials that
// it would name. It is about the request and the ledger alone: a payment may fail for other reasons.
func depositAuthorized(c *call) obj {
	src, bad := c.accountOf("source_account")
	if bad != nil {
		return bad
	}
	dst, bad := c.accountOf("destination_account")
	if bad != nil {
		return bad
	}
	result := obj{}
	l, st := c.lookupLedger(result)
	if st != nil {
		return st.inject(result)
	}
	if !l.Has(engine.AccountKey(src)) {
		return inject(result, errSrcActNotFound)
	}
	root := l.Entry(engine.AccountKey(dst))
	if root == nil {
		return inject(result, errDstActNotFound)
	}
	var held []engine.CredentialKind
	named := c.params.Has("credentials")
	if named {
		if held, bad = heldCredentials(l, src, c.params.Get("credentials"), result); bad != nil {
			return bad
		}
	}
	result["source_account"] = c.params.Get("source_account").AsString()
	result["destination_account"] = c.params.Get("destination_account").AsString()
	if named {
		result["credentials"] = c.params.Get("credentials")
	}
	result["deposit_authorized"] = root.Uint(codec.SfFlags)&flagDepositAuth == 0 || src == dst ||
		l.Has(engine.DepositPreauthKey(dst, src)) || named && l.Has(engine.DepositPreauthCredentialsKey(dst, held))
	return result
}

const flagDepositAuth = 0x01000000

// accountOf reads an account that a request must name.
func (c *call) accountOf(field string) (codec.AccountID, obj) {
	if !c.params.Has(field) {
		return codec.AccountID{}, missingField(field)
	}
	v := c.params.Get(field)
	if !v.IsString() {
		return codec.AccountID{}, expectedField(field, "a string")
	}
	id, ok := codec.ParseAccountID(v.AsString())
	if !ok {
		return codec.AccountID{}, rpcError(errActMalformed)
	}
	return id, nil
}

// heldCredentials looks up the credentials that a request names by their keys: each must be the subject's, accepted, and not
// expired. It gives their kinds, sorted. The words of the errors are rippled's.
func heldCredentials(l *engine.Ledger, subject codec.AccountID, v *rjson.Value, result obj) ([]engine.CredentialKind, obj) {
	const list = "credentials"
	if !v.IsArray() || v.Len() == 0 {
		return nil, expectedField(list, "is non-empty array of CredentialID(hash256)")
	}
	if v.Len() > maxAuthorized {
		return nil, expectedField(list, "array too long")
	}
	var kinds []engine.CredentialKind
	for _, e := range v.Elements() {
		key, ok := codec.ParseHash256(stringOf(e))
		if !ok {
			return nil, expectedField(list, "an array of CredentialID(hash256)")
		}
		refuse := func(why string) ([]engine.CredentialKind, obj) {
			return nil, injectText(result, errBadCredentials, why)
		}
		o := l.Entry(key)
		switch {
		case o == nil || entryType(o) != codec.LtCredential:
			return refuse("credentials don't exist")
		case o.Uint(codec.SfFlags)&flagAccepted == 0:
			return refuse("credentials aren't accepted")
		case o.Has(codec.SfExpiration) && uint64(l.ParentCloseTime) > o.Uint(codec.SfExpiration):
			return refuse("credentials are expired")
		case o.Account(codec.SfSubject) != subject:
			return refuse("credentials doesn't belong to the root account")
		}
		var unique bool
		kinds, unique = engine.SortCredentialKinds(append(kinds, engine.CredentialKind{
			Issuer: o.Account(codec.SfIssuer), Type: o.Blob(codec.SfCredentialType),
		}))
		if !unique {
			return refuse("duplicates in credentials")
		}
	}
	return kinds, nil
}

const flagAccepted = 0x00010000
