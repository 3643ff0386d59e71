package sandbox

import (
	"maps"
	"slices"
	"sync"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// definitions are what clients need to read and write serialized objects, and their hash.
type definitions struct {
	all  obj
	hash codec.Hash256
}

// definitionsOnce makes the definitions from the tables that the codec itself uses.
var definitionsOnce = sync.OnceValue(func() definitions {
	d := obj{
		"TYPES":                numbered(codec.SerializedTypes()),
		"LEDGER_ENTRY_TYPES":   withInvalid(numbered(codec.LedgerEntryTypes())),
		"TRANSACTION_TYPES":    withInvalid(numbered(codec.TxTypes())),
		"TRANSACTION_RESULTS":  numbered(codec.ResultCodes()),
		"FIELDS":               definedFields(),
		"TRANSACTION_FORMATS":  formats(codec.CommonTxFields(), codec.TxTypes()),
		"LEDGER_ENTRY_FORMATS": formats(codec.CommonEntryFields(), codec.LedgerEntryTypes()),
		"TRANSACTION_FLAGS":    flagTables(codec.TxFlags),
		"LEDGER_ENTRY_FLAGS":   flagTables(codec.LedgerEntryFlags),
		"ACCOUNT_SET_FLAGS":    flagTable(codec.AccountSetFlags),
	}
	h := codec.Sha512Half(rjson.Append(nil, d))
	d["hash"] = h.String()
	return definitions{d, h}
})

func withInvalid(o obj) obj {
	o["Invalid"] = -1
	return o
}

// formats lists the fields of each type, and those of all types as "common".
func formats[T interface{ OwnFields() []codec.TemplateField }](common []codec.TemplateField, byName map[string]T) obj {
	list := func(fields []codec.TemplateField) []any {
		l := make([]any, len(fields))
		for i, f := range fields {
			l[i] = obj{"name": f.Field.Name, "optionality": int(f.Presence)}
		}
		return l
	}
	o := obj{"common": list(common)}
	for name, t := range byName {
		o[name] = list(t.OwnFields())
	}
	return o
}

func flagTables(tables map[string]map[string]uint32) obj {
	o := make(obj, len(tables))
	for name, t := range tables {
		o[name] = flagTable(t)
	}
	return o
}

func flagTable(t map[string]uint32) obj {
	o := make(obj, len(t))
	for name, bits := range t {
		o[name] = bits
	}
	return o
}

func numbered[N ~int | ~uint16](byName map[string]N) obj {
	o := make(obj, len(byName))
	for name, n := range byName {
		o[name] = int(n)
	}
	return o
}

// definedField is one line of the list of fields.
func definedField(name, kind string, nth int, variable, serialized, signed bool) []any {
	return []any{name, obj{"nth": nth, "isVLEncoded": variable, "isSerialized": serialized, "isSigningField": signed, "type": kind}}
}

// definedFields lists the fields as rippled does: first the special ones, then all by type and number, among them those that
// show in JSON alone.
func definedFields() []any {
	list := []any{
		definedField("Invalid", "Unknown", -1, false, false, false),
		definedField("ObjectEndMarker", "STObject", 1, false, true, true),
		definedField("ArrayEndMarker", "STArray", 1, false, true, true),
		definedField("taker_gets_funded", "Amount", 258, false, false, false),
		definedField("taker_pays_funded", "Amount", 259, false, false, false),
	}
	type line struct {
		code uint32
		line []any
	}
	lines := []line{{0, definedField("Generic", "Unknown", 0, false, true, true)}}
	for _, f := range codec.AllFields() {
		variable := f.Type == codec.TypeBlob || f.Type == codec.TypeAccountID || f.Type == codec.TypeVector256
		lines = append(lines, line{f.Code(), definedField(f.Name, f.Type.String(), f.Nth, variable, true, f.Signing)})
	}
	for _, f := range []struct {
		name, kind string
		nth        int
	}{
		{"hash", "Hash256", 257}, {"index", "Hash256", 258}, {"Transaction", "Transaction", 257}, {"LedgerEntry", "LedgerEntry", 257},
		{"Validation", "Validation", 257}, {"Metadata", "Metadata", 257},
	} {
		code := uint32(codec.SerializedTypes()[f.kind])<<16 | uint32(f.nth)
		lines = append(lines, line{code, definedField(f.name, f.kind, f.nth, false, false, false)})
	}
	slices.SortFunc(lines, func(a, b line) int { return int(a.code) - int(b.code) })
	for _, l := range lines {
		list = append(list, l.line)
	}
	return list
}

// serverDefinitions is `server_definitions` (ServerDefinitions.cpp). Who names the hash of what it has is told only that nothing
// changed.
func serverDefinitions(c *call) obj {
	d := definitionsOnce()
	if c.params.Has("hash") {
		v := c.params.Get("hash")
		if !v.IsString() {
			return invalidField("hash")
		}
		h, ok := codec.ParseHash256(v.AsString())
		if !ok {
			return invalidField("hash")
		}
		if h == d.hash {
			return obj{"hash": h.String()}
		}
	}
	return maps.Clone(d.all)
}
