package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// status serves GET /admin/status.
func (a *API) status(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	s, err := a.cfg.Issuer.Status(c.Request().Context())
	if err != nil {
		return err
	}
	return a.writeJSON(c, http.StatusOK, struct {
		Issuer      model.Address `json:"issuer"`
		LedgerIndex uint32        `json:"ledger_index"`
		CloseTime   string        `json:"close_time_iso"`
		// Balance is in drops; Room is how many more credentials it suffices for.
		Balance int64  `json:"balance_drops"`
		Owned   uint32 `json:"owner_count"`
		Room    int64  `json:"room_for_credentials"`
	}{s.Account.Address, s.Ledger.Index, model.FormatTime(s.Ledger.CloseTime), s.Account.Balance, s.Account.OwnerCount, s.Room})
}
