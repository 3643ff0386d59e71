package store

import (
	"strings"
	"sync"
	"testing"

	"github.com/xrplissuer/credential-issuer/model"
)

func limited(perSubject, inAll int) model.Operation {
	op := issue()
	op.Limits = &model.UnacceptedLimits{PerSubject: perSubject, InAll: inAll}
	return op
}

func TestLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		// Open operations count, of any type for the subject, of any subject for the type.
		first := limited(2, 3)
		second, third := first, first
		second.Type, third.Type = "b", "c"
		third.Key, third.Nonce = &model.IdempotencyKey{Key: "k"}, h.nonce("n")
		h.create(first)
		stored := h.create(second)
		_, _, err := h.Create(h.ctx(), third)
		h.code(err, model.CodeTooManyUnaccepted)
		if !strings.Contains(err.Error(), "has 2 credentials") || !strings.Contains(err.Error(), "2 at a time") || !strings.Contains(err.Error(), string(first.Subject)) {
			t.Errorf("the error does not say which limit: %v", err)
		}
		// Nothing of it is stored: its key and its nonce are free.
		h.equal([]int{h.count("operations"), h.count("idempotency_keys"), h.count("spent_nonces"), h.count("audit")}, []int{2, 0, 0, 2})
		h.ok(h.Cancel(h.ctx(), stored.ID, model.Failure{}, model.AuditEntry{}))
		h.create(third)

		h.create(limited(0, 3))
		h.create(limited(0, 3))
		_, _, err = h.Create(h.ctx(), limited(5, 3))
		h.code(err, model.CodeTooManyUnaccepted)
		if !strings.Contains(err.Error(), "3 credentials of type") {
			t.Errorf("the error does not say which limit: %v", err)
		}
		// Whoever has none is not bound, and counts; another account is another matter.
		h.create(issue())
		_, _, err = h.Create(h.ctx(), limited(0, 4))
		h.code(err, model.CodeTooManyUnaccepted)
		h.create(limited(0, 5))
		theirs := limited(1, 1)
		theirs.Issuer = issuerB
		h.create(theirs)
		revoke := limited(1, 1)
		revoke.Kind, revoke.Expiration, revoke.URI = model.KindRevoke, nil, ""
		h.create(revoke)
		own := limited(1, 1)
		own.Subject = issuerA // is accepted at once
		h.create(own)
		// For what is under way anyway, that is the answer.
		_, _, err = h.Create(h.ctx(), first)
		h.code(err, model.CodeInProgress)
	})
}

// What was issued counts from the operation's end on, and is counted once, wherever the mirror is.
func TestLimitsFollowTheLedger(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(1000)
		typ := 'a'
		check := func(stage string, taken bool) {
			t.Helper()
			op := limited(1, 0)
			op.Subject = counted
			op.Type = model.CredentialType(typ)
			typ++
			stored, _, err := h.Create(h.ctx(), op)
			if taken != (err == nil) {
				t.Fatalf("%s: %v", stage, err)
			}
			if !taken {
				h.code(err, model.CodeTooManyUnaccepted)
				return
			}
			h.ok(h.Cancel(h.ctx(), stored.ID, model.Failure{}, model.AuditEntry{}))
		}
		check("nothing yet", true)
		op := issue()
		op.Subject = counted
		op = h.create(op)
		check("pending", false)
		a := attempt(op.ID, 1)
		h.ok(h.Sign(h.ctx(), h.take(), []model.Attempt{a}))
		check("signed", false)
		c := credential(counted)
		made := change(model.ChangeCreated, c, 1003, 0)
		h.move(1002, made) // before the operation is concluded
		check("seen", false)
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{success(a)}))
		check("seen and succeeded", false)
		h.move(1003)
		check("complete", false)
		h.move(1003, change(model.ChangeAccepted, c, 1005, 0))
		check("accepted", true)

		// The other way round: it succeeds in a ledger that the mirror does not have.
		h.move(1005, change(model.ChangeDeleted, c, 1005, 1))
		op = issue()
		op.Subject = counted
		op = h.create(op)
		b := attempt(op.ID, 2)
		h.ok(h.Sign(h.ctx(), h.fence, []model.Attempt{b}))
		o := success(b)
		o.Result.LedgerIndex = 1008
		h.ok(h.Conclude(h.ctx(), h.fence, []model.Outcome{o}))
		check("succeeded", false)
		h.move(1007, change(model.ChangeCreated, c, 1008, 0), change(model.ChangeAccepted, c, 1008, 1))
		check("accepted in the same ledger", true)
		h.move(1007, change(model.ChangeDeleted, c, 1009, 0))
		check("deleted", true)
		h.move(1010)
		check("deleted, and forgotten", true)

		// One that expired unaccepted and is issued anew takes its own place.
		h.move(1011, change(model.ChangeCreated, c, 1011, 0))
		check("stands", false)
		renewal := limited(1, 1)
		renewal.Subject, renewal.Renew = counted, true
		stored := h.create(renewal)
		check("being renewed", false)
		h.ok(h.Cancel(h.ctx(), stored.ID, model.Failure{}, model.AuditEntry{}))
	})
}

var counted = subject()

// Many at the same moment, in two processes: exactly as many are stored as there is room for.
func TestLimitsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		h.mirrored(10)
		stores := []*Store{h.Store, h.open()}
		const room, n = 7, 60
		same := subject()
		var mu sync.Mutex
		taken := map[string]int{}
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				op, what := limited(0, room), "in all"
				if i%2 == 0 {
					op, what = limited(room, 0), "subject"
					op.Subject, op.Type = same, model.CredentialType(rune('A'+i))
					op.Renew = i%4 == 0
				}
				_, _, err := stores[i/2%2].Create(h.ctx(), op)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					taken[what]++
				case model.CodeOf(err) != model.CodeTooManyUnaccepted:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		h.equal(taken, map[string]int{"in all": room, "subject": room})
		h.equal(h.count("operations"), 2*room)
	})
}

// A group is stored in one transaction: what is refused in it makes room for what was behind it.
func TestLimitsWithinAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		a := issue()
		b := limited(1, 0)
		b.Subject, b.Type = a.Subject, "b" // refused: its subject has one
		c := b
		c.Limits = nil // blocked by b, until b is refused
		d := limited(0, 2)
		d.Type = "b"
		e := limited(0, 2)
		e.Type = "b"
		var group []*creation
		for _, op := range []model.Operation{a, b, c, d, e} {
			group = append(group, &creation{ctx: h.ctx(), op: op})
		}
		h.createAll(h.ctx(), group)
		var codes []model.Code
		for _, c := range group {
			codes = append(codes, model.CodeOf(c.err))
		}
		h.equal(codes, []model.Code{"", model.CodeTooManyUnaccepted, "", "", ""})
		h.equal(h.count("operations"), 4)
	})
}

func TestLimitsAreIndexed(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		for index, query := range map[string]string{
			"operations_issuing":     "SELECT x.subject FROM operations x WHERE x.issuer = 'a' AND x.kind = 'issue' AND x.state IN ('pending', 'signed') AND x.subject <> 'a' AND x.type = 'b' LIMIT 3",
			"operations_":            "SELECT x.type FROM operations x WHERE x.issuer = 'a' AND x.kind = 'issue' AND x.state IN ('pending', 'signed') AND x.subject <> 'a' AND x.subject = 'b' LIMIT 3",
			"credentials_unaccepted": "SELECT x.subject FROM credentials x WHERE x.issuer = 'a' AND x.deleted = 0 AND x.accepted = 0 AND x.type = 'b' LIMIT 3",
			"attempts_ledger":        "SELECT a.operation FROM attempts a WHERE a.issuer = 'a' AND a.state = 'validated' AND a.ledger_index > 7",
		} {
			h.plan(index, query)
		}
	})
}
