package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of what a provider may answer.
const (
	maxDocument        = 512 << 10
	maxDocumentHeaders = 32 << 10
	maxKeys            = 32
	maxAddress         = 2048
)

const wellKnown = "/.well-known/openid-configuration"

// client reads a provider's two documents: the one at the well-known place, and the key set that it names. It follows no
// redirect, so that no other host is ever asked than the issuer's and the one that the issuer names.
type client struct {
	issuer string
	plain  bool // the issuer itself is http on loopback, and so may its key set be
	http   *http.Client
}

func newClient(issuer string, roots *x509.CertPool) (*client, error) {
	u, err := parseEndpoint(issuer, true)
	if err != nil {
		return nil, fmt.Errorf("the issuer %w", err)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, errors.New("the issuer must have no query (?)")
	}
	return &client{issuer: issuer, plain: u.Scheme == "http", http: &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true, // minutes lie between two readings
			DisableCompression:     true, // a bound on what is read is then one on what is sent
			MaxResponseHeaderBytes: maxDocumentHeaders,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// parseEndpoint reads the address of a document: https, or http on loopback where that is allowed. The error reads on
// from what the address is of, and does not repeat it.
func parseEndpoint(s string, plain bool) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxAddress:
		return nil, fmt.Errorf("must have at most %d characters", maxAddress)
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("must be a URL such as https://id.example.org")
	case u.User != nil:
		return nil, errors.New("must be a URL without a user and a password")
	case strings.Contains(s, "#"):
		return nil, errors.New("must be a URL without a fragment (#)")
	case u.Scheme == "https", u.Scheme == "http" && plain && loopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http" && plain:
		return nil, errors.New("must be https: http is for loopback alone")
	}
	return nil, errors.New("must be https")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// read reads both documents.
func (c *client) read(ctx context.Context) (*keySet, error) {
	var discovered struct {
		Issuer     string   `json:"issuer"`
		KeySet     string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := c.get(ctx, strings.TrimSuffix(c.issuer, "/")+wellKnown, &discovered); err != nil {
		return nil, fmt.Errorf("read its configuration: %w", err)
	}
	if discovered.Issuer != c.issuer {
		return nil, fmt.Errorf("the issuer calls itself %.200q: set exactly that, where it is the right one", discovered.Issuer)
	}
	if _, err := parseEndpoint(discovered.KeySet, c.plain); err != nil {
		return nil, fmt.Errorf("the address that it names for its keys (jwks_uri) %w", err)
	}
	set := &keySet{}
	for _, algorithm := range algorithms {
		if slices.Contains(discovered.Algorithms, string(algorithm)) {
			set.algorithms = append(set.algorithms, algorithm)
		}
	}
	if discovered.Algorithms == nil {
		set.algorithms = []jose.SignatureAlgorithm{jose.RS256} // which every provider has to support
	}
	if len(set.algorithms) == 0 {
		return nil, errors.New("it signs with no algorithm that can be accepted: it must name one of RS, PS, ES 256 to 512 or EdDSA")
	}
	var named struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := c.get(ctx, discovered.KeySet, &named); err != nil {
		return nil, fmt.Errorf("read its keys: %w", err)
	}
	if len(named.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, more than the %d that are looked through", len(named.Keys), maxKeys)
	}
	for _, text := range named.Keys {
		if key, err := readKey(text); err == nil {
			set.keys = append(set.keys, key)
		}
	}
	if len(set.keys) == 0 {
		return nil, fmt.Errorf("none of its %d keys is one that signs JWTs", len(named.Keys))
	}
	return set, nil
}

// get reads one document. Errors hold none of what was answered.
func (c *client) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("it answers %d and sends on to another place, which is not followed", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(body) > maxDocument {
		return fmt.Errorf("its answer has more than %d bytes", maxDocument)
	}
	if json.Unmarshal(body, into) != nil {
		return errors.New("its answer is not the JSON that it must be")
	}
	return nil
}
