package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
)

// socket is a WebSocket of a test.
type socket struct {
	t  testing.TB
	ws *websocket.Conn
}

func dial(t testing.TB, s *Server) *socket {
	t.Helper()
	ws, _, err := websocket.Dial(context.Background(), s.WebSocketURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(32 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() }) // it may be closed
	return &socket{t, ws}
}

func (k *socket) write(text string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := k.ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *socket) read() map[string]any {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, text, err := k.ws.Read(ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	o, ok := decode(k.t, text).(map[string]any)
	if !ok {
		k.t.Fatalf("%s", text)
	}
	return o
}

// ask sends a request and gives the next message.
func (k *socket) ask(request string) map[string]any {
	k.t.Helper()
	k.write(request)
	return k.read()
}

// until gives what arrives before the answer to a ping, which is sent now.
func (k *socket) until() []map[string]any {
	k.t.Helper()
	k.write(`{"id":"barrier","command":"ping"}`)
	var all []map[string]any
	for {
		m := k.read()
		if text(m, "id") == `"barrier"` {
			return all
		}
		all = append(all, m)
	}
}

// ended reads until the connection ends, and tells how.
func (k *socket) ended() websocket.CloseError {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := k.ws.Read(ctx); err != nil {
			var e websocket.CloseError
			if !errors.As(err, &e) {
				k.t.Fatalf("the connection ended without a close: %v", err)
			}
			return e
		}
	}
}

// The forms of a message, and what rippled says of those that are none.
func TestWebSocketForms(t *testing.T) {
	k := dial(t, newTown(t).Server)
	for _, c := range []struct{ sent, want string }{
		{`{"command":"ping"}`, `{"result":{"role":"admin","unlimited":true},"status":"success","type":"response"}`},
		{`{"method":"ping","id":{"a":[1]}}`, `{"id":{"a":[1]},"result":{"role":"admin","unlimited":true},"status":"success","type":"response"}`},
		{`{"command":"ping","method":"ping","jsonrpc":"2.0","ripplerpc":"2.0","api_version":2}`,
			`{"api_version":2,"jsonrpc":"2.0","result":{"role":"admin","unlimited":true},"ripplerpc":"2.0","status":"success","type":"response"}`},
		{`{"command":"ping","method":"fee"}`, `{"error":"missingCommand","request":{"command":"ping","method":"fee"},"status":"error","type":"response"}`},
		{`{"command":5}`, `{"error":"missingCommand","request":{"command":5},"status":"error","type":"response"}`},
		{`{}`, `{"error":"missingCommand","request":{},"status":"error","type":"response"}`},
		{`{"command":"ping","api_version":3,"id":7}`,
			`{"api_version":3,"error":"invalid_API_version","id":7,"request":{"api_version":3,"command":"ping","id":7},"status":"error","type":"response"}`},
		{`[]`, `{"error":"jsonInvalid","type":"error","value":"[]"}`},
		{`null`, `{"error":"jsonInvalid","type":"error","value":"null"}`},
		{``, `{"error":"jsonInvalid","type":"error","value":""}`},
		{`{"a":1,"a":2}`, `{"error":"jsonInvalid","type":"error","value":"{\"a\":1,\"a\":2}"}`},
		{`{"command":"submit","secret":"s","seed":"t"}`,
			`{"deprecated":"` + signingDeprecated + `","error":"invalidParams","error_code":31,` +
				`"error_message":"Exactly one of the following must be specified: passphrase, secret, seed or seed_hex",` +
				`"request":{"command":"submit","secret":"<masked>","seed":"<masked>"},"status":"error","type":"response"}`},
	} {
		if got := text(k.ask(c.sent)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.sent, got, c.want)
		}
	}
}

// A message longer than a request is told that it is none; a much longer one ends the connection.
func TestWebSocketSize(t *testing.T) {
	w := newTown(t)
	k := dial(t, w.Server)
	long := `{"command":"ping","x":"` + strings.Repeat("x", maxRequest) + `"}`
	if m := k.ask(long); text(m, "error") != `"jsonInvalid"` {
		t.Errorf("%.100s", text(m))
	}
	if m := k.ask(`{"command":"ping"}`); text(m, "status") != `"success"` {
		t.Errorf("after it: %v", m)
	}
	k.write(strings.Repeat("x", maxMessage+1))
	if e := k.ended(); e.Code != websocket.StatusMessageTooBig {
		t.Error(e)
	}
}

// Web pages of other origins cannot connect.
func TestWebSocketOrigin(t *testing.T) {
	w := newTown(t)
	for origin, status := range map[string]int{"https://evil.example": 403, "http://localhost:3000": 101} {
		ws, r, err := websocket.Dial(context.Background(), w.WebSocketURL(), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if r == nil || r.StatusCode != status {
			t.Errorf("%s: %v %v", origin, r, err)
		}
		if ws != nil {
			_ = ws.CloseNow() // it has shown what it should
		}
	}
}

// Streams in both versions, followed accounts, and the end of following.
func TestStreams(t *testing.T) {
	w := newTown(t)
	one, two, accounts := dial(t, w.Server), dial(t, w.Server), dial(t, w.Server)
	one.ask(`{"command":"subscribe","streams":["transactions_proposed","book_changes","manifests","validations","consensus","peer_status"]}`)
	two.ask(`{"command":"subscribe","streams":["transactions","ledger"],"api_version":2}`)
	accounts.ask(`{"command":"subscribe","accounts":["` + w.subject.id.String() + `"],"accounts_proposed":["` + w.issuer.id.String() + `"]}`)

	pay := w.issuer.sign(t, codec.TtPayment, func(o *codec.Object) {
		o.SetAccount(codec.SfDestination, w.subject.id)
		o.SetDrops(codec.SfAmount, 5)
	})
	w.submit(t, pay)
	hash := `"` + pay.ID.String() + `"`
	if m := one.read(); text(m, "status") != `"proposed"` || text(m, "transaction", "hash") != hash || text(m, "transaction", "DeliverMax") != `"5"` {
		t.Error(m)
	}
	if m := accounts.read(); text(m, "status") != `"proposed"` || text(m, "ledger_current_index") != "6" {
		t.Error(m)
	}
	if _, err := w.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	if m := one.read(); text(m, "type") != `"bookChanges"` || text(m, "changes") != "[]" || text(m, "validated") != "true" {
		t.Error(m)
	}
	if m := one.read(); text(m, "status") != `"closed"` || text(m, "meta", "delivered_amount") != `"5"` {
		t.Error(m)
	}
	if m := two.read(); text(m, "type") != `"ledgerClosed"` || text(m, "validated_ledgers") != `"2-6"` || text(m, "txn_count") != "1" {
		t.Error(m)
	}
	if m := two.read(); text(m, "hash") != hash || text(m, "tx_json", "DeliverMax") != `"5"` || text(m, "tx_json", "Amount") != "" ||
		text(m, "tx_json", "hash") != "" || text(m, "transaction") != "" || text(m, "validated") != "true" {
		t.Error(m)
	}
	if m := accounts.read(); text(m, "status") != `"closed"` {
		t.Error(m)
	}
	// Both accounts are in the transaction, and it is told once.
	if rest := accounts.until(); len(rest) != 0 {
		t.Error(rest)
	}

	for _, c := range []struct {
		k       *socket
		request string
	}{
		{one, `{"command":"unsubscribe","streams":["rt_transactions","manifests"]}`},
		{two, `{"command":"unsubscribe","streams":["transactions","ledger"]}`},
		{accounts, `{"command":"unsubscribe","accounts":["` + w.subject.id.String() + `"],"rt_accounts":["` + w.issuer.id.String() + `"]}`},
	} {
		if m := c.k.ask(c.request); text(m, "status") != `"success"` {
			t.Error(m)
		}
	}
	w.submit(t, w.issuer.credential(t, w.subject.id, nil))
	next := w.hub.nextClose()
	if _, err := w.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-next // all has been told
	for _, k := range []*socket{two, accounts} {
		if rest := k.until(); len(rest) != 0 {
			t.Error(rest)
		}
	}
	if rest := one.until(); len(rest) != 1 || text(rest[0], "type") != `"bookChanges"` {
		t.Error(rest)
	}
}

// What subscribe refuses, with rippled's words; what comes before the mistake stands.
func TestSubscribeRefusals(t *testing.T) {
	w := newTown(t)
	k := dial(t, w.Server)
	a := w.issuer.id.String()
	for _, c := range []struct{ request, want string }{
		{`"command":"subscribe","streams":"ledger"`, "invalidParams"},
		{`"command":"subscribe","streams":["ledger",5]`, "malformedStream"},
		{`"command":"unsubscribe","streams":["book_changes"]`, "malformedStream"}, // a quirk of this release
		{`"command":"subscribe","accounts":[]`, "actMalformed"},
		{`"command":"subscribe","accounts":"` + a + `"`, "invalidParams"},
		{`"command":"subscribe","accounts_proposed":["` + a + `",5]`, "actMalformed"},
		{`"command":"subscribe","url":"http://127.0.0.1/"`, "notSupported"},
		{`"command":"subscribe","account_history_tx_stream":{"account":"` + a + `"}`, "notEnabled"},
		{`"command":"subscribe","account_history_tx_stream":{"account":"junk"}`, "invalidParams"},
		{`"command":"subscribe","account_history_tx_stream":5`, "invalidParams"},
		{`"command":"unsubscribe","account_history_tx_stream":{}`, "invalidParams"},
		{`"command":"unsubscribe","account_history_tx_stream":{"account":"` + a + `","stop_history_tx_only":1}`, "invalidParams"},
		{`"command":"subscribe","books":5`, "invalidParams"},
		{`"command":"subscribe","books":[{"taker_pays":{}}]`, "invalidParams"},
		{`"command":"subscribe","books":[{"taker_pays":{},"taker_gets":{}}]`, "srcCurMalformed"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"USD"},"taker_gets":{}}]`, "srcIsrMalformed"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USDX"}}]`, "dstAmtMalformed"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD"}}]`, "dstIsrMalformed"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"XRP"}}]`, "badMarket"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + a + `"},"taker":"junk"}]`, "actMalformed"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + a + `"},"taker":5}]`, "actMalformed"},
		{`"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + a + `"},"domain":"AB"}]`, "domainMalformed"},
		{`"command":"unsubscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + a + `"},"domain":5}]`, "domainMalformed"},
		{`"command":"unsubscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"XRP"}}]`, "badMarket"},
	} {
		if m := k.ask("{" + c.request + "}"); text(m, "error") != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: %v", c.request, m)
		}
	}
	m := k.ask(`{"command":"subscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + a + `"},"snapshot":true,"both":true}]}`)
	if text(m, "result") != `{"asks":[],"bids":[]}` {
		t.Error(m)
	}
	// unsubscribe reads neither the taker nor whether a snapshot is wanted (Unsubscribe.cpp).
	m = k.ask(`{"command":"unsubscribe","books":[{"taker_pays":{"currency":"XRP"},"taker_gets":{"currency":"USD","issuer":"` + a + `"},"taker":5,"snapshot":true}]}`)
	if text(m, "result") != `{}` {
		t.Error(m)
	}
	if _, err := w.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	if m := k.read(); text(m, "type") != `"ledgerClosed"` {
		t.Error(m)
	}
	list := strings.TrimSuffix(strings.Repeat(`"`+a+`",`, 20_000), ",")
	for i := range maxSubscribed / 20_000 {
		// The same account again takes no room.
		if m := k.ask(`{"command":"subscribe","accounts":[` + list + `]}`); text(m, "status") != `"success"` {
			t.Fatalf("%d: %.200s", i, text(m))
		}
	}
}

// A client that asks and does not read is cut off, and costs no more than its backlog.
func TestWebSocketDoesNotRead(t *testing.T) {
	lim := standardLimits
	lim.sendTime, lim.backPressure = 100*time.Millisecond, 64<<10
	s := startLimited(t, Config{}, lim)
	k := dial(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for sent := 0; ; sent++ {
		if err := k.ws.Write(ctx, websocket.MessageText, []byte(`{"command":"feature"}`)); err != nil {
			if ctx.Err() != nil {
				t.Fatal("it was not cut off")
			}
			break
		}
	}
	if m := dial(t, s).ask(`{"command":"ping"}`); text(m, "status") != `"success"` {
		t.Error(m)
	}
}

// A client that does not read what it subscribed to is dropped, as rippled does.
func TestWebSocketTooSlow(t *testing.T) {
	lim := standardLimits
	lim.backlog = 100 // less than any message
	s := startLimited(t, Config{}, lim)
	k := dial(t, s)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	if _, err := s.Accept(context.Background()); err != nil {
		t.Fatal(err)
	}
	if e := k.ended(); e.Code != websocket.StatusPolicyViolation || e.Reason != tooSlow {
		t.Error(e)
	}
	// Nobody follows anything any more.
	s.conns.Wait()
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if len(s.hub.conns) != 0 {
		t.Error("the connection is still followed")
	}
}

// A client that is gone without a word is noticed.
func TestWebSocketKeepAlive(t *testing.T) {
	lim := standardLimits
	lim.pingEvery, lim.pongTime, lim.closeTime = 20*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	s := startLimited(t, Config{}, lim)
	dial(t, s)     // it never reads, so it never answers a ping
	s.conns.Wait() // until the server has given up on it
}

// A client that does not read does not hold up the end of the server.
func TestWebSocketShutdownDoesNotWait(t *testing.T) {
	lim := standardLimits
	lim.backPressure, lim.closeTime = 64<<10, 50*time.Millisecond
	s := startLimited(t, Config{}, lim)
	c := dialRaw(t, s)
	write(t, c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	request := `{"command":"feature"}`
	frame := append([]byte{0x81, 0x80 | byte(len(request)), 0, 0, 0, 0}, request...) // a masked text, its mask zero
	if err := c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.Write(frame); err != nil { // nothing goes in or out any more
			break
		}
	}
	begin := time.Now()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > lim.sendTime/2 {
		t.Errorf("it took %v", took)
	}
}

// The end of the server is told to who is connected.
func TestWebSocketShutdown(t *testing.T) {
	s := startServer(t, Config{})
	k := dial(t, s)
	k.ask(`{"command":"subscribe","streams":["ledger"]}`)
	closed := make(chan error)
	go func() { closed <- s.Close(context.Background()) }()
	if e := k.ended(); e.Code != websocket.StatusGoingAway {
		t.Error(e)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
