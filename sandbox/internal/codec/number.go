package codec

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// numberSize is the size of a Number: its mantissa and its exponent (STNumber.cpp).
const numberSize = 12

// numberDigits is how many digits a normalized mantissa has (Number.h, the large scale).
const numberDigits = 19

// numberText is a Number as JSON shows it (Number.cpp, to_string): in decimal, or with an exponent where it is very small or very
// large. The bytes are kept as they were sent; xrpld normalizes them.
func numberText(b []byte) string {
	b = pad(b, numberSize)
	mantissa, exponent := int64(binary.BigEndian.Uint64(b)), int(int32(binary.BigEndian.Uint32(b[8:])))
	if mantissa == 0 {
		return "0"
	}
	digits, sign := strings.CutPrefix(strconv.FormatInt(mantissa, 10), "-")
	prefix := ""
	if sign {
		prefix = "-"
	}
	trimmed := strings.TrimRight(digits, "0")
	if e := exponent + len(digits) - numberDigits; e != 0 && (e < -numberDigits-9 || e > 11-numberDigits) {
		return prefix + trimmed + "e" + strconv.Itoa(exponent+len(digits)-len(trimmed))
	}
	switch point := len(digits) + exponent; {
	case point >= len(trimmed):
		return prefix + trimmed + strings.Repeat("0", point-len(trimmed))
	case point > 0:
		return prefix + trimmed[:point] + "." + trimmed[point:]
	default:
		return prefix + "0." + strings.Repeat("0", -point) + trimmed
	}
}
