package httpapi

import (
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

const operationsPath = "/operations/"

// pollAfter is when a client does well to ask for an operation again: ledgers close every few seconds.
const pollAfter = time.Second

// shownOperation is an operation as callers see it.
type shownOperation struct {
	ID         model.OperationID `json:"id"`
	Kind       model.Kind        `json:"kind"`
	State      model.State       `json:"state"`
	Final      bool              `json:"final"`
	Subject    model.Address     `json:"subject"`
	Credential string            `json:"credential"`
	Batch      model.OperationID `json:"batch,omitempty"`
	Row        int64             `json:"row,omitempty"`
	Created    string            `json:"created"`
	Updated    string            `json:"updated"`
	// Pending is what may still happen of one that is not final.
	Pending *shownPending `json:"pending,omitempty"`
	// Status, and Result or Error, are what whoever waited for it was answered, or would have been.
	Status int             `json:"status,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// shownPending is a transaction that a validated ledger has yet to decide.
type shownPending struct {
	Hash               string `json:"hash"`
	Sequence           uint32 `json:"sequence"`
	LastLedgerSequence uint32 `json:"last_ledger_sequence"`
}

func newShownPending(p *model.Pending) *shownPending {
	if p == nil {
		return nil
	}
	return &shownPending{p.Hash, p.Sequence, p.LastLedgerSequence}
}

func showOperation(op model.Operation, requestID string) shownOperation {
	s := shownOperation{ID: op.ID, Kind: op.Kind, State: op.State, Final: op.State.Final(), Subject: op.Subject, Credential: op.Type.Text(),
		Batch: op.Batch, Row: op.Row, Created: instant(op.Created), Updated: instant(op.Updated)}
	if !s.Final {
		s.Pending = newShownPending(op.Pending())
		return s
	}
	if err := issuer.Outcome(op); err != nil {
		e := known(err)
		s.Status, s.Error = statusOf(e.Code), errorBody(e, requestID)
		return s
	}
	s.Status = created(op.Kind)
	if op.Result != nil {
		s.Result = op.Result.Body
	}
	return s
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// created is the status of an operation's success.
func created(k model.Kind) int {
	if k == model.KindIssue {
		return http.StatusCreated
	}
	return http.StatusOK
}

// ask reads how the caller wants to be answered, and its key.
func (a *API) ask(c echo.Context, body []byte) (issuer.Ask, preference, error) {
	p := preferences(c.Request().Header, a.cfg.WaitLimit)
	key, err := idempotencyKey(c, func() []byte { return canonical(body) })
	return issuer.Ask{Key: key, Wait: p.limit(), Actor: actor(c), Client: a.cfg.ClientIP(c.Request()), RequestID: stateOf(c).id}, p, err
}

// answer writes what came of an operation, or that it is under way.
func (a *API) answer(c echo.Context, p preference, reply issuer.Reply, err error) error {
	if reply.Submitted != nil && err == nil {
		return a.submitted(c, *reply.Submitted)
	}
	op, h := reply.Operation, c.Response().Header()
	if op.ID != "" {
		note(c, slog.String("operation", string(op.ID)), slog.String("state", string(op.State)))
		h.Set(echo.HeaderLocation, operationsPath+string(op.ID))
	}
	switch {
	case err != nil:
		return err
	case op.State.Final() && op.Result != nil:
		note(c, transaction(*op.Result)...)
		return a.writeBody(c, created(op.Kind), op.Result.Body)
	}
	if applied := p.applied(); applied != "" {
		h.Set(headerPreferenceApplied, applied)
	}
	retryAfter(h, pollAfter)
	return a.writeJSON(c, http.StatusAccepted, showOperation(op, stateOf(c).id))
}

func retryAfter(h http.Header, wait time.Duration) {
	h.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}

// operation serves GET /operations/{id}. With Prefer: wait it answers when the operation is over, or the wait is.
func (a *API) operation(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	id, err := model.ParseOperationID(param(c, "id"))
	if err != nil {
		return fault(model.CodeOperationNotFound) // nothing has such an id
	}
	if c.Request().ContentLength == 0 {
		endReading(c)
	}
	p := preferences(c.Request().Header, a.cfg.WaitLimit)
	wait := issuer.NoWait
	if p.hasWait {
		wait = p.limit()
	}
	op, err := a.cfg.Issuer.Operation(c.Request().Context(), id, wait)
	if err != nil {
		return err
	}
	note(c, slog.String("operation", string(op.ID)), slog.String("state", string(op.State)))
	if p.hasWait {
		p.async = false
		c.Response().Header().Set(headerPreferenceApplied, p.applied())
	}
	if !op.State.Final() {
		retryAfter(c.Response().Header(), pollAfter)
	}
	return a.writeJSON(c, http.StatusOK, showOperation(op, stateOf(c).id))
}
