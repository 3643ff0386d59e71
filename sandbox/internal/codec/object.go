package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Object is a serialized object: fields in canonical order (by type, then by number), each at most once.
// It is not safe for concurrent use while it is being changed.
type Object struct {
	fields []value
}

// Element is an object within an array, and the field that names it there.
type Element struct {
	Field  *Field
	Object *Object
}

// value is one field's value. Integers and XRP amounts are in num, objects and arrays in list, all else in data as
// it is serialized, without the length before it.
type value struct {
	field *Field
	num   uint64
	data  []byte
	list  []Element
}

// NewObject gives an object without fields.
func NewObject() *Object { return &Object{fields: make([]value, 0, 8)} }

func (o *Object) find(f *Field) *value {
	for i := range o.fields {
		if o.fields[i].field == f {
			return &o.fields[i]
		}
	}
	return nil
}

// slot finds the field's value, made if absent.
func (o *Object) slot(f *Field) *value {
	i := 0
	for i < len(o.fields) && o.fields[i].field.code < f.code {
		i++
	}
	if i == len(o.fields) || o.fields[i].field != f {
		o.fields = slices.Insert(o.fields, i, value{field: f})
	}
	return &o.fields[i]
}

// Has says whether the field is there.
func (o *Object) Has(f *Field) bool { return o.find(f) != nil }

// Len is the number of fields.
func (o *Object) Len() int { return len(o.fields) }

// Fields lists the fields that are there, in canonical order.
func (o *Object) Fields() []*Field {
	out := make([]*Field, len(o.fields))
	for i := range o.fields {
		out[i] = o.fields[i].field
	}
	return out
}

// Delete removes the field; nothing happens if it is absent.
func (o *Object) Delete(f *Field) {
	for i := range o.fields {
		if o.fields[i].field == f {
			o.fields = slices.Delete(o.fields, i, i+1)
			return
		}
	}
}

// Uint is an integer field of any width; 0 when absent.
func (o *Object) Uint(f *Field) uint64 {
	if v := o.find(f); v != nil && isUint(f.Type) {
		return v.num
	}
	return 0
}

// SetUint sets an integer field; bits above its width are dropped.
func (o *Object) SetUint(f *Field, n uint64) {
	switch f.Type {
	case TypeUInt8:
		n &= 0xFF
	case TypeUInt16:
		n &= 0xFFFF
	case TypeUInt32:
		n &= 0xFFFFFFFF
	}
	*o.slot(f) = value{field: f, num: n}
}

func isUint(t Type) bool {
	return t == TypeUInt8 || t == TypeUInt16 || t == TypeUInt32 || t == TypeUInt64
}

// Hash is a Hash256 field; zero when absent.
func (o *Object) Hash(f *Field) (h Hash256) {
	if v := o.find(f); v != nil && len(v.data) == len(h) {
		copy(h[:], v.data)
	}
	return h
}

// SetHash sets a Hash256 field.
func (o *Object) SetHash(f *Field, h Hash256) { *o.slot(f) = value{field: f, data: h[:]} }

// Account is an account field; zero when absent or empty.
func (o *Object) Account(f *Field) (a AccountID) {
	if v := o.find(f); v != nil && len(v.data) == len(a) {
		copy(a[:], v.data)
	}
	return a
}

// SetAccount sets an account field.
func (o *Object) SetAccount(f *Field, a AccountID) { *o.slot(f) = value{field: f, data: a[:]} }

// Blob is the bytes of a Blob field, or of any other that is neither integer, XRP, object nor array, as serialized
// but for the length before them; nil when absent. The bytes must not be changed.
func (o *Object) Blob(f *Field) []byte {
	if v := o.find(f); v != nil {
		return v.data
	}
	return nil
}

// SetBlob sets a Blob field to a copy of b. For a fixed-size type b must have its size.
func (o *Object) SetBlob(f *Field, b []byte) {
	*o.slot(f) = value{field: f, data: append([]byte{}, b...)}
}

// IsXRP says whether the field is there and an amount of XRP.
func (o *Object) IsXRP(f *Field) bool {
	v := o.find(f)
	return v != nil && f.Type == TypeAmount && len(v.data) == 0
}

// Drops is an XRP amount in drops, which may be negative; 0 when the field is absent or not XRP.
func (o *Object) Drops(f *Field) int64 {
	if v := o.find(f); v != nil && f.Type == TypeAmount && len(v.data) == 0 {
		return xrpDrops(v.num)
	}
	return 0
}

// SetDrops sets an amount to so many drops of XRP. Magnitudes of 2^61 and above, far more than there are, wrap.
func (o *Object) SetDrops(f *Field, drops int64) {
	*o.slot(f) = value{field: f, num: xrpWord(drops)}
}

// Hashes is a Vector256 field; nil when absent.
func (o *Object) Hashes(f *Field) []Hash256 {
	v := o.find(f)
	if v == nil || f.Type != TypeVector256 {
		return nil
	}
	out := make([]Hash256, len(v.data)/32)
	for i := range out {
		copy(out[i][:], v.data[32*i:])
	}
	return out
}

// SetHashes sets a Vector256 field.
func (o *Object) SetHashes(f *Field, hs []Hash256) {
	b := make([]byte, 0, 32*len(hs))
	for i := range hs {
		b = append(b, hs[i][:]...)
	}
	*o.slot(f) = value{field: f, data: b}
}

// Object is an object field; nil when absent. Changes to it are changes of the field.
func (o *Object) Object(f *Field) *Object {
	if v := o.find(f); v != nil && f.Type == TypeObject && len(v.list) == 1 {
		return v.list[0].Object
	}
	return nil
}

// SetObject sets an object field; inner is the field's from then on.
func (o *Object) SetObject(f *Field, inner *Object) {
	*o.slot(f) = value{field: f, list: []Element{{Field: f, Object: inner}}}
}

// Array is an array field; nil when absent.
func (o *Object) Array(f *Field) []Element {
	if v := o.find(f); v != nil && f.Type == TypeArray {
		return v.list
	}
	return nil
}

// SetArray sets an array field; the elements are the field's from then on.
func (o *Object) SetArray(f *Field, elements []Element) {
	*o.slot(f) = value{field: f, list: elements}
}

// Copy sets the field as it is in from: removed where from has none.
func (o *Object) Copy(f *Field, from *Object) {
	v := from.find(f)
	if v == nil {
		o.Delete(f)
		return
	}
	*o.slot(f) = v.clone()
}

// Equal says whether the field is absent from both, or in both with the same value.
func (o *Object) Equal(f *Field, other *Object) bool {
	a, b := o.find(f), other.find(f)
	if a == nil || b == nil {
		return a == b
	}
	return a.equal(b)
}

// Same says whether both have the same fields with the same values.
func (o *Object) Same(other *Object) bool {
	return slices.EqualFunc(o.fields, other.fields, func(a, b value) bool { return a.equal(&b) })
}

func (v *value) equal(w *value) bool {
	return v.field == w.field && v.num == w.num && bytes.Equal(v.data, w.data) &&
		slices.EqualFunc(v.list, w.list, func(a, b Element) bool { return a.Field == b.Field && a.Object.Same(b.Object) })
}

// Clone copies the object: setting fields of the copy, and of objects within it, never shows in the original.
func (o *Object) Clone() *Object {
	c := &Object{fields: slices.Clone(o.fields)}
	for i := range c.fields {
		if c.fields[i].list != nil {
			c.fields[i] = c.fields[i].clone()
		}
	}
	return c
}

func (v *value) clone() value {
	c := *v
	if v.list != nil {
		c.list = make([]Element, len(v.list))
		for i, e := range v.list {
			c.list[i] = Element{Field: e.Field, Object: e.Object.Clone()}
		}
	}
	return c
}

// Append appends the canonical serialization, without an end marker.
func (o *Object) Append(dst []byte) []byte {
	for i := range o.fields {
		dst = o.fields[i].append(dst)
	}
	return dst
}

// AppendSigning appends the same without the fields that signatures do not cover.
func (o *Object) AppendSigning(dst []byte) []byte {
	for i := range o.fields {
		if o.fields[i].field.Signing {
			dst = o.fields[i].append(dst)
		}
	}
	return dst
}

const (
	objectEnd = 0xE1
	arrayEnd  = 0xF1
)

func (v *value) append(dst []byte) []byte {
	f := v.field
	dst = append(dst, f.header[:f.hlen]...)
	switch f.Type {
	case TypeUInt8:
		return append(dst, byte(v.num))
	case TypeUInt16:
		return binary.BigEndian.AppendUint16(dst, uint16(v.num))
	case TypeUInt32:
		return binary.BigEndian.AppendUint32(dst, uint32(v.num))
	case TypeUInt64:
		return binary.BigEndian.AppendUint64(dst, v.num)
	case TypeAmount:
		if len(v.data) == 0 {
			return binary.BigEndian.AppendUint64(dst, v.num)
		}
		return append(dst, v.data...)
	case TypeBlob, TypeAccountID, TypeVector256:
		return AppendVL(dst, v.data)
	case TypeObject:
		if len(v.list) == 1 {
			dst = v.list[0].Object.Append(dst)
		}
		return append(dst, objectEnd)
	case TypeArray:
		for _, e := range v.list {
			dst = append(dst, e.Field.header[:e.Field.hlen]...)
			dst = e.Object.Append(dst)
			dst = append(dst, objectEnd)
		}
		return append(dst, arrayEnd)
	default:
		return append(dst, v.data...)
	}
}

// MaxBlob is the longest that a variable-length value can be.
const MaxBlob = 918744

// AppendVL appends b with its length before it. What is longer than MaxBlob has no such form: it is cut there.
func AppendVL(dst, b []byte) []byte {
	b = b[:min(len(b), MaxBlob)]
	switch n := len(b); {
	case n <= 192:
		dst = append(dst, byte(n))
	case n <= 12480:
		n -= 193
		dst = append(dst, byte(193+n>>8), byte(n))
	default:
		n -= 12481
		dst = append(dst, byte(241+n>>16), byte(n>>8), byte(n))
	}
	return append(dst, b...)
}
