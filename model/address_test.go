package model

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	const classic = "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"
	for _, tc := range []struct {
		name, in string
		want     Address
		err      error
	}{
		{"classic", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", nil},
		{"shortest", "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "rrrrrrrrrrrrrrrrrrrrrhoLvTp", nil},
		{"X-address, main network", "XVLhHMPHU98es4dbozjVtdWzVrDjtV5fdx1mHp98tDMoQXb", classic, nil},
		{"X-address, test network", "TVE26TYGhfLC7tQDno7G8dGtxSkYQn49b3qD26PK7FcGSKE", classic, nil},
		{"X-address with tag 0", "XVLhHMPHU98es4dbozjVtdWzVrDjtV8AqEL4xcZj5whKbmc", "", errAddressTag},
		{"X-address with tag 1", "XVLhHMPHU98es4dbozjVtdWzVrDjtV8xvjGQTYPiAx6gwDC", "", errAddressTag},
		{"empty", "", "", errAddressEmpty},
		{"one character wrong", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi", "", errAddressChecksum},
		{"one character less", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyT", "", errAddressChecksum},
		{"zeros before the prefix", "r" + "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "", errAddressChecksum},
		{"character outside the alphabet", "rHb9CJAWyB4rj91VRWn96DkukG4bwdty0h", "", errAddressForm},
		{"space behind", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh ", "", errAddressForm},
		{"new line behind", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh\n", "", errAddressForm},
		{"markup", "<script>alert(1)</script>", "", errAddressForm},
		{"control characters", "\x1b[2J", "", errAddressForm},
		{"only the prefix", "r", "", errAddressForm},
		{"too long", strings.Repeat("r", 65), "", errAddressForm},
		{"very long", strings.Repeat("X", 1<<20), "", errAddressForm},
		{"a secret, secp256k1", "snoPBrXtMeMyMHUVTgbuqAfg1SUTb", "", errAddressSeed},
		{"a secret, ed25519", "sEdTM1uX8pu2do5XvTnutH6HsouMaM2", "", errAddressSeed},
		{"a node's key", "n9KUjqxCr5FKThSNXdzb7oqN8rYwScB2dUnNqxQxbEA17JkaWy5x", "", errAddressForm},
		{"Bitcoin's", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "", errAddressForm},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseAddress(tc.in)
			if got != tc.want || err != tc.err {
				t.Errorf("ParseAddress(%q) = %q, %v, want %q, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
}

// The bytes behind the X-address's flag are the tag's; without a tag they must be zero, or one account would have many
// spellings.
func TestParseAddressXAddressSpelling(t *testing.T) {
	account := Address("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh").ID()
	x := func(prefix []byte, flag byte, tag [8]byte) string {
		return encodeBase58Check(append(append(append(append([]byte{}, prefix...), account[:]...), flag), tag[:]...))
	}
	for _, tc := range []struct {
		name, in string
		err      error
	}{
		{"none", x([]byte{0x05, 0x44}, 0, [8]byte{}), nil},
		{"flag 0, tag bytes", x([]byte{0x05, 0x44}, 0, [8]byte{1}), errAddressForm},
		{"64-bit tag", x([]byte{0x05, 0x44}, 2, [8]byte{}), errAddressTag},
		{"other prefix", x([]byte{0x05, 0x45}, 0, [8]byte{}), errAddressForm},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseAddress(tc.in); err != tc.err {
				t.Errorf("%q: %v, want %v", tc.in, err, tc.err)
			}
		})
	}
}

func TestAddressZero(t *testing.T) {
	if !Address("rrrrrrrrrrrrrrrrrrrrrhoLvTp").Zero() {
		t.Error("ACCOUNT_ZERO is not seen as such")
	}
	if Address("rrrrrrrrrrrrrrrrrrrrBZbvji").Zero() {
		t.Error("ACCOUNT_ONE is seen as ACCOUNT_ZERO")
	}
}

func FuzzAddress(f *testing.F) {
	f.Add(make([]byte, AccountIDLen))
	f.Add([]byte(strings.Repeat("\xff", AccountIDLen)))
	f.Add([]byte("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAddress(string(b)); err == nil && AddressOf(a.ID()) != a {
			t.Fatalf("%q reads as %q, whose identifier spells %q", b, a, AddressOf(a.ID()))
		}
		if len(b) != AccountIDLen {
			return
		}
		a := AddressOf([AccountIDLen]byte(b))
		back, err := ParseAddress(string(a))
		if err != nil || back != a || back.ID() != [AccountIDLen]byte(b) {
			t.Fatalf("%x spells %q and reads back as %q, %v", b, a, back, err)
		}
	})
}
