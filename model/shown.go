package model

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// ShownJSON returns a JSON text that says the same, and in which no character stands that a terminal acts on: those that
// cannot be seen, such as the control characters beyond ASCII and those that turn the direction of writing, are escapes.
// JSON has none of them outside of strings. encoding/json writes them as they are: of what moves a cursor or hides text
// it escapes the first 32 alone.
func ShownJSON(text []byte) []byte {
	at := 0
	for at < len(text) && text[at] < 0x7f {
		at++
	}
	if at == len(text) {
		return text // as nearly always
	}
	out := append(make([]byte, 0, len(text)+16), text[:at]...)
	for at < len(text) {
		r, n := utf8.DecodeRune(text[at:])
		switch {
		case r < 0x7f, unicode.IsPrint(r) && (r != utf8.RuneError || n > 1):
			out = append(out, text[at:at+n]...)
		case r > 0xffff:
			first, second := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, first, second)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		at += n
	}
	return out
}
