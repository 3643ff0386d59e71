// Package hexutil turns the hex that an XRP Ledger node answers with into something that can be shown, and back.
//
// Anyone can put any bytes into a credential's type or URI, so what comes from the ledger is shown as text only when
// every byte is printable ASCII. All else is shown as "(BIN) " and its hex. Nothing that [Display] returns can move a
// cursor, clear a screen or hide text; it may hold the characters of markup, which whoever writes a page escapes as
// they would with any text.
//
// The package is a leaf: it imports nothing of this module and holds no state.
package hexutil

import (
	"encoding/hex"
	"errors"
	"strings"
)

// BinaryPrefix stands before the hex of bytes that are not shown as text.
const BinaryPrefix = "(BIN) "

// Display returns what hexed says, for people: the text, when every byte of it is printable ASCII (0x20 to 0x7E),
// and otherwise [BinaryPrefix] and the hex as it came, its case untouched.
//
// Two inputs get special care, so that [Undisplay] is its exact inverse and nothing unprintable gets through.
// A text that itself begins with BinaryPrefix is shown as hex, since it would read as the hex of other bytes. And an
// input that is no hex at all, which only a broken node sends, is shown with each byte outside printable ASCII
// replaced by "?".
func Display(hexed string) string {
	raw, err := hex.DecodeString(hexed)
	switch {
	case err != nil:
		return BinaryPrefix + mask(hexed)
	case !Printable(string(raw)) || strings.HasPrefix(string(raw), BinaryPrefix):
		return BinaryPrefix + hexed
	}
	return string(raw)
}

// DisplayRaw is [Display] for bytes that are decoded already. Hex is in upper case, as nodes write it.
func DisplayRaw(raw string) string {
	if Printable(raw) && !strings.HasPrefix(raw, BinaryPrefix) {
		return raw
	}
	return BinaryPrefix + Encode(raw)
}

// ErrBinary is what [Undisplay] returns for [BinaryPrefix] with something behind it that is not hex.
var ErrBinary = errors.New("after " + BinaryPrefix + "an even number of hex digits must follow")

// Undisplay returns the raw bytes of a text that [Display] or [DisplayRaw] returned. Hex may be of either case. A text
// without [BinaryPrefix] stands for itself, whatever it holds: whether it is allowed is for the caller to say.
func Undisplay(shown string) (string, error) {
	hexed, binary := strings.CutPrefix(shown, BinaryPrefix)
	if !binary {
		return shown, nil
	}
	raw, err := hex.DecodeString(hexed)
	if err != nil {
		return "", ErrBinary
	}
	return string(raw), nil
}

// Printable says whether every byte of s is printable ASCII, 0x20 to 0x7E. It holds for the empty string.
func Printable(s string) bool {
	for i := range len(s) {
		if !printable(s[i]) {
			return false
		}
	}
	return true
}

// Encode returns raw as hex in upper case, as nodes write it.
func Encode(raw string) string { return strings.ToUpper(hex.EncodeToString([]byte(raw))) }

func printable(b byte) bool { return 0x20 <= b && b <= 0x7E }

func mask(s string) string {
	out := []byte(s)
	for i, b := range out {
		if !printable(b) {
			out[i] = '?'
		}
	}
	return string(out)
}
