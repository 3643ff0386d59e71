package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// challenge serves POST /challenge {subject}.
func (a *API) challenge(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	subject, err := model.ParseChallengeRequest(body)
	if err != nil {
		return err
	}
	note(c, slog.String("subject", subject.String()))
	if err := take(a.cfg.SubjectLimit, string(subject)); err != nil {
		return err
	}
	asked, err := a.cfg.Issuer.Challenge(c.Request().Context(), subject)
	if err != nil {
		return err
	}
	return a.writeJSON(c, http.StatusOK, struct {
		Subject model.Address `json:"subject"`
		Issuer  model.Address `json:"issuer"`
		Nonce   string        `json:"nonce"`
		// Message is what is to be signed: its bytes in UTF-8.
		Message string `json:"message"`
		Expires string `json:"expires"`
	}{asked.Subject, asked.Issuer, asked.Nonce, asked.Message(), asked.Expires.Format(time.RFC3339)})
}
