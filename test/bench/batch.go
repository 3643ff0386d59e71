package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// rounds is how often each of what is compared runs, usually: what else the machine does strikes all of them.
const rounds = 3

// measured is one run of many credentials to validation.
type measured struct {
	took time.Duration
	used used
	// Processor time of the service, of its ledger, and of whoever sends and waits: two cores do all three.
	service, ledger, client time.Duration
}

// contest is a number of ways to the same credentials, each run rounds times, in turn.
type contest struct {
	total, rounds int
	ways          []way
}

type way struct {
	name string
	run  func(ctx context.Context, total int) (measured, error)
}

// rawWay is the first of the ways: what the others are compared to.
func (b *bench) rawWay() way {
	return way{"raw, one connection", func(ctx context.Context, total int) (measured, error) { return b.raw(ctx, total) }}
}

// hold runs all ways in turn and prints the middle one of each way's runs, by its time.
func (c contest) hold(ctx context.Context, b *bench) error {
	all := make([][]measured, len(c.ways))
	for range c.rounds {
		for i, w := range c.ways {
			m, err := w.run(ctx, c.total)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			all[i] = append(all[i], m)
		}
	}
	var raw float64
	for i, w := range c.ways {
		took := make([]time.Duration, c.rounds)
		for k, m := range all[i] {
			took[k] = m.took
		}
		median, slowest := spread(took)
		m := all[i][0]
		for _, one := range all[i] {
			if one.took == median {
				m = one
			}
		}
		r := rate(c.total, median)
		compared := "what the others are compared to"
		if i == 0 {
			raw = r
		} else {
			compared = fmt.Sprintf("ratio %.2f to the raw submitter; to reach: 0.9", r/raw)
		}
		b.row(w.name, fmt.Sprintf("%.0f/s: %s to all validated, ledgers used: %d (slowest of %d: %s)", r, secs(median), m.used.closes, c.rounds, secs(slowest)), compared)
		cpu := fmt.Sprintf("CPU: ledger %s, client %s", secs(m.ledger), secs(m.client))
		if m.service > 0 {
			cpu = fmt.Sprintf("CPU: service %s, ledger %s, client %s", secs(m.service), secs(m.ledger), secs(m.client))
		}
		b.row("", cpu, "transactions in each ledger: "+m.used.String())
	}
	return nil
}

// stage is a ledger in a process of its own, with an issuer and a subject on it, at the moment after a close.
type stage struct {
	sandbox         *program
	address         string
	node            *node
	issuer, subject account
	first           uint32 // the last validated ledger before the run
	began           time.Time
	cpu             time.Duration // of this program, until then
}

func (b *bench) stage(ctx context.Context) (*stage, error) {
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	s := &stage{}
	if s.sandbox, s.address, err = b.startSandbox(ctx, "--close-interval", "1s", "--data-dir", dir); err != nil {
		return nil, err
	}
	if s.node, err = dial(ctx, s.address); err != nil {
		return nil, err
	}
	if s.issuer, err = s.node.fund(ctx); err != nil {
		return nil, err
	}
	s.subject, err = s.node.fund(ctx)
	return s, err
}

// begin waits for a close, so that each run begins at the same point of a ledger's time.
func (s *stage) begin(ctx context.Context) (err error) {
	select {
	case <-s.node.closes: // one of before
	default:
	}
	if err := s.node.nextClose(ctx); err != nil {
		return err
	}
	s.first, err = validatedIndex(ctx, s.node)
	s.began, s.cpu = time.Now(), ownCPU()
	return err
}

// end measures a run, sees that the ledger holds what it was to issue, and stops everything.
func (s *stage) end(ctx context.Context, total int, service *program) (m measured, err error) {
	m.took, m.client = time.Since(s.began), ownCPU()-s.cpu
	if m.used, err = s.node.ledgersUsed(ctx, s.first); err != nil {
		return m, err
	}
	if _, err := s.node.walk(ctx, s.issuer.address, total); err != nil {
		return m, err
	}
	s.node.close()
	if service != nil {
		if err := service.stop(); err != nil {
			return m, err
		}
		m.service = service.cpu()
	}
	err = s.sandbox.stop()
	m.ledger = s.sandbox.cpu()
	return m, err
}

// raw sends transactions that are signed beforehand over one connection.
func (b *bench) raw(ctx context.Context, total int) (measured, error) {
	s, err := b.stage(ctx)
	if err != nil {
		return measured{}, err
	}
	blobs, after, err := s.node.sign(ctx, s.issuer, creations(s.subject.address, "measured", total))
	if err != nil {
		return measured{}, err
	}
	if err := s.begin(ctx); err != nil {
		return measured{}, err
	}
	if err := s.node.submit(ctx, blobs); err != nil {
		return measured{}, err
	}
	if err := s.node.validated(ctx, s.issuer.address, after); err != nil {
		return measured{}, err
	}
	return s.end(ctx, total, nil)
}

// batch measures many rows through the service, beside the raw submitter.
func batch(ctx context.Context, b *bench) error {
	const total = 10_000
	b.title(fmt.Sprintf("Batch: %d rows through POST /admin/credential/batch, the journal on, ledger in a process of its own, a close every second", total))
	c := contest{total, rounds, []way{b.rawWay(), b.batchWay("SQLite", "sequences", false)}}
	schema := "bench_" + strings.ToLower(rand.Text()[:12])
	if _, drop, err := postgresSchema(ctx, schema); err != nil {
		b.row("PostgreSQL", "not measured: there is none to be had", err.Error())
	} else {
		if err := drop(); err != nil {
			return err
		}
		c.ways = append(c.ways, b.batchWay("PostgreSQL", "sequences", true))
	}
	if err := c.hold(ctx, b); err != nil {
		return err
	}
	const few = 2_500
	b.title(fmt.Sprintf("Batch with tickets: %d rows; an account may hold 250 tickets, so that more than 250 a ledger cannot be", few))
	return contest{few, 1, []way{b.rawWay(), b.batchWay("SQLite", "tickets", false)}}.hold(ctx, b)
}

func (b *bench) batchWay(name, mode string, postgres bool) way {
	return way{name, func(ctx context.Context, total int) (m measured, err error) {
		s, err := b.stage(ctx)
		if err != nil {
			return m, err
		}
		dir, err := b.newDir()
		if err != nil {
			return m, err
		}
		env := []string{"XRPL_NETWORK=ws://" + s.address, "ISSUER_ACCOUNT_SEED=" + s.issuer.seed, "DATA_DIR=" + dir, "ISSUER_SUBMIT_MODE=" + mode, "DATABASE_URL="}
		if postgres {
			url, drop, err := postgresSchema(ctx, "bench_"+strings.ToLower(rand.Text()[:12]))
			if err != nil {
				return m, err
			}
			defer func() { err = errors.Join(err, drop()) }()
			env[len(env)-1] += url
		}
		p, service, err := b.startIssuer(ctx, env...)
		if err != nil {
			return m, err
		}
		var rows bytes.Buffer
		for i := range total {
			fmt.Fprintf(&rows, `{"subject":%q,"credential":"measured-%d","documents":{"reason":"please"}}`+"\n", s.subject.address, i)
		}
		if err := s.begin(ctx); err != nil {
			return m, err
		}
		if err := issueRows(ctx, s.node, service, &rows, total); err != nil {
			return m, err
		}
		return s.end(ctx, total, p)
	}}
}

// batchView is what of the service's answers is looked at.
type batchView struct {
	ID       string         `json:"id"`
	Finished bool           `json:"finished"`
	Counts   map[string]int `json:"counts"`
	Message  string         `json:"error_message"`
}

// issueRows sends rows as one batch, and asks after each close whether it is over.
func issueRows(ctx context.Context, n *node, service string, rows *bytes.Buffer, total int) error {
	v, err := askBatch(ctx, http.MethodPost, service, "/admin/credential/batch", rows)
	if err != nil {
		return err
	}
	for {
		select {
		case <-n.closes: // what closed before the question does not count
		default:
		}
		if v, err = askBatch(ctx, http.MethodGet, service, "/admin/batch/"+v.ID, &bytes.Buffer{}); err != nil {
			return err
		}
		if v.Finished {
			break
		}
		wait := time.NewTimer(50 * time.Millisecond) // the ledger's word is on its way into the journal
		if v.Counts["pending"] > 0 {
			wait.Reset(2 * time.Second)
		}
		select {
		case <-n.closes:
		case <-wait.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		wait.Stop()
	}
	if v.Counts["succeeded"] != total {
		return fmt.Errorf("of %d rows these came about: %v", total, v.Counts)
	}
	return nil
}

func askBatch(ctx context.Context, method, service, path string, body *bytes.Buffer) (v batchView, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+service+path, body)
	if err != nil {
		return v, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := browser.Do(req)
	if err != nil {
		return v, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return v, fmt.Errorf("%s %s is answered with %s: %s", method, path, resp.Status, v.Message)
	}
	return v, nil
}
