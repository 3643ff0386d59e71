package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/model"
)

// wsLink keeps one WebSocket connection to a node. One goroutine, run, owns it: connects, subscribes, sees to it that
// the line is alive, tears it down, and begins again, without end until close. Each connection is a session.
type wsLink struct {
	cfg       Config
	to        *target
	hub       *hub
	pace      *pacer
	transport *http.Transport // of the handshake

	ctx    context.Context // ends with close
	cancel context.CancelCauseFunc
	done   chan struct{}
	wake   chan struct{} // a watcher came or went

	mu      sync.Mutex
	session *session      // nil while there is none
	changed chan struct{} // closed when session changes
	lastErr error         // why there is none

	patience int // looks in a row that must show a silent stream, doubled each time; owned by the goroutine of the session
}

// session is one connection. A request belongs to the session it was sent on, and ends with it.
type session struct {
	conn *websocket.Conn
	hide func(error) error
	pace *pacer
	out  chan *wsRequest
	done chan struct{} // closed when the session is over

	doubts  chan struct{} // receives when the node has refused a request without saying which
	limited chan struct{} // receives when it has refused the subscription past its limit
	fresh   bool          // nothing is subscribed to yet; owned by the goroutine that reads

	subscribed []model.Address // owned by the goroutine that serves
	listening  bool            // to the ledger stream; likewise

	telling  sync.Mutex // guards last, and keeps ledgers in order on their way to the hub
	last     uint32     // the newest ledger that the node has told of
	lastHash string

	unasked  unasked       // owned by the goroutine that reads
	streamed atomic.Uint32 // the newest one of the stream
	news     atomic.Bool   // the stream has told of a newer ledger since the last look

	useful atomic.Bool // it answered a request of a caller, or told of a ledger
	faulty atomic.Bool // what it told of a ledger cannot be true

	mu      sync.Mutex
	pending map[uint64]*wsRequest
	nextID  uint64
	over    error // why it is over
}

type wsRequest struct {
	id     uint64
	method string
	body   []byte
	// The session's mutex guards these: the request was handed to the connection; and a refusal that may be of this one.
	sent  bool
	doubt *NodeError
	done  func(*frame, error)
}

// maxKept bounds the memory that a connection keeps for its next message, in bytes.
const maxKept = 1 << 20

// maxHandshake bounds the headers of the answer to a handshake, in bytes.
const maxHandshake = 64 << 10

// maxOutgoing bounds the requests that wait to be written to a connection.
const maxOutgoing = 1024

func newWSLink(cfg Config, to *target, h *hub, pace *pacer) *wsLink {
	l := &wsLink{
		cfg:     cfg,
		to:      to,
		hub:     h,
		pace:    pace,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:    cfg.DialTimeout,
			MaxResponseHeaderBytes: maxHandshake,
			DisableKeepAlives:      true,
		},
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	go l.run()
	return l
}

func (l *wsLink) streams() bool { return true }

func (l *wsLink) close() {
	l.cancel(ErrClosed)
	<-l.done
	l.transport.CloseIdleConnections()
}

func (l *wsLink) rewatch() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// restart implements link. The session counts as useless, so that each next attempt comes later.
func (l *wsLink) restart(error) {
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	if s != nil {
		s.faulty.Store(true)
		_ = s.conn.CloseNow() // the reader then ends the session
	}
}

func (l *wsLink) run() {
	defer close(l.done)
	defer l.setSession(nil, ErrClosed)
	failures := 0
	for {
		began := l.cfg.Clock.Now()
		connected, useful, err := l.connect()
		if l.ctx.Err() != nil {
			return
		}
		var flood *floodError
		if !errors.As(err, &flood) && useful || connected && l.cfg.Clock.Now().Sub(began) > l.cfg.MaxBackoff {
			failures = 0 // the next attempt need not wait for what went wrong before that
		}
		wait := backoff(failures, l.cfg.MinBackoff, l.cfg.MaxBackoff, l.cfg.Rand)
		failures++
		var node *NodeError
		if errors.As(err, &node) {
			wait = max(wait, node.RetryAfter)
		}
		var silent *silentError
		switch {
		case errors.As(err, &silent):
			l.hub.silences.Add(1)
			l.cfg.Logger.Warn("the node's streams are silent; subscribing over a new connection", "streamed", silent.streamed, "validated", silent.validated)
			l.hub.down(err)
		case connected || failures == 1:
			l.cfg.Logger.Warn("no connection to the node", "error", err, "retry_in", wait)
			l.hub.down(err)
		}
		timer := l.cfg.Clock.NewTimer(wait)
		select {
		case <-timer.C():
		case <-l.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// connect dials and serves one session until it is over. connected says whether it came about, and useful whether the node
// did more in it than to take it: one that lets go of each at once must be left alone for longer and longer.
func (l *wsLink) connect() (connected, useful bool, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.DialTimeout)
	conn, resp, err := websocket.Dial(ctx, l.to.url, &websocket.DialOptions{CompressionMode: websocket.CompressionDisabled,
		HTTPClient: &http.Client{Transport: l.transport, CheckRedirect: noRedirect}})
	cancel()
	if err != nil {
		err = l.to.hide(l.handshakeError(resp, err))
		l.pace.heard(err)
		l.setSession(nil, err)
		return false, false, err
	}
	conn.SetReadLimit(l.cfg.MaxAnswer)
	s := &session{conn: conn, hide: l.to.hide, pace: l.pace, doubts: make(chan struct{}, 1), limited: make(chan struct{}, 1), fresh: true, out: make(chan *wsRequest, maxOutgoing), done: make(chan struct{}), pending: map[uint64]*wsRequest{}}
	err = l.serve(s)
	return true, s.useful.Load() && !s.faulty.Load(), err
}

// handshakeError describes why no WebSocket came about. resp is the server's answer, nil where it gave none.
func (l *wsLink) handshakeError(resp *http.Response, err error) error {
	const method = "the WebSocket handshake"
	switch {
	case resp == nil:
		return withoutURL(err)
	case isRedirect(resp.StatusCode):
		return redirected(method, resp.StatusCode, resp.Header)
	case resp.StatusCode != http.StatusSwitchingProtocols:
		body, _ := io.ReadAll(resp.Body) // 1 KiB at most, in memory already
		err := httpStatusError(method, resp.StatusCode, body, parseRetryAfter(resp.Header.Get("Retry-After"), l.cfg.Clock.Now()))
		if isBusy(err) {
			return err
		}
		return fmt.Errorf("the node answers HTTP %d instead of opening a WebSocket", resp.StatusCode)
	}
	return withoutURL(err)
}

// serve runs a session: one goroutine reads, one writes, one pings, one gives up what a refusal may be of, one sees to it that the stream goes on; the first that fails ends all.
func (l *wsLink) serve(s *session) error {
	ctx, cancel := context.WithCancelCause(l.ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, part := range []func(context.Context, *session) error{l.read, l.write, l.ping, l.askDoubted, l.check} {
		wg.Go(func() {
			if err := part(ctx, s); err != nil {
				cancel(err)
			}
		})
	}
	l.setSession(s, nil)
	l.subscribe(ctx, s)
	refusals := 0
	var again <-chan time.Time
	for ctx.Err() == nil {
		select {
		case <-l.wake:
			l.subscribe(ctx, s)
		case <-s.limited:
			left, _ := l.pace.left()
			timer := l.cfg.Clock.NewTimer(max(left, backoff(refusals, l.cfg.MinBackoff, l.cfg.MaxBackoff, l.cfg.Rand)))
			defer timer.Stop() // there are few of them in a session
			refusals++
			again = timer.C()
		case <-again:
			again = nil
			l.subscribe(ctx, s)
		case <-ctx.Done():
		}
	}
	err := l.to.hide(context.Cause(ctx))
	l.setSession(nil, err)
	s.end(err)
	_ = s.conn.CloseNow() // unblocks the reader; the error is that of a connection that is given up anyway
	wg.Wait()
	return err
}

func (l *wsLink) setSession(s *session, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.lastErr = s, why
	close(l.changed)
	l.changed = make(chan struct{})
}

// current waits for a session, no longer than ConnectWait.
func (l *wsLink) current(ctx context.Context, method string) (*session, error) {
	l.mu.Lock()
	s, changed, why := l.session, l.changed, l.lastErr
	l.mu.Unlock()
	if s != nil {
		return s, nil
	}
	timer := l.cfg.Clock.NewTimer(l.cfg.ConnectWait)
	defer timer.Stop()
	for {
		select {
		case <-changed:
		case <-timer.C():
			return nil, &ConnectionError{Method: method, Cause: why}
		case <-ctx.Done():
			if why == nil {
				why = context.Cause(ctx)
			}
			return nil, &ConnectionError{Method: method, Cause: why}
		case <-l.ctx.Done():
			return nil, &ConnectionError{Method: method, Cause: ErrClosed}
		}
		l.mu.Lock()
		s, changed, why = l.session, l.changed, l.lastErr
		l.mu.Unlock()
		if s != nil {
			return s, nil
		}
	}
}

func (l *wsLink) call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	s, err := l.current(ctx, method)
	if err != nil {
		return nil, err
	}
	type reply struct {
		raw json.RawMessage
		err error
	}
	replies := make(chan reply, 1)
	r := s.add(method, params, func(f *frame, err error) {
		raw, err := s.answer(method, f, err)
		replies <- reply{raw, err}
	})
	if r != nil {
		select {
		case s.out <- r:
		case <-s.done:
		case <-ctx.Done():
		}
	}
	select {
	case a := <-replies:
		return a.raw, a.err
	case <-ctx.Done():
		s.drop(r, context.Cause(ctx))
		a := <-replies
		return a.raw, a.err
	}
}

func (l *wsLink) post(ctx context.Context, method string, params json.RawMessage, done func(json.RawMessage, error)) func() {
	l.mu.Lock()
	s, why := l.session, l.lastErr
	l.mu.Unlock()
	if s == nil {
		done(nil, &ConnectionError{Method: method, Cause: why})
		return func() {}
	}
	r := s.add(method, params, func(f *frame, err error) { done(s.answer(method, f, err)) })
	if r == nil {
		return func() {}
	}
	select {
	case s.out <- r:
	case <-s.done: // its end has told done, or will
	case <-ctx.Done():
		s.drop(r, context.Cause(ctx))
	}
	return func() { s.drop(r, context.Canceled) }
}

// add registers a request. nil says that the session is over and done was called.
func (s *session) add(method string, params json.RawMessage, done func(*frame, error)) *wsRequest {
	s.mu.Lock()
	if s.over != nil {
		err := s.over
		s.mu.Unlock()
		done(nil, &ConnectionError{Method: method, Cause: err})
		return nil
	}
	s.nextID++
	r := &wsRequest{id: s.nextID, method: method, done: done}
	s.pending[r.id] = r
	s.mu.Unlock()
	b := make([]byte, 0, len(method)+len(params)+48)
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, r.id, 10)
	b = append(b, `,"command":"`...)
	b = append(b, method...)
	b = append(b, `",`...)
	r.body = append(b, params[1:]...) // params is an object that is never empty: it holds api_version
	return r
}

// answer takes the result out of what came for a caller's request.
func (s *session) answer(method string, f *frame, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	raw, err := f.answer(method)
	if err == nil {
		s.useful.Store(true)
	}
	err = s.hide(err)
	s.pace.heard(err)
	return raw, err
}

// drop gives a request up: its answer, if one comes, is ignored.
func (s *session) drop(r *wsRequest, why error) {
	if r == nil {
		return
	}
	s.mu.Lock()
	_, waiting := s.pending[r.id]
	delete(s.pending, r.id)
	sent := r.sent
	s.mu.Unlock()
	if waiting {
		r.done(nil, &ConnectionError{Method: r.method, Sent: sent, Cause: why})
	}
}

// end fails every request that waits. Requests that come later are refused by add.
func (s *session) end(why error) {
	s.mu.Lock()
	s.over = why
	failed := make(map[*wsRequest]error, len(s.pending))
	for _, r := range s.pending {
		failed[r] = &ConnectionError{Method: r.method, Sent: r.sent, Cause: why}
	}
	s.pending = nil
	s.mu.Unlock()
	close(s.done)
	for r, err := range failed {
		r.done(nil, err)
	}
}

func (l *wsLink) write(ctx context.Context, s *session) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-s.out:
			s.mu.Lock()
			_, wanted := s.pending[r.id]
			r.sent = wanted
			s.mu.Unlock()
			if !wanted {
				continue
			}
			writeCtx, cancel := context.WithTimeout(ctx, l.cfg.CallTimeout)
			err := s.conn.Write(writeCtx, websocket.MessageText, r.body)
			cancel()
			if err != nil {
				return fmt.Errorf("writing to the node: %w", err)
			}
		}
	}
}

func (l *wsLink) ping(ctx context.Context, s *session) error {
	for {
		timer := l.cfg.Clock.NewTimer(l.cfg.PingInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
		pingCtx, cancel := context.WithTimeout(ctx, l.cfg.PingTimeout)
		err := s.conn.Ping(pingCtx)
		cancel()
		if err != nil {
			return fmt.Errorf("the node does not answer a ping: %w", err)
		}
	}
}

func (l *wsLink) read(ctx context.Context, s *session) error {
	var message bytes.Buffer // grows to the longest, so that each is copied once
	for {
		_, r, err := s.conn.Reader(ctx)
		if err == nil {
			message.Reset()
			_, err = message.ReadFrom(r)
		}
		if err != nil {
			return fmt.Errorf("reading from the node: %w", err)
		}
		data := bytes.Clone(message.Bytes())
		if message.Cap() > maxKept {
			message = bytes.Buffer{}
		}
		if err := l.take(s, data); err != nil {
			return err
		}
	}
}

// take reads a message and hands it on. Where it is none of a node's, it may still be a gateway's word of a limit.
func (l *wsLink) take(s *session, data []byte) error {
	f, err := decodeFrame(data)
	if err != nil {
		err = &AnswerError{Method: "a WebSocket message", Reason: "it cannot be read", Cause: err}
	} else {
		err = l.dispatch(s, f)
		if f.Type != "response" && err == nil {
			err = s.unasked.add(l.cfg.Clock.Now(), len(data))
		}
	}
	var flood *floodError
	if err == nil || f.Type != "" || errors.As(err, &flood) {
		return err
	}
	if limit := limitIn(unnamedRequest, data); limit != nil {
		s.refusedOne(limit)
		return nil
	}
	return err
}

// dispatch hands a message to whom it belongs. An error says that the other side does not speak the protocol, so that
// nothing it says can be trusted to be about what was asked.
func (l *wsLink) dispatch(s *session, f *frame) error {
	if string(f.Warning) == loadWarning {
		l.pace.heard(&NodeError{Method: unnamedRequest, Code: codeSlowDown, Message: "the node warns of the load that requests from here are"})
	}
	switch f.Type {
	case "response":
		return s.respond(f)
	case "", "error":
		if e := f.nodeError(unnamedRequest); e != nil && (e.Busy() || f.Type == "") { // a gateway's, which has no types
			return s.respond(f)
		}
	}
	switch f.Type {
	case "ledgerClosed":
		ledger, err := f.ledger()
		if err != nil {
			return &AnswerError{Method: "the ledger stream", Reason: "unusable", Cause: err}
		}
		s.useful.Store(true)
		if ledger.Index > s.streamed.Load() { // one that repeats what it told is as good as silent
			s.streamed.Store(ledger.Index)
			s.news.Store(true)
		}
		if _, err := l.tell(s, ledger, false); err != nil {
			return err
		}
	case "transaction":
		if f.Validated {
			l.hub.transaction(f.transaction())
		}
	case "":
		return &AnswerError{Method: "a WebSocket message", Reason: "it has no type"}
	case "error":
		return &AnswerError{Method: "a WebSocket message", Reason: "the node could not read what it was sent: " + excerpt(bytes.Trim(f.Error, "\""))}
	}
	return nil // other streams were not asked for, and do no harm
}

// respond hands an answer to the request that it is about. A refusal past a limit that names no request is about one of
// those that are not answered yet; any other answer without one shows that the other side does not speak the protocol.
func (s *session) respond(f *frame) error {
	id, err := strconv.ParseUint(string(f.ID), 10, 64)
	s.mu.Lock()
	r, waiting := s.pending[id]
	delete(s.pending, id)
	asked := err == nil && id > 0 && id <= s.nextID
	s.mu.Unlock()
	if waiting {
		r.done(f, nil)
		return nil
	}
	if asked { // it is late: whoever asked has gone
		return s.unasked.add(s.pace.clock.Now(), len(f.Result))
	}
	if e := f.nodeError(unnamedRequest); e != nil && e.Busy() {
		s.refusedOne(e)
		return nil
	}
	return &AnswerError{Method: unnamedRequest, Reason: "it answers what was never asked, id " + excerpt(f.ID)}
}

// refusedOne takes in that the node has refused a request without saying which: it is one of those that were sent. The
// others are answered soon.
func (s *session) refusedOne(e *NodeError) {
	if clean, is := s.hide(e).(*NodeError); is {
		e = clean
	}
	s.pace.heard(e)
	s.mu.Lock()
	for _, r := range s.pending {
		if r.sent && r.doubt == nil {
			r.doubt = e
		}
	}
	s.mu.Unlock()
	select {
	case s.doubts <- struct{}{}:
	default:
	}
}

// askDoubted gives up what is not answered a moment after a refusal that may be of it. Its caller asks again; of a
// submission nobody knows whether the node has taken it.
func (l *wsLink) askDoubted(ctx context.Context, s *session) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.doubts:
		}
		timer := l.cfg.Clock.NewTimer(2 * l.cfg.MinBackoff)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
		s.giveUpDoubted()
	}
}

func (s *session) giveUpDoubted() {
	var doubted []*wsRequest
	s.mu.Lock()
	for id, r := range s.pending {
		if r.doubt != nil {
			doubted = append(doubted, r)
			delete(s.pending, id)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(doubted, func(a, b *wsRequest) int { return cmp.Compare(a.id, b.id) })
	for _, r := range doubted {
		e := *r.doubt
		e.Method = r.method
		if r.method == methodSubmit {
			r.done(nil, &ConnectionError{Method: r.method, Sent: true, Cause: &e})
		} else {
			r.done(nil, &e)
		}
	}
}

// unsubscribe tells the node what is watched no more. Whether it listens does not matter: what nobody watches is dropped.
func (l *wsLink) unsubscribe(s *session, accounts []model.Address, watched bool) {
	params := map[string]any{}
	gone := slices.DeleteFunc(slices.Clone(s.subscribed), func(a model.Address) bool { return slices.Contains(accounts, a) })
	if len(gone) > 0 {
		params["accounts"] = gone
	}
	if s.listening && !watched {
		params["streams"] = []string{"ledger"}
	}
	if len(params) == 0 {
		return
	}
	body, err := encodeParams(params)
	if err != nil { // strings cannot fail to encode
		return
	}
	if r := s.add("unsubscribe", body, func(*frame, error) {}); r != nil {
		select {
		case s.out <- r:
		case <-s.done:
		default:
			s.drop(r, context.Canceled)
		}
	}
}

// subscribe asks for the ledger stream and all watched accounts. The node takes a repeated subscription as it takes
// the first. Where it refuses or says nothing, the session is no use and ends.
func (l *wsLink) subscribe(ctx context.Context, s *session) {
	accounts, watched := l.hub.accounts(), l.hub.watched()
	l.unsubscribe(s, accounts, watched)
	s.subscribed, s.listening = accounts, watched
	if !watched {
		return
	}
	params := map[string]any{"streams": []string{"ledger"}}
	if len(accounts) > 0 {
		params["accounts"] = accounts
	}
	body, err := encodeParams(params)
	if err != nil { // strings cannot fail to encode
		l.cfg.Logger.Error("cannot subscribe", "error", err)
		return
	}
	answered := make(chan struct{})
	r := s.add("subscribe", body, func(f *frame, err error) {
		close(answered)
		if err == nil {
			err = s.hide(l.subscribed(s, f))
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case isBusy(err): // it is asked for again over the same line
			l.pace.heard(err)
			select {
			case s.limited <- struct{}{}:
			default:
			}
		default:
			l.cfg.Logger.Warn("node does not take the subscription", "error", err)
			_ = s.conn.CloseNow() // the reader then ends the session
		}
	})
	if r == nil {
		return
	}
	limit := l.cfg.Clock.NewTimer(l.cfg.CallTimeout)
	defer limit.Stop()
	select {
	case s.out <- r:
	case <-ctx.Done():
		return
	}
	select {
	case <-answered:
	case <-ctx.Done():
	case <-limit.C():
		s.drop(r, errors.New("no answer in time"))
	}
}

// tell hands a ledger to the hub where it is newer than the last one. polled says that the node was asked for it.
func (l *wsLink) tell(s *session, ledger model.Ledger, polled bool) (newer bool, err error) {
	s.telling.Lock()
	defer s.telling.Unlock()
	if err := checkAhead(ledger.Index, s.last); err != nil {
		return false, err
	}
	if ledger.Index <= s.last {
		if !polled && l.hub.gate != nil && ledger.Hash != s.lastHash { // the proof decides what a contradiction is
			l.hub.ledger(ledger, polled)
		}
		return false, nil
	}
	s.last, s.lastHash = ledger.Index, ledger.Hash
	l.hub.ledger(ledger, polled)
	return true, nil
}

// silentError ends a session whose stream tells of no ledger while the node goes on.
type silentError struct{ streamed, validated uint32 }

func (e *silentError) Error() string {
	return fmt.Sprintf("the node has validated ledger %d, and its stream ends with ledger %d", e.validated, e.streamed)
}

// Looks at a silent stream before its session ends. Watchers get ledgers from the looks meanwhile, so that a node with a
// stream that stays silent is connected to less and less often.
const (
	leastPatience = 2
	mostPatience  = 16
)

// check asks for the validated ledger when the stream has told of none for [Config.StreamCheck], and tells watchers of it. A
// node that goes on while its stream does not is subscribed to over a new connection.
func (l *wsLink) check(ctx context.Context, s *session) error {
	l.patience = max(l.patience, leastPatience)
	for silent := 0; ; {
		if !sleep(ctx, l.cfg.Clock, l.cfg.StreamCheck) {
			return nil
		}
		switch {
		case s.news.Swap(false) && !l.hub.lags():
			silent, l.patience = 0, leastPatience
			continue
		case !l.hub.watched():
			silent = 0
			continue
		}
		if left, _ := l.pace.left(); left > 0 {
			continue // the next look is soon enough
		}
		asking, cancel := context.WithTimeout(ctx, l.cfg.CallTimeout)
		ledger, err := validatedLedger(asking, askOnce(l.call), l.hub.health)
		cancel()
		var lost *ConnectionError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &lost):
			return fmt.Errorf("the ledger stream is silent: %w", err)
		case err != nil: // busy, or it does not say; the lane signs nothing meanwhile
			l.cfg.Logger.Debug("the node does not tell its validated ledger", "error", err)
			continue
		}
		newer, err := l.tell(s, ledger, true)
		if err != nil {
			return err
		}
		l.hub.seen.Store(ledger.Index)
		if !newer {
			silent = 0 // the node does not go on either
			if ledger.Index == l.hub.told.Load() {
				l.hub.confirm()
			}
			continue
		}
		if silent++; silent >= l.patience {
			l.patience = min(2*l.patience, mostPatience)
			return &silentError{s.streamed.Load(), ledger.Index}
		}
	}
}

// subscribed runs on the reader's goroutine, so that watchers hear EventUp before all that was subscribed to.
func (l *wsLink) subscribed(s *session, f *frame) error {
	raw, err := f.answer("subscribe")
	if err != nil {
		return err
	}
	var state frame
	if err := state.decode(raw); err != nil {
		return &AnswerError{Method: "subscribe", Reason: "unusable", Cause: err}
	}
	ledger, err := state.ledger()
	if err != nil {
		return &AnswerError{Method: "subscribe", Reason: "unusable", Cause: err}
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	s.last, s.lastHash = ledger.Index, ledger.Hash
	s.streamed.Store(ledger.Index)
	l.hub.up(ledger, s.fresh)
	s.fresh = false
	return nil
}
