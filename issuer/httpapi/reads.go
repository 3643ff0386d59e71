package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// readWindow is the time for which calls that changed nothing share one entry of the audit log.
	readWindow = time.Minute
	// readCheck is how often windows are looked at whose time is over.
	readCheck = 5 * time.Second
	// maxReads bounds the windows. Calls beyond that have an entry each.
	maxReads = 10_000
)

// readKey is a caller and an action.
type readKey struct {
	actor, target string
	status        int
}

// readCount is the calls of a window that have no entry yet.
type readCount struct {
	began       time.Time
	count       int
	first, last time.Time
}

// reads aggregates the audit entries of calls that changed nothing. The first call of a caller and action has an entry at once;
// those that follow have one entry a minute, with their count, until a minute passes without any.
type reads struct {
	mu      sync.Mutex
	windows map[readKey]*readCount
}

// add counts a call, and says whether it needs an entry of its own.
func (r *reads) add(k readKey, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.windows[k]
	if w == nil {
		if len(r.windows) < maxReads {
			if r.windows == nil {
				r.windows = map[readKey]*readCount{}
			}
			r.windows[k] = &readCount{began: now}
		}
		return true
	}
	if w.count == 0 {
		w.first = now
	}
	w.count++
	w.last = now
	return false
}

// due returns the entries of windows whose time is over, or of all, and begins the next ones.
func (r *reads) due(now time.Time, all bool) []model.AuditEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var entries []model.AuditEntry
	for k, w := range r.windows {
		if now.Sub(w.began) < readWindow && !all {
			continue
		}
		if w.count == 0 {
			delete(r.windows, k)
			continue
		}
		detail, err := json.Marshal(struct {
			Count int       `json:"count"`
			First time.Time `json:"first"`
			Last  time.Time `json:"last"`
		}{w.count, w.first.UTC().Truncate(time.Second), w.last.UTC().Truncate(time.Second)})
		if err != nil {
			panic(err) // three values that can always be written
		}
		entries = append(entries, model.AuditEntry{Actor: k.actor, Action: "call", Target: k.target, Status: k.status, Detail: detail})
		*w = readCount{began: now}
	}
	return entries
}

// readOf is the key of a call that changed nothing; ok is false for one that has an entry of its own. A call that was refused
// changed nothing either. Documents that were shown stay attributable: their request is in the key.
func readOf(c echo.Context, s *state) (k readKey, ok bool) {
	method, status := c.Request().Method, statusOfRequest(c, s)
	reading := method == http.MethodGet || method == http.MethodHead
	if !reading && (status < 400 || status >= 500) {
		return readKey{}, false
	}
	target := c.Path()
	if status < 400 && c.Path() == adminRequestPath {
		target = short(c.Request().URL.EscapedPath())
	}
	return readKey{s.principal.Actor, method + " " + target, status}, true
}

// storeReads writes the entries of windows whose time is over, until ctx ends, and then those of all.
func (a *API) storeReads(ctx context.Context) {
	ticker := time.NewTicker(readCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.flushReads(ctx, false)
		case <-ctx.Done():
			a.flushReads(ctx, true)
			return
		}
	}
}

func (a *API) flushReads(ctx context.Context, all bool) {
	if a.cfg.Audit == nil {
		return
	}
	entries := a.reads.due(a.cfg.Now(), all)
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTime)
	defer cancel()
	if err := a.cfg.Audit.Audit(ctx, entries...); err != nil {
		a.cfg.Logger.ErrorContext(ctx, "counts of calls could not be written into the audit log", "entries", len(entries), "error", err)
	}
}
