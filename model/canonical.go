package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// RequestDigest is the SHA-256, in lower-case hex, of a request for a credential without its proof, in canonical JSON (RFC 8785). Two
// requests have the same digest only if they ask for the same: numbers that canonical JSON would round are refused. The error is an
// [*Error] with [CodeBadRequest].
func RequestDigest(body []byte) (string, error) {
	if _, err := parseAnyObject(theBody, body); err != nil {
		return "", err
	}
	if commas(body) > maxDigestParts { // a decoded value takes many times the memory of its text
		return "", BadRequest(theBody, fmt.Sprintf("must not have more than %d fields and elements with a proof", maxDigestParts))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var request map[string]any
	if err := decoder.Decode(&request); err != nil {
		return "", BadRequest(theBody, "must be a JSON object")
	}
	delete(request, fieldProof)
	text, err := appendCanonical(make([]byte, 0, len(body)), request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

const maxDigestParts = 2 * MaxJSONNames

// commas counts those outside strings.
func commas(body []byte) int {
	count, quoted, escaped := 0, false, false
	for _, b := range body {
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case b == ',' && !quoted:
			count++
		}
	}
	return count
}

// appendCanonical appends a decoded JSON value as RFC 8785 writes it.
func appendCanonical(to []byte, value any) (_ []byte, err error) {
	switch v := value.(type) {
	case nil:
		return append(to, "null"...), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	case string:
		return appendCanonicalString(to, v), nil
	case json.Number:
		return appendCanonicalNumber(to, v.String())
	case []any:
		to = append(to, '[')
		for i, item := range v {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = appendCanonical(to, item); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	case map[string]any:
		return appendCanonicalObject(to, v)
	}
	return nil, fmt.Errorf("canonical JSON of a %T", value)
}

// appendCanonicalObject sorts names by their UTF-16 code units (RFC 8785, 3.2.3).
func appendCanonicalObject(to []byte, o map[string]any) (_ []byte, err error) {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	to = append(to, '{')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(appendCanonicalString(to, name), ':')
		if to, err = appendCanonical(to, o[name]); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// appendCanonicalString escapes only what JSON demands (RFC 8785, 3.2.2.2).
func appendCanonicalString(to []byte, s string) []byte {
	const short = "\bb\tt\nn\ff\rr\"\"\\\\"
	to = append(to, '"')
	for i := range len(s) {
		c := s[i]
		at := strings.IndexByte("\b\t\n\f\r\"\\", c)
		switch {
		case at >= 0:
			to = append(to, '\\', short[2*at+1])
		case c < 0x20:
			to = fmt.Appendf(to, `\u%04x`, c)
		default:
			to = append(to, c)
		}
	}
	return append(to, '"')
}

// appendCanonicalNumber writes a number as ECMAScript does (RFC 8785, 3.2.2.3). A decimal of at most 15 significant digits within the
// range of a double, and an integer up to 2^53, survive as doubles; others could be rounded to the same number.
func appendCanonicalNumber(to []byte, literal string) ([]byte, error) {
	f, err := strconv.ParseFloat(literal, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(literal), "e")
	digits := strings.Trim(strings.ReplaceAll(strings.TrimPrefix(mantissa, "-"), ".", ""), "0")
	n, intErr := strconv.ParseInt(literal, 10, 64)
	whole := intErr == nil && -1<<53 <= n && n <= 1<<53
	switch {
	case digits == "":
		return append(to, '0'), nil
	case err != nil || !whole && (len(digits) > 15 || math.Abs(f) < 0x1p-1022):
		return nil, BadRequest(theBody, "must not hold numbers of more than 15 significant digits with a proof; send them as strings")
	}
	text, err := json.Marshal(f) // which writes doubles as ECMAScript does
	return append(to, text...), err
}
