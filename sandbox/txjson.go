package sandbox

import (
	"fmt"
	"math"
	"strconv"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// maxJSONDepth is how deep the objects of a transaction may be nested (STParsedJSON.cpp).
const maxJSONDepth = 64

// objectFromJSON makes a serialized object of JSON, as rippled does before it signs (STParsedJSON.cpp); an error is in its words.
// Amounts of tokens, paths, currencies and bridges are not read: no transaction of this ledger has use for them.
// What the release does not know is not read either.
func objectFromJSON(known codec.Release, name string, v *rjson.Value) (*codec.Object, error) {
	return jsonReader{known}.fields(name, v, 0)
}

type jsonReader struct{ known codec.Release }

// refusal is an error in rippled's words.
type refusal string

func (r refusal) Error() string { return string(r) }

func fieldError(name, what string) error { return refusal("Field '" + name + "' " + what) }

func (r jsonReader) fields(name string, v *rjson.Value, depth int) (*codec.Object, error) {
	if !v.IsObject() {
		return nil, fieldError(name, "is not a JSON object.")
	}
	if depth > maxJSONDepth {
		return nil, fieldError(name, "exceeds nesting depth limit.")
	}
	o := codec.NewObject()
	var failed error
	v.Members(func(key string, m *rjson.Value) {
		if failed != nil {
			return
		}
		full := name + "." + key
		f := codec.FieldByName(key)
		if !r.known.Knows(f) {
			failed = fieldError(full, "is unknown.")
			return
		}
		failed = r.field(o, f, full, m, depth)
	})
	if failed != nil {
		return nil, failed
	}
	return o, nil
}

func (r jsonReader) field(o *codec.Object, f *codec.Field, name string, v *rjson.Value, depth int) error {
	badType, invalid := fieldError(name, "has bad type."), fieldError(name, "has invalid data.")
	switch f.Type {
	case codec.TypeUInt8, codec.TypeUInt16, codec.TypeUInt32:
		return r.small(o, f, name, v)
	case codec.TypeUInt64:
		switch {
		case v.IsString():
			base := 16
			if f.Meta&codec.MetaBaseTen != 0 {
				base = 10
			}
			n, err := strconv.ParseUint(v.AsString(), base, 64)
			if err != nil {
				return invalid
			}
			o.SetUint(f, n)
		case v.IsInt() || v.IsUInt():
			n, ok := asUInt(v)
			if !ok {
				return fieldError(name, "is out of range.")
			}
			o.SetUint(f, uint64(n))
		default:
			return badType
		}
	case codec.TypeHash128, codec.TypeHash160, codec.TypeHash192, codec.TypeHash256:
		size := map[codec.Type]int{codec.TypeHash128: 16, codec.TypeHash160: 20, codec.TypeHash192: 24, codec.TypeHash256: 32}[f.Type]
		if !v.IsString() {
			return badType
		}
		b, ok := unhex(v.AsString())
		if v.AsString() == "" {
			b = make([]byte, size)
		} else if !ok || len(v.AsString()) != 2*size {
			return invalid
		}
		o.SetBlob(f, b)
	case codec.TypeBlob:
		if !v.IsString() {
			return badType
		}
		b, ok := unhex(v.AsString())
		if !ok {
			return invalid
		}
		o.SetBlob(f, b)
	case codec.TypeAmount:
		n, ok := parseDrops(v)
		if !ok {
			return invalid
		}
		o.SetDrops(f, n)
	case codec.TypeVector256:
		if !v.IsArray() {
			return fieldError(name, "must be a JSON array.")
		}
		hs := make([]codec.Hash256, 0, v.Len())
		for _, e := range v.Elements() {
			h, ok := codec.ParseHash256(stringOf(e))
			if !ok {
				return invalid
			}
			hs = append(hs, h)
		}
		o.SetHashes(f, hs)
	case codec.TypeAccountID:
		if !v.IsString() {
			return badType
		}
		if b, ok := unhex(v.AsString()); ok && len(v.AsString()) == 40 {
			o.SetAccount(f, codec.AccountID(b))
			return nil
		}
		id, ok := codec.ParseAccountID(v.AsString())
		if !ok {
			return invalid
		}
		o.SetAccount(f, id)
	case codec.TypeObject:
		inner, err := r.fields(name, v, depth+1)
		if err != nil {
			return err
		}
		o.SetObject(f, inner)
	case codec.TypeArray:
		return r.array(o, f, name, v, depth)
	default:
		return badType
	}
	return nil
}

// parseSmall reads an integer of up to 32 bits; types of transactions and entries also by name.
func (r jsonReader) small(o *codec.Object, f *codec.Field, name string, v *rjson.Value) error {
	if v.IsString() {
		switch f {
		case codec.SfTransactionType:
			if t, ok := codec.TxTypeByName(v.AsString()); ok && r.known.KnowsTx(t) {
				o.SetUint(f, uint64(t))
				return nil
			}
		case codec.SfLedgerEntryType:
			if t, ok := codec.LedgerEntryTypeByName(v.AsString()); ok && r.known.KnowsEntry(t) {
				o.SetUint(f, uint64(t))
				return nil
			}
		}
		n, ok := rjson.ParseUint32(v.AsString())
		if !ok {
			return fieldError(name, "has invalid data.")
		}
		return setSmall(o, f, name, uint64(n))
	}
	if !v.IsInt() && !v.IsUInt() {
		return fieldError(name, "has bad type.")
	}
	n, ok := asUInt(v)
	if !ok {
		return fieldError(name, "is out of range.")
	}
	return setSmall(o, f, name, uint64(n))
}

func setSmall(o *codec.Object, f *codec.Field, name string, n uint64) error {
	if f.Type == codec.TypeUInt8 && n > math.MaxUint8 || f.Type == codec.TypeUInt16 && n > math.MaxUint16 {
		return fieldError(name, "is out of range.")
	}
	o.SetUint(f, n)
	return nil
}

// parseArray reads an array of objects with one member each, which is an object.
func (r jsonReader) array(o *codec.Object, f *codec.Field, name string, v *rjson.Value, depth int) error {
	if !v.IsArray() {
		return fieldError(name, "must be a JSON array.")
	}
	elements := make([]codec.Element, 0, v.Len())
	for i, e := range v.Elements() {
		at := fmt.Sprintf("%s[%d]", name, i)
		if !e.IsObject() || e.Len() != 1 {
			return fieldError(at, "must be an object with a single key/object value.")
		}
		var el codec.Element
		var failed error
		e.Members(func(key string, m *rjson.Value) {
			if el.Field = codec.FieldByName(key); !r.known.Knows(el.Field) {
				failed = fieldError(at+"."+key, "is unknown.")
				return
			}
			if el.Field.Type != codec.TypeObject {
				failed = fieldError(at+"."+key, "is not a JSON object.")
				return
			}
			el.Object, failed = r.fields(at+"."+key, m, depth+1)
		})
		if failed != nil {
			return failed
		}
		elements = append(elements, el)
	}
	o.SetArray(f, elements)
	return nil
}

// parseDrops reads an amount of XRP in drops: an integer, or a string of digits.
func parseDrops(v *rjson.Value) (int64, bool) {
	switch {
	case v.IsInt():
		return int64(v.AsInt()), true
	case v.IsUInt():
		return int64(v.AsUInt()), true
	case v.IsString():
		n, err := strconv.ParseInt(v.AsString(), 10, 64)
		return n, err == nil && n <= maxDrops && n >= -maxDrops
	}
	return 0, false
}

// maxDrops is all XRP there is.
const maxDrops = 100_000_000_000_000_000
