package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// maxRequestID bounds the ids that clients may choose for their requests.
const maxRequestID = 64

// maxLogged bounds what a log line repeats of a client's own words.
const maxLogged = 200

// state is what is gathered about a request for its one log line.
type state struct {
	id     string
	status int          // where it is not the one that was sent
	err    *model.Error // as it was told
	cause  error        // as it was
	attrs  []slog.Attr
	// principal is who the caller is; nil where nobody asked.
	principal *model.Principal
	held      int64 // of what all bodies may take, in bytes
	// connection is what it came on, where that is counted; working says that all of the request is there.
	connection *connection
	working    bool
}

type contextKey struct{}

const stateKey = "httpapi.state"

func stateOf(c echo.Context) *state {
	s, ok := c.Get(stateKey).(*state)
	if !ok {
		s = &state{} // outside observe, which surrounds every route
		c.Set(stateKey, s)
	}
	return s
}

// note adds to the request's log line.
func note(c echo.Context, attrs ...slog.Attr) {
	s := stateOf(c)
	s.attrs = append(s.attrs, attrs...)
}

func transaction(v model.Validated) []slog.Attr {
	return []slog.Attr{slog.String("hash", v.Hash), slog.Uint64("ledger_index", uint64(v.LedgerIndex)), slog.String("engine_result", v.EngineResult)}
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(contextKey{}).(string)
	return id
}

// observe surrounds every request, also those that lead nowhere: it gives it an id, sets the security headers, keeps
// a panic from ending the process, turns errors into answers, and writes the one log line.
func (a *API) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (none error) {
		began := a.cfg.Now()
		s := &state{id: requestID(c.Request().Header)}
		c.Set(stateKey, s)
		s.connection, _ = c.Request().Context().Value(connectionKey{}).(*connection)
		if c.Request().ContentLength == 0 {
			s.received()
		}
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), contextKey{}, s.id)))
		secure(c.Response().Header(), s.id)
		if a.cfg.TLS != nil {
			c.Response().Header().Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
		}

		defer func() {
			s.answered()
			a.bodies.Release(s.held)
			abort := false
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					abort = true
				} else {
					s.attrs = append(s.attrs, slog.String("stack", string(debug.Stack())))
					a.fail(c, fmt.Errorf("panic: %v", p))
				}
			}
			// An answer that began and could not end must not look whole.
			abort = abort || s.err != nil && c.Response().Committed && c.Response().Status < 400
			took := a.cfg.Now().Sub(began)
			a.log(c, s, took, abort)
			a.auditCall(c, s)
			if a.cfg.Observe != nil {
				a.cfg.Observe(a.route(c), methodName(c.Request().Method), statusOfRequest(c, s), took)
			}
			if abort || s.status == statusCanceled {
				panic(http.ErrAbortHandler)
			}
		}()
		if err := next(c); err != nil {
			a.fail(c, err)
		}
		return nil
	}
}

// requestID takes the client's id where it is short and plain, and makes one otherwise.
func requestID(h http.Header) string {
	id := h.Get(echo.HeaderXRequestID)
	if id == "" || len(id) > maxRequestID {
		return rand.Text()
	}
	for i := range len(id) {
		switch b := id[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '.':
		default:
			return rand.Text()
		}
	}
	return id
}

// secure sets what keeps a browser from reading more into an answer than JSON.
func secure(h http.Header, id string) {
	h.Set(echo.HeaderXRequestID, id)
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
	h.Set(echo.HeaderReferrerPolicy, "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// log writes the one line of a request.
func (a *API) log(c echo.Context, s *state, took time.Duration, aborted bool) {
	r := c.Request()
	status := statusOfRequest(c, s)
	level := slog.LevelInfo
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case status >= http.StatusInternalServerError, aborted:
		level = slog.LevelWarn
	case status < http.StatusBadRequest && (c.Path() == "/healthz" || c.Path() == "/readyz" || c.Path() == "/metrics"):
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("request_id", s.id),
		slog.String("method", short(r.Method)),
		slog.String("path", short(r.URL.Path)),
		slog.Int("status", status),
		slog.Duration("took", took),
		slog.Int64("sent", c.Response().Size),
		slog.String("remote", r.RemoteAddr),
		slog.String("agent", short(r.UserAgent())),
	}
	attrs = append(attrs, s.attrs...)
	if s.err != nil {
		attrs = append(attrs, slog.String("error", string(s.err.Code)))
		if s.cause != nil {
			attrs = append(attrs, slog.String("cause", s.cause.Error()))
		}
	}
	if aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	a.cfg.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// short cuts a client's own words. The handler of the log escapes what is left.
func short(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "..."
	}
	return s
}

func statusOfRequest(c echo.Context, s *state) int {
	if s.status != 0 {
		return s.status
	}
	return c.Response().Status
}

// route is the pattern that a request was served by: one of a few, whatever clients ask for.
func (a *API) route(c echo.Context) string {
	if a.routes[c.Path()] {
		return c.Path()
	}
	return "none"
}

func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
