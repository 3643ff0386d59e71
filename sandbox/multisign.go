package sandbox

import (
	"bytes"
	"slices"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// checkMultiSignFields checks what both requests about several signatures want there before all else.
func checkMultiSignFields(txj *rjson.Value, keyNeeded, targeted bool) obj {
	if !txj.Has("Sequence") {
		return missingField("tx_json.Sequence")
	}
	if keyNeeded && !txj.Has("SigningPubKey") {
		return missingField("tx_json.SigningPubKey")
	}
	if !targeted && txj.Get("SigningPubKey").AsString() != "" {
		return rpcErrorText(errInvalidParams, "When multi-signing 'tx_json.SigningPubKey' must be empty.")
	}
	return nil
}

// signFor is `sign_for` (SignFor.cpp): it adds the signature of one of several to tx_json.
func signFor(c *call) obj {
	result := c.signedFor()
	result["deprecated"] = commandDeprecated
	return result
}

func (c *call) signedFor() obj {
	if !c.params.Has("account") {
		return missingField("account")
	}
	signer, ok := codec.ParseAccountID(c.params.Get("account").AsString())
	if !ok {
		return rpcErrorText(errSrcActMalformed, "Invalid field 'account'.")
	}
	if !c.params.Has("tx_json") {
		return missingField("tx_json")
	}
	txj := c.params.Get("tx_json")
	if !txj.IsObject() {
		return expectedField("tx_json", "object")
	}
	if bad := checkMultiSignFields(txj, false, c.params.Has("signature_target")); bad != nil {
		return bad
	}
	pub, priv, bad := c.signingKey()
	if bad != nil {
		return bad
	}
	o, bad := c.preprocess(pub, &signer)
	if bad != nil {
		return bad
	}
	if code := keyFits(c.node.Current().Entry(engine.AccountKey(signer)), signer, pub); code != 0 {
		return rpcError(code)
	}
	one := codec.NewObject()
	one.SetAccount(codec.SfAccount, signer)
	one.SetBlob(codec.SfSigningPubKey, pub)
	one.SetBlob(codec.SfTxnSignature, codec.Sign(priv, pub, codec.MultiSigningData(o, signer)))
	signed := o
	if target := c.signatureTarget(); target != nil {
		signed = o.Object(target)
	}
	signed.SetArray(codec.SfSigners, append(slices.Clone(signed.Array(codec.SfSigners)), codec.Element{Field: codec.SfSigner, Object: one}))
	t, bad := c.withSigners(o, signed)
	if bad != nil {
		return bad
	}
	return c.formatted(t, nil)
}

// withSigners sorts and checks the signers of a transaction, which are in the object signed, and makes the transaction.
func (c *call) withSigners(o, signed *codec.Object) (*codec.Tx, obj) {
	signers := signed.Array(codec.SfSigners)
	if len(signers) == 0 {
		return nil, rpcErrorText(errInvalidParams, "Signers array may not be empty.")
	}
	for _, s := range signers {
		if !s.Object.Has(codec.SfAccount) {
			return nil, rpcError(errInternal)
		}
	}
	account := func(e codec.Element) codec.AccountID { return e.Object.Account(codec.SfAccount) }
	slices.SortStableFunc(signers, func(a, b codec.Element) int {
		x, y := account(a), account(b)
		return bytes.Compare(x[:], y[:])
	})
	for i := 1; i < len(signers); i++ {
		if a := account(signers[i]); a == account(signers[i-1]) {
			return nil, rpcErrorText(errInvalidParams, "Duplicate Signers:Signer:Account entries ("+a.String()+") are not allowed.")
		}
	}
	own := o.Account(codec.SfAccount)
	if o.Has(codec.SfDelegate) { // which pays the fee
		own = o.Account(codec.SfDelegate)
	}
	if slices.ContainsFunc(signers, func(e codec.Element) bool { return account(e) == own }) {
		return nil, rpcErrorText(errInvalidParams, "A Signer may not be the transaction's Account ("+own.String()+").")
	}
	t, err := c.transaction(o)
	if err != nil {
		return nil, rpcErrorText(errInternal, "Unable to sterilize transaction.")
	}
	if bad := c.checkConstructed(t); bad != nil {
		return nil, bad
	}
	return t, nil
}

// submitMultisigned is `submit_multisigned` (SubmitMultiSigned.cpp): it submits a transaction in JSON with all its signatures. Any
// value of fail_hard is converted to a boolean.
func submitMultisigned(c *call) obj {
	if !c.params.Has("tx_json") {
		return missingField("tx_json")
	}
	txj := c.params.Get("tx_json")
	if txj.IsObject() {
		if bad := checkMultiSignFields(txj, true, c.params.Has("signature_target")); bad != nil {
			return bad
		}
	}
	id, bad := checkTxJSON(txj)
	if bad != nil {
		return bad
	}
	if !c.node.Current().Has(engine.AccountKey(id)) {
		return rpcError(errSrcActNotFound)
	}
	txj = txj.Clone()
	if bad := c.fillFee(txj, false); bad != nil {
		return bad
	}
	if bad := c.checkPayment(txj, false); bad != nil {
		return bad
	}
	o, err := objectFromJSON("tx_json", txj)
	if err != nil {
		return rpcErrorText(errInvalidParams, err.Error())
	}
	if o, bad = c.constructed(o, "Exception while serializing transaction: "); bad != nil {
		return bad
	}
	signers := o.Array(codec.SfSigners)
	switch {
	case len(o.Blob(codec.SfSigningPubKey)) > 0: // possible with a signature_target
		return rpcErrorText(errInvalidParams, "Invalid  SigningPubKey field.  Field must be empty when multi-signing.")
	case o.Has(codec.SfTxnSignature):
		return rpcError(errSigningMalformed)
	case !o.IsXRP(codec.SfFee): // which rippled cannot compare with nothing
		return rpcError(errInternal)
	case o.Drops(codec.SfFee) <= 0:
		return rpcErrorText(errInvalidParams, "Invalid Fee field.  Fees must be greater than zero.")
	case !o.Has(codec.SfSigners):
		return missingField("tx_json.Signers")
	case len(signers) == 0:
		return rpcErrorText(errInvalidParams, "tx_json.Signers array may not be empty.")
	}
	for _, s := range signers {
		if e := s.Object; !e.Has(codec.SfAccount) || !e.Has(codec.SfSigningPubKey) || !e.Has(codec.SfTxnSignature) || e.Len() != 3 {
			return rpcErrorText(errInvalidParams, "Signers array may only contain Signer entries.")
		}
	}
	t, bad := c.withSigners(o, o)
	if bad != nil {
		return bad
	}
	return c.submitSigned(t, c.params.Get("fail_hard").AsBool())
}
