package httpapi_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
	"github.com/xrplissuer/credential-issuer/store"
)

// world is a whole service over sockets: the embedded ledger, a client, a lane, the issuer and its HTTP side, and a
// funded subject with a lane of its own.
type world struct {
	t           *testing.T
	url         string
	sandbox     *sandbox.Server
	client      *ledger.Client // talks to the ledger directly, whatever lies between the service and it
	issuer      model.Address
	subject     model.Address
	subjectSeed ledger.Seed
	subjectLane *ledger.Lane
	store       *store.Store
	storeConfig store.Config
	log         *logBuffer
	operator    string // the Authorization header of an admin, where one is needed
	ticks       chan time.Time
}

// worldConfig is what tests change about their world.
type worldConfig struct {
	// balance is what the issuer begins with, in drops.
	balance int64
	// closeInterval is how often ledgers close.
	closeInterval time.Duration
	// ticks closes ledgers in place of closeInterval.
	ticks chan time.Time
	// now is the ledger's clock.
	now func() time.Time
	// node is the address that the service is given for its node, where it is not the ledger's own.
	node func(ledgerURL string) string
	// journal is put between the issuer and its journal.
	journal func(*world) issuer.Journal
	// noLane leaves what is stored where it is.
	noLane bool
	// database is where the journal is; a file of its own where it says nothing.
	database store.Config
	// ledgerOffset is how many ledgers a transaction may miss. Ledgers that close many times a second need many, or a
	// busy machine makes transactions expire.
	ledgerOffset uint32
	// signings is how often a transaction is signed before it counts as expired; the lane's own bound where it is 0.
	signings int
	// directLane has the lane talk to the ledger directly, past node.
	directLane bool
	// client changes how the service talks to its node.
	client func(*ledger.Config)
	// api changes its HTTP side.
	api func(*httpapi.Config)
	// issuer changes the issuer.
	issuer func(*issuer.Config)
	// furnish changes both, with what the world has by then.
	furnish []func(*world, *issuer.Config, *httpapi.Config)
}

const xrp = 1_000_000 // drops

// onTick is a world whose ledgers close when the test says so.
func onTick(c *worldConfig) { c.ticks = make(chan time.Time) }

// keepTicking closes ledgers, where that is the test's to do, until end is called.
func (w *world) keepTicking() (end func()) {
	if w.ticks == nil {
		return func() {}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case now := <-pace.C:
				w.ticks <- now
			case <-stop:
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-done
	}
}

func newWorld(t *testing.T, change ...func(*worldConfig)) *world {
	t.Helper()
	cfg := worldConfig{balance: 1000 * xrp, closeInterval: 150 * time.Millisecond, ledgerOffset: 60}
	for _, c := range change {
		c(&cfg)
	}
	w := &world{t: t, log: &logBuffer{}}
	quiet := slog.New(slog.DiscardHandler)
	server, err := sandbox.Start(context.WithoutCancel(t.Context()), sandbox.Config{
		Listen: "127.0.0.1:0", CloseInterval: cfg.closeInterval, Ticks: cfg.ticks, Now: cfg.now, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.sandbox = server
	t.Cleanup(func() {
		if err := server.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("the ledger ended with %v", err)
		}
	})
	// A machine that is busy with other tests ends no connection and no question: what a test wants to be late it says.
	nodeConfig := ledger.Config{URL: server.WebSocketURL(), CallTimeout: time.Minute, PingTimeout: time.Minute}
	w.client = w.dial(nodeConfig)

	w.ticks = cfg.ticks
	endTicks := w.keepTicking()

	var seeds [2]ledger.Seed
	var wg sync.WaitGroup
	for i, drops := range []int64{cfg.balance, 1000 * xrp} {
		wg.Go(func() { seeds[i] = w.newAccount(drops) })
	}
	wg.Wait()
	endTicks()
	w.issuer, w.subject, w.subjectSeed = seeds[0].Address(), seeds[1].Address(), seeds[1]
	w.subjectLane = w.run(w.client, seeds[1], cfg.ledgerOffset)

	nodeConfig.Logger = w.log.logger()
	if cfg.node != nil {
		nodeConfig.URL = cfg.node(server.WebSocketURL())
	}
	if cfg.client != nil {
		cfg.client(&nodeConfig)
	}
	serviceClient := w.dial(nodeConfig)
	laneClient := serviceClient
	if cfg.directLane {
		laneClient = w.client
	}
	w.storeConfig = cfg.database
	if w.storeConfig.URL == "" && w.storeConfig.Path == "" {
		w.storeConfig.Path = filepath.Join(t.TempDir(), "issuer.db")
	}
	w.store = openStore(t, w.storeConfig)
	if !cfg.noLane {
		w.work(laneClient, seeds[0], cfg.ledgerOffset, cfg.signings)
	}
	issuerConfig := issuer.Config{Account: w.issuer, Ledger: serviceClient, Journal: w.store, ReadLimit: time.Minute}
	if cfg.journal != nil {
		issuerConfig.Journal = cfg.journal(w)
	}
	if cfg.issuer != nil {
		cfg.issuer(&issuerConfig)
	}
	api := httpapi.Config{Logger: w.log.logger()}
	if cfg.api != nil {
		cfg.api(&api)
	}
	for _, f := range cfg.furnish {
		f(w, &issuerConfig, &api)
	}
	api.Issuer = issuer.New(issuerConfig)
	s := serve(t, api)
	w.url = "http://" + s.address
	return w
}

func openStore(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

// work starts the issuer's lane on the world's journal. It ends with the test.
func (w *world) work(client *ledger.Client, seed ledger.Seed, offset uint32, signings int) {
	w.t.Helper()
	lane, err := ledger.NewLane(client, ledger.LaneConfig{
		Account: seed.Address(), Seed: seed, LedgerOffset: offset, Signings: signings, Journal: w.store, Logger: w.log.logger(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.store.HoldLane(ctx, seed.Address(), "test", 0, lane.Work) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && model.CodeOf(err) != model.CodeStoreUnavailable { // some tests close it
			w.t.Errorf("the lane ended with %v", err)
		}
	})
}

func (w *world) dial(cfg ledger.Config) *ledger.Client {
	w.t.Helper()
	c, err := ledger.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// newAccount makes an account and waits until it is validated. It may run beside the test's own goroutine.
func (w *world) newAccount(drops int64) ledger.Seed {
	made, err := w.sandbox.Fund(w.t.Context(), "", drops)
	if err != nil {
		w.t.Errorf("making an account: %v", err)
		return ledger.Seed{}
	}
	seed, err := ledger.ParseSeed(made.Seed.Reveal())
	if err != nil {
		w.t.Errorf("the faucet's seed: %v", err)
	}
	return seed
}

// run starts a lane, which ends with the test.
func (w *world) run(client *ledger.Client, seed ledger.Seed, offset uint32) *ledger.Lane {
	w.t.Helper()
	lane, err := ledger.NewLane(client, ledger.LaneConfig{Account: seed.Address(), Seed: seed, LedgerOffset: offset})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the lane ended with %v", err)
		}
	})
	return lane
}

// account is the issuer's, as it stands in the last validated ledger.
func (w *world) account() model.Account {
	w.t.Helper()
	a, err := w.client.Account(w.t.Context(), w.issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// submit brings a transaction of the issuer onto the ledger, past the service's checks.
func (w *world) submit(tx model.CredentialCreate) {
	op, _, err := w.store.Create(w.t.Context(), model.Operation{Issuer: w.issuer, Kind: model.KindIssue, Subject: tx.Subject, Type: tx.Type, URI: tx.URI})
	if err == nil {
		op, err = w.store.Wait(w.t.Context(), op.ID)
	}
	if err != nil || op.State != model.StateSucceeded {
		w.t.Errorf("issuing %s: %s, %v", tx.Type, op.State, err)
	}
}

func (w *world) submitAs(lane *ledger.Lane, tx model.Transaction) {
	w.t.Helper()
	if _, err := lane.Submit(w.t.Context(), tx); err != nil {
		w.t.Fatal(err)
	}
}

// accept accepts as the subject.
func (w *world) accept(t model.CredentialType) {
	w.t.Helper()
	w.submitAs(w.subjectLane, model.CredentialAccept{Issuer: w.issuer, Type: t})
}
