package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

const (
	// settleTime is how long operations may take to end once nothing goes wrong any more, before they are counted as open.
	settleTime = 100 * time.Second
	// mostExamples bounds how many faults of a row are shown in words.
	mostExamples = 8
	subjects     = 5
	// issuerXRP is enough for the reserve of all that is issued.
	issuerXRP = 200_000
)

// world is one row of the table: a ledger, a database, one service or several, and its clients.
type world struct {
	run *run
	row row
	rng *rand.Rand
	dir string

	node     *node
	watch    *watch
	server   *server // PostgreSQL of the row's own; nil where it has none
	ballast  string  // the file that fills a small disk
	issuer   programs.Wallet
	subjects []string
	journal  *journal
	replicas []*replica
	proxies  []*proxy
	client   *http.Client
	token    string   // of an administrator
	stops    []func() // of what goes on in the background
	tasks    sync.WaitGroup
	cleanups []func()

	requested atomic.Int64
	deafness  deafness
	blind     atomic.Bool // the ledger shows the services no history

	mu       sync.Mutex
	slots    []*slot
	requests []*request
	answers  map[string]int
	examples []string
	hidden   int // faults that are counted and not shown
	doubles  int
	lost     int
	untrue   int
	unclosed int // not final
	stray    int // sent, and should not have been
	failures int // of another kind, such as a service that ended
	faults   int // that this program or the weather did
	notes    []string
	states   map[string]int
	total    int // operations that were asked for
	blobs    int // that were seen on their way to the ledger, each time that they were sent
}

// count adds a fault of the service to one of the counts, and keeps it in words.
func (w *world) count(to *int, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*to++
	if len(w.examples) >= mostExamples {
		w.hidden++
		return
	}
	w.examples = append(w.examples, fmt.Sprintf(format, args...))
}

// fault counts what must not be and is neither double, lost, false nor open.
func (w *world) fault(format string, args ...any) { w.count(&w.failures, format, args...) }

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (w *world) did(faults int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults += faults
}

// heard counts an answer to a client.
func (w *world) heard(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[what]++
}

// hears tells how many of an answer there were.
func (w *world) hears(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers[what]
}

// keep remembers a request for the verdict.
func (w *world) keep(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, r)
	w.requested.Add(1)
}

func (w *world) asked() int { return int(w.requested.Load()) }

// open brings up the ledger, the database and the services.
func (w *world) open(ctx context.Context) error {
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	address, err := w.run.ports.address(ctx)
	if err != nil {
		return err
	}
	started, err := programs.StartNode(ctx, w.run.sandbox, w.dir, address, "--close-interval", w.row.close.String(), "--weather", "clear",
		"--weather-seed", fmt.Sprint(w.rng.Uint64()))
	if started != nil {
		w.node = &node{started}
	}
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if w.issuer, err = w.node.Fund(starting, "", 1000); err != nil {
		return err
	}
	if _, err = w.node.Fund(starting, w.issuer.Address, issuerXRP); err != nil {
		return err
	}
	w.subjects = make([]string, subjects)
	faults := make([]error, subjects)
	var group sync.WaitGroup
	for i := range w.subjects {
		group.Go(func() {
			a, err := w.node.Fund(starting, "", 100)
			w.subjects[i], faults[i] = a.Address, err
		})
	}
	group.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	dataDir := filepath.Join(w.dir, "data")
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	if w.row.disk > 0 && w.row.database == sqlite {
		if err := w.mount(ctx, dataDir, w.row.disk); err != nil {
			return err
		}
		w.ballast = filepath.Join(dataDir, "ballast")
	}
	if w.row.database == postgres {
		address := postgresURL()
		if w.row.server {
			if err := w.startServer(ctx); err != nil {
				return err
			}
			address = w.server.url()
		}
		if w.journal, err = newSchema(ctx, address, fmt.Sprintf("faults_%016x", w.rng.Uint64())); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
	}
	if w.journal == nil {
		if w.journal, err = openSQLite(dataDir); err != nil {
			return err
		}
	}
	w.watch = newWatch(w)
	following, stopFollowing := context.WithCancel(context.Background())
	w.tasks.Go(func() { w.watch.follow(following) })
	w.stops = append(w.stops, stopFollowing)
	for i := range max(w.row.replicas, 1) {
		if err := w.addReplica(ctx, i, dataDir); err != nil {
			return err
		}
	}
	for _, r := range w.replicas {
		if err := r.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) addReplica(ctx context.Context, i int, dataDir string) error {
	address, err := w.run.ports.address(ctx)
	if err != nil {
		return err
	}
	transport := w.row.transport
	if transport == "" {
		transport = "ws"
	}
	r := &replica{w: w, name: fmt.Sprintf("issuer-%d", i+1), address: address, program: w.run.issuer}
	answer := copyAll
	if w.row.deaf {
		answer = w.deafness.pass
	}
	toLedger, err := startProxy(ctx, w.node.Address, r.tell, answer)
	if err != nil {
		return err
	}
	w.proxies = append(w.proxies, toLedger)
	r.env = []string{
		"HTTP_LISTEN=" + address, "XRPL_NETWORK=" + transport + "://" + toLedger.address(), "ISSUER_ACCOUNT_SEED=" + w.issuer.Seed,
		"DATA_DIR=" + dataDir, "HTTP_STOP_LIMIT=10s", "LOG_LEVEL=" + w.run.logLevel,
		"RATE_LIMIT_CLIENT=0", "RATE_LIMIT_SUBJECT=0", "RATE_LIMIT_TOKEN=0",
	}
	if w.row.clock {
		if r.program, err = w.run.jumping(); err != nil {
			return skipped(err.Error())
		}
		if r.clock, err = newClock(filepath.Join(w.dir, r.name+".clock")); err != nil {
			return err
		}
		r.env = append(r.env, clockVariable+"="+r.clock.path)
	}
	if w.row.mode == tickets {
		r.env = append(r.env, "ISSUER_SUBMIT_MODE=tickets")
	}
	if w.row.database == postgres {
		if r.proxy, err = startProxy(ctx, w.journal.target(), copyAll, copyAll); err != nil {
			return err
		}
		w.proxies = append(w.proxies, r.proxy)
		r.env = append(r.env, "DATABASE_URL="+w.journal.through(r.proxy.address()))
	}
	if w.token == "" {
		if w.token, err = makeToken(ctx, w.run.issuer, r.env); err != nil {
			return err
		}
	}
	w.replicas = append(w.replicas, r)
	return r.start()
}

// makeToken has the program make an administrator's token.
func makeToken(ctx context.Context, program string, env []string) (string, error) {
	cmd := exec.CommandContext(ctx, program, "token", "create", "--name", "faults", "--role", "admin")
	cmd.Env = append(programs.Environment(), env...)
	var said strings.Builder
	cmd.Stderr = &said
	token, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("making a token: %w: %s", err, said.String())
	}
	return strings.TrimSpace(string(token)), nil
}

// close ends whatever is left.
func (w *world) close() {
	for _, r := range w.replicas {
		_ = r.end(false)
	}
	for _, p := range w.proxies {
		p.close()
	}
	for _, f := range w.stops {
		f()
	}
	w.tasks.Wait()
	if w.journal != nil {
		w.journal.close()
	}
	if w.node != nil {
		w.node.Process.Kill()
		w.node.CloseIdle()
	}
	for _, f := range slices.Backward(w.cleanups) {
		f()
	}
	if w.client != nil {
		w.client.CloseIdleConnections()
	}
}

// play is the whole row: load and faults at once, then quiet, then the verdict.
func (w *world) play(ctx context.Context) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	loading, stopLoad := context.WithTimeout(ctx, w.row.limit)
	defer stopLoad()
	enough := make(chan struct{})
	loaded := make(chan struct{})
	rng := rand.New(rand.NewPCG(w.rng.Uint64(), 7))
	go func() {
		defer close(loaded)
		w.load(loading, rng, w.row.clients, w.row.requests, enough)
	}()
	err := w.row.fault(loading, w)
	close(enough)
	<-loaded
	if err != nil {
		return err
	}
	if loading.Err() != nil && ctx.Err() == nil {
		w.note("clients were stopped after %v", w.row.limit)
	}
	return w.judge(ctx)
}
