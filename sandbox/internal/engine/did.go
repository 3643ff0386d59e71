package engine

import "github.com/xrplissuer/credential-issuer/sandbox/internal/codec"

// maxDIDLength bounds each of a DID's three fields, in bytes (rippled's
// Protocol.h: maxDIDURILength, maxDIDDocumentLength, maxDIDAttestationLength).
const maxDIDLength = 256

// didFields are what a DID holds (XLS-40): at least one of them.
var didFields = []*codec.Field{codec.SfURI, codec.SfDIDDocument, codec.SfData}

// countDIDFields counts those of the fields that are there, that are empty, and
// that are too long.
func countDIDFields(o *codec.Object) (present, empty, long int) {
	for _, f := range didFields {
		if !o.Has(f) {
			continue
		}
		present++
		switch n := len(o.Blob(f)); {
		case n == 0:
			empty++
		case n > maxDIDLength:
			long++
		}
	}
	return present, empty, long
}

// didSet makes the sender's DID or changes it; an empty field is one to remove
// (DID.cpp).
var didSet = transactor{
	preflight: func(tx *codec.Tx) TER {
		switch present, empty, long := countDIDFields(tx.Object); {
		case present == 0, empty == len(didFields):
			return TemEmptyDID
		case long > 0:
			return TemMalformed
		}
		return TesSuccess
	},
	apply: func(c *applyContext) TER {
		key := DIDKey(c.account)
		o := c.peek(key)
		old := o != nil
		if !old {
			o = newEntry(codec.LtDID)
			o.SetAccount(codec.SfAccount, c.account)
		}
		for _, f := range didFields {
			if c.tx.Has(f) {
				setOrDrop(o, c.tx.Object, f, len(c.tx.Object.Blob(f)) == 0)
			}
		}
		if present, _, _ := countDIDFields(o); present == 0 {
			return TecEmptyDID
		}
		if old {
			c.update(key)
			return TesSuccess
		}
		acct := c.peek(AccountKey(c.account))
		if !c.coversOneMore(acct) {
			return TecInsufficientReserve
		}
		return c.own(acct, key, o)
	},
}

var didDelete = transactor{
	apply: func(c *applyContext) TER {
		key := DIDKey(c.account)
		o := c.peek(key)
		if o == nil {
			return TecNoEntry
		}
		return c.deleteOwned(key, o, true)
	},
}
