package codec

import (
	"encoding/binary"
	"testing"
)

// Numbers in JSON, with normalized mantissas of 19 digits and others.
func TestNumberText(t *testing.T) {
	for _, c := range []struct {
		mantissa int64
		exponent int32
		want     string
	}{
		{0, 0, "0"},
		{0, -2147483648, "0"},
		{1, 0, "1"},
		{-25, 0, "-25"},
		{25, 2, "2500"},
		{1_000_000_000_000_000_000, -18, "1"},
		{1_500_000_000_000_000_000, -18, "1.5"},
		{-1_500_000_000_000_000_000, -20, "-0.015"},
		{1_234_567_890_123_456_789, -10, "123456789.0123456789"},
		{1_000_000_000_000_000_000, 0, "1000000000000000000"},
		{1_000_000_000_000_000_000, 12, "1e30"},
		{1_000_000_000_000_000_000, -60, "1e-42"},
	} {
		b := binary.BigEndian.AppendUint64(nil, uint64(c.mantissa))
		b = binary.BigEndian.AppendUint32(b, uint32(c.exponent))
		if got := numberText(b); got != c.want {
			t.Errorf("%d·10^%d is %s, want %s", c.mantissa, c.exponent, got, c.want)
		}
	}
}
