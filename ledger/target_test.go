package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

const canary = "CANARYKEY0123456789"

// keyed puts a key everywhere into an address where providers put it.
func keyed(url string) string {
	scheme, host, _ := strings.Cut(url, "://")
	return fmt.Sprintf("%s://%su:%sw@%s/v1/%sp/?apikey=%sq&x=%%43ANARYKEY0123456789", scheme, canary, canary, host, canary, canary)
}

// No redirect is followed, over either transport, whatever it points to, and the message says where it leads, without the
// rest of that address.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var inner atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { inner.Add(1); w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{elsewhere.URL + "/meta?x=" + canary, "ws" + strings.TrimPrefix(elsewhere.URL, "http") + "/", "/other", "ftp://x/", ""} {
			from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}))
			for _, url := range []string{from.URL, "ws" + strings.TrimPrefix(from.URL, "http")} {
				c := newClient(t, url, func(c *Config) { c.ConnectWait = 20 * time.Millisecond; c.RetryFor = time.Nanosecond })
				var unconnected *ConnectionError
				_, err := c.Fee(t.Context())
				for errors.As(err, &unconnected) && unconnected.Cause == nil { // the first attempt to connect is not over
					_, err = c.Fee(t.Context())
				}
				if err == nil || !strings.Contains(err.Error(), "redirects are not followed") || strings.Contains(err.Error(), canary) {
					t.Errorf("%d to %q from %s: %v", status, location, url, err)
				}
			}
			from.Close()
		}
	}
	if n := inner.Load(); n != 0 {
		t.Errorf("%d requests came to where redirects point", n)
	}
}

// Whatever goes wrong, no error, log line or printed value holds a part of the address behind the host: libraries repeat
// addresses, and gateways repeat paths, keys and users.
func TestAddressIsSecret(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request, status int, format string) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(status)
		fmt.Fprintf(w, format, r.URL.String()+" "+r.URL.Path+" "+user+":"+password)
	}
	servers := map[string]http.HandlerFunc{
		"forbidden": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 403, "no access for %s") },
		"not found": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 404, "Cannot POST %s") },
		"limited":   func(w http.ResponseWriter, r *http.Request) { echo(w, r, 429, "%s is over its limit") },
		"cut":       func(w http.ResponseWriter, r *http.Request) { echo(w, r, 500, strings.Repeat("x", 185)+"%s") },
		"plain":     func(w http.ResponseWriter, r *http.Request) { echo(w, r, 200, "hello %s") },
		"error":     func(w http.ResponseWriter, r *http.Request) { echo(w, r, 200, `{"error":"%s"}`) },
		"error object": func(w http.ResponseWriter, r *http.Request) {
			echo(w, r, 200, `{"error":{"code":-32000,"message":"%s"}}`)
		},
		"engine": func(w http.ResponseWriter, r *http.Request) {
			echo(w, r, 200, `{"result":{"status":"success","drops":{"base_fee":"%s"}}}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1"+r.URL.String(), http.StatusFound)
		},
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		},
	}
	for name, handler := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(handler)
			t.Cleanup(s.Close)
			for _, url := range []string{s.URL, "ws" + strings.TrimPrefix(s.URL, "http")} {
				addressIsSecret(t, keyed(url))
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		addressIsSecret(t, keyed("ws://127.0.0.1:1"))
		addressIsSecret(t, keyed("http://127.0.0.1:1"))
	})
}

func addressIsSecret(t *testing.T, url string) {
	t.Helper()
	var log logs.Lines
	cfg := Config{URL: url, ConnectWait: 20 * time.Millisecond, RetryFor: time.Nanosecond, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
		PollInterval: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := c.Watch(testAlice)
	defer w.Stop()
	<-w.Ready()
	texts := []string{c.Node(), fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)}
	for _, e := range w.Take() {
		texts = append(texts, fmt.Sprint(e.Err), fmt.Sprintf("%+v", e))
	}
	_, feeErr := c.Fee(t.Context())
	_, submitErr := c.Submit(t.Context(), Signed{Blob: "00"})
	_, ledgerErr := c.Ledger(t.Context())
	if feeErr == nil || submitErr == nil || model.CodeOf(ledgerErr) != model.CodeLedgerUnavailable {
		t.Errorf("%v, %v, %v", feeErr, submitErr, ledgerErr)
	}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", cfg, "error", feeErr)
	w.Stop()
	c.Close() // printing a client reads all of it
	texts = append(texts, fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%+v", c.link))
	for err := range chain(feeErr, submitErr, ledgerErr) {
		texts = append(texts, err.Error(), fmt.Sprintf("%+v", err))
	}
	for _, text := range append(texts, log.String()) {
		if strings.Contains(text, canary[:12]) || strings.Contains(text, "apikey") {
			t.Errorf("the key is in: %s", text)
		}
	}
}

// chain yields errors and all that they unwrap to.
func chain(errs ...error) func(func(error) bool) {
	return func(yield func(error) bool) {
		for len(errs) > 0 {
			err := errs[0]
			errs = errs[1:]
			if err == nil {
				continue
			}
			if !yield(err) {
				return
			}
			switch e := err.(type) {
			case interface{ Unwrap() []error }:
				errs = append(errs, e.Unwrap()...)
			default:
				errs = append(errs, errors.Unwrap(err))
			}
		}
	}
}

// A hidden text keeps what the error is.
func TestHiddenErrorsMatch(t *testing.T) {
	t.Parallel()
	to, err := parseTarget("ws://node.example/" + canary)
	if err != nil {
		t.Fatal(err)
	}
	cause := fmt.Errorf("GET /%s: %w", canary, context.DeadlineExceeded)
	hiddenErr := to.hide(&ConnectionError{Method: "fee", Sent: true, Cause: cause})
	var lost *ConnectionError
	if !errors.As(hiddenErr, &lost) || !lost.Sent || !errors.Is(hiddenErr, context.DeadlineExceeded) || strings.Contains(hiddenErr.Error(), canary) {
		t.Errorf("%v", hiddenErr)
	}
	if to.hide(io.EOF) != io.EOF || to.hide(nil) != nil {
		t.Error("an error without a secret is not the same any more")
	}
}
