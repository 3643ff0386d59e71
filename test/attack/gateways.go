package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/test/internal/programs"
)

// gateways are attacks by the node, or by whoever answers in its place.
var gateways = []attack{
	{name: "node: redirects and repeats its API key", on: onPlain, run: redirectingNode},
	{name: "node: floods its streams", on: onPlain, run: floodingNode, long: true},
}

// nodeKey is an API key as providers put it into the address of a node.
const nodeKey = "NODEKEY0123456789CANARY"

// fakeNode serves a node of this program's until the end of the round.
func fakeNode(handler http.Handler) (address string, end func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), func() { _ = s.Close() }, nil
}

// redirectingNode answers with redirects to elsewhere, and with errors that repeat the address with its key. Nothing may be
// asked where redirects point to, and nobody may be shown the key.
func redirectingNode(ctx context.Context, r *round) error {
	var inner atomic.Int64
	elsewhere, end, err := fakeNode(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { inner.Add(1); w.WriteHeader(http.StatusTeapot) }))
	if err != nil {
		return err
	}
	defer end()
	from, end, err := fakeNode(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Location", "http://"+elsewhere+"/latest/meta-data?"+q.URL.String())
		status := http.StatusFound
		if strings.HasPrefix(q.URL.Path, "/forbidden") {
			status = http.StatusForbidden
		}
		http.Error(w, "Cannot GET "+q.URL.String(), status)
	}))
	if err != nil {
		return err
	}
	defer end()
	nodes := []string{"ws", "http"}
	atOnce(4, 2*len(nodes), func(i int) {
		path := []string{"redirect", "forbidden"}[i/len(nodes)]
		node := fmt.Sprintf("%s://%s@%s/%s/%s/?apikey=%s", nodes[i%len(nodes)], nodeKey, from, path, nodeKey, nodeKey)
		out, said, err := r.command(ctx, "verify", r.issuer.address, r.issuer.address, "Member", "--xrpl-network="+node)
		r.heard(path + " over " + nodes[i%len(nodes)])
		if err == nil {
			r.fault("a credential is called valid by a node that answers %s", path)
		}
		if strings.Contains(out+said, nodeKey) {
			r.fault("the node's key is shown after %s: %.300s", path, said)
		}
	})
	if n := inner.Load(); n > 0 {
		r.fault("%d requests came to where redirects point", n)
	}
	return nil
}

const (
	floodMessage = 7 << 20
	floodFor     = 12 * time.Second
	floodGrowth  = 256 << 20 // of the resident set, while messages of 8 MiB are read and garbage is collected
)

// floodingNode stands between a service of its own and the ledger, answers no account_tx, and sends transactions of some MiB as
// fast as they are taken. The service's memory stays bounded, and its log tells of it.
func floodingNode(ctx context.Context, r *round) error {
	var flooding atomic.Bool
	var sent atomic.Int64
	upstream := "ws://" + r.w.node.Address
	address, end, err := fakeNode(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { floodThrough(w, q, upstream, &flooding, &sent) }))
	if err != nil {
		return err
	}
	defer end()
	account, err := r.w.node.Fund(ctx, "", 1000)
	if err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "flooded")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	process, err := programs.Start("flooded", r.w.issuerProgram, dir, []string{"XRPL_NETWORK=ws://" + address + "/" + nodeKey,
		"ISSUER_ACCOUNT_SEED=" + account.Seed, "DATA_DIR=" + dir, "HTTP_LISTEN=127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer process.Kill()
	said := func() string { text, _ := os.ReadFile(process.Log); return string(text) }
	started, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !strings.Contains(said(), "Ctrl-C stops") {
		if started.Err() != nil || !process.Alive() {
			return fmt.Errorf("the flooded service does not start: %s", process.Said())
		}
		programs.Sleep(started, 20*time.Millisecond)
	}
	before, err := measure(process.Cmd.Process.Pid)
	if err != nil {
		return skipped(err.Error())
	}
	flooding.Store(true)
	for end := time.Now().Add(floodFor); time.Now().Before(end) && process.Alive(); {
		programs.Sleep(ctx, 100*time.Millisecond)
	}
	after, err := measure(process.Cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("the flooded service has ended: %s", process.Said())
	}
	r.heard(fmt.Sprintf("%d messages", sent.Load()))
	r.note("memory %s, at its peak %s MiB", mebibytes(before.now), mebibytes(after.peak))
	if after.peak > before.now+floodGrowth {
		r.fault("memory rose from %s to %s MiB", mebibytes(before.now), mebibytes(after.peak))
	}
	if text := said(); !strings.Contains(text, "level=WARN") || strings.Contains(text, nodeKey) {
		r.fault("the log does not warn, or holds the node's key")
	}
	return nil
}

// floodThrough passes a connection on to the ledger, and floods it when it is told to.
func floodThrough(w http.ResponseWriter, q *http.Request, upstream string, flooding *atomic.Bool, sent *atomic.Int64) {
	down, err := websocket.Accept(w, q, nil)
	if err != nil {
		return
	}
	defer func() { _ = down.CloseNow() }()
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	up, _, err := websocket.Dial(ctx, upstream, nil)
	if err != nil {
		return
	}
	defer func() { _ = up.CloseNow() }()
	up.SetReadLimit(-1)
	pass := func(from, to *websocket.Conn, drop []byte) {
		defer cancel()
		for {
			kind, data, err := from.Read(ctx)
			if err != nil {
				return
			}
			if flooding.Load() && bytes.Contains(data, drop) {
				continue
			}
			if to.Write(ctx, kind, data) != nil {
				return
			}
		}
	}
	var both sync.WaitGroup
	defer both.Wait()
	defer cancel()
	both.Go(func() { pass(down, up, []byte(`"account_tx"`)) })
	both.Go(func() { pass(up, down, []byte(`"never sent"`)) })
	text := fmt.Appendf(nil, `{"type":"transaction","validated":true,"hash":"%064X","ledger_index":5,"tx_json":{"Account":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","Sequence":1},"meta":{"x":"%s"}}`,
		1, bytes.Repeat([]byte("x"), floodMessage))
	for ctx.Err() == nil {
		if !flooding.Load() {
			programs.Sleep(ctx, 20*time.Millisecond)
			continue
		}
		if down.Write(ctx, websocket.MessageText, text) != nil {
			return
		}
		sent.Add(1)
	}
}
