package httpapi_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

// slowlyReady counts how often it is asked.
type slowlyReady struct {
	httpapi.Issuer
	asked atomic.Int64
	err   atomic.Pointer[model.Error]
}

func (s *slowlyReady) Readiness(ctx context.Context) issuer.Readiness {
	s.asked.Add(1)
	if err := ctx.Err(); err != nil {
		return issuer.Readiness{ReadErr: err}
	}
	if e := s.err.Load(); e != nil {
		return issuer.Readiness{ReadErr: e}
	}
	return issuer.Readiness{Ledger: model.Ledger{Index: 7}}
}

// TestReadyIsAskedNowAndThen: whoever asks, however often, the node and the journal are asked a few times a second, and
// a change shows all the same.
func TestReadyIsAskedNowAndThen(t *testing.T) {
	i := &slowlyReady{}
	s := serve(t, httpapi.Config{Issuer: i})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20}}
	defer client.CloseIdleConnections()
	ready := func() int {
		resp, err := client.Get("http://" + s.address + "/readyz")
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	began := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 50 {
				if got := ready(); got != http.StatusOK {
					t.Errorf("%d", got)
				}
			}
		})
	}
	all.Wait()
	if n, most := i.asked.Load(), int64(time.Since(began)/(200*time.Millisecond))+1; n < 1 || n > most {
		t.Errorf("asked %d times, and at most %d were due", n, most)
	}
	i.err.Store(&model.Error{Code: model.CodeLedgerUnavailable})
	for limit := time.Now().Add(20 * time.Second); ready() != http.StatusServiceUnavailable; {
		if time.Now().After(limit) {
			t.Fatal("it stays ready")
		}
	}
}

// TestReadyNamesWhatFails: nothing can be issued, and credentials can still be read.
func TestReadyNamesWhatFails(t *testing.T) {
	t.Parallel()
	var fault atomic.Pointer[string]
	says := func(s string) { fault.Store(&s) }
	says("the fee is above the limit")
	w := newWorld(t, func(c *worldConfig) {
		c.furnish = append(c.furnish, func(w *world, i *issuer.Config, api *httpapi.Config) {
			i.House = issuer.HouseConfig{Records: w.store, Holder: "test", Checks: []issuer.Check{{Name: "submitter", Fault: func() string { return *fault.Load() }}}}
			api.Access = openAccess{}
		})
	})
	eventually := func(target string, status int) answer {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); ; {
			a := w.send(t, get, target, "", "")
			if a.status == status || time.Now().After(limit) {
				return a
			}
		}
	}
	const failing = `[{"check":"submitter","message":"the fee is above the limit"}]`
	a := eventually("/readyz", http.StatusServiceUnavailable)
	if a.status != http.StatusServiceUnavailable || a.str("error") != "notIssuing" || string(a.fields["failing"]) != failing || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.send(t, get, "/readyz?check=issue", "", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("issue: %d %s", a.status, a.body)
	}
	if a := w.send(t, get, "/readyz?check=read", "", ""); a.status != http.StatusOK || string(a.fields["failing"]) != failing {
		t.Errorf("read: %d %s", a.status, a.body)
	}
	if a := w.send(t, get, "/admin/status", "", ""); a.status != http.StatusOK || string(a.fields["failing"]) != failing {
		t.Errorf("status: %d %s", a.status, a.body)
	}
	if a := w.send(t, get, "/healthz", "", ""); a.status != http.StatusOK {
		t.Errorf("health: %d", a.status)
	}
	for _, query := range []string{"check=", "check=write", "check=read&check=read", "x=1"} {
		if a := w.send(t, get, "/readyz?"+query, "", ""); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	says("")
	if a := eventually("/readyz", http.StatusOK); a.status != http.StatusOK || a.fields["failing"] != nil {
		t.Errorf("when it is over: %d %s", a.status, a.body)
	}
}
