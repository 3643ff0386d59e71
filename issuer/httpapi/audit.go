package httpapi

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// audit serves GET /admin/audit: the log behind an entry, in its order.
func (a *API) audit(c echo.Context) error {
	values, err := query(c, "after", "limit")
	if err != nil {
		return err
	}
	var after int64
	if values.Has("after") {
		if after, err = strconv.ParseInt(values.Get("after"), 10, 64); err != nil || after < 0 {
			return model.BadRequest("after", "must be the number of an entry")
		}
	}
	limit, err := page(values, defaultPage, maxPage)
	if err != nil {
		return err
	}
	shown := struct {
		Entries []model.AuditEntry `json:"entries"`
		Next    int64              `json:"next,omitempty"` // what to give as after for the next page
	}{Entries: []model.AuditEntry{}}
	if a.cfg.Audit != nil {
		found, err := a.cfg.Audit.AuditEntries(c.Request().Context(), after, limit)
		if err != nil {
			return err
		}
		shown.Entries = append(shown.Entries, found...)
		if len(found) == limit {
			shown.Next = found[limit-1].Seq
		}
	}
	return a.writeJSON(c, http.StatusOK, shown)
}
