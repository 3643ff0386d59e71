package webhook

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// maxURL bounds the address of an endpoint, and maxName its name.
	maxURL  = 2048
	maxName = 32
	// hashedID begins the ID of an endpoint without a name.
	hashedID = "url-"
)

// Endpoint is where events are sent to. It is made by [NewEndpoint], and prints as its ID and the scheme and host of its
// address; the rest may be secret.
type Endpoint struct {
	id      string
	url     *url.URL
	guard   guard
	secrets []Secret
	kinds   []model.EventKind // none: all
}

// NewEndpoint checks what is known of an endpoint.
//
// The name is by which the outbox knows it: an endpoint that keeps its name keeps its place when its address changes. It has 1
// to 32 of the characters a-z, 0-9, period, dash and underscore. Where it is empty, a hash of the address takes its place.
//
// The address is a URL: https with any port, without a user, a password or a fragment. Where private is true it may also be
// on a private network (see the package's documentation), and http there; what a name resolves to shows at each connection.
//
// The secrets are 1 to [MaxSecrets], the current one first. Receivers that are not one party should have each its own:
// whoever knows a secret can write what the others believe.
//
// Errors say what to change, and read on from what the endpoint is called; they repeat nothing of the address.
func NewEndpoint(name, address string, private bool, secrets ...Secret) (Endpoint, error) {
	e := Endpoint{id: name, secrets: append([]Secret(nil), secrets...)}
	if name != "" {
		if err := checkName(name); err != nil {
			return Endpoint{}, err
		}
	}
	if len(secrets) == 0 || len(secrets) > MaxSecrets {
		return Endpoint{}, fmt.Errorf("must have 1 to %d secrets", MaxSecrets)
	}
	for _, s := range secrets {
		if s.key == nil {
			return Endpoint{}, errors.New("must have secrets that are set")
		}
	}
	var err error
	if e.url, err = parseURL(address); err != nil {
		return Endpoint{}, err
	}
	e.guard = guard{private: private, plain: e.url.Scheme == "http"}
	if e.guard.plain && !private {
		return Endpoint{}, errors.New("must be https: http is for private networks, where they are allowed")
	}
	if err := e.checkHost(); err != nil {
		return Endpoint{}, err
	}
	if e.id == "" {
		sum := sha256.Sum256([]byte("webhook endpoint 1\n" + e.url.String()))
		e.id = hashedID + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
	}
	return e, nil
}

var errName = fmt.Errorf("must have a name of 1 to %d of the characters a-z, 0-9, period, dash and underscore, which does not begin with %s", maxName, hashedID)

func checkName(name string) error {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	if len(name) > maxName || strings.ContainsFunc(name, other) || strings.HasPrefix(name, hashedID) {
		return errName
	}
	return nil
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxURL:
		return nil, fmt.Errorf("must be a URL of at most %d characters", maxURL)
	case err != nil || u.Hostname() == "" || u.Opaque != "" || !ascii(s):
		return nil, errors.New("must be a URL such as https://example.org/hook, all of it printable ASCII")
	case u.User != nil:
		return nil, errors.New("must be a URL without a user and a password")
	case strings.Contains(s, "#"):
		return nil, errors.New("must be a URL without a fragment (#)")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be a URL that begins with https://")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("must be a URL with a port of 1 to 65535, or none")
		}
	}
	return u, nil
}

// ascii says whether all of s can be seen, and is ASCII: other names look like what they are not.
func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkHost refuses a host of which it can be told without a resolver that nothing may be sent to.
func (e Endpoint) checkHost() error {
	host := strings.ToLower(strings.TrimSuffix(e.url.Hostname(), "."))
	if !e.guard.private && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return errors.New("must not be on this machine: that must be allowed for it")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if err := e.guard.check(addr); err != nil {
			return fmt.Errorf("must be elsewhere: %w", err)
		}
	}
	return nil
}

// Same says whether two endpoints have the same ID, or the same address.
func (e Endpoint) Same(other Endpoint) bool { return e.id == other.id || e.sameAddress(other) }

func (e Endpoint) sameAddress(other Endpoint) bool {
	return e.url != nil && other.url != nil && e.url.String() == other.url.String()
}

// Kinds are the kinds of events that it is told of; none for all.
func (e Endpoint) Kinds() []model.EventKind { return slices.Clone(e.kinds) }

// ID is by which the outbox, logs and metrics know the endpoint: its name, or else url- and 16 characters of a hash.
func (e Endpoint) ID() string { return e.id }

// Address returns the scheme and the host of the endpoint's address, and its port where it has one; the rest may be secret.
func (e Endpoint) Address() string {
	if e.url == nil {
		return ""
	}
	return e.url.Scheme + "://" + e.url.Host
}

// Format writes the ID and the Address, whatever the verb.
func (e Endpoint) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, e.id+" ("+e.Address()+")") }

// LogValue is what Format writes.
func (e Endpoint) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(e)) }

// MarshalText is what Format writes.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(e)), nil }
