package codec

import "strconv"

// Type is the id of a serialized type, the high half of a field's code.
type Type uint16

// The serialized types that fields have.
const (
	TypeUInt16       Type = 1
	TypeUInt32       Type = 2
	TypeUInt64       Type = 3
	TypeHash128      Type = 4
	TypeHash256      Type = 5
	TypeAmount       Type = 6
	TypeBlob         Type = 7
	TypeAccountID    Type = 8
	TypeNumber       Type = 9
	TypeInt32        Type = 10
	TypeInt64        Type = 11
	TypeObject       Type = 14
	TypeArray        Type = 15
	TypeUInt8        Type = 16
	TypeHash160      Type = 17
	TypePathSet      Type = 18
	TypeVector256    Type = 19
	TypeUInt96       Type = 20
	TypeHash192      Type = 21
	TypeHash384      Type = 22
	TypeHash512      Type = 23
	TypeIssue        Type = 24
	TypeXChainBridge Type = 25
	TypeCurrency     Type = 26
)

var typeNames = [...]string{
	TypeUInt16: "UInt16", TypeUInt32: "UInt32", TypeUInt64: "UInt64", TypeHash128: "Hash128", TypeHash256: "Hash256",
	TypeAmount: "Amount", TypeBlob: "Blob", TypeAccountID: "AccountID", TypeObject: "STObject", TypeArray: "STArray",
	TypeUInt8: "UInt8", TypeHash160: "Hash160", TypePathSet: "PathSet", TypeVector256: "Vector256", TypeUInt96: "UInt96",
	TypeHash192: "Hash192", TypeHash384: "Hash384", TypeHash512: "Hash512",
	TypeNumber: "Number", TypeInt32: "Int32", TypeInt64: "Int64", TypeIssue: "Issue", TypeXChainBridge: "XChainBridge", TypeCurrency: "Currency",
}

// String is the type's name as in server_definitions.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// What metadata does with a field (SField's sMD_ bits).
const (
	MetaChangeOrig  uint8 = 1  // the old value is shown when it changes
	MetaChangeNew   uint8 = 2  // the new value is shown when it changes
	MetaDeleteFinal uint8 = 4  // the final value is shown when the entry is deleted
	MetaCreate      uint8 = 8  // the value is shown when the entry is created
	MetaAlways      uint8 = 16 // the value is shown whenever the entry is touched
	MetaBaseTen     uint8 = 32 // not of metadata: a UInt64 that JSON shows in decimal
	MetaDefault     uint8 = MetaChangeOrig | MetaChangeNew | MetaDeleteFinal | MetaCreate
)

// Field names one kind of value. There is one *Field for each, so fields compare by address.
type Field struct {
	Name    string
	Type    Type
	Nth     int   // number within the type
	Signing bool  // part of what is signed
	Meta    uint8 // Meta bits

	code   uint32 // type and number: the canonical order
	header [3]byte
	hlen   uint8
}

// String is the field's name.
func (f *Field) String() string { return f.Name }

// Code is the type in the high 16 bits and the number in the low ones. Fields are serialized in its order.
func (f *Field) Code() uint32 { return f.code }

// Should says whether metadata treats the field in any of these ways.
func (f *Field) Should(meta uint8) bool { return f.Meta&meta != 0 }

const (
	maxType = 32
	maxNth  = 128
)

var (
	fieldsByCode [maxType][maxNth]*Field
	fieldsByName = map[string]*Field{}
	allFields    []*Field
)

type fieldOption func(*Field)

func never(f *Field)       { f.Meta = 0 }
func deleteFinal(f *Field) { f.Meta = MetaDeleteFinal }
func always(f *Field)      { f.Meta = MetaAlways }
func baseTen(f *Field)     { f.Meta = MetaDefault | MetaBaseTen }
func unsigned(f *Field)    { f.Signing = false }

func newField(name string, t Type, nth int, opts ...fieldOption) *Field {
	f := &Field{Name: name, Type: t, Nth: nth, Signing: true, Meta: MetaDefault, code: uint32(t)<<16 | uint32(nth)}
	for _, o := range opts {
		o(f)
	}
	h := appendFieldID(nil, int(t), nth)
	f.hlen = uint8(copy(f.header[:], h))
	fieldsByCode[t][nth] = f
	fieldsByName[name] = f
	allFields = append(allFields, f)
	return f
}

func appendFieldID(dst []byte, t, nth int) []byte {
	switch {
	case t < 16 && nth < 16:
		return append(dst, byte(t<<4|nth))
	case t < 16:
		return append(dst, byte(t<<4), byte(nth))
	case nth < 16:
		return append(dst, byte(nth), byte(t))
	default:
		return append(dst, 0, byte(t), byte(nth))
	}
}

// FieldByName finds a field by its name in JSON; nil when there is none.
func FieldByName(name string) *Field { return fieldsByName[name] }

// FieldByCode finds a field by type and number; nil when there is none.
func FieldByCode(t Type, nth int) *Field {
	if int(t) >= maxType || nth < 0 || nth >= maxNth {
		return nil
	}
	return fieldsByCode[t][nth]
}

// AllFields lists every known field, by type and then by number within a type as the table has them.
// The slice is shared: it is not to be changed.
func AllFields() []*Field { return allFields }
