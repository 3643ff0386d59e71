package access

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseProxies(t *testing.T) {
	for _, good := range []string{"", " ", "10.0.0.7", "10.0.0.0/8, fd00::/8 127.0.0.1", "10.1.2.3/16", "::ffff:10.0.0.7", "::1"} {
		if _, err := ParseProxies(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"proxy.example", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "0.0.0.0/0", "::/0", "10.0.0.0/0", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.0.0.1:80", "10.0.0.7;10.0.0.8", strings.Repeat("10.0.0.7,", maxProxies+1)} {
		if _, err := ParseProxies(bad); err == nil || !strings.HasPrefix(err.Error(), "must") {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

func TestClientIP(t *testing.T) {
	proxies, err := ParseProxies("10.0.0.0/8, 192.0.2.1, ::1, fd00::/8")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		remote string
		header []string
		want   string
	}{
		// Nobody who is not a proxy is believed.
		{"198.51.100.7:4711", nil, "198.51.100.7"},
		{"198.51.100.7:4711", []string{"203.0.113.9"}, "198.51.100.7"},
		{"[2001:db8::7]:4711", []string{"203.0.113.9"}, "2001:db8::7"},
		{"192.0.2.2:1", []string{"203.0.113.9"}, "192.0.2.2"},
		// A proxy is, about whoever asked it, and that one no more.
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"127.0.0.1, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"203.0.113.9, 10.2.2.2"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9,10.2.2.2 ,\t192.0.2.1"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"198.51.100.1", "203.0.113.9", "10.2.2.2"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"203.0.113.9", ""}, "203.0.113.9"},
		{"10.0.0.1:1", []string{" , ,203.0.113.9,, "}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"[::1]:1", []string{"2001:db8::9"}, "2001:db8::9"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"[fd00::1%eth0]:1", []string{"2001:db8::9"}, "2001:db8::9"},
		{"10.0.0.1:1", []string{"203.0.113.9:8080"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"[2001:db8::9]:8080"}, "2001:db8::9"},
		{"10.0.0.1:1", []string{"[2001:db8::9]"}, "2001:db8::9"},
		// What is no address ends it, and nothing before it is believed.
		{"10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"203.0.113.9, unknown, 10.2.2.2"}, "10.2.2.2"},
		{"10.0.0.1:1", []string{"203.0.113.9, 10.2.2.2 10.2.2.3"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"203.0.113.9, [10.2.2.2"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{strings.Repeat("9", 1<<16)}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"203.0.113.9" + strings.Repeat(",10.2.2.2", maxHops)}, "10.2.2.2"},
		{"10.0.0.1:1", []string{"203.0.113.9" + strings.Repeat(",", 1<<16)}, "10.0.0.1"},
		// And where the other side has no address, neither has the client.
		{"", []string{"203.0.113.9"}, "invalid IP"},
		{"@", []string{"203.0.113.9"}, "invalid IP"},
		{"/run/socket", nil, "invalid IP"},
		{"127.0.0.1", nil, "127.0.0.1"},
	} {
		if got := proxies.ClientIP(c.remote, c.header); got.String() != c.want {
			t.Errorf("%s, %.60q: %v, want %s", c.remote, c.header, got, c.want)
		}
	}
	if got := (Proxies{}).ClientIP("127.0.0.1:1", []string{"203.0.113.9"}); got.String() != "127.0.0.1" {
		t.Errorf("without proxies: %v", got)
	}
}

func TestClientKey(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64",
		"2001:db8:1:3::": "2001:db8:1:3::/64", "fe80::1%eth0": "fe80::/64", "::1": "::/64",
	} {
		if got := ClientKey(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
	if got := ClientKey(netip.Addr{}); got != "invalid IP" {
		t.Errorf("no address: %s", got)
	}
}

func FuzzClientIP(f *testing.F) {
	f.Add("10.0.0.1:1", "203.0.113.9, 10.2.2.2", "")
	f.Add("[::1]:1", "[2001:db8::9]:8080", "unknown")
	f.Add("@", ",,", "\xff")
	proxies, err := ParseProxies("10.0.0.0/8, ::1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		got := proxies.ClientIP(remote, []string{first, second})
		if got.Zone() != "" || got.Is4In6() {
			t.Errorf("%v", got)
		}
		own, err := parseHop(remote)
		if err != nil && got.IsValid() || err == nil && !proxies.trust(own) && got != own {
			t.Errorf("%q is believed that it is %v", remote, got)
		}
		// What is written before the last word of a client changes nothing.
		if more := proxies.ClientIP(remote, []string{"192.0.2.66, 198.51.100.5", first, second}); err == nil && !proxies.trust(got) && more != got {
			t.Errorf("%v becomes %v by what was written before", got, more)
		}
	})
}
