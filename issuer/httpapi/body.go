package httpapi

import (
	"bytes"
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

// What all requests together may hold in memory of their bodies. Of each the first [freeBody] bytes are not counted, which is
// more than nearly any request has; of the rest there is room for so much, however many clients send at once.
const (
	freeBody   = 8 << 10
	heldBodies = 32 << 20
)

// readBody returns the body of a request that must be JSON, within its bounds of size and time. Where there is no room for one
// that is large, it is refused at once: who sends slowly would hold up those who wait.
func (a *API) readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > MaxBodyBytes {
		return nil, fault(codeBodyTooLarge)
	}
	length := freeBody
	if r.ContentLength >= 0 {
		length = int(min(r.ContentLength+1, freeBody)) // one more, to read its end into
	}
	body, err := a.hold(c, http.MaxBytesReader(c.Response(), r.Body, MaxBodyBytes), length)
	var tooLarge *http.MaxBytesError
	switch {
	case model.CodeOf(err) == codeBusy:
		return nil, err
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
	return bytes.TrimPrefix(body, []byte(byteOrderMark)), nil // which a reader may ignore (RFC 8259, 8.1)
}

// hold reads to the end, into so many bytes at first, no more than [freeBody]. What it takes of the room that all share is given
// back when the request is over.
func (a *API) hold(c echo.Context, from io.Reader, length int) ([]byte, error) {
	body := make([]byte, 0, length)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		case len(body) < cap(body):
			continue
		}
		more := int64(cap(body)) // it doubles
		if !a.bodies.TryAcquire(more) {
			return nil, fault(codeBusy)
		}
		stateOf(c).held += more
		body = append(make([]byte, 0, 2*cap(body)), body...)
	}
}

func endReading(c echo.Context) {
	stateOf(c).received()
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
