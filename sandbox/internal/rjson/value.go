// Package rjson reads and writes JSON the way rippled does.
//
// rippled has a JSON reader of its own: it takes comments, refuses repeated keys and integers of more than 32 bits, stops after
// the first value, and tells an error with its line and column. Handlers convert values as loosely as rippled's Json::Value (a
// limit of "10" is an unsigned integer to one request and a mistake to another). Both show in a node's answers, so both are here.
//
// A leaf: it knows nothing of ledgers. Nothing in it recurses deeper than [NestLimit], and a value is never larger than a small
// multiple of the text it came from.
package rjson

import (
	"math"
	"slices"
	"strconv"
)

// Kind is the type of a [Value], as rippled's Json::ValueType tells them apart.
type Kind uint8

// The kinds. A number is an Int where a signed 32-bit integer holds it, else a UInt, and a Real where it is written as one.
const (
	Null Kind = iota
	Int
	UInt
	Real
	String
	Bool
	Array
	Object
)

// Value is one JSON value. A nil *Value reads as null everywhere, so that an absent member needs no check of its own.
// Values are not safe for concurrent change.
type Value struct {
	kind Kind
	num  int64 // Int, UInt, Bool (0 or 1); the bits of a Real
	str  string
	kids *kids // Array, Object; nil while empty
}

// kids are what an array or an object holds. Apart from [Value], so that the many values that hold none stay small.
type kids struct {
	arr []*Value
	obj []member       // in the order they were read; few, so looked up one by one
	idx map[string]int // once they are not few
}

type member struct {
	name  string
	value *Value
}

// ConversionError is what an As method panics with where rippled's Json::Value throws: the request asked for a value of a type
// that cannot be had from what was sent. The dispatcher turns it into the error "internal", as rippled does.
type ConversionError struct{ Reason string }

func (e ConversionError) Error() string { return e.Reason }

// NewObject returns an object without members.
func NewObject() *Value { return &Value{kind: Object} }

// NewString returns a string.
func NewString(s string) *Value { return &Value{kind: String, str: s} }

// NewInt returns a number of 32 bits: an Int where one holds it, else a UInt.
func NewInt(n int64) *Value {
	if n >= -1 && n < int64(len(smallInt)-1) {
		return &smallInt[n+1]
	}
	if n > math.MaxInt32 {
		return &Value{kind: UInt, num: n}
	}
	return &Value{kind: Int, num: n}
}

// These are shared: a value that holds no other is never changed once it is made.
var (
	valNull  = &Value{}
	valFalse = &Value{kind: Bool}
	valTrue  = &Value{kind: Bool, num: 1}
	smallInt = func() (vs [257]Value) {
		for i := range vs {
			vs[i] = Value{kind: Int, num: int64(i - 1)}
		}
		return
	}()
)

func (v *Value) real() float64 { return math.Float64frombits(uint64(v.num)) }

func (v *Value) elements() []*Value {
	if v.kids == nil {
		return nil
	}
	return v.kids.arr
}

func (v *Value) members() []member {
	if v.kids == nil {
		return nil
	}
	return v.kids.obj
}

// Kind tells the type; a nil Value is Null.
func (v *Value) Kind() Kind {
	if v == nil {
		return Null
	}
	return v.kind
}

// IsString and its sisters tell the type exactly; IsIntegral also takes booleans, as rippled's does.
func (v *Value) IsString() bool { return v.Kind() == String }

// IsBool reports whether the value is true or false.
func (v *Value) IsBool() bool { return v.Kind() == Bool }

// IsObject reports whether the value is an object.
func (v *Value) IsObject() bool { return v.Kind() == Object }

// IsArray reports whether the value is an array.
func (v *Value) IsArray() bool { return v.Kind() == Array }

// IsNull reports whether the value is null or absent.
func (v *Value) IsNull() bool { return v.Kind() == Null }

// IsInt reports whether the value is an integer that a signed 32-bit integer holds.
func (v *Value) IsInt() bool { return v.Kind() == Int }

// IsUInt reports whether the value is an integer past the signed 32-bit range.
func (v *Value) IsUInt() bool { return v.Kind() == UInt }

// IsIntegral reports whether the value is an integer or a boolean.
func (v *Value) IsIntegral() bool { k := v.Kind(); return k == Int || k == UInt || k == Bool }

// IsNumeric reports whether the value is a number or a boolean.
func (v *Value) IsNumeric() bool { return v.IsIntegral() || v.Kind() == Real }

// Truthy is Json::Value's operator bool: anything but null, "", [] and {}; so 0 and false are truthy.
func (v *Value) Truthy() bool {
	switch v.Kind() {
	case Null:
		return false
	case String:
		return v.str != "" && v.str[0] != 0
	case Array, Object:
		return v.Len() != 0
	}
	return true
}

// Len is the number of elements or members; 0 for anything else.
func (v *Value) Len() int {
	switch v.Kind() {
	case Array:
		return len(v.elements())
	case Object:
		return len(v.members())
	}
	return 0
}

// At returns an element of an array, nil when there is none.
func (v *Value) At(i int) *Value {
	if i < 0 || i >= len(v.Elements()) {
		return nil
	}
	return v.kids.arr[i]
}

// Elements returns the elements of an array.
func (v *Value) Elements() []*Value {
	if v.Kind() != Array {
		return nil
	}
	return v.elements()
}

func (v *Value) find(name string) int {
	if v.Kind() != Object || v.kids == nil {
		return -1
	}
	if v.kids.idx != nil {
		if i, ok := v.kids.idx[name]; ok {
			return i
		}
		return -1
	}
	for i := range v.kids.obj {
		if v.kids.obj[i].name == name {
			return i
		}
	}
	return -1
}

// Has reports whether an object has a member of this name, be it null.
func (v *Value) Has(name string) bool { return v.find(name) >= 0 }

// Get returns a member, nil (null) when there is none.
func (v *Value) Get(name string) *Value {
	if i := v.find(name); i >= 0 {
		return v.kids.obj[i].value
	}
	return nil
}

// Set adds or replaces a member of an object.
func (v *Value) Set(name string, m *Value) {
	if v.kind != Object {
		return
	}
	if i := v.find(name); i >= 0 {
		v.kids.obj[i].value = m
		return
	}
	if v.kids == nil {
		v.kids = &kids{}
	}
	k := v.kids
	k.obj = append(k.obj, member{name, m})
	if k.idx != nil {
		k.idx[name] = len(k.obj) - 1
	} else if len(k.obj) > 16 {
		k.index()
	}
}

func (k *kids) index() {
	k.idx = make(map[string]int, 2*len(k.obj))
	for i := range k.obj {
		k.idx[k.obj[i].name] = i
	}
}

// Remove takes a member out of an object.
func (v *Value) Remove(name string) {
	i := v.find(name)
	if i < 0 {
		return
	}
	v.kids.obj = append(v.kids.obj[:i:i], v.kids.obj[i+1:]...)
	if v.kids.idx != nil {
		v.kids.index()
	}
}

// Members calls f for each member, in the order they were read.
func (v *Value) Members(f func(name string, m *Value)) {
	if v.Kind() != Object {
		return
	}
	for _, m := range v.members() {
		f(m.name, m.value)
	}
}

// Clone copies an object one level deep: Set and Remove on the copy do not show in the original.
func (v *Value) Clone() *Value {
	if v == nil {
		return nil
	}
	c := *v
	if v.kids != nil {
		c.kids = &kids{arr: slices.Clone(v.kids.arr), obj: slices.Clone(v.kids.obj)}
		if v.kids.idx != nil {
			c.kids.index()
		}
	}
	return &c
}

// Copy copies a value all the way down.
func (v *Value) Copy() *Value {
	c := v.Clone()
	if c == nil || c.kids == nil {
		return c
	}
	for i, e := range c.kids.arr {
		c.kids.arr[i] = e.Copy()
	}
	for i, m := range c.kids.obj {
		c.kids.obj[i].value = m.value.Copy()
	}
	return c
}

// AsString is Json::Value::asString. It panics with a [ConversionError] for arrays and objects.
func (v *Value) AsString() string {
	switch v.Kind() {
	case Null:
		return ""
	case String:
		return v.str
	case Bool:
		if v.num != 0 {
			return "true"
		}
		return "false"
	case Int, UInt:
		return strconv.FormatInt(v.num, 10)
	case Real:
		return strconv.FormatFloat(v.real(), 'f', 6, 64)
	}
	panic(ConversionError{"Type is not convertible to string"})
}

// AsBool is Json::Value::asBool: it never fails.
func (v *Value) AsBool() bool {
	switch v.Kind() {
	case Int, UInt, Bool:
		return v.num != 0
	case Real:
		return v.real() != 0
	case String:
		return v.str != "" && v.str[0] != 0
	case Array, Object:
		return v.Len() != 0
	}
	return false
}

// AsInt is Json::Value::asInt: a signed 32-bit integer, or a panic with a [ConversionError].
func (v *Value) AsInt() int32 {
	switch v.Kind() {
	case Null:
		return 0
	case Int, Bool:
		return int32(v.num)
	case UInt:
		panic(ConversionError{"integer out of signed integer range"})
	case Real:
		if !(v.real() >= math.MinInt32 && v.real() <= math.MaxInt32) {
			panic(ConversionError{"Real out of signed integer range"})
		}
		return int32(v.real())
	case String:
		n, err := strconv.ParseInt(v.str, 10, 32)
		if err != nil || !plainDigits(v.str, true) {
			panic(ConversionError{"not an integer"})
		}
		return int32(n)
	}
	panic(ConversionError{"Type is not convertible to int"})
}

// AsUInt is Json::Value::asUInt: an unsigned 32-bit integer, or a panic with a [ConversionError].
func (v *Value) AsUInt() uint32 {
	switch v.Kind() {
	case Null:
		return 0
	case Int, UInt, Bool:
		if v.num < 0 {
			panic(ConversionError{"Negative integer can not be converted to unsigned integer"})
		}
		return uint32(v.num)
	case Real:
		if !(v.real() >= 0 && v.real() <= math.MaxUint32) {
			panic(ConversionError{"Real out of unsigned integer range"})
		}
		return uint32(v.real())
	case String:
		n, ok := ParseUint32(v.str)
		if !ok {
			panic(ConversionError{"not an unsigned integer"})
		}
		return n
	}
	panic(ConversionError{"Type is not convertible to uint"})
}

// ConvertibleToUInt is Json::Value::isConvertibleTo(uintValue): it says nothing of the value's range where it is a boolean.
func (v *Value) ConvertibleToUInt() bool {
	switch v.Kind() {
	case Null, UInt, Bool:
		return true
	case Int:
		return v.num >= 0
	case Real:
		return v.real() >= 0 && v.real() <= math.MaxUint32 && v.real() == math.Trunc(v.real())
	}
	return false
}

// ParseUint32 reads a decimal number the way rippled's lexical casts do: digits alone, with at most one plus sign before them.
func ParseUint32(s string) (uint32, bool) {
	if len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	if !plainDigits(s, false) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

func plainDigits(s string, sign bool) bool {
	if sign && len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Equal reports whether two values are the same, as Json::Value's operator== does: of one kind, member by member.
func (v *Value) Equal(w *Value) bool {
	if v.Kind() != w.Kind() {
		return false
	}
	switch v.Kind() {
	case Int, UInt, Bool:
		return v.num == w.num
	case Real:
		return v.real() == w.real()
	case String:
		return v.str == w.str
	case Array:
		if v.Len() != w.Len() {
			return false
		}
		for i, e := range v.elements() {
			if !e.Equal(w.kids.arr[i]) {
				return false
			}
		}
	case Object:
		if v.Len() != w.Len() {
			return false
		}
		for _, m := range v.members() {
			if !w.Has(m.name) || !m.value.Equal(w.Get(m.name)) {
				return false
			}
		}
	}
	return true
}
