package rjson

//lint:file-ignore ST1005 the errors are held to rippled's, letter by letter: callers compare them

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// NestLimit is how deep values may be nested (json_reader.h).
const NestLimit = 25

// maxErrors bounds how many mistakes of one text are told; rippled's reader recovers from at most a few.
const maxErrors = 8

// Parse reads the first value of a text. What follows it is not looked at but for one token, as in rippled's reader. The error
// is a [*SyntaxError] whose text is the reader's own: one paragraph a mistake, with line and column.
func Parse(text []byte) (*Value, error) {
	r := reader{text: text}
	v, ok := r.value(0)
	r.skipComments()
	if v == nil {
		v = &Value{}
	}
	if !v.IsNull() && !v.IsArray() && !v.IsObject() {
		r.fail("A valid JSON document must be either an array or an object value.", 0)
		ok = false
	}
	if !ok {
		return v, &SyntaxError{r.messages()}
	}
	return v, nil
}

// SyntaxError tells where a text is not JSON.
type SyntaxError struct{ Messages string }

func (e *SyntaxError) Error() string { return e.Messages }

type token uint8

const (
	tokEnd token = iota
	tokObjectBegin
	tokObjectEnd
	tokArrayBegin
	tokArrayEnd
	tokString
	tokInteger
	tokDouble
	tokTrue
	tokFalse
	tokNull
	tokComma
	tokColon
	tokComment
	tokError
)

type tok struct {
	kind       token
	start, end int
}

type mistake struct {
	message      string
	start, extra int // extra < 0: none
}

type reader struct {
	text     []byte
	pos      int
	mistakes []mistake
}

func (r *reader) fail(message string, start int) bool { return r.failAt(message, start, -1) }

func (r *reader) failAt(message string, start, extra int) bool {
	if len(r.mistakes) < maxErrors {
		r.mistakes = append(r.mistakes, mistake{message, start, extra})
	}
	return false
}

func (r *reader) failAndRecover(message string, start int, until token) bool {
	r.fail(message, start)
	return r.recover(until)
}

// recover skips to a token, so that the mistakes of what is around it can be told too.
func (r *reader) recover(until token) bool {
	for {
		t := r.token()
		if t.kind == until || t.kind == tokEnd {
			return false
		}
	}
}

func (r *reader) messages() string {
	var b strings.Builder
	for _, m := range r.mistakes {
		fmt.Fprintf(&b, "* %s\n  %s\n", r.location(m.start), m.message)
		if m.extra >= 0 {
			fmt.Fprintf(&b, "See %s for detail.\n", r.location(m.extra))
		}
	}
	return b.String()
}

func (r *reader) location(at int) string {
	line, lineStart := 1, 0
	for i := 0; i < at && i < len(r.text); {
		c := r.text[i]
		i++
		if c == '\r' && i < len(r.text) && r.text[i] == '\n' {
			i++
		}
		if c == '\r' || c == '\n' {
			line++
			lineStart = i
		}
	}
	return "Line " + strconv.Itoa(line) + ", Column " + strconv.Itoa(at-lineStart+1)
}

// next returns the next byte, 0 at the end: a zero byte within the text ends it too, as for rippled.
func (r *reader) next() byte {
	if r.pos == len(r.text) {
		return 0
	}
	c := r.text[r.pos]
	r.pos++
	return c
}

func (r *reader) skipSpaces() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return
		}
	}
}

func (r *reader) match(rest string) bool {
	if len(r.text)-r.pos < len(rest) || string(r.text[r.pos:r.pos+len(rest)]) != rest {
		return false
	}
	r.pos += len(rest)
	return true
}

func (r *reader) token() tok {
	r.skipSpaces()
	t := tok{start: r.pos}
	ok := true
	switch c := r.next(); c {
	case '{':
		t.kind = tokObjectBegin
	case '}':
		t.kind = tokObjectEnd
	case '[':
		t.kind = tokArrayBegin
	case ']':
		t.kind = tokArrayEnd
	case '"':
		t.kind, ok = tokString, r.scanString()
	case '/':
		t.kind, ok = tokComment, r.scanComment()
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-':
		t.kind = r.scanNumber()
	case 't':
		t.kind, ok = tokTrue, r.match("rue")
	case 'f':
		t.kind, ok = tokFalse, r.match("alse")
	case 'n':
		t.kind, ok = tokNull, r.match("ull")
	case ',':
		t.kind = tokComma
	case ':':
		t.kind = tokColon
	case 0:
		t.kind = tokEnd
	default:
		ok = false
	}
	if !ok {
		t.kind = tokError
	}
	t.end = r.pos
	return t
}

func (r *reader) skipComments() tok {
	for {
		if t := r.token(); t.kind != tokComment {
			return t
		}
	}
}

func (r *reader) scanComment() bool {
	switch r.next() {
	case '*':
		for r.pos < len(r.text) {
			if r.next() == '*' && r.pos < len(r.text) && r.text[r.pos] == '/' {
				break
			}
		}
		return r.next() == '/'
	case '/':
		for r.pos < len(r.text) {
			if c := r.next(); c == '\r' || c == '\n' {
				break
			}
		}
		return true
	}
	return false
}

func (r *reader) scanNumber() token {
	kind := tokInteger
	if r.pos < len(r.text) && r.text[r.pos] == '-' {
		r.pos++
	}
	for ; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; {
		case c >= '0' && c <= '9':
		case c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-':
			kind = tokDouble
		default:
			return kind
		}
	}
	return kind
}

func (r *reader) scanString() bool {
	c := byte(0)
	for r.pos < len(r.text) {
		c = r.next()
		if c == '\\' {
			r.next()
		} else if c == '"' {
			break
		}
	}
	return c == '"'
}

func (r *reader) value(depth int) (*Value, bool) {
	t := r.skipComments()
	if depth > NestLimit {
		return nil, r.fail("Syntax error: maximum nesting depth exceeded", t.start)
	}
	switch t.kind {
	case tokObjectBegin:
		return r.object(depth)
	case tokArrayBegin:
		return r.array(depth)
	case tokInteger:
		return r.integer(t)
	case tokDouble:
		return r.double(t)
	case tokString:
		s, ok := r.str(t)
		if !ok {
			return nil, false
		}
		return NewString(s), true
	case tokTrue:
		return valTrue, true
	case tokFalse:
		return valFalse, true
	case tokNull:
		return valNull, true
	}
	return nil, r.fail("Syntax error: value, object or array expected.", t.start)
}

func (r *reader) object(depth int) (*Value, bool) {
	v := NewObject()
	name := ""
	for {
		t := r.skipComments()
		if t.kind == tokObjectEnd && name == "" {
			return v, true
		}
		if t.kind != tokString {
			return v, r.failAndRecover("Missing '}' or object member name", t.start, tokObjectEnd)
		}
		var ok bool
		if name, ok = r.str(t); !ok {
			return v, r.recover(tokObjectEnd)
		}
		if colon := r.token(); colon.kind != tokColon {
			return v, r.failAndRecover("Missing ':' after object member name", colon.start, tokObjectEnd)
		}
		if v.Has(name) {
			return v, r.fail("Key '"+name+"' appears twice.", t.start)
		}
		m, ok := r.value(depth + 1)
		v.Set(name, m)
		if !ok {
			return v, r.recover(tokObjectEnd)
		}
		comma := r.token()
		if comma.kind != tokObjectEnd && comma.kind != tokComma && comma.kind != tokComment {
			return v, r.failAndRecover("Missing ',' or '}' in object declaration", comma.start, tokObjectEnd)
		}
		for comma.kind == tokComment {
			comma = r.token()
		}
		if comma.kind == tokObjectEnd {
			return v, true
		}
	}
}

func (r *reader) array(depth int) (*Value, bool) {
	v := &Value{kind: Array}
	r.skipSpaces()
	if r.pos < len(r.text) && r.text[r.pos] == ']' {
		r.pos++
		return v, true
	}
	var elements []*Value
	defer func() { v.kids = &kids{arr: elements} }()
	for {
		e, ok := r.value(depth + 1)
		elements = append(elements, e)
		if !ok {
			return v, r.recover(tokArrayEnd)
		}
		switch t := r.skipComments(); t.kind {
		case tokArrayEnd:
			return v, true
		case tokComma:
		default:
			return v, r.failAndRecover("Missing ',' or ']' in array declaration", t.start, tokArrayEnd)
		}
	}
}

func (r *reader) integer(t tok) (*Value, bool) {
	text := string(r.text[t.start:t.end])
	digits := strings.TrimPrefix(text, "-")
	if digits == "" {
		return nil, r.fail("'"+text+"' is not a valid number.", t.start)
	}
	var n int64
	i := 0
	for ; i < len(digits) && n <= math.MaxUint32; i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return nil, r.fail("'"+text+"' is not a number.", t.start)
		}
		n = n*10 + int64(digits[i]-'0')
	}
	negative := len(digits) != len(text)
	if i < len(digits) || n > math.MaxUint32 || negative && (n > -math.MinInt32) {
		return nil, r.fail("'"+text+"' exceeds the allowable range.", t.start)
	}
	if negative {
		n = -n
	}
	return NewInt(n), true
}

// double reads the longest beginning of a token that is a number, as sscanf's "%lf" does.
func (r *reader) double(t tok) (*Value, bool) {
	text := string(r.text[t.start:t.end])
	f, err := strconv.ParseFloat(text[:floatPrefix(text)], 64)
	if err != nil { // also what no 64-bit float holds: it could not be written again
		return nil, r.fail("'"+text+"' is not a number.", t.start)
	}
	return &Value{kind: Real, num: int64(math.Float64bits(f))}, true
}

func floatPrefix(s string) int {
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	first := i
	i = digits(i)
	n := i - first
	if i < len(s) && s[i] == '.' {
		j := digits(i + 1)
		n += j - i - 1
		i = j
	}
	if n == 0 {
		return 0
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if k := digits(j); k > j {
			return k
		}
		return 0
	}
	return i
}

func (r *reader) str(t tok) (string, bool) {
	body := r.text[t.start+1 : t.end-1]
	plain := true
	for _, c := range body {
		if c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return string(body), true
	}
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); {
		c := body[i]
		i++
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i == len(body) {
			return "", r.failAt("Empty escape sequence in string", t.start, t.start+1+i)
		}
		e := body[i]
		i++
		switch e {
		case '"', '/', '\\':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			cp, n, wrong := codePoint(body, i)
			i += n
			if wrong != "" {
				return "", r.failAt(wrong, t.start, t.start+1+i)
			}
			out = utf8.AppendRune(out, cp)
		default:
			return "", r.failAt("Bad escape sequence in string", t.start, t.start+1+i)
		}
	}
	return string(out), true
}

// What is wrong with a \u escape, in the reader's words.
const (
	fourDigits = "Bad unicode escape sequence in string: four digits expected."
	badDigit   = "Bad unicode escape sequence in string: hexadecimal digit expected."
	sixMore    = "additional six characters expected to parse unicode surrogate pair."
	secondHalf = `expecting another \u token to begin the second half of a unicode surrogate pair`
)

// codePoint reads a character from its four digits, and from its second half where it has one: the character, how many bytes of
// it were read, and what is wrong with it.
func codePoint(b []byte, i int) (cp rune, n int, wrong string) {
	u, n, wrong := hex4(b, i)
	if wrong != "" || u < 0xD800 || u > 0xDBFF {
		return u, n, wrong
	}
	rest := b[i+n:]
	if len(rest) < 6 {
		return 0, n, sixMore
	}
	if rest[0] != '\\' || rest[1] != 'u' {
		return 0, n, secondHalf
	}
	low, m, wrong := hex4(rest, 2)
	return 0x10000 + (u&0x3FF)<<10 + low&0x3FF, n + 2 + m, wrong
}

func hex4(b []byte, i int) (u rune, n int, wrong string) {
	if len(b)-i < 4 {
		return 0, 0, fourDigits
	}
	for n < 4 {
		c := b[i+n]
		n++
		u *= 16
		switch {
		case c >= '0' && c <= '9':
			u += rune(c - '0')
		case c >= 'a' && c <= 'f':
			u += rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			u += rune(c-'A') + 10
		default:
			return 0, n, badDigit
		}
	}
	return u, n, ""
}
