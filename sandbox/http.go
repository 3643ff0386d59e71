package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// maxRequest is the most bytes of one request (Tuning.h, maxRequestSize).
const maxRequest = 1_000_000

// limits bound what callers can make the server hold, and how long. Tests have smaller ones.
type limits struct {
	conns    int   // connections; further ones wait to be accepted
	header   int   // bytes of HTTP headers
	small    int   // bytes up to which a request is a small one
	large    int64 // bytes of other requests that are being read or answered; further ones wait
	handling int64 // requests that are being answered; further ones wait

	headerTime  time.Duration // for the headers of a request to arrive
	requestTime time.Duration // for all of it
	replyTime   time.Duration // for a request to be answered and the answer to be taken
	idleTime    time.Duration // between requests of a connection
	graceTime   time.Duration // for requests to end when the server does

	backlog      int           // bytes that wait to be sent on a WebSocket: with more stream messages than that it is dropped
	backPressure int           // bytes that wait to be sent on a WebSocket before its next request is read
	sendTime     time.Duration // for one message to be taken
	pingEvery    time.Duration
	pongTime     time.Duration
	closeTime    time.Duration // for a client to say goodbye back
}

var standardLimits = limits{
	conns: 1024, header: 16 << 10, small: 64 << 10, large: 4 << 20, handling: 64,
	headerTime: 10 * time.Second, requestTime: 30 * time.Second, replyTime: 60 * time.Second, idleTime: 60 * time.Second,
	graceTime: 5 * time.Second,
	backlog:   16 << 20, backPressure: 1 << 20, sendTime: 30 * time.Second, pingEvery: 60 * time.Second, pongTime: 20 * time.Second,
	closeTime: 2 * time.Second,
}

func (s *Server) newHTTPServer() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: s.lim.headerTime,
		ReadTimeout:       s.lim.requestTime,
		WriteTimeout:      s.lim.replyTime,
		IdleTimeout:       s.lim.idleTime,
		MaxHeaderBytes:    s.lim.header,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnContext:       withLine,
	}
}

// boundedListener accepts so many connections at a time.
type boundedListener struct {
	net.Listener
	room chan struct{}
	done chan struct{}
	once sync.Once
}

func newBoundedListener(l net.Listener, n int) *boundedListener {
	return &boundedListener{Listener: l, room: make(chan struct{}, n), done: make(chan struct{})}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &boundedConn{Conn: c, leave: func() { <-l.room }}, nil
}

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.allowedHost(r) || !allowedOrigin(r) {
		plain(w, http.StatusForbidden, "Forbidden: this ledger is for programs of this machine, not for pages of other sites.")
		return
	}
	if o := r.Header.Get("Origin"); o != "" {
		w.Header().Set("Access-Control-Allow-Origin", o)
		w.Header().Add("Vary", "Origin")
	}
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.WriteHeader(http.StatusNoContent)
	case headerHas(r.Header, "Upgrade", "websocket"):
		s.serveWebSocket(w, r)
	case r.URL.Path == "/accounts":
		s.serveFaucet(w, r)
	case r.Method == http.MethodPost:
		s.serveRPC(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		plain(w, http.StatusMethodNotAllowed, "Send requests as POST.")
	case r.URL.Path == "/":
		s.serveHelp(w)
	default:
		plain(w, http.StatusNotFound, "Nothing here. JSON-RPC and WebSocket are at /, the faucet at /accounts.")
	}
}

func headerHas(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// allowedHost refuses names of other sites that resolve to this machine (DNS rebinding), where the server is for this machine
// alone.
func (s *Server) allowedHost(r *http.Request) bool {
	return !s.loopback || localName(r.Host)
}

// allowedOrigin refuses web pages, but those of this machine or of the host that was asked. Programs send no Origin.
func allowedOrigin(r *http.Request) bool {
	o := r.Header.Get("Origin")
	if o == "" {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && u.Host != "" && (localName(u.Host) || strings.EqualFold(u.Host, r.Host))
}

// localName tells whether a host, with or without port, is this machine by a name that nobody else can give it.
func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	return strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost")
}

func plain(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client has gone; there is nobody to tell
}

func (s *Server) serveHelp(w http.ResponseWriter) {
	l := s.shownNode().Closed()
	plain(w, http.StatusOK, fmt.Sprintf(`This is a stand-alone XRP Ledger. Ledger %d is the last closed one.

JSON-RPC:   curl %s -d '{"method":"server_info"}'
WebSocket:  %s
Faucet:     curl -X POST %s/accounts
`, l.Seq, s.URL(), s.WebSocketURL(), s.URL()))
}

// readBody reads a request of at most maxRequest bytes, and one byte more of a longer one. Once it turns out not to be a small one
// it waits for room: a caller can make the server hold a small request for each connection, and a few large ones in all. done
// gives the room back, and is to be called when the request is answered.
func (s *Server) readBody(ctx context.Context, r io.Reader, most int) (body []byte, done func(), err error) {
	done = func() {}
	buf := make([]byte, 0, 1<<10)
	for {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*cap(buf), most+1))
			copy(grown, buf)
			buf = grown
		}
		if cap(buf) > s.lim.small && len(buf) <= s.lim.small {
			buf = buf[: len(buf) : s.lim.small+1]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF), len(buf) > most:
			return buf, done, nil
		case err != nil:
			done()
			return nil, nil, err
		case len(buf) == s.lim.small+1:
			if err := s.large.Acquire(ctx, int64(most)); err != nil {
				return nil, nil, err
			}
			done = sync.OnceFunc(func() { s.large.Release(int64(most)) })
			grown := make([]byte, len(buf), min(2*len(buf), most+1))
			copy(grown, buf)
			buf = grown
		}
	}
}

// handle waits for its turn to answer a request; done ends it.
func (s *Server) handle(ctx context.Context) (done func(), err error) {
	if err := s.handling.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { s.handling.Release(1) }, nil
}

func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request) {
	body, forget, err := s.readBody(r.Context(), r.Body, maxRequest)
	if err != nil {
		return // it did not arrive
	}
	defer forget()
	var status int
	var reply []byte
	if s.weather != nil {
		var ok bool
		if status, reply, ok = s.weather.answerHTTP(w, r, body); !ok {
			return
		}
	} else {
		done, err := s.handle(r.Context())
		if err != nil {
			return // the client has gone, or the server ends
		}
		status, reply = s.answerHTTP(r.Context(), body)
		done()
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Server", "rippled-json-rpc/rippled-"+buildVersion)
	if len(body) > maxRequest {
		h.Set("Connection", "close")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(reply, '\r', '\n')) // the client has gone; there is nobody to tell
}

// Codes that rippled uses for the requests of a batch that are none (ServerHandler.cpp).
const (
	methodNotFound = -32601
	wrongVersion   = -32606
)

// batchError is nested in itself, as xrpld writes it (makeJsonError).
func batchError(code int, text string) obj { return obj{"error": obj{"code": code, "message": text}} }

// answerHTTP answers a body with a status and a text (ServerHandler::processRequest). The text lacks the line end that HTTPReply
// adds.
func (s *Server) answerHTTP(ctx context.Context, body []byte) (int, []byte) {
	bad := func(text string) (int, []byte) { return http.StatusBadRequest, []byte(text) }
	if len(body) > maxRequest {
		return bad("Unable to parse request: ")
	}
	v, err := rjson.Parse(body)
	if err != nil {
		return bad("Unable to parse request: " + err.Error())
	}
	if !v.Truthy() || !v.IsObject() {
		return bad("Unable to parse request: ")
	}
	if m := v.Get("method"); !m.IsString() || m.AsString() != "batch" {
		reply, refused := s.answerOne(ctx, v, false)
		if refused != "" {
			return bad(refused)
		}
		return replyStatus(reply), append(rjson.Append(nil, reply), '\n')
	}
	if !v.Get("params").IsArray() {
		return bad("Malformed batch request")
	}
	var replies []byte
	replies = append(replies, '[')
	for i, one := range v.Get("params").Elements() {
		var reply obj
		if !one.IsObject() {
			reply = obj{"request": one, "error": batchError(methodNotFound, "Method not found")}
		} else {
			reply, _ = s.answerOne(ctx, one, true)
		}
		if i > 0 {
			replies = append(replies, ',')
		}
		if replies = rjson.Append(replies, reply); len(replies) > maxBatchReply {
			return bad("Malformed batch request")
		}
	}
	return http.StatusOK, append(replies, ']', '\n')
}

// maxBatchReply is the most bytes of the answers to one batch.
const maxBatchReply = 64 << 20

// answerOne answers one request; refused is a text for the whole body instead, which a request of a batch never gets.
func (s *Server) answerOne(ctx context.Context, v *rjson.Value, batch bool) (reply obj, refused string) {
	refuse := func(code int, text string) (obj, string) {
		if !batch {
			return nil, text
		}
		r := obj{}
		v.Members(func(name string, m *rjson.Value) { r[name] = m })
		r["error"] = batchError(code, text)
		return r, ""
	}
	version := apiFirst
	if first := v.Get("params").At(0); first.IsObject() {
		version = apiVersion(first)
	}
	if version == apiFirst && batch {
		version = apiVersion(v)
	}
	if version == apiInvalid {
		if batch {
			return obj{"request": v, "error": batchError(wrongVersion, invalidAPIVersion)}, ""
		}
		return nil, invalidAPIVersion
	}
	m := v.Get("method")
	switch {
	case m.IsNull():
		return refuse(methodNotFound, "Null method")
	case !m.IsString():
		return refuse(methodNotFound, "method is not string")
	case m.AsString() == "":
		return refuse(methodNotFound, "method is empty")
	}
	params := v
	if !batch {
		params = v.Get("params")
		switch {
		case !params.Truthy():
			params = nil
		case !params.IsArray() || params.Len() != 1:
			return refuse(0, "params unparsable")
		default:
			if params = params.At(0); !params.IsObject() && !params.IsNull() {
				return refuse(0, "params unparsable")
			}
		}
	}
	if params.IsNull() {
		params = rjson.NewObject()
	} else {
		params = params.Clone()
	}
	ripplerpc := "1.0"
	if params.Has("ripplerpc") {
		if !params.Get("ripplerpc").IsString() {
			return refuse(methodNotFound, "ripplerpc is not a string")
		}
		ripplerpc = params.Get("ripplerpc").AsString()
	}
	params.Set("command", rjson.NewString(m.AsString()))

	c := &call{ctx: ctx, srv: s, node: s.shownNode(), params: params, version: version}
	result := c.do()
	reply = obj{}
	switch failed := hasError(result); {
	case !failed:
		result["status"] = "success"
		reply["result"] = result
	case ripplerpc >= "2.0":
		result["status"] = "error"
		code := result["error_code"] // null where the error has none
		result["error_code"], result["code"] = code, code
		result["message"] = result["error_message"]
		delete(result, "error_message")
		reply["error"] = result
	default:
		result["status"] = "error"
		result["request"] = masked(params)
		reply["result"] = result
	}
	echo(reply, params, "jsonrpc", "ripplerpc", "id")
	return reply, ""
}

func echo(reply obj, params *rjson.Value, names ...string) {
	for _, n := range names {
		if params.Has(n) {
			reply[n] = params.Get(n)
		}
	}
}

// secretFields are not repeated in an answer.
var secretFields = []string{"passphrase", "secret", "seed", "seed_hex"}

func masked(params *rjson.Value) *rjson.Value {
	m := params
	for _, n := range secretFields {
		if params.Has(n) {
			if m == params {
				m = params.Clone()
			}
			m.Set(n, rjson.NewString("<masked>"))
		}
	}
	return m
}

// replyStatus is the HTTP status of an answer: 200, but the error's own for a request with ripplerpc 3.0.
func replyStatus(reply obj) int {
	v, _ := reply["ripplerpc"].(*rjson.Value)
	if !v.IsString() || v.AsString() < "3.0" {
		return http.StatusOK
	}
	e, _ := reply["error"].(obj)
	if code, ok := e["error_code"].(int); ok {
		if i, ok := errorInfos[errorCode(code)]; ok {
			return i.status
		}
	}
	return http.StatusOK
}
