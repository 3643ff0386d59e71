package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// Config is what a [Sender] is made of. Outbox and Issuer are needed.
type Config struct {
	Outbox Outbox
	// Issuer is the account whose events are sent.
	Issuer model.Address
	// Endpoints are all that the account has, at most [MaxEndpoints], of different IDs: others that the outbox knows are
	// forgotten. None is a list too. [Sender.SetEndpoints] changes them.
	Endpoints []Endpoint
	// Watch returns a channel that is signalled when there may be more to send, because an event was committed or an
	// operation became final, and what ends that. Each endpoint calls it once. Nil has the sender look every Poll alone.
	Watch func() (wake <-chan struct{}, stop func())
	Retry Retry
	// Timeout is how long an attempt may take: 15 s by default.
	Timeout time.Duration
	// Concurrency is how many attempts may be under way at once for one endpoint: 8 by default, at most 64.
	Concurrency int
	// Poll is how often the outbox is asked what is due where nothing wakes the sender before: 5 s by default. What is
	// postponed comes that much late at most.
	Poll time.Duration
	// RootCAs are who may vouch for an endpoint's certificate; the system's by default.
	RootCAs *x509.CertPool
	Clock   Clock        // the machine's by default
	Logger  *slog.Logger // none by default

	resolver *net.Resolver  // the system's by default
	chance   func() float64 // in [0, 1), for the jitter
}

const maxConcurrency = 64

func (c Config) withDefaults() (Config, error) {
	if c.Outbox == nil || c.Issuer == "" {
		return Config{}, errors.New("webhook: Config.Outbox and Config.Issuer are needed")
	}
	if c.Watch == nil {
		c.Watch = func() (<-chan struct{}, func()) { return nil, func() {} }
	}
	var err error
	if c.Retry, err = c.Retry.withDefaults(); err != nil {
		return Config{}, err
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Concurrency == 0 {
		c.Concurrency = 8
	}
	if c.Poll == 0 {
		c.Poll = 5 * time.Second
	}
	if c.Timeout < 0 || c.Poll < 0 || c.Concurrency < 0 || c.Concurrency > maxConcurrency {
		return Config{}, fmt.Errorf("webhook: Config.Timeout and Poll must be more than 0, and Concurrency 1 to %d", maxConcurrency)
	}
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.chance == nil {
		c.chance = rand.Float64
	}
	return c, nil
}

// Sender sends an account's events to its endpoints.
type Sender struct {
	cfg  Config
	turn chan struct{} // holds one value while Run is under way

	mu      sync.Mutex
	desks   []*desk
	changed chan struct{} // closed when there are others, and made anew
}

// New returns a sender, which does nothing before [Sender.Run]. Its errors are of the configuration, and say what to
// change.
func New(cfg Config) (*Sender, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, turn: make(chan struct{}, 1), changed: make(chan struct{})}
	return s, s.SetEndpoints(cfg.Endpoints)
}

// SetEndpoints says which endpoints there are from now on, in the place of those of [Config]. Where [Sender.Run] is
// under way, what is sent at that moment is let end or made again, and it goes on with these; [EndpointStatus] goes on
// for those whose ID and address stay. The error says what to change; then nothing is.
func (s *Sender) SetEndpoints(endpoints []Endpoint) error {
	if len(endpoints) > MaxEndpoints {
		return fmt.Errorf("there are %d webhooks, and at most %d may be", len(endpoints), MaxEndpoints)
	}
	ids := map[string]bool{}
	for _, e := range endpoints {
		switch {
		case e.url == nil:
			return errors.New("webhook: an Endpoint is made by NewEndpoint")
		case ids[e.id]:
			return fmt.Errorf("the webhook %v is there twice: leave one out, or give it another name", e)
		}
		ids[e.id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.desks
	s.desks = nil
	for _, e := range endpoints {
		d := &desk{}
		for _, old := range before {
			if at := old.at(); at.id == e.id && at.sameAddress(e) {
				d = old
			}
		}
		d.set(e)
		s.desks = append(s.desks, d)
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// current returns the endpoints that there are, and what is closed when there are others.
func (s *Sender) current() ([]*desk, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desks, s.changed
}

// How long the outbox may take for one call, and how long it takes until it is asked again after a failure.
const (
	outboxTime     = 10 * time.Second
	outboxRetry    = time.Second
	outboxMaxRetry = 30 * time.Second
)

// Run sends until ctx ends, and returns when nothing of it is left: attempts that are under way then have [stopGrace] to end.
// One that is broken off may have been taken by its endpoint, and is made again by the next Run. Run may be called again,
// here or in another process; calls at the same time wait for each other, so that the order is kept.
//
// What goes wrong is in the log and in [Sender.Status]. Nothing ends it but ctx.
func (s *Sender) Run(ctx context.Context) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		s.round(ctx)
	}
}

// round sends until ctx ends, or there are other endpoints.
func (s *Sender) round(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	desks, changed := s.current()
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-changed:
			cancel()
		case <-stop:
		}
	})
	defer watch.Wait()
	defer close(stop)
	if !s.subscribe(ctx, desks) {
		return
	}
	var couriers sync.WaitGroup
	for _, d := range desks {
		couriers.Go(func() { newCourier(s.cfg, d).run(ctx) })
	}
	couriers.Wait()
	<-ctx.Done()
}

// subscribe tells the outbox of the endpoints, and returns false where ctx ended before it could.
func (s *Sender) subscribe(ctx context.Context, desks []*desk) bool {
	ids := make([]model.Subscription, 0, len(desks))
	for _, d := range desks {
		e := d.at()
		ids = append(ids, model.Subscription{Endpoint: e.id, Kinds: e.kinds})
	}
	for try := 1; ctx.Err() == nil; try++ {
		bounded, done := within(ctx, s.cfg.Clock, outboxTime)
		ended, err := s.cfg.Outbox.SetEndpoints(bounded, s.cfg.Issuer, ids)
		done()
		if err == nil {
			for _, id := range ended {
				s.cfg.Logger.Warn("a webhook is not configured any more: it is forgotten, with the events that it was not told of", "webhook", id)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.cfg.Logger.Warn("the outbox cannot be told of the webhooks", "error", err)
		again := make(chan struct{})
		stop := s.cfg.Clock.AfterFunc(outboxPause(try), func() { close(again) })
		select {
		case <-again:
		case <-ctx.Done():
		}
		stop()
	}
	return false
}

func outboxPause(try int) time.Duration {
	return min(outboxRetry<<min(try-1, 10), outboxMaxRetry)
}

// within returns a context that ends, with [errTimeout], when d has passed by the clock.
func within(ctx context.Context, clock Clock, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := clock.AfterFunc(d, func() { cancel(errTimeout) })
	return ctx, func() { stop(); cancel(nil) }
}

// EndpointStatus is how sending to an endpoint goes, since the program began.
type EndpointStatus struct {
	// ID and Address are the endpoint's, and Kinds those of the events that it is told of; none for all.
	ID, Address string
	Kinds       []model.EventKind
	// Delivered counts events that were taken, Failed attempts that failed, and GivenUp events that will not be sent any
	// more.
	Delivered, Failed, GivenUp uint64
	// InFlight is how many attempts are under way.
	InFlight int
	// Failing is how many attempts have failed in a row; 0 after one that did not.
	Failing int
	// Down says that the endpoint is tried with one event at a time, as it failed too often in a row.
	Down bool
	// Gone says that it answered 410: nothing is sent to it until its address is another one, or the program is started
	// again.
	Gone bool
	// Taken and Failure are when an event was taken and when an attempt failed last; zero for never.
	Taken, FailedAt time.Time
	// Failure is why, in printable text; empty where none failed.
	Failure string
}

// Status returns how it goes, in the order of the endpoints. How many events wait is the outbox's to say.
func (s *Sender) Status() []EndpointStatus {
	desks, _ := s.current()
	out := make([]EndpointStatus, 0, len(desks))
	for _, d := range desks {
		out = append(out, d.read())
	}
	return out
}

// desk is what outlives a Run of an endpoint.
type desk struct {
	mu       sync.Mutex
	endpoint Endpoint // of the same ID and address always
	status   EndpointStatus
}

func (d *desk) at() Endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endpoint
}

func (d *desk) set(e Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.endpoint = e
}

func (d *desk) read() EndpointStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.status
	st.ID, st.Address, st.Kinds = d.endpoint.id, d.endpoint.Address(), d.endpoint.Kinds()
	return st
}

func (d *desk) note(change func(*EndpointStatus)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.status)
}
