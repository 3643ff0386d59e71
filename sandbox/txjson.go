package sandbox

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// maxJSONDepth is how deep the objects of a transaction may be nested (STParsedJSON.cpp).
const maxJSONDepth = 64

// maxJSONArray is how many elements an array of a transaction may have (STParsedJSON.h).
const maxJSONArray = 512

func arrayTooBig(name string) error {
	return fieldError(name, fmt.Sprintf("exceeds allowed JSON array size of %d elements per field.", maxJSONArray))
}

// objectFromJSON makes a serialized object of JSON, as rippled does before it signs (STParsedJSON.cpp); an error is in its words.
// Currencies, issues and bridges are not read: no transaction of this ledger has use for them.
func objectFromJSON(name string, v *rjson.Value) (*codec.Object, error) {
	return jsonReader{}.fields(name, v, nil, 0)
}

type jsonReader struct{}

// notSerialized are the names that rippled knows as fields, but that are no part of anything serialized, with a field of the same
// form.
var notSerialized = map[string]*codec.Field{
	"hash": codec.SfLedgerHash, "index": codec.SfLedgerHash,
	"LedgerEntry": codec.SfTemplateEntry, "Transaction": codec.SfTemplateEntry, "Validation": codec.SfTemplateEntry,
	"Metadata": codec.SfAsset, // of a type that is not read here; its own is not read at all
}

// typeNumbers are the numbers of their types (SField.h).
var typeNumbers = map[string]int{
	"hash": int(codec.TypeHash256), "index": int(codec.TypeHash256),
	"Transaction": codec.SerializedTypes()["Transaction"], "LedgerEntry": codec.SerializedTypes()["LedgerEntry"],
	"Validation": codec.SerializedTypes()["Validation"], "Metadata": codec.SerializedTypes()["Metadata"],
}

// refusal is an error in rippled's words.
type refusal string

func (r refusal) Error() string { return string(r) }

func fieldError(name, what string) error { return refusal("Field '" + name + "' " + what) }

// fields reads an object, that of a field where one is given: it must then be what that field's objects are made of.
func (r jsonReader) fields(name string, v *rjson.Value, of *codec.Field, depth int) (*codec.Object, error) {
	if !v.IsObject() && !v.IsNull() {
		return nil, fieldError(name, "is not a JSON object.")
	}
	if depth > maxJSONDepth {
		return nil, fieldError(name, "exceeds nesting depth limit.")
	}
	o := codec.NewObject()
	// In the order of their names: it decides which of several mistakes is told.
	names := make([]string, 0, v.Len())
	v.Members(func(key string, _ *rjson.Value) { names = append(names, key) })
	slices.Sort(names)
	for _, key := range names {
		full := name + "." + key
		f := codec.FieldByName(key)
		var err error
		switch {
		case f != nil:
			err = r.field(o, f, full, v.Get(key), depth)
		case notSerialized[key] != nil:
			// Answers show these beside a transaction's own fields, and it may come back with them: they are read, and dropped.
			err = r.field(codec.NewObject(), notSerialized[key], full, v.Get(key), depth)
		default:
			err = fieldError(full, "is unknown.")
		}
		if err != nil {
			return nil, err
		}
	}
	if of != nil && o.CheckInner(of) != nil {
		return nil, refusal("Object '" + of.Name + "' contents did not meet requirements for that type.")
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
				return invalid
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
		if v.AsString() == "" || v.AsString() == "0" {
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
		a, ok := parseAmount(v)
		if !ok {
			return invalid
		}
		a.setIn(o, f)
	case codec.TypeVector256:
		if !v.IsArray() && !v.IsNull() {
			return fieldError(name, "must be a JSON array.")
		}
		if v.Len() > maxJSONArray {
			return arrayTooBig(name)
		}
		hs := make([]codec.Hash256, 0, v.Len())
		for _, e := range v.Elements() {
			if e.IsArray() || e.IsObject() {
				return invalid
			}
			h, ok := codec.ParseHash256(e.AsString())
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
		if v.AsString() == "0" {
			o.SetAccount(f, codec.AccountID{})
			return nil
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
		if !v.IsObject() {
			return fieldError(name, "is not a JSON object.")
		}
		inner, err := r.fields(name, v, f, depth+1)
		if err != nil {
			return err
		}
		o.SetObject(f, inner)
	case codec.TypeArray:
		return r.array(o, f, name, v, depth)
	case codec.TypePathSet:
		return pathSet(o, f, name, v)
	default:
		return badType
	}
	return nil
}

// small reads an integer of up to 32 bits; types of transactions and entries, and results, also by name. Which of three words is
// said of what is none depends on the size.
func (r jsonReader) small(o *codec.Object, f *codec.Field, name string, v *rjson.Value) error {
	badType, invalid, outOfRange := fieldError(name, "has bad type."), fieldError(name, "has invalid data."), fieldError(name, "is out of range.")
	most := uint64(math.MaxUint32)
	tooLarge := invalid
	switch f.Type {
	case codec.TypeUInt8:
		most, tooLarge = math.MaxUint8, outOfRange
	case codec.TypeUInt16:
		most = math.MaxUint16
	}
	switch {
	case v.IsInt() || v.IsUInt():
		n, ok := asUInt(v)
		if !ok || uint64(n) > most {
			return tooLarge
		}
		o.SetUint(f, uint64(n))
		return nil
	case !v.IsString():
		return badType
	}
	s := v.AsString()
	if f.Type != codec.TypeUInt32 && s != "" && (s[0] < '0' || s[0] > '9') {
		n, ok := r.named(f, s)
		switch {
		case ok:
			o.SetUint(f, n)
			return nil
		case f == codec.SfTransactionResult:
			return outOfRange
		case f.Type == codec.TypeUInt8:
			return badType
		}
		return invalid
	}
	n, ok := rjson.ParseUint32(s)
	if !ok || uint64(n) > most {
		return invalid
	}
	o.SetUint(f, uint64(n))
	return nil
}

// named is the number of what a field names.
func (r jsonReader) named(f *codec.Field, name string) (uint64, bool) {
	switch f {
	case codec.SfTransactionType:
		t, ok := codec.TxTypeByName(name)
		return uint64(t), ok
	case codec.SfLedgerEntryType:
		t, ok := codec.LedgerEntryTypeByName(name)
		return uint64(t), ok
	case codec.SfTransactionResult:
		n, ok := codec.ResultCodes()[name]
		return uint64(n), ok && n >= 0 && n <= math.MaxUint8
	}
	return 0, false
}

// array reads an array of objects with one member each, which is an object. What is wrong with one is told twice, from
// without and from within.
func (r jsonReader) array(o *codec.Object, f *codec.Field, name string, v *rjson.Value, depth int) error {
	if !v.IsArray() && !v.IsNull() {
		return fieldError(name, "is not a JSON array.")
	}
	if depth+1 > maxJSONDepth {
		return fieldError(name, "exceeds nesting depth limit.")
	}
	if v.Len() > maxJSONArray {
		return arrayTooBig(name)
	}
	elements := make([]codec.Element, 0, v.Len())
	for i, e := range v.Elements() {
		if !e.IsObject() || e.Len() != 1 {
			return fieldError(fmt.Sprintf("%s[%d]", name, i), "must be an object with a single key/object value.")
		}
		var el codec.Element
		var failed error
		e.Members(func(key string, m *rjson.Value) {
			kind := 0
			if el.Field = codec.FieldByName(key); el.Field != nil {
				kind = int(el.Field.Type)
			} else if notSerialized[key] != nil {
				el.Field, kind = nil, typeNumbers[key]
			} else {
				failed = fieldError(name+"."+key, "is unknown.")
				return
			}
			at := fmt.Sprintf("%s.[%d].%s", name, i, key)
			if el.Object, failed = r.fields(at, m, el.Field, depth+2); failed != nil {
				failed = refusal("Error at '" + at + "'. " + failed.Error())
				return
			}
			if kind != int(codec.TypeObject) {
				failed = refusal(fmt.Sprintf("Item '%sField type: %d ' at index %d is not an object.  Arrays may only contain objects.",
					at, kind, i))
			}
		})
		if failed != nil {
			return failed
		}
		elements = append(elements, el)
	}
	o.SetArray(f, elements)
	return nil
}

// pathSet reads the paths of a payment: an array of arrays of objects with an account, or a currency and an issuer.
func pathSet(o *codec.Object, f *codec.Field, name string, v *rjson.Value) error {
	const noArray = "must be a JSON array."
	if !v.IsArray() && !v.IsNull() {
		return fieldError(name, noArray)
	}
	if v.Len() > maxJSONArray {
		return arrayTooBig(name)
	}
	var set []byte
	for i, path := range v.Elements() {
		at := fmt.Sprintf("%s[%d]", name, i)
		if !path.IsArray() && !path.IsNull() {
			return fieldError(at, noArray)
		}
		if path.Len() > maxJSONArray {
			return arrayTooBig(at)
		}
		if i > 0 {
			set = append(set, codec.PathBoundary)
		}
		for j, e := range path.Elements() {
			var err error
			if set, err = appendPathElement(set, fmt.Sprintf("%s[%d]", at, j), e); err != nil {
				return err
			}
		}
	}
	if v.Len() == 0 {
		return fieldError(f.Name, "may not be explicitly set to default.")
	}
	o.SetBlob(f, append(set, codec.PathEnd))
	return nil
}

// appendPathElement reads one element. Accounts of zero are left out, as if they had not been given.
func appendPathElement(set []byte, name string, v *rjson.Value) ([]byte, error) {
	const badData = "has invalid data."
	if !v.IsObject() {
		return nil, fieldError(name, "is not a JSON object.")
	}
	if !v.Get("account").Truthy() && !v.Get("currency").Truthy() && !v.Get("issuer").Truthy() {
		return nil, fieldError(name, badData)
	}
	account := func(s string) ([20]byte, bool) { return parseIssuer(s) }
	currency := func(s string) ([20]byte, bool) {
		if s == "0" {
			return [20]byte{}, true
		}
		return parseCurrency(s)
	}
	var kind byte
	var parts []byte
	for _, p := range []struct {
		name  string
		bit   byte
		parse func(string) ([20]byte, bool)
	}{{"account", codec.PathAccount, account}, {"currency", codec.PathCurrency, currency}, {"issuer", codec.PathIssuer, account}} {
		m := v.Get(p.name)
		if !m.Truthy() {
			continue
		}
		if !m.IsString() {
			return nil, fieldError(name+"."+p.name, "must be a string.")
		}
		part, ok := p.parse(m.AsString())
		if !ok {
			return nil, fieldError(name+"."+p.name, badData)
		}
		if p.bit != codec.PathCurrency && part == [20]byte{} {
			continue
		}
		kind |= p.bit
		parts = append(parts, part[:]...)
	}
	return append(append(set, kind), parts...), nil
}
