package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// readBody returns the body of a request that must be JSON, within its bounds of size and time.
func readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > MaxBodyBytes {
		return nil, fault(codeBodyTooLarge)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault(codeBodyTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault(codeRequestTimeout)
	case err != nil:
		e := model.BadRequest("the body", "must arrive whole; it broke off")
		e.Cause = err
		return nil, e
	}
	// The server's time limit for reading is for the request alone. Left standing, it would end the wait for the
	// ledger too: net/http takes a read that fails for a client that went away.
	endReading(c)
	return body, nil
}

func endReading(c echo.Context) {
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Time{}) // not every writer has one
}

func checkMediaType(h http.Header) error {
	types, encodings := h.Values(echo.HeaderContentType), h.Values(echo.HeaderContentEncoding)
	if len(types) != 1 {
		return fault(codeUnsupportedMediaType)
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	if err != nil || media != echo.MIMEApplicationJSON {
		return fault(codeUnsupportedMediaType)
	}
	for name, value := range parameters {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return fault(codeUnsupportedMediaType)
		}
	}
	for _, e := range encodings {
		if !strings.EqualFold(strings.TrimSpace(e), "identity") {
			return fault(codeUnsupportedMediaType)
		}
	}
	return nil
}
