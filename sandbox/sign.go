package sandbox

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// commandDeprecated is what rippled says to requests that do nothing but sign.
const commandDeprecated = "This command has been deprecated and will be removed in a future version of the server. Please migrate " +
	"to a standalone signing tool."

// sign is `sign` (SignHandler.cpp): tx_json with a secret, of which it makes a signed transaction.
func sign(c *call) obj {
	t, result := c.signed()
	if result == nil {
		result = c.formatted(t, nil)
	}
	result["deprecated"] = commandDeprecated
	return result
}

// signAndSubmit is `submit` with tx_json and a secret: it fills in what is missing, signs, and submits (TransactionSign.cpp).
func (c *call) signAndSubmit(failHard bool) obj {
	t, bad := c.signed()
	if bad != nil {
		return bad
	}
	return c.submitSigned(t, failHard)
}

// signed makes a transaction of tx_json, signed with the request's secret.
func (c *call) signed() (*codec.Tx, obj) {
	pub, priv, bad := c.signingKey()
	if bad != nil {
		return nil, bad
	}
	o, bad := c.preprocess(pub, nil)
	if bad != nil {
		return nil, bad
	}
	t, err := signObject(o, c.signatureTarget(), pub, priv)
	if err != nil {
		return nil, rpcErrorText(errInternal, "Unable to construct transaction: "+err.Error())
	}
	return t, c.checkConstructed(t)
}

// checkConstructed holds a transaction that was just put together to what every submitted one is held to.
func (c *call) checkConstructed(t *codec.Tx) obj {
	if c.srv.checked.validity(t) != "" {
		return rpcErrorText(errInternal, "Invalid signature.")
	}
	return nil
}

// submitSigned submits a transaction that was put together here, and tells what became of it.
func (c *call) submitSigned(t *codec.Tx, failHard bool) obj {
	r := c.submitTx(t, failHard)
	result := c.formatted(t, c.recordOf(t, r))
	engineResult(result, t, r.Result)
	return result
}

// formatted is a transaction as those requests show it that sign it (transactionFormatResultImpl).
func (c *call) formatted(t *codec.Tx, in *engine.TxRecord) obj {
	j := transactionJSON(t, in, false, c.version)
	insertDeliverMax(j, t.Type, c.version)
	result := obj{"tx_json": j, "tx_blob": upperHex(t.Blob)}
	if c.version > 1 {
		result["hash"] = t.ID.String()
	}
	return result
}

// checkTxJSON finds the account of tx_json (checkTxJsonFields).
func checkTxJSON(txj *rjson.Value) (codec.AccountID, obj) {
	if !txj.IsObject() {
		return codec.AccountID{}, expectedField("tx_json", "object")
	}
	if !txj.Has("TransactionType") {
		return codec.AccountID{}, missingField("tx_json.TransactionType")
	}
	if !txj.Has("Account") {
		return codec.AccountID{}, rpcErrorText(errSrcActMissing, "Missing field 'tx_json.Account'.")
	}
	id, ok := codec.ParseAccountID(txj.Get("Account").AsString())
	if !ok {
		return id, rpcErrorText(errSrcActMalformed, "Invalid field 'tx_json.Account'.")
	}
	return id, nil
}

// preprocess makes a transaction of tx_json, to be signed with a key alone, or by a signer as one of several. Only in the first
// case it fills in what is missing.
func (c *call) preprocess(pub []byte, signer *codec.AccountID) (*codec.Object, obj) {
	offline, alone := c.params.Get("offline").AsBool(), signer == nil
	target := c.signatureTarget()
	if c.params.Has("signature_target") && !target.HasTemplate() {
		name := ""
		if target != nil {
			name = target.Name
		}
		return nil, rpcErrorText(errInvalidParams, name)
	}
	if !c.params.Has("tx_json") {
		return nil, missingField("tx_json")
	}
	given := c.params.Get("tx_json")
	id, bad := checkTxJSON(given)
	if bad != nil {
		return nil, bad
	}
	txj := given.Clone()
	if offline && !txj.Has("Sequence") {
		return nil, missingField("tx_json.Sequence")
	}
	var root *codec.Object
	if !offline {
		if root = c.node.Current().Entry(engine.AccountKey(id)); root == nil {
			return nil, rpcError(errSrcActNotFound)
		}
	}
	if alone {
		if !txj.Has("Sequence") {
			seq := int64(0)
			if !txj.Has("TicketSequence") {
				seq = int64(c.node.NextSequence(id))
			}
			txj.Set("Sequence", rjson.NewInt(seq))
		}
	}
	if bad := c.fillFee(txj, !offline && alone); bad != nil {
		return nil, bad
	}
	if bad := c.checkPayment(txj, !offline && alone); bad != nil {
		return nil, bad
	}
	if !alone && txj.Has("TxnSignature") {
		return nil, rpcError(errAlreadySingleSig)
	}
	if alone && txj.Has("Signers") {
		return nil, rpcError(errAlreadyMultisig)
	}
	if !offline && alone && target == nil {
		if bad := c.checkKey(txj, root, id, pub); bad != nil {
			return nil, bad
		}
	}
	o, err := objectFromJSON("tx_json", txj)
	if err != nil {
		return nil, rpcErrorText(errInvalidParams, err.Error())
	}
	if !alone {
		pub = nil
	}
	signed := o
	if target != nil {
		if !o.Has(target) {
			o.SetObject(target, codec.NewObject())
		}
		signed = o.Object(target)
	}
	signed.SetBlob(codec.SfSigningPubKey, pub)
	return c.constructed(o, "Exception occurred constructing serialized transaction")
}

// constructed holds an object to what a transaction of its type may carry, and to the rules that need no ledger. The text is for
// what rippled has no better one for; where it ends in a space, what is wrong follows.
func (c *call) constructed(o *codec.Object, otherwise string) (*codec.Object, obj) {
	t, err := c.transaction(o)
	if errors.Is(err, codec.ErrEmptyPath) {
		return nil, rpcErrorText(errInternal, "Unable to sterilize transaction.")
	}
	if codec.IsUnknownType(err) {
		if strings.HasSuffix(otherwise, " ") {
			otherwise += err.Error()
		}
		return nil, rpcErrorText(errInternal, otherwise)
	}
	if err == nil {
		err = t.LocalChecks()
	}
	if err != nil {
		return nil, rpcErrorText(errInvalidParams, err.Error())
	}
	return t.Object, nil
}

// transaction makes a transaction of an object, if its type is known.
func (c *call) transaction(o *codec.Object) (*codec.Tx, error) {
	return codec.ParseTx(o.Append(nil))
}

// signatureTarget is the field of the object that takes the signature in place of the transaction itself; nil for none.
func (c *call) signatureTarget() *codec.Field {
	if !c.params.Has("signature_target") {
		return nil
	}
	return codec.FieldByName(c.params.Get("signature_target").AsString())
}

// checkKey tells whether a key may sign for the account of a transaction, or for its delegate.
func (c *call) checkKey(txj *rjson.Value, root *codec.Object, id codec.AccountID, pub []byte) obj {
	if txj.Has("Delegate") {
		delegate, ok := codec.ParseAccountID(stringOf(txj.Get("Delegate")))
		if !ok {
			return rpcErrorText(errSrcActMalformed, "Invalid field 'tx_json.Delegate'.")
		}
		if root = c.node.Current().Entry(engine.AccountKey(delegate)); root == nil {
			return rpcError(errDelegateActNotFound)
		}
		id = delegate
	}
	if code := keyFits(root, id, pub); code != 0 {
		return rpcError(code)
	}
	return nil
}

// signObject signs a transaction by one key. The signature goes into the object of the target field, or, for nil, into the
// transaction itself.
func signObject(o *codec.Object, target *codec.Field, pub []byte, priv codec.PrivateKey) (*codec.Tx, error) {
	signed := o
	if target != nil {
		signed = o.Object(target)
	}
	signed.SetBlob(codec.SfSigningPubKey, pub)
	signed.SetBlob(codec.SfTxnSignature, codec.Sign(priv, pub, codec.SigningData(o)))
	return codec.ParseTx(o.Append(nil))
}

// keyFits tells whether a key may sign for an account (acctMatchesPubKey). An address without an account has its own key alone.
func keyFits(root *codec.Object, id codec.AccountID, pub []byte) errorCode {
	signer := codec.AccountIDFromPublicKey(pub)
	if root == nil {
		if signer == id {
			return 0
		}
		return errBadSecret
	}
	switch {
	case signer == id && root.Uint(codec.SfFlags)&flagDisableMaster != 0:
		return errMasterDisabled
	case signer == id, root.Has(codec.SfRegularKey) && signer == root.Account(codec.SfRegularKey):
		return 0
	}
	return errBadSecret
}

// How many times the base fee a fee that is filled in may be (Tuning.h).
const (
	feeMultiplier = 10
	feeDivisor    = 1
)

// fillFee puts the open ledger's present cost into a transaction without a fee (checkFee).
func (c *call) fillFee(txj *rjson.Value, mayFill bool) obj {
	if txj.Has("Fee") {
		return nil
	}
	if !mayFill {
		return missingField("tx_json.Fee")
	}
	mult, div := uint64(feeMultiplier), uint64(feeDivisor)
	for _, f := range []struct {
		name  string
		least int32
		into  *uint64
	}{{"fee_mult_max", 0, &mult}, {"fee_div_max", 1, &div}} {
		if !c.params.Has(f.name) {
			continue
		}
		v := c.params.Get(f.name)
		text := "Invalid field '" + f.name + "', not a positive integer."
		if !v.IsInt() {
			return rpcErrorText(errHighFee, text)
		}
		if v.AsInt() < f.least {
			return rpcErrorText(errInvalidParams, text)
		}
		*f.into = uint64(v.AsInt())
	}
	cost, bad := currentFee(c.node, c.baseFeeOf(txj), mult, div)
	if bad != nil {
		return bad
	}
	txj.Set("Fee", rjson.NewString(strconv.FormatUint(cost, 10)))
	return nil
}

// currentFee is what a transaction of that base fee, in drops, costs now, unless that is too many times as much
// (getCurrentNetworkFee).
func currentFee(n *engine.Node, base, mult, div uint64) (uint64, obj) {
	cost, limit := max(base, openCost(n.FeeMetrics())), base*mult/div
	if cost > limit {
		return 0, rpcErrorText(errHighFee, fmt.Sprintf("Fee of %d exceeds the requested tx limit of %d", cost, limit))
	}
	return cost, nil
}

// openCost is what a transaction must pay to get into the open ledger, in drops (getCurrentNetworkFee).
func openCost(m engine.FeeMetrics) uint64 {
	base := uint64(m.BaseFee)
	return max(base, mulDiv(m.OpenLevel-1, base, m.ReferenceLevel)+1)
}

// checkPayment checks the fields that a payment is refused for before it is looked at as a whole.
func (c *call) checkPayment(txj *rjson.Value, mayBuild bool) obj {
	if txj.Get("TransactionType").AsString() != "Payment" {
		return nil
	}
	if txj.Has("DeliverMax") {
		if !txj.Has("Amount") {
			txj.Set("Amount", txj.Get("DeliverMax"))
		} else if !txj.Get("DeliverMax").Equal(txj.Get("Amount")) {
			return rpcErrorText(errInvalidParams, "Cannot specify differing 'Amount' and 'DeliverMax'")
		}
		txj.Remove("DeliverMax")
	}
	if !txj.Has("Amount") {
		return missingField("tx_json.Amount")
	}
	pays, ok := parseAmount(txj.Get("Amount"))
	if !ok {
		return invalidField("tx_json.Amount")
	}
	if !txj.Has("Destination") {
		return missingField("tx_json.Destination")
	}
	if _, ok := codec.ParseAccountID(txj.Get("Destination").AsString()); !ok {
		return invalidField("tx_json.Destination")
	}
	build := c.params.Has("build_path")
	switch {
	case build && (!mayBuild || pays.isMPT()):
		return rpcErrorText(errInvalidParams, "Field 'build_path' not allowed in this context.")
	case build && txj.Has("Paths"):
		return rpcErrorText(errInvalidParams, "Cannot specify both 'tx_json.Paths' and 'build_path'")
	}
	if txj.Has("DomainID") {
		if _, ok := parsedHash(txj.Get("DomainID")); !ok {
			return rpcErrorText(errDomainMalformed, "Unable to parse 'DomainID'.")
		}
	}
	if build {
		return buildPath(txj, pays)
	}
	return nil
}

// buildPath looks for paths for a payment, of which this ledger has none.
func buildPath(txj *rjson.Value, pays amount) obj {
	spends := pays
	if txj.Has("SendMax") {
		var ok bool
		if spends, ok = parseAmount(txj.Get("SendMax")); !ok {
			return invalidField("tx_json.SendMax")
		}
	}
	if spends.token == nil && pays.token == nil {
		return rpcErrorText(errInvalidParams, "Cannot build XRP to XRP paths.")
	}
	return nil
}

// signingKey reads the secret of a request (keypairForSignature). The one form of rippled's that it does not read is a key of
// English words (RFC 1751), which it takes for a passphrase.
func (c *call) signingKey() (pub []byte, priv codec.PrivateKey, bad obj) {
	p := c.params
	kind, count := "", 0
	for _, k := range []string{"passphrase", "secret", "seed", "seed_hex"} {
		if p.Has(k) {
			kind = k
			count++
		}
	}
	switch {
	case count == 0:
		return nil, nil, missingField("secret")
	case count > 1:
		return nil, nil, rpcErrorText(errInvalidParams, "Exactly one of the following must be specified: passphrase, secret, seed or seed_hex")
	}
	var family codec.KeyType
	if p.Has("key_type") {
		v := p.Get("key_type")
		if !v.IsString() {
			return nil, nil, expectedField("key_type", "string")
		}
		switch v.AsString() {
		case codec.Secp256k1.String():
			family = codec.Secp256k1
		case codec.Ed25519.String():
			family = codec.Ed25519
		default:
			return nil, nil, invalidField("key_type")
		}
		if kind == "secret" {
			return nil, nil, rpcErrorText(errInvalidParams, "The secret field is not allowed if key_type is used.")
		}
	}
	var seed codec.Seed
	if kind != "seed_hex" {
		if s, f, err := codec.SeedFromString(stringOf(p.Get(kind))); err == nil && f == codec.Ed25519 {
			if family == codec.Secp256k1 {
				return nil, nil, rpcErrorText(errBadSeed, "Specified seed is for an Ed25519 wallet.")
			}
			seed, family = s, f
		}
	}
	if family == 0 {
		family = codec.Secp256k1
	}
	if seed == nil {
		ok := false
		switch {
		case !p.Has("key_type"):
			if !p.Get("secret").IsString() {
				return nil, nil, expectedField("secret", "string")
			}
			seed, ok = genericSeed(p.Get("secret").AsString())
		case !p.Get(kind).IsString():
			return nil, nil, expectedField(kind, "string")
		default:
			text := p.Get(kind).AsString()
			switch kind {
			case "passphrase":
				seed, ok = genericSeed(text)
			case "seed":
				var f codec.KeyType
				var err error
				seed, f, err = codec.SeedFromString(text)
				ok = err == nil && f == codec.Secp256k1
			case "seed_hex":
				seed, ok = hexSeed(text)
			}
			if !ok {
				return nil, nil, rpcError(errBadSeed)
			}
		}
		if !ok {
			return nil, nil, rpcErrorText(errBadSeed, "Invalid field '"+kind+"'.")
		}
	}
	pub, priv = codec.DeriveKeypair(seed, family)
	return pub, priv, nil
}

func hexSeed(s string) (codec.Seed, bool) {
	if s == "0" {
		return make(codec.Seed, 16), true
	}
	b, ok := unhex(s)
	if !ok || len(s) != 32 {
		return nil, false
	}
	return codec.Seed(b), true
}

// genericSeed reads a seed as base58, as hex, or as a passphrase (parseGenericSeed). Nothing, an address, and a key are no seeds.
func genericSeed(s string) (codec.Seed, bool) {
	if _, isAddress := codec.ParseAccountID(s); s == "" || isAddress || codec.IsKeyToken(s) {
		return nil, false
	}
	if seed, ok := hexSeed(s); ok {
		return seed, true
	}
	if seed, f, err := codec.SeedFromString(s); err == nil && f == codec.Secp256k1 {
		return seed, true
	}
	sum := sha512.Sum512([]byte(s))
	return codec.Seed(sum[:16]), true
}
