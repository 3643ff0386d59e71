package webhook

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/xrplissuer/credential-issuer/model"
)

func TestDelivery(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, true, nil)
	current, former := NewSecret(), NewSecret()
	w := newWorld(t, newEndpoint(t, "crm", r.URL+"/hidden?key=hidden", current, former))
	w.clock, w.cfg.Clock, w.cfg.RootCAs = c, c, r.pool()
	s, stop := w.run()
	e := w.outbox.add("rSubject", func(e *model.Event) { e.Operation = "01JD8Q4Z7T9XW3V5K2M6N8P0RB" })
	got := w.outbox.awaitOutcomes(t, "crm", 1)
	if want := (model.DeliveryOutcome{Seq: 1, State: model.DeliveryDone, At: start}); got[0] != want {
		t.Errorf("outcome %+v, want %+v", got[0], want)
	}
	stop()
	calls := r.all()
	if len(calls) != 1 || calls[0].path != "/hidden?key=hidden" || calls[0].id != string(e.ID) {
		t.Fatalf("calls %+v", calls)
	}
	h := calls[0].header
	if h.Get("Content-Type") != "application/json" || h.Get("User-Agent") != userAgent || h.Get("Accept-Encoding") != "" || h.Get("Webhook-Timestamp") != fmt.Sprint(start.Unix()) {
		t.Errorf("headers %v", h)
	}
	want, err := bodyOf(e)
	if err != nil || string(calls[0].body) != string(want) {
		t.Errorf("body %s, want %s", calls[0].body, want)
	}
	for i, secret := range []Secret{current, former, NewSecret()} {
		verifier, err := standard.NewWebhook(secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.VerifyIgnoringTimestamp(calls[0].body, h); (err == nil) != (i < 2) {
			t.Errorf("secret %d: %v", i, err)
		}
	}
	if st := s.Status(); len(st) != 1 || !reflect.DeepEqual(st[0], EndpointStatus{ID: "crm", Address: r.URL, Delivered: 1, Taken: start}) {
		t.Errorf("status %+v", st)
	}
	if log := w.log.String(); strings.Contains(log, "hidden") || !strings.Contains(log, "crm ("+r.URL+")") {
		t.Errorf("log: %s", log)
	}
}

// TestSubscribe: an endpoint is told of what happens after it was subscribed, and is forgotten when it is not named any more.
func TestSubscribe(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "one", r.URL))
	w.add("rBefore")
	_, stop := w.run()
	w.add("rAfter")
	w.outbox.awaitOutcomes(t, "one", 1)
	stop()
	w.add("rBetween")
	_, stop = w.run()
	w.outbox.awaitOutcomes(t, "one", 2)
	stop()
	w.cfg.Endpoints = []Endpoint{newEndpoint(t, "two", r.URL)}
	_, stop = w.run()
	w.add("rLast")
	w.outbox.awaitOutcomes(t, "two", 1)
	stop()
	var subjects []string
	for _, c := range r.all() {
		subjects = append(subjects, c.subject)
	}
	if got := strings.Join(subjects, " "); got != "rAfter rBetween rLast" {
		t.Errorf("told of %s", got)
	}
	if !strings.Contains(w.log.String(), "not configured any more") || !strings.Contains(w.log.String(), "webhook=one") {
		t.Errorf("log: %s", w.log)
	}
}

// TestSetEndpoints: while it sends, endpoints get other secrets and other kinds of events, come and go; what one was
// not told of yet it is told of all the same, once, and its counts go on.
func TestSetEndpoints(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	old, other := NewSecret(), NewSecret()
	w := newWorld(t, newEndpoint(t, "one", r.URL+"/one", old), newEndpoint(t, "gone", r.URL+"/gone"))
	s, stop := w.run()
	w.add("rFirst")
	w.outbox.awaitOutcomes(t, "one", 1)
	w.outbox.awaitOutcomes(t, "gone", 1)
	r.await(t, 2)

	one := newEndpoint(t, "one", r.URL+"/one", other)
	one.kinds = []model.EventKind{model.EventAccepted}
	if err := s.SetEndpoints([]Endpoint{one, newEndpoint(t, "new", r.URL+"/new")}); err != nil {
		t.Fatal(err)
	}
	w.outbox.await(t, "the endpoints to be others", func() bool { return len(w.outbox.places) == 2 && len(w.outbox.kinds["one"]) == 1 })
	w.add("rSecond") // of a kind that one is not told of
	w.outbox.add("rThird", func(e *model.Event) { e.Kind = model.EventAccepted })
	w.outbox.awaitOutcomes(t, "one", 2)
	w.outbox.awaitOutcomes(t, "new", 2)
	stop()
	var got []string
	for _, call := range r.all() {
		got = append(got, call.path+" "+call.subject)
		if call.path != "/one" {
			continue
		}
		secret := old
		if call.subject == "rThird" {
			secret = other
		}
		verifier, err := standard.NewWebhook(secret.Reveal())
		if err == nil {
			err = verifier.VerifyIgnoringTimestamp(call.body, call.header)
		}
		if err != nil {
			t.Errorf("%s: %v", call.subject, err)
		}
	}
	slices.Sort(got)
	if want := []string{"/gone rFirst", "/new rSecond", "/new rThird", "/one rFirst", "/one rThird"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if st := s.Status(); len(st) != 2 || st[0].Delivered != 2 || !slices.Equal(st[0].Kinds, one.kinds) || st[1].Delivered != 2 {
		t.Errorf("%+v", st)
	}
	// What is wrong changes nothing.
	for _, wrong := range [][]Endpoint{{one, one}, {{}}, make([]Endpoint, MaxEndpoints+1)} {
		if err := s.SetEndpoints(wrong); err == nil || len(s.Status()) != 2 {
			t.Errorf("%v, and there are %d", err, len(s.Status()))
		}
	}
}

// TestHeldBack: an event is not sent, and none after it, before its operation can be read as final.
func TestHeldBack(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.run()
	const op model.OperationID = "01JD8Q4Z7T9XW3V5K2M6N8P0RB"
	w.outbox.change(func() { w.outbox.open[op] = true })
	for _, kind := range []model.EventKind{model.EventApproved, model.EventIssued, model.EventAccepted} {
		w.outbox.add("rA", func(e *model.Event) {
			if e.Kind = kind; kind != model.EventAccepted {
				e.Operation = op
			}
		})
	}
	w.add("rB")
	if got := states(w.outbox.awaitOutcomes(t, "a", 2)); got != "1 delivered, 4 delivered" {
		t.Errorf("while it is open: %s", got)
	}
	w.outbox.change(func() { delete(w.outbox.open, op) })
	w.outbox.wake()
	if got := states(w.outbox.awaitOutcomes(t, "a", 4)); got != "1 delivered, 2 delivered, 3 delivered, 4 delivered" {
		t.Errorf("afterwards: %s", got)
	}
}

// checkOrder says what is wrong with the calls that a receiver saw: each event of a credential again and again until it was
// taken, and none of the next one before; none again after it.
func checkOrder(t *testing.T, calls []call) {
	t.Helper()
	last := map[string]string{}
	for i, c := range calls {
		// IDs are in the order of the events.
		if c.id < last[c.subject] {
			t.Errorf("call %d: event %s of %s after %s", i, c.id, c.subject, last[c.subject])
		}
		last[c.subject] = c.id
	}
}

// TestOrder has an endpoint fail two calls in three, by a rule that looks like chance, beside one that fails none.
func TestOrder(t *testing.T) {
	const credentials, each = 12, 6
	c := newClock()
	var mu sync.Mutex
	under := map[string]bool{}
	tries := map[string]int{}
	bad := newReceiver(t, c, false, func(w http.ResponseWriter, _ *http.Request, c call, _ int) {
		mu.Lock()
		if under[c.subject] {
			t.Errorf("two calls of %s at once", c.subject)
		}
		under[c.subject] = true
		tries[c.id]++
		n := tries[c.id]
		mu.Unlock()
		defer func() {
			mu.Lock()
			under[c.subject] = false
			mu.Unlock()
		}()
		if crc32.ChecksumIEEE(fmt.Append(nil, c.id, n))%3 > 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	good := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "bad", bad.URL), newEndpoint(t, "good", good.URL))
	w.clock, w.cfg.Clock = c, c
	w.cfg.Retry = Retry{First: time.Second, Longest: time.Second, For: 1000 * time.Hour}
	w.cfg.Timeout = 1000 * time.Hour // time passes while calls are under way
	s, _ := w.run()
	for range each {
		for i := range credentials {
			w.add(fmt.Sprintf("r%d", i))
		}
	}
	w.outbox.awaitOutcomes(t, "good", credentials*each)
	checkOrder(t, good.all())
	eventually(t, "all to be delivered", func() bool {
		w.advance(time.Second)
		return s.Status()[0].Delivered == credentials*each
	})
	calls := bad.all()
	checkOrder(t, calls)
	st := s.Status()[0]
	if st.Delivered != credentials*each || st.GivenUp != 0 || st.Failed == 0 || uint64(len(calls)) != st.Delivered+st.Failed {
		t.Errorf("%d calls, status %+v", len(calls), st)
	}
}

// TestRetries follows one event through all of its attempts, by the clock, until it is given up; then the next one comes.
func TestRetries(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, status(http.StatusInternalServerError))
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	w.cfg.Concurrency = 64 // it is never taken to be down
	s, _ := w.run()
	first, second := w.add("rA"), w.add("rA")
	gaps := []time.Duration{5 * time.Second, 20 * time.Second, 80 * time.Second, 320 * time.Second, 1280 * time.Second, 5120 * time.Second, 20480 * time.Second}
	for len(gaps) < 16 {
		gaps = append(gaps, 8*time.Hour)
	}
	var since time.Duration
	for n := 1; ; n++ {
		got := w.outbox.awaitOutcomes(t, "a", n)[n-1]
		if got.Attempts != n || !got.First.Equal(start) || !got.At.Equal(start.Add(since)) || got.Failure != "it answers 500" || got.Seq != 1 {
			t.Fatalf("outcome %d: %+v", n, got)
		}
		if got.State == model.DeliveryGivenUp {
			if !got.Next.IsZero() || since != 72*time.Hour {
				t.Errorf("given up after %v: %+v", since, got)
			}
			break
		}
		gap := min(gaps[n-1], 72*time.Hour-since)
		if !got.Next.Equal(start.Add(since + gap)) {
			t.Fatalf("outcome %d: next %v, want %v", n, got.Next.Sub(start), since+gap)
		}
		w.advance(gap - time.Millisecond) // not yet
		w.advance(time.Millisecond)
		since += gap
	}
	got := w.outbox.awaitOutcomes(t, "a", 17+1)[17]
	if got.Seq != 2 || got.Attempts != 1 || !got.First.Equal(start.Add(72*time.Hour)) || got.State != model.DeliveryPostponed {
		t.Errorf("the next one: %+v", got)
	}
	calls := r.all()
	for i, call := range calls[:17] {
		if call.id != string(first.ID) || string(call.body) != string(calls[0].body) || call.header.Get("Webhook-Timestamp") != fmt.Sprint(call.at.Unix()) {
			t.Errorf("call %d is not the same event, told at its own time: %+v", i, call)
		}
	}
	if len(calls) != 18 || calls[17].id != string(second.ID) {
		t.Errorf("%d calls", len(calls))
	}
	if st := s.Status()[0]; st.Failed != 18 || st.GivenUp != 1 || st.Delivered != 0 || st.Failure != "it answers 500" {
		t.Errorf("status %+v", st)
	}
	if !strings.Contains(w.log.String(), "level=ERROR") || !strings.Contains(w.log.String(), "given up") {
		t.Errorf("nothing tells of it: %s", w.log)
	}
}

// TestNoAttemptTooEarly: what is postponed is not sent a moment before its time, however often the sender is woken.
func TestNoAttemptTooEarly(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, status(http.StatusInternalServerError))
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	w.run()
	w.add("rA")
	w.outbox.awaitOutcomes(t, "a", 1)
	w.clock.advance(5*time.Second - time.Nanosecond)
	for range 20 {
		asked := 0
		w.outbox.await(t, "the sender to look", func() bool { asked = w.outbox.asked; return true })
		w.outbox.wake()
		w.outbox.await(t, "the sender to look", func() bool { return w.outbox.asked > asked })
	}
	if got := len(r.all()); got != 1 {
		t.Fatalf("%d calls", got)
	}
	w.advance(time.Nanosecond)
	w.outbox.awaitOutcomes(t, "a", 2)
}

// TestPoll: without anything that wakes it, the sender looks by the clock.
func TestPoll(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock, w.cfg.Watch, w.cfg.Poll = c, c, nil, time.Minute
	w.run()
	w.outbox.await(t, "the first look", func() bool { return w.outbox.asked == 1 })
	w.add("rA")
	eventually(t, "the alarm, which is set right after the look", func() bool { return c.pending(30*time.Second) > 0 })
	c.advance(time.Minute)
	w.outbox.awaitOutcomes(t, "a", 1)
}

// TestWakeThatEnds: a channel that is closed is no reason to look all the time.
func TestWakeThatEnds(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	closed := make(chan struct{})
	close(closed)
	w.clock, w.cfg.Clock = c, c
	w.cfg.Watch = func() (<-chan struct{}, func()) { return closed, func() {} }
	w.run()
	w.outbox.await(t, "two looks", func() bool { return w.outbox.asked == 2 })
	for range 20 {
		c.advance(5 * time.Second)
		time.Sleep(time.Millisecond)
	}
	w.outbox.mu.Lock()
	defer w.outbox.mu.Unlock()
	if w.outbox.asked > 30 {
		t.Errorf("the outbox was asked %d times", w.outbox.asked)
	}
}

// TestRetryAfterHeader: an endpoint that is busy is left alone as long as it asks, within bounds.
func TestRetryAfterHeader(t *testing.T) {
	for _, x := range []struct {
		code  int
		value string
		wait  time.Duration
		all   bool // other events wait too
	}{
		{http.StatusTooManyRequests, "60", time.Minute, true},
		{http.StatusServiceUnavailable, "86400", 8 * time.Hour, true},
		{http.StatusServiceUnavailable, "1", 5 * time.Second, true},
		{http.StatusTooManyRequests, start.Add(2 * time.Hour).Format(http.TimeFormat), 2*time.Hour - 678901*time.Microsecond, true},
		{http.StatusInternalServerError, "60", time.Minute, false},
		{http.StatusTooManyRequests, "", 5 * time.Second, false},
	} {
		t.Run(fmt.Sprint(x.code, " ", x.value), func(t *testing.T) {
			c := newClock()
			r := newReceiver(t, c, false, func(w http.ResponseWriter, _ *http.Request, _ call, n int) {
				if n == 1 {
					w.Header().Set("Retry-After", x.value)
					w.WriteHeader(x.code)
				}
			})
			w := newWorld(t, newEndpoint(t, "a", r.URL))
			w.clock, w.cfg.Clock = c, c
			w.run()
			w.add("rA")
			got := w.outbox.awaitOutcomes(t, "a", 1)[0]
			if !got.Next.Equal(start.Add(x.wait)) {
				t.Errorf("next after %v, want %v", got.Next.Sub(start), x.wait)
			}
			w.add("rB")
			if !x.all {
				w.outbox.awaitOutcomes(t, "a", 2)
			}
			if x.all { // what would be sent now is sent while nothing but this passes
				eventually(t, "the alarm at the end of it", func() bool { return c.alarmAt(start.Add(x.wait)) })
			}
			w.advance(x.wait)
			w.outbox.awaitOutcomes(t, "a", 3)
			for _, call := range r.all()[1:] {
				if after := call.at.Sub(start); (x.all || call.subject == "rA") && after < x.wait {
					t.Errorf("%s came after %v, and it was to be left alone for %v", call.subject, after, x.wait)
				}
			}
			checkOrder(t, r.all())
		})
	}
}

// TestGone: an endpoint that answers 410 is sent nothing more, loses nothing, and is tried again by the next process.
func TestGone(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, func(w http.ResponseWriter, _ *http.Request, _ call, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusGone)
		}
	})
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock, w.cfg.Concurrency = c, c, 1
	s, stop := w.run()
	w.add("rA")
	w.add("rB")
	if got := w.outbox.awaitOutcomes(t, "a", 1)[0]; got.State != model.DeliveryPostponed || got.Failure != "it answers 410" {
		t.Errorf("outcome %+v", got)
	}
	for range 50 {
		w.advance(8 * time.Hour)
	}
	stop()
	if st := s.Status()[0]; !st.Gone || st.GivenUp != 0 {
		t.Errorf("status %+v", st)
	}
	stop = w.again(s) // by the same process: it stays so
	for range 5 {
		w.advance(8 * time.Hour)
	}
	stop()
	if n := len(r.all()); n != 1 {
		t.Errorf("%d calls", n)
	}
	if !strings.Contains(w.log.String(), "410") {
		t.Errorf("log: %s", w.log)
	}
	s, _ = w.run()
	if got := states(w.outbox.awaitOutcomes(t, "a", 3)[1:]); got != "1 delivered, 2 delivered" {
		t.Errorf("after a restart: %s", got)
	}
	if s.Status()[0].Gone {
		t.Error("it is gone still")
	}
}

// TestDown: an endpoint that fails always is not sent all that there is again and again, and gets all when it is back.
func TestDown(t *testing.T) {
	const credentials = 100
	c := newClock()
	var back sync.Map
	r := newReceiver(t, c, false, func(w http.ResponseWriter, _ *http.Request, _ call, _ int) {
		if _, ok := back.Load("now"); !ok {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	w.cfg.Timeout = 1000 * time.Hour // time passes while calls are under way
	s, _ := w.run()
	for i := range credentials {
		w.add(fmt.Sprintf("r%d", i))
	}
	// All that was under way when it was taken to be down fails as well: never more than twice what may be at once.
	w.outbox.await(t, "the endpoint to be down", func() bool { st := s.Status()[0]; return st.Down && st.InFlight == 0 })
	before := len(r.all())
	if before < 8 || before > 16 {
		t.Errorf("%d calls before it was taken to be down", before)
	}
	w.outbox.awaitOutcomes(t, "a", before)
	// One attempt at a time, after 20 s, 80 s, then 5 min each.
	w.advance(5*time.Second - time.Nanosecond)
	w.advance(time.Nanosecond)
	w.outbox.awaitOutcomes(t, "a", before+1)
	if after := r.all()[before].at.Sub(start); after < 5*time.Second {
		t.Errorf("it was tried after %v, within the pause", after)
	}
	for i, pause := range []time.Duration{20 * time.Second, 80 * time.Second, 5 * time.Minute, 5 * time.Minute} {
		w.advance(pause)
		w.outbox.awaitOutcomes(t, "a", before+2+i)
	}
	if st := s.Status()[0]; !st.Down || st.Failing < 8 || st.Failed != uint64(before+5) {
		t.Errorf("status %+v", st)
	}
	back.Store("now", true)
	w.advance(5 * time.Minute)
	eventually(t, "all to be delivered", func() bool {
		w.advance(time.Minute)
		return s.Status()[0].Delivered == credentials
	})
	if st := s.Status()[0]; st.Down || st.Failing != 0 || st.Delivered != credentials {
		t.Errorf("status %+v", st)
	}
	if got := w.log.String(); !strings.Contains(got, "is down") || !strings.Contains(got, "takes events again") {
		t.Errorf("log: %s", got)
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n > 3 {
		t.Errorf("%d warnings of one outage", n)
	}
}

// TestConcurrency: no more is under way at once than may be, and an endpoint that hangs holds up no other.
func TestConcurrency(t *testing.T) {
	c := newClock()
	release := make(chan struct{})
	slow := newReceiver(t, c, false, func(_ http.ResponseWriter, r *http.Request, _ call, _ int) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	fast := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "slow", slow.URL), newEndpoint(t, "fast", fast.URL))
	w.clock, w.cfg.Clock, w.cfg.Concurrency = c, c, 3
	s, _ := w.run()
	for i := range 40 {
		w.add(fmt.Sprintf("r%d", i))
	}
	slow.await(t, 3)
	w.outbox.awaitOutcomes(t, "fast", 40)
	if st := s.Status()[0]; st.InFlight != 3 {
		t.Errorf("status %+v", st)
	}
	close(release)
	w.outbox.awaitOutcomes(t, "slow", 40)
	slow.mu.Lock()
	defer slow.mu.Unlock()
	if slow.most > 3 || fast.most > 3 {
		t.Errorf("%d and %d at once", slow.most, fast.most)
	}
}

// TestRestart stops a sender while a call is under way: the next one sends the event again, before those that follow.
func TestRestart(t *testing.T) {
	c := newClock()
	var first sync.Once
	r := newReceiver(t, c, false, func(w http.ResponseWriter, r *http.Request, c call, _ int) {
		first.Do(func() { hang(w, r, c, 0) })
	})
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	s, stop := w.run()
	one, two := w.add("rA"), w.add("rA")
	r.await(t, 1)
	stop()
	if got := w.outbox.outcomes["a"]; len(got) > 0 || s.Status()[0].Failed > 0 {
		t.Errorf("an attempt that was broken off has an outcome: %+v", got)
	}
	w.run()
	w.outbox.awaitOutcomes(t, "a", 2)
	if calls := r.all(); len(calls) != 3 || calls[0].id != string(one.ID) || calls[1].id != string(one.ID) || calls[2].id != string(two.ID) {
		t.Errorf("calls %+v", calls)
	}
}

// TestStopWaits: a call that is under way is waited for, and what came of it is stored.
func TestStopWaits(t *testing.T) {
	c := newClock()
	release := make(chan struct{})
	r := newReceiver(t, c, false, func(http.ResponseWriter, *http.Request, call, int) { <-release })
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	s, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	w.outbox.await(t, "the endpoints to be subscribed", func() bool { return len(w.outbox.places) == 1 })
	w.add("rA")
	w.add("rA")
	r.await(t, 1)
	cancel()
	close(release)
	<-done
	if got := states(w.outbox.outcomes["a"]); got != "1 delivered" {
		t.Errorf("stored: %s", got)
	}
	if len(r.all()) != 1 {
		t.Error("something was begun after the end")
	}
}

// TestOutcomeIsLost has the outbox keep nothing at the end: the event comes twice, and in its place.
func TestOutcomeIsLost(t *testing.T) {
	c := newClock()
	var w *world
	r := newReceiver(t, c, false, func(_ http.ResponseWriter, _ *http.Request, _ call, n int) {
		if n == 1 {
			w.outbox.fail(errors.New("the disk is full"))
		}
	})
	w = newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	_, stop := w.run()
	w.add("rA")
	w.add("rA")
	r.await(t, 1)
	stop()
	if !strings.Contains(w.log.String(), "sent again") {
		t.Errorf("log: %s", w.log)
	}
	w.outbox.fail(nil)
	w.run()
	if got := states(w.outbox.awaitOutcomes(t, "a", 2)); got != "1 delivered, 2 delivered" {
		t.Error(got)
	}
	calls := r.all()
	checkOrder(t, calls)
	if len(calls) != 3 || calls[0].id != calls[1].id || calls[1].id == calls[2].id {
		t.Errorf("calls %+v", calls)
	}
}

// TestOutboxFails: while the outbox fails nothing is sent twice, nothing is forgotten, and it is not asked all the time.
func TestOutboxFails(t *testing.T) {
	c := newClock()
	var w *world
	r := newReceiver(t, c, false, func(_ http.ResponseWriter, _ *http.Request, _ call, n int) {
		if n == 1 {
			w.outbox.fail(errors.New("no connection"))
		}
	})
	w = newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	w.run()
	w.add("rA")
	w.add("rA")
	eventually(t, "the outbox to fail", func() bool { return strings.Contains(w.log.String(), "does not keep") })
	for range 5 {
		w.advance(500 * time.Millisecond)
	}
	w.add("rB")
	w.outbox.fail(nil)
	w.advance(time.Minute)
	if got := states(w.outbox.awaitOutcomes(t, "a", 3)); got != "1 delivered, 2 delivered, 3 delivered" {
		t.Error(got)
	}
	if n := len(r.all()); n != 3 {
		t.Errorf("%d calls for three events", n)
	}
}

// TestNothingIsBegunWhileOutcomesWait: what came of one event is stored before another is sent, so that no more can be lost
// at once than may be under way.
func TestNothingIsBegunWhileOutcomesWait(t *testing.T) {
	c := newClock()
	release := make(chan struct{})
	r := newReceiver(t, c, false, func(http.ResponseWriter, *http.Request, call, int) { <-release })
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock, w.cfg.Concurrency = c, c, 1
	w.cfg.Timeout = 1000 * time.Hour // time passes while calls are under way
	w.run()
	w.add("rA")
	r.await(t, 1)
	w.add("rB")
	w.add("rC")
	w.outbox.await(t, "the next ones to be read", func() bool { return w.outbox.returned[2] })
	w.outbox.fail(errors.New("no connection"))
	close(release)
	for i := range 5 {
		eventually(t, "the outbox to fail", func() bool {
			w.advance(time.Second)
			return strings.Count(w.log.String(), "does not keep") > i
		})
	}
	if n := len(r.all()); n != 1 {
		t.Errorf("%d calls while what came of the first is not stored", n)
	}
	w.outbox.fail(nil)
	eventually(t, "all to be delivered", func() bool { w.advance(time.Second); return len(r.all()) == 3 })
}

// TestSubscribeFails: an outbox that is not there yet is asked again, and Run can be ended while it is waited for.
func TestSubscribeFails(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	w.outbox.fail(errors.New("no connection"))
	s, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); s.Run(ctx) }()
		return func() { cancel(); <-done }
	}
	stop := start()
	eventually(t, "the outbox to fail", func() bool { return strings.Contains(w.log.String(), "no connection") })
	stop()
	stop = start()
	defer stop()
	w.outbox.fail(nil)
	eventually(t, "it to ask again", func() bool {
		c.advance(time.Second)
		w.outbox.mu.Lock()
		defer w.outbox.mu.Unlock()
		return len(w.outbox.places) == 1
	})
	w.add("rA")
	w.outbox.awaitOutcomes(t, "a", 1)
}

// TestRunTwice: a second Run waits for the first, so that two never send side by side.
func TestRunTwice(t *testing.T) {
	c := newClock()
	release := make(chan struct{})
	r := newReceiver(t, c, false, func(http.ResponseWriter, *http.Request, call, int) { <-release })
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	s, stop := w.run()
	w.again(s)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	s.Run(ended) // does not wait when its context has ended
	w.add("rA")
	r.await(t, 1)
	if st := s.Status()[0]; st.InFlight != 1 {
		t.Errorf("status %+v", st)
	}
	close(release)
	w.outbox.awaitOutcomes(t, "a", 1)
	stop()
	w.add("rA") // the second one's turn
	w.outbox.awaitOutcomes(t, "a", 2)
	if n := len(r.all()); n != 2 {
		t.Errorf("%d calls", n)
	}
}

// TestNothingCanBeWritten: an event that cannot be put into words is given up, and holds up no other.
func TestNothingCanBeWritten(t *testing.T) {
	c := newClock()
	r := newReceiver(t, c, false, nil)
	w := newWorld(t, newEndpoint(t, "a", r.URL))
	w.clock, w.cfg.Clock = c, c
	s, _ := w.run()
	w.outbox.add("rA", func(e *model.Event) { e.Data = []byte("{") })
	w.add("rA")
	if got := states(w.outbox.awaitOutcomes(t, "a", 2)); got != "1 givenUp, 2 delivered" {
		t.Error(got)
	}
	if st := s.Status()[0]; st.GivenUp != 1 || st.Failing != 0 || st.Down {
		t.Errorf("status %+v", st)
	}
}

func TestNewRefuses(t *testing.T) {
	e := newEndpoint(t, "a", "https://example.org/")
	good := Config{Outbox: newOutbox(), Issuer: issuer}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	var many []Endpoint
	for i := range MaxEndpoints + 1 {
		many = append(many, newEndpoint(t, fmt.Sprint("e", i), "https://example.org/"))
	}
	for name, change := range map[string]func(*Config){
		"needed":      func(c *Config) { c.Outbox = nil },
		"Issuer":      func(c *Config) { c.Issuer = "" },
		"twice":       func(c *Config) { c.Endpoints = []Endpoint{e, e} },
		"NewEndpoint": func(c *Config) { c.Endpoints = []Endpoint{{}} },
		"at most 32":  func(c *Config) { c.Endpoints = many },
		"Concurrency": func(c *Config) { c.Concurrency = maxConcurrency + 1 },
		"Timeout":     func(c *Config) { c.Timeout = -1 },
		"Poll":        func(c *Config) { c.Poll = -1 },
		"Retry":       func(c *Config) { c.Retry.First = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoProxy: the address that is checked is the endpoint's, not that of a proxy.
func TestNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	n := newNames(t)
	p := newTestPoster(t, Config{resolver: n.resolver()}, "https://example.com/", true)
	if f := send(t, p); f == nil || !strings.Contains(f.text, "name") {
		t.Errorf("%+v", f)
	}
}
