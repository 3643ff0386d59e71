package codec

import (
	"encoding/binary"
	"strconv"
)

// JSON gives the object as rippled's STObject::getJson does, in values of encoding/json: map[string]any, []any,
// string, and uint32 for integers of up to 32 bits. TransactionType, LedgerEntryType and TransactionResult are
// names, UInt64 is lower-case hex without leading zeros (decimal where the field says so), hashes and blobs are
// upper-case hex, XRP is a decimal string of drops. The values are the caller's to change.
func (o *Object) JSON() map[string]any {
	m := make(map[string]any, len(o.fields)+2)
	for i := range o.fields {
		v := &o.fields[i]
		m[v.field.Name] = v.json()
	}
	return m
}

func (v *value) json() any {
	switch v.field.Type {
	case TypeUInt8:
		if v.field == SfTransactionResult {
			if name, ok := ResultName(uint8(v.num)); ok {
				return name
			}
		}
		return uint32(v.num)
	case TypeUInt16:
		switch v.field {
		case SfTransactionType:
			if f := txFormats[TxType(v.num)]; f != nil {
				return f.name
			}
		case SfLedgerEntryType:
			if f := entryFormats[LedgerEntryType(v.num)]; f != nil {
				return f.name
			}
		}
		return uint32(v.num)
	case TypeUInt32:
		return uint32(v.num)
	case TypeUInt64:
		if v.field.Should(MetaBaseTen) {
			return strconv.FormatUint(v.num, 10)
		}
		return strconv.FormatUint(v.num, 16)
	case TypeNumber:
		return numberText(v.data)
	case TypeInt32:
		return int32(binary.BigEndian.Uint32(pad(v.data, 4)))
	case TypeAmount:
		return v.amountJSON()
	case TypeAccountID:
		return accountText(v.data)
	case TypeVector256:
		list := make([]any, 0, len(v.data)/32)
		for b := v.data; len(b) >= 32; b = b[32:] {
			list = append(list, hexString(b[:32]))
		}
		return list
	case TypePathSet:
		return pathsJSON(v.data)
	case TypeCurrency:
		return currencyText(pad(v.data, 20))
	case TypeIssue:
		j, _ := issueJSON(v.data)
		return j
	case TypeXChainBridge:
		return bridgeJSON(v.data)
	case TypeObject:
		if len(v.list) == 1 {
			return v.list[0].Object.JSON()
		}
		return map[string]any{}
	case TypeArray:
		list := make([]any, len(v.list))
		for i, e := range v.list {
			list[i] = map[string]any{e.Field.Name: e.Object.JSON()}
		}
		return list
	default:
		return hexString(v.data)
	}
}

// pad gives exactly n bytes of b, whatever was set.
func pad(b []byte, n int) []byte {
	if len(b) >= n {
		return b[:n]
	}
	return append(append(make([]byte, 0, n), b...), make([]byte, n-len(b))...)
}

func accountText(b []byte) string {
	if len(b) != 20 {
		return ""
	}
	return AccountID(b).String()
}

func issueJSON(b []byte) (j map[string]any, rest []byte) {
	currency := pad(b, 20)
	b = b[min(20, len(b)):]
	j = map[string]any{"currency": currencyText(currency)}
	if !isZero(currency) {
		j["issuer"] = accountText(pad(b, 20))
		b = b[min(20, len(b)):]
	}
	return j, b
}

func bridgeJSON(b []byte) map[string]any {
	door := func() string {
		if len(b) == 0 {
			return ""
		}
		n := min(1+int(b[0]), len(b))
		d := b[1:n]
		b = b[n:]
		return accountText(d)
	}
	issue := func() (j map[string]any) {
		j, b = issueJSON(b)
		return j
	}
	m := make(map[string]any, 4)
	m["LockingChainDoor"] = door()
	m["LockingChainIssue"] = issue()
	m["IssuingChainDoor"] = door()
	m["IssuingChainIssue"] = issue()
	return m
}

func pathsJSON(b []byte) []any {
	paths := []any{}
	path := []any{}
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		if kind == PathEnd || kind == PathBoundary {
			paths = append(paths, path)
			path = []any{}
			continue
		}
		element := map[string]any{"type": uint32(kind)}
		part := func() []byte {
			p := pad(b, 20)
			b = b[min(20, len(b)):]
			return p
		}
		if kind&PathAccount != 0 {
			element["account"] = accountText(part())
		}
		if kind&PathCurrency != 0 {
			element["currency"] = currencyText(part())
		}
		if kind&PathIssuer != 0 {
			element["issuer"] = accountText(part())
		}
		path = append(path, element)
	}
	return paths
}
