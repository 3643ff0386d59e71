package codec

import "testing"

// The examples are those of the addresses that XLS-5 shows.
func TestEncodeXAddress(t *testing.T) {
	for _, c := range []struct{ classic, main, test string }{
		{"r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59", "X7AcgcsBL6XDcUb289X4mJ8djcdyKaB5hJDWMArnXr61cqZ", "T719a5UwUCnEs54UsxG9CJYYDhwmFCqkr7wxCcNcfZ6p5GZ"},
	} {
		a, ok := ParseAccountID(c.classic)
		if !ok {
			t.Fatal(c.classic)
		}
		if got := EncodeXAddress(a, false); got != c.main {
			t.Errorf("%s: %s", c.classic, got)
		}
		if got := EncodeXAddress(a, true); got != c.test {
			t.Errorf("%s: %s", c.classic, got)
		}
	}
}
