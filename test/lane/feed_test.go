package lane

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// reader notes what a lane reads of what is pending.
type reader struct {
	*store.Store
	mu   sync.Mutex
	read [][]model.OperationID
}

func (r *reader) Pending(ctx context.Context, issuer model.Address, limit int) ([]model.Operation, error) {
	ops, err := r.Store.Pending(ctx, issuer, limit)
	ids := make([]model.OperationID, len(ops))
	for i, op := range ops {
		ids[i] = op.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = append(r.read, ids)
	return ops, err
}

func (r *reader) reads() [][]model.OperationID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.read)
}

// While a batch waits that is bigger than what a lane keeps in memory, it reads no more of it, and yet sees a request that
// somebody waits for, and takes it first.
func TestRequestBeforeBatch(t *testing.T) {
	const rows, atOnce, most = 5000, 10, 2500
	w := newWorld(t, sandbox.Config{}, 10_000) // which closes only when it is told to
	s := openStore(t, database(t, "sqlite"))
	batch, _, err := s.CreateBatch(t.Context(), model.Batch{Issuer: w.issuer})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]model.BatchRow, rows)
	for i := range all {
		op := w.operation()
		all[i] = model.BatchRow{Row: int64(i + 1), Operation: &op}
	}
	for chunk := range slices.Chunk(all, 500) {
		if _, err := s.AddRows(t.Context(), batch.ID, chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SealBatch(t.Context(), batch.ID, rows); err != nil {
		t.Fatal(err)
	}
	spy := &reader{Store: s}
	r := w.run(s, spy, "", func(c *ledger.LaneConfig) { c.MaxInFlight = atOnce })
	eventually(t, "it looks again and again", func() bool { return len(spy.reads()) >= 4 })
	if n := r.Status().Waiting; n > most {
		t.Errorf("%d operations wait in memory", n)
	}
	for i, ids := range spy.reads() {
		if len(ids) > most {
			t.Errorf("look %d: %d operations read at once", i+1, len(ids))
		}
	}
	op := w.create(s, 1)[0]
	eventually(t, "it sees the request", func() bool {
		return slices.ContainsFunc(spy.reads(), func(ids []model.OperationID) bool { return slices.Contains(ids, op.ID) })
	})
	w.keepClosing(100 * time.Millisecond)
	wantFinal(t, s, []model.Operation{op}, 20*time.Second)
	status, err := s.Batch(t.Context(), batch.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := status.Counts[model.StateSucceeded]; n > 10*atOnce {
		t.Errorf("%d rows of the batch were issued before the request", n)
	}
}
