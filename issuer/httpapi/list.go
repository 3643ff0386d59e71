package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/model"
)

// listed is a credential as the list shows it. What others may have written on the ledger is printable ASCII here, and
// encoding/json escapes the characters of markup.
type listed struct {
	Subject    model.Address `json:"subject"`
	Credential string        `json:"credential"`
	Accepted   bool          `json:"accepted"`
	URI        string        `json:"uri,omitempty"`
	Expiration string        `json:"expiration,omitempty"`
}

func newListed(c model.Credential) listed {
	l := listed{Subject: c.Subject, Credential: c.Type.Text(), Accepted: c.Accepted}
	if c.URI != "" {
		l.URI = hexutil.DisplayRaw(c.URI)
	}
	if c.HasExpiration() {
		l.Expiration = model.FormatTime(c.Expiration)
	}
	return l
}

// chunk is how much of a list is sent at a time. Memory does not grow with the list.
const chunk = 16 << 10

// list serves GET /admin/credential. It sends the list while it reads it from the ledger. Nothing is sent before the
// ledger's first word, so that a ledger that does not answer is an error like any other; where it fails later, the
// connection is given up without the end of the answer, so that nobody takes a part for the whole.
func (a *API) list(c echo.Context) error {
	which, err := acceptance(c)
	if err != nil {
		return err
	}
	if c.Request().ContentLength == 0 {
		endReading(c)
	}
	next, stop := iter.Pull2(a.cfg.Issuer.List(c.Request().Context(), which))
	defer stop()
	credential, err, more := next()
	if more && err != nil {
		return err
	}

	control := http.NewResponseController(c.Response())
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	w := bufio.NewWriterSize(deadlineWriter{c.Response(), control, a.cfg.WriteTime}, chunk)
	if _, err := w.WriteString(`{"credentials":[`); err != nil {
		return fmt.Errorf("send the list: %w", err)
	}
	count := 0
	for ; more; credential, err, more = next() {
		if err != nil {
			return fmt.Errorf("list after %d credentials: %w", count, err)
		}
		text, err := json.Marshal(newListed(credential))
		if err != nil {
			return fmt.Errorf("encode a credential: %w", err)
		}
		if count > 0 {
			text = append([]byte{','}, text...)
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("send the list: %w", err)
		}
		count++
	}
	note(c, slog.Int("credentials", count))
	if _, err := w.WriteString("]}\n"); err != nil {
		return fmt.Errorf("send the list: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("send the list: %w", err)
	}
	return nil
}

// headList serves HEAD /admin/credential: what GET would begin with, without reading the list.
func (a *API) headList(c echo.Context) error {
	if _, err := acceptance(c); err != nil {
		return err
	}
	if _, err := a.cfg.Issuer.Ready(c.Request().Context()); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	return c.NoContent(http.StatusOK)
}

// acceptance reads the parameter accepted. Left out it is both.
func acceptance(c echo.Context) (model.Acceptance, error) {
	const name = "accepted"
	values, err := query(c, name)
	if err != nil {
		return 0, err
	}
	if !values.Has(name) {
		return model.AnyAcceptance, nil
	}
	switch strings.ToLower(values.Get(name)) {
	case "yes":
		return model.Accepted, nil
	case "no":
		return model.Unaccepted, nil
	case "both":
		return model.AnyAcceptance, nil
	}
	return 0, model.BadRequest(name, "must be yes, no or both")
}

// deadlineWriter gives the client a time for each piece, not for the whole, and sends each piece at once.
type deadlineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	time    time.Duration
}

func (d deadlineWriter) Write(p []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(d.time)) // not every writer has one
	return d.w.Write(p)
}
