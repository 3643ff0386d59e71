package httpapi_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

// everything has the interface serve all that it can.
func everything(c *worldConfig) {
	c.furnish = append(c.furnish, func(_ *world, _ *issuer.Config, api *httpapi.Config) {
		api.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	})
}

// TestEveryRouteForEveryRole is the table of who may do what: each route, for each kind of caller, with its status. A route
// that is not in it fails the test.
func TestEveryRouteForEveryRole(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), under(memberPolicy, provenPolicy, reviewedPolicy), everything)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// What is asked about.
	operation := w.ask(t, "", w.subject, "Member", memberDocuments, "")
	if operation.status != http.StatusCreated {
		t.Fatalf("%d %s", operation.status, operation.body)
	}
	id, secret := w.waits(t, w.subject, "Reviewed", "")
	if a := w.as(t, d, "reviewer", post, "/admin/request/"+id+"/reject", jsonType, `{"reason":"blurred"}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	const row = `{"subject":"nobody","credential":"Member"}` + "\n"
	const ndjson = "Content-Type: application/x-ndjson"
	batch := w.as(t, d, "admin", post, "/admin/credential/batch", ndjson, row)
	if batch.status != http.StatusAccepted {
		t.Fatalf("%d %s", batch.status, batch.body)
	}

	const everybody = model.Role("")
	rows := []struct {
		method, path    string // as the route has them
		target          string
		headers, body   string
		least           model.Role
		status, refusal int // for those who may; for those who may not, 401 where they are nobody
	}{
		{method: post, path: "/credential", target: "/credential", headers: jsonType, body: `{}`, status: 400},
		{method: post, path: "/challenge", target: "/challenge", headers: jsonType, body: challengeBody(t, absent, "A", `{"x":1}`, ""), status: 200},
		{method: get, path: "/credential/:issuer/:subject/:type", target: "/credential/self/" + string(w.subject) + "/Member", status: 200},
		{method: get, path: "/request/:id", target: "/request/" + id + "?secret=" + secret, status: 200},
		{method: http.MethodDelete, path: "/request/:id", target: "/request/" + id + "?secret=" + secret, status: 409},
		{method: get, path: "/operations/:id", target: operation.header.Get("Location"), status: 200},
		{method: get, path: "/healthz", target: "/healthz", status: 200},
		{method: get, path: "/readyz", target: "/readyz", status: 200},

		{method: get, path: "/admin/credential", target: "/admin/credential", least: model.RoleReader, status: 200},
		{method: get, path: "/admin/batch/:id", target: batch.header.Get("Location"), least: model.RoleReader, status: 200},
		{method: get, path: "/admin/request", target: "/admin/request", least: model.RoleReader, status: 200},
		{method: get, path: "/admin/status", target: "/admin/status", least: model.RoleReader, status: 200},
		{method: get, path: "/metrics", target: "/metrics", least: model.RoleReader, status: 200},

		{method: get, path: "/admin/request/:id", target: "/admin/request/" + id, least: model.RoleReviewer, status: 200},
		{method: post, path: "/admin/request/:id/approve", target: "/admin/request/" + id + "/approve", least: model.RoleReviewer, status: 409},
		{method: post, path: "/admin/request/:id/reject", target: "/admin/request/" + id + "/reject", headers: jsonType, body: `{"reason":"again"}`, least: model.RoleReviewer, status: 409},

		{method: get, path: "/admin/audit", target: "/admin/audit", least: model.RoleAdmin, status: 200},
		{method: del, path: "/admin/credential", target: "/admin/credential", headers: jsonType, body: `{"subject":"` + absent + `","credential":"Member"}`, least: model.RoleAdmin, status: 404},
		{method: post, path: "/admin/credential/batch", target: "/admin/credential/batch", headers: ndjson, body: row, least: model.RoleAdmin, status: 202},
		{method: del, path: "/admin/batch/:id", target: batch.header.Get("Location"), least: model.RoleAdmin, status: 200},
	}
	type caller struct {
		name, header string
		role         model.Role // empty for nobody
		known        bool       // and yet it is somebody
	}
	bearer := func(text string) string { return "Authorization: Bearer " + text }
	callers := []caller{
		{name: "none"},
		{name: "empty", header: "Authorization: "},
		{name: "garbage", header: bearer("garbage")},
		{name: "another scheme", header: strings.Replace(d.header("admin"), "Bearer", "Basic", 1)},
		{name: "a token that nobody made", header: bearer(otherDigit(d.tokens["admin"]))},
		{name: "two headers", header: d.header("admin") + "\n" + d.header("admin")},
		{name: "expired token", header: d.header("expired")},
		{name: "revoked token", header: d.header("revoked")},
		{name: "JWT of another audience", header: bearer(d.idp.jwt(t, "boss", map[string]any{"aud": "another"}))},
		{name: "JWT of another issuer", header: bearer(d.idp.jwt(t, "boss", map[string]any{"iss": "https://example.org"}))},
		{name: "expired JWT", header: bearer(d.idp.jwt(t, "boss", map[string]any{"exp": later().Add(-time.Hour).Unix()}))},
		{name: "JWT of another key", header: bearer(d.idp.sign(t, stranger, map[string]any{"iss": d.idp.server.URL, "aud": audience, "sub": "x", "exp": later().Add(time.Hour).Unix(), "roles": "boss"}))},
		{name: "JWT without a known role", header: bearer(d.idp.jwt(t, "gardener", nil)), known: true},
		{name: "subject with its request's secret", header: bearer(secret)},
		{name: "reader", header: d.header("reader"), role: model.RoleReader},
		{name: "reviewer", header: d.header("reviewer"), role: model.RoleReviewer},
		{name: "admin", header: d.header("admin"), role: model.RoleAdmin},
		{name: "JWT of a reader", header: bearer(d.idp.jwt(t, "guest", nil)), role: model.RoleReader},
		{name: "JWT of a reviewer", header: bearer(d.idp.jwt(t, "clerk", nil)), role: model.RoleReviewer},
		{name: "JWT of an admin", header: bearer(d.idp.jwt(t, "boss", nil)), role: model.RoleAdmin},
	}

	// The table knows every route, and what it says about who may is what the routes say.
	routes := map[string]model.Role{}
	api := httpapi.New(httpapi.Config{Metrics: http.NotFoundHandler()})
	for _, r := range api.Routes() {
		routes[r.Method+" "+r.Path] = r.Role
	}
	for _, r := range rows {
		least, ok := routes[r.method+" "+r.path]
		if !ok || least != r.least {
			t.Errorf("%s %s needs %q here, and %q (%v) there", r.method, r.path, r.least, least, ok)
		}
		delete(routes, r.method+" "+r.path)
	}
	for r := range routes {
		t.Errorf("%s has no row in this table", r)
	}

	before := w.account()
	for _, r := range rows {
		methods := []string{r.method}
		if r.method == get {
			methods = append(methods, http.MethodHead)
		}
		for _, method := range methods {
			for _, who := range callers {
				want := r.status
				switch {
				case r.least == everybody || who.role.Allows(r.least):
				case who.role == "" && !who.known:
					want = http.StatusUnauthorized
				default:
					want = http.StatusForbidden
				}
				a := w.send(t, method, r.target, r.headers+"\n"+who.header, r.body)
				if a.status != want {
					t.Errorf("%s %s, %s: %d, want %d: %s", method, r.path, who.name, a.status, want, a.body)
				}
				if challenge := a.header.Get("WWW-Authenticate"); (challenge != "") != (want == http.StatusUnauthorized) || challenge != "" && !strings.HasPrefix(challenge, "Bearer ") {
					t.Errorf("%s %s, %s: WWW-Authenticate is %q", method, r.path, who.name, challenge)
				}
				if method == http.MethodHead {
					if len(a.body) != 0 {
						t.Errorf("HEAD %s, %s: %q", r.path, who.name, a.body)
					}
					continue
				}
				if want >= 400 {
					a.holdsItsForm(t)
				}
				if want == http.StatusUnauthorized && (a.str("error") != "unauthorized" || strings.Contains(who.header, a.str("error_message"))) {
					t.Errorf("%s %s, %s: %s", method, r.path, who.name, a.body)
				}
			}
		}
	}
	// A subject shows who they are by a proof, for which no token stands in.
	proven := func(header, more string) answer { return w.ask(t, header, w.subject, "Proven", `{"x":1}`, more) }
	for _, who := range callers {
		if a := proven(who.header, ""); a.status != http.StatusBadRequest || !strings.Contains(a.str("error_message"), "proof must be given") {
			t.Errorf("without a proof, %s: %d %s", who.name, a.status, a.body)
		}
	}
	if after := w.account(); after != before {
		t.Errorf("it cost something: the issuer was %+v and is %+v", before, after)
	}
	if a := proven("", proof(t, w.challenge(t, w.subject, "Proven", `{"x":1}`, ""), w.subjectSeed)); a.status != http.StatusCreated {
		t.Errorf("with a proof: %d %s", a.status, a.body)
	}
	if got := w.as(t, d, "reviewer", get, "/admin/request/"+id, "", ""); got.str("reason") != "blurred" {
		t.Errorf("a decision was changed: %s", got.body)
	}
	for _, text := range d.tokens {
		if strings.Contains(w.log.String(), text[21:]) {
			t.Error("the log holds the secret of a token")
		}
	}
	if strings.Contains(w.log.String(), secret) {
		t.Error("the log holds the secret of a request")
	}
	for _, cause := range []string{"was revoked", "has expired", "another audience"} {
		if !strings.Contains(w.log.String(), cause) {
			t.Errorf("the log does not say %q", cause)
		}
	}
}

// otherDigit is a token in good form that was never made: its last digit but those of the checksum cannot be told to be wrong.
func otherDigit(token string) string {
	last := byte('a')
	if token[30] == last {
		last = 'b'
	}
	return token[:30] + string(last) + token[31:]
}

// TestNothingElseIsThere: no path and no method but those of the table leads anywhere, whoever asks.
func TestNothingElseIsThere(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), everything)
	const id = "01JD8Q4Z7T9XW3V5K2M6N8P0RS"
	targets := map[string][]string{} // by path, its methods
	for _, r := range httpapi.New(httpapi.Config{Metrics: http.NotFoundHandler()}).Routes() {
		path := strings.NewReplacer(":id", id, ":issuer", "self", ":subject", absent, ":type", "Member").Replace(r.Path)
		targets[path] = append(targets[path], r.Method)
		if r.Method == get {
			targets[path] = append(targets[path], http.MethodHead)
		}
	}
	for path, methods := range targets {
		for _, method := range []string{get, http.MethodHead, post, http.MethodPut, http.MethodPatch, del, http.MethodTrace, "PROPFIND", "QUERY"} {
			if slices.Contains(methods, method) {
				continue
			}
			for _, caller := range []string{"", "admin"} {
				a := w.as(t, d, caller, method, path, "", "")
				if a.status != http.StatusMethodNotAllowed || !sameWords(a.header.Get("Allow"), strings.Join(append(methods, "OPTIONS"), ", ")) {
					t.Errorf("%s %s: %d, Allow %q", method, path, a.status, a.header.Get("Allow"))
				}
			}
		}
	}
	for _, path := range []string{"/", "/admin", "/admin/", "/admin/credential/", "//admin/credential", "/Admin/credential", "/ADMIN/CREDENTIAL",
		"/admin%2Fcredential", "/%61dmin/credential", "/admin/./credential", "/healthz/../admin/credential", "/admin/credential;x=1",
		"/admin/credential%00", "/admin/request/" + id + "/", "/admin/request/" + id + "/decide",
		"/request", "/operations", "/credential/self/" + absent, "/credential/self/" + absent + "/Member/more", "/credential/self/" + absent + "/Member/", "/admin/batch", "/admin/token",
		"/metrics/", "/debug/pprof", "/.well-known/x", "/favicon.ico", "/robots.txt"} {
		for _, method := range []string{get, post, del} {
			for _, caller := range []string{"", "admin"} {
				if a := w.as(t, d, caller, method, path, "", ""); a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
					t.Errorf("%s %s as %q: %d %s", method, path, caller, a.status, a.body)
				}
			}
		}
	}
	if entries := w.audited(t, "call"); len(entries) != 0 {
		t.Errorf("the audit log tells of calls that led nowhere: %+v", entries)
	}
	for _, target := range []string{"/admin/request/" + id + "%2Fapprove", "/admin/request/%2e%2e", "/admin/batch/" + id + "%00"} { // ids that nothing has
		if a := w.send(t, get, target, "", ""); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if a := w.as(t, d, "admin", get, target, "", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

// audited returns the entries of an action.
func (w *world) audited(t *testing.T, action string) []model.AuditEntry {
	t.Helper()
	all, err := w.store.AuditEntries(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e model.AuditEntry) bool { return e.Action != action })
}

// TestCallsAreAudited: each call of the administrators' side by somebody who is known is one entry, also one that is refused;
// calls by nobody, and those of the public side, are none.
func TestCallsAreAudited(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), everything, on(database))
		jwt := d.idp.jwt(t, "guest", map[string]any{"sub": "alice <b>@example.org"})
		type call struct{ actor, target, status, id string }
		var want []call
		expect := func(actor, method, path string, a answer) {
			want = append(want, call{actor, method + " " + path, strconv.Itoa(a.status), a.header.Get("X-Request-Id")})
		}
		expect("token:reader", get, "/admin/status", w.as(t, d, "reader", get, "/admin/status?", "X-Request-Id: mine-1", ""))
		expect("token:reader", http.MethodHead, "/admin/credential", w.as(t, d, "reader", http.MethodHead, "/admin/credential?accepted=no", "", ""))
		expect("token:reader", get, "/admin/audit", w.as(t, d, "reader", get, "/admin/audit", "", ""))
		expect("jwt:alice%20%3Cb%3E@example.org", get, "/admin/audit", w.as(t, d, jwt, get, "/admin/audit", "", ""))
		expect("jwt:gardener@example.org", get, "/admin/status", w.as(t, d, d.idp.jwt(t, "gardener", nil), get, "/admin/status", "", ""))
		expect("token:admin", del, "/admin/credential", w.as(t, d, "admin", del, "/admin/credential", jsonType, "{"))
		expect("token:admin", get, "/admin/batch/%00%0A", w.as(t, d, "admin", get, "/admin/batch/%00%0A", "", ""))
		expect("token:admin", http.MethodHead, "/admin/batch/%ff", w.as(t, d, "admin", http.MethodHead, "/admin/batch/%ff", "", ""))
		w.as(t, d, "admin", get, "/admin/batch/%fe", "", "") // counted with those before
		for range 20 {                                       // a flood of nobody
			w.send(t, get, "/admin/status", "", "")
			w.as(t, d, "revoked", get, "/admin/status", "", "")
		}
		w.as(t, d, "admin", get, "/healthz", "", "")
		w.as(t, d, "admin", get, "/metrics", "", "")
		w.as(t, d, "admin", get, "/credential/self/"+absent+"/Member", "", "")

		var got []call
		for _, e := range w.audited(t, "call") {
			got = append(got, call{e.Actor, e.Target, strconv.Itoa(e.Status), e.RequestID})
		}
		if !slices.Equal(got, want) {
			t.Errorf("audited\n%+v\nwant\n%+v", got, want)
		}
		if got[0].id != "mine-1" || got[2].status != "403" || got[4].status != "403" || got[5].status != "400" || got[6].status != "404" {
			t.Errorf("%+v", got)
		}

		// And they are shown, in their order, chained.
		var shown struct {
			Entries []struct {
				Seq                                   int64
				Time, Actor, Action, Target, Previous string
				Hash                                  string
				Status                                int
			}
			Next int64
		}
		previous, after, count := strings.Repeat("0", 64), int64(0), 0
		for {
			a := w.as(t, d, "admin", get, "/admin/audit?limit=3&after="+strconv.FormatInt(after, 10), "", "")
			shown.Entries, shown.Next = nil, 0
			if err := json.Unmarshal(a.body, &shown); err != nil || a.status != http.StatusOK {
				t.Fatalf("%d %s %v", a.status, a.body, err)
			}
			for _, e := range shown.Entries {
				count++
				if e.Seq != int64(count) || e.Previous != previous || len(e.Hash) != 64 || e.Time == "" || e.Actor == "" {
					t.Fatalf("entry %d is %+v after %s", count, e, previous)
				}
				previous = e.Hash
			}
			if after = shown.Next; after == 0 || count > 100 {
				break
			}
		}
		if count < len(want)+5 { // tokens were made, and one was revoked
			t.Errorf("%d entries are shown", count)
		}
		for _, query := range []string{"after=-1", "after=x", "limit=0", "limit=1001", "limit=x", "after=1&after=2", "page=1"} {
			if a := w.as(t, d, "admin", get, "/admin/audit?"+query, "", ""); a.status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", query, a.status, a.body)
			}
		}
	})
}

// TestSandboxIsOpen: without tokens every program of this machine is an administrator, and no page of a browser, whatever name
// it has for this machine. The first token ends that for good.
func TestSandboxIsOpen(t *testing.T) {
	w := newWorld(t, func(c *worldConfig) {
		c.furnish = append(c.furnish, func(w *world, _ *issuer.Config, api *httpapi.Config) {
			api.Access, api.Audit = newAuthenticator(w, access.Config{Open: true}), w.store
		})
	})
	host := strings.TrimPrefix(w.url, "http://")
	_, port, _ := strings.Cut(host, ":")
	list := func(host, headers string) answer {
		t.Helper()
		return exchangeAs(t, strings.TrimPrefix(w.url, "http://"), host, get, "/admin/credential", headers, "")
	}
	for _, tc := range []struct {
		host, headers string
		status        int
	}{
		{host, "", 200},
		{"localhost:" + port, "", 200},
		{"LOCALHOST", "", 200},
		{"localhost.:" + port, "", 200},
		{"127.8.9.1", "", 200},
		{"[::1]:" + port, "", 200},
		{host, "Origin: http://" + host, 200},
		{host, "Sec-Fetch-Site: same-origin\nOrigin: http://" + host, 200},
		{host, "Sec-Fetch-Site: none", 200},

		{"evil.example", "", 403},
		{"evil.example:" + port, "", 403},
		{"localhost.evil.example", "", 403},
		{"127.0.0.1.evil.example", "", 403},
		{"0.0.0.0:" + port, "", 403},
		{"10.0.0.1", "", 403},
		{"", "", 403},
		{host, "Origin: http://evil.example", 403},
		{host, "Origin: http://localhost:3000", 403},
		{host, "Origin: null", 403},
		{host, "Origin: ", 200}, // says nothing
		{host, "Sec-Fetch-Site: cross-site", 403},
		{host, "Sec-Fetch-Site: same-site", 403},
		{host, "Sec-Fetch-Site: same-origin\nOrigin: http://evil.example", 403},
		{"evil.example", "Origin: http://evil.example\nSec-Fetch-Site: same-origin", 403},
		{host, "Referer: http://evil.example/page", 403},
		{host, "Referer: http://" + host + "/page", 200},
		{"localhost:1", "", 403},
		{"[localhost]", "", 403},
		{"[::1%25lo]", "", 403},
		{"[::ffff:127.0.0.1]", "", 200},
		{"127.0.0.1:", "", 403},

		{host, "X-Forwarded-For: 203.0.113.7", 403},
		{host, "x-forwarded-host: localhost", 403},
		{host, "X-FORWARDED-PROTO: https", 403},
		{host, "X_Forwarded_For: 127.0.0.1", 403},
		{host, "X-Original-Forwarded-For: 127.0.0.1", 403},
		{host, "Forwarded: for=127.0.0.1", 403},
		{host, "Via: 1.1 nginx", 403},
		{host, "X-Real-IP: 127.0.0.1", 403},
		{host, "X-Client-IP: 127.0.0.1", 403},
		{host, "X-Cluster-Client-IP: 127.0.0.1", 403},
		{host, "True-Client-IP: 127.0.0.1", 403},
		{host, "CF-Connecting-IP: 127.0.0.1", 403},
		{host, "CF-Ray: 1", 403},
		{host, "Fastly-Client-IP: 127.0.0.1", 403},
		{host, "X-Envoy-External-Address: 127.0.0.1", 403},
		{host, "X-Forwarded-For: ", 403},
		{host, "User-Agent: forwarded via proxy", 200}, // a value, not a name
	} {
		if a := list(tc.host, tc.headers); a.status != tc.status {
			t.Errorf("Host %q, %q: %d, want %d: %s", tc.host, tc.headers, a.status, tc.status, a.body)
		}
	}
	// The public side and health are for everybody.
	if a := exchangeAs(t, host, "evil.example", get, "/healthz", "", ""); a.status != http.StatusOK {
		t.Errorf("healthz: %d", a.status)
	}
	if a := w.revoke(t, w.subject, "Nothing"); a.status != http.StatusNotFound {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	for _, e := range w.audited(t, "call") {
		if e.Actor != model.ActorSandbox || e.Status == http.StatusForbidden {
			t.Errorf("%+v", e)
		}
	}
	text, token, err := access.Mint("first", model.RoleReader, time.Now(), time.Time{})
	if err == nil {
		err = w.store.CreateToken(t.Context(), token, model.AuditEntry{Actor: "cli:test"})
	}
	if err != nil {
		t.Fatal(err)
	}
	closed := func(when string) {
		t.Helper()
		if a := list(host, ""); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", when, a.status, a.body)
		}
	}
	closed("with a token")
	if a := list("issuer.example.org", "Authorization: Bearer "+text.Reveal()); a.status != http.StatusOK { // now it may be served anywhere
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := w.store.RevokeToken(t.Context(), "first", model.AuditEntry{Actor: "cli:test"}); err != nil {
		t.Fatal(err)
	}
	closed("with the token revoked")
	if again, err := newAuthenticator(w, access.Config{Open: true}).Open(t.Context()); err != nil || again {
		t.Errorf("after a restart it is open again: %v, %v", again, err)
	}
}

// TestNobodyCanTellNow: while the identity provider does not answer, JWTs are neither believed nor refused; tokens go on.
func TestNobodyCanTellNow(t *testing.T) {
	d := &door{}
	w := newWorld(t, guarded(d), func(c *worldConfig) {
		c.furnish = append(c.furnish, func(w *world, _ *issuer.Config, api *httpapi.Config) {
			api.Access = newAuthenticator(w, access.Config{OIDC: &access.OIDC{Issuer: "http://127.0.0.1:1", Audience: audience, RoleClaim: "roles",
				Roles: map[string]model.Role{"boss": model.RoleAdmin}}})
		})
	})
	a := w.as(t, d, d.idp.jwt(t, "boss", nil), get, "/admin/status", "", "")
	a.holdsItsForm(t)
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != http.StatusServiceUnavailable || a.str("error") != "accessUnavailable" || err != nil || seconds < 1 {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := w.as(t, d, "reader", get, "/admin/status", "", ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestWithoutAccess: an interface that was given nobody to ask lets nobody in.
func TestWithoutAccess(t *testing.T) {
	api := httpapi.New(httpapi.Config{Issuer: scripted{}, Metrics: http.NotFoundHandler()})
	for _, r := range api.Routes() {
		if r.Role == "" {
			continue
		}
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, httptest.NewRequest(r.Method, strings.ReplaceAll(r.Path, ":id", "x"), nil))
		if recorder.Code != http.StatusUnauthorized {
			t.Errorf("%s %s: %d", r.Method, r.Path, recorder.Code)
		}
	}
}

// TestFailedLogins: over the real server, with the real store: a client that guesses is refused unseen, on every route
// that needs a token, until its time has come; who was let in before goes on, from the same address too.
func TestFailedLogins(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		now := later()
		w := newWorld(t, guarded(d), everything, on(database), func(c *worldConfig) {
			c.furnish = append(c.furnish, func(w *world, _ *issuer.Config, api *httpapi.Config) {
				cfg := doorOf(d)
				cfg.Failures, cfg.Now = access.Rate{Count: 4, Per: time.Minute}, func() time.Time { return now } // moved between requests
				api.Access = newAuthenticator(w, cfg)
				proxies, err := access.ParseProxies("127.0.0.1")
				if err != nil {
					t.Fatal(err)
				}
				api.ClientIP = func(r *http.Request) string {
					return access.ClientKey(proxies.ClientIP(r.RemoteAddr, r.Header.Values("X-Forwarded-For")))
				}
			})
		})
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		from := func(n int) string { return fmt.Sprintf("X-Forwarded-For: 203.0.113.9, 198.51.100.%d", n) }
		if a := w.as(t, d, "reader", get, "/admin/status", from(7), ""); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		guesses := []string{"revoked", "expired", d.idp.sign(t, stranger, map[string]any{"iss": d.idp.server.URL}), "not-a-token"}
		for _, guess := range guesses {
			if a := w.as(t, d, guess, get, "/admin/status", from(1), ""); a.status != http.StatusUnauthorized {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		for _, target := range []string{"/admin/status", "/admin/request/" + strings.Repeat("0", 26), "/metrics", "/admin/audit"} {
			for _, caller := range append(guesses, "admin", d.idp.jwt(t, "boss", nil)) { // also who would be let in: nobody looks
				a := w.as(t, d, caller, get, target, from(1), "")
				a.holdsItsForm(t)
				wait, err := strconv.Atoi(a.header.Get("Retry-After"))
				if a.status != http.StatusTooManyRequests || a.str("error") != "tooManyRequests" || err != nil || wait < 1 || wait > 15 || a.header.Get("WWW-Authenticate") != "" {
					t.Errorf("%s: %d, Retry-After %q: %s", target, a.status, a.header.Get("Retry-After"), a.body)
				}
			}
			if a := w.send(t, get, target, from(1), ""); a.status != http.StatusUnauthorized {
				t.Errorf("without a token: %d", a.status)
			}
		}
		if n := len(w.audited(t, "call")); n != 1 {
			t.Errorf("%d calls are audited of one", n)
		}
		if a := w.as(t, d, "reader", get, "/admin/status", from(1), ""); a.status != http.StatusOK {
			t.Errorf("one that held before: %d %s", a.status, a.body)
		}
		if a := w.as(t, d, "reader", get, "/admin/audit", from(1), ""); a.status != http.StatusForbidden {
			t.Errorf("one that held before, and may not: %d %s", a.status, a.body)
		}
		if a := w.as(t, d, "admin", get, "/admin/audit", from(2), ""); a.status != http.StatusOK {
			t.Errorf("another client: %d %s", a.status, a.body)
		}
		for range 8 { // who may not is no guesser
			if a := w.as(t, d, "reviewer", get, "/admin/audit", from(3), ""); a.status != http.StatusForbidden {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		now = now.Add(15 * time.Second)
		if a := w.as(t, d, "revoked", get, "/admin/status", from(1), ""); a.status != http.StatusUnauthorized {
			t.Errorf("later: %d %s", a.status, a.body)
		}
		if a := w.as(t, d, "revoked", get, "/admin/status", from(1), ""); a.status != http.StatusTooManyRequests {
			t.Errorf("later, and once more: %d %s", a.status, a.body)
		}
		if strings.Contains(w.log.String(), d.tokens["revoked"][21:]) {
			t.Error("a token is in the log")
		}
	})
}

// TestRates: each client of the public side has its rate, and so has each subject; administrators have none. What comes again
// with its key is no request of its own for the subject.
func TestRates(t *testing.T) {
	d := &door{}
	now := time.Now()
	clock := func() time.Time { return now } // moved between requests
	w := newWorld(t, guarded(d), under(append(provenPolicies(3), memberPolicy, reviewedPolicy)...), func(c *worldConfig) {
		c.furnish = append(c.furnish, func(_ *world, _ *issuer.Config, api *httpapi.Config) {
			api.ClientLimit = access.NewLimiter(access.Rate{Count: 5, Per: time.Minute}, 0, clock)
			api.UnprovenLimit = access.NewLimiter(access.Rate{Count: 2, Per: time.Minute}, 0, clock)
			api.SubjectLimit = access.NewLimiter(access.Rate{Count: 2, Per: time.Minute}, 0, clock)
			api.ProofLimit = access.NewLimiter(access.Rate{Count: 1, Per: issuer.ChallengeTime}, 0, clock)
			proxies, err := access.ParseProxies("127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			api.ClientIP = func(r *http.Request) string {
				return access.ClientKey(proxies.ClientIP(r.RemoteAddr, r.Header.Values("X-Forwarded-For")))
			}
		})
	})
	from := func(n int) string {
		return "X-Forwarded-For: 203.0.113.9, " + netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}).String()
	}
	limited := func(what string, a answer, seconds int) {
		t.Helper()
		a.holdsItsForm(t)
		if wait, err := strconv.Atoi(a.header.Get("Retry-After")); a.status != http.StatusTooManyRequests || a.str("error") != "tooManyRequests" || err != nil || wait < 1 || wait > seconds {
			t.Errorf("%s: %d, Retry-After %q: %s", what, a.status, a.header.Get("Retry-After"), a.body)
		}
	}
	// A client, whatever it asks for.
	check := "/credential/self/" + string(w.subject) + "/Member"
	for n, target := range []string{check, "/request/" + strings.Repeat("0", 26) + "?secret=x", "/operations/x", check, check} {
		if a := w.send(t, get, target, from(1), ""); a.status == http.StatusTooManyRequests {
			t.Errorf("request %d is one too many: %s", n+1, a.body)
		}
	}
	limited("the sixth", w.send(t, get, check, from(1), ""), 12)
	if a := w.send(t, http.MethodHead, check, from(1), ""); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	limited("another route", w.send(t, post, "/challenge", jsonType+"\n"+from(1), `{"subject":"`+absent+`"}`), 12)
	if a := w.send(t, get, check, from(2), ""); a.status != http.StatusOK {
		t.Errorf("another client: %d %s", a.status, a.body)
	}
	if a := w.send(t, get, check, "X-Forwarded-For: 198.51.100.1, 198.51.100.77", ""); a.status != http.StatusOK {
		t.Errorf("another client that says it was asked by the first: %d %s", a.status, a.body)
	}
	for range 8 {
		if a := w.as(t, d, "reader", get, "/admin/status", from(1), ""); a.status != http.StatusOK {
			t.Errorf("an administrator: %d %s", a.status, a.body)
		}
		if a := w.send(t, get, "/healthz", from(1), ""); a.status != http.StatusOK {
			t.Errorf("health: %d", a.status)
		}
	}
	now = now.Add(12 * time.Second)
	if a := w.send(t, get, check, from(1), ""); a.status != http.StatusOK {
		t.Errorf("later: %d %s", a.status, a.body)
	}
	limited("later, and once more", w.send(t, get, check, from(1), ""), 12)

	// A client's requests for one subject without a proof.
	first := w.ask(t, from(10)+"\nIdempotency-Key: a", w.subject, "Member", memberDocuments, "")
	second := w.ask(t, from(10)+"\nIdempotency-Key: b", w.subject, "Reviewed", `{"x":1}`, "")
	if first.status != http.StatusCreated || second.status != http.StatusAccepted {
		t.Fatalf("%d %s, %d %s", first.status, first.body, second.status, second.body)
	}
	limited("the client's third for the subject", w.ask(t, from(10), w.subject, "Member", memberDocuments, ""), 30)
	limited("a challenge for it", w.send(t, post, "/challenge", jsonType+"\n"+from(10), challengeBody(t, w.subject, "P0", `{"x":1}`, "")), 30)
	for range 3 {
		if a := w.ask(t, from(14)+"\nIdempotency-Key: a", w.subject, "Member", memberDocuments, ""); a.status != http.StatusCreated || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("a replay: %d %s", a.status, a.body)
		}
	}
	if a := w.ask(t, from(15)+"\nIdempotency-Key: b", w.subject, "Reviewed", `{"x":1}`, ""); a.status != http.StatusAccepted || a.str("link") != second.str("link") {
		t.Errorf("a replay: %d %s", a.status, a.body)
	}
	if a := w.ask(t, from(16), absent, "Member", memberDocuments, ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("another subject: %d %s", a.status, a.body)
	}
	if a := w.send(t, post, "/credential", jsonType+"\n"+from(17), "{"); a.status != http.StatusBadRequest { // is for no subject
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.send(t, get, check, from(18), ""); a.status != http.StatusOK { // looking is free
		t.Errorf("%d %s", a.status, a.body)
	}
	// The subject's requests, proven, from wherever they come. Nothing that others did counts.
	signed := map[string]string{}
	for n, credential := range []string{"P0", "P1", "P2"} {
		a := w.send(t, post, "/challenge", jsonType+"\n"+from(20+n), challengeBody(t, w.subject, credential, `{"x":1}`, ""))
		if a.status != http.StatusOK {
			t.Fatalf("the subject's challenge: %d %s", a.status, a.body)
		}
		signed[credential] = proof(t, read[challenge](t, a), w.subjectSeed)
	}
	if a := w.ask(t, from(30), w.subject, "P0", `{"x":1}`, signed["P0"]); a.status != http.StatusCreated {
		t.Errorf("proven: %d %s", a.status, a.body)
	}
	for n := range 4 { // whoever obtained the proof repeats it
		if a := w.ask(t, from(31+n), w.subject, "P0", `{"x":1}`, signed["P0"]); a.status != http.StatusConflict {
			t.Errorf("repeated: %d %s", a.status, a.body)
		}
		if a := w.ask(t, from(31+n), w.subject, "P1", `{"x":1}`, signed["P0"]); a.status != http.StatusForbidden {
			t.Errorf("for another credential: %d %s", a.status, a.body)
		}
	}
	if a := w.ask(t, from(40), w.subject, "P1", `{"x":1}`, signed["P1"]); a.status != http.StatusCreated {
		t.Errorf("proven: %d %s", a.status, a.body)
	}
	limited("the subject's third", w.ask(t, from(41), w.subject, "P2", `{"x":1}`, signed["P2"]), 30)
	refusedProof(t, "a wrong proof", w.ask(t, from(42), w.subject, "P2", `{"x":2}`, signed["P2"]), "this request")
	refusedProof(t, "a wrong proof again", w.ask(t, from(42), w.subject, "P2", `{"x":2}`, signed["P2"]), "this request")
	limited("wrong proofs of one client", w.ask(t, from(42), w.subject, "P2", `{"x":2}`, signed["P2"]), 30)

	now = now.Add(30 * time.Second)
	if a := w.ask(t, from(41), w.subject, "P2", `{"x":1}`, signed["P2"]); a.status != http.StatusCreated {
		t.Errorf("later: %d %s", a.status, a.body)
	}
	if a := w.ask(t, from(10), w.subject, "Member", memberDocuments, ""); a.status != http.StatusConflict {
		t.Errorf("later: %d %s", a.status, a.body)
	}
	// Who was limited is in the log by the address that the proxy vouches for, and by no other.
	clients := map[string]bool{}
	for _, line := range w.log.requests(t) {
		clients[fmt.Sprint(line["client"])] = true
	}
	if !clients["198.51.100.1"] || clients["203.0.113.9"] {
		t.Errorf("clients %v", slices.Sorted(maps.Keys(clients)))
	}
}

// TestDeniedJWTs: what another replica denies is refused here with the next call, by subject or by id, also where it
// held just before; and it is let in again when that is taken back.
func TestDeniedJWTs(t *testing.T) {
	onDatabases(t, func(t *testing.T, database store.Config) {
		d := &door{}
		w := newWorld(t, guarded(d), on(database), func(c *worldConfig) {
			c.furnish = append(c.furnish, func(w *world, _ *issuer.Config, api *httpapi.Config) {
				cfg := doorOf(d)
				cfg.Failures = access.Rate{Count: 2, Per: time.Minute}
				api.Access = newAuthenticator(w, cfg)
			})
		})
		replica := openStore(t, w.storeConfig)
		by := model.AuditEntry{Actor: "cli:test"}
		one, other := d.idp.jwt(t, "boss", map[string]any{"jti": "one"}), d.idp.jwt(t, "boss", map[string]any{"jti": "other"})
		clerk := d.idp.jwt(t, "clerk", nil)
		want := func(what, jwt string, status int) {
			t.Helper()
			a := w.as(t, d, jwt, get, "/admin/request", "", "")
			if a.status != status || status == http.StatusUnauthorized && a.str("error_message") != w.as(t, d, "", get, "/admin/request", "", "").str("error_message") {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		deny := func(kind model.DenialKind, value string) {
			t.Helper()
			if err := replica.Deny(t.Context(), model.Denial{Kind: kind, Value: value, Expires: time.Now().Add(time.Hour)}, by); err != nil {
				t.Fatal(err)
			}
		}
		for _, jwt := range []string{one, other, clerk} {
			want("at first", jwt, http.StatusOK)
		}
		deny(model.DeniedID, "one")
		want("its id is denied", one, http.StatusUnauthorized)
		want("another of the same subject", other, http.StatusOK)
		want("another subject", clerk, http.StatusOK)
		deny(model.DeniedSubject, "boss@example.org")
		want("its subject is denied", other, http.StatusUnauthorized)
		want("another subject", clerk, http.StatusOK)
		want("one that is denied is one like others", other, http.StatusTooManyRequests)
		deny(model.DeniedSubject, "clerk@example.org")
		if err := replica.Allow(t.Context(), model.DeniedSubject, "clerk@example.org", by); err != nil {
			t.Fatal(err)
		}
		want("allowed again", clerk, http.StatusOK)
	})
}
