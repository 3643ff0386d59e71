package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// self stands for this service's own account in a path.
const self = "self"

// verify serves GET /credential/{issuer|self}/{subject}/{type}: the answer to a question, whatever it is, is 200.
func (a *API) verify(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	var issuer model.Address
	var err error
	if given := param(c, "issuer"); given != self {
		if issuer, err = model.ParseAddress(given); err != nil {
			return model.BadRequest("issuer", err.Error()+"; or self, for this service's own")
		}
	}
	subject, err := model.ParseAddress(param(c, "subject"))
	if err != nil {
		return model.BadRequest("subject", err.Error())
	}
	t, err := model.ParseShownType(param(c, "type"))
	if err != nil {
		return model.BadRequest("credential", err.Error())
	}
	note(c, slog.String("subject", subject.String()), slog.String("credential", t.Text()))
	v, err := a.cfg.Issuer.Verify(c.Request().Context(), subject, issuer, t)
	if err != nil {
		return err
	}
	note(c, slog.Bool("valid", v.Valid), slog.Uint64("ledger_index", uint64(v.At.Index)))
	return a.writeJSON(c, http.StatusOK, v)
}
