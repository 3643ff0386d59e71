package codec

import (
	"encoding/binary"
	"strconv"
)

// The bits of an amount's first word, and the bounds of issued amounts (STAmount.h).
const (
	amountIssued   = uint64(1) << 63
	amountPositive = uint64(1) << 62
	amountMPT      = uint64(1) << 61

	issuedMinValue  = 1e15
	issuedMaxValue  = 1e16 - 1
	issuedMinOffset = -96
	issuedMaxOffset = 80

	issuedSize = 48 // value, currency, issuer
	mptSize    = MPTAmountSize
)

// MPTAmountSize is the size of an amount of multi-purpose tokens: sign, value, issuance id.
const MPTAmountSize = 33

const (
	errNegativeZero  Refusal = "negative zero is not canonical"
	errXRPCurrency   Refusal = "invalid native currency"
	errXRPAccount    Refusal = "invalid native account"
	errIssuedValue   Refusal = "invalid currency value"
	errIssueMismatch Refusal = "invalid issue: currency and account native mismatch"
)

// readAmount leaves XRP as its raw word in num, anything else as its canonical bytes in data.
func (r *reader) readAmount(v *value) error {
	word, err := r.uint64()
	if err != nil {
		return err
	}
	if word&amountIssued == 0 {
		if word&amountMPT != 0 {
			if len(r.b)-r.pos < 1 {
				return errGet8
			}
			if len(r.b)-r.pos < mptSize-8 {
				return errBitString
			}
			raw := r.b[r.pos-8 : r.pos+mptSize-8 : r.pos+mptSize-8]
			r.pos += mptSize - 8
			if raw[0]&0x1F != 0 { // bits that are neither flag nor value are dropped
				raw = append([]byte(nil), raw...)
				raw[0] &= 0x60
			}
			v.data = raw
			return nil
		}
		if word == 0 {
			return errNegativeZero
		}
		v.num = word
		return nil
	}
	if len(r.b)-r.pos < 20 {
		return errBitString
	}
	currency := r.b[r.pos : r.pos+20]
	if isZero(currency) {
		return errXRPCurrency
	}
	if len(r.b)-r.pos < 40 {
		return errBitString
	}
	account := r.b[r.pos+20 : r.pos+40]
	if isZero(account) {
		return errXRPAccount
	}
	if mantissa := word & (1<<54 - 1); mantissa != 0 {
		offset := int(word>>54)&255 - 97
		if mantissa < issuedMinValue || mantissa > issuedMaxValue || offset < issuedMinOffset || offset > issuedMaxOffset {
			return errIssuedValue
		}
	} else if word>>54 != 512 {
		return errIssuedValue
	}
	v.data = r.b[r.pos-8 : r.pos+40 : r.pos+40]
	r.pos += 40
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// xrpDrops is the signed number of drops in an XRP amount's word.
func xrpDrops(word uint64) int64 {
	drops := int64(word &^ (amountIssued | amountPositive))
	if word&amountPositive == 0 {
		return -drops
	}
	return drops
}

func xrpWord(drops int64) uint64 {
	if drops >= 0 {
		return uint64(drops)&(amountMPT-1) | amountPositive
	}
	return uint64(-drops) & (amountMPT - 1)
}

// IssuedAmount is mantissa · 10^exponent of an issued currency as it is serialized: with sixteen digits, the last of them rounded, a
// half to the even. What is too small is zero; it is not ok where it is too great (IOUAmount.cpp, Number.cpp).
func IssuedAmount(mantissa int64, exponent int, currency [20]byte, issuer AccountID) (raw []byte, ok bool) {
	word := amountIssued
	m, exponent := issuedDigits(mantissa, exponent)
	switch {
	case exponent > issuedMaxOffset && m != 0:
		return nil, false
	case exponent >= issuedMinOffset && m != 0:
		word |= uint64(exponent+97)<<54 | m
		if mantissa > 0 {
			word |= amountPositive
		}
	}
	raw = binary.BigEndian.AppendUint64(make([]byte, 0, issuedSize), word)
	return append(append(raw, currency[:]...), issuer[:]...), true
}

// issuedDigits brings a number's magnitude to sixteen digits; zero is zero.
func issuedDigits(mantissa int64, exponent int) (uint64, int) {
	m := uint64(mantissa)
	if mantissa < 0 {
		m = -m
	}
	if m == 0 {
		return 0, 0
	}
	for m < issuedMinValue {
		m *= 10
		exponent--
	}
	power := uint64(1)
	for m/power > issuedMaxValue {
		power *= 10
		exponent++
	}
	rest := m % power
	if m /= power; 2*rest > power || 2*rest == power && m%2 == 1 {
		m++
	}
	if m > issuedMaxValue {
		m /= 10
		exponent++
	}
	return m, exponent
}

// MPTAmount is an amount of an issuance of multi-purpose tokens as it is serialized.
func MPTAmount(value int64, issuance [24]byte) []byte {
	sign := byte((amountMPT | amountPositive) >> 56)
	if value < 0 {
		value, sign = -value, byte(amountMPT>>56)
	}
	raw := binary.BigEndian.AppendUint64(append(make([]byte, 0, mptSize), sign), uint64(value))
	return append(raw, issuance[:]...)
}

func (v *value) amountJSON() any {
	switch len(v.data) {
	case mptSize:
		text := strconv.FormatUint(binary.BigEndian.Uint64(v.data[1:]), 10)
		if v.data[0]&0x40 == 0 && text != "0" {
			text = "-" + text
		}
		return map[string]any{"mpt_issuance_id": hexString(v.data[9:]), "value": text}
	case issuedSize:
		return map[string]any{
			"currency": currencyText(v.data[8:28]),
			"issuer":   AccountID(v.data[28:48]).String(),
			"value":    issuedText(binary.BigEndian.Uint64(v.data)),
		}
	}
	return strconv.FormatInt(xrpDrops(v.num), 10)
}

// issuedText writes an issued amount's value as rippled does: plain for exponents from -25 to -5, else scientific
// with the whole mantissa (STAmount::getText).
func issuedText(word uint64) string {
	mantissa := word & (1<<54 - 1)
	if mantissa == 0 {
		return "0"
	}
	offset := int(word>>54)&255 - 97
	var out []byte
	if word&amountPositive == 0 {
		out = append(out, '-')
	}
	digits := strconv.FormatUint(mantissa, 10) // always 16
	if offset != 0 && (offset < -25 || offset > -5) {
		out = append(out, digits...)
		out = append(out, 'e')
		return string(strconv.AppendInt(out, int64(offset), 10))
	}
	whole, frac := digits, ""
	if offset < 0 {
		if p := len(digits) + offset; p > 0 {
			whole, frac = digits[:p], digits[p:]
		} else {
			whole = "0"
			for range -p {
				frac += "0"
			}
			frac += digits
		}
	}
	for len(frac) > 0 && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	out = append(out, whole...)
	if frac != "" {
		out = append(out, '.')
		out = append(out, frac...)
	}
	return string(out)
}

var currencyChar = func() (ok [256]bool) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<>(){}[]|?!@#$%^&*"
	for i := range len(allowed) {
		ok[allowed[i]] = true
	}
	return ok
}()

// currencyText is three letters where the 20 bytes hold such a code, else 40 hex digits (UintTypes.cpp).
func currencyText(c []byte) string {
	if isZero(c) {
		return "XRP"
	}
	if isZero(c[:19]) && c[19] == 1 {
		return "1"
	}
	if isZero(c[:12]) && isZero(c[15:]) && currencyChar[c[12]] && currencyChar[c[13]] && currencyChar[c[14]] {
		if code := string(c[12:15]); code != "XRP" {
			return code
		}
	}
	return hexString(c)
}
