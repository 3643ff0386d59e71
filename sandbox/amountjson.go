package sandbox

import (
	"math"
	"regexp"
	"strconv"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// maxDrops is all XRP there is.
const maxDrops = 100_000_000_000_000_000

var (
	// amountParts stands between the parts of an amount that is given as one string: value, currency, issuer.
	amountParts = regexp.MustCompile(`[\t\n\r ,/]`)
	// decimal is what a number in an amount looks like: its sign, digits without zeros in front, a fraction, and an exponent.
	decimal = regexp.MustCompile(`^([-+]?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$`)
)

// amount is one of XRP, in drops, or of a token, as it is serialized.
type amount struct {
	drops int64
	token []byte // nil: XRP
}

func (a amount) isMPT() bool { return len(a.token) == codec.MPTAmountSize }

func (a amount) setIn(o *codec.Object, f *codec.Field) {
	if a.token != nil {
		o.SetBlob(f, a.token)
		return
	}
	o.SetDrops(f, a.drops)
}

// parseAmount reads an amount as rippled does (STAmount.cpp, amountFromJson): of tokens as an object; of XRP or tokens as an integer
// or a string, alone or with a currency and an issuer, in an array or in the string itself. The issuer of XRP is not looked at.
func parseAmount(v *rjson.Value) (amount, bool) {
	value, currency, issuer, mpt := v, "", (*rjson.Value)(nil), false
	switch {
	case v.IsObject():
		value, currency, issuer = v.Get("value"), stringOf(v.Get("currency")), v.Get("issuer")
		if mpt = v.Has("mpt_issuance_id"); mpt {
			if v.Has("currency") || v.Has("issuer") {
				return amount{}, false
			}
			currency = stringOf(v.Get("mpt_issuance_id"))
		}
	case v.IsArray():
		if v.Len() == 0 {
			return amount{}, true
		}
		value, currency, issuer = v.At(0), stringOf(v.At(1)), v.At(2)
	case v.IsString():
		parts := amountParts.Split(v.AsString(), -1)
		switch value = rjson.NewString(parts[0]); len(parts) {
		case 1:
		case 2:
			currency = parts[1]
		case 3:
			currency, issuer = parts[1], rjson.NewString(parts[2])
		default:
			return amount{}, false
		}
	}
	n, ok := numberOf(value, v.IsArray() || v.IsObject())
	if !ok {
		return amount{}, false
	}
	switch {
	case currency == "" || currency == "XRP":
		drops, ok := n.integer(17, maxDrops)
		return amount{drops: drops}, ok && !v.IsObject()
	case mpt:
		return mptAmount(n, currency)
	}
	return issuedAmount(n, currency, issuer)
}

// mptAmount is an amount of an issuance of multi-purpose tokens, which have no fractions.
func mptAmount(n number, issuance string) (amount, bool) {
	value, ok := n.integer(18, math.MaxInt64)
	if !ok || !isHash192(issuance) {
		return amount{}, false
	}
	var id [24]byte
	if b, ok := unhex(issuance); ok && issuance != "0" {
		copy(id[:], b)
	}
	return amount{token: codec.MPTAmount(value, id)}, true
}

// issuedAmount is an amount of an issued currency. One without an issuer, or of an issuer's XRP, could not be read again.
func issuedAmount(n number, currency string, issuer *rjson.Value) (amount, bool) {
	cur, ok := parseCurrency(currency)
	id, known := parseIssuer(stringOf(issuer))
	if !ok || !known || !issuer.IsString() || cur == [20]byte{} || id.IsZero() {
		return amount{}, false
	}
	token, ok := codec.IssuedAmount(n.mantissa, n.exponent, cur, id)
	return amount{token: token}, ok
}

// number is mantissa · 10^exponent.
type number struct {
	mantissa int64
	exponent int
	wrapped  bool // its digits are past the range of the mantissa
}

// numberOf reads a number from a value that is a part of another, or stands alone.
func numberOf(v *rjson.Value, part bool) (number, bool) {
	switch {
	case v.IsInt():
		return number{mantissa: int64(v.AsInt())}, true
	case v.IsUInt():
		// rippled reads the whole in place of the value here, and an array or an object is no number.
		return number{mantissa: int64(v.AsUInt())}, !part
	case v.IsString():
		return parseNumber(v.AsString())
	}
	return number{}, false
}

// parseNumber reads a decimal number (STNumber.cpp, partsFromString). Digits that do not fit into a signed number of 64 bits, but into
// an unsigned one, come out with the other sign, as an issued amount of rippled's does.
func parseNumber(s string) (number, bool) {
	m := decimal.FindStringSubmatch(s)
	if m == nil {
		return number{}, false
	}
	digits, err := strconv.ParseUint(m[2]+m[3], 10, 64)
	if err != nil {
		return number{}, false
	}
	exponent := int64(0)
	if m[4] != "" {
		if exponent, err = strconv.ParseInt(m[4], 10, 32); err != nil {
			return number{}, false
		}
	}
	n := number{int64(digits), int(exponent) - len(m[3]), digits > math.MaxInt64}
	if m[1] == "-" {
		n.mantissa = -n.mantissa
	}
	return n, true
}

// integer is the number as an integral amount. It is not ok with a negative exponent, or above most. maxExponent is the power of ten
// that most has.
func (n number) integer(maxExponent int, most int64) (int64, bool) {
	switch {
	case n.exponent < 0, n.wrapped:
		return 0, false
	case n.mantissa == 0:
		return 0, true
	case n.exponent > maxExponent:
		return 0, false
	}
	value := max(n.mantissa, -n.mantissa)
	for range n.exponent {
		if value > most/10 {
			return 0, false
		}
		value *= 10
	}
	if value > most {
		return 0, false
	}
	if n.mantissa < 0 {
		value = -value
	}
	return value, true
}
