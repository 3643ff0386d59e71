package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/xrplissuer/credential-issuer/sandbox/internal/codec"
	"github.com/xrplissuer/credential-issuer/sandbox/internal/engine"
)

// With weather that is clear the ledger answers as without, bit for bit.
func TestClearWeatherChangesNothing(t *testing.T) {
	recordedWeather = &Weather{}
	defer func() { recordedWeather = nil }()
	for _, name := range []string{"01_lifecycle.jsonl", "05_tickets.jsonl", "queue/14_queue.jsonl", "13_streams.ws.jsonl"} {
		path := filepath.Join(vectorsDir, name)
		steps := readRecording(t, path)
		var y tally
		if strings.HasSuffix(name, ".ws.jsonl") {
			replayWebSocket(t, steps, capacityOf(path, steps), &y)
		} else {
			replayHTTP(t, steps, capacityOf(path, steps), &y)
		}
		if y.total == 0 || y.bits != y.total {
			t.Errorf("%s: %d of %d: %v", name, y.bits, y.total, y.diffs)
		}
	}
}

// Everything at once, with clients that send by HTTP and WebSocket meanwhile: the ledger stays one. Every ledger follows from the
// one before it, what clients were told is final is there unless the node went back past it, and the file gives the same ledger.
func TestStorm(t *testing.T) {
	const spec = "lose-before=5%,lose-after=5%,delay=5%:0s-2ms,delay-answer=5%:0s-2ms,drop=5%,reset=5%,slow-down=3%,http-503=3%,http-429=3%," +
		"garbage=5%,half-open=3%,lose-message=10%,gap=5%:2,miss=5%:2,stall=5%:2,behind=5%:3,freeze=5%:1ms-3ms,restart=4%:0s-2ms,rollback=4%:2"
	w, err := ParseWeather(spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Seed = 20_261_121
	dir := t.TempDir()
	s := startServer(t, Config{DataDir: dir, LedgerCapacity: 20, Weather: &Weather{}, Logger: slog.New(slog.DiscardHandler)})
	const clients, each = 6, 60
	accounts := make([]*testAccount, clients)
	for i := range accounts {
		accounts[i] = newTestAccount(t, s, codec.Ed25519, fmt.Sprint("client ", i))
	}
	// The node may go back past the funding otherwise: that is allowed, but leaves nothing to do.
	for range 3 {
		if _, err := s.Accept(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetWeather(w); err != nil {
		t.Fatal(err)
	}
	sent := make(chan codec.Hash256, clients*each)
	var senders sync.WaitGroup
	for i, a := range accounts {
		senders.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: 200 * time.Millisecond}
			var ws *websocket.Conn
			defer func() {
				if ws != nil {
					_ = ws.CloseNow()
				}
			}()
			for range each {
				if n := s.node.NextSequence(a.id); n != 0 {
					a.next = n
				}
				tx := a.credential(t, accounts[(i+1)%clients].id, nil)
				sent <- tx.ID
				if i%2 == 0 {
					r, err := client.Post(s.URL(), "application/json", strings.NewReader(submitHTTP(tx)))
					if err == nil {
						_, _ = io.Copy(io.Discard, r.Body) // it may be cut off
						_ = r.Body.Close()
					}
					continue
				}
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				if ws == nil {
					conn, _, err := websocket.Dial(ctx, s.WebSocketURL(), nil)
					if ws = conn; err == nil {
						_ = ws.Write(ctx, websocket.MessageText, []byte(`{"command":"subscribe","streams":["ledger","transactions"]}`))
					}
				}
				if ws != nil {
					err := ws.Write(ctx, websocket.MessageText, []byte(submitWS(tx)))
					if err == nil {
						_, _, err = ws.Read(ctx)
					}
					if err != nil {
						_ = ws.CloseNow()
						ws = nil
					}
				}
				cancel()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		senders.Wait()
		close(done)
	}()
	for closing := true; closing; {
		select {
		case <-done:
			closing = false
		default:
			before := s.node.Closed()
			if _, err := s.Accept(context.Background()); err != nil {
				t.Error(err)
			}
			// Within one close the node goes back by 2 at most.
			if l := s.node.Closed(); l.Seq+1 < before.Seq {
				t.Errorf("from ledger %d back to %d", before.Seq, l.Seq)
			}
		}
	}
	counts := s.FaultCounts()
	var lines []string
	for _, f := range Faults() {
		lines = append(lines, fmt.Sprintf("%s %d/%d", f, counts[f].Done, counts[f].Occasions))
	}
	t.Logf("seed %d: %s", w.Seed, strings.Join(lines, ", "))
	for f := range w.Rules {
		if counts[f].Done == 0 && counts[f].Occasions > 100 {
			t.Errorf("%s never happened", f)
		}
	}

	if err := s.SetWeather(Weather{}); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if _, err := s.Accept(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	checkChain(t, s.node, sent)
	last := s.node.Closed()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	again := startServer(t, Config{DataDir: dir})
	if l := again.node.Closed(); l.Hash != last.Hash {
		t.Errorf("from its file: ledger %d %s, not %d %s", l.Seq, l.Hash, last.Seq, last.Hash)
	}
}

// checkChain checks that every ledger follows from the one before it, and that what is told of transactions is what ledgers hold.
func checkChain(t *testing.T, n *engine.Node, sent chan codec.Hash256) {
	t.Helper()
	in := map[codec.Hash256]uint32{}
	var before *engine.Ledger
	for seq := uint32(2); seq <= n.Closed().Seq; seq++ {
		l := n.LedgerBySeq(seq)
		if l == nil {
			t.Fatalf("no ledger %d of %d", seq, n.Closed().Seq)
		}
		if before != nil && (l.ParentHash != before.Hash || l.CloseTime <= before.CloseTime || l.Drops > before.Drops) {
			t.Fatalf("ledger %d does not follow from %d", seq, seq-1)
		}
		var burnt uint64
		for r := range l.Txs() {
			if was, twice := in[r.Tx.ID]; twice {
				t.Errorf("a transaction is in ledgers %d and %d", was, seq)
			}
			in[r.Tx.ID] = seq
			burnt += uint64(r.Tx.Fee())
		}
		if before != nil && before.Drops-l.Drops != burnt {
			t.Errorf("ledger %d: %d drops are gone, of fees of %d", seq, before.Drops-l.Drops, burnt)
		}
		before = l
	}
	close(sent)
	found := 0
	for id := range sent {
		rec, _ := n.Lookup(id)
		switch seq, ok := in[id]; {
		case ok != (rec != nil), ok && rec.LedgerSeq != seq:
			t.Errorf("transaction %s: ledger %d has it, lookup says %v", id, seq, rec)
		case ok:
			found++
		}
	}
	if found == 0 {
		t.Error(errors.New("no transaction got into a ledger"))
	}
}
