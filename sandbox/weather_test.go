package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// weatherClock is a clock, and timers, that a test moves.
type weatherClock struct {
	mu     sync.Mutex
	at     time.Time
	timers []weatherTimer
	set    chan struct{} // one for each timer
}

type weatherTimer struct {
	at time.Time
	ch chan time.Time
}

func newWeatherClock() *weatherClock {
	return &weatherClock{at: ledgerTime(800_000_000), set: make(chan struct{}, 100)}
}

func (k *weatherClock) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at
}

func (k *weatherClock) after(d time.Duration) <-chan time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	ch := make(chan time.Time, 1)
	k.timers = append(k.timers, weatherTimer{k.at.Add(d), ch})
	k.set <- struct{}{}
	return ch
}

func (k *weatherClock) advance(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = k.at.Add(d)
	k.timers = slices.DeleteFunc(k.timers, func(t weatherTimer) bool {
		if t.at.After(k.at) {
			return false
		}
		t.ch <- k.at
		return true
	})
}

// waiting returns when another timer is set.
func (k *weatherClock) waiting(t testing.TB) {
	t.Helper()
	select {
	case <-k.set:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody waits")
	}
}

// climate is a town, with ledgers closed up to 4 and 5 open, whose weather the tests make.
type climate struct {
	*town
	clock *weatherClock
}

func newClimate(t testing.TB, spec string, change ...func(*Config)) *climate {
	t.Helper()
	clock, at := newWeatherClock(), uint32(800_000_000)
	cfg := Config{GenesisCloseTime: &at, Now: clock.now, After: clock.after, Weather: &Weather{}, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&cfg)
	}
	c := &climate{&town{Server: startServer(t, cfg), client: &http.Client{Timeout: 20 * time.Second}}, clock}
	t.Cleanup(c.client.CloseIdleConnections)
	c.issuer = newTestAccount(t, c.Server, codec.Ed25519, "issuer")
	c.subject = newTestAccount(t, c.Server, codec.Secp256k1, "subject")
	c.settle()
	c.make(t, spec)
	return c
}

// settle waits until everybody was told of everything that has happened.
func (c *climate) settle() {
	conn := &wsConn{lim: &c.lim, wake: make(chan struct{}, 1)}
	c.hub.subscribe(conn, streamServer)
	defer c.hub.forget(conn)
	c.hub.push(event{fees: &feeSummary{base: -1}}) // which follows all that
	for {
		<-conn.wake
		conn.mu.Lock()
		told := bytes.Contains(bytes.Join(conn.queue, nil), []byte(`"base_fee":-1`))
		conn.mu.Unlock()
		if told {
			return
		}
	}
}

func (c *climate) make(t testing.TB, spec string) {
	t.Helper()
	w, err := ParseWeather(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetWeather(w); err != nil {
		t.Fatal(err)
	}
}

func (c *climate) accept(t testing.TB) uint32 {
	t.Helper()
	seq, err := c.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func (c *climate) done(t testing.TB, f Fault, want uint64) {
	t.Helper()
	if n := c.FaultCounts()[f]; n.Done != want || n.Occasions < n.Done {
		t.Errorf("%s: %+v, want %d done", f, n, want)
	}
}

// post sends a request on a connection of its own, and gives what comes back, to the end of the connection or of the answer.
func (c *climate) post(body string) (status int, reply []byte, err error) {
	return postTo(c.URL(), body)
}

func postTo(url, body string) (status int, reply []byte, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	reply, err = io.ReadAll(r.Body)
	return r.StatusCode, reply, errors.Join(err, r.Body.Close())
}

// cut reads until the connection ends, without a goodbye.
func (k *socket) cut() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		_, _, err := k.ws.Read(ctx)
		switch {
		case err == nil:
			continue // it was told before
		case ctx.Err() != nil, errors.As(err, &websocket.CloseError{}):
			k.t.Errorf("the connection was not cut: %v", err)
		}
		return
	}
}

func submitHTTP(t *codec.Tx) string {
	return fmt.Sprintf(`{"method":"submit","params":[{"tx_blob":"%X"}]}`, t.Blob)
}

func submitWS(t *codec.Tx) string {
	return fmt.Sprintf(`{"id":"submit","command":"submit","tx_blob":"%X"}`, t.Blob)
}

func (c *climate) credential(t testing.TB) *codec.Tx {
	return c.issuer.credential(t, c.subject.id, nil)
}

// taken tells whether a transaction is in the open ledger.
func (c *climate) taken(t *codec.Tx) bool {
	for r := range c.node.Current().Txs() {
		if r.Tx.ID == t.ID {
			return true
		}
	}
	return false
}

const pingHTTP = `{"method":"ping"}`

// What happens to a request is what is asked for, by HTTP and by WebSocket, and the ledger has what it was given.
func TestLostAnswers(t *testing.T) {
	for _, f := range []struct {
		fault Fault
		taken bool
	}{{LoseBefore, false}, {LoseAfter, true}, {Drop, true}, {Reset, true}, {Garbage, true}, {SlowDown, false}, {HTTP503, false}, {HTTP429, false}} {
		t.Run(string(f.fault), func(t *testing.T) {
			c := newClimate(t, "methods=submit,"+string(f.fault)+"=1x@1")
			first, second, third := c.credential(t), c.credential(t), c.credential(t)
			good := func(tx *codec.Tx) {
				t.Helper()
				if status, reply, err := c.post(submitHTTP(tx)); err != nil || status != 200 || !bytes.Contains(reply, []byte("tesSUCCESS")) {
					t.Fatal(status, string(reply), err)
				}
			}
			good(first)
			if _, _, err := c.post(pingHTTP); err != nil { // no submit
				t.Fatal(err)
			}
			status, reply, err := c.post(submitHTTP(second))
			switch f.fault {
			case LoseBefore, LoseAfter:
				if !errors.Is(err, io.EOF) {
					t.Fatal(status, string(reply), err)
				}
			case Drop:
				if err == nil {
					t.Fatal(status, string(reply))
				}
			case Reset:
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(status, string(reply), err)
				}
			case Garbage:
				if err != nil || status != 200 || bytes.Contains(reply, []byte("tesSUCCESS")) && json.Valid(reply) {
					t.Fatal(status, string(reply), err)
				}
			case SlowDown:
				if err != nil || status != 200 || !bytes.Contains(reply, []byte(`"error":"slowDown","error_code":10,`)) {
					t.Fatal(status, string(reply), err)
				}
			case HTTP503:
				if err != nil || status != 503 {
					t.Fatal(status, string(reply), err)
				}
			case HTTP429:
				if err != nil || status != 429 {
					t.Fatal(status, string(reply), err)
				}
			}
			if got := c.taken(second); got != f.taken {
				t.Fatalf("taken: %v", got)
			}
			if !f.taken { // then it can be sent again
				good(second)
			}
			good(third)
			c.done(t, f.fault, 1)
			c.accept(t)
			for _, tx := range []*codec.Tx{first, second, third} {
				if rec, _ := c.node.Lookup(tx.ID); rec == nil || !rec.Result.IsTes() {
					t.Error("a transaction that was taken is not in the ledger")
				}
			}
		})
	}
}

func TestLostAnswersWebSocket(t *testing.T) {
	for _, f := range []struct {
		fault         Fault
		taken, goeson bool
	}{{LoseBefore, false, true}, {LoseAfter, true, true}, {Drop, true, false}, {Reset, true, false}, {Garbage, true, true}, {SlowDown, false, true}} {
		t.Run(string(f.fault), func(t *testing.T) {
			c := newClimate(t, "methods=submit,"+string(f.fault)+"=1x")
			k := dial(t, c.Server)
			tx := c.credential(t)
			k.write(submitWS(tx))
			if f.goeson {
				k.write(`{"id":"after","command":"ping"}`)
			}
			_, first, err := k.ws.Read(context.Background())
			switch f.fault {
			case LoseBefore, LoseAfter: // the answer to the next request comes, and that to this one does not
				if err != nil || !bytes.Contains(first, []byte(`"after"`)) {
					t.Fatal(string(first), err)
				}
			case Drop, Reset:
				if err == nil || errors.As(err, &websocket.CloseError{}) {
					t.Fatal(string(first), err)
				}
				if f.fault == Reset && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(err)
				}
			case Garbage:
				if err != nil || bytes.Contains(first, []byte("tesSUCCESS")) && json.Valid(first) {
					t.Fatal(string(first), err)
				}
			case SlowDown:
				if err != nil || !bytes.Contains(first, []byte(`"error":"slowDown"`)) || !bytes.Contains(first, []byte(`"id":"submit"`)) {
					t.Fatal(string(first), err)
				}
			}
			if got := c.taken(tx); got != f.taken {
				t.Errorf("taken: %v", got)
			}
			c.done(t, f.fault, 1)
		})
	}
}

func TestWebSocketRefused(t *testing.T) {
	c := newClimate(t, "http-503=1x,http-429=1x")
	for _, want := range []int{503, 429} {
		ws, r, err := websocket.Dial(context.Background(), c.WebSocketURL(), nil)
		if err == nil {
			_ = ws.CloseNow()
		}
		if err == nil || r == nil || r.StatusCode != want {
			t.Fatal(err)
		}
	}
	if text(dial(t, c.Server).ask(`{"command":"ping"}`), "status") != `"success"` {
		t.Error("the third is not let in")
	}
}

// Garbage has many forms; none of them is the answer, and the connection outlives them.
func TestGarbageForms(t *testing.T) {
	c := newClimate(t, "garbage=100%")
	forms := map[string]bool{}
	for range 60 {
		_, reply, err := c.post(pingHTTP)
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			Result struct {
				Role   string
				Status string
			}
		}
		if json.Unmarshal(reply, &a) == nil && a.Result.Role != "" {
			t.Fatalf("%s", reply)
		}
		forms[string(reply)] = true
	}
	if len(forms) < 6 {
		t.Errorf("%d forms", len(forms))
	}
	// Controls are left alone.
	if _, reply, err := c.post(`{"method":"ledger_accept"}`); err != nil || !bytes.Contains(reply, []byte(`"ledger_current_index":6`)) {
		t.Error(string(reply), err)
	}
}

func TestDelays(t *testing.T) {
	for _, f := range []Fault{Delay, DelayAnswer} {
		c := newClimate(t, string(f)+"=1x:5s-9s")
		tx := c.credential(t)
		answered := make(chan error, 1)
		go func() {
			status, reply, err := c.post(submitHTTP(tx))
			if err == nil && (status != 200 || !bytes.Contains(reply, []byte("tesSUCCESS"))) {
				err = fmt.Errorf("%d %s", status, reply)
			}
			answered <- err
		}()
		c.clock.waiting(t)
		if got := c.taken(tx); got != (f == DelayAnswer) {
			t.Errorf("%s: taken: %v", f, got)
		}
		c.clock.advance(5*time.Second - 1)
		select {
		case err := <-answered:
			t.Fatal(f, "answered too soon", err)
		default:
		}
		c.clock.advance(4*time.Second + 1)
		if err := <-answered; err != nil || !c.taken(tx) {
			t.Error(f, err)
		}
		c.done(t, f, 1)
	}
}

// A request that waits is carried out although its client has gone.
func TestDelayedRequestOutlivesItsClient(t *testing.T) {
	c := newClimate(t, "delay=1x:5s")
	tx := c.credential(t)
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL(), strings.NewReader(submitHTTP(tx)))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		r, err := c.client.Do(r)
		if err == nil {
			err = errors.Join(errors.New("answered"), r.Body.Close())
		}
		gone <- err
	}()
	c.clock.waiting(t)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	told := dial(t, c.Server)
	told.ask(`{"command":"subscribe","streams":["transactions_proposed"]}`)
	c.clock.advance(5 * time.Second)
	if m := told.read(); text(m, "transaction", "hash") != fmt.Sprintf("%q", tx.ID) {
		t.Error(m)
	}
}

// A half-open connection says nothing, and takes everything.
func TestHalfOpen(t *testing.T) {
	c := newClimate(t, "methods=submit,half-open=2x")
	k := dial(t, c.Server)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	first := c.credential(t)
	k.write(submitWS(first))
	raw, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	second := c.credential(t)
	body := submitHTTP(second)
	// The second is sent when the first has been taken: the connections are not in step otherwise.
	watch := dial(t, c.Server)
	watch.ask(`{"command":"subscribe","streams":["transactions_proposed","ledger"]}`)
	for !c.taken(first) {
		watch.read()
	}
	if _, err := fmt.Fprintf(raw, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", c.Addr(), len(body), body); err != nil {
		t.Fatal(err)
	}
	for !c.taken(second) {
		watch.read()
	}
	c.accept(t)
	for text(watch.read(), "type") != `"ledgerClosed"` {
	}
	k.write(`{"id":1,"command":"ping"}`) // still goes out
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, m, err := k.ws.Read(ctx); err == nil {
		t.Errorf("a half-open connection says %s", m)
	}
	if err := raw.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := raw.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(n, err)
	}
	c.done(t, HalfOpen, 2)
}

func ledgerTold(m map[string]any) string { return text(m, "ledger_index") }

func TestLostMessages(t *testing.T) {
	c := newClimate(t, "lose-message=1x@1")
	k := dial(t, c.Server)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	for range 3 {
		c.accept(t)
	}
	for _, want := range []string{"5", "7"} {
		if got := ledgerTold(k.read()); got != want {
			t.Errorf("told of %s, want %s", got, want)
		}
	}
	c.done(t, LoseMessage, 1)

	// Each connection has its own lot, which the seed decides.
	lot := func(seed uint64) (told [2]string) {
		c := newClimate(t, "clear")
		ks := []*socket{dial(t, c.Server), dial(t, c.Server)}
		for _, k := range ks {
			k.ask(`{"command":"subscribe","streams":["ledger"]}`)
		}
		if err := c.SetWeather(Weather{Seed: seed, Rules: map[Fault]Rule{LoseMessage: {Probability: 0.5}}}); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			next := c.hub.nextClose()
			c.accept(t)
			<-next
		}
		for i, k := range ks {
			for _, m := range k.until() {
				told[i] += " " + ledgerTold(m)
			}
		}
		return told
	}
	a := lot(1)
	if a[0] == a[1] {
		t.Error("two connections lose the same", a[0])
	}
	if b := lot(1); a != b {
		t.Errorf("the same seed, but\n%s\n%s", a, b)
	}
	if b := lot(2); a == b {
		t.Error("another seed, but the same lot")
	}
}

func TestGap(t *testing.T) {
	c := newClimate(t, "gap=1x@1:2")
	k := dial(t, c.Server)
	k.ask(`{"command":"subscribe","streams":["ledger","transactions"]}`)
	tx := c.credential(t)
	c.accept(t) // 5
	c.submit(t, tx)
	for range 3 { // 6 and 7 are the gap
		c.accept(t)
	}
	for _, want := range []string{"5", "8"} {
		if m := k.read(); ledgerTold(m) != want {
			t.Errorf("told %v, want %s", m, want)
		}
	}
	// What nobody was told of is there.
	if m := k.ask(fmt.Sprintf(`{"command":"tx","transaction":%q,"id":1}`, tx.ID)); text(m, "result", "ledger_index") != "6" {
		t.Error(m)
	}
	c.done(t, Gap, 1)
}

func TestMiss(t *testing.T) {
	c := newClimate(t, "miss=1x@1:2")
	first, second, third := c.credential(t), c.credential(t), c.credential(t)
	for _, tx := range []*codec.Tx{first, second, third} {
		if r := c.ask(t, "submit", fmt.Sprintf(`{"tx_blob":"%X"}`, tx.Blob)); text(r, "engine_result") != `"tesSUCCESS"` || text(r, "accepted") != "true" {
			t.Fatal(r)
		}
	}
	in := func(tx *codec.Tx) string {
		return text(c.ask(t, "tx", fmt.Sprintf(`{"transaction":%q}`, tx.ID)), "ledger_index")
	}
	want := [][3]string{{"5", "", ""}, {"5", "", ""}, {"5", "7", "7"}}
	for _, w := range want {
		c.accept(t)
		if got := [3]string{in(first), in(second), in(third)}; got != w {
			t.Errorf("in ledgers %q, want %q", got, w)
		}
	}
	c.done(t, Miss, 1)

	// For good: it expires, and its place can be taken.
	if err := c.Trigger(Miss, Rule{ForGood: true}); err != nil {
		t.Fatal(err)
	}
	never := c.issuer.sign(t, codec.TtCredentialCreate, func(o *codec.Object) {
		o.SetAccount(codec.SfSubject, c.subject.id)
		o.SetBlob(codec.SfCredentialType, []byte("never"))
		o.SetUint(codec.SfLastLedgerSequence, 10)
	})
	if r := c.ask(t, "submit", fmt.Sprintf(`{"tx_blob":"%X"}`, never.Blob)); text(r, "engine_result") != `"tesSUCCESS"` {
		t.Fatal(r)
	}
	for range 5 {
		c.accept(t)
	}
	if got := in(never); got != "" {
		t.Error("in ledger", got)
	}
	c.issuer.next--
	again := c.credential(t)
	c.submit(t, again)
	c.accept(t)
	if got := in(again); got != "13" {
		t.Errorf("in ledger %q", got)
	}
}

func TestStall(t *testing.T) {
	c := newClimate(t, "stall=1x:3")
	tx := c.credential(t)
	c.submit(t, tx)
	var got []uint32
	for range 5 {
		got = append(got, c.accept(t))
	}
	if want := []uint32{4, 4, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("closed %v, want %v", got, want)
	}
	if rec, _ := c.node.Lookup(tx.ID); rec == nil || rec.LedgerSeq != 5 {
		t.Error("what was taken before is not in the ledger after")
	}
	c.done(t, Stall, 1)
}

func TestBehind(t *testing.T) {
	c := newClimate(t, "behind=1x:3")
	k := dial(t, c.Server)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	before, late := c.credential(t), c.issuer.sign(t, codec.TtCredentialCreate, func(o *codec.Object) {
		o.SetAccount(codec.SfSubject, c.subject.id)
		o.SetBlob(codec.SfCredentialType, []byte("late"))
		o.SetUint(codec.SfLastLedgerSequence, 6) // far enough for one that sees ledger 4
	})
	c.submit(t, before)
	validated := func() string {
		return text(c.ask(t, "ledger", `{"ledger_index":"validated"}`), "ledger_index") + " " +
			text(c.ask(t, "server_info", `{}`), "info", "complete_ledgers") + " " + text(c.ask(t, "ledger_current", `{}`), "ledger_current_index")
	}
	for range 3 {
		c.accept(t)
		if got := validated(); got != `4 "2-4" 5` {
			t.Errorf("a node that is behind at 4 shows %s", got)
		}
	}
	if c.node.Closed().Seq != 7 {
		t.Fatal("the network did not go on")
	}
	if r := c.ask(t, "tx", fmt.Sprintf(`{"transaction":%q}`, before.ID)); text(r, "validated") != "false" {
		t.Error("it knows what it cannot", r)
	}
	// It takes a transaction that is too late for the network, and passes on one that is not.
	for _, tx := range []*codec.Tx{late, c.subject.sign(t, codec.TtAccountSet, func(*codec.Object) {})} {
		if r := c.ask(t, "submit", fmt.Sprintf(`{"tx_blob":"%X"}`, tx.Blob)); text(r, "engine_result") != `"tesSUCCESS"` || text(r, "validated_ledger_index") != "4" {
			t.Error(r)
		}
	}
	if got := k.until(); len(got) != 0 {
		t.Errorf("told of %v meanwhile", got)
	}
	c.accept(t)
	if got := validated(); got != `8 "2-8" 9` {
		t.Errorf("caught up it shows %s", got)
	}
	var told []string
	for _, m := range k.until() {
		told = append(told, ledgerTold(m))
	}
	for len(told) < 4 {
		told = append(told, ledgerTold(k.read()))
	}
	if want := []string{"5", "6", "7", "8"}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
	if rec, _ := c.node.Lookup(late.ID); rec != nil {
		t.Error("a transaction that had expired is in a ledger")
	}
	if c.node.Closed().TxCount() != 1 {
		t.Error("what it was given meanwhile did not reach the network")
	}
	c.done(t, Behind, 1)
}

func TestFreeze(t *testing.T) {
	c := newClimate(t, "clear")
	k := dial(t, c.Server)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	if err := c.Trigger(Freeze, Rule{Min: 30 * time.Second}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, _, err := c.post(pingHTTP)
		answered <- err
	}()
	c.clock.waiting(t) // the request
	c.accept(t)        // the network goes on
	c.clock.waiting(t) // the streams
	c.clock.advance(29 * time.Second)
	select {
	case err := <-answered:
		t.Fatal("a frozen node answers", err)
	default:
	}
	c.clock.advance(time.Second)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if got := ledgerTold(k.read()); got != "5" {
		t.Error(got)
	}
	c.done(t, Freeze, 1)
}

func TestRestart(t *testing.T) {
	c := newClimate(t, "restart=1x@1:10s", func(cfg *Config) { cfg.LedgerCapacity = 1 })
	c.accept(t) // 5
	c.clock.advance(100 * time.Second)
	k := dial(t, c.Server)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	for range 10 {
		c.node.Submit(c.credential(t), false)
	}
	if m := c.node.FeeMetrics(); m.QueueSize < 5 {
		t.Fatal(m)
	}
	hash := c.node.Closed().Hash
	c.accept(t) // 6 takes what is open, and the queue fills the next; then it restarts
	if l := c.node.LedgerBySeq(5); l == nil || l.Hash != hash || c.node.Closed().Seq != 6 {
		t.Error("what was closed has changed")
	}
	if m := c.node.FeeMetrics(); m.QueueSize != 0 || m.TxInLedger != 0 {
		t.Error("the queue or the open ledger outlived the restart", m)
	}
	k.cut()
	if _, _, err := c.post(pingHTTP); err == nil {
		t.Error("a node that is down answers")
	}
	c.clock.advance(10 * time.Second)
	_, reply, err := c.post(`{"method":"server_info"}`)
	if err != nil || !bytes.Contains(reply, []byte(`"uptime":10,`)) || !bytes.Contains(reply, []byte(`"complete_ledgers":"2-6"`)) {
		t.Error(string(reply), err)
	}
	// Streams are to be subscribed to anew.
	k = dial(t, c.Server)
	c.accept(t)
	if got := k.until(); len(got) != 0 {
		t.Error(got)
	}
	c.done(t, Restart, 1)
}

// A request that waits while the node restarts is gone with the node.
func TestRestartLosesWaitingRequests(t *testing.T) {
	c := newClimate(t, "delay=1x:5s")
	tx := c.credential(t)
	answered := make(chan error, 1)
	go func() {
		_, _, err := c.post(submitHTTP(tx))
		answered <- err
	}()
	c.clock.waiting(t)
	if err := c.Trigger(Restart, Rule{}); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err == nil {
		t.Error("answered")
	}
	c.clock.advance(5 * time.Second)
	if err := c.closeServer(); err != nil { // which waits for the request
		t.Fatal(err)
	}
	if c.taken(tx) {
		t.Error("carried out")
	}
}

func (c *climate) closeServer() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.Close(ctx)
}

// After a step back the ledger goes on as another, and a server that is started anew on its file finds it so.
func TestRollback(t *testing.T) {
	dir := t.TempDir()
	c := newClimate(t, "clear", func(cfg *Config) { cfg.DataDir = dir })
	stays := c.credential(t)
	c.submit(t, stays)
	c.accept(t) // 5
	gone := c.credential(t)
	c.submit(t, gone)
	c.make(t, "rollback=1x@1:2")
	c.accept(t) // 6
	shown := c.ask(t, "tx", fmt.Sprintf(`{"transaction":%q}`, gone.ID))
	if text(shown, "validated") != "true" {
		t.Fatal(shown)
	}
	hash5, hash6 := c.node.LedgerBySeq(5).Hash, c.node.Closed().Hash
	c.accept(t) // 7: and back to 5
	if l := c.node.Closed(); l.Seq != 5 || l.Hash != hash5 {
		t.Fatal(l.Seq)
	}
	c.client.CloseIdleConnections()
	if r := c.ask(t, "tx", fmt.Sprintf(`{"transaction":%q}`, gone.ID)); text(r, "error") != `"txnNotFound"` {
		t.Error("what is gone is shown", r)
	}
	if r := c.ask(t, "tx", fmt.Sprintf(`{"transaction":%q}`, stays.ID)); text(r, "validated") != "true" {
		t.Error("what was before is gone", r)
	}
	if r := c.ask(t, "account_tx", fmt.Sprintf(`{"account":%q}`, c.issuer.id)); len(r["transactions"].([]any)) != 2 { // funded, stays
		t.Error(text(r, "transactions"))
	}
	// The same transaction can happen again; its ledger is another.
	c.submit(t, gone)
	c.accept(t)
	last := c.node.Closed()
	if last.Seq != 6 || last.Hash == hash6 || last.Tx(gone.ID) == nil {
		t.Error(last.Seq, last.Hash)
	}
	c.done(t, Rollback, 1)
	if err := c.Trigger(Rollback, Rule{Ledgers: 100}); err == nil || c.node.Closed() != last {
		t.Error("back to before the beginning", err)
	}
	if err := c.closeServer(); err != nil {
		t.Fatal(err)
	}
	again := startServer(t, Config{DataDir: dir})
	if l := again.node.Closed(); l.Hash != last.Hash {
		t.Errorf("started anew: ledger %d, %s", l.Seq, l.Hash)
	}
	if again.node.LedgerByHash(hash6) != nil {
		t.Error("started anew, it shows what was gone")
	}
}

// What happened before a restart and was not told yet is not told after it; whoever waits for a ledger to close is woken all the same.
func TestRestartForgetsMessages(t *testing.T) {
	c := newClimate(t, "clear")
	h := newHub()
	h.node = c.hub.node
	conn := &wsConn{lim: &c.lim, wake: make(chan struct{}, 1)}
	for _, restarts := range []bool{false, true} {
		h.subscribe(conn, streamLedger|streamServer|streamProposed)
		h.LedgerClosed(c.node.Closed(), nil)
		h.FeeChanged(c.node.FeeMetrics())
		h.Proposed(c.credential(t), engine.TesSuccess, 5)
		if restarts {
			h.restart()
			h.subscribe(conn, streamLedger|streamServer|streamProposed)
		}
		conn.queue = nil
		next := h.nextClose()
		for _, e := range h.queue {
			h.tell(e)
		}
		h.queue = nil
		if n := len(conn.queue); (n == 0) != restarts {
			t.Errorf("restarts: %v, and %d messages", restarts, n)
		}
		select {
		case <-next:
		default:
			t.Error("who waits for a close is not woken")
		}
	}
}

func TestSandboxWeather(t *testing.T) {
	if r := newTown(t).ask(t, "sandbox_weather", `{}`); text(r, "error") != `"unknownCmd"` {
		t.Error("a server without weather knows the method", r)
	}
	fair := newTown(t).Server
	for _, err := range []error{fair.SetWeather(Weather{}), fair.Trigger(Drop, Rule{})} {
		if !errors.Is(err, errNoWeather) {
			t.Error(err)
		}
	}
	if fair.Weather().String() != "clear" || fair.FaultCounts()[Drop] != (FaultCount{}) {
		t.Error(fair.Weather(), fair.FaultCounts())
	}

	c := newClimate(t, "clear")
	for _, q := range []struct {
		params string
		path   []string
		want   string
	}{
		{`{}`, []string{"weather"}, `"clear"`},
		{`{"set":"reset=100%,miss=1%:2"}`, []string{"weather"}, `"miss=1%:2,reset=100%"`}, // and it is not reset itself
		{`{}`, []string{"faults", "reset"}, `{"done":0,"occasions":0}`},
		{`{"seed":"18446744073709551615"}`, []string{"seed"}, `"18446744073709551615"`},
		{`{"seed":7}`, []string{"weather"}, `"miss=1%:2,reset=100%"`},
		{`{"set":"clear"}`, []string{"seed"}, `"7"`},
		{`{"set":"hail=1%"}`, []string{"error"}, `"invalidParams"`},
		{`{"set":5}`, []string{"error_message"}, `"Invalid field 'set', not string."`},
		{`{"seed":-1}`, []string{"error_message"}, `"Invalid field 'seed'."`},
		{`{"seed":true}`, []string{"error_message"}, `"Invalid field 'seed', not number or its decimal text."`},
		{`{"trigger":[]}`, []string{"error_message"}, `"Invalid field 'trigger', not string."`},
		{`{"trigger":"hail"}`, []string{"error"}, `"invalidParams"`},
		{`{"set":"drop=1%","trigger":"hail"}`, []string{"error"}, `"invalidParams"`},
		{`{}`, []string{"weather"}, `"clear"`}, // all or nothing
		{`{"trigger":"rollback:50"}`, []string{"error"}, `"invalidParams"`},
		{`{"trigger":"rollback:2x"}`, []string{"error"}, `"invalidParams"`},
		{`{"trigger":"rollback:1"}`, []string{"validated_ledger_index"}, `3`},
		{`{"trigger":"behind:2"}`, []string{"behind"}, `true`},
		{`{"trigger":"behind:2"}`, []string{"error"}, `"invalidParams"`},
		{`{"trigger":"restart"}`, []string{"behind"}, `false`},
		{`{"trigger":"stall:2,gap:3,freeze:1ms"}`, []string{"faults", "stall", "done"}, `1`},
	} {
		if got := text(c.ask(t, "sandbox_weather", q.params), q.path...); got != q.want {
			t.Errorf("%s: %s, want %s", q.params, got, q.want)
		}
	}
	c.clock.advance(time.Second)

	// The connection that restarts the node is spared, but for its subscriptions; others are not.
	k, other := dial(t, c.Server), dial(t, c.Server)
	for _, k := range []*socket{k, other} {
		k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	}
	if m := k.ask(`{"id":1,"command":"sandbox_weather","trigger":"restart,lose-after:2x@1"}`); text(m, "status") != `"success"` {
		t.Fatal(m)
	}
	other.cut()
	c.accept(t)
	if got := k.until(); len(got) != 0 {
		t.Error(got)
	}
	// Three submits, of which the second and third are not answered.
	var txs []*codec.Tx
	c.issuer.next = c.node.NextSequence(c.issuer.id)
	for range 3 {
		tx := c.credential(t)
		txs = append(txs, tx)
		k.write(submitWS(tx))
	}
	if got := k.until(); len(got) != 1 {
		t.Error(got)
	}
	for _, tx := range txs {
		if !c.taken(tx) {
			t.Error("a lost answer lost the transaction")
		}
	}
	if err := c.Trigger(LoseBefore, Rule{Times: -1}); err == nil {
		t.Error("a negative count")
	}
	var full error
	for range maxShots + 1 {
		full = c.Trigger(LoseBefore, Rule{})
	}
	if full == nil {
		t.Error("no end to what can be triggered")
	}
}

func TestWeatherIsRefusedAtTheStart(t *testing.T) {
	for _, w := range []Weather{
		{Rules: map[Fault]Rule{"hail": {Times: 1}}},
		{Rules: map[Fault]Rule{Drop: {Probability: 1.1}}},
		{Rules: map[Fault]Rule{Delay: {Probability: 1}}},
		{Rules: map[Fault]Rule{Miss: {Ledgers: -1}}},
	} {
		s, err := Start(context.Background(), Config{Listen: "127.0.0.1:0", Weather: &w})
		if err == nil {
			t.Errorf("%v is taken", w)
			_ = s.Close(context.Background())
		}
	}
}

// The outcome of each kind's n-th occasion depends on the seed alone, and comes as often as it should.
func TestLots(t *testing.T) {
	draws := func(seed uint64, f Fault, other bool) (out []bool) {
		w := newWeather(&Server{hub: newHub()}, Weather{Seed: seed, Rules: map[Fault]Rule{Drop: {Probability: 0.1}, Reset: {Probability: 0.1}}})
		for range 10_000 {
			if other {
				w.happens(Reset, false)
			}
			_, _, ok := w.happens(f, false)
			out = append(out, ok)
		}
		return out
	}
	count := func(l []bool) (n int) {
		for _, b := range l {
			if b {
				n++
			}
		}
		return n
	}
	a := draws(1, Drop, false)
	if n := count(a); n < 900 || n > 1100 { // three standard deviations of a fair lot
		t.Errorf("%d of 10,000 at 10%%", n)
	}
	if !slices.Equal(a, draws(1, Drop, true)) {
		t.Error("one kind's lot depends on another's")
	}
	if slices.Equal(a, draws(2, Drop, false)) {
		t.Error("two seeds, one lot")
	}
	if slices.Equal(a, draws(1, Reset, false)) {
		t.Error("two kinds, one lot")
	}
	var sum time.Duration
	for i := range uint64(10_000) {
		d := Rule{Min: 10, Max: 20}.span(lot(1, Delay, 0, i))
		if d < 10 || d > 20 {
			t.Fatal(d)
		}
		sum += d
	}
	if sum < 148_000 || sum > 152_000 {
		t.Errorf("times from 10 to 20 are %d/10,000 on average", sum)
	}
}
