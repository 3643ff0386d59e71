package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/model"
	"github.com/xrplissuer/credential-issuer/sandbox"
)

// startSandbox runs an embedded ledger on a free port. Its ledgers close only when the test says so, unless cfg does.
func startSandbox(t testing.TB, cfg sandbox.Config) *sandbox.Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := sandbox.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func accept(t testing.TB, s *sandbox.Server) uint32 {
	t.Helper()
	seq, err := s.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// fund makes accounts and closes the ledgers that it takes.
func fund(t testing.TB, s *sandbox.Server, xrp int64, accounts ...model.Address) {
	t.Helper()
	for _, a := range accounts {
		if _, err := s.Fund(t.Context(), string(a), xrp*1_000_000); err != nil {
			t.Fatal(err)
		}
	}
	accept(t, s)
}

// testLog shows what the rooms log when a test fails or is verbose.
func testLog(t testing.TB) *slog.Logger {
	if os.Getenv("LEDGER_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// startLane runs a lane for the recordings' issuer through url.
func startLane(t testing.TB, url string, changeClient func(*Config), change func(*LaneConfig)) (*Lane, *Client) {
	t.Helper()
	client := newClient(t, url, func(c *Config) {
		c.Logger = testLog(t)
		if changeClient != nil {
			changeClient(c)
		}
	})
	seed, _ := vectorSeed(t, "issuer", "ed25519")
	cfg := LaneConfig{Account: testIssuer, Seed: seed}
	if change != nil {
		change(&cfg)
	}
	lane, err := NewLane(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	followChanges(lane)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- lane.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return lane, client
}

type outcome struct {
	n   int
	v   model.Validated
	err error
}

// idleLane returns a lane that does not run, so that a test can do to it what its goroutine would.
func idleLane(t testing.TB, cfg LaneConfig) *Lane {
	t.Helper()
	seed, _ := vectorSeed(t, "issuer", "ed25519")
	cfg.Account, cfg.Seed = testIssuer, seed
	lane, err := NewLane(newClient(t, "http://127.0.0.1:1", nil), cfg)
	if err != nil {
		t.Fatal(err)
	}
	lane.laneWork = laneWork{ctx: t.Context(), inFlight: map[slot]*operation{}, limbo: map[slot]bool{}, byHash: map[string]*operation{}, undecided: map[*operation]*undecided{}}
	return lane
}

// closedJournal is one that nobody is to write in.
type closedJournal struct{ Journal }

func create(n int) model.CredentialCreate {
	return model.CredentialCreate{Subject: testAlice, Type: model.CredentialType(fmt.Sprintf("T%d", n))}
}

// submitAll submits n creations at once; what comes of each arrives on the channel.
func submitAll(ctx context.Context, lane *Lane, n int) <-chan outcome {
	outcomes := make(chan outcome, n)
	for i := range n {
		go func() {
			v, err := lane.Submit(ctx, create(i))
			outcomes <- outcome{i, v, err}
		}()
	}
	return outcomes
}

// awaitOpen asks until the open ledger holds n transactions.
func awaitOpen(t testing.TB, c *Client, n uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		fee, err := c.Fee(ctx)
		if err != nil {
			t.Fatalf("waiting for %d transactions in the open ledger: %v", n, err)
		}
		if fee.Current+fee.Queued >= n {
			return
		}
	}
}

// awaitLane waits until the lane's status is as wanted.
func awaitLane(t testing.TB, lane *Lane, what string, holds func(Status) bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !holds(lane.Status()) {
		select {
		case <-changes(lane):
		case <-limit:
			t.Fatalf("it never came about that %s: %+v", what, lane.Status())
		}
	}
}

// laneChanges has a channel for each lane that receives when its status may have changed.
var laneChanges sync.Map

func changes(lane *Lane) <-chan struct{} {
	c, _ := laneChanges.Load(lane)
	return c.(chan struct{})
}

func followChanges(lane *Lane) {
	c := make(chan struct{}, 1)
	laneChanges.Store(lane, c)
	lane.published = func() {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func isUp(s Status) bool     { return s.Up }
func hasBegun(s Status) bool { return s.InFlight > 0 }

// onLedger counts the credentials that the issuer has given.
func onLedger(t testing.TB, url string) map[model.CredentialType]bool {
	t.Helper()
	c := newClient(t, url, nil)
	all := map[model.CredentialType]bool{}
	for found, err := range c.Credentials(t.Context(), testIssuer, model.Filter{Side: model.Issued}) {
		if err != nil {
			t.Fatal(err)
		}
		if all[found.Type] {
			t.Errorf("credential %s stands twice", found.Type)
		}
		all[found.Type] = true
	}
	return all
}

// proxy stands between a client and a node's WebSocket, and does to each message what a test wants.
type proxy struct {
	*httptest.Server

	mu   sync.Mutex
	node string
	// toNode and toClient get each message; what they return is passed on, nil drops it.
	toNode, toClient func([]byte) []byte
	conns            []*websocket.Conn
	client           *websocket.Conn // the last that came
	wg               sync.WaitGroup
}

func newProxy(t testing.TB, node string) *proxy {
	t.Helper()
	p := &proxy{node: node}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.cut()
		p.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) ws() string { return "ws" + strings.TrimPrefix(p.URL, "http") }

func (p *proxy) filter(toNode, toClient func([]byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.toNode, p.toClient = toNode, toClient
}

// cut breaks every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.CloseNow()
	}
	p.conns = nil
}

// answer sends the client a message of the test's own. Filters run without the lock, and may call it.
func (p *proxy) answer(text string) {
	p.mu.Lock()
	c := p.client
	p.mu.Unlock()
	_ = c.Write(context.Background(), websocket.MessageText, []byte(text))
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.wg.Add(1)
	defer p.wg.Done()
	client, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer client.CloseNow()
	p.mu.Lock()
	at := p.node
	p.mu.Unlock()
	node, _, err := websocket.Dial(context.Background(), at, nil)
	if err != nil {
		return
	}
	defer node.CloseNow()
	client.SetReadLimit(1 << 24)
	node.SetReadLimit(1 << 24)
	p.mu.Lock()
	p.conns, p.client = append(p.conns, client, node), client
	p.mu.Unlock()
	var wg sync.WaitGroup
	pass := func(from, to *websocket.Conn, which *func([]byte) []byte) {
		defer from.CloseNow()
		defer to.CloseNow()
		for {
			kind, data, err := from.Read(context.Background())
			if err != nil {
				return
			}
			p.mu.Lock()
			f := *which
			p.mu.Unlock()
			if f != nil {
				data = f(data)
			}
			if data != nil && to.Write(context.Background(), kind, data) != nil {
				return
			}
		}
	}
	wg.Go(func() { pass(client, node, &p.toNode) })
	wg.Go(func() { pass(node, client, &p.toClient) })
	wg.Wait()
}

func isSubmit(data []byte) bool { return strings.Contains(string(data), `"command":"submit"`) }

func isSubmitAnswer(data []byte) bool {
	return strings.Contains(string(data), `"engine_result"`) && strings.Contains(string(data), `"response"`)
}

func isTransaction(data []byte) bool {
	var f struct{ Type string }
	return json.Unmarshal(data, &f) == nil && f.Type == "transaction"
}

// fakeSubmit writes the answer of a node to a submission, with the engine result that the test wants.
func fakeSubmit(t testing.TB, data []byte, result string) string {
	t.Helper()
	var req struct {
		ID   int    `json:"id"`
		Blob string `json:"tx_blob"`
	}
	if err := json.Unmarshal(data, &req); err != nil {
		t.Error(err)
	}
	blob, err := hex.DecodeString(req.Blob)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf(`{"id":%d,"result":{"engine_result":%q,"engine_result_message":"made up","open_ledger_cost":"10","tx_json":{"hash":%q}},"status":"success","type":"response"}`,
		req.ID, result, transactionHash(blob))
}

// httpProxy stands before a node's HTTP side. fault gets each request with its number; it may answer in the node's place
// (return true), and afterwards has the node's answer to lose (return false from keep).
func httpProxy(t testing.TB, node string, fault func(n int64, body []byte, w http.ResponseWriter) (answered bool), keep func(n int64, body []byte) bool) string {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := n.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || fault(k, body, w) {
			return
		}
		resp, err := http.Post(node, "application/json", bytes.NewReader(body)) //nolint:noctx // a test's own server
		if err != nil {
			return
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || !keep(k, body) {
			panic(http.ErrAbortHandler) // breaks the connection
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s.URL
}
