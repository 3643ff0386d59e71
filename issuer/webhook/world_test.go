package webhook

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/test/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC)

const issuer model.Address = "rabRgqo4PwkMb1jiC8aemUFycN5YYsahuK"

// patience bounds every wait of a test; what is waited for comes as soon as it can.
const patience = 20 * time.Second

// clock is moved by the test.
type clock struct {
	mu     sync.Mutex
	at     time.Time
	alarms map[*alarm]bool
}

type alarm struct {
	at   time.Time
	ring func()
}

func newClock() *clock { return &clock{at: start, alarms: map[*alarm]bool{}} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) AfterFunc(d time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &alarm{c.at.Add(d), f}
	c.alarms[a] = true
	c.ring()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.alarms, a)
	}
}

func (c *clock) ring() {
	for a := range c.alarms {
		if !a.at.After(c.at) {
			delete(c.alarms, a)
			go a.ring()
		}
	}
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.ring()
}

// pending is how many alarms are set for more than d from now.
func (c *clock) pending(d time.Duration) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for a := range c.alarms {
		if a.at.Sub(c.at) > d {
			n++
		}
	}
	return n
}

// alarmAt says whether an alarm is set for exactly that time.
func (c *clock) alarmAt(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.alarms {
		if a.at.Equal(at) {
			return true
		}
	}
	return false
}

// outbox keeps deliveries in memory, by the contract of [Outbox].
type outbox struct {
	mu       sync.Mutex
	events   []model.Event
	open     map[model.OperationID]bool                  // operations that are not final
	places   map[string]int64                            // by endpoint: the Seq that it was subscribed at
	kinds    map[string][]model.EventKind                // by endpoint: what it is told of; none for all
	outcomes map[string][]model.DeliveryOutcome          // by endpoint: all that were stored, in order
	last     map[string]map[int64]*model.DeliveryOutcome // the last of each
	failing  error
	asked    int            // calls of DueDeliveries
	returned map[int64]bool // what DueDeliveries returned, by Seq
	watchers map[chan struct{}]bool
	changed  chan struct{} // closed at every change, and made anew
}

func newOutbox() *outbox {
	return &outbox{open: map[model.OperationID]bool{}, returned: map[int64]bool{}, places: map[string]int64{}, kinds: map[string][]model.EventKind{}, outcomes: map[string][]model.DeliveryOutcome{},
		last: map[string]map[int64]*model.DeliveryOutcome{}, watchers: map[chan struct{}]bool{}, changed: make(chan struct{})}
}

// change does f and tells those who wait in the test.
func (o *outbox) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outbox) SetEndpoints(_ context.Context, _ model.Address, endpoints []model.Subscription) (ended []string, err error) {
	o.change(func() {
		if err = o.failing; err != nil {
			return
		}
		for id := range o.places {
			if !slices.ContainsFunc(endpoints, func(s model.Subscription) bool { return s.Endpoint == id }) {
				delete(o.places, id)
				delete(o.last, id)
				ended = append(ended, id)
			}
		}
		for _, s := range endpoints {
			id := s.Endpoint
			o.kinds[id] = s.Kinds
			if _, ok := o.places[id]; !ok {
				o.places[id], o.last[id] = int64(len(o.events)), map[int64]*model.DeliveryOutcome{}
			}
		}
	})
	return ended, err
}

func (o *outbox) DueDeliveries(_ context.Context, _ model.Address, endpoint string, now time.Time, limit int) (due []model.Delivery, err error) {
	if limit < 1 || limit > MaxDue {
		return nil, fmt.Errorf("the limit is %d", limit)
	}
	o.change(func() {
		o.asked++
		if err = o.failing; err != nil {
			return
		}
		place, ok := o.places[endpoint]
		if !ok {
			return
		}
		seen := map[credential]bool{}
		for _, e := range o.events[place:] {
			if kinds := o.kinds[endpoint]; len(kinds) > 0 && !slices.Contains(kinds, e.Kind) {
				continue
			}
			last := o.last[endpoint][e.Seq]
			of := credential{e.Subject, e.Type}
			if last != nil && last.State != model.DeliveryPostponed || seen[of] {
				continue
			}
			seen[of] = true
			if last != nil && last.Next.After(now) || strings.HasPrefix(string(e.Kind), "credential.") && o.open[e.Operation] {
				continue
			}
			d := model.Delivery{Event: e}
			if last != nil {
				d.Attempts, d.First = last.Attempts, last.First
			}
			o.returned[e.Seq] = true
			if due = append(due, d); len(due) == limit {
				return
			}
		}
	})
	return due, err
}

func (o *outbox) SettleDeliveries(_ context.Context, _ model.Address, endpoint string, outcomes []model.DeliveryOutcome) (err error) {
	if len(outcomes) > MaxDue {
		return fmt.Errorf("%d outcomes", len(outcomes))
	}
	o.change(func() {
		if err = o.failing; err != nil {
			return
		}
		for _, out := range outcomes {
			last := o.last[endpoint][out.Seq]
			if o.last[endpoint] == nil || last != nil && last.State != model.DeliveryPostponed {
				continue
			}
			o.last[endpoint][out.Seq] = &out
			o.outcomes[endpoint] = append(o.outcomes[endpoint], out)
		}
	})
	return err
}

// add commits an event of a subject, and wakes the sender.
func (o *outbox) add(subject string, change func(*model.Event)) model.Event {
	var e model.Event
	o.change(func() {
		seq := int64(len(o.events) + 1)
		e = model.Event{Seq: seq, ID: model.NewOperationID(start.UnixMilli()+seq, [10]byte{}), Time: start, Kind: model.EventIssued, Actor: "token:nightly",
			Issuer: issuer, Subject: model.Address(subject), Type: "Test"}
		if change != nil {
			change(&e)
		}
		o.events = append(o.events, e)
	})
	o.wake()
	return e
}

func (o *outbox) fail(err error) { o.change(func() { o.failing = err }) }

func (o *outbox) watch() (<-chan struct{}, func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ch := make(chan struct{}, 1)
	o.watchers[ch] = true
	return ch, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.watchers, ch)
	}
}

func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for ch := range o.watchers {
		ring(ch)
	}
}

// await waits until something is true of the outbox.
func (o *outbox) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		o.mu.Lock()
		yes, changed := is(), o.changed
		o.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// eventually waits until something is true that nothing tells of.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// awaitOutcomes waits until so many are stored of an endpoint, and returns them.
func (o *outbox) awaitOutcomes(t *testing.T, endpoint string, n int) []model.DeliveryOutcome {
	t.Helper()
	var got []model.DeliveryOutcome
	o.await(t, fmt.Sprintf("%d outcomes of %s", n, endpoint), func() bool {
		got = slices.Clone(o.outcomes[endpoint])
		return len(got) >= n
	})
	if len(got) > n {
		t.Fatalf("%d outcomes of %s, want %d: %+v", len(got), endpoint, n, got)
	}
	return got
}

// call is a request as a receiver saw it.
type call struct {
	id, path string
	header   http.Header
	body     []byte
	subject  string
	at       time.Time // by the test's clock
}

// receiver is an endpoint's server.
type receiver struct {
	*httptest.Server
	clock *clock
	mu    sync.Mutex
	calls []call
	most  int // simultaneous calls
	now   int
	seen  chan struct{} // one value for each call
	// answer is what it does with a call, the number of calls so far included; 204 where it is nil.
	answer func(w http.ResponseWriter, r *http.Request, c call, n int)
}

func newReceiver(t *testing.T, c *clock, secure bool, answer func(http.ResponseWriter, *http.Request, call, int)) *receiver {
	t.Helper()
	r := &receiver{clock: c, answer: answer, seen: make(chan struct{}, 100_000)}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	if secure {
		r.StartTLS()
	} else {
		r.Start()
	}
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var told struct {
		Data struct{ Subject string }
	}
	_ = json.Unmarshal(body, &told)
	c := call{id: req.Header.Get("webhook-id"), path: req.URL.String(), header: req.Header, body: body, subject: told.Data.Subject, at: r.clock.Now()}
	r.mu.Lock()
	r.calls = append(r.calls, c)
	n := len(r.calls)
	r.now++
	r.most = max(r.most, r.now)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.now--
		r.mu.Unlock()
	}()
	r.seen <- struct{}{}
	if r.answer != nil {
		r.answer(w, req, c, n)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// await waits for so many calls more.
func (r *receiver) await(t *testing.T, n int) {
	t.Helper()
	limit := time.After(patience)
	for i := range n {
		select {
		case <-r.seen:
		case <-limit:
			t.Fatalf("%d calls, and %d were waited for", i, n)
		}
	}
}

func (r *receiver) all() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func (r *receiver) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	return pool
}

func status(code int) func(http.ResponseWriter, *http.Request, call, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ call, _ int) { w.WriteHeader(code) }
}

// hang answers nothing until the client goes away.
func hang(_ http.ResponseWriter, r *http.Request, _ call, _ int) { <-r.Context().Done() }

func newEndpoint(t *testing.T, name, address string, secrets ...Secret) Endpoint {
	t.Helper()
	if secrets == nil {
		secrets = []Secret{NewSecret()}
	}
	e, err := NewEndpoint(name, address, true, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// world is a sender with its outbox, clock and log.
type world struct {
	t      *testing.T
	clock  *clock
	outbox *outbox
	log    *logs.Lines
	cfg    Config
}

func newWorld(t *testing.T, endpoints ...Endpoint) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), outbox: newOutbox(), log: &logs.Lines{}}
	w.cfg = Config{Outbox: w.outbox, Issuer: issuer, Endpoints: endpoints, Watch: w.outbox.watch, Clock: w.clock, Logger: w.log.Logger(),
		chance: func() float64 { return 0.5 }}
	return w
}

// run starts a sender; stop ends it and waits.
func (w *world) run() (s *Sender, stop func()) {
	w.t.Helper()
	s, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s, w.again(s)
}

func (w *world) again(s *Sender) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		eventually(w.t, "Run to return", func() bool {
			select {
			case <-done:
				return true
			default:
				w.clock.advance(time.Second) // what is under way has its grace by the clock
				return false
			}
		})
	})
	w.t.Cleanup(stop)
	w.outbox.await(w.t, "the endpoints to be subscribed", func() bool {
		for _, d := range s.Status() {
			if _, ok := w.outbox.places[d.ID]; !ok {
				return false
			}
		}
		return true
	})
	return stop
}

// advance moves the clock and has the sender look.
func (w *world) advance(d time.Duration) {
	w.clock.advance(d)
	w.outbox.wake()
}

func (w *world) add(subject string) model.Event { return w.outbox.add(subject, nil) }

// states are those of outcomes, in the order of the events.
func states(outcomes []model.DeliveryOutcome) string {
	slices.SortStableFunc(outcomes, func(a, b model.DeliveryOutcome) int { return cmp.Compare(a.Seq, b.Seq) })
	var out []string
	for _, o := range outcomes {
		out = append(out, fmt.Sprintf("%d %s", o.Seq, o.State))
	}
	return strings.Join(out, ", ")
}
