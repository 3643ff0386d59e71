// Package httpapi is the HTTP side of an issuer: routes, who may use them, binding, one error table, and what surrounds a
// request.
//
// It is the only package that knows Echo. It may call the issuer, who says who callers are, rates and the audit log, through the
// interfaces that it owns, and model; it decides nothing about credentials, builds no transaction, and asks no node. No handler
// writes an error body: handlers return errors, and the table in errors.go says what becomes of them. An error without a
// code becomes a bare 500, whose cause is in the log under the same request id and nowhere else.
//
// # What surrounds a request
//
//	request id -> one log line, whatever happens -> security headers -> route -> rate or role -> query -> media type -> size -> body
//
// A request that changes something may carry an Idempotency-Key, which the issuer is asked about before the body is looked
// into, and a Prefer header (RFC 7240): one that is not to be waited for, or whose wait is over, is answered with 202 and the
// place where its operation can be followed. Rows of a batch are handed on while they arrive; memory does not grow with it.
//
// Everything is bounded: connections, what all bodies together take, header size and time, body size and time, and the
// time in which a client has to take what it asked for. The log line holds no body, no document, no header but the user
// agent, and no query.
//
// # Who may do what
//
// The table in routes.go is the whole interface, and says of each route what it needs:
//
//   - Nothing, and a rate for each client: the public side. A request for a subject also counts against a rate of its client for that
//     subject, and once its proof is verified against that of the subject, unless its key came before. An operation is shown to whoever knows its id, and a request that a person decides on to
//     whoever knows its secret, as the parameter secret or as a bearer token, who can also withdraw it; with another one
//     there is no such request.
//   - A role, with a bearer token: all below /admin, and /metrics. Without one that holds it is 401, with one whose role does not
//     suffice 403, and 503 where nobody can tell now. Documents are shown to reviewers, one request at a time.
//   - Nothing at all: /healthz and /readyz.
//
// Without tokens ([model.ActorSandbox]) only local requests are admitted: addressed to a loopback name, not forwarded by a proxy,
// and not sent by a page of another site.
//
// # What is audited
//
// Each call below /admin by somebody who is known is one entry of the audit log once it is over, with its status, also where
// their role did not suffice. Calls that changed nothing share an entry with a count: one for a caller, action and minute. A call
// that shows documents names their request. Calls by nobody are in the log alone, so that nobody can fill the audit log from outside; so are
// those of the public side: what comes of them is audited by whoever stores it. An entry that cannot be written is an error in
// the log, and does not undo the call.
package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

// Issuer is what the interface serves. Errors carry the codes of [model.Error].
type Issuer interface {
	Repeated(ctx context.Context, a issuer.Ask) (reply issuer.Reply, found bool, err error)
	Issue(ctx context.Context, r model.CredentialRequest, a issuer.Ask) (issuer.Reply, error)
	Revoke(ctx context.Context, r model.Revocation, a issuer.Ask) (issuer.Reply, error)
	Challenge(ctx context.Context, c model.Challenge) (model.Challenge, error)
	Verify(ctx context.Context, subject, issuer model.Address, t model.CredentialType) (model.Verdict, error)
	Followed(ctx context.Context, id model.OperationID, secret string) (issuer.Review, error)
	Withdraw(ctx context.Context, id model.OperationID, secret string, a issuer.Ask) (issuer.Review, error)
	Applications(ctx context.Context, state model.ApplicationState, after model.OperationID, limit int) ([]model.Application, error)
	Application(ctx context.Context, id model.OperationID) (issuer.Review, error)
	Approve(ctx context.Context, id model.OperationID, a issuer.Ask) (issuer.Review, error)
	Reject(ctx context.Context, id model.OperationID, reason string, a issuer.Ask) (issuer.Review, error)
	Status(ctx context.Context) (issuer.Status, error)
	Operation(ctx context.Context, id model.OperationID, wait time.Duration) (model.Operation, error)
	Receive(ctx context.Context, a issuer.BatchAsk, rows iter.Seq2[issuer.Row, error], begun func(model.Batch)) (model.BatchStatus, error)
	Batch(ctx context.Context, id model.OperationID, after int64, limit int) (model.BatchStatus, []model.RowStatus, error)
	CancelBatch(ctx context.Context, id model.OperationID, by model.AuditEntry) (int64, model.BatchStatus, error)
	List(ctx context.Context, which model.Acceptance) iter.Seq2[model.Credential, error]
	Ready(ctx context.Context) (model.Ledger, error)
	Readiness(ctx context.Context) issuer.Readiness
}

// Bounds of what a client may send.
const (
	MaxBodyBytes   = 1 << 20
	MaxHeaderBytes = 16 << 10
)

// Config is what an [API] is made of. Issuer is needed.
type Config struct {
	Issuer Issuer
	// Access says who the callers of the administrators' side are; without it nobody is let in there.
	Access Access
	// Audit keeps a log of their calls; none by default.
	Audit Auditor
	// ClientLimit bounds the requests of a client of the public side, UnprovenLimit those of a client for one subject, and
	// SubjectLimit those for a subject whose proof is verified; none by default.
	ClientLimit, UnprovenLimit, SubjectLimit Limiter
	// ProofLimit recognises a proof that was counted already: it allows each nonce once in [issuer.ChallengeTime]. Without it
	// each repetition counts.
	ProofLimit Limiter
	// TokenLimit bounds the requests of a caller of the administrators' side; none by default.
	TokenLimit Limiter
	// ClientIP says which address a request comes from; that of the connection by default.
	ClientIP func(*http.Request) string
	// TLS has [API.Serve] answer HTTPS; plain HTTP without it.
	TLS    *tls.Config
	Logger *slog.Logger // none by default
	// HeaderTime and BodyTime are how long the head, and head and body together, of a request may take to arrive; 10 s
	// and 20 s by default.
	HeaderTime, BodyTime time.Duration
	// WriteTime is how long a client may take to receive each piece of an answer; 30 s by default.
	WriteTime time.Duration
	// IdleTime is how long a connection is kept without a request; 2 min by default.
	IdleTime time.Duration
	// AnswerTime is how long the issuer may take to answer; 2 min by default. A connection on which an answer takes
	// longer is given up.
	AnswerTime time.Duration
	// WaitLimit is the longest that the issuer waits for an operation's end; 60 s by default. It is told to those who would
	// wait longer.
	WaitLimit time.Duration
	// MaxConnections is how many connections may be open at once; [DefaultConnections] by default.
	MaxConnections int
	// StopTime is how long [API.Serve] waits for requests in progress when it is told to stop; 30 s by default.
	StopTime time.Duration
	// GiveUp is called when that time is over and requests are still in progress. It has to make the issuer answer
	// them at once, with what it knows.
	GiveUp func()
	Now    func() time.Time // time.Now by default; for durations in the log
	// Metrics serves GET /metrics; without it there is no such route.
	Metrics http.Handler
	// Observe is told of each request: its route (its pattern, such as /operations/:id, or "none"), its method (or
	// "other"), its status and how long it took.
	Observe func(route, method string, status int, took time.Duration)
}

// API is an http.Handler, and the server around it.
type API struct {
	cfg      Config
	echo     *echo.Echo
	inFlight sync.WaitGroup
	reads    reads
	routes   map[string]bool // the patterns that there are
	bodies   *semaphore.Weighted
	// readiness is what /readyz answers.
	readiness readiness
}

// New returns the interface to an issuer.
func New(cfg Config) *API {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for at, value := range map[*time.Duration]time.Duration{
		&cfg.HeaderTime: 10 * time.Second,
		&cfg.BodyTime:   20 * time.Second,
		&cfg.WriteTime:  30 * time.Second,
		&cfg.IdleTime:   2 * time.Minute,
		&cfg.AnswerTime: 2 * time.Minute,
		&cfg.StopTime:   30 * time.Second,
		&cfg.WaitLimit:  time.Minute,
	} {
		if *at == 0 {
			*at = value
		}
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = DefaultConnections
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = remoteAddress
	}
	a := &API{cfg: cfg, echo: echo.New(), bodies: semaphore.NewWeighted(heldBodies)}
	a.echo.Logger.SetOutput(io.Discard) // what there is to say is said by observe
	a.echo.HTTPErrorHandler = func(err error, c echo.Context) { a.fail(c, err) }
	a.echo.Use(a.observe)

	a.register()
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.inFlight.Add(1)
	defer a.inFlight.Done()
	if len(r.TransferEncoding) > 0 {
		// A request that says in two ways how long it is must be the last one on its connection (RFC 9112, 6.3), as a
		// proxy in front may have taken what comes next for a part of this one. net/http drops the other way, so that
		// nobody can tell here whether there was one.
		w.Header().Set(echo.HeaderConnection, "close")
	}
	a.echo.ServeHTTP(w, r)
}

// issue serves POST /credential.
func (a *API) issue(c echo.Context) error {
	return a.operate(c, func(body []byte, asked issuer.Ask) (reply issuer.Reply, err error) {
		r, err := model.ParseCredentialRequest(body)
		if err != nil {
			return reply, err
		}
		note(c, slog.String("subject", r.Subject.String()), slog.String("credential", r.Type.Text()))
		if r.Proof == nil {
			if err := a.takeUnproven(c, r.Subject); err != nil {
				return reply, err
			}
		}
		asked.Proven = a.proven(r.Subject)
		reply, err = a.cfg.Issuer.Issue(c.Request().Context(), r, asked)
		if model.CodeOf(err) == model.CodeProofRefused {
			if tooMany := a.takeUnproven(c, r.Subject); tooMany != nil {
				return reply, tooMany
			}
		}
		return reply, err
	})
}

// revoke serves DELETE /admin/credential.
func (a *API) revoke(c echo.Context) error {
	return a.operate(c, func(body []byte, asked issuer.Ask) (reply issuer.Reply, err error) {
		r, err := model.ParseRevocation(body)
		if err != nil {
			return reply, err
		}
		note(c, slog.String("subject", r.Subject.String()), slog.String("credential", r.Type.Text()))
		return a.cfg.Issuer.Revoke(c.Request().Context(), r, asked)
	})
}

// operate answers a request that becomes an operation: with that of the first request with its key, else with what
// begin makes of its body.
func (a *API) operate(c echo.Context, begin func(body []byte, asked issuer.Ask) (issuer.Reply, error)) error {
	if err := parameters(c); err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	asked, prefer, err := a.ask(c, body)
	if err != nil {
		return err
	}
	if reply, found, err := a.cfg.Issuer.Repeated(c.Request().Context(), asked); found || err != nil {
		return a.repeated(c, prefer, reply, found, err)
	}
	reply, err := begin(body, asked)
	return a.answer(c, prefer, reply, err)
}

// repeated answers a request whose key came before.
func (a *API) repeated(c echo.Context, p preference, reply issuer.Reply, found bool, err error) error {
	if found {
		replayed(c.Response().Header())
		subject, typ := reply.Subject, reply.Type
		if s := reply.Submitted; s != nil {
			subject, typ = s.Subject, s.Type
		}
		note(c, slog.Bool("replayed", true), slog.String("subject", subject.String()), slog.String("credential", typ.Text()))
	}
	return a.answer(c, p, reply, err)
}

// healthy serves /healthz: the process answers. It asks nobody.
func (a *API) healthy(c echo.Context) error {
	return a.writeJSON(c, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

// parameters reads the query. Each allowed parameter may stand once, no other may.
func parameters(c echo.Context, allowed ...string) error {
	_, err := query(c, allowed...)
	return err
}

func query(c echo.Context, allowed ...string) (url.Values, error) {
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return nil, model.BadRequest("the query", "must be name=value, percent-encoded, joined by &")
	}
	for name, all := range values {
		known := false
		for _, a := range allowed {
			known = known || a == name
		}
		switch {
		case !known && len(allowed) == 0:
			return nil, model.BadRequest("the query", "must be empty: there are no parameters here")
		case !known:
			return nil, model.BadRequest("the query", "must hold nothing but "+strings.Join(allowed, ", "))
		case len(all) > 1:
			return nil, model.BadRequest(name, fmt.Sprintf("must be given once; it is given %d times", len(all)))
		}
	}
	return values, nil
}

func (a *API) writeJSON(c echo.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return a.writeBody(c, status, body)
}

// writeBody writes one JSON text and a new line, so that a terminal's prompt does not stick to it. What a terminal would act
// on is escaped: much of what is answered are the words of callers, and of others on the ledger.
func (a *API) writeBody(c echo.Context, status int, body []byte) error {
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(a.cfg.WriteTime)) // not every writer has one
	body = model.ShownJSON(body)
	whole := make([]byte, 0, len(body)+1)
	return c.Blob(status, echo.MIMEApplicationJSON, append(append(whole, body...), '\n'))
}
