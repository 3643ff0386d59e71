package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// InterimJournal is what an [Interim] works on.
type InterimJournal interface {
	Pending(ctx context.Context, issuer model.Address, limit int) ([]model.Operation, error)
	Watch(issuer model.Address) (wake <-chan struct{}, stop func())
	TakeLane(ctx context.Context, issuer model.Address, holder string, lease time.Duration) (model.Fence, error)
	Sign(ctx context.Context, fence model.Fence, attempts []model.Attempt) error
	Conclude(ctx context.Context, fence model.Fence, outcomes []model.Outcome) error
}

// Interim brings a journal's pending operations onto the ledger through a lane that keeps no journal itself. It stands in
// for one that does.
type Interim struct {
	Lane    *Lane
	Journal InterimJournal
}

// Run works until ctx ends.
func (w *Interim) Run(ctx context.Context) error {
	account := w.Lane.Account()
	fence, err := w.Journal.TakeLane(ctx, account, "interim", 1<<40)
	if err != nil {
		return err
	}
	wake, stop := w.Journal.Watch(account)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	var mu sync.Mutex
	busy := map[model.OperationID]bool{}
	for {
		ops, err := w.Journal.Pending(ctx, account, 3000)
		if err == nil {
			for _, op := range ops {
				mu.Lock()
				begun := busy[op.ID]
				busy[op.ID] = true
				mu.Unlock()
				if begun {
					continue
				}
				wg.Go(func() {
					if !w.work(ctx, fence, op) {
						mu.Lock()
						delete(busy, op.ID)
						mu.Unlock()
					}
				})
			}
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *Interim) work(ctx context.Context, fence model.Fence, op model.Operation) bool {
	v, err := w.Lane.Submit(ctx, op.Transaction())
	var e *model.Error
	o := model.Outcome{Operation: op.ID, State: model.StateSucceeded, Result: &v}
	a := model.Attempt{Operation: op.ID, Blob: strings.Repeat("00", 64), Hash: v.Hash, Sequence: 1, LastLedgerSequence: 1, Fee: 10}
	if err != nil {
		if !errors.As(err, &e) {
			return false
		}
		switch {
		case e.Tx != nil:
			o.State, o.Result, a.Hash = model.StateFailed, e.Tx, e.Tx.Hash
		case e.Code == model.CodeNotValidated:
			a.Hash = strings.Repeat("0", 64-len(op.ID)*2) + hexOf(string(op.ID))
			o.State, o.Result, o.Absent = model.StateExpired, nil, []string{a.Hash}
		default:
			return false
		}
	}
	if o.Result != nil {
		var body struct {
			Tx struct {
				Sequence, LastLedgerSequence uint32
				Fee                          string
			} `json:"tx_json"`
		}
		_ = json.Unmarshal(o.Result.Body, &body)
		a.Sequence, a.LastLedgerSequence = body.Tx.Sequence, body.Tx.LastLedgerSequence
		a.Fee, _ = strconv.ParseInt(body.Tx.Fee, 10, 64)
	}
	keep := context.WithoutCancel(ctx)
	if err := w.Journal.Sign(keep, fence, []model.Attempt{a}); err != nil {
		w.Lane.log.Error("interim", "error", err)
		return false
	}
	if err := w.Journal.Conclude(keep, fence, []model.Outcome{o}); err != nil {
		w.Lane.log.Error("interim", "error", err)
		return false
	}
	return true
}

func hexOf(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(digits[s[i]>>4])
		b.WriteByte(digits[s[i]&15])
	}
	return b.String()
}
