package sandbox

import (
	"maps"
	"slices"
	"sync"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// definitions is what a client must know to read and write what is signed and stored here, and hash is its hash.
type definitions struct {
	all  obj
	hash codec.Hash256
}

// definitionsOf are a release's. They are the tables that the codec itself works with, so what they tell of is what this server
// reads.
var definitionsOf = func() (of [codec.Latest + 1]func() definitions) {
	for known := range of {
		of[known] = sync.OnceValue(func() definitions { return define(codec.Release(known)) })
	}
	return of
}()

func define(known codec.Release) definitions {
	d := obj{
		"TYPES":               numbered(known.SerializedTypes()),
		"LEDGER_ENTRY_TYPES":  numbered(known.LedgerEntryTypes()),
		"TRANSACTION_TYPES":   numbered(known.TxTypes()),
		"TRANSACTION_RESULTS": numbered(known.ResultCodes()),
		"FIELDS":              definedFields(known),
	}
	for _, kinds := range []string{"LEDGER_ENTRY_TYPES", "TRANSACTION_TYPES"} {
		d[kinds].(obj)["Invalid"] = -1
	}
	h := codec.Sha512Half(rjson.Append(nil, d))
	d["hash"] = h.String()
	return definitions{d, h}
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

// definedFields lists the fields as rippled does: first those that are none, then all by type and number, among them those that
// show in JSON alone.
func definedFields(known codec.Release) []any {
	list := []any{
		definedField("Generic", "Unknown", 0, false, false, false),
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
	var lines []line
	for _, f := range codec.AllFields() {
		if !known.Knows(f) {
			continue
		}
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
		code := uint32(known.SerializedTypes()[f.kind])<<16 | uint32(f.nth)
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
	d := definitionsOf[c.node.Release()]()
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
