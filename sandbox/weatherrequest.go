package sandbox

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/rjson"
)

// requestLot is what is to happen to a request.
type requestLot struct {
	epoch              uint64
	control            bool // it is left alone
	delay, delayAnswer time.Duration
	fault              Fault  // "" for none
	x                  uint64 // a random number for what the fault leaves to chance
}

// control tells of the methods that are no part of a node's life, which the weather leaves alone.
func control(method string) bool { return method == "ledger_accept" || method == weatherName }

// methodsOf are the methods that a body asks for, none where it is no request.
func methodsOf(body []byte) []string {
	v, err := rjson.Parse(body)
	if err != nil || !v.IsObject() {
		return nil
	}
	name := func(v *rjson.Value) string {
		if !v.IsObject() {
			return ""
		}
		if c := v.Get("command"); c.IsString() {
			return c.AsString()
		}
		return stringOf(v.Get("method"))
	}
	m := name(v)
	if m != "batch" || !v.Get("params").IsArray() {
		return []string{m}
	}
	var all []string
	for _, one := range v.Get("params").Elements() {
		all = append(all, name(one))
	}
	return all
}

// request draws what happens to a request.
func (w *weather) request(body []byte, http bool) requestLot {
	methods := methodsOf(body)
	w.mu.Lock()
	lot, only := requestLot{epoch: w.epoch}, w.spec.Methods
	w.mu.Unlock()
	if len(methods) > 0 && !slices.ContainsFunc(methods, func(m string) bool { return !control(m) }) {
		lot.control = true
		return lot
	}
	if len(only) > 0 && !slices.ContainsFunc(methods, func(m string) bool { return slices.Contains(only, m) }) {
		return lot
	}
	if r, x, ok := w.happens(Delay, false); ok {
		lot.delay = r.span(x)
	}
	if r, x, ok := w.happens(DelayAnswer, false); ok {
		lot.delayAnswer = r.span(x)
	}
	try := func(f Fault) {
		if _, x, ok := w.happens(f, lot.fault != ""); ok {
			lot.fault, lot.x = f, x
		}
	}
	if http {
		try(HTTP503)
		try(HTTP429)
	}
	try(SlowDown)
	if slices.Contains(methods, "submit") || slices.Contains(methods, "submit_multisigned") {
		try(LoseBefore)
		try(LoseAfter)
	}
	for _, f := range []Fault{Drop, Reset, HalfOpen, Garbage} {
		try(f)
	}
	return lot
}

// begin waits until a request's turn; false when it is lost meanwhile, the node having ended or started anew.
func (w *weather) begin(lot requestLot) bool {
	return lot.control || w.wait(lot.delay) && w.thaw() && w.current(lot)
}

// finish waits until an answer's turn.
func (w *weather) finish(lot requestLot) bool {
	return lot.control || w.wait(lot.delayAnswer) && w.thaw() && w.current(lot)
}

func (w *weather) current(lot requestLot) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return lot.epoch == w.epoch
}

// cutAt is after how many bytes of an answer of n its connection ends: at least one is sent, at least one is not.
func (lot requestLot) cutAt(n int) int { return 1 + int(lot.x%uint64(max(n-1, 1))) }

type overloadedKey struct{}

// overloaded tells whether a request is to be answered with slowDown.
func overloaded(ctx context.Context) bool { return ctx.Value(overloadedKey{}) != nil }

// answerHTTP is Server.answerHTTP in this weather; false when there is no answer to be sent.
func (w *weather) answerHTTP(rw http.ResponseWriter, r *http.Request, body []byte) (status int, reply []byte, ok bool) {
	l := lineOf(r)
	lot := w.request(body, true)
	if !w.begin(lot) {
		l.end(false)
		return 0, nil, false
	}
	ctx := r.Context()
	switch lot.fault {
	case HTTP503, HTTP429:
		refuseHTTP(rw, lot.fault)
		return 0, nil, false
	case LoseBefore:
		l.end(false)
		return 0, nil, false
	case SlowDown:
		ctx = context.WithValue(ctx, overloadedKey{}, true)
	}
	done, err := w.srv.handle(w.srv.ctx) // and not the client's: a request that waited is carried out
	if err != nil {
		l.end(false)
		return 0, nil, false
	}
	if lot.fault == HalfOpen { // before the request's effects can be seen
		l.muted.Store(true)
	}
	status, reply = w.srv.answerHTTP(ctx, body)
	done()
	if !w.finish(lot) {
		l.end(false)
		return 0, nil, false
	}
	switch lot.fault {
	case LoseAfter, Reset:
		l.end(lot.fault == Reset)
		return 0, nil, false
	case Drop:
		l.cutAfter(lot.cutAt(len(reply)))
	case Garbage:
		reply = garbage(lot.x, reply)
	}
	return status, reply, true
}

// answerWebSocket is Server.answerWebSocket in this weather; nil when there is no answer to be sent.
func (w *weather) answerWebSocket(ctx context.Context, conn *wsConn, text []byte) []byte {
	l := conn.line
	lot := w.request(text, false)
	if !w.begin(lot) || lot.fault == LoseBefore {
		return nil
	}
	if lot.fault == SlowDown {
		ctx = context.WithValue(ctx, overloadedKey{}, true)
	}
	done, err := w.srv.handle(w.srv.ctx)
	if err != nil {
		return nil
	}
	if lot.fault == HalfOpen { // before the request's effects can be seen
		l.muted.Store(true)
	}
	reply := w.srv.answerWebSocket(ctx, conn, text)
	done()
	if !w.finish(lot) {
		return nil
	}
	switch lot.fault {
	case LoseAfter:
		return nil
	case Reset:
		l.end(true)
		return nil
	case Drop:
		l.cutAfter(lot.cutAt(len(reply)))
	case Garbage:
		return garbage(lot.x, reply)
	}
	return reply
}

// handshake tells whether a WebSocket may be opened; else it has answered.
func (w *weather) handshake(rw http.ResponseWriter) bool {
	if !w.thaw() {
		return false
	}
	f := Fault("")
	for _, try := range []Fault{HTTP503, HTTP429} {
		if _, _, ok := w.happens(try, f != ""); ok {
			f = try
		}
	}
	if f != "" {
		refuseHTTP(rw, f)
	}
	return f == ""
}

func refuseHTTP(rw http.ResponseWriter, f Fault) {
	if f == HTTP429 {
		rw.Header().Set("Retry-After", "1")
		plain(rw, http.StatusTooManyRequests, "Too many requests.")
		return
	}
	plain(rw, http.StatusServiceUnavailable, "Server is overloaded")
}

// garbage is an answer that is none.
func garbage(x uint64, reply []byte) []byte {
	kinds := [][]byte{
		reply[:len(reply)/2],
		[]byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"),
		[]byte(`{}`),
		[]byte(`null`),
		[]byte(`{"result":[],"id":"another","type":"response","status":"success"}`),
		[]byte(`{"result":{"ledger_index":-1,"engine_result":7,"validated":"yes","status":"success"}}`),
		{},
		[]byte("\x00\x01\xfe\xff"),
	}
	return slices.Clone(kinds[x%uint64(len(kinds))])
}

// submitTx passes a transaction on to the node, and where the node is behind, to the network as well.
func (c *call) submitTx(t *codec.Tx, failHard bool) engine.SubmitResult {
	w := c.srv.weather
	if w == nil {
		return c.node.Submit(t, failHard)
	}
	if c.node == c.srv.node {
		return c.node.SubmitMissing(t, failHard, w.misses)
	}
	r := c.node.Submit(t, failHard)
	if r.Broadcast {
		c.srv.node.SubmitMissing(t, false, w.misses)
	}
	return r
}

// misses decides about a transaction that was taken, for engine.Node.SubmitMissing.
func (w *weather) misses() (ledgers uint32, ok bool) {
	r, _, ok := w.happens(Miss, false)
	if !ok || r.ForGood {
		return 0, ok
	}
	return uint32(r.ledgers()), true
}

// weatherName is the method by which the weather is asked for and changed. It is this server's own, and no part of the XRP Ledger's
// API; a server that was started without weather does not know it.
const weatherName = "sandbox_weather"

// weatherMethod finds it.
func (s *Server) weatherMethod(name string) (method, bool) {
	if s.weather == nil || name != weatherName {
		return nil, false
	}
	return sandboxWeather, true
}

// sandboxWeather is `sandbox_weather`: set, a spec, and seed change the weather; trigger, a list, makes faults happen. It answers
// with what holds then, and what has happened so far.
func sandboxWeather(c *call) obj {
	w, p := c.srv.weather, c.params
	refuse := func(err error) obj { return rpcErrorText(errInvalidParams, err.Error()) }
	spec := c.srv.Weather()
	if p.Has("set") {
		if !p.Get("set").IsString() {
			return expectedField("set", "string")
		}
		next, err := ParseWeather(p.Get("set").AsString())
		if err != nil {
			return refuse(err)
		}
		next.Seed = spec.Seed
		spec = next
	}
	if p.Has("seed") {
		v := p.Get("seed")
		if !v.IsString() && !v.IsNumeric() || v.IsBool() {
			return expectedField("seed", "number or its decimal text")
		}
		n, err := strconv.ParseUint(v.AsString(), 10, 64)
		if err != nil {
			return invalidField("seed")
		}
		spec.Seed = n
	}
	var shots []shot
	if p.Has("trigger") {
		if !p.Get("trigger").IsString() {
			return expectedField("trigger", "string")
		}
		var err error
		if shots, err = parseShots(p.Get("trigger").AsString()); err != nil {
			return refuse(err)
		}
	}
	if p.Has("set") || p.Has("seed") {
		if err := c.srv.SetWeather(spec); err != nil {
			return refuse(err)
		}
	}
	for _, s := range shots {
		if err := c.srv.trigger(s.fault, s.rule, c.line()); err != nil {
			return refuse(err)
		}
	}
	spec = c.srv.Weather()
	faults := obj{}
	for f, n := range c.srv.FaultCounts() {
		faults[string(f)] = obj{"occasions": n.Occasions, "done": n.Done}
	}
	return obj{
		"weather": spec.String(), "seed": strconv.FormatUint(spec.Seed, 10), "faults": faults,
		"behind": w.shown.Load() != nil, "validated_ledger_index": c.srv.node.Closed().Seq,
	}
}

// line is the connection that a request came through; nil without weather.
func (c *call) line() *line {
	if c.conn != nil {
		return c.conn.line
	}
	l, _ := c.ctx.Value(lineKey{}).(*line)
	return l
}
