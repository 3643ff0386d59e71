package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// addresses has both ends of each range, and its neighbours.
var addresses = []struct {
	addr string
	want place
}{
	{"8.8.8.8", public}, {"1.1.1.1", public}, {"9.255.255.255", public}, {"10.0.0.0", private}, {"10.255.255.255", private}, {"11.0.0.0", public},
	{"0.0.0.0", closed}, {"0.255.255.255", closed}, {"1.0.0.0", public},
	{"100.63.255.255", public}, {"100.64.0.0", private}, {"100.127.255.255", private}, {"100.128.0.0", public}, {"100.100.100.200", closed},
	{"126.255.255.255", public}, {"127.0.0.1", private}, {"127.255.255.255", private}, {"128.0.0.0", public},
	{"169.253.255.255", public}, {"169.254.0.0", closed}, {"169.254.169.254", closed}, {"169.254.255.255", closed}, {"169.255.0.0", public},
	{"172.15.255.255", public}, {"172.16.0.0", private}, {"172.31.255.255", private}, {"172.32.0.0", public},
	{"192.0.0.0", closed}, {"192.0.0.192", closed}, {"192.0.0.255", closed}, {"192.0.1.0", public}, {"192.0.2.1", closed}, {"192.0.3.0", public},
	{"192.88.99.1", closed}, {"192.167.255.255", public}, {"192.168.0.0", private}, {"192.168.255.255", private}, {"192.169.0.0", public},
	{"198.17.255.255", public}, {"198.18.0.0", closed}, {"198.19.255.255", closed}, {"198.20.0.0", public}, {"198.51.100.1", closed}, {"203.0.113.1", closed},
	{"223.255.255.255", public}, {"224.0.0.1", closed}, {"239.255.255.255", closed}, {"240.0.0.1", closed}, {"255.255.255.254", closed}, {"255.255.255.255", closed},

	{"::", closed}, {"::1", private}, {"::2", closed}, {"::7f00:1", closed}, {"::8.8.8.8", closed},
	{"::ffff:8.8.8.8", public}, {"::ffff:127.0.0.1", private}, {"::ffff:169.254.169.254", closed}, {"::ffff:10.0.0.1", private}, {"::ffff:0:8.8.8.8", closed},
	{"64:ff9b::8.8.8.8", public}, {"64:ff9b::127.0.0.1", closed}, {"64:ff9b::10.0.0.1", closed}, {"64:ff9b::169.254.169.254", closed}, {"64:ff9b::100.100.100.200", closed},
	{"64:ff9b::1:8.8.8.8", closed}, {"64:ff9b:1::8.8.8.8", closed}, {"100::1", closed},
	{"1fff:ffff::1", closed}, {"2000::1", public}, {"2001::1", closed}, {"2001:0:4136:e378:8000:63bf:3fff:fdd2", closed}, {"2001:1ff:ffff::1", closed},
	{"2001:200::1", public}, {"2001:db7:ffff::1", public}, {"2001:db8::1", closed}, {"2001:db9::1", public}, {"2001:4860:4860::8888", public},
	{"2001:ffff::1", public}, {"2002:7f00:1::", closed}, {"2002:808:808::1", closed}, {"2003::1", public}, {"2606:4700::1111", public},
	{"3ffe:ffff::1", public}, {"3fff::1", closed}, {"3fff:fff::1", closed}, {"3fff:1000::1", public}, {"4000::1", closed}, {"5f00::1", closed},
	{"fbff::1", closed}, {"fc00::1", private}, {"fdff::1", private}, {"fd00:ec2::254", closed}, {"fd00:ec2::253", private}, {"fd20:ce::254", closed},
	{"fe80::1", closed}, {"fe80::1%eth0", closed}, {"2606:4700::1111%eth0", closed}, {"fec0::1", closed}, {"ff02::1", closed}, {"ffff::1", closed},
}

func TestPlaces(t *testing.T) {
	for _, c := range addresses {
		addr := netip.MustParseAddr(c.addr)
		if got := placeOf(addr); got != c.want {
			t.Errorf("%s: %d, want %d", c.addr, got, c.want)
		}
		for _, g := range []guard{{}, {private: true}, {private: true, plain: true}} {
			want := c.want == public && !g.plain || c.want == private && g.private
			if err := g.check(addr); (err == nil) != want {
				t.Errorf("%s, %+v: %v", c.addr, g, err)
			}
		}
	}
	if placeOf(netip.Addr{}) != closed {
		t.Error("no address is a place")
	}
}

// names answers every question with addresses that the test sets, over UDP on loopback.
type names struct {
	net.PacketConn
	answers atomic.Pointer[[]netip.Addr]
	asked   atomic.Int64
}

func newNames(t *testing.T) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{PacketConn: conn}
	n.set()
	done := make(chan struct{})
	go func() { defer close(done); n.serve() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return n
}

func (n *names) set(addrs ...netip.Addr) { n.answers.Store(&addrs) }

func (n *names) serve() {
	buf := make([]byte, 1500)
	for {
		size, from, err := n.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		n.asked.Add(1)
		q := m.Questions[0]
		m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
		for _, a := range *n.answers.Load() {
			head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
			switch {
			case q.Type == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
			case q.Type == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
		if out, err := m.Pack(); err == nil {
			_, _ = n.WriteTo(out, from)
		}
	}
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", n.LocalAddr().String())
	}}
}

// newTestPoster posts to an address, and lets nothing leave this machine should the guard fail.
func newTestPoster(t *testing.T, cfg Config, address string, private bool) *poster {
	t.Helper()
	e, err := NewEndpoint("", address, private, NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Outbox, cfg.Issuer = newOutbox(), issuer
	cfg, err = cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	life, end := context.WithCancel(context.Background())
	p := newPoster(life, e, cfg)
	checked := p.dialer.Control
	p.dialer.Control = func(network, address string, c syscall.RawConn) error {
		if err := checked(network, address, c); err != nil {
			return err
		}
		if to := netip.MustParseAddrPort(address); !to.Addr().Unmap().IsLoopback() {
			t.Errorf("a connection to %s was about to be made", to)
			return errors.New("stopped by the test")
		}
		return nil
	}
	t.Cleanup(func() { end(); p.transport.CloseIdleConnections() })
	return p
}

// TestNamesLeadNowhere has a name resolve to each address that must not be connected to, beside one more time to several at once.
func TestNamesLeadNowhere(t *testing.T) {
	n := newNames(t)
	server := newReceiver(t, newClock(), true, nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{RootCAs: server.pool(), resolver: n.resolver()}
	try := func(address string, private bool) string {
		if f := send(t, newTestPoster(t, cfg, address, private)); f != nil {
			return f.text
		}
		return ""
	}
	var all []netip.Addr
	for _, c := range addresses {
		addr := netip.MustParseAddr(c.addr)
		if addr.Zone() != "" || c.want == public || addr.Is4In6() {
			continue // names resolve to no zone, and an A record is IPv4
		}
		all = append(all, addr)
		n.set(addr)
		if got := try("https://example.com:"+port, false); !strings.Contains(got, "it is at the address "+addr.String()) {
			t.Errorf("%s: %q", addr, got)
		}
		if c.want == closed {
			if got := try("https://example.com:"+port, true); !strings.Contains(got, "which no event is sent to") {
				t.Errorf("%s, where private addresses are allowed: %q", addr, got)
			}
		}
	}
	n.set(all[:20]...)
	if got := try("https://example.com:"+port, false); !strings.Contains(got, "it is at the address ") {
		t.Errorf("several addresses: %q", got)
	}
	if calls := server.all(); len(calls) > 0 {
		t.Fatalf("%d calls arrived", len(calls))
	}
	// The same name arrives where it may: it is nothing else that stops the others.
	n.set(netip.MustParseAddr("127.0.0.1"))
	if got := try("https://example.com:"+port, true); got != "" || len(server.all()) != 1 {
		t.Errorf("where it is allowed: %q", got)
	}
	n.set()
	if got := try("https://example.com:"+port, true); !strings.Contains(got, "name") {
		t.Errorf("a name without addresses: %q", got)
	}
	if n.asked.Load() == 0 {
		t.Error("the resolver was never asked")
	}
}

// TestRebinding has a name change its address between two attempts: each connection is looked at anew.
func TestRebinding(t *testing.T) {
	n := newNames(t)
	server := newReceiver(t, newClock(), false, func(w http.ResponseWriter, _ *http.Request, _ call, _ int) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNoContent)
	})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	p := newTestPoster(t, Config{resolver: n.resolver()}, "http://inside.example:"+port+"/", true)
	for _, c := range []struct{ addr, want string }{
		{"127.0.0.1", ""}, {"169.254.169.254", "no event"}, {"8.8.8.8", "https alone"}, {"64:ff9b::8.8.8.8", "https alone"}, {"127.0.0.1", ""},
	} {
		n.set(netip.MustParseAddr(c.addr))
		f := send(t, p)
		if (f == nil) != (c.want == "") || f != nil && !strings.Contains(f.text, c.want) {
			t.Errorf("%s: %+v", c.addr, f)
		}
	}
	if got := len(server.all()); got != 2 {
		t.Errorf("%d calls arrived, want 2", got)
	}
}

// TestNumbersThatLookLikeNames: what a C library would take for 127.0.0.1 is a name to us, and where it leads is looked at.
func TestNumbersThatLookLikeNames(t *testing.T) {
	n := newNames(t)
	n.set(netip.MustParseAddr("127.0.0.1"))
	for _, host := range []string{"2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.nip.example"} {
		p := newTestPoster(t, Config{resolver: n.resolver()}, "https://"+host+":1/", false)
		if f := send(t, p); f == nil || !strings.Contains(f.text, "private network") && !strings.Contains(f.text, "name") {
			t.Errorf("%s: %+v", host, f)
		}
	}
}
