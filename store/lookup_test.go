package store

import (
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// TestByKey: a key leads to its operation for as long as it is kept, and while the operation is open; with another request,
// or where it names a batch, it is refused.
func TestByKey(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		key := model.IdempotencyKey{Key: "k", RequestHash: [32]byte{1}}
		_, err := h.ByKey(h.ctx(), issuerA, key)
		h.code(err, model.CodeOperationNotFound)
		op := issue()
		op.Key = &key
		op = h.create(op)
		found := func() {
			t.Helper()
			got, err := h.ByKey(h.ctx(), issuerA, key)
			if err != nil || got.ID != op.ID {
				t.Errorf("%+v, %v", got, err)
			}
		}
		found()
		_, err = h.ByKey(h.ctx(), issuerA, model.IdempotencyKey{Key: "k", RequestHash: [32]byte{2}})
		h.code(err, model.CodeKeyReused)
		_, err = h.ByKey(h.ctx(), issuerA, model.IdempotencyKey{Key: ""})
		h.code(err, model.CodeBadRequest)
		_, err = h.ByKey(h.ctx(), "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", key)
		h.code(err, model.CodeOperationNotFound)

		other := model.IdempotencyKey{Key: "b", RequestHash: [32]byte{3}}
		if _, _, err := h.CreateBatch(h.ctx(), model.Batch{Issuer: issuerA, Key: &other}); err != nil {
			t.Fatal(err)
		}
		_, err = h.ByKey(h.ctx(), issuerA, other)
		h.code(err, model.CodeKeyReused)

		h.clock.advance(25 * time.Hour)
		found() // it is still open
		if err := h.Cancel(h.ctx(), op.ID, model.Failure{}, model.AuditEntry{}); err != nil {
			t.Fatal(err)
		}
		_, err = h.ByKey(h.ctx(), issuerA, key)
		h.code(err, model.CodeOperationNotFound)
	})
}

// TestStanding: the operation for a credential that is not final, and no other.
func TestStanding(t *testing.T) {
	onBoth(t, func(t *testing.T, h *harness) {
		op := issue()
		_, err := h.Standing(h.ctx(), op.Issuer, op.Subject, op.Type)
		h.code(err, model.CodeOperationNotFound)
		op = h.create(op)
		if got, err := h.Standing(h.ctx(), op.Issuer, op.Subject, op.Type); err != nil || got.ID != op.ID || got.State != model.StatePending {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = h.Standing(h.ctx(), op.Issuer, op.Subject, op.Type+"x")
		h.code(err, model.CodeOperationNotFound)
		if err := h.Cancel(h.ctx(), op.ID, model.Failure{}, model.AuditEntry{}); err != nil {
			t.Fatal(err)
		}
		_, err = h.Standing(h.ctx(), op.Issuer, op.Subject, op.Type)
		h.code(err, model.CodeOperationNotFound)
	})
}
