package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/access"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

// auditLog keeps entries in memory.
type auditLog struct {
	mu      sync.Mutex
	entries []model.AuditEntry
}

func (l *auditLog) Audit(_ context.Context, entries ...model.AuditEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entries...)
	return nil
}

func (l *auditLog) AuditEntries(context.Context, int64, int) ([]model.AuditEntry, error) {
	return nil, nil
}

// calls returns what was written, without the calls' ids.
func (l *auditLog) calls(t *testing.T) (calls []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		detail := struct{ Count int }{1}
		if e.Detail != nil {
			if err := json.Unmarshal(e.Detail, &detail); err != nil {
				t.Fatal(err)
			}
		}
		calls = append(calls, fmt.Sprintf("%s %d ×%d", e.Target, e.Status, detail.Count))
	}
	return calls
}

// Reads of a caller share an entry with their count: a flood of them does not grow the audit log. What waits is written when the
// service stops.
func TestReadsShareAnEntry(t *testing.T) {
	log := &auditLog{}
	s := serve(t, httpapi.Config{Audit: log})
	for range 500 {
		if a := exchangeAs(t, s.address, s.address, get, "/admin/audit", "", ""); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	for n := range 10 { // refused ones too, whatever they name
		exchangeAs(t, s.address, s.address, get, fmt.Sprintf("/admin/audit?limit=x%d", n), "", "")
	}
	const first = "GET /admin/audit 200 ×1,GET /admin/audit 400 ×1"
	if got := strings.Join(log.calls(t), ","); got != first {
		t.Errorf("while it runs: %s", got)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(log.calls(t), ",")
	if len(log.calls(t)) != 4 || !strings.Contains(got, "GET /admin/audit 200 ×499") || !strings.Contains(got, "GET /admin/audit 400 ×9") {
		t.Errorf("at the end: %s", got)
	}
}

// A caller who asks too often is refused, and told when to ask again; another one is not.
func TestCallersAreLimited(t *testing.T) {
	now := time.Now()
	log := &auditLog{}
	s := serve(t, httpapi.Config{Audit: log, TokenLimit: access.NewLimiter(access.Rate{Count: 5, Per: time.Minute}, 0, func() time.Time { return now })})
	for n := range 20 {
		a := exchangeAs(t, s.address, s.address, get, "/admin/audit", "", "")
		if want := http.StatusOK; n < 5 && a.status != want {
			t.Errorf("call %d: %d %s", n+1, a.status, a.body)
		}
		if n >= 5 && (a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "12") {
			t.Errorf("call %d: %d, Retry-After %s", n+1, a.status, a.header.Get("Retry-After"))
		}
	}
	if a := exchangeAs(t, s.address, s.address, get, "/readyz", "", ""); a.status == http.StatusTooManyRequests {
		t.Errorf("the public side: %d", a.status)
	}
	if n := len(log.calls(t)); n != 2 {
		t.Errorf("%d entries: %v", n, log.calls(t))
	}
}
