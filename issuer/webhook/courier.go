package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// readAhead is how many deliveries are kept in memory beside those that are under way.
	readAhead = 64
	// stopGrace is how long attempts that are under way may take when the sender is stopped, and lastWords how long storing
	// what came of them may.
	stopGrace = 2 * time.Second
	lastWords = 2 * time.Second
)

// courier sends to one endpoint, during one Run. One goroutine, which calls run, has all of its fields.
//
// A credential is busy from the moment at which a delivery of it is read until its outcome is stored. It has one at most
// all that time, so that order is the outbox's alone: what it returns as due may be sent.
type courier struct {
	cfg    Config
	desk   *desk
	id     string // the endpoint's
	log    *slog.Logger
	poster *poster
	end    context.CancelFunc // of the poster's connections
	work   context.Context    // of attempts
	abort  context.CancelCauseFunc

	queue    []model.Delivery // due, and not begun
	busy     map[credential]bool
	results  chan result // has room for all that can be under way
	inFlight int
	settled  []settled // to be stored

	stale  bool      // there may be something due that was not read
	tries  int       // calls of the outbox that failed in a row
	ask    time.Time // the outbox is not asked before
	failed int       // attempts that failed in a row
	resume time.Time // the endpoint is down, and not tried before
	asked  time.Time // the endpoint wants nothing before
	gone   bool

	rang chan struct{} // signalled by the alarm
}

type credential struct {
	subject model.Address
	typ     model.CredentialType
}

func credentialOf(d model.Delivery) credential { return credential{d.Event.Subject, d.Event.Type} }

// result is what came of an attempt.
type result struct {
	delivery  model.Delivery
	began, at time.Time
	failure   *failure // nil where it was taken
	hopeless  bool     // nothing can come of another one
	aborted   bool     // nothing is known of it
}

type settled struct {
	credential
	model.DeliveryOutcome
}

func newCourier(cfg Config, d *desk) *courier {
	e := d.at()
	c := &courier{cfg: cfg, desk: d, id: e.id, log: cfg.Logger.With("webhook", e), busy: map[credential]bool{},
		results: make(chan result, cfg.Concurrency), stale: true, gone: d.read().Gone, rang: make(chan struct{}, 1)}
	life, end := context.WithCancel(context.Background())
	c.poster, c.end = newPoster(life, e, cfg), end
	c.work, c.abort = context.WithCancelCause(context.Background())
	return c
}

func (c *courier) run(ctx context.Context) {
	wake, stop := c.cfg.Watch()
	defer stop()
	defer c.poster.transport.CloseIdleConnections()
	defer c.end()
	for ctx.Err() == nil {
		c.store(ctx, outboxTime)
		c.read(ctx)
		c.begin()
		if !c.wait(ctx, wake) {
			wake = nil
		}
	}
	c.finish()
}

// store has the outbox keep what came of attempts. Until it does, nothing else is begun.
func (c *courier) store(ctx context.Context, limit time.Duration) {
	if len(c.settled) == 0 || c.cfg.Clock.Now().Before(c.ask) {
		return
	}
	outcomes := make([]model.DeliveryOutcome, len(c.settled))
	for i, s := range c.settled {
		outcomes[i] = s.DeliveryOutcome
	}
	bounded, done := within(ctx, c.cfg.Clock, limit)
	defer done()
	if err := c.cfg.Outbox.SettleDeliveries(bounded, c.cfg.Issuer, c.id, outcomes); err != nil {
		if ctx.Err() == nil {
			c.outboxFailed("the outbox does not keep what came of events", err)
		}
		return
	}
	for _, s := range c.settled {
		delete(c.busy, s.credential)
	}
	c.settled, c.tries, c.stale = nil, 0, true
}

// read asks the outbox what is due, where there is room for it and a reason to.
func (c *courier) read(ctx context.Context) {
	now := c.cfg.Clock.Now()
	if !c.stale || c.gone || len(c.settled) > 0 || len(c.queue) >= c.cfg.Concurrency || now.Before(c.ask) || now.Before(c.held()) {
		return
	}
	// What is busy is returned again: so much more is asked for, so that it cannot take the place of all the rest.
	limit := readAhead + len(c.busy)
	bounded, done := within(ctx, c.cfg.Clock, outboxTime)
	defer done()
	due, err := c.cfg.Outbox.DueDeliveries(bounded, c.cfg.Issuer, c.id, now, limit)
	if err != nil {
		if ctx.Err() == nil {
			c.outboxFailed("the outbox does not say which events are due", err)
		}
		return
	}
	c.tries, c.stale = 0, len(due) >= limit
	for _, d := range due {
		if of := credentialOf(d); !c.busy[of] {
			c.busy[of] = true
			c.queue = append(c.queue, d)
		}
	}
}

func (c *courier) outboxFailed(what string, err error) {
	c.tries++
	pause := outboxPause(c.tries)
	c.ask = c.cfg.Clock.Now().Add(pause)
	c.log.Warn(what, "again_in", pause, "error", err)
}

// held is when the endpoint may be sent something again.
func (c *courier) held() time.Time {
	if c.asked.After(c.resume) {
		return c.asked
	}
	return c.resume
}

func (c *courier) down() bool { return c.failed >= c.cfg.Concurrency }

// begin makes attempts, as many as may be under way.
func (c *courier) begin() {
	most := c.cfg.Concurrency
	if c.down() {
		most = 1
	}
	if c.gone || len(c.settled) > 0 || c.cfg.Clock.Now().Before(c.held()) {
		return
	}
	for len(c.queue) > 0 && c.inFlight < most {
		d := c.queue[0]
		c.queue = c.queue[1:]
		c.inFlight++
		go func() { c.results <- c.attempt(d) }()
	}
	c.note()
}

// attempt runs beside the courier, and uses nothing of it that changes.
func (c *courier) attempt(d model.Delivery) result {
	r := result{delivery: d, began: c.cfg.Clock.Now()}
	if body, err := bodyOf(d.Event); err != nil {
		r.failure, r.hopeless = &failure{text: printable("the event cannot be written: " + err.Error())}, true
	} else {
		ctx, done := within(c.work, c.cfg.Clock, c.cfg.Timeout)
		r.failure = c.poster.post(ctx, string(d.Event.ID), c.cfg.Clock.Now, body)
		done()
		r.aborted = r.failure != nil && c.work.Err() != nil
	}
	r.at = c.cfg.Clock.Now()
	return r
}

// wait ends when there may be something to do. It returns false where wake was closed, and is no use any more.
func (c *courier) wait(ctx context.Context, wake <-chan struct{}) bool {
	defer c.cfg.Clock.AfterFunc(c.pause(), func() { ring(c.rang) })()
	select {
	case <-ctx.Done():
	case _, open := <-wake:
		c.stale = true
		return open
	case <-c.rang:
		c.stale = true
	case r := <-c.results:
		c.take(r)
		c.takeMore()
	}
	return true
}

// takeMore takes what else has ended meanwhile, so that it is stored along.
func (c *courier) takeMore() {
	for {
		select {
		case r := <-c.results:
			c.take(r)
		default:
			return
		}
	}
}

// pause is how long nothing needs to be done.
func (c *courier) pause() time.Duration {
	now, pause := c.cfg.Clock.Now(), c.cfg.Poll
	if d := c.held().Sub(now); d > 0 {
		pause = d
	}
	if d := c.ask.Sub(now); d > 0 {
		pause = min(pause, d)
	}
	return pause
}

func ring(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it has yet to look
	}
}

// take draws the conclusions from an attempt that is over.
func (c *courier) take(r result) {
	c.inFlight--
	of, e := credentialOf(r.delivery), r.delivery.Event
	if r.aborted {
		delete(c.busy, of)
		return
	}
	out := model.DeliveryOutcome{Seq: e.Seq, State: model.DeliveryDone, At: r.at, Attempts: r.delivery.Attempts, First: r.delivery.First}
	log := c.log.With("event", e.ID, "kind", e.Kind, "attempt", r.delivery.Attempts+1)
	if r.failure == nil {
		if c.failed > 0 {
			c.log.Info("the webhook takes events again", "failed_in_a_row", c.failed)
		}
		c.failed, c.resume = 0, time.Time{}
		c.desk.note(func(s *EndpointStatus) { s.Delivered++; s.Taken = r.at })
		log.Debug("an event was delivered")
	} else {
		c.fail(r, &out)
		c.desk.note(func(s *EndpointStatus) {
			s.Failed++
			s.FailedAt, s.Failure = r.at, r.failure.text
			if out.State == model.DeliveryGivenUp {
				s.GivenUp++
			}
		})
		if out.State == model.DeliveryGivenUp {
			log.Error("an event is given up: the webhook is not told of it", "failure", r.failure.text)
		} else {
			log.Debug("an event was not delivered", "failure", r.failure.text, "next", out.Next)
		}
	}
	c.settled = append(c.settled, settled{of, out})
	c.note()
}

// fail says when a delivery that failed is tried again, and whether the endpoint is.
func (c *courier) fail(r result, out *model.DeliveryOutcome) {
	f, retry := r.failure, c.cfg.Retry
	out.Attempts++
	out.Failure = f.text
	if out.First.IsZero() {
		out.First = r.began
	}
	last := out.First.Add(retry.For)
	wait := retry.after(out.Attempts, c.cfg.chance())
	if f.retryAfter > 0 {
		wait = retry.asked(f.retryAfter)
	}
	switch {
	case r.hopeless, !f.gone && !r.at.Before(last):
		out.State = model.DeliveryGivenUp
	default:
		out.State, out.Next = model.DeliveryPostponed, r.at.Add(wait)
		if r.at.Before(last) && out.Next.After(last) {
			out.Next = last // so that the last attempt is made when it is to be
		}
	}
	if r.hopeless {
		return // it says nothing of the endpoint
	}
	if f.busy && f.retryAfter > 0 {
		c.asked = r.at.Add(wait)
	}
	if f.gone && !c.gone {
		c.gone, c.queue = true, nil
		c.log.Error("the webhook answers 410, Gone: nothing more is sent to it until its address is another one, or this program is started again; take it out of the configuration where it is gone for good")
	}
	if c.resume.After(r.at) {
		return // begun before it was known that the endpoint is down
	}
	if c.failed++; c.failed == 1 {
		c.log.Warn("the webhook does not take an event", "event", r.delivery.Event.ID, "failure", f.text)
	}
	if c.down() {
		pause := min(retry.after(c.failed-c.cfg.Concurrency+1, c.cfg.chance()), longestPause)
		c.resume = r.at.Add(pause)
		if c.failed == c.cfg.Concurrency {
			c.log.Warn("the webhook is down: it is tried with one event at a time", "failed_in_a_row", c.failed, "failure", f.text)
		}
	}
}

// note has the status tell what is so now.
func (c *courier) note() {
	c.desk.note(func(s *EndpointStatus) {
		s.InFlight, s.Failing, s.Down, s.Gone = c.inFlight, c.failed, c.down(), c.gone
	})
}

// finish waits for the attempts that are under way, ends them where they take too long, and stores what came of them.
func (c *courier) finish() {
	stop := c.cfg.Clock.AfterFunc(stopGrace, func() { c.abort(errStopped) })
	for c.inFlight > 0 {
		c.take(<-c.results)
	}
	stop()
	c.abort(errStopped)
	c.note()
	c.ask = time.Time{}
	c.store(context.Background(), lastWords)
	if len(c.settled) > 0 {
		c.log.Warn("what came of events is not kept: they are sent again at the next start", "events", len(c.settled))
	}
}
