package rjson

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// Raw is a text that is JSON already; [Append] writes it as it stands.
type Raw []byte

// Obj is an object that is being built.
type Obj = map[string]any

// Append writes a value after dst, members in the order of their names, as rippled writes them, without spaces. It takes *Value,
// [Raw], maps and slices of any, strings, booleans and numbers; anything else is a mistake of the caller and panics.
func Append(dst []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return AppendString(dst, x)
	case bool:
		return strconv.AppendBool(dst, x)
	case int:
		return strconv.AppendInt(dst, int64(x), 10)
	case int32:
		return strconv.AppendInt(dst, int64(x), 10)
	case int64:
		return strconv.AppendInt(dst, x, 10)
	case uint:
		return strconv.AppendUint(dst, uint64(x), 10)
	case uint8:
		return strconv.AppendUint(dst, uint64(x), 10)
	case uint16:
		return strconv.AppendUint(dst, uint64(x), 10)
	case uint32:
		return strconv.AppendUint(dst, uint64(x), 10)
	case uint64:
		return strconv.AppendUint(dst, x, 10)
	case float64:
		return appendFloat(dst, x)
	case Obj:
		return appendObj(dst, x)
	case []any:
		return appendList(dst, x, Append)
	case []Obj:
		return appendList(dst, x, appendObj)
	case []string:
		return appendList(dst, x, AppendString)
	case Raw:
		return append(dst, x...)
	case *Value:
		return x.append(dst)
	}
	panic(fmt.Sprintf("rjson: no JSON for a %T", v))
}

// appendList writes an array of whatever one writes.
func appendList[E any](dst []byte, list []E, one func([]byte, E) []byte) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, e)
	}
	return append(dst, ']')
}

var keyPool = sync.Pool{New: func() any { s := make([]string, 0, 32); return &s }}

func appendObj(dst []byte, o Obj) []byte {
	kp := keyPool.Get().(*[]string)
	keys := (*kp)[:0]
	for k := range o {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, k)
		dst = append(dst, ':')
		dst = Append(dst, o[k])
	}
	if cap(keys) <= 256 {
		clear(keys)
		*kp = keys[:0]
		keyPool.Put(kp)
	}
	return append(dst, '}')
}

func (v *Value) append(dst []byte) []byte {
	switch v.Kind() {
	case Null:
		return append(dst, "null"...)
	case Int, UInt:
		return strconv.AppendInt(dst, v.num, 10)
	case Real:
		return appendFloat(dst, v.real())
	case String:
		return AppendString(dst, v.str)
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case Array:
		dst = append(dst, '[')
		for i, e := range v.elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.append(dst)
		}
		return append(dst, ']')
	}
	sorted := slices.Clone(v.members())
	slices.SortFunc(sorted, func(a, b member) int {
		switch {
		case a.name < b.name:
			return -1
		case a.name > b.name:
			return 1
		}
		return 0
	})
	dst = append(dst, '{')
	for i, m := range sorted {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, m.name)
		dst = append(dst, ':')
		dst = m.value.append(dst)
	}
	return append(dst, '}')
}

// appendFloat writes a number as printf's "%.16g" does.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 16, 64)
}

const hexDigits = "0123456789abcdef"

// AppendString writes a string in quotes. Bytes that are not UTF-8 become U+FFFD: a WebSocket text message must be UTF-8.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
