package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/xrplissuer/credential-issuer/model"
)

// What nodes send most, the messages of a stream and the answers to what is asked for each transaction, is read here in one
// pass, without copying what is only passed on. Package encoding/json goes over each piece twice, and again for each piece in
// a piece.

// maxDepth is how deep JSON may be nested; the same as in encoding/json.
const maxDepth = 10_000

var (
	errJSON      = errors.New("it is no JSON")
	errNoObject  = errors.New("it is no JSON object")
	errNoArray   = errors.New("it is no JSON array")
	errJSONDepth = errors.New("its JSON is nested too deep")
)

// member is a member of a JSON object that is looked for, and where its value goes: a *string, *model.Address, *bool, **bool,
// *json.RawMessage (a part of the JSON itself), or a func(json.RawMessage) error. As in encoding/json, null leaves what is
// there, and the last one of two counts.
type member struct {
	name string
	into any
}

// scanObject reads a JSON object, and takes the members that are looked for. All of it must be JSON; members of other names
// may be anything.
func scanObject(data []byte, members ...member) error {
	return eachMember(data, func(name []byte, value json.RawMessage) error {
		for i := range members {
			if m := &members[i]; m.name == string(name) {
				return m.take(value)
			}
		}
		return nil
	})
}

func (m *member) take(value json.RawMessage) error {
	switch into := m.into.(type) {
	case *json.RawMessage:
		*into = value
		return nil
	case func(json.RawMessage) error:
		return into(value)
	}
	if value[0] == 'n' { // null: nothing else begins so
		return nil
	}
	switch into := m.into.(type) {
	case *string:
		return m.text(value, into)
	case *model.Address:
		return m.text(value, (*string)(into))
	case *bool:
		*into = value[0] == 't'
		return m.truth(value)
	case **bool:
		is := value[0] == 't'
		*into = &is
		return m.truth(value)
	}
	return fmt.Errorf("%s cannot be read into %T", m.name, m.into) // a fault of ours, that no answer can cause
}

func (m *member) truth(value json.RawMessage) error {
	if value[0] != 't' && value[0] != 'f' {
		return fmt.Errorf("%s is neither true nor false", m.name)
	}
	return nil
}

func (m *member) text(value json.RawMessage, into *string) error {
	if value[0] != '"' {
		return fmt.Errorf("%s is no text", m.name)
	}
	*into = unquote(value)
	return nil
}

// unquote returns what a JSON string stands for.
func unquote(value []byte) string { return string(plain(value)) }

// plain is a JSON string without its quotes and escapes; a part of it where it has none.
func plain(value []byte) []byte {
	for _, c := range value {
		if c == '\\' || c >= utf8.RuneSelf {
			var s string
			_ = json.Unmarshal(value, &s) // it has been looked through
			return []byte(s)
		}
	}
	return value[1 : len(value)-1]
}

// eachMember calls f with each member of a JSON object, in order. Names are as they are written but for escapes, and values
// parts of data.
func eachMember(data []byte, f func(name []byte, value json.RawMessage) error) error {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return errNoObject
	}
	end, err := walkObject(data, i, 1, f)
	return atEnd(data, end, err)
}

// eachElement calls f with each element of a JSON array.
func eachElement(data []byte, f func(value json.RawMessage) error) error {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '[' {
		return errNoArray
	}
	end, err := walkArray(data, i, 1, f)
	return atEnd(data, end, err)
}

func atEnd(data []byte, end int, err error) error {
	if err == nil && skipSpace(data, end) != len(data) {
		return errJSON
	}
	return err
}

// walkObject goes through the object that begins at i, and returns where it ends.
func walkObject(data []byte, i, depth int, f func(name []byte, value json.RawMessage) error) (int, error) {
	if depth > maxDepth {
		return i, errJSONDepth
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == '}' {
		return i + 1, nil
	}
	for {
		if i == len(data) || data[i] != '"' {
			return i, errJSON
		}
		end, err := skipString(data, i)
		if err != nil {
			return end, err
		}
		name := data[i:end]
		if i = skipSpace(data, end); i == len(data) || data[i] != ':' {
			return i, errJSON
		}
		i = skipSpace(data, i+1)
		if end, err = skipValue(data, i, depth); err != nil {
			return end, err
		}
		if f != nil {
			if err := f(plain(name), data[i:end:end]); err != nil {
				return i, err
			}
		}
		more := false
		if i, more, err = skipComma(data, end, '}'); !more {
			return i, err
		}
	}
}

// walkArray goes through the array that begins at i, and returns where it ends.
func walkArray(data []byte, i, depth int, f func(value json.RawMessage) error) (int, error) {
	if depth > maxDepth {
		return i, errJSONDepth
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := skipValue(data, i, depth)
		if err != nil {
			return end, err
		}
		if f != nil {
			if err := f(data[i:end:end]); err != nil {
				return i, err
			}
		}
		more := false
		if i, more, err = skipComma(data, end, ']'); !more {
			return i, err
		}
	}
}

// skipComma goes on behind a member or an element that ends at i: to the next one, or where there is no more behind the bracket
// that closes them.
func skipComma(data []byte, i int, closing byte) (next int, more bool, err error) {
	i = skipSpace(data, i)
	switch {
	case i < len(data) && data[i] == ',':
		return skipSpace(data, i+1), true, nil
	case i < len(data) && data[i] == closing:
		return i + 1, false, nil
	}
	return i, false, errJSON
}

// skipValue returns where the value ends that begins at i.
func skipValue(data []byte, i, depth int) (int, error) {
	if i == len(data) {
		return i, errJSON
	}
	switch c := data[i]; {
	case c == '"':
		return skipString(data, i)
	case c == '{':
		return walkObject(data, i, depth+1, nil)
	case c == '[':
		return walkArray(data, i, depth+1, nil)
	case c == '-' || '0' <= c && c <= '9':
		return skipNumber(data, i)
	case c == 't':
		return skipWord(data, i, "true")
	case c == 'f':
		return skipWord(data, i, "false")
	case c == 'n':
		return skipWord(data, i, "null")
	}
	return i, errJSON
}

func skipWord(data []byte, i int, word string) (int, error) {
	if len(data)-i < len(word) || string(data[i:i+len(word)]) != word {
		return i, errJSON
	}
	return i + len(word), nil
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n') {
		i++
	}
	return i
}

// special are the bytes that do not stand for themselves in a string: what ends it, escapes, and control characters.
var special = func() (table [256]bool) {
	for c := range 0x20 {
		table[c] = true
	}
	table['"'], table['\\'] = true, true
	return table
}()

func skipString(data []byte, i int) (int, error) {
	for i++; i < len(data); i++ {
		if !special[data[i]] {
			continue
		}
		switch data[i] {
		case '"':
			return i + 1, nil
		case '\\':
			if i++; i == len(data) {
				return i, errJSON
			}
			switch data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i == len(data) || !isHexDigit(data[i]) {
						return i, errJSON
					}
				}
			default:
				return i, errJSON
			}
		default:
			return i, errJSON
		}
	}
	return i, errJSON
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func skipNumber(data []byte, i int) (int, error) {
	if data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++
	} else if digits := skipDigits(data, i); digits > i {
		i = digits
	} else {
		return i, errJSON
	}
	if i < len(data) && data[i] == '.' {
		digits := skipDigits(data, i+1)
		if digits == i+1 {
			return i, errJSON
		}
		i = digits
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		digits := skipDigits(data, i)
		if digits == i {
			return i, errJSON
		}
		i = digits
	}
	return i, nil
}

func skipDigits(data []byte, i int) int {
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i
}
