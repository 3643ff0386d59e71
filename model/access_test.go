package model

import (
	"strings"
	"testing"
	"time"
)

func TestRoleAllows(t *testing.T) {
	for _, c := range []struct {
		has, need Role
		want      bool
	}{
		{RoleReader, RoleReader, true}, {RoleReader, RoleReviewer, false}, {RoleReader, RoleAdmin, false},
		{RoleReviewer, RoleReader, true}, {RoleReviewer, RoleReviewer, true}, {RoleReviewer, RoleAdmin, false},
		{RoleAdmin, RoleReader, true}, {RoleAdmin, RoleReviewer, true}, {RoleAdmin, RoleAdmin, true},
		{"", RoleReader, false}, {"Admin", RoleReader, false}, {RoleAdmin, "", false}, {"", "", false}, {RoleAdmin, "owner", false},
	} {
		if got := c.has.Allows(c.need); got != c.want {
			t.Errorf("%q allows %q: %v, want %v", c.has, c.need, got, c.want)
		}
	}
	for _, s := range []string{"", "Admin", "admin ", "root"} {
		if r, err := ParseRole(s); err == nil {
			t.Errorf("ParseRole(%q) = %q", s, r)
		}
	}
}

func TestTokenHolds(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		token Token
		want  bool
	}{
		{Token{}, true},
		{Token{Expires: now.Add(1)}, true},
		{Token{Expires: now}, false},
		{Token{Revoked: now.Add(time.Hour)}, false},
		{Token{Expires: now.Add(time.Hour), Revoked: now.Add(-time.Hour)}, false},
	} {
		if got := c.token.Holds(now); got != c.want {
			t.Errorf("%+v holds: %v", c.token, got)
		}
	}
}

// An entry's hash changes with each of its fields, and with where one field ends and the next begins.
func TestAuditSum(t *testing.T) {
	base := AuditEntry{Seq: 1, Time: time.UnixMicro(5), Actor: "a", Action: "b", Target: "c", Status: 200, RequestID: "d", Detail: []byte(`{}`)}
	seen := map[[32]byte]string{base.Sum(): "base"}
	for name, change := range map[string]func(*AuditEntry){
		"seq":      func(e *AuditEntry) { e.Seq = 2 },
		"time":     func(e *AuditEntry) { e.Time = e.Time.Add(time.Microsecond) },
		"actor":    func(e *AuditEntry) { e.Actor = "A" },
		"moved":    func(e *AuditEntry) { e.Actor, e.Action = "ab", "" },
		"target":   func(e *AuditEntry) { e.Target = "" },
		"status":   func(e *AuditEntry) { e.Status = 0 },
		"request":  func(e *AuditEntry) { e.RequestID = "dd" },
		"detail":   func(e *AuditEntry) { e.Detail = nil },
		"previous": func(e *AuditEntry) { e.Previous[31] = 1 },
	} {
		e := base
		change(&e)
		if before, twice := seen[e.Sum()]; twice {
			t.Errorf("%s has the hash of %s", name, before)
		}
		seen[e.Sum()] = name
	}
	e := base
	e.Time = e.Time.In(time.FixedZone("", 3600)).Add(time.Nanosecond)
	if e.Sum() != base.Sum() {
		t.Error("the hash depends on the zone, or on less than a microsecond")
	}
}

func TestParseProof(t *testing.T) {
	const subject = `"subject":"rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe","credential":"A","documents":{"a":1}`
	key, signature := "ED"+strings.Repeat("ab", 32), strings.Repeat("0F", 64)
	r, err := ParseCredentialRequest([]byte(`{` + subject + `,"renew":true,"proof":{"nonce":"n-1_x.","public_key":"` + key + `","signature":"` + signature + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Renew || r.Proof == nil || r.Proof.PublicKey != strings.ToUpper(key) || r.Proof.Nonce != "n-1_x." || r.Proof.Signature != signature {
		t.Errorf("read %+v %+v", r, r.Proof)
	}
	for body, want := range map[string]string{
		`"renew":"yes"`: "renew must be true or false",
		`"renew":null`:  "renew must be true or false",
		`"proof":null`:  "proof must be a JSON object, not null",
		`"proof":{}`: "proof.nonce must be given, as a string; proof.public_key must be given, as a string; " +
			"proof.signature must be given, as a string",
		`"proof":{"nonce":"` + strings.Repeat("a", MaxNonceLen+1) + `","public_key":"04` + key[2:] + `","signature":"ABC"}`: "proof.nonce must be the nonce of a challenge, as it was given; " +
			"proof.public_key must be a public key in hex: 66 digits, which begin with ED, 02 or 03; proof.signature must be a signature in hex",
		`"proof":{"nonce":"a","nonce":"b","public_key":"","signature":""}`: "",
	} {
		_, err := ParseCredentialRequest([]byte(`{` + subject + `,` + body + `}`))
		if CodeOf(err) != CodeBadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestParseReason(t *testing.T) {
	for reason, good := range map[string]bool{
		"no passport": true, "line\\nline": true, strings.Repeat("ä", MaxReasonLen): true,
		strings.Repeat("a", MaxReasonLen+1): false, "": false, " ": false, "a\\u0000b": false, "\\u001b[2J": false, "\\u0085": false,
	} {
		_, err := ParseReason([]byte(`{"reason":"` + reason + `"}`))
		if (err == nil) != good {
			t.Errorf("%.20q: %v", reason, err)
		}
	}
}
