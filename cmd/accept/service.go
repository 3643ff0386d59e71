package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

const (
	// answerBytes bounds one answer of the service, and answerTime how long it may take beyond what it was asked to wait.
	answerBytes = 8 << 20
	answerTime  = 30 * time.Second
	// waitAtOnce is how long the service is asked to wait for a result before it answers, in seconds. It is asked again.
	waitAtOnce = 50
)

// Codes of what goes wrong between this program and the service.
const (
	codeServiceUnavailable model.Code = "serviceUnavailable"
	codeNoService          model.Code = "notTheService"
	codeOddChallenge       model.Code = "challengeNotSigned"
)

// service is a running service.
type service struct {
	url    string // without a slash at its end
	client *http.Client
	// pause waits between two questions.
	pause func(context.Context, time.Duration) error
}

func newService(url string) *service {
	return &service{url: url, pause: sleep, client: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment},
		// Documents go to the address that was named and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *service) close() { s.client.CloseIdleConnections() }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answer is what the service says when it says no no.
type answer struct {
	status int
	header http.Header
	body   []byte // JSON
}

// errAnswer is a no of the service, in its own words.
type errAnswer struct {
	status     int
	retryAfter time.Duration
	body       json.RawMessage // all of it

	Code      model.Code `json:"error"`
	Message   string     `json:"error_message"`
	RequestID string     `json:"request_id"`
	Hash      string     `json:"hash"`
}

// errorOf reads the JSON of an error of the service.
func errorOf(status int, body []byte) (*errAnswer, bool) {
	e := &errAnswer{status: status, body: body}
	return e, json.Unmarshal(body, e) == nil && e.Code != ""
}

func (e *errAnswer) Error() string {
	text := fmt.Sprintf("%s (%s", e.Message, e.Code)
	if e.Hash != "" {
		text += ", transaction " + e.Hash
	}
	if e.RequestID != "" {
		text += ", request " + e.RequestID
	}
	text += ")"
	if e.retryAfter > 0 {
		text += fmt.Sprintf(". Ask again in %v", e.retryAfter)
	}
	return text
}

// again says whether the same question may be answered another time.
func again(err error) bool {
	var no *errAnswer
	if errors.As(err, &no) {
		return no.status == http.StatusTooManyRequests || no.status >= http.StatusInternalServerError
	}
	return model.CodeOf(err) == codeServiceUnavailable
}

// ask sends one request. path begins with a slash; wait is how many seconds the service is asked to wait.
func (s *service) ask(ctx context.Context, method, path string, header http.Header, body []byte, wait int) (answer, error) {
	bounded, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second+answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if wait > 0 {
		request.Header.Set("Prefer", "wait="+strconv.Itoa(wait))
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, s.unreachable(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil {
		return answer{}, s.unreachable(ctx, err)
	}
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return answer{}, &model.Error{Code: codeNoService, Message: "what answers at " + s.url + " sends elsewhere: set ISSUER_URL to the service's own address"}
	case response.StatusCode >= 400:
		e, ok := errorOf(response.StatusCode, text)
		if !ok {
			return answer{}, s.stranger(response.StatusCode, text)
		}
		if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); err == nil {
			e.retryAfter = time.Duration(seconds) * time.Second
		}
		return answer{}, e
	case !json.Valid(text):
		return answer{}, s.stranger(response.StatusCode, text)
	}
	return answer{response.StatusCode, response.Header, text}, nil
}

// unreachable says that there was no answer, or half of one.
func (s *service) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	hint := ""
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		hint = ". Is the service running? ISSUER_URL says where another one is"
	}
	return &model.Error{Code: codeServiceUnavailable, Message: fmt.Sprintf("the service at %s does not answer: %v%s", s.url, err, hint), Cause: err}
}

// stranger says that something else than the service has answered.
func (s *service) stranger(status int, text []byte) error {
	if strings.Contains(string(text), "HTTP request to an HTTPS server") { // as Go's server has it
		return &model.Error{Code: codeNoService, Message: "the service at " + s.url + " answers HTTPS: set ISSUER_URL to https://…"}
	}
	code := codeNoService
	if status >= http.StatusInternalServerError { // a proxy, whose service is away
		code = codeServiceUnavailable
	}
	return &model.Error{Code: code, Message: fmt.Sprintf("what answers at %s is not the service (status %d): check ISSUER_URL", s.url, status)}
}
