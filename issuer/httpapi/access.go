package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// Access says who callers of the administrators' side are.
type Access interface {
	// Authenticate reads the values of the Authorization header of a client's request. The error is
	// [model.CodeUnauthorized] with the same message whatever is wrong, and its cause is for the log;
	// [model.CodeForbidden] for a caller who is known and has no role, with their Actor in the Principal beside it;
	// [model.CodeTooManyRequests] for a client that has shown too many tokens that do not hold;
	// [model.CodeAccessUnavailable] where nobody can tell now.
	Authenticate(ctx context.Context, client string, authorization []string) (model.Principal, error)
}

// Limiter bounds how often something is asked for.
type Limiter interface {
	// Take counts one request for a key. Where it is one too many it says how long to wait.
	Take(key string) (ok bool, retryAfter time.Duration)
}

// Auditor keeps the audit log.
type Auditor interface {
	Audit(ctx context.Context, entries ...model.AuditEntry) error
	// AuditEntries returns up to limit of its entries behind one.
	AuditEntries(ctx context.Context, after int64, limit int) ([]model.AuditEntry, error)
}

// auditTime bounds how long a call's entry may take to be stored, once the call is over.
const auditTime = 10 * time.Second

// guard lets those through who may use a route.
func (a *API) guard(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		for _, value := range c.ParamValues() {
			if strings.Contains(value, "/") { // the router takes all that is left for the last part
				return fault(codeNotFound)
			}
		}
		client := a.cfg.ClientIP(c.Request())
		note(c, slog.String("client", client))
		switch {
		case r.public:
			if err := take(a.cfg.ClientLimit, client); err != nil {
				return err
			}
		case r.role != "":
			if err := a.admit(c, client, r.role); err != nil {
				return err
			}
		}
		return r.serve(c)
	}
}

// admit finds out who the caller is, and whether their role suffices.
func (a *API) admit(c echo.Context, client string, need model.Role) error {
	if a.cfg.Access == nil { // nobody can say who they are
		return fault(model.CodeUnauthorized)
	}
	who, err := a.cfg.Access.Authenticate(c.Request().Context(), client, c.Request().Header.Values(echo.HeaderAuthorization))
	if err != nil {
		if model.CodeOf(err) == model.CodeForbidden && who.Actor != "" {
			identify(c, who)
		}
		return err
	}
	if who.Actor == model.ActorSandbox { // nobody is asked who they are
		if why := local(c.Request()); why != nil {
			return errNotLocal(why)
		}
	}
	identify(c, who)
	if err := take(a.cfg.TokenLimit, who.Actor); err != nil {
		return err
	}
	if !who.Role.Allows(need) {
		return &model.Error{Code: model.CodeForbidden, Message: "this needs the role " + string(need) + ", and the token has the role " + string(who.Role)}
	}
	return nil
}

// identify notes who the caller is: for the log line, and for the audit log.
func identify(c echo.Context, who model.Principal) {
	note(c, slog.String("actor", who.Actor))
	stateOf(c).principal = &who
}

// actor is who a request comes from, as far as it was asked.
func actor(c echo.Context) string {
	if p := stateOf(c).principal; p != nil {
		return p.Actor
	}
	return model.ActorApplicant
}

// take counts a request against a rate.
func take(l Limiter, key string) error {
	if l == nil {
		return nil
	}
	if ok, wait := l.Take(key); !ok {
		return &model.Error{Code: model.CodeTooManyRequests, RetryAfter: max(wait, time.Second)}
	}
	return nil
}

// remoteAddress is the client as the connection has it.
func remoteAddress(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// auditCall writes down a call of the administrators' side once it is over: its path as it is written in a URL, as what is
// decoded of it may be bytes that no terminal should be shown and PostgreSQL does not store.
func (a *API) auditCall(c echo.Context, s *state) {
	if a.cfg.Audit == nil || s.principal == nil || !strings.HasPrefix(c.Path(), "/admin/") {
		return
	}
	if k, reading := readOf(c, s); reading && !a.reads.add(k, a.cfg.Now()) {
		return // it is counted, and has an entry with others
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), auditTime)
	defer cancel()
	err := a.cfg.Audit.Audit(ctx, model.AuditEntry{
		Actor: s.principal.Actor, Action: "call", Target: c.Request().Method + " " + short(c.Request().URL.EscapedPath()),
		Status: statusOfRequest(c, s), RequestID: s.id,
	})
	if err != nil {
		a.cfg.Logger.ErrorContext(ctx, "a call could not be written into the audit log", "request_id", s.id, "actor", s.principal.Actor, "error", err)
	}
}
