package sandbox

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// maxMessage is the most bytes of a WebSocket message. A longer one ends the connection; one longer than a request is told that it
// is none.
const maxMessage = 2 * maxRequest

// tooSlow is what rippled tells a client that does not read what it subscribed to.
const tooSlow = "Policy error: client is too slow."

// wsConn is a WebSocket connection. Four goroutines serve it: one reads and answers requests, one sends, one sees that the client
// is still there, one closes it in the end. The reader is the HTTP handler's, and waits for the others.
type wsConn struct {
	ws   *websocket.Conn
	lim  *limits
	line *line // nil without weather

	mu     sync.Mutex
	queue  [][]byte
	size   int // bytes of queue
	closed bool
	slow   bool          // it does not read
	tooBig bool          // it sent a message past maxMessage
	wake   chan struct{} // there is something to send
	room   chan struct{} // there is room to answer into
}

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	s.conns.Add(1)
	defer s.conns.Done()
	if s.weather != nil && !s.weather.handshake(w) {
		return
	}
	// serveHTTP has judged the origin.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(-1) // readRequests bounds messages
	c := &wsConn{ws: ws, lim: &s.lim, line: lineOf(r), wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	// The end of ctx is when the connection is to be closed. The end of wire cuts it off, without a goodbye: coder/websocket does
	// so when the context of a Read or a Write ends.
	ctx, cancel := context.WithCancel(s.ctx)
	wire, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	var others sync.WaitGroup
	others.Go(func() {
		defer cancel()
		c.send(ctx, wire)
	})
	others.Go(func() {
		defer cancel()
		c.keepAlive(ctx, wire)
	})
	others.Go(func() {
		<-ctx.Done()
		late := time.AfterFunc(c.lim.closeTime, func() {
			cutOff()
			// Closing, coder/websocket waits for the rest of a message that has begun, under no context.
			if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
				_ = conn.SetDeadline(time.Unix(1, 0))
			}
		})
		defer late.Stop()
		c.close(s.ctx.Err() != nil)
	})
	s.readRequests(ctx, wire, cutOff, c)
	s.hub.forget(c)
	cancel()
	others.Wait()
}

// close says goodbye, and waits for the other side's. It ends the reading too.
func (c *wsConn) close(shutdown bool) {
	c.mu.Lock()
	code, reason := websocket.StatusNormalClosure, ""
	switch {
	case c.slow:
		code, reason = websocket.StatusPolicyViolation, tooSlow
	case c.tooBig:
		code, reason = websocket.StatusMessageTooBig, "a message has at most "+strconv.Itoa(maxMessage)+" bytes"
	case shutdown:
		code, reason = websocket.StatusGoingAway, "Shutting Down"
	}
	c.closed = true
	c.mu.Unlock()
	_ = c.ws.Close(code, reason) // it may be closed already
}

// readRequests answers requests until the connection is closed, by either side; cutOff ends wire.
func (s *Server) readRequests(ctx, wire context.Context, cutOff context.CancelFunc, c *wsConn) {
	for {
		_, message, err := c.ws.Reader(wire)
		if err != nil {
			return
		}
		// From here on it must arrive in time.
		late := time.AfterFunc(s.lim.requestTime, cutOff)
		text, forget, err := s.readBody(wire, message, maxMessage)
		late.Stop()
		if err != nil {
			return
		}
		if len(text) > maxMessage {
			forget()
			c.mu.Lock()
			c.tooBig = true
			c.mu.Unlock()
			return
		}
		var reply []byte
		if s.weather != nil {
			reply = s.weather.answerWebSocket(ctx, c, text)
		} else if done, err := s.handle(ctx); err == nil {
			reply = s.answerWebSocket(ctx, c, text)
			done()
		}
		forget()
		switch {
		case reply == nil && ctx.Err() != nil:
			return
		case reply == nil:
			continue // it is lost
		}
		if !c.answer(ctx, reply) {
			return
		}
	}
}

// push queues a stream's message. A client that leaves too many unread is dropped.
func (c *wsConn) push(text []byte) {
	if c.line.loses() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if c.size+len(text) > c.lim.backlog {
		c.closed, c.slow = true, true
		c.queue, c.size = nil, 0
	} else {
		c.queue = append(c.queue, text)
		c.size += len(text)
	}
	signal(c.wake)
}

// answer queues the answer to a request, when there is room for it; false when the connection ends first.
func (c *wsConn) answer(ctx context.Context, text []byte) bool {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return false
		}
		if c.size < c.lim.backPressure {
			c.queue = append(c.queue, text)
			c.size += len(text)
			signal(c.wake)
			c.mu.Unlock()
			return true
		}
		c.mu.Unlock()
		select {
		case <-c.room:
		case <-ctx.Done():
			return false
		}
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// send sends what is queued until the connection ends.
func (c *wsConn) send(ctx, wire context.Context) {
	for {
		c.mu.Lock()
		texts, closed := c.queue, c.closed
		c.queue = nil
		c.mu.Unlock()
		if closed {
			return
		}
		for _, t := range texts {
			if err := c.sendOne(wire, t); err != nil {
				c.mu.Lock()
				c.closed = true
				c.slow = c.slow || errors.Is(err, context.DeadlineExceeded)
				c.mu.Unlock()
				return
			}
			c.mu.Lock()
			c.size -= len(t)
			if c.size < c.lim.backPressure {
				signal(c.room)
			}
			c.mu.Unlock()
		}
		if len(texts) > 0 {
			continue
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (c *wsConn) sendOne(wire context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(wire, c.lim.sendTime)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageText, text)
}

// keepAlive ends when the client answers no ping any more.
func (c *wsConn) keepAlive(ctx, wire context.Context) {
	t := time.NewTicker(c.lim.pingEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			pong, cancel := context.WithTimeout(wire, c.lim.pongTime)
			err := c.ws.Ping(pong)
			cancel()
			if err != nil {
				return
			}
		}
	}
}

// answerWebSocket answers one message (ServerHandler::onWSMessage, processSession).
func (s *Server) answerWebSocket(ctx context.Context, conn *wsConn, text []byte) []byte {
	v, err := rjson.Parse(text)
	if len(text) > maxRequest || err != nil || !v.IsObject() {
		return rjson.Append(nil, obj{"type": "error", "error": "jsonInvalid", "value": string(text)})
	}
	reply := obj{}
	version := apiVersion(v)
	command, method := v.Get("command"), v.Get("method")
	switch {
	case version == apiInvalid,
		!v.Has("command") && !v.Has("method"),
		v.Has("command") && !command.IsString(),
		v.Has("method") && !method.IsString(),
		v.Has("command") && v.Has("method") && command.AsString() != method.AsString():
		reply["error"] = "missingCommand"
		if version == apiInvalid {
			reply["error"] = invalidAPIVersion
		}
		reply["status"] = "error"
		reply["request"] = v
	default:
		c := &call{ctx: ctx, srv: s, node: s.shownNode(), params: v, version: version, conn: conn}
		result := c.do()
		if hasError(result) {
			reply = result
			reply["status"] = "error"
			reply["request"] = masked(v)
		} else {
			reply["result"] = result
			reply["status"] = "success"
		}
	}
	echo(reply, v, "id", "jsonrpc", "ripplerpc", "api_version")
	reply["type"] = "response"
	return rjson.Append(nil, reply)
}
