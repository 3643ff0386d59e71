package store

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// A token that was inserted into the database, or changed there, does not hold.
func TestChangedToken(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		by := model.AuditEntry{Actor: "cli"}
		authentic := func(id string, want bool) {
			t.Helper()
			k, err := h.Token(h.ctx(), id)
			h.ok(err)
			if k.Unauthentic == want || k.Holds(h.clock.Now()) != want {
				t.Errorf("token %s is %+v", id, k)
			}
		}
		for _, change := range []string{"role = 'admin'", "expires = NULL", "expires = expires + 1000000", "name = 'other'",
			"hash = '0000000000000000000000000000000000000000000000000000000000000009'"} {
			h.ok(h.CreateToken(h.ctx(), model.Token{ID: "t1", Name: "one", Role: model.RoleReader, Hash: [32]byte{1}, Expires: h.clock.Now().Add(time.Hour)}, by))
			authentic("t1", true)
			h.sql("UPDATE tokens SET " + change + " WHERE id = 't1'")
			authentic("t1", false)
			h.sql("DELETE FROM tokens")
		}
		h.ok(h.CreateToken(h.ctx(), model.Token{ID: "t2", Name: "two", Role: model.RoleReader, Hash: [32]byte{2}}, by))
		h.ok(errOf(h.RevokeToken(h.ctx(), "t2", by)))
		h.sql("UPDATE tokens SET revoked = NULL WHERE id = 't2'")
		authentic("t2", false)
		h.ok(h.CreateToken(h.ctx(), model.Token{ID: "t3", Name: "three", Role: model.RoleReader, Hash: [32]byte{3}}, by))
		authentic("t3", true)
		h.sql("INSERT INTO tokens (id, name, role, hash, created) SELECT 't4', 'four', 'admin', hash, created FROM tokens WHERE id = 't3'")
		authentic("t4", false)
		h.plan("audit_tokens", "SELECT action, detail FROM audit WHERE action IN ('token.create', 'token.revoke') AND target = 'x'")
	})
}
