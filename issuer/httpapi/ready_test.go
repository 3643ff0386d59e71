package httpapi_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
	"github.com/xrplissuer/credential-issuer/model"
)

// slowlyReady counts how often it is asked.
type slowlyReady struct {
	httpapi.Issuer
	asked atomic.Int64
	err   atomic.Pointer[model.Error]
}

func (s *slowlyReady) Ready(ctx context.Context) (model.Ledger, error) {
	s.asked.Add(1)
	if err := ctx.Err(); err != nil {
		return model.Ledger{}, err
	}
	if e := s.err.Load(); e != nil {
		return model.Ledger{}, e
	}
	return model.Ledger{Index: 7}, nil
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
