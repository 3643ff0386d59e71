package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// run is what all rows share.
type run struct {
	out             io.Writer
	dir             string
	issuer, sandbox string // the programs
	ports           *ports
	seed            uint64
	logLevel        string
	verbose         bool
	noPostgres      error
	serverBin       string // the folder of PostgreSQL's programs
	serverAs        *account
	noServer        error
	// jumping makes the service with a clock that can be set wrong: once, and where a row needs it.
	jumping   func() (program string, err error)
	noTickets error

	printing sync.Mutex
	rows     []*world
	skipped  int
	failed   int
}

func start(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	r := &run{out: out}
	flags.Uint64Var(&r.seed, "seed", 0, "number that the choices follow from (another each time where it is 0)")
	factor := flags.Float64("factor", 1, "how much longer than usual: multiplies what is asked and what is done")
	short := flags.Bool("short", false, "a few rows, about a minute")
	parallel := flags.Int("parallel", 4, "rows at a time")
	limit := flags.Duration("limit", 15*time.Minute, "end of the whole run, times the factor where that is more than 1")
	keep := flags.Bool("keep", false, "keep the folder with the programs' logs and databases")
	folder := flags.String("programs", "", "folder with issuer and sandbox to be tested, in place of what the sources make")
	flags.BoolVar(&r.verbose, "verbose", false, "tell how often each answer was given")
	flags.StringVar(&r.logLevel, "log-level", "info", "of the service's logs, in the folder that is kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.seed == 0 {
		r.seed = rand.Uint64() >> 12
	}
	rows := allRows(*factor)
	if *short {
		rows = slices.DeleteFunc(rows, func(r row) bool { return !r.short })
		for i := range rows {
			rows[i] = shorten(rows[i])
		}
	}
	if words := flags.Args(); len(words) > 0 {
		rows = slices.DeleteFunc(rows, func(r row) bool {
			return !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(r.title(), word) })
		})
		if len(rows) == 0 {
			return fmt.Errorf("no row's name holds %s", strings.Join(words, " or "))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(float64(*limit)*max(*factor, 1)))
	defer cancel()
	if r.dir, err = os.MkdirTemp("", "faults"); err != nil {
		return err
	}
	defer func() {
		if *keep || err != nil {
			r.printf("Logs and databases are kept in %s\n", r.dir)
			return
		}
		err = os.RemoveAll(r.dir)
	}()
	if *folder == "" {
		*folder = r.dir
		if err := programs.Build(ctx, r.dir, "./cmd/issuer", "./cmd/sandbox"); err != nil {
			return err
		}
	}
	if err := r.find(ctx, *folder); err != nil {
		return err
	}
	r.ports = newPorts(rand.New(rand.NewPCG(rand.Uint64(), 0))) // not by the seed: two runs at once must differ
	if r.noPostgres = postgresFault(ctx); r.noPostgres != nil && os.Getenv("DATABASE_URL") != "" {
		return fmt.Errorf("DATABASE_URL is set, and no PostgreSQL answers there: %w", r.noPostgres)
	}
	r.serverBin, r.serverAs, r.noServer = findServer()
	r.jumping = sync.OnceValues(func() (string, error) { return r.buildJumping(ctx) })
	began := time.Now()
	r.printf("Seed %d (--seed %[1]d makes the same choices again), %d rows, %d at a time, %d cores\n\n", r.seed, len(rows), *parallel, runtime.GOMAXPROCS(0))
	r.header()
	r.all(ctx, rows, max(*parallel, 1))
	return r.sum(time.Since(began))
}

// find finds the programs in a folder, and what the service can do.
func (r *run) find(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	r.issuer, r.sandbox = filepath.Join(dir, "issuer"), filepath.Join(dir, "sandbox")
	help, err := exec.CommandContext(ctx, r.issuer, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("issuer --help: %w\n%s", err, help)
	}
	if !strings.Contains(string(help), "--issuer-submit-mode") {
		r.noTickets = errors.New("the service has no setting ISSUER_SUBMIT_MODE")
	}
	return nil
}

func (r row) title() string {
	at := r.database + ", " + r.mode
	if r.transport == "http" {
		at += ", http"
	}
	return r.name + " | " + at
}

// all runs the rows, a few at a time, and no more connections to PostgreSQL than a usual one has room for.
func (r *run) all(ctx context.Context, rows []row, parallel int) {
	connections := semaphore.NewWeighted(5)
	slots := make(chan struct{}, parallel)
	var group sync.WaitGroup
	for _, one := range rows {
		weight := int64(0)
		if one.database == postgres && !one.server {
			weight = int64(max(one.replicas, 1))
		}
		slots <- struct{}{}
		if err := connections.Acquire(ctx, weight); err != nil {
			<-slots
			break
		}
		group.Go(func() {
			defer func() {
				connections.Release(weight)
				<-slots
			}()
			r.one(ctx, one)
		})
	}
	group.Wait()
}

// one runs one row and prints it.
func (r *run) one(ctx context.Context, one row) {
	h := fnv.New64a()
	_, _ = io.WriteString(h, one.title())
	w := &world{run: r, row: one, rng: rand.New(rand.NewPCG(r.seed, h.Sum64())), answers: map[string]int{}, states: map[string]int{}}
	began := time.Now()
	var err error
	switch {
	case one.server && r.noServer != nil:
		err = skipped(fmt.Sprintf("there is no PostgreSQL that this program could let crash: %v", r.noServer))
	case one.database == postgres && !one.server && r.noPostgres != nil:
		err = skipped(fmt.Sprintf("no PostgreSQL answers at %s, and DATABASE_URL is not set: %v", defaultPostgres, r.noPostgres))
	case one.mode == tickets && r.noTickets != nil:
		err = skipped(r.noTickets.Error())
	default:
		if w.dir, err = os.MkdirTemp(r.dir, "row"); err == nil {
			err = w.play(ctx)
			w.close()
		}
	}
	took := time.Since(began)
	r.printing.Lock()
	defer r.printing.Unlock()
	var no skipped
	if errors.As(err, &no) {
		r.skipped++
		r.printf("%-66s SKIPPED: %s\n", one.title(), strings.Join(strings.Fields(string(no)), " "))
		return
	}
	if err != nil {
		w.fault("the row ended: %v", err)
	}
	if err == nil && w.blobs == 0 {
		w.fault("nothing was seen on its way to the ledger: the watch sees nothing")
	}
	if err == nil && w.faults < one.least {
		w.fault("only %d of %d faults happened: this row shows nothing", w.faults, one.least)
	}
	r.rows = append(r.rows, w)
	r.line(w, took)
}

func (r *run) header() {
	r.printf("%-66s %6s %6s %6s %6s  %-34s %7s %4s %5s %4s %5s %7s\n", "fault | service", "asked", "ops", "blobs", "faults", "final by state",
		"doubles", "lost", "false", "open", "stray", "took")
}

func (w *world) bad() int { return w.doubles + w.lost + w.untrue + w.unclosed + w.stray + w.failures }

// counts is what stands in a row behind its title.
func (w *world) counts(took time.Duration) string {
	return fmt.Sprintf("%6d %6d %6d %6d  %-34s %7d %4d %5d %4d %5d %6.1fs", w.asked(), w.total, w.blobs, w.faults, byState(w.states),
		w.doubles, w.lost, w.untrue, w.unclosed, w.stray, took.Seconds())
}

// line prints a row.
func (r *run) line(w *world, took time.Duration) {
	title := w.row.title()
	if len(title) > 66 {
		title = title[:40] + "…" + title[len(title)-25:]
	}
	r.printf("%-66s %s\n", title, w.counts(took))
	for _, n := range w.notes {
		r.printf("    %s\n", n)
	}
	if r.verbose {
		var all []string
		for _, what := range slices.SortedFunc(maps.Keys(w.answers), func(a, b string) int { return cmp.Compare(w.answers[b], w.answers[a]) }) {
			all = append(all, fmt.Sprintf("%s: %d", what, w.answers[what]))
		}
		r.printf("    answers: %s\n", strings.Join(all, ", "))
	}
	if w.bad() > 0 {
		r.failed++
		for _, e := range w.examples {
			r.printf("  ! %s\n", strings.TrimSpace(e))
		}
		if w.hidden > 0 {
			r.printf("  ! and %d more\n", w.hidden)
		}
		r.printf("  ! logs: %s\n", w.dir)
	}
}

func byState(states map[string]int) string {
	var all []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		all = append(all, fmt.Sprintf("%s %d", state, states[state]))
	}
	return strings.Join(all, ", ")
}

// sum prints the totals, and says what failed.
func (r *run) sum(took time.Duration) error {
	total := &world{states: map[string]int{}}
	killed, killedOps, away, overtook, crashed := 0, 0, 0, 0, 0
	for _, w := range r.rows {
		total.requested.Add(int64(w.asked()))
		total.total += w.total
		total.blobs += w.blobs
		total.faults += w.faults
		total.doubles += w.doubles
		total.lost += w.lost
		total.untrue += w.untrue
		total.unclosed += w.unclosed
		total.stray += w.stray
		total.failures += w.failures
		for state, n := range w.states {
			total.states[state] += n
		}
		switch {
		case strings.HasPrefix(w.row.name, "kill"):
			killed += w.faults
			killedOps += w.total
		case strings.HasPrefix(w.row.name, "database crash"):
			crashed += w.faults
		case strings.HasSuffix(w.row.name, "replicas, holder overtaken"):
			overtook += w.faults
		case strings.Contains(w.row.name, "replicas, holder"):
			away += w.faults
		}
	}
	r.printf("\n%-66s %s\n", "all", total.counts(took))
	r.printf("The service was killed %d times over %d operations; of several replicas, the lane's holder went away %d times, and lost it unawares %d times; PostgreSQL crashed %d times.\n",
		killed, killedOps, away, overtook, crashed)
	r.printf("%d blobs were looked up in the journal while they were on their way to the ledger: %d were not there, or broke what the fence promises.\n", total.blobs, total.stray)
	if r.skipped > 0 {
		r.printf("SKIPPED: %d rows, for the reasons above\n", r.skipped)
	}
	r.printf("Seed %d\n", r.seed)
	switch {
	case r.failed > 0:
		return fmt.Errorf("%d of %d rows failed: %d doubles, %d lost, %d false, %d open, %d stray, %d other faults",
			r.failed, len(r.rows), total.doubles, total.lost, total.untrue, total.unclosed, total.stray, total.failures)
	case len(r.rows) == 0:
		return errors.New("nothing was run")
	}
	return nil
}

func (r *run) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

// spread returns the median and the greatest of durations.
func spread(all []time.Duration) (median, slowest time.Duration) {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2], sorted[len(sorted)-1]
}
