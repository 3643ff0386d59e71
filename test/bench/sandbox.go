package main

import (
	"context"
	"fmt"
	"time"
)

// alone measures the embedded ledger by itself, closing only when it is told to, in memory.
func alone(ctx context.Context, b *bench) error {
	b.title("The embedded ledger alone, in memory, closed by ledger_accept")
	s, ledger, err := b.startSandbox(ctx, "--close-interval", "0s")
	if err != nil {
		return err
	}
	n, err := dial(ctx, ledger)
	if err != nil {
		return err
	}
	defer n.close()
	fund := func() (account, error) {
		closer := make(chan error, 1)
		done := make(chan struct{})
		go func() { // someone must close the ledger that fund waits for
			for {
				select {
				case <-done:
					closer <- nil
					return
				case <-time.After(20 * time.Millisecond):
					if _, err := n.call(ctx, "ledger_accept", nil); err != nil {
						closer <- err
						return
					}
				}
			}
		}()
		w, err := n.fund(ctx)
		close(done)
		if err == nil {
			err = <-closer
		}
		return w, err
	}
	issuer, err := fund()
	if err != nil {
		return err
	}
	subject, err := fund()
	if err != nil {
		return err
	}
	before := s.memory()

	const total, each = 100_000, 1000
	var submitting []time.Duration
	var closing []time.Duration
	for i := range total / each {
		blobs, _, err := n.sign(ctx, issuer, creations(subject.address, fmt.Sprint("ledger", i), each))
		if err != nil {
			return err
		}
		began := time.Now()
		if err := n.submit(ctx, blobs); err != nil {
			return err
		}
		submitting = append(submitting, time.Since(began))
		began = time.Now()
		if _, err := n.call(ctx, "ledger_accept", nil); err != nil {
			return err
		}
		closing = append(closing, time.Since(began))
	}
	median, slowest := spread(submitting)
	b.row("submissions, one connection", fmt.Sprintf("%.0f/s (median of %d ledgers of %d; slowest %.0f/s)", rate(each, median), len(submitting), each, rate(each, slowest)), "rippled, 2 cores: 2,100 to 2,600/s")
	median, slowest = spread(closing)
	b.row(fmt.Sprintf("close with %d transactions", each), fmt.Sprintf("median %s, slowest %s, on a state of up to %d credentials", secs(median), secs(slowest), total), "the close interval of make run: 1 s")
	if after := s.memory(); after > 0 {
		b.row(fmt.Sprintf("memory for %d credentials", total), fmt.Sprintf("%d MiB, %.1f KiB a credential (the process grew from %d to %d MiB)", after-before, float64(after-before)*1024/total, before, after), "with the whole history: its transaction, metadata and ledgers")
	} else {
		b.row(fmt.Sprintf("memory for %d credentials", total), "this system does not tell a process's memory", "")
	}
	return s.stop()
}
