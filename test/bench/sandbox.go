package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// alone measures the embedded ledger by itself, closing only when it is told to, in memory.
func alone(ctx context.Context, b *bench) (err error) {
	b.title("The embedded ledger alone, in memory, closed by ledger_accept")
	s, n, issuer, subject, err := b.startAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }() // whatever happens, it does not stay behind
	defer n.close()
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
	return nil
}

// startAlone starts a ledger in memory that closes only when it is told to, with an issuer and a subject.
func (b *bench) startAlone(ctx context.Context) (s *program, n *node, issuer, subject account, err error) {
	s, ledger, err := b.startSandbox(ctx, "--close-interval", "0s")
	if err != nil {
		return nil, nil, issuer, subject, err
	}
	if n, err = dial(ctx, ledger); err != nil {
		return nil, nil, issuer, subject, errors.Join(err, s.stop())
	}
	for _, a := range []*account{&issuer, &subject} {
		if *a, err = n.fundAlone(ctx); err != nil {
			n.close()
			return nil, nil, issuer, subject, errors.Join(err, s.stop())
		}
	}
	return s, n, issuer, subject, nil
}

// fundAlone is fund on a ledger that closes only when it is told to.
func (n *node) fundAlone(ctx context.Context) (account, error) {
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

// million is alone on a state of a million credentials: what it takes, and whether closing and looking up still cost what they did at
// the beginning. Signing goes on beside the submissions, so that all of it ends in minutes.
func million(ctx context.Context, b *bench) (err error) {
	b.title("The embedded ledger with a million credentials, in memory, closed by ledger_accept")
	s, n, issuer, subject, err := b.startAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }() // whatever happens, it does not stay behind
	defer n.close()
	before := s.memory()

	const total, each, some = 1_000_000, 1000, 20 // some: ledgers at either end that are compared
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signed, failed := signAhead(ctx, n, issuer, subject.address, total, each)
	var closing []time.Duration
	var early, late lookups
	began := time.Now()
	for blobs := range signed {
		if err := n.submit(ctx, blobs); err != nil {
			return err
		}
		at := time.Now()
		if _, err := n.call(ctx, "ledger_accept", nil); err != nil {
			return err
		}
		closing = append(closing, time.Since(at))
		if len(closing) == some {
			if early, err = n.lookUp(ctx, issuer.address, subject.address, some, each); err != nil {
				return err
			}
		}
	}
	if err := <-failed; err != nil {
		return err
	}
	took := time.Since(began)
	if late, err = n.lookUp(ctx, issuer.address, subject.address, total/each, each); err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d credentials", total), fmt.Sprintf("issued in %s, %.0f/s, signing and closing included", took.Round(time.Second), rate(total, took)), "")
	if after := s.memory(); after > 0 {
		b.row("memory", fmt.Sprintf("%d MiB, %.1f KiB a credential", after, float64(after-before)*1024/total), "with the whole history: its transaction, metadata and ledgers")
	} else {
		b.row("memory", "this system does not tell a process's memory", "")
	}
	first, _ := spread(closing[:some])
	last, slowest := spread(closing[len(closing)-some:])
	b.row(fmt.Sprintf("close with %d transactions", each), fmt.Sprintf("median %s, slowest %s, of the last %d ledgers", secs(last), secs(slowest), some),
		fmt.Sprintf("the first %d ledgers: median %s", some, secs(first)))
	b.row("look-up by key", fmt.Sprintf("median %s, slowest %s, of %d", late.median, late.slowest, late.count),
		fmt.Sprintf("with %d credentials: median %s", some*each, early.median))
	return nil
}

// signAhead signs a ledger's transactions while those of the one before are submitted. What went wrong is told when the
// transactions end.
func signAhead(ctx context.Context, n *node, issuer account, subject string, total, each int) (<-chan []string, <-chan error) {
	signed, failed := make(chan []string, 1), make(chan error, 1)
	go func() {
		defer close(signed)
		seq, err := n.sequence(ctx, issuer.address, "current")
		for i := 0; err == nil && i < total/each; i++ {
			var blobs []string
			if blobs, seq, err = issuer.sign(seq, creations(subject, fmt.Sprint("ledger", i), each)); err != nil {
				break
			}
			select {
			case signed <- blobs:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		failed <- err
	}()
	return signed, failed
}

// lookups is how long it takes to be told a ledger entry.
type lookups struct {
	median, slowest time.Duration
	count           int
}

// lookUp asks for credentials all over the ledgers that signAhead's transactions made, one after the other.
func (n *node) lookUp(ctx context.Context, issuer, subject string, ledgers, each int) (lookups, error) {
	const count = 2000
	took := make([]time.Duration, count)
	for i := range took {
		kind := fmt.Sprintf("ledger%d-%d", i*7919%ledgers, i*104729%each)
		at := time.Now()
		if _, err := n.call(ctx, "ledger_entry", map[string]any{
			"credential":   map[string]any{"issuer": issuer, "subject": subject, "credential_type": fmt.Sprintf("%X", kind)},
			"ledger_index": "validated",
		}); err != nil {
			return lookups{}, err
		}
		took[i] = time.Since(at)
	}
	median, slowest := spread(took)
	return lookups{median.Round(time.Microsecond), slowest.Round(time.Microsecond), count}, nil
}
