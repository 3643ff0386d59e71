package access

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestParseRoles(t *testing.T) {
	got, err := ParseRoles(" issuer-admins=admin, https://id.example.org/r?x=1=reviewer ,Read All=reader")
	want := map[string]model.Role{"issuer-admins": model.RoleAdmin, "https://id.example.org/r?x=1": model.RoleReviewer, "Read All": model.RoleReader}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "admin", "a=admin,", "=admin", " =admin", "a=owner", "a=", "a=Admin", "a=admin,a=reader", "a=admin,,b=reader"} {
		if got, err := ParseRoles(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestRoleClaim(t *testing.T) {
	roles := map[string]model.Role{"a": model.RoleAdmin, "v": model.RoleReviewer, "r": model.RoleReader}
	for _, c := range []struct {
		path, claims string
		want         model.Role
	}{
		{"roles", `{"roles":"v"}`, model.RoleReviewer},
		{"roles", `{"roles":["r","a","v"]}`, model.RoleAdmin},
		{"roles", `{"roles":["a","r"]}`, model.RoleAdmin},
		{"roles", `{"roles":["other","r",7,null,{"a":1},["a"]]}`, model.RoleReader},
		{"roles", `{"roles":"a r"}`, ""},
		{"roles", `{"roles":"A"}`, ""},
		{"roles", `{"roles":["other"]}`, ""},
		{"roles", `{"roles":[]}`, ""},
		{"roles", `{"roles":{"a":true}}`, ""},
		{"roles", `{"roles":null}`, ""},
		{"roles", `{"roles":true}`, ""},
		{"roles", `{"Roles":"a"}`, ""},
		{"roles", `{}`, ""},
		{"realm_access.roles", `{"realm_access":{"roles":["a"]}}`, model.RoleAdmin},
		{"realm_access.roles", `{"realm_access.roles":["a"]}`, ""},
		{"realm_access.roles", `{"realm_access":["a"]}`, ""},
		{"realm_access.roles", `{"realm_access":"a"}`, ""},
		{"https://x.example/roles", `{"https://x.example/roles":["v"]}`, model.RoleReviewer},
		{"/resource_access/my.client/roles", `{"resource_access":{"my.client":{"roles":["v"]}}}`, model.RoleReviewer},
		{"/a~1b/m~0n", `{"a/b":{"m~n":"r"}}`, model.RoleReader},
	} {
		path, err := parseClaimPath(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		var claims map[string]any
		if err := json.Unmarshal([]byte(c.claims), &claims); err != nil {
			t.Fatal(err)
		}
		if got := path.strongest(claims, roles); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.path, c.claims, got, c.want)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "/", "/a/", "//a"} {
		if path, err := parseClaimPath(bad); err == nil {
			t.Errorf("%q is the path %q", bad, path)
		}
	}
}

func TestActor(t *testing.T) {
	for subject, want := range map[string]string{
		"248289761001":          "jwt:248289761001",
		"alice@example.org":     "jwt:alice@example.org",
		"auth0|5f7c":            "jwt:auth0|5f7c",
		"https://id.example/=1": "jwt:https://id.example/=1",
		"a b":                   "jwt:a%20b",
		"<b>\n\x1b[2J":          "jwt:%3Cb%3E%0A%1B%5B2J",
		"ü\u202e":               "jwt:%C3%BC%E2%80%AE",
		"100%~":                 "jwt:100%25%7E",
	} {
		if got, err := actorOf(subject); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", subject, got, err, want)
		}
	}
	for _, bad := range []string{"", strings.Repeat("s", maxSubject+1)} {
		if got, err := actorOf(bad); err == nil {
			t.Errorf("%.10q: %q", bad, got)
		}
	}
	// Long ones are cut, and still told apart, also from one that is what the other was cut to.
	seen := map[string]string{}
	long := strings.Repeat("s", maxSubject-1)
	cut, _ := actorOf(long + "a")
	for _, subject := range []string{long + "a", long + "b", strings.Repeat("\x00", maxSubject), strings.TrimPrefix(cut, "jwt:"), strings.Repeat("s", maxActor-4)} {
		got, err := actorOf(subject)
		if err != nil || len(got) > maxActor || seen[got] != "" {
			t.Errorf("%q: %q (%d), %v, as of %q", subject, got, len(got), err, seen[got])
		}
		seen[got] = subject
	}
}
