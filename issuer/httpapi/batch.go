package httpapi

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xrplissuer/credential-issuer/issuer"
	"github.com/xrplissuer/credential-issuer/model"
)

// Bounds of a batch's body. [issuer.MaxBatchRows] bounds its rows.
const (
	MaxBatchBytes    = 512 << 20
	MaxBatchRowBytes = 64 << 10
	// defaultFailures and maxFailures are how many failed rows one answer shows.
	defaultFailures, maxFailures = 100, 1000
)

const (
	batchesPath = "/admin/batch/"
	typeNDJSON  = "application/x-ndjson"
	typeCSV     = "text/csv"
)

// shownBatch is a batch as callers see it.
type shownBatch struct {
	ID    model.OperationID `json:"id"`
	State model.BatchState  `json:"state"`
	// Finished: all rows are there, and each has its end.
	Finished bool  `json:"finished"`
	Rows     int64 `json:"rows"`
	// Counts are the rows by what became of them: the states of operations, and "rejected" for those that never became
	// one.
	Counts  map[string]int64 `json:"counts"`
	Created string           `json:"created"`
	Updated string           `json:"updated"`
	// Cancelled is when what was left was dropped; left out where nothing was. Dropped is how many rows that was this time.
	Cancelled string         `json:"cancelled,omitempty"`
	Dropped   *int64         `json:"dropped,omitempty"`
	Failures  []shownFailure `json:"failures,omitempty"`
	// Next is what to give as after for the next page of failures; left out where this is the last one.
	Next int64 `json:"next,omitempty"`
}

// shownFailure is a row that came to nothing.
type shownFailure struct {
	Row        int64             `json:"row"`
	Operation  model.OperationID `json:"operation,omitempty"`
	Subject    model.Address     `json:"subject,omitempty"`
	Credential string            `json:"credential,omitempty"`
	Hash       string            `json:"hash,omitempty"`
	Error      model.Code        `json:"error"`
	Message    string            `json:"error_message"`
}

func showBatch(b model.BatchStatus) shownBatch {
	s := shownBatch{ID: b.ID, State: b.State, Finished: b.Finished(), Rows: b.Rows, Created: instant(b.Created), Updated: instant(b.Updated),
		Counts: map[string]int64{"rejected": b.Rejected}}
	for _, state := range model.States() {
		s.Counts[string(state)] = b.Counts[state]
	}
	if !b.Cancelled.IsZero() {
		s.Cancelled = instant(b.Cancelled)
	}
	return s
}

// issueBatch serves POST /admin/credential/batch. Rows go into the store while they arrive, a few hundred at a time.
func (a *API) issueBatch(c echo.Context) error {
	values, err := query(c, "batch")
	if err != nil {
		return err
	}
	ask := issuer.BatchAsk{Actor: actor(c), RequestID: stateOf(c).id}
	if values.Has("batch") {
		if ask.Batch, err = model.ParseOperationID(values.Get("batch")); err != nil {
			return model.BadRequest("batch", err.Error())
		}
	}
	r := c.Request()
	format, err := batchType(r.Header)
	if err != nil {
		return err
	}
	// The rows are not part of what is compared when the key comes again: they are not all there yet.
	if ask.Key, err = idempotencyKey(c, func() []byte { return []byte(format) }); err != nil {
		return err
	}
	if ask.Key != nil && ask.Batch != "" {
		return model.BadRequest(headerIdempotencyKey, "must not be given together with the parameter batch: either one says which batch it is")
	}
	if r.ContentLength > MaxBatchBytes {
		return tooLargeBatch()
	}
	body := &slowReader{r: http.MaxBytesReader(c.Response(), r.Body, MaxBatchBytes), control: http.NewResponseController(c.Response()),
		most: a.cfg.BodyTime, left: a.cfg.BodyTime}
	rows := ndjsonRows(body)
	if format == typeCSV {
		if rows, err = csvRows(body); err != nil {
			return bodyFault(err, "")
		}
	}
	var batch model.OperationID
	status, err := a.cfg.Issuer.Receive(r.Context(), ask, rows, func(b model.Batch) {
		batch = b.ID
		note(c, slog.String("batch", string(batch)))
		c.Response().Header().Set(echo.HeaderLocation, batchesPath+string(batch))
		if b.Rows > 0 {
			replayed(c.Response().Header())
		}
	})
	if err != nil {
		return bodyFault(err, batch)
	}
	endReading(c)
	note(c, slog.Int64("rows", status.Rows), slog.Int64("rejected", status.Rejected))
	retryAfter(c.Response().Header(), pollAfter)
	return a.writeJSON(c, http.StatusAccepted, showBatch(status))
}

func batchType(h http.Header) (string, error) {
	types, encodings := h.Values(echo.HeaderContentType), h.Values(echo.HeaderContentEncoding)
	refusal := &model.Error{Code: codeUnsupportedMediaType, Message: "a batch must be newline-delimited JSON or CSV, in UTF-8: " +
		"send Content-Type: application/x-ndjson or text/csv, and no Content-Encoding"}
	if len(types) != 1 {
		return "", refusal
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	if err != nil || media != typeNDJSON && media != typeCSV {
		return "", refusal
	}
	for name, value := range parameters {
		switch {
		case name == "charset" && strings.EqualFold(value, "utf-8"):
		case name == "header" && media == typeCSV && strings.EqualFold(value, "present"):
		default:
			return "", refusal
		}
	}
	for _, e := range encodings {
		if !strings.EqualFold(strings.TrimSpace(e), "identity") {
			return "", refusal
		}
	}
	return media, nil
}

func tooLargeBatch() *model.Error {
	return &model.Error{Code: codeBodyTooLarge, Message: fmt.Sprintf("a batch must not have more than %d bytes: send it in parts, each a batch of its own", MaxBatchBytes)}
}

// bodyFault says what is wrong with a body that could not be read to its end, and how to go on where rows of it are stored.
func bodyFault(err error, batch model.OperationID) error {
	var tooLarge *http.MaxBytesError
	var e *model.Error
	switch {
	case errors.As(err, &tooLarge):
		e = tooLargeBatch()
	case errors.Is(err, os.ErrDeadlineExceeded):
		e = &model.Error{Code: codeRequestTimeout, Message: "the rows did not arrive in time"}
	case errors.As(err, &e):
		switch e.Code {
		case model.CodeInternal, model.CodeKeyReused, model.CodeBatchNotFound, model.CodeWrongState: // sending it again does not help
			return err
		}
		copied := *e
		e = &copied
	default:
		e = model.BadRequest("the body", "must arrive whole; it broke off")
	}
	e.Cause = err
	if batch != "" {
		if e.Message == "" {
			e.Message = outcomes[e.Code].message
		}
		e.Message += fmt.Sprintf("; rows that are stored are worked on (%s%s), and sending all rows again to /admin/credential/batch?batch=%s goes on behind them",
			batchesPath, batch, batch)
	}
	return e
}

// slowReader gives the client a time for a long body that grows with what has arrived: it may pause for as long as any
// other body may take, and is then owed nothing until it has sent [leastRate] for each second of that.
type slowReader struct {
	r       io.Reader
	control *http.ResponseController
	most    time.Duration
	left    time.Duration
}

// leastRate is how much of a long body must arrive, in bytes a second.
const leastRate = 1 << 10

func (s *slowReader) Read(p []byte) (int, error) {
	began := time.Now()
	_ = s.control.SetReadDeadline(began.Add(s.left)) // not every writer has one
	n, err := s.r.Read(p)
	s.left = min(s.left-time.Since(began)+time.Duration(n)*time.Second/leastRate, s.most)
	return n, err
}

// batchID reads which batch a path is of. What cannot be an id is that of none.
func batchID(c echo.Context) (model.OperationID, error) {
	id, err := model.ParseOperationID(param(c, "id"))
	if err != nil {
		return "", fault(model.CodeBatchNotFound)
	}
	return id, nil
}

// cancelBatch serves DELETE /admin/batch/{id}.
func (a *API) cancelBatch(c echo.Context) error {
	if err := parameters(c); err != nil {
		return err
	}
	id, err := batchID(c)
	if err != nil {
		return err
	}
	if c.Request().ContentLength == 0 {
		endReading(c)
	}
	dropped, status, err := a.cfg.Issuer.CancelBatch(c.Request().Context(), id, model.AuditEntry{Actor: actor(c), RequestID: stateOf(c).id})
	if err != nil {
		return err
	}
	note(c, slog.String("batch", string(id)), slog.Int64("dropped", dropped))
	shown := showBatch(status)
	shown.Dropped = &dropped
	return a.writeJSON(c, http.StatusOK, shown)
}

// batch serves GET /admin/batch/{id}.
func (a *API) batch(c echo.Context) error {
	values, err := query(c, "after", "limit")
	if err != nil {
		return err
	}
	after, limit := int64(0), int64(defaultFailures)
	for _, p := range []struct {
		name        string
		to          *int64
		least, most int64
	}{{"after", &after, 0, 1 << 53}, {"limit", &limit, 1, maxFailures}} {
		if !values.Has(p.name) {
			continue
		}
		n, err := strconv.ParseInt(values.Get(p.name), 10, 64)
		if err != nil || n < p.least || n > p.most {
			return model.BadRequest(p.name, fmt.Sprintf("must be a whole number from %d to %d", p.least, p.most))
		}
		*p.to = n
	}
	id, err := batchID(c)
	if err != nil {
		return err
	}
	status, failed, err := a.cfg.Issuer.Batch(c.Request().Context(), id, after, int(limit)+1)
	if err != nil {
		return err
	}
	shown := showBatch(status)
	if int64(len(failed)) > limit {
		failed = failed[:limit]
		shown.Next = failed[limit-1].Row
	}
	for _, f := range failed {
		s := shownFailure{Row: f.Row, Operation: f.Operation, Subject: f.Subject, Hash: f.Hash}
		if f.Type != "" {
			s.Credential = f.Type.Text()
		}
		if f.Failure != nil {
			s.Error, s.Message = f.Failure.Code, f.Failure.Message
			if s.Message == "" {
				s.Message = outcomes[s.Error].message
			}
		}
		shown.Failures = append(shown.Failures, s)
	}
	if !shown.Finished {
		retryAfter(c.Response().Header(), pollAfter)
	}
	return a.writeJSON(c, http.StatusOK, shown)
}
