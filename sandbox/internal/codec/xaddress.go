package codec

// The prefixes of X-addresses (XLS-5): of the main network, and of test networks.
var (
	xAddressMain = [2]byte{0x05, 0x44}
	xAddressTest = [2]byte{0x04, 0x93}
)

// EncodeXAddress writes an account's X-address without a tag: "X…" for the main network, "T…" for test networks (XLS-5).
func EncodeXAddress(a AccountID, test bool) string {
	prefix := xAddressMain
	if test {
		prefix = xAddressTest
	}
	var payload [20 + 1 + 8]byte // the account, no flag, no tag
	copy(payload[:], a[:])
	return encodeToken(prefix[:], payload[:])
}
