package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// challenge serves POST /challenge {subject, credential, renew, request_hash}.
func (a *API) challenge(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	asked, err := model.ParseChallengeRequest(body)
	if err != nil {
		return err
	}
	note(c, slog.String("subject", asked.Subject.String()), slog.String("credential", asked.Type.Text()))
	if err := a.takeUnproven(c, asked.Subject); err != nil {
		return err
	}
	made, err := a.cfg.Issuer.Challenge(c.Request().Context(), asked)
	if err != nil {
		return err
	}
	return a.writeJSON(c, http.StatusOK, struct {
		Subject    model.Address `json:"subject"`
		Issuer     model.Address `json:"issuer"`
		Network    uint32        `json:"network_id"`
		Credential string        `json:"credential"`
		Renew      bool          `json:"renew"`
		Request    string        `json:"request_hash"`
		Nonce      string        `json:"nonce"`
		// Message is what is to be signed: its bytes in UTF-8.
		Message string `json:"message"`
		Expires string `json:"expires"`
	}{made.Subject, made.Issuer, made.Network, made.Type.Text(), made.Renew, made.Request, made.Nonce, made.Message(), made.Expires.Format(time.RFC3339)})
}
