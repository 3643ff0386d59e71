package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of what an endpoint may answer. What is longer than maxAnswer is not read to its end, at the price of the connection.
const (
	maxAnswer        = 4 << 10
	maxAnswerHeaders = 16 << 10
	maxFailure       = 200
	keepIdle         = 90 * time.Second
)

const userAgent = "xrpl-credential-issuer-webhook/1"

// failure is why an attempt failed. Its text holds nothing that the endpoint has written, but for its certificate.
type failure struct {
	text       string
	gone       bool          // 410
	busy       bool          // 429 and 503: a Retry-After is about the endpoint
	retryAfter time.Duration // 0 where it asks for none
}

// poster makes the requests to one endpoint, over connections of its own.
type poster struct {
	endpoint  Endpoint
	transport *http.Transport
	dialer    net.Dialer
	life      context.Context // connections and what makes them end with it
}

func newPoster(life context.Context, e Endpoint, cfg Config) *poster {
	p := &poster{endpoint: e, life: life}
	p.dialer = net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.resolver, Control: p.control}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	p.transport = &http.Transport{
		Proxy:                  nil, // the address that is checked must be the endpoint's
		DialContext:            p.dial,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    cfg.Timeout,
		Protocols:              &protocols,
		DisableCompression:     true, // a bound on what is read is then one on what is sent
		MaxResponseHeaderBytes: maxAnswerHeaders,
		MaxIdleConnsPerHost:    cfg.Concurrency,
		IdleConnTimeout:        keepIdle,
	}
	return p
}

// control is asked before each connection, with the address that it would be to: no name is resolved after it.
func (p *poster) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &addressError{why: "which cannot be read"}
	}
	return p.endpoint.guard.check(to.Addr())
}

// dial makes a connection that ends with p.life: the transport goes on with one whose request has ended.
func (p *poster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	conn, err := p.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &ownedConn{Conn: conn, forget: context.AfterFunc(p.life, func() { _ = conn.Close() })}, nil
}

type ownedConn struct {
	net.Conn
	forget func() bool
}

func (c *ownedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// post sends once. It returns nil when the endpoint has taken it.
func (p *poster) post(ctx context.Context, id string, now func() time.Time, body []byte) *failure {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint.url.String(), bytes.NewReader(body))
	if err != nil {
		return &failure{text: "the request cannot be made"} // the cause repeats the address
	}
	timestamp := strconv.FormatInt(now().Unix(), 10)
	req.Header = http.Header{
		"Content-Type":  {"application/json"},
		"User-Agent":    {userAgent},
		headerID:        {id},
		headerTimestamp: {timestamp},
		headerSignature: {signatures(p.endpoint.secrets, id, timestamp, body)},
	}
	// The transport alone: it follows no redirect, keeps no cookie, and its errors do not repeat the address.
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return &failure{text: explain(ctx, err)}
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSwitchingProtocols { // whose body is the connection itself, which does not end with ctx
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // to its end where it is short, so that the connection can be used again
	}
	return judge(resp.StatusCode, resp.Header.Get("Retry-After"), now())
}

// judge says what an answer means.
func judge(status int, retryAfter string, now time.Time) *failure {
	f := &failure{
		text:       fmt.Sprintf("it answers %d", status),
		gone:       status == http.StatusGone,
		busy:       status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable,
		retryAfter: parseRetryAfter(retryAfter, now),
	}
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		f.text += " and sends on to another place, which is not followed: set the address that it is at"
	}
	return f
}

var (
	errTimeout = errors.New("it did not answer in time")
	errStopped = errors.New("the sender was stopped")
)

// explain puts an error of the transport into words that hold nothing of the address but its host, and nothing that the
// other side wrote but the names in its certificate.
func explain(ctx context.Context, err error) string {
	var (
		address     *addressError
		unknown     *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		network     *net.OpError
		wait        net.Error
	)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx).Error()
	case errors.As(err, &address):
		return address.Error()
	case errors.As(err, &unknown):
		if unknown.IsNotFound {
			return "its name is not known to the resolver"
		}
		return "its name cannot be resolved"
	case errors.As(err, &certificate):
		return printable("its certificate is not to be trusted: " + certificate.Err.Error())
	case errors.As(err, &record):
		return "it does not answer in TLS"
	case errors.As(err, &network) && network.Op == "remote error": // an alert, of a fixed list
		return printable("it refuses TLS: " + network.Err.Error())
	case strings.HasPrefix(err.Error(), "tls: "):
		return "it does not agree on TLS 1.2 or later"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it takes no connections"
	case errors.As(err, &wait) && wait.Timeout():
		return errTimeout.Error()
	case errors.As(err, &network) && network.Op == "dial":
		return "it cannot be connected to"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network),
		strings.Contains(err.Error(), "server closed idle connection"): // of net/http, which has no value for it
		return "it ended the connection without an answer"
	}
	return "it does not answer in HTTP that can be read"
}

// printable bounds a text that others have a part in, and leaves nothing in it that is not printable ASCII.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxFailure)]
}
