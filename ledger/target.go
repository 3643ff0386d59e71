package ledger

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// target is the address of a node. Providers put API keys into the path, the query or the user part, so that only scheme
// and host are public. Links hold a pointer to it: printing a link or a client prints an address in memory.
type target struct {
	url    string
	scheme string
	host   string // scheme and host
	// secrets are the parts of the URL that no text may repeat, the longest first.
	secrets []string
}

// leastSecret is the length from which on a part of a URL is hidden in texts, in bytes. Shorter parts, such as "v1",
// are no keys, and hiding them makes texts unreadable.
const leastSecret = 6

const urlHint = "write it like wss://s.altnet.rippletest.net:51233"

func parseTarget(raw string) (*target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the node's address is no URL: " + urlHint) // the URL may hold a key
	}
	if u.Host == "" {
		return nil, errors.New("the node's address has no host: " + urlHint)
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return nil, fmt.Errorf("the node's address begins with %q: use http://, https://, ws:// or wss://", excerpt([]byte(u.Scheme))+"://")
	}
	return &target{url: raw, scheme: u.Scheme, host: u.Scheme + "://" + u.Host, secrets: secretsOf(u)}, nil
}

// secretsOf returns the parts of a URL that may be keys, decoded and as they are written.
func secretsOf(u *url.URL) []string {
	var parts []string
	parts = append(parts, strings.Split(u.EscapedPath(), "/")...)
	parts = append(parts, strings.Split(u.Path, "/")...)
	parts = append(parts, strings.FieldsFunc(u.RawQuery, func(c rune) bool { return c == '&' || c == '=' || c == ';' })...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	parts = append(parts, u.EscapedFragment(), u.Fragment)
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.Username(), password)
		parts = append(parts, strings.Split(u.User.String(), ":")...)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return len(s) < leastSecret })
	slices.SortFunc(parts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(parts)
}

const hidden = "[redacted]"

// hideText removes the secret parts of the URL from a text, also where the text is cut within one.
func (t *target) hideText(s string) string {
	for _, secret := range t.secrets {
		s = strings.ReplaceAll(s, secret, hidden)
		if !strings.Contains(s, "...") {
			continue
		}
		for n := len(secret) - 1; n >= leastSecret; n-- {
			s = strings.ReplaceAll(s, secret[:n]+"...", hidden+"...")
		}
	}
	return s
}

// hide removes the secret parts of the URL from an error: libraries repeat addresses, and gateways repeat paths and keys.
// The error keeps its type, and matches the same targets of errors.Is.
func (t *target) hide(err error) error {
	if err == nil || len(t.secrets) == 0 || t.hideText(err.Error()) == err.Error() {
		return err
	}
	switch e := err.(type) {
	case *NodeError:
		clean := *e
		clean.Code, clean.Message = t.hideText(e.Code), t.hideText(e.Message)
		return &clean
	case *AnswerError:
		return &AnswerError{Method: e.Method, Reason: t.hideText(e.Reason), Cause: t.hide(e.Cause)}
	case *ConnectionError:
		return &ConnectionError{Method: e.Method, Sent: e.Sent, Cause: t.hide(e.Cause)}
	}
	return &hiddenError{text: t.hideText(err.Error()), cause: err}
}

// hiddenError is an error whose text has lost a secret. It has no Unwrap: the cause's text still holds it.
type hiddenError struct {
	text  string
	cause error
}

func (e *hiddenError) Error() string        { return e.text }
func (e *hiddenError) Is(target error) bool { return errors.Is(e.cause, target) }

// redirected describes a redirect. Where it points to is another host's business: the request may hold a key, and the
// answer may come from inside this network, so that no redirect is followed.
func redirected(method string, status int, header http.Header) error {
	to := "an address that cannot be read"
	if u, err := url.Parse(header.Get("Location")); err == nil && u.Host != "" {
		to = excerpt([]byte(u.Scheme + "://" + u.Host))
	} else if err == nil {
		to = "another path"
	}
	return &AnswerError{Method: method, Reason: fmt.Sprintf("HTTP status %d redirects to %s, and redirects are not followed: set the node's final address", status, to)}
}

func isRedirect(status int) bool { return status >= 300 && status < 400 }

// noRedirect makes an http.Client return a redirect as the answer.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
