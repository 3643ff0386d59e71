package sandbox

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// Fault is a kind of bad weather: something that nodes, and what is between them and their clients, do now and then. It is
// written in a spec as it is here.
type Fault string

// What can happen, and the occasions on which it may. None of it breaks a rule of the ledger: what was closed stays as it is, but
// for Rollback.
const (
	// LoseBefore: a `submit` is neither carried out nor answered. By HTTP the connection ends; a WebSocket goes on without the
	// answer.
	LoseBefore Fault = "lose-before"
	// LoseAfter: a `submit` is carried out, but not answered.
	LoseAfter Fault = "lose-after"
	// Delay: a request waits from Min to Max before it is carried out, and is then, even if the client has gone.
	Delay Fault = "delay"
	// DelayAnswer: an answer waits from Min to Max.
	DelayAnswer Fault = "delay-answer"
	// Drop: a request is carried out, and the connection ends in the middle of the answer.
	Drop Fault = "drop"
	// Reset: a request is carried out, and the connection is reset (TCP RST) in place of the answer.
	Reset Fault = "reset"
	// HalfOpen: a request is carried out, but from there on nothing comes through the connection in either direction, although it
	// stands: no answer, no stream, no pong. It ends when the client ends it, or when the server would end a client that is as
	// silent, after one to two minutes.
	HalfOpen Fault = "half-open"
	// SlowDown: a request is answered with the error "slowDown" and is not carried out.
	SlowDown Fault = "slow-down"
	// HTTP503 and HTTP429: a request, or a WebSocket's opening, is answered with that HTTP status and is not carried out. They do
	// not happen on a WebSocket that is open.
	HTTP503 Fault = "http-503"
	HTTP429 Fault = "http-429"
	// Garbage: a request is carried out, and something else is answered: half an answer, a proxy's page, JSON that is none of the
	// kind.
	Garbage Fault = "garbage"

	// LoseMessage: a message of a stream does not reach a connection.
	LoseMessage Fault = "lose-message"
	// Gap: nobody is told, on any stream, of the next Ledgers ledgers and their transactions.
	Gap Fault = "gap"

	// Miss: a transaction, just taken with tesSUCCESS or terQUEUED, stays out of the next Ledgers ledgers, or of all (ForGood),
	// until it expires. Those of its account that follow it wait with it.
	Miss Fault = "miss"

	// Stall: no ledger closes, as often as Ledgers says.
	Stall Fault = "stall"
	// Behind: the node falls behind. For the next Ledgers ledgers the network goes on and the node shows what it knew before:
	// validated and open ledger, fees, transactions. It takes transactions, applies them to its own open ledger and passes them
	// on. Then it catches up, and tells its subscribers of every ledger.
	Behind Fault = "behind"
	// Freeze: for a time from Min to Max nothing is answered, and nothing told; then all of it is.
	Freeze Fault = "freeze"
	// Restart: the node ends and starts again: every connection, subscription, the open ledger and the queue are lost; what was
	// closed stays. From Min to Max connections are refused (accepted, and reset).
	Restart Fault = "restart"
	// Rollback: a restart with the last Ledgers ledgers gone, as when a node showed ledgers that did not survive: it goes on
	// from the one before them, with others in their place. Their transactions are gone with them.
	Rollback Fault = "rollback"
)

// occasion is when a fault may happen.
type occasion uint8

const (
	onSubmit occasion = iota
	onRequest
	onMessage
	onAccepted
	onClose
)

// faultInfo says what a fault's rule is made of.
type faultInfo struct {
	on       occasion
	ledgers  bool // it takes a number of ledgers, 1 where it is not told
	forGood  bool // which may be "forever"
	duration bool // it takes a duration or a range of them
	needs    bool // and cannot do without
}

var faultInfos = map[Fault]faultInfo{
	LoseBefore:  {on: onSubmit},
	LoseAfter:   {on: onSubmit},
	Delay:       {on: onRequest, duration: true, needs: true},
	DelayAnswer: {on: onRequest, duration: true, needs: true},
	Drop:        {on: onRequest},
	Reset:       {on: onRequest},
	HalfOpen:    {on: onRequest},
	SlowDown:    {on: onRequest},
	HTTP503:     {on: onRequest},
	HTTP429:     {on: onRequest},
	Garbage:     {on: onRequest},
	LoseMessage: {on: onMessage},
	Gap:         {on: onClose, ledgers: true},
	Miss:        {on: onAccepted, ledgers: true, forGood: true},
	Stall:       {on: onClose, ledgers: true},
	Behind:      {on: onClose, ledgers: true},
	Freeze:      {on: onClose, duration: true, needs: true},
	Restart:     {on: onClose, duration: true},
	Rollback:    {on: onClose, ledgers: true, duration: true},
}

// Faults are all kinds, by name.
func Faults() []Fault { return slices.Sorted(maps.Keys(faultInfos)) }

// Rule says how often a fault happens, and how.
type Rule struct {
	// Probability is that of each occasion, 0 to 1.
	Probability float64
	// Times is how many of the next occasions it happens on for sure, after Skip have passed. After them Probability holds.
	Times, Skip int
	// Ledgers is for how many ledgers, where the kind has that; 1 if 0.
	Ledgers int
	// ForGood is for ever in place of Ledgers (Miss).
	ForGood bool
	// Min and Max bound the time it takes, where the kind has that; Max is Min if 0. Each time is drawn evenly from between.
	Min, Max time.Duration
}

// Bounds of a rule.
const (
	maxFaultLedgers = 1000
	maxFaultTime    = time.Hour
	maxFaultTimes   = 1_000_000
)

// Weather is which faults happen, by what chance.
type Weather struct {
	// Rules are by kind; a kind without one does not happen.
	Rules map[Fault]Rule
	// Methods restricts what happens to requests, to those of these methods; none: to all of them. `ledger_accept`,
	// `sandbox_weather` and the faucet, which are no part of a node's life, are left alone in any case.
	Methods []string
	// Seed decides what happens: with the same one, and the same Rules, each kind's n-th occasion has the same outcome.
	Seed uint64
}

func (w Weather) validate() error {
	for f, r := range w.Rules {
		if err := r.validate(f); err != nil {
			return err
		}
	}
	return nil
}

func (r Rule) validate(f Fault) error {
	k, ok := faultInfos[f]
	switch {
	case !ok:
		return fmt.Errorf("weather: there is no %q; there are %s", f, faultList())
	case !(r.Probability >= 0 && r.Probability <= 1):
		return fmt.Errorf("weather: %s: the probability must be from 0%% to 100%%", f)
	case r.Times < 0 || r.Skip < 0 || r.Times > maxFaultTimes || r.Skip > maxFaultTimes:
		return fmt.Errorf("weather: %s: counts must be from 0 to %d", f, maxFaultTimes)
	case r.ForGood && !k.forGood:
		return fmt.Errorf("weather: %s cannot be forever", f)
	case r.Ledgers != 0 && !k.ledgers:
		return fmt.Errorf("weather: %s takes no number of ledgers", f)
	case r.Ledgers < 0 || r.Ledgers > maxFaultLedgers:
		return fmt.Errorf("weather: %s: the ledgers must be from 1 to %d", f, maxFaultLedgers)
	case (r.Min != 0 || r.Max != 0) && !k.duration:
		return fmt.Errorf("weather: %s takes no time", f)
	case k.needs && r.Min == 0 && r.Max == 0:
		return fmt.Errorf("weather: %s needs a time, as 50ms or 5ms-50ms", f)
	case r.Min < 0 || r.Max != 0 && r.Max < r.Min || max(r.Min, r.Max) > maxFaultTime:
		return fmt.Errorf("weather: %s: the time must be from 0s to %v, the shorter first", f, maxFaultTime)
	}
	return nil
}

func (r Rule) ledgers() int { return max(r.Ledgers, 1) }

// span draws a time.
func (r Rule) span(x uint64) time.Duration {
	if r.Max <= r.Min {
		return r.Min
	}
	return r.Min + time.Duration(x%uint64(r.Max-r.Min+1))
}

// FaultCount is how often a fault could have happened since the server started, and did.
type FaultCount struct{ Occasions, Done uint64 }

// ruleState is a rule at work.
type ruleState struct {
	rule  Rule
	shots []Rule // triggered, first one first; each has its Times and Skip left
	next  uint64 // number of the next occasion
}

// weather is a server's weather. Its lock is taken under the engine's, and never held while the engine, the hub or a connection
// is called.
type weather struct {
	srv   *Server
	lines *lines

	mu      sync.Mutex
	spec    Weather
	states  map[Fault]*ruleState
	counts  map[Fault]*FaultCount
	epoch   uint64    // grows with each restart
	frozen  time.Time // until when
	started time.Time // the last restart; zero if none

	shown atomic.Pointer[engine.Node] // what a node that is behind knows; nil when it is not

	closing sync.Mutex // held while a ledger closes or what happens to ledgers changes
	stalled int        // closes that do not happen
	unseen  int        // ledgers until the node catches up
	relay   *relay
}

func newWeather(s *Server, spec Weather) *weather {
	w := &weather{srv: s, counts: map[Fault]*FaultCount{}}
	w.lines = &lines{w: w, open: map[*line]struct{}{}}
	w.relay = &relay{hub: s.hub}
	w.set(spec)
	return w
}

func (w *weather) set(spec Weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	spec.Rules, spec.Methods = maps.Clone(spec.Rules), slices.Clone(spec.Methods)
	w.spec, w.states = spec, map[Fault]*ruleState{}
	for f, r := range spec.Rules {
		st := w.state(f)
		st.rule = r
		if r.Times > 0 {
			st.shots = []Rule{r}
		}
	}
}

// state is a fault's state, made where there is none. The lock is held.
func (w *weather) state(f Fault) *ruleState {
	st := w.states[f]
	if st == nil {
		st = &ruleState{}
		w.states[f] = st
	}
	return st
}

func (w *weather) count(f Fault) *FaultCount {
	c := w.counts[f]
	if c == nil {
		c = &FaultCount{}
		w.counts[f] = c
	}
	return c
}

// happens draws a fault's next occasion. x is a random number for what is left to chance in it. Where something else happens on
// the occasion already (taken), it passes. Occasions that come in parallel are told apart by their lane and their number there,
// so that each lane has its own lot.
func (w *weather) happens(f Fault, taken bool) (r Rule, x uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draw(f, taken, 0, w.state(f).next)
}

func (w *weather) happensOn(f Fault, lane, n uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _, ok := w.draw(f, false, lane, n)
	return ok
}

func (w *weather) draw(f Fault, taken bool, lane, n uint64) (r Rule, x uint64, ok bool) {
	st, c := w.state(f), w.count(f)
	c.Occasions++
	st.next++
	x = lot(w.spec.Seed, f, lane, n)
	r = st.rule
	if len(st.shots) > 0 {
		shot := &st.shots[0]
		switch {
		case shot.Skip > 0:
			shot.Skip--
		case !taken:
			r, ok = *shot, true
			if shot.Times--; shot.Times <= 0 {
				st.shots = st.shots[1:]
			}
		}
	}
	if !ok {
		ok = !taken && float64(x>>11)/(1<<53) < r.Probability
	}
	if ok {
		c.Done++
	}
	return r, mix(x), ok
}

// lot is the random number of an occasion.
func lot(seed uint64, f Fault, lane, n uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(f)) // a hash does not fail
	return mix(mix(mix(seed^h.Sum64())+lane) + n)
}

// mix makes every bit of a number depend on every other: the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// wait waits that long; false when the server ends first.
func (w *weather) wait(d time.Duration) bool {
	if d <= 0 {
		return w.srv.ctx.Err() == nil
	}
	select {
	case <-w.srv.cfg.After(d):
		return true
	case <-w.srv.ctx.Done():
		return false
	}
}

// thaw waits while the node is frozen; false when the server ends first.
func (w *weather) thaw() bool {
	for {
		w.mu.Lock()
		d := w.frozen.Sub(w.srv.cfg.Now())
		w.mu.Unlock()
		if d <= 0 {
			return true
		}
		if !w.wait(d) {
			return false
		}
	}
}

func (w *weather) now() time.Time { return w.srv.cfg.Now() }

// SetWeather changes the weather of a server that was started with one, from the next occasion on. Each kind's occasions are
// counted anew; what has begun, as a node that is behind, goes on.
func (s *Server) SetWeather(spec Weather) error {
	if s.weather == nil {
		return errNoWeather
	}
	if err := spec.validate(); err != nil {
		return err
	}
	s.weather.set(spec)
	return nil
}

// Weather is the weather at present; the zero value on a server that was started without.
func (s *Server) Weather() Weather {
	if s.weather == nil {
		return Weather{}
	}
	w := s.weather
	w.mu.Lock()
	defer w.mu.Unlock()
	spec := w.spec
	spec.Rules, spec.Methods = maps.Clone(spec.Rules), slices.Clone(spec.Methods)
	return spec
}

// FaultCounts tells of every kind what has happened since the server was started.
func (s *Server) FaultCounts() map[Fault]FaultCount {
	counts := make(map[Fault]FaultCount, len(faultInfos))
	for f := range faultInfos {
		counts[f] = FaultCount{}
	}
	if s.weather == nil {
		return counts
	}
	s.weather.mu.Lock()
	defer s.weather.mu.Unlock()
	for f, c := range s.weather.counts {
		counts[f] = *c
	}
	return counts
}

// Trigger makes a fault happen once, or r.Times. What happens to ledgers and to the whole node happens now: Gap, Stall and Behind
// to the ledgers that close next, Freeze, Restart and Rollback at once (and an error says if they could not). What happens to
// requests, messages and transactions happens to the next ones, after r.Skip. The probability is not looked at.
func (s *Server) Trigger(f Fault, r Rule) error { return s.trigger(f, r, nil) }

// trigger spares one connection, on which the request to do so came.
func (s *Server) trigger(f Fault, r Rule, spared *line) error {
	w := s.weather
	if w == nil {
		return errNoWeather
	}
	if err := r.validate(f); err != nil {
		return err
	}
	r.Times = max(r.Times, 1)
	if faultInfos[f].on == onClose {
		if r.Times > 1 || r.Skip > 0 {
			return fmt.Errorf("weather: %s, triggered, happens at once, and once; how often and when is for the weather itself", f)
		}
		return w.strike(f, r, spared)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.state(f)
	if len(st.shots) >= maxShots {
		return fmt.Errorf("weather: %s was triggered too often before it happened", f)
	}
	st.shots = append(st.shots, r)
	return nil
}

// maxShots bounds what is triggered and has not happened.
const maxShots = 1000
