package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

// openAccess is open mode.
type openAccess struct{}

func (openAccess) Authenticate(context.Context, string, []string) (model.Principal, error) {
	return model.Principal{Actor: model.ActorSandbox, Role: model.RoleAdmin}, nil
}

// openServer serves GET /metrics in open mode over TLS with HTTP/2, or over plain HTTP.
func openServer(t *testing.T, secure bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(httpapi.New(httpapi.Config{Access: openAccess{}, Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}))
	s.EnableHTTP2 = secure
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// TestOpenModeOverHTTP2: :authority is checked as Host is, and a host field beside it too.
func TestOpenModeOverHTTP2(t *testing.T) {
	t.Parallel()
	s := openServer(t, true)
	for _, tc := range []struct {
		authority, header, value string
		status                   int
	}{
		{"", "", "", 200},
		{"localhost", "", "", 200},
		{"evil.example", "", "", 403},
		{"localhost.evil.example", "", "", 403},
		{"localhost:1", "", "", 403},
		{"", "x-forwarded-for", "127.0.0.1", 403},
		{"", "via", "2 edge", 403},
		{"", "origin", "https://evil.example", 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = tc.authority; tc.header != "" {
			r.Header.Set(tc.header, tc.value)
		}
		response, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.ProtoMajor != 2 || response.StatusCode != tc.status {
			t.Errorf("%+v: %s %d", tc, response.Proto, response.StatusCode)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"a host field next to :authority": func(r *http.Request) { r.Header.Set("Host", "evil.example") },
		"HTTP/1.0":                        func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 0 },
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Host = "localhost"
		change(r)
		w := httptest.NewRecorder()
		if s.Config.Handler.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestOpenModeAnswersNoProxy: what only a proxy sends is refused, and the message names the remedy. The public side is open.
func TestOpenModeAnswersNoProxy(t *testing.T) {
	t.Parallel()
	address := strings.TrimPrefix(openServer(t, false).URL, "http://")
	for _, target := range []string{"http://" + address + "/metrics", "http://evil.example/metrics", "http://localhost/metrics"} {
		if a := exchangeAs(t, address, address, get, target, "", ""); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	a := exchangeAs(t, address, address, get, "/metrics", "X-Forwarded-For: 203.0.113.7", "")
	if !strings.Contains(string(a.body), "X-Forwarded-For") || !strings.Contains(string(a.body), "issuer token create") {
		t.Errorf("the refusal names neither the cause nor the remedy: %s", a.body)
	}
	if a := exchangeAs(t, address, "demo.example.org", get, "/healthz", "X-Forwarded-For: 203.0.113.7", ""); a.status != http.StatusOK {
		t.Errorf("the public side: %d", a.status)
	}
}
