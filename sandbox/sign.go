package sandbox

import (
	"crypto/sha512"
	"fmt"
	"strconv"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// signAndSubmit is `submit` with tx_json and a secret: it fills in what is missing, signs, and submits (TransactionSign.cpp).
func (c *call) signAndSubmit(failHard bool) obj {
	pub, priv, bad := c.signingKey()
	if bad != nil {
		return bad
	}
	t, bad := c.preprocess(pub, priv)
	if bad != nil {
		return bad
	}
	if reason := c.srv.checked.validity(t); reason != "" {
		return rpcErrorText(errInternal, "Invalid signature.")
	}
	r := c.submitTx(t, failHard)
	result := obj{"tx_blob": upperHex(t.Blob)}
	j := transactionJSON(t, r.InLedger, 0, false, c.version)
	insertDeliverMax(j, t.Type, c.version)
	result["tx_json"] = j
	if c.version > 1 {
		result["hash"] = t.ID.String()
	}
	engineResult(result, r.Result)
	return result
}

// preprocess makes a signed transaction of tx_json.
func (c *call) preprocess(pub []byte, priv codec.PrivateKey) (*codec.Tx, obj) {
	offline := c.params.Get("offline").AsBool()
	if !c.params.Has("tx_json") {
		return nil, missingField("tx_json")
	}
	given := c.params.Get("tx_json")
	if !given.IsObject() {
		return nil, rpcErrorText(errInvalidParams, "Invalid field 'tx_json', not object.")
	}
	txj := given.Clone()
	if !txj.Has("TransactionType") {
		return nil, missingField("tx_json.TransactionType")
	}
	if !txj.Has("Account") {
		return nil, rpcErrorText(errSrcActMissing, "Missing field 'tx_json.Account'.")
	}
	id, ok := codec.ParseAccountID(txj.Get("Account").AsString())
	if !ok {
		return nil, rpcErrorText(errSrcActMalformed, "Invalid field 'tx_json.Account'.")
	}
	if offline && !txj.Has("Sequence") {
		return nil, missingField("tx_json.Sequence")
	}
	var root *codec.Object
	if !offline {
		if root = c.node.Current().Entry(engine.AccountKey(id)); root == nil {
			return nil, rpcError(errSrcActNotFound)
		}
	}
	if !txj.Has("Sequence") {
		seq := int64(0)
		if !txj.Has("TicketSequence") {
			seq = int64(c.node.NextSequence(id))
		}
		txj.Set("Sequence", rjson.NewInt(seq))
	}
	if bad := c.fillFee(txj, !offline); bad != nil {
		return nil, bad
	}
	if bad := c.checkPayment(txj); bad != nil {
		return nil, bad
	}
	if txj.Has("Signers") {
		return nil, rpcError(errAlreadyMultisig)
	}
	if !offline {
		if code := keyFits(root, id, pub); code != 0 {
			return nil, rpcError(code)
		}
	}
	o, err := objectFromJSON(c.node.Release(), "tx_json", txj)
	if err != nil {
		return nil, rpcErrorText(errInvalidParams, err.Error())
	}
	o.SetBlob(codec.SfSigningPubKey, pub)
	unsigned, err := c.node.Release().ParseTx(o.Append(nil))
	if err != nil {
		return nil, rpcErrorText(errInvalidParams, err.Error())
	}
	if err := unsigned.LocalChecks(); err != nil {
		return nil, rpcErrorText(errInvalidParams, err.Error())
	}
	t, err := signObject(unsigned.Object, pub, priv)
	if err != nil {
		return nil, rpcErrorText(errInternal, "Unable to construct transaction: "+err.Error())
	}
	return t, nil
}

// signObject signs a transaction by one key.
func signObject(o *codec.Object, pub []byte, priv codec.PrivateKey) (*codec.Tx, error) {
	o.SetBlob(codec.SfSigningPubKey, pub)
	o.SetBlob(codec.SfTxnSignature, codec.Sign(priv, pub, codec.SigningData(o)))
	return codec.ParseTx(o.Append(nil))
}

// keyFits tells whether a key may sign for an account (acctMatchesPubKey).
func keyFits(root *codec.Object, id codec.AccountID, pub []byte) errorCode {
	switch signer := codec.AccountIDFromPublicKey(pub); {
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
	base := uint64(c.node.FeeMetrics().BaseFee)
	cost, limit := openCost(c.node.FeeMetrics()), mulDiv(base, mult, div)
	if cost > limit {
		return rpcErrorText(errHighFee, fmt.Sprintf("Fee of %d exceeds the requested tx limit of %d", cost, limit))
	}
	txj.Set("Fee", rjson.NewString(strconv.FormatUint(cost, 10)))
	return nil
}

// openCost is what a transaction must pay to get into the open ledger, in drops (getCurrentNetworkFee).
func openCost(m engine.FeeMetrics) uint64 {
	base := uint64(m.BaseFee)
	return max(base, mulDiv(m.OpenLevel-1, base, m.ReferenceLevel)+1)
}

// checkPayment checks the fields that a payment is refused for before it is looked at as a whole.
func (c *call) checkPayment(txj *rjson.Value) obj {
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
	if !txj.Get("Amount").IsObject() { // of tokens; there is none to pay with here
		if _, ok := parseDrops(txj.Get("Amount")); !ok {
			return invalidField("tx_json.Amount")
		}
	}
	if !txj.Has("Destination") {
		return missingField("tx_json.Destination")
	}
	if _, ok := codec.ParseAccountID(txj.Get("Destination").AsString()); !ok {
		return invalidField("tx_json.Destination")
	}
	if c.params.Has("build_path") {
		if txj.Has("Paths") {
			return rpcErrorText(errInvalidParams, "Cannot specify both 'tx_json.Paths' and 'build_path'")
		}
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
			if c.version > 1 {
				return nil, nil, rpcError(errBadKeyType)
			}
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
	b, ok := unhex(s)
	if !ok || len(s) != 32 {
		return nil, false
	}
	return codec.Seed(b), true
}

// genericSeed reads a seed as base58, as hex, or as a passphrase (parseGenericSeed). Nothing, and an address, are no seeds.
func genericSeed(s string) (codec.Seed, bool) {
	if _, isAddress := codec.ParseAccountID(s); s == "" || isAddress {
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
