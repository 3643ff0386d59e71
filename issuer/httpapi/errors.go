package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/model"
)

// The codes of what HTTP itself refuses.
const (
	codeNotFound             model.Code = "notFound"
	codeMethodNotAllowed     model.Code = "methodNotAllowed"
	codeRequestTimeout       model.Code = "requestTimeout"
	codeBodyTooLarge         model.Code = "bodyTooLarge"
	codeUnsupportedMediaType model.Code = "unsupportedMediaType"
	codeBusy                 model.Code = "busy"
	codeNotIssuing           model.Code = "notIssuing"
)

// outcomes is the error table: what a code means in HTTP, and what is said where the error itself says nothing. Any
// `tec` that is not in it is a 400 under its own name; any other code that is not in it is a fault of ours, 500.
var outcomes = map[model.Code]struct {
	status  int
	message string
}{
	model.CodeBadRequest:          {http.StatusBadRequest, "the request is not what it must be"},
	model.CodeUnauthorized:        {http.StatusUnauthorized, "this needs a token that holds: send Authorization: Bearer TOKEN"},
	model.CodeForbidden:           {http.StatusForbidden, "the token's role does not allow this"},
	model.CodeProofRefused:        {http.StatusForbidden, "the proof does not hold: ask for a new challenge and sign its message with the subject's key"},
	model.CodeRequestNotFound:     {http.StatusNotFound, "there is no such request"},
	model.CodeDecided:             {http.StatusConflict, "the request has been decided on already"},
	model.CodeTooManyUnaccepted:   {http.StatusConflict, "as many credentials as are allowed wait to be accepted: accept those first"},
	model.CodeTooManyWaiting:      {http.StatusServiceUnavailable, "as many requests wait for a decision as may: ask again later"},
	model.CodeTooManyRequests:     {http.StatusTooManyRequests, "too many requests: ask again later"},
	model.CodeEntryNotFound:       {http.StatusNotFound, "no such credential stands on the ledger"},
	model.CodeOperationNotFound:   {http.StatusNotFound, "there is no such operation"},
	model.CodeBatchNotFound:       {http.StatusNotFound, "there is no such batch"},
	codeNotFound:                  {http.StatusNotFound, "there is nothing at this path"},
	codeMethodNotAllowed:          {http.StatusMethodNotAllowed, "this method does nothing here; the Allow header names those that do"},
	codeRequestTimeout:            {http.StatusRequestTimeout, "the body did not arrive in time: send it at once"},
	model.CodeDuplicate:           {http.StatusConflict, "a credential of this type stands already for this subject"},
	model.CodeInProgress:          {http.StatusConflict, "another operation for this subject and credential is under way"},
	model.CodeWrongState:          {http.StatusConflict, "what was asked for does not go together with what is stored"},
	model.CodeCancelled:           {http.StatusConflict, "the operation was cancelled before anything was signed"},
	codeBodyTooLarge:              {http.StatusRequestEntityTooLarge, "the body must not have more than 1048576 bytes"},
	codeUnsupportedMediaType:      {http.StatusUnsupportedMediaType, "the body must be plain JSON in UTF-8: send Content-Type: application/json, and no Content-Encoding"},
	codeNotIssuing:                {http.StatusServiceUnavailable, "no credentials can be issued now"},
	codeBusy:                      {http.StatusServiceUnavailable, "too many large requests are under way: ask again later, or send less at a time"},
	model.CodeNoTarget:            {http.StatusUnprocessableEntity, "the subject's account is not on the ledger yet"},
	model.CodeExpired:             {http.StatusUnprocessableEntity, "the expiration passed before the ledger closed"},
	model.CodeKeyReused:           {http.StatusUnprocessableEntity, "this Idempotency-Key came before with another request: use a new key for a new request"},
	model.CodeInternal:            {http.StatusInternalServerError, "something went wrong on our side; the log has the cause under this request id"},
	model.CodeNotAuthentic:        {http.StatusConflict, "the database changed this after the service stored it: nothing was signed; ask again"},
	model.CodeRefused:             {http.StatusInternalServerError, "no ledger can ever take the transaction, and nothing of it is under way; the log has the cause"},
	model.CodeInsufficientReserve: {http.StatusServiceUnavailable, "the issuer's account holds too little XRP to carry one more credential"},
	model.CodeLedgerUnavailable:   {http.StatusServiceUnavailable, "the ledger does not answer now: ask again later"},
	model.CodeAccessUnavailable:   {http.StatusServiceUnavailable, "who you are cannot be checked now: ask again later"},
	model.CodeStoreUnavailable:    {http.StatusServiceUnavailable, "the service cannot store anything now: ask again later; with the same Idempotency-Key, where there is one, nothing is done twice"},
	model.CodeNotValidated:        {http.StatusGatewayTimeout, "the transaction is on no ledger and can be on none any more: asking again is safe"},
}

// Statuses returns the error table: each code, and the status that it is answered with.
func Statuses() map[model.Code]int {
	all := map[model.Code]int{}
	for code, o := range outcomes {
		all[code] = o.status
	}
	return all
}

// routeCodes are the codes of what Echo's router says when no route fits.
var routeCodes = map[int]model.Code{http.StatusNotFound: codeNotFound, http.StatusMethodNotAllowed: codeMethodNotAllowed}

// defaultRetryAfter is said where the ledger, the store or the identity provider is unavailable and nobody knows for how long.
const defaultRetryAfter = 5 * time.Second

// statusCanceled stands in the log for a client that went away before its answer; nobody receives it.
const statusCanceled = 499

func fault(code model.Code) error { return &model.Error{Code: code} }

// known turns any error into one that the table can answer. What has no code is ours, and is said to be nothing more.
func known(err error) *model.Error {
	var e *model.Error
	var route *echo.HTTPError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &route):
		e = &model.Error{Code: routeCodes[route.Code], Cause: err}
	default:
		e = &model.Error{Cause: err}
	}
	if _, listed := outcomes[e.Code]; !listed && !e.Code.Final() {
		return &model.Error{Code: model.CodeInternal, Cause: err}
	}
	switch e.Code {
	case model.CodeInternal:
		return &model.Error{Code: model.CodeInternal, Cause: err} // its message is not for callers
	case model.CodeStoreUnavailable:
		return &model.Error{Code: e.Code, RetryAfter: e.RetryAfter, Cause: err} // nor is that one: the table says what to do
	}
	return e
}

func statusOf(code model.Code) int {
	if o, listed := outcomes[code]; listed {
		return o.status
	}
	return http.StatusBadRequest
}

// fail answers with an error. It is the only place that does.
func (a *API) fail(c echo.Context, err error) {
	e := known(err)
	s := stateOf(c)
	s.err, s.cause = e, err
	if c.Response().Committed {
		return // too late to say anything; observe gives up the connection
	}
	if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil {
		s.status = statusCanceled
		return
	}
	if e.Tx != nil {
		note(c, transaction(*e.Tx)...)
	}
	if e.Pending != nil {
		note(c, slog.String("pending", e.Pending.Hash), slog.Uint64("last_ledger_sequence", uint64(e.Pending.LastLedgerSequence)))
	}
	if e.Code == model.CodeUnauthorized {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="credential issuer"`)
	}
	switch e.Code {
	case model.CodeLedgerUnavailable, model.CodeStoreUnavailable, model.CodeAccessUnavailable, model.CodeTooManyRequests, model.CodeTooManyWaiting, codeBusy, codeNotIssuing:
		wait := e.RetryAfter
		if wait <= 0 {
			wait = defaultRetryAfter
		}
		retryAfter(c.Response().Header(), wait)
	}
	body := errorBody(e, s.id)
	var unready notReady
	if errors.As(err, &unready) {
		body = withChecks(body, unready.failing)
	}
	if werr := a.writeBody(c, statusOf(e.Code), body); werr != nil {
		s.cause = errors.Join(err, werr)
	}
}

// errorBody is the error in JSON: its three fields, then what may still happen, then the fields of the transaction
// that failed.
func errorBody(e *model.Error, id string) []byte {
	message := e.Message
	if message == "" {
		message = outcomes[e.Code].message
	}
	if message == "" {
		message = "the ledger refused the transaction: " + string(e.Code)
	}
	fields := map[string]json.RawMessage{}
	if e.Tx != nil {
		// A node's answer that is no object has no fields to show; the code says what happened all the same.
		_ = json.Unmarshal(e.Tx.Body, &fields)
	}
	out := []byte{'{'}
	put := func(name string, value any) {
		text, err := json.Marshal(map[string]any{name: value})
		if err != nil {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, text[1:len(text)-1]...)
		delete(fields, name)
	}
	put("error", e.Code)
	put("error_message", message)
	put("request_id", id)
	if p := newShownPending(e.Pending); p != nil {
		put("pending", p)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		put(name, fields[name])
	}
	return append(out, '}')
}
