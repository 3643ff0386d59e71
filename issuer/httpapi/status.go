package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

// statusView is what GET /admin/status tells. Parts that the service was started without are left out.
type statusView struct {
	Issuer      model.Address `json:"issuer"`
	LedgerIndex uint32        `json:"ledger_index"`
	CloseTime   string        `json:"close_time_iso"`
	// Balance is in drops; Room is how many more credentials it suffices for.
	Balance  int64         `json:"balance_drops"`
	Owned    uint32        `json:"owner_count"`
	Room     int64         `json:"room_for_credentials"`
	Warnings []warningView `json:"warnings"`
	// Failing are the checks of /readyz that fail; empty while credentials can be issued.
	Failing []issuer.Failing `json:"failing"`

	Lane     *laneView     `json:"lane,omitempty"`
	Records  *recordsView  `json:"records,omitempty"`
	Due      *dueView      `json:"due,omitempty"`
	Keeper   *keeperView   `json:"keeper,omitempty"`
	Webhooks []webhookView `json:"webhooks,omitempty"`
}

type warningView struct {
	Warning issuer.Shortage `json:"warning"`
	Message string          `json:"message"`
}

type laneView struct {
	Holder string `json:"holder,omitempty"`
	Here   bool   `json:"this_process"`
}

type recordsView struct {
	Known       bool   `json:"known"`
	LedgerIndex uint32 `json:"ledger_index"`
	Lag         uint32 `json:"ledgers_behind"`
	Standing    int64  `json:"standing"`
	Unaccepted  int64  `json:"unaccepted"`
	Expired     int64  `json:"expired"`
}

type dueView struct {
	Withdraw int64 `json:"credentials_to_withdraw"`
	Delete   int64 `json:"credentials_to_delete"`
	Erase    int64 `json:"documents_to_erase"`
	Decide   int64 `json:"requests_waiting"`
	Lapse    int64 `json:"requests_to_lapse"`
}

// keeperView is of the process that answers: only while Working is true does it keep house.
type keeperView struct {
	Working  bool                               `json:"working"`
	Since    string                             `json:"since"`
	Done     map[issuer.KeeperAction]actionView `json:"done"`
	UnderWay int                                `json:"under_way"`
	Fault    string                             `json:"fault,omitempty"`
}

type actionView struct {
	Count uint64 `json:"count"`
	Last  string `json:"last,omitempty"`
}

// webhookView has the counts of the process that answers; waiting, given_up and failing_since are the same everywhere.
type webhookView struct {
	ID        string            `json:"id"`
	Address   string            `json:"address"`
	Kinds     []model.EventKind `json:"events,omitempty"` // all where they are left out
	Waiting   int64             `json:"waiting"`
	GivenUp   int64             `json:"given_up"`
	Failing   string            `json:"failing_since,omitempty"`
	Delivered uint64            `json:"delivered"`
	Failed    uint64            `json:"failed_attempts"`
	Failure   string            `json:"last_failure,omitempty"`
}

// status serves GET /admin/status.
func (a *API) status(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	s, err := a.cfg.Issuer.Status(c.Request().Context())
	if err != nil {
		return err
	}
	return a.writeJSON(c, http.StatusOK, viewOf(s))
}

func viewOf(s issuer.Status) statusView {
	v := statusView{Issuer: s.Account.Address, LedgerIndex: s.Ledger.Index, CloseTime: model.FormatTime(s.Ledger.CloseTime),
		Balance: s.Account.Balance, Owned: s.Account.OwnerCount, Room: s.Room, Warnings: []warningView{}, Failing: append([]issuer.Failing{}, s.Failing...)}
	for _, w := range s.Warnings {
		v.Warnings = append(v.Warnings, warningView{w.Kind, w.Message})
	}
	if h := s.House; h != nil {
		v.Lane = &laneView{h.Lane.Holder, h.Here}
		r := h.Records
		v.Records = &recordsView{r.Known, r.Complete, h.Lag, r.Standing, r.Unaccepted, r.Expired}
		v.Due = &dueView{h.Due.Withdraw, h.Due.Delete, h.Due.Erase, h.Due.Decide, h.Due.Lapse}
	}
	if k := s.Keeper; k != nil {
		v.Keeper = &keeperView{Working: k.Working, Since: instant(k.Since), Done: map[issuer.KeeperAction]actionView{}, UnderWay: k.UnderWay, Fault: k.Fault}
		for action, n := range k.Done {
			v.Keeper.Done[action] = actionView{n.N, when(n.Last)}
		}
	}
	for _, w := range s.Webhooks {
		v.Webhooks = append(v.Webhooks, webhookView{w.ID, w.Address, w.Kinds, w.Waiting, w.GivenUp, when(w.Failing), w.Delivered, w.Failed, w.Failure})
	}
	return v
}

// when is a time as callers are shown it; empty for the zero time.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return instant(t)
}
