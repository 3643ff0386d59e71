package sandbox

import (
	"math/big"
	"regexp"
	"strconv"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// maxDrops is all XRP there is.
const maxDrops = 100_000_000_000_000_000

var (
	// amountParts stands between the parts of an amount that is given as one string: value, currency, issuer.
	amountParts = regexp.MustCompile(`[\t\n\r ,/]`)
	// wholeNumber is what a number of drops looks like: its sign, digits without zeros in front, and an exponent.
	wholeNumber = regexp.MustCompile(`^([-+]?)(0|[1-9][0-9]{0,31})(?:[eE]([-+]?[0-9]+))?$`)
)

// parseDrops reads an amount of XRP as rippled does: in drops, an integer or a string, alone or with a currency that is none or XRP
// and an issuer that is not looked at, in an array or in the string itself (STAmount.cpp, amountFromJson). Amounts of tokens are not
// read.
func parseDrops(v *rjson.Value) (int64, bool) {
	value, currency := v, ""
	switch {
	case v.IsArray():
		if v.Len() == 0 {
			return 0, true
		}
		value, currency = v.At(0), stringOf(v.At(1))
	case v.IsString():
		parts := amountParts.Split(v.AsString(), -1)
		if len(parts) > 3 {
			return 0, false
		}
		if len(parts) > 1 {
			currency = parts[1]
		}
		value = rjson.NewString(parts[0])
	}
	switch {
	case currency != "" && currency != "XRP":
		return 0, false
	case value.IsInt():
		return int64(value.AsInt()), true
	case value.IsUInt():
		// rippled reads the whole in place of the value here, and an array is no number.
		return int64(value.AsUInt()), !v.IsArray()
	case value.IsString():
		return dropsOf(value.AsString())
	}
	return 0, false
}

// dropsOf reads a number of drops. What a negative exponent leaves behind the point is rounded, a half to the even.
func dropsOf(s string) (int64, bool) {
	m := wholeNumber.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	mantissa, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return 0, false
	}
	exponent := int64(0)
	if m[3] != "" {
		if exponent, err = strconv.ParseInt(m[3], 10, 32); err != nil {
			return 0, false
		}
	}
	switch {
	case mantissa == 0, exponent <= -20:
		return 0, true
	case exponent > 17: // more than there is, whatever it is of
		return 0, false
	}
	n, power := big.NewInt(mantissa), new(big.Int).Exp(big.NewInt(10), big.NewInt(max(exponent, -exponent)), nil)
	if exponent >= 0 {
		n.Mul(n, power)
	} else {
		rest := new(big.Int)
		n.QuoRem(n, power, rest)
		if c := rest.Lsh(rest, 1).Cmp(power); c > 0 || c == 0 && n.Bit(0) == 1 {
			n.Add(n, big.NewInt(1))
		}
	}
	if !n.IsInt64() || n.Int64() > maxDrops {
		return 0, false
	}
	if m[1] == "-" {
		n.Neg(n)
	}
	return n.Int64(), true
}
