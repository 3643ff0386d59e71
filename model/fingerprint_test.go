package model

import "testing"

func TestFingerprint(t *testing.T) {
	t.Parallel()
	base := Credential{Subject: "rSubject", Type: "Type", URI: "ab", Expiration: 7}
	of := func(cs ...Credential) (f Fingerprint) {
		for _, c := range cs {
			f.Add(c)
		}
		return f
	}
	other := base
	other.Subject = "rOther"
	if of(base, other) != of(other, base) {
		t.Error("the order counts")
	}
	if of(base, other).Credentials != 2 || of() != (Fingerprint{}) {
		t.Error("the size is wrong")
	}
	same := base
	same.Index = "another spelling of the same entry"
	if of(same) != of(base) {
		t.Error("the index of the entry counts")
	}
	for name, change := range map[string]func(*Credential){
		"subject":    func(c *Credential) { c.Subject = "rSubjec" },
		"type":       func(c *Credential) { c.Type = "tType" },
		"URI":        func(c *Credential) { c.URI = "" },
		"expiration": func(c *Credential) { c.Expiration = 0 },
		"accepted":   func(c *Credential) { c.Accepted = true },
		"boundary":   func(c *Credential) { c.Type, c.URI = "Typea", "b" },
	} {
		changed := base
		change(&changed)
		if of(changed) == of(base) {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
	if of(base, base) == of(other, other) {
		t.Error("pairs cancel each other out")
	}
}
