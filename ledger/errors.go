package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/xrplissuer/credential-issuer/model"
)

// NodeError is a node's own refusal of a request: it was reached, and said no.
type NodeError struct {
	// Method is what was asked, such as "account_info".
	Method string
	// Code is rippled's token, such as "actNotFound"; "slowDown" too where a proxy in front of it answered 429 or 503.
	Code string
	// Number is the same as a number (rippled: error_code_i); 0 where the node gave none.
	Number int
	// Message is the node's text, made harmless for a terminal and cut.
	Message string
	// SearchedAll is set in answers to `tx` that did not find the transaction between min_ledger and max_ledger: true
	// proves that it stands in none of them, false says that the node does not hold them all.
	SearchedAll *bool
	// RetryAfter is how long the node asked to be left alone; 0 where it did not say.
	RetryAfter time.Duration
}

func (e *NodeError) Error() string {
	s := fmt.Sprintf("node refuses %s: %s", e.Method, e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Busy says whether the node asks to be left alone for a while; the same request may work later.
func (e *NodeError) Busy() bool { return e.Code == codeSlowDown || e.Code == codeTooBusy }

// isBusy says whether an error is a node's wish to be left alone.
func isBusy(err error) bool {
	var node *NodeError
	return errors.As(err, &node) && node.Busy()
}

// Behind says whether the node does not follow its network at the moment, so that it cannot answer.
func (e *NodeError) Behind() bool {
	switch e.Code {
	case "noNetwork", "noCurrent", "noClosed", "notSynced", "notReady", "failedToForward", "lgrNotFound", "lgrNotValidated":
		return true
	}
	return false
}

// withheld says that this server does not offer the request, or not to us; others may.
func (e *NodeError) withheld() bool {
	switch e.Code {
	case "unknownCmd", "noPermission", "forbidden", "notSupported", "notImpl":
		return true
	}
	return false
}

// AnswerError is an answer that cannot be one: no JSON, empty, too big, for another request, or without a field that
// it must have. Nothing of it was used.
type AnswerError struct {
	Method string
	Reason string
	Cause  error
}

func (e *AnswerError) Error() string {
	s := fmt.Sprintf("node's answer to %s makes no sense: %s", e.Method, e.Reason)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *AnswerError) Unwrap() error { return e.Cause }

// ConnectionError is a request that got no answer, because there was no connection or it was lost.
type ConnectionError struct {
	Method string
	// Sent says that the request may have reached the node. Where it was a submission, its outcome is unknown: the
	// node may have taken the transaction.
	Sent  bool
	Cause error
}

func (e *ConnectionError) Error() string {
	s := "no connection to the node for " + e.Method
	if e.Sent {
		s = "connection lost before the node answered " + e.Method + "; whether it took the request is not known"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Cause }

// ErrClosed is the cause of errors from a [Client] or a [Lane] that was closed.
var ErrClosed = errors.New("closed")

// retryAfter is what callers are told to wait when the ledger is out of reach: about one close of a public network.
const retryAfter = 4 * time.Second

// blockedRetryAfter is the same for an amendment-blocked node, which takes an operator.
const blockedRetryAfter = time.Minute

// unavailable is what callers get when no node answers, or none that can be used. An error that is a [model.Error]
// already stays what it is.
func unavailable(doing string, err error) error {
	var known *model.Error
	if errors.As(err, &known) {
		return err
	}
	e := &model.Error{
		Code:       model.CodeLedgerUnavailable,
		Message:    "the XRP Ledger node does not answer at the moment; try again shortly",
		Cause:      fmt.Errorf("%s: %w", doing, err),
		RetryAfter: retryAfter,
	}
	var node *NodeError
	var answer *AnswerError
	var unproven *UnprovenError
	var stale *StaleError
	switch {
	case errors.As(err, &unproven):
		e.Message = "the XRP Ledger node shows a ledger that is not proven; try again shortly"
	case errors.As(err, &node) && node.Busy():
		e.Message = "the XRP Ledger node is too busy at the moment; try again shortly"
		e.RetryAfter = max(e.RetryAfter, node.RetryAfter)
	case AmendmentBlocked(err):
		e.Message = "the XRP Ledger node is amendment blocked, and follows its network no more: its operator must upgrade it or configure another node"
		e.RetryAfter = blockedRetryAfter
	case errors.As(err, &stale):
		e.Message = "the XRP Ledger node is behind its network: " + stale.Error()
	case errors.As(err, &node) && node.Code == "notSynced":
		e.Message = "the XRP Ledger node is behind its network, and not in sync with it: try again shortly"
	case errors.As(err, &node) && node.Behind():
		e.Message = "the XRP Ledger node is behind its network; try again shortly"
	case errors.As(err, &node):
		e.Message = "the XRP Ledger node refuses the request; the log says why"
	case errors.As(err, &answer):
		e.Message = "the XRP Ledger node answers with something that is not an answer; the log says what"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "the XRP Ledger node did not answer in time; try again shortly"
	}
	return e
}

// httpStatusError makes an error of an HTTP status that is not 200. Bodies of such answers are plain text or pages of
// proxies: a short, harmless piece is kept for the log.
func httpStatusError(method string, status int, body []byte, after time.Duration) error {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		return &NodeError{Method: method, Code: codeSlowDown, Message: fmt.Sprintf("HTTP %d: %s", status, excerpt(body)), RetryAfter: after}
	}
	if _, err := decodeHTTP(method, body); err != nil { // a gateway's error object, with whatever status
		var node *NodeError
		if errors.As(err, &node) && node.Busy() {
			node.RetryAfter = max(node.RetryAfter, after)
			return node
		}
	}
	return &AnswerError{Method: method, Reason: fmt.Sprintf("HTTP status %d: %s", status, excerpt(body))}
}

// maxExcerpt is how many bytes of a foreign text go into an error.
const maxExcerpt = 200

// excerpt makes foreign bytes fit for a log line.
func excerpt(b []byte) string {
	out := make([]byte, 0, min(len(b), maxExcerpt))
	for _, c := range b {
		if len(out) == maxExcerpt {
			return string(out) + "..."
		}
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			out = append(out, ' ')
		case c < 0x20 || c > 0x7E:
			out = append(out, '?')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
