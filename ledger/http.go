package ledger

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
	"sync"
	"sync/atomic"
	"time"
)

// httpLink reaches a node by JSON-RPC over HTTP. Posted requests go one after another, as nothing else keeps their
// order; a node that is only reached so takes one submission a round trip.
type httpLink struct {
	cfg       Config
	to        *target
	hub       *hub
	pace      *pacer
	client    *http.Client
	transport *http.Transport

	ctx    context.Context // ends with close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	posts  chan *httpPost
	wake   chan struct{} // a watcher came or went
	fault  atomic.Pointer[error]
}

type httpPost struct {
	ctx    context.Context
	cancel context.CancelFunc
	method string
	params json.RawMessage
	done   func(json.RawMessage, error)
}

// maxPosts bounds the requests that wait to be sent behind each other.
const maxPosts = 4096

func newHTTPLink(cfg Config, to *target, h *hub, pace *pacer) *httpLink {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        cfg.MaxConns,
		MaxIdleConns:           cfg.MaxConns,
		MaxIdleConnsPerHost:    cfg.MaxConns, // the default of 2 opens and closes a connection for most requests
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    cfg.DialTimeout,
		ResponseHeaderTimeout:  cfg.CallTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // an answer's size is bounded as it is read; a compressed one would grow after that
	}
	l := &httpLink{
		cfg:       cfg,
		to:        to,
		hub:       h,
		pace:      pace,
		transport: transport,
		client:    &http.Client{Transport: transport, CheckRedirect: noRedirect},
		posts:     make(chan *httpPost, maxPosts),
		wake:      make(chan struct{}, 1),
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.wg.Add(2)
	go l.sendPosts()
	go l.poll()
	return l
}

func (l *httpLink) streams() bool { return false }

func (l *httpLink) close() {
	l.cancel(ErrClosed)
	l.wg.Wait()
	for {
		select {
		case p := <-l.posts:
			p.cancel()
			p.done(nil, &ConnectionError{Method: p.method, Cause: ErrClosed})
			continue
		default:
		}
		break
	}
	l.transport.CloseIdleConnections()
}

func (l *httpLink) call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	raw, err := l.exchange(ctx, method, params)
	err = l.to.hide(err)
	l.pace.heard(err)
	return raw, err
}

// exchange is one request and its answer. Its error may hold parts of the node's address.
func (l *httpLink) exchange(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	if l.ctx.Err() != nil {
		return nil, &ConnectionError{Method: method, Cause: ErrClosed}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(ErrClosed) })()

	var body bytes.Buffer
	body.Grow(len(method) + len(params) + 32)
	fmt.Fprintf(&body, `{"method":%q,"params":[`, method)
	body.Write(params)
	body.WriteString(`]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.to.url, &body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, withoutURL(err))
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, connectionError(ctx, method, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, l.cfg.MaxAnswer+1))
	if int64(len(answer)) > l.cfg.MaxAnswer {
		return nil, &AnswerError{Method: method, Reason: fmt.Sprintf("it is longer than %d bytes", l.cfg.MaxAnswer)}
	}
	if err != nil {
		return nil, connectionError(ctx, method, err)
	}
	if isRedirect(resp.StatusCode) {
		return nil, redirected(method, resp.StatusCode, resp.Header)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, httpStatusError(method, resp.StatusCode, answer, parseRetryAfter(resp.Header.Get("Retry-After"), l.cfg.Clock.Now()))
	}
	raw, err := decodeHTTP(method, answer)
	var node *NodeError
	if errors.As(err, &node) && node.Busy() {
		node.RetryAfter = max(node.RetryAfter, parseRetryAfter(resp.Header.Get("Retry-After"), l.cfg.Clock.Now()))
	}
	return raw, err
}

// connectionError tells whether the request can have reached the node: not, when no connection came about.
func connectionError(ctx context.Context, method string, err error) error {
	sent := true
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		sent = false
	}
	err = withoutURL(err)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &ConnectionError{Method: method, Sent: sent, Cause: err}
}

// withoutURL takes the node's address out of an error: it may hold a key.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// maxRetryAfter bounds what a foreign server can make us wait for.
const maxRetryAfter = 30 * time.Second

// parseRetryAfter reads the header (RFC 9110, 10.2.3): seconds, or a date.
func parseRetryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return min(time.Duration(min(n, 3600))*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter)
	}
	return 0
}

func (l *httpLink) post(ctx context.Context, method string, params json.RawMessage, done func(json.RawMessage, error)) func() {
	p := &httpPost{method: method, params: params, done: done}
	p.ctx, p.cancel = context.WithCancel(ctx)
	select {
	case <-l.ctx.Done():
		p.cancel()
		done(nil, &ConnectionError{Method: method, Cause: ErrClosed})
		return func() {}
	default:
	}
	select {
	case l.posts <- p:
	default:
		p.cancel()
		done(nil, &ConnectionError{Method: method, Cause: errors.New("too many requests wait to be sent")})
	}
	return p.cancel
}

func (l *httpLink) sendPosts() {
	defer l.wg.Done()
	for {
		select {
		case <-l.ctx.Done():
			return
		case p := <-l.posts:
			ctx, cancel := context.WithTimeout(p.ctx, l.cfg.CallTimeout)
			raw, err := l.call(ctx, p.method, p.params)
			cancel()
			p.cancel()
			p.done(raw, err)
		}
	}
}

func (l *httpLink) rewatch() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// restart implements link: the next poll counts as failed.
func (l *httpLink) restart(why error) { l.fault.Store(&why) }

// poll asks for the validated ledger while anyone watches, and tells the hub when there is a new one.
func (l *httpLink) poll() {
	defer l.wg.Done()
	up, failures := false, 0
	var last uint32
	lagged := false     // other answers are from newer ledgers
	var heard time.Time // when the node last told its ledger
	for {
		if !l.hub.watched() {
			up, failures, last = false, 0, 0
			select {
			case <-l.wake:
				continue
			case <-l.ctx.Done():
				return
			}
		}
		ctx, cancel := context.WithTimeout(l.ctx, l.cfg.CallTimeout)
		ledger, err := validatedLedger(ctx, askOnce(l.call), l.hub.health)
		if err == nil && up {
			err = checkAhead(ledger.Index, last)
		}
		if fault := l.fault.Swap(nil); fault != nil {
			err = *fault
		}
		cancel()
		wait := l.cfg.PollInterval
		now := l.cfg.Clock.Now()
		if err == nil {
			heard = now
		}
		switch {
		case l.ctx.Err() != nil:
			return
		case up && isBusy(err) && now.Sub(heard) < pollsLimitedFor: // a limit is no reason to begin again
			left, _ := l.pace.left()
			wait = max(wait, left, backoff(failures, l.cfg.MinBackoff, l.cfg.MaxBackoff, l.cfg.Rand))
			failures++
		case err != nil:
			wait = max(wait, backoff(failures, l.cfg.MinBackoff, l.cfg.MaxBackoff, l.cfg.Rand))
			failures++
			if up || failures == 1 {
				l.cfg.Logger.Warn("node does not tell its validated ledger", "error", err)
				up = false
				l.hub.down(err)
			}
		case !up:
			up, failures, last = true, 0, ledger.Index
			l.hub.up(ledger, true)
		default:
			l.hub.up(ledger, false)
			failures = 0
			if ledger.Index != last {
				last = ledger.Index
				l.hub.ledger(ledger, true)
			}
			if lags := l.hub.lags(); lags != lagged {
				if lagged = lags; lags {
					l.cfg.Logger.Warn("the node's validated ledger does not advance; nothing is signed on it", "ledger", ledger.Index, "seen", l.hub.seen.Load())
				}
			}
		}
		timer := l.cfg.Clock.NewTimer(wait)
		select {
		case <-timer.C():
		case <-l.wake:
			timer.Stop()
		case <-l.ctx.Done():
			timer.Stop()
			return
		}
	}
}
