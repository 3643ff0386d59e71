package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// withoutHistory changes a request for history into one that no node knows, in place: the node answers, and shows nothing of
// what was validated before.
func withoutHistory(message []byte) {
	for _, method := range []string{"tx", "account_tx", "transaction_entry"} {
		asked := []byte(`"command":"` + method + `"`)
		if at := bytes.Index(message, asked); at >= 0 {
			message[at+len(asked)-2] = '_'
		}
	}
}

// pastLedgers is for how many ledgers the service is away, so that all that was in flight is past its LastLedgerSequence.
const pastLedgers = 12

// historyGone kills the service with operations in flight, keeps it away until they are past their LastLedgerSequence, and has it
// come back to a node without history. All of them must end all the same.
func historyGone(times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		r, decided := w.replicas[0], 0
		defer func() { w.note("%d operations were in flight and were decided without history", decided) }()
		for range times {
			programs.Sleep(ctx, time.Duration(500+w.rng.IntN(1500))*time.Millisecond)
			r.kill()
			f, err := w.node.weather(ctx, "", 0)
			if err == nil {
				err = w.node.pass(ctx, f.Validated+pastLedgers)
			}
			inFlight := w.signed(ctx)
			w.blind.Store(true)
			if startErr := r.start(); err != nil || startErr != nil {
				return fmt.Errorf("coming back to a node without history: %w, %w", err, startErr)
			}
			for open := len(inFlight); open > 0 && ctx.Err() == nil; {
				programs.Sleep(ctx, 100*time.Millisecond)
				open = 0
				for id := range w.signed(ctx) {
					if inFlight[id] {
						open++
					}
				}
			}
			if ctx.Err() != nil {
				w.fault("some of %d operations were not decided without history", len(inFlight))
				return nil
			}
			decided += len(inFlight)
			w.blind.Store(false)
			w.did(1)
		}
		return nil
	}
}

// signed returns the operations that are signed and not final.
func (w *world) signed(ctx context.Context) map[string]bool {
	all := map[string]bool{}
	operations, err := w.journal.read(ctx)
	for id, o := range operations {
		if o.state == "signed" {
			all[id] = true
		}
	}
	if err != nil && ctx.Err() == nil {
		w.fault("reading the journal: %v", err)
	}
	return all
}

// gaps has another program send from the issuing account a transaction that the open ledger takes and no ledger validates, and
// the service start meanwhile. It must fill the gap and go on.
func gaps(times int) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		r := w.replicas[0]
		for range times {
			programs.Sleep(ctx, time.Duration(500+w.rng.IntN(1000))*time.Millisecond)
			r.kill()
			if err := w.leaveGap(ctx); err != nil {
				return err
			}
			if err := r.start(); err != nil {
				return err
			}
			for before := w.hears("201"); ctx.Err() == nil && w.hears("201") < before+5; {
				programs.Sleep(ctx, 50*time.Millisecond)
			}
			if ctx.Err() != nil {
				w.fault("nothing was issued above a gap in the account's sequences")
				return nil
			}
			w.did(1)
		}
		return nil
	}
}

// leaveGap submits a transaction of the issuing account that never validates.
func (w *world) leaveGap(ctx context.Context) error {
	f, err := w.node.weather(ctx, "miss=100%:forever", w.rng.Uint64())
	if err != nil {
		return err
	}
	var answer struct {
		Result string `json:"engine_result"`
	}
	err = w.node.Call(ctx, "submit", map[string]any{"secret": w.issuer.Seed, "tx_json": map[string]any{
		"TransactionType": "AccountSet", "Account": w.issuer.Address, "LastLedgerSequence": f.Validated + pastLedgers}}, &answer)
	if err == nil && answer.Result != "tesSUCCESS" {
		err = fmt.Errorf("another program's transaction: %s", answer.Result)
	}
	if _, clearErr := w.node.weather(ctx, "clear", w.rng.Uint64()); err == nil {
		err = clearErr
	}
	return err
}
