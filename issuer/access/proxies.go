package access

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose X-Forwarded-For is believed. The zero Proxies are none.
type Proxies struct {
	prefixes []netip.Prefix
}

// maxProxies bounds the list, which is gone through for each request, and maxHops how much of a header is looked at.
const (
	maxProxies = 256
	maxHops    = 64
)

// ParseProxies reads addresses and ranges in CIDR form, separated by commas or spaces; an empty text is none. The error
// reads on from the name of a setting.
func ParseProxies(s string) (Proxies, error) {
	var p Proxies
	for text := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		switch {
		case err != nil:
			return Proxies{}, fmt.Errorf("must be addresses and ranges such as 10.0.0.7, 10.1.0.0/16 or fd00::/8: %.100q is none", text)
		case prefix.Addr().Is4In6():
			return Proxies{}, fmt.Errorf("must write ranges of IPv4 as such, not as %.100q", text)
		case prefix.Bits() == 0:
			return Proxies{}, fmt.Errorf("must not hold %.100q: every client could say that it is another", text)
		case len(p.prefixes) == maxProxies:
			return Proxies{}, fmt.Errorf("must have at most %d entries", maxProxies)
		}
		p.prefixes = append(p.prefixes, prefix.Masked())
	}
	return p, nil
}

func (p Proxies) trust(addr netip.Addr) bool {
	for _, prefix := range p.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientIP returns the address that a request comes from: remote, the other side of the connection ("10.0.0.7:4711"), or, where that
// is a proxy that is believed, whom it says it speaks for. Each proxy adds to the end of X-Forwarded-For whom it was asked by, so that the
// header is read from there, for as long as it was a proxy that is believed that wrote. What is no address ends it: what stands
// before anybody may have written.
//
// The address has no zone, and IPv4 is IPv4 however it was written. It is the zero Addr where remote is no address.
func (p Proxies) ClientIP(remote string, forwardedFor []string) netip.Addr {
	client, err := parseHop(remote)
	if err != nil {
		return netip.Addr{}
	}
	hops := maxHops
	for i := len(forwardedFor) - 1; i >= 0; i-- {
		for rest := forwardedFor[i]; rest != ""; {
			if !p.trust(client) || hops == 0 {
				return client
			}
			hops--
			comma := strings.LastIndexByte(rest, ',')
			hop := strings.Trim(rest[comma+1:], " \t")
			rest = rest[:max(comma, 0)]
			if hop == "" {
				continue // an empty element says nothing (RFC 9110, 5.6.1)
			}
			next, err := parseHop(hop)
			if err != nil {
				return client
			}
			client = next
		}
	}
	return client
}

var errHop = errors.New("no address")

// parseHop reads an address, with or without a port. Forms that are longer than any address are not looked at.
func parseHop(s string) (netip.Addr, error) {
	if len(s) > 128 {
		return netip.Addr{}, errHop
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		port, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, errHop
		}
		addr = port.Addr()
	}
	return addr.WithZone("").Unmap(), nil
}

// ClientKey is what a [Limiter] tells clients apart by: the address of IPv4, and the first 64 bits of IPv6, all of whose
// other half one client has. All that are no address are one client.
func ClientKey(addr netip.Addr) string {
	addr = addr.Unmap()
	if addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
