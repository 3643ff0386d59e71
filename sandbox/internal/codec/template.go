package codec

import "strconv"

// Presence says whether a template's field must be there.
type Presence uint8

// How a template's field may appear (SOEStyle).
const (
	Required  Presence = iota // must be there
	Optional                  // may be there, with any value
	Defaulted                 // may be there, but not with its default value
)

// TemplateField is one field that a kind of object may carry.
type TemplateField struct {
	Field    *Field
	Presence Presence
}

func required(f *Field) TemplateField  { return TemplateField{Field: f, Presence: Required} }
func optional(f *Field) TemplateField  { return TemplateField{Field: f, Presence: Optional} }
func defaulted(f *Field) TemplateField { return TemplateField{Field: f, Presence: Defaulted} }

// format is a type's name and template: its own fields first, then those all of its kind share. The order decides
// which of several faults is told.
type format struct {
	name   string
	unique []TemplateField
}

func txFormat(name string, unique ...TemplateField) *format {
	return &format{name: name, unique: unique}
}
func entryFormat(name string, unique ...TemplateField) *format {
	return &format{name: name, unique: unique}
}

// applyTemplate checks fields, in the order they were sent, against a template given in two halves, as
// STObject::applyTemplate does and with its texts.
func applyTemplate(unique, common []TemplateField, fields []value) error {
	matched := 0
	for _, half := range [...][]TemplateField{unique, common} {
	next:
		for i := range half {
			t := &half[i]
			for j := range fields {
				if fields[j].field != t.Field {
					continue
				}
				if t.Presence == Defaulted && fields[j].isDefault() {
					return refuseField(t.Field, "may not be explicitly set to default.")
				}
				matched++
				continue next
			}
			if t.Presence == Required {
				return refuseField(t.Field, "is required but missing.")
			}
		}
	}
	if matched == len(fields) {
		return nil
	}
	for i := range fields {
		if f := fields[i].field; !inTemplate(unique, f) && !inTemplate(common, f) {
			return refuseField(f, "found in disallowed location.")
		}
	}
	return nil
}

// CheckInner checks an object against what objects in that field may carry; the error's text is rippled's. Those of most fields
// may carry anything.
func (o *Object) CheckInner(f *Field) error {
	if t, ok := innerFormats[f]; ok {
		return applyTemplate(t, nil, o.fields)
	}
	return nil
}

// HasTemplate says whether objects in the field have a template.
func (f *Field) HasTemplate() bool {
	_, ok := innerFormats[f]
	return ok && f != nil
}

func refuseField(f *Field, what string) Refusal {
	return Refusal("Field '" + f.Name + "' " + what)
}

func inTemplate(t []TemplateField, f *Field) bool {
	for i := range t {
		if t[i].Field == f {
			return true
		}
	}
	return false
}

// isDefault says whether the value is what an absent field reads as.
func (v *value) isDefault() bool {
	switch v.field.Type {
	case TypeAmount:
		return len(v.data) == 0 && xrpDrops(v.num) == 0
	case TypeUInt8, TypeUInt16, TypeUInt32, TypeUInt64:
		return v.num == 0
	case TypeBlob, TypeAccountID, TypeVector256, TypePathSet:
		return len(v.data) == 0
	case TypeObject:
		return len(v.list) == 0 || v.list[0].Object.Len() == 0
	case TypeArray:
		return len(v.list) == 0
	default:
		return isZero(v.data)
	}
}

// TxType is the number of a transaction type.
type TxType uint16

// String is the type's name, or its number when there is no such type.
func (t TxType) String() string {
	if f := txFormats[t]; f != nil {
		return f.name
	}
	return strconv.Itoa(int(t))
}

// TxTypeByName finds a transaction type by its name in JSON.
func TxTypeByName(name string) (TxType, bool) {
	t, ok := txTypesByName[name]
	return t, ok
}

var txTypesByName = func() map[string]TxType {
	m := make(map[string]TxType, len(txFormats))
	for t, f := range txFormats {
		m[f.name] = t
	}
	return m
}()

// Template lists what transactions of the type may carry, the fields common to all last; nil for an unknown type.
func (t TxType) Template() []TemplateField { return txFormats[t].template(txCommon) }

// LedgerEntryType is the number of a kind of ledger entry.
type LedgerEntryType uint16

// String is the type's name, or its number when there is no such type.
func (t LedgerEntryType) String() string {
	if f := entryFormats[t]; f != nil {
		return f.name
	}
	return strconv.Itoa(int(t))
}

// LedgerEntryTypeByName finds a ledger entry type by its name in JSON.
func LedgerEntryTypeByName(name string) (LedgerEntryType, bool) {
	t, ok := entryTypesByName[name]
	return t, ok
}

var entryTypesByName = func() map[string]LedgerEntryType {
	m := make(map[string]LedgerEntryType, len(entryFormats))
	for t, f := range entryFormats {
		m[f.name] = t
	}
	return m
}()

// Template lists what entries of the type may carry, the fields common to all last; nil for an unknown type.
func (t LedgerEntryType) Template() []TemplateField { return entryFormats[t].template(entryCommon) }

// Allows says whether entries of the type may carry the field.
func (t LedgerEntryType) Allows(f *Field) bool {
	format := entryFormats[t]
	return format != nil && (inTemplate(format.unique, f) || inTemplate(entryCommon, f))
}

func (f *format) template(common []TemplateField) []TemplateField {
	if f == nil {
		return nil
	}
	return append(append(make([]TemplateField, 0, len(f.unique)+len(common)), f.unique...), common...)
}
