package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// hub wakes those who wait, in this process and (by notifications) in others. It only says that there is something to
// read.
type hub struct {
	s         *Store
	self      string // names this process in notifications, which it hears too
	channel   string // PostgreSQL's
	listening atomic.Bool
	closed    chan struct{}

	mu      sync.Mutex
	waiters map[model.OperationID]map[chan struct{}]bool
	// fresh are operations that this process has stored, that nobody has waited for yet, and that nobody has said are over: who
	// waits for one of them need not read it first. ends are how those ended that somebody waits for.
	fresh    map[model.OperationID]remembered
	ends     map[model.OperationID]*end
	watchers map[model.Address]map[chan struct{}]bool
	tellers  map[model.Address]map[chan struct{}]bool // they tell of events
}

func newHub(s *Store) *hub {
	return &hub{s: s, self: rand.Text()[:8], closed: make(chan struct{}),
		fresh: map[model.OperationID]remembered{}, ends: map[model.OperationID]*end{},
		waiters: map[model.OperationID]map[chan struct{}]bool{}, watchers: map[model.Address]map[chan struct{}]bool{},
		tellers: map[model.Address]map[chan struct{}]bool{}}
}

func (h *hub) close() { close(h.closed) }

// maxFresh bounds the operations that are remembered for whoever comes to wait for them, and freshFor for how long: who comes
// later reads how things stand, as another process on the same SQLite database, which is not heard, may have ended it.
const (
	maxFresh = 10_000
	freshFor = time.Second
)

// remembered is an operation as it was stored, and when.
type remembered struct {
	op model.Operation
	at time.Time
}

// end is how an operation ended, as it is stored.
type end struct {
	state    model.State
	attempts []model.Attempt
	failure  *model.Failure
	result   *model.Validated
	at       time.Time
}

// remember takes in operations that are about to be stored. It comes before the commit: behind it they may end before anybody
// knows of them.
func (h *hub) remember(group []*creation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range group {
		delete(h.fresh, c.op.ID) // of a try before, which failed
		if c.inserted && !c.op.Renew && len(h.fresh) < maxFresh {
			h.fresh[c.op.ID] = remembered{c.op, time.Now()}
		}
	}
}

// forget drops operations that were not stored after all.
func (h *hub) forget(group []*creation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range group {
		delete(h.fresh, c.op.ID)
	}
}

// await registers somebody who waits for an operation, which is returned where it need not be read first.
func (h *hub) await(id model.OperationID) (wake <-chan struct{}, fresh *model.Operation, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch := make(chan struct{}, 1)
	add(h.waiters, id, ch)
	if r, ok := h.fresh[id]; ok {
		delete(h.fresh, id)
		if time.Since(r.at) < freshFor {
			fresh = &r.op
		}
	}
	return ch, fresh, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		remove(h.waiters, id, ch)
		if h.waiters[id] == nil {
			delete(h.ends, id)
		}
	}
}

// endOf returns how an operation ended that somebody waits for; nil where this process did not store it.
func (h *hub) endOf(id model.OperationID) *end {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends[id]
}

// register adds a channel that is signalled for an account, and returns what takes it away again.
func register(h *hub, m map[model.Address]map[chan struct{}]bool, issuer model.Address) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	add(m, issuer, ch)
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		remove(m, issuer, ch)
	}
}

func add[K comparable](m map[K]map[chan struct{}]bool, key K, ch chan struct{}) {
	if m[key] == nil {
		m[key] = map[chan struct{}]bool{}
	}
	m[key][ch] = true
}

func remove[K comparable](m map[K]map[chan struct{}]bool, key K, ch chan struct{}) {
	delete(m[key], ch)
	if len(m[key]) == 0 {
		delete(m, key)
	}
}

func signal(chans map[chan struct{}]bool) {
	for ch := range chans {
		select {
		case ch <- struct{}{}:
		default: // it has yet to look
		}
	}
}

// committed wakes those in this process that wait for what t has committed.
func (h *hub) committed(t *txn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range t.final {
		delete(h.fresh, id)
		if e := t.ends[id]; e != nil && h.waiters[id] != nil {
			h.ends[id] = e
		}
		signal(h.waiters[id])
	}
	for issuer := range t.pending {
		signal(h.watchers[issuer])
	}
	for issuer := range t.lanes {
		signal(h.watchers[issuer])
	}
	for issuer := range t.news() {
		signal(h.tellers[issuer])
	}
}

// news returns the accounts whose webhooks may have something to tell of.
func (t *txn) news() map[model.Address]bool {
	news := maps.Clone(t.concluded)
	for _, e := range t.events {
		news[e.Issuer] = true
	}
	return news
}

// messages says the same to other processes: who sends, "f" and final operations, or "w" or "e" and an issuer to look at, for
// work or for events.
func (h *hub) messages(t *txn) []string {
	var out []string
	for chunk := range slices.Chunk(t.final, maxNotified) {
		words := []string{h.self, "f"}
		for _, id := range chunk {
			words = append(words, string(id))
		}
		out = append(out, strings.Join(words, " "))
	}
	for _, issuers := range []map[model.Address]bool{t.pending, t.lanes} {
		for _, issuer := range slices.Sorted(maps.Keys(issuers)) {
			out = append(out, h.self+" w "+string(issuer))
		}
	}
	for _, issuer := range slices.Sorted(maps.Keys(t.news())) {
		out = append(out, h.self+" e "+string(issuer))
	}
	return out
}

// heard takes a notification.
func (h *hub) heard(message string) {
	words := strings.Fields(message)
	if len(words) < 3 || words[0] == h.self {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch words[1] {
	case "f":
		for _, id := range words[2:] {
			delete(h.fresh, model.OperationID(id))
			signal(h.waiters[model.OperationID(id)])
		}
	case "w":
		for _, issuer := range words[2:] {
			signal(h.watchers[model.Address(issuer)])
		}
	case "e":
		for _, issuer := range words[2:] {
			signal(h.tellers[model.Address(issuer)])
		}
	}
}

// wakeAll has everybody look, as something may have been said that was not heard.
func (h *hub) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.fresh)
	for _, chans := range h.waiters {
		signal(chans)
	}
	for _, m := range []map[model.Address]map[chan struct{}]bool{h.watchers, h.tellers} {
		for _, chans := range m {
			signal(chans)
		}
	}
}

// poll looks now and then for what nobody was told of, with one query for all who wait.
func (h *hub) poll(ctx context.Context) {
	ticker := time.NewTicker(h.s.cfg.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		h.mu.Lock()
		waited := slices.Collect(maps.Keys(h.waiters))
		for _, m := range []map[model.Address]map[chan struct{}]bool{h.watchers, h.tellers} {
			for _, chans := range m {
				signal(chans)
			}
		}
		h.mu.Unlock()
		for chunk := range slices.Chunk(waited, 1000) {
			if err := h.look(ctx, chunk); err != nil && ctx.Err() == nil {
				h.s.log.Warn("cannot look whether operations have become final", "error", err)
				break
			}
		}
	}
}

func (h *hub) look(ctx context.Context, waited []model.OperationID) error {
	list, err := h.s.d.list(texts(waited))
	if err != nil {
		return err
	}
	rows, err := h.s.readDB.QueryContext(ctx,
		"SELECT id FROM operations WHERE "+h.s.d.in("id", 1)+" AND state NOT IN ('pending', 'signed')", list)
	return each(rows, err, func(rows *sql.Rows) error {
		var id model.OperationID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		h.mu.Lock()
		signal(h.waiters[id])
		h.mu.Unlock()
		return nil
	})
}

// Wait returns an operation once it is final. Once it has been found, a database that fails is waited for too. When ctx ends
// first, the operation is returned as it stands then, or as it was last read where it cannot be read now, together with ctx's cause. Error codes: operationNotFound, storeUnavailable.
func (s *Store) Wait(ctx context.Context, id model.OperationID) (model.Operation, error) {
	wake, fresh, stop := s.hub.await(id)
	defer stop()
	var last model.Operation
	if fresh != nil {
		last = *fresh
	} else {
		var err error
		if last, err = s.read(ctx, id); err != nil {
			return last, err
		}
	}
	for !last.State.Final() {
		select {
		case <-wake:
		case <-s.hub.closed:
			return last, fault("waiting for operation "+string(id), errClosed)
		case <-ctx.Done():
			look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
			op, err := s.read(look, id)
			cancel()
			if err == nil {
				last = op
			}
			if last.State.Final() {
				return last, nil
			}
			return last, fmt.Errorf("waiting for operation %s: %w", id, context.Cause(ctx))
		}
		if e := s.hub.endOf(id); e != nil {
			last.State, last.Attempts, last.Failure, last.Result, last.Updated = e.state, e.attempts, e.failure, e.result, e.at
			return last, nil
		}
		op, err := s.read(ctx, id)
		switch {
		case err == nil:
			last = op
		case model.CodeOf(err) != model.CodeStoreUnavailable:
			return last, err
		default: // polling wakes us again
			s.log.Debug("cannot read an operation that is waited for", "operation", id, "error", err)
		}
	}
	return last, nil
}

// lastLook bounds reading an operation once more for who does not wait any longer.
const lastLook = time.Second

// reading is an operation that is to be read together with others.
type reading struct {
	id  model.OperationID
	op  model.Operation
	err error
}

// readLimit bounds reading operations for those who wait.
const readLimit = 10 * time.Second

// read is Operation for the many who are woken at the same moment.
func (s *Store) read(ctx context.Context, id model.OperationID) (model.Operation, error) {
	r := &reading{id: model.OperationID(text(string(id)))}
	if err := s.reads.do(ctx, r, s.readAll); err != nil {
		return model.Operation{}, fault("reading operation "+text(string(id)), err)
	}
	return r.op, r.err
}

func (s *Store) readAll(ctx context.Context, group []*reading) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
	defer cancel()
	ids := make([]model.OperationID, len(group))
	for i, r := range group {
		ids[i] = r.id
	}
	ops, err := s.byID(ctx, texts(ids))
	found := make(map[model.OperationID]model.Operation, len(ops))
	for _, op := range ops {
		found[op.ID] = op
	}
	for _, r := range group {
		op, ok := found[r.id]
		switch {
		case err != nil:
			r.err = fault("reading operations", err)
		case !ok:
			r.err = noOperation(r.id)
		default:
			r.op = op
		}
	}
}

// Watch returns a channel that holds a signal when there may be something new for an account's lane: operations that
// are pending, or the lease given back. It also holds one from time to time for nothing. stop ends it.
func (s *Store) Watch(issuer model.Address) (wake <-chan struct{}, stop func()) {
	return register(s.hub, s.hub.watchers, issuer)
}

// texts turns named strings into plain ones, for the drivers.
func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
