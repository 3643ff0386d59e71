package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

// table prints the rounds as they end.
type table struct {
	mu     sync.Mutex
	out    io.Writer
	rounds int
	failed int
	left   int
	issued int
	asked  int
}

func start(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	short := flags.Bool("short", false, "fewer of each, and without those that take long")
	keep := flags.Bool("keep", false, "keep the folder with the programs' logs and databases")
	folder := flags.String("programs", "", "folder with the programs to be attacked, in place of what the sources make")
	if err := flags.Parse(args); err != nil {
		return err
	}
	attacks := slices.Concat(proofs, jwts, tokens, floods, wire, paths, bodies, bombs, webhooks, markup, opens, slow, rows, insiders, gateways, refusals, lies)
	attacks = slices.DeleteFunc(attacks, func(a attack) bool {
		named := slices.ContainsFunc(flags.Args(), func(word string) bool { return strings.Contains(a.name, word) })
		return *short && a.long || flags.NArg() > 0 && !named
	})
	if len(attacks) == 0 {
		return fmt.Errorf("no attack's name holds %s", strings.Join(flags.Args(), " or "))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	w := &world{}
	if w.dir, err = os.MkdirTemp("", "attack"); err != nil {
		return err
	}
	defer func() {
		if *keep || err != nil {
			_, _ = fmt.Fprintf(out, "Logs and databases are kept in %s\n", w.dir)
			return
		}
		err = os.RemoveAll(w.dir)
	}()
	if *folder == "" {
		*folder = filepath.Join(w.dir, "bin")
		if err := programs.Build(ctx, *folder, "./cmd/..."); err != nil {
			return err
		}
	}
	if *folder, err = filepath.Abs(*folder); err != nil {
		return err
	}
	w.issuerProgram, w.sandboxProgram, w.acceptProgram = filepath.Join(*folder, "issuer"), filepath.Join(*folder, "sandbox"), filepath.Join(*folder, "accept")
	began := time.Now()
	if err := errors.Join(w.build(ctx, 2*len(attacks)+20)); err != nil {
		return errors.Join(err, w.close())
	}
	t := &table{out: out}
	for _, s := range []*service{w.plain, w.tls, w.open} {
		if err := w.warm(ctx, s); err != nil {
			return errors.Join(fmt.Errorf("before any attack: %w", err), w.close())
		}
	}
	t.printf("%d attacks, %d cores; made ready in %.1fs. Memory in MiB: held before, most during, held after, and what it must stay under.\n\n",
		len(attacks), runtime.GOMAXPROCS(0), time.Since(began).Seconds())
	t.printf("%-36s %-6s %7s  %-38s %6s  %-23s %7s %6s\n", "attack", "on", "asked", "answers", "issued", "memory", "good", "took")
	// Each service's attacks come one after the other, so that what is counted is of one of them.
	var group sync.WaitGroup
	for _, s := range []*service{w.plain, w.tls, w.open} {
		group.Go(func() {
			for _, a := range attacks {
				if a.on(w) == s && ctx.Err() == nil {
					t.round(ctx, a, s, *short)
				}
			}
		})
	}
	group.Wait()
	err = errors.Join(ctx.Err(), w.close())
	t.verdict("no secret in logs, databases and command lines' output", w.secretsAtRest())
	t.verdict("no control characters in logs", w.logsPlain())
	t.verdict("nobody contacted what nobody was to contact", w.trapped())
	t.printf("\n%d requests in %d attacks: %d issued that should not have been. %.1fs in all.\n", t.asked, t.rounds, t.issued, time.Since(began).Seconds())
	if t.left > 0 {
		t.printf("SKIPPED: %d attacks, for the reasons above\n", t.left)
	}
	if t.failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d attacks did harm, or found a fault", t.failed))
	}
	return err
}

func (t *table) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format, args...) }

// verdict prints what was looked at once all was over.
func (t *table) verdict(name string, faults []string) {
	word := "ok"
	if len(faults) > 0 {
		word = "NO"
		t.failed++
	}
	t.printf("%-75s %s\n", name, word)
	for _, f := range faults {
		t.printf("  ! %s\n", f)
	}
}

// warm has a service do once what it does usually, and measures what it holds then.
func (w *world) warm(ctx context.Context, s *service) error {
	r := &round{service: s, answers: map[string]int{}}
	for range 3 {
		if _, err := r.good(ctx, s.client); err != nil {
			return err
		}
	}
	if len(r.faults) > 0 {
		return errors.New(r.faults[0])
	}
	s.first, s.noRSS = measure(s.process.Cmd.Process.Pid)
	if s.noRSS == nil {
		s.noRSS = forgetPeak(s.process.Cmd.Process.Pid)
	}
	return nil
}

// account is what two accounts of the same things say: the ledger's and the journal's.
type account struct {
	holding holding
	books   books
}

func (s *service) account(ctx context.Context) (account, error) {
	var a account
	var err error
	if a.books, err = s.journal.read(ctx); err != nil || s.issuer.address == "" {
		return a, err
	}
	a.holding, err = s.w.node.holding(ctx, s.issuer.address)
	return a, err
}

// round runs one attack and prints its line.
func (t *table) round(ctx context.Context, a attack, s *service, short bool) {
	r := &round{service: s, attack: a, short: short, answers: map[string]int{}}
	began := time.Now()
	issued, took, mem, err := r.play(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	var left skipped
	if errors.As(err, &left) {
		t.left++
		t.printf("%-36s %-6s SKIPPED: %s\n", a.name, s.name, left)
		return
	}
	if err != nil {
		r.fault("%v", err)
	}
	t.rounds++
	t.asked += r.requests
	t.issued += max(issued, 0)
	var answers []string
	for _, what := range slices.Sorted(maps.Keys(r.answers)) {
		answers = append(answers, fmt.Sprintf("%s×%d", what, r.answers[what]))
	}
	t.printf("%-36s %-6s %7d  %-38s %6d  %-23s %6.2fs %5.1fs\n", a.name, s.name, r.requests, strings.Join(answers, " "), issued, mem, took.Seconds(), time.Since(began).Seconds())
	for _, n := range r.notes {
		t.printf("    %s\n", n)
	}
	if len(r.faults) > 0 {
		t.failed++
		for _, f := range r.faults {
			t.printf("  ! %s\n", strings.ToValidUTF8(f, "?"))
		}
		if r.hidden > 0 {
			t.printf("  ! and %d more\n", r.hidden)
		}
	}
}

// goodTime is how long a good request may take after an attack: many times what it takes before one, on a machine
// that is busy with other things.
const goodTime = 10 * time.Second

// play runs the attack, and looks at what came of it: how many credentials the service issued that nobody asked for
// rightly, how long a good request took after it, and what memory was held.
func (r *round) play(ctx context.Context) (issued int, took time.Duration, mem string, err error) {
	pid := r.process.Cmd.Process.Pid
	before, err := r.account(ctx)
	if err != nil {
		return 0, 0, "", err
	}
	var held memory
	if r.noRSS == nil {
		held, r.noRSS = measure(pid)
		r.noRSS = errors.Join(r.noRSS, forgetPeak(pid))
	}
	if err := r.attack.run(ctx, r); err != nil {
		return 0, 0, "", err
	}
	if !r.process.Alive() {
		return 0, 0, "", fmt.Errorf("the service ended: %v %s", r.process.Err, r.process.Said())
	}
	quiet, cancel := context.WithTimeout(ctx, goodTime)
	defer cancel()
	if err := r.settle(quiet); err != nil {
		return 0, 0, "", err
	}
	if took, err = r.good(quiet, r.newClient(elsewhere)); err != nil {
		return 0, took, "", fmt.Errorf("a good request after the attack: %w", err)
	}
	mem = "not measured here"
	if r.noRSS == nil {
		after, err := measure(pid)
		if err != nil {
			return 0, took, "", err
		}
		// What an attack before this one was allowed, and the runtime has not given back yet, is not held against this one.
		bound := max(r.first.now+cmp.Or(r.attack.grows, usualGrowth)<<20, held.now+leftGrowth<<20)
		mem = fmt.Sprintf("%s ^%s %s <%s", mebibytes(held.now), mebibytes(after.peak), mebibytes(after.now), mebibytes(bound))
		if after.peak > bound {
			r.fault("the service held %s MiB, more than %s", mebibytes(after.peak), mebibytes(bound))
		}
	}
	after, err := r.account(ctx)
	if err != nil {
		return 0, took, mem, err
	}
	// Whatever the account has ever sent shows in its Sequence, also what came to nothing.
	sent := int(after.holding.sequence - before.holding.sequence)
	stored := after.books.operations - before.books.operations
	if r.issuer.address == "" {
		sent = stored
	}
	issued = max(sent, stored) - r.granted
	if sent != r.granted || stored != r.granted {
		r.fault("%d transactions were sent and %d operations stored, and %d asked for rightly", sent, stored, r.granted)
	}
	if standing := after.holding.credentials - before.holding.credentials; standing > r.granted {
		r.fault("%d credentials more stand on the ledger, and %d were asked for rightly", standing, r.granted)
	}
	if asked := after.books.requests - before.books.requests; asked != r.waiting {
		r.fault("%d requests more wait for a person, and %d were made rightly", asked, r.waiting)
	}
	if after.books.open > 0 {
		r.fault("%d operations are open", after.books.open)
	}
	return issued, took, mem, nil
}

// settle waits until the journal holds no open operation.
func (r *round) settle(ctx context.Context) error {
	for {
		b, err := r.journal.read(ctx)
		if err != nil {
			return err
		}
		if b.open == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%d operations are still open", b.open)
		}
		programs.Sleep(ctx, 20*time.Millisecond)
	}
}
