package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

var lies = []attack{
	{name: "a node's lies of its ledgers", on: onPlain, run: liesOfLedgers},
	{name: "a node's lies of a credential", on: onPlain, run: liesOfCredentials},
}

// liar is a node on the path to the ledger: it passes on what both sides say over WebSocket, and changes what the node says.
type liar struct {
	server *http.Server
	url    string
	node   string
	tasks  sync.WaitGroup

	mu    sync.Mutex
	lie   func([]byte) []byte // nil: none
	blobs []string
}

func startLiar(ctx context.Context, node string) (*liar, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &liar{url: "ws://" + listener.Addr().String(), node: node}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(ctx, w, r) })}
	l.server.RegisterOnShutdown(cancel)
	l.tasks.Go(func() { _ = l.server.Serve(listener) }) // it ends with close
	return l, nil
}

func (l *liar) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := l.server.Shutdown(ctx)
	l.tasks.Wait()
	return err
}

func (l *liar) tell(lie func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie, l.blobs = lie, nil
}

var blob = regexp.MustCompile(`"tx_blob":"([0-9A-F]+)"`)

func (l *liar) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	near, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer near.CloseNow()
	far, _, err := websocket.Dial(ctx, "ws://"+l.node, nil)
	if err != nil {
		return
	}
	defer far.CloseNow()
	pass := func(to, from *websocket.Conn, change func([]byte) []byte) {
		defer to.CloseNow()
		from.SetReadLimit(1 << 24)
		for {
			kind, data, err := from.Read(ctx)
			if err != nil || to.Write(ctx, kind, change(data)) != nil {
				return
			}
		}
	}
	l.tasks.Go(func() {
		pass(far, near, func(data []byte) []byte {
			if m := blob.FindSubmatch(data); m != nil {
				l.mu.Lock()
				l.blobs = append(l.blobs, string(m[1]))
				l.mu.Unlock()
			}
			return data
		})
	})
	pass(near, far, func(data []byte) []byte {
		l.mu.Lock()
		lie := l.lie
		l.mu.Unlock()
		if lie != nil {
			data = lie(data)
		}
		return data
	})
}

var numbers = map[string]*regexp.Regexp{
	"index": regexp.MustCompile(`"(ledger_index|ledger_current_index|seq)":(\d+)`),
	"time":  regexp.MustCompile(`"(ledger_time|close_time)":(\d+)`),
}

// adding adds to the numbers of a kind.
func adding(kind string, n int) func([]byte) []byte {
	find := numbers[kind]
	return func(data []byte) []byte {
		return find.ReplaceAllFunc(data, func(m []byte) []byte {
			parts := find.FindSubmatch(m)
			told, _ := strconv.Atoi(string(parts[2]))
			return fmt.Appendf(nil, `"%s":%d`, parts[1], told+n)
		})
	}
}

// behindLiar is a service of its own, whose node is a liar.
type behindLiar struct {
	r       *round
	node    *liar
	wallet  programs.Wallet
	dir     string
	address string
	process *programs.Process
}

func (r *round) behindLiar(ctx context.Context) (b *behindLiar, err error) {
	b = &behindLiar{r: r}
	if b.node, err = startLiar(ctx, r.w.node.Address); err != nil {
		return nil, err
	}
	if b.wallet, err = r.w.node.Fund(ctx, "", 1000); err == nil {
		b.dir, err = os.MkdirTemp(r.w.dir, "liar")
	}
	if err == nil {
		b.address, err = programs.FreeAddress(ctx)
	}
	return b, err
}

func (b *behindLiar) start(ctx context.Context, settings ...string) (err error) {
	env := append([]string{"HTTP_LISTEN=" + b.address, "DATA_DIR=" + b.dir, "XRPL_NETWORK=" + b.node.url, "ISSUER_ACCOUNT_SEED=" + b.wallet.Seed, "WAIT_LIMIT=3s"}, settings...)
	if b.process, err = programs.Start("liar", b.r.w.issuerProgram, b.dir, env); err != nil {
		return err
	}
	return b.await(ctx, http.MethodGet, "/readyz", "", http.StatusOK)
}

// await asks until the answer has a status.
func (b *behindLiar) await(ctx context.Context, method, path, body string, want int) error {
	last := 0
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; programs.Sleep(ctx, 50*time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+b.address+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			if !b.process.Alive() {
				return fmt.Errorf("the service ended: %v %s", b.process.Err, b.process.Said())
			}
			continue
		}
		_ = resp.Body.Close()
		b.r.heard(strconv.Itoa(resp.StatusCode))
		if last = resp.StatusCode; last == want {
			return nil
		}
	}
	return fmt.Errorf("%s %s: %d, not %d: %s", method, path, last, want, b.process.Said())
}

func (b *behindLiar) close() error {
	var err error
	if b.process != nil {
		err = b.process.Stop()
	}
	return errors.Join(err, b.node.close())
}

func (b *behindLiar) asking(subject, credential string) string {
	return text(map[string]any{"subject": subject, "credential": credential, "documents": map[string]any{"reason": "please"}})
}

// liesOfLedgers has a node lie of its validated ledger: the service signs nothing, keeps none of it, does not end, and goes on
// when the node is honest, also after a restart during the lie.
func liesOfLedgers(ctx context.Context, r *round) (err error) {
	b, err := r.behindLiar(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	subject, err := r.w.node.Fund(ctx, "", 100)
	if err != nil {
		return err
	}
	for i, lie := range []func([]byte) []byte{
		adding("index", 3_000_000_000),
		adding("index", 250),
		adding("time", 100_000),
		func(data []byte) []byte { return adding("time", 3)(adding("index", 3_000_000_000)(data)) },
	} {
		b.node.tell(lie)
		if err := b.await(ctx, http.MethodGet, "/readyz", "", http.StatusServiceUnavailable); err != nil {
			return fmt.Errorf("lie %d: %w", i, err)
		}
		if err := b.await(ctx, http.MethodPost, "/credential", b.asking(subject.Address, fmt.Sprint("Lie", i)), http.StatusServiceUnavailable); err != nil {
			return fmt.Errorf("lie %d: %w", i, err)
		}
		b.node.mu.Lock()
		if n := len(b.node.blobs); n > 0 {
			r.fault("lie %d: %d transactions were signed and sent", i, n)
		}
		b.node.mu.Unlock()
		if i%2 == 0 { // it is stopped during the lie, and started at the honest node
			if err := b.process.Stop(); err != nil {
				return err
			}
			b.node.tell(nil)
			if err := b.start(ctx); err != nil {
				return fmt.Errorf("after lie %d: %w", i, err)
			}
		}
		b.node.tell(nil)
		if err := b.await(ctx, http.MethodPost, "/credential", b.asking(subject.Address, fmt.Sprint("Truth", i)), http.StatusCreated); err != nil {
			return fmt.Errorf("after lie %d: %w", i, err)
		}
	}
	return nil
}

// liesOfCredentials has a node show an unaccepted credential as accepted. With a second node that is undetermined.
func liesOfCredentials(ctx context.Context, r *round) (err error) {
	b, err := r.behindLiar(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.start(ctx, "XRPL_NODES=http://"+r.w.node.Address); err != nil {
		return err
	}
	subject, err := r.w.node.Fund(ctx, "", 100)
	if err != nil {
		return err
	}
	if err := b.await(ctx, http.MethodPost, "/credential", b.asking(subject.Address, "Witnessed"), http.StatusCreated); err != nil {
		return err
	}
	path := "/credential/" + b.wallet.Address + "/" + subject.Address + "/Witnessed"
	if err := b.await(ctx, http.MethodGet, path, "", http.StatusOK); err != nil { // not valid, and both say so
		return err
	}
	b.node.tell(func(data []byte) []byte {
		return regexp.MustCompile(`"Flags":0`).ReplaceAll(data, []byte(`"Flags":65536`))
	})
	return b.await(ctx, http.MethodGet, path, "", http.StatusServiceUnavailable)
}
