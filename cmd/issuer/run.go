package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/xrplissuer/credential-issuer/cmd/internal/config"
	"github.com/xrplissuer/credential-issuer/cmd/internal/version"
	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/issuer/policy"
	"github.com/xrplissuer/credential-issuer/issuer/vault"
	"github.com/xrplissuer/credential-issuer/issuer/webhook"
	"github.com/xrplissuer/credential-issuer/ledger"
	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/store"
)

const (
	// nodeWait is how long a start waits for a node that does not answer.
	nodeWait = 30 * time.Second
	// nodeTold is how often the log tells of that.
	nodeTold = 10 * time.Second
	// drainTime is how long the lane may take once no request waits for it any more: what is left then goes
	// on at the next start.
	drainTime = time.Second
	// expiry is how long a transaction may take to get into the embedded ledger, about what it has on a public network,
	// within bounds of the number of ledgers.
	expiry                  = 30 * time.Second
	leastOffset, mostOffset = 8, 1000
	// publicInterval is the least time between two ledgers of a public network, on average: they are open for 2 s, and need
	// nearly as long for consensus (rippled: ConsensusParms.h, ledgerMinClose and ledgerMinConsensus). publicAhead is by how
	// much this machine's clock may be behind theirs. Of other networks nothing is known but that a test ledger closes fast.
	publicInterval = 2 * time.Second
	publicAhead    = 5 * time.Minute
	otherInterval  = 10 * time.Millisecond
	// feesAhead is how many transactions at the highest fee the account should be able to pay for.
	feesAhead = 100
)

// commands are what the program does besides serving, by their first word.
var commands = map[string]func(ctx context.Context, args []string, dotenv string, c console) error{
	"audit":     runAudit,
	"batch":     runBatch,
	"operation": runOperation,
	"token":     runToken,
	"verify":    runVerify,
}

// run is the program: it returns nil when ctx ended it, and an error that says what to do when it cannot work. A fault
// in the settings is a [config.Faults].
func run(ctx context.Context, args []string, dotenv string, c console) error {
	which, args := config.Asks(args)
	if which {
		return version.Print(c.out, "issuer")
	}
	if len(args) > 0 {
		if command := commands[args[0]]; command != nil {
			return command(ctx, args[1:], dotenv, c)
		}
	}
	s, flags, err := readSettings(args, dotenv)
	if errors.Is(err, pflag.ErrHelp) {
		return usage(c.out, flags)
	}
	if err != nil {
		return err
	}
	hangup, release := catchHangup()
	defer release()
	log := slog.New(httpapi.LogHandler(s.logger(c.err)))
	for _, w := range s.warnings {
		log.Warn(w)
	}
	if s.seed == nil && !s.onSandbox() {
		seed, err := askSeed(ctx, c)
		if err != nil {
			return stopped(ctx, err)
		}
		s.seed = &seed
	}
	p, err := start(ctx, s, log)
	if err != nil {
		return stopped(ctx, err)
	}
	p.terminalGone, p.hangup = watchTerminal(c), hangup
	if _, err := io.WriteString(c.out, p.banner.String()); err != nil {
		return errors.Join(fmt.Errorf("show the banner: %w", err), p.stop())
	}
	return p.serve(ctx)
}

// stopped forgets an error that a stop during the start has caused.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || model.CodeOf(err) == model.CodeLedgerUnavailable) {
		return nil
	}
	return err
}

// program is what runs, in the order in which it was started; stopping goes backwards.
type program struct {
	log      *slog.Logger
	listener net.Listener
	embedded *embedded // nil on other networks
	client   *ledger.Client
	reader   *ledger.Client   // of client's node: verifications
	others   []*ledger.Client // more nodes of the same network
	store    *store.Store
	guard    *networkGuard
	issuer   *issuer.Issuer
	lane     *ledger.Lane
	// keeper and sender work beside the lane, in whatever process has it.
	keeper   *issuer.Keeper
	sender   *webhook.Sender
	stopLane context.CancelFunc
	// ledgerOffset is how many ledgers a transaction may miss before it expires.
	ledgerOffset uint32
	laneDone     chan error
	// The guard watches the node for as long as the lane works.
	stopGuard context.CancelFunc
	guardDone chan error
	api       *httpapi.API
	banner    banner
	access    *access.Authenticator
	// reload reads again what may change while the program runs.
	reload func()
	hangup chan os.Signal
	// terminalGone says whether the program had a terminal, and has it no more.
	terminalGone func() bool
}

// start brings everything up to the point where requests could be served. What it started it stops when it fails.
func start(ctx context.Context, s settings, log *slog.Logger) (p *program, err error) {
	p = &program{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
			p = nil
		}
	}()
	// The port first: it is what is taken most often, and nothing has been done yet.
	if p.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.httpListen); err != nil {
		return p, listenFault("HTTP_LISTEN", s.httpListen, err)
	}
	var tls *certificate
	if tls, err = newCertificate(s.accessSettings); err != nil {
		return p, wrongSettings(err)
	}
	var policies *policy.Holder
	if s.policyDir != "" {
		if policies, err = policy.NewHolder(s.policyDir); err != nil {
			return p, wrongSettings(fmt.Errorf("POLICY_DIR: %w", err))
		}
	}
	if s.onSandbox() {
		if p.embedded, err = startEmbedded(ctx, s, log); err != nil {
			return p, err
		}
		s.network.Node = config.Address(p.embedded.server.WebSocketURL())
	}
	nodeConfig := ledger.Config{URL: s.network.Node.URL(), MaxLedgerAge: s.maxLedgerAge, Logger: log, Proof: proof(s)}
	if p.client, err = ledger.New(nodeConfig); err != nil {
		return p, wrongSettings(fmt.Errorf("XRPL_NETWORK: %w", err))
	}
	p.reader = p.client.Reader()
	for _, node := range s.nodes {
		nodeConfig.URL = node.URL()
		other, err := ledger.New(nodeConfig)
		if err != nil {
			return p, wrongSettings(fmt.Errorf("XRPL_NODES: %w", err))
		}
		p.others = append(p.others, other)
	}
	witnesses := ledger.NewWitnesses(p.others, log)
	sealing, err := documentsVault(s)
	if err != nil {
		return p, err
	}
	keys, err := journalKeys(s)
	if err != nil {
		return p, err
	}
	if p.store, err = openStore(ctx, s, store.AccessService, sealing, keys, log); err != nil {
		return p, err
	}
	if err := adopt(ctx, p.store, log); err != nil {
		return p, err
	}
	if n, err := p.store.KeyHashes(ctx); err != nil {
		return p, err
	} else if n > 0 {
		log.Info("put the hashes of requests and rows that an earlier release had stored under a key", "count", n)
	}
	// Before anything is done on the ledger.
	p.guard = newNetworkGuard(p.client, p.store, s, log)
	p.guard.witnesses = witnesses
	if err = p.guard.start(ctx, p.embedded != nil); err != nil {
		return p, err
	}
	scheme := "http"
	if tls != nil {
		scheme = "https"
	}
	p.banner = banner{scheme: scheme, network: s.network, http: p.listener.Addr(), closeInterval: s.closeInterval, dataDir: s.dataDir}
	if p.embedded != nil {
		if err = p.embedded.furnish(ctx, p.client, &s, &p.banner); err != nil {
			return p, err
		}
	}
	account := s.account
	if account == "" {
		account = s.seed.Address()
	}
	if err = checkKey(ctx, p.client, account, *s.seed, log); err != nil {
		return p, err
	}
	if p.embedded != nil {
		if p.banner.credential, err = unused(ctx, p.client, p.banner.subject.address, account); err != nil {
			return p, err
		}
	} else {
		p.banner.credential = firstType
	}
	if policies != nil {
		p.banner.types = policies.Current().Types()
	}
	p.banner.issuer = account

	if p.access, err = access.New(access.Config{Tokens: p.store, OIDC: s.accessSettings.oidc, Open: s.onSandbox(), Failures: s.accessSettings.loginRate, Logger: log.With("room", "access")}); err != nil {
		return p, wrongSettings(fmt.Errorf("OIDC_ISSUER, OIDC_AUDIENCE and OIDC_ROLE_CLAIM: %w", err))
	}
	if err = checkListener(ctx, s, p.listener.Addr(), p.access, log); err != nil {
		return p, err
	}
	if p.banner.open, err = p.access.Open(ctx); err != nil {
		return p, err
	}
	checkPolicies := func(set *policy.Set) error {
		if sealing == nil && set.NeedsReview() {
			return errNoDocumentsKey
		}
		return nil
	}
	if policies != nil {
		if err = checkPolicies(policies.Current()); err != nil {
			return p, wrongSettings(err)
		}
		warnOf(log, policies)
	}
	p.reload = func() {
		reload(log, tls, policies, checkPolicies)
		s.webhooks.reload(log, p.sender)
	}
	counted := newMetrics()
	p.ledgerOffset = cmp.Or(s.ledgerOffset(), ledger.DefaultLedgerOffset)
	p.lane, err = ledger.NewLane(p.client, ledger.LaneConfig{
		Account: account, Seed: *s.seed, MaxFeeDrops: s.maxFeeDrops, LedgerOffset: s.ledgerOffset(), Mode: s.submitMode,
		Journal: journal{p.store, p.guard, counted, witnesses, account, time.Now}, Logger: log,
	})
	if err != nil {
		return p, err
	}
	self, funds := holder(), issuer.Funds{Room: int64(s.reserveWarning), Balance: feesAhead * s.maxFeeDrops}
	keeping := issuer.KeeperConfig{Account: account, Ledger: p.client, Records: records{p.store, p.guard}, Funds: funds, Reconcile: s.reconcile, Logger: log.With("room", "keeper")}
	if policies != nil {
		keeping.Policies = policies
	}
	p.keeper = issuer.NewKeeper(keeping)
	p.sender, err = webhook.New(webhook.Config{Outbox: p.store, Issuer: account, Endpoints: s.webhooks.endpoints, Logger: log.With("room", "webhook"),
		Watch: func() (<-chan struct{}, func()) { return p.store.WatchEvents(account) }})
	if err != nil {
		return p, wrongSettings(fmt.Errorf("WEBHOOK_URLS: %w", err))
	}
	counted.watch(&scraped{account, p.client, witnesses, p.store, p.lane, p.keeper, p.sender, time.Now, p.store, p.checks()})
	var guardContext, laneContext context.Context
	guardContext, p.stopGuard = context.WithCancel(context.WithoutCancel(ctx))
	p.guardDone = make(chan error, 1)
	go func() { p.guardDone <- p.guard.run(guardContext) }()
	laneContext, p.stopLane = context.WithCancel(context.WithoutCancel(ctx))
	checks := p.checks()
	p.store.ReportCondition(func() string { return issuer.Condition(checks) })
	p.laneDone = make(chan error, 1)
	go func() {
		p.laneDone <- p.store.HoldLane(laneContext, account, self, store.DefaultLease, p.work)
	}()

	issuing := issuer.Config{Account: account, Closed: s.accessSettings.closed, Ledger: p.client, Verification: p.reader, Journal: p.store, Index: records{p.store, p.guard}, NetworkID: networkID(p.store), WaitLimit: s.waitLimit,
		House: issuer.HouseConfig{Records: p.store, Checks: checks, Holder: self, Keeper: p.keeper, Webhooks: webhookStatus(p.sender), Funds: funds,
			Submitter: submitterWarnings(p.lane.Status)}}
	if witnesses != nil {
		issuing.Confirm = witnesses.ConfirmValid
	}
	if policies != nil {
		issuing.Policies = policies
	}
	if sealing != nil {
		issuing.Vault = sealing
	}
	p.issuer = issuer.New(issuing)
	p.api = httpapi.New(httpapi.Config{
		Issuer:         p.issuer,
		Access:         p.access,
		Audit:          p.store,
		ClientLimit:    access.NewLimiter(s.accessSettings.clientRate, 0, nil),
		UnprovenLimit:  access.NewLimiter(s.accessSettings.subjectRate, 0, nil),
		TokenLimit:     access.NewLimiter(s.accessSettings.tokenRate, 0, nil),
		SubjectLimit:   access.NewLimiter(s.accessSettings.subjectRate, 0, nil),
		ProofLimit:     access.NewLimiter(access.Rate{Count: 1, Per: issuer.ChallengeTime}, 0, nil),
		ClientIP:       clientOf(s.accessSettings.proxies),
		TLS:            tls.config(),
		Logger:         log,
		AnswerTime:     s.waitLimit + time.Minute,
		WaitLimit:      s.waitLimit,
		StopTime:       s.stopLimit,
		MaxConnections: mostConnections(),
		GiveUp:         p.issuer.Release,
		Metrics:        counted.handler(log),
		Observe:        counted.request,
	})
	log.Info("serving", "version", version.Text(), "network", s.network.Name, "node", p.client.Node(), "issuer", account.String(), "http", p.listener.Addr().String())
	return p, nil
}

// proof says how the node's ledgers are proven. The embedded ledger is this process's own.
func proof(s settings) *ledger.ProofConfig {
	switch {
	case s.onSandbox():
		return nil
	case config.Networks[s.network.Name] != "":
		return &ledger.ProofConfig{Interval: publicInterval, Ahead: publicAhead}
	}
	return &ledger.ProofConfig{Interval: otherInterval}
}

// work is what this process does for as long as it has the lane: what the lane does ends it, and the keeper and the sender of
// webhooks, which no fault ends, go with it.
func (p *program) work(ctx context.Context, fence model.Fence) error {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() { p.keeper.Run(ctx) })
	beside.Go(func() { p.sender.Run(ctx) })
	recovery := recovery{account: fence.Issuer, offset: p.ledgerOffset, client: p.client, store: p.store, log: p.log}
	if err := recovery.run(ctx, fence); err != nil {
		return err
	}
	return p.lane.Work(ctx, fence)
}

// records is the store as the keeper has it: nothing that a node says is written while it may show another ledger than the
// journal's.
type records struct {
	*store.Store
	guard *networkGuard
}

func (r records) AddListed(ctx context.Context, account model.Address, credentials []model.ListedCredential, at, closeTime uint32) (int, error) {
	if err := r.guard.wait(ctx); err != nil {
		return 0, err
	}
	return r.Store.AddListed(ctx, account, credentials, at, closeTime)
}

func (r records) Rewind(ctx context.Context, account model.Address, at, closeTime uint32) error {
	if err := r.guard.wait(ctx); err != nil {
		return err
	}
	return r.Store.Rewind(ctx, account, at, closeTime)
}

func (r records) FinishListing(ctx context.Context, account model.Address, at, closeTime uint32) (int, error) {
	if err := r.guard.wait(ctx); err != nil {
		return 0, err
	}
	return r.Store.FinishListing(ctx, account, at, closeTime)
}

func (r records) Reconciled(ctx context.Context, account model.Address, ledger uint32) error {
	if err := r.guard.wait(ctx); err != nil {
		return err
	}
	return r.Store.Reconciled(ctx, account, ledger)
}

func (r records) Correct(ctx context.Context, account model.Address, at, closeTime uint32, found []model.ListedCredential, absent []model.Credential) (int, error) {
	if err := r.guard.wait(ctx); err != nil {
		return 0, err
	}
	return r.Store.Correct(ctx, account, at, closeTime, found, absent)
}

func (r records) ApplyChanges(ctx context.Context, account model.Address, progress model.MirrorProgress) error {
	if err := r.guard.wait(ctx); err != nil {
		return err
	}
	return r.Store.ApplyChanges(ctx, account, progress)
}

// holder names this process, and no other, to those who want the lane.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
}

// journalFile is where the journal is kept in a folder.
func journalFile(dataDir string) string { return filepath.Join(dataDir, "issuer.db") }

// headFile is where the newest entry of the audit log is noted, outside the database.
func headFile(dataDir string) string { return filepath.Join(dataDir, "audit-head") }

// openStore opens the journal: in PostgreSQL where that is set, else in a file beside the other data.
// The hashes in it are made with keys of the vault; it is nil where there is none. Operations are authenticated with keys; a command
// that stores none needs none.
func openStore(ctx context.Context, s settings, access store.Access, sealing *vault.Vault, keys [][32]byte, log *slog.Logger) (*store.Store, error) {
	cfg := store.Config{URL: s.databaseURL, Path: journalFile(s.dataDir), Access: access, IdempotencyKeep: s.keepKeys, RequestKeep: s.keepRequests, JournalKeys: keys, Logger: log.With("room", "store")}
	if access == store.AccessService {
		cfg.HeadFile = headFile(s.dataDir)
	}
	if sealing != nil {
		cfg.HashKeys = sealing.HashKeys()
	}
	opened, err := store.Open(ctx, cfg)
	if err == nil {
		return opened, nil
	}
	// What a caller of the service would be told says nothing to its operator; the cause does.
	why := cause(err)
	var known *model.Error
	var files *os.PathError
	var schema *store.SchemaError
	_ = errors.As(err, &known)
	switch {
	case errors.As(err, &schema) && s.databaseURL != "":
		return nil, wrongSettings(fmt.Errorf("DATABASE_URL: %w", schema))
	case errors.As(err, &schema):
		return nil, wrongSettings(fmt.Errorf("the journal in %s cannot be used: %w", cfg.Path, schema))
	case s.databaseURL != "" && known == nil:
		return nil, wrongSettings(why) // it names the setting
	case s.databaseURL != "":
		return nil, fmt.Errorf("DATABASE_URL: the journal cannot be opened: check the address, the database's name, the user's rights and the server (%w)", why)
	case errors.As(err, &files), known != nil && known.Code == model.CodeStoreUnavailable:
		return nil, fmt.Errorf("DATA_DIR: the journal cannot be kept in %s: set DATA_DIR to a folder that this user may write to (%w)", cfg.Path, why)
	}
	return nil, fmt.Errorf("the journal in %s cannot be used: %w", cfg.Path, why)
}

// adopt authenticates what an earlier release left open, once.
func adopt(ctx context.Context, st *store.Store, log *slog.Logger) error {
	n, err := st.Adopt(ctx)
	if err == nil && n != (store.Adopted{}) {
		log.Warn("adopted open operations of an earlier release as they are in the database: this happens once, after an upgrade",
			"operations", n.Operations, "renewals", n.Renewals, "requests", n.Requests)
	}
	return err
}

// serve answers requests until ctx ends or something that it needs does, and stops everything.
func (p *program) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	if p.embedded != nil {
		go func() {
			defer close(watched)
			if err := p.embedded.server.Wait(); err != nil {
				cancel(fmt.Errorf("the embedded ledger ended: %w", err))
			}
		}()
	} else {
		close(watched)
	}
	laneEnded := make(chan struct{})
	go func() { // a lane that ends by itself, or a node that shows another ledger
		defer close(laneEnded)
		select {
		case err := <-p.laneDone:
			p.laneDone <- err
			if err != nil {
				cancel(fmt.Errorf("the lane ended: %w", err))
			}
		case err := <-p.guardDone:
			p.guardDone <- nil
			cancel(err)
		case <-ctx.Done():
		}
	}()
	listener := p.listener
	p.listener = nil // Serve closes it
	reloading := onHangup(ctx, p.hangup, func() {
		if p.terminalGone() { // nobody is left who could stop it
			cancel(nil)
			return
		}
		p.reload()
	})
	err := p.api.Serve(ctx, listener)
	cancel(context.Canceled)
	<-reloading
	<-laneEnded
	err = errors.Join(err, p.stop())
	<-watched
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	p.log.Info("stopped")
	return err
}

// stop ends what was started, the last first. What was not started is nil.
func (p *program) stop() error {
	var faults []error
	if p.listener != nil {
		faults = append(faults, p.listener.Close())
	}
	if p.stopLane != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		if err := p.lane.Drain(ctx); err != nil {
			p.log.Warn("the lane was stopped with transactions in flight", "cause", err)
		}
		cancel()
		p.stopLane()
		faults = append(faults, <-p.laneDone)
	}
	if p.stopGuard != nil {
		p.stopGuard()
		faults = append(faults, <-p.guardDone)
	}
	if p.access != nil {
		p.access.Close()
	}
	if p.store != nil {
		faults = append(faults, p.store.Close())
	}
	if p.reader != nil {
		p.reader.Close()
	}
	if p.client != nil {
		p.client.Close()
	}
	for _, other := range p.others {
		other.Close()
	}
	if p.embedded != nil {
		faults = append(faults, p.embedded.close())
	}
	return errors.Join(faults...)
}

// errNoDocumentsKey says what is missing before a person can decide on anything.
var errNoDocumentsKey = errors.New("DOCUMENTS_KEY: a policy has requests wait for a person, and their documents are not kept without a key: " +
	"set DOCUMENTS_KEY, or DOCUMENTS_KEY_FILE, to what openssl rand -base64 32 prints")

// warnOf tells what is risky about the policies in force.
func warnOf(log *slog.Logger, policies *policy.Holder) {
	for _, w := range policies.Current().Warnings() {
		log.Warn(w)
	}
}

// reload reads policies and certificates again. What is wrong with them is told in the log, and what was read before stays.
func reload(log *slog.Logger, tls *certificate, policies *policy.Holder, check func(*policy.Set) error) {
	if tls != nil {
		if err := tls.reload(); err != nil {
			log.Error("the certificate was not read again; the one before stays", "error", err)
		} else {
			log.Info("read the certificate again")
		}
	}
	if policies != nil {
		if err := policies.ReloadIf(check); err != nil {
			log.Error("the policies were not read again; those before stay", "error", err)
		} else {
			log.Info("read the policies again", "types", len(policies.Current().Types()))
			warnOf(log, policies)
		}
	}
}

// ledgerOffset is how many ledgers a transaction may miss before it expires. On an embedded ledger that closes often it
// is more than usual, so that a machine that is busy for a moment does not make transactions expire; 0 is the usual.
func (s settings) ledgerOffset() uint32 {
	if !s.onSandbox() || s.closeInterval == 0 {
		return 0
	}
	return uint32(min(max(expiry/s.closeInterval, leastOffset), mostOffset))
}

// checkKey finds out whether the key may sign for the account. It gives a node that does not answer some time.
func checkKey(ctx context.Context, client *ledger.Client, account model.Address, seed ledger.Seed, log *slog.Logger) error {
	var key *ledger.KeyError
	err := askNode(ctx, client, log, func(ctx context.Context) error { return ledger.CheckKey(ctx, client, account, seed) },
		func(err error) bool { return errors.As(err, &key) })
	if key != nil {
		return wrongSettings(fmt.Errorf("ISSUER_ACCOUNT_SEED: %w", err))
	}
	return err
}

// askNode asks again, for [nodeWait], until there is no error or a final one. The log has the first failure, and one in
// [nodeTold] of those that follow.
func askNode(ctx context.Context, client *ledger.Client, log *slog.Logger, ask func(context.Context) error, final func(error) bool) error {
	deadline := time.NewTimer(nodeWait)
	defer deadline.Stop()
	for told := (time.Time{}); ; {
		err := ask(ctx)
		switch {
		case err == nil || final(err):
			return err
		case ledger.AmendmentBlocked(err):
			return wrongSettings(fmt.Errorf("XRPL_NETWORK: the node at %s is amendment blocked: it lacks an amendment that the network has enabled, and follows the network no more: "+
				"configure another node, or upgrade this one (%w)", client.Node(), cause(err)))
		}
		if ctx.Err() == nil && time.Since(told) >= nodeTold {
			log.Warn("the node does not answer as it must; asking again", "node", client.Node(), "for", nodeWait, "cause", cause(err))
			told = time.Now()
		}
		again := time.NewTimer(time.Second)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-deadline.C:
			again.Stop()
			if ledger.Behind(err) {
				return err
			}
			if ledger.OutOfSync(err) {
				return fmt.Errorf("the node at %s is not in sync with its network: wait until it has caught up, or set XRPL_NETWORK to another one; "+
					"XRPL_MAX_LEDGER_AGE is the highest age of its last ledger (%w)", client.Node(), cause(err))
			}
			return fmt.Errorf("no node answers at %s: check XRPL_NETWORK and the way to it, then start again (%w)", client.Node(), cause(err))
		}
	}
}

// cause is why something failed, without the words that a caller of the service would be told.
func cause(err error) error {
	var known *model.Error
	if errors.As(err, &known) && known.Cause != nil {
		return known.Cause
	}
	return err
}

// listenFault says what to do about an address that cannot be listened on.
func listenFault(setting, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is taken by another program, perhaps by this service started before: stop that one, or set %s to another port (0 for any)",
			setting, address, setting)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: %s needs rights that this user does not have: set %s to a port from 1024 up", setting, address, setting)
	}
	return fmt.Errorf("%s: cannot listen on %s: set %s to an address of this machine and a port (%w)", setting, address, setting, err)
}
