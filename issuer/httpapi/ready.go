package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

// readyFor is how long an answer of /readyz is reused. Everybody may ask, as often as they like, and the answer may take
// the node's and the journal's: after a write that failed, one that writes.
const readyFor = 200 * time.Millisecond

// readiness is the last answer to whether requests would be served.
type readiness struct {
	mu    sync.Mutex
	asked time.Time
	last  issuer.Readiness
}

// of returns what ask returns, or returned just now. Simultaneous callers wait for one answer.
func (r *readiness) of(ask func() issuer.Readiness) issuer.Readiness {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) >= readyFor {
		r.last = ask()
		r.asked = time.Now()
	}
	return r.last
}

// notReady is the error of a service that cannot do what was asked about, with each check that fails.
type notReady struct {
	error
	failing []issuer.Failing
}

func (e notReady) Unwrap() error { return e.error }

// ready serves /readyz: whether credentials can be issued, or with check=read whether they can be read and verified.
func (a *API) ready(c echo.Context) error {
	values, err := query(c, "check")
	if err != nil {
		return err
	}
	only := values.Get("check")
	if values.Has("check") && only != "read" && only != "issue" {
		return model.BadRequest("check", "must be read or issue")
	}
	ctx := context.WithoutCancel(c.Request().Context()) // others wait for the same answer
	r := a.readiness.of(func() issuer.Readiness { return a.cfg.Issuer.Readiness(ctx) })
	switch {
	case r.ReadErr != nil:
		return notReady{r.ReadErr, r.Failing}
	case len(r.Failing) > 0 && only != "read":
		names := make([]string, 0, len(r.Failing))
		for _, f := range r.Failing {
			names = append(names, f.Check)
		}
		return notReady{&model.Error{Code: codeNotIssuing, Message: "no credentials can be issued now; failing checks: " + strings.Join(names, ", ")}, r.Failing}
	}
	return a.writeJSON(c, http.StatusOK, struct {
		Status      string           `json:"status"`
		LedgerIndex uint32           `json:"ledger_index"`
		CloseTime   string           `json:"close_time_iso"`
		Failing     []issuer.Failing `json:"failing,omitempty"`
	}{"ok", r.Ledger.Index, model.FormatTime(r.Ledger.CloseTime), r.Failing})
}

// withChecks adds the failing checks to the body of an error.
func withChecks(body []byte, failing []issuer.Failing) []byte {
	text, err := json.Marshal(failing)
	if err != nil || len(failing) == 0 {
		return body
	}
	return append(append(append(body[:len(body)-1], `,"failing":`...), text...), '}')
}
