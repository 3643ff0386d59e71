package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// batch has `issuer batch` bring many rows to the service while that is killed, again and again. It must end by itself,
// with every row issued.
func batch(rows, times int) func(context.Context, *world) error {
	return batchDuring(rows, kills(times))
}

// batchDuring has many rows brought to the service while a fault goes on.
func batchDuring(rows int, fault func(context.Context, *world) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		c := &caller{w, rand.New(rand.NewPCG(w.rng.Uint64(), 6))}
		var file strings.Builder
		file.WriteString("subject,credential,reason\n")
		slots := make([]*slot, rows)
		for i := range slots {
			slots[i] = c.slot()
			slots[i].stands = -1
			fmt.Fprintf(&file, "%s,%s,please\n", slots[i].subject, slots[i].credential)
		}
		path := filepath.Join(w.dir, "rows.csv")
		if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
			return err
		}
		p, err := programs.Start("batch", w.run.issuer, w.dir, []string{"ISSUER_URL=http://" + w.replicas[0].address, "ISSUER_TOKEN=" + w.token}, "batch", path)
		if err != nil {
			return err
		}
		defer p.Kill() // where it has not ended
		if err := fault(ctx, w); err != nil {
			return err
		}
		select {
		case <-p.Done:
		case <-ctx.Done():
			p.Kill()
			p.Err = errors.New("it did not end")
		}
		if p.Err != nil {
			w.fault("issuer batch: %v %s", p.Err, p.Said())
			return nil
		}
		for _, s := range slots {
			s.stands = 1
		}
		w.note("a batch of %d rows went through", rows)
		return nil
	}
}
