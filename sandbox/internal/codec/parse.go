package codec

import (
	"encoding/binary"
	"slices"
	"strconv"
	"sync"
)

// MaxObjectSize is the most bytes ParseObject reads. Transactions have a smaller limit of their own. A parsed object
// takes up to some 40 times the memory of its bytes, when those are made of the smallest objects there can be.
const MaxObjectSize = 4 << 20

// maxDepth is how many objects and arrays may stand within each other (STVar and STObject say 10).
const maxDepth = 10

const (
	errTooLarge         Refusal = "Object length invalid"
	errGet8             Refusal = "invalid SerialIter get8"
	errGet16            Refusal = "invalid SerialIter get16"
	errGet32            Refusal = "invalid SerialIter get32"
	errGet64            Refusal = "invalid SerialIter get64"
	errGetInt32         Refusal = "invalid SerialIter geti32"
	errGetInt64         Refusal = "invalid SerialIter geti64"
	errBitString        Refusal = "invalid SerialIter getBitString"
	errGetRaw           Refusal = "invalid SerialIter getRaw"
	errGetSlice         Refusal = "invalid SerialIter getSlice"
	errLength           Refusal = "b1>254"
	errUnknownField     Refusal = "Unknown field"
	errDuplicate        Refusal = "Duplicate field detected"
	errNestedValue      Refusal = "Maximum nesting depth of STVar exceeded"
	errNestedObject     Refusal = "Maximum nesting depth of STObject exceeded"
	errArrayEnd         Refusal = "Illegal end-of-array marker in object"
	errObjectEnd        Refusal = "Illegal terminator in array"
	errNonObject        Refusal = "Non-object in array"
	errAccountSize      Refusal = "Invalid STAccount size"
	errPathElement      Refusal = "bad path element"
	errUnknownType      Refusal = "Unknown object type"
	errObjectTerminator Refusal = "Object contains an object terminator"
)

// reader reads b from pos on. The fields of the objects it is within are on the stack, so that an object's own slice
// can be made in the size it needs.
type reader struct {
	b     []byte
	pos   int
	stack []value
	used  int // of the stack, at most, so far
}

var readers = sync.Pool{New: func() any { return &reader{stack: make([]value, 0, 32)} }}

func newReader(b []byte) *reader {
	r := readers.Get().(*reader)
	r.b, r.pos = b, 0
	return r
}

// free keeps the stack for the next reader, but nothing it pointed to.
func (r *reader) free() {
	const keep = 256
	if cap(r.stack) > keep {
		return
	}
	clear(r.stack[:r.used])
	r.b, r.stack, r.used = nil, r.stack[:0], 0
	readers.Put(r)
}

func (r *reader) uint8() (uint8, error) {
	if r.pos >= len(r.b) {
		return 0, errGet8
	}
	r.pos++
	return r.b[r.pos-1], nil
}

func (r *reader) uint64() (uint64, error) {
	if len(r.b)-r.pos < 8 {
		return 0, errGet64
	}
	r.pos += 8
	return binary.BigEndian.Uint64(r.b[r.pos-8:]), nil
}

func (r *reader) take(n int, short error) ([]byte, error) {
	if len(r.b)-r.pos < n {
		return nil, short
	}
	r.pos += n
	return r.b[r.pos-n : r.pos : r.pos], nil
}

func (r *reader) fieldID() (t, nth int, err error) {
	b, err := r.uint8()
	if err != nil {
		return 0, 0, err
	}
	t, nth = int(b>>4), int(b&15)
	if t == 0 {
		if b, err = r.uint8(); err != nil {
			return 0, 0, err
		}
		if t = int(b); t < 16 {
			return 0, 0, Refusal("gFID: uncommon type out of range " + strconv.Itoa(t))
		}
	}
	if nth == 0 {
		if b, err = r.uint8(); err != nil {
			return 0, 0, err
		}
		if nth = int(b); nth < 16 {
			return 0, 0, Refusal("gFID: uncommon name out of range " + strconv.Itoa(nth))
		}
	}
	return t, nth, nil
}

func (r *reader) length() (int, error) {
	b1, err := r.uint8()
	switch {
	case err != nil:
		return 0, err
	case b1 <= 192:
		return int(b1), nil
	case b1 == 255:
		return 0, errLength
	}
	b2, err := r.uint8()
	if err != nil {
		return 0, err
	}
	if b1 <= 240 {
		return 193 + int(b1-193)<<8 + int(b2), nil
	}
	b3, err := r.uint8()
	if err != nil {
		return 0, err
	}
	return 12481 + int(b1-241)<<16 + int(b2)<<8 + int(b3), nil
}

func (r *reader) variable(short error) ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	return r.take(n, short)
}

// readObject reads fields until the bytes end or an end-of-object marker was read (ended says which), in the order
// they stand in. Like rippled it takes fields in any order, and checks last that none stands there twice.
func (r *reader) readObject(depth int) (fields []value, ended bool, err error) {
	base := len(r.stack)
	sorted := true
	var last uint32
	for r.pos < len(r.b) {
		t, nth, err := r.fieldID()
		if err != nil {
			return nil, false, err
		}
		if nth == 1 {
			if t == int(TypeObject) {
				ended = true
				break
			}
			if t == int(TypeArray) {
				return nil, false, errArrayEnd
			}
		}
		f := FieldByCode(Type(t), nth)
		if f == nil {
			return nil, false, errUnknownField
		}
		if depth+1 > maxDepth {
			return nil, false, errNestedValue
		}
		v := value{field: f}
		if err := r.readValue(&v, depth+1); err != nil {
			return nil, false, err
		}
		sorted = sorted && f.code > last
		last = f.code
		// More fields than there are: some stand there twice. They are read, for whatever error comes first, but not kept.
		if len(r.stack)-base <= len(allFields) {
			r.stack = append(r.stack, v)
			r.used = max(r.used, len(r.stack))
		}
	}
	fields = slices.Clone(r.stack[base:])
	r.stack = r.stack[:base]
	if !sorted && hasDuplicate(fields) {
		return nil, false, errDuplicate
	}
	return fields, ended, nil
}

func hasDuplicate(fields []value) bool {
	codes := make([]uint32, len(fields))
	for i := range fields {
		codes[i] = fields[i].field.code
	}
	slices.Sort(codes)
	for i := 1; i < len(codes); i++ {
		if codes[i] == codes[i-1] {
			return true
		}
	}
	return false
}

func sortFields(fields []value) {
	slices.SortFunc(fields, func(a, b value) int { return int(a.field.code) - int(b.field.code) })
}

// readInner reads an object within an object and applies the template of the field that holds it.
func (r *reader) readInner(f *Field, depth int) (*Object, error) {
	if depth > maxDepth {
		return nil, errNestedObject
	}
	fields, _, err := r.readObject(depth)
	if err != nil {
		return nil, err
	}
	if t, ok := innerFormats[f]; ok {
		if err := applyTemplate(t, nil, fields); err != nil {
			return nil, err
		}
	}
	sortFields(fields)
	return &Object{fields: fields}, nil
}

func (r *reader) readValue(v *value, depth int) error {
	var err error
	switch v.field.Type {
	case TypeUInt8:
		var n uint8
		n, err = r.uint8()
		v.num = uint64(n)
	case TypeUInt16:
		if len(r.b)-r.pos < 2 {
			return errGet16
		}
		v.num = uint64(binary.BigEndian.Uint16(r.b[r.pos:]))
		r.pos += 2
	case TypeUInt32:
		if len(r.b)-r.pos < 4 {
			return errGet32
		}
		v.num = uint64(binary.BigEndian.Uint32(r.b[r.pos:]))
		r.pos += 4
	case TypeUInt64:
		v.num, err = r.uint64()
	case TypeHash128:
		v.data, err = r.take(16, errBitString)
	case TypeHash160, TypeCurrency:
		v.data, err = r.take(20, errBitString)
	case TypeHash192:
		v.data, err = r.take(24, errBitString)
	case TypeHash256:
		v.data, err = r.take(32, errBitString)
	case TypeNumber:
		v.data, err = r.readNumber()
	case TypeInt32:
		v.data, err = r.take(4, errGetInt32)
	case TypeAmount:
		err = r.readAmount(v)
	case TypeBlob:
		v.data, err = r.variable(errGetRaw)
	case TypeAccountID:
		if v.data, err = r.variable(errGetRaw); err == nil && len(v.data) != 0 && len(v.data) != 20 {
			err = errAccountSize
		}
	case TypeVector256:
		if v.data, err = r.variable(errGetSlice); err == nil && len(v.data)%32 != 0 {
			err = Refusal("Bad serialization for STVector256: " + strconv.Itoa(len(v.data)))
		}
	case TypePathSet:
		err = r.readPathSet(v)
	case TypeIssue:
		start := r.pos
		err = r.skipIssue()
		v.data = r.b[start:r.pos:r.pos]
	case TypeXChainBridge:
		start := r.pos
		err = r.skipBridge()
		v.data = r.b[start:r.pos:r.pos]
	case TypeObject:
		var o *Object
		if o, err = r.readInner(v.field, depth); err == nil {
			v.list = []Element{{Field: v.field, Object: o}}
		}
	case TypeArray:
		v.list, err = r.readArray(depth)
	default:
		err = errUnknownType
	}
	return err
}

func (r *reader) readNumber() ([]byte, error) {
	switch left := len(r.b) - r.pos; {
	case left < 8:
		return nil, errGetInt64
	case left < numberSize:
		return nil, errGetInt32
	}
	return r.take(numberSize, errGetInt64)
}

func (r *reader) readArray(depth int) ([]Element, error) {
	var list []Element
	for r.pos < len(r.b) {
		t, nth, err := r.fieldID()
		if err != nil {
			return nil, err
		}
		if nth == 1 && t == int(TypeArray) {
			break
		}
		if nth == 1 && t == int(TypeObject) {
			return nil, errObjectEnd
		}
		f := FieldByCode(Type(t), nth)
		if f == nil {
			return nil, errUnknownField
		}
		if f.Type != TypeObject {
			return nil, errNonObject
		}
		o, err := r.readInner(f, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, Element{Field: f, Object: o})
	}
	return list, nil
}

// ErrEmptyPath is a path set with nothing between two marks. It can be written, but not read.
const ErrEmptyPath Refusal = "empty path"

// What a path element holds, and the marks between and after paths (STPathSet.h).
const (
	PathAccount  = 0x01
	PathCurrency = 0x10
	PathIssuer   = 0x20
	PathBoundary = 0xFF
	PathEnd      = 0x00
)

// readPathSet keeps the bytes as they stand, unless an element names the zero account: those rippled forgets.
func (r *reader) readPathSet(v *value) error {
	start := r.pos
	plain := true
	for elements := 0; ; {
		kind, err := r.uint8()
		if err != nil {
			return err
		}
		switch {
		case kind == PathEnd || kind == PathBoundary:
			if elements == 0 {
				return ErrEmptyPath
			}
			elements = 0
			if kind == PathBoundary {
				continue
			}
			v.data = r.b[start:r.pos:r.pos]
			if !plain {
				v.data, err = canonicalPaths(v.data)
			}
			return err
		case kind&^(PathAccount|PathCurrency|PathIssuer) != 0:
			return errPathElement
		}
		elements++
		for _, bit := range [...]byte{PathAccount, PathCurrency, PathIssuer} {
			if kind&bit == 0 {
				continue
			}
			part, err := r.take(20, errBitString)
			if err != nil {
				return err
			}
			if bit != PathCurrency && isZero(part) {
				plain = false
			}
		}
	}
}

// canonicalPaths drops zero accounts and issuers from a path set that was read without error. An element with
// nothing left would end the set where it stands, so there is no canonical form of it and it is refused.
func canonicalPaths(b []byte) ([]byte, error) {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		kind := b[i]
		at := len(out)
		out = append(out, kind)
		i++
		if kind == PathEnd || kind == PathBoundary {
			continue
		}
		for _, bit := range [...]byte{PathAccount, PathCurrency, PathIssuer} {
			if kind&bit == 0 {
				continue
			}
			part := b[i : i+20]
			i += 20
			if bit != PathCurrency && isZero(part) {
				out[at] &^= bit
				continue
			}
			out = append(out, part...)
		}
		if out[at] == 0 {
			return nil, errPathElement
		}
	}
	return out, nil
}

func (r *reader) skipIssue() error {
	currency, err := r.take(20, errBitString)
	if err != nil || isZero(currency) {
		return err
	}
	account, err := r.take(20, errBitString)
	if err == nil && isZero(account) {
		err = errIssueMismatch
	}
	return err
}

func (r *reader) skipBridge() error {
	for range 2 {
		door, err := r.variable(errGetRaw)
		if err != nil {
			return err
		}
		if len(door) != 0 && len(door) != 20 {
			return errAccountSize
		}
		if err := r.skipIssue(); err != nil {
			return err
		}
	}
	return nil
}

// ParseObject reads a serialized object: a ledger entry, metadata, a transaction. Fields may stand in any order, and
// objects and arrays at the end may lack their end markers, as rippled takes them; a field that is there twice, an
// unknown one, and an end marker of the outermost object are errors, whose texts are rippled's.
// The object keeps slices of b, which must not change afterwards.
func ParseObject(b []byte) (*Object, error) {
	if len(b) > MaxObjectSize {
		return nil, errTooLarge
	}
	r := newReader(b)
	fields, ended, err := r.readObject(0)
	r.free()
	if err != nil {
		return nil, err
	}
	if ended {
		return nil, errObjectTerminator
	}
	sortFields(fields)
	return &Object{fields: fields}, nil
}
