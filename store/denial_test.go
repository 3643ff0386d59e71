package store

import (
	"strings"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestDenials(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		other := h.open() // another replica
		denied := func(subject, id string) bool {
			t.Helper()
			yes, err := other.Denied(h.ctx(), subject, id)
			h.ok(err)
			return yes
		}
		now := h.clock.Now()
		alice := model.Denial{Kind: model.DeniedSubject, Value: "alice ü@example.org", Expires: now.Add(2 * time.Hour)}
		one := model.Denial{Kind: model.DeniedID, Value: "id-1", Expires: now.Add(time.Hour)}
		h.equal([]bool{denied(alice.Value, one.Value), denied("", "")}, []bool{false, false})
		h.ok(h.Deny(h.ctx(), alice, byCLI))
		h.clock.advance(time.Minute)
		h.ok(h.Deny(h.ctx(), one, byCLI))
		alice.Created, one.Created = now, h.clock.Now()
		// Each by what it is, and by nothing else.
		h.equal([]bool{denied(alice.Value, ""), denied("bob", one.Value), denied(alice.Value, one.Value)}, []bool{true, true, true})
		h.equal([]bool{denied("bob", "id-2"), denied(one.Value, alice.Value), denied(strings.ToUpper(alice.Value), "ID-1"), denied("\x00", "\xff")},
			[]bool{false, false, false, false})
		all, err := other.Denials(h.ctx())
		h.ok(err)
		h.equal(all, []model.Denial{alice, one})

		// Until its time is over; and then it is forgotten.
		h.clock.advance(59*time.Minute - time.Microsecond)
		h.equal(denied("bob", one.Value), true)
		h.clock.advance(time.Microsecond)
		h.equal([]bool{denied("bob", one.Value), denied(alice.Value, "")}, []bool{false, true})
		n, err := h.SweepDenials(h.ctx())
		h.equal([]any{n, err, h.count("denials")}, []any{int64(1), nil, 1})
		// Said again, it holds for as long as is said then.
		alice.Expires, alice.Created = h.clock.Now().Add(10*time.Hour), h.clock.Now()
		h.ok(h.Deny(h.ctx(), alice, byCLI))
		h.clock.advance(9 * time.Hour)
		all, err = h.Denials(h.ctx())
		h.ok(err)
		h.equal(all, []model.Denial{alice})
		// And no longer than that.
		h.ok(h.Allow(h.ctx(), alice.Kind, alice.Value, byCLI))
		h.equal(denied(alice.Value, ""), false)
		h.code(h.Allow(h.ctx(), alice.Kind, alice.Value, byCLI), model.CodeTokenNotFound)

		for _, wrong := range []model.Denial{
			{Kind: model.DeniedSubject, Value: "", Expires: alice.Expires}, {Kind: model.DeniedID, Value: strings.Repeat("ü", 256), Expires: alice.Expires},
			{Kind: model.DeniedID, Value: "a\x00", Expires: alice.Expires}, {Kind: model.DeniedID, Value: "a", Expires: h.clock.Now()},
		} {
			h.code(h.Deny(h.ctx(), wrong, byCLI), model.CodeBadRequest)
		}
		h.code(h.Deny(h.ctx(), model.Denial{Kind: "actor", Value: "x", Expires: alice.Expires}, byCLI), model.CodeInternal)
		h.ok(h.Deny(h.ctx(), model.Denial{Kind: model.DeniedID, Value: strings.Repeat("ü", 255), Expires: alice.Expires}, byCLI))
		var log []string
		for _, e := range h.chain(h.Store)[:4] {
			log = append(log, e.Actor+" "+e.Action+" "+e.Target+" "+string(e.Detail))
		}
		h.equal(log, []string{`cli:root token.deny subject:alice ü@example.org {"expires":"2030-01-02T05:04:05Z"}`, `cli:root token.deny jti:id-1 {"expires":"2030-01-02T04:04:05Z"}`,
			`cli:root token.deny subject:alice ü@example.org {"expires":"2030-01-02T14:04:05Z"}`, `cli:root token.allow subject:alice ü@example.org {}`})
	})
}
