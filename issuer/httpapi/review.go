package httpapi

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/hexutil"
	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

const (
	requestsPath = "/request/"
	// adminRequestPath is the pattern of the one call that shows documents.
	adminRequestPath = "/admin/request/:id"
	// paramSecret is how the link that an applicant follows carries its secret. Queries are in no log of ours.
	paramSecret = "secret"
	// maxSecret bounds what is looked at.
	maxSecret = 100
	// defaultPage and maxPage are how many requests or entries one page shows.
	defaultPage, maxPage = 100, 1000
)

// shownApplication is a request that a person decides on, as callers see it.
type shownApplication struct {
	ID         model.OperationID      `json:"id"`
	State      model.ApplicationState `json:"state"`
	Subject    model.Address          `json:"subject"`
	Credential string                 `json:"credential"`
	Expiration string                 `json:"expiration,omitempty"`
	URI        string                 `json:"uri,omitempty"`
	Renew      bool                   `json:"renew,omitempty"`
	Proven     bool                   `json:"proven"`
	// Message says what there is to do, where it ended without a decision; for its applicant.
	Message string `json:"message,omitempty"`
	// Link is where its applicant follows it; only in answer to the request itself.
	Link string `json:"link,omitempty"`
	// DecideBy is when it lapses; only while it waits.
	DecideBy string `json:"decide_by,omitempty"`
	Created  string `json:"created"`
	Updated  string `json:"updated"`
	// DecidedBy and Reason are of the decision; who decided is for the administrators' side alone.
	DecidedBy string `json:"decided_by,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// OperationID names the operation of an approval where the operation itself is not shown.
	OperationID model.OperationID `json:"operation_id,omitempty"`
	Operation   *shownOperation   `json:"operation,omitempty"`
	// Erase is when the documents are erased, and Documents are what was handed in; null once they are erased.
	Erase     string           `json:"documents_erased,omitempty"`
	Documents *json.RawMessage `json:"documents,omitempty"`
	Events    []shownEvent     `json:"events,omitempty"`
}

type shownEvent struct {
	Time  string          `json:"time"`
	Kind  model.EventKind `json:"event"`
	Actor string          `json:"actor"`
	Data  json.RawMessage `json:"data,omitempty"`
}

func showApplication(a model.Application) shownApplication {
	s := shownApplication{ID: a.ID, State: a.State, Subject: a.Subject, Credential: a.Type.Text(), Renew: a.Renew, Proven: a.Proven,
		Created: instant(a.Created), Updated: instant(a.Updated), Reason: a.Reason, OperationID: a.Operation}
	if a.State == model.ApplicationWaiting {
		s.DecideBy = instant(a.DecideBy)
	}
	if a.Expiration != nil {
		s.Expiration = model.FormatTime(*a.Expiration)
	}
	if a.URI != "" {
		s.URI = hexutil.DisplayRaw(a.URI)
	}
	return s
}

// endings are what an applicant is told of a request that ended without a decision.
var endings = map[model.ApplicationState]string{
	model.ApplicationLapsed:    "nobody decided on it in time, and nobody will: ask again with a new POST /credential, which hands in the documents again",
	model.ApplicationWithdrawn: "you have withdrawn it, and its documents are erased: whoever still wants the credential asks again with a new POST /credential",
}

// reasonErased stands in for the reason of a rejection whose time is over.
const reasonErased = "it was rejected; the reason was erased when its time was over: whoever still wants the credential asks again with a new POST /credential"

// showReview is what applicants see of a request; administrators see more.
func showReview(r issuer.Review, requestID string) shownApplication {
	s := showApplication(r.Application)
	s.Message = endings[r.State]
	if r.State == model.ApplicationRejected && r.Reason == "" {
		s.Message = reasonErased
	}
	if r.Operation != nil {
		op := showOperation(*r.Operation, requestID)
		s.OperationID, s.Operation = "", &op
	}
	return s
}

func showForAdmins(r issuer.Review, requestID string) shownApplication {
	s := showReview(r, requestID)
	s.DecidedBy, s.Message = r.DecidedBy, ""
	if !r.Erase.IsZero() {
		s.Erase = instant(r.Erase)
	}
	for _, e := range r.Events {
		s.Events = append(s.Events, shownEvent{instant(e.Time), e.Kind, e.Actor, e.Data})
	}
	return s
}

// submitted answers a request that waits for a person.
func (a *API) submitted(c echo.Context, s issuer.Submitted) error {
	place := requestsPath + string(s.ID)
	shown := showApplication(s.Application)
	shown.Message = endings[s.State] // its key came before, and it has ended since
	if s.Secret != "" {
		shown.Link = place + "?" + url.Values{paramSecret: {s.Secret}}.Encode()
	}
	note(c, slog.String("request", string(s.ID)), slog.String("state", string(s.State)))
	c.Response().Header().Set(echo.HeaderLocation, place)
	return a.writeJSON(c, http.StatusAccepted, shown)
}

// request serves GET /request/{id} to whoever knows its secret, as a parameter or as a bearer token.
func (a *API) request(c echo.Context) error {
	id, secret, err := secretOf(c)
	if err != nil {
		return err
	}
	r, err := a.cfg.Issuer.Followed(c.Request().Context(), id, secret)
	if err != nil {
		return err
	}
	note(c, slog.String("request", string(r.ID)), slog.String("state", string(r.State)))
	return a.writeJSON(c, http.StatusOK, showReview(r, stateOf(c).id))
}

// secretOf reads which request is meant, and its secret, as a parameter or as a bearer token.
func secretOf(c echo.Context) (id model.OperationID, secret string, err error) {
	values, err := query(c, paramSecret)
	if err != nil {
		return "", "", err
	}
	secret = values.Get(paramSecret)
	if header := c.Request().Header.Get(echo.HeaderAuthorization); secret == "" && header != "" {
		if scheme, rest, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
			secret = strings.Trim(rest, " ")
		}
	}
	id, err = model.ParseOperationID(param(c, "id"))
	if err != nil || secret == "" || len(secret) > maxSecret {
		return "", "", fault(model.CodeRequestNotFound)
	}
	return id, secret, nil
}

// withdraw serves DELETE /request/{id} to whoever knows its secret. It has no body.
func (a *API) withdraw(c echo.Context) error {
	id, secret, err := secretOf(c)
	if err != nil {
		return err
	}
	body, err := a.optionalBody(c)
	if err == nil {
		err = model.ParseEmpty(body)
	}
	if err != nil {
		return err
	}
	r, err := a.cfg.Issuer.Withdraw(c.Request().Context(), id, secret, issuer.Ask{RequestID: stateOf(c).id})
	if err != nil {
		return err
	}
	note(c, slog.String("request", string(r.ID)), slog.String("state", string(r.State)))
	return a.writeJSON(c, http.StatusOK, showReview(r, stateOf(c).id))
}

// page reads after and limit.
func page(values url.Values, first, most int) (limit int, err error) {
	limit = first
	if values.Has("limit") {
		if limit, err = strconv.Atoi(values.Get("limit")); err != nil || limit < 1 || limit > most {
			return 0, model.BadRequest("limit", fmt.Sprintf("must be a number from 1 to %d", most))
		}
	}
	return limit, nil
}

// applications serves GET /admin/request: no documents, oldest first.
func (a *API) applications(c echo.Context) error {
	values, err := query(c, "state", "after", "limit")
	if err != nil {
		return err
	}
	state := model.ApplicationState(values.Get("state"))
	if values.Has("state") && !validState(state) {
		return model.BadRequest("state", "must be "+oneOf(model.ApplicationStates()))
	}
	var after model.OperationID
	if values.Has("after") {
		if after, err = model.ParseOperationID(values.Get("after")); err != nil {
			return model.BadRequest("after", err.Error())
		}
	}
	limit, err := page(values, defaultPage, maxPage)
	if err != nil {
		return err
	}
	found, err := a.cfg.Issuer.Applications(c.Request().Context(), state, after, limit)
	if err != nil {
		return err
	}
	shown := struct {
		Requests []shownApplication `json:"requests"`
		Next     model.OperationID  `json:"next,omitempty"` // what to give as after for the next page
	}{Requests: []shownApplication{}}
	for _, f := range found {
		s := showApplication(f)
		s.DecidedBy = f.DecidedBy
		shown.Requests = append(shown.Requests, s)
	}
	if len(found) == limit {
		shown.Next = found[limit-1].ID
	}
	note(c, slog.Int("requests", len(found)))
	return a.writeJSON(c, http.StatusOK, shown)
}

func oneOf(states []model.ApplicationState) string {
	var all []string
	for _, s := range states {
		all = append(all, string(s))
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

func validState(s model.ApplicationState) bool {
	for _, known := range model.ApplicationStates() {
		if s == known {
			return true
		}
	}
	return false
}

func applicationID(c echo.Context) (model.OperationID, error) {
	id, err := model.ParseOperationID(param(c, "id"))
	if err != nil {
		return "", fault(model.CodeRequestNotFound) // nothing has such an id
	}
	note(c, slog.String("request", string(id)))
	return id, nil
}

// application serves GET /admin/request/{id}: with its documents and its history.
func (a *API) application(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	id, err := applicationID(c)
	if err != nil {
		return err
	}
	r, err := a.cfg.Issuer.Application(c.Request().Context(), id)
	if err != nil {
		return err
	}
	s := showForAdmins(r, stateOf(c).id)
	documents := r.Documents
	if documents == nil {
		documents = json.RawMessage("null")
	}
	s.Documents = &documents
	return a.writeJSON(c, http.StatusOK, s)
}

// approve serves POST /admin/request/{id}/approve. Its body, if any, is an empty object.
func (a *API) approve(c echo.Context) error {
	id, body, err := a.decision(c)
	if err != nil {
		return err
	}
	if err := model.ParseEmpty(body); err != nil {
		return err
	}
	p := preferences(c.Request().Header, a.cfg.WaitLimit)
	r, err := a.cfg.Issuer.Approve(c.Request().Context(), id, issuer.Ask{Wait: p.limit(), Actor: actor(c), RequestID: stateOf(c).id})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if r.Operation != nil && !r.Operation.State.Final() {
		status = http.StatusAccepted
		retryAfter(c.Response().Header(), pollAfter)
		if applied := p.applied(); applied != "" {
			c.Response().Header().Set(headerPreferenceApplied, applied)
		}
	}
	if r.Operation != nil {
		c.Response().Header().Set(echo.HeaderLocation, operationsPath+string(r.Operation.ID))
	}
	return a.writeJSON(c, status, showForAdmins(r, stateOf(c).id))
}

// reject serves POST /admin/request/{id}/reject {reason}.
func (a *API) reject(c echo.Context) error {
	id, body, err := a.decision(c)
	if err != nil {
		return err
	}
	reason, err := model.ParseReason(body)
	if err != nil {
		return err
	}
	r, err := a.cfg.Issuer.Reject(c.Request().Context(), id, reason, issuer.Ask{Actor: actor(c), RequestID: stateOf(c).id})
	if err != nil {
		return err
	}
	return a.writeJSON(c, http.StatusOK, showForAdmins(r, stateOf(c).id))
}

func (a *API) decision(c echo.Context) (model.OperationID, []byte, error) {
	if err := parameters(c); err != nil {
		return "", nil, err
	}
	id, err := applicationID(c)
	if err != nil {
		return "", nil, err
	}
	body, err := a.optionalBody(c)
	return id, body, err
}

// optionalBody reads the body of a call that needs none; nil where there is none.
func (a *API) optionalBody(c echo.Context) ([]byte, error) {
	if c.Request().ContentLength != 0 {
		return a.readBody(c)
	}
	endReading(c)
	return nil, nil
}
