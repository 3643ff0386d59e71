package webhook

import (
	"fmt"
	"net/netip"
)

// place says what kind of network an address is in.
type place int

const (
	// public: the Internet.
	public place = iota
	// private: an organisation's own networks and this machine.
	private
	// closed: where no receiver is, or none that anybody should be led to.
	closed
)

// places are the ranges that are not public, by the IANA's registries of special-purpose addresses; the first that holds
// an address decides. Of IPv6, what is outside of [global] and not here is closed.
var places = []struct {
	place place
	netip.Prefix
}{
	// Where clouds serve a machine's credentials, of those ranges that are private otherwise: Alibaba, Amazon, Google.
	{closed, netip.MustParsePrefix("100.100.100.200/32")},
	{closed, netip.MustParsePrefix("fd00:ec2::254/128")},
	{closed, netip.MustParsePrefix("fd20:ce::254/128")},

	{private, netip.MustParsePrefix("10.0.0.0/8")},     // RFC 1918
	{private, netip.MustParsePrefix("100.64.0.0/10")},  // carriers' NAT, RFC 6598
	{private, netip.MustParsePrefix("127.0.0.0/8")},    // loopback
	{private, netip.MustParsePrefix("172.16.0.0/12")},  // RFC 1918
	{private, netip.MustParsePrefix("192.168.0.0/16")}, // RFC 1918
	{private, netip.MustParsePrefix("::1/128")},        // loopback
	{private, netip.MustParsePrefix("fc00::/7")},       // unique local, RFC 4193

	{closed, netip.MustParsePrefix("0.0.0.0/8")},       // "this network"; many systems take 0.0.0.0 for loopback
	{closed, netip.MustParsePrefix("169.254.0.0/16")},  // link-local, and most clouds' metadata
	{closed, netip.MustParsePrefix("192.0.0.0/24")},    // protocol assignments
	{closed, netip.MustParsePrefix("192.0.2.0/24")},    // documentation
	{closed, netip.MustParsePrefix("192.88.99.0/24")},  // 6to4 relays
	{closed, netip.MustParsePrefix("198.18.0.0/15")},   // benchmarks
	{closed, netip.MustParsePrefix("198.51.100.0/24")}, // documentation
	{closed, netip.MustParsePrefix("203.0.113.0/24")},  // documentation
	{closed, netip.MustParsePrefix("224.0.0.0/4")},     // multicast
	{closed, netip.MustParsePrefix("240.0.0.0/4")},     // reserved, and broadcast
	{closed, netip.MustParsePrefix("2001::/23")},       // protocol assignments: Teredo, ORCHID, benchmarks
	{closed, netip.MustParsePrefix("2001:db8::/32")},   // documentation
	{closed, netip.MustParsePrefix("2002::/16")},       // 6to4: another address within
	{closed, netip.MustParsePrefix("3fff::/20")},       // documentation
}

var (
	// global is all of IPv6 that has been given out (RFC 4291, 2.4).
	global = netip.MustParsePrefix("2000::/3")
	// translated stands for the IPv4 Internet where there is IPv6 alone (NAT64, RFC 6052): its names resolve to addresses in
	// here, of which the last four bytes are the IPv4 address.
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

func placeOf(a netip.Addr) place {
	a = a.Unmap()
	switch {
	case !a.IsValid() || a.Zone() != "":
		return closed
	case translated.Contains(a):
		b := a.As16()
		if placeOf(netip.AddrFrom4([4]byte(b[12:]))) == public {
			return public
		}
		return closed // RFC 6052, 3.1: nothing private can be meant
	}
	for _, p := range places {
		if p.Contains(a) {
			return p.place
		}
	}
	if a.Is6() && !global.Contains(a) {
		return closed
	}
	return public
}

// addressError says that an endpoint is at an address where it must not be.
type addressError struct {
	addr netip.Addr
	why  string
}

func (e *addressError) Error() string {
	return fmt.Sprintf("it is at the address %s, %s", e.addr, e.why)
}

// guard says which addresses an endpoint may be at.
type guard struct {
	private bool // those that are private, too
	plain   bool // http: those that are private alone
}

// check returns nil or an [*addressError].
func (g guard) check(a netip.Addr) error {
	switch p := placeOf(a); {
	case p == closed:
		return &addressError{a, "which no event is sent to"}
	case p == private && !g.private:
		return &addressError{a, "which is of a private network: that must be allowed for it"}
	case p == public && g.plain:
		return &addressError{a, "which is of the public Internet: events are sent there by https alone"}
	}
	return nil
}
