package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/journal"
)

// GenesisAddress and GenesisSeed are the account that holds all XRP of a fresh ledger, and its well-known seed (secp256k1).
const (
	GenesisAddress = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
	GenesisSeed    = engine.GenesisSeed
)

// DefaultListen is where a server listens by default.
const DefaultListen = "127.0.0.1:5005"

// Config says how a server is made. The zero value is a fresh ledger in memory, on DefaultListen, that closes only on
// `ledger_accept`.
type Config struct {
	// Listen is the host and port to listen on, DefaultListen if empty; port 0 takes any. Whoever can connect has an
	// administrator's rights: on another host than loopback that is everybody who reaches it.
	Listen string
	// CloseInterval is how often a ledger closes; 0 for only on `ledger_accept`.
	CloseInterval time.Duration
	// DataDir is where the ledger is kept. It is made if it is not there. Empty: in memory.
	DataDir string
	// GenesisCloseTime is the close time of ledger 2, in seconds since 2000-01-01T00:00:00Z; the clock's when nil. A stored
	// ledger keeps its own.
	GenesisCloseTime *uint32
	// LedgerCapacity is how many transactions a ledger takes before the cost of further ones rises; 1,000 if 0.
	LedgerCapacity int
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Ticks closes a ledger each time it delivers, in place of a ticker of CloseInterval; for tests.
	Ticks <-chan time.Time
	// Weather is what goes wrong, on request; nil for nothing. With it, if only a clear one (&Weather{}), it can be changed while the
	// server runs: by SetWeather and Trigger, and by whoever reaches the server, with the method `sandbox_weather`.
	Weather *Weather
	// After is the timer of the weather's delays, time.After if nil; for tests, with Now.
	After func(time.Duration) <-chan time.Time
	// Logger takes warnings and errors; slog.Default() if nil.
	Logger *slog.Logger
}

// Server is a ledger and what answers for it. Its methods may be called from any goroutine.
type Server struct {
	cfg         Config
	lim         limits
	log         *slog.Logger
	node        *engine.Node
	firstClosed uint32           // the last closed ledger at the start
	store       *journal.Journal // nil: in memory
	hub         *hub
	counters    *rpcCounters
	checked     *txChecks
	votes       amendmentVotes
	id          identity
	started     time.Time
	weather     *weather // nil: fair for good

	listener net.Listener
	loopback bool
	http     *http.Server
	large    *semaphore.Weighted // bytes of large requests
	handling *semaphore.Weighted // requests that are being answered
	faucetMu sync.Mutex

	ctx     context.Context // ends when the server is to stop
	stop    context.CancelFunc
	conns   sync.WaitGroup // WebSocket connections
	workers sync.WaitGroup // what run owns
	done    chan struct{}  // closed when everything has ended
	err     error          // why it ended; read after done
}

// Start makes a server. It is listening, and its ledger is replayed, when Start returns. The server ends when ctx does, or by
// Close.
func Start(ctx context.Context, cfg Config) (*Server, error) { return start(ctx, cfg, standardLimits) }

func start(ctx context.Context, cfg Config, lim limits) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = DefaultListen
	}
	if cfg.CloseInterval < 0 {
		return nil, fmt.Errorf("the close interval is %v: it must be 0, for closing only on ledger_accept, or more", cfg.CloseInterval)
	}
	if cfg.LedgerCapacity < 0 {
		return nil, fmt.Errorf("the ledger capacity is %d: it must be 0, for the default, or more", cfg.LedgerCapacity)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.Weather != nil {
		if err := cfg.Weather.validate(); err != nil {
			return nil, err
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{
		cfg: cfg, lim: lim, log: cfg.Logger,
		hub: newHub(), counters: newCounters(cfg.Now), checked: newTxChecks(cfg.Now), started: cfg.Now(),
		large: semaphore.NewWeighted(lim.large), handling: semaphore.NewWeighted(lim.handling),
		done: make(chan struct{}),
	}
	if cfg.Weather != nil {
		s.weather = newWeather(s, *cfg.Weather)
	}
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	if err := s.openLedger(ctx); err != nil {
		return nil, errors.Join(err, s.listener.Close())
	}
	s.firstClosed = s.node.Closed().Seq
	s.hub.node = func() *engine.Node { return s.node }
	s.node.Observe(s.hub)
	if s.weather != nil {
		s.node.Observe(s.weather.relay)
		s.hub.gate = s.weather.thaw
	}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.run()
	return s, nil
}

func (s *Server) listen(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", s.cfg.Listen, err)
	}
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return errors.Join(fmt.Errorf("listening on %s: not a TCP address", s.cfg.Listen), l.Close())
	}
	if s.loopback = a.IP.IsLoopback(); !s.loopback {
		s.log.Warn("the ledger listens beyond this machine: whoever reaches it can close ledgers and spend the genesis account's XRP",
			"address", a.String())
	}
	if s.id, err = newIdentity(a.Port); err != nil {
		return errors.Join(err, l.Close())
	}
	if s.weather != nil {
		l = &weatherListener{l, s.weather.lines}
	}
	s.listener = newBoundedListener(l, s.lim.conns)
	return nil
}

// run starts what the server consists of: the HTTP server, the streams, the timer, and the one that waits for the end and puts
// everything away in order.
func (s *Server) run() {
	s.http = s.newHTTPServer()
	s.workers.Go(func() { s.hub.run(s.ctx.Done()) })
	if s.cfg.CloseInterval > 0 || s.cfg.Ticks != nil {
		s.workers.Go(s.closeOnTime)
	}
	failed := make(chan error, 1)
	s.workers.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving on %s: %w", s.listener.Addr(), err)
			s.stop()
		}
	})
	go func() {
		<-s.ctx.Done()
		// Requests that are being answered may end; those that hang are cut off.
		ctx, cancel := context.WithTimeout(context.Background(), s.lim.graceTime)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			s.err = errors.Join(s.err, s.http.Close())
		}
		s.conns.Wait()
		s.workers.Wait()
		select {
		case err := <-failed:
			s.err = errors.Join(s.err, err)
		default:
		}
		if s.store != nil {
			if err := s.store.Close(); err != nil {
				s.err = errors.Join(s.err, fmt.Errorf("closing the ledger's file: %w", err))
			}
		}
		close(s.done)
	}()
}

// Addr is the host and port that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// reachable is Addr with a host that a client of this machine can connect to.
func (s *Server) reachable() string {
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return s.Addr()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// URL is the address of JSON-RPC ("http://127.0.0.1:5005"); the faucet is at its /accounts.
func (s *Server) URL() string { return "http://" + s.reachable() }

// WebSocketURL is the address for WebSockets ("ws://127.0.0.1:5005").
func (s *Server) WebSocketURL() string { return "ws://" + s.reachable() }

// Wait returns when the server has ended, and why if not because it was asked to.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Close ends the server and waits for the end, at most until ctx ends. Every ledger that was closed is stored by then.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the server to end: %w", ctx.Err())
	}
}

// Accept closes the open ledger, as `ledger_accept` does, and tells the closed one's index.
func (s *Server) Accept(ctx context.Context) (seq uint32, err error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("closing the ledger: %w", err)
	}
	l, err := s.closeLedger(nil)
	if err != nil {
		return 0, fmt.Errorf("closing the ledger: %w", err)
	}
	return l.Seq, nil
}

func (s *Server) closeLedger(at *uint32) (*engine.Ledger, error) {
	if s.weather != nil {
		return s.weather.closeLedger(at)
	}
	return s.node.Close(at)
}

// closeOnTime closes ledgers until the server stops. A close that fails, as on a full disk, is tried again next time.
func (s *Server) closeOnTime() {
	ticks := s.cfg.Ticks
	if ticks == nil {
		t := time.NewTicker(s.cfg.CloseInterval)
		defer t.Stop()
		ticks = t.C
	}
	for {
		select {
		case <-s.ctx.Done():
			return
		case _, ok := <-ticks:
			if !ok {
				return
			}
			if _, err := s.closeLedger(nil); err != nil {
				s.log.Error("the ledger could not be closed; the next tick tries again", "cause", err)
			}
		}
	}
}

// waits tells whether what is submitted is validated without anybody's doing.
func (s *Server) closesByItself() bool { return s.cfg.CloseInterval > 0 || s.cfg.Ticks != nil }
