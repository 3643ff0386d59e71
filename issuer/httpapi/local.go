package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// Open mode is the sandbox without tokens: every program on this machine is an administrator. A request is local if nothing in
// it shows another origin: no proxy forwarded it, its host is a loopback name with the listener's port or none, and no page of
// another site sent it. A proxy that adds no header and speaks HTTP/1.1 with a loopback Host cannot be recognised.

// errNotLocal answers a request that is not local. Tokens are the remedy in every case.
func errNotLocal(why error) error {
	return &model.Error{Code: model.CodeForbidden, Cause: why, Message: "without tokens, only programs on this machine may use this, " +
		"and the request " + why.Error() + ": create a token (issuer token create --name me --role admin) and send it, or address the service directly as localhost"}
}

// local returns nil if r is local, and else the reason, as the end of "the request …".
func local(r *http.Request) error {
	for name := range r.Header {
		if forwarding(name) {
			return fmt.Errorf("came through a proxy (header %.64s)", name)
		}
	}
	if !r.ProtoAtLeast(1, 1) {
		return errors.New("came through a proxy or an outdated client (HTTP/1.0)") // nginx's default towards its upstream before 1.29.7
	}
	if r.URL.Host != "" || r.URL.Scheme != "" {
		return errors.New("is addressed to a proxy (absolute URL)") // its Host field is ignored (RFC 9112, 3.2.2)
	}
	hosts := append(r.Header.Values("Host"), r.Host) // HTTP/2 may carry both :authority and host
	for _, host := range hosts {
		if !loopbackHost(host, listenerPort(r)) {
			return errors.New("names a host other than localhost and the port of this service")
		}
	}
	if !sameSite(r) {
		return errors.New("comes from a page of another site")
	}
	return nil
}

// The names of header fields that proxies, load balancers and content networks add to the requests that they forward.
var (
	forwardingNames    = []string{"via", "cdn-loop", "x-scheme", "x-host", "x-rewrite-url", "x-nginx-proxy", "x-amz-cf-id", "x-amzn-trace-id", "x-cloud-trace-context", "client-ip"}
	forwardingPrefixes = []string{"cf-", "fastly-", "fly-", "x-original-", "x-envoy-", "x-azure-", "x-appengine-", "tailscale-", "x-proxyuser-"}
	forwardingParts    = []string{"forwarded", "client-ip", "real-ip", "connecting-ip", "cluster-ip"}
)

// forwarding reports whether a header field is one that proxies add. Underscores count as hyphens, as with CGI.
func forwarding(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return slices.Contains(forwardingNames, name) ||
		slices.ContainsFunc(forwardingPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(forwardingParts, func(p string) bool { return strings.Contains(name, p) })
}

// listenerPort is the port at which a request arrived; 0 if unknown.
func listenerPort(r *http.Request) uint16 {
	if tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return tcp.AddrPort().Port()
	}
	return 0
}

// loopbackHost reports whether a Host is localhost or a loopback address, without a port or with this one. Other names could be
// an attacker's whose DNS points here (rebinding).
func loopbackHost(hostport string, listener uint16) bool {
	host := hostport
	if h, port, err := net.SplitHostPort(hostport); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n != uint64(listener) {
			return false
		}
		host = h
		if strings.Contains(h, ":") != strings.HasPrefix(hostport, "[") {
			return false
		}
	} else if inner, ok := strings.CutPrefix(hostport, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(host, ":") {
			return false
		}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// sameSite reports whether no page of another site sent a request, as far as a browser says.
func sameSite(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if !slices.Contains([]string{"", "same-origin", "none"}, site) {
			return false
		}
	}
	for _, origin := range r.Header.Values(echo.HeaderOrigin) {
		if u, err := url.Parse(origin); origin != "" && (err != nil || !strings.EqualFold(u.Host, r.Host)) {
			return false
		}
	}
	for _, page := range r.Header.Values("Referer") {
		if u, err := url.Parse(page); page != "" && (err != nil || u.Host != "" && !strings.EqualFold(u.Host, r.Host)) {
			return false
		}
	}
	return true
}
