package codec

import (
	"bytes"
	"encoding/binary"
	"math"
)

// IsDefault says whether the field is absent or has its type's default value: a number or hash of zero, a blob,
// account, list or object with nothing in it. A blob of zero bytes is not empty.
func (o *Object) IsDefault(f *Field) bool {
	v := o.find(f)
	return v == nil || v.isDefault()
}

// AmountSign is -1, 0 or 1 as the amount is below, at or above zero; 0 when it is absent.
func (o *Object) AmountSign(f *Field) int {
	v := o.find(f)
	if v == nil || f.Type != TypeAmount {
		return 0
	}
	word, mantissa := v.num, v.num&(amountPositive-1)
	switch len(v.data) {
	case mptSize:
		word, mantissa = uint64(v.data[0])<<56, binary.BigEndian.Uint64(v.data[1:])
	case issuedSize:
		word = binary.BigEndian.Uint64(v.data)
		mantissa = word & (1<<54 - 1)
	}
	switch {
	case mantissa == 0:
		return 0
	case word&amountPositive == 0:
		return -1
	}
	return 1
}

// HasIllegalAmount says whether the object, or one within it, has an amount of more than so many drops of XRP, or an amount of a
// multi-purpose token that is negative or above 2^63-1 (hasInvalidAmount in STAmount.cpp).
func (o *Object) HasIllegalAmount(drops int64) bool {
	for i := range o.fields {
		v := &o.fields[i]
		switch {
		case v.field.Type != TypeAmount:
			for _, e := range v.list {
				if e.Object.HasIllegalAmount(drops) {
					return true
				}
			}
		case len(v.data) == mptSize:
			if v.data[0]&byte(amountPositive>>56) == 0 || binary.BigEndian.Uint64(v.data[1:]) > math.MaxInt64 {
				return true
			}
		case len(v.data) == 0:
			if n := xrpDrops(v.num); n > drops || n < -drops {
				return true
			}
		}
	}
	return false
}

// currency is what the amount counts: nothing for XRP, the 20 bytes of a currency, the 24 of an MPT issuance.
func (o *Object) currency(f *Field) []byte {
	v := o.find(f)
	if v == nil {
		return nil
	}
	switch len(v.data) {
	case mptSize:
		return v.data[9:]
	case issuedSize:
		return v.data[8:28]
	}
	return nil
}

// SameCurrency says whether two amounts count the same: both XRP, or the same currency whoever its issuer.
func (o *Object) SameCurrency(f, g *Field) bool { return bytes.Equal(o.currency(f), o.currency(g)) }

// IsBadCurrency says whether the amount is of the issued currency that spells XRP, which may not be.
func (o *Object) IsBadCurrency(f *Field) bool {
	return bytes.Equal(o.currency(f), badCurrency)
}

var badCurrency = append(append(make([]byte, 12, 20), "XRP"...), 0, 0, 0, 0, 0)

// SplitVL reads a variable-length value, and tells what follows it.
func SplitVL(b []byte) (value, rest []byte, err error) {
	r := reader{b: b}
	if value, err = r.variable(errShortValue); err != nil {
		return nil, nil, err
	}
	return value, b[r.pos:], nil
}

const errShortValue Refusal = "a variable-length value ends early"
